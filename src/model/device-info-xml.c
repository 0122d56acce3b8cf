/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Reads and writes what every device has: VbDeviceInfo. */
#include "device-info-xml.h"

#include <string.h>

#include "words.h"

static void parse_pci(VbXmlReader *reader, VbXmlElement *element, VbDeviceAddress *address)
{
    VbPciAddress *pci = &address->pci;
    gboolean has_bus = vb_xml_hex_attr(reader, element, "bus", 0xff, &pci->bus);
    gboolean has_slot = vb_xml_hex_attr(reader, element, "slot", 0x1f, &pci->slot);
    gboolean has_function = vb_xml_hex_attr(reader, element, "function", 7, &pci->function);

    vb_xml_hex_attr(reader, element, "domain", 0, &pci->domain);
    vb_xml_on_off_attr(reader, element, "multifunction", &pci->multifunction);
    /* "On PCI, anywhere": as if there were no address. */
    if (!has_bus && !has_slot && !has_function)
        address->type = VB_ADDRESS_NONE;
}

/* "1", or "1.2.3.4" behind hubs; 1..255 each, written without leading zeros. */
static gboolean is_usb_port(const char *port)
{
    g_auto(GStrv) parts = g_strsplit(port, ".", -1);
    guint n = g_strv_length(parts);

    for (guint i = 0; i < n; i++)
        if (parts[i][0] == '0' || !g_ascii_string_to_unsigned(parts[i], 10, 1, 255, NULL, NULL))
            return FALSE;
    return n >= 1 && n <= 4;
}

static void parse_usb(VbXmlReader *reader, VbXmlElement *element, VbUsbAddress *usb)
{
    vb_xml_uint_attr(reader, element, "bus", 0, 255, &usb->bus);
    usb->port = vb_xml_required_attr(reader, element, "port");
    if (usb->port && !is_usb_port(usb->port))
        vb_xml_fail_value(reader, element, "port", usb->port);
}

static void parse_address(VbXmlReader *reader, VbXmlElement *element, VbDeviceAddress *address)
{
    if (!VB_XML_ENUM_ATTR(reader, element, "type", vb_address_type, &address->type))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
    switch (address->type) {
    case VB_ADDRESS_PCI:
        parse_pci(reader, element, address);
        break;
    case VB_ADDRESS_DRIVE:
        vb_xml_uint_attr(reader, element, "controller", 0, 99, &address->drive.controller);
        vb_xml_uint_attr(reader, element, "bus", 0, 99, &address->drive.bus);
        vb_xml_uint_attr(reader, element, "target", 0, 255, &address->drive.target);
        vb_xml_uint_attr(reader, element, "unit", 0, 16383, &address->drive.unit);
        break;
    case VB_ADDRESS_USB:
        parse_usb(reader, element, &address->usb);
        break;
    case VB_ADDRESS_VIRTIO_SERIAL:
        vb_xml_uint_attr(reader, element, "controller", 0, 99, &address->virtio_serial.controller);
        vb_xml_uint_attr(reader, element, "bus", 0, 0, &address->virtio_serial.bus);
        if (!vb_xml_uint_attr(reader, element, "port", 0, 99, &address->virtio_serial.port))
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'port' is missing");
        break;
    case VB_ADDRESS_NONE:
        break;
    }
}

/* QEMU's rule for an id. */
static gboolean is_alias(const char *alias)
{
    return g_ascii_isalpha(alias[0]) && vb_is_word(alias, "_-.") && strlen(alias) <= 64;
}

void vb_device_info_parse(VbXmlReader *reader, VbXmlElement *device, VbXmlFlags flags,
                          VbDeviceInfo *info)
{
    VbXmlElement *address = vb_xml_child(reader, device, "address");
    VbXmlElement *alias = vb_xml_child(reader, device, "alias");

    info->line = vb_xml_line(device);
    if (address)
        parse_address(reader, address, &info->address);
    if (alias) {
        g_autofree char *name = vb_xml_required_attr(reader, alias, "name");

        if (name && !is_alias(name))
            vb_xml_fail_value(reader, alias, "name", name);
        if (name && ((flags & VB_XML_LIVE) || g_str_has_prefix(name, "ua-")))
            info->alias = g_steal_pointer(&name);
    }
}

void vb_device_boot_parse(VbXmlReader *reader, VbXmlElement *device, VbDeviceInfo *info)
{
    VbXmlElement *boot = vb_xml_child(reader, device, "boot");

    if (boot && !vb_xml_uint_attr(reader, boot, "order", 1, G_MAXINT, &info->boot_order))
        vb_xml_fail(reader, boot, VB_ERROR_INVALID_XML, "attribute 'order' is missing");
}

static void format_address(VbXmlWriter *writer, const VbDeviceAddress *address)
{
    if (address->type == VB_ADDRESS_NONE)
        return;
    vb_xml_write_start(writer, "address");
    vb_xml_write_attr(writer, "type", vb_address_type_to_string(address->type));
    switch (address->type) {
    case VB_ADDRESS_PCI:
        vb_xml_write_attr_printf(writer, "domain", "0x%04x", address->pci.domain);
        vb_xml_write_attr_printf(writer, "bus", "0x%02x", address->pci.bus);
        vb_xml_write_attr_printf(writer, "slot", "0x%02x", address->pci.slot);
        vb_xml_write_attr_printf(writer, "function", "0x%x", address->pci.function);
        vb_xml_write_on_off(writer, "multifunction", address->pci.multifunction);
        break;
    case VB_ADDRESS_DRIVE:
        vb_xml_write_attr_printf(writer, "controller", "%u", address->drive.controller);
        vb_xml_write_attr_printf(writer, "bus", "%u", address->drive.bus);
        vb_xml_write_attr_printf(writer, "target", "%u", address->drive.target);
        vb_xml_write_attr_printf(writer, "unit", "%u", address->drive.unit);
        break;
    case VB_ADDRESS_USB:
        vb_xml_write_attr_printf(writer, "bus", "%u", address->usb.bus);
        vb_xml_write_attr(writer, "port", address->usb.port);
        break;
    case VB_ADDRESS_VIRTIO_SERIAL:
        vb_xml_write_attr_printf(writer, "controller", "%u", address->virtio_serial.controller);
        vb_xml_write_attr_printf(writer, "bus", "%u", address->virtio_serial.bus);
        vb_xml_write_attr_printf(writer, "port", "%u", address->virtio_serial.port);
        break;
    case VB_ADDRESS_NONE:
        break;
    }
    vb_xml_write_end(writer);
}

void vb_device_info_format(VbXmlWriter *writer, const VbDeviceInfo *info, VbFormatFlags flags)
{
    if (info->boot_order) {
        vb_xml_write_start(writer, "boot");
        vb_xml_write_attr_printf(writer, "order", "%u", info->boot_order);
        vb_xml_write_end(writer);
    }
    if (info->alias && ((flags & VB_FORMAT_LIVE) || g_str_has_prefix(info->alias, "ua-"))) {
        vb_xml_write_start(writer, "alias");
        vb_xml_write_attr(writer, "name", info->alias);
        vb_xml_write_end(writer);
    }
    format_address(writer, &info->address);
}
