/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the tests' documents and libvirt's schema. */
#include "model-fixture.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <stdarg.h>
#include <string.h>

#define SCHEMAS "/usr/share/libvirt/schemas/"

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *documents_dir(void)
{
    return g_test_build_filename(G_TEST_DIST, "unit", "data", "domain-xml", NULL);
}

GPtrArray *model_documents(void)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autofree char *path = documents_dir();
    g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
    const char *name;

    g_assert_no_error(error);
    while ((name = g_dir_read_name(dir)))
        if (g_str_has_suffix(name, ".xml"))
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    g_assert_cmpuint(names->len, >=, 10);
    return names;
}

char *model_read_document(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = documents_dir();
    g_autofree char *path = g_build_filename(dir, name, NULL);
    char *xml = NULL;

    g_file_get_contents(path, &xml, NULL, &error);
    g_assert_no_error(error);
    return xml;
}

VbDomainDef *model_define(const char *xml, VbXmlFlags flags)
{
    g_autoptr(GError) error = NULL;
    VbDomainDef *def = vb_domain_def_parse(xml, -1, flags, &error);

    g_assert_no_error(error);
    g_assert_nonnull(def);
    vb_domain_def_assign_addresses(def, &error);
    g_assert_no_error(error);
    return def;
}

char *model_document(const char *machine, const char *devices)
{
    return g_strdup_printf("<domain type='qemu'><name>test</name>"
                           "<uuid>c0ffee00-0000-4000-8000-00000000babe</uuid>"
                           "<memory>65536</memory><os><type machine='%s'>hvm</type></os>"
                           "<devices>%s</devices></domain>",
                           machine, devices);
}

void model_assert_error(GError **error, VbError code, ...)
{
    va_list texts;
    const char *text;

    g_assert_nonnull(*error);
    va_start(texts, code);
    while ((text = va_arg(texts, const char *)))
        if (!strstr((*error)->message, text))
            g_error("'%s' is not in the message '%s'", text, (*error)->message);
    va_end(texts);
    g_assert_error(*error, VB_ERROR, (int)code);
    g_assert_null(strchr((*error)->message, '\n'));
    g_clear_error(error);
}

static char *schema_path(const char *kind)
{
    return g_strconcat(SCHEMAS, kind, ".rng", NULL);
}

gboolean model_has_schema_of(const char *kind)
{
    g_autofree char *path = schema_path(kind);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

gboolean model_has_schema(void)
{
    return model_has_schema_of("domain");
}

static void collect_message(void *data, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void collect_message(void *data, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_string_append_vprintf(data, format, args);
    va_end(args);
}

gboolean model_is_valid_as(const char *kind, const char *document, char **ret_message)
{
    /* Kept for the life of the program: it takes longer to read than all documents together. */
    static xmlRelaxNG *schema;
    static char *schema_kind;
    g_autoptr(GString) message = g_string_new(NULL);

    if (!model_has_schema_of(kind))
        return TRUE;
    g_assert_true(!schema_kind || g_str_equal(kind, schema_kind));
    if (!schema) {
        g_autofree char *path = schema_path(kind);
        xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(path);

        schema_kind = g_strdup(kind);
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

gboolean model_is_valid(const char *document, char **ret_message)
{
    return model_is_valid_as("domain", document, ret_message);
}
