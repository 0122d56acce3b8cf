/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whose turn it is: the three limits, the turns of uids, and that nothing that may start is left.
 */
#include "check-queue.h"

static const VbCheckLimits limits = {.all = 6, .uid = 3, .uid_prompts = 2};

typedef struct {
    VbTurn turn;
    char name[16];
} Item;

static Item *add(VbCheckQueue *queue, uid_t uid, gboolean interactive, const char *name)
{
    Item *item = g_new0(Item, 1);

    g_strlcpy(item->name, name, sizeof(item->name));
    item->turn.data = item;
    vb_check_queue_add(queue, &item->turn, uid, interactive);
    return item;
}

static void finish(VbCheckQueue *queue, Item *item)
{
    vb_check_queue_remove(queue, &item->turn);
    vb_check_queue_remove(queue, &item->turn); /* once more is nothing */
    g_free(item);
}

/* All that start now, in order. */
#define assert_next(queue, expected)                                                               \
    G_STMT_START                                                                                   \
    {                                                                                              \
        g_autoptr(GString) names_ = g_string_new(NULL);                                            \
        VbTurn *turn_;                                                                             \
        while ((turn_ = vb_check_queue_next(queue)) != NULL)                                       \
            g_string_append_printf(names_, "%s ", ((Item *)turn_->data)->name);                    \
        g_assert_cmpstr(names_->str, ==, expected);                                                \
    }                                                                                              \
    G_STMT_END

static void test_order(void)
{
    g_autoptr(VbCheckQueue) queue = vb_check_queue_new(&limits);
    Item *a[5], *b[2], *c;

    for (guint i = 0; i < G_N_ELEMENTS(a); i++) {
        g_autofree char *name = g_strdup_printf("a%u", i);
        a[i] = add(queue, 1, FALSE, name);
    }
    b[0] = add(queue, 2, FALSE, "b0");
    b[1] = add(queue, 2, FALSE, "b1");
    c = add(queue, 3, FALSE, "c");
    assert_next(queue, "a0 b0 c a1 b1 a2 "); /* that is all six, and three of uid 1 */
    finish(queue, b[0]);
    assert_next(queue, ""); /* uid 1 is at its limit */
    finish(queue, a[1]);
    assert_next(queue, "a3 ");
    finish(queue, a[4]); /* it waits */
    finish(queue, a[0]);
    assert_next(queue, "");
    finish(queue, a[2]);
    finish(queue, a[3]);
    finish(queue, b[1]);
    finish(queue, c);
}

static void test_prompts(void)
{
    g_autoptr(VbCheckQueue) queue = vb_check_queue_new(&limits);
    Item *items[] = {
        add(queue, 1, TRUE, "p0"),  add(queue, 1, TRUE, "p1"),  add(queue, 1, TRUE, "p2"),
        add(queue, 1, FALSE, "n0"), add(queue, 1, FALSE, "n1"),
    };

    assert_next(queue, "p0 p1 n0 "); /* p2 is passed by */
    finish(queue, items[3]);
    assert_next(queue, "n1 ");
    finish(queue, items[0]);
    assert_next(queue, "p2 ");
    finish(queue, items[4]);
    assert_next(queue, "");
    finish(queue, items[1]);
    finish(queue, items[2]);
}

/* Who has many that wait does not delay another by more than what he has started. */
static void test_fair(void)
{
    g_autoptr(VbCheckQueue) queue = vb_check_queue_new(&(VbCheckLimits){1, 1, 1});
    GQueue many = G_QUEUE_INIT;
    Item *one;
    VbTurn *turn;

    for (guint i = 0; i < 200; i++)
        g_queue_push_tail(&many, add(queue, 1, FALSE, "many"));
    assert_next(queue, "many ");
    one = add(queue, 2, FALSE, "one");
    finish(queue, g_queue_pop_head(&many));
    assert_next(queue, "one ");
    finish(queue, one);
    for (guint n = 199; n > 0; n--) { /* and they stay in order */
        turn = vb_check_queue_next(queue);
        g_assert_true(turn->data == g_queue_pop_head(&many));
        finish(queue, turn->data);
    }
    g_assert_null(vb_check_queue_next(queue));
}

/* Against counting it all anew. */
static void test_random(void)
{
    g_autoptr(VbCheckQueue) queue = vb_check_queue_new(&limits);
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    GRand *rand = g_rand_new_with_seed(g_test_rand_int());
    guint started = 0;

    for (guint step = 0; step < 20000; step++) {
        guint all = 0, of_uid[5] = {0}, prompts[5] = {0};

        if (items->len == 0 || (items->len < 60 && g_rand_boolean(rand))) {
            uid_t uid = g_rand_int_range(rand, 0, 5);
            Item *item = add(queue, uid, g_rand_boolean(rand), "");
            item->name[0] = (char)uid;
            g_ptr_array_add(items, item);
        } else {
            finish(queue, g_ptr_array_remove_index_fast(
                              items, g_rand_int_range(rand, 0, (gint32)items->len)));
        }
        while (vb_check_queue_next(queue) != NULL)
            started++;
        for (guint i = 0; i < items->len; i++) {
            Item *item = items->pdata[i];
            guint uid = item->name[0];
            all += item->turn.started;
            of_uid[uid] += item->turn.started;
            prompts[uid] += item->turn.started && item->turn.interactive;
        }
        g_assert_cmpuint(all, <=, limits.all);
        for (guint i = 0; i < items->len; i++) {
            Item *item = items->pdata[i];
            guint uid = item->name[0];
            g_assert_cmpuint(of_uid[uid], <=, limits.uid);
            g_assert_cmpuint(prompts[uid], <=, limits.uid_prompts);
            /* what waits has a reason */
            g_assert_true(item->turn.started || all == limits.all || of_uid[uid] == limits.uid ||
                          (item->turn.interactive && prompts[uid] == limits.uid_prompts));
        }
    }
    g_assert_cmpuint(started, >, 1000);
    for (guint i = 0; i < items->len; i++)
        finish(queue, items->pdata[i]);
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/check-queue/order", test_order);
    g_test_add_func("/service/check-queue/prompts", test_prompts);
    g_test_add_func("/service/check-queue/fair", test_fair);
    g_test_add_func("/service/check-queue/random", test_random);
    return g_test_run();
}
