/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who is refused under a flood, in a time of the test's own. A round ends when the peer has
 * answered our Ping, which it does in its main loop: so no round ends unless the test lets it. */
#include "admission.h"

#include "service-peer.h"
#include "wait.h"

#define SECOND G_USEC_PER_SEC

typedef struct {
    Peer *peer;
    VbAdmission *admission;
    VbSenders *senders;
    sd_bus_message *call, *other_call;
    gint64 now;
} Test;

/* As if it had come in, and nobody waited for its answer. */
static sd_bus_message *new_call(Peer *peer, const char *method)
{
    sd_bus_message *call = NULL;

    g_assert_cmpint(sd_bus_message_new_method_call(vb_bus_connection(peer->bus), &call, NULL, "/x",
                                                   "org.example", method),
                    >=, 0);
    g_assert_cmpint(sd_bus_message_set_expect_reply(call, FALSE), >=, 0);
    g_assert_cmpint(sd_bus_message_seal(call, 7, 0), >=, 0);
    return call;
}

static void test_open(Test *test)
{
    *test = (Test){.peer = peer_new(FALSE), .now = SECOND};
    peer_settle(test->peer);
    test->admission = vb_admission_new(vb_bus_connection(test->peer->bus));
    test->senders = vb_senders_new();
    test->call = new_call(test->peer, "X");
    test->other_call = new_call(test->peer, "Y");
}

static void test_close(Test *test)
{
    vb_admission_free(test->admission);
    vb_senders_free(test->senders);
    sd_bus_message_unref(test->call);
    sd_bus_message_unref(test->other_call);
    peer_free(test->peer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Test, test_close)

/* A call that takes `time` µs. */
static gboolean served(Test *test, const char *sender, gint64 time)
{
    gboolean refused = vb_admission_holds(test->admission, vb_senders_get(test->senders, sender),
                                          test->call, test->now);

    if (!refused)
        test->now += time;
    vb_admission_message_done(test->admission, refused ? 0 : time);
    return !refused;
}

/* How many of n in a row are served. */
static guint burst(Test *test, const char *sender, guint n, gint64 time)
{
    guint count = 0;

    while (n-- > 0)
        count += served(test, sender, time);
    return count;
}

static void test_alone(void)
{
    g_auto(Test) test;

    test_open(&test);
    g_assert_cmpuint(burst(&test, ":1.1", 20000, 10), ==, 20000);
    g_assert_cmpuint(burst(&test, ":1.1", 100, 20000), ==, 100);
}

static void test_calm(void)
{
    g_auto(Test) test;

    test_open(&test);
    for (guint i = 0; i < 20; i++) {
        g_assert_cmpuint(burst(&test, ":1.1", VB_ADMISSION_CALLS_FREE / 2, 10), ==,
                         VB_ADMISSION_CALLS_FREE / 2);
        g_assert_cmpuint(burst(&test, ":1.2", VB_ADMISSION_CALLS_FREE / 2, 10), ==,
                         VB_ADMISSION_CALLS_FREE / 2);
        test.now += SECOND;
    }
}

static void test_flood(void)
{
    g_auto(Test) test;
    guint n;

    test_open(&test);
    g_assert_true(served(&test, ":1.2", 10));
    n = burst(&test, ":1.1", 10000, 10);
    g_assert_cmpuint(n, ==, VB_ADMISSION_CALLS_FREE - 1 + VB_ADMISSION_IN_FLIGHT_MAX);
    /* neither who came before nor who comes now, as long as they are few */
    g_assert_cmpuint(burst(&test, ":1.2", VB_ADMISSION_SENDER_CALLS_FREE - 1, 10), ==,
                     VB_ADMISSION_SENDER_CALLS_FREE - 1);
    g_assert_cmpuint(burst(&test, ":1.3", VB_ADMISSION_SENDER_CALLS_FREE, 10), ==,
                     VB_ADMISSION_SENDER_CALLS_FREE);
    g_assert_false(served(&test, ":1.1", 10));
}

/* Fewer calls, but they keep the daemon busy. */
static void test_busy(void)
{
    g_auto(Test) test;
    guint n;

    test_open(&test);
    g_assert_true(served(&test, ":1.2", 10));
    n = burst(&test, ":1.1", 900, 500);
    g_assert_cmpuint(n, ==, VB_ADMISSION_TIME_FREE / 500 + VB_ADMISSION_IN_FLIGHT_MAX);
    g_assert_true(served(&test, ":1.2", 10));
}

/* Held for as long as it goes on, and a second more. */
static void test_calms_down(void)
{
    g_auto(Test) test;

    test_open(&test);
    served(&test, ":1.2", 10);
    burst(&test, ":1.1", 10000, 10);
    for (guint i = 0; i < 3; i++) {
        test.now += SECOND;
        served(&test, ":1.2", 10);
        g_assert_cmpuint(burst(&test, ":1.1", VB_ADMISSION_SENDER_CALLS_FREE + 1, 10), ==, 0);
    }
    test.now += SECOND;
    g_assert_cmpuint(burst(&test, ":1.1", VB_ADMISSION_SENDER_CALLS_FREE, 10), ==, 0);
    test.now += SECOND;
    g_assert_cmpuint(burst(&test, ":1.1", 100, 10), ==, 100);
}

/* As fast as any flood, but each waits for its answer: the bus's answer to our Ping comes between.
 */
static void test_closed_loops(void)
{
    g_auto(Test) test;

    test_open(&test);
    for (guint i = 0; i < 2 * VB_ADMISSION_CALLS_FREE; i++) {
        g_assert_true(served(&test, ":1.1", 10));
        g_assert_true(served(&test, ":1.2", 10));
        if (i > VB_ADMISSION_CALLS_FREE / 2 && i % 8 == 0)
            peer_settle(test.peer);
    }
}

/* Without anybody who could serve it later: those who have had enough are refused what takes so
 * long; others when hardly any time is left; root never. */
static void test_long_calls(void)
{
    g_auto(Test) test;
    guint n;

    test_open(&test);
    served(&test, ":1.2", 10);
    n = burst(&test, ":1.1", 100, 100000);
    g_assert_cmpuint(n, ==, VB_ADMISSION_LONG_TIME_MAX / 100000 + 1);
    g_assert_true(served(&test, ":1.2", 10));
    g_assert_false(vb_admission_holds(test.admission, vb_senders_get(test.senders, ":1.1"),
                                      test.other_call, test.now));

    n = burst(&test, ":1.3", 100, 100000);
    g_assert_cmpuint(n, ==, 1); /* what is more than its share, with the others' */
    g_assert_true(served(&test, ":1.2", VB_ADMISSION_LONG_TIME_OTHERS - 499999));
    g_assert_false(served(&test, ":1.4", 10));
    vb_senders_set_uid(test.senders, vb_senders_get(test.senders, ":1.4"), 0);
    g_assert_true(served(&test, ":1.4", 10));
    test.now += SECOND;
    g_assert_true(served(&test, ":1.1", 10));
    g_assert_true(served(&test, ":1.2", 10));
}

/* ---- turns ---- */

static gboolean can_wait(sd_bus_message *call, gpointer served)
{
    return g_str_equal(sd_bus_message_get_member(call), "X");
}

static void serve(sd_bus_message *call, gpointer served)
{
    uint64_t number = 0;

    g_assert_cmpint(sd_bus_message_get_cookie(call, &number), >=, 0);
    g_string_append_printf(served, "%u ", (guint)number);
}

static const VbAdmissionServer server = {can_wait, serve};

/* One more call of X, that is to be known by its number. */
static gboolean held(Test *test, const char *sender, guint number)
{
    g_autofree char *text = g_strdup_printf("%u", number);
    sd_bus_message *call = NULL;
    gboolean is_held;

    g_assert_cmpint(sd_bus_message_new_method_call(vb_bus_connection(test->peer->bus), &call, NULL,
                                                   "/x", "org.example", "X"),
                    >=, 0);
    g_assert_cmpint(sd_bus_message_set_expect_reply(call, FALSE), >=, 0);
    g_assert_cmpint(sd_bus_message_seal(call, number, 0), >=, 0);
    is_held =
        vb_admission_holds(test->admission, vb_senders_get(test->senders, sender), call, test->now);
    if (!is_held)
        vb_admission_message_done(test->admission, 10);
    sd_bus_message_unref(call);
    return is_held;
}

/* After a long call its like wait, and then each sender has its turn, however many one has sent;
 * what follows of the same sender keeps its order. */
static void test_turns(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    g_auto(Test) test;

    test_open(&test);
    vb_admission_set_server(test.admission, &server, order);
    served(&test, ":1.2", 10);
    g_assert_true(served(&test, ":1.1", 100000));
    for (guint i = 11; i <= 14; i++)
        g_assert_true(held(&test, ":1.1", i));
    g_assert_true(held(&test, ":1.2", 21));
    g_assert_true(held(&test, ":1.2", 22));
    g_assert_true(held(&test, ":1.3", 31));
    VB_WAIT_FOR(order->len >= 7 * 3);
    g_assert_cmpstr(order->str, ==, "11 21 31 12 22 13 14 ");
}

/* What waits is bounded, of one sender and of all; and it does not outlive who would serve it. */
static void test_turns_limit(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    g_auto(Test) test;
    guint n = 0, senders = 0;

    test_open(&test);
    vb_admission_set_server(test.admission, &server, order);
    served(&test, ":1.2", 10);
    g_assert_true(served(&test, ":1.1", 100000));
    while (n < VB_ADMISSION_POSTPONED_SENDER_MAX && held(&test, ":1.1", 100 + n))
        n++;
    g_assert_cmpuint(n, ==, VB_ADMISSION_POSTPONED_SENDER_MAX);
    g_assert_false(held(&test, ":1.1", 200));
    for (gboolean more = TRUE; more; senders++) {
        g_autofree char *name = g_strdup_printf(":2.%u", senders);

        more = held(&test, name, 1);
        n += more;
    }
    g_assert_cmpuint(n, ==, VB_ADMISSION_POSTPONED_MAX);
    vb_admission_set_server(test.admission, NULL, NULL);
    g_assert_cmpuint(vb_senders_get(test.senders, ":1.1")->load.postponed, ==, 0);
    peer_settle(test.peer);
    g_assert_cmpuint(order->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/admission/alone", test_alone);
    g_test_add_func("/service/admission/calm", test_calm);
    g_test_add_func("/service/admission/flood", test_flood);
    g_test_add_func("/service/admission/busy", test_busy);
    g_test_add_func("/service/admission/calms-down", test_calms_down);
    g_test_add_func("/service/admission/closed-loops", test_closed_loops);
    g_test_add_func("/service/admission/long-calls", test_long_calls);
    g_test_add_func("/service/admission/turns", test_turns);
    g_test_add_func("/service/admission/turns-limit", test_turns_limit);
    return g_test_run();
}
