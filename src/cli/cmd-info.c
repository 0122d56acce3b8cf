/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands that only read: list, dumpxml, dominfo, domstate, domid, domuuid, domname,
 * domblklist, actions. All but dumpxml and actions print properties. */
#include "handlers.h"

#include <stdio.h>

#include "domain-ref.h"
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

static char *format_id(const VbDomainRef *domain)
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
        const VbDomainRef *domain = domains->pdata[i];
        g_autofree char *id = format_id(domain);

        vb_table_add(table, id, vb_domain_ref_get_string(domain, "Name"),
                     vb_label_state(vb_domain_ref_get_string(domain, "State")),
                     with_title ? vb_domain_ref_get_string(domain, "Title") : NULL, NULL);
    }
    text = vb_table_format(table);
    fputs(text, stdout);
}

static void print_domain_json(const GPtrArray *domains)
{
    g_auto(GVariantBuilder) array = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (guint i = 0; i < domains->len; i++)
        g_variant_builder_add_value(&array, vb_domain_ref_to_json(domains->pdata[i]));
    vb_cli_print_json(g_variant_builder_end(&array));
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
        print_domain_json(domains);
        return TRUE;
    }
    if (!names && !uuids) {
        print_domain_table(domains, vb_args_has(args, "title"));
        return TRUE;
    }
    for (guint i = 0; i < domains->len; i++)
        printf("%s%s%s\n", uuids ? vb_domain_ref_get_string(domains->pdata[i], "Uuid") : "",
               uuids && names ? " " : "",
               names ? vb_domain_ref_get_string(domains->pdata[i], "Name") : "");
    return TRUE;
}

gboolean vb_cmd_dumpxml(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbDomainRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) reply = NULL;
    const char *xml;

    if (domain == NULL)
        return FALSE;
    if (vb_args_has(args, "inactive"))
        g_variant_dict_insert(&options, "inactive", "b", TRUE);
    if (vb_args_has(args, "security-info"))
        g_variant_dict_insert(&options, "secure", "b", TRUE);
    reply = vb_cli_call(cli, domain->path, VB_DOMAIN_INTERFACE, "GetXml",
                        g_variant_new("(@a{sv})", g_variant_dict_end(&options)), "(s)", error);
    if (reply == NULL)
        return FALSE;
    g_variant_get(reply, "(&s)", &xml);
    if (cli->json)
        vb_cli_print_json(g_variant_new_string(xml));
    else
        printf("%s%s", xml, g_str_has_suffix(xml, "\n") ? "" : "\n");
    return TRUE;
}

gboolean vb_cmd_dominfo(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbDomainRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_autofree char *id = NULL;
    guint64 memory_max = 0, memory_current = 0;
    guint32 vcpus = 0;
    gboolean persistent = FALSE, autostart = FALSE;

    if (domain == NULL)
        return FALSE;
    if (cli->json) {
        vb_cli_print_json(vb_domain_ref_to_json(domain));
        return TRUE;
    }
    id = format_id(domain);
    g_variant_lookup(domain->properties, "Vcpus", "u", &vcpus);
    g_variant_lookup(domain->properties, "MemoryMax", "t", &memory_max);
    g_variant_lookup(domain->properties, "MemoryCurrent", "t", &memory_current);
    g_variant_lookup(domain->properties, "Persistent", "b", &persistent);
    g_variant_lookup(domain->properties, "Autostart", "b", &autostart);

    printf("%-15s %s\n", "Id:", id);
    printf("%-15s %s\n", "Name:", vb_domain_ref_get_string(domain, "Name"));
    printf("%-15s %s\n", "UUID:", vb_domain_ref_get_string(domain, "Uuid"));
    printf("%-15s %s\n", "OS Type:", vb_domain_ref_get_string(domain, "OsType"));
    printf("%-15s %s\n", "State:", vb_label_state(vb_domain_ref_get_string(domain, "State")));
    printf("%-15s %u\n", "CPU(s):", vcpus);
    printf("%-15s %" G_GUINT64_FORMAT " KiB\n", "Max memory:", memory_max / 1024);
    printf("%-15s %" G_GUINT64_FORMAT " KiB\n", "Used memory:", memory_current / 1024);
    printf("%-15s %s\n", "Persistent:", persistent ? "yes" : "no");
    printf("%-15s %s\n", "Autostart:", autostart ? "enable" : "disable");
    return TRUE;
}

gboolean vb_cmd_domstate(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbDomainRef) domain = vb_domain_ref_lookup(cli, args, error);
    const char *state, *reason;

    if (domain == NULL)
        return FALSE;
    state = vb_domain_ref_get_string(domain, "State");
    reason = vb_domain_ref_get_string(domain, "StateReason");
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
    g_autoptr(VbDomainRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_autofree char *id = NULL;

    if (domain == NULL)
        return FALSE;
    id = format_id(domain);
    return print_value(cli, g_variant_new_uint32(vb_domain_ref_get_id(domain)), id);
}

static gboolean print_string(VbCli *cli, const VbArgs *args, const char *property, GError **error)
{
    g_autoptr(VbDomainRef) domain = vb_domain_ref_lookup(cli, args, error);
    const char *value;

    if (domain == NULL)
        return FALSE;
    value = vb_domain_ref_get_string(domain, property);
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

/* One disk of Domain.Disks, a(ssssa{sv}): its members, beside what its dictionary has. */
static GVariant *disk_to_json(GVariant *disk)
{
    static const char *const members[] = {"target", "device", "bus", "source"};
    g_autoptr(GVariant) more = g_variant_get_child_value(disk, G_N_ELEMENTS(members));
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(more);

    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        g_autoptr(GVariant) member = g_variant_get_child_value(disk, i);

        g_variant_dict_insert_value(&dict, members[i], member);
    }
    return g_variant_dict_end(&dict);
}

gboolean vb_cmd_domblklist(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbDomainRef) domain = vb_domain_ref_lookup(cli, args, error);
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
        g_variant_builder_add_value(&array, disk_to_json(disk));
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
    g_autoptr(VbDomainRef) domain = NULL;
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
