/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns how a virtbusd begins: it reads the stored definitions (host-stored.c) and the run-time
 * records, has the drivers find what runs (in parallel, each under a deadline), and, once
 * everything is exported and the name is owned, gives the signals that an earlier life owed. What
 * cannot be read is set aside, named in the log, and stops nothing else. See host.h. */
#include "host.h"

#include "core-private.h"
#include "error.h"
#include "log.h"

#define RECONNECT_DEADLINE_MS 1000

typedef struct {
    VbHost *host;
    guint pending; /* domains that have neither answered nor missed their deadline; the networks */
    gboolean all_begun;
} Load;

/* ---- jobs -------------------------------------------------------------------------------------
 */

static int compare_numbers(gconstpointer a, gconstpointer b)
{
    const VbJob *first = *(VbJob *const *)a, *second = *(VbJob *const *)b;
    return (first->info.number > second->info.number) - (first->info.number < second->info.number);
}

static int compare_ends(gconstpointer a, gconstpointer b)
{
    const VbJob *first = *(VbJob *const *)a, *second = *(VbJob *const *)b;
    return (first->info.end_time > second->info.end_time) -
           (first->info.end_time < second->info.end_time);
}

static void load_jobs(VbDomain *domain)
{
    g_autoptr(GDir) dir = g_dir_open(domain->run_dir, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(domain->run_dir, name, NULL);
        g_autoptr(GError) error = NULL;
        if (!g_str_has_prefix(name, "job-") || !g_str_has_suffix(name, ".record"))
            continue;
        VbJob *job = vb_job_record_load(domain, path, &error);
        if (!job) {
            vb_store_set_aside(path, error);
            continue;
        }
        /* The counters may have been lost: a number is never used twice. */
        domain->host->next_job = MAX(domain->host->next_job, job->info.number + 1);
        job->held = vb_job_is_live(job);
        g_ptr_array_add(domain->jobs, job);
    }
    g_ptr_array_sort(domain->jobs, compare_numbers);
    for (guint i = 0; i < domain->jobs->len; i++)
        vb_job_update(g_ptr_array_index(domain->jobs, i), 0);
}

static void keep_concluded(VbHost *host, GPtrArray *domains)
{
    g_autoptr(GPtrArray) concluded = g_ptr_array_new();

    for (guint d = 0; d < domains->len; d++) {
        VbDomain *domain = g_ptr_array_index(domains, d);
        for (guint i = 0; i < domain->jobs->len; i++) {
            VbJob *job = g_ptr_array_index(domain->jobs, i);
            if (!vb_job_is_live(job))
                g_ptr_array_add(concluded, job);
        }
    }
    g_ptr_array_sort(concluded, compare_ends);
    for (guint i = 0; i < concluded->len; i++)
        vb_host_keep_concluded(host, g_ptr_array_index(concluded, i));
}

/* ---- running domains --------------------------------------------------------------------------
 */

typedef struct {
    GTask *load; /* counts as pending in it until it is NULL */
    VbDomain *domain;
    GKeyFile *record;
    GCancellable *cancellable;
    guint deadline;
} Reconnect;

static void reconnect_free(Reconnect *reconnect)
{
    g_clear_handle_id(&reconnect->deadline, g_source_remove);
    vb_domain_unref(reconnect->domain);
    g_key_file_unref(reconnect->record);
    g_object_unref(reconnect->cancellable);
    g_free(reconnect);
}

/* Both sides are known: what became of the networks reaches the guests. */
static void replug_all(VbHost *host)
{
    g_autoptr(GPtrArray) domains = vb_host_domains(host);

    for (guint i = 0; i < domains->len; i++)
        vb_domain_replug(g_ptr_array_index(domains, i));
}

static void check_loaded(GTask *task)
{
    Load *load = g_task_get_task_data(task);

    if (!load->all_begun || load->pending > 0)
        return;
    replug_all(load->host);
    g_task_return_boolean(task, TRUE);
}

static void no_longer_pending(Reconnect *reconnect)
{
    g_autoptr(GTask) task = g_steal_pointer(&reconnect->load);

    if (!task)
        return;
    ((Load *)g_task_get_task_data(task))->pending--;
    check_loaded(task);
}

/* Only now does it take operations again: what they bring about is told by events. */
static void resume(VbDomain *domain)
{
    if (!domain->live)
        return;
    if (domain->info.driver->resume_events)
        domain->info.driver->resume_events(domain->driver_self, domain);
    vb_domain_set_responsive(domain, TRUE);
}

static void jobs_known(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Reconnect *reconnect = user_data;
    VbDomain *domain = reconnect->domain;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) statuses = g_task_propagate_pointer(G_TASK(result), &error);

    if (statuses && domain->live) {
        vb_domain_reconcile_jobs(domain, statuses);
    } else if (domain->live) {
        vb_log_warning(domain->info.uuid, NULL, "the jobs of domain '%s' are not known: %s",
                       domain->info.name, error->message);
        domain->unreconciled = TRUE;
        vb_domain_arm_poll(domain);
    }
    resume(domain);
    no_longer_pending(reconnect);
    reconnect_free(reconnect);
}

static void query_jobs(Reconnect *reconnect)
{
    VbDomain *domain = reconnect->domain;

    if (domain->info.driver->block_jobs) {
        domain->info.driver->jobs_query(domain->driver_self, domain,
                                        g_task_new(NULL, NULL, jobs_known, reconnect));
        return;
    }
    resume(domain);
    no_longer_pending(reconnect);
    reconnect_free(reconnect);
}

static Reconnect *reconnect_new(VbDomain *domain, GKeyFile *record, GTask *load)
{
    Reconnect *reconnect = g_new0(Reconnect, 1);

    reconnect->domain = vb_domain_ref(domain);
    reconnect->record = record;
    reconnect->load = load ? g_object_ref(load) : NULL;
    reconnect->cancellable = g_cancellable_new();
    return reconnect;
}

void vb_domain_reconnected(VbDomain *domain)
{
    if (domain->live)
        query_jobs(reconnect_new(domain, g_key_file_new(), NULL));
}

static void reconnected(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Reconnect *reconnect = user_data;
    VbDomain *domain = reconnect->domain;
    g_autoptr(GError) error = NULL;

    g_clear_handle_id(&reconnect->deadline, g_source_remove);
    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        vb_log_info(domain->info.uuid, NULL, "domain '%s' runs on", domain->info.name);
        query_jobs(reconnect);
        return;
    }
    if (g_error_matches(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING)) {
        gboolean stopping = domain->stopping;
        vb_log_info(domain->info.uuid, NULL, "domain '%s' is gone: %s", domain->info.name,
                    error->message);
        vb_domain_gone(domain, stopping ? VB_DOMAIN_SHUT_OFF : VB_DOMAIN_CRASHED,
                       stopping ? "destroyed" : "crashed");
    } else {
        vb_log_warning(domain->info.uuid, NULL, "domain '%s' does not answer: %s",
                       domain->info.name, error->message);
        vb_domain_set_responsive(domain, FALSE);
    }
    no_longer_pending(reconnect);
    reconnect_free(reconnect);
}

static gboolean on_deadline(gpointer user_data)
{
    Reconnect *reconnect = user_data;

    reconnect->deadline = 0;
    g_cancellable_cancel(reconnect->cancellable);
    return G_SOURCE_REMOVE;
}

static void reconnect(VbDomain *domain, GKeyFile *record, GTask *load)
{
    Reconnect *data = reconnect_new(domain, g_key_file_ref(record), load);
    GTask *task = g_task_new(NULL, data->cancellable, reconnected, data);

    ((Load *)g_task_get_task_data(load))->pending++;
    g_task_set_check_cancellable(task, FALSE);
    data->deadline = g_timeout_add(RECONNECT_DEADLINE_MS, on_deadline, data);
    domain->info.driver->reconnect(domain->driver_self, domain, record, task);
}

/* Jobs of a transient domain that is gone: they are shown for their time. */
static void load_orphans(VbHost *host, const char *uuid)
{
    if (host->drivers->len == 0)
        return;
    VbDomain *domain =
        vb_domain_new(host, &g_array_index(host->drivers, VbHostDriver, 0), uuid, uuid, 0);
    domain->removed = TRUE;
    load_jobs(domain);
    /* One that was live then ended with its domain; that was never announced. */
    for (guint i = 0; i < domain->jobs->len; i++)
        ((VbJob *)g_ptr_array_index(domain->jobs, i))->started = TRUE;
    g_ptr_array_add(host->orphans, domain);
}

/* Nothing runs there (any more): the jobs that it left. */
static void load_ended(VbHost *host, const char *uuid)
{
    VbDomain *known = vb_host_domain_by_uuid(host, uuid);

    if (known)
        load_jobs(known);
    else
        load_orphans(host, uuid);
}

/* A running domain has both of its definitions in memory. Without the stored one it is transient.
 */
static void require_stored(VbDomain *domain)
{
    g_autofree char *path = vb_paths_definition(domain->host->paths, domain->info.uuid);
    g_autoptr(GError) error = NULL;

    if (vb_domain_load_stored(domain, &error))
        return;
    vb_store_set_aside(path, error);
    vb_domain_drop_stored(domain);
    domain->info.persistent = FALSE;
    domain->info.autostart = FALSE;
    /* It is inserted again with its live definition. */
    g_hash_table_remove(domain->host->by_name, domain->info.name);
    g_hash_table_remove(domain->host->by_uuid, domain->info.uuid);
}

/* A directory below /run: a domain that ran, or only jobs that it left. */
static void load_running(VbHost *host, const char *uuid, GTask *load)
{
    g_autofree char *directory = vb_paths_domain_run(host->paths, uuid);
    g_autofree char *path = g_build_filename(directory, "domain.record", NULL);
    g_autofree char *live_path = g_build_filename(directory, "live.xml", NULL);
    g_autoptr(GError) error = NULL;
    VbDomainDef *live = NULL;
    VbFileStamp stamp;

    g_autoptr(VbDomain) domain = NULL;
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        load_ended(host, uuid);
        return;
    }
    g_autoptr(GKeyFile) record = vb_record_read(path, "domain", &error);
    if (record)
        domain = vb_host_load_definition(host, live_path, uuid, VB_XML_LIVE, &live, &stamp, &error);
    if (!domain || !vb_domain_load_record(domain, record, &error)) {
        g_clear_pointer(&live, vb_domain_def_unref);
        if (record)
            vb_store_set_aside(live_path, error);
        vb_store_set_aside(path, error);
        /* Its jobs have their ends all the same. */
        load_ended(host, uuid);
        return;
    }
    if (domain->info.persistent)
        require_stored(domain);
    domain->live = live;
    vb_domain_pin_stored(domain);
    live->id = domain->info.id;
    host->next_id = MAX(host->next_id, domain->info.id + 1);
    if (!domain->info.persistent)
        vb_host_insert(host, domain);
    vb_domain_load_ports(domain);
    load_jobs(domain);
    reconnect(domain, record, load);
}

static void networks_loaded(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;

    ((Load *)g_task_get_task_data(task))->pending--;
    check_loaded(task);
}

void vb_host_load_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: each domain has a deadline. */
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    g_autofree char *directory = g_build_filename(host->paths->run_dir, "domains", NULL);
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    Load *load = g_new0(Load, 1);
    const char *name;

    load->host = host;
    g_task_set_task_data(task, load, g_free);
    if (host->networks) {
        load->pending++;
        vb_host_load_networks_async(host, networks_loaded, g_object_ref(task));
    }
    vb_host_load_stored(host);
    while (dir && (name = g_dir_read_name(dir)))
        if (g_uuid_string_is_valid(name))
            load_running(host, name, task);
    g_autoptr(GPtrArray) domains = vb_host_domains(host);
    g_ptr_array_extend(domains, host->orphans, NULL, NULL);
    keep_concluded(host, domains);
    load->all_begun = TRUE;
    check_loaded(task);
}

gboolean vb_host_load_finish(VbHost *host, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- once everything is on the bus ------------------------------------------------------------
 */

static void autostart_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(VbDomain) domain = user_data;
    g_autoptr(GError) error = NULL;

    if (!vb_domain_operate_finish(domain, result, &error))
        vb_log_warning(domain->info.uuid, NULL, "autostart: %s", error->message);
}

static void autostart_domains(GPtrArray *domains)
{
    for (guint i = 0; i < domains->len; i++) {
        VbDomain *domain = g_ptr_array_index(domains, i);
        if (domain->info.autostart && !domain->live)
            vb_domain_operate_async(domain, VB_DOMAIN_OP_START, VB_DOMAIN_OP_FLAG_NONE,
                                    autostart_done, vb_domain_ref(domain));
    }
}

static void networks_started(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GPtrArray) domains = user_data;

    autostart_domains(domains);
}

/* Autostart is for the boot: not again when the daemon is restarted. Domains may need networks. */
static void autostart(VbHost *host, GPtrArray *domains)
{
    g_autofree char *mark = g_build_filename(host->paths->run_dir, "autostarted", NULL);
    g_autoptr(GError) error = NULL;

    if (g_file_test(mark, G_FILE_TEST_EXISTS))
        return;
    if (!vb_store_write_record(mark, "1\n", 2, &error))
        vb_log_warning(NULL, NULL, "%s", error->message);
    if (host->networks)
        vb_host_autostart_networks_async(host, networks_started, g_ptr_array_ref(domains));
    else
        autostart_domains(domains);
}

static void announce_jobs(VbDomain *domain)
{
    g_autoptr(GPtrArray) jobs = vb_domain_take_jobs(domain);
    gboolean orphans = domain->removed;

    for (guint i = 0; i < jobs->len; i++) {
        VbJob *job = g_ptr_array_index(jobs, i);
        if (orphans)
            VB_EMIT(domain->host, job_added, job);
        if (!vb_job_is_live(job))
            vb_job_announce(job);
        else if (domain->live)
            vb_job_release(job);
        else
            vb_job_domain_gone(job, FALSE);
    }
}

void vb_host_announce(VbHost *host)
{
    g_autoptr(GPtrArray) domains = vb_host_domains(host);
    g_autoptr(GPtrArray) orphans = g_steal_pointer(&host->orphans);

    host->orphans = g_ptr_array_new_with_free_func((GDestroyNotify)vb_domain_unref);
    host->announced = TRUE;
    for (guint i = 0; i < domains->len; i++)
        vb_domain_ref(g_ptr_array_index(domains, i));
    g_ptr_array_set_free_func(domains, (GDestroyNotify)vb_domain_unref);
    for (guint i = 0; i < domains->len; i++)
        announce_jobs(g_ptr_array_index(domains, i));
    for (guint i = 0; i < orphans->len; i++)
        announce_jobs(g_ptr_array_index(orphans, i));
    vb_host_expire_concluded(host);
    autostart(host, domains);
}
