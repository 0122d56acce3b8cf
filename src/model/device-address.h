/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a device sits in the guest, its alias, and its place in the boot order: what every device
 * has. Owned by the device structs of disk-def.h and device-def.h. */
#pragma once

#include "enum-table.h"

typedef enum {
    VB_ADDRESS_NONE, /* not assigned (yet), or the device has none */
    VB_ADDRESS_PCI,
    VB_ADDRESS_DRIVE,
    VB_ADDRESS_USB,
    VB_ADDRESS_VIRTIO_SERIAL,
} VbAddressType;
VB_ENUM_DECLARE(VbAddressType, vb_address_type)

/* yes/no or on/off where a document may also say nothing. */
typedef enum {
    VB_TRISTATE_ABSENT,
    VB_TRISTATE_YES,
    VB_TRISTATE_NO,
} VbTristate;

typedef struct {
    guint domain;   /* always 0 */
    guint bus;      /* the index of the pci controller that it is on */
    guint slot;     /* 0..31 */
    guint function; /* 0..7 */
    VbTristate multifunction;
} VbPciAddress;

typedef struct {
    guint controller; /* index of the controller of the device's bus */
    guint bus;        /* ide: 0 or 1 (primary, secondary); otherwise 0 */
    guint target;     /* scsi: the SCSI target; otherwise 0 */
    guint unit;       /* scsi: LUN; sata: port 0..5; ide: 0 or 1 */
} VbDriveAddress;

typedef struct {
    guint bus;  /* index of the usb controller */
    char *port; /* "1", or "1.2" behind a hub */
} VbUsbAddress;

typedef struct {
    guint controller; /* index of the virtio-serial controller */
    guint bus;        /* always 0 */
    guint port;       /* 1… (0 is the controller's own console port) */
} VbVirtioSerialAddress;

typedef struct {
    VbAddressType type;
    union {
        VbPciAddress pci;
        VbDriveAddress drive;
        VbUsbAddress usb;
        VbVirtioSerialAddress virtio_serial;
    };
} VbDeviceAddress;

/* Embedded in each device as `info`. */
typedef struct {
    VbDeviceAddress address;
    char *alias;      /* QEMU's id of the device; NULL until assigned. "ua-…" is the user's own */
    guint boot_order; /* 1…; 0: none */
    guint line;       /* in the document that was parsed, for messages; 0: not from a document */
} VbDeviceInfo;

void vb_device_info_copy(VbDeviceInfo *dest, const VbDeviceInfo *src);
void vb_device_info_clear(VbDeviceInfo *info);

/* "0000:00:04.0", "drive 0:0:0:1", "usb 0:1.2", "virtio-serial 0:0:1", or "none"; for messages. */
char *vb_device_address_to_string(const VbDeviceAddress *address);
gboolean vb_device_address_equal(const VbDeviceAddress *a, const VbDeviceAddress *b);
