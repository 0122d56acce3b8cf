/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns what a running test domain is. See test-machine.h. */
#include "test-machine.h"

#include "error.h"
#include "job.h"
#include "test-job.h"

#define GROUP "test"

gint64 vb_test_time_to_record(gint64 monotonic)
{
    return monotonic == 0 ? 0 : monotonic - g_get_monotonic_time() + g_get_real_time();
}

gint64 vb_test_time_from_record(gint64 real)
{
    return real == 0 ? 0 : real - g_get_real_time() + g_get_monotonic_time();
}

VbTestMachine *vb_test_machine_new(VbDomain *domain, VbTestFaults *faults)
{
    VbTestMachine *machine = g_rc_box_new0(VbTestMachine);

    machine->domain = domain;
    machine->faults = faults;
    machine->jobs = g_ptr_array_new_with_free_func(vb_test_job_free);
    machine->switched = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_queue_init(&machine->calls);
    g_queue_init(&machine->events);
    if (faults->crash)
        machine->crash_at = g_get_monotonic_time() + faults->crash_after * G_GINT64_CONSTANT(1000);
    return machine;
}

static void event_free(gpointer data)
{
    VbTestEvent *event = data;

    vb_job_unref(event->job);
    g_free(event->id);
    g_free(event->error);
    g_free(event);
}

static void machine_clear(gpointer data)
{
    VbTestMachine *machine = data;

    g_queue_clear_full(&machine->events, event_free);
    g_ptr_array_unref(machine->jobs);
    g_hash_table_unref(machine->switched);
    vb_test_faults_free(machine->faults);
}

VbTestMachine *vb_test_machine_ref(VbTestMachine *machine)
{
    return g_rc_box_acquire(machine);
}

void vb_test_machine_unref(VbTestMachine *machine)
{
    if (machine)
        g_rc_box_release_full(machine, machine_clear);
}

/* What is over is over, also when vb_domain_gone() has to wait for the answer to a job's start. */
static void die(VbTestMachine *machine)
{
    machine->dead = TRUE;
    g_clear_handle_id(&machine->crash_timer, g_source_remove);
    g_clear_handle_id(&machine->guest_timer, g_source_remove);
    g_clear_handle_id(&machine->reconnect_timer, g_source_remove);
    for (guint i = 0; i < machine->jobs->len; i++)
        vb_test_job_halt(machine->jobs->pdata[i]);
}

static void clear_calls(VbTestMachine *machine)
{
    for (guint i = 0; i < machine->jobs->len; i++)
        vb_test_job_clear_calls(machine->jobs->pdata[i]);
    vb_test_calls_clear(&machine->calls);
}

void vb_test_machine_close(VbTestMachine *machine)
{
    die(machine);
    clear_calls(machine);
    vb_test_machine_unref(machine);
}

VbTestMachine *vb_test_machine_of(const VbDomain *domain)
{
    VbTestMachine *machine = vb_domain_driver_data(domain);

    return machine && !machine->dead ? machine : NULL;
}

void vb_test_machine_record(VbTestMachine *machine)
{
    if (!machine->loading && !machine->dead)
        vb_domain_save(machine->domain);
}

VbTestJob *vb_test_machine_job(const VbTestMachine *machine, const char *id)
{
    for (guint i = 0; i < machine->jobs->len; i++)
        if (g_str_equal(vb_test_job_id(machine->jobs->pdata[i]), id))
            return machine->jobs->pdata[i];
    return NULL;
}

/* ---- what is told ---- */

VbTestEvent *vb_test_event_new(VbTestMachine *machine, VbTestEventKind kind, const char *id)
{
    VbTestEvent *event = g_new0(VbTestEvent, 1);
    VbJob *job = vb_domain_job_by_id(machine->domain, id);

    event->kind = kind;
    event->id = g_strdup(id);
    event->job = job ? vb_job_ref(job) : NULL;
    event->times = 1;
    return event;
}

static void deliver(VbTestMachine *machine, VbTestEvent *event)
{
    VbJob *job = event->job ? event->job : vb_domain_job_by_id(machine->domain, event->id);
    g_autoptr(VbJob) keep = job ? vb_job_ref(job) : NULL;

    for (guint i = 0; job && i < event->times; i++)
        switch (event->kind) {
        case VB_TEST_EVENT_STATUS:
            vb_job_report_status(job, event->status, event->current, event->total);
            break;
        case VB_TEST_EVENT_IO_ERROR:
            vb_job_report_io_error(job, event->io_status);
            break;
        case VB_TEST_EVENT_CANCELED:
            vb_job_report_canceled(job, event->current, event->total);
            break;
        case VB_TEST_EVENT_COMPLETED:
            vb_job_report_completed(job, event->error, event->current, event->total);
            break;
        }
    event_free(event);
}

void vb_test_machine_tell(VbTestMachine *machine, VbTestEvent *event)
{
    if (machine->loading || machine->dead)
        event_free(event);
    else if (machine->held)
        g_queue_push_tail(&machine->events, event);
    else
        deliver(machine, event);
}

static void gone(VbTestMachine *machine, VbDomainState state, const char *reason)
{
    g_autoptr(VbDomain) domain = vb_domain_ref(machine->domain);

    if (state == VB_DOMAIN_SHUT_OFF)
        vb_domain_set_stopping(domain);
    vb_domain_gone(domain, state, reason);
    /* That has closed the machine, unless a job's start has to be answered first. */
    clear_calls(machine);
}

void vb_test_machine_release(VbTestMachine *machine)
{
    g_autoptr(VbTestMachine) keep = vb_test_machine_ref(machine);
    VbTestEvent *event;

    machine->held = FALSE;
    while ((event = g_queue_pop_head(&machine->events)))
        deliver(machine, event);
    if (machine->end.known)
        gone(machine, machine->end.state, machine->end.reason);
}

/* ---- its end ---- */

static void end(VbTestMachine *machine, VbDomainState state, const char *reason)
{
    g_autoptr(VbTestMachine) keep = vb_test_machine_ref(machine);

    die(machine);
    if (machine->held && !machine->end.known) {
        machine->end.known = TRUE;
        machine->end.state = state;
        machine->end.reason = reason;
    } else if (!machine->loading && !machine->held) {
        gone(machine, state, reason);
    }
}

void vb_test_machine_crash(VbTestMachine *machine)
{
    end(machine, VB_DOMAIN_CRASHED, "crashed");
}

void vb_test_machine_destroy(VbTestMachine *machine)
{
    /* Nobody waits for what a held machine would still tell: this tells it all. */
    machine->held = FALSE;
    end(machine, VB_DOMAIN_SHUT_OFF, "destroyed");
}

/* ---- what happens by itself ---- */

static guint until(gint64 when)
{
    return CLAMP((when - g_get_monotonic_time() + 999) / 1000, 0, G_MAXUINT);
}

static gboolean on_crash(gpointer user_data)
{
    VbTestMachine *machine = user_data;

    machine->crash_timer = 0;
    vb_test_machine_crash(machine);
    return G_SOURCE_REMOVE;
}

/* What the guest does when it turns itself off or starts anew is in its definition. */
static void obey(VbTestMachine *machine)
{
    const VbDomainDef *def = vb_domain_def(machine->domain);
    VbOnEvent what = machine->guest == VB_TEST_GUEST_POWEROFF ? def->on_poweroff : def->on_reboot;

    if (what == VB_ON_EVENT_RESTART) {
        vb_test_machine_reset(machine, "guest");
        return;
    }
    if (!machine->loading && !machine->held) {
        vb_domain_set_stopping(machine->domain);
        vb_domain_set_state(machine->domain, VB_DOMAIN_SHUTTING_DOWN, "user");
    }
    end(machine, VB_DOMAIN_SHUT_OFF, "shutdown");
}

static gboolean on_guest(gpointer user_data)
{
    VbTestMachine *machine = user_data;

    machine->guest_timer = 0;
    if (vb_domain_info(machine->domain)->state != VB_DOMAIN_PAUSED)
        obey(machine);
    return G_SOURCE_REMOVE;
}

static void arm_guest(VbTestMachine *machine)
{
    g_clear_handle_id(&machine->guest_timer, g_source_remove);
    if (machine->running && machine->guest != VB_TEST_GUEST_NOTHING)
        machine->guest_timer = g_timeout_add(until(machine->guest_at), on_guest, machine);
}

void vb_test_machine_ask_guest(VbTestMachine *machine, VbTestGuest what, guint delay)
{
    machine->guest = what;
    machine->guest_at = g_get_monotonic_time() + delay * G_GINT64_CONSTANT(1000);
    vb_test_machine_record(machine);
    arm_guest(machine);
}

void vb_test_machine_reset(VbTestMachine *machine, const char *reason)
{
    g_clear_handle_id(&machine->guest_timer, g_source_remove);
    machine->guest = VB_TEST_GUEST_NOTHING;
    machine->guest_at = 0;
    vb_test_machine_record(machine);
    if (!machine->loading && !machine->held)
        vb_domain_lifecycle(machine->domain, "rebooted", reason);
}

void vb_test_machine_resumed(VbTestMachine *machine)
{
    if (machine->guest_timer == 0)
        arm_guest(machine);
}

void vb_test_machine_run(VbTestMachine *machine)
{
    if (machine->running || machine->dead)
        return;
    machine->running = TRUE;
    if (machine->crash_at)
        machine->crash_timer = g_timeout_add(until(machine->crash_at), on_crash, machine);
    arm_guest(machine);
    for (guint i = 0; i < machine->jobs->len; i++)
        vb_test_job_run(machine->jobs->pdata[i]);
}

/* ---- the record ---- */

void vb_test_machine_save(const VbTestMachine *machine, GKeyFile *record)
{
    g_autoptr(GArray) used = vb_test_faults_get_used(machine->faults);
    g_autofree gpointer *switched = g_hash_table_get_keys_as_array(machine->switched, NULL);

    g_key_file_set_int64(record, GROUP, "crash-at", vb_test_time_to_record(machine->crash_at));
    g_key_file_set_int64(record, GROUP, "guest-at", vb_test_time_to_record(machine->guest_at));
    g_key_file_set_integer(record, GROUP, "guest", machine->guest);
    if (used->len > 0)
        g_key_file_set_integer_list(record, GROUP, "used", (int *)used->data, used->len);
    g_key_file_set_string_list(record, GROUP, "switched", (const char *const *)switched,
                               g_hash_table_size(machine->switched));
    g_key_file_set_integer(record, GROUP, "jobs", machine->jobs->len);
    for (guint i = 0; i < machine->jobs->len; i++)
        vb_test_job_save(machine->jobs->pdata[i], record, GROUP, i);
}

static gboolean load(VbTestMachine *machine, GKeyFile *record, GError **error)
{
    g_auto(GStrv) switched = g_key_file_get_string_list(record, GROUP, "switched", NULL, NULL);
    gsize n_used = 0;
    g_autofree int *used = g_key_file_get_integer_list(record, GROUP, "used", &n_used, NULL);
    int n_jobs = g_key_file_get_integer(record, GROUP, "jobs", error);

    if (n_jobs == 0 && error && *error)
        return FALSE;
    machine->crash_at =
        vb_test_time_from_record(g_key_file_get_int64(record, GROUP, "crash-at", NULL));
    machine->guest_at =
        vb_test_time_from_record(g_key_file_get_int64(record, GROUP, "guest-at", NULL));
    machine->guest =
        CLAMP(g_key_file_get_integer(record, GROUP, "guest", NULL), 0, VB_TEST_GUEST_REBOOT);
    vb_test_faults_set_used(machine->faults, used, n_used);
    for (char **id = switched; id && *id; id++)
        g_hash_table_add(machine->switched, g_strdup(*id));
    for (int i = 0; i < n_jobs; i++) {
        VbTestJob *job = vb_test_job_load(machine, record, GROUP, i, error);

        if (job == NULL)
            return FALSE;
        g_ptr_array_add(machine->jobs, job);
    }
    return TRUE;
}

/* What happened while nobody looked. */
static void catch_up(VbTestMachine *machine)
{
    gint64 now = g_get_monotonic_time();

    if (machine->crash_at && machine->crash_at <= now)
        die(machine);
    if (machine->guest != VB_TEST_GUEST_NOTHING && machine->guest_at <= now &&
        vb_domain_info(machine->domain)->state != VB_DOMAIN_PAUSED)
        obey(machine);
    /* A job may leave the list meanwhile. */
    for (guint i = machine->jobs->len; i > 0; i--)
        vb_test_job_catch_up(machine->jobs->pdata[i - 1]);
}

VbTestMachine *vb_test_machine_load(VbDomain *domain, VbTestFaults *faults, GKeyFile *record,
                                    GError **error)
{
    g_autoptr(VbTestMachine) machine = vb_test_machine_new(domain, faults);
    g_autoptr(GError) why = NULL;

    if (!load(machine, record, &why)) {
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                    "the record of the test domain makes no sense: %s", why->message);
        return NULL;
    }
    machine->loading = TRUE;
    catch_up(machine);
    machine->loading = FALSE;
    machine->held = TRUE;
    if (machine->dead) {
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                    "the test domain has ended meanwhile");
        return NULL;
    }
    return g_steal_pointer(&machine);
}
