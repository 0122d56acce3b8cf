/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the defaults of a definition: identity, machine, buses, controllers' indexes, the devices
 * that an x86 guest has anyway. Addresses and the controllers that they need come later: see
 * domain-address.c. */
#include "domain-defaults.h"

#include "device-xml.h"
#include "mac-address.h"

static void default_guest(VbDomainDef *def)
{
    if (!def->uuid)
        def->uuid = g_uuid_string_random();
    if (!def->os.arch)
        def->os.arch = g_strdup("x86_64");
    if (!def->os.machine)
        def->os.machine = g_strdup("pc");
    if (def->current_memory == 0)
        def->current_memory = def->memory;
    if (def->vcpus_max == 0)
        def->vcpus_max = 1;
    if (def->vcpus == 0)
        def->vcpus = def->vcpus_max;
}

static void default_disks(VbDomainDef *def)
{
    for (guint i = 0; i < def->disks->len; i++) {
        VbDiskDef *disk = def->disks->pdata[i];

        if (disk->bus != VB_DISK_BUS_NONE || !disk->target)
            continue;
        if (g_str_has_prefix(disk->target, "vd"))
            disk->bus = VB_DISK_BUS_VIRTIO;
        else if (g_str_has_prefix(disk->target, "sd"))
            disk->bus = VB_DISK_BUS_SCSI;
        else if (g_str_has_prefix(disk->target, "hd"))
            disk->bus = VB_DISK_BUS_IDE;
    }
}

/* Without any boot order a guest boots from its first disk. */
static void default_boot(VbDomainDef *def)
{
    if (def->os.n_boot > 0)
        return;
    for (guint i = 0; i < def->disks->len; i++)
        if (((VbDiskDef *)def->disks->pdata[i])->info.boot_order)
            return;
    for (guint i = 0; i < def->interfaces->len; i++)
        if (((VbInterfaceDef *)def->interfaces->pdata[i])->info.boot_order)
            return;
    def->os.boot[def->os.n_boot++] = VB_BOOT_DEVICE_HD;
}

static gboolean is_usb_companion(const VbControllerDef *controller)
{
    return controller->model == VB_CONTROLLER_MODEL_ICH9_UHCI1 ||
           controller->model == VB_CONTROLLER_MODEL_ICH9_UHCI2 ||
           controller->model == VB_CONTROLLER_MODEL_ICH9_UHCI3;
}

static gboolean is_pci_root(const VbControllerDef *controller)
{
    return controller->model == VB_CONTROLLER_MODEL_PCI_ROOT ||
           controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT;
}

static void default_controllers(VbDomainDef *def)
{
    /* Of each type; the pci roots are number 0, the rest of them never is. */
    guint next_free[] = {[VB_CONTROLLER_PCI] = 1, [VB_CONTROLLER_VIRTIO_SERIAL] = 0};
    guint ehci_index = 0;

    for (guint i = 0; i < def->controllers->len; i++) {
        VbControllerDef *controller = def->controllers->pdata[i];
        gboolean companion = is_usb_companion(controller);

        if (controller->index == VB_CONTROLLER_INDEX_ABSENT && companion) {
            controller->index = ehci_index;
        } else if (controller->index == VB_CONTROLLER_INDEX_ABSENT) {
            guint *index = &next_free[controller->type];

            while (vb_domain_def_find_controller(def, controller->type, *index))
                (*index)++;
            controller->index = is_pci_root(controller) ? 0 : *index;
        }
        if (controller->model == VB_CONTROLLER_MODEL_ICH9_EHCI1)
            ehci_index = controller->index;
        if (controller->model != VB_CONTROLLER_MODEL_DEFAULT)
            continue;
        if (controller->type == VB_CONTROLLER_SCSI)
            controller->model = VB_CONTROLLER_MODEL_VIRTIO_SCSI;
        else if (controller->type == VB_CONTROLLER_USB)
            controller->model = vb_domain_def_default_usb_model(def);
    }
}

static gboolean has_mac(const VbDomainDef *def, const char *mac)
{
    for (guint i = 0; i < def->interfaces->len; i++)
        if (g_strcmp0(((VbInterfaceDef *)def->interfaces->pdata[i])->mac, mac) == 0)
            return TRUE;
    return FALSE;
}

static void default_interfaces(VbDomainDef *def)
{
    for (guint i = 0; i < def->interfaces->len; i++) {
        VbInterfaceDef *interface = def->interfaces->pdata[i];

        while (!interface->mac) {
            g_autofree char *mac = vb_mac_random();

            if (!has_mac(def, mac))
                interface->mac = g_steal_pointer(&mac);
        }
        if (interface->model == VB_INTERFACE_MODEL_DEFAULT)
            interface->model = VB_INTERFACE_MODEL_RTL8139;
    }
}

static gboolean has_port(const GPtrArray *devices, guint port)
{
    for (guint i = 0; i < devices->len; i++)
        if (((VbCharDef *)devices->pdata[i])->port == port)
            return TRUE;
    return FALSE;
}

/* The lowest numbers that are free, to those that have none (see vb_char_def_parse()). */
static void default_ports(GPtrArray *devices)
{
    guint port = 0;

    for (guint i = 0; i < devices->len; i++) {
        VbCharDef *device = devices->pdata[i];

        if (device->port != G_MAXUINT)
            continue;
        while (has_port(devices, port))
            port++;
        device->port = port;
    }
}

/* `copy` of a serial as a console, or of a console as a serial. */
static VbCharDef *twin(const VbCharDef *device, VbCharKind kind, VbCharTarget target)
{
    VbCharDef *copy = vb_char_def_copy(device);

    vb_device_info_clear(&copy->info);
    copy->kind = kind;
    copy->target = target;
    copy->port = 0;
    copy->info.line = device->info.line;
    return copy;
}

/* The first console of an x86 guest is its first serial port: each implies the other, and where
 * both are given the serial says what it is. */
static void default_consoles(VbDomainDef *def)
{
    for (guint i = 0; i < def->serials->len; i++) {
        VbCharDef *serial = def->serials->pdata[i];

        if (serial->target == VB_CHAR_TARGET_NONE)
            serial->target = VB_CHAR_TARGET_ISA_SERIAL;
    }
    for (guint i = 0; i < def->consoles->len; i++) {
        VbCharDef *console = def->consoles->pdata[i];

        if (console->target == VB_CHAR_TARGET_NONE)
            console->target = VB_CHAR_TARGET_SERIAL;
    }
    VbCharDef *first = def->consoles->len > 0 ? def->consoles->pdata[0] : NULL;
    if (first && first->target != VB_CHAR_TARGET_SERIAL)
        return;
    if (first && def->serials->len == 0)
        g_ptr_array_add(def->serials, twin(first, VB_CHAR_SERIAL, VB_CHAR_TARGET_ISA_SERIAL));
    if (def->serials->len == 0)
        return;
    const VbCharDef *serial = def->serials->pdata[0];
    if (first)
        g_ptr_array_remove_index(def->consoles, 0);
    VbCharDef *console = twin(serial, VB_CHAR_CONSOLE, VB_CHAR_TARGET_SERIAL);
    console->info.alias = g_strdup(serial->info.alias);
    g_ptr_array_insert(def->consoles, 0, console);
}

static void default_input_buses(VbDomainDef *def)
{
    for (guint i = 0; i < def->inputs->len; i++) {
        VbInputDef *input = def->inputs->pdata[i];

        if (input->bus == VB_INPUT_BUS_NONE)
            input->bus = input->type == VB_INPUT_TABLET ? VB_INPUT_BUS_USB : VB_INPUT_BUS_PS2;
    }
}

/* An x86 machine has a PS/2 mouse and keyboard whether somebody asked for them or not. */
static void add_ps2_input(VbDomainDef *def, VbInputType type)
{
    for (guint i = 0; i < def->inputs->len; i++) {
        const VbInputDef *input = def->inputs->pdata[i];

        if (input->type == type && input->bus == VB_INPUT_BUS_PS2)
            return;
    }
    VbInputDef *input = vb_input_def_new();
    input->type = type;
    input->bus = VB_INPUT_BUS_PS2;
    g_ptr_array_add(def->inputs, input);
}

static void default_videos(VbDomainDef *def)
{
    gboolean has_primary = FALSE;

    for (guint i = 0; i < def->videos->len; i++)
        has_primary |= ((VbVideoDef *)def->videos->pdata[i])->primary;
    if (!has_primary && def->videos->len > 0)
        ((VbVideoDef *)def->videos->pdata[0])->primary = TRUE;
}

static void default_rngs(VbDomainDef *def)
{
    for (guint i = 0; i < def->rngs->len; i++) {
        VbRngDef *rng = def->rngs->pdata[i];

        if (rng->backend == VB_RNG_RANDOM && !rng->path)
            rng->path = g_strdup("/dev/urandom");
    }
}

/* What a guest of a real hypervisor has without being asked. */
static void add_devices(VbDomainDef *def)
{
    add_ps2_input(def, VB_INPUT_MOUSE);
    add_ps2_input(def, VB_INPUT_KEYBOARD);
    if (def->graphics->len > 0 && def->videos->len == 0)
        g_ptr_array_add(def->videos, vb_video_def_new());
    if (!def->memballoon)
        def->memballoon = vb_memballoon_def_new();
}

VbControllerModel vb_domain_def_default_usb_model(const VbDomainDef *def)
{
    return vb_domain_def_is_q35(def) ? VB_CONTROLLER_MODEL_QEMU_XHCI
                                     : VB_CONTROLLER_MODEL_PIIX3_UHCI;
}

void vb_domain_def_fill_defaults(VbDomainDef *def)
{
    default_guest(def);
    default_disks(def);
    default_boot(def);
    default_controllers(def);
    default_interfaces(def);
    default_ports(def->serials);
    default_ports(def->parallels);
    default_consoles(def);
    default_ports(def->consoles);
    default_ports(def->channels);
    default_input_buses(def);
    default_rngs(def);
    if (def->type != VB_DOMAIN_TYPE_TEST)
        add_devices(def);
    default_videos(def);
}
