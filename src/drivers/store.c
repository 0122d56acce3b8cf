/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the writer thread: the only one, so that writes happen in the order they were given, and the
 * main loop never waits for a disk. See store.h. */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "error.h"
#include "fd.h"

#define TREE_MAX_DEPTH 8 /* deeper ones are not ours */
#define NS_PER_SEC G_GINT64_CONSTANT(1000000000)
#define SETTLED_NS (2 * NS_PER_SEC) /* the coarsest clock of a file system */

struct VbStore {
    GThread *writer;
    GAsyncQueue *tasks; /* of Write; the store itself is the last, which ends the thread */
};

typedef struct {
    char *path;
    GBytes *contents; /* NULL removes the file */
} Write;

static void write_free(Write *write)
{
    g_free(write->path);
    g_clear_pointer(&write->contents, g_bytes_unref);
    g_free(write);
}

static gboolean fail(GError **error, const char *what, const char *path)
{
    int saved = errno;
    g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "cannot %s %s: %s", what, path,
                g_strerror(saved));
    return FALSE;
}

static gboolean write_all(int fd, const char *data, gsize length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FALSE;
        data += n;
        length -= n;
    }
    return TRUE;
}

static gboolean sync_directory_of(const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    vb_autofd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return fail(error, "sync the directory", directory);
    return TRUE;
}

/* Writes beside the file and renames over it, so that a reader finds the old or the new contents.
 */
static gboolean replace_file(const char *path, const char *data, gsize length, gboolean durable,
                             GError **error)
{
    g_autofree char *beside = g_strconcat(path, ".new", NULL);
    vb_autofd int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return fail(error, "write", path);
    if (!write_all(fd, data, length) || (durable && fsync(fd) < 0) || rename(beside, path) < 0) {
        fail(error, "write", path);
        unlink(beside);
        return FALSE;
    }
    return !durable || sync_directory_of(path, error);
}

static gboolean remove_file(const char *path, GError **error)
{
    if (unlink(path) < 0) {
        if (errno == ENOENT)
            return TRUE;
        return fail(error, "remove", path);
    }
    return sync_directory_of(path, error);
}

static void run_write(GTask *task)
{
    Write *write = g_task_get_task_data(task);
    GError *error = NULL;
    gboolean done;

    if (write->contents) {
        gsize length;
        const char *bytes = g_bytes_get_data(write->contents, &length);
        done = replace_file(write->path, bytes, length, TRUE, &error);
    } else {
        done = remove_file(write->path, &error);
    }
    if (done)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static gpointer run_writes(gpointer data)
{
    VbStore *store = data;
    gpointer next;

    while ((next = g_async_queue_pop(store->tasks)) != store) {
        g_autoptr(GTask) task = next;
        run_write(task);
    }
    return NULL;
}

VbStore *vb_store_new(void)
{
    VbStore *store = g_new0(VbStore, 1);

    store->tasks = g_async_queue_new();
    store->writer = g_thread_new("writer", run_writes, store);
    return store;
}

void vb_store_free(VbStore *store)
{
    if (!store)
        return;
    g_async_queue_push(store->tasks, store);
    g_thread_join(store->writer);
    g_async_queue_unref(store->tasks);
    g_free(store);
}

void vb_store_write_async(VbStore *store, const char *path, GBytes *contents,
                          GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: half a write helps nobody. */
    GTask *task = g_task_new(NULL, NULL, callback, user_data);
    Write *write = g_new0(Write, 1);

    write->path = g_strdup(path);
    write->contents = contents ? g_bytes_ref(contents) : NULL;
    g_task_set_source_tag(task, vb_store_write_async);
    g_task_set_task_data(task, write, (GDestroyNotify)write_free);
    g_async_queue_push(store->tasks, task);
}

gboolean vb_store_write_finish(VbStore *store, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

gboolean vb_store_write_record(const char *path, const char *contents, gsize length, GError **error)
{
    return replace_file(path, contents, length, FALSE, error);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static gint64 to_ns(const struct timespec *time)
{
    return (gint64)time->tv_sec * NS_PER_SEC + time->tv_nsec;
}

static VbFileStamp stamp_of(const struct stat *st, gint64 seen)
{
    return (VbFileStamp){
        .inode = st->st_ino,
        .size = st->st_size,
        .mtime = to_ns(&st->st_mtim),
        .ctime = to_ns(&st->st_ctim),
        .seen = seen,
    };
}

static gint64 now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return to_ns(&now);
}

/* `fd` stays the caller's. */
static char *read_regular(int fd, const char *path, gsize limit, const struct stat *st,
                          gsize *ret_length, GError **error)
{
    if (!S_ISREG(st->st_mode) || (gsize)st->st_size > limit) {
        g_set_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED,
                    "%s is not a regular file of at most %" G_GSIZE_FORMAT " bytes", path, limit);
        return NULL;
    }

    g_autofree char *contents = g_malloc(st->st_size + 1);
    gsize have = 0;
    while (have < (gsize)st->st_size) {
        ssize_t n = read(fd, contents + have, st->st_size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail(error, "read", path);
            return NULL;
        }
        if (n == 0)
            break;
        have += n;
    }
    contents[have] = '\0';
    *ret_length = have;
    return g_steal_pointer(&contents);
}

char *vb_store_read_stamped(const char *path, gsize limit, gsize *ret_length,
                            VbFileStamp *ret_stamp, GError **error)
{
    /* The stamp is of before: what changes from now on looks different. */
    gint64 seen = now_ns();
    vb_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        fail(error, "read", path);
        return NULL;
    }
    char *contents = read_regular(fd, path, limit, &st, ret_length, error);
    if (contents == NULL)
        return NULL;
    *ret_stamp = stamp_of(&st, seen);
    ret_stamp->digest = vb_store_digest(contents, *ret_length);
    return contents;
}

char *vb_store_read(const char *path, gsize limit, gsize *ret_length, GError **error)
{
    VbFileStamp stamp;
    gsize length;
    char *contents = vb_store_read_stamped(path, limit, &length, &stamp, error);

    if (contents != NULL && ret_length != NULL)
        *ret_length = length;
    return contents;
}

gboolean vb_store_stat(int directory, const char *path, VbFileStamp *ret_stamp)
{
    struct stat st;

    if (fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return FALSE;
    *ret_stamp = stamp_of(&st, 0);
    return TRUE;
}

gboolean vb_file_stamp_is_settled(const VbFileStamp *stamp)
{
    gint64 last = MAX(stamp->mtime, stamp->ctime);

    return last < G_MAXINT64 - SETTLED_NS && last + SETTLED_NS < stamp->seen;
}

gboolean vb_file_stamp_is_same(const VbFileStamp *then, const VbFileStamp *now)
{
    return then->inode == now->inode && then->size == now->size && then->mtime == now->mtime &&
           then->ctime == now->ctime;
}

/* A multiplication for each eight bytes: 10,000 definitions take a few milliseconds. */
guint64 vb_store_digest(gconstpointer data, gsize length)
{
    const guint64 odd = G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    const char *bytes = data;
    guint64 digest = length * odd;

    for (gsize at = 0; at < length; at += sizeof(guint64)) {
        guint64 word = 0;

        memcpy(&word, bytes + at, MIN(sizeof word, length - at));
        digest = (digest ^ word) * odd;
        digest ^= digest >> 29;
    }
    return digest != 0 ? digest : 1;
}

void vb_store_set_aside(const char *path, const GError *why)
{
    g_autofree char *aside = g_strconcat(path, ".broken", NULL);

    g_message("%s cannot be used and is set aside as %s: %s", path, aside, why->message);
    vb_store_remove_tree(aside); /* an earlier one; no directory is renamed over another */
    if (g_rename(path, aside) < 0)
        g_message("cannot rename %s: %s", path, g_strerror(errno));
}

/* By descriptors, so that nobody who may write there can lead it elsewhere. */
static gboolean remove_at(int parent, const char *name, guint depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return TRUE;
    if (depth == TREE_MAX_DEPTH || (errno != EISDIR && errno != EPERM))
        return FALSE;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        vb_clear_fd(&fd);
        return FALSE;
    }
    const struct dirent *entry;
    gboolean removed = TRUE;
    while (removed && (entry = readdir(dir)))
        if (!g_str_equal(entry->d_name, ".") && !g_str_equal(entry->d_name, ".."))
            removed = remove_at(fd, entry->d_name, depth + 1);
    removed = removed && unlinkat(parent, name, AT_REMOVEDIR) == 0;
    int saved = errno;
    closedir(dir);
    errno = saved;
    return removed;
}

void vb_store_remove_tree(const char *path)
{
    if (!remove_at(AT_FDCWD, path, 0))
        g_message("cannot remove %s: %s", path, g_strerror(errno));
}
