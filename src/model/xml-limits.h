/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is looked at in a document before libxml2 sees it. A parser's work must not grow faster than
 * its document: libxml2 compares each attribute and each namespace of an element with all others,
 * and what it builds takes up to fifty times the document's size. Called by xml-reader.c. */
#pragma once

#include <glib.h>

#define VB_XML_MAX_DEPTH 240      /* a chain of 200 images nests as deep; libxml2 ends at 256 */
#define VB_XML_MAX_ITEMS 100000   /* tags, attributes, comments and the like */
#define VB_XML_MAX_ATTRIBUTES 256 /* of one element */
#define VB_XML_MAX_NAMESPACES 64  /* declarations in the document */

/* What canonical XML looks up: for each element, each namespace that is declared, at each level. */
#define VB_XML_MAX_LOOKUPS 10000000

/* FALSE with VB_ERROR_LIMITS_EXCEEDED, which names the line and the limit. A document that is not
 * well-formed is checked up to there. `stored`: virtbus has written it, and what it adds to a
 * document must not make it unreadable, so there may be four times as much of all but depth. */
gboolean vb_xml_limits_check(const char *xml, gsize size, gboolean stored, GError **error);
