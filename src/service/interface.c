/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checks our interface tables and turns them into sd_bus_vtables. Every method is marked
 * unprivileged there: whether the caller may is the authority's question, not sd-bus's. */
#include "interface.h"

#include <gio/gio.h>
#include <string.h>

#include "error.h"

struct VbVtable {
    sd_bus_vtable *entries;
    GPtrArray *names; /* the names strings that entries point to, owned */
};

const VbMethod *vb_interface_find_method(const VbInterface *interface, const char *member)
{
    for (const VbMethod *m = interface->methods; m != NULL && m->member != NULL; m++) {
        if (strcmp(m->member, member) == 0)
            return m;
    }
    return NULL;
}

const VbSignal *vb_interface_find_signal(const VbInterface *interface, const char *name)
{
    for (const VbSignal *s = interface->signals; s != NULL && s->name != NULL; s++) {
        if (strcmp(s->name, name) == 0)
            return s;
    }
    return NULL;
}

int vb_interface_find_property(const VbInterface *interface, const char *name)
{
    const VbProperty *properties = interface->properties;

    for (int i = 0; properties != NULL && properties[i].name != NULL; i++) {
        /* sd-bus mostly hands back the pointer that it was given: no need to compare the text */
        if (properties[i].name == name || strcmp(properties[i].name, name) == 0)
            return i;
    }
    return -1;
}

/* The number of complete types, or -1. */
static int count_types(const char *signature)
{
    const char *end;
    int n = 0;

    if (signature == NULL || !g_variant_is_signature(signature))
        return -1;
    for (; *signature != '\0'; signature = end, n++) {
        if (!g_variant_type_string_scan(signature, NULL, &end))
            return -1;
    }
    return n;
}

static int count_words(const char *words)
{
    g_auto(GStrv) list = NULL;

    if (words == NULL)
        return -1;
    if (*words == '\0')
        return 0;
    list = g_strsplit(words, " ", -1);
    for (guint i = 0; list[i] != NULL; i++) {
        if (!g_dbus_is_member_name(list[i]))
            return -1;
    }
    return (int)g_strv_length(list);
}

static gboolean check_arguments(const char *signature, const char *names)
{
    int n = count_types(signature);

    return n >= 0 && n == count_words(names);
}

G_GNUC_PRINTF(4, 5)
static gboolean fault(GError **error, const VbInterface *interface, const char *member,
                      const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "interface %s, member %s: %s", interface->name,
                member, text);
    return FALSE;
}

static gboolean check_method(const VbInterface *interface, const VbMethod *method, GError **error)
{
    if (!g_dbus_is_member_name(method->member) ||
        vb_interface_find_method(interface, method->member) != method)
        return fault(error, interface, method->member, "not a name, or not the only one");
    if (!check_arguments(method->in, method->in_names) ||
        !check_arguments(method->out, method->out_names))
        return fault(error, interface, method->member, "signatures and names do not fit");
    if (method->access.kind != VB_ACCESS_PUBLIC &&
        (method->access.kind != VB_ACCESS_ACTION || method->access.action == NULL ||
         *method->access.action == '\0'))
        return fault(error, interface, method->member, "neither an action nor public");
    if (method->handler == NULL)
        return fault(error, interface, method->member, "no handler");
    return TRUE;
}

static gboolean check_property(const VbInterface *interface, guint index, GError **error)
{
    const VbProperty *property = &interface->properties[index];

    if (index >= VB_INTERFACE_PROPERTIES_MAX)
        return fault(error, interface, property->name, "too many properties");
    if (!g_dbus_is_member_name(property->name) ||
        vb_interface_find_property(interface, property->name) != (int)index)
        return fault(error, interface, property->name, "not a name, or not the only one");
    if (count_types(property->signature) != 1)
        return fault(error, interface, property->name, "the signature is not one type");
    if (property->emits < VB_CONST || property->emits > VB_EMITS_INVALIDATES)
        return fault(error, interface, property->name, "it does not say what it emits");
    if (property->getter == NULL)
        return fault(error, interface, property->name, "no getter");
    return TRUE;
}

gboolean vb_interface_check(const VbInterface *interface, GError **error)
{
    if (interface->name == NULL || !g_dbus_is_interface_name(interface->name)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "'%s' is not the name of an interface",
                    interface->name != NULL ? interface->name : "");
        return FALSE;
    }
    for (const VbMethod *m = interface->methods; m != NULL && m->member != NULL; m++) {
        if (!check_method(interface, m, error))
            return FALSE;
    }
    for (guint i = 0; interface->properties != NULL && interface->properties[i].name != NULL; i++) {
        if (!check_property(interface, i, error))
            return FALSE;
    }
    for (const VbSignal *s = interface->signals; s != NULL && s->name != NULL; s++) {
        if (!g_dbus_is_member_name(s->name) || vb_interface_find_signal(interface, s->name) != s)
            return fault(error, interface, s->name, "not a name, or not the only one");
        if (!check_arguments(s->signature, s->names))
            return fault(error, interface, s->name, "signature and names do not fit");
    }
    return TRUE;
}

/* sd-bus wants each name followed by a NUL, and one more at the end. */
static const char *vtable_names(VbVtable *vtable, const char *in, const char *out)
{
    g_autofree char *words = g_strconcat(in, *in != '\0' ? " " : "", out, NULL);
    gsize length = strlen(words);
    char *names = g_malloc0(length + 2);

    memcpy(names, words, length);
    for (gsize i = 0; i < length; i++) {
        if (names[i] == ' ')
            names[i] = '\0';
    }
    g_ptr_array_add(vtable->names, names);
    return names;
}

static uint64_t property_flags(VbEmits emits)
{
    switch (emits) {
    case VB_EMITS_CHANGE:
        return SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
    case VB_EMITS_INVALIDATES:
        return SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION;
    case VB_CONST:
    default:
        return SD_BUS_VTABLE_PROPERTY_CONST;
    }
}

VbVtable *vb_vtable_new(const VbInterface *interface, sd_bus_message_handler_t on_method,
                        sd_bus_property_get_t on_property)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(sd_bus_vtable));
    VbVtable *vtable = g_new0(VbVtable, 1);
    sd_bus_vtable entry = SD_BUS_VTABLE_START(0);

    vtable->names = g_ptr_array_new_with_free_func(g_free);
    g_array_append_val(entries, entry);
    for (const VbMethod *m = interface->methods; m != NULL && m->member != NULL; m++) {
        entry = (sd_bus_vtable)SD_BUS_METHOD(m->member, m->in, m->out, on_method,
                                             SD_BUS_VTABLE_UNPRIVILEGED);
        entry.x.method.names = vtable_names(vtable, m->in_names, m->out_names);
        g_array_append_val(entries, entry);
    }
    for (const VbProperty *p = interface->properties; p != NULL && p->name != NULL; p++) {
        entry = (sd_bus_vtable)SD_BUS_PROPERTY(p->name, p->signature, on_property, 0,
                                               property_flags(p->emits));
        g_array_append_val(entries, entry);
    }
    for (const VbSignal *s = interface->signals; s != NULL && s->name != NULL; s++) {
        entry = (sd_bus_vtable)SD_BUS_SIGNAL(s->name, s->signature, 0);
        entry.x.signal.names = vtable_names(vtable, s->names, "");
        g_array_append_val(entries, entry);
    }
    entry = (sd_bus_vtable)SD_BUS_VTABLE_END;
    g_array_append_val(entries, entry);
    vtable->entries = (sd_bus_vtable *)g_array_free(g_steal_pointer(&entries), FALSE);
    return vtable;
}

const sd_bus_vtable *vb_vtable_entries(const VbVtable *vtable)
{
    return vtable->entries;
}

void vb_vtable_free(VbVtable *vtable)
{
    if (vtable == NULL)
        return;
    g_free(vtable->entries);
    g_ptr_array_unref(vtable->names);
    g_free(vtable);
}
