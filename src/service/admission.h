/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbAdmission: which calls are served when one caller floods the bus with them. bus.c asks it for
 * every method call, before sd-bus or the registry answers it. As long as nobody else calls, and as
 * long as the daemon is not busy, everything is served. docs/limits.md has the rules and what was
 * measured. */
#pragma once

#include <systemd/sd-bus.h>

#include "sender.h"

/* Calls a second, and the µs of processor time that they take, of all senders, up to which nobody
 * is looked at; and calls of one sender. */
#define VB_ADMISSION_CALLS_FREE 4000
#define VB_ADMISSION_TIME_FREE 100000
#define VB_ADMISSION_SENDER_CALLS_FREE 128
/* Calls that one sender may have in flight when there are more. */
#define VB_ADMISSION_IN_FLIGHT_MAX 16
/* Calls of more than so many µs of processor time are long. After one, others have as much time,
 * and at least VB_ADMISSION_REST, before the next call of a method that was long in this second or
 * the one before: it is postponed, and senders take turns. At most so many wait, of one sender and
 * of all. Beyond, when a message is larger than that many bytes, or when sd-bus itself has to
 * answer it, it is served, as long as long calls have taken less than VB_ADMISSION_LONG_TIME_MAX µs
 * of this second, or, of senders that had less than their share of that,
 * VB_ADMISSION_LONG_TIME_OTHERS; and if it is of uid 0. */
#define VB_ADMISSION_LONG 2000
#define VB_ADMISSION_REST 5000
#define VB_ADMISSION_POSTPONED_SENDER_MAX 16
#define VB_ADMISSION_POSTPONED_MAX 256
#define VB_ADMISSION_POSTPONED_BYTES_MAX (64 * 1024)
#define VB_ADMISSION_LONG_TIME_MAX 300000
#define VB_ADMISSION_LONG_TIME_SHARE 50000
#define VB_ADMISSION_LONG_TIME_OTHERS 900000

typedef struct VbAdmission VbAdmission;

VbAdmission *vb_admission_new(sd_bus *connection);
/* Answers what is still owed. Accepts NULL. */
void vb_admission_free(VbAdmission *admission);

/* Who serves calls that were postponed: FALSE from `can`: not this one. */
typedef struct {
    gboolean (*can)(sd_bus_message *call, gpointer data);
    void (*serve)(sd_bus_message *call, gpointer data);
} VbAdmissionServer;
/* The table must be static; NULL: nobody, and nothing is postponed; what waits is refused. */
void vb_admission_set_server(VbAdmission *admission, const VbAdmissionServer *server,
                             gpointer data);

/* A call has come, now (monotonic time). TRUE: it is not served now: it is postponed, or its
 * LimitsExceeded has been sent, or will be: slowly, so that who waits for it before he sends more
 * is slowed down, too. */
gboolean vb_admission_holds(VbAdmission *admission, VbSender *sender, sd_bus_message *call,
                            gint64 now);

/* What the last message asked is done, or has been begun; it took so many µs of processor time. */
void vb_admission_message_done(VbAdmission *admission, gint64 time);
