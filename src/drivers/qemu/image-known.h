/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbImageKnown: what qemu-img has said of images, by their headers. Whatever a chain needs to know
 * of an image stands in its header, so an image whose header is, byte for byte, one that was asked
 * about is not asked again: whoever else wrote to it meanwhile, whenever, and whatever a file
 * system's clock can tell. What a guest writes, and what happens to a file's owner or access
 * control list, is no reason to ask. Owned by a driver; main thread only, but for the key. */
#pragma once

#include "disk-def.h"
#include "file-access.h"

#include <gio/gio.h>

typedef struct VbImageKnown VbImageKnown;

VbImageKnown *vb_image_known_new(void);
VbImageKnown *vb_image_known_ref(VbImageKnown *known);
void vb_image_known_unref(VbImageKnown *known); /* NULL is accepted */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbImageKnown, vb_image_known_unref)

/* The name of the image's header as it is now; NULL when it cannot be read, or is none that can be
 * told from others: such an image is always asked. Reads a file, so for worker threads. */
char *vb_image_known_key(const char *path, VbDiskFormat format, VbFileBounds bounds);

/* What qemu-img said of an image with that header (transfer none), or NULL. */
GBytes *vb_image_known_find(VbImageKnown *known, const char *key);
/* Remembers it. What has not been found for the longest is forgotten when there is too much. */
void vb_image_known_add(VbImageKnown *known, const char *key, GBytes *answer);
