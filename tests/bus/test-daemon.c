/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusd as a program: its command line, its start and its end, and who may do what on a system
 * and on a session instance. */
#include "bus-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

/* two users that every system has: dbus-daemon turns away whom it cannot look up */
#define NOBODY 65534
#define DAEMON 1

typedef struct {
    int status;
    char *out, *err;
} Outcome;

static void outcome_clear(Outcome *outcome)
{
    g_free(outcome->out);
    g_free(outcome->err);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

static void on_communicated(GObject *process, GAsyncResult *result, gpointer data)
{
    Outcome *outcome = data;
    g_autoptr(GError) error = NULL;

    g_subprocess_communicate_utf8_finish(G_SUBPROCESS(process), result, &outcome->out,
                                         &outcome->err, &error);
    g_assert_no_error(error);
    outcome->status = g_subprocess_get_if_exited(G_SUBPROCESS(process))
                          ? g_subprocess_get_exit_status(G_SUBPROCESS(process))
                          : -1;
}

/* Runs a program to its end. */
static Outcome run_program(VbBusFixture *fixture, const char *const *argv)
{
    g_autoptr(GSubprocess) process = vb_bus_fixture_spawn(
        fixture, argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    Outcome outcome = {-2, NULL, NULL};

    g_subprocess_communicate_utf8_async(process, NULL, NULL, on_communicated, &outcome);
    VB_WAIT_FOR(outcome.status != -2);
    return outcome;
}

static Outcome run_daemon(VbBusFixture *fixture, const char *first, const char *second)
{
    const char *argv[] = {vb_bus_fixture_daemon_path(), first, second, NULL};

    return run_program(fixture, argv);
}

static void test_command_line(VbBusFixture *fixture)
{
    static const char *const wrong[][2] = {{"--system", "--session"}, {"--bogus", NULL},
                                           {"extra", NULL},           {"--root=", NULL},
                                           {"--address=", NULL},      {"--root", NULL}};
    g_auto(Outcome) version = run_daemon(fixture, "--version", NULL);

    g_assert_cmpint(version.status, ==, 0);
    g_assert_cmpstr(version.out, ==, "virtbusd " VB_VERSION "\n");
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_auto(Outcome) outcome = run_daemon(fixture, wrong[i][0], wrong[i][1]);

        g_assert_cmpint(outcome.status, ==, 2);
        g_assert_true(g_str_has_prefix(outcome.err, "virtbusd: "));
        g_assert_cmpstr(outcome.out, ==, "");
    }
}

static char *option(const char *name, const char *value)
{
    return g_strdup_printf("--%s=%s", name, value);
}

/* It ends before it touches anything, and says who is there; the first one does not notice. */
static void test_second_instance(VbBusFixture *fixture)
{
    g_autofree char *root = option("root", vb_bus_fixture_root(fixture));
    g_autofree char *address = option("address", vb_bus_fixture_address(fixture));
    g_autofree char *pid = g_strdup_printf("process %d", (int)vb_bus_fixture_daemon_pid(fixture));
    g_autofree char *domain =
        vb_bus_client_start_domain(vb_bus_fixture_client(fixture), "alpha", NULL);
    guint position = vb_bus_client_position(vb_bus_fixture_client(fixture));
    g_auto(Outcome) second = run_daemon(fixture, root, address);

    g_assert_cmpint(second.status, ==, 1);
    g_assert_nonnull(strstr(second.err, pid));
    g_assert_nonnull(strstr(second.err, vb_bus_fixture_root(fixture)));
    vb_bus_client_sync(vb_bus_fixture_client(fixture));
    g_assert_cmpuint(
        vb_bus_client_count(vb_bus_fixture_client(fixture), position, NULL, NULL, NULL), ==, 0);
}

/* Another one with directories of its own does not get the name, and does not queue for it. */
static void test_name_taken(VbBusFixture *fixture)
{
    g_autofree char *dir = g_build_filename(vb_bus_fixture_dir(fixture), "other", NULL);
    g_autofree char *root = option("root", dir);
    g_autofree char *address = option("address", vb_bus_fixture_address(fixture));
    g_auto(Outcome) second = run_daemon(fixture, root, address);

    g_assert_cmpint(second.status, ==, 1);
    g_assert_nonnull(strstr(second.err, VB_BUS_NAME));
}

static void test_no_bus(VbBusFixture *fixture)
{
    g_autofree char *root = option("root", vb_bus_fixture_root(fixture));
    g_autofree char *address =
        g_strdup_printf("--address=unix:path=%s/none", vb_bus_fixture_dir(fixture));
    g_auto(Outcome) outcome = run_daemon(fixture, root, address);

    g_assert_cmpint(outcome.status, ==, 1);
    g_assert_true(g_str_has_prefix(outcome.err, "virtbusd: "));
}

/* What is not understood ends it before it touches anything; the file, the line and the key are
 * named. */
static void test_configuration(VbBusFixture *fixture)
{
    static const struct {
        const char *text, *mode, *wanted;
    } cases[] = {
        {"[storage]\nimage-directory=/a\n", "--system",
         "virtbusd.conf, line 2: [storage] has no key 'image-directory'"},
        {"# x\n[qemu]\nuser=a b\n", "--system", "virtbusd.conf, line 3: key 'user': 'a b'"},
        {"[qemu]\nuser=somebody\n", "--session", "line 2: key 'user' has no meaning"},
    };
    g_autofree char *address = option("address", vb_bus_fixture_address(fixture));
    g_autofree char *dir = g_build_filename(vb_bus_fixture_root(fixture), "etc", "virtbus", NULL);
    g_autofree char *path = g_build_filename(dir, "virtbusd.conf", NULL);
    g_autofree char *root = option("root", vb_bus_fixture_root(fixture));

    g_assert_cmpint(g_mkdir_with_parents(dir, 0700), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *argv[] = {vb_bus_fixture_daemon_path(), cases[i].mode, address, root, NULL};
        g_autoptr(GError) error = NULL;

        g_file_set_contents(path, cases[i].text, -1, &error);
        g_assert_no_error(error);
        g_auto(Outcome) outcome = run_program(fixture, argv);
        g_assert_cmpint(outcome.status, ==, 1);
        g_assert_nonnull(strstr(outcome.err, path));
        g_assert_nonnull(strstr(outcome.err, cases[i].wanted));
    }
    {
        g_autoptr(GDir) made = g_dir_open(vb_bus_fixture_root(fixture), 0, NULL);

        g_assert_cmpstr(g_dir_read_name(made), ==, "etc");
        g_assert_null(g_dir_read_name(made));
    }
    /* One that is understood is no obstacle. */
    g_assert_true(g_file_set_contents(path, "[storage]\nimage-directories=/a;/b\n", -1, NULL));
    vb_bus_fixture_start_daemon(fixture);
    vb_bus_fixture_stop_daemon(fixture);
}

/* Every path lies below --root, and only root can look inside. */
static void test_root(VbBusFixture *fixture)
{
    static const char *const dirs[] = {"var/lib/virtbus", "run/virtbus", "var/cache/virtbus"};
    g_autofree char *domain =
        vb_bus_client_start_domain(vb_bus_fixture_client(fixture), "alpha", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(dirs); i++) {
        g_autofree char *path = g_build_filename(vb_bus_fixture_root(fixture), dirs[i], NULL);
        struct stat st;

        g_assert_cmpint(stat(path, &st), ==, 0);
        g_assert_true(S_ISDIR(st.st_mode));
        g_assert_cmpuint(st.st_mode & 022, ==, 0);
    }
}

static void test_signals(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    g_autofree char *state = NULL;

    g_assert_cmpint(kill(vb_bus_fixture_daemon_pid(fixture), SIGHUP), ==, 0);
    vb_bus_client_sync(client);
    g_assert_cmpint(kill(vb_bus_fixture_daemon_pid(fixture), SIGINT), ==, 0);
    g_assert_cmpint(vb_bus_fixture_await_daemon_exit(fixture), ==, 0);
    /* The guest has not noticed. */
    vb_bus_fixture_start_daemon(fixture);
    state = vb_bus_client_get_string(client, domain, VB_IFACE_DOMAIN, "State");
    g_assert_cmpstr(state, ==, "running");
}

/* SIGTERM answers whoever still waits, with an error, and ends at once. */
static void test_stop_with_callers(VbBusFixture *fixture)
{
    static const char faults[] =
        "<test:faults xmlns:test='https://virtbus.org/xmlns/test/1'>"
        "<test:operation name='suspend' result='hang'/>"
        "<test:block-job><test:cancel result='never'/></test:block-job></test:faults>";
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", faults);
    g_autoptr(GVariant) job = vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Pull",
                                                 g_variant_new_parsed("('vda', @a{sv} {})"));
    guint32 suspend = vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Suspend",
                                         g_variant_new_parsed("(@a{sv} {},)"));
    guint32 cancel = vb_bus_client_send(client, domain, VB_IFACE_BLOCK, "AbortJob",
                                        g_variant_new_parsed("('vda', @a{sv} {})"));
    g_autofree char *suspend_error = NULL, *cancel_error = NULL;

    vb_bus_client_sync(client);
    g_assert_null(vb_bus_client_reply(client, suspend));
    g_assert_null(vb_bus_client_reply(client, cancel));
    vb_bus_fixture_stop_daemon(fixture);
    suspend_error = vb_bus_client_finish_error(client, suspend, "Failed");
    cancel_error = vb_bus_client_finish_error(client, cancel, "Failed");
}

static void test_bus_lost(VbBusFixture *fixture)
{
    vb_bus_fixture_kill_bus(fixture);
    g_assert_cmpint(vb_bus_fixture_await_daemon_exit(fixture), ==, 1);
}

/* ---- who may ----------------------------------------------------------------------------------
 */

static Outcome busctl_as(VbBusFixture *fixture, const char *uid, const char *const *call)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *user = option("reuid", uid);
    g_autofree char *address = option("address", vb_bus_fixture_address(fixture));

    g_ptr_array_add(argv, "setpriv");
    g_ptr_array_add(argv, user);
    g_ptr_array_add(argv, "--clear-groups");
    g_ptr_array_add(argv, "busctl");
    g_ptr_array_add(argv, address);
    g_ptr_array_add(argv, "call");
    g_ptr_array_add(argv, VB_BUS_NAME);
    for (; *call != NULL; call++)
        g_ptr_array_add(argv, (char *)*call);
    g_ptr_array_add(argv, NULL);
    return run_program(fixture, (const char *const *)argv->pdata);
}

/* Defines a domain as that user. */
static Outcome define_as(VbBusFixture *fixture, const char *uid, const char *name)
{
    g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);
    const char *const call[] = {
        VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain", "sa{sv}", xml, "0", NULL};

    return busctl_as(fixture, uid, call);
}

/* The system's rules: root may, others may look. */
static void test_system_rules(VbBusFixture *fixture)
{
    static const char *const list[] = {
        VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListDomains", "a{sv}", "0", NULL};

    if (getuid() != 0) {
        g_test_skip("needs root, to be somebody else");
        return;
    }
    g_assert_cmpint(chmod(vb_bus_fixture_dir(fixture), 0711), ==, 0);
    {
        g_auto(Outcome) other = define_as(fixture, G_STRINGIFY(NOBODY), "alpha");
        g_auto(Outcome) look = busctl_as(fixture, G_STRINGIFY(NOBODY), list);
        g_auto(Outcome) root = define_as(fixture, "0", "alpha");

        g_assert_cmpint(other.status, !=, 0);
        g_assert_nonnull(strstr(other.err, "Access denied"));
        g_assert_cmpint(look.status, ==, 0);
        g_assert_cmpint(root.status, ==, 0);
    }
}

/* Whatever a system bus denies, the policy that we install allows what is needed, and no more. */
static void test_bus_policy(void)
{
    static const char *const list[] = {
        VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListDomains", "a{sv}", "0", NULL};
    g_autoptr(VbBusFixture) fixture = NULL;
    g_autofree char *address = NULL;

    if (getuid() != 0) {
        g_test_skip("needs root, to own the name");
        return;
    }
    fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_SYSTEM_POLICY);
    address = option("address", vb_bus_fixture_address(fixture));
    g_assert_cmpint(chmod(vb_bus_fixture_dir(fixture), 0711), ==, 0);
    {
        const char *const own[] = {"setpriv",
                                   "--reuid=" G_STRINGIFY(NOBODY),
                                   "--clear-groups",
                                   "busctl",
                                   address,
                                   "call",
                                   "org.freedesktop.DBus",
                                   "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus",
                                   "RequestName",
                                   "su",
                                   VB_BUS_NAME,
                                   "0",
                                   NULL};
        g_auto(Outcome) look = busctl_as(fixture, G_STRINGIFY(NOBODY), list);
        g_auto(Outcome) steal = run_program(fixture, own);

        g_assert_cmpint(look.status, ==, 0);
        g_assert_cmpint(steal.status, !=, 0);
    }
}

/* Who may control jobs may still not dismiss those of others, unless it is root. */
static void check_dismiss(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture); /* is root */
    g_autofree char *domain = vb_bus_client_start_domain(client, "delta", NULL);
    g_autoptr(GVariant) reply = vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Pull",
                                                   g_variant_new_parsed("('vda', @a{sv} {})"));
    const char *job;

    g_variant_get(reply, "(&o)", &job);
    {
        const char *const cancel[] = {job, VB_IFACE_JOB, "Cancel", "a{sv}", "0", NULL};
        const char *const dismiss[] = {job, VB_IFACE_JOB, "Dismiss", "a{sv}", "0", NULL};
        g_auto(Outcome) canceled = busctl_as(fixture, G_STRINGIFY(NOBODY), cancel);
        g_auto(Outcome) dismissed = busctl_as(fixture, G_STRINGIFY(NOBODY), dismiss);

        g_assert_cmpint(canceled.status, ==, 0);
        g_assert_nonnull(strstr(dismissed.err, "Access denied"));
    }
    vb_bus_client_do(client, job, VB_IFACE_JOB, "Dismiss");
}

/* The daemon runs as a user of its own: the owner may on a session instance, and is nobody on a
 * system instance. */
static void check_as_owner(VbBusFixture *fixture, const char *program, const char *mode,
                           gboolean allowed)
{
    g_autofree char *dir = g_build_filename(vb_bus_fixture_dir(fixture), mode, NULL);
    g_autofree char *root = option("root", dir);
    g_autofree char *address = option("address", vb_bus_fixture_address(fixture));
    const char *argv[] = {
        "setpriv", "--reuid=" G_STRINGIFY(NOBODY), "--clear-groups", program, mode, address, root,
        NULL};
    g_autoptr(GSubprocess) daemon = NULL;

    g_mkdir(dir, 0700);
    g_assert_cmpint(chown(dir, NOBODY, (gid_t)-1), ==, 0);
    daemon = vb_bus_fixture_spawn(fixture, argv, G_SUBPROCESS_FLAGS_NONE);
    VB_WAIT_FOR(vb_bus_fixture_name_is_owned(fixture));
    {
        g_auto(Outcome) owner = define_as(fixture, G_STRINGIFY(NOBODY), "alpha");
        g_auto(Outcome) stranger = define_as(fixture, G_STRINGIFY(DAEMON), "beta");
        g_auto(Outcome) super = define_as(fixture, "0", "gamma");

        g_assert_cmpint(owner.status == 0, ==, allowed);
        g_assert_cmpint(allowed, ==, strstr(owner.err, "Access denied") == NULL);
        g_assert_nonnull(strstr(stranger.err, "Access denied"));
        g_assert_cmpint(super.status, ==, 0);
    }
    if (allowed)
        check_dismiss(fixture);
    g_subprocess_send_signal(daemon, SIGTERM);
    g_assert_cmpint(vb_bus_fixture_wait_exit(fixture, daemon), ==, 0);
    VB_WAIT_FOR(!vb_bus_fixture_name_is_owned(fixture));
}

static void test_session_rules(void)
{
    g_autoptr(VbBusFixture) fixture = NULL;
    g_autofree char *copy = NULL;
    g_autofree char *program = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;

    if (getuid() != 0) {
        g_test_skip("needs root, to be somebody else");
        return;
    }
    fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NO_DAEMON);
    g_assert_cmpint(chmod(vb_bus_fixture_dir(fixture), 0711), ==, 0);
    /* where it was built, another user may not get in */
    copy = g_build_filename(vb_bus_fixture_dir(fixture), "virtbusd", NULL);
    g_file_get_contents(vb_bus_fixture_daemon_path(), &program, &length, &error);
    g_assert_no_error(error);
    g_file_set_contents_full(copy, program, length, G_FILE_SET_CONTENTS_NONE, 0755, &error);
    g_assert_no_error(error);
    g_assert_cmpint(chmod(copy, 0755), ==, 0);
    check_as_owner(fixture, copy, "--session", TRUE);
    check_as_owner(fixture, copy, "--system", FALSE);
}

static void run(gconstpointer test)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);

    ((void (*)(VbBusFixture *))test)(fixture);
}

static void run_without(gconstpointer test)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NO_DAEMON);

    ((void (*)(VbBusFixture *))test)(fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/daemon/command-line", test_command_line, run_without);
    g_test_add_data_func("/daemon/second-instance", test_second_instance, run);
    g_test_add_data_func("/daemon/name-taken", test_name_taken, run);
    g_test_add_data_func("/daemon/no-bus", test_no_bus, run_without);
    g_test_add_data_func("/daemon/configuration", test_configuration, run_without);
    g_test_add_data_func("/daemon/root", test_root, run);
    g_test_add_data_func("/daemon/signals", test_signals, run);
    g_test_add_data_func("/daemon/stop-with-callers", test_stop_with_callers, run);
    g_test_add_data_func("/daemon/bus-lost", test_bus_lost, run);
    g_test_add_data_func("/daemon/system-rules", test_system_rules, run);
    g_test_add_func("/daemon/bus-policy", test_bus_policy);
    g_test_add_func("/daemon/session-rules", test_session_rules);
    return g_test_run();
}
