/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the names of aliases. */
#include "device-alias.h"

#include "device-list.h"
#include "disk-target.h"
#include "error.h"

static char *disk_alias(const VbDiskDef *disk)
{
    const VbDriveAddress *drive = &disk->info.address.drive;
    guint number;

    switch (disk->bus) {
    case VB_DISK_BUS_VIRTIO:
        if (vb_disk_target_number(disk->target, &number))
            return g_strdup_printf("virtio-disk%u", number);
        break;
    case VB_DISK_BUS_SCSI:
        return g_strdup_printf("scsi%u-%u-%u-%u", drive->controller, drive->bus, drive->target,
                               drive->unit);
    case VB_DISK_BUS_SATA:
        return g_strdup_printf("sata%u-%u-%u", drive->controller, drive->bus, drive->unit);
    case VB_DISK_BUS_IDE:
        return g_strdup_printf("ide%u-%u-%u", drive->controller, drive->bus, drive->unit);
    case VB_DISK_BUS_NONE:
        break;
    }
    return g_strdup_printf("disk-%s", disk->target);
}

/* QEMU names the buses of the built-in AHCI of q35 "ide.N" too. */
static char *controller_alias(const VbDomainDef *def, const VbControllerDef *controller)
{
    guint index = controller->index;

    switch (controller->type) {
    case VB_CONTROLLER_PCI:
        return g_strdup_printf(
            controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT ? "pcie.%u" : "pci.%u", index);
    case VB_CONTROLLER_USB:
        if (controller->model >= VB_CONTROLLER_MODEL_ICH9_UHCI1 &&
            controller->model <= VB_CONTROLLER_MODEL_ICH9_UHCI3)
            return g_strdup_printf("usb%u-uhci%d", index,
                                   controller->model - VB_CONTROLLER_MODEL_ICH9_UHCI1 + 1);
        return index == 0 ? g_strdup("usb") : g_strdup_printf("usb%u", index);
    case VB_CONTROLLER_IDE:
        return g_strdup("ide");
    case VB_CONTROLLER_SATA:
        if (index == 0 && vb_domain_def_is_q35(def))
            return g_strdup("ide");
        break;
    case VB_CONTROLLER_SCSI:
    case VB_CONTROLLER_VIRTIO_SERIAL:
        break;
    }
    return g_strdup_printf("%s%u", vb_controller_type_to_string(controller->type), index);
}

/* The names that say where a device is, which the machine relies on. */
static void assign_fixed(VbDomainDef *def)
{
    for (guint i = 0; i < def->controllers->len; i++) {
        VbControllerDef *controller = def->controllers->pdata[i];

        if (!controller->info.alias)
            controller->info.alias = controller_alias(def, controller);
    }
    for (guint i = 0; i < def->disks->len; i++) {
        VbDiskDef *disk = def->disks->pdata[i];

        if (!disk->info.alias)
            disk->info.alias = disk_alias(disk);
    }
}

/* The names that count: "net0", "net1" … */
static void assign_counted(const GArray *list, GHashTable *taken)
{
    g_autoptr(GHashTable) next = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < list->len; i++) {
        const VbDeviceRef *ref = &g_array_index(list, VbDeviceRef, i);

        if (ref->info->alias)
            continue;
        guint number = GPOINTER_TO_UINT(g_hash_table_lookup(next, ref->alias));
        while (!ref->info->alias) {
            g_autofree char *alias = g_strdup_printf("%s%u", ref->alias, number++);

            if (!g_hash_table_contains(taken, alias))
                ref->info->alias = g_steal_pointer(&alias);
        }
        g_hash_table_insert(next, (gpointer)ref->alias, GUINT_TO_POINTER(number));
    }
}

gboolean vb_domain_def_assign_aliases(VbDomainDef *def, GError **error)
{
    g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);

    assign_fixed(def);
    g_autoptr(GArray) list = vb_domain_def_list_devices(def);
    for (guint i = 0; i < list->len; i++) {
        const VbDeviceRef *ref = &g_array_index(list, VbDeviceRef, i);

        if (ref->info->alias && !g_hash_table_add(taken, ref->info->alias)) {
            g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML,
                        "%s cannot be called '%s': another device is", ref->name, ref->info->alias);
            return FALSE;
        }
    }
    assign_counted(list, taken);

    /* The console that is a serial port goes by its name. */
    if (def->consoles->len > 0 && def->serials->len > 0) {
        VbCharDef *console = def->consoles->pdata[0];
        const VbCharDef *serial = def->serials->pdata[0];

        if (console->target == VB_CHAR_TARGET_SERIAL) {
            g_free(console->info.alias);
            console->info.alias = g_strdup(serial->info.alias);
        }
    }
    return TRUE;
}
