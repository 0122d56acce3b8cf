/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parser of dnsmasq's lease lines. Hostnames and client ids are what guests sent to dnsmasq:
 * each field has its alphabet and its length, and a line of which one field is wrong is no lease.
 * See lease-file.h. */
#include "lease-file.h"

#include <string.h>

#include "mac-address.h"

#define MAX_FIELDS 6
#define MAX_HOSTNAME 255
#define MAX_ID_BYTES 255
#define LAST_SECOND ((guint64)G_MAXINT64 / G_USEC_PER_SEC)

guint vb_lease_ip_hash(gconstpointer data)
{
    const VbLease *lease = data;
    guint hash = lease->ip.family;

    for (gsize i = 0; i < G_N_ELEMENTS(lease->ip.bytes); i++)
        hash = hash * 31 + lease->ip.bytes[i];
    return hash;
}

gboolean vb_lease_ip_equal(gconstpointer a, gconstpointer b)
{
    return vb_ip_equal(&((const VbLease *)a)->ip, &((const VbLease *)b)->ip);
}

static gboolean is_unknown(const char *field)
{
    return g_str_equal(field, "*");
}

static gboolean parse_expiry(const char *field, guint64 *ret_expiry)
{
    guint64 seconds;

    if (!g_ascii_string_to_unsigned(field, 10, 0, LAST_SECOND, &seconds, NULL))
        return FALSE;
    *ret_expiry = seconds * G_USEC_PER_SEC;
    return TRUE;
}

/* "T" marks an address that is temporary by the client's wish. */
static gboolean parse_iaid(const char *field, guint32 *ret_iaid)
{
    guint64 iaid;

    if (!g_ascii_string_to_unsigned(field + (*field == 'T'), 10, 0, G_MAXUINT32, &iaid, NULL))
        return FALSE;
    *ret_iaid = (guint32)iaid;
    return TRUE;
}

static gboolean parse_hostname(const char *field, char **ret_hostname)
{
    gsize length = strlen(field);

    if (is_unknown(field)) {
        *ret_hostname = g_strdup("");
        return TRUE;
    }
    for (gsize i = 0; i < length; i++)
        if (!g_ascii_isalnum(field[i]) && !strchr("-_.", field[i]))
            return FALSE;
    if (length > MAX_HOSTNAME)
        return FALSE;
    *ret_hostname = g_strdup(field);
    return TRUE;
}

/* Bytes in hexadecimal with colons. */
static gboolean parse_id(const char *field, char **ret_id)
{
    gsize length = strlen(field);

    if (is_unknown(field)) {
        *ret_id = g_strdup("");
        return TRUE;
    }
    if (length % 3 != 2 || length > 3 * MAX_ID_BYTES)
        return FALSE;
    for (gsize i = 0; i < length; i++)
        if (i % 3 == 2 ? field[i] != ':' : !g_ascii_isxdigit(field[i]))
            return FALSE;
    *ret_id = g_ascii_strdown(field, -1);
    return TRUE;
}

static gboolean parse_mac(const char *field, char **ret_mac)
{
    *ret_mac = is_unknown(field) ? g_strdup("") : vb_mac_normalize(field);
    return *ret_mac != NULL;
}

/* Cuts the line at its spaces. 0: there are none, too many or empty ones. */
static guint split(char *line, char *fields[MAX_FIELDS])
{
    guint n = 0;

    for (char *field = line; field; n++) {
        char *end = strchr(field, ' ');

        if (n == MAX_FIELDS || *field == '\0' || end == field)
            return 0;
        if (end)
            *end++ = '\0';
        fields[n] = field;
        field = end;
    }
    return n;
}

/* `line` is cut to pieces. */
static VbLease *parse_line(char *line)
{
    g_autoptr(VbLease) lease = g_new0(VbLease, 1);
    char *fields[MAX_FIELDS];
    guint n = split(line, fields);

    if (n < 5 || !parse_expiry(fields[0], &lease->expiry) || !vb_ip_parse(fields[2], &lease->ip) ||
        !parse_hostname(fields[3], &lease->hostname) || !parse_id(fields[4], &lease->client_id))
        return NULL;
    if (lease->ip.family == VB_IPV4)
        return n == 5 && !is_unknown(fields[1]) && parse_mac(fields[1], &lease->mac)
                   ? g_steal_pointer(&lease)
                   : NULL;
    return parse_iaid(fields[1], &lease->iaid) && parse_mac(n > 5 ? fields[5] : "*", &lease->mac)
               ? g_steal_pointer(&lease)
               : NULL;
}

/* As a string; NULL when it is too long or has a zero byte. */
static char *line_dup(const char *line, gsize length)
{
    return length <= VB_LEASE_LINE_MAX && !memchr(line, '\0', length) ? g_strndup(line, length)
                                                                      : NULL;
}

GPtrArray *vb_lease_file_parse(const char *text, gsize length, guint *ret_bad)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(vb_lease_ip_hash, vb_lease_ip_equal);
    GPtrArray *leases = g_ptr_array_new_with_free_func((GDestroyNotify)vb_lease_free);
    const char *end = text + length;
    guint bad = 0;

    for (const char *line = text, *next; line < end; line = next) {
        const char *newline = memchr(line, '\n', (gsize)(end - line));
        gsize size = (gsize)((newline ? newline : end) - line);

        next = newline ? newline + 1 : end;
        if (size > 5 && memcmp(line, "duid ", 5) == 0)
            continue; /* the server's own */
        /* A last line that has no end is being written. */
        g_autofree char *copy = newline ? line_dup(line, size) : NULL;
        g_autoptr(VbLease) lease = copy ? parse_line(copy) : NULL;
        if (!lease || leases->len == VB_LEASES_MAX || g_hash_table_contains(seen, lease)) {
            bad++;
            continue;
        }
        g_hash_table_add(seen, lease);
        g_ptr_array_add(leases, g_steal_pointer(&lease));
    }
    *ret_bad = bad;
    return leases;
}

VbLease *vb_lease_message_parse(const char *text, gsize length, VbLeaseAction *ret_action)
{
    static const struct {
        const char *word;
        VbLeaseAction action;
    } actions[] = {
        {"add ", VB_LEASE_SET},
        {"old ", VB_LEASE_SET},
        {"del ", VB_LEASE_DELETED},
    };

    if (length > 0 && text[length - 1] == '\n')
        length--;
    g_autofree char *line = line_dup(text, length);
    for (gsize i = 0; line && i < G_N_ELEMENTS(actions); i++)
        if (g_str_has_prefix(line, actions[i].word)) {
            VbLease *lease = parse_line(line + strlen(actions[i].word));

            if (lease)
                *ret_action = actions[i].action;
            return lease;
        }
    return NULL;
}
