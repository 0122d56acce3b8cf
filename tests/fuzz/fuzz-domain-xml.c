/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The <domain> document. What is understood must come back as it was; what is not must be an error;
 * nothing may crash. */
#include <string.h>

#include "domain-def.h"
#include "error.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* What was written must be read, and say the same again. */
static void check_fixed_point(const VbDomainDef *def, VbXmlFlags flags, VbFormatFlags format)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *first = vb_domain_def_format(def, format);
    g_autoptr(VbDomainDef) again = vb_domain_def_parse(first, -1, flags, &error);

    /* A dump says more than the document did: it may be too large where that was not. */
    if (g_error_matches(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED))
        return;
    if (!again)
        g_error("not understood: %s\n%s", error->message, first);
    g_autofree char *second = vb_domain_def_format(again, format);
    if (strcmp(first, second) != 0)
        g_error("no fixed point:\n%s\n%s", first, second);
}

static void check_domain(const char *xml, gsize size, VbXmlFlags flags, VbFormatFlags format)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, (gssize)size, flags, &error);

    g_assert((def == NULL) == (error != NULL));
    if (!def)
        return;
    check_fixed_point(def, flags, format);
    if (!vb_domain_def_assign_addresses(def, &error)) {
        g_assert_nonnull(error);
        return;
    }
    if (!vb_domain_def_validate(def, &error))
        g_error("not valid with addresses: %s", error->message);
    check_fixed_point(def, flags, format);

    g_autoptr(VbDomainDef) copy = vb_domain_def_copy(def);
    g_autofree char *before = vb_domain_def_format(def, format);
    if (!vb_domain_def_assign_addresses(copy, &error))
        g_error("not assigned twice: %s", error->message);
    g_autofree char *after = vb_domain_def_format(copy, format);
    if (strcmp(before, after) != 0)
        g_error("addresses moved:\n%s\n%s", before, after);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    const char *xml = (const char *)data;

    check_domain(xml, size, VB_XML_NONE, VB_FORMAT_SECURE);
    check_domain(xml, size, VB_XML_LIVE, VB_FORMAT_LIVE | VB_FORMAT_SECURE);
    return 0;
}
