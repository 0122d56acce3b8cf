/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the host's routes and addresses and finds what a network would overlap; adds those of a
 * network's bridge. See link-route.h. */
#include "link-route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

#include "error.h"
#include "link-mac.h"
#include "link-sysctl.h"

/* Routes this wide are default routes, in one piece or in two (as VPNs have them), and 2000::/3. */
#define IPV4_DEFAULT_PREFIX 1u
#define IPV6_DEFAULT_PREFIX 3u
/* Loopback and multicast addresses are routed in subnets at least as narrow as this. */
#define SPECIAL_PREFIX 8u

void vb_host_route_free(VbHostRoute *route)
{
    if (!route)
        return;
    g_free(route->device);
    g_free(route->text);
    g_free(route);
}

/* ---- addresses of libnl -----------------------------------------------------------------------
 */

static struct nl_addr *nl_address(const VbIpAddress *address, guint prefix)
{
    gboolean ipv4 = address->family == VB_IPV4;
    struct nl_addr *made =
        nl_addr_build(ipv4 ? AF_INET : AF_INET6, address->bytes, ipv4 ? 4 : sizeof address->bytes);

    nl_addr_set_prefixlen(made, (int)prefix);
    return made;
}

/* FALSE for one of neither family. Without bits, it is all zeros. */
static gboolean read_address(struct nl_addr *from, VbIpAddress *ret_address)
{
    int family = from ? nl_addr_get_family(from) : AF_UNSPEC;
    VbIpAddress address = {.family = family == AF_INET ? VB_IPV4 : VB_IPV6};

    if (family != AF_INET && family != AF_INET6)
        return FALSE;
    memcpy(address.bytes, nl_addr_get_binary_addr(from),
           MIN(nl_addr_get_len(from), family == AF_INET ? 4 : sizeof address.bytes));
    *ret_address = address;
    return TRUE;
}

static char *device_name(int index)
{
    char name[IF_NAMESIZE];

    return g_strdup(index > 0 && if_indextoname((unsigned)index, name) ? name : "");
}

/* ---- what there is ----------------------------------------------------------------------------
 */

typedef void (*ObjectFunc)(struct nl_object *object, gpointer data);

typedef struct {
    ObjectFunc func;
    gpointer data;
} Reader;

static void read_object(struct nl_object *object, void *data)
{
    Reader *reader = data;

    reader->func(object, reader->data);
}

static void read_message(struct nl_msg *answer, gpointer reader)
{
    nl_msg_parse(answer, read_object, reader);
}

/* All objects of a kind (RTM_GETROUTE, RTM_GETADDR); `collected` is emptied before a new try. */
static gboolean dump(VbNetlink *netlink, int type, ObjectFunc func, GPtrArray *collected,
                     GError **error)
{
    Reader reader = {.func = func, .data = collected};
    guint before = collected->len;
    int code = EINTR;

    while (code == EINTR) {
        struct nl_msg *request = nlmsg_alloc_simple(type, NLM_F_DUMP);
        struct rtmsg family = {.rtm_family = AF_UNSPEC};

        nlmsg_append(request, &family, sizeof family, NLMSG_ALIGNTO);
        g_ptr_array_set_size(collected, (int)before);
        code = vb_netlink_request(netlink, request, read_message, &reader);
    }
    return code == 0 ||
           vb_fail(error, VB_ERROR_FAILED, "cannot list the host's %s: %s",
                   type == RTM_GETROUTE ? "routes" : "addresses", vb_netlink_text(netlink));
}

/* FALSE: the kernel's own, a default route, or one that no network can be in the way of. */
static gboolean is_of_interest(const VbIpSubnet *subnet)
{
    guint widest = subnet->address.family == VB_IPV4 ? IPV4_DEFAULT_PREFIX : IPV6_DEFAULT_PREFIX;

    if (vb_ip_is_link_local(&subnet->address) ||
        (subnet->prefix >= SPECIAL_PREFIX && vb_ip_unusable(&subnet->address)))
        return FALSE;
    return subnet->prefix > widest;
}

static void add_host_route(GPtrArray *routes, const VbIpSubnet *subnet, char *device, char *text)
{
    VbHostRoute *route = g_new0(VbHostRoute, 1);

    route->destination = *subnet;
    route->device = device;
    route->text = text;
    g_ptr_array_add(routes, route);
}

static const char *type_word(int type)
{
    switch (type) {
    case RTN_BLACKHOLE:
        return "blackhole ";
    case RTN_UNREACHABLE:
        return "unreachable ";
    case RTN_PROHIBIT:
        return "prohibit ";
    default:
        return "";
    }
}

static void read_route(struct nl_object *object, gpointer routes)
{
    struct rtnl_route *route = (struct rtnl_route *)object;
    struct rtnl_nexthop *hop =
        rtnl_route_get_nnexthops(route) > 0 ? rtnl_route_nexthop_n(route, 0) : NULL;
    struct nl_addr *destination = rtnl_route_get_dst(route);
    int type = rtnl_route_get_type(route);
    VbIpAddress address, gateway;
    VbIpSubnet subnet;

    if ((type != RTN_UNICAST && !type_word(type)[0]) ||
        rtnl_route_get_table(route) == RT_TABLE_LOCAL ||
        (rtnl_route_get_flags(route) & RTM_F_CLONED) || !read_address(destination, &address))
        return;
    subnet = vb_ip_subnet(&address, nl_addr_get_prefixlen(destination));
    if (!is_of_interest(&subnet))
        return;
    g_autofree char *to = vb_ip_subnet_to_string(&subnet);
    g_autoptr(GString) text = g_string_new(type_word(type));
    char *device = device_name(hop ? rtnl_route_nh_get_ifindex(hop) : 0);
    g_string_append(text, to);
    if (hop && read_address(rtnl_route_nh_get_gateway(hop), &gateway)) {
        g_autofree char *via = vb_ip_to_string(&gateway);
        g_string_append_printf(text, " via %s", via);
    }
    if (device[0])
        g_string_append_printf(text, " dev %s", device);
    add_host_route(routes, &subnet, device, g_strdup(text->str));
}

/* For addresses without a route of their subnet; most have one. */
static void read_host_address(struct nl_object *object, gpointer routes)
{
    struct rtnl_addr *own = (struct rtnl_addr *)object;
    struct nl_addr *local = rtnl_addr_get_local(own);
    gboolean is_peer = rtnl_addr_get_peer(own) != NULL;
    VbIpAddress address;
    VbIpSubnet subnet;

    if (!read_address(local, &address))
        return;
    guint prefix = (guint)rtnl_addr_get_prefixlen(own);
    subnet = vb_ip_subnet(&address, is_peer ? vb_ip_family_bits(address.family) : prefix);
    if (!is_of_interest(&subnet))
        return;
    for (guint i = 0; i < ((GPtrArray *)routes)->len; i++) {
        const VbHostRoute *known = ((GPtrArray *)routes)->pdata[i];
        if (vb_ip_subnet_equal(&known->destination, &subnet))
            return;
    }
    g_autofree char *text = vb_ip_to_string(&address);
    char *device = device_name(rtnl_addr_get_ifindex(own));
    add_host_route(routes, &subnet, device,
                   g_strdup_printf("%s/%u dev %s", text, subnet.prefix, device));
}

GPtrArray *vb_link_routes(VbNetlink *netlink, GError **error)
{
    g_autoptr(GPtrArray) routes =
        g_ptr_array_new_with_free_func((GDestroyNotify)vb_host_route_free);

    if (!dump(netlink, RTM_GETROUTE, read_route, routes, error) ||
        !dump(netlink, RTM_GETADDR, read_host_address, routes, error))
        return NULL;
    return g_steal_pointer(&routes);
}

/* What of the network the host's route overlaps; NULL: nothing. (transfer full) */
static char *overlap_text(const VbNetworkDef *def, const VbHostRoute *route)
{
    const VbNetworkIpDef *ip = vb_network_def_find_overlap(def, &route->destination);
    VbIpSubnet subnet;

    if (ip) {
        subnet = vb_network_ip_def_subnet(ip);
        return vb_ip_subnet_to_string(&subnet);
    }
    for (guint i = 0; i < def->routes->len; i++) {
        const VbRouteDef *own = def->routes->pdata[i];
        if (vb_ip_subnet_overlaps(&own->destination, &route->destination)) {
            g_autofree char *text = vb_ip_subnet_to_string(&own->destination);
            return g_strdup_printf("the route to %s", text);
        }
    }
    return NULL;
}

gboolean vb_link_routes_check(VbNetlink *netlink, const VbNetworkDef *def, GError **error)
{
    g_autoptr(GPtrArray) routes = vb_link_routes(netlink, error);

    for (guint i = 0; routes && i < routes->len; i++) {
        const VbHostRoute *route = routes->pdata[i];
        if (g_strcmp0(route->device, def->bridge) == 0)
            continue;
        g_autofree char *ours = overlap_text(def, route);
        if (ours)
            return vb_fail(error, VB_ERROR_FAILED, "%s overlaps the host's route %s", ours,
                           route->text);
    }
    return routes != NULL;
}

/* ---- default routes that a router has advertised ----------------------------------------------
 */

static void read_advertised(struct nl_object *object, gpointer devices)
{
    struct rtnl_route *route = (struct rtnl_route *)object;
    struct nl_addr *destination = rtnl_route_get_dst(route);

    if (rtnl_route_get_family(route) != AF_INET6 || rtnl_route_get_protocol(route) != RTPROT_RA ||
        (destination && nl_addr_get_prefixlen(destination) != 0))
        return;
    for (int i = 0; i < rtnl_route_get_nnexthops(route); i++)
        g_ptr_array_add(devices,
                        device_name(rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, i))));
}

char *vb_link_routes_find_advertised(VbNetlink *netlink, GError **error)
{
    g_autoptr(GPtrArray) devices = g_ptr_array_new_with_free_func(g_free);

    if (!dump(netlink, RTM_GETROUTE, read_advertised, devices, error))
        return NULL;
    for (guint i = 0; i < devices->len; i++) {
        g_autofree char *key = vb_sysctl_ipv6_key(devices->pdata[i], "accept_ra");
        /* 2 means: even when the host forwards. */
        if (vb_sysctl_get(key) == 1)
            return g_strdup(devices->pdata[i]);
    }
    return NULL;
}

/* ---- the bridge's own -------------------------------------------------------------------------
 */

static gboolean add_address(VbNetlink *netlink, const VbLinkDevice *bridge,
                            const VbIpAddress *address, guint prefix, GError **error)
{
    struct rtnl_addr *own = rtnl_addr_alloc();
    struct nl_addr *local = nl_address(address, prefix);
    struct nl_msg *request = NULL;
    int code = EINVAL;

    rtnl_addr_set_ifindex(own, bridge->index);
    rtnl_addr_set_local(own, local);
    if (address->family == VB_IPV6) {
        /* Nobody else has it yet, and a name server wants to bind to it at once. */
        rtnl_addr_set_flags(own, IFA_F_NODAD);
    } else if (prefix <= 30) {
        VbIpSubnet subnet = vb_ip_subnet(address, prefix);
        VbIpAddress last = vb_ip_subnet_last(&subnet);
        struct nl_addr *broadcast = nl_address(&last, 32);
        rtnl_addr_set_broadcast(own, broadcast);
        nl_addr_put(broadcast);
    }
    if (rtnl_addr_build_add_request(own, NLM_F_CREATE | NLM_F_EXCL, &request) == 0)
        code = vb_netlink_request(netlink, request, NULL, NULL);
    nl_addr_put(local);
    rtnl_addr_put(own);
    if (code == 0 || code == EEXIST)
        return TRUE;
    g_autofree char *text = vb_ip_to_string(address);
    return vb_fail(error, VB_ERROR_FAILED, "cannot give the bridge %s the address %s/%u: %s",
                   bridge->name, text, prefix,
                   request ? vb_netlink_text(netlink) : g_strerror(code));
}

gboolean vb_link_routes_add_addresses(VbNetlink *netlink, const VbLinkDevice *bridge,
                                      const VbNetworkDef *def, GError **error)
{
    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];
        if (!add_address(netlink, bridge, &ip->address, ip->prefix, error))
            return FALSE;
    }
    return TRUE;
}

gboolean vb_link_routes_add_link_local(VbNetlink *netlink, const VbLinkDevice *bridge,
                                       GError **error)
{
    VbIpAddress address = {.family = VB_IPV6, .bytes = {0xfe, 0x80}};
    guint8 mac[VB_LINK_MAC_SIZE];

    if (!vb_link_mac_parse(bridge->mac, mac))
        return TRUE;
    /* RFC 4291, appendix A: the MAC address with ff:fe in its middle and the bit of universal ones
     * turned round. */
    memcpy(address.bytes + 8, mac, 3);
    address.bytes[8] ^= 0x02;
    address.bytes[11] = 0xff;
    address.bytes[12] = 0xfe;
    memcpy(address.bytes + 13, mac + 3, 3);
    return add_address(netlink, bridge, &address, 64, error);
}

static gboolean add_route(VbNetlink *netlink, const VbLinkDevice *bridge, const VbRouteDef *def,
                          GError **error)
{
    struct rtnl_route *route = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    struct nl_addr *destination = nl_address(&def->destination.address, def->destination.prefix);
    struct nl_addr *gateway = nl_address(&def->gateway, vb_ip_family_bits(def->gateway.family));
    struct nl_msg *request = NULL;
    int code = EINVAL;

    rtnl_route_nh_set_ifindex(hop, bridge->index);
    rtnl_route_nh_set_gateway(hop, gateway);
    rtnl_route_set_family(route, nl_addr_get_family(destination));
    rtnl_route_set_dst(route, destination);
    rtnl_route_set_table(route, RT_TABLE_MAIN);
    rtnl_route_set_protocol(route, RTPROT_STATIC);
    if (def->metric)
        rtnl_route_set_priority(route, def->metric);
    rtnl_route_add_nexthop(route, hop);
    if (rtnl_route_build_add_request(route, NLM_F_CREATE | NLM_F_EXCL, &request) == 0)
        code = vb_netlink_request(netlink, request, NULL, NULL);
    nl_addr_put(destination);
    nl_addr_put(gateway);
    rtnl_route_put(route);
    if (code == 0 || code == EEXIST)
        return TRUE;
    g_autofree char *to = vb_ip_subnet_to_string(&def->destination);
    g_autofree char *via = vb_ip_to_string(&def->gateway);
    return vb_fail(error, VB_ERROR_FAILED, "cannot add the route to %s via %s dev %s: %s", to, via,
                   bridge->name, request ? vb_netlink_text(netlink) : g_strerror(code));
}

gboolean vb_link_routes_add_routes(VbNetlink *netlink, const VbLinkDevice *bridge,
                                   const VbNetworkDef *def, GError **error)
{
    for (guint i = 0; i < def->routes->len; i++)
        if (!add_route(netlink, bridge, def->routes->pdata[i], error))
            return FALSE;
    return TRUE;
}
