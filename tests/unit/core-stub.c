/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns a host with a driver that the test plays. See core-stub.h. */
#include "core-stub.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "network.h"
#include "parse-domain.h"

void stub_note(Stub *stub, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *line = g_strdup_vprintf(format, args);
    va_end(args);
    g_ptr_array_add(stub->log, line);
    if (stub->on_line)
        stub->on_line(stub, line);
}

/* ---- the driver ---- */

static void finish(Stub *stub, StubCall call, GTask *task, const char *error)
{
    g_autoptr(GTask) owned = task;

    if (error) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_HYPERVISOR, "%s", error);
        return;
    }
    if (call == STUB_ROOT) {
        g_task_return_boolean(task, stub->root_is_target);
        return;
    }
    if (call != STUB_QUERY) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    GPtrArray *copies = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_status_free);
    for (guint i = 0; i < stub->statuses->len; i++) {
        VbJobStatus *copy = g_memdup2(stub->statuses->pdata[i], sizeof *copy);
        copy->id = g_strdup(copy->id);
        copy->type = g_strdup(copy->type);
        copy->disk = g_strdup(copy->disk);
        copy->error = g_strdup(copy->error);
        g_ptr_array_add(copies, copy);
    }
    g_task_return_pointer(task, copies, (GDestroyNotify)g_ptr_array_unref);
}

static void take(Stub *stub, StubCall call, GTask *task)
{
    g_task_set_check_cancellable(task, FALSE);
    stub->count[call]++;
    if (stub->keep[call])
        g_ptr_array_add(stub->waiting[call], task);
    else
        finish(stub, call, task, stub->fail[call]);
}

void stub_answer(Stub *stub, StubCall call, const char *error)
{
    g_assert_cmpuint(stub->waiting[call]->len, >, 0);
    finish(stub, call, g_ptr_array_steal_index(stub->waiting[call], 0), error);
}

static void stub_prepare(gpointer self, VbDomainDef *def, GTask *task)
{
    g_task_return_boolean(task, TRUE);
    g_object_unref(task);
}

typedef struct {
    Stub *stub;
    VbDomain *domain;
    GTask *task;
} Opening;

static void on_ports(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Opening *data = user_data;
    g_autoptr(VbDomain) domain = data->domain;
    GError *error = NULL;
    GArray *fds = vb_domain_open_ports_finish(domain, result, &error);

    if (!fds) {
        g_task_return_error(data->task, error);
        g_object_unref(data->task);
        return;
    }
    g_ptr_array_add(data->stub->fds, fds);
    stub_note(data->stub, "ports of %s are open", vb_domain_info(domain)->name);
    if (!data->stub->fail[STUB_OPERATE])
        vb_domain_set_state(domain, VB_DOMAIN_RUNNING, "booted");
    take(data->stub, STUB_OPERATE, data->task);
}

static void stub_operate_driver(gpointer self, VbDomain *domain, VbDomainOp op,
                                VbDomainOpFlags flags, GTask *task)
{
    Stub *stub = self;

    if (op == VB_DOMAIN_OP_START && stub->open_ports) {
        Opening *data = g_new(Opening, 1);
        *data = (Opening){stub, vb_domain_ref(domain), task};
        g_task_set_check_cancellable(task, FALSE);
        vb_domain_open_ports_async(domain, g_task_get_cancellable(task), on_ports, data);
        return;
    }
    if (op == VB_DOMAIN_OP_START && !stub->fail[STUB_OPERATE] && !stub->keep[STUB_OPERATE])
        vb_domain_set_state(domain, VB_DOMAIN_RUNNING, "booted");
    if (op == VB_DOMAIN_OP_DESTROY) {
        vb_domain_set_stopping(domain);
        vb_domain_gone(domain, VB_DOMAIN_SHUT_OFF, "destroyed");
    }
    take(stub, STUB_OPERATE, task);
}

static void stub_reconnect(gpointer self, VbDomain *domain, GKeyFile *record, GTask *task)
{
    Stub *stub = self;

    /* The error for "it is gone" is the driver's own. */
    if (stub->fail[STUB_RECONNECT] && g_str_equal(stub->fail[STUB_RECONNECT], "gone")) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "gone");
        g_object_unref(task);
        return;
    }
    take(stub, STUB_RECONNECT, task);
}

static void stub_set_link(gpointer self, VbDomain *domain, guint interface, gboolean up,
                          GTask *task)
{
    stub_note(self, "link %u of %s %s", interface, vb_domain_info(domain)->name,
              up ? "up" : "down");
    take(self, STUB_LINK, task);
}

static void stub_jobs_start(gpointer self, VbDomain *domain, GPtrArray *jobs, GTask *task)
{
    take(self, STUB_START, task);
}

static void stub_jobs_query(gpointer self, VbDomain *domain, GTask *task)
{
    take(self, STUB_QUERY, task);
}

static void stub_job_cancel(gpointer self, VbJob *job, VbCancelFlavour flavour, GTask *task)
{
    take(self, STUB_CANCEL, task);
}

static void stub_job_complete(gpointer self, VbJob *job, GTask *task)
{
    take(self, STUB_COMPLETE, task);
}

static void stub_job_finalize(gpointer self, VbJob *job, GTask *task)
{
    take(self, STUB_FINALIZE, task);
}

static void stub_job_root(gpointer self, VbJob *job, GTask *task)
{
    take(self, STUB_ROOT, task);
}

static void stub_job_set_speed(gpointer self, VbJob *job, guint64 speed, GTask *task)
{
    take(self, STUB_SET, task);
}

static void stub_job_set_paused(gpointer self, VbJob *job, gboolean paused, GTask *task)
{
    take(self, STUB_SET, task);
}

static void stub_job_clean(gpointer self, VbJob *job, GTask *task)
{
    take(self, STUB_CLEAN, task);
}

static const VbDomainType stub_types[] = {VB_DOMAIN_TYPE_TEST};

static const VbDriver stub_driver = {
    .name = "stub",
    .types = stub_types,
    .n_types = G_N_ELEMENTS(stub_types),
    .block_jobs = TRUE,
    .prepare = stub_prepare,
    .operate = stub_operate_driver,
    .reconnect = stub_reconnect,
    .set_link = stub_set_link,
    .jobs_start = stub_jobs_start,
    .jobs_query = stub_jobs_query,
    .job_cancel = stub_job_cancel,
    .job_complete = stub_job_complete,
    .job_finalize = stub_job_finalize,
    .job_root = stub_job_root,
    .job_set_speed = stub_job_set_speed,
    .job_set_paused = stub_job_set_paused,
    .job_clean = stub_job_clean,
};

/* ---- what the core tells ---- */

static void on_domain_added(VbDomain *domain, gpointer stub)
{
    stub_note(stub, "domain %s added", vb_domain_info(domain)->name);
}

static void on_domain_changed(VbDomain *domain, VbDomainProps props, gpointer stub)
{
    const VbDomainInfo *info = vb_domain_info(domain);

    if (props & VB_DOMAIN_PROP_DEFINITION)
        stub_note(stub, "domain %s definition", info->name);
    if (props & VB_DOMAIN_PROP_STATE)
        stub_note(stub, "domain %s state %s/%s", info->name, vb_domain_state_to_string(info->state),
                  info->reason);
    if (props & VB_DOMAIN_PROP_CONFIG_PENDING)
        stub_note(stub, "domain %s pending %d", info->name, info->config_pending);
    if (props & VB_DOMAIN_PROP_RESPONSIVE)
        stub_note(stub, "domain %s responsive %d", info->name, info->responsive);
    if (props & VB_DOMAIN_PROP_BLOCK_JOBS)
        stub_note(stub, "domain %s jobs", info->name);
    if (props & VB_DOMAIN_PROP_ADDRESSES)
        stub_note(stub, "domain %s addresses", info->name);
}

static void on_domain_lifecycle(VbDomain *domain, const char *event, const char *reason,
                                gpointer stub)
{
    stub_note(stub, "lifecycle %s %s/%s", vb_domain_info(domain)->name, event, reason);
}

static void on_domain_removed(VbDomain *domain, gpointer stub)
{
    stub_note(stub, "domain %s removed", vb_domain_info(domain)->name);
}

static void on_job_added(VbJob *job, gpointer stub)
{
    stub_note(stub, "job %u added", vb_job_info(job)->number);
}

static void on_job_changed(VbJob *job, VbJobProps props, gpointer stub)
{
    const VbJobInfo *info = vb_job_info(job);

    if (props & VB_JOB_PROP_CANCELABLE)
        stub_note(stub, "job %u cancelable %d", info->number, vb_job_is_cancelable(job));
    if (props & VB_JOB_PROP_STATE)
        stub_note(stub, "job %u state %s", info->number, vb_job_state_to_string(info->state));
    if (props & VB_JOB_PROP_CANCEL_REQUESTED)
        stub_note(stub, "job %u cancel-requested %d", info->number, info->cancel_requested);
}

static void on_job_ready(VbJob *job, gpointer stub)
{
    stub_note(stub, "job %u READY", vb_job_info(job)->number);
}

static void on_job_concluded(VbJob *job, gpointer stub)
{
    const VbJobInfo *info = vb_job_info(job);

    stub_note(stub, "job %u END %s %s%s%s", info->number, vb_job_result_to_string(info->result),
              vb_job_reason_to_string(info->reason), *info->error_message ? ": " : "",
              info->error_message);
}

static void on_job_removed(VbJob *job, gpointer stub)
{
    stub_note(stub, "job %u removed", vb_job_info(job)->number);
}

static void on_network_added(VbNetwork *network, gpointer stub)
{
    stub_note(stub, "network %s added", vb_network_info(network)->name);
}

static void on_network_changed(VbNetwork *network, VbNetworkProps props, gpointer stub)
{
    const VbNetworkInfo *info = vb_network_info(network);

    if (props & VB_NETWORK_PROP_STATE)
        stub_note(stub, "network %s active %d", info->name, info->active);
    if (props & VB_NETWORK_PROP_PERSISTENT)
        stub_note(stub, "network %s persistent %d", info->name, info->persistent);
    if (props & VB_NETWORK_PROP_AUTOSTART)
        stub_note(stub, "network %s autostart %d", info->name, info->autostart);
    if (props & VB_NETWORK_PROP_CONFIG_PENDING)
        stub_note(stub, "network %s pending %d", info->name, info->config_pending);
    if (props & VB_NETWORK_PROP_DEFINITION)
        stub_note(stub, "network %s definition", info->name);
    if (props & VB_NETWORK_PROP_LEASES)
        stub_note(stub, "network %s leases %u", info->name, vb_network_leases(network)->len);
}

static void on_network_lifecycle(VbNetwork *network, const char *event, const char *reason,
                                 gpointer stub)
{
    stub_note(stub, "lifecycle %s %s/%s", vb_network_info(network)->name, event, reason);
}

static void on_network_removed(VbNetwork *network, gpointer stub)
{
    stub_note(stub, "network %s removed", vb_network_info(network)->name);
}

static const VbDriverEvents events = {
    .domain_added = on_domain_added,
    .domain_changed = on_domain_changed,
    .domain_lifecycle = on_domain_lifecycle,
    .domain_removed = on_domain_removed,
    .job_added = on_job_added,
    .job_changed = on_job_changed,
    .job_ready = on_job_ready,
    .job_concluded = on_job_concluded,
    .job_removed = on_job_removed,
    .network_added = on_network_added,
    .network_changed = on_network_changed,
    .network_lifecycle = on_network_lifecycle,
    .network_removed = on_network_removed,
};

/* ---- the main loop ---- */

void stub_settle(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* ---- life ---- */

static void on_loaded(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Stub *stub = user_data;
    g_autoptr(GError) error = NULL;

    vb_host_load_finish(stub->host, result, &error);
    g_assert_no_error(error);
    stub_note(stub, "loaded");
}

static Stub *make(const char *root)
{
    Stub *stub = g_new0(Stub, 1);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(root);
    stub->root = g_strdup(root);
    stub->paths = vb_paths_new(root, FALSE);
    vb_paths_make(stub->paths, &error);
    g_assert_no_error(error);
    stub->log = g_ptr_array_new_with_free_func(g_free);
    stub->fds = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    stub->statuses = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_status_free);
    for (guint i = 0; i < STUB_N_CALLS; i++)
        stub->waiting[i] = g_ptr_array_new();
    stub->store = vb_store_new();
    stub->host = vb_host_new(stub->paths, stub->store, &events, stub);
    vb_host_add_driver(stub->host, &stub_driver, stub, NULL);
    return stub;
}

Stub *stub_load(const char *root)
{
    return make(root);
}

Stub *stub_new_dead(void)
{
    g_autofree char *root = g_dir_make_tmp("virtbus-stub-XXXXXX", NULL);

    return make(root);
}

Stub *stub_new(void)
{
    Stub *stub = stub_new_dead();

    stub_begin(stub);
    vb_host_announce(stub->host);
    return stub;
}

void stub_begin(Stub *stub)
{
    vb_host_load_async(stub->host, on_loaded, stub);
    VB_WAIT_FOR(stub_lines(stub, "loaded") == 1);
}

static void run(const char *const *argv)
{
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                 &error);
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 0);
}

char *stub_snapshot(Stub *stub)
{
    g_autofree char *from = g_strconcat(stub->root, "/.", NULL);
    char *to = g_dir_make_tmp("virtbus-stub-XXXXXX", NULL);

    run((const char *const[]){"cp", "-a", from, to, NULL});
    return to;
}

/* Calls that wait fail, so that whoever waits for them lets go. */
static void fail_waiting(Stub *stub)
{
    for (guint i = 0; i < STUB_N_CALLS; i++) {
        stub->keep[i] = FALSE;
        stub->fail[i] = NULL;
        while (stub->waiting[i]->len > 0)
            stub_answer(stub, i, "the test is over");
    }
    stub_settle();
}

void stub_free(Stub *stub)
{
    g_autoptr(GPtrArray) domains = vb_host_domains(stub->host);

    fail_waiting(stub);
    for (guint i = 0; i < domains->len; i++)
        vb_domain_gone(domains->pdata[i], VB_DOMAIN_SHUT_OFF, "destroyed");
    fail_waiting(stub);
    /* Writes end, and tell so. */
    g_clear_pointer(&stub->store, vb_store_free);
    stub_settle();
    vb_host_free(stub->host);
    stub_settle();
    run((const char *const[]){"rm", "-rf", stub->root, NULL});
    for (guint i = 0; i < STUB_N_CALLS; i++)
        g_ptr_array_unref(stub->waiting[i]);
    g_ptr_array_unref(stub->statuses);
    g_ptr_array_unref(stub->log);
    g_ptr_array_unref(stub->fds);
    vb_paths_free(stub->paths);
    g_free(stub->snapshot);
    g_free(stub->root);
    g_free(stub);
}

/* ---- the log ---- */

guint stub_lines(Stub *stub, const char *pattern)
{
    guint n = 0;

    for (guint i = 0; i < stub->log->len; i++)
        n += g_pattern_match_simple(pattern, stub->log->pdata[i]);
    return n;
}

void stub_assert_order(Stub *stub, const char *first, ...)
{
    const char *pattern = first;
    guint at = 0;
    va_list args;

    va_start(args, first);
    while (pattern) {
        while (at < stub->log->len && !g_pattern_match_simple(pattern, stub->log->pdata[at]))
            at++;
        if (at == stub->log->len) {
            for (guint i = 0; i < stub->log->len; i++)
                g_test_message("%3u %s", i, (const char *)stub->log->pdata[i]);
            g_error("'%s' is not in the log, or not where it belongs", pattern);
        }
        at++;
        pattern = va_arg(args, const char *);
    }
    va_end(args);
}

/* ---- calls ---- */

typedef struct {
    Stub *stub;
    char *name;
} Reply;

gpointer stub_reply(Stub *stub, const char *name)
{
    Reply *reply = g_new(Reply, 1);

    *reply = (Reply){stub, g_strdup(name)};
    return reply;
}

void stub_log_reply(gpointer user_data, const GError *error)
{
    Reply *reply = user_data;

    if (error)
        stub_note(reply->stub, "reply %s: %s", reply->name, error->message);
    else
        stub_note(reply->stub, "reply %s ok", reply->name);
    g_free(reply->name);
    g_free(reply);
}

void stub_on_boolean(GObject *source, GAsyncResult *result, gpointer reply)
{
    g_autoptr(GError) error = NULL;

    g_task_propagate_boolean(G_TASK(result), &error);
    stub_log_reply(reply, error);
}

static void on_defined(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Reply *reply = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomain) domain = vb_host_define_finish(reply->stub->host, result, &error);

    stub_log_reply(reply, error);
}

static void on_jobs(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Reply *reply = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) jobs = vb_jobs_start_finish(NULL, result, &error);

    stub_log_reply(reply, error);
    for (guint i = 0; jobs && i < jobs->len; i++)
        vb_job_release(jobs->pdata[i]);
}

char *stub_xml(const char *name, const char *uuid, const char *source)
{
    return g_strdup_printf(
        "<domain type='test'><name>%s</name><uuid>%s</uuid><memory unit='MiB'>64</memory>"
        "<vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os><devices>"
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
        "<backingStore type='file'><format type='qcow2'/><source file='/base.qcow2'/>"
        "<backingStore/></backingStore><target dev='vda' bus='virtio'/></disk></devices></domain>",
        name, uuid, source);
}

void stub_define(Stub *stub, const char *xml, const char *name)
{
    vb_host_define_async(stub->host, parse_domain(xml), 0, on_defined, stub_reply(stub, name));
}

void stub_create(Stub *stub, const char *xml, const char *name)
{
    vb_host_create_async(stub->host, parse_domain(xml), VB_DOMAIN_OP_FLAG_NONE, 0, on_defined,
                         stub_reply(stub, name));
}

void stub_undefine(Stub *stub, VbDomain *domain, const char *name)
{
    vb_domain_undefine_async(domain, stub_on_boolean, stub_reply(stub, name));
}

void stub_operate(Stub *stub, VbDomain *domain, VbDomainOp op, const char *name)
{
    vb_domain_operate_async(domain, op, VB_DOMAIN_OP_FLAG_NONE, stub_on_boolean,
                            stub_reply(stub, name));
}

VbDomain *stub_running(Stub *stub)
{
    g_autofree char *xml = stub_xml("a", STUB_UUID, "/a.qcow2");
    VbDomain *domain;

    stub_define(stub, xml, "define");
    VB_WAIT_FOR(stub_lines(stub, "reply define ok") == 1);
    domain = vb_host_domain_by_name(stub->host, "a");
    stub_operate(stub, domain, VB_DOMAIN_OP_START, "start");
    VB_WAIT_FOR(stub_lines(stub, "reply start ok") == 1);
    return domain;
}

void stub_start_job(Stub *stub, VbDomain *domain, VbJobType type, const char *name)
{
    VbJobSpec *spec = vb_job_spec_new(type, "vda");
    GPtrArray *specs = g_ptr_array_new();

    if (type == VB_JOB_COPY || type == VB_JOB_BACKUP) {
        spec->target = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);
        spec->target->path = g_strdup("/copy.qcow2");
    }
    g_ptr_array_add(specs, spec);
    vb_jobs_start_async(domain, specs, 0, on_jobs, stub_reply(stub, name));
}

VbJob *stub_job(Stub *stub, VbDomain *domain, VbJobType type)
{
    g_autofree char *name = g_strdup_printf("job%u", stub->log->len);
    g_autofree char *reply = g_strdup_printf("reply %s ok", name);

    stub_start_job(stub, domain, type, name);
    VB_WAIT_FOR(stub_lines(stub, reply) == 1);
    return vb_domain_live_job(domain, "vda");
}

VbJob *stub_ready_copy(Stub *stub, VbDomain *domain)
{
    VbJob *job = stub_job(stub, domain, VB_JOB_COPY);

    vb_job_report_status(job, VB_JOB_STATUS_READY, 10, 10);
    g_assert_true(vb_job_info(job)->ready);
    return job;
}

void stub_cancel(Stub *stub, VbJob *job, VbJobFlags flags, const char *name)
{
    vb_job_cancel_async(job, flags, stub_on_boolean, stub_reply(stub, name));
}

void stub_pivot(Stub *stub, VbJob *job, VbJobFlags flags, const char *name)
{
    vb_job_pivot_async(job, flags, stub_on_boolean, stub_reply(stub, name));
}

void stub_set_status(Stub *stub, VbJob *job, VbJobStatusKind kind, const char *error)
{
    const VbJobInfo *info = vb_job_info(job);
    VbJobStatus *status = g_new0(VbJobStatus, 1);

    status->id = g_strdup(info->id);
    status->type = g_strdup(vb_job_type_to_string(info->type));
    status->disk = g_strdup(info->disk);
    status->status = kind;
    status->error = g_strdup(error);
    g_ptr_array_set_size(stub->statuses, 0);
    g_ptr_array_add(stub->statuses, status);
}

/* ---- files ---- */

char *stub_job_record(Stub *stub, guint number)
{
    return g_strdup_printf("%s/domains/%s/job-%u.record", stub->paths->run_dir, STUB_UUID, number);
}

char *stub_read(const char *path)
{
    char *contents = NULL;

    g_file_get_contents(path, &contents, NULL, NULL);
    return contents ? contents : g_strdup("");
}

/* What is written there goes into a FIFO: opening it waits for a reader. */
static char *fifo(Stub *stub, const char *uuid)
{
    g_autofree char *path = vb_paths_definition(stub->paths, uuid);
    return g_strconcat(path, ".new", NULL);
}

void stub_block_definition(Stub *stub, const char *uuid)
{
    g_autofree char *path = fifo(stub, uuid);

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
}

void stub_unblock_definition(Stub *stub, const char *uuid)
{
    g_autofree char *path = fifo(stub, uuid);
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    /* The write fails in the end, as a FIFO cannot be synced, and removes it. */
    VB_WAIT_FOR(!g_file_test(path, G_FILE_TEST_EXISTS));
    close(fd);
}
