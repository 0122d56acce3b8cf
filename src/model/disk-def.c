/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbDiskSource and VbDiskDef: their words, life and comparison. */
#include "disk-def.h"

#include <string.h>

static const char *const source_types[] = {
    [VB_DISK_SOURCE_FILE] = "file",
    [VB_DISK_SOURCE_BLOCK] = "block",
    [VB_DISK_SOURCE_NETWORK] = "network",
};
VB_ENUM_DEFINE(VbDiskSourceType, vb_disk_source_type, source_types)

static const char *const formats[] = {
    [VB_DISK_FORMAT_RAW] = "raw",
    [VB_DISK_FORMAT_QCOW2] = "qcow2",
};
VB_ENUM_DEFINE(VbDiskFormat, vb_disk_format, formats)

static const char *const transports[] = {
    [VB_NBD_TRANSPORT_TCP] = "tcp",
    [VB_NBD_TRANSPORT_UNIX] = "unix",
};
VB_ENUM_DEFINE(VbNbdTransport, vb_nbd_transport, transports)

static const char *const devices[] = {
    [VB_DISK_DEVICE_DISK] = "disk",
    [VB_DISK_DEVICE_CDROM] = "cdrom",
};
VB_ENUM_DEFINE(VbDiskDevice, vb_disk_device, devices)

static const char *const buses[] = {
    [VB_DISK_BUS_VIRTIO] = "virtio",
    [VB_DISK_BUS_SCSI] = "scsi",
    [VB_DISK_BUS_SATA] = "sata",
    [VB_DISK_BUS_IDE] = "ide",
};
VB_ENUM_DEFINE(VbDiskBus, vb_disk_bus, buses)

static const char *const caches[] = {
    [VB_DISK_CACHE_NONE] = "none",           [VB_DISK_CACHE_WRITETHROUGH] = "writethrough",
    [VB_DISK_CACHE_WRITEBACK] = "writeback", [VB_DISK_CACHE_DIRECTSYNC] = "directsync",
    [VB_DISK_CACHE_UNSAFE] = "unsafe",
};
VB_ENUM_DEFINE(VbDiskCache, vb_disk_cache, caches)

static const char *const discards[] = {
    [VB_DISK_DISCARD_UNMAP] = "unmap",
    [VB_DISK_DISCARD_IGNORE] = "ignore",
};
VB_ENUM_DEFINE(VbDiskDiscard, vb_disk_discard, discards)

static const char *const ios[] = {
    [VB_DISK_IO_THREADS] = "threads",
    [VB_DISK_IO_NATIVE] = "native",
    [VB_DISK_IO_URING] = "io_uring",
};
VB_ENUM_DEFINE(VbDiskIo, vb_disk_io, ios)

static const char *const detect_zeroes[] = {
    [VB_DISK_DETECT_ZEROES_OFF] = "off",
    [VB_DISK_DETECT_ZEROES_ON] = "on",
    [VB_DISK_DETECT_ZEROES_UNMAP] = "unmap",
};
VB_ENUM_DEFINE(VbDiskDetectZeroes, vb_disk_detect_zeroes, detect_zeroes)

static const char *const error_policies[] = {
    [VB_DISK_ERROR_POLICY_STOP] = "stop",
    [VB_DISK_ERROR_POLICY_REPORT] = "report",
    [VB_DISK_ERROR_POLICY_IGNORE] = "ignore",
    [VB_DISK_ERROR_POLICY_ENOSPACE] = "enospace",
};
VB_ENUM_DEFINE(VbDiskErrorPolicy, vb_disk_error_policy, error_policies)

VbDiskSource *vb_disk_source_new(VbDiskSourceType type, VbDiskFormat format)
{
    VbDiskSource *source = g_new0(VbDiskSource, 1);

    source->type = type;
    source->format = format;
    return source;
}

VbDiskSource *vb_disk_source_copy(const VbDiskSource *source)
{
    VbDiskSource *first = NULL;
    VbDiskSource **next = &first;

    for (; source; source = source->backing) {
        VbDiskSource *copy = g_memdup2(source, sizeof *source);

        copy->path = g_strdup(source->path);
        copy->host = g_strdup(source->host);
        copy->socket = g_strdup(source->socket);
        copy->export_name = g_strdup(source->export_name);
        copy->backing = NULL;
        *next = copy;
        next = &copy->backing;
    }
    return first;
}

void vb_disk_source_free(VbDiskSource *source)
{
    while (source) {
        VbDiskSource *backing = source->backing;

        g_free(source->path);
        g_free(source->host);
        g_free(source->socket);
        g_free(source->export_name);
        g_free(source);
        source = backing;
    }
}

gboolean vb_disk_source_same_storage(const VbDiskSource *a, const VbDiskSource *b)
{
    if (a->type != b->type)
        return FALSE;
    if (a->type != VB_DISK_SOURCE_NETWORK)
        return g_strcmp0(a->path, b->path) == 0;
    if (a->transport != b->transport || g_strcmp0(a->export_name, b->export_name) != 0)
        return FALSE;
    if (a->transport == VB_NBD_TRANSPORT_UNIX)
        return g_strcmp0(a->socket, b->socket) == 0;
    return a->port == b->port && g_strcmp0(a->host, b->host) == 0;
}

gboolean vb_disk_source_equal(const VbDiskSource *a, const VbDiskSource *b)
{
    for (; a && b; a = a->backing, b = b->backing)
        if (a->format != b->format || a->backing_known != b->backing_known ||
            !vb_disk_source_same_storage(a, b))
            return FALSE;
    return a == b;
}

char *vb_disk_source_to_string(const VbDiskSource *source)
{
    if (source->type != VB_DISK_SOURCE_NETWORK)
        return g_strdup(source->path);
    if (source->transport == VB_NBD_TRANSPORT_UNIX)
        return g_strdup_printf("nbd+unix:///%s?socket=%s",
                               source->export_name ? source->export_name : "", source->socket);

    gboolean ipv6 = strchr(source->host, ':') != NULL;
    return g_strdup_printf("nbd://%s%s%s:%u/%s", ipv6 ? "[" : "", source->host, ipv6 ? "]" : "",
                           source->port, source->export_name ? source->export_name : "");
}

gboolean vb_disk_iotune_is_set(const VbDiskIotune *iotune)
{
    static const VbDiskIotune unset;

    return memcmp(iotune, &unset, sizeof unset) != 0;
}

VbDiskDef *vb_disk_def_new(void)
{
    return g_new0(VbDiskDef, 1);
}

VbDiskDef *vb_disk_def_copy(const VbDiskDef *disk)
{
    VbDiskDef *copy = g_memdup2(disk, sizeof *disk);

    vb_device_info_copy(&copy->info, &disk->info);
    copy->source = vb_disk_source_copy(disk->source);
    copy->target = g_strdup(disk->target);
    copy->serial = g_strdup(disk->serial);
    copy->iotune.group_name = g_strdup(disk->iotune.group_name);
    return copy;
}

void vb_disk_def_free(VbDiskDef *disk)
{
    if (!disk)
        return;
    vb_device_info_clear(&disk->info);
    vb_disk_source_free(disk->source);
    g_free(disk->target);
    g_free(disk->serial);
    g_free(disk->iotune.group_name);
    g_free(disk);
}
