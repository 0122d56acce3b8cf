/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbPolkitCheck: one question in polkit's hands, asked over our own connection to the bus: a
 * caller's unique name means something on that bus only. Made by authority.c, which decides how
 * many there are at a time, and turns the answer into a verdict.
 *
 * polkit's interface is described at https://www.freedesktop.org/software/polkit/docs/latest/ . A
 * daemon that is neither root nor the owner of the action (the annotation
 * org.freedesktop.policykit.owner) may not send details: polkit answers an error then. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

#include "details.h"

typedef enum {
    VB_POLKIT_AUTHORIZED,
    VB_POLKIT_DENIED,
    VB_POLKIT_CHALLENGE, /* a person would have to authenticate, and was not asked */
    VB_POLKIT_DISMISSED, /* a person was asked, and did not want to */
    /* The question was not answered, and a text says why: */
    VB_POLKIT_ABSENT,  /* there is nobody on the bus to ask */
    VB_POLKIT_REFUSED, /* one question too many for the bus */
    VB_POLKIT_FAILED,  /* polkit answered an error or nonsense, or ended */
} VbPolkitAnswer;

typedef struct {
    guint64 id; /* never used twice on this connection: by it the check can be cancelled */
    const char *sender;
    const char *action;
    const VbDetails *details; /* or NULL */
    gboolean interactive;
} VbPolkitQuestion;

typedef struct VbPolkitCheck VbPolkitCheck;

/* Called once, from the main loop; text is NULL if there is nothing to say. */
typedef void (*VbPolkitAnswered)(VbPolkitAnswer answer, const char *text, gpointer data);

/* Asks. There is no time limit: a person may have to type a password. The question is not kept. */
VbPolkitCheck *vb_polkit_check_new(sd_bus *bus, const VbPolkitQuestion *question,
                                   VbPolkitAnswered answered, gpointer data);

/* Tells polkit that nobody wants to know any more, which takes the prompt off the screen. The
 * answer is still to come; until then it counts among those that the bus keeps for us. */
void vb_polkit_check_cancel(VbPolkitCheck *check);

/* No callback after this. Accepts NULL. */
void vb_polkit_check_free(VbPolkitCheck *check);
