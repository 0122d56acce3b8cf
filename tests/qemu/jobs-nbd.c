/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Jobs over NBD, where the other end may stop or die: nbdkit plays it. */
#include "jobs-fixture.h"

#include "error.h"

#include <signal.h>
#include <string.h>

typedef struct {
    JobsFixture *fixture;
    GSubprocess *server;
    char *socket;
} Nbd;

/* A fixture with its chain and an nbdkit of 16 MiB; that dies with the test, whatever ends it. */
static void set_up(Nbd *nbd, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    nbd->fixture = jobs_fixture_new();
    jobs_make_chain(nbd->fixture);
    g_autofree char *dir = jobs_path(nbd->fixture, ".");
    g_autofree char *pid_file = jobs_path(nbd->fixture, "nbd.pid");
    g_autofree char *file = g_strconcat("file=", dir, "/expected-nbd", NULL);
    nbd->socket = jobs_path(nbd->fixture, "nbd");
    jobs_run(nbd->fixture, "cp expected expected-nbd");

    g_autoptr(GFile) directory = g_file_new_for_path(dir);
    g_autoptr(GFileMonitor) monitor =
        g_file_monitor_directory(directory, G_FILE_MONITOR_NONE, NULL, &error);
    g_assert_no_error(error);
    nbd->server = g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, &error, "nbdkit", "--foreground",
                                   "--exit-with-parent", "--unix", nbd->socket, "--pidfile",
                                   pid_file, "file", file, NULL);
    g_assert_no_error(error);
    /* It is written once the socket is listened on; the monitor ends the turn. */
    VB_WAIT_FOR(jobs_exists(nbd->fixture, "nbd.pid"));
}

static void tear_down(Nbd *nbd, gconstpointer data)
{
    g_subprocess_send_signal(nbd->server, SIGKILL);
    g_subprocess_wait(nbd->server, NULL, NULL);
    jobs_fixture_free(nbd->fixture);
    g_object_unref(nbd->server);
    g_free(nbd->socket);
}

/* A domain whose only disk is an overlay over the NBD export. */
static void start_over_nbd(Nbd *nbd)
{
    jobs_run(nbd->fixture,
             "qemu-img create -q -f qcow2 -b 'nbd+unix:///?socket=%s' -F raw over 16M",
             nbd->socket);
    jobs_start_domain(nbd->fixture, "over", NULL);
}

static VbJobSpec *copy_to_nbd(Nbd *nbd)
{
    VbJobSpec *spec = vb_job_spec_new(VB_JOB_COPY, "vda");

    spec->target = vb_disk_source_new(VB_DISK_SOURCE_NETWORK, VB_DISK_FORMAT_RAW);
    spec->target->transport = VB_NBD_TRANSPORT_UNIX;
    spec->target->socket = g_strdup(nbd->socket);
    return spec;
}

static void test_pull(Nbd *nbd, gconstpointer data)
{
    start_over_nbd(nbd);
    g_autofree char *chain = jobs_live_chain(nbd->fixture, "vda");
    g_autofree char *expected = g_strdup_printf("over nbd+unix:///?socket=%s", nbd->socket);
    g_assert_cmpstr(chain, ==, expected);
    g_autoptr(VbJob) job = jobs_start(nbd->fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    jobs_assert_end(nbd->fixture, job, "completed done");
    jobs_destroy_domain(nbd->fixture);
    jobs_assert_content(nbd->fixture, "over");
}

static void test_copy(Nbd *nbd, gconstpointer data)
{
    jobs_run(nbd->fixture, "qemu-io -f raw -c 'write -q -P 99 0 16M' expected-nbd");
    jobs_start_domain(nbd->fixture, "top", NULL);
    g_autoptr(VbJob) job = jobs_start(nbd->fixture, copy_to_nbd(nbd));
    jobs_wait_ready(nbd->fixture, job);
    jobs_guest_write(nbd->fixture, "vda", "write -P 7 64k 64k");
    jobs_pivot(nbd->fixture, job);
    jobs_assert_end(nbd->fixture, job, "completed done");
    jobs_guest_write(nbd->fixture, "vda", "write -P 8 128k 64k");
    jobs_destroy_domain(nbd->fixture);
    jobs_run(nbd->fixture, "cmp expected-nbd expected");
}

/* The read does not come back: QEMU cannot end the job, and nobody has to wait for that. */
static void test_stopped(Nbd *nbd, gconstpointer data)
{
    start_over_nbd(nbd);
    g_subprocess_send_signal(nbd->server, SIGSTOP);
    g_autoptr(VbJob) job = jobs_start(nbd->fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    jobs_await_io(nbd->fixture);
    jobs_cancel(nbd->fixture, job, VB_JOB_ASYNC);
    g_assert_true(vb_job_is_live(job));
    g_assert_true(vb_job_info(job)->cancel_requested);
    g_subprocess_send_signal(nbd->server, SIGCONT);
    jobs_assert_end(nbd->fixture, job, "canceled requested");
    g_assert_false(vb_job_info(job)->synthesized);
}

/* And Destroy ends it all the same. */
static void test_destroy(Nbd *nbd, gconstpointer data)
{
    start_over_nbd(nbd);
    g_subprocess_send_signal(nbd->server, SIGSTOP);
    g_autoptr(VbJob) job = jobs_start(nbd->fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    jobs_await_io(nbd->fixture);
    jobs_cancel(nbd->fixture, job, VB_JOB_ASYNC);
    gint64 begin = g_get_monotonic_time();
    jobs_destroy_domain(nbd->fixture);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
    jobs_assert_outcome(nbd->fixture, job, "canceled domain-stopped");
}

static void ignored(GObject *source, GAsyncResult *result, gpointer user_data)
{
}

/* A soft cancel has to wait for the guest's last writes; forced, it does not. */
static void test_escalate(Nbd *nbd, gconstpointer data)
{
    jobs_start_domain(nbd->fixture, "top", NULL);
    g_autoptr(VbJob) job = jobs_start(nbd->fixture, copy_to_nbd(nbd));
    jobs_wait_ready(nbd->fixture, job);
    g_subprocess_send_signal(nbd->server, SIGSTOP);
    jobs_guest_write(nbd->fixture, "vda", "write -P 7 64k 64k");
    vb_job_cancel_async(job, VB_JOB_WAIT, ignored, NULL);
    jobs_cancel(nbd->fixture, job, VB_JOB_ASYNC | VB_JOB_FORCE);
    g_assert_true(vb_job_is_live(job));
    g_subprocess_send_signal(nbd->server, SIGCONT);
    jobs_assert_end(nbd->fixture, job, "canceled requested");
    g_assert_false(vb_job_info(job)->consistent);
    g_assert_false(vb_job_info(job)->pivoted);
}

static void test_died(Nbd *nbd, gconstpointer data)
{
    jobs_start_domain(nbd->fixture, "top", NULL);
    g_autoptr(VbJob) job = jobs_start(nbd->fixture, copy_to_nbd(nbd));
    jobs_wait_ready(nbd->fixture, job);
    g_subprocess_send_signal(nbd->server, SIGKILL);
    jobs_guest_write(nbd->fixture, "vda", "write -P 7 64k 64k");
    jobs_assert_end(nbd->fixture, job, "failed io-error");
    g_autofree char *chain = jobs_live_chain(nbd->fixture, "vda");
    g_assert_cmpstr(chain, ==, "top mid base");
    jobs_guest_write(nbd->fixture, "vda", "write -P 8 128k 64k");
    jobs_destroy_domain(nbd->fixture);
    jobs_assert_content(nbd->fixture, "top");
}

#define ADD(name, function)                                                                        \
    g_test_add("/qemu/jobs/nbd/" name, Nbd, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("pull", test_pull);
    ADD("copy", test_copy);
    ADD("stopped", test_stopped);
    ADD("destroy", test_destroy);
    ADD("escalate", test_escalate);
    ADD("died", test_died);
    return g_test_run();
}
