/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See changes.h. */
#include "changes.h"

void vb_changes_mark(const VbChange *changes, guint bits, VbRegistry *registry, VbObject *object,
                     const VbInterface *interface)
{
    for (const VbChange *change = changes; change->property; change++)
        if (bits & change->bit)
            vb_registry_mark_dirty(registry, object, interface, change->property, change->flags);
}
