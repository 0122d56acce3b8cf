/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbSenders: what we know of those who send us messages, by unique bus name. Bounded: beyond
 * VB_SENDERS_MAX the one not heard of for longest is forgotten; as unique names are never reused,
 * forgetting late is harmless. Filled by bus.c (messages) and authority.c (uid). */
#pragma once

#include <glib.h>
#include <sys/types.h>

#define VB_SENDERS_MAX 1024

typedef struct {
    char *name;
    guint64 messages; /* that the daemon got from it */
    gboolean uid_known;
    uid_t uid;
    GList link; /* of the table's list */
} VbSender;

typedef struct VbSenders VbSenders;

VbSenders *vb_senders_new(void);
void vb_senders_free(VbSenders *senders); /* accepts NULL */

/* The sender, made if need be, as the one heard of last. Borrowed; take a reference to keep it over
 * a return to the main loop. */
VbSender *vb_senders_get(VbSenders *senders, const char *name);
/* NULL if it is not known; changes nothing. */
VbSender *vb_senders_peek(VbSenders *senders, const char *name);

VbSender *vb_sender_ref(VbSender *sender);
void vb_sender_unref(VbSender *sender);
