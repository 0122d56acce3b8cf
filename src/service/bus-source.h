/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An sd-bus connection under a GMainContext: a GSource that polls the connection's fd, keeps its
 * timeouts, and processes its messages. Made by bus.c; tests use it for their clients. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/* The connection is gone, for good. Called once, from the main loop; the source is removed. */
typedef void (*VbBusClosedFunc)(sd_bus *bus, gpointer data);

/* Processes one message, as sd_bus_process() does, and returns what that returned. */
typedef int (*VbBusProcessFunc)(sd_bus *bus, gpointer data);

/* Holds a reference on the bus. Not attached yet: g_source_attach(). End it with
 * g_source_destroy() and g_source_unref(), which never calls closed. Both functions may be NULL. */
GSource *vb_bus_source_new(sd_bus *bus, VbBusProcessFunc process, VbBusClosedFunc closed,
                           gpointer data);
