/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A host with the QEMU driver, below a temporary directory: what the fixtures of this folder that
 * need no bus stand on. QEMU is real. */
#pragma once

#include "host.h"
#include "network.h"
#include "wait.h"

typedef struct {
    char *dir; /* everything is below it */
    VbPaths *paths;
    VbStore *store;
    VbHost *host; /* NULL while it is stopped */
    const VbDriverEvents *events;
    gpointer user_data; /* of the events */
    const char *user;   /* that QEMU runs as; NULL: as the test does */
    const char *const *image_directories;
    const VbNetworkDriver *network; /* the network driver; NULL: there is none */
    gpointer network_self;          /* borrowed */
} QemuHost;

/* Makes the directory, into which others may go, and starts the host. */
void qemu_host_init(QemuHost *qemu, const VbDriverEvents *events, gpointer user_data);
/* Stops the host and removes the directory; what runs has been destroyed. */
void qemu_host_clear(QemuHost *qemu);

/* The daemon's death and its next life. */
void qemu_host_stop(QemuHost *qemu);
void qemu_host_start(QemuHost *qemu);
