/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of all guests with that of the host's run: those that can hear it are asked to shut down,
 * all at once, and the last one's end, or the deadline, is the end of the waiting. */
#include "core-private.h"
#include "error.h"
#include "log.h"

struct VbHostShutdown {
    GTask *task;
    guint timer;
};

static guint count_running(VbHost *host)
{
    GHashTableIter iter;
    gpointer domain;
    guint n = 0;

    g_hash_table_iter_init(&iter, host->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &domain))
        n += ((VbDomain *)domain)->live != NULL;
    return n;
}

/* With the number of those that run on. */
static void finish(VbHost *host)
{
    VbHostShutdown *shutdown = g_steal_pointer(&host->shutdown);

    g_clear_handle_id(&shutdown->timer, g_source_remove);
    g_task_return_int(shutdown->task, (gssize)count_running(host));
    g_object_unref(shutdown->task);
    g_free(shutdown);
}

void vb_host_shutdown_check(VbHost *host)
{
    if (host->shutdown && count_running(host) == 0)
        finish(host);
}

void vb_host_close_shutdown(VbHost *host)
{
    if (host->shutdown)
        finish(host);
}

static gboolean on_deadline(gpointer data)
{
    VbHost *host = data;
    GHashTableIter iter;
    gpointer domain;

    g_hash_table_iter_init(&iter, host->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &domain)) {
        const VbDomain *left = domain;
        if (left->live)
            vb_log_warning(left->info.uuid, NULL, "domain '%s' has not shut down in time",
                           left->info.name);
    }
    host->shutdown->timer = 0;
    finish(host);
    return G_SOURCE_REMOVE;
}

static void on_asked(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbDomain) domain = data;
    g_autoptr(GError) error = NULL;

    if (!vb_domain_operate_finish(domain, result, &error))
        vb_log_warning(domain->info.uuid, NULL, "domain '%s' cannot be asked to shut down: %s",
                       domain->info.name, error->message);
}

void vb_host_shutdown_guests_async(VbHost *host, guint seconds, GAsyncReadyCallback callback,
                                   gpointer user_data)
{
    g_autoptr(GPtrArray) domains = vb_host_domains(host);

    g_return_if_fail(!host->shutdown);
    host->shutdown = g_new0(VbHostShutdown, 1);
    host->shutdown->task = g_task_new(NULL, NULL, callback, user_data);
    host->shutdown->timer = g_timeout_add_seconds(seconds, on_deadline, host);
    for (guint i = 0; i < domains->len; i++) {
        VbDomain *domain = domains->pdata[i];
        if (domain->live)
            vb_domain_operate_async(domain, VB_DOMAIN_OP_SHUTDOWN, VB_DOMAIN_OP_FLAG_NONE, on_asked,
                                    vb_domain_ref(domain));
    }
    vb_host_shutdown_check(host);
}

guint vb_host_shutdown_guests_finish(VbHost *host, GAsyncResult *result)
{
    return (guint)g_task_propagate_int(G_TASK(result), NULL);
}
