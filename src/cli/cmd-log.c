/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command log: the journal's lines of one domain, virtbusd's and QEMU's. Both have the field
 * VIRTBUS_DOMAIN, so it is journalctl(1) that prints them, in this process's place. */
#include "handlers.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "object-ref.h"

static GStrv make_command(const VbArgs *args, const char *uuid, gboolean json, guint64 lines)
{
    g_autoptr(GStrvBuilder) argv = g_strv_builder_new();
    const char *since = vb_args_get(args, "since");
    g_autofree char *match = g_strdup_printf("VIRTBUS_DOMAIN=%s", uuid);

    g_strv_builder_add_many(argv, "journalctl", "--quiet", NULL);
    if (json)
        g_strv_builder_add(argv, "--output=json");
    if (vb_args_has(args, "follow"))
        g_strv_builder_add(argv, "--follow");
    if (vb_args_has(args, "lines")) {
        g_autofree char *option = g_strdup_printf("--lines=%" G_GUINT64_FORMAT, lines);
        g_strv_builder_add(argv, option);
    }
    if (since != NULL) {
        g_autofree char *option = g_strconcat("--since=", since, NULL);
        g_strv_builder_add(argv, option);
    }
    g_strv_builder_add(argv, match);
    return g_strv_builder_end(argv);
}

gboolean vb_cmd_log(VbCli *cli, const VbArgs *args, GError **error)
{
    guint64 lines = 0;

    if (!vb_args_get_number(args, "lines", 0, G_MAXINT32, &lines, error))
        return FALSE;
    g_autoptr(VbObjectRef) domain = vb_domain_ref_lookup(cli, args, error);
    if (domain == NULL)
        return FALSE;
    g_auto(GStrv) argv =
        make_command(args, vb_object_ref_get_string(domain, "Uuid"), cli->json, lines);
    fflush(stdout);
    execvp(argv[0], argv);
    return vb_fail(error, VB_ERROR_FAILED, "Cannot execute journalctl: %s", g_strerror(errno));
}
