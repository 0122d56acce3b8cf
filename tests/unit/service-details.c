/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What rules are told: pairs, in the order in which their keys came. */
#include "details.h"

static void append(const char *key, const char *value, gpointer text)
{
    g_string_append_printf(text, "%s=%s;", key, value);
}

static char *to_string(const VbDetails *details)
{
    GString *text = g_string_new(NULL);

    vb_details_each(details, append, text);
    return g_string_free(text, FALSE);
}

static void test_set(void)
{
    g_autoptr(VbDetails) details = vb_details_new();
    g_autofree char *before = NULL, *after = NULL;

    before = to_string(details);
    g_assert_cmpstr(before, ==, "");
    g_assert_null(vb_details_get(details, "method"));

    vb_details_set(details, "method", "a");
    vb_details_set(details, "disk", "vda");
    vb_details_set(details, "method", vb_details_get(details, "disk")); /* its own value */
    vb_details_set(details, "empty", "");
    after = to_string(details);
    g_assert_cmpstr(after, ==, "method=vda;disk=vda;empty=;");
    g_assert_cmpstr(vb_details_get(details, "empty"), ==, "");
}

static void test_copy(void)
{
    g_autoptr(VbDetails) details = vb_details_new(), copy = NULL;
    g_autofree char *text = NULL;

    vb_details_set(details, "driver", "test");
    copy = vb_details_copy(details);
    vb_details_set(details, "driver", "qemu");
    text = to_string(copy);
    g_assert_cmpstr(text, ==, "driver=test;");
    vb_details_free(NULL);
}

/* What is equal has the same hash, in whatever order; each key, value and pairing counts. */
static void test_hash(void)
{
    static const char *const others[][4] = {{"path", "/b", "use", "disk image"},
                                            {"path", "/a", "use", "kernel"},
                                            {"path", "disk image", "use", "/a"},
                                            {"paths", "/a", "use", "disk image"}};
    g_autoptr(VbDetails) details = vb_details_new(), same = vb_details_new();

    vb_details_set(details, "path", "/a");
    vb_details_set(details, "use", "disk image");
    vb_details_set(same, "use", "disk image");
    vb_details_set(same, "path", "/a");
    g_assert_true(vb_details_equal(details, same));
    g_assert_cmpuint(vb_details_hash(details), ==, vb_details_hash(same));
    g_assert_cmpuint(vb_details_hash(NULL), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autoptr(VbDetails) other = vb_details_new();

        vb_details_set(other, others[i][0], others[i][1]);
        vb_details_set(other, others[i][2], others[i][3]);
        g_assert_false(vb_details_equal(details, other));
        g_assert_cmpuint(vb_details_hash(details), !=, vb_details_hash(other));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/details/set", test_set);
    g_test_add_func("/details/copy", test_copy);
    g_test_add_func("/details/hash", test_hash);
    return g_test_run();
}
