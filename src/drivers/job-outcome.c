/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns how a job ends: which outcome belongs to what was observed and what was intended (the table
 * in docs/block-jobs.md), the switch of a pivot, and conclude(), the only place where a job
 * becomes concluded and its terminal signal is given. The order is persist, emit, answer, clean up.
 */
#include "job.h"

#include "core-private.h"
#include "error.h"
#include "log.h"

static gboolean cancel_intended(const VbJob *job)
{
    return job->intent == VB_INTENT_CANCEL_SOFT || job->intent == VB_INTENT_CANCEL_FORCED;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

void vb_job_announce(VbJob *job)
{
    if (job->announced)
        return;
    VB_EMIT(job->info.domain->host, job_concluded, job);
    job->announced = TRUE;
    vb_job_save(job);
}

static void conclude(VbJob *job, VbJobResult result, VbJobReason reason, const char *error)
{
    VbDomain *domain = job->info.domain;

    if (!vb_job_is_live(job))
        return;
    g_autoptr(VbJob) keep = vb_job_ref(job);
    job->info.state = VB_JOB_CONCLUDED;
    job->info.result = result;
    job->info.reason = reason;
    job->info.end_time = g_get_real_time();
    if (result == VB_JOB_RESULT_FAILED) {
        g_free((char *)job->info.error_message);
        job->info.error_message = vb_error_line(error ? error : vb_job_reason_to_string(reason));
        job->info.error_code = VB_ERROR_BLOCK_JOB_FAILED;
    }
    /* First what it made of the disk: who finds the outcome on record must find that, too. */
    if (result == VB_JOB_RESULT_COMPLETED && domain->live && vb_job_apply(job, domain->live))
        vb_domain_live_def_changed(domain);
    vb_job_save(job);

    vb_log_event(VB_MESSAGE_JOB_ENDED, G_LOG_LEVEL_INFO, domain->info.uuid, job->info.id,
                 "block job %u (%s) on disk '%s': %s (%s)%s%s", job->info.number,
                 vb_job_type_to_string(job->info.type), job->info.disk,
                 vb_job_result_to_string(result), vb_job_reason_to_string(reason),
                 *job->info.error_message ? ": " : "", job->info.error_message);
    vb_job_update(job, VB_JOB_PROP_STATE | VB_JOB_PROP_RESULT | VB_JOB_PROP_PROGRESS |
                           VB_JOB_PROP_CANCELABLE);
    VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_BLOCK_JOBS);
    vb_job_announce(job);

    /* From here on the disk takes a new job (which waits for the clean-up), so do it first: an
     * answer may bring that job at once. */
    vb_host_keep_concluded(domain->host, job);
    vb_job_clean(job);
    g_autoptr(GPtrArray) waiters = g_steal_pointer(&job->waiters);
    job->waiters = g_ptr_array_new_with_free_func(g_object_unref);
    for (guint i = 0; i < waiters->len; i++)
        vb_job_answer(job, g_ptr_array_index(waiters, i));
}

static void conclude_decided(VbJob *job)
{
    conclude(job, job->outcome, job->info.reason, job->outcome_error);
}

static void outcome_stored(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(VbJob) job = user_data;
    VbDomain *domain = job->info.domain;
    g_autoptr(GError) error = NULL;

    /* A definition that cannot be written never keeps a terminal signal back. */
    if (!vb_domain_write_stored_finish(domain, result, &error))
        vb_log_warning(domain->info.uuid, job->info.id, "%s", error->message);
    vb_domain_unlock_definition(domain);
    conclude_decided(job);
}

/* The stored definition first, when the disk is not what it was (or, after a pivot that failed, is
 * again). */
static void store_outcome(gpointer user_data)
{
    g_autoptr(VbJob) job = user_data;
    VbDomain *domain = job->info.domain;
    g_autoptr(GError) error = NULL;

    if (domain->info.persistent && !vb_domain_load_stored(domain, &error)) {
        vb_log_warning(domain->info.uuid, job->info.id, "%s", error->message);
    } else if (domain->info.persistent) {
        g_autoptr(VbDomainDef) def = vb_domain_def_copy(domain->stored);
        gboolean undo = job->finalizing && job->intent == VB_INTENT_PIVOT;
        if (job->outcome == VB_JOB_RESULT_COMPLETED ? vb_job_apply(job, def)
                                                    : undo && vb_job_unapply(job, def)) {
            vb_domain_write_stored_async(domain, g_steal_pointer(&def), outcome_stored,
                                         g_steal_pointer(&job));
            return;
        }
    }
    vb_domain_unlock_definition(domain);
    conclude_decided(job);
}

static void decide(VbJob *job, VbJobResult result, VbJobReason reason, const char *error)
{
    job->outcome = result;
    job->info.reason = reason;
    job->outcome_error = g_strdup(error);
    vb_job_update(job, 0);
    vb_domain_lock_definition(job->info.domain, store_outcome, vb_job_ref(job));
}

/* ---- which outcome ----------------------------------------------------------------------------
 */

static VbJobReason cancel_reason(const VbJob *job)
{
    if (vb_domain_is_stopping(job->info.domain))
        return VB_JOB_REASON_DOMAIN_STOPPED;
    return cancel_intended(job) ? VB_JOB_REASON_REQUESTED : VB_JOB_REASON_EXTERNAL;
}

/* A copy or an active commit completed: only the root tells whether it pivoted. */
static void decide_by_root(VbJob *job, gboolean root_is_target)
{
    job->info.pivoted = root_is_target;
    job->info.consistent = TRUE;
    if (root_is_target)
        decide(job, VB_JOB_RESULT_COMPLETED, VB_JOB_REASON_DONE, NULL);
    else
        decide(job, VB_JOB_RESULT_CANCELED, cancel_reason(job), NULL);
}

static void root_known(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(VbJob) job = user_data;
    g_autoptr(GError) error = NULL;
    gboolean root_is_target = g_task_propagate_boolean(G_TASK(result), &error);

    if (!vb_job_is_live(job) || job->outcome != VB_JOB_RESULT_NONE)
        return;
    if (error) {
        /* The monitor is going, and vb_domain_gone() decides; if it stays, what we did decides. */
        vb_log_warning(job->info.domain->info.uuid, job->info.id,
                       "cannot tell which image is the root of disk '%s': %s", job->info.disk,
                       error->message);
        if (!vb_domain_is_active(job->info.domain))
            return;
        root_is_target = job->intent == VB_INTENT_PIVOT && job->finalizing;
    }
    decide_by_root(job, root_is_target);
}

static void ask_root(VbJob *job)
{
    VbDomain *domain = job->info.domain;

    vb_job_update(job, 0);
    domain->info.driver->job_root(domain->driver_self, job,
                                  g_task_new(NULL, NULL, root_known, vb_job_ref(job)));
}

void vb_job_end(VbJob *job, const VbJobReport *report)
{
    if (!vb_job_is_live(job) || job->end_known)
        return;
    job->end_known = TRUE;
    job->info.synthesized = report->polled || report->kind == VB_REPORT_VANISHED;
    job->info.current = report->current;
    job->info.total = report->total;

    if (report->kind == VB_REPORT_CANCELED) {
        decide(job, VB_JOB_RESULT_CANCELED, cancel_reason(job), NULL);
    } else if (report->kind == VB_REPORT_VANISHED && job->finalizing) {
        ask_root(job);
    } else if (report->kind == VB_REPORT_VANISHED) {
        decide(job, cancel_intended(job) ? VB_JOB_RESULT_CANCELED : VB_JOB_RESULT_FAILED,
               VB_JOB_REASON_VANISHED, "the hypervisor no longer knows the job");
    } else if (report->error &&
               (job->intent == VB_INTENT_CANCEL_SOFT || (report->polled && cancel_intended(job)))) {
        /* Of a job found concluded, the error may be the cancel's own work. */
        decide(job, VB_JOB_RESULT_CANCELED, cancel_reason(job), NULL);
    } else if (report->error) {
        decide(job, VB_JOB_RESULT_FAILED, VB_JOB_REASON_IO_ERROR, report->error);
    } else if (vb_job_can_pivot(job)) {
        ask_root(job);
    } else {
        decide(job, VB_JOB_RESULT_COMPLETED, VB_JOB_REASON_DONE, NULL);
    }
}

/* Was the stored definition switched before the domain went? */
static gboolean switch_is_stored(const VbJob *job)
{
    VbDomain *domain = job->info.domain;
    g_autoptr(GError) error = NULL;

    if (!domain->info.persistent)
        return FALSE;
    if (vb_domain_load_stored(domain, &error))
        return vb_job_is_applied(job, domain->stored);
    vb_log_warning(domain->info.uuid, job->info.id, "%s", error->message);
    return FALSE;
}

void vb_job_domain_gone(VbJob *job, gboolean stopped)
{
    VbJobReason reason = stopped ? VB_JOB_REASON_DOMAIN_STOPPED : VB_JOB_REASON_DOMAIN_CRASHED;
    gboolean switched = job->finalizing && job->intent == VB_INTENT_PIVOT &&
                        (job->finalize_sent || switch_is_stored(job));

    /* Its nodes went with the hypervisor. */
    if (!job->cleaned) {
        job->cleaned = TRUE;
        vb_job_save(job);
    }
    if (!vb_job_is_live(job))
        return;
    if (job->outcome != VB_JOB_RESULT_NONE) {
        conclude_decided(job);
        return;
    }
    /* The end was reported, but the root can no longer be asked: a switch that was sent is done. */
    job->info.synthesized = !job->end_known;
    if (switched || job->end_known) {
        job->info.pivoted = switched;
        job->info.consistent = TRUE;
        if (switched)
            conclude(job, VB_JOB_RESULT_COMPLETED, job->end_known ? VB_JOB_REASON_DONE : reason,
                     NULL);
        else
            conclude(job, VB_JOB_RESULT_CANCELED, cancel_reason(job), NULL);
    } else if (stopped || cancel_intended(job)) {
        conclude(job, VB_JOB_RESULT_CANCELED, reason, NULL);
    } else {
        conclude(job, VB_JOB_RESULT_FAILED, reason, "the domain crashed");
    }
}

/* ---- the switch of a pivot --------------------------------------------------------------------
 */

static void finalize_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(VbJob) job = user_data;
    g_autoptr(GError) error = NULL;

    if (g_task_propagate_boolean(G_TASK(result), &error) || !vb_job_is_live(job) || job->end_known)
        return;
    vb_log_warning(job->info.domain->info.uuid, job->info.id, "block job %u is not finalized: %s",
                   job->info.number, error->message);
    /* The next query tells what became of it; one that is still pending is finalized again. */
    job->finalize_sent = FALSE;
}

static void send_finalize(VbJob *job)
{
    VbDomain *domain = job->info.domain;

    job->finalize_sent = TRUE;
    domain->info.driver->job_finalize(domain->driver_self, job,
                                      g_task_new(NULL, NULL, finalize_done, vb_job_ref(job)));
}

/* Is the switch still to be made? */
static gboolean is_switching(const VbJob *job)
{
    return vb_job_is_live(job) && !job->end_known && job->info.domain->live;
}

static void switch_stored(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(VbJob) job = user_data;
    g_autoptr(GError) error = NULL;
    VbDomain *domain = job->info.domain;
    gboolean stored = vb_domain_write_stored_finish(domain, result, &error);

    job->switching = FALSE;
    if (is_switching(job) && stored) {
        send_finalize(job);
    } else if (is_switching(job)) {
        /* What is not durable must not be switched to. */
        vb_log_warning(domain->info.uuid, job->info.id, "the pivot of disk '%s' is given up: %s",
                       job->info.disk, error->message);
        g_autoptr(VbDomainDef) def = vb_domain_def_copy(domain->stored);
        vb_job_unapply(job, def);
        vb_domain_take_stored(domain, g_steal_pointer(&def), NULL);
        job->finalizing = FALSE;
        vb_job_set_intent(job, VB_INTENT_CANCEL_FORCED);
        vb_job_update(job, VB_JOB_PROP_CANCELABLE);
        vb_job_send_cancel(job);
    }
    vb_domain_unlock_definition(domain);
}

static void store_switch(gpointer user_data)
{
    g_autoptr(VbJob) job = user_data;
    VbDomain *domain = job->info.domain;

    if (is_switching(job) && domain->info.persistent) {
        g_autoptr(VbDomainDef) def = vb_domain_def_copy(domain->stored);
        if (vb_job_apply(job, def)) {
            vb_domain_write_stored_async(domain, g_steal_pointer(&def), switch_stored,
                                         g_steal_pointer(&job));
            return;
        }
    }
    job->switching = FALSE;
    vb_domain_unlock_definition(domain);
    if (is_switching(job))
        send_finalize(job);
}

void vb_job_pending(VbJob *job)
{
    /* A job that is not ours is finalized by whoever started it. */
    if (!vb_job_is_live(job) || job->end_known || job->info.external)
        return;
    if (job->intent == VB_INTENT_CANCEL_FORCED) {
        /* The cancel is on its way, unless it was lost. */
        if (job->pending_seen)
            vb_job_send_cancel(job);
        job->pending_seen = TRUE;
        return;
    }
    if (job->switching || job->finalize_sent)
        return;
    if (!job->finalizing) {
        job->finalizing = TRUE;
        /* Nobody else completes jobs of ours; if somebody did, the guest's writes wait for us. */
        if (job->intent == VB_INTENT_NONE)
            vb_job_set_intent(job, VB_INTENT_PIVOT);
        vb_job_save(job);
        vb_job_update(job, VB_JOB_PROP_CANCELABLE);
    }
    if (job->intent != VB_INTENT_PIVOT) {
        send_finalize(job);
        return;
    }
    job->switching = TRUE;
    vb_domain_lock_definition(job->info.domain, store_switch, vb_job_ref(job));
}

/* ---- afterwards -------------------------------------------------------------------------------
 */

static void cleaned(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(VbJob) job = user_data;
    g_autoptr(VbDomain) domain = vb_domain_ref(job->info.domain);
    g_autoptr(GError) error = NULL;

    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        job->cleaned = TRUE;
        if (domain->live)
            vb_job_save(job);
    } else if (domain->live) {
        /* Not noted as done: the disk's next job, or the next virtbusd, tries again. */
        vb_log_warning(domain->info.uuid, job->info.id, "clean-up after block job %u: %s",
                       job->info.number, error->message);
    }
    /* It was dismissed meanwhile: only now it leaves nothing behind. */
    if (job->removed)
        vb_job_record_remove(job);
    g_ptr_array_remove(domain->cleaning, job);
    vb_domain_run_start_queue(domain);
}

void vb_job_clean(VbJob *job)
{
    VbDomain *domain = job->info.domain;

    if (job->cleaned || !domain->live || g_ptr_array_find(domain->cleaning, job, NULL))
        return;
    g_ptr_array_add(domain->cleaning, vb_job_ref(job));
    domain->info.driver->job_clean(domain->driver_self, job,
                                   g_task_new(NULL, NULL, cleaned, vb_job_ref(job)));
}
