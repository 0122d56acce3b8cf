/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network driver on this kernel: networks are started, stopped and changed, and each step of a
 * start is made to fail. A namespace that has had a network is line by line what it was. What comes
 * after the daemon's end is in bridge-restart.c.
 */
#include "bridge-host.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "error.h"
#include "fd.h"

#define SILENT                                                                                     \
    DOCUMENT("<forward mode='nat'/><dns enable='no'/>"                                             \
             "<ip address='192.168.7.1' prefix='24'/>")

/* ---- start and stop ---------------------------------------------------------------------------
 */

static void test_start_stop(void)
{
    g_autofree char *before = bridge_host_snapshot();
    g_autoptr(BridgeHost) host = bridge_host_new();
    VbNetwork *network = bridge_host_start(host, NAT);
    g_autofree char *active = bridge_host_snapshot();
    pid_t pid = bridge_host_running_server(host);

    bridge_host_assert_contains(active, "inet 192.168.7.1/24");
    bridge_host_assert_contains(active, "link/ether 52:54:00:00:00:01");
    bridge_host_assert_contains(active, "table inet virtbus {");
    bridge_host_assert_contains(active, "masquerade");
    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
    g_assert_false(bridge_host_is_running(pid));
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);

    /* Two of them; the other one stays when one goes. */
    bridge_host_must_operate(network, VB_NETWORK_OP_START);
    VbNetwork *other = bridge_host_start(host, "<network><name>other</name><uuid>" UUID2 "</uuid>"
                                               "<bridge name='vbt1'/></network>");
    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
    g_autofree char *others = bridge_host_rules();
    bridge_host_assert_contains(others, "from-vbt1");
    g_assert_null(strstr(others, BRIDGE));
    bridge_host_must_operate(other, VB_NETWORK_OP_DESTROY);
    g_autofree char *again = bridge_host_snapshot();
    g_assert_cmpstr(again, ==, before);
}

/* What is removed by others meanwhile is no error. */
static void test_stop_half(void)
{
    g_autofree char *before = bridge_host_snapshot();
    g_autoptr(BridgeHost) host = bridge_host_new();
    VbNetwork *network = bridge_host_start(host, NAT);

    BRIDGE_HOST_RUN("ip link del " BRIDGE "; nft delete table inet virtbus");
    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);
}

static void test_foreign_bridge(void)
{
    g_autofree char *before = bridge_host_snapshot();
    g_autoptr(BridgeHost) host = bridge_host_new();
    g_autoptr(GError) error = NULL;
    VbNetwork *network =
        bridge_host_define(host, "<network><name>lan</name><uuid>" UUID "</uuid>"
                                 "<forward mode='bridge'/><bridge name='vbtx'/></network>");

    g_assert_false(bridge_host_operate(network, VB_NETWORK_OP_START, &error));
    bridge_host_assert_error(error, VB_ERROR_FAILED, "network 'lan': there is no bridge vbtx");
    BRIDGE_HOST_RUN("ip link add vbtx type bridge; ip link set vbtx up");
    bridge_host_must_operate(network, VB_NETWORK_OP_START);
    g_autofree char *none = bridge_host_rules();
    g_assert_cmpstr(none, ==, "");
    bridge_host_unload(host);
    bridge_host_load(host);
    network = vb_host_network_by_name(host->host, "lan");
    g_assert_true(vb_network_info(network)->active);
    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
    BRIDGE_HOST_RUN("ip link del vbtx"); /* It has stayed. */
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);
}

/* ---- a start that fails -----------------------------------------------------------------------
 */

static void assert_start_fails(BridgeHost *host, const char *words)
{
    g_autofree char *before = bridge_host_snapshot();
    g_autofree char *run_dir = vb_paths_network_run(host->paths, UUID);
    VbNetwork *network = bridge_host_define(host, NAT);
    g_autoptr(GError) error = NULL;

    g_assert_false(bridge_host_operate(network, VB_NETWORK_OP_START, &error));
    bridge_host_assert_error(error, VB_ERROR_FAILED, words);
    g_assert_true(g_str_has_prefix(error->message, "network 'lan': "));
    g_assert_false(vb_network_info(network)->active);
    g_assert_false(g_file_test(run_dir, G_FILE_TEST_EXISTS));
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);
}

static void test_bridge_fails(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();

    BRIDGE_HOST_RUN("ip link add " BRIDGE " type bridge");
    assert_start_fails(host, BRIDGE);
    BRIDGE_HOST_RUN("ip link del " BRIDGE);
    bridge_host_start_and_stop(host);
}

static void test_firewall_fails(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();
    g_autofree char *before = bridge_host_snapshot();

    bridge_host_set_net_admin(FALSE);
    VbNetwork *network = bridge_host_define(host, NAT);
    g_autoptr(GError) error = NULL;
    g_assert_false(bridge_host_operate(network, VB_NETWORK_OP_START, &error));
    bridge_host_set_net_admin(TRUE);
    bridge_host_assert_error(error, VB_ERROR_FAILED,
                             "network 'lan': the firewall could not be changed");
    g_assert_false(vb_network_info(network)->active);
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);
    bridge_host_start_and_stop(host);
}

/* So that no dnsmasq can have it. */
static int take_dhcp_port(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(67)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_assert_no_errno(fd);
    g_assert_no_errno(bind(fd, (const struct sockaddr *)&address, sizeof address));
    return fd;
}

static void test_server_fails(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();
    vb_autofd int fd = take_dhcp_port();

    assert_start_fails(host, "dnsmasq");
    vb_clear_fd(&fd);
    bridge_host_start_and_stop(host);
}

/* ---- updates ----------------------------------------------------------------------------------
 */

static gboolean update(VbNetwork *network, VbNetworkSection section, VbNetworkUpdate command,
                       const char *xml, GError **error)
{
    const VbNetworkChange change = {
        .section = section, .command = command, .parent = -1, .xml = xml, .live = TRUE};
    g_autoptr(GAsyncResult) result = NULL;

    vb_network_update_async(network, &change, bridge_host_keep, &result);
    VB_WAIT_FOR(result);
    return vb_network_update_finish(result, NULL, NULL, error);
}

static void must_update(VbNetwork *network, VbNetworkSection section, VbNetworkUpdate command,
                        const char *xml)
{
    g_autoptr(GError) error = NULL;

    update(network, section, command, xml, &error);
    g_assert_no_error(error);
}

/* Each change disturbs no more than it has to. */
static void test_update(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();
    VbNetwork *network = bridge_host_start(host, NAT);
    pid_t pid = bridge_host_running_server(host);
    g_autofree char *before = bridge_host_run("nft -a list table inet virtbus");

    must_update(network, VB_NETWORK_SECTION_PORTGROUP, VB_NETWORK_UPDATE_ADD_LAST,
                "<portgroup name='g'/>");
    must_update(network, VB_NETWORK_SECTION_DNS_HOST, VB_NETWORK_UPDATE_ADD_LAST,
                "<host ip='192.168.7.9'><hostname>nine</hostname></host>");
    g_assert_cmpint(bridge_host_running_server(host), ==, pid);
    g_autofree char *same = bridge_host_run("nft -a list table inet virtbus");
    g_assert_cmpstr(same, ==, before);
    g_autofree char *names_path = bridge_host_run_file(host, "dnsmasq.names");
    g_autofree char *names = NULL;
    g_assert_true(g_file_get_contents(names_path, &names, NULL, NULL));
    bridge_host_assert_contains(names, "nine");

    must_update(network, VB_NETWORK_SECTION_FORWARD_INTERFACE, VB_NETWORK_UPDATE_ADD_LAST,
                "<interface dev='eth0'/>");
    g_assert_cmpint(bridge_host_running_server(host), ==, pid);
    g_autofree char *bound = bridge_host_rules();
    bridge_host_assert_contains(bound, "oifname \"eth0\"");

    must_update(network, VB_NETWORK_SECTION_IP_DHCP_RANGE, VB_NETWORK_UPDATE_ADD_LAST,
                "<range start='192.168.7.30' end='192.168.7.40'/>");
    g_assert_cmpint(bridge_host_running_server(host), !=, pid);
    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
    g_assert_false(bridge_host_has_bridge());
}

/* DNS is off, so the first range is the first thing that there is to serve. */
static void test_update_first_and_last(void)
{
    static const char range[] = "<range start='192.168.7.30' end='192.168.7.40'/>";
    g_autoptr(BridgeHost) host = bridge_host_new();
    VbNetwork *network = bridge_host_start(host, SILENT);

    g_assert_cmpint(bridge_host_server_pid(host), ==, 0);
    vb_autofd int fd = take_dhcp_port();
    g_autofree char *definition = vb_network_format(network, FALSE);
    g_autoptr(GError) error = NULL;
    g_assert_false(update(network, VB_NETWORK_SECTION_IP_DHCP_RANGE, VB_NETWORK_UPDATE_ADD_LAST,
                          range, &error));
    bridge_host_assert_error(error, VB_ERROR_FAILED, "dnsmasq");
    g_autofree char *unchanged = vb_network_format(network, FALSE);
    g_assert_cmpstr(unchanged, ==, definition);
    g_assert_cmpint(bridge_host_server_pid(host), ==, 0);
    vb_clear_fd(&fd);

    must_update(network, VB_NETWORK_SECTION_IP_DHCP_RANGE, VB_NETWORK_UPDATE_ADD_LAST, range);
    pid_t pid = bridge_host_running_server(host);
    must_update(network, VB_NETWORK_SECTION_IP_DHCP_RANGE, VB_NETWORK_UPDATE_DELETE, range);
    g_assert_false(bridge_host_is_running(pid));
    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
    g_assert_false(bridge_host_has_bridge());
}

static void test_update_fails(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();
    VbNetwork *network = bridge_host_start(host, NAT);
    g_autofree char *before = bridge_host_rules();
    g_autofree char *definition = vb_network_format(network, FALSE);
    g_autoptr(GError) error = NULL;

    bridge_host_set_net_admin(FALSE);
    g_assert_false(update(network, VB_NETWORK_SECTION_FORWARD_INTERFACE, VB_NETWORK_UPDATE_ADD_LAST,
                          "<interface dev='eth0'/>", &error));
    bridge_host_set_net_admin(TRUE);
    bridge_host_assert_error(error, VB_ERROR_FAILED, "the firewall could not be changed");
    g_autofree char *after = bridge_host_rules();
    g_assert_cmpstr(after, ==, before);
    g_autofree char *definition_after = vb_network_format(network, FALSE);
    g_assert_cmpstr(definition_after, ==, definition);
    /* Nor does it come with the next application. */
    VbNetwork *other = bridge_host_start(host, "<network><name>other</name><uuid>" UUID2 "</uuid>"
                                               "<bridge name='vbt1'/></network>");
    bridge_host_must_operate(other, VB_NETWORK_OP_DESTROY);
    g_autofree char *later = bridge_host_rules();
    g_assert_cmpstr(later, ==, before);
    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
}

/* ---- definitions ------------------------------------------------------------------------------
 */

static VbNetworkDef *find_default(BridgeHost *host)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;
    VbNetworkDef *def = NULL;

    vb_host_default_network_async(host->host, bridge_host_keep, &result);
    VB_WAIT_FOR(result);
    def = vb_host_default_network_finish(host->host, result, &error);
    g_assert_no_error(error);
    return def;
}

static void assert_address(const VbNetworkDef *def, const char *address)
{
    const VbNetworkIpDef *ip = g_ptr_array_index(def->ips, 0);
    g_autofree char *text = vb_ip_to_string(&ip->address);

    g_assert_cmpstr(text, ==, address);
}

static void test_default(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();
    g_autoptr(VbNetworkDef) first = find_default(host), second = NULL;
    g_autofree char *xml = vb_network_def_format(first, VB_FORMAT_NONE);

    g_assert_cmpstr(first->name, ==, "default");
    g_assert_cmpstr(first->bridge, ==, "virtbus0");
    assert_address(first, "192.168.130.1");
    bridge_host_define(host, xml);

    /* One subnet is the first one's, one is in a route, one in that of a network. */
    BRIDGE_HOST_RUN("ip link add up0 type veth peer name up1; ip link set up0 up; "
                    "ip address add 192.168.131.7/28 dev up0; ip link add virtbus1 type bridge");
    bridge_host_define(host,
                       "<network><name>n</name><bridge name='virtbus2'/><forward mode='route'/>"
                       "<ip address='192.168.132.1' prefix='25'/>"
                       "<route address='192.168.133.0' prefix='24' gateway='192.168.132.9'/>"
                       "</network>");
    second = find_default(host);
    g_assert_cmpstr(second->name, ==, "default-1");
    g_assert_cmpstr(second->bridge, ==, "virtbus3");
    assert_address(second, "192.168.134.1");
    BRIDGE_HOST_RUN("ip link del up0; ip link del virtbus1");
}

static void test_prepare(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();
    VbNetwork *first = bridge_host_define(host, "<network><name>a</name></network>");
    VbNetwork *second = bridge_host_define(host, "<network><name>b</name></network>");
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(vb_network_def(first)->bridge, ==, "virtbus0");
    g_assert_cmpstr(vb_network_def(second)->bridge, ==, "virtbus1");

    VbNetworkDef *def = vb_network_def_parse(
        "<network><name>c</name><bandwidth><inbound average='100'/></bandwidth><portgroup "
        "name='g'><bandwidth><inbound average='10' floor='5'/>"
        "</bandwidth></portgroup></network>",
        -1, VB_XML_NONE, &error);
    g_assert_no_error(error);
    vb_host_define_network_async(host->host, def, bridge_host_keep, &result);
    VB_WAIT_FOR(result);
    g_assert_null(vb_host_define_network_finish(host->host, result, &error));
    bridge_host_assert_error(error, VB_ERROR_NOT_SUPPORTED, "floor");
}

/* ---- time and leaks ---------------------------------------------------------------------------
 */

static guint count_fds(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir))
        n++;
    return n;
}

static void test_times(void)
{
    static const struct {
        const char *what, *xml;
    } cases[] = {{"without dnsmasq", SILENT}, {"with dnsmasq", NAT}};
    g_autoptr(BridgeHost) host = bridge_host_new();

    bridge_host_start_and_stop(host);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        VbNetwork *network = bridge_host_define(host, cases[i].xml);
        guint fds = count_fds();

        for (guint n = 0; n < 5; n++) {
            gint64 begin = g_get_monotonic_time();

            bridge_host_must_operate(network, VB_NETWORK_OP_START);
            g_test_message("start %s: %d µs", cases[i].what, (int)(g_get_monotonic_time() - begin));
            bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
        }
        g_assert_cmpuint(count_fds(), ==, fds);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!bridge_host_enter())
        return 0;
    g_test_add_func("/bridge/start-stop", test_start_stop);
    g_test_add_func("/bridge/stop-half", test_stop_half);
    g_test_add_func("/bridge/foreign", test_foreign_bridge);
    g_test_add_func("/bridge/fails/bridge", test_bridge_fails);
    g_test_add_func("/bridge/fails/firewall", test_firewall_fails);
    g_test_add_func("/bridge/fails/server", test_server_fails);
    g_test_add_func("/bridge/update", test_update);
    g_test_add_func("/bridge/update/first-and-last", test_update_first_and_last);
    g_test_add_func("/bridge/update/fails", test_update_fails);
    g_test_add_func("/bridge/default", test_default);
    g_test_add_func("/bridge/prepare", test_prepare);
    g_test_add_func("/bridge/times", test_times);
    return g_test_run();
}
