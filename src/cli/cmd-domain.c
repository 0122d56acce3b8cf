/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands that change a domain's life: define, create, start, … undefine, autostart. */
#include "handlers.h"

#include <stdio.h>

#include "domain-ref.h"
#include "input.h"

/* What an action says when it is done. The format has one %s for the domain's name. */
static void G_GNUC_PRINTF(4, 5)
    report(VbCli *cli, const char *path, const char *name, const char *format, ...)
{
    va_list arguments;

    if (cli->json) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        g_variant_dict_insert(&dict, "Path", "o", path);
        g_variant_dict_insert(&dict, "Name", "s", name);
        vb_cli_print_json(g_variant_dict_end(&dict));
        return;
    }
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

/* Calls a Manager method that makes a domain of a document, and tells its name. */
static gboolean make_domain(VbCli *cli, const VbArgs *args, const char *method, GVariant *options,
                            const char *participle, GError **error)
{
    g_autoptr(GVariant) sunk_options = g_variant_ref_sink(options);
    const char *file = vb_args_get(args, "file");
    g_autofree char *xml = vb_input_read(file, error);
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) properties = NULL;
    const char *path, *name;

    if (xml == NULL)
        return FALSE;
    reply = vb_cli_call(cli, VB_MANAGER_PATH, VB_MANAGER_INTERFACE, method,
                        g_variant_new("(s@a{sv})", xml, sunk_options), "(o)", error);
    if (reply == NULL)
        return FALSE;
    g_variant_get(reply, "(&o)", &path);

    /* The domain may be gone already: that it was made is true all the same. */
    properties = vb_cli_get_properties(cli, path, VB_DOMAIN_INTERFACE, NULL);
    if (properties == NULL || !g_variant_lookup(properties, "Name", "&s", &name))
        name = path;
    report(cli, path, name, "Domain '%s' %s from %s\n", name, participle, file);
    return TRUE;
}

/* Calls a method of the domain that takes nothing but options. Sinks options. */
static gboolean act(VbCli *cli, const VbArgs *args, const char *method, GVariant *options,
                    const char *done, GError **error)
{
    g_autoptr(GVariant) sunk_options = g_variant_ref_sink(options);
    g_autoptr(VbDomainRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_autoptr(GVariant) reply = NULL;
    const char *name;

    if (domain == NULL)
        return FALSE;
    reply = vb_cli_call(cli, domain->path, VB_DOMAIN_INTERFACE, method,
                        g_variant_new("(@a{sv})", sunk_options), "()", error);
    if (reply == NULL)
        return FALSE;
    name = vb_domain_ref_get_string(domain, "Name");
    report(cli, domain->path, name, "Domain '%s' %s\n", name, done);
    return TRUE;
}

static GVariant *no_options(void)
{
    return g_variant_new("a{sv}", NULL);
}

static GVariant *paused_option(const VbArgs *args)
{
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);

    if (vb_args_has(args, "paused"))
        g_variant_dict_insert(&options, "paused", "b", TRUE);
    return g_variant_dict_end(&options);
}

gboolean vb_cmd_define(VbCli *cli, const VbArgs *args, GError **error)
{
    return make_domain(cli, args, "DefineDomain", no_options(), "defined", error);
}

gboolean vb_cmd_create(VbCli *cli, const VbArgs *args, GError **error)
{
    return make_domain(cli, args, "CreateDomain", paused_option(args), "created", error);
}

gboolean vb_cmd_start(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Start", paused_option(args), "started", error);
}

gboolean vb_cmd_shutdown(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Shutdown", no_options(), "is being shutdown", error);
}

gboolean vb_cmd_destroy(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Destroy", no_options(), "destroyed", error);
}

gboolean vb_cmd_reboot(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Reboot", no_options(), "is being rebooted", error);
}

gboolean vb_cmd_reset(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Reset", no_options(), "was reset", error);
}

gboolean vb_cmd_suspend(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Suspend", no_options(), "suspended", error);
}

gboolean vb_cmd_resume(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Resume", no_options(), "resumed", error);
}

gboolean vb_cmd_undefine(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Undefine", no_options(), "has been undefined", error);
}

gboolean vb_cmd_autostart(VbCli *cli, const VbArgs *args, GError **error)
{
    gboolean enable = !vb_args_has(args, "disable");
    g_autoptr(VbDomainRef) domain = vb_domain_ref_lookup(cli, args, error);
    g_autoptr(GVariant) reply = NULL;
    const char *name;

    if (domain == NULL)
        return FALSE;
    reply = vb_cli_call(cli, domain->path, VB_DOMAIN_INTERFACE, "SetAutostart",
                        g_variant_new("(ba{sv})", enable, NULL), "()", error);
    if (reply == NULL)
        return FALSE;
    name = vb_domain_ref_get_string(domain, "Name");
    report(cli, domain->path, name, "Domain '%s' %s as autostarted\n", name,
           enable ? "marked" : "unmarked");
    return TRUE;
}
