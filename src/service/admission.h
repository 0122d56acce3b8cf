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
/* µs of each second that long calls (of more than VB_ADMISSION_LONG) may take, of all senders. When
 * that is spent, those who had more than their share are refused the methods that took so long,
 * until the second is over; and others, too, when nearly all of it is spent. uid 0 is not. */
#define VB_ADMISSION_LONG 2000
#define VB_ADMISSION_LONG_TIME_MAX 300000
#define VB_ADMISSION_LONG_TIME_SHARE 50000
#define VB_ADMISSION_LONG_TIME_OTHERS 900000

typedef struct VbAdmission VbAdmission;

VbAdmission *vb_admission_new(sd_bus *connection);
/* Answers what is still owed. Accepts NULL. */
void vb_admission_free(VbAdmission *admission);

/* A call has come, now (monotonic time). TRUE: it is not served; its LimitsExceeded has been sent,
 * or will be: slowly, so that who waits for it before he sends more is slowed down, too. */
gboolean vb_admission_refuses(VbAdmission *admission, VbSender *sender, sd_bus_message *call,
                              gint64 now);

/* What the last message asked is done, or has been begun; it took so many µs of processor time. */
void vb_admission_message_done(VbAdmission *admission, gint64 time);
