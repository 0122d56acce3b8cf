/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbFirewall: the rules of all active networks, in the table "inet virtbus", which is ours alone
 * and is always replaced as a whole, in one transaction: nobody else's rules are ever touched, and
 * there is no moment without. libnftables works in a worker thread; applications that wait behind
 * another are merged into one. */
#pragma once

#include <gio/gio.h>

#include "network-def.h"

typedef struct VbFirewall VbFirewall;

/* The commands (JSON, libnftables-json(5)) that make the table what these networks (of const
 * VbNetworkDef *) need; without any, the table goes. Pure. (transfer full) */
char *vb_firewall_ruleset(const GPtrArray *networks);

VbFirewall *vb_firewall_new(void);
/* Waits for what was begun. */
void vb_firewall_free(VbFirewall *firewall);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbFirewall, vb_firewall_free)

/* `networks` are all active ones; they are read before it returns. */
void vb_firewall_apply_async(VbFirewall *firewall, const GPtrArray *networks,
                             GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_firewall_apply_finish(GAsyncResult *result, GError **error);
