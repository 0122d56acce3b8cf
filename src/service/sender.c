/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hash table for the names and a list, latest first, for the age. */
#include "sender.h"

#include "error.h"

struct VbSenders {
    GHashTable *by_name; /* name (of the sender) → VbSender, owned */
    GQueue by_age;       /* links lie in the senders */
    GHashTable *waiting; /* uid → VbWaiting in a box, which is the senders', too; a few bytes for
                            each uid that ever called */
    VbWaiting *nobody;   /* that of the senders whose uid is not known yet */
};

static void sender_clear(VbSender *sender)
{
    g_free(sender->name);
    g_rc_box_release(sender->uid_waiting);
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
    senders->waiting = g_hash_table_new_full(NULL, NULL, NULL, g_rc_box_release);
    senders->nobody = g_rc_box_new0(VbWaiting);
    return senders;
}

void vb_senders_free(VbSenders *senders)
{
    if (senders == NULL)
        return;
    g_hash_table_unref(senders->by_name);
    g_hash_table_unref(senders->waiting);
    g_rc_box_release(senders->nobody);
    g_free(senders);
}

VbSender *vb_senders_peek(VbSenders *senders, const char *name)
{
    return g_hash_table_lookup(senders->by_name, name);
}

void vb_senders_forget(VbSenders *senders, const char *name)
{
    VbSender *sender = vb_senders_peek(senders, name);

    if (sender == NULL)
        return;
    g_queue_unlink(&senders->by_age, &sender->link);
    g_hash_table_remove(senders->by_name, name);
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
        sender->uid_waiting = g_rc_box_acquire(senders->nobody);
        sender->link.data = sender;
        g_hash_table_insert(senders->by_name, sender->name, sender);
    }
    g_queue_push_head_link(&senders->by_age, &sender->link);
    return sender;
}

static void count(VbWaiting *waiting, guint calls, gsize bytes)
{
    waiting->calls += calls;
    waiting->bytes += bytes;
}

static void discount(VbWaiting *waiting, guint calls, gsize bytes)
{
    waiting->calls -= calls;
    waiting->bytes -= bytes;
}

void vb_senders_set_uid(VbSenders *senders, VbSender *sender, uid_t uid)
{
    VbWaiting *waiting = g_hash_table_lookup(senders->waiting, GUINT_TO_POINTER(uid));

    if (waiting == NULL) {
        waiting = g_rc_box_new0(VbWaiting);
        g_hash_table_insert(senders->waiting, GUINT_TO_POINTER(uid), waiting);
    }
    discount(sender->uid_waiting, sender->waiting.calls, sender->waiting.bytes);
    count(waiting, sender->waiting.calls, sender->waiting.bytes);
    g_rc_box_release(sender->uid_waiting);
    sender->uid_waiting = g_rc_box_acquire(waiting);
    sender->uid = uid;
    sender->uid_known = TRUE;
}

static gboolean check_uid(const VbSender *sender, guint calls, gsize bytes, GError **error)
{
    if (sender->uid_waiting->calls + calls > VB_SENDER_CALLS_UID_MAX)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED,
                       "%d calls of this user wait for their answer already",
                       VB_SENDER_CALLS_UID_MAX);
    if (sender->uid_waiting->bytes + bytes > VB_SENDER_BYTES_UID_MAX)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED,
                       "the calls of this user that wait for their answer are larger than %d bytes",
                       VB_SENDER_BYTES_UID_MAX);
    return TRUE;
}

gboolean vb_sender_fits(const VbSender *sender, GError **error)
{
    return check_uid(sender, 0, 0, error);
}

gboolean vb_sender_enter(VbSender *sender, gsize bytes, GError **error)
{
    if (sender->waiting.calls >= VB_SENDER_CALLS_MAX)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED,
                       "%d calls of this connection wait for their answer already",
                       VB_SENDER_CALLS_MAX);
    if (!check_uid(sender, 1, bytes, error))
        return FALSE;
    count(&sender->waiting, 1, bytes);
    count(sender->uid_waiting, 1, bytes);
    return TRUE;
}

void vb_sender_leave(VbSender *sender, gsize bytes)
{
    discount(&sender->waiting, 1, bytes);
    discount(sender->uid_waiting, 1, bytes);
}
