/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bridge of a network: what links.h promises of vb_links_make_bridge_async(),
 * vb_links_remove_bridge_async() and vb_links_check_bridge_async(), for the worker thread. */
#pragma once

#include "link-netlink.h"
#include "network-def.h"

gboolean vb_link_bridge_make(VbNetlink *netlink, const VbNetworkDef *def, GError **error);
gboolean vb_link_bridge_remove(VbNetlink *netlink, const VbNetworkDef *def, GError **error);
gboolean vb_link_bridge_check(VbNetlink *netlink, const VbNetworkDef *def, GError **error);
