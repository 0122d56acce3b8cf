/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the error domain's quark, and makes errors. */
#include "error.h"

#include <string.h>

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

char *vb_error_line(const char *text)
{
    gsize length = text != NULL ? strnlen(text, VB_ERROR_LINE_MAX + 1) : 0;
    gboolean cut = length > VB_ERROR_LINE_MAX;
    g_autofree char *line = NULL;

    /* half a character at the cut becomes U+FFFD, as whatever is not UTF-8 */
    line = g_utf8_make_valid(text != NULL ? text : "", (gssize)MIN(length, VB_ERROR_LINE_MAX));
    for (char *c = line; *c != '\0'; c++) {
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    }
    g_strstrip(line);
    return cut ? g_strconcat(line, "…", NULL) : g_steal_pointer(&line);
}
