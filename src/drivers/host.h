/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbHost: all domains and all jobs of this virtbusd, the drivers that serve them, and the files
 * behind them. main.c makes one; the manager object asks it; at a start it loads what is stored and
 * finds again what is running. */
#pragma once

#include "domain.h"
#include "job.h"
#include "paths.h"
#include "store.h"

/* Domains of one virtbusd, those that are being defined included. */
#define VB_HOST_DOMAINS_MAX 100000
/* Live jobs of all domains; each disk has at most one. */
#define VB_HOST_JOBS_MAX 4096

VbHost *vb_host_new(const VbPaths *paths, VbStore *store, const VbDriverEvents *events,
                    gpointer user_data);
void vb_host_free(VbHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbHost, vb_host_free)

/* `self` is handed to each operation, and dropped with `destroy` when the host is freed. */
void vb_host_add_driver(VbHost *host, const VbDriver *driver, gpointer self,
                        GDestroyNotify destroy);
/* Names of the drivers, NULL-terminated. (transfer container) */
const char **vb_host_drivers(VbHost *host);

/* Of the driver that serves domains of that type; NULL: there is none. */
const char *vb_host_driver_name(VbHost *host, VbDomainType type);

const VbPaths *vb_host_paths(const VbHost *host);

/* Where the files lie that a document may name without the right to reach into the host: see
 * vb_host_resource_needs_access(). Absolute, NULL-terminated, copied. NULL, as in the beginning: no
 * restriction. To be set before anything is exported. */
void vb_host_set_image_directories(VbHost *host, const char *const *directories);
const char *const *vb_host_image_directories(const VbHost *host);

/* Loads the stored definitions, the running domains and the active networks, reconnects all of them
 * in parallel under a deadline, which is 1 s for a domain and 5 s for a network. Afterwards
 * everything can be exported; recovered jobs are held until vb_host_announce(). A file that cannot
 * be read is set aside and stops nothing else. */
void vb_host_load_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_host_load_finish(VbHost *host, GAsyncResult *result, GError **error);
/* The name is owned and the objects are exported: recovered ends are signalled now, and networks
 * that are marked for it are started (once a boot), then such domains. */
void vb_host_announce(VbHost *host);

/* Asks all running guests to shut down, because the host does, and waits for their ends; not longer
 * than that. Only one at a time. Finish: how many run on. */
void vb_host_shutdown_guests_async(VbHost *host, guint seconds, GAsyncReadyCallback callback,
                                   gpointer user_data);
guint vb_host_shutdown_guests_finish(VbHost *host, GAsyncResult *result);

/* Defines a domain, or defines an existing one (same UUID and name) again. Takes `def`.
 * Errors: INVALID_XML, DOMAIN_EXISTS, NOT_SUPPORTED, BUSY, LIMITS_EXCEEDED. Finish: (transfer
 * full). */
void vb_host_define_async(VbHost *host, VbDomainDef *def, guint uid, GAsyncReadyCallback callback,
                          gpointer user_data);
/* Defines a transient domain and starts it. */
void vb_host_create_async(VbHost *host, VbDomainDef *def, VbDomainOpFlags flags, guint uid,
                          GAsyncReadyCallback callback, gpointer user_data);
VbDomain *vb_host_define_finish(VbHost *host, GAsyncResult *result, GError **error);
VbDomain *vb_host_create_finish(VbHost *host, GAsyncResult *result, GError **error);
/* As define, but only for this domain: another UUID or name in `def` is INVALID_ARGS. */
void vb_domain_redefine_async(VbDomain *domain, VbDomainDef *def, GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean vb_domain_redefine_finish(VbDomain *domain, GAsyncResult *result, GError **error);

VbHost *vb_domain_host(const VbDomain *domain);

/* Borrowed, or NULL. */
VbDomain *vb_host_domain_by_name(VbHost *host, const char *name);
VbDomain *vb_host_domain_by_uuid(VbHost *host, const char *uuid);
VbDomain *vb_host_domain_by_id(VbHost *host, guint id);
/* Borrowed VbDomain pointers, in the order of their UUIDs. (transfer container) */
GPtrArray *vb_host_domains(VbHost *host);
