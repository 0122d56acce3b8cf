/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of errors is whole and its names are distinct; foreign errors are Failed. */
#include "errors.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

static void test_table(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint code = 0; code < VB_N_ERRORS; code++) {
        const VbErrorInfo *info = vb_error_info(code);

        g_test_message("%u %s", code, info->bus_name);
        g_assert_cmpuint(info->code, ==, code);
        g_assert_true(sd_bus_interface_name_is_valid(info->bus_name));
        g_assert_true(g_str_has_prefix(info->bus_name, "org.virtbus1.Error.") ||
                      g_str_has_prefix(info->bus_name, "org.freedesktop.DBus.Error."));
        g_assert_true(g_hash_table_add(names, (gpointer)info->bus_name));
        g_assert_true(g_str_has_suffix(info->meaning, "."));
        g_assert_true(g_str_has_suffix(info->advice, "."));
        g_assert_null(strchr(info->meaning, '\n'));
        g_assert_null(strchr(info->advice, '\n'));
    }
    g_assert_cmpuint(g_hash_table_size(names), ==, VB_N_ERRORS);
}

static void assert_bus_error(GQuark domain, int code, const char *message, const char *name,
                             const char *line)
{
    g_autoptr(GError) error = g_error_new_literal(domain, code, message);
    sd_bus_error bus_error = SD_BUS_ERROR_NULL;

    vb_error_to_bus(error, &bus_error);
    g_assert_cmpstr(bus_error.name, ==, name);
    g_assert_cmpstr(bus_error.message, ==, line);
    sd_bus_error_free(&bus_error);
}

static void test_to_bus(void)
{
    assert_bus_error(VB_ERROR, VB_ERROR_NO_BLOCK_JOB, "no job", "org.virtbus1.Error.NoBlockJob",
                     "no job");
    assert_bus_error(VB_ERROR, VB_ERROR_ACCESS_DENIED, "no",
                     "org.freedesktop.DBus.Error.AccessDenied", "no");
    assert_bus_error(G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "x", "org.virtbus1.Error.Failed", "x");
    assert_bus_error(VB_ERROR, 4711, "x", "org.virtbus1.Error.Failed", "x");
    assert_bus_error(VB_ERROR, VB_ERROR_HYPERVISOR, "two\nlines\t\x1b[1m\xff\n",
                     "org.virtbus1.Error.Hypervisor", "two lines  [1m\xef\xbf\xbd");
}

/* What somebody sent and we repeat does not come back whole. */
static void test_long(void)
{
    g_autofree char *text = g_strnfill(1 << 20, 'x'), *fits = g_strnfill(VB_ERROR_LINE_MAX, 'y');
    g_autofree char *line = vb_error_line(text), *same = vb_error_line(fits);
    g_autofree char *nothing = vb_error_line(NULL);

    g_assert_cmpuint(strlen(line), ==, VB_ERROR_LINE_MAX + strlen("…"));
    g_assert_true(g_str_has_suffix(line, "x…"));
    g_assert_cmpstr(same, ==, fits);
    g_assert_cmpstr(nothing, ==, "");
    memcpy(text + VB_ERROR_LINE_MAX - 1, "ä", strlen("ä"));
    g_free(line);
    line = vb_error_line(text);
    g_assert_true(g_utf8_validate(line, -1, NULL));
    g_assert_true(g_str_has_suffix(line, "x\xef\xbf\xbd…"));
}

static void test_errno(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(vb_error_set_errno(&error, -ENOENT, "cannot open %s", "x"));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_true(g_str_has_prefix(error->message, "cannot open x: "));
    g_assert_nonnull(strstr(error->message, g_strerror(ENOENT)));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/errors/table", test_table);
    g_test_add_func("/service/errors/to-bus", test_to_bus);
    g_test_add_func("/service/errors/long", test_long);
    g_test_add_func("/service/errors/errno", test_errno);
    return g_test_run();
}
