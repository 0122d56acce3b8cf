/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Network: a virtual network as the bus sees it. The object's data is the VbNetwork.
 */
#pragma once

#include "network.h"
#include "registry.h"

extern const VbInterface vb_network_interface;

/* The network's properties have changed. */
void vb_network_object_changed(VbRegistry *registry, VbObject *object, VbNetworkProps props);
/* Emits Lifecycle. */
void vb_network_object_lifecycle(VbRegistry *registry, VbObject *object, const char *event,
                                 const char *reason);
