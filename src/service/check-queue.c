/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A record for each uid that has checks, and a ring of those records that could start one now. */
#include "check-queue.h"

typedef struct VbUidChecks {
    uid_t uid;
    GQueue waiting[2]; /* of VbTurn, oldest first; [1]: with interaction */
    guint started, prompts_started;
    gboolean ready;
    GList ready_link;
} VbUidChecks;

struct VbCheckQueue {
    VbCheckLimits limits;
    GHashTable *uids; /* uid → VbUidChecks, owned, with something waiting or started */
    GQueue ready;     /* of those that have one which may start; next first */
    guint started;
    guint64 last_number;
};

VbCheckQueue *vb_check_queue_new(const VbCheckLimits *limits)
{
    VbCheckQueue *queue = g_new0(VbCheckQueue, 1);

    queue->limits = *limits;
    queue->uids = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_queue_init(&queue->ready);
    return queue;
}

void vb_check_queue_free(VbCheckQueue *queue)
{
    if (queue == NULL)
        return;
    g_hash_table_unref(queue->uids);
    g_free(queue);
}

static VbUidChecks *uid_checks_get(VbCheckQueue *queue, uid_t uid)
{
    VbUidChecks *checks = g_hash_table_lookup(queue->uids, GUINT_TO_POINTER(uid));

    if (checks == NULL) {
        checks = g_new0(VbUidChecks, 1);
        checks->uid = uid;
        checks->ready_link.data = checks;
        g_queue_init(&checks->waiting[FALSE]);
        g_queue_init(&checks->waiting[TRUE]);
        g_hash_table_insert(queue->uids, GUINT_TO_POINTER(uid), checks);
    }
    return checks;
}

/* The oldest of the uid that its own limits allow to start, or NULL. */
static VbTurn *uid_checks_peek(const VbCheckQueue *queue, VbUidChecks *checks)
{
    VbTurn *plain = g_queue_peek_head(&checks->waiting[FALSE]);
    VbTurn *prompt = g_queue_peek_head(&checks->waiting[TRUE]);

    if (checks->started >= queue->limits.uid)
        return NULL;
    if (checks->prompts_started >= queue->limits.uid_prompts)
        prompt = NULL;
    if (plain == NULL || prompt == NULL)
        return plain != NULL ? plain : prompt;
    return plain->number < prompt->number ? plain : prompt;
}

/* Something of the uid was added, started or removed. May free the record. */
static void uid_checks_changed(VbCheckQueue *queue, VbUidChecks *checks)
{
    gboolean ready = uid_checks_peek(queue, checks) != NULL;

    if (ready && !checks->ready)
        g_queue_push_tail_link(&queue->ready, &checks->ready_link);
    else if (!ready && checks->ready)
        g_queue_unlink(&queue->ready, &checks->ready_link);
    checks->ready = ready;
    if (checks->started == 0 && checks->waiting[FALSE].length == 0 &&
        checks->waiting[TRUE].length == 0)
        g_hash_table_remove(queue->uids, GUINT_TO_POINTER(checks->uid));
}

void vb_check_queue_add(VbCheckQueue *queue, VbTurn *turn, uid_t uid, gboolean interactive)
{
    turn->checks = uid_checks_get(queue, uid);
    turn->number = ++queue->last_number;
    turn->interactive = interactive;
    turn->started = FALSE;
    turn->link.data = turn;
    g_queue_push_tail_link(&turn->checks->waiting[interactive], &turn->link);
    uid_checks_changed(queue, turn->checks);
}

VbTurn *vb_check_queue_next(VbCheckQueue *queue)
{
    VbUidChecks *checks = g_queue_peek_head(&queue->ready);
    VbTurn *turn;

    if (checks == NULL || queue->started >= queue->limits.all)
        return NULL;
    turn = uid_checks_peek(queue, checks);
    g_queue_unlink(&checks->waiting[turn->interactive], &turn->link);
    turn->started = TRUE;
    queue->started++;
    checks->started++;
    checks->prompts_started += turn->interactive;
    g_queue_unlink(&queue->ready, &checks->ready_link); /* to the end, if it has another */
    checks->ready = FALSE;
    uid_checks_changed(queue, checks);
    return turn;
}

void vb_check_queue_remove(VbCheckQueue *queue, VbTurn *turn)
{
    VbUidChecks *checks = g_steal_pointer(&turn->checks);

    if (checks == NULL)
        return;
    if (turn->started) {
        queue->started--;
        checks->started--;
        checks->prompts_started -= turn->interactive;
    } else {
        g_queue_unlink(&checks->waiting[turn->interactive], &turn->link);
    }
    uid_checks_changed(queue, checks);
}
