/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The launcher for a bus with a service manager: each process is a transient service of its own,
 * `virtbus-<name>.service` in virtbus.slice, which has nothing of the daemon's sandbox and outlives
 * it; its output goes to the journal. daemon.c makes one and attaches it to the daemon's bus. On a
 * bus without a manager it launches detached; while one that was there is away, not at all. */
#pragma once

#include <systemd/sd-bus.h>

#include "launcher.h"

typedef struct VbUnitLauncher VbUnitLauncher;

/* `helper`: the path of virtbus-launch-helper; session: the manager is a user's own. */
VbUnitLauncher *vb_unit_launcher_new(const char *helper, gboolean session);
/* The manager is there, by the unique name whose signals we have to hear; NULL: it is not. Comes
 * once that is known, and when it changes. */
typedef void (*VbUnitManager)(const char *name, gpointer data);

/* Asks that bus for its manager, which at a boot may have to come first, and watches whether it
 * comes or goes. What is launched before that is known is launched detached. */
void vb_unit_launcher_attach(VbUnitLauncher *launcher, sd_bus *bus, VbUnitManager manager,
                             gpointer data);
/* The manager stops everything: the host shuts down, or the user's last session has ended. */
typedef void (*VbUnitStopping)(gboolean stopping, gpointer data);

/* Asks the manager; FALSE where there is none. From the main loop, not before this returned; never
 * after vb_unit_launcher_detach(). */
void vb_unit_launcher_ask_stopping(VbUnitLauncher *launcher, VbUnitStopping answer, gpointer data);
/* Launches under way end with G_IO_ERROR_CANCELLED; what they started may run. Before the bus goes.
 * Accepts NULL. */
void vb_unit_launcher_detach(VbUnitLauncher *launcher);
/* Accepts NULL. */
void vb_unit_launcher_free(VbUnitLauncher *launcher);

/* `self` is a VbUnitLauncher. */
extern const VbLauncher vb_launcher_unit;
