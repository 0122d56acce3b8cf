/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Domain on the real daemon: operations, what they change and in which order it is
 * told, who is Busy, and the errors by name. */
#include "bus-fixture.h"

#define FAULTS(orders)                                                                             \
    "<test:faults xmlns:test='https://virtbus.org/xmlns/test/1'>" orders "</test:faults>"

static const char no_options[] = "(@a{sv} {},)";

static guint32 send_op(VbBusClient *client, const char *domain, const char *method)
{
    return vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, method,
                              g_variant_new_parsed(no_options));
}

static char *op_error(VbBusClient *client, const char *domain, const char *method,
                      const char *error)
{
    return vb_bus_client_call_error(client, domain, VB_IFACE_DOMAIN, method,
                                    g_variant_new_parsed(no_options), error);
}

static void assert_property(VbBusClient *client, const char *domain, const char *property,
                            const char *expected)
{
    g_autoptr(GVariant) value = vb_bus_client_get(client, domain, VB_IFACE_DOMAIN, property);
    g_autofree char *text = g_variant_print(value, FALSE);

    g_assert_cmpstr(text, ==, expected);
}

static void next_state(VbBusClient *client, guint *position, const char *domain, const char *state)
{
    g_autoptr(GVariant) value =
        vb_bus_client_next_change(client, position, domain, VB_IFACE_DOMAIN, "State");

    g_assert_cmpstr(g_variant_get_string(value, NULL), ==, state);
}

static void next_lifecycle(VbBusClient *client, guint *position, const char *domain,
                           const char *event, const char *reason)
{
    const VbBusMessage *signal =
        vb_bus_client_next_signal(client, position, domain, VB_IFACE_DOMAIN, "Lifecycle");
    g_autofree char *body = g_variant_print(signal->body, FALSE);
    g_autofree char *expected = g_strdup_printf("('%s', '%s', {})", event, reason);

    g_assert_cmpstr(body, ==, expected);
}

/* The change, the history, the reply: in that order, and each once. */
static void check_operation(VbBusClient *client, const char *domain, const char *method,
                            const char *state, const char *event, const char *reason)
{
    guint start = vb_bus_client_position(client), position = start;
    guint32 serial = send_op(client, domain, method);

    next_state(client, &position, domain, state);
    next_lifecycle(client, &position, domain, event, reason);
    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
    vb_bus_client_sync(client);
    g_assert_cmpuint(vb_bus_client_count(client, start, domain, VB_IFACE_DOMAIN, "Lifecycle"), ==,
                     1);
}

static void test_life(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = vb_bus_test_domain_xml("alpha", NULL);
    g_autofree char *domain = vb_bus_client_define(client, xml);

    assert_property(client, domain, "Id", "0");
    check_operation(client, domain, "Start", "running", "started", "booted");
    assert_property(client, domain, "Id", "1");
    check_operation(client, domain, "Suspend", "paused", "suspended", "user");
    check_operation(client, domain, "Resume", "running", "resumed", "unpaused");
    check_operation(client, domain, "Destroy", "shut-off", "stopped", "destroyed");
    assert_property(client, domain, "StateReason", "'destroyed'");
    assert_property(client, domain, "Id", "0");
}

static void test_start_paused(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = vb_bus_test_domain_xml("alpha", NULL);
    g_autofree char *domain = vb_bus_client_define(client, xml);
    g_autoptr(GVariant) reply = vb_bus_client_call(client, domain, VB_IFACE_DOMAIN, "Start",
                                                   g_variant_new_parsed("({'paused': <true>},)"));

    assert_property(client, domain, "State", "'paused'");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Resume");
    assert_property(client, domain, "State", "'running'");
}

/* The guest obeys later than the call returns; no state on the way is left out. */
static void test_shutdown(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS("<test:operation name='shutdown' guest-delay='50'/>"));
    guint position = vb_bus_client_position(client);
    guint32 serial = send_op(client, domain, "Shutdown");

    vb_bus_client_next_reply(client, &position, serial);
    next_state(client, &position, domain, "shutting-down");
    next_state(client, &position, domain, "shut-off");
    assert_property(client, domain, "StateReason", "'shutdown'");
}

static void test_properties(VbBusFixture *fixture)
{
    static const char xml[] =
        "<domain type='test'><name>full</name>"
        "<uuid>0f3c2c6d-9e01-4bb8-9a3f-6a1d7a522b7e</uuid>"
        "<title>A title</title><description>What it is for</description>"
        "<memory unit='GiB'>2</memory><currentMemory unit='GiB'>1</currentMemory>"
        "<vcpu current='2'>4</vcpu>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
        "<devices>"
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        "<source file='/images/a.qcow2'/><target dev='vda' bus='virtio'/><serial>S1</serial></disk>"
        "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"
        "<interface type='user'><mac address='52:54:00:12:34:56'/><model type='virtio'/>"
        "</interface>"
        "<interface type='network'><mac address='52:54:00:12:34:57'/>"
        "<source network='lab' portgroup='slow'/><target dev='lab-full'/><model type='virtio'/>"
        "<mtu size='1400'/><link state='down'/></interface>"
        "<interface type='bridge'><mac address='52:54:00:12:34:58'/><source bridge='br0'/>"
        "<model type='e1000'/></interface>"
        "<interface type='ethernet'><mac address='52:54:00:12:34:59'/><model type='virtio'/>"
        "</interface>"
        "<graphics type='vnc' port='5907' autoport='no' passwd='hidden'>"
        "<listen type='address' address='127.0.0.1'/></graphics>"
        "</devices></domain>";
    static const char *const expected[][2] = {
        {"Name", "'full'"},
        {"Uuid", "'0f3c2c6d-9e01-4bb8-9a3f-6a1d7a522b7e'"},
        {"Driver", "'test'"},
        {"State", "'shut-off'"},
        {"Persistent", "true"},
        {"Autostart", "false"},
        {"ConfigPending", "false"},
        {"Title", "'A title'"},
        {"Description", "'What it is for'"},
        {"MemoryMax", "2147483648"},
        {"MemoryCurrent", "1073741824"},
        {"Vcpus", "2"},
        {"VcpusMax", "4"},
        {"OsType", "'hvm'"},
        {"Architecture", "'x86_64'"},
        {"Machine", "'q35'"},
        {"BlockJobs", "{}"},
        {"Responsive", "true"},
        {"Disks", "[('vda', 'disk', 'virtio', '/images/a.qcow2', {'type': <'file'>, 'format': "
                  "<'qcow2'>, 'serial': <'S1'>}), ('sda', 'cdrom', 'sata', '', {'readonly': "
                  "<true>})]"},
        {"Interfaces",
         "[('52:54:00:12:34:56', 'user', '', 'virtio', {}), ('52:54:00:12:34:57', 'network', "
         "'lab', "
         "'virtio', {'target': <'lab-full'>, 'portgroup': <'slow'>, 'mtu': <uint32 1400>, "
         "'link-state': <'down'>}), ('52:54:00:12:34:58', 'bridge', 'br0', 'e1000', {}), "
         "('52:54:00:12:34:59', 'ethernet', '', 'virtio', {})]"},
        {"Addresses", "[]"},
        {"Graphics", "[('vnc', '127.0.0.1', {'port': <uint32 5907>})]"},
    };
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_define(client, xml);
    g_autoptr(GVariant) all = vb_bus_client_call(client, domain, VB_IFACE_PROPERTIES, "GetAll",
                                                 g_variant_new("(s)", VB_IFACE_DOMAIN));
    g_autofree char *everything = g_variant_print(all, FALSE);

    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++)
        assert_property(client, domain, expected[i][0], expected[i][1]);
    g_assert_null(strstr(everything, "hidden")); /* no secret is a property */
}

static char *get_xml(VbBusClient *client, const char *domain, const char *options)
{
    g_autoptr(GVariant) params = g_variant_ref_sink(g_variant_new_parsed(options));
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, domain, VB_IFACE_DOMAIN, "GetXml", params);
    char *xml;

    g_variant_get(reply, "(s)", &xml);
    return xml;
}

static void test_get_xml(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *plain = vb_bus_test_domain_xml("alpha", NULL);
    g_auto(GStrv) halves = g_strsplit(plain, "</devices>", 2);
    g_autofree char *xml =
        g_strconcat(halves[0], "<graphics type='vnc' passwd='hidden'/></devices>", halves[1], NULL);
    g_autofree char *domain = vb_bus_client_define(client, xml);
    g_autofree char *off = get_xml(client, domain, no_options);
    g_autofree char *running = NULL, *inactive = NULL, *secure = NULL, *unknown = NULL;

    g_assert_nonnull(strstr(off, "<domain type='test'>"));
    g_assert_null(strstr(off, "hidden"));
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Start");
    running = get_xml(client, domain, no_options);
    g_assert_nonnull(strstr(running, "<domain type='test' id='1'>"));
    g_assert_null(strstr(running, "hidden"));
    inactive = get_xml(client, domain, "({'inactive': <true>},)");
    g_assert_cmpstr(inactive, ==, off);
    secure = get_xml(client, domain, "({'inactive': <true>, 'secure': <true>},)");
    g_assert_nonnull(strstr(secure, "passwd='hidden'"));
    unknown = vb_bus_client_call_error(client, domain, VB_IFACE_DOMAIN, "GetXml",
                                       g_variant_new_parsed("({'pretty': <true>},)"),
                                       "org.freedesktop.DBus.Error.InvalidArgs");
    g_assert_nonnull(strstr(unknown, "pretty"));
}

static void test_redefine(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    g_autofree char *xml = get_xml(client, domain, "({'inactive': <true>},)");
    g_auto(GStrv) halves = g_strsplit(xml, "</name>", 2);
    g_autofree char *titled = g_strconcat(halves[0], "</name><title>New</title>", halves[1], NULL);
    g_autofree char *other = vb_bus_test_domain_xml("beta", NULL);
    g_autofree char *refused = NULL;
    guint position = vb_bus_client_position(client);
    guint32 serial = vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Redefine",
                                        g_variant_new_parsed("(%s, @a{sv} {})", titled));
    g_autoptr(GVariant) pending =
        vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "ConfigPending");

    g_assert_true(g_variant_get_boolean(pending));
    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
    assert_property(client, domain, "Title", "''"); /* of the running one */
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    assert_property(client, domain, "Title", "'New'");
    assert_property(client, domain, "ConfigPending", "false");
    refused = vb_bus_client_call_error(client, domain, VB_IFACE_DOMAIN, "Redefine",
                                       g_variant_new_parsed("(%s, @a{sv} {})", other),
                                       "org.freedesktop.DBus.Error.InvalidArgs");
}

static void test_autostart(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = vb_bus_test_domain_xml("alpha", NULL);
    g_autofree char *domain = vb_bus_client_define(client, xml);
    guint position = vb_bus_client_position(client);
    guint32 serial = vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "SetAutostart",
                                        g_variant_new_parsed("(true, @a{sv} {})"));
    g_autoptr(GVariant) autostart =
        vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "Autostart");

    g_assert_true(g_variant_get_boolean(autostart));
    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
}

static void test_undefine(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    g_autofree char *transient = NULL;

    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Undefine");
    assert_property(client, domain, "Persistent", "false");
    assert_property(client, domain, "State", "'running'");
    transient = op_error(client, domain, "Undefine", "InvalidState");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    g_assert_false(vb_bus_client_has_object(client, domain));
}

static void test_undefine_removes(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = vb_bus_test_domain_xml("alpha", NULL);
    g_autofree char *domain = vb_bus_client_define(client, xml);
    guint position = vb_bus_client_position(client);
    guint32 serial = send_op(client, domain, "Undefine");
    g_autofree char *unknown = NULL;

    next_lifecycle(client, &position, domain, "undefined", "removed");
    vb_bus_client_next_signal(client, &position, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                              "InterfacesRemoved");
    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
    unknown = op_error(client, domain, "Start", "org.freedesktop.DBus.Error.UnknownObject");
}

/* In the wrong state each says so by name, and nothing is heard of it. */
static void test_wrong_state(VbBusFixture *fixture)
{
    static const struct {
        const char *method;
        const char *when_off, *when_running;
    } cases[] = {
        {"Start", NULL, "DomainRunning"},
        {"Shutdown", "DomainNotRunning", NULL},
        {"Reboot", "DomainNotRunning", NULL},
        {"Reset", "DomainNotRunning", NULL},
        {"Destroy", "DomainNotRunning", NULL},
        {"Suspend", "DomainNotRunning", NULL},
        {"Resume", "DomainNotRunning", "InvalidState"},
    };
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = vb_bus_test_domain_xml("off", NULL);
    g_autofree char *off = vb_bus_client_define(client, xml);
    g_autofree char *running = vb_bus_client_start_domain(client, "on", NULL);
    guint position = vb_bus_client_position(client);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        if (cases[i].when_off != NULL) {
            g_autofree char *text = op_error(client, off, cases[i].method, cases[i].when_off);
            g_assert_nonnull(strstr(text, "'off'"));
        }
        if (cases[i].when_running != NULL) {
            g_autofree char *text =
                op_error(client, running, cases[i].method, cases[i].when_running);
            g_assert_nonnull(strstr(text, "'on'"));
        }
    }
    g_assert_cmpuint(vb_bus_client_count(client, position, NULL, NULL, NULL), ==, 0);
}

/* While one operation hangs, every other one is Busy and names it; reads are not; Destroy goes
 * ahead, and the one that hung ends with DomainNotRunning. */
static void check_busy(VbBusClient *client, const char *domain, const char *method,
                       const char *name)
{
    static const char *const others[] = {"Start",   "Shutdown", "Reboot",  "Reset",
                                         "Suspend", "Resume",   "Undefine"};
    guint32 hanging = send_op(client, domain, method);
    g_autofree char *preempted = NULL, *xml = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *text = op_error(client, domain, others[i], "Busy");

        g_assert_nonnull(strstr(text, name));
    }
    xml = get_xml(client, domain, no_options);
    assert_property(client, domain, "Responsive", "true");
    g_assert_null(vb_bus_client_reply(client, hanging));
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    preempted = vb_bus_client_finish_error(client, hanging, "DomainNotRunning");
    assert_property(client, domain, "State", "'shut-off'");
}

static void test_busy(VbBusFixture *fixture)
{
    static const char *const operations[][2] = {{"Start", "start"},     {"Shutdown", "shutdown"},
                                                {"Reboot", "reboot"},   {"Reset", "reset"},
                                                {"Suspend", "suspend"}, {"Resume", "resume"}};
    VbBusClient *client = vb_bus_fixture_client(fixture);

    for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
        const char *method = operations[i][0], *name = operations[i][1];
        g_autofree char *faults =
            g_strdup_printf(FAULTS("<test:operation name='%s' result='hang'/>"), name);
        g_autofree char *xml = vb_bus_test_domain_xml(name, faults);
        g_autofree char *domain = vb_bus_client_define(client, xml);

        if (!g_str_equal(method, "Start"))
            vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Start");
        if (g_str_equal(method, "Resume"))
            vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Suspend");
        check_busy(client, domain, method, name);
    }
}

static void test_second_destroy_joins(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS("<test:operation name='destroy' delay='100'/>"));
    guint start = vb_bus_client_position(client);
    guint32 first = send_op(client, domain, "Destroy");
    guint32 second = send_op(client, domain, "Destroy");
    g_autoptr(GVariant) first_reply = vb_bus_client_finish(client, first);
    g_autoptr(GVariant) second_reply = vb_bus_client_finish(client, second);

    g_assert_cmpuint(vb_bus_client_count(client, start, domain, VB_IFACE_DOMAIN, "Lifecycle"), ==,
                     1);
}

static void test_driver_error(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha",
        FAULTS("<test:operation name='suspend' result='fail' message='no room' times='1'/>"));
    g_autofree char *text = op_error(client, domain, "Suspend", "Hypervisor");

    g_assert_true(g_str_has_suffix(text, "no room"));
    assert_property(client, domain, "State", "'running'");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Suspend");
}

static void test_crash(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    guint position = vb_bus_client_position(client);
    g_autofree char *domain =
        vb_bus_client_start_domain(client, "alpha", FAULTS("<test:crash after='20'/>"));

    next_state(client, &position, domain, "running");
    next_state(client, &position, domain, "crashed");
    next_lifecycle(client, &position, domain, "crashed", "crashed");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Start");
}

/* The work goes on when its caller has left. */
static void test_caller_leaves(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    VbBusClient *other = vb_bus_client_new(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS("<test:operation name='suspend' delay='100'/>"));
    g_autofree char *busy = NULL;
    guint position = vb_bus_client_position(client);

    send_op(other, domain, "Suspend");
    vb_bus_client_sync(other);
    busy = op_error(client, domain, "Suspend", "Busy");
    vb_bus_client_free(other);
    next_state(client, &position, domain, "paused");
}

static void run(gconstpointer test)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);

    ((void (*)(VbBusFixture *))test)(fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/domain/life", test_life, run);
    g_test_add_data_func("/domain/start-paused", test_start_paused, run);
    g_test_add_data_func("/domain/shutdown", test_shutdown, run);
    g_test_add_data_func("/domain/properties", test_properties, run);
    g_test_add_data_func("/domain/get-xml", test_get_xml, run);
    g_test_add_data_func("/domain/redefine", test_redefine, run);
    g_test_add_data_func("/domain/autostart", test_autostart, run);
    g_test_add_data_func("/domain/undefine", test_undefine, run);
    g_test_add_data_func("/domain/undefine-removes", test_undefine_removes, run);
    g_test_add_data_func("/domain/wrong-state", test_wrong_state, run);
    g_test_add_data_func("/domain/busy", test_busy, run);
    g_test_add_data_func("/domain/second-destroy-joins", test_second_destroy_joins, run);
    g_test_add_data_func("/domain/driver-error", test_driver_error, run);
    g_test_add_data_func("/domain/crash", test_crash, run);
    g_test_add_data_func("/domain/caller-leaves", test_caller_leaves, run);
    return g_test_run();
}
