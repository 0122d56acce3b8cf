/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The policy file as polkitd reads it: which actions there are, what their defaults are, and what a
 * prompt says. Nothing of virtbusd runs here. */
#include "actions.h"
#include "polkit-fixture.h"

#define OPERATE VB_ACTION_DOMAIN_OPERATE

/* As polkit numbers them in EnumerateActions. */
enum { AUTH_ADMIN = 2, AUTH_ADMIN_KEEP = 4 };

static gboolean is_kept(const char *action)
{
    static const char *const never[] = {VB_ACTION_DOMAIN_MANAGE,       VB_ACTION_DOMAIN_HOST_ACCESS,
                                        VB_ACTION_DOMAIN_READ_SECRETS, VB_ACTION_NETWORK_MANAGE,
                                        VB_ACTION_NETWORK_HOST_ACCESS, NULL};

    return !g_strv_contains(never, action);
}

/* All that the code asks for is there, and nothing else; nobody may do anything without root's
 * password. */
static void test_actions(const VbPolkitWorld *world)
{
    g_autoptr(GVariant) actions = vb_polkit_actions(world->polkit);
    GVariantIter iter;
    const char *id, *description, *message;
    guint32 any, inactive, active;

    g_assert_cmpuint(g_variant_n_children(actions), ==, g_strv_length((char **)vb_actions()));
    g_variant_iter_init(&iter, actions);
    while (g_variant_iter_next(&iter, "(&s&s&s&s&s&suuu@a{ss})", &id, &description, &message, NULL,
                               NULL, NULL, &any, &inactive, &active, NULL)) {
        g_test_message("%s: %u %u %u", id, any, inactive, active);
        g_assert_true(vb_is_action(id));
        g_assert_cmpstr(description, !=, "");
        g_assert_nonnull(strstr(message, g_str_has_prefix(id, "org.virtbus1.network.")
                                             ? "$(network_name)"
                                             : "$(domain_name)"));
        g_assert_cmpuint(any, ==, AUTH_ADMIN);
        g_assert_cmpuint(inactive, ==, AUTH_ADMIN);
        g_assert_cmpuint(active, ==, is_kept(id) ? AUTH_ADMIN_KEEP : AUTH_ADMIN);
    }
}

/* Without a rule: root yes, others after a challenge; an unknown action is an error for all. */
static void test_defaults(const VbPolkitWorld *world)
{

    for (const char *const *action = vb_actions(); *action != NULL; action++) {
        g_assert_cmpstr(
            vb_polkit_check(world->polkit, world->root, *action, g_variant_new_parsed("@a{ss} {}")),
            ==, "yes");
        g_assert_cmpstr(vb_polkit_check(world->polkit, world->alice, *action,
                                        g_variant_new_parsed("@a{ss} {}")),
                        ==, "challenge");
    }
}

static const char breaking_rules[] = "polkit.addRule(function (action, subject) {\n"
                                     "    if (action.lookup('domain_name').indexOf('lab-') == 0)\n"
                                     "        return polkit.Result.YES;\n"
                                     "    return polkit.Result.NOT_HANDLED;\n"
                                     "});\n";

/* A rule that breaks denies. */
static void test_broken_rule(const VbPolkitWorld *world)
{
    g_assert_cmpstr(vb_polkit_check(world->polkit, world->alice, OPERATE,
                                    g_variant_new_parsed("{'domain_name': 'lab-1'}")),
                    ==, "yes");
    g_assert_cmpstr(
        vb_polkit_check(world->polkit, world->alice, OPERATE, g_variant_new_parsed("@a{ss} {}")),
        ==, "no");
}

/* ---- prompts ----------------------------------------------------------------------------------
 */

typedef struct {
    gboolean done, yes;
} Answer;

static void on_answer(GObject *bus, GAsyncResult *result, gpointer data)
{
    Answer *answer = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &error);

    g_assert_no_error(error);
    g_variant_get(reply, "((bba{ss}))", &answer->yes, NULL, NULL);
    answer->done = TRUE;
}

/* Root asks polkit about alice, as virtbusd does, with a prompt if need be. */
static void ask(const VbPolkitWorld *world, const char *action, const char *name, const char *path,
                Answer *answer)
{
    const char *subject = g_dbus_connection_get_unique_name(vb_bus_client_connection(world->alice));

    g_dbus_connection_call(
        vb_bus_client_connection(world->root), "org.freedesktop.PolicyKit1",
        "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
        "CheckAuthorization",
        g_variant_new_parsed("(('system-bus-name', {'name': <%s>}), %s, {'domain_name': %s,"
                             " 'path': %s, 'use': 'disk image'}, uint32 1, '')",
                             subject, action, name, path),
        NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_answer, answer);
}

/* What the details say is put into the message once: nothing in a name or a path is taken for a
 * detail, or for anything else. */
static void test_messages(const VbPolkitWorld *world)
{
    static const char *const names[] = {
        "lab-1", "$(path)", "$(domain_name)", "$(", "%s %n", "a)b", "<b>&amp;", "\\n", "ü”"};
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *expected =
            g_strdup_printf("Authentication is required to give the virtual machine “%s” access to"
                            " “/etc/$(use)” of this host (disk image)",
                            names[i]);
        Answer answer = {0};
        const VbPolkitPrompt *prompt;

        ask(world, VB_ACTION_DOMAIN_HOST_ACCESS, names[i], "/etc/$(use)", &answer);
        prompt = vb_polkit_agent_prompt(agent, i);
        g_assert_cmpstr(prompt->action, ==, VB_ACTION_DOMAIN_HOST_ACCESS);
        g_assert_cmpstr(prompt->message, ==, expected);
        vb_polkit_agent_answer(agent, i, i % 2 == 0);
        VB_WAIT_FOR(answer.done);
        g_assert_cmpint(answer.yes, ==, i % 2 == 0);
    }
}

static const char keeping_rules[] = "polkit.addRule(function (action, subject) {\n"
                                    "    if (action.lookup('domain_name') == 'lab-1')\n"
                                    "        return polkit.Result.AUTH_ADMIN_KEEP;\n"
                                    "    return polkit.Result.NO;\n"
                                    "});\n";

/* Why docs/authorization.md warns of KEEP in a rule that looks at details: a kept authorization is
 * for the action, and comes before the rule's NO. */
static void test_keep(const VbPolkitWorld *world)
{
    g_autoptr(VbPolkitAgent) agent = vb_polkit_agent_new(world->polkit);
    Answer no = {0}, lab = {0}, other = {0};

    ask(world, OPERATE, "prod", "", &no);
    VB_WAIT_FOR(no.done);
    g_assert_false(no.yes);
    ask(world, OPERATE, "lab-1", "", &lab);
    vb_polkit_agent_prompt(agent, 0);
    vb_polkit_agent_answer(agent, 0, TRUE);
    VB_WAIT_FOR(lab.done);
    g_assert_true(lab.yes);
    ask(world, OPERATE, "prod", "", &other);
    VB_WAIT_FOR(other.done);
    g_assert_true(other.yes);
    g_assert_cmpuint(vb_polkit_agent_n_prompts(agent), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    vb_polkit_add_test("/policy/actions", NULL, VB_BUS_FIXTURE_NO_DAEMON, test_actions);
    vb_polkit_add_test("/policy/defaults", NULL, VB_BUS_FIXTURE_NO_DAEMON, test_defaults);
    vb_polkit_add_test("/policy/broken-rule", breaking_rules, VB_BUS_FIXTURE_NO_DAEMON,
                       test_broken_rule);
    vb_polkit_add_test("/policy/messages", NULL, VB_BUS_FIXTURE_NO_DAEMON, test_messages);
    vb_polkit_add_test("/policy/keep", keeping_rules, VB_BUS_FIXTURE_NO_DAEMON, test_keep);
    return g_test_run();
}
