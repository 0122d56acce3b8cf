/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which images stand behind an image: asked of the image files themselves. qemu-img reads them, in
 * a child process with a deadline, never on the main thread and never in QEMU's own process. Used
 * before a VM starts and for the target of a copy that exists already. */
#pragma once

#include "image-gate.h"
#include "image-known.h"

#define VB_IMAGE_CHAIN_MAX_DEPTH 200u

/* Completes a copy of `source` down to the end of its chain. What is known (<backingStore>) is
 * taken as it is; from the first image on of which nobody said what is behind it, each image is
 * asked, one after the other. In the result backing_known is TRUE everywhere; what was found has
 * index 0.
 *
 * No format is ever guessed: a guest that can write to a raw image could otherwise turn it into a
 * qcow2 that names any file of the host. So a raw image ends the chain, and a backing image without
 * a recorded format is an error that says how to record it.
 *
 * With a `gate` (which has to stay until the callback) each image is admitted before it is opened,
 * for reading; and when that has image directories, an image in one of them must not name a backing
 * image elsewhere: who may write there might not be allowed to use that. For its sake an image is
 * asked also when it is known what is behind it.
 *
 * Of an image of which `known` has what it said, qemu-img is not asked; what it says is put there.
 * NULL: each is asked.
 *
 * Errors, each naming the image:
 *   VB_ERROR_FAILED           missing, unreadable, not of the format that was said, a loop;
 *                             the gate's refusal
 *   VB_ERROR_NOT_SUPPORTED    no recorded format; a format or a protocol that virtbus does not do;
 *                             an external data file
 *   VB_ERROR_LIMITS_EXCEEDED  more than VB_IMAGE_CHAIN_MAX_DEPTH images
 *   VB_ERROR_TIMEOUT          an image could not be read within 10 s
 *   VB_ERROR_HYPERVISOR       qemu-img's answer was not understood
 *   G_IO_ERROR_CANCELLED */
void vb_image_chain_detect_async(const VbDiskSource *source, const VbImageGate *gate,
                                 VbImageKnown *known, GCancellable *cancellable,
                                 GAsyncReadyCallback callback, gpointer user_data);
VbDiskSource *vb_image_chain_detect_finish(GAsyncResult *result, GError **error);

/* What one image says of itself. */
typedef struct {
    guint64 size;       /* virtual, bytes */
    char *backing_name; /* of its backing image, as it stands in the header; NULL: none */
} VbImageInfo;

void vb_image_info_free(VbImageInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbImageInfo, vb_image_info_free)

/* Asks an image that is in use, too, and has been admitted. Errors: VB_ERROR_FAILED,
 * VB_ERROR_TIMEOUT, VB_ERROR_HYPERVISOR and G_IO_ERROR_CANCELLED, as above. */
void vb_image_info_async(const VbDiskSource *image, const VbImageGate *gate,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data);
VbImageInfo *vb_image_info_finish(GAsyncResult *result, GError **error);

/* The parser of what `qemu-img info --output=json` prints of `image`: which image stands behind it
 * (transfer full), NULL for none. Pure: a path is a file there, even if it is a block device.
 * Errors: as above. */
gboolean vb_image_chain_parse(const VbDiskSource *image, const char *output, gsize size,
                              VbDiskSource **ret_backing, GError **error);
