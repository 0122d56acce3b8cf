/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backups of a real QEMU: a point in time, of one disk or of several at once, all or none. */
#include "jobs-fixture.h"

#include <string.h>

#define SLOW (256 * 1024)

static VbJobSpec *backup(JobsFixture *fixture, const char *disk, const char *target,
                         guint64 bandwidth)
{
    VbJobSpec *spec = jobs_spec_target(fixture, VB_JOB_BACKUP, disk, target, VB_DISK_FORMAT_QCOW2);

    spec->bandwidth = bandwidth;
    return spec;
}

static GPtrArray *two(VbJobSpec *first, VbJobSpec *second)
{
    GPtrArray *specs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_spec_free);

    g_ptr_array_add(specs, first);
    g_ptr_array_add(specs, second);
    return specs;
}

static void make_disks(JobsFixture *fixture)
{
    jobs_make_chain(fixture);
    jobs_run(fixture, "qemu-img create -q -f qcow2 second 8M");
    jobs_run(fixture, "qemu-io -f qcow2 -c 'write -q -P 5 0 8M' second");
    jobs_start_domain(fixture, "top", "second", NULL);
}

/* What the guest writes after the start is not in it. */
static void test_point_in_time(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    make_disks(fixture);
    jobs_run(fixture, "cp expected then");
    g_autoptr(VbJob) job = jobs_start(fixture, backup(fixture, "vda", "backup", SLOW));
    jobs_guest_write(fixture, "vda", "write -P 9 0 1M");
    jobs_set_bandwidth(fixture, job, 0);
    jobs_assert_end(fixture, job, "completed done");
    g_autofree char *chain = jobs_live_chain(fixture, "vda");
    g_assert_cmpstr(chain, ==, "top mid base");
    jobs_run(fixture, "qemu-img compare -q backup then");
    jobs_destroy_domain(fixture);
    jobs_assert_content(fixture, "top");
}

static void test_two(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    make_disks(fixture);
    g_autoptr(GPtrArray) jobs = jobs_start_all(
        fixture,
        two(backup(fixture, "vda", "backup-a", SLOW), backup(fixture, "vdb", "backup-b", 0)));
    g_assert_cmpuint(jobs->len, ==, 2);
    VbJob *first = jobs->pdata[0], *second = jobs->pdata[1];
    g_assert_cmpstr(vb_job_info(first)->disk, ==, "vda");
    /* Each has its own end: the second completes, the first is cancelled. */
    jobs_assert_outcome(fixture, second, "completed done");
    g_assert_true(vb_job_is_live(first));
    jobs_cancel(fixture, first, VB_JOB_WAIT);
    jobs_assert_end(fixture, first, "canceled requested");
    jobs_assert_end(fixture, second, "completed done");
    jobs_run(fixture, "qemu-img compare -q -U backup-b second");
}

static void answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    *(GAsyncResult **)user_data = g_object_ref(result);
}

static void assert_both_refused(JobsFixture *fixture, GPtrArray *specs, VbError code)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    vb_jobs_start_async(jobs_domain(fixture), specs, 0, answered, &result);
    VB_WAIT_FOR(result);
    g_assert_null(vb_jobs_start_finish(jobs_domain(fixture), result, &error));
    g_assert_error(error, VB_ERROR, (int)code);
    g_test_message("%s", error->message);
    g_assert_cmpuint(vb_domain_jobs(jobs_domain(fixture))->len, ==, 0);
    g_autofree char *first = jobs_nodes(fixture, "vda");
    g_assert_cmpstr(first, ==,
                    "vb-vda-1 vb-vda-1-file vb-vda-2 vb-vda-2-file vb-vda-3 vb-vda-3-file");
    g_autofree char *second = jobs_nodes(fixture, "vdb");
    g_assert_cmpstr(second, ==, "vb-vdb-4 vb-vdb-4-file");
}

static void test_all_or_none(void)
{
    g_autoptr(JobsFixture) fixture = jobs_fixture_new();

    make_disks(fixture);
    jobs_run(fixture, "cp base there");
    assert_both_refused(
        fixture, two(backup(fixture, "vda", "backup", 0), backup(fixture, "vdb", "there", 0)),
        VB_ERROR_INVALID_ARGS);
    g_assert_false(jobs_exists(fixture, "backup"));
    assert_both_refused(
        fixture, two(backup(fixture, "vda", "backup", 0), backup(fixture, "vdb", "backup", 0)),
        VB_ERROR_INVALID_ARGS);
    g_assert_false(jobs_exists(fixture, "backup"));

    /* QEMU refuses the second one: sizes differ. The first does not begin. */
    VbJobSpec *wrong_size = backup(fixture, "vdb", "there", 0);
    wrong_size->reuse_external = TRUE;
    assert_both_refused(fixture, two(backup(fixture, "vda", "backup", 0), wrong_size),
                        VB_ERROR_HYPERVISOR);
    g_assert_false(jobs_exists(fixture, "backup"));
    g_assert_true(jobs_exists(fixture, "there"));

    /* Only backups are started together. */
    assert_both_refused(
        fixture, two(backup(fixture, "vda", "backup", 0), vb_job_spec_new(VB_JOB_PULL, "vdb")),
        VB_ERROR_NOT_SUPPORTED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/jobs/backup/point-in-time", test_point_in_time);
    g_test_add_func("/qemu/jobs/backup/two", test_two);
    g_test_add_func("/qemu/jobs/backup/all-or-none", test_all_or_none);
    return g_test_run();
}
