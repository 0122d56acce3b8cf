/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ports of guests: what links.h promises of vb_links_open_port_async() and its like, for the worker
 * thread. */
#pragma once

#include "link-netlink.h"
#include "network-driver.h"

VbPort *vb_link_port_open(VbNetlink *netlink, const VbPortSpec *spec, GError **error);
gboolean vb_link_port_plug(VbNetlink *netlink, const VbPortSpec *spec, GError **error);
gboolean vb_link_port_close(VbNetlink *netlink, const VbPortSpec *spec, GError **error);
