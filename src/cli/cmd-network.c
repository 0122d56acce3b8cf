/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands about virtual networks: net-list, net-define, … net-dhcp-leases, net-reload. */
#include "handlers.h"

#include <stdio.h>

#include "act.h"
#include "input.h"
#include "lease-text.h"
#include "table.h"

static const char *yes_no(gboolean value)
{
    return value ? "yes" : "no";
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static void print_network_table(const GPtrArray *networks)
{
    g_autoptr(VbTable) table = vb_table_new("Name", "State", "Autostart", "Persistent", NULL);
    g_autofree char *text = NULL;

    for (guint i = 0; i < networks->len; i++) {
        const VbObjectRef *network = networks->pdata[i];

        vb_table_add(table, vb_object_ref_get_string(network, "Name"),
                     vb_object_ref_get_string(network, "State"),
                     yes_no(vb_object_ref_get_boolean(network, "Autostart")),
                     yes_no(vb_object_ref_get_boolean(network, "Persistent")), NULL);
    }
    text = vb_table_format(table);
    fputs(text, stdout);
}

gboolean vb_cmd_net_list(VbCli *cli, const VbArgs *args, GError **error)
{
    gboolean all = vb_args_has(args, "all"), inactive = vb_args_has(args, "inactive");
    const char *property = vb_args_has(args, "name")   ? "Name"
                           : vb_args_has(args, "uuid") ? "Uuid"
                                                       : NULL;
    g_autoptr(GPtrArray) networks = NULL;

    if (!vb_args_exclude(args, error, "name", "uuid", NULL) ||
        !vb_args_exclude(args, error, "all", "inactive", NULL))
        return FALSE;
    networks = vb_network_ref_list(cli, error);
    if (networks == NULL)
        return FALSE;
    for (guint i = networks->len; i > 0 && !all; i--)
        if (vb_network_ref_is_active(networks->pdata[i - 1]) == inactive)
            g_ptr_array_remove_index(networks, i - 1);

    if (cli->json)
        vb_object_ref_print_json(networks);
    else if (property == NULL)
        print_network_table(networks);
    else
        for (guint i = 0; i < networks->len; i++)
            printf("%s\n", vb_object_ref_get_string(networks->pdata[i], property));
    return TRUE;
}

/* ---- life -------------------------------------------------------------------------------------
 */

static char *get_default(VbCli *cli, GError **error)
{
    g_autoptr(GVariant) reply =
        vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, "GetDefaultNetworkXml",
                    g_variant_new("(a{sv})", NULL), "(s)", error);
    char *xml;

    if (reply == NULL)
        return NULL;
    g_variant_get(reply, "(s)", &xml);
    return xml;
}

static gboolean make(VbCli *cli, const char *method, const char *file, const char *participle,
                     GError **error)
{
    g_autofree char *xml = vb_input_read(file, error);
    g_autofree char *done = g_strdup_printf("%s from %s", participle, file);

    return xml != NULL &&
           vb_act_make(cli, &vb_act_network, method, xml, vb_act_no_options(), done, error);
}

gboolean vb_cmd_net_define(VbCli *cli, const VbArgs *args, GError **error)
{
    const char *file = vb_args_get(args, "file");
    g_autofree char *xml = NULL;

    if (!vb_args_exclude(args, error, "file", "default", NULL))
        return FALSE;
    if (file != NULL)
        return make(cli, "DefineNetwork", file, "defined", error);
    if (!vb_args_has(args, "default"))
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "net-define needs a FILE, or --default");
    xml = get_default(cli, error);
    return xml != NULL && vb_act_make(cli, &vb_act_network, "DefineNetwork", xml,
                                      vb_act_no_options(), "defined", error);
}

gboolean vb_cmd_net_create(VbCli *cli, const VbArgs *args, GError **error)
{
    return make(cli, "CreateNetwork", vb_args_get(args, "file"), "created", error);
}

static gboolean act(VbCli *cli, const VbArgs *args, const char *method, const char *done,
                    GError **error)
{
    return vb_act(cli, args, &vb_act_network, method, g_variant_new("(a{sv})", NULL), done, error);
}

gboolean vb_cmd_net_start(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Start", "started", error);
}

gboolean vb_cmd_net_destroy(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Destroy", "destroyed", error);
}

gboolean vb_cmd_net_undefine(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Undefine", "has been undefined", error);
}

gboolean vb_cmd_net_autostart(VbCli *cli, const VbArgs *args, GError **error)
{
    gboolean enable = !vb_args_has(args, "disable");

    return vb_act(cli, args, &vb_act_network, "SetAutostart",
                  g_variant_new("(ba{sv})", enable, NULL),
                  enable ? "marked as autostarted" : "unmarked as autostarted", error);
}

gboolean vb_cmd_net_reload(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(GVariant) reply = vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, "Reload",
                                            g_variant_new("(a{sv})", NULL), "()", error);

    if (reply == NULL)
        return FALSE;
    if (cli->json)
        vb_cli_print_json(vb_act_no_options());
    else
        printf("Networks reloaded\n");
    return TRUE;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

gboolean vb_cmd_net_dumpxml(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) network = vb_network_ref_lookup(cli, args, error);
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);

    if (network == NULL)
        return FALSE;
    if (vb_args_has(args, "inactive"))
        g_variant_dict_insert(&options, "inactive", "b", TRUE);
    return vb_act_print_xml(cli, network, VB_NETWORK_INTERFACE, g_variant_dict_end(&options),
                            error);
}

gboolean vb_cmd_net_info(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) network = vb_network_ref_lookup(cli, args, error);
    g_autofree const char **addresses = NULL;

    if (network == NULL)
        return FALSE;
    if (cli->json) {
        vb_cli_print_json(vb_object_ref_to_json(network));
        return TRUE;
    }
    printf("%-15s %s\n", "Name:", vb_object_ref_get_string(network, "Name"));
    printf("%-15s %s\n", "UUID:", vb_object_ref_get_string(network, "Uuid"));
    printf("%-15s %s\n", "Active:", yes_no(vb_network_ref_is_active(network)));
    printf("%-15s %s\n", "Persistent:", yes_no(vb_object_ref_get_boolean(network, "Persistent")));
    printf("%-15s %s\n", "Autostart:", yes_no(vb_object_ref_get_boolean(network, "Autostart")));
    printf("%-15s %s\n", "Bridge:", vb_object_ref_get_string(network, "Bridge"));
    printf("%-15s %s\n", "Forward:", vb_object_ref_get_string(network, "ForwardMode"));
    g_variant_lookup(network->properties, "Addresses", "^a&s", &addresses);
    for (gsize i = 0; addresses != NULL && addresses[i] != NULL; i++)
        printf("%-15s %s\n", i == 0 ? "Addresses:" : "", addresses[i]);
    return TRUE;
}

gboolean vb_cmd_net_dhcp_leases(VbCli *cli, const VbArgs *args, GError **error)
{
    const char *mac = vb_args_get(args, "mac");
    g_autoptr(VbObjectRef) network = vb_network_ref_lookup(cli, args, error);
    g_autoptr(GPtrArray) leases = NULL;
    g_autoptr(VbTable) table = NULL;
    g_autofree char *text = NULL;

    if (network == NULL)
        return FALSE;
    leases = vb_lease_texts_of(network, mac);
    if (cli->json) {
        vb_lease_texts_print_json(leases);
        return TRUE;
    }
    table = vb_table_new("Expiry Time", "MAC address", "Protocol", "IP address", "Hostname",
                         "Client ID or DUID", NULL);
    for (guint i = 0; i < leases->len; i++) {
        const VbLeaseText *lease = leases->pdata[i];

        vb_table_add(table, lease->expiry, lease->mac, lease->protocol, lease->address,
                     lease->hostname, lease->client_id, NULL);
    }
    text = vb_table_format(table);
    fputs(text, stdout);
    return TRUE;
}

/* ---- changing a part --------------------------------------------------------------------------
 */

/* The argument itself is the element, or it names a file. */
static char *read_element(const char *xml, GError **error)
{
    if (g_str_has_prefix(xml, "<"))
        return g_strdup(xml);
    return vb_input_read(xml, error);
}

static GVariant *where_options(const VbArgs *args)
{
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);

    if (vb_args_has(args, "live"))
        g_variant_dict_insert(&options, "live", "b", TRUE);
    if (vb_args_has(args, "config"))
        g_variant_dict_insert(&options, "stored", "b", TRUE);
    return g_variant_dict_end(&options);
}

gboolean vb_cmd_net_update(VbCli *cli, const VbArgs *args, GError **error)
{
    g_autoptr(VbObjectRef) network = NULL;
    g_autoptr(GVariant) reply = NULL, what = NULL;
    g_autofree char *xml = NULL;
    const char *command = vb_args_get(args, "command");
    gboolean live = FALSE, stored = FALSE;
    guint64 parent = G_MAXUINT64;

    if (!vb_args_get_number(args, "parent-index", 0, G_MAXINT32, &parent, error))
        return FALSE;
    if (g_str_equal(command, "add"))
        command = "add-last";
    xml = read_element(vb_args_get(args, "xml"), error);
    network = xml != NULL ? vb_network_ref_lookup(cli, args, error) : NULL;
    if (network == NULL)
        return FALSE;
    reply = vb_cli_call(
        cli, network->path, VB_NETWORK_INTERFACE, "Update",
        g_variant_new("(ssis@a{sv})", vb_args_get(args, "section"), command,
                      parent == G_MAXUINT64 ? -1 : (gint32)parent, xml, where_options(args)),
        "(a{sv})", error);
    if (reply == NULL)
        return FALSE;
    what = g_variant_get_child_value(reply, 0);
    if (cli->json) {
        vb_cli_print_json(g_steal_pointer(&what));
        return TRUE;
    }
    g_variant_lookup(what, "live", "b", &live);
    g_variant_lookup(what, "stored", "b", &stored);
    printf("Network '%s' updated: %s\n", vb_object_ref_get_string(network, "Name"),
           live && stored ? "the active network and its stored definition"
           : live         ? "the active network"
                          : "the stored definition");
    return TRUE;
}
