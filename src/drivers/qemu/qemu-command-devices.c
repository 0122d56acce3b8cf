/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Controllers, disks and the small devices. */
#include "blockdev.h"
#include "qemu-command-private.h"

/* ---- controllers ------------------------------------------------------------------------------
 */

/* Is it a part of the board, with no -device of its own? */
static gboolean is_built_in(const VbDomainDef *def, const VbControllerDef *controller)
{
    switch (controller->type) {
    case VB_CONTROLLER_PCI:
        return controller->model == VB_CONTROLLER_MODEL_PCI_ROOT ||
               controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT;
    case VB_CONTROLLER_IDE:
        return TRUE;
    case VB_CONTROLLER_SATA:
        return controller->index == 0 && vb_domain_def_is_q35(def);
    case VB_CONTROLLER_USB:
        return controller->model == VB_CONTROLLER_MODEL_NONE;
    case VB_CONTROLLER_SCSI:
    case VB_CONTROLLER_VIRTIO_SERIAL:
        return FALSE;
    }
    g_return_val_if_reached(TRUE);
}

static const char *usb_driver(VbControllerModel model)
{
    switch (model) {
    case VB_CONTROLLER_MODEL_ICH9_EHCI1:
        return "ich9-usb-ehci1";
    case VB_CONTROLLER_MODEL_ICH9_UHCI1:
        return "ich9-usb-uhci1";
    case VB_CONTROLLER_MODEL_ICH9_UHCI2:
        return "ich9-usb-uhci2";
    case VB_CONTROLLER_MODEL_ICH9_UHCI3:
        return "ich9-usb-uhci3";
    case VB_CONTROLLER_MODEL_NEC_XHCI:
        return "nec-usb-xhci";
    case VB_CONTROLLER_MODEL_QEMU_XHCI:
        return "qemu-xhci";
    default:
        return "piix3-usb-uhci";
    }
}

static JsonObject *usb_properties(const VbDomainDef *def, const VbControllerDef *controller)
{
    JsonObject *properties = vb_qmp_args(VB_ARG_STRING("driver", usb_driver(controller->model)));

    if (controller->ports > 0)
        vb_qmp_args_add(properties, VB_ARG_INT("p2", controller->ports),
                        VB_ARG_INT("p3", controller->ports));
    if (controller->master_startport >= 0) {
        const VbControllerDef *master =
            vb_command_controller(def, VB_CONTROLLER_USB, controller->index);
        g_autofree char *bus =
            master && master->info.alias ? g_strconcat(master->info.alias, ".0", NULL) : NULL;
        vb_qmp_args_add(properties, VB_ARG_STRING("masterbus", bus),
                        VB_ARG_INT("firstport", controller->master_startport));
    }
    return properties;
}

static JsonObject *pci_properties(const VbControllerDef *controller)
{
    switch (controller->model) {
    case VB_CONTROLLER_MODEL_PCI_BRIDGE:
        return vb_qmp_args(
            VB_ARG_STRING("driver", "pci-bridge"),
            VB_ARG_IF(controller->chassis >= 0, VB_ARG_INT("chassis_nr", controller->chassis)));
    case VB_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE:
        return vb_qmp_args(VB_ARG_STRING("driver", "pcie-pci-bridge"));
    default:
        return vb_qmp_args(
            VB_ARG_STRING("driver", "pcie-root-port"),
            VB_ARG_IF(controller->port >= 0, VB_ARG_INT("port", controller->port)),
            VB_ARG_IF(controller->chassis >= 0, VB_ARG_INT("chassis", controller->chassis)));
    }
}

static JsonObject *controller_properties(const VbDomainDef *def, const VbControllerDef *controller)
{
    switch (controller->type) {
    case VB_CONTROLLER_PCI:
        return pci_properties(controller);
    case VB_CONTROLLER_USB:
        return usb_properties(def, controller);
    case VB_CONTROLLER_SCSI:
        return vb_qmp_args(
            VB_ARG_STRING("driver", "virtio-scsi-pci"),
            VB_ARG_IF(controller->queues > 0, VB_ARG_INT("num_queues", controller->queues)));
    case VB_CONTROLLER_VIRTIO_SERIAL:
        return vb_qmp_args(
            VB_ARG_STRING("driver", "virtio-serial-pci"),
            VB_ARG_IF(controller->ports > 0, VB_ARG_INT("max_ports", controller->ports)),
            VB_ARG_IF(controller->vectors >= 0, VB_ARG_INT("vectors", controller->vectors)));
    case VB_CONTROLLER_SATA:
    case VB_CONTROLLER_IDE:
        return vb_qmp_args(VB_ARG_STRING("driver", "ich9-ahci"));
    }
    g_return_val_if_reached(NULL);
}

/* How many buses lie between a PCI controller and the root. */
static guint depth(const VbDomainDef *def, const VbControllerDef *controller)
{
    guint hops = 0;

    while (controller && controller->info.address.type == VB_ADDRESS_PCI &&
           controller->info.address.pci.bus > 0 && hops < def->controllers->len) {
        controller =
            vb_command_controller(def, VB_CONTROLLER_PCI, controller->info.address.pci.bus);
        hops++;
    }
    return hops;
}

/* QEMU makes devices in the order of the command line: bridges go first, those nearest to the root
 * before the others, then what they carry, and companions after the EHCI whose bus they join. */
static guint rank(const VbDomainDef *def, const VbControllerDef *controller)
{
    if (controller->type == VB_CONTROLLER_PCI)
        return depth(def, controller);
    return def->controllers->len + (controller->master_startport < 0 ? 1 : 2);
}

static int compare_controllers(gconstpointer a, gconstpointer b, gpointer def)
{
    const VbControllerDef *first = *(VbControllerDef *const *)a;
    const VbControllerDef *second = *(VbControllerDef *const *)b;
    guint first_rank = rank(def, first), second_rank = rank(def, second);

    if (first_rank != second_rank)
        return first_rank < second_rank ? -1 : 1;
    if (first->type != second->type)
        return first->type < second->type ? -1 : 1;
    if (first->index != second->index)
        return first->index < second->index ? -1 : 1;
    return (first->model > second->model) - (first->model < second->model);
}

void vb_command_controllers(VbCommand *command)
{
    const VbDomainDef *def = command->def;
    g_autoptr(GPtrArray) controllers = g_ptr_array_copy(def->controllers, NULL, NULL);

    g_ptr_array_set_free_func(controllers, NULL);
    g_ptr_array_sort_with_data(controllers, compare_controllers, (gpointer)def);
    for (guint i = 0; i < controllers->len; i++) {
        const VbControllerDef *controller = controllers->pdata[i];
        if (!is_built_in(def, controller))
            vb_command_device(command, &controller->info, 0,
                              controller_properties(def, controller));
    }
}

/* ---- disks ------------------------------------------------------------------------------------
 */

void vb_command_disk_nodes(VbCommand *command)
{
    const VbDomainDef *def = command->def;

    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *disk = def->disks->pdata[i];
        g_autoptr(GPtrArray) nodes = vb_blockdev_chain(disk, disk->source, !disk->readonly, NULL);
        for (guint n = 0; n < nodes->len; n++)
            vb_command_take(command, "-blockdev",
                            vb_qmp_args_to_string(json_object_ref(nodes->pdata[n])));
    }
}

static const char *disk_driver(const VbDiskDef *disk)
{
    gboolean cdrom = disk->device == VB_DISK_DEVICE_CDROM;

    switch (disk->bus) {
    case VB_DISK_BUS_SCSI:
        return cdrom ? "scsi-cd" : "scsi-hd";
    case VB_DISK_BUS_SATA:
    case VB_DISK_BUS_IDE:
        return cdrom ? "ide-cd" : "ide-hd";
    case VB_DISK_BUS_VIRTIO:
    case VB_DISK_BUS_NONE:
        return "virtio-blk-pci";
    }
    g_return_val_if_reached(NULL);
}

/* Where a disk sits on its controller. AHCI has a bus for each port, IDE two units on each of two
 * buses; the controllers of the board name their buses "ide.N". */
static void add_drive_address(const VbDomainDef *def, const VbDiskDef *disk, JsonObject *properties)
{
    const VbDriveAddress *drive = &disk->info.address.drive;
    g_autofree char *bus = NULL;

    if (disk->info.address.type != VB_ADDRESS_DRIVE)
        return;
    if (disk->bus == VB_DISK_BUS_IDE) {
        bus = g_strdup_printf("ide.%u", drive->bus);
        vb_qmp_args_add(properties, VB_ARG_STRING("bus", bus), VB_ARG_INT("unit", drive->unit));
        return;
    }

    VbControllerType type = disk->bus == VB_DISK_BUS_SCSI ? VB_CONTROLLER_SCSI : VB_CONTROLLER_SATA;
    const VbControllerDef *controller = vb_domain_def_find_controller(def, type, drive->controller);
    g_return_if_fail(controller); /* it got its address together with the disk */
    if (type == VB_CONTROLLER_SCSI) {
        bus = g_strconcat(controller->info.alias, ".0", NULL);
        vb_qmp_args_add(properties, VB_ARG_STRING("bus", bus), VB_ARG_INT("channel", 0),
                        VB_ARG_INT("scsi-id", drive->target), VB_ARG_INT("lun", drive->unit));
    } else {
        const char *name = is_built_in(def, controller) ? "ide" : controller->info.alias;
        bus = g_strdup_printf("%s.%u", name, drive->unit);
        vb_qmp_args_add(properties, VB_ARG_STRING("bus", bus));
    }
}

/* QEMU's word where it differs from the document's. */
static const char *error_policy(VbDiskErrorPolicy policy)
{
    return policy == VB_DISK_ERROR_POLICY_ENOSPACE ? "enospc"
                                                   : vb_disk_error_policy_to_string(policy);
}

guint vb_command_boot_index(const VbDomainDef *def, const VbDeviceInfo *info, VbBootDevice kind,
                            gboolean first)
{
    if (info->boot_order > 0)
        return info->boot_order;
    for (guint i = 0; first && i < def->os.n_boot; i++)
        if (def->os.boot[i] == kind)
            return i + 1;
    return 0;
}

static gboolean is_first_of_kind(const VbDomainDef *def, const VbDiskDef *disk)
{
    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *other = def->disks->pdata[i];
        if (other->device == disk->device)
            return other == disk;
    }
    return FALSE;
}

static void add_disk(VbCommand *command, const VbDiskDef *disk)
{
    const VbDomainDef *def = command->def;
    gboolean cdrom = disk->device == VB_DISK_DEVICE_CDROM;
    VbDiskErrorPolicy reads = disk->rerror_policy != VB_DISK_ERROR_POLICY_DEFAULT
                                  ? disk->rerror_policy
                                  : disk->error_policy;
    if (reads == VB_DISK_ERROR_POLICY_ENOSPACE)
        reads = VB_DISK_ERROR_POLICY_REPORT; /* there is no such error in reading */
    g_autofree char *node =
        disk->source ? vb_blockdev_format_node(disk->target, disk->source->index) : NULL;

    JsonObject *properties = vb_qmp_args(
        VB_ARG_STRING("driver", disk_driver(disk)), VB_ARG_STRING("drive", node),
        VB_ARG_STRING("serial", disk->serial),
        VB_ARG_IF(!cdrom && disk->cache != VB_DISK_CACHE_DEFAULT,
                  VB_ARG_STRING("write-cache", vb_blockdev_write_cache(disk) ? "on" : "off")),
        VB_ARG_STRING("werror", error_policy(disk->error_policy)),
        VB_ARG_STRING("rerror", error_policy(reads)));
    add_drive_address(def, disk, properties);
    vb_command_device(
        command, &disk->info,
        vb_command_boot_index(def, &disk->info, cdrom ? VB_BOOT_DEVICE_CDROM : VB_BOOT_DEVICE_HD,
                              is_first_of_kind(def, disk)),
        properties);
}

void vb_command_disks(VbCommand *command)
{
    for (guint i = 0; i < command->def->disks->len; i++)
        add_disk(command, command->def->disks->pdata[i]);
}

/* ---- the small ones ---------------------------------------------------------------------------
 */

static const char *input_driver(const VbInputDef *input)
{
    static const char *const drivers[][2] = {
        [VB_INPUT_MOUSE] = {"usb-mouse", "virtio-mouse-pci"},
        [VB_INPUT_KEYBOARD] = {"usb-kbd", "virtio-keyboard-pci"},
        [VB_INPUT_TABLET] = {"usb-tablet", "virtio-tablet-pci"},
    };

    return drivers[input->type][input->bus == VB_INPUT_BUS_VIRTIO];
}

static void add_rng(VbCommand *command, const VbRngDef *rng)
{
    gboolean random = rng->backend == VB_RNG_RANDOM;
    g_autofree char *object = g_strconcat("obj", rng->info.alias, NULL);

    vb_command_object(command,
                      vb_qmp_args(VB_ARG_STRING("qom-type", random ? "rng-random" : "rng-builtin"),
                                  VB_ARG_STRING("id", object),
                                  VB_ARG_STRING("filename", random ? rng->path : NULL)));
    vb_command_device(
        command, &rng->info, 0,
        vb_qmp_args(VB_ARG_STRING("driver", "virtio-rng-pci"), VB_ARG_STRING("rng", object),
                    VB_ARG_IF(rng->rate_bytes > 0, VB_ARG_INT("max-bytes", rng->rate_bytes)),
                    VB_ARG_IF(rng->rate_bytes > 0,
                              VB_ARG_INT("period", rng->rate_period ? rng->rate_period : 1000))));
}

static void add_memballoon(VbCommand *command, const VbMemballoonDef *balloon)
{
    gboolean reporting = balloon->free_page_reporting == VB_TRISTATE_YES;

    vb_command_device(command, &balloon->info, 0,
                      vb_qmp_args(VB_ARG_STRING("driver", "virtio-balloon-pci"),
                                  VB_ARG_IF(balloon->autodeflate != VB_TRISTATE_ABSENT,
                                            VB_ARG_BOOL("deflate-on-oom",
                                                        balloon->autodeflate == VB_TRISTATE_YES)),
                                  VB_ARG_IF(balloon->free_page_reporting != VB_TRISTATE_ABSENT,
                                            VB_ARG_BOOL("free-page-reporting", reporting))));
}

void vb_command_small_devices(VbCommand *command)
{
    const VbDomainDef *def = command->def;

    for (guint i = 0; i < def->inputs->len; i++) {
        const VbInputDef *input = def->inputs->pdata[i];
        if (input->bus != VB_INPUT_BUS_PS2)
            vb_command_device(command, &input->info, 0,
                              vb_qmp_args(VB_ARG_STRING("driver", input_driver(input))));
    }
    for (guint i = 0; i < def->rngs->len; i++)
        add_rng(command, def->rngs->pdata[i]);
    if (def->memballoon && def->memballoon->model == VB_MEMBALLOON_VIRTIO)
        add_memballoon(command, def->memballoon);
    if (def->watchdog)
        vb_command_device(command, &def->watchdog->info, 0,
                          vb_qmp_args(VB_ARG_STRING("driver", "i6300esb")));
}
