/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is refused before QEMU is asked to try: things that this QEMU does not have, and things of
 * the document that no option of ours would bring about. Better a clear "not supported" when a
 * domain is defined than a guest that lacks, unsaid, what its owner wrote down. */
#include <string.h>

#include "qemu-command-private.h"
#include "error.h"

#define OLDEST_QEMU 6002000u /* -device takes JSON */
#define STREAM_QEMU 7002000u /* -netdev stream, which leads to passt */

static gboolean refuse(const VbDomainDef *def, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean refuse(const VbDomainDef *def, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);

    g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED, "domain '%s': %s", def->name, what);
    return FALSE;
}

static gboolean check_machine(const VbDomainDef *def, const VbQemuCaps *caps, GError **error)
{
    guint version = vb_qemu_caps_version(caps);
    const VbQemuMachine *machine = vb_qemu_caps_machine(caps, def->os.machine);

    if (version < OLDEST_QEMU)
        return refuse(def, error, "QEMU %u.%u is too old: 6.2 or newer is needed",
                      version / 1000000, version / 1000 % 1000);
    if (g_strcmp0(vb_qemu_caps_arch(caps), def->os.arch) != 0)
        return refuse(def, error, "the emulator %s is for architecture %s, not %s", def->emulator,
                      vb_qemu_caps_arch(caps), def->os.arch);
    if (!machine)
        return refuse(def, error, "the emulator %s has no machine '%s'", def->emulator,
                      def->os.machine);
    if (def->vcpus_max > machine->max_cpus)
        return refuse(def, error, "machine '%s' takes at most %u vCPUs", machine->name,
                      machine->max_cpus);
    return TRUE;
}

static gboolean is_plain_word(const char *word)
{
    return *word && strspn(word, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == strlen(word);
}

static gboolean check_cpu(const VbDomainDef *def, const VbQemuCaps *caps, GError **error)
{
    gboolean kvm = def->type == VB_DOMAIN_TYPE_KVM;
    g_autofree char *model = vb_command_cpu_model(def, caps);

    if (def->cpu.mode == VB_CPU_MODE_HOST_PASSTHROUGH && !kvm)
        return refuse(def, error, "CPU mode 'host-passthrough' needs KVM");
    if (model && !vb_qemu_caps_has_cpu(caps, model))
        return refuse(def, error, "the emulator %s has no CPU model '%s'", def->emulator, model);
    for (guint i = 0; i < def->cpu.features->len; i++) {
        const VbCpuFeature *feature = def->cpu.features->pdata[i];
        if (!is_plain_word(feature->name))
            return refuse(def, error, "CPU feature '%s' is not known", feature->name);
    }
    for (VbHyperv i = 0; i < VB_N_HYPERV; i++)
        if (!kvm && def->features.hyperv[i] == VB_TRISTATE_YES)
            return refuse(def, error, "Hyper-V feature '%s' needs KVM", vb_hyperv_to_string(i));
    return TRUE;
}

static gboolean check_timer(const VbDomainDef *def, const VbTimerDef *timer, GError **error)
{
    gboolean kvm = def->type == VB_DOMAIN_TYPE_KVM;
    gboolean fits;

    switch (timer->name) {
    case VB_TIMER_RTC:
        fits = timer->present != VB_TRISTATE_NO && (timer->tickpolicy == VB_TICKPOLICY_DEFAULT ||
                                                    timer->tickpolicy == VB_TICKPOLICY_DELAY ||
                                                    timer->tickpolicy == VB_TICKPOLICY_CATCHUP);
        fits = fits && timer->track != VB_TIMER_TRACK_BOOT;
        break;
    case VB_TIMER_PIT:
        fits = timer->present != VB_TRISTATE_NO && (timer->tickpolicy == VB_TICKPOLICY_DEFAULT ||
                                                    timer->tickpolicy == VB_TICKPOLICY_DELAY);
        break;
    case VB_TIMER_HPET:
        fits =
            timer->tickpolicy == VB_TICKPOLICY_DEFAULT || timer->tickpolicy == VB_TICKPOLICY_DELAY;
        break;
    case VB_TIMER_KVMCLOCK:
    case VB_TIMER_HYPERVCLOCK:
        fits = kvm || timer->present == VB_TRISTATE_NO;
        break;
    case VB_TIMER_TSC:
        fits = timer->present != VB_TRISTATE_NO && timer->tickpolicy == VB_TICKPOLICY_DEFAULT;
        break;
    case VB_TIMER_PLATFORM:
        fits = FALSE;
        break;
    default:
        g_return_val_if_reached(FALSE);
    }
    return fits ||
           refuse(def, error, "timer '%s' as it is given", vb_timer_name_to_string(timer->name));
}

static gboolean check_lifecycle(const VbDomainDef *def, GError **error)
{
    if (def->on_poweroff != VB_ON_EVENT_DESTROY && def->on_poweroff != VB_ON_EVENT_RESTART)
        return refuse(def, error, "on_poweroff '%s'", vb_on_event_to_string(def->on_poweroff));
    if (def->on_reboot != VB_ON_EVENT_DESTROY && def->on_reboot != VB_ON_EVENT_RESTART)
        return refuse(def, error, "on_reboot '%s'", vb_on_event_to_string(def->on_reboot));
    /* A power-off and a reboot would then look alike, and neither action could be told. */
    if (def->on_poweroff == VB_ON_EVENT_RESTART && def->on_reboot == VB_ON_EVENT_DESTROY)
        return refuse(def, error, "on_poweroff 'restart' together with on_reboot 'destroy'");
    if (def->on_crash != VB_ON_EVENT_DESTROY && def->on_crash != VB_ON_EVENT_RESTART &&
        def->on_crash != VB_ON_EVENT_PRESERVE)
        return refuse(def, error, "on_crash '%s'", vb_on_event_to_string(def->on_crash));
    return TRUE;
}

static gboolean check_graphics(const VbDomainDef *def, const VbQemuCaps *caps, GError **error)
{
    for (guint i = 0; i < def->graphics->len; i++) {
        const VbGraphicsDef *graphics = def->graphics->pdata[i];
        if (graphics->type == VB_GRAPHICS_SPICE && !vb_qemu_caps_has_spice(caps))
            return refuse(def, error, "the emulator %s has no SPICE", def->emulator);
        if (graphics->tls_port > 0)
            return refuse(def, error, "graphics with a TLS port");
    }
    return TRUE;
}

static gboolean check_devices(const VbDomainDef *def, const VbQemuCaps *caps, GError **error)
{
    VbQemuCommandInput input = {.def = def, .caps = caps, .run_dir = ""};
    g_autoptr(GPtrArray) types = vb_command_types(&input);

    for (guint i = 0; i < types->len; i++)
        if (!vb_qemu_caps_has_device(caps, types->pdata[i]))
            return refuse(def, error, "the emulator %s has no device '%s'", def->emulator,
                          (char *)types->pdata[i]);
    return TRUE;
}

/* ATA knows no write protection; QEMU refuses such a disk when it starts. */
static gboolean check_disks(const VbDomainDef *def, GError **error)
{
    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *disk = def->disks->pdata[i];
        if (disk->readonly && disk->device == VB_DISK_DEVICE_DISK &&
            (disk->bus == VB_DISK_BUS_IDE || disk->bus == VB_DISK_BUS_SATA))
            return refuse(def, error, "disk %s cannot be read-only on the bus '%s'", disk->target,
                          vb_disk_bus_to_string(disk->bus));
    }
    return TRUE;
}

/* For a multiboot kernel QEMU splits this option at its commas and opens each part; for others it
 * does not, so they cannot be escaped. */
static gboolean check_initrd(const VbDomainDef *def, GError **error)
{
    return !def->os.initrd || !strchr(def->os.initrd, ',') ||
           refuse(def, error, "an initrd whose path has a comma");
}

static gboolean check_interfaces(const VbDomainDef *def, const VbQemuCaps *caps, GError **error)
{
    guint version = vb_qemu_caps_version(caps);

    for (guint i = 0; i < def->interfaces->len; i++) {
        const VbInterfaceDef *interface = def->interfaces->pdata[i];
        if (interface->backend == VB_USER_BACKEND_PASST && version < STREAM_QEMU)
            return refuse(def, error, "passt needs QEMU 7.2 or newer, and %s is %u.%u",
                          def->emulator, version / 1000000, version / 1000 % 1000);
    }
    return TRUE;
}

gboolean vb_qemu_command_check(const VbDomainDef *def, const VbQemuCaps *caps, GError **error)
{
    if (!check_machine(def, caps, error) || !check_cpu(def, caps, error))
        return FALSE;
    for (guint i = 0; i < def->clock.timers->len; i++)
        if (!check_timer(def, def->clock.timers->pdata[i], error))
            return FALSE;
    return check_lifecycle(def, error) && check_initrd(def, error) && check_disks(def, error) &&
           check_interfaces(def, caps, error) && check_graphics(def, caps, error) &&
           check_devices(def, caps, error);
}
