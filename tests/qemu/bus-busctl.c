/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What somebody does who has nothing but busctl: every call is a process of it, and so are the
 * monitor and the introspection. */
#include "bus-guest.h"

#include <string.h>

/* Runs busctl on the fixture's bus; its output. With `ret_error` it must fail, and says why there.
 */
static char *busctl(VbBusFixture *fixture, char **ret_error, const char *first,
                    ...) G_GNUC_NULL_TERMINATED;

static char *busctl(VbBusFixture *fixture, char **ret_error, const char *first, ...)
{
    g_autofree char *address = g_strconcat("--address=", vb_bus_fixture_address(fixture), NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *errors = NULL;
    char *output = NULL;
    va_list args;
    int status;

    g_ptr_array_add(argv, (char *)"busctl");
    g_ptr_array_add(argv, address);
    va_start(args, first);
    for (const char *arg = first; arg != NULL; arg = va_arg(args, const char *))
        g_ptr_array_add(argv, (char *)arg);
    va_end(args);
    g_ptr_array_add(argv, NULL);
    g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output,
                 &errors, &status, &error);
    g_assert_no_error(error);
    if ((status == 0) != (ret_error == NULL))
        g_error("busctl %s: %s%s", first, output, errors);
    if (ret_error != NULL)
        *ret_error = g_steal_pointer(&errors);
    return g_strchomp(output);
}

/* 'o "/org/virtbus1/job/1"' → /org/virtbus1/job/1 */
static char *path_of(const char *output)
{
    g_assert_true(g_str_has_prefix(output, "o \""));
    return g_strndup(output + 3, strlen(output) - 4);
}

static char *property(VbBusFixture *fixture, const char *path, const char *interface,
                      const char *name)
{
    return busctl(fixture, NULL, "get-property", VB_BUS_NAME, path, interface, name, NULL);
}

static char *start_slow_pull(VbBusFixture *fixture, const char *domain)
{
    g_autofree char *output =
        busctl(fixture, NULL, "call", VB_BUS_NAME, domain, VB_IFACE_BLOCK, "Pull", "sa{sv}", "vda",
               "1", "bandwidth", "t", "262144", NULL);

    return path_of(output);
}

static void assert_property(VbBusFixture *fixture, const char *path, const char *interface,
                            const char *name, const char *expected)
{
    g_autofree char *value = property(fixture, path, interface, name);

    g_assert_cmpstr(value, ==, expected);
}

/* ---- a monitor --------------------------------------------------------------------------------
 */

typedef struct {
    GSubprocess *process;
    GDataInputStream *stream;
    char *line; /* the newest; NULL: none came yet */
    gboolean reading;
} Monitor;

static void line_read(GObject *stream, GAsyncResult *result, gpointer data)
{
    Monitor *monitor = data;
    g_autoptr(GError) error = NULL;

    monitor->line =
        g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(stream), result, NULL, &error);
    g_assert_no_error(error);
    monitor->reading = FALSE;
}

static void next_line(Monitor *monitor)
{
    g_clear_pointer(&monitor->line, g_free);
    monitor->reading = TRUE;
    g_data_input_stream_read_line_async(monitor->stream, G_PRIORITY_DEFAULT, NULL, line_read,
                                        monitor);
    VB_WAIT_FOR(!monitor->reading);
    g_assert_nonnull(monitor->line);
}

/* One message a line, as JSON. */
static void monitor_start(Monitor *monitor, VbBusFixture *fixture)
{
    g_autofree char *address = g_strconcat("--address=", vb_bus_fixture_address(fixture), NULL);
    const char *const argv[] = {
        "busctl",  address, "--json=short", "--match=type='signal',interface='" VB_IFACE_BLOCK "'",
        "monitor", NULL};

    monitor->process = vb_bus_fixture_spawn(
        fixture, argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
    monitor->stream = g_data_input_stream_new(g_subprocess_get_stdout_pipe(monitor->process));
    monitor->line = NULL;
    do
        next_line(monitor);
    while (strstr(monitor->line, "Monitoring bus message stream") == NULL);
}

/* The next message must be this signal about that job, for that reason. */
static void monitor_expect(Monitor *monitor, const char *member, const char *job,
                           const char *reason)
{
    do
        next_line(monitor);
    while (strstr(monitor->line, "\"type\":\"signal\"") == NULL);
    g_autofree char *quoted_member = g_strdup_printf("\"member\":\"%s\"", member);
    g_autofree char *quoted_job = g_strdup_printf("\"%s\",\"vda\",\"pull\"", job);
    g_autofree char *quoted_reason =
        g_strdup_printf("\"reason\":{\"type\":\"s\",\"data\":\"%s\"}", reason);
    const char *const parts[] = {quoted_member, quoted_job, quoted_reason};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        if (strstr(monitor->line, parts[i]) == NULL)
            g_error("%s is not in: %s", parts[i], monitor->line);
}

static void monitor_stop(Monitor *monitor, VbBusFixture *fixture)
{
    g_subprocess_force_exit(monitor->process);
    vb_bus_fixture_wait_exit(fixture, monitor->process);
    g_clear_object(&monitor->stream);
    g_clear_object(&monitor->process);
    g_free(monitor->line);
}

/* ---- a session --------------------------------------------------------------------------------
 */

static void test_session(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    g_autofree char *disk = guest_file_disk(fixture, "top", "vda");
    g_autofree char *xml = guest_xml(fixture, "guest", disk, NULL);
    g_autofree char *refused = NULL;
    Monitor monitor;

    guest_make_chain(fixture);
    monitor_start(&monitor, fixture);
    g_autofree char *defined = busctl(fixture, NULL, "call", VB_BUS_NAME, VB_PATH_MANAGER,
                                      VB_IFACE_MANAGER, "DefineDomain", "sa{sv}", xml, "0", NULL);
    g_autofree char *domain = path_of(defined);
    assert_property(fixture, domain, VB_IFACE_DOMAIN, "State", "s \"shut-off\"");
    g_free(busctl(fixture, NULL, "call", VB_BUS_NAME, domain, VB_IFACE_DOMAIN, "Start", "a{sv}",
                  "1", "paused", "b", "true", NULL));
    assert_property(fixture, domain, VB_IFACE_DOMAIN, "State", "s \"paused\"");
    g_autofree char *tree = busctl(fixture, NULL, "tree", "--list", VB_BUS_NAME, NULL);
    g_assert_nonnull(strstr(tree, domain));

    /* A cancel that waits: when it returns, that is that. */
    g_autofree char *first = start_slow_pull(fixture, domain);
    g_autofree char *jobs = property(fixture, domain, VB_IFACE_DOMAIN, "BlockJobs");
    g_autofree char *shown = g_strdup_printf("a{so} 1 \"vda\" \"%s\"", first);
    g_assert_cmpstr(jobs, ==, shown);
    g_free(busctl(fixture, NULL, "call", VB_BUS_NAME, domain, VB_IFACE_BLOCK, "AbortJob", "sa{sv}",
                  "vda", "0", NULL));
    assert_property(fixture, first, VB_IFACE_JOB, "Result", "s \"canceled\"");
    monitor_expect(&monitor, "BlockJobCanceled", first, "requested");

    /* One that does not: the signal tells. */
    g_autofree char *second = start_slow_pull(fixture, domain);
    g_free(busctl(fixture, NULL, "call", VB_BUS_NAME, domain, VB_IFACE_BLOCK, "AbortJob", "sa{sv}",
                  "vda", "1", "async", "b", "true", NULL));
    monitor_expect(&monitor, "BlockJobCanceled", second, "requested");
    assert_property(fixture, second, VB_IFACE_JOB, "Result", "s \"canceled\"");

    g_free(busctl(fixture, &refused, "call", VB_BUS_NAME, domain, VB_IFACE_BLOCK, "AbortJob",
                  "sa{sv}", "vda", "0", NULL));
    g_assert_nonnull(strstr(refused, "disk 'vda' of domain 'guest' has no block job"));

    g_autofree char *pulled = busctl(fixture, NULL, "call", VB_BUS_NAME, domain, VB_IFACE_BLOCK,
                                     "Pull", "sa{sv}", "vda", "0", NULL);
    g_autofree char *third = path_of(pulled);
    monitor_expect(&monitor, "BlockJobCompleted", third, "done");
    g_free(busctl(fixture, NULL, "call", VB_BUS_NAME, domain, VB_IFACE_DOMAIN, "Destroy", "a{sv}",
                  "0", NULL));
    monitor_stop(&monitor, fixture);
    guest_assert_content(fixture, "top");
}

/* ---- introspection ----------------------------------------------------------------------------
 */

/* Each member of data/dbus-interfaces/<interface>.xml has its line, with signature and flags. */
static void check_interface(VbBusFixture *fixture, const char *path, const char *interface)
{
    g_autofree char *file = g_strdup_printf("%s/%s.xml", VB_TEST_INTERFACES, interface);
    g_autofree char *text = NULL;
    g_autofree char *output =
        busctl(fixture, NULL, "--no-legend", "introspect", VB_BUS_NAME, path, interface, NULL);
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    g_autoptr(GString) shown = g_string_new("\n");
    g_autoptr(GDBusNodeInfo) node = NULL;
    g_autoptr(GError) error = NULL;
    guint expected = 0;

    g_file_get_contents(file, &text, NULL, &error);
    g_assert_no_error(error);
    node = g_dbus_node_info_new_for_xml(text, &error);
    g_assert_no_error(error);
    const GDBusInterfaceInfo *info = node->interfaces[0];

    /* name, kind and signature of each line, with single blanks */
    for (guint i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) words = g_strsplit_set(lines[i], " ", -1);
        guint n = 0;
        for (guint w = 0; words[w] != NULL && n < 3; w++)
            if (*words[w] != '\0')
                g_string_append_printf(shown, "%s%c", words[w], ++n == 3 ? '\n' : ' ');
    }
    for (guint i = 0; info->methods != NULL && info->methods[i] != NULL; i++, expected++) {
        g_autoptr(GString) line = g_string_new(NULL);
        g_string_printf(line, "\n.%s method ", info->methods[i]->name);
        for (guint a = 0; info->methods[i]->in_args[a] != NULL; a++)
            g_string_append(line, info->methods[i]->in_args[a]->signature);
        if (strstr(shown->str, line->str) == NULL)
            g_error("busctl introspect does not show%s of %s:%s", line->str, interface, shown->str);
    }
    for (guint i = 0; info->signals != NULL && info->signals[i] != NULL; i++, expected++) {
        g_autofree char *line = g_strdup_printf("\n.%s signal ", info->signals[i]->name);
        if (strstr(shown->str, line) == NULL)
            g_error("busctl introspect does not show%s of %s:%s", line, interface, shown->str);
    }
    for (guint i = 0; info->properties != NULL && info->properties[i] != NULL; i++, expected++) {
        g_autofree char *line = g_strdup_printf("\n.%s property %s", info->properties[i]->name,
                                                info->properties[i]->signature);
        if (strstr(shown->str, line) == NULL)
            g_error("busctl introspect does not show%s of %s:%s", line, interface, shown->str);
    }
    /* And no other. */
    g_assert_cmpuint(g_strv_length(lines), ==, expected);
    g_test_message("%s: %u members", interface, expected);
}

static void test_introspect(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    g_autofree char *job = start_slow_pull(fixture, domain);

    check_interface(fixture, VB_PATH_MANAGER, VB_IFACE_MANAGER);
    check_interface(fixture, domain, VB_IFACE_DOMAIN);
    check_interface(fixture, domain, VB_IFACE_BLOCK);
    check_interface(fixture, job, VB_IFACE_JOB);
    check_interface(fixture, job, VB_IFACE_BLOCK_JOB);
    g_free(busctl(fixture, NULL, "call", VB_BUS_NAME, domain, VB_IFACE_DOMAIN, "Destroy", "a{sv}",
                  "0", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/busctl/session", test_session);
    g_test_add_func("/busctl/introspect", test_introspect);
    return g_test_run();
}
