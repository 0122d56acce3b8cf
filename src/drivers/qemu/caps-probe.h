/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Asks an emulator binary what it can do: a QEMU without a machine, for some 50 ms, with its
 * monitor on an inherited socket. Called by the capability cache only.
 */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "launcher.h"

#define VB_CAPS_PROBE_TIMEOUT_MS 10000u

/* Never blocks; the process is killed when it has answered, failed or let `timeout_ms` pass. `by`
 * NULL: a child, as who we are. Errors: VB_ERROR_HYPERVISOR,
 * VB_ERROR_TIMEOUT; both name the emulator. */
void vb_caps_probe_async(const char *emulator, const VbLaunchBy *by, guint timeout_ms,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data);

/* The replies to vb_qemu_caps_queries, for vb_qemu_caps_new(). */
JsonObject *vb_caps_probe_finish(GAsyncResult *result, GError **error);
