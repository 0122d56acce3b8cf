/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * flock() on a file that says who has it. The file stays: to remove it would let two others lock
 * two files of one name. */
#include "run-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"

static int fail(GError **error, const char *what, const char *path)
{
    int saved = errno;

    g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "cannot %s %s: %s", what, path,
                g_strerror(saved));
    return -1;
}

static int fail_taken(GError **error, int fd, const char *run_dir)
{
    char owner[32] = "";
    const char *pid;

    if (pread(fd, owner, sizeof owner - 1, 0) < 0)
        owner[0] = '\0';
    pid = g_strstrip(owner);
    g_set_error(error, VB_ERROR, VB_ERROR_BUSY, "another virtbusd (process %s) uses %s already",
                *pid != '\0' ? pid : "unknown", run_dir);
    return -1;
}

int vb_run_lock_take(const char *run_dir, GError **error)
{
    g_autofree char *path = g_build_filename(run_dir, "virtbusd.lock", NULL);
    vb_autofd int fd = -1;
    char pid[32];

    if (g_mkdir_with_parents(run_dir, 0700) < 0)
        return fail(error, "make the directory", run_dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(error, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? fail_taken(error, fd, run_dir) : fail(error, "lock", path);
    g_snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
        return fail(error, "write", path);
    return vb_steal_fd(&fd);
}
