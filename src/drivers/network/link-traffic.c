/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the queueing disciplines and the ifb devices by which traffic is limited. See
 * link-traffic.h. */
#include "link-traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "link-sysctl.h"

/* "7662:": by this a token bucket is known as ours. */
#define OUR_HANDLE TC_H_MAKE(0x7662U << 16, 0)
#define INGRESS_HANDLE TC_H_MAKE(TC_H_INGRESS, 0)
#define IFB_PREFIX "vbi"
#define ALIAS_PREFIX "virtbus:"

/* How much may come at once where nothing is said, and how much may wait: parts of a second. */
#define BURST_FRACTION 10u
#define PEAK_BURST_FRACTION 100u
#define QUEUE_FRACTION 5u
#define QUEUE_FRAMES 10u

gboolean vb_link_traffic_check(const VbBandwidthDef *bandwidth, GError **error)
{
    if (bandwidth->inbound.floor || bandwidth->outbound.floor)
        return vb_fail(error, VB_ERROR_NOT_SUPPORTED,
                       "<bandwidth>: a floor is not supported by the network driver 'bridge'");
    return TRUE;
}

static struct nl_msg *tc_message(int type, int flags, int index, guint32 parent, guint32 handle)
{
    struct nl_msg *message = nlmsg_alloc_simple(type, flags);
    struct tcmsg tc = {.tcm_ifindex = index, .tcm_parent = parent, .tcm_handle = handle};

    nlmsg_append(message, &tc, sizeof tc, NLMSG_ALIGNTO);
    return message;
}

/* ---- the token bucket -------------------------------------------------------------------------
 */

static guint32 clamp(guint64 bytes)
{
    return (guint32)MIN(bytes, G_MAXUINT32);
}

static struct nl_msg *bucket_request(const VbLinkDevice *device, const VbTrafficRate *rate)
{
    guint64 average = (guint64)rate->average * 1024, peak = (guint64)rate->peak * 1024;
    guint64 frame = device->mtu + ETH_HLEN + 4;
    guint64 burst = rate->burst ? (guint64)rate->burst * 1024 : average / BURST_FRACTION;
    struct tc_tbf_qopt options = {
        .rate = {.rate = clamp(average), .linklayer = TC_LINKLAYER_ETHERNET},
    };
    struct nl_msg *request = tc_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, device->index,
                                        TC_H_ROOT, OUR_HANDLE);

    burst = MAX(burst, frame);
    options.limit = clamp(MAX(burst, QUEUE_FRAMES * frame) + average / QUEUE_FRACTION);
    if (peak > average)
        options.peakrate =
            (struct tc_ratespec){.rate = clamp(peak), .linklayer = TC_LINKLAYER_ETHERNET};
    nla_put_string(request, TCA_KIND, "tbf");
    struct nlattr *nest = nla_nest_start(request, TCA_OPTIONS);
    nla_put(request, TCA_TBF_PARMS, sizeof options, &options);
    nla_put_u32(request, TCA_TBF_BURST, clamp(burst));
    if (average > G_MAXUINT32)
        nla_put_u64(request, TCA_TBF_RATE64, average);
    if (peak > average) {
        nla_put_u32(request, TCA_TBF_PBURST, clamp(MAX(peak / PEAK_BURST_FRACTION, frame)));
        if (peak > G_MAXUINT32)
            nla_put_u64(request, TCA_TBF_PRATE64, peak);
    }
    nla_nest_end(request, nest);
    return request;
}

static gboolean set_bucket(VbNetlink *netlink, const VbLinkDevice *device,
                           const VbTrafficRate *rate, GError **error)
{
    return vb_netlink_request(netlink, bucket_request(device, rate), NULL, NULL) == 0 ||
           vb_fail(error, VB_ERROR_FAILED, "cannot limit the traffic of %s: %s", device->name,
                   vb_netlink_text(netlink));
}

/* Another's keeps its place: the kernel refuses a handle that is not there. */
static void remove_bucket(VbNetlink *netlink, const VbLinkDevice *device)
{
    vb_netlink_request(netlink, tc_message(RTM_DELQDISC, 0, device->index, TC_H_ROOT, OUR_HANDLE),
                       NULL, NULL);
}

/* ---- the way round ----------------------------------------------------------------------------
 */

/* The index of the device that an ifb of ours belongs to; 0: it is not ours. */
static int owner_of(const VbLinkDevice *ifb)
{
    char *end;
    guint64 index;

    if (!g_str_has_prefix(ifb->name, IFB_PREFIX) || !g_str_has_prefix(ifb->alias, ALIAS_PREFIX))
        return 0;
    index = g_ascii_strtoull(ifb->name + strlen(IFB_PREFIX), &end, 16);
    return *end == '\0' && index <= G_MAXINT ? (int)index : 0;
}

static char *ifb_name(const VbLinkDevice *device)
{
    return g_strdup_printf(IFB_PREFIX "%x", (guint)device->index);
}

/* NULL without an error when there is none. Somebody else's of that name is an error. */
static VbLinkDevice *find_ifb(VbNetlink *netlink, const VbLinkDevice *device, GError **error)
{
    g_autofree char *name = ifb_name(device);
    g_autoptr(VbLinkDevice) ifb = vb_link_device_find(netlink, name, error);

    if (ifb && (!g_str_equal(ifb->kind, "ifb") || owner_of(ifb) != device->index)) {
        vb_fail(error, VB_ERROR_FAILED,
                "cannot limit the traffic of %s: the name %s is taken by another device",
                device->name, name);
        return NULL;
    }
    return g_steal_pointer(&ifb);
}

static VbLinkDevice *make_ifb(VbNetlink *netlink, const VbLinkDevice *device, GError **error)
{
    g_autofree char *name = ifb_name(device);
    g_autofree char *alias = g_strconcat(ALIAS_PREFIX, device->name, NULL);
    struct nl_msg *request =
        vb_netlink_link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0);
    struct nlattr *info;
    int code;

    nla_put_string(request, IFLA_IFNAME, name);
    nla_put_u32(request, IFLA_MTU, device->mtu);
    info = nla_nest_start(request, IFLA_LINKINFO);
    nla_put_string(request, IFLA_INFO_KIND, "ifb");
    nla_nest_end(request, info);
    code = vb_netlink_request(netlink, request, NULL, NULL);
    if (code == 0) {
        request = vb_netlink_link_message(RTM_SETLINK, 0, AF_UNSPEC, 0);
        nla_put_string(request, IFLA_IFNAME, name);
        nla_put(request, IFLA_IFALIAS, (int)strlen(alias), alias);
        code = vb_netlink_request(netlink, request, NULL, NULL);
    }
    if (code != 0) {
        vb_fail(error, code == EOPNOTSUPP ? VB_ERROR_NOT_SUPPORTED : VB_ERROR_FAILED,
                "cannot make the ifb device %s to limit the traffic of %s: %s", name, device->name,
                vb_netlink_text(netlink));
        return NULL;
    }
    return find_ifb(netlink, device, error);
}

static void remove_ingress(VbNetlink *netlink, const VbLinkDevice *device)
{
    vb_netlink_request(netlink,
                       tc_message(RTM_DELQDISC, 0, device->index, TC_H_INGRESS, INGRESS_HANDLE),
                       NULL, NULL);
}

/* A filter on all that comes in: steal it and send it out of the ifb, which puts it back in. */
static struct nl_msg *redirect_request(const VbLinkDevice *device, const VbLinkDevice *ifb)
{
    struct nl_msg *request =
        tc_message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, device->index, INGRESS_HANDLE, 0);
    struct tcmsg *tc = nlmsg_data(nlmsg_hdr(request));
    /* One key, of mask 0: everything. */
    gsize size = sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key);
    g_autofree struct tc_u32_sel *all = g_malloc0(size);
    struct tc_mirred redirect = {
        .action = TC_ACT_STOLEN,
        .eaction = TCA_EGRESS_REDIR,
        .ifindex = (guint32)ifb->index,
    };

    all->flags = TC_U32_TERMINAL;
    all->nkeys = 1;
    tc->tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL)); /* priority and protocol */
    nla_put_string(request, TCA_KIND, "u32");
    struct nlattr *options = nla_nest_start(request, TCA_OPTIONS);
    nla_put(request, TCA_U32_SEL, (int)size, all);
    struct nlattr *actions = nla_nest_start(request, TCA_U32_ACT);
    struct nlattr *first = nla_nest_start(request, 1);
    nla_put_string(request, TCA_ACT_KIND, "mirred");
    struct nlattr *action = nla_nest_start(request, TCA_ACT_OPTIONS);
    nla_put(request, TCA_MIRRED_PARMS, sizeof redirect, &redirect);
    nla_nest_end(request, action);
    nla_nest_end(request, first);
    nla_nest_end(request, actions);
    nla_nest_end(request, options);
    return request;
}

static gboolean set_redirect(VbNetlink *netlink, const VbLinkDevice *device,
                             const VbLinkDevice *ifb, GError **error)
{
    struct nl_msg *request = tc_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, device->index,
                                        TC_H_INGRESS, INGRESS_HANDLE);

    nla_put_string(request, TCA_KIND, "ingress");
    if (vb_netlink_request(netlink, request, NULL, NULL) == 0) {
        if (vb_netlink_request(netlink, redirect_request(device, ifb), NULL, NULL) == 0)
            return TRUE;
        vb_fail(error, VB_ERROR_FAILED, "cannot redirect what %s receives to %s: %s", device->name,
                ifb->name, vb_netlink_text(netlink));
        remove_ingress(netlink, device);
        return FALSE;
    }
    return vb_fail(error, VB_ERROR_FAILED, "cannot intercept what %s receives: %s", device->name,
                   vb_netlink_text(netlink));
}

static gboolean set_way_round(VbNetlink *netlink, const VbLinkDevice *device,
                              const VbTrafficRate *rate, GError **error)
{
    GError *cause = NULL;
    g_autoptr(VbLinkDevice) ifb = find_ifb(netlink, device, &cause);

    if (cause) {
        g_propagate_error(error, cause);
        return FALSE;
    }
    if (ifb) /* anew: its filter may lead to an ifb that was there before this one */
        remove_ingress(netlink, device);
    if (!ifb && rate->average)
        ifb = make_ifb(netlink, device, error);
    if (!rate->average)
        return !ifb || vb_link_device_remove(netlink, ifb, error);
    if (ifb && vb_sysctl_disable_ipv6(ifb->name, error) && set_bucket(netlink, ifb, rate, error) &&
        vb_link_device_set_up(netlink, ifb, TRUE, error) &&
        set_redirect(netlink, device, ifb, error))
        return TRUE;
    if (ifb)
        vb_link_device_remove(netlink, ifb, NULL);
    return FALSE;
}

/* ---- a device ---------------------------------------------------------------------------------
 */

gboolean vb_link_traffic_set(VbNetlink *netlink, const VbLinkDevice *device,
                             const VbTrafficRate *outgoing, const VbTrafficRate *incoming,
                             GError **error)
{
    if (!outgoing->average)
        remove_bucket(netlink, device);
    else if (!set_bucket(netlink, device, outgoing, error))
        return FALSE;
    if (set_way_round(netlink, device, incoming, error))
        return TRUE;
    remove_bucket(netlink, device);
    return FALSE;
}

gboolean vb_link_traffic_clean(VbNetlink *netlink, GError **error)
{
    g_autoptr(GPtrArray) ifbs = vb_link_device_list(netlink, "ifb", error);
    gboolean cleaned = ifbs != NULL;

    for (guint i = 0; cleaned && i < ifbs->len; i++) {
        const VbLinkDevice *ifb = ifbs->pdata[i];
        int owner = owner_of(ifb);
        GError *cause = NULL;

        if (!owner)
            continue;
        g_autoptr(VbLinkDevice) device = vb_link_device_find_index(netlink, owner, &cause);
        if (cause) {
            g_propagate_error(error, cause);
            cleaned = FALSE;
        } else if (!device) {
            cleaned = vb_link_device_remove(netlink, ifb, error);
        }
    }
    return cleaned;
}
