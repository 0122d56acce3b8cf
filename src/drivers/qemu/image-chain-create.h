/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Making and removing image files: the targets of copies and backups, and what a commit was asked
 * to delete. Never on the main thread. Called by block-start.c and block-jobs.c. */
#pragma once

#include "image-gate.h"

/* Makes the file `source` (type file; raw or qcow2) as an empty image of `size` bytes, mode 0600;
 * when `backing` is given, and the format is qcow2, on top of that image. A file that is there and
 * is not empty is never touched. Finish: whether the file is new, so that whoever had it made in
 * vain knows to remove it. With a `gate` (which has to stay until the callback) it is made within
 * its bounds, and admitted before qemu-img writes to it. On an error nothing new is left behind.
 * Errors: VB_ERROR_INVALID_ARGS: it exists; VB_ERROR_FAILED, VB_ERROR_TIMEOUT,
 * G_IO_ERROR_CANCELLED. */
void vb_image_create_async(const VbDiskSource *source, guint64 size, const VbDiskSource *backing,
                           const VbImageGate *gate, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_image_create_finish(GAsyncResult *result, gboolean *ret_created, GError **error);

/* Removes files (NULL-terminated), within the bounds; one that is not there is no error, and one
 * that cannot be removed does not keep the others. Not cancellable. Errors: VB_ERROR_FAILED, naming
 * the first. */
void vb_image_unlink_async(const char *const *paths, VbFileBounds bounds,
                           GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_image_unlink_finish(GAsyncResult *result, GError **error);
