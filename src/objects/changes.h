/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From the bits by which the core says what has changed to the properties that show it. */
#pragma once

#include "registry.h"

/* A table of these ends with {}. What is not merged comes last: marking it sends all that was
 * marked. */
typedef struct {
    guint bit;
    const char *property;
    VbDirtyFlags flags;
} VbChange;

/* Marks the properties of the bits dirty. */
void vb_changes_mark(const VbChange *changes, guint bits, VbRegistry *registry, VbObject *object,
                     const VbInterface *interface);
