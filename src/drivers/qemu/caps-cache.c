/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For each path one entry, and while it is being looked up the tasks that wait for it. A lookup is
 * a thread that reads files (the binary's stat, the stored replies), then perhaps a probe, then a
 * thread that stores. The threads touch nothing but their own Lookup.
 *
 * A stored file is a JSON object: "format" (1), "emulator" (its path), "stamp" (which file it was)
 * and "replies" (QEMU's, by query). It is named by the SHA-256 of the path. */
#include "caps-cache.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "caps-probe.h"
#include "error.h"
#include "fd.h"
#include "json-get.h"
#include "json-limits.h"
#include "log.h"
#include "qmp-args.h"

#define FORMAT 1
#define FILE_MAX_SIZE ((goffset)4 * 1024 * 1024)

typedef struct {
    char *stamp; /* NULL, like caps, until the first success */
    VbQemuCaps *caps;
    GPtrArray *waiters; /* GTask; not NULL while a lookup is running */
} Entry;

struct VbCapsCache {
    char *directory;
    VbLaunchBy by;
    GHashTable *entries; /* path → Entry */
    GCancellable *closing;
};

typedef struct {
    VbCapsCache *cache; /* a reference; not for the threads */
    char *emulator;
    char *file;        /* where it is stored */
    char *known_stamp; /* of the capabilities in memory, or NULL */
    char *stamp;       /* of the binary now */
    JsonObject *replies;
    VbQemuCaps *caps;
    char *complaint; /* why the stored file was not used or not written; for the log */
} Lookup;

static void entry_free(gpointer data)
{
    Entry *entry = data;

    g_free(entry->stamp);
    vb_qemu_caps_unref(entry->caps);
    g_free(entry);
}

static void cache_clear(gpointer data)
{
    VbCapsCache *cache = data;

    g_free(cache->directory);
    g_hash_table_unref(cache->entries);
    g_object_unref(cache->closing);
}

static void lookup_clear(gpointer data)
{
    Lookup *lookup = data;

    g_rc_box_release_full(lookup->cache, cache_clear);
    g_free(lookup->emulator);
    g_free(lookup->file);
    g_free(lookup->known_stamp);
    g_free(lookup->stamp);
    g_clear_pointer(&lookup->replies, json_object_unref);
    vb_qemu_caps_unref(lookup->caps);
    g_free(lookup->complaint);
}

static void lookup_unref(gpointer lookup)
{
    g_atomic_rc_box_release_full(lookup, lookup_clear);
}

/* A thread's task that works on the lookup. */
static void run_in_thread(Lookup *lookup, GTaskThreadFunc work, GAsyncReadyCallback callback)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, NULL);

    g_task_set_source_tag(task, run_in_thread);
    g_task_set_task_data(task, g_atomic_rc_box_acquire(lookup), lookup_unref);
    g_task_run_in_thread(task, work);
}

static Lookup *lookup_of(GAsyncResult *result)
{
    return g_task_get_task_data(G_TASK(result));
}

/* -- in the threads */

/* Which file the emulator is; NULL with an error when it is none that could be run. */
static char *stamp_binary(const char *emulator, GError **error)
{
    const char *wrong = NULL;
    struct stat st;

    if (!g_path_is_absolute(emulator))
        wrong = "not an absolute path";
    else if (stat(emulator, &st) < 0)
        wrong = g_strerror(errno);
    else if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111) || access(emulator, X_OK) < 0)
        wrong = "not an executable file";
    if (wrong) {
        g_set_error(error, VB_ERROR, VB_ERROR_HYPERVISOR, "The emulator %s cannot be used: %s",
                    emulator, wrong);
        return NULL;
    }
    return g_strdup_printf("device %ju inode %ju size %jd mtime %jd.%09ld ctime %jd.%09ld",
                           (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
                           (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                           (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* The file's bytes; NULL without an error when it does not exist. */
static char *read_file(const char *path, gsize *ret_size, GError **error)
{
    vb_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    g_autofree char *data = NULL;
    gsize size = 0;
    struct stat st;
    ssize_t n = 0;

    if (fd < 0 && errno == ENOENT)
        return NULL;
    if (fd < 0 || fstat(fd, &st) < 0) {
        g_set_error_literal(error, VB_ERROR, VB_ERROR_FAILED, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_SIZE) {
        g_set_error_literal(error, VB_ERROR, VB_ERROR_FAILED, "not a file of a sensible size");
        return NULL;
    }
    data = g_malloc((gsize)st.st_size + 1);
    while (size < (gsize)st.st_size && (n = read(fd, data + size, (gsize)st.st_size - size)) > 0)
        size += (gsize)n;
    if (n < 0) {
        g_set_error_literal(error, VB_ERROR, VB_ERROR_FAILED, g_strerror(errno));
        return NULL;
    }
    *ret_size = size;
    return g_steal_pointer(&data);
}

gboolean vb_caps_cache_parse(const char *data, gsize size, const char *emulator, const char *stamp,
                             VbQemuCaps **ret_caps, GError **error)
{
    g_autoptr(JsonNode) node = vb_json_parse(data, size, error);
    JsonObject *document = vb_json_node_object(node);
    JsonObject *replies = vb_json_get_object(document, "replies");
    const char *stored_stamp = vb_json_get_string(document, "stamp");
    g_autoptr(VbQemuCaps) caps = NULL;
    gint64 format;

    if (!node)
        return FALSE;
    if (!vb_json_get_int(document, "format", &format) || !stored_stamp || !replies ||
        g_strcmp0(vb_json_get_string(document, "emulator"), emulator) != 0) {
        g_set_error_literal(error, VB_ERROR, VB_ERROR_FAILED, "not a file of capabilities");
        return FALSE;
    }
    if (format == FORMAT && strcmp(stored_stamp, stamp) == 0) {
        caps = vb_qemu_caps_new(replies, error);
        if (!caps)
            return FALSE;
    }
    *ret_caps = g_steal_pointer(&caps);
    return TRUE;
}

static void load_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Lookup *lookup = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    gsize size;

    lookup->stamp = stamp_binary(lookup->emulator, &error);
    if (!lookup->stamp) {
        g_task_return_error(task, g_steal_pointer(&error));
        return;
    }
    if (g_strcmp0(lookup->stamp, lookup->known_stamp) != 0) {
        text = read_file(lookup->file, &size, &error);
        if (error || (text && !vb_caps_cache_parse(text, size, lookup->emulator, lookup->stamp,
                                                   &lookup->caps, &error)))
            lookup->complaint = g_strdup(error->message);
    }
    g_task_return_boolean(task, TRUE);
}

static void store_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Lookup *lookup = data;
    g_autofree char *directory = g_path_get_dirname(lookup->file);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = vb_qmp_args_to_string(
        vb_qmp_args(VB_ARG_INT("format", FORMAT), VB_ARG_STRING("emulator", lookup->emulator),
                    VB_ARG_STRING("stamp", lookup->stamp),
                    VB_ARG_OBJECT("replies", json_object_ref(lookup->replies))));

    if (g_mkdir_with_parents(directory, 0755) < 0)
        lookup->complaint = g_strdup_printf("%s: %s", directory, g_strerror(errno));
    else if (!g_file_set_contents_full(lookup->file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                       &error))
        lookup->complaint = g_strdup(error->message);
    g_task_return_boolean(task, TRUE);
}

/* -- in the main context */

/* Gives everybody the entry's capabilities, or the error. */
static void answer(Lookup *lookup, const GError *error)
{
    Entry *entry = g_hash_table_lookup(lookup->cache->entries, lookup->emulator);
    g_autoptr(GPtrArray) waiters = g_steal_pointer(&entry->waiters);
    g_autoptr(VbQemuCaps) caps = error ? NULL : vb_qemu_caps_ref(entry->caps);

    for (guint i = 0; i < waiters->len; i++) {
        if (error)
            g_task_return_error(waiters->pdata[i], g_error_copy(error));
        else
            g_task_return_pointer(waiters->pdata[i], vb_qemu_caps_ref(caps),
                                  (GDestroyNotify)vb_qemu_caps_unref);
    }
}

static void remember(Lookup *lookup)
{
    Entry *entry = g_hash_table_lookup(lookup->cache->entries, lookup->emulator);

    g_free(entry->stamp);
    entry->stamp = g_strdup(lookup->stamp);
    vb_qemu_caps_unref(entry->caps);
    entry->caps = g_steal_pointer(&lookup->caps);
}

static void on_stored(GObject *source, GAsyncResult *result, gpointer data)
{
    Lookup *lookup = lookup_of(result);

    if (lookup->complaint)
        vb_log_warning(NULL, NULL, "The capabilities of %s cannot be stored: %s", lookup->emulator,
                       lookup->complaint);
    answer(lookup, NULL);
}

static void on_probed(GObject *source, GAsyncResult *result, gpointer data)
{
    Lookup *lookup = data;
    g_autoptr(GError) error = NULL;

    lookup->replies = vb_caps_probe_finish(result, &error);
    if (lookup->replies) {
        lookup->caps = vb_qemu_caps_new(lookup->replies, &error);
        if (!lookup->caps)
            g_prefix_error(&error, "The emulator %s cannot be used: ", lookup->emulator);
    }
    if (lookup->caps) {
        remember(lookup);
        run_in_thread(lookup, store_in_thread, on_stored);
    } else {
        answer(lookup, error);
    }
    lookup_unref(lookup);
}

static void on_loaded(GObject *source, GAsyncResult *result, gpointer data)
{
    Lookup *lookup = lookup_of(result);
    g_autoptr(GError) error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        answer(lookup, error);
        return;
    }
    if (lookup->complaint)
        vb_log_warning(NULL, NULL, "%s is not used, %s is probed again: %s", lookup->file,
                       lookup->emulator, lookup->complaint);
    g_clear_pointer(&lookup->complaint, g_free);
    if (lookup->caps)
        remember(lookup);
    else if (g_strcmp0(lookup->known_stamp, lookup->stamp) != 0) {
        vb_log_info(NULL, NULL, "%s is asked for its capabilities", lookup->emulator);
        vb_caps_probe_async(lookup->emulator, &lookup->cache->by, VB_CAPS_PROBE_TIMEOUT_MS,
                            lookup->cache->closing, on_probed, g_atomic_rc_box_acquire(lookup));
        return;
    }
    answer(lookup, NULL);
}

VbCapsCache *vb_caps_cache_new(const char *directory, const VbLaunchBy *by)
{
    VbCapsCache *cache = g_rc_box_new0(VbCapsCache);

    cache->directory = g_strdup(directory);
    cache->by = by ? *by : vb_launch_by_us;
    cache->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
    cache->closing = g_cancellable_new();
    return cache;
}

void vb_caps_cache_free(VbCapsCache *cache)
{
    if (!cache)
        return;
    g_cancellable_cancel(cache->closing);
    g_rc_box_release_full(cache, cache_clear);
}

static Lookup *lookup_new(VbCapsCache *cache, const char *emulator, const Entry *entry)
{
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, emulator, -1);
    g_autofree char *name = g_strconcat(digest, ".json", NULL);
    Lookup *lookup = g_atomic_rc_box_new0(Lookup);

    lookup->cache = g_rc_box_acquire(cache);
    lookup->emulator = g_strdup(emulator);
    lookup->file = g_build_filename(cache->directory, name, NULL);
    lookup->known_stamp = g_strdup(entry->stamp);
    return lookup;
}

void vb_caps_cache_get_async(VbCapsCache *cache, const char *emulator, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);
    Entry *entry = g_hash_table_lookup(cache->entries, emulator);
    Lookup *lookup;

    g_task_set_source_tag(task, vb_caps_cache_get_async);
    if (!entry) {
        entry = g_new0(Entry, 1);
        g_hash_table_insert(cache->entries, g_strdup(emulator), entry);
    }
    if (entry->waiters) {
        g_ptr_array_add(entry->waiters, task);
        return;
    }
    entry->waiters = g_ptr_array_new_with_free_func(g_object_unref);
    g_ptr_array_add(entry->waiters, task);
    lookup = lookup_new(cache, emulator, entry);
    run_in_thread(lookup, load_in_thread, on_loaded);
    lookup_unref(lookup);
}

VbQemuCaps *vb_caps_cache_get_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

VbQemuCaps *vb_caps_cache_peek(VbCapsCache *cache, const char *emulator)
{
    Entry *entry = g_hash_table_lookup(cache->entries, emulator);

    return entry ? entry->caps : NULL;
}
