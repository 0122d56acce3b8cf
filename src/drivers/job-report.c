/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns what becomes known of a job: the driver's reports, kept back while the job is held; the
 * query once a second, which gives the progress and finds what no event told; and the same query
 * after a reconnect. See job.h. */
#include "job.h"

#include "core-private.h"
#include "log.h"

#define POLL_SECONDS 1
#define MAX_REPORTS 1000u /* of a job that is held */

void vb_job_report_clear(VbJobReport *report)
{
    g_clear_pointer(&report->error, g_free);
}

/* ---- one report -------------------------------------------------------------------------------
 */

static void set_progress(VbJob *job, guint64 current, guint64 total)
{
    if (job->info.current == current && job->info.total == total)
        return;
    job->info.current = current;
    job->info.total = total;
    vb_job_update(job, VB_JOB_PROP_PROGRESS);
}

static void set_io_status(VbJob *job, VbIoStatus status)
{
    if (job->info.io_status == status)
        return;
    job->info.io_status = status;
    vb_job_update(job, VB_JOB_PROP_IO_STATUS);
}

static void became_ready(VbJob *job)
{
    if (job->info.ready || !vb_job_can_pivot(job))
        return;
    job->info.ready = TRUE;
    vb_job_save(job);
    vb_job_update(job, VB_JOB_PROP_READY);
    VB_EMIT(job->info.domain->host, job_ready, job);
}

static void play(VbJob *job, const VbJobReport *report)
{
    if (!vb_job_is_live(job))
        return;
    switch (report->kind) {
    case VB_REPORT_STATUS:
        set_progress(job, report->current, report->total);
        if (report->status == VB_JOB_STATUS_READY || report->status == VB_JOB_STATUS_STANDBY)
            became_ready(job);
        break;
    case VB_REPORT_IO_ERROR:
        set_io_status(job, report->io_status);
        break;
    case VB_REPORT_CANCELED:
    case VB_REPORT_COMPLETED:
    case VB_REPORT_VANISHED:
        vb_job_end(job, report);
        break;
    }
}

static gboolean is_end(const VbJobReport *report)
{
    return report->kind == VB_REPORT_CANCELED || report->kind == VB_REPORT_COMPLETED ||
           report->kind == VB_REPORT_VANISHED;
}

/* Nothing comes after an end; of the rest there is no end with a hypervisor that means ill. */
static gboolean may_be_kept(VbJob *job, const VbJobReport *report)
{
    const VbJobReport *last = g_queue_peek_tail(&job->reports);

    return !(last && is_end(last)) &&
           (is_end(report) || g_queue_get_length(&job->reports) < MAX_REPORTS);
}

static void take_report(VbJob *job, VbJobReport report)
{
    if (job->held) {
        if (may_be_kept(job, &report))
            g_queue_push_tail(&job->reports, g_memdup2(&report, sizeof report));
        else
            vb_job_report_clear(&report);
        return;
    }
    play(job, &report);
    vb_job_report_clear(&report);
}

void vb_job_play_reports(VbJob *job)
{
    VbJobReport *report;

    while (!job->held && (report = g_queue_pop_head(&job->reports))) {
        play(job, report);
        vb_job_report_clear(report);
        g_free(report);
    }
}

void vb_job_report_status(VbJob *job, VbJobStatusKind status, guint64 current, guint64 total)
{
    /* While it is pending the guest's writes wait: that is acted on even for a job that is held. */
    if (status == VB_JOB_STATUS_PENDING)
        vb_job_pending(job);
    else
        take_report(
            job,
            (VbJobReport){
                .kind = VB_REPORT_STATUS, .status = status, .current = current, .total = total});
}

void vb_job_report_io_error(VbJob *job, VbIoStatus status)
{
    take_report(job, (VbJobReport){.kind = VB_REPORT_IO_ERROR, .io_status = status});
}

void vb_job_report_canceled(VbJob *job, guint64 current, guint64 total)
{
    take_report(job, (VbJobReport){.kind = VB_REPORT_CANCELED, .current = current, .total = total});
}

void vb_job_report_completed(VbJob *job, const char *error, guint64 current, guint64 total)
{
    take_report(job, (VbJobReport){.kind = VB_REPORT_COMPLETED,
                                   .error = g_strdup(error),
                                   .current = current,
                                   .total = total});
}

void vb_job_end_silently(VbJob *job)
{
    take_report(job, (VbJobReport){.kind = VB_REPORT_CANCELED,
                                   .current = job->info.current,
                                   .total = job->info.total,
                                   .polled = TRUE});
}

/* ---- what a query says ------------------------------------------------------------------------
 */

/* A command of ours failed and the job is alive: it is what the hypervisor says, and nothing is
 * wanted of it any more. Those who waited hear why. */
static void put_back(VbJob *job, const GError *refused)
{
    g_autoptr(GPtrArray) waiters = g_steal_pointer(&job->waiters);

    job->waiters = g_ptr_array_new_with_free_func(g_object_unref);
    vb_log_info(job->info.domain->info.uuid, job->info.id, "block job %u goes on: %s",
                job->info.number, refused->message);
    vb_job_set_intent(job, VB_INTENT_NONE);
    for (guint i = 0; i < waiters->len; i++) {
        VbJobWaiter *waiter = g_task_get_task_data(g_ptr_array_index(waiters, i));
        g_clear_handle_id(&waiter->grace_source, g_source_remove);
        g_task_return_error(g_ptr_array_index(waiters, i), g_error_copy(refused));
    }
}

/* What a query says of the job: NULL when it knows none. `refused`: the newest command was, so that
 * a job which is still alive goes back to what it was. */
static void reconcile(VbJob *job, const VbJobStatus *status, const GError *refused)
{
    if (!vb_job_is_live(job) || job->end_known)
        return;
    if (!status) {
        take_report(job, (VbJobReport){.kind = VB_REPORT_VANISHED,
                                       .current = job->info.current,
                                       .total = job->info.total});
        return;
    }
    if (status->status == VB_JOB_STATUS_CONCLUDED) {
        take_report(
            job, (VbJobReport){.kind = status->canceled ? VB_REPORT_CANCELED : VB_REPORT_COMPLETED,
                               .error = status->canceled ? NULL : g_strdup(status->error),
                               .current = status->current,
                               .total = status->total,
                               .polled = TRUE});
        return;
    }
    if (refused && !job->finalizing)
        put_back(job, refused);
    vb_job_report_status(job, status->status, status->current, status->total);
    vb_job_report_io_error(job, status->io_status);
}

/* A job that was live when the question was asked, and what was refused before that. */
typedef struct {
    VbJob *job;
    guint command;
    GError *refused;
} Asked;

typedef struct {
    VbDomain *domain;
    GPtrArray *jobs; /* of Asked */
} Query;

static void asked_free(gpointer data)
{
    Asked *asked = data;

    vb_job_unref(asked->job);
    g_clear_error(&asked->refused);
    g_free(asked);
}

static VbJobStatus *find_status(GPtrArray *statuses, const char *id)
{
    for (guint i = 0; i < statuses->len; i++) {
        VbJobStatus *status = g_ptr_array_index(statuses, i);
        if (g_str_equal(status->id, id))
            return status;
    }
    return NULL;
}

static void query_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Query *query = user_data;
    g_autoptr(VbDomain) domain = query->domain;
    g_autoptr(GPtrArray) jobs = query->jobs;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) statuses = g_task_propagate_pointer(G_TASK(result), &error);

    domain->queries--;
    if (!vb_domain_is_active(domain))
        return;
    if (statuses && domain->unreconciled) {
        vb_domain_reconcile_jobs(domain, statuses);
        return;
    }
    for (guint i = 0; i < jobs->len; i++) {
        Asked *asked = g_ptr_array_index(jobs, i);
        VbJob *job = asked->job;
        /* What was refused is void when something else was asked of the job meanwhile. */
        gboolean counts = asked->refused && asked->command == job->command;
        if (statuses)
            reconcile(job, find_status(statuses, job->info.id), counts ? asked->refused : NULL);
        else if (counts && !job->refused)
            job->refused = g_steal_pointer(&asked->refused); /* the next query tells, or the end */
    }
}

static void ask(VbDomain *domain)
{
    Query *query = g_new0(Query, 1);

    query->domain = vb_domain_ref(domain);
    query->jobs = g_ptr_array_new_with_free_func(asked_free);
    for (guint i = 0; i < domain->jobs->len; i++) {
        VbJob *job = g_ptr_array_index(domain->jobs, i);
        if (!vb_job_is_live(job))
            continue;
        Asked *asked = g_new0(Asked, 1);
        *asked = (Asked){vb_job_ref(job), job->command, g_steal_pointer(&job->refused)};
        g_ptr_array_add(query->jobs, asked);
    }
    domain->queries++;
    domain->info.driver->jobs_query(domain->driver_self, domain,
                                    g_task_new(NULL, NULL, query_done, query));
}

void vb_job_ask_after_refusal(VbJob *job, GError *error)
{
    /* A command that was not answered in time was not refused either. */
    if (!vb_domain_is_active(job->info.domain) ||
        g_error_matches(error, VB_ERROR, VB_ERROR_TIMEOUT)) {
        g_error_free(error);
        return;
    }
    g_clear_error(&job->refused);
    job->refused = error;
    ask(job->info.domain);
}

/* ---- once a second ----------------------------------------------------------------------------
 */

static gboolean has_live_job(const VbDomain *domain)
{
    for (guint i = 0; i < domain->jobs->len; i++)
        if (vb_job_is_live(g_ptr_array_index(domain->jobs, i)))
            return TRUE;
    return FALSE;
}

static gboolean on_poll(gpointer user_data)
{
    VbDomain *domain = user_data;

    if (!has_live_job(domain) && !domain->unreconciled) {
        domain->poll_source = 0;
        return G_SOURCE_REMOVE;
    }
    if (domain->queries == 0)
        ask(domain);
    return G_SOURCE_CONTINUE;
}

void vb_domain_arm_poll(VbDomain *domain)
{
    if (domain->poll_source == 0 && domain->live)
        domain->poll_source = g_timeout_add_seconds(POLL_SECONDS, on_poll, domain);
}

/* ---- after a reconnect ------------------------------------------------------------------------
 */

/* A job that somebody else started in the hypervisor: shown as it is, never ended by ourselves. */
static void adopt(VbDomain *domain, const VbJobStatus *status)
{
    VbJobType type;

    if (status->status == VB_JOB_STATUS_CONCLUDED || !status->disk ||
        !vb_job_type_from_string(status->type, &type) || vb_domain_live_job(domain, status->disk))
        return;
    VbJob *job = vb_job_new(domain, vb_host_take_job_number(domain->host), type, status->disk,
                            vb_job_spec_new(type, status->disk));
    g_free((char *)job->info.id);
    job->info.id = g_strdup(status->id);
    job->info.external = TRUE;
    job->info.reason = VB_JOB_REASON_EXTERNAL;
    job->info.bandwidth = status->speed;
    job->started = TRUE;
    job->held = !domain->host->announced;
    g_ptr_array_add(domain->jobs, job);
    vb_job_update(job, 0);
    vb_job_save(job);
    VB_EMIT(domain->host, job_added, job);
    VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_BLOCK_JOBS);
    reconcile(job, status, NULL);
}

/* What we want of a job that is alive is sent again after a restart: that is harmless. */
static void send_again(VbJob *job, VbJobStatusKind status)
{
    gboolean ready = status == VB_JOB_STATUS_READY || status == VB_JOB_STATUS_STANDBY;

    if (!vb_job_is_live(job) || job->end_known || status == VB_JOB_STATUS_CONCLUDED)
        return;
    /* A soft cancel that is pending is finalized. */
    if (job->intent == VB_INTENT_CANCEL_FORCED ||
        (job->intent == VB_INTENT_CANCEL_SOFT && status != VB_JOB_STATUS_PENDING))
        vb_job_send_cancel(job);
    else if (job->intent == VB_INTENT_PIVOT && ready)
        vb_job_send_pivot(job);
}

void vb_domain_reconcile_jobs(VbDomain *domain, GPtrArray *statuses)
{
    g_autoptr(GPtrArray) jobs = vb_domain_take_jobs(domain);

    domain->unreconciled = FALSE;
    for (guint i = 0; i < jobs->len; i++) {
        VbJob *job = g_ptr_array_index(jobs, i);
        VbJobStatus *status = find_status(statuses, job->info.id);
        if (!job->started && !status) {
            /* Its start was on record and never reached the hypervisor: it never existed. */
            vb_domain_remove_job(domain, job);
            continue;
        }
        if (!vb_job_is_live(job)) {
            vb_job_clean(job);
            continue;
        }
        if (!job->started) {
            job->started = TRUE;
            vb_job_update(job, 0);
            vb_job_save(job);
        }
        reconcile(job, status, NULL);
        if (status)
            send_again(job, status->status);
    }
    for (guint i = 0; i < statuses->len; i++) {
        VbJobStatus *status = g_ptr_array_index(statuses, i);
        if (!vb_domain_job_by_id(domain, status->id))
            adopt(domain, status);
    }
    vb_domain_arm_poll(domain);
}
