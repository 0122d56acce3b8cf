/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bridges of networks on a real kernel: made as the definition says, refused where they would be in
 * the way of the host, mended, and removed without a trace. */
#include "links-host.h"

#include "error.h"

#define LAN "<forward mode='nat'/><ip address='192.168.130.1' prefix='24'/>"
#define BOTH                                                                                       \
    LAN "<ip family='ipv6' address='fd77::1' prefix='64'/>"                                        \
        "<route address='192.168.140.0' prefix='24' gateway='192.168.130.9' metric='7'/>"          \
        "<route family='ipv6' address='fd78::' prefix='64' gateway='fd77::9'/>"                    \
        "<bandwidth><inbound average='1000' peak='2000' burst='500'/>"                             \
        "<outbound average='500'/></bandwidth>"

static VbLinks *links;

static void make(const VbNetworkDef *def)
{
    g_autoptr(GError) error = NULL;

    links_host_make(links, def, &error);
    g_assert_no_error(error);
}

static void drop(const VbNetworkDef *def)
{
    g_autoptr(GError) error = NULL;

    links_host_remove(links, def, &error);
    g_assert_no_error(error);
}

/* Refused with these words, and nothing is changed. */
static void assert_refused(const VbNetworkDef *def, VbError code, const char *message)
{
    g_autofree char *before = links_host_snapshot();
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_false(links_host_make(links, def, &error));
    g_assert_error(error, VB_ERROR, (int)code);
    g_assert_cmpstr(error->message, ==, message);
    after = links_host_snapshot();
    links_host_assert_same(before, after);
}

static void test_made_and_removed(void)
{
    g_autoptr(VbNetworkDef) def = links_host_network("<mtu size='1400'/>" BOTH);
    g_autofree char *before = links_host_snapshot();
    g_autofree char *made = NULL;
    g_autofree char *after = NULL;

    make(def);
    made = links_host_snapshot();
    links_host_assert_prints("mtu 1400", "ip link show virtbus0");
    links_host_assert_prints("link/ether 52:54:00:00:00:01", "ip link show virtbus0");
    links_host_assert_prints(",UP", "ip link show virtbus0");
    links_host_assert_prints("inet 192.168.130.1/24 brd 192.168.130.255 scope global",
                             "ip -4 addr show virtbus0");
    links_host_assert_prints(
        "192.168.140.0/24 via 192.168.130.9 dev virtbus0 proto static metric 7", "ip route");
    links_host_assert_prints("fd78::/64 via fd77::9 dev virtbus0 proto static", "ip -6 route");
    links_host_assert_prints("tbf 7662: root", "tc qdisc show dev virtbus0");
    links_host_assert_prints("1", "cat /proc/sys/net/ipv4/ip_forward");
    links_host_assert_prints("1", "cat /proc/sys/net/ipv6/conf/all/forwarding");
    drop(def);
    after = links_host_snapshot();
    links_host_assert_same(before, after);
    g_assert_cmpstr(before, !=, made);
    drop(def); /* harmless */
}

static void test_stp(void)
{
    g_autoptr(VbNetworkDef) def = links_host_network(LAN);

    def->stp = TRUE;
    def->delay = 4;
    make(def);
    links_host_assert_prints("forward_delay 400 ", "ip -d link show virtbus0");
    links_host_assert_prints("stp_state 1 ", "ip -d link show virtbus0");
    drop(def);

    def->stp = FALSE;
    def->delay = 0;
    make(def);
    links_host_assert_prints("forward_delay 0 ", "ip -d link show virtbus0");
    links_host_assert_prints("stp_state 0 ", "ip -d link show virtbus0");
    drop(def);

    /* The shortest that STP knows takes the place of none. */
    def->stp = TRUE;
    make(def);
    links_host_assert_prints("forward_delay 200 ", "ip -d link show virtbus0");
    drop(def);
}

/* IPv6 works at once, before any guest is there: nothing is tentative. */
static void test_ipv6(void)
{
    g_autoptr(VbNetworkDef) none = links_host_network(LAN);
    g_autoptr(VbNetworkDef) local = links_host_network(LAN);
    g_autoptr(VbNetworkDef) full = links_host_network(BOTH);

    make(none);
    links_host_assert_prints("1", "cat /proc/sys/net/ipv6/conf/virtbus0/disable_ipv6");
    g_autofree char *nothing = links_host_run("ip -6 addr show virtbus0");
    g_assert_cmpstr(nothing, ==, "");
    drop(none);

    local->ipv6 = VB_TRISTATE_YES;
    make(local);
    links_host_assert_prints("inet6 fe80::5054:ff:fe00:1/64 scope link",
                             "ip -6 addr show virtbus0");
    drop(local);

    make(full);
    g_autofree char *addresses = links_host_run("ip -6 addr show virtbus0");
    links_host_assert_contains(addresses, "inet6 fd77::1/64 scope global");
    links_host_assert_contains(addresses, "inet6 fe80::5054:ff:fe00:1/64 scope link");
    links_host_assert_lacks(addresses, "tentative");
    links_host_assert_prints("0\n0\n",
                             "cd /proc/sys/net/ipv6/conf/virtbus0; cat accept_ra autoconf");
    drop(full);
}

/* A network card, up, with a carrier; the kernel gives it no address. */
static void add_eth0(void)
{
    g_free(links_host_run("ip link add eth0 type veth peer name peer0;"
                          "for d in eth0 peer0; do"
                          " ip link set $d addrgenmode none; ip link set $d up; done"));
}

static void test_forwarding(void)
{
    g_autoptr(VbNetworkDef) isolated = links_host_network("<ip address='10.9.0.1' prefix='24'/>");
    g_autoptr(VbNetworkDef) ipv4 = links_host_network(LAN);
    g_autoptr(VbNetworkDef) ipv6 =
        links_host_network("<forward mode='route'/>"
                           "<ip family='ipv6' address='fd77::1' prefix='64'/>");
    const char *state = "cd /proc/sys/net; cat ipv4/ip_forward ipv6/conf/all/forwarding";

    g_free(links_host_run("cd /proc/sys/net; echo 0 > ipv4/ip_forward;"
                          "echo 0 > ipv6/conf/all/forwarding"));
    make(isolated);
    links_host_assert_prints("0\n0\n", "%s", state);
    drop(isolated);
    make(ipv4);
    links_host_assert_prints("1\n0\n", "%s", state);
    drop(ipv4);

    /* eth0 would lose its default route, which a router has told it. */
    add_eth0();
    g_free(links_host_run("ip -6 route add default via fe80::1 dev eth0 proto ra; "
                          "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra"));
    assert_refused(ipv6, VB_ERROR_FAILED,
                   "to forward IPv6 would cost this host its default route, which a "
                   "router advertises on eth0: set net.ipv6.conf.eth0.accept_ra=2 first");
    links_host_assert_prints("1\n0\n", "%s", state);
    g_free(links_host_run("echo 2 > /proc/sys/net/ipv6/conf/eth0/accept_ra"));
    make(ipv6);
    links_host_assert_prints("1\n1\n", "%s", state);
    drop(ipv6);
    g_free(links_host_run("ip link del eth0"));
}

static void test_name_taken(void)
{
    g_autoptr(VbNetworkDef) def = links_host_network(LAN);

    g_free(links_host_run("ip link add virtbus0 address 52:54:00:99:99:99 type bridge"));
    assert_refused(def, VB_ERROR_FAILED,
                   "the name virtbus0 is taken by another network device (bridge, "
                   "MAC address 52:54:00:99:99:99)");
    /* Nor is it removed or mended. */
    drop(def);
    g_autoptr(GError) error = NULL;
    g_assert_false(links_host_check(links, def, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_NETWORK_NOT_RUNNING);
    g_free(links_host_run("ip link del virtbus0"));
}

static void test_overlaps(void)
{
    static const struct {
        const char *command, *undo, *message;
    } cases[] = {
        {"ip route add 192.168.0.0/16 via 10.0.0.1", "ip route del 192.168.0.0/16",
         "192.168.130.0/24 overlaps the host's route 192.168.0.0/16 via 10.0.0.1 "
         "dev eth0"},
        {"ip route add 192.168.130.7/32 dev eth0 table 77", "ip route del 192.168.130.7 table 77",
         "192.168.130.0/24 overlaps the host's route 192.168.130.7/32 dev eth0"},
        {"ip route add blackhole 192.168.128.0/20", "ip route del blackhole 192.168.128.0/20",
         "192.168.130.0/24 overlaps the host's route blackhole 192.168.128.0/20"},
        {"ip addr add 192.168.130.99/32 dev lo", "ip addr del 192.168.130.99/32 dev lo",
         "192.168.130.0/24 overlaps the host's route 192.168.130.99/32 dev lo"},
        {"ip route add 192.168.140.128/25 via 10.0.0.1", "ip route del 192.168.140.128/25",
         "the route to 192.168.140.0/24 overlaps the host's route "
         "192.168.140.128/25 via 10.0.0.1 dev eth0"},
        {"ip -6 route add fd77::/48 dev eth0", "ip -6 route del fd77::/48",
         "fd77::/64 overlaps the host's route fd77::/48 dev eth0"},
        {"ip route add 192.168.0.0/16 nexthop via 10.0.0.1 nexthop via 10.0.0.2",
         "ip route del 192.168.0.0/16",
         "192.168.130.0/24 overlaps the host's route 192.168.0.0/16 via 10.0.0.1 "
         "dev eth0"},
    };
    g_autoptr(VbNetworkDef) def = links_host_network(BOTH);

    add_eth0();
    g_free(links_host_run("ip link set lo up; ip addr add 10.0.0.9/24 dev eth0"));
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_free(links_host_run("%s", cases[i].command));
        assert_refused(def, VB_ERROR_FAILED, cases[i].message);
        g_free(links_host_run("%s", cases[i].undo));
    }

    /* Default routes, in one piece or in two, are in nobody's way. */
    g_free(links_host_run("ip route add default via 10.0.0.1; ip route add 0.0.0.0/1 via 10.0.0.1;"
                          "ip route add 128.0.0.0/1 via 10.0.0.1;"
                          "ip -6 route add default via fd99::1 dev eth0 onlink;"
                          "ip -6 route add 2000::/3 via fd99::1 dev eth0 onlink"));
    make(def);
    drop(def);
    g_free(links_host_run("ip link del eth0; ip link set lo down"));
}

static void test_check_mends(void)
{
    g_autoptr(VbNetworkDef) def = links_host_network(BOTH);
    g_autofree char *made = NULL;
    g_autofree char *mended = NULL;
    g_autofree char *again = NULL;
    g_autoptr(GError) error = NULL;

    make(def);
    made = links_host_snapshot();
    g_free(links_host_run("ip addr flush dev virtbus0; ip link set virtbus0 down; tc qdisc del dev "
                          "virtbus0 root; tc qdisc del dev virtbus0 ingress; "
                          "echo 0 > /proc/sys/net/ipv4/ip_forward"));
    links_host_check(links, def, &error);
    g_assert_no_error(error);
    mended = links_host_snapshot();
    links_host_assert_same(made, mended);
    links_host_assert_prints("1", "cat /proc/sys/net/ipv4/ip_forward");
    links_host_check(links, def, &error);
    g_assert_no_error(error);
    again = links_host_snapshot();
    links_host_assert_same(made, again);
    drop(def);

    g_assert_false(links_host_check(links, def, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_NETWORK_NOT_RUNNING);
    g_assert_cmpstr(error->message, ==, "there is no bridge virtbus0 on this host");
}

/* A bridge that is not ours: looked for, and that is all. */
static void test_bridge_of_the_host(void)
{
    g_autoptr(VbNetworkDef) def = NULL;
    g_autoptr(GError) error = NULL;

    def = vb_network_def_parse("<network><name>host</name><forward mode='bridge'/>"
                               "<bridge name='br0'/></network>",
                               -1, VB_XML_NONE, &error);
    g_assert_no_error(error);
    g_assert_false(links_host_check(links, def, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_NETWORK_NOT_RUNNING);
    g_clear_error(&error);
    g_free(links_host_run("ip link add br0 type bridge"));
    g_autofree char *before = links_host_snapshot();
    links_host_check(links, def, &error);
    g_assert_no_error(error);
    g_autofree char *after = links_host_snapshot();
    links_host_assert_same(before, after);
    g_free(links_host_run("ip link del br0"));
}

/* Errors that come when half is done: the kernel refuses a route, a device has the ifb's name. */
static void test_undone(void)
{
    g_autoptr(VbNetworkDef) route = links_host_network(BOTH);
    g_autoptr(VbNetworkDef) ifb = links_host_network(BOTH);
    VbRouteDef *wrong = route->routes->pdata[0];

    g_assert_true(vb_ip_parse("10.99.0.1", &wrong->gateway));
    assert_refused(route, VB_ERROR_FAILED,
                   "cannot add the route to 192.168.140.0/24 via 10.99.0.1 dev "
                   "virtbus0: Network is unreachable (Nexthop has invalid gateway)");

    /* The kernel counts the indexes of devices upwards. */
    g_free(links_host_run("ip tuntap add dev next mode tap"));
    g_autofree char *taken = g_strdup_printf("vbi%x", links_host_index("next") + 1);
    g_free(links_host_run("ip link set next name %s", taken));
    g_autofree char *message = g_strdup_printf("cannot limit the traffic of "
                                               "virtbus0: the name %s is taken by another device",
                                               taken);
    assert_refused(ifb, VB_ERROR_FAILED, message);
    g_free(links_host_run("ip link del %s", taken));

    ((VbNetworkDef *)ifb)->bandwidth.inbound.floor = 100;
    assert_refused(ifb, VB_ERROR_NOT_SUPPORTED,
                   "<bandwidth>: a floor is not supported by the network driver "
                   "'bridge'");
}

static void test_names_and_routes(void)
{
    g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GAsyncResult) named = NULL;
    g_autoptr(GAsyncResult) listed = NULL;
    g_autoptr(GPtrArray) routes = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = NULL;

    g_free(links_host_run("ip link add virtbus1 type bridge; ip addr add 10.7.0.1/24 dev virtbus1;"
                          "ip link set virtbus1 up"));
    g_hash_table_add(taken, (gpointer) "virtbus0");
    vb_links_find_name_async(links, taken, links_host_keep, &named);
    vb_links_routes_async(links, links_host_keep, &listed);
    VB_WAIT_FOR(listed != NULL);
    g_assert_nonnull(named);
    name = vb_links_find_name_finish(named, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(name, ==, "virtbus2");

    routes = vb_links_routes_finish(listed, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(routes->len, ==, 1);
    g_assert_cmpstr(((VbHostRoute *)routes->pdata[0])->text, ==, "10.7.0.0/24 dev virtbus1");
    g_assert_cmpstr(((VbHostRoute *)routes->pdata[0])->device, ==, "virtbus1");
    g_free(links_host_run("ip link del virtbus1"));
}

int main(int argc, char **argv)
{
    if (!links_host_enter())
        return 0;
    g_test_init(&argc, &argv, NULL);
    links = vb_links_new();
    g_test_add_func("/links/bridge/made-and-removed", test_made_and_removed);
    g_test_add_func("/links/bridge/stp", test_stp);
    g_test_add_func("/links/bridge/ipv6", test_ipv6);
    g_test_add_func("/links/bridge/forwarding", test_forwarding);
    g_test_add_func("/links/bridge/name-taken", test_name_taken);
    g_test_add_func("/links/bridge/overlaps", test_overlaps);
    g_test_add_func("/links/bridge/check-mends", test_check_mends);
    g_test_add_func("/links/bridge/of-the-host", test_bridge_of_the_host);
    g_test_add_func("/links/bridge/undone", test_undone);
    g_test_add_func("/links/bridge/names-and-routes", test_names_and_routes);
    int status = g_test_run();
    vb_links_free(links);
    return status;
}
