/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns how a definition becomes a domain: let the driver complete it, assign addresses, check name
 * and UUID, store durably, announce. Define, create (transient) and redefine all come through here;
 * name and UUID are reserved for as long as one takes. See host.h. */
#include "host.h"

#include "core-private.h"
#include "error.h"

typedef struct {
    VbHost *host;
    VbHostDriver *driver;
    VbDomainDef *def;
    VbDomain *only;    /* redefine: the one domain that it may be */
    VbDomain *domain;  /* the result */
    VbOperation *slot; /* of the domain that is defined again */
    GBytes *contents;  /* of the file that it is to become */
    VbStoredForm form;
    gboolean transient;
    gboolean reserved;
    VbDomainOpFlags flags;
    guint uid;
} Define;

static void define_free(Define *define)
{
    if (define->reserved) {
        g_hash_table_remove(define->host->reserved, define->def->name);
        g_hash_table_remove(define->host->reserved, define->def->uuid);
    }
    if (define->slot)
        vb_domain_release_slot(define->slot);
    g_clear_pointer(&define->def, vb_domain_def_unref);
    g_clear_pointer(&define->contents, g_bytes_unref);
    g_clear_pointer(&define->only, vb_domain_unref);
    g_clear_pointer(&define->domain, vb_domain_unref);
    g_free(define);
}

/* The existing domain that a definition means, in *ret_domain (NULL: a new one). */
static gboolean find_existing(Define *define, VbDomain **ret_domain, GError **error)
{
    const VbDomainDef *def = define->def;
    VbDomain *by_uuid = g_hash_table_lookup(define->host->by_uuid, def->uuid);
    VbDomain *by_name = g_hash_table_lookup(define->host->by_name, def->name);

    if (define->only && (by_uuid != define->only || by_name != define->only)) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "the definition is of domain '%s' (%s), not of '%s' (%s)", def->name, def->uuid,
                    define->only->info.name, define->only->info.uuid);
        return FALSE;
    }
    if (by_uuid != by_name) {
        VbDomain *other = by_uuid ? by_uuid : by_name;
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_EXISTS,
                    "there is a domain '%s' with UUID %s already", other->info.name,
                    other->info.uuid);
        return FALSE;
    }
    if (by_uuid && define->transient) {
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_EXISTS,
                    "domain '%s' exists already: start it instead", def->name);
        return FALSE;
    }
    if (by_uuid && by_uuid->info.driver != define->driver->ops) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "domain '%s' is of driver %s: its type cannot become '%s'", def->name,
                    by_uuid->info.driver->name, vb_domain_type_to_string(def->type));
        return FALSE;
    }
    *ret_domain = by_uuid;
    return TRUE;
}

static gboolean reserve(Define *define, GError **error)
{
    GHashTable *reserved = define->host->reserved;
    const char *name = define->def->name, *uuid = define->def->uuid;

    if (g_hash_table_contains(reserved, name) || g_hash_table_contains(reserved, uuid)) {
        g_set_error(error, VB_ERROR, VB_ERROR_BUSY, "domain '%s' is being defined already", name);
        return FALSE;
    }
    g_hash_table_add(reserved, g_strdup(name));
    g_hash_table_add(reserved, g_strdup(uuid));
    define->reserved = TRUE;
    return TRUE;
}

/* Names and UUIDs are reserved in pairs; one of a domain that is defined again counts twice. */
static gboolean check_room(const Define *define, const VbDomain *existing, GError **error)
{
    VbHost *host = define->host;
    guint n = g_hash_table_size(host->by_uuid) + g_hash_table_size(host->reserved) / 2;

    if (existing == NULL && n >= VB_HOST_DOMAINS_MAX)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED, "there are %d domains already",
                       VB_HOST_DOMAINS_MAX);
    return TRUE;
}

gboolean vb_host_check_size(const char *kind, const char *name, gsize size, GError **error)
{
    if (size > VB_DEFINITION_MAX_SIZE)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED,
                       "the definition of %s '%s', as it is stored, has %" G_GSIZE_FORMAT
                       " bytes, more than %" G_GSIZE_FORMAT,
                       kind, name, size, VB_DEFINITION_MAX_SIZE);
    return TRUE;
}

/* What is checked is what will be written. */
static gboolean format(Define *define, GError **error)
{
    char *xml = vb_stored_form(define->def, &define->form);

    define->contents = g_bytes_new_take(xml, strlen(xml));
    return vb_host_check_size("domain", define->def->name, strlen(xml), error);
}

static VbDomain *new_domain(const Define *define)
{
    return vb_domain_new(define->host, define->driver, define->def->uuid, define->def->name,
                         define->uid);
}

static void created(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Define *define = g_task_get_task_data(task);
    GError *error = NULL;

    /* A transient domain whose start fails is gone by now. */
    if (!vb_domain_operate_finish(define->domain, result, &error)) {
        g_task_return_error(task, error);
        return;
    }
    g_task_return_pointer(task, vb_domain_ref(define->domain), (GDestroyNotify)vb_domain_unref);
}

static void stored(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Define *define = g_task_get_task_data(task);
    VbHost *host = define->host;
    GError *error = NULL;

    gboolean written = vb_store_write_finish(host->store, result, &error);
    /* A transient domain that ended meanwhile is defined anew. */
    gboolean is_new = !define->domain || define->domain->removed;
    if (written && !is_new)
        vb_domain_set_stored(define->domain, vb_domain_def_ref(define->def), &define->form);
    if (define->domain)
        vb_domain_unlock_definition(define->domain);
    g_clear_pointer(&define->slot, vb_domain_release_slot);
    if (!written) {
        g_task_return_error(task, error);
        return;
    }
    vb_host_index_changed(host);
    if (is_new) {
        vb_domain_unref(define->domain);
        define->domain = new_domain(define);
        define->domain->info.persistent = TRUE;
        vb_domain_take_stored(define->domain, vb_domain_def_ref(define->def), &define->form);
        vb_host_insert(host, define->domain);
        VB_EMIT(host, domain_added, define->domain);
    }
    vb_domain_lifecycle(define->domain, "defined", is_new ? "added" : "updated");
    g_task_return_pointer(task, vb_domain_ref(define->domain), (GDestroyNotify)vb_domain_unref);
}

static void write_definition(gpointer user_data)
{
    GTask *task = user_data;
    const Define *define = g_task_get_task_data(task);
    g_autofree char *path = vb_paths_definition(define->host->paths, define->def->uuid);

    vb_store_write_async(define->host->store, path, define->contents, stored, task);
}

static void prepared(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Define *define = g_task_get_task_data(task);
    VbHost *host = define->host;
    VbDomain *existing = NULL;
    GError *error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error) ||
        !vb_domain_def_assign_addresses(define->def, &error) ||
        !find_existing(define, &existing, &error) || !check_room(define, existing, &error) ||
        !format(define, &error) || !reserve(define, &error)) {
        g_task_return_error(task, error);
        return;
    }
    if (define->transient) {
        define->domain = new_domain(define);
        vb_domain_take_stored(define->domain, vb_domain_def_ref(define->def), NULL);
        vb_host_insert(host, define->domain);
        VB_EMIT(host, domain_added, define->domain);
        vb_domain_operate_async(define->domain, VB_DOMAIN_OP_START, define->flags, created,
                                g_steal_pointer(&task));
        return;
    }
    if (existing) {
        define->slot = vb_domain_take_slot(existing, VB_DOMAIN_OP_REDEFINE, &error);
        if (!define->slot) {
            g_task_return_error(task, error);
            return;
        }
        define->domain = vb_domain_ref(existing);
        vb_domain_lock_definition(existing, write_definition, g_steal_pointer(&task));
        return;
    }
    write_definition(g_steal_pointer(&task));
}

/* Takes `def`. */
static void define_async(VbHost *host, VbDomain *only, VbDomainDef *def, gboolean transient,
                         VbDomainOpFlags flags, guint uid, GAsyncReadyCallback callback,
                         gpointer user_data)
{
    /* No cancellable: a definition that is being written is finished. */
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    Define *define = g_new0(Define, 1);

    define->host = host;
    define->def = def;
    define->only = only ? vb_domain_ref(only) : NULL;
    define->transient = transient;
    define->flags = flags;
    define->uid = uid;
    g_task_set_task_data(task, define, (GDestroyNotify)define_free);

    define->driver = vb_host_driver_for(host, define->def->type);
    if (!define->driver) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                                "domain '%s': there is no driver for type '%s'", define->def->name,
                                vb_domain_type_to_string(define->def->type));
        return;
    }
    GTask *prepare = g_task_new(NULL, NULL, prepared, g_steal_pointer(&task));
    define->driver->ops->prepare(define->driver->self, define->def, prepare);
}

void vb_host_define_async(VbHost *host, VbDomainDef *def, guint uid, GAsyncReadyCallback callback,
                          gpointer user_data)
{
    define_async(host, NULL, def, FALSE, VB_DOMAIN_OP_FLAG_NONE, uid, callback, user_data);
}

void vb_host_create_async(VbHost *host, VbDomainDef *def, VbDomainOpFlags flags, guint uid,
                          GAsyncReadyCallback callback, gpointer user_data)
{
    define_async(host, NULL, def, TRUE, flags, uid, callback, user_data);
}

VbDomain *vb_host_define_finish(VbHost *host, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

VbDomain *vb_host_create_finish(VbHost *host, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

void vb_domain_redefine_async(VbDomain *domain, VbDomainDef *def, GAsyncReadyCallback callback,
                              gpointer user_data)
{
    define_async(domain->host, domain, def, FALSE, VB_DOMAIN_OP_FLAG_NONE, domain->info.owner_uid,
                 callback, user_data);
}

gboolean vb_domain_redefine_finish(VbDomain *domain, GAsyncResult *result, GError **error)
{
    g_autoptr(VbDomain) defined = g_task_propagate_pointer(G_TASK(result), error);
    return defined != NULL;
}
