/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What becomes of one network: started, stopped, updated, found again, cleaned away. A start makes
 * the bridge, then the rules, then the name server. Its undoing, a stop and a clean end the name
 * server, remove the bridge and then the rules, so that no guest is ever on a bridge without them.
 * A network on an existing bridge needs nothing of all this: only that bridge.
 *
 * Each is an Operation that goes from step to step; it ends early when the host is freed: then
 * things stay as they are on record, for the next daemon to clean. */
#include "bridge-private.h"

#include "error.h"
#include "log.h"

typedef struct {
    VbBridgeDriver *driver;
    VbBridgeNetwork *own; /* NULL: it has no bridge of its own, or nothing is known but `def` */
    VbNetworkDef *def;    /* update: as it shall be */
    VbNetworkDef *before; /* update: as it was */
    GKeyFile *record;     /* reconnect */
    gboolean at_load;     /* reconnect, clean: who is answered names the network */
    GTask *task;
    GError *error; /* the first; it goes on nevertheless where it undoes something */
} Operation;

/* ---- a network of its own ---------------------------------------------------------------------
 */

static void own_clear(gpointer data)
{
    VbBridgeNetwork *own = data;

    vb_dnsmasq_free(own->dnsmasq);
    vb_network_def_unref(own->def);
}

void vb_bridge_network_unref(gpointer network)
{
    g_rc_box_release_full(network, own_clear);
}

static void let_go(gpointer data)
{
    VbBridgeNetwork *own = data;

    own->network = NULL;
    vb_bridge_network_unref(own);
}

static VbBridgeNetwork *own_new(VbNetwork *network)
{
    VbBridgeNetwork *own = g_rc_box_new0(VbBridgeNetwork);

    own->network = network;
    own->def = vb_network_def_ref((VbNetworkDef *)vb_network_def(network));
    vb_network_set_driver_data(network, g_rc_box_acquire(own), let_go);
    return own;
}

static void on_leases(GPtrArray *leases, gpointer user_data)
{
    VbBridgeNetwork *own = user_data;

    if (own->network)
        vb_network_set_leases(own->network, leases);
    else
        g_ptr_array_unref(leases);
}

static void on_changed(gpointer user_data)
{
    VbBridgeNetwork *own = user_data;

    if (own->network)
        vb_network_save(own->network);
}

static void add_dnsmasq(const VbBridgeDriver *driver, VbBridgeNetwork *own)
{
    static const VbDnsmasqEvents events = {.leases = on_leases, .changed = on_changed};
    const VbDnsmasqOptions options = {
        .launcher = driver->launcher,
        .launcher_self = driver->launcher_self,
        .lease_helper = driver->lease_helper,
        .user = driver->dnsmasq_user,
    };

    own->dnsmasq = vb_dnsmasq_new(&options, vb_network_run_dir(own->network), &events, own);
}

static void activate(VbBridgeDriver *driver, VbBridgeNetwork *own)
{
    g_ptr_array_add(driver->active, g_rc_box_acquire(own));
}

static void deactivate(VbBridgeDriver *driver, VbBridgeNetwork *own)
{
    g_ptr_array_remove(driver->active, own);
}

/* ---- operations -------------------------------------------------------------------------------
 */

/* Takes `own` and `task`; the definition is the network's. */
static Operation *operation_new(VbBridgeDriver *driver, VbBridgeNetwork *own,
                                const VbNetworkDef *def, GTask *task)
{
    Operation *operation = g_new0(Operation, 1);

    operation->driver = vb_bridge_driver_ref(driver);
    operation->own = own;
    operation->def = vb_network_def_ref((VbNetworkDef *)def);
    operation->task = task;
    return operation;
}

/* Answers, and frees it. */
static void end(Operation *operation)
{
    g_autoptr(GTask) task = g_steal_pointer(&operation->task);
    g_autofree char *prefix = g_strdup_printf("network '%s': ", operation->def->name);
    gboolean at_load = operation->at_load;
    GError *error = g_steal_pointer(&operation->error);

    g_clear_pointer(&operation->own, vb_bridge_network_unref);
    g_clear_pointer(&operation->record, g_key_file_unref);
    vb_network_def_unref(operation->def);
    vb_network_def_unref(operation->before);
    vb_bridge_driver_unref(operation->driver);
    g_free(operation);
    if (error) {
        g_prefix_error(&error, "%s", at_load ? "" : prefix);
        g_task_return_error(task, error);
    } else {
        g_task_return_boolean(task, TRUE);
    }
}

/* Takes the error of a step, which may be NULL. TRUE: the host is being freed, and the operation
 * has been answered. */
static gboolean is_over(Operation *operation, GError *error)
{
    if (operation->error && error) {
        vb_log_warning(NULL, NULL, "network '%s': %s", operation->def->name, error->message);
        g_error_free(error);
    } else if (error) {
        operation->error = error;
    }
    if (operation->driver->links)
        return FALSE;
    if (!operation->error)
        operation->error = g_error_new(G_IO_ERROR, G_IO_ERROR_CANCELLED, "virtbusd ends");
    end(operation);
    return TRUE;
}

static void filter(Operation *operation, GAsyncReadyCallback callback)
{
    vb_bridge_driver_filter(operation->driver, callback, operation);
}

/* ---- removing ---------------------------------------------------------------------------------
 */

static void on_unfiltered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;

    vb_firewall_apply_finish(result, &error);
    if (!is_over(operation, error))
        end(operation);
}

static void on_bridge_removed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;

    vb_links_finish(result, &error);
    if (operation->own)
        deactivate(operation->driver, operation->own);
    if (!is_over(operation, error))
        filter(operation, on_unfiltered);
}

/* All but a name server; ends with what has failed until now. */
static void dismantle(Operation *operation)
{
    vb_links_remove_bridge_async(operation->driver->links, operation->def, on_bridge_removed,
                                 operation);
}

/* ---- start ------------------------------------------------------------------------------------
 */

static void on_served(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;
    gboolean served = vb_dnsmasq_finish(result, &error);

    if (is_over(operation, error))
        return;
    if (served) {
        end(operation);
        return;
    }
    g_clear_pointer(&operation->own->dnsmasq, vb_dnsmasq_free);
    dismantle(operation);
}

static void on_filtered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    VbBridgeNetwork *own = operation->own;
    GError *error = NULL;
    gboolean filtered = vb_firewall_apply_finish(result, &error);

    if (is_over(operation, error))
        return;
    if (!filtered) {
        dismantle(operation);
    } else if (!vb_dnsmasq_is_needed(operation->def)) {
        end(operation);
    } else {
        add_dnsmasq(operation->driver, own);
        vb_dnsmasq_start_async(own->dnsmasq, operation->def, on_served, operation);
    }
}

static void on_bridge_made(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;
    gboolean made = vb_links_finish(result, &error);

    if (is_over(operation, error))
        return;
    if (!made) {
        end(operation);
        return;
    }
    activate(operation->driver, operation->own);
    filter(operation, on_filtered);
}

/* Of somebody else's bridge. */
static void on_bridge_there(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;

    vb_links_finish(result, &error);
    if (!is_over(operation, error))
        end(operation);
}

/* The same to be told of a network that is to be started: it is not one that has gone. */
static void on_bridge_there_to_start(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;

    if (!vb_links_finish(result, &error) &&
        g_error_matches(error, VB_ERROR, VB_ERROR_NETWORK_NOT_RUNNING))
        error->code = VB_ERROR_FAILED;
    if (!is_over(operation, error))
        end(operation);
}

void vb_bridge_start(gpointer self, VbNetwork *network, GTask *task)
{
    VbBridgeDriver *driver = self;
    const VbNetworkDef *def = vb_network_def(network);

    if (!vb_network_def_owns_bridge(def))
        vb_links_check_bridge_async(driver->links, def, on_bridge_there_to_start,
                                    operation_new(driver, NULL, def, task));
    else
        vb_links_make_bridge_async(driver->links, def, on_bridge_made,
                                   operation_new(driver, own_new(network), def, task));
}

/* ---- stop, clean ------------------------------------------------------------------------------
 */

static void on_silent(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;

    vb_dnsmasq_finish(result, &error);
    if (!is_over(operation, error))
        dismantle(operation);
}

static void silence(Operation *operation, VbNetwork *network)
{
    VbBridgeNetwork *own = operation->own;

    if (own->unattached) {
        g_autoptr(GKeyFile) nothing = g_key_file_new();

        vb_dnsmasq_clean(vb_network_run_dir(network), nothing, vb_bridge_driver.name);
    }
    vb_dnsmasq_stop_async(own->dnsmasq, on_silent, operation);
}

void vb_bridge_stop(gpointer self, VbNetwork *network, GTask *task)
{
    VbBridgeDriver *driver = self;
    VbBridgeNetwork *own = vb_network_driver_data(network);
    const VbNetworkDef *def = vb_network_def(network);
    Operation *operation = NULL;

    if (own)
        g_rc_box_acquire(own);
    operation = operation_new(driver, own, def, task);
    if (!vb_network_def_owns_bridge(def))
        end(operation);
    else if (own && own->dnsmasq)
        silence(operation, network);
    else
        dismantle(operation);
}

void vb_bridge_clean(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task)
{
    const VbNetworkDef *def = vb_network_def(network);
    Operation *operation = operation_new(self, NULL, def, task);

    operation->at_load = TRUE;
    if (!vb_network_def_owns_bridge(def)) {
        end(operation);
        return;
    }
    vb_dnsmasq_clean(vb_network_run_dir(network), record, vb_bridge_driver.name);
    dismantle(operation);
}

/* ---- save, reconnect --------------------------------------------------------------------------
 */

void vb_bridge_save(gpointer self, VbNetwork *network, GKeyFile *record)
{
    const VbBridgeNetwork *own = vb_network_driver_data(network);

    if (own && own->dnsmasq)
        vb_dnsmasq_save(own->dnsmasq, record, vb_bridge_driver.name);
}

static void on_attached(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;

    if (!vb_dnsmasq_finish(result, &error))
        operation->own->unattached = TRUE;
    if (!is_over(operation, error))
        end(operation);
}

static void on_filtered_again(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    VbBridgeNetwork *own = operation->own;
    GError *error = NULL;

    vb_firewall_apply_finish(result, &error);
    if (is_over(operation, error))
        return;
    if (!vb_dnsmasq_is_needed(operation->def)) {
        end(operation);
        return;
    }
    add_dnsmasq(operation->driver, own);
    vb_dnsmasq_attach_async(own->dnsmasq, operation->def, operation->record, vb_bridge_driver.name,
                            on_attached, operation);
}

static void on_bridge_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;

    vb_links_finish(result, &error);
    if (is_over(operation, error))
        return;
    if (g_error_matches(operation->error, VB_ERROR, VB_ERROR_NETWORK_NOT_RUNNING)) {
        vb_dnsmasq_clean(vb_network_run_dir(operation->own->network), operation->record,
                         vb_bridge_driver.name);
        dismantle(operation);
    } else {
        filter(operation, on_filtered_again);
    }
}

/* What fails on the way is told in the end: guests may be on that bridge. The core asks for all
 * networks in one go, so the first new firewall has the rules of all of them. */
void vb_bridge_reconnect(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task)
{
    VbBridgeDriver *driver = self;
    const VbNetworkDef *def = vb_network_def(network);
    VbBridgeNetwork *own = vb_network_def_owns_bridge(def) ? own_new(network) : NULL;
    Operation *operation = operation_new(driver, own, def, task);

    operation->at_load = TRUE;
    if (!own) {
        vb_links_check_bridge_async(driver->links, def, on_bridge_there, operation);
        return;
    }
    operation->record = g_key_file_ref(record);
    activate(driver, own);
    vb_links_check_bridge_async(driver->links, def, on_bridge_found, operation);
}

/* ---- update -----------------------------------------------------------------------------------
 */

static gboolean same_devices(const VbNetworkDef *a, const VbNetworkDef *b)
{
    gboolean same = a->forward.devs->len == b->forward.devs->len;

    for (guint i = 0; same && i < a->forward.devs->len; i++)
        same = g_str_equal(g_ptr_array_index(a->forward.devs, i),
                           g_ptr_array_index(b->forward.devs, i));
    return same;
}

/* What the name server need not know of is left out. (transfer full) */
static char *served(const VbNetworkDef *def)
{
    g_autoptr(VbNetworkDef) copy = vb_network_def_copy(def);

    g_ptr_array_set_size(copy->forward.devs, 0);
    g_ptr_array_set_size(copy->portgroups, 0);
    return vb_network_def_format(copy, VB_FORMAT_NONE);
}

static gboolean serves_the_same(const VbNetworkDef *a, const VbNetworkDef *b)
{
    g_autofree char *served_a = served(a);
    g_autofree char *served_b = served(b);

    return g_str_equal(served_a, served_b);
}

/* The firewall is made of it from now on. */
static void take_def(VbBridgeNetwork *own, VbNetworkDef *def)
{
    vb_network_def_ref(def);
    vb_network_def_unref(own->def);
    own->def = def;
}

static void on_update_undone(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;

    vb_firewall_apply_finish(result, &error);
    if (!is_over(operation, error))
        end(operation);
}

/* What was not done leaves all as it was, the rules, too. */
static void update_end(Operation *operation, gboolean done)
{
    if (!done)
        take_def(operation->own, operation->before);
    if (done || same_devices(operation->before, operation->def))
        end(operation);
    else
        filter(operation, on_update_undone);
}

static void on_server_updated(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;
    gboolean done = vb_dnsmasq_finish(result, &error);

    if (!is_over(operation, error))
        update_end(operation, done);
}

/* It is the first thing that there is to serve. */
static void on_server_added(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;
    gboolean done = vb_dnsmasq_finish(result, &error);

    if (is_over(operation, error))
        return;
    if (!done)
        g_clear_pointer(&operation->own->dnsmasq, vb_dnsmasq_free);
    update_end(operation, done);
}

/* … or was the last. It is gone, whatever its end said. */
static void on_server_removed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    g_autoptr(GError) error = NULL;

    if (!vb_dnsmasq_finish(result, &error))
        vb_log_warning(NULL, NULL, "network '%s': %s", operation->def->name, error->message);
    if (is_over(operation, NULL))
        return;
    g_clear_pointer(&operation->own->dnsmasq, vb_dnsmasq_free);
    update_end(operation, TRUE);
}

static void update_server(Operation *operation)
{
    VbBridgeNetwork *own = operation->own;

    if (serves_the_same(operation->before, operation->def)) {
        update_end(operation, TRUE);
    } else if (own->dnsmasq && vb_dnsmasq_is_needed(operation->def)) {
        vb_dnsmasq_update_async(own->dnsmasq, operation->def, on_server_updated, operation);
    } else if (own->dnsmasq) {
        vb_dnsmasq_stop_async(own->dnsmasq, on_server_removed, operation);
    } else if (vb_dnsmasq_is_needed(operation->def)) {
        add_dnsmasq(operation->driver, own);
        vb_dnsmasq_start_async(own->dnsmasq, operation->def, on_server_added, operation);
    } else {
        update_end(operation, TRUE);
    }
}

static void on_update_filtered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Operation *operation = user_data;
    GError *error = NULL;
    gboolean filtered = vb_firewall_apply_finish(result, &error);

    if (is_over(operation, error))
        return;
    if (filtered)
        update_server(operation);
    else
        update_end(operation, FALSE);
}

void vb_bridge_update(gpointer self, VbNetwork *network, const VbNetworkDef *def, GTask *task)
{
    VbBridgeDriver *driver = self;
    VbBridgeNetwork *own = vb_network_driver_data(network);
    Operation *operation = NULL;

    if (own)
        g_rc_box_acquire(own);
    operation = operation_new(driver, own, def, task);
    if (!own) {
        end(operation);
        return;
    }
    operation->before = vb_network_def_ref(own->def);
    take_def(own, operation->def);
    if (same_devices(operation->before, operation->def))
        update_server(operation);
    else
        filter(operation, on_update_filtered);
}
