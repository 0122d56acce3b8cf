/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns what reaches running guests of a network that comes or goes: their taps are plugged in again
 * and their links taken up, or their links are taken down. A domain that cannot be told now (it
 * does not answer, or is only being started) is told once it can. */
#include "network.h"

#include "network-private.h"
#include "error.h"
#include "log.h"

#define DEADLINE_MS 2000 /* guests are told in parallel; who does not hear waits for nothing */

/* ---- all interfaces of a network --------------------------------------------------------------
 */

typedef struct {
    guint pending;
    guint deadline;
    gboolean over; /* the task has returned */
} Batch;

static void batch_free(Batch *batch)
{
    g_clear_handle_id(&batch->deadline, g_source_remove);
    g_free(batch);
}

static gboolean on_deadline(gpointer user_data)
{
    GTask *task = user_data;
    Batch *batch = g_task_get_task_data(task);

    batch->deadline = 0;
    batch->over = TRUE;
    g_task_return_boolean(task, TRUE);
    return G_SOURCE_REMOVE;
}

static GTask *batch_new(GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: there is a deadline. */
    GTask *task = g_task_new(NULL, NULL, callback, user_data);
    Batch *batch = g_new0(Batch, 1);

    batch->pending = 1; /* who makes it, until all have begun */
    batch->deadline = g_timeout_add(DEADLINE_MS, on_deadline, task);
    g_task_set_task_data(task, batch, (GDestroyNotify)batch_free);
    return task;
}

/* One less; drops the reference. */
static void batch_done(GTask *owned)
{
    g_autoptr(GTask) task = owned;
    Batch *batch = g_task_get_task_data(task);

    if (--batch->pending > 0 || batch->over)
        return;
    batch->over = TRUE;
    g_clear_handle_id(&batch->deadline, g_source_remove);
    g_task_return_boolean(task, TRUE);
}

/* ---- one interface ----------------------------------------------------------------------------
 */

typedef struct {
    GTask *batch; /* or NULL */
    VbDomain *domain;
    VbDomainDef *life; /* the live definition: it may be another one by the time */
    guint interface;
    VbNetwork *network; /* plug */
    gboolean up;
} Link;

static void link_done(Link *link)
{
    if (link->batch)
        batch_done(link->batch);
    vb_domain_unref(link->domain);
    vb_domain_def_unref(link->life);
    vb_network_unref(link->network);
    g_free(link);
}

static Link *link_new(GTask *batch, VbDomain *domain, guint interface)
{
    Link *link = g_new0(Link, 1);

    if (batch) {
        ((Batch *)g_task_get_task_data(batch))->pending++;
        link->batch = g_object_ref(batch);
    }
    link->domain = vb_domain_ref(domain);
    link->life = vb_domain_def_ref(domain->live);
    link->interface = interface;
    return link;
}

static const VbInterfaceDef *interface_of(const Link *link)
{
    return g_ptr_array_index(link->life->interfaces, link->interface);
}

static void log_failure(const Link *link, const char *what, const GError *error)
{
    vb_log_warning(link->domain->info.uuid, NULL, "domain '%s': cannot %s %s: %s",
                   link->domain->info.name, what, interface_of(link)->target, error->message);
}

static gboolean can_be_told(const VbDomain *domain)
{
    return domain->info.responsive &&
           !(domain->operation && domain->operation->op == VB_DOMAIN_OP_START);
}

static void link_set(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Link *link = user_data;
    g_autoptr(GError) error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error) && link->domain->live == link->life) {
        log_failure(link, link->up ? "take up the link of" : "take down the link of", error);
        if (!link->domain->info.responsive)
            link->domain->replug = TRUE;
    }
    link_done(link);
}

static void set_link(Link *link)
{
    VbDomain *domain = link->domain;
    gboolean wanted = interface_of(link)->link_state != VB_LINK_STATE_DOWN;

    if (domain->live != link->life || !domain->info.driver->set_link || (link->up && !wanted)) {
        link_done(link);
        return;
    }
    if (!can_be_told(domain)) {
        domain->replug = TRUE;
        link_done(link);
        return;
    }
    domain->info.driver->set_link(domain->driver_self, domain, link->interface, link->up,
                                  g_task_new(NULL, NULL, link_set, link));
}

static void port_plugged(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Link *link = user_data;
    g_autoptr(GError) error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        log_failure(link, "plug in", error);
        link_done(link);
    } else if (link->network->phase != VB_NETWORK_ACTIVE) {
        link_done(link);
    } else {
        set_link(link);
    }
}

static void unplug(GTask *batch, VbDomain *domain, guint interface)
{
    set_link(link_new(batch, domain, interface));
}

static void plug(GTask *batch, VbDomain *domain, guint interface, VbNetwork *network)
{
    const VbHostNetworks *networks = network->host->networks;
    g_autoptr(GError) error = NULL;
    Link *link = link_new(batch, domain, interface);
    g_autoptr(VbPortSpec) spec = vb_domain_port_spec(domain, interface_of(link), &error);

    if (!spec) {
        log_failure(link, "plug in", error);
        link_done(link);
        return;
    }
    link->network = vb_network_ref(network);
    link->up = TRUE;
    networks->driver->port_plug(networks->self, spec, g_task_new(NULL, NULL, port_plugged, link));
}

/* ---- a domain's interfaces --------------------------------------------------------------------
 */

/* Those on `network`, or on all networks (NULL). */
static void update_domain(GTask *batch, VbDomain *domain, const VbNetwork *only)
{
    gboolean changed = FALSE;

    for (guint i = 0; i < domain->live->interfaces->len; i++) {
        VbInterfaceDef *interface = g_ptr_array_index(domain->live->interfaces, i);
        VbNetwork *network = interface->type == VB_INTERFACE_NETWORK
                                 ? vb_host_network_by_name(domain->host, interface->network)
                                 : NULL;
        if (interface->type != VB_INTERFACE_NETWORK || (only && network != only))
            continue;
        if (!network || network->phase != VB_NETWORK_ACTIVE) {
            unplug(batch, domain, i);
            continue;
        }
        if (g_strcmp0(interface->bridge, network->live->bridge) != 0) {
            g_free(interface->bridge);
            interface->bridge = g_strdup(network->live->bridge);
            changed = TRUE;
        }
        plug(batch, domain, i, network);
    }
    if (changed)
        vb_domain_live_def_changed(domain);
}

void vb_domain_replug(VbDomain *domain)
{
    if (!domain->live || !domain->ports_open)
        return;
    domain->replug = FALSE;
    update_domain(NULL, domain, NULL);
}

static void update_users(VbNetwork *network, GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *batch = batch_new(callback, user_data);
    const GPtrArray *users = vb_host_network_users(network->host, network->info.name);

    for (guint i = 0; users && i < users->len; i++)
        update_domain(batch, g_ptr_array_index(users, i), network);
    batch_done(batch);
}

void vb_network_plug_async(VbNetwork *network, GAsyncReadyCallback callback, gpointer user_data)
{
    g_assert(network->phase == VB_NETWORK_ACTIVE);
    update_users(network, callback, user_data);
}

void vb_network_unplug_async(VbNetwork *network, GAsyncReadyCallback callback, gpointer user_data)
{
    g_assert(network->phase == VB_NETWORK_STOPPING);
    update_users(network, callback, user_data);
}
