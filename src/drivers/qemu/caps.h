/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbQemuCaps: what one emulator binary can do, as it said itself. Immutable and shared.
 * Made from the replies of a probe (caps-probe.h), got through the cache (caps-cache.h), and read
 * by whatever checks a definition or builds a command line.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

typedef struct VbQemuCaps VbQemuCaps;

typedef struct {
    const char *name;           /* canonical: "pc-q35-7.2" */
    const char *alias;          /* "q35", or NULL */
    const char *default_cpu;    /* QOM type, or NULL */
    const char *default_ram_id; /* id of the memory backend that stands for plain -m, or NULL */
    guint max_cpus;
    gboolean is_default;
    gboolean is_deprecated;
    gboolean has_hotpluggable_cpus;
} VbQemuMachine;

/* The QMP commands whose replies are the capabilities, NULL-terminated; all without arguments. */
extern const char *const vb_qemu_caps_queries[];

/* `replies` has a member for each of the queries: the value of its "return". VB_ERROR_HYPERVISOR
 * when one is missing or not what QEMU would say. */
VbQemuCaps *vb_qemu_caps_new(JsonObject *replies, GError **error);
VbQemuCaps *vb_qemu_caps_ref(VbQemuCaps *caps);
void vb_qemu_caps_unref(VbQemuCaps *caps);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbQemuCaps, vb_qemu_caps_unref)

/* All that is returned below is borrowed from the capabilities. */

/* major * 1000000 + minor * 1000 + micro, as vb_qmp_version(). */
guint vb_qemu_caps_version(const VbQemuCaps *caps);
/* The packager's version text; may be empty. */
const char *vb_qemu_caps_package(const VbQemuCaps *caps);
/* The guest architecture, in QEMU's words: "x86_64". */
const char *vb_qemu_caps_arch(const VbQemuCaps *caps);

/* By canonical name or alias; NULL asks for the default machine. NULL when there is none. */
const VbQemuMachine *vb_qemu_caps_machine(const VbQemuCaps *caps, const char *name);
/* The canonical name of that machine, or NULL. */
const char *vb_qemu_caps_canonical_machine(const VbQemuCaps *caps, const char *name);

/* Whether -device (or -object, -chardev's "chardev-…") knows this type. */
gboolean vb_qemu_caps_has_device(const VbQemuCaps *caps, const char *type);
gboolean vb_qemu_caps_has_command(const VbQemuCaps *caps, const char *command);
/* A CPU model for -cpu. */
gboolean vb_qemu_caps_has_cpu(const VbQemuCaps *caps, const char *model);
/* Whether SPICE works: it can be compiled in and still lack its module. */
gboolean vb_qemu_caps_has_spice(const VbQemuCaps *caps);
