/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The index file: what was put in is found, as long as the definition's file is as it was; what is
 * not whole is no index. */
#include "definition-index.h"

#include <glib/gstdio.h>
#include <string.h>

#include "domain-summary.h"
#include "error.h"

#define SECOND G_GINT64_CONSTANT(1000000000)
#define N_ENTRIES 100

/* Seen a minute after its last change. */
static const VbFileStamp settled = {.inode = 7,
                                    .size = 1000,
                                    .mtime = 40 * SECOND,
                                    .ctime = 41 * SECOND,
                                    .seen = 100 * SECOND,
                                    .digest = 99};

static char *uuid_of(guint i)
{
    return g_strdup_printf("%08x-2222-4333-8444-555555555555", i * 2654435761u);
}

static VbIndexEntry make_entry(guint i, const VbFileStamp *stamp)
{
    g_autofree char *uuid = uuid_of(i);
    g_autofree char *xml =
        g_strdup_printf("<domain type='test'><name>guest-%u</name><uuid>%s</uuid>"
                        "<memory>65536</memory><os><type>hvm</type></os></domain>",
                        i, uuid);
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, NULL);

    return (VbIndexEntry){vb_domain_summary_pack(def, FALSE), *stamp};
}

static void clear_entry(gpointer entry)
{
    g_bytes_unref(((VbIndexEntry *)entry)->summary);
}

static GBytes *format(guint n, const VbFileStamp *stamp)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(VbIndexEntry));

    g_array_set_clear_func(entries, clear_entry);
    for (guint i = 0; i < n; i++) {
        VbIndexEntry entry = make_entry(i, stamp);
        g_array_append_val(entries, entry);
    }
    return g_byte_array_free_to_bytes(vb_definition_index_format(entries));
}

static VbDefinitionIndex *open_index(GBytes *contents)
{
    g_autoptr(GError) error = NULL;
    VbDefinitionIndex *index = vb_definition_index_new(contents, &error);

    g_assert_no_error(error);
    return index;
}

static void test_find(void)
{
    g_autoptr(GBytes) contents = format(N_ENTRIES, &settled);
    VbDefinitionIndex *index = open_index(contents);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    VbFileStamp stamp;

    g_assert_cmpuint(vb_definition_index_size(index), ==, N_ENTRIES);
    for (guint i = 0; i < N_ENTRIES; i++) {
        g_autofree char *uuid = uuid_of(i);
        GBytes *summary = vb_definition_index_find(index, uuid, &settled, &stamp);

        g_assert_nonnull(summary);
        g_assert_cmpuint(stamp.digest, ==, settled.digest);
        g_ptr_array_add(found, summary);
    }
    g_assert_null(vb_definition_index_find(index, "0", &settled, &stamp));
    g_assert_null(vb_definition_index_find(index, "z", &settled, &stamp));
    /* They outlive it. */
    vb_definition_index_free(index);
    g_clear_pointer(&contents, g_bytes_unref);
    for (guint i = 0; i < N_ENTRIES; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i);
        gconstpointer packed = g_bytes_get_data(found->pdata[i], NULL);

        g_assert_cmpstr(vb_domain_summary_unpack(packed).name, ==, name);
    }
}

static gboolean is_found(const VbDefinitionIndex *index, const VbFileStamp *now)
{
    g_autofree char *uuid = uuid_of(0);
    VbFileStamp stamp;
    g_autoptr(GBytes) summary = vb_definition_index_find(index, uuid, now, &stamp);

    return summary != NULL;
}

static void test_changed(void)
{
    g_autoptr(GBytes) contents = format(1, &settled);
    g_autoptr(VbDefinitionIndex) index = open_index(contents);
    VbFileStamp other = settled;

    /* What is asked for with a stat has neither. */
    other.seen = 0;
    other.digest = 0;
    g_assert_true(is_found(index, &other));
    other = settled;
    other.inode++;
    g_assert_false(is_found(index, &other));
    other = settled;
    other.size--;
    g_assert_false(is_found(index, &other));
    other = settled;
    other.mtime++;
    g_assert_false(is_found(index, &other));
    other = settled;
    other.ctime++;
    g_assert_false(is_found(index, &other));
}

/* It looked like that so soon after its last change that a further one may look the same. */
static void test_racy(void)
{
    VbFileStamp young = settled;

    young.seen = young.ctime + SECOND;
    g_autoptr(GBytes) contents = format(1, &young);
    g_autoptr(VbDefinitionIndex) index = open_index(contents);
    g_assert_false(is_found(index, &young));

    /* A clock that was set back. */
    young.seen = young.mtime - 60 * SECOND;
    g_autoptr(GBytes) back = format(1, &young);
    g_autoptr(VbDefinitionIndex) back_index = open_index(back);
    g_assert_false(is_found(back_index, &young));
}

static void test_empty(void)
{
    g_autoptr(GBytes) contents = format(0, &settled);
    g_autoptr(VbDefinitionIndex) index = open_index(contents);

    g_assert_cmpuint(vb_definition_index_size(index), ==, 0);
    g_assert_false(is_found(index, &settled));
}

static void assert_refused(const char *data, gsize size)
{
    /* Memory of exactly that size: what reads beyond it is caught. */
    g_autoptr(GBytes) contents = g_bytes_new(data, size);
    g_autoptr(GError) error = NULL;

    g_assert_null(vb_definition_index_new(contents, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
}

/* A crash in the midst of writing it: cut, or with blocks that were not written. */
static void test_torn(void)
{
    g_autoptr(GBytes) contents = format(3, &settled);
    gsize size;
    const char *data = g_bytes_get_data(contents, &size);

    for (gsize length = 0; length < size; length++)
        assert_refused(data, length);
    for (gsize at = 0; at < size; at++) {
        g_autofree char *torn = g_memdup2(data, size);

        torn[at] ^= 1;
        assert_refused(torn, size);
        /* Of a bit that is not set this makes no other file. */
        memcpy(torn, data, size);
        memset(torn + at, 0, size - at);
        if (memcmp(torn, data, size) != 0)
            assert_refused(torn, size);
    }
}

static void test_file(void)
{
    g_autofree char *directory = g_dir_make_tmp("virtbus-index-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "domain.index", NULL);
    g_autoptr(GBytes) contents = format(1, &settled);
    g_autoptr(GError) error = NULL;
    gsize size;
    const char *data = g_bytes_get_data(contents, &size);

    g_assert_null(vb_definition_index_open(path, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_true(vb_store_write_record(path, data, size, NULL));
    g_autoptr(VbDefinitionIndex) index = vb_definition_index_open(path, &error);
    g_assert_no_error(error);
    /* What is mapped stays what it is. */
    g_assert_true(vb_store_write_record(path, "other", 5, NULL));
    g_assert_true(is_found(index, &settled));
    g_assert_null(vb_definition_index_open(path, NULL));
    g_assert_true(vb_store_write_record(path, "", 0, NULL));
    g_assert_null(vb_definition_index_open(path, NULL));
    g_assert_cmpint(g_remove(path), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/definition-index/find", test_find);
    g_test_add_func("/definition-index/changed", test_changed);
    g_test_add_func("/definition-index/racy", test_racy);
    g_test_add_func("/definition-index/empty", test_empty);
    g_test_add_func("/definition-index/torn", test_torn);
    g_test_add_func("/definition-index/file", test_file);
    return g_test_run();
}
