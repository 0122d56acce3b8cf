/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbLease. See lease.h. */
#include "lease.h"

VbLease *vb_lease_copy(const VbLease *lease)
{
    VbLease *copy = g_memdup2(lease, sizeof *lease);

    copy->mac = g_strdup(lease->mac);
    copy->hostname = g_strdup(lease->hostname);
    copy->client_id = g_strdup(lease->client_id);
    return copy;
}

void vb_lease_free(VbLease *lease)
{
    if (!lease)
        return;
    g_free(lease->mac);
    g_free(lease->hostname);
    g_free(lease->client_id);
    g_free(lease);
}

gboolean vb_lease_equal(const VbLease *a, const VbLease *b)
{
    return vb_ip_compare(&a->ip, &b->ip) == 0 && a->expiry == b->expiry && a->iaid == b->iaid &&
           g_str_equal(a->mac, b->mac) && g_str_equal(a->hostname, b->hostname) &&
           g_str_equal(a->client_id, b->client_id);
}
