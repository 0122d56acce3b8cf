/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbCheckQueue: which check goes to polkit next. At any time only so many may have started: in all,
 * of one uid, and of one uid with interaction allowed. The others wait: the uids take turns, and of
 * one uid the oldest goes first that may go at all, so that those without interaction pass by those
 * that wait for a person. A uid at its limit delays nobody else. Used by authority.c. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
    guint all, uid, uid_prompts;
} VbCheckLimits;

typedef struct VbCheckQueue VbCheckQueue;

/* A place in the queue. It lies in what it is for, filled with zeros until it is added; only data
 * is the user's. */
typedef struct {
    gpointer data;
    struct VbUidChecks *checks; /* of the same uid; NULL: not in the queue */
    guint64 number;             /* by age */
    gboolean interactive, started;
    GList link; /* among those that wait */
} VbTurn;

VbCheckQueue *vb_check_queue_new(const VbCheckLimits *limits);
/* All turns have been removed. Accepts NULL. */
void vb_check_queue_free(VbCheckQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbCheckQueue, vb_check_queue_free)

void vb_check_queue_add(VbCheckQueue *queue, VbTurn *turn, uid_t uid, gboolean interactive);
/* Whose turn it is; it has started and counts until it is removed. NULL: nobody's now. */
VbTurn *vb_check_queue_next(VbCheckQueue *queue);
/* Whether it waits or has started; nothing if it was never added. */
void vb_check_queue_remove(VbCheckQueue *queue, VbTurn *turn);
