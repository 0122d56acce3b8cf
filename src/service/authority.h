/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbAuthority: may this sender do this action? Asked by call.c for every method that is not public,
 * before its handler sees the call. Always asynchronous, so that whoever decides may take long.
 *
 * The rule: uid 0 may do everything; on a session instance so may its owner; nobody else may
 * anything. The sender's uid is asked of the bus once and kept (unique names are never reused). */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

#include "bus.h"

typedef struct VbAuthority VbAuthority;

/* session: this is the per-user instance (--session), whose rules allow the effective uid of this
 * process. The address of the bus changes nothing. bus outlives the authority. */
VbAuthority *vb_authority_new(VbBus *bus, gboolean session);

/* Checks in progress end with VB_ERROR_FAILED. Accepts NULL. */
void vb_authority_free(VbAuthority *authority);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbAuthority, vb_authority_free)

/* sender is a unique bus name. The checks of one sender complete in the order of their start. */
void vb_authority_check_async(VbAuthority *authority, const char *sender, const char *action,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer data);

/* TRUE: allowed, and ret_uid (may be NULL) is the sender's. VB_ERROR_ACCESS_DENIED names the
 * action. */
gboolean vb_authority_check_finish(GAsyncResult *result, uid_t *ret_uid, GError **error);
