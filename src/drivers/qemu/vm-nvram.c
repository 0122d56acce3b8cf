/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The making of a UEFI variable store: in a thread, since template and store lie on file systems
 * that may hang, and within the image directories, since whoever named them might not be allowed to
 * read all that we can. */
#include <unistd.h>

#include "error.h"
#include "fd.h"
#include "vm-private.h"

#define MAX_SIZE ((gsize)64 * 1024 * 1024)

typedef struct {
    char *nvram, *template;
    GStrv bounds;
} Making;

static void making_free(gpointer data)
{
    Making *making = data;

    g_free(making->nvram);
    g_free(making->template);
    g_strfreev(making->bounds);
    g_free(making);
}

static GByteArray *read_template(const Making *making, GError **error)
{
    vb_autofd int fd = vb_file_open(making->template, (VbFileBounds)making->bounds, error);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint8 block[64 * 1024];
    ssize_t n = fd < 0 ? -1 : 1;

    while (n > 0 && bytes->len <= MAX_SIZE) {
        n = read(fd, block, sizeof block);
        if (n > 0)
            g_byte_array_append(bytes, block, (guint)n);
    }
    if (n == 0)
        return g_steal_pointer(&bytes);
    if (n > 0)
        vb_fail(error, VB_ERROR_FAILED, "%s is larger than a variable store can be",
                making->template);
    else if (fd >= 0)
        vb_fail(error, VB_ERROR_FAILED, "%s: %s", making->template, g_strerror(errno));
    return NULL;
}

static void make_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    const Making *making = task_data;
    VbFileBounds bounds = (VbFileBounds)making->bounds;
    GError *error = NULL;
    guint64 size;

    if (vb_file_size(making->nvram, bounds, &size, NULL)) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    g_autoptr(GByteArray) bytes = read_template(making, &error);
    if (bytes &&
        vb_file_write_new(making->nvram, bounds, (const char *)bytes->data, bytes->len, &error)) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    g_prefix_error(&error, "the firmware's variable store cannot be made: ");
    g_task_return_error(task, error);
}

void vb_qemu_nvram_make_async(const VbOsDef *os, VbFileBounds bounds, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    Making *making = g_new0(Making, 1);

    g_task_set_source_tag(task, vb_qemu_nvram_make_async);
    making->nvram = g_strdup(os->nvram);
    making->template = g_strdup(os->nvram_template);
    making->bounds = g_strdupv((char **)bounds);
    g_task_set_task_data(task, making, making_free);
    if (making->nvram && making->template)
        g_task_run_in_thread(task, make_thread);
    else
        g_task_return_boolean(task, TRUE);
}

gboolean vb_qemu_nvram_make_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
