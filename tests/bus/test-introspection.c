/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * data/dbus-interfaces is the single source of truth: what the daemon shows on the bus and what its
 * tables say is compared with the files, in both directions; and so is what the polkit policy and
 * docs/authorization.md say of the actions. */
#include "actions.h"
#include "block-job.h"
#include "bus-fixture.h"
#include "domain-block.h"
#include "domain-object.h"
#include "job-object.h"
#include "manager.h"
#include "network-object.h"

#define EMITS "org.freedesktop.DBus.Property.EmitsChangedSignal"

static const VbInterface *const tables[] = {&vb_manager_interface,      &vb_domain_interface,
                                            &vb_domain_block_interface, &vb_job_interface,
                                            &vb_block_job_interface,    &vb_network_interface};

/* ---- an interface as sorted lines -------------------------------------------------------------
 */

static void add_line(GPtrArray *lines, GString *line)
{
    g_ptr_array_add(lines, g_string_free(line, FALSE));
}

static void append_args(GString *line, const char *direction, GDBusArgInfo **args)
{
    for (; args != NULL && *args != NULL; args++)
        g_string_append_printf(line, " %s:%s:%s", direction, (*args)->name, (*args)->signature);
}

static void append_annotations(GString *line, GDBusAnnotationInfo **annotations)
{
    for (; annotations != NULL && *annotations != NULL; annotations++)
        if (!g_str_equal((*annotations)->key, EMITS))
            g_string_append_printf(line, " %s=%s", (*annotations)->key, (*annotations)->value);
}

static void add_property(GPtrArray *lines, const GDBusPropertyInfo *property)
{
    GString *line = g_string_new(NULL);
    const char *emits = g_dbus_annotation_info_lookup(property->annotations, EMITS);

    /* On the bus, the default is not spelled out. */
    g_string_printf(line, "property %s:%s flags=%d emits=%s", property->name, property->signature,
                    property->flags, emits != NULL ? emits : "true");
    append_annotations(line, property->annotations);
    add_line(lines, line);
}

static int compare_lines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *describe(const GDBusInterfaceInfo *interface)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

    for (GDBusMethodInfo **m = interface->methods; m != NULL && *m != NULL; m++) {
        GString *line = g_string_new("method ");

        g_string_append(line, (*m)->name);
        append_args(line, "in", (*m)->in_args);
        append_args(line, "out", (*m)->out_args);
        append_annotations(line, (*m)->annotations);
        add_line(lines, line);
    }
    for (GDBusSignalInfo **s = interface->signals; s != NULL && *s != NULL; s++) {
        GString *line = g_string_new("signal ");

        g_string_append(line, (*s)->name);
        append_args(line, "arg", (*s)->args);
        append_annotations(line, (*s)->annotations);
        add_line(lines, line);
    }
    for (GDBusPropertyInfo **p = interface->properties; p != NULL && *p != NULL; p++)
        add_property(lines, *p);
    g_ptr_array_sort(lines, compare_lines);
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("\n", (char **)lines->pdata);
}

/* ---- files and bus ----------------------------------------------------------------------------
 */

static char *read_file(const char *name)
{
    g_autofree char *path = g_build_filename(VB_TEST_INTERFACES, name, NULL);
    g_autoptr(GError) error = NULL;
    char *text;

    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

/* Interface name → its text, of all files. */
static GHashTable *read_files(void)
{
    GHashTable *files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GDir) dir = g_dir_open(VB_TEST_INTERFACES, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_suffix(name, ".xml"))
            g_hash_table_insert(files, g_strndup(name, strlen(name) - strlen(".xml")),
                                read_file(name));
    return files;
}

/* A file: a node with the one interface that its name says. */
static GDBusNodeInfo *parse_file(const char *name, const char *text)
{
    g_autoptr(GError) error = NULL;
    GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(text, &error);

    g_assert_no_error(error);
    g_assert_nonnull(node->interfaces[0]);
    g_assert_null(node->interfaces[1]);
    g_assert_cmpstr(node->interfaces[0]->name, ==, name);
    return node;
}

/* Compares each interface of ours that the object has with its file; notes it as seen. */
static void compare_object(VbBusClient *client, const char *path, GHashTable *files,
                           GHashTable *seen)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, path, VB_IFACE_INTROSPECTABLE, "Introspect", NULL);
    const char *xml;
    g_autoptr(GDBusNodeInfo) node = NULL;

    g_variant_get(reply, "(&s)", &xml);
    node = g_dbus_node_info_new_for_xml(xml, NULL);
    g_assert_nonnull(node);
    for (GDBusInterfaceInfo **i = node->interfaces; *i != NULL; i++) {
        const char *name = (*i)->name;
        const char *text = g_hash_table_lookup(files, name);
        g_autoptr(GDBusNodeInfo) file = NULL;
        g_autofree char *expected = NULL, *live = NULL;

        if (!g_str_has_prefix(name, "org.virtbus1."))
            continue;
        if (text == NULL)
            g_error("%s has the interface %s, which has no file", path, name);
        file = parse_file(name, text);
        expected = describe(file->interfaces[0]);
        live = describe(*i);
        g_assert_cmpstr(live, ==, expected);
        g_hash_table_add(seen, g_strdup(name));
    }
}

static void test_live(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(GHashTable) files = read_files();
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *domain = vb_bus_client_start_domain(client, "shown", NULL);
    g_autoptr(GVariant) started = vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Pull",
                                                     g_variant_new_parsed("('vda', @a{sv} {})"));
    g_autoptr(GVariant) defined = vb_bus_client_call(
        client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineNetwork",
        g_variant_new_parsed("('<network><name>shown</name></network>', @a{sv} {})"));
    const char *job, *network;

    g_variant_get(started, "(&o)", &job);
    g_variant_get(defined, "(&o)", &network);
    compare_object(client, VB_PATH_MANAGER, files, seen);
    compare_object(client, domain, files, seen);
    compare_object(client, job, files, seen);
    compare_object(client, network, files, seen);
    g_assert_cmpuint(g_hash_table_size(seen), ==, g_hash_table_size(files));
}

static void test_emits(void)
{
    g_autoptr(GHashTable) files = read_files();
    GHashTableIter iter;
    gpointer name, text;

    g_assert_cmpuint(g_hash_table_size(files), ==, G_N_ELEMENTS(tables));
    g_hash_table_iter_init(&iter, files);
    while (g_hash_table_iter_next(&iter, &name, &text)) {
        g_autoptr(GDBusNodeInfo) file = parse_file(name, text);

        for (GDBusPropertyInfo **p = file->interfaces[0]->properties; p != NULL && *p != NULL;
             p++) {
            const char *emits = g_dbus_annotation_info_lookup((*p)->annotations, EMITS);

            if (emits == NULL || g_str_equal(emits, "false"))
                g_error("%s.%s does not declare that it emits its changes", (char *)name,
                        (*p)->name);
        }
    }
}

/* ---- the comments and the tables --------------------------------------------------------------
 */

/* "public", or the action that the comment before the method names. */
static char *documented_access(const char *text, const char *member)
{
    g_autofree char *pattern =
        g_strdup_printf("<!--((?:(?!-->).)*)-->\\s*<method name=\"%s\"", member);
    g_autoptr(GRegex) comment = g_regex_new(pattern, G_REGEX_DOTALL, 0, NULL);
    g_autoptr(GRegex) line = g_regex_new("^ *(?:action )?(public|org\\.virtbus1\\.[a-z.-]+)$",
                                         G_REGEX_MULTILINE, 0, NULL);
    g_autoptr(GMatchInfo) found = NULL, access = NULL;
    g_autofree char *words = NULL;

    if (!g_regex_match(comment, text, 0, &found))
        g_error("%s has no comment", member);
    words = g_match_info_fetch(found, 1);
    if (!g_regex_match(line, words, 0, &access))
        g_error("%s does not say who may call it", member);
    return g_match_info_fetch(access, 1);
}

static void test_access(void)
{
    g_autoptr(GHashTable) files = read_files();

    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        const char *text = g_hash_table_lookup(files, tables[i]->name);

        g_assert_nonnull(text);
        for (const VbMethod *method = tables[i]->methods; method->member != NULL; method++) {
            g_autofree char *documented = documented_access(text, method->member);
            const char *access =
                method->access.kind == VB_ACCESS_PUBLIC ? "public" : method->access.action;

            g_test_message("%s.%s", tables[i]->name, method->member);
            g_assert_cmpstr(access, ==, documented);
        }
    }
}

/* ---- actions ----------------------------------------------------------------------------------
 */

/* All matches of the pattern's first group, without doubles. */
static GPtrArray *find_all(const char *pattern, const char *text)
{
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_MULTILINE, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);

    g_assert_nonnull(regex);
    for (g_regex_match(regex, text, 0, &match); g_match_info_matches(match);
         g_match_info_next(match, NULL)) {
        g_autofree char *word = g_match_info_fetch(match, 1);

        if (!g_ptr_array_find_with_equal_func(found, word, g_str_equal, NULL))
            g_ptr_array_add(found, g_steal_pointer(&word));
    }
    return found;
}

static char *read_source(const char *path)
{
    g_autoptr(GError) error = NULL;
    char *text;

    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

static void assert_all_actions(const char *pattern, const char *text)
{
    g_autoptr(GPtrArray) found = find_all(pattern, text);

    for (guint i = 0; i < found->len; i++)
        if (!vb_is_action(found->pdata[i]))
            g_error("there is no action %s", (char *)found->pdata[i]);
    g_assert_cmpuint(found->len, ==, g_strv_length((char **)vb_actions()));
}

/* What the documents say needs an action: lines "Domain.Start org.virtbus1.domain.operate". */
static void note_methods(GPtrArray *lines, const char *interface, const char *text)
{
    g_autoptr(GRegex) comment =
        g_regex_new("<!--((?:(?!-->).)*)-->\\s*<method name=\"(\\w+)\"", G_REGEX_DOTALL, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    for (g_regex_match(comment, text, 0, &match); g_match_info_matches(match);
         g_match_info_next(match, NULL)) {
        g_autofree char *words = g_match_info_fetch(match, 1);
        g_autofree char *member = g_match_info_fetch(match, 2);
        g_autoptr(GPtrArray) actions = find_all("^ *action (org\\.virtbus1\\.[a-z.-]+)", words);

        for (guint i = 0; i < actions->len; i++)
            g_ptr_array_add(lines, g_strdup_printf("%s.%s %s", interface + strlen("org.virtbus1."),
                                                   member, (char *)actions->pdata[i]));
    }
}

static void note_rows(GPtrArray *lines, const char *text)
{
    g_autoptr(GRegex) row = g_regex_new("^\\| `(org\\.virtbus1\\.[a-z.-]+)` \\| ([^|]+)\\|",
                                        G_REGEX_MULTILINE, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    for (g_regex_match(row, text, 0, &match); g_match_info_matches(match);
         g_match_info_next(match, NULL)) {
        g_autofree char *action = g_match_info_fetch(match, 1);
        g_autofree char *cell = g_match_info_fetch(match, 2);
        g_autoptr(GPtrArray) methods = find_all("`([A-Za-z.]+\\.[A-Za-z]+)`", cell);

        for (guint i = 0; i < methods->len; i++)
            g_ptr_array_add(lines, g_strdup_printf("%s %s", (char *)methods->pdata[i], action));
    }
}

static char *join_sorted(GPtrArray *lines)
{
    g_ptr_array_sort(lines, compare_lines);
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("\n", (char **)lines->pdata);
}

/* The actions of the code, of the policy file, of the interfaces' comments and of the table of
 * docs/authorization.md are the same; and so is which methods need which. That the first action of
 * a comment is the one of the method's table is test_access()'s; that the code asks for the others,
 * tests/polkit/details.c's. */
static void test_actions(void)
{
    g_autoptr(GHashTable) files = read_files();
    g_autoptr(GPtrArray) by_comment = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) by_row = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *policy = read_source(VB_TEST_POLICY);
    g_autofree char *docs = read_source(VB_TEST_AUTHORIZATION);
    g_autoptr(GString) comments = g_string_new(NULL);
    g_autofree char *expected = NULL, *documented = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        const char *text = g_hash_table_lookup(files, tables[i]->name);

        note_methods(by_comment, tables[i]->name, text);
        g_string_append(comments, text);
    }
    assert_all_actions("<action id=\"([^\"]+)\"", policy);
    assert_all_actions("^ *action (org\\.virtbus1\\.[a-z.-]+)", comments->str);
    assert_all_actions("^\\| `(org\\.virtbus1\\.[a-z.-]+)` \\|", docs);
    note_rows(by_row, docs);
    expected = join_sorted(by_comment);
    documented = join_sorted(by_row);
    g_assert_cmpstr(documented, ==, expected);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/introspection/live", test_live);
    g_test_add_func("/introspection/emits", test_emits);
    g_test_add_func("/introspection/access", test_access);
    g_test_add_func("/introspection/actions", test_actions);
    return g_test_run();
}
