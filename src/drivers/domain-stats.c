/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Puts a question to a domain's driver, and takes it back when its time is over. */
#include "domain-stats.h"

#include "core-private.h"
#include "error.h"

VbStatsGroups vb_stats_group_from_string(const char *name)
{
    static const struct {
        const char *name;
        VbStatsGroups group;
    } groups[] = {
        {"state", VB_STATS_STATE}, {"cpu-total", VB_STATS_CPU_TOTAL}, {"balloon", VB_STATS_BALLOON},
        {"vcpu", VB_STATS_VCPU},   {"interface", VB_STATS_INTERFACE}, {"block", VB_STATS_BLOCK},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(groups); i++)
        if (g_str_equal(name, groups[i].name))
            return groups[i].group;
    return VB_STATS_NONE;
}

static gboolean on_deadline(gpointer cancellable)
{
    g_cancellable_cancel(cancellable);
    return G_SOURCE_REMOVE;
}

static void deadline_free(gpointer data)
{
    g_source_destroy(data);
    g_source_unref(data);
}

/* Of the driver's task; `data` is the caller's. */
static void on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    VbDomain *domain = g_task_get_task_data(task);
    GError *error = NULL;
    GVariant *stats = g_task_propagate_pointer(G_TASK(result), &error);

    if (stats != NULL) {
        g_task_return_pointer(task, stats, (GDestroyNotify)g_variant_unref);
    } else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_clear_error(&error);
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_TIMEOUT,
                                "the hypervisor of domain '%s' did not answer within %d ms",
                                vb_domain_info(domain)->name, VB_DOMAIN_STATS_TIMEOUT);
    } else {
        g_task_return_error(task, error);
    }
}

static void ask(VbDomain *domain, VbStatsGroups groups, GTask *task)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GSource) deadline = g_timeout_source_new(VB_DOMAIN_STATS_TIMEOUT);
    GTask *question = g_task_new(NULL, cancellable, on_answer, task);

    /* The driver ends the question itself when it is cancelled. */
    g_task_set_check_cancellable(question, FALSE);
    g_object_set_data_full(G_OBJECT(question), "deadline", g_source_ref(deadline), deadline_free);
    g_source_set_callback(deadline, on_deadline, g_object_ref(cancellable), g_object_unref);
    g_source_attach(deadline, g_main_context_get_thread_default());
    domain->info.driver->stats(domain->driver_self, domain, groups, question);
}

void vb_domain_stats_async(VbDomain *domain, VbStatsGroups groups, GAsyncReadyCallback callback,
                           gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    const VbDomainInfo *info = vb_domain_info(domain);

    g_task_set_task_data(task, vb_domain_ref(domain), (GDestroyNotify)vb_domain_unref);
    if (!vb_domain_is_active(domain))
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                "domain '%s' is not running", info->name);
    else if (!info->responsive)
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_TIMEOUT,
                                "the hypervisor of domain '%s' does not answer", info->name);
    else if (info->driver->stats == NULL)
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                                "driver '%s' has no statistics", info->driver->name);
    else
        ask(domain, groups, g_steal_pointer(&task));
}

GVariant *vb_domain_stats_finish(VbDomain *domain, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
