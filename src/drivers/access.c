/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbAccess and its grants. A grant is one file, told by device and inode; it has holds (who
 * needs it, under which name, for what), and is settled: as long as what its holds need and what
 * was applied differ, a thread applies it. The main thread alone touches the tables. See access.h.
 */
#include "access.h"

#include <glib/gstdio.h>

#include "error.h"
#include "log.h"
#include "store.h"

#define GROUP "grant"
#define RECORD_VERSION 1
#define RECORD_MAX_SIZE (1024 * 1024)
#define UNKNOWN (-1)

struct VbAccess {
    char *directory;
    VbIdentity *identity;
    GStrv bounds;
    GHashTable *grants; /* key → Grant, owned */
    GPtrArray *looks;   /* of GTask: requests whose file is being looked at; borrowed */
    guint given_back;   /* counts: what was seen before may have rested on what went since */
    guint applications; /* counts: what was seen before may be otherwise since */
    gboolean closed;
};

typedef struct {
    guint owner;
    char *path; /* as it was wished */
    gboolean write;
} Hold;

typedef struct {
    VbAccess *access;
    char *key; /* name of its record */
    VbFileGrant file;
    GPtrArray *holds;   /* of Hold */
    GPtrArray *waiting; /* of GTask: requests that want it settled */
    int applied;        /* permissions; 0: none; UNKNOWN: of an earlier life */
    gboolean busy;      /* there is a thread at it */
} Grant;

static void access_clear(gpointer data)
{
    VbAccess *access = data;

    g_free(access->directory);
    vb_identity_unref(access->identity);
    g_strfreev(access->bounds);
    g_hash_table_unref(access->grants);
    g_ptr_array_unref(access->looks);
}

VbAccess *vb_access_ref(VbAccess *access)
{
    return g_rc_box_acquire(access);
}

void vb_access_unref(VbAccess *access)
{
    if (access)
        g_rc_box_release_full(access, access_clear);
}

static void hold_free(gpointer data)
{
    Hold *hold = data;

    g_free(hold->path);
    g_free(hold);
}

static void grant_free(gpointer data)
{
    Grant *grant = data;

    g_free(grant->key);
    g_free(grant->file.path);
    g_ptr_array_unref(grant->holds);
    g_ptr_array_unref(grant->waiting);
    g_free(grant);
}

/* ---- records ----------------------------------------------------------------------------------
 */

static char *record_path(const Grant *grant)
{
    return g_build_filename(grant->access->directory, grant->key, NULL);
}

static void save(const Grant *grant)
{
    g_autoptr(GKeyFile) record = g_key_file_new();
    g_autofree char *path = record_path(grant);
    g_autoptr(GError) error = NULL;
    gsize length;

    g_key_file_set_integer(record, GROUP, "version", RECORD_VERSION);
    g_key_file_set_string(record, GROUP, "path", grant->file.path);
    g_key_file_set_uint64(record, GROUP, "device", grant->file.device);
    g_key_file_set_uint64(record, GROUP, "inode", grant->file.inode);
    g_key_file_set_uint64(record, GROUP, "uid", grant->file.uid);
    g_key_file_set_integer(record, GROUP, "entry-before", grant->file.before.entry);
    g_key_file_set_integer(record, GROUP, "mask-before", grant->file.before.mask);
    for (guint i = 0; i < grant->holds->len; i++) {
        const Hold *hold = grant->holds->pdata[i];
        g_autofree char *group = g_strdup_printf("hold-%u", i);
        g_key_file_set_uint64(record, group, "owner", hold->owner);
        g_key_file_set_string(record, group, "path", hold->path);
        g_key_file_set_boolean(record, group, "write", hold->write);
    }
    g_autofree char *contents = g_key_file_to_data(record, &length, NULL);
    if (!vb_store_write_record(path, contents, length, &error))
        vb_log_warning(NULL, NULL, "%s", error->message);
}

static Grant *grant_new(VbAccess *access, const VbFileGrant *file)
{
    Grant *grant = g_new0(Grant, 1);

    grant->access = access;
    grant->key = g_strdup_printf("%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x-%u", file->device,
                                 file->inode, (guint)file->uid);
    grant->file = *file;
    grant->file.path = g_strdup(file->path);
    grant->holds = g_ptr_array_new_with_free_func(hold_free);
    grant->waiting = g_ptr_array_new_with_free_func(g_object_unref);
    return grant;
}

static void add_hold(Grant *grant, guint owner, const char *path, gboolean write)
{
    Hold *hold = g_new(Hold, 1);

    *hold = (Hold){owner, g_strdup(path), write};
    g_ptr_array_add(grant->holds, hold);
}

static Grant *parse(VbAccess *access, GKeyFile *record, GError **error)
{
    g_autofree char *path = g_key_file_get_string(record, GROUP, "path", error);

    if (!path)
        return NULL;
    if (g_key_file_get_integer(record, GROUP, "version", NULL) != RECORD_VERSION ||
        !g_path_is_absolute(path)) {
        vb_fail(error, VB_ERROR_FAILED, "it is of an unknown format");
        return NULL;
    }
    VbFileGrant file = {
        .path = path,
        .device = g_key_file_get_uint64(record, GROUP, "device", NULL),
        .inode = g_key_file_get_uint64(record, GROUP, "inode", NULL),
        .uid = (uid_t)g_key_file_get_uint64(record, GROUP, "uid", NULL),
        .before = {g_key_file_get_integer(record, GROUP, "entry-before", NULL),
                   g_key_file_get_integer(record, GROUP, "mask-before", NULL)},
    };
    Grant *grant = grant_new(access, &file);
    g_auto(GStrv) groups = g_key_file_get_groups(record, NULL);
    for (char **group = groups; *group; group++) {
        g_autofree char *name = g_key_file_get_string(record, *group, "path", NULL);
        if (g_str_has_prefix(*group, "hold-") && name)
            add_hold(grant, (guint)g_key_file_get_uint64(record, *group, "owner", NULL), name,
                     g_key_file_get_boolean(record, *group, "write", NULL));
    }
    /* It may be on record and not have been made any more. */
    grant->applied = UNKNOWN;
    return grant;
}

static void load(VbAccess *access)
{
    g_autoptr(GDir) dir = g_dir_open(access->directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(access->directory, name, NULL);
        g_autoptr(GKeyFile) record = g_key_file_new();
        g_autoptr(GError) error = NULL;
        gsize length;
        if (strchr(name, '.'))
            continue; /* set aside, or half-written */
        g_autofree char *contents = vb_store_read(path, RECORD_MAX_SIZE, &length, &error);
        Grant *grant = NULL;
        if (contents &&
            g_key_file_load_from_data(record, contents, length, G_KEY_FILE_NONE, &error))
            grant = parse(access, record, &error);
        if (grant)
            g_hash_table_replace(access->grants, grant->key, grant);
        else
            vb_store_set_aside(path, error);
    }
}

VbAccess *vb_access_new(const char *directory, VbIdentity *identity, VbFileBounds bounds)
{
    VbAccess *access = g_rc_box_new0(VbAccess);

    access->directory = g_strdup(directory);
    access->identity = identity ? vb_identity_ref(identity) : NULL;
    access->bounds = g_strdupv((char **)bounds);
    access->grants = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, grant_free);
    access->looks = g_ptr_array_new();
    if (g_mkdir_with_parents(directory, 0700) < 0)
        vb_log_warning(NULL, NULL, "cannot make the directory %s", directory);
    load(access);
    return access;
}

const VbIdentity *vb_access_identity(const VbAccess *access)
{
    return access->identity;
}

VbFileBounds vb_access_bounds(const VbAccess *access)
{
    return (VbFileBounds)access->bounds;
}

/* ---- settling ---------------------------------------------------------------------------------
 */

typedef struct {
    guint owner;
    VbFileWish wish;
    VbAccess *access;
    guint given_back, applications; /* the access's, when the look began */
    gboolean abandoned;
    VbFileLook look;
} Request;

/* What a thread is told to do to a file. */
typedef struct {
    VbFileGrant file;
    int permissions;
    VbAccess *access;
    gboolean missing;
} Apply;

static void apply_free(gpointer data)
{
    Apply *apply = data;

    g_free(apply->file.path);
    g_free(apply);
}

static void apply_thread(GTask *task, gpointer source, gpointer task_data,
                         GCancellable *cancellable)
{
    Apply *apply = task_data;
    GError *error = NULL;

    if (vb_file_grant_apply(&apply->file, apply->permissions, vb_access_bounds(apply->access),
                            &apply->missing, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static int needed(const Grant *grant)
{
    int permissions = 0;

    for (guint i = 0; i < grant->holds->len; i++)
        permissions |= ((const Hold *)grant->holds->pdata[i])->write ? 6 : 4;
    return permissions;
}

static GPtrArray *take_waiting(Grant *grant)
{
    GPtrArray *waiting = grant->waiting;

    grant->waiting = g_ptr_array_new_with_free_func(g_object_unref);
    return waiting;
}

/* `error` NULL: they have what they asked for. What they do then may be the end of any grant. */
static void answer(GPtrArray *waiting, const GError *error)
{
    for (guint i = 0; i < waiting->len; i++)
        if (error)
            g_task_return_error(waiting->pdata[i], g_error_copy(error));
        else
            g_task_return_boolean(waiting->pdata[i], TRUE);
}

static void forget(Grant *grant)
{
    VbAccess *access = grant->access;
    g_autofree char *path = record_path(grant);

    access->given_back++;
    g_unlink(path);
    g_hash_table_remove(access->grants, grant->key);
}

static void applied(GObject *source, GAsyncResult *result, gpointer data);

/* Frees the grant when nobody needs it any more and nothing is left of it. */
static void settle(Grant *grant)
{
    int permissions = needed(grant);

    if (grant->busy || grant->access->closed)
        return;
    if (permissions == grant->applied) {
        g_autoptr(GPtrArray) waiting = take_waiting(grant);
        if (permissions == 0)
            forget(grant);
        answer(waiting, NULL);
        return;
    }
    Apply *apply = g_new0(Apply, 1);
    apply->file = grant->file;
    apply->file.path = g_strdup(grant->file.path);
    apply->permissions = permissions;
    apply->access = vb_access_ref(grant->access);
    grant->busy = TRUE;
    g_autoptr(GTask) task = g_task_new(NULL, NULL, applied, grant);
    g_task_set_task_data(task, apply, apply_free);
    g_task_run_in_thread(task, apply_thread);
}

/* What was asked for cannot be had: the holds of those who wait go. */
static void drop_waiting(Grant *grant, GPtrArray *waiting)
{
    for (guint w = 0; w < waiting->len; w++) {
        const Request *request = g_task_get_task_data(waiting->pdata[w]);
        for (guint i = grant->holds->len; i > 0; i--) {
            const Hold *hold = grant->holds->pdata[i - 1];
            if (hold->owner == request->owner && g_str_equal(hold->path, request->wish.path))
                g_ptr_array_remove_index(grant->holds, i - 1);
        }
    }
}

static void applied(GObject *source, GAsyncResult *result, gpointer data)
{
    Grant *grant = data;
    const Apply *apply = g_task_get_task_data(G_TASK(result));
    VbAccess *access = apply->access;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) refused = NULL;
    gboolean done = g_task_propagate_boolean(G_TASK(result), &error);

    if (!access->closed) {
        access->applications++;
        grant->busy = FALSE;
        if (!done && apply->permissions != 0) {
            refused = take_waiting(grant);
            drop_waiting(grant, refused);
            save(grant);
        }
        /* What failed is not tried again, unless something else is needed by now. */
        if (done || apply->permissions == 0 || needed(grant) == apply->permissions) {
            /* A file that was deleted has nothing to be taken back from. */
            if (!done && !apply->missing)
                vb_log_warning(NULL, NULL, "the access of user %u to %s stays as it is: %s",
                               (guint)grant->file.uid, grant->file.path, error->message);
            grant->applied = apply->permissions;
        }
        settle(grant);
        if (refused)
            answer(refused, error);
    }
    vb_access_unref(access);
}

/* ---- asking -----------------------------------------------------------------------------------
 */

static void request_free(gpointer data)
{
    Request *request = data;

    g_free(request->wish.path);
    vb_file_look_clear(&request->look);
    vb_access_unref(request->access);
    g_free(request);
}

static void look_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    Request *request = task_data;
    GError *error = NULL;

    vb_file_look_clear(&request->look);
    if (vb_file_look(&request->wish, vb_access_bounds(request->access), request->access->identity,
                     &request->look, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void look(GTask *task);

/* By the books the file is open for the wish, and the request has found it closed. */
static gboolean contradicts(const Grant *grant, const Request *request)
{
    int wished = request->wish.write ? 6 : 4;

    return !request->look.accessible && grant->applied > 0 && (grant->applied & wished) == wished;
}

/* The file is another, which has the inode of one that was deleted; or somebody else closed it. */
static void begin_anew(Grant *grant, const VbFileGrant *file)
{
    g_free(grant->file.path);
    grant->file = *file;
    grant->file.path = g_strdup(file->path);
    grant->applied = UNKNOWN;
}

/* Takes the file on the books for the request. */
static void hold_file(GTask *task)
{
    const Request *request = g_task_get_task_data(task);
    VbAccess *access = request->access;
    VbFileGrant file = {
        .path = request->look.path,
        .device = request->look.device,
        .inode = request->look.inode,
        .uid = access->identity->uid,
        .before = request->look.before,
    };
    Grant *fresh = grant_new(access, &file);
    Grant *grant = g_hash_table_lookup(access->grants, fresh->key);
    Hold *mine = NULL;

    if (!grant && request->look.accessible) {
        grant_free(fresh);
        g_task_return_boolean(task, TRUE);
        return;
    }
    if (grant) {
        grant_free(fresh);
        if (contradicts(grant, request)) {
            if (request->applications != access->applications) { /* or it was opened meanwhile */
                look(task);
                return;
            }
            begin_anew(grant, &file);
        }
    } else {
        grant = fresh;
        g_hash_table_replace(access->grants, grant->key, grant);
    }
    for (guint i = 0; i < grant->holds->len && !mine; i++) {
        Hold *hold = grant->holds->pdata[i];
        if (hold->owner == request->owner && g_str_equal(hold->path, request->wish.path))
            mine = hold;
    }
    if (mine)
        mine->write |= request->wish.write;
    else
        add_hold(grant, request->owner, request->wish.path, request->wish.write);
    save(grant);
    g_ptr_array_add(grant->waiting, g_object_ref(task));
    settle(grant);
}

static void looked(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    const Request *request = g_task_get_task_data(task);
    GError *error = NULL;

    g_ptr_array_remove_fast(request->access->looks, task);
    if (!g_task_propagate_boolean(G_TASK(result), &error))
        g_task_return_error(task, error);
    else if (request->abandoned || request->access->closed ||
             g_cancellable_is_cancelled(g_task_get_cancellable(task)))
        g_task_return_new_error(task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "No longer needed");
    else if (!request->access->identity || request->look.absent)
        g_task_return_boolean(task, TRUE);
    else if (request->given_back != request->access->given_back)
        look(task);
    else
        hold_file(task);
}

static void look(GTask *task)
{
    Request *request = g_task_get_task_data(task);
    g_autoptr(GTask) thread = g_task_new(NULL, NULL, looked, g_object_ref(task));

    request->given_back = request->access->given_back;
    request->applications = request->access->applications;
    g_ptr_array_add(request->access->looks, task);
    g_task_set_task_data(thread, request, NULL);
    g_task_run_in_thread(thread, look_thread);
}

void vb_access_grant_async(VbAccess *access, guint owner, const VbFileWish *wish,
                           GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    Request *request = g_new0(Request, 1);

    g_task_set_source_tag(task, vb_access_grant_async);
    request->owner = owner;
    request->wish = *wish;
    request->wish.path = g_strdup(wish->path);
    request->access = vb_access_ref(access);
    g_task_set_task_data(task, request, request_free);
    if (access->identity || access->bounds)
        look(task);
    else
        g_task_return_boolean(task, TRUE);
}

gboolean vb_access_grant_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- giving back ------------------------------------------------------------------------------
 */

/* Drops or lessens the grant's holds of that owner. TRUE when one was changed. */
static gboolean lessen(Grant *grant, guint owner, GHashTable *needs)
{
    gboolean changed = FALSE;

    for (guint i = grant->holds->len; i > 0; i--) {
        Hold *hold = grant->holds->pdata[i - 1];
        gpointer write = NULL;
        if (hold->owner != owner)
            continue;
        if (!needs || !g_hash_table_lookup_extended(needs, hold->path, NULL, &write)) {
            g_ptr_array_remove_index(grant->holds, i - 1);
            changed = TRUE;
        } else if (hold->write && !GPOINTER_TO_INT(write)) {
            hold->write = FALSE;
            changed = TRUE;
        }
    }
    return changed;
}

/* The names of the grants as they are now: settling one may be the end of another. */
static GStrv list_keys(VbAccess *access)
{
    g_autofree const char **keys =
        (const char **)g_hash_table_get_keys_as_array(access->grants, NULL);

    return g_strdupv((char **)keys);
}

void vb_access_keep_only(VbAccess *access, guint owner, GHashTable *needs)
{
    g_auto(GStrv) keys = list_keys(access);

    for (guint i = 0; i < access->looks->len && !needs; i++) {
        Request *request = g_task_get_task_data(access->looks->pdata[i]);
        request->abandoned |= request->owner == owner;
    }
    for (char **key = keys; *key; key++) {
        Grant *grant = g_hash_table_lookup(access->grants, *key);
        if (!grant || !lessen(grant, owner, needs))
            continue;
        if (needed(grant) != 0)
            save(grant);
        settle(grant);
    }
}

void vb_access_drop_strangers(VbAccess *access, gboolean (*is_owner)(guint owner, gpointer data),
                              gpointer data)
{
    g_auto(GStrv) keys = list_keys(access);

    for (char **key = keys; *key; key++) {
        Grant *grant = g_hash_table_lookup(access->grants, *key);
        for (guint i = grant ? grant->holds->len : 0; i > 0; i--)
            if (!is_owner(((const Hold *)grant->holds->pdata[i - 1])->owner, data))
                g_ptr_array_remove_index(grant->holds, i - 1);
        /* One that is still needed is taken to be there: a running process has its files open. */
        if (grant && grant->holds->len == 0)
            settle(grant);
    }
}

void vb_access_close(VbAccess *access)
{
    g_auto(GStrv) keys = list_keys(access);
    g_autoptr(GError) error =
        g_error_new(G_IO_ERROR, G_IO_ERROR_CANCELLED, "The driver was closed");

    access->closed = TRUE;
    for (char **key = keys; *key; key++) {
        g_autoptr(GPtrArray) waiting = take_waiting(g_hash_table_lookup(access->grants, *key));
        answer(waiting, error);
    }
}
