/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A daemon that goes away and comes back: whatever its job did meanwhile, there is one terminal
 * signal over both lives, and the right one. */
#include "jobs-fixture.h"

#include "qmp-args.h"

#include <signal.h>
#include <string.h>

#define SLOW (256 * 1024)

static VbJobSpec *slow_copy(JobsFixture *fixture)
{
    VbJobSpec *spec = jobs_spec_target(fixture, VB_JOB_COPY, "vda", "copy", VB_DISK_FORMAT_DEFAULT);

    spec->bandwidth = SLOW;
    return spec;
}

static VbJobSpec *slow_pull(void)
{
    VbJobSpec *spec = vb_job_spec_new(VB_JOB_PULL, "vda");

    spec->bandwidth = SLOW;
    return spec;
}

static void assert_chain(JobsFixture *fixture, const char *expected)
{
    g_autofree char *chain = jobs_live_chain(fixture, "vda");

    g_assert_cmpstr(chain, ==, expected);
}

/* Starts a job, ends the daemon; the id of the job in QEMU. */
static char *start_and_leave(JobsFixture *fixture, VbJobSpec *spec, gboolean ready)
{
    g_autoptr(VbJob) job = jobs_start(fixture, spec);
    char *id = g_strdup(vb_job_info(job)->id);

    if (ready)
        jobs_wait_ready(fixture, job);
    g_clear_pointer(&job, vb_job_unref);
    jobs_stop_host(fixture);
    return id;
}

/* What somebody else does with the job while there is no daemon. */
static void do_meanwhile(JobsFixture *fixture, const char *command, const char *argument,
                         const char *id)
{
    JsonObject *arguments = vb_qmp_args(VB_ARG_STRING(argument, id));

    if (g_str_equal(command, "block-job-set-speed"))
        json_object_set_int_member(arguments, "speed", 0);
    g_autoptr(JsonNode) reply = jobs_monitor(fixture, command, arguments);
}

static void test_running(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autofree char *id = start_and_leave(fixture, slow_pull(), FALSE);
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    g_assert_true(vb_job_is_live(job));
    g_assert_true(vb_domain_live_job(jobs_domain(fixture), "vda") == job);
    g_assert_cmpstr(vb_job_info(job)->id, ==, id);
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    jobs_assert_end(fixture, job, "canceled requested");
}

static void test_completed_meanwhile(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autofree char *id = start_and_leave(fixture, slow_pull(), FALSE);
    do_meanwhile(fixture, "block-job-set-speed", "device", id);
    jobs_await_status(fixture, "concluded");
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    jobs_assert_end(fixture, job, "completed done");
    g_assert_true(vb_job_info(job)->synthesized);
    assert_chain(fixture, "top");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_canceled_by_others(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autofree char *id = start_and_leave(fixture, slow_pull(), FALSE);
    do_meanwhile(fixture, "job-cancel", "id", id);
    jobs_await_status(fixture, "concluded");
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    jobs_assert_end(fixture, job, "canceled external");
    assert_chain(fixture, "top mid base");
}

static void test_vanished_meanwhile(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autofree char *id = start_and_leave(fixture, slow_pull(), FALSE);
    do_meanwhile(fixture, "job-cancel", "id", id);
    jobs_await_status(fixture, "concluded");
    do_meanwhile(fixture, "job-dismiss", "id", id);
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    jobs_assert_end(fixture, job, "failed vanished");
}

/* The cancel was sent, and the daemon is gone before it is through. */
static void test_cancel_pending(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    jobs_set_emulator(fixture, JOBS_EMULATOR_DEBUG_BASE);
    jobs_start_domain(fixture, "top", NULL);
    jobs_hmp(fixture, "qemu-io vb-vda-3-file \"break read_aio A\"");
    g_autoptr(VbJob) before = jobs_start(fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    jobs_cancel(fixture, before, VB_JOB_ASYNC);
    g_assert_true(vb_job_is_live(before));
    g_clear_pointer(&before, vb_job_unref);
    jobs_stop_host(fixture);

    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    g_assert_true(vb_job_is_live(job));
    g_assert_true(vb_job_info(job)->cancel_requested);
    g_clear_pointer(&job, vb_job_unref);
    jobs_stop_host(fixture);

    jobs_hmp(fixture, "qemu-io vb-vda-3-file \"resume A\"");
    jobs_await_status(fixture, "concluded");
    jobs_start_host(fixture);
    job = jobs_find(fixture);
    jobs_assert_end(fixture, job, "canceled requested");
}

static void test_ready_meanwhile(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autofree char *id = start_and_leave(fixture, slow_copy(fixture), FALSE);
    do_meanwhile(fixture, "block-job-set-speed", "device", id);
    jobs_await_status(fixture, "ready");
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    jobs_assert_pivots(fixture, job);
    assert_chain(fixture, "copy");
    g_autofree char *log = jobs_log(fixture, job);
    g_assert_cmpstr(log, ==, "added ready concluded");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "copy");
}

/* Ready is told once in both lives. */
static void test_ready_before(gconstpointer data)
{
    gboolean shallow = GPOINTER_TO_INT(data);
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();
    VbJobSpec *spec;

    jobs_make_chain(fixture);
    jobs_start_domain(fixture, "top", NULL);
    spec = slow_copy(fixture);
    spec->bandwidth = 0;
    spec->shallow = shallow;
    g_autofree char *id = start_and_leave(fixture, spec, TRUE);
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    g_assert_true(vb_job_info(job)->ready);
    jobs_guest_write(fixture, "vda", "write -P 7 64k 64k");
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    jobs_assert_end(fixture, job, "canceled requested");
    g_assert_true(vb_job_info(job)->consistent);
    g_autofree char *log = jobs_log(fixture, job);
    g_assert_cmpstr(log, ==, "added ready concluded");
    assert_chain(fixture, "top mid base");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "copy");
}

static void ignored(GObject *source, GAsyncResult *result, gpointer user_data)
{
}

/* The pivot was asked for; QEMU waits in "pending" for a daemon that went away. */
static void test_pivot_pending(gconstpointer data)
{
    gboolean commit = GPOINTER_TO_INT(data);
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();
    VbJobSpec *spec;

    jobs_make_chain(fixture);
    jobs_start_domain(fixture, "top", NULL);
    if (commit) {
        spec = vb_job_spec_new(VB_JOB_COMMIT, "vda");
        spec->active = TRUE;
    } else {
        spec = slow_copy(fixture);
        spec->bandwidth = 0;
    }
    g_autoptr(VbJob) before = jobs_start(fixture, spec);
    g_autofree char *id = g_strdup(vb_job_info(before)->id);
    jobs_wait_ready(fixture, before);
    jobs_guest_write(fixture, "vda", "write -P 7 64k 64k");
    vb_job_pivot_async(before, VB_JOB_ASYNC, ignored, NULL);
    g_clear_pointer(&before, vb_job_unref);
    jobs_stop_host(fixture);

    /* Whether the command was on its way already is open; it is sent again if not. */
    if (jobs_has_status(fixture, "ready"))
        do_meanwhile(fixture, "job-complete", "id", id);
    jobs_await_status(fixture, "pending");
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    jobs_assert_end(fixture, job, "completed done");
    g_assert_true(vb_job_info(job)->pivoted);
    assert_chain(fixture, commit ? "base" : "copy");
    jobs_guest_write(fixture, "vda", "write -P 8 128k 64k");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, commit ? "base" : "copy");
}

/* Somebody else pivoted it: the root tells. */
static void test_pivoted_meanwhile(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();
    VbJobSpec *spec;

    jobs_make_chain(fixture);
    jobs_start_domain(fixture, "top", NULL);
    spec = slow_copy(fixture);
    spec->bandwidth = 0;
    g_autofree char *id = start_and_leave(fixture, spec, TRUE);
    do_meanwhile(fixture, "job-complete", "id", id);
    jobs_await_status(fixture, "pending");
    do_meanwhile(fixture, "job-finalize", "id", id);
    jobs_await_status(fixture, "concluded");
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    jobs_assert_end(fixture, job, "completed done");
    g_assert_true(vb_job_info(job)->pivoted);
    assert_chain(fixture, "copy");
}

/* A job that somebody else started is shown as it is. */
static void test_external(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();

    jobs_stop_host(fixture);
    /* It also sees to it that QEMU may write there. */
    jobs_run(fixture, "chmod 0666 base mid");
    g_autoptr(JsonNode) reply = jobs_monitor(
        fixture, "block-commit",
        vb_qmp_args(VB_ARG_STRING("job-id", "stranger"), VB_ARG_STRING("device", "vb-vda-1"),
                    VB_ARG_STRING("top-node", "vb-vda-2"), VB_ARG_INT("speed", SLOW),
                    VB_ARG_BOOL("auto-dismiss", FALSE)));
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    const VbJobInfo *info = vb_job_info(job);
    g_assert_true(vb_job_is_live(job));
    g_assert_true(info->external);
    g_assert_cmpstr(info->id, ==, "stranger");
    g_assert_cmpstr(info->disk, ==, "vda");
    g_assert_cmpint(info->type, ==, VB_JOB_COMMIT);
    g_assert_cmpuint(info->bandwidth, ==, SLOW);
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    jobs_assert_end(fixture, job, "canceled requested");
}

/* A target with a chain of its own keeps it over the restart. */
static void test_reuse_chain(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();
    VbJobSpec *spec;

    jobs_make_chain(fixture);
    jobs_run(fixture, "cp mid mid2");
    jobs_run(fixture, "qemu-img create -q -f qcow2 -b mid2 -F qcow2 copy");
    jobs_start_domain(fixture, "top", NULL);
    spec = slow_copy(fixture);
    spec->bandwidth = 0;
    spec->shallow = spec->reuse_external = TRUE;
    g_autofree char *id = start_and_leave(fixture, spec, TRUE);
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    jobs_pivot(fixture, job);
    jobs_assert_end(fixture, job, "completed done");
    assert_chain(fixture, "copy mid2 base");
    /* Its nodes are the right ones, too. */
    g_autoptr(VbJob) pull = jobs_start(fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    jobs_assert_end(fixture, pull, "completed done");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "copy");
}

static void test_qemu_died(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();

    GPid pid = jobs_qemu_pid(fixture);
    g_autofree char *id = start_and_leave(fixture, slow_pull(), FALSE);
    g_assert_no_errno(kill(pid, SIGKILL));
    jobs_start_host(fixture);
    g_autoptr(VbJob) job = jobs_find(fixture);
    jobs_assert_outcome(fixture, job, "failed domain-crashed");
    g_assert_true(vb_job_info(job)->synthesized);
    g_assert_false(vb_domain_is_active(jobs_domain(fixture)));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/jobs/restart/running", test_running);
    g_test_add_func("/qemu/jobs/restart/completed", test_completed_meanwhile);
    g_test_add_func("/qemu/jobs/restart/canceled-by-others", test_canceled_by_others);
    g_test_add_func("/qemu/jobs/restart/vanished", test_vanished_meanwhile);
    g_test_add_func("/qemu/jobs/restart/cancel-pending", test_cancel_pending);
    g_test_add_func("/qemu/jobs/restart/ready-meanwhile", test_ready_meanwhile);
    g_test_add_data_func("/qemu/jobs/restart/ready-before", GINT_TO_POINTER(FALSE),
                         test_ready_before);
    g_test_add_data_func("/qemu/jobs/restart/ready-before-shallow", GINT_TO_POINTER(TRUE),
                         test_ready_before);
    g_test_add_data_func("/qemu/jobs/restart/copy-pending", GINT_TO_POINTER(FALSE),
                         test_pivot_pending);
    g_test_add_data_func("/qemu/jobs/restart/commit-pending", GINT_TO_POINTER(TRUE),
                         test_pivot_pending);
    g_test_add_func("/qemu/jobs/restart/pivoted", test_pivoted_meanwhile);
    g_test_add_func("/qemu/jobs/restart/external", test_external);
    g_test_add_func("/qemu/jobs/restart/reuse-chain", test_reuse_chain);
    g_test_add_func("/qemu/jobs/restart/qemu-died", test_qemu_died);
    return g_test_run();
}
