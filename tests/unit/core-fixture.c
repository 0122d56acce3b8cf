/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns a host below a temporary directory and the log of what it says. See core-fixture.h. */
#include "core-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "parse-domain.h"
#include "test-driver.h"

struct CoreFixture {
    char *root;
    VbPaths *paths;
    VbStore *store;
    VbHost *host;
    GPtrArray *log; /* of strings */
    CoreConcluded concluded;
    gpointer concluded_data;
};

static void note(CoreFixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void note(CoreFixture *fixture, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(fixture->log, g_strdup_vprintf(format, args));
    va_end(args);
}

/* ---- what the core tells ---- */

static void on_domain_added(VbDomain *domain, gpointer fixture)
{
    note(fixture, "domain %s added", vb_domain_info(domain)->name);
}

static guint count_live(VbDomain *domain)
{
    GPtrArray *jobs = vb_domain_jobs(domain);
    guint n = 0;

    for (guint i = 0; i < jobs->len; i++)
        n += vb_job_is_live(jobs->pdata[i]);
    return n;
}

static void on_domain_changed(VbDomain *domain, VbDomainProps props, gpointer fixture)
{
    const VbDomainInfo *info = vb_domain_info(domain);

    if (props & VB_DOMAIN_PROP_STATE)
        note(fixture, "domain %s state %s/%s", info->name, vb_domain_state_to_string(info->state),
             info->reason);
    if (props & VB_DOMAIN_PROP_PERSISTENT)
        note(fixture, "domain %s persistent %d", info->name, info->persistent);
    if (props & VB_DOMAIN_PROP_AUTOSTART)
        note(fixture, "domain %s autostart %d", info->name, info->autostart);
    if (props & VB_DOMAIN_PROP_CONFIG_PENDING)
        note(fixture, "domain %s pending %d", info->name, info->config_pending);
    if (props & VB_DOMAIN_PROP_RESPONSIVE)
        note(fixture, "domain %s responsive %d", info->name, info->responsive);
    if (props & VB_DOMAIN_PROP_BLOCK_JOBS)
        note(fixture, "domain %s jobs %u", info->name, count_live(domain));
}

static void on_domain_lifecycle(VbDomain *domain, const char *event, const char *reason,
                                gpointer fixture)
{
    note(fixture, "lifecycle %s %s/%s", vb_domain_info(domain)->name, event, reason);
}

static void on_domain_removed(VbDomain *domain, gpointer fixture)
{
    note(fixture, "domain %s removed", vb_domain_info(domain)->name);
}

static void on_job_added(VbJob *job, gpointer fixture)
{
    note(fixture, "job %u added", vb_job_info(job)->number);
}

static void on_job_changed(VbJob *job, VbJobProps props, gpointer fixture)
{
    const VbJobInfo *info = vb_job_info(job);

    if (props & VB_JOB_PROP_STATE)
        note(fixture, "job %u state %s", info->number, vb_job_state_to_string(info->state));
    if (props & VB_JOB_PROP_RESULT)
        note(fixture, "job %u result %s", info->number, vb_job_result_to_string(info->result));
    if (props & VB_JOB_PROP_READY)
        note(fixture, "job %u ready %d", info->number, info->ready);
    if (props & VB_JOB_PROP_CANCEL_REQUESTED)
        note(fixture, "job %u cancel-requested %d", info->number, info->cancel_requested);
    if (props & VB_JOB_PROP_PIVOT_REQUESTED)
        note(fixture, "job %u pivot-requested %d", info->number, info->pivot_requested);
    if (props & VB_JOB_PROP_IO_STATUS)
        note(fixture, "job %u io-status %s", info->number, vb_io_status_to_string(info->io_status));
    if (props & VB_JOB_PROP_BANDWIDTH)
        note(fixture, "job %u bandwidth %" G_GUINT64_FORMAT, info->number, info->bandwidth);
}

static void on_job_ready(VbJob *job, gpointer fixture)
{
    note(fixture, "job %u READY", vb_job_info(job)->number);
}

static void on_job_concluded(VbJob *job, gpointer user_data)
{
    CoreFixture *fixture = user_data;
    const VbJobInfo *info = vb_job_info(job);
    g_autofree char *result = g_ascii_strup(vb_job_result_to_string(info->result), -1);

    g_assert_cmpint(info->state, ==, VB_JOB_CONCLUDED);
    note(fixture, "job %u %s %s%s%s%s", info->number, result, vb_job_reason_to_string(info->reason),
         info->synthesized ? " synthesized" : "", info->pivoted ? " pivoted" : "",
         info->consistent ? " consistent" : "");
    if (fixture->concluded)
        fixture->concluded(job, fixture->concluded_data);
}

static void on_job_removed(VbJob *job, gpointer fixture)
{
    note(fixture, "job %u removed", vb_job_info(job)->number);
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
};

/* ---- the main loop ---- */

void core_fixture_run_for(guint ms)
{
    gint64 deadline = g_get_monotonic_time() + ms * G_GINT64_CONSTANT(1000);

    while (vb_wait_turn(deadline))
        ;
}

/* ---- life ---- */

static void on_loaded(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    vb_host_load_finish(reply->fixture->host, result, &reply->error);
    reply->done = TRUE;
}

void core_fixture_load(CoreFixture *fixture)
{
    g_autoptr(CoreReply) reply = core_reply_new(fixture, "load");

    fixture->store = vb_store_new();
    fixture->host = vb_host_new(fixture->paths, fixture->store, &events, fixture);
    vb_host_add_driver(fixture->host, &vb_test_driver, vb_test_driver_new(fixture->host),
                       vb_test_driver_free);
    vb_host_load_async(fixture->host, on_loaded, reply);
    core_reply_assert_ok(reply);
}

void core_fixture_announce(CoreFixture *fixture)
{
    vb_host_announce(fixture->host);
}

void core_fixture_end(CoreFixture *fixture)
{
    g_clear_pointer(&fixture->host, vb_host_free);
    g_clear_pointer(&fixture->store, vb_store_free);
}

static CoreFixture *new_below(char *root)
{
    CoreFixture *fixture = g_new0(CoreFixture, 1);
    g_autoptr(GError) error = NULL;

    fixture->root = root;
    fixture->paths = vb_paths_new(root, FALSE);
    vb_paths_make(fixture->paths, &error);
    g_assert_no_error(error);
    fixture->log = g_ptr_array_new_with_free_func(g_free);
    return fixture;
}

CoreFixture *core_fixture_new_dead(void)
{
    g_autoptr(GError) error = NULL;
    char *root = g_dir_make_tmp("virtbus-core-XXXXXX", &error);

    g_assert_no_error(error);
    return new_below(root);
}

CoreFixture *core_fixture_new(void)
{
    CoreFixture *fixture = core_fixture_new_dead();

    core_fixture_load(fixture);
    core_fixture_announce(fixture);
    return fixture;
}

/* ---- two lives ---- */

#define ROOT_VARIABLE "VB_TEST_CORE_ROOT"

static char *log_path(CoreFixture *fixture)
{
    return g_build_filename(fixture->root, "log", NULL);
}

void core_fixture_run_first_life(CoreFixture *fixture, const char *path)
{
    g_autofree char *log = log_path(fixture);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    g_setenv(ROOT_VARIABLE, fixture->root, TRUE);
    g_test_trap_subprocess(path, VB_WAIT_SECONDS * G_USEC_PER_SEC,
                           G_TEST_SUBPROCESS_INHERIT_STDERR);
    g_unsetenv(ROOT_VARIABLE);
    g_test_trap_assert_passed();
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        if (**line)
            g_ptr_array_add(fixture->log, g_strdup(*line));
}

CoreFixture *core_fixture_new_first_life(void)
{
    const char *root = g_getenv(ROOT_VARIABLE);
    CoreFixture *fixture;

    g_assert_nonnull(root);
    fixture = new_below(g_strdup(root));
    core_fixture_load(fixture);
    core_fixture_announce(fixture);
    return fixture;
}

void core_fixture_exit(CoreFixture *fixture)
{
    g_autofree char *log = log_path(fixture);
    g_autofree char *text = NULL;

    g_ptr_array_add(fixture->log, NULL);
    text = g_strjoinv("\n", (char **)fixture->log->pdata);
    g_assert_true(g_file_set_contents(log, text, -1, NULL));
    /* As a kill: nothing is finished, nothing is freed. */
    _exit(0);
}

static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir =
        g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_tree(child);
    }
    g_assert_cmpint(g_remove(path), ==, 0);
}

void core_fixture_free(CoreFixture *fixture)
{
    if (fixture == NULL)
        return;
    fixture->concluded = NULL;
    g_clear_pointer(&fixture->host, vb_host_free);
    g_clear_pointer(&fixture->store, vb_store_free);
    remove_tree(fixture->root);
    vb_paths_free(fixture->paths);
    g_ptr_array_unref(fixture->log);
    g_free(fixture->root);
    g_free(fixture);
}

VbHost *core_fixture_host(CoreFixture *fixture)
{
    return fixture->host;
}

const VbPaths *core_fixture_paths(CoreFixture *fixture)
{
    return fixture->paths;
}

void core_fixture_set_concluded(CoreFixture *fixture, CoreConcluded func, gpointer user_data)
{
    fixture->concluded = func;
    fixture->concluded_data = user_data;
}

/* ---- the log ---- */

GPtrArray *core_fixture_log(CoreFixture *fixture)
{
    return fixture->log;
}

void core_fixture_clear_log(CoreFixture *fixture)
{
    g_ptr_array_set_size(fixture->log, 0);
}

guint core_fixture_count(CoreFixture *fixture, const char *pattern)
{
    guint n = 0;

    for (guint i = 0; i < fixture->log->len; i++)
        n += g_pattern_match_simple(pattern, fixture->log->pdata[i]);
    return n;
}

guint core_fixture_count_ends(CoreFixture *fixture)
{
    return core_fixture_count(fixture, "job * COMPLETED *") +
           core_fixture_count(fixture, "job * FAILED *") +
           core_fixture_count(fixture, "job * CANCELED *");
}

void core_fixture_dump(CoreFixture *fixture)
{
    for (guint i = 0; i < fixture->log->len; i++)
        g_test_message("%3u %s", i, (const char *)fixture->log->pdata[i]);
}

void core_fixture_assert_order(CoreFixture *fixture, const char *first, ...)
{
    const char *pattern = first;
    guint at = 0;
    va_list args;

    va_start(args, first);
    while (pattern) {
        while (at < fixture->log->len && !g_pattern_match_simple(pattern, fixture->log->pdata[at]))
            at++;
        if (at == fixture->log->len) {
            core_fixture_dump(fixture);
            g_error("'%s' is not in the log, or not where it belongs", pattern);
        }
        at++;
        pattern = va_arg(args, const char *);
    }
    va_end(args);
}

/* ---- answers ---- */

CoreReply *core_reply_new(CoreFixture *fixture, const char *name)
{
    CoreReply *reply = g_new0(CoreReply, 1);

    reply->fixture = fixture;
    reply->name = g_strdup(name);
    return reply;
}

void core_reply_free(CoreReply *reply)
{
    if (reply == NULL)
        return;
    g_assert_true(reply->done);
    g_clear_error(&reply->error);
    vb_domain_unref(reply->domain);
    g_clear_pointer(&reply->jobs, g_ptr_array_unref);
    g_free(reply->name);
    g_free(reply);
}

static void finish(CoreReply *reply)
{
    g_assert_false(reply->done);
    reply->done = TRUE;
    if (reply->error)
        note(reply->fixture, "reply %s: error %d: %s", reply->name, reply->error->code,
             reply->error->message);
    else
        note(reply->fixture, "reply %s: ok", reply->name);
}

void core_reply_wait(CoreReply *reply)
{
    gint64 deadline = vb_wait_deadline();

    while (!reply->done)
        if (!vb_wait_turn(deadline)) {
            core_fixture_dump(reply->fixture);
            g_error("no reply to '%s'", reply->name);
        }
}

void core_reply_assert_ok(CoreReply *reply)
{
    core_reply_wait(reply);
    g_assert_no_error(reply->error);
}

void core_reply_assert_error(CoreReply *reply, VbError code, const char *text)
{
    core_reply_wait(reply);
    g_assert_error(reply->error, VB_ERROR, (int)code);
    if (text && !strstr(reply->error->message, text))
        g_error("'%s' is not in '%s'", text, reply->error->message);
    /* One line. */
    g_assert_null(strpbrk(reply->error->message, "\r\n"));
}

/* ---- calls ---- */

char *core_domain_xml(const char *name, const char *uuid, const char *faults, guint n_disks)
{
    GString *xml = g_string_new("<domain type='test'>");

    g_string_append_printf(xml, "<name>%s</name>", name);
    if (uuid)
        g_string_append_printf(xml, "<uuid>%s</uuid>", uuid);
    if (faults)
        g_string_append_printf(xml,
                               "<metadata><test:faults "
                               "xmlns:test='https://virtbus.org/xmlns/test/1'>%s</test:faults>"
                               "</metadata>",
                               faults);
    g_string_append(xml, "<memory unit='MiB'>64</memory><vcpu>1</vcpu>"
                         "<os><type arch='x86_64'>hvm</type></os><devices>");
    for (guint i = 0; i < n_disks; i++)
        g_string_append_printf(
            xml,
            "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
            "<source file='/images/%s-vd%c.qcow2'/>"
            "<backingStore type='file'><format type='qcow2'/><source file='/images/mid.qcow2'/>"
            "<backingStore type='file'><format type='qcow2'/><source file='/images/base.qcow2'/>"
            "<backingStore/></backingStore></backingStore>"
            "<target dev='vd%c' bus='virtio'/></disk>",
            name, 'a' + i, 'a' + i);
    g_string_append(xml, "</devices></domain>");
    return g_string_free(xml, FALSE);
}

static void on_defined(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    reply->domain = vb_host_define_finish(reply->fixture->host, result, &reply->error);
    finish(reply);
}

CoreReply *core_define(CoreFixture *fixture, const char *xml)
{
    CoreReply *reply = core_reply_new(fixture, "define");

    vb_host_define_async(fixture->host, parse_domain(xml), 0, on_defined, reply);
    return reply;
}

static void on_created(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    reply->domain = vb_host_create_finish(reply->fixture->host, result, &reply->error);
    finish(reply);
}

CoreReply *core_create(CoreFixture *fixture, const char *xml)
{
    CoreReply *reply = core_reply_new(fixture, "create");

    vb_host_create_async(fixture->host, parse_domain(xml), VB_DOMAIN_OP_FLAG_NONE, 0, on_created,
                         reply);
    return reply;
}

/* The calls on a domain keep it until they are answered. */
static CoreReply *domain_reply(CoreFixture *fixture, VbDomain *domain, const char *name)
{
    CoreReply *reply = core_reply_new(fixture, name);

    reply->domain = vb_domain_ref(domain);
    return reply;
}

static void on_redefined(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    vb_domain_redefine_finish(reply->domain, result, &reply->error);
    finish(reply);
}

CoreReply *core_redefine(CoreFixture *fixture, VbDomain *domain, const char *xml)
{
    CoreReply *reply = domain_reply(fixture, domain, "redefine");

    vb_domain_redefine_async(domain, parse_domain(xml), on_redefined, reply);
    return reply;
}

static void on_undefined(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    vb_domain_undefine_finish(reply->domain, result, &reply->error);
    finish(reply);
}

CoreReply *core_undefine(CoreFixture *fixture, VbDomain *domain)
{
    CoreReply *reply = domain_reply(fixture, domain, "undefine");

    vb_domain_undefine_async(domain, on_undefined, reply);
    return reply;
}

static void on_autostart(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    vb_domain_set_autostart_finish(reply->domain, result, &reply->error);
    finish(reply);
}

CoreReply *core_autostart(CoreFixture *fixture, VbDomain *domain, gboolean autostart)
{
    CoreReply *reply = domain_reply(fixture, domain, "autostart");

    vb_domain_set_autostart_async(domain, autostart, on_autostart, reply);
    return reply;
}

static void on_operated(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    vb_domain_operate_finish(reply->domain, result, &reply->error);
    finish(reply);
}

CoreReply *core_operate(CoreFixture *fixture, VbDomain *domain, VbDomainOp op)
{
    CoreReply *reply = domain_reply(fixture, domain, vb_domain_op_to_string(op));

    vb_domain_operate_async(domain, op, VB_DOMAIN_OP_FLAG_NONE, on_operated, reply);
    return reply;
}

static void on_started(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    reply->jobs = vb_jobs_start_finish(reply->domain, result, &reply->error);
    finish(reply);
}

static void on_started_release(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    on_started(source, result, user_data);
    for (guint i = 0; reply->jobs && i < reply->jobs->len; i++)
        vb_job_release(reply->jobs->pdata[i]);
}

VbJobSpec *core_spec(VbJobType type, const char *disk)
{
    VbJobSpec *spec = vb_job_spec_new(type == VB_JOB_ACTIVE_COMMIT ? VB_JOB_COMMIT : type, disk);

    spec->active = type == VB_JOB_ACTIVE_COMMIT;
    if (type == VB_JOB_COMMIT)
        spec->top = g_strdup("/images/mid.qcow2");
    if (type == VB_JOB_COPY || type == VB_JOB_BACKUP) {
        spec->target = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);
        spec->target->path = g_strdup_printf("/images/%s-target.qcow2", disk);
    }
    return spec;
}

CoreReply *core_start_specs(CoreFixture *fixture, VbDomain *domain, GPtrArray *specs)
{
    CoreReply *reply = domain_reply(fixture, domain, "start-job");

    vb_jobs_start_async(domain, specs, 1000, on_started_release, reply);
    return reply;
}

CoreReply *core_start_job(CoreFixture *fixture, VbDomain *domain, VbJobType type, const char *disk)
{
    GPtrArray *specs = g_ptr_array_new();

    g_ptr_array_add(specs, core_spec(type, disk));
    return core_start_specs(fixture, domain, specs);
}

CoreReply *core_start_held(CoreFixture *fixture, VbDomain *domain, VbJobType type, const char *disk)
{
    CoreReply *reply = domain_reply(fixture, domain, "start-job");
    GPtrArray *specs = g_ptr_array_new();

    g_ptr_array_add(specs, core_spec(type, disk));
    vb_jobs_start_async(domain, specs, 1000, on_started, reply);
    return reply;
}

static void on_job_answer(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CoreReply *reply = user_data;

    vb_job_finish(reply->jobs->pdata[0], result, &reply->error);
    finish(reply);
}

static CoreReply *job_reply(CoreFixture *fixture, VbJob *job, const char *name)
{
    CoreReply *reply = domain_reply(fixture, vb_job_info(job)->domain, name);

    reply->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_unref);
    g_ptr_array_add(reply->jobs, vb_job_ref(job));
    return reply;
}

CoreReply *core_cancel(CoreFixture *fixture, VbJob *job, VbJobFlags flags)
{
    CoreReply *reply = job_reply(fixture, job, "cancel");

    vb_job_cancel_async(job, flags, on_job_answer, reply);
    return reply;
}

CoreReply *core_pivot(CoreFixture *fixture, VbJob *job, VbJobFlags flags)
{
    CoreReply *reply = job_reply(fixture, job, "pivot");

    vb_job_pivot_async(job, flags, on_job_answer, reply);
    return reply;
}

CoreReply *core_set_paused(CoreFixture *fixture, VbJob *job, gboolean paused)
{
    CoreReply *reply = job_reply(fixture, job, "set-paused");

    vb_job_set_paused_async(job, paused, on_job_answer, reply);
    return reply;
}

CoreReply *core_set_bandwidth(CoreFixture *fixture, VbJob *job, guint64 bandwidth)
{
    CoreReply *reply = job_reply(fixture, job, "set-bandwidth");

    vb_job_set_bandwidth_async(job, bandwidth, on_job_answer, reply);
    return reply;
}

/* ---- done and checked ---- */

VbDomain *core_defined(CoreFixture *fixture, const char *name, const char *faults)
{
    g_autofree char *xml = core_domain_xml(name, NULL, faults, 2);
    g_autoptr(CoreReply) reply = core_define(fixture, xml);

    core_reply_assert_ok(reply);
    return vb_host_domain_by_name(fixture->host, name);
}

VbDomain *core_running(CoreFixture *fixture, const char *name, const char *faults)
{
    VbDomain *domain = core_defined(fixture, name, faults);

    core_do(fixture, domain, VB_DOMAIN_OP_START);
    return domain;
}

VbJob *core_job(CoreFixture *fixture, VbDomain *domain, VbJobType type, const char *disk)
{
    g_autoptr(CoreReply) reply = core_start_job(fixture, domain, type, disk);

    core_reply_assert_ok(reply);
    g_assert_cmpuint(reply->jobs->len, ==, 1);
    return reply->jobs->pdata[0];
}

void core_do(CoreFixture *fixture, VbDomain *domain, VbDomainOp op)
{
    g_autoptr(CoreReply) reply = core_operate(fixture, domain, op);

    core_reply_assert_ok(reply);
}
