/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * vb_domain_def_validate() for a definition that was just read: messages name lines. */
#pragma once

#include "domain-def.h"
#include "xml-reader.h"

/* `reader` may be NULL. Errors: as vb_domain_def_validate(). */
gboolean vb_domain_def_check(const VbDomainDef *def, VbXmlReader *reader, GError **error);
