/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The books of what was opened to whom: shared, lessened, given back, and found again by the next
 * life of the daemon. With a real user ("nobody"), so it needs root. */
#include "access.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "error.h"
#include "kernel-access.h"
#include "remove-tree.h"
#include "wait.h"

typedef struct {
    char *dir, *images, *records;
    const char *bounds[2];
    VbIdentity *identity;
    VbAccess *access;
} Fixture;

static void open_access(Fixture *f)
{
    f->access = vb_access_new(f->records, f->identity, f->bounds);
}

/* As when the daemon ends, however it ends: nothing is given back. */
static void close_access(Fixture *f)
{
    vb_access_close(f->access);
    g_clear_pointer(&f->access, vb_access_unref);
}

static void setup(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    f->dir = g_dir_make_tmp("vb-access-XXXXXX", &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(f->dir, 0711), ==, 0);
    f->images = g_build_filename(f->dir, "images", NULL);
    f->records = g_build_filename(f->dir, "records", NULL);
    g_assert_cmpint(g_mkdir(f->images, 0755), ==, 0);
    f->bounds[0] = f->images;
    vb_identity_resolve("nobody", &f->identity, &error);
    g_assert_no_error(error);
    open_access(f);
}

static void teardown(Fixture *f, gconstpointer data)
{
    close_access(f);
    vb_remove_tree(f->dir);
    vb_identity_unref(f->identity);
    g_free(f->dir);
    g_free(f->images);
    g_free(f->records);
}

static char *make_image(Fixture *f, const char *name)
{
    char *path = g_build_filename(f->images, name, NULL);

    g_assert_true(g_file_set_contents(path, "image", -1, NULL));
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    return path;
}

static void take_result(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

static gboolean try_grant(Fixture *f, guint owner, const char *path, gboolean write, GError **error)
{
    VbFileWish wish = {(char *)path, VB_FILE_REGULAR, write, FALSE};
    g_autoptr(GAsyncResult) result = NULL;

    vb_access_grant_async(f->access, owner, &wish, NULL, take_result, &result);
    VB_WAIT_FOR(result);
    return vb_access_grant_finish(result, error);
}

static void grant(Fixture *f, guint owner, const char *path, gboolean write)
{
    g_autoptr(GError) error = NULL;

    try_grant(f, owner, path, write, &error);
    g_assert_no_error(error);
}

static void give_back(Fixture *f, guint owner)
{
    vb_access_keep_only(f->access, owner, NULL);
}

/* 0, 4 or 6 */
static int permissions(Fixture *f, const char *path)
{
    return (vb_kernel_access(f->identity, AT_FDCWD, path, R_OK) == 0 ? 4 : 0) |
           (vb_kernel_access(f->identity, AT_FDCWD, path, W_OK) == 0 ? 2 : 0);
}

static guint n_records(Fixture *f)
{
    g_autoptr(GDir) dir = g_dir_open(f->records, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir))
        n++;
    return n;
}

static void await(Fixture *f, const char *path, int expected)
{
    guint tick = g_timeout_add(2, vb_wait_tick, NULL);

    VB_WAIT_FOR(permissions(f, path) == expected);
    g_source_remove(tick);
}

static void await_records(Fixture *f, guint expected)
{
    guint tick = g_timeout_add(2, vb_wait_tick, NULL);

    VB_WAIT_FOR(n_records(f) == expected);
    g_source_remove(tick);
}

static void test_one(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");

    grant(f, 1, path, TRUE);
    g_assert_cmpint(permissions(f, path), ==, 6);
    g_assert_cmpuint(n_records(f), ==, 1);
    give_back(f, 1);
    await(f, path, 0);
    await_records(f, 0);
}

/* A file that needs nothing is not taken on the books. */
static void test_none_needed(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");

    g_assert_cmpint(g_chmod(path, 0666), ==, 0);
    grant(f, 1, path, TRUE);
    g_assert_cmpuint(n_records(f), ==, 0);
    give_back(f, 1);
    g_assert_cmpint(permissions(f, path), ==, 6);
}

/* Two domains, two names of the file, different needs. */
static void test_shared(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");
    g_autofree char *other_name = g_build_filename(f->images, "hard-link", NULL);

    g_assert_cmpint(link(path, other_name), ==, 0);
    grant(f, 1, path, FALSE);
    grant(f, 2, other_name, TRUE);
    g_assert_cmpint(permissions(f, path), ==, 6);
    g_assert_cmpuint(n_records(f), ==, 1);
    give_back(f, 2);
    await(f, path, 4);
    grant(f, 3, path, FALSE);
    give_back(f, 1);
    grant(f, 4, path, TRUE);
    g_assert_cmpint(permissions(f, path), ==, 6);
    give_back(f, 3);
    give_back(f, 4);
    await(f, path, 0);
    await_records(f, 0);
}

/* The next one comes while the last one's access is on its way out: it is not left without. */
static void test_handed_over(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");

    for (guint owner = 1; owner <= 50; owner++) {
        grant(f, owner, path, TRUE);
        g_assert_cmpint(permissions(f, path), ==, 6);
        give_back(f, owner);
    }
    await(f, path, 0);
    await_records(f, 0);
}

/* And when both begin in the same moment. */
static void test_at_once(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");
    VbFileWish wish = {path, VB_FILE_REGULAR, TRUE, FALSE};

    for (guint owner = 1; owner <= 50; owner++) {
        g_autoptr(GAsyncResult) result = NULL;
        g_autoptr(GError) error = NULL;
        vb_access_grant_async(f->access, owner, &wish, NULL, take_result, &result);
        give_back(f, owner - 1);
        VB_WAIT_FOR(result);
        vb_access_grant_finish(result, &error);
        g_assert_no_error(error);
        g_assert_cmpint(permissions(f, path), ==, 6);
    }
    give_back(f, 50);
    await(f, path, 0);
}

/* Who is dropped while his file is looked at gets nothing. */
/* As with a new file that got the inode of a deleted one, which is still on the books. */
static void test_closed_by_another(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");

    grant(f, 1, path, TRUE);
    g_assert_no_errno(removexattr(path, "system.posix_acl_access"));
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    g_assert_cmpint(permissions(f, path), ==, 0);
    grant(f, 1, path, TRUE);
    g_assert_cmpint(permissions(f, path), ==, 6);

    g_assert_no_errno(removexattr(path, "system.posix_acl_access"));
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    grant(f, 2, path, FALSE);
    g_assert_cmpint(permissions(f, path), ==, 6); /* the first still needs it */
    give_back(f, 1);
    give_back(f, 2);
    await(f, path, 0);
    await_records(f, 0);
}

static void test_abandoned(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");
    VbFileWish wish = {path, VB_FILE_REGULAR, TRUE, FALSE};
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    vb_access_grant_async(f->access, 1, &wish, NULL, take_result, &result);
    give_back(f, 1);
    VB_WAIT_FOR(result);
    g_assert_false(vb_access_grant_finish(result, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_cmpint(permissions(f, path), ==, 0);
    g_assert_cmpuint(n_records(f), ==, 0);
}

static void test_keep_only(Fixture *f, gconstpointer data)
{
    g_autofree char *top = make_image(f, "top"), *base = make_image(f, "base");
    g_autofree char *backup = make_image(f, "backup");
    g_autoptr(GHashTable) needs = g_hash_table_new(g_str_hash, g_str_equal);

    grant(f, 1, top, TRUE);
    grant(f, 1, base, TRUE);
    grant(f, 1, backup, TRUE);
    grant(f, 2, backup, FALSE);
    g_hash_table_insert(needs, top, GINT_TO_POINTER(TRUE));
    g_hash_table_insert(needs, base, GINT_TO_POINTER(FALSE));
    vb_access_keep_only(f->access, 1, needs);
    await(f, base, 4);
    await(f, backup, 4);
    g_assert_cmpint(permissions(f, top), ==, 6);
}

/* What an earlier life granted: what runs on keeps it, the rest is given back. */
static gboolean is_seven(guint owner, gpointer data)
{
    return owner == 7;
}

static void test_restart(Fixture *f, gconstpointer data)
{
    g_autofree char *kept = make_image(f, "kept"), *gone = make_image(f, "gone");
    g_autofree char *both = make_image(f, "both"), *deleted = make_image(f, "deleted");

    grant(f, 7, kept, TRUE);
    grant(f, 8, gone, TRUE);
    grant(f, 7, both, FALSE);
    grant(f, 8, both, TRUE);
    grant(f, 8, deleted, TRUE);
    close_access(f);
    g_assert_cmpint(permissions(f, gone), ==, 6);
    g_assert_cmpint(g_unlink(deleted), ==, 0);

    open_access(f);
    vb_access_drop_strangers(f->access, is_seven, NULL);
    await(f, gone, 0);
    await_records(f, 2);
    g_assert_cmpint(permissions(f, kept), ==, 6);
    /* The next change to it settles what an owner that is gone had beyond that. */
    grant(f, 9, both, FALSE);
    g_assert_cmpint(permissions(f, both), ==, 4);
    give_back(f, 7);
    give_back(f, 9);
    await(f, kept, 0);
    await(f, both, 0);
    await_records(f, 0);
}

/* Killed between the record and the deed: the books are ahead, never behind. */
static void test_record_alone(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");

    grant(f, 7, path, TRUE);
    close_access(f);
    g_assert_cmpint(removexattr(path, "system.posix_acl_access"), ==, 0);
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    open_access(f);
    vb_access_drop_strangers(f->access, is_seven, NULL);
    grant(f, 7, path, TRUE);
    g_assert_cmpint(permissions(f, path), ==, 6);
    give_back(f, 7);
    await(f, path, 0);
    await_records(f, 0);
}

/* A record that is no record stops nothing. */
static void test_broken_record(Fixture *f, gconstpointer data)
{
    g_autofree char *record = g_build_filename(f->records, "1-2-3", NULL);
    g_autofree char *aside = g_strconcat(record, ".broken", NULL);

    close_access(f);
    g_assert_true(g_file_set_contents(record, "[grant]\nversion=1\npath=relative\n", -1, NULL));
    open_access(f);
    vb_access_drop_strangers(f->access, is_seven, NULL);
    g_assert_true(g_file_test(aside, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(record, G_FILE_TEST_EXISTS));
}

static void test_refused(Fixture *f, gconstpointer data)
{
    g_autofree char *evil = g_build_filename(f->images, "evil", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(symlink("/etc/shadow", evil), ==, 0);
    g_assert_false(try_grant(f, 1, evil, FALSE, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_clear_error(&error);
    g_assert_cmpint(permissions(f, "/etc/shadow"), ==, 0);

    /* proc has no lists: nothing stays on the books. */
    g_autofree char *proc = g_strdup_printf("/proc/%d/environ", (int)getpid());
    g_assert_false(try_grant(f, 1, proc, FALSE, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_cmpuint(n_records(f), ==, 0);
}

/* Nobody else runs QEMU: where a path leads is looked at all the same. */
static void test_as_ourselves(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_image(f, "disk");
    g_autofree char *evil = g_build_filename(f->images, "evil", NULL);
    g_autoptr(GError) error = NULL;

    close_access(f);
    f->access = vb_access_new(f->records, NULL, f->bounds);
    g_assert_cmpint(symlink("/etc/shadow", evil), ==, 0);
    grant(f, 1, path, TRUE);
    g_assert_cmpint(permissions(f, path), ==, 0);
    g_assert_false(try_grant(f, 1, evil, FALSE, &error));
    g_assert_nonnull(strstr(error->message, "leads out"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (geteuid() != 0) {
        g_print("1..0 # SKIP only root can become another user\n");
        return 0;
    }
#define ADD(name, func) g_test_add("/access/" name, Fixture, NULL, setup, func, teardown)
    ADD("one", test_one);
    ADD("none-needed", test_none_needed);
    ADD("shared", test_shared);
    ADD("handed-over", test_handed_over);
    ADD("at-once", test_at_once);
    ADD("closed-by-another", test_closed_by_another);
    ADD("abandoned", test_abandoned);
    ADD("keep-only", test_keep_only);
    ADD("restart", test_restart);
    ADD("record-alone", test_record_alone);
    ADD("broken-record", test_broken_record);
    ADD("refused", test_refused);
    ADD("as-ourselves", test_as_ourselves);
    return g_test_run();
}
