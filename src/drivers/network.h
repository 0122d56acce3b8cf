/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbNetwork: one virtual network. It owns the stored and the live definition, the state, the one
 * slot for operations that change it (a second one is Busy and names the first), and the leases.
 * The objects read it and call it; the network driver (network-driver.h) tells it what happened. */
#pragma once

#include "driver.h"
#include "lease.h"
#include "network-driver.h"

/* Networks of one virtbusd, those that are being defined included. */
#define VB_HOST_NETWORKS_MAX 4096

typedef enum {
    VB_NETWORK_OP_NONE,
    VB_NETWORK_OP_START,
    VB_NETWORK_OP_DESTROY,
    VB_NETWORK_OP_UPDATE,
    VB_NETWORK_OP_UNDEFINE,
    VB_NETWORK_OP_REDEFINE,
    VB_N_NETWORK_OPS
} VbNetworkOp;

const char *vb_network_op_to_string(VbNetworkOp op); /* "start" … */

/* What a getter reads. Owned by the network; changes only between two main-loop callbacks. */
typedef struct {
    const char *uuid; /* lower case, with '-' */
    const char *name;
    gboolean active; /* started: its bridge is there, guests can be plugged in */
    gboolean persistent;
    gboolean autostart;
    gboolean config_pending; /* the stored definition differs from the live one */
} VbNetworkInfo;

/* ---- for everybody ----------------------------------------------------------------------------
 */

VbNetwork *vb_network_ref(VbNetwork *network);
void vb_network_unref(VbNetwork *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbNetwork, vb_network_unref)

const VbNetworkInfo *vb_network_info(const VbNetwork *network);
/* The live definition while active (or while it is being started), else the stored one. Borrowed.
 */
const VbNetworkDef *vb_network_def(const VbNetwork *network);
/* NULL for a transient network. Borrowed. */
const VbNetworkDef *vb_network_stored_def(const VbNetwork *network);
/* The document as a reader means it, the number of connections included when it is live; or of the
 * stored definition, of which a transient network may have none: NULL. (transfer full) */
char *vb_network_format(const VbNetwork *network, gboolean stored);
/* Of VbLease, in the order of their addresses. Borrowed. */
const GPtrArray *vb_network_leases(const VbNetwork *network);

/* The user's own data (the bus object), borrowed. One slot. */
void vb_network_set_user_data(VbNetwork *network, gpointer data);
gpointer vb_network_user_data(const VbNetwork *network);

/* START and DESTROY. Errors: NETWORK_RUNNING, NETWORK_NOT_RUNNING, BUSY (names the operation in
 * progress), the driver's own. A DESTROY of a network that guests use takes their links down; a
 * START plugs them in again. */
void vb_network_operate_async(VbNetwork *network, VbNetworkOp op, GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean vb_network_operate_finish(VbNetwork *network, GAsyncResult *result, GError **error);

/* Forgets the stored definition. An active network becomes transient; another one is removed. */
void vb_network_undefine_async(VbNetwork *network, GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean vb_network_undefine_finish(VbNetwork *network, GAsyncResult *result, GError **error);

/* Errors: INVALID_STATE: it is transient; BUSY: it is being undefined. */
void vb_network_set_autostart_async(VbNetwork *network, gboolean autostart,
                                    GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_network_set_autostart_finish(VbNetwork *network, GAsyncResult *result, GError **error);

/* Changes one part (network-def.h): of the live definition, of the stored one, or both; of both,
 * both or none. Neither wanted: of whatever there is. Finish says what was changed. Errors: as
 * vb_network_def_update(), the driver's; INVALID_ARGS: a definition that there is not is wanted. */
typedef struct {
    VbNetworkSection section;
    VbNetworkUpdate command;
    int parent;
    const char *xml;
    gboolean live, stored;
} VbNetworkChange;
void vb_network_update_async(VbNetwork *network, const VbNetworkChange *change,
                             GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_network_update_finish(GAsyncResult *result, gboolean *ret_live, gboolean *ret_stored,
                                  GError **error);

/* ---- of the host ------------------------------------------------------------------------------
 */

/* At most one; without it (a session instance) all that follows is NOT_SUPPORTED. `self` is dropped
 * with `destroy` when the host is freed. */
void vb_host_set_network_driver(VbHost *host, const VbNetworkDriver *driver, gpointer self,
                                GDestroyNotify destroy);

/* Defines a network, or defines an existing one (same UUID and name) again; an active one keeps its
 * live definition. Takes `def`. Errors: NETWORK_EXISTS, NOT_SUPPORTED, BUSY, LIMITS_EXCEEDED;
 * INVALID_ARGS: another definition has its bridge. Finish: (transfer full). */
void vb_host_define_network_async(VbHost *host, VbNetworkDef *def, GAsyncReadyCallback callback,
                                  gpointer user_data);
/* Makes a transient network and starts it. */
void vb_host_create_network_async(VbHost *host, VbNetworkDef *def, GAsyncReadyCallback callback,
                                  gpointer user_data);
VbNetwork *vb_host_define_network_finish(VbHost *host, GAsyncResult *result, GError **error);
VbNetwork *vb_host_create_network_finish(VbHost *host, GAsyncResult *result, GError **error);

/* As define, but only for this network: another UUID or name in `def` is INVALID_ARGS. */
void vb_network_redefine_async(VbNetwork *network, VbNetworkDef *def, GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean vb_network_redefine_finish(VbNetwork *network, GAsyncResult *result, GError **error);

VbHost *vb_network_host(const VbNetwork *network);

/* The network that is offered to who has none. Finish: (transfer full). */
void vb_host_default_network_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data);
VbNetworkDef *vb_host_default_network_finish(VbHost *host, GAsyncResult *result, GError **error);

/* Makes again what others may have removed of the active networks (VbNetworkDriver.reload). */
void vb_host_reload_networks_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_host_reload_networks_finish(VbHost *host, GAsyncResult *result, GError **error);

/* Borrowed, or NULL. */
VbNetwork *vb_host_network_by_name(VbHost *host, const char *name);
VbNetwork *vb_host_network_by_uuid(VbHost *host, const char *uuid);
/* Borrowed VbNetwork pointers, in the order of their UUIDs. (transfer container) */
GPtrArray *vb_host_networks(VbHost *host);

/* The addresses that the domain's interfaces have on virtual networks, from the leases; each once,
 * in the order of the interfaces. Of char *. (transfer full) */
GPtrArray *vb_domain_addresses(const VbDomain *domain);

/* ---- for hypervisor drivers -------------------------------------------------------------------
 */

/* A start: opens a port for each interface of the live definition that needs one (types network,
 * bridge, ethernet) and completes the definition: `target` and, of a network, `bridge`. Finish
 * gives an array of int with an element for each interface of the live definition: the tap, or -1;
 * closed with the array but for those that were set to -1. Errors: NO_NETWORK, NETWORK_NOT_RUNNING,
 * NOT_SUPPORTED, the network driver's; none stays open then. They are closed by vb_domain_gone().
 */
void vb_domain_open_ports_async(VbDomain *domain, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data);
GArray *vb_domain_open_ports_finish(VbDomain *domain, GAsyncResult *result, GError **error);

/* ---- for the network driver -------------------------------------------------------------------
 */

/* The driver's own data of an active network; dropped with `destroy` once it is stopped. */
void vb_network_set_driver_data(VbNetwork *network, gpointer data, GDestroyNotify destroy);
gpointer vb_network_driver_data(const VbNetwork *network);
/* The network's run-time directory: run_dir/networks/<uuid>, made (0711) when a start begins,
 * removed with all in it once it is stopped. */
const char *vb_network_run_dir(const VbNetwork *network);
/* All leases as they are now; takes the array (of VbLease). Announces what changed, of domains,
 * too. */
void vb_network_set_leases(VbNetwork *network, GPtrArray *leases);
/* Writes the run-time record again because what VbNetworkDriver.save says has changed. */
void vb_network_save(VbNetwork *network);
