/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options of a method: the input is the body of a call with the signature a{sv}, as it comes
 * over the socket. sd-bus checks a body only as it is read, so all of it reaches the parser. */
#include "options.h"

#include <endian.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"

#define MAX_SIZE (64u * 1024) /* what the socket takes at once */

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* A method call up to its body, as in the D-Bus specification: the fixed part, and the fields path,
 * member and signature. */
static const guint8 header[] = {
    'l', 1,   1,   1, 0,  0,   0,   0,
    1,   0,   0,   0, 43, 0,   0,   0, /* little endian, call, … serial 1 */
    1,   1,   'o', 0, 2,  0,   0,   0,
    '/', 'a', 0,   0, 0,  0,   0,   0, /* path /a */
    3,   1,   's', 0, 1,  0,   0,   0,
    'C', 0,   0,   0, 0,  0,   0,   0, /* member C */
    8,   1,   'g', 0, 5,  'a', '{', 's',
    'v', '}', 0,   0, 0,  0,   0,   0, /* signature */
};
#define HEADER_BODY_SIZE 4 /* where it says how large the body is */

/* The server's side of the handshake, which asks for nothing that depends on the client. */
static const char handshake[] = "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";

static void send_all(int fd, const void *data, gsize size)
{
    g_assert(send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static void check_values(VbOptions *options)
{
    g_autoptr(GError) error = NULL;
    gboolean boolean = 2;
    gint32 int32;
    guint32 uint32;
    gint64 int64;
    guint64 uint64;
    g_autofree char *string = NULL;
    g_auto(GStrv) strv = NULL;

    if (vb_options_take_bool(options, "b", &boolean))
        g_assert(boolean == TRUE || boolean == FALSE);
    vb_options_take_int32(options, "i", &int32);
    vb_options_take_uint32(options, "u", &uint32);
    vb_options_take_int64(options, "x", &int64);
    vb_options_take_uint64(options, "t", &uint64);
    if (vb_options_take_string(options, "s", &string))
        g_assert(strlen(string) <= VB_OPTIONS_STRING_MAX && g_utf8_validate(string, -1, NULL));
    if (vb_options_take_strv(options, "as", &strv))
        g_assert(g_strv_length(strv) <= VB_OPTIONS_STRV_MAX);
    if (!vb_options_finish(options, &error))
        g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
    else
        g_assert_no_error(error);
}

static void check(sd_bus_message *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbOptions) options = vb_options_parse(message, &error);

    if (options)
        g_assert_no_error(error);
    else
        g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
    if (options)
        check_values(options);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    guint8 start[sizeof header];
    guint32 body_size = htole32((guint32)size);
    sd_bus *bus = NULL;
    sd_bus_message *message = NULL;
    int fds[2], r;

    if (size == 0 || size > MAX_SIZE) /* an empty body has no signature */
        return 0;
    g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    g_assert(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
    g_assert(sd_bus_start(bus) >= 0);
    memcpy(start, header, sizeof start);
    memcpy(start + HEADER_BODY_SIZE, &body_size, sizeof body_size);
    send_all(fds[1], handshake, strlen(handshake));
    send_all(fds[1], start, sizeof start);
    send_all(fds[1], data, size);

    while (!message && (r = sd_bus_process(bus, &message)) > 0)
        continue;
    g_assert_cmpint(r, >=, 0);
    g_assert(message);
    check(message);
    sd_bus_message_unref(message);
    sd_bus_close_unref(bus);
    close(fds[1]);
    return 0;
}
