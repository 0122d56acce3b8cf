/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the error domain's quark, and makes errors. */
#include "error.h"

GQuark vb_error_quark(void)
{
    return g_quark_from_static_string("vb-error-quark");
}

gboolean vb_fail(GError **error, VbError code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VB_ERROR, (int)code, message);
    return FALSE;
}
