/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A network driver whose networks are nothing, and whose ports are real: taps in the namespace of
 * the test, plugged in nowhere. It can be told to fail and to hesitate. */
#pragma once

#include "network-driver.h"

typedef struct {
    guint opened, plugged, closed; /* ports, so far */
    guint fail_at;                 /* the open of that number fails; 0: none */
    gboolean hold;                 /* the next open is kept back, */
    GTask *held;                   /* … here, until tap_driver_release() */
    char *held_name;
} TapDriver;

extern const VbNetworkDriver tap_driver;

/* Opens what was kept back. */
void tap_driver_release(TapDriver *driver);
