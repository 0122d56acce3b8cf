/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbLease: an address that a network's DHCP server has handed out. */
#pragma once

#include "ip-address.h"

typedef struct {
    char *mac; /* lower case, as in definitions; "" when a DHCPv6 client did not tell */
    VbIpAddress ip;
    char *hostname;  /* as the client or its static host says; "" without one */
    guint64 expiry;  /* µs, CLOCK_REALTIME; 0: never */
    char *client_id; /* hexadecimal with colons: the client id, of IPv6 the DUID; "" without one */
    guint32 iaid;    /* IPv6; else 0 */
} VbLease;

VbLease *vb_lease_copy(const VbLease *lease);
void vb_lease_free(VbLease *lease); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbLease, vb_lease_free)
gboolean vb_lease_equal(const VbLease *a, const VbLease *b);
