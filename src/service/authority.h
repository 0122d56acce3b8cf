/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbAuthority: may this sender do this action? Asked by call.c for every method that is not public,
 * before its handler sees the call, and by Manager.CheckActions. Always asynchronous: whoever
 * decides may take as long as a person takes to type a password.
 *
 * The rule: uid 0 may do everything. On a session instance its owner may do everything, and nobody
 * else anything. On the system's, polkit decides for everybody else, every time anew: a verdict is
 * not kept. Without polkit it is root only.
 *
 * What polkit is asked at once is limited (VB_AUTHORITY_*), so that nobody can hold all the slots;
 * checks beyond that wait for their turn. A check whose sender leaves the bus is cancelled, here
 * and at polkit, and ends with VB_ERROR_ACCESS_DENIED. The sender's uid is asked of the bus once
 * and kept (unique names are never reused). */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

#include "bus.h"
#include "details.h"

/* Checks that polkit has in its hands: of all; of one uid; of one uid with interaction allowed,
 * which may each be a prompt on somebody's screen. dbus-daemon's own limit is 128 pending replies
 * for our connection. */
#define VB_AUTHORITY_CHECKS_MAX 64
#define VB_AUTHORITY_CHECKS_UID_MAX 16
#define VB_AUTHORITY_PROMPTS_UID_MAX 4

typedef struct VbAuthority VbAuthority;

/* session: this is the per-user instance (--session), whose rules allow the effective uid of this
 * process. The address of the bus changes nothing. bus outlives the authority. */
VbAuthority *vb_authority_new(VbBus *bus, gboolean session);

/* Checks in progress end with VB_ERROR_FAILED, and are cancelled at polkit. Not from within the
 * callback of a check. Accepts NULL. */
void vb_authority_free(VbAuthority *authority);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbAuthority, vb_authority_free)

/* sender is a unique bus name; details (may be NULL) are copied. interactive: the caller's message
 * allows that polkit asks a person. */
void vb_authority_check_async(VbAuthority *authority, const char *sender, const char *action,
                              const VbDetails *details, gboolean interactive,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer data);

/* TRUE: allowed, and ret_uid (may be NULL) is the sender's. Errors, all naming the action:
 *   VB_ERROR_ACCESS_DENIED               no; or a person was asked and did not agree; or polkit
 *                                        cannot be asked or gave no answer
 *   VB_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED
 *                                        a person would have to be asked, and the caller's message
 *                                        does not allow it
 *   VB_ERROR_LIMITS_EXCEEDED             polkit or the bus refused one more question; or the uid,
 *                                        known by now, has too much waiting (vb_sender_fits())
 *   G_IO_ERROR_CANCELLED */
gboolean vb_authority_check_finish(GAsyncResult *result, uid_t *ret_uid, GError **error);

typedef enum {
    VB_VERDICT_NO,
    VB_VERDICT_CHALLENGE, /* a person would be asked */
    VB_VERDICT_YES,
} VbVerdict;

const char *vb_verdict_to_string(VbVerdict verdict); /* "no", "challenge", "yes" */

/* The same question without a prompt, and the answer as a value: a refusal is no error. */
void vb_authority_query_async(VbAuthority *authority, const char *sender, const char *action,
                              const VbDetails *details, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer data);
/* Errors: polkit gave no answer (VB_ERROR_FAILED), VB_ERROR_LIMITS_EXCEEDED, G_IO_ERROR_CANCELLED;
 * VB_ERROR_ACCESS_DENIED: the sender is not, or no longer, on the bus. No polkit on the bus is a
 * NO. */
gboolean vb_authority_query_finish(GAsyncResult *result, VbVerdict *ret_verdict, GError **error);
