/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The contract between what a domain is on the bus and what a hypervisor does.
 *
 * Downwards: VbDriver, a const table of operations. Every operation that can wait is given a GTask
 * that the driver owns from then on (transfer full): it returns exactly one result or error on it,
 * never before the operation returned, and unrefs it. The task's cancellable is cancelled when
 * nobody needs the result any more (Destroy pre-empts); the task must be completed then, too, and
 * soon. Upwards: a driver changes a domain or a job only through the setters and reports of
 * domain.h and job.h; what changed reaches the bus through VbDriverEvents, which the host is given
 * by main.c.
 */
#pragma once

#include <gio/gio.h>

#include "domain-def.h"

typedef struct VbHost VbHost;
typedef struct VbDomain VbDomain;
typedef struct VbJob VbJob;
typedef struct VbNetwork VbNetwork;

/* ---- upwards ----------------------------------------------------------------------------------
 */

/* Which properties of a domain changed: one bit for each D-Bus property that can. */
typedef enum {
    VB_DOMAIN_PROP_NAME = 1 << 0,
    VB_DOMAIN_PROP_STATE = 1 << 1, /* and its reason */
    VB_DOMAIN_PROP_PERSISTENT = 1 << 2,
    VB_DOMAIN_PROP_AUTOSTART = 1 << 3,
    VB_DOMAIN_PROP_CONFIG_PENDING = 1 << 4,
    VB_DOMAIN_PROP_ID = 1 << 5,
    VB_DOMAIN_PROP_BLOCK_JOBS = 1 << 6,
    VB_DOMAIN_PROP_RESPONSIVE = 1 << 7,
    VB_DOMAIN_PROP_DEFINITION = 1 << 8, /* title, memory, vcpus, disks, interfaces, graphics … */
    VB_DOMAIN_PROP_ADDRESSES = 1 << 9,
} VbDomainProps;

/* Which properties of a job changed. */
typedef enum {
    VB_JOB_PROP_STATE = 1 << 0,
    VB_JOB_PROP_RESULT = 1 << 1, /* and the error's name and message, end time */
    VB_JOB_PROP_PROGRESS = 1 << 2,
    VB_JOB_PROP_BANDWIDTH = 1 << 3,
    VB_JOB_PROP_READY = 1 << 4,
    VB_JOB_PROP_CANCEL_REQUESTED = 1 << 5,
    VB_JOB_PROP_PIVOT_REQUESTED = 1 << 6,
    VB_JOB_PROP_IO_STATUS = 1 << 7,
    VB_JOB_PROP_CANCELABLE = 1 << 8,
} VbJobProps;

/* Which properties of a network changed. */
typedef enum {
    VB_NETWORK_PROP_STATE = 1 << 0,
    VB_NETWORK_PROP_PERSISTENT = 1 << 1,
    VB_NETWORK_PROP_AUTOSTART = 1 << 2,
    VB_NETWORK_PROP_CONFIG_PENDING = 1 << 3,
    VB_NETWORK_PROP_DEFINITION = 1 << 4, /* title, bridge, addresses, forward mode … */
    VB_NETWORK_PROP_LEASES = 1 << 5,
} VbNetworkProps;

/* What the objects are told. All on the main thread; nothing may be destroyed from within. */
typedef struct {
    void (*domain_added)(VbDomain *domain, gpointer user_data);
    void (*domain_changed)(VbDomain *domain, VbDomainProps props, gpointer user_data);
    void (*domain_lifecycle)(VbDomain *domain, const char *event, const char *reason,
                             gpointer user_data);
    void (*domain_removed)(VbDomain *domain, gpointer user_data);

    void (*job_added)(VbJob *job, gpointer user_data);
    void (*job_changed)(VbJob *job, VbJobProps props, gpointer user_data);
    /* Once, when a copy or an active commit can be pivoted. */
    void (*job_ready)(VbJob *job, gpointer user_data);
    /* Once. When it returns, PropertiesChanged, BlockJobX and Finished are on their way to the bus.
     */
    void (*job_concluded)(VbJob *job, gpointer user_data);
    void (*job_removed)(VbJob *job, gpointer user_data);

    void (*network_added)(VbNetwork *network, gpointer user_data);
    void (*network_changed)(VbNetwork *network, VbNetworkProps props, gpointer user_data);
    /* "defined", "undefined", "started", "stopped", "updated"; with a reason, "" without one. */
    void (*network_lifecycle)(VbNetwork *network, const char *event, const char *reason,
                              gpointer user_data);
    void (*network_removed)(VbNetwork *network, gpointer user_data);
} VbDriverEvents;

/* ---- downwards --------------------------------------------------------------------------------
 */

/* The operations that take the domain's one operation slot (domain.h). */
typedef enum {
    VB_DOMAIN_OP_NONE,
    VB_DOMAIN_OP_START,
    VB_DOMAIN_OP_SHUTDOWN, /* asks the guest; returns when asked */
    VB_DOMAIN_OP_REBOOT,   /* asks the guest; returns when asked */
    VB_DOMAIN_OP_RESET,
    VB_DOMAIN_OP_SUSPEND,
    VB_DOMAIN_OP_RESUME,
    VB_DOMAIN_OP_DESTROY,
    VB_DOMAIN_OP_UNDEFINE, /* the core's own */
    VB_DOMAIN_OP_REDEFINE, /* the core's own */
    VB_N_DOMAIN_OPS
} VbDomainOp;

typedef enum {
    VB_DOMAIN_OP_FLAG_NONE = 0,
    VB_DOMAIN_OP_FLAG_PAUSED = 1 << 0, /* start: leave the vCPUs stopped */
} VbDomainOpFlags;

/* Groups of statistics, as libvirt has them. */
typedef enum {
    VB_STATS_NONE = 0,
    VB_STATS_STATE = 1 << 0,
    VB_STATS_CPU_TOTAL = 1 << 1,
    VB_STATS_BALLOON = 1 << 2,
    VB_STATS_VCPU = 1 << 3,
    VB_STATS_INTERFACE = 1 << 4,
    VB_STATS_BLOCK = 1 << 5,
    VB_STATS_ALL = (1 << 6) - 1,
} VbStatsGroups;

/* How the end of a cancel becomes known; a job says it at its start. */
typedef enum {
    VB_CANCEL_REPORTED, /* the driver will report the end by itself */
    VB_CANCEL_SILENT, /* when job_cancel returns successfully, the job is gone; nothing is reported
                       */
} VbCancelMode;

typedef enum {
    VB_CANCEL_SOFT,   /* a ready copy or active commit: end with a consistent copy */
    VB_CANCEL_FORCED, /* end now */
} VbCancelFlavour;

/* What a hypervisor says of one job when asked. `status` has QEMU's names of job states. */
typedef enum {
    VB_JOB_STATUS_CREATED,
    VB_JOB_STATUS_RUNNING,
    VB_JOB_STATUS_PAUSED,
    VB_JOB_STATUS_READY,
    VB_JOB_STATUS_STANDBY, /* ready and paused */
    VB_JOB_STATUS_WAITING,
    VB_JOB_STATUS_PENDING, /* drained, waits for job_finalize */
    VB_JOB_STATUS_ABORTING,
    VB_JOB_STATUS_CONCLUDED,
} VbJobStatusKind;

typedef enum {
    VB_IO_STATUS_OK,
    VB_IO_STATUS_FAILED,
    VB_IO_STATUS_NOSPACE,
} VbIoStatus;

typedef struct {
    char *id; /* the hypervisor's name of the job, VbJobInfo.id for ours */
    char
        *type; /* "pull", "copy", "commit", "active-commit", "backup"; for jobs that are not ours */
    char *disk; /* target of the disk it works on; for jobs that are not ours, may be NULL */
    VbJobStatusKind status;
    VbIoStatus io_status;
    guint64 current;   /* bytes */
    guint64 total;     /* bytes */
    guint64 speed;     /* bytes/s, 0 = unlimited */
    char *error;       /* of a concluded job; NULL when it ended well */
    gboolean canceled; /* concluded with the hypervisor's "canceled" rather than with an error */
} VbJobStatus;

void vb_job_status_free(VbJobStatus *status);

typedef struct {
    const char *name;          /* "qemu", "test": the Driver property */
    const VbDomainType *types; /* <domain type=…> that it serves */
    gsize n_types;
    gboolean block_jobs; /* its domains have org.virtbus1.Domain.Block */

    /* Completes what only the hypervisor knows (emulator, canonical machine) and refuses what it
     * cannot run. May edit `def`, which is the driver's until it returns. Returns a boolean. */
    void (*prepare)(gpointer self, VbDomainDef *def, GTask *task);

    /* One of START … DESTROY. Returns a boolean. States change through vb_domain_set_state() before
     * the task returns; DESTROY and a guest's own end go through vb_domain_gone(). START finds the
     * live definition made (a copy of the stored one) and may complete it (vb_domain_live_def). */
    void (*operate)(gpointer self, VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags,
                    GTask *task);

    /* Adds what reconnect needs to the running domain's record, in the group of the driver's name.
     */
    void (*save)(gpointer self, VbDomain *domain, GKeyFile *record);

    /* After a restart of the daemon: finds the running domain again and sets its state as it is
     * now. Events are held until resume_events. Returns a boolean; an error
     * VB_ERROR_DOMAIN_NOT_RUNNING means that it is gone, any other that it does not answer (the
     * driver tries on, and calls vb_domain_reconnected() when it does). */
    void (*reconnect)(gpointer self, VbDomain *domain, GKeyFile *record, GTask *task);
    void (*resume_events)(gpointer self, VbDomain *domain);

    /* Takes the link of an interface of the live definition (by its index there) up or down, as the
     * guest sees it: its network has come back, or gone. NULL where there are no such interfaces.
     * Returns a boolean. */
    void (*set_link)(gpointer self, VbDomain *domain, guint interface, gboolean up, GTask *task);

    /* What only the hypervisor of an active domain knows of these groups; devices are numbered as
     * in the live definition. Its deadline is the task's cancellable. Returns a GVariant a{sv} of
     * numbers (t). NULL where there are none. */
    void (*stats)(gpointer self, VbDomain *domain, VbStatsGroups groups, GTask *task);

    /* Starts the jobs, all or none. Before the task returns, nothing may be reported that is not
     * about a job that really began (a failed start never existed). Returns a boolean. */
    void (*jobs_start)(gpointer self, VbDomain *domain, GPtrArray *jobs, GTask *task);
    /* Returns a GPtrArray of VbJobStatus (element-type transfer full) of all jobs of the domain. */
    void (*jobs_query)(gpointer self, VbDomain *domain, GTask *task);
    void (*job_cancel)(gpointer self, VbJob *job, VbCancelFlavour flavour, GTask *task);
    /* Begins the switch of a ready copy or active commit; it ends in a PENDING report. */
    void (*job_complete)(gpointer self, VbJob *job, GTask *task);
    void (*job_finalize)(gpointer self, VbJob *job, GTask *task);
    /* Returns a boolean: the disk's root is the job's target. */
    void (*job_root)(gpointer self, VbJob *job, GTask *task);
    void (*job_set_speed)(gpointer self, VbJob *job, guint64 speed, GTask *task);
    void (*job_set_paused)(gpointer self, VbJob *job, gboolean paused, GTask *task);
    /* After the end was announced: dismiss the job, drop its nodes and, where the job asked for it,
     * delete files. Returns a boolean; an error is logged, no more. */
    void (*job_clean)(gpointer self, VbJob *job, GTask *task);
} VbDriver;
