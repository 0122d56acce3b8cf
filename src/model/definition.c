/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the rules for the identity of objects. */
#include "definition.h"

#include <stdarg.h>
#include <string.h>

#define MAX_NAME 255

gboolean vb_definition_is_name(const char *name)
{
    gboolean blank = TRUE;

    if (!name || strlen(name) > MAX_NAME || g_str_equal(name, ".") || g_str_equal(name, ".."))
        return FALSE;
    for (const char *p = name; *p; p = g_utf8_next_char(p)) {
        gunichar character = g_utf8_get_char(p);

        if (character == '/' || g_unichar_iscntrl(character))
            return FALSE;
        blank &= g_unichar_isspace(character);
    }
    return !blank;
}

char *vb_definition_parse_uuid(VbXmlReader *reader, VbXmlElement *parent)
{
    VbXmlElement *element = vb_xml_child(reader, parent, "uuid");
    if (!element)
        return NULL;

    g_autofree char *text = vb_xml_text(reader, element);
    g_autofree char *uuid = text ? g_ascii_strdown(text, -1) : NULL;
    if (uuid && strlen(uuid) == 32) {
        char *dashed = g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", uuid, uuid + 8, uuid + 12,
                                       uuid + 16, uuid + 20);
        g_free(uuid);
        uuid = dashed;
    }
    if (!uuid || !g_uuid_string_is_valid(uuid)) {
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "'%s' is not a UUID", text ? text : "");
        return NULL;
    }
    return g_steal_pointer(&uuid);
}

gboolean vb_definition_fail(GError **error, VbError code, guint line, const char *what,
                            const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    if (line > 0)
        g_set_error(error, VB_ERROR, (int)code, "line %u: %s: %s", line, what, message);
    else
        g_set_error(error, VB_ERROR, (int)code, "%s: %s", what, message);
    return FALSE;
}
