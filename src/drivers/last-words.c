/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What QEMU, and passt, wrote to their standard output and error: kept beside the run-time record,
 * and quoted when it ended and nobody asked it to. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "vm-private.h"

#define TAIL_SIZE 2048
#define TAIL_LINES 3u

char *vb_qemu_log_path(const VbDomain *domain)
{
    return g_build_filename(vb_domain_run_dir(domain), "qemu.log", NULL);
}

char *vb_qemu_log_tail(const char *path)
{
    vb_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    if (end <= 0)
        return g_strdup("");

    char bytes[TAIL_SIZE];
    ssize_t size = pread(fd, bytes, sizeof bytes, MAX(end - TAIL_SIZE, 0));
    g_autofree char *text = g_utf8_make_valid(bytes, MAX(size, 0));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    guint n = g_strv_length(lines);
    g_autofree char *tail = g_strjoinv("; ", lines + (n > TAIL_LINES ? n - TAIL_LINES : 0));

    /* One line of plain text, whatever a guest made QEMU print. */
    for (char *c = tail; *c; c++)
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    return g_steal_pointer(&tail);
}
