/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See net-host.h. A namespace is entered by the one thread that needs it: a socket belongs to the
 * one that it was made in, a child to that of its parent. */
#include "net-host.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_SECONDS "60"
#define SOCKET_SECONDS 60

struct NetHost {
    VbBusFixture *fixture;
    int inside, outside; /* the namespaces */
    GPtrArray *networks; /* of char *: objects */
    char *state;         /* before */
};

/* ---- commands ---------------------------------------------------------------------------------
 */

static gboolean run(int ns, const char *command, char **ret_output, char **ret_messages)
{
    g_autofree char *where = g_strdup_printf("--net=/proc/%d/fd/%d", getpid(), ns);
    const char *argv[] = {"timeout", COMMAND_SECONDS, "nsenter", where, "sh", "-c", command, NULL};
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, ret_output,
                 ret_messages, &status, &error);
    g_assert_no_error(error);
    return g_spawn_check_wait_status(status, NULL);
}

static char *must_run(int ns, const char *format, va_list args)
{
    g_autofree char *command = g_strdup_vprintf(format, args);
    g_autofree char *messages = NULL;
    char *output = NULL;

    if (!run(ns, command, &output, &messages))
        g_error("%s: %s%s", command, output, messages);
    return output;
}

char *net_host_run(NetHost *host, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *output = must_run(host->inside, format, args);
    va_end(args);
    return output;
}

char *net_outside_run(NetHost *host, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *output = must_run(host->outside, format, args);
    va_end(args);
    return output;
}

gboolean net_outside_try(NetHost *host, const char *format, ...)
{
    g_autofree char *output = NULL, *messages = NULL;
    va_list args;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    gboolean succeeded = run(host->outside, command, &output, &messages);
    g_test_message("outside: %s: %s%s", command, output, messages);
    return succeeded;
}

/* ---- what there is ----------------------------------------------------------------------------
 */

/* But for the timers of a bridge, which run. And anycast addresses of routers come with IPv6
 * forwarding, which stays on when the last network has gone: others may count on it by then. */
char *net_host_state(NetHost *host)
{
    return net_host_run(host, "{ ip -d link && ip -d address; } | sed 's/_timer *[0-9.]*//g' && "
                              "ip route show table all | grep -v ^anycast && "
                              "ip rule && ip -6 rule && tc qdisc && nft -a list ruleset");
}

void net_host_note_state(NetHost *host)
{
    g_free(host->state);
    host->state = net_host_state(host);
}

void net_assert_same_state(const char *before, const char *after)
{
    g_auto(GStrv) lines_before = g_strsplit(before, "\n", -1);
    g_auto(GStrv) lines_after = g_strsplit(after, "\n", -1);

    for (guint i = 0; lines_before[i] != NULL || lines_after[i] != NULL; i++) {
        if (g_strcmp0(lines_before[i], lines_after[i]) != 0)
            g_error("line %u was\n%s\nand is\n%s\nof\n%s", i + 1, lines_before[i], lines_after[i],
                    after);
    }
}

static int compare_pids(gconstpointer a, gconstpointer b)
{
    return atoi(*(char *const *)a) - atoi(*(char *const *)b);
}

GPtrArray *net_host_processes(NetHost *host)
{
    GPtrArray *processes = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *ours = g_file_read_link("/proc/thread-self/ns/net", NULL);
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
    const char *pid;

    while ((pid = g_dir_read_name(dir)) != NULL) {
        g_autofree char *ns = g_strdup_printf("/proc/%s/ns/net", pid);
        g_autofree char *link = g_file_read_link(ns, NULL);
        g_autofree char *path = g_strdup_printf("/proc/%s/comm", pid);
        g_autofree char *name = NULL;

        if (g_strcmp0(link, ours) == 0 && atoi(pid) > 0 && atoi(pid) != getpid() &&
            g_file_get_contents(path, &name, NULL, NULL))
            g_ptr_array_add(processes, g_strdup_printf("%s %s", pid, g_strchomp(name)));
    }
    g_ptr_array_sort(processes, compare_pids);
    return processes;
}

GPid net_host_process(NetHost *host, const char *name)
{
    g_autoptr(GPtrArray) processes = net_host_processes(host);

    for (guint i = 0; i < processes->len; i++) {
        const char *process = processes->pdata[i];
        if (g_str_equal(strchr(process, ' ') + 1, name))
            return atoi(process);
    }
    return 0;
}

/* ---- the host ---------------------------------------------------------------------------------
 */

static void enter(int ns)
{
    g_assert_no_errno(setns(ns, CLONE_NEWNET));
}

static int open_own_namespace(void)
{
    int ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    g_assert_no_errno(ns);
    return ns;
}

static gboolean is_up(NetHost *host, const char *device)
{
    g_autofree char *link = net_host_run(host, "ip link show %s", device);

    return strstr(link, "state UP") != NULL;
}

static gboolean tick(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

void net_host_await_up(NetHost *host, const char *device)
{
    guint ticking = g_timeout_add(5, tick, NULL);

    VB_WAIT_FOR(is_up(host, device));
    g_source_remove(ticking);
}

/* The host forwards nothing yet. Its firewall has rules of somebody else. */
static void furnish(NetHost *host)
{
    g_free(net_host_run(
        host,
        "set -e; echo 0 >/proc/sys/net/ipv4/ip_forward; ip link set lo up; "
        "ip link add up0 type veth peer name out0; "
        "echo 0 >/proc/sys/net/ipv6/conf/up0/accept_dad; " /* nothing that ends a second later */
        "ip address add " NET_HOST_ADDRESS "/24 dev up0; "
        "ip address add " NET_HOST_ADDRESS6 "/64 dev up0; "
        "ip link set out0 netns /proc/%d/fd/%d; ip link set up0 up; "
        "nft 'table inet other { chain forward { type filter hook forward priority filter; "
        "tcp dport 9 drop; }; }'",
        getpid(), host->outside));
    g_free(net_outside_run(host, "set -e; echo 0 >/proc/sys/net/ipv6/conf/out0/accept_dad; "
                                 "ip link set lo up; ip link set out0 up; "
                                 "ip address add " NET_GATEWAY "/24 dev out0; "
                                 "ip address add " NET_GATEWAY6 "/64 dev out0; "
                                 "ip address add " NET_OUTSIDE_ADDRESS "/32 dev lo; "
                                 "ip address add " NET_OUTSIDE_ADDRESS6 "/128 dev lo"));
    g_free(net_host_run(host, "ip route add default via " NET_GATEWAY " && "
                              "ip -6 route add default via " NET_GATEWAY6));
    net_host_await_up(host, "up0");
}

/* QEMU and dnsmasq are nobody. But dnsmasq runs a helper that was built with us, and only root may
 * be able to get there. */
static void write_config(NetHost *host)
{
    g_autofree char *dir =
        g_build_filename(vb_bus_fixture_root(host->fixture), "etc/virtbus", NULL);
    g_autofree char *path = g_build_filename(dir, "virtbusd.conf", NULL);
    gboolean open = run(host->inside,
                        "setpriv --reuid nobody --regid nogroup --clear-groups "
                        "test -x " VB_TEST_LEASE_HELPER,
                        NULL, NULL);
    g_autofree char *config =
        g_strdup_printf("[qemu]\nuser=nobody\n[network]\nuser=%s\n", open ? "nobody" : "root");
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(g_mkdir_with_parents(dir, 0711), ==, 0);
    g_file_set_contents(path, config, -1, &error);
    g_assert_no_error(error);
}

NetHost *net_host_new(void)
{
    if (geteuid() != 0) {
        g_test_skip("network namespaces need root");
        return NULL;
    }
    NetHost *host = g_new0(NetHost, 1);
    host->networks = g_ptr_array_new_with_free_func(g_free);
    g_assert_no_errno(unshare(CLONE_NEWNET));
    host->outside = open_own_namespace();
    g_assert_no_errno(unshare(CLONE_NEWNET));
    host->inside = open_own_namespace();
    furnish(host);
    net_host_note_state(host);
    host->fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NO_DAEMON);
    write_config(host);
    vb_bus_fixture_start_daemon(host->fixture);
    return host;
}

NetHost *net_host_new_for_guests(void)
{
    if (!g_file_test(VB_TEST_GUEST "/initrd", G_FILE_TEST_EXISTS)) {
        g_test_skip("there is no guest: run scripts/guest-image " VB_TEST_GUEST);
        return NULL;
    }
    return net_host_new();
}

static void end_network(NetHost *host, const char *network)
{
    VbBusClient *client = net_host_client(host);
    g_autofree char *state = vb_bus_client_get_string(client, network, VB_IFACE_NETWORK, "State");

    if (g_str_equal(state, "active"))
        vb_bus_client_do(client, network, VB_IFACE_NETWORK, "Destroy");
    vb_bus_client_do(client, network, VB_IFACE_NETWORK, "Undefine");
}

static gboolean is_empty(NetHost *host)
{
    g_autoptr(GPtrArray) processes = net_host_processes(host);

    return processes->len == 0;
}

void net_host_free(NetHost *host)
{
    if (host == NULL)
        return;
    for (guint i = 0; i < host->networks->len; i++)
        end_network(host, host->networks->pdata[i]);
    vb_bus_fixture_stop_daemon(host->fixture);
    g_autofree char *after = net_host_state(host);
    net_assert_same_state(host->state, after);
    vb_bus_fixture_free(host->fixture);
    guint ticking = g_timeout_add(5, tick, NULL);
    VB_WAIT_FOR(is_empty(host));
    g_source_remove(ticking);
    close(host->inside);
    close(host->outside);
    g_ptr_array_unref(host->networks);
    g_free(host->state);
    g_free(host);
}

VbBusFixture *net_host_fixture(NetHost *host)
{
    return host->fixture;
}

VbBusClient *net_host_client(NetHost *host)
{
    return vb_bus_fixture_client(host->fixture);
}

char *net_host_define(NetHost *host, const char *xml)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(net_host_client(host), VB_PATH_MANAGER, VB_IFACE_MANAGER,
                           "DefineNetwork", g_variant_new("(sa{sv})", xml, NULL));
    char *network;

    g_variant_get(reply, "(o)", &network);
    return network;
}

const char *net_host_network(NetHost *host, const char *xml)
{
    char *network = net_host_define(host, xml);

    g_ptr_array_add(host->networks, network);
    vb_bus_client_do(net_host_client(host), network, VB_IFACE_NETWORK, "Start");
    return network;
}

/* ---- a server ---------------------------------------------------------------------------------
 */

struct NetServer {
    GSocketService *service;
    guint16 port;
    gssize size;
    gsize received; /* atomic: each connection has a thread */
};

static void take(NetServer *server, GInputStream *input)
{
    gssize n;

    while ((n = g_input_stream_skip(input, 64 * 1024, NULL, NULL)) > 0)
        g_atomic_pointer_add(&server->received, n);
}

static void tell(NetServer *server, GSocketConnection *connection)
{
    GOutputStream *output = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    g_autoptr(GSocketAddress) peer = g_socket_connection_get_remote_address(connection, NULL);
    g_autofree char *address =
        g_inet_address_to_string(g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(peer)));
    g_autofree char *zeros = g_malloc0(server->size);

    if (g_output_stream_printf(output, NULL, NULL, NULL, "%s\n", address))
        g_output_stream_write_all(output, zeros, server->size, NULL, NULL, NULL);
}

static gboolean serve(GThreadedSocketService *service, GSocketConnection *connection,
                      GObject *source, gpointer data)
{
    NetServer *server = data;

    g_socket_set_timeout(g_socket_connection_get_socket(connection), SOCKET_SECONDS);
    if (server->size == NET_SERVER_SINK)
        take(server, g_io_stream_get_input_stream(G_IO_STREAM(connection)));
    else
        tell(server, connection);
    return TRUE;
}

NetServer *net_server_new(NetHost *host, gboolean outside, gssize size)
{
    NetServer *server = g_new0(NetServer, 1);
    g_autoptr(GError) error = NULL;

    server->size = size;
    server->service = g_threaded_socket_service_new(4);
    g_signal_connect(server->service, "run", G_CALLBACK(serve), server);
    enter(outside ? host->outside : host->inside);
    server->port =
        g_socket_listener_add_any_inet_port(G_SOCKET_LISTENER(server->service), NULL, &error);
    enter(host->inside);
    g_assert_no_error(error);
    return server;
}

void net_server_free(NetServer *server)
{
    g_socket_service_stop(server->service);
    g_socket_listener_close(G_SOCKET_LISTENER(server->service));
    g_object_unref(server->service);
    g_free(server);
}

guint16 net_server_port(NetServer *server)
{
    return server->port;
}

gsize net_server_received(NetServer *server)
{
    return (gsize)g_atomic_pointer_get(&server->received);
}
