/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest in systemd-machined's list, `machinectl list`. */
#pragma once

#include <glib.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/* Registers the process, which is in a unit of its own, as the virtual machine `name`; as its UUID
 * where that is no name of a machine, or is taken. machined forgets it when the unit ends. Where
 * there is no machined, nothing happens. Returns at once. */
void vb_machine_register(sd_bus *bus, const char *name, const char *uuid, pid_t leader);
