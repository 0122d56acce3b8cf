/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands about networks and interfaces as they are run: what they call, print and exit with,
 * against the mock of virtbusd. */
#include "cli-mock.h"

#define DEFAULT_XML "<network><name>default</name></network>\n"

static void run_and_assert(VbMock *mock, const char *words, int status, const char *output,
                           const char *errors)
{
    g_autoptr(VbMockRun) run = vb_mock_run(mock, words);

    g_assert_cmpstr(run->errors, ==, errors);
    g_assert_cmpstr(run->output, ==, output);
    g_assert_cmpint(run->status, ==, status);
}

static void run_with_input(VbMock *mock, const char *words, const char *input, const char *output)
{
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_spawn(mock, words, input);
    run = vb_mock_wait(mock);
    g_assert_cmpstr(run->errors, ==, "");
    g_assert_cmpstr(run->output, ==, output);
    g_assert_cmpint(run->status, ==, 0);
}

static void test_list(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path;

    vb_mock_add_network(mock, "lan", "inactive");
    path = vb_mock_add_network(mock, "default", "active");
    vb_mock_set(mock, path, "Autostart", g_variant_new_boolean(TRUE));
    vb_mock_set(mock, path, "Persistent", g_variant_new_boolean(TRUE));
    run_and_assert(mock, "net-list --all", 0,
                   " Name      State      Autostart   Persistent\n"
                   "----------------------------------------------\n"
                   " default   active     yes         yes\n"
                   " lan       inactive   no          no\n",
                   "");
    run_and_assert(mock, "net-list --name", 0, "default\n", "");
    run_and_assert(mock, "net-list --inactive --name", 0, "lan\n", "");
    run_and_assert(mock, "net-list --inactive --uuid", 0, "00000000-0000-4000-9000-000000000000\n",
                   "");
    run_and_assert(mock, "net-list --all --inactive", 2, "",
                   "error: --all and --inactive exclude each other\n"
                   "'virtbusctl help net-list' says what it takes.\n");
}

static void return_path(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", data));
}

static void return_default_xml(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(s)", DEFAULT_XML));
}

static void test_life(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_network(mock, "default", "active");

    vb_mock_on(mock, "DefineNetwork", return_path, (gpointer)path);
    vb_mock_on(mock, "CreateNetwork", return_path, (gpointer)path);
    vb_mock_on(mock, "GetDefaultNetworkXml", return_default_xml, NULL);
    run_and_assert(mock, "net-define --default", 0, "Network 'default' defined\n", "");
    run_with_input(mock, "net-define -", "<network/>", "Network 'default' defined from -\n");
    run_with_input(mock, "net-create -", "<network/>", "Network 'default' created from -\n");
    run_and_assert(mock, "net-start default", 0, "Network 'default' started\n", "");
    run_and_assert(mock, "net-destroy 00000000-0000-4000-9000-000000000000", 0,
                   "Network 'default' destroyed\n", "");
    run_and_assert(mock, "net-undefine default", 0, "Network 'default' has been undefined\n", "");
    run_and_assert(mock, "net-autostart default --disable", 0,
                   "Network 'default' unmarked as autostarted\n", "");
    run_and_assert(mock, "net-reload", 0, "Networks reloaded\n", "");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==,
                    "GetDefaultNetworkXml ({},)\n"
                    "DefineNetwork ('<network><name>default</name></network>\\n', {})\n"
                    "DefineNetwork ('<network/>', {})\n"
                    "CreateNetwork ('<network/>', {})\n"
                    "Start ({},)\n"
                    "Destroy ({},)\n"
                    "Undefine ({},)\n"
                    "SetAutostart (false, {})\n"
                    "Reload ({},)\n");
}

static void test_wrong(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    run_and_assert(mock, "net-start nowhere", 1, "", "error: no network is called that\n");
    run_and_assert(mock, "net-define", 2, "",
                   "error: net-define needs a FILE, or --default\n"
                   "'virtbusctl help net-define' says what it takes.\n");
    run_and_assert(mock, "net-define file --default", 2, "",
                   "error: --file and --default exclude each other\n"
                   "'virtbusctl help net-define' says what it takes.\n");
    run_and_assert(mock, "net-update lan add dns-host <host/> --parent-index x", 2, "",
                   "error: --parent-index must be a number from 0 to 2147483647, not 'x'\n"
                   "'virtbusctl help net-update' says what it takes.\n");
    run_and_assert(mock, "net-update lan add dns-host /nonexistent", 1, "",
                   "error: Failed to open file “/nonexistent”: No such file or directory\n");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==, "");
}

static void test_info(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_network(mock, "default", "active");

    vb_mock_set(mock, path, "Persistent", g_variant_new_boolean(TRUE));
    vb_mock_set(mock, path, "Bridge", g_variant_new_string("virtbus0"));
    vb_mock_set(mock, path, "ForwardMode", g_variant_new_string("nat"));
    vb_mock_set(mock, path, "Addresses",
                g_variant_new_parsed("['192.168.130.1/24', 'fd00::1/64']"));
    run_and_assert(mock, "net-info default", 0,
                   "Name:           default\n"
                   "UUID:           00000000-0000-4000-9000-000000000000\n"
                   "Active:         yes\n"
                   "Persistent:     yes\n"
                   "Autostart:      no\n"
                   "Bridge:         virtbus0\n"
                   "Forward:        nat\n"
                   "Addresses:      192.168.130.1/24\n"
                   "                fd00::1/64\n",
                   "");
}

static void return_live(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    g_dbus_method_invocation_return_value(
        invocation, g_variant_new_parsed("({'live': <true>, 'stored': <false>},)"));
}

static void test_update(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    vb_mock_add_network(mock, "default", "active");
    vb_mock_on(mock, "Update", return_live, NULL);
    run_and_assert(mock, "net-update default add dns-txt <txt/> --live", 0,
                   "Network 'default' updated: the active network\n", "");
    run_and_assert(mock, "net-update default delete ip-dhcp-host <host/> --parent-index 2 --config",
                   0, "Network 'default' updated: the active network\n", "");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==,
                    "Update ('dns-txt', 'add-last', -1, '<txt/>', {'live': <true>})\n"
                    "Update ('ip-dhcp-host', 'delete', 2, '<host/>', {'stored': <true>})\n");
}

#define LEASES                                                                                     \
    "[('52:54:00:00:00:01', '192.168.130.7', 'web', @t 0, {'client-id': <'01:52:54'>}),"           \
    " ('52:54:00:00:00:02', 'fd00::7', '', 1700000000000000, @a{sv} {})]"

static void test_leases(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *network = vb_mock_add_network(mock, "default", "active");
    const char *domain = vb_mock_add_domain(mock, 1, "web", "running");
    g_autoptr(GDateTime) expiry = g_date_time_new_from_unix_local(1700000000);
    g_autofree char *time = g_date_time_format(expiry, "%Y-%m-%d %H:%M:%S");
    g_autofree char *both = NULL;

    vb_mock_set(mock, network, "Leases", g_variant_new_parsed(LEASES));
    vb_mock_set(mock, domain, "Interfaces",
                g_variant_new_parsed("[('52:54:00:00:00:01', 'network', 'default', 'virtio', "
                                     "{'target': <'vnet0'>}),"
                                     " ('52:54:00:00:00:09', 'user', '', 'e1000', @a{sv} {})]"));
    both = g_strdup_printf(
        " Expiry Time           MAC address         Protocol   IP address      Hostname   "
        "Client ID or DUID\n"
        "------------------------------------------------------------------------------------------"
        "----------\n"
        " never                 52:54:00:00:00:01   ipv4       192.168.130.7   web        "
        "01:52:54\n"
        " %s   52:54:00:00:00:02   ipv6       fd00::7         -          -\n",
        time);
    run_and_assert(mock, "net-dhcp-leases default", 0, both, "");
    run_and_assert(mock, "--json net-dhcp-leases default --mac 52:54:00:00:00:01", 0,
                   "[{\"mac\":\"52:54:00:00:00:01\",\"address\":\"192.168.130.7\","
                   "\"hostname\":\"web\",\"expiry\":0,\"client-id\":\"01:52:54\"}]\n",
                   "");
    run_and_assert(mock, "domiflist web", 0,
                   " Interface   Type      Source    Model    MAC\n"
                   "-------------------------------------------------------------\n"
                   " vnet0       network   default   virtio   52:54:00:00:00:01\n"
                   " -           user      -         e1000    52:54:00:00:00:09\n",
                   "");
    run_and_assert(mock, "domifaddr web", 0,
                   " Name    MAC address         Protocol   Address\n"
                   "-------------------------------------------------------\n"
                   " vnet0   52:54:00:00:00:01   ipv4       192.168.130.7\n",
                   "");
    run_and_assert(mock, "domifaddr web --interface vnet7", 2, "",
                   "error: domain 'web' has no interface 'vnet7'\n"
                   "'virtbusctl help domifaddr' says what it takes.\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    vb_mock_set_program(argv[1]);
    g_test_add_func("/cli/network/list", test_list);
    g_test_add_func("/cli/network/life", test_life);
    g_test_add_func("/cli/network/wrong", test_wrong);
    g_test_add_func("/cli/network/info", test_info);
    g_test_add_func("/cli/network/update", test_update);
    g_test_add_func("/cli/network/leases", test_leases);
    return g_test_run();
}
