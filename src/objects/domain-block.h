/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Domain.Block: block jobs are started and ended here, and what becomes of them is
 * told. On the domain's object, where its driver can do block jobs; the data is the VbDomain. */
#pragma once

#include "job.h"
#include "registry.h"

extern const VbInterface vb_domain_block_interface;

/* Emits BlockJobReady for a job of the domain. */
void vb_domain_block_ready(VbRegistry *registry, VbObject *domain, const VbJob *job);
/* Emits the terminal signal that belongs to the result of a concluded job. */
void vb_domain_block_concluded(VbRegistry *registry, VbObject *domain, const VbJob *job);
