/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Manager.GetStats over a real bus: what is asked for is given, of running domains and of others,
 * and a hypervisor that fails or hangs takes nothing from the rest. */
#include "bus-fixture.h"

#include <string.h>

#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define UNKNOWN_OBJECT "org.freedesktop.DBus.Error.UnknownObject"

static char *define(VbBusFixture *fixture, const char *name, const char *orders)
{
    g_autofree char *metadata =
        orders != NULL ? g_strdup_printf("<metadata><test:faults "
                                         "xmlns:test='https://virtbus.org/xmlns/test/1'>%s"
                                         "</test:faults></metadata>",
                                         orders)
                       : NULL;
    g_autofree char *xml =
        g_strdup_printf("<domain type='test'><name>%s</name>%s<memory unit='KiB'>2048</memory>"
                        "<currentMemory unit='KiB'>1024</currentMemory><vcpu current='1'>2</vcpu>"
                        "<os><type>hvm</type></os><devices><disk type='file' device='disk'>"
                        "<driver name='qemu' type='raw'/><source file='/images/%s'/>"
                        "<target dev='vda' bus='virtio'/></disk></devices></domain>",
                        name, metadata != NULL ? metadata : "", name);

    return vb_bus_client_define(vb_bus_fixture_client(fixture), xml);
}

static char *start(VbBusFixture *fixture, const char *name, const char *orders)
{
    char *path = define(fixture, name, orders);

    vb_bus_client_do(vb_bus_fixture_client(fixture), path, VB_IFACE_DOMAIN, "Start");
    return path;
}

/* a{oa{sv}}; `arguments` in GVariant text. */
static GVariant *get_stats(VbBusFixture *fixture, const char *arguments)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(vb_bus_fixture_client(fixture), VB_PATH_MANAGER, VB_IFACE_MANAGER,
                           "GetStats", g_variant_new_parsed(arguments));

    return g_variant_get_child_value(reply, 0);
}

/* Its keys and values in one line. */
static void assert_stats(GVariant *stats, const char *path, const char *expected)
{
    g_autoptr(GVariant) entry = g_variant_lookup_value(stats, path, G_VARIANT_TYPE_VARDICT);
    g_autofree char *text = NULL;

    g_assert_nonnull(entry);
    text = g_variant_print(entry, FALSE);
    g_assert_cmpstr(text, ==, expected);
}

static void test_inactive(VbBusFixture *fixture)
{
    g_autofree char *a = define(fixture, "a", NULL), *b = define(fixture, "b", NULL);
    g_autofree char *one = g_strdup_printf("([objectpath '%s', '%s'], ['vcpu'], @a{sv} {})", a, a);
    g_autoptr(GVariant) all = get_stats(fixture, "(@ao [], @as [], @a{sv} {})");
    g_autoptr(GVariant) vcpu = get_stats(fixture, one);
    const char *expected = "{'state.state': <'shut-off'>, 'state.reason': <''>, "
                           "'balloon.current': <uint64 1024>, 'balloon.maximum': <uint64 2048>, "
                           "'vcpu.current': <uint32 1>, 'vcpu.maximum': <uint32 2>}";

    g_assert_cmpuint(g_variant_n_children(all), ==, 2);
    assert_stats(all, a, expected);
    assert_stats(all, b, expected);
    g_assert_cmpuint(g_variant_n_children(vcpu), ==, 1);
    assert_stats(vcpu, a, "{'vcpu.current': <uint32 1>, 'vcpu.maximum': <uint32 2>}");
}

static void test_running(VbBusFixture *fixture)
{
    g_autofree char *path = start(fixture, "r", NULL);
    g_autoptr(GVariant) block = get_stats(fixture, "(@ao [], ['block'], @a{sv} {})");
    g_autoptr(GVariant) cpu = get_stats(fixture, "(@ao [], ['cpu-total'], @a{sv} {})");
    g_autoptr(GVariant) entry = g_variant_lookup_value(cpu, path, G_VARIANT_TYPE_VARDICT);
    guint64 time;

    assert_stats(block, path,
                 "{'block.count': <uint32 1>, 'block.0.name': <'vda'>, "
                 "'block.0.path': <'/images/r'>, 'block.0.rd.reqs': <uint64 1>}");
    g_assert_cmpuint(g_variant_n_children(entry), ==, 1);
    g_assert_true(g_variant_lookup(entry, "cpu.time", "t", &time));
}

/* The others' answers are whole; the reply does not wait longer than the deadline, which is long
 * before D-Bus's own; reads are answered meanwhile. */
static void test_faults(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *good = start(fixture, "good", NULL);
    g_autofree char *hangs =
        start(fixture, "hangs", "<test:operation name='stats' result='hang'/>");
    g_autofree char *fails =
        start(fixture, "fails", "<test:operation name='stats' result='fail' message='no'/>");
    g_autofree char *off = define(fixture, "off", NULL);
    guint position = vb_bus_client_position(client);
    guint32 serial =
        vb_bus_client_send(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetStats",
                           g_variant_new_parsed("(@ao [], ['vcpu', 'block'], @a{sv} {})"));
    g_autofree char *state = vb_bus_client_get_string(client, hangs, VB_IFACE_DOMAIN, "State");
    const VbBusMessage *reply;
    g_autoptr(GVariant) stats = NULL;

    g_assert_cmpstr(state, ==, "running");
    g_assert_null(vb_bus_client_reply(client, serial));
    reply = vb_bus_client_next_reply(client, &position, serial);
    g_assert_null(reply->error);
    stats = g_variant_get_child_value(reply->body, 0);
    g_assert_cmpuint(g_variant_n_children(stats), ==, 4);
    assert_stats(
        stats, good,
        "{'vcpu.current': <uint32 1>, 'vcpu.maximum': <uint32 2>, 'block.count': <uint32 1>, "
        "'block.0.name': <'vda'>, 'block.0.path': <'/images/good'>, "
        "'block.0.rd.reqs': <uint64 1>}");
    assert_stats(stats, off, "{'vcpu.current': <uint32 1>, 'vcpu.maximum': <uint32 2>}");
    assert_stats(
        stats, fails,
        "{'vcpu.current': <uint32 1>, 'vcpu.maximum': <uint32 2>, 'block.count': <uint32 1>, "
        "'block.0.name': <'vda'>, 'block.0.path': <'/images/fails'>, "
        "'error.name': <'org.virtbus1.Error.Hypervisor'>, 'error.message': <'no'>}");
    assert_stats(
        stats, hangs,
        "{'vcpu.current': <uint32 1>, 'vcpu.maximum': <uint32 2>, 'block.count': <uint32 1>, "
        "'block.0.name': <'vda'>, 'block.0.path': <'/images/hangs'>, "
        "'error.name': <'org.virtbus1.Error.Timeout'>, "
        "'error.message': <\"the hypervisor of domain 'hangs' did not answer within "
        "1000 ms\">}");
}

/* A domain that ends, or goes, while it is asked. */
static void test_ends_meanwhile(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = start(fixture, "ends", "<test:operation name='stats' result='hang'/>");
    guint position = vb_bus_client_position(client);
    guint32 serial = vb_bus_client_send(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetStats",
                                        g_variant_new_parsed("(@ao [], @as [], @a{sv} {})"));
    const VbBusMessage *reply;
    g_autoptr(GVariant) stats = NULL;

    vb_bus_client_do(client, path, VB_IFACE_DOMAIN, "Undefine");
    vb_bus_client_do(client, path, VB_IFACE_DOMAIN, "Destroy");
    reply = vb_bus_client_next_reply(client, &position, serial);
    g_assert_null(reply->error);
    stats = g_variant_get_child_value(reply->body, 0);
    g_assert_cmpuint(g_variant_n_children(stats), ==, 0);
}

static void assert_refused(VbBusFixture *fixture, const char *arguments, const char *error,
                           const char *named)
{
    g_autofree char *message =
        vb_bus_client_call_error(vb_bus_fixture_client(fixture), VB_PATH_MANAGER, VB_IFACE_MANAGER,
                                 "GetStats", g_variant_new_parsed(arguments), error);

    g_assert_nonnull(strstr(message, named));
}

static void test_refused(VbBusFixture *fixture)
{
    assert_refused(fixture, "(@ao [], ['block', 'dirty-rate'], @a{sv} {})", INVALID_ARGS,
                   "dirty-rate");
    assert_refused(fixture, "([objectpath '/org/virtbus1/domain/x'], @as [], @a{sv} {})",
                   UNKNOWN_OBJECT, "/org/virtbus1/domain/x");
    assert_refused(fixture, "([objectpath '/org/virtbus1/manager'], @as [], @a{sv} {})",
                   INVALID_ARGS, "/org/virtbus1/manager");
    assert_refused(fixture, "(@ao [], @as [], {'nowait': <true>})", INVALID_ARGS, "nowait");
}

static void run(gconstpointer test)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);

    ((void (*)(VbBusFixture *))test)(fixture);
}

#define ADD(name, test) g_test_add_data_func("/stats/" name, test, run)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("inactive", test_inactive);
    ADD("running", test_running);
    ADD("faults", test_faults);
    ADD("ends-meanwhile", test_ends_meanwhile);
    ADD("refused", test_refused);
    return g_test_run();
}
