/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbNetlink: a blocking rtnetlink socket for one thread. Requests are acknowledged, and what the
 * kernel says about a refusal is kept as text: its own words (extended acknowledgement) where it
 * has some. */
#pragma once

#include <glib.h>
#include <netlink/msg.h>

typedef struct VbNetlink VbNetlink;

VbNetlink *vb_netlink_new(GError **error);
void vb_netlink_free(VbNetlink *netlink); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbNetlink, vb_netlink_free)

/* One message of an answer; owned by the caller of it. */
typedef void (*VbNetlinkFunc)(struct nl_msg *answer, gpointer data);

/* Sends it (transfer full; the kernel's flags for a request are added) and returns when it is done:
 * 0, or an errno (positive), of which vb_netlink_text() tells. EINTR: something changed while a
 * list was read, which has to be asked for again. `func` may be NULL. */
int vb_netlink_request(VbNetlink *netlink, struct nl_msg *request, VbNetlinkFunc func,
                       gpointer data);
/* Of the last request that failed: "Invalid argument (Peak rate is lower than rate)". */
const char *vb_netlink_text(VbNetlink *netlink);

/* A message of RTM_…LINK that is about a device (0: none). (transfer full) */
struct nl_msg *vb_netlink_link_message(int type, int flags, int family, int index);
