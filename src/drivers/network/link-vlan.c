/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Puts a port into its VLANs. See link-vlan.h. */
#include "link-vlan.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sys/socket.h>

#include "error.h"

#define FIRST_VLAN 1
#define LAST_VLAN 4094

static gboolean turn_on(VbNetlink *netlink, const VbLinkDevice *bridge, GError **error)
{
    struct nl_msg *request = vb_netlink_link_message(RTM_NEWLINK, 0, AF_UNSPEC, bridge->index);
    struct nlattr *info = nla_nest_start(request, IFLA_LINKINFO), *data;

    nla_put_string(request, IFLA_INFO_KIND, "bridge");
    data = nla_nest_start(request, IFLA_INFO_DATA);
    nla_put_u8(request, IFLA_BR_VLAN_FILTERING, 1);
    nla_nest_end(request, data);
    nla_nest_end(request, info);
    return vb_netlink_request(netlink, request, NULL, NULL) == 0 ||
           vb_fail(error, VB_ERROR_FAILED, "cannot turn on the VLAN filtering of bridge %s: %s",
                   bridge->name, vb_netlink_text(netlink));
}

static void put_vlan(struct nl_msg *request, guint tag, guint16 flags)
{
    struct bridge_vlan_info vlan = {.flags = flags, .vid = (guint16)tag};

    nla_put(request, IFLA_BRIDGE_VLAN_INFO, sizeof vlan, &vlan);
}

/* All that it has, the bridge's default among them. */
static struct nl_msg *clear_request(const VbLinkDevice *port)
{
    struct nl_msg *request = vb_netlink_link_message(RTM_DELLINK, 0, AF_BRIDGE, port->index);
    struct nlattr *vlans = nla_nest_start(request, IFLA_AF_SPEC);

    put_vlan(request, FIRST_VLAN, BRIDGE_VLAN_INFO_RANGE_BEGIN);
    put_vlan(request, LAST_VLAN, BRIDGE_VLAN_INFO_RANGE_END);
    nla_nest_end(request, vlans);
    return request;
}

static guint16 flags_of(const VbVlanDef *vlan, guint tag)
{
    if (!vlan->trunk)
        return BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
    if (tag != vlan->native_tag)
        return 0;
    /* The native one takes what comes without a tag; "tagged" is how the guest gets it. */
    return vlan->native_mode == VB_VLAN_NATIVE_TAGGED
               ? BRIDGE_VLAN_INFO_PVID
               : BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
}

static struct nl_msg *add_request(const VbLinkDevice *bridge, const VbLinkDevice *port,
                                  const VbVlanDef *vlan)
{
    struct nl_msg *request = vb_netlink_link_message(RTM_SETLINK, 0, AF_BRIDGE, port->index);
    struct nlattr *vlans = nla_nest_start(request, IFLA_AF_SPEC);

    if (!vlan && bridge->vlan_default)
        put_vlan(request, bridge->vlan_default, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
    for (guint i = 0; vlan && i < vlan->tags->len; i++) {
        guint tag = g_array_index(vlan->tags, guint, i);
        put_vlan(request, tag, flags_of(vlan, tag));
    }
    nla_nest_end(request, vlans);
    return request;
}

gboolean vb_link_vlan_set(VbNetlink *netlink, const VbLinkDevice *bridge, const VbLinkDevice *port,
                          const VbVlanDef *vlan, GError **error)
{
    if (!vlan && !bridge->vlan_filtering)
        return TRUE;
    if (!bridge->vlan_capable)
        return vb_fail(error, VB_ERROR_NOT_SUPPORTED,
                       "a VLAN for %s: this kernel's bridges have no VLAN filtering", port->name);
    if (!bridge->vlan_filtering && !turn_on(netlink, bridge, error))
        return FALSE;
    return (vb_netlink_request(netlink, clear_request(port), NULL, NULL) == 0 &&
            vb_netlink_request(netlink, add_request(bridge, port, vlan), NULL, NULL) == 0) ||
           vb_fail(error, VB_ERROR_FAILED, "cannot set the VLANs of %s on bridge %s: %s",
                   port->name, bridge->name, vb_netlink_text(netlink));
}
