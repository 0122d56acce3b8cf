/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NetHost: a machine as virtbusd sees one, in a network namespace of its own, with the daemon on a
 * private bus (tests/lib/bus-fixture.h); and a second namespace, "outside", which is all that the
 * machine's one cable leads to. When the host goes, its links, addresses, routes, queueing
 * disciplines, rules and processes are line by line what they were before there was a daemon.
 *
 *     g_autoptr(NetHost) host = net_host_new_for_guests();
 *     if (host == NULL)
 *         return;                                  (skipped, the reason is said)
 *     const char *network = net_host_network(host, "<network>…</network>");
 */
#pragma once

#include "bus-fixture.h"

#define NET_HOST_ADDRESS "198.51.100.1" /* of up0, which leads to the gateway */
#define NET_HOST_ADDRESS6 "2001:db8:51::1"
#define NET_GATEWAY "198.51.100.2"
#define NET_GATEWAY6 "2001:db8:51::2"
#define NET_OUTSIDE_ADDRESS "203.0.113.1" /* behind it */
#define NET_OUTSIDE_ADDRESS6 "2001:db8:113::1"

typedef struct NetHost NetHost;

/* The calling thread is in the host's namespace from then on. NULL, and the test is skipped: this
 * needs root; for guests also what scripts/guest-image makes. */
NetHost *net_host_new(void);
NetHost *net_host_new_for_guests(void);
/* Destroys and undefines the networks, which no guest may use any more, ends the daemon, compares
 * what is left with what was. Accepts NULL. */
void net_host_free(NetHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetHost, net_host_free)

VbBusFixture *net_host_fixture(NetHost *host);
VbBusClient *net_host_client(NetHost *host);

/* Run a shell command in the namespace; it must succeed. Its output. (transfer full) */
char *net_host_run(NetHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);
char *net_outside_run(NetHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Does it succeed? */
gboolean net_outside_try(NetHost *host, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Until the device has a carrier, of which the kernel tells a little later. */
void net_host_await_up(NetHost *host, const char *device);

/* Defines a network. Its object. (transfer full) */
char *net_host_define(NetHost *host, const char *xml);
/* Defines one, starts it, and ends it with the host. Its object. Owned by the host. */
const char *net_host_network(NetHost *host, const char *xml);

/* Links, addresses, routes, queueing disciplines and rules, as the programs that list them tell.
 * (transfer full) */
char *net_host_state(NetHost *host);
/* What there is now is what shall be there in the end: the test itself has changed it. */
void net_host_note_state(NetHost *host);
/* Line by line. */
void net_assert_same_state(const char *before, const char *after);
/* The processes in the host's namespace: "pid name" each, in the order of their ids. But for the
 * one that asks. (transfer full) */
GPtrArray *net_host_processes(NetHost *host);
/* The one with that name; 0: there is none. */
GPid net_host_process(NetHost *host, const char *name);

/* ---- a server ---------------------------------------------------------------------------------
 */

/* Says "ADDRESS\n" of the peer to whoever connects, then `size` bytes of zeros, and closes; a
 * NET_SERVER_SINK says nothing and reads to the end. In the namespace outside or in the host's, on
 * all addresses. */
typedef struct NetServer NetServer;

#define NET_SERVER_SINK (-1)

NetServer *net_server_new(NetHost *host, gboolean outside, gssize size);
void net_server_free(NetServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetServer, net_server_free)

guint16 net_server_port(NetServer *server);
/* Bytes that were read from connections that have ended. */
gsize net_server_received(NetServer *server);
