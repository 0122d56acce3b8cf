/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GDBus calls to virtbusd on the bus that the global options name. */
#include "connection.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

/* GDBus takes -1 for 25 s; its largest number means no limit. */
#define NO_TIMEOUT G_MAXINT

gboolean vb_cli_connect(VbCli *cli, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autofree char *address = NULL;

    if (cli->connection != NULL)
        return TRUE;
    /* The refusals that are told from the others. */
    g_dbus_error_register_error(VB_ERROR, VB_ERROR_BLOCK_JOB_ENDING,
                                "org.virtbus1.Error.BlockJobEnding");
    g_dbus_error_register_error(VB_ERROR, VB_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired");
    address = cli->address != NULL ? g_strdup(cli->address)
                                   : g_dbus_address_get_for_bus_sync(cli->bus, NULL, &local_error);
    if (address != NULL)
        cli->connection = g_dbus_connection_new_for_address_sync(
            address,
            G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
            NULL, NULL, &local_error);
    if (cli->connection == NULL) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "cannot connect to the %s: %s",
                    cli->address != NULL             ? "bus"
                    : cli->bus == G_BUS_TYPE_SESSION ? "session bus"
                                                     : "system bus",
                    local_error->message);
        return FALSE;
    }
    return TRUE;
}

void vb_cli_clear(VbCli *cli)
{
    g_clear_pointer(&cli->agent, vb_tty_agent_stop);
    g_clear_object(&cli->connection);
}

gboolean vb_cli_error_is_absence(const GError *error)
{
    return g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY);
}

static void improve_message(GError *error)
{
    g_dbus_error_strip_remote_error(error);
    if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
        g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
        g_prefix_error(&error, "virtbusd is not running on this bus: ");
    else if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY))
        g_prefix_error(&error, "virtbusd went away before it answered: ");
}

static GVariant *call(VbCli *cli, const char *path, const char *interface, const char *method,
                      GVariant *parameters, const char *reply_type, GDBusCallFlags flags,
                      GError **error)
{
    return g_dbus_connection_call_sync(cli->connection, VB_BUS_NAME, path, interface, method,
                                       parameters, G_VARIANT_TYPE(reply_type), flags, NO_TIMEOUT,
                                       NULL, error);
}

GVariant *vb_cli_call(VbCli *cli, const char *path, const char *interface, const char *method,
                      GVariant *parameters, const char *reply_type, GError **error)
{
    g_autoptr(GVariant) sunk = g_variant_ref_sink(parameters);
    g_autoptr(GError) local_error = NULL;
    GVariant *reply;

    if (!vb_cli_connect(cli, error))
        return NULL;
    reply =
        call(cli, path, interface, method, sunk, reply_type, G_DBUS_CALL_FLAGS_NONE, &local_error);
    if (g_error_matches(local_error, VB_ERROR, VB_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED)) {
        g_clear_error(&local_error);
        if (cli->agent == NULL && (cli->address != NULL || cli->bus == G_BUS_TYPE_SYSTEM))
            cli->agent = vb_tty_agent_start(cli->address);
        reply = call(cli, path, interface, method, sunk, reply_type,
                     G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, &local_error);
    }
    if (reply == NULL) {
        improve_message(local_error);
        g_propagate_error(error, g_steal_pointer(&local_error));
    }
    return reply;
}

void vb_cli_call_async(VbCli *cli, const char *path, const char *interface, const char *method,
                       GVariant *parameters, const char *reply_type, GCancellable *cancellable,
                       GAsyncReadyCallback callback, gpointer user_data)
{
    g_dbus_connection_call(cli->connection, VB_BUS_NAME, path, interface, method, parameters,
                           G_VARIANT_TYPE(reply_type),
                           G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, NO_TIMEOUT,
                           cancellable, callback, user_data);
}

GVariant *vb_cli_call_finish(GObject *connection, GAsyncResult *result, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    GVariant *reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(connection), result, &local_error);

    if (reply == NULL) {
        improve_message(local_error);
        g_propagate_error(error, g_steal_pointer(&local_error));
    }
    return reply;
}

GVariant *vb_cli_get_properties(VbCli *cli, const char *path, const char *interface, GError **error)
{
    g_autoptr(GVariant) reply = vb_cli_call(cli, path, VB_PROPERTIES_INTERFACE, "GetAll",
                                            g_variant_new("(s)", interface), "(a{sv})", error);

    return reply != NULL ? g_variant_get_child_value(reply, 0) : NULL;
}

void vb_cli_print_json(GVariant *value)
{
    g_autoptr(GVariant) sunk = g_variant_ref_sink(value);
    g_autofree char *text = json_gvariant_serialize_data(sunk, NULL);

    printf("%s\n", text);
    fflush(stdout);
}
