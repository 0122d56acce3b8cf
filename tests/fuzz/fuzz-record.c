/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The run-time records of a domain and of a job. What is understood is written, and must be
 * understood again, with the same to be written. */
#include "core-private.h"
#include "remove-tree.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static const char definition[] =
    "<domain type='test'><name>demo</name><uuid>11111111-2222-4333-8444-555555555555</uuid>"
    "<memory>65536</memory><os><type>hvm</type></os></domain>";

/* As much of a host as a record needs. */
typedef struct {
    char *root, *file;
    VbPaths *paths;
    VbStore *store;
    VbHost *host;
    VbDomain *domain;
} Fixture;

static void set_up(Fixture *f)
{
    static const VbDriver driver = {.name = "test"};
    static const VbHostDriver host_driver = {.ops = &driver};
    static const VbDriverEvents events = {0};
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(definition, -1, VB_XML_NONE, NULL);

    f->root = g_dir_make_tmp("fuzz-record-XXXXXX", NULL);
    f->paths = vb_paths_new(f->root, FALSE);
    f->store = vb_store_new();
    f->host = vb_host_new(f->paths, f->store, &events, NULL);
    f->domain = vb_domain_new(f->host, &host_driver, def->uuid, def->name, 0);
    /* Everything in one directory, which is there. */
    g_free(f->domain->run_dir);
    f->domain->run_dir = g_strdup(f->root);
    f->file = g_build_filename(f->root, "input", NULL);
}

static void tear_down(Fixture *f)
{
    vb_domain_unref(f->domain);
    vb_host_free(f->host);
    vb_store_free(f->store);
    vb_paths_free(f->paths);
    vb_remove_tree(f->root);
    g_free(f->file);
    g_free(f->root);
}

static char *contents_of(const char *path)
{
    char *contents = vb_store_read(path, VB_RECORD_MAX_SIZE, NULL, NULL);

    g_assert(contents);
    return contents;
}

static void check_job(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbJob) job = vb_job_record_load(f->domain, f->file, &error);

    g_assert((job == NULL) == (error != NULL));
    if (!job)
        return;
    g_autofree char *name = g_strdup_printf("job-%u.record", job->info.number);
    g_autofree char *path = g_build_filename(f->root, name, NULL);
    vb_job_save(job);
    g_autofree char *first = contents_of(path);
    g_autoptr(VbJob) again = vb_job_record_load(f->domain, path, &error);
    if (!again)
        g_error("not understood: %s\n%s", error->message, first);
    vb_job_save(again);
    g_autofree char *second = contents_of(path);
    g_assert_cmpstr(first, ==, second);
}

static gboolean load_domain(Fixture *f, const char *path, GError **error)
{
    g_autoptr(GKeyFile) record = vb_record_read(path, "domain", error);

    return record && vb_domain_load_record(f->domain, record, error);
}

static void check_domain(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    gboolean understood = load_domain(f, f->file, &error);

    g_assert(understood == (error == NULL));
    if (!understood)
        return;
    g_autofree char *path = g_build_filename(f->root, "domain.record", NULL);
    f->domain->live = vb_domain_def_parse(definition, -1, VB_XML_LIVE, NULL);
    vb_domain_save(f->domain);
    g_autofree char *first = contents_of(path);
    if (!load_domain(f, path, &error))
        g_error("not understood: %s\n%s", error->message, first);
    vb_domain_save(f->domain);
    g_autofree char *second = contents_of(path);
    g_assert_cmpstr(first, ==, second);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    Fixture f;

    set_up(&f);
    g_assert(g_file_set_contents_full(f.file, (const char *)data, (gssize)size,
                                      G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    check_job(&f);
    check_domain(&f);
    tear_down(&f);
    return 0;
}
