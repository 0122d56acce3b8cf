/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of the network driver (bridge-*.c) share, and nobody else. */
#pragma once

#include "bridge-driver.h"
#include "dnsmasq.h"
#include "firewall.h"
#include "links.h"

/* It outlives vb_bridge_driver_free() while an operation is at it, which then finds no links. */
typedef struct {
    const VbLauncher *launcher;
    gpointer launcher_self;
    char *lease_helper, *dnsmasq_user;
    VbLinks *links; /* NULL: the host is being freed */
    VbFirewall *firewall;
    GPtrArray *active; /* of VbBridgeNetwork: what the firewall is made of */
} VbBridgeDriver;

VbBridgeDriver *vb_bridge_driver_ref(VbBridgeDriver *driver);
void vb_bridge_driver_unref(VbBridgeDriver *driver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbBridgeDriver, vb_bridge_driver_unref)

/* The driver's data of an active network that has a bridge of its own. */
typedef struct {
    VbNetwork *network;  /* NULL once the network has let go of it: what comes later is lost */
    VbNetworkDef *def;   /* the live one */
    VbDnsmasq *dnsmasq;  /* or NULL: it needs none */
    gboolean unattached; /* after a restart it could not be taken over: it may run all the same */
} VbBridgeNetwork;

void vb_bridge_network_unref(gpointer network);

/* Has the firewall made of the active networks as they are now. */
void vb_bridge_driver_filter(VbBridgeDriver *driver, GAsyncReadyCallback callback,
                             gpointer user_data);

/* VbNetworkDriver, one network: bridge-network.c */
void vb_bridge_start(gpointer self, VbNetwork *network, GTask *task);
void vb_bridge_stop(gpointer self, VbNetwork *network, GTask *task);
void vb_bridge_update(gpointer self, VbNetwork *network, const VbNetworkDef *def, GTask *task);
void vb_bridge_save(gpointer self, VbNetwork *network, GKeyFile *record);
void vb_bridge_reconnect(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task);
void vb_bridge_clean(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task);

/* VbNetworkDriver, definitions: bridge-define.c */
void vb_bridge_prepare(gpointer self, VbNetworkDef *def, const GPtrArray *others, GTask *task);
void vb_bridge_find_default(gpointer self, const GPtrArray *others, GTask *task);
