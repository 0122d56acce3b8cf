/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A walk over the markup: it knows tags, their quoted values, comments, instructions and CDATA
 * sections, which is all that is needed to count. */
#include "xml-limits.h"

#include <string.h>

#include "error.h"

typedef struct {
    const char *at, *end;
    guint factor; /* of the limits */
    guint items;
    guint namespaces;
    guint depth;
    guint64 lookups;
} Walk;

static gboolean starts(const Walk *walk, const char *text)
{
    gsize size = strlen(text);

    return (gsize)(walk->end - walk->at) >= size && memcmp(walk->at, text, size) == 0;
}

/* Behind the next `text`, or at the end. */
static void skip_behind(Walk *walk, const char *text)
{
    while ((walk->at = memchr(walk->at, *text, (gsize)(walk->end - walk->at)))) {
        if (starts(walk, text)) {
            walk->at += strlen(text);
            return;
        }
        walk->at++;
    }
    walk->at = walk->end;
}

static gboolean is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* From behind the '<' of a tag to behind its '>'. NULL, or what there is too much of. */
static const char *walk_tag(Walk *walk)
{
    gboolean closes = starts(walk, "/");
    guint attributes = 0;

    while (walk->at < walk->end && *walk->at != '>') {
        char c = *walk->at++;
        if (c == '"' || c == '\'') {
            const char *close = memchr(walk->at, c, (gsize)(walk->end - walk->at));
            walk->at = close ? close + 1 : walk->end;
        } else if (c == '=') {
            walk->items++;
            if (++attributes > VB_XML_MAX_ATTRIBUTES * walk->factor)
                return "an element has more than " G_STRINGIFY(VB_XML_MAX_ATTRIBUTES) " attributes";
        } else if (is_blank(c) && starts(walk, "xmlns")) {
            if (++walk->namespaces > VB_XML_MAX_NAMESPACES * walk->factor)
                return "the document declares more than " G_STRINGIFY(
                    VB_XML_MAX_NAMESPACES) " namespaces";
        }
    }
    walk->lookups += (guint64)walk->namespaces * walk->depth;
    if (closes)
        walk->depth -= walk->depth > 0;
    else if (walk->depth == VB_XML_MAX_DEPTH)
        return "the document is nested deeper than " G_STRINGIFY(VB_XML_MAX_DEPTH) " elements";
    else if (walk->at < walk->end && walk->at[-1] != '/')
        walk->depth++;
    return walk->lookups > (guint64)VB_XML_MAX_LOOKUPS * walk->factor
               ? "the document declares too many namespaces for so many elements"
               : NULL;
}

/* From a '<' on. */
static const char *walk_markup(Walk *walk)
{
    if (!starts(walk, "</"))
        walk->items++;
    if (starts(walk, "<!--")) {
        walk->at += strlen("<!--");
        skip_behind(walk, "-->");
    } else if (starts(walk, "<![CDATA[")) {
        skip_behind(walk, "]]>");
    } else if (starts(walk, "<?")) {
        skip_behind(walk, "?>");
    } else if (starts(walk, "<!")) {
        walk->at = walk->end; /* a DTD: nobody will read further */
    } else {
        walk->at++;
        return walk_tag(walk);
    }
    return NULL;
}

static guint count_lines(const char *xml, const char *end)
{
    guint n = 1;

    while ((xml = memchr(xml, '\n', (gsize)(end - xml)))) {
        xml++;
        n++;
    }
    return n;
}

gboolean vb_xml_limits_check(const char *xml, gsize size, gboolean stored, GError **error)
{
    Walk walk = {.at = xml, .end = xml + size, .factor = stored ? 4 : 1};
    const char *too_much = NULL;

    while (!too_much && (walk.at = memchr(walk.at, '<', (gsize)(walk.end - walk.at)))) {
        too_much = walk_markup(&walk);
        if (!too_much && walk.items > VB_XML_MAX_ITEMS * walk.factor)
            too_much =
                "the document has more than " G_STRINGIFY(VB_XML_MAX_ITEMS) " tags and attributes";
    }
    if (!too_much)
        return TRUE;
    g_set_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED, "line %u: %s", count_lines(xml, walk.at),
                too_much);
    return FALSE;
}
