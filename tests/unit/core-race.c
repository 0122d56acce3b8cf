/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Things that happen to a domain and its jobs at the same time, in the order in which they do harm.
 */
#include <signal.h>
#include <string.h>

#include "core-stub.h"

#define OTHER_UUID "0c0ffee0-0000-4000-8000-000000000002"
#define BLOCKER_UUID "0c0ffee0-0000-4000-8000-000000000003"

/* The definition of `a` with a title. */
static char *titled_xml(const char *source)
{
    g_autofree char *xml = stub_xml("a", STUB_UUID, source);
    g_auto(GStrv) parts = g_strsplit(xml, "<memory", 2);

    return g_strjoin("<title>new</title><memory", parts[0], parts[1], NULL);
}

/* From here on no definition is written until unblock(). */
static void block(Stub *stub)
{
    g_autofree char *xml = stub_xml("blocker", BLOCKER_UUID, "/blocker.qcow2");

    stub_block_definition(stub, BLOCKER_UUID);
    stub_define(stub, xml, "blocker");
    stub_settle();
}

static void unblock(Stub *stub)
{
    stub_unblock_definition(stub, BLOCKER_UUID);
    VB_WAIT_FOR(stub_lines(stub, "reply blocker*") == 1);
}

static const char *stored_source(VbDomain *domain)
{
    const VbDiskDef *disk = vb_domain_stored_def(domain)->disks->pdata[0];

    return disk->source->path;
}

static void pivot_to_pending(Stub *stub, VbJob *job)
{
    stub_pivot(stub, job, VB_JOB_WAIT, "pivot");
    VB_WAIT_FOR(stub->count[STUB_COMPLETE] == 1);
    vb_job_report_status(job, VB_JOB_STATUS_PENDING, 10, 10);
    stub_settle();
}

static void finish_pivot(Stub *stub, VbJob *job)
{
    VB_WAIT_FOR(stub->count[STUB_FINALIZE] == 1);
    stub->root_is_target = TRUE;
    vb_job_report_completed(job, NULL, 10, 10);
    VB_WAIT_FOR(stub_lines(stub, "reply pivot ok") == 1);
    g_assert_cmpuint(stub_lines(stub, "job 1 END completed done"), ==, 1);
}

/* ---- commands ---- */

/* The hypervisor refuses, and does not tell at once what became of the job: the caller hears of the
 * refusal when it does. */
static void test_refused_unknown(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbJob *job = stub_job(stub, stub_running(stub), VB_JOB_PULL);
    guint asked;

    stub_set_status(stub, job, VB_JOB_STATUS_RUNNING, NULL);
    stub->fail[STUB_CANCEL] = "not now";
    stub->fail[STUB_QUERY] = "no answer";
    asked = stub->count[STUB_QUERY];
    stub_cancel(stub, job, VB_JOB_WAIT, "cancel");
    VB_WAIT_FOR(stub->count[STUB_QUERY] > asked);
    stub_settle();
    g_assert_cmpuint(stub_lines(stub, "reply cancel*"), ==, 0);
    stub->fail[STUB_QUERY] = NULL;
    VB_WAIT_FOR(stub_lines(stub, "reply cancel: not now") == 1);
    g_assert_false(vb_job_info(job)->cancel_requested);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_RUNNING);
}

/* A soft cancel is refused; before that is looked into, somebody forces it. */
static void test_refused_then_forced(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbJob *job = stub_ready_copy(stub, stub_running(stub));

    stub_set_status(stub, job, VB_JOB_STATUS_READY, NULL);
    stub->keep[STUB_QUERY] = TRUE;
    stub->fail[STUB_CANCEL] = "not softly";
    stub_cancel(stub, job, VB_JOB_WAIT, "soft");
    VB_WAIT_FOR(stub->waiting[STUB_QUERY]->len > 0);
    stub->fail[STUB_CANCEL] = NULL;
    stub_cancel(stub, job, VB_JOB_FORCE, "force");
    while (stub->waiting[STUB_QUERY]->len > 0)
        stub_answer(stub, STUB_QUERY, NULL);
    stub_settle();
    g_assert_true(vb_job_info(job)->cancel_requested);
    vb_job_report_canceled(job, 10, 10);
    VB_WAIT_FOR(stub_lines(stub, "reply force ok") == 1);
    g_assert_cmpuint(stub_lines(stub, "reply soft ok"), ==, 1);
    g_assert_cmpuint(stub_lines(stub, "job 1 END canceled requested"), ==, 1);
}

/* Once it is finalized it can no longer be canceled, and that is told. */
static void test_cancelable(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbJob *job = stub_ready_copy(stub, stub_running(stub));

    pivot_to_pending(stub, job);
    g_assert_cmpuint(stub_lines(stub, "job 1 cancelable 0"), ==, 1);
    finish_pivot(stub, job);
    stub_assert_order(stub, "job 1 state finishing", "job 1 cancelable 0", "job 1 state concluded",
                      NULL);
}

/* The domain dies while the outcome's definition is being written: the reason is not lost. */
static void test_gone_while_storing(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbDomain *domain = stub_running(stub);
    VbJob *job = stub_ready_copy(stub, domain);

    pivot_to_pending(stub, job);
    VB_WAIT_FOR(stub->count[STUB_FINALIZE] == 1);
    block(stub);
    vb_job_report_completed(job, "disk on fire", 10, 10);
    stub_settle();
    g_assert_cmpuint(stub_lines(stub, "job 1 END*"), ==, 0);
    vb_domain_gone(domain, VB_DOMAIN_CRASHED, "crashed");
    stub_assert_order(stub, "job 1 END failed io-error: disk on fire",
                      "domain a state crashed/crashed", NULL);
    unblock(stub);
    g_assert_cmpuint(stub_lines(stub, "job 1 END*"), ==, 1);
    g_assert_cmpstr(stored_source(domain), ==, "/a.qcow2");
}

/* ---- the stored definition ---- */

/* A pivot that ends beside an undefine does not bring the definition back. */
static void test_undefine_and_pivot(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbDomain *domain = stub_running(stub);
    VbJob *job = stub_ready_copy(stub, domain);
    g_autofree char *path = vb_paths_definition(stub->paths, STUB_UUID);
    g_autofree char *contents = NULL;

    block(stub);
    stub_undefine(stub, domain, "undefine");
    pivot_to_pending(stub, job);
    unblock(stub);
    VB_WAIT_FOR(stub_lines(stub, "reply undefine ok") == 1);
    finish_pivot(stub, job);
    contents = stub_read(path);
    g_assert_cmpstr(contents, ==, "");
    g_assert_false(vb_domain_info(domain)->persistent);
}

/* … and beside a redefine, both are done: in memory and on disk. */
static void test_redefine_and_pivot(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbDomain *domain = stub_running(stub);
    VbJob *job = stub_ready_copy(stub, domain);
    g_autofree char *path = vb_paths_definition(stub->paths, STUB_UUID);
    g_autofree char *xml = titled_xml("/a.qcow2");
    g_autofree char *contents = NULL;

    block(stub);
    stub_define(stub, xml, "redefine");
    stub_settle();
    pivot_to_pending(stub, job);
    unblock(stub);
    VB_WAIT_FOR(stub_lines(stub, "reply redefine ok") == 1);
    finish_pivot(stub, job);
    g_assert_cmpstr(vb_domain_stored_def(domain)->title, ==, "new");
    g_assert_cmpstr(stored_source(domain), ==, "/copy.qcow2");
    contents = stub_read(path);
    g_assert_nonnull(strstr(contents, "<title>new</title>"));
    g_assert_nonnull(strstr(contents, "/copy.qcow2"));
}

/* A transient domain ends while it is being made persistent: it is defined, and shut off. */
static void test_define_and_end(void)
{
    g_autoptr(Stub) stub = stub_new();
    g_autofree char *xml = stub_xml("t", OTHER_UUID, "/t.qcow2");
    VbDomain *domain;

    stub_create(stub, xml, "create");
    VB_WAIT_FOR(stub_lines(stub, "reply create ok") == 1);
    domain = vb_host_domain_by_name(stub->host, "t");
    block(stub);
    stub_define(stub, xml, "define");
    stub_settle();
    vb_domain_gone(domain, VB_DOMAIN_SHUT_OFF, "shutdown");
    g_assert_cmpuint(stub_lines(stub, "domain t removed"), ==, 1);
    unblock(stub);
    VB_WAIT_FOR(stub_lines(stub, "reply define ok") == 1);
    domain = vb_host_domain_by_name(stub->host, "t");
    g_assert_nonnull(domain);
    g_assert_true(vb_domain_info(domain)->persistent);
    stub_assert_order(stub, "domain t removed", "domain t added", "lifecycle t defined/added",
                      NULL);
}

/* The administrator has put the copy into the definition by himself: a cancel leaves that alone. */
static void test_cancel_leaves_definition(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbDomain *domain = stub_running(stub);
    VbJob *job = stub_ready_copy(stub, domain);
    g_autofree char *xml = titled_xml("/copy.qcow2");

    stub_define(stub, xml, "redefine");
    VB_WAIT_FOR(stub_lines(stub, "reply redefine ok") == 1);
    stub_cancel(stub, job, VB_JOB_WAIT, "cancel");
    vb_job_report_status(job, VB_JOB_STATUS_PENDING, 10, 10);
    VB_WAIT_FOR(stub->count[STUB_FINALIZE] == 1);
    vb_job_report_completed(job, NULL, 10, 10);
    VB_WAIT_FOR(stub_lines(stub, "reply cancel ok") == 1);
    g_assert_cmpstr(stored_source(domain), ==, "/copy.qcow2");
}

/* What has no stored definition has none that could differ. */
static void test_config_pending(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbDomain *domain = stub_running(stub);
    g_autofree char *xml = titled_xml("/a.qcow2");

    stub_define(stub, xml, "redefine");
    VB_WAIT_FOR(stub_lines(stub, "reply redefine ok") == 1);
    g_assert_cmpuint(stub_lines(stub, "domain a pending 1"), ==, 1);
    stub_undefine(stub, domain, "undefine");
    VB_WAIT_FOR(stub_lines(stub, "reply undefine ok") == 1);
    g_assert_cmpuint(stub_lines(stub, "domain a pending 0"), ==, 1);
    g_assert_false(vb_domain_info(domain)->config_pending);
}

/* ---- starts and clean-ups ---- */

/* The reason of a state is a property: no change of it is silent. */
static void test_failed_start(void)
{
    g_autoptr(Stub) stub = stub_new();
    g_autofree char *xml = stub_xml("a", STUB_UUID, "/a.qcow2");
    VbDomain *domain;

    stub_define(stub, xml, "define");
    VB_WAIT_FOR(stub_lines(stub, "reply define ok") == 1);
    domain = vb_host_domain_by_name(stub->host, "a");
    stub->fail[STUB_OPERATE] = "no room";
    stub_operate(stub, domain, VB_DOMAIN_OP_START, "start");
    VB_WAIT_FOR(stub_lines(stub, "reply start: no room") == 1);
    g_assert_cmpstr(vb_domain_info(domain)->reason, ==, "failed");
    stub_assert_order(stub, "domain a state shut-off/failed", "reply start: *", NULL);
    g_assert_cmpuint(stub_lines(stub, "lifecycle a *"), ==, 1); /* defined */
}

/* A job that is dismissed while its nodes are being dropped stays on record until they are. */
static void test_dismiss_uncleaned(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbJob *job = stub_job(stub, stub_running(stub), VB_JOB_PULL);
    g_autofree char *path = stub_job_record(stub, 1);

    stub->keep[STUB_CLEAN] = TRUE;
    vb_job_report_completed(job, NULL, 10, 10);
    VB_WAIT_FOR(stub->waiting[STUB_CLEAN]->len == 1);
    g_assert_true(vb_job_dismiss(job, NULL));
    g_assert_cmpuint(stub_lines(stub, "job 1 removed"), ==, 1);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    stub_answer(stub, STUB_CLEAN, NULL);
    VB_WAIT_FOR(!g_file_test(path, G_FILE_TEST_EXISTS));
}

/* A clean-up that failed is tried again before the disk's next job, which would find its leavings.
 */
static void test_clean_again(void)
{
    g_autoptr(Stub) stub = stub_new();
    VbDomain *domain = stub_running(stub);
    VbJob *job = stub_job(stub, domain, VB_JOB_PULL);

    stub->fail[STUB_CLEAN] = "timed out";
    vb_job_report_completed(job, NULL, 10, 10);
    VB_WAIT_FOR(stub->count[STUB_CLEAN] == 1);
    stub_settle();
    stub->fail[STUB_CLEAN] = NULL;
    stub->keep[STUB_CLEAN] = TRUE;
    stub_start_job(stub, domain, VB_JOB_PULL, "second");
    VB_WAIT_FOR(stub->count[STUB_CLEAN] == 2);
    stub_settle();
    g_assert_cmpuint(stub->count[STUB_START], ==, 1);
    stub->keep[STUB_CLEAN] = FALSE;
    stub_answer(stub, STUB_CLEAN, NULL);
    VB_WAIT_FOR(stub_lines(stub, "reply second ok") == 1);
    g_assert_cmpuint(stub->count[STUB_START], ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);

    g_test_add_func("/race/refused-unknown", test_refused_unknown);
    g_test_add_func("/race/refused-then-forced", test_refused_then_forced);
    g_test_add_func("/race/cancelable", test_cancelable);
    g_test_add_func("/race/gone-while-storing", test_gone_while_storing);
    g_test_add_func("/race/undefine-and-pivot", test_undefine_and_pivot);
    g_test_add_func("/race/redefine-and-pivot", test_redefine_and_pivot);
    g_test_add_func("/race/define-and-end", test_define_and_end);
    g_test_add_func("/race/cancel-leaves-definition", test_cancel_leaves_definition);
    g_test_add_func("/race/config-pending", test_config_pending);
    g_test_add_func("/race/failed-start", test_failed_start);
    g_test_add_func("/race/dismiss-uncleaned", test_dismiss_uncleaned);
    g_test_add_func("/race/clean-again", test_clean_again);

    return g_test_run();
}
