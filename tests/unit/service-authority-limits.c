/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How many checks polkit has at a time, as it sees it, and whose: with as many uids as it takes,
 * since the test plays the bus, too. A name is ":<uid>.<number>". */
#include "authority.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "service-peer.h"
#include "wait.h"

#define ACTION "org.virtbus1.thing.operate"

typedef struct {
    guint n; /* ended */
    guint allowed;
    GPtrArray *errors; /* of GError */
    GString *order;    /* of those that have a label */
} Outcome;

typedef struct {
    Outcome *outcome;
    const char *label; /* or NULL */
    uid_t uid;
} Asked;

static Outcome outcome_new(void)
{
    return (Outcome){.errors = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free),
                     .order = g_string_new(NULL)};
}

static void outcome_clear(Outcome *outcome)
{
    g_ptr_array_unref(outcome->errors);
    g_string_free(outcome->order, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

static uid_t uid_of(const char *name)
{
    return strtoul(name + 1, NULL, 10);
}

static void on_checked(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Asked *asked = data;
    GError *error = NULL;
    uid_t uid;

    asked->outcome->n++;
    if (vb_authority_check_finish(result, &uid, &error)) {
        g_assert_cmpuint(uid, ==, asked->uid);
        asked->outcome->allowed++;
    } else {
        g_ptr_array_add(asked->outcome->errors, error);
    }
    if (asked->label != NULL)
        g_string_append_printf(asked->outcome->order, "%s ", asked->label);
}

static void ask(Peer *peer, Outcome *outcome, const char *name, gboolean interactive,
                GCancellable *cancellable, const char *label)
{
    Asked *asked = g_new0(Asked, 1);

    asked->outcome = outcome;
    asked->label = label;
    asked->uid = uid_of(name);
    vb_authority_check_async(peer->authority, name, ACTION, NULL, interactive, cancellable,
                             on_checked, asked);
}

static void ask_many(Peer *peer, Outcome *outcome, guint n, uid_t uid, guint n_senders,
                     gboolean interactive)
{
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf(":%u.%u", (guint)uid, i % n_senders);
        ask(peer, outcome, name, interactive, NULL, NULL);
    }
}

static Peer *peer_new_for_many(void)
{
    Peer *peer = peer_new(FALSE);

    peer->uid_of = uid_of;
    peer->polkit = NULL;
    peer_settle(peer); /* the handshake is over */
    return peer;
}

/* Those that polkit has, of one uid or of all (0), with a prompt or all of them. */
static guint count_open(Peer *peer, uid_t uid, gboolean prompts_only)
{
    guint n = 0;

    for (guint i = 0; i < peer->questions->len; i++) {
        Question *question = peer->questions->pdata[i];
        n += !question->answered && (uid == 0 || uid_of(question->sender) == uid) &&
             (question->interactive || !prompts_only);
    }
    return n;
}

static void answer_oldest(Peer *peer, uid_t uid)
{
    for (guint i = 0; i < peer->questions->len; i++) {
        Question *question = peer->questions->pdata[i];
        if (!question->answered && (uid == 0 || uid_of(question->sender) == uid)) {
            peer_polkit_answer(question, "yes");
            return;
        }
    }
    g_assert_not_reached();
}

/* 300 checks of 6 uids with several senders each, half of them with a prompt. */
static void test_limits(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();

    for (uid_t uid = 1001; uid <= 1006; uid++) {
        ask_many(peer, &outcome, 25, uid, 3, FALSE);
        ask_many(peer, &outcome, 25, uid, 3, TRUE);
    }
    peer_wait_question(peer, VB_AUTHORITY_CHECKS_MAX);
    peer_settle(peer);
    g_assert_cmpuint(peer->questions->len, ==, VB_AUTHORITY_CHECKS_MAX);
    g_assert_cmpuint(outcome.n, ==, 0);
    g_assert_cmpuint(peer->n_uid_questions, ==, 18);

    for (guint n = 0; n < 300; n++) {
        guint expected = MIN(300 - n, VB_AUTHORITY_CHECKS_MAX);

        g_assert_cmpuint(count_open(peer, 0, FALSE), <=, expected);
        for (uid_t uid = 1001; uid <= 1006; uid++) {
            g_assert_cmpuint(count_open(peer, uid, FALSE), <=, VB_AUTHORITY_CHECKS_UID_MAX);
            g_assert_cmpuint(count_open(peer, uid, TRUE), <=, VB_AUTHORITY_PROMPTS_UID_MAX);
        }
        VB_WAIT_FOR(count_open(peer, 0, FALSE) > 0);
        answer_oldest(peer, 0);
        VB_WAIT_FOR(outcome.n == n + 1);
    }
    g_assert_cmpuint(outcome.allowed, ==, 300);
    g_assert_cmpuint(peer->questions->len, ==, 300);
    g_assert_cmpuint(peer->cancelled->len, ==, 0);
}

static void test_uid_limits(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();

    ask_many(peer, &outcome, 10, 1001, 2, TRUE);
    peer_wait_question(peer, VB_AUTHORITY_PROMPTS_UID_MAX);
    peer_settle(peer);
    g_assert_cmpuint(peer->questions->len, ==, VB_AUTHORITY_PROMPTS_UID_MAX);
    /* what needs no person passes by, up to the other limit */
    ask_many(peer, &outcome, 20, 1001, 2, FALSE);
    peer_wait_question(peer, VB_AUTHORITY_CHECKS_UID_MAX);
    peer_settle(peer);
    g_assert_cmpuint(peer->questions->len, ==, VB_AUTHORITY_CHECKS_UID_MAX);
    /* and others are not concerned */
    ask_many(peer, &outcome, 1, 1002, 1, TRUE);
    g_assert_cmpuint(uid_of(peer_wait_question(peer, 17)->sender), ==, 1002);
    answer_oldest(peer, 1002);
    VB_WAIT_FOR(outcome.n == 1);
    peer_settle(peer);
    g_assert_cmpuint(peer->questions->len, ==, 17);
}

/* A has 200 that wait and all of its own slots: B is asked at once. When A, B, C, D and E keep all
 * slots taken, the next slots go around. */
static void test_fair(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();
    guint n_of_2005 = 0;

    ask_many(peer, &outcome, 216, 2001, 4, FALSE);
    peer_wait_question(peer, 16);
    ask_many(peer, &outcome, 1, 2002, 1, FALSE);
    g_assert_cmpuint(uid_of(peer_wait_question(peer, 17)->sender), ==, 2002);
    answer_oldest(peer, 2002);
    VB_WAIT_FOR(outcome.n == 1);

    for (uid_t uid = 2002; uid <= 2004; uid++)
        ask_many(peer, &outcome, 30, uid, 2, FALSE);
    peer_wait_question(peer, 65); /* 64 are open */
    ask_many(peer, &outcome, 5, 2005, 1, FALSE);
    peer_settle(peer);
    g_assert_cmpuint(peer->questions->len, ==, 65);
    /* each of the four gives up a slot in its turn; E gets one of the first four, and of each four
     */
    for (guint i = 0; i < 16; i++) {
        answer_oldest(peer, 2001 + i % 4);
        n_of_2005 += uid_of(peer_wait_question(peer, 66 + i)->sender) == 2005;
        if (i == 3)
            g_assert_cmpuint(n_of_2005, >=, 1);
    }
    g_assert_cmpuint(n_of_2005, >=, 3);
}

/* Of one sender, what is decided at once ends in the order in which it was asked. */
static void test_order(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();

    peer->uid_held = TRUE;
    ask(peer, &outcome, ":0.1", FALSE, NULL, "a");
    ask(peer, &outcome, ":0.1", TRUE, NULL, "b");
    g_assert_cmpuint(outcome.n, ==, 0);
    peer_settle(peer);
    ask(peer, &outcome, ":0.1", FALSE, NULL, "c");
    peer_settle(peer);
    g_assert_cmpuint(peer->n_uid_questions, ==, 1);
    peer_release_uid(peer);
    VB_WAIT_FOR(outcome.n == 3);
    ask(peer, &outcome, ":0.1", FALSE, NULL, "d");
    ask(peer, &outcome, ":0.1", FALSE, NULL, "e");
    g_assert_cmpuint(outcome.n, ==, 3);
    VB_WAIT_FOR(outcome.n == 5);
    g_assert_cmpstr(outcome.order->str, ==, "a b c d e ");
    g_assert_cmpuint(peer->questions->len, ==, 0);
    g_assert_cmpuint(outcome.allowed, ==, 5);
}

/* The bus is not asked for more than 16 uids at a time. */
static void test_lookups(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();

    peer->uid_held = TRUE;
    ask_many(peer, &outcome, 100, 0, 50, FALSE);
    VB_WAIT_FOR(peer->n_uid_questions == 16);
    peer_settle(peer);
    g_assert_cmpuint(peer->n_uid_questions, ==, 16);
    /* those who leave while they wait for it are not asked for any more */
    for (guint i = 20; i < 50; i++) {
        g_autofree char *name = g_strdup_printf(":0.%u", i);
        peer_leave(peer, name);
    }
    VB_WAIT_FOR(outcome.n == 60);
    peer->uid_held = FALSE;
    peer_release_uid(peer);
    VB_WAIT_FOR(outcome.n == 100);
    g_assert_cmpuint(outcome.allowed, ==, 40);
    g_assert_cmpuint(peer->n_uid_questions, ==, 20);
}

static void assert_errors(const Outcome *outcome, guint n, GQuark domain, int code,
                          const char *text)
{
    g_assert_cmpuint(outcome->errors->len, ==, n);
    for (guint i = 0; i < n; i++) {
        const GError *error = outcome->errors->pdata[i];

        g_assert_error(error, domain, code);
        if (strstr(error->message, text) == NULL)
            g_error("'%s' is not in '%s'", text, error->message);
    }
}

/* Leaving, and coming again, does not get a caller around the limit: what polkit has of him it has
 * until it answers. */
static void test_leave(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();

    ask_many(peer, &outcome, 20, 3001, 1, FALSE);
    peer_wait_question(peer, 16);
    g_assert_nonnull(vb_senders_peek(vb_bus_senders(peer->bus), ":3001.0"));
    peer_leave(peer, ":3001.0");
    VB_WAIT_FOR(outcome.n == 20);
    assert_errors(&outcome, 20, VB_ERROR, VB_ERROR_ACCESS_DENIED, ACTION ": the caller left");
    VB_WAIT_FOR(peer->cancelled->len == 16);
    for (guint i = 0; i < 16; i++)
        g_assert_cmpstr(((Question *)peer->questions->pdata[i])->id, ==, peer->cancelled->pdata[i]);
    g_assert_null(vb_senders_peek(vb_bus_senders(peer->bus), ":3001.0"));

    ask(peer, &outcome, ":3001.1", FALSE, NULL, NULL);
    peer_settle(peer);
    g_assert_cmpuint(peer->questions->len, ==, 16);
    answer_oldest(peer, 3001); /* "yes", which is too late and for nobody */
    g_assert_cmpstr(peer_wait_question(peer, 17)->sender, ==, ":3001.1");
    g_assert_cmpuint(outcome.n, ==, 20);
    peer_polkit_answer(peer_wait_question(peer, 17), "yes");
    VB_WAIT_FOR(outcome.n == 21);
    g_assert_cmpuint(outcome.allowed, ==, 1);
}

/* Cancelled before it began, while it waits for the uid, for its turn, and for polkit. */
static void test_cancel(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();
    g_autoptr(GCancellable) before = g_cancellable_new();
    g_autoptr(GCancellable) lookup = g_cancellable_new();
    g_autoptr(GCancellable) turn = g_cancellable_new();
    g_autoptr(GCancellable) asked = g_cancellable_new();

    g_cancellable_cancel(before);
    ask(peer, &outcome, ":4001.1", FALSE, before, NULL);
    g_assert_cmpuint(outcome.n, ==, 0);
    VB_WAIT_FOR(outcome.n == 1);
    g_assert_cmpuint(peer->n_uid_questions, ==, 0);

    peer->uid_held = TRUE;
    ask(peer, &outcome, ":4001.1", FALSE, lookup, NULL);
    VB_WAIT_FOR(peer->n_uid_questions == 1);
    g_cancellable_cancel(lookup);
    g_assert_cmpuint(outcome.n, ==, 1);
    VB_WAIT_FOR(outcome.n == 2);
    peer->uid_held = FALSE;
    peer_release_uid(peer);

    ask(peer, &outcome, ":4001.1", FALSE, asked, NULL);
    for (guint i = 1; i < 16; i++)
        ask(peer, &outcome, ":4001.1", FALSE, NULL, NULL);
    ask(peer, &outcome, ":4001.1", FALSE, turn, NULL);
    peer_wait_question(peer, 16);
    g_cancellable_cancel(turn);
    VB_WAIT_FOR(outcome.n == 3);
    peer_settle(peer);
    g_assert_cmpuint(peer->cancelled->len, ==, 0);
    g_cancellable_cancel(asked);
    VB_WAIT_FOR(outcome.n == 4 && peer->cancelled->len == 1);
    assert_errors(&outcome, 4, G_IO_ERROR, G_IO_ERROR_CANCELLED, "");
    g_assert_cmpstr(peer_wait_question(peer, 1)->id, ==, peer->cancelled->pdata[0]);
    for (guint i = 0; i < 16; i++)
        peer_polkit_answer(peer->questions->pdata[i], "yes");
    VB_WAIT_FOR(outcome.n == 19);
    g_assert_cmpuint(outcome.allowed, ==, 15);
    g_assert_cmpuint(peer->questions->len, ==, 16);
}

/* The daemon's end: those in polkit's hands are cancelled, and all of them end. */
static void test_free(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();

    ask_many(peer, &outcome, 20, 5001, 2, TRUE);
    peer_wait_question(peer, 4);
    peer->uid_held = TRUE;
    ask_many(peer, &outcome, 20, 5002, 20, FALSE);
    VB_WAIT_FOR(peer->n_uid_questions == 18);
    g_clear_pointer(&peer->registry, vb_registry_free);
    g_clear_pointer(&peer->authority, vb_authority_free);
    VB_WAIT_FOR(outcome.n == 40 && peer->cancelled->len == 4);
    assert_errors(&outcome, 40, VB_ERROR, VB_ERROR_FAILED, ACTION ": the daemon is ending");
}

/* A question that cannot be sent, or to which there comes no answer because the connection ends. */
static void test_no_bus(void)
{
    g_auto(Outcome) outcome = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();

    ask(peer, &outcome, ":6001.1", FALSE, NULL, NULL);
    peer_wait_question(peer, 1);
    sd_bus_close(peer->client);
    VB_WAIT_FOR(outcome.n == 1);
    ask(peer, &outcome, ":6001.1", FALSE, NULL, NULL); /* its uid is known */
    ask(peer, &outcome, ":6001.2", FALSE, NULL, NULL);
    VB_WAIT_FOR(outcome.n == 3);
    assert_errors(&outcome, 3, VB_ERROR, VB_ERROR_ACCESS_DENIED, ACTION);
}

/* What of it waited while its uid was unknown is too much for that uid: then nothing of it goes to
 * polkit. Others of the uid go on. */
static void test_too_much(void)
{
    g_auto(Outcome) refused = outcome_new(), allowed = outcome_new();
    g_autoptr(Peer) peer = peer_new_for_many();
    VbSenders *senders = vb_bus_senders(peer->bus);
    VbSender *full = vb_senders_get(senders, ":1001.0");
    g_autoptr(GError) error = NULL;

    vb_senders_set_uid(senders, full, 1001);
    g_assert_true(vb_sender_enter(full, VB_SENDER_BYTES_UID_MAX, &error));
    g_assert_true(vb_sender_enter(vb_senders_get(senders, ":1001.1"), 1, &error));
    ask(peer, &refused, ":1001.1", FALSE, NULL, NULL);
    ask(peer, &refused, ":1001.1", TRUE, NULL, NULL);
    VB_WAIT_FOR(refused.n == 2);
    for (guint i = 0; i < 2; i++)
        g_assert_error((GError *)refused.errors->pdata[i], VB_ERROR, VB_ERROR_LIMITS_EXCEEDED);
    g_assert_cmpuint(peer->questions->len, ==, 0);

    ask(peer, &allowed, ":1001.0", FALSE, NULL, NULL);
    peer_polkit_answer(peer_wait_question(peer, 1), "yes");
    VB_WAIT_FOR(allowed.n == 1);
    g_assert_cmpuint(allowed.allowed, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/authority-limits/limits", test_limits);
    g_test_add_func("/service/authority-limits/uid-limits", test_uid_limits);
    g_test_add_func("/service/authority-limits/fair", test_fair);
    g_test_add_func("/service/authority-limits/order", test_order);
    g_test_add_func("/service/authority-limits/lookups", test_lookups);
    g_test_add_func("/service/authority-limits/leave", test_leave);
    g_test_add_func("/service/authority-limits/too-much", test_too_much);
    g_test_add_func("/service/authority-limits/cancel", test_cancel);
    g_test_add_func("/service/authority-limits/free", test_free);
    g_test_add_func("/service/authority-limits/no-bus", test_no_bus);
    return g_test_run();
}
