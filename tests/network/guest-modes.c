/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What each kind of network lets its guests reach, and whom it lets in. Two guests have an
 * interface on each; the address outside is routed through the one whose turn it is. */
#include "net-guest.h"

/* In the order of the interfaces; the host is .1 on each. */
enum { ISOLATED, ROUTED, APART, BRIDGED, UNPLUGGED };

static const char *const networks[] = {
    "<network><name>isolated</name>"
    "<ip address='192.168.80.1' prefix='24'><dhcp>"
    "<range start='192.168.80.10' end='192.168.80.99'/></dhcp></ip></network>",

    "<network><name>routed</name><forward mode='route'/>"
    "<ip address='192.168.81.1' prefix='24'><dhcp>"
    "<range start='192.168.81.10' end='192.168.81.99'/></dhcp></ip></network>",

    "<network><name>apart</name><forward mode='nat'/><port isolated='yes'/>"
    "<ip address='192.168.82.1' prefix='24'><dhcp>"
    "<range start='192.168.82.10' end='192.168.82.99'/></dhcp></ip></network>",
};

/* br9 is the test's own, and nobody serves addresses there. */
static const char interfaces[] =
    "<interface type='network'><source network='isolated'/><model type='virtio'/></interface>"
    "<interface type='network'><source network='routed'/><model type='virtio'/></interface>"
    "<interface type='network'><source network='apart'/><model type='virtio'/></interface>"
    "<interface type='bridge'><source bridge='br9'/><model type='virtio'/></interface>"
    "<interface type='network'><source network='routed'/><model type='virtio'/>"
    "<link state='down'/></interface>";

typedef struct {
    NetHost *host;
    NetServer *server; /* outside */
    NetGuest *one, *two;
    char *address[BRIDGED]; /* of the second guest */
} Modes;

static void route_outside_by(NetGuest *guest, guint network)
{
    g_autofree char *device = g_strdup_printf("eth%u", network);
    g_autofree char *gateway = g_strdup_printf("192.168.%u.1", 80 + network);

    net_guest_route_by(guest, device, gateway);
}

static gboolean reaches_outside(Modes *modes, NetGuest *guest)
{
    g_autofree char *peer = net_guest_ask(guest, NET_OUTSIDE_ADDRESS, modes->server);

    return peer != NULL;
}

static gboolean reaches(NetGuest *guest, const char *address, guint device)
{
    return net_guest_try(guest, "ping -c 1 -W 3 -I eth%u %s", device, address);
}

static void check_isolated(Modes *modes)
{
    g_assert_true(reaches(modes->one, modes->address[ISOLATED], ISOLATED));
    g_assert_true(reaches(modes->one, "192.168.80.1", ISOLATED));
    route_outside_by(modes->one, ISOLATED);
    g_assert_false(reaches_outside(modes, modes->one));
}

static void check_routed(Modes *modes)
{
    g_autofree char *address = net_guest_await_address(modes->one, "eth1");

    g_assert_true(reaches(modes->one, modes->address[ROUTED], ROUTED));
    route_outside_by(modes->one, ROUTED);
    g_autofree char *peer = net_guest_ask(modes->one, NET_OUTSIDE_ADDRESS, modes->server);
    g_assert_cmpstr(peer, ==, address); /* itself: nobody speaks for it */

    route_outside_by(modes->two, ROUTED);
    g_free(net_guest_run(modes->two, "echo page >/www/index.html; "
                                     "httpd -h /www -p 80 >/dev/null 2>&1"));
    g_autofree char *page =
        net_outside_run(modes->host, "busybox wget -q -O - http://%s/", modes->address[ROUTED]);
    g_assert_cmpstr(page, ==, "page\n");
    /* … but not into the isolated one, by any route. */
    g_free(net_outside_run(modes->host, "ip route add 192.168.80.0/24 via " NET_HOST_ADDRESS));
    g_assert_false(
        net_outside_try(modes->host, "busybox nc -w 3 %s 80 </dev/null", modes->address[ISOLATED]));
}

static void check_apart(Modes *modes)
{
    g_assert_false(reaches(modes->one, modes->address[APART], APART));
    g_assert_true(reaches(modes->one, "192.168.82.1", APART));
    g_assert_true(reaches(modes->two, "192.168.82.1", APART));
    route_outside_by(modes->one, APART);
    g_assert_true(reaches_outside(modes, modes->one));
}

static void check_bridged(Modes *modes)
{
    g_free(net_guest_run(modes->one, "ip address add 192.168.83.2/24 dev eth3"));
    g_free(net_guest_run(modes->two, "ip address add 192.168.83.3/24 dev eth3"));
    g_assert_true(reaches(modes->one, "192.168.83.3", BRIDGED));
    g_free(net_host_run(modes->host, "busybox ping -c 1 -W 10 192.168.83.2"));
}

static void check_unplugged(Modes *modes)
{
    g_autofree char *carrier =
        net_guest_run(modes->one, "cat /sys/class/net/eth%u/carrier", UNPLUGGED);

    g_assert_cmpstr(carrier, ==, "0");
}

/* It has a port already, so that its state does not depend on the guests. */
static void make_bridge(NetHost *host)
{
    g_free(net_host_run(host, "set -e; ip link add br9 type bridge; "
                              "ip link add br9p type veth peer name br9q; "
                              "for device in br9 br9p br9q; do "
                              "ip link set $device addrgenmode none; ip link set $device up; done; "
                              "ip link set br9p master br9; "
                              "ip address add 192.168.83.1/24 dev br9"));
    net_host_await_up(host, "br9");
}

static void test_modes(void)
{
    g_autoptr(NetHost) host = net_host_new_for_guests();

    if (host == NULL)
        return;
    make_bridge(host);
    net_host_note_state(host);
    g_free(net_outside_run(host, "ip route add 192.168.81.0/24 via " NET_HOST_ADDRESS));
    for (guint i = 0; i < G_N_ELEMENTS(networks); i++)
        net_host_network(host, networks[i]);
    g_autoptr(NetServer) server = net_server_new(host, TRUE, 0);
    g_autoptr(NetGuest) one = net_guest_new(host, "one", interfaces);
    g_autoptr(NetGuest) two = net_guest_new(host, "two", interfaces);
    Modes modes = {.host = host, .server = server, .one = one, .two = two};

    for (guint i = 0; i < G_N_ELEMENTS(modes.address); i++) {
        g_autofree char *device = g_strdup_printf("eth%u", i);
        g_free(net_guest_await_address(one, device));
        modes.address[i] = net_guest_await_address(two, device);
    }
    check_isolated(&modes);
    check_routed(&modes);
    check_apart(&modes);
    check_bridged(&modes);
    check_unplugged(&modes);
    for (guint i = 0; i < G_N_ELEMENTS(modes.address); i++)
        g_free(modes.address[i]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest-modes/all", test_modes);
    return g_test_run();
}
