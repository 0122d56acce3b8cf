/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbLinkDevice: what the kernel says about one network device. For the links' worker thread. */
#pragma once

#include "link-netlink.h"

typedef struct {
    int index;
    char *name;
    char *kind;  /* "bridge", "tun", "ifb" …; "" when it has none (hardware, loopback) */
    char *alias; /* "" when it has none */
    char *mac;   /* lower case; "" when it has none */
    guint mtu;
    int master; /* index of the device that it is a port of; 0: none */
    gboolean up;
    gboolean tap;            /* of kind "tun": speaks Ethernet */
    gboolean multi_queue;    /* of kind "tun" */
    gboolean persistent;     /* of kind "tun": stays when nobody has it open */
    gboolean vlan_capable;   /* of kind "bridge": the kernel can filter VLANs */
    gboolean vlan_filtering; /* … and does */
    guint vlan_default;      /* … this one where nothing is said; 0: none */
} VbLinkDevice;

void vb_link_device_free(VbLinkDevice *device); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbLinkDevice, vb_link_device_free)

/* NULL without an error when there is none. */
VbLinkDevice *vb_link_device_find(VbNetlink *netlink, const char *name, GError **error);
VbLinkDevice *vb_link_device_find_index(VbNetlink *netlink, int index, GError **error);
/* All of that kind, of VbLinkDevice. */
GPtrArray *vb_link_device_list(VbNetlink *netlink, const char *kind, GError **error);

/* What is gone already is removed. */
gboolean vb_link_device_remove(VbNetlink *netlink, const VbLinkDevice *device, GError **error);
gboolean vb_link_device_set_up(VbNetlink *netlink, const VbLinkDevice *device, gboolean up,
                               GError **error);
