/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the shape of MAC addresses. */
#include "mac-address.h"

#include <string.h>

char *vb_mac_normalize(const char *text)
{
    if (strlen(text) != 17)
        return NULL;
    for (guint i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
            return NULL;
    if (g_ascii_xdigit_value(text[1]) & 1)
        return NULL;
    return g_ascii_strdown(text, -1);
}

char *vb_mac_random(void)
{
    guint32 random = g_random_int();

    return g_strdup_printf("52:54:00:%02x:%02x:%02x", random & 0xff, random >> 8 & 0xff,
                           random >> 16 & 0xff);
}
