/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one directory that a QEMU can write to, /run/virtbus/qemu/<uuid>: for the sockets that it
 * makes by itself. A QEMU that was taken over may leave there what it likes, so it is removed by
 * descriptor, flat, following nothing, and no more than so much; what is left then is put aside. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"
#include "log.h"
#include "vm-private.h"

#define MAX_ENTRIES 1024u

/* The parent, which is ours alone. */
static int open_parent(const VbPaths *paths)
{
    g_autofree char *path = g_build_filename(paths->run_dir, "qemu", NULL);

    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void empty(int parent, const char *uuid)
{
    int fd = openat(parent, uuid, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (!dir) {
        vb_clear_fd(&fd);
        return;
    }
    for (guint i = 0; i < MAX_ENTRIES && (entry = readdir(dir)); i++)
        if (unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    closedir(dir);
}

void vb_qemu_run_dir_remove(const VbPaths *paths, const char *uuid)
{
    vb_autofd int parent = open_parent(paths);

    if (parent < 0 || unlinkat(parent, uuid, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
    empty(parent, uuid);
    if (unlinkat(parent, uuid, AT_REMOVEDIR) == 0)
        return;
    g_autofree char *aside =
        g_strdup_printf("%s.left-%" G_GINT64_FORMAT, uuid, g_get_monotonic_time());
    vb_log_warning(uuid, NULL, "QEMU left in %s/qemu/%s what no QEMU leaves: put aside as %s",
                   paths->run_dir, uuid, aside);
    renameat(parent, uuid, parent, aside);
}

gboolean vb_qemu_run_dir_make(const VbPaths *paths, const char *uuid, const VbIdentity *identity,
                              GError **error)
{
    vb_autofd int parent = open_parent(paths);

    vb_qemu_run_dir_remove(paths, uuid);
    if (parent >= 0 && mkdirat(parent, uuid, 0700) == 0 &&
        (!identity ||
         fchownat(parent, uuid, identity->uid, identity->gid, AT_SYMLINK_NOFOLLOW) == 0))
        return TRUE;
    return vb_fail(error, VB_ERROR_FAILED, "cannot make the directory %s/qemu/%s: %s",
                   paths->run_dir, uuid, g_strerror(errno));
}
