/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the definitions of all kinds of objects have: a name, a UUID, and errors that say where. */
#pragma once

#include "xml-reader.h"

/* 1 to 255 bytes of UTF-8, not all of them blank, without '/' and control characters; neither "."
 * nor "..", because it names files. NULL is no name. */
gboolean vb_definition_is_name(const char *name);

/* The <uuid> of an object, in lower case and with hyphens; NULL when there is none. */
char *vb_definition_parse_uuid(VbXmlReader *reader, VbXmlElement *parent);

/* Fails with "line N: what: message"; a line of 0 is not said. */
gboolean vb_definition_fail(GError **error, VbError code, guint line, const char *what,
                            const char *format, ...) G_GNUC_PRINTF(5, 6);
