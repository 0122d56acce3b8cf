/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of virtual networks on the bus share: calls, and a program whose daemons have real
 * bridges, firewall and name servers in a network namespace of its own. */
#pragma once

#include "bus-fixture.h"

#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define NOT_SUPPORTED "org.freedesktop.DBus.Error.NotSupported"
#define NO_OPTIONS "(@a{sv} {},)"

/* A document of which no process comes. */
#define BARE(name, bridge)                                                                         \
    "<network><name>" name "</name><bridge name='" bridge "'/><dns enable='no'/></network>"

/* A document with all that a property tells of; its bridge is lab0. */
#define LAB_UUID "6a1d7a52-2b7e-4bb8-9a3f-0f3c2c6d9e11"
#define LAB_PATH VB_PATH_ROOT "/network/6a1d7a52_2b7e_4bb8_9a3f_0f3c2c6d9e11"
extern const char lab_xml[];

/* What DefineNetwork, CreateNetwork or a lookup gives for the argument. */
char *network_get(VbBusClient *client, const char *method, const char *argument);
char *network_define(VbBusClient *client, const char *xml);
char *network_get_xml(VbBusClient *client, const char *path, gboolean inactive);

/* The call fails with that error, and the message has that part. */
void network_assert_manager_error(VbBusClient *client, const char *method, GVariant *params,
                                  const char *error, const char *part);
void network_assert_error(VbBusClient *client, const char *path, const char *method,
                          const char *params, const char *error, const char *part);

/* The property is that, as g_variant_print() has it. */
void network_assert_property(VbBusClient *client, const char *path, const char *name,
                             const char *expected);
/* ListNetworks gives these, with spaces between them. */
void network_assert_list(VbBusClient *client, const char *options, const char *expected);

/* The next signal of the kind, as vb_bus_client_next_signal(): Lifecycle with that event,
 * InterfacesAdded and InterfacesRemoved of that object. */
void network_assert_event(VbBusClient *client, guint *position, const char *path,
                          const char *expected);
void network_assert_added(VbBusClient *client, guint *position, const char *path);
void network_assert_removed(VbBusClient *client, guint *position, const char *path);

/* A shell command in the namespace, which must succeed. Its output. (transfer full) */
char *network_shell(VbBusFixture *fixture, const char *command);

/* The program: each test has a fixture, and its networks are gone afterwards. Tests that are not of
 * a session instance are skipped where there can be no namespace. To be called first in main(). */
typedef struct {
    const char *path;
    void (*test)(VbBusFixture *fixture);
    gboolean session;
} NetworkTest;
int network_run_tests(int argc, char **argv, const NetworkTest *tests, gsize n);
