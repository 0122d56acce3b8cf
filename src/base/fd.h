/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * File descriptors with an owner: `vb_autofd int fd = -1;` is closed at the end of its scope. */
#pragma once

#include <errno.h>
#include <glib.h>
#include <unistd.h>

/* Closes *fd when it is open and sets it to -1; keeps errno. */
static inline void vb_clear_fd(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
        *fd = -1;
    }
}

/* Hands the descriptor over: returns it and leaves -1. */
static inline int vb_steal_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#define vb_autofd __attribute__((cleanup(vb_clear_fd)))
