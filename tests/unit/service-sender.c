/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of senders is bounded, and forgets the one not heard of for longest. */
#include "sender.h"

#include "error.h"

static VbSender *get(VbSenders *senders, guint i)
{
    g_autofree char *name = g_strdup_printf(":1.%u", i);

    return vb_senders_get(senders, name);
}

static void test_bound(void)
{
    VbSenders *senders = vb_senders_new();
    VbSender *kept;

    for (guint i = 0; i < VB_SENDERS_MAX; i++)
        get(senders, i)->messages = i + 1;
    /* 0 is heard of again, so 1 is the oldest; who holds it keeps it */
    g_assert_cmpuint(get(senders, 0)->messages, ==, 1);
    kept = vb_sender_ref(vb_senders_peek(senders, ":1.1"));
    get(senders, VB_SENDERS_MAX);
    g_assert_null(vb_senders_peek(senders, ":1.1"));
    g_assert_nonnull(vb_senders_peek(senders, ":1.0"));
    g_assert_nonnull(vb_senders_peek(senders, ":1.2"));
    g_assert_cmpstr(kept->name, ==, ":1.1");
    vb_sender_unref(kept);
    /* who was forgotten begins anew */
    g_assert_cmpuint(get(senders, 1)->messages, ==, 0);
    g_assert_null(vb_senders_peek(senders, ":1.2"));
    vb_senders_free(senders);
}

static void test_forget(void)
{
    VbSenders *senders = vb_senders_new();
    VbSender *kept = vb_sender_ref(get(senders, 1));

    get(senders, 2);
    vb_senders_forget(senders, ":1.1");
    vb_senders_forget(senders, ":1.1"); /* once more is nothing */
    g_assert_null(vb_senders_peek(senders, ":1.1"));
    g_assert_nonnull(vb_senders_peek(senders, ":1.2"));
    g_assert_cmpstr(kept->name, ==, ":1.1");
    vb_sender_unref(kept);
    vb_senders_free(senders);
}

static void enter(VbSender *sender, guint n)
{
    g_autoptr(GError) error = NULL;

    while (n-- > 0) {
        g_assert_true(vb_sender_enter(sender, 1, &error));
        g_assert_no_error(error);
    }
}

static void assert_full(VbSender *sender, const char *whose)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(vb_sender_enter(sender, 1, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED);
    g_assert_nonnull(strstr(error->message, whose));
}

static void test_waiting_sender(void)
{
    VbSenders *senders = vb_senders_new();
    VbSender *one = get(senders, 1), *two = get(senders, 2);

    enter(one, VB_SENDER_CALLS_MAX);
    assert_full(one, "connection");
    enter(two, 1);
    vb_sender_leave(one, 1);
    enter(one, 1);
    assert_full(one, "connection");
    vb_senders_free(senders);
}

/* All connections of a uid, known from the beginning or found out later, and also those that have
 * left while their calls are still served. */
static void test_waiting_uid(void)
{
    VbSenders *senders = vb_senders_new();
    guint n = VB_SENDER_CALLS_UID_MAX / VB_SENDER_CALLS_MAX;
    VbSender *gone, *last, *other;

    for (guint i = 0; i < n; i++)
        enter(get(senders, i), VB_SENDER_CALLS_MAX);
    last = get(senders, n);
    other = get(senders, n + 1);
    assert_full(last, "user"); /* for all that is known they are one */
    for (guint i = 0; i < n; i++)
        vb_senders_set_uid(senders, get(senders, i), 1000);
    enter(last, 1);
    vb_senders_set_uid(senders, other, 1001);
    enter(other, 1);
    vb_sender_leave(last, 1);
    vb_senders_set_uid(senders, last, 1000);
    assert_full(last, "user");

    gone = vb_sender_ref(get(senders, 0));
    vb_senders_forget(senders, gone->name);
    assert_full(last, "user");
    vb_sender_leave(gone, 1);
    enter(last, 1);
    vb_sender_unref(gone);
    vb_senders_free(senders);
}

/* Few calls may be too much, too: of a user, whatever the connection. */
static void test_waiting_bytes(void)
{
    VbSenders *senders = vb_senders_new();
    VbSender *one = get(senders, 1), *two = get(senders, 2), *other = get(senders, 3);
    g_autoptr(GError) error = NULL;

    vb_senders_set_uid(senders, one, 1000);
    vb_senders_set_uid(senders, two, 1000);
    vb_senders_set_uid(senders, other, 1001);
    g_assert_true(vb_sender_enter(one, VB_SENDER_BYTES_UID_MAX - 10, &error));
    g_assert_true(vb_sender_enter(two, 10, &error));
    assert_full(two, "bytes");
    g_assert_true(vb_sender_enter(other, VB_SENDER_BYTES_UID_MAX, &error));
    vb_sender_leave(two, 10);
    g_assert_true(vb_sender_enter(one, 10, &error));
    g_assert_no_error(error);
    vb_senders_free(senders);
}

/* What came before the uid was known is too much for it: that is told, and it gets no better. */
static void test_waiting_unknown(void)
{
    VbSenders *senders = vb_senders_new();
    VbSender *one = get(senders, 1), *two = get(senders, 2);
    g_autoptr(GError) error = NULL;

    vb_senders_set_uid(senders, one, 1000);
    g_assert_true(vb_sender_enter(one, VB_SENDER_BYTES_UID_MAX, &error));
    g_assert_true(vb_sender_fits(one, &error));
    g_assert_true(vb_sender_enter(two, 10, &error));
    g_assert_true(vb_sender_fits(two, &error));
    vb_senders_set_uid(senders, two, 1000);
    g_assert_false(vb_sender_fits(two, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED);
    assert_full(one, "bytes");
    assert_full(two, "bytes");
    vb_sender_leave(two, 10);
    g_clear_error(&error);
    g_assert_true(vb_sender_fits(two, &error));
    g_assert_no_error(error);
    vb_senders_free(senders);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/sender/bound", test_bound);
    g_test_add_func("/service/sender/forget", test_forget);
    g_test_add_func("/service/sender/waiting-sender", test_waiting_sender);
    g_test_add_func("/service/sender/waiting-uid", test_waiting_uid);
    g_test_add_func("/service/sender/waiting-bytes", test_waiting_bytes);
    g_test_add_func("/service/sender/waiting-unknown", test_waiting_unknown);
    return g_test_run();
}
