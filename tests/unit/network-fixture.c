/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the documents of networks. */
#include "network-fixture.h"

#include "model-fixture.h"

char *network_documents_dir(void)
{
    return g_test_build_filename(G_TEST_DIST, "unit", "data", "network-xml", NULL);
}

char *network_read_document(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = network_documents_dir();
    g_autofree char *path = g_build_filename(dir, name, NULL);
    char *xml = NULL;

    g_file_get_contents(path, &xml, NULL, &error);
    g_assert_no_error(error);
    return xml;
}

void network_add_document_tests(const char *prefix, const char *dir, GTestDataFunc test)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) files = g_dir_open(dir, 0, &error);
    const char *name;
    guint n = 0;

    g_assert_no_error(error);
    while ((name = g_dir_read_name(files))) {
        if (!g_str_has_suffix(name, ".xml"))
            continue;
        g_autofree char *test_path = g_strconcat(prefix, name, NULL);

        g_test_add_data_func_full(test_path, g_build_filename(dir, name, NULL), test, g_free);
        n++;
    }
    g_assert_cmpuint(n, >=, 10);
}

VbNetworkDef *network_define(const char *xml, VbXmlFlags flags)
{
    g_autoptr(GError) error = NULL;
    VbNetworkDef *def = vb_network_def_parse(xml, -1, flags, &error);

    if (!def)
        g_error("%s\n%s", error->message, xml);
    g_assert_no_error(error);
    return def;
}

void network_check_round_trip(const char *xml, VbXmlFlags flags, VbFormatFlags format)
{
    g_autoptr(VbNetworkDef) def = network_define(xml, flags);
    g_autofree char *dump = vb_network_def_format(def, format);
    g_autoptr(VbNetworkDef) again = network_define(dump, flags);
    g_autofree char *second = vb_network_def_format(again, format);
    g_autoptr(VbNetworkDef) copy = vb_network_def_copy(again);
    g_autofree char *third = vb_network_def_format(copy, format);
    g_autoptr(GError) error = NULL;
    g_autofree char *message = NULL;

    g_assert_cmpstr(dump, ==, second);
    g_assert_cmpstr(dump, ==, third);
    g_assert_true(g_str_has_suffix(dump, "</network>\n"));
    vb_network_def_validate(copy, &error);
    g_assert_no_error(error);
    if (!model_is_valid_as("network", dump, &message))
        g_error("%s\n%s", message, dump);
}
