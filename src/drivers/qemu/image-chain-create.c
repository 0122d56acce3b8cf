/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns Creation, the making of one image file: first the name, exclusively, in a thread, so that
 * nobody's file is ever overwritten; then the image, by qemu-img. */
#include "image-chain-create.h"

#include "error.h"
#include "fd.h"
#include "image-chain-tool.h"

/* ---- making --------------------------------------------------------------------------------- */

typedef struct {
    VbDiskSource *source;
    const VbImageGate *gate;
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

static VbFileBounds creation_bounds(const Creation *creation)
{
    return creation->gate ? creation->gate->bounds : NULL;
}

/* Takes the error. What was made for it is removed again. */
static void creation_fail(GTask *task, GError *error)
{
    Creation *creation = g_task_get_task_data(task);
    const char *paths[] = {creation->source->path, NULL};

    creation->error = error;
    g_prefix_error(&creation->error, "image %s cannot be made: ", creation->source->path);
    if (creation->created)
        vb_image_unlink_async(paths, creation_bounds(creation), creation_undone,
                              g_object_ref(task));
    else
        g_task_return_error(task, g_steal_pointer(&creation->error));
}

static void creation_written(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    g_autoptr(GBytes) output = vb_image_tool_finish(result, &error);

    if (output)
        g_task_return_boolean(task, TRUE);
    else
        creation_fail(task, error);
}

static void creation_write(GTask *task)
{
    const Creation *creation = g_task_get_task_data(task);
    const char *format = vb_disk_format_to_string(creation->source->format);
    const char *path = creation->source->path;
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
    vb_image_tool_async(creation->backing ? stacked : plain,
                        creation->gate ? &creation->gate->by : NULL, g_task_get_cancellable(task),
                        creation_written, g_object_ref(task));
}

static void creation_admitted(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;

    if (g_task_propagate_boolean(G_TASK(result), &error))
        creation_write(task);
    else
        creation_fail(task, error);
}

/* Returns whether `path` is a new file of ours rather than an empty one that was there. */
static void claim_thread(GTask *task, gpointer source, gpointer task_data,
                         GCancellable *cancellable)
{
    const Creation *creation = task_data;
    const char *path = creation->source->path;
    VbFileBounds bounds = creation_bounds(creation);
    g_autoptr(GError) error = NULL;
    gboolean exists;
    guint64 size;
    vb_autofd int fd = vb_file_create(path, bounds, &exists, &error);

    if (fd >= 0)
        g_task_return_int(task, TRUE);
    else if (!exists)
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_FAILED, "image %s cannot be made: %s",
                                path, error->message);
    else if (vb_file_size(path, bounds, &size, NULL) && size == 0)
        g_task_return_int(task, FALSE);
    else
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_INVALID_ARGS,
                                "%s exists already; it is used as it is with reuse-external only",
                                path);
}

static void creation_claimed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Creation *creation = g_task_get_task_data(task);
    GError *error = NULL;
    gssize created = g_task_propagate_int(G_TASK(result), &error);

    if (created < 0) {
        g_task_return_error(task, error);
        return;
    }
    creation->created = created > 0;
    if (creation->gate)
        creation->gate->admit(creation->gate->self, creation->source, TRUE,
                              g_task_new(NULL, NULL, creation_admitted, g_object_ref(task)));
    else
        creation_write(task);
}

void vb_image_create_async(const VbDiskSource *source, guint64 size, const VbDiskSource *backing,
                           const VbImageGate *gate, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);
    Creation *creation = g_new0(Creation, 1);

    g_task_set_source_tag(task, vb_image_create_async);
    g_task_set_check_cancellable(task, FALSE); /* what was made is always told */
    creation->source = vb_disk_source_copy(source);
    creation->gate = gate;
    creation->size = g_strdup_printf("%" G_GUINT64_FORMAT, size);
    if (backing) {
        creation->backing = vb_disk_source_to_string(backing);
        creation->backing_format = vb_disk_format_to_string(backing->format);
    }
    g_task_set_task_data(task, creation, (GDestroyNotify)creation_free);

    /* Without the cancellable: what was done in the thread must be known. */
    g_autoptr(GTask) claim = g_task_new(NULL, NULL, creation_claimed, task);
    g_task_set_task_data(claim, creation, NULL); /* the task, which waits for it, has it */
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

typedef struct {
    GStrv paths, bounds;
} Removal;

static void removal_free(gpointer data)
{
    Removal *removal = data;

    g_strfreev(removal->paths);
    g_strfreev(removal->bounds);
    g_free(removal);
}

static void unlink_thread(GTask *task, gpointer source, gpointer task_data,
                          GCancellable *cancellable)
{
    const Removal *removal = task_data;
    GError *error = NULL;

    for (char **path = removal->paths; *path; path++)
        vb_file_unlink(*path, (VbFileBounds)removal->bounds, error ? NULL : &error);
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
}

void vb_image_unlink_async(const char *const *paths, VbFileBounds bounds,
                           GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    Removal *removal = g_new0(Removal, 1);

    removal->paths = g_strdupv((char **)paths);
    removal->bounds = g_strdupv((char **)bounds);
    g_task_set_source_tag(task, vb_image_unlink_async);
    g_task_set_task_data(task, removal, removal_free);
    g_task_run_in_thread(task, unlink_thread);
}

gboolean vb_image_unlink_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
