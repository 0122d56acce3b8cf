/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbCall: authorization before the handler, the object again after it, exactly one reply. */
#include "call.h"

#include <string.h>
#include <unistd.h>

#include "service-peer.h"

#define THING "/org/virtbus1/thing/a"
#define IFACE "org.virtbus1.Thing"

typedef struct {
    VbCall *kept; /* by the handler Keep */
    GString *order;
    uid_t uid;
    guint n_handled;
} Thing;

static void handle_drop(VbCall *call, gpointer data)
{
    ((Thing *)data)->n_handled++;
}

static void handle_twice(VbCall *call, gpointer data)
{
    vb_call_reply(call, "");
    g_assert_true(vb_call_replied(call));
    vb_call_failf(call, VB_ERROR_BUSY, "too late");
    vb_call_reply(call, "");
}

static void handle_wrong(VbCall *call, gpointer data)
{
    vb_call_reply(call, "u", 7);
}

static void handle_unclosed(VbCall *call, gpointer data)
{
    sd_bus_message *reply = vb_call_new_reply(call);

    sd_bus_message_open_container(reply, 'a', "s");
    vb_call_reply_message(call, reply);
}

static void handle_keep(VbCall *call, gpointer data)
{
    Thing *thing = data;

    g_assert_null(thing->kept);
    thing->kept = vb_call_ref(call);
    thing->n_handled++;
}

static void handle_public(VbCall *call, gpointer data)
{
    g_assert_cmpstr(vb_call_action(call), ==, NULL);
    g_assert_cmpint(vb_call_uid(call), ==, (uid_t)-1);
    vb_call_reply(call, "");
}

static void handle_protected(VbCall *call, gpointer data)
{
    Thing *thing = data;
    g_autoptr(VbOptions) options = NULL;
    GError *error = NULL;
    const char *text;

    thing->n_handled++;
    thing->uid = vb_call_uid(call);
    g_assert_cmpstr(vb_call_action(call), ==, "org.virtbus1.thing.operate");
    g_assert_cmpstr(vb_call_sender(call), ==, ":1.7");
    g_assert_cmpstr(vb_call_path(call), ==, THING);
    g_assert_cmpstr(vb_call_method(call)->member, ==, "Protected");
    g_assert_true(vb_call_data(call) == data);
    if (!vb_call_read(call, &error, "s", &text) || !vb_call_read_no_options(call, &error)) {
        vb_call_fail(call, error);
        return;
    }
    g_string_append(thing->order, text);
    vb_call_reply(call, "as", 2, text, "b");
}

static const VbMethod methods[] = {
    VB_METHOD("Drop", "", "", "", "", VB_PUBLIC, handle_drop),
    VB_METHOD("Twice", "", "", "", "", VB_PUBLIC, handle_twice),
    VB_METHOD("Wrong", "", "", "s", "text", VB_PUBLIC, handle_wrong),
    VB_METHOD("Unclosed", "", "", "as", "texts", VB_PUBLIC, handle_unclosed),
    VB_METHOD("Keep", "", "", "", "", VB_PUBLIC, handle_keep),
    VB_METHOD("Public", "", "", "", "", VB_PUBLIC, handle_public),
    VB_METHOD("Protected", "sa{sv}", "text options", "as", "texts",
              VB_ACTION("org.virtbus1.thing.operate"), handle_protected),
    {}};
static const VbInterface thing_interface = {IFACE, methods, NULL, NULL};
static const VbInterface *const interfaces[] = {&thing_interface, NULL};

static Peer *call_peer(Thing *thing, gboolean session)
{
    g_autoptr(GError) error = NULL;
    Peer *peer = peer_new(session);

    g_assert_true(vb_registry_add_interface(peer->registry, &thing_interface, &error));
    g_assert_no_error(error);
    vb_registry_set_quiet(peer->registry, TRUE);
    g_assert_nonnull(vb_registry_add(peer->registry, THING, interfaces, thing, NULL));
    return peer;
}

static void send_protected(Peer *peer, Reply *reply, const char *text)
{
    peer_send(peer, reply, THING, IFACE, "Protected", "sa{sv}", text, 0);
}

static void call_simple(Peer *peer, const char *member, const char *error, const char *text)
{
    g_auto(Reply) reply = {0};

    peer_send(peer, &reply, THING, IFACE, member, "");
    if (error == NULL)
        reply_assert_ok(&reply);
    else
        reply_assert_error(&reply, error, text);
    peer_settle(peer); /* a second reply would be heard now */
}

static void test_one_reply(void)
{
    Thing thing = {0};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);

    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "no reply to Drop of " THING);
    call_simple(peer, "Drop", "org.virtbus1.Error.Failed", "Drop ended without an answer");
    g_test_assert_expected_messages();
    g_assert_cmpuint(thing.n_handled, ==, 1);

    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "second reply to Twice*");
    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "second reply to Twice*");
    call_simple(peer, "Twice", NULL, NULL);
    g_test_assert_expected_messages();

    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "reply to Wrong*not of type 's'");
    call_simple(peer, "Wrong", "org.virtbus1.Error.Failed", "Wrong");
    g_test_assert_expected_messages();

    g_test_expect_message(NULL, G_LOG_LEVEL_CRITICAL, "reply to Unclosed*");
    call_simple(peer, "Unclosed", "org.virtbus1.Error.Failed", "Unclosed");
    g_test_assert_expected_messages();
    peer_assert_heard(peer, "error Drop org.virtbus1.Error.Failed\n"
                            "reply Twice\n"
                            "error Wrong org.virtbus1.Error.Failed\n"
                            "error Unclosed org.virtbus1.Error.Failed");
}

static void test_later(void)
{
    Thing thing = {0};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    g_auto(Reply) reply = {0};

    peer_send(peer, &reply, THING, IFACE, "Keep", "");
    peer_settle(peer);
    g_assert_false(reply.done);
    g_assert_true(vb_call_data(thing.kept) == &thing);

    /* the object goes; the call still gets its answer */
    vb_registry_remove(peer->registry, vb_call_object(thing.kept));
    g_assert_null(vb_call_object(thing.kept));
    g_assert_null(vb_call_data(thing.kept));
    vb_call_failf(thing.kept, VB_ERROR_BUSY, "domain %s is\nbusy", "a");
    vb_call_unref(thing.kept);
    reply_assert_error(&reply, "org.virtbus1.Error.Busy", "domain a is busy");
}

/* A call without interest in a reply works, and gets none. */
static void test_no_reply_expected(void)
{
    Thing thing = {0};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    sd_bus_message *message = peer_new_call(peer, THING, IFACE, "Keep");

    g_assert_cmpint(sd_bus_message_set_expect_reply(message, FALSE), >=, 0);
    g_assert_cmpint(sd_bus_send(peer->client, message, NULL), >=, 0);
    sd_bus_message_unref(message);
    peer_settle(peer);
    g_assert_cmpuint(thing.n_handled, ==, 1);
    vb_call_reply(thing.kept, "");
    vb_call_unref(thing.kept);
    peer_settle(peer);
    peer_assert_heard(peer, "");
}

static void test_public(void)
{
    Thing thing = {0};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);

    peer->uid = 1000;
    call_simple(peer, "Public", NULL, NULL);
    g_assert_cmpuint(peer->n_uid_questions, ==, 0);
    g_assert_cmpuint(vb_senders_peek(vb_bus_senders(peer->bus), ":1.7")->messages, ==, 2);
}

static void test_root(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    Thing thing = {.order = order, .uid = 77};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    g_auto(Reply) a = {0}, b = {0}, c = {0}, d = {0}, e = {0};
    const char *first, *second;

    /* those that wait for the uid, and one that comes later, keep their order; one question */
    peer->uid_held = TRUE;
    send_protected(peer, &a, "a");
    send_protected(peer, &b, "b");
    peer_settle(peer);
    send_protected(peer, &c, "c");
    peer_settle(peer);
    g_assert_cmpuint(thing.n_handled, ==, 0);
    peer_release_uid(peer);
    send_protected(peer, &d, "d");
    reply_assert_ok(&d);
    send_protected(peer, &e, "e");
    reply_assert_ok(&e);
    g_assert_cmpstr(order->str, ==, "abcde");
    g_assert_cmpuint(peer->n_uid_questions, ==, 1);
    g_assert_cmpint(thing.uid, ==, 0);
    g_assert_cmpint(sd_bus_message_read(a.message, "as", 2, &first, &second), >, 0);
    g_assert_cmpstr(first, ==, "a");
}

static void test_denied(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    Thing thing = {.order = order};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    g_auto(Reply) user = {0}, again = {0};

    peer->uid = 1000;
    send_protected(peer, &user, "a");
    reply_assert_error(&user, SD_BUS_ERROR_ACCESS_DENIED, "org.virtbus1.thing.operate");
    send_protected(peer, &again, "a");
    reply_assert_error(&again, SD_BUS_ERROR_ACCESS_DENIED, "uid 1000");
    g_assert_cmpuint(thing.n_handled, ==, 0);
    g_assert_cmpuint(peer->n_uid_questions, ==, 1);
}

static void test_uid_unknown(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    Thing thing = {.order = order};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    g_auto(Reply) refused = {0}, allowed = {0};

    peer->uid_unknown = TRUE;
    send_protected(peer, &refused, "a");
    reply_assert_error(&refused, SD_BUS_ERROR_ACCESS_DENIED, "no such name");
    g_assert_cmpuint(thing.n_handled, ==, 0);
    /* that is not remembered */
    peer->uid_unknown = FALSE;
    send_protected(peer, &allowed, "a");
    reply_assert_ok(&allowed);
}

/* The owner of a session instance is allowed, and of a system instance is not. */
static void test_session(void)
{
    uid_t was = geteuid();
    uid_t owner = was == 0 ? 65534 : was;

    for (int session = 0; session < 2; session++) {
        g_autoptr(GString) order = g_string_new(NULL);
        Thing thing = {.order = order};
        g_autoptr(Peer) peer = call_peer(&thing, session);
        g_auto(Reply) reply = {0};

        peer->uid = owner;
        g_assert_cmpint(seteuid(owner), ==, 0);
        send_protected(peer, &reply, "a");
        reply_wait(&reply);
        g_assert_cmpint(seteuid(was), ==, 0);
        g_assert_cmpint(sd_bus_message_is_method_error(reply.message, NULL) > 0, ==, !session);
    }
}

static void test_session_stranger(void)
{
    Thing thing = {0};
    g_autoptr(Peer) peer = call_peer(&thing, TRUE);
    g_auto(Reply) reply = {0};

    peer->uid = geteuid() + 1;
    send_protected(peer, &reply, "a");
    reply_assert_error(&reply, SD_BUS_ERROR_ACCESS_DENIED, "org.virtbus1.thing.operate");
}

static void test_bad_options(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    Thing thing = {.order = order};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    g_auto(Reply) reply = {0};

    peer_send(peer, &reply, THING, IFACE, "Protected", "sa{sv}", "a", 1, "colour", "s", "red");
    reply_assert_error(&reply, SD_BUS_ERROR_INVALID_ARGS, "'colour'");
    g_assert_cmpuint(order->len, ==, 0);
}

/* While a call is authorized its object goes, or another takes its path. */
static void test_generation(void)
{
    for (int readd = 0; readd < 2; readd++) {
        Thing thing = {0};
        g_autoptr(Peer) peer = call_peer(&thing, FALSE);
        g_auto(Reply) reply = {0};

        peer->uid_held = TRUE;
        send_protected(peer, &reply, "a");
        peer_settle(peer);
        g_assert_cmpuint(peer->n_uid_questions, ==, 1);
        vb_registry_remove(peer->registry, vb_registry_lookup(peer->registry, THING));
        if (readd)
            vb_registry_add(peer->registry, THING, interfaces, &thing, NULL);
        peer_release_uid(peer);
        reply_assert_error(&reply, SD_BUS_ERROR_UNKNOWN_OBJECT, THING);
        g_assert_cmpuint(thing.n_handled, ==, 0);
    }
}

/* The daemon ends: the calls that wait are answered, in the handler as in the authority. */
static void test_daemon_ends(void)
{
    Thing thing = {0};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    g_auto(Reply) handled = {0}, unauthorized = {0};

    peer->uid_held = TRUE;
    peer_send(peer, &handled, THING, IFACE, "Keep", "");
    send_protected(peer, &unauthorized, "a");
    peer_settle(peer);
    g_clear_pointer(&peer->registry, vb_registry_free);
    reply_assert_error(&handled, "org.virtbus1.Error.Failed", "the daemon ended");
    reply_assert_error(&unauthorized, "org.virtbus1.Error.Failed", "the daemon ended");
    g_assert_null(vb_call_registry(thing.kept));
    g_assert_null(vb_call_data(thing.kept));
    g_clear_pointer(&thing.kept, vb_call_unref); /* no critical: it was answered */
    g_clear_pointer(&peer->authority, vb_authority_free);
}

static void test_too_many(void)
{
    Thing thing = {0};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    Reply *replies = g_new0(Reply, VB_SENDER_CALLS_MAX + 1);

    peer->uid = 1000;
    peer->uid_held = TRUE;
    for (guint i = 0; i <= VB_SENDER_CALLS_MAX; i++)
        send_protected(peer, &replies[i], "a");
    reply_assert_error(&replies[VB_SENDER_CALLS_MAX], SD_BUS_ERROR_LIMITS_EXCEEDED, "128 calls");
    g_assert_false(replies[VB_SENDER_CALLS_MAX - 1].done);
    peer_release_uid(peer);
    for (guint i = 0; i < VB_SENDER_CALLS_MAX; i++)
        reply_assert_error(&replies[i], SD_BUS_ERROR_ACCESS_DENIED, "");
    for (guint i = 0; i <= VB_SENDER_CALLS_MAX; i++)
        reply_clear(&replies[i]);
    g_free(replies);
    call_simple(peer, "Public", NULL, NULL);
}

/* What would be kept until it is answered may not be of any size. */
static void test_too_large(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    Thing thing = {.order = order};
    g_autoptr(Peer) peer = call_peer(&thing, FALSE);
    g_autofree char *large = g_strnfill(VB_CALL_MESSAGE_MAX, 'x');
    g_autofree guint8 *bytes = g_malloc0(2 * VB_CALL_MESSAGE_MAX);
    g_auto(Reply) text = {0}, array = {0};
    sd_bus_message *message = peer_new_call(peer, THING, IFACE, "Protected");

    peer->uid_held = TRUE; /* it is not authorized before it is measured */
    send_protected(peer, &text, large);
    reply_assert_error(&text, SD_BUS_ERROR_LIMITS_EXCEEDED, "larger than");
    sd_bus_message_append(message, "s", "a");
    sd_bus_message_open_container(message, 'a', "{sv}");
    sd_bus_message_open_container(message, 'e', "sv");
    sd_bus_message_append(message, "s", "key");
    sd_bus_message_open_container(message, 'v', "ay");
    sd_bus_message_append_array(message, 'y', bytes, 2 * VB_CALL_MESSAGE_MAX);
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
    peer_send_message(peer, &array, message);
    reply_assert_error(&array, SD_BUS_ERROR_LIMITS_EXCEEDED, "larger than");
    g_assert_cmpuint(peer->n_uid_questions, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/call/one-reply", test_one_reply);
    g_test_add_func("/service/call/later", test_later);
    g_test_add_func("/service/call/no-reply-expected", test_no_reply_expected);
    g_test_add_func("/service/call/public", test_public);
    g_test_add_func("/service/call/root", test_root);
    g_test_add_func("/service/call/denied", test_denied);
    g_test_add_func("/service/call/uid-unknown", test_uid_unknown);
    g_test_add_func("/service/call/session", test_session);
    g_test_add_func("/service/call/session-stranger", test_session_stranger);
    g_test_add_func("/service/call/bad-options", test_bad_options);
    g_test_add_func("/service/call/generation", test_generation);
    g_test_add_func("/service/call/daemon-ends", test_daemon_ends);
    g_test_add_func("/service/call/too-many", test_too_many);
    g_test_add_func("/service/call/too-large", test_too_large);
    return g_test_run();
}
