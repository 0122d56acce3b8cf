/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The mock of virtbusd: GDBus objects registered from the interface files, a table of properties
 * and a table of handlers. */
#include "cli-mock.h"

#include <string.h>

#define BUS_NAME "org.virtbus1"
#define DEADLINE_SECONDS 20

struct VbMock {
    GTestDBus *bus;
    GDBusConnection *connection;
    GPtrArray *nodes;       /* GDBusNodeInfo, one an interface file */
    GHashTable *properties; /* "path property" → GVariant */
    GHashTable *handlers;   /* method → Handler */
    GPtrArray *domains;     /* paths, as the next */
    GPtrArray *networks;
    GString *calls;
    GSubprocess *process;
    GString *text[2]; /* what it printed: stdout, stderr */
    guint open_streams;
    gboolean listed; /* the last page of the list was given to the process */
    gboolean exited;
    gboolean timed_out;
};

typedef gboolean (*Condition)(VbMock *mock, gpointer data);

typedef struct {
    VbMockMethod function;
    gpointer data;
} Handler;

static const char *program;

void vb_mock_set_program(const char *path)
{
    program = path;
}

static gboolean on_deadline(gpointer data)
{
    VbMock *mock = data;

    mock->timed_out = TRUE;
    return G_SOURCE_CONTINUE;
}

/* Runs the main loop until the condition holds. */
static void wait_until(VbMock *mock, Condition condition, gpointer data)
{
    guint deadline = g_timeout_add_seconds(DEADLINE_SECONDS, on_deadline, mock);

    mock->timed_out = FALSE;
    while (!condition(mock, data)) {
        g_main_context_iteration(NULL, TRUE);
        if (mock->timed_out) {
            g_printerr("calls:\n%s", mock->calls->str);
            for (guint i = 0; mock->process != NULL && i < 2; i++)
                g_printerr("its %s:\n%s\n", i == 0 ? "output" : "errors", mock->text[i]->str);
            if (mock->process != NULL)
                g_subprocess_force_exit(mock->process);
            g_error("the deadline has passed");
        }
    }
    g_source_remove(deadline);
}

/* ---- properties ---- */

void vb_mock_set(VbMock *mock, const char *path, const char *property, GVariant *value)
{
    g_hash_table_insert(mock->properties, g_strdup_printf("%s %s", path, property),
                        g_variant_ref_sink(value));
}

static GVariant *get_property(VbMock *mock, const char *path, const GDBusPropertyInfo *info)
{
    g_autofree char *key = g_strdup_printf("%s %s", path, info->name);
    GVariant *value = g_hash_table_lookup(mock->properties, key);

    if (value != NULL)
        return g_variant_ref(value);
    switch (info->signature[0]) {
    case 's':
        return g_variant_ref_sink(g_variant_new_string(""));
    case 'o':
        return g_variant_ref_sink(g_variant_new_object_path("/"));
    case 'b':
        return g_variant_ref_sink(g_variant_new_boolean(FALSE));
    case 't':
        return g_variant_ref_sink(g_variant_new_uint64(0));
    case 'u':
        return g_variant_ref_sink(g_variant_new_uint32(0));
    default:
        g_assert_cmpint(info->signature[0], ==, 'a');
        return g_variant_ref_sink(
            g_variant_new_array(G_VARIANT_TYPE(info->signature + 1), NULL, 0));
    }
}

static GVariant *on_get_property(GDBusConnection *connection, const char *sender, const char *path,
                                 const char *interface, const char *property, GError **error,
                                 gpointer data)
{
    VbMock *mock = data;

    for (guint i = 0; i < mock->nodes->len; i++) {
        GDBusInterfaceInfo *info =
            g_dbus_node_info_lookup_interface(mock->nodes->pdata[i], interface);

        if (info != NULL)
            return get_property(mock, path, g_dbus_interface_info_lookup_property(info, property));
    }
    g_assert_not_reached();
}

/* ---- methods ---- */

static void find_object(VbMock *mock, GDBusMethodInvocation *invocation, GPtrArray *paths,
                        const char *property)
{
    const char *wanted;

    g_variant_get_child(g_dbus_method_invocation_get_parameters(invocation), 0, "&s", &wanted);
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *key = g_strdup_printf("%s %s", (char *)paths->pdata[i], property);
        GVariant *value = g_hash_table_lookup(mock->properties, key);

        if (g_str_equal(g_variant_get_string(value, NULL), wanted)) {
            g_dbus_method_invocation_return_value(invocation,
                                                  g_variant_new("(o)", paths->pdata[i]));
            return;
        }
    }
    g_dbus_method_invocation_return_dbus_error(
        invocation,
        paths == mock->domains ? "org.virtbus1.Error.NoDomain" : "org.virtbus1.Error.NoNetwork",
        paths == mock->domains ? "no domain is called that" : "no network is called that");
}

/* One object a page, so that the cursor is used. */
static void get_objects(VbMock *mock, GDBusMethodInvocation *invocation)
{
    GVariantBuilder objects = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{oa{sa{sv}}}"));
    g_autofree char *next = NULL;
    const char *kind, *cursor;
    guint index;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s&sua{sv})", &kind,
                  &cursor, NULL, NULL);
    g_assert_true(g_str_equal(kind, "domain") || g_str_equal(kind, "network"));
    const gboolean networks = g_str_equal(kind, "network");
    GPtrArray *paths = networks ? mock->networks : mock->domains;
    index = cursor[0] != '\0' ? (guint)g_ascii_strtoull(cursor, NULL, 10) : 0;
    if (index < paths->len) {
        const char *path = paths->pdata[index];
        GDBusInterfaceInfo *info = NULL;

        for (guint i = 0; i < mock->nodes->len && info == NULL; i++)
            info = g_dbus_node_info_lookup_interface(
                mock->nodes->pdata[i], networks ? BUS_NAME ".Network" : BUS_NAME ".Domain");
        g_variant_builder_open(&objects, G_VARIANT_TYPE("{oa{sa{sv}}}"));
        g_variant_builder_add(&objects, "o", path);
        g_variant_builder_open(&objects, G_VARIANT_TYPE("a{sa{sv}}"));
        g_variant_builder_open(&objects, G_VARIANT_TYPE("{sa{sv}}"));
        g_variant_builder_add(&objects, "s", info->name);
        g_variant_builder_open(&objects, G_VARIANT_TYPE("a{sv}"));
        for (GDBusPropertyInfo **property = info->properties; *property != NULL; property++) {
            g_autoptr(GVariant) value = get_property(mock, path, *property);

            g_variant_builder_add(&objects, "{sv}", (*property)->name, value);
        }
        for (guint i = 0; i < 4; i++)
            g_variant_builder_close(&objects);
    }
    mock->listed = index + 1 >= paths->len;
    next = index + 1 < paths->len ? g_strdup_printf("%u", index + 1) : g_strdup("");
    g_dbus_method_invocation_return_value(invocation,
                                          g_variant_new("(a{oa{sa{sv}}}s)", &objects, next));
}

void vb_mock_return_job(GDBusMethodInvocation *invocation)
{
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", VB_MOCK_JOB));
}

static int compare_entries(gconstpointer a, gconstpointer b)
{
    g_autoptr(GVariant) left = g_variant_get_child_value(*(GVariant *const *)a, 0);
    g_autoptr(GVariant) right = g_variant_get_child_value(*(GVariant *const *)b, 0);

    return g_variant_compare(left, right);
}

/* The parameters with the options, which come last, in an order that is always the same. */
static char *print_parameters(GVariant *parameters)
{
    g_autoptr(GPtrArray) children = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    g_autoptr(GVariant) sorted = NULL;
    gsize last = g_variant_n_children(parameters) - 1;
    g_autoptr(GVariant) options = g_variant_get_child_value(parameters, last);

    for (gsize i = 0; i < g_variant_n_children(options); i++)
        g_ptr_array_add(entries, g_variant_get_child_value(options, i));
    g_ptr_array_sort(entries, compare_entries);
    for (gsize i = 0; i < last; i++)
        g_ptr_array_add(children, g_variant_get_child_value(parameters, i));
    g_ptr_array_add(children,
                    g_variant_ref_sink(g_variant_new_array(
                        G_VARIANT_TYPE("{sv}"), (GVariant *const *)entries->pdata, entries->len)));
    sorted =
        g_variant_ref_sink(g_variant_new_tuple((GVariant *const *)children->pdata, children->len));
    return g_variant_print(sorted, FALSE);
}

static void on_method(GDBusConnection *connection, const char *sender, const char *path,
                      const char *interface, const char *method, GVariant *parameters,
                      GDBusMethodInvocation *invocation, gpointer data)
{
    g_autofree char *printed = print_parameters(parameters);
    VbMock *mock = data;
    Handler *handler = g_hash_table_lookup(mock->handlers, method);

    if (g_str_equal(method, "GetDomainByName")) {
        find_object(mock, invocation, mock->domains, "Name");
    } else if (g_str_equal(method, "GetDomainByUuid")) {
        find_object(mock, invocation, mock->domains, "Uuid");
    } else if (g_str_equal(method, "GetNetworkByName")) {
        find_object(mock, invocation, mock->networks, "Name");
    } else if (g_str_equal(method, "GetNetworkByUuid")) {
        find_object(mock, invocation, mock->networks, "Uuid");
    } else if (g_str_equal(method, "GetObjects")) {
        get_objects(mock, invocation);
    } else {
        g_string_append_printf(mock->calls, "%s %s\n", method, printed);
        if (handler != NULL)
            handler->function(mock, invocation, handler->data);
        else
            g_dbus_method_invocation_return_value(invocation, NULL);
    }
}

void vb_mock_on(VbMock *mock, const char *method, VbMockMethod function, gpointer data)
{
    Handler *handler = g_new(Handler, 1);

    *handler = (Handler){function, data};
    g_hash_table_insert(mock->handlers, g_strdup(method), handler);
}

const char *vb_mock_get_calls(VbMock *mock)
{
    return mock->calls->str;
}

/* ---- objects ---- */

static void export(VbMock *mock, const char *path, const char *interface)
{
    static const GDBusInterfaceVTable vtable = {on_method, on_get_property, NULL};
    g_autofree char *base = g_strconcat(interface, ".xml", NULL);
    g_autofree char *file =
        g_test_build_filename(G_TEST_DIST, "..", "data", "dbus-interfaces", base, NULL);
    g_autofree char *xml = NULL;
    g_autoptr(GError) error = NULL;
    GDBusNodeInfo *node;

    g_file_get_contents(file, &xml, NULL, &error);
    g_assert_no_error(error);
    node = g_dbus_node_info_new_for_xml(xml, &error);
    g_assert_no_error(error);
    g_ptr_array_add(mock->nodes, node);
    g_dbus_connection_register_object(mock->connection, path, node->interfaces[0], &vtable, mock,
                                      NULL, &error);
    g_assert_no_error(error);
}

const char *vb_mock_add_domain(VbMock *mock, guint32 id, const char *name, const char *state)
{
    guint number = mock->domains->len;
    g_autofree char *uuid = g_strdup_printf("00000000-0000-4000-8000-%012u", number);
    char *path = g_strdup_printf("/org/virtbus1/domain/00000000_0000_4000_8000_%012u", number);

    g_ptr_array_add(mock->domains, path);
    export(mock, path, BUS_NAME ".Domain");
    export(mock, path, BUS_NAME ".Domain.Block");
    vb_mock_set(mock, path, "Name", g_variant_new_string(name));
    vb_mock_set(mock, path, "Uuid", g_variant_new_string(uuid));
    vb_mock_set(mock, path, "State", g_variant_new_string(state));
    vb_mock_set(mock, path, "Id", g_variant_new_uint32(id));
    return path;
}

const char *vb_mock_add_network(VbMock *mock, const char *name, const char *state)
{
    guint number = mock->networks->len;
    g_autofree char *uuid = g_strdup_printf("00000000-0000-4000-9000-%012u", number);
    char *path = g_strdup_printf("/org/virtbus1/network/00000000_0000_4000_9000_%012u", number);

    g_ptr_array_add(mock->networks, path);
    export(mock, path, BUS_NAME ".Network");
    vb_mock_set(mock, path, "Name", g_variant_new_string(name));
    vb_mock_set(mock, path, "Uuid", g_variant_new_string(uuid));
    vb_mock_set(mock, path, "State", g_variant_new_string(state));
    return path;
}

void vb_mock_emit(VbMock *mock, const char *path, const char *interface, const char *signal,
                  GVariant *parameters)
{
    g_autoptr(GError) error = NULL;

    g_dbus_connection_emit_signal(mock->connection, NULL, path, interface, signal, parameters,
                                  &error);
    g_assert_no_error(error);
}

void vb_mock_emit_block_job(VbMock *mock, const char *domain, const char *signal,
                            const char *message, gboolean pivoted, gboolean consistent)
{
    g_auto(GVariantDict) details = G_VARIANT_DICT_INIT(NULL);

    g_variant_dict_insert(&details, "reason", "s", "requested");
    g_variant_dict_insert(&details, "pivoted", "b", pivoted);
    g_variant_dict_insert(&details, "consistent", "b", consistent);
    vb_mock_emit(mock, domain, BUS_NAME ".Domain.Block", signal,
                 g_variant_new("(osss@a{sv})", VB_MOCK_JOB, "vda", "pull", message,
                               g_variant_dict_end(&details)));
}

static void call_bus(VbMock *mock, const char *method, GVariant *parameters)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        mock->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        method, parameters, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);

    g_assert_no_error(error);
}

void vb_mock_leave(VbMock *mock)
{
    call_bus(mock, "ReleaseName", g_variant_new("(s)", BUS_NAME));
}

void vb_mock_return(VbMock *mock)
{
    call_bus(mock, "RequestName", g_variant_new("(su)", BUS_NAME, 0));
}

void vb_mock_kill_bus(VbMock *mock)
{
    g_test_dbus_stop(mock->bus);
}

VbMock *vb_mock_new(void)
{
    VbMock *mock = g_new0(VbMock, 1);
    g_autoptr(GError) error = NULL;

    mock->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)g_dbus_node_info_unref);
    mock->properties =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_variant_unref);
    mock->handlers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    mock->domains = g_ptr_array_new_with_free_func(g_free);
    mock->networks = g_ptr_array_new_with_free_func(g_free);
    mock->calls = g_string_new(NULL);
    mock->bus = g_test_dbus_new(G_TEST_DBUS_NONE);
    g_test_dbus_up(mock->bus);
    mock->connection =
        g_dbus_connection_new_for_address_sync(g_test_dbus_get_bus_address(mock->bus),
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);
    g_assert_no_error(error);
    export(mock, VB_MOCK_MANAGER, BUS_NAME ".Manager");
    export(mock, VB_MOCK_JOB, BUS_NAME ".Job");
    export(mock, VB_MOCK_JOB, BUS_NAME ".BlockJob");
    vb_mock_set(mock, VB_MOCK_JOB, "State", g_variant_new_string("running"));
    vb_mock_return(mock);
    return mock;
}

void vb_mock_free(VbMock *mock)
{
    g_assert_null(mock->process);
    g_dbus_connection_close_sync(mock->connection, NULL, NULL); /* a killed bus closed it already */
    g_object_unref(mock->connection);
    g_test_dbus_down(mock->bus);
    g_object_unref(mock->bus);
    g_string_free(mock->calls, TRUE);
    g_ptr_array_unref(mock->domains);
    g_ptr_array_unref(mock->networks);
    g_hash_table_unref(mock->handlers);
    g_hash_table_unref(mock->properties);
    g_ptr_array_unref(mock->nodes);
    g_free(mock);
}

/* ---- virtbusctl ---- */

typedef struct {
    VbMock *mock;
    GString *text;
    char buffer[4096];
} Reader;

static void read_more(GInputStream *stream, Reader *reader);

static void on_read(GObject *source, GAsyncResult *result, gpointer data)
{
    Reader *reader = data;
    g_autoptr(GError) error = NULL;
    gssize length = g_input_stream_read_finish(G_INPUT_STREAM(source), result, &error);

    g_assert_no_error(error);
    if (length == 0) {
        reader->mock->open_streams--;
        g_free(reader);
        return;
    }
    g_string_append_len(reader->text, reader->buffer, length);
    read_more(G_INPUT_STREAM(source), reader);
}

static void read_more(GInputStream *stream, Reader *reader)
{
    g_input_stream_read_async(stream, reader->buffer, sizeof(reader->buffer), G_PRIORITY_DEFAULT,
                              NULL, on_read, reader);
}

static void read_all(VbMock *mock, GInputStream *stream, GString *text)
{
    Reader *reader = g_new0(Reader, 1);

    reader->mock = mock;
    reader->text = text;
    mock->open_streams++;
    read_more(stream, reader);
}

static void on_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    VbMock *mock = data;
    g_autoptr(GError) error = NULL;

    g_subprocess_wait_finish(G_SUBPROCESS(source), result, &error);
    g_assert_no_error(error);
    mock->exited = TRUE;
}

const char *vb_mock_address(VbMock *mock)
{
    return g_test_dbus_get_bus_address(mock->bus);
}

static char *command_line(VbMock *mock, const char *words)
{
    return g_strdup_printf("%s --address=%s %s", program, vb_mock_address(mock), words);
}

static void spawn(VbMock *mock, const char *const *argv, const char *path, const char *input)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                  G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_autoptr(GError) error = NULL;

    g_assert_null(mock->process);
    mock->exited = FALSE;
    mock->listed = FALSE;
    if (path != NULL)
        g_subprocess_launcher_setenv(launcher, "PATH", path, TRUE);
    mock->process = g_subprocess_launcher_spawnv(launcher, argv, &error);
    g_assert_no_error(error);
    mock->text[0] = g_string_new(NULL);
    mock->text[1] = g_string_new(NULL);
    read_all(mock, g_subprocess_get_stdout_pipe(mock->process), mock->text[0]);
    read_all(mock, g_subprocess_get_stderr_pipe(mock->process), mock->text[1]);
    if (input != NULL) {
        g_output_stream_write_all(g_subprocess_get_stdin_pipe(mock->process), input, strlen(input),
                                  NULL, NULL, &error);
        g_assert_no_error(error);
    }
    g_output_stream_close(g_subprocess_get_stdin_pipe(mock->process), NULL, &error);
    g_assert_no_error(error);
    g_subprocess_wait_async(mock->process, NULL, on_ended, mock);
}

void vb_mock_spawn(VbMock *mock, const char *words, const char *input)
{
    g_autofree char *line = command_line(mock, words);
    g_auto(GStrv) argv = g_strsplit(line, " ", -1);

    spawn(mock, (const char *const *)argv, NULL, input);
}

void vb_mock_signal(VbMock *mock, int signal_number)
{
    g_subprocess_send_signal(mock->process, signal_number);
}

static gboolean has_text(VbMock *mock, gpointer data)
{
    return strstr(mock->text[0]->str, data) != NULL || strstr(mock->text[1]->str, data) != NULL;
}

void vb_mock_wait_for_text(VbMock *mock, const char *text)
{
    wait_until(mock, has_text, (gpointer)text);
}

static gboolean has_listed(VbMock *mock, gpointer data)
{
    return mock->listed;
}

void vb_mock_wait_for_listing(VbMock *mock)
{
    wait_until(mock, has_listed, NULL);
}

static gboolean has_ended(VbMock *mock, gpointer data)
{
    return mock->exited && mock->open_streams == 0;
}

VbMockRun *vb_mock_wait(VbMock *mock)
{
    VbMockRun *run = g_new0(VbMockRun, 1);

    wait_until(mock, has_ended, NULL);
    run->status = g_subprocess_get_if_exited(mock->process)
                      ? g_subprocess_get_exit_status(mock->process)
                      : -g_subprocess_get_term_sig(mock->process);
    run->output = g_string_free(g_steal_pointer(&mock->text[0]), FALSE);
    run->errors = g_string_free(g_steal_pointer(&mock->text[1]), FALSE);
    g_clear_object(&mock->process);
    return run;
}

VbMockRun *vb_mock_run(VbMock *mock, const char *words)
{
    vb_mock_spawn(mock, words, NULL);
    return vb_mock_wait(mock);
}

void vb_mock_run_free(VbMockRun *run)
{
    if (run == NULL)
        return;
    g_free(run->output);
    g_free(run->errors);
    g_free(run);
}

VbMockRun *vb_mock_run_at_terminal(VbMock *mock, const char *words, const char *path)
{
    g_autofree char *line = command_line(mock, words);
    const char *const argv[] = {"script", "--quiet",   "--return", "--command",
                                line,     "/dev/null", NULL};

    spawn(mock, argv, path, NULL);
    return vb_mock_wait(mock);
}
