/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command domstats: statistics of one domain or of all, as Manager.GetStats gives them. */
#include "handlers.h"

#include <stdio.h>

#include "object-ref.h"

/* What was asked for: nothing is all of them. */
static GVariant *groups_of(const VbArgs *args)
{
    static const char *const groups[] = {"state", "cpu-total", "balloon",
                                         "vcpu",  "interface", "block"};
    GVariantBuilder names = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_STRING_ARRAY);

    for (gsize i = 0; i < G_N_ELEMENTS(groups); i++)
        if (vb_args_has(args, groups[i]))
            g_variant_builder_add(&names, "s", groups[i]);
    return g_variant_builder_end(&names);
}

static char *format_value(GVariant *value)
{
    return g_variant_is_of_type(value, G_VARIANT_TYPE_STRING) ? g_variant_dup_string(value, NULL)
                                                              : g_variant_print(value, FALSE);
}

static void print_entry(const VbObjectRef *domain, GVariant *entry)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;

    printf("Domain: '%s'\n", vb_object_ref_get_string(domain, "Name"));
    g_variant_iter_init(&iter, entry);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value)) {
        g_autofree char *text = format_value(value);

        printf("  %s=%s\n", key, text);
    }
    printf("\n");
}

/* "Name" and the statistics. Floating. */
static GVariant *entry_to_json(const VbObjectRef *domain, GVariant *entry)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(entry);

    g_variant_dict_insert(&dict, "Name", "s", vb_object_ref_get_string(domain, "Name"));
    return g_variant_dict_end(&dict);
}

/* A domain that has gone meanwhile has no entry. */
static void print_stats(VbCli *cli, const GPtrArray *domains, GVariant *stats)
{
    g_auto(GVariantBuilder) array = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GHashTable) entries =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_variant_unref);
    GVariantIter iter;
    char *path;
    GVariant *entry;

    g_variant_iter_init(&iter, stats);
    while (g_variant_iter_next(&iter, "{o@a{sv}}", &path, &entry))
        g_hash_table_insert(entries, path, entry);
    for (guint i = 0; i < domains->len; i++) {
        const VbObjectRef *domain = domains->pdata[i];

        entry = g_hash_table_lookup(entries, domain->path);
        if (entry == NULL)
            continue;
        if (cli->json)
            g_variant_builder_add_value(&array, entry_to_json(domain, entry));
        else
            print_entry(domain, entry);
    }
    if (cli->json)
        vb_cli_print_json(g_variant_builder_end(&array));
}

/* NULL: an error. */
static GPtrArray *find_domains(VbCli *cli, const VbArgs *args, GError **error)
{
    GPtrArray *domains;
    VbObjectRef *domain;

    if (!vb_args_has(args, "domain"))
        return vb_domain_ref_list(cli, error);
    domain = vb_domain_ref_lookup(cli, args, error);
    if (domain == NULL)
        return NULL;
    domains = g_ptr_array_new_with_free_func((GDestroyNotify)vb_object_ref_free);
    g_ptr_array_add(domains, domain);
    return domains;
}

gboolean vb_cmd_domstats(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(GPtrArray) domains = find_domains(cli, args, error);
    GVariantBuilder paths = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
    g_autoptr(GVariant) reply = NULL, stats = NULL;

    if (domains == NULL) {
        g_variant_builder_clear(&paths);
        return FALSE;
    }
    if (vb_args_has(args, "domain"))
        g_variant_builder_add(&paths, "o", ((VbObjectRef *)domains->pdata[0])->path);
    reply = vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, "GetStats",
                        g_variant_new("(ao@asa{sv})", &paths, groups_of(args), NULL), "(a{oa{sv}})",
                        error);
    if (reply == NULL)
        return FALSE;
    stats = g_variant_get_child_value(reply, 0);
    print_stats(cli, domains, stats);
    return TRUE;
}
