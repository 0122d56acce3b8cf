/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads what the kernel says about its network devices, and removes them. See link-device.h. */
#include "link-device.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <stdlib.h>

#include "error.h"

void vb_link_device_free(VbLinkDevice *device)
{
    if (!device)
        return;
    g_free(device->name);
    g_free(device->kind);
    g_free(device->alias);
    g_free(device->mac);
    g_free(device);
}

static char *text_of(struct nlattr *attribute)
{
    return attribute ? g_strndup(nla_data(attribute), (gsize)nla_len(attribute)) : g_strdup("");
}

static char *mac_of(struct nlattr *attribute)
{
    const guint8 *b;

    if (!attribute || nla_len(attribute) != 6)
        return g_strdup("");
    b = nla_data(attribute);
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void read_kind(VbLinkDevice *device, struct nlattr *attribute)
{
    struct nlattr *info[IFLA_INFO_MAX + 1] = {NULL}, *data = NULL, *value;

    if (attribute && nla_parse_nested(info, IFLA_INFO_MAX, attribute, NULL) == 0)
        data = info[IFLA_INFO_DATA];
    device->kind = text_of(info[IFLA_INFO_KIND]);
    if (!data)
        return;
    if (g_str_equal(device->kind, "tun")) {
        value = nla_find(nla_data(data), nla_len(data), IFLA_TUN_TYPE);
        device->tap = value && nla_get_u8(value) == IFF_TAP;
        value = nla_find(nla_data(data), nla_len(data), IFLA_TUN_MULTI_QUEUE);
        device->multi_queue = value && nla_get_u8(value);
        value = nla_find(nla_data(data), nla_len(data), IFLA_TUN_PERSIST);
        device->persistent = value && nla_get_u8(value);
    } else if (g_str_equal(device->kind, "bridge")) {
        /* The other is there in any kernel. */
        device->vlan_capable =
            nla_find(nla_data(data), nla_len(data), IFLA_BR_VLAN_PROTOCOL) != NULL;
        value = nla_find(nla_data(data), nla_len(data), IFLA_BR_VLAN_FILTERING);
        device->vlan_filtering = value && nla_get_u8(value);
        value = nla_find(nla_data(data), nla_len(data), IFLA_BR_VLAN_DEFAULT_PVID);
        device->vlan_default = value ? nla_get_u16(value) : 0;
    }
}

/* A VbNetlinkFunc: adds to an array. */
static void read_device(struct nl_msg *answer, gpointer devices)
{
    struct nlmsghdr *header = nlmsg_hdr(answer);
    const struct ifinfomsg *info = nlmsg_data(header);
    struct nlattr *attributes[IFLA_MAX + 1];

    if (header->nlmsg_type != RTM_NEWLINK ||
        nlmsg_parse(header, sizeof *info, attributes, IFLA_MAX, NULL) < 0)
        return;
    VbLinkDevice *device = g_new0(VbLinkDevice, 1);
    device->index = info->ifi_index;
    device->up = (info->ifi_flags & IFF_UP) != 0;
    device->name = text_of(attributes[IFLA_IFNAME]);
    device->alias = text_of(attributes[IFLA_IFALIAS]);
    device->mac = mac_of(attributes[IFLA_ADDRESS]);
    device->mtu = attributes[IFLA_MTU] ? nla_get_u32(attributes[IFLA_MTU]) : 0;
    device->master = attributes[IFLA_MASTER] ? (int)nla_get_u32(attributes[IFLA_MASTER]) : 0;
    read_kind(device, attributes[IFLA_LINKINFO]);
    g_ptr_array_add(devices, device);
}

static GPtrArray *device_array(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)vb_link_device_free);
}

/* `what` is what it asks for, for messages. */
static VbLinkDevice *get(VbNetlink *netlink, struct nl_msg *request, const char *what,
                         GError **error)
{
    g_autoptr(GPtrArray) devices = device_array();
    int code = vb_netlink_request(netlink, request, read_device, devices);

    if (code != 0 && code != ENODEV)
        vb_fail(error, VB_ERROR_FAILED, "cannot look at the network device %s: %s", what,
                vb_netlink_text(netlink));
    return code == 0 && devices->len > 0 ? g_ptr_array_steal_index(devices, 0) : NULL;
}

VbLinkDevice *vb_link_device_find(VbNetlink *netlink, const char *name, GError **error)
{
    struct nl_msg *request = vb_netlink_link_message(RTM_GETLINK, 0, AF_UNSPEC, 0);

    nla_put_string(request, IFLA_IFNAME, name);
    return get(netlink, request, name, error);
}

VbLinkDevice *vb_link_device_find_index(VbNetlink *netlink, int index, GError **error)
{
    g_autofree char *number = g_strdup_printf("%d", index);

    return get(netlink, vb_netlink_link_message(RTM_GETLINK, 0, AF_UNSPEC, index), number, error);
}

GPtrArray *vb_link_device_list(VbNetlink *netlink, const char *kind, GError **error)
{
    g_autoptr(GPtrArray) devices = device_array();
    int code = EINTR;

    while (code == EINTR) {
        struct nl_msg *request = vb_netlink_link_message(RTM_GETLINK, NLM_F_DUMP, AF_UNSPEC, 0);
        struct nlattr *info = nla_nest_start(request, IFLA_LINKINFO);

        nla_put_string(request, IFLA_INFO_KIND, kind);
        nla_nest_end(request, info);
        nla_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        g_ptr_array_set_size(devices, 0);
        code = vb_netlink_request(netlink, request, read_device, devices);
    }
    if (code != 0) {
        vb_fail(error, VB_ERROR_FAILED, "cannot list the network devices: %s",
                vb_netlink_text(netlink));
        return NULL;
    }
    /* A kernel that does not know the kind yet gives all devices. */
    for (guint i = devices->len; i > 0; i--)
        if (!g_str_equal(((VbLinkDevice *)devices->pdata[i - 1])->kind, kind))
            g_ptr_array_remove_index_fast(devices, i - 1);
    return g_steal_pointer(&devices);
}

gboolean vb_link_device_remove(VbNetlink *netlink, const VbLinkDevice *device, GError **error)
{
    int code = vb_netlink_request(
        netlink, vb_netlink_link_message(RTM_DELLINK, 0, AF_UNSPEC, device->index), NULL, NULL);

    return code == 0 || code == ENODEV ||
           vb_fail(error, VB_ERROR_FAILED, "cannot remove the network device %s: %s", device->name,
                   vb_netlink_text(netlink));
}

gboolean vb_link_device_set_up(VbNetlink *netlink, const VbLinkDevice *device, gboolean up,
                               GError **error)
{
    struct nl_msg *request = vb_netlink_link_message(RTM_SETLINK, 0, AF_UNSPEC, device->index);
    struct ifinfomsg *info = nlmsg_data(nlmsg_hdr(request));

    info->ifi_flags = up ? IFF_UP : 0;
    info->ifi_change = IFF_UP;
    return vb_netlink_request(netlink, request, NULL, NULL) == 0 ||
           vb_fail(error, VB_ERROR_FAILED, "cannot set the network device %s %s: %s", device->name,
                   up ? "up" : "down", vb_netlink_text(netlink));
}
