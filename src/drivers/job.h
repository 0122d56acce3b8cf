/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbJob: the one engine for block jobs (docs/block-jobs.md). It owns the state machine, the
 * intents, the waiters, the run-time record of each job, and the one function that concludes a job:
 * the promise that every job ends in exactly one of Completed, Failed, Canceled is kept here and
 * nowhere else. Drivers start, cancel and report; the objects show. */
#pragma once

#include "domain.h"
#include "error.h"

typedef enum {
    VB_JOB_PULL,
    VB_JOB_COPY,
    VB_JOB_COMMIT,
    VB_JOB_ACTIVE_COMMIT,
    VB_JOB_BACKUP,
} VbJobType;

typedef enum {
    VB_JOB_CREATED,
    VB_JOB_RUNNING,
    VB_JOB_PAUSED,
    VB_JOB_READY,
    VB_JOB_FINISHING,
    VB_JOB_CONCLUDED,
} VbJobState;

typedef enum {
    VB_JOB_RESULT_NONE,
    VB_JOB_RESULT_COMPLETED,
    VB_JOB_RESULT_FAILED,
    VB_JOB_RESULT_CANCELED,
} VbJobResult;

typedef enum {
    VB_JOB_REASON_NONE,
    VB_JOB_REASON_REQUESTED,
    VB_JOB_REASON_DONE,
    VB_JOB_REASON_IO_ERROR,
    VB_JOB_REASON_DOMAIN_STOPPED,
    VB_JOB_REASON_DOMAIN_CRASHED,
    VB_JOB_REASON_EXTERNAL,
    VB_JOB_REASON_VANISHED,
} VbJobReason;

const char *
vb_job_type_to_string(VbJobType type); /* "pull", "copy", "commit", "active-commit", "backup" */
const char *vb_job_type_to_operation(VbJobType type); /* "block-pull", … as vb_job_operation() */
gboolean vb_job_type_from_string(const char *s, VbJobType *ret_type);
const char *vb_job_state_to_string(VbJobState state);    /* "created" … "concluded" */
const char *vb_job_result_to_string(VbJobResult result); /* "", "completed", "failed", "canceled" */
const char *vb_job_reason_to_string(VbJobReason reason); /* "requested" … "vanished" */
const char *vb_io_status_to_string(VbIoStatus status);   /* "ok", "failed", "nospace" */

/* What is asked for. Paths name images of the disk's live backing chain. */
typedef struct {
    VbJobType type;             /* a commit of the active layer becomes ACTIVE_COMMIT by itself */
    char *disk;                 /* target ("vda") or an unambiguous source path */
    char *base;                 /* pull, commit: NULL = the whole chain */
    char *top;                  /* commit: NULL = the active layer */
    VbDiskSource *target;       /* copy, backup: where to; a backup without one: beside the image */
    VbDiskFormat target_format; /* … in this format */
    char *beside; /* that image, if it matters: INVALID_STATE when the disk has another by then */
    guint64 bandwidth;       /* bytes/s, 0 = unlimited */
    guint64 granularity;     /* copy: bytes, 0 = the hypervisor's choice */
    guint64 buffer_size;     /* copy: bytes, 0 = the hypervisor's choice */
    gboolean shallow;        /* copy: only the active layer; commit: base is top's backing image */
    gboolean reuse_external; /* copy, backup: the target exists and is used as it is */
    gboolean active;         /* commit: allowed to commit the active layer */
    gboolean delete_files;   /* commit: delete the images that were committed */
    gboolean keep_relative;  /* pull, commit: relative backing file names stay relative */
    gboolean transient_job;  /* copy: not kept over a restart of the guest */
    gboolean synchronous_writes; /* copy: the guest's writes go to both */
    /* Resolved by vb_jobs_start_async(): indexes in the disk's live chain (VbDiskSource.index). */
    guint top_index;  /* commit: the uppermost image that is committed */
    guint base_index; /* pull: what stays below, 0 = nothing; commit: where to */
} VbJobSpec;

VbJobSpec *vb_job_spec_new(VbJobType type, const char *disk);
void vb_job_spec_free(VbJobSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbJobSpec, vb_job_spec_free)

/* What a getter reads. Owned by the job. */
typedef struct {
    guint number;   /* of the object path, and `serial` of the signals; never reused in a boot */
    const char *id; /* the hypervisor's name of it */
    VbDomain *domain;
    VbJobType type;
    const char *disk;  /* the target, constant */
    gboolean external; /* found in the hypervisor, not ours */
    VbJobState state;
    VbJobResult result;
    VbJobReason reason;
    VbError error_code;          /* of a failed job */
    const char *error_message;   /* of a failed job, else "" */
    guint64 current, total;      /* bytes */
    guint64 bandwidth;           /* bytes/s, 0 = unlimited */
    gint64 start_time, end_time; /* µs, CLOCK_REALTIME; end_time 0 while live */
    guint started_by_uid;
    gboolean ready, cancel_requested, pivot_requested;
    gboolean synthesized;         /* the hypervisor did not report the end itself */
    gboolean pivoted, consistent; /* copy and active commit */
    VbIoStatus io_status;
} VbJobInfo;

/* ---- for everybody ----------------------------------------------------------------------------
 */

VbJob *vb_job_ref(VbJob *job);
void vb_job_unref(VbJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbJob, vb_job_unref)

const VbJobInfo *vb_job_info(const VbJob *job);
gboolean vb_job_is_live(const VbJob *job); /* not concluded */
gboolean vb_job_is_cancelable(const VbJob *job);
const char *vb_job_operation(const VbJob *job); /* "block-pull", "block-copy" … */

/* As a domain's. */
void vb_job_set_user_data(VbJob *job, gpointer data);
gpointer vb_job_user_data(const VbJob *job);

/* Starts a job for each spec (taken), all or none. When it succeeds, the jobs are announced
 * (job_added, BlockJobs) and *held*: what they do from then on, their end included, waits for
 * vb_job_release(), which the caller owes each of them once its reply is sent. Errors:
 * DOMAIN_NOT_RUNNING, INVALID_ARGS (disk, base, top, target), BUSY (names the job), NOT_SUPPORTED,
 * the driver's own. Finish: GPtrArray of VbJob, (transfer full), in the order of the specs. */
void vb_jobs_start_async(VbDomain *domain, GPtrArray *specs, guint uid,
                         GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *vb_jobs_start_finish(VbDomain *domain, GAsyncResult *result, GError **error);
void vb_job_release(VbJob *job);

typedef enum {
    VB_JOB_WAIT = 0,
    VB_JOB_ASYNC = 1 << 0, /* return once asked, do not wait for the end */
    VB_JOB_FORCE = 1 << 1, /* forced flavour; escalates a soft cancel, overrules a pending pivot */
} VbJobFlags;

/* Cancel: succeeds if and only if the job's outcome is Canceled (with ASYNC: once it is accepted).
 * Pivot: if and only if it is Completed and pivoted. When they return, signals are out.
 * Errors: NO_BLOCK_JOB, BLOCK_JOB_ENDING, BLOCK_JOB_NOT_READY, NOT_SUPPORTED, the driver's refusal.
 */
void vb_job_cancel_async(VbJob *job, VbJobFlags flags, GAsyncReadyCallback callback,
                         gpointer user_data);
void vb_job_pivot_async(VbJob *job, VbJobFlags flags, GAsyncReadyCallback callback,
                        gpointer user_data);
void vb_job_set_bandwidth_async(VbJob *job, guint64 bandwidth, GAsyncReadyCallback callback,
                                gpointer user_data);
void vb_job_set_paused_async(VbJob *job, gboolean paused, GAsyncReadyCallback callback,
                             gpointer user_data);
/* For all four. */
gboolean vb_job_finish(VbJob *job, GAsyncResult *result, GError **error);

/* Takes a concluded job off the bus. INVALID_STATE while it is live. */
gboolean vb_job_dismiss(VbJob *job, GError **error);

/* ---- for drivers ------------------------------------------------------------------------------
 */

const VbJobSpec *vb_job_spec(const VbJob *job);
/* A commit with delete_files: the images whose data go down, the uppermost first; else NULL. */
const VbDiskSource *vb_job_committed(const VbJob *job);
void vb_job_set_cancel_mode(VbJob *job, VbCancelMode mode); /* in jobs_start; default REPORTED */
/* In jobs_start, when the driver has completed the target of the spec (its chain, its indexes):
 * puts it on record before the hypervisor hears of the job. */
void vb_job_save(VbJob *job);
/* The job of that hypervisor id in the domain, live or not yet cleaned, or NULL. Borrowed. */
VbJob *vb_domain_job_by_id(const VbDomain *domain, const char *id);

/* The hypervisor says: the job is in this status now (READY: it can be pivoted; PENDING: it waits
 * for job_finalize). ABORTING and CONCLUDED tell nothing yet and are ignored: the end is one of the
 * next two. */
void vb_job_report_status(VbJob *job, VbJobStatusKind status, guint64 current, guint64 total);
/* The hypervisor reported an error on the job's I/O. */
void vb_job_report_io_error(VbJob *job, VbIoStatus status);
/* The hypervisor reported the end as canceled … */
void vb_job_report_canceled(VbJob *job, guint64 current, guint64 total);
/* … or as completed, with the error's text when it ended in one. */
void vb_job_report_completed(VbJob *job, const char *error, guint64 current, guint64 total);

/* The change that a job makes to the chain of its disk when it completes (a copy or an active
 * commit: when it pivots), applied to a definition: pure, used for the live and the stored one.
 * TRUE when `def` was changed; FALSE when its disk is not, or no longer, what the job works on. */
gboolean vb_job_apply(const VbJob *job, VbDomainDef *def);
