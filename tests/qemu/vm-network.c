/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taps of a real QEMU: which one it gets for which interface, that it can use them as the user that
 * it is, and that none is left, whatever becomes of a start. In a network namespace of its own. */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"
#include "net-namespace.h"
#include "qemu-command.h"
#include "qemu-driver.h"
#include "qmp-args.h"
#include "tap-driver.h"
#include "vm.h"
#include "vm-fixture.h"

/* ---- what there is ----------------------------------------------------------------------------
 */

/* The names of all devices of the namespace. (transfer full) */
static char *list_devices(void)
{
    struct if_nameindex *all = if_nameindex();
    GString *names = g_string_new(NULL);

    for (struct if_nameindex *device = all; device->if_index != 0; device++)
        g_string_append_printf(names, "%s ", device->if_name);
    if_freenameindex(all);
    return g_string_free(names, FALSE);
}

/* A tap "runs" while somebody has its queue. */
static gboolean is_running(const char *name)
{
    struct ifreq request = {0};
    vb_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

/* How many of a process's descriptors are taps. */
static guint count_taps(const char *pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/fd", pid);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    guint count = 0;

    for (const char *name = g_dir_read_name(directory); name; name = g_dir_read_name(directory)) {
        g_autofree char *link = g_build_filename(path, name, NULL);
        g_autofree char *target = g_file_read_link(link, NULL);
        count += g_strcmp0(target, "/dev/net/tun") == 0;
    }
    return count;
}

/* The name of the tap that a process has as that descriptor. (transfer full) */
static char *tap_of(pid_t pid, int fd)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fdinfo/%d", (int)pid, fd);
    g_autofree char *contents = NULL;
    g_autoptr(GError) error = NULL;

    g_file_get_contents(path, &contents, NULL, &error);
    g_assert_no_error(error);
    char *name = strstr(contents, "iff:\t");
    g_assert_nonnull(name);
    name += strlen("iff:\t");
    return g_strndup(name, strcspn(name, "\n"));
}

static char *monitor_text(VbDomain *domain, const char *command)
{
    g_autoptr(JsonNode) value = vm_monitor(domain, "human-monitor-command",
                                           vb_qmp_args(VB_ARG_STRING("command-line", command)));

    return json_node_dup_string(value);
}

static const VbInterfaceDef *interface_of(VbDomain *domain, guint index)
{
    return vb_domain_def(domain)->interfaces->pdata[index];
}

/* A domain with that many interfaces on a bridge. (transfer full) */
static char *xml_with(const char *name, const char *emulator, guint n_interfaces)
{
    static const char *const models[] = {"virtio", "e1000", "rtl8139"};
    g_autoptr(GString) devices = g_string_new(NULL);

    for (guint i = 0; i < n_interfaces; i++)
        g_string_append_printf(devices,
                               "<interface type='bridge'><mac address='52:54:00:00:01:%02x'/>"
                               "<source bridge='br0'/><model type='%s'/></interface>",
                               i, models[i % G_N_ELEMENTS(models)]);
    return vm_xml(name, emulator, NULL, devices->str);
}

typedef struct {
    TapDriver taps;
    VmFixture *vm;
    char *devices; /* before */
} Fixture;

static void setup(Fixture *fixture, gconstpointer data)
{
    fixture->devices = list_devices();
    fixture->vm = vm_fixture_new_with_network(&tap_driver, &fixture->taps);
}

static void assert_no_tap(Fixture *fixture)
{
    g_autofree char *devices = list_devices();

    g_assert_cmpstr(devices, ==, fixture->devices);
    g_assert_cmpuint(count_taps("self"), ==, 0);
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    vm_fixture_free(fixture->vm);
    assert_no_tap(fixture);
    g_free(fixture->devices);
}

/* The domain's start fails, and leaves no tap. */
static GError *fail_start(Fixture *fixture, VbDomain *domain, guint opened)
{
    GError *error = vm_operate(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_NONE);

    g_assert_nonnull(error);
    g_assert_false(vb_domain_is_active(domain));
    g_assert_cmpuint(fixture->taps.opened, ==, opened);
    assert_no_tap(fixture);
    return error;
}

/* ---- taps that are handed over ----------------------------------------------------------------
 */

/* Each interface has the tap that was opened for it; QEMU says so, and the kernel. */
static void assert_own_taps(VbDomain *domain)
{
    pid_t pid = vm_pid(domain);
    g_autofree char *text = monitor_text(domain, "info network");

    for (guint i = 0; i < vb_domain_def(domain)->interfaces->len; i++) {
        const VbInterfaceDef *interface = interface_of(domain, i);
        g_autofree char *pattern =
            g_strdup_printf("^%s: .*macaddr=%s.*\\s+\\\\ host%s: .*type=tap,fd=([0-9]+)",
                            interface->info.alias, interface->mac, interface->info.alias);
        g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_MULTILINE, 0, NULL);
        g_autoptr(GMatchInfo) match = NULL;
        if (interface->type == VB_INTERFACE_USER)
            continue;
        if (!g_regex_match(regex, text, 0, &match))
            g_error("%s is not in: %s", pattern, text);
        g_autofree char *number = g_match_info_fetch(match, 1);
        g_autofree char *tap = tap_of(pid, (int)g_ascii_strtoll(number, NULL, 10));
        g_assert_cmpstr(tap, ==, interface->target);
        g_assert_true(is_running(interface->target));
    }
}

/* The user's own is in between, and has none. */
static void test_eight(Fixture *fixture, gconstpointer data)
{
    g_autofree char *plain = xml_with("eight", NULL, 8);
    g_auto(GStrv) parts = g_strsplit(plain, "<interface type='bridge'>", -1);
    g_autoptr(GString) xml = g_string_new(parts[0]);

    for (guint i = 1; parts[i]; i++)
        g_string_append_printf(xml, "%s<interface type='bridge'>%s",
                               i == 4 ? "<interface type='user'/>" : "", parts[i]);
    VbDomain *domain = vm_running(fixture->vm, xml->str);
    pid_t pid = vm_pid(domain);
    g_autofree char *qemu = g_strdup_printf("%d", (int)pid);

    g_assert_cmpuint(vb_domain_def(domain)->interfaces->len, ==, 9);
    g_assert_null(interface_of(domain, 3)->target);
    assert_own_taps(domain);
    g_assert_cmpuint(count_taps(qemu), ==, 8);
    g_assert_cmpuint(count_taps("self"), ==, 0);
    g_autofree char *live = vb_domain_def_format(vb_domain_def(domain), VB_FORMAT_LIVE);
    for (guint i = 0; i < 9; i++) {
        g_autofree char *target =
            g_strdup_printf("<target dev='%s'/>", interface_of(domain, i)->target);
        g_assert_true(i == 3 || strstr(live, target));
    }

    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    g_assert_cmpuint(fixture->taps.opened, ==, 8);
    g_assert_cmpuint(fixture->taps.closed, ==, 8);
    assert_no_tap(fixture);
    g_assert_null(interface_of(domain, 0)->target);
}

/* A name that was wished for. */
static void test_name(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = vm_xml("named", NULL, NULL,
                                  "<interface type='ethernet'><target dev='mine0'/></interface>"
                                  "<interface type='ethernet'><target dev='mine1'/></interface>");
    VbDomain *domain = vm_running(fixture->vm, xml);

    g_assert_cmpstr(interface_of(domain, 1)->target, ==, "mine1");
    assert_own_taps(domain);
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    g_assert_cmpstr(interface_of(domain, 1)->target, ==, "mine1");
}

static char *read_log(VbDomain *domain)
{
    g_autofree char *path = g_build_filename(vb_domain_run_dir(domain), "qemu.log", NULL);
    g_autoptr(GError) error = NULL;
    char *contents = NULL;

    g_file_get_contents(path, &contents, NULL, &error);
    g_assert_no_error(error);
    return contents;
}

/* Nothing but its log, its monitor and its taps, whatever else is open here; and of the shell, its
 * script. */
static void test_descriptors(Fixture *fixture, gconstpointer data)
{
    vb_autofd int junk = open("/dev/null", O_RDONLY); /* no close-on-exec */
    g_autofree char *emulator = vm_make_emulator(
        fixture->vm, "case \"$*\" in *guest=*) i=0; while [ $i -lt 256 ]; do"
                     " [ -e /proc/$$/fd/$i ] && readlink /proc/$$/fd/$i >&2; i=$((i+1));"
                     " done;; esac\nexec qemu-system-x86_64 \"$@\"");
    g_autofree char *xml = xml_with("few", emulator, 3);
    VbDomain *domain = vm_running(fixture->vm, xml);
    g_autofree char *log = read_log(domain);
    g_autofree char *path = g_build_filename(vb_domain_run_dir(domain), "qemu.log", NULL);
    g_autofree char *expected = g_strdup_printf(
        "^/dev/null\n%s\n%s\nsocket:.*\n(/dev/net/tun\n){3}%s\n$", path, path, emulator);

    if (!g_regex_match_simple(expected, log, 0, 0))
        g_error("not as expected: %s", log);
}

/* ---- the guest on its tap ---------------------------------------------------------------------
 */

/* Frames that the host gets from the tap. */
typedef struct {
    int fd;
    guint source;
    guint8 mac[ETH_ALEN];
    gboolean seen; /* one from that address */
} Listener;

static gboolean on_frame(int fd, GIOCondition condition, gpointer data)
{
    Listener *listener = data;
    guint8 frame[2048];

    while (recv(fd, frame, sizeof frame, MSG_DONTWAIT) >= (ssize_t)sizeof(struct ethhdr))
        if (memcmp(frame + ETH_ALEN, listener->mac, ETH_ALEN) == 0)
            listener->seen = TRUE;
    return G_SOURCE_CONTINUE;
}

static void listen_on(Listener *listener, const VbInterfaceDef *interface)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = g_htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex(interface->target),
    };

    for (guint i = 0; i < ETH_ALEN; i++)
        listener->mac[i] = (guint8)g_ascii_strtoull(interface->mac + 3 * i, NULL, 16);
    listener->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(listener->fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    listener->source = g_unix_fd_add(listener->fd, G_IO_IN, on_frame, listener);
}

static void stop_listening(Listener *listener)
{
    g_source_remove(listener->source);
    close(listener->fd);
}

static void take_result(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

static GError *set_link(VbDomain *domain, guint interface, gboolean up)
{
    g_autoptr(GAsyncResult) result = NULL;
    GError *error = NULL;

    vb_qemu_driver.set_link(NULL, domain, interface, up,
                            g_task_new(NULL, NULL, take_result, &result));
    g_assert_null(result);
    VB_WAIT_FOR(result);
    g_task_propagate_boolean(G_TASK(result), &error);
    return error;
}

/* What the guest would read: the link status in its rtl8139's Basic Mode Status register. */
static gboolean guest_link(VbDomain *domain)
{
    g_autofree char *pci = monitor_text(domain, "info pci");
    g_autoptr(GRegex) bar = g_regex_new("BAR1: 32 bit memory at (0x[0-9a-f]+)", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    if (!g_regex_match(bar, pci, 0, &match))
        g_error("no register in: %s", pci);
    g_autofree char *base = g_match_info_fetch(match, 1);
    g_autofree char *command = g_strdup_printf("xp /1xh 0x%" G_GINT64_MODIFIER "x",
                                               g_ascii_strtoull(base, NULL, 16) + 0x64);
    g_autofree char *value = monitor_text(domain, command);
    return (g_ascii_strtoull(strchr(value, ' '), NULL, 16) & 0x04) != 0;
}

/* QEMU is nobody, and its guest's boot ROM asks for an address through the tap. Then its network
 * goes, and comes back. */
static void test_link(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = vm_xml("link", NULL, NULL,
                                  "<interface type='bridge'><source bridge='br0'/>"
                                  "<model type='rtl8139'/><boot order='1'/></interface>");
    VbDomain *domain = vm_running(fixture->vm, xml);
    Listener listener = {0};

    listen_on(&listener, interface_of(domain, 0));
    VB_WAIT_FOR(listener.seen);
    g_assert_true(guest_link(domain));
    for (guint i = 0; i < 2; i++) {
        g_autoptr(GError) down_error = set_link(domain, 0, FALSE);
        g_assert_no_error(down_error);
        g_assert_false(guest_link(domain));
        g_autoptr(GError) up_error = set_link(domain, 0, TRUE);
        g_assert_no_error(up_error);
        g_assert_true(guest_link(domain));
    }
    g_assert_true(is_running(interface_of(domain, 0)->target));
    stop_listening(&listener);
}

static void test_link_errors(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = xml_with("links", NULL, 1);
    VbDomain *domain = vm_define(fixture->vm, xml);
    g_autoptr(GError) not_running = set_link(domain, 0, FALSE);
    g_assert_error(not_running, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);

    vm_do(domain, VB_DOMAIN_OP_START);
    g_autoptr(GError) no_interface = set_link(domain, 1, FALSE);
    g_assert_error(no_interface, VB_ERROR, VB_ERROR_INVALID_ARGS);
}

/* ---- a network that goes and comes back -------------------------------------------------------
 */

static VbNetwork *define_network(Fixture *fixture, const char *xml)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;
    VbNetworkDef *def = vb_network_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    vb_host_define_network_async(fixture->vm->qemu.host, def, take_result, &result);
    VB_WAIT_FOR(result);
    g_autoptr(VbNetwork) network =
        vb_host_define_network_finish(fixture->vm->qemu.host, result, &error);
    g_assert_no_error(error);
    return network; /* the host has a reference, too */
}

static void operate_network(VbNetwork *network, VbNetworkOp op)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    vb_network_operate_async(network, op, take_result, &result);
    VB_WAIT_FOR(result);
    vb_network_operate_finish(network, result, &error);
    g_assert_no_error(error);
}

/* The second interface's link is down because its owner wants it so, which no network changes. */
static void test_network(Fixture *fixture, gconstpointer data)
{
    static const char network_xml[] =
        "<network><name>lan</name><bridge name='lan0'/><mtu size='9000'/></network>";
    g_autofree char *xml = vm_xml("on-lan", NULL, NULL,
                                  "<interface type='network'><source network='lan'/>"
                                  "<model type='rtl8139'/><boot order='1'/></interface>"
                                  "<interface type='network'><source network='lan'/>"
                                  "<model type='virtio'/><link state='down'/></interface>");
    VbDomain *domain = vm_define(fixture->vm, xml);
    Listener listener = {0};

    g_autoptr(GError) none = fail_start(fixture, domain, 0);
    g_assert_error(none, VB_ERROR, VB_ERROR_NO_NETWORK);
    VbNetwork *network = define_network(fixture, network_xml);
    g_autoptr(GError) inactive = fail_start(fixture, domain, 0);
    g_assert_error(inactive, VB_ERROR, VB_ERROR_NETWORK_NOT_RUNNING);
    operate_network(network, VB_NETWORK_OP_START);
    vm_do(domain, VB_DOMAIN_OP_START);
    g_assert_cmpstr(interface_of(domain, 0)->bridge, ==, "lan0");
    assert_own_taps(domain);
    g_autoptr(JsonNode) mtu =
        vm_monitor(domain, "qom-get",
                   vb_qmp_args(VB_ARG_STRING("path", "/machine/peripheral/net1"),
                               VB_ARG_STRING("property", "host_mtu")));
    g_assert_cmpint(json_node_get_int(mtu), ==, 9000);
    listen_on(&listener, interface_of(domain, 0));
    VB_WAIT_FOR(listener.seen);
    stop_listening(&listener);

    operate_network(network, VB_NETWORK_OP_DESTROY);
    g_assert_false(guest_link(domain));
    vm_assert_state(domain, "running/booted");
    operate_network(network, VB_NETWORK_OP_START);
    g_assert_true(guest_link(domain));
    g_assert_cmpuint(fixture->taps.plugged, ==, 2);
    g_assert_cmpuint(fixture->taps.opened, ==, 2);

    /* Over a restart of the daemon. */
    qemu_host_stop(&fixture->vm->qemu);
    qemu_host_start(&fixture->vm->qemu);
    domain = vb_host_domain_by_name(fixture->vm->qemu.host, "on-lan");
    network = vb_host_network_by_name(fixture->vm->qemu.host, "lan");
    operate_network(network, VB_NETWORK_OP_DESTROY);
    g_assert_false(guest_link(domain));
    operate_network(network, VB_NETWORK_OP_START);
    g_assert_true(guest_link(domain));
}

/* ---- starts that fail -------------------------------------------------------------------------
 */

/* `change`: what the emulator's script does to a start before it is QEMU's. */
static void assert_start_fails(Fixture *fixture, const char *change, const char *devices,
                               const char *word)
{
    g_autofree char *script = g_strdup_printf("case \"$*\" in *guest=*) %s;; esac\n"
                                              "exec qemu-system-x86_64 \"$@\"",
                                              change);
    g_autofree char *emulator = vm_make_emulator(fixture->vm, script);
    g_autofree char *plain = xml_with("fails", emulator, 3);
    g_auto(GStrv) parts = g_strsplit(plain, "</devices>", 2);
    g_autofree char *xml = g_strconcat(parts[0], devices, "</devices>", parts[1], NULL);
    VbDomain *domain = vm_define(fixture->vm, xml);
    g_autoptr(GError) error = fail_start(fixture, domain, 3);

    g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
    if (!strstr(error->message, word))
        g_error("'%s' is not in: %s", word, error->message);
    g_assert_cmpuint(fixture->taps.closed, ==, 3);
}

static void test_ends(Fixture *fixture, gconstpointer data)
{
    assert_start_fails(fixture, "echo no way >&2; exit 3", "", "no way");
}

static void test_setup_refused(Fixture *fixture, gconstpointer data)
{
    assert_start_fails(fixture, "for a; do shift; set -- \"$@\" \"${a%,password=on}\"; done",
                       "<graphics type='vnc' passwd='x'/>", "set_password");
}

/* The last command of a start: there is no machine yet that could go on. */
static void test_run_refused(Fixture *fixture, gconstpointer data)
{
    assert_start_fails(fixture, "set -- \"$@\" -preconfig", "", "refused cont");
}

/* The third of three. */
static void test_open_fails(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = xml_with("taps", NULL, 3);
    VbDomain *domain = vm_define(fixture->vm, xml);

    fixture->taps.fail_at = 3;
    g_autoptr(GError) error = fail_start(fixture, domain, 3);
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "no taps left"));
    g_assert_cmpuint(fixture->taps.closed, ==, 2);

    vm_do(domain, VB_DOMAIN_OP_START);
    assert_own_taps(domain);
}

/* As a session instance is. */
static void test_no_driver(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = xml_with("alone", NULL, 1);
    VbDomain *domain = vm_define(fixture, xml);
    g_autoptr(GError) error = vm_operate(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_NONE);

    g_assert_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    vm_assert_state(domain, "shut-off/failed");
}

/* There is no place for QEMU's sockets: nothing is launched. */
static void test_no_directory(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = xml_with("nowhere", NULL, 2);
    VbDomain *domain = vm_define(fixture->vm, xml);
    const char *uuid = vb_domain_info(domain)->uuid;
    g_autofree char *run_dir = vb_paths_qemu_run(fixture->vm->qemu.paths, uuid);
    g_autofree char *parent = g_path_get_dirname(run_dir);

    g_rmdir(parent);
    g_assert_true(g_file_set_contents(parent, "", 0, NULL));
    g_autoptr(GError) error = fail_start(fixture, domain, 2);
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, parent));
    g_assert_cmpuint(fixture->taps.closed, ==, 2);
}

/* A destroy while a port is being opened. */
static void test_destroyed_opening(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = xml_with("early", NULL, 2);
    VbDomain *domain = vm_define(fixture->vm, xml);

    fixture->taps.hold = TRUE;
    g_autoptr(VmReply) start = vm_begin(domain, VB_DOMAIN_OP_START);
    VB_WAIT_FOR(fixture->taps.held);
    g_autoptr(VmReply) destroy = vm_begin(domain, VB_DOMAIN_OP_DESTROY);
    tap_driver_release(&fixture->taps);
    VB_WAIT_FOR(start->result && destroy->result);
    g_assert_no_error(destroy->error);
    g_assert_error(start->error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
    assert_no_tap(fixture);
    g_assert_cmpuint(fixture->taps.closed, ==, fixture->taps.opened);

    vm_do(domain, VB_DOMAIN_OP_START);
    assert_own_taps(domain);
}

/* … and while QEMU, which has them, does not say a word. */
static void test_destroyed_hung(Fixture *fixture, gconstpointer data)
{
    g_autofree char *emulator =
        vm_make_emulator(fixture->vm, "case \"$*\" in *guest=*) exec tail -f /dev/null;; esac\n"
                                      "exec qemu-system-x86_64 \"$@\"");
    g_autofree char *xml = xml_with("hung", emulator, 2);
    VbDomain *domain = vm_define(fixture->vm, xml);
    g_autoptr(VmReply) start = vm_begin(domain, VB_DOMAIN_OP_START);

    VB_WAIT_FOR(vb_qemu_vm_of(domain) && vb_qemu_vm_of(domain)->process);
    g_assert_true(is_running(interface_of(domain, 1)->target));
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    VB_WAIT_FOR(start->result);
    assert_no_tap(fixture);
    g_assert_cmpuint(fixture->taps.closed, ==, 2);
}

/* ---- ends and restarts ------------------------------------------------------------------------
 */

static void test_killed(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = xml_with("killed", NULL, 2);
    VbDomain *domain = vm_running(fixture->vm, xml);

    kill(vm_pid(domain), SIGKILL);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    assert_no_tap(fixture);
    g_assert_cmpuint(fixture->taps.closed, ==, 2);
}

/* The daemon is killed and comes back: nothing is opened, all is known. */
static void test_restart(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = xml_with("again", NULL, 2);
    VbDomain *domain = vm_running(fixture->vm, xml);
    g_autofree char *target = g_strdup(interface_of(domain, 1)->target);

    qemu_host_stop(&fixture->vm->qemu);
    g_assert_true(is_running(target));
    qemu_host_start(&fixture->vm->qemu);
    domain = vb_host_domain_by_name(fixture->vm->qemu.host, "again");
    g_assert_cmpstr(interface_of(domain, 1)->target, ==, target);
    assert_own_taps(domain);
    g_assert_cmpuint(fixture->taps.opened, ==, 2);
    g_assert_cmpuint(fixture->taps.closed, ==, 0);
    g_autoptr(GError) error = set_link(domain, 1, FALSE);
    g_assert_no_error(error);

    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    assert_no_tap(fixture);
    g_assert_cmpuint(fixture->taps.closed, ==, 2);
}

static void on_child_ended(GPid pid, int status, gpointer data)
{
    *(gboolean *)data = TRUE;
}

/* QEMU ends while no daemon looks. */
static void test_killed_meanwhile(Fixture *fixture, gconstpointer data)
{
    g_autofree char *xml = xml_with("meanwhile", NULL, 2);
    pid_t pid = vm_pid(vm_running(fixture->vm, xml));
    gboolean ended = FALSE;

    qemu_host_stop(&fixture->vm->qemu);
    kill(pid, SIGKILL);
    g_child_watch_add(pid, on_child_ended, &ended);
    VB_WAIT_FOR(ended);
    qemu_host_start(&fixture->vm->qemu);
    VbDomain *domain = vb_host_domain_by_name(fixture->vm->qemu.host, "meanwhile");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    assert_no_tap(fixture);
    g_assert_cmpuint(fixture->taps.closed, ==, 2);
}

static void add(const char *path, void (*test)(Fixture *fixture, gconstpointer data))
{
    g_test_add(path, Fixture, NULL, setup, test, teardown);
}

static void test_skipped(void)
{
    g_test_skip("taps need root, a network namespace and /dev/net/tun");
}

int main(int argc, char **argv)
{
    gboolean possible = vb_enter_net_namespace() && g_access("/dev/net/tun", R_OK | W_OK) == 0;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/network/no-driver", test_no_driver);
    if (!possible) {
        g_test_add_func("/qemu/network/taps", test_skipped);
        return g_test_run();
    }
    add("/qemu/network/eight", test_eight);
    add("/qemu/network/name", test_name);
    add("/qemu/network/descriptors", test_descriptors);
    add("/qemu/network/link", test_link);
    add("/qemu/network/link-errors", test_link_errors);
    add("/qemu/network/network", test_network);
    add("/qemu/network/ends", test_ends);
    add("/qemu/network/setup-refused", test_setup_refused);
    add("/qemu/network/run-refused", test_run_refused);
    add("/qemu/network/open-fails", test_open_fails);
    add("/qemu/network/no-directory", test_no_directory);
    add("/qemu/network/destroyed-opening", test_destroyed_opening);
    add("/qemu/network/destroyed-hung", test_destroyed_hung);
    add("/qemu/network/killed", test_killed);
    add("/qemu/network/restart", test_restart);
    add("/qemu/network/killed-meanwhile", test_killed_meanwhile);
    return g_test_run();
}
