/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns Creation, the making of one image file: first the name, exclusively, in a thread, so that
 * nobody's file is ever overwritten; then the image, by qemu-img. */
#include "image-chain-create.h"

#include "error.h"
#include "fd.h"
#include "image-chain-tool.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- making --------------------------------------------------------------------------------- */

typedef struct {
    VbDiskSource *source;
    char *size;
    char *backing;              /* name for the header, or NULL */
    const char *backing_format; /* static */
    gboolean created;
    GError *error; /* of qemu-img, while the file is removed again */
} Creation;

static void creation_free(Creation *creation)
{
    vb_disk_source_free(creation->source);
    g_free(creation->size);
    g_free(creation->backing);
    g_clear_error(&creation->error);
    g_free(creation);
}

static void creation_undone(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Creation *creation = g_task_get_task_data(task);

    /* That it could not be made is what matters, not that it could not be removed either. */
    vb_image_unlink_finish(result, NULL);
    g_task_return_error(task, g_steal_pointer(&creation->error));
}

static void creation_written(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Creation *creation = g_task_get_task_data(task);
    const char *paths[] = {creation->source->path, NULL};
    g_autoptr(GBytes) output = vb_image_tool_finish(result, &creation->error);

    if (output) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    g_prefix_error(&creation->error, "image %s cannot be made: ", creation->source->path);
    if (creation->created)
        vb_image_unlink_async(paths, creation_undone, g_object_ref(task));
    else
        g_task_return_error(task, g_steal_pointer(&creation->error));
}

/* TRUE when `path` is a new file of ours, or an empty one that was there. */
static gboolean claim_name(const char *path, gboolean *ret_created, GError **error)
{
    vb_autofd int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    struct stat info;

    if (fd >= 0) {
        *ret_created = TRUE;
        return TRUE;
    }
    if (errno != EEXIST) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "image %s cannot be made: %s", path,
                    g_strerror(errno));
        return FALSE;
    }
    if (stat(path, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > 0) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "%s exists already; it is used as it is with reuse-external only", path);
        return FALSE;
    }
    *ret_created = FALSE;
    return TRUE;
}

static void claim_thread(GTask *task, gpointer source, gpointer task_data,
                         GCancellable *cancellable)
{
    const char *path = task_data;
    gboolean created;
    GError *error = NULL;

    if (claim_name(path, &created, &error))
        g_task_return_int(task, created);
    else
        g_task_return_error(task, error);
}

static void creation_claimed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Creation *creation = g_task_get_task_data(task);
    const char *format = vb_disk_format_to_string(creation->source->format);
    const char *path = creation->source->path;
    GError *error = NULL;
    gssize created = g_task_propagate_int(G_TASK(result), &error);

    if (created < 0) {
        g_task_return_error(task, error);
        return;
    }
    creation->created = created > 0;

    const char *plain[] = {"create", "-q", "-f", format, path, creation->size, NULL};
    /* -u: the backing image is in use, and need not be opened to be named. */
    const char *stacked[] = {"create",
                             "-q",
                             "-f",
                             format,
                             "-u",
                             "-b",
                             creation->backing,
                             "-F",
                             creation->backing_format,
                             path,
                             creation->size,
                             NULL};
    vb_image_tool_async(creation->backing ? stacked : plain, g_task_get_cancellable(task),
                        creation_written, g_object_ref(task));
}

void vb_image_create_async(const VbDiskSource *source, guint64 size, const VbDiskSource *backing,
                           GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);
    Creation *creation = g_new0(Creation, 1);

    g_task_set_source_tag(task, vb_image_create_async);
    g_task_set_check_cancellable(task, FALSE); /* what was made is always told */
    creation->source = vb_disk_source_copy(source);
    creation->size = g_strdup_printf("%" G_GUINT64_FORMAT, size);
    if (backing) {
        creation->backing = vb_disk_source_to_string(backing);
        creation->backing_format = vb_disk_format_to_string(backing->format);
    }
    g_task_set_task_data(task, creation, (GDestroyNotify)creation_free);

    /* Without the cancellable: what was done in the thread must be known. */
    g_autoptr(GTask) claim = g_task_new(NULL, NULL, creation_claimed, task);
    g_task_set_task_data(claim, g_strdup(source->path), g_free);
    g_task_run_in_thread(claim, claim_thread);
}

gboolean vb_image_create_finish(GAsyncResult *result, gboolean *ret_created, GError **error)
{
    const Creation *creation = g_task_get_task_data(G_TASK(result));

    if (!g_task_propagate_boolean(G_TASK(result), error))
        return FALSE;
    *ret_created = creation->created;
    return TRUE;
}

/* ---- removing ------------------------------------------------------------------------------- */

static void unlink_thread(GTask *task, gpointer source, gpointer task_data,
                          GCancellable *cancellable)
{
    GError *error = NULL;

    for (char **path = task_data; *path; path++)
        if (unlink(*path) < 0 && errno != ENOENT && !error)
            error = g_error_new(VB_ERROR, VB_ERROR_FAILED, "%s cannot be removed: %s", *path,
                                g_strerror(errno));
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
}

void vb_image_unlink_async(const char *const *paths, GAsyncReadyCallback callback,
                           gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);

    g_task_set_source_tag(task, vb_image_unlink_async);
    g_task_set_task_data(task, g_strdupv((char **)paths), (GDestroyNotify)g_strfreev);
    g_task_run_in_thread(task, unlink_thread);
}

gboolean vb_image_unlink_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
