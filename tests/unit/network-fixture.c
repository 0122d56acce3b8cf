/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the documents of networks and libvirt's schema for them. */
#include "network-fixture.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <stdarg.h>
#include <string.h>

#define SCHEMA "/usr/share/libvirt/schemas/network.rng"

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

gboolean network_has_schema(void)
{
    return g_file_test(SCHEMA, G_FILE_TEST_EXISTS);
}

static void collect_message(void *data, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void collect_message(void *data, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_string_append_vprintf(data, format, args);
    va_end(args);
}

gboolean network_is_valid(const char *document, char **ret_message)
{
    static xmlRelaxNG *schema;
    g_autoptr(GString) message = g_string_new(NULL);

    if (!network_has_schema())
        return TRUE;
    if (!schema) {
        xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(SCHEMA);
        schema = xmlRelaxNGParse(parser);
        xmlRelaxNGFreeParserCtxt(parser);
    }
    g_assert_nonnull(schema);
    xmlDoc *doc = xmlReadMemory(document, (int)strlen(document), NULL, NULL, XML_PARSE_NONET);
    g_assert_nonnull(doc);
    xmlRelaxNGValidCtxt *validator = xmlRelaxNGNewValidCtxt(schema);
    xmlRelaxNGSetValidErrors(validator, collect_message, collect_message, message);
    int result = xmlRelaxNGValidateDoc(validator, doc);
    xmlRelaxNGFreeValidCtxt(validator);
    xmlFreeDoc(doc);
    if (result != 0)
        *ret_message = g_strdup(message->str);
    return result == 0;
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
    if (!network_is_valid(dump, &message))
        g_error("%s\n%s", message, dump);
}
