/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules between the parts of network interfaces, and between the interfaces of a domain: a part
 * of vb_domain_def_validate(), which calls it. */
#pragma once

#include "domain-def.h"

/* Errors: as vb_domain_def_validate(), and VB_ERROR_LIMITS_EXCEEDED for too many port forwards. */
gboolean vb_domain_def_check_interfaces(const VbDomainDef *def, GError **error);
