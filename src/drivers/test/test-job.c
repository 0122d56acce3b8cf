/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns a simulated block job: its phase, its place, and what comes next and when. See test-job.h.
 */
#include "test-job.h"

#include "error.h"

typedef enum {
    PHASE_RUNNING,
    PHASE_READY,
    PHASE_CANCELING,  /* accepted; ends at the deadline */
    PHASE_SWITCHING,  /* the pivot was accepted; PENDING at the deadline */
    PHASE_PENDING,    /* waits for finalize */
    PHASE_FINALIZING, /* the switch is done at the deadline */
    PHASE_ENDED,
    N_PHASES
} Phase;

struct VbTestJob {
    VbTestMachine *machine; /* borrowed */
    VbTestJobFault *fault;  /* borrowed from the machine's orders */
    char *id, *type, *disk;
    Phase phase;
    gboolean was_ready;
    gboolean paused;
    gboolean io_error_passed;
    VbIoStatus io_status;
    guint64 speed;
    guint64 position; /* at `since` */
    gint64 since;     /* monotonic µs */

    gint64 deadline; /* of the phase, monotonic µs; 0: it does not end by itself */
    /* CANCELING: what comes of it. */
    VbCancelFlavour flavour;
    VbTestCancelResult result;
    guint reports;
    /* CANCELING: how it fails; ENDED: how it failed, NULL when it ended well. */
    char *error;
    gboolean canceled;

    guint timer;
    VbTestCalls waiting; /* for its end */
};

static void schedule(VbTestJob *job);

VbTestJob *vb_test_job_new(VbTestMachine *machine, VbTestJobFault *fault, const char *id,
                           const char *type, const char *disk, guint64 speed)
{
    VbTestJob *job = g_new0(VbTestJob, 1);

    job->machine = machine;
    job->fault = fault;
    job->id = g_strdup(id);
    job->type = g_strdup(type);
    job->disk = g_strdup(disk);
    job->speed = speed;
    job->since = g_get_monotonic_time();
    g_queue_init(&job->waiting);
    return job;
}

void vb_test_job_free(gpointer data)
{
    VbTestJob *job = data;

    if (job == NULL)
        return;
    vb_test_job_halt(job);
    vb_test_calls_clear(&job->waiting);
    g_free(job->id);
    g_free(job->type);
    g_free(job->disk);
    g_free(job->error);
    g_free(job);
}

const char *vb_test_job_id(const VbTestJob *job)
{
    return job->id;
}

gboolean vb_test_job_has_ended(const VbTestJob *job)
{
    return job->phase == PHASE_ENDED;
}

static gboolean can_pivot(const VbTestJob *job)
{
    return g_str_equal(job->type, "copy") || g_str_equal(job->type, "active-commit");
}

/* ---- its place ---- */

static guint64 next_stop(const VbTestJob *job)
{
    return job->fault->io_error && !job->io_error_passed ? job->fault->io_error_at
                                                         : job->fault->length;
}

/* How long it takes from its place to the next stop, in µs. */
static gint64 time_to_stop(const VbTestJob *job)
{
    double bytes = next_stop(job) - job->position;
    double time = 0;

    if (bytes > 0)
        time = bytes / job->fault->length * job->fault->duration * 1000.0;
    if (job->speed > 0)
        time = MAX(time, bytes / job->speed * G_USEC_PER_SEC);
    return MIN(time, (double)(G_MAXINT64 / 4));
}

static gboolean is_moving(const VbTestJob *job)
{
    return job->phase == PHASE_RUNNING && !job->paused;
}

static guint64 position_now(const VbTestJob *job)
{
    gint64 whole = time_to_stop(job);
    gint64 passed = g_get_monotonic_time() - job->since;

    if (!is_moving(job) || passed <= 0)
        return job->position;
    if (passed >= whole)
        return next_stop(job);
    return job->position + (next_stop(job) - job->position) * ((double)passed / whole);
}

/* Whatever changes its pace calls this first. */
static void rebase(VbTestJob *job)
{
    job->position = position_now(job);
    job->since = g_get_monotonic_time();
}

/* ---- what it tells ---- */

static VbJobStatusKind status_kind(const VbTestJob *job)
{
    switch (job->phase) {
    case PHASE_RUNNING:
        return job->paused ? VB_JOB_STATUS_PAUSED : VB_JOB_STATUS_RUNNING;
    case PHASE_CANCELING: /* nobody can see that a cancel is pending */
        if (!job->was_ready)
            return job->paused ? VB_JOB_STATUS_PAUSED : VB_JOB_STATUS_RUNNING;
        return job->paused ? VB_JOB_STATUS_STANDBY : VB_JOB_STATUS_READY;
    case PHASE_READY:
    case PHASE_SWITCHING:
        return job->paused ? VB_JOB_STATUS_STANDBY : VB_JOB_STATUS_READY;
    case PHASE_PENDING:
    case PHASE_FINALIZING:
        return VB_JOB_STATUS_PENDING;
    default:
        return VB_JOB_STATUS_CONCLUDED;
    }
}

VbJobStatus *vb_test_job_status(const VbTestJob *job)
{
    VbJobStatus *status = g_new0(VbJobStatus, 1);

    status->id = g_strdup(job->id);
    status->type = g_strdup(job->type);
    status->disk = g_strdup(job->disk);
    status->status = status_kind(job);
    status->io_status = job->io_status;
    status->current = position_now(job);
    status->total = job->fault->length;
    status->speed = job->speed;
    if (job->phase == PHASE_ENDED) {
        status->error = g_strdup(job->error);
        status->canceled = job->canceled;
    }
    return status;
}

static void tell_status(VbTestJob *job)
{
    VbTestEvent *event = vb_test_event_new(job->machine, VB_TEST_EVENT_STATUS, job->id);

    event->status = status_kind(job);
    event->current = position_now(job);
    event->total = job->fault->length;
    vb_test_machine_record(job->machine);
    vb_test_machine_tell(job->machine, event);
}

/* ---- its end ---- */

/* The end: recorded, then told `reports` times; with 0 the job is simply not there any more. */
static void finish(VbTestJob *job, const char *error, gboolean canceled, guint reports)
{
    VbTestMachine *machine = job->machine;
    g_autoptr(VbTestMachine) keep = vb_test_machine_ref(machine);
    VbTestEvent *event = vb_test_event_new(
        machine, canceled ? VB_TEST_EVENT_CANCELED : VB_TEST_EVENT_COMPLETED, job->id);
    /* A silent driver answers first; what it says afterwards is a surprise. */
    gboolean silent = job->fault->cancel_mode == VB_CANCEL_SILENT &&
                      job->phase == PHASE_CANCELING && job->result == VB_TEST_CANCEL_CANCELED;
    gboolean vanishes = reports == 0 || silent;

    vb_test_job_halt(job);
    rebase(job);
    if (!canceled && !error)
        job->position = job->fault->length;
    event->error = g_strdup(error);
    event->current = job->position;
    event->total = job->fault->length;
    event->times = reports;
    g_free(job->error);
    job->error = g_strdup(event->error);
    job->canceled = canceled;
    job->phase = PHASE_ENDED;
    job->deadline = 0;
    if (vanishes) {
        guint index;

        if (g_ptr_array_find(machine->jobs, job, &index))
            g_ptr_array_steal_index(machine->jobs, index);
    }
    vb_test_machine_record(machine);

    if (silent)
        vb_test_calls_run(&job->waiting);
    vb_test_machine_tell(machine, event);
    vb_test_calls_run(&job->waiting);
    if (vanishes)
        vb_test_job_free(job);
}

/* It has come to the end of its work. */
static void reach_end(VbTestJob *job)
{
    const VbTestJobFault *fault = job->fault;

    switch (fault->end) {
    case VB_TEST_END_COMPLETED:
        if (can_pivot(job)) {
            job->phase = PHASE_READY;
            job->was_ready = TRUE;
            tell_status(job);
        } else {
            finish(job, NULL, FALSE, fault->end_reports);
        }
        break;
    case VB_TEST_END_FAILED:
        finish(job, fault->end_message, FALSE, fault->end_reports);
        break;
    case VB_TEST_END_CANCELED:
        finish(job, NULL, TRUE, fault->end_reports);
        break;
    case VB_TEST_END_CRASH:
        vb_test_machine_crash(job->machine);
        break;
    case VB_TEST_END_NEVER:
        break;
    }
}

static void reach_io_error(VbTestJob *job)
{
    VbTestEvent *event = vb_test_event_new(job->machine, VB_TEST_EVENT_IO_ERROR, job->id);

    job->io_error_passed = TRUE;
    job->io_status = job->fault->io_error_status;
    job->paused = TRUE;
    event->io_status = job->io_status;
    vb_test_machine_record(job->machine);
    vb_test_machine_tell(job->machine, event);
    tell_status(job);
}

static void end_cancel(VbTestJob *job)
{
    switch (job->result) {
    case VB_TEST_CANCEL_CANCELED:
        /* A ready job that is cancelled softly ends well: its copy is complete. */
        finish(job, NULL, !(job->was_ready && job->flavour == VB_CANCEL_SOFT), job->reports);
        break;
    case VB_TEST_CANCEL_COMPLETED:
        finish(job, NULL, FALSE, job->reports);
        break;
    case VB_TEST_CANCEL_FAILED:
        finish(job, job->error, FALSE, job->reports);
        break;
    case VB_TEST_CANCEL_PIVOTED:
        g_hash_table_add(job->machine->switched, g_strdup(job->id));
        finish(job, NULL, FALSE, job->reports);
        break;
    case VB_TEST_CANCEL_NOT_FOUND:
        finish(job, NULL, TRUE, job->reports);
        break;
    case VB_TEST_CANCEL_CRASH:
        vb_test_machine_crash(job->machine);
        break;
    case VB_TEST_CANCEL_REFUSED:
    case VB_TEST_CANCEL_NEVER:
        break;
    }
}

static void end_switching(VbTestJob *job)
{
    if (job->fault->pivot == VB_TEST_PIVOT_FAILED) {
        finish(job, job->fault->pivot_message, FALSE, job->fault->pivot_reports);
    } else if (job->fault->pivot == VB_TEST_PIVOT_CRASH) {
        vb_test_machine_crash(job->machine);
    } else {
        job->phase = PHASE_PENDING;
        job->deadline = 0;
        tell_status(job);
    }
}

/* What was planned has come. */
static void advance(VbTestJob *job)
{
    switch (job->phase) {
    case PHASE_RUNNING:
        job->since += time_to_stop(job);
        job->position = next_stop(job);
        if (job->fault->io_error && !job->io_error_passed)
            reach_io_error(job);
        else
            reach_end(job);
        break;
    case PHASE_CANCELING:
        end_cancel(job);
        break;
    case PHASE_SWITCHING:
        end_switching(job);
        break;
    case PHASE_FINALIZING:
        g_hash_table_add(job->machine->switched, g_strdup(job->id));
        finish(job, NULL, FALSE, job->fault->pivot_reports);
        break;
    default:
        break;
    }
}

/* When something comes by itself, monotonic µs; 0: never. */
static gint64 next_time(const VbTestJob *job)
{
    if (job->phase != PHASE_RUNNING)
        return job->deadline;
    if (job->paused || (job->position >= next_stop(job) && job->fault->end == VB_TEST_END_NEVER))
        return 0;
    return job->since + time_to_stop(job);
}

static gboolean on_timer(gpointer user_data)
{
    VbTestJob *job = user_data;

    job->timer = 0;
    advance(job);
    return G_SOURCE_REMOVE;
}

static void schedule(VbTestJob *job)
{
    gint64 when = next_time(job);

    g_clear_handle_id(&job->timer, g_source_remove);
    if (when == 0 || !job->machine->running || job->machine->dead)
        return;
    job->timer = g_timeout_add(CLAMP((when - g_get_monotonic_time() + 999) / 1000, 0, G_MAXINT),
                               on_timer, job);
}

void vb_test_job_run(VbTestJob *job)
{
    schedule(job);
}

void vb_test_job_halt(VbTestJob *job)
{
    g_clear_handle_id(&job->timer, g_source_remove);
}

void vb_test_job_catch_up(VbTestJob *job)
{
    gint64 when = next_time(job);

    /* No phase leads to one that could be over as well. */
    if (when != 0 && when <= g_get_monotonic_time() && !job->machine->dead)
        advance(job);
}

/* ---- what it is asked for ---- */

static void answer(VbTestCall *call, gpointer error)
{
    if (error)
        vb_test_call_return_error(call, g_error_copy(error));
    else
        vb_test_call_return(call, TRUE);
}

static void answer_soon(VbTestCall *call, guint delay, GError *error)
{
    vb_test_call_after(call, delay, answer, error, error ? (GDestroyNotify)g_error_free : NULL);
}

static GError *refusal(const VbTestJob *job, const char *why)
{
    return g_error_new(VB_ERROR, VB_ERROR_HYPERVISOR, "test job '%s': %s", job->id, why);
}

/* Answers a cancel that was accepted: now, or with the end. */
static void answer_cancel(VbTestJob *job, VbTestCall *call, gboolean after_report)
{
    GError *error = NULL;

    if (job->result == VB_TEST_CANCEL_COMPLETED || job->result == VB_TEST_CANCEL_NOT_FOUND)
        error = refusal(job, "there is no such job any more");
    if (after_report || job->fault->cancel_mode == VB_CANCEL_SILENT)
        vb_test_call_wait(call, &job->waiting, answer, error,
                          error ? (GDestroyNotify)g_error_free : NULL);
    else
        answer_soon(call, 0, error);
}

void vb_test_job_cancel(VbTestJob *job, VbCancelFlavour flavour, VbTestCall *call)
{
    const VbTestCancelFault *fault;
    VbTestCancelResult result;

    if (job->phase == PHASE_ENDED || job->phase == PHASE_FINALIZING) {
        answer_soon(call, 0, refusal(job, "it is ending already"));
        return;
    }
    if (flavour == VB_CANCEL_SOFT && job->paused) {
        answer_soon(call, 0, refusal(job, "it is paused"));
        return;
    }
    /* A cancel that is pending already stays as it is, unless a soft one becomes a forced one. */
    if (job->phase == PHASE_CANCELING &&
        !(job->flavour == VB_CANCEL_SOFT && flavour == VB_CANCEL_FORCED)) {
        answer_cancel(job, call, FALSE);
        return;
    }
    fault = vb_test_job_fault_take_cancel(job->fault, flavour);
    result = fault ? fault->result : VB_TEST_CANCEL_CANCELED;
    if (result == VB_TEST_CANCEL_REFUSED) {
        vb_test_machine_record(job->machine);
        answer_soon(call, fault->delay, refusal(job, fault->message));
        return;
    }

    rebase(job);
    job->phase = PHASE_CANCELING;
    job->flavour = flavour;
    job->result = result;
    job->reports = fault ? fault->reports : vb_test_cancel_reports(job->fault->cancel_mode, result);
    job->deadline = g_get_monotonic_time() + (fault ? fault->delay : 0) * G_GINT64_CONSTANT(1000);
    if (result == VB_TEST_CANCEL_NEVER)
        job->deadline = 0;
    g_free(job->error);
    job->error = result == VB_TEST_CANCEL_FAILED ? g_strdup(fault->message) : NULL;
    vb_test_machine_record(job->machine);

    answer_cancel(
        job, call,
        fault && fault->reply == VB_TEST_REPLY_AFTER_REPORT && result != VB_TEST_CANCEL_NEVER);
    /* Behind the answer: of two timers that are due at once, the older one comes first. */
    schedule(job);
}

void vb_test_job_complete(VbTestJob *job, VbTestCall *call)
{
    const VbTestJobFault *fault = job->fault;

    if (job->phase != PHASE_READY || job->paused) {
        answer_soon(call, 0, refusal(job, "it is not ready"));
        return;
    }
    if (fault->pivot == VB_TEST_PIVOT_REFUSED) {
        answer_soon(call, fault->pivot_delay, refusal(job, fault->pivot_message));
        return;
    }
    job->phase = PHASE_SWITCHING;
    job->deadline = g_get_monotonic_time() + fault->pivot_delay * G_GINT64_CONSTANT(1000);
    if (fault->pivot == VB_TEST_PIVOT_NEVER)
        job->deadline = 0;
    vb_test_machine_record(job->machine);
    answer_soon(call, 0, NULL);
    schedule(job);
}

void vb_test_job_finalize(VbTestJob *job, VbTestCall *call)
{
    if (job->phase != PHASE_PENDING) {
        answer_soon(call, 0, refusal(job, "it is not pending"));
        return;
    }
    job->phase = PHASE_FINALIZING;
    job->deadline = g_get_monotonic_time() + job->fault->finalize_delay * G_GINT64_CONSTANT(1000);
    vb_test_machine_record(job->machine);
    answer_soon(call, 0, NULL);
    schedule(job);
}

void vb_test_job_set_speed(VbTestJob *job, guint64 speed, VbTestCall *call)
{
    rebase(job);
    job->speed = speed;
    vb_test_machine_record(job->machine);
    answer_soon(call, 0, NULL);
    schedule(job);
}

void vb_test_job_set_paused(VbTestJob *job, gboolean paused, VbTestCall *call)
{
    if (job->phase != PHASE_RUNNING && job->phase != PHASE_READY) {
        answer_soon(call, 0, refusal(job, "it is ending already"));
        return;
    }
    if (job->paused == paused) {
        answer_soon(call, 0, refusal(job, paused ? "it is paused already" : "it is not paused"));
        return;
    }
    rebase(job);
    job->paused = paused;
    if (!paused)
        job->io_status = VB_IO_STATUS_OK;
    answer_soon(call, 0, NULL);
    tell_status(job);
    schedule(job);
}

void vb_test_job_await_end(VbTestJob *job, VbTestCall *call, VbTestCallFunc func,
                           gpointer user_data, GDestroyNotify destroy)
{
    vb_test_call_wait(call, &job->waiting, func, user_data, destroy);
}

void vb_test_job_clear_calls(VbTestJob *job)
{
    vb_test_calls_clear(&job->waiting);
}

/* ---- the record ---- */

/* One key of a job; the buffer is the caller's. */
#define KEY_SIZE 48
static const char *key(char buffer[KEY_SIZE], guint index, const char *name)
{
    g_snprintf(buffer, KEY_SIZE, "job%u-%s", index, name);
    return buffer;
}

void vb_test_job_save(const VbTestJob *job, GKeyFile *record, const char *group, guint index)
{
    const struct {
        const char *name;
        gint64 value;
    } numbers[] = {
        {"rule", vb_test_faults_job_index(job->machine->faults, job->fault)},
        {"phase", job->phase},
        {"was-ready", job->was_ready},
        {"paused", job->paused},
        {"io-error-passed", job->io_error_passed},
        {"io-status", job->io_status},
        {"speed", (gint64)job->speed},
        {"position", (gint64)job->position},
        {"since", vb_test_time_to_record(job->since)},
        {"deadline", vb_test_time_to_record(job->deadline)},
        {"flavour", job->flavour},
        {"result", job->result},
        {"reports", job->reports},
        {"canceled", job->canceled},
    };
    char buffer[KEY_SIZE];

    g_key_file_set_string(record, group, key(buffer, index, "id"), job->id);
    g_key_file_set_string(record, group, key(buffer, index, "type"), job->type);
    g_key_file_set_string(record, group, key(buffer, index, "disk"), job->disk);
    if (job->error)
        g_key_file_set_string(record, group, key(buffer, index, "error"), job->error);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_key_file_set_int64(record, group, key(buffer, index, numbers[i].name), numbers[i].value);
}

/* A number from 0 to max; the first error sticks. */
static gint64 load_number(GKeyFile *record, const char *group, guint index, const char *name,
                          gint64 max, GError **error)
{
    char buffer[KEY_SIZE];
    gint64 value;

    if (*error)
        return 0;
    value = g_key_file_get_int64(record, group, key(buffer, index, name), error);
    if (!*error && (value < 0 || value > max))
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "%s is out of range",
                    key(buffer, index, name));
    return *error ? 0 : value;
}

VbTestJob *vb_test_job_load(VbTestMachine *machine, GKeyFile *record, const char *group,
                            guint index, GError **error)
{
    char buffer[KEY_SIZE];
    g_autoptr(GError) why = NULL;
    g_autofree char *id = g_key_file_get_string(record, group, key(buffer, index, "id"), &why);
    g_autofree char *type =
        id ? g_key_file_get_string(record, group, key(buffer, index, "type"), &why) : NULL;
    g_autofree char *disk =
        type ? g_key_file_get_string(record, group, key(buffer, index, "disk"), &why) : NULL;
    int rule = g_key_file_get_integer(record, group, key(buffer, index, "rule"), NULL);
    VbTestJobFault *fault = vb_test_faults_job_at(machine->faults, rule);
    VbTestJob *job;

    if (disk && !fault)
        g_set_error(&why, VB_ERROR, VB_ERROR_FAILED, "there is no rule %d", rule);
    if (why) {
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    job = vb_test_job_new(machine, fault, id, type, disk, 0);
#define LOAD(name, max) load_number(record, group, index, (name), (max), &why)
    job->phase = LOAD("phase", N_PHASES - 1);
    job->was_ready = LOAD("was-ready", TRUE);
    job->paused = LOAD("paused", TRUE);
    job->io_error_passed = LOAD("io-error-passed", TRUE);
    job->io_status = LOAD("io-status", VB_IO_STATUS_NOSPACE);
    job->speed = LOAD("speed", G_MAXINT64);
    job->position = LOAD("position", fault->length);
    job->since = vb_test_time_from_record(LOAD("since", G_MAXINT64));
    job->deadline = vb_test_time_from_record(LOAD("deadline", G_MAXINT64));
    job->flavour = LOAD("flavour", VB_CANCEL_FORCED);
    job->result = LOAD("result", VB_TEST_CANCEL_CRASH);
    job->reports = LOAD("reports", 2);
    job->canceled = LOAD("canceled", TRUE);
#undef LOAD
    job->error = g_key_file_get_string(record, group, key(buffer, index, "error"), NULL);
    if (why) {
        g_propagate_error(error, g_steal_pointer(&why));
        vb_test_job_free(job);
        return NULL;
    }
    return job;
}
