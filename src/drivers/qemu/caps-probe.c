/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One probe of one emulator: a process, a monitor, the queries all at once. The monitor's deadline
 * is the probe's. The last reply concludes it; when the monitor fails, the end of the process,
 * which says why, and which is killed when it does not come soon. */
#include "caps-probe.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "caps.h"
#include "error.h"
#include "fd.h"
#include "qmp-client.h"

#define MONITOR_FD 3
#define END_MS 1000 /* for a process whose monitor failed */

typedef struct {
    char *emulator;
    gint64 deadline;    /* monotonic, µs */
    GCancellable *stop; /* kills the process */
    int words;          /* a pipe of what it says */
    gboolean ended;     /* the launch is over */
    GError *launch;     /* how it failed */
    GSource *timer;
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

static void stop_timer(Probe *probe)
{
    if (probe->timer) {
        g_source_destroy(probe->timer);
        g_clear_pointer(&probe->timer, g_source_unref);
    }
}

static void probe_free(gpointer data)
{
    Probe *probe = data;

    stop_timer(probe);
    g_object_unref(probe->stop);
    vb_clear_fd(&probe->words);
    g_clear_error(&probe->launch);
    vb_qmp_free(probe->qmp);
    json_object_unref(probe->replies);
    g_clear_error(&probe->failure);
    g_free(probe->emulator);
    g_free(probe);
}

static gboolean is_timeout(const GError *error)
{
    return g_error_matches(error, VB_ERROR, VB_ERROR_TIMEOUT);
}

/* Once, with what there is: the replies or the failure. */
static void answer(GTask *task)
{
    Probe *probe = g_task_get_task_data(task);
    g_autoptr(GError) failure = g_steal_pointer(&probe->failure);
    g_autofree char *words = vb_last_words_take(probe->words);
    const char *why = *words          ? words
                      : probe->launch ? probe->launch->message
                      : failure       ? failure->message
                                      : "";

    if (!failure)
        g_task_return_pointer(task, json_object_ref(probe->replies),
                              (GDestroyNotify)json_object_unref);
    else if (is_timeout(failure))
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_TIMEOUT,
                                "The emulator %s did not answer in time; is it QEMU?",
                                probe->emulator);
    else if (failure->domain == VB_ERROR)
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_HYPERVISOR,
                                "The emulator %s cannot be used: %s", probe->emulator, why);
    else
        g_task_return_error(task, g_steal_pointer(&failure));
    g_cancellable_cancel(probe->stop);
}

static gboolean on_time_over(gpointer data)
{
    Probe *probe = data;

    g_cancellable_cancel(probe->stop);
    return G_SOURCE_REMOVE;
}

/* The monitor has done what it will do. */
static void conclude(GTask *task)
{
    Probe *probe = g_task_get_task_data(task);

    if (!probe->qmp)
        return;
    g_clear_pointer(&probe->qmp, vb_qmp_free);
    if (!probe->failure || probe->failure->domain != VB_ERROR || is_timeout(probe->failure) ||
        probe->ended) {
        answer(task);
        return;
    }
    probe->timer = g_timeout_source_new(END_MS);
    g_source_set_callback(probe->timer, on_time_over, probe, NULL);
    g_source_attach(probe->timer, g_task_get_context(task));
}

static void on_process_over(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    Probe *probe = g_task_get_task_data(task);

    stop_timer(probe);
    probe->ended = TRUE;
    g_task_propagate_pointer(G_TASK(result), &probe->launch);
    /* Its own failure is of no interest when it was killed. */
    if (g_error_matches(probe->launch, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_clear_error(&probe->launch);
    if (!probe->qmp && probe->failure)
        answer(task);
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

static void launch(GTask *task, const VbLaunchBy *by, int monitor, int words)
{
    Probe *probe = g_task_get_task_data(task);
    static const char *const env[] = {"LC_ALL=C", NULL};
    const char *const argv[] = {probe->emulator,
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
    static guint n_launched;
    g_autofree char *name = g_strdup_printf("qemu-probe-%u", n_launched++);
    const VbLaunchSpec spec = {
        .kind = VB_LAUNCH_ENDS,
        .name = name,
        .argv = argv,
        .env = env,
        .fds = &monitor,
        .n_fds = 1,
        .output = words,
        .identity = by->identity,
        .title = "Ask an emulator what it can do",
    };

    by->launcher->launch(by->self, &spec,
                         g_task_new(NULL, probe->stop, on_process_over, g_object_ref(task)));
}

void vb_caps_probe_async(const char *emulator, const VbLaunchBy *by, guint timeout_ms,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data)
{
    static const VbQmpCallbacks callbacks = {NULL, NULL};
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    Probe *probe;
    vb_autofd int ours = -1, theirs = -1, words = -1;
    int pair[2] = {-1, -1}, pipe[2] = {-1, -1};

    g_task_set_source_tag(task, vb_caps_probe_async);
    if (g_task_return_error_if_cancelled(task)) /* whoever launches may be gone */
        return;
    probe = g_new0(Probe, 1);
    g_task_set_task_data(task, probe, probe_free);
    probe->emulator = g_strdup(emulator);
    probe->deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    probe->replies = json_object_new();
    probe->stop = g_cancellable_new();
    probe->words = -1;

    gboolean made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 &&
                    pipe2(pipe, O_CLOEXEC) == 0;
    ours = pair[0];
    theirs = pair[1];
    probe->words = pipe[0];
    words = pipe[1];
    if (!made) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_FAILED, "No monitor for a probe: %s",
                                g_strerror(errno));
        return;
    }
    launch(task, by ? by : &vb_launch_by_us, theirs, words);
    probe->qmp = vb_qmp_new(vb_steal_fd(&ours), &callbacks, NULL);
    vb_qmp_start_async(probe->qmp, timeout_ms, cancellable, on_started, g_steal_pointer(&task));
}

JsonObject *vb_caps_probe_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
