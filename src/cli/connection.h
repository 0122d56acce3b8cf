/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The way from a command to virtbusd: which bus, the connection (opened by the first call, so a
 * usage error opens none), calls and their errors, and output that --json turns into a document.
 *
 * Calls wait as long as the daemon does: a polkit prompt or a cancel may take minutes. A call that
 * needs a person's consent is made again when there is somebody to ask. Errors carry the daemon's
 * message without GDBus's prefix. */
#pragma once

#include <gio/gio.h>

#include "command.h"
#include "tty-agent.h"

#define VB_BUS_NAME "org.virtbus1"
#define VB_MANAGER_PATH "/org/virtbus1/manager"
#define VB_MANAGER_INTERFACE "org.virtbus1.Manager"
#define VB_DOMAIN_INTERFACE "org.virtbus1.Domain"
#define VB_DOMAIN_BLOCK_INTERFACE "org.virtbus1.Domain.Block"
#define VB_NETWORK_INTERFACE "org.virtbus1.Network"
#define VB_JOB_INTERFACE "org.virtbus1.Job"
#define VB_BLOCK_JOB_INTERFACE "org.virtbus1.BlockJob"
#define VB_PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

struct VbCli {
    GBusType bus;        /* unless there is an address */
    const char *address; /* borrowed; NULL: the bus above */
    gboolean json;
    GDBusConnection *connection; /* NULL until vb_cli_connect() */
    VbTtyAgent *agent;           /* NULL until a call needs it, or where there is none */
};

gboolean vb_cli_connect(VbCli *cli, GError **error);
void vb_cli_clear(VbCli *cli);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VbCli, vb_cli_clear)

/* Calls virtbusd and waits for its reply, connecting first where need be. Sinks parameters; the
 * reply has the type reply_type. */
GVariant *vb_cli_call(VbCli *cli, const char *path, const char *interface, const char *method,
                      GVariant *parameters, const char *reply_type, GError **error);

/* The same without waiting; cli must be connected. */
void vb_cli_call_async(VbCli *cli, const char *path, const char *interface, const char *method,
                       GVariant *parameters, const char *reply_type, GCancellable *cancellable,
                       GAsyncReadyCallback callback, gpointer user_data);
GVariant *vb_cli_call_finish(GObject *connection, GAsyncResult *result, GError **error);

/* All properties of one interface, a{sv}. */
GVariant *vb_cli_get_properties(VbCli *cli, const char *path, const char *interface,
                                GError **error);

/* TRUE for the errors that say the daemon went away or was never there, not that it refused. */
gboolean vb_cli_error_is_absence(const GError *error);

/* One line, one document, on stdout; what an event's reader waits for is flushed. Sinks value. */
void vb_cli_print_json(GVariant *value);
