/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Reads and writes the guest's machine: firmware and boot, features, CPU, clock, power states. */
#include "guest-xml.h"

#include <string.h>

#include "words.h"

/* --- <os> --- */

static void parse_os_type(VbXmlReader *reader, VbXmlElement *element, VbOsDef *os)
{
    VbXmlElement *type = vb_xml_required_child(reader, element, "type");
    if (!type)
        return;
    os->arch = vb_xml_attr(reader, type, "arch");
    os->machine = vb_xml_attr(reader, type, "machine");
    g_autofree char *word = vb_xml_text(reader, type);
    if (g_strcmp0(word, "hvm") != 0)
        vb_xml_fail(reader, type, VB_ERROR_NOT_SUPPORTED,
                    "guests of type '%s' are not supported, only 'hvm'", word ? word : "");
}

static void parse_boot_devices(VbXmlReader *reader, VbXmlElement *element, VbOsDef *os)
{
    VbXmlElement *boot = NULL;

    while ((boot = vb_xml_next(reader, element, boot, "boot"))) {
        VbBootDevice device = VB_BOOT_DEVICE_HD;

        if (!VB_XML_ENUM_ATTR(reader, boot, "dev", vb_boot_device, &device))
            vb_xml_fail(reader, boot, VB_ERROR_INVALID_XML, "attribute 'dev' is missing");
        for (guint i = 0; i < os->n_boot; i++)
            if (os->boot[i] == device)
                vb_xml_fail(reader, boot, VB_ERROR_INVALID_XML, "'%s' is given twice",
                            vb_boot_device_to_string(device));
        if (vb_xml_reader_failed(reader))
            return;
        os->boot[os->n_boot++] = device;
    }
}

void vb_os_parse(VbXmlReader *reader, VbXmlElement *domain, VbOsDef *os)
{
    VbXmlElement *element = vb_xml_required_child(reader, domain, "os");
    VbXmlElement *child;

    if (!element)
        return;
    VB_XML_ENUM_ATTR(reader, element, "firmware", vb_firmware, &os->firmware);
    parse_os_type(reader, element, os);
    parse_boot_devices(reader, element, os);
    if ((child = vb_xml_child(reader, element, "loader"))) {
        vb_xml_yes_no_attr(reader, child, "readonly", &os->loader_readonly);
        vb_xml_yes_no_attr(reader, child, "secure", &os->loader_secure);
        VB_XML_ENUM_ATTR(reader, child, "type", vb_loader_type, &os->loader_type);
        os->loader = vb_xml_path_text(reader, child);
    }
    if ((child = vb_xml_child(reader, element, "nvram"))) {
        os->nvram_template = vb_xml_path_attr(reader, child, "template");
        os->nvram = vb_xml_path_text(reader, child);
    }
    os->kernel = vb_xml_child_path(reader, element, "kernel");
    os->initrd = vb_xml_child_path(reader, element, "initrd");
    os->cmdline = vb_xml_child_text(reader, element, "cmdline");
    if ((child = vb_xml_child(reader, element, "bootmenu"))) {
        vb_xml_yes_no_attr(reader, child, "enable", &os->boot_menu);
        vb_xml_uint_attr(reader, child, "timeout", 0, G_MAXUINT16, &os->boot_menu_timeout);
    }
    if ((child = vb_xml_child(reader, element, "bios"))) {
        vb_xml_yes_no_attr(reader, child, "useserial", &os->bios_useserial);
        vb_xml_int_attr(reader, child, "rebootTimeout", -1, G_MAXINT16, &os->bios_reboot_timeout);
    }
}

void vb_os_format(VbXmlWriter *writer, const VbOsDef *os)
{
    vb_xml_write_start(writer, "os");
    vb_xml_write_attr(writer, "firmware", vb_firmware_to_string(os->firmware));
    vb_xml_write_start(writer, "type");
    vb_xml_write_attr(writer, "arch", os->arch);
    vb_xml_write_attr(writer, "machine", os->machine);
    vb_xml_write_text(writer, "hvm");
    vb_xml_write_end(writer);
    if (os->loader || os->loader_readonly || os->loader_secure || os->loader_type) {
        vb_xml_write_start(writer, "loader");
        vb_xml_write_yes_no(writer, "readonly", os->loader_readonly);
        vb_xml_write_yes_no(writer, "secure", os->loader_secure);
        vb_xml_write_attr(writer, "type", vb_loader_type_to_string(os->loader_type));
        vb_xml_write_text(writer, os->loader);
        vb_xml_write_end(writer);
    }
    if (os->nvram || os->nvram_template) {
        vb_xml_write_start(writer, "nvram");
        vb_xml_write_attr(writer, "template", os->nvram_template);
        vb_xml_write_text(writer, os->nvram);
        vb_xml_write_end(writer);
    }
    vb_xml_write_element(writer, "kernel", os->kernel);
    vb_xml_write_element(writer, "initrd", os->initrd);
    vb_xml_write_element(writer, "cmdline", os->cmdline);
    for (guint i = 0; i < os->n_boot; i++) {
        vb_xml_write_start(writer, "boot");
        vb_xml_write_attr(writer, "dev", vb_boot_device_to_string(os->boot[i]));
        vb_xml_write_end(writer);
    }
    if (os->boot_menu) {
        vb_xml_write_start(writer, "bootmenu");
        vb_xml_write_yes_no(writer, "enable", os->boot_menu);
        if (os->boot_menu_timeout)
            vb_xml_write_attr_printf(writer, "timeout", "%u", os->boot_menu_timeout);
        vb_xml_write_end(writer);
    }
    if (os->bios_useserial || os->bios_reboot_timeout != VB_REBOOT_TIMEOUT_ABSENT) {
        vb_xml_write_start(writer, "bios");
        vb_xml_write_yes_no(writer, "useserial", os->bios_useserial);
        if (os->bios_reboot_timeout != VB_REBOOT_TIMEOUT_ABSENT)
            vb_xml_write_attr_printf(writer, "rebootTimeout", "%d", os->bios_reboot_timeout);
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

/* --- <features> --- */

/* <name state='on|off'/>; without `state` it is on. */
static void parse_state(VbXmlReader *reader, VbXmlElement *parent, const char *name,
                        VbTristate *ret_state)
{
    VbXmlElement *element = vb_xml_child(reader, parent, name);

    if (!element)
        return;
    *ret_state = VB_TRISTATE_YES;
    vb_xml_on_off_attr(reader, element, "state", ret_state);
}

static void format_state(VbXmlWriter *writer, const char *name, VbTristate state)
{
    if (state == VB_TRISTATE_ABSENT)
        return;
    vb_xml_write_start(writer, name);
    vb_xml_write_on_off(writer, "state", state);
    vb_xml_write_end(writer);
}

static void parse_hyperv(VbXmlReader *reader, VbXmlElement *element, VbFeaturesDef *features)
{
    g_autofree char *mode = vb_xml_attr(reader, element, "mode");

    if (mode && !g_str_equal(mode, "custom"))
        vb_xml_fail_value(reader, element, "mode", mode);
    for (VbHyperv i = 0; i < VB_N_HYPERV; i++)
        parse_state(reader, element, vb_hyperv_to_string(i), &features->hyperv[i]);
    VbXmlElement *spinlocks = vb_xml_child(reader, element, "spinlocks");
    if (spinlocks)
        vb_xml_uint_attr(reader, spinlocks, "retries", 4095, G_MAXUINT,
                         &features->hyperv_spinlock_retries);
}

void vb_features_parse(VbXmlReader *reader, VbXmlElement *domain, VbFeaturesDef *features)
{
    VbXmlElement *element = vb_xml_child(reader, domain, "features");
    VbXmlElement *child;

    if (!element)
        return;
    features->acpi = vb_xml_child(reader, element, "acpi") != NULL;
    features->apic = vb_xml_child(reader, element, "apic") != NULL;
    features->pae = vb_xml_child(reader, element, "pae") != NULL;
    if ((child = vb_xml_child(reader, element, "hyperv")))
        parse_hyperv(reader, child, features);
    if ((child = vb_xml_child(reader, element, "kvm")))
        parse_state(reader, child, "hidden", &features->kvm_hidden);
    parse_state(reader, element, "pmu", &features->pmu);
    parse_state(reader, element, "vmport", &features->vmport);
    parse_state(reader, element, "smm", &features->smm);
}

static void format_hyperv(VbXmlWriter *writer, const VbFeaturesDef *features)
{
    gboolean any = FALSE;

    for (VbHyperv i = 0; i < VB_N_HYPERV; i++)
        any |= features->hyperv[i] != VB_TRISTATE_ABSENT;
    if (!any)
        return;
    vb_xml_write_start(writer, "hyperv");
    vb_xml_write_attr(writer, "mode", "custom");
    for (VbHyperv i = 0; i < VB_N_HYPERV; i++) {
        if (features->hyperv[i] == VB_TRISTATE_ABSENT)
            continue;
        vb_xml_write_start(writer, vb_hyperv_to_string(i));
        vb_xml_write_on_off(writer, "state", features->hyperv[i]);
        if (i == VB_HYPERV_SPINLOCKS && features->hyperv_spinlock_retries)
            vb_xml_write_attr_printf(writer, "retries", "%u", features->hyperv_spinlock_retries);
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

void vb_features_format(VbXmlWriter *writer, const VbFeaturesDef *features)
{
    static const VbFeaturesDef none;

    if (memcmp(features, &none, sizeof none) == 0)
        return;
    vb_xml_write_start(writer, "features");
    if (features->acpi)
        vb_xml_write_empty(writer, "acpi");
    if (features->apic)
        vb_xml_write_empty(writer, "apic");
    if (features->pae)
        vb_xml_write_empty(writer, "pae");
    format_hyperv(writer, features);
    if (features->kvm_hidden) {
        vb_xml_write_start(writer, "kvm");
        format_state(writer, "hidden", features->kvm_hidden);
        vb_xml_write_end(writer);
    }
    format_state(writer, "pmu", features->pmu);
    format_state(writer, "vmport", features->vmport);
    format_state(writer, "smm", features->smm);
    vb_xml_write_end(writer);
}

/* --- <cpu> --- */

static void parse_topology(VbXmlReader *reader, VbXmlElement *element, VbCpuDef *cpu)
{
    cpu->dies = 1;
    if (!vb_xml_uint_attr(reader, element, "sockets", 1, G_MAXUINT16, &cpu->sockets) ||
        !vb_xml_uint_attr(reader, element, "cores", 1, G_MAXUINT16, &cpu->cores) ||
        !vb_xml_uint_attr(reader, element, "threads", 1, G_MAXUINT16, &cpu->threads))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "'sockets', 'cores' and 'threads' are needed");
    vb_xml_uint_attr(reader, element, "dies", 1, G_MAXUINT16, &cpu->dies);
}

static void parse_cpu_features(VbXmlReader *reader, VbXmlElement *parent, VbCpuDef *cpu)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    VbXmlElement *element = NULL;

    while ((element = vb_xml_next(reader, parent, element, "feature"))) {
        VbCpuFeature *feature = g_new0(VbCpuFeature, 1);

        g_ptr_array_add(cpu->features, feature);
        VB_XML_ENUM_ATTR(reader, element, "policy", vb_cpu_feature_policy, &feature->policy);
        feature->name = vb_xml_required_attr(reader, element, "name");
        if (feature->name && !g_hash_table_add(names, feature->name))
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "CPU feature '%s' is given twice",
                        feature->name);
    }
}

void vb_cpu_parse(VbXmlReader *reader, VbXmlElement *domain, VbCpuDef *cpu)
{
    VbXmlElement *element = vb_xml_child(reader, domain, "cpu");
    VbXmlElement *child;

    if (!element)
        return;
    VB_XML_ENUM_ATTR(reader, element, "mode", vb_cpu_mode, &cpu->mode);
    VB_XML_ENUM_ATTR(reader, element, "match", vb_cpu_match, &cpu->match);
    VB_XML_ENUM_ATTR(reader, element, "check", vb_cpu_check, &cpu->check);
    vb_xml_on_off_attr(reader, element, "migratable", &cpu->migratable);
    if ((child = vb_xml_child(reader, element, "model"))) {
        VB_XML_ENUM_ATTR(reader, child, "fallback", vb_cpu_fallback, &cpu->fallback);
        cpu->model = vb_xml_text(reader, child);
        if (cpu->model && cpu->mode == VB_CPU_MODE_DEFAULT)
            cpu->mode = VB_CPU_MODE_CUSTOM;
    }
    if ((child = vb_xml_child(reader, element, "topology")))
        parse_topology(reader, child, cpu);
    parse_cpu_features(reader, element, cpu);
}

void vb_cpu_format(VbXmlWriter *writer, const VbCpuDef *cpu)
{
    if (cpu->mode == VB_CPU_MODE_DEFAULT && cpu->sockets == 0)
        return;
    vb_xml_write_start(writer, "cpu");
    vb_xml_write_attr(writer, "mode", vb_cpu_mode_to_string(cpu->mode));
    vb_xml_write_attr(writer, "match", vb_cpu_match_to_string(cpu->match));
    vb_xml_write_attr(writer, "check", vb_cpu_check_to_string(cpu->check));
    vb_xml_write_on_off(writer, "migratable", cpu->migratable);
    if (cpu->model || cpu->fallback) {
        vb_xml_write_start(writer, "model");
        vb_xml_write_attr(writer, "fallback", vb_cpu_fallback_to_string(cpu->fallback));
        vb_xml_write_text(writer, cpu->model);
        vb_xml_write_end(writer);
    }
    if (cpu->sockets) {
        vb_xml_write_start(writer, "topology");
        vb_xml_write_attr_printf(writer, "sockets", "%u", cpu->sockets);
        vb_xml_write_attr_printf(writer, "dies", "%u", cpu->dies);
        vb_xml_write_attr_printf(writer, "cores", "%u", cpu->cores);
        vb_xml_write_attr_printf(writer, "threads", "%u", cpu->threads);
        vb_xml_write_end(writer);
    }
    for (guint i = 0; i < cpu->features->len; i++) {
        const VbCpuFeature *feature = cpu->features->pdata[i];

        vb_xml_write_start(writer, "feature");
        vb_xml_write_attr(writer, "policy", vb_cpu_feature_policy_to_string(feature->policy));
        vb_xml_write_attr(writer, "name", feature->name);
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

/* --- <clock> --- */

static void parse_adjustment(VbXmlReader *reader, VbXmlElement *element, VbClockDef *clock)
{
    g_autofree char *value = vb_xml_attr(reader, element, "adjustment");
    gint64 seconds;

    if (!value)
        return;
    const char *digits = value[0] == '+' ? value + 1 : value;
    if (!g_ascii_string_to_signed(digits, 10, G_MININT32, G_MAXINT32, &seconds, NULL)) {
        vb_xml_fail_value(reader, element, "adjustment", value);
        return;
    }
    /* A clock of utc or localtime with a distance is a variable one from there. */
    if (clock->offset == VB_CLOCK_UTC || clock->offset == VB_CLOCK_LOCALTIME) {
        clock->basis =
            clock->offset == VB_CLOCK_UTC ? VB_CLOCK_BASIS_UTC : VB_CLOCK_BASIS_LOCALTIME;
        clock->offset = VB_CLOCK_VARIABLE;
    } else if (clock->offset != VB_CLOCK_VARIABLE) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "'adjustment' does not go with this offset");
    }
    clock->adjustment = seconds;
}

static void parse_timers(VbXmlReader *reader, VbXmlElement *parent, VbClockDef *clock)
{
    VbXmlElement *element = NULL;

    while ((element = vb_xml_next(reader, parent, element, "timer"))) {
        VbTimerDef *timer = g_new0(VbTimerDef, 1);

        g_ptr_array_add(clock->timers, timer);
        if (!VB_XML_ENUM_ATTR(reader, element, "name", vb_timer_name, &timer->name))
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'name' is missing");
        vb_xml_yes_no_attr(reader, element, "present", &timer->present);
        VB_XML_ENUM_ATTR(reader, element, "tickpolicy", vb_tickpolicy, &timer->tickpolicy);
        VB_XML_ENUM_ATTR(reader, element, "track", vb_timer_track, &timer->track);
        if (timer->track && timer->name != VB_TIMER_RTC && timer->name != VB_TIMER_PLATFORM)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                        "'track' goes with the timers rtc and platform only");
        if (timer->tickpolicy &&
            (timer->name == VB_TIMER_KVMCLOCK || timer->name == VB_TIMER_HYPERVCLOCK))
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                        "'tickpolicy' does not go with this timer");
        for (guint i = 0; i + 1 < clock->timers->len; i++)
            if (((VbTimerDef *)clock->timers->pdata[i])->name == timer->name)
                vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "timer '%s' is given twice",
                            vb_timer_name_to_string(timer->name));
        if (vb_xml_reader_failed(reader))
            return;
    }
}

void vb_clock_parse(VbXmlReader *reader, VbXmlElement *domain, VbClockDef *clock)
{
    VbXmlElement *element = vb_xml_child(reader, domain, "clock");

    if (!element)
        return;
    VB_XML_ENUM_ATTR(reader, element, "offset", vb_clock_offset, &clock->offset);
    if (clock->offset == VB_CLOCK_VARIABLE)
        VB_XML_ENUM_ATTR(reader, element, "basis", vb_clock_basis, &clock->basis);
    parse_adjustment(reader, element, clock);
    if (clock->offset == VB_CLOCK_TIMEZONE) {
        clock->timezone = vb_xml_required_attr(reader, element, "timezone");
        /* A name below the directory of time zones: QEMU's C library would open any other file. */
        if (clock->timezone && (!vb_is_word(clock->timezone, "_.+-/") ||
                                clock->timezone[0] == '/' || strstr(clock->timezone, "..")))
            vb_xml_fail_value(reader, element, "timezone", clock->timezone);
    }
    parse_timers(reader, element, clock);
}

void vb_clock_format(VbXmlWriter *writer, const VbClockDef *clock)
{
    vb_xml_write_start(writer, "clock");
    vb_xml_write_attr(writer, "offset", vb_clock_offset_to_string(clock->offset));
    if (clock->offset == VB_CLOCK_VARIABLE) {
        vb_xml_write_attr_printf(writer, "adjustment", "%" G_GINT64_FORMAT, clock->adjustment);
        vb_xml_write_attr(writer, "basis", vb_clock_basis_to_string(clock->basis));
    }
    vb_xml_write_attr(writer, "timezone", clock->timezone);
    for (guint i = 0; i < clock->timers->len; i++) {
        const VbTimerDef *timer = clock->timers->pdata[i];

        vb_xml_write_start(writer, "timer");
        vb_xml_write_attr(writer, "name", vb_timer_name_to_string(timer->name));
        vb_xml_write_yes_no(writer, "present", timer->present);
        vb_xml_write_attr(writer, "tickpolicy", vb_tickpolicy_to_string(timer->tickpolicy));
        vb_xml_write_attr(writer, "track", vb_timer_track_to_string(timer->track));
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

/* --- <pm> --- */

static void parse_pm_state(VbXmlReader *reader, VbXmlElement *pm, const char *name,
                           VbTristate *ret_state)
{
    VbXmlElement *element = vb_xml_child(reader, pm, name);

    if (element)
        vb_xml_yes_no_attr(reader, element, "enabled", ret_state);
}

void vb_pm_parse(VbXmlReader *reader, VbXmlElement *domain, VbDomainDef *def)
{
    VbXmlElement *pm = vb_xml_child(reader, domain, "pm");

    if (!pm)
        return;
    parse_pm_state(reader, pm, "suspend-to-mem", &def->suspend_to_mem);
    parse_pm_state(reader, pm, "suspend-to-disk", &def->suspend_to_disk);
}

static void format_pm_state(VbXmlWriter *writer, const char *name, VbTristate state)
{
    if (state == VB_TRISTATE_ABSENT)
        return;
    vb_xml_write_start(writer, name);
    vb_xml_write_yes_no(writer, "enabled", state);
    vb_xml_write_end(writer);
}

void vb_pm_format(VbXmlWriter *writer, const VbDomainDef *def)
{
    if (!def->suspend_to_mem && !def->suspend_to_disk)
        return;
    vb_xml_write_start(writer, "pm");
    format_pm_state(writer, "suspend-to-mem", def->suspend_to_mem);
    format_pm_state(writer, "suspend-to-disk", def->suspend_to_disk);
    vb_xml_write_end(writer);
}
