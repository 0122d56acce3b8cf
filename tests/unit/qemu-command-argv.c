/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command line of a definition, argument by argument: data/qemu-command/NAME.xml gives
 * NAME.argv. After a change that is meant, `qemu-command-argv --print NAME` prints the new one. And
 * what nobody may smuggle into it. */
#include <string.h>

#include "blockdev.h"
#include "qemu-command-caps.h"
#include "qemu-command.h"

static const char *const names[] = {"minimal", "pc", "q35", "kvm", "network", "user"};

static char *read_data(const char *name, const char *suffix)
{
    g_autofree char *file = g_strconcat(name, suffix, NULL);
    g_autofree char *path =
        g_test_build_filename(G_TEST_DIST, "unit", "data", "qemu-command", file, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *contents = NULL;

    g_file_get_contents(path, &contents, NULL, &error);
    g_assert_no_error(error);
    g_auto(GStrv) parts = g_strsplit(contents, "@DIR@", -1);
    return g_strjoinv("/vm", parts);
}

/* As vm-start.c has it when it builds: addresses, aliases, and chains known to their ends. */
static VbDomainDef *complete(const char *xml)
{
    g_autoptr(GError) error = NULL;
    VbDomainDef *def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);
    guint last_index = 0;

    g_assert_no_error(error);
    vb_domain_def_assign_addresses(def, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < def->disks->len; i++) {
        VbDiskDef *disk = def->disks->pdata[i];
        if (disk->source) {
            disk->source->backing_known = TRUE;
            vb_blockdev_assign_indexes(disk->source, &last_index);
        }
    }
    return def;
}

/* As vm-start.c numbers them; of int. */
static GArray *number_taps(const VbDomainDef *def)
{
    GArray *taps = g_array_new(FALSE, FALSE, sizeof(int));
    int next = VB_QEMU_FIRST_TAP_FD;

    for (guint i = 0; i < def->interfaces->len; i++) {
        const VbInterfaceDef *interface = def->interfaces->pdata[i];
        gboolean passt = interface->backend == VB_USER_BACKEND_PASST;
        int tap = vb_interface_def_has_tap(interface) || passt ? next++ : -1;
        g_array_append_val(taps, tap);
    }
    return taps;
}

static GStrv build(const char *xml)
{
    g_autoptr(VbDomainDef) def = complete(xml);
    g_autoptr(VbQemuCaps) caps = test_caps_new();
    g_autoptr(GArray) taps = number_taps(def);
    VbQemuCommandInput input = {def, caps, "/run/vm", 1600000000, &g_array_index(taps, int, 0)};

    return vb_qemu_command_build(&input);
}

static char *build_named(const char *name)
{
    g_autofree char *xml = read_data(name, ".xml");
    g_auto(GStrv) argv = build(xml);
    g_autofree char *lines = g_strjoinv("\n", argv);

    return g_strconcat(lines, "\n", NULL);
}

static void test_golden(gconstpointer data)
{
    const char *name = data;
    g_autofree char *actual = build_named(name);
    g_autofree char *expected = read_data(name, ".argv");
    g_auto(GStrv) actual_lines = g_strsplit(actual, "\n", -1);
    g_auto(GStrv) expected_lines = g_strsplit(expected, "\n", -1);

    for (guint i = 0; actual_lines[i] && expected_lines[i]; i++)
        g_assert_cmpstr(actual_lines[i], ==, expected_lines[i]);
    g_assert_cmpuint(g_strv_length(actual_lines), ==, g_strv_length(expected_lines));
}

/* A domain with each of these strings where a user can write one. */
static char *hostile_xml(const char *text)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);

    return g_strdup_printf("<domain type='qemu'><name>%s</name><memory>65536</memory>"
                           "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>"
                           "<kernel>/k%s</kernel><cmdline>%s</cmdline></os><devices>"
                           "<emulator>/usr/bin/qemu-system-x86_64</emulator>"
                           "<disk type='file'><driver name='qemu' type='raw'/><source file='/d%s'/>"
                           "<target dev='vda'/></disk>"
                           "<serial type='file'><source path='/s%s'/></serial>"
                           "<channel type='unix'><source mode='bind' path='/c%s'/>"
                           "<target type='virtio' name='port%s'/></channel>"
                           "<graphics type='vnc'><listen type='socket' socket='/v%s'/></graphics>"
                           "</devices></domain>",
                           escaped, escaped, escaped, escaped, escaped, escaped, escaped, escaped);
}

/* The value of an option, by its place among the options of that name. */
static const char *value_of(GStrv argv, const char *option, guint nth)
{
    for (guint i = 1; argv[i]; i++)
        if (g_str_equal(argv[i], option) && nth-- == 0)
            return argv[i + 1];
    g_error("no such option: %s", option);
}

/* What QEMU's option parser makes of a value: its members, "a,,b" being one. */
static GHashTable *parse_legacy(const char *value)
{
    GHashTable *members = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GString) member = g_string_new(NULL);

    for (const char *c = value;; c++) {
        if (*c == ',' && c[1] == ',') {
            g_string_append_c(member, *c++);
        } else if (*c && *c != ',') {
            g_string_append_c(member, *c);
        } else {
            g_auto(GStrv) pair = g_strsplit(member->str, "=", 2);
            gboolean is_new =
                g_hash_table_insert(members, g_strdup(pair[0]), g_strdup(pair[1] ? pair[1] : ""));
            g_assert_true(is_new);
            g_string_truncate(member, 0);
            if (!*c)
                return members;
        }
    }
}

static void assert_member(const char *value, const char *member, const char *prefix,
                          const char *text, guint n_members)
{
    g_autoptr(GHashTable) members = parse_legacy(value);
    g_autofree char *expected = g_strconcat(prefix, text, NULL);

    g_assert_cmpstr(g_hash_table_lookup(members, member), ==, expected);
    g_assert_cmpuint(g_hash_table_size(members), ==, n_members);
}

static void test_hostile(gconstpointer data)
{
    const char *text = data;
    g_autofree char *plain_xml = hostile_xml("x");
    g_autofree char *xml = hostile_xml(text);
    g_auto(GStrv) plain = build(plain_xml);
    g_auto(GStrv) argv = build(xml);
    g_autofree char *vnc = g_strconcat("unix:/v", text, NULL);

    /* The same options in the same places: the text is nowhere but in values. */
    g_assert_cmpuint(g_strv_length(argv), ==, g_strv_length(plain));
    for (guint i = 0; plain[i]; i++)
        if (plain[i][0] == '-')
            g_assert_cmpstr(argv[i], ==, plain[i]);

    assert_member(value_of(argv, "-name", 0), "guest", "", text, 2);
    assert_member(value_of(argv, "-chardev", 1), "path", "/s", text, 3);
    assert_member(value_of(argv, "-chardev", 2), "path", "/c", text, 5);
    g_autoptr(GHashTable) display = parse_legacy(value_of(argv, "-vnc", 0));
    g_assert_cmpuint(g_hash_table_size(display), ==, 1);
    g_assert_cmpstr(value_of(argv, "-append", 0), ==, text);
}

static void test_line_breaks(void)
{
    static const char *const texts[] = {"a\nb", "a\tb", "a\rb", "\x7f"};

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *xml =
            g_strdup_printf("<domain type='qemu'><name>a%sb</name><memory>65536</memory>"
                            "<os><type>hvm</type></os></domain>",
                            texts[i]);
        g_autoptr(GError) error = NULL;
        g_autoptr(VbDomainDef) def = vb_domain_def_parse(xml, -1, VB_XML_NONE, &error);
        g_assert_null(def);
        g_assert_nonnull(error);
    }
}

static void test_env(void)
{
    g_autofree char *zone_xml = read_data("q35", ".xml");
    g_autofree char *plain_xml = read_data("minimal", ".xml");
    g_autoptr(VbDomainDef) zone = complete(zone_xml);
    g_autoptr(VbDomainDef) plain = complete(plain_xml);
    g_auto(GStrv) with = vb_qemu_command_env(zone);
    g_auto(GStrv) without = vb_qemu_command_env(plain);

    g_assert_cmpstr(with[0], ==, "TZ=Europe/Berlin");
    g_assert_null(with[1]);
    g_assert_null(without[0]);
}

int main(int argc, char **argv)
{
    static const char *const texts[] = {
        "a,b=c",  "a,,b",      ",server=on",    "-S",  "-device foo", "file=passwd",
        "json:{", "{\"a\":1}", "a,path=b,c=\"", "a;b", "$(id)",
    };

    g_test_init(&argc, &argv, NULL);
    if (argc == 3 && g_str_equal(argv[1], "--print")) {
        g_autofree char *lines = build_named(argv[2]);
        g_print("%s", lines);
        return 0;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_strconcat("/qemu-command/argv/", names[i], NULL);
        g_test_add_data_func(path, names[i], test_golden);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *path = g_strdup_printf("/qemu-command/hostile/%" G_GSIZE_FORMAT, i);
        g_test_add_data_func(path, texts[i], test_hostile);
    }
    g_test_add_func("/qemu-command/line-breaks", test_line_breaks);
    g_test_add_func("/qemu-command/env", test_env);
    return g_test_run();
}
