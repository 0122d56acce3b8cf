/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The handlers of the commands, by the file that has them. Each prints its result and returns TRUE,
 * or sets error and returns FALSE; command-table.c is the only caller. */
#pragma once

#include "command.h"

#define VB_HANDLER(name) gboolean vb_cmd_##name(VbCli *cli, const VbArgs *args, GError **error)

/* cmd-domain.c */
VB_HANDLER(define);
VB_HANDLER(create);
VB_HANDLER(start);
VB_HANDLER(shutdown);
VB_HANDLER(destroy);
VB_HANDLER(reboot);
VB_HANDLER(reset);
VB_HANDLER(suspend);
VB_HANDLER(resume);
VB_HANDLER(undefine);
VB_HANDLER(autostart);

/* cmd-info.c */
VB_HANDLER(list);
VB_HANDLER(dumpxml);
VB_HANDLER(dominfo);
VB_HANDLER(domstate);
VB_HANDLER(domid);
VB_HANDLER(domuuid);
VB_HANDLER(domname);
VB_HANDLER(domblklist);
VB_HANDLER(actions);

/* cmd-domif.c */
VB_HANDLER(domiflist);
VB_HANDLER(domifaddr);

/* cmd-domstats.c */
VB_HANDLER(domstats);

/* cmd-network.c */
VB_HANDLER(net_list);
VB_HANDLER(net_define);
VB_HANDLER(net_create);
VB_HANDLER(net_start);
VB_HANDLER(net_destroy);
VB_HANDLER(net_undefine);
VB_HANDLER(net_autostart);
VB_HANDLER(net_dumpxml);
VB_HANDLER(net_info);
VB_HANDLER(net_update);
VB_HANDLER(net_dhcp_leases);
VB_HANDLER(net_reload);

/* cmd-block.c */
VB_HANDLER(blockpull);
VB_HANDLER(blockcopy);
VB_HANDLER(blockcommit);

/* cmd-blockjob.c */
VB_HANDLER(blockjob);

/* cmd-event.c */
VB_HANDLER(event);
VB_HANDLER(monitor);

/* cmd-log.c */
VB_HANDLER(log);

/* cmd-help.c */
VB_HANDLER(help);
