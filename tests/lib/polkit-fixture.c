/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * polkitd in its mount namespace. */
#include "polkit-fixture.h"

#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLKITD "/usr/lib/polkit-1/polkitd"
#define POLKIT_USER "polkitd"
#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

/* What stands where in polkitd's namespace. */
enum { RULES, VENDOR_RULES, ACTIONS, PASSWD, GROUP, N_MOUNTS };
static const char *const mount_points[N_MOUNTS] = {
    "/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d", "/usr/share/polkit-1/actions",
    "/etc/passwd", "/etc/group"};
/* where it would look for login sessions */
#define SESSIONS "/run/systemd"

struct VbPolkit {
    VbBusFixture *fixture;
    GDBusConnection *bus; /* root's */
    char *sources[N_MOUNTS];
    guint name_watch;
    char *owner; /* of its name; NULL: nobody */
    GSubprocess *process;
};

/* ---- can it be had? ---------------------------------------------------------------------------
 */

static gboolean can_mount(void)
{
    pid_t pid = fork();
    int status;

    g_assert_cmpint(pid, >=, 0);
    if (pid == 0)
        _exit(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
                  ? 0
                  : 1);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return status == 0;
}

/* Skips the test, with the reason, if not. */
static gboolean is_available(void)
{
    const char *missing = NULL;

    if (getuid() != 0)
        missing = "needs root";
    else if (access(POLKITD, X_OK) != 0 || getpwnam(POLKIT_USER) == NULL)
        missing = "needs polkitd";
    else if (!can_mount())
        missing = "needs a mount namespace";
    for (guint i = 0; missing == NULL && i < N_MOUNTS; i++)
        if (access(mount_points[i], F_OK) != 0)
            missing = mount_points[i];
    if (missing != NULL)
        g_test_skip(missing);
    return missing == NULL;
}

/* ---- its files --------------------------------------------------------------------------------
 */

static void write_file(const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(chmod(path, 0644), ==, 0);
}

static char *read_data(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(VB_TEST_POLKIT_DATA, folder, name, NULL);
    g_autoptr(GError) error = NULL;
    char *text;

    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

char *vb_polkit_read_example(const char *name)
{
    return read_data("examples", name);
}

static char *make_dir(const char *parent, const char *name)
{
    char *path = g_build_filename(parent, name, NULL);

    g_assert_cmpint(mkdir(path, 0755), ==, 0);
    g_assert_cmpint(chmod(path, 0755), ==, 0);
    return path;
}

static void write_users(const char *dir)
{
    const struct passwd *polkit = getpwnam(POLKIT_USER);
    g_autofree char *passwd =
        g_strdup_printf("root:x:0:0::/:/bin/sh\n"
                        "%s:x:%u:%u::/:/bin/false\n"
                        "alice:x:%d:61000::/:/bin/sh\n"
                        "backup:x:%d:61001::/:/bin/sh\n"
                        "bob:x:%d:61002::/:/bin/sh\n",
                        POLKIT_USER, (guint)polkit->pw_uid, (guint)polkit->pw_gid, VB_POLKIT_ALICE,
                        VB_POLKIT_BACKUP, VB_POLKIT_BOB);
    g_autofree char *group = g_strdup_printf("root:x:0:\n"
                                             "%s:x:%u:\n"
                                             "alice:x:61000:\n"
                                             "backup:x:61001:\n"
                                             "bob:x:61002:\n"
                                             "lab:x:61003:alice\n",
                                             POLKIT_USER, (guint)polkit->pw_gid);

    write_file(dir, "passwd", passwd);
    write_file(dir, "group", group);
}

static void make_files(VbPolkit *polkit, const char *rules)
{
    g_autofree char *dir = make_dir(vb_bus_fixture_dir(polkit->fixture), "polkit");
    g_autofree char *policy = read_data("", "org.virtbus1.policy");

    polkit->sources[RULES] = make_dir(dir, "rules");
    polkit->sources[VENDOR_RULES] = make_dir(dir, "vendor-rules");
    polkit->sources[ACTIONS] = make_dir(dir, "actions");
    polkit->sources[PASSWD] = g_build_filename(dir, "passwd", NULL);
    polkit->sources[GROUP] = g_build_filename(dir, "group", NULL);
    write_users(dir);
    write_file(polkit->sources[ACTIONS], "org.virtbus1.policy", policy);
    if (rules != NULL)
        write_file(polkit->sources[RULES], "50-test.rules", rules);
}

/* ---- the process ------------------------------------------------------------------------------
 */

/* Between fork and exec. That polkitd dies with its bus is its own doing. */
static void enter_namespace(gpointer data)
{
    const VbPolkit *polkit = data;
    gboolean ok =
        unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;

    for (guint i = 0; ok && i < N_MOUNTS; i++)
        ok = mount(polkit->sources[i], mount_points[i], NULL, MS_BIND, NULL) == 0;
    if (ok && access(SESSIONS, F_OK) == 0)
        ok = mount("none", SESSIONS, "tmpfs", 0, "mode=0755") == 0;
    if (!ok)
        _exit(126);
}

void vb_polkit_start(VbPolkit *polkit)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
    g_autoptr(GError) error = NULL;

    g_subprocess_launcher_setenv(launcher, "DBUS_SYSTEM_BUS_ADDRESS",
                                 vb_bus_fixture_address(polkit->fixture), TRUE);
    g_subprocess_launcher_set_child_setup(launcher, enter_namespace, polkit, NULL);
    polkit->process = g_subprocess_launcher_spawn(launcher, &error, POLKITD, "--no-debug", NULL);
    g_assert_no_error(error);
    VB_WAIT_FOR(polkit->owner != NULL);
}

void vb_polkit_kill(VbPolkit *polkit)
{
    g_subprocess_force_exit(polkit->process);
    vb_bus_fixture_wait_exit(polkit->fixture, polkit->process);
    g_clear_object(&polkit->process);
    VB_WAIT_FOR(polkit->owner == NULL);
}

static void on_name_appeared(GDBusConnection *connection, const char *name, const char *owner,
                             gpointer data)
{
    VbPolkit *polkit = data;

    g_free(polkit->owner);
    polkit->owner = g_strdup(owner);
}

static void on_name_vanished(GDBusConnection *connection, const char *name, gpointer data)
{
    VbPolkit *polkit = data;

    g_clear_pointer(&polkit->owner, g_free);
}

VbPolkit *vb_polkit_new(VbBusFixture *fixture, const char *rules)
{
    VbPolkit *polkit = g_new0(VbPolkit, 1);

    polkit->fixture = fixture;
    polkit->bus = vb_bus_client_connection(vb_bus_fixture_client(fixture));
    /* polkitd and the clients are other users, who have to reach the bus */
    g_assert_cmpint(chmod(vb_bus_fixture_dir(fixture), 0711), ==, 0);
    make_files(polkit, rules);
    polkit->name_watch =
        g_bus_watch_name_on_connection(polkit->bus, POLKIT_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                       on_name_appeared, on_name_vanished, polkit, NULL);
    vb_polkit_start(polkit);
    return polkit;
}

void vb_polkit_free(VbPolkit *polkit)
{
    if (polkit == NULL)
        return;
    if (polkit->process != NULL)
        vb_polkit_kill(polkit);
    g_bus_unwatch_name(polkit->name_watch);
    g_free(polkit->owner);
    for (guint i = 0; i < N_MOUNTS; i++)
        g_free(polkit->sources[i]);
    g_free(polkit);
}

/* ---- asking it --------------------------------------------------------------------------------
 */

static GVariant *ask(VbPolkit *polkit, const char *method, GVariant *params, const char *reply)
{
    g_autoptr(GError) error = NULL;
    GVariant *answer = g_dbus_connection_call_sync(
        polkit->bus, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, method, params,
        G_VARIANT_TYPE(reply), G_DBUS_CALL_FLAGS_NONE, VB_WAIT_SECONDS * 1000, NULL, &error);

    g_assert_no_error(error);
    return answer;
}

const char *vb_polkit_check(VbPolkit *polkit, VbBusClient *client, const char *action,
                            GVariant *details)
{
    const char *name = g_dbus_connection_get_unique_name(vb_bus_client_connection(client));
    g_autoptr(GVariant) answer =
        ask(polkit, "CheckAuthorization",
            g_variant_new("((s@a{sv})s@a{ss}us)", "system-bus-name",
                          g_variant_new_parsed("{'name': <%s>}", name), action, details, 0, ""),
            "((bba{ss}))");
    gboolean yes, challenge;

    g_variant_get(answer, "((bb@a{ss}))", &yes, &challenge, NULL);
    return yes ? "yes" : challenge ? "challenge" : "no";
}

GVariant *vb_polkit_actions(VbPolkit *polkit)
{
    g_autoptr(GVariant) answer =
        ask(polkit, "EnumerateActions", g_variant_new("(s)", "C"), "(a(ssssssuuua{ss}))");

    return g_variant_get_child_value(answer, 0);
}

/* ---- tests -----------------------------------------------------------------------------------
 */

typedef struct {
    const char *rules;
    VbBusFixtureFlags flags;
    void (*run)(const VbPolkitWorld *world);
} Test;

static void run_test(gconstpointer data)
{
    const Test *test = data;
    g_autoptr(VbBusFixture) fixture = NULL;
    g_autoptr(VbPolkit) polkit = NULL;
    g_autoptr(VbBusClient) alice = NULL;

    if (!is_available())
        return;
    fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_SYSTEM_POLICY | test->flags);
    polkit = vb_polkit_new(fixture, test->rules);
    alice = vb_bus_client_new_as(fixture, VB_POLKIT_ALICE);
    test->run(&(VbPolkitWorld){fixture, polkit, vb_bus_fixture_client(fixture), alice});
}

void vb_polkit_add_test(const char *path, const char *rules, VbBusFixtureFlags flags,
                        void (*run)(const VbPolkitWorld *world))
{
    Test *test = g_new(Test, 1);

    *test = (Test){rules, flags, run};
    g_test_add_data_func_full(path, test, run_test, g_free);
}

/* ---- the agent --------------------------------------------------------------------------------
 */

#define AGENT_PATH "/org/virtbus1/tests/Agent"

static const char agent_xml[] = "<node><interface name='" POLKIT_NAME ".AuthenticationAgent'>"
                                "<method name='BeginAuthentication'>"
                                "<arg type='s' direction='in'/><arg type='s' direction='in'/>"
                                "<arg type='s' direction='in'/><arg type='a{ss}' direction='in'/>"
                                "<arg type='s' direction='in'/>"
                                "<arg type='a(sa{sv})' direction='in'/></method>"
                                "<method name='CancelAuthentication'>"
                                "<arg type='s' direction='in'/></method>"
                                "</interface></node>";

typedef struct {
    VbPolkitPrompt shown;
    GVariant *parameters; /* owns the strings */
    const char *cookie;
    GDBusMethodInvocation *invocation; /* NULL once it is answered */
} Prompt;

struct VbPolkitAgent {
    VbPolkit *polkit;
    guint registration;
    GPtrArray *prompts; /* of Prompt */
};

static void prompt_refuse(Prompt *prompt)
{
    if (prompt->invocation != NULL)
        g_dbus_method_invocation_return_dbus_error(g_steal_pointer(&prompt->invocation),
                                                   POLKIT_NAME ".Error.Cancelled", "cancelled");
}

static void prompt_free(gpointer data)
{
    Prompt *prompt = data;

    prompt_refuse(prompt);
    g_variant_unref(prompt->shown.details);
    g_variant_unref(prompt->parameters);
    g_free(prompt);
}

static void begin_authentication(VbPolkitAgent *agent, GVariant *parameters,
                                 GDBusMethodInvocation *invocation)
{
    Prompt *prompt = g_new0(Prompt, 1);

    prompt->parameters = g_variant_ref(parameters);
    prompt->invocation = invocation;
    g_variant_get(parameters, "(&s&s&s@a{ss}&s@a(sa{sv}))", &prompt->shown.action,
                  &prompt->shown.message, NULL, &prompt->shown.details, &prompt->cookie, NULL);
    g_test_message("prompt for %s: %s", prompt->shown.action, prompt->shown.message);
    g_ptr_array_add(agent->prompts, prompt);
}

static void cancel_authentication(VbPolkitAgent *agent, GVariant *parameters,
                                  GDBusMethodInvocation *invocation)
{
    const char *cookie;

    g_variant_get(parameters, "(&s)", &cookie);
    for (guint i = 0; i < agent->prompts->len; i++) {
        Prompt *prompt = agent->prompts->pdata[i];

        if (g_str_equal(prompt->cookie, cookie)) {
            prompt->shown.cancelled = TRUE;
            prompt_refuse(prompt);
        }
    }
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static void on_agent_call(GDBusConnection *connection, const char *sender, const char *path,
                          const char *interface, const char *method, GVariant *parameters,
                          GDBusMethodInvocation *invocation, gpointer data)
{
    if (g_str_equal(method, "BeginAuthentication"))
        begin_authentication(data, parameters, invocation);
    else
        cancel_authentication(data, parameters, invocation);
}

static GVariant *this_process(void)
{
    return g_variant_new_parsed("('unix-process', {'pid': <%u>, 'start-time': <uint64 0>})",
                                (guint)getpid());
}

VbPolkitAgent *vb_polkit_agent_new(VbPolkit *polkit)
{
    static const GDBusInterfaceVTable vtable = {.method_call = on_agent_call};
    VbPolkitAgent *agent = g_new0(VbPolkitAgent, 1);
    g_autoptr(GDBusNodeInfo) node = g_dbus_node_info_new_for_xml(agent_xml, NULL);
    g_autoptr(GVariant) reply = NULL;

    agent->polkit = polkit;
    agent->prompts = g_ptr_array_new_with_free_func(prompt_free);
    agent->registration = g_dbus_connection_register_object(
        polkit->bus, AGENT_PATH, node->interfaces[0], &vtable, agent, NULL, NULL);
    g_assert_cmpuint(agent->registration, !=, 0);
    reply = ask(polkit, "RegisterAuthenticationAgent",
                g_variant_new("(@(sa{sv})ss)", this_process(), "C", AGENT_PATH), "()");
    return agent;
}

void vb_polkit_agent_free(VbPolkitAgent *agent)
{
    if (agent == NULL)
        return;
    g_dbus_connection_unregister_object(agent->polkit->bus, agent->registration);
    g_ptr_array_unref(agent->prompts);
    g_free(agent);
}

guint vb_polkit_agent_n_prompts(VbPolkitAgent *agent)
{
    return agent->prompts->len;
}

const VbPolkitPrompt *vb_polkit_agent_prompt(VbPolkitAgent *agent, guint n)
{
    VB_WAIT_FOR(n < agent->prompts->len);
    return agent->prompts->pdata[n];
}

void vb_polkit_agent_answer(VbPolkitAgent *agent, guint n, gboolean granted)
{
    Prompt *prompt = agent->prompts->pdata[n];

    if (granted) {
        g_autoptr(GVariant) reply =
            ask(agent->polkit, "AuthenticationAgentResponse2",
                g_variant_new_parsed("(uint32 0, %s, ('unix-user', {'uid': <uint32 0>}))",
                                     prompt->cookie),
                "()");
        g_dbus_method_invocation_return_value(g_steal_pointer(&prompt->invocation), NULL);
    } else {
        prompt_refuse(prompt);
    }
}
