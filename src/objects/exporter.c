/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Objects come and go with domains, jobs and networks; the VbObject is the user data of its
 * VbDomain, VbJob or VbNetwork, and holds a reference on it. The order within an event is the
 * promise of docs/block-jobs.md: PropertiesChanged, the signal of the domain, Job.Finished. */
#include "exporter.h"

#include "block-job.h"
#include "changes.h"
#include "domain-block.h"
#include "domain-object.h"
#include "job-object.h"
#include "manager.h"
#include "network-object.h"
#include "object-path.h"

struct VbExporter {
    VbRegistry *registry; /* NULL: not started yet, or stopped */
};

/* ---- domains ----------------------------------------------------------------------------------
 */

static void on_domain_added(VbDomain *domain, gpointer data)
{
    VbExporter *exporter = data;
    const VbInterface *interfaces[] = {&vb_domain_interface, NULL, NULL};
    g_autofree char *path = vb_domain_path(domain);
    VbObject *object;

    if (exporter->registry == NULL)
        return;
    if (vb_domain_info(domain)->driver->block_jobs)
        interfaces[1] = &vb_domain_block_interface;
    object = vb_registry_add(exporter->registry, path, interfaces, vb_domain_ref(domain),
                             (GDestroyNotify)vb_domain_unref);
    vb_domain_set_user_data(domain, object);
}

static void on_domain_changed(VbDomain *domain, VbDomainProps props, gpointer data)
{
    VbExporter *exporter = data;
    VbObject *object = vb_domain_user_data(domain);

    if (exporter->registry != NULL && object != NULL)
        vb_domain_object_changed(exporter->registry, object, props);
}

static void on_domain_lifecycle(VbDomain *domain, const char *event, const char *reason,
                                gpointer data)
{
    VbExporter *exporter = data;
    VbObject *object = vb_domain_user_data(domain);

    if (exporter->registry != NULL && object != NULL)
        vb_domain_object_lifecycle(exporter->registry, object, event, reason);
}

static void on_domain_removed(VbDomain *domain, gpointer data)
{
    VbExporter *exporter = data;
    VbObject *object = vb_domain_user_data(domain);

    if (exporter->registry == NULL || object == NULL)
        return;
    vb_domain_set_user_data(domain, NULL);
    vb_registry_remove(exporter->registry, object);
}

/* ---- jobs -------------------------------------------------------------------------------------
 */

static void on_job_added(VbJob *job, gpointer data)
{
    static const VbInterface *const interfaces[] = {&vb_job_interface, &vb_block_job_interface,
                                                    NULL};
    VbExporter *exporter = data;
    g_autofree char *path = vb_job_path(job);
    VbObject *object;

    /* A job that lost its domain during the start may have been exported with it. */
    if (exporter->registry == NULL || vb_job_user_data(job) != NULL)
        return;
    object = vb_registry_add(exporter->registry, path, interfaces, vb_job_ref(job),
                             (GDestroyNotify)vb_job_unref);
    vb_job_set_user_data(job, object);
}

static const VbChange block_job_changes[] = {
    {VB_JOB_PROP_READY, "Ready", VB_DIRTY_MERGE},
    {VB_JOB_PROP_CANCEL_REQUESTED, "CancelRequested", VB_DIRTY_MERGE},
    {VB_JOB_PROP_PIVOT_REQUESTED, "PivotRequested", VB_DIRTY_MERGE},
    {VB_JOB_PROP_IO_STATUS, "IoStatus", VB_DIRTY_MERGE},
    {}};

static const VbChange job_changes[] = {{VB_JOB_PROP_PROGRESS, "Current", VB_DIRTY_MERGE},
                                       {VB_JOB_PROP_PROGRESS, "Total", VB_DIRTY_MERGE},
                                       {VB_JOB_PROP_BANDWIDTH, "Bandwidth", VB_DIRTY_MERGE},
                                       {VB_JOB_PROP_RESULT, "Result", VB_DIRTY_MERGE},
                                       {VB_JOB_PROP_RESULT, "ErrorName", VB_DIRTY_MERGE},
                                       {VB_JOB_PROP_RESULT, "ErrorMessage", VB_DIRTY_MERGE},
                                       {VB_JOB_PROP_RESULT, "EndTime", VB_DIRTY_MERGE},
                                       {VB_JOB_PROP_CANCELABLE, "Cancelable", VB_DIRTY_MERGE},
                                       {VB_JOB_PROP_STATE, "State", VB_DIRTY_NO_MERGE},
                                       {}};

static void on_job_changed(VbJob *job, VbJobProps props, gpointer data)
{
    VbExporter *exporter = data;
    VbObject *object = vb_job_user_data(job);

    if (exporter->registry == NULL || object == NULL)
        return;
    vb_changes_mark(block_job_changes, props, exporter->registry, object, &vb_block_job_interface);
    vb_changes_mark(job_changes, props, exporter->registry, object, &vb_job_interface);
}

static void on_job_ready(VbJob *job, gpointer data)
{
    VbExporter *exporter = data;
    VbObject *domain = vb_domain_user_data(vb_job_info(job)->domain);

    if (exporter->registry != NULL && domain != NULL)
        vb_domain_block_ready(exporter->registry, domain, job);
}

static void on_job_concluded(VbJob *job, gpointer data)
{
    VbExporter *exporter = data;
    VbObject *domain = vb_domain_user_data(vb_job_info(job)->domain);
    VbObject *object = vb_job_user_data(job);

    if (exporter->registry == NULL || object == NULL)
        return;
    /* A job that an earlier daemon left may have outlived its domain. */
    if (domain != NULL)
        vb_domain_block_concluded(exporter->registry, domain, job);
    vb_job_object_finished(exporter->registry, object);
}

static void on_job_removed(VbJob *job, gpointer data)
{
    VbExporter *exporter = data;
    VbObject *object = vb_job_user_data(job);

    if (exporter->registry == NULL || object == NULL)
        return;
    vb_job_set_user_data(job, NULL);
    vb_registry_remove(exporter->registry, object);
}

/* ---- networks ---------------------------------------------------------------------------------
 */

static void on_network_added(VbNetwork *network, gpointer data)
{
    static const VbInterface *const interfaces[] = {&vb_network_interface, NULL};
    VbExporter *exporter = data;
    g_autofree char *path = vb_network_path(network);
    VbObject *object;

    if (exporter->registry == NULL)
        return;
    object = vb_registry_add(exporter->registry, path, interfaces, vb_network_ref(network),
                             (GDestroyNotify)vb_network_unref);
    vb_network_set_user_data(network, object);
}

static void on_network_changed(VbNetwork *network, VbNetworkProps props, gpointer data)
{
    VbExporter *exporter = data;
    VbObject *object = vb_network_user_data(network);

    if (exporter->registry != NULL && object != NULL)
        vb_network_object_changed(exporter->registry, object, props);
}

static void on_network_lifecycle(VbNetwork *network, const char *event, const char *reason,
                                 gpointer data)
{
    VbExporter *exporter = data;
    VbObject *object = vb_network_user_data(network);

    if (exporter->registry != NULL && object != NULL)
        vb_network_object_lifecycle(exporter->registry, object, event, reason);
}

static void on_network_removed(VbNetwork *network, gpointer data)
{
    VbExporter *exporter = data;
    VbObject *object = vb_network_user_data(network);

    if (exporter->registry == NULL || object == NULL)
        return;
    vb_network_set_user_data(network, NULL);
    vb_registry_remove(exporter->registry, object);
}

const VbDriverEvents vb_exporter_events = {
    .domain_added = on_domain_added,
    .domain_changed = on_domain_changed,
    .domain_lifecycle = on_domain_lifecycle,
    .domain_removed = on_domain_removed,
    .job_added = on_job_added,
    .job_changed = on_job_changed,
    .job_ready = on_job_ready,
    .job_concluded = on_job_concluded,
    .job_removed = on_job_removed,
    .network_added = on_network_added,
    .network_changed = on_network_changed,
    .network_lifecycle = on_network_lifecycle,
    .network_removed = on_network_removed,
};

/* ---- life -------------------------------------------------------------------------------------
 */

VbExporter *vb_exporter_new(void)
{
    return g_new0(VbExporter, 1);
}

void vb_exporter_free(VbExporter *exporter)
{
    g_free(exporter);
}

static gboolean add_interfaces(VbRegistry *registry, GError **error)
{
    const VbInterface *const interfaces[] = {&vb_manager_interface,      &vb_domain_interface,
                                             &vb_domain_block_interface, &vb_job_interface,
                                             &vb_block_job_interface,    &vb_network_interface};

    for (gsize i = 0; i < G_N_ELEMENTS(interfaces); i++)
        if (!vb_registry_add_interface(registry, interfaces[i], error))
            return FALSE;
    return TRUE;
}

static void export_domain(VbExporter *exporter, VbDomain *domain)
{
    GPtrArray *jobs = vb_domain_jobs(domain);

    on_domain_added(domain, exporter);
    for (guint i = 0; i < jobs->len; i++)
        on_job_added(jobs->pdata[i], exporter);
}

gboolean vb_exporter_start(VbExporter *exporter, VbRegistry *registry, VbHost *host, GError **error)
{
    static const VbInterface *const manager[] = {&vb_manager_interface, NULL};
    g_autoptr(GPtrArray) networks = vb_host_networks(host);
    g_autoptr(GPtrArray) domains = vb_host_domains(host);

    if (!add_interfaces(registry, error))
        return FALSE;
    exporter->registry = registry;
    vb_registry_set_quiet(registry, TRUE);
    vb_registry_add(registry, VB_MANAGER_PATH, manager, host, NULL);
    for (guint i = 0; i < networks->len; i++)
        on_network_added(networks->pdata[i], exporter);
    for (guint i = 0; i < domains->len; i++)
        export_domain(exporter, domains->pdata[i]);
    vb_registry_set_quiet(registry, FALSE);
    return TRUE;
}

void vb_exporter_stop(VbExporter *exporter)
{
    exporter->registry = NULL;
}
