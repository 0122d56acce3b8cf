/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Statistics of active domains: asked of their hypervisors, one by one, each under a deadline, so
 * that a hypervisor that hangs keeps nobody for long. Called by the manager object. What a domain
 * knows without its hypervisor is not here: see vb_domain_summary(). */
#pragma once

#include "domain.h"

/* ms that a hypervisor is given. */
#define VB_DOMAIN_STATS_TIMEOUT 1000

/* "state", "cpu-total" …; VB_STATS_NONE: there is no such group. */
VbStatsGroups vb_stats_group_from_string(const char *name);

/* a{sv}, with the keys that Manager.GetStats documents, of an active domain. (transfer full)
 * Errors: TIMEOUT: not in time, or known not to answer; DOMAIN_NOT_RUNNING; NOT_SUPPORTED;
 * the driver's own. */
void vb_domain_stats_async(VbDomain *domain, VbStatsGroups groups, GAsyncReadyCallback callback,
                           gpointer user_data);
GVariant *vb_domain_stats_finish(VbDomain *domain, GAsyncResult *result, GError **error);
