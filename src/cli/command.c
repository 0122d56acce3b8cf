/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parsing a command line against a VbCommand, and the help texts that are made of the same facts.
 * Long options are never abbreviated, none may be given twice, and everything must be UTF-8,
 * because it may travel as a D-Bus string. */
#include "command.h"

#include <stdarg.h>
#include <string.h>

struct VbArgs {
    GHashTable *values;       /* name → value; a flag's is "" */
    const VbCommand *command; /* for messages; NULL while global options are parsed */
};

VbArgs *vb_args_new(void)
{
    VbArgs *args = g_new0(VbArgs, 1);

    args->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return args;
}

void vb_args_free(VbArgs *args)
{
    if (args == NULL)
        return;
    g_hash_table_unref(args->values);
    g_free(args);
}

gboolean vb_args_has(const VbArgs *args, const char *name)
{
    return g_hash_table_contains(args->values, name);
}

const char *vb_args_get(const VbArgs *args, const char *name)
{
    return g_hash_table_lookup(args->values, name);
}

gboolean vb_args_get_number(const VbArgs *args, const char *name, guint64 min, guint64 max,
                            guint64 *ret_number, GError **error)
{
    const char *text = vb_args_get(args, name);

    if (text == NULL)
        return TRUE;
    if (!g_ascii_string_to_unsigned(text, 10, min, max, ret_number, NULL)) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "--%s must be a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                    ", not '%s'",
                    name, min, max, text);
        return FALSE;
    }
    return TRUE;
}

gboolean vb_args_exclude(const VbArgs *args, GError **error, const char *first, ...)
{
    const char *given = NULL;
    gboolean valid = TRUE;
    va_list names;

    va_start(names, first);
    for (const char *name = first; name != NULL && valid; name = va_arg(names, const char *)) {
        if (!vb_args_has(args, name))
            continue;
        if (given != NULL) {
            g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "--%s and --%s exclude each other",
                        given, name);
            valid = FALSE;
        }
        given = name;
    }
    va_end(names);
    return valid;
}

static gboolean store(VbArgs *args, const char *name, const char *value, GError **error)
{
    if (vb_args_has(args, name)) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "--%s is given twice", name);
        return FALSE;
    }
    if (!g_utf8_validate(value, -1, NULL)) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "the value of --%s is not UTF-8", name);
        return FALSE;
    }
    g_hash_table_insert(args->values, g_strdup(name), g_strdup(value));
    return TRUE;
}

/* GOptionArgFuncs. GOption names a short option by its letter. */
static gboolean parse_value(const char *option_name, const char *value, gpointer data,
                            GError **error)
{
    return store(data, option_name + strspn(option_name, "-"), value, error);
}

static gboolean parse_flag(const char *option_name, const char *value, gpointer data,
                           GError **error)
{
    VbArgs *args = data;
    const char *name = option_name + strspn(option_name, "-");

    if (option_name[1] != '-') {
        for (const VbOption *option = vb_global_options; option->name != NULL; option++)
            if (option->short_name == name[0])
                name = option->name;
    }
    return store(args, name, "", error);
}

static void add_entry(GArray *entries, const char *name, char short_name, gboolean has_value)
{
    /* FILENAME: GOption shall not convert from the locale's encoding, store() checks instead. */
    GOptionEntry entry = {
        .long_name = name,
        .short_name = short_name,
        .flags = has_value ? G_OPTION_FLAG_FILENAME : G_OPTION_FLAG_NO_ARG,
        .arg = G_OPTION_ARG_CALLBACK,
        .arg_data = has_value ? parse_value : parse_flag,
    };

    g_array_append_val(entries, entry);
}

static void add_options(GArray *entries, const VbOption *options)
{
    for (const VbOption *option = options; option != NULL && option->name != NULL; option++)
        add_entry(entries, option->name, option->short_name, option->value != NULL);
}

/* GOption takes --flag=value for --flag and drops the value. */
static gboolean check_flag_values(GArray *entries, char **words, GError **error)
{
    for (char **word = words; *word != NULL && !g_str_equal(*word, "--"); word++) {
        const char *equals = strchr(*word, '=');

        if (!g_str_has_prefix(*word, "--") || equals == NULL)
            continue;
        for (guint i = 0; i < entries->len; i++) {
            const GOptionEntry *entry = &g_array_index(entries, GOptionEntry, i);
            gsize length = strlen(entry->long_name);

            if ((entry->flags & G_OPTION_FLAG_NO_ARG) && *word + 2 + length == equals &&
                strncmp(*word + 2, entry->long_name, length) == 0) {
                g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "--%s takes no value",
                            entry->long_name);
                return FALSE;
            }
        }
    }
    return TRUE;
}

/* Turns GOption's errors into ours. */
static gboolean run_parser(VbArgs *args, GArray *entries, gboolean strict_posix, char ***argv,
                           GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) strv = NULL;
    g_autoptr(GError) local_error = NULL;
    GOptionGroup *group;

    if (!check_flag_values(entries, *argv, error))
        return FALSE;
    group = g_option_group_new("main", "", "", args, NULL);
    g_option_group_add_entries(group, (const GOptionEntry *)entries->data);
    g_option_context_set_main_group(context, group);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_strict_posix(context, strict_posix);

    /* GOption takes the first word for the program's name. */
    g_ptr_array_add(words, g_strdup("virtbusctl"));
    for (char **word = *argv; *word != NULL; word++)
        g_ptr_array_add(words, g_strdup(*word));
    g_ptr_array_add(words, NULL);
    strv = (char **)g_ptr_array_steal(words, NULL);

    if (!g_option_context_parse_strv(context, &strv, &local_error)) {
        g_autofree char *message = g_utf8_make_valid(local_error->message, -1);

        g_set_error_literal(error, VB_ERROR, VB_ERROR_INVALID_ARGS, message);
        return FALSE;
    }
    g_strfreev(*argv);
    *argv = g_strdupv(strv + 1);
    return TRUE;
}

gboolean vb_args_parse_global(VbArgs *args, char ***argv, GError **error)
{
    g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));

    add_options(entries, vb_global_options);
    return run_parser(args, entries, TRUE, argv, error);
}

/* Gives the words in argv to the parameters that were not given by name. */
static gboolean assign_parameters(VbArgs *args, char **argv, GError **error)
{
    const VbParameter *parameter = args->command->parameters;
    gboolean options_ended = FALSE;

    for (char **word = argv; *word != NULL; word++) {
        /* GOption leaves the separator in where a word after it begins with a dash. */
        if (!options_ended && g_str_equal(*word, "--")) {
            options_ended = TRUE;
            continue;
        }
        while (parameter != NULL && parameter->name != NULL && vb_args_has(args, parameter->name))
            parameter++;
        if (parameter == NULL || parameter->name == NULL) {
            g_autofree char *printable = g_utf8_make_valid(*word, -1);

            g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                        "%s does not take the argument '%s'", args->command->name, printable);
            return FALSE;
        }
        if (!store(args, parameter->name, *word, error))
            return FALSE;
    }

    for (parameter = args->command->parameters; parameter != NULL && parameter->name != NULL;
         parameter++) {
        if (!parameter->optional && !vb_args_has(args, parameter->name)) {
            g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "%s needs the argument %s",
                        args->command->name, parameter->placeholder);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean vb_args_parse(VbArgs *args, const VbCommand *command, char ***argv, GError **error)
{
    g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));

    args->command = command;
    add_options(entries, command->options);
    add_options(entries, vb_global_options);
    for (const VbParameter *parameter = command->parameters;
         parameter != NULL && parameter->name != NULL; parameter++)
        add_entry(entries, parameter->name, 0, TRUE);

    if (!run_parser(args, entries, FALSE, argv, error))
        return FALSE;
    return vb_args_has(args, "help") || assign_parameters(args, *argv, error);
}

const VbCommand *vb_command_find(const char *name)
{
    for (const VbCommand *command = vb_commands; command->name != NULL; command++)
        if (g_str_equal(command->name, name))
            return command;
    return NULL;
}

/* Levenshtein's distance, one row of the matrix at a time. */
static gsize edit_distance(const char *a, const char *b)
{
    gsize length = strlen(b);
    g_autofree gsize *row = g_new(gsize, length + 1);

    for (gsize j = 0; j <= length; j++)
        row[j] = j;
    for (gsize i = 0; a[i] != '\0'; i++) {
        gsize diagonal = row[0];

        row[0] = i + 1;
        for (gsize j = 0; j < length; j++) {
            gsize substitute = diagonal + (a[i] == b[j] ? 0 : 1);

            diagonal = row[j + 1];
            row[j + 1] = MIN(substitute, MIN(diagonal, row[j]) + 1);
        }
    }
    return row[length];
}

const VbCommand *vb_command_suggest(const char *name)
{
    const VbCommand *best = NULL;
    gsize best_distance = 3; /* what is further off than two edits is no misspelling */

    if (strlen(name) > 32)
        return NULL;
    for (const VbCommand *command = vb_commands; command->name != NULL; command++) {
        gsize distance = edit_distance(name, command->name);

        if (distance < best_distance && distance < strlen(command->name)) {
            best = command;
            best_distance = distance;
        }
    }
    return best;
}

static void append_row(GString *text, const char *left, const char *right)
{
    g_string_append_printf(text, "  %-28s %s\n", left, right);
}

static void append_options(GString *text, const VbOption *options)
{
    for (const VbOption *option = options; option != NULL && option->name != NULL; option++) {
        g_autoptr(GString) left = g_string_new(NULL);

        if (option->short_name != 0)
            g_string_append_printf(left, "-%c, ", option->short_name);
        g_string_append_printf(left, "--%s", option->name);
        if (option->value != NULL)
            g_string_append_printf(left, "=%s", option->value);
        append_row(text, left->str, option->help);
    }
}

char *vb_command_help(const VbCommand *command)
{
    g_autoptr(GString) text = g_string_new(NULL);
    gboolean has_parameters = command->parameters != NULL && command->parameters->name != NULL;
    gboolean has_options = command->options != NULL && command->options->name != NULL;

    g_string_append_printf(text, "Usage: virtbusctl [OPTION…] %s", command->name);
    for (const VbParameter *parameter = command->parameters; has_parameters && parameter->name;
         parameter++)
        g_string_append_printf(text, parameter->optional ? " [%s]" : " %s", parameter->placeholder);
    if (has_options)
        g_string_append(text, " [OPTION…]");
    g_string_append_printf(text, "\n\n%s.\n", command->summary);

    if (has_parameters) {
        g_string_append(text, "\nArguments:\n");
        for (const VbParameter *parameter = command->parameters; parameter->name; parameter++)
            append_row(text, parameter->placeholder, parameter->help);
    }
    if (has_options) {
        g_string_append(text, "\nOptions:\n");
        append_options(text, command->options);
    }
    g_string_append(text, "\nThe options that every command takes are in 'virtbusctl help'.\n");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *vb_command_list_help(void)
{
    g_autoptr(GString) text = g_string_new("Usage: virtbusctl [OPTION…] COMMAND [ARGUMENT…]\n\n"
                                           "Manages virtual machines through virtbusd.\n\n"
                                           "Options:\n");

    append_options(text, vb_global_options);
    g_string_append(text, "\nCommands:\n");
    for (const VbCommand *command = vb_commands; command->name != NULL; command++)
        append_row(text, command->name, command->summary);
    g_string_append(text, "\n'virtbusctl help COMMAND' says what a command takes.\n");
    return g_string_free(g_steal_pointer(&text), FALSE);
}
