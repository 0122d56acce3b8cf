/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbDomainDef: its words, its life, and finding a device in it. */
#include "domain-def.h"

#include <string.h>

#include "error.h"

static const char *const domain_types[] = {
    [VB_DOMAIN_TYPE_TEST] = "test",
    [VB_DOMAIN_TYPE_QEMU] = "qemu",
    [VB_DOMAIN_TYPE_KVM] = "kvm",
};
VB_ENUM_DEFINE(VbDomainType, vb_domain_type, domain_types)

static const char *const boot_devices[] = {
    [VB_BOOT_DEVICE_HD] = "hd",
    [VB_BOOT_DEVICE_CDROM] = "cdrom",
    [VB_BOOT_DEVICE_NETWORK] = "network",
    [VB_BOOT_DEVICE_FD] = "fd",
};
VB_ENUM_DEFINE(VbBootDevice, vb_boot_device, boot_devices)

static const char *const firmwares[] = {
    [VB_FIRMWARE_BIOS] = "bios",
    [VB_FIRMWARE_EFI] = "efi",
};
VB_ENUM_DEFINE(VbFirmware, vb_firmware, firmwares)

static const char *const loader_types[] = {
    [VB_LOADER_TYPE_ROM] = "rom",
    [VB_LOADER_TYPE_PFLASH] = "pflash",
};
VB_ENUM_DEFINE(VbLoaderType, vb_loader_type, loader_types)

static const char *const hyperv_features[] = {
    [VB_HYPERV_RELAXED] = "relaxed",
    [VB_HYPERV_VAPIC] = "vapic",
    [VB_HYPERV_SPINLOCKS] = "spinlocks",
    [VB_HYPERV_VPINDEX] = "vpindex",
    [VB_HYPERV_RUNTIME] = "runtime",
    [VB_HYPERV_SYNIC] = "synic",
    [VB_HYPERV_STIMER] = "stimer",
    [VB_HYPERV_RESET] = "reset",
    [VB_HYPERV_FREQUENCIES] = "frequencies",
    [VB_HYPERV_REENLIGHTENMENT] = "reenlightenment",
    [VB_HYPERV_TLBFLUSH] = "tlbflush",
    [VB_HYPERV_IPI] = "ipi",
    [VB_HYPERV_EVMCS] = "evmcs",
};
VB_ENUM_DEFINE(VbHyperv, vb_hyperv, hyperv_features)

static const char *const cpu_modes[] = {
    [VB_CPU_MODE_CUSTOM] = "custom",
    [VB_CPU_MODE_HOST_MODEL] = "host-model",
    [VB_CPU_MODE_HOST_PASSTHROUGH] = "host-passthrough",
    [VB_CPU_MODE_MAXIMUM] = "maximum",
};
VB_ENUM_DEFINE(VbCpuMode, vb_cpu_mode, cpu_modes)

static const char *const cpu_matches[] = {
    [VB_CPU_MATCH_MINIMUM] = "minimum",
    [VB_CPU_MATCH_EXACT] = "exact",
    [VB_CPU_MATCH_STRICT] = "strict",
};
VB_ENUM_DEFINE(VbCpuMatch, vb_cpu_match, cpu_matches)

static const char *const cpu_checks[] = {
    [VB_CPU_CHECK_NONE] = "none",
    [VB_CPU_CHECK_PARTIAL] = "partial",
    [VB_CPU_CHECK_FULL] = "full",
};
VB_ENUM_DEFINE(VbCpuCheck, vb_cpu_check, cpu_checks)

static const char *const cpu_fallbacks[] = {
    [VB_CPU_FALLBACK_ALLOW] = "allow",
    [VB_CPU_FALLBACK_FORBID] = "forbid",
};
VB_ENUM_DEFINE(VbCpuFallback, vb_cpu_fallback, cpu_fallbacks)

static const char *const cpu_policies[] = {
    [VB_CPU_FEATURE_REQUIRE] = "require",   [VB_CPU_FEATURE_FORCE] = "force",
    [VB_CPU_FEATURE_OPTIONAL] = "optional", [VB_CPU_FEATURE_DISABLE] = "disable",
    [VB_CPU_FEATURE_FORBID] = "forbid",
};
VB_ENUM_DEFINE(VbCpuFeaturePolicy, vb_cpu_feature_policy, cpu_policies)

static const char *const clock_offsets[] = {
    [VB_CLOCK_UTC] = "utc",
    [VB_CLOCK_LOCALTIME] = "localtime",
    [VB_CLOCK_VARIABLE] = "variable",
    [VB_CLOCK_TIMEZONE] = "timezone",
};
VB_ENUM_DEFINE(VbClockOffset, vb_clock_offset, clock_offsets)

static const char *const clock_bases[] = {
    [VB_CLOCK_BASIS_UTC] = "utc",
    [VB_CLOCK_BASIS_LOCALTIME] = "localtime",
};
VB_ENUM_DEFINE(VbClockBasis, vb_clock_basis, clock_bases)

static const char *const timer_names[] = {
    [VB_TIMER_PLATFORM] = "platform",
    [VB_TIMER_PIT] = "pit",
    [VB_TIMER_RTC] = "rtc",
    [VB_TIMER_HPET] = "hpet",
    [VB_TIMER_TSC] = "tsc",
    [VB_TIMER_KVMCLOCK] = "kvmclock",
    [VB_TIMER_HYPERVCLOCK] = "hypervclock",
};
VB_ENUM_DEFINE(VbTimerName, vb_timer_name, timer_names)

static const char *const tickpolicies[] = {
    [VB_TICKPOLICY_DELAY] = "delay",
    [VB_TICKPOLICY_CATCHUP] = "catchup",
    [VB_TICKPOLICY_MERGE] = "merge",
    [VB_TICKPOLICY_DISCARD] = "discard",
};
VB_ENUM_DEFINE(VbTickpolicy, vb_tickpolicy, tickpolicies)

static const char *const timer_tracks[] = {
    [VB_TIMER_TRACK_BOOT] = "boot",
    [VB_TIMER_TRACK_GUEST] = "guest",
    [VB_TIMER_TRACK_WALL] = "wall",
    [VB_TIMER_TRACK_REALTIME] = "realtime",
};
VB_ENUM_DEFINE(VbTimerTrack, vb_timer_track, timer_tracks)

static const char *const on_events[] = {
    [VB_ON_EVENT_DESTROY] = "destroy",
    [VB_ON_EVENT_RESTART] = "restart",
    [VB_ON_EVENT_PRESERVE] = "preserve",
    [VB_ON_EVENT_RENAME_RESTART] = "rename-restart",
    [VB_ON_EVENT_COREDUMP_DESTROY] = "coredump-destroy",
    [VB_ON_EVENT_COREDUMP_RESTART] = "coredump-restart",
};
VB_ENUM_DEFINE(VbOnEvent, vb_on_event, on_events)

void vb_cpu_feature_free(VbCpuFeature *feature)
{
    g_free(feature->name);
    g_free(feature);
}

static VbCpuFeature *cpu_feature_copy(const VbCpuFeature *feature)
{
    VbCpuFeature *copy = g_memdup2(feature, sizeof *feature);

    copy->name = g_strdup(feature->name);
    return copy;
}

void vb_timer_def_free(VbTimerDef *timer)
{
    g_free(timer);
}

static VbTimerDef *timer_copy(const VbTimerDef *timer)
{
    return g_memdup2(timer, sizeof *timer);
}

/* The arrays and the strings of a domain, each named once. */
#define ARRAYS(X)                                                                                  \
    X(cpu.features, cpu_feature_copy, vb_cpu_feature_free)                                         \
    X(clock.timers, timer_copy, vb_timer_def_free)                                                 \
    X(disks, vb_disk_def_copy, vb_disk_def_free)                                                   \
    X(controllers, vb_controller_def_copy, vb_controller_def_free)                                 \
    X(interfaces, vb_interface_def_copy, vb_interface_def_free)                                    \
    X(serials, vb_char_def_copy, vb_char_def_free)                                                 \
    X(parallels, vb_char_def_copy, vb_char_def_free)                                               \
    X(consoles, vb_char_def_copy, vb_char_def_free)                                                \
    X(channels, vb_char_def_copy, vb_char_def_free)                                                \
    X(inputs, vb_input_def_copy, vb_input_def_free)                                                \
    X(graphics, vb_graphics_def_copy, vb_graphics_def_free)                                        \
    X(videos, vb_video_def_copy, vb_video_def_free)                                                \
    X(rngs, vb_rng_def_copy, vb_rng_def_free)

#define STRINGS(X)                                                                                 \
    X(name)                                                                                        \
    X(uuid)                                                                                        \
    X(title)                                                                                       \
    X(description)                                                                                 \
    X(metadata_xml)                                                                                \
    X(os.arch)                                                                                     \
    X(os.machine)                                                                                  \
    X(os.loader)                                                                                   \
    X(os.nvram)                                                                                    \
    X(os.nvram_template)                                                                           \
    X(os.kernel)                                                                                   \
    X(os.initrd)                                                                                   \
    X(os.cmdline)                                                                                  \
    X(cpu.model)                                                                                   \
    X(clock.timezone)                                                                              \
    X(emulator)

VbDomainDef *vb_domain_def_new(void)
{
    VbDomainDef *def = g_rc_box_new0(VbDomainDef);

#define NEW_ARRAY(field, copy, free)                                                               \
    def->field = g_ptr_array_new_with_free_func((GDestroyNotify)free);
    ARRAYS(NEW_ARRAY)
    def->os.bios_reboot_timeout = VB_REBOOT_TIMEOUT_ABSENT;
    return def;
}

VbDomainDef *vb_domain_def_ref(VbDomainDef *def)
{
    return g_rc_box_acquire(def);
}

static void domain_def_clear(VbDomainDef *def)
{
#define FREE_ARRAY(field, copy, free) g_ptr_array_unref(def->field);
    ARRAYS(FREE_ARRAY)
#define FREE_STRING(field) g_free(def->field);
    STRINGS(FREE_STRING)
    vb_memballoon_def_free(def->memballoon);
    vb_watchdog_def_free(def->watchdog);
}

void vb_domain_def_unref(VbDomainDef *def)
{
    if (def)
        g_rc_box_release_full(def, (GDestroyNotify)domain_def_clear);
}

/* GCopyFunc of an array whose elements have a copy function of one argument: that one. */
static gpointer copy_element(gconstpointer element, gpointer copy)
{
    gpointer (*copy_one)(gconstpointer) = copy;

    return copy_one(element);
}

VbDomainDef *vb_domain_def_copy(const VbDomainDef *def)
{
    VbDomainDef *copy = g_rc_box_new(VbDomainDef);

    *copy = *def;
#define COPY_ARRAY(field, copy_one, free)                                                          \
    copy->field = g_ptr_array_copy(def->field, copy_element, (gpointer)copy_one);
    ARRAYS(COPY_ARRAY)
#define COPY_STRING(field) copy->field = g_strdup(def->field);
    STRINGS(COPY_STRING)
    copy->memballoon = def->memballoon ? vb_memballoon_def_copy(def->memballoon) : NULL;
    copy->watchdog = def->watchdog ? vb_watchdog_def_copy(def->watchdog) : NULL;
    return copy;
}

gboolean vb_domain_def_is_q35(const VbDomainDef *def)
{
    return g_str_equal(def->os.machine, "q35") || g_str_has_prefix(def->os.machine, "pc-q35");
}

VbDiskDef *vb_domain_def_find_disk(const VbDomainDef *def, const char *name, GError **error)
{
    VbDiskDef *found = NULL;

    for (guint i = 0; i < def->disks->len; i++) {
        VbDiskDef *disk = def->disks->pdata[i];

        if (g_strcmp0(disk->target, name) == 0)
            return disk;
    }
    for (guint i = 0; i < def->disks->len; i++) {
        VbDiskDef *disk = def->disks->pdata[i];
        g_autofree char *source = disk->source ? vb_disk_source_to_string(disk->source) : NULL;

        if (g_strcmp0(source, name) != 0)
            continue;
        if (found) {
            g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                        "disk '%s' of domain %s is ambiguous: %s and %s have this source", name,
                        def->name, found->target, disk->target);
            return NULL;
        }
        found = disk;
    }
    if (!found)
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "domain %s has no disk '%s'", def->name,
                    name);
    return found;
}

VbControllerDef *vb_domain_def_find_controller(const VbDomainDef *def, VbControllerType type,
                                               guint index)
{
    for (guint i = 0; i < def->controllers->len; i++) {
        VbControllerDef *controller = def->controllers->pdata[i];

        if (controller->type == type && controller->index == index)
            return controller;
    }
    return NULL;
}
