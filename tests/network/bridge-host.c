/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See bridge-host.h.
 */
#include "bridge-host.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "remove-tree.h"

/* ---- the namespace ----------------------------------------------------------------------------
 */

char *bridge_host_run(const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *messages = NULL;
    char *output = NULL;
    va_list args;
    int status;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    const char *argv[] = {"sh", "-e", "-c", command, NULL};

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &messages,
                 &status, &error);
    g_assert_no_error(error);
    if (!g_spawn_check_wait_status(status, NULL))
        g_error("%s: %s%s", command, output, messages);
    return output;
}

char *bridge_host_rules(void)
{
    return bridge_host_run("nft list ruleset");
}

char *bridge_host_snapshot(void)
{
    return bridge_host_run(
        "ip -o link | sed 's/^[0-9]*: //; s/<.*link/link/'; "
        "ip -o address | sed 's/^[0-9]*: //'; "
        "{ ip route show table all; ip -6 route show table all; } | sed 's/ linkdown//'; "
        "nft list ruleset");
}

gboolean bridge_host_has_bridge(void)
{
    return if_nametoindex(BRIDGE) != 0;
}

gboolean bridge_host_enter(void)
{
    if (unshare(CLONE_NEWNET) < 0) {
        g_print("1..0 # SKIP this needs root\n");
        return FALSE;
    }
    BRIDGE_HOST_RUN("ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward; "
                    "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
    return TRUE;
}

void bridge_host_set_net_admin(gboolean on)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    g_assert_no_errno((int)syscall(SYS_capget, &header, data));
    if (on)
        data[0].effective |= 1u << CAP_NET_ADMIN;
    else
        data[0].effective &= ~(1u << CAP_NET_ADMIN);
    g_assert_no_errno((int)syscall(SYS_capset, &header, data));
}

/* ---- calls ------------------------------------------------------------------------------------
 */

void bridge_host_keep(GObject *source, GAsyncResult *result, gpointer kept)
{
    *(GAsyncResult **)kept = g_object_ref(result);
}

gboolean bridge_host_operate(VbNetwork *network, VbNetworkOp op, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    vb_network_operate_async(network, op, bridge_host_keep, &result);
    VB_WAIT_FOR(result);
    return vb_network_operate_finish(network, result, error);
}

void bridge_host_must_operate(VbNetwork *network, VbNetworkOp op)
{
    g_autoptr(GError) error = NULL;

    bridge_host_operate(network, op, &error);
    g_assert_no_error(error);
}

void bridge_host_assert_error(const GError *error, VbError code, const char *words)
{
    g_assert_error(error, VB_ERROR, (int)code);
    g_assert_null(strchr(error->message, '\n'));
    if (!strstr(error->message, words))
        g_error("'%s' is not '%s'", error->message, words);
}

void bridge_host_assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        g_error("no '%s' in:\n%s", part, text);
}

/* ---- a host -----------------------------------------------------------------------------------
 */

static const VbDriverEvents events = {NULL};

void bridge_host_load(BridgeHost *host)
{
    const VbBridgeDriverOptions options = {
        .launcher = &vb_launcher_detached,
        .lease_helper = VB_TEST_LEASE_HELPER,
        .dnsmasq_user = "nobody",
    };
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    host->store = vb_store_new();
    host->host = vb_host_new(host->paths, host->store, &events, NULL);
    vb_host_set_network_driver(host->host, &vb_bridge_driver,
                               vb_bridge_driver_new(host->host, &options), vb_bridge_driver_free);
    vb_host_load_async(host->host, bridge_host_keep, &result);
    VB_WAIT_FOR(result);
    vb_host_load_finish(host->host, result, &error);
    g_assert_no_error(error);
}

void bridge_host_unload(BridgeHost *host)
{
    g_clear_pointer(&host->host, vb_host_free);
    g_clear_pointer(&host->store, vb_store_free);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

BridgeHost *bridge_host_new(void)
{
    BridgeHost *host = g_new0(BridgeHost, 1);
    g_autoptr(GError) error = NULL;

    host->root = g_dir_make_tmp("virtbus-bridge-XXXXXX", &error);
    g_assert_no_error(error);
    /* dnsmasq's user has to get through. */
    g_assert_no_errno(g_chmod(host->root, 0711));
    host->paths = vb_paths_new(host->root, FALSE);
    vb_paths_make(host->paths, &error);
    g_assert_no_error(error);
    bridge_host_load(host);
    return host;
}

void bridge_host_free(BridgeHost *host)
{
    bridge_host_unload(host);
    vb_paths_free(host->paths);
    vb_remove_tree(host->root);
    g_free(host->root);
    g_free(host);
}

VbNetwork *bridge_host_define(BridgeHost *host, const char *xml)
{
    g_autoptr(GError) error = NULL;
    VbNetworkDef *def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(VbNetwork) network = NULL;

    g_assert_no_error(error);
    vb_host_define_network_async(host->host, def, bridge_host_keep, &result);
    VB_WAIT_FOR(result);
    network = vb_host_define_network_finish(host->host, result, &error);
    g_assert_no_error(error);
    return network;
}

VbNetwork *bridge_host_start(BridgeHost *host, const char *xml)
{
    VbNetwork *network = bridge_host_define(host, xml);

    bridge_host_must_operate(network, VB_NETWORK_OP_START);
    g_assert_true(vb_network_info(network)->active);
    return network;
}

char *bridge_host_run_file(BridgeHost *host, const char *name)
{
    g_autofree char *dir = vb_paths_network_run(host->paths, UUID);

    return g_build_filename(dir, name, NULL);
}

pid_t bridge_host_server_pid(BridgeHost *host)
{
    g_autofree char *path = bridge_host_run_file(host, "dnsmasq.pid");
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    return (pid_t)g_ascii_strtoll(text, NULL, 10);
}

gboolean bridge_host_is_running(pid_t pid)
{
    return kill(pid, 0) == 0;
}

/* Who lives under one daemon and dies under the next is our child, whom nobody waits for. */
void bridge_host_await_death(pid_t pid)
{
    guint tick = g_timeout_add(2, vb_wait_tick, NULL);

    VB_WAIT_FOR(waitpid(pid, NULL, WNOHANG) == pid || !bridge_host_is_running(pid));
    g_source_remove(tick);
}

pid_t bridge_host_running_server(BridgeHost *host)
{
    pid_t pid = bridge_host_server_pid(host);

    g_assert_cmpint(pid, >, 0);
    g_assert_true(bridge_host_is_running(pid));
    return pid;
}

void bridge_host_start_and_stop(BridgeHost *host)
{
    VbNetwork *network = bridge_host_start(host, NAT);

    bridge_host_must_operate(network, VB_NETWORK_OP_DESTROY);
}
