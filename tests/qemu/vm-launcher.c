/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a launched process gets, what it does not, and how it is found again: the contract of
 * launcher.h. Without an argument, of a detached process; with the path of virtbus-launch-helper,
 * of a unit of the system's service manager (tests/system runs that). */
#include "launcher-unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus-source.h"
#include "error.h"
#include "wait.h"

static const VbLauncher *launcher = &vb_launcher_detached;
static VbUnitLauncher *units; /* NULL: detached */

typedef struct {
    char *dir, *log;
    VbIdentity *identity; /* NULL: as the test itself */
    GAsyncResult *result;
    char *how; /* how the process ended, once it has */
} Fixture;

static void setup(Fixture *fixture, gconstpointer data)
{
    fixture->dir = g_dir_make_tmp("vb-launcher-XXXXXX", NULL);
    fixture->log = g_build_filename(fixture->dir, "log", NULL);
}

static void teardown(Fixture *fixture, gconstpointer data)
{
    g_unlink(fixture->log);
    g_rmdir(fixture->dir);
    g_free(fixture->dir);
    g_free(fixture->log);
    g_free(fixture->how);
    vb_identity_unref(fixture->identity);
}

static void on_launched(GObject *source, GAsyncResult *result, gpointer data)
{
    ((Fixture *)data)->result = g_object_ref(result);
}

static VbProcess *launch(Fixture *fixture, const char *const *argv, const int *fds, gsize n_fds,
                         GError **error)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", "GREETING=hello there", NULL};
    VbLaunchSpec spec = {.name = "test",
                         .argv = argv,
                         .env = env,
                         .fds = fds,
                         .n_fds = n_fds,
                         .log_path = fixture->log,
                         .identity = fixture->identity};

    launcher->launch(units, &spec, g_task_new(NULL, NULL, on_launched, fixture));
    g_assert_null(fixture->result);
    VB_WAIT_FOR(fixture->result);
    g_autoptr(GTask) task = G_TASK(g_steal_pointer(&fixture->result));
    return g_task_propagate_pointer(task, error);
}

static void on_ended(VbProcess *process, const char *how, gpointer data)
{
    Fixture *fixture = data;

    g_assert_null(fixture->how);
    fixture->how = g_strdup(how);
}

/* How it ended is known of children only. */
static void assert_how(const Fixture *fixture, const char *how)
{
    g_assert_cmpstr(fixture->how, ==, units ? "" : how);
}

static void assert_words(Fixture *fixture, const VbProcess *process, const char *expected)
{
    launcher->last_words(units, process, "test", fixture->log,
                         g_task_new(NULL, NULL, on_launched, fixture));
    VB_WAIT_FOR(fixture->result);
    g_autoptr(GTask) task = G_TASK(g_steal_pointer(&fixture->result));
    g_autofree char *words = g_task_propagate_pointer(task, NULL);
    g_assert_cmpstr(words, ==, expected);
}

/* All that it wrote; `since`: real time, before it was launched. */
static char *read_output(Fixture *fixture, gint64 since)
{
    g_autofree char *option = g_strdup_printf("--since=@%" G_GINT64_FORMAT ".%06" G_GINT64_FORMAT,
                                              since / G_USEC_PER_SEC, since % G_USEC_PER_SEC);
    const char *argv[] = {
        "journalctl", "-q", "-o", "cat", "_TRANSPORT=stdout", "_SYSTEMD_UNIT=virtbus-test.service",
        option,       NULL};
    g_autoptr(GError) error = NULL;
    char *output = NULL;

    if (units)
        g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL,
                     NULL, &error);
    else
        g_file_get_contents(fixture->log, &output, NULL, &error);
    g_assert_no_error(error);
    return output;
}

/* Runs a shell script to its end; its output, of which `last` is what it said last. It does not end
 * before we have hold of it: it waits for the end of one more descriptor. */
static char *run(Fixture *fixture, const char *script, const int *fds, gsize n_fds,
                 const char *last)
{
    gint64 begun = g_get_real_time();
    int gate[2];
    g_assert_cmpint(pipe2(gate, O_CLOEXEC), ==, 0);
    g_autofree char *held = g_strdup_printf("%s; read x <&%u; true", script, (guint)(3 + n_fds));
    const char *argv[] = {"/bin/sh", "-c", held, NULL};
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(int));
    g_autoptr(GError) error = NULL;

    g_array_append_vals(all, fds, (guint)n_fds);
    g_array_append_val(all, gate[0]);
    g_autoptr(VbProcess) process =
        launch(fixture, argv, &g_array_index(all, int, 0), all->len, &error);
    g_assert_no_error(error);
    vb_process_watch(process, on_ended, fixture);
    close(gate[0]);
    close(gate[1]);
    VB_WAIT_FOR(fixture->how);
    assert_how(fixture, "exit status 0");
    assert_words(fixture, process, last);
    return read_output(fixture, begun);
}

static void test_surroundings(Fixture *fixture, gconstpointer data)
{
    g_autofree char *output = run(fixture,
                                  "umask; pwd; echo $GREETING; readlink /proc/self/fd/0;"
                                  "echo error >&2; cut -d' ' -f6 /proc/$$/stat | grep -cx $$;"
                                  "grep SigBlk /proc/self/status | tr -d '\\t';"
                                  "grep SigIgn /proc/self/status | tr -d '\\t'",
                                  NULL, 0, "1; SigBlk:0000000000000000; SigIgn:0000000000000000");
    struct stat info;

    g_assert_cmpstr(output, ==,
                    "0077\n/\nhello there\n/dev/null\nerror\n1\n"
                    "SigBlk:0000000000000000\nSigIgn:0000000000000000\n");
    if (!units) {
        g_assert_cmpint(stat(fixture->log, &info), ==, 0);
        g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
    }
}

/* Exactly the descriptors that were handed over, also when they lie in the way of each other. */
static void test_descriptors(Fixture *fixture, gconstpointer data)
{
    int junk = open("/dev/null", O_RDONLY); /* no close-on-exec */
    int first[2], second[2];
    g_assert_cmpint(pipe2(first, O_CLOEXEC), ==, 0);
    g_assert_cmpint(pipe2(second, O_CLOEXEC), ==, 0);
    int fds[] = {second[1], first[1]};
    char text[8] = "";
    g_autofree char *output = run(fixture,
                                  "echo a >&3; echo b >&4; i=0; while [ $i -lt 256 ]; do"
                                  " [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); done",
                                  fds, 2, "3; 4; 5");

    g_assert_cmpstr(output, ==, "0\n1\n2\n3\n4\n5\n");
    g_assert_cmpint(read(second[0], text, sizeof text), ==, 2);
    g_assert_cmpstr(text, ==, "a\n");
    g_assert_cmpint(read(first[0], text, sizeof text), ==, 2);
    g_assert_cmpstr(text, ==, "b\n");
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
    }
    close(junk);
}

/* Another user, with nothing of ours but what it is handed. */
static void test_identity(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    int junk = open("/dev/null", O_RDONLY); /* no close-on-exec */
    struct stat info;

    if (geteuid() != 0) {
        g_test_skip("only root can become another user");
        close(junk);
        return;
    }
    vb_identity_resolve("nobody", &fixture->identity, &error);
    g_assert_no_error(error);
    int fds[] = {junk};
    g_autofree char *output =
        run(fixture,
            "grep -E '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs):' /proc/$$/status |"
            " tr '\\t' ' '; umask; pwd; i=0; while [ $i -lt 256 ]; do"
            " [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); done",
            fds, 1, "2; 3; 4");
    guint uid = fixture->identity->uid, gid = fixture->identity->gid;
    g_autofree char *expected = g_strdup_printf(
        "Uid: %u %u %u %u\nGid: %u %u %u %u\nGroups: %u%s\n"
        "CapInh: 0000000000000000\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n"
        "CapAmb: 0000000000000000\nNoNewPrivs: 1\n0077\n/\n0\n1\n2\n3\n4\n",
        uid, uid, uid, uid, gid, gid, gid, gid, gid,
        units ? "" : " " /* the journal keeps no blanks at a line's end */);

    g_assert_cmpstr(output, ==, expected);
    if (!units) {
        /* It writes to the log, and cannot open it. */
        g_assert_cmpint(stat(fixture->log, &info), ==, 0);
        g_assert_cmpuint(info.st_uid, ==, 0);
        g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
    }
    close(junk);
}

/* What it is not allowed to execute shows in its log and its early end. */
static void test_identity_not_executable(Fixture *fixture, gconstpointer data)
{
    const char *argv[] = {"/nowhere/program", NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;

    if (geteuid() != 0) {
        g_test_skip("only root can become another user");
        return;
    }
    vb_identity_resolve("nobody", &fixture->identity, &error);
    g_assert_no_error(error);
    g_autoptr(VbProcess) process = launch(fixture, argv, NULL, 0, &error);
    if (units) {
        g_assert_null(process);
        g_assert_nonnull(strstr(error->message, "/nowhere/program: No such file"));
        return;
    }
    g_assert_no_error(error);
    vb_process_watch(process, on_ended, fixture);
    VB_WAIT_FOR(fixture->how);
    g_assert_cmpstr(fixture->how, ==, "exit status 127");
    g_assert_true(g_file_get_contents(fixture->log, &output, NULL, NULL));
    g_assert_nonnull(strstr(output, "/nowhere/program: No such file"));
}

static void test_not_executable(Fixture *fixture, gconstpointer data)
{
    const char *missing[] = {"/nowhere/program", NULL};
    const char *directory[] = {"/tmp", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) other = NULL;

    g_assert_null(launch(fixture, missing, NULL, 0, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "/nowhere/program: No such file"));
    g_assert_null(launch(fixture, directory, NULL, 0, &other));
    g_assert_nonnull(strstr(other->message, "/tmp: Permission denied"));
}

/* A '$' is a '$', a '%' is a '%', and quotes, backslashes and blanks are theirs. */
static void test_arguments(Fixture *fixture, gconstpointer data)
{
    static const char script[] = "printf '%s\\n' '$GREETING ${PATH} %n %% \\x20 \"b\"  ;'";
    g_autofree char *output =
        run(fixture, script, NULL, 0, "$GREETING ${PATH} %n %% \\x20 \"b\"  ;");

    g_assert_cmpstr(output, ==, "$GREETING ${PATH} %n %% \\x20 \"b\"  ;\n");
}

/* Of one that ends at once there is a process that has ended, or an error: its words are known. */
static void test_early_end(Fixture *fixture, gconstpointer data)
{
    const char *argv[] = {"/bin/sh", "-c", "echo no such luck >&2; exit 3", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(VbProcess) process = launch(fixture, argv, NULL, 0, &error);

    if (process) {
        vb_process_watch(process, on_ended, fixture);
        VB_WAIT_FOR(fixture->how);
        assert_how(fixture, "exit status 3");
        assert_words(fixture, process, "no such luck");
    } else {
        g_assert_nonnull(units);
        g_assert_cmpstr(error->message, ==, "sh ended at once: no such luck");
    }
}

/* One that is left of an earlier launch is none of ours: it makes room. */
static void test_leftover(Fixture *fixture, gconstpointer data)
{
    const char *argv[] = {"/bin/sh", "-c", "exec tail -f /dev/null", NULL};
    g_autoptr(GError) error = NULL;

    g_autoptr(VbProcess) first = launch(fixture, argv, NULL, 0, &error);
    g_assert_no_error(error);
    g_autoptr(VbProcess) second = launch(fixture, argv, NULL, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpint(first->pid, !=, second->pid);
    g_assert_null(vb_process_find(first->pid, first->start_time, NULL));
    vb_process_watch(second, on_ended, fixture);
    vb_process_kill(second, SIGKILL);
    VB_WAIT_FOR(fixture->how);
}

static void launch_forking(Fixture *fixture, const char *script, int gate, GError **error)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    VbLaunchSpec spec = {.name = "test",
                         .argv = argv,
                         .env = env,
                         .fds = &gate,
                         .n_fds = 1,
                         .log_path = fixture->log,
                         .kind = VB_LAUNCH_FORKS};

    launcher->launch(units, &spec, g_task_new(NULL, NULL, on_launched, fixture));
    VB_WAIT_FOR(fixture->result);
    g_autoptr(GTask) task = G_TASK(g_steal_pointer(&fixture->result));
    g_assert_null(g_task_propagate_pointer(task, error));
}

/* It is ready when it has gone to the background, where it lives on. */
static void test_forks(Fixture *fixture, gconstpointer data)
{
    int gate[2], back[2];
    g_autoptr(GError) error = NULL;
    char byte;

    g_assert_cmpint(pipe2(gate, O_CLOEXEC), ==, 0);
    g_assert_cmpint(pipe2(back, O_CLOEXEC), ==, 0);
    launch_forking(fixture, "(read x <&3) >/dev/null 2>&1 & exit 0", gate[0], &error);
    g_assert_no_error(error);
    close(gate[0]);
    /* Somebody still reads it; and ends with it. */
    g_assert_cmpint(write(gate[1], "\n", 1), ==, 1);
    launch_forking(fixture, "echo no such luck >&2; exit 4", back[1], &error);
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_true(g_str_has_prefix(error->message, "sh failed"));
    g_assert_true(g_str_has_suffix(error->message, ": no such luck"));
    close(back[1]);
    g_assert_cmpint(read(back[0], &byte, 1), ==, 0); /* nobody has it any more */
    close(back[0]);
    close(gate[1]);
}

/* Runs it with a pipe for its output and one for its messages. */
static void launch_ending(Fixture *fixture, const char *script, const int *fds,
                          GCancellable *cancellable, GError **error)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    VbLaunchSpec spec = {.kind = VB_LAUNCH_ENDS,
                         .name = "test",
                         .argv = argv,
                         .env = env,
                         .output = fds[0],
                         .messages = fds[1]};

    launcher->launch(units, &spec, g_task_new(NULL, cancellable, on_launched, fixture));
    g_assert_null(fixture->result);
    VB_WAIT_FOR(fixture->result);
    g_autoptr(GTask) task = G_TASK(g_steal_pointer(&fixture->result));
    g_assert_null(g_task_propagate_pointer(task, error));
}

/* All that is written until nobody can write any more. */
static void assert_read(int fd, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char bytes[64];
    ssize_t size;

    while ((size = read(fd, bytes, sizeof bytes)) > 0)
        g_string_append_len(text, bytes, size);
    g_assert_cmpint(size, ==, 0);
    g_assert_cmpstr(text->str, ==, expected);
}

/* One that ends is over when its launch is, with what it wrote where that was to go. */
static void test_ends(Fixture *fixture, gconstpointer data)
{
    const struct {
        const char *script, *output, *messages;
        gboolean succeeds;
    } runs[] = {
        {"echo done; echo warning >&2", "done\n", "warning\n", TRUE},
        {"echo half; echo no such luck >&2; exit 4", "half\n", "no such luck\n", FALSE},
        {"kill -9 $$", "", "", FALSE},
        {"exec >&- 2>&-", "", "", TRUE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(runs); i++) {
        g_autoptr(GError) error = NULL;
        int output[2], messages[2];
        g_assert_cmpint(pipe2(output, O_CLOEXEC), ==, 0);
        g_assert_cmpint(pipe2(messages, O_CLOEXEC), ==, 0);
        const int fds[] = {output[1], messages[1]};
        launch_ending(fixture, runs[i].script, fds, NULL, &error);
        if (runs[i].succeeds)
            g_assert_no_error(error);
        else
            g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
        g_assert_true(!error || g_str_has_prefix(error->message, "sh failed"));
        close(output[1]);
        close(messages[1]);
        assert_read(output[0], runs[i].output);
        assert_read(messages[0], runs[i].messages);
        close(output[0]);
        close(messages[0]);
    }
    g_assert_false(g_file_test(fixture->log, G_FILE_TEST_EXISTS));
}

static gboolean on_output(int fd, GIOCondition condition, gpointer data)
{
    g_cancellable_cancel(data);
    return G_SOURCE_REMOVE;
}

/* Cancelled in its work: the launch is over at once, the process killed, whatever it ignores. */
static void test_ends_cancelled(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    int output[2];

    g_assert_cmpint(pipe2(output, O_CLOEXEC), ==, 0);
    const int fds[] = {output[1], output[1]};
    g_unix_fd_add(output[0], G_IO_IN, on_output, cancellable);
    launch_ending(fixture, "trap '' TERM; echo begun; exec tail -f /dev/null", fds, cancellable,
                  &error);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    close(output[1]);
    assert_read(output[0], "begun\n");
    close(output[0]);
}

/* Without control groups nobody keeps them, and that is said before anything runs. */
static void test_limits(Fixture *fixture, gconstpointer data)
{
    static const char *const env[] = {NULL};
    const char *argv[] = {"/bin/true", NULL};
    VbLaunchSpec spec = {.name = "test",
                         .argv = argv,
                         .env = env,
                         .log_path = fixture->log,
                         .title = "Virtual machine 'a'",
                         .limits.memory_max = 1};
    g_autoptr(GError) error = NULL;

    launcher->launch(units, &spec, g_task_new(NULL, NULL, on_launched, fixture));
    VB_WAIT_FOR(fixture->result);
    g_autoptr(GTask) task = G_TASK(g_steal_pointer(&fixture->result));
    g_assert_null(g_task_propagate_pointer(task, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    g_assert_true(g_str_has_prefix(error->message, "Virtual machine 'a': limits need"));
    g_assert_false(g_file_test(fixture->log, G_FILE_TEST_EXISTS));
}

static void test_find(Fixture *fixture, gconstpointer data)
{
    const char *argv[] = {"/bin/sh", "-c", "exec tail -f /dev/null", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(VbProcess) process = launch(fixture, argv, NULL, 0, &error);
    g_assert_no_error(error);
    pid_t pid = process->pid;
    guint64 start_time = process->start_time;

    /* Let go of and found again. */
    g_clear_pointer(&process, vb_process_free);
    process = vb_process_find(pid, start_time, &error);
    g_assert_no_error(error);

    /* The same pid, another process. */
    g_assert_null(vb_process_find(pid, start_time + 1, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
    g_clear_error(&error);

    vb_process_watch(process, on_ended, fixture);
    vb_process_kill(process, SIGTERM);
    VB_WAIT_FOR(fixture->how);
    assert_how(fixture, "killed by signal 15 (Terminated)");
    if (units)
        vb_wait_for_death(pid); /* who reaps it is another one */
    else
        g_assert_cmpint(kill(pid, 0), ==, -1);
    g_assert_null(vb_process_find(pid, start_time, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
    vb_process_kill(process, SIGTERM);
}

/* One that ended while nobody held it is not there, though it has not been reaped. */
static void test_find_zombie(Fixture *fixture, gconstpointer data)
{
    const char *argv[] = {"/bin/true", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(VbProcess) process = launch(fixture, argv, NULL, 0, &error);
    g_assert_no_error(error);
    siginfo_t info;

    g_assert_cmpint(waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOWAIT), ==, 0);
    g_assert_null(vb_process_find(process->pid, process->start_time, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
    /* And now it is reaped. */
    g_assert_cmpint(waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG), ==, -1);
    g_assert_cmpint(errno, ==, ECHILD);
}

/* ---- the system's service manager -------------------------------------------------------------
 */

typedef struct {
    sd_bus *bus;
    GSource *source;
} Manager;

static void on_manager(const char *name, gpointer data)
{
    g_assert_nonnull(name);
    *(gboolean *)data = TRUE;
}

static void manager_init(Manager *manager, const char *helper)
{
    static gboolean known; /* as long as the launcher lives */

    g_assert_cmpint(sd_bus_open_system(&manager->bus), >=, 0);
    manager->source = vb_bus_source_new(manager->bus, NULL, NULL, NULL);
    g_source_attach(manager->source, NULL);
    units = vb_unit_launcher_new(helper, FALSE);
    launcher = &vb_launcher_unit;
    vb_unit_launcher_attach(units, manager->bus, on_manager, &known);
    VB_WAIT_FOR(known);
}

static void manager_clear(Manager *manager)
{
    vb_unit_launcher_free(units);
    g_source_destroy(manager->source);
    g_source_unref(manager->source);
    sd_bus_flush_close_unref(manager->bus);
}

int main(int argc, char **argv)
{
    Manager manager;

    g_test_init(&argc, &argv, NULL);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1)
        manager_init(&manager, argv[1]);
#define ADD(name, func) g_test_add("/qemu/launcher/" name, Fixture, NULL, setup, func, teardown)
    ADD("surroundings", test_surroundings);
    ADD("descriptors", test_descriptors);
    ADD("arguments", test_arguments);
    ADD("identity", test_identity);
    ADD("identity-not-executable", test_identity_not_executable);
    ADD("not-executable", test_not_executable);
    ADD("early-end", test_early_end);
    ADD("forks", test_forks);
    ADD("ends", test_ends);
    ADD("ends-cancelled", test_ends_cancelled);
    ADD("find", test_find);
    if (units) {
        ADD("leftover", test_leftover);
    } else {
        ADD("limits", test_limits);
        ADD("find-zombie", test_find_zombie);
    }
    int result = g_test_run();
    if (units)
        manager_clear(&manager);
    return result;
}
