/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The GSource over a socketpair; the name, the uid and the policy file with a real dbus-daemon that
 * has the rules of a system bus. */
#include "bus.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority.h"
#include "bus-fixture.h"
#include "bus-source.h"
#include "call.h"
#include "error.h"
#include "service-peer.h"
#include "wait.h"

static void test_burst(void)
{
    g_autoptr(Peer) peer = peer_new(FALSE);
    const guint n = 2000;
    Reply *replies = g_new0(Reply, n);

    for (guint i = 0; i < n; i++)
        peer_send(peer, &replies[i], "/", "org.freedesktop.DBus.Peer", "Ping", "");
    reply_assert_ok(&replies[n - 1]);
    for (guint i = 0; i < n; i++) {
        g_assert_true(replies[i].done);
        reply_clear(&replies[i]);
    }
    g_free(replies);
    g_assert_cmpuint(vb_senders_peek(vb_bus_senders(peer->bus), ":1.7")->messages, ==, n);
}

static int on_no_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    g_assert_cmpstr(sd_bus_message_get_error(reply)->name, ==, SD_BUS_ERROR_NO_REPLY);
    *(gboolean *)data = TRUE;
    return 1;
}

/* Nothing but sd-bus's own timeout wakes the loop. */
static void test_timeout(void)
{
    g_autoptr(Peer) peer = peer_new(FALSE);
    sd_bus_message *call = NULL;
    gboolean done = FALSE;

    peer->uid_held = TRUE; /* a question that is not answered */
    g_assert_cmpint(sd_bus_message_new_method_call(vb_bus_connection(peer->bus), &call, NULL, "/",
                                                   "org.freedesktop.DBus", "GetConnectionUnixUser"),
                    >=, 0);
    g_assert_cmpint(
        sd_bus_call_async(vb_bus_connection(peer->bus), NULL, call, on_no_reply, &done, 20 * 1000),
        >=, 0);
    sd_bus_message_unref(call);
    peer_wait(&done);
}

static void on_closed(VbBus *bus, gpointer data)
{
    (*(guint *)data)++;
}

static void test_disconnect(void)
{
    g_autoptr(Peer) peer = peer_new(FALSE);
    guint n_closed = 0;

    vb_bus_set_closed_func(peer->bus, on_closed, &n_closed);
    peer_settle(peer);
    sd_bus_close(peer->client);
    while (n_closed == 0)
        g_assert_true(g_main_context_iteration(NULL, TRUE));
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_assert_cmpuint(n_closed, ==, 1);
    /* what goes on working is harmless */
    vb_registry_flush(peer->registry);
    vb_bus_close(peer->bus);
}

static void test_no_bus(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(vb_bus_open(VB_BUS_SYSTEM, "unix:path=/nonexistent/bus", &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "unix:path=/nonexistent/bus"));
    g_clear_error(&error);
    g_assert_null(vb_bus_open(VB_BUS_SESSION, "nonsense", &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
}

/* --- with a dbus-daemon --- */

typedef struct {
    VbBusFixture *fixture;
    const char *address;
} Daemon;

static void daemon_set_up(Daemon *d, gconstpointer data)
{
    d->fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NO_DAEMON | VB_BUS_FIXTURE_SYSTEM_POLICY);
    d->address = vb_bus_fixture_address(d->fixture);
    /* another uid must reach the socket */
    g_assert_cmpint(chmod(vb_bus_fixture_dir(d->fixture), 0755), ==, 0);
}

static void daemon_tear_down(Daemon *d, gconstpointer data)
{
    vb_bus_fixture_free(d->fixture);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

typedef struct {
    GAsyncResult *result;
    gboolean done;
} Waiter;

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Waiter *waiter = data;

    g_assert_false(waiter->done);
    waiter->result = g_object_ref(result);
    waiter->done = TRUE;
}

static gboolean own_name(VbBus *bus, const char *name, GError **error)
{
    Waiter waiter = {0};
    gboolean owned;

    vb_bus_own_name_async(bus, name, NULL, on_done, &waiter);
    g_assert_false(waiter.done);
    peer_wait(&waiter.done);
    owned = vb_bus_own_name_finish(bus, waiter.result, error);
    g_object_unref(waiter.result);
    return owned;
}

static VbBus *open_bus(Daemon *d)
{
    g_autoptr(GError) error = NULL;
    VbBus *bus = vb_bus_open(VB_BUS_SYSTEM, d->address, &error);

    g_assert_no_error(error);
    return bus;
}

static gboolean skip_unless_root(void)
{
    if (geteuid() == 0)
        return FALSE;
    g_test_skip("only root may own the name, and become another user");
    return TRUE;
}

static void test_name(Daemon *d, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbBus) first = open_bus(d);
    g_autoptr(VbBus) second = open_bus(d);
    Waiter a = {0}, b = {0};

    if (skip_unless_root())
        return;
    g_assert_true(own_name(first, "org.virtbus1", &error));
    g_assert_no_error(error);
    g_assert_true(own_name(first, "org.virtbus1", &error)); /* it has it already */

    g_assert_false(own_name(second, "org.virtbus1", &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_BUSY);
    g_assert_nonnull(strstr(error->message, "org.virtbus1"));
    g_clear_error(&error);
    g_assert_false(own_name(second, "org.example", &error)); /* the bus's rules */
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_clear_error(&error);

    /* it was not queued: once free, it is anybody's */
    g_clear_pointer(&first, vb_bus_free);
    vb_bus_own_name_async(second, "org.virtbus1", NULL, on_done, &a);
    vb_bus_own_name_async(second, "org.virtbus1", NULL, on_done, &b);
    peer_wait(&a.done);
    peer_wait(&b.done);
    g_assert_false(vb_bus_own_name_finish(second, b.result, &error)); /* one at a time */
    g_assert_error(error, VB_ERROR, VB_ERROR_BUSY);
    g_object_unref(a.result);
    g_object_unref(b.result);
}

/* The bus goes while the name is being asked for: the callback still comes, once. */
static void test_name_bus_gone(Daemon *d, gconstpointer data)
{
    VbBus *bus = open_bus(d);
    g_autoptr(GError) error = NULL;
    Waiter waiter = {0};

    vb_bus_own_name_async(bus, "org.virtbus1", NULL, on_done, &waiter);
    vb_bus_free(bus);
    peer_wait(&waiter.done);
    g_assert_false(vb_bus_own_name_finish(NULL, waiter.result, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_object_unref(waiter.result);
}

static void on_gone(const char *name, gpointer gone)
{
    g_ptr_array_add(gone, g_strdup(name));
}

/* Who leaves is told, once, by its unique name, and forgotten; a well-known name is nobody. */
static void test_sender_gone(Daemon *d, gconstpointer data)
{
    g_autoptr(VbBus) bus = open_bus(d);
    g_autoptr(VbBus) client = open_bus(d);
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autofree char *name = NULL;
    const char *unique;

    if (skip_unless_root())
        return;
    vb_bus_set_sender_gone_func(bus, on_gone, gone);
    g_assert_true(own_name(client, "org.virtbus1", &error));
    g_assert_cmpint(sd_bus_get_unique_name(vb_bus_connection(client), &unique), >=, 0);
    name = g_strdup(unique);
    vb_senders_get(vb_bus_senders(bus), name);
    g_clear_pointer(&client, vb_bus_free);
    VB_WAIT_FOR(gone->len > 0);
    g_assert_true(own_name(bus, "org.virtbus1", &error)); /* all signals of that have come */
    g_assert_cmpuint(gone->len, ==, 1);
    g_assert_cmpstr(gone->pdata[0], ==, name);
    g_assert_null(vb_senders_peek(vb_bus_senders(bus), name));
    vb_bus_set_sender_gone_func(bus, NULL, NULL);
}

static gboolean check(VbAuthority *authority, const char *sender, uid_t *ret_uid, GError **error)
{
    Waiter waiter = {0};
    gboolean allowed;

    vb_authority_check_async(authority, sender, "org.virtbus1.thing.operate", NULL, FALSE, NULL,
                             on_done, &waiter);
    g_assert_false(waiter.done);
    peer_wait(&waiter.done);
    allowed = vb_authority_check_finish(waiter.result, ret_uid, error);
    g_object_unref(waiter.result);
    return allowed;
}

/* The uid as the bus knows it. */
static void test_uid(Daemon *d, gconstpointer data)
{
    g_autoptr(VbBus) bus = open_bus(d);
    g_autoptr(VbBus) client = open_bus(d);
    g_autoptr(VbAuthority) authority = vb_authority_new(bus, TRUE);
    g_autoptr(GError) error = NULL;
    const char *unique;
    uid_t uid = 4711;

    g_assert_cmpint(sd_bus_get_unique_name(vb_bus_connection(client), &unique), >=, 0);
    g_assert_true(check(authority, unique, &uid, &error));
    g_assert_no_error(error);
    g_assert_cmpint(uid, ==, geteuid());
    g_assert_true(vb_senders_peek(vb_bus_senders(bus), unique)->uid_known);

    uid = 4711;
    g_assert_false(check(authority, ":1.4711", &uid, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_ACCESS_DENIED);
    g_assert_nonnull(strstr(error->message, "org.virtbus1.thing.operate"));
    g_assert_cmpint(uid, ==, 4711);
    g_clear_error(&error);
    g_assert_false(check(authority, NULL, &uid, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_ACCESS_DENIED);
}

#define THING "/org/virtbus1/thing/a"

static void handle_operate(VbCall *call, gpointer data)
{
    vb_call_reply(call, "");
}

static const VbMethod methods[] = {
    VB_METHOD("Operate", "", "", "", "", VB_ACTION("org.virtbus1.thing.operate"), handle_operate),
    {}};
static const VbInterface thing_interface = {"org.virtbus1.Thing", methods, NULL, NULL};
static const VbInterface *const interfaces[] = {&thing_interface, NULL};

/* Runs a client, as nobody or as ourselves; its output is checked for the text. */
static void assert_command(Daemon *d, gboolean nobody, const char *const *command, gboolean success,
                           const char *text)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GSubprocess) client = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *out = NULL;
    Waiter waiter = {0};

    if (nobody) {
        g_ptr_array_add(argv, g_strdup("setpriv"));
        g_ptr_array_add(argv, g_strdup("--reuid=65534"));
        g_ptr_array_add(argv, g_strdup("--regid=65534"));
        g_ptr_array_add(argv, g_strdup("--clear-groups"));
    }
    for (; *command != NULL; command++)
        g_ptr_array_add(argv, g_strdup(*command));
    g_ptr_array_add(argv, NULL);
    client =
        g_subprocess_newv((const char *const *)argv->pdata,
                          G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error);
    g_assert_no_error(error);
    g_subprocess_communicate_utf8_async(client, NULL, NULL, on_done, &waiter);
    peer_wait(&waiter.done);
    g_assert_true(g_subprocess_communicate_utf8_finish(client, waiter.result, &out, NULL, &error));
    g_object_unref(waiter.result);
    if (g_subprocess_get_successful(client) != success || strstr(out, text) == NULL)
        g_error("%s: not '%s' in: %s", success ? "succeeds" : "fails", text, out);
}

/* Our policy file: everybody may look and ask, the authority decides, only root may be virtbus. */
static void test_policy(Daemon *d, gconstpointer data)
{
    g_autofree char *address = g_strdup_printf("--address=%s", d->address);
    const char *const tree[] = {"busctl", address, "tree", "--list", "org.virtbus1", NULL};
    const char *const operate[] = {"gdbus",     "call",
                                   "--address", d->address,
                                   "--dest",    "org.virtbus1",
                                   "-o",        THING,
                                   "-m",        "org.virtbus1.Thing.Operate",
                                   NULL};
    const char *const own[] = {"gdbus",
                               "call",
                               "--address",
                               d->address,
                               "--dest",
                               "org.freedesktop.DBus",
                               "-o",
                               "/org/freedesktop/DBus",
                               "-m",
                               "org.freedesktop.DBus.RequestName",
                               "org.virtbus1",
                               "4",
                               NULL};
    g_autoptr(VbBus) bus = open_bus(d);
    g_autoptr(VbAuthority) authority = vb_authority_new(bus, FALSE);
    g_autoptr(VbRegistry) registry = NULL;
    g_autoptr(GError) error = NULL;

    if (skip_unless_root())
        return;
    registry = vb_registry_new(bus, authority, &error);
    g_assert_no_error(error);
    g_assert_true(vb_registry_add_interface(registry, &thing_interface, &error));
    vb_registry_add(registry, THING, interfaces, NULL, NULL);
    g_assert_true(own_name(bus, "org.virtbus1", &error));

    assert_command(d, TRUE, tree, TRUE, THING "\n");
    assert_command(d, TRUE, operate, FALSE,
                   "not authorized for org.virtbus1.thing.operate: polkit is not running");
    assert_command(d, TRUE, own, FALSE, "not allowed to own");
    assert_command(d, FALSE, operate, TRUE, "");
}

#define ADD(name, func)                                                                            \
    g_test_add("/service/bus/" name, Daemon, NULL, daemon_set_up, func, daemon_tear_down)

/* Somebody says, in the bus's words, that another has left. */
static void test_forged_leave(void)
{
    g_autoptr(Peer) peer = peer_new(FALSE);
    VbSenders *senders = vb_bus_senders(peer->bus);
    sd_bus_message *signal = NULL;

    peer_settle(peer); /* makes :1.7 known */
    g_assert_nonnull(vb_senders_peek(senders, ":1.7"));
    g_assert_cmpint(sd_bus_message_new_signal(peer->client, &signal, "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "NameOwnerChanged"),
                    >=, 0);
    g_assert_cmpint(sd_bus_message_set_sender(signal, ":1.9"), >=, 0);
    g_assert_cmpint(sd_bus_message_append(signal, "sss", ":1.7", ":1.7", ""), >=, 0);
    g_assert_cmpint(sd_bus_send(peer->client, signal, NULL), >=, 0);
    sd_bus_message_unref(signal);
    sd_bus_flush(peer->client);
    g_main_context_iteration(NULL, FALSE);
    peer_settle(peer);
    g_assert_cmpuint(vb_senders_peek(senders, ":1.7")->messages, >, 1); /* not a new one */
    g_assert_null(vb_senders_peek(senders, ":1.9"));
    peer_leave(peer, ":1.7");
    VB_WAIT_FOR(vb_senders_peek(senders, ":1.7") == NULL);
}

/* A loop with nothing to do sleeps. */
static void test_idle(void)
{
    g_autoptr(Peer) peer = peer_new(FALSE);
    gboolean over = FALSE;
    guint turns = 0;

    peer_settle(peer);
    g_timeout_add(100, vb_wait_over, &over);
    while (!over) {
        g_main_context_iteration(NULL, TRUE);
        turns++;
    }
    g_assert_cmpuint(turns, <, 20);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/bus/burst", test_burst);
    g_test_add_func("/service/bus/timeout", test_timeout);
    g_test_add_func("/service/bus/disconnect", test_disconnect);
    g_test_add_func("/service/bus/no-bus", test_no_bus);
    ADD("name", test_name);
    ADD("name-bus-gone", test_name_bus_gone);
    ADD("sender-gone", test_sender_gone);
    ADD("uid", test_uid);
    ADD("policy", test_policy);
    g_test_add_func("/service/bus/forged-leave", test_forged_leave);
    g_test_add_func("/service/bus/idle", test_idle);
    return g_test_run();
}
