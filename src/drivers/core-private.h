/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The structs of the core (domain.c, host*.c, job*.c), which share them and nothing else. Neither
 * drivers nor objects include this. */
#pragma once

#include "definition-index.h"
#include "host.h"

#define VB_RECORD_VERSION 1
#define VB_RECORD_MAX_SIZE (1024 * 1024) /* a job's names the images of a chain */
/* As it is stored; a running domain's may grow to VB_XML_STORED_MAX_SIZE. */
#define VB_DEFINITION_MAX_SIZE ((gsize)8 * 1024 * 1024)

/* ---- host ---- */

typedef struct {
    const VbDriver *ops;
    gpointer self;
    GDestroyNotify destroy;
} VbHostDriver;

typedef struct VbHostNetworks VbHostNetworks;
typedef struct VbHostIndex VbHostIndex;
typedef struct VbHostShutdown VbHostShutdown;

struct VbHost {
    const VbPaths *paths;
    VbStore *store;
    const VbDriverEvents *events;
    gpointer user_data;
    GArray *drivers;          /* of VbHostDriver */
    GHashTable *by_uuid;      /* uuid → VbDomain (owned) */
    GHashTable *by_name;      /* name → VbDomain */
    GHashTable *reserved;     /* names and UUIDs of definitions that are being written */
    VbHostNetworks *networks; /* NULL: there is no network driver */
    guint next_job, next_id;
    char **image_directories; /* NULL: no restriction */
    GPtrArray *orphans;       /* domains that are gone and have jobs yet, owned: until announced */
    GQueue concluded;         /* VbJob, owned, oldest first: what expires */
    guint expiry_source;
    gboolean announced;
    GQueue parsed; /* VbDomain, borrowed, newest first: inactive ones whose definition is in memory
                    * although their file has it */
    VbHostIndex *index;
    VbHostShutdown *shutdown; /* of the guests; NULL: nobody wants it */
};

VbHostDriver *vb_host_driver_for(VbHost *host, VbDomainType type);
void vb_host_insert(VbHost *host, VbDomain *domain);
/* Takes it off the bus and out of the tables. */
void vb_host_remove(VbHost *host, VbDomain *domain);
guint vb_host_take_job_number(VbHost *host);
guint vb_host_take_id(VbHost *host);
/* A job concluded: it stays for its time. */
void vb_host_keep_concluded(VbHost *host, VbJob *job);
void vb_host_forget_concluded(VbHost *host, VbJob *job);
/* Those whose time is over go; the timer is set for the next one. */
void vb_host_expire_concluded(VbHost *host);

/* ---- the end of all guests (host-shutdown.c) ---- */

/* A domain is gone: was it the last that is waited for? */
void vb_host_shutdown_check(VbHost *host);
void vb_host_close_shutdown(VbHost *host);

/* ---- the index of stored definitions (host-index.c) ---- */

/* NULL: there is none that can be used. */
VbDefinitionIndex *vb_host_open_index(VbHost *host);
/* A stored definition came, went or changed: the index is written again, soon and once. */
void vb_host_index_changed(VbHost *host);
/* Writes what is not written yet. */
void vb_host_close_index(VbHost *host);

/* What is stored must be read again: what was added to a document of `size` bytes counts, too. */
gboolean vb_host_check_size(const char *kind, const char *name, gsize size, GError **error);
/* Those of domains; what cannot be read is set aside. */
void vb_host_load_stored(VbHost *host);
/* The domain of the definition in that file, new if it was not known (and not inserted). (transfer
 * full, also of *ret_def) */
VbDomain *vb_host_load_definition(VbHost *host, const char *path, const char *uuid,
                                  VbXmlFlags flags, VbDomainDef **ret_def, VbFileStamp *ret_stamp,
                                  GError **error);
/* Each <uuid>.xml in `directory`. */
typedef void (*VbLoadFunc)(VbHost *host, const char *path, const char *uuid);
void vb_host_load_definitions(VbHost *host, const char *directory, VbLoadFunc func);

/* Emits to the objects. */
#define VB_EMIT(host, member, ...)                                                                 \
    do {                                                                                           \
        VbHost *emit_host = (host);                                                                \
        if (emit_host->events->member)                                                             \
            emit_host->events->member(__VA_ARGS__, emit_host->user_data);                          \
    } while (0)

/* ---- domain ---- */

typedef struct {
    VbDomain *domain;
    VbDomainOp op;
    GPtrArray *clients; /* of GTask: whoever waits; a second Destroy joins the first */
    GCancellable *cancellable;
    GPtrArray *displaced; /* of GTask: a Destroy answers those whose operation it displaced */
} VbOperation;

/* How a definition is written into its file. */
typedef struct {
    guint64 digest;
    gboolean has_secrets;
} VbStoredForm;

struct VbDomain {
    VbDomainInfo info; /* its strings are owned here */
    VbHost *host;
    gpointer driver_self;
    VbDomainDef *stored; /* of an inactive domain NULL as long as its file has it */
    VbDomainDef *live;
    gboolean parsed_listed;    /* in the host's list of those that may be forgotten */
    GBytes *summary;           /* of the stored definition; NULL: there is none */
    GBytes *live_summary;      /* of the live one; NULL: nobody asked for it yet */
    VbFileStamp stamp;         /* of the file; digest 0: the definition is in memory alone */
    VbStoredForm written_form; /* of what is being written by vb_domain_write_stored_async() */
    char *run_dir;
    VbOperation *operation; /* who has the slot, or NULL */
    gboolean was_started;   /* "started" was announced for this life */
    gboolean stopping;
    gboolean removed; /* out of the host's tables */

    GPtrArray *jobs;        /* on the bus, owned, oldest first */
    GPtrArray *starting;    /* not yet on the bus, owned */
    GPtrArray *cleaning;    /* concluded jobs whose nodes are being dropped, owned */
    GPtrArray *start_queue; /* of GTask: starts that wait for a clean-up */
    guint poll_source;
    guint queries;         /* on their way */
    gboolean unreconciled; /* it was found again and has not told its jobs yet */
    struct {               /* the VM is gone, but a job's start still has to be answered */
        gboolean pending;
        VbDomainState state;
        const char *reason;
    } gone;

    gboolean ports_open; /* of the live definition: they have to be closed */
    gboolean replug;     /* it could not be told of its networks: owed once it can */

    gboolean definition_locked;
    GQueue definition_turns; /* who waits for it */

    gpointer driver_data, user_data;
    GDestroyNotify driver_data_destroy;
};

gboolean vb_domain_state_from_string(const char *string, VbDomainState *ret_state);
VbDomain *vb_domain_new(VbHost *host, const VbHostDriver *driver, const char *uuid,
                        const char *name, guint uid);
/* Replaces the stored definition (NULL: becomes transient); announces what changed. */
void vb_domain_set_stored(VbDomain *domain, VbDomainDef *def, const VbStoredForm *form);
/* ---- the stored definition (domain-definition.c) ---- */

char *vb_stored_form(const VbDomainDef *def, VbStoredForm *ret_form);
/* Takes `def`, which is what the file has, in that form; NULL: it is (yet) in no file, and stays in
 * memory. Announces nothing. */
void vb_domain_take_stored(VbDomain *domain, VbDomainDef *def, const VbStoredForm *form);
/* From the index: the file has it. Takes the summary. */
void vb_domain_take_summary(VbDomain *domain, GBytes *summary, const VbFileStamp *stamp);
void vb_domain_drop_stored(VbDomain *domain);
/* Makes sure that domain->stored is there; reads the file when it is not. One that was changed by
 * somebody else is taken for what it says now, as a restart would, which is announced. Errors:
 * FAILED, naming the file; nothing is changed. */
gboolean vb_domain_load_stored(VbDomain *domain, GError **error);
/* It begins to run: what it has in memory stays there. */
void vb_domain_pin_stored(VbDomain *domain);
/* It runs no more: what it has in memory may go. */
void vb_domain_unpin_stored(VbDomain *domain);
/* Takes `def`: what a reader finds from now on, and what the file is to have. A write that fails
 * leaves it in memory. */
void vb_domain_write_stored_async(VbDomain *domain, VbDomainDef *def, GAsyncReadyCallback callback,
                                  gpointer user_data);
gboolean vb_domain_write_stored_finish(VbDomain *domain, GAsyncResult *result, GError **error);

/* Whoever changes the stored definition does it from its copy to the end of the write alone, so
 * that memory and file tell the same, and a definition that goes does not come back: `func` is
 * called when it is its turn, at once when nobody else is at it; then vb_domain_unlock_definition()
 * is owed. The caller keeps the domain until then. */
typedef void (*VbDefinitionFunc)(gpointer user_data);
void vb_domain_lock_definition(VbDomain *domain, VbDefinitionFunc func, gpointer user_data);
void vb_domain_unlock_definition(VbDomain *domain);
/* Takes the slot for one of the core's own operations; BUSY when it is taken. */
VbOperation *vb_domain_take_slot(VbDomain *domain, VbDomainOp op, GError **error);
void vb_domain_release_slot(VbOperation *operation);
/* Goes on with a vb_domain_gone() that waited for held jobs. */
void vb_domain_check_gone(VbDomain *domain);
/* START gives a domain that is to be made active its live definition. */
void vb_domain_begin_life(VbDomain *domain, VbDomainDef *live);
/* Gives each image of a live chain an index, where the driver gave none. */
void vb_domain_number_images(VbDomain *domain);
gboolean vb_domain_load_record(VbDomain *domain, GKeyFile *record, GError **error);
GKeyFile *vb_record_read(const char *path, const char *group, GError **error);
/* One that cannot be written is logged, and keeps nothing back. */
void vb_record_write(const char *path, GKeyFile *record, const char *domain, const char *job);

/* ---- networks, as the host and the domains see them: network-private.h has the rest ---- */

/* Drops what is in memory, and stops nothing. */
void vb_host_free_networks(VbHost *host);
/* Reads the definitions, then finds the networks that are active, each under a deadline of 5 s.
 * Never fails: g_task_propagate_boolean(). */
void vb_host_load_networks_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data);
/* Starts those that are marked for it; returns, as above, when all have ended, well or not. */
void vb_host_autostart_networks_async(VbHost *host, GAsyncReadyCallback callback,
                                      gpointer user_data);

/* A domain that was found again has the ports of its live definition. */
void vb_domain_load_ports(VbDomain *domain);
/* Once nobody uses them any more. The properties that changed, for who announces them. */
VbDomainProps vb_domain_close_ports(VbDomain *domain);
/* Its interfaces on networks, as these are now: plugged in and up, or down. */
void vb_domain_replug(VbDomain *domain);

/* ---- job ---- */

typedef enum {
    VB_INTENT_NONE,
    VB_INTENT_CANCEL_SOFT,
    VB_INTENT_CANCEL_FORCED,
    VB_INTENT_PIVOT,
} VbJobIntent;

typedef enum {
    VB_REPORT_STATUS,
    VB_REPORT_IO_ERROR,
    VB_REPORT_CANCELED,
    VB_REPORT_COMPLETED,
    VB_REPORT_VANISHED,
} VbReportKind;

typedef struct {
    VbReportKind kind;
    VbJobStatusKind status;
    VbIoStatus io_status;
    char *error;
    guint64 current, total;
    gboolean polled; /* the answer to a query, not an event: the end was not reported */
} VbJobReport;

struct VbJob {
    VbJobInfo info; /* its strings are owned here */
    VbJobSpec *spec;
    VbDiskSource *source, *top, *base; /* single images, no chain: what the job works on */
    VbDiskSource *committed;           /* delete_files: the images from top to above base */
    VbCancelMode cancel_mode;
    VbJobIntent intent;
    gboolean started; /* the driver said so */
    gboolean user_paused;
    gboolean finalizing; /* the switch is on its way and can no longer be stopped */
    gboolean switching;  /* the stored definition is being written */
    gboolean finalize_sent;
    gboolean pending_seen; /* the hypervisor said PENDING before */
    gboolean end_known;    /* the end was reported, its outcome is being worked out */
    VbJobResult outcome;   /* … and is this, waiting for the definition to be written; or NONE */
    char *outcome_error;   /* its text */
    gboolean announced;    /* the terminal signal is out */
    gboolean cleaned;
    gboolean held;
    GQueue reports;     /* of VbJobReport, while held */
    guint command;      /* serial of the newest cancel or pivot; answers to older ones are void */
    GError *refused;    /* the newest one was, and why; what became of the job is not known yet */
    GPtrArray *waiters; /* of GTask; its task data says what for */
    gboolean removed;

    gpointer user_data;
};

/* A waiter's task data. */
typedef struct {
    gboolean pivot;
    gboolean async;
    guint grace_source; /* async: answered at the latest when it fires */
} VbJobWaiter;

VbJob *vb_job_new(VbDomain *domain, guint number, VbJobType type, const char *disk,
                  VbJobSpec *spec);
void vb_job_update(VbJob *job, VbJobProps props); /* derives State, announces */
gboolean vb_job_can_pivot(const VbJob *job);
void vb_job_report_clear(VbJobReport *report);
void vb_job_play_reports(VbJob *job);
void vb_job_send_cancel(VbJob *job);
void vb_job_send_pivot(VbJob *job);
void vb_job_answer(VbJob *job, GTask *waiter); /* by the outcome of a concluded job */
void vb_job_set_intent(VbJob *job, VbJobIntent intent);
/* The hypervisor has drained the job and waits for job_finalize. */
void vb_job_pending(VbJob *job);
/* The end became known, from CANCELED, COMPLETED or VANISHED. */
void vb_job_end(VbJob *job, const VbJobReport *report);
/* The hypervisor is gone. */
void vb_job_domain_gone(VbJob *job, gboolean stopped);
/* A silent cancel returned: the end, which nobody will report; kept back while the job is held. */
void vb_job_end_silently(VbJob *job);
/* Asks the driver what it knows of `job`, because it refused a command with `error` (taken). */
void vb_job_ask_after_refusal(VbJob *job, GError *error);
/* After a reconnect: all jobs of the domain, and those that are not ours. */
void vb_domain_reconcile_jobs(VbDomain *domain, GPtrArray *statuses);
/* The jobs as they are now, with a reference each: for loops in which jobs may go. */
GPtrArray *vb_domain_take_jobs(VbDomain *domain);
void vb_domain_arm_poll(VbDomain *domain);
void vb_domain_remove_job(VbDomain *domain, VbJob *job);
void vb_job_clean(VbJob *job);
void vb_domain_run_start_queue(VbDomain *domain);
void vb_job_announce(VbJob *job); /* Terminal signals of a concluded job, once. */

/* Undoes vb_job_apply() of a pivot that did not come to pass. TRUE when `def` was changed. */
gboolean vb_job_unapply(const VbJob *job, VbDomainDef *def);
/* Does the definition's disk have the job's target as its source? */
gboolean vb_job_is_applied(const VbJob *job, const VbDomainDef *def);

gboolean vb_job_result_from_string(const char *string, VbJobResult *ret_result);
gboolean vb_job_reason_from_string(const char *string, VbJobReason *ret_reason);
void vb_job_record_remove(VbJob *job);
VbJob *vb_job_record_load(VbDomain *domain, const char *path, GError **error);
