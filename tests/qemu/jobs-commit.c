/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Commits of a real QEMU: intermediate, active with pivot, cancelled; and what they leave. */
#include "jobs-fixture.h"

#include <string.h>

#define SLOW (256 * 1024)

static VbJobSpec *commit(JobsFixture *fixture, const char *top, const char *base, gboolean active)
{
    VbJobSpec *spec = vb_job_spec_new(VB_JOB_COMMIT, "vda");

    spec->top = top ? jobs_path(fixture, top) : NULL;
    spec->base = base ? jobs_path(fixture, base) : NULL;
    spec->active = active;
    return spec;
}

static void assert_chains(JobsFixture *fixture, const char *live, const char *stored)
{
    g_autofree char *live_chain = jobs_live_chain(fixture, "vda");
    g_autofree char *stored_chain = jobs_stored_chain(fixture, "vda");

    g_assert_cmpstr(live_chain, ==, live);
    g_assert_cmpstr(stored_chain, ==, stored);
}

static void test_intermediate(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, commit(fixture, "mid", "base", FALSE));
    g_assert_cmpint(vb_job_info(job)->type, ==, VB_JOB_COMMIT);
    jobs_assert_end(fixture, job, "completed done");
    assert_chains(fixture, "top base", "top");
    g_assert_true(jobs_exists(fixture, "mid"));
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_delete(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    VbJobSpec *spec = commit(fixture, "mid", NULL, FALSE);
    spec->delete_files = TRUE;
    g_autoptr(VbJob) job = jobs_start(fixture, spec);
    jobs_assert_end(fixture, job, "completed done");
    VB_WAIT_FOR(!jobs_exists(fixture, "mid"));

    /* A commit that is cancelled deletes nothing. */
    VbJobSpec *cancelled = commit(fixture, NULL, NULL, TRUE);
    cancelled->delete_files = TRUE;
    g_autoptr(VbJob) second = jobs_start(fixture, cancelled);
    jobs_wait_ready(fixture, second);
    jobs_cancel(fixture, second, VB_JOB_WAIT);
    jobs_assert_end(fixture, second, "canceled requested");
    g_assert_true(jobs_exists(fixture, "top"));
    g_assert_true(jobs_exists(fixture, "base"));

    VbJobSpec *active = commit(fixture, NULL, NULL, TRUE);
    active->delete_files = TRUE;
    g_autoptr(VbJob) third = jobs_start(fixture, active);
    jobs_assert_pivots(fixture, third);
    VB_WAIT_FOR(!jobs_exists(fixture, "top"));
    assert_chains(fixture, "base", "base");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "base");
}

static void test_relative(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    jobs_run(fixture, "qemu-img rebase -u -b base -F qcow2 mid");
    jobs_run(fixture, "qemu-img rebase -u -b mid -F qcow2 top");
    jobs_start_domain(fixture, "top", NULL);
    VbJobSpec *spec = commit(fixture, "mid", NULL, FALSE);
    spec->keep_relative = TRUE;
    g_autoptr(VbJob) job = jobs_start(fixture, spec);
    jobs_assert_end(fixture, job, "completed done");
    jobs_run(fixture,
             "sh -c 'qemu-img info -U --output=json top | grep \"\\\"backing-filename\\\": "
             "\\\"base\\\"\"'");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_pivot(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, commit(fixture, NULL, "base", TRUE));
    g_assert_cmpint(vb_job_info(job)->type, ==, VB_JOB_ACTIVE_COMMIT);
    jobs_wait_ready(fixture, job);
    jobs_guest_write(fixture, "vda", "write -P 7 64k 64k");
    jobs_pivot(fixture, job);
    g_assert_true(vb_job_info(job)->pivoted);
    jobs_assert_end(fixture, job, "completed done");
    assert_chains(fixture, "base", "base");
    /* The guest can write to its new root. */
    jobs_guest_write(fixture, "vda", "write -P 8 128k 64k");

    g_autofree char *log = jobs_log(fixture, job);
    g_assert_cmpstr(log, ==, "added ready concluded");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "base");
}

/* Into the next image only. */
static void test_shallow(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    VbJobSpec *spec = commit(fixture, NULL, NULL, TRUE);
    spec->shallow = TRUE;
    g_autoptr(VbJob) job = jobs_start(fixture, spec);
    jobs_assert_pivots(fixture, job);
    assert_chains(fixture, "mid base", "mid");
    jobs_guest_write(fixture, "vda", "write -P 8 128k 64k");

    /* What became the root is a good top for the next commit. */
    g_autoptr(VbJob) second = jobs_start(fixture, commit(fixture, NULL, NULL, TRUE));
    jobs_assert_pivots(fixture, second);
    assert_chains(fixture, "base", "base");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "base");
}

static void test_cancel_ready(gconstpointer data)
{
    VbJobFlags flags = GPOINTER_TO_INT(data);
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, commit(fixture, NULL, NULL, TRUE));
    jobs_wait_ready(fixture, job);
    jobs_guest_write(fixture, "vda", "write -P 7 64k 64k");
    jobs_cancel(fixture, job, flags);
    jobs_assert_end(fixture, job, "canceled requested");
    g_assert_false(vb_job_info(job)->pivoted);
    if (!(flags & VB_JOB_FORCE))
        g_assert_true(vb_job_info(job)->consistent);
    assert_chains(fixture, "top mid base", "top");
    jobs_guest_write(fixture, "vda", "write -P 8 128k 64k");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_cancel_early(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    VbJobSpec *spec = commit(fixture, NULL, NULL, TRUE);
    spec->bandwidth = SLOW;
    g_autoptr(VbJob) job = jobs_start(fixture, spec);
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    jobs_assert_end(fixture, job, "canceled requested");

    VbJobSpec *intermediate = commit(fixture, "mid", NULL, FALSE);
    intermediate->bandwidth = SLOW;
    g_autoptr(VbJob) second = jobs_start(fixture, intermediate);
    jobs_cancel(fixture, second, VB_JOB_WAIT);
    jobs_assert_end(fixture, second, "canceled requested");
    assert_chains(fixture, "top mid base", "top");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

/* QEMU itself refuses: what was begun and never was leaves nothing. */
static void test_refused(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();

    jobs_start_refused(fixture, commit(fixture, "mid", "top", FALSE), VB_ERROR_INVALID_ARGS, "top");
    jobs_start_refused(fixture, commit(fixture, NULL, NULL, FALSE), VB_ERROR_INVALID_ARGS,
                       "active");
    VbJobSpec *absolute = commit(fixture, "mid", NULL, FALSE);
    absolute->keep_relative = TRUE;
    jobs_start_refused(fixture, absolute, VB_ERROR_INVALID_ARGS, "relative");
    VbJobSpec *too_fast = commit(fixture, "mid", NULL, FALSE);
    too_fast->bandwidth = G_MAXUINT64;
    jobs_start_refused(fixture, too_fast, VB_ERROR_HYPERVISOR, "QEMU");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/jobs/commit/intermediate", test_intermediate);
    g_test_add_func("/qemu/jobs/commit/delete", test_delete);
    g_test_add_func("/qemu/jobs/commit/relative", test_relative);
    g_test_add_func("/qemu/jobs/commit/pivot", test_pivot);
    g_test_add_func("/qemu/jobs/commit/shallow", test_shallow);
    g_test_add_data_func("/qemu/jobs/commit/cancel-ready", GINT_TO_POINTER(VB_JOB_WAIT),
                         test_cancel_ready);
    g_test_add_data_func("/qemu/jobs/commit/force-ready", GINT_TO_POINTER(VB_JOB_FORCE),
                         test_cancel_ready);
    g_test_add_func("/qemu/jobs/commit/cancel-early", test_cancel_early);
    g_test_add_func("/qemu/jobs/commit/refused", test_refused);
    return g_test_run();
}
