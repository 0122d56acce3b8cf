/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbQemuVm: one running QEMU: its process, its monitor, and what the driver has to remember of it.
 * It is the driver data of an active domain (made by a start or a reconnect, dropped by
 * vb_domain_gone()). Private to this folder: vm-start.c brings it up, vm-operate.c is its
 * operations, vm-events.c hears it, vm-reconnect.c finds it again; block-jobs.c works on its
 * monitor. */
#pragma once

#include "caps.h"
#include "domain.h"
#include "process.h"
#include "qmp-client.h"
#include "vm-access.h"

typedef struct VbQemuDriver VbQemuDriver; /* vm-private.h */

typedef struct {
    VbQemuDriver *driver; /* borrowed, outlives the VM */
    VbDomain *domain;     /* borrowed: the domain owns the VM */
    VbQemuCaps *caps;     /* of the binary that runs; NULL until a reconnect has them, and
                           * when the binary is gone meanwhile */
    VbProcess *process;   /* NULL until launched */
    VbQmp *qmp;           /* NULL while there is no connection */
    VbVmAccess *access;   /* what of the host it may use */
    char *run_dir;        /* where QEMU makes its own sockets */

    guint last_index; /* the highest image index (VbDiskSource.index) given out so far; recorded */

    /* What block-jobs.c keeps for the VM, dropped with it. */
    gpointer block_jobs;
    GDestroyNotify block_jobs_free;

    struct VbQemuVmPrivate *priv; /* vm-private.h: for vm-*.c only */
} VbQemuVm;

/* A reference keeps the struct, not the VM: see vb_qemu_vm_is_over(). */
VbQemuVm *vb_qemu_vm_ref(VbQemuVm *vm);
void vb_qemu_vm_unref(VbQemuVm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbQemuVm, vb_qemu_vm_unref)

/* The VM has ended, or the driver has let go of it: `domain` and `driver` are no longer to be used.
 */
gboolean vb_qemu_vm_is_over(const VbQemuVm *vm);

/* The VM of an active domain; NULL when there is none. Borrowed. */
VbQemuVm *vb_qemu_vm_of(const VbDomain *domain);

/* As vb_qmp_call_async() on the VM's monitor with the default deadline; vb_qmp_call_finish() gives
 * the value. Without a connection the callback gets VB_ERROR_TIMEOUT. The VM may be over when it
 * comes. */
void vb_qemu_vm_call_async(VbQemuVm *vm, const char *command, JsonObject *arguments,
                           GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data);

/* A new image index, unique while the VM lives, over a restart of the daemon, too: the record is
 * written before it returns. For each image that a job adds. */
guint vb_qemu_vm_next_index(VbQemuVm *vm);
