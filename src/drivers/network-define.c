/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns how a definition becomes a network: let the driver complete it, check name, UUID and bridge,
 * store durably, announce. Define, create (transient) and redefine all come through here, one after
 * the other: each is to see the bridges that those before it have chosen. See network.h. */
#include "network.h"

#include <string.h>

#include "network-private.h"
#include "error.h"

typedef struct {
    VbHost *host; /* NULL: it is freed */
    VbNetworkDef *def;
    VbNetwork *only;    /* redefine: the one network that it may be */
    VbNetwork *network; /* the result */
    gboolean transient;
    gboolean has_slot; /* of the network that is defined again */
    gboolean has_turn;
} Define;

static void begin(GTask *task);

/* The next one may begin. */
static void end_turn(Define *define)
{
    if (!define->has_turn)
        return;
    GQueue *queue = &define->host->networks->defining;
    define->has_turn = FALSE;
    g_object_unref(g_queue_pop_head(queue));
    if (!g_queue_is_empty(queue))
        begin(g_queue_peek_head(queue));
}

static void define_free(Define *define)
{
    vb_network_def_unref(define->def);
    vb_network_unref(define->only);
    vb_network_unref(define->network);
    g_free(define);
}

static void fail(GTask *task, GError *error)
{
    end_turn(g_task_get_task_data(task));
    g_task_return_error(task, error);
}

static GError *ended(void)
{
    return g_error_new(VB_ERROR, VB_ERROR_FAILED, "virtbusd ended before the network was defined");
}

void vb_host_abandon_definitions(VbHost *host)
{
    GQueue *queue = &host->networks->defining;

    for (gboolean first = TRUE; !g_queue_is_empty(queue); first = FALSE) {
        g_autoptr(GTask) task = g_queue_pop_head(queue);
        Define *define = g_task_get_task_data(task);
        define->host = NULL;
        define->has_turn = FALSE;
        /* The first one is answered when its driver or its write is. */
        if (!first)
            g_task_return_error(task, ended());
    }
}

/* The existing network that a definition means, in *ret_network (NULL: a new one). */
static gboolean find_existing(const Define *define, VbNetwork **ret_network, GError **error)
{
    const VbNetworkDef *def = define->def;
    VbNetwork *by_uuid = vb_host_network_by_uuid(define->host, def->uuid);
    VbNetwork *by_name = vb_host_network_by_name(define->host, def->name);

    if (define->only && (by_uuid != define->only || by_name != define->only))
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "the definition is of network '%s' (%s), not of '%s' (%s)", def->name,
                       def->uuid, define->only->info.name, define->only->info.uuid);
    if (by_uuid != by_name) {
        const VbNetwork *other = by_uuid ? by_uuid : by_name;
        return vb_fail(error, VB_ERROR_NETWORK_EXISTS,
                       "there is a network '%s' with UUID %s already", other->info.name,
                       other->info.uuid);
    }
    if (by_uuid && define->transient)
        return vb_fail(error, VB_ERROR_NETWORK_EXISTS,
                       "network '%s' exists already: start it instead", def->name);
    if (!by_uuid && g_hash_table_size(define->host->networks->by_uuid) >= VB_HOST_NETWORKS_MAX)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED, "there are %d networks already",
                       VB_HOST_NETWORKS_MAX);
    *ret_network = by_uuid;
    return TRUE;
}

/* Several networks may be on one bridge of the host's, but none on that of another network. */
static gboolean check_bridge(const VbNetworkDef *def, const GPtrArray *others, GError **error)
{
    for (guint i = 0; def->bridge && i < others->len; i++) {
        const VbNetworkDef *other = g_ptr_array_index(others, i);
        if (g_strcmp0(def->bridge, other->bridge) == 0 &&
            (vb_network_def_owns_bridge(def) || vb_network_def_owns_bridge(other)))
            return vb_fail(error, VB_ERROR_INVALID_ARGS,
                           "network '%s': the bridge %s is that of network '%s'", def->name,
                           def->bridge, other->name);
    }
    return TRUE;
}

static gboolean check(const Define *define, GError **error)
{
    g_autoptr(GPtrArray) others = vb_host_network_defs(define->host, define->def->uuid);
    g_autofree char *xml = vb_network_def_format(define->def, VB_FORMAT_NONE);

    return check_bridge(define->def, others, error) &&
           vb_host_check_size("network", define->def->name, strlen(xml), error);
}

static void created(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    const Define *define = g_task_get_task_data(task);
    GError *error = NULL;

    /* A transient network whose start fails is gone by now. */
    if (vb_network_operate_finish(define->network, result, &error))
        g_task_return_pointer(task, vb_network_ref(define->network),
                              (GDestroyNotify)vb_network_unref);
    else
        g_task_return_error(task, error);
}

static VbNetwork *add(Define *define)
{
    VbNetwork *network = vb_network_new(define->host, define->def);

    network->stored = vb_network_def_ref(define->def);
    network->info.persistent = !define->transient;
    vb_host_insert_network(define->host, network);
    VB_EMIT(define->host, network_added, network);
    return network;
}

static void stored(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Define *define = g_task_get_task_data(task);
    GError *error = NULL;
    gboolean is_new = !define->network;

    gboolean written = vb_store_write_finish(define->host->store, result, &error);
    if (define->has_slot)
        vb_network_release_slot(define->network);
    if (!written) {
        fail(task, error);
        return;
    }
    if (is_new) {
        define->network = add(define);
    } else {
        VbNetworkProps props =
            vb_network_replace_stored(define->network, vb_network_def_ref(define->def));
        if (props)
            VB_EMIT(define->host, network_changed, define->network, props);
    }
    vb_network_lifecycle(define->network, "defined", is_new ? "added" : "updated");
    end_turn(define);
    g_task_return_pointer(task, vb_network_ref(define->network), (GDestroyNotify)vb_network_unref);
}

static void write_definition(GTask *task)
{
    const Define *define = g_task_get_task_data(task);
    g_autofree char *path = vb_paths_network_definition(define->host->paths, define->def->uuid);
    char *xml = vb_network_def_format(define->def, VB_FORMAT_NONE);
    g_autoptr(GBytes) contents = g_bytes_new_take(xml, strlen(xml));

    vb_store_write_async(define->host->store, path, contents, stored, task);
}

static void prepared(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Define *define = g_task_get_task_data(task);
    VbNetwork *existing = NULL;
    GError *error = NULL;

    /* What there was may have gone, or be busy, by now. */
    gboolean done = g_task_propagate_boolean(G_TASK(result), &error);
    if (done && !define->host) {
        error = ended();
        done = FALSE;
    }
    if (!done || !find_existing(define, &existing, &error) || !check(define, &error) ||
        (existing && !vb_network_take_slot(existing, VB_NETWORK_OP_REDEFINE, &error))) {
        fail(task, error);
        return;
    }
    if (define->transient) {
        define->network = add(define);
        end_turn(define);
        vb_network_operate_async(define->network, VB_NETWORK_OP_START, created,
                                 g_steal_pointer(&task));
        return;
    }
    if (existing) {
        define->has_slot = TRUE;
        define->network = vb_network_ref(existing);
    }
    write_definition(g_steal_pointer(&task));
}

/* A network that is defined again without a bridge keeps the one that it has. */
static void keep_bridge(VbNetworkDef *def, const VbNetwork *existing)
{
    const VbNetworkDef *old = existing ? existing->stored : NULL;

    if (!def->bridge && old && vb_network_def_owns_bridge(old) && vb_network_def_owns_bridge(def))
        def->bridge = g_strdup(old->bridge);
}

static void begin(GTask *task)
{
    const Define *define = g_task_get_task_data(task);
    const VbHostNetworks *networks = define->host->networks;

    keep_bridge(define->def, vb_host_network_by_uuid(define->host, define->def->uuid));
    g_autoptr(GPtrArray) others = vb_host_network_defs(define->host, define->def->uuid);
    networks->driver->prepare(networks->self, define->def, others,
                              g_task_new(NULL, NULL, prepared, g_object_ref(task)));
}

/* Takes `def`. */
static void define_async(VbHost *host, VbNetwork *only, VbNetworkDef *def, gboolean transient,
                         GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: a definition that is being written is finished. */
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    Define *define = g_new0(Define, 1);

    define->host = host;
    define->def = def;
    define->only = only ? vb_network_ref(only) : NULL;
    define->transient = transient;
    g_task_set_task_data(task, define, (GDestroyNotify)define_free);
    if (!host->networks) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                                "network '%s': this virtbusd has no virtual networks", def->name);
        return;
    }
    define->has_turn = TRUE;
    g_queue_push_tail(&host->networks->defining, g_object_ref(task));
    if (host->networks->defining.length == 1)
        begin(task);
}

void vb_host_define_network_async(VbHost *host, VbNetworkDef *def, GAsyncReadyCallback callback,
                                  gpointer user_data)
{
    define_async(host, NULL, def, FALSE, callback, user_data);
}

void vb_host_create_network_async(VbHost *host, VbNetworkDef *def, GAsyncReadyCallback callback,
                                  gpointer user_data)
{
    define_async(host, NULL, def, TRUE, callback, user_data);
}

VbNetwork *vb_host_define_network_finish(VbHost *host, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

VbNetwork *vb_host_create_network_finish(VbHost *host, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

void vb_network_redefine_async(VbNetwork *network, VbNetworkDef *def, GAsyncReadyCallback callback,
                               gpointer user_data)
{
    define_async(network->host, network, def, FALSE, callback, user_data);
}

gboolean vb_network_redefine_finish(VbNetwork *network, GAsyncResult *result, GError **error)
{
    g_autoptr(VbNetwork) defined = g_task_propagate_pointer(G_TASK(result), error);
    return defined != NULL;
}
