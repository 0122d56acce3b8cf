/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host's routes and addresses: what there is, what a network would collide with, and those that
 * a network's bridge gets. For the links' worker thread. */
#pragma once

#include "link-device.h"
#include "links.h"

/* As vb_links_routes_finish(). */
GPtrArray *vb_link_routes(VbNetlink *netlink, GError **error);
/* FALSE with an error when an address or a route of the network overlaps one of the host's that
 * does not lead to the network's own bridge. */
gboolean vb_link_routes_check(VbNetlink *netlink, const VbNetworkDef *def, GError **error);

/* The first device by which the host has an IPv6 default route that a router has advertised, and
 * which would lose it if the host forwarded IPv6; NULL: none, or an error. (transfer full) */
char *vb_link_routes_find_advertised(VbNetlink *netlink, GError **error);

/* Adds what is missing. The device has to be up for the routes. */
gboolean vb_link_routes_add_addresses(VbNetlink *netlink, const VbLinkDevice *bridge,
                                      const VbNetworkDef *def, GError **error);
/* The address that the kernel would give the bridge, but only once a guest is there. */
gboolean vb_link_routes_add_link_local(VbNetlink *netlink, const VbLinkDevice *bridge,
                                       GError **error);
gboolean vb_link_routes_add_routes(VbNetlink *netlink, const VbLinkDevice *bridge,
                                   const VbNetworkDef *def, GError **error);
