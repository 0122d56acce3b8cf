/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls that wait for a person: what the person decides, and what may happen meanwhile. No rules:
 * the defaults ask for root's password. */
#include "actions.h"
#include "polkit-fixture.h"

#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define UNKNOWN_OBJECT "org.freedesktop.DBus.Error.UnknownObject"
#define NO_OPTIONS g_variant_new_parsed("(@a{sv} {},)")

static char *define(const VbPolkitWorld *world, const char *name)
{
    g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);

    return vb_bus_client_define(world->root, xml);
}

static guint32 send_start(VbBusClient *client, const char *domain)
{
    return vb_bus_client_send_interactive(client, domain, VB_IFACE_DOMAIN, "Start", NO_OPTIONS);
}

static void assert_state(const VbPolkitWorld *world, const char *domain, const char *expected)
{
    g_autofree char *state =
        vb_bus_client_get_string(world->root, domain, VB_IFACE_DOMAIN, "State");

    g_assert_cmpstr(state, ==, expected);
}

static void assert_started_never(const VbPolkitWorld *world, const char *domain)
{
    assert_state(world, domain, "shut-off");
    g_assert_cmpuint(
        vb_bus_client_count(world->root, 0, domain, VB_IFACE_PROPERTIES, "PropertiesChanged"), ==,
        0);
}

/* ---- the person ------------------------------------------------------------------------------
 */

static void test_granted(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "lab-1");
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    guint32 serial = send_start(world->alice, domain);
    const VbPolkitPrompt *prompt = vb_polkit_agent_prompt(agent, 0);
    g_autoptr(GVariant) started = NULL, stopped = NULL;

    g_assert_cmpstr(prompt->action, ==, VB_ACTION_DOMAIN_OPERATE);
    g_assert_cmpstr(prompt->message, ==,
                    "Authentication is required to start, stop, pause or reset the virtual machine"
                    " “lab-1”");
    assert_started_never(world, domain);
    vb_polkit_agent_answer(agent, 0, TRUE);
    started = vb_bus_client_finish(world->alice, serial);
    assert_state(world, domain, "running");

    /* that was for one call */
    serial = vb_bus_client_send_interactive(world->alice, domain, VB_IFACE_DOMAIN, "Destroy",
                                            NO_OPTIONS);
    vb_polkit_agent_prompt(agent, 1);
    assert_state(world, domain, "running");
    vb_polkit_agent_answer(agent, 1, TRUE);
    stopped = vb_bus_client_finish(world->alice, serial);
    assert_state(world, domain, "shut-off");
}

static void test_refused(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "lab-1");
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    guint32 serial = send_start(world->alice, domain);
    g_autofree char *text = NULL;

    vb_polkit_agent_prompt(agent, 0);
    vb_polkit_agent_answer(agent, 0, FALSE);
    text = vb_bus_client_finish_error(world->alice, serial, ACCESS_DENIED);
    g_test_message("%s", text);
    assert_started_never(world, domain);
}

/* A call that needs two actions asks twice, and a no to the second one is a no. */
static void test_two(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "lab-1");
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    guint32 serial = vb_bus_client_send_interactive(world->alice, domain, VB_IFACE_DOMAIN, "GetXml",
                                                    g_variant_new_parsed("({'secure': <true>},)"));
    g_autofree char *text = NULL;

    g_assert_cmpstr(vb_polkit_agent_prompt(agent, 0)->action, ==, VB_ACTION_DOMAIN_READ_XML);
    vb_polkit_agent_answer(agent, 0, TRUE);
    g_assert_cmpstr(vb_polkit_agent_prompt(agent, 1)->action, ==, VB_ACTION_DOMAIN_READ_SECRETS);
    vb_polkit_agent_answer(agent, 1, FALSE);
    text = vb_bus_client_finish_error(world->alice, serial, ACCESS_DENIED);
}

/* ---- meanwhile --------------------------------------------------------------------------------
 */

static void test_caller_leaves(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "lab-1");
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    g_autoptr(VbBusClient) leaver = vb_bus_client_new_as(world->fixture, VB_POLKIT_ALICE);
    const VbPolkitPrompt *prompt;

    send_start(leaver, domain);
    prompt = vb_polkit_agent_prompt(agent, 0);
    g_clear_pointer(&leaver, vb_bus_client_free);
    VB_WAIT_FOR(prompt->cancelled);
    vb_bus_client_sync(world->root);
    assert_started_never(world, domain);
}

/* That somebody has left is the bus's word alone: who says so of others does not close their
 * prompts. */
static void test_forged_leave(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "lab-1");
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    g_autoptr(VbBusClient) bob = vb_bus_client_new_as(world->fixture, VB_POLKIT_BOB);
    const char *alice = g_dbus_connection_get_unique_name(vb_bus_client_connection(world->alice));
    guint32 serial = send_start(world->alice, domain);
    const VbPolkitPrompt *prompt = vb_polkit_agent_prompt(agent, 0);
    g_autoptr(GVariant) started = NULL;
    g_autoptr(GError) error = NULL;

    g_dbus_connection_emit_signal(
        vb_bus_client_connection(bob), VB_BUS_NAME, "/org/freedesktop/DBus", "org.freedesktop.DBus",
        "NameOwnerChanged", g_variant_new("(sss)", alice, alice, ""), &error);
    g_assert_no_error(error);
    vb_bus_client_sync(bob); /* the daemon has it */
    g_assert_null(vb_bus_client_reply(world->alice, serial));
    g_assert_false(prompt->cancelled);
    vb_polkit_agent_answer(agent, 0, TRUE);
    started = vb_bus_client_finish(world->alice, serial);
    assert_state(world, domain, "running");
}

/* Whoever is allowed to start a domain is not allowed to start the next one of its name. */
static void test_object_replaced(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "lab-1");
    g_autofree char *again = NULL, *xml = NULL, *text = NULL;
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    g_autoptr(GVariant) reply =
        vb_bus_client_call(world->root, domain, VB_IFACE_DOMAIN, "GetXml", NO_OPTIONS);
    guint32 serial = send_start(world->alice, domain);

    g_variant_get(reply, "(s)", &xml);
    vb_polkit_agent_prompt(agent, 0);
    vb_bus_client_do(world->root, domain, VB_IFACE_DOMAIN, "Undefine");
    again = vb_bus_client_define(world->root, xml);
    g_assert_cmpstr(again, ==, domain);
    vb_polkit_agent_answer(agent, 0, TRUE);
    text = vb_bus_client_finish_error(world->alice, serial, UNKNOWN_OBJECT);
    assert_started_never(world, again);
}

static void test_polkit_dies(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "lab-1");
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    guint32 serial = send_start(world->alice, domain);
    g_autoptr(GVariant) started = NULL;
    g_autofree char *text = NULL;

    vb_polkit_agent_prompt(agent, 0);
    vb_polkit_kill(world->polkit);
    text = vb_bus_client_finish_error(world->alice, serial, ACCESS_DENIED);
    assert_started_never(world, domain);

    vb_polkit_start(world->polkit);
    g_clear_pointer(&agent, vb_polkit_agent_free);
    agent = vb_polkit_agent_new(world->polkit);
    serial = send_start(world->alice, domain);
    vb_polkit_agent_prompt(agent, 0);
    vb_polkit_agent_answer(agent, 0, TRUE);
    started = vb_bus_client_finish(world->alice, serial);
    assert_state(world, domain, "running");
}

static void test_daemon_ends(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "lab-1");
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    guint32 serial = send_start(world->alice, domain);
    const VbPolkitPrompt *prompt = vb_polkit_agent_prompt(agent, 0);
    g_autofree char *text = NULL;

    vb_bus_fixture_stop_daemon(world->fixture);
    text = vb_bus_client_finish_error(world->alice, serial, "Failed");
    VB_WAIT_FOR(prompt->cancelled);
    vb_bus_fixture_start_daemon(world->fixture);
    assert_state(world, domain, "shut-off");
}

/* ---- many -------------------------------------------------------------------------------------
 */

#define PROMPTS_MAX 4 /* for one user */

/* A round trip through the daemon and polkit, and one of the agent: the prompts that there are to
 * be are there. */
static void settle(const VbPolkitWorld *world, VbBusClient *client, const char *domain)
{
    g_autoptr(GVariant) verdicts = vb_bus_client_call(
        client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CheckActions",
        g_variant_new_parsed("(%o, [%s], @a{sv} {})", domain, VB_ACTION_DOMAIN_OPERATE));

    vb_bus_client_sync(world->root);
}

/* One user's open prompts are few, and keep neither others from theirs nor that user's other calls
 * from their answers. */
static void test_many(const VbPolkitWorld *world)
{
    g_autoptr(VbBusClient) bob = vb_bus_client_new_as(world->fixture, VB_POLKIT_BOB);
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    char *domains[PROMPTS_MAX + 1];
    guint32 serials[PROMPTS_MAX + 1], of_bob;
    g_autoptr(GVariant) reply_of_bob = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(domains); i++) {
        g_autofree char *name = g_strdup_printf("lab-%u", i);

        domains[i] = define(world, name);
        serials[i] = send_start(world->alice, domains[i]);
    }
    vb_polkit_agent_prompt(agent, PROMPTS_MAX - 1);
    settle(world, world->alice, domains[0]);
    g_assert_cmpuint(vb_polkit_agent_n_prompts(agent), ==, PROMPTS_MAX);

    of_bob = vb_bus_client_send_interactive(bob, domains[0], VB_IFACE_DOMAIN, "Reset", NO_OPTIONS);
    vb_polkit_agent_prompt(agent, PROMPTS_MAX);
    settle(world, world->alice, domains[0]);
    g_assert_cmpuint(vb_polkit_agent_n_prompts(agent), ==, PROMPTS_MAX + 1);

    for (guint i = 0; i < PROMPTS_MAX; i++)
        vb_polkit_agent_answer(agent, i, TRUE);
    vb_polkit_agent_prompt(agent, PROMPTS_MAX + 1);
    vb_polkit_agent_answer(agent, PROMPTS_MAX + 1, TRUE);
    for (guint i = 0; i < G_N_ELEMENTS(domains); i++) {
        g_autoptr(GVariant) reply = vb_bus_client_finish(world->alice, serials[i]);

        assert_state(world, domains[i], "running");
        g_free(domains[i]);
    }
    vb_polkit_agent_answer(agent, PROMPTS_MAX, TRUE);
    reply_of_bob = vb_bus_client_finish(bob, of_bob);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(const VbPolkitWorld *world);
    } tests[] = {
        {"/prompts/granted", test_granted},
        {"/prompts/refused", test_refused},
        {"/prompts/two", test_two},
        {"/prompts/caller-leaves", test_caller_leaves},
        {"/prompts/forged-leave", test_forged_leave},
        {"/prompts/object-replaced", test_object_replaced},
        {"/prompts/polkit-dies", test_polkit_dies},
        {"/prompts/daemon-ends", test_daemon_ends},
        {"/prompts/many", test_many},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        vb_polkit_add_test(tests[i].path, NULL, VB_BUS_FIXTURE_NONE, tests[i].run);
    return g_test_run();
}
