/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network driver: bridges, nftables and dnsmasq. network-driver.h is its contract. */
#pragma once

#include "launcher.h"
#include "network.h"

typedef struct {
    const VbLauncher *launcher;
    gpointer launcher_self;
    const char *lease_helper; /* path of virtbus-lease-helper */
    const char *dnsmasq_user; /* see virtbusd.conf(5); NULL: who we are */
} VbBridgeDriverOptions;

extern const VbNetworkDriver vb_bridge_driver;

gpointer vb_bridge_driver_new(VbHost *host, const VbBridgeDriverOptions *options);
void vb_bridge_driver_free(gpointer self);
