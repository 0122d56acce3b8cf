/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Reads and writes character devices: serial, parallel, console, channel. */
#include "device-xml.h"

#include "device-info-xml.h"

/* A pty's path is QEMU's choice: it is read back only while the domain runs. */
static void parse_source(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags,
                         VbCharDef *device)
{
    VbXmlElement *source = vb_xml_child(reader, element, "source");

    device->listen = TRUE;
    if (device->source == VB_CHAR_SOURCE_PTY) {
        g_autofree char *tty = vb_xml_path_attr(reader, element, "tty");
        g_autofree char *path = source ? vb_xml_path_attr(reader, source, "path") : NULL;

        if (flags & VB_XML_LIVE)
            device->path = path ? g_steal_pointer(&path) : g_steal_pointer(&tty);
    } else if (device->source == VB_CHAR_SOURCE_FILE) {
        if (source) {
            device->path = vb_xml_path_attr(reader, source, "path");
            vb_xml_on_off_attr(reader, source, "append", &device->append);
        }
        if (!device->path)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "<source path=…> is missing");
    } else if (device->source == VB_CHAR_SOURCE_UNIX) {
        g_autofree char *mode = source ? vb_xml_attr(reader, source, "mode") : NULL;

        if (source)
            device->path = vb_xml_path_attr(reader, source, "path");
        if (mode && !g_str_equal(mode, "bind") && !g_str_equal(mode, "connect"))
            vb_xml_fail_value(reader, source, "mode", mode);
        /* Without a path the driver makes a socket to listen on. */
        if (device->path)
            device->listen = g_strcmp0(mode, "bind") == 0;
        else if (device->kind != VB_CHAR_CHANNEL || g_strcmp0(mode, "connect") == 0)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "<source path=…> is missing");
    }
}

static void parse_target_type(VbXmlReader *reader, VbXmlElement *target, VbCharDef *device)
{
    VbCharTarget type = VB_CHAR_TARGET_NONE;

    if (device->kind == VB_CHAR_PARALLEL ||
        !VB_XML_ENUM_ATTR(reader, target, "type", vb_char_target, &type))
        return;
    gboolean fits = FALSE;
    switch (type) {
    case VB_CHAR_TARGET_ISA_SERIAL:
    case VB_CHAR_TARGET_PCI_SERIAL:
    case VB_CHAR_TARGET_USB_SERIAL:
        fits = device->kind == VB_CHAR_SERIAL;
        break;
    case VB_CHAR_TARGET_SERIAL:
        fits = device->kind == VB_CHAR_CONSOLE;
        break;
    case VB_CHAR_TARGET_VIRTIO:
        fits = device->kind == VB_CHAR_CONSOLE || device->kind == VB_CHAR_CHANNEL;
        break;
    case VB_CHAR_TARGET_NONE:
        break;
    }
    if (!fits)
        vb_xml_fail_value(reader, target, "type", vb_char_target_to_string(type));
    device->target = type;
}

static void parse_target(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags,
                         VbCharDef *device)
{
    VbXmlElement *target = vb_xml_child(reader, element, "target");

    if (!target) {
        if (device->kind == VB_CHAR_CHANNEL)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "element <target> is missing");
        return;
    }
    parse_target_type(reader, target, device);
    if (device->kind == VB_CHAR_CHANNEL) {
        VbChannelState state = VB_CHANNEL_STATE_DEFAULT;

        if (device->target != VB_CHAR_TARGET_VIRTIO)
            vb_xml_fail(reader, target, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
        device->target_name = vb_xml_attr(reader, target, "name");
        VB_XML_ENUM_ATTR(reader, target, "state", vb_channel_state, &state);
        if (flags & VB_XML_LIVE)
            device->state = state;
    } else {
        vb_xml_uint_attr(reader, target, "port", 0, 99, &device->port);
    }
    VbXmlElement *model =
        device->kind == VB_CHAR_SERIAL ? vb_xml_child(reader, target, "model") : NULL;
    if (model) {
        VbCharTarget name = VB_CHAR_TARGET_NONE;

        if (!VB_XML_ENUM_ATTR(reader, model, "name", vb_char_target, &name) ||
            (device->target && device->target != name) || name > VB_CHAR_TARGET_USB_SERIAL)
            vb_xml_fail(reader, model, VB_ERROR_INVALID_XML,
                        "the model does not fit the target's type");
        device->target = name;
    }
}

VbCharDef *vb_char_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags)
{
    g_autoptr(VbCharDef) device = vb_char_def_new();

    if (!vb_char_kind_from_string(vb_xml_name(element), &device->kind))
        g_assert_not_reached();
    /* A port of its own number is given to each later, unless the document does. */
    device->port = G_MAXUINT;
    if (!VB_XML_ENUM_ATTR(reader, element, "type", vb_char_source_type, &device->source))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
    if (device->source == VB_CHAR_SOURCE_SPICEVMC && device->kind != VB_CHAR_CHANNEL)
        vb_xml_fail_value(reader, element, "type", "spicevmc");
    parse_source(reader, element, flags, device);
    parse_target(reader, element, flags, device);
    vb_device_info_parse(reader, element, flags, &device->info);
    return g_steal_pointer(&device);
}

static void format_source(VbXmlWriter *writer, const VbCharDef *device, VbFormatFlags flags)
{
    if (!device->path || (device->source == VB_CHAR_SOURCE_PTY && !(flags & VB_FORMAT_LIVE)))
        return;
    vb_xml_write_start(writer, "source");
    if (device->source == VB_CHAR_SOURCE_UNIX)
        vb_xml_write_attr(writer, "mode", device->listen ? "bind" : "connect");
    vb_xml_write_attr(writer, "path", device->path);
    vb_xml_write_on_off(writer, "append", device->append);
    vb_xml_write_end(writer);
}

static void format_target(VbXmlWriter *writer, const VbCharDef *device, VbFormatFlags flags)
{
    vb_xml_write_start(writer, "target");
    vb_xml_write_attr(writer, "type", vb_char_target_to_string(device->target));
    if (device->kind == VB_CHAR_CHANNEL) {
        vb_xml_write_attr(writer, "name", device->target_name);
        if (flags & VB_FORMAT_LIVE)
            vb_xml_write_attr(writer, "state", vb_channel_state_to_string(device->state));
    } else {
        vb_xml_write_attr_printf(writer, "port", "%u", device->port);
    }
    if (device->kind == VB_CHAR_SERIAL) {
        vb_xml_write_start(writer, "model");
        vb_xml_write_attr(writer, "name", vb_char_target_to_string(device->target));
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

void vb_char_def_format(VbXmlWriter *writer, const VbCharDef *device, VbFormatFlags flags)
{
    vb_xml_write_start(writer, vb_char_kind_to_string(device->kind));
    vb_xml_write_attr(writer, "type", vb_char_source_type_to_string(device->source));
    if (device->kind == VB_CHAR_CONSOLE && device->source == VB_CHAR_SOURCE_PTY &&
        (flags & VB_FORMAT_LIVE))
        vb_xml_write_attr(writer, "tty", device->path);
    format_source(writer, device, flags);
    format_target(writer, device, flags);
    vb_device_info_format(writer, &device->info, flags);
    vb_xml_write_end(writer);
}
