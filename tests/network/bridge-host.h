/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * BridgeHost: the core with the network driver, below a temporary directory and in the test
 * program's own network namespace: what bridge-*.c tests stand on. Calls are calls that return. */
#pragma once

#include "bridge-driver.h"
#include "error.h"
#include "host.h"
#include "wait.h"

/* The network "lan". */
#define UUID "6c7e8a4c-6f4b-4f0e-9b57-2b6d9a1f0001"
#define UUID2 "6c7e8a4c-6f4b-4f0e-9b57-2b6d9a1f0002"
#define BRIDGE "vbt0"

#define DOCUMENT(inner)                                                                            \
    "<network><name>lan</name><uuid>" UUID "</uuid><bridge name='" BRIDGE "'/>"                    \
    "<mac address='52:54:00:00:00:01'/>" inner "</network>"
#define IP                                                                                         \
    "<ip address='192.168.7.1' prefix='24'><dhcp>"                                                 \
    "<range start='192.168.7.100' end='192.168.7.200'/></dhcp></ip>"
#define NAT DOCUMENT("<forward mode='nat'/>" IP)

/* ---- the namespace ----------------------------------------------------------------------------
 */

/* In main(), before anything else. FALSE: not allowed to; the plan of tests is printed. Forwarding,
 * which stays on when the last network has gone, is on before the first. */
gboolean bridge_host_enter(void);
/* Runs it in a shell; it must succeed. What it printed. (transfer full) */
char *bridge_host_run(const char *format, ...) G_GNUC_PRINTF(1, 2);
#define BRIDGE_HOST_RUN(...) g_free(bridge_host_run(__VA_ARGS__))
/* (transfer full) */
char *bridge_host_rules(void);
/* Links, addresses, routes and rules, but for what the kernel counts, and for what it finds out by
 * and by: whether there is a carrier. (transfer full) */
char *bridge_host_snapshot(void);
gboolean bridge_host_has_bridge(void);
/* Of this thread, and of what it starts: of the firewall and of dnsmasq, not of links, whose thread
 * is there already. */
void bridge_host_set_net_admin(gboolean on);

/* ---- the host ---------------------------------------------------------------------------------
 */

typedef struct {
    char *root;
    VbPaths *paths;
    VbStore *store;
    VbHost *host;
} BridgeHost;

BridgeHost *bridge_host_new(void);
void bridge_host_free(BridgeHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BridgeHost, bridge_host_free)
/* The daemon ends, and the networks go on; and another one begins. */
void bridge_host_unload(BridgeHost *host);
void bridge_host_load(BridgeHost *host);

/* The host's. */
VbNetwork *bridge_host_define(BridgeHost *host, const char *xml);
VbNetwork *bridge_host_start(BridgeHost *host, const char *xml);
/* NAT, which must go as if nothing had been. */
void bridge_host_start_and_stop(BridgeHost *host);
gboolean bridge_host_operate(VbNetwork *network, VbNetworkOp op, GError **error);
void bridge_host_must_operate(VbNetwork *network, VbNetworkOp op);

/* A file of the run-time directory of "lan". (transfer full) */
char *bridge_host_run_file(BridgeHost *host, const char *name);
/* Its dnsmasq; 0: there is none. */
pid_t bridge_host_server_pid(BridgeHost *host);
/* There must be one. */
pid_t bridge_host_running_server(BridgeHost *host);
gboolean bridge_host_is_running(pid_t pid);
/* Who lives under one daemon and dies under the next is our child, whom nobody waits for. */
void bridge_host_await_death(pid_t pid);

/* ---- all the rest -----------------------------------------------------------------------------
 */

/* A GAsyncReadyCallback that keeps the result (transfer full) in the GAsyncResult *. */
void bridge_host_keep(GObject *source, GAsyncResult *result, gpointer kept);
/* One line, with these words. */
void bridge_host_assert_error(const GError *error, VbError code, const char *words);
void bridge_host_assert_contains(const char *text, const char *part);
