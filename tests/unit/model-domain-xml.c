/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whole documents: what is read is written, a dump is a fixed point and valid against libvirt's
 * schema, a copy is equal, and what run-time facts are is dropped or kept as asked. */
#include "model-fixture.h"

#include <string.h>

/* Everything that can be asked of a document, whatever stands in it. */
static void test_document(gconstpointer data)
{
    g_autofree char *xml = model_read_document(data);
    static const struct {
        VbXmlFlags parse;
        VbFormatFlags format;
    } ways[] = {
        {VB_XML_NONE, VB_FORMAT_NONE},
        {VB_XML_NONE, VB_FORMAT_SECURE},
        {VB_XML_LIVE, VB_FORMAT_LIVE},
        {VB_XML_LIVE, VB_FORMAT_LIVE | VB_FORMAT_SECURE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autoptr(VbDomainDef) def = model_define(xml, ways[i].parse);
        g_autofree char *dump = vb_domain_def_format(def, ways[i].format);
        g_autoptr(VbDomainDef) again = model_define(dump, ways[i].parse);
        g_autofree char *second = vb_domain_def_format(again, ways[i].format);
        g_autoptr(VbDomainDef) copy = vb_domain_def_copy(again);
        g_autofree char *third = vb_domain_def_format(copy, ways[i].format);
        g_autofree char *message = NULL;

        g_assert_cmpstr(dump, ==, second);
        g_assert_cmpstr(dump, ==, third);
        g_assert_true(g_str_has_suffix(dump, "</domain>\n"));
        if (!model_is_valid(dump, &message))
            g_error("%s: %s\n%s", (const char *)data, message, dump);
    }
}

/* Before addresses are assigned it is a fixed point too. */
static void test_unassigned(gconstpointer data)
{
    g_autofree char *xml = model_read_document(data);
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);
    g_assert_no_error(error);
    g_autofree char *dump = vb_domain_def_format(def, VB_FORMAT_SECURE);
    g_autoptr(VbDomainDef) again = vb_domain_def_parse(dump, -1, VB_XML_NONE, &error);
    g_assert_no_error(error);
    g_autofree char *second = vb_domain_def_format(again, VB_FORMAT_SECURE);
    g_autofree char *message = NULL;

    g_assert_cmpstr(dump, ==, second);
    if (!model_is_valid(dump, &message))
        g_error("%s: %s\n%s", (const char *)data, message, dump);
}

static void test_tuning(void)
{
    g_autofree char *xml = model_read_document("tuned.xml");
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
    g_autofree char *other = model_read_document("minimal.xml");
    g_autoptr(VbDomainDef) untuned = model_define(other, VB_XML_NONE);
    static const VbTuneDef none;

    g_assert_cmpuint(def->tune.memory_hard_limit, ==, G_GUINT64_CONSTANT(768) << 20);
    g_assert_cmpuint(def->tune.memory_soft_limit, ==, 2048); /* rounded up */
    g_assert_cmpuint(def->tune.cpu_shares, ==, 200);
    g_assert_cmpuint(def->tune.cpu_global_period, ==, 50000);
    g_assert_cmpuint(def->tune.cpu_global_quota, ==, 75000);
    g_assert_cmpuint(def->tune.blkio_weight, ==, 500);
    g_assert_cmpmem(&untuned->tune, sizeof(VbTuneDef), &none, sizeof none);
}

static void test_schema(void)
{
    g_autofree char *message = NULL;

    if (!model_has_schema()) {
        g_test_skip("libvirt's schemas are not installed: dumps were not validated");
        return;
    }
    g_assert_false(
        model_is_valid("<domain type='qemu'><name>x</name><nonsense/></domain>", &message));
    g_assert_nonnull(message);
}

static void test_minimal(void)
{
    g_autofree char *xml = model_read_document("minimal.xml");
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
    g_autoptr(VbDomainDef) other = model_define(xml, VB_XML_NONE);

    g_assert_cmpint(def->type, ==, VB_DOMAIN_TYPE_QEMU);
    g_assert_true(g_uuid_string_is_valid(def->uuid));
    g_assert_cmpstr(def->uuid, !=, other->uuid);
    g_assert_cmpstr(def->os.arch, ==, "x86_64");
    g_assert_cmpstr(def->os.machine, ==, "pc");
    g_assert_cmpuint(def->os.n_boot, ==, 1);
    g_assert_cmpint(def->os.boot[0], ==, VB_BOOT_DEVICE_HD);
    g_assert_cmpuint(def->memory, ==, G_GUINT64_CONSTANT(64) << 20);
    g_assert_cmpuint(def->current_memory, ==, def->memory);
    g_assert_cmpuint(def->vcpus_max, ==, 1);
    g_assert_cmpuint(def->vcpus, ==, 1);
    g_assert_cmpint(def->on_poweroff, ==, VB_ON_EVENT_DESTROY);
    g_assert_cmpint(def->on_reboot, ==, VB_ON_EVENT_RESTART);
    g_assert_cmpint(def->on_crash, ==, VB_ON_EVENT_DESTROY);
    g_assert_cmpuint(def->inputs->len, ==, 2);
    g_assert_cmpuint(def->videos->len, ==, 0);
    g_assert_nonnull(def->memballoon);
    g_assert_null(def->emulator);
    g_assert_null(def->metadata_xml);
    g_assert_cmpuint(def->controllers->len, ==, 2);
}

static void test_test_domain(void)
{
    g_autofree char *xml = model_read_document("test-driver.xml");
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    g_assert_cmpint(def->type, ==, VB_DOMAIN_TYPE_TEST);
    g_assert_cmpstr(def->name, ==, "test ☃ driver");
    g_assert_cmpuint(def->memory, ==, G_GUINT64_CONSTANT(1) << 40);
    g_assert_cmpuint(def->vcpus, ==, 1);
    g_assert_cmpuint(def->vcpus_max, ==, 64);
    /* It has what it was given: there is no machine around it. */
    g_assert_null(def->memballoon);
    g_assert_cmpuint(def->inputs->len, ==, 0);
    g_assert_cmpuint(def->controllers->len, ==, 0);
    g_assert_cmpint(def->clock.offset, ==, VB_CLOCK_VARIABLE);
    g_assert_cmpint(def->clock.adjustment, ==, 120);
    g_assert_nonnull(strstr(def->metadata_xml, "xmlns:test=\"https://virtbus.org/xmlns/test/1\""));
    g_assert_nonnull(strstr(def->metadata_xml, "<test:operation delay=\"50\" name=\"start\">"));
    g_assert_true(g_str_has_prefix(def->metadata_xml, "<metadata>\n    <test:faults "));
    g_assert_true(g_str_has_suffix(def->metadata_xml, "</metadata>"));
}

static void test_server(void)
{
    g_autofree char *xml = model_read_document("pc-server.xml");
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
    const VbInterfaceDef *interface = def->interfaces->pdata[0];
    const VbCharDef *channel = def->channels->pdata[0];
    const VbGraphicsDef *graphics = def->graphics->pdata[0];

    g_assert_cmpstr(def->uuid, ==, "0d9e6a3c-f4b5-4b6e-9c0e-5a7b1c2d3e4f");
    g_assert_cmpstr(def->title, ==, "Web front & cache");
    g_assert_cmpstr(def->description, ==,
                    "First of two.\n\tReplaced in autumn; \"do not grow\" <ops>.");
    g_assert_cmpuint(def->memory, ==, G_GUINT64_CONSTANT(2) << 30);
    g_assert_cmpuint(def->current_memory, ==, G_GUINT64_CONSTANT(1536) << 20);
    g_assert_cmpuint(def->os.n_boot, ==, 2);
    g_assert_cmpint(def->os.boot[0], ==, VB_BOOT_DEVICE_CDROM);
    g_assert_cmpuint(def->os.boot_menu_timeout, ==, 3000);
    g_assert_cmpint(def->os.bios_reboot_timeout, ==, 5000);
    g_assert_true(def->features.acpi && def->features.apic && def->features.pae);
    g_assert_cmpint(def->features.vmport, ==, VB_TRISTATE_NO);
    g_assert_cmpint(def->cpu.mode, ==, VB_CPU_MODE_HOST_MODEL);
    g_assert_cmpuint(def->clock.timers->len, ==, 3);
    g_assert_cmpint(def->suspend_to_mem, ==, VB_TRISTATE_NO);
    g_assert_cmpint(def->on_crash, ==, VB_ON_EVENT_RESTART);
    g_assert_cmpstr(interface->mac, ==, "52:54:00:a1:b2:c3");
    /* The console and its serial port imply each other. */
    g_assert_cmpuint(def->serials->len, ==, 1);
    g_assert_cmpuint(def->consoles->len, ==, 1);
    g_assert_cmpint(((VbCharDef *)def->consoles->pdata[0])->target, ==, VB_CHAR_TARGET_SERIAL);
    g_assert_cmpint(channel->source, ==, VB_CHAR_SOURCE_UNIX);
    g_assert_true(channel->listen);
    g_assert_null(channel->path);
    g_assert_cmpstr(channel->target_name, ==, "org.qemu.guest_agent.0");
    g_assert_true(graphics->autoport);
    g_assert_cmpint(graphics->port, ==, -1);
}

static void test_disks(void)
{
    g_autofree char *xml = model_read_document("disks.xml");
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
    g_autoptr(GError) error = NULL;
    const VbDiskDef *disk = vb_domain_def_find_disk(def, "vda", &error);
    g_assert_no_error(error);

    g_assert_cmpuint(def->memory, ==, 512000000);
    g_assert_cmpint(disk->bus, ==, VB_DISK_BUS_VIRTIO);
    g_assert_cmpint(disk->cache, ==, VB_DISK_CACHE_NONE);
    g_assert_cmpint(disk->io, ==, VB_DISK_IO_NATIVE);
    g_assert_cmpint(disk->discard, ==, VB_DISK_DISCARD_UNMAP);
    g_assert_cmpint(disk->detect_zeroes, ==, VB_DISK_DETECT_ZEROES_UNMAP);
    g_assert_cmpint(disk->error_policy, ==, VB_DISK_ERROR_POLICY_ENOSPACE);
    g_assert_cmpint(disk->rerror_policy, ==, VB_DISK_ERROR_POLICY_STOP);
    g_assert_cmpstr(disk->serial, ==, "WD-42 +a.b_c");
    g_assert_cmpuint(disk->iotune.read_bytes_sec, ==, 1 << 20);
    g_assert_cmpuint(disk->iotune.total_iops_sec_max, ==, 1000);
    g_assert_cmpstr(disk->iotune.group_name, ==, "slow");

    const VbDiskSource *middle = disk->source->backing;
    const VbDiskSource *base = middle->backing;
    g_assert_true(disk->source->backing_known);
    g_assert_cmpstr(middle->path, ==, "/images/middle.qcow2");
    g_assert_cmpint(middle->format, ==, VB_DISK_FORMAT_QCOW2);
    g_assert_cmpint(base->type, ==, VB_DISK_SOURCE_NETWORK);
    g_assert_cmpint(base->format, ==, VB_DISK_FORMAT_RAW);
    g_assert_cmpuint(base->port, ==, 10810);
    g_assert_true(base->backing_known);
    g_assert_null(base->backing);
    g_autofree char *text = vb_disk_source_to_string(base);
    g_assert_cmpstr(text, ==, "nbd://[fd00::1]:10810/base");

    disk = vb_domain_def_find_disk(def, "nbd+unix:///?socket=/run/nbd.sock", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(disk->target, ==, "sdb");
    g_assert_false(disk->source->backing_known);
    disk = vb_domain_def_find_disk(def, "/dev/mapper/vg-data", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(disk->target, ==, "vdb");
    g_assert_true(disk->readonly);
    disk = vb_domain_def_find_disk(def, "sdc", &error);
    g_assert_no_error(error);
    g_assert_null(disk->source);
    g_assert_true(disk->readonly);

    /* A backing image is no disk's source. */
    g_assert_null(vb_domain_def_find_disk(def, "/images/middle.qcow2", &error));
    model_assert_error(&error, VB_ERROR_INVALID_ARGS, "/images/middle.qcow2", "disks", NULL);
}

static void test_ambiguous_disk(void)
{
    g_autofree char *two =
        model_document("pc", "<disk type='file'><source file='/aa'/><target dev='vda'/></disk>"
                             "<disk type='file'><source file='/aa'/><target dev='vdb'/></disk>");
    g_autoptr(VbDomainDef) def = model_define(two, VB_XML_NONE);
    g_autoptr(GError) error = NULL;

    g_assert_null(vb_domain_def_find_disk(def, "/aa", &error));
    model_assert_error(&error, VB_ERROR_INVALID_ARGS, "ambiguous", "vda", "vdb", NULL);
    g_assert_nonnull(vb_domain_def_find_disk(def, "vdb", &error));
}

static void test_run_time_facts(void)
{
    g_autofree char *xml = model_read_document("running.xml");
    g_autoptr(VbDomainDef) live = model_define(xml, VB_XML_LIVE);
    g_autoptr(VbDomainDef) stored = model_define(xml, VB_XML_NONE);
    const VbDiskDef *disk = live->disks->pdata[0];
    const VbCharDef *serial = live->serials->pdata[0];
    const VbCharDef *console = live->consoles->pdata[0];
    const VbGraphicsDef *graphics = live->graphics->pdata[0];

    g_assert_cmpuint(live->id, ==, 7);
    g_assert_cmpuint(disk->source->index, ==, 3);
    g_assert_cmpuint(disk->source->backing->index, ==, 1);
    g_assert_cmpstr(serial->path, ==, "/dev/pts/4");
    g_assert_cmpstr(console->path, ==, "/dev/pts/4");
    g_assert_cmpstr(console->info.alias, ==, "serial0");
    g_assert_cmpint(((VbCharDef *)live->channels->pdata[0])->state, ==, VB_CHANNEL_STATE_CONNECTED);
    g_assert_cmpint(graphics->port, ==, 5900);
    g_assert_true(graphics->autoport);

    g_assert_cmpuint(stored->id, ==, 0);
    disk = stored->disks->pdata[0];
    g_assert_cmpuint(disk->source->index, ==, 0);
    g_assert_cmpstr(disk->source->backing->path, ==, "/images/base.raw");
    g_assert_null(((VbCharDef *)stored->serials->pdata[0])->path);
    g_assert_cmpint(((VbGraphicsDef *)stored->graphics->pdata[0])->port, ==, -1);

    g_autofree char *stored_dump = vb_domain_def_format(live, VB_FORMAT_NONE);
    g_assert_null(strstr(stored_dump, "/dev/pts"));
    g_assert_null(strstr(stored_dump, "serial0"));
    g_assert_null(strstr(stored_dump, "index='3'"));
    g_assert_null(strstr(stored_dump, "connected"));
    g_assert_null(strstr(stored_dump, "hidden"));
    g_assert_nonnull(strstr(stored_dump, "<alias name='ua-agent'/>"));
    g_assert_nonnull(strstr(stored_dump, "port='-1' autoport='yes'"));
    g_autofree char *live_dump = vb_domain_def_format(live, VB_FORMAT_LIVE);
    g_assert_nonnull(strstr(live_dump, "<domain type='qemu' id='7'>"));
    g_assert_nonnull(strstr(live_dump, "tty='/dev/pts/4'"));
    g_assert_nonnull(strstr(live_dump, "<alias name='virtio-disk0'/>"));
    g_assert_null(strstr(live_dump, "hidden"));
    g_autofree char *secure_dump = vb_domain_def_format(live, VB_FORMAT_SECURE);
    g_assert_nonnull(strstr(secure_dump, "passwd='hidden'"));
}

static void test_metadata(void)
{
    g_autofree char *xml = model_read_document("desktop.xml");
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
    const char *metadata = def->metadata_xml;

    /* A namespace of the root element is declared where it is used. */
    g_assert_nonnull(strstr(metadata, "xmlns:box=\"https://example.org/box/1\""));
    g_assert_nonnull(strstr(metadata, "<os-state xmlns=\"https://example.org/box/1\">"));
    g_assert_nonnull(strstr(metadata, "kept &lt;as&gt; text &amp; all"));
    g_assert_nonnull(strstr(metadata, "<!-- kept too -->"));
}

static void test_refs(void)
{
    g_autofree char *xml = model_read_document("pc-server.xml");
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
    g_autoptr(VbDomainDef) copy = vb_domain_def_copy(def);
    VbDomainDef *ref = vb_domain_def_ref(def);

    g_assert_true(ref == def);
    vb_domain_def_unref(ref);
    vb_domain_def_unref(NULL);
    g_free(((VbDiskDef *)copy->disks->pdata[0])->target);
    ((VbDiskDef *)copy->disks->pdata[0])->target = g_strdup("vdz");
    g_assert_cmpstr(((VbDiskDef *)def->disks->pdata[0])->target, ==, "vda");
}

/* What one edits, one can have checked. */
static void test_validate_edited(void)
{
    g_autofree char *xml = model_read_document("disks.xml");
    g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);
    g_autoptr(GError) error = NULL;

    g_assert_true(vb_domain_def_validate(def, &error));
    g_assert_no_error(error);
    VbDiskDef *disk = vb_disk_def_copy(def->disks->pdata[0]);
    g_clear_pointer(&disk->target, g_free);
    disk->target = g_strdup("vdb");
    vb_device_info_clear(&disk->info);
    g_ptr_array_add(def->disks, disk);
    g_assert_false(vb_domain_def_validate(def, &error));
    model_assert_error(&error, VB_ERROR_INVALID_XML, "two disks are called 'vdb'", NULL);
}

static void test_memory_units(void)
{
    static const struct {
        const char *unit;
        guint64 value, bytes;
    } cases[] = {
        {"b", 4096, 4096},
        {"bytes", 1025, 2048},
        {"KB", 1024, 1024000},
        {"k", 3, 3072},
        {"KiB", 3, 3072},
        {"MB", 1, 1000448},
        {"M", 1, 1 << 20},
        {"MiB", 2, 2 << 20},
        {"GB", 1, 1000000512},
        {"G", 1, 1 << 30},
        {"GiB", 1, 1 << 30},
        {"TB", 1, 1000000000000},
        {"T", 1, 1ull << 40},
        {"TiB", 1, 1ull << 40},
        {"PiB", 1, 1ull << 50},
        {"EiB", 1, 1ull << 60},
        {"PB", 1, 1000000000000000},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml =
            g_strdup_printf("<domain type='qemu'><name>a</name><memory unit='%s'>%" G_GUINT64_FORMAT
                            "</memory><os><type>hvm</type></os></domain>",
                            cases[i].unit, cases[i].value);
        g_autoptr(VbDomainDef) def = model_define(xml, VB_XML_NONE);

        g_assert_cmpuint(def->memory, ==, cases[i].bytes);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GPtrArray) names = model_documents();

    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_strdup_printf("/domain-xml/document/%s", (char *)names->pdata[i]);
        g_autofree char *other =
            g_strdup_printf("/domain-xml/unassigned/%s", (char *)names->pdata[i]);

        g_test_add_data_func(path, names->pdata[i], test_document);
        g_test_add_data_func(other, names->pdata[i], test_unassigned);
    }
    g_test_add_func("/domain-xml/tuning", test_tuning);
    g_test_add_func("/domain-xml/schema", test_schema);
    g_test_add_func("/domain-xml/minimal", test_minimal);
    g_test_add_func("/domain-xml/test-domain", test_test_domain);
    g_test_add_func("/domain-xml/server", test_server);
    g_test_add_func("/domain-xml/disks", test_disks);
    g_test_add_func("/domain-xml/ambiguous-disk", test_ambiguous_disk);
    g_test_add_func("/domain-xml/run-time-facts", test_run_time_facts);
    g_test_add_func("/domain-xml/metadata", test_metadata);
    g_test_add_func("/domain-xml/refs", test_refs);
    g_test_add_func("/domain-xml/validate-edited", test_validate_edited);
    g_test_add_func("/domain-xml/memory-units", test_memory_units);
    return g_test_run();
}
