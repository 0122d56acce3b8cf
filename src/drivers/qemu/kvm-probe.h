/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbKvmProbe: whether KVM works on this host, which /dev/kvm alone does not tell: there are hosts
 * where it opens and the guest then never runs. A helper runs a vCPU, once, when first asked for;
 * the verdict holds for the life of the probe. Owned by the QEMU driver.
 */
#pragma once

#include <gio/gio.h>

#include "launcher.h"

typedef struct VbKvmProbe VbKvmProbe;

#define VB_KVM_PROBE_TIMEOUT_MS 1000u

/* `helper` is the path of virtbus-kvm-probe. Who `by` names
 * outlives the probe; NULL: a child, as who we are. */
VbKvmProbe *vb_kvm_probe_new(const char *helper, const VbLaunchBy *by);
/* Kills a running helper; whoever waits for it hears that KVM does not work. */
void vb_kvm_probe_free(VbKvmProbe *probe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbKvmProbe, vb_kvm_probe_free)

/* Answers within VB_KVM_PROBE_TIMEOUT_MS, and at once when the verdict is known; all who ask
 * meanwhile share the helper. No cancellable: it takes a second at most. */
void vb_kvm_probe_ask_async(VbKvmProbe *probe, GAsyncReadyCallback callback, gpointer user_data);

/* TRUE, or VB_ERROR_NOT_SUPPORTED with the reason. */
gboolean vb_kvm_probe_ask_finish(GAsyncResult *result, GError **error);
