/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Makes, mends and removes the bridge of a network. It is known as the network's by name and MAC
 * address. See link-bridge.h. */
#include "link-bridge.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sys/socket.h>

#include "error.h"
#include "link-device.h"
#include "link-mac.h"
#include "link-route.h"
#include "link-sysctl.h"
#include "link-traffic.h"

#define IPV4_FORWARDING "ipv4/ip_forward"
#define IPV6_FORWARDING "ipv6/conf/all/forwarding"

/* IFLA_BR_FORWARD_DELAY counts hundredths of a second. */
#define DELAY_UNITS 100u

static gboolean has_family(const VbNetworkDef *def, VbIpFamily family)
{
    for (guint i = 0; i < def->ips->len; i++)
        if (((const VbNetworkIpDef *)def->ips->pdata[i])->address.family == family)
            return TRUE;
    return FALSE;
}

/* ---- forwarding -------------------------------------------------------------------------------
 */

static gboolean forwards(const VbNetworkDef *def, VbIpFamily family)
{
    return def->forward.mode != VB_FORWARD_NONE && has_family(def, family);
}

/* A host that forwards IPv6 is a router, and by default takes no routes from other routers. */
static gboolean check_forwarding(VbNetlink *netlink, const VbNetworkDef *def, GError **error)
{
    GError *cause = NULL;

    if (!forwards(def, VB_IPV6) || vb_sysctl_get(IPV6_FORWARDING) == 1)
        return TRUE;
    g_autofree char *device = vb_link_routes_find_advertised(netlink, &cause);
    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    return !device ||
           vb_fail(error, VB_ERROR_FAILED,
                   "to forward IPv6 would cost this host its default route, which a router "
                   "advertises on %s: set net.ipv6.conf.%s.accept_ra=2 first",
                   device, device);
}

static gboolean set_forwarding(const VbNetworkDef *def, GError **error)
{
    int before = vb_sysctl_get(IPV4_FORWARDING);

    if (forwards(def, VB_IPV4) && !vb_sysctl_set(IPV4_FORWARDING, 1, error))
        return FALSE;
    if (!forwards(def, VB_IPV6) || vb_sysctl_set(IPV6_FORWARDING, 1, error))
        return TRUE;
    if (before >= 0)
        vb_sysctl_set(IPV4_FORWARDING, before, NULL);
    return FALSE;
}

/* ---- IPv6 of the bridge -----------------------------------------------------------------------
 */

static gboolean has_ipv6(const VbNetworkDef *def)
{
    return has_family(def, VB_IPV6) || def->ipv6 == VB_TRISTATE_YES;
}

static gboolean set_ipv6(const VbNetworkDef *def, GError **error)
{
    /* Its addresses are ours alone, and it has to answer at once: nothing is taken from routers,
     * nobody is asked whether an address is free. */
    static const struct {
        const char *setting;
        int value;
    } settings[] = {{"accept_ra", 0}, {"autoconf", 0}, {"accept_dad", 0}};
    g_autofree char *disable = vb_sysctl_ipv6_key(def->bridge, "disable_ipv6");

    if (!has_ipv6(def) && vb_sysctl_get(disable) < 0)
        return TRUE; /* a kernel without IPv6 */
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_autofree char *key = vb_sysctl_ipv6_key(def->bridge, settings[i].setting);
        if (!vb_sysctl_set(key, settings[i].value, error))
            return FALSE;
    }
    return vb_sysctl_set(disable, has_ipv6(def) ? 0 : 1, error);
}

/* ---- the bridge -------------------------------------------------------------------------------
 */

static gboolean fail_taken(const VbLinkDevice *device, GError **error)
{
    const char *kind = device->kind[0] ? device->kind : "hardware";

    return vb_fail(error, VB_ERROR_FAILED,
                   "the name %s is taken by another network device (%s, MAC address %s)",
                   device->name, kind, device->mac[0] ? device->mac : "none");
}

static gboolean is_ours(const VbLinkDevice *device, const VbNetworkDef *def)
{
    return g_str_equal(device->kind, "bridge") && g_strcmp0(device->mac, def->mac) == 0;
}

static struct nl_msg *create_request(const VbNetworkDef *def, const guint8 *mac)
{
    struct nl_msg *request =
        vb_netlink_link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0);
    struct nlattr *info, *data;

    nla_put_string(request, IFLA_IFNAME, def->bridge);
    nla_put(request, IFLA_ADDRESS, VB_LINK_MAC_SIZE, mac);
    info = nla_nest_start(request, IFLA_LINKINFO);
    nla_put_string(request, IFLA_INFO_KIND, "bridge");
    data = nla_nest_start(request, IFLA_INFO_DATA);
    /* STP raises a delay that is too short for it, but only once it runs. */
    nla_put_u32(request, IFLA_BR_FORWARD_DELAY, def->delay * DELAY_UNITS);
    nla_put_u32(request, IFLA_BR_STP_STATE, def->stp ? 1 : 0);
    nla_nest_end(request, data);
    nla_nest_end(request, info);
    return request;
}

/* NULL with an error, and nothing is made. */
static VbLinkDevice *create(VbNetlink *netlink, const VbNetworkDef *def, GError **error)
{
    guint8 mac[VB_LINK_MAC_SIZE];
    int code;

    if (!vb_link_mac_parse(def->mac, mac)) {
        vb_fail(error, VB_ERROR_FAILED, "bridge %s: '%s' is no MAC address", def->bridge,
                def->mac ? def->mac : "");
        return NULL;
    }
    code = vb_netlink_request(netlink, create_request(def, mac), NULL, NULL);
    if (code != 0) {
        vb_fail(error, code == EOPNOTSUPP ? VB_ERROR_NOT_SUPPORTED : VB_ERROR_FAILED,
                "cannot make the bridge %s: %s", def->bridge, vb_netlink_text(netlink));
        return NULL;
    }
    g_autoptr(GError) cause = NULL;
    VbLinkDevice *bridge = vb_link_device_find(netlink, def->bridge, &cause);
    if (!bridge)
        vb_fail(error, VB_ERROR_FAILED, "the bridge %s is gone as soon as it was made%s%s",
                def->bridge, cause ? ": " : "", cause ? cause->message : "");
    return bridge;
}

/* Of a bridge that is there: else its MTU would be that of its ports. */
static gboolean set_mtu(VbNetlink *netlink, const VbLinkDevice *bridge, guint mtu, GError **error)
{
    struct nl_msg *request = vb_netlink_link_message(RTM_SETLINK, 0, AF_UNSPEC, bridge->index);

    nla_put_u32(request, IFLA_MTU, mtu);
    return vb_netlink_request(netlink, request, NULL, NULL) == 0 ||
           vb_fail(error, VB_ERROR_FAILED, "cannot set the MTU of bridge %s to %u: %s",
                   bridge->name, mtu, vb_netlink_text(netlink));
}

/* All but the device itself; what is there already stays. */
static gboolean furnish(VbNetlink *netlink, const VbLinkDevice *bridge, const VbNetworkDef *def,
                        GError **error)
{
    static const VbTrafficRate unlimited;

    /* What guests receive is what the bridge sends. What they send is the firewall's: a way round
     * by an ifb would lose its connection where the kernel filters bridges, and be translated no
     * more. */
    return set_ipv6(def, error) &&
           (!has_ipv6(def) || vb_link_routes_add_link_local(netlink, bridge, error)) &&
           vb_link_routes_add_addresses(netlink, bridge, def, error) &&
           vb_link_device_set_up(netlink, bridge, TRUE, error) &&
           vb_link_routes_add_routes(netlink, bridge, def, error) &&
           vb_link_traffic_set(netlink, bridge, &def->bandwidth.inbound, &unlimited, error) &&
           set_forwarding(def, error);
}

gboolean vb_link_bridge_make(VbNetlink *netlink, const VbNetworkDef *def, GError **error)
{
    GError *cause = NULL;
    g_autoptr(VbLinkDevice) other = vb_link_device_find(netlink, def->bridge, &cause);

    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    if (other)
        return fail_taken(other, error);
    if (!vb_link_traffic_check(&def->bandwidth, error) ||
        !vb_link_routes_check(netlink, def, error) || !check_forwarding(netlink, def, error))
        return FALSE;
    g_autoptr(VbLinkDevice) bridge = create(netlink, def, error);
    if (!bridge)
        return FALSE;
    if ((def->mtu == 0 || set_mtu(netlink, bridge, def->mtu, error)) &&
        furnish(netlink, bridge, def, error))
        return TRUE;
    vb_link_device_remove(netlink, bridge, NULL);
    return FALSE;
}

gboolean vb_link_bridge_remove(VbNetlink *netlink, const VbNetworkDef *def, GError **error)
{
    GError *cause = NULL;
    g_autoptr(VbLinkDevice) bridge = vb_link_device_find(netlink, def->bridge, &cause);

    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    return !bridge || !is_ours(bridge, def) || vb_link_device_remove(netlink, bridge, error);
}

gboolean vb_link_bridge_check(VbNetlink *netlink, const VbNetworkDef *def, GError **error)
{
    GError *cause = NULL;
    g_autoptr(VbLinkDevice) bridge = vb_link_device_find(netlink, def->bridge, &cause);

    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    if (!bridge || !g_str_equal(bridge->kind, "bridge"))
        return vb_fail(error, VB_ERROR_NETWORK_NOT_RUNNING, "there is no bridge %s on this host",
                       def->bridge);
    if (!vb_network_def_owns_bridge(def))
        return TRUE;
    if (!is_ours(bridge, def))
        return vb_fail(error, VB_ERROR_NETWORK_NOT_RUNNING,
                       "the bridge %s has the MAC address %s, so it is another's", def->bridge,
                       bridge->mac);
    return check_forwarding(netlink, def, error) && furnish(netlink, bridge, def, error);
}
