/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs qemu-img, launched as the rest is: nothing on its input, its output bounded (1 MiB), killed
 * after 10 s or when the caller's cancellable says so. Called by image-chain.c and
 * image-chain-create.c only. */
#pragma once

#include <gio/gio.h>

#include "launcher.h"

/* `arguments` are qemu-img's own, without its name, NULL-terminated; copied. `by` NULL:
 * a child, as who we are. Finish: what it printed. Errors: VB_ERROR_FAILED with qemu-img's
 * own words when it failed, VB_ERROR_TIMEOUT, VB_ERROR_HYPERVISOR when it printed too much,
 * G_IO_ERROR_CANCELLED, VB_ERROR_NOT_SUPPORTED when there is none. */
void vb_image_tool_async(const char *const *arguments, const VbLaunchBy *by,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data);
GBytes *vb_image_tool_finish(GAsyncResult *result, GError **error);
