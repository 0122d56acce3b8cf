/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbDomain: its definitions, its state, its run-time record and the end of its life. The slot
 * for operations is in domain-operation.c, its jobs in job*.c. See domain.h. */
#include "domain.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "core-private.h"
#include "error.h"
#include "log.h"

static const char *const state_names[] = {
    [VB_DOMAIN_SHUT_OFF] = "shut-off", [VB_DOMAIN_RUNNING] = "running",
    [VB_DOMAIN_PAUSED] = "paused",     [VB_DOMAIN_SHUTTING_DOWN] = "shutting-down",
    [VB_DOMAIN_CRASHED] = "crashed",   [VB_DOMAIN_PM_SUSPENDED] = "pm-suspended",
};
VB_ENUM_DEFINE(VbDomainState, vb_domain_state, state_names)

VbDomain *vb_domain_new(VbHost *host, const VbHostDriver *driver, const char *uuid,
                        const char *name, guint uid)
{
    VbDomain *domain = g_rc_box_new0(VbDomain);

    domain->host = host;
    domain->info.uuid = g_strdup(uuid);
    domain->info.name = g_strdup(name);
    domain->info.driver = driver->ops;
    domain->info.reason = "";
    domain->info.responsive = TRUE;
    domain->info.owner_uid = uid;
    domain->driver_self = driver->self;
    domain->run_dir = vb_paths_domain_run(host->paths, uuid);
    domain->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_unref);
    domain->starting = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_unref);
    domain->cleaning = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_unref);
    domain->start_queue = g_ptr_array_new_with_free_func(g_object_unref);
    g_queue_init(&domain->definition_turns);
    return domain;
}

static void drop_driver_data(VbDomain *domain)
{
    gpointer data = g_steal_pointer(&domain->driver_data);

    if (data && domain->driver_data_destroy)
        domain->driver_data_destroy(data);
}

static void domain_clear(gpointer data)
{
    VbDomain *domain = data;

    drop_driver_data(domain);
    g_clear_handle_id(&domain->poll_source, g_source_remove);
    vb_domain_drop_stored(domain);
    g_clear_pointer(&domain->live, vb_domain_def_unref);
    g_clear_pointer(&domain->live_summary, g_bytes_unref);
    g_ptr_array_unref(domain->jobs);
    g_ptr_array_unref(domain->starting);
    g_ptr_array_unref(domain->cleaning);
    g_ptr_array_unref(domain->start_queue);
    g_queue_clear_full(&domain->definition_turns, g_free);
    g_free((char *)domain->info.uuid);
    g_free((char *)domain->info.name);
    g_free(domain->run_dir);
}

VbDomain *vb_domain_ref(VbDomain *domain)
{
    return g_rc_box_acquire(domain);
}

void vb_domain_unref(VbDomain *domain)
{
    if (domain)
        g_rc_box_release_full(domain, domain_clear);
}

const VbDomainInfo *vb_domain_info(const VbDomain *domain)
{
    return &domain->info;
}

gboolean vb_domain_is_active(const VbDomain *domain)
{
    return domain->live != NULL;
}

VbDomainDef *vb_domain_live_def(VbDomain *domain)
{
    return domain->live;
}

const char *vb_domain_run_dir(const VbDomain *domain)
{
    return domain->run_dir;
}

void vb_domain_set_user_data(VbDomain *domain, gpointer data)
{
    domain->user_data = data;
}

gpointer vb_domain_user_data(const VbDomain *domain)
{
    return domain->user_data;
}

void vb_domain_set_driver_data(VbDomain *domain, gpointer data, GDestroyNotify destroy)
{
    drop_driver_data(domain);
    domain->driver_data = data;
    domain->driver_data_destroy = destroy;
}

gpointer vb_domain_driver_data(const VbDomain *domain)
{
    return domain->driver_data;
}

/* ---- the run-time record ----------------------------------------------------------------------
 */

/* GLib's parser warns of an escape that the end of its line cuts off. */
static gboolean has_cut_escape(const char *contents, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (contents[i] == '\\' && (++i == length || strchr("\r\n", contents[i]) != NULL))
            return TRUE;
    return FALSE;
}

GKeyFile *vb_record_read(const char *path, const char *group, GError **error)
{
    gsize length;
    g_autofree char *contents = vb_store_read(path, VB_RECORD_MAX_SIZE, &length, error);
    g_autoptr(GKeyFile) record = g_key_file_new();

    if (!contents)
        return NULL;
    if (has_cut_escape(contents, length)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "a line ends within an escape");
        return NULL;
    }
    if (!g_key_file_load_from_data(record, contents, length, G_KEY_FILE_NONE, error))
        return NULL;
    int version = g_key_file_get_integer(record, group, "version", error);
    if (version == VB_RECORD_VERSION)
        return g_steal_pointer(&record);
    if (!error || !*error)
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "format version %d is not known", version);
    return NULL;
}

void vb_record_write(const char *path, GKeyFile *record, const char *domain, const char *job)
{
    g_autoptr(GError) error = NULL;
    gsize length;
    g_autofree char *contents = g_key_file_to_data(record, &length, NULL);

    if (!vb_store_write_record(path, contents, length, &error))
        vb_log_warning(domain, job, "%s", error->message);
}

static char *record_path(const VbDomain *domain)
{
    return g_build_filename(domain->run_dir, "domain.record", NULL);
}

static char *live_path(const VbDomain *domain)
{
    return g_build_filename(domain->run_dir, "live.xml", NULL);
}

void vb_domain_save(VbDomain *domain)
{
    g_autoptr(GKeyFile) record = g_key_file_new();
    g_autofree char *path = record_path(domain);
    const VbDomainInfo *info = &domain->info;

    if (!domain->live)
        return;
    g_key_file_set_integer(record, "domain", "version", VB_RECORD_VERSION);
    g_key_file_set_string(record, "domain", "uuid", info->uuid);
    g_key_file_set_string(record, "domain", "driver", info->driver->name);
    g_key_file_set_string(record, "domain", "state", vb_domain_state_to_string(info->state));
    g_key_file_set_string(record, "domain", "reason", info->reason);
    g_key_file_set_uint64(record, "domain", "id", info->id);
    g_key_file_set_uint64(record, "domain", "owner", info->owner_uid);
    g_key_file_set_boolean(record, "domain", "config-pending", info->config_pending);
    g_key_file_set_boolean(record, "domain", "stopping", domain->stopping);
    g_key_file_set_boolean(record, "domain", "started", domain->was_started);
    g_key_file_set_boolean(record, "domain", "ports", domain->ports_open);
    if (info->driver->save)
        info->driver->save(domain->driver_self, domain, record);
    vb_record_write(path, record, info->uuid, NULL);
}

/* For an escape that is none GLib gives both, a value and an error. */
static char *get_string(GKeyFile *record, const char *key, GError **error)
{
    GError *invalid = NULL;
    g_autofree char *value = g_key_file_get_string(record, "domain", key, &invalid);

    if (!invalid)
        return g_steal_pointer(&value);
    g_propagate_error(error, invalid);
    return NULL;
}

gboolean vb_domain_load_record(VbDomain *domain, GKeyFile *record, GError **error)
{
    g_autofree char *state = get_string(record, "state", error);
    g_autofree char *reason = state ? get_string(record, "reason", error) : NULL;

    if (!reason)
        return FALSE;
    if (!vb_domain_state_from_string(state, &domain->info.state)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "state '%s' is not known", state);
        return FALSE;
    }
    domain->info.reason = g_intern_string(reason);
    domain->info.id = g_key_file_get_uint64(record, "domain", "id", NULL);
    domain->info.owner_uid = g_key_file_get_uint64(record, "domain", "owner", NULL);
    domain->info.config_pending = g_key_file_get_boolean(record, "domain", "config-pending", NULL);
    domain->stopping = g_key_file_get_boolean(record, "domain", "stopping", NULL);
    domain->was_started = g_key_file_get_boolean(record, "domain", "started", NULL);
    domain->ports_open = g_key_file_get_boolean(record, "domain", "ports", NULL);
    return TRUE;
}

static void save_live_def(VbDomain *domain)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = live_path(domain);
    g_autofree char *xml = vb_domain_def_format(domain->live, VB_FORMAT_LIVE | VB_FORMAT_SECURE);

    if (!vb_store_write_record(path, xml, strlen(xml), &error))
        vb_log_warning(domain->info.uuid, NULL, "%s", error->message);
}

/* Removes what the life of the domain left below /run; records of jobs that are still shown stay.
 */
static void remove_record(VbDomain *domain)
{
    g_autoptr(GDir) dir = g_dir_open(domain->run_dir, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(domain->run_dir, name, NULL);
        if (!g_str_has_prefix(name, "job-"))
            g_unlink(path);
    }
    g_rmdir(domain->run_dir);
}

void vb_domain_live_def_changed(VbDomain *domain)
{
    if (!domain->live)
        return;
    g_clear_pointer(&domain->live_summary, g_bytes_unref);
    save_live_def(domain);
    VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_DEFINITION);
}

/* ---- life -------------------------------------------------------------------------------------
 */

void vb_domain_begin_life(VbDomain *domain, VbDomainDef *live)
{
    g_assert(!domain->live);
    if (g_mkdir_with_parents(domain->run_dir, 0700) < 0)
        vb_log_warning(domain->info.uuid, NULL, "cannot make the directory %s: %s", domain->run_dir,
                       g_strerror(errno));
    domain->live = live;
    vb_domain_pin_stored(domain);
    domain->info.id = vb_host_take_id(domain->host);
    live->id = domain->info.id;
    domain->stopping = FALSE;
    domain->was_started = FALSE;
    save_live_def(domain);
    vb_domain_save(domain);
}

/* The lifecycle signal that belongs to a change of state; NULL when none does. */
static const char *lifecycle_event(VbDomain *domain, VbDomainState old, VbDomainState new)
{
    if (!domain->was_started)
        return "started";
    switch (new) {
    case VB_DOMAIN_RUNNING:
        return old == VB_DOMAIN_PAUSED || old == VB_DOMAIN_PM_SUSPENDED ? "resumed" : NULL;
    case VB_DOMAIN_PAUSED:
    case VB_DOMAIN_PM_SUSPENDED:
        return "suspended";
    case VB_DOMAIN_SHUTTING_DOWN:
        return "shutdown";
    case VB_DOMAIN_SHUT_OFF:
        return "stopped";
    case VB_DOMAIN_CRASHED:
        return "crashed";
    }
    return NULL;
}

void vb_domain_set_state(VbDomain *domain, VbDomainState state, const char *reason)
{
    VbDomainState old = domain->info.state;
    VbDomainProps props = VB_DOMAIN_PROP_STATE;

    g_return_if_fail(domain->live && state != VB_DOMAIN_SHUT_OFF && state != VB_DOMAIN_CRASHED);
    if (old == state && g_strcmp0(domain->info.reason, reason) == 0)
        return;

    const char *event = lifecycle_event(domain, old, state);
    if (!domain->was_started)
        props |= VB_DOMAIN_PROP_ID;
    domain->was_started = TRUE;
    domain->info.state = state;
    domain->info.reason = g_intern_string(reason);
    vb_domain_save(domain);
    VB_EMIT(domain->host, domain_changed, domain, props);
    if (event && (old != state || g_str_equal(event, "started")))
        vb_domain_lifecycle(domain, event, reason);
}

void vb_domain_lifecycle(VbDomain *domain, const char *event, const char *reason)
{
    vb_log_event(VB_MESSAGE_DOMAIN_LIFECYCLE, G_LOG_LEVEL_INFO, domain->info.uuid, NULL,
                 "domain '%s': %s (%s)", domain->info.name, event, reason);
    VB_EMIT(domain->host, domain_lifecycle, domain, event, reason);
}

void vb_domain_set_responsive(VbDomain *domain, gboolean responsive)
{
    if (domain->info.responsive == responsive)
        return;
    domain->info.responsive = responsive;
    VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_RESPONSIVE);
    if (responsive && domain->replug)
        vb_domain_replug(domain);
}

void vb_domain_set_stopping(VbDomain *domain)
{
    if (domain->stopping)
        return;
    domain->stopping = TRUE;
    vb_domain_save(domain);
}

gboolean vb_domain_is_stopping(const VbDomain *domain)
{
    return domain->stopping;
}

static gboolean has_held_job(const VbDomain *domain)
{
    for (guint i = 0; i < domain->jobs->len; i++) {
        VbJob *job = g_ptr_array_index(domain->jobs, i);
        if (job->held && vb_job_is_live(job))
            return TRUE;
    }
    return FALSE;
}

void vb_domain_check_gone(VbDomain *domain)
{
    if (domain->gone.pending && !has_held_job(domain)) {
        domain->gone.pending = FALSE;
        vb_domain_gone(domain, domain->gone.state, domain->gone.reason);
    }
}

void vb_domain_gone(VbDomain *domain, VbDomainState state, const char *reason)
{
    if (!domain->live || domain->gone.pending)
        return;
    /* A job that ended before its start was answered: the answer comes first (job.h, "held"). */
    if (has_held_job(domain)) {
        domain->gone.pending = TRUE;
        domain->gone.state = state;
        domain->gone.reason = g_intern_string(reason);
        return;
    }

    g_autoptr(VbDomain) keep = vb_domain_ref(domain);
    g_autoptr(GPtrArray) jobs = vb_domain_take_jobs(domain);
    for (guint i = 0; i < jobs->len; i++)
        vb_job_domain_gone(g_ptr_array_index(jobs, i), domain->stopping);
    g_clear_handle_id(&domain->poll_source, g_source_remove);
    domain->unreconciled = FALSE;

    gboolean was_started = domain->was_started;
    VbDomainProps props = VB_DOMAIN_PROP_DEFINITION | vb_domain_close_ports(domain);
    if (!was_started && state == VB_DOMAIN_CRASHED) {
        /* A start that came to nothing. */
        state = VB_DOMAIN_SHUT_OFF;
        reason = "failed";
    }
    if (domain->info.state != state || !g_str_equal(domain->info.reason, reason))
        props |= VB_DOMAIN_PROP_STATE;
    if (was_started)
        props |= VB_DOMAIN_PROP_ID;
    if (domain->info.config_pending)
        props |= VB_DOMAIN_PROP_CONFIG_PENDING;
    if (!domain->info.responsive)
        props |= VB_DOMAIN_PROP_RESPONSIVE;
    g_autoptr(VbDomainDef) live = g_steal_pointer(&domain->live);
    g_clear_pointer(&domain->live_summary, g_bytes_unref);
    /* A transient domain has no other definition: it is read until the object is gone. */
    if (!domain->stored)
        vb_domain_take_stored(domain, g_steal_pointer(&live), NULL);
    domain->info.state = state;
    domain->info.reason = g_intern_string(reason);
    domain->info.id = 0;
    domain->info.config_pending = FALSE;
    domain->info.responsive = TRUE;
    domain->stopping = FALSE;
    domain->was_started = FALSE;
    remove_record(domain);

    VB_EMIT(domain->host, domain_changed, domain, props);
    if (was_started)
        vb_domain_lifecycle(domain, state == VB_DOMAIN_CRASHED ? "crashed" : "stopped", reason);
    if (!domain->info.persistent && !domain->removed)
        vb_host_remove(domain->host, domain);
    /* The driver answers what it still had to do: after everything that became of it. */
    drop_driver_data(domain);
    vb_domain_run_start_queue(domain);
    if (!domain->live)
        vb_domain_unpin_stored(domain);
    vb_host_shutdown_check(domain->host);
}

void vb_domain_set_stored(VbDomain *domain, VbDomainDef *def, const VbStoredForm *form)
{
    VbDomainProps props = VB_DOMAIN_PROP_DEFINITION;

    if (domain->info.persistent != (def != NULL)) {
        domain->info.persistent = def != NULL;
        props |= VB_DOMAIN_PROP_PERSISTENT;
    }
    if (domain->live && def && domain->stored && !domain->info.config_pending) {
        VbStoredForm old = {.digest = domain->stamp.digest};
        if (!old.digest)
            g_free(vb_stored_form(domain->stored, &old));
        if (old.digest != form->digest) {
            domain->info.config_pending = TRUE;
            props |= VB_DOMAIN_PROP_CONFIG_PENDING;
        }
    }
    if (!def && domain->info.config_pending) {
        domain->info.config_pending = FALSE;
        props |= VB_DOMAIN_PROP_CONFIG_PENDING;
    }
    if (def)
        vb_domain_take_stored(domain, def, form);
    else
        vb_domain_drop_stored(domain);
    if (domain->live)
        vb_domain_save(domain);
    VB_EMIT(domain->host, domain_changed, domain, props);
}

typedef struct {
    VbDefinitionFunc func;
    gpointer user_data;
} DefinitionTurn;

void vb_domain_lock_definition(VbDomain *domain, VbDefinitionFunc func, gpointer user_data)
{
    if (domain->definition_locked) {
        DefinitionTurn *turn = g_new(DefinitionTurn, 1);
        *turn = (DefinitionTurn){func, user_data};
        g_queue_push_tail(&domain->definition_turns, turn);
        return;
    }
    domain->definition_locked = TRUE;
    func(user_data);
}

void vb_domain_unlock_definition(VbDomain *domain)
{
    g_autofree DefinitionTurn *turn = g_queue_pop_head(&domain->definition_turns);

    if (turn)
        turn->func(turn->user_data);
    else
        domain->definition_locked = FALSE;
}

void vb_domain_number_images(VbDomain *domain)
{
    gboolean changed = FALSE;

    for (guint i = 0; domain->live && i < domain->live->disks->len; i++) {
        VbDiskDef *disk = g_ptr_array_index(domain->live->disks, i);
        guint highest = 0;
        for (VbDiskSource *image = disk->source; image; image = image->backing)
            highest = MAX(highest, image->index);
        for (VbDiskSource *image = disk->source; image; image = image->backing) {
            if (image->index == 0) {
                image->index = ++highest;
                changed = TRUE;
            }
        }
    }
    if (changed)
        vb_domain_live_def_changed(domain);
}
