/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands about a domain's network interfaces: domiflist, domifaddr. The addresses are what
 * its networks have handed out to the interfaces. */
#include "handlers.h"

#include <stdio.h>

#include "act.h"
#include "lease-text.h"
#include "table.h"

/* One of Domain.Interfaces, a(ssssa{sv}). The strings belong to `value`. */
typedef struct {
    GVariant *value;
    const char *mac, *type, *source, *model;
    const char *target; /* the device on the host; "-" */
} Interface;

static void interface_free(gpointer data)
{
    Interface *interface = data;

    g_variant_unref(interface->value);
    g_free(interface);
}

static const char *dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

/* Of Interface. */
static GPtrArray *get_interfaces(const VbObjectRef *domain)
{
    GPtrArray *interfaces = g_ptr_array_new_with_free_func(interface_free);
    g_autoptr(GVariantIter) iter = NULL;
    GVariant *value;

    g_variant_lookup(domain->properties, "Interfaces", "a(ssssa{sv})", &iter);
    while (iter != NULL && (value = g_variant_iter_next_value(iter)) != NULL) {
        Interface *interface = g_new0(Interface, 1);
        g_autoptr(GVariant) more = g_variant_get_child_value(value, 4);

        interface->value = value;
        interface->target = "-";
        g_variant_get(value, "(&s&s&s&s@a{sv})", &interface->mac, &interface->type,
                      &interface->source, &interface->model, NULL);
        g_variant_lookup(more, "target", "&s", &interface->target);
        g_ptr_array_add(interfaces, interface);
    }
    return interfaces;
}

gboolean vb_cmd_domiflist(VbCli *cli, const VbArgs *args, GError **error)
{
    static const char *const members[] = {"mac", "type", "source", "model"};
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_auto(GVariantBuilder) array = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GPtrArray) interfaces = NULL;
    g_autoptr(VbTable) table = NULL;
    g_autofree char *text = NULL;

    if (domain == NULL)
        return FALSE;
    interfaces = get_interfaces(domain);
    table = vb_table_new("Interface", "Type", "Source", "Model", "MAC", NULL);
    for (guint i = 0; i < interfaces->len; i++) {
        const Interface *interface = interfaces->pdata[i];

        g_variant_builder_add_value(
            &array, vb_object_ref_struct_to_json(interface->value, members, G_N_ELEMENTS(members)));
        vb_table_add(table, interface->target, interface->type, dash(interface->source),
                     interface->model, interface->mac, NULL);
    }
    if (cli->json) {
        vb_cli_print_json(g_variant_builder_end(&array));
        return TRUE;
    }
    text = vb_table_format(table);
    fputs(text, stdout);
    return TRUE;
}

static VbObjectRef *find_network(const GPtrArray *networks, const char *name)
{
    for (guint i = 0; i < networks->len; i++)
        if (g_str_equal(vb_object_ref_get_string(networks->pdata[i], "Name"), name))
            return networks->pdata[i];
    return NULL;
}

/* Is it the one that was asked for? */
static gboolean is_meant(const Interface *interface, const char *wanted)
{
    return wanted == NULL || g_str_equal(interface->target, wanted) ||
           g_ascii_strcasecmp(interface->mac, wanted) == 0;
}

gboolean vb_cmd_domifaddr(VbCli *cli, const VbArgs *args, GError **error)
{
    const char *wanted = vb_args_get(args, "interface");
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_autoptr(GPtrArray) networks = domain != NULL ? vb_network_ref_list(cli, error) : NULL;
    g_auto(GVariantBuilder) array = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GPtrArray) interfaces = NULL;
    g_autoptr(VbTable) table = NULL;
    g_autofree char *text = NULL;
    guint n_meant = 0;

    if (networks == NULL)
        return FALSE;
    interfaces = get_interfaces(domain);
    table = vb_table_new("Name", "MAC address", "Protocol", "Address", NULL);
    for (guint i = 0; i < interfaces->len; i++) {
        const Interface *interface = interfaces->pdata[i];
        VbObjectRef *network = find_network(networks, interface->source);
        g_autoptr(GPtrArray) leases = NULL;

        n_meant += is_meant(interface, wanted);
        if (!is_meant(interface, wanted) || network == NULL ||
            !g_str_equal(interface->type, "network"))
            continue;
        leases = vb_lease_texts_of(network, interface->mac);
        for (guint j = 0; j < leases->len; j++) {
            const VbLeaseText *lease = leases->pdata[j];

            vb_table_add(table, interface->target, interface->mac, lease->protocol, lease->address,
                         NULL);
            g_variant_builder_add_parsed(
                &array, "{'target': <%s>, 'mac': <%s>, 'protocol': <%s>, 'address': <%s>}",
                interface->target, interface->mac, lease->protocol, lease->address);
        }
    }
    if (wanted != NULL && n_meant == 0)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "domain '%s' has no interface '%s'",
                       vb_object_ref_get_string(domain, "Name"), wanted);
    if (cli->json) {
        vb_cli_print_json(g_variant_builder_end(&array));
        return TRUE;
    }
    text = vb_table_format(table);
    fputs(text, stdout);
    return TRUE;
}
