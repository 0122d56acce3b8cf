/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbLinks: the kernel's network devices: bridges, taps and their ports, addresses, routes, traffic
 * control, by netlink (libnl-route-3). The kernel may take its time (it has one lock for all of
 * this), so one worker thread talks to it, in the order of the calls; callbacks come in the main
 * context. Each call is whole: what it began and could not end is undone. Not cancellable. */
#pragma once

#include "network-driver.h"

typedef struct VbLinks VbLinks;

VbLinks *vb_links_new(void);
/* Waits for what was begun; callbacks of what was not get G_IO_ERROR_CANCELLED. */
void vb_links_free(VbLinks *links);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbLinks, vb_links_free)

/* The finish of all that give no more than success. */
gboolean vb_links_finish(GAsyncResult *result, GError **error);

/* The first of "virtbus0", "virtbus1" … that is neither a device nor in `taken` (a set of names).
 * (transfer full) */
void vb_links_find_name_async(VbLinks *links, GHashTable *taken, GAsyncReadyCallback callback,
                              gpointer user_data);
char *vb_links_find_name_finish(GAsyncResult *result, GError **error);

/* A route of the host's tables, addresses of its own devices included; no default route, also not
 * one in two halves, as VPNs have it. */
typedef struct {
    VbIpSubnet destination;
    char *device; /* "" when there is none (a blackhole) */
    char *text;   /* for messages: "192.168.0.0/16 via 10.0.0.1 dev eth0" */
} VbHostRoute;
void vb_host_route_free(VbHostRoute *route);

/* Of VbHostRoute; those that the kernel keeps for itself (local, loopback, broadcast, multicast,
 * link-local) are left out. (transfer full) */
void vb_links_routes_async(VbLinks *links, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *vb_links_routes_finish(GAsyncResult *result, GError **error);

/* The network's own bridge, of vb_network_def_owns_bridge() networks: made with its MAC, MTU,
 * STP; addresses and static routes; IPv6 off where no <ip> is of IPv6 and `ipv6` does not say
 * otherwise, no router advertisements taken; traffic limits of the network; forwarding switched on
 * in the host for the families that are forwarded; up. Messages name the device, not the network.
 * Errors: VB_ERROR_FAILED: the name is taken by another device; an address or route overlaps one of
 * the host's, which is named; to forward IPv6 would cost the host its own default route.
 * VB_ERROR_NOT_SUPPORTED: the kernel lacks something, which is named; a <bandwidth> with a floor.
 */
void vb_links_make_bridge_async(VbLinks *links, const VbNetworkDef *def,
                                GAsyncReadyCallback callback, gpointer user_data);
/* Removes it if it is there and has the network's MAC address, with all that belonged to it. */
void vb_links_remove_bridge_async(VbLinks *links, const VbNetworkDef *def,
                                  GAsyncReadyCallback callback, gpointer user_data);
/* Is it there as it was made? Mends addresses, routes, limits, "up" and the host's forwarding. For
 * a bridge that is not ours: is there a bridge of that name? VB_ERROR_NETWORK_NOT_RUNNING: no. */
void vb_links_check_bridge_async(VbLinks *links, const VbNetworkDef *def,
                                 GAsyncReadyCallback callback, gpointer user_data);

/* VbNetworkDriver.port_open, port_plug and port_close. The tap's own MAC address is the guest's
 * with fe as first byte (fa when the guest's has that); without multi-queue, unless somebody else
 * has made it so. In a bridge the host has no IPv6 on it. Its alias "virtbus" tells that it is
 * ours: port_close removes one that QEMU has made persistent. Traffic: what the guest receives is
 * shaped on the tap, what it sends on an ifb device of its own, which port_close removes. A VLAN
 * turns the bridge's VLAN filtering on; NOT_SUPPORTED where the kernel has none, and for a floor.
 */
void vb_links_open_port_async(VbLinks *links, const VbPortSpec *spec, GAsyncReadyCallback callback,
                              gpointer user_data);
VbPort *vb_links_open_port_finish(GAsyncResult *result, GError **error);
void vb_links_plug_port_async(VbLinks *links, const VbPortSpec *spec, GAsyncReadyCallback callback,
                              gpointer user_data);
void vb_links_close_port_async(VbLinks *links, const VbPortSpec *spec, GAsyncReadyCallback callback,
                               gpointer user_data);
