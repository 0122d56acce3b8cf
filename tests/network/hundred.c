/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hundred networks at once, each with NAT, DHCP and DNS: they start, they stop, and nothing of
 * them is left: no link, no rule, no process, no file descriptor. (That links and rules are line by
 * line as before, NetHost sees to.) */
#include "many.h"

#define NETWORKS 100

/* Of a network: dnsmasq, and its child that runs its script. */
#define PROCESSES 2

static guint count_processes(NetHost *host)
{
    g_autoptr(GPtrArray) processes = net_host_processes(host);

    return processes->len;
}

/* The child comes a moment after dnsmasq is ready, and goes a moment after it. */
static void await_processes(NetHost *host, guint n)
{
    guint ticking = g_timeout_add(20, vb_wait_tick, NULL);

    VB_WAIT_FOR(count_processes(host) == n);
    g_source_remove(ticking);
}

static void assert_same(NetHost *host, const ManyCount *before)
{
    await_processes(host, before->processes);
    ManyCount now = many_count(host);
    g_assert_cmpuint(now.links, ==, before->links);
    g_assert_cmpuint(now.rules, ==, before->rules);
    g_assert_cmpuint(now.fds, <=, before->fds);
}

static void start_all(NetHost *host, GPtrArray *networks, ManyCount *ret_before,
                      ManyCount *ret_active)
{
    g_autoptr(GPtrArray) first = g_ptr_array_new();
    guint idle = count_processes(host);

    /* What is opened at the first and stays. */
    g_ptr_array_add(first, networks->pdata[0]);
    many_do(host, first, "Start");
    await_processes(host, idle + PROCESSES);
    many_do(host, first, "Destroy");
    await_processes(host, idle);
    *ret_before = many_count(host);

    many_do(host, networks, "Start");
    await_processes(host, idle + NETWORKS * PROCESSES);
    *ret_active = many_count(host);
    g_assert_cmpuint(ret_active->links, ==, ret_before->links + NETWORKS);
    g_assert_cmpuint(ret_active->rules, >, ret_before->rules);
}

static void undefine_all(NetHost *host, GPtrArray *networks)
{
    many_do(host, networks, "Undefine");
    for (guint i = 0; i < networks->len; i++)
        g_assert_false(vb_bus_client_has_object(net_host_client(host), networks->pdata[i]));
}

static void test_start_stop(void)
{
    g_autoptr(NetHost) host = net_host_new();

    if (host == NULL)
        return;
    g_autoptr(GPtrArray) networks = many_define(host, NETWORKS);
    ManyCount before, active;
    start_all(host, networks, &before, &active);
    many_do(host, networks, "Destroy");
    assert_same(host, &before);
    undefine_all(host, networks);
}

/* FALSE: the daemon still looks for it. */
static gboolean try_destroy(VbBusClient *client, const char *network)
{
    guint32 serial = vb_bus_client_send(client, network, VB_IFACE_NETWORK, "Destroy",
                                        g_variant_new_parsed("(@a{sv} {},)"));
    const VbBusMessage *reply;

    VB_WAIT_FOR((reply = vb_bus_client_reply(client, serial)) != NULL);
    g_assert_true(reply->error == NULL || g_str_has_suffix(reply->error, ".Busy"));
    return reply->error == NULL;
}

/* A daemon that is started again finds all of them. It does not keep the bus waiting for the last,
 * which is busy until then. */
static void test_restart(void)
{
    g_autoptr(NetHost) host = net_host_new();

    if (host == NULL)
        return;
    g_autoptr(GPtrArray) networks = many_define(host, NETWORKS);
    ManyCount before, active;
    start_all(host, networks, &before, &active);
    vb_bus_fixture_stop_daemon(net_host_fixture(host));
    vb_bus_fixture_start_daemon(net_host_fixture(host));
    assert_same(host, &active);

    guint ticking = g_timeout_add(20, vb_wait_tick, NULL);
    for (guint i = 0; i < networks->len; i++)
        VB_WAIT_FOR(try_destroy(net_host_client(host), networks->pdata[i]));
    g_source_remove(ticking);
    assert_same(host, &before);
    undefine_all(host, networks);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hundred/start-stop", test_start_stop);
    g_test_add_func("/hundred/restart", test_restart);
    return g_test_run();
}
