/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Domain: a domain as the bus sees it. The object's data is the VbDomain. */
#pragma once

#include "domain.h"
#include "registry.h"

extern const VbInterface vb_domain_interface;

/* The domain's VbDescribe, which that of its jobs begins with. */
void vb_domain_object_describe(gpointer domain, VbDetails *details);

/* The domain's properties have changed. */
void vb_domain_object_changed(VbRegistry *registry, VbObject *object, VbDomainProps props);
/* Emits Lifecycle. */
void vb_domain_object_lifecycle(VbRegistry *registry, VbObject *object, const char *event,
                                const char *reason);
