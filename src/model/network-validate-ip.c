/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for the addresses of a network: subnets, what DHCP hands out in them, and routes. */
#include <string.h>

#include "definition.h"
#include "network-validate.h"

/* IPv6 hosts make their own addresses of 64 bits; dnsmasq's DHCPv6 wants subnets no larger. */
#define MIN_DHCP6_PREFIX 64
#define MAX_DHCP4_PREFIX 30
#define MAX_DHCP6_PREFIX 126

#define INVALID(part, path, ...)                                                                   \
    vb_definition_fail(error, VB_ERROR_INVALID_XML, (part)->line, "network/" path, __VA_ARGS__)

/* Do the network's own address and the broadcast address exist apart? */
static gboolean has_broadcast(const VbNetworkIpDef *ip)
{
    return ip->address.family == VB_IPV4 && ip->prefix <= 30;
}

/* NULL, or what the address is in the subnet that no guest can have it. */
static const char *taken_in_subnet(const VbNetworkIpDef *ip, const VbIpAddress *address)
{
    VbIpSubnet subnet = vb_network_ip_def_subnet(ip);
    VbIpAddress last = vb_ip_subnet_last(&subnet);

    if (has_broadcast(ip) && vb_ip_equal(address, &subnet.address))
        return "the address of the network itself";
    if (has_broadcast(ip) && vb_ip_equal(address, &last))
        return "the broadcast address";
    return NULL;
}

/* --- one <ip> --- */

static gboolean check_address(const VbNetworkIpDef *ip, GError **error)
{
    VbIpSubnet subnet = vb_network_ip_def_subnet(ip);
    const char *taken = taken_in_subnet(ip, &ip->address);
    g_autofree char *text = vb_ip_to_string(&ip->address);

    if (!vb_network_check_ip(&ip->address, ip->line, "network/ip", error))
        return FALSE;
    if (ip->prefix == 0)
        return INVALID(ip, "ip", "a prefix of 0 is the whole Internet");
    if (taken)
        return INVALID(ip, "ip", "%s is %s", text, taken);
    if (ip->address.family == VB_IPV6 && vb_ip_is_link_local(&ip->address))
        return INVALID(ip, "ip", "%s is a link-local address, as every device has one", text);
    if (ip->local_ptr == VB_TRISTATE_YES) {
        g_autofree char *zone = vb_ip_subnet_reverse_zone(&subnet);

        if (!zone)
            return INVALID(ip, "ip", "'localPtr' needs a prefix that %u divides, not %u",
                           ip->address.family == VB_IPV4 ? 8 : 4, ip->prefix);
    }
    return TRUE;
}

static gboolean check_dhcp(const VbNetworkIpDef *ip, GError **error)
{
    gboolean ipv4 = ip->address.family == VB_IPV4;
    guint min = ipv4 ? 1 : MIN_DHCP6_PREFIX;
    guint max = ipv4 ? MAX_DHCP4_PREFIX : MAX_DHCP6_PREFIX;

    if (!ip->dhcp && ip->ranges->len + ip->hosts->len == 0 && !ip->bootp_file)
        return TRUE;
    if (ip->prefix < min || ip->prefix > max)
        return INVALID(ip, "ip/dhcp", "DHCP needs a prefix from %u to %u, not %u", min, max,
                       ip->prefix);
    if (!ipv4 && ip->bootp_file)
        return INVALID(ip, "ip/dhcp/bootp", "it is for IPv4 only");
    return TRUE;
}

static gboolean check_range(const VbNetworkIpDef *ip, guint index, GError **error)
{
    const VbDhcpRangeDef *range = ip->ranges->pdata[index];
    VbIpSubnet subnet = vb_network_ip_def_subnet(ip);
    const char *taken = taken_in_subnet(ip, &range->range.start);
    g_autofree char *start = vb_ip_to_string(&range->range.start);
    g_autofree char *end = vb_ip_to_string(&range->range.end);
    g_autofree char *within = vb_ip_subnet_to_string(&subnet);

    if (!vb_ip_subnet_contains(&subnet, &range->range.start) ||
        !vb_ip_subnet_contains(&subnet, &range->range.end))
        return INVALID(range, "ip/dhcp/range", "%s to %s is not in the subnet %s", start, end,
                       within);
    if (taken)
        return INVALID(range, "ip/dhcp/range", "it begins with %s, %s", start, taken);
    if ((taken = taken_in_subnet(ip, &range->range.end)))
        return INVALID(range, "ip/dhcp/range", "it ends with %s, %s", end, taken);
    for (guint i = 0; i < index; i++) {
        const VbDhcpRangeDef *other = ip->ranges->pdata[i];

        if (vb_ip_range_overlaps(&range->range, &other->range)) {
            g_autofree char *other_start = vb_ip_to_string(&other->range.start);
            g_autofree char *other_end = vb_ip_to_string(&other->range.end);

            return INVALID(range, "ip/dhcp/range", "%s to %s overlaps %s to %s", start, end,
                           other_start, other_end);
        }
    }
    return TRUE;
}

/* What names the guest. */
static gboolean check_host_key(const VbNetworkIpDef *ip, const VbDhcpHostDef *host, GError **error)
{
    gboolean ipv4 = ip->address.family == VB_IPV4;

    if (ipv4 && host->id)
        return INVALID(host, "ip/dhcp/host", "'id' is for IPv6 only");
    if (!ipv4 && host->mac)
        return INVALID(host, "ip/dhcp/host", "'mac' is for IPv4 only; use 'id' or 'name'");
    if (!host->mac && !host->id && !host->name)
        return INVALID(host, "ip/dhcp/host", "attribute '%s' or 'name' is missing",
                       ipv4 ? "mac" : "id");
    if (host->ip.family == VB_IP_NONE)
        return INVALID(host, "ip/dhcp/host", "attribute 'ip' is missing");
    return TRUE;
}

static gboolean check_host_ip(const VbNetworkIpDef *ip, const VbDhcpHostDef *host, GError **error)
{
    VbIpSubnet subnet = vb_network_ip_def_subnet(ip);
    const char *taken = taken_in_subnet(ip, &host->ip);
    g_autofree char *text = vb_ip_to_string(&host->ip);

    if (!vb_ip_subnet_contains(&subnet, &host->ip)) {
        g_autofree char *within = vb_ip_subnet_to_string(&subnet);

        return INVALID(host, "ip/dhcp/host", "%s is not in the subnet %s", text, within);
    }
    if (vb_ip_equal(&host->ip, &ip->address))
        taken = "the address of the bridge";
    if (taken)
        return INVALID(host, "ip/dhcp/host", "%s is %s", text, taken);
    return TRUE;
}

static gboolean check_hosts(const VbNetworkIpDef *ip, GError **error)
{
    g_autoptr(GHashTable) keys = vb_string_set_new(); /* MAC addresses and ids */
    g_autoptr(GHashTable) names = vb_string_set_new();
    g_autoptr(GHashTable) addresses = vb_string_set_new();

    for (guint i = 0; i < ip->hosts->len; i++) {
        const VbDhcpHostDef *host = ip->hosts->pdata[i];

        if (!check_host_key(ip, host, error) || !check_host_ip(ip, host, error))
            return FALSE;
        g_autofree char *address = vb_ip_to_string(&host->ip);
        if (host->mac && !vb_string_set_add(keys, g_strdup(host->mac)))
            return INVALID(host, "ip/dhcp/host", "two hosts have the MAC address %s", host->mac);
        if (host->id && !vb_string_set_add(keys, g_strdup(host->id)))
            return INVALID(host, "ip/dhcp/host", "two hosts have the id %s", host->id);
        if (host->name && !vb_string_set_add(names, g_ascii_strdown(host->name, -1)))
            return INVALID(host, "ip/dhcp/host", "two hosts are called '%s'", host->name);
        if (!vb_string_set_add(addresses, g_strdup(address)))
            return INVALID(host, "ip/dhcp/host", "two hosts have the address %s", address);
    }
    return TRUE;
}

static gboolean check_ip(const VbNetworkIpDef *ip, GError **error)
{
    if (!vb_network_check_count(ip->ranges, VB_NETWORK_MAX_RANGES, ip->line, "network/ip/dhcp",
                                "ranges", error) ||
        !vb_network_check_count(ip->hosts, VB_NETWORK_MAX_HOSTS, ip->line, "network/ip/dhcp",
                                "static hosts", error) ||
        !check_address(ip, error) || !check_dhcp(ip, error))
        return FALSE;
    if (ip->tftp_root && ip->address.family != VB_IPV4)
        return INVALID(ip, "ip/tftp", "it is for IPv4 only");
    for (guint i = 0; i < ip->ranges->len; i++)
        if (!check_range(ip, i, error))
            return FALSE;
    return check_hosts(ip, error);
}

/* --- all of them --- */

/* One server each for DHCP, DHCPv6 and TFTP. */
static gboolean check_servers(const VbNetworkDef *def, GError **error)
{
    gboolean dhcp[2] = {FALSE, FALSE};
    gboolean tftp = FALSE;

    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];
        guint family = ip->address.family == VB_IPV6;

        if (ip->dhcp && dhcp[family])
            return INVALID(ip, "ip/dhcp", "there is a <dhcp> for %s already",
                           family ? "IPv6" : "IPv4");
        if (ip->tftp_root && tftp)
            return INVALID(ip, "ip/tftp", "there is a <tftp> already");
        dhcp[family] |= ip->dhcp;
        tftp |= ip->tftp_root != NULL;
    }
    return TRUE;
}

static gboolean check_ips(const VbNetworkDef *def, GError **error)
{
    if (def->ips->len > VB_NETWORK_MAX_IPS) {
        const VbNetworkIpDef *first_over = def->ips->pdata[VB_NETWORK_MAX_IPS];

        return vb_network_check_count(def->ips, VB_NETWORK_MAX_IPS, first_over->line, "network/ip",
                                      "addresses", error);
    }
    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];
        VbIpSubnet subnet = vb_network_ip_def_subnet(ip);

        if (!check_ip(ip, error))
            return FALSE;
        const VbNetworkIpDef *other = vb_network_def_find_overlap(def, &subnet);
        if (other != ip) {
            VbIpSubnet others = vb_network_ip_def_subnet(other);
            g_autofree char *text = vb_ip_subnet_to_string(&subnet);
            g_autofree char *other_text = vb_ip_subnet_to_string(&others);

            return INVALID(ip, "ip", "the subnets %s and %s overlap", other_text, text);
        }
    }
    return check_servers(def, error);
}

/* --- routes --- */

static gboolean check_gateway(const VbNetworkDef *def, const VbRouteDef *route, GError **error)
{
    VbIpSubnet subnet = vb_ip_subnet(&route->gateway, vb_ip_family_bits(route->gateway.family));
    const VbNetworkIpDef *ip = vb_network_def_find_overlap(def, &subnet);
    g_autofree char *text = vb_ip_to_string(&route->gateway);

    if (!ip)
        return INVALID(route, "route", "the gateway %s is in no subnet of the network", text);
    const char *taken = taken_in_subnet(ip, &route->gateway);
    if (vb_ip_equal(&route->gateway, &ip->address))
        taken = "the address of the bridge";
    if (taken)
        return INVALID(route, "route", "the gateway %s is %s", text, taken);
    return TRUE;
}

static gboolean check_routes(const VbNetworkDef *def, GError **error)
{
    g_autoptr(GHashTable) seen = vb_string_set_new();

    if (def->routes->len > VB_NETWORK_MAX_ROUTES) {
        const VbRouteDef *first_over = def->routes->pdata[VB_NETWORK_MAX_ROUTES];

        return vb_network_check_count(def->routes, VB_NETWORK_MAX_ROUTES, first_over->line,
                                      "network/route", "routes", error);
    }
    for (guint i = 0; i < def->routes->len; i++) {
        const VbRouteDef *route = def->routes->pdata[i];
        g_autofree char *text = vb_ip_subnet_to_string(&route->destination);

        if (route->gateway.family != route->destination.address.family)
            return INVALID(route, "route", "address and gateway are not of the same family");
        if (route->destination.prefix > 0 &&
            !vb_network_check_ip(&route->destination.address, route->line, "network/route", error))
            return FALSE;
        if (!check_gateway(def, route, error))
            return FALSE;
        for (guint j = 0; j < def->ips->len; j++) {
            VbIpSubnet own = vb_network_ip_def_subnet(def->ips->pdata[j]);

            if (vb_ip_subnet_equal(&own, &route->destination))
                return INVALID(route, "route", "%s is a subnet of the network itself", text);
        }
        if (!vb_string_set_add(seen, g_strdup_printf("%s %u", text, route->metric)))
            return INVALID(route, "route", "two routes to %s have the same metric", text);
    }
    return TRUE;
}

gboolean vb_network_def_check_addresses(const VbNetworkDef *def, GError **error)
{
    return check_ips(def, error) && check_routes(def, error);
}
