/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Virtual networks that are started, changed while they are active, asked for addresses, and found
 * again by the next daemon, as bus clients see them. That guests can use them is the matter of
 * tests/network. */
#include "network-client.h"

#include <net/if.h>

/* ---- life -------------------------------------------------------------------------------------
 */

static gboolean device_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

static void assert_state_change(VbBusClient *client, guint *position, const char *path,
                                const char *expected)
{
    g_autoptr(GVariant) state =
        vb_bus_client_next_change(client, position, path, VB_IFACE_NETWORK, "State");

    g_assert_cmpstr(g_variant_get_string(state, NULL), ==, expected);
}

/* Changes, then history, then the reply. */
static void test_life(VbBusFixture *fixture)
{
    static const struct {
        const char *method, *state, *event;
        gboolean exists;
    } steps[] = {{"Start", "active", "started", TRUE}, {"Destroy", "inactive", "stopped", FALSE}};
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    g_autofree char *before = network_get_xml(client, path, TRUE), *after = NULL;

    network_assert_error(client, path, "Destroy", NO_OPTIONS, "NetworkNotRunning", "lab");
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
        guint position = vb_bus_client_position(client);
        guint32 serial = vb_bus_client_send(client, path, VB_IFACE_NETWORK, steps[i].method,
                                            g_variant_new_parsed(NO_OPTIONS));
        g_autoptr(GVariant) reply = vb_bus_client_finish(client, serial);

        assert_state_change(client, &position, path, steps[i].state);
        network_assert_event(client, &position, path, steps[i].event);
        vb_bus_client_next_reply(client, &position, serial);
        g_assert_cmpint(device_exists("lab0"), ==, steps[i].exists);
        if (steps[i].exists)
            network_assert_error(client, path, "Start", NO_OPTIONS, "NetworkRunning", "lab");
    }
    after = network_get_xml(client, path, FALSE);
    g_assert_cmpstr(after, ==, before);
}

/* Two at once: the second is told what the first is. */
static void test_busy(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    guint32 first = vb_bus_client_send(client, path, VB_IFACE_NETWORK, "Start",
                                       g_variant_new_parsed(NO_OPTIONS));
    guint32 second = vb_bus_client_send(client, path, VB_IFACE_NETWORK, "Destroy",
                                        g_variant_new_parsed(NO_OPTIONS));
    g_autofree char *busy = vb_bus_client_finish_error(client, second, "Busy");
    g_autoptr(GVariant) started = vb_bus_client_finish(client, first);

    g_assert_nonnull(strstr(busy, "start"));
}

static void test_transient(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    guint position = vb_bus_client_position(client);
    g_autofree char *path = network_get(client, "CreateNetwork", BARE("brief", "brief0"));
    g_autofree char *xml = NULL;

    network_assert_added(client, &position, path);
    network_assert_event(client, &position, path, "started");
    network_assert_property(client, path, "State", "'active'");
    network_assert_property(client, path, "Persistent", "false");
    network_assert_error(client, path, "Undefine", NO_OPTIONS, "InvalidState", "brief");
    network_assert_error(client, path, "SetAutostart", "(true, @a{sv} {})", "InvalidState",
                         "brief");
    xml = network_get_xml(client, path, TRUE);
    g_assert_nonnull(strstr(xml, "brief0"));
    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Destroy");
    network_assert_event(client, &position, path, "stopped");
    network_assert_removed(client, &position, path);
    g_assert_false(device_exists("brief0"));
}

/* Undefined while it is active, it is a transient one. */
static void test_undefine_active(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, BARE("brief", "brief0"));
    guint position;

    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Start");
    position = vb_bus_client_position(client);
    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Undefine");
    g_autoptr(GVariant) persistent =
        vb_bus_client_next_change(client, &position, path, VB_IFACE_NETWORK, "Persistent");
    g_assert_false(g_variant_get_boolean(persistent));
    network_assert_event(client, &position, path, "undefined");
    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Destroy");
    network_assert_removed(client, &position, path);
}

/* A start that cannot be is none: the bridge belongs to somebody else. */
static void test_collision(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, BARE("brief", "brief0"));
    g_autofree char *added = network_shell(fixture, "ip link add brief0 type bridge");
    g_autofree char *before = network_shell(fixture, "ip -d link; ip address"), *after = NULL;
    g_autofree char *deleted = NULL;

    network_assert_error(client, path, "Start", NO_OPTIONS, "Failed", "brief0");
    network_assert_property(client, path, "State", "'inactive'");
    after = network_shell(fixture, "ip -d link; ip address");
    g_assert_cmpstr(after, ==, before);
    deleted = network_shell(fixture, "ip link del brief0");
    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Start");
}

/* ---- parts of the definition ------------------------------------------------------------------
 */

#define HOST "<host mac=\"52:54:00:00:00:01\" ip=\"192.0.2.30\"/>"
#define HOST_PARTS "'ip-dhcp-host', 'add-last', -1, '" HOST "'"

static void update(VbBusClient *client, const char *path, const char *params, gboolean live,
                   gboolean stored)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, path, VB_IFACE_NETWORK, "Update", g_variant_new_parsed(params));
    g_autoptr(GVariant) expected =
        g_variant_ref_sink(g_variant_new_parsed("({'live': <%b>, 'stored': <%b>},)", live, stored));

    g_assert_true(g_variant_equal(reply, expected));
}

static void assert_has_host(VbBusClient *client, const char *path, gboolean inactive,
                            gboolean expected)
{
    g_autofree char *xml = network_get_xml(client, path, inactive);

    g_assert_cmpint(strstr(xml, "52:54:00:00:00:01") != NULL, ==, expected);
}

static void test_update(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    g_autoptr(GVariant) pending = NULL;
    guint position = vb_bus_client_position(client);

    update(client, path, "(" HOST_PARTS ", @a{sv} {})", FALSE, TRUE);
    network_assert_event(client, &position, path, "updated");
    assert_has_host(client, path, TRUE, TRUE);
    network_assert_error(client, path, "Update", "(" HOST_PARTS ", {'live': <true>})", INVALID_ARGS,
                         "lab");
    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Start");

    position = vb_bus_client_position(client);
    update(client, path, "('ip-dhcp-host', 'delete', -1, '" HOST "', {'live': <true>})", TRUE,
           FALSE);
    pending = vb_bus_client_next_change(client, &position, path, VB_IFACE_NETWORK, "ConfigPending");
    g_assert_true(g_variant_get_boolean(pending));
    assert_has_host(client, path, FALSE, FALSE);
    assert_has_host(client, path, TRUE, TRUE);

    update(client, path, "('ip-dhcp-host', 'delete', 0, '" HOST "', {'stored': <true>})", FALSE,
           TRUE);
    network_assert_property(client, path, "ConfigPending", "false");
    update(client, path, "(" HOST_PARTS ", @a{sv} {})", TRUE, TRUE);
    assert_has_host(client, path, FALSE, TRUE);
    assert_has_host(client, path, TRUE, TRUE);
}

/* ---- mending ----------------------------------------------------------------------------------
 */

#define SHOW_HOST "nft -s list ruleset; cat /proc/sys/net/ipv4/ip_forward"
#define SPOIL_HOST "nft flush ruleset; echo 0 >/proc/sys/net/ipv4/ip_forward"

static gboolean tick(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

static gboolean host_is(VbBusFixture *fixture, const char *expected)
{
    g_autofree char *now = network_shell(fixture, SHOW_HOST);

    return g_str_equal(now, expected);
}

/* What others take away comes back: at a call, and at a signal, whose end nothing tells. */
static void test_reload(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    g_autofree char *whole = NULL, *spoiled = NULL, *again = NULL;
    guint source;

    vb_bus_client_do(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Reload"); /* there is nothing */
    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Start");
    whole = network_shell(fixture, SHOW_HOST);
    g_assert_nonnull(strstr(whole, "lab0"));
    spoiled = network_shell(fixture, SPOIL_HOST);
    g_assert_false(host_is(fixture, whole));
    vb_bus_client_do(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Reload");
    g_assert_true(host_is(fixture, whole));

    again = network_shell(fixture, SPOIL_HOST);
    kill(vb_bus_fixture_daemon_pid(fixture), SIGHUP);
    source = g_timeout_add(20, tick, NULL);
    VB_WAIT_FOR(host_is(fixture, whole));
    g_source_remove(source);
    network_assert_property(client, path, "State", "'active'");
}

/* ---- leases -----------------------------------------------------------------------------------
 */

/* A client of DHCP at the bridge's end of a cable. */
static void ask_for_lease(VbBusFixture *fixture)
{
    g_free(network_shell(
        fixture, "ip link add client0 address 52:54:00:00:00:07 type veth peer name port0; "
                 "ip link set port0 master lab0 up; ip link set client0 up; "
                 "busybox udhcpc -f -q -n -t 8 -T 2 -i client0 -x hostname:seven -s /bin/true"));
}

static void assert_lease(GVariant *leases)
{
    g_autoptr(GVariant) more = NULL;
    const char *mac, *address, *hostname, *client_id;
    guint64 expiry;

    g_assert_cmpuint(g_variant_n_children(leases), ==, 1);
    g_variant_get_child(leases, 0, "(&s&s&st@a{sv})", &mac, &address, &hostname, &expiry, &more);
    g_assert_cmpstr(mac, ==, "52:54:00:00:00:07");
    g_assert_true(g_str_has_prefix(address, "192.0.2."));
    g_assert_cmpstr(hostname, ==, "seven");
    g_assert_cmpuint(expiry, >, (guint64)g_get_real_time());
    g_assert_true(g_variant_lookup(more, "client-id", "&s", &client_id));
    g_assert_cmpstr(client_id, ==, "01:52:54:00:00:00:07");
    g_assert_false(g_variant_lookup(more, "iaid", "u", NULL));
}

static void test_leases(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *path = network_define(client, lab_xml);
    g_autofree char *busybox = g_find_program_in_path("busybox");
    g_autoptr(GVariant) leases = NULL, again = NULL;
    guint position;

    if (busybox == NULL) {
        g_test_skip("needs busybox for its DHCP client");
        return;
    }
    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Start");
    position = vb_bus_client_position(client);
    ask_for_lease(fixture);
    leases = vb_bus_client_next_change(client, &position, path, VB_IFACE_NETWORK, "Leases");
    assert_lease(leases);
    vb_bus_fixture_kill_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
    again = vb_bus_client_get(client, path, VB_IFACE_NETWORK, "Leases");
    g_assert_true(g_variant_equal(leases, again));
    vb_bus_client_do(client, path, VB_IFACE_NETWORK, "Destroy");
    network_assert_property(client, path, "Leases", "[]");
    g_free(network_shell(fixture, "ip link del client0"));
}

/* ---- restarts ---------------------------------------------------------------------------------
 */

/* All that the bus says of the networks. */
static GVariant *network_objects(VbBusClient *client)
{
    return vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetObjects",
                              g_variant_new_parsed("('network', '', @u 0, @a{sv} {})"));
}

static void test_restart(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *persistent = network_define(client, lab_xml);
    g_autofree char *idle = network_define(client, BARE("idle", "idle0"));
    g_autofree char *transient = network_get(client, "CreateNetwork", BARE("brief", "brief0"));
    g_autoptr(GVariant) before = NULL;
    guint index;

    vb_bus_client_do(client, persistent, VB_IFACE_NETWORK, "Start");
    before = network_objects(client);
    index = if_nametoindex("lab0");
    for (guint kill = 0; kill < 2; kill++) {
        g_autoptr(GVariant) after = NULL;

        if (kill)
            vb_bus_fixture_kill_daemon(fixture);
        else
            vb_bus_fixture_stop_daemon(fixture);
        g_assert_cmpuint(if_nametoindex("lab0"), ==, index);
        vb_bus_fixture_start_daemon(fixture);
        after = network_objects(client);
        g_assert_true(g_variant_equal(before, after));
        g_assert_cmpuint(if_nametoindex("lab0"), ==, index);
    }
    vb_bus_client_do(client, transient, VB_IFACE_NETWORK, "Destroy");
    g_assert_false(vb_bus_client_has_object(client, transient));
}

int main(int argc, char **argv)
{
    static const NetworkTest tests[] = {
        {"/network/life", test_life, FALSE},
        {"/network/busy", test_busy, FALSE},
        {"/network/transient", test_transient, FALSE},
        {"/network/undefine-active", test_undefine_active, FALSE},
        {"/network/collision", test_collision, FALSE},
        {"/network/update", test_update, FALSE},
        {"/network/reload", test_reload, FALSE},
        {"/network/leases", test_leases, FALSE},
        {"/network/restart", test_restart, FALSE},
    };

    return network_run_tests(argc, argv, tests, G_N_ELEMENTS(tests));
}
