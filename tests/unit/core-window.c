/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A daemon that is killed between two of its own steps: what the next one makes of what it finds.
 */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "core-stub.h"

static VbDomain *domain_of(Stub *stub)
{
    return vb_host_domain_by_name(stub->host, "a");
}

/* The next daemon, loaded and announced. */
static Stub *next_life(Stub *before)
{
    g_autofree char *root = stub_snapshot(before);
    Stub *stub = stub_load(root);

    if (before->statuses->len > 0) {
        g_ptr_array_unref(stub->statuses);
        stub->statuses = g_ptr_array_ref(before->statuses);
    }
    return stub;
}

static void begin(Stub *stub)
{
    stub_begin(stub);
    vb_host_announce(stub->host);
    stub_settle();
}

static void set_in_file(const char *path, const char *group, const char *key, const char *value)
{
    g_autoptr(GKeyFile) record = g_key_file_new();

    g_assert_true(g_key_file_load_from_file(record, path, G_KEY_FILE_NONE, NULL));
    if (key)
        g_key_file_set_value(record, group, key, value);
    else
        g_assert_true(g_key_file_remove_group(record, group, NULL));
    g_assert_true(g_key_file_save_to_file(record, path, NULL));
}

/* A kill between the record of the outcome and the signal. */
static void snapshot_at_end(Stub *stub, const char *line)
{
    if (g_str_has_prefix(line, "job 1 END"))
        stub->snapshot = stub_snapshot(stub);
}

static VbDomain *create(Stub *stub)
{
    g_autofree char *xml = stub_xml("a", STUB_UUID, "/a.qcow2");

    stub_create(stub, xml, "create");
    VB_WAIT_FOR(stub_lines(stub, "reply create ok") == 1);
    return domain_of(stub);
}

/* ---- ends that were not told ---- */

/* The domain, too, is gone by then, and it was transient: its jobs are shown, and their ends told.
 */
static void test_orphans(gconstpointer announce)
{
    g_autoptr(Stub) first = stub_new();
    VbJob *job = stub_job(first, create(first), VB_JOB_PULL);
    g_autoptr(Stub) second = NULL;

    first->on_line = snapshot_at_end;
    vb_job_report_completed(job, NULL, 10, 10);
    VB_WAIT_FOR(first->snapshot != NULL);
    first->on_line = NULL;
    second = stub_load(first->snapshot);
    second->fail[STUB_RECONNECT] = "gone";
    stub_begin(second);
    g_assert_null(domain_of(second));
    if (!announce)
        return; /* nothing is leaked */
    vb_host_announce(second->host);
    stub_assert_order(second, "loaded", "job 1 added", "job 1 END completed done", NULL);
    g_assert_cmpuint(stub_lines(second, "job 1 END *"), ==, 1);
}

/* Nobody was there for longer than a concluded job is shown: first it is told, then it goes. */
static void test_expired(void)
{
    g_autoptr(Stub) first = stub_new();
    VbJob *job = stub_job(first, stub_running(first), VB_JOB_PULL);
    g_autoptr(Stub) second = NULL;
    g_autofree char *path = NULL;

    first->on_line = snapshot_at_end;
    vb_job_report_completed(job, NULL, 10, 10);
    VB_WAIT_FOR(first->snapshot != NULL);
    first->on_line = NULL;
    second = stub_load(first->snapshot);
    path = stub_job_record(second, 1);
    set_in_file(path, "job", "end-time", "1000000");
    stub_begin(second);
    g_assert_cmpuint(stub_lines(second, "job 1 *"), ==, 0);
    vb_host_announce(second->host);
    VB_WAIT_FOR(stub_lines(second, "job 1 removed") == 1);
    stub_assert_order(second, "job 1 END completed done", "job 1 removed", NULL);
    g_assert_cmpuint(stub_lines(second, "job 1 END *"), ==, 1);
}

/* ---- a monitor that answers late ---- */

/* What was wanted of a job is sent when the hypervisor answers again. */
static void test_late_cancel(void)
{
    g_autoptr(Stub) first = stub_new();
    VbJob *job = stub_job(first, stub_running(first), VB_JOB_PULL);
    g_autoptr(Stub) second = NULL;

    first->keep[STUB_CANCEL] = TRUE;
    stub_set_status(first, job, VB_JOB_STATUS_RUNNING, NULL);
    stub_cancel(first, job, VB_JOB_WAIT, "cancel");
    second = next_life(first);
    second->fail[STUB_RECONNECT] = "it is slow";
    begin(second);
    g_assert_false(vb_domain_info(domain_of(second))->responsive);
    g_assert_cmpuint(second->count[STUB_CANCEL], ==, 0);
    vb_domain_reconnected(domain_of(second));
    VB_WAIT_FOR(second->count[STUB_CANCEL] == 1);
    vb_job_report_canceled(vb_domain_live_job(domain_of(second), "vda"), 10, 10);
    g_assert_cmpuint(stub_lines(second, "job 1 END canceled requested"), ==, 1);
}

/* A job that is not ours is put on the bus also when it is found late. */
static void test_late_external(void)
{
    g_autoptr(Stub) first = stub_new();
    VbJob *job = stub_job(first, stub_running(first), VB_JOB_PULL);
    g_autoptr(Stub) second = NULL;
    g_autofree char *path = NULL;

    stub_set_status(first, job, VB_JOB_STATUS_RUNNING, NULL);
    second = next_life(first);
    path = stub_job_record(second, 1);
    g_assert_cmpint(g_unlink(path), ==, 0);
    second->fail[STUB_RECONNECT] = "it is slow";
    begin(second);
    vb_domain_reconnected(domain_of(second));
    VB_WAIT_FOR(vb_domain_live_job(domain_of(second), "vda") != NULL);
    stub_assert_order(second, "job 2 added", "domain a jobs", NULL);
}

/* The hypervisor is found, and does not tell its jobs yet. */
static void test_jobs_unknown(void)
{
    g_autoptr(Stub) first = stub_new();
    VbJob *job = stub_job(first, stub_running(first), VB_JOB_PULL);
    g_autoptr(Stub) second = NULL;

    first->keep[STUB_CANCEL] = TRUE;
    stub_set_status(first, job, VB_JOB_STATUS_RUNNING, NULL);
    stub_cancel(first, job, VB_JOB_WAIT, "cancel");
    second = next_life(first);
    second->fail[STUB_QUERY] = "not yet";
    begin(second);
    second->fail[STUB_QUERY] = NULL;
    VB_WAIT_FOR(second->count[STUB_CANCEL] == 1);
}

/* ---- steps of a job ---- */

/* What a pivot made of the running domain is on record before the outcome is: otherwise the next
 * daemon would think that the disk is still on its old image. */
static void check_order(Stub *stub, const char *line)
{
    g_autofree char *path = stub_job_record(stub, 1);
    g_autofree char *record = stub_read(path);

    if (g_str_equal(line, "domain a definition"))
        g_assert_nonnull(strstr(record, "\nresult=\n"));
}

static void pivot(Stub *stub, VbJob *job)
{
    stub_pivot(stub, job, VB_JOB_WAIT, "pivot");
    VB_WAIT_FOR(stub->count[STUB_COMPLETE] == 1);
    vb_job_report_status(job, VB_JOB_STATUS_PENDING, 10, 10);
    VB_WAIT_FOR(stub->count[STUB_FINALIZE] == 1);
}

static void test_live_definition_first(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbDomain *domain = stub_running(stub);
    VbJob *job = stub_ready_copy(stub, domain);
    const VbDiskDef *disk;

    pivot(stub, job);
    stub->on_line = check_order;
    stub->root_is_target = TRUE;
    vb_job_report_completed(job, NULL, 10, 10);
    VB_WAIT_FOR(stub_lines(stub, "reply pivot ok") == 1);
    stub->on_line = NULL;
    g_assert_cmpuint(stub_lines(stub, "domain a definition"), >, 0);
    disk = vb_domain_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/copy.qcow2");
}

/* It was finalized, and nobody can tell the root: then it is the target. */
static void test_root_unknown(void)
{
    g_autoptr(Stub) first = stub_new();
    VbJob *job = stub_ready_copy(first, stub_running(first));
    g_autoptr(Stub) second = NULL;
    const VbDiskDef *disk;

    pivot(first, job);
    stub_set_status(first, job, VB_JOB_STATUS_CONCLUDED, NULL);
    second = next_life(first);
    second->fail[STUB_ROOT] = "no such property";
    begin(second);
    VB_WAIT_FOR(stub_lines(second, "job 1 END *") == 1);
    g_assert_cmpuint(stub_lines(second, "job 1 END completed done"), ==, 1);
    disk = vb_domain_stored_def(domain_of(second))->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/copy.qcow2");
}

/* The job began, and its start was not answered; the daemon after that finds it gone. */
static void test_start_unanswered(void)
{
    g_autoptr(Stub) first = stub_new();
    VbDomain *domain = stub_running(first);
    g_autoptr(Stub) second = NULL, third = NULL;
    VbJob *job;

    first->keep[STUB_START] = TRUE;
    stub_start_job(first, domain, VB_JOB_COPY, "job");
    VB_WAIT_FOR(first->waiting[STUB_START]->len == 1);
    job = vb_domain_job_by_id(domain, "copy-vda-1");
    g_assert_nonnull(job);
    /* What the driver chooses is on record before the hypervisor is told. */
    vb_job_spec(job)->target->index = 7;
    vb_job_save(job);
    stub_set_status(first, job, VB_JOB_STATUS_RUNNING, NULL);

    second = next_life(first);
    begin(second);
    job = vb_domain_live_job(domain_of(second), "vda");
    g_assert_nonnull(job);
    g_assert_cmpuint(vb_job_spec(job)->target->index, ==, 7);
    third = next_life(second);
    g_ptr_array_set_size(third->statuses, 0);
    begin(third);
    g_assert_cmpuint(stub_lines(third, "job 1 END failed vanished*"), ==, 1);
}

/* A record in which something is missing that every such job has. */
static void test_incomplete_record(gconstpointer group)
{
    g_autoptr(Stub) first = stub_new();
    VbJob *job = stub_ready_copy(first, stub_running(first));
    g_autoptr(Stub) second = NULL;
    g_autofree char *path = NULL, *broken = NULL;

    pivot(first, job);
    stub_set_status(first, job, VB_JOB_STATUS_CONCLUDED, NULL);
    second = next_life(first);
    second->root_is_target = TRUE;
    path = stub_job_record(second, 1);
    broken = g_strconcat(path, ".broken", NULL);
    set_in_file(path, group, NULL, NULL);
    begin(second);
    g_assert_true(g_file_test(broken, G_FILE_TEST_EXISTS));
    g_assert_true(vb_domain_is_active(domain_of(second)));
}

/* ---- domains ---- */

/* A start that came to nothing is no crash. */
static void test_start_never_answered(void)
{
    g_autoptr(Stub) first = stub_new();
    g_autoptr(Stub) second = NULL;
    g_autofree char *xml = stub_xml("a", STUB_UUID, "/a.qcow2");

    stub_define(first, xml, "define");
    VB_WAIT_FOR(stub_lines(first, "reply define ok") == 1);
    first->keep[STUB_OPERATE] = TRUE;
    stub_operate(first, domain_of(first), VB_DOMAIN_OP_START, "start");
    VB_WAIT_FOR(first->waiting[STUB_OPERATE]->len == 1);
    second = next_life(first);
    second->fail[STUB_RECONNECT] = "gone";
    begin(second);
    g_assert_cmpint(vb_domain_info(domain_of(second))->state, ==, VB_DOMAIN_SHUT_OFF);
    g_assert_cmpstr(vb_domain_info(domain_of(second))->reason, ==, "failed");
    g_assert_cmpuint(stub_lines(second, "lifecycle *"), ==, 0);
}

/* As long as a backing chain may be, the running domain is found again. */
static void test_deep_chain(void)
{
    g_autoptr(Stub) first = stub_new();
    VbDomain *domain = stub_running(first);
    g_autoptr(Stub) second = NULL;
    VbDiskDef *disk = vb_domain_live_def(domain)->disks->pdata[0];
    VbDiskSource *last = disk->source;

    while (last->backing)
        last = last->backing;
    for (guint i = 3; i <= 200; i++) {
        last->backing = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);
        last->backing->path = g_strdup_printf("/deep-%u.qcow2", i);
        last->backing_known = TRUE;
        last = last->backing;
    }
    last->backing_known = TRUE;
    vb_domain_live_def_changed(domain);
    second = next_life(first);
    begin(second);
    g_assert_true(vb_domain_is_active(domain_of(second)));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);

    g_test_add_data_func("/window/orphans", GINT_TO_POINTER(TRUE), test_orphans);
    g_test_add_data_func("/window/orphans-untold", NULL, test_orphans);
    g_test_add_func("/window/expired", test_expired);
    g_test_add_func("/window/late-cancel", test_late_cancel);
    g_test_add_func("/window/late-external", test_late_external);
    g_test_add_func("/window/jobs-unknown", test_jobs_unknown);
    g_test_add_func("/window/live-definition-first", test_live_definition_first);
    g_test_add_func("/window/root-unknown", test_root_unknown);
    g_test_add_func("/window/start-unanswered", test_start_unanswered);
    g_test_add_data_func("/window/incomplete-record/source", "source", test_incomplete_record);
    g_test_add_data_func("/window/incomplete-record/target", "target", test_incomplete_record);
    g_test_add_func("/window/start-never-answered", test_start_never_answered);
    g_test_add_func("/window/deep-chain", test_deep_chain);

    return g_test_run();
}
