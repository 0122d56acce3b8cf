/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of src/model share: documents, and the questions that are asked of each. */
#pragma once

#include "domain-def.h"
#include "error.h"

/* The documents of tests/unit/data/domain-xml: their file names, sorted. */
GPtrArray *model_documents(void);
char *model_read_document(const char *name);

/* Parses what must parse, and gives it its addresses. */
VbDomainDef *model_define(const char *xml, VbXmlFlags flags);

/* A document of `type` qemu, machine `machine`, with these devices. */
char *model_document(const char *machine, const char *devices);

/* `error` has this code, and its message holds every one of the texts (NULL-terminated). Clears it.
 */
void model_assert_error(GError **error, VbError code, ...) G_GNUC_NULL_TERMINATED;

/* Is `document` valid against libvirt's schema for "domain" or "network", of which a program may
 * use one? FALSE with a message. TRUE where there is no schema: ask model_has_schema_of(). */
gboolean model_has_schema_of(const char *kind);
gboolean model_is_valid_as(const char *kind, const char *document, char **ret_message);
/* For domains. */
gboolean model_has_schema(void);
gboolean model_is_valid(const char *document, char **ret_message);
