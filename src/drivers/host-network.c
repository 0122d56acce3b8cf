/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbHostNetworks, the host's side of networks: their driver, their tables, and which domains
 * have ports on which. Defining is in network-define.c, loading in network-load.c. See network.h.
 */
#include "network.h"

#include <string.h>

#include "network-private.h"
#include "error.h"

void vb_host_set_network_driver(VbHost *host, const VbNetworkDriver *driver, gpointer self,
                                GDestroyNotify destroy)
{
    VbHostNetworks *networks = g_new0(VbHostNetworks, 1);

    g_assert(!host->networks);
    networks->driver = driver;
    networks->self = self;
    networks->destroy = destroy;
    networks->by_uuid =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)vb_network_unref);
    networks->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    networks->users =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    g_queue_init(&networks->defining);
    host->networks = networks;
}

void vb_host_free_networks(VbHost *host)
{
    VbHostNetworks *networks = host->networks;
    GHashTableIter iter;
    gpointer network;

    if (!networks)
        return;
    g_hash_table_iter_init(&iter, networks->by_uuid);
    /* What is on record stays as it is, for the next one to find. */
    while (g_hash_table_iter_next(&iter, NULL, &network)) {
        vb_network_set_driver_data(network, NULL, NULL);
        ((VbNetwork *)network)->host = NULL;
    }
    vb_host_abandon_definitions(host);
    if (networks->destroy)
        networks->destroy(networks->self);
    g_hash_table_unref(networks->users);
    g_hash_table_unref(networks->by_name);
    g_hash_table_unref(networks->by_uuid);
    g_clear_pointer(&host->networks, g_free);
}

/* ---- tables -----------------------------------------------------------------------------------
 */

void vb_host_insert_network(VbHost *host, VbNetwork *network)
{
    g_hash_table_insert(host->networks->by_uuid, (char *)network->info.uuid,
                        vb_network_ref(network));
    g_hash_table_insert(host->networks->by_name, (char *)network->info.name, network);
}

void vb_host_remove_network(VbHost *host, VbNetwork *network)
{
    g_autoptr(VbNetwork) keep = vb_network_ref(network);

    network->removed = TRUE;
    g_hash_table_remove(host->networks->by_name, network->info.name);
    g_hash_table_remove(host->networks->by_uuid, network->info.uuid);
    VB_EMIT(host, network_removed, network);
}

VbNetwork *vb_host_network_by_name(VbHost *host, const char *name)
{
    return host->networks ? g_hash_table_lookup(host->networks->by_name, name) : NULL;
}

VbNetwork *vb_host_network_by_uuid(VbHost *host, const char *uuid)
{
    g_autofree char *lower = g_ascii_strdown(uuid, -1);
    return host->networks ? g_hash_table_lookup(host->networks->by_uuid, lower) : NULL;
}

static int compare_uuids(gconstpointer a, gconstpointer b)
{
    return strcmp((*(VbNetwork *const *)a)->info.uuid, (*(VbNetwork *const *)b)->info.uuid);
}

GPtrArray *vb_host_networks(VbHost *host)
{
    GPtrArray *networks = g_ptr_array_new();
    GHashTableIter iter;
    gpointer network;

    if (!host->networks)
        return networks;
    g_hash_table_iter_init(&iter, host->networks->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &network))
        g_ptr_array_add(networks, network);
    g_ptr_array_sort(networks, compare_uuids);
    return networks;
}

GPtrArray *vb_host_network_defs(VbHost *host, const char *uuid)
{
    GPtrArray *defs = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, host->networks->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const VbNetwork *network = value;
        if (g_strcmp0(network->info.uuid, uuid) == 0)
            continue;
        if (network->stored)
            g_ptr_array_add(defs, network->stored);
        if (network->live)
            g_ptr_array_add(defs, network->live);
    }
    return defs;
}

/* ---- who uses them ----------------------------------------------------------------------------
 */

const GPtrArray *vb_host_network_users(VbHost *host, const char *name)
{
    return g_hash_table_lookup(host->networks->users, name);
}

void vb_host_add_network_user(VbHost *host, const char *name, VbDomain *domain)
{
    GPtrArray *users = g_hash_table_lookup(host->networks->users, name);

    if (!users) {
        users = g_ptr_array_new();
        g_hash_table_insert(host->networks->users, g_strdup(name), users);
    }
    /* A domain's ports are added together: it is the last one, or not there. */
    if (users->len == 0 || g_ptr_array_index(users, users->len - 1) != domain)
        g_ptr_array_add(users, domain);
}

void vb_host_remove_network_user(VbHost *host, const char *name, VbDomain *domain)
{
    GPtrArray *users = g_hash_table_lookup(host->networks->users, name);

    if (users && g_ptr_array_remove(users, domain) && users->len == 0)
        g_hash_table_remove(host->networks->users, name);
}

/* ---- what is the driver's alone ---------------------------------------------------------------
 */

/* A task of the caller, to be handed to the driver; NULL: there is none, and it is answered. */
static GTask *driver_task(VbHost *host, GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: both are short, and what is mended is mended to the end. */
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);

    if (host->networks)
        return g_steal_pointer(&task);
    g_task_return_new_error(task, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                            "this virtbusd has no virtual networks");
    return NULL;
}

void vb_host_default_network_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = driver_task(host, callback, user_data);

    if (!task)
        return;
    g_autoptr(GPtrArray) others = vb_host_network_defs(host, NULL);
    host->networks->driver->find_default(host->networks->self, others, task);
}

VbNetworkDef *vb_host_default_network_finish(VbHost *host, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

void vb_host_reload_networks_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = driver_task(host, callback, user_data);

    if (task)
        host->networks->driver->reload(host->networks->self, task);
}

gboolean vb_host_reload_networks_finish(VbHost *host, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
