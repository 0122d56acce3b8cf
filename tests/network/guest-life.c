/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest runs on while what its network is made of goes and comes back: the network itself, the
 * daemon, its name server, its firewall. */
#include "net-guest.h"

#include <signal.h>

static const char network_xml[] =
    "<network><name>home</name><bridge name='vbhome' stp='off' delay='0'/><forward mode='nat'/>"
    "<dns><host ip='192.168.77.77'><hostname>printer</hostname></host></dns>"
    "<ip address='192.168.77.1' prefix='24'><dhcp>"
    "<range start='192.168.77.100' end='192.168.77.199'/></dhcp></ip></network>";

#define MAC "52:54:00:00:00:01"

static const char interface[] =
    "<interface type='network'><mac address='" MAC "'/><source network='home'/>"
    "<model type='virtio'/></interface>";

typedef struct {
    NetHost *host;
    VbBusClient *client;
    NetServer *server; /* outside */
    NetGuest *guest;
    const char *network;
    char *address;
} Life;

static gboolean reaches_outside(Life *life)
{
    g_autofree char *peer = net_guest_ask(life->guest, NET_OUTSIDE_ADDRESS, life->server);

    return g_strcmp0(peer, NET_HOST_ADDRESS) == 0;
}

static void await_carrier(Life *life, guint carrier)
{
    net_guest_await(life->guest, "[ $(cat /sys/class/net/eth0/carrier) = %u ]", carrier);
}

/* What the bus says: the one lease, and whose it is. "" without one. */
static char *get_lease(Life *life)
{
    g_autoptr(GVariant) leases =
        vb_bus_client_get(life->client, life->network, VB_IFACE_NETWORK, "Leases");
    g_autoptr(GVariant) addresses = vb_bus_client_get(life->client, net_guest_domain(life->guest),
                                                      VB_IFACE_DOMAIN, "Addresses");
    g_autofree const char **strv = g_variant_get_strv(addresses, NULL);
    const char *mac, *address;

    if (g_variant_n_children(leases) == 0) {
        g_assert_cmpuint(g_strv_length((char **)strv), ==, 0);
        return g_strdup("");
    }
    g_assert_cmpuint(g_variant_n_children(leases), ==, 1);
    g_variant_get_child(leases, 0, "(&s&s&st@a{sv})", &mac, &address, NULL, NULL, NULL);
    g_assert_cmpstr(mac, ==, MAC);
    g_assert_cmpuint(g_strv_length((char **)strv), ==, 1);
    g_assert_cmpstr(strv[0], ==, address);
    return g_strdup(address);
}

static void assert_lease(Life *life, const char *address)
{
    g_autofree char *lease = get_lease(life);

    g_assert_cmpstr(lease, ==, address);
}

static void assert_running(Life *life)
{
    g_autofree char *state = vb_bus_client_get_string(life->client, net_guest_domain(life->guest),
                                                      VB_IFACE_DOMAIN, "State");

    g_assert_cmpstr(state, ==, "running");
}

static void await_leases(Life *life, guint *position, guint n)
{
    for (;;) {
        g_autoptr(GVariant) leases = vb_bus_client_next_change(
            life->client, position, life->network, VB_IFACE_NETWORK, "Leases");

        if (g_variant_n_children(leases) == n)
            return;
    }
}

/* All that a network is for, and a lease that is given back and taken anew. */
static void check_works(Life *life)
{
    guint position = vb_bus_client_position(life->client);
    g_autofree char *before = get_lease(life);

    g_assert_true(reaches_outside(life));
    g_free(net_guest_run(life->guest, "nslookup -type=a printer | grep -q 192.168.77.77"));
    g_free(net_guest_run(life->guest, "killall -USR2 udhcpc"));
    if (!g_str_equal(before, "")) /* a network that was made anew knows of none */
        await_leases(life, &position, 0);
    net_guest_await(life->guest, "! ip -4 address show eth0 | grep -q 'inet '");
    g_free(net_guest_run(life->guest, "killall -USR1 udhcpc"));
    await_leases(life, &position, 1);
    g_free(life->address);
    life->address = net_guest_await_address(life->guest, "eth0");
    assert_lease(life, life->address);
    assert_running(life);
}

static gboolean tick(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

static void check_network_restart(Life *life)
{
    vb_bus_client_do(life->client, life->network, VB_IFACE_NETWORK, "Destroy");
    await_carrier(life, 0);
    assert_running(life);
    assert_lease(life, "");
    vb_bus_client_do(life->client, life->network, VB_IFACE_NETWORK, "Start");
    await_carrier(life, 1);
    check_works(life);
}

/* While there is no daemon the guest's network goes on; one that comes finds all as it was. */
static void check_daemon_restart(Life *life, gboolean by_force)
{
    VbBusFixture *fixture = net_host_fixture(life->host);
    GPid dnsmasq = net_host_process(life->host, "dnsmasq");

    g_assert_cmpint(dnsmasq, !=, 0);
    if (by_force)
        vb_bus_fixture_kill_daemon(fixture);
    else
        vb_bus_fixture_stop_daemon(fixture);
    g_assert_true(reaches_outside(life));
    g_free(net_guest_run(life->guest, "nslookup -type=a printer | grep -q 192.168.77.77"));
    vb_bus_fixture_start_daemon(fixture);

    g_autofree char *state =
        vb_bus_client_get_string(life->client, life->network, VB_IFACE_NETWORK, "State");
    g_assert_cmpstr(state, ==, "active");
    assert_lease(life, life->address);
    g_assert_cmpint(net_host_process(life->host, "dnsmasq"), ==, dnsmasq);
    check_works(life);
}

/* Killed with or without a daemon to see it. */
static void check_dnsmasq_killed(Life *life, gboolean unseen)
{
    VbBusFixture *fixture = net_host_fixture(life->host);
    GPid dnsmasq = net_host_process(life->host, "dnsmasq");

    g_assert_cmpint(dnsmasq, !=, 0);
    if (unseen)
        vb_bus_fixture_stop_daemon(fixture);
    g_assert_no_errno(kill(dnsmasq, SIGKILL));
    if (unseen)
        vb_bus_fixture_start_daemon(fixture);
    guint ticking = g_timeout_add(20, tick, NULL); /* no bus signal tells of it */
    VB_WAIT_FOR(net_host_process(life->host, "dnsmasq") != dnsmasq &&
                net_host_process(life->host, "dnsmasq") != 0);
    g_source_remove(ticking);
    net_guest_await(life->guest, "nslookup -type=a printer | grep -q 192.168.77.77");
    assert_lease(life, life->address);
    check_works(life);
}

static void check_flushed(Life *life)
{
    g_free(net_host_run(life->host, "nft flush ruleset; echo 0 >/proc/sys/net/ipv4/ip_forward"));
    g_assert_false(reaches_outside(life));
    vb_bus_client_do(life->client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "Reload");
    check_works(life);
}

static void test_life(void)
{
    g_autoptr(NetHost) host = net_host_new_for_guests();

    if (host == NULL)
        return;
    g_free(net_host_run(host, "nft flush ruleset")); /* as it will be done again */
    net_host_note_state(host);
    const char *network = net_host_network(host, network_xml);
    g_autoptr(NetServer) server = net_server_new(host, TRUE, 0);
    g_autoptr(NetGuest) guest = net_guest_new(host, "one", interface);
    Life life = {.host = host,
                 .client = net_host_client(host),
                 .server = server,
                 .guest = guest,
                 .network = network,
                 .address = net_guest_await_address(guest, "eth0")};

    check_works(&life);
    check_flushed(&life);
    check_dnsmasq_killed(&life, FALSE);
    check_dnsmasq_killed(&life, TRUE);
    check_daemon_restart(&life, FALSE);
    check_daemon_restart(&life, TRUE);
    check_network_restart(&life);
    g_free(life.address);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest-life/all", test_life);
    return g_test_run();
}
