/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the update of one part of a network: of the live definition, which the driver has to make
 * so, and of the stored one, which has to be written; both or none. See network.h. */
#include "network.h"

#include <string.h>

#include "network-private.h"
#include "error.h"
#include "log.h"

typedef struct {
    VbNetwork *network;
    VbNetworkDef *live, *stored; /* as they are to be; NULL: not wanted */
    GError *error;               /* why the live one has to become again what it was */
} Change;

static void change_free(Change *change)
{
    vb_network_unref(change->network);
    vb_network_def_unref(change->live);
    vb_network_def_unref(change->stored);
    g_clear_error(&change->error);
    g_free(change);
}

static gboolean make(Change *change, const VbNetworkChange *wanted, GError **error)
{
    const VbNetwork *network = change->network;
    gboolean any = !wanted->live && !wanted->stored;

    if (wanted->live && !network->live)
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "network '%s' is not active: it has no live definition to change",
                       network->info.name);
    if (wanted->stored && !network->info.persistent)
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "network '%s' is transient: it has no stored definition to change",
                       network->info.name);
    if (network->live && (wanted->live || any)) {
        change->live = vb_network_def_update(network->live, wanted->section, wanted->command,
                                             wanted->parent, wanted->xml, error);
        if (!change->live)
            return FALSE;
    }
    if (network->info.persistent && (wanted->stored || any)) {
        change->stored = vb_network_def_update(network->stored, wanted->section, wanted->command,
                                               wanted->parent, wanted->xml, error);
        if (!change->stored)
            return FALSE;
        g_autofree char *xml = vb_network_def_format(change->stored, VB_FORMAT_NONE);
        return vb_host_check_size("network", network->info.name, strlen(xml), error);
    }
    return TRUE;
}

static void done(GTask *client)
{
    Change *change = g_task_get_task_data(client);
    VbNetwork *network = change->network;
    VbNetworkProps props = 0;

    if (change->stored)
        props |= vb_network_replace_stored(network, vb_network_def_ref(change->stored));
    if (change->live)
        props |= vb_network_replace_live(network, vb_network_def_ref(change->live));
    vb_network_release_slot(network);
    VB_EMIT(network->host, network_changed, network, props);
    vb_network_lifecycle(network, "updated", "");
    g_task_return_boolean(client, TRUE);
}

/* The driver is told of both ways alike: what is live now, and what is to become of it. */
static void swap_live(Change *change)
{
    VbNetworkDef *other = change->network->live;

    change->network->live = g_steal_pointer(&change->live);
    change->live = other;
}

static void undone(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    Change *change = g_task_get_task_data(client);
    VbNetwork *network = change->network;
    g_autoptr(GError) error = NULL;
    gboolean taken_back = g_task_propagate_boolean(G_TASK(result), &error);

    if (vb_network_is_abandoned(network, client, &change->error))
        return;
    swap_live(change);
    /* What the live network is, its definition has to say. */
    if (!taken_back) {
        vb_log_warning(NULL, NULL, "network '%s': a change that cannot be stored stays live: %s",
                       network->info.name, error->message);
        VbNetworkProps props = vb_network_replace_live(network, vb_network_def_ref(change->live));
        VB_EMIT(network->host, network_changed, network, props);
    }
    vb_network_release_slot(network);
    g_task_return_error(client, g_steal_pointer(&change->error));
}

static void undo(GTask *client)
{
    Change *change = g_task_get_task_data(client);
    VbNetwork *network = change->network;
    const VbHostNetworks *networks = network->host->networks;

    swap_live(change);
    networks->driver->update(networks->self, network, change->live,
                             g_task_new(NULL, NULL, undone, client));
}

static void written(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    Change *change = g_task_get_task_data(client);

    if (vb_store_write_finish(change->network->host->store, result, &change->error)) {
        done(client);
    } else if (change->live) {
        undo(g_steal_pointer(&client));
    } else {
        vb_network_release_slot(change->network);
        g_task_return_error(client, g_steal_pointer(&change->error));
    }
}

static void store(GTask *client)
{
    const Change *change = g_task_get_task_data(client);
    const VbHost *host = change->network->host;
    g_autofree char *path = vb_paths_network_definition(host->paths, change->stored->uuid);
    char *xml = vb_network_def_format(change->stored, VB_FORMAT_NONE);
    g_autoptr(GBytes) contents = g_bytes_new_take(xml, strlen(xml));

    vb_store_write_async(host->store, path, contents, written, client);
}

static void updated(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    const Change *change = g_task_get_task_data(client);
    GError *error = NULL;
    gboolean is_live = g_task_propagate_boolean(G_TASK(result), &error);

    if (vb_network_is_abandoned(change->network, client, &error))
        return;
    if (!is_live) {
        vb_network_release_slot(change->network);
        g_task_return_error(client, error);
    } else if (change->stored) {
        store(g_steal_pointer(&client));
    } else {
        done(client);
    }
}

void vb_network_update_async(VbNetwork *network, const VbNetworkChange *wanted,
                             GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: half a change helps nobody. */
    g_autoptr(GTask) client = g_task_new(NULL, NULL, callback, user_data);
    const VbHostNetworks *networks = network->host->networks;
    Change *change = g_new0(Change, 1);
    GError *error = NULL;

    change->network = vb_network_ref(network);
    g_task_set_task_data(client, change, (GDestroyNotify)change_free);
    if (!vb_network_take_slot(network, VB_NETWORK_OP_UPDATE, &error)) {
        g_task_return_error(client, error);
    } else if (!make(change, wanted, &error)) {
        vb_network_release_slot(network);
        g_task_return_error(client, error);
    } else if (change->live) {
        networks->driver->update(networks->self, network, change->live,
                                 g_task_new(NULL, NULL, updated, g_steal_pointer(&client)));
    } else {
        store(g_steal_pointer(&client));
    }
}

gboolean vb_network_update_finish(GAsyncResult *result, gboolean *ret_live, gboolean *ret_stored,
                                  GError **error)
{
    const Change *change = g_task_get_task_data(G_TASK(result));

    if (!g_task_propagate_boolean(G_TASK(result), error))
        return FALSE;
    if (ret_live)
        *ret_live = change->live != NULL;
    if (ret_stored)
        *ret_stored = change->stored != NULL;
    return TRUE;
}
