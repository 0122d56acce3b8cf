/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The capabilities of an emulator: strict reading of its replies, and answers from memory. */
#include "caps.h"

#include "error.h"
#include "json-get.h"

struct VbQemuCaps {
    JsonObject *replies; /* owns every string below */
    guint version;
    const char *package;
    const char *arch;
    GHashTable *machines; /* name and alias → VbQemuMachine, owned by machine_list */
    GPtrArray *machine_list;
    const VbQemuMachine *default_machine;
    GHashTable *types; /* sets of names */
    GHashTable *commands;
    GHashTable *cpus;
};

const char *const vb_qemu_caps_queries[] = {
    "query-version",         "query-target", "query-machines", "query-commands", "qom-list-types",
    "query-cpu-definitions", NULL,
};

static void caps_clear(gpointer data)
{
    VbQemuCaps *caps = data;

    g_clear_pointer(&caps->machines, g_hash_table_unref);
    g_clear_pointer(&caps->machine_list, g_ptr_array_unref);
    g_clear_pointer(&caps->types, g_hash_table_unref);
    g_clear_pointer(&caps->commands, g_hash_table_unref);
    g_clear_pointer(&caps->cpus, g_hash_table_unref);
    g_clear_pointer(&caps->replies, json_object_unref);
}

VbQemuCaps *vb_qemu_caps_ref(VbQemuCaps *caps)
{
    return g_atomic_rc_box_acquire(caps);
}

void vb_qemu_caps_unref(VbQemuCaps *caps)
{
    if (caps)
        g_atomic_rc_box_release_full(caps, caps_clear);
}

static gboolean unexpected(const char *query, GError **error)
{
    g_set_error(error, VB_ERROR, VB_ERROR_HYPERVISOR, "the reply to %s is not what QEMU would say",
                query);
    return FALSE;
}

static gboolean read_version(VbQemuCaps *caps, GError **error)
{
    JsonObject *reply = vb_json_get_object(caps->replies, "query-version");
    JsonObject *target = vb_json_get_object(caps->replies, "query-target");
    JsonObject *numbers = vb_json_get_object(reply, "qemu");
    guint64 major, minor, micro;

    if (!vb_json_get_size(numbers, "major", &major) ||
        !vb_json_get_size(numbers, "minor", &minor) ||
        !vb_json_get_size(numbers, "micro", &micro) || major > 999 || minor > 999 || micro > 999)
        return unexpected("query-version", error);
    caps->version = (guint)(major * 1000000 + minor * 1000 + micro);
    caps->package = vb_json_get_string(reply, "package");
    caps->arch = vb_json_get_string(target, "arch");
    if (!caps->package || !caps->arch || !*caps->arch)
        return unexpected(caps->package ? "query-target" : "query-version", error);
    return TRUE;
}

/* The "name" of every object of an array. NULL when the reply is something else. */
static GHashTable *read_names(JsonObject *replies, const char *query, GError **error)
{
    JsonArray *array = vb_json_get_array(replies, query);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; array && i < json_array_get_length(array); i++) {
        const char *name = vb_json_get_string(vb_json_array_object(array, i), "name");
        if (!name || !*name) {
            unexpected(query, error);
            return NULL;
        }
        g_hash_table_add(names, (char *)name);
    }
    if (g_hash_table_size(names) == 0) {
        unexpected(query, error);
        return NULL;
    }
    return g_steal_pointer(&names);
}

static gboolean read_machine(VbQemuCaps *caps, JsonObject *reply)
{
    VbQemuMachine *machine = g_new0(VbQemuMachine, 1);
    guint64 max_cpus = 0;

    g_ptr_array_add(caps->machine_list, machine);
    machine->name = vb_json_get_string(reply, "name");
    machine->alias = vb_json_get_string(reply, "alias");
    machine->default_cpu = vb_json_get_string(reply, "default-cpu-type");
    machine->default_ram_id = vb_json_get_string(reply, "default-ram-id");
    machine->is_default = vb_json_get_bool(reply, "is-default", FALSE);
    machine->is_deprecated = vb_json_get_bool(reply, "deprecated", FALSE);
    machine->has_hotpluggable_cpus = vb_json_get_bool(reply, "hotpluggable-cpus", FALSE);
    if (!machine->name || !*machine->name || !vb_json_get_size(reply, "cpu-max", &max_cpus) ||
        max_cpus > G_MAXINT)
        return FALSE;
    machine->max_cpus = (guint)max_cpus;

    g_hash_table_insert(caps->machines, (char *)machine->name, machine);
    if (machine->alias)
        g_hash_table_insert(caps->machines, (char *)machine->alias, machine);
    if (machine->is_default)
        caps->default_machine = machine;
    return TRUE;
}

static gboolean read_machines(VbQemuCaps *caps, GError **error)
{
    JsonArray *array = vb_json_get_array(caps->replies, "query-machines");

    caps->machines = g_hash_table_new(g_str_hash, g_str_equal);
    caps->machine_list = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; array && i < json_array_get_length(array); i++) {
        if (!read_machine(caps, vb_json_array_object(array, i)))
            return unexpected("query-machines", error);
    }
    return caps->machine_list->len > 0 || unexpected("query-machines", error);
}

VbQemuCaps *vb_qemu_caps_new(JsonObject *replies, GError **error)
{
    g_autoptr(VbQemuCaps) caps = g_atomic_rc_box_new0(VbQemuCaps);

    caps->replies = json_object_ref(replies);
    if (!read_version(caps, error) || !read_machines(caps, error) ||
        !(caps->types = read_names(replies, "qom-list-types", error)) ||
        !(caps->commands = read_names(replies, "query-commands", error)) ||
        !(caps->cpus = read_names(replies, "query-cpu-definitions", error)))
        return NULL;
    return g_steal_pointer(&caps);
}

guint vb_qemu_caps_version(const VbQemuCaps *caps)
{
    return caps->version;
}

const char *vb_qemu_caps_package(const VbQemuCaps *caps)
{
    return caps->package;
}

const char *vb_qemu_caps_arch(const VbQemuCaps *caps)
{
    return caps->arch;
}

const VbQemuMachine *vb_qemu_caps_machine(const VbQemuCaps *caps, const char *name)
{
    return name ? g_hash_table_lookup(caps->machines, name) : caps->default_machine;
}

const char *vb_qemu_caps_canonical_machine(const VbQemuCaps *caps, const char *name)
{
    const VbQemuMachine *machine = vb_qemu_caps_machine(caps, name);

    return machine ? machine->name : NULL;
}

gboolean vb_qemu_caps_has_device(const VbQemuCaps *caps, const char *type)
{
    return g_hash_table_contains(caps->types, type);
}

gboolean vb_qemu_caps_has_command(const VbQemuCaps *caps, const char *command)
{
    return g_hash_table_contains(caps->commands, command);
}

gboolean vb_qemu_caps_has_cpu(const VbQemuCaps *caps, const char *model)
{
    return g_hash_table_contains(caps->cpus, model);
}

gboolean vb_qemu_caps_has_spice(const VbQemuCaps *caps)
{
    return vb_qemu_caps_has_device(caps, "chardev-spicevmc");
}
