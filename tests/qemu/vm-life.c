/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The life of a domain on a real QEMU: each operation, each way to end, and what a start that fails
 * leaves: nothing. */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "json-get.h"
#include "qmp-args.h"
#include "vm-fixture.h"

static void assert_log(VmFixture *fixture, const char *expected)
{
    g_assert_cmpstr(fixture->log->str, ==, expected);
    g_string_truncate(fixture->log, 0);
}

/* The process is gone, and so is the domain's directory. */
static void assert_nothing_left(VbDomain *domain, pid_t pid)
{
    g_assert_false(vb_domain_is_active(domain));
    g_assert_false(g_file_test(vb_domain_run_dir(domain), G_FILE_TEST_EXISTS));
    if (pid > 0) {
        g_assert_cmpint(kill(pid, 0), ==, -1);
        g_assert_cmpint(errno, ==, ESRCH);
    }
}

static void test_operations(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = vm_xml("life", NULL, NULL, NULL);
    VbDomain *domain = vm_define(fixture, xml);

    /* The emulator and the machine's version are known and stay. */
    g_assert_true(g_path_is_absolute(vb_domain_def(domain)->emulator));
    g_assert_true(g_str_has_prefix(vb_domain_def(domain)->os.machine, "pc-i440fx-"));
    g_string_truncate(fixture->log, 0);

    vm_do(domain, VB_DOMAIN_OP_START);
    assert_log(fixture, "state running/booted\nlifecycle started/booted\n");
    pid_t pid = vm_pid(domain);
    g_assert_cmpint(getsid(pid), ==, pid);

    vm_do(domain, VB_DOMAIN_OP_SUSPEND);
    assert_log(fixture, "state paused/user\nlifecycle suspended/user\n");
    vm_do(domain, VB_DOMAIN_OP_RESUME);
    assert_log(fixture, "state running/unpaused\nlifecycle resumed/unpaused\n");

    vm_do(domain, VB_DOMAIN_OP_RESET);
    VB_WAIT_FOR(strstr(fixture->log->str, "rebooted"));
    vm_assert_state(domain, "running/unpaused");

    /* No guest hears these. */
    vm_do(domain, VB_DOMAIN_OP_SHUTDOWN);
    vm_do(domain, VB_DOMAIN_OP_REBOOT);
    vm_assert_state(domain, "running/unpaused");
    g_assert_null(strstr(fixture->log->str, "state"));
    g_string_truncate(fixture->log, 0);

    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    assert_log(fixture, "state shut-off/destroyed\nlifecycle stopped/destroyed\n");
    assert_nothing_left(domain, pid);

    /* And again: nothing of the first life is in the way. */
    vm_do(domain, VB_DOMAIN_OP_START);
    vm_assert_state(domain, "running/booted");
}

static void test_start_paused(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = vm_xml("paused", NULL, NULL, NULL);
    VbDomain *domain = vm_define(fixture, xml);
    g_autoptr(GError) error = vm_operate(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_PAUSED);

    g_assert_no_error(error);
    vm_assert_state(domain, "paused/user");
    g_autoptr(JsonNode) value = vm_monitor(domain, "query-status", NULL);
    g_assert_cmpstr(vb_json_get_string(vb_json_node_object(value), "status"), ==, "prelaunch");
    vm_do(domain, VB_DOMAIN_OP_RESUME);
    vm_assert_state(domain, "running/unpaused");
}

/* ---- ends that nobody asked for ---------------------------------------------------------------
 */

static void test_killed(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "killed");
    pid_t pid = vm_pid(domain);
    gint64 begin = g_get_monotonic_time();

    kill(pid, SIGKILL);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "crashed/crashed");
    assert_nothing_left(domain, pid);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 5 * G_USEC_PER_SEC);
}

/* Somebody ends QEMU with good manners: that is no crash. */
static void test_terminated(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "terminated");
    pid_t pid = vm_pid(domain);

    kill(pid, SIGTERM);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "shut-off/shutdown");
    assert_nothing_left(domain, pid);
}

/* ---- destroy ----------------------------------------------------------------------------------
 */

static void test_destroy_hung(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "hung");
    pid_t pid = vm_pid(domain);
    gint64 begin = g_get_monotonic_time();

    kill(pid, SIGSTOP);
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    vm_assert_state(domain, "shut-off/destroyed");
    assert_nothing_left(domain, pid);
    /* quit, 5 s, SIGKILL */
    g_assert_cmpint(g_get_monotonic_time() - begin, >=, 4 * G_USEC_PER_SEC);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
}

/* A suspend that QEMU does not answer: destroy takes its place. */
static void test_destroy_preempts(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "preempted");
    pid_t pid = vm_pid(domain);

    kill(pid, SIGSTOP);
    g_autoptr(VmReply) suspend = vm_begin(domain, VB_DOMAIN_OP_SUSPEND);
    g_autoptr(VmReply) destroy = vm_begin(domain, VB_DOMAIN_OP_DESTROY);
    VB_WAIT_FOR(destroy->result && suspend->result);
    g_assert_no_error(destroy->error);
    g_assert_error(suspend->error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
    assert_nothing_left(domain, pid);
}

/* The pid that the emulator wrote there; 0 while it has not. */
static pid_t read_pid(const char *path)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL) || !strchr(text, '\n'))
        return 0;
    return (pid_t)g_ascii_strtoll(text, NULL, 10);
}

/* A start that hangs: an emulator that answers the probe and then says nothing. */
static void test_destroy_hung_start(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *mark = vm_path(fixture, "launched");
    g_assert_cmpint(g_chmod(fixture->qemu.dir, 01777), ==, 0); /* the emulator makes a file */
    g_autofree char *body =
        g_strdup_printf("case \"$*\" in *guest=*) echo $$ > %s; exec tail -f /dev/null;; esac\n"
                        "exec qemu-system-x86_64 \"$@\"",
                        mark);
    g_autofree char *emulator = vm_make_emulator(fixture, body);
    g_autofree char *xml = vm_xml("hung-start", emulator, NULL, NULL);
    VbDomain *domain = vm_define(fixture, xml);
    gint64 begin;

    g_autoptr(VmReply) start = vm_begin(domain, VB_DOMAIN_OP_START);
    g_autoptr(GFile) file = g_file_new_for_path(mark);
    g_autoptr(GFileMonitor) monitor = g_file_monitor_file(file, G_FILE_MONITOR_NONE, NULL, NULL);
    VB_WAIT_FOR(read_pid(mark) > 0);
    g_assert_null(start->result);
    begin = g_get_monotonic_time();
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    VB_WAIT_FOR(start->result);
    g_assert_error(start->error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 4 * G_USEC_PER_SEC);
    assert_nothing_left(domain, read_pid(mark));
}

/* Before anything was launched. */
static void test_destroy_early_start(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = vm_xml("early", NULL, NULL, NULL);
    VbDomain *domain = vm_define(fixture, xml);

    g_autoptr(VmReply) start = vm_begin(domain, VB_DOMAIN_OP_START);
    g_autoptr(VmReply) destroy = vm_begin(domain, VB_DOMAIN_OP_DESTROY);
    VB_WAIT_FOR(start->result && destroy->result);
    g_assert_no_error(destroy->error);
    g_assert_error(start->error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
    assert_nothing_left(domain, 0);
    vm_do(domain, VB_DOMAIN_OP_START);
    vm_assert_state(domain, "running/booted");
}

/* ---- starts that fail -------------------------------------------------------------------------
 */

static void assert_start_fails(VmFixture *fixture, VbDomain *domain, VbError code,
                               const char *const *words)
{
    g_string_truncate(fixture->log, 0);
    g_autoptr(GError) error = vm_operate(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_NONE);

    g_assert_error(error, VB_ERROR, (int)code);
    for (; *words; words++)
        if (!strstr(error->message, *words))
            g_error("'%s' is not in: %s", *words, error->message);
    g_assert_null(strchr(error->message, '\n'));
    assert_nothing_left(domain, 0);
    vm_assert_state(domain, "shut-off/failed");
    /* What never ran is not announced; but the reason of its state is a property. */
    assert_log(fixture, "state shut-off/failed\n");
}

static void test_missing_image(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml =
        vm_xml("missing", NULL, NULL,
               "<disk type='file'><driver name='qemu' type='qcow2'/>"
               "<source file='/nowhere/missing.qcow2'/><target dev='vda'/></disk>");
    const char *const words[] = {"/nowhere/missing.qcow2", NULL};

    assert_start_fails(fixture, vm_define(fixture, xml), VB_ERROR_FAILED, words);
}

static void test_missing_kernel(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = g_strdup(
        "<domain type='qemu'><name>kernel</name><memory unit='MiB'>32</memory>"
        "<os><type machine='pc'>hvm</type><kernel>/nowhere/vmlinuz</kernel></os></domain>");
    const char *const words[] = {"kernel", "/nowhere/vmlinuz", NULL};

    /* Where QEMU is another user, it is found out before. */
    assert_start_fails(fixture, vm_define(fixture, xml),
                       fixture->qemu.user ? VB_ERROR_FAILED : VB_ERROR_HYPERVISOR, words);
}

static void test_bad_option(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *emulator =
        vm_make_emulator(fixture, "case \"$*\" in *guest=*) set -- \"$@\" -no-such-option;; esac\n"
                                  "exec qemu-system-x86_64 \"$@\"");
    g_autofree char *xml = vm_xml("option", emulator, NULL, NULL);
    const char *const words[] = {"-no-such-option", "exit status 1", NULL};

    assert_start_fails(fixture, vm_define(fixture, xml), VB_ERROR_HYPERVISOR, words);
}

/* QEMU ends after it was greeted, in the middle of the start. */
static void test_dies_in_start(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *emulator = vm_make_emulator(
        fixture, "case \"$*\" in *guest=*) echo about to die >&2; kill -9 $$;; esac\n"
                 "exec qemu-system-x86_64 \"$@\"");
    g_autofree char *xml = vm_xml("dies", emulator, NULL, NULL);
    const char *const words[] = {"signal 9", "about to die", NULL};

    assert_start_fails(fixture, vm_define(fixture, xml), VB_ERROR_HYPERVISOR, words);
}

/* The emulator was there when the domain was defined. */
static void test_emulator_gone(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *emulator = vm_make_emulator(fixture, "exec qemu-system-x86_64 \"$@\"");
    g_autofree char *xml = vm_xml("gone", emulator, NULL, NULL);
    VbDomain *domain = vm_define(fixture, xml);
    const char *const words[] = {emulator, NULL};

    g_assert_cmpint(unlink(emulator), ==, 0);
    assert_start_fails(fixture, domain, VB_ERROR_HYPERVISOR, words);
}

/* ---- refused definitions ----------------------------------------------------------------------
 */

static void test_kvm(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autoptr(GError) error = vm_define_error(
        fixture, "<domain type='kvm'><name>fast</name><memory unit='MiB'>32</memory>"
                 "<os><type machine='pc'>hvm</type></os></domain>");

    g_assert_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    g_assert_nonnull(strstr(error->message, "fast"));
    g_assert_cmpuint(strlen(error->message), >, strlen("domain 'fast': "));
}

static void test_no_emulator(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = vm_xml("none", "/nowhere/qemu", NULL, NULL);
    g_autoptr(GError) error = vm_define_error(fixture, xml);

    g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
    g_assert_nonnull(strstr(error->message, "/nowhere/qemu"));
}

/* ---- a directory whose path is too long for a socket's address --------------------------------
 */

static void test_long_root(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *deep = g_strnfill(100, 'd');
    g_autofree char *root = vm_path(fixture, deep);
    g_autofree char *xml = vm_xml("long", NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;

    qemu_host_stop(&fixture->qemu);
    vb_paths_free(fixture->qemu.paths);
    fixture->qemu.paths = vb_paths_new(root, FALSE);
    vb_paths_make(fixture->qemu.paths, &error);
    g_assert_no_error(error);
    qemu_host_start(&fixture->qemu);
    VbDomain *domain = vm_running(fixture, xml);
    pid_t pid = vm_pid(domain);
    vm_assert_state(domain, "running/booted");

    qemu_host_stop(&fixture->qemu);
    qemu_host_start(&fixture->qemu);
    domain = vb_host_domain_by_name(fixture->qemu.host, "long");
    g_assert_cmpint(vm_pid(domain), ==, pid);
    vm_assert_state(domain, "running/booted");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/vm/operations", test_operations);
    g_test_add_func("/qemu/vm/start-paused", test_start_paused);
    g_test_add_func("/qemu/vm/killed", test_killed);
    g_test_add_func("/qemu/vm/terminated", test_terminated);
    g_test_add_func("/qemu/vm/destroy/hung", test_destroy_hung);
    g_test_add_func("/qemu/vm/destroy/preempts", test_destroy_preempts);
    g_test_add_func("/qemu/vm/destroy/hung-start", test_destroy_hung_start);
    g_test_add_func("/qemu/vm/destroy/early-start", test_destroy_early_start);
    g_test_add_func("/qemu/vm/start/missing-image", test_missing_image);
    g_test_add_func("/qemu/vm/start/missing-kernel", test_missing_kernel);
    g_test_add_func("/qemu/vm/start/bad-option", test_bad_option);
    g_test_add_func("/qemu/vm/start/dies", test_dies_in_start);
    g_test_add_func("/qemu/vm/start/emulator-gone", test_emulator_gone);
    g_test_add_func("/qemu/vm/define/kvm", test_kvm);
    g_test_add_func("/qemu/vm/define/no-emulator", test_no_emulator);
    g_test_add_func("/qemu/vm/long-root", test_long_root);
    return g_test_run();
}
