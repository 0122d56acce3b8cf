/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The private bus and the daemon: processes, their ends, and the directory. */
#include "bus-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>

#include "remove-tree.h"

struct VbBusFixture {
    VbBusFixtureFlags flags;
    char *dir, *root, *address;
    GSubprocess *bus;
    VbBusClient *client;
    guint name_watch;
    char *owner; /* of VB_BUS_NAME; NULL: nobody */

    GSubprocess *daemon; /* NULL: not running */
    GPid daemon_pid;
    gboolean end_expected;
    int exit_status; /* of the last one that ended; -1: a signal */
};

/* The limits are the system bus's, spelled out. */
static const char bus_config[] =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
    " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
    "<busconfig>\n"
    "  <listen>unix:path=%s/bus</listen>\n"
    "  <auth>EXTERNAL</auth>\n"
    "%s"
    "  <limit name=\"max_incoming_bytes\">133169152</limit>\n"
    "  <limit name=\"max_outgoing_bytes\">133169152</limit>\n"
    "  <limit name=\"max_message_size\">33554432</limit>\n"
    "  <limit name=\"max_replies_per_connection\">128</limit>\n"
    "  <limit name=\"max_match_rules_per_connection\">512</limit>\n"
    "  <limit name=\"max_connections_per_user\">256</limit>\n"
    "</busconfig>\n";

static const char open_policy[] = "  <policy context=\"default\">\n"
                                  "    <allow user=\"*\"/>\n"
                                  "    <allow own=\"*\"/>\n"
                                  "    <allow send_destination=\"*\" eavesdrop=\"true\"/>\n"
                                  "    <allow eavesdrop=\"true\"/>\n"
                                  "  </policy>\n";

/* What a system bus allows everybody, and what we and polkit install there. */
static const char system_policy[] =
    "  <policy context=\"default\">\n"
    "    <allow user=\"*\"/>\n"
    "    <deny own=\"*\"/>\n"
    "    <deny send_type=\"method_call\"/>\n"
    "    <allow send_type=\"signal\"/>\n"
    "    <allow send_requested_reply=\"true\" send_type=\"method_return\"/>\n"
    "    <allow send_requested_reply=\"true\" send_type=\"error\"/>\n"
    "    <allow receive_type=\"method_call\"/>\n"
    "    <allow receive_type=\"method_return\"/>\n"
    "    <allow receive_type=\"error\"/>\n"
    "    <allow receive_type=\"signal\"/>\n"
    "    <allow send_destination=\"org.freedesktop.DBus\"/>\n"
    "  </policy>\n"
    "  <include>" VB_TEST_BUS_POLICY "</include>\n"
    "  <include ignore_missing=\"yes\">/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf"
    "</include>\n";

/* ---- processes --------------------------------------------------------------------------------
 */

static void die_with_parent(gpointer data)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* `environment`: "NAME=value" beside what we have ourselves; NULL: nothing. */
static GSubprocess *spawn(const char *const *argv, GSubprocessFlags flags,
                          const char *const *environment)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(flags);
    g_autoptr(GError) error = NULL;
    GSubprocess *process;

    for (; environment != NULL && *environment != NULL; environment++) {
        g_auto(GStrv) pair = g_strsplit(*environment, "=", 2);

        g_subprocess_launcher_setenv(launcher, pair[0], pair[1], TRUE);
    }
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    process = g_subprocess_launcher_spawnv(launcher, argv, &error);
    g_assert_no_error(error);
    return process;
}

GSubprocess *vb_bus_fixture_spawn(VbBusFixture *fixture, const char *const *argv,
                                  GSubprocessFlags flags)
{
    return spawn(argv, flags, NULL);
}

static void note_exit(GObject *process, GAsyncResult *result, gpointer done)
{
    g_subprocess_wait_finish(G_SUBPROCESS(process), result, NULL);
    *(gboolean *)done = TRUE;
}

static int exit_status(GSubprocess *process)
{
    return g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process) : -1;
}

int vb_bus_fixture_wait_exit(VbBusFixture *fixture, GSubprocess *process)
{
    gboolean done = FALSE;

    g_subprocess_wait_async(process, NULL, note_exit, &done);
    VB_WAIT_FOR(done);
    return exit_status(process);
}

const char *vb_bus_fixture_daemon_path(void)
{
    return VB_TEST_DAEMON;
}

static void on_daemon_exit(GObject *process, GAsyncResult *result, gpointer data)
{
    VbBusFixture *fixture = data;

    g_subprocess_wait_finish(G_SUBPROCESS(process), result, NULL);
    fixture->exit_status = exit_status(fixture->daemon);
    if (!fixture->end_expected)
        g_error("virtbusd ended unexpectedly: exit status %d", fixture->exit_status);
    g_clear_object(&fixture->daemon);
    fixture->daemon_pid = 0;
}

/* QEMU and dnsmasq run as a user that each system has, unless the test has said otherwise. */
static void write_config(VbBusFixture *fixture)
{
    g_autofree char *dir = g_build_filename(fixture->root, "etc", "virtbus", NULL);
    g_autofree char *path = g_build_filename(dir, "virtbusd.conf", NULL);
    g_autoptr(GError) error = NULL;

    if ((fixture->flags & VB_BUS_FIXTURE_SESSION) || geteuid() != 0 ||
        g_file_test(path, G_FILE_TEST_EXISTS))
        return;
    g_assert_cmpint(g_mkdir_with_parents(dir, 0711), ==, 0);
    g_file_set_contents(path, "[qemu]\nuser=nobody\n[network]\nuser=nobody\n", -1, &error);
    g_assert_no_error(error);
}

static void launch_daemon(VbBusFixture *fixture, const char *const *environment)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *address = g_strdup_printf("--address=%s", fixture->address);
    g_autofree char *root = g_strdup_printf("--root=%s", fixture->root);

    g_assert_null(fixture->daemon);
    write_config(fixture);
    g_ptr_array_add(argv, (char *)vb_bus_fixture_daemon_path());
    g_ptr_array_add(argv, address);
    g_ptr_array_add(argv, root);
    if (fixture->flags & VB_BUS_FIXTURE_SESSION)
        g_ptr_array_add(argv, "--session");
    if (fixture->flags & VB_BUS_FIXTURE_DEBUG)
        g_ptr_array_add(argv, "--debug");
    g_ptr_array_add(argv, NULL);

    fixture->daemon = spawn((const char *const *)argv->pdata, G_SUBPROCESS_FLAGS_NONE, environment);
    fixture->daemon_pid = atoi(g_subprocess_get_identifier(fixture->daemon));
    g_subprocess_wait_async(fixture->daemon, NULL, on_daemon_exit, fixture);
}

void vb_bus_fixture_start_daemon(VbBusFixture *fixture)
{
    fixture->end_expected = FALSE;
    launch_daemon(fixture, NULL);
    VB_WAIT_FOR(fixture->owner != NULL);
}

void vb_bus_fixture_start_doomed_daemon(VbBusFixture *fixture, const char *const *environment)
{
    fixture->end_expected = TRUE;
    launch_daemon(fixture, environment);
    VB_WAIT_FOR(fixture->owner != NULL || fixture->daemon == NULL);
}

int vb_bus_fixture_await_daemon_exit(VbBusFixture *fixture)
{
    fixture->end_expected = TRUE;
    VB_WAIT_FOR(fixture->daemon == NULL);
    VB_WAIT_FOR(fixture->owner == NULL);
    return fixture->exit_status;
}

void vb_bus_fixture_stop_daemon(VbBusFixture *fixture)
{
    g_assert_nonnull(fixture->daemon);
    g_subprocess_send_signal(fixture->daemon, SIGTERM);
    g_assert_cmpint(vb_bus_fixture_await_daemon_exit(fixture), ==, 0);
}

void vb_bus_fixture_kill_daemon(VbBusFixture *fixture)
{
    g_assert_nonnull(fixture->daemon);
    g_subprocess_force_exit(fixture->daemon);
    g_assert_cmpint(vb_bus_fixture_await_daemon_exit(fixture), ==, -1);
}

/* ---- the fixture ------------------------------------------------------------------------------
 */

static void on_name_appeared(GDBusConnection *connection, const char *name, const char *owner,
                             gpointer data)
{
    VbBusFixture *fixture = data;

    g_free(fixture->owner);
    fixture->owner = g_strdup(owner);
}

static void on_name_vanished(GDBusConnection *connection, const char *name, gpointer data)
{
    VbBusFixture *fixture = data;

    g_clear_pointer(&fixture->owner, g_free);
}

static void on_address_read(GObject *stream, GAsyncResult *result, gpointer ret_address)
{
    g_autoptr(GError) error = NULL;

    *(char **)ret_address =
        g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(stream), result, NULL, &error);
    g_assert_no_error(error);
}

static void start_bus(VbBusFixture *fixture)
{
    g_autofree char *config = g_build_filename(fixture->dir, "bus.conf", NULL);
    g_autofree char *option = g_strdup_printf("--config-file=%s", config);
    const char *const argv[] = {"dbus-daemon", option, "--nofork", "--print-address=1", NULL};
    const char *policy =
        fixture->flags & VB_BUS_FIXTURE_SYSTEM_POLICY ? system_policy : open_policy;
    g_autofree char *text = g_strdup_printf(bus_config, fixture->dir, policy);
    g_autoptr(GDataInputStream) stream = NULL;
    g_autoptr(GError) error = NULL;

    g_file_set_contents(config, text, -1, &error);
    g_assert_no_error(error);
    fixture->bus = vb_bus_fixture_spawn(
        fixture, argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    stream = g_data_input_stream_new(g_subprocess_get_stdout_pipe(fixture->bus));
    g_data_input_stream_read_line_async(stream, G_PRIORITY_DEFAULT, NULL, on_address_read,
                                        &fixture->address);
    VB_WAIT_FOR(fixture->address != NULL);
}

VbBusFixture *vb_bus_fixture_new(VbBusFixtureFlags flags)
{
    VbBusFixture *fixture = g_new0(VbBusFixture, 1);
    g_autoptr(GError) error = NULL;

    fixture->flags = flags;
    /* short: sockets of domains lie below it, and their paths end at 107 bytes */
    fixture->dir = g_dir_make_tmp("vbt-XXXXXX", &error);
    g_assert_no_error(error);
    /* QEMU is another user, and has to get to what it is given. */
    g_assert_cmpint(g_chmod(fixture->dir, 0711), ==, 0);
    fixture->root = g_build_filename(fixture->dir, "r", NULL);
    start_bus(fixture);
    fixture->client = vb_bus_client_new(fixture);
    fixture->name_watch = g_bus_watch_name_on_connection(
        vb_bus_client_connection(fixture->client), VB_BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
        on_name_appeared, on_name_vanished, fixture, NULL);
    if (!(flags & VB_BUS_FIXTURE_NO_DAEMON))
        vb_bus_fixture_start_daemon(fixture);
    return fixture;
}

void vb_bus_fixture_kill_bus(VbBusFixture *fixture)
{
    g_subprocess_force_exit(fixture->bus);
    vb_bus_fixture_wait_exit(fixture, fixture->bus);
    g_clear_object(&fixture->bus);
}

gboolean vb_bus_fixture_name_is_owned(VbBusFixture *fixture)
{
    return fixture->owner != NULL;
}

void vb_bus_fixture_free(VbBusFixture *fixture)
{
    if (fixture == NULL)
        return;
    if (fixture->daemon != NULL)
        vb_bus_fixture_stop_daemon(fixture);
    g_bus_unwatch_name(fixture->name_watch);
    vb_bus_client_free(fixture->client);
    if (fixture->bus != NULL)
        vb_bus_fixture_kill_bus(fixture);
    vb_remove_tree(fixture->dir);
    g_free(fixture->owner);
    g_free(fixture->address);
    g_free(fixture->root);
    g_free(fixture->dir);
    g_free(fixture);
}

const char *vb_bus_fixture_address(VbBusFixture *fixture)
{
    return fixture->address;
}

const char *vb_bus_fixture_dir(VbBusFixture *fixture)
{
    return fixture->dir;
}

const char *vb_bus_fixture_root(VbBusFixture *fixture)
{
    return fixture->root;
}

VbBusClient *vb_bus_fixture_client(VbBusFixture *fixture)
{
    return fixture->client;
}

GPid vb_bus_fixture_daemon_pid(VbBusFixture *fixture)
{
    return fixture->daemon_pid;
}
