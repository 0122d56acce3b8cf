/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A command of virtbusctl as data: its name, parameters, options and handler. The command line is
 * parsed against it, and the help and the manual page are held to it. main.c dispatches by it,
 * command-table.c fills it in, the handlers read their arguments from VbArgs.
 *
 * A usage error is VB_ERROR_INVALID_ARGS; the process then exits with 2 and has called nobody. */
#pragma once

#include <glib.h>

#include "error.h"

typedef struct VbArgs VbArgs;
typedef struct VbCli VbCli;

typedef struct {
    const char *name;
    char short_name;
    const char *value; /* placeholder of its value; NULL: a flag */
    const char *help;
} VbOption;

/* A positional argument; it may be given as --name VALUE too, as virsh's can. */
typedef struct {
    const char *name;
    const char *placeholder;
    gboolean optional; /* only the last ones can be */
    const char *help;
} VbParameter;

typedef struct {
    const char *name;
    const char *summary;
    const VbParameter *parameters; /* ends with a NULL name; NULL: none */
    const VbOption *options;       /* likewise */
    gboolean (*run)(VbCli *cli, const VbArgs *args, GError **error);
} VbCommand;

/* The commands in the order of the help, ended by a NULL name, and the options that each takes. */
extern const VbCommand vb_commands[];
extern const VbOption vb_global_options[];

/* NULL when there is none of that name. */
const VbCommand *vb_command_find(const char *name);

/* The command whose name is most like it, or NULL when none is close. */
const VbCommand *vb_command_suggest(const char *name);

/* To be freed with g_free(). */
char *vb_command_help(const VbCommand *command);
char *vb_command_list_help(void);

VbArgs *vb_args_new(void);
void vb_args_free(VbArgs *args);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbArgs, vb_args_free)

/* Takes the global options off the front of *argv (a strv without the program's name), up to the
 * first word that is none. */
gboolean vb_args_parse_global(VbArgs *args, char ***argv, GError **error);

/* Parses all that followed the command's name, global options included. With --help among it,
 * missing arguments are no error. */
gboolean vb_args_parse(VbArgs *args, const VbCommand *command, char ***argv, GError **error);

/* By the name of an option or a parameter. The string belongs to args; NULL when not given. */
gboolean vb_args_has(const VbArgs *args, const char *name);
const char *vb_args_get(const VbArgs *args, const char *name);

/* A decimal number between min and max. Leaves *ret_number alone when the option was not given. */
gboolean vb_args_get_number(const VbArgs *args, const char *name, guint64 min, guint64 max,
                            guint64 *ret_number, GError **error);

/* At most one of the names (ended by NULL) may be given; the error names the two that were. */
gboolean vb_args_exclude(const VbArgs *args, GError **error, const char *first,
                         ...) G_GNUC_NULL_TERMINATED;
