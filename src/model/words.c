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
