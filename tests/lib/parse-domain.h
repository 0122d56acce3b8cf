/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A test's own document as a definition: a mistake in it ends the test. */
#pragma once

#include "domain-def.h"

static inline VbDomainDef *parse_domain(const char *xml)
{
    GError *error = NULL;
    VbDomainDef *def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);

    g_assert_no_error(error);
    return def;
}
