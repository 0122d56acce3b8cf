/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What dnsmasq says of leases: its lease file, and the lines that virtbus-lease-helper sends. One
 * grammar for both, fields with a space between them, "*" for what is not known:
 *
 *     EXPIRY MAC  ADDRESS HOSTNAME CLIENT-ID        of IPv4
 *     EXPIRY IAID ADDRESS HOSTNAME DUID [MAC]       of IPv6; the MAC is the helper's addition
 *
 * EXPIRY counts seconds since 1970, 0 stands for never. A message has "add", "old" or "del" before
 * it. Used by lease-watch.c; knows no files. */
#pragma once

#include "lease.h"

/* Leases of one network; those above are ignored. */
#define VB_LEASES_MAX 16384
/* Bytes of a line; the longest that dnsmasq writes has a client id of 255 bytes. */
#define VB_LEASE_LINE_MAX 2048
/* Bytes of a file. */
#define VB_LEASE_FILE_MAX (VB_LEASES_MAX * 1024)

typedef enum {
    VB_LEASE_SET, /* there is such a lease: a new one, or one that was there */
    VB_LEASE_DELETED,
} VbLeaseAction;

/* The leases of a lease file, each address once: an array of VbLease. A line that is not understood
 * is left out and counted. (transfer full) */
GPtrArray *vb_lease_file_parse(const char *text, gsize length, guint *ret_bad);

/* One message, with or without a newline at its end. NULL when it is none. (transfer full) */
VbLease *vb_lease_message_parse(const char *text, gsize length, VbLeaseAction *ret_action);

/* By address: for sets of leases. */
guint vb_lease_ip_hash(gconstpointer lease);
gboolean vb_lease_ip_equal(gconstpointer a, gconstpointer b);
