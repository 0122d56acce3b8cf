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

VbHost *vb_host_new(const VbPaths *paths, VbStore *store, const VbDriverEvents *events,
                    gpointer user_data);
void vb_host_free(VbHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbHost, vb_host_free)

/* `self` is handed to each operation, and dropped with `destroy` when the host is freed. */
void vb_host_add_driver(VbHost *host, const VbDriver *driver, gpointer self,
                        GDestroyNotify destroy);
/* Names of the drivers, NULL-terminated. (transfer container) */
const char **vb_host_drivers(VbHost *host);

const VbPaths *vb_host_paths(const VbHost *host);

/* Loads the stored definitions and the running domains, reconnects all of them in parallel under a
 * deadline of 1 s. Afterwards everything can be exported; recovered jobs are held until
 * vb_host_announce(). A file that cannot be read is set aside and stops nothing else. */
void vb_host_load_async(VbHost *host, GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_host_load_finish(VbHost *host, GAsyncResult *result, GError **error);
/* The name is owned and the objects are exported: recovered ends are signalled now, and domains
 * that are marked for it are started (once a boot). */
void vb_host_announce(VbHost *host);

/* Defines a domain from XML, or defines an existing one (same UUID and name) again.
 * Errors: INVALID_XML, DOMAIN_EXISTS, NOT_SUPPORTED, BUSY. Finish: (transfer full). */
void vb_host_define_async(VbHost *host, const char *xml, guint uid, GAsyncReadyCallback callback,
                          gpointer user_data);
/* Defines a transient domain and starts it. */
void vb_host_create_async(VbHost *host, const char *xml, VbDomainOpFlags flags, guint uid,
                          GAsyncReadyCallback callback, gpointer user_data);
VbDomain *vb_host_define_finish(VbHost *host, GAsyncResult *result, GError **error);
VbDomain *vb_host_create_finish(VbHost *host, GAsyncResult *result, GError **error);
/* As define, but only for this domain: another UUID or name in `xml` is INVALID_ARGS. */
void vb_domain_redefine_async(VbDomain *domain, const char *xml, GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean vb_domain_redefine_finish(VbDomain *domain, GAsyncResult *result, GError **error);

/* Borrowed, or NULL. */
VbDomain *vb_host_domain_by_name(VbHost *host, const char *name);
VbDomain *vb_host_domain_by_uuid(VbHost *host, const char *uuid);
VbDomain *vb_host_domain_by_id(VbHost *host, guint id);
/* Borrowed VbDomain pointers, in the order of their UUIDs. (transfer container) */
GPtrArray *vb_host_domains(VbHost *host);
