/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What every test of the real daemon stands on: a private dbus-daemon and a virtbusd below one
 * temporary directory, and clients that keep all that the daemon says to them in the order of the
 * wire. Everything waits in the main loop under a deadline; a wait that fails prints the log and
 * aborts, and so does a daemon that ends when nobody asked it to.
 *
 *   g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
 *   VbBusClient *client = vb_bus_fixture_client(fixture);
 *   g_autofree char *domain = vb_bus_client_define(client, xml);
 *   guint position = vb_bus_client_position(client);
 *   guint32 serial = vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Start",
 *                                       g_variant_new_parsed("(@a{sv} {},)"));
 *   vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "State");
 *   vb_bus_client_next_reply(client, &position, serial);     (only after the change)
 */
#pragma once

#include <gio/gio.h>

#include "wait.h"

#define VB_BUS_NAME "org.virtbus1"
#define VB_PATH_ROOT "/org/virtbus1"
#define VB_PATH_MANAGER "/org/virtbus1/manager"
#define VB_IFACE_MANAGER "org.virtbus1.Manager"
#define VB_IFACE_DOMAIN "org.virtbus1.Domain"
#define VB_IFACE_BLOCK "org.virtbus1.Domain.Block"
#define VB_IFACE_JOB "org.virtbus1.Job"
#define VB_IFACE_BLOCK_JOB "org.virtbus1.BlockJob"
#define VB_IFACE_NETWORK "org.virtbus1.Network"
#define VB_IFACE_PROPERTIES "org.freedesktop.DBus.Properties"
#define VB_IFACE_OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define VB_IFACE_PEER "org.freedesktop.DBus.Peer"
#define VB_IFACE_INTROSPECTABLE "org.freedesktop.DBus.Introspectable"

/* ---- the bus and the daemon -------------------------------------------------------------------
 */

typedef struct VbBusFixture VbBusFixture;
typedef struct VbBusClient VbBusClient;

typedef enum {
    VB_BUS_FIXTURE_NONE = 0,
    VB_BUS_FIXTURE_SESSION = 1 << 0,   /* virtbusd --session */
    VB_BUS_FIXTURE_NO_DAEMON = 1 << 1, /* the bus only; vb_bus_fixture_start_daemon() when wanted */
    VB_BUS_FIXTURE_SYSTEM_POLICY = 1 << 2, /* a bus with the policy of a system bus, and ours */
    VB_BUS_FIXTURE_DEBUG = 1 << 3,         /* virtbusd --debug, on the test's stderr */
} VbBusFixtureFlags;

/* The bus, the daemon (its name is taken) and one client. */
VbBusFixture *vb_bus_fixture_new(VbBusFixtureFlags flags);
/* Ends the daemon, which must exit with 0 (that is where leaks show), then the bus; removes all. */
void vb_bus_fixture_free(VbBusFixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbBusFixture, vb_bus_fixture_free)

const char *vb_bus_fixture_address(VbBusFixture *fixture);
const char *vb_bus_fixture_dir(VbBusFixture *fixture);  /* for the test's own files too */
const char *vb_bus_fixture_root(VbBusFixture *fixture); /* the daemon's --root */
VbBusClient *vb_bus_fixture_client(VbBusFixture *fixture);
GPid vb_bus_fixture_daemon_pid(VbBusFixture *fixture); /* 0: not running */

/* Spawned processes die with the test, whatever ends it. argv ends with NULL. */
GSubprocess *vb_bus_fixture_spawn(VbBusFixture *fixture, const char *const *argv,
                                  GSubprocessFlags flags);
/* Waits for its end. The exit status; -1 when a signal ended it. */
int vb_bus_fixture_wait_exit(VbBusFixture *fixture, GSubprocess *process);
/* The built virtbusd. */
const char *vb_bus_fixture_daemon_path(void);

/* Returns when the name is owned. */
void vb_bus_fixture_start_daemon(VbBusFixture *fixture);
/* One with more environment ("NAME=value", NULL at the end), which may end at any moment. Returns
 * when the name is owned, or it has ended already; await_daemon_exit() is owed. */
void vb_bus_fixture_start_doomed_daemon(VbBusFixture *fixture, const char *const *environment);
/* SIGTERM; it must exit with 0. */
void vb_bus_fixture_stop_daemon(VbBusFixture *fixture);
/* SIGKILL; returns when it is reaped and the bus has seen it go. */
void vb_bus_fixture_kill_daemon(VbBusFixture *fixture);
/* The test asks for the daemon's end in another way: wait for it. The exit status, -1: a signal. */
int vb_bus_fixture_await_daemon_exit(VbBusFixture *fixture);
/* Ends the bus under everybody. Only the daemon's exit can be waited for then. */
void vb_bus_fixture_kill_bus(VbBusFixture *fixture);
/* Does anybody own org.virtbus1 now? For daemons that the test has spawned itself. */
gboolean vb_bus_fixture_name_is_owned(VbBusFixture *fixture);

/* ---- a client ---------------------------------------------------------------------------------
 */

/* One message from the daemon. Owned by the client's log. */
typedef struct {
    guint index; /* in the log */
    GDBusMessageType type;
    const char *path, *interface, *member; /* of a signal, else NULL */
    guint32 reply_serial;                  /* of a reply or an error, else 0 */
    const char *error;                     /* name; NULL unless it is an error */
    GVariant *body;                        /* a tuple; never NULL */
} VbBusMessage;

/* A connection of its own, subscribed to every signal of virtbusd. */
VbBusClient *vb_bus_client_new(VbBusFixture *fixture);
/* The same as another user, which root may do: one that this system knows, as dbus-daemon turns
 * away whom it cannot look up. */
VbBusClient *vb_bus_client_new_as(VbBusFixture *fixture, uid_t uid);
/* Closes the connection. Accepts NULL. */
void vb_bus_client_free(VbBusClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbBusClient, vb_bus_client_free)
GDBusConnection *vb_bus_client_connection(VbBusClient *client);

/* Where the log ends now: what comes later has this index or a higher one. */
guint vb_bus_client_position(VbBusClient *client);
/* NULL behind the end. */
const VbBusMessage *vb_bus_client_message(VbBusClient *client, guint index);
/* Signals at or after `from`; NULLs match everything. */
guint vb_bus_client_count(VbBusClient *client, guint from, const char *path, const char *interface,
                          const char *member);
/* Prints the log from there on, as test messages. */
void vb_bus_client_dump(VbBusClient *client, guint from);

/* Each waits for the first match at or after *position and sets *position behind it: so a row of
 * them asserts an order. path, interface and member may be NULL. */
const VbBusMessage *vb_bus_client_next_signal(VbBusClient *client, guint *position,
                                              const char *path, const char *interface,
                                              const char *member);
/* A PropertiesChanged that has the property; its value, or NULL when it was only invalidated.
 * (transfer full) */
GVariant *vb_bus_client_next_change(VbBusClient *client, guint *position, const char *path,
                                    const char *interface, const char *property);
/* The reply or the error. */
const VbBusMessage *vb_bus_client_next_reply(VbBusClient *client, guint *position, guint32 serial);
/* Has it come yet? NULL: no. */
const VbBusMessage *vb_bus_client_reply(VbBusClient *client, guint32 serial);

/* Sends a call and returns its serial; floating params are taken, NULL is no argument. */
guint32 vb_bus_client_send(VbBusClient *client, const char *path, const char *interface,
                           const char *method, GVariant *params);
/* The same with a person at the keyboard: interactive authorization is allowed. */
guint32 vb_bus_client_send_interactive(VbBusClient *client, const char *path, const char *interface,
                                       const char *method, GVariant *params);
/* Sends it and waits. An error fails the test. The body. (transfer full) */
GVariant *vb_bus_client_call(VbBusClient *client, const char *path, const char *interface,
                             const char *method, GVariant *params);
/* Must fail with this error: "Busy" stands for org.virtbus1.Error.Busy, a name with dots for
 * itself. The message. (transfer full) */
char *vb_bus_client_call_error(VbBusClient *client, const char *path, const char *interface,
                               const char *method, GVariant *params, const char *error_name);
/* The same for a call that was sent before. */
GVariant *vb_bus_client_finish(VbBusClient *client, guint32 serial);
char *vb_bus_client_finish_error(VbBusClient *client, guint32 serial, const char *error_name);
/* A round trip: what the daemon said before is in the log. */
void vb_bus_client_sync(VbBusClient *client);

/* The daemon's answer now. (transfer full) */
GVariant *vb_bus_client_get(VbBusClient *client, const char *path, const char *interface,
                            const char *property);
char *vb_bus_client_get_string(VbBusClient *client, const char *path, const char *interface,
                               const char *property);
/* Waits until a string property has the value (asks once, then follows its changes). */
void vb_bus_client_wait_string(VbBusClient *client, const char *path, const char *interface,
                               const char *property, const char *value);
/* Is there such an object? */
gboolean vb_bus_client_has_object(VbBusClient *client, const char *path);

/* ---- domains and jobs -------------------------------------------------------------------------
 */

/* A domain of the test driver with a disk "vda" (/images/<name>.qcow2 on /images/base.qcow2);
 * `metadata` is put into <metadata>, NULL: none. */
char *vb_bus_test_domain_xml(const char *name, const char *metadata);
/* Manager.DefineDomain. The object path. */
char *vb_bus_client_define(VbBusClient *client, const char *xml);
/* Defines and starts a vb_bus_test_domain_xml(). */
char *vb_bus_client_start_domain(VbBusClient *client, const char *name, const char *metadata);
/* A method without other arguments than the options: Start, Destroy, Cancel … */
void vb_bus_client_do(VbBusClient *client, const char *path, const char *interface,
                      const char *method);
