/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network driver as the core sees it: its table, its parts, the ports, and reload. What becomes
 * of one network is in bridge-network.c, what of a definition in bridge-define.c. */
#include "bridge-driver.h"

#include "bridge-private.h"
#include "error.h"

/* ---- the driver -------------------------------------------------------------------------------
 */

gpointer vb_bridge_driver_new(VbHost *host, const VbBridgeDriverOptions *options)
{
    VbBridgeDriver *driver = g_rc_box_new0(VbBridgeDriver);

    driver->launcher = options->launcher;
    driver->launcher_self = options->launcher_self;
    driver->lease_helper = g_strdup(options->lease_helper);
    driver->dnsmasq_user = g_strdup(options->dnsmasq_user);
    driver->links = vb_links_new();
    driver->firewall = vb_firewall_new();
    driver->active = g_ptr_array_new_with_free_func(vb_bridge_network_unref);
    return driver;
}

/* What is begun is ended; what waits is answered, and undoes nothing: the next daemon does. */
void vb_bridge_driver_free(gpointer self)
{
    VbBridgeDriver *driver = self;

    vb_links_free(g_steal_pointer(&driver->links));
    vb_firewall_free(g_steal_pointer(&driver->firewall));
    vb_bridge_driver_unref(driver);
}

VbBridgeDriver *vb_bridge_driver_ref(VbBridgeDriver *driver)
{
    return g_rc_box_acquire(driver);
}

static void driver_clear(gpointer data)
{
    VbBridgeDriver *driver = data;

    g_ptr_array_unref(driver->active);
    g_free(driver->lease_helper);
    g_free(driver->dnsmasq_user);
}

void vb_bridge_driver_unref(VbBridgeDriver *driver)
{
    g_rc_box_release_full(driver, driver_clear);
}

void vb_bridge_driver_filter(VbBridgeDriver *driver, GAsyncReadyCallback callback,
                             gpointer user_data)
{
    g_autoptr(GPtrArray) defs = g_ptr_array_new();

    for (guint i = 0; i < driver->active->len; i++) {
        const VbBridgeNetwork *network = g_ptr_array_index(driver->active, i);
        g_ptr_array_add(defs, network->def);
    }
    vb_firewall_apply_async(driver->firewall, defs, callback, user_data);
}

/* ---- ports ------------------------------------------------------------------------------------
 */

static void on_port_opened(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    VbPort *port = vb_links_open_port_finish(result, &error);

    if (port)
        g_task_return_pointer(task, port, (GDestroyNotify)vb_port_free);
    else
        g_task_return_error(task, error);
}

static void port_open(gpointer self, const VbPortSpec *spec, GTask *task)
{
    VbBridgeDriver *driver = self;

    vb_links_open_port_async(driver->links, spec, on_port_opened, task);
}

static void on_port_plugged(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;

    if (vb_links_finish(result, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void port_plug(gpointer self, const VbPortSpec *spec, GTask *task)
{
    VbBridgeDriver *driver = self;

    vb_links_plug_port_async(driver->links, spec, on_port_plugged, task);
}

static void port_close(gpointer self, const VbPortSpec *spec)
{
    VbBridgeDriver *driver = self;

    vb_links_close_port_async(driver->links, spec, NULL, NULL);
}

/* ---- reload -----------------------------------------------------------------------------------
 */

typedef struct {
    VbBridgeDriver *driver;
    GPtrArray *networks; /* of VbBridgeNetwork: active when it began */
    guint pending;
    GError *error; /* the first */
} Reload;

static void reload_free(gpointer data)
{
    Reload *reload = data;

    vb_bridge_driver_unref(reload->driver);
    g_ptr_array_unref(reload->networks);
    g_clear_error(&reload->error);
    g_free(reload);
}

static void on_reload_filtered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Reload *reload = g_task_get_task_data(task);

    vb_firewall_apply_finish(result, reload->error ? NULL : &reload->error);
    for (guint i = 0; reload->driver->links && i < reload->networks->len; i++) {
        const VbBridgeNetwork *network = g_ptr_array_index(reload->networks, i);

        if (network->dnsmasq)
            vb_dnsmasq_revive(network->dnsmasq);
    }
    if (reload->error)
        g_task_return_error(task, g_steal_pointer(&reload->error));
    else
        g_task_return_boolean(task, TRUE);
}

static void reload_checked(GTask *task)
{
    Reload *reload = g_task_get_task_data(task);

    if (--reload->pending > 0) {
        g_object_unref(task);
    } else if (reload->driver->links) {
        vb_bridge_driver_filter(reload->driver, on_reload_filtered, task);
    } else {
        g_task_return_new_error(task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "virtbusd ends");
        g_object_unref(task);
    }
}

typedef struct {
    GTask *task;
    const VbBridgeNetwork *network; /* Reload's */
} Check;

/* One that was stopped meanwhile need not be whole. */
static gboolean is_active(const VbBridgeDriver *driver, const VbBridgeNetwork *network)
{
    return g_ptr_array_find(driver->active, network, NULL);
}

static void on_reload_checked(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Check *check = user_data;
    Reload *reload = g_task_get_task_data(check->task);
    g_autoptr(GError) error = NULL;

    if (!vb_links_finish(result, &error) && !reload->error &&
        is_active(reload->driver, check->network)) {
        g_prefix_error(&error, "network '%s': ", check->network->def->name);
        reload->error = g_steal_pointer(&error);
    }
    reload_checked(check->task);
}

/* Bridges first: what is wrong with one of them stops nothing else. Where nothing is active,
 * nothing is touched. */
static void reload(gpointer self, GTask *task)
{
    VbBridgeDriver *driver = self;
    Reload *data = NULL;

    if (driver->active->len == 0) {
        g_task_return_boolean(task, TRUE);
        g_object_unref(task);
        return;
    }
    data = g_new0(Reload, 1);
    data->driver = vb_bridge_driver_ref(driver);
    data->networks = g_ptr_array_new_with_free_func(vb_bridge_network_unref);
    data->pending = 1;
    g_task_set_task_data(task, data, reload_free);
    for (guint i = 0; i < driver->active->len; i++) {
        VbBridgeNetwork *network = g_rc_box_acquire(g_ptr_array_index(driver->active, i));
        Check *check = g_new(Check, 1);

        *check = (Check){g_object_ref(task), network};
        g_ptr_array_add(data->networks, network);
        data->pending++;
        vb_links_check_bridge_async(driver->links, network->def, on_reload_checked, check);
    }
    reload_checked(task);
}

/* ---- the table --------------------------------------------------------------------------------
 */

const VbNetworkDriver vb_bridge_driver = {
    .name = "bridge",
    .prepare = vb_bridge_prepare,
    .find_default = vb_bridge_find_default,
    .start = vb_bridge_start,
    .stop = vb_bridge_stop,
    .update = vb_bridge_update,
    .save = vb_bridge_save,
    .reconnect = vb_bridge_reconnect,
    .clean = vb_bridge_clean,
    .reload = reload,
    .port_open = port_open,
    .port_plug = port_plug,
    .port_close = port_close,
};
