/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbCapsCache: the capabilities of each emulator binary, in memory and, over restarts, in a
 * directory. An entry counts for the file it was made from: same path, device, inode, size and
 * times. What is missing, stale or damaged is probed again. Owned by the QEMU driver.
 */
#pragma once

#include <gio/gio.h>

#include "caps.h"
#include "launcher.h"

typedef struct VbCapsCache VbCapsCache;

/* `directory` is made when something is to be stored in it. Who `by`
 * names, NULL: a child, as who we are, outlives it. */
VbCapsCache *vb_caps_cache_new(const char *directory, const VbLaunchBy *by);
/* Ends running probes; whoever waits for one gets G_IO_ERROR_CANCELLED. */
void vb_caps_cache_free(VbCapsCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbCapsCache, vb_caps_cache_free)

/* The capabilities of the binary at this absolute path. All who ask for the same one at a time
 * share one probe, so a cancellable leaves the probe alone; it makes the result
 * G_IO_ERROR_CANCELLED when the answer is there, at the latest after the probe's 10 s.
 * Errors: VB_ERROR_HYPERVISOR (missing, not executable, not QEMU), VB_ERROR_TIMEOUT; each names
 * the path. An error is not remembered. */
void vb_caps_cache_get_async(VbCapsCache *cache, const char *emulator, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer user_data);
VbQemuCaps *vb_caps_cache_get_finish(GAsyncResult *result, GError **error);

/* What was last got for this path, borrowed, or NULL: from memory, without a look at the file. */
VbQemuCaps *vb_caps_cache_peek(VbCapsCache *cache, const char *emulator);

/* The parser of a stored file: what it says of the binary at `emulator` with this stamp (transfer
 * full); NULL when it was made from another file or is of another format. Errors: VB_ERROR_FAILED,
 * VB_ERROR_HYPERVISOR: damaged. */
gboolean vb_caps_cache_parse(const char *data, gsize size, const char *emulator, const char *stamp,
                             VbQemuCaps **ret_caps, GError **error);
