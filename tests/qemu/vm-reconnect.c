/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A daemon that is restarted finds its guests again, whatever happened to them in between. */
#include <signal.h>
#include <string.h>

#include "error.h"
#include "vm-fixture.h"

static VbDomain *find(VmFixture *fixture, const char *name)
{
    VbDomain *domain = vb_host_domain_by_name(fixture->qemu.host, name);

    g_assert_nonnull(domain);
    return domain;
}

static VbDomain *restart(VmFixture *fixture, const char *name)
{
    qemu_host_stop(&fixture->qemu);
    g_string_truncate(fixture->log, 0);
    qemu_host_start(&fixture->qemu);
    return find(fixture, name);
}

static char *record_path(const VbDomain *domain)
{
    return g_build_filename(vb_domain_run_dir(domain), "domain.record", NULL);
}

/* The record that the next life will find, to be changed. */
static GKeyFile *stop_and_load(VmFixture *fixture, const char *path)
{
    GKeyFile *record = g_key_file_new();
    g_autoptr(GError) error = NULL;

    qemu_host_stop(&fixture->qemu);
    g_key_file_load_from_file(record, path, G_KEY_FILE_NONE, &error);
    g_assert_no_error(error);
    return record;
}

static void save(GKeyFile *record, const char *path)
{
    g_autoptr(GError) error = NULL;

    g_key_file_save_to_file(record, path, &error);
    g_assert_no_error(error);
}

static void test_running(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = vm_xml("again", NULL, NULL, "<serial type='pty'/>");
    VbDomain *domain = vm_running(fixture, xml);
    pid_t pid = vm_pid(domain);
    guint id = vb_domain_info(domain)->id;
    g_autofree char *before = vb_domain_def_format(vb_domain_def(domain), VB_FORMAT_LIVE);

    domain = restart(fixture, "again");
    g_autofree char *after = vb_domain_def_format(vb_domain_def(domain), VB_FORMAT_LIVE);
    g_assert_cmpint(vm_pid(domain), ==, pid);
    g_assert_cmpuint(vb_domain_info(domain)->id, ==, id);
    g_assert_cmpstr(after, ==, before);
    vm_assert_state(domain, "running/booted");
    g_assert_cmpstr(fixture->log->str, ==, "");

    /* Its monitor and its process are ours again. */
    vm_do(domain, VB_DOMAIN_OP_SUSPEND);
    vm_assert_state(domain, "paused/user");
    domain = restart(fixture, "again");
    vm_assert_state(domain, "paused/user");
    vm_do(domain, VB_DOMAIN_OP_RESUME);
    kill(pid, SIGKILL);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "crashed/crashed");
}

/* Several at once. */
static void test_several(void)
{
    static const char *const names[] = {"one", "two", "three"};
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    pid_t pids[G_N_ELEMENTS(names)];

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *xml = vm_xml(names[i], NULL, NULL, NULL);
        pids[i] = vm_pid(vm_running(fixture, xml));
    }
    qemu_host_stop(&fixture->qemu);
    qemu_host_start(&fixture->qemu);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_cmpint(vm_pid(find(fixture, names[i])), ==, pids[i]);
        vm_assert_state(find(fixture, names[i]), "running/booted");
    }
}

/* What changed meanwhile is seen, though no event tells of it. */
static void test_killed(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "killed");
    pid_t pid = vm_pid(domain);

    qemu_host_stop(&fixture->qemu);
    kill(pid, SIGKILL);
    qemu_host_start(&fixture->qemu);
    domain = find(fixture, "killed");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "crashed/crashed");
    g_assert_false(g_file_test(vb_domain_run_dir(domain), G_FILE_TEST_EXISTS));
    vm_do(domain, VB_DOMAIN_OP_START);
    vm_assert_state(domain, "running/booted");
}

static void on_child_ended(GPid pid, int status, gpointer data)
{
    *(gboolean *)data = TRUE;
}

/* The daemon was killed between the launch and the note of its pid: nobody answered that start. */
static void test_stray(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "stray");
    pid_t pid = vm_pid(domain);
    g_autofree char *path = record_path(domain);
    g_autoptr(GKeyFile) record = stop_and_load(fixture, path);
    gboolean ended = FALSE;

    g_assert_true(g_key_file_remove_group(record, "qemu", NULL));
    g_key_file_set_boolean(record, "domain", "started", FALSE);
    save(record, path);
    qemu_host_start(&fixture->qemu);
    domain = find(fixture, "stray");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    g_child_watch_add(pid, on_child_ended, &ended);
    VB_WAIT_FOR(ended);
    vm_do(domain, VB_DOMAIN_OP_START);
    vm_assert_state(domain, "running/booted");
}

/* A pid that is another process's by now is not ours to kill. */
static void test_other_process(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "reused");
    pid_t pid = vm_pid(domain);
    g_autofree char *path = record_path(domain);
    g_autoptr(GError) error = NULL;
    const char *argv[] = {"tail", "-f", "/dev/null", NULL};
    g_autoptr(GSubprocess) other = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_NONE, &error);
    g_assert_no_error(error);

    g_autoptr(GKeyFile) record = stop_and_load(fixture, path);
    g_key_file_set_int64(record, "qemu", "pid",
                         g_ascii_strtoll(g_subprocess_get_identifier(other), NULL, 10));
    save(record, path);
    qemu_host_start(&fixture->qemu);
    domain = find(fixture, "reused");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "crashed/crashed");
    g_assert_nonnull(g_subprocess_get_identifier(other));
    g_subprocess_force_exit(other);
    g_subprocess_wait(other, NULL, NULL);
    kill(pid, SIGKILL);
}

/* A QEMU that does not answer keeps nothing waiting; when it does, all is well. */
static void test_hung(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "hung");
    pid_t pid = vm_pid(domain);

    qemu_host_stop(&fixture->qemu);
    kill(pid, SIGSTOP);
    qemu_host_start(&fixture->qemu);
    domain = find(fixture, "hung");
    g_assert_true(vb_domain_is_active(domain));
    g_assert_false(vb_domain_info(domain)->responsive);
    g_autoptr(GError) error = vm_operate(domain, VB_DOMAIN_OP_SUSPEND, VB_DOMAIN_OP_FLAG_NONE);
    g_assert_error(error, VB_ERROR, VB_ERROR_TIMEOUT);

    kill(pid, SIGCONT);
    VB_WAIT_FOR(vb_domain_info(domain)->responsive);
    vm_do(domain, VB_DOMAIN_OP_SUSPEND);
    vm_assert_state(domain, "paused/user");
}

static void test_hung_destroyed(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "hung");
    pid_t pid = vm_pid(domain);
    gint64 begin;

    qemu_host_stop(&fixture->qemu);
    kill(pid, SIGSTOP);
    qemu_host_start(&fixture->qemu);
    domain = find(fixture, "hung");
    begin = g_get_monotonic_time();
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    vm_assert_state(domain, "shut-off/destroyed");
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
    g_assert_cmpint(kill(pid, 0), ==, -1);
}

/* The daemon dies in the middle of a destroy: the next one ends it. */
static void test_half_destroyed(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "half");
    pid_t pid = vm_pid(domain);

    kill(pid, SIGSTOP);
    g_autofree char *path = record_path(domain);
    /* As it was written before quit was sent. */
    g_autoptr(GKeyFile) record = stop_and_load(fixture, path);
    g_key_file_set_boolean(record, "domain", "stopping", TRUE);
    g_key_file_set_string(record, "qemu", "end-reason", "destroyed");
    save(record, path);
    kill(pid, SIGCONT);
    qemu_host_start(&fixture->qemu);
    domain = find(fixture, "half");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "shut-off/destroyed");
    g_assert_cmpint(kill(pid, 0), ==, -1);
}

/* … or in the middle of a start: nobody would ever finish it. */
static void test_half_started(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "half");
    pid_t pid = vm_pid(domain);
    g_autofree char *path = record_path(domain);
    g_autoptr(GKeyFile) record = stop_and_load(fixture, path);

    g_key_file_set_boolean(record, "qemu", "starting", TRUE);
    save(record, path);
    qemu_host_start(&fixture->qemu);
    domain = find(fixture, "half");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "shut-off/failed");
    g_assert_cmpint(kill(pid, 0), ==, -1);
    vm_do(domain, VB_DOMAIN_OP_START);
    vm_assert_state(domain, "running/booted");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/reconnect/running", test_running);
    g_test_add_func("/qemu/reconnect/several", test_several);
    g_test_add_func("/qemu/reconnect/killed", test_killed);
    g_test_add_func("/qemu/reconnect/stray", test_stray);
    g_test_add_func("/qemu/reconnect/other-process", test_other_process);
    g_test_add_func("/qemu/reconnect/hung", test_hung);
    g_test_add_func("/qemu/reconnect/hung-destroyed", test_hung_destroyed);
    g_test_add_func("/qemu/reconnect/half-destroyed", test_half_destroyed);
    g_test_add_func("/qemu/reconnect/half-started", test_half_started);
    return g_test_run();
}
