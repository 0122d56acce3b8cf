/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See bus-guest.h. */
#include "bus-guest.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

/* ---- files ------------------------------------------------------------------------------------
 */

char *guest_path(VbBusFixture *fixture, const char *name)
{
    return g_build_filename(vb_bus_fixture_dir(fixture), name, NULL);
}

char *guest_run(VbBusFixture *fixture, const char *format, ...)
{
    g_autofree char *messages = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = NULL;
    char *output = NULL;
    va_list args;
    int status;

    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    g_shell_parse_argv(command, NULL, &argv, &error);
    g_assert_no_error(error);
    g_spawn_sync(vb_bus_fixture_dir(fixture), argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output,
                 &messages, &status, &error);
    g_assert_no_error(error);
    if (!g_spawn_check_wait_status(status, &error))
        g_error("%s: %s: %s%s", command, error->message, output, messages);
    return output;
}

static void run(VbBusFixture *fixture, const char *command)
{
    g_autofree char *output = guest_run(fixture, "%s", command);

    g_assert_cmpstr(output, ==, "");
}

void guest_make_chain(VbBusFixture *fixture)
{
    g_autofree char *base = guest_path(fixture, "base"), *mid = guest_path(fixture, "mid");
    g_autofree char *on_base =
        g_strdup_printf("qemu-img create -q -f qcow2 -b %s -F qcow2 mid", base);
    g_autofree char *on_mid =
        g_strdup_printf("qemu-img create -q -f qcow2 -b %s -F qcow2 top", mid);

    run(fixture, "qemu-img create -q -f qcow2 base 16M");
    run(fixture, "qemu-io -f qcow2 -c 'write -q -P 1 0 8M' base");
    run(fixture, on_base);
    run(fixture, "qemu-io -f qcow2 -c 'write -q -P 2 2M 4M' mid");
    run(fixture, on_mid);
    run(fixture, "qemu-io -f qcow2 -c 'write -q -P 3 8M 6M' top");
    run(fixture, "qemu-img convert -f qcow2 -O raw top expected");
}

void guest_make_tiny(VbBusFixture *fixture, const char *name)
{
    g_autofree char *base_name = g_strconcat(name, "-base", NULL);
    g_autofree char *base = guest_path(fixture, base_name);

    g_free(guest_run(fixture, "qemu-img create -q -f qcow2 %s 1M", base));
    g_free(guest_run(fixture, "qemu-io -f qcow2 -c 'write -q -P 5 0 64k' %s", base));
    g_free(guest_run(fixture, "qemu-img create -q -f qcow2 -b %s -F qcow2 %s", base, name));
}

static gboolean tick(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

void guest_await_file(const char *path)
{
    /* Nothing tells of it, so this looks now and then. */
    guint ticking = g_timeout_add(5, tick, NULL);

    VB_WAIT_FOR(g_file_test(path, G_FILE_TEST_EXISTS));
    g_source_remove(ticking);
}

void guest_assert_content(VbBusFixture *fixture, const char *name)
{
    g_free(guest_run(fixture, "qemu-img compare -q -U %s expected", name));
}

/* ---- domains ----------------------------------------------------------------------------------
 */

char *guest_file_disk(VbBusFixture *fixture, const char *image, const char *target)
{
    return g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                           "<source file='%s/%s'/><target dev='%s' bus='virtio'/></disk>",
                           vb_bus_fixture_dir(fixture), image, target);
}

char *guest_xml(VbBusFixture *fixture, const char *name, const char *devices, const char *body)
{
    const char *dir = vb_bus_fixture_dir(fixture);
    g_autofree char *emulator = g_strdup_printf("%s/%s.emulator", dir, name);
    /* What asks QEMU for its capabilities gives it no name. */
    g_autofree char *script =
        g_strdup_printf("#!/bin/sh\n"
                        "case \" $* \" in *' -name '*)\n"
                        "    set -- \"$@\" -qmp 'unix:%s/mon/%s,server=on,wait=off' ;;\n"
                        "esac\n"
                        "%s"
                        "exec qemu-system-x86_64 \"$@\"\n",
                        dir, name, body != NULL ? body : "");
    g_autofree char *monitors = guest_path(fixture, "mon");
    g_autoptr(GError) error = NULL;

    /* QEMU makes the socket itself, whoever it runs as. */
    g_mkdir(monitors, 0);
    g_assert_cmpint(g_chmod(monitors, 01777), ==, 0);
    g_file_set_contents_full(emulator, script, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0755, &error);
    g_assert_no_error(error);
    return g_strdup_printf("<domain type='qemu'><name>%s</name>"
                           "<memory unit='MiB'>32</memory><vcpu>1</vcpu>"
                           "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
                           "<features><acpi/></features><devices>"
                           "<emulator>%s</emulator>%s"
                           "<controller type='usb' model='none'/><memballoon model='none'/>"
                           "</devices></domain>",
                           name, emulator, devices);
}

char *guest_start(VbBusClient *client, const char *xml, gboolean paused)
{
    char *domain = vb_bus_client_define(client, xml);
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, domain, VB_IFACE_DOMAIN, "Start",
                           g_variant_new_parsed("({'paused': <%b>},)", paused));

    return domain;
}

char *guest_start_on_chain(VbBusFixture *fixture, gboolean paused)
{
    g_autofree char *disk = guest_file_disk(fixture, "top", "vda");
    g_autofree char *xml = guest_xml(fixture, "guest", disk, GUEST_BLKDEBUG("3"));

    guest_make_chain(fixture);
    return guest_start(vb_bus_fixture_client(fixture), xml, paused);
}

GSubprocess *guest_start_nbd(VbBusFixture *fixture, const char *option, const char *const *plugin)
{
    g_autofree char *socket = guest_path(fixture, "nbd.sock");
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    const char *const nbdkit[] = {"nbdkit", "-f", option, "-U", socket};
    GSubprocess *server;

    for (guint i = 0; i < G_N_ELEMENTS(nbdkit); i++)
        g_ptr_array_add(argv, (char *)nbdkit[i]);
    for (; *plugin != NULL; plugin++)
        g_ptr_array_add(argv, (char *)*plugin);
    g_ptr_array_add(argv, NULL);
    /* Not on our own output: a server that outlives a test that failed would keep that open. */
    server =
        vb_bus_fixture_spawn(fixture, (const char *const *)argv->pdata,
                             G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    guest_await_file(socket);
    return server;
}

void guest_stop_nbd(VbBusFixture *fixture, GSubprocess *server)
{
    g_subprocess_send_signal(server, SIGCONT);
    g_subprocess_force_exit(server);
    vb_bus_fixture_wait_exit(fixture, server);
}

char *guest_start_on_nbd(VbBusFixture *fixture)
{
    g_autofree char *socket = guest_path(fixture, "nbd.sock");
    g_autofree char *overlay = guest_path(fixture, "overlay");
    g_autofree char *disk = g_strdup_printf(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        "<source file='%s'/><target dev='vda' bus='virtio'/>"
        "<backingStore type='network'><format type='raw'/><source protocol='nbd'>"
        "<host transport='unix' socket='%s'/></source><backingStore/></backingStore></disk>",
        overlay, socket);
    g_autofree char *xml = guest_xml(fixture, "guest", disk, NULL);

    g_free(guest_run(fixture,
                     "qemu-img create -q -f qcow2 -u -b 'nbd+unix:///?socket=%s' -F raw %s 16M",
                     socket, overlay));
    return guest_start(vb_bus_fixture_client(fixture), xml, TRUE);
}

/* 0: there is none on record. */
static GPid read_pid(VbBusFixture *fixture, const char *domain)
{
    g_autofree char *uuid = g_strdelimit(g_path_get_basename(domain), "_", '-');
    g_autofree char *path = g_build_filename(vb_bus_fixture_root(fixture), "run", "virtbus",
                                             "domains", uuid, "domain.record", NULL);
    g_autoptr(GKeyFile) record = g_key_file_new();

    return g_key_file_load_from_file(record, path, G_KEY_FILE_NONE, NULL)
               ? g_key_file_get_integer(record, "qemu", "pid", NULL)
               : 0;
}

GPid guest_pid(VbBusFixture *fixture, const char *domain)
{
    GPid pid = read_pid(fixture, domain);

    g_assert_cmpint(pid, >, 0);
    return pid;
}

GPid guest_await_pid(VbBusFixture *fixture, const char *domain)
{
    guint ticking = g_timeout_add(5, tick, NULL);

    VB_WAIT_FOR(read_pid(fixture, domain) > 0);
    g_source_remove(ticking);
    return guest_pid(fixture, domain);
}

gboolean guest_is_alive(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *stat = NULL;
    const char *state;

    if (!g_file_get_contents(path, &stat, NULL, NULL))
        return FALSE;
    state = strrchr(stat, ')');
    return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

/* The next line that is no event. */
static char *read_reply(GDataInputStream *stream)
{
    g_autoptr(GError) error = NULL;

    for (;;) {
        char *line = g_data_input_stream_read_line(stream, NULL, NULL, &error);

        g_assert_no_error(error);
        g_assert_nonnull(line);
        if (strstr(line, "\"event\": ") == NULL)
            return line;
        g_free(line);
    }
}

static void write_line(GSocketConnection *connection, const char *line)
{
    GOutputStream *stream = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    g_autoptr(GError) error = NULL;

    g_output_stream_printf(stream, NULL, NULL, &error, "%s\n", line);
    g_assert_no_error(error);
}

char *guest_monitor(VbBusFixture *fixture, const char *name, const char *command)
{
    g_autofree char *path = g_strdup_printf("%s/mon/%s", vb_bus_fixture_dir(fixture), name);
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketConnection) connection = NULL;
    g_autoptr(GDataInputStream) input = NULL;
    g_autoptr(GError) error = NULL;

    g_socket_client_set_timeout(client, VB_WAIT_SECONDS);
    connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &error);
    g_assert_no_error(error);
    input = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
    g_free(read_reply(input)); /* the greeting */
    write_line(connection, "{\"execute\": \"qmp_capabilities\"}");
    g_free(read_reply(input));
    write_line(connection, command);
    return read_reply(input);
}

static gboolean says(VbBusFixture *fixture, const char *name, const char *command, const char *text)
{
    g_autofree char *reply = guest_monitor(fixture, name, command);

    return strstr(reply, text) != NULL;
}

void guest_await_monitor(VbBusFixture *fixture, const char *name, const char *command,
                         const char *text, gboolean has)
{
    guint ticking = g_timeout_add(5, tick, NULL);

    VB_WAIT_FOR(says(fixture, name, command, text) == has);
    g_source_remove(ticking);
}

void guest_await_io(VbBusFixture *fixture, const char *name)
{
    guest_await_monitor(fixture, name, "{\"execute\": \"query-block-jobs\"}", "\"busy\": true",
                        TRUE);
}

void guest_debug(VbBusFixture *fixture, const char *name, const char *command)
{
    g_autofree char *line = g_strdup_printf(
        "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": "
        "\"qemu-io " GUEST_BASE_NODE " \\\"%s\\\"\"}}",
        command);
    g_autofree char *reply = guest_monitor(fixture, name, line);

    g_assert_cmpstr(g_strchomp(reply), ==, "{\"return\": \"\"}");
}

char *guest_disk_source(VbBusClient *client, const char *domain)
{
    g_autoptr(GVariant) disks = vb_bus_client_get(client, domain, VB_IFACE_DOMAIN, "Disks");
    g_autoptr(GVariant) disk = g_variant_get_child_value(disks, 0);
    const char *source;

    g_variant_get_child(disk, 3, "&s", &source);
    return g_path_get_basename(source);
}

char *guest_get_xml(VbBusClient *client, const char *domain, gboolean inactive)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, domain, VB_IFACE_DOMAIN, "GetXml",
                           g_variant_new_parsed("({'inactive': <%b>},)", inactive));
    char *xml;

    g_variant_get(reply, "(s)", &xml);
    return xml;
}

/* ---- jobs -------------------------------------------------------------------------------------
 */

static guint32 send_text(VbBusClient *client, const char *domain, const char *method,
                         const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args);
    g_autoptr(GError) error = NULL;
    const GVariantType *type =
        g_str_equal(method, "Copy") ? G_VARIANT_TYPE("(ssa{sv})") : G_VARIANT_TYPE("(sa{sv})");
    GVariant *params = g_variant_parse(type, text, NULL, NULL, &error);

    g_assert_no_error(error);
    guint32 serial = vb_bus_client_send(client, domain, VB_IFACE_BLOCK, method, params);
    g_variant_unref(params);
    return serial;
}

guint32 guest_send(VbBusClient *client, const char *domain, const char *method, const char *params,
                   ...)
{
    va_list args;

    va_start(args, params);
    guint32 serial = send_text(client, domain, method, params, args);
    va_end(args);
    return serial;
}

static void assert_started(const VbBusMessage *reply)
{
    if (reply->error != NULL) {
        g_autofree char *text = g_variant_print(reply->body, FALSE);
        g_error("the job did not start: %s %s", reply->error, text);
    }
}

char *guest_job_of(const VbBusMessage *reply)
{
    char *job;

    assert_started(reply);
    g_variant_get(reply->body, "(o)", &job);
    return job;
}

char *guest_jobs_of(const VbBusMessage *reply)
{
    g_autofree char **jobs = NULL;

    assert_started(reply);
    g_variant_get(reply->body, "(^ao)", &jobs);
    g_assert_cmpuint(g_strv_length(jobs), ==, 1);
    return jobs[0];
}

char *guest_start_job(VbBusClient *client, const char *domain, const char *method,
                      const char *params, ...)
{
    va_list args;

    va_start(args, params);
    guint32 serial = send_text(client, domain, method, params, args);
    va_end(args);
    VB_WAIT_FOR(vb_bus_client_reply(client, serial) != NULL);
    return guest_job_of(vb_bus_client_reply(client, serial));
}

char *guest_start_copy(VbBusFixture *fixture, VbBusClient *client, const char *domain,
                       const char *target)
{
    return guest_start_job(client, domain, "Copy",
                           "('vda', \"<disk type='file'><driver type='qcow2'/>"
                           "<source file='%s/%s'/></disk>\", {})",
                           vb_bus_fixture_dir(fixture), target);
}

void guest_wait_ready(VbBusClient *client, const char *job)
{
    vb_bus_client_wait_string(client, job, VB_IFACE_JOB, "State", "ready");
}

gboolean guest_is_end(const VbBusMessage *message)
{
    static const char *const members[] = {"BlockJobCompleted", "BlockJobFailed", "BlockJobCanceled",
                                          NULL};

    return message->type == G_DBUS_MESSAGE_TYPE_SIGNAL &&
           g_str_equal(message->interface, VB_IFACE_BLOCK) &&
           g_strv_contains(members, message->member);
}

static GuestEnd read_end(const VbBusMessage *message)
{
    g_autoptr(GVariant) details = NULL;
    GuestEnd end = {.message = message};

    g_variant_get(message->body, "(&o&s&s&s@a{sv})", &end.job, &end.disk, &end.type, &end.text,
                  &details);
    g_assert_true(g_variant_lookup(details, "reason", "&s", &end.reason));
    g_assert_true(g_variant_lookup(details, "synthesized", "b", &end.synthesized));
    g_assert_true(g_variant_lookup(details, "serial", "u", &end.serial));
    g_variant_lookup(details, "pivoted", "b", &end.pivoted);
    g_variant_lookup(details, "consistent", "b", &end.consistent);
    return end;
}

gboolean guest_find_end(VbBusClient *client, guint from, const char *job, guint nth,
                        GuestEnd *ret_end)
{
    const VbBusMessage *message;

    for (guint i = from; (message = vb_bus_client_message(client, i)) != NULL; i++) {
        if (!guest_is_end(message))
            continue;
        GuestEnd end = read_end(message);
        if ((job == NULL || g_str_equal(end.job, job)) && nth-- == 0) {
            *ret_end = end;
            return TRUE;
        }
    }
    return FALSE;
}

GuestEnd guest_await_end(VbBusClient *client, guint from, const char *job, const char *expected)
{
    GuestEnd end;

    VB_WAIT_FOR(guest_find_end(client, from, job, 0, &end));
    g_autofree char *what = g_strdup_printf("%s %s", end.message->member, end.reason);
    g_assert_cmpstr(what, ==, expected);
    return end;
}

guint guest_count_ends(VbBusClient *client, guint from, const char *job)
{
    GuestEnd end;
    guint n = 0;

    while (guest_find_end(client, from, job, n, &end))
        n++;
    return n;
}

void guest_assert_result(VbBusClient *client, const char *job, const char *result)
{
    g_autofree char *state = vb_bus_client_get_string(client, job, VB_IFACE_JOB, "State");
    g_autofree char *ended = vb_bus_client_get_string(client, job, VB_IFACE_JOB, "Result");

    g_assert_cmpstr(state, ==, "concluded");
    g_assert_cmpstr(ended, ==, result);
}
