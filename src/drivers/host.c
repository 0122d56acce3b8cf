/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbHost: the tables of domains, the drivers, the counters of the boot, and how long concluded
 * jobs are shown. Defining is in host-define.c, loading in host-load.c. See host.h. */
#include "host.h"

#include <string.h>

#include "core-private.h"
#include "error.h"
#include "log.h"

#define CONCLUDED_KEPT_US (60 * G_USEC_PER_SEC) /* how long a concluded job is shown */
#define CONCLUDED_KEPT 256                      /* and how many of them at the most */

static void load_counters(VbHost *host);

VbHost *vb_host_new(const VbPaths *paths, VbStore *store, const VbDriverEvents *events,
                    gpointer user_data)
{
    VbHost *host = g_new0(VbHost, 1);

    host->paths = paths;
    host->store = store;
    host->events = events;
    host->user_data = user_data;
    host->drivers = g_array_new(FALSE, FALSE, sizeof(VbHostDriver));
    host->by_uuid =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)vb_domain_unref);
    host->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    host->reserved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    host->orphans = g_ptr_array_new_with_free_func((GDestroyNotify)vb_domain_unref);
    host->next_job = 1;
    host->next_id = 1;
    g_queue_init(&host->concluded);
    g_queue_init(&host->parsed);
    load_counters(host);
    return host;
}

void vb_host_free(VbHost *host)
{
    GHashTableIter iter;
    gpointer domain;
    VbJob *job;

    if (!host)
        return;
    vb_host_close_shutdown(host);
    vb_host_close_index(host);
    g_clear_handle_id(&host->expiry_source, g_source_remove);
    /* A job and its domain hold each other; a domain may be out of the tables and have jobs yet. */
    while ((job = g_queue_pop_head(&host->concluded))) {
        g_ptr_array_remove(job->info.domain->jobs, job);
        vb_job_unref(job);
    }
    for (guint i = 0; i < host->orphans->len; i++)
        g_ptr_array_set_size(((VbDomain *)g_ptr_array_index(host->orphans, i))->jobs, 0);
    g_hash_table_iter_init(&iter, host->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &domain)) {
        g_clear_handle_id(&((VbDomain *)domain)->poll_source, g_source_remove);
        vb_domain_set_driver_data(domain, NULL, NULL);
        g_ptr_array_set_size(((VbDomain *)domain)->jobs, 0);
    }
    g_ptr_array_unref(host->orphans);
    g_hash_table_unref(host->by_name);
    g_hash_table_unref(host->by_uuid);
    g_hash_table_unref(host->reserved);
    for (guint i = 0; i < host->drivers->len; i++) {
        VbHostDriver *driver = &g_array_index(host->drivers, VbHostDriver, i);
        if (driver->destroy)
            driver->destroy(driver->self);
    }
    g_array_unref(host->drivers);
    vb_host_free_networks(host);
    /* Somebody may hold a domain for longer. */
    while ((domain = g_queue_pop_head(&host->parsed)))
        ((VbDomain *)domain)->parsed_listed = FALSE;
    g_strfreev(host->image_directories);
    g_free(host);
}

const VbPaths *vb_host_paths(const VbHost *host)
{
    return host->paths;
}

void vb_host_set_image_directories(VbHost *host, const char *const *directories)
{
    g_strfreev(host->image_directories);
    host->image_directories = g_strdupv((char **)directories);
}

const char *const *vb_host_image_directories(const VbHost *host)
{
    return (const char *const *)host->image_directories;
}

/* ---- drivers ----------------------------------------------------------------------------------
 */

void vb_host_add_driver(VbHost *host, const VbDriver *driver, gpointer self, GDestroyNotify destroy)
{
    VbHostDriver entry = {driver, self, destroy};

    g_array_append_val(host->drivers, entry);
}

const char **vb_host_drivers(VbHost *host)
{
    const char **names = g_new0(const char *, host->drivers->len + 1);

    for (guint i = 0; i < host->drivers->len; i++)
        names[i] = g_array_index(host->drivers, VbHostDriver, i).ops->name;
    return names;
}

VbHostDriver *vb_host_driver_for(VbHost *host, VbDomainType type)
{
    for (guint i = 0; i < host->drivers->len; i++) {
        VbHostDriver *driver = &g_array_index(host->drivers, VbHostDriver, i);
        for (gsize t = 0; t < driver->ops->n_types; t++)
            if (driver->ops->types[t] == type)
                return driver;
    }
    return NULL;
}

const char *vb_host_driver_name(VbHost *host, VbDomainType type)
{
    const VbHostDriver *driver = vb_host_driver_for(host, type);

    return driver ? driver->ops->name : NULL;
}

VbHost *vb_domain_host(const VbDomain *domain)
{
    return domain->host;
}

/* ---- tables -----------------------------------------------------------------------------------
 */

void vb_host_insert(VbHost *host, VbDomain *domain)
{
    g_hash_table_insert(host->by_uuid, (char *)domain->info.uuid, vb_domain_ref(domain));
    g_hash_table_insert(host->by_name, (char *)domain->info.name, domain);
}

void vb_host_remove(VbHost *host, VbDomain *domain)
{
    g_autoptr(VbDomain) keep = vb_domain_ref(domain);

    domain->removed = TRUE;
    /* The jobs of a domain that is gone stay for their time: they say how they ended. */
    if (!host->announced && domain->jobs->len > 0)
        g_ptr_array_add(host->orphans, vb_domain_ref(domain));
    g_hash_table_remove(host->by_name, domain->info.name);
    g_hash_table_remove(host->by_uuid, domain->info.uuid);
    VB_EMIT(host, domain_removed, domain);
}

VbDomain *vb_host_domain_by_name(VbHost *host, const char *name)
{
    return g_hash_table_lookup(host->by_name, name);
}

VbDomain *vb_host_domain_by_uuid(VbHost *host, const char *uuid)
{
    g_autofree char *lower = g_ascii_strdown(uuid, -1);
    return g_hash_table_lookup(host->by_uuid, lower);
}

VbDomain *vb_host_domain_by_id(VbHost *host, guint id)
{
    GHashTableIter iter;
    gpointer domain;

    g_hash_table_iter_init(&iter, host->by_uuid);
    while (id != 0 && g_hash_table_iter_next(&iter, NULL, &domain))
        if (((VbDomain *)domain)->info.id == id)
            return domain;
    return NULL;
}

static int compare_uuids(gconstpointer a, gconstpointer b)
{
    return strcmp((*(VbDomain *const *)a)->info.uuid, (*(VbDomain *const *)b)->info.uuid);
}

GPtrArray *vb_host_domains(VbHost *host)
{
    GPtrArray *domains = g_ptr_array_sized_new(g_hash_table_size(host->by_uuid));
    GHashTableIter iter;
    gpointer domain;

    g_hash_table_iter_init(&iter, host->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &domain))
        g_ptr_array_add(domains, domain);
    g_ptr_array_sort(domains, compare_uuids);
    return domains;
}

/* ---- counters: never used twice in a boot -----------------------------------------------------
 */

static char *counters_path(VbHost *host)
{
    return g_build_filename(host->paths->run_dir, "counters", NULL);
}

static void load_counters(VbHost *host)
{
    g_autofree char *path = counters_path(host);
    g_autoptr(GError) error = NULL;

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return;
    g_autoptr(GKeyFile) record = vb_record_read(path, "counters", &error);
    if (!record) {
        vb_store_set_aside(path, error);
        return;
    }
    host->next_job = MAX(1, g_key_file_get_integer(record, "counters", "job", NULL));
    host->next_id = MAX(1, g_key_file_get_integer(record, "counters", "id", NULL));
}

static void save_counters(VbHost *host)
{
    g_autofree char *path = counters_path(host);
    g_autoptr(GKeyFile) record = g_key_file_new();

    g_key_file_set_integer(record, "counters", "version", VB_RECORD_VERSION);
    g_key_file_set_integer(record, "counters", "job", host->next_job);
    g_key_file_set_integer(record, "counters", "id", host->next_id);
    vb_record_write(path, record, NULL, NULL);
}

guint vb_host_take_job_number(VbHost *host)
{
    guint number = host->next_job++;

    save_counters(host);
    return number;
}

guint vb_host_take_id(VbHost *host)
{
    guint id = host->next_id++;

    save_counters(host);
    return id;
}

/* ---- concluded jobs ---------------------------------------------------------------------------
 */

static gboolean on_expiry(gpointer user_data)
{
    VbHost *host = user_data;

    host->expiry_source = 0;
    vb_host_expire_concluded(host);
    return G_SOURCE_REMOVE;
}

void vb_host_expire_concluded(VbHost *host)
{
    gint64 now = g_get_real_time();
    VbJob *oldest;

    /* One whose end nobody has been told stays until vb_host_announce(). */
    while ((oldest = g_queue_peek_head(&host->concluded)) && oldest->announced &&
           (host->concluded.length > CONCLUDED_KEPT ||
            now - oldest->info.end_time >= CONCLUDED_KEPT_US))
        vb_domain_remove_job(oldest->info.domain, oldest);

    g_clear_handle_id(&host->expiry_source, g_source_remove);
    if (!oldest || !host->announced)
        return;
    /* The clock may have been set: never wait longer than a job's whole time. */
    gint64 left = oldest->info.end_time + CONCLUDED_KEPT_US - now;
    left = CLAMP(left, 0, CONCLUDED_KEPT_US);
    host->expiry_source = g_timeout_add(left / 1000 + 1, on_expiry, host);
}

void vb_host_keep_concluded(VbHost *host, VbJob *job)
{
    g_queue_push_tail(&host->concluded, vb_job_ref(job));
    vb_host_expire_concluded(host);
}

void vb_host_forget_concluded(VbHost *host, VbJob *job)
{
    if (g_queue_remove(&host->concluded, job))
        vb_job_unref(job);
}
