/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking objects up. The daemon finds names and UUIDs; a domain's id is only a property, so a
 * number makes us read the list, in pages, because a large host's does not fit one message. */
#include "object-ref.h"

#include <string.h>

/* ---- one object -------------------------------------------------------------------------------
 */

void vb_object_ref_free(VbObjectRef *ref)
{
    if (ref == NULL)
        return;
    g_free(ref->path);
    g_clear_pointer(&ref->properties, g_variant_unref);
    g_free(ref);
}

const char *vb_object_ref_get_string(const VbObjectRef *ref, const char *property)
{
    const char *value = "";

    g_variant_lookup(ref->properties, property, "&s", &value);
    return value;
}

gboolean vb_object_ref_get_boolean(const VbObjectRef *ref, const char *property)
{
    gboolean value = FALSE;

    g_variant_lookup(ref->properties, property, "b", &value);
    return value;
}

guint32 vb_domain_ref_get_id(const VbObjectRef *domain)
{
    guint32 id = 0;

    g_variant_lookup(domain->properties, "Id", "u", &id);
    return id;
}

gboolean vb_network_ref_is_active(const VbObjectRef *network)
{
    return g_str_equal(vb_object_ref_get_string(network, "State"), "active");
}

GVariant *vb_object_ref_to_json(const VbObjectRef *ref)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(ref->properties);

    g_variant_dict_insert(&dict, "Path", "o", ref->path);
    return g_variant_dict_end(&dict);
}

void vb_object_ref_print_json(const GPtrArray *refs)
{
    g_auto(GVariantBuilder) array = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (guint i = 0; i < refs->len; i++)
        g_variant_builder_add_value(&array, vb_object_ref_to_json(refs->pdata[i]));
    vb_cli_print_json(g_variant_builder_end(&array));
}

GVariant *vb_object_ref_struct_to_json(GVariant *value, const char *const *members, gsize n_members)
{
    g_auto(GVariantBuilder) pairs = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) more = g_variant_get_child_value(value, n_members);
    GVariant *pair;
    GVariantIter iter;

    for (gsize i = 0; i < n_members; i++) {
        g_autoptr(GVariant) member = g_variant_get_child_value(value, i);

        g_variant_builder_add(&pairs, "{sv}", members[i], member);
    }
    g_variant_iter_init(&iter, more);
    while ((pair = g_variant_iter_next_value(&iter)) != NULL) {
        g_variant_builder_add_value(&pairs, pair);
        g_variant_unref(pair);
    }
    return g_variant_builder_end(&pairs);
}

/* Takes path and properties over. */
static VbObjectRef *object_ref_new(char *path, GVariant *properties)
{
    VbObjectRef *ref = g_new0(VbObjectRef, 1);

    ref->path = path;
    ref->properties = properties;
    return ref;
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static GPtrArray *list(VbCli *cli, const char *kind, const char *interface, GCompareFunc compare,
                       GError **error)
{
    g_autoptr(GPtrArray) refs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_object_ref_free);
    g_autofree char *cursor = g_strdup("");

    do {
        g_autoptr(GVariantIter) objects = NULL;
        g_autoptr(GVariant) reply = NULL;
        GVariant *interfaces;
        char *path;

        reply = vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, "GetObjects",
                            g_variant_new("(ssua{sv})", kind, cursor, 0, NULL), "(a{oa{sa{sv}}}s)",
                            error);
        if (reply == NULL)
            return NULL;
        g_clear_pointer(&cursor, g_free);
        g_variant_get(reply, "(a{oa{sa{sv}}}s)", &objects, &cursor);
        while (g_variant_iter_next(objects, "{o@a{sa{sv}}}", &path, &interfaces)) {
            GVariant *properties =
                g_variant_lookup_value(interfaces, interface, G_VARIANT_TYPE_VARDICT);

            if (properties != NULL)
                g_ptr_array_add(refs, object_ref_new(path, properties));
            else
                g_free(path);
            g_variant_unref(interfaces);
        }
    } while (cursor[0] != '\0');

    g_ptr_array_sort(refs, compare);
    return g_steal_pointer(&refs);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    const VbObjectRef *left = *(const VbObjectRef *const *)a;
    const VbObjectRef *right = *(const VbObjectRef *const *)b;

    return strcmp(vb_object_ref_get_string(left, "Name"), vb_object_ref_get_string(right, "Name"));
}

static int compare_domains(gconstpointer a, gconstpointer b)
{
    guint32 left_id = vb_domain_ref_get_id(*(const VbObjectRef *const *)a);
    guint32 right_id = vb_domain_ref_get_id(*(const VbObjectRef *const *)b);

    if (left_id != right_id) {
        if (left_id == 0 || right_id == 0)
            return left_id == 0 ? 1 : -1;
        return left_id < right_id ? -1 : 1;
    }
    return compare_names(a, b);
}

GPtrArray *vb_domain_ref_list(VbCli *cli, GError **error)
{
    return list(cli, "domain", VB_DOMAIN_INTERFACE, compare_domains, error);
}

GPtrArray *vb_network_ref_list(VbCli *cli, GError **error)
{
    return list(cli, "network", VB_NETWORK_INTERFACE, compare_names, error);
}

/* ---- lookups ----------------------------------------------------------------------------------
 */

static char *get_path(VbCli *cli, const char *method, const char *text, GError **error)
{
    g_autoptr(GVariant) reply = vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, method,
                                            g_variant_new("(sa{sv})", text, NULL), "(o)", error);
    char *path;

    if (reply == NULL)
        return NULL;
    g_variant_get(reply, "(o)", &path);
    return path;
}

/* `by_uuid` and `by_name` are methods of the manager. */
static VbObjectRef *find(VbCli *cli, const char *text, const char *by_uuid, const char *by_name,
                         const char *interface, GError **error)
{
    g_autofree char *path = NULL;
    GVariant *properties;

    /* An object may have something like a UUID for its name: the answer on the name counts. */
    if (g_uuid_string_is_valid(text))
        path = get_path(cli, by_uuid, text, NULL);
    if (path == NULL)
        path = get_path(cli, by_name, text, error);
    if (path == NULL)
        return NULL;
    properties = vb_cli_get_properties(cli, path, interface, error);
    return properties != NULL ? object_ref_new(g_steal_pointer(&path), properties) : NULL;
}

/* Sets *ret_domain to NULL when no running domain has that id. */
static gboolean find_by_id(VbCli *cli, const char *text, VbObjectRef **ret_domain, GError **error)
{
    g_autoptr(GPtrArray) domains = NULL;
    VbObjectRef *found = NULL;
    guint64 id;

    if (g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT32, &id, NULL)) {
        domains = vb_domain_ref_list(cli, error);
        if (domains == NULL)
            return FALSE;
        for (guint i = 0; i < domains->len && found == NULL; i++)
            if (vb_domain_ref_get_id(domains->pdata[i]) == id)
                found = g_ptr_array_steal_index(domains, i);
    }
    *ret_domain = found;
    return TRUE;
}

VbObjectRef *vb_domain_ref_lookup(VbCli *cli, const VbArgs *args, GError **error)
{
    const char *text = vb_args_get(args, "domain");
    VbObjectRef *domain = NULL;

    if (!find_by_id(cli, text, &domain, error))
        return NULL;
    if (domain != NULL)
        return domain;
    return find(cli, text, "GetDomainByUuid", "GetDomainByName", VB_DOMAIN_INTERFACE, error);
}

VbObjectRef *vb_network_ref_lookup(VbCli *cli, const VbArgs *args, GError **error)
{
    return find(cli, vb_args_get(args, "network"), "GetNetworkByUuid", "GetNetworkByName",
                VB_NETWORK_INTERFACE, error);
}
