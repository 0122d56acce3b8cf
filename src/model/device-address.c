/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbDeviceInfo: address, alias, boot order of a device. */
#include "device-address.h"

static const char *const address_types[] = {
    [VB_ADDRESS_PCI] = "pci",
    [VB_ADDRESS_DRIVE] = "drive",
    [VB_ADDRESS_USB] = "usb",
    [VB_ADDRESS_VIRTIO_SERIAL] = "virtio-serial",
};
VB_ENUM_DEFINE(VbAddressType, vb_address_type, address_types)

void vb_device_info_copy(VbDeviceInfo *dest, const VbDeviceInfo *src)
{
    *dest = *src;
    dest->alias = g_strdup(src->alias);
    if (src->address.type == VB_ADDRESS_USB)
        dest->address.usb.port = g_strdup(src->address.usb.port);
}

void vb_device_info_clear(VbDeviceInfo *info)
{
    g_free(info->alias);
    if (info->address.type == VB_ADDRESS_USB)
        g_free(info->address.usb.port);
    *info = (VbDeviceInfo){0};
}

char *vb_device_address_to_string(const VbDeviceAddress *address)
{
    switch (address->type) {
    case VB_ADDRESS_PCI:
        return g_strdup_printf("%04x:%02x:%02x.%x", address->pci.domain, address->pci.bus,
                               address->pci.slot, address->pci.function);
    case VB_ADDRESS_DRIVE:
        return g_strdup_printf("drive %u:%u:%u:%u", address->drive.controller, address->drive.bus,
                               address->drive.target, address->drive.unit);
    case VB_ADDRESS_USB:
        return g_strdup_printf("usb %u:%s", address->usb.bus, address->usb.port);
    case VB_ADDRESS_VIRTIO_SERIAL:
        return g_strdup_printf("virtio-serial %u:%u:%u", address->virtio_serial.controller,
                               address->virtio_serial.bus, address->virtio_serial.port);
    case VB_ADDRESS_NONE:
        break;
    }
    return g_strdup("none");
}

gboolean vb_device_address_equal(const VbDeviceAddress *a, const VbDeviceAddress *b)
{
    if (a->type != b->type)
        return FALSE;
    switch (a->type) {
    case VB_ADDRESS_PCI:
        return a->pci.domain == b->pci.domain && a->pci.bus == b->pci.bus &&
               a->pci.slot == b->pci.slot && a->pci.function == b->pci.function;
    case VB_ADDRESS_DRIVE:
        return a->drive.controller == b->drive.controller && a->drive.bus == b->drive.bus &&
               a->drive.target == b->drive.target && a->drive.unit == b->drive.unit;
    case VB_ADDRESS_USB:
        return a->usb.bus == b->usb.bus && g_strcmp0(a->usb.port, b->usb.port) == 0;
    case VB_ADDRESS_VIRTIO_SERIAL:
        return a->virtio_serial.controller == b->virtio_serial.controller &&
               a->virtio_serial.bus == b->virtio_serial.bus &&
               a->virtio_serial.port == b->virtio_serial.port;
    case VB_ADDRESS_NONE:
        break;
    }
    return TRUE;
}
