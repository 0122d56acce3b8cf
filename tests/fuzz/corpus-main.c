/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a fuzz target over a corpus without a fuzzer: every file of the directory that is the only
 * argument, as a test each. With the meson option `fuzzers`, libFuzzer takes this file's place. */
#include <glib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void test_file(gconstpointer path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *contents = NULL;
    gsize size;

    g_file_get_contents(path, &contents, &size, &error);
    g_assert_no_error(error);
    /* Exactly as large as the input: what reads beyond it is caught. */
    g_autofree guint8 *data = g_memdup2(contents, size);
    g_assert_cmpint(LLVMFuzzerTestOneInput(data, size), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (argc != 2)
        g_error("usage: %s CORPUS", argv[0]);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(argv[1], 0, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *test = g_strconcat("/corpus/", name, NULL);

        g_ptr_array_add(paths, g_build_filename(argv[1], name, NULL));
        g_test_add_data_func(test, paths->pdata[paths->len - 1], test_file);
    }
    g_assert_cmpuint(paths->len, >, 0);
    return g_test_run();
}
