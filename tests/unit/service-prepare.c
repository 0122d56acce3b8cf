/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What happens to a VbCall before its handler: it is described and prepared, and every action that
 * it needs is asked for, in order. */
#include "call.h"

#include <string.h>

#include "service-peer.h"

#define THING "/org/virtbus1/thing/a"
#define IFACE "org.virtbus1.Thing"
#define OPERATE "org.virtbus1.thing.operate"
#define REACH "org.virtbus1.thing.reach"

/* Questions, and how long it may take to note them twice (a walk through all for each: a minute).
 */
#define MANY 40000
#define MANY_SECONDS 10

static guint n_prepared, n_handled, n_freed;

static void free_text(gpointer text)
{
    n_freed++;
    g_free(text);
}

static void require_many(VbCall *call)
{
    for (guint i = 0; i < 2 * MANY; i++) {
        g_autofree char *path = g_strdup_printf("/far/%u", i % MANY);
        VbDetails *more = vb_details_new();

        vb_details_set(more, "path", path);
        vb_call_require(call, REACH, more);
    }
}

/* Its text is a detail; "far" needs another action, with a detail of its own. */
static gboolean prepare(VbCall *call, gpointer data, GError **error)
{
    const char *text;

    n_prepared++;
    if (!vb_call_read(call, error, "s", &text))
        return FALSE;
    if (strlen(text) > 10)
        text = "large";
    vb_details_set(vb_call_details(call), "disk", text);
    vb_call_set_argument(call, g_strdup("another"), free_text);
    vb_call_set_argument(call, g_strdup(text), free_text);
    if (g_str_equal(text, "far")) {
        VbDetails *more = vb_details_new();

        vb_details_set(more, "path", "/far");
        vb_call_require(call, REACH, more);
    }
    if (g_str_equal(text, "many"))
        require_many(call);
    return !g_str_equal(text, "bad") || vb_fail(error, VB_ERROR_INVALID_ARGS, "it is bad");
}

static void handle(VbCall *call, gpointer data)
{
    GError *error = NULL;

    n_handled++;
    if (!vb_call_read_no_options(call, &error)) {
        vb_call_fail(call, error);
    } else {
        g_autofree char *text = vb_call_steal_argument(call);

        g_assert_null(vb_call_argument(call));
        vb_call_reply(call, "s", text);
        n_freed++;
    }
}

static void describe(gpointer data, VbDetails *details)
{
    vb_details_set(details, "domain_name", data);
}

static const VbMethod methods[] = {
    VB_METHOD_PREPARED("Do", "sa{sv}", "text options", "s", "text", VB_ACTION(OPERATE), prepare,
                       handle),
    VB_METHOD_PREPARED("Look", "sa{sv}", "text options", "s", "text", VB_PUBLIC, prepare, handle),
    {}};
static const VbInterface thing_interface = {IFACE, methods, NULL, NULL, describe};
static const VbInterface *const interfaces[] = {&thing_interface, NULL};

static Peer *new_peer(void)
{
    g_autoptr(GError) error = NULL;
    Peer *peer = peer_new(FALSE);

    g_assert_true(vb_registry_add_interface(peer->registry, &thing_interface, &error));
    g_assert_no_error(error);
    vb_registry_set_quiet(peer->registry, TRUE);
    vb_registry_add(peer->registry, THING, interfaces, (gpointer) "lab", NULL);
    peer->uid = 1000;
    peer->polkit = NULL; /* the test answers */
    n_prepared = n_handled = n_freed = 0;
    return peer;
}

static void send(Peer *peer, Reply *reply, const char *member, const char *text)
{
    peer_send(peer, reply, THING, IFACE, member, "sa{sv}", text, 0);
}

static void assert_question(const Question *question, const char *action, const char *details)
{
    g_assert_cmpstr(question->action, ==, action);
    g_assert_cmpstr(question->details, ==, details);
    g_assert_cmpstr(question->sender, ==, ":1.7");
}

static void test_described(void)
{
    g_autoptr(Peer) peer = new_peer();
    g_auto(Reply) reply = {0};
    const char *text;
    Question *question;

    send(peer, &reply, "Do", "vda");
    question = peer_wait_question(peer, 1);
    assert_question(question, OPERATE, "method=" IFACE ".Do domain_name=lab disk=vda");
    g_assert_cmpuint(n_handled, ==, 0);
    g_assert_cmpuint(n_freed, ==, 1); /* what the second argument took the place of */
    peer_polkit_answer(question, "yes");
    reply_assert_ok(&reply);
    g_assert_cmpint(sd_bus_message_read(reply.message, "s", &text), >, 0);
    g_assert_cmpstr(text, ==, "vda");
    g_assert_cmpuint(peer->questions->len, ==, 1);
    g_assert_cmpuint(n_freed, ==, 2);
}

static void test_required(void)
{
    g_autoptr(Peer) peer = new_peer();
    g_auto(Reply) allowed = {0}, denied = {0};

    send(peer, &allowed, "Do", "far");
    peer_polkit_answer(peer_wait_question(peer, 1), "yes");
    assert_question(peer_wait_question(peer, 2), REACH,
                    "method=" IFACE ".Do domain_name=lab disk=far path=/far");
    g_assert_cmpuint(n_handled, ==, 0);
    peer_polkit_answer(peer_wait_question(peer, 2), "yes");
    reply_assert_ok(&allowed);
    g_assert_cmpuint(n_handled, ==, 1);

    send(peer, &denied, "Do", "far");
    peer_polkit_answer(peer_wait_question(peer, 3), "yes");
    peer_polkit_answer(peer_wait_question(peer, 4), "no");
    reply_assert_error(&denied, SD_BUS_ERROR_ACCESS_DENIED, REACH);
    g_assert_cmpuint(n_handled, ==, 1);
    g_assert_cmpuint(n_freed, ==, 4);
    g_assert_cmpuint(peer->questions->len, ==, 4);
}

/* A document may name thousands of files, and whoever sends it need not be allowed anything. */
static void test_many(void)
{
    g_autoptr(Peer) peer = new_peer();
    g_auto(Reply) reply = {0};
    gint64 start = g_get_monotonic_time();

    send(peer, &reply, "Do", "many");
    peer_polkit_answer(peer_wait_question(peer, 1), "yes");
    g_assert_cmpint(g_get_monotonic_time() - start, <, MANY_SECONDS * G_USEC_PER_SEC);
    for (guint i = 0; i < 3; i++) {
        g_autofree char *details =
            g_strdup_printf("method=" IFACE ".Do domain_name=lab disk=many path=/far/%u", i);

        assert_question(peer_wait_question(peer, 2 + i), REACH, details);
        peer_polkit_answer(peer_wait_question(peer, 2 + i), i < 2 ? "yes" : "no");
    }
    reply_assert_error(&reply, SD_BUS_ERROR_ACCESS_DENIED, REACH);
    g_assert_cmpuint(n_handled, ==, 0);
}

/* The method's own action comes first: who is denied it is asked no more. */
static void test_denied(void)
{
    g_autoptr(Peer) peer = new_peer();
    g_auto(Reply) reply = {0};

    peer->polkit = "no";
    send(peer, &reply, "Do", "far");
    reply_assert_error(&reply, SD_BUS_ERROR_ACCESS_DENIED, OPERATE);
    peer_settle(peer);
    g_assert_cmpuint(peer->questions->len, ==, 1);
    g_assert_cmpuint(n_handled, ==, 0);
    g_assert_cmpuint(n_freed, ==, 2);
}

static void test_refused(void)
{
    g_autoptr(Peer) peer = new_peer();
    g_auto(Reply) reply = {0};

    send(peer, &reply, "Do", "bad");
    reply_assert_error(&reply, SD_BUS_ERROR_INVALID_ARGS, "it is bad");
    peer_settle(peer);
    g_assert_cmpuint(peer->questions->len, ==, 0);
    g_assert_cmpuint(n_handled, ==, 0);
    g_assert_cmpuint(n_freed, ==, 2);
}

/* A public method asks nobody, unless its arguments require it. */
static void test_public(void)
{
    g_autoptr(Peer) peer = new_peer();
    g_auto(Reply) near = {0}, far = {0};

    send(peer, &near, "Look", "vda");
    reply_assert_ok(&near);
    g_assert_cmpuint(peer->questions->len, ==, 0);
    peer->polkit = "no";
    send(peer, &far, "Look", "far");
    reply_assert_error(&far, SD_BUS_ERROR_ACCESS_DENIED, REACH);
    g_assert_cmpuint(n_handled, ==, 1);
}

/* A large message is read only when its caller may do it at all; the rules are then asked again. */
static void test_large(void)
{
    g_autoptr(Peer) peer = new_peer();
    g_autofree char *text = g_strnfill(VB_CALL_PREPARED_MAX, 'x');
    g_auto(Reply) denied = {0}, allowed = {0}, gone = {0};

    send(peer, &denied, "Do", text);
    assert_question(peer_wait_question(peer, 1), OPERATE, "method=" IFACE ".Do domain_name=lab");
    peer_polkit_answer(peer_wait_question(peer, 1), "no");
    reply_assert_error(&denied, SD_BUS_ERROR_ACCESS_DENIED, OPERATE);
    g_assert_cmpuint(n_prepared, ==, 0);

    send(peer, &allowed, "Do", text);
    peer_polkit_answer(peer_wait_question(peer, 2), "yes");
    assert_question(peer_wait_question(peer, 3), OPERATE,
                    "method=" IFACE ".Do domain_name=lab disk=large");
    g_assert_cmpuint(n_handled, ==, 0);
    peer_polkit_answer(peer_wait_question(peer, 3), "yes");
    reply_assert_ok(&allowed);
    g_assert_cmpuint(n_prepared, ==, 1);

    send(peer, &gone, "Do", text);
    peer_wait_question(peer, 4);
    vb_registry_remove(peer->registry, vb_registry_lookup(peer->registry, THING));
    peer_polkit_answer(peer_wait_question(peer, 4), "yes");
    reply_assert_error(&gone, SD_BUS_ERROR_UNKNOWN_OBJECT, THING);
    g_assert_cmpuint(n_prepared, ==, 1);
}

static void test_interactive(void)
{
    g_autoptr(Peer) peer = new_peer();

    for (int interactive = 0; interactive < 2; interactive++) {
        sd_bus_message *message = peer_new_call(peer, THING, IFACE, "Do");
        g_auto(Reply) reply = {0};

        sd_bus_message_append(message, "sa{sv}", "vda", 0);
        sd_bus_message_set_allow_interactive_authorization(message, interactive);
        peer->polkit = "challenge";
        peer_send_message(peer, &reply, message);
        reply_assert_error(&reply,
                           interactive ? SD_BUS_ERROR_ACCESS_DENIED
                                       : SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                           OPERATE);
        g_assert_cmpint(((Question *)peer->questions->pdata[interactive])->interactive, ==,
                        interactive);
    }
    g_assert_cmpuint(n_handled, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/prepare/described", test_described);
    g_test_add_func("/service/prepare/required", test_required);
    g_test_add_func("/service/prepare/many", test_many);
    g_test_add_func("/service/prepare/denied", test_denied);
    g_test_add_func("/service/prepare/refused", test_refused);
    g_test_add_func("/service/prepare/public", test_public);
    g_test_add_func("/service/prepare/large", test_large);
    g_test_add_func("/service/prepare/interactive", test_interactive);
    return g_test_run();
}
