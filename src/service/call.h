/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbCall: one method call as a value. registry.c makes it from the message; it is prepared (the
 * method's VbPrepare) and authorized for each action that it needs, its object is looked up again
 * (gone, or another of the same path: UnknownObject), and the handler gets it. It gets exactly one
 * reply: a second one is a critical and is ignored, and dropping the last reference without one is
 * a critical and answers Failed. Every reply flushes the dirty set first, so that the effects of a
 * call are on the bus when it returns.
 *
 * A caller that went away while it was being authorized is not served; later, its going away does
 * not end the work: the reply goes nowhere. */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "error.h"
#include "interface.h"
#include "options.h"
#include "registry.h"

/* Up to so many bytes a message is prepared before anybody is asked. Of a larger one, the caller
 * must be allowed the method's own action first, of which the rules are told what is known without
 * reading the arguments; then it is prepared, and all is asked. */
#define VB_CALL_PREPARED_MAX (64 * 1024)
/* The largest message, in bytes, that a call may come in: what fits is kept until the call is
 * answered. The largest document (4 MiB) fits. */
#define VB_CALL_MESSAGE_MAX (5 * 1024 * 1024)

VbCall *vb_call_ref(VbCall *call);
void vb_call_unref(VbCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbCall, vb_call_unref)

/* From here to the replies: usable as long as the call, before and after its reply. */
const char *vb_call_sender(VbCall *call); /* unique name; NULL on a connection without a bus */
const char *vb_call_path(VbCall *call);
const VbMethod *vb_call_method(VbCall *call);
const char *vb_call_action(VbCall *call); /* NULL: public */
uid_t vb_call_uid(VbCall *call);          /* of the sender; (uid_t)-1 for a public method */

/* May a person be asked on the caller's behalf? */
gboolean vb_call_is_interactive(VbCall *call);

/* ---- for a VbPrepare, and what it leaves for the handler ---- */

/* Borrowed; `method` and what the object says of itself are in it. */
VbDetails *vb_call_details(VbCall *call);
/* The caller must be allowed this, too; asked after the method's own action, in the order of these
 * calls, and once if it is the same again. `more` (taken, may be NULL): details of this question
 * alone, before those of the call. A public method becomes one that is not. */
void vb_call_require(VbCall *call, const char *action, VbDetails *more);
/* One value, dropped with the call. */
void vb_call_set_argument(VbCall *call, gpointer argument, GDestroyNotify destroy);
gpointer vb_call_argument(VbCall *call);
gpointer vb_call_steal_argument(VbCall *call);

/* NULL once the registry is gone. */
VbRegistry *vb_call_registry(VbCall *call);
/* The object and its data as they are now: NULL when the object is gone. */
VbObject *vb_call_object(VbCall *call);
gpointer vb_call_data(VbCall *call);

/* The next arguments, as sd_bus_message_read(); strings are borrowed from the message. */
gboolean vb_call_read(VbCall *call, GError **error, const char *types, ...);
/* The next argument, as or ao; more than VB_CALL_STRV_MAX strings are VB_ERROR_LIMITS_EXCEEDED. */
#define VB_CALL_STRV_MAX 1024
gboolean vb_call_read_strv(VbCall *call, GStrv *ret_strings, GError **error);
/* The last argument, options a{sv}; VB_ERROR_INVALID_ARGS. */
VbOptions *vb_call_read_options(VbCall *call, GError **error);
/* The last argument of a method that knows no option: any key is VB_ERROR_INVALID_ARGS. */
gboolean vb_call_read_no_options(VbCall *call, GError **error);

/* Success; types and values as in sd_bus_message_append(), "" for an empty reply. They must fit the
 * declared out signature, else the caller gets Failed and we a critical. */
void vb_call_reply(VbCall *call, const char *types, ...);
/* The same in two steps, for replies that need code. vb_call_reply_message() takes the message. */
sd_bus_message *vb_call_new_reply(VbCall *call);
void vb_call_reply_message(VbCall *call, sd_bus_message *reply);
/* Failure; takes the error. */
void vb_call_fail(VbCall *call, GError *error);
void vb_call_failf(VbCall *call, VbError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
gboolean vb_call_replied(VbCall *call);
