/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbVmAccess: what of the host one running VM may use as the user that QEMU runs as: what its live
 * definition names, what its block jobs work on, and nothing for longer than that. It knows what is
 * needed; access.h keeps the books. Owned by VbQemuVm; vm-start.c and block-*.c ask it before QEMU
 * or qemu-img opens anything. */
#pragma once

#include "access.h"
#include "domain.h"
#include "host-resource.h"
#include "image-gate.h"

typedef struct VbVmAccess VbVmAccess;

/* `domain` is borrowed, and active; `by` is copied. */
VbVmAccess *vb_vm_access_new(VbAccess *access, VbDomain *domain, const VbLaunchBy *by);
/* Leaves everything as it is. */
void vb_vm_access_free(VbVmAccess *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbVmAccess, vb_vm_access_free)

/* For the images of this VM; NULL when there is nothing to be granted and nothing to be refused. */
const VbImageGate *vb_vm_access_gate(const VbVmAccess *access);
VbFileBounds vb_vm_access_bounds(const VbVmAccess *access);
const VbIdentity *vb_vm_access_identity(const VbVmAccess *access);

/* Makes all of it usable, or nothing more is tried: `resources` of VbHostResource, taken. Errors:
 * vb_access_grant_async()'s, with the use of the file before them. */
void vb_vm_access_grant_async(VbVmAccess *access, GPtrArray *resources, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_vm_access_grant_finish(GAsyncResult *result, GError **error);

/* The files of a commit that are written beside those that the live definition says are: the base,
 * and the image above the top one, whose header is to name it. (transfer full) */
GPtrArray *vb_vm_access_commit_resources(const VbDomainDef *def, const char *disk, guint top_index,
                                         guint base_index);

/* What neither the live definition nor a live job needs is given back, soon. In between, between
 * hold and release, what a job's start asked for stays. */
void vb_vm_access_sync(VbVmAccess *access);
void vb_vm_access_hold(VbVmAccess *access);
void vb_vm_access_release(VbVmAccess *access);

/* The domain is about to go: it is looked at no more. */
void vb_vm_access_stop(VbVmAccess *access);
/* The VM is over: everything is given back. */
void vb_vm_access_give_back(VbVmAccess *access);
