/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusctl: from the command line to a command, and from its result to an exit status: 0, 1 when
 * it failed, 2 when it was not understood and nothing was done. */
#include <stdio.h>

#include "config.h"
#include "connection.h"
#include "handlers.h"

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
};

static int usage_error(const char *hint, const char *message)
{
    fprintf(stderr, "error: %s\n%s\n", message, hint);
    return EXIT_USAGE;
}

static int unknown_command(const char *name)
{
    const VbCommand *similar = vb_command_suggest(name);
    g_autofree char *printable = g_utf8_make_valid(name, -1);
    g_autofree char *message = g_strdup_printf("unknown command '%s'", printable);
    g_autofree char *hint = similar != NULL ? g_strdup_printf("Did you mean '%s'?", similar->name)
                                            : g_strdup("'virtbusctl help' lists the commands.");

    return usage_error(hint, message);
}

static gboolean choose_bus(VbCli *cli, const VbArgs *args, GError **error)
{
    if (!vb_args_exclude(args, error, "system", "session", "address", NULL))
        return FALSE;
    cli->bus = vb_args_has(args, "session") ? G_BUS_TYPE_SESSION : G_BUS_TYPE_SYSTEM;
    cli->address = vb_args_get(args, "address");
    cli->json = vb_args_has(args, "json");
    if (cli->address == NULL)
        return TRUE;
    return g_dbus_is_supported_address(cli->address, error);
}

/* What was printed must have arrived: a full disk is a failure. */
static int flush_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "error: cannot write the output\n");
    return EXIT_FAILED;
}

static int print_version(void)
{
    printf("virtbusctl %s\n", VB_VERSION);
    return flush_output(0);
}

static int run(const VbCommand *command, const VbArgs *args)
{
    g_autofree char *hint =
        g_strdup_printf("'virtbusctl help %s' says what it takes.", command->name);
    g_auto(VbCli) cli = {0};
    g_autoptr(GError) error = NULL;

    if (!choose_bus(&cli, args, &error))
        return usage_error("'virtbusctl help' lists the options.", error->message);
    if (command->run(&cli, args, &error))
        return flush_output(0);
    if (g_error_matches(error, VB_ERROR, VB_ERROR_INVALID_ARGS))
        return usage_error(hint, error->message);
    flush_output(EXIT_FAILED);
    fprintf(stderr, "error: %s\n", g_strdelimit(error->message, "\n", ' '));
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    g_autoptr(VbArgs) args = vb_args_new();
    g_auto(GStrv) words = g_strdupv(argv + MIN(argc, 1));
    g_autoptr(GError) error = NULL;
    const VbCommand *command;
    g_auto(GStrv) rest = NULL;
    const char *name;

    if (!vb_args_parse_global(args, &words, &error))
        return usage_error("'virtbusctl help' lists the options.", error->message);
    if (vb_args_has(args, "version"))
        return print_version();
    if (words[0] == NULL && !vb_args_has(args, "help"))
        return usage_error("'virtbusctl help' lists the commands.", "no command given");

    name = words[0] != NULL ? words[0] : "help";
    command = vb_command_find(name);
    if (command == NULL)
        return unknown_command(name);
    rest = g_strdupv(words[0] != NULL ? words + 1 : words);
    if (!vb_args_parse(args, command, &rest, &error)) {
        g_autofree char *hint =
            g_strdup_printf("'virtbusctl help %s' says what it takes.", command->name);

        return usage_error(hint, error->message);
    }
    if (vb_args_has(args, "version"))
        return print_version();
    if (vb_args_has(args, "help")) {
        g_autofree char *text =
            g_str_equal(name, "help") ? vb_command_list_help() : vb_command_help(command);

        fputs(text, stdout);
        return flush_output(0);
    }
    return run(command, args);
}
