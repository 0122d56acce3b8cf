/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See net-guest.h. QEMU connects to the test's socket; what is said there: scripts/guest-image. */
#include "net-guest.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>

#define END "@end "
#define READY "@ready"

/* A boot, or a command, on a machine that has much else to do. */
#define GUEST_SECONDS 90

struct NetGuest {
    VbBusClient *client;
    char *name, *domain;
    GSocketListener *listener;
    GSocketConnection *serial; /* NULL: QEMU has not connected yet */
    GDataInputStream *lines;
    GCancellable *cancellable;
    guint pending; /* callbacks that are still to come */
    gboolean booted, ended;
    GString *output; /* of the command that runs */
    int status;      /* of the last one that ended; -1: it has not */
};

#define AWAIT(guest, condition, what)                                                              \
    G_STMT_START                                                                                   \
    {                                                                                              \
        gint64 deadline_ = g_get_monotonic_time() + GUEST_SECONDS * G_USEC_PER_SEC;                \
        while (!(condition)) {                                                                     \
            if ((guest)->ended || !vb_wait_turn(deadline_))                                        \
                g_error("guest %s: %s: %s: %s", (guest)->name,                                     \
                        (guest)->ended ? "has gone" : "does not end", what, (guest)->output->str); \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END

/* ---- the line ---------------------------------------------------------------------------------
 */

static void read_next(NetGuest *guest);

static void on_line(GObject *stream, GAsyncResult *result, gpointer data)
{
    NetGuest *guest = data;
    g_autofree char *line =
        g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(stream), result, NULL, NULL);

    guest->pending--;
    if (line == NULL) {
        guest->ended = TRUE;
        return;
    }
    if (g_str_equal(line, READY))
        guest->booted = TRUE;
    else if (g_str_has_prefix(line, END))
        guest->status = atoi(line + strlen(END));
    else
        g_string_append_printf(guest->output, "%s\n", line);
    read_next(guest);
}

static void read_next(NetGuest *guest)
{
    guest->pending++;
    g_data_input_stream_read_line_async(guest->lines, G_PRIORITY_DEFAULT, guest->cancellable,
                                        on_line, guest);
}

static void on_connected(GObject *listener, GAsyncResult *result, gpointer data)
{
    NetGuest *guest = data;

    guest->pending--;
    guest->serial =
        g_socket_listener_accept_finish(G_SOCKET_LISTENER(listener), result, NULL, NULL);
    if (guest->serial == NULL)
        return;
    guest->lines =
        g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(guest->serial)));
    read_next(guest);
}

/* QEMU may be another user. */
static void listen_at(NetGuest *guest, const char *path)
{
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GError) error = NULL;

    guest->listener = g_socket_listener_new();
    g_socket_listener_add_address(guest->listener, address, G_SOCKET_TYPE_STREAM,
                                  G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(path, 0666), ==, 0);
    guest->pending++;
    g_socket_listener_accept_async(guest->listener, guest->cancellable, on_connected, guest);
}

/* ---- the guest --------------------------------------------------------------------------------
 */

/* The build directory need not be open to the user that QEMU runs as. */
static void copy_image(NetHost *host, const char *name)
{
    const char *dir = vb_bus_fixture_dir(net_host_fixture(host));
    g_autofree char *from = g_build_filename(VB_TEST_GUEST, name, NULL);
    g_autofree char *to = g_build_filename(dir, name, NULL);
    g_autoptr(GFile) source = g_file_new_for_path(from), target = g_file_new_for_path(to);
    g_autoptr(GError) error = NULL;

    if (g_file_test(to, G_FILE_TEST_EXISTS))
        return;
    g_file_copy(source, target, G_FILE_COPY_NONE, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
}

NetGuest *net_guest_new(NetHost *host, const char *name, const char *interfaces)
{
    const char *dir = vb_bus_fixture_dir(net_host_fixture(host));
    NetGuest *guest = g_new0(NetGuest, 1);
    g_autofree char *serial = g_strdup_printf("%s/%s.serial", dir, name);
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu'><name>%s</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type>"
        "<kernel>%s/vmlinuz</kernel><initrd>%s/initrd</initrd>"
        "<cmdline>console=ttyS0 loglevel=1 panic=-1 hostname=%s</cmdline></os><devices>"
        "<serial type='unix'><source mode='connect' path='%s'/></serial>%s"
        "<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>",
        name, dir, dir, name, serial, interfaces);

    copy_image(host, "vmlinuz");
    copy_image(host, "initrd");
    guest->client = net_host_client(host);
    guest->name = g_strdup(name);
    guest->cancellable = g_cancellable_new();
    guest->output = g_string_new(NULL);
    listen_at(guest, serial);
    g_autoptr(GVariant) reply =
        vb_bus_client_call(guest->client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CreateDomain",
                           g_variant_new("(sa{sv})", xml, NULL));
    g_variant_get(reply, "(o)", &guest->domain);
    g_assert_no_errno(g_unlink(serial));
    return guest;
}

void net_guest_free(NetGuest *guest)
{
    if (guest == NULL)
        return;
    vb_bus_client_do(guest->client, guest->domain, VB_IFACE_DOMAIN, "Destroy");
    g_cancellable_cancel(guest->cancellable);
    VB_WAIT_FOR(guest->pending == 0);
    g_clear_object(&guest->lines);
    g_clear_object(&guest->serial);
    g_object_unref(guest->listener);
    g_object_unref(guest->cancellable);
    g_string_free(guest->output, TRUE);
    g_free(guest->domain);
    g_free(guest->name);
    g_free(guest);
}

const char *net_guest_domain(NetGuest *guest)
{
    return guest->domain;
}

void net_guest_await_boot(NetGuest *guest)
{
    AWAIT(guest, guest->booted, "boot");
}

/* ---- its shell --------------------------------------------------------------------------------
 */

static gboolean run(NetGuest *guest, const char *command)
{
    g_autoptr(GError) error = NULL;

    net_guest_await_boot(guest);
    g_assert_null(strchr(command, '\n'));
    g_string_truncate(guest->output, 0);
    guest->status = -1;
    g_output_stream_printf(g_io_stream_get_output_stream(G_IO_STREAM(guest->serial)), NULL, NULL,
                           &error, "%s\n", command);
    g_assert_no_error(error);
    AWAIT(guest, guest->status != -1, command);
    g_strchomp(guest->output->str);
    g_test_message("%s# %s\n%s", guest->name, command, guest->output->str);
    return guest->status == 0;
}

static void must_run(NetGuest *guest, const char *command)
{
    if (!run(guest, command))
        g_error("guest %s: %s: %s", guest->name, command, guest->output->str);
}

char *net_guest_run(NetGuest *guest, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    must_run(guest, command);
    return g_strdup(guest->output->str);
}

gboolean net_guest_try(NetGuest *guest, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    return run(guest, command);
}

/* Busybox cannot wait for any of it, so the guest looks ten times a second. */
void net_guest_await(NetGuest *guest, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *loop =
        g_strdup_printf("n=0; until { %s; }; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; "
                        "usleep 100000; done",
                        command);
    must_run(guest, loop);
}

/* Its input never ends: passt loses a connection whose client half-closes at once. */
char *net_guest_ask(NetGuest *guest, const char *address, NetServer *server)
{
    if (!net_guest_try(guest, "[ -p /tmp/never ] || mkfifo /tmp/never; nc -w 4 %s %u <>/tmp/never",
                       address, net_server_port(server)))
        return NULL;
    return g_strdup(guest->output->str);
}

char *net_guest_await_address(NetGuest *guest, const char *device)
{
    net_guest_await(guest, "ip -4 address show %s | grep -q 'inet '", device);
    return net_guest_run(guest, "ip -4 address show %s | sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p'",
                         device);
}

/* Each device that has an address came with one. */
void net_guest_route_by(NetGuest *guest, const char *device, const char *gateway)
{
    g_free(net_guest_run(guest,
                         "while ip route del default 2>/dev/null; do :; done; "
                         "ip route add default via %s dev %s",
                         gateway, device));
}
