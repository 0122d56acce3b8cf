/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbXmlReader: a parsed document and what of it has been understood. Each node's _private
 * pointer holds the marks; vb_xml_reader_finish() walks the tree once for what has none. */
#include "xml-reader.h"

#include <libxml/c14n.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdarg.h>
#include <string.h>

#include "words.h"
#include "xml-limits.h"

#define MAX_QUOTED 1000u /* bytes of a message */

struct VbXmlReader {
    xmlDoc *doc;
    GError *error; /* the first one */
};

/* Marks in xmlNode._private and xmlAttr._private. */
enum {
    MARK_SEEN = 1 << 0, /* the element or attribute was asked for */
    MARK_TEXT = 1 << 1, /* and so was its text */
    MARK_TREE = 1 << 2, /* and all that is in it */
    MARK_TAKE = 1 << 3, /* the element is to be written by vb_xml_take() */
};

/* What a document did that stopped its parser. */
typedef struct {
    gboolean has_dtd;
    int line; /* where */
} ParseState;

static void add_mark(void **private, guint mark)
{
    *private = GUINT_TO_POINTER(GPOINTER_TO_UINT(*private) | mark);
}

static gboolean has_mark(void *private, guint mark)
{
    return (GPOINTER_TO_UINT(private) & mark) != 0;
}

/* Called at `<!DOCTYPE`, before anything of the DTD is read. */
static void on_dtd(void *context, const xmlChar *name, const xmlChar *external_id,
                   const xmlChar *system_id)
{
    xmlParserCtxt *parser = context;
    ParseState *state = parser->_private;

    state->has_dtd = TRUE;
    state->line = xmlSAX2GetLineNumber(context);
    xmlStopParser(parser);
}

/* What a document says may be quoted, but not at any length. (transfer full) */
static char *cut(const char *text)
{
    gsize size = strnlen(text, MAX_QUOTED + 1);

    if (size <= MAX_QUOTED)
        return g_strdup(text);
    g_autofree char *begin = g_utf8_make_valid(text, MAX_QUOTED);
    return g_strconcat(begin, "…", NULL);
}

/* The first mistake is the last that is looked at: a document may have millions. */
static void on_mistake(void *context, xmlError *error)
{
    if (error->level == XML_ERR_FATAL)
        xmlStopParser(context);
}

static xmlDoc *parse_document(const char *xml, gsize len, GError **error)
{
    ParseState state = {0};
    xmlParserCtxt *parser = xmlNewParserCtxt();

    if (!parser)
        g_error("out of memory");
    parser->_private = &state;
    parser->sax->internalSubset = on_dtd;
    parser->sax->serror = on_mistake;
    xmlDoc *doc = xmlCtxtReadMemory(
        parser, xml, (int)len, NULL, "UTF-8",
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES |
            XML_PARSE_IGNORE_ENC); /* it is UTF-8, whatever it declares */
    if (state.has_dtd || !parser->wellFormed)
        g_clear_pointer(&doc, xmlFreeDoc);

    if (state.has_dtd) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML,
                    "line %d: the document has a DTD, which is not allowed", state.line);
    } else if (!doc) {
        const xmlError *failure = xmlCtxtGetLastError(parser);
        g_autofree char *message = cut(failure ? failure->message : "no document");

        g_strdelimit(g_strchomp(message), "\r\n", ' ');
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML, "line %d: not well-formed XML: %s",
                    failure ? failure->line : 1, message);
    }
    xmlFreeParserCtxt(parser);
    return doc;
}

VbXmlReader *vb_xml_reader_new(const char *xml, gssize len, gsize max_size, const char *root,
                               GError **error)
{
    gsize size = len < 0 ? strlen(xml) : (gsize)len;
    const char *end = NULL;

    if (size > max_size) {
        g_set_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED,
                    "the document has %" G_GSIZE_FORMAT " bytes, more than %" G_GSIZE_FORMAT, size,
                    max_size);
        return NULL;
    }
    if (!g_utf8_validate_len(xml, size, &end)) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML,
                    "the document is not UTF-8 text at byte %" G_GSIZE_FORMAT, (gsize)(end - xml));
        return NULL;
    }
    if (!vb_xml_limits_check(xml, size, max_size > VB_XML_MAX_SIZE, error))
        return NULL;
    xmlDoc *doc = parse_document(xml, size, error);
    if (!doc)
        return NULL;

    g_autoptr(VbXmlReader) reader = g_new0(VbXmlReader, 1);
    reader->doc = doc;
    VbXmlElement *element = vb_xml_reader_root(reader);
    if (element->ns || g_strcmp0(vb_xml_name(element), root) != 0) {
        g_autofree char *name = cut(vb_xml_name(element));
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML,
                    "line %u: the document's element is <%s>, not <%s>", vb_xml_line(element), name,
                    root);
        return NULL;
    }
    vb_xml_accept(element);
    return g_steal_pointer(&reader);
}

void vb_xml_reader_free(VbXmlReader *reader)
{
    if (!reader)
        return;
    xmlFreeDoc(reader->doc);
    g_clear_error(&reader->error);
    g_free(reader);
}

VbXmlElement *vb_xml_reader_root(VbXmlReader *reader)
{
    return xmlDocGetRootElement(reader->doc);
}

gboolean vb_xml_reader_failed(VbXmlReader *reader)
{
    return reader->error != NULL;
}

static char *where_is(VbXmlElement *element)
{
    g_autoptr(GString) path = g_string_new(NULL);
    for (xmlNode *node = element; node && node->type == XML_ELEMENT_NODE; node = node->parent) {
        if (path->len > 0)
            g_string_prepend_c(path, '/');
        g_string_prepend(path, (const char *)node->name);
        if (node->ns && node->ns->prefix) {
            g_string_prepend_c(path, ':');
            g_string_prepend(path, (const char *)node->ns->prefix);
        }
    }
    return g_strdup_printf("line %u: %s", vb_xml_line(element), path->str);
}

void vb_xml_fail(VbXmlReader *reader, VbXmlElement *element, VbError code, const char *format, ...)
{
    if (reader->error)
        return;
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *where = where_is(element);
    g_autofree char *short_where = cut(where);
    g_autofree char *short_message = cut(message);
    reader->error = g_error_new(VB_ERROR, (int)code, "%s: %s", short_where, short_message);
}

void vb_xml_fail_value(VbXmlReader *reader, VbXmlElement *element, const char *attribute,
                       const char *value)
{
    vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute '%s': '%s' is not supported",
                attribute, value);
}

/* --- what is left over --- */

static gboolean is_blank(const xmlChar *text)
{
    return !text || text[strspn((const char *)text, " \t\r\n")] == '\0';
}

static void report_element(VbXmlReader *reader, xmlNode *element, const char *const *unsupported)
{
    for (xmlNode *sibling = element->prev; sibling; sibling = sibling->prev)
        if (sibling->type == XML_ELEMENT_NODE && xmlStrEqual(sibling->name, element->name) &&
            !sibling->ns == !element->ns && has_mark(sibling->_private, MARK_SEEN)) {
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the element is given twice");
            return;
        }
    if (element->ns)
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED,
                    "elements of the namespace %s are not supported here",
                    (const char *)element->ns->href);
    else if (unsupported && g_strv_contains(unsupported, (const char *)element->name))
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED, "the element is not supported");
    else
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the element is not understood");
}

static void check_element(VbXmlReader *reader, xmlNode *element, const char *const *unsupported)
{
    if (has_mark(element->_private, MARK_TREE))
        return;
    for (xmlAttr *attribute = element->properties; attribute; attribute = attribute->next)
        if (!has_mark(attribute->_private, MARK_SEEN))
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute '%s' is not understood",
                        (const char *)attribute->name);
    for (xmlNode *child = element->children; child && !reader->error; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            if (has_mark(child->_private, MARK_SEEN))
                check_element(reader, child, unsupported);
            else
                report_element(reader, child, unsupported);
        } else if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) {
            if (!is_blank(child->content) && !has_mark(element->_private, MARK_TEXT))
                vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "text is not expected here");
        } else if (child->type != XML_COMMENT_NODE && child->type != XML_PI_NODE) {
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the content is not understood");
        }
    }
}

gboolean vb_xml_reader_finish(VbXmlReader *reader, const char *const *unsupported, GError **error)
{
    if (!reader->error)
        check_element(reader, vb_xml_reader_root(reader), unsupported);
    if (!reader->error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reader->error));
    return FALSE;
}

/* --- elements --- */

const char *vb_xml_name(VbXmlElement *element)
{
    return (const char *)element->name;
}

guint vb_xml_line(VbXmlElement *element)
{
    long line = xmlGetLineNo(element);

    return line > 0 ? (guint)line : 0;
}

guint vb_xml_line_of(VbXmlReader *reader, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    VbXmlElement *element = vb_xml_reader_root(reader);

    for (char **name = names; *name; name++) {
        VbXmlElement *child = NULL;

        while ((child = vb_xml_next_any(element, child)) && !g_str_equal(vb_xml_name(child), *name))
            ;
        if (!child)
            break;
        element = child;
    }
    return vb_xml_line(element);
}

void vb_xml_accept(VbXmlElement *element)
{
    add_mark(&element->_private, MARK_SEEN);
}

VbXmlElement *vb_xml_next_any(VbXmlElement *parent, VbXmlElement *previous)
{
    xmlNode *node = previous ? previous->next : parent->children;

    while (node && (node->type != XML_ELEMENT_NODE || node->ns))
        node = node->next;
    return node;
}

VbXmlElement *vb_xml_next(VbXmlReader *reader, VbXmlElement *parent, VbXmlElement *previous,
                          const char *name)
{
    VbXmlElement *element = previous;

    while ((element = vb_xml_next_any(parent, element)))
        if (g_str_equal(vb_xml_name(element), name)) {
            vb_xml_accept(element);
            return element;
        }
    return NULL;
}

VbXmlElement *vb_xml_child(VbXmlReader *reader, VbXmlElement *parent, const char *name)
{
    return vb_xml_next(reader, parent, NULL, name);
}

VbXmlElement *vb_xml_required_child(VbXmlReader *reader, VbXmlElement *parent, const char *name)
{
    VbXmlElement *element = vb_xml_child(reader, parent, name);

    if (!element)
        vb_xml_fail(reader, parent, VB_ERROR_INVALID_XML, "element <%s> is missing", name);
    return element;
}

/* --- strings --- */

/* Takes a libxml2 string over into one of GLib's. */
static char *take_string(xmlChar *string)
{
    char *copy = g_strdup(string ? (const char *)string : "");

    xmlFree(string);
    return copy;
}

static gboolean has_control_character(const char *string, const char *allowed)
{
    for (const char *p = string; *p; p = g_utf8_next_char(p))
        if (g_unichar_iscntrl(g_utf8_get_char(p)) && (!allowed || !strchr(allowed, *p)))
            return TRUE;
    return FALSE;
}

static gboolean parse_uint64(const char *string, gboolean hex, guint64 *ret_value)
{
    g_autofree char *trimmed = g_strstrip(g_strdup(string));

    if (hex && (g_str_has_prefix(trimmed, "0x") || g_str_has_prefix(trimmed, "0X")))
        return g_ascii_string_to_unsigned(trimmed + 2, 16, 0, G_MAXUINT64, ret_value, NULL);
    return g_ascii_string_to_unsigned(trimmed, 10, 0, G_MAXUINT64, ret_value, NULL);
}

char *vb_xml_attr(VbXmlReader *reader, VbXmlElement *element, const char *name)
{
    xmlAttr *attribute = xmlHasNsProp(element, (const xmlChar *)name, NULL);
    if (!attribute)
        return NULL;

    add_mark(&attribute->_private, MARK_SEEN);
    g_autofree char *value = take_string(xmlNodeListGetString(reader->doc, attribute->children, 1));
    if (has_control_character(value, NULL)) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s' holds a control character", name);
        return NULL;
    }
    return g_steal_pointer(&value);
}

char *vb_xml_required_attr(VbXmlReader *reader, VbXmlElement *element, const char *name)
{
    g_autofree char *value = vb_xml_attr(reader, element, name);

    if (!value || !value[0])
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute '%s' is missing", name);
    return g_steal_pointer(&value);
}

char *vb_xml_path_attr(VbXmlReader *reader, VbXmlElement *element, const char *name)
{
    g_autofree char *value = vb_xml_attr(reader, element, name);

    if (value && !vb_is_file_path(value)) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s': '%s' is not an absolute path", name, value);
        return NULL;
    }
    return g_steal_pointer(&value);
}

static gboolean number_attr(VbXmlReader *reader, VbXmlElement *element, const char *name,
                            gboolean hex, guint min, guint max, guint *ret_value)
{
    g_autofree char *value = vb_xml_attr(reader, element, name);
    guint64 number;

    if (!value)
        return FALSE;
    if (!parse_uint64(value, hex, &number) || number < min || number > max) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s': '%s' is not a number from %u to %u", name, value, min, max);
        return FALSE;
    }
    *ret_value = (guint)number;
    return TRUE;
}

gboolean vb_xml_uint_attr(VbXmlReader *reader, VbXmlElement *element, const char *name, guint min,
                          guint max, guint *ret_value)
{
    return number_attr(reader, element, name, FALSE, min, max, ret_value);
}

gboolean vb_xml_hex_attr(VbXmlReader *reader, VbXmlElement *element, const char *name, guint max,
                         guint *ret_value)
{
    return number_attr(reader, element, name, TRUE, 0, max, ret_value);
}

gboolean vb_xml_int_attr(VbXmlReader *reader, VbXmlElement *element, const char *name, int min,
                         int max, int *ret_value)
{
    g_autofree char *value = vb_xml_attr(reader, element, name);
    gint64 number;

    if (!value)
        return FALSE;
    if (!g_ascii_string_to_signed(g_strstrip(value), 10, min, max, &number, NULL)) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s': '%s' is not a number from %d to %d", name, value, min, max);
        return FALSE;
    }
    *ret_value = (int)number;
    return TRUE;
}

static void tristate_attr(VbXmlReader *reader, VbXmlElement *element, const char *name,
                          const char *yes, const char *no, VbTristate *ret_value)
{
    g_autofree char *value = vb_xml_attr(reader, element, name);

    if (!value)
        return;
    if (g_str_equal(value, yes))
        *ret_value = VB_TRISTATE_YES;
    else if (g_str_equal(value, no))
        *ret_value = VB_TRISTATE_NO;
    else
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "attribute '%s': '%s' is neither '%s' nor '%s'", name, value, yes, no);
}

void vb_xml_yes_no_attr(VbXmlReader *reader, VbXmlElement *element, const char *name,
                        VbTristate *ret_value)
{
    tristate_attr(reader, element, name, "yes", "no", ret_value);
}

void vb_xml_on_off_attr(VbXmlReader *reader, VbXmlElement *element, const char *name,
                        VbTristate *ret_value)
{
    tristate_attr(reader, element, name, "on", "off", ret_value);
}

static char *element_text(VbXmlReader *reader, VbXmlElement *element, const char *allowed)
{
    g_autoptr(GString) text = g_string_new(NULL);

    add_mark(&element->_private, MARK_TEXT);
    for (xmlNode *child = element->children; child; child = child->next)
        if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE)
            g_string_append(text, child->content ? (const char *)child->content : "");
    if (has_control_character(text->str, allowed)) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "the text holds a control character");
        return NULL;
    }
    return text->len > 0 ? g_strdup(text->str) : NULL;
}

char *vb_xml_text(VbXmlReader *reader, VbXmlElement *element)
{
    return element_text(reader, element, NULL);
}

char *vb_xml_prose(VbXmlReader *reader, VbXmlElement *element)
{
    return element_text(reader, element, "\t\n\r");
}

char *vb_xml_path_text(VbXmlReader *reader, VbXmlElement *element)
{
    g_autofree char *text = vb_xml_text(reader, element);

    if (text && !vb_is_file_path(text)) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'%s' is not an absolute path", text);
        return NULL;
    }
    return g_steal_pointer(&text);
}

guint64 vb_xml_uint64_text(VbXmlReader *reader, VbXmlElement *element, guint64 max)
{
    g_autofree char *text = element_text(reader, element, "\t\n\r");
    guint64 number;

    if (!text || !parse_uint64(text, FALSE, &number) || number > max) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "'%s' is not a number from 0 to %" G_GUINT64_FORMAT, text ? text : "", max);
        return 0;
    }
    return number;
}

char *vb_xml_child_text(VbXmlReader *reader, VbXmlElement *parent, const char *name)
{
    VbXmlElement *child = vb_xml_child(reader, parent, name);

    return child ? vb_xml_text(reader, child) : NULL;
}

char *vb_xml_child_path(VbXmlReader *reader, VbXmlElement *parent, const char *name)
{
    VbXmlElement *child = vb_xml_child(reader, parent, name);

    return child ? vb_xml_path_text(reader, child) : NULL;
}

static void mark_elements(xmlNode *element)
{
    add_mark(&element->_private, MARK_TAKE);
    for (xmlNode *child = element->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            mark_elements(child);
}

/* Is the element of the node (of a namespace: `parent`) to be written? */
static int is_marked(void *data, xmlNode *node, xmlNode *parent)
{
    const xmlNode *element = node->type == XML_ELEMENT_NODE     ? node
                             : node->type == XML_NAMESPACE_DECL ? parent
                                                                : node->parent;

    return element && has_mark(element->_private, MARK_TAKE);
}

/* What C14N has to say comes back as a result; without this it goes to stderr as well. */
static void ignore_error(void *data, xmlError *error)
{
}

char *vb_xml_take(VbXmlReader *reader, VbXmlElement *element)
{
    for (xmlNode *child = element->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            add_mark(&child->_private, MARK_SEEN | MARK_TREE);
    mark_elements(element);

    xmlOutputBuffer *buffer = xmlAllocOutputBuffer(NULL);
    if (!buffer)
        g_error("out of memory");
    char *canonical = NULL;
    xmlSetStructuredErrorFunc(NULL, ignore_error);
    if (xmlC14NExecute(reader->doc, is_marked, NULL, XML_C14N_1_0, NULL, 1, buffer) >= 0)
        canonical = g_strndup((const char *)xmlOutputBufferGetContent(buffer),
                              xmlOutputBufferGetSize(buffer));
    else
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML,
                    "the content has no canonical form (a relative namespace name?)");
    xmlSetStructuredErrorFunc(NULL, NULL);
    xmlOutputBufferClose(buffer);
    return canonical;
}
