/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Aliases: QEMU's ids of the devices, named as libvirt names them. Called by domain-address.c. */
#pragma once

#include "domain-def.h"

/* Gives each device that has none an alias; addresses must have been assigned. Errors:
 * VB_ERROR_INVALID_XML: what must be its name is another's alias (which is not a user's "ua-…"). */
gboolean vb_domain_def_assign_aliases(VbDomainDef *def, GError **error);
