/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbAccess: which files have been opened to the user that a hypervisor runs as, and for whom. A
 * file that several domains use keeps its access until the last of them needs it no more; what was
 * there before is then there again. Each grant is on record (tmpfs) before it is made, so that a
 * restarted daemon gives back what an earlier one granted. Owned by a driver, which knows a running
 * domain by its id (VbDomainInfo.id): one that is never used twice in a boot. All file systems are
 * touched in worker threads only (file-access.h). */
#pragma once

#include <gio/gio.h>

#include "file-access.h"

typedef struct VbAccess VbAccess;

/* Reads the records in `directory` (made when it is missing). `identity` NULL: nothing is granted,
 * but what a file is and where it lies is looked at all the same when there are `bounds`. */
VbAccess *vb_access_new(const char *directory, VbIdentity *identity, VbFileBounds bounds);
VbAccess *vb_access_ref(VbAccess *access);
void vb_access_unref(VbAccess *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbAccess, vb_access_unref)
/* It does nothing any more. Nothing is given back: the next one finds it on record. Who waits gets
 * G_IO_ERROR_CANCELLED. */
void vb_access_close(VbAccess *access);

const VbIdentity *vb_access_identity(const VbAccess *access);
VbFileBounds vb_access_bounds(const VbAccess *access);

/* Makes a file usable as wished, for `owner`; `wish` is copied. Errors: VB_ERROR_FAILED naming the
 * path and what to do; G_IO_ERROR_CANCELLED, also when the owner was dropped meanwhile. */
void vb_access_grant_async(VbAccess *access, guint owner, const VbFileWish *wish,
                           GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data);
gboolean vb_access_grant_finish(GAsyncResult *result, GError **error);

/* The paths that the owner still needs, as they were wished: path → GINT_TO_POINTER(write). What
 * goes beyond that is given back, without waiting for it. NULL: nothing is needed any more. */
void vb_access_keep_only(VbAccess *access, guint owner, GHashTable *needs);
/* Drops the owners for which `is_owner` says FALSE. */
void vb_access_drop_strangers(VbAccess *access, gboolean (*is_owner)(guint owner, gpointer data),
                              gpointer data);
