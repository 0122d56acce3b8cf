/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbImageGate: on whose behalf images are opened, and what has to be passed before. A running VM
 * has one (vm-access.h); without one (NULL) qemu-img runs as who we are, and opens what it is told.
 */
#pragma once

#include "disk-def.h"
#include "file-access.h"
#include "launcher.h"

#include <gio/gio.h>

typedef struct {
    VbLaunchBy by;       /* who launches qemu-img */
    VbFileBounds bounds; /* image directories: no header of an image in one leads out of it */
    /* Before an image is opened: makes that possible, for reading or writing, or refuses. Its chain
     * is not looked at. Returns a boolean on the task (transfer full). */
    void (*admit)(gpointer self, const VbDiskSource *image, gboolean write, GTask *task);
    gpointer self;
} VbImageGate;
