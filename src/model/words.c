/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the shapes of strings. */
#include "words.h"

#include <arpa/inet.h>
#include <string.h>

gboolean vb_is_word(const char *string, const char *extra)
{
    if (!string[0])
        return FALSE;
    for (const char *p = string; *p; p++)
        if (!g_ascii_isalnum(*p) && !strchr(extra, *p))
            return FALSE;
    return TRUE;
}

gboolean vb_is_host_name(const char *string)
{
    struct in6_addr address;

    return vb_is_word(string, ".-") || inet_pton(AF_INET6, string, &address) == 1;
}

/* RELAX NG's absFilePath wants a second character, and a path of "/" alone names no file. */
gboolean vb_is_file_path(const char *string)
{
    return string[0] == '/' && string[1] != '\0';
}

gboolean vb_is_printable(const char *string)
{
    for (const char *p = string; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (g_unichar_iscntrl(c) || c == 0xfffe || c == 0xffff)
            return FALSE;
    }
    return TRUE;
}
