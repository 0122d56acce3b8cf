/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How jobs end: the promises and the corner cases of docs/block-jobs.md that need no QEMU, on the
 * core with the test driver, each by its name there. How they begin and pivot is in
 * core-job-life.c, what a restart adds in core-restart.c. */
#include "core-fixture.h"

#include <string.h>

#include "error.h"

#define SILENT "cancel-mode='silent'"
#define JOB(attributes, children) "<test:block-job " attributes ">" children "</test:block-job>"

static void wait_state(VbJob *job, VbJobState state)
{
    VB_WAIT_FOR(vb_job_info(job)->state == state);
}

/* ---- emission ---- */

typedef struct {
    const char *faults;
    VbJobFlags flags;
    gboolean synthesized;
} Cancel;

static void test_one_canceled(gconstpointer data)
{
    const Cancel *cancel = data;
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", cancel->faults);
    g_autoptr(VbJob) job = vb_job_ref(core_job(fixture, domain, VB_JOB_PULL, "vda"));
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, cancel->flags);

    core_reply_assert_ok(reply);
    wait_state(job, VB_JOB_CONCLUDED);
    /* Anything that came twice would be here by then. */
    core_fixture_run_for(20);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED requested*"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
    g_assert_cmpint(vb_job_info(job)->synthesized, ==, cancel->synthesized);
    g_assert_cmpint(vb_job_info(job)->result, ==, VB_JOB_RESULT_CANCELED);
    if (!(cancel->flags & VB_JOB_ASYNC))
        core_fixture_assert_order(fixture, "job 1 CANCELED requested*", "reply cancel: ok", NULL);
    /* Nothing but `synthesized` tells the two drivers apart. */
    core_fixture_assert_order(fixture, "job 1 cancel-requested 1", "job 1 state concluded",
                              "job 1 result canceled", "domain a jobs 0", "job 1 CANCELED *", NULL);
}

static const Cancel reported_wait = {NULL, VB_JOB_WAIT, FALSE};
static const Cancel reported_async = {NULL, VB_JOB_ASYNC, FALSE};
static const Cancel reported_slow = {"<test:block-job><test:cancel delay='30'/></test:block-job>",
                                     VB_JOB_WAIT, FALSE};
static const Cancel reported_slow_async = {
    "<test:block-job><test:cancel delay='30'/></test:block-job>", VB_JOB_ASYNC, FALSE};
static const Cancel reported_event_first = {
    "<test:block-job><test:cancel delay='10' reply='after-report'/></test:block-job>", VB_JOB_WAIT,
    FALSE};
static const Cancel reported_twice = {"<test:block-job><test:cancel reports='2'/></test:block-job>",
                                      VB_JOB_WAIT, FALSE};
static const Cancel silent_wait = {"<test:block-job " SILENT "/>", VB_JOB_WAIT, TRUE};
static const Cancel silent_async = {"<test:block-job " SILENT "/>", VB_JOB_ASYNC, TRUE};
static const Cancel silent_slow = {
    "<test:block-job " SILENT "><test:cancel delay='30'/></test:block-job>", VB_JOB_WAIT, TRUE};
static const Cancel silent_then_report = {
    "<test:block-job " SILENT "><test:cancel reports='2'/></test:block-job>", VB_JOB_WAIT, TRUE};

static void test_refused(gconstpointer flags)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a",
                     "<test:block-job><test:cancel times='1' result='refused' message='not now'/>"
                     "</test:block-job>");
    g_autoptr(VbJob) job = vb_job_ref(core_job(fixture, domain, VB_JOB_PULL, "vda"));
    g_autoptr(CoreReply) refused = core_cancel(fixture, job, GPOINTER_TO_UINT(flags));
    g_autoptr(CoreReply) again = NULL;

    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_FINISHING);
    g_assert_true(vb_job_info(job)->cancel_requested);
    core_reply_assert_error(refused, VB_ERROR_HYPERVISOR, "not now");
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
    /* It is what the hypervisor says, and nobody wants anything of it. */
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_RUNNING);
    g_assert_false(vb_job_info(job)->cancel_requested);
    core_fixture_assert_order(fixture, "job 1 cancel-requested 1", "job 1 cancel-requested 0",
                              "reply cancel: error*", NULL);

    again = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(again);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_refused_ready(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a",
                                    "<test:block-job duration='0'><test:cancel flavour='soft' "
                                    "result='refused'/></test:block-job>");
    g_autoptr(VbJob) job = vb_job_ref(core_job(fixture, domain, VB_JOB_COPY, "vda"));
    g_autoptr(CoreReply) refused = NULL;

    wait_state(job, VB_JOB_READY);
    refused = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_error(refused, VB_ERROR_HYPERVISOR, NULL);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_READY);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 READY"), ==, 1);
}

typedef struct {
    const char *faults;
    VbJobType type;
    const char *expected;
    const char *error; /* of the job, NULL: none */
} End;

static void test_end(gconstpointer data)
{
    const End *end = data;
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", end->faults);
    g_autoptr(VbJob) job = vb_job_ref(core_job(fixture, domain, end->type, "vda"));

    wait_state(job, VB_JOB_CONCLUDED);
    core_fixture_run_for(20);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
    if (core_fixture_count(fixture, end->expected) != 1) {
        core_fixture_dump(fixture);
        g_error("not once: %s", end->expected);
    }
    g_assert_cmpstr(vb_job_info(job)->error_message, ==, end->error ? end->error : "");
    g_assert_cmpint(vb_job_info(job)->end_time, >=, vb_job_info(job)->start_time);
}

static const End end_completed = {"<test:block-job duration='5'/>", VB_JOB_PULL,
                                  "job 1 COMPLETED done", NULL};
static const End end_completed_twice = {
    "<test:block-job duration='5'><test:end reports='2'/></test:block-job>", VB_JOB_COMMIT,
    "job 1 COMPLETED done", NULL};
static const End end_failed = {
    "<test:block-job duration='5'><test:end result='failed' message='No space left on device'/>"
    "</test:block-job>",
    VB_JOB_BACKUP, "job 1 FAILED io-error", "No space left on device"};
static const End end_external = {
    "<test:block-job duration='5'><test:end result='canceled'/></test:block-job>", VB_JOB_PULL,
    "job 1 CANCELED external", NULL};
static const End end_vanished = {
    "<test:block-job duration='5'><test:end reports='0'/></test:block-job>", VB_JOB_PULL,
    "job 1 FAILED vanished synthesized", "the hypervisor no longer knows the job"};

static void test_ready_once(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job duration='5'/>");
    g_autoptr(VbJob) job = vb_job_ref(core_job(fixture, domain, VB_JOB_ACTIVE_COMMIT, "vda"));
    g_autoptr(CoreReply) pause = NULL;
    g_autoptr(CoreReply) resume = NULL;

    g_assert_cmpint(vb_job_info(job)->type, ==, VB_JOB_ACTIVE_COMMIT);
    wait_state(job, VB_JOB_READY);
    pause = core_set_paused(fixture, job, TRUE);
    core_reply_assert_ok(pause);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_PAUSED);
    resume = core_set_paused(fixture, job, FALSE);
    core_reply_assert_ok(resume);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_READY);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 READY"), ==, 1);
    core_fixture_assert_order(fixture, "job 1 state ready", "job 1 ready 1", "job 1 READY", NULL);
}

/* ---- order and time ---- */

static void test_changes_before_signal(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_WAIT);

    core_reply_assert_ok(reply);
    core_fixture_assert_order(fixture, "job 1 added", "domain a jobs 1", "reply start-job: ok",
                              "job 1 state finishing", "job 1 cancel-requested 1",
                              "job 1 state concluded", "job 1 result canceled", "domain a jobs 0",
                              "job 1 CANCELED requested", "reply cancel: ok", NULL);
}

static void test_async_does_not_wait(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a", "<test:block-job><test:cancel result='never'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_ASYNC);

    core_reply_assert_ok(reply);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
    g_assert_true(vb_job_info(job)->cancel_requested);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED domain-stopped synthesized"), ==,
                     1);
}

/* The hypervisor does not even answer: an async caller does not wait for that either. */
static void test_async_no_answer(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a",
                                    "<test:block-job><test:cancel delay='3600000' "
                                    "reply='after-report'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_ASYNC);

    core_reply_assert_ok(reply);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

typedef struct {
    CoreFixture *fixture;
    CoreReply *start;
} StartAgain;

static void start_again(VbJob *job, gpointer user_data)
{
    StartAgain *again = user_data;

    if (again->start == NULL)
        again->start = core_start_job(again->fixture, vb_job_info(job)->domain, VB_JOB_PULL,
                                      vb_job_info(job)->disk);
}

static void test_disk_free_at_reply(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) busy = core_start_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = NULL;

    core_reply_assert_error(busy, VB_ERROR_BUSY, "job 1");
    reply = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(reply);
    core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_assert_cmpuint(core_fixture_count(fixture, "job 2 added"), ==, 1);
    g_assert_nonnull(vb_domain_live_job(domain, "vda"));
}

static void test_start_from_handler(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    StartAgain again = {fixture, NULL};
    g_autoptr(CoreReply) reply = NULL;
    g_autoptr(CoreReply) start = NULL;

    core_fixture_set_concluded(fixture, start_again, &again);
    reply = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(reply);
    start = again.start;
    core_reply_assert_ok(start);
    core_fixture_assert_order(fixture, "job 1 CANCELED *", "job 2 added", "reply start-job: ok",
                              NULL);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_reads_while_pending(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a",
                                    "<test:operation name='query' result='hang'/>"
                                    "<test:block-job><test:cancel delay='1200'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_WAIT);
    g_autoptr(CoreReply) other = NULL;
    gint64 before = g_get_monotonic_time();

    /* The rest of the domain goes on: another disk's job, an operation; and the reads are memory.
     */
    other = core_start_job(fixture, domain, VB_JOB_PULL, "vdb");
    core_reply_assert_ok(other);
    core_do(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    core_do(fixture, domain, VB_DOMAIN_OP_RESUME);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_FINISHING);
    g_assert_cmpstr(vb_domain_info(domain)->reason, ==, "unpaused");
    g_assert_false(reply->done);
    g_assert_cmpint(g_get_monotonic_time() - before, <, G_USEC_PER_SEC);
    core_reply_assert_ok(reply);
}

/* ---- corner cases ---- */

static void test_second_cancel(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", "<test:block-job><test:cancel delay='50'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) first = core_cancel(fixture, job, VB_JOB_WAIT);
    g_autoptr(CoreReply) second = core_cancel(fixture, job, VB_JOB_WAIT);
    g_autoptr(CoreReply) third = core_cancel(fixture, job, VB_JOB_ASYNC);
    g_autoptr(CoreReply) pivot = core_pivot(fixture, job, VB_JOB_WAIT);

    core_reply_assert_error(second, VB_ERROR_BLOCK_JOB_ENDING, "a cancel is pending");
    core_reply_assert_error(third, VB_ERROR_BLOCK_JOB_ENDING, NULL);
    core_reply_assert_error(pivot, VB_ERROR_BLOCK_JOB_ENDING, NULL);
    core_reply_assert_ok(first);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_force_escalates(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a",
                                    "<test:block-job duration='0'><test:cancel flavour='soft' "
                                    "result='never'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) soft = NULL;
    g_autoptr(CoreReply) forced = NULL;

    wait_state(job, VB_JOB_READY);
    soft = core_cancel(fixture, job, VB_JOB_WAIT);
    core_fixture_run_for(30);
    g_assert_false(soft->done);
    forced = core_cancel(fixture, job, VB_JOB_FORCE);
    core_reply_assert_ok(forced);
    core_reply_assert_ok(soft);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
    g_assert_false(vb_job_info(job)->consistent);
    core_fixture_assert_order(fixture, "job 1 CANCELED requested", "reply cancel: ok",
                              "reply cancel: ok", NULL);
}

static void test_soft_cancel_is_consistent(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job duration='0'/>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) reply = NULL;

    wait_state(job, VB_JOB_READY);
    reply = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(reply);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED requested consistent"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_soft_cancel_fails(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a",
                                    "<test:block-job duration='0'><test:cancel result='failed' "
                                    "message='Input/output error'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) reply = NULL;

    wait_state(job, VB_JOB_READY);
    reply = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(reply);
    g_assert_false(vb_job_info(job)->consistent);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED *"), ==, 1);
}

static void test_forced_cancel_fails(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a",
                     "<test:block-job><test:cancel result='failed' message='Input/output error'/>"
                     "</test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_WAIT);

    core_reply_assert_error(reply, VB_ERROR_NO_BLOCK_JOB,
                            "finished before it could be canceled: failed");
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 FAILED io-error"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_soft_cancel_pivots(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) reply = NULL;

    wait_state(job, VB_JOB_READY);
    reply = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_error(reply, VB_ERROR_NO_BLOCK_JOB, "completed");
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 COMPLETED done pivoted*"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_completed_first(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_WAIT);

    core_reply_assert_error(reply, VB_ERROR_NO_BLOCK_JOB,
                            "finished before it could be canceled: completed");
    g_assert_null(strstr(reply->error->message, "no such job"));
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 COMPLETED done"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_concluded(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job duration='0'/>");
    g_autoptr(VbJob) job = vb_job_ref(core_job(fixture, domain, VB_JOB_PULL, "vda"));
    g_autoptr(CoreReply) cancel = NULL;
    g_autoptr(CoreReply) pivot = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_false(vb_job_dismiss(job, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_STATE);
    wait_state(job, VB_JOB_CONCLUDED);
    g_assert_null(vb_domain_live_job(domain, "vda"));
    cancel = core_cancel(fixture, job, VB_JOB_FORCE);
    core_reply_assert_error(cancel, VB_ERROR_NO_BLOCK_JOB, "completed");
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_assert_error(pivot, VB_ERROR_NO_BLOCK_JOB, "completed");
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);

    g_assert_true(vb_job_dismiss(job, NULL));
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 removed"), ==, 1);
    g_assert_cmpuint(vb_domain_jobs(domain)->len, ==, 0);
}

/* The event is lost: a poll finds out, within its second and a bit. */
static void test_lost(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", "<test:block-job><test:cancel reports='0'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    gint64 before = g_get_monotonic_time();
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_WAIT);

    core_reply_assert_ok(reply);
    g_assert_cmpint(g_get_monotonic_time() - before, <, 5 * G_USEC_PER_SEC);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED vanished synthesized"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_not_found(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_WAIT);

    core_reply_assert_ok(reply);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED vanished synthesized"), ==, 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_destroyed(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    VbJob *other = core_job(fixture, domain, VB_JOB_COPY, "vdb");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_WAIT);

    core_fixture_run_for(5);
    g_assert_true(vb_job_is_live(other));
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    core_reply_assert_ok(reply);
    core_fixture_assert_order(fixture, "job 1 CANCELED domain-stopped synthesized",
                              "domain a state shut-off/destroyed", "lifecycle a stopped/destroyed",
                              "reply destroy: ok", NULL);
    core_fixture_assert_order(fixture, "job 2 CANCELED domain-stopped synthesized",
                              "domain a state shut-off/destroyed", NULL);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 2);
}

static void test_shut_down(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", "<test:operation name='shutdown' guest-delay='10'/>");

    core_job(fixture, domain, VB_JOB_PULL, "vda");
    core_do(fixture, domain, VB_DOMAIN_OP_SHUTDOWN);
    g_assert_true(vb_domain_is_active(domain));
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    core_fixture_assert_order(fixture, "reply shutdown: ok",
                              "job 1 CANCELED domain-stopped synthesized",
                              "domain a state shut-off/shutdown", NULL);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_crash(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:crash after='60'/>");

    core_job(fixture, domain, VB_JOB_PULL, "vda");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    core_fixture_assert_order(fixture, "job 1 FAILED domain-crashed synthesized",
                              "domain a state crashed/crashed", "lifecycle a crashed/crashed",
                              NULL);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
    /* It can be started again. */
    core_do(fixture, domain, VB_DOMAIN_OP_START);
}

static void test_crash_on_cancel(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) reply = core_cancel(fixture, job, VB_JOB_WAIT);

    core_reply_assert_ok(reply);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    core_fixture_assert_order(fixture, "job 1 CANCELED domain-crashed synthesized",
                              "domain a state crashed/crashed", NULL);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_io_error(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a",
                     "<test:block-job duration='0'><test:io-error at='1000' status='nospace'/>"
                     "<test:cancel flavour='soft' result='refused'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) reply = NULL;

    wait_state(job, VB_JOB_PAUSED);
    g_assert_cmpint(vb_job_info(job)->io_status, ==, VB_IO_STATUS_NOSPACE);
    g_assert_cmpuint(vb_job_info(job)->current, ==, 1000);
    /* The forced flavour is chosen by itself. */
    reply = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(reply);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void test_io_error_resume(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a", "<test:block-job duration='0'><test:io-error at='1000'/></test:block-job>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) resume = NULL;

    wait_state(job, VB_JOB_PAUSED);
    resume = core_set_paused(fixture, job, FALSE);
    core_reply_assert_ok(resume);
    wait_state(job, VB_JOB_CONCLUDED);
    core_fixture_assert_order(fixture, "job 1 io-status failed", "job 1 io-status ok",
                              "job 1 COMPLETED done", NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_data_func("/job/E1/reported", &reported_wait, test_one_canceled);
    g_test_add_data_func("/job/E1/reported-async", &reported_async, test_one_canceled);
    g_test_add_data_func("/job/E1/reported-slow", &reported_slow, test_one_canceled);
    g_test_add_data_func("/job/E1/reported-slow-async", &reported_slow_async, test_one_canceled);
    g_test_add_data_func("/job/E1/event-before-reply", &reported_event_first, test_one_canceled);
    g_test_add_data_func("/job/E2/silent", &silent_wait, test_one_canceled);
    g_test_add_data_func("/job/E2/silent-async", &silent_async, test_one_canceled);
    g_test_add_data_func("/job/E2/silent-slow", &silent_slow, test_one_canceled);
    g_test_add_data_func("/job/E3/reported-twice", &reported_twice, test_one_canceled);
    g_test_add_data_func("/job/E3/silent-then-report", &silent_then_report, test_one_canceled);
    g_test_add_data_func("/job/E4/refused", GUINT_TO_POINTER(VB_JOB_WAIT), test_refused);
    g_test_add_data_func("/job/E4/refused-async", GUINT_TO_POINTER(VB_JOB_ASYNC), test_refused);
    g_test_add_data_func("/job/E4/refused-force", GUINT_TO_POINTER(VB_JOB_FORCE), test_refused);
    g_test_add_func("/job/E4/refused-ready", test_refused_ready);
    g_test_add_data_func("/job/E5/completed", &end_completed, test_end);
    g_test_add_data_func("/job/E5/completed-twice", &end_completed_twice, test_end);
    g_test_add_data_func("/job/E5/failed", &end_failed, test_end);
    g_test_add_data_func("/job/E5/external", &end_external, test_end);
    g_test_add_data_func("/job/E5/vanished", &end_vanished, test_end);
    g_test_add_func("/job/E5/ready-once", test_ready_once);
    g_test_add_func("/job/O2/changes-before-signal", test_changes_before_signal);
    g_test_add_func("/job/T1/async", test_async_does_not_wait);
    g_test_add_func("/job/T1/async-without-answer", test_async_no_answer);
    g_test_add_data_func("/job/T2/disk-free", NULL, test_disk_free_at_reply);
    g_test_add_data_func("/job/T2/disk-free-silent", JOB(SILENT, ""), test_disk_free_at_reply);
    g_test_add_data_func("/job/T2/disk-free-slow-clean",
                         "<test:operation name='clean' delay='30'/>", test_disk_free_at_reply);
    g_test_add_data_func("/job/T2/start-from-handler", NULL, test_start_from_handler);
    g_test_add_data_func("/job/T2/start-from-handler-silent", JOB(SILENT, ""),
                         test_start_from_handler);
    g_test_add_data_func("/job/T2/start-from-handler-slow-clean",
                         "<test:operation name='clean' delay='30'/>", test_start_from_handler);
    g_test_add_func("/job/T3/reads", test_reads_while_pending);
    g_test_add_func("/job/corner/second-cancel", test_second_cancel);
    g_test_add_func("/job/corner/force-escalates", test_force_escalates);
    g_test_add_func("/job/corner/soft-consistent", test_soft_cancel_is_consistent);
    g_test_add_func("/job/corner/soft-fails", test_soft_cancel_fails);
    g_test_add_func("/job/corner/forced-fails", test_forced_cancel_fails);
    g_test_add_data_func("/job/corner/soft-pivots",
                         JOB("duration='0'", "<test:cancel result='pivoted'/>"),
                         test_soft_cancel_pivots);
    g_test_add_data_func("/job/corner/soft-pivots-silent",
                         JOB("duration='0' " SILENT, "<test:cancel result='pivoted'/>"),
                         test_soft_cancel_pivots);
    g_test_add_data_func("/job/corner/completed-first",
                         JOB("", "<test:cancel result='completed'/>"), test_completed_first);
    g_test_add_data_func(
        "/job/corner/completed-first-report-first",
        JOB("", "<test:cancel result='completed' delay='5' reply='after-report'/>"),
        test_completed_first);
    g_test_add_data_func("/job/corner/completed-first-silent",
                         JOB(SILENT, "<test:cancel result='completed'/>"), test_completed_first);
    g_test_add_data_func("/job/corner/completed-first-twice",
                         JOB("", "<test:cancel result='completed' reports='2'/>"),
                         test_completed_first);
    g_test_add_func("/job/corner/concluded", test_concluded);
    g_test_add_func("/job/corner/lost", test_lost);
    g_test_add_data_func("/job/corner/not-found",
                         JOB("", "<test:cancel result='not-found' reply='after-report'/>"),
                         test_not_found);
    g_test_add_data_func("/job/corner/not-found-silent",
                         JOB(SILENT, "<test:cancel result='not-found'/>"), test_not_found);
    g_test_add_data_func("/job/corner/destroyed", JOB("", "<test:cancel result='never'/>"),
                         test_destroyed);
    g_test_add_data_func("/job/corner/destroyed-silent",
                         JOB(SILENT, "<test:cancel result='never'/>"), test_destroyed);
    g_test_add_func("/job/corner/shut-down", test_shut_down);
    g_test_add_func("/job/corner/crash", test_crash);
    g_test_add_data_func("/job/corner/crash-on-cancel", JOB("", "<test:cancel result='crash'/>"),
                         test_crash_on_cancel);
    g_test_add_data_func("/job/corner/crash-before-reply",
                         JOB("", "<test:cancel result='crash' delay='10' reply='after-report'/>"),
                         test_crash_on_cancel);
    g_test_add_data_func("/job/corner/crash-silent",
                         JOB(SILENT, "<test:cancel result='crash' delay='10'/>"),
                         test_crash_on_cancel);
    g_test_add_func("/job/corner/io-error", test_io_error);
    g_test_add_func("/job/corner/io-error-resume", test_io_error_resume);

    return g_test_run();
}
