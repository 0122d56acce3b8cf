/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs the helper under a time limit. The verdict waits for the helper's words or the clock, never
 * for its death: a process that hangs in the kernel dies when the kernel lets it, and GSubprocess
 * reaps it then. */
#include "kvm-probe.h"

#include <string.h>

#include "error.h"

struct VbKvmProbe {
    char *helper;
    VbIdentity *identity;
    gboolean known;
    char *reason; /* why KVM does not work; NULL when it does, or when not known yet */
    GSubprocess *process;
    GCancellable *enough; /* no longer listening to the helper */
    GSource *timer;
    GPtrArray *waiters; /* GTask */
};

static void probe_clear(gpointer data)
{
    VbKvmProbe *probe = data;

    g_free(probe->helper);
    vb_identity_unref(probe->identity);
    g_free(probe->reason);
    g_clear_object(&probe->process);
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

static void stop_helper(VbKvmProbe *probe)
{
    if (probe->process)
        g_subprocess_force_exit(probe->process);
    g_cancellable_cancel(probe->enough);
}

static gboolean on_time_over(gpointer data)
{
    stop_helper(data);
    return G_SOURCE_REMOVE;
}

static void on_helper_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    VbKvmProbe *probe = data;
    GSubprocess *process = G_SUBPROCESS(source);
    g_autofree char *words = NULL;
    g_autoptr(GError) error = NULL;
    char *reason = NULL;

    g_source_destroy(probe->timer);
    g_clear_pointer(&probe->timer, g_source_unref);
    if (!g_subprocess_communicate_utf8_finish(process, result, &words, NULL, &error)) {
        reason = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
                     ? g_strdup("the probe's vCPU did not run within 1 s")
                     : g_strdup(error->message);
    } else if (!g_subprocess_get_successful(process)) {
        g_strdelimit(g_strchomp(words), "\r\n", ' ');
        reason = g_strdup(*words ? words : "the probe ended without a word");
    }
    conclude(probe, reason);
    probe_unref(probe);
}

static void start_helper(VbKvmProbe *probe)
{
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();
    const char *const argv[] = {probe->helper, NULL};
    g_auto(GStrv) command = vb_identity_command(probe->identity, argv);
    g_autoptr(GError) error = NULL;

    probe->process = g_subprocess_newv(
        (const char *const *)command,
        G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);
    if (!probe->process) {
        conclude(probe, g_strdup(error->message));
        return;
    }
    probe->timer = g_timeout_source_new(VB_KVM_PROBE_TIMEOUT_MS);
    g_source_set_callback(probe->timer, on_time_over, probe, NULL);
    g_source_attach(probe->timer, context);
    g_subprocess_communicate_utf8_async(probe->process, NULL, probe->enough, on_helper_ended,
                                        g_rc_box_acquire(probe));
}

VbKvmProbe *vb_kvm_probe_new(const char *helper, VbIdentity *identity)
{
    VbKvmProbe *probe = g_rc_box_new0(VbKvmProbe);

    probe->helper = g_strdup(helper);
    probe->identity = identity ? vb_identity_ref(identity) : NULL;
    probe->enough = g_cancellable_new();
    probe->waiters = g_ptr_array_new_with_free_func(g_object_unref);
    return probe;
}

void vb_kvm_probe_free(VbKvmProbe *probe)
{
    if (!probe)
        return;
    stop_helper(probe);
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
    if (!probe->process)
        start_helper(probe);
}

gboolean vb_kvm_probe_ask_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
