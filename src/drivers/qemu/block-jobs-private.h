/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of the block jobs share: commands to a VM that may be gone by now, and the nodes
 * of a disk. For block-*.c only. */
#pragma once

#include "block-jobs.h"

/* vb_qemu_vm_call_async() for the VM that the domain has now; without one the callback gets
 * VB_ERROR_DOMAIN_NOT_RUNNING. Finish with vb_qmp_call_finish(). */
void vb_block_call_async(VbDomain *domain, const char *command, JsonObject *arguments,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data);

/* Drops the nodes of `disk` that its live chain does not have (any more): what a job left behind.
 * QEMU itself refuses to drop what is in use. Finish: TRUE when they are gone. */
void vb_block_nodes_sweep_async(VbDomain *domain, const char *disk, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_block_nodes_sweep_finish(GAsyncResult *result, GError **error);

/* Drops these nodes (NULL-terminated names), parents before what they stand on; one that is not
 * there is no error. (A node can be dropped only once nothing refers to it, and nothing says in
 * which order that is: so it is tried as long as it gets on.) Finish: TRUE when all are gone. */
void vb_block_nodes_drop_async(VbDomain *domain, const char *const *names,
                               GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean vb_block_nodes_drop_finish(GAsyncResult *result, GError **error);
