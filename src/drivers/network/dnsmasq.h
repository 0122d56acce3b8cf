/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbDnsmasq: the DHCP and name server of one active network: dnsmasq(8), started through the
 * launcher, so that it outlives the daemon and is found again; supervised while there is a
 * daemon: one that was killed is started again. Its leases come by its script (lease-helper-main.c)
 * to a socket in the network's run-time directory, and after a restart from its lease file. */
#pragma once

#include "launcher.h"
#include "lease.h"
#include "network-def.h"

typedef struct {
    const VbLauncher *launcher;
    gpointer launcher_self;
    const char *lease_helper; /* path of virtbus-lease-helper */
    const char *user; /* who it runs as once it has its sockets, and its script; NULL: who we are */
} VbDnsmasqOptions;

typedef struct {
    /* All leases as they are now: of VbLease (transfer full). */
    void (*leases)(GPtrArray *leases, gpointer user_data);
    /* Another process now: what vb_dnsmasq_save() says has changed. */
    void (*changed)(gpointer user_data);
} VbDnsmasqEvents;

typedef struct VbDnsmasq VbDnsmasq;

/* Does the network need one? It has addresses, and DHCP, router advertisements or DNS to serve. */
gboolean vb_dnsmasq_is_needed(const VbNetworkDef *def);

/* `run_dir` is the network's (vb_network_run_dir()). Events come from the start or the attach on.
 */
VbDnsmasq *vb_dnsmasq_new(const VbDnsmasqOptions *options, const char *run_dir,
                          const VbDnsmasqEvents *events, gpointer user_data);
/* Lets go of it: the process runs on. An operation in progress ends with an error. */
void vb_dnsmasq_free(VbDnsmasq *dnsmasq);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDnsmasq, vb_dnsmasq_free)

/* Writes its configuration, starts it, and returns when it serves: the bridge must be up. Returns a
 * boolean; an error has the last line of its log, and nothing is left. */
void vb_dnsmasq_start_async(VbDnsmasq *dnsmasq, const VbNetworkDef *def,
                            GAsyncReadyCallback callback, gpointer user_data);
/* Finds the process of the record again and reads its leases; one that is gone is started again.
 * When that start fails, the error is returned, and more starts follow, as after any unwanted end.
 */
void vb_dnsmasq_attach_async(VbDnsmasq *dnsmasq, const VbNetworkDef *def, GKeyFile *record,
                             const char *group, GAsyncReadyCallback callback, gpointer user_data);
/* The definition has changed: static hosts and names are read again, all else is a restart, in
 * which leases are kept. After an error all is as it was: what dnsmasq refuses is tested before,
 * and what it cannot serve gives way to the former configuration. */
void vb_dnsmasq_update_async(VbDnsmasq *dnsmasq, const VbNetworkDef *def,
                             GAsyncReadyCallback callback, gpointer user_data);
/* Ends it (SIGTERM, after 5 s SIGKILL) and returns when it has ended. */
void vb_dnsmasq_stop_async(VbDnsmasq *dnsmasq, GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_dnsmasq_finish(GAsyncResult *result, GError **error);

/* Ends a process that an interrupted start or stop has left on record, if it is one. */
void vb_dnsmasq_clean(const char *run_dir, GKeyFile *record, const char *group);

/* A start at once, when it is not there and its supervision makes a pause (0, 1, 2, 4 … 60 s). */
void vb_dnsmasq_revive(VbDnsmasq *dnsmasq);

/* Process id and start time, into that group of the record. */
void vb_dnsmasq_save(const VbDnsmasq *dnsmasq, GKeyFile *record, const char *group);
