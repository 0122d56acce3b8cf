/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns what is asked of a job and who waits for it: cancel, pivot, speed, pause, dismiss. An intent
 * is on record before the hypervisor hears of it; a waiter is answered by the outcome alone. See
 * job.h. */
#include "job.h"

#include "core-private.h"
#include "log.h"

/* An async caller hears of a refusal if it comes within this time, and does not wait longer. */
#define ASYNC_GRACE_MS 20

/* ---- waiters ----------------------------------------------------------------------------------
 */

static void waiter_free(VbJobWaiter *waiter)
{
    g_clear_handle_id(&waiter->grace_source, g_source_remove);
    g_free(waiter);
}

static const char *outcome(const VbJob *job)
{
    return vb_job_result_to_string(job->info.result);
}

void vb_job_answer(VbJob *job, GTask *task)
{
    VbJobWaiter *waiter = g_task_get_task_data(task);
    const VbJobInfo *info = &job->info;
    const char *colon = *info->error_message ? ": " : "";

    g_clear_handle_id(&waiter->grace_source, g_source_remove);
    if (!waiter->pivot && info->result == VB_JOB_RESULT_CANCELED)
        g_task_return_boolean(task, TRUE);
    else if (!waiter->pivot)
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_NO_BLOCK_JOB,
                                "block job %u on disk '%s' finished before it could be canceled: "
                                "%s%s%s",
                                info->number, info->disk, outcome(job), colon, info->error_message);
    else if (info->result == VB_JOB_RESULT_COMPLETED && info->pivoted)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_new_error(task, VB_ERROR,
                                info->result == VB_JOB_RESULT_FAILED ? VB_ERROR_BLOCK_JOB_FAILED
                                                                     : VB_ERROR_BLOCK_JOB_CANCELED,
                                "block job %u on disk '%s' did not pivot: %s%s%s", info->number,
                                info->disk, outcome(job), colon, info->error_message);
}

/* Async waiters are answered as soon as the command was accepted, or was not refused in time. */
static void answer_async(VbJob *job)
{
    g_autoptr(GPtrArray) answered = g_ptr_array_new_with_free_func(g_object_unref);

    for (guint i = job->waiters->len; i > 0; i--) {
        VbJobWaiter *waiter = g_task_get_task_data(g_ptr_array_index(job->waiters, i - 1));
        if (waiter->async)
            g_ptr_array_insert(answered, 0, g_ptr_array_steal_index(job->waiters, i - 1));
    }
    for (guint i = 0; i < answered->len; i++) {
        GTask *task = g_ptr_array_index(answered, i);
        VbJobWaiter *waiter = g_task_get_task_data(task);
        g_clear_handle_id(&waiter->grace_source, g_source_remove);
        g_task_return_boolean(task, TRUE);
    }
}

static gboolean on_grace(gpointer user_data)
{
    GTask *task = user_data;
    VbJobWaiter *waiter = g_task_get_task_data(task);
    VbJob *job = g_object_get_data(G_OBJECT(task), "vb-job");

    waiter->grace_source = 0;
    g_object_ref(task);
    g_ptr_array_remove(job->waiters, task);
    g_task_return_boolean(task, TRUE);
    g_object_unref(task);
    return G_SOURCE_REMOVE;
}

static GTask *new_task(VbJob *job, VbJobFlags flags, gboolean pivot, GAsyncReadyCallback callback,
                       gpointer user_data)
{
    /* No cancellable: what was asked goes on when the caller leaves. */
    GTask *task = g_task_new(NULL, NULL, callback, user_data);
    VbJobWaiter *waiter = g_new0(VbJobWaiter, 1);

    waiter->pivot = pivot;
    waiter->async = flags & VB_JOB_ASYNC;
    g_task_set_task_data(task, waiter, (GDestroyNotify)waiter_free);
    g_object_set_data_full(G_OBJECT(task), "vb-job", vb_job_ref(job), (GDestroyNotify)vb_job_unref);
    return task;
}

static void wait_for_end(VbJob *job, GTask *task)
{
    VbJobWaiter *waiter = g_task_get_task_data(task);

    /* A driver that cancels silently has ended the job when it returns: that is waited for. */
    if (waiter->async && (waiter->pivot || job->cancel_mode == VB_CANCEL_REPORTED))
        waiter->grace_source = g_timeout_add(ASYNC_GRACE_MS, on_grace, task);
    g_ptr_array_add(job->waiters, task);
}

gboolean vb_job_finish(VbJob *job, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- cancel and pivot -------------------------------------------------------------------------
 */

typedef struct {
    VbJob *job;
    guint command;
    gboolean cancel;
} Command;

static void command_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Command *command = user_data;
    g_autoptr(VbJob) job = command->job;
    g_autoptr(GError) error = NULL;
    gboolean accepted = g_task_propagate_boolean(G_TASK(result), &error);

    /* An end that is known already answers everybody. */
    if (!vb_job_is_live(job) || job->command != command->command || job->end_known)
        return;
    if (accepted && command->cancel && job->cancel_mode == VB_CANCEL_SILENT) {
        /* It returned, so the job is gone, and nobody but us will say so. */
        vb_job_end_silently(job);
    } else if (accepted) {
        answer_async(job);
    } else {
        vb_job_ask_after_refusal(job, g_steal_pointer(&error));
    }
}

static GTask *command_new(VbJob *job, gboolean cancel)
{
    Command *command = g_new0(Command, 1);

    g_clear_error(&job->refused); /* that was about the command before */
    command->job = vb_job_ref(job);
    command->command = ++job->command;
    command->cancel = cancel;
    return g_task_new(NULL, NULL, command_done, command);
}

void vb_job_send_cancel(VbJob *job)
{
    VbDomain *domain = job->info.domain;

    domain->info.driver->job_cancel(
        domain->driver_self, job,
        job->intent == VB_INTENT_CANCEL_SOFT ? VB_CANCEL_SOFT : VB_CANCEL_FORCED,
        command_new(job, TRUE));
    vb_domain_arm_poll(domain);
}

void vb_job_send_pivot(VbJob *job)
{
    VbDomain *domain = job->info.domain;

    domain->info.driver->job_complete(domain->driver_self, job, command_new(job, FALSE));
    vb_domain_arm_poll(domain);
}

static gboolean check_live(VbJob *job, const char *what, GError **error)
{
    const VbJobInfo *info = &job->info;

    if (!vb_job_is_live(job)) {
        g_set_error(error, VB_ERROR, VB_ERROR_NO_BLOCK_JOB,
                    "block job %u on disk '%s' finished before it could be %s: %s%s%s",
                    info->number, info->disk, what, outcome(job), *info->error_message ? ": " : "",
                    info->error_message);
        return FALSE;
    }
    if (!info->domain->info.responsive) {
        g_set_error(error, VB_ERROR, VB_ERROR_TIMEOUT,
                    "the monitor of domain '%s' does not answer; only destroy works on it",
                    info->domain->info.name);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_ending(VbJob *job, GError **error)
{
    const char *pending = job->intent == VB_INTENT_PIVOT ? "a pivot" : "a cancel";

    if (!job->finalizing && !job->end_known && job->intent == VB_INTENT_NONE)
        return TRUE;
    g_set_error(error, VB_ERROR, VB_ERROR_BLOCK_JOB_ENDING,
                "block job %u on disk '%s' is ending already: %s is pending", job->info.number,
                job->info.disk, job->end_known ? "its end" : pending);
    return FALSE;
}

void vb_job_cancel_async(VbJob *job, VbJobFlags flags, GAsyncReadyCallback callback,
                         gpointer user_data)
{
    g_autoptr(GTask) task = new_task(job, flags, FALSE, callback, user_data);
    gboolean paused = job->user_paused || job->info.io_status != VB_IO_STATUS_OK;
    gboolean soft = vb_job_can_pivot(job) && job->info.ready && !paused && !(flags & VB_JOB_FORCE);
    /* Force overrules what is pending, until the end is on its way. */
    gboolean escalates = flags & VB_JOB_FORCE && !job->finalizing && !job->end_known &&
                         job->intent != VB_INTENT_CANCEL_FORCED;
    GError *error = NULL;

    if (check_live(job, "canceled", &error) && job->end_known && job->intent == VB_INTENT_NONE) {
        /* It ended by itself, and how is being worked out: that is the answer. */
        ((VbJobWaiter *)g_task_get_task_data(task))->async = FALSE;
        wait_for_end(job, g_steal_pointer(&task));
        return;
    }
    if (error || (!escalates && !check_ending(job, &error))) {
        g_task_return_error(task, error);
        return;
    }
    wait_for_end(job, g_steal_pointer(&task));
    vb_log_info(job->info.domain->info.uuid, job->info.id, "cancel of block job %u requested",
                job->info.number);
    /* The intent is on record before the hypervisor hears of it. */
    vb_job_set_intent(job, soft ? VB_INTENT_CANCEL_SOFT : VB_INTENT_CANCEL_FORCED);
    vb_job_send_cancel(job);
}

void vb_job_pivot_async(VbJob *job, VbJobFlags flags, GAsyncReadyCallback callback,
                        gpointer user_data)
{
    g_autoptr(GTask) task = new_task(job, flags, TRUE, callback, user_data);
    GError *error = NULL;

    if (!check_live(job, "pivoted", &error)) {
        g_task_return_error(task, error);
        return;
    }
    if (!vb_job_can_pivot(job)) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                                "block job %u on disk '%s' is a %s, which cannot pivot",
                                job->info.number, job->info.disk,
                                vb_job_type_to_string(job->info.type));
        return;
    }
    /* With force, a pivot that meets a pivot becomes a cancel (docs/block-jobs.md). */
    if (flags & VB_JOB_FORCE && job->intent == VB_INTENT_PIVOT && !job->finalizing &&
        !job->end_known) {
        ((VbJobWaiter *)g_task_get_task_data(task))->pivot = FALSE;
        wait_for_end(job, g_steal_pointer(&task));
        vb_job_set_intent(job, VB_INTENT_CANCEL_FORCED);
        vb_job_send_cancel(job);
        return;
    }
    if (!check_ending(job, &error)) {
        g_task_return_error(task, error);
        return;
    }
    if (!job->info.ready) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_BLOCK_JOB_NOT_READY,
                                "block job %u on disk '%s' is not ready to pivot", job->info.number,
                                job->info.disk);
        return;
    }
    wait_for_end(job, g_steal_pointer(&task));
    vb_log_info(job->info.domain->info.uuid, job->info.id, "pivot of block job %u requested",
                job->info.number);
    vb_job_set_intent(job, VB_INTENT_PIVOT);
    vb_job_send_pivot(job);
}

/* ---- speed, pause, dismiss --------------------------------------------------------------------
 */

typedef struct {
    VbJob *job;
    gboolean pause; /* or it is about the bandwidth */
    gboolean paused;
    guint64 bandwidth;
} Setting;

static void setting_free(Setting *setting)
{
    vb_job_unref(setting->job);
    g_free(setting);
}

static void setting_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Setting *setting = g_task_get_task_data(task);
    VbJob *job = setting->job;
    GError *error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        /* It may have ended on the way: then that is the reason, not the monitor's text. */
        if (!vb_job_is_live(job)) {
            g_clear_error(&error);
            check_live(job, setting->pause ? "paused" : "changed", &error);
        }
        g_task_return_error(task, error);
        return;
    }
    if (vb_job_is_live(job) && setting->pause) {
        VbJobProps props = 0;
        job->user_paused = setting->paused;
        if (!setting->paused && job->info.io_status != VB_IO_STATUS_OK) {
            job->info.io_status = VB_IO_STATUS_OK;
            props |= VB_JOB_PROP_IO_STATUS;
        }
        vb_job_save(job);
        vb_job_update(job, props);
    } else if (vb_job_is_live(job)) {
        job->info.bandwidth = setting->bandwidth;
        vb_job_save(job);
        vb_job_update(job, VB_JOB_PROP_BANDWIDTH);
    }
    g_task_return_boolean(task, TRUE);
}

/* The task for a setting, or NULL when the job has ended (`task` is answered then). */
static GTask *setting_new(GTask *task, VbJob *job, Setting values)
{
    Setting *setting = g_memdup2(&values, sizeof values);
    GError *error = NULL;

    setting->job = vb_job_ref(job);
    g_task_set_task_data(task, setting, (GDestroyNotify)setting_free);
    if (!check_live(job, values.pause ? "paused" : "changed", &error)) {
        g_task_return_error(task, error);
        return NULL;
    }
    return g_task_new(NULL, NULL, setting_done, g_object_ref(task));
}

void vb_job_set_bandwidth_async(VbJob *job, guint64 bandwidth, GAsyncReadyCallback callback,
                                gpointer user_data)
{
    VbDomain *domain = job->info.domain;
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    GTask *setting = setting_new(task, job, (Setting){.bandwidth = bandwidth});

    if (setting)
        domain->info.driver->job_set_speed(domain->driver_self, job, bandwidth, setting);
}

void vb_job_set_paused_async(VbJob *job, gboolean paused, GAsyncReadyCallback callback,
                             gpointer user_data)
{
    VbDomain *domain = job->info.domain;
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);

    if (vb_job_is_live(job) && job->info.state == VB_JOB_FINISHING) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_BLOCK_JOB_ENDING,
                                "block job %u on disk '%s' is ending", job->info.number,
                                job->info.disk);
        return;
    }
    if (vb_job_is_live(job) && paused == (job->info.state == VB_JOB_PAUSED)) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_INVALID_STATE,
                                "block job %u on disk '%s' is %s paused", job->info.number,
                                job->info.disk, paused ? "already" : "not");
        return;
    }
    GTask *setting = setting_new(task, job, (Setting){.pause = TRUE, .paused = paused});
    if (setting)
        domain->info.driver->job_set_paused(domain->driver_self, job, paused, setting);
}

gboolean vb_job_dismiss(VbJob *job, GError **error)
{
    if (vb_job_is_live(job)) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_STATE,
                    "block job %u on disk '%s' is %s: only a concluded job can be dismissed",
                    job->info.number, job->info.disk, vb_job_state_to_string(job->info.state));
        return FALSE;
    }
    vb_domain_remove_job(job->info.domain, job);
    return TRUE;
}
