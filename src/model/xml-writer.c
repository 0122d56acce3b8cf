/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbXmlWriter: the text so far and the elements that are open. */
#include "xml-writer.h"

#include <stdarg.h>
#include <string.h>

struct VbXmlWriter {
    GString *text;
    GPtrArray *open;   /* names of the open elements */
    gboolean tag_open; /* "<name …" still lacks its ">" */
    gboolean has_text; /* the innermost element holds text: its end tag follows on the line */
};

VbXmlWriter *vb_xml_writer_new(void)
{
    VbXmlWriter *writer = g_new0(VbXmlWriter, 1);

    writer->text = g_string_sized_new(4096);
    writer->open = g_ptr_array_new();
    return writer;
}

char *vb_xml_writer_free_to_string(VbXmlWriter *writer)
{
    g_assert(writer->open->len == 0);
    char *text = g_string_free(writer->text, FALSE);
    g_ptr_array_unref(writer->open);
    g_free(writer);
    return text;
}

static void escape_char(GString *out, char character)
{
    switch (character) {
    case '&':
        g_string_append(out, "&amp;");
        break;
    case '<':
        g_string_append(out, "&lt;");
        break;
    case '>':
        g_string_append(out, "&gt;");
        break;
    default:
        g_string_append_printf(out, "&#%d;", character);
    }
}

/* Most texts have nothing to escape. */
static void escape(GString *out, const char *text, gboolean attribute)
{
    const char *special = attribute ? "&<>\r'\t\n" : "&<>\r";

    while (*text) {
        gsize plain = strcspn(text, special);

        g_string_append_len(out, text, plain);
        text += plain;
        if (*text)
            escape_char(out, *text++);
    }
}

static void indent(VbXmlWriter *writer)
{
    for (guint i = 0; i < writer->open->len; i++)
        g_string_append(writer->text, "  ");
}

static void close_tag(VbXmlWriter *writer)
{
    if (!writer->tag_open)
        return;
    g_string_append(writer->text, ">\n");
    writer->tag_open = FALSE;
}

void vb_xml_write_start(VbXmlWriter *writer, const char *name)
{
    close_tag(writer);
    indent(writer);
    g_string_append_c(writer->text, '<');
    g_string_append(writer->text, name);
    g_ptr_array_add(writer->open, (gpointer)name);
    writer->tag_open = TRUE;
}

void vb_xml_write_end(VbXmlWriter *writer)
{
    const char *name = g_ptr_array_steal_index(writer->open, writer->open->len - 1);

    if (writer->tag_open) {
        g_string_append(writer->text, "/>\n");
    } else {
        if (!writer->has_text)
            indent(writer);
        g_string_append(writer->text, "</");
        g_string_append(writer->text, name);
        g_string_append(writer->text, ">\n");
    }
    writer->tag_open = FALSE;
    writer->has_text = FALSE;
}

void vb_xml_write_attr(VbXmlWriter *writer, const char *name, const char *value)
{
    if (!value)
        return;
    g_assert(writer->tag_open);
    g_string_append_c(writer->text, ' ');
    g_string_append(writer->text, name);
    g_string_append(writer->text, "='");
    escape(writer->text, value, TRUE);
    g_string_append_c(writer->text, '\'');
}

void vb_xml_write_attr_printf(VbXmlWriter *writer, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *value = g_strdup_vprintf(format, args);
    va_end(args);
    vb_xml_write_attr(writer, name, value);
}

void vb_xml_write_yes_no(VbXmlWriter *writer, const char *name, VbTristate value)
{
    if (value != VB_TRISTATE_ABSENT)
        vb_xml_write_attr(writer, name, value == VB_TRISTATE_YES ? "yes" : "no");
}

void vb_xml_write_on_off(VbXmlWriter *writer, const char *name, VbTristate value)
{
    if (value != VB_TRISTATE_ABSENT)
        vb_xml_write_attr(writer, name, value == VB_TRISTATE_YES ? "on" : "off");
}

void vb_xml_write_text(VbXmlWriter *writer, const char *text)
{
    g_assert(writer->tag_open);
    if (!text)
        return;
    g_string_append_c(writer->text, '>');
    escape(writer->text, text, FALSE);
    writer->tag_open = FALSE;
    writer->has_text = TRUE;
}

void vb_xml_write_element(VbXmlWriter *writer, const char *name, const char *text)
{
    if (!text)
        return;
    vb_xml_write_start(writer, name);
    vb_xml_write_text(writer, text);
    vb_xml_write_end(writer);
}

void vb_xml_write_empty(VbXmlWriter *writer, const char *name)
{
    vb_xml_write_start(writer, name);
    vb_xml_write_end(writer);
}

void vb_xml_write_raw(VbXmlWriter *writer, const char *xml)
{
    if (!xml)
        return;
    close_tag(writer);
    indent(writer);
    g_string_append_printf(writer->text, "%s\n", xml);
}
