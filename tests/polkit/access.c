/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may do what: yes, no and challenge by the real polkitd, as another user sees them on the bus,
 * one at a time and in a crowd, and with polkitd gone. */
#include "actions.h"
#include "polkit-fixture.h"

#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define INTERACTIVE "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
#define NO_OPTIONS g_variant_new_parsed("(@a{sv} {},)")

static char *define(const VbPolkitWorld *world, const char *name)
{
    g_autofree char *xml = vb_bus_test_domain_xml(name, NULL);

    return vb_bus_client_define(world->root, xml);
}

static void assert_state(const VbPolkitWorld *world, const char *domain, const char *expected)
{
    g_autofree char *state =
        vb_bus_client_get_string(world->alice, domain, VB_IFACE_DOMAIN, "State");

    g_assert_cmpstr(state, ==, expected);
}

/* ---- one call ---------------------------------------------------------------------------------
 */

static const char by_name[] =
    "polkit.addRule(function (action, subject) {\n"
    "    if (subject.user != 'alice' || action.id != '" VB_ACTION_DOMAIN_OPERATE "')\n"
    "        return polkit.Result.NOT_HANDLED;\n"
    "    switch (action.lookup('domain_name')) {\n"
    "    case 'allowed': return polkit.Result.YES;\n"
    "    case 'denied': return polkit.Result.NO;\n"
    "    }\n"
    "    return polkit.Result.NOT_HANDLED;\n"
    "});\n";

static void test_verdicts(const VbPolkitWorld *world)
{
    g_autofree char *allowed = define(world, "allowed");
    g_autofree char *denied = define(world, "denied");
    g_autofree char *challenged = define(world, "challenged");
    g_autoptr(VbBusClient) bob = vb_bus_client_new_as(world->fixture, VB_POLKIT_BOB);
    g_autofree char *no = vb_bus_client_call_error(world->alice, denied, VB_IFACE_DOMAIN, "Start",
                                                   NO_OPTIONS, ACCESS_DENIED);
    g_autofree char *password = vb_bus_client_call_error(world->alice, challenged, VB_IFACE_DOMAIN,
                                                         "Start", NO_OPTIONS, INTERACTIVE);
    g_autofree char *nobody_to_ask = NULL, *other = NULL;
    guint32 serial;

    g_test_message("%s; %s", no, password);
    g_assert_nonnull(strstr(no, VB_ACTION_DOMAIN_OPERATE));
    g_assert_nonnull(strstr(password, VB_ACTION_DOMAIN_OPERATE));
    /* it may be asked for, but there is no agent */
    serial = vb_bus_client_send_interactive(world->alice, challenged, VB_IFACE_DOMAIN, "Start",
                                            NO_OPTIONS);
    nobody_to_ask = vb_bus_client_finish_error(world->alice, serial, ACCESS_DENIED);
    assert_state(world, denied, "shut-off");
    assert_state(world, challenged, "shut-off");

    other =
        vb_bus_client_call_error(bob, allowed, VB_IFACE_DOMAIN, "Start", NO_OPTIONS, INTERACTIVE);
    assert_state(world, allowed, "shut-off");
    vb_bus_client_do(world->alice, allowed, VB_IFACE_DOMAIN, "Start");
    assert_state(world, allowed, "running");

    vb_bus_client_do(world->root, denied, VB_IFACE_DOMAIN, "Start");
    assert_state(world, denied, "running");
}

/* What needs no authorization is open to everybody; what shows more than that is not. */
static void test_reads(const VbPolkitWorld *world)
{
    static const struct {
        const char *path, *interface, *method, *params;
    } reads[] = {
        {VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER, "GetManagedObjects", "()"},
        {VB_PATH_ROOT, VB_IFACE_INTROSPECTABLE, "Introspect", "()"},
        {VB_PATH_MANAGER, VB_IFACE_INTROSPECTABLE, "Introspect", "()"},
        {VB_PATH_MANAGER, VB_IFACE_PROPERTIES, "GetAll", "('" VB_IFACE_MANAGER "',)"},
        {VB_PATH_MANAGER, VB_IFACE_MANAGER, "ListDomains", "(@a{sv} {},)"},
        {VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetDomainByName", "('open', @a{sv} {})"},
        {VB_PATH_MANAGER, VB_IFACE_MANAGER, "GetObjects", "('domain', '', uint32 10, @a{sv} {})"},
    };
    g_autofree char *domain = define(world, "open");
    g_autoptr(GVariant) all =
        vb_bus_client_call(world->alice, domain, VB_IFACE_PROPERTIES, "GetAll",
                           g_variant_new_parsed("(%s,)", VB_IFACE_DOMAIN));
    g_autofree char *name = vb_bus_client_get_string(world->alice, domain, VB_IFACE_DOMAIN, "Name");
    g_autofree char *xml = vb_bus_client_call_error(world->alice, domain, VB_IFACE_DOMAIN, "GetXml",
                                                    NO_OPTIONS, INTERACTIVE);

    g_assert_cmpstr(name, ==, "open");
    for (guint i = 0; i < G_N_ELEMENTS(reads); i++) {
        g_autoptr(GVariant) reply =
            vb_bus_client_call(world->alice, reads[i].path, reads[i].interface, reads[i].method,
                               g_variant_new_parsed(reads[i].params));

        g_assert_nonnull(reply);
    }
}

/* ---- what a front end asks --------------------------------------------------------------------
 */

static const char mixed[] = "polkit.addRule(function (action, subject) {\n"
                            "    switch (action.id + ' ' + action.lookup('domain_name')) {\n"
                            "    case '" VB_ACTION_DOMAIN_OPERATE " mixed': "
                            "        return polkit.Result.YES;\n"
                            "    case '" VB_ACTION_DOMAIN_MANAGE " mixed': "
                            "        return polkit.Result.NO;\n"
                            "    }\n"
                            "    return polkit.Result.NOT_HANDLED;\n"
                            "});\n";

static void assert_verdicts(VbBusClient *client, const char *object, const char *operate,
                            const char *manage, const char *read)
{
    g_autoptr(GVariant) reply = vb_bus_client_call(
        client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CheckActions",
        g_variant_new_parsed("(%o, [%s, %s, %s], @a{sv} {})", object, VB_ACTION_DOMAIN_OPERATE,
                             VB_ACTION_DOMAIN_MANAGE, VB_ACTION_DOMAIN_READ_XML));
    g_autoptr(GVariant) verdicts = g_variant_get_child_value(reply, 0);
    const char *said;

    g_assert_cmpuint(g_variant_n_children(verdicts), ==, 3);
    g_assert_true(g_variant_lookup(verdicts, VB_ACTION_DOMAIN_OPERATE, "&s", &said));
    g_assert_cmpstr(said, ==, operate);
    g_assert_true(g_variant_lookup(verdicts, VB_ACTION_DOMAIN_MANAGE, "&s", &said));
    g_assert_cmpstr(said, ==, manage);
    g_assert_true(g_variant_lookup(verdicts, VB_ACTION_DOMAIN_READ_XML, "&s", &said));
    g_assert_cmpstr(said, ==, read);
}

static void test_check_actions(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "mixed");
    g_autofree char *other = define(world, "other");
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);

    assert_verdicts(world->alice, domain, "yes", "no", "challenge");
    assert_verdicts(world->alice, other, "challenge", "challenge", "challenge");
    assert_verdicts(world->root, domain, "yes", "yes", "yes");
    g_assert_cmpuint(vb_polkit_agent_n_prompts(agent), ==, 0);
    vb_polkit_kill(world->polkit);
    assert_verdicts(world->alice, domain, "no", "no", "no");
    assert_verdicts(world->root, domain, "yes", "yes", "yes");
}

/* ---- a crowd ----------------------------------------------------------------------------------
 */

#define CROWD_DOMAINS 10
#define CROWD_CLIENTS 10
#define CROWD_CALLS 30 /* of each client: 300 in all */

static const char even_or_odd[] =
    "polkit.addRule(function (action, subject) {\n"
    "    var odd = parseInt(action.lookup('domain_name').substr(1)) % 2;\n"
    "    return (subject.user == 'alice') == (odd == 0) ? polkit.Result.YES : polkit.Result.NO;\n"
    "});\n";

typedef struct {
    VbBusClient *client;
    gboolean alice;
    guint32 serials[CROWD_CALLS];
} Member;

static void finish_member(const Member *member)
{
    for (guint i = 0; i < CROWD_CALLS; i++) {
        guint domain = i % CROWD_DOMAINS;

        if (member->alice == (domain % 2 == 0)) {
            g_autoptr(GVariant) reply = vb_bus_client_finish(member->client, member->serials[i]);
            g_autofree char *name = g_strdup_printf("<name>d%u</name>", domain);
            const char *xml;

            g_variant_get(reply, "(&s)", &xml);
            g_assert_nonnull(strstr(xml, name));
        } else {
            g_autofree char *text =
                vb_bus_client_finish_error(member->client, member->serials[i], ACCESS_DENIED);
        }
    }
}

/* More calls at once than polkit is asked at once, and than dbus-daemon lets be unanswered: each
 * gets the answer that is its own. */
static void test_crowd(const VbPolkitWorld *world)
{
    char *domains[CROWD_DOMAINS];
    Member members[CROWD_CLIENTS];

    for (guint i = 0; i < CROWD_DOMAINS; i++) {
        g_autofree char *name = g_strdup_printf("d%u", i);

        domains[i] = define(world, name);
    }
    for (guint i = 0; i < CROWD_CLIENTS; i++) {
        members[i].alice = i % 2 == 0;
        members[i].client = vb_bus_client_new_as(
            world->fixture, members[i].alice ? VB_POLKIT_ALICE : VB_POLKIT_BOB);
    }
    for (guint call = 0; call < CROWD_CALLS; call++)
        for (guint i = 0; i < CROWD_CLIENTS; i++)
            members[i].serials[call] =
                vb_bus_client_send(members[i].client, domains[call % CROWD_DOMAINS],
                                   VB_IFACE_DOMAIN, "GetXml", NO_OPTIONS);
    for (guint i = 0; i < CROWD_CLIENTS; i++) {
        finish_member(&members[i]);
        vb_bus_client_free(members[i].client);
    }
    for (guint i = 0; i < CROWD_DOMAINS; i++)
        g_free(domains[i]);
}

/* ---- dismissing -------------------------------------------------------------------------------
 */

static const char all_to_alice[] = "polkit.addRule(function (action, subject) {\n"
                                   "    return subject.user == 'alice' ? polkit.Result.YES\n"
                                   "                                   : polkit.Result.NO;\n"
                                   "});\n";

/* A job that was started by `client` and has ended. */
static char *ended_job(VbBusClient *client, const char *domain)
{
    g_autoptr(GVariant) reply = vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Pull",
                                                   g_variant_new_parsed("('vda', @a{sv} {})"));
    char *job;

    g_variant_get(reply, "(o)", &job);
    vb_bus_client_do(client, job, VB_IFACE_JOB, "Cancel");
    return job;
}

/* Whatever the rules say: a job's outcome is kept for who started it. */
static void test_dismiss(const VbPolkitWorld *world)
{
    g_autofree char *domain = vb_bus_client_start_domain(world->root, "d", NULL);
    g_autofree char *others = ended_job(world->root, domain);
    g_autofree char *own = ended_job(world->alice, domain);
    g_autofree char *again = ended_job(world->alice, domain);
    g_autofree char *text = vb_bus_client_call_error(world->alice, others, VB_IFACE_JOB, "Dismiss",
                                                     NO_OPTIONS, ACCESS_DENIED);

    g_test_message("%s", text);
    g_assert_true(vb_bus_client_has_object(world->root, others));
    vb_bus_client_do(world->alice, own, VB_IFACE_JOB, "Dismiss");
    g_assert_false(vb_bus_client_has_object(world->root, own));
    vb_bus_client_do(world->root, again, VB_IFACE_JOB, "Dismiss");
    g_assert_false(vb_bus_client_has_object(world->root, again));
}

/* ---- without polkit ---------------------------------------------------------------------------
 */

static void test_absent(const VbPolkitWorld *world)
{
    g_autofree char *domain = define(world, "allowed");
    g_autofree char *text = NULL;

    vb_polkit_kill(world->polkit);
    text = vb_bus_client_call_error(world->alice, domain, VB_IFACE_DOMAIN, "Start", NO_OPTIONS,
                                    ACCESS_DENIED);
    g_test_message("%s", text);
    assert_state(world, domain, "shut-off");
    vb_bus_client_do(world->root, domain, VB_IFACE_DOMAIN, "Start");
    vb_polkit_start(world->polkit);
    vb_bus_client_do(world->alice, domain, VB_IFACE_DOMAIN, "Destroy");
    assert_state(world, domain, "shut-off");
}

/* ---- busctl -----------------------------------------------------------------------------------
 */

static void on_communicated(GObject *process, GAsyncResult *result, gpointer ret_text)
{
    g_autoptr(GError) error = NULL;

    g_subprocess_communicate_utf8_finish(G_SUBPROCESS(process), result, NULL, ret_text, &error);
    g_assert_no_error(error);
}

/* `busctl call … Start` as alice. What it says on stderr; its exit status is compared. */
static char *busctl_start(const VbPolkitWorld *world, const char *domain, int expected_status)
{
    g_autofree char *address =
        g_strdup_printf("--address=%s", vb_bus_fixture_address(world->fixture));
    const char *const argv[] = {"setpriv",
                                "--reuid=" G_STRINGIFY(VB_POLKIT_ALICE),
                                "--clear-groups",
                                "busctl",
                                address,
                                "call",
                                VB_BUS_NAME,
                                domain,
                                VB_IFACE_DOMAIN,
                                "Start",
                                "a{sv}",
                                "0",
                                NULL};
    g_autoptr(GSubprocess) process =
        vb_bus_fixture_spawn(world->fixture, argv, G_SUBPROCESS_FLAGS_STDERR_PIPE);
    char *text = NULL;

    g_subprocess_communicate_utf8_async(process, NULL, NULL, on_communicated, &text);
    VB_WAIT_FOR(text != NULL);
    g_assert_true(g_subprocess_get_if_exited(process));
    g_assert_cmpint(g_subprocess_get_exit_status(process), ==, expected_status);
    return text;
}

static void test_busctl(const VbPolkitWorld *world)
{
    g_autofree char *allowed = define(world, "allowed");
    g_autofree char *denied = define(world, "denied");
    g_autofree char *no = busctl_start(world, denied, 1);
    g_autofree char *yes = busctl_start(world, allowed, 0);

    g_assert_cmpstr(no, ==, "Call failed: Access denied\n"); /* which is busctl's word for it */
    g_assert_cmpstr(yes, ==, "");
    assert_state(world, denied, "shut-off");
    assert_state(world, allowed, "running");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    vb_polkit_add_test("/access/verdicts", by_name, VB_BUS_FIXTURE_NONE, test_verdicts);
    vb_polkit_add_test("/access/reads", NULL, VB_BUS_FIXTURE_NONE, test_reads);
    vb_polkit_add_test("/access/check-actions", mixed, VB_BUS_FIXTURE_NONE, test_check_actions);
    vb_polkit_add_test("/access/crowd", even_or_odd, VB_BUS_FIXTURE_NONE, test_crowd);
    vb_polkit_add_test("/access/dismiss", all_to_alice, VB_BUS_FIXTURE_NONE, test_dismiss);
    vb_polkit_add_test("/access/absent", by_name, VB_BUS_FIXTURE_NONE, test_absent);
    vb_polkit_add_test("/access/busctl", by_name, VB_BUS_FIXTURE_NONE, test_busctl);
    return g_test_run();
}
