/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Reads and writes graphics and video devices. */
#include "device-xml.h"

#include "device-info-xml.h"
#include "words.h"

/* --- graphics --- */

/* The address or socket may stand in the element's own attribute, in <listen>, or in both. */
static void parse_listen(VbXmlReader *reader, VbXmlElement *element, VbGraphicsDef *graphics)
{
    g_autofree char *address = vb_xml_attr(reader, element, "listen");
    g_autofree char *socket = NULL;
    VbXmlElement *listen = vb_xml_child(reader, element, "listen");

    if (graphics->type == VB_GRAPHICS_VNC)
        socket = vb_xml_path_attr(reader, element, "socket");
    if (socket)
        graphics->listen = VB_GRAPHICS_LISTEN_SOCKET;
    if (listen) {
        g_autofree char *listen_address = NULL;
        g_autofree char *listen_socket = NULL;

        if (!VB_XML_ENUM_ATTR(reader, listen, "type", vb_graphics_listen, &graphics->listen))
            vb_xml_fail(reader, listen, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
        if (graphics->listen == VB_GRAPHICS_LISTEN_ADDRESS)
            listen_address = vb_xml_attr(reader, listen, "address");
        if (graphics->listen == VB_GRAPHICS_LISTEN_SOCKET)
            listen_socket = vb_xml_path_attr(reader, listen, "socket");
        if ((address && g_strcmp0(address, listen_address) != 0) ||
            (socket && g_strcmp0(socket, listen_socket) != 0))
            vb_xml_fail(reader, listen, VB_ERROR_INVALID_XML,
                        "it differs from the attribute of <graphics>");
        g_free(address);
        address = g_steal_pointer(&listen_address);
        g_free(socket);
        socket = g_steal_pointer(&listen_socket);
    }
    if (address && !vb_is_host_name(address))
        vb_xml_fail_value(reader, element, "listen", address);
    if (address && graphics->listen != VB_GRAPHICS_LISTEN_ADDRESS)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "an address and a socket exclude each other");
    graphics->address = g_steal_pointer(&address);
    graphics->socket = g_steal_pointer(&socket);
}

static void parse_ports(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags,
                        VbGraphicsDef *graphics)
{
    VbTristate autoport = VB_TRISTATE_ABSENT;

    vb_xml_yes_no_attr(reader, element, "autoport", &autoport);
    vb_xml_int_attr(reader, element, "port", -1, G_MAXUINT16, &graphics->port);
    if (graphics->type == VB_GRAPHICS_SPICE)
        vb_xml_int_attr(reader, element, "tlsPort", -1, G_MAXUINT16, &graphics->tls_port);
    if (graphics->port == 0)
        graphics->port = -1;
    if (graphics->tls_port == 0)
        graphics->tls_port = -1;
    gboolean has_port = graphics->port > 0 || graphics->tls_port > 0;
    if (graphics->listen != VB_GRAPHICS_LISTEN_ADDRESS) {
        graphics->port = graphics->tls_port = -1;
        return;
    }
    if (autoport == VB_TRISTATE_NO && !has_port)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'port' is missing");
    graphics->autoport = autoport == VB_TRISTATE_ABSENT ? !has_port : autoport == VB_TRISTATE_YES;
    if (graphics->autoport && !(flags & VB_XML_LIVE))
        graphics->port = graphics->tls_port = -1;
}

VbGraphicsDef *vb_graphics_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags)
{
    g_autoptr(VbGraphicsDef) graphics = vb_graphics_def_new();

    if (!VB_XML_ENUM_ATTR(reader, element, "type", vb_graphics_type, &graphics->type))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
    graphics->info.line = vb_xml_line(element);
    parse_listen(reader, element, graphics);
    parse_ports(reader, element, flags, graphics);
    graphics->passwd = vb_xml_attr(reader, element, "passwd");
    graphics->keymap = vb_xml_attr(reader, element, "keymap");
    if (graphics->keymap && !vb_is_word(graphics->keymap, "_-"))
        vb_xml_fail_value(reader, element, "keymap", graphics->keymap);
    if (graphics->type == VB_GRAPHICS_SPICE) {
        VbXmlElement *image = vb_xml_child(reader, element, "image");

        if (image)
            VB_XML_ENUM_ATTR(reader, image, "compression", vb_spice_compression,
                             &graphics->image_compression);
    }
    return g_steal_pointer(&graphics);
}

static void format_port(VbXmlWriter *writer, const char *name, const VbGraphicsDef *graphics,
                        int port, VbFormatFlags flags)
{
    if (graphics->autoport && !(flags & VB_FORMAT_LIVE))
        port = -1;
    if (port > 0 || graphics->autoport)
        vb_xml_write_attr_printf(writer, name, "%d", port);
}

void vb_graphics_def_format(VbXmlWriter *writer, const VbGraphicsDef *graphics, VbFormatFlags flags)
{
    vb_xml_write_start(writer, "graphics");
    vb_xml_write_attr(writer, "type", vb_graphics_type_to_string(graphics->type));
    if (graphics->listen == VB_GRAPHICS_LISTEN_ADDRESS) {
        format_port(writer, "port", graphics, graphics->port, flags);
        if (graphics->type == VB_GRAPHICS_SPICE)
            format_port(writer, "tlsPort", graphics, graphics->tls_port, flags);
        vb_xml_write_attr(writer, "autoport", graphics->autoport ? "yes" : "no");
        vb_xml_write_attr(writer, "listen", graphics->address);
    }
    vb_xml_write_attr(writer, "keymap", graphics->keymap);
    if (flags & VB_FORMAT_SECURE)
        vb_xml_write_attr(writer, "passwd", graphics->passwd);
    vb_xml_write_start(writer, "listen");
    vb_xml_write_attr(writer, "type", vb_graphics_listen_to_string(graphics->listen));
    vb_xml_write_attr(writer, "address", graphics->address);
    vb_xml_write_attr(writer, "socket", graphics->socket);
    vb_xml_write_end(writer);
    if (graphics->image_compression) {
        vb_xml_write_start(writer, "image");
        vb_xml_write_attr(writer, "compression",
                          vb_spice_compression_to_string(graphics->image_compression));
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

/* --- video --- */

/* 3D needs a display of the host; saying that one does without is no more than the default. */
static void parse_acceleration(VbXmlReader *reader, VbXmlElement *model)
{
    VbXmlElement *element = vb_xml_child(reader, model, "acceleration");
    VbTristate accel3d = VB_TRISTATE_ABSENT;

    if (!element)
        return;
    vb_xml_yes_no_attr(reader, element, "accel3d", &accel3d);
    if (accel3d == VB_TRISTATE_YES)
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED, "3D acceleration is not supported");
}

VbVideoDef *vb_video_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags)
{
    g_autoptr(VbVideoDef) video = vb_video_def_new();
    VbXmlElement *model = vb_xml_child(reader, element, "model");

    if (model) {
        VbTristate primary = VB_TRISTATE_ABSENT;

        VB_XML_ENUM_ATTR(reader, model, "type", vb_video_type, &video->type);
        if (video->type == VB_VIDEO_QXL) {
            vb_xml_uint_attr(reader, model, "ram", 0, G_MAXINT, &video->ram_kib);
            vb_xml_uint_attr(reader, model, "vgamem", 0, G_MAXINT, &video->vgamem_kib);
        }
        vb_xml_uint_attr(reader, model, "vram", 0, G_MAXINT, &video->vram_kib);
        vb_xml_uint_attr(reader, model, "heads", 0, 16, &video->heads);
        vb_xml_yes_no_attr(reader, model, "primary", &primary);
        video->primary = primary == VB_TRISTATE_YES;
        parse_acceleration(reader, model);
    }
    vb_device_info_parse(reader, element, flags, &video->info);
    return g_steal_pointer(&video);
}

static void format_size(VbXmlWriter *writer, const char *name, guint value)
{
    if (value)
        vb_xml_write_attr_printf(writer, name, "%u", value);
}

void vb_video_def_format(VbXmlWriter *writer, const VbVideoDef *video, VbFormatFlags flags)
{
    vb_xml_write_start(writer, "video");
    vb_xml_write_start(writer, "model");
    vb_xml_write_attr(writer, "type", vb_video_type_to_string(video->type));
    format_size(writer, "ram", video->ram_kib);
    format_size(writer, "vram", video->vram_kib);
    format_size(writer, "vgamem", video->vgamem_kib);
    format_size(writer, "heads", video->heads);
    if (video->primary)
        vb_xml_write_attr(writer, "primary", "yes");
    vb_xml_write_end(writer);
    vb_device_info_format(writer, &video->info, flags);
    vb_xml_write_end(writer);
}
