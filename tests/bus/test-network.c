/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Definitions of virtual networks as bus clients see them: made, found, listed, changed, refused.
 * What becomes of them when they are started, test-network-life.c tests. */
#include "network-client.h"

/* ---- definitions ------------------------------------------------------------------------------
 */

static void test_define(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    guint position = vb_bus_client_position(client);
    guint32 serial = vb_bus_client_send(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineNetwork",
                                        g_variant_new_parsed("(%s, @a{sv} {})", lab_xml));
    g_autoptr(GVariant) reply = vb_bus_client_finish(client, serial);
    static const struct {
        const char *name, *value;
    } properties[] = {
        {"Name", "'lab'"},
        {"Uuid", "'" LAB_UUID "'"},
        {"State", "'inactive'"},
        {"Persistent", "true"},
        {"Autostart", "false"},
        {"ConfigPending", "false"},
        {"Title", "'The lab'"},
        {"Description", "'Where it is tried'"},
        {"Bridge", "'lab0'"},
        {"ForwardMode", "'nat'"},
        {"ForwardDevices", "['up0']"},
        {"Domain", "'lab.test'"},
        {"Addresses", "['192.0.2.1/24', 'fd00:1ab::1/64']"},
        {"Leases", "[]"},
    };
    const char *path;

    g_variant_get(reply, "(&o)", &path);
    g_assert_cmpstr(path, ==, LAB_PATH);
    network_assert_added(client, &position, path);
    network_assert_event(client, &position, path, "defined");
    vb_bus_client_next_reply(client, &position, serial);
    for (gsize i = 0; i < G_N_ELEMENTS(properties); i++)
        network_assert_property(client, path, properties[i].name, properties[i].value);
}

/* What the definition leaves open is chosen, once and for all. */
static void test_chosen_bridge(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *first = network_define(client, "<network><name>a</name></network>");
    g_autofree char *second = network_define(client, "<network><name>b</name></network>");
    g_autofree char *first_bridge =
        vb_bus_client_get_string(client, first, VB_IFACE_NETWORK, "Bridge");
    g_autofree char *second_bridge =
        vb_bus_client_get_string(client, second, VB_IFACE_NETWORK, "Bridge");
    g_autofree char *expected = g_strdup_printf("'%s'", first_bridge);

    g_assert_cmpstr(first_bridge, !=, "");
    g_assert_cmpstr(second_bridge, !=, "");
    g_assert_cmpstr(first_bridge, !=, second_bridge);
    network_assert_property(client, first, "ForwardMode", "'isolated'");
    vb_bus_fixture_stop_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
    network_assert_property(client, first, "Bridge", expected);
}

static void test_lookup(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    g_autofree char *upper = g_ascii_strup(LAB_UUID, -1);
    g_autofree char *by_name = network_get(client, "GetNetworkByName", "lab");
    g_autofree char *by_uuid = network_get(client, "GetNetworkByUuid", LAB_UUID);
    g_autofree char *by_upper = network_get(client, "GetNetworkByUuid", upper);

    g_assert_cmpstr(by_name, ==, path);
    g_assert_cmpstr(by_uuid, ==, path);
    g_assert_cmpstr(by_upper, ==, path);
    network_assert_manager_error(client, "GetNetworkByName",
                                 g_variant_new_parsed("('Lab', @a{sv} {})"), "NoNetwork",
                                 "no network has the name 'Lab'");
    network_assert_manager_error(
        client, "GetNetworkByUuid",
        g_variant_new_parsed("('00000000-0000-4000-8000-000000000000', @a{sv} {})"), "NoNetwork",
        "no network has the UUID 0000");
    network_assert_manager_error(client, "GetNetworkByUuid",
                                 g_variant_new_parsed("('lab', @a{sv} {})"), INVALID_ARGS,
                                 "'lab' is not a UUID");
}

static void test_refusals(VbBusFixture *fixture)
{
    static const struct {
        const char *xml, *error, *part;
    } bad[] = {
        {"<network>", "InvalidXml", "line 1"},
        {"<network>\n<name>x</name>\n<ip address='192.0.2.0' prefix='24'/></network>", "InvalidXml",
         "line 3"},
        {"<network><name>x</name>\n<bridge name='much-too-long-a-name'/></network>", "InvalidXml",
         "line 2"},
        {"<network><name>x</name><ip address='192.0.2.1' prefix='24'><dhcp>\n"
         "<range start='192.0.3.1' end='192.0.3.9'/></dhcp></ip></network>",
         "InvalidXml", "line 2"},
        {"<network><name>x</name>\n<frob/></network>", "InvalidXml", "line 2"},
        {"<network><name>x</name><forward mode='hostdev'/></network>", NOT_SUPPORTED, "hostdev"},
        {"<domain type='test'><name>x</name></domain>", "InvalidXml", "network"},
        {"<network><name>lab</name></network>", "NetworkExists", "lab"},
        {"<network><name>other</name><uuid>" LAB_UUID "</uuid></network>", "NetworkExists",
         LAB_UUID},
        {BARE("other", "lab0"), INVALID_ARGS, "lab0"},
    };
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    g_autofree char *again = network_define(client, lab_xml);
    guint position = vb_bus_client_position(client);

    g_assert_cmpstr(again, ==, path);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_test_message("%s", bad[i].xml);
        network_assert_manager_error(client, "DefineNetwork",
                                     g_variant_new_parsed("(%s, @a{sv} {})", bad[i].xml),
                                     bad[i].error, bad[i].part);
        network_assert_manager_error(client, "CreateNetwork",
                                     g_variant_new_parsed("(%s, @a{sv} {})", bad[i].xml),
                                     bad[i].error, bad[i].part);
    }
    g_assert_cmpuint(vb_bus_client_count(client, position, NULL, NULL, NULL), ==, 0);
}

/* Every method refuses options that it does not know, or of another type, and has then done
 * nothing. */
static void test_options(VbBusFixture *fixture)
{
    static const struct {
        const char *method, *params, *key;
    } manager_calls[] = {
        {"DefineNetwork", "('<network><name>x</name></network>', {'start': <true>})", "start"},
        {"CreateNetwork", "('<network><name>x</name></network>', {'start': <true>})", "start"},
        {"GetNetworkByName", "('lab', {'x': <1>})", "x"},
        {"GetNetworkByUuid", "('" LAB_UUID "', {'x': <1>})", "x"},
        {"ListNetworks", "({'running': <true>},)", "running"},
        {"ListNetworks", "({'active': <'yes'>},)", "active"},
        {"GetDefaultNetworkXml", "({'inactive': <true>},)", "inactive"},
        {"Reload", "({'firewall': <true>},)", "firewall"},
    };
    static const struct {
        const char *method, *params, *key;
    } calls[] = {
        {"Start", "({'paused': <true>},)", "paused"},
        {"Destroy", "({'graceful': <true>},)", "graceful"},
        {"Undefine", "({'x': <true>},)", "x"},
        {"SetAutostart", "(true, {'x': <true>})", "x"},
        {"GetXml", "({'secure': <true>},)", "secure"},
        {"GetXml", "({'inactive': <1>},)", "inactive"},
        {"Redefine", "('<network><name>lab</name></network>', {'x': <true>})", "x"},
        {"Update", "('dns-host', 'add-last', -1, '<host/>', {'inactive': <true>})", "inactive"},
        {"Update", "('dns-host', 'add-last', -1, '<host/>', {'live': <'yes'>})", "live"},
    };
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    guint position = vb_bus_client_position(client);

    for (gsize i = 0; i < G_N_ELEMENTS(manager_calls); i++)
        network_assert_manager_error(client, manager_calls[i].method,
                                     g_variant_new_parsed(manager_calls[i].params), INVALID_ARGS,
                                     manager_calls[i].key);
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++)
        network_assert_error(client, path, calls[i].method, calls[i].params, INVALID_ARGS,
                             calls[i].key);
    g_assert_cmpuint(vb_bus_client_count(client, position, NULL, NULL, NULL), ==, 0);
}

static void test_redefine(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    g_auto(GStrv) halves = g_strsplit(lab_xml, "The lab", 2);
    g_autofree char *renamed = g_strjoinv("Another lab", halves);
    guint position = vb_bus_client_position(client);
    g_autoptr(GVariant) redefined = NULL, title = NULL;

    redefined = vb_bus_client_call(client, path, VB_IFACE_NETWORK, "Redefine",
                                   g_variant_new_parsed("(%s, @a{sv} {})", renamed));
    title = vb_bus_client_next_change(client, &position, path, VB_IFACE_NETWORK, "Title");
    g_assert_cmpstr(g_variant_get_string(title, NULL), ==, "Another lab");
    network_assert_error(client, path, "Redefine",
                         "('<network><name>lab</name></network>', @a{sv} {})", INVALID_ARGS, "lab");
    network_assert_error(client, path, "Redefine",
                         "('<network><name>x</name><uuid>" LAB_UUID
                         "</uuid></network>', @a{sv} {})",
                         INVALID_ARGS, "lab");
    network_assert_error(client, path, "Redefine", "('<network/>', @a{sv} {})", "InvalidXml",
                         "name");
    network_assert_property(client, path, "Title", "'Another lab'");
}

static void test_undefine(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, BARE("brief", "brief0"));
    guint position = vb_bus_client_position(client);

    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Undefine");
    network_assert_event(client, &position, path, "undefined");
    network_assert_removed(client, &position, path);
    g_assert_false(vb_bus_client_has_object(client, path));
    network_assert_error(client, path, "Start", NO_OPTIONS,
                         "org.freedesktop.DBus.Error.UnknownObject", "");
    vb_bus_fixture_stop_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
    g_assert_false(vb_bus_client_has_object(client, path));
}

static void test_autostart(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, BARE("auto", "auto0"));
    guint position = vb_bus_client_position(client);
    g_autoptr(GVariant) set = vb_bus_client_call(client, path, VB_IFACE_NETWORK, "SetAutostart",
                                                 g_variant_new_parsed("(true, @a{sv} {})"));
    g_autoptr(GVariant) change =
        vb_bus_client_next_change(client, &position, path, VB_IFACE_NETWORK, "Autostart");

    g_assert_true(g_variant_get_boolean(change));
    vb_bus_fixture_kill_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
    network_assert_property(client, path, "Autostart", "true");
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static void test_list(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *off = network_define(client, lab_xml);
    g_autofree char *on = network_get(client, "CreateNetwork", BARE("on", "on0"));
    g_autofree char *all =
        strcmp(off, on) < 0 ? g_strjoin(" ", off, on, NULL) : g_strjoin(" ", on, off, NULL);

    network_assert_list(client, NO_OPTIONS, all);
    network_assert_list(client, "({'active': <true>},)", on);
    network_assert_list(client, "({'active': <false>},)", off);
    network_assert_list(client, "({'persistent': <true>},)", off);
    network_assert_list(client, "({'persistent': <false>},)", on);
    network_assert_list(client, "({'persistent': <true>, 'active': <true>},)", "");
}

/* Pages of `limit` say together what ObjectManager says, networks last. */
static void test_pages(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *first = network_define(client, BARE("one", "one0"));
    g_autofree char *second = network_define(client, BARE("two", "two0"));
    g_autofree char *domain_xml = vb_bus_test_domain_xml("dom", NULL);
    g_autofree char *domain = vb_bus_client_define(client, domain_xml);
    const struct {
        const char *kind;
        guint n;
    } kinds[] = {{"network", 2}, {"domain", 1}, {"", 4}}; /* and the manager */
    g_autoptr(GVariant) tree = vb_bus_client_call(client, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                                                  "GetManagedObjects", NULL);
    g_autoptr(GVariant) objects = g_variant_get_child_value(tree, 0);

    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *cursor = g_strdup("");
        guint n = 0;

        do {
            g_autoptr(GVariant) reply = vb_bus_client_call(
                client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetObjects",
                g_variant_new_parsed("(%s, %s, @u 1, @a{sv} {})", kinds[i].kind, cursor));
            g_autoptr(GVariantIter) iter = NULL;
            GVariant *interfaces;
            const char *path;

            g_clear_pointer(&cursor, g_free);
            g_variant_get(reply, "(a{oa{sa{sv}}}s)", &iter, &cursor);
            while (g_variant_iter_loop(iter, "{&o@a{sa{sv}}}", &path, &interfaces)) {
                g_autoptr(GVariant) ours =
                    g_variant_lookup_value(interfaces, VB_IFACE_NETWORK, NULL);
                g_autoptr(GVariant) whole = g_variant_lookup_value(objects, path, NULL);
                g_autoptr(GVariant) theirs = g_variant_lookup_value(whole, VB_IFACE_NETWORK, NULL);

                g_assert_cmpint(ours != NULL, ==,
                                g_str_equal(path, first) || g_str_equal(path, second));
                g_assert_true(ours == NULL ? theirs == NULL : g_variant_equal(ours, theirs));
                n++;
            }
        } while (*cursor != '\0');
        g_assert_cmpuint(n, ==, kinds[i].n);
    }
}

/* ---- changes of a part ------------------------------------------------------------------------
 */

#define HOST "<host mac=\"52:54:00:00:00:01\" ip=\"192.0.2.30\"/>"
#define HOST_PARTS "'ip-dhcp-host', 'add-last', -1, '" HOST "'"

static void test_bad_updates(VbBusFixture *fixture)
{
    static const struct {
        const char *params, *error, *part;
    } bad[] = {
        {"('ip-dhcp', 'add-last', -1, '" HOST "', @a{sv} {})", INVALID_ARGS, "section 'ip-dhcp'"},
        {"('ip-dhcp-host', 'add', -1, '" HOST "', @a{sv} {})", INVALID_ARGS, "command 'add'"},
        {"('ip-dhcp-host', 'add-last', 2, '" HOST "', @a{sv} {})", INVALID_ARGS, "2"},
        {"('ip-dhcp-host', 'delete', -1, '" HOST "', @a{sv} {})", INVALID_ARGS, ""},
        {"('ip-dhcp-host', 'add-last', -1, '<host', @a{sv} {})", "InvalidXml", "line 1"},
        {"('ip-dhcp-host', 'add-last', -1, '<range/>', @a{sv} {})", "InvalidXml", "range"},
        {"('ip-dhcp-host', 'add-last', -1, '<host mac=\"52:54:00:00:00:01\" ip=\"10.0.0.1\"/>',"
         " @a{sv} {})",
         "InvalidXml", "10.0.0.1"},
        {"(" HOST_PARTS ", {'live': <true>, 'stored': <true>})", INVALID_ARGS, "lab"},
    };
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    g_autofree char *before = network_get_xml(client, path, TRUE), *after = NULL;
    guint position = vb_bus_client_position(client);

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_test_message("%s", bad[i].params);
        network_assert_error(client, path, "Update", bad[i].params, bad[i].error, bad[i].part);
    }
    after = network_get_xml(client, path, TRUE);
    g_assert_cmpstr(after, ==, before);
    g_assert_cmpuint(vb_bus_client_count(client, position, NULL, NULL, NULL), ==, 0);
}

/* ---- the offer --------------------------------------------------------------------------------
 */

static char *default_xml(VbBusClient *client)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetDefaultNetworkXml",
                           g_variant_new_parsed(NO_OPTIONS));
    char *xml;

    g_variant_get(reply, "(s)", &xml);
    return xml;
}

static void test_default(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *offered = default_xml(client), *next = NULL;
    g_autofree char *path = NULL;

    network_assert_list(client, NO_OPTIONS, ""); /* no more than an offer */
    path = network_define(client, offered);
    network_assert_property(client, path, "Name", "'default'");
    network_assert_property(client, path, "ForwardMode", "'nat'");
    network_assert_property(client, path, "Addresses", "['192.168.130.1/24']");
    next = default_xml(client);
    g_assert_nonnull(strstr(next, "192.168.131.1"));
}

/* ---- without networks -------------------------------------------------------------------------
 */

static void test_session(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);

    network_assert_list(client, NO_OPTIONS, "");
    network_assert_manager_error(client, "DefineNetwork",
                                 g_variant_new_parsed("(%s, @a{sv} {})", BARE("x", "x0")),
                                 NOT_SUPPORTED, "network");
    network_assert_manager_error(client, "CreateNetwork",
                                 g_variant_new_parsed("(%s, @a{sv} {})", BARE("x", "x0")),
                                 NOT_SUPPORTED, "network");
    network_assert_manager_error(client, "GetDefaultNetworkXml", g_variant_new_parsed(NO_OPTIONS),
                                 NOT_SUPPORTED, "network");
    network_assert_manager_error(client, "Reload", g_variant_new_parsed(NO_OPTIONS), NOT_SUPPORTED,
                                 "network");
    network_assert_manager_error(client, "GetNetworkByName",
                                 g_variant_new_parsed("('x', @a{sv} {})"), "NoNetwork", "x");
}

int main(int argc, char **argv)
{
    static const NetworkTest tests[] = {
        {"/network/define", test_define, FALSE},
        {"/network/chosen-bridge", test_chosen_bridge, FALSE},
        {"/network/lookup", test_lookup, FALSE},
        {"/network/refusals", test_refusals, FALSE},
        {"/network/options", test_options, FALSE},
        {"/network/redefine", test_redefine, FALSE},
        {"/network/undefine", test_undefine, FALSE},
        {"/network/autostart", test_autostart, FALSE},
        {"/network/list", test_list, FALSE},
        {"/network/pages", test_pages, FALSE},
        {"/network/bad-updates", test_bad_updates, FALSE},
        {"/network/default", test_default, FALSE},
        {"/network/session", test_session, TRUE},
    };

    return network_run_tests(argc, argv, tests, G_N_ELEMENTS(tests));
}
