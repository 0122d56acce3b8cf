/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opens taps and makes them ports of bridges. A tap of ours lives as long as somebody has it open;
 * one that is somebody else's is changed only as far as the spec says so. See link-port.h. */
#include "link-port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <sys/ioctl.h>

#include "error.h"
#include "fd.h"
#include "link-device.h"
#include "link-mac.h"
#include "link-sysctl.h"
#include "link-traffic.h"
#include "link-vlan.h"

#define TUN_DEVICE "/dev/net/tun"
#define ANY_NAME "vnet%d" /* the kernel puts the first free number there */
#define OUR_ALIAS "virtbus"

/* ---- the tap ----------------------------------------------------------------------------------
 */

/* NULL with an error when there is none of that name or it is no tap. */
static VbLinkDevice *find_tap(VbNetlink *netlink, const char *name, GError **error)
{
    GError *cause = NULL;
    g_autoptr(VbLinkDevice) tap = vb_link_device_find(netlink, name, &cause);

    if (cause)
        g_propagate_error(error, cause);
    else if (!tap)
        vb_fail(error, VB_ERROR_FAILED, "there is no tap %s on this host", name);
    else if (!tap->tap)
        vb_fail(error, VB_ERROR_FAILED, "the network device %s is not a tap", name);
    else
        return g_steal_pointer(&tap);
    return NULL;
}

/* Its descriptor, or -1; `existing` is the one to open, NULL: a new one is made. */
static int open_tap(const VbPortSpec *spec, const VbLinkDevice *existing, char **ret_name,
                    GError **error)
{
    const char *wanted = spec->name ? spec->name : ANY_NAME;
    vb_autofd int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

    if (fd < 0) {
        vb_fail(error, VB_ERROR_FAILED, "cannot make a tap: cannot open " TUN_DEVICE ": %s",
                g_strerror(errno));
        return -1;
    }
    /* EXCL: "the name is taken" has to come from the kernel, which alone knows at that moment. */
    if (existing)
        request.ifr_flags |= existing->multi_queue ? IFF_MULTI_QUEUE : 0;
    else
        request.ifr_flags |= spec->name ? IFF_TUN_EXCL : 0;
    g_strlcpy(request.ifr_name, wanted, sizeof request.ifr_name);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        if (errno == EBUSY && !existing)
            vb_fail(error, VB_ERROR_FAILED,
                    "cannot make the tap %s: the name is taken by another network device", wanted);
        else
            vb_fail(error, VB_ERROR_FAILED, "cannot %s the tap %s: %s", existing ? "open" : "make",
                    wanted, g_strerror(errno));
        return -1;
    }
    *ret_name = g_strdup(request.ifr_name);
    return vb_steal_fd(&fd);
}

/* ---- the port ---------------------------------------------------------------------------------
 */

/* TRUE with NULL when the spec says none. */
static gboolean find_bridge(VbNetlink *netlink, const VbPortSpec *spec, VbLinkDevice **ret_bridge,
                            GError **error)
{
    GError *cause = NULL;
    g_autoptr(VbLinkDevice) bridge = NULL;

    if (spec->bridge)
        bridge = vb_link_device_find(netlink, spec->bridge, &cause);
    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    if (spec->bridge && (!bridge || !g_str_equal(bridge->kind, "bridge")))
        return bridge ? vb_fail(error, VB_ERROR_FAILED, "the network device %s is not a bridge",
                                spec->bridge)
                      : vb_fail(error, VB_ERROR_FAILED, "there is no bridge %s on this host",
                                spec->bridge);
    *ret_bridge = g_steal_pointer(&bridge);
    return TRUE;
}

/* The host's side of the guest's MAC address: high, so that no bridge takes it for its own. */
static gboolean host_mac(const char *guest, guint8 *ret_mac)
{
    if (!vb_link_mac_parse(guest, ret_mac))
        return FALSE;
    /* Not the guest's own: the bridge would keep what is for the guest. */
    ret_mac[0] = ret_mac[0] == 0xfe ? 0xfa : 0xfe;
    return TRUE;
}

/* MAC address, MTU, bridge: one request, which the kernel does in this order. */
static gboolean attach(VbNetlink *netlink, const VbPortSpec *spec, const VbLinkDevice *tap,
                       const VbLinkDevice *bridge, GError **error)
{
    guint mtu = spec->mtu == 0 && bridge && !spec->existing ? bridge->mtu : spec->mtu;
    int master = bridge ? bridge->index : 0;
    guint8 mac[VB_LINK_MAC_SIZE];
    struct nl_msg *request;

    if (!spec->existing && !host_mac(spec->mac, mac))
        return vb_fail(error, VB_ERROR_FAILED, "tap %s: '%s' is no MAC address", tap->name,
                       spec->mac ? spec->mac : "");
    request = vb_netlink_link_message(RTM_SETLINK, 0, AF_UNSPEC, tap->index);
    if (!spec->existing) {
        nla_put(request, IFLA_ADDRESS, sizeof mac, mac);
        nla_put(request, IFLA_IFALIAS, (int)strlen(OUR_ALIAS), OUR_ALIAS);
    }
    if (mtu)
        nla_put_u32(request, IFLA_MTU, mtu);
    if (bridge || !spec->existing)
        nla_put_u32(request, IFLA_MASTER, (guint32)master);
    if (vb_netlink_request(netlink, request, NULL, NULL) == 0)
        return TRUE;
    return bridge ? vb_fail(error, VB_ERROR_FAILED, "cannot plug the tap %s into bridge %s: %s",
                            tap->name, bridge->name, vb_netlink_text(netlink))
                  : vb_fail(error, VB_ERROR_FAILED, "cannot set up the tap %s: %s", tap->name,
                            vb_netlink_text(netlink));
}

static gboolean set_isolated(VbNetlink *netlink, const VbLinkDevice *tap, gboolean isolated,
                             GError **error)
{
    struct nl_msg *request = vb_netlink_link_message(RTM_SETLINK, 0, AF_BRIDGE, tap->index);
    struct nlattr *port = nla_nest_start(request, IFLA_PROTINFO | NLA_F_NESTED);

    nla_put_u8(request, IFLA_BRPORT_ISOLATED, isolated ? 1 : 0);
    nla_nest_end(request, port);
    return vb_netlink_request(netlink, request, NULL, NULL) == 0 ||
           vb_fail(error, VB_ERROR_FAILED, "cannot %s the port %s: %s",
                   isolated ? "isolate" : "set up", tap->name, vb_netlink_text(netlink));
}

/* What a guest receives is what its tap sends. */
static gboolean set_limits(VbNetlink *netlink, const VbPortSpec *spec, const VbLinkDevice *tap,
                           GError **error)
{
    return (spec->existing && !vb_bandwidth_def_is_set(&spec->bandwidth)) ||
           vb_link_traffic_set(netlink, tap, &spec->bandwidth.inbound, &spec->bandwidth.outbound,
                               error);
}

static gboolean furnish(VbNetlink *netlink, const VbPortSpec *spec, const VbLinkDevice *tap,
                        const VbLinkDevice *bridge, GError **error)
{
    g_autoptr(VbLinkDevice) port = NULL;

    /* Down until it is a port as it should be. */
    if ((bridge && tap->up && tap->master != bridge->index &&
         !vb_link_device_set_up(netlink, tap, FALSE, error)) ||
        (bridge && !spec->existing && !vb_sysctl_disable_ipv6(tap->name, error)) ||
        !attach(netlink, spec, tap, bridge, error) ||
        (bridge && !set_isolated(netlink, tap, spec->isolated, error)) ||
        (bridge && (spec->vlan || !spec->existing) &&
         !vb_link_vlan_set(netlink, bridge, tap, spec->vlan, error)))
        return FALSE;
    port = find_tap(netlink, tap->name, error); /* its MTU may be another now */
    return port && set_limits(netlink, spec, port, error) &&
           ((spec->existing && !bridge) || vb_link_device_set_up(netlink, port, TRUE, error));
}

/* What a tap that stays was before: MTU, bridge, up or down. */
static void restore(VbNetlink *netlink, const VbPortSpec *spec, const VbLinkDevice *before)
{
    static const VbTrafficRate none = {0};
    struct nl_msg *request = vb_netlink_link_message(RTM_SETLINK, 0, AF_UNSPEC, before->index);
    struct ifinfomsg *info = nlmsg_data(nlmsg_hdr(request));

    info->ifi_flags = before->up ? IFF_UP : 0;
    info->ifi_change = IFF_UP;
    nla_put_u32(request, IFLA_MTU, before->mtu);
    nla_put_u32(request, IFLA_MASTER, (guint32)before->master);
    vb_netlink_request(netlink, request, NULL, NULL);
    if (vb_bandwidth_def_is_set(&spec->bandwidth))
        vb_link_traffic_set(netlink, before, &none, &none, NULL);
}

/* Finds everything and furnishes; undone after an error. */
static gboolean plug(VbNetlink *netlink, const VbPortSpec *spec, const char *name, GError **error)
{
    g_autoptr(VbLinkDevice) bridge = NULL;
    g_autoptr(VbLinkDevice) tap = NULL;

    if (!vb_link_traffic_check(&spec->bandwidth, error) ||
        !find_bridge(netlink, spec, &bridge, error))
        return FALSE;
    tap = find_tap(netlink, name, error);
    if (!tap)
        return FALSE;
    if (furnish(netlink, spec, tap, bridge, error))
        return TRUE;
    restore(netlink, spec, tap);
    return FALSE;
}

/* ---- what links.c calls -----------------------------------------------------------------------
 */

VbPort *vb_link_port_open(VbNetlink *netlink, const VbPortSpec *spec, GError **error)
{
    g_autoptr(VbPort) port = g_new0(VbPort, 1);
    g_autoptr(VbLinkDevice) existing = NULL;

    port->fd = -1;
    if (!vb_link_traffic_clean(netlink, error))
        return NULL;
    if (spec->existing) {
        existing = find_tap(netlink, spec->name, error);
        if (!existing)
            return NULL;
    }
    port->fd = open_tap(spec, existing, &port->name, error);
    if (port->fd < 0 || !plug(netlink, spec, port->name, error))
        return NULL;
    return g_steal_pointer(&port);
}

gboolean vb_link_port_plug(VbNetlink *netlink, const VbPortSpec *spec, GError **error)
{
    return plug(netlink, spec, spec->name, error);
}

/* An existing tap goes back to what it was: out of our bridge, without our limits. */
static gboolean give_back(VbNetlink *netlink, const VbPortSpec *spec, GError **error)
{
    static const VbTrafficRate none = {0};
    GError *cause = NULL;
    g_autoptr(VbLinkDevice) tap = vb_link_device_find(netlink, spec->name, &cause);
    g_autoptr(VbLinkDevice) bridge = NULL;

    if (tap && spec->bridge)
        bridge = vb_link_device_find(netlink, spec->bridge, &cause);
    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    if (bridge && tap->master == bridge->index) {
        struct nl_msg *request = vb_netlink_link_message(RTM_SETLINK, 0, AF_UNSPEC, tap->index);
        nla_put_u32(request, IFLA_MASTER, 0);
        if (vb_netlink_request(netlink, request, NULL, NULL) != 0)
            return vb_fail(error, VB_ERROR_FAILED, "cannot take the tap %s out of bridge %s: %s",
                           spec->name, spec->bridge, vb_netlink_text(netlink));
    }
    return !tap || !vb_bandwidth_def_is_set(&spec->bandwidth) ||
           vb_link_traffic_set(netlink, tap, &none, &none, error);
}

/* A tap of ours has gone with its last descriptor, but who has a tap, QEMU, can make it stay and
 * open it again: we never do. By now its name may be another's; the alias tells, which QEMU, other
 * than the MAC address, cannot change. */
static gboolean remove_persistent(VbNetlink *netlink, const VbPortSpec *spec, GError **error)
{
    GError *cause = NULL;
    g_autoptr(VbLinkDevice) tap =
        spec->name ? vb_link_device_find(netlink, spec->name, &cause) : NULL;

    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    return !tap || !tap->persistent || !g_str_equal(tap->alias, OUR_ALIAS) ||
           vb_link_device_remove(netlink, tap, error);
}

gboolean vb_link_port_close(VbNetlink *netlink, const VbPortSpec *spec, GError **error)
{
    return (spec->existing ? give_back(netlink, spec, error)
                           : remove_persistent(netlink, spec, error)) &&
           vb_link_traffic_clean(netlink, error);
}
