/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfQmp. */
#include "qmp.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "process.h"

#define SECONDS 30

struct PerfQmp {
    GSocketConnection *connection;
    GDataInputStream *input;
    GQueue events; /* of JsonNode, not asked for */
};

static JsonNode *read_message(PerfQmp *qmp)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_data_input_stream_read_line(qmp->input, NULL, NULL, &error);
    JsonNode *node;

    if (line == NULL)
        perf_fail("QEMU's monitor: %s", error != NULL ? error->message : "it has closed");
    node = json_from_string(line, &error);
    if (node == NULL || !JSON_NODE_HOLDS_OBJECT(node))
        perf_fail("QEMU's monitor says: %s", line);
    return node;
}

static gboolean has_member(JsonNode *node, const char *name)
{
    return json_object_has_member(json_node_get_object(node), name);
}

void perf_qmp_command(PerfQmp *qmp, const char *command)
{
    GOutputStream *output = g_io_stream_get_output_stream(G_IO_STREAM(qmp->connection));
    g_autofree char *line = g_strconcat(command, "\n", NULL);
    g_autoptr(GError) error = NULL;

    if (!g_output_stream_write_all(output, line, strlen(line), NULL, NULL, &error))
        perf_fail("QEMU's monitor: %s", error->message);
    while (TRUE) {
        g_autoptr(JsonNode) node = read_message(qmp);

        if (has_member(node, "event")) {
            g_queue_push_tail(&qmp->events, g_steal_pointer(&node));
            continue;
        }
        if (has_member(node, "return"))
            return;
        if (has_member(node, "error"))
            perf_fail("QEMU refuses %s", command);
    }
}

PerfQmp *perf_qmp_new(const char *path)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    PerfQmp *qmp = g_new0(PerfQmp, 1);
    double deadline = perf_now() + SECONDS * 1e6;

    g_queue_init(&qmp->events);
    while (qmp->connection == NULL) {
        qmp->connection =
            g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
        if (qmp->connection == NULL && (perf_now() > deadline || perf_process_pause(1, 1)))
            perf_fail("nobody listens at %s", path);
    }
    g_socket_set_timeout(g_socket_connection_get_socket(qmp->connection), SECONDS);
    qmp->input =
        g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(qmp->connection)));
    perf_qmp_command(qmp, "{\"execute\": \"qmp_capabilities\"}");
    return qmp;
}

void perf_qmp_free(PerfQmp *qmp)
{
    if (qmp == NULL)
        return;
    g_queue_clear_full(&qmp->events, (GDestroyNotify)json_node_unref);
    g_object_unref(qmp->input);
    g_object_unref(qmp->connection);
    g_free(qmp);
}

static gboolean is_event(JsonNode *node, const char *const *names, double *ret_when)
{
    JsonObject *object = json_node_get_object(node), *when;

    if (!json_object_has_member(object, "event") ||
        !g_strv_contains(names, json_object_get_string_member(object, "event")))
        return FALSE;
    when = json_object_get_object_member(object, "timestamp");
    *ret_when = (double)json_object_get_int_member(when, "seconds") * 1e6 +
                (double)json_object_get_int_member(when, "microseconds");
    return TRUE;
}

double perf_qmp_event(PerfQmp *qmp, const char *const *names)
{
    double when;

    while (TRUE) {
        g_autoptr(JsonNode) node =
            g_queue_is_empty(&qmp->events) ? read_message(qmp) : g_queue_pop_head(&qmp->events);
        if (is_event(node, names, &when))
            return when;
    }
}
