/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbDirtySet: the properties that have changed and were not yet told, for registry.c, which says
 * when to flush. By itself it does so at the end of the main-loop iteration. */
#pragma once

#include "object.h"

typedef struct VbDirtySet VbDirtySet;

/* Attaches to the thread-default main context. bus outlives it. */
VbDirtySet *vb_dirty_set_new(sd_bus *bus);
void vb_dirty_set_free(VbDirtySet *set); /* forgets what is dirty; accepts NULL */

/* The facet, with its bits, stays until the next flush. */
void vb_dirty_set_mark(VbDirtySet *set, VbFacet *facet, guint property);
void vb_dirty_set_flush(VbDirtySet *set);
