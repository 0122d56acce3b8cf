/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbStore and VbPaths: files that are whole or not there, in the order they were given. */
#include "core-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

typedef struct {
    VbStore *store;
    char *dir;
} Store;

static void set_up(Store *fixture, gconstpointer data)
{
    fixture->store = vb_store_new();
    fixture->dir = g_dir_make_tmp("virtbus-store-XXXXXX", NULL);
    g_assert_nonnull(fixture->dir);
}

static void tear_down(Store *fixture, gconstpointer data)
{
    g_autoptr(GDir) dir = g_dir_open(fixture->dir, 0, NULL);
    const char *name;

    vb_store_free(fixture->store);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(fixture->dir, name, NULL);

        /* Nothing half-written is left behind. */
        g_assert_false(g_str_has_suffix(name, ".new"));
        g_assert_cmpint(g_remove(path), ==, 0);
    }
    g_assert_cmpint(g_rmdir(fixture->dir), ==, 0);
    g_free(fixture->dir);
}

typedef struct {
    guint *counter;
    guint order; /* when it was answered */
    gboolean done;
    GError *error;
} Answer;

static void on_written(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Answer *answer = user_data;

    vb_store_write_finish(NULL, result, &answer->error);
    answer->order = (*answer->counter)++;
    answer->done = TRUE;
}

static void write_text(Store *fixture, const char *path, const char *text, Answer *answer)
{
    g_autoptr(GBytes) bytes = text ? g_bytes_new(text, strlen(text)) : NULL;

    vb_store_write_async(fixture->store, path, bytes, on_written, answer);
    /* Never before the call returned. */
    g_assert_false(answer->done);
}

static void test_order(Store *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->dir, "file", NULL);
    g_autofree char *text = NULL;
    Answer answers[50];
    guint counter = 0;
    GStatBuf st;

    memset(answers, 0, sizeof answers);
    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        g_autofree char *number = g_strdup_printf("%u", i);

        answers[i].counter = &counter;
        write_text(fixture, path, i % 7 == 3 ? NULL : number, &answers[i]);
    }
    VB_WAIT_FOR(counter == G_N_ELEMENTS(answers));
    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        g_assert_no_error(answers[i].error);
        g_assert_cmpuint(answers[i].order, ==, i);
    }
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "49");
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
}

static void test_remove(Store *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->dir, "file", NULL);
    guint counter = 0;
    Answer write = {.counter = &counter}, remove = {.counter = &counter},
           again = {.counter = &counter};

    write_text(fixture, path, "text", &write);
    write_text(fixture, path, NULL, &remove);
    /* What is gone is gone. */
    write_text(fixture, path, NULL, &again);
    VB_WAIT_FOR(counter == 3);
    g_assert_no_error(write.error);
    g_assert_no_error(remove.error);
    g_assert_no_error(again.error);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_error(Store *fixture, gconstpointer data)
{
    g_autofree char *missing = g_build_filename(fixture->dir, "no", "file", NULL);
    g_autofree char *good = g_build_filename(fixture->dir, "file", NULL);
    guint counter = 0;
    Answer bad = {.counter = &counter}, ok = {.counter = &counter};

    write_text(fixture, missing, "text", &bad);
    write_text(fixture, good, "text", &ok);
    VB_WAIT_FOR(counter == 2);
    g_assert_error(bad.error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(bad.error->message, missing));
    g_clear_error(&bad.error);
    g_assert_no_error(ok.error);
}

/* What was given is written, also when the store goes at once. */
static void test_free_writes(Store *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->dir, "file", NULL);
    g_autoptr(GBytes) bytes = g_bytes_new_static("last", 4);
    g_autofree char *text = NULL;

    vb_store_write_async(fixture->store, path, bytes, NULL, NULL);
    g_clear_pointer(&fixture->store, vb_store_free);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "last");
}

static void test_record(Store *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->dir, "record", NULL);
    g_autofree char *missing = g_build_filename(fixture->dir, "no", "record", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    gsize length = 0;

    g_assert_true(vb_store_write_record(path, "one", 3, &error));
    g_assert_true(vb_store_write_record(path, "two\0!", 5, &error));
    text = vb_store_read(path, 5, &length, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(text, length, "two\0!", 5);
    g_assert_false(vb_store_write_record(missing, "x", 1, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
}

static void test_read(Store *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->dir, "file", NULL);
    g_autofree char *link = g_build_filename(fixture->dir, "link", NULL);
    g_autofree char *fifo = g_build_filename(fixture->dir, "fifo", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_null(vb_store_read(path, 10, NULL, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_clear_error(&error);
    g_assert_true(g_file_set_contents(path, "0123456789", 10, NULL));
    text = vb_store_read(path, 10, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, "0123456789");
    g_assert_null(vb_store_read(path, 9, NULL, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED);
    g_clear_error(&error);
    g_assert_null(vb_store_read(fixture->dir, 1 << 20, NULL, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED);
    g_clear_error(&error);
    /* A link that somebody put there is not followed. */
    g_assert_cmpint(symlink(path, link), ==, 0);
    g_assert_null(vb_store_read(link, 10, NULL, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_clear_error(&error);
    /* And nobody waits at a pipe that somebody put there. */
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_null(vb_store_read(fifo, 10, NULL, &error));
    g_assert_nonnull(error);
}

static void test_set_aside(Store *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->dir, "file", NULL);
    g_autofree char *broken = g_strconcat(path, ".broken", NULL);
    g_autoptr(GError) error = g_error_new(VB_ERROR, VB_ERROR_FAILED, "it makes no sense");

    g_assert_true(g_file_set_contents(path, "x", 1, NULL));
    vb_store_set_aside(path, error);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(broken, G_FILE_TEST_EXISTS));
    vb_store_remove_tree(broken);

    /* Of a directory, the last that was set aside is kept. */
    for (guint i = 0; i < 2; i++) {
        g_autofree char *inner = g_strdup_printf("%s/%u", path, i);

        g_assert_cmpint(g_mkdir_with_parents(inner, 0700), ==, 0);
        vb_store_set_aside(path, error);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    }
    g_autofree char *last = g_build_filename(broken, "1", NULL);
    g_assert_true(g_file_test(last, G_FILE_TEST_IS_DIR));
    vb_store_remove_tree(broken);
}

/* ---- paths ---- */

static void test_paths(Store *fixture, gconstpointer data)
{
    g_autoptr(VbPaths) system = vb_paths_new(NULL, FALSE);
    g_autoptr(VbPaths) session = vb_paths_new(NULL, TRUE);
    g_autoptr(VbPaths) root = vb_paths_new("/there", FALSE);
    g_autofree char *definition = vb_paths_definition(root, "u");
    g_autofree char *autostart = vb_paths_autostart(root, "u");
    g_autofree char *run = vb_paths_domain_run(root, "u");

    g_assert_cmpstr(system->state_dir, ==, "/var/lib/virtbus");
    g_assert_cmpstr(system->run_dir, ==, "/run/virtbus");
    g_assert_cmpstr(system->conf_dir, ==, "/etc/virtbus");
    g_assert_true(g_str_has_prefix(session->state_dir, g_get_user_data_dir()) ||
                  g_str_has_prefix(session->state_dir, g_get_user_state_dir()));
    g_assert_true(g_str_has_prefix(session->run_dir, g_get_user_runtime_dir()));
    g_assert_true(g_str_has_prefix(root->run_dir, "/there/"));
    g_assert_true(g_str_has_prefix(root->cache_dir, "/there/"));
    g_assert_true(g_str_has_prefix(root->conf_dir, "/there/"));
    g_assert_true(g_str_has_prefix(definition, root->state_dir));
    g_assert_true(g_str_has_suffix(definition, "/domain/u.xml"));
    g_assert_true(g_str_has_suffix(autostart, "/domain/autostart/u"));
    g_assert_true(g_str_has_prefix(run, root->run_dir));
    g_assert_true(g_str_has_suffix(run, "/domains/u"));
}

static void add(const char *path, void (*func)(Store *fixture, gconstpointer data))
{
    g_test_add(path, Store, NULL, set_up, func, tear_down);
}

/* All of it, and nothing beside it. */
static void test_remove_tree(Store *fixture, gconstpointer data)
{
    g_autofree char *outside = g_build_filename(fixture->dir, "outside", NULL);
    g_autofree char *tree = g_build_filename(fixture->dir, "tree", NULL);
    g_autofree char *below = g_build_filename(tree, "a", "b", NULL);
    g_autofree char *file = g_build_filename(below, "file", NULL);
    g_autofree char *link = g_build_filename(tree, "link", NULL);

    g_assert_true(g_file_set_contents(outside, "x", 1, NULL));
    g_assert_cmpint(g_mkdir_with_parents(below, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_assert_cmpint(symlink(fixture->dir, link), ==, 0);
    vb_store_remove_tree(tree);
    g_assert_false(g_file_test(tree, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(outside, G_FILE_TEST_EXISTS));
    vb_store_remove_tree(tree);
}

/* Nobody of ours makes so deep a tree: it is left to somebody who looks at it. */
static void test_remove_deep_tree(Store *fixture, gconstpointer data)
{
    g_autofree char *tree = g_build_filename(fixture->dir, "1", NULL);
    g_autofree char *below = g_build_filename(tree, "2/3/4/5/6/7/8/9/10", NULL);

    g_assert_cmpint(g_mkdir_with_parents(below, 0700), ==, 0);
    g_test_expect_message(NULL, G_LOG_LEVEL_MESSAGE, "*cannot remove*");
    vb_store_remove_tree(tree);
    g_test_assert_expected_messages();
    g_assert_true(g_file_test(below, G_FILE_TEST_EXISTS));
    while (!g_str_equal(below, fixture->dir)) {
        g_assert_cmpint(g_rmdir(below), ==, 0);
        *strrchr(below, '/') = '\0';
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    add("/store/order", test_order);
    add("/store/remove", test_remove);
    add("/store/error", test_error);
    add("/store/free-writes", test_free_writes);
    add("/store/record", test_record);
    add("/store/read", test_read);
    add("/store/set-aside", test_set_aside);
    add("/store/remove-tree", test_remove_tree);
    add("/store/remove-tree/deep", test_remove_deep_tree);
    add("/store/paths", test_paths);

    return g_test_run();
}
