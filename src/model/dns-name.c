/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the shapes of names and identifiers of hosts. */
#include "dns-name.h"

#include <string.h>

#define MAX_LABEL 63
#define MAX_NAME 253
#define MAX_DUID 130 /* bytes, the type included */

gboolean vb_is_dns_label(const char *string)
{
    gsize length = strlen(string);

    if (length == 0 || length > MAX_LABEL || string[0] == '-' || string[length - 1] == '-')
        return FALSE;
    for (const char *p = string; *p; p++)
        if (!g_ascii_isalnum(*p) && *p != '-')
            return FALSE;
    return TRUE;
}

static gboolean is_number(const char *string)
{
    return string[strspn(string, "0123456789")] == '\0';
}

gboolean vb_is_dns_name(const char *string)
{
    if (strlen(string) > MAX_NAME)
        return FALSE;
    g_auto(GStrv) labels = g_strsplit(string, ".", -1);
    guint n = g_strv_length(labels);
    for (guint i = 0; i < n; i++)
        if (!vb_is_dns_label(labels[i]))
            return FALSE;
    return n > 0 && !is_number(labels[n - 1]);
}

gboolean vb_is_dhcp_name(const char *string)
{
    gsize digits = strspn(string, "0123456789");

    if (!vb_is_dns_name(string) || g_ascii_strcasecmp(string, "infinite") == 0 ||
        g_ascii_strcasecmp(string, "ignore") == 0)
        return FALSE;
    return digits == 0 || !strchr("smhdwSMHDW", string[digits]) || string[digits + 1] != '\0';
}

/* Of what length is a DUID of this type, and does it begin as it must? */
static gboolean is_duid(const guint8 *bytes, guint n)
{
    gboolean has_hardware = n >= 4 && bytes[2] == 0 && bytes[3] >= 1 && bytes[3] <= 0xf;

    if (n < 2 || bytes[0] != 0)
        return FALSE;
    switch (bytes[1]) {
    case 1: /* link-layer address and time */
        return has_hardware && n >= 14 && n <= 16;
    case 2: /* of a maker, by enterprise number */
        return n >= 7;
    case 3: /* link-layer address */
        return has_hardware && n >= 10 && n <= 12;
    case 4: /* UUID */
        return n == 18;
    default:
        return FALSE;
    }
}

char *vb_duid_normalize(const char *string)
{
    guint8 bytes[MAX_DUID];
    guint n = 0;

    for (const char *p = string; *p; n++) {
        if (n == MAX_DUID || !g_ascii_isxdigit(*p))
            return NULL;
        bytes[n] = (guint8)g_ascii_xdigit_value(*p++);
        if (g_ascii_isxdigit(*p))
            bytes[n] = (guint8)(bytes[n] << 4 | g_ascii_xdigit_value(*p++));
        if (*p == ':' && p[1])
            p++;
        else if (*p)
            return NULL;
    }
    if (!is_duid(bytes, n))
        return NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < n; i++)
        g_string_append_printf(text, "%s%02x", i ? ":" : "", bytes[i]);
    return g_strdup(text->str);
}
