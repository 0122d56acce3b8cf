/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * qmp-args.c and json-get.c: what is built is what is read, and nothing hostile trips a getter. */
#include "qmp-args.h"

#include "json-get.h"
#include "json-limits.h"

static void test_build(void)
{
    static const char *const modes[] = {"a", "b", NULL};
    const char *absent = NULL;
    g_autofree char *text = vb_qmp_args_to_string(vb_qmp_args(
        VB_ARG_STRING("job-id", "j\"1\n"), VB_ARG_STRING("base", absent),
        VB_ARG_INT("speed", G_GINT64_CONSTANT(9007199254740993)),
        VB_ARG_IF(FALSE, VB_ARG_INT("never", 1)), VB_ARG_IF(TRUE, VB_ARG_INT("x", 1)),
        VB_ARG_BOOL("auto-dismiss", FALSE), VB_ARG_STRV("modes", modes), VB_ARG_STRV("none", NULL),
        VB_ARG_OBJECT("file", vb_qmp_args(VB_ARG_INT("n", 2))), VB_ARG_OBJECT("no-file", NULL),
        VB_ARG_ARRAY("list", json_array_new()), VB_ARG_ARRAY("no-list", NULL)));

    g_assert_cmpstr(
        text, ==,
        "{\"job-id\":\"j\\\"1\\n\",\"speed\":9007199254740993,\"x\":1,"
        "\"auto-dismiss\":false,\"modes\":[\"a\",\"b\"],\"file\":{\"n\":2},\"list\":[]}");
}

static void test_add(void)
{
    JsonObject *object = vb_qmp_args(VB_ARG_STRING("driver", "qcow2"));
    g_autofree char *text = NULL;

    vb_qmp_args_add(object, VB_ARG_BOOL("read-only", TRUE));
    text = vb_qmp_args_to_string(object);
    g_assert_cmpstr(text, ==, "{\"driver\":\"qcow2\",\"read-only\":true}");
}

static void test_get(void)
{
    static const char document[] =
        "{\"s\": \"text\", \"i\": 7, \"neg\": -1, \"d\": 1.5, \"b\": true, \"n\": null, "
        "\"o\": {}, \"a\": [{}, \"x\", 1]}";
    static const char *const names[] = {"s", "i", "neg", "d", "b", "n", "o", "a", "absent"};
    g_autoptr(JsonNode) node = vb_json_parse(document, sizeof document - 1, NULL);
    JsonObject *object = vb_json_node_object(node);
    JsonArray *array = vb_json_get_array(object, "a");

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *name = names[i];
        gint64 number = 42;
        guint64 size = 42;
        g_assert_cmpstr(vb_json_get_string(object, name), ==,
                        g_str_equal(name, "s") ? "text" : NULL);
        g_assert_true((vb_json_get_object(object, name) != NULL) == g_str_equal(name, "o"));
        g_assert_true((vb_json_get_array(object, name) != NULL) == g_str_equal(name, "a"));
        g_assert_true(vb_json_get_bool(object, name, FALSE) == g_str_equal(name, "b"));
        g_assert_true(vb_json_get_bool(object, name, TRUE));
        g_assert_true(vb_json_get_int(object, name, &number) ==
                      (g_str_equal(name, "i") || g_str_equal(name, "neg")));
        g_assert_true(vb_json_get_size(object, name, &size) == g_str_equal(name, "i"));
        g_assert_cmpuint(size, ==, g_str_equal(name, "i") ? 7 : 42);
    }
    g_assert_nonnull(vb_json_array_object(array, 0));
    g_assert_null(vb_json_array_object(array, 1));
    g_assert_null(vb_json_array_object(array, 3));
    g_assert_null(vb_json_array_string(array, 0));
    g_assert_cmpstr(vb_json_array_string(array, 1), ==, "x");
    g_assert_null(vb_json_array_string(array, 2));
    g_assert_null(vb_json_array_string(NULL, 0));
    g_assert_null(vb_json_get_string(NULL, "s"));
    g_assert_null(vb_json_node_array(node));
    g_assert_null(vb_json_node_object(NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/args/build", test_build);
    g_test_add_func("/args/add", test_add);
    g_test_add_func("/args/get", test_get);
    return g_test_run();
}
