/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The VLANs of a bridge's port. For the links' worker thread. */
#pragma once

#include "link-device.h"
#include "traffic-def.h"

/* Turns the bridge's VLAN filtering on and gives the port these VLANs, in the place of those that
 * it has. NULL: the bridge's usual one, if it filters at all. Errors: VB_ERROR_NOT_SUPPORTED: the
 * kernel has no VLAN filtering. */
gboolean vb_link_vlan_set(VbNetlink *netlink, const VbLinkDevice *bridge, const VbLinkDevice *port,
                          const VbVlanDef *vlan, GError **error);
