/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The passt processes of a VM, one for each interface that wants user-mode networking by passt.
 * They are started before QEMU, as the same user, and nobody holds them: a passt ends when the
 * socket between it and QEMU is closed, so with QEMU, however that ends, and with a start that
 * fails. A restarted daemon has nothing to find again. Called by vm-start.c. */
#pragma once

#include "vm.h"

/* Finish gives an array of int with an element for each interface of the live definition: QEMU's
 * end of the socket to its passt, which is ready then, or -1; closed with the array but for those
 * that were set to -1. Errors: VB_ERROR_NOT_SUPPORTED: passt is not installed; VB_ERROR_FAILED:
 * what it said before it gave up. */
void vb_qemu_passt_start_async(VbQemuVm *vm, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data);
GArray *vb_qemu_passt_start_finish(GAsyncResult *result, GError **error);
