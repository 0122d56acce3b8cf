/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbBus: the daemon's one connection to the bus, driven by the main loop. It owns the one message
 * filter, counts messages for each sender, and tells when one has left the bus. main.c opens it;
 * registry, authority and call send through it. Nothing here waits for the bus. */
#pragma once

#include <gio/gio.h>
#include <systemd/sd-bus.h>

#include "admission.h"
#include "sender.h"

typedef struct VbBus VbBus;

typedef enum {
    VB_BUS_SYSTEM,
    VB_BUS_SESSION,
} VbBusKind;

/* Sees every method call before anybody answers it. TRUE: the call has been answered here. */
typedef gboolean (*VbBusFilter)(sd_bus_message *message, gpointer data);
typedef void (*VbBusClosed)(VbBus *bus, gpointer data);
/* A connection that has left the bus, by its unique name; its VbSender is forgotten already. */
typedef void (*VbBusSenderGone)(const char *name, gpointer data);

/* Connects to address, or without one (NULL) to the usual bus of that kind. Returns before the bus
 * has answered: messages sent meanwhile are queued. Attaches to the thread-default context. */
VbBus *vb_bus_open(VbBusKind kind, const char *address, GError **error);

/* The same around a connection that has been started (a socketpair); takes a reference on it. */
VbBus *vb_bus_new(sd_bus *connection);

/* Sends what is queued, closes, and detaches from the main loop. Called at the daemon's end, when
 * no loop runs any more: may wait for the bus to read. No closed callback follows. */
void vb_bus_close(VbBus *bus);

/* Closes without sending what is queued, when vb_bus_close() was not called. Accepts NULL. */
void vb_bus_free(VbBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbBus, vb_bus_free)

/* The connection, borrowed. */
sd_bus *vb_bus_connection(VbBus *bus);

/* Called once from the main loop when the connection is lost (or was never established). */
void vb_bus_set_closed_func(VbBus *bus, VbBusClosed closed, gpointer data);

/* Signals are heard of the bus itself and of this sender, by its unique name. One; NULL takes it
 * away. */
void vb_bus_set_trusted(VbBus *bus, const char *name);

/* One filter; NULL takes it away. */
void vb_bus_set_filter(VbBus *bus, VbBusFilter filter, gpointer data);

/* Who serves calls that had to wait for their turn (admission.h); NULL takes it away. */
void vb_bus_set_late_server(VbBus *bus, const VbAdmissionServer *server, gpointer data);

/* Takes a well-known name, without queueing and without replacing its owner. A name that somebody
 * else owns is VB_ERROR_BUSY. */
void vb_bus_own_name_async(VbBus *bus, const char *name, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer data);
gboolean vb_bus_own_name_finish(VbBus *bus, GAsyncResult *result, GError **error);

/* Called from the main loop for every connection that leaves the bus, whether it ever sent us
 * anything or not, after all that it sent. One; NULL takes it away. */
void vb_bus_set_sender_gone_func(VbBus *bus, VbBusSenderGone gone, gpointer data);

/* Who has sent messages, and how many. */
VbSenders *vb_bus_senders(VbBus *bus);
