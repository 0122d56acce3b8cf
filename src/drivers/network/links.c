/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the worker thread that talks to the kernel about network devices: a GThreadPool of one, so
 * that the calls are done in their order. What each call does is in the link-*.c beside. See
 * links.h. */
#include "links.h"

#include "error.h"
#include "link-bridge.h"
#include "link-device.h"
#include "link-port.h"
#include "link-route.h"

#define NAME_PREFIX "virtbus"

struct VbLinks {
    GThreadPool *worker;
    VbNetlink *netlink; /* the worker's; NULL before the first call */
    int closing;        /* atomic */
};

/* In the worker: returns on the task. */
typedef void (*Work)(VbNetlink *netlink, GTask *task);

typedef struct {
    Work work;
    gpointer input; /* a copy of what the caller gave */
    GDestroyNotify free_input;
} Call;

static void call_free(gpointer data)
{
    Call *call = data;

    if (call->input)
        call->free_input(call->input);
    g_free(call);
}

static gpointer input_of(GTask *task)
{
    return ((Call *)g_task_get_task_data(task))->input;
}

static void run(gpointer data, gpointer user_data)
{
    g_autoptr(GTask) task = data;
    VbLinks *links = user_data;
    GError *error = NULL;

    if (g_atomic_int_get(&links->closing)) {
        g_task_return_new_error(task, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                "the network driver is being shut down");
        return;
    }
    if (!links->netlink)
        links->netlink = vb_netlink_new(&error);
    if (links->netlink)
        ((Call *)g_task_get_task_data(task))->work(links->netlink, task);
    else
        g_task_return_error(task, error);
}

VbLinks *vb_links_new(void)
{
    VbLinks *links = g_new0(VbLinks, 1);

    links->worker = g_thread_pool_new(run, links, 1, TRUE, NULL);
    return links;
}

void vb_links_free(VbLinks *links)
{
    if (!links)
        return;
    g_atomic_int_set(&links->closing, 1);
    g_thread_pool_free(links->worker, FALSE, TRUE);
    vb_netlink_free(links->netlink);
    g_free(links);
}

static void begin(VbLinks *links, Work work, gpointer input, GDestroyNotify free_input,
                  GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(NULL, NULL, callback, user_data);
    Call *call = g_new0(Call, 1);

    call->work = work;
    call->input = input;
    call->free_input = free_input;
    g_task_set_task_data(task, call, call_free);
    g_thread_pool_push(links->worker, task, NULL);
}

gboolean vb_links_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* A result with or without success; the error is taken. */
static void return_success(GTask *task, gboolean success, GError *error)
{
    if (success)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* One with a pointer, NULL: the error. */
static void return_pointer(GTask *task, gpointer pointer, GDestroyNotify free_pointer,
                           GError *error)
{
    if (pointer)
        g_task_return_pointer(task, pointer, free_pointer);
    else
        g_task_return_error(task, error);
}

/* ---- names and routes -------------------------------------------------------------------------
 */

static void find_name(VbNetlink *netlink, GTask *task)
{
    GHashTable *taken = input_of(task);
    g_autofree char *name = NULL;
    GError *error = NULL;

    for (guint i = 0; !name && !error; i++) {
        g_autofree char *candidate = g_strdup_printf(NAME_PREFIX "%u", i);
        g_autoptr(VbLinkDevice) device = NULL;
        if (g_hash_table_contains(taken, candidate))
            continue;
        device = vb_link_device_find(netlink, candidate, &error);
        if (!device && !error)
            name = g_steal_pointer(&candidate);
    }
    return_pointer(task, g_steal_pointer(&name), g_free, error);
}

void vb_links_find_name_async(VbLinks *links, GHashTable *taken, GAsyncReadyCallback callback,
                              gpointer user_data)
{
    GHashTable *copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, taken);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        g_hash_table_add(copy, g_strdup(name));
    begin(links, find_name, copy, (GDestroyNotify)g_hash_table_unref, callback, user_data);
}

char *vb_links_find_name_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void routes(VbNetlink *netlink, GTask *task)
{
    GError *error = NULL;
    GPtrArray *found = vb_link_routes(netlink, &error);

    return_pointer(task, found, (GDestroyNotify)g_ptr_array_unref, error);
}

void vb_links_routes_async(VbLinks *links, GAsyncReadyCallback callback, gpointer user_data)
{
    begin(links, routes, NULL, NULL, callback, user_data);
}

GPtrArray *vb_links_routes_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- bridges ----------------------------------------------------------------------------------
 */

typedef gboolean (*BridgeFunc)(VbNetlink *netlink, const VbNetworkDef *def, GError **error);

static void do_bridge(VbNetlink *netlink, GTask *task, BridgeFunc func)
{
    GError *error = NULL;
    gboolean done = func(netlink, input_of(task), &error);

    return_success(task, done, error);
}

static void make_bridge(VbNetlink *netlink, GTask *task)
{
    do_bridge(netlink, task, vb_link_bridge_make);
}

static void remove_bridge(VbNetlink *netlink, GTask *task)
{
    do_bridge(netlink, task, vb_link_bridge_remove);
}

static void check_bridge(VbNetlink *netlink, GTask *task)
{
    do_bridge(netlink, task, vb_link_bridge_check);
}

static void begin_bridge(VbLinks *links, Work work, const VbNetworkDef *def,
                         GAsyncReadyCallback callback, gpointer user_data)
{
    begin(links, work, vb_network_def_copy(def), (GDestroyNotify)vb_network_def_unref, callback,
          user_data);
}

void vb_links_make_bridge_async(VbLinks *links, const VbNetworkDef *def,
                                GAsyncReadyCallback callback, gpointer user_data)
{
    begin_bridge(links, make_bridge, def, callback, user_data);
}

void vb_links_remove_bridge_async(VbLinks *links, const VbNetworkDef *def,
                                  GAsyncReadyCallback callback, gpointer user_data)
{
    begin_bridge(links, remove_bridge, def, callback, user_data);
}

void vb_links_check_bridge_async(VbLinks *links, const VbNetworkDef *def,
                                 GAsyncReadyCallback callback, gpointer user_data)
{
    begin_bridge(links, check_bridge, def, callback, user_data);
}

/* ---- ports ------------------------------------------------------------------------------------
 */

static void open_port(VbNetlink *netlink, GTask *task)
{
    GError *error = NULL;
    VbPort *port = vb_link_port_open(netlink, input_of(task), &error);

    return_pointer(task, port, (GDestroyNotify)vb_port_free, error);
}

static void plug_port(VbNetlink *netlink, GTask *task)
{
    GError *error = NULL;
    gboolean plugged = vb_link_port_plug(netlink, input_of(task), &error);

    return_success(task, plugged, error);
}

static void close_port(VbNetlink *netlink, GTask *task)
{
    GError *error = NULL;
    gboolean closed = vb_link_port_close(netlink, input_of(task), &error);

    return_success(task, closed, error);
}

static void begin_port(VbLinks *links, Work work, const VbPortSpec *spec,
                       GAsyncReadyCallback callback, gpointer user_data)
{
    begin(links, work, vb_port_spec_copy(spec), (GDestroyNotify)vb_port_spec_free, callback,
          user_data);
}

void vb_links_open_port_async(VbLinks *links, const VbPortSpec *spec, GAsyncReadyCallback callback,
                              gpointer user_data)
{
    begin_port(links, open_port, spec, callback, user_data);
}

VbPort *vb_links_open_port_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

void vb_links_plug_port_async(VbLinks *links, const VbPortSpec *spec, GAsyncReadyCallback callback,
                              gpointer user_data)
{
    begin_port(links, plug_port, spec, callback, user_data);
}

void vb_links_close_port_async(VbLinks *links, const VbPortSpec *spec, GAsyncReadyCallback callback,
                               gpointer user_data)
{
    begin_port(links, close_port, spec, callback, user_data);
}
