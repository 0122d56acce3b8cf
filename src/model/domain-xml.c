/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads and writes a whole `<domain>`: what concerns the domain itself, and the order of the rest.
 * A parse is: read strictly, fill in the defaults, validate. */
#include "domain-def.h"

#include "definition.h"
#include "device-xml.h"
#include "disk-xml.h"
#include "domain-defaults.h"
#include "domain-validate.h"
#include "guest-xml.h"
#include "memory-xml.h"

#define MAX_DEVICES 1024
#define MAX_VCPUS 4096

/* Elements of libvirt's domain format that virtbus does not do, wherever they stand. */
static const char *const unsupported[] = {
    "audio",
    "auth",
    "backenddomain",
    "blockio",
    "bootloader",
    "cache",
    "cachetune",
    "channels",
    "coalesce",
    "crypto",
    "device",
    "emulator_period",
    "emulator_quota",
    "emulatorpin",
    "emulatorsched",
    "encryption",
    "filesystem",
    "filterref",
    "firmware",
    "genid",
    "geometry",
    "gl",
    "hostdev",
    "hub",
    "idmap",
    "ioapic",
    "iommu",
    "iothread_period",
    "iothread_quota",
    "iothreadids",
    "iothreadpin",
    "iothreads",
    "iothreadsched",
    "keywrap",
    "launchSecurity",
    "lease",
    "log",
    "maxMemory",
    "maxphysaddr",
    "memory",
    "memoryBacking",
    "memorytune",
    "min_guarantee",
    "mirror",
    "numa",
    "numatune",
    "nvram",
    "on_lockfailure",
    "panic",
    "perf",
    "period",
    "product",
    "quota",
    "redirdev",
    "redirfilter",
    "reservations",
    "resource",
    "script",
    "seclabel",
    "shmem",
    "smartcard",
    "smbios",
    "sound",
    "swap_hard_limit",
    "sysinfo",
    "teaming",
    "tpm",
    "tune",
    "vcpupin",
    "vcpus",
    "vcpusched",
    "vendor",
    "virtualport",
    "vsock",
    "wwn",
    NULL,
};

/* --- identity and resources --- */

static void parse_metadata(VbXmlReader *reader, VbXmlElement *domain, VbDomainDef *def)
{
    VbXmlElement *element = vb_xml_child(reader, domain, "metadata");

    if (element)
        def->metadata_xml = vb_xml_take(reader, element);
}

static void parse_vcpu(VbXmlReader *reader, VbXmlElement *domain, VbDomainDef *def)
{
    VbXmlElement *element = vb_xml_child(reader, domain, "vcpu");
    if (!element)
        return;

    g_autofree char *placement = vb_xml_attr(reader, element, "placement");
    if (placement && !g_str_equal(placement, "static"))
        vb_xml_fail_value(reader, element, "placement", placement);
    def->vcpus_max = (guint)vb_xml_uint64_text(reader, element, MAX_VCPUS);
    if (def->vcpus_max == 0)
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "a domain has at least one vCPU");
    vb_xml_uint_attr(reader, element, "current", 1, MAX_VCPUS, &def->vcpus);
}

static void parse_identity(VbXmlReader *reader, VbXmlElement *domain, VbXmlFlags flags,
                           VbDomainDef *def)
{
    VbXmlElement *element;
    guint id = 0;

    if (!VB_XML_ENUM_ATTR(reader, domain, "type", vb_domain_type, &def->type))
        vb_xml_fail(reader, domain, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
    vb_xml_uint_attr(reader, domain, "id", 0, G_MAXUINT, &id);
    if (flags & VB_XML_LIVE)
        def->id = id;
    if ((element = vb_xml_required_child(reader, domain, "name")))
        def->name = vb_xml_text(reader, element);
    def->uuid = vb_definition_parse_uuid(reader, domain);
    def->title = vb_xml_child_text(reader, domain, "title");
    if ((element = vb_xml_child(reader, domain, "description")))
        def->description = vb_xml_prose(reader, element);
    parse_metadata(reader, domain, def);
}

static void parse_resources(VbXmlReader *reader, VbXmlElement *domain, VbDomainDef *def)
{
    VbXmlElement *element;

    if ((element = vb_xml_required_child(reader, domain, "memory")))
        def->memory = vb_memory_parse(reader, element);
    if ((element = vb_xml_child(reader, domain, "currentMemory")))
        def->current_memory = vb_memory_parse(reader, element);
    parse_vcpu(reader, domain, def);
    vb_tune_def_parse(reader, domain, &def->tune);
}

static void format_vcpu(VbXmlWriter *writer, const VbDomainDef *def)
{
    g_autofree char *max = g_strdup_printf("%u", def->vcpus_max);

    vb_xml_write_start(writer, "vcpu");
    if (def->vcpus != def->vcpus_max)
        vb_xml_write_attr_printf(writer, "current", "%u", def->vcpus);
    vb_xml_write_text(writer, max);
    vb_xml_write_end(writer);
}

/* --- devices --- */

/* Each kind of device that a domain may have several of: element, its array, its two functions. */
#define DEVICE_ARRAYS(X)                                                                           \
    X("disk", disks, vb_disk_def)                                                                  \
    X("controller", controllers, vb_controller_def)                                                \
    X("interface", interfaces, vb_interface_def)                                                   \
    X("serial", serials, vb_char_def)                                                              \
    X("parallel", parallels, vb_char_def)                                                          \
    X("console", consoles, vb_char_def)                                                            \
    X("channel", channels, vb_char_def)                                                            \
    X("input", inputs, vb_input_def)                                                               \
    X("graphics", graphics, vb_graphics_def)                                                       \
    X("video", videos, vb_video_def)                                                               \
    X("rng", rngs, vb_rng_def)

static void parse_device(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags,
                         VbDomainDef *def)
{
    const char *name = vb_xml_name(element);

#define PARSE_DEVICE(word, field, prefix)                                                          \
    if (g_str_equal(name, word)) {                                                                 \
        vb_xml_accept(element);                                                                    \
        g_ptr_array_add(def->field, prefix##_parse(reader, element, flags));                       \
        return;                                                                                    \
    }
    DEVICE_ARRAYS(PARSE_DEVICE)
    if (g_str_equal(name, "emulator") && !def->emulator) {
        vb_xml_accept(element);
        def->emulator = vb_xml_path_text(reader, element);
    } else if (g_str_equal(name, "memballoon") && !def->memballoon) {
        vb_xml_accept(element);
        def->memballoon = vb_memballoon_def_parse(reader, element, flags);
    } else if (g_str_equal(name, "watchdog") && !def->watchdog) {
        vb_xml_accept(element);
        def->watchdog = vb_watchdog_def_parse(reader, element, flags);
    } else if (g_str_equal(name, "audio") && !def->no_audio) {
        /* libvirt's dumps of guests with graphics have one that says: no sound. */
        g_autofree char *type = vb_xml_attr(reader, element, "type");
        if (g_strcmp0(type, "none") == 0) {
            vb_xml_accept(element);
            def->no_audio = 1;
            vb_xml_uint_attr(reader, element, "id", 1, G_MAXUINT16, &def->no_audio);
        }
    }
}

static void parse_devices(VbXmlReader *reader, VbXmlElement *domain, VbXmlFlags flags,
                          VbDomainDef *def)
{
    VbXmlElement *devices = vb_xml_child(reader, domain, "devices");
    VbXmlElement *element = NULL;
    guint count = 0;

    if (!devices)
        return;
    while ((element = vb_xml_next_any(devices, element))) {
        if (++count > MAX_DEVICES)
            vb_xml_fail(reader, element, VB_ERROR_LIMITS_EXCEEDED,
                        "a domain has at most %d devices", MAX_DEVICES);
        if (vb_xml_reader_failed(reader))
            return;
        parse_device(reader, element, flags, def);
    }
}

static void format_devices(VbXmlWriter *writer, const VbDomainDef *def, VbFormatFlags flags)
{
    vb_xml_write_start(writer, "devices");
    vb_xml_write_element(writer, "emulator", def->emulator);
#define FORMAT_DEVICES(word, field, prefix)                                                        \
    for (guint i = 0; i < def->field->len; i++)                                                    \
        prefix##_format(writer, def->field->pdata[i], flags);
    DEVICE_ARRAYS(FORMAT_DEVICES)
    if (def->memballoon)
        vb_memballoon_def_format(writer, def->memballoon, flags);
    if (def->watchdog)
        vb_watchdog_def_format(writer, def->watchdog, flags);
    if (def->no_audio) {
        vb_xml_write_start(writer, "audio");
        vb_xml_write_attr_printf(writer, "id", "%u", def->no_audio);
        vb_xml_write_attr(writer, "type", "none");
        vb_xml_write_end(writer);
    }
    vb_xml_write_end(writer);
}

/* --- the domain --- */

VbDomainDef *vb_domain_def_parse(const char *xml, gssize len, VbXmlFlags flags, GError **error)
{
    gsize max_size = flags & VB_XML_STORED ? VB_XML_STORED_MAX_SIZE : VB_XML_MAX_SIZE;
    g_autoptr(VbXmlReader) reader = vb_xml_reader_new(xml, len, max_size, "domain", error);
    if (!reader)
        return NULL;

    VbXmlElement *domain = vb_xml_reader_root(reader);
    g_autoptr(VbDomainDef) def = vb_domain_def_new();
    def->on_reboot = VB_ON_EVENT_RESTART;
    parse_identity(reader, domain, flags, def);
    parse_resources(reader, domain, def);
    vb_os_parse(reader, domain, &def->os);
    vb_features_parse(reader, domain, &def->features);
    vb_cpu_parse(reader, domain, &def->cpu);
    vb_clock_parse(reader, domain, &def->clock);
    VB_XML_ENUM_CHILD(reader, domain, "on_poweroff", vb_on_event, &def->on_poweroff);
    VB_XML_ENUM_CHILD(reader, domain, "on_reboot", vb_on_event, &def->on_reboot);
    VB_XML_ENUM_CHILD(reader, domain, "on_crash", vb_on_event, &def->on_crash);
    vb_pm_parse(reader, domain, def);
    parse_devices(reader, domain, flags, def);
    if (!vb_xml_reader_finish(reader, unsupported, error))
        return NULL;
    vb_domain_def_fill_defaults(def);
    if (!vb_domain_def_check(def, reader, error))
        return NULL;
    return g_steal_pointer(&def);
}

char *vb_domain_def_format(const VbDomainDef *def, VbFormatFlags flags)
{
    VbXmlWriter *writer = vb_xml_writer_new();

    vb_xml_write_start(writer, "domain");
    vb_xml_write_attr(writer, "type", vb_domain_type_to_string(def->type));
    if (def->id && (flags & VB_FORMAT_LIVE))
        vb_xml_write_attr_printf(writer, "id", "%u", def->id);
    vb_xml_write_element(writer, "name", def->name);
    vb_xml_write_element(writer, "uuid", def->uuid);
    vb_xml_write_element(writer, "title", def->title);
    vb_xml_write_element(writer, "description", def->description);
    vb_xml_write_raw(writer, def->metadata_xml);
    vb_memory_format(writer, "memory", def->memory);
    vb_memory_format(writer, "currentMemory", def->current_memory);
    vb_tune_def_format_memory(writer, &def->tune);
    format_vcpu(writer, def);
    vb_tune_def_format_cpu(writer, &def->tune);
    vb_os_format(writer, &def->os);
    vb_features_format(writer, &def->features);
    vb_cpu_format(writer, &def->cpu);
    vb_clock_format(writer, &def->clock);
    vb_xml_write_element(writer, "on_poweroff", vb_on_event_to_string(def->on_poweroff));
    vb_xml_write_element(writer, "on_reboot", vb_on_event_to_string(def->on_reboot));
    vb_xml_write_element(writer, "on_crash", vb_on_event_to_string(def->on_crash));
    vb_pm_format(writer, def);
    format_devices(writer, def, flags);
    vb_xml_write_end(writer);
    return vb_xml_writer_free_to_string(writer);
}
