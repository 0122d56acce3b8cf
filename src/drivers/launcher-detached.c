/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The launcher that needs nothing: a child in a session of its own, which lives on when we end.
 * vfork() makes it: the child borrows our memory until it executes the program, so that costs
 * microseconds, whatever our size, and why an execution failed can simply be written into a
 * variable. */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"

/* What the child needs, all made before it exists: it must not allocate. */
typedef struct {
    char **argv, **env;
    const int *from; /* descriptor i becomes the child's i */
    guint n_from;
    volatile int error; /* errno of the child, 0 when the program runs */
} Child;

/* Runs in the child, on borrowed memory: system calls only. */
static void run_child(Child *child)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL);

    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    umask(0077);
    if (setsid() < 0 || chdir("/") != 0) {
        child->error = errno;
        return;
    }
    for (guint i = 0; i < child->n_from; i++)
        if (dup2(child->from[i], (int)i) < 0) {
            child->error = errno;
            return;
        }
    if (close_range(child->n_from, ~0U, 0) != 0) {
        child->error = errno;
        return;
    }
    execve(child->argv[0], child->argv, child->env);
    child->error = errno;
}

static __attribute__((noinline)) pid_t spawn(Child *child)
{
    /* No handler of ours may run in the child on our memory. */
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);

    pid_t pid = vfork();
    if (pid == 0) {
        run_child(child);
        _exit(127);
    }
    if (pid < 0)
        child->error = errno;
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return pid;
}

static void clear_fd_element(gpointer element)
{
    vb_clear_fd(element);
}

/* A copy that does not lie where the child's own descriptors will: no dup2() in the child then
 * overwrites one that is still needed. */
static gboolean add_fd(GArray *fds, int fd, int above)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, above);
    if (copy >= 0)
        g_array_append_val(fds, copy);
    return copy >= 0;
}

static VbProcess *launch(const VbLaunchSpec *spec, GError **error)
{
    static const VbLaunchLimits none;

    if (memcmp(&spec->limits, &none, sizeof none) != 0) {
        vb_fail(error, VB_ERROR_NOT_SUPPORTED,
                "%s: limits need the service manager systemd, and there is none on this bus",
                spec->title ? spec->title : spec->name);
        return NULL;
    }
    vb_autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    vb_autofd int log =
        spec->output != 0
            ? fcntl(spec->output, F_DUPFD_CLOEXEC, 0)
            : open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (null < 0 || log < 0) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "Cannot open %s: %s",
                    null < 0            ? "/dev/null"
                    : spec->output != 0 ? "its output"
                                        : spec->log_path,
                    g_strerror(errno));
        return NULL;
    }

    g_autoptr(GArray) from = g_array_new(FALSE, FALSE, sizeof(int));
    g_array_set_clear_func(from, clear_fd_element);
    int above = 3 + (int)spec->n_fds;
    gboolean copied = add_fd(from, null, above) && add_fd(from, log, above) &&
                      add_fd(from, spec->messages != 0 ? spec->messages : log, above);
    for (gsize i = 0; copied && i < spec->n_fds; i++)
        copied = add_fd(from, spec->fds[i], above);
    if (!copied) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "Cannot copy a file descriptor: %s",
                    g_strerror(errno));
        return NULL;
    }

    g_auto(GStrv) argv = vb_identity_command(spec->identity, spec->argv);
    Child child = {
        .argv = argv,
        .env = (char **)spec->env,
        .from = (const int *)(gpointer)from->data,
        .n_from = from->len,
    };
    pid_t pid = spawn(&child);
    if (child.error != 0) {
        if (pid > 0)
            waitpid(pid, NULL, 0); /* it has exited already: vfork() returned */
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "Cannot execute %s: %s", argv[0],
                    g_strerror(child.error));
        return NULL;
    }

    VbProcess *process = vb_process_new(pid, error);
    if (!process) {
        kill(pid, SIGKILL); /* not reaped yet, so the pid is still its own */
        waitpid(pid, NULL, 0);
    }
    return process;
}

/* One that is only waited for. */
typedef struct {
    GTask *task;
    VbProcess *process;
    GSource *cancelled; /* or NULL */
    gulong killer;      /* with it */
    char *name, *log_path;
} Awaited;

static void awaited_free(Awaited *awaited)
{
    if (awaited->cancelled) {
        g_cancellable_disconnect(g_task_get_cancellable(awaited->task), awaited->killer);
        g_source_destroy(awaited->cancelled);
        g_source_unref(awaited->cancelled);
    }
    g_object_unref(awaited->task);
    vb_process_free(awaited->process);
    g_free(awaited->name);
    g_free(awaited->log_path);
    g_free(awaited);
}

static void on_awaited(VbProcess *process, const char *how, gpointer user_data)
{
    Awaited *awaited = user_data;
    g_autofree char *words =
        awaited->log_path ? vb_last_words_read(awaited->log_path) : g_strdup("");

    if (g_str_equal(how, "exit status 0"))
        g_task_return_pointer(awaited->task, NULL, NULL);
    else
        g_task_return_new_error(awaited->task, VB_ERROR, VB_ERROR_FAILED, "%s failed: %s%s%s",
                                awaited->name, how, *words ? ": " : "", words);
    awaited_free(awaited);
}

static void on_reaped(GPid pid, int status, gpointer user_data)
{
}

/* At once, also when nobody runs the main loop any more. */
static void kill_it(GCancellable *cancellable, gpointer user_data)
{
    vb_process_kill(user_data, SIGKILL);
}

/* A process that hangs in the kernel dies when the kernel lets it. */
static gboolean on_cancelled(GCancellable *cancellable, gpointer user_data)
{
    Awaited *awaited = user_data;

    g_child_watch_add(awaited->process->pid, on_reaped, NULL);
    g_task_return_error_if_cancelled(awaited->task);
    awaited_free(awaited);
    return G_SOURCE_REMOVE;
}

static void await_end(const VbLaunchSpec *spec, VbProcess *process, GTask *task)
{
    GCancellable *cancellable = g_task_get_cancellable(task);
    Awaited *awaited = g_new0(Awaited, 1);

    awaited->task = g_object_ref(task);
    awaited->process = process;
    awaited->name = g_path_get_basename(spec->argv[0]);
    awaited->log_path = spec->output != 0 ? NULL : g_strdup(spec->log_path);
    vb_process_watch(process, on_awaited, awaited);
    if (spec->kind == VB_LAUNCH_ENDS && cancellable) {
        awaited->cancelled = g_cancellable_source_new(cancellable);
        g_source_set_callback(awaited->cancelled, G_SOURCE_FUNC(on_cancelled), awaited, NULL);
        g_source_attach(awaited->cancelled, g_task_get_context(task));
        awaited->killer = g_cancellable_connect(cancellable, G_CALLBACK(kill_it), process, NULL);
    }
}

static void launch_detached(gpointer self, const VbLaunchSpec *spec, GTask *task)
{
    g_autoptr(GTask) owned = task;
    GError *error = NULL;
    VbProcess *process = launch(spec, &error);
    if (process && spec->kind != VB_LAUNCH_STAYS)
        await_end(spec, process, task);
    else if (process)
        g_task_return_pointer(task, process, (GDestroyNotify)vb_process_free);
    else
        g_task_return_error(task, error);
}

static void last_words(gpointer self, const VbProcess *process, const char *name,
                       const char *log_path, GTask *task)
{
    g_autoptr(GTask) owned = task;

    g_task_return_pointer(task, vb_last_words_read(log_path), g_free);
}

const VbLauncher vb_launcher_detached = {.launch = launch_detached, .last_words = last_words};
const VbLaunchBy vb_launch_by_us = {.launcher = &vb_launcher_detached};
