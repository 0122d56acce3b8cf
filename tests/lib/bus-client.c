/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test's client: a connection whose messages are kept in the order in which the daemon sent
 * them. GDBus shows each to a filter in its worker thread, which queues it; the main thread moves
 * the queue into the log whenever it looks there. */
#include "bus-fixture.h"

#include <unistd.h>

typedef struct {
    VbBusMessage shown;
    GDBusMessage *message; /* owns the strings */
} LogEntry;

struct VbBusClient {
    GDBusConnection *connection;
    guint filter;
    GAsyncQueue *incoming; /* of GDBusMessage; filled by the filter */
    GPtrArray *log;        /* of LogEntry */
    GHashTable *replies;   /* serial → LogEntry */
};

static void log_entry_free(LogEntry *entry)
{
    g_variant_unref(entry->shown.body);
    g_object_unref(entry->message);
    g_free(entry);
}

static gboolean is_interesting(GDBusMessage *message)
{
    switch (g_dbus_message_get_message_type(message)) {
    case G_DBUS_MESSAGE_TYPE_METHOD_RETURN:
    case G_DBUS_MESSAGE_TYPE_ERROR:
        return TRUE;
    case G_DBUS_MESSAGE_TYPE_SIGNAL:
        return g_strcmp0(g_dbus_message_get_sender(message), "org.freedesktop.DBus") != 0;
    default:
        return FALSE;
    }
}

/* In GDBus's worker thread. */
static GDBusMessage *on_message(GDBusConnection *connection, GDBusMessage *message,
                                gboolean incoming, gpointer queue)
{
    if (incoming && is_interesting(message)) {
        g_async_queue_push(queue, g_object_ref(message));
        g_main_context_wakeup(NULL);
    }
    return message;
}

static void keep_message(VbBusClient *client, GDBusMessage *message)
{
    LogEntry *entry = g_new0(LogEntry, 1);
    GVariant *body = g_dbus_message_get_body(message);
    VbBusMessage *shown = &entry->shown;

    entry->message = message;
    shown->index = client->log->len;
    shown->type = g_dbus_message_get_message_type(message);
    shown->body = g_variant_ref_sink(body != NULL ? body : g_variant_new_tuple(NULL, 0));
    if (shown->type == G_DBUS_MESSAGE_TYPE_SIGNAL) {
        shown->path = g_dbus_message_get_path(message);
        shown->interface = g_dbus_message_get_interface(message);
        shown->member = g_dbus_message_get_member(message);
    } else {
        shown->reply_serial = g_dbus_message_get_reply_serial(message);
        shown->error = g_dbus_message_get_error_name(message);
        g_hash_table_insert(client->replies, GUINT_TO_POINTER(shown->reply_serial), entry);
    }
    g_ptr_array_add(client->log, entry);
}

guint vb_bus_client_position(VbBusClient *client)
{
    GDBusMessage *message;

    while ((message = g_async_queue_try_pop(client->incoming)) != NULL)
        keep_message(client, message);
    return client->log->len;
}

/* ---- the connection ---------------------------------------------------------------------------
 */

static GDBusConnection *connect_to(const char *address)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection =
        g_dbus_connection_new_for_address_sync(address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);

    g_assert_no_error(error);
    return connection;
}

static VbBusClient *client_new(GDBusConnection *connection)
{
    VbBusClient *client = g_new0(VbBusClient, 1);
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GError) error = NULL;

    client->incoming = g_async_queue_new_full(g_object_unref);
    client->log = g_ptr_array_new_with_free_func((GDestroyNotify)log_entry_free);
    client->replies = g_hash_table_new(NULL, NULL);
    client->connection = connection;
    client->filter = g_dbus_connection_add_filter(client->connection, on_message,
                                                  g_async_queue_ref(client->incoming),
                                                  (GDestroyNotify)g_async_queue_unref);
    reply = g_dbus_connection_call_sync(
        client->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        "AddMatch", g_variant_new("(s)", "type='signal',sender='" VB_BUS_NAME "'"), NULL,
        G_DBUS_CALL_FLAGS_NONE, VB_WAIT_SECONDS * 1000, NULL, &error);
    g_assert_no_error(error);
    return client;
}

VbBusClient *vb_bus_client_new(VbBusFixture *fixture)
{
    return client_new(connect_to(vb_bus_fixture_address(fixture)));
}

VbBusClient *vb_bus_client_new_as(VbBusFixture *fixture, uid_t uid)
{
    GDBusConnection *connection;

    g_assert_cmpint(setresuid(uid, uid, 0), ==, 0);
    connection = connect_to(vb_bus_fixture_address(fixture));
    g_assert_cmpint(setresuid(0, 0, 0), ==, 0);
    return client_new(connection);
}

void vb_bus_client_free(VbBusClient *client)
{
    if (client == NULL)
        return;
    g_dbus_connection_remove_filter(client->connection, client->filter);
    if (!g_dbus_connection_is_closed(client->connection))
        g_dbus_connection_close_sync(client->connection, NULL, NULL);
    g_object_unref(client->connection);
    g_async_queue_unref(client->incoming);
    g_hash_table_unref(client->replies);
    g_ptr_array_unref(client->log);
    g_free(client);
}

GDBusConnection *vb_bus_client_connection(VbBusClient *client)
{
    return client->connection;
}

/* ---- reading the log --------------------------------------------------------------------------
 */

const VbBusMessage *vb_bus_client_message(VbBusClient *client, guint index)
{
    LogEntry *entry;

    if (index >= vb_bus_client_position(client))
        return NULL;
    entry = g_ptr_array_index(client->log, index);
    return &entry->shown;
}

static gboolean is_signal(const VbBusMessage *message, const char *path, const char *interface,
                          const char *member)
{
    return message->type == G_DBUS_MESSAGE_TYPE_SIGNAL &&
           (path == NULL || g_str_equal(message->path, path)) &&
           (interface == NULL || g_str_equal(message->interface, interface)) &&
           (member == NULL || g_str_equal(message->member, member));
}

guint vb_bus_client_count(VbBusClient *client, guint from, const char *path, const char *interface,
                          const char *member)
{
    const VbBusMessage *message;
    guint n = 0;

    for (guint i = from; (message = vb_bus_client_message(client, i)) != NULL; i++)
        n += is_signal(message, path, interface, member);
    return n;
}

void vb_bus_client_dump(VbBusClient *client, guint from)
{
    const VbBusMessage *message;

    for (guint i = from; (message = vb_bus_client_message(client, i)) != NULL; i++) {
        g_autofree char *body = g_variant_print(message->body, FALSE);

        if (message->type == G_DBUS_MESSAGE_TYPE_SIGNAL)
            g_test_message("%u: signal %s %s.%s %s", i, message->path, message->interface,
                           message->member, body);
        else
            g_test_message("%u: reply to %u %s %s", i, message->reply_serial,
                           message->error != NULL ? message->error : "", body);
    }
}

/* The message at the index, which may still have to come. */
static const VbBusMessage *await_message(VbBusClient *client, guint index, guint from,
                                         gint64 deadline, const char *what)
{
    const VbBusMessage *message;

    while ((message = vb_bus_client_message(client, index)) == NULL)
        if (!vb_wait_turn(deadline)) {
            vb_bus_client_dump(client, from);
            g_error("after message %u there was no %s", from, what);
        }
    return message;
}

const VbBusMessage *vb_bus_client_next_signal(VbBusClient *client, guint *position,
                                              const char *path, const char *interface,
                                              const char *member)
{
    gint64 deadline = vb_wait_deadline();

    for (guint i = *position;; i++) {
        const VbBusMessage *message =
            await_message(client, i, *position, deadline, member != NULL ? member : "signal");

        if (is_signal(message, path, interface, member)) {
            *position = i + 1;
            return message;
        }
    }
}

static gboolean is_change(const VbBusMessage *message, const char *path, const char *interface,
                          const char *property, GVariant **ret_value)
{
    g_autoptr(GVariant) changed = NULL;
    g_autofree const char **invalidated = NULL;
    const char *changed_interface;

    if (!is_signal(message, path, VB_IFACE_PROPERTIES, "PropertiesChanged"))
        return FALSE;
    g_variant_get(message->body, "(&s@a{sv}^a&s)", &changed_interface, &changed, &invalidated);
    if (!g_str_equal(changed_interface, interface))
        return FALSE;
    *ret_value = g_variant_lookup_value(changed, property, NULL);
    return *ret_value != NULL || g_strv_contains(invalidated, property);
}

GVariant *vb_bus_client_next_change(VbBusClient *client, guint *position, const char *path,
                                    const char *interface, const char *property)
{
    gint64 deadline = vb_wait_deadline();
    GVariant *value = NULL;

    for (guint i = *position;; i++) {
        const VbBusMessage *message = await_message(client, i, *position, deadline, property);

        if (is_change(message, path, interface, property, &value)) {
            *position = i + 1;
            return value;
        }
    }
}

const VbBusMessage *vb_bus_client_next_reply(VbBusClient *client, guint *position, guint32 serial)
{
    gint64 deadline = vb_wait_deadline();

    for (guint i = *position;; i++) {
        const VbBusMessage *message = await_message(client, i, *position, deadline, "reply");

        if (message->reply_serial == serial) {
            *position = i + 1;
            return message;
        }
    }
}

const VbBusMessage *vb_bus_client_reply(VbBusClient *client, guint32 serial)
{
    LogEntry *entry;

    vb_bus_client_position(client);
    entry = g_hash_table_lookup(client->replies, GUINT_TO_POINTER(serial));
    return entry != NULL ? &entry->shown : NULL;
}

/* ---- calls ------------------------------------------------------------------------------------
 */

static guint32 send_call(VbBusClient *client, GDBusMessageFlags flags, const char *path,
                         const char *interface, const char *method, GVariant *params)
{
    g_autoptr(GDBusMessage) message =
        g_dbus_message_new_method_call(VB_BUS_NAME, path, interface, method);
    g_autoptr(GError) error = NULL;
    guint32 serial = 0;

    g_dbus_message_set_flags(message, flags);
    if (params != NULL)
        g_dbus_message_set_body(message, params);
    g_dbus_connection_send_message(client->connection, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE,
                                   &serial, &error);
    g_assert_no_error(error);
    return serial;
}

guint32 vb_bus_client_send(VbBusClient *client, const char *path, const char *interface,
                           const char *method, GVariant *params)
{
    return send_call(client, G_DBUS_MESSAGE_FLAGS_NONE, path, interface, method, params);
}

guint32 vb_bus_client_send_interactive(VbBusClient *client, const char *path, const char *interface,
                                       const char *method, GVariant *params)
{
    return send_call(client, G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, path, interface,
                     method, params);
}

static const VbBusMessage *await_reply(VbBusClient *client, guint32 serial)
{
    const VbBusMessage *reply;
    gint64 deadline = vb_wait_deadline();

    while ((reply = vb_bus_client_reply(client, serial)) == NULL)
        if (!vb_wait_turn(deadline)) {
            vb_bus_client_dump(client, 0);
            g_error("no reply to call %u", serial);
        }
    return reply;
}

GVariant *vb_bus_client_finish(VbBusClient *client, guint32 serial)
{
    const VbBusMessage *reply = await_reply(client, serial);

    if (reply->error != NULL) {
        g_autofree char *text = g_variant_print(reply->body, FALSE);

        vb_bus_client_dump(client, 0);
        g_error("call %u failed: %s %s", serial, reply->error, text);
    }
    return g_variant_ref(reply->body);
}

char *vb_bus_client_finish_error(VbBusClient *client, guint32 serial, const char *error_name)
{
    const VbBusMessage *reply = await_reply(client, serial);
    g_autofree char *expected = strchr(error_name, '.') != NULL
                                    ? g_strdup(error_name)
                                    : g_strdup_printf("org.virtbus1.Error.%s", error_name);
    char *text;

    g_assert_cmpstr(reply->error, ==, expected);
    g_variant_get(reply->body, "(s)", &text);
    return text;
}

GVariant *vb_bus_client_call(VbBusClient *client, const char *path, const char *interface,
                             const char *method, GVariant *params)
{
    return vb_bus_client_finish(client,
                                vb_bus_client_send(client, path, interface, method, params));
}

char *vb_bus_client_call_error(VbBusClient *client, const char *path, const char *interface,
                               const char *method, GVariant *params, const char *error_name)
{
    guint32 serial = vb_bus_client_send(client, path, interface, method, params);

    return vb_bus_client_finish_error(client, serial, error_name);
}

void vb_bus_client_do(VbBusClient *client, const char *path, const char *interface,
                      const char *method)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, path, interface, method, g_variant_new_parsed("(@a{sv} {},)"));
}

void vb_bus_client_sync(VbBusClient *client)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_ROOT, VB_IFACE_PEER, "Ping", NULL);
}

/* ---- properties and objects -------------------------------------------------------------------
 */

GVariant *vb_bus_client_get(VbBusClient *client, const char *path, const char *interface,
                            const char *property)
{
    g_autoptr(GVariant) reply = vb_bus_client_call(client, path, VB_IFACE_PROPERTIES, "Get",
                                                   g_variant_new("(ss)", interface, property));
    GVariant *value;

    g_variant_get(reply, "(v)", &value);
    return value;
}

char *vb_bus_client_get_string(VbBusClient *client, const char *path, const char *interface,
                               const char *property)
{
    g_autoptr(GVariant) value = vb_bus_client_get(client, path, interface, property);

    return g_variant_dup_string(value, NULL);
}

void vb_bus_client_wait_string(VbBusClient *client, const char *path, const char *interface,
                               const char *property, const char *value)
{
    guint position = vb_bus_client_position(client);
    g_autoptr(GVariant) now = vb_bus_client_get(client, path, interface, property);

    while (!g_str_equal(g_variant_get_string(now, NULL), value)) {
        g_variant_unref(now);
        now = vb_bus_client_next_change(client, &position, path, interface, property);
    }
}

gboolean vb_bus_client_has_object(VbBusClient *client, const char *path)
{
    g_autoptr(GVariant) reply = vb_bus_client_call(client, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                                                   "GetManagedObjects", NULL);
    g_autoptr(GVariant) objects = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) object = g_variant_lookup_value(objects, path, NULL);

    return object != NULL;
}

/* ---- domains ----------------------------------------------------------------------------------
 */

char *vb_bus_test_domain_xml(const char *name, const char *metadata)
{
    return g_strdup_printf("<domain type='test'>\n"
                           "  <name>%s</name>\n"
                           "  %s%s%s\n"
                           "  <memory unit='MiB'>64</memory>\n"
                           "  <vcpu>2</vcpu>\n"
                           "  <os><type arch='x86_64'>hvm</type></os>\n"
                           "  <devices>\n"
                           "    <disk type='file' device='disk'>\n"
                           "      <driver name='qemu' type='qcow2'/>\n"
                           "      <source file='/images/%s.qcow2'/>\n"
                           "      <backingStore type='file'>\n"
                           "        <format type='qcow2'/>\n"
                           "        <source file='/images/base.qcow2'/>\n"
                           "        <backingStore/>\n"
                           "      </backingStore>\n"
                           "      <target dev='vda' bus='virtio'/>\n"
                           "    </disk>\n"
                           "  </devices>\n"
                           "</domain>\n",
                           name, metadata != NULL ? "<metadata>" : "",
                           metadata != NULL ? metadata : "", metadata != NULL ? "</metadata>" : "",
                           name);
}

char *vb_bus_client_define(VbBusClient *client, const char *xml)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain",
                           g_variant_new_parsed("(%s, @a{sv} {})", xml));
    char *path;

    g_variant_get(reply, "(o)", &path);
    return path;
}

char *vb_bus_client_start_domain(VbBusClient *client, const char *name, const char *metadata)
{
    g_autofree char *xml = vb_bus_test_domain_xml(name, metadata);
    char *path = vb_bus_client_define(client, xml);

    vb_bus_client_do(client, path, VB_IFACE_DOMAIN, "Start");
    return path;
}
