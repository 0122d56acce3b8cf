/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands that only read: list, dumpxml, dominfo, domstate, domid, domuuid, domname,
 * domblklist, actions. All but dumpxml and actions print properties. */
#include "handlers.h"

#include <stdio.h>

#include "act.h"
#include "labels.h"
#include "table.h"

/* What the parameter DOMAIN names; with --json one value is the document. Sinks value. */
static gboolean print_value(VbCli *cli, GVariant *value, const char *text)
{
    g_autoptr(GVariant) sunk = g_variant_ref_sink(value);

    if (cli->json)
        vb_cli_print_json(sunk);
    else
        printf("%s\n", text);
    return TRUE;
}

static char *format_id(const VbObjectRef *domain)
{
    guint32 id = vb_domain_ref_get_id(domain);

    return id != 0 ? g_strdup_printf("%u", id) : g_strdup("-");
}

static void print_domain_table(const GPtrArray *domains, gboolean with_title)
{
    g_autoptr(VbTable) table =
        vb_table_new("Id", "Name", "State", with_title ? "Title" : NULL, NULL);
    g_autofree char *text = NULL;

    for (guint i = 0; i < domains->len; i++) {
        const VbObjectRef *domain = domains->pdata[i];
        g_autofree char *id = format_id(domain);

        vb_table_add(table, id, vb_object_ref_get_string(domain, "Name"),
                     vb_label_state(vb_object_ref_get_string(domain, "State")),
                     with_title ? vb_object_ref_get_string(domain, "Title") : NULL, NULL);
    }
    text = vb_table_format(table);
    fputs(text, stdout);
}

gboolean vb_cmd_list(VbCli *cli, const VbArgs *args, GError **error)
{
    gboolean all = vb_args_has(args, "all"), inactive = vb_args_has(args, "inactive");
    gboolean names = vb_args_has(args, "name"), uuids = vb_args_has(args, "uuid");
    g_autoptr(GPtrArray) domains = NULL;

    if (!vb_args_exclude(args, error, "title", "name", NULL) ||
        !vb_args_exclude(args, error, "title", "uuid", NULL))
        return FALSE;
    domains = vb_domain_ref_list(cli, error);
    if (domains == NULL)
        return FALSE;
    for (guint i = domains->len; i > 0 && !all; i--)
        if ((vb_domain_ref_get_id(domains->pdata[i - 1]) != 0) == inactive)
            g_ptr_array_remove_index(domains, i - 1);

    if (cli->json) {
        vb_object_ref_print_json(domains);
        return TRUE;
    }
    if (!names && !uuids) {
        print_domain_table(domains, vb_args_has(args, "title"));
        return TRUE;
    }
    for (guint i = 0; i < domains->len; i++)
        printf("%s%s%s\n", uuids ? vb_object_ref_get_string(domains->pdata[i], "Uuid") : "",
               uuids && names ? " " : "",
               names ? vb_object_ref_get_string(domains->pdata[i], "Name") : "");
    return TRUE;
}

gboolean vb_cmd_dumpxml(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);

    if (domain == NULL)
        return FALSE;
    if (vb_args_has(args, "inactive"))
        g_variant_dict_insert(&options, "inactive", "b", TRUE);
    if (vb_args_has(args, "security-info"))
        g_variant_dict_insert(&options, "secure", "b", TRUE);
    return vb_act_print_xml(cli, domain, VB_DOMAIN_INTERFACE, g_variant_dict_end(&options), error);
}

gboolean vb_cmd_dominfo(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_autofree char *id = NULL;
    guint64 memory_max = 0, memory_current = 0;
    guint32 vcpus = 0;

    if (domain == NULL)
        return FALSE;
    if (cli->json) {
        vb_cli_print_json(vb_object_ref_to_json(domain));
        return TRUE;
    }
    id = format_id(domain);
    g_variant_lookup(domain->properties, "Vcpus", "u", &vcpus);
    g_variant_lookup(domain->properties, "MemoryMax", "t", &memory_max);
    g_variant_lookup(domain->properties, "MemoryCurrent", "t", &memory_current);

    printf("%-15s %s\n", "Id:", id);
    printf("%-15s %s\n", "Name:", vb_object_ref_get_string(domain, "Name"));
    printf("%-15s %s\n", "UUID:", vb_object_ref_get_string(domain, "Uuid"));
    printf("%-15s %s\n", "OS Type:", vb_object_ref_get_string(domain, "OsType"));
    printf("%-15s %s\n", "State:", vb_label_state(vb_object_ref_get_string(domain, "State")));
    printf("%-15s %u\n", "CPU(s):", vcpus);
    printf("%-15s %" G_GUINT64_FORMAT " KiB\n", "Max memory:", memory_max / 1024);
    printf("%-15s %" G_GUINT64_FORMAT " KiB\n", "Used memory:", memory_current / 1024);
    printf("%-15s %s\n",
           "Persistent:", vb_object_ref_get_boolean(domain, "Persistent") ? "yes" : "no");
    printf("%-15s %s\n",
           "Autostart:", vb_object_ref_get_boolean(domain, "Autostart") ? "enable" : "disable");
    return TRUE;
}

gboolean vb_cmd_domstate(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    const char *state, *reason;

    if (domain == NULL)
        return FALSE;
    state = vb_object_ref_get_string(domain, "State");
    reason = vb_object_ref_get_string(domain, "StateReason");
    if (cli->json) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        g_variant_dict_insert(&dict, "State", "s", state);
        g_variant_dict_insert(&dict, "StateReason", "s", reason);
        vb_cli_print_json(g_variant_dict_end(&dict));
    } else if (vb_args_has(args, "reason")) {
        g_autofree char *label = vb_label_reason(reason);

        printf("%s (%s)\n", vb_label_state(state), label);
    } else {
        printf("%s\n", vb_label_state(state));
    }
    return TRUE;
}

gboolean vb_cmd_domid(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_autofree char *id = NULL;

    if (domain == NULL)
        return FALSE;
    id = format_id(domain);
    return print_value(cli, g_variant_new_uint32(vb_domain_ref_get_id(domain)), id);
}

static gboolean print_string(VbCli *cli, const VbArgs *args, const char *property, GError **error)
{
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    const char *value;

    if (domain == NULL)
        return FALSE;
    value = vb_object_ref_get_string(domain, property);
    return print_value(cli, g_variant_new_string(value), value);
}

gboolean vb_cmd_domuuid(VbCli *cli, const VbArgs *args, GError **error)
{
    return print_string(cli, args, "Uuid", error);
}

gboolean vb_cmd_domname(VbCli *cli, const VbArgs *args, GError **error)
{
    return print_string(cli, args, "Name", error);
}

gboolean vb_cmd_domblklist(VbCli *cli, const VbArgs *args, GError **error)
{
    static const char *const members[] = {"target", "device", "bus", "source"};
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    gboolean details = vb_args_has(args, "details");
    g_auto(GVariantBuilder) array = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GVariantIter) disks = NULL;
    g_autoptr(VbTable) table = NULL;
    g_autofree char *text = NULL;
    GVariant *disk;

    if (domain == NULL)
        return FALSE;
    table = details ? vb_table_new("Type", "Device", "Target", "Source", NULL)
                    : vb_table_new("Target", "Source", NULL);
    g_variant_lookup(domain->properties, "Disks", "a(ssssa{sv})", &disks);
    while (disks != NULL && (disk = g_variant_iter_next_value(disks)) != NULL) {
        g_autoptr(GVariant) owned = disk;
        g_autoptr(GVariant) more = g_variant_get_child_value(disk, 4);
        const char *target, *device, *source, *type = "-";

        g_variant_get(disk, "(&s&ss&s@a{sv})", &target, &device, NULL, &source, NULL);
        g_variant_lookup(more, "type", "&s", &type);
        if (source[0] == '\0')
            source = "-";
        g_variant_builder_add_value(
            &array, vb_object_ref_struct_to_json(disk, members, G_N_ELEMENTS(members)));
        if (details)
            vb_table_add(table, type, device, target, source, NULL);
        else
            vb_table_add(table, target, source, NULL);
    }

    if (cli->json) {
        vb_cli_print_json(g_variant_builder_end(&array));
        return TRUE;
    }
    text = vb_table_format(table);
    fputs(text, stdout);
    return TRUE;
}

gboolean vb_cmd_actions(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) domain = NULL;
    g_autoptr(GVariant) reply = NULL, verdicts = NULL;
    g_autoptr(VbTable) table = NULL;
    g_autofree char *text = NULL;
    const char *object = VB_MANAGER_PATH, *action, *verdict;
    GVariantIter iter;

    if (vb_args_has(args, "domain")) {
        domain = vb_domain_ref_lookup(cli, args, error);
        if (domain == NULL)
            return FALSE;
        object = domain->path;
    }
    reply = vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, "CheckActions",
                        g_variant_new_parsed("(%o, @as [], @a{sv} {})", object), "(a{ss})", error);
    if (reply == NULL)
        return FALSE;
    verdicts = g_variant_get_child_value(reply, 0);
    if (cli->json) {
        vb_cli_print_json(g_steal_pointer(&verdicts));
        return TRUE;
    }
    table = vb_table_new("Action", "Allowed", NULL);
    g_variant_iter_init(&iter, verdicts);
    while (g_variant_iter_next(&iter, "{&s&s}", &action, &verdict))
        vb_table_add(table, action, vb_label_verdict(verdict), NULL);
    text = vb_table_format(table);
    fputs(text, stdout);
    return TRUE;
}
