/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * IPv4 and IPv6 addresses and subnets as values, and their arithmetic. Used by the definitions of
 * networks and by the driver that starts them. */
#pragma once

#include "enum-table.h"

typedef enum {
    VB_IP_NONE, /* no address */
    VB_IPV4,
    VB_IPV6,
} VbIpFamily;
VB_ENUM_DECLARE(VbIpFamily, vb_ip_family) /* words: ipv4, ipv6 */

typedef struct {
    VbIpFamily family;
    guint8 bytes[16]; /* in network order; of IPv4 the first four, the rest is 0 */
} VbIpAddress;

typedef struct {
    VbIpAddress start, end; /* both belong to it; start.family VB_IP_NONE: no range */
} VbIpRange;

typedef struct {
    VbIpAddress address; /* the bits behind the prefix are 0 */
    guint prefix;        /* 0..32 or 0..128 */
} VbIpSubnet;

/* Dotted decimal without leading zeros, or IPv6 without a scope. */
gboolean vb_ip_parse(const char *string, VbIpAddress *ret_address);
/* The canonical form. Not for VB_IP_NONE. */
char *vb_ip_to_string(const VbIpAddress *address);

/* By family, then by number: <0, 0, >0. */
int vb_ip_compare(const VbIpAddress *a, const VbIpAddress *b);
gboolean vb_ip_equal(const VbIpAddress *a, const VbIpAddress *b);
/* NULL, or what the address is that no host can have it ("a multicast address"). Static. */
const char *vb_ip_unusable(const VbIpAddress *address);
gboolean vb_ip_is_link_local(const VbIpAddress *address);

/* Bits of an address: 32 or 128. */
guint vb_ip_family_bits(VbIpFamily family);
/* IPv4 only. FALSE when the ones are not at the beginning. */
gboolean vb_ip_netmask_to_prefix(const VbIpAddress *netmask, guint *ret_prefix);
VbIpAddress vb_ip_netmask(guint prefix);

gboolean vb_ip_range_overlaps(const VbIpRange *a, const VbIpRange *b);
/* How many addresses there are in it; G_MAXUINT64 when there are more. */
guint64 vb_ip_range_size(const VbIpRange *range);

/* The subnet that the address is in. */
VbIpSubnet vb_ip_subnet(const VbIpAddress *address, guint prefix);
/* "192.168.130.0/24"; FALSE also when bits behind the prefix are set. */
gboolean vb_ip_subnet_parse(const char *string, VbIpSubnet *ret_subnet);
char *vb_ip_subnet_to_string(const VbIpSubnet *subnet);
gboolean vb_ip_subnet_equal(const VbIpSubnet *a, const VbIpSubnet *b);
gboolean vb_ip_subnet_contains(const VbIpSubnet *subnet, const VbIpAddress *address);
/* Subnets overlap when one contains the other. */
gboolean vb_ip_subnet_overlaps(const VbIpSubnet *a, const VbIpSubnet *b);
/* The last address, which of IPv4 is the broadcast address (up to a prefix of 30). */
VbIpAddress vb_ip_subnet_last(const VbIpSubnet *subnet);
/* The address at `index` (0 is the subnet's own). It must be one of the subnet's. */
VbIpAddress vb_ip_subnet_nth(const VbIpSubnet *subnet, guint32 index);
/* The DNS zone of its reverse records ("130.168.192.in-addr.arpa"). NULL where the prefix is no
 * border between labels: whole bytes of IPv4, whole hexadecimal digits of IPv6; nor is 0. */
char *vb_ip_subnet_reverse_zone(const VbIpSubnet *subnet);
