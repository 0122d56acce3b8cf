/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * src/cli/command.c against the real table of commands, and the manual page against it too. */
#include <string.h>

#include "command.h"

/* Parses a command line without the program's name; NULL and *ret_message on a usage error. */
static VbArgs *parse(const char *line, char **ret_message)
{
    g_autoptr(VbArgs) args = vb_args_new();
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_auto(GStrv) rest = NULL;
    g_autoptr(GError) error = NULL;
    gboolean parsed = vb_args_parse_global(args, &words, &error);

    if (parsed) {
        const VbCommand *command = vb_command_find(words[0]);

        g_assert_nonnull(command);
        rest = g_strdupv(words + 1);
        parsed = vb_args_parse(args, command, &rest, &error);
    }
    if (parsed) {
        g_assert_no_error(error);
        return g_steal_pointer(&args);
    }
    g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
    *ret_message = g_strdup(error->message);
    return NULL;
}

static VbArgs *parse_ok(const char *line)
{
    g_autofree char *message = NULL;
    VbArgs *args = parse(line, &message);

    g_assert_cmpstr(message, ==, NULL);
    return args;
}

static void assert_usage_error(const char *line, const char *expected)
{
    g_autofree char *message = NULL;
    g_autoptr(VbArgs) args = parse(line, &message);

    g_assert_null(args);
    g_assert_cmpstr(message, ==, expected);
}

static void test_parameters(void)
{
    g_autoptr(VbArgs) args = parse_ok("blockpull vm vda 300K --base /b");

    g_assert_cmpstr(vb_args_get(args, "domain"), ==, "vm");
    g_assert_cmpstr(vb_args_get(args, "path"), ==, "vda");
    g_assert_cmpstr(vb_args_get(args, "bandwidth"), ==, "300K");
    g_assert_cmpstr(vb_args_get(args, "base"), ==, "/b");
    g_assert_false(vb_args_has(args, "wait"));
    g_assert_null(vb_args_get(args, "wait"));
}

static void test_parameters_by_name(void)
{
    g_autoptr(VbArgs) args = parse_ok("blockpull --path=vda --bandwidth 1 vm --wait");

    g_assert_cmpstr(vb_args_get(args, "domain"), ==, "vm");
    g_assert_cmpstr(vb_args_get(args, "path"), ==, "vda");
    g_assert_cmpstr(vb_args_get(args, "bandwidth"), ==, "1");
    g_assert_true(vb_args_has(args, "wait"));
}

static void test_globals(void)
{
    g_autoptr(VbArgs) before = parse_ok("--session --address unix:path=/s list --all");
    g_autoptr(VbArgs) after = parse_ok("list --all --json");

    g_assert_true(vb_args_has(before, "session"));
    g_assert_cmpstr(vb_args_get(before, "address"), ==, "unix:path=/s");
    g_assert_true(vb_args_has(before, "all"));
    g_assert_true(vb_args_has(after, "json"));
}

static void test_dashes(void)
{
    g_autoptr(VbArgs) odd = parse_ok("dominfo -- -odd");
    g_autoptr(VbArgs) separator = parse_ok("dominfo -- --");
    g_autoptr(VbArgs) input = parse_ok("define -");

    g_assert_cmpstr(vb_args_get(odd, "domain"), ==, "-odd");
    g_assert_cmpstr(vb_args_get(separator, "domain"), ==, "--");
    g_assert_cmpstr(vb_args_get(input, "file"), ==, "-");
}

static void test_help_wants_no_arguments(void)
{
    g_autoptr(VbArgs) args = parse_ok("start --help");

    g_assert_true(vb_args_has(args, "help"));
}

static void test_usage_errors(void)
{
    assert_usage_error("start", "start needs the argument DOMAIN");
    assert_usage_error("blockjob vm", "blockjob needs the argument DISK");
    assert_usage_error("start a b", "start does not take the argument 'b'");
    assert_usage_error("list a", "list does not take the argument 'a'");
    assert_usage_error("start --domain a b", "start does not take the argument 'b'");
    assert_usage_error("start --nope a", "Unknown option --nope");
    assert_usage_error("--nope list", "Unknown option --nope");
    assert_usage_error("start --paused=yes a", "--paused takes no value");
    assert_usage_error("list --all --all", "--all is given twice");
    assert_usage_error("--json list --json", "--json is given twice");
    assert_usage_error("start \xff", "the value of --domain is not UTF-8");
}

/* What GOption would let pass if it were asked to: none of it may. */
static void test_no_abbreviations(void)
{
    assert_usage_error("list --al", "Unknown option --al");
    assert_usage_error("list --inact", "Unknown option --inact");
    assert_usage_error("--sess list", "Unknown option --sess");
}

static void test_numbers(void)
{
    static const char *const wrong[] = {"0", "11", "-1", "x", "", "5s", "99999999999999999999"};
    g_autoptr(VbArgs) good = parse_ok("event --timeout 10");
    g_autoptr(VbArgs) none = parse_ok("event");
    guint64 number = 7;

    g_assert_true(vb_args_get_number(none, "timeout", 1, 10, &number, NULL));
    g_assert_cmpuint(number, ==, 7);
    g_assert_true(vb_args_get_number(good, "timeout", 1, 10, &number, NULL));
    g_assert_cmpuint(number, ==, 10);
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *line = g_strdup_printf("event --timeout=%s", wrong[i]);
        g_autoptr(VbArgs) args = parse_ok(line);
        g_autoptr(GError) error = NULL;

        g_assert_false(vb_args_get_number(args, "timeout", 1, 10, &number, &error));
        g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
        g_assert_cmpuint(number, ==, 10);
    }
}

static void test_suggestions(void)
{
    g_assert_cmpstr(vb_command_suggest("lst")->name, ==, "list");
    g_assert_cmpstr(vb_command_suggest("strat")->name, ==, "start");
    g_assert_cmpstr(vb_command_suggest("blokjob")->name, ==, "blockjob");
    g_assert_null(vb_command_suggest("frobnicate"));
    g_assert_null(vb_command_suggest(""));
}

/* No option may hide a global one, a parameter or another option of its command. */
static void test_names_are_unique(void)
{
    for (const VbCommand *command = vb_commands; command->name != NULL; command++) {
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        const VbOption *const lists[] = {vb_global_options, command->options};

        g_assert_true(vb_command_find(command->name) == command);
        g_assert_nonnull(command->run);
        for (gsize i = 0; i < G_N_ELEMENTS(lists); i++)
            for (const VbOption *option = lists[i]; option != NULL && option->name; option++)
                g_assert_true(g_hash_table_add(names, (gpointer)option->name));
        for (const VbParameter *parameter = command->parameters;
             parameter != NULL && parameter->name != NULL; parameter++)
            g_assert_true(g_hash_table_add(names, (gpointer)parameter->name));
    }
}

static void test_help(void)
{
    g_autofree char *list = vb_command_list_help();

    for (const VbCommand *command = vb_commands; command->name != NULL; command++) {
        g_autofree char *help = vb_command_help(command);
        g_autofree char *row = g_strdup_printf("\n  %s ", command->name);

        g_assert_nonnull(strstr(list, row));
        for (const VbOption *option = command->options; option != NULL && option->name; option++) {
            g_autofree char *name = g_strdup_printf("--%s", option->name);

            g_assert_nonnull(strstr(help, name));
        }
    }
}

/* The section of one command: from its heading to the next heading of that level. */
static char *get_manual_section(const char *manual, const char *name)
{
    g_autofree char *heading = g_strdup_printf("\n**%s**", name);
    const char *start = strstr(manual, heading);
    const char *end;

    if (start == NULL)
        return NULL;
    end = strstr(start + 1, "\n**");
    return end != NULL ? g_strndup(start, (gsize)(end - start)) : g_strdup(start);
}

static void test_manual(void)
{
    g_autofree char *path =
        g_test_build_filename(G_TEST_DIST, "..", "docs", "man", "virtbusctl.1.rst", NULL);
    g_autofree char *manual = NULL;
    g_autoptr(GError) error = NULL;

    g_file_get_contents(path, &manual, NULL, &error);
    g_assert_no_error(error);
    for (const VbOption *option = vb_global_options; option->name != NULL; option++) {
        g_autofree char *name = g_strdup_printf("--%s", option->name);

        if (strstr(manual, name) == NULL)
            g_error("the manual page lacks %s", name);
    }
    for (const VbCommand *command = vb_commands; command->name != NULL; command++) {
        g_autofree char *section = get_manual_section(manual, command->name);

        if (section == NULL)
            g_error("the manual page lacks the command %s", command->name);
        for (const VbOption *option = command->options; option != NULL && option->name; option++) {
            g_autofree char *name = g_strdup_printf("--%s", option->name);

            if (strstr(section, name) == NULL)
                g_error("the manual page lacks %s of %s", name, command->name);
        }
        for (const VbParameter *parameter = command->parameters;
             parameter != NULL && parameter->name != NULL; parameter++)
            if (strstr(section, parameter->placeholder) == NULL)
                g_error("the manual page lacks %s of %s", parameter->placeholder, command->name);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/command/parameters", test_parameters);
    g_test_add_func("/cli/command/parameters-by-name", test_parameters_by_name);
    g_test_add_func("/cli/command/globals", test_globals);
    g_test_add_func("/cli/command/dashes", test_dashes);
    g_test_add_func("/cli/command/help-wants-no-arguments", test_help_wants_no_arguments);
    g_test_add_func("/cli/command/usage-errors", test_usage_errors);
    g_test_add_func("/cli/command/no-abbreviations", test_no_abbreviations);
    g_test_add_func("/cli/command/numbers", test_numbers);
    g_test_add_func("/cli/command/suggestions", test_suggestions);
    g_test_add_func("/cli/command/names-are-unique", test_names_are_unique);
    g_test_add_func("/cli/command/help", test_help);
    g_test_add_func("/cli/command/manual", test_manual);
    return g_test_run();
}
