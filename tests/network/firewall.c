/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The firewall in the kernel: what becomes of connections between a guest, the host and the world
 * outside, each a network namespace of which this one process has a descriptor: a socket belongs to
 * the namespace that its maker was in. And what the table is beside those of others. */
#include "firewall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/capability.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"
#include "wait.h"

/* Nothing here is slow: a connection that takes longer is one that was dropped. */
#define CONNECT_SECONDS 10

#define GUEST "192.168.7.2"
#define GUEST6 "fd07::2"
#define OUTSIDE "10.99.0.2"
#define OUTSIDE6 "fd99::2"
#define HOST_OUTSIDE "10.99.0.1"
#define HOST_OUTSIDE6 "fd99::1"
#define OTHER "10.98.0.2" /* outside, too, by the host's other device */
#define GUEST_OF_OTHER "192.168.8.2"

#define NETWORK(inner)                                                                             \
    "<network><name>n</name><bridge name='br0'/>" inner "<ip address='192.168.7.1' prefix='24'/>"  \
    "<ip family='ipv6' address='fd07::1' prefix='64'/></network>"

static int host_ns, guest_ns, other_guest_ns, outside_ns;

/* ---- namespaces -------------------------------------------------------------------------------
 */

static void enter(int ns)
{
    g_assert_no_errno(setns(ns, CLONE_NEWNET));
}

static char *run(int ns, const char *format, ...) G_GNUC_PRINTF(2, 3);
static char *run(int ns, const char *format, ...)
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

    enter(ns);
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &messages,
                 &status, &error);
    enter(host_ns);
    g_assert_no_error(error);
    if (!g_spawn_check_wait_status(status, NULL))
        g_error("%s: %s%s", command, output, messages);
    return output;
}

#define RUN(ns, ...) g_free(run(ns, __VA_ARGS__))

static int new_namespace(void)
{
    int ns;

    g_assert_no_errno(unshare(CLONE_NEWNET));
    ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    g_assert_no_errno(ns);
    return ns;
}

/* guest, other guest – br0, br1 (host) eth0, eth1 – outside. Addresses are there at once. */
static void make_world(void)
{
    static const char quick[] = "ip link set lo up; "
                                "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; "
                                "echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad";
    pid_t us = getpid();

    outside_ns = new_namespace();
    guest_ns = new_namespace();
    other_guest_ns = new_namespace();
    host_ns = new_namespace();
    RUN(outside_ns, "%s", quick);
    RUN(guest_ns, "%s", quick);
    RUN(other_guest_ns, "%s", quick);
    RUN(host_ns,
        "%s; for n in 0 1; do ip link add br$n type bridge; ip link set br$n up; "
        "ip link add v$n type veth peer name g$n; ip link set v$n master br$n up; "
        "ip link add eth$n type veth peer name o$n; ip link set o$n netns /proc/%d/fd/%d; "
        "ip link set eth$n up; done; "
        "ip link set g0 netns /proc/%d/fd/%d; ip link set g1 netns /proc/%d/fd/%d; "
        "ip address add 192.168.7.1/24 dev br0; ip address add fd07::1/64 dev br0; "
        "ip address add 192.168.8.1/24 dev br1; "
        "ip address add 10.99.0.1/24 dev eth0; ip address add fd99::1/64 dev eth0; "
        "ip address add 10.98.0.1/24 dev eth1; ip route add 172.16.0.0/24 via 192.168.7.2; "
        "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit; "
        "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
        quick, us, outside_ns, us, guest_ns, us, other_guest_ns);
    RUN(guest_ns, "ip link set g0 up; ip address add 192.168.7.2/24 dev g0; "
                  "ip address add fd07::2/64 dev g0; ip address add 172.16.0.2/32 dev g0; "
                  "ip route add default via 192.168.7.1; ip -6 route add default via fd07::1");
    RUN(other_guest_ns, "ip link set g1 up; ip address add 192.168.8.2/24 dev g1; "
                        "ip route add default via 192.168.8.1");
    RUN(outside_ns,
        "ip link set o0 up; ip link set o1 up; "
        "ip address add 10.99.0.2/24 dev o0; ip address add fd99::2/64 dev o0; "
        "ip address add 10.98.0.2/24 dev o1; "
        "ip route add 10.77.0.0/24 via 10.99.0.1; ip route add 172.16.0.0/24 via 10.99.0.1; "
        "ip route add 192.168.7.0/24 via 10.99.0.1; ip -6 route add fd07::/64 via fd99::1");
}

/* ---- connections ------------------------------------------------------------------------------
 */

typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
} Address;

static Address address_of(const char *ip, guint16 port)
{
    Address address = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)},
                       .size = sizeof(struct sockaddr_in)};

    if (inet_pton(AF_INET, ip, &address.v4.sin_addr) == 1)
        return address;
    address = (Address){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)},
                        .size = sizeof(struct sockaddr_in6)};
    g_assert_cmpint(inet_pton(AF_INET6, ip, &address.v6.sin6_addr), ==, 1);
    return address;
}

static char *address_text(const Address *address)
{
    char text[INET6_ADDRSTRLEN];

    if (address->any.sa_family == AF_INET)
        inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text);
    return g_strdup(text);
}

/* In that namespace, with that address and a port that the kernel chooses. */
static int bound_socket(int type, int ns, const char *ip, guint16 *ret_port)
{
    Address address = address_of(ip, 0);
    int fd;

    enter(ns);
    fd = socket(address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_no_errno(fd);
    g_assert_no_errno(bind(fd, &address.any, address.size));
    g_assert_no_errno(getsockname(fd, &address.any, &address.size));
    enter(host_ns);
    if (ret_port)
        *ret_port = ntohs(address.v4.sin_port); /* both families have it there */
    return fd;
}

static int socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;

    g_assert_no_errno(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    return error;
}

/* 0, or an errno. Here a rejection may come while connect() has not returned: then the kernel keeps
 * it for who asks, and would tell by itself only after a second try. */
static int connect_in_time(int fd, const Address *address)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int error;

    if (connect(fd, &address->any, address->size) == 0)
        return 0;
    g_assert_cmpint(errno, ==, EINPROGRESS);
    error = socket_error(fd);
    if (error == 0 && poll(&poll_fd, 1, CONNECT_SECONDS * 1000) == 0)
        error = ETIMEDOUT;
    return error != 0 ? error : socket_error(fd);
}

/* 0 and who called as the server sees it, or why the caller could not connect. */
static int try_connection(int from_ns, const char *from, int to_ns, const char *to, char **ret_peer,
                          guint *ret_port)
{
    guint16 port;
    vb_autofd int server = bound_socket(SOCK_STREAM, to_ns, to, &port);
    vb_autofd int client = bound_socket(SOCK_STREAM, from_ns, from, NULL);
    vb_autofd int accepted = -1;
    Address address = address_of(to, port);
    int error;

    g_assert_no_errno(listen(server, 1));
    error = connect_in_time(client, &address);
    if (error != 0)
        return error;
    accepted = accept4(server, &address.any, &address.size, SOCK_CLOEXEC);
    g_assert_no_errno(accepted);
    if (ret_peer)
        *ret_peer = address_text(&address);
    if (ret_port)
        *ret_port = ntohs(address.v4.sin_port);
    return 0;
}

/* The server must see `peer`. */
static void assert_connects(int from_ns, const char *from, int to_ns, const char *to,
                            const char *peer)
{
    g_autofree char *seen = NULL;
    int error = try_connection(from_ns, from, to_ns, to, &seen, NULL);

    if (error != 0)
        g_error("%s to %s: %s", from, to, g_strerror(error));
    g_assert_cmpstr(seen, ==, peer);
}

/* Told so at once, not left to wait. */
static void assert_rejected(int from_ns, const char *from, int to_ns, const char *to)
{
    int error = try_connection(from_ns, from, to_ns, to, NULL, NULL);
    int expected = strchr(to, ':') ? EACCES : EHOSTUNREACH;

    if (error != expected)
        g_error("%s to %s: %s", from, to, g_strerror(error));
}

/* ---- applications -----------------------------------------------------------------------------
 */

static VbNetworkDef *network_define(const char *xml)
{
    g_autoptr(GError) error = NULL;
    VbNetworkDef *def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    return def;
}

static GPtrArray *networks_of(const char *const *documents)
{
    GPtrArray *networks = g_ptr_array_new_with_free_func((GDestroyNotify)vb_network_def_unref);

    for (gsize i = 0; documents[i]; i++)
        g_ptr_array_add(networks, network_define(documents[i]));
    return networks;
}

static void on_applied(GObject *source, GAsyncResult *result, gpointer data)
{
    g_ptr_array_add(data, g_object_ref(result));
}

static GPtrArray *results_new(void)
{
    return g_ptr_array_new_with_free_func(g_object_unref);
}

static gboolean apply(VbFirewall *firewall, const char *const *documents, GError **error)
{
    g_autoptr(GPtrArray) networks = networks_of(documents);
    g_autoptr(GPtrArray) results = results_new();

    vb_firewall_apply_async(firewall, networks, on_applied, results);
    g_assert_cmpuint(results->len, ==, 0);
    VB_WAIT_FOR(results->len == 1);
    return vb_firewall_apply_finish(results->pdata[0], error);
}

static void must_apply(VbFirewall *firewall, const char *const *documents)
{
    g_autoptr(GError) error = NULL;

    apply(firewall, documents, &error);
    g_assert_no_error(error);
}

#define APPLY(firewall, ...) must_apply(firewall, (const char *const[]){__VA_ARGS__, NULL})

static char *table(void)
{
    return run(host_ns, "nft list table inet virtbus");
}

static gboolean has_table(void)
{
    g_autofree char *tables = run(host_ns, "nft list tables");

    return strstr(tables, "table inet virtbus\n") != NULL;
}

/* ---- what may pass ----------------------------------------------------------------------------
 */

static void test_isolated(void)
{
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    /* First that the ways are there. */
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, GUEST);
    assert_connects(outside_ns, OUTSIDE6, guest_ns, GUEST6, OUTSIDE6);

    APPLY(firewall, NETWORK(""));
    assert_rejected(guest_ns, GUEST, outside_ns, OUTSIDE);
    assert_rejected(guest_ns, GUEST6, outside_ns, OUTSIDE6);
    assert_rejected(outside_ns, OUTSIDE, guest_ns, GUEST);
    assert_rejected(outside_ns, OUTSIDE6, guest_ns, GUEST6);
    /* The host is no way through. */
    assert_connects(guest_ns, GUEST, host_ns, "192.168.7.1", GUEST);
    assert_connects(host_ns, "192.168.7.1", guest_ns, GUEST, "192.168.7.1");

    must_apply(firewall, (const char *const[]){NULL});
    g_assert_false(has_table());
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, GUEST);
}

static void test_nat(void)
{
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    APPLY(firewall, NETWORK("<forward mode='nat'/>"));
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, HOST_OUTSIDE);
    assert_rejected(outside_ns, OUTSIDE, guest_ns, GUEST);
    /* An address that is not the network's. */
    assert_rejected(guest_ns, "172.16.0.2", outside_ns, OUTSIDE);
    /* IPv6 is routed. */
    assert_connects(guest_ns, GUEST6, outside_ns, OUTSIDE6, GUEST6);
    assert_connects(outside_ns, OUTSIDE6, guest_ns, GUEST6, OUTSIDE6);

    APPLY(firewall, NETWORK("<forward mode='nat'><nat ipv6='yes'/></forward>"));
    assert_connects(guest_ns, GUEST6, outside_ns, OUTSIDE6, HOST_OUTSIDE6);
    assert_rejected(outside_ns, OUTSIDE6, guest_ns, GUEST6);
    must_apply(firewall, (const char *const[]){NULL});
}

static void test_nat_dev(void)
{
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    APPLY(firewall, NETWORK("<forward mode='nat'/>"));
    assert_connects(guest_ns, GUEST, outside_ns, OTHER, "10.98.0.1");
    APPLY(firewall, NETWORK("<forward mode='nat' dev='eth0'/>"));
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, HOST_OUTSIDE);
    assert_rejected(guest_ns, GUEST, outside_ns, OTHER);
    APPLY(firewall, NETWORK("<forward mode='nat'><interface dev='eth1'/><interface dev='eth0'/>"
                            "</forward>"));
    assert_connects(guest_ns, GUEST, outside_ns, OTHER, "10.98.0.1");
    must_apply(firewall, (const char *const[]){NULL});
}

/* From the guest to the world outside, which knows no way back but by the host's address. */
static gboolean ping(void)
{
    const struct icmphdr request = {.type = ICMP_ECHO};
    Address address = address_of(OUTSIDE, 0);
    struct icmphdr reply = {.type = ICMP_ECHO};
    vb_autofd int fd = -1;
    gboolean answered;

    RUN(outside_ns, "ip route del 192.168.7.0/24");
    RUN(guest_ns, "echo 0 0 >/proc/sys/net/ipv4/ping_group_range");
    enter(guest_ns);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
    enter(host_ns);
    g_assert_no_errno(fd);
    g_assert_no_errno(connect(fd, &address.any, address.size));
    g_assert_cmpint(send(fd, &request, sizeof request, 0), ==, sizeof request);

    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    answered = poll(&poll_fd, 1, CONNECT_SECONDS * 1000) == 1 &&
               recv(fd, &reply, sizeof reply, 0) == sizeof reply && reply.type == ICMP_ECHOREPLY;
    RUN(outside_ns, "ip route add 192.168.7.0/24 via 10.99.0.1");
    return answered;
}

static void test_nat_ranges(void)
{
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    APPLY(firewall, NETWORK("<forward mode='nat'><nat ipv6='yes'><port start='700' end='703'/>"
                            "</nat></forward>"));
    for (guint i = 0; i < 4; i++) {
        g_autofree char *peer = NULL;
        guint port = 0;

        /* A connection that has ended keeps its port for a while; so there are families to spare.
         */
        g_assert_cmpint(try_connection(guest_ns, i % 2 ? GUEST6 : GUEST, outside_ns,
                                       i % 2 ? OUTSIDE6 : OUTSIDE, &peer, &port),
                        ==, 0);
        g_assert_cmpstr(peer, ==, i % 2 ? HOST_OUTSIDE6 : HOST_OUTSIDE);
        g_assert_cmpuint(port, >=, 700);
        g_assert_cmpuint(port, <=, 703);
    }
    g_assert_true(ping()); /* What has no ports is translated, too. */
    APPLY(firewall, NETWORK("<forward mode='nat'><nat><address start='10.77.0.5' end='10.77.0.6'/>"
                            "<port start='800' end='900'/></nat></forward>"));
    for (guint i = 0; i < 4; i++) {
        g_autofree char *peer = NULL;
        guint port = 0;

        g_assert_cmpint(try_connection(guest_ns, GUEST, outside_ns, OUTSIDE, &peer, &port), ==, 0);
        g_assert_true(g_str_equal(peer, "10.77.0.5") || g_str_equal(peer, "10.77.0.6"));
        g_assert_cmpuint(port, >=, 800);
        g_assert_cmpuint(port, <=, 900);
    }
    APPLY(firewall, NETWORK("<forward mode='nat'><nat><address start='10.77.0.9' end='10.77.0.9'/>"
                            "</nat></forward>"));
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, "10.77.0.9");
    must_apply(firewall, (const char *const[]){NULL});
}

static void test_route(void)
{
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    APPLY(firewall, NETWORK("<forward mode='route'/>"));
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, GUEST);
    assert_connects(outside_ns, OUTSIDE, guest_ns, GUEST, OUTSIDE);
    assert_connects(guest_ns, GUEST6, outside_ns, OUTSIDE6, GUEST6);
    assert_connects(outside_ns, OUTSIDE6, guest_ns, GUEST6, OUTSIDE6);
    assert_rejected(guest_ns, "172.16.0.2", outside_ns, OUTSIDE);

    APPLY(firewall, NETWORK("<forward mode='route' dev='eth1'/>"));
    assert_rejected(guest_ns, GUEST, outside_ns, OUTSIDE);
    assert_rejected(outside_ns, OUTSIDE, guest_ns, GUEST);
    assert_rejected(outside_ns, OUTSIDE6, guest_ns, GUEST6);

    APPLY(firewall, NETWORK("<forward mode='open'/>"));
    g_assert_false(has_table());
    assert_connects(guest_ns, "172.16.0.2", outside_ns, OUTSIDE, "172.16.0.2");
    must_apply(firewall, (const char *const[]){NULL});
}

#define DATAGRAM 1024
#define DATAGRAMS 200

static gboolean on_datagram(int fd, GIOCondition condition, gpointer data)
{
    char bytes[DATAGRAM + 1];

    while (recv(fd, bytes, sizeof bytes, 0) == DATAGRAM)
        *(guint *)data += 1;
    return G_SOURCE_CONTINUE;
}

/* How many of them had arrived when all were sent. */
static guint send_datagrams(int from_ns, const char *from, int to_ns, const char *to)
{
    guint16 port;
    vb_autofd int server = bound_socket(SOCK_DGRAM, to_ns, to, &port);
    vb_autofd int client = bound_socket(SOCK_DGRAM, from_ns, from, NULL);
    Address address = address_of(to, port);
    char bytes[DATAGRAM] = {0};
    guint arrived = 0;
    guint watch = g_unix_fd_add(server, G_IO_IN, on_datagram, &arrived);

    for (guint i = 0; i < DATAGRAMS; i++) {
        g_assert_cmpint(sendto(client, bytes, sizeof bytes, 0, &address.any, address.size), ==,
                        sizeof bytes);
        while (g_main_context_iteration(NULL, FALSE))
            continue;
    }
    VB_WAIT_FOR(arrived > 0);
    g_source_remove(watch);
    return arrived;
}

/* What comes at once is at least 64 KiB; here the rate is of no weight beside that. */
static void test_bandwidth(void)
{
    static const char *const networks[] = {
        NETWORK("<forward mode='route'/><bandwidth><outbound average='1'/></bandwidth>"),
        NETWORK("<forward mode='open'/><bandwidth><outbound average='1' burst='1'/></bandwidth>"),
        NETWORK("<forward mode='route'/>"
                "<bandwidth><outbound average='1000000' peak='1000001'/></bandwidth>"),
    };
    static const gboolean limited[] = {TRUE, TRUE, FALSE};
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    for (guint i = 0; i < G_N_ELEMENTS(networks); i++) {
        APPLY(firewall, networks[i]);
        guint outside = send_datagrams(guest_ns, GUEST, outside_ns, OUTSIDE);
        APPLY(firewall, networks[i]); /* fills the bucket again */
        guint host = send_datagrams(guest_ns, GUEST, host_ns, "192.168.7.1");
        guint back = send_datagrams(outside_ns, OUTSIDE, guest_ns, GUEST);
        g_test_message("outside %u, host %u, back %u of %u", outside, host, back, DATAGRAMS);
        if (limited[i]) {
            g_assert_cmpuint(outside, <, DATAGRAMS / 2);
            g_assert_cmpuint(host, <, DATAGRAMS / 2);
        } else {
            g_assert_cmpuint(outside, >, DATAGRAMS / 2);
            g_assert_cmpuint(host, >, DATAGRAMS / 2);
        }
        g_assert_cmpuint(back, >, DATAGRAMS / 2);
    }
    must_apply(firewall, (const char *const[]){NULL});
    g_assert_false(has_table());
}

#define OTHER_NETWORK(inner)                                                                       \
    "<network><name>o</name><bridge name='br1'/>" inner                                            \
    "<ip address='192.168.8.1' prefix='24'/></network>"

/* Both must agree. */
static void test_two_networks(void)
{
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    APPLY(firewall, NETWORK("<forward mode='route'/>"), OTHER_NETWORK("<forward mode='route'/>"));
    assert_connects(guest_ns, GUEST, other_guest_ns, GUEST_OF_OTHER, GUEST);
    APPLY(firewall, NETWORK("<forward mode='route'/>"), OTHER_NETWORK("<forward mode='nat'/>"));
    assert_rejected(guest_ns, GUEST, other_guest_ns, GUEST_OF_OTHER);
    assert_connects(other_guest_ns, GUEST_OF_OTHER, guest_ns, GUEST, "192.168.7.1");
    APPLY(firewall, NETWORK(""), OTHER_NETWORK("<forward mode='route'/>"));
    assert_rejected(guest_ns, GUEST, other_guest_ns, GUEST_OF_OTHER);
    assert_rejected(other_guest_ns, GUEST_OF_OTHER, guest_ns, GUEST);
    must_apply(firewall, (const char *const[]){NULL});
}

/* ---- the table --------------------------------------------------------------------------------
 */

/* Others' tables, with handles, counters and all. */
static char *others(void)
{
    return run(host_ns, "nft -a list table inet other; nft -a list table ip virtbus");
}

static void test_others(void)
{
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    RUN(host_ns, "nft 'table inet other { set s { type ipv4_addr; elements = { 10.0.0.1 }; }; "
                 "chain forward { type filter hook forward priority filter - 1; policy accept; "
                 "iifname br0 tcp dport 9 drop comment \"x\"; ip saddr @s counter drop; }; }; "
                 "table ip virtbus { chain forward { ip saddr 10.0.0.0/8 counter; }; "
                 "chain postrouting { type nat hook postrouting priority srcnat; policy accept; "
                 "ip saddr 10.1.0.0/16 masquerade; }; }'");
    g_autofree char *before = others();
    g_autofree char *all_before = run(host_ns, "nft -a list ruleset");

    APPLY(firewall, NETWORK("<forward mode='nat'/>"), OTHER_NETWORK(""));
    g_autofree char *made = others();
    g_assert_cmpstr(made, ==, before);
    APPLY(firewall, NETWORK("<forward mode='route'/>"));
    g_autofree char *replaced = others();
    g_assert_cmpstr(replaced, ==, before);
    must_apply(firewall, (const char *const[]){NULL});
    g_autofree char *all_after = run(host_ns, "nft -a list ruleset");
    g_assert_cmpstr(all_after, ==, all_before);
    RUN(host_ns, "nft delete table inet other; nft delete table ip virtbus");
}

static void test_restored(void)
{
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    APPLY(firewall, NETWORK(""));
    g_autofree char *before = table();
    g_assert_nonnull(strstr(before, "comment \"network n\""));

    RUN(host_ns, "nft flush ruleset");
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, GUEST);
    APPLY(firewall, NETWORK(""));
    g_autofree char *restored = table();
    g_assert_cmpstr(restored, ==, before);
    assert_rejected(guest_ns, GUEST, outside_ns, OUTSIDE);

    /* Whatever was put into it goes; what it says, nft reads back. */
    RUN(host_ns, "nft insert rule inet virtbus forward accept; nft add set inet virtbus s "
                 "'{ type ipv4_addr; }'");
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, GUEST);
    APPLY(firewall, NETWORK(""));
    g_autofree char *again = table();
    g_assert_cmpstr(again, ==, before);
    RUN(host_ns,
        "nft list ruleset >%s/ruleset; nft flush ruleset; nft -f %s/ruleset; "
        "rm %s/ruleset",
        g_get_tmp_dir(), g_get_tmp_dir(), g_get_tmp_dir());
    g_autofree char *read_back = table();
    g_assert_cmpstr(read_back, ==, before);
    must_apply(firewall, (const char *const[]){NULL});
}

static void set_net_admin(gboolean on)
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

static void assert_complaint(VbFirewall *firewall, const char *const *documents, const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(apply(firewall, documents, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_null(strchr(error->message, '\n'));
    if (!strstr(error->message, words))
        g_error("'%s' is not '%s'", error->message, words);
}

/* All or nothing, and usable afterwards. */
static void test_errors(void)
{
    const char *const documents[] = {NETWORK("<forward mode='nat'/>"), NULL};
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    APPLY(firewall, NETWORK(""));
    g_autofree char *before = run(host_ns, "nft -a list table inet virtbus");

    set_net_admin(FALSE);
    assert_complaint(firewall, documents, "Operation not permitted");
    assert_complaint(firewall, documents, "Operation not permitted");
    set_net_admin(TRUE);
    g_autofree char *after = run(host_ns, "nft -a list table inet virtbus");
    g_assert_cmpstr(after, ==, before);
    must_apply(firewall, documents);
    assert_connects(guest_ns, GUEST, outside_ns, OUTSIDE, HOST_OUTSIDE);
    must_apply(firewall, (const char *const[]){NULL});
}

/* Each application makes a new table, and the kernel counts tables. */
static guint table_number(void)
{
    g_autofree char *tables = run(host_ns, "nft -j list tables");
    const char *ours = strstr(tables, "\"name\": \"virtbus\", \"handle\": ");

    g_assert_nonnull(ours);
    return (guint)g_ascii_strtoull(strrchr(ours, ':') + 1, NULL, 10);
}

static void test_merged(void)
{
    const char *const first[] = {NETWORK(""), NULL};
    const char *const last[] = {NETWORK("<forward mode='route'/>"), NULL};
    g_autoptr(GPtrArray) networks = networks_of(first), last_networks = networks_of(last);
    g_autoptr(GPtrArray) results = results_new();
    g_autoptr(VbFirewall) firewall = vb_firewall_new();

    must_apply(firewall, first);
    guint before = table_number();

    for (guint i = 0; i < 50; i++)
        vb_firewall_apply_async(firewall, i < 49 ? networks : last_networks, on_applied, results);
    VB_WAIT_FOR(results->len == 50);
    for (guint i = 0; i < 50; i++)
        g_assert_true(vb_firewall_apply_finish(results->pdata[i], NULL));
    g_assert_cmpuint(table_number(), ==, before + 2);
    assert_connects(outside_ns, OUTSIDE, guest_ns, GUEST, OUTSIDE);
    must_apply(firewall, (const char *const[]){NULL});
}

/* What was begun is done; what waited is not, and is told so. */
static void test_freed(void)
{
    const char *const documents[] = {NETWORK(""), NULL};
    g_autoptr(GPtrArray) networks = networks_of(documents);
    g_autoptr(GPtrArray) none = networks_of(documents + 1);
    g_autoptr(GPtrArray) results = results_new();
    VbFirewall *firewall = vb_firewall_new();
    g_autoptr(GError) error = NULL;

    vb_firewall_apply_async(firewall, networks, on_applied, results);
    vb_firewall_apply_async(firewall, none, on_applied, results);
    vb_firewall_free(firewall);
    g_assert_true(has_table());
    VB_WAIT_FOR(results->len == 2);
    g_assert_true(vb_firewall_apply_finish(results->pdata[0], NULL));
    g_assert_false(vb_firewall_apply_finish(results->pdata[1], &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

    firewall = vb_firewall_new();
    must_apply(firewall, documents + 1);
    vb_firewall_free(firewall);
}

static void test_many(void)
{
    g_autoptr(GPtrArray) networks =
        g_ptr_array_new_with_free_func((GDestroyNotify)vb_network_def_unref);
    g_autoptr(GPtrArray) results = results_new();
    g_autoptr(VbFirewall) firewall = vb_firewall_new();
    gint64 begin;

    for (guint i = 0; i < 100; i++) {
        g_autofree char *xml =
            g_strdup_printf("<network><name>n%u</name><bridge name='m%u'/><forward mode='nat'/>"
                            "<ip address='10.1.%u.1' prefix='24'/>"
                            "<ip family='ipv6' address='fd01:%u::1' prefix='64'/></network>",
                            i, i, i, i);

        g_ptr_array_add(networks, network_define(xml));
    }
    begin = g_get_monotonic_time();
    vb_firewall_apply_async(firewall, networks, on_applied, results);
    VB_WAIT_FOR(results->len == 1);
    g_test_message("100 networks: %d µs", (int)(g_get_monotonic_time() - begin));
    g_assert_true(vb_firewall_apply_finish(results->pdata[0], NULL));
    g_autofree char *rules = table();
    g_assert_nonnull(strstr(rules, "\"m99\" : jump to-m99"));
    begin = g_get_monotonic_time();
    APPLY(firewall, NETWORK("<forward mode='nat'/>"));
    g_test_message("1 network: %d µs", (int)(g_get_monotonic_time() - begin));
    must_apply(firewall, (const char *const[]){NULL});
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (geteuid() != 0) {
        g_print("1..0 # SKIP this needs root\n");
        return 0;
    }
    make_world();
    g_test_add_func("/firewall/isolated", test_isolated);
    g_test_add_func("/firewall/nat", test_nat);
    g_test_add_func("/firewall/nat/dev", test_nat_dev);
    g_test_add_func("/firewall/nat/ranges", test_nat_ranges);
    g_test_add_func("/firewall/route", test_route);
    g_test_add_func("/firewall/bandwidth", test_bandwidth);
    g_test_add_func("/firewall/two-networks", test_two_networks);
    g_test_add_func("/firewall/others", test_others);
    g_test_add_func("/firewall/restored", test_restored);
    g_test_add_func("/firewall/errors", test_errors);
    g_test_add_func("/firewall/merged", test_merged);
    g_test_add_func("/firewall/freed", test_freed);
    g_test_add_func("/firewall/many", test_many);
    return g_test_run();
}
