/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Acting, and telling of it. */
#include "act.h"

#include <stdio.h>

const VbActKind vb_act_domain = {"Domain", VB_DOMAIN_INTERFACE, vb_domain_ref_lookup};
const VbActKind vb_act_network = {"Network", VB_NETWORK_INTERFACE, vb_network_ref_lookup};

static void report(VbCli *cli, const VbActKind *kind, const char *path, const char *name,
                   const char *done)
{
    if (cli->json) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        g_variant_dict_insert(&dict, "Path", "o", path);
        g_variant_dict_insert(&dict, "Name", "s", name);
        vb_cli_print_json(g_variant_dict_end(&dict));
    } else {
        printf("%s '%s' %s\n", kind->noun, name, done);
    }
}

GVariant *vb_act_no_options(void)
{
    return g_variant_new("a{sv}", NULL);
}

gboolean vb_act(VbCli *cli, const VbArgs *args, const VbActKind *kind, const char *method,
                GVariant *parameters, const char *done, GError **error)
{
    g_autoptr(GVariant) sunk = g_variant_ref_sink(parameters);
    g_autoptr(VbObjectRef) ref = kind->lookup(cli, args, error);
    g_autoptr(GVariant) reply = NULL;

    if (ref == NULL)
        return FALSE;
    reply = vb_cli_call(cli, ref->path, kind->interface, method, sunk, "()", error);
    if (reply == NULL)
        return FALSE;
    report(cli, kind, ref->path, vb_object_ref_get_string(ref, "Name"), done);
    return TRUE;
}

gboolean vb_act_make(VbCli *cli, const VbActKind *kind, const char *method, const char *xml,
                     GVariant *options, const char *done, GError **error)
{
    g_autoptr(GVariant) reply = vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, method,
                                            g_variant_new("(s@a{sv})", xml, options), "(o)", error);
    g_autoptr(GVariant) properties = NULL;
    const char *path, *name;

    if (reply == NULL)
        return FALSE;
    g_variant_get(reply, "(&o)", &path);

    /* The object may be gone already: that it was made is true all the same. */
    properties = vb_cli_get_properties(cli, path, kind->interface, NULL);
    if (properties == NULL || !g_variant_lookup(properties, "Name", "&s", &name))
        name = path;
    report(cli, kind, path, name, done);
    return TRUE;
}

gboolean vb_act_print_xml(VbCli *cli, const VbObjectRef *ref, const char *interface,
                          GVariant *options, GError **error)
{
    g_autoptr(GVariant) reply = vb_cli_call(cli, ref->path, interface, "GetXml",
                                            g_variant_new("(@a{sv})", options), "(s)", error);
    const char *xml;

    if (reply == NULL)
        return FALSE;
    g_variant_get(reply, "(&s)", &xml);
    if (cli->json)
        vb_cli_print_json(g_variant_new_string(xml));
    else
        printf("%s%s", xml, g_str_has_suffix(xml, "\n") ? "" : "\n");
    return TRUE;
}
