/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network driver on this kernel, when a daemon is followed by another, at each point where one
 * may have ended; and reload. What a network is while a daemon lives is in bridge-driver.c.
 */
#include "bridge-host.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "error.h"

/* ---- after a restart of the daemon ------------------------------------------------------------
 */

static VbNetwork *reload_daemon(BridgeHost *host)
{
    bridge_host_unload(host);
    bridge_host_load(host);
    return vb_host_network_by_name(host->host, "lan");
}

static void test_reconnect(void)
{
    g_autofree char *nothing = bridge_host_snapshot();
    g_autoptr(BridgeHost) host = bridge_host_new();
    g_autofree char *before = NULL, *again = NULL, *mended = NULL, *after = NULL;
    VbNetwork *network = bridge_host_start(host, NAT);
    pid_t pid = bridge_host_running_server(host);

    before = bridge_host_snapshot();
    network = reload_daemon(host);
    g_assert_true(vb_network_info(network)->active);
    g_assert_cmpint(bridge_host_running_server(host), ==, pid);
    again = bridge_host_snapshot();
    g_assert_cmpstr(again, ==, before);

    /* What was lost in between is mended. */
    bridge_host_unload(host);
    BRIDGE_HOST_RUN("nft flush ruleset; ip address del 192.168.7.1/24 dev " BRIDGE);
    g_assert_no_errno(kill(pid, SIGKILL));
    bridge_host_await_death(pid);
    bridge_host_load(host);
    network = vb_host_network_by_name(host->host, "lan");
    g_assert_true(vb_network_info(network)->active);
    g_assert_cmpint(bridge_host_running_server(host), !=, pid);
    mended = bridge_host_snapshot();
    g_assert_cmpstr(mended, ==, before);

    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
    after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, nothing);
}

/* Each application makes a new table, and the kernel counts tables. */
static guint table_number(void)
{
    g_autofree char *tables = bridge_host_run("nft -j list tables");
    const char *ours = strstr(tables, "\"name\": \"virtbus\", \"handle\": ");

    g_assert_nonnull(ours);
    return (guint)g_ascii_strtoull(strrchr(ours, ':') + 1, NULL, 10);
}

/* The firewall is not made anew for each of them, and never of some of them only. */
static void test_reconnect_several(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();
    g_autofree char *before = NULL, *again = NULL;
    guint number;

    for (guint i = 0; i < 10; i++) {
        g_autofree char *xml = g_strdup_printf("<network><name>n%u</name><bridge name='vbt%u'/>"
                                               "<ip address='10.7.%u.1' prefix='24'/>"
                                               "<dns enable='no'/></network>",
                                               i, i, i);
        bridge_host_start(host, xml);
    }
    before = bridge_host_rules();
    number = table_number();
    bridge_host_unload(host);
    bridge_host_load(host);
    /* The first one that is found again does it, those that come meanwhile together: 2 as a rule.
     */
    g_test_message("applications: %u", table_number() - number);
    g_assert_cmpuint(table_number(), <, number + 10);
    g_autoptr(GPtrArray) networks = vb_host_networks(host->host);
    g_assert_cmpuint(networks->len, ==, 10);
    again = bridge_host_rules();
    for (guint i = 0; i < networks->len; i++) {
        g_autofree char *chain =
            g_strconcat("chain from-", vb_network_def(networks->pdata[i])->bridge, NULL);

        g_assert_true(vb_network_info(networks->pdata[i])->active);
        bridge_host_assert_contains(again, chain);
        bridge_host_must_operate(networks->pdata[i], VB_NETWORK_OP_DESTROY);
    }
    g_assert_cmpuint(strlen(again), ==, strlen(before)); /* in another order */
    g_autofree char *none = bridge_host_rules();
    g_assert_cmpstr(none, ==, "");
}

/* Without its bridge it is gone, and so is the rest. */
static void test_reconnect_gone(void)
{
    g_autofree char *before = bridge_host_snapshot();
    g_autoptr(BridgeHost) host = bridge_host_new();
    VbNetwork *network = bridge_host_start(host, NAT);
    pid_t pid = bridge_host_running_server(host);

    bridge_host_unload(host);
    BRIDGE_HOST_RUN("ip link del " BRIDGE);
    bridge_host_load(host);
    network = vb_host_network_by_name(host->host, "lan");
    g_assert_false(vb_network_info(network)->active);
    bridge_host_await_death(pid);
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);
    bridge_host_start_and_stop(host);
}

typedef struct {
    const char *name, *state, *gone;
    gboolean server, unrecorded;
} Interruption;

static const Interruption interruptions[] = {
    {"start/bridge", "starting", "nft delete table inet virtbus", FALSE, TRUE},
    {"start/rules", "starting", "true", FALSE, TRUE},
    {"start/server", "starting", "true", TRUE, TRUE},
    {"start/nothing", "starting", "nft delete table inet virtbus; ip link del " BRIDGE, FALSE,
     TRUE},
    {"stop/all", "stopping", "true", TRUE, FALSE},
    {"stop/server", "stopping", "true", FALSE, FALSE},
    {"stop/bridge", "stopping", "ip link del " BRIDGE, FALSE, FALSE},
    {"stop/rules", "stopping", "nft delete table inet virtbus; ip link del " BRIDGE, FALSE, FALSE},
};

/* As if the daemon had been killed there. */
static void interrupt(BridgeHost *host, const Interruption *at)
{
    g_autofree char *path = bridge_host_run_file(host, "network.record");
    g_autoptr(GKeyFile) record = g_key_file_new();
    g_autoptr(GError) error = NULL;
    pid_t pid = bridge_host_running_server(host);

    bridge_host_unload(host);
    g_key_file_load_from_file(record, path, G_KEY_FILE_NONE, &error);
    g_assert_no_error(error);
    g_assert_true(g_key_file_has_group(record, "bridge"));
    if (at->unrecorded)
        g_key_file_remove_group(record, "bridge", NULL);
    g_key_file_set_string(record, "network", "state", at->state);
    g_key_file_save_to_file(record, path, &error);
    g_assert_no_error(error);
    BRIDGE_HOST_RUN("%s", at->gone);
    if (!at->server) {
        g_assert_no_errno(kill(pid, SIGTERM));
        bridge_host_await_death(pid);
    }
}

static void test_interrupted(gconstpointer data)
{
    g_autofree char *before = bridge_host_snapshot();
    g_autoptr(BridgeHost) host = bridge_host_new();
    g_autofree char *run_dir = vb_paths_network_run(host->paths, UUID);
    VbNetwork *network = bridge_host_start(host, NAT);
    pid_t pid = bridge_host_running_server(host);

    interrupt(host, data);
    bridge_host_load(host);
    network = vb_host_network_by_name(host->host, "lan");
    g_assert_false(vb_network_info(network)->active);
    bridge_host_await_death(pid);
    g_assert_false(g_file_test(run_dir, G_FILE_TEST_EXISTS));
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);
    bridge_host_start_and_stop(host);
}

/* The host is freed while a network starts: what there is of it then is removed by the next. */
static void test_freed(void)
{
    g_autofree char *before = bridge_host_snapshot();
    g_autoptr(BridgeHost) host = bridge_host_new();
    g_autoptr(GAsyncResult) result = NULL;
    VbNetwork *network = bridge_host_define(host, NAT);

    vb_network_operate_async(network, VB_NETWORK_OP_START, bridge_host_keep, &result);
    VB_WAIT_FOR(bridge_host_has_bridge());
    bridge_host_unload(host);
    bridge_host_load(host);
    network = vb_host_network_by_name(host->host, "lan");
    g_assert_false(vb_network_info(network)->active);
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);
}

/* ---- reload -----------------------------------------------------------------------------------
 */

static gboolean reload(BridgeHost *host, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    vb_host_reload_networks_async(host->host, bridge_host_keep, &result);
    VB_WAIT_FOR(result);
    return vb_host_reload_networks_finish(host->host, result, error);
}

static void test_reload(void)
{
    g_autoptr(BridgeHost) host = bridge_host_new();
    VbNetwork *network = bridge_host_start(host, NAT);
    g_autofree char *before = bridge_host_snapshot(), *forwarding = NULL;
    pid_t pid = bridge_host_running_server(host);
    g_autoptr(GError) error = NULL;

    BRIDGE_HOST_RUN("nft flush ruleset; ip address del 192.168.7.1/24 dev " BRIDGE "; "
                    "echo 0 >/proc/sys/net/ipv4/ip_forward");
    g_assert_true(reload(host, NULL));
    g_autofree char *after = bridge_host_snapshot();
    g_assert_cmpstr(after, ==, before);
    forwarding = bridge_host_run("cat /proc/sys/net/ipv4/ip_forward");
    g_assert_cmpstr(forwarding, ==, "1\n");
    g_assert_cmpint(bridge_host_running_server(host), ==, pid);

    /* What cannot be mended is told; the rest is mended all the same. */
    BRIDGE_HOST_RUN("ip link del " BRIDGE "; nft flush ruleset");
    g_assert_false(reload(host, &error));
    bridge_host_assert_error(error, VB_ERROR_NETWORK_NOT_RUNNING,
                             "network 'lan': there is no bridge " BRIDGE);
    g_autofree char *restored = bridge_host_rules();
    bridge_host_assert_contains(restored, "from-" BRIDGE);
    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);

    /* Without networks it touches nothing. */
    BRIDGE_HOST_RUN("nft add table inet virtbus");
    g_assert_true(reload(host, NULL));
    g_autofree char *untouched = bridge_host_rules();
    bridge_host_assert_contains(untouched, "inet virtbus");
    BRIDGE_HOST_RUN("nft delete table inet virtbus");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!bridge_host_enter())
        return 0;
    g_test_add_func("/bridge/reconnect", test_reconnect);
    g_test_add_func("/bridge/reconnect/gone", test_reconnect_gone);
    g_test_add_func("/bridge/reconnect/several", test_reconnect_several);
    for (gsize i = 0; i < G_N_ELEMENTS(interruptions); i++) {
        g_autofree char *path = g_strconcat("/bridge/interrupted/", interruptions[i].name, NULL);

        g_test_add_data_func(path, &interruptions[i], test_interrupted);
    }
    g_test_add_func("/bridge/freed", test_freed);
    g_test_add_func("/bridge/reload", test_reload);
    return g_test_run();
}
