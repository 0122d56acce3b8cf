/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the one slot of a network for operations that change it, and the operations start, destroy,
 * undefine and autostart; define (network-define.c) and update (network-change.c) borrow the slot.
 * See network.h. */
#include "network.h"

#include "network-private.h"
#include "error.h"
#include "log.h"

static const char *const op_names[] = {
    [VB_NETWORK_OP_NONE] = "none",         [VB_NETWORK_OP_START] = "start",
    [VB_NETWORK_OP_DESTROY] = "destroy",   [VB_NETWORK_OP_UPDATE] = "update",
    [VB_NETWORK_OP_UNDEFINE] = "undefine", [VB_NETWORK_OP_REDEFINE] = "redefine",
};
G_STATIC_ASSERT(G_N_ELEMENTS(op_names) == VB_N_NETWORK_OPS);

const char *vb_network_op_to_string(VbNetworkOp op)
{
    return op_names[op];
}

static gboolean fail_busy(const VbNetwork *network, GError **error)
{
    return vb_fail(error, VB_ERROR_BUSY, "network '%s' is busy: its operation '%s' has not ended",
                   network->info.name, vb_network_op_to_string(network->op));
}

gboolean vb_network_take_slot(VbNetwork *network, VbNetworkOp op, GError **error)
{
    if (network->op != VB_NETWORK_OP_NONE)
        return fail_busy(network, error);
    network->op = op;
    return TRUE;
}

void vb_network_release_slot(VbNetwork *network)
{
    network->op = VB_NETWORK_OP_NONE;
}

gboolean vb_network_is_abandoned(const VbNetwork *network, GTask *client, GError **error)
{
    if (network->host)
        return FALSE;
    if (!*error)
        vb_fail(error, VB_ERROR_FAILED, "virtbusd ended before the operation did");
    g_task_return_error(client, g_steal_pointer(error));
    return TRUE;
}

/* The task of a client, with the network that it is about. No cancellable: what was begun goes on
 * when the caller leaves. */
static GTask *client_new(VbNetwork *network, GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *client = g_task_new(NULL, NULL, callback, user_data);

    g_task_set_task_data(client, vb_network_ref(network), (GDestroyNotify)vb_network_unref);
    return client;
}

/* ---- start ------------------------------------------------------------------------------------
 */

static gboolean check_overlap(const VbNetwork *network, GError **error)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, network->host->networks->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const VbNetwork *other = value;
        VbIpSubnet own, taken;

        if (other == network || !other->live ||
            !vb_network_def_overlaps(network->stored, other->live, &own, &taken))
            continue;
        g_autofree char *own_text = vb_ip_subnet_to_string(&own);
        g_autofree char *taken_text = vb_ip_subnet_to_string(&taken);
        return vb_fail(error, VB_ERROR_FAILED,
                       "network '%s': its subnet %s overlaps %s of the active network '%s'",
                       network->info.name, own_text, taken_text, other->info.name);
    }
    return TRUE;
}

static void plugged(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;

    vb_network_release_slot(g_task_get_task_data(client));
    g_task_return_boolean(client, TRUE);
}

static void started(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    VbNetwork *network = g_task_get_task_data(client);
    GError *error = NULL;
    gboolean done = g_task_propagate_boolean(G_TASK(result), &error);

    if (vb_network_is_abandoned(network, client, &error))
        return;
    if (done) {
        vb_network_activate(network);
        vb_network_plug_async(network, plugged, g_steal_pointer(&client));
        return;
    }
    vb_network_ended(network, "failed");
    vb_network_release_slot(network);
    g_task_return_error(client, error);
}

static void start(VbNetwork *network, GTask *client)
{
    const VbHostNetworks *networks = network->host->networks;

    vb_network_begin_life(network, vb_network_def_copy(network->stored));
    networks->driver->start(networks->self, network, g_task_new(NULL, NULL, started, client));
}

/* ---- destroy ----------------------------------------------------------------------------------
 */

static void stopped(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    VbNetwork *network = g_task_get_task_data(client);
    GError *error = NULL;
    gboolean done = g_task_propagate_boolean(G_TASK(result), &error);

    if (vb_network_is_abandoned(network, client, &error))
        return;
    vb_network_ended(network, "destroyed");
    vb_network_release_slot(network);
    if (done)
        g_task_return_boolean(client, TRUE);
    else
        g_task_return_error(client, error);
}

static void unplugged(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    VbNetwork *network = g_task_get_task_data(client);
    GError *error = NULL;

    if (vb_network_is_abandoned(network, client, &error))
        return;
    const VbHostNetworks *networks = network->host->networks;
    networks->driver->stop(networks->self, network,
                           g_task_new(NULL, NULL, stopped, g_steal_pointer(&client)));
}

static void destroy(VbNetwork *network, GTask *client)
{
    vb_network_set_phase(network, VB_NETWORK_STOPPING);
    vb_network_unplug_async(network, unplugged, client);
}

/* ---- both -------------------------------------------------------------------------------------
 */

static gboolean check_state(const VbNetwork *network, VbNetworkOp op, GError **error)
{
    if (op == VB_NETWORK_OP_START && network->live)
        return vb_fail(error, VB_ERROR_NETWORK_RUNNING, "network '%s' is active already",
                       network->info.name);
    if (op == VB_NETWORK_OP_DESTROY && !network->live)
        return vb_fail(error, VB_ERROR_NETWORK_NOT_RUNNING, "network '%s' is not active",
                       network->info.name);
    return op == VB_NETWORK_OP_DESTROY || check_overlap(network, error);
}

void vb_network_operate_async(VbNetwork *network, VbNetworkOp op, GAsyncReadyCallback callback,
                              gpointer user_data)
{
    g_autoptr(GTask) client = client_new(network, callback, user_data);
    GError *error = NULL;

    g_return_if_fail(op == VB_NETWORK_OP_START || op == VB_NETWORK_OP_DESTROY);
    /* What is in progress says more than the state that it is about to change. */
    if (!vb_network_take_slot(network, op, &error)) {
        g_task_return_error(client, error);
        return;
    }
    if (!check_state(network, op, &error)) {
        vb_network_release_slot(network);
        /* A transient network is there for the one start. */
        if (!network->info.persistent && !network->live && !network->removed)
            vb_host_remove_network(network->host, network);
        g_task_return_error(client, error);
        return;
    }
    if (op == VB_NETWORK_OP_START)
        start(network, g_steal_pointer(&client));
    else
        destroy(network, g_steal_pointer(&client));
}

gboolean vb_network_operate_finish(VbNetwork *network, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- undefine, autostart ----------------------------------------------------------------------
 */

static gboolean check_persistent(const VbNetwork *network, const char *what, GError **error)
{
    return network->info.persistent ||
           vb_fail(error, VB_ERROR_INVALID_STATE,
                   "network '%s' is transient: it has no stored definition to %s",
                   network->info.name, what);
}

static VbNetworkProps set_autostart(VbNetwork *network, gboolean autostart)
{
    if (network->info.autostart == autostart)
        return 0;
    network->info.autostart = autostart;
    return VB_NETWORK_PROP_AUTOSTART;
}

static void forget(VbNetwork *network)
{
    VbNetworkProps props = set_autostart(network, FALSE);

    if (network->live) {
        props |= vb_network_replace_stored(network, NULL);
        VB_EMIT(network->host, network_changed, network, props);
        vb_network_lifecycle(network, "undefined", "removed");
        return;
    }
    network->info.persistent = FALSE;
    VB_EMIT(network->host, network_changed, network, props | VB_NETWORK_PROP_PERSISTENT);
    vb_network_lifecycle(network, "undefined", "removed");
    vb_host_remove_network(network->host, network);
}

static void undefined(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    VbNetwork *network = g_task_get_task_data(client);
    GError *error = NULL;
    gboolean gone = vb_store_write_finish(network->host->store, result, &error);

    vb_network_release_slot(network);
    if (!gone) {
        g_task_return_error(client, error);
        return;
    }
    forget(network);
    g_task_return_boolean(client, TRUE);
}

void vb_network_undefine_async(VbNetwork *network, GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) client = client_new(network, callback, user_data);
    const VbHost *host = network->host;
    GError *error = NULL;

    if (!vb_network_take_slot(network, VB_NETWORK_OP_UNDEFINE, &error)) {
        g_task_return_error(client, error);
        return;
    }
    if (!check_persistent(network, "forget", &error)) {
        vb_network_release_slot(network);
        g_task_return_error(client, error);
        return;
    }
    g_autofree char *mark = vb_paths_network_autostart(host->paths, network->info.uuid);
    g_autofree char *definition = vb_paths_network_definition(host->paths, network->info.uuid);
    /* The writer keeps the order: a mark that is being set goes, too, and the end of the definition
     * is the end of both. */
    vb_store_write_async(host->store, mark, NULL, NULL, NULL);
    vb_store_write_async(host->store, definition, NULL, undefined, g_steal_pointer(&client));
}

gboolean vb_network_undefine_finish(VbNetwork *network, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

typedef struct {
    VbNetwork *network;
    gboolean autostart;
} Mark;

static void mark_free(Mark *mark)
{
    vb_network_unref(mark->network);
    g_free(mark);
}

static void mark_written(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    const Mark *mark = g_task_get_task_data(client);
    VbNetwork *network = mark->network;
    GError *error = NULL;

    if (!vb_store_write_finish(network->host->store, result, &error)) {
        g_task_return_error(client, error);
        return;
    }
    if (set_autostart(network, mark->autostart))
        VB_EMIT(network->host, network_changed, network, VB_NETWORK_PROP_AUTOSTART);
    g_task_return_boolean(client, TRUE);
}

/* Takes no slot: the mark changes nothing that an operation works on. Only an undefine removes it.
 */
void vb_network_set_autostart_async(VbNetwork *network, gboolean autostart,
                                    GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: a mark that is being written is finished. */
    g_autoptr(GTask) client = g_task_new(NULL, NULL, callback, user_data);
    g_autofree char *path = vb_paths_network_autostart(network->host->paths, network->info.uuid);
    g_autoptr(GBytes) contents = autostart ? g_bytes_new_static("1\n", 2) : NULL;
    Mark *mark = g_new(Mark, 1);
    GError *error = NULL;

    *mark = (Mark){vb_network_ref(network), autostart};
    g_task_set_task_data(client, mark, (GDestroyNotify)mark_free);
    if ((network->op == VB_NETWORK_OP_UNDEFINE && !fail_busy(network, &error)) ||
        !check_persistent(network, "start by itself", &error)) {
        g_task_return_error(client, error);
        return;
    }
    vb_store_write_async(network->host->store, path, contents, mark_written,
                         g_steal_pointer(&client));
}

gboolean vb_network_set_autostart_finish(VbNetwork *network, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
