/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The file in which an emulator's capabilities are kept. It lies in a cache directory, and counts
 * only for the binary that it was made from. */
#include "caps-cache.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void check_caps(const VbQemuCaps *caps)
{
    const VbQemuMachine *machine = vb_qemu_caps_machine(caps, NULL);

    g_assert(vb_qemu_caps_package(caps) && vb_qemu_caps_arch(caps)[0]);
    g_assert(vb_qemu_caps_version(caps) < 1000 * 1000 * 1000);
    if (machine)
        g_assert(vb_qemu_caps_canonical_machine(caps, machine->name));
    g_assert(!vb_qemu_caps_has_device(caps, "") && !vb_qemu_caps_has_command(caps, "") &&
             !vb_qemu_caps_has_cpu(caps, ""));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    const char *text = (const char *)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(VbQemuCaps) caps = NULL, stale = NULL;

    if (vb_caps_cache_parse(text, size, "/usr/bin/qemu", "stamp", &caps, &error)) {
        g_assert_no_error(error);
        if (caps)
            check_caps(caps);
    } else {
        g_assert(error && !caps);
    }
    g_clear_error(&error);
    g_assert(vb_caps_cache_parse(text, size, "/usr/bin/qemu", "another", &stale, &error) ==
             (error == NULL));
    g_assert(!caps || !stale);
    return 0;
}
