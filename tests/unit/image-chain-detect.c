/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backing chains of real images, found by a real qemu-img; images made and removed. */
#include "image-chain.h"

#include "error.h"
#include "image-chain-create.h"
#include "remove-tree.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define DEADLINE_SECONDS 60

/* ---- a directory with images ---------------------------------------------------------------- */

typedef struct {
    char *dir;
    GAsyncResult *result;
} Fixture;

static void fixture_set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->dir = g_dir_make_tmp("vb-chain-XXXXXX", &error);
    g_assert_no_error(error);
}

static void fixture_tear_down(Fixture *fixture, gconstpointer data)
{
    vb_remove_tree(fixture->dir);
    g_free(fixture->dir);
}

static gboolean deadline_passed(gpointer user_data)
{
    g_error("no answer within %d s", DEADLINE_SECONDS);
    return G_SOURCE_REMOVE;
}

static void answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Fixture *fixture = user_data;

    g_assert_null(fixture->result);
    fixture->result = g_object_ref(result);
}

static GAsyncResult *wait_answer(Fixture *fixture)
{
    guint deadline = g_timeout_add_seconds(DEADLINE_SECONDS, deadline_passed, NULL);

    g_assert_null(fixture->result); /* never before the starter returned */
    while (!fixture->result)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(deadline);
    return g_steal_pointer(&fixture->result);
}

static char *path_of(Fixture *fixture, const char *name)
{
    return g_build_filename(fixture->dir, name, NULL);
}

/* Runs a command line in the directory. */
static void run(Fixture *fixture, const char *command)
{
    g_auto(GStrv) argv = NULL;
    g_autofree char *output = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_shell_parse_argv(command, NULL, &argv, &error);
    g_assert_no_error(error);
    g_spawn_sync(fixture->dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL, &status,
                 &error);
    g_assert_no_error(error);
    g_spawn_check_wait_status(status, &error);
    g_assert_no_error(error);
}

static VbDiskSource *image_of(Fixture *fixture, const char *name, VbDiskFormat format)
{
    VbDiskSource *image = vb_disk_source_new(VB_DISK_SOURCE_FILE, format);

    image->path = path_of(fixture, name);
    return image;
}

static VbDiskSource *detect(Fixture *fixture, const VbDiskSource *image, GError **error)
{
    vb_image_chain_detect_async(image, NULL, NULL, NULL, answered, fixture);
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    return vb_image_chain_detect_finish(result, error);
}

/* The names of the chain without the directory, e.g. "top:qcow2 base:raw". */
static char *chain_names(Fixture *fixture, const VbDiskSource *chain)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (; chain; chain = chain->backing) {
        g_assert_true(chain->backing_known);
        g_assert_true(g_str_has_prefix(chain->path, fixture->dir));
        g_string_append_printf(names, "%s%s:%s", names->len ? " " : "",
                               chain->path + strlen(fixture->dir) + 1,
                               vb_disk_format_to_string(chain->format));
    }
    return g_string_free(g_steal_pointer(&names), FALSE);
}

static void assert_detected(Fixture *fixture, const VbDiskSource *image, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDiskSource) chain = detect(fixture, image, &error);

    g_assert_no_error(error);
    g_autofree char *names = chain_names(fixture, chain);
    g_assert_cmpstr(names, ==, expected);
}

static void assert_refused(Fixture *fixture, const VbDiskSource *image, VbError code,
                           const char *names)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDiskSource) chain = detect(fixture, image, &error);

    g_assert_null(chain);
    g_assert_error(error, VB_ERROR, (int)code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, names));
}

/* Makes the header of a qcow2 forget the format of its backing image. */
static void forget_backing_format(Fixture *fixture, const char *name)
{
    static const char extension[] = "\xe2\x79\x2a\xca";
    g_autofree char *path = path_of(fixture, name);
    g_autofree char *image = NULL;
    gsize size;

    g_assert_true(g_file_get_contents(path, &image, &size, NULL));
    char *at = memmem(image, 4096, extension, 4);
    g_assert_nonnull(at);
    memcpy(at, "none", 4);
    g_assert_true(g_file_set_contents(path, image, (gssize)size, NULL));
}

/* ---- finding -------------------------------------------------------------------------------- */

static void test_found(Fixture *fixture, gconstpointer data)
{
    g_autofree char *sub = path_of(fixture, "sub");
    g_autoptr(VbDiskSource) top = image_of(fixture, "top", VB_DISK_FORMAT_QCOW2);

    g_assert_no_errno(g_mkdir(sub, 0700));
    run(fixture, "qemu-img create -q -f raw sub/base 1M");
    run(fixture, "qemu-img create -q -f qcow2 -b base -F raw sub/mid");
    run(fixture, "qemu-img create -q -f qcow2 -b sub/mid -F qcow2 top");
    assert_detected(fixture, top, "top:qcow2 sub/mid:qcow2 sub/base:raw");

    /* What was given is believed. */
    top->index = 5;
    top->backing = image_of(fixture, "elsewhere", VB_DISK_FORMAT_QCOW2);
    top->backing_known = top->backing->backing_known = TRUE;
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDiskSource) given = detect(fixture, top, &error);
    g_assert_no_error(error);
    g_assert_true(vb_disk_source_equal(given, top));
    g_assert_cmpuint(given->index, ==, 5);

    /* The rest is asked for. */
    g_free(top->backing->path);
    top->backing->path = path_of(fixture, "sub/mid");
    top->backing->backing_known = FALSE;
    assert_detected(fixture, top, "top:qcow2 sub/mid:qcow2 sub/base:raw");
}

static void test_raw(Fixture *fixture, gconstpointer data)
{
    g_autoptr(VbDiskSource) raw = image_of(fixture, "base", VB_DISK_FORMAT_RAW);

    run(fixture, "qemu-img create -q -f raw other 1M");
    run(fixture, "qemu-img create -q -f qcow2 -b other -F raw base");
    /* Whatever a guest wrote into a raw image, it has nothing behind it. */
    assert_detected(fixture, raw, "base:raw");
}

static void test_not_raw(Fixture *fixture, gconstpointer data)
{
    g_autoptr(VbDiskSource) top = image_of(fixture, "top", VB_DISK_FORMAT_QCOW2);
    g_autofree char *base = path_of(fixture, "base");

    run(fixture, "qemu-img create -q -f qcow2 base 1M");
    run(fixture, "qemu-img create -q -f qcow2 -b base -F qcow2 top");
    forget_backing_format(fixture, "top");
    assert_refused(fixture, top, VB_ERROR_NOT_SUPPORTED, "base");

    g_autoptr(VbDiskSource) garbage = image_of(fixture, "garbage", VB_DISK_FORMAT_QCOW2);
    g_assert_true(g_file_set_contents(garbage->path, "this is no image", -1, NULL));
    assert_refused(fixture, garbage, VB_ERROR_FAILED, garbage->path);
}

static void test_missing(Fixture *fixture, gconstpointer data)
{
    g_autoptr(VbDiskSource) top = image_of(fixture, "top", VB_DISK_FORMAT_QCOW2);
    g_autofree char *gone = path_of(fixture, "gone");

    assert_refused(fixture, top, VB_ERROR_FAILED, top->path);
    run(fixture, "qemu-img create -q -f qcow2 -u -b gone -F raw top 1M");
    assert_refused(fixture, top, VB_ERROR_FAILED, gone);
}

static void test_loop(Fixture *fixture, gconstpointer data)
{
    g_autoptr(VbDiskSource) top = image_of(fixture, "top", VB_DISK_FORMAT_QCOW2);

    run(fixture, "qemu-img create -q -f qcow2 -u -b mid -F qcow2 top 1M");
    run(fixture, "qemu-img create -q -f qcow2 -u -b top -F qcow2 mid 1M");
    assert_refused(fixture, top, VB_ERROR_FAILED, top->path);

    /* A loop of names that never repeat ends at the depth limit. */
    run(fixture, "mkdir sub");
    run(fixture, "qemu-img create -q -f qcow2 -u -b sub/../top -F qcow2 top 1M");
    assert_refused(fixture, top, VB_ERROR_LIMITS_EXCEEDED, top->path);
}

static void test_cancelled(Fixture *fixture, gconstpointer data)
{
    g_autoptr(VbDiskSource) top = image_of(fixture, "top", VB_DISK_FORMAT_QCOW2);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;

    /* Nobody writes into this pipe: the read of it would never end. */
    run(fixture, "mkfifo top");
    vb_image_chain_detect_async(top, NULL, NULL, cancellable, answered, fixture);
    g_timeout_add_once(100, (GSourceOnceFunc)g_cancellable_cancel, cancellable);
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    g_assert_null(vb_image_chain_detect_finish(result, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* ---- making --------------------------------------------------------------------------------- */

static gboolean create(Fixture *fixture, const VbDiskSource *image, const VbDiskSource *backing,
                       gboolean *ret_created, GError **error)
{
    vb_image_create_async(image, 4 * 1024 * 1024, backing, NULL, NULL, answered, fixture);
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    return vb_image_create_finish(result, ret_created, error);
}

static void test_create(Fixture *fixture, gconstpointer data)
{
    g_autoptr(VbDiskSource) base = image_of(fixture, "base", VB_DISK_FORMAT_RAW);
    g_autoptr(VbDiskSource) top = image_of(fixture, "top", VB_DISK_FORMAT_QCOW2);
    g_autoptr(GError) error = NULL;
    gboolean created = FALSE;
    struct stat info;

    g_assert_true(create(fixture, base, NULL, &created, &error));
    g_assert_no_error(error);
    g_assert_true(created);
    g_assert_no_errno(stat(base->path, &info));
    g_assert_cmpint(info.st_size, ==, 4 * 1024 * 1024);
    g_assert_cmpint(info.st_mode & 07777, ==, 0600);

    g_assert_true(create(fixture, top, base, &created, &error));
    g_assert_no_error(error);
    assert_detected(fixture, top, "top:qcow2 base:raw");

    /* An empty file is used, but is not ours. */
    g_autoptr(VbDiskSource) empty = image_of(fixture, "empty", VB_DISK_FORMAT_QCOW2);
    g_assert_true(g_file_set_contents(empty->path, "", 0, NULL));
    g_assert_true(create(fixture, empty, NULL, &created, &error));
    g_assert_false(created);
    assert_detected(fixture, empty, "empty:qcow2");
}

static void test_create_refused(Fixture *fixture, gconstpointer data)
{
    g_autoptr(VbDiskSource) image = image_of(fixture, "file", VB_DISK_FORMAT_QCOW2);
    g_autoptr(GError) error = NULL;
    g_autofree char *contents = NULL;
    gboolean created;

    g_assert_true(g_file_set_contents(image->path, "precious", -1, NULL));
    g_assert_false(create(fixture, image, NULL, &created, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
    g_assert_nonnull(strstr(error->message, image->path));
    g_assert_true(g_file_get_contents(image->path, &contents, NULL, NULL));
    g_assert_cmpstr(contents, ==, "precious");
    g_clear_error(&error);

    /* A directory that is not there; and what qemu-img cannot do leaves no file. */
    g_autoptr(VbDiskSource) nowhere = image_of(fixture, "no/file", VB_DISK_FORMAT_RAW);
    g_assert_false(create(fixture, nowhere, NULL, &created, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_clear_error(&error);

    g_autoptr(VbDiskSource) fresh = image_of(fixture, "fresh", VB_DISK_FORMAT_QCOW2);
    vb_image_create_async(fresh, G_MAXUINT64, NULL, NULL, NULL, answered, fixture);
    g_autoptr(GAsyncResult) result = wait_answer(fixture);
    g_assert_false(vb_image_create_finish(result, &created, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_false(g_file_test(fresh->path, G_FILE_TEST_EXISTS));
}

static void test_unlink(Fixture *fixture, gconstpointer data)
{
    g_autofree char *file = path_of(fixture, "file");
    g_autofree char *gone = path_of(fixture, "gone");
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    vb_image_unlink_async((const char *[]){gone, file, NULL}, NULL, answered, fixture);
    g_autoptr(GAsyncResult) done = wait_answer(fixture);
    g_assert_true(vb_image_unlink_finish(done, &error));
    g_assert_no_error(error);
    g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));

    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    vb_image_unlink_async((const char *[]){fixture->dir, file, NULL}, NULL, answered, fixture);
    g_autoptr(GAsyncResult) failed = wait_answer(fixture);
    g_assert_false(vb_image_unlink_finish(failed, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, fixture->dir));
    g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
}

#define ADD(name, function)                                                                        \
    g_test_add("/image-chain/" name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("found", test_found);
    ADD("raw", test_raw);
    ADD("not-raw", test_not_raw);
    ADD("missing", test_missing);
    ADD("loop", test_loop);
    ADD("cancelled", test_cancelled);
    ADD("create", test_create);
    ADD("create-refused", test_create_refused);
    ADD("unlink", test_unlink);
    return g_test_run();
}
