/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * dnsmasq's lease file, and what comes to the lease socket. A line of the file with "add" before it
 * is a message that says the same; what is understood is what a lease may be. */
#include <string.h>

#include "lease-file.h"
#include "mac-address.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void check_lease(const VbLease *lease)
{
    g_autofree char *mac = vb_mac_normalize(lease->mac);

    g_assert(lease->ip.family == VB_IPV4 || lease->ip.family == VB_IPV6);
    g_assert(*lease->mac ? g_strcmp0(mac, lease->mac) == 0 : lease->ip.family == VB_IPV6);
    g_assert(strspn(lease->hostname, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.") ==
             strlen(lease->hostname));
    g_assert(strspn(lease->client_id, G_CSET_DIGITS "abcdef:") == strlen(lease->client_id));
    g_assert(lease->ip.family == VB_IPV6 || lease->iaid == 0);
}

/* As the helper would say it. */
static void check_message(const VbLease *lease)
{
    g_autofree char *ip = vb_ip_to_string(&lease->ip);
    g_autofree char *iaid = g_strdup_printf("%u", lease->iaid);
    gboolean ipv6 = lease->ip.family == VB_IPV6;
    g_autofree char *text = g_strdup_printf(
        "add %" G_GUINT64_FORMAT " %s %s %s %s%s%s\n", lease->expiry / G_USEC_PER_SEC,
        ipv6 ? iaid : lease->mac, ip, *lease->hostname ? lease->hostname : "*",
        *lease->client_id ? lease->client_id : "*", ipv6 ? " " : "",
        ipv6 && *lease->mac ? lease->mac
        : ipv6              ? "*"
                            : "");
    VbLeaseAction action;
    g_autoptr(VbLease) again = vb_lease_message_parse(text, strlen(text), &action);

    if (!again || action != VB_LEASE_SET || !vb_lease_equal(again, lease))
        g_error("not understood again: %s", text);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    VbLeaseAction action;
    guint bad;
    g_autoptr(GPtrArray) leases = vb_lease_file_parse((const char *)data, size, &bad);
    g_autoptr(VbLease) lease = vb_lease_message_parse((const char *)data, size, &action);

    for (guint i = 0; i < leases->len; i++) {
        check_lease(leases->pdata[i]);
        check_message(leases->pdata[i]);
    }
    if (lease)
        check_lease(lease);
    return 0;
}
