/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test driver's side of the contract: each operation is delayed, failed or left hanging as the
 * orders say, and then done on the machine. See test-driver.h. */
#include "test-driver.h"

#include "domain.h"
#include "error.h"
#include "job.h"
#include "test-call.h"
#include "test-faults.h"
#include "test-job.h"
#include "test-machine.h"

typedef struct {
    VbTestCalls calls; /* of no machine: prepare, destroy */
} VbTestDriver;

gpointer vb_test_driver_new(VbHost *host)
{
    VbTestDriver *driver = g_new0(VbTestDriver, 1);

    g_queue_init(&driver->calls);
    return driver;
}

void vb_test_driver_free(gpointer self)
{
    VbTestDriver *driver = self;

    vb_test_calls_clear(&driver->calls);
    g_free(driver);
}

/* ---- one operation ---- */

static void answer_error(VbTestCall *call, gpointer error)
{
    vb_test_call_return_error(call, g_error_copy(error));
}

static void fail_soon(VbTestCall *call, guint delay, VbError code, const char *message)
{
    vb_test_call_after(call, delay, answer_error, g_error_new_literal(VB_ERROR, code, message),
                       (GDestroyNotify)g_error_free);
}

static void crash(VbTestCall *call, gpointer machine)
{
    /* That answers the call. */
    vb_test_machine_crash(machine);
}

/* Does `step` as the orders for `op` say. `machine` may be NULL: nothing can crash then. Without a
 * step (HANG) the call waits for its cancellation or for the end of its owner. */
static void act(VbTestCall *call, VbTestMachine *machine, const VbTestOpFault *fault,
                VbTestCallFunc step, gpointer user_data, GDestroyNotify destroy)
{
    guint delay = fault ? fault->delay : 0;

    switch (fault ? fault->result : VB_TEST_RESULT_OK) {
    case VB_TEST_RESULT_OK:
        vb_test_call_after(call, delay, step, user_data, destroy);
        return;
    case VB_TEST_RESULT_FAIL:
        fail_soon(call, delay, VB_ERROR_HYPERVISOR, fault->message);
        break;
    case VB_TEST_RESULT_CRASH:
        vb_test_call_after(call, delay, crash, machine, NULL);
        break;
    case VB_TEST_RESULT_HANG:
        break;
    }
    if (destroy)
        destroy(user_data);
}

/* A call on a machine; NULL: the task was answered, there is none. */
static VbTestCall *machine_call(VbTestDriver *driver, VbTestMachine *machine, GTask *task)
{
    if (machine)
        return vb_test_call_new(&machine->calls, task);
    fail_soon(vb_test_call_new(&driver->calls, task), 0, VB_ERROR_DOMAIN_NOT_RUNNING,
              "the test domain is not running");
    return NULL;
}

/* ---- domains ---- */

static void prepared(VbTestCall *call, gpointer user_data)
{
    vb_test_call_return(call, TRUE);
}

static gboolean check_def(const VbDomainDef *def, GError **error)
{
    const struct {
        const char *element;
        VbOnEvent value;
    } events[] = {{"on_poweroff", def->on_poweroff}, {"on_reboot", def->on_reboot}};

    for (gsize i = 0; i < G_N_ELEMENTS(events); i++)
        if (events[i].value != VB_ON_EVENT_DESTROY && events[i].value != VB_ON_EVENT_RESTART) {
            g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                        "the test driver cannot do <%s>%s</%s>", events[i].element,
                        vb_on_event_to_string(events[i].value), events[i].element);
            return FALSE;
        }
    return TRUE;
}

static void test_prepare(gpointer self, VbDomainDef *def, GTask *task)
{
    VbTestDriver *driver = self;
    VbTestCall *call = vb_test_call_new(&driver->calls, task);
    g_autoptr(VbTestFaults) faults = NULL;
    GError *error = NULL;

    faults = vb_test_faults_parse(def->metadata_xml, &error);
    if (!faults || !check_def(def, &error)) {
        vb_test_call_after(call, 0, answer_error, error, (GDestroyNotify)g_error_free);
        return;
    }
    act(call, NULL, vb_test_faults_take_op(faults, VB_TEST_OP_PREPARE), prepared, NULL, NULL);
}

static void do_start(VbTestMachine *machine, gboolean paused)
{
    if (paused)
        vb_domain_set_state(machine->domain, VB_DOMAIN_PAUSED, "user");
    else
        vb_domain_set_state(machine->domain, VB_DOMAIN_RUNNING, "booted");
    vb_test_machine_run(machine);
}

typedef struct {
    VbTestMachine *machine; /* owned */
    VbDomainOp op;
    VbDomainOpFlags flags;
    const VbTestOpFault *fault; /* the machine's */
} Operation;

static void operation_free(gpointer data)
{
    Operation *operation = data;

    vb_test_machine_unref(operation->machine);
    g_free(operation);
}

static void ask_guest(const Operation *operation, VbTestGuest what)
{
    if (operation->fault == NULL || !operation->fault->guest_ignores)
        vb_test_machine_ask_guest(operation->machine, what,
                                  operation->fault ? operation->fault->guest_delay : 0);
}

static void operate_step(VbTestCall *call, gpointer user_data)
{
    const Operation *operation = user_data;
    VbTestMachine *machine = operation->machine;

    switch (operation->op) {
    case VB_DOMAIN_OP_START:
        do_start(machine, (operation->flags & VB_DOMAIN_OP_FLAG_PAUSED) != 0);
        break;
    case VB_DOMAIN_OP_SHUTDOWN:
        ask_guest(operation, VB_TEST_GUEST_POWEROFF);
        break;
    case VB_DOMAIN_OP_REBOOT:
        ask_guest(operation, VB_TEST_GUEST_REBOOT);
        break;
    case VB_DOMAIN_OP_RESET:
        vb_test_machine_reset(machine, "user");
        break;
    case VB_DOMAIN_OP_SUSPEND:
        vb_domain_set_state(machine->domain, VB_DOMAIN_PAUSED, "user");
        break;
    case VB_DOMAIN_OP_RESUME:
        vb_domain_set_state(machine->domain, VB_DOMAIN_RUNNING, "unpaused");
        vb_test_machine_resumed(machine);
        break;
    case VB_DOMAIN_OP_DESTROY:
        vb_test_machine_destroy(machine);
        break;
    default:
        g_assert_not_reached();
    }
    vb_test_call_return(call, TRUE);
}

static const VbTestOp op_orders[VB_N_DOMAIN_OPS] = {
    [VB_DOMAIN_OP_START] = VB_TEST_OP_START,     [VB_DOMAIN_OP_SHUTDOWN] = VB_TEST_OP_SHUTDOWN,
    [VB_DOMAIN_OP_REBOOT] = VB_TEST_OP_REBOOT,   [VB_DOMAIN_OP_RESET] = VB_TEST_OP_RESET,
    [VB_DOMAIN_OP_SUSPEND] = VB_TEST_OP_SUSPEND, [VB_DOMAIN_OP_RESUME] = VB_TEST_OP_RESUME,
    [VB_DOMAIN_OP_DESTROY] = VB_TEST_OP_DESTROY,
};

static void test_operate(gpointer self, VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags,
                         GTask *task)
{
    VbTestDriver *driver = self;
    VbTestMachine *machine;
    VbTestCall *call;
    Operation *operation;

    if (op == VB_DOMAIN_OP_START) {
        GError *error = NULL;
        VbTestFaults *faults = vb_test_faults_parse(vb_domain_def(domain)->metadata_xml, &error);

        if (faults == NULL) {
            vb_test_call_after(vb_test_call_new(&driver->calls, task), 0, answer_error, error,
                               (GDestroyNotify)g_error_free);
            return;
        }
        vb_domain_set_driver_data(domain, vb_test_machine_new(domain, faults),
                                  (GDestroyNotify)vb_test_machine_close);
    }
    /* A Destroy ends the machine, and with it the machine's calls: it is not one of them. It also
     * works on a machine whose end has not been told yet. */
    machine =
        op == VB_DOMAIN_OP_DESTROY ? vb_domain_driver_data(domain) : vb_test_machine_of(domain);
    call = machine && op == VB_DOMAIN_OP_DESTROY ? vb_test_call_new(&driver->calls, task)
                                                 : machine_call(driver, machine, task);
    if (call == NULL)
        return;
    operation = g_new0(Operation, 1);
    operation->machine = vb_test_machine_ref(machine);
    operation->op = op;
    operation->flags = flags;
    operation->fault = vb_test_faults_take_op(machine->faults, op_orders[op]);
    act(call, machine, operation->fault, operate_step, operation, operation_free);
}

static void test_save(gpointer self, VbDomain *domain, GKeyFile *record)
{
    VbTestMachine *machine = vb_test_machine_of(domain);

    if (machine)
        vb_test_machine_save(machine, record);
}

/* ---- statistics ---- */

static void free_stats(gpointer stats)
{
    g_variant_unref(stats);
}

/* Processor time passes with the wall's, and each disk has been read once. */
static void stats_step(VbTestCall *call, gpointer stats)
{
    vb_test_call_return_pointer(call, g_variant_ref(stats), free_stats);
}

static GVariant *make_stats(const VbDomainDef *def, VbStatsGroups groups)
{
    GVariantBuilder stats = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);

    if (groups & VB_STATS_CPU_TOTAL)
        g_variant_builder_add(&stats, "{sv}", "cpu.time",
                              g_variant_new_uint64((guint64)g_get_monotonic_time() * 1000));
    for (guint i = 0; i < def->disks->len && (groups & VB_STATS_BLOCK); i++) {
        g_autofree char *key = g_strdup_printf("block.%u.rd.reqs", i);

        g_variant_builder_add(&stats, "{sv}", key, g_variant_new_uint64(1));
    }
    return g_variant_ref_sink(g_variant_builder_end(&stats));
}

static void test_stats(gpointer self, VbDomain *domain, VbStatsGroups groups, GTask *task)
{
    VbTestMachine *machine = vb_test_machine_of(domain);
    VbTestCall *call = machine_call(self, machine, task);

    if (call != NULL)
        act(call, machine, vb_test_faults_take_op(machine->faults, VB_TEST_OP_STATS), stats_step,
            make_stats(vb_domain_def(domain), groups), free_stats);
}

/* ---- after a restart ---- */

static void reconnect_step(VbTestCall *call, gpointer user_data)
{
    VbTestMachine *machine = user_data;

    g_clear_handle_id(&machine->reconnect_timer, g_source_remove);
    vb_test_call_return(call, TRUE);
}

/* Nobody waits for the answer any more, and now it comes. */
static gboolean on_late_reconnect(gpointer user_data)
{
    VbTestMachine *machine = user_data;

    machine->reconnect_timer = 0;
    vb_domain_reconnected(machine->domain);
    return G_SOURCE_REMOVE;
}

static void test_reconnect(gpointer self, VbDomain *domain, GKeyFile *record, GTask *task)
{
    VbTestDriver *driver = self;
    VbTestCall *call = vb_test_call_new(&driver->calls, task);
    g_autoptr(GError) error = NULL;
    VbTestFaults *faults = vb_test_faults_parse(vb_domain_def(domain)->metadata_xml, &error);
    VbTestMachine *machine = faults ? vb_test_machine_load(domain, faults, record, &error) : NULL;
    const VbTestOpFault *fault;

    if (machine == NULL) {
        fail_soon(call, 0, VB_ERROR_DOMAIN_NOT_RUNNING, error->message);
        return;
    }
    vb_domain_set_driver_data(domain, machine, (GDestroyNotify)vb_test_machine_close);
    vb_test_machine_run(machine);
    fault = vb_test_faults_take_op(machine->faults, VB_TEST_OP_RECONNECT);
    if (fault && fault->result == VB_TEST_RESULT_CRASH) {
        fail_soon(call, fault->delay, VB_ERROR_DOMAIN_NOT_RUNNING, "the test domain has crashed");
        return;
    }
    act(call, machine, fault, reconnect_step, vb_test_machine_ref(machine),
        (GDestroyNotify)vb_test_machine_unref);
    /* Made after the call's own timer, hence behind it. */
    if (fault && fault->result == VB_TEST_RESULT_OK)
        machine->reconnect_timer = g_timeout_add(fault->delay, on_late_reconnect, machine);
}

static void test_resume_events(gpointer self, VbDomain *domain)
{
    VbTestMachine *machine = vb_domain_driver_data(domain);

    if (machine)
        vb_test_machine_release(machine);
}

/* ---- block jobs ---- */

/* Jobs that are being started: all or none. */
typedef struct {
    VbTestMachine *machine; /* owned */
    GPtrArray *ids;         /* of the core's jobs, in their order */
    GPtrArray *jobs;        /* of VbTestJob, owned until they begin */
    GPtrArray *faults;      /* of VbTestJobFault, borrowed from the machine */
} Start;

static void start_clear(gpointer data)
{
    Start *start = data;

    vb_test_machine_unref(start->machine);
    g_ptr_array_unref(start->ids);
    g_ptr_array_unref(start->jobs);
    g_ptr_array_unref(start->faults);
}

static void start_unref(gpointer start)
{
    g_rc_box_release_full(start, start_clear);
}

static Start *start_new(VbTestMachine *machine, GPtrArray *jobs)
{
    Start *start = g_rc_box_new0(Start);

    start->machine = vb_test_machine_ref(machine);
    start->ids = g_ptr_array_new_with_free_func(g_free);
    start->jobs = g_ptr_array_new_with_free_func(vb_test_job_free);
    start->faults = g_ptr_array_new();
    for (guint i = 0; i < jobs->len; i++) {
        VbJob *job = jobs->pdata[i];
        const VbJobInfo *info = vb_job_info(job);
        const char *type = vb_job_type_to_string(info->type);
        VbTestJobFault *fault = vb_test_faults_take_job(machine->faults, info->disk, type);

        vb_job_set_cancel_mode(job, fault->cancel_mode);
        g_ptr_array_add(start->ids, g_strdup(info->id));
        g_ptr_array_add(start->faults, fault);
        g_ptr_array_add(start->jobs, vb_test_job_new(machine, fault, info->id, type, info->disk,
                                                     info->bandwidth));
    }
    return start;
}

/* Answers when each job that has to end before the answer has done so. */
static void await_ends(VbTestCall *call, gpointer user_data)
{
    Start *start = user_data;

    for (guint i = 0; i < start->ids->len; i++) {
        const VbTestJobFault *fault = start->faults->pdata[i];
        VbTestJob *job = vb_test_machine_job(start->machine, start->ids->pdata[i]);

        if (fault->start_reply == VB_TEST_REPLY_AFTER_REPORT && job &&
            !vb_test_job_has_ended(job)) {
            vb_test_job_await_end(job, call, await_ends, g_rc_box_acquire(start), start_unref);
            return;
        }
    }
    vb_test_call_return(call, TRUE);
}

static void start_step(VbTestCall *call, gpointer user_data)
{
    Start *start = user_data;
    VbTestMachine *machine = start->machine;
    guint first = machine->jobs->len;

    while (start->jobs->len > 0)
        g_ptr_array_add(machine->jobs, g_ptr_array_steal_index(start->jobs, 0));
    vb_test_machine_record(machine);
    for (guint i = first; i < machine->jobs->len; i++)
        vb_test_job_run(machine->jobs->pdata[i]);
    await_ends(call, start);
}

static void test_jobs_start(gpointer self, VbDomain *domain, GPtrArray *jobs, GTask *task)
{
    VbTestMachine *machine = vb_test_machine_of(domain);
    VbTestCall *call = machine_call(self, machine, task);
    Start *start;
    guint delay = 0;
    const char *refused = NULL;

    if (call == NULL)
        return;
    start = start_new(machine, jobs);
    for (guint i = 0; i < start->faults->len; i++) {
        const VbTestJobFault *fault = start->faults->pdata[i];

        delay = MAX(delay, fault->start_delay);
        if (fault->start_fails && !refused)
            refused = fault->start_message;
    }
    if (refused) {
        fail_soon(call, delay, VB_ERROR_HYPERVISOR, refused);
        start_unref(start);
    } else {
        vb_test_call_after(call, delay, start_step, start, start_unref);
    }
}

static void query_step(VbTestCall *call, gpointer machine_data)
{
    VbTestMachine *machine = machine_data;
    GPtrArray *statuses = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_status_free);

    for (guint i = 0; i < machine->jobs->len; i++)
        g_ptr_array_add(statuses, vb_test_job_status(machine->jobs->pdata[i]));
    vb_test_call_return_pointer(call, statuses, (GDestroyNotify)g_ptr_array_unref);
}

static void test_jobs_query(gpointer self, VbDomain *domain, GTask *task)
{
    VbTestMachine *machine = vb_test_machine_of(domain);
    VbTestCall *call = machine_call(self, machine, task);

    if (call)
        act(call, machine, vb_test_faults_take_op(machine->faults, VB_TEST_OP_QUERY), query_step,
            machine, NULL);
}

/* The call for an operation on a job and the job; NULL: it was answered, there is no such job. */
static VbTestCall *job_call(VbTestDriver *driver, VbJob *job, GTask *task, VbTestJob **ret_job)
{
    const VbJobInfo *info = vb_job_info(job);
    VbTestMachine *machine = vb_test_machine_of(info->domain);
    VbTestCall *call = machine_call(driver, machine, task);

    if (call == NULL)
        return NULL;
    *ret_job = vb_test_machine_job(machine, info->id);
    if (*ret_job)
        return call;
    fail_soon(call, 0, VB_ERROR_HYPERVISOR, "there is no such test job");
    return NULL;
}

static void test_job_cancel(gpointer self, VbJob *job, VbCancelFlavour flavour, GTask *task)
{
    VbTestJob *test_job;
    VbTestCall *call = job_call(self, job, task, &test_job);

    if (call)
        vb_test_job_cancel(test_job, flavour, call);
}

static void test_job_complete(gpointer self, VbJob *job, GTask *task)
{
    VbTestJob *test_job;
    VbTestCall *call = job_call(self, job, task, &test_job);

    if (call)
        vb_test_job_complete(test_job, call);
}

static void test_job_finalize(gpointer self, VbJob *job, GTask *task)
{
    VbTestJob *test_job;
    VbTestCall *call = job_call(self, job, task, &test_job);

    if (call)
        vb_test_job_finalize(test_job, call);
}

static void test_job_set_speed(gpointer self, VbJob *job, guint64 speed, GTask *task)
{
    VbTestJob *test_job;
    VbTestCall *call = job_call(self, job, task, &test_job);

    if (call)
        vb_test_job_set_speed(test_job, speed, call);
}

static void test_job_set_paused(gpointer self, VbJob *job, gboolean paused, GTask *task)
{
    VbTestJob *test_job;
    VbTestCall *call = job_call(self, job, task, &test_job);

    if (call)
        vb_test_job_set_paused(test_job, paused, call);
}

static void answer_switched(VbTestCall *call, gpointer switched)
{
    vb_test_call_return(call, switched != NULL);
}

static void test_job_root(gpointer self, VbJob *job, GTask *task)
{
    const VbJobInfo *info = vb_job_info(job);
    VbTestMachine *machine = vb_test_machine_of(info->domain);
    VbTestCall *call = machine_call(self, machine, task);

    if (call)
        vb_test_call_after(call, 0, answer_switched,
                           GINT_TO_POINTER(g_hash_table_contains(machine->switched, info->id)),
                           NULL);
}

typedef struct {
    VbTestMachine *machine; /* owned */
    char *id;
} Clean;

static void clean_free(gpointer data)
{
    Clean *clean = data;

    vb_test_machine_unref(clean->machine);
    g_free(clean->id);
    g_free(clean);
}

static void clean_step(VbTestCall *call, gpointer user_data)
{
    Clean *clean = user_data;
    VbTestJob *job = vb_test_machine_job(clean->machine, clean->id);

    if (job && !vb_test_job_has_ended(job)) {
        vb_test_call_return_error(call, g_error_new(VB_ERROR, VB_ERROR_HYPERVISOR,
                                                    "test job '%s' has not ended", clean->id));
        return;
    }
    g_ptr_array_remove(clean->machine->jobs, job);
    g_hash_table_remove(clean->machine->switched, clean->id);
    vb_test_machine_record(clean->machine);
    vb_test_call_return(call, TRUE);
}

static void test_job_clean(gpointer self, VbJob *job, GTask *task)
{
    const VbJobInfo *info = vb_job_info(job);
    VbTestMachine *machine = vb_test_machine_of(info->domain);
    VbTestCall *call = machine_call(self, machine, task);
    Clean *clean;

    if (call == NULL)
        return;
    clean = g_new0(Clean, 1);
    clean->machine = vb_test_machine_ref(machine);
    clean->id = g_strdup(info->id);
    act(call, machine, vb_test_faults_take_op(machine->faults, VB_TEST_OP_CLEAN), clean_step, clean,
        clean_free);
}

static const VbDomainType test_types[] = {VB_DOMAIN_TYPE_TEST};

const VbDriver vb_test_driver = {
    .name = "test",
    .types = test_types,
    .n_types = G_N_ELEMENTS(test_types),
    .block_jobs = TRUE,
    .prepare = test_prepare,
    .operate = test_operate,
    .save = test_save,
    .reconnect = test_reconnect,
    .resume_events = test_resume_events,
    .stats = test_stats,
    .jobs_start = test_jobs_start,
    .jobs_query = test_jobs_query,
    .job_cancel = test_job_cancel,
    .job_complete = test_job_complete,
    .job_finalize = test_job_finalize,
    .job_root = test_job_root,
    .job_set_speed = test_job_set_speed,
    .job_set_paused = test_job_set_paused,
    .job_clean = test_job_clean,
};
