/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbFileWatch, and the inotify instance that they share: it is there while there is one of
 * them. See file-watch.h. */
#include "file-watch.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>

#include "error.h"
#include "fd.h"

struct VbFileWatch {
    int directory; /* the kernel's number; the same for all watches of one directory */
    char *name;
    VbFileWritten written;
    gpointer user_data;
};

static struct {
    int fd;
    GSource *source;
    GPtrArray *watches;
} shared = {.fd = -1};

/* NULL: any of that directory. */
static VbFileWatch *find(int directory, const char *name)
{
    for (guint i = 0; shared.watches && i < shared.watches->len; i++) {
        VbFileWatch *watch = shared.watches->pdata[i];

        if (watch->directory == directory && (!name || g_str_equal(watch->name, name)))
            return watch;
    }
    return NULL;
}

/* Each may free any. */
static void tell_all(void)
{
    g_autoptr(GPtrArray) watches = g_ptr_array_copy(shared.watches, NULL, NULL);

    for (guint i = 0; i < watches->len; i++) {
        VbFileWatch *watch = watches->pdata[i];

        if (shared.watches && g_ptr_array_find(shared.watches, watch, NULL))
            watch->written(watch->user_data);
    }
}

static gboolean on_events(int fd, GIOCondition condition, gpointer data)
{
    char bytes[16 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size = read(fd, bytes, sizeof bytes);

    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const struct inotify_event *)(gpointer)(bytes + at);
        VbFileWatch *watch = event->len > 0 ? find(event->wd, event->name) : NULL;

        at += (ssize_t)(sizeof *event + event->len);
        if (watch)
            watch->written(watch->user_data);
        else if (event->mask & IN_Q_OVERFLOW && shared.watches)
            tell_all();
    }
    return G_SOURCE_CONTINUE;
}

static gboolean open_shared(void)
{
    shared.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (shared.fd < 0)
        return FALSE;
    shared.watches = g_ptr_array_new();
    shared.source = g_unix_fd_source_new(shared.fd, G_IO_IN);
    g_source_set_callback(shared.source, G_SOURCE_FUNC(on_events), NULL, NULL);
    g_source_attach(shared.source, g_main_context_get_thread_default());
    return TRUE;
}

static void close_shared(void)
{
    g_source_destroy(shared.source);
    g_clear_pointer(&shared.source, g_source_unref);
    g_clear_pointer(&shared.watches, g_ptr_array_unref);
    vb_clear_fd(&shared.fd);
}

VbFileWatch *vb_file_watch_new(const char *path, VbFileWritten written, gpointer user_data,
                               GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    int number = -1;

    if (shared.fd >= 0 || open_shared())
        number = inotify_add_watch(shared.fd, directory, IN_CLOSE_WRITE | IN_ONLYDIR);
    if (number < 0) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "Cannot watch %s: %s", directory,
                    g_strerror(errno));
        if (shared.fd >= 0 && shared.watches->len == 0)
            close_shared();
        return NULL;
    }
    VbFileWatch *watch = g_new0(VbFileWatch, 1);
    watch->directory = number;
    watch->name = g_path_get_basename(path);
    watch->written = written;
    watch->user_data = user_data;
    g_assert(!find(number, watch->name));
    g_ptr_array_add(shared.watches, watch);
    return watch;
}

void vb_file_watch_free(VbFileWatch *watch)
{
    if (!watch)
        return;
    g_ptr_array_remove_fast(shared.watches, watch);
    if (!find(watch->directory, NULL))
        inotify_rm_watch(shared.fd, watch->directory);
    if (shared.watches->len == 0)
        close_shared();
    g_free(watch->name);
    g_free(watch);
}
