/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every kind of device of the model on a real QEMU, and what QEMU is asked and told about them
 * before the guest runs. */
#include <string.h>

#include <glib/gstdio.h>

#include "json-get.h"
#include "qmp-args.h"
#include "vm-fixture.h"

/* The definitions of the command line's tests, with images and firmware in the fixture's directory.
 */
static char *read_definition(VmFixture *fixture, const char *name)
{
    g_autofree char *path =
        g_test_build_filename(G_TEST_DIST, "unit", "data", "qemu-command", name, NULL);
    g_autofree char *contents = NULL;
    g_autoptr(GError) error = NULL;

    g_file_get_contents(path, &contents, NULL, &error);
    g_assert_no_error(error);
    g_auto(GStrv) parts = g_strsplit(contents, "@DIR@", -1);
    return g_strjoinv(fixture->qemu.dir, parts);
}

static void make_images(VmFixture *fixture)
{
    vm_make_image(fixture, "vda.qcow2", TRUE);
    vm_make_image(fixture, "sda.raw", FALSE);
    vm_make_image(fixture, "cd.raw", FALSE);
    vm_make_image(fixture, "sata.raw", FALSE);
    vm_make_image(fixture, "hda.raw", FALSE);
    vm_make_image(fixture, "code.fd", FALSE);
    vm_make_image(fixture, "vars.fd", FALSE);
}

static VbDomain *start_paused(VmFixture *fixture, const char *xml)
{
    VbDomain *domain = vm_define(fixture, xml);

    /* Where QEMU makes the sockets that the definition names. */
    g_assert_cmpint(g_chmod(fixture->qemu.dir, 01777), ==, 0);
    g_autoptr(GError) error = vm_operate(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_PAUSED);
    g_assert_no_error(error);
    return domain;
}

static JsonObject *find_object(JsonArray *array, const char *member, const char *value)
{
    for (guint i = 0; i < json_array_get_length(array); i++) {
        JsonObject *object = vb_json_array_object(array, i);
        if (g_strcmp0(vb_json_get_string(object, member), value) == 0)
            return object;
    }
    g_error("no element with %s '%s'", member, value);
}

static void test_pc(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = read_definition(fixture, "pc.xml");

    make_images(fixture);
    VbDomain *domain = start_paused(fixture, xml);
    const VbDomainDef *def = vb_domain_def(domain);

    /* The ptys, of the console too that is the first serial by another name. */
    const VbCharDef *serial = def->serials->pdata[0];
    const VbCharDef *console = def->consoles->pdata[0];
    const VbCharDef *virtio = def->consoles->pdata[1];
    g_assert_true(g_str_has_prefix(serial->path, "/dev/pts/"));
    g_assert_cmpstr(console->path, ==, serial->path);
    g_assert_true(g_str_has_prefix(virtio->path, "/dev/pts/"));
    g_assert_cmpstr(virtio->path, !=, serial->path);
    const VbCharDef *agent = def->channels->pdata[0];
    g_assert_true(g_file_test(agent->path, G_FILE_TEST_EXISTS));

    /* The port, and the password that it wants. */
    const VbGraphicsDef *vnc = def->graphics->pdata[0];
    g_assert_cmpint(vnc->port, >=, 5900);
    g_autoptr(JsonNode) vnc_value = vm_monitor(domain, "query-vnc", NULL);
    JsonObject *answer = vb_json_node_object(vnc_value);
    g_autofree char *port = g_strdup_printf("%d", vnc->port);
    g_assert_cmpstr(vb_json_get_string(answer, "service"), ==, port);
    g_assert_cmpstr(vb_json_get_string(answer, "auth"), ==, "vnc");

    /* The limits of a disk. */
    g_autoptr(JsonNode) block_value = vm_monitor(domain, "query-block", NULL);
    JsonObject *disk = find_object(vb_json_node_array(block_value), "qdev",
                                   "/machine/peripheral/virtio-disk0/virtio-backend");
    JsonObject *inserted = vb_json_get_object(disk, "inserted");
    gint64 rate = 0;
    g_assert_cmpstr(vb_json_get_string(inserted, "node-name"), ==, "vb-vda-1");
    g_assert_true(vb_json_get_int(inserted, "bps_rd", &rate));
    g_assert_cmpint(rate, ==, 1048576);
    g_assert_cmpstr(vb_json_get_string(inserted, "group"), ==, "slow");

    /* The balloon's target. */
    g_autoptr(JsonNode) stats =
        vm_monitor(domain, "qom-get",
                   vb_qmp_args(VB_ARG_STRING("path", "/machine/peripheral/balloon0"),
                               VB_ARG_STRING("property", "guest-stats-polling-interval")));
    g_assert_cmpint(json_node_get_int(stats), ==, 5);

    /* The live definition is in the record: it validates as it was written. */
    g_autofree char *live = g_build_filename(vb_domain_run_dir(domain), "live.xml", NULL);
    g_autofree char *recorded = NULL;
    g_assert_true(g_file_get_contents(live, &recorded, NULL, NULL));
    g_assert_nonnull(strstr(recorded, serial->path));

    /* None of that is in the stored definition. */
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    def = vb_domain_def(domain);
    serial = def->serials->pdata[0];
    vnc = def->graphics->pdata[0];
    g_assert_null(serial->path);
    g_assert_cmpint(vnc->port, ==, -1);
}

static void test_q35(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = read_definition(fixture, "q35.xml");
    g_autofree char *nvram = vm_path(fixture, "nvram.fd");

    make_images(fixture);
    VbDomain *domain = start_paused(fixture, xml);
    g_assert_true(g_file_test(nvram, G_FILE_TEST_EXISTS));

    g_autoptr(JsonNode) value = vm_monitor(domain, "query-block", NULL);
    JsonObject *disk = find_object(vb_json_node_array(value), "qdev", "sata1-0-3");
    g_assert_cmpstr(vb_json_get_string(vb_json_get_object(disk, "inserted"), "node-name"), ==,
                    "vb-sdc-4");
}

/* Whether this host's QEMU has SPICE is not ours to say. */
static void test_spice(void)
{
    static const char devices[] =
        "<graphics type='spice' autoport='yes' passwd='geheim'/>"
        "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"
        "<video><model type='qxl' primary='yes'/></video>";
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *one = vm_xml("one", NULL, NULL, devices);
    g_autofree char *two = vm_xml("two", NULL, NULL, devices);
    g_autoptr(GError) error = NULL;

    VbDomain *first = vm_try_define(fixture, one, &error);
    if (!first) {
        g_assert_nonnull(strstr(error->message, "SPICE"));
        return;
    }
    vm_do(first, VB_DOMAIN_OP_START);
    VbDomain *second = start_paused(fixture, two);
    const VbGraphicsDef *a = vb_domain_def(first)->graphics->pdata[0];
    const VbGraphicsDef *b = vb_domain_def(second)->graphics->pdata[0];
    g_assert_cmpint(a->port, >=, 5900);
    g_assert_cmpint(b->port, >=, 5900);
    g_assert_cmpint(a->port, !=, b->port);
    g_autoptr(JsonNode) value = vm_monitor(second, "query-spice", NULL);
    gint64 port = 0;
    g_assert_true(vb_json_get_int(vb_json_node_object(value), "port", &port));
    g_assert_cmpint(port, ==, b->port);
    g_assert_cmpstr(vb_json_get_string(vb_json_node_object(value), "auth"), ==, "spice");
}

/* UEFI is chosen, and each domain gets a variable store of its own. */
static void test_efi(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    static const char xml[] = "<domain type='qemu'><name>efi</name><memory unit='MiB'>64</memory>"
                              "<os firmware='efi'><type machine='q35'>hvm</type></os></domain>";

    if (!g_file_test("/usr/share/OVMF/OVMF_CODE_4M.fd", G_FILE_TEST_EXISTS)) {
        g_test_skip("no UEFI firmware is installed (package ovmf)");
        return;
    }
    VbDomain *domain = start_paused(fixture, xml);
    const VbOsDef *os = &vb_domain_def(domain)->os;
    g_assert_true(g_str_has_prefix(os->nvram, fixture->qemu.paths->state_dir));
    g_assert_true(g_file_test(os->nvram, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/devices/pc", test_pc);
    g_test_add_func("/qemu/devices/q35", test_q35);
    g_test_add_func("/qemu/devices/spice", test_spice);
    g_test_add_func("/qemu/devices/efi", test_efi);
    return g_test_run();
}
