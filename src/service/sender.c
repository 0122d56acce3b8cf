/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hash table for the names and a list, latest first, for the age. */
#include "sender.h"

struct VbSenders {
    GHashTable *by_name; /* name (of the sender) → VbSender, owned */
    GQueue by_age;       /* links lie in the senders */
};

static void sender_clear(VbSender *sender)
{
    g_free(sender->name);
}

VbSender *vb_sender_ref(VbSender *sender)
{
    return g_rc_box_acquire(sender);
}

void vb_sender_unref(VbSender *sender)
{
    g_rc_box_release_full(sender, (GDestroyNotify)sender_clear);
}

VbSenders *vb_senders_new(void)
{
    VbSenders *senders = g_new0(VbSenders, 1);

    senders->by_name =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)vb_sender_unref);
    g_queue_init(&senders->by_age);
    return senders;
}

void vb_senders_free(VbSenders *senders)
{
    if (senders == NULL)
        return;
    g_hash_table_unref(senders->by_name);
    g_free(senders);
}

VbSender *vb_senders_peek(VbSenders *senders, const char *name)
{
    return g_hash_table_lookup(senders->by_name, name);
}

VbSender *vb_senders_get(VbSenders *senders, const char *name)
{
    VbSender *sender = vb_senders_peek(senders, name);

    if (sender != NULL) {
        g_queue_unlink(&senders->by_age, &sender->link);
    } else {
        if (g_hash_table_size(senders->by_name) >= VB_SENDERS_MAX) {
            VbSender *oldest = g_queue_pop_tail_link(&senders->by_age)->data;
            g_hash_table_remove(senders->by_name, oldest->name);
        }
        sender = g_rc_box_new0(VbSender);
        sender->name = g_strdup(name);
        sender->link.data = sender;
        g_hash_table_insert(senders->by_name, sender->name, sender);
    }
    g_queue_push_head_link(&senders->by_age, &sender->link);
    return sender;
}
