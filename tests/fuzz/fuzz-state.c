/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an earlier life left on disk, read by a host that begins: the input is the run-time record
 * of a domain (with the groups of the core and of the test driver), the record of a job, and the
 * file of the counters. Whatever they say, the host begins, the domain that is stored is there, and
 * no number is given twice. */
#include "core-private.h"
#include "log.h"
#include "remove-tree.h"
#include "test-driver.h"
#include "wait.h"

#define UUID "11111111-2222-4333-8444-555555555555"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static const char definition[] =
    "<domain type='test'><name>demo</name><uuid>" UUID "</uuid><memory>65536</memory>"
    "<os><type>hvm</type></os><devices><disk type='file'><driver name='qemu' type='qcow2'/>"
    "<source file='/images/demo'/><target dev='vda' bus='virtio'/></disk></devices></domain>";

/* `name` is below the root. */
static void write_file(const char *root, const char *name, const void *contents, gssize size)
{
    g_autofree char *path = g_build_filename(root, name, NULL);
    g_autofree char *directory = g_path_get_dirname(path);

    g_assert(g_mkdir_with_parents(directory, 0700) == 0);
    g_assert(g_file_set_contents_full(path, contents, size, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* Each file that is set aside is told. */
static GLogWriterOutput drop_messages(GLogLevelFlags level, const GLogField *fields, gsize n,
                                      gpointer data)
{
    return level & VB_LOG_LEVEL_WARNING ? G_LOG_WRITER_HANDLED
                                        : g_log_writer_default(level, fields, n, data);
}

static void on_loaded(GObject *source, GAsyncResult *result, gpointer done)
{
    *(gboolean *)done = TRUE;
}

static void check_numbers(VbHost *host, VbDomain *domain)
{
    guint number = vb_host_take_job_number(host);
    GPtrArray *jobs = vb_domain_jobs(domain);

    for (guint i = 0; i < jobs->len; i++)
        g_assert_cmpuint(vb_job_info(jobs->pdata[i])->number, !=, number);
    g_assert_cmpuint(number, >, 0);
    g_assert_cmpuint(vb_host_take_job_number(host), ==, number + 1);
}

static void check_life(const VbPaths *paths)
{
    static const VbDriverEvents events = {0};
    VbStore *store = vb_store_new();
    VbHost *host = vb_host_new(paths, store, &events, NULL);
    gboolean loaded = FALSE;

    vb_host_add_driver(host, &vb_test_driver, vb_test_driver_new(host), vb_test_driver_free);
    vb_host_load_async(host, on_loaded, &loaded);
    VB_WAIT_FOR(loaded);
    VbDomain *domain = vb_host_domain_by_uuid(host, UUID);
    g_assert(domain && vb_domain_info(domain)->persistent);
    check_numbers(host, domain);
    vb_host_announce(host);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    vb_host_free(host);
    vb_store_free(store);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    static gsize quiet;

    if (g_once_init_enter(&quiet)) {
        g_log_set_writer_func(drop_messages, NULL, NULL);
        g_once_init_leave(&quiet, 1);
    }
    g_autofree char *root = g_dir_make_tmp("fuzz-state-XXXXXX", NULL);
    g_autoptr(VbPaths) paths = vb_paths_new(root, FALSE);

    g_assert(root);
    write_file(paths->state_dir, "domain/" UUID ".xml", definition, -1);
    write_file(paths->run_dir, "domains/" UUID "/live.xml", definition, -1);
    write_file(paths->run_dir, "domains/" UUID "/domain.record", data, (gssize)size);
    write_file(paths->run_dir, "domains/" UUID "/job-7.record", data, (gssize)size);
    write_file(paths->run_dir, "counters", data, (gssize)size);
    check_life(paths);
    /* What was set aside stays so, and what was written is understood. */
    check_life(paths);
    vb_remove_tree(root);
    return 0;
}
