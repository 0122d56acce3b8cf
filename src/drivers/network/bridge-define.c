/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the network driver has to say about definitions: which it refuses, what it adds to one that
 * leaves the bridge's name open, and which is free for who has none. */
#include "bridge-private.h"

#include <string.h>

#include "error.h"

/* The bridges of those definitions. (transfer full) */
static GHashTable *bridges_of(const GPtrArray *defs)
{
    GHashTable *bridges = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < defs->len; i++) {
        const VbNetworkDef *def = g_ptr_array_index(defs, i);

        if (def->bridge)
            g_hash_table_add(bridges, g_strdup(def->bridge));
    }
    return bridges;
}

static void on_name_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    VbNetworkDef *def = g_task_get_task_data(task);
    GError *error = NULL;
    char *name = vb_links_find_name_finish(result, &error);

    if (!name) {
        g_task_return_error(task, error);
        return;
    }
    g_free(def->bridge);
    def->bridge = name;
    if (g_task_get_source_tag(task) == vb_bridge_find_default)
        g_task_return_pointer(task, vb_network_def_ref(def), (GDestroyNotify)vb_network_def_unref);
    else
        g_task_return_boolean(task, TRUE);
}

/* ---- prepare ----------------------------------------------------------------------------------
 */

/* A floor is kept free of the whole of a device, which is divided nowhere here. */
static gboolean check_portgroups(const VbNetworkDef *def, GError **error)
{
    for (guint i = 0; i < def->portgroups->len; i++) {
        const VbPortgroupDef *group = g_ptr_array_index(def->portgroups, i);

        if (group->bandwidth.inbound.floor > 0)
            return vb_fail(error, VB_ERROR_NOT_SUPPORTED,
                           "network '%s': the network driver 'bridge' keeps no bandwidth free "
                           "('floor' of portgroup '%s')",
                           def->name, group->name);
    }
    return TRUE;
}

void vb_bridge_prepare(gpointer self, VbNetworkDef *def, const GPtrArray *others, GTask *task)
{
    VbBridgeDriver *driver = self;
    g_autoptr(GHashTable) taken = NULL;
    GError *error = NULL;

    if (!check_portgroups(def, &error)) {
        g_task_return_error(task, error);
        g_object_unref(task);
    } else if (def->bridge) {
        g_task_return_boolean(task, TRUE);
        g_object_unref(task);
    } else {
        taken = bridges_of(others);
        g_task_set_source_tag(task, vb_bridge_prepare);
        g_task_set_task_data(task, vb_network_def_ref(def), (GDestroyNotify)vb_network_def_unref);
        vb_links_find_name_async(driver->links, taken, on_name_found, task);
    }
}

/* ---- the default network ----------------------------------------------------------------------
 */

typedef struct {
    VbBridgeDriver *driver;
    GPtrArray *others; /* of VbNetworkDef */
    GPtrArray *routes; /* of VbHostRoute, once they are known */
} Search;

static void search_free(gpointer data)
{
    Search *search = data;

    vb_bridge_driver_unref(search->driver);
    g_ptr_array_unref(search->others);
    g_clear_pointer(&search->routes, g_ptr_array_unref);
    g_free(search);
}

static gboolean is_free(const VbIpSubnet *subnet, gpointer data)
{
    const Search *search = data;

    for (guint i = 0; i < search->routes->len; i++) {
        const VbHostRoute *route = g_ptr_array_index(search->routes, i);

        if (vb_ip_subnet_overlaps(&route->destination, subnet))
            return FALSE;
    }
    for (guint i = 0; i < search->others->len; i++) {
        const VbNetworkDef *other = g_ptr_array_index(search->others, i);

        if (vb_network_def_find_overlap(other, subnet))
            return FALSE;
        for (guint j = 0; j < other->routes->len; j++) {
            const VbRouteDef *route = g_ptr_array_index(other->routes, j);

            if (route->destination.prefix > 0 && vb_ip_subnet_overlaps(&route->destination, subnet))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean is_name_taken(const GPtrArray *others, const char *name)
{
    for (guint i = 0; i < others->len; i++) {
        const VbNetworkDef *other = g_ptr_array_index(others, i);

        if (g_str_equal(other->name, name))
            return TRUE;
    }
    return FALSE;
}

/* "default", or the first of "default-1", "default-2" … that is free. */
static void choose_name(VbNetworkDef *def, const GPtrArray *others)
{
    for (guint n = 1; is_name_taken(others, def->name); n++) {
        g_free(def->name);
        def->name = g_strdup_printf("default-%u", n);
    }
}

static void on_routes(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Search *search = g_task_get_task_data(task);
    g_autoptr(VbBridgeDriver) driver = NULL;
    g_autoptr(GHashTable) taken = NULL;
    GError *error = NULL;
    VbNetworkDef *def = NULL;

    search->routes = vb_links_routes_finish(result, &error);
    if (search->routes)
        def = vb_network_def_new_default(is_free, search, &error);
    if (!def) {
        g_task_return_error(task, error);
        return;
    }
    choose_name(def, search->others);
    taken = bridges_of(search->others);
    driver = vb_bridge_driver_ref(search->driver);
    g_task_set_task_data(task, def, (GDestroyNotify)vb_network_def_unref);
    if (driver->links)
        vb_links_find_name_async(driver->links, taken, on_name_found, g_steal_pointer(&task));
    else
        g_task_return_new_error(task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "virtbusd ends");
}

void vb_bridge_find_default(gpointer self, const GPtrArray *others, GTask *task)
{
    VbBridgeDriver *driver = self;
    Search *search = g_new0(Search, 1);

    search->driver = vb_bridge_driver_ref(driver);
    search->others = g_ptr_array_new_with_free_func((GDestroyNotify)vb_network_def_unref);
    for (guint i = 0; i < others->len; i++)
        g_ptr_array_add(search->others, vb_network_def_ref(g_ptr_array_index(others, i)));
    g_task_set_source_tag(task, vb_bridge_find_default);
    g_task_set_task_data(task, search, search_free);
    vb_links_routes_async(driver->links, on_routes, task);
}
