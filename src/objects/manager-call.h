/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the manager's methods are made of whatever kind of object they are about: finding one,
 * listing them, and waiting for the host to make one. Called by manager.c and manager-networks.c.
 */
#pragma once

#include "call.h"
#include "host.h"

/* A kind of object, as the host has it. Objects are borrowed. */
typedef struct {
    const char *noun; /* for messages: "domain" */
    VbError none;     /* no object has that name or UUID */
    gpointer (*by_name)(VbHost *host, const char *name);
    gpointer (*by_uuid)(VbHost *host, const char *uuid); /* of 36 characters, lower case */
    GPtrArray *(*list)(VbHost *host);                    /* (transfer container) */
    gboolean (*is_active)(gconstpointer object);
    gboolean (*is_persistent)(gconstpointer object);
    char *(*path)(gconstpointer object); /* (transfer full) */
} VbManagerKind;

/* Reads the rest of the arguments, "sa{sv}", and answers with the object's path. */
void vb_manager_get_by_name(VbCall *call, VbHost *host, const VbManagerKind *kind);
void vb_manager_get_by_uuid(VbCall *call, VbHost *host, const VbManagerKind *kind);
/* Reads the options, "active" and "persistent", and answers with the paths of those objects. */
void vb_manager_list(VbCall *call, VbHost *host, const VbManagerKind *kind);

/* Ends an operation: the value of its reply, a string or an object path (of a method without one,
 * any); NULL: it failed. (transfer full) */
typedef char *(*VbManagerFinish)(VbHost *host, GAsyncResult *result, GError **error);

/* What an operation of the host is given as callback and data so that its end answers the call. */
void vb_manager_answer(GObject *source, GAsyncResult *result, gpointer data);
gpointer vb_manager_wait(VbCall *call, VbHost *host, VbManagerFinish finish);
