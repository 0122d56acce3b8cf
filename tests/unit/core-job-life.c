/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How jobs begin, are changed on their way, and pivot, on the core with the test driver. */
#include "core-fixture.h"

#include <string.h>

#include "error.h"

#define SILENT "cancel-mode='silent'"
#define JOB(attributes, children) "<test:block-job " attributes ">" children "</test:block-job>"

static void wait_state(VbJob *job, VbJobState state)
{
    VB_WAIT_FOR(vb_job_info(job)->state == state);
}

/* ---- pivot ---- */

static void test_pivot(gconstpointer type)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job duration='5'/>");
    VbJob *job = core_job(fixture, domain, GPOINTER_TO_INT(type), "vda");
    g_autoptr(CoreReply) early = core_pivot(fixture, job, VB_JOB_WAIT);
    g_autoptr(CoreReply) pivot = NULL;
    const char *now =
        GPOINTER_TO_INT(type) == VB_JOB_COPY ? "/images/vda-target.qcow2" : "/images/base.qcow2";
    const VbDiskDef *disk;

    core_reply_assert_error(early, VB_ERROR_BLOCK_JOB_NOT_READY, NULL);
    wait_state(job, VB_JOB_READY);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(pivot);
    core_fixture_assert_order(fixture, "job 1 READY", "job 1 pivot-requested 1",
                              "job 1 result completed", "job 1 COMPLETED done pivoted consistent",
                              "reply pivot: ok", NULL);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
    /* It is what the disk is now, running and stored. */
    disk = vb_domain_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, now);
    disk = vb_domain_stored_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, now);
    g_assert_false(vb_domain_info(domain)->config_pending);
}

static void test_pivot_not_supported(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_pivot(fixture, job, VB_JOB_WAIT);

    core_reply_assert_error(reply, VB_ERROR_NOT_SUPPORTED, "pull");
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_RUNNING);
}

static void test_pivot_async(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a",
                     "<test:block-job duration='0'><test:pivot delay='200' finalize-delay='20'/>"
                     "</test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) pivot = NULL;

    wait_state(job, VB_JOB_READY);
    pivot = core_pivot(fixture, job, VB_JOB_ASYNC);
    core_reply_assert_ok(pivot);
    g_assert_true(vb_job_is_live(job));
    wait_state(job, VB_JOB_CONCLUDED);
    g_assert_true(vb_job_info(job)->pivoted);
}

static void test_cancel_while_pivot(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a", "<test:block-job duration='0'><test:pivot result='never'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) pivot = NULL;
    g_autoptr(CoreReply) cancel = NULL;
    g_autoptr(CoreReply) second = NULL;
    g_autoptr(CoreReply) forced = NULL;
    const VbDiskDef *disk;

    wait_state(job, VB_JOB_READY);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    cancel = core_cancel(fixture, job, VB_JOB_WAIT);
    second = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_assert_error(cancel, VB_ERROR_BLOCK_JOB_ENDING, "a pivot is pending");
    core_reply_assert_error(second, VB_ERROR_BLOCK_JOB_ENDING, NULL);
    g_assert_false(pivot->done);

    forced = core_cancel(fixture, job, VB_JOB_FORCE);
    core_reply_assert_ok(forced);
    core_reply_assert_error(pivot, VB_ERROR_BLOCK_JOB_CANCELED, "canceled");
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED requested"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
    disk = vb_domain_stored_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/images/a-vda.qcow2");
}

/* Once the switch is being finalized it can no longer be stopped. */
static void test_cancel_while_finalizing(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a",
        "<test:block-job duration='0'><test:pivot finalize-delay='150'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) pivot = NULL;
    g_autoptr(CoreReply) forced = NULL;

    wait_state(job, VB_JOB_READY);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    VB_WAIT_FOR(!vb_job_is_cancelable(job));
    g_assert_true(vb_job_is_live(job));
    forced = core_cancel(fixture, job, VB_JOB_FORCE);
    core_reply_assert_error(forced, VB_ERROR_BLOCK_JOB_ENDING, "a pivot is pending");
    core_reply_assert_ok(pivot);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
    g_assert_true(vb_job_info(job)->pivoted);
}

static void test_pivot_refused(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a",
                     "<test:block-job duration='0'><test:pivot result='refused' message='not now'/>"
                     "</test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) pivot = NULL;

    wait_state(job, VB_JOB_READY);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_assert_error(pivot, VB_ERROR_HYPERVISOR, "not now");
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_READY);
    g_assert_false(vb_job_info(job)->pivot_requested);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
}

static void test_pivot_fails(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a",
        "<test:block-job duration='0'><test:pivot result='failed' message='No space left'/>"
        "</test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) pivot = NULL;

    wait_state(job, VB_JOB_READY);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_assert_error(pivot, VB_ERROR_BLOCK_JOB_FAILED, "No space left");
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 FAILED io-error"), ==, 1);
}

static void test_crash_in_pivot(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a",
                     "<test:block-job duration='0'><test:pivot result='crash' delay='20'/>"
                     "</test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) pivot = NULL;

    wait_state(job, VB_JOB_READY);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_wait(pivot);
    g_assert_nonnull(pivot->error);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 FAILED domain-crashed synthesized"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

/* ---- the start ---- */

static void test_start_errors(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_defined(fixture, "a",
                     "<test:block-job disk='vdb'><test:start result='fail' message='no room'/>"
                     "</test:block-job>");
    g_autoptr(CoreReply) off = core_start_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) unknown = NULL;
    g_autoptr(CoreReply) refused = NULL;
    g_autoptr(CoreReply) both = NULL;
    GPtrArray *specs = g_ptr_array_new();

    core_reply_assert_error(off, VB_ERROR_DOMAIN_NOT_RUNNING, NULL);
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    unknown = core_start_job(fixture, domain, VB_JOB_PULL, "sdz");
    core_reply_assert_error(unknown, VB_ERROR_INVALID_ARGS, "sdz");
    refused = core_start_job(fixture, domain, VB_JOB_PULL, "vdb");
    core_reply_assert_error(refused, VB_ERROR_HYPERVISOR, "no room");

    /* All or none. */
    g_ptr_array_add(specs, core_spec(VB_JOB_BACKUP, "vda"));
    g_ptr_array_add(specs, core_spec(VB_JOB_BACKUP, "vdb"));
    both = core_start_specs(fixture, domain, specs);
    core_reply_assert_error(both, VB_ERROR_HYPERVISOR, "no room");
    core_fixture_run_for(10);
    /* What did not start never existed. */
    g_assert_cmpuint(core_fixture_count(fixture, "job *"), ==, 0);
    g_assert_cmpuint(vb_domain_jobs(domain)->len, ==, 0);
    core_job(fixture, domain, VB_JOB_PULL, "vda");
}

/* A backup without a target is made beside the image that its caller was authorized for, or not. */
static void test_start_beside(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    GPtrArray *moved = g_ptr_array_new(), *same = g_ptr_array_new();
    g_autoptr(CoreReply) refused = NULL, accepted = NULL;
    VbJobSpec *spec = vb_job_spec_new(VB_JOB_BACKUP, "vda");

    spec->beside = g_strdup("/elsewhere/a-vda.qcow2");
    g_ptr_array_add(moved, spec);
    refused = core_start_specs(fixture, domain, moved);
    core_reply_assert_error(refused, VB_ERROR_INVALID_STATE, "/elsewhere/a-vda.qcow2");

    spec = vb_job_spec_new(VB_JOB_BACKUP, "vda");
    spec->beside = g_strdup("/images/a-vda.qcow2");
    g_ptr_array_add(same, spec);
    accepted = core_start_specs(fixture, domain, same);
    core_reply_assert_ok(accepted);
}

static void test_start_busy_while_starting(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", "<test:block-job><test:start delay='30'/></test:block-job>");
    g_autoptr(CoreReply) first = core_start_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) second = core_start_job(fixture, domain, VB_JOB_PULL, "vda");

    core_reply_assert_error(second, VB_ERROR_BUSY, "job 1");
    core_reply_assert_ok(first);
}

/* The source path names a disk as well as its target does. */
static void test_start_by_path(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "/images/a-vdb.qcow2");

    g_assert_cmpstr(vb_job_info(job)->disk, ==, "vdb");
    g_assert_true(vb_domain_live_job(domain, "vdb") == job);
    g_assert_cmpuint(vb_job_info(job)->started_by_uid, ==, 1000);
}

static void test_ends_before_reply(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a",
        "<test:block-job duration='0'><test:start reply='after-report'/></test:block-job>");
    g_autoptr(CoreReply) reply = core_start_held(fixture, domain, VB_JOB_PULL, "vda");
    VbJob *job;

    core_reply_assert_ok(reply);
    job = reply->jobs->pdata[0];
    core_fixture_run_for(20);
    g_assert_true(vb_job_is_live(job));
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
    vb_job_release(job);
    wait_state(job, VB_JOB_CONCLUDED);
    core_fixture_assert_order(fixture, "job 1 added", "domain a jobs 1", "reply start-job: ok",
                              "job 1 state concluded", "job 1 COMPLETED done", NULL);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_held_until_release(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    g_autoptr(CoreReply) reply = core_start_held(fixture, domain, VB_JOB_PULL, "vda");
    VbJob *job;

    core_reply_assert_ok(reply);
    job = reply->jobs->pdata[0];
    core_fixture_run_for(50);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
    g_assert_true(vb_job_is_live(job));
    g_assert_cmpuint(core_fixture_count(fixture, "domain a state crashed*"), ==, 0);
    vb_job_release(job);
    VB_WAIT_FOR(core_fixture_count_ends(fixture) == 1);
    VB_WAIT_FOR(strstr(faults, "crash") == NULL || !vb_domain_is_active(domain));
    core_fixture_assert_order(fixture, "reply start-job: ok", "job 1 state concluded", NULL);
}

static void test_domain_dies_in_start(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a",
        "<test:crash after='20'/><test:block-job><test:start delay='3600000'/></test:block-job>");
    g_autoptr(CoreReply) reply = core_start_job(fixture, domain, VB_JOB_PULL, "vda");

    core_reply_assert_error(reply, VB_ERROR_DOMAIN_NOT_RUNNING, NULL);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    g_assert_cmpuint(core_fixture_count(fixture, "job *"), ==, 0);
}

/* ---- what else a job can do ---- */

static void test_bandwidth(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job length='1000' duration='0'/>");
    GPtrArray *specs = g_ptr_array_new();
    VbJobSpec *spec = core_spec(VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) start = NULL;
    g_autoptr(CoreReply) faster = NULL;
    g_autoptr(CoreReply) late = NULL;
    VbJob *job;

    /* 1000 bytes at one a second. */
    spec->bandwidth = 1;
    g_ptr_array_add(specs, spec);
    start = core_start_specs(fixture, domain, specs);
    core_reply_assert_ok(start);
    job = start->jobs->pdata[0];
    g_assert_cmpuint(vb_job_info(job)->bandwidth, ==, 1);
    core_fixture_run_for(30);
    g_assert_true(vb_job_is_live(job));
    faster = core_set_bandwidth(fixture, job, 1000000);
    core_reply_assert_ok(faster);
    wait_state(job, VB_JOB_CONCLUDED);
    core_fixture_assert_order(fixture, "job 1 bandwidth 1000000", "reply set-bandwidth: ok",
                              "job 1 COMPLETED done", NULL);
    g_assert_cmpuint(vb_job_info(job)->current, ==, 1000);
    g_assert_cmpuint(vb_job_info(job)->total, ==, 1000);
    late = core_set_bandwidth(fixture, job, 1);
    core_reply_assert_error(late, VB_ERROR_NO_BLOCK_JOB, NULL);
}

static void test_pause(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job duration='40'/>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) pause = core_set_paused(fixture, job, TRUE);
    g_autoptr(CoreReply) twice = NULL;
    g_autoptr(CoreReply) resume = NULL;

    core_reply_assert_ok(pause);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_PAUSED);
    twice = core_set_paused(fixture, job, TRUE);
    core_reply_assert_error(twice, VB_ERROR_INVALID_STATE, "already");
    core_fixture_run_for(80);
    g_assert_true(vb_job_is_live(job));
    resume = core_set_paused(fixture, job, FALSE);
    core_reply_assert_ok(resume);
    wait_state(job, VB_JOB_CONCLUDED);
    core_fixture_assert_order(fixture, "job 1 state paused", "job 1 state running",
                              "job 1 COMPLETED done", NULL);
}

/* The progress is asked for once a second. */
static void test_progress(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job length='100000'/>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");

    VB_WAIT_FOR(vb_job_info(job)->total == 100000 && vb_job_info(job)->current > 0);
    g_assert_cmpuint(vb_job_info(job)->current, <, 100000);
}

static void test_chain(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job duration='0'/>");
    VbJob *commit = core_job(fixture, domain, VB_JOB_COMMIT, "vda");
    VbJob *pull = core_job(fixture, domain, VB_JOB_PULL, "vdb");
    const VbDiskDef *disk;

    wait_state(commit, VB_JOB_CONCLUDED);
    wait_state(pull, VB_JOB_CONCLUDED);
    disk = vb_domain_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/images/a-vda.qcow2");
    g_assert_cmpstr(disk->source->backing->path, ==, "/images/base.qcow2");
    g_assert_null(disk->source->backing->backing);
    disk = vb_domain_def(domain)->disks->pdata[1];
    g_assert_cmpstr(disk->source->path, ==, "/images/a-vdb.qcow2");
    g_assert_null(disk->source->backing);
    /* The stored definition says the same. */
    disk = vb_domain_stored_def(domain)->disks->pdata[1];
    g_assert_null(disk->source->backing);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_data_func("/job/pivot/copy", GINT_TO_POINTER(VB_JOB_COPY), test_pivot);
    g_test_add_data_func("/job/pivot/active-commit", GINT_TO_POINTER(VB_JOB_ACTIVE_COMMIT),
                         test_pivot);
    g_test_add_func("/job/pivot/not-supported", test_pivot_not_supported);
    g_test_add_func("/job/pivot/async", test_pivot_async);
    g_test_add_func("/job/pivot/cancel-while-pending", test_cancel_while_pivot);
    g_test_add_func("/job/pivot/cancel-while-finalizing", test_cancel_while_finalizing);
    g_test_add_func("/job/pivot/refused", test_pivot_refused);
    g_test_add_func("/job/pivot/fails", test_pivot_fails);
    g_test_add_func("/job/pivot/crash", test_crash_in_pivot);
    g_test_add_func("/job/start/errors", test_start_errors);
    g_test_add_func("/job/start/busy", test_start_busy_while_starting);
    g_test_add_func("/job/start/beside", test_start_beside);
    g_test_add_func("/job/start/by-path", test_start_by_path);
    g_test_add_func("/job/start/ends-before-reply", test_ends_before_reply);
    g_test_add_data_func("/job/start/held-completed", JOB("duration='0'", ""),
                         test_held_until_release);
    g_test_add_data_func("/job/start/held-failed",
                         JOB("duration='0'", "<test:end result='failed'/>"),
                         test_held_until_release);
    g_test_add_data_func("/job/start/held-crash", JOB("duration='0'", "<test:end result='crash'/>"),
                         test_held_until_release);
    g_test_add_func("/job/start/domain-dies", test_domain_dies_in_start);
    g_test_add_func("/job/bandwidth", test_bandwidth);
    g_test_add_func("/job/pause", test_pause);
    g_test_add_func("/job/progress", test_progress);
    g_test_add_func("/job/chain", test_chain);

    return g_test_run();
}
