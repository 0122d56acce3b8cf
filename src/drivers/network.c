/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbNetwork: its definitions, its phase, its run-time record and the end of its life. The slot
 * for operations is in network-operation.c, its leases in network-leases.c. See network.h. */
#include "network.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "network-private.h"
#include "error.h"
#include "log.h"

#define RUN_DIR_MODE 0711 /* the name server's user goes through */

static const char *const phase_names[] = {
    [VB_NETWORK_INACTIVE] = "inactive",
    [VB_NETWORK_STARTING] = "starting",
    [VB_NETWORK_ACTIVE] = "active",
    [VB_NETWORK_STOPPING] = "stopping",
};

gboolean vb_network_phase_from_string(const char *string, VbNetworkPhase *ret_phase)
{
    for (gsize i = VB_NETWORK_STARTING; i < G_N_ELEMENTS(phase_names); i++)
        if (g_strcmp0(phase_names[i], string) == 0) {
            *ret_phase = i;
            return TRUE;
        }
    return FALSE;
}

VbNetwork *vb_network_new(VbHost *host, const VbNetworkDef *def)
{
    VbNetwork *network = g_rc_box_new0(VbNetwork);

    network->host = host;
    network->info.uuid = g_strdup(def->uuid);
    network->info.name = g_strdup(def->name);
    network->run_dir = vb_paths_network_run(host->paths, def->uuid);
    network->leases = g_ptr_array_new_with_free_func((GDestroyNotify)vb_lease_free);
    network->leases_by_mac =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    return network;
}

static void drop_driver_data(VbNetwork *network)
{
    gpointer data = g_steal_pointer(&network->driver_data);

    if (data && network->driver_data_destroy)
        network->driver_data_destroy(data);
}

static void network_clear(gpointer data)
{
    VbNetwork *network = data;

    drop_driver_data(network);
    vb_network_def_unref(network->stored);
    vb_network_def_unref(network->live);
    g_hash_table_unref(network->leases_by_mac);
    g_ptr_array_unref(network->leases);
    g_free((char *)network->info.uuid);
    g_free((char *)network->info.name);
    g_free(network->run_dir);
}

VbNetwork *vb_network_ref(VbNetwork *network)
{
    return g_rc_box_acquire(network);
}

void vb_network_unref(VbNetwork *network)
{
    if (network)
        g_rc_box_release_full(network, network_clear);
}

const VbNetworkInfo *vb_network_info(const VbNetwork *network)
{
    return &network->info;
}

VbHost *vb_network_host(const VbNetwork *network)
{
    return network->host;
}

const VbNetworkDef *vb_network_def(const VbNetwork *network)
{
    return network->live ? network->live : network->stored;
}

const VbNetworkDef *vb_network_stored_def(const VbNetwork *network)
{
    return network->info.persistent ? network->stored : NULL;
}

const char *vb_network_run_dir(const VbNetwork *network)
{
    return network->run_dir;
}

void vb_network_set_user_data(VbNetwork *network, gpointer data)
{
    network->user_data = data;
}

gpointer vb_network_user_data(const VbNetwork *network)
{
    return network->user_data;
}

void vb_network_set_driver_data(VbNetwork *network, gpointer data, GDestroyNotify destroy)
{
    drop_driver_data(network);
    network->driver_data = data;
    network->driver_data_destroy = destroy;
}

gpointer vb_network_driver_data(const VbNetwork *network)
{
    return network->driver_data;
}

static guint count_connections(const VbNetwork *network)
{
    const GPtrArray *users = vb_host_network_users(network->host, network->info.name);
    guint n = 0;

    for (guint i = 0; users && i < users->len; i++) {
        const VbDomain *domain = g_ptr_array_index(users, i);
        for (guint j = 0; j < domain->live->interfaces->len; j++) {
            const VbInterfaceDef *interface = g_ptr_array_index(domain->live->interfaces, j);
            n += interface->type == VB_INTERFACE_NETWORK &&
                 g_str_equal(interface->network, network->info.name);
        }
    }
    return n;
}

char *vb_network_format(const VbNetwork *network, gboolean stored)
{
    if (stored && !network->info.persistent)
        return NULL;
    if (stored || !network->live)
        return vb_network_def_format(network->stored, VB_FORMAT_NONE);
    /* Nobody else looks at the number: it is as old as this document. */
    network->live->connections = count_connections(network);
    return vb_network_def_format(network->live, VB_FORMAT_LIVE);
}

void vb_network_lifecycle(VbNetwork *network, const char *event, const char *reason)
{
    vb_log_info(NULL, NULL, "network '%s': %s%s%s", network->info.name, event, *reason ? ", " : "",
                reason);
    VB_EMIT(network->host, network_lifecycle, network, event, reason);
}

/* ---- the run-time record ----------------------------------------------------------------------
 */

void vb_network_save(VbNetwork *network)
{
    const VbHostNetworks *networks = network->host->networks;
    g_autoptr(GKeyFile) record = g_key_file_new();
    g_autofree char *path = g_build_filename(network->run_dir, "network.record", NULL);

    if (!network->live)
        return;
    g_key_file_set_integer(record, "network", "version", VB_RECORD_VERSION);
    g_key_file_set_string(record, "network", "uuid", network->info.uuid);
    g_key_file_set_string(record, "network", "driver", networks->driver->name);
    g_key_file_set_string(record, "network", "state", phase_names[network->phase]);
    if (networks->driver->save)
        networks->driver->save(networks->self, network, record);
    vb_record_write(path, record, NULL, NULL);
}

static void save_live_def(VbNetwork *network)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(network->run_dir, "live.xml", NULL);
    g_autofree char *xml = vb_network_def_format(network->live, VB_FORMAT_NONE);

    if (!vb_store_write_record(path, xml, strlen(xml), &error))
        vb_log_warning(NULL, NULL, "network '%s': %s", network->info.name, error->message);
}

/* ---- definitions ------------------------------------------------------------------------------
 */

/* After a change of either definition. */
static VbNetworkProps compare_definitions(VbNetwork *network)
{
    gboolean pending = FALSE;

    if (network->live && network->info.persistent) {
        g_autofree char *live = vb_network_def_format(network->live, VB_FORMAT_NONE);
        g_autofree char *stored = vb_network_def_format(network->stored, VB_FORMAT_NONE);
        pending = !g_str_equal(live, stored);
    }
    if (network->info.config_pending == pending)
        return 0;
    network->info.config_pending = pending;
    return VB_NETWORK_PROP_CONFIG_PENDING;
}

VbNetworkProps vb_network_replace_live(VbNetwork *network, VbNetworkDef *def)
{
    vb_network_def_unref(network->live);
    network->live = def;
    save_live_def(network);
    return VB_NETWORK_PROP_DEFINITION | compare_definitions(network);
}

VbNetworkProps vb_network_replace_stored(VbNetwork *network, VbNetworkDef *def)
{
    VbNetworkProps props = network->live ? 0 : VB_NETWORK_PROP_DEFINITION;

    if (network->info.persistent != (def != NULL)) {
        network->info.persistent = def != NULL;
        props |= VB_NETWORK_PROP_PERSISTENT;
    }
    vb_network_def_unref(network->stored);
    network->stored = def;
    return props | compare_definitions(network);
}

/* ---- life -------------------------------------------------------------------------------------
 */

void vb_network_begin_life(VbNetwork *network, VbNetworkDef *live)
{
    g_assert(!network->live);
    if ((g_mkdir_with_parents(network->run_dir, RUN_DIR_MODE) < 0) ||
        g_chmod(network->run_dir, network->host->paths->session ? 0700 : RUN_DIR_MODE) < 0)
        vb_log_warning(NULL, NULL, "cannot make the directory %s: %s", network->run_dir,
                       g_strerror(errno));
    network->live = live;
    save_live_def(network);
    vb_network_set_phase(network, VB_NETWORK_STARTING);
}

void vb_network_resume_life(VbNetwork *network, VbNetworkDef *live, VbNetworkPhase phase)
{
    g_assert(!network->live);
    network->live = live;
    network->phase = phase;
    network->info.active = phase == VB_NETWORK_ACTIVE;
    compare_definitions(network);
}

void vb_network_set_phase(VbNetwork *network, VbNetworkPhase phase)
{
    network->phase = phase;
    vb_network_save(network);
}

void vb_network_activate(VbNetwork *network)
{
    VbNetworkProps props = VB_NETWORK_PROP_STATE | compare_definitions(network);

    network->info.active = TRUE;
    vb_network_set_phase(network, VB_NETWORK_ACTIVE);
    VB_EMIT(network->host, network_changed, network, props);
    vb_network_lifecycle(network, "started", "");
}

void vb_network_ended(VbNetwork *network, const char *reason)
{
    g_autoptr(VbNetwork) keep = vb_network_ref(network);
    gboolean was_active = network->info.active;
    VbNetworkProps props = VB_NETWORK_PROP_DEFINITION;

    g_assert(network->live);
    vb_store_remove_tree(network->run_dir);
    network->phase = VB_NETWORK_INACTIVE;
    network->info.active = FALSE;
    g_autoptr(VbNetworkDef) live = g_steal_pointer(&network->live);
    /* A transient network has no other definition: it is read until the object is gone. */
    if (!network->stored)
        network->stored = g_steal_pointer(&live);
    if (was_active)
        props |= VB_NETWORK_PROP_STATE;
    if (vb_network_drop_leases(network))
        props |= VB_NETWORK_PROP_LEASES;
    props |= compare_definitions(network);

    VB_EMIT(network->host, network_changed, network, props);
    if (was_active)
        vb_network_lifecycle(network, "stopped", reason);
    if (!network->info.persistent && !network->removed)
        vb_host_remove_network(network->host, network);
    drop_driver_data(network);
}
