/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a program wrote to its standard output and error before it ended, short enough to be quoted.
 * See launcher.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "launcher.h"

#define TAIL_SIZE 2048
#define TAIL_LINES 3u

char *vb_last_words_format(const char *bytes, gsize size)
{
    gsize skipped = size > TAIL_SIZE ? size - TAIL_SIZE : 0;
    g_autofree char *text = g_utf8_make_valid(bytes + skipped, (gssize)(size - skipped));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    guint n = g_strv_length(lines);
    char *tail = g_strjoinv("; ", lines + (n > TAIL_LINES ? n - TAIL_LINES : 0));

    /* Plain text, whatever a guest made QEMU print. */
    for (char *c = tail; *c; c++)
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    return tail;
}

char *vb_last_words_read(const char *path)
{
    vb_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    char bytes[TAIL_SIZE];
    ssize_t size = end > 0 ? pread(fd, bytes, sizeof bytes, MAX(end - TAIL_SIZE, 0)) : 0;

    return vb_last_words_format(bytes, (gsize)MAX(size, 0));
}

char *vb_last_words_take(int pipe)
{
    struct pollfd ready = {.fd = pipe, .events = POLLIN};
    g_autoptr(GByteArray) words = g_byte_array_new();
    guint8 bytes[TAIL_SIZE];
    ssize_t size = 0;

    /* A pipe holds so much; whoever still writes is not waited for. */
    for (guint i = 0; i < 32 && poll(&ready, 1, 0) > 0; i++) {
        size = read(pipe, bytes, sizeof bytes);
        if (size <= 0)
            break;
        g_byte_array_append(words, bytes, (guint)size);
    }
    return vb_last_words_format(words->len > 0 ? (const char *)words->data : "", words->len);
}
