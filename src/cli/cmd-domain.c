/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The commands that change a domain's life: define, create, start, … undefine, autostart. */
#include "handlers.h"

#include "act.h"
#include "input.h"

/* `options` are sunk. */
static gboolean make(VbCli *cli, const VbArgs *args, const char *method, GVariant *options,
                     const char *participle, GError **error)
{
    g_autoptr(GVariant) sunk = g_variant_ref_sink(options);
    const char *file = vb_args_get(args, "file");
    g_autofree char *xml = vb_input_read(file, error);
    g_autofree char *done = g_strdup_printf("%s from %s", participle, file);

    return xml != NULL && vb_act_make(cli, &vb_act_domain, method, xml, sunk, done, error);
}

/* Calls a method of the domain that takes nothing but options. Sinks options. */
static gboolean act(VbCli *cli, const VbArgs *args, const char *method, GVariant *options,
                    const char *done, GError **error)
{
    return vb_act(cli, args, &vb_act_domain, method, g_variant_new("(@a{sv})", options), done,
                  error);
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
    return make(cli, args, "DefineDomain", vb_act_no_options(), "defined", error);
}

gboolean vb_cmd_create(VbCli *cli, const VbArgs *args, GError **error)
{
    return make(cli, args, "CreateDomain", paused_option(args), "created", error);
}

gboolean vb_cmd_start(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Start", paused_option(args), "started", error);
}

gboolean vb_cmd_shutdown(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Shutdown", vb_act_no_options(), "is being shutdown", error);
}

gboolean vb_cmd_destroy(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Destroy", vb_act_no_options(), "destroyed", error);
}

gboolean vb_cmd_reboot(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Reboot", vb_act_no_options(), "is being rebooted", error);
}

gboolean vb_cmd_reset(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Reset", vb_act_no_options(), "was reset", error);
}

gboolean vb_cmd_suspend(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Suspend", vb_act_no_options(), "suspended", error);
}

gboolean vb_cmd_resume(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Resume", vb_act_no_options(), "resumed", error);
}

gboolean vb_cmd_undefine(VbCli *cli, const VbArgs *args, GError **error)
{
    return act(cli, args, "Undefine", vb_act_no_options(), "has been undefined", error);
}

gboolean vb_cmd_autostart(VbCli *cli, const VbArgs *args, GError **error)
{
    gboolean enable = !vb_args_has(args, "disable");

    return vb_act(cli, args, &vb_act_domain, "SetAutostart",
                  g_variant_new("(ba{sv})", enable, NULL),
                  enable ? "marked as autostarted" : "unmarked as autostarted", error);
}
