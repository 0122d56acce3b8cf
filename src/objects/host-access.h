/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The stronger action that a document or a path needs when it names something of the host outside
 * the image directories: otherwise who may define a domain or a network would be root. Called by
 * the VbPrepare of every method that takes one. */
#pragma once

#include "call.h"
#include "host-resource.h"
#include "host.h"

/* Asks for the action (domain.host-access or the network's) for each of them (VbHostResource) that
 * needs it, with its `path` and `use`: who may reach one thing may not yet reach another that the
 * same document names. */
void vb_host_access_require(VbCall *call, VbHost *host, const char *action,
                            const GPtrArray *resources);

/* Read the next argument, a document, and ask for what it needs. NULL: InvalidXml … */
VbDomainDef *vb_host_access_read_domain(VbCall *call, VbHost *host, GError **error);
VbNetworkDef *vb_host_access_read_network(VbCall *call, VbHost *host, GError **error);
