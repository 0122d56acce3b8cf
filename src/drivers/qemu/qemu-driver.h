/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The QEMU driver: <domain type='qemu'> (TCG) and <domain type='kvm'>. main.c makes one and gives
 * it to the host; all else goes through the contract of driver.h. */
#pragma once

#include "driver.h"
#include "launcher.h"

extern const VbDriver vb_qemu_driver;

typedef struct {
    const VbLauncher *launcher; /* with launcher_self it must outlive the driver */
    gpointer launcher_self;
    const char *kvm_probe_path; /* the program that finds out whether /dev/kvm works */
    const char *user; /* that QEMU and its tools run as when we are root; NULL, or a name of uid 0:
                       * as we are. One that does not exist lets nothing be defined or started. */
} VbQemuDriverOptions;

/* `self` of the driver's operations. The host's image directories are set before. */
gpointer vb_qemu_driver_new(VbHost *host, const VbQemuDriverOptions *options);
/* Closes the monitors. The guests run on: a later driver finds them again. */
void vb_qemu_driver_free(gpointer self);
