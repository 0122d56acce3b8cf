/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules between the parts of a definition, for those who parse one and those who edit one.
 * What a single element may say is checked where it is read. */
#include "domain-validate.h"

#include <string.h>

#include "definition.h"
#include "device-list.h"
#include "error.h"
#include "interface-validate.h"
#include "words.h"

/* Of an element that the domain has once; `reader` may be NULL. */
#define LINE(path) (reader ? vb_xml_line_of(reader, path) : 0)
#define INVALID(path, ...)                                                                         \
    vb_definition_fail(error, VB_ERROR_INVALID_XML, LINE(path), "domain/" path, __VA_ARGS__)
#define INVALID_DEVICE(info, what, ...)                                                            \
    vb_definition_fail(error, VB_ERROR_INVALID_XML, (info)->line, what, __VA_ARGS__)

/* --- the domain itself --- */

static gboolean check_identity(const VbDomainDef *def, VbXmlReader *reader, GError **error)
{
    if (!vb_definition_is_name(def->name))
        return INVALID("name", "a name has 1 to 255 bytes, not all of them blank, without '/' and "
                               "control characters, and is not '.' or '..'");
    if (!g_uuid_string_is_valid(def->uuid))
        return INVALID("uuid", "'%s' is not a UUID", def->uuid);
    if (def->memory == 0)
        return INVALID("memory", "a domain needs memory");
    if (def->current_memory == 0 || def->current_memory > def->memory)
        return INVALID("currentMemory", "it is larger than <memory>");
    if (def->vcpus == 0 || def->vcpus > def->vcpus_max)
        return INVALID("vcpu", "%u vCPUs of at most %u are not possible", def->vcpus,
                       def->vcpus_max);
    if (def->on_poweroff >= VB_ON_EVENT_COREDUMP_DESTROY)
        return INVALID("on_poweroff", "'%s' is for <on_crash> only",
                       vb_on_event_to_string(def->on_poweroff));
    if (def->on_reboot >= VB_ON_EVENT_COREDUMP_DESTROY)
        return INVALID("on_reboot", "'%s' is for <on_crash> only",
                       vb_on_event_to_string(def->on_reboot));
    return TRUE;
}

static gboolean check_os(const VbDomainDef *def, VbXmlReader *reader, GError **error)
{
    const VbOsDef *os = &def->os;

    if (!g_str_equal(os->arch, "x86_64"))
        return vb_definition_fail(error, VB_ERROR_NOT_SUPPORTED, LINE("os/type"), "domain/os/type",
                                  "architecture '%s' is not supported", os->arch);
    if (!vb_is_word(os->machine, "_.-"))
        return INVALID("os/type", "'%s' is not a machine type", os->machine);
    if (!os->kernel && (os->initrd || os->cmdline))
        return INVALID("os", "<initrd> and <cmdline> need a <kernel>");
    if (os->boot_menu_timeout && os->boot_menu != VB_TRISTATE_YES)
        return INVALID("os/bootmenu", "'timeout' needs enable='yes'");
    if (!os->loader && !os->firmware &&
        (os->loader_type || os->loader_readonly || os->loader_secure))
        return INVALID("os/loader", "the path of the firmware is missing");
    if (os->firmware == VB_FIRMWARE_BIOS && (os->loader || os->nvram || os->nvram_template))
        return INVALID("os", "firmware='bios' goes without <loader> and <nvram>");
    if ((os->nvram || os->nvram_template) && os->firmware != VB_FIRMWARE_EFI &&
        os->loader_type != VB_LOADER_TYPE_PFLASH)
        return INVALID("os/nvram", "it needs a <loader> of type 'pflash'");
    return TRUE;
}

static gboolean check_cpu(const VbDomainDef *def, VbXmlReader *reader, GError **error)
{
    const VbCpuDef *cpu = &def->cpu;

    if (cpu->mode == VB_CPU_MODE_DEFAULT &&
        (cpu->match || cpu->check || cpu->fallback || cpu->features->len > 0))
        return INVALID("cpu", "a CPU that is to be matched or changed needs a mode or a model");
    if (cpu->mode == VB_CPU_MODE_CUSTOM && !cpu->model)
        return INVALID("cpu", "mode 'custom' needs a <model>");
    if (cpu->model && cpu->mode != VB_CPU_MODE_CUSTOM)
        return INVALID("cpu/model", "it goes with mode 'custom' only");
    if (cpu->model && !vb_is_word(cpu->model, "_.-"))
        return INVALID("cpu/model", "'%s' is not the name of a CPU model", cpu->model);
    if (cpu->migratable && cpu->mode != VB_CPU_MODE_HOST_PASSTHROUGH &&
        cpu->mode != VB_CPU_MODE_MAXIMUM)
        return INVALID("cpu", "'migratable' goes with host-passthrough and maximum only");
    for (guint i = 0; i < cpu->features->len; i++) {
        const VbCpuFeature *feature = cpu->features->pdata[i];

        if (!vb_is_word(feature->name, "_.-"))
            return INVALID("cpu/feature", "'%s' is not the name of a CPU feature", feature->name);
    }
    if (cpu->sockets &&
        (guint64)cpu->sockets * cpu->dies * cpu->cores * cpu->threads != def->vcpus_max)
        return INVALID("cpu/topology", "it has not %u vCPUs, as <vcpu> says", def->vcpus_max);
    return TRUE;
}

/* --- disks --- */

static gboolean check_limit(const VbDiskDef *disk, guint64 total, guint64 read, guint64 write,
                            const char *what, GError **error)
{
    if (total && (read || write))
        return INVALID_DEVICE(&disk->info, "domain/devices/disk/iotune",
                              "total_%s excludes read_%s and write_%s", what, what, what);
    return TRUE;
}

/* QEMU's rule: a burst needs a limit that it exceeds, and its length needs the burst. */
static gboolean check_burst(const VbDiskDef *disk, guint64 limit, guint64 max, guint64 length,
                            const char *what, GError **error)
{
    if ((max && (!limit || max < limit)) || (length && !max))
        return INVALID_DEVICE(&disk->info, "domain/devices/disk/iotune",
                              "%s_max needs a smaller %s, and %s_max_length needs %s_max", what,
                              what, what, what);
    return TRUE;
}

static gboolean check_iotune(const VbDiskDef *disk, GError **error)
{
    const VbDiskIotune *tune = &disk->iotune;

#define CHECK_BURST(field)                                                                         \
    check_burst(disk, tune->field, tune->field##_max, tune->field##_max_length, #field, error)
    if (tune->group_name && !vb_is_word(tune->group_name, "_.-"))
        return INVALID_DEVICE(&disk->info, "domain/devices/disk/iotune/group_name",
                              "'%s' is not a name of letters, digits, '_', '.' and '-'",
                              tune->group_name);
    return check_limit(disk, tune->total_bytes_sec, tune->read_bytes_sec, tune->write_bytes_sec,
                       "bytes_sec", error) &&
           check_limit(disk, tune->total_iops_sec, tune->read_iops_sec, tune->write_iops_sec,
                       "iops_sec", error) &&
           check_limit(disk, tune->total_bytes_sec_max, tune->read_bytes_sec_max,
                       tune->write_bytes_sec_max, "bytes_sec_max", error) &&
           check_limit(disk, tune->total_iops_sec_max, tune->read_iops_sec_max,
                       tune->write_iops_sec_max, "iops_sec_max", error) &&
           CHECK_BURST(total_bytes_sec) && CHECK_BURST(read_bytes_sec) &&
           CHECK_BURST(write_bytes_sec) && CHECK_BURST(total_iops_sec) &&
           CHECK_BURST(read_iops_sec) && CHECK_BURST(write_iops_sec);
}

static gboolean is_target(const char *target)
{
    return (g_str_has_prefix(target, "vd") || g_str_has_prefix(target, "sd") ||
            g_str_has_prefix(target, "hd")) &&
           strlen(target) > 2 && strlen(target) <= 32 && vb_is_word(target, "_");
}

static gboolean check_disk(const VbDomainDef *def, const VbDiskDef *disk, GError **error)
{
    if (!disk->target || !is_target(disk->target))
        return INVALID_DEVICE(&disk->info, "domain/devices/disk/target",
                              "'%s' is not the name of a disk (as vda, sdb, hdc are)",
                              disk->target ? disk->target : "");
    if (disk->bus == VB_DISK_BUS_VIRTIO && disk->device == VB_DISK_DEVICE_CDROM)
        return INVALID_DEVICE(&disk->info, "domain/devices/disk/target",
                              "disk %s: a cdrom cannot be on the bus virtio", disk->target);
    if (disk->bus == VB_DISK_BUS_IDE && vb_domain_def_is_q35(def))
        return INVALID_DEVICE(&disk->info, "domain/devices/disk/target",
                              "disk %s: machine %s has no IDE bus; use sata", disk->target,
                              def->os.machine);
    if (!disk->source && disk->device != VB_DISK_DEVICE_CDROM)
        return INVALID_DEVICE(&disk->info, "domain/devices/disk", "disk %s has no source",
                              disk->target);
    /* Only a virtio disk or an emulated SCSI one would see more than 20 bytes; none sees more. */
    if (disk->serial && (strlen(disk->serial) > 247 || !vb_is_word(disk->serial, "_.+- ")))
        return INVALID_DEVICE(&disk->info, "domain/devices/disk/serial",
                              "'%s' has other characters than letters, digits, '_', '.', '+', '-' "
                              "and blanks",
                              disk->serial);
    if (disk->io == VB_DISK_IO_NATIVE && disk->cache != VB_DISK_CACHE_NONE &&
        disk->cache != VB_DISK_CACHE_DIRECTSYNC)
        return INVALID_DEVICE(&disk->info, "domain/devices/disk/driver",
                              "disk %s: io='native' needs cache='none' or 'directsync'",
                              disk->target);
    return check_iotune(disk, error);
}

static gboolean check_disks(const VbDomainDef *def, GError **error)
{
    g_autoptr(GHashTable) targets = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *disk = def->disks->pdata[i];

        if (!check_disk(def, disk, error))
            return FALSE;
        if (!g_hash_table_add(targets, disk->target))
            return INVALID_DEVICE(&disk->info, "domain/devices/disk/target",
                                  "two disks are called '%s'", disk->target);
    }
    return TRUE;
}

/* --- controllers --- */

static gboolean model_fits(const VbControllerDef *controller)
{
    VbControllerModel model = controller->model;

    switch (controller->type) {
    case VB_CONTROLLER_PCI:
        return model >= VB_CONTROLLER_MODEL_PCI_ROOT &&
               model <= VB_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE;
    case VB_CONTROLLER_SCSI:
        return model == VB_CONTROLLER_MODEL_VIRTIO_SCSI;
    case VB_CONTROLLER_USB:
        return model >= VB_CONTROLLER_MODEL_PIIX3_UHCI && model <= VB_CONTROLLER_MODEL_NONE;
    case VB_CONTROLLER_SATA:
    case VB_CONTROLLER_IDE:
    case VB_CONTROLLER_VIRTIO_SERIAL:
        break;
    }
    return model == VB_CONTROLLER_MODEL_DEFAULT;
}

static gboolean check_pci_controller(const VbDomainDef *def, const VbControllerDef *controller,
                                     GError **error)
{
    gboolean q35 = vb_domain_def_is_q35(def);
    gboolean root = controller->model == VB_CONTROLLER_MODEL_PCI_ROOT ||
                    controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT;
    gboolean express = controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT ||
                       controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT_PORT ||
                       controller->model == VB_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE;

    if (root != (controller->index == 0))
        return INVALID_DEVICE(&controller->info, "domain/devices/controller",
                              "pci controller %u cannot be a '%s'", controller->index,
                              vb_controller_model_to_string(controller->model));
    if (express != q35 && (root || express))
        return INVALID_DEVICE(&controller->info, "domain/devices/controller",
                              "machine %s has no '%s'", def->os.machine,
                              vb_controller_model_to_string(controller->model));
    return TRUE;
}

static gboolean check_controller(const VbDomainDef *def, const VbControllerDef *controller,
                                 GError **error)
{
    if (!model_fits(controller))
        return INVALID_DEVICE(&controller->info, "domain/devices/controller",
                              "a %s controller has no model '%s'",
                              vb_controller_type_to_string(controller->type),
                              vb_controller_model_to_string(controller->model));
    if (controller->index > 255)
        return INVALID_DEVICE(&controller->info, "domain/devices/controller",
                              "there are at most 256 controllers of type '%s'",
                              vb_controller_type_to_string(controller->type));
    if (controller->type == VB_CONTROLLER_PCI && !check_pci_controller(def, controller, error))
        return FALSE;
    if (controller->type == VB_CONTROLLER_IDE &&
        (vb_domain_def_is_q35(def) || controller->index != 0))
        return INVALID_DEVICE(&controller->info, "domain/devices/controller",
                              "machine %s has no ide controller %u", def->os.machine,
                              controller->index);
    gboolean companion = controller->model >= VB_CONTROLLER_MODEL_ICH9_UHCI1 &&
                         controller->model <= VB_CONTROLLER_MODEL_ICH9_UHCI3;
    if (controller->master_startport >= 0 && !companion)
        return INVALID_DEVICE(&controller->info, "domain/devices/controller/master",
                              "only the companions ich9-uhci1, 2 and 3 have a master");
    if (controller->type == VB_CONTROLLER_USB && controller->ports >= 0 &&
        controller->model != VB_CONTROLLER_MODEL_NEC_XHCI &&
        controller->model != VB_CONTROLLER_MODEL_QEMU_XHCI)
        return INVALID_DEVICE(&controller->info, "domain/devices/controller",
                              "'ports' goes with xhci controllers only");
    return TRUE;
}

static gboolean check_controllers(const VbDomainDef *def, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint n_usb = 0;
    const VbControllerDef *no_usb = NULL;

    for (guint i = 0; i < def->controllers->len; i++) {
        const VbControllerDef *controller = def->controllers->pdata[i];

        if (!check_controller(def, controller, error))
            return FALSE;
        /* An EHCI and its companions are one bus, hence have one index. */
        gboolean companion = controller->model >= VB_CONTROLLER_MODEL_ICH9_UHCI1 &&
                             controller->model <= VB_CONTROLLER_MODEL_ICH9_UHCI3;
        char *key = g_strdup_printf("%d %u %d", controller->type, controller->index,
                                    companion ? controller->model : 0);
        if (!g_hash_table_add(seen, key))
            return INVALID_DEVICE(
                &controller->info, "domain/devices/controller", "there are two %s controllers %u",
                vb_controller_type_to_string(controller->type), controller->index);
        n_usb += controller->type == VB_CONTROLLER_USB;
        if (controller->model == VB_CONTROLLER_MODEL_NONE)
            no_usb = controller;
    }
    if (no_usb && (n_usb > 1 || no_usb->index != 0))
        return INVALID_DEVICE(&no_usb->info, "domain/devices/controller",
                              "usb model 'none' is of controller 0, and excludes every other one");
    return TRUE;
}

/* --- the other devices --- */

static gboolean check_ports(const GPtrArray *devices, GError **error)
{
    guint64 seen[2] = {0};

    for (guint i = 0; i < devices->len; i++) {
        const VbCharDef *device = devices->pdata[i];
        const char *kind = vb_char_kind_to_string(device->kind);

        if (device->port > 99)
            return INVALID_DEVICE(&device->info, "domain/devices", "too many %s ports", kind);
        if (seen[device->port / 64] & G_GUINT64_CONSTANT(1) << device->port % 64)
            return INVALID_DEVICE(&device->info, "domain/devices", "there are two %s ports %u",
                                  kind, device->port);
        seen[device->port / 64] |= G_GUINT64_CONSTANT(1) << device->port % 64;
    }
    return TRUE;
}

static gboolean has_graphics(const VbDomainDef *def, VbGraphicsType type)
{
    for (guint i = 0; i < def->graphics->len; i++)
        if (((VbGraphicsDef *)def->graphics->pdata[i])->type == type)
            return TRUE;
    return FALSE;
}

static gboolean check_chars(const VbDomainDef *def, GError **error)
{
    for (guint i = 1; i < def->consoles->len; i++) {
        const VbCharDef *console = def->consoles->pdata[i];

        if (console->target == VB_CHAR_TARGET_SERIAL)
            return INVALID_DEVICE(&console->info, "domain/devices/console",
                                  "only the first console can be a serial port");
    }
    for (guint i = 0; i < def->channels->len; i++) {
        const VbCharDef *channel = def->channels->pdata[i];

        if (channel->source == VB_CHAR_SOURCE_SPICEVMC && !has_graphics(def, VB_GRAPHICS_SPICE))
            return INVALID_DEVICE(&channel->info, "domain/devices/channel",
                                  "type 'spicevmc' needs <graphics type='spice'>");
    }
    return check_ports(def->serials, error) && check_ports(def->parallels, error) &&
           check_ports(def->consoles, error);
}

static gboolean check_displays(const VbDomainDef *def, GError **error)
{
    guint count[2] = {0};
    guint n_primary = 0;

    for (guint i = 0; i < def->graphics->len; i++) {
        const VbGraphicsDef *graphics = def->graphics->pdata[i];

        if (++count[graphics->type] > 1)
            return INVALID_DEVICE(&graphics->info, "domain/devices/graphics",
                                  "there are two of type '%s'",
                                  vb_graphics_type_to_string(graphics->type));
        if (graphics->type == VB_GRAPHICS_VNC && graphics->port > 0 && graphics->port < 5900)
            return INVALID_DEVICE(&graphics->info, "domain/devices/graphics",
                                  "VNC ports begin at 5900, %d is below", graphics->port);
    }
    for (guint i = 0; i < def->videos->len; i++) {
        const VbVideoDef *video = def->videos->pdata[i];

        if (video->type == VB_VIDEO_NONE && def->videos->len > 1)
            return INVALID_DEVICE(&video->info, "domain/devices/video",
                                  "type 'none' excludes every other video device");
        if (video->type != VB_VIDEO_QXL && video->type != VB_VIDEO_VIRTIO &&
            video->type != VB_VIDEO_BOCHS && i > 0 && !video->primary)
            return INVALID_DEVICE(&video->info, "domain/devices/video",
                                  "a second video device cannot be '%s'",
                                  vb_video_type_to_string(video->type));
        if (video->primary && ++n_primary > 1)
            return INVALID_DEVICE(&video->info, "domain/devices/video",
                                  "there are two primary video devices");
    }
    return TRUE;
}

static gboolean check_small_devices(const VbDomainDef *def, GError **error)
{
    for (guint i = 0; i < def->inputs->len; i++) {
        const VbInputDef *input = def->inputs->pdata[i];

        if (input->type == VB_INPUT_TABLET && input->bus == VB_INPUT_BUS_PS2)
            return INVALID_DEVICE(&input->info, "domain/devices/input",
                                  "a tablet cannot be on the bus ps2");
    }
    return TRUE;
}

/* What every device has: its kind of address, its alias, its place in the boot order. */
static gboolean check_infos(const VbDomainDef *def, GError **error)
{
    g_autoptr(GArray) list = vb_domain_def_list_devices(def);
    g_autoptr(GHashTable) aliases = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) orders = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < list->len; i++) {
        const VbDeviceRef *ref = &g_array_index(list, VbDeviceRef, i);
        const VbDeviceInfo *info = ref->info;

        if (info->address.type != VB_ADDRESS_NONE && info->address.type != ref->wants)
            return vb_definition_fail(error, VB_ERROR_INVALID_XML, info->line, ref->name,
                                      "an address of type '%s' does not fit",
                                      vb_address_type_to_string(info->address.type));
        if (info->alias && !g_hash_table_add(aliases, info->alias))
            return vb_definition_fail(error, VB_ERROR_INVALID_XML, info->line, ref->name,
                                      "two devices have the alias '%s'", info->alias);
        if (info->boot_order && def->os.n_boot > 0)
            return vb_definition_fail(error, VB_ERROR_INVALID_XML, info->line, ref->name,
                                      "a boot order of devices excludes <boot dev=…> in <os>");
        if (info->boot_order && !g_hash_table_add(orders, GUINT_TO_POINTER(info->boot_order)))
            return vb_definition_fail(error, VB_ERROR_INVALID_XML, info->line, ref->name,
                                      "two devices have the boot order %u", info->boot_order);
    }
    return TRUE;
}

gboolean vb_domain_def_check(const VbDomainDef *def, VbXmlReader *reader, GError **error)
{
    return check_identity(def, reader, error) && check_os(def, reader, error) &&
           check_cpu(def, reader, error) && check_disks(def, error) &&
           check_controllers(def, error) && check_chars(def, error) && check_displays(def, error) &&
           check_small_devices(def, error) && vb_domain_def_check_interfaces(def, error) &&
           check_infos(def, error);
}

gboolean vb_domain_def_validate(const VbDomainDef *def, GError **error)
{
    return vb_domain_def_check(def, NULL, error);
}
