/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Measures what a flooding caller does to others. By hand; no test, for it asserts no times:
 *
 *     flood [DOMAINS [SECONDS]]
 *
 * For each flood it prints the median and the 99th percentile (µs) of a well-behaved caller's
 * closed loop over three services: Properties.Get of virtbusd, the same of a service that does
 * nothing else (what the bus and two cores alone allow), and a call that dbus-daemon answers
 * itself. And what the flooders got. Build it without sanitizers. */
#include "bus-fixture.h"

#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define ECHO_NAME "org.virtbus1.tests.Echo"

/* ---- a flooder: a process with a bare socket --------------------------------------------------
 */

typedef struct {
    const char *name;
    const char *path, *interface, *member;
    const char *body;  /* GVariant text; NULL: none */
    gsize text;        /* bytes of a string appended to it as the first argument; 0: none */
    guint connections; /* one process each */
    guint window;      /* calls in flight; 0: without replies, as many as the socket takes */
    guint pause;       /* µs after each batch */
} Flood;

/* Shared with the flooders. */
typedef struct {
    volatile guint64 sent, returns, errors, limits;
    char error_name[64];
} Tally;

static int raw_connect(const char *address)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    g_autofree char *uid = g_strdup_printf("%u", getuid());
    g_autoptr(GString) hello = g_string_new(NULL);
    char buffer[512];
    gssize n;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_true(g_str_has_prefix(address, "unix:path="));
    g_strlcpy(where.sun_path, address + strlen("unix:path="), sizeof where.sun_path);
    *strchrnul(where.sun_path, ',') = '\0';
    g_assert_cmpint(connect(fd, (struct sockaddr *)&where, sizeof where), ==, 0);
    g_string_append_len(hello, "", 1);
    g_string_append(hello, "AUTH EXTERNAL ");
    for (const char *c = uid; *c != '\0'; c++)
        g_string_append_printf(hello, "%02x", *c);
    g_string_append(hello, "\r\n");
    g_assert_cmpint(write(fd, hello->str, hello->len), ==, hello->len);
    n = read(fd, buffer, sizeof buffer);
    g_assert_cmpint(n, >, 3);
    g_assert_cmpint(memcmp(buffer, "OK ", 3), ==, 0);
    g_assert_cmpint(write(fd, "BEGIN\r\n", 7), ==, 7);
    return fd;
}

static GByteArray *blob(GDBusMessage *message, guint32 serial)
{
    gsize size;
    guchar *bytes;

    g_dbus_message_set_serial(message, serial);
    bytes = g_dbus_message_to_blob(message, &size, G_DBUS_CAPABILITY_FLAGS_UNIX_FD_PASSING, NULL);
    return g_byte_array_new_take(bytes, size);
}

static GByteArray *flood_message(const Flood *flood)
{
    g_autoptr(GDBusMessage) message =
        g_dbus_message_new_method_call(VB_BUS_NAME, flood->path, flood->interface, flood->member);

    if (flood->window == 0)
        g_dbus_message_set_flags(message, G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
    if (flood->text > 0) {
        g_autofree char *text = g_malloc(flood->text + 1);
        memset(text, 'x', flood->text);
        text[flood->text] = '\0';
        memcpy(text, "<domain type='test'><name>", 26);
        g_dbus_message_set_body(message, g_variant_new_parsed("(%s, @a{sv} {})", text));
    } else if (flood->body != NULL) {
        g_dbus_message_set_body(message, g_variant_new_parsed(flood->body));
    }
    return blob(message, 1);
}

/* Takes whole messages off the start of input and counts them. */
static guint count_replies(GByteArray *input, Tally *tally)
{
    guint replies = 0;
    gsize at = 0;

    while (input->len - at >= 16) {
        const guchar *start = input->data + at;
        guint32 body, fields;
        gsize size;

        memcpy(&body, start + 4, 4);
        memcpy(&fields, start + 12, 4);
        size = 16 + ((fields + 7) & ~7u) + body;
        if (input->len - at < size)
            break;
        if (start[1] == SD_BUS_MESSAGE_METHOD_RETURN) {
            __atomic_add_fetch(&tally->returns, 1, __ATOMIC_RELAXED);
            replies++;
        } else if (start[1] == SD_BUS_MESSAGE_METHOD_ERROR) {
            __atomic_add_fetch(&tally->errors, 1, __ATOMIC_RELAXED);
            if (memmem(start, size, "Error.LimitsExceeded", 20) != NULL)
                __atomic_add_fetch(&tally->limits, 1, __ATOMIC_RELAXED);
            replies++;
        }
        at += size;
    }
    g_byte_array_remove_range(input, 0, at);
    return replies;
}

static void G_GNUC_NORETURN run_flooder(const char *address, const Flood *flood, Tally *tally)
{
    g_autoptr(GByteArray) message = flood_message(flood);
    g_autoptr(GByteArray) input = g_byte_array_new();
    g_autoptr(GByteArray) output = g_byte_array_new();
    g_autoptr(GDBusMessage) hello = g_dbus_message_new_method_call(
        "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello");
    g_autoptr(GByteArray) first = blob(hello, 1);
    guint32 serial = 10;
    guint in_flight = 1; /* Hello */
    int fd;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = raw_connect(address);
    g_byte_array_append(output, first->data, first->len);
    while (TRUE) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        static guchar buffer[1 << 20];
        guint replies;
        gssize n;

        while (flood->window > 0 ? in_flight < flood->window : output->len < 16384) {
            memcpy(message->data + 8, &serial, 4);
            serial++;
            g_byte_array_append(output, message->data, message->len);
            in_flight += flood->window > 0;
            __atomic_add_fetch(&tally->sent, 1, __ATOMIC_RELAXED);
        }
        if (output->len > 0)
            poll_fd.events |= POLLOUT;
        poll(&poll_fd, 1, -1);
        if (poll_fd.revents & POLLOUT) {
            n = send(fd, output->data, output->len, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n > 0)
                g_byte_array_remove_range(output, 0, n);
        }
        if (poll_fd.revents & (POLLIN | POLLHUP)) {
            n = read(fd, buffer, sizeof buffer);
            if (n <= 0)
                _exit(0); /* the bus does not want us any more */
            g_byte_array_append(input, buffer, n);
            replies = count_replies(input, tally);
            in_flight -= MIN(in_flight, replies);
        }
        if (flood->pause > 0)
            usleep(flood->pause);
    }
}

/* ---- the service that does nothing else -------------------------------------------------------
 */

static int get_echo(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    return sd_bus_message_append(reply, "s", "1");
}

static const sd_bus_vtable echo_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Version", "s", get_echo, 0, SD_BUS_VTABLE_PROPERTY_CONST), SD_BUS_VTABLE_END};

static sd_bus *connect_bus(const char *address)
{
    sd_bus *bus = NULL;

    g_assert_cmpint(sd_bus_new(&bus), >=, 0);
    g_assert_cmpint(sd_bus_set_address(bus, address), >=, 0);
    g_assert_cmpint(sd_bus_set_bus_client(bus, TRUE), >=, 0);
    g_assert_cmpint(sd_bus_start(bus), >=, 0);
    return bus;
}

static void G_GNUC_NORETURN run_echo(const char *address, int ready)
{
    sd_bus *bus;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bus = connect_bus(address);
    g_assert_cmpint(
        sd_bus_add_object_vtable(bus, NULL, VB_PATH_MANAGER, VB_IFACE_MANAGER, echo_vtable, NULL),
        >=, 0);
    g_assert_cmpint(sd_bus_request_name(bus, ECHO_NAME, 0), >=, 0);
    g_assert_cmpint(write(ready, "", 1), ==, 1);
    while (sd_bus_process(bus, NULL) >= 0)
        sd_bus_wait(bus, UINT64_MAX);
    _exit(0);
}

/* ---- the victim -------------------------------------------------------------------------------
 */

static const struct {
    const char *label, *name, *path, *interface, *member, *types;
} services[] = {
    {"virtbusd", VB_BUS_NAME, VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "Get", "ss"},
    {"echo", ECHO_NAME, VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "Get", "ss"},
    {"dbus-daemon", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
     "GetId", ""},
};

static int compare_times(gconstpointer a, gconstpointer b)
{
    return *(const gint64 *)a < *(const gint64 *)b ? -1 : *(const gint64 *)a > *(const gint64 *)b;
}

static void measure(const char *address, double seconds)
{
    sd_bus *bus = connect_bus(address);

    for (guint i = 0; i < G_N_ELEMENTS(services); i++) {
        g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(gint64));
        gint64 end = g_get_monotonic_time() + (gint64)(seconds * 1e6 / G_N_ELEMENTS(services));
        guint failed = 0;

        while (g_get_monotonic_time() < end) {
            sd_bus_error error = SD_BUS_ERROR_NULL;
            gint64 start = g_get_monotonic_time(), time;
            int r = sd_bus_call_method(bus, services[i].name, services[i].path,
                                       services[i].interface, services[i].member, &error, NULL,
                                       services[i].types, VB_IFACE_MANAGER, "Version");

            failed += r < 0;
            sd_bus_error_free(&error);
            time = g_get_monotonic_time() - start;
            g_array_append_val(times, time);
        }
        g_array_sort(times, compare_times);
        g_print("  %s %6" G_GINT64_FORMAT " /%7" G_GINT64_FORMAT, services[i].label,
                g_array_index(times, gint64, times->len / 2),
                g_array_index(times, gint64, times->len * 99 / 100));
        if (failed > 0)
            g_print(" (%u refused)", failed);
    }
    sd_bus_flush_close_unref(bus);
}

/* Until what the flood left in the queues is gone. */
static void settle(const char *address)
{
    sd_bus *bus = connect_bus(address);
    guint calm = 0;

    while (calm < 20) {
        gint64 start = g_get_monotonic_time();
        int r = sd_bus_call_method(bus, VB_BUS_NAME, VB_PATH_MANAGER, VB_IFACE_PEER, "Ping", NULL,
                                   NULL, NULL);
        calm = r >= 0 && g_get_monotonic_time() - start < 1000 ? calm + 1 : 0;
    }
    sd_bus_flush_close_unref(bus);
}

#define ROOT VB_PATH_ROOT
#define NO_OPTIONS "(@a{sv} {},)"

static const Flood floods[] = {
    {"alone", .connections = 0},
    {"Get, 1 closed loop", VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "Get",
     "('org.virtbus1.Manager', 'Version')", 0, 1, 1},
    {"Get, 8 closed loops", VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "Get",
     "('org.virtbus1.Manager', 'Version')", 0, 8, 1},
    {"Get, 100 in flight", VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "Get",
     "('org.virtbus1.Manager', 'Version')", 0, 1, 100},
    {"Get, 8 x 100 in flight", VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "Get",
     "('org.virtbus1.Manager', 'Version')", 0, 8, 100},
    {"Get, without replies", VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "Get",
     "('org.virtbus1.Manager', 'Version')", 0, 1, 0},
    {"Get, 8 without replies", VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "Get",
     "('org.virtbus1.Manager', 'Version')", 0, 8, 0},
    {"GetAll, 100 in flight", VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "GetAll",
     "('org.virtbus1.Manager',)", 0, 1, 100},
    {"Ping, 100 in flight", VB_PATH_MANAGER, VB_IFACE_PEER, "Ping", NULL, 0, 1, 100},
    {"Ping, without replies", VB_PATH_MANAGER, VB_IFACE_PEER, "Ping", NULL, 0, 1, 0},
    {"Introspect, 100 in flight", VB_PATH_MANAGER, VB_IFACE_INTROSPECTABLE, "Introspect", NULL, 0,
     1, 100},
    {"ListDomains, 100 in flight", VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListDomains", NO_OPTIONS, 0,
     1, 100},
    {"ListDomains, no replies", VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListDomains", NO_OPTIONS, 0, 1,
     0},
    {"GetDomainByName, 100", VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetDomainByName",
     "('d7', @a{sv} {})", 0, 1, 100},
    {"no such object, 100", ROOT "/nowhere", VB_IFACE_PROPERTIES, "Get",
     "('org.virtbus1.Manager', 'Version')", 0, 1, 100},
    {"GetManagedObjects, 1 loop", ROOT, VB_IFACE_OBJECT_MANAGER, "GetManagedObjects", NULL, 0, 1,
     1},
    {"GetManagedObjects, 100", ROOT, VB_IFACE_OBJECT_MANAGER, "GetManagedObjects", NULL, 0, 1, 100},
    {"GetManagedObjects, no reply", ROOT, VB_IFACE_OBJECT_MANAGER, "GetManagedObjects", NULL, 0, 1,
     0},
    {"GetObjects, 100", VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetObjects",
     "('', '', uint32 0, @a{sv} {})", 0, 1, 100},
    {"4 MiB DefineDomain, 1 loop", VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain", NULL, 4000000,
     1, 1},
    {"1 MiB DefineDomain, 16", VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain", NULL, 1000000, 1,
     16},
};

int main(int argc, char **argv)
{
    guint domains = argc > 1 ? (guint)atoi(argv[1]) : 100;
    double seconds = argc > 2 ? atof(argv[2]) : 1.5;
    const char *only = argc > 3 ? argv[3] : "";
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    const char *address = vb_bus_fixture_address(fixture);
    Tally *tally =
        mmap(NULL, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ready[2];
    char byte;
    pid_t echo;

    for (guint i = 0; i < domains; i++) {
        g_autofree char *name = g_strdup_printf("d%u", i);
        g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);
        g_autofree char *path = vb_bus_client_define(vb_bus_fixture_client(fixture), xml);
    }
    g_assert_cmpint(pipe(ready), ==, 0);
    echo = fork();
    if (echo == 0)
        run_echo(address, ready[1]);
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);

    for (guint i = 0; i < G_N_ELEMENTS(floods); i++) {
        const Flood *flood = &floods[i];
        pid_t pids[64];

        if (strstr(flood->name, only) == NULL)
            continue;
        *tally = (Tally){0};
        for (guint c = 0; c < flood->connections; c++) {
            pids[c] = fork();
            if (pids[c] == 0)
                run_flooder(address, flood, tally);
        }
        usleep(300000);
        g_print("%-28s", flood->name);
        measure(address, seconds);
        for (guint c = 0; c < flood->connections; c++) {
            kill(pids[c], SIGKILL);
            waitpid(pids[c], NULL, 0);
        }
        g_print("  sent %" G_GUINT64_FORMAT " ok %" G_GUINT64_FORMAT " err %" G_GUINT64_FORMAT
                " limits %" G_GUINT64_FORMAT "\n",
                tally->sent, tally->returns, tally->errors, tally->limits);
        settle(address);
    }
    kill(echo, SIGKILL);
    waitpid(echo, NULL, 0);
    return 0;
}
