/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The order of the command line, and the few ways in which something is put on it. */
#include "qemu-command.h"

#include <string.h>

#include "qemu-command-private.h"

void vb_command_flag(VbCommand *command, const char *option)
{
    g_ptr_array_add(command->argv, g_strdup(option));
}

void vb_command_take(VbCommand *command, const char *option, char *value)
{
    vb_command_flag(command, option);
    g_ptr_array_add(command->argv, value);
}

void vb_command_add(VbCommand *command, const char *option, const char *value)
{
    vb_command_take(command, option, g_strdup(value));
}

char *vb_command_escape(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);

    return g_strjoinv(",,", parts);
}

const char *vb_command_on_off(VbTristate value)
{
    return value == VB_TRISTATE_YES ? "on" : value == VB_TRISTATE_NO ? "off" : NULL;
}

void vb_command_object(VbCommand *command, JsonObject *properties)
{
    g_ptr_array_add(command->types,
                    g_strdup(json_object_get_string_member(properties, "qom-type")));
    vb_command_take(command, "-object", vb_qmp_args_to_string(properties));
}

const VbControllerDef *vb_command_controller(const VbDomainDef *def, VbControllerType type,
                                             guint index)
{
    for (guint i = 0; i < def->controllers->len; i++) {
        const VbControllerDef *controller = def->controllers->pdata[i];
        if (controller->type == type && controller->index == index &&
            controller->master_startport < 0)
            return controller;
    }
    return NULL;
}

/* The id of a controller, which its bus is named after. */
static const char *controller_id(const VbDomainDef *def, VbControllerType type, guint index)
{
    const VbControllerDef *controller = vb_command_controller(def, type, index);

    return controller ? controller->info.alias : NULL;
}

static void add_pci_address(VbCommand *command, const VbPciAddress *pci, JsonObject *properties)
{
    const VbDomainDef *def = command->def;
    g_autofree char *addr = pci->function > 0
                                ? g_strdup_printf("0x%x.0x%x", pci->slot, pci->function)
                                : g_strdup_printf("0x%x", pci->slot);
    const char *bus = controller_id(def, VB_CONTROLLER_PCI, pci->bus);

    if (pci->bus == 0)
        bus = vb_domain_def_is_q35(def) ? "pcie.0" : "pci.0";
    vb_qmp_args_add(properties, VB_ARG_STRING("bus", bus), VB_ARG_STRING("addr", addr),
                    VB_ARG_IF(pci->multifunction != VB_TRISTATE_ABSENT,
                              VB_ARG_BOOL("multifunction", pci->multifunction == VB_TRISTATE_YES)));
}

static void add_bus(JsonObject *properties, const char *controller)
{
    g_autofree char *bus = controller ? g_strconcat(controller, ".0", NULL) : NULL;

    vb_qmp_args_add(properties, VB_ARG_STRING("bus", bus));
}

void vb_command_device(VbCommand *command, const VbDeviceInfo *info, guint boot_index,
                       JsonObject *properties)
{
    const VbDeviceAddress *address = &info->address;

    vb_qmp_args_add(properties, VB_ARG_STRING("id", info->alias));
    switch (address->type) {
    case VB_ADDRESS_PCI:
        add_pci_address(command, &address->pci, properties);
        break;
    case VB_ADDRESS_USB:
        add_bus(properties, controller_id(command->def, VB_CONTROLLER_USB, address->usb.bus));
        vb_qmp_args_add(properties, VB_ARG_STRING("port", address->usb.port));
        break;
    case VB_ADDRESS_VIRTIO_SERIAL:
        add_bus(properties, controller_id(command->def, VB_CONTROLLER_VIRTIO_SERIAL,
                                          address->virtio_serial.controller));
        vb_qmp_args_add(properties, VB_ARG_INT("nr", address->virtio_serial.port));
        break;
    case VB_ADDRESS_DRIVE: /* depends on the disk's bus: qemu-command-devices.c adds it */
    case VB_ADDRESS_NONE:
        break;
    }
    if (boot_index > 0)
        vb_qmp_args_add(properties, VB_ARG_INT("bootindex", boot_index));

    g_ptr_array_add(command->types, g_strdup(json_object_get_string_member(properties, "driver")));
    vb_command_take(command, "-device", vb_qmp_args_to_string(properties));
}

char *vb_qemu_command_socket(const char *run_dir, const VbDeviceInfo *info, const char *fallback)
{
    return g_strdup_printf("%s/%s.sock", run_dir, info->alias ? info->alias : fallback);
}

char *vb_qemu_command_chardev(const VbDeviceInfo *info)
{
    return g_strconcat("char", info->alias, NULL);
}

static void add_memory(VbCommand *command)
{
    const VbDomainDef *def = command->def;
    const VbQemuMachine *machine = vb_qemu_caps_machine(command->input->caps, def->os.machine);

    vb_command_take(command, "-m",
                    g_strdup_printf("size=%" G_GUINT64_FORMAT "k", def->memory / 1024));
    if (machine && machine->default_ram_id)
        vb_command_object(command, vb_qmp_args(VB_ARG_STRING("qom-type", "memory-backend-ram"),
                                               VB_ARG_STRING("id", machine->default_ram_id),
                                               VB_ARG_INT("size", (gint64)def->memory)));
    vb_command_add(command, "-overcommit", "mem-lock=off");
}

static void add_vcpus(VbCommand *command)
{
    const VbDomainDef *def = command->def;
    const VbCpuDef *cpu = &def->cpu;
    g_autoptr(GString) smp = g_string_new(NULL);

    g_string_printf(smp, "cpus=%u,maxcpus=%u", def->vcpus, def->vcpus_max);
    if (cpu->sockets > 0)
        g_string_append_printf(smp, ",sockets=%u,dies=%u,cores=%u,threads=%u", cpu->sockets,
                               cpu->dies, cpu->cores, cpu->threads);
    else
        g_string_append_printf(smp, ",sockets=%u,dies=1,cores=1,threads=1", def->vcpus_max);
    vb_command_add(command, "-smp", smp->str);
}

/* What the guest does by itself is paused for us to decide, so that nothing is lost while no daemon
 * runs: QEMU waits in "shutdown" or "guest-panicked" until a monitor comes. */
static void add_actions(VbCommand *command)
{
    const VbDomainDef *def = command->def;
    g_autoptr(GString) actions = g_string_new("shutdown=pause,panic=pause");

    if (def->on_reboot == VB_ON_EVENT_DESTROY)
        g_string_append(actions, ",reboot=shutdown");
    if (def->watchdog)
        g_string_append_printf(actions, ",watchdog=%s",
                               vb_watchdog_action_to_string(def->watchdog->action));
    vb_command_add(command, "-action", actions->str);
}

static void add_monitor(VbCommand *command)
{
    vb_command_add(command, "-chardev",
                   "socket,id=monitor,fd=" G_STRINGIFY(VB_QEMU_MONITOR_FD) ",server=on,wait=off");
    vb_command_add(command, "-mon", "chardev=monitor,mode=control");
}

static void add_boot(VbCommand *command)
{
    const VbOsDef *os = &command->def->os;
    g_autoptr(GString) boot = g_string_new("strict=on");

    if (os->boot_menu != VB_TRISTATE_ABSENT)
        g_string_append_printf(boot, ",menu=%s", vb_command_on_off(os->boot_menu));
    if (os->boot_menu_timeout > 0)
        g_string_append_printf(boot, ",splash-time=%u", os->boot_menu_timeout);
    if (os->bios_reboot_timeout != VB_REBOOT_TIMEOUT_ABSENT)
        g_string_append_printf(boot, ",reboot-timeout=%d", os->bios_reboot_timeout);
    vb_command_add(command, "-boot", boot->str);
}

static void add_kernel(VbCommand *command)
{
    const VbOsDef *os = &command->def->os;

    if (os->kernel)
        vb_command_add(command, "-kernel", os->kernel);
    if (os->initrd)
        vb_command_add(command, "-initrd", os->initrd);
    if (os->cmdline)
        vb_command_add(command, "-append", os->cmdline);
}

static void add_devices(VbCommand *command)
{
    vb_command_controllers(command);
    vb_command_disks(command);
    vb_command_interfaces(command);
    vb_command_chars(command);
    vb_command_graphics(command);
    vb_command_videos(command);
    vb_command_small_devices(command);
}

GStrv vb_qemu_command_build(const VbQemuCommandInput *input)
{
    const VbDomainDef *def = input->def;
    g_autoptr(GPtrArray) types = g_ptr_array_new_with_free_func(g_free);
    VbCommand command = {input, def, g_ptr_array_new(), types};
    g_autofree char *name = vb_command_escape(def->name);

    vb_command_flag(&command, def->emulator);
    vb_command_take(&command, "-name", g_strdup_printf("guest=%s,debug-threads=on", name));
    vb_command_flag(&command, "-S");
    vb_command_flag(&command, "-no-user-config");
    vb_command_flag(&command, "-nodefaults");
    vb_command_add(&command, "-display", "none");
    vb_command_add(&command, "-sandbox",
                   "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    vb_command_add(&command, "-uuid", def->uuid);
    vb_command_machine(&command);
    vb_command_cpu(&command);
    add_memory(&command);
    add_vcpus(&command);
    vb_command_clock(&command);
    add_actions(&command);
    add_boot(&command);
    vb_command_firmware(&command);
    add_kernel(&command);
    add_monitor(&command);
    vb_command_disk_nodes(&command);
    add_devices(&command);

    g_ptr_array_add(command.argv, NULL);
    return (GStrv)g_ptr_array_free(command.argv, FALSE);
}

GStrv vb_qemu_command_env(const VbDomainDef *def)
{
    g_autoptr(GStrvBuilder) env = g_strv_builder_new();

    /* The guest's local time is that of a zone: QEMU knows no option for it. */
    if (def->clock.offset == VB_CLOCK_TIMEZONE && def->clock.timezone) {
        g_autofree char *zone = g_strconcat("TZ=", def->clock.timezone, NULL);
        g_strv_builder_add(env, zone);
    }
    return g_strv_builder_end(env);
}

/* The devices of a definition that has neither addresses nor chains yet: for their types. */
GPtrArray *vb_command_types(const VbQemuCommandInput *input)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    VbCommand command = {input, input->def, argv, g_ptr_array_new_with_free_func(g_free)};

    add_devices(&command);
    return command.types;
}
