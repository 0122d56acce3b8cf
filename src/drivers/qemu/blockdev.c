/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Builds the node options of images. Owns nothing; called for the command line (command.c) and for
 * the targets of jobs (block-start.c). */
#include "blockdev.h"

#include "qmp-args.h"

#include <string.h>

#define NODE_PREFIX "vb-"
#define FILE_SUFFIX "-file"

char *vb_blockdev_format_node(const char *target, guint index)
{
    return g_strdup_printf(NODE_PREFIX "%s-%u", target, index);
}

char *vb_blockdev_file_node(const char *target, guint index)
{
    return g_strdup_printf(NODE_PREFIX "%s-%u" FILE_SUFFIX, target, index);
}

gboolean vb_blockdev_parse_node(const char *node, const char *target, guint *ret_index,
                                gboolean *ret_is_file)
{
    g_autofree char *prefix = g_strdup_printf(NODE_PREFIX "%s-", target);

    if (!g_str_has_prefix(node, prefix))
        return FALSE;

    const char *number = node + strlen(prefix);
    gboolean is_file = g_str_has_suffix(number, FILE_SUFFIX);
    g_autofree char *digits =
        g_strndup(number, strlen(number) - (is_file ? strlen(FILE_SUFFIX) : 0));
    guint64 index;

    if (!g_ascii_string_to_unsigned(digits, 10, 1, G_MAXUINT, &index, NULL))
        return FALSE;
    *ret_index = (guint)index;
    *ret_is_file = is_file;
    return TRUE;
}

void vb_blockdev_assign_indexes(VbDiskSource *source, guint *last_index)
{
    for (; source; source = source->backing)
        source->index = ++*last_index;
}

/* "cache" of a node; NULL for what QEMU does by itself. */
static JsonObject *cache_options(const VbDiskDef *disk)
{
    if (disk->cache == VB_DISK_CACHE_DEFAULT)
        return NULL;

    gboolean direct = disk->cache == VB_DISK_CACHE_NONE || disk->cache == VB_DISK_CACHE_DIRECTSYNC;
    return vb_qmp_args(VB_ARG_BOOL("direct", direct),
                       VB_ARG_BOOL("no-flush", disk->cache == VB_DISK_CACHE_UNSAFE));
}

static JsonObject *nbd_server(const VbDiskSource *source)
{
    if (source->transport == VB_NBD_TRANSPORT_UNIX)
        return vb_qmp_args(VB_ARG_STRING("type", "unix"), VB_ARG_STRING("path", source->socket));

    g_autofree char *port = g_strdup_printf("%u", source->port);
    return vb_qmp_args(VB_ARG_STRING("type", "inet"), VB_ARG_STRING("host", source->host),
                       VB_ARG_STRING("port", port));
}

JsonObject *vb_blockdev_file(const VbDiskDef *disk, const VbDiskSource *source)
{
    g_autofree char *node = vb_blockdev_file_node(disk->target, source->index);
    JsonObject *options;

    if (source->type == VB_DISK_SOURCE_NETWORK) {
        options = vb_qmp_args(VB_ARG_STRING("driver", "nbd"), VB_ARG_STRING("node-name", node),
                              VB_ARG_OBJECT("server", nbd_server(source)),
                              VB_ARG_STRING("export", source->export_name));
    } else {
        const char *driver = source->type == VB_DISK_SOURCE_BLOCK ? "host_device" : "file";

        options = vb_qmp_args(VB_ARG_STRING("driver", driver), VB_ARG_STRING("node-name", node),
                              VB_ARG_STRING("filename", source->path),
                              VB_ARG_STRING("aio", vb_disk_io_to_string(disk->io)));
    }
    /* What of the guest's discards reaches the file is decided in the format node. */
    vb_qmp_args_add(options, VB_ARG_BOOL("auto-read-only", TRUE), VB_ARG_STRING("discard", "unmap"),
                    VB_ARG_OBJECT("cache", cache_options(disk)));
    return options;
}

static const char *detect_zeroes(const VbDiskDef *disk)
{
    /* QEMU refuses to unmap zeroes where discards are ignored. */
    if (disk->detect_zeroes == VB_DISK_DETECT_ZEROES_UNMAP &&
        disk->discard != VB_DISK_DISCARD_UNMAP)
        return vb_disk_detect_zeroes_to_string(VB_DISK_DETECT_ZEROES_ON);
    return vb_disk_detect_zeroes_to_string(disk->detect_zeroes);
}

JsonObject *vb_blockdev_format(const VbDiskDef *disk, const VbDiskSource *source, gboolean writable,
                               const char *backing)
{
    g_autofree char *node = vb_blockdev_format_node(disk->target, source->index);
    g_autofree char *file = vb_blockdev_file_node(disk->target, source->index);
    JsonObject *options =
        vb_qmp_args(VB_ARG_STRING("driver", vb_disk_format_to_string(source->format)),
                    VB_ARG_STRING("node-name", node), VB_ARG_BOOL("read-only", !writable),
                    VB_ARG_STRING("discard", vb_disk_discard_to_string(disk->discard)),
                    VB_ARG_STRING("detect-zeroes", detect_zeroes(disk)),
                    VB_ARG_OBJECT("cache", cache_options(disk)), VB_ARG_STRING("file", file));

    if (backing)
        json_object_set_string_member(options, "backing", backing);
    else if (source->format != VB_DISK_FORMAT_RAW)
        json_object_set_null_member(options, "backing");
    return options;
}

GPtrArray *vb_blockdev_chain(const VbDiskDef *disk, const VbDiskSource *source, gboolean writable,
                             const char *backing)
{
    g_autoptr(GPtrArray) images = g_ptr_array_new();
    GPtrArray *nodes = g_ptr_array_new_with_free_func((GDestroyNotify)json_object_unref);
    g_autofree char *below = g_strdup(backing);

    for (const VbDiskSource *image = source; image; image = image->backing)
        g_ptr_array_add(images, (gpointer)image);
    for (guint i = images->len; i > 0; i--) {
        const VbDiskSource *image = images->pdata[i - 1];

        g_ptr_array_add(nodes, vb_blockdev_file(disk, image));
        g_ptr_array_add(nodes, vb_blockdev_format(disk, image, writable && i == 1, below));
        g_free(below);
        below = vb_blockdev_format_node(disk->target, image->index);
    }
    return nodes;
}

gboolean vb_blockdev_write_cache(const VbDiskDef *disk)
{
    return disk->cache != VB_DISK_CACHE_WRITETHROUGH && disk->cache != VB_DISK_CACHE_DIRECTSYNC;
}
