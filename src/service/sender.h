/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbSenders: what we know of those who send us messages, by unique bus name. Bounded: beyond
 * VB_SENDERS_MAX the one not heard of for longest is forgotten; as unique names are never reused,
 * forgetting late is harmless. Filled by bus.c (messages), authority.c (uid), call.c (waiting) and
 * admission.c (load); bus.c forgets those who have left. */
#pragma once

#include <glib.h>
#include <sys/types.h>

#define VB_SENDERS_MAX 1024

/* Calls that wait for their answer at once: of one sender (dbus-daemon's own limit for those that
 * want a reply), and of all senders of one uid. */
#define VB_SENDER_CALLS_MAX 128
#define VB_SENDER_CALLS_UID_MAX 1024
/* … and the bytes of their messages, which are kept until then. */
#define VB_SENDER_BYTES_UID_MAX (64 * 1024 * 1024)

/* What it asks of the daemon; see admission.c. */
typedef struct {
    guint64 second, round; /* which ones the figures are of */
    guint calls;           /* in that second */
    guint in_round;        /* calls in that round */
    gint64 long_time;      /* µs of its long calls in that second */
    guint postponed;       /* calls that wait for their turn */
    gboolean held;
} VbSenderLoad;

/* What waits, of all senders of a uid. */
typedef struct {
    guint calls;
    gsize bytes;
} VbWaiting;

typedef struct VbSenders VbSenders;

typedef struct {
    char *name;
    guint64 messages; /* that the daemon got from it */
    gboolean uid_known;
    uid_t uid;
    VbWaiting waiting;      /* calls without an answer */
    VbWaiting *uid_waiting; /* of all senders of its uid; of an unknown one until it is known */
    VbSenderLoad load;
    GList link; /* of the table's list */
} VbSender;

VbSenders *vb_senders_new(void);
void vb_senders_free(VbSenders *senders); /* accepts NULL */

/* The sender, made if need be, as the one heard of last. Borrowed; take a reference to keep it over
 * a return to the main loop. */
VbSender *vb_senders_get(VbSenders *senders, const char *name);
/* NULL if it is not known; changes nothing. */
VbSender *vb_senders_peek(VbSenders *senders, const char *name);
/* Nothing if it is not known. */
void vb_senders_forget(VbSenders *senders, const char *name);

/* The bus has told whose it is. What came from it before then may be more than its uid may have
 * waiting: vb_sender_fits() tells. */
void vb_senders_set_uid(VbSenders *senders, VbSender *sender, uid_t uid);
/* VB_ERROR_LIMITS_EXCEEDED: more calls, or larger ones, wait than those of one uid may be. */
gboolean vb_sender_fits(const VbSender *sender, GError **error);

/* One more call of it waits, of so many bytes. VB_ERROR_LIMITS_EXCEEDED: too many do; it is not
 * counted. */
gboolean vb_sender_enter(VbSender *sender, gsize bytes, GError **error);
/* One of those that were counted has its answer. */
void vb_sender_leave(VbSender *sender, gsize bytes);

VbSender *vb_sender_ref(VbSender *sender);
void vb_sender_unref(VbSender *sender);
