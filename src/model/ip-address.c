/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbIpAddress and VbIpSubnet. */
#include "ip-address.h"

#include <arpa/inet.h>
#include <string.h>

static const char *const families[] = {
    [VB_IPV4] = "ipv4",
    [VB_IPV6] = "ipv6",
};
VB_ENUM_DEFINE(VbIpFamily, vb_ip_family, families)

guint vb_ip_family_bits(VbIpFamily family)
{
    return family == VB_IPV4 ? 32 : 128;
}

/* --- addresses --- */

gboolean vb_ip_parse(const char *string, VbIpAddress *ret_address)
{
    VbIpAddress address = {0};

    address.family = strchr(string, ':') ? VB_IPV6 : VB_IPV4;
    if (inet_pton(address.family == VB_IPV6 ? AF_INET6 : AF_INET, string, address.bytes) != 1)
        return FALSE;
    *ret_address = address;
    return TRUE;
}

char *vb_ip_to_string(const VbIpAddress *address)
{
    char text[INET6_ADDRSTRLEN];

    g_assert(address->family != VB_IP_NONE);
    inet_ntop(address->family == VB_IPV6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof text);
    return g_strdup(text);
}

int vb_ip_compare(const VbIpAddress *a, const VbIpAddress *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

gboolean vb_ip_equal(const VbIpAddress *a, const VbIpAddress *b)
{
    return vb_ip_compare(a, b) == 0;
}

static gboolean is_in(const VbIpAddress *address, const char *subnet)
{
    VbIpSubnet parsed;

    return vb_ip_subnet_parse(subnet, &parsed) && vb_ip_subnet_contains(&parsed, address);
}

const char *vb_ip_unusable(const VbIpAddress *address)
{
    static const struct {
        const char *subnet, *what;
    } kinds[] = {
        {"0.0.0.0/8", "an address of no host"},
        {"127.0.0.0/8", "a loopback address"},
        {"224.0.0.0/4", "a multicast address"},
        {"240.0.0.0/4", "a reserved address"},
        {"::1/128", "a loopback address"},
        {"::/96", "an address of no host"},
        {"::ffff:0:0/96", "an IPv4 address in IPv6"},
        {"ff00::/8", "a multicast address"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (is_in(address, kinds[i].subnet))
            return kinds[i].what;
    return NULL;
}

gboolean vb_ip_is_link_local(const VbIpAddress *address)
{
    return is_in(address, "169.254.0.0/16") || is_in(address, "fe80::/10");
}

/* --- netmasks and ranges --- */

gboolean vb_ip_netmask_to_prefix(const VbIpAddress *netmask, guint *ret_prefix)
{
    guint prefix = 0;

    if (netmask->family != VB_IPV4)
        return FALSE;
    while (prefix < 32 && (netmask->bytes[prefix / 8] & 0x80 >> prefix % 8))
        prefix++;
    VbIpAddress expected = vb_ip_netmask(prefix);
    if (!vb_ip_equal(netmask, &expected))
        return FALSE;
    *ret_prefix = prefix;
    return TRUE;
}

VbIpAddress vb_ip_netmask(guint prefix)
{
    VbIpAddress netmask = {.family = VB_IPV4};

    for (guint i = 0; i < prefix; i++)
        netmask.bytes[i / 8] |= (guint8)(0x80 >> i % 8);
    return netmask;
}

gboolean vb_ip_range_overlaps(const VbIpRange *a, const VbIpRange *b)
{
    return a->start.family == b->start.family && vb_ip_compare(&a->start, &b->end) <= 0 &&
           vb_ip_compare(&b->start, &a->end) <= 0;
}

guint64 vb_ip_range_size(const VbIpRange *range)
{
    guint n_bytes = vb_ip_family_bits(range->start.family) / 8;
    guint64 difference = 0;
    int borrow = 0;

    for (guint i = n_bytes; i-- > 0;) {
        int digit = range->end.bytes[i] - range->start.bytes[i] - borrow;

        borrow = digit < 0;
        if (n_bytes - i <= 8)
            difference |= (guint64)(digit & 0xff) << 8 * (n_bytes - 1 - i);
        else if (digit & 0xff)
            return G_MAXUINT64;
    }
    return difference == G_MAXUINT64 ? G_MAXUINT64 : difference + 1;
}

/* --- subnets --- */

VbIpSubnet vb_ip_subnet(const VbIpAddress *address, guint prefix)
{
    VbIpSubnet subnet = {*address, prefix};

    for (guint i = prefix; i < vb_ip_family_bits(address->family); i++)
        subnet.address.bytes[i / 8] &= (guint8) ~(0x80 >> i % 8);
    return subnet;
}

gboolean vb_ip_subnet_parse(const char *string, VbIpSubnet *ret_subnet)
{
    g_auto(GStrv) parts = g_strsplit(string, "/", 2);
    VbIpAddress address;
    guint64 prefix;

    if (g_strv_length(parts) != 2 || !vb_ip_parse(parts[0], &address) ||
        !g_ascii_string_to_unsigned(parts[1], 10, 0, vb_ip_family_bits(address.family), &prefix,
                                    NULL))
        return FALSE;
    VbIpSubnet subnet = vb_ip_subnet(&address, (guint)prefix);
    if (!vb_ip_equal(&subnet.address, &address))
        return FALSE;
    *ret_subnet = subnet;
    return TRUE;
}

char *vb_ip_subnet_to_string(const VbIpSubnet *subnet)
{
    g_autofree char *address = vb_ip_to_string(&subnet->address);

    return g_strdup_printf("%s/%u", address, subnet->prefix);
}

gboolean vb_ip_subnet_equal(const VbIpSubnet *a, const VbIpSubnet *b)
{
    return a->prefix == b->prefix && vb_ip_equal(&a->address, &b->address);
}

gboolean vb_ip_subnet_contains(const VbIpSubnet *subnet, const VbIpAddress *address)
{
    if (subnet->address.family != address->family)
        return FALSE;
    VbIpSubnet own = vb_ip_subnet(address, subnet->prefix);
    return vb_ip_equal(&own.address, &subnet->address);
}

gboolean vb_ip_subnet_overlaps(const VbIpSubnet *a, const VbIpSubnet *b)
{
    return a->prefix <= b->prefix ? vb_ip_subnet_contains(a, &b->address)
                                  : vb_ip_subnet_contains(b, &a->address);
}

VbIpAddress vb_ip_subnet_last(const VbIpSubnet *subnet)
{
    VbIpAddress last = subnet->address;

    for (guint i = subnet->prefix; i < vb_ip_family_bits(last.family); i++)
        last.bytes[i / 8] |= (guint8)(0x80 >> i % 8);
    return last;
}

VbIpAddress vb_ip_subnet_nth(const VbIpSubnet *subnet, guint32 index)
{
    VbIpAddress address = subnet->address;
    guint n_bytes = vb_ip_family_bits(address.family) / 8;

    for (guint i = 0; i < 4; i++)
        address.bytes[n_bytes - 1 - i] |= (guint8)(index >> 8 * i);
    g_assert(vb_ip_subnet_contains(subnet, &address));
    return address;
}

char *vb_ip_subnet_reverse_zone(const VbIpSubnet *subnet)
{
    gboolean ipv4 = subnet->address.family == VB_IPV4;
    guint label_bits = ipv4 ? 8 : 4;

    if (subnet->prefix == 0 || subnet->prefix % label_bits != 0)
        return NULL;
    g_autoptr(GString) zone = g_string_new(NULL);
    for (guint i = subnet->prefix / label_bits; i-- > 0;) {
        const guint8 *bytes = subnet->address.bytes;

        if (ipv4)
            g_string_append_printf(zone, "%u.", bytes[i]);
        else
            g_string_append_printf(zone, "%x.", i % 2 ? bytes[i / 2] & 0xf : bytes[i / 2] >> 4);
    }
    g_string_append(zone, ipv4 ? "in-addr.arpa" : "ip6.arpa");
    return g_strdup(zone->str);
}
