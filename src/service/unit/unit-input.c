/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See unit-input.h. */
#include "unit-input.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "error.h"
#include "fd.h"
#include "launch-fds.h"

static GByteArray *make_bytes(const VbLaunchSpec *spec)
{
    GByteArray *bytes = g_byte_array_new();
    const guint8 version = VB_LAUNCH_VERSION;

    g_byte_array_append(bytes, &version, 1);
    for (gsize i = 0; spec->env[i] != NULL; i++)
        g_byte_array_append(bytes, (const guint8 *)spec->env[i], strlen(spec->env[i]) + 1);
    return bytes;
}

static gboolean put(int socket, const VbLaunchSpec *spec)
{
    g_autoptr(GByteArray) bytes = make_bytes(spec);
    struct iovec iov = {bytes->data, bytes->len};
    g_autofree struct cmsghdr *control = NULL;
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (bytes->len > VB_LAUNCH_SIZE_MAX || spec->n_fds > VB_LAUNCH_FDS_MAX) {
        errno = E2BIG;
        return FALSE;
    }
    if (spec->n_fds > 0) {
        gsize length = spec->n_fds * sizeof(int);

        message.msg_controllen = CMSG_SPACE(length);
        message.msg_control = control = g_malloc0(message.msg_controllen);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(length);
        memcpy(CMSG_DATA(control), spec->fds, length);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)bytes->len;
}

int vb_unit_input_new(const VbLaunchSpec *spec, GError **error)
{
    int ends[2] = {-1, -1};
    gboolean made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
    vb_autofd int ours = ends[0];
    vb_autofd int theirs = ends[1];

    if (made && put(ours, spec))
        return vb_steal_fd(&theirs);
    vb_fail(error, VB_ERROR_FAILED, "Cannot hand over descriptors: %s", g_strerror(errno));
    return -1;
}
