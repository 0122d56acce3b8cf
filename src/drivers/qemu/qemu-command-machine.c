/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The board: machine, accelerator, CPU, clock and firmware. */
#include <string.h>

#include "qemu-command-private.h"

void vb_command_machine(VbCommand *command)
{
    const VbDomainDef *def = command->def;
    const VbQemuMachine *machine = vb_qemu_caps_machine(command->input->caps, def->os.machine);
    g_autoptr(GString) value = g_string_new(def->os.machine);

    g_string_append(value, ",usb=off,dump-guest-core=off");
    if (machine && machine->default_ram_id)
        g_string_append_printf(value, ",memory-backend=%s", machine->default_ram_id);
    g_string_append_printf(value, ",acpi=%s", def->features.acpi ? "on" : "off");
    if (def->features.smm != VB_TRISTATE_ABSENT)
        g_string_append_printf(value, ",smm=%s", vb_command_on_off(def->features.smm));
    if (def->features.vmport != VB_TRISTATE_ABSENT)
        g_string_append_printf(value, ",vmport=%s", vb_command_on_off(def->features.vmport));
    if (def->os.bios_useserial == VB_TRISTATE_YES)
        g_string_append(value, ",graphics=off");
    for (guint i = 0; i < def->clock.timers->len; i++) {
        const VbTimerDef *timer = def->clock.timers->pdata[i];
        if (timer->name == VB_TIMER_HPET && timer->present != VB_TRISTATE_ABSENT)
            g_string_append_printf(value, ",hpet=%s", vb_command_on_off(timer->present));
    }
    if (def->os.loader && def->os.loader_type == VB_LOADER_TYPE_PFLASH) {
        g_string_append(value, ",pflash0=vb-pflash0");
        if (def->os.nvram)
            g_string_append(value, ",pflash1=vb-pflash1");
    }
    vb_command_add(command, "-machine", value->str);
    vb_command_add(command, "-accel", def->type == VB_DOMAIN_TYPE_KVM ? "kvm" : "tcg");
}

/* ---- CPU --------------------------------------------------------------------------------------
 */

/* What the machine would take by itself: "qemu64-x86_64-cpu" is called "qemu64" by -cpu. */
static char *default_cpu(const VbDomainDef *def, const VbQemuCaps *caps)
{
    const VbQemuMachine *machine = vb_qemu_caps_machine(caps, def->os.machine);
    g_autofree char *suffix = g_strdup_printf("-%s-cpu", vb_qemu_caps_arch(caps));

    if (!machine || !machine->default_cpu)
        return g_strdup("max");
    if (!g_str_has_suffix(machine->default_cpu, suffix))
        return g_strdup(machine->default_cpu);
    return g_strndup(machine->default_cpu, strlen(machine->default_cpu) - strlen(suffix));
}

char *vb_command_cpu_model(const VbDomainDef *def, const VbQemuCaps *caps)
{
    gboolean kvm = def->type == VB_DOMAIN_TYPE_KVM;

    switch (def->cpu.mode) {
    case VB_CPU_MODE_DEFAULT:
        return NULL;
    case VB_CPU_MODE_CUSTOM:
        return g_strdup(def->cpu.model);
    case VB_CPU_MODE_HOST_PASSTHROUGH:
        return g_strdup("host");
    case VB_CPU_MODE_HOST_MODEL:
        /* The nearest to the host that the accelerator can do. */
        return g_strdup(kvm ? "host" : "max");
    case VB_CPU_MODE_MAXIMUM:
        return g_strdup("max");
    }
    g_return_val_if_reached(NULL);
}

static void add_cpu_flags(const VbDomainDef *def, GString *flags)
{
    for (guint i = 0; i < def->cpu.features->len; i++) {
        const VbCpuFeature *feature = def->cpu.features->pdata[i];
        gboolean on = feature->policy == VB_CPU_FEATURE_REQUIRE ||
                      feature->policy == VB_CPU_FEATURE_FORCE ||
                      feature->policy == VB_CPU_FEATURE_OPTIONAL;
        g_string_append_printf(flags, ",%s=%s", feature->name, on ? "on" : "off");
    }
    if (def->cpu.migratable != VB_TRISTATE_ABSENT)
        g_string_append_printf(flags, ",migratable=%s", vb_command_on_off(def->cpu.migratable));
    if (def->features.pmu != VB_TRISTATE_ABSENT)
        g_string_append_printf(flags, ",pmu=%s", vb_command_on_off(def->features.pmu));
    if (def->type != VB_DOMAIN_TYPE_KVM)
        return;
    if (def->features.kvm_hidden == VB_TRISTATE_YES)
        g_string_append(flags, ",kvm=off");
    for (guint i = 0; i < def->clock.timers->len; i++) {
        const VbTimerDef *timer = def->clock.timers->pdata[i];
        if (timer->name == VB_TIMER_KVMCLOCK && timer->present != VB_TRISTATE_ABSENT)
            g_string_append_printf(flags, ",kvmclock=%s", vb_command_on_off(timer->present));
        if (timer->name == VB_TIMER_HYPERVCLOCK && timer->present == VB_TRISTATE_YES)
            g_string_append(flags, ",hv-time=on");
    }
    for (VbHyperv i = 0; i < VB_N_HYPERV; i++) {
        if (def->features.hyperv[i] != VB_TRISTATE_YES)
            continue;
        if (i == VB_HYPERV_SPINLOCKS)
            g_string_append_printf(flags, ",hv-spinlocks=0x%x",
                                   def->features.hyperv_spinlock_retries);
        else
            g_string_append_printf(flags, ",hv-%s=on", vb_hyperv_to_string(i));
    }
}

void vb_command_cpu(VbCommand *command)
{
    const VbDomainDef *def = command->def;
    g_autofree char *model = vb_command_cpu_model(def, command->input->caps);
    g_autoptr(GString) flags = g_string_new(NULL);

    add_cpu_flags(def, flags);
    if (!model && flags->len > 0)
        model = default_cpu(def, command->input->caps);
    if (model)
        vb_command_take(command, "-cpu", g_strconcat(model, flags->str, NULL));
}

/* ---- clock ------------------------------------------------------------------------------------
 */

static char *rtc_base(const VbCommand *command)
{
    const VbClockDef *clock = &command->def->clock;

    if (clock->offset == VB_CLOCK_LOCALTIME || clock->offset == VB_CLOCK_TIMEZONE)
        return g_strdup("localtime");
    if (clock->offset == VB_CLOCK_UTC)
        return g_strdup("utc");

    g_autoptr(GDateTime) now = clock->basis == VB_CLOCK_BASIS_LOCALTIME
                                   ? g_date_time_new_from_unix_local(command->input->now)
                                   : g_date_time_new_from_unix_utc(command->input->now);
    g_autoptr(GDateTime) base =
        now ? g_date_time_add(now, clock->adjustment * G_TIME_SPAN_SECOND) : NULL;
    return base ? g_date_time_format(base, "%Y-%m-%dT%H:%M:%S") : g_strdup("utc");
}

void vb_command_clock(VbCommand *command)
{
    const VbDomainDef *def = command->def;
    g_autofree char *base = rtc_base(command);
    g_autoptr(GString) rtc = g_string_new(NULL);

    g_string_printf(rtc, "base=%s", base);
    for (guint i = 0; i < def->clock.timers->len; i++) {
        const VbTimerDef *timer = def->clock.timers->pdata[i];
        if (timer->name == VB_TIMER_PIT && timer->tickpolicy == VB_TICKPOLICY_DELAY &&
            def->type == VB_DOMAIN_TYPE_KVM)
            vb_command_add(command, "-global", "kvm-pit.lost_tick_policy=delay");
        if (timer->name != VB_TIMER_RTC)
            continue;
        if (timer->track == VB_TIMER_TRACK_GUEST)
            g_string_append(rtc, ",clock=vm");
        else if (timer->track == VB_TIMER_TRACK_REALTIME)
            g_string_append(rtc, ",clock=rt");
        else if (timer->track == VB_TIMER_TRACK_WALL)
            g_string_append(rtc, ",clock=host");
        if (timer->tickpolicy == VB_TICKPOLICY_CATCHUP)
            g_string_append(rtc, ",driftfix=slew");
    }
    vb_command_add(command, "-rtc", rtc->str);
}

/* ---- firmware ---------------------------------------------------------------------------------
 */

static void add_pflash(VbCommand *command, const char *node, const char *path, gboolean readonly)
{
    g_autofree char *file = g_strconcat(node, "-file", NULL);

    vb_command_take(command, "-blockdev",
                    vb_qmp_args_to_string(vb_qmp_args(
                        VB_ARG_STRING("driver", "file"), VB_ARG_STRING("filename", path),
                        VB_ARG_STRING("node-name", file), VB_ARG_BOOL("auto-read-only", TRUE))));
    vb_command_take(command, "-blockdev",
                    vb_qmp_args_to_string(vb_qmp_args(
                        VB_ARG_STRING("driver", "raw"), VB_ARG_STRING("file", file),
                        VB_ARG_STRING("node-name", node), VB_ARG_BOOL("read-only", readonly))));
}

void vb_command_firmware(VbCommand *command)
{
    const VbOsDef *os = &command->def->os;

    if (!os->loader)
        return;
    if (os->loader_type != VB_LOADER_TYPE_PFLASH) {
        vb_command_add(command, "-bios", os->loader);
        return;
    }
    add_pflash(command, "vb-pflash0", os->loader, os->loader_readonly != VB_TRISTATE_NO);
    if (os->nvram)
        add_pflash(command, "vb-pflash1", os->nvram, FALSE);
    if (os->loader_secure == VB_TRISTATE_YES)
        vb_command_add(command, "-global", "driver=cfi.pflash01,property=secure,value=on");
}
