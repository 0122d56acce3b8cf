/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs the helper under a time limit. The verdict waits for the helper's end or the clock; what a
 * cancelled launch has started is not waited for: a process that hangs in the kernel dies when the
 * kernel lets it. */
#include "kvm-probe.h"

#include <fcntl.h>

#include "error.h"
#include "fd.h"

struct VbKvmProbe {
    char *helper;
    VbLaunchBy by;
    gboolean asked, known;
    char *reason; /* why KVM does not work; NULL when it does, or when not known yet */
    int words;    /* a pipe of what the helper says */
    GCancellable *enough;
    GSource *timer;
    GPtrArray *waiters; /* GTask */
};

static void probe_clear(gpointer data)
{
    VbKvmProbe *probe = data;

    g_free(probe->helper);
    g_free(probe->reason);
    vb_clear_fd(&probe->words);
    g_object_unref(probe->enough);
    g_ptr_array_unref(probe->waiters);
}

static void probe_unref(gpointer probe)
{
    g_rc_box_release_full(probe, probe_clear);
}

static void answer(VbKvmProbe *probe, GTask *task)
{
    if (probe->reason)
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                                "KVM does not work on this host: %s", probe->reason);
    else
        g_task_return_boolean(task, TRUE);
}

/* The verdict; `reason` (taken over) is NULL when KVM works. */
static void conclude(VbKvmProbe *probe, char *reason)
{
    g_autoptr(GPtrArray) waiters = g_steal_pointer(&probe->waiters);

    probe->waiters = g_ptr_array_new_with_free_func(g_object_unref);
    probe->known = TRUE;
    probe->reason = reason;
    for (guint i = 0; i < waiters->len; i++)
        answer(probe, waiters->pdata[i]);
}

static gboolean on_time_over(gpointer data)
{
    VbKvmProbe *probe = data;

    g_cancellable_cancel(probe->enough);
    return G_SOURCE_REMOVE;
}

static void on_helper_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    VbKvmProbe *probe = data;
    g_autofree char *words = vb_last_words_take(probe->words);
    g_autoptr(GError) error = NULL;
    char *reason = NULL;

    g_source_destroy(probe->timer);
    g_clear_pointer(&probe->timer, g_source_unref);
    vb_clear_fd(&probe->words);
    g_task_propagate_pointer(G_TASK(result), &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        reason = g_strdup("the probe's vCPU did not run within 1 s");
    else if (error)
        reason = g_strdup(*words ? words : error->message);
    conclude(probe, reason);
    probe_unref(probe);
}

static void start_helper(VbKvmProbe *probe)
{
    static const char *const env[] = {"LC_ALL=C", NULL};
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();
    const char *const argv[] = {probe->helper, NULL};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        conclude(probe, g_strdup(g_strerror(errno)));
        return;
    }
    vb_autofd int theirs = ends[1];
    probe->words = ends[0];
    probe->asked = TRUE;
    probe->timer = g_timeout_source_new(VB_KVM_PROBE_TIMEOUT_MS);
    g_source_set_callback(probe->timer, on_time_over, probe, NULL);
    g_source_attach(probe->timer, context);

    const VbLaunchSpec spec = {
        .kind = VB_LAUNCH_ENDS,
        .name = "kvm-probe",
        .argv = argv,
        .env = env,
        .output = theirs,
        .identity = probe->by.identity,
        .title = "See whether KVM works",
    };
    probe->by.launcher->launch(
        probe->by.self, &spec,
        g_task_new(NULL, probe->enough, on_helper_ended, g_rc_box_acquire(probe)));
}

VbKvmProbe *vb_kvm_probe_new(const char *helper, const VbLaunchBy *by)
{
    VbKvmProbe *probe = g_rc_box_new0(VbKvmProbe);

    probe->helper = g_strdup(helper);
    probe->by = by ? *by : vb_launch_by_us;
    probe->words = -1;
    probe->enough = g_cancellable_new();
    probe->waiters = g_ptr_array_new_with_free_func(g_object_unref);
    return probe;
}

void vb_kvm_probe_free(VbKvmProbe *probe)
{
    if (!probe)
        return;
    g_cancellable_cancel(probe->enough);
    probe_unref(probe);
}

void vb_kvm_probe_ask_async(VbKvmProbe *probe, GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);

    g_task_set_source_tag(task, vb_kvm_probe_ask_async);
    if (probe->known) {
        answer(probe, task);
        return;
    }
    g_ptr_array_add(probe->waiters, g_steal_pointer(&task));
    if (!probe->asked)
        start_helper(probe);
}

gboolean vb_kvm_probe_ask_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
