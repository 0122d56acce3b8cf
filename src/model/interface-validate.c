/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the rules between the parts of network interfaces, and between the interfaces. */
#include "interface-validate.h"

#include "definition.h"
#include "error.h"
#include "network-def.h"

#define FAIL(code, part, path, ...)                                                                \
    vb_definition_fail(error, VB_ERROR_##code, (part)->line, "domain/devices/interface" path,      \
                       __VA_ARGS__)
#define INVALID(part, path, ...) FAIL(INVALID_XML, part, path, __VA_ARGS__)

/* --- one interface --- */

static gboolean check_names(const VbInterfaceDef *interface, GError **error)
{
    const struct {
        const char *name;
        const char *what;
    } devices[] = {{interface->bridge, "a bridge"}, {interface->target, "a target"}};

    if (interface->type == VB_INTERFACE_NETWORK && !vb_definition_is_name(interface->network))
        return INVALID(interface, "/source", "'%s' cannot be the name of a network",
                       interface->network ? interface->network : "");
    if (interface->portgroup && !*interface->portgroup)
        return INVALID(interface, "/source", "a portgroup needs a name");
    if (interface->type == VB_INTERFACE_BRIDGE && !interface->bridge)
        return INVALID(interface, "/source", "type 'bridge' needs the name of a bridge");
    for (gsize i = 0; i < G_N_ELEMENTS(devices); i++)
        if (devices[i].name && !vb_is_device_name(devices[i].name))
            return INVALID(interface, "", "'%s' cannot be the name of %s", devices[i].name,
                           devices[i].what);
    return TRUE;
}

static gboolean check_tap(const VbInterfaceDef *interface, GError **error)
{
    if (interface->type != VB_INTERFACE_NETWORK &&
        (interface->bandwidth.inbound.floor || interface->bandwidth.outbound.floor))
        return FAIL(NOT_SUPPORTED, interface, "/bandwidth",
                    "'floor' needs a virtual network, whose traffic is shared out");
    if (!vb_interface_def_is_unmanaged(interface))
        return TRUE;
    if (!interface->target)
        return INVALID(interface, "/target", "managed='no' needs 'dev', the tap that is there");
    if (vb_bandwidth_def_is_set(&interface->bandwidth))
        return INVALID(interface, "/bandwidth", "the tap is not managed, nor is its traffic");
    return TRUE;
}

static gboolean check_user_ip(const VbInterfaceDef *interface, const VbInterfaceIp *ip,
                              GError **error)
{
    const char *unusable = ip->address.family == VB_IP_NONE ? NULL : vb_ip_unusable(&ip->address);

    if (!unusable)
        return TRUE;
    g_autofree char *text = vb_ip_to_string(&ip->address);
    return INVALID(interface, "/ip", "%s is %s", text, unusable);
}

static gboolean check_passt(const VbInterfaceDef *interface, GError **error)
{
    for (guint i = 0; i < interface->port_forwards->len; i++) {
        const VbPortForwardDef *forward = interface->port_forwards->pdata[i];

        if (forward->device && forward->address.family == VB_IP_NONE)
            return FAIL(NOT_SUPPORTED, forward, "/portForward", "'dev' needs an 'address'");
        if (forward->ranges->len == 0 && forward->address.family != VB_IP_NONE)
            return FAIL(NOT_SUPPORTED, forward, "/portForward",
                        "all ports of one address: a <range> is needed");
    }
    return TRUE;
}

/* QEMU's own backend is a DHCP server with a range of its own in the subnet, and two more addresses
 * for itself; of IPv6 it announces the prefix. */
static gboolean check_builtin_ip(const VbInterfaceDef *interface, GError **error)
{
    const VbInterfaceIp *ipv4 = &interface->ipv4, *ipv6 = &interface->ipv6;

    if (ipv4->address.family != VB_IP_NONE) {
        VbIpSubnet subnet = vb_interface_ip_subnet(ipv4);
        VbIpAddress broadcast = vb_ip_subnet_last(&subnet);

        if (subnet.prefix > VB_MAX_USER_PREFIX)
            return FAIL(NOT_SUPPORTED, interface, "/ip",
                        "a prefix above %d needs <backend type='passt'/>", VB_MAX_USER_PREFIX);
        if (vb_ip_equal(&ipv4->address, &broadcast))
            return INVALID(interface, "/ip", "the address is the subnet's broadcast address");
    }
    if (ipv6->address.family != VB_IP_NONE) {
        VbIpSubnet subnet = vb_interface_ip_subnet(ipv6);

        if (!vb_ip_equal(&ipv6->address, &subnet.address) || subnet.prefix != 64)
            return FAIL(NOT_SUPPORTED, interface, "/ip",
                        "guests choose their IPv6 address in a subnet with the prefix 64, whose "
                        "address is needed; another needs <backend type='passt'/>");
    }
    return TRUE;
}

/* What only passt does, and QEMU's own backend does not. */
static gboolean check_builtin(const VbInterfaceDef *interface, GError **error)
{
    guint n_ports = 0;

    if (interface->mtu)
        return FAIL(NOT_SUPPORTED, interface, "/mtu",
                    "the MTU of type 'user' needs <backend type='passt'/>");
    if (!check_builtin_ip(interface, error))
        return FALSE;
    for (guint i = 0; i < interface->port_forwards->len; i++) {
        const VbPortForwardDef *forward = interface->port_forwards->pdata[i];

        if (forward->device || forward->ranges->len == 0)
            return FAIL(NOT_SUPPORTED, forward, "/portForward", "%s needs <backend type='passt'/>",
                        forward->device ? "a 'dev'" : "to forward all ports");
        if (forward->address.family == VB_IPV6)
            return FAIL(NOT_SUPPORTED, forward, "/portForward",
                        "an IPv6 address needs <backend type='passt'/>");
        for (guint j = 0; j < forward->ranges->len; j++) {
            const VbForwardRange *range = &g_array_index(forward->ranges, VbForwardRange, j);

            if (range->exclude)
                return FAIL(NOT_SUPPORTED, forward, "/portForward",
                            "'exclude' needs <backend type='passt'/>");
            n_ports += range->end - range->start + 1u;
        }
    }
    if (n_ports > VB_MAX_USER_FORWARDS)
        return FAIL(LIMITS_EXCEEDED, interface, "/portForward",
                    "%u ports are forwarded, and at most %d can be without <backend "
                    "type='passt'/>",
                    n_ports, VB_MAX_USER_FORWARDS);
    return TRUE;
}

static gboolean check_interface(const VbInterfaceDef *interface, GError **error)
{
    if (!check_names(interface, error) || !check_tap(interface, error) ||
        !check_user_ip(interface, &interface->ipv4, error) ||
        !check_user_ip(interface, &interface->ipv6, error))
        return FALSE;
    if (interface->type != VB_INTERFACE_USER)
        return TRUE;
    return interface->backend == VB_USER_BACKEND_PASST ? check_passt(interface, error)
                                                       : check_builtin(interface, error);
}

/* --- the ports of the host, of all interfaces together --- */

typedef struct {
    const VbPortForwardDef *forward;
    const VbForwardRange *range;
} Forwarded;

static gboolean is_any(const VbIpAddress *address)
{
    const VbIpAddress any = {.family = address->family};

    return vb_ip_equal(address, &any);
}

static gboolean share_address(const VbPortForwardDef *a, const VbPortForwardDef *b)
{
    if (a->protocol != b->protocol ||
        (a->device && b->device && !g_str_equal(a->device, b->device)))
        return FALSE;
    if (a->address.family == VB_IP_NONE || b->address.family == VB_IP_NONE)
        return TRUE;
    return a->address.family == b->address.family &&
           (is_any(&a->address) || is_any(&b->address) || vb_ip_equal(&a->address, &b->address));
}

static gboolean is_excluded(const VbPortForwardDef *forward, guint start, guint end)
{
    for (guint i = 0; i < forward->ranges->len; i++) {
        const VbForwardRange *range = &g_array_index(forward->ranges, VbForwardRange, i);

        if (range->exclude && range->start <= start && end <= range->end)
            return TRUE;
    }
    return FALSE;
}

/* The first port that both ask for; 0: none. */
static guint find_common_port(const Forwarded *a, const Forwarded *b)
{
    guint start = MAX(a->range->start, b->range->start);
    guint end = MIN(a->range->end, b->range->end);

    if (start > end || !share_address(a->forward, b->forward) ||
        is_excluded(a->forward, start, end) || is_excluded(b->forward, start, end))
        return 0;
    return start;
}

static gboolean collect_ranges(const VbDomainDef *def, GArray *all, GError **error)
{
    for (guint i = 0; i < def->interfaces->len; i++) {
        const VbInterfaceDef *interface = def->interfaces->pdata[i];

        for (guint j = 0; j < interface->port_forwards->len; j++) {
            const VbPortForwardDef *forward = interface->port_forwards->pdata[j];

            if (all->len + forward->ranges->len > VB_MAX_FORWARD_RANGES ||
                j >= VB_MAX_FORWARD_RANGES)
                return FAIL(LIMITS_EXCEEDED, forward, "/portForward",
                            "a domain has at most %d ranges of ports", VB_MAX_FORWARD_RANGES);
            for (guint k = 0; k < forward->ranges->len; k++) {
                const Forwarded forwarded = {forward,
                                             &g_array_index(forward->ranges, VbForwardRange, k)};

                if (!forwarded.range->exclude)
                    g_array_append_val(all, forwarded);
            }
        }
    }
    return TRUE;
}

static gboolean check_ports(const VbDomainDef *def, GError **error)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Forwarded));

    if (!collect_ranges(def, all, error))
        return FALSE;
    for (guint i = 0; i < all->len; i++)
        for (guint j = 0; j < i; j++) {
            const Forwarded *forwarded = &g_array_index(all, Forwarded, i);
            guint port = find_common_port(forwarded, &g_array_index(all, Forwarded, j));

            if (port)
                return INVALID(forwarded->forward, "/portForward", "%s port %u is forwarded twice",
                               vb_forward_protocol_to_string(forwarded->forward->protocol), port);
        }
    return TRUE;
}

/* --- all interfaces --- */

gboolean vb_domain_def_check_interfaces(const VbDomainDef *def, GError **error)
{
    g_autoptr(GHashTable) macs = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) targets = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < def->interfaces->len; i++) {
        const VbInterfaceDef *interface = def->interfaces->pdata[i];

        if (!check_interface(interface, error))
            return FALSE;
        if (!g_hash_table_add(macs, interface->mac))
            return INVALID(interface, "", "two interfaces have the MAC address %s", interface->mac);
        if (interface->target && !g_hash_table_add(targets, interface->target))
            return INVALID(interface, "/target", "two interfaces have the target '%s'",
                           interface->target);
    }
    return check_ports(def, error);
}
