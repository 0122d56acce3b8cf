/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbDnsmasq with a real dnsmasq, in a network namespace of this program's own, and a client in
 * another one: what it hands out, what it answers, and that neither its own end nor the daemon's
 * takes anything away. */
#include "dnsmasq.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "error.h"
#include "fd.h"
#include "wait.h"

#define USER "nobody"
#define GROUP "dnsmasq"
#define CLIENT_MAC "52:54:00:00:00:0a"
#define STATIC_MAC "52:54:00:00:00:0b"

static const char dns[] =
    "<domain name='vm.test' localOnly='yes'/><dns>"
    "<txt name='text.vm.test' value='one # two,three'/>"
    "<srv service='ldap' protocol='tcp' target='gate.vm.test' port='389' priority='2' "
    "weight='3'/>"
    "<host ip='10.99.0.7'><hostname>gate</hostname><hostname>door.vm.test</hostname></host>"
    "</dns>";
static const char range[] = "<range start='10.99.0.10' end='10.99.0.20'/>";
static const char host[] = "<host mac='" STATIC_MAC "' name='fixed' ip='10.99.0.50'/>";

/* ---- commands ---------------------------------------------------------------------------------
 */

static char *try_shell(int *ret_status, const char *command)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    g_autoptr(GError) error = NULL;
    char *output = NULL;

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, ret_status,
                 &error);
    g_assert_no_error(error);
    return output;
}

static char *shell(const char *format, ...) G_GNUC_PRINTF(1, 2);

static char *shell(const char *format, ...)
{
    va_list args;
    int status;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    char *output = try_shell(&status, command);
    if (status != 0)
        g_error("status %d: %s\n%s", status, command, output);
    return output;
}

#define RUN(...) g_free(shell(__VA_ARGS__))

/* ---- the fixture ------------------------------------------------------------------------------
 */

typedef struct {
    char *dir, *script;
    GSubprocess *client; /* holds the client's namespace */
    const char *client_pid;
    VbDnsmasq *dnsmasq;
    GPtrArray *leases; /* as last reported */
    guint n_reports, n_changed;
    GKeyFile *record;
} Net;

static void on_leases(GPtrArray *leases, gpointer data)
{
    Net *net = data;

    g_clear_pointer(&net->leases, g_ptr_array_unref);
    net->leases = leases;
    net->n_reports++;
}

static void on_changed(gpointer data)
{
    Net *net = data;

    vb_dnsmasq_save(net->dnsmasq, net->record, GROUP);
    net->n_changed++;
}

static VbDnsmasq *dnsmasq_new(Net *net, const char *dir)
{
    static const VbDnsmasqEvents events = {.leases = on_leases, .changed = on_changed};
    const VbDnsmasqOptions options = {
        .launcher = &vb_launcher_detached,
        .lease_helper = VB_TEST_LEASE_HELPER,
        .user = USER,
    };

    return vb_dnsmasq_new(&options, dir, &events, net);
}

/* The client's side of a cable to the bridge vb0. */
static void start_client(Net *net)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDataInputStream) output = NULL;

    net->client = g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE,
                                   &error, "unshare", "-n", "sh", "-c", "echo; exec cat", NULL);
    g_assert_no_error(error);
    net->client_pid = g_subprocess_get_identifier(net->client);
    output = g_data_input_stream_new(g_subprocess_get_stdout_pipe(net->client));
    g_free(g_data_input_stream_read_line(output, NULL, NULL, &error));
    g_assert_no_error(error);

    RUN("ip link add s0 type veth peer name c0 && ip link set c0 address " CLIENT_MAC
        " netns %s && ip link set s0 master vb0 up",
        net->client_pid);
    RUN("nsenter -t %s -n sh -c 'echo 0 >/proc/sys/net/ipv6/conf/c0/accept_dad; ip link set c0 up'",
        net->client_pid);
}

static void set_up(Net *net, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    net->dir = g_dir_make_tmp("virtbus-dnsmasq-XXXXXX", &error);
    g_assert_no_error(error);
    g_chmod(net->dir, 0711);
    net->record = g_key_file_new();
    net->script = g_build_filename(net->dir, "script", NULL);
    g_file_set_contents_full(
        net->script,
        "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\n"
        "ip addr replace \"$ip/$mask\" dev \"$interface\"\n"
        "echo \"ip=$ip router=$router dns=$dns domain=$domain lease=$lease name=$hostname\"\n",
        -1, G_FILE_SET_CONTENTS_NONE, 0755, &error);
    g_assert_no_error(error);
    RUN("ip link add vb0 type bridge && ip addr add 10.99.0.1/24 dev vb0 && "
        "ip addr add fd99::1/64 dev vb0 nodad && ip link set vb0 up");
    start_client(net);
    net->dnsmasq = dnsmasq_new(net, net->dir);
}

/* Processes that run with a file of the directory. */
static guint count_processes(const char *dir)
{
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    const char *name;
    guint n = 0;

    while ((name = g_dir_read_name(proc))) {
        g_autofree char *path = g_build_filename("/proc", name, "cmdline", NULL);
        g_autofree char *text = NULL;
        gsize length;

        if (g_ascii_isdigit(*name) && g_file_get_contents(path, &text, &length, NULL) &&
            length > 0 && memmem(text, length, dir, strlen(dir)))
            n++;
    }
    return n;
}

static void tear_down(Net *net, gconstpointer data)
{
    vb_dnsmasq_free(net->dnsmasq);
    /* dnsmasq's child that runs the helper ends when it sees that dnsmasq has. */
    guint tick = g_timeout_add(5, vb_wait_tick, NULL);
    VB_WAIT_FOR(count_processes(net->dir) == 0);
    g_source_remove(tick);
    g_clear_pointer(&net->leases, g_ptr_array_unref);
    g_key_file_unref(net->record);
    RUN("ip link del s0");
    g_output_stream_close(g_subprocess_get_stdin_pipe(net->client), NULL, NULL);
    g_assert_true(g_subprocess_wait_check(net->client, NULL, NULL));
    g_object_unref(net->client);
    RUN("ip link del vb0");
    g_assert_cmpint(g_unlink(net->script), ==, 0);
    g_assert_cmpint(g_rmdir(net->dir), ==, 0); /* a stop has left nothing in it */
    g_free(net->script);
    g_free(net->dir);
}

static VbNetworkDef *define(const char *inner)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *xml =
        g_strdup_printf("<network><name>n</name><bridge name='vb0'/>%s</network>", inner);
    VbNetworkDef *def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    return def;
}

/* With DNS and these children of <dhcp>. */
static VbNetworkDef *define_dhcp(const char *first, const char *second)
{
    g_autofree char *inner = g_strdup_printf(
        "<forward mode='nat'/>%s<ip address='10.99.0.1' prefix='24'><dhcp>%s%s</dhcp></ip>", dns,
        first, second);

    return define(inner);
}

/* ---- operations -------------------------------------------------------------------------------
 */

typedef struct {
    gboolean done;
    GError *error;
} Answer;

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Answer *answer = data;

    vb_dnsmasq_finish(result, &answer->error);
    answer->done = TRUE;
}

static GError *wait_for(Answer *answer)
{
    g_assert_false(answer->done);
    VB_WAIT_FOR(answer->done);
    return answer->error;
}

static GError *try_start(Net *net, const VbNetworkDef *def)
{
    Answer answer = {FALSE};

    vb_dnsmasq_start_async(net->dnsmasq, def, on_done, &answer);
    return wait_for(&answer);
}

static pid_t recorded_pid(Net *net)
{
    return g_key_file_get_integer(net->record, GROUP, "dnsmasq-pid", NULL);
}

static void start(Net *net, const VbNetworkDef *def)
{
    gint64 begin = g_get_monotonic_time();

    g_assert_no_error(try_start(net, def));
    g_test_message("start: %.1f ms", (double)(g_get_monotonic_time() - begin) / 1000);
    vb_dnsmasq_save(net->dnsmasq, net->record, GROUP);
    g_assert_cmpint(recorded_pid(net), >, 0);
}

static GError *update(Net *net, const VbNetworkDef *def)
{
    Answer answer = {FALSE};

    vb_dnsmasq_update_async(net->dnsmasq, def, on_done, &answer);
    return wait_for(&answer);
}

static void stop(Net *net)
{
    Answer answer = {FALSE};

    vb_dnsmasq_stop_async(net->dnsmasq, on_done, &answer);
    g_assert_no_error(wait_for(&answer));
}

/* A process that was killed and is our child still. */
static void wait_for_end(pid_t pid, int options)
{
    siginfo_t info;

    g_assert_cmpint(waitid(P_PID, (id_t)pid, &info, WEXITED | options), ==, 0);
    g_assert_cmpint(info.si_status, ==, SIGKILL);
}

/* The daemon goes; the next one comes with attach(). */
static void leave(Net *net)
{
    g_clear_pointer(&net->dnsmasq, vb_dnsmasq_free);
    g_clear_pointer(&net->leases, g_ptr_array_unref);
}

static void attach(Net *net, const VbNetworkDef *def)
{
    Answer answer = {FALSE};

    net->dnsmasq = dnsmasq_new(net, net->dir);
    vb_dnsmasq_attach_async(net->dnsmasq, def, net->record, GROUP, on_done, &answer);
    g_assert_no_error(wait_for(&answer));
}

/* ---- the client -------------------------------------------------------------------------------
 */

/* Until the command succeeds in the client's namespace: the kernel tells nobody here. */
static void wait_until(Net *net, const char *command)
{
    g_autofree char *inside =
        g_strdup_printf("nsenter -t %s -n sh -c '%s'", net->client_pid, command);
    guint tick = g_timeout_add(50, vb_wait_tick, NULL);
    int status = 1;

    VB_WAIT_FOR((g_free(try_shell(&status, inside)), status == 0));
    g_source_remove(tick);
}

/* What the client is told; it has the address then. */
static char *get_lease(Net *net, const char *mac, const char *name)
{
    RUN("nsenter -t %s -n sh -c 'ip addr flush dev c0 scope global; ip link set c0 down address %s "
        "&& ip link set c0 up'",
        net->client_pid, mac);
    return shell("nsenter -t %s -n busybox udhcpc -i c0 -n -q -f -t 8 -T 1 -x hostname:%s -s %s "
                 "2>/dev/null",
                 net->client_pid, name, net->script);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        g_error("no '%s' in: %s", part, text);
}

static void assert_answer(Net *net, const char *type, const char *name, const char *part)
{
    g_autofree char *answer = shell("nsenter -t %s -n busybox nslookup -type=%s %s 10.99.0.1",
                                    net->client_pid, type, name);

    assert_has(answer, part);
}

static gboolean is_answered(Net *net, const char *name)
{
    int status;
    g_autofree char *command = g_strdup_printf(
        "nsenter -t %s -n busybox nslookup -type=a %s 10.99.0.1 >/dev/null", net->client_pid, name);

    g_free(try_shell(&status, command));
    return status == 0;
}

static const VbLease *find_lease(Net *net, const char *ip)
{
    for (guint i = 0; net->leases && i < net->leases->len; i++) {
        g_autofree char *text = vb_ip_to_string(&((const VbLease *)net->leases->pdata[i])->ip);

        if (g_str_equal(text, ip))
            return net->leases->pdata[i];
    }
    return NULL;
}

/* The address that the client was given, of the range. */
static char *dynamic_address(const char *told)
{
    g_assert_true(g_str_has_prefix(told, "ip=10.99.0.1"));
    return g_strndup(told + 3, strcspn(told + 3, " "));
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void test_serve(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def = define_dhcp(range, host);

    start(net, def);
    g_autofree char *told = get_lease(net, CLIENT_MAC, "guest");
    g_autofree char *address = dynamic_address(told);
    assert_has(told, "router=10.99.0.1 dns=10.99.0.1 domain=vm.test lease=3600");
    VB_WAIT_FOR(find_lease(net, address));
    const VbLease *lease = find_lease(net, address);
    g_assert_cmpstr(lease->mac, ==, CLIENT_MAC);
    g_assert_cmpstr(lease->hostname, ==, "guest");
    g_assert_cmpstr(lease->client_id, ==, "01:" CLIENT_MAC);
    g_assert_cmpuint(lease->expiry, >, (guint64)g_get_real_time() + 3500 * (guint64)G_USEC_PER_SEC);
    g_assert_cmpuint(lease->expiry, <=,
                     (guint64)g_get_real_time() + 3600 * (guint64)G_USEC_PER_SEC);

    assert_answer(net, "a", "guest.vm.test", address);
    assert_answer(net, "a", "gate.vm.test", "10.99.0.7");
    assert_answer(net, "a", "door.vm.test", "10.99.0.7");
    assert_answer(net, "ptr", "7.0.99.10.in-addr.arpa", "gate");
    assert_answer(net, "txt", "text.vm.test", "\"one # two\"");
    assert_answer(net, "srv", "_ldap._tcp.vm.test", "2 3 389 gate.vm.test");
    g_assert_false(is_answered(net, "nobody.vm.test"));

    g_autofree char *fixed = get_lease(net, STATIC_MAC, "other");
    assert_has(fixed, "ip=10.99.0.50 ");
    VB_WAIT_FOR(find_lease(net, "10.99.0.50"));
    g_assert_cmpstr(find_lease(net, "10.99.0.50")->hostname, ==, "fixed");
    assert_answer(net, "a", "fixed.vm.test", "10.99.0.50");
    g_assert_cmpuint(net->leases->len, ==, 2);
    stop(net);
}

/* What dnsmasq's user may do: read two files, send to one socket. */
static void test_modes(Net *net, gconstpointer data)
{
    static const struct {
        const char *name;
        gboolean users;
    } files[] = {
        {"dnsmasq.conf", FALSE}, {"dnsmasq.leases", FALSE}, {"dnsmasq.hosts", TRUE},
        {"dnsmasq.names", TRUE}, {"leases.sock", TRUE},     {"dnsmasq.log", FALSE},
    };
    g_autoptr(VbNetworkDef) def = define_dhcp(range, host);

    start(net, def);
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(net->dir, files[i].name, NULL);
        struct stat st;

        g_test_message("%s", files[i].name);
        g_assert_cmpint(stat(path, &st), ==, 0);
        g_assert_cmpint(st.st_mode & 07777, ==, 0600);
        g_assert_cmpint(st.st_uid != 0, ==, files[i].users);
    }
    g_autofree char *status = shell("grep ^Uid /proc/%d/status", (int)recorded_pid(net));
    g_assert_cmpint(atoi(status + strlen("Uid:\t")), !=, 0);
    stop(net);
}

/* No router, in either family; an address by router advertisement all the same. */
static void test_isolated(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def = define(
        "<ip address='10.99.0.1' prefix='24'><dhcp><range start='10.99.0.10' end='10.99.0.20'/>"
        "</dhcp></ip><ip family='ipv6' address='fd99::1' prefix='64'/>");

    start(net, def);
    g_autofree char *told = get_lease(net, CLIENT_MAC, "guest");
    assert_has(told, "router= dns=10.99.0.1 ");
    wait_until(net, "ip -6 addr show dev c0 scope global | grep -q fd99::5054:ff:fe00:a/64");
    g_autofree char *routes = shell("nsenter -t %s -n ip -6 route show default", net->client_pid);
    g_assert_cmpstr(routes, ==, "");
    stop(net);
}

/* A socket of a DHCPv6 client in the client's namespace. */
static int open_dhcp6(Net *net)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/ns/net", net->client_pid);
    vb_autofd int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    vb_autofd int theirs = open(path, O_RDONLY | O_CLOEXEC);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(546)};

    g_assert_cmpint(setns(theirs, CLONE_NEWNET), ==, 0);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "c0", 3), ==, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(setns(ours, CLONE_NEWNET), ==, 0);
    return fd;
}

/* Asks for an address, to be given in one step (rapid commit). */
static gboolean ask_dhcp6(int fd)
{
    static const guint8 solicit[] = {
        1, 0x12, 0x34, 0x56,                                             /* its transaction */
        0, 1,    0,    10,   0, 3, 0, 1, 0x52, 0x54, 0, 0, 0, 0xa,       /* client id: a DUID-LL */
        0, 3,    0,    12,   0, 0, 0, 9, 0,    0,    0, 0, 0, 0,   0, 0, /* addresses, IAID 9 */
        0, 14,   0,    0,                                                /* rapid commit */
    };
    struct sockaddr_in6 server = {.sin6_family = AF_INET6, .sin6_port = htons(547)};
    guint8 reply[1024];

    inet_pton(AF_INET6, "ff02::1:2", &server.sin6_addr);
    sendto(fd, solicit, sizeof solicit, 0, (struct sockaddr *)&server, sizeof server);
    return recv(fd, reply, sizeof reply, 0) > 0 && reply[0] == 7;
}

/* Leases of IPv6 come with the MAC address, which the lease file does not know. */
static void test_dhcp6(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def =
        define("<forward mode='route'/><ip family='ipv6' address='fd99::1' prefix='64'><dhcp>"
               "<range start='fd99::100' end='fd99::1ff'/></dhcp></ip>");
    guint tick = g_timeout_add(100, vb_wait_tick, NULL);

    start(net, def);
    vb_autofd int fd = open_dhcp6(net);
    VB_WAIT_FOR(ask_dhcp6(fd));
    VB_WAIT_FOR(net->leases && net->leases->len == 1);
    const VbLease *lease = net->leases->pdata[0];
    g_assert_cmpint(lease->ip.family, ==, VB_IPV6);
    g_assert_cmpstr(lease->mac, ==, CLIENT_MAC);
    g_assert_cmpstr(lease->client_id, ==, "00:03:00:01:" CLIENT_MAC);
    g_assert_cmpuint(lease->iaid, ==, 9);

    leave(net);
    attach(net, def);
    g_assert_cmpuint(net->leases->len, ==, 1);
    VB_WAIT_FOR(g_str_equal(((const VbLease *)net->leases->pdata[0])->mac, CLIENT_MAC));
    g_source_remove(tick);
    stop(net);
}

static void test_killed(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def = define_dhcp(range, host);

    start(net, def);
    g_autofree char *told = get_lease(net, CLIENT_MAC, "guest");
    g_autofree char *address = dynamic_address(told);
    VB_WAIT_FOR(find_lease(net, address));
    for (guint i = 1; i <= 2; i++) {
        pid_t pid = recorded_pid(net);

        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
        if (i == 2) { /* there is a pause now, which is cut short */
            VB_WAIT_FOR(kill(pid, 0) != 0);
            vb_dnsmasq_revive(net->dnsmasq);
        }
        VB_WAIT_FOR(net->n_changed == i);
        g_assert_cmpint(recorded_pid(net), !=, pid);
        assert_answer(net, "a", "guest.vm.test", address);
    }
    g_autofree char *again = get_lease(net, CLIENT_MAC, "guest");
    g_assert_cmpstr(again, ==, told);
    g_assert_nonnull(find_lease(net, address));
    stop(net);
}

static void test_restart(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def = define_dhcp(range, host);
    pid_t pid;

    start(net, def);
    g_autofree char *told = get_lease(net, CLIENT_MAC, "guest");
    g_autofree char *address = dynamic_address(told);
    pid = recorded_pid(net);

    leave(net);
    g_free(get_lease(net, STATIC_MAC, "other"));
    attach(net, def);
    g_assert_cmpuint(net->n_changed, ==, 0);
    vb_dnsmasq_save(net->dnsmasq, net->record, GROUP);
    g_assert_cmpint(recorded_pid(net), ==, pid);
    g_assert_nonnull(find_lease(net, address));
    g_assert_nonnull(find_lease(net, "10.99.0.50"));

    /* The socket is a new one, and dnsmasq finds it. */
    g_free(get_lease(net, "52:54:00:00:00:0c", "third"));
    VB_WAIT_FOR(net->leases->len == 3);

    /* A record that is older than the process. */
    leave(net);
    g_key_file_remove_group(net->record, GROUP, NULL);
    attach(net, def);
    g_assert_cmpint(recorded_pid(net), ==, pid);
    g_assert_cmpuint(net->leases->len, ==, 3);

    /* One that ended meanwhile. */
    leave(net);
    g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
    wait_for_end(pid, WNOWAIT);
    attach(net, def);
    g_assert_cmpint(recorded_pid(net), !=, pid);
    g_assert_cmpuint(net->leases->len, ==, 3);
    assert_answer(net, "a", "guest.vm.test", address);
    stop(net);
}

static void test_update(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def = define_dhcp(range, "");
    g_autoptr(VbNetworkDef) with_host = define_dhcp(range, host);
    g_autoptr(VbNetworkDef) with_range =
        define_dhcp("<range start='10.99.0.30' end='10.99.0.30'/>", host);
    g_autoptr(VbNetworkDef) refused = define_dhcp(range, host);
    VbNetworkIpDef *ip = refused->ips->pdata[0];
    VbDhcpRangeDef *bad = ip->ranges->pdata[0];
    g_autoptr(GError) error = NULL;

    start(net, def);
    pid_t pid = recorded_pid(net);

    /* Read again by the same process. */
    g_assert_no_error(update(net, with_host));
    g_autofree char *fixed = get_lease(net, STATIC_MAC, "other");
    assert_has(fixed, "ip=10.99.0.50 ");
    g_assert_cmpuint(net->n_changed, ==, 0);
    g_assert_cmpint(kill(pid, 0), ==, 0);

    /* Refused: the same process serves on. */
    bad->range.start.bytes[2] = 98;
    error = update(net, refused);
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    assert_has(error->message, "inconsistent DHCP range");
    g_assert_cmpuint(net->n_changed, ==, 0);
    assert_answer(net, "a", "fixed.vm.test", "10.99.0.50");

    /* Another process, which knows the leases. */
    g_assert_no_error(update(net, with_range));
    g_assert_cmpuint(net->n_changed, ==, 1);
    g_assert_cmpint(recorded_pid(net), !=, pid);
    assert_answer(net, "a", "fixed.vm.test", "10.99.0.50");
    g_autofree char *told = get_lease(net, CLIENT_MAC, "guest");
    assert_has(told, "ip=10.99.0.30 ");
    VB_WAIT_FOR(net->leases && net->leases->len == 2);
    stop(net);
}

/* Somebody listens where the name server is to be. */
static int take_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "10.99.0.1", &address.sin_addr);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

static void test_port_taken(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def = define_dhcp(range, host);
    g_autoptr(VbNetworkDef) without = define(
        "<dns enable='no'/><ip address='10.99.0.1' prefix='24'><dhcp><range start='10.99.0.10' "
        "end='10.99.0.20'/></dhcp></ip>");
    vb_autofd int taken = take_port();
    g_autoptr(GError) error = try_start(net, def);

    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    assert_has(error->message, "Address already in use");
    g_assert_cmpuint(count_processes(net->dir), ==, 0);

    /* Only the start shows it: the configuration itself is right. What was there is there again. */
    start(net, without);
    g_clear_error(&error);
    error = update(net, def);
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    assert_has(error->message, "Address already in use");
    g_assert_cmpuint(net->n_changed, ==, 1);
    g_autofree char *told = get_lease(net, CLIENT_MAC, "guest");
    g_autofree char *address = dynamic_address(told);

    vb_clear_fd(&taken);
    g_assert_no_error(update(net, def));
    assert_answer(net, "a", "guest.vm.test", address);
    stop(net);
}

/* What somebody else says to the socket changes nothing, and nonsense has the file read. */
static void test_socket(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def = define_dhcp(range, host);
    const char *const foreign = "VIRTBUS_LEASE_SOCKET=%s/leases.sock " VB_TEST_LEASE_HELPER;

    start(net, def);
    g_autofree char *helper = g_strdup_printf(foreign, net->dir);
    RUN("chmod 0777 %s/leases.sock && setpriv --reuid 12345 --clear-groups env %s add " CLIENT_MAC
        " 10.99.0.99 evil",
        net->dir, helper);
    RUN("env %s add " CLIENT_MAC " 10.99.0.98 root", helper);
    VB_WAIT_FOR(find_lease(net, "10.99.0.98"));
    g_assert_null(find_lease(net, "10.99.0.99"));
    RUN("env %s add nonsense 10.99.0.97", helper);
    VB_WAIT_FOR(net->leases->len == 0); /* as the file says */
    RUN("env VIRTBUS_LEASE_SOCKET=/nowhere " VB_TEST_LEASE_HELPER " add " CLIENT_MAC " 10.99.0.98");
    stop(net);
}

static void test_clean(Net *net, gconstpointer data)
{
    g_autoptr(VbNetworkDef) def = define_dhcp(range, host);
    g_autoptr(GKeyFile) nothing = g_key_file_new();

    start(net, def);
    leave(net);
    vb_dnsmasq_clean(net->dir, nothing, GROUP); /* by its pid file */
    wait_for_end(recorded_pid(net), 0);
    vb_dnsmasq_clean(net->dir, net->record, GROUP);
    net->dnsmasq = dnsmasq_new(net, net->dir);
    stop(net);
}

static void test_many(Net *net, gconstpointer data)
{
    enum { N = 30 };
    VbDnsmasq *dnsmasqs[N];
    char *dirs[N];
    Answer answers[N] = {{FALSE}};
    gint64 begin;

    for (guint i = 0; i < N; i++) {
        g_autofree char *name = g_strdup_printf("net%u", i);

        dirs[i] = g_build_filename(net->dir, name, NULL);
        g_assert_cmpint(g_mkdir(dirs[i], 0711), ==, 0);
        RUN("ip link add vbm%u type bridge && ip addr add 10.98.%u.1/24 dev vbm%u && "
            "ip link set vbm%u up",
            i, i, i, i);
        dnsmasqs[i] = dnsmasq_new(net, dirs[i]);
    }
    begin = g_get_monotonic_time();
    for (guint i = 0; i < N; i++) {
        g_autofree char *xml = g_strdup_printf(
            "<network><name>n</name><bridge name='vbm%u'/><ip address='10.98.%u.1' prefix='24'>"
            "<dhcp><range start='10.98.%u.2' end='10.98.%u.254'/></dhcp></ip></network>",
            i, i, i, i);
        g_autoptr(VbNetworkDef) def = vb_network_def_parse(xml, -1, VB_XML_NONE, NULL);

        vb_dnsmasq_start_async(dnsmasqs[i], def, on_done, &answers[i]);
    }
    for (guint i = 0; i < N; i++) {
        VB_WAIT_FOR(answers[i].done);
        g_assert_no_error(answers[i].error);
        answers[i].done = FALSE;
    }
    g_test_message("%d starts: %.1f ms", N, (double)(g_get_monotonic_time() - begin) / 1000);
    for (guint i = 0; i < N; i++)
        vb_dnsmasq_stop_async(dnsmasqs[i], on_done, &answers[i]);
    for (guint i = 0; i < N; i++) {
        VB_WAIT_FOR(answers[i].done);
        g_assert_no_error(answers[i].error);
        vb_dnsmasq_free(dnsmasqs[i]);
        RUN("ip link del vbm%u", i);
        g_assert_cmpint(g_rmdir(dirs[i]), ==, 0);
        g_free(dirs[i]);
    }
}

static gboolean all_there(void)
{
    static const char *const programs[] = {"dnsmasq", "busybox", "ip", "nsenter", "setpriv"};

    for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
        g_autofree char *path = g_find_program_in_path(programs[i]);

        if (!path) {
            g_print("1..0 # SKIP %s is not installed\n", programs[i]);
            return FALSE;
        }
    }
    return TRUE;
}

#define ADD(name, function)                                                                        \
    g_test_add("/dnsmasq/" name, Net, NULL, set_up, test_##function, tear_down)

int main(int argc, char **argv)
{
    /* Before there is another thread. */
    if (unshare(CLONE_NEWNET) != 0) {
        g_print("1..0 # SKIP needs root, for a network namespace\n");
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    if (!all_there())
        return 0;
    RUN("ip link set lo up");
    ADD("serve", serve);
    ADD("modes", modes);
    ADD("isolated", isolated);
    ADD("dhcp6", dhcp6);
    ADD("killed", killed);
    ADD("restart", restart);
    ADD("update", update);
    ADD("port-taken", port_taken);
    ADD("socket", socket);
    ADD("clean", clean);
    ADD("many", many);
    return g_test_run();
}
