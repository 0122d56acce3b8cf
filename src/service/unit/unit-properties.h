/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a guest's unit is: its command, its user, its limits, its sandbox, as properties of
 * StartTransientUnit. The list of docs/administration.md is this one. */
#pragma once

#include <systemd/sd-bus.h>

#include "launcher.h"

typedef struct {
    const char *helper; /* path of virtbus-launch-helper */
    gboolean session;   /* the manager is a user's own: no other users, no mount namespaces */
    int input;          /* from vb_unit_input_new() */
} VbUnitSurroundings;

/* Appends the array a(sv). A negative errno on failure. */
int vb_unit_append_properties(sd_bus_message *call, const VbLaunchSpec *spec,
                              const VbUnitSurroundings *surroundings);
