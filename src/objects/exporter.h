/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbExporter: what the core says, on the bus. It hears VbDriverEvents and keeps the objects of
 * domains, jobs and networks in step with them. main.c makes one before the host, and lets it
 * export when the host has loaded. What is heard before that, or after its end, needs no signal:
 * nobody can have subscribed. */
#pragma once

#include "host.h"
#include "registry.h"

typedef struct VbExporter VbExporter;

/* For vb_host_new(), with the exporter as user data. */
extern const VbDriverEvents vb_exporter_events;

VbExporter *vb_exporter_new(void);
/* Accepts NULL. */
void vb_exporter_free(VbExporter *exporter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbExporter, vb_exporter_free)

/* Exports the manager and all that the host has, without signals, and follows the host from now on.
 * The registry must be new. */
gboolean vb_exporter_start(VbExporter *exporter, VbRegistry *registry, VbHost *host,
                           GError **error);
/* Before the registry is freed. */
void vb_exporter_stop(VbExporter *exporter);
