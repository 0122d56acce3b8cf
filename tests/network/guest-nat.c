/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two guests on a network as most have one: NAT, DHCP with a static host, DNS, IPv6 by router
 * advertisements, an MTU. What they get, whom they reach, and what the bus says of it. */
#include "net-guest.h"

#include <string.h>

#define MAC_ONE "52:54:00:00:00:01"
#define MAC_TWO "52:54:00:00:00:02"

static const char network_xml[] =
    "<network><name>home</name><bridge name='vbhome' stp='off' delay='0'/><mtu size='1380'/>"
    "<forward mode='nat'><nat ipv6='yes'/></forward><domain name='home.test' localOnly='yes'/>"
    "<dns><host ip='192.168.77.77'><hostname>printer.home.test</hostname></host></dns>"
    "<ip address='192.168.77.1' prefix='24'><dhcp>"
    "<range start='192.168.77.100' end='192.168.77.199'/>"
    "<host mac='" MAC_TWO "' name='second' ip='192.168.77.20'/></dhcp></ip>"
    "<ip family='ipv6' address='fd77:77::1' prefix='64'/></network>";

#define INTERFACE(mac)                                                                             \
    "<interface type='network'><mac address='" mac "'/><source network='home'/>"                   \
    "<model type='virtio'/></interface>"

typedef struct {
    char *address, *hostname;
    gint64 expiry;
} Lease;

static void lease_clear(Lease *lease)
{
    g_free(lease->address);
    g_free(lease->hostname);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Lease, lease_clear)

static gboolean find_lease(GVariant *leases, const char *mac, Lease *ret_lease)
{
    const char *its_mac, *address, *hostname;
    GVariantIter iter;
    guint64 expiry;

    g_variant_iter_init(&iter, leases);
    while (g_variant_iter_next(&iter, "(&s&s&st@a{sv})", &its_mac, &address, &hostname, &expiry,
                               NULL)) {
        if (g_str_equal(its_mac, mac)) {
            *ret_lease = (Lease){g_strdup(address), g_strdup(hostname), expiry};
            return TRUE;
        }
    }
    return FALSE;
}

/* The property as it was announced: it follows the log from there on. */
static void await_lease(VbBusClient *client, guint position, const char *network, const char *mac,
                        Lease *ret_lease)
{
    for (;;) {
        g_autoptr(GVariant) leases =
            vb_bus_client_next_change(client, &position, network, VB_IFACE_NETWORK, "Leases");

        if (find_lease(leases, mac, ret_lease))
            return;
    }
}

static void await_domain_address(VbBusClient *client, guint position, NetGuest *guest,
                                 const char *address)
{
    for (;;) {
        g_autoptr(GVariant) value = vb_bus_client_next_change(
            client, &position, net_guest_domain(guest), VB_IFACE_DOMAIN, "Addresses");
        g_autofree const char **addresses = g_variant_get_strv(value, NULL);

        if (g_strv_contains(addresses, address))
            return;
    }
}

static void check_leases(NetHost *host, const char *network, guint from, NetGuest *one,
                         const char *address_one, NetGuest *two)
{
    VbBusClient *client = net_host_client(host);
    g_autoptr(GVariant) leases = vb_bus_client_get(client, network, VB_IFACE_NETWORK, "Leases");
    g_auto(Lease) lease_one = {}, lease_two = {}, now = {};

    await_lease(client, from, network, MAC_ONE, &lease_one);
    g_assert_cmpstr(lease_one.address, ==, address_one);
    g_assert_cmpstr(lease_one.hostname, ==, "one");
    g_assert_cmpint(lease_one.expiry, >, g_get_real_time());
    await_domain_address(client, from, one, address_one);

    await_lease(client, from, network, MAC_TWO, &lease_two);
    g_assert_cmpstr(lease_two.address, ==, "192.168.77.20");
    g_assert_cmpstr(lease_two.hostname, ==, "second"); /* not what it calls itself */
    await_domain_address(client, from, two, "192.168.77.20");

    /* Who was not there to see it, asks. */
    g_assert_true(find_lease(leases, MAC_ONE, &now));
    g_assert_cmpstr(now.address, ==, address_one);
}

static void check_names(NetGuest *one)
{
    /* A <host> of <dns>; another guest by the name that its lease has; nobody. */
    static const struct {
        const char *name, *address;
    } names[] = {{"printer.home.test", "192.168.77.77"},
                 {"second.home.test", "192.168.77.20"},
                 {"second", "192.168.77.20"}};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *answer = net_guest_run(one, "nslookup -type=a %s", names[i].name);
        g_assert_nonnull(strstr(answer, names[i].address));
    }
    g_assert_false(net_guest_try(one, "nslookup -type=a nobody.home.test"));
}

/* Each reaches the other, and the server behind the gateway, to which it is the host. */
static void check_reach(NetHost *host, NetGuest *one, NetGuest *two, const char *address_one)
{
    g_autoptr(NetServer) server = net_server_new(host, TRUE, 0);

    g_free(net_guest_run(one, "ping -c 1 -W 10 192.168.77.20"));
    g_free(net_guest_run(two, "ping -c 1 -W 10 %s", address_one));
    g_autofree char *peer = net_guest_ask(one, NET_OUTSIDE_ADDRESS, server);
    g_assert_cmpstr(peer, ==, NET_HOST_ADDRESS);
    g_autofree char *peer6 = net_guest_ask(one, NET_OUTSIDE_ADDRESS6, server);
    g_assert_cmpstr(peer6, ==, NET_HOST_ADDRESS6);

    /* From there nobody comes in, even who knows the way. */
    g_free(net_guest_run(two, "echo page >/www/index.html; httpd -h /www -p 80 >/dev/null 2>&1"));
    g_autofree char *page = net_guest_run(one, "wget -q -O - http://192.168.77.20/");
    g_assert_cmpstr(page, ==, "page");
    g_free(net_outside_run(host, "ip route add 192.168.77.0/24 via " NET_HOST_ADDRESS));
    g_assert_false(net_outside_try(host, "busybox nc -w 2 192.168.77.20 80 </dev/null"));
}

static void check_ipv6(NetGuest *one)
{
    net_guest_await(one, "ip -6 address show dev eth0 scope global | grep -v tentative | "
                         "grep -q 'inet6 fd77:77::'");
    g_free(net_guest_run(one, "ping -6 -c 1 -W 10 fd77:77::1"));
    g_free(net_guest_run(one, "ip -6 route | grep -q 'default via fe80:'"));
}

static void test_nat(void)
{
    g_autoptr(NetHost) host = net_host_new_for_guests();

    if (host == NULL)
        return;
    VbBusClient *client = net_host_client(host);
    const char *network = net_host_network(host, network_xml);
    guint from = vb_bus_client_position(client);
    g_autoptr(NetGuest) one = net_guest_new(host, "one", INTERFACE(MAC_ONE));
    g_autoptr(NetGuest) two = net_guest_new(host, "two", INTERFACE(MAC_TWO));
    g_autofree char *address_one = net_guest_await_address(one, "eth0");
    g_autofree char *address_two = net_guest_await_address(two, "eth0");

    g_assert_true(g_str_has_prefix(address_one, "192.168.77.1"));
    g_assert_cmpstr(address_two, ==, "192.168.77.20");
    check_leases(host, network, from, one, address_one, two);
    check_names(one);
    check_ipv6(one);
    check_reach(host, one, two, address_one);
    g_autofree char *mtu = net_guest_run(one, "cat /sys/class/net/eth0/mtu");
    g_assert_cmpstr(mtu, ==, "1380");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest-nat/two-guests", test_nat);
    return g_test_run();
}
