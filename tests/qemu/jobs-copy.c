/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Copies of a real QEMU: pivoted, cancelled, failing; full and shallow, to new and to existing
 * images. */
#include "jobs-fixture.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>

#define SLOW (256 * 1024)

static VbJobSpec *copy(JobsFixture *fixture, const char *target, VbDiskFormat format)
{
    return jobs_spec_target(fixture, VB_JOB_COPY, "vda", target, format);
}

/* The stored definition names the same image; it need not tell what is behind it. */
static void assert_chains(JobsFixture *fixture, const char *live, const char *stored)
{
    g_autofree char *live_chain = jobs_live_chain(fixture, "vda");
    g_autofree char *stored_chain = jobs_stored_chain(fixture, "vda");
    g_auto(GStrv) stored_images = g_strsplit(stored_chain, " ", -1);

    g_assert_cmpstr(live_chain, ==, live);
    g_assert_cmpstr(stored_images[0], ==, stored);
}

/* From a ready copy to the guest's own image; the guest writes before and after. */
static void pivot_and_check(JobsFixture *fixture, VbJobSpec *spec, const char *live,
                            const char *target)
{
    g_autoptr(VbJob) job = jobs_start(fixture, spec);

    jobs_wait_ready(fixture, job);
    jobs_guest_write(fixture, "vda", "write -P 7 64k 64k");
    jobs_pivot(fixture, job);
    g_assert_true(vb_job_info(job)->pivoted);
    g_assert_true(vb_job_info(job)->consistent);
    jobs_assert_end(fixture, job, "completed done");
    assert_chains(fixture, live, target);
    jobs_guest_write(fixture, "vda", "write -P 8 128k 64k");
    g_autofree char *log = jobs_log(fixture, job);
    g_assert_cmpstr(log, ==, "added ready concluded");
}

static void test_full(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();

    pivot_and_check(fixture, copy(fixture, "copy", VB_DISK_FORMAT_DEFAULT), "copy", "copy");
    jobs_destroy_domain(fixture);
    jobs_run(fixture, "rm top mid base");
    jobs_assert_content(fixture, "copy");
    /* The stored definition leads to it. */
    jobs_start_domain(fixture, "copy", NULL);
}

/* The root is asked of the device, whatever its bus is. */
static void test_bus(gconstpointer data)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    jobs_set_bus(fixture, data);
    jobs_start_domain(fixture, "top", NULL);
    g_autoptr(VbJob) canceled = jobs_start(
        fixture, jobs_spec_target(fixture, VB_JOB_COPY, "sda", "copy", VB_DISK_FORMAT_DEFAULT));
    jobs_wait_ready(fixture, canceled);
    jobs_cancel(fixture, canceled, VB_JOB_WAIT);
    jobs_assert_end(fixture, canceled, "canceled requested");
    g_autoptr(VbJob) job = jobs_start(
        fixture, jobs_spec_target(fixture, VB_JOB_COPY, "sda", "copy2", VB_DISK_FORMAT_DEFAULT));
    jobs_assert_pivots(fixture, job);
    jobs_guest_write(fixture, "sda", "write -P 8 128k 64k");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "copy2");
}

static void test_raw(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    VbJobSpec *spec = copy(fixture, "copy", VB_DISK_FORMAT_RAW);
    spec->synchronous_writes = TRUE;
    spec->granularity = 65536;
    spec->buffer_size = 1024 * 1024;
    pivot_and_check(fixture, spec, "copy", "copy");
    jobs_destroy_domain(fixture);
    jobs_run(fixture, "cmp copy expected");
}

static void test_shallow(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    VbJobSpec *spec = copy(fixture, "copy", VB_DISK_FORMAT_DEFAULT);
    spec->shallow = TRUE;
    pivot_and_check(fixture, spec, "copy mid base", "copy");

    /* And from there on, over the images that were kept. */
    VbJobSpec *again = copy(fixture, "copy2", VB_DISK_FORMAT_DEFAULT);
    again->shallow = TRUE;
    pivot_and_check(fixture, again, "copy2 mid base", "copy2");
    g_autoptr(VbJob) pull = jobs_start(fixture, vb_job_spec_new(VB_JOB_PULL, "vda"));
    jobs_assert_end(fixture, pull, "completed done");
    assert_chains(fixture, "copy2", "copy2");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "copy2");
}

/* A target that is there already, with a chain of its own. */
static void test_reuse(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    jobs_run(fixture, "cp mid mid2");
    jobs_run(fixture, "qemu-img create -q -f qcow2 -b mid2 -F qcow2 copy");
    jobs_start_domain(fixture, "top", NULL);
    VbJobSpec *spec = copy(fixture, "copy", VB_DISK_FORMAT_QCOW2);
    spec->shallow = spec->reuse_external = TRUE;
    pivot_and_check(fixture, spec, "copy mid2 base", "copy");
    jobs_destroy_domain(fixture);
    jobs_run(fixture, "rm top mid");
    jobs_assert_content(fixture, "copy");
}

static void test_reuse_raw(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    jobs_run(fixture, "qemu-img create -q -f raw copy 16M");
    jobs_run(fixture, "qemu-io -f raw -c 'write -q -P 99 0 16M' copy");
    jobs_start_domain(fixture, "top", NULL);
    VbJobSpec *spec = copy(fixture, "copy", VB_DISK_FORMAT_RAW);
    spec->reuse_external = TRUE;
    pivot_and_check(fixture, spec, "copy", "copy");
    jobs_destroy_domain(fixture);
    jobs_run(fixture, "cmp copy expected");
}

/* The soft cancel of a ready copy leaves a consistent one, as the disk was at that moment. */
static void test_cancel_ready(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, copy(fixture, "copy", VB_DISK_FORMAT_DEFAULT));
    jobs_wait_ready(fixture, job);
    jobs_guest_write(fixture, "vda", "write -P 7 64k 64k");
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    jobs_assert_end(fixture, job, "canceled requested");
    g_assert_true(vb_job_info(job)->consistent);
    g_assert_false(vb_job_info(job)->pivoted);
    assert_chains(fixture, "top mid base", "top");
    jobs_assert_content(fixture, "copy");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_force_ready(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    g_autoptr(VbJob) job = jobs_start(fixture, copy(fixture, "copy", VB_DISK_FORMAT_DEFAULT));
    jobs_wait_ready(fixture, job);
    jobs_cancel(fixture, job, VB_JOB_FORCE);
    jobs_assert_end(fixture, job, "canceled requested");
    g_assert_false(vb_job_info(job)->consistent);
    assert_chains(fixture, "top mid base", "top");
}

static void test_cancel_early(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_running();
    VbJobSpec *spec = copy(fixture, "copy", VB_DISK_FORMAT_DEFAULT);
    spec->bandwidth = SLOW;
    g_autoptr(VbJob) job = jobs_start(fixture, spec);
    jobs_cancel(fixture, job, VB_JOB_WAIT);
    jobs_assert_end(fixture, job, "canceled requested");
    g_assert_false(vb_job_info(job)->consistent);

    /* A paused one, too: QEMU refuses its soft cancel. */
    spec = copy(fixture, "copy2", VB_DISK_FORMAT_DEFAULT);
    g_autoptr(VbJob) second = jobs_start(fixture, spec);
    jobs_wait_ready(fixture, second);
    jobs_set_paused(fixture, second, TRUE);
    jobs_cancel(fixture, second, VB_JOB_WAIT);
    jobs_assert_end(fixture, second, "canceled requested");
    assert_chains(fixture, "top mid base", "top");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_refused(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();
    g_autofree char *target = jobs_path(fixture, "there");
    g_autofree char *contents = NULL;

    jobs_make_chain(fixture);
    jobs_start_domain(fixture, "top", NULL);
    g_assert_true(g_file_set_contents(target, "precious", -1, NULL));
    jobs_start_refused(fixture, copy(fixture, "there", VB_DISK_FORMAT_DEFAULT),
                       VB_ERROR_INVALID_ARGS, target);
    g_assert_true(g_file_get_contents(target, &contents, NULL, NULL));
    g_assert_cmpstr(contents, ==, "precious");

    /* An image of the chain itself; no directory; no image; nothing at all. */
    jobs_start_refused(fixture, copy(fixture, "mid", VB_DISK_FORMAT_DEFAULT), VB_ERROR_INVALID_ARGS,
                       "mid");
    jobs_start_refused(fixture, copy(fixture, "no/where", VB_DISK_FORMAT_DEFAULT), VB_ERROR_FAILED,
                       "no/where");
    VbJobSpec *spec = copy(fixture, "there", VB_DISK_FORMAT_QCOW2);
    spec->reuse_external = TRUE;
    jobs_start_refused(fixture, spec, VB_ERROR_FAILED, "there");
    spec = copy(fixture, "nothing", VB_DISK_FORMAT_QCOW2);
    spec->reuse_external = TRUE;
    jobs_start_refused(fixture, spec, VB_ERROR_FAILED, "nothing");

    /* A raw image has no backing image. */
    spec = copy(fixture, "raw", VB_DISK_FORMAT_RAW);
    spec->shallow = TRUE;
    jobs_start_refused(fixture, spec, VB_ERROR_INVALID_ARGS, "raw");
    g_assert_false(jobs_exists(fixture, "raw"));

    /* What QEMU refuses at the very end is undone: the nodes, and the file that we made. */
    spec = copy(fixture, "new", VB_DISK_FORMAT_QCOW2);
    spec->granularity = 3;
    jobs_start_refused(fixture, spec, VB_ERROR_HYPERVISOR, "granularity");
    g_assert_false(jobs_exists(fixture, "new"));
    /* A file that was there stays. */
    jobs_run(fixture, "touch empty");
    spec = copy(fixture, "empty", VB_DISK_FORMAT_QCOW2);
    spec->granularity = 3;
    jobs_start_refused(fixture, spec, VB_ERROR_HYPERVISOR, "granularity");
    g_assert_true(jobs_exists(fixture, "empty"));

    /* After all that the disk is as it was. */
    pivot_and_check(fixture, copy(fixture, "copy", VB_DISK_FORMAT_DEFAULT), "copy", "copy");
}

static void answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    *(GAsyncResult **)user_data = g_object_ref(result);
}

/* Destroy ends a start, too: here one that waits for what its target says of itself. */
static void test_start_destroyed(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();
    g_autoptr(GPtrArray) specs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_spec_free);
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    jobs_make_chain(fixture);
    jobs_start_domain(fixture, "top", NULL);
    /* Nobody takes a connection from this server. */
    g_autofree char *path = jobs_path(fixture, "nbd.sock");
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocketListener) server = g_socket_listener_new();
    g_socket_listener_add_address(server, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
                                  NULL, NULL, &error);
    g_assert_no_error(error);
    VbJobSpec *spec = vb_job_spec_new(VB_JOB_COPY, "vda");
    spec->target = vb_disk_source_new(VB_DISK_SOURCE_NETWORK, VB_DISK_FORMAT_QCOW2);
    spec->target->transport = VB_NBD_TRANSPORT_UNIX;
    spec->target->socket = g_strdup(path);
    spec->reuse_external = TRUE;
    g_ptr_array_add(specs, spec);
    vb_jobs_start_async(jobs_domain(fixture), g_steal_pointer(&specs), 0, answered, &result);
    /* It asks QEMU for the nodes twice before. */
    for (guint i = 0; i < 4; i++)
        g_free(jobs_nodes(fixture, "vda"));
    g_assert_null(result);
    gint64 begin = g_get_monotonic_time();
    jobs_destroy_domain(fixture);
    VB_WAIT_FOR(result);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
    g_assert_null(vb_jobs_start_finish(jobs_domain(fixture), result, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
    g_assert_cmpuint(vb_domain_jobs(jobs_domain(fixture))->len, ==, 0);
}

/* A target that cannot take all of it. */
static void test_no_space(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    jobs_make_chain(fixture);
    /* QEMU's own files may not grow beyond 4 MiB (in blocks of 512 bytes). */
    jobs_set_emulator(fixture,
                      "case \"$*\" in *'\"-machine\" \"none\"'*) ;; *) ulimit -f 8192 ;; esac\n"
                      "trap '' XFSZ\n"
                      "exec qemu-system-x86_64 \"$@\"\n");
    jobs_start_domain(fixture, "top", NULL);
    g_autoptr(VbJob) job = jobs_start(fixture, copy(fixture, "copy", VB_DISK_FORMAT_DEFAULT));
    jobs_assert_end(fixture, job, "failed io-error");
    g_assert_cmpstr(vb_job_info(job)->error_message, !=, "");
    assert_chains(fixture, "top mid base", "top");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/jobs/copy/full", test_full);
    g_test_add_data_func("/qemu/jobs/copy/sata", "sata", test_bus);
    g_test_add_data_func("/qemu/jobs/copy/scsi", "scsi", test_bus);
    g_test_add_func("/qemu/jobs/copy/raw", test_raw);
    g_test_add_func("/qemu/jobs/copy/shallow", test_shallow);
    g_test_add_func("/qemu/jobs/copy/reuse", test_reuse);
    g_test_add_func("/qemu/jobs/copy/reuse-raw", test_reuse_raw);
    g_test_add_func("/qemu/jobs/copy/cancel-ready", test_cancel_ready);
    g_test_add_func("/qemu/jobs/copy/force-ready", test_force_ready);
    g_test_add_func("/qemu/jobs/copy/cancel-early", test_cancel_early);
    g_test_add_func("/qemu/jobs/copy/refused", test_refused);
    g_test_add_func("/qemu/jobs/copy/start-destroyed", test_start_destroyed);
    g_test_add_func("/qemu/jobs/copy/no-space", test_no_space);
    return g_test_run();
}
