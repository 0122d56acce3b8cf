/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Aliases: QEMU's ids of the devices, named as libvirt names them. Called by domain-address.c. */
#pragma once

#include "domain-def.h"

/* Gives each device that has none an alias; addresses must have been assigned. */
void vb_domain_def_assign_aliases(VbDomainDef *def);
