/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbJob: its data, its names, its state as derived from them. What is asked of it is in
 * job-control.c; what becomes known of it in job-report.c; how it ends in job-outcome.c; its start
 * in job-start.c. See job.h. */
#include "job.h"

#include "core-private.h"

static const char *const type_names[] = {
    [VB_JOB_PULL] = "pull",     [VB_JOB_COPY] = "copy",
    [VB_JOB_COMMIT] = "commit", [VB_JOB_ACTIVE_COMMIT] = "active-commit",
    [VB_JOB_BACKUP] = "backup",
};
VB_ENUM_DEFINE(VbJobType, vb_job_type, type_names)

static const char *const state_names[] = {
    [VB_JOB_CREATED] = "created",     [VB_JOB_RUNNING] = "running",
    [VB_JOB_PAUSED] = "paused",       [VB_JOB_READY] = "ready",
    [VB_JOB_FINISHING] = "finishing", [VB_JOB_CONCLUDED] = "concluded",
};

const char *vb_job_state_to_string(VbJobState state)
{
    return state_names[state];
}

static const char *const result_names[] = {
    [VB_JOB_RESULT_NONE] = "",
    [VB_JOB_RESULT_COMPLETED] = "completed",
    [VB_JOB_RESULT_FAILED] = "failed",
    [VB_JOB_RESULT_CANCELED] = "canceled",
};
VB_ENUM_DEFINE(VbJobResult, vb_job_result, result_names)

static const char *const reason_names[] = {
    [VB_JOB_REASON_NONE] = "",
    [VB_JOB_REASON_REQUESTED] = "requested",
    [VB_JOB_REASON_DONE] = "done",
    [VB_JOB_REASON_IO_ERROR] = "io-error",
    [VB_JOB_REASON_DOMAIN_STOPPED] = "domain-stopped",
    [VB_JOB_REASON_DOMAIN_CRASHED] = "domain-crashed",
    [VB_JOB_REASON_EXTERNAL] = "external",
    [VB_JOB_REASON_VANISHED] = "vanished",
};
VB_ENUM_DEFINE(VbJobReason, vb_job_reason, reason_names)

static const char *const io_status_names[] = {
    [VB_IO_STATUS_OK] = "ok",
    [VB_IO_STATUS_FAILED] = "failed",
    [VB_IO_STATUS_NOSPACE] = "nospace",
};

const char *vb_io_status_to_string(VbIoStatus status)
{
    return io_status_names[status];
}

static const char *const operation_names[] = {
    [VB_JOB_PULL] = "block-pull",     [VB_JOB_COPY] = "block-copy",
    [VB_JOB_COMMIT] = "block-commit", [VB_JOB_ACTIVE_COMMIT] = "block-commit",
    [VB_JOB_BACKUP] = "backup",
};

const char *vb_job_type_to_operation(VbJobType type)
{
    return operation_names[type];
}

const char *vb_job_operation(const VbJob *job)
{
    return vb_job_type_to_operation(job->info.type);
}

/* ---- life -------------------------------------------------------------------------------------
 */

VbJobSpec *vb_job_spec_new(VbJobType type, const char *disk)
{
    VbJobSpec *spec = g_new0(VbJobSpec, 1);

    spec->type = type;
    spec->disk = g_strdup(disk);
    return spec;
}

void vb_job_spec_free(VbJobSpec *spec)
{
    if (!spec)
        return;
    g_free(spec->disk);
    g_free(spec->base);
    g_free(spec->top);
    g_free(spec->beside);
    vb_disk_source_free(spec->target);
    g_free(spec);
}

void vb_job_status_free(VbJobStatus *status)
{
    if (!status)
        return;
    g_free(status->id);
    g_free(status->type);
    g_free(status->disk);
    g_free(status->error);
    g_free(status);
}

VbJob *vb_job_new(VbDomain *domain, guint number, VbJobType type, const char *disk, VbJobSpec *spec)
{
    VbJob *job = g_rc_box_new0(VbJob);

    job->info.number = number;
    job->info.domain = vb_domain_ref(domain);
    job->info.type = type;
    job->info.disk = g_strdup(disk);
    job->info.id = g_strdup_printf("%s-%s-%u", vb_job_type_to_string(type), disk, number);
    job->info.error_message = g_strdup("");
    job->info.bandwidth = spec->bandwidth;
    job->info.start_time = g_get_real_time();
    job->spec = spec;
    job->waiters = g_ptr_array_new_with_free_func(g_object_unref);
    g_queue_init(&job->reports);
    return job;
}

static void report_free(gpointer report)
{
    vb_job_report_clear(report);
    g_free(report);
}

static void job_clear(gpointer data)
{
    VbJob *job = data;

    g_queue_clear_full(&job->reports, report_free);
    g_ptr_array_unref(job->waiters);
    g_clear_error(&job->refused);
    g_free(job->outcome_error);
    vb_job_spec_free(job->spec);
    vb_disk_source_free(job->source);
    vb_disk_source_free(job->top);
    vb_disk_source_free(job->base);
    vb_disk_source_free(job->committed);
    vb_domain_unref(job->info.domain);
    g_free((char *)job->info.id);
    g_free((char *)job->info.disk);
    g_free((char *)job->info.error_message);
}

VbJob *vb_job_ref(VbJob *job)
{
    return g_rc_box_acquire(job);
}

void vb_job_unref(VbJob *job)
{
    if (job)
        g_rc_box_release_full(job, job_clear);
}

const VbJobInfo *vb_job_info(const VbJob *job)
{
    return &job->info;
}

const VbJobSpec *vb_job_spec(const VbJob *job)
{
    return job->spec;
}

const VbDiskSource *vb_job_committed(const VbJob *job)
{
    return job->committed;
}

gboolean vb_job_is_live(const VbJob *job)
{
    return job->info.state != VB_JOB_CONCLUDED;
}

gboolean vb_job_is_cancelable(const VbJob *job)
{
    return vb_job_is_live(job) && !job->finalizing;
}

gboolean vb_job_can_pivot(const VbJob *job)
{
    return job->info.type == VB_JOB_COPY || job->info.type == VB_JOB_ACTIVE_COMMIT;
}

void vb_job_set_cancel_mode(VbJob *job, VbCancelMode mode)
{
    job->cancel_mode = mode;
}

void vb_job_set_user_data(VbJob *job, gpointer data)
{
    job->user_data = data;
}

gpointer vb_job_user_data(const VbJob *job)
{
    return job->user_data;
}

static VbJobState derive_state(const VbJob *job)
{
    if (job->info.state == VB_JOB_CONCLUDED)
        return VB_JOB_CONCLUDED;
    if (!job->started)
        return VB_JOB_CREATED;
    if (job->intent != VB_INTENT_NONE || job->finalizing || job->end_known)
        return VB_JOB_FINISHING;
    if (job->user_paused || job->info.io_status != VB_IO_STATUS_OK)
        return VB_JOB_PAUSED;
    return job->info.ready ? VB_JOB_READY : VB_JOB_RUNNING;
}

void vb_job_update(VbJob *job, VbJobProps props)
{
    VbJobState state = derive_state(job);

    if (state != job->info.state) {
        job->info.state = state;
        props |= VB_JOB_PROP_STATE;
    }
    if (props && job->started && !job->removed)
        VB_EMIT(job->info.domain->host, job_changed, job, props);
}

void vb_job_set_intent(VbJob *job, VbJobIntent intent)
{
    VbJobProps props = 0;
    gboolean cancel = intent == VB_INTENT_CANCEL_SOFT || intent == VB_INTENT_CANCEL_FORCED;
    gboolean pivot = intent == VB_INTENT_PIVOT;

    job->intent = intent;
    if (job->info.cancel_requested != cancel)
        props |= VB_JOB_PROP_CANCEL_REQUESTED;
    if (job->info.pivot_requested != pivot)
        props |= VB_JOB_PROP_PIVOT_REQUESTED;
    job->info.cancel_requested = cancel;
    job->info.pivot_requested = pivot;
    vb_job_save(job);
    vb_job_update(job, props);
}
