/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What `qemu-img info` says of an image: its header is whoever's who made the file. What is found
 * behind the image becomes part of a running domain. */
#include "image-chain.h"

#include "as-disk.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void check(VbDiskSource *image, const guint8 *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    VbDiskSource *backing = image;
    gboolean understood = vb_image_chain_parse(image, (const char *)data, size, &backing, &error);

    g_assert(understood == (error == NULL));
    if (!understood) {
        g_assert(backing == image && g_utf8_validate(error->message, -1, NULL));
        return;
    }
    if (backing) {
        g_assert(!backing->backing && !backing->backing_known);
        g_assert(backing->format != VB_DISK_FORMAT_DEFAULT);
    }
    image->backing = backing;
    image->backing_known = TRUE;
    as_disk_check(image);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autoptr(VbDiskSource) file = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);
    g_autoptr(VbDiskSource) export =
        vb_disk_source_new(VB_DISK_SOURCE_NETWORK, VB_DISK_FORMAT_QCOW2);

    file->path = g_strdup("/images/top.qcow2");
    check(file, data, size);
    export->transport = VB_NBD_TRANSPORT_TCP;
    export->host = g_strdup("localhost");
    export->port = VB_NBD_DEFAULT_PORT;
    check(export, data, size);
    return 0;
}
