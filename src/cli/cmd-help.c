/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command help: all commands, or one. main.c comes here for --help too. */
#include "handlers.h"

#include <stdio.h>

gboolean vb_cmd_help(VbCli *cli, const VbArgs *args, GError **error)
{
    const char *name = vb_args_get(args, "command");
    const VbCommand *command = name != NULL ? vb_command_find(name) : NULL;
    g_autofree char *text = NULL;

    if (name != NULL && command == NULL) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "there is no command '%s'", name);
        return FALSE;
    }
    text = command != NULL ? vb_command_help(command) : vb_command_list_help();
    fputs(text, stdout);
    return TRUE;
}
