/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbHostileQemu: what fake-qemu says instead of an answer, when its domain is named
 * "hostile-BEHAVIOUR-at-COMMAND": from that command on (or from the time for its "greeting") it
 * behaves so. Before, it is the well-behaved fake. */
#pragma once

#include "qmp-peer.h"

typedef struct VbHostileQemu VbHostileQemu;

/* The nth behaviour's name; NULL behind the last. */
const char *vb_hostile_qemu_behaviour(guint n);

/* NULL when the name has no such meaning. */
VbHostileQemu *vb_hostile_qemu_new(const char *domain);
void vb_hostile_qemu_free(VbHostileQemu *hostile);

/* VbQmpPeerCallbacks' `command` and `drained`. */
gboolean vb_hostile_qemu_command(VbHostileQemu *hostile, VbQmpPeer *peer, const char *command,
                                 JsonObject *message);
void vb_hostile_qemu_drained(VbHostileQemu *hostile, VbQmpPeer *peer);
