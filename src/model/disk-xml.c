/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Reads and writes disks and their chains of images. */
#include "disk-xml.h"

#include <stddef.h>
#include <string.h>

#include "device-info-xml.h"
#include "words.h"

/* --- images --- */

static void parse_host(VbXmlReader *reader, VbXmlElement *parent, VbDiskSource *source)
{
    VbXmlElement *element = vb_xml_required_child(reader, parent, "host");
    guint port = VB_NBD_DEFAULT_PORT;

    if (!element)
        return;
    VB_XML_ENUM_ATTR(reader, element, "transport", vb_nbd_transport, &source->transport);
    if (source->transport == VB_NBD_TRANSPORT_UNIX) {
        source->socket = vb_xml_path_attr(reader, element, "socket");
        if (!source->socket)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'socket' is missing");
        return;
    }
    source->host = vb_xml_required_attr(reader, element, "name");
    if (source->host && !vb_is_host_name(source->host))
        vb_xml_fail_value(reader, element, "name", source->host);
    vb_xml_uint_attr(reader, element, "port", 1, G_MAXUINT16, &port);
    source->port = (guint16)port;
}

static void parse_network(VbXmlReader *reader, VbXmlElement *element, VbDiskSource *source)
{
    g_autofree char *protocol = vb_xml_required_attr(reader, element, "protocol");
    VbTristate tls = VB_TRISTATE_ABSENT;

    if (protocol && !g_str_equal(protocol, "nbd"))
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED,
                    "protocol '%s' is not supported, only 'nbd'", protocol);
    source->export_name = vb_xml_attr(reader, element, "name");
    if (source->export_name && !source->export_name[0])
        g_clear_pointer(&source->export_name, g_free);
    vb_xml_yes_no_attr(reader, element, "tls", &tls);
    if (tls == VB_TRISTATE_YES)
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED, "NBD over TLS is not supported");
    parse_host(reader, element, source);
}

/* The <source> of a disk, or of one image of its chain. NULL when there is none, or when it names
 * nothing (`<source/>`). */
static VbDiskSource *parse_source(VbXmlReader *reader, VbXmlElement *parent, VbDiskSourceType type,
                                  VbXmlFlags flags)
{
    VbXmlElement *element = vb_xml_child(reader, parent, "source");
    if (!element)
        return NULL;

    g_autoptr(VbDiskSource) source = vb_disk_source_new(type, VB_DISK_FORMAT_DEFAULT);
    guint index = 0;
    vb_xml_uint_attr(reader, element, "index", 1, G_MAXINT, &index);
    if (flags & VB_XML_LIVE)
        source->index = index;
    switch (type) {
    case VB_DISK_SOURCE_FILE:
        source->path = vb_xml_path_attr(reader, element, "file");
        break;
    case VB_DISK_SOURCE_BLOCK:
        source->path = vb_xml_path_attr(reader, element, "dev");
        break;
    case VB_DISK_SOURCE_NETWORK:
        parse_network(reader, element, source);
        return g_steal_pointer(&source);
    }
    return source->path ? g_steal_pointer(&source) : NULL;
}

static void parse_format(VbXmlReader *reader, VbXmlElement *parent, VbDiskFormat *ret_format)
{
    VbXmlElement *element = vb_xml_required_child(reader, parent, "format");

    if (element && !VB_XML_ENUM_ATTR(reader, element, "type", vb_disk_format, ret_format))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
}

/* <backingStore> of `parent` becomes the chain below `source`. */
static void parse_backing(VbXmlReader *reader, VbXmlElement *parent, VbDiskSource *source,
                          VbXmlFlags flags)
{
    VbXmlElement *element;

    while ((element = vb_xml_child(reader, parent, "backingStore"))) {
        VbDiskSourceType type = VB_DISK_SOURCE_FILE;
        guint index = 0;
        gboolean has_type = VB_XML_ENUM_ATTR(reader, element, "type", vb_disk_source_type, &type);

        source->backing_known = TRUE;
        if (!has_type && !vb_xml_next_any(element, NULL))
            return;
        vb_xml_uint_attr(reader, element, "index", 1, G_MAXINT, &index);
        VbDiskSource *backing = parse_source(reader, element, type, flags);
        if (!backing) {
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the image has no <source>");
            return;
        }
        source->backing = backing;
        if ((flags & VB_XML_LIVE) && index)
            backing->index = index;
        parse_format(reader, element, &backing->format);
        source = backing;
        parent = element;
    }
}

static void format_source(VbXmlWriter *writer, const VbDiskSource *source, VbFormatFlags flags,
                          gboolean with_index)
{
    vb_xml_write_start(writer, "source");
    switch (source->type) {
    case VB_DISK_SOURCE_FILE:
        vb_xml_write_attr(writer, "file", source->path);
        break;
    case VB_DISK_SOURCE_BLOCK:
        vb_xml_write_attr(writer, "dev", source->path);
        break;
    case VB_DISK_SOURCE_NETWORK:
        vb_xml_write_attr(writer, "protocol", "nbd");
        vb_xml_write_attr(writer, "name", source->export_name);
        break;
    }
    if (with_index && source->index && (flags & VB_FORMAT_LIVE))
        vb_xml_write_attr_printf(writer, "index", "%u", source->index);
    if (source->type == VB_DISK_SOURCE_NETWORK) {
        vb_xml_write_start(writer, "host");
        if (source->transport == VB_NBD_TRANSPORT_UNIX) {
            vb_xml_write_attr(writer, "transport", "unix");
            vb_xml_write_attr(writer, "socket", source->socket);
        } else {
            vb_xml_write_attr(writer, "name", source->host);
            vb_xml_write_attr_printf(writer, "port", "%u", source->port);
        }
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

static void format_backing(VbXmlWriter *writer, const VbDiskSource *source, VbFormatFlags flags)
{
    guint depth = 0;

    for (; source->backing; source = source->backing, depth++) {
        const VbDiskSource *backing = source->backing;

        vb_xml_write_start(writer, "backingStore");
        vb_xml_write_attr(writer, "type", vb_disk_source_type_to_string(backing->type));
        if (backing->index && (flags & VB_FORMAT_LIVE))
            vb_xml_write_attr_printf(writer, "index", "%u", backing->index);
        vb_xml_write_start(writer, "format");
        vb_xml_write_attr(writer, "type", vb_disk_format_to_string(backing->format));
        vb_xml_write_end(writer);
        format_source(writer, backing, flags, FALSE);
    }
    if (source->backing_known)
        vb_xml_write_empty(writer, "backingStore");
    for (; depth > 0; depth--)
        vb_xml_write_end(writer);
}

VbDiskSource *vb_disk_source_parse(const char *xml, gssize len, GError **error)
{
    g_autoptr(VbXmlReader) reader = vb_xml_reader_new(xml, len, VB_XML_MAX_SIZE, "disk", error);
    if (!reader)
        return NULL;

    VbXmlElement *disk = vb_xml_reader_root(reader);
    VbDiskSourceType type = VB_DISK_SOURCE_FILE;
    VB_XML_ENUM_ATTR(reader, disk, "type", vb_disk_source_type, &type);
    g_autoptr(VbDiskSource) source = parse_source(reader, disk, type, VB_XML_NONE);
    if (!source)
        vb_xml_fail(reader, disk, VB_ERROR_INVALID_XML, "the disk has no <source>");
    else
        parse_backing(reader, disk, source, VB_XML_NONE);

    VbXmlElement *driver = vb_xml_child(reader, disk, "driver");
    if (driver && source) {
        g_autofree char *name = vb_xml_attr(reader, driver, "name");

        if (name && !g_str_equal(name, "qemu"))
            vb_xml_fail_value(reader, driver, "name", name);
        VB_XML_ENUM_ATTR(reader, driver, "type", vb_disk_format, &source->format);
    }
    if (!vb_xml_reader_finish(reader, NULL, error))
        return NULL;
    return g_steal_pointer(&source);
}

/* --- throttling --- */

static const struct {
    const char *name;
    size_t offset;
} iotune_fields[] = {
#define IOTUNE_FIELD(field) {#field, offsetof(VbDiskIotune, field)},
#define IOTUNE_FIELDS(suffix)                                                                      \
    IOTUNE_FIELD(total_bytes_sec##suffix)                                                          \
    IOTUNE_FIELD(read_bytes_sec##suffix)                                                           \
    IOTUNE_FIELD(write_bytes_sec##suffix)                                                          \
    IOTUNE_FIELD(total_iops_sec##suffix)                                                           \
    IOTUNE_FIELD(read_iops_sec##suffix)                                                            \
    IOTUNE_FIELD(write_iops_sec##suffix)
    IOTUNE_FIELDS() IOTUNE_FIELDS(_max) IOTUNE_FIELDS(_max_length) IOTUNE_FIELD(size_iops_sec)};

/* QEMU's own limit. */
#define IOTUNE_MAX G_GUINT64_CONSTANT(1000000000000000)

static void parse_iotune(VbXmlReader *reader, VbXmlElement *disk, VbDiskIotune *iotune)
{
    VbXmlElement *element = vb_xml_child(reader, disk, "iotune");
    if (!element)
        return;

    for (gsize i = 0; i < G_N_ELEMENTS(iotune_fields); i++) {
        VbXmlElement *child = vb_xml_child(reader, element, iotune_fields[i].name);

        if (child)
            G_STRUCT_MEMBER(guint64, iotune, iotune_fields[i].offset) =
                vb_xml_uint64_text(reader, child, IOTUNE_MAX);
    }
    iotune->group_name = vb_xml_child_text(reader, element, "group_name");
}

static void format_iotune(VbXmlWriter *writer, const VbDiskIotune *iotune)
{
    if (!vb_disk_iotune_is_set(iotune))
        return;
    vb_xml_write_start(writer, "iotune");
    for (gsize i = 0; i < G_N_ELEMENTS(iotune_fields); i++) {
        guint64 value = G_STRUCT_MEMBER(guint64, iotune, iotune_fields[i].offset);
        g_autofree char *text = value ? g_strdup_printf("%" G_GUINT64_FORMAT, value) : NULL;

        vb_xml_write_element(writer, iotune_fields[i].name, text);
    }
    vb_xml_write_element(writer, "group_name", iotune->group_name);
    vb_xml_write_end(writer);
}

/* --- disks --- */

static VbDiskFormat parse_driver(VbXmlReader *reader, VbXmlElement *disk_element, VbDiskDef *disk)
{
    VbXmlElement *element = vb_xml_child(reader, disk_element, "driver");
    VbDiskFormat format = VB_DISK_FORMAT_RAW;

    if (!element)
        return format;
    g_autofree char *name = vb_xml_attr(reader, element, "name");
    if (name && !g_str_equal(name, "qemu"))
        vb_xml_fail_value(reader, element, "name", name);
    VB_XML_ENUM_ATTR(reader, element, "type", vb_disk_format, &format);
    VB_XML_ENUM_ATTR(reader, element, "cache", vb_disk_cache, &disk->cache);
    VB_XML_ENUM_ATTR(reader, element, "io", vb_disk_io, &disk->io);
    VB_XML_ENUM_ATTR(reader, element, "discard", vb_disk_discard, &disk->discard);
    VB_XML_ENUM_ATTR(reader, element, "detect_zeroes", vb_disk_detect_zeroes, &disk->detect_zeroes);
    VB_XML_ENUM_ATTR(reader, element, "error_policy", vb_disk_error_policy, &disk->error_policy);
    if (VB_XML_ENUM_ATTR(reader, element, "rerror_policy", vb_disk_error_policy,
                         &disk->rerror_policy) &&
        disk->rerror_policy == VB_DISK_ERROR_POLICY_ENOSPACE)
        vb_xml_fail_value(reader, element, "rerror_policy", "enospace");
    return format;
}

static void parse_target(VbXmlReader *reader, VbXmlElement *disk_element, VbDiskDef *disk)
{
    VbXmlElement *element = vb_xml_required_child(reader, disk_element, "target");

    if (!element)
        return;
    disk->target = vb_xml_required_attr(reader, element, "dev");
    VB_XML_ENUM_ATTR(reader, element, "bus", vb_disk_bus, &disk->bus);
}

VbDiskDef *vb_disk_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags)
{
    g_autoptr(VbDiskDef) disk = vb_disk_def_new();
    VbDiskSourceType type = VB_DISK_SOURCE_FILE;
    VbXmlElement *child;

    VB_XML_ENUM_ATTR(reader, element, "type", vb_disk_source_type, &type);
    VB_XML_ENUM_ATTR(reader, element, "device", vb_disk_device, &disk->device);
    VbDiskFormat format = parse_driver(reader, element, disk);
    disk->source = parse_source(reader, element, type, flags);
    if (disk->source) {
        disk->source->format = format;
        parse_backing(reader, element, disk->source, flags);
    } else {
        VbXmlElement *backing = vb_xml_child(reader, element, "backingStore");

        if (disk->device == VB_DISK_DEVICE_DISK)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the disk has no <source>");
        if (format != VB_DISK_FORMAT_RAW)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                        "a drive without a medium has no format but 'raw'");
        if (backing && vb_xml_next_any(backing, NULL))
            vb_xml_fail(reader, backing, VB_ERROR_INVALID_XML,
                        "a drive without a medium has no backing chain");
    }
    parse_target(reader, element, disk);
    parse_iotune(reader, element, &disk->iotune);
    disk->readonly =
        vb_xml_child(reader, element, "readonly") != NULL || disk->device == VB_DISK_DEVICE_CDROM;
    if ((child = vb_xml_child(reader, element, "shareable")))
        vb_xml_fail(reader, child, VB_ERROR_NOT_SUPPORTED, "shared disks are not supported");
    if ((child = vb_xml_child(reader, element, "transient")))
        vb_xml_fail(reader, child, VB_ERROR_NOT_SUPPORTED, "transient disks are not supported");
    disk->serial = vb_xml_child_text(reader, element, "serial");
    vb_device_boot_parse(reader, element, &disk->info);
    vb_device_info_parse(reader, element, flags, &disk->info);
    return g_steal_pointer(&disk);
}

void vb_disk_def_format(VbXmlWriter *writer, const VbDiskDef *disk, VbFormatFlags flags)
{
    const VbDiskSource *source = disk->source;
    VbDiskSourceType type = source ? source->type : VB_DISK_SOURCE_FILE;
    VbDiskFormat format = source ? source->format : VB_DISK_FORMAT_RAW;

    vb_xml_write_start(writer, "disk");
    vb_xml_write_attr(writer, "type", vb_disk_source_type_to_string(type));
    vb_xml_write_attr(writer, "device", vb_disk_device_to_string(disk->device));
    vb_xml_write_start(writer, "driver");
    vb_xml_write_attr(writer, "name", "qemu");
    vb_xml_write_attr(writer, "type", vb_disk_format_to_string(format));
    vb_xml_write_attr(writer, "cache", vb_disk_cache_to_string(disk->cache));
    vb_xml_write_attr(writer, "error_policy", vb_disk_error_policy_to_string(disk->error_policy));
    vb_xml_write_attr(writer, "rerror_policy", vb_disk_error_policy_to_string(disk->rerror_policy));
    vb_xml_write_attr(writer, "io", vb_disk_io_to_string(disk->io));
    vb_xml_write_attr(writer, "discard", vb_disk_discard_to_string(disk->discard));
    vb_xml_write_attr(writer, "detect_zeroes",
                      vb_disk_detect_zeroes_to_string(disk->detect_zeroes));
    vb_xml_write_end(writer);
    if (source) {
        format_source(writer, source, flags, TRUE);
        format_backing(writer, source, flags);
    }
    vb_xml_write_start(writer, "target");
    vb_xml_write_attr(writer, "dev", disk->target);
    vb_xml_write_attr(writer, "bus", vb_disk_bus_to_string(disk->bus));
    vb_xml_write_end(writer);
    format_iotune(writer, &disk->iotune);
    if (disk->readonly)
        vb_xml_write_empty(writer, "readonly");
    vb_xml_write_element(writer, "serial", disk->serial);
    vb_device_info_format(writer, &disk->info, flags);
    vb_xml_write_end(writer);
}
