/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking domains up. The daemon finds names and UUIDs; ids are only a property, so a number makes
 * us read the list, in pages, because a large host's does not fit one message. */
#include "domain-ref.h"

#include <string.h>

void vb_domain_ref_free(VbDomainRef *domain)
{
    if (domain == NULL)
        return;
    g_free(domain->path);
    g_clear_pointer(&domain->properties, g_variant_unref);
    g_free(domain);
}

const char *vb_domain_ref_get_string(const VbDomainRef *domain, const char *property)
{
    const char *value = "";

    g_variant_lookup(domain->properties, property, "&s", &value);
    return value;
}

guint32 vb_domain_ref_get_id(const VbDomainRef *domain)
{
    guint32 id = 0;

    g_variant_lookup(domain->properties, "Id", "u", &id);
    return id;
}

GVariant *vb_domain_ref_to_json(const VbDomainRef *domain)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(domain->properties);

    g_variant_dict_insert(&dict, "Path", "o", domain->path);
    return g_variant_dict_end(&dict);
}

/* Takes path and properties over. */
static VbDomainRef *domain_ref_new(char *path, GVariant *properties)
{
    VbDomainRef *domain = g_new0(VbDomainRef, 1);

    domain->path = path;
    domain->properties = properties;
    return domain;
}

static int compare(gconstpointer a, gconstpointer b)
{
    const VbDomainRef *left = *(const VbDomainRef *const *)a;
    const VbDomainRef *right = *(const VbDomainRef *const *)b;
    guint32 left_id = vb_domain_ref_get_id(left), right_id = vb_domain_ref_get_id(right);

    if (left_id != right_id) {
        if (left_id == 0 || right_id == 0)
            return left_id == 0 ? 1 : -1;
        return left_id < right_id ? -1 : 1;
    }
    return strcmp(vb_domain_ref_get_string(left, "Name"), vb_domain_ref_get_string(right, "Name"));
}

GPtrArray *vb_domain_ref_list(VbCli *cli, GError **error)
{
    g_autoptr(GPtrArray) domains =
        g_ptr_array_new_with_free_func((GDestroyNotify)vb_domain_ref_free);
    g_autofree char *cursor = g_strdup("");

    do {
        g_autoptr(GVariantIter) objects = NULL;
        g_autoptr(GVariant) reply = NULL;
        GVariant *interfaces;
        char *path;

        reply = vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, "GetObjects",
                            g_variant_new("(ssua{sv})", "domain", cursor, 0, NULL),
                            "(a{oa{sa{sv}}}s)", error);
        if (reply == NULL)
            return NULL;
        g_clear_pointer(&cursor, g_free);
        g_variant_get(reply, "(a{oa{sa{sv}}}s)", &objects, &cursor);
        while (g_variant_iter_next(objects, "{o@a{sa{sv}}}", &path, &interfaces)) {
            GVariant *properties =
                g_variant_lookup_value(interfaces, VB_DOMAIN_INTERFACE, G_VARIANT_TYPE_VARDICT);

            if (properties != NULL)
                g_ptr_array_add(domains, domain_ref_new(path, properties));
            else
                g_free(path);
            g_variant_unref(interfaces);
        }
    } while (cursor[0] != '\0');

    g_ptr_array_sort(domains, compare);
    return g_steal_pointer(&domains);
}

/* Sets *ret_domain to NULL when no running domain has that id. */
static gboolean find_by_id(VbCli *cli, const char *text, VbDomainRef **ret_domain, GError **error)
{
    g_autoptr(GPtrArray) domains = NULL;
    VbDomainRef *found = NULL;
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

VbDomainRef *vb_domain_ref_lookup(VbCli *cli, const VbArgs *args, GError **error)
{
    const char *text = vb_args_get(args, "domain");
    g_autofree char *path = NULL;
    VbDomainRef *domain = NULL;
    GVariant *properties;

    if (!find_by_id(cli, text, &domain, error))
        return NULL;
    if (domain != NULL)
        return domain;
    /* A domain may have something like a UUID for its name: the answer on the name counts. */
    if (g_uuid_string_is_valid(text))
        path = get_path(cli, "GetDomainByUuid", text, NULL);
    if (path == NULL)
        path = get_path(cli, "GetDomainByName", text, error);
    if (path == NULL)
        return NULL;
    properties = vb_cli_get_properties(cli, path, VB_DOMAIN_INTERFACE, error);
    return properties != NULL ? domain_ref_new(g_steal_pointer(&path), properties) : NULL;
}
