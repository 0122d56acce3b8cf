/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network.Leases as a command prints them, and the leases of one guest. */
#pragma once

#include "object-ref.h"

/* Every string is there; "-" for what is not known. */
typedef struct {
    char *expiry; /* local time; "never" */
    char *mac;
    const char *protocol; /* "ipv4", "ipv6" */
    char *address;
    char *hostname;
    char *client_id;
    GVariant *value; /* the lease itself, (sssta{sv}) */
} VbLeaseText;

/* Those of the network, or of that MAC address (in any case) alone. Of VbLeaseText. */
GPtrArray *vb_lease_texts_of(const VbObjectRef *network, const char *mac);
/* An array of {sv}: mac, address, hostname, expiry, and what more the lease says. */
void vb_lease_texts_print_json(const GPtrArray *leases);
