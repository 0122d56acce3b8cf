/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pulls of a real QEMU: whole, to a base, cancelled, paused, failing; and what they leave. */
#include "jobs-fixture.h"

#include "qmp-args.h"

#include <string.h>

/* So slow that it does not end by itself within a test. */
#define SLOW (256 * 1024)

static VbJobSpec *pull(JobsFixture *fixture, const char *base, guint64 bandwidth)
{
    VbJobSpec *spec = vb_job_spec_new(VB_JOB_PULL, "vda");

    spec->base = base ? jobs_path(fixture, base) : NULL;
    spec->bandwidth = bandwidth;
    return spec;
}

static void assert_chain(JobsFixture *fixture, const char *expected)
{
    g_autofree char *chain = jobs_live_chain(fixture, "vda");

    g_assert_cmpstr(chain, ==, expected);
}

/* A rebased image's own word for what is behind it. */
static void assert_recorded(JobsFixture *fixture, const char *image, const char *name)
{
    jobs_run(fixture, "sh -c 'qemu-img info -U --output=json %s | grep -F \"\\\"%s\\\"\"'", image,
             name);
}

static void test_whole(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();

    assert_chain(fixture, "top mid base");
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, 0));
    jobs_assert_end(fixture, job, "completed done");
    assert_chain(fixture, "top");
    jobs_guest_write(fixture, "vda", "write -P 9 1M 64k");
    jobs_destroy_domain(fixture);
    jobs_run(fixture, "rm mid base");
    jobs_assert_content(fixture, "top");
}

static void test_base(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, "base", 0));
    jobs_assert_end(fixture, job, "completed done");
    assert_chain(fixture, "top base");
    /* The disk is as good as any for the next job. */
    g_autoptr(VbJob) second = jobs_start(fixture, pull(fixture, NULL, 0));
    jobs_assert_end(fixture, second, "completed done");
    assert_chain(fixture, "top");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

/* The names in the headers: absolute by default, never QEMU's "json:…"; relative when asked for. */
static void test_names(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();
    g_autofree char *base = jobs_path(fixture, "base");

    jobs_make_chain(fixture);
    jobs_run(fixture, "qemu-img rebase -u -b ./base -F qcow2 mid");
    jobs_run(fixture, "mkdir sub");
    jobs_run(fixture, "qemu-img rebase -u -b ../mid -F qcow2 top");
    jobs_run(fixture, "mv top sub/top");
    jobs_start_domain(fixture, "sub/top", NULL);
    VbJobSpec *spec = pull(fixture, NULL, 0);
    spec->base = g_strdup(vb_domain_def_find_disk(vb_domain_def(jobs_domain(fixture)), "vda", NULL)
                              ->source->backing->backing->path);
    spec->keep_relative = TRUE;
    g_autoptr(VbJob) job = jobs_start(fixture, spec);
    jobs_assert_end(fixture, job, "completed done");
    assert_recorded(fixture, "sub/top", ".././base");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "sub/top");

    jobs_run(fixture, "qemu-img create -q -f qcow2 -b mid -F qcow2 over");
    jobs_start_domain(fixture, "over", NULL);
    g_autoptr(VbJob) second = jobs_start(fixture, pull(fixture, "base", 0));
    jobs_assert_end(fixture, second, "completed done");
    assert_recorded(fixture, "over", base);

    /* There is nothing relative to keep any more. */
    jobs_destroy_domain(fixture);
    jobs_run(fixture, "qemu-img create -q -f qcow2 -b over -F qcow2 over2");
    jobs_start_domain(fixture, "over2", NULL);
    VbJobSpec *absolute = pull(fixture, "base", 0);
    absolute->keep_relative = TRUE;
    jobs_start_refused(fixture, absolute, VB_ERROR_INVALID_ARGS, "over");
}

/* A chain that is deeper than the JSON that we take from a monitor may be. */
static void test_deep(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_run(fixture, "qemu-img create -q -f raw 0 1M");
    jobs_run(fixture, "qemu-img create -q -f qcow2 -u -b 0 -F raw 1 1M");
    jobs_run(fixture, "sh -ec 'for i in $(seq 1 134); do"
                      " qemu-img create -q -f qcow2 -u -b $PWD/$i -F qcow2 $((i + 1)) 1M; done'");
    jobs_run(fixture, "qemu-io -f raw -c 'write -q -P 5 0 1M' 0");
    jobs_run(fixture, "cp 0 expected");
    jobs_start_domain(fixture, "135", NULL);
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, 0));
    jobs_assert_outcome(fixture, job, "completed done");
    assert_chain(fixture, "135");
    /* The next one begins when all those nodes are gone. */
    g_autoptr(VbJob) next = jobs_start(fixture, pull(fixture, NULL, 0));
    jobs_assert_end(fixture, next, "completed done");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "135");
}

static void test_cancel(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, SLOW));
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    /* When the answer comes, the disk is free. */
    g_autoptr(VbJob) second = jobs_start(fixture, pull(fixture, NULL, SLOW));
    jobs_assert_outcome(fixture, job, "canceled requested");
    g_assert_false(vb_job_info(job)->synthesized);
    assert_chain(fixture, "top mid base");
    jobs_cancel(fixture, second, VB_JOB_ASYNC);
    jobs_assert_end(fixture, second, "canceled requested");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_bandwidth(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, SLOW));
    g_assert_cmpuint(vb_job_info(job)->bandwidth, ==, SLOW);
    jobs_set_bandwidth(fixture, job, 0);
    jobs_assert_end(fixture, job, "completed done");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_pause(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, SLOW));
    jobs_set_paused(fixture, job, TRUE);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_PAUSED);
    jobs_set_paused(fixture, job, FALSE);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_RUNNING);
    jobs_set_paused(fixture, job, TRUE);
    /* QEMU refuses to cancel a paused job softly. */
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    jobs_assert_end(fixture, job, "canceled requested");
}

static void test_refused(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();

    jobs_start_refused(fixture, pull(fixture, "nowhere", 0), VB_ERROR_INVALID_ARGS, "nowhere");

    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, SLOW));
    g_autoptr(GPtrArray) specs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_spec_free);
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    jobs_assert_end(fixture, job, "canceled requested");
}

/* The base cannot be read from some place on. */
static void test_io_error(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    jobs_set_emulator(fixture, JOBS_EMULATOR_BLKDEBUG(
                                   "\"inject-error\":[{\"event\":\"read_aio\",\"errno\":5}],"));
    jobs_start_domain(fixture, "top", NULL);
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, 0));
    jobs_assert_end(fixture, job, "failed io-error");
    g_assert_cmpstr(vb_job_info(job)->error_message, ==, "Input/output error");
    assert_chain(fixture, "top mid base");
}

/* QEMU cannot end the job before the read comes back. */
static void test_slow_cancel(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    jobs_set_emulator(fixture, JOBS_EMULATOR_DEBUG_BASE);
    jobs_start_domain(fixture, "top", NULL);
    jobs_hmp(fixture, "qemu-io vb-vda-3-file \"break read_aio A\"");
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, 0));
    jobs_cancel(fixture, job, VB_JOB_ASYNC);
    g_assert_true(vb_job_is_live(job));
    g_assert_true(vb_job_info(job)->cancel_requested);
    /* The monitor answers meanwhile. */
    g_autofree char *nodes = jobs_nodes(fixture, "vda");
    g_assert_true(vb_job_is_live(job));
    jobs_hmp(fixture, "qemu-io vb-vda-3-file \"resume A\"");
    jobs_assert_end(fixture, job, "canceled requested");
    g_assert_false(vb_job_info(job)->synthesized);
}

/* With a cancel that cannot end, Destroy ends all. */
static void test_destroy(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, pull(fixture, NULL, SLOW));
    jobs_destroy_domain(fixture);
    g_assert_false(vb_job_is_live(job));
    g_assert_cmpint(vb_job_info(job)->result, ==, VB_JOB_RESULT_CANCELED);
    g_assert_cmpint(vb_job_info(job)->reason, ==, VB_JOB_REASON_DOMAIN_STOPPED);
    g_autofree char *log = jobs_log(fixture, job);
    g_assert_cmpstr(log, ==, "added concluded");
    jobs_assert_content(fixture, "top");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/jobs/pull/whole", test_whole);
    g_test_add_func("/qemu/jobs/pull/base", test_base);
    g_test_add_func("/qemu/jobs/pull/names", test_names);
    g_test_add_func("/qemu/jobs/pull/deep", test_deep);
    g_test_add_func("/qemu/jobs/pull/cancel", test_cancel);
    g_test_add_func("/qemu/jobs/pull/bandwidth", test_bandwidth);
    g_test_add_func("/qemu/jobs/pull/pause", test_pause);
    g_test_add_func("/qemu/jobs/pull/refused", test_refused);
    g_test_add_func("/qemu/jobs/pull/io-error", test_io_error);
    g_test_add_func("/qemu/jobs/pull/slow-cancel", test_slow_cancel);
    g_test_add_func("/qemu/jobs/pull/destroy", test_destroy);
    return g_test_run();
}
