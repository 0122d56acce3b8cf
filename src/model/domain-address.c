/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the assignment of addresses: what has one keeps it, the rest get one, and the controllers
 * that they need are added. Run once, before a definition is stored; a second run changes nothing.
 */
#include "domain-def.h"

#include "device-alias.h"
#include "device-list.h"
#include "disk-target.h"
#include "domain-defaults.h"
#include "error.h"
#include "pci-slots.h"

#define SCSI_UNITS 7 /* of a controller that we fill; more can be addressed */
#define SATA_UNITS 6
#define IDE_UNITS 4
#define VIRTIO_SERIAL_PORTS 31
#define MAX_INDEX 99

/* The addresses that are not PCI: "scsi 0:0:0:1" → name of the device. */
typedef struct {
    VbDomainDef *def;
    GHashTable *taken;
} Assigner;

static VbControllerDef *ensure_controller(VbDomainDef *def, VbControllerType type, guint index,
                                          VbControllerModel model)
{
    VbControllerDef *controller = vb_domain_def_find_controller(def, type, index);
    if (controller)
        return controller;

    controller = vb_controller_def_new();
    controller->type = type;
    controller->index = index;
    controller->model = model;
    g_ptr_array_add(def->controllers, controller);
    return controller;
}

static char *key_of(const char *bus, const VbDeviceAddress *address)
{
    g_autofree char *text = vb_device_address_to_string(address);

    return g_strdup_printf("%s %s", bus, text);
}

static gboolean take(Assigner *assigner, const char *bus, const VbDeviceAddress *address,
                     const char *name, GError **error)
{
    g_autofree char *key = key_of(bus, address);
    const char *other = g_hash_table_lookup(assigner->taken, key);

    if (other)
        return vb_fail(error, VB_ERROR_INVALID_XML, "%s and %s are both at %s", other, name, key);
    g_hash_table_insert(assigner->taken, g_steal_pointer(&key), g_strdup(name));
    return TRUE;
}

static gboolean is_taken(Assigner *assigner, const char *bus, const VbDeviceAddress *address)
{
    g_autofree char *key = key_of(bus, address);

    return g_hash_table_contains(assigner->taken, key);
}

/* --- drives --- */

/* The n-th place of a bus; FALSE when the bus ends before. */
static gboolean nth_drive(VbDiskBus bus, guint n, VbDriveAddress *ret_drive)
{
    VbDriveAddress drive = {0};

    switch (bus) {
    case VB_DISK_BUS_SCSI:
        drive.controller = n / SCSI_UNITS;
        drive.unit = n % SCSI_UNITS;
        break;
    case VB_DISK_BUS_SATA:
        drive.controller = n / SATA_UNITS;
        drive.unit = n % SATA_UNITS;
        break;
    case VB_DISK_BUS_IDE:
        drive.controller = n / IDE_UNITS;
        drive.bus = n % IDE_UNITS / 2;
        drive.unit = n % 2;
        break;
    case VB_DISK_BUS_VIRTIO:
    case VB_DISK_BUS_NONE:
        return FALSE;
    }
    *ret_drive = drive;
    return drive.controller <= (bus == VB_DISK_BUS_IDE ? 0 : MAX_INDEX);
}

static gboolean drive_is_possible(VbDiskBus bus, const VbDriveAddress *drive)
{
    switch (bus) {
    case VB_DISK_BUS_SCSI:
        return drive->bus == 0;
    case VB_DISK_BUS_SATA:
        return drive->bus == 0 && drive->target == 0 && drive->unit < SATA_UNITS;
    case VB_DISK_BUS_IDE:
        return drive->controller == 0 && drive->bus < 2 && drive->target == 0 && drive->unit < 2;
    case VB_DISK_BUS_VIRTIO:
    case VB_DISK_BUS_NONE:
        break;
    }
    return FALSE;
}

static gboolean reserve_drive(Assigner *assigner, const VbDiskDef *disk, GError **error)
{
    g_autofree char *name = g_strdup_printf("disk %s", disk->target);

    if (!drive_is_possible(disk->bus, &disk->info.address.drive)) {
        g_autofree char *where = vb_device_address_to_string(&disk->info.address);
        return vb_fail(error, VB_ERROR_INVALID_XML, "%s is at %s, which the bus %s does not have",
                       name, where, vb_disk_bus_to_string(disk->bus));
    }
    return take(assigner, vb_disk_bus_to_string(disk->bus), &disk->info.address, name, error);
}

/* The place that its name stands for, or else the first free one. */
static gboolean assign_drive(Assigner *assigner, VbDiskDef *disk, GError **error)
{
    const char *bus = vb_disk_bus_to_string(disk->bus);
    VbDeviceAddress address = {.type = VB_ADDRESS_DRIVE};
    guint n;

    if (!vb_disk_target_number(disk->target, &n) || !nth_drive(disk->bus, n, &address.drive) ||
        is_taken(assigner, bus, &address)) {
        for (n = 0;; n++) {
            if (!nth_drive(disk->bus, n, &address.drive))
                return vb_fail(error, VB_ERROR_INVALID_XML,
                               "there is no place left on the bus %s for disk %s", bus,
                               disk->target);
            if (!is_taken(assigner, bus, &address))
                break;
        }
    }
    disk->info.address = address;
    return reserve_drive(assigner, disk, error);
}

static gboolean assign_drives(Assigner *assigner, GError **error)
{
    static const VbControllerType types[] = {
        [VB_DISK_BUS_SCSI] = VB_CONTROLLER_SCSI,
        [VB_DISK_BUS_SATA] = VB_CONTROLLER_SATA,
        [VB_DISK_BUS_IDE] = VB_CONTROLLER_IDE,
    };
    VbDomainDef *def = assigner->def;

    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *disk = def->disks->pdata[i];

        if (disk->info.address.type == VB_ADDRESS_DRIVE && !reserve_drive(assigner, disk, error))
            return FALSE;
    }
    for (guint i = 0; i < def->disks->len; i++) {
        VbDiskDef *disk = def->disks->pdata[i];

        if (disk->bus == VB_DISK_BUS_VIRTIO)
            continue;
        if (disk->info.address.type == VB_ADDRESS_NONE && !assign_drive(assigner, disk, error))
            return FALSE;
        ensure_controller(def, types[disk->bus], disk->info.address.drive.controller,
                          disk->bus == VB_DISK_BUS_SCSI ? VB_CONTROLLER_MODEL_VIRTIO_SCSI
                                                        : VB_CONTROLLER_MODEL_DEFAULT);
    }
    return TRUE;
}

/* --- virtio-serial ports --- */

static guint serial_ports(const VbDomainDef *def, guint index)
{
    const VbControllerDef *controller =
        vb_domain_def_find_controller(def, VB_CONTROLLER_VIRTIO_SERIAL, index);

    return controller && controller->ports > 0 ? (guint)controller->ports : VIRTIO_SERIAL_PORTS;
}

static gboolean reserve_serial(Assigner *assigner, const VbDeviceRef *ref, GError **error)
{
    const VbVirtioSerialAddress *address = &ref->info->address.virtio_serial;
    const VbCharDef *device = ref->device;

    if (address->port >= serial_ports(assigner->def, address->controller) ||
        (address->port == 0 && device->kind != VB_CHAR_CONSOLE))
        return vb_fail(error, VB_ERROR_INVALID_XML,
                       "%s is at port %u, which virtio-serial controller %u does not have",
                       ref->name, address->port, address->controller);
    ensure_controller(assigner->def, VB_CONTROLLER_VIRTIO_SERIAL, address->controller,
                      VB_CONTROLLER_MODEL_DEFAULT);
    return take(assigner, "port", &ref->info->address, ref->name, error);
}

static gboolean assign_serial(Assigner *assigner, const VbDeviceRef *ref, GError **error)
{
    VbDeviceAddress address = {.type = VB_ADDRESS_VIRTIO_SERIAL};
    VbVirtioSerialAddress *place = &address.virtio_serial;

    for (place->controller = 0; place->controller <= MAX_INDEX; place->controller++)
        for (place->port = 1; place->port < serial_ports(assigner->def, place->controller);
             place->port++)
            if (!is_taken(assigner, "port", &address)) {
                ref->info->address = address;
                return reserve_serial(assigner, ref, error);
            }
    return vb_fail(error, VB_ERROR_INVALID_XML, "there is no virtio-serial port left for %s",
                   ref->name);
}

/* --- USB ports --- */

static guint usb_ports(const VbControllerDef *controller)
{
    switch (controller->model) {
    case VB_CONTROLLER_MODEL_NONE:
        return 0;
    case VB_CONTROLLER_MODEL_ICH9_EHCI1:
        return 6;
    case VB_CONTROLLER_MODEL_NEC_XHCI:
    case VB_CONTROLLER_MODEL_QEMU_XHCI:
        return controller->ports > 0 ? (guint)controller->ports : 4;
    default:
        return 2;
    }
}

/* Devices go to the EHCI of a bus, or whatever is its only controller; not to a companion. */
static const VbControllerDef *usb_bus(const VbDomainDef *def, guint index)
{
    for (guint i = 0; i < def->controllers->len; i++) {
        const VbControllerDef *controller = def->controllers->pdata[i];

        if (controller->type == VB_CONTROLLER_USB && controller->index == index &&
            controller->master_startport < 0)
            return controller;
    }
    return vb_domain_def_find_controller(def, VB_CONTROLLER_USB, index);
}

static gboolean reserve_usb(Assigner *assigner, const VbDeviceRef *ref, GError **error)
{
    const VbUsbAddress *address = &ref->info->address.usb;
    const VbControllerDef *controller = usb_bus(assigner->def, address->bus);

    if (!controller)
        return vb_fail(error, VB_ERROR_INVALID_XML,
                       "%s is on usb controller %u, which does not exist", ref->name, address->bus);
    if (g_ascii_strtoull(address->port, NULL, 10) > usb_ports(controller))
        return vb_fail(error, VB_ERROR_INVALID_XML,
                       "%s is at port %s, which usb controller %u does not have", ref->name,
                       address->port, address->bus);
    return take(assigner, "port", &ref->info->address, ref->name, error);
}

static gboolean assign_usb(Assigner *assigner, const VbDeviceRef *ref, GError **error)
{
    for (guint bus = 0; bus <= MAX_INDEX; bus++) {
        const VbControllerDef *controller = usb_bus(assigner->def, bus);

        if (!controller)
            controller = ensure_controller(assigner->def, VB_CONTROLLER_USB, bus,
                                           vb_domain_def_default_usb_model(assigner->def));
        if (controller->model == VB_CONTROLLER_MODEL_NONE)
            return vb_fail(error, VB_ERROR_INVALID_XML,
                           "%s needs USB, but the domain's usb controller says 'none'", ref->name);
        for (guint port = 1; port <= usb_ports(controller); port++) {
            g_autofree char *word = g_strdup_printf("%u", port);
            VbDeviceAddress address = {.type = VB_ADDRESS_USB, .usb = {bus, word}};

            if (is_taken(assigner, "port", &address))
                continue;
            ref->info->address = address;
            ref->info->address.usb.port = g_steal_pointer(&word);
            return reserve_usb(assigner, ref, error);
        }
    }
    return vb_fail(error, VB_ERROR_INVALID_XML, "there is no USB port left for %s", ref->name);
}

/* Those that are given first, then the rest in order. */
static gboolean assign_ports(Assigner *assigner, GError **error)
{
    g_autoptr(GArray) list = vb_domain_def_list_devices(assigner->def);

    for (guint i = 0; i < list->len; i++) {
        const VbDeviceRef *ref = &g_array_index(list, VbDeviceRef, i);
        VbAddressType type = ref->info->address.type;

        if ((type == VB_ADDRESS_USB && !reserve_usb(assigner, ref, error)) ||
            (type == VB_ADDRESS_VIRTIO_SERIAL && !reserve_serial(assigner, ref, error)))
            return FALSE;
    }
    for (guint i = 0; i < list->len; i++) {
        const VbDeviceRef *ref = &g_array_index(list, VbDeviceRef, i);

        if (ref->info->address.type != VB_ADDRESS_NONE)
            continue;
        if ((ref->wants == VB_ADDRESS_USB && !assign_usb(assigner, ref, error)) ||
            (ref->wants == VB_ADDRESS_VIRTIO_SERIAL && !assign_serial(assigner, ref, error)))
            return FALSE;
    }
    return TRUE;
}

/* --- PCI --- */

/* The disk controller of the chipset sits where it sits. */
static gboolean fix_address(VbControllerDef *controller, guint slot, guint function, GError **error)
{
    VbDeviceAddress *address = &controller->info.address;
    VbDeviceAddress fixed = {.type = VB_ADDRESS_PCI, .pci = {.slot = slot, .function = function}};

    if (address->type == VB_ADDRESS_NONE)
        *address = fixed;
    if (!vb_device_address_equal(address, &fixed))
        return vb_fail(error, VB_ERROR_INVALID_XML,
                       "controller %s 0 is built into the machine, at 0000:00:%02x.%x",
                       vb_controller_type_to_string(controller->type), slot, function);
    return TRUE;
}

static gboolean add_builtin_controllers(VbDomainDef *def, GError **error)
{
    gboolean q35 = vb_domain_def_is_q35(def);

    ensure_controller(def, VB_CONTROLLER_PCI, 0,
                      q35 ? VB_CONTROLLER_MODEL_PCIE_ROOT : VB_CONTROLLER_MODEL_PCI_ROOT);
    ensure_controller(def, VB_CONTROLLER_USB, 0, vb_domain_def_default_usb_model(def));
    if (q35)
        return fix_address(
            ensure_controller(def, VB_CONTROLLER_SATA, 0, VB_CONTROLLER_MODEL_DEFAULT), 0x1f, 2,
            error);
    VbControllerDef *ide = vb_domain_def_find_controller(def, VB_CONTROLLER_IDE, 0);
    return !ide || fix_address(ide, 0x01, 1, error);
}

static gboolean assign_pci(VbDomainDef *def, GError **error)
{
    g_autoptr(VbPciSlots) slots = vb_pci_slots_new(def);
    g_autoptr(GArray) list = vb_domain_def_list_devices(def);

    for (guint i = 0; i < list->len; i++) {
        const VbDeviceRef *ref = &g_array_index(list, VbDeviceRef, i);

        if (ref->info->address.type == VB_ADDRESS_PCI &&
            !vb_pci_slots_reserve(slots, ref->info, ref->name, error))
            return FALSE;
    }
    for (guint i = 0; i < list->len; i++) {
        const VbDeviceRef *ref = &g_array_index(list, VbDeviceRef, i);

        if (ref->wants == VB_ADDRESS_PCI && ref->info->address.type == VB_ADDRESS_NONE)
            vb_pci_slots_assign_customary(slots, ref);
    }
    for (guint i = 0; i < list->len; i++) {
        const VbDeviceRef *ref = &g_array_index(list, VbDeviceRef, i);

        if (ref->wants == VB_ADDRESS_PCI && ref->info->address.type == VB_ADDRESS_NONE &&
            !vb_pci_slots_assign(slots, ref, error))
            return FALSE;
    }
    return vb_pci_slots_finish(slots, error);
}

gboolean vb_domain_def_assign_addresses(VbDomainDef *def, GError **error)
{
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    Assigner assigner = {def, taken};

    return assign_drives(&assigner, error) && add_builtin_controllers(def, error) &&
           assign_ports(&assigner, error) && assign_pci(def, error) &&
           vb_domain_def_assign_aliases(def, error);
}
