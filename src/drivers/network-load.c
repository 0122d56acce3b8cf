/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns how the networks of a virtbusd begin: their stored definitions and run-time records are
 * read, the driver finds what is active and removes what was only half made or half gone, and those
 * that are marked for it are started. What cannot be read is set aside, named in the log, and stops
 * nothing else. See network.h. */
#include "network.h"

#include "network-private.h"
#include "error.h"
#include "log.h"

#define RECONNECT_DEADLINE_MS 5000 /* a name server may have to be started */

/* ---- definitions ------------------------------------------------------------------------------
 */

static VbNetworkDef *read_definition(VbHost *host, const char *path, const char *uuid,
                                     GError **error)
{
    gsize length;
    g_autofree char *xml = vb_store_read(path, VB_XML_STORED_MAX_SIZE, &length, error);
    g_autoptr(VbNetworkDef) def =
        xml ? vb_network_def_parse(xml, length, VB_XML_STORED, error) : NULL;

    if (!def)
        return NULL;
    if (!g_str_equal(def->uuid, uuid)) {
        vb_fail(error, VB_ERROR_FAILED, "it is of network %s", def->uuid);
        return NULL;
    }
    const VbNetwork *same = vb_host_network_by_name(host, def->name);
    if (same && !g_str_equal(same->info.uuid, uuid)) {
        vb_fail(error, VB_ERROR_NETWORK_EXISTS, "there is another network '%s'", def->name);
        return NULL;
    }
    return g_steal_pointer(&def);
}

static void load_stored(VbHost *host, const char *path, const char *uuid)
{
    g_autofree char *mark = vb_paths_network_autostart(host->paths, uuid);
    g_autoptr(GError) error = NULL;
    VbNetworkDef *def = read_definition(host, path, uuid, &error);

    if (!def) {
        vb_store_set_aside(path, error);
        return;
    }
    g_autoptr(VbNetwork) network = vb_network_new(host, def);
    network->stored = def;
    network->info.persistent = TRUE;
    network->info.autostart = g_file_test(mark, G_FILE_TEST_EXISTS);
    vb_host_insert_network(host, network);
}

/* ---- active networks --------------------------------------------------------------------------
 */

typedef struct {
    GTask *load; /* counts as pending in it until it is NULL */
    VbNetwork *network;
    GCancellable *cancellable;
    guint deadline;
    GError *broken; /* why its files cannot be used; or NULL */
} Reconnect;

static void check_loaded(GTask *load, guint *pending)
{
    if (--*pending == 0)
        g_task_return_boolean(load, TRUE);
}

static void no_longer_pending(Reconnect *reconnect)
{
    g_autoptr(GTask) load = g_steal_pointer(&reconnect->load);

    if (load)
        check_loaded(load, g_task_get_task_data(load));
}

static void reconnect_end(Reconnect *reconnect)
{
    vb_network_release_slot(reconnect->network);
    no_longer_pending(reconnect);
    g_clear_handle_id(&reconnect->deadline, g_source_remove);
    vb_network_unref(reconnect->network);
    g_object_unref(reconnect->cancellable);
    g_clear_error(&reconnect->broken);
    g_free(reconnect);
}

/* Nobody waits for it any more; it keeps the slot until it has ended. */
static gboolean on_deadline(gpointer user_data)
{
    Reconnect *reconnect = user_data;

    reconnect->deadline = 0;
    vb_log_warning(NULL, NULL, "network '%s' is not found again in time",
                   reconnect->network->info.name);
    no_longer_pending(reconnect);
    g_cancellable_cancel(reconnect->cancellable);
    return G_SOURCE_REMOVE;
}

static void reconnected(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Reconnect *reconnect = user_data;
    VbNetwork *network = reconnect->network;
    g_autoptr(GError) error = NULL;

    gboolean found = g_task_propagate_boolean(G_TASK(result), &error);
    if (!network->host) {
        reconnect_end(reconnect);
        return;
    }
    if (found) {
        vb_log_info(NULL, NULL, "network '%s' is still active", network->info.name);
        vb_network_save(network);
    } else if (g_error_matches(error, VB_ERROR, VB_ERROR_NETWORK_NOT_RUNNING)) {
        vb_log_warning(NULL, NULL, "network '%s' is gone: %s", network->info.name, error->message);
        vb_network_ended(network, "lost");
    } else {
        /* Guests may be on its bridge: it is for somebody to look at, not to be taken away. */
        vb_log_warning(NULL, NULL, "network '%s' is active, but not whole: %s", network->info.name,
                       error->message);
    }
    reconnect_end(reconnect);
}

static void cleaned(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Reconnect *reconnect = user_data;
    VbNetwork *network = reconnect->network;
    g_autoptr(GError) error = NULL;

    gboolean removed = g_task_propagate_boolean(G_TASK(result), &error);
    if (!network->host) {
        reconnect_end(reconnect);
        return;
    }
    if (!removed)
        vb_log_warning(NULL, NULL, "network '%s': what is left of it cannot be removed: %s",
                       network->info.name, error->message);
    /* Only now: the driver may have found there what it had to remove. */
    if (reconnect->broken)
        vb_store_set_aside(network->run_dir, reconnect->broken);
    vb_network_ended(network, "failed");
    reconnect_end(reconnect);
}

static Reconnect *reconnect_new(VbNetwork *network, GTask *load)
{
    Reconnect *reconnect = g_new0(Reconnect, 1);

    ++*(guint *)g_task_get_task_data(load);
    reconnect->load = g_object_ref(load);
    reconnect->network = vb_network_ref(network);
    reconnect->cancellable = g_cancellable_new();
    reconnect->deadline = g_timeout_add(RECONNECT_DEADLINE_MS, on_deadline, reconnect);
    return reconnect;
}

static GTask *driver_task(Reconnect *reconnect, GAsyncReadyCallback callback)
{
    GTask *task = g_task_new(NULL, reconnect->cancellable, callback, reconnect);

    g_task_set_check_cancellable(task, FALSE);
    return task;
}

/* Takes `live`. */
static void find_again(VbNetwork *network, VbNetworkDef *live, GKeyFile *record, GTask *load)
{
    const VbHostNetworks *networks = network->host->networks;

    network->op = VB_NETWORK_OP_START;
    vb_network_resume_life(network, live, VB_NETWORK_ACTIVE);
    networks->driver->reconnect(networks->self, network, record,
                                driver_task(reconnect_new(network, load), reconnected));
}

/* Takes `live` and `broken`, which may be NULL. */
static void clean(VbNetwork *network, VbNetworkDef *live, GKeyFile *record, GError *broken,
                  GTask *load)
{
    const VbHostNetworks *networks = network->host->networks;
    Reconnect *reconnect = reconnect_new(network, load);

    reconnect->broken = broken;
    network->op = VB_NETWORK_OP_DESTROY;
    vb_network_resume_life(network, live, VB_NETWORK_STOPPING);
    networks->driver->clean(networks->self, network, record, driver_task(reconnect, cleaned));
}

static GKeyFile *read_record(const char *path, VbNetworkPhase *ret_phase, GError **error)
{
    g_autoptr(GKeyFile) record = vb_record_read(path, "network", error);
    g_autofree char *state =
        record ? g_key_file_get_value(record, "network", "state", error) : NULL;

    if (state && vb_network_phase_from_string(state, ret_phase))
        return g_steal_pointer(&record);
    if (state)
        vb_fail(error, VB_ERROR_FAILED, "state '%s' is not known", state);
    return NULL;
}

/* A directory below /run: a network that was active when the last virtbusd ended. What cannot be
 * taken over is removed, as much of it as is known. */
static void load_running(VbHost *host, const char *uuid, GTask *load)
{
    g_autofree char *directory = vb_paths_network_run(host->paths, uuid);
    g_autofree char *record_path = g_build_filename(directory, "network.record", NULL);
    g_autofree char *live_path = g_build_filename(directory, "live.xml", NULL);
    VbNetwork *known = vb_host_network_by_uuid(host, uuid);
    VbNetworkPhase phase = VB_NETWORK_STOPPING;
    g_autoptr(GError) error = NULL;

    /* The record is written before anything else is done. */
    if (!g_file_test(record_path, G_FILE_TEST_EXISTS)) {
        vb_store_remove_tree(directory);
        return;
    }
    g_autoptr(GKeyFile) record = read_record(record_path, &phase, &error);
    g_autoptr(VbNetworkDef) live = read_definition(host, live_path, uuid, error ? NULL : &error);

    if (!live && known)
        live = vb_network_def_ref(known->stored);
    if (!live) {
        vb_store_set_aside(directory, error);
        return;
    }
    g_autoptr(VbNetwork) network = known ? vb_network_ref(known) : vb_network_new(host, live);
    if (!known)
        vb_host_insert_network(host, network);
    if (!record)
        record = g_key_file_new();
    if (!error && phase == VB_NETWORK_ACTIVE)
        find_again(network, g_steal_pointer(&live), record, load);
    else
        clean(network, g_steal_pointer(&live), record, g_steal_pointer(&error), load);
}

void vb_host_load_networks_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: each network has a deadline. */
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    g_autofree char *stored = g_build_filename(host->paths->state_dir, "network", NULL);
    g_autofree char *running = g_build_filename(host->paths->run_dir, "networks", NULL);
    g_autoptr(GDir) dir = g_dir_open(running, 0, NULL);
    guint *pending = g_new(guint, 1);
    const char *name;

    *pending = 1;
    g_task_set_task_data(task, pending, g_free);
    vb_host_load_definitions(host, stored, load_stored);
    while (dir && (name = g_dir_read_name(dir)))
        if (g_uuid_string_is_valid(name))
            load_running(host, name, task);
    check_loaded(task, pending);
}

/* ---- autostart --------------------------------------------------------------------------------
 */

typedef struct {
    GTask *all;
    VbNetwork *network;
} Autostart;

static void autostart_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Autostart *data = user_data;
    g_autoptr(GTask) all = data->all;
    g_autoptr(VbNetwork) network = data->network;
    g_autoptr(GError) error = NULL;

    if (!vb_network_operate_finish(network, result, &error))
        vb_log_warning(NULL, NULL, "autostart of network '%s': %s", network->info.name,
                       error->message);
    check_loaded(all, g_task_get_task_data(all));
}

void vb_host_autostart_networks_async(VbHost *host, GAsyncReadyCallback callback,
                                      gpointer user_data)
{
    /* No cancellable: what is begun is a network's start like any other. */
    g_autoptr(GTask) all = g_task_new(NULL, NULL, callback, user_data);
    g_autoptr(GPtrArray) networks = vb_host_networks(host);
    guint *pending = g_new(guint, 1);

    *pending = 1;
    g_task_set_task_data(all, pending, g_free);
    for (guint i = 0; i < networks->len; i++) {
        VbNetwork *network = g_ptr_array_index(networks, i);
        if (!network->info.autostart || network->live)
            continue;
        Autostart *data = g_new(Autostart, 1);
        *data = (Autostart){g_object_ref(all), vb_network_ref(network)};
        ++*pending;
        vb_network_operate_async(network, VB_NETWORK_OP_START, autostart_done, data);
    }
    check_loaded(all, pending);
}
