/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thousand jobs of a real QEMU, each cancelled at a random moment before, at and after its end
 * (the seed of g_test names the run): one terminal signal each, and the reply fits it. */
#include "jobs-fixture.h"

#include "error.h"

#include <string.h>

#define JOBS 1000
#define LONGEST_US 6000 /* about twice what such a job takes */

typedef struct {
    VbJob *job;
    VbJobFlags flags;
    gboolean pivot;
    gboolean due;
    GAsyncResult *result;
} Round;

static void answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Round *round = user_data;

    g_assert_null(round->result);
    round->result = g_object_ref(result);
}

static gboolean on_due(gpointer user_data)
{
    Round *round = user_data;

    round->due = TRUE;
    return G_SOURCE_REMOVE;
}

static VbJobSpec *random_spec(JobsFixture *fixture)
{
    VbJobSpec *spec = jobs_spec_target(fixture, g_test_rand_bit() ? VB_JOB_COPY : VB_JOB_BACKUP,
                                       "vda", "target", VB_DISK_FORMAT_RAW);

    spec->reuse_external = TRUE;
    return spec;
}

static void wait_random(Round *round)
{
    g_autoptr(GSource) timer = g_timeout_source_new(0);

    g_source_set_callback(timer, on_due, round, NULL);
    g_source_set_ready_time(timer, g_get_monotonic_time() + g_test_rand_int_range(0, LONGEST_US));
    g_source_attach(timer, NULL);
    VB_WAIT_FOR(round->due);
}

static void check_answer(const Round *round)
{
    const VbJobInfo *info = vb_job_info(round->job);
    g_autoptr(GError) error = NULL;
    gboolean good = vb_job_finish(round->job, round->result, &error);

    if (good) {
        /* An async one was accepted, no more. */
        if (!(round->flags & VB_JOB_ASYNC))
            g_assert_cmpint(info->result, ==, VB_JOB_RESULT_CANCELED);
        return;
    }
    g_assert_error(error, VB_ERROR, VB_ERROR_NO_BLOCK_JOB);
    g_assert_false(vb_job_is_live(round->job));
    g_assert_cmpint(info->result, ==, VB_JOB_RESULT_COMPLETED);
}

static void test_random(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();
    guint results[VB_JOB_RESULT_CANCELED + 1] = {0};

    jobs_run(fixture, "qemu-img create -q -f qcow2 disk 2M");
    jobs_run(fixture, "qemu-io -f qcow2 -c 'write -q -P 1 0 2M' disk");
    jobs_run(fixture, "qemu-img convert -f qcow2 -O raw disk expected");
    jobs_run(fixture, "qemu-img create -q -f raw target 2M");
    jobs_start_domain(fixture, "disk", NULL);
    for (guint i = 0; i < JOBS; i++) {
        Round round = {.flags = g_test_rand_bit() ? VB_JOB_ASYNC : VB_JOB_WAIT};

        if (g_test_rand_bit())
            round.flags |= VB_JOB_FORCE;
        /* When the answer to a cancel came, the disk is free: this may never be Busy. */
        round.job = jobs_start(fixture, random_spec(fixture));
        wait_random(&round);
        vb_job_cancel_async(round.job, round.flags, answered, &round);
        VB_WAIT_FOR(round.result);
        check_answer(&round);
        VB_WAIT_FOR(!vb_job_is_live(round.job));
        results[vb_job_info(round.job)->result]++;
        g_autofree char *log = jobs_log(fixture, round.job);
        g_assert_true(g_str_equal(log, "added concluded") ||
                      g_str_equal(log, "added ready concluded"));
        g_object_unref(round.result);
        vb_job_unref(round.job);
    }
    g_test_message("%u completed, %u canceled", results[VB_JOB_RESULT_COMPLETED],
                   results[VB_JOB_RESULT_CANCELED]);
    g_assert_cmpuint(results[VB_JOB_RESULT_COMPLETED] + results[VB_JOB_RESULT_CANCELED], ==, JOBS);
    g_assert_cmpuint(results[VB_JOB_RESULT_CANCELED], >, 0);
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "disk");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/jobs/random", test_random);
    return g_test_run();
}
