/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A unix socket's address holds 107 bytes of path. Where the directory's own is longer, it is gone
 * through as /proc/self/fd/<n>, which is always short. */
#include "vm-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "error.h"
#include "fd.h"

#define SOCKET_NAME "monitor.sock"

/* Opens the directory into *ret_dir, which has to stay open for as long as the address is used. */
static gboolean make_address(const char *run_dir, int *ret_dir, struct sockaddr_un *ret_address,
                             GError **error)
{
    vb_autofd int dir = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "Cannot open the directory %s: %s", run_dir,
                    g_strerror(errno));
        return FALSE;
    }

    g_autofree char *path = g_build_filename(run_dir, SOCKET_NAME, NULL);
    if (strlen(path) >= sizeof ret_address->sun_path) {
        g_free(path);
        path = g_strdup_printf("/proc/self/fd/%d/" SOCKET_NAME, dir);
    }
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    g_strlcpy(ret_address->sun_path, path, sizeof ret_address->sun_path);
    *ret_dir = vb_steal_fd(&dir);
    return TRUE;
}

int vb_qemu_socket_listen(const char *run_dir, GError **error)
{
    struct sockaddr_un address;
    vb_autofd int dir = -1;
    if (!make_address(run_dir, &dir, &address, error))
        return -1;

    unlinkat(dir, SOCKET_NAME, 0);
    vb_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 4) != 0) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "Cannot make the monitor's socket in %s: %s",
                    run_dir, g_strerror(errno));
        return -1;
    }
    return vb_steal_fd(&fd);
}

int vb_qemu_socket_connect(const char *run_dir, GError **error)
{
    struct sockaddr_un address;
    vb_autofd int dir = -1;
    if (!make_address(run_dir, &dir, &address, error))
        return -1;

    vb_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        g_set_error(error, VB_ERROR, VB_ERROR_TIMEOUT, "Cannot connect to the monitor in %s: %s",
                    run_dir, g_strerror(errno));
        return -1;
    }
    return vb_steal_fd(&fd);
}
