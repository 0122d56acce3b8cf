/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A network interface as passt's command line: passt is user-mode networking in a process of its
 * own, beside QEMU. Pure, as qemu-command.h; vm-passt.c runs it. */
#pragma once

#include "domain-def.h"

#define VB_PASST_FD 3 /* in passt, the socket that leads to QEMU */

/* `program` is passt's absolute path. When its socket is closed, which QEMU does at the latest when
 * it ends, passt ends. (transfer full) */
GStrv vb_passt_command(const char *program, const VbInterfaceDef *interface);
