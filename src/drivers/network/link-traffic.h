/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Traffic limits of one device, a tap or a bridge. What goes out of it is shaped by a token bucket
 * (tbf) on the device. What comes in cannot be queued, so it takes a way round by an ifb device of
 * its own, with a token bucket there. That ifb is called after the device's index, "vbi1f", and has
 * the alias "virtbus:DEVICE"; only what has both is ever removed. For the links' worker thread. */
#pragma once

#include "link-device.h"
#include "traffic-def.h"

/* FALSE with an error: limits that we have no means for (a floor). */
gboolean vb_link_traffic_check(const VbBandwidthDef *bandwidth, GError **error);

/* Sets the limits, or takes those of ours away where none is said. After an error there are none.
 * `outgoing` is what the device sends: to a guest, seen from its tap. */
gboolean vb_link_traffic_set(VbNetlink *netlink, const VbLinkDevice *device,
                             const VbTrafficRate *outgoing, const VbTrafficRate *incoming,
                             GError **error);
/* Removes the ifb devices of ours whose device is gone: with a tap that closes itself nobody else
 * does. */
gboolean vb_link_traffic_clean(VbNetlink *netlink, GError **error);
