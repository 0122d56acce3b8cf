/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See network-client.h. */
#include "network-client.h"

#include "net-namespace.h"

const char lab_xml[] =
    "<network><name>lab</name><uuid>" LAB_UUID "</uuid><title>The lab</title>"
    "<description>Where it is tried</description><forward mode='nat' dev='up0'/>"
    "<bridge name='lab0'/><domain name='lab.test'/>"
    "<ip address='192.0.2.1' prefix='24'><dhcp><range start='192.0.2.10' end='192.0.2.20'/>"
    "</dhcp></ip>"
    "<ip family='ipv6' address='fd00:1ab::1' prefix='64'/></network>";

/* ---- calls ------------------------------------------------------------------------------------
 */

char *network_get(VbBusClient *client, const char *method, const char *argument)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, method,
                           g_variant_new_parsed("(%s, @a{sv} {})", argument));
    char *path;

    g_variant_get(reply, "(o)", &path);
    return path;
}

char *network_define(VbBusClient *client, const char *xml)
{
    return network_get(client, "DefineNetwork", xml);
}

char *network_get_xml(VbBusClient *client, const char *path, gboolean inactive)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, path, VB_IFACE_NETWORK, "GetXml",
                           g_variant_new_parsed("({'inactive': <%b>},)", inactive));
    char *xml;

    g_variant_get(reply, "(s)", &xml);
    return xml;
}

static void assert_says(const char *method, const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        g_error("%s: '%s' does not say '%s'", method, text, part);
}

void network_assert_manager_error(VbBusClient *client, const char *method, GVariant *params,
                                  const char *error, const char *part)
{
    g_autofree char *text =
        vb_bus_client_call_error(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, method, params, error);

    assert_says(method, text, part);
}

void network_assert_error(VbBusClient *client, const char *path, const char *method,
                          const char *params, const char *error, const char *part)
{
    g_autofree char *text = vb_bus_client_call_error(client, path, VB_IFACE_NETWORK, method,
                                                     g_variant_new_parsed(params), error);

    assert_says(method, text, part);
}

/* ---- properties and signals -------------------------------------------------------------------
 */

void network_assert_property(VbBusClient *client, const char *path, const char *name,
                             const char *expected)
{
    g_autoptr(GVariant) value = vb_bus_client_get(client, path, VB_IFACE_NETWORK, name);
    g_autofree char *text = g_variant_print(value, FALSE);

    g_assert_cmpstr(text, ==, expected);
}

void network_assert_list(VbBusClient *client, const char *options, const char *expected)
{
    g_autoptr(GVariant) reply = vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER,
                                                   "ListNetworks", g_variant_new_parsed(options));
    g_autofree const char **paths = NULL;
    g_autofree char *joined = NULL;

    g_variant_get(reply, "(^a&o)", &paths);
    joined = g_strjoinv(" ", (char **)paths);
    g_assert_cmpstr(joined, ==, expected);
}

void network_assert_event(VbBusClient *client, guint *position, const char *path,
                          const char *expected)
{
    const VbBusMessage *signal =
        vb_bus_client_next_signal(client, position, path, VB_IFACE_NETWORK, "Lifecycle");
    const char *event;

    g_variant_get_child(signal->body, 0, "&s", &event);
    g_assert_cmpstr(event, ==, expected);
}

static void assert_object_signal(VbBusClient *client, guint *position, const char *member,
                                 const char *path)
{
    const VbBusMessage *signal =
        vb_bus_client_next_signal(client, position, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER, member);
    const char *object;

    g_variant_get_child(signal->body, 0, "&o", &object);
    g_assert_cmpstr(object, ==, path);
}

void network_assert_added(VbBusClient *client, guint *position, const char *path)
{
    assert_object_signal(client, position, "InterfacesAdded", path);
}

void network_assert_removed(VbBusClient *client, guint *position, const char *path)
{
    assert_object_signal(client, position, "InterfacesRemoved", path);
}

/* ---- the host ---------------------------------------------------------------------------------
 */

typedef struct {
    gboolean done;
    char *output;
} Shell;

static void on_output(GObject *process, GAsyncResult *result, gpointer data)
{
    Shell *shell = data;
    g_autoptr(GError) error = NULL;

    g_subprocess_communicate_utf8_finish(G_SUBPROCESS(process), result, &shell->output, NULL,
                                         &error);
    g_assert_no_error(error);
    shell->done = TRUE;
}

char *network_shell(VbBusFixture *fixture, const char *command)
{
    const char *const argv[] = {"sh", "-ec", command, NULL};
    g_autoptr(GSubprocess) process = vb_bus_fixture_spawn(
        fixture, argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
    Shell shell = {0};

    g_subprocess_communicate_utf8_async(process, NULL, NULL, on_output, &shell);
    VB_WAIT_FOR(shell.done);
    if (!g_subprocess_get_successful(process))
        g_error("%s: %s", command, shell.output);
    return shell.output;
}

/* ---- the program ------------------------------------------------------------------------------
 */

/* A network outlives its daemon. */
static void remove_networks(VbBusClient *client)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListNetworks",
                           g_variant_new_parsed("({'active': <true>},)"));
    g_autofree const char **paths = NULL;

    g_variant_get(reply, "(^a&o)", &paths);
    for (const char **path = paths; *path != NULL; path++)
        vb_bus_client_do(client, *path, VB_IFACE_NETWORK, "Destroy");
}

static gboolean contained;

static void run(gconstpointer data)
{
    const NetworkTest *test = data;
    g_autoptr(VbBusFixture) fixture = NULL;

    if (!contained && !test->session) {
        g_test_skip("needs root, for a network namespace");
        return;
    }
    fixture = vb_bus_fixture_new(test->session ? VB_BUS_FIXTURE_SESSION : VB_BUS_FIXTURE_NONE);
    test->test(fixture);
    remove_networks(vb_bus_fixture_client(fixture));
}

int network_run_tests(int argc, char **argv, const NetworkTest *tests, gsize n)
{
    contained = vb_enter_net_namespace();
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < n; i++)
        g_test_add_data_func(tests[i].path, &tests[i], run);
    return g_test_run();
}
