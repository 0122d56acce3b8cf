/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A definition as QEMU's command line. Pure: nothing is opened, asked or looked up here, so the
 * same input gives the same arguments. Devices, objects and images are told as JSON; where QEMU has
 * only its old option syntax a user's string is never more than one value of it. vm-start.c builds
 * one; qemu-driver.c checks a definition when it is stored. */
#pragma once

#include "caps.h"
#include "domain-def.h"

#define VB_QEMU_MONITOR_FD 3   /* the listening socket of the monitor, in QEMU */
#define VB_QEMU_FIRST_TAP_FD 4 /* taps and sockets of passt, in the order of the interfaces */

typedef struct {
    /* Complete: emulator, versioned machine, addresses and aliases, all chains with their indexes,
     * the ports of spice. */
    const VbDomainDef *def;
    const VbQemuCaps *caps;
    const char *run_dir; /* where the sockets lie for which the definition names no path */
    gint64 now;          /* seconds since the epoch, for a clock with an adjustment */
    const int *taps; /* for each interface the descriptor in QEMU that is its tap or leads to its
                      * passt, -1 where it has neither; NULL: nothing is opened, QEMU is not going
                      * to be run */
} VbQemuCommandInput;

/* argv, argv[0] being the emulator. (transfer full) */
GStrv vb_qemu_command_build(const VbQemuCommandInput *input);

/* What must be in QEMU's environment beside what every QEMU gets: "NAME=value". (transfer full) */
GStrv vb_qemu_command_env(const VbDomainDef *def);

/* Can this QEMU run it? Machine, CPU model and each device are looked for; what we cannot tell QEMU
 * is refused, too. Neither addresses nor chains are needed yet.
 * VB_ERROR_NOT_SUPPORTED names what is missing. */
gboolean vb_qemu_command_check(const VbDomainDef *def, const VbQemuCaps *caps, GError **error);

/* The path of a unix socket for which the definition names none (a channel, VNC, SPICE): made from
 * the device's alias, or `fallback` when it has none. (transfer full) */
char *vb_qemu_command_socket(const char *run_dir, const VbDeviceInfo *info, const char *fallback);

/* The chardev of a character device: "char<alias>". (transfer full) */
char *vb_qemu_command_chardev(const VbDeviceInfo *info);
