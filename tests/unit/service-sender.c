/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of senders is bounded, and forgets the one not heard of for longest. */
#include "sender.h"

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/sender/bound", test_bound);
    return g_test_run();
}
