/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The structs of networks in the core (network*.c, host-network.c), which share them and nothing
 * else. What the rest of the core needs of them is in core-private.h. */
#pragma once

#include "core-private.h"
#include "network.h"

/* ---- host ---- */

struct VbHostNetworks {
    const VbNetworkDriver *driver;
    gpointer self;
    GDestroyNotify destroy;
    GHashTable *by_uuid; /* uuid → VbNetwork (owned) */
    GHashTable *by_name; /* name → VbNetwork */
    GHashTable *users;   /* name → GPtrArray of VbDomain: with open ports on it; never empty */
    GQueue defining;     /* of GTask: one at a time, the first is at it */
};

void vb_host_insert_network(VbHost *host, VbNetwork *network);
/* Takes it off the bus and out of the tables. */
void vb_host_remove_network(VbHost *host, VbNetwork *network);
/* Of const VbNetworkDef *: the definitions, stored and live, of all networks but that of `uuid`.
 * (transfer container) */
GPtrArray *vb_host_network_defs(VbHost *host, const char *uuid);

/* The running domains that have ports on the network of that name; borrowed, or NULL. */
const GPtrArray *vb_host_network_users(VbHost *host, const char *name);
void vb_host_add_network_user(VbHost *host, const char *name, VbDomain *domain);
void vb_host_remove_network_user(VbHost *host, const char *name, VbDomain *domain);

/* No definition that is under way goes on. */
void vb_host_abandon_definitions(VbHost *host);

/* ---- network ---- */

typedef enum {
    VB_NETWORK_INACTIVE,
    VB_NETWORK_STARTING,
    VB_NETWORK_ACTIVE,
    VB_NETWORK_STOPPING,
} VbNetworkPhase;

struct VbNetwork {
    VbNetworkInfo info; /* its strings are owned here */
    VbHost *host;       /* NULL: it is freed; the driver's late answers change nothing any more */
    VbNetworkDef *stored;
    VbNetworkDef *live; /* in all phases but INACTIVE */
    char *run_dir;
    VbNetworkPhase phase;
    VbNetworkOp op;   /* who has the slot */
    gboolean removed; /* out of the host's tables */

    GPtrArray *leases;         /* of VbLease, by address */
    GHashTable *leases_by_mac; /* MAC → GPtrArray of VbLease, borrowed from `leases` */

    gpointer driver_data, user_data;
    GDestroyNotify driver_data_destroy;
};

gboolean vb_network_phase_from_string(const char *string, VbNetworkPhase *ret_phase);
VbNetwork *vb_network_new(VbHost *host, const VbNetworkDef *def);
void vb_network_lifecycle(VbNetwork *network, const char *event, const char *reason);

/* The slot: BUSY, and FALSE, when it is taken. */
gboolean vb_network_take_slot(VbNetwork *network, VbNetworkOp op, GError **error);
void vb_network_release_slot(VbNetwork *network);

/* The host is freed: `client` is answered with *error, which is taken, or a general one. Else
 * FALSE.
 */
gboolean vb_network_is_abandoned(const VbNetwork *network, GTask *client, GError **error);

/* Life. It begins with STARTING, on record; takes `live`. */
void vb_network_begin_life(VbNetwork *network, VbNetworkDef *live);
/* … after a restart it goes on, in a phase that is on record already; takes `live`. */
void vb_network_resume_life(VbNetwork *network, VbNetworkDef *live, VbNetworkPhase phase);
void vb_network_set_phase(VbNetwork *network, VbNetworkPhase phase);
/* Its bridge is there: announces it. */
void vb_network_activate(VbNetwork *network);
/* It is not active (any more): drops and announces all that belonged to its life, a transient
 * network itself. */
void vb_network_ended(VbNetwork *network, const char *reason);

/* The new definition of a network that is started, which it takes: persists it. */
VbNetworkProps vb_network_replace_live(VbNetwork *network, VbNetworkDef *def);
/* The stored definition, which is on the disk already (NULL: the network becomes transient). Takes
 * `def`. Both give the properties that changed, for who announces them. */
VbNetworkProps vb_network_replace_stored(VbNetwork *network, VbNetworkDef *def);

/* No leases any more; says whether there were some, and announces those of domains. */
gboolean vb_network_drop_leases(VbNetwork *network);

/* What an interface of the definition of a running domain is to be plugged into. Errors:
 * NO_NETWORK, NETWORK_NOT_RUNNING, FAILED: an unknown portgroup. */
VbPortSpec *vb_domain_port_spec(const VbDomain *domain, const VbInterfaceDef *interface,
                                GError **error);

/* All interfaces on the network: plugs them in and takes their links up, or takes them down.
 * Failures are logged; it waits for 2 s at most. Never fails: g_task_propagate_boolean(). */
void vb_network_plug_async(VbNetwork *network, GAsyncReadyCallback callback, gpointer user_data);
void vb_network_unplug_async(VbNetwork *network, GAsyncReadyCallback callback, gpointer user_data);
