/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * User-mode networking of a real QEMU, by its own means and by passt: ports of the host that are
 * open while the guest is there and no longer, and what becomes of passt, whatever becomes of a
 * start, of QEMU and of us. In a network namespace of its own, so ports are free; that traffic gets
 * to a guest is tests/network/guest-user.c's. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"
#include "net-namespace.h"
#include "vm-fixture.h"
#include "vm.h"

#define LOOPBACK "0100007F" /* 127.0.0.1 as in /proc/net/tcp */
#define ANY "00000000"

/* ---- what there is ----------------------------------------------------------------------------
 */

/* Is that port open in this namespace? TCP sockets listen in state 0A, bound UDP ones have 07. */
static gboolean is_open(const char *protocol, const char *address, guint port)
{
    g_autofree char *path = g_strconcat("/proc/thread-self/net/", protocol, NULL);
    g_autofree char *table = NULL;
    g_autofree char *wanted = g_strdup_printf(": %s:%04X %s:0000 %s ", address, port, ANY,
                                              g_str_equal(protocol, "tcp") ? "0A" : "07");

    g_assert_true(g_file_get_contents(path, &table, NULL, NULL));
    return strstr(table, wanted) != NULL;
}

/* Processes named passt… whose namespace is this one; a dead one has none. */
static guint count_passt(void)
{
    g_autofree char *own = g_file_read_link("/proc/thread-self/ns/net", NULL);
    g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
    guint count = 0;
    const char *pid;

    while ((pid = g_dir_read_name(processes))) {
        g_autofree char *name_path = g_build_filename("/proc", pid, "comm", NULL);
        g_autofree char *namespace_path = g_build_filename("/proc", pid, "ns/net", NULL);
        g_autofree char *namespace = g_file_read_link(namespace_path, NULL);
        g_autofree char *name = NULL;

        if (g_ascii_isdigit(pid[0]) && g_strcmp0(namespace, own) == 0 &&
            g_file_get_contents(name_path, &name, NULL, NULL) && g_str_has_prefix(name, "passt"))
            count++;
    }
    return count;
}

/* Nothing tells of the end of a passt, which is no child of ours: this looks every 2 ms. */
static void await_passts(guint n)
{
    guint tick = g_timeout_add(2, vb_wait_tick, NULL);

    VB_WAIT_FOR(count_passt() == n);
    g_source_remove(tick);
}

static void run(const char *command)
{
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_command_line_sync(command, NULL, NULL, &status, &error);
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 0);
}

/* passt wants to know which way leads outside. */
static void make_network(void)
{
    run("ip link set lo up");
    run("ip link add outside type veth peer name farther");
    run("ip address add 192.0.2.2/24 dev outside");
    run("ip link set farther up");
    run("ip link set outside up");
    run("ip route add default via 192.0.2.1");
}

static void setup(VmFixture **fixture, gconstpointer data)
{
    *fixture = vm_fixture_new();
}

static void teardown(VmFixture **fixture, gconstpointer data)
{
    vm_fixture_free(*fixture);
    await_passts(0);
    for (guint port = 2000; port < 2010; port++)
        g_assert_false(is_open("tcp", LOOPBACK, port));
}

#define USER(...) "<interface type='user'><model type='virtio'/>" __VA_ARGS__ "</interface>"
#define PASST "<backend type='passt'/>"
#define FORWARD(proto, ranges)                                                                     \
    "<portForward proto='" proto "' address='127.0.0.1'>" ranges "</portForward>"

static VbDomain *start(VmFixture *fixture, const char *name, const char *interfaces)
{
    g_autofree char *xml = vm_xml(name, NULL, NULL, interfaces);

    return vm_running(fixture, xml);
}

static GError *fail_start(VmFixture *fixture, const char *interfaces)
{
    g_autofree char *xml = vm_xml("fails", NULL, NULL, interfaces);
    VbDomain *domain = vm_define(fixture, xml);
    GError *error = vm_operate(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_NONE);

    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_false(vb_domain_is_active(domain));
    return error;
}

/* Somebody has port 2000 of the loopback. */
static int occupy(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(2000)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

/* ---- QEMU's own -------------------------------------------------------------------------------
 */

static void test_builtin(VmFixture **fixture, gconstpointer data)
{
    VbDomain *domain =
        start(*fixture, "builtin",
              USER("<ip address='172.17.2.2' prefix='24'/>"
                   "<ip family='ipv6' address='fd12::' prefix='64'/>" FORWARD(
                       "tcp", "<range start='2000' end='2002' to='20'/>")
                       FORWARD("udp", "<range start='2003'/>"))
                  USER("<portForward proto='tcp'><range start='2004' to='80'/></portForward>"));

    for (guint port = 2000; port <= 2002; port++)
        g_assert_true(is_open("tcp", LOOPBACK, port));
    g_assert_true(is_open("udp", LOOPBACK, 2003));
    g_assert_true(is_open("tcp", ANY, 2004));
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    g_assert_false(is_open("tcp", LOOPBACK, 2000));
    g_assert_false(is_open("tcp", ANY, 2004));
}

static void test_builtin_taken(VmFixture **fixture, gconstpointer data)
{
    vb_autofd int fd = occupy();
    g_autoptr(GError) error =
        fail_start(*fixture, USER(FORWARD("tcp", "<range start='2000' to='22'/>")));

    g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
    g_assert_nonnull(strstr(error->message, "2000"));
}

/* As many as there can be. */
static void test_builtin_most(VmFixture **fixture, gconstpointer data)
{
    start(*fixture, "most", USER(FORWARD("tcp", "<range start='3000' end='3255'/>")));
    g_assert_true(is_open("tcp", LOOPBACK, 3000));
    g_assert_true(is_open("tcp", LOOPBACK, 3255));
}

/* ---- passt ------------------------------------------------------------------------------------
 */

#define TWO_PASSTS                                                                                 \
    USER(PASST "<mtu size='1400'/><ip address='198.51.100.7' prefix='24'/>" FORWARD(               \
        "tcp", "<range start='2000' end='2004' to='20'/><range start='2002' exclude='yes'/>"))     \
    USER() USER(PASST FORWARD("udp", "<range start='2003'/>"))

static void assert_two_passts(void)
{
    g_assert_cmpuint(count_passt(), ==, 2);
    g_assert_true(is_open("tcp", LOOPBACK, 2000));
    g_assert_false(is_open("tcp", LOOPBACK, 2002));
    g_assert_true(is_open("tcp", LOOPBACK, 2004));
    g_assert_true(is_open("udp", LOOPBACK, 2003));
}

static void test_passt(VmFixture **fixture, gconstpointer data)
{
    VbDomain *domain = start(*fixture, "passt", TWO_PASSTS);

    assert_two_passts();
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    await_passts(0);
}

/* However QEMU ends. */
static void test_killed(VmFixture **fixture, gconstpointer data)
{
    VbDomain *domain = start(*fixture, "killed", TWO_PASSTS);

    kill(vm_pid(domain), SIGKILL);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    await_passts(0);
}

/* No daemon is needed for the guest to be reached. */
static void test_restart(VmFixture **fixture, gconstpointer data)
{
    start(*fixture, "restart", TWO_PASSTS);
    qemu_host_stop(&(*fixture)->qemu);
    assert_two_passts();
    qemu_host_start(&(*fixture)->qemu);

    VbDomain *domain = vb_host_domain_by_name((*fixture)->qemu.host, "restart");
    VB_WAIT_FOR(vm_has_state(domain, "running/booted"));
    assert_two_passts();
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    await_passts(0);
}

/* What passt says is what the caller gets; the other passt ends, too. */
static void test_taken(VmFixture **fixture, gconstpointer data)
{
    vb_autofd int fd = occupy();
    g_autoptr(GError) error =
        fail_start(*fixture, USER(PASST FORWARD("tcp", "<range start='2001'/>"))
                                 USER(PASST FORWARD("tcp", "<range start='2000' to='22'/>")));

    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "domain 'fails': interface net1: passt did not start"));
    g_assert_nonnull(strstr(error->message, "127.0.0.1/2000:22"));
    await_passts(0);
}

static void test_absent(VmFixture **fixture, gconstpointer data)
{
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_autofree char *emulator = g_find_program_in_path("qemu-system-x86_64");
    g_autofree char *xml = vm_xml("absent", emulator, NULL, USER(PASST));
    VbDomain *domain = vm_define(*fixture, xml);

    g_setenv("PATH", (*fixture)->qemu.dir, TRUE);
    g_autoptr(GError) error = vm_operate(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_NONE);
    g_setenv("PATH", path, TRUE);
    g_assert_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    g_assert_cmpstr(error->message, ==,
                    "domain 'absent': interface net0: the program passt is not installed");
    g_assert_false(vb_domain_is_active(domain));
    vm_do(domain, VB_DOMAIN_OP_START);
}

/* A QEMU that does not start takes its passt along. */
static void test_no_qemu(VmFixture **fixture, gconstpointer data)
{
    g_autofree char *emulator =
        vm_make_emulator(*fixture, "case \"$*\" in *guest=*) exit 3;; esac\n"
                                   "exec qemu-system-x86_64 \"$@\"");
    g_autofree char *xml = vm_xml("no-qemu", emulator, NULL, TWO_PASSTS);
    VbDomain *domain = vm_define(*fixture, xml);
    g_autoptr(GError) error = vm_operate(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_NONE);

    g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
    await_passts(0);
}

/* Given up at once, and when passt is there and QEMU hangs. */
static void test_destroyed(VmFixture **fixture, gconstpointer data)
{
    g_autofree char *emulator =
        vm_make_emulator(*fixture, "case \"$*\" in *guest=*) exec tail -f /dev/null;; esac\n"
                                   "exec qemu-system-x86_64 \"$@\"");
    g_autofree char *xml = vm_xml("destroyed", emulator, NULL, TWO_PASSTS);
    VbDomain *domain = vm_define(*fixture, xml);

    for (guint i = 0; i < 2; i++) {
        g_autoptr(VmReply) reply = vm_begin(domain, VB_DOMAIN_OP_START);

        if (i == 1) {
            VB_WAIT_FOR(vb_qemu_vm_of(domain) && vb_qemu_vm_of(domain)->process);
            g_assert_cmpuint(count_passt(), ==, 2);
        } else {
            VB_WAIT_FOR(vb_qemu_vm_of(domain) && vb_qemu_vm_of(domain)->access);
        }
        vm_do(domain, VB_DOMAIN_OP_DESTROY);
        VB_WAIT_FOR(reply->result);
        await_passts(0);
    }
}

static void test_skipped(void)
{
    g_test_skip("ports that are free for certain need root and a network namespace");
}

int main(int argc, char **argv)
{
    gboolean possible = vb_enter_net_namespace();

    g_test_init(&argc, &argv, NULL);
    if (!possible) {
        g_test_add_func("/qemu/user-network", test_skipped);
        return g_test_run();
    }
    make_network();
#define ADD(name, test)                                                                            \
    g_test_add("/qemu/user-network/" name, VmFixture *, NULL, setup, test, teardown)
    ADD("builtin", test_builtin);
    ADD("builtin-taken", test_builtin_taken);
    ADD("builtin-most", test_builtin_most);
    ADD("passt", test_passt);
    ADD("killed", test_killed);
    ADD("restart", test_restart);
    ADD("taken", test_taken);
    ADD("absent", test_absent);
    ADD("no-qemu", test_no_qemu);
    ADD("destroyed", test_destroyed);
    return g_test_run();
}
