/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Makes the network that is offered to who has none. */
#include "network-def.h"

#include <string.h>

#include "error.h"
#include "mac-address.h"

#define FIRST_SUBNET 130
#define LAST_SUBNET 254

/* Home routers, VPNs and other hypervisors rarely take these. */
static const struct {
    guint8 bytes[4];
    guint counted; /* the byte that goes from FIRST_SUBNET to LAST_SUBNET */
} candidates[] = {{{192, 168, 0, 0}, 2}, {{10, 0, 0, 0}, 1}};

static gboolean find_free(VbSubnetFunc is_free, gpointer data, VbIpSubnet *ret_subnet)
{
    for (gsize i = 0; i < G_N_ELEMENTS(candidates); i++)
        for (guint8 n = FIRST_SUBNET; n <= LAST_SUBNET; n++) {
            VbIpAddress address = {.family = VB_IPV4};

            memcpy(address.bytes, candidates[i].bytes, sizeof candidates[i].bytes);
            address.bytes[candidates[i].counted] = n;
            *ret_subnet = vb_ip_subnet(&address, 24);
            if (is_free(ret_subnet, data))
                return TRUE;
        }
    return FALSE;
}

VbNetworkDef *vb_network_def_new_default(VbSubnetFunc is_free, gpointer data, GError **error)
{
    VbIpSubnet subnet;

    if (!find_free(is_free, data, &subnet)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED,
                    "no subnet is left for a default network: all from 192.168.%u.0/24 to "
                    "192.168.%u.0/24 and from 10.%u.0.0/24 to 10.%u.0.0/24 are in use",
                    FIRST_SUBNET, LAST_SUBNET, FIRST_SUBNET, LAST_SUBNET);
        return NULL;
    }
    VbNetworkDef *def = vb_network_def_new();
    VbNetworkIpDef *ip = vb_network_ip_def_new();
    VbDhcpRangeDef *range = g_new0(VbDhcpRangeDef, 1);

    def->name = g_strdup("default");
    def->uuid = g_uuid_string_random();
    def->bridge = g_strdup("virtbus0");
    def->mac = vb_mac_random();
    def->forward.mode = VB_FORWARD_NAT;
    ip->address = vb_ip_subnet_nth(&subnet, 1);
    ip->prefix = subnet.prefix;
    ip->dhcp = TRUE;
    range->range.start = vb_ip_subnet_nth(&subnet, 2);
    range->range.end = vb_ip_subnet_nth(&subnet, 254);
    g_ptr_array_add(ip->ranges, range);
    g_ptr_array_add(def->ips, ip);
    return def;
}
