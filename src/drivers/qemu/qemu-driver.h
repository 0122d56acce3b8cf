/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The QEMU driver: <domain type='qemu'> (TCG) and <domain type='kvm'>. main.c makes one and gives
 * it to the host; all else goes through the contract of driver.h. */
#pragma once

#include "driver.h"
#include "launcher.h"

extern const VbDriver vb_qemu_driver;

/* `self` of the driver's operations. The launcher must outlive it; `kvm_probe_path` is the program
 * that finds out whether /dev/kvm works. */
gpointer vb_qemu_driver_new(VbHost *host, const VbLauncher *launcher, gpointer launcher_self,
                            const char *kvm_probe_path);
/* Closes the monitors. The guests run on: a later driver finds them again. */
void vb_qemu_driver_free(gpointer self);
