/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver against recorded and invented exchanges with a QEMU: what no installed one does. The
 * emulator is fake-qemu, which plays a transcript of tests/data/qemu-7.2. */
#include "jobs-fixture.h"

#include "error.h"

#include <signal.h>
#include <string.h>

/* A copy in the fixture's directory: its QEMU's user may not reach where we were built. */
static char *lend(JobsFixture *fixture, const char *path, const char *name)
{
    char *copy = jobs_path(fixture, name);
    g_autofree char *contents = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;

    g_file_get_contents(path, &contents, &length, &error);
    g_assert_no_error(error);
    g_file_set_contents_full(copy, contents, (gssize)length, G_FILE_SET_CONTENTS_NONE, 0755,
                             &error);
    g_assert_no_error(error);
    return copy;
}

/* Makes a domain of a transcript. With `hold` it stops at each pause of the recording until
 * replay_continue(). `answers` are fixed ones for commands that are not recorded, or NULL. */
static JobsFixture *replay_new(const char *transcript, gboolean hold, const char *answers)
{
    JobsFixture *fixture = jobs_fixture_new();
    g_autofree char *file = jobs_path(fixture, "answers");
    g_autofree char *source = g_strdup_printf("%s/%s.txt", VB_TEST_TRANSCRIPTS, transcript);
    g_autofree char *script = lend(fixture, source, "transcript");
    g_autofree char *program = lend(fixture, VB_TEST_FAKE_QEMU, "fake-qemu");
    g_autofree char *body = NULL;

    g_assert_true(g_file_set_contents(file, answers ? answers : "{}", -1, NULL));
    body = g_strdup_printf("export FAKE_QEMU_SCRIPT='%s'\n"
                           "export FAKE_QEMU_ANSWERS='%s'\n"
                           "%s"
                           "exec '%s' \"$@\"\n",
                           script, file, hold ? "export FAKE_QEMU_HOLD=1\n" : "", program);
    jobs_set_emulator(fixture, body);
    jobs_make_chain(fixture);
    jobs_start_domain(fixture, "top", NULL);
    return fixture;
}

static void replay_continue(JobsFixture *fixture)
{
    g_assert_no_errno(kill(jobs_qemu_pid(fixture), SIGUSR1));
}

static void answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    *(GAsyncResult **)user_data = g_object_ref(result);
}

/* What `result` says: 0, or the code of its error. */
static int answer_code(VbJob *job, GAsyncResult *result)
{
    g_autoptr(GError) error = NULL;

    if (vb_job_finish(job, result, &error))
        return -1;
    g_assert_cmpint(error->domain, ==, VB_ERROR);
    g_test_message("%s", error->message);
    return error->code;
}

static gboolean has_concluded(JobsFixture *fixture, VbJob *job)
{
    g_autofree char *log = jobs_log(fixture, job);

    return strstr(log, "concluded") != NULL;
}

/* ---- a cancel, and what becomes of it ------------------------------------------------------- */

typedef struct {
    const char *transcript;
    int answer; /* to a caller who waits: -1 success, else the code */
    const char *outcome;
    gboolean synthesized;
} Cancel;

static const Cancel cancels[] = {
    {"fake-async", -1, "canceled requested", FALSE},
    {"fake-sync-event", -1, "canceled requested", FALSE},
    {"fake-dup", -1, "canceled requested", FALSE},
    {"fake-sync-noevent", -1, "canceled vanished", TRUE},
    {"fake-async-lost", -1, "canceled vanished", TRUE},
    {"fake-loses-race", VB_ERROR_NO_BLOCK_JOB, "completed done", FALSE},
    {"fake-die-before-reply", -1, "canceled domain-crashed", TRUE},
    {"fake-die-after-reply", -1, "canceled domain-crashed", TRUE},
    {"stream-cancel-early-job-cancel-manualdismiss", -1, "canceled requested", FALSE},
    {"cancel-then-inflight-eio", -1, "canceled requested", FALSE},
};

static void test_cancel(const Cancel *cancel, VbJobFlags flags)
{
    g_autoptr(JobsFixture) fixture = replay_new(cancel->transcript, FALSE, NULL);
    g_autoptr(VbJob) job = jobs_start(fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    g_autoptr(GAsyncResult) result = NULL;

    vb_job_cancel_async(job, flags, answered, &result);
    VB_WAIT_FOR(result);
    int code = answer_code(job, result);
    if (flags & VB_JOB_ASYNC) {
        /* Accepted; or refused, where that was known in time. */
        g_assert_true(code == -1 || code == cancel->answer);
    } else {
        g_assert_cmpint(code, ==, cancel->answer);
        g_assert_true(has_concluded(fixture, job)); /* the signal, then the reply */
    }
    jobs_assert_outcome(fixture, job, cancel->outcome);
    g_assert_cmpint(vb_job_info(job)->synthesized, ==, cancel->synthesized);
}

static void test_cancel_wait(gconstpointer data)
{
    test_cancel(data, VB_JOB_WAIT);
}

static void test_cancel_async(gconstpointer data)
{
    test_cancel(data, VB_JOB_ASYNC);
}

/* ---- one by one ----------------------------------------------------------------------------- */

/* Between the acceptance and the report nothing is known but that it was asked for. */
static void test_held(void)
{
    g_autoptr(JobsFixture) fixture = replay_new("fake-async", TRUE, NULL);
    g_autoptr(VbJob) job = jobs_start(fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    g_autoptr(GAsyncResult) waiting = NULL;
    g_autoptr(GAsyncResult) second = NULL;

    vb_job_cancel_async(job, VB_JOB_WAIT, answered, &waiting);
    vb_job_cancel_async(job, VB_JOB_WAIT, answered, &second);
    VB_WAIT_FOR(second);
    g_assert_cmpint(answer_code(job, second), ==, VB_ERROR_BLOCK_JOB_ENDING);
    g_assert_null(waiting);
    g_assert_true(vb_job_is_live(job));
    g_assert_true(vb_job_info(job)->cancel_requested);
    replay_continue(fixture);
    VB_WAIT_FOR(waiting);
    g_assert_cmpint(answer_code(job, waiting), ==, -1);
    jobs_assert_outcome(fixture, job, "canceled requested");
}

/* It was accepted, and nothing ever comes of it. */
static void test_never(void)
{
    g_autoptr(JobsFixture) fixture = replay_new("fake-async", TRUE, NULL);
    g_autoptr(VbJob) job = jobs_start(fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    g_autoptr(GAsyncResult) waiting = NULL;

    vb_job_cancel_async(job, VB_JOB_WAIT, answered, &waiting);
    jobs_destroy_domain(fixture);
    jobs_assert_outcome(fixture, job, "canceled domain-stopped");
    VB_WAIT_FOR(waiting);
    g_assert_cmpint(answer_code(job, waiting), ==, -1);
}

static void test_ends(gconstpointer data)
{
    const Cancel *end = data;
    g_autoptr(JobsFixture) fixture = replay_new(end->transcript, FALSE, NULL);
    g_autoptr(VbJob) job = jobs_start(fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));

    jobs_assert_outcome(fixture, job, end->outcome);
    g_assert_cmpint(vb_job_info(job)->synthesized, ==, end->synthesized);
}

static const Cancel ends[] = {
    {"stream-complete", 0, "completed done", FALSE},
    {"stream-eio-report", 0, "failed io-error", FALSE},
};

/* After job-complete an accepted soft cancel may still pivot, and a soft cancel ends just like a
 * pivot: only the root tells. */
static void test_soft_cancel(gconstpointer data)
{
    gboolean pivots = GPOINTER_TO_INT(data);
    g_autofree char *answers =
        g_strdup_printf("{\"qom-get\":\"%s\"}", pivots ? "vb-vda-4" : "vb-vda-1");
    g_autoptr(JobsFixture) fixture = replay_new("mirror-ready-cancel-soft", FALSE, answers);
    g_autoptr(VbJob) job = jobs_start(
        fixture, jobs_spec_target(fixture, VB_JOB_COPY, "vda", "copy", VB_DISK_FORMAT_DEFAULT));
    g_autoptr(GAsyncResult) result = NULL;

    jobs_wait_ready(fixture, job);
    g_assert_cmpuint(vb_job_spec(job)->target->index, ==, 4);
    vb_job_cancel_async(job, VB_JOB_WAIT, answered, &result);
    VB_WAIT_FOR(result);
    g_assert_cmpint(answer_code(job, result), ==, pivots ? VB_ERROR_NO_BLOCK_JOB : -1);
    jobs_assert_outcome(fixture, job, pivots ? "completed done" : "canceled requested");
    g_assert_cmpint(vb_job_info(job)->pivoted, ==, pivots);
    g_assert_true(vb_job_info(job)->consistent);
}

static void add_cancels(const char *name, GTestDataFunc function)
{
    for (guint i = 0; i < G_N_ELEMENTS(cancels); i++) {
        g_autofree char *path =
            g_strdup_printf("/qemu/jobs/replay/%s/%s", name, cancels[i].transcript);
        g_test_add_data_func(path, &cancels[i], function);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_cancels("wait", test_cancel_wait);
    add_cancels("async", test_cancel_async);
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autofree char *path = g_strdup_printf("/qemu/jobs/replay/end/%s", ends[i].transcript);
        g_test_add_data_func(path, &ends[i], test_ends);
    }
    g_test_add_func("/qemu/jobs/replay/held", test_held);
    g_test_add_func("/qemu/jobs/replay/never", test_never);
    g_test_add_data_func("/qemu/jobs/replay/soft-cancel", GINT_TO_POINTER(FALSE), test_soft_cancel);
    g_test_add_data_func("/qemu/jobs/replay/soft-pivots", GINT_TO_POINTER(TRUE), test_soft_cancel);
    return g_test_run();
}
