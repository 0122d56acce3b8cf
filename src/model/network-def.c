/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbNetworkDef and the structs of its parts: how they are made, copied and freed. */
#include "network-def.h"

#include <string.h>

#include "words.h"

#define MAX_DEVICE_NAME 15 /* the kernel's */

static const char *const forward_modes[] = {
    [VB_FORWARD_NAT] = "nat",
    [VB_FORWARD_ROUTE] = "route",
    [VB_FORWARD_OPEN] = "open",
    [VB_FORWARD_BRIDGE] = "bridge",
};
VB_ENUM_DEFINE(VbForwardMode, vb_forward_mode, forward_modes)

/* --- the parts --- */

/* GCopyFunc of an array whose elements have a copy function of one argument: that one. */
static gpointer copy_element(gconstpointer element, gpointer copy)
{
    gpointer (*copy_one)(gconstpointer) = copy;

    return copy_one(element);
}

static gpointer copy_string(gconstpointer string)
{
    return g_strdup(string);
}

/* The strings and the arrays of each part, for its copy and its end. */
#define COPY_STRING(field) copy->field = g_strdup(part->field);
#define FREE_STRING(field) g_free(part->field);
#define NEW_ARRAY(field, copy_one, free)                                                           \
    part->field = g_ptr_array_new_with_free_func((GDestroyNotify)free);
#define COPY_ARRAY(field, copy_one, free)                                                          \
    copy->field = g_ptr_array_copy(part->field, copy_element, (gpointer)copy_one);
#define FREE_ARRAY(field, copy_one, free) g_ptr_array_unref(part->field);

#define NOTHING(X)
#define HOST_STRINGS(X) X(mac) X(id) X(name)
#define IP_STRINGS(X) X(tftp_root) X(bootp_file) X(bootp_server)
#define IP_ARRAYS(X)                                                                               \
    X(ranges, vb_dhcp_range_def_copy, vb_dhcp_range_def_free)                                      \
    X(hosts, vb_dhcp_host_def_copy, vb_dhcp_host_def_free)
#define FORWARDER_STRINGS(X) X(domain)
#define TXT_STRINGS(X) X(name) X(value)
#define SRV_STRINGS(X) X(service) X(protocol) X(domain) X(target)
#define DNS_HOST_ARRAYS(X) X(hostnames, copy_string, g_free)

#define DEFINE_COPY(Type, prefix, STRINGS, ARRAYS)                                                 \
    Type *prefix##_copy(const Type *part)                                                          \
    {                                                                                              \
        Type *copy = g_memdup2(part, sizeof *part);                                                \
        copy->line = 0;                                                                            \
        STRINGS(COPY_STRING)                                                                       \
        ARRAYS(COPY_ARRAY)                                                                         \
        return copy;                                                                               \
    }                                                                                              \
    void prefix##_free(Type *part)                                                                 \
    {                                                                                              \
        if (!part)                                                                                 \
            return;                                                                                \
        STRINGS(FREE_STRING)                                                                       \
        ARRAYS(FREE_ARRAY)                                                                         \
        g_free(part);                                                                              \
    }

DEFINE_COPY(VbDhcpRangeDef, vb_dhcp_range_def, NOTHING, NOTHING)
DEFINE_COPY(VbDhcpHostDef, vb_dhcp_host_def, HOST_STRINGS, NOTHING)
DEFINE_COPY(VbNetworkIpDef, vb_network_ip_def, IP_STRINGS, IP_ARRAYS)
DEFINE_COPY(VbRouteDef, vb_route_def, NOTHING, NOTHING)
DEFINE_COPY(VbDnsForwarderDef, vb_dns_forwarder_def, FORWARDER_STRINGS, NOTHING)
DEFINE_COPY(VbDnsTxtDef, vb_dns_txt_def, TXT_STRINGS, NOTHING)
DEFINE_COPY(VbDnsSrvDef, vb_dns_srv_def, SRV_STRINGS, NOTHING)
DEFINE_COPY(VbDnsHostDef, vb_dns_host_def, NOTHING, DNS_HOST_ARRAYS)

VbNetworkIpDef *vb_network_ip_def_new(void)
{
    VbNetworkIpDef *part = g_new0(VbNetworkIpDef, 1);

    IP_ARRAYS(NEW_ARRAY)
    return part;
}

VbDnsHostDef *vb_dns_host_def_new(void)
{
    VbDnsHostDef *part = g_new0(VbDnsHostDef, 1);

    DNS_HOST_ARRAYS(NEW_ARRAY)
    return part;
}

VbPortgroupDef *vb_portgroup_def_copy(const VbPortgroupDef *portgroup)
{
    VbPortgroupDef *copy = g_memdup2(portgroup, sizeof *portgroup);

    copy->line = 0;
    copy->name = g_strdup(portgroup->name);
    copy->vlan = vb_vlan_def_copy(portgroup->vlan);
    return copy;
}

void vb_portgroup_def_free(VbPortgroupDef *portgroup)
{
    if (!portgroup)
        return;
    g_free(portgroup->name);
    vb_vlan_def_free(portgroup->vlan);
    g_free(portgroup);
}

/* --- the network --- */

#define NETWORK_STRINGS(X)                                                                         \
    X(name) X(uuid) X(title) X(description) X(metadata_xml) X(bridge) X(mac) X(domain)

#define NETWORK_ARRAYS(X)                                                                          \
    X(forward.devs, copy_string, g_free)                                                           \
    X(dns.forwarders, vb_dns_forwarder_def_copy, vb_dns_forwarder_def_free)                        \
    X(dns.txts, vb_dns_txt_def_copy, vb_dns_txt_def_free)                                          \
    X(dns.srvs, vb_dns_srv_def_copy, vb_dns_srv_def_free)                                          \
    X(dns.hosts, vb_dns_host_def_copy, vb_dns_host_def_free)                                       \
    X(ips, vb_network_ip_def_copy, vb_network_ip_def_free)                                         \
    X(routes, vb_route_def_copy, vb_route_def_free)                                                \
    X(portgroups, vb_portgroup_def_copy, vb_portgroup_def_free)

VbNetworkDef *vb_network_def_new(void)
{
    VbNetworkDef *part = g_rc_box_new0(VbNetworkDef);

    NETWORK_ARRAYS(NEW_ARRAY)
    part->stp = TRUE;
    return part;
}

VbNetworkDef *vb_network_def_ref(VbNetworkDef *def)
{
    return g_rc_box_acquire(def);
}

static void network_def_clear(VbNetworkDef *part)
{
    NETWORK_STRINGS(FREE_STRING)
    NETWORK_ARRAYS(FREE_ARRAY)
    vb_vlan_def_free(part->vlan);
}

void vb_network_def_unref(VbNetworkDef *def)
{
    if (def)
        g_rc_box_release_full(def, (GDestroyNotify)network_def_clear);
}

VbNetworkDef *vb_network_def_copy(const VbNetworkDef *part)
{
    VbNetworkDef *copy = g_rc_box_new(VbNetworkDef);

    *copy = *part;
    copy->forward.line = copy->dns.line = 0;
    NETWORK_STRINGS(COPY_STRING)
    NETWORK_ARRAYS(COPY_ARRAY)
    copy->vlan = vb_vlan_def_copy(part->vlan);
    return copy;
}

gboolean vb_network_def_owns_bridge(const VbNetworkDef *def)
{
    return def->forward.mode != VB_FORWARD_BRIDGE;
}

gboolean vb_is_device_name(const char *name)
{
    /* The last two would be the kernel's settings for all devices, and for new ones. */
    static const char *const others[] = {".", "..", "all", "default", NULL};

    return vb_is_word(name, "_.-") && strlen(name) <= MAX_DEVICE_NAME && name[0] != '-' &&
           !g_strv_contains(others, name);
}

const VbPortgroupDef *vb_network_def_find_portgroup(const VbNetworkDef *def, const char *name)
{
    for (guint i = 0; i < def->portgroups->len; i++) {
        const VbPortgroupDef *portgroup = def->portgroups->pdata[i];

        if (name ? g_str_equal(portgroup->name, name) : portgroup->is_default)
            return portgroup;
    }
    return NULL;
}

/* --- subnets --- */

VbIpSubnet vb_network_ip_def_subnet(const VbNetworkIpDef *ip)
{
    return vb_ip_subnet(&ip->address, ip->prefix);
}

GArray *vb_network_def_subnets(const VbNetworkDef *def)
{
    GArray *subnets = g_array_new(FALSE, FALSE, sizeof(VbIpSubnet));

    for (guint i = 0; i < def->ips->len; i++) {
        VbIpSubnet subnet = vb_network_ip_def_subnet(def->ips->pdata[i]);

        g_array_append_val(subnets, subnet);
    }
    return subnets;
}

const VbNetworkIpDef *vb_network_def_find_overlap(const VbNetworkDef *def, const VbIpSubnet *subnet)
{
    for (guint i = 0; i < def->ips->len; i++) {
        VbIpSubnet own = vb_network_ip_def_subnet(def->ips->pdata[i]);

        if (vb_ip_subnet_overlaps(&own, subnet))
            return def->ips->pdata[i];
    }
    return NULL;
}

gboolean vb_network_def_overlaps(const VbNetworkDef *a, const VbNetworkDef *b, VbIpSubnet *ret_of_a,
                                 VbIpSubnet *ret_of_b)
{
    for (guint i = 0; i < a->ips->len; i++) {
        VbIpSubnet of_a = vb_network_ip_def_subnet(a->ips->pdata[i]);
        const VbNetworkIpDef *ip = vb_network_def_find_overlap(b, &of_a);

        if (!ip)
            continue;
        if (ret_of_a)
            *ret_of_a = of_a;
        if (ret_of_b)
            *ret_of_b = vb_network_ip_def_subnet(ip);
        return TRUE;
    }
    return FALSE;
}
