/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One probe of one emulator: a child, a monitor, the queries all at once. The monitor's deadline is
 * the probe's; whatever way it ends, `disconnected` or the last reply concludes it once. */
#include "caps-probe.h"

#include <sys/socket.h>

#include "caps.h"
#include "error.h"
#include "fd.h"
#include "qmp-client.h"

#define MONITOR_FD 3
#define STDERR_SIZE 4096 /* of what a failing emulator says, this much is looked at */

typedef struct {
    char *emulator;
    gint64 deadline; /* monotonic, µs */
    GSubprocess *process;
    VbQmp *qmp;
    JsonObject *replies;
    guint outstanding; /* queries without a reply yet */
    GError *failure;   /* the first one counts */
} Probe;

/* A query on its way. */
typedef struct {
    GTask *task;
    const char *query;
} Question;

static void probe_free(gpointer data)
{
    Probe *probe = data;

    if (probe->process)
        g_subprocess_force_exit(probe->process);
    g_clear_object(&probe->process);
    vb_qmp_free(probe->qmp);
    json_object_unref(probe->replies);
    g_clear_error(&probe->failure);
    g_free(probe->emulator);
    g_free(probe);
}

/* The last line that the child has written to its standard error, or NULL. It may have ended or
 * not; only what is there is read. */
static char *last_words(Probe *probe)
{
    GInputStream *pipe = g_subprocess_get_stderr_pipe(probe->process);
    g_autofree char *text = g_malloc0(STDERR_SIZE);
    g_autofree char *valid = NULL;
    gssize n = g_pollable_input_stream_read_nonblocking(G_POLLABLE_INPUT_STREAM(pipe), text,
                                                        STDERR_SIZE - 1, NULL, NULL);
    char *newline;

    if (n <= 0)
        return NULL;
    valid = g_strchomp(g_utf8_make_valid(text, n));
    newline = strrchr(valid, '\n');
    return *valid ? g_strdup(newline ? newline + 1 : valid) : NULL;
}

static void conclude(GTask *task)
{
    Probe *probe = g_task_get_task_data(task);
    g_autoptr(GError) failure = g_steal_pointer(&probe->failure);

    if (g_task_get_completed(task) || !probe->qmp)
        return;
    if (failure && failure->domain == VB_ERROR && failure->code == VB_ERROR_TIMEOUT) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_TIMEOUT,
                                "The emulator %s did not answer in time; is it QEMU?",
                                probe->emulator);
    } else if (failure && failure->domain == VB_ERROR) {
        g_autofree char *words = last_words(probe);
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_HYPERVISOR,
                                "The emulator %s cannot be used: %s", probe->emulator,
                                words ? words : failure->message);
    } else if (failure) {
        g_task_return_error(task, g_steal_pointer(&failure));
    } else {
        g_task_return_pointer(task, json_object_ref(probe->replies),
                              (GDestroyNotify)json_object_unref);
    }
    g_subprocess_force_exit(probe->process);
    g_clear_pointer(&probe->qmp, vb_qmp_free);
}

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Question *question = data;
    g_autoptr(GTask) task = question->task;
    g_autoptr(JsonNode) value = NULL;
    Probe *probe = g_task_get_task_data(task);

    if (!probe->qmp) {
        /* concluded: the monitor was hung up, and this is how the other queries end */
        return;
    }
    value = vb_qmp_call_finish(result, &probe->failure);
    if (value)
        json_object_set_member(probe->replies, question->query, g_steal_pointer(&value));
    if (probe->failure || --probe->outstanding == 0)
        conclude(task);
}

static guint remaining_ms(Probe *probe)
{
    gint64 left = (probe->deadline - g_get_monotonic_time()) / 1000;

    return (guint)MAX(left, 1);
}

static void ask(GTask *task, const char *query)
{
    Probe *probe = g_task_get_task_data(task);
    Question *question = g_new(Question, 1);

    *question = (Question){.task = g_object_ref(task), .query = query};
    probe->outstanding++;
    vb_qmp_call_async(probe->qmp, query, NULL, remaining_ms(probe), g_task_get_cancellable(task),
                      on_reply, question);
}

static void on_started(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    Probe *probe = g_task_get_task_data(task);

    if (!vb_qmp_start_finish(result, &probe->failure)) {
        conclude(task);
        return;
    }
    for (const char *const *query = vb_qemu_caps_queries; *query; query++)
        ask(task, *query);
    /* An emulator that is a wrapper would survive its child's SIGKILL, but not this. */
    ask(task, "quit");
}

static GSubprocess *spawn(const char *emulator, const VbIdentity *identity, int *monitor,
                          GError **error)
{
    const char *const argv[] = {emulator,
                                "-S",
                                "-no-user-config",
                                "-nodefaults",
                                "-display",
                                "none",
                                "-machine",
                                "none,accel=tcg",
                                "-chardev",
                                "socket,id=monitor,fd=" G_STRINGIFY(MONITOR_FD),
                                "-mon",
                                "chardev=monitor,mode=control",
                                NULL};
    g_auto(GStrv) command = vb_identity_command(identity, argv);
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
        G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE);

    g_subprocess_launcher_take_fd(launcher, vb_steal_fd(monitor), MONITOR_FD);
    return g_subprocess_launcher_spawnv(launcher, (const char *const *)command, error);
}

void vb_caps_probe_async(const char *emulator, const VbIdentity *identity, guint timeout_ms,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data)
{
    static const VbQmpCallbacks callbacks = {NULL, NULL};
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    g_autoptr(GError) error = NULL;
    Probe *probe = g_new0(Probe, 1);
    vb_autofd int ours = -1;
    vb_autofd int theirs = -1;
    int pair[2];

    g_task_set_source_tag(task, vb_caps_probe_async);
    g_task_set_task_data(task, probe, probe_free);
    probe->emulator = g_strdup(emulator);
    probe->deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    probe->replies = json_object_new();

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_FAILED, "No socket pair for a monitor: %s",
                                g_strerror(errno));
        return;
    }
    ours = pair[0];
    theirs = pair[1];
    probe->process = spawn(emulator, identity, &theirs, &error);
    if (!probe->process) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_HYPERVISOR,
                                "The emulator %s cannot be used: %s", emulator, error->message);
        return;
    }
    probe->qmp = vb_qmp_new(vb_steal_fd(&ours), &callbacks, NULL);
    vb_qmp_start_async(probe->qmp, timeout_ms, cancellable, on_started, g_steal_pointer(&task));
}

JsonObject *vb_caps_probe_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
