/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbTimeShare: how much of the main thread one peer may take. It has a credit, and once that is
 * spent a twentieth of the time that passes: so whatever one QEMU says, the others are served. Used
 * by the QMP client; part of it. All times are in µs. */
#pragma once

#include <glib.h>

#define VB_TIME_SHARE_CREDIT (G_USEC_PER_SEC / 10) /* of the thread's time, at once */
#define VB_TIME_SHARE_PART 20                      /* then one part in so many */

/* Zeroed at the beginning. */
typedef struct {
    gint64 spent; /* of the thread's time, less what has been earned since; never negative */
    gint64 since; /* monotonic: when `spent` was right */
} VbTimeShare;

/* The peer has taken so much of that time (vb_thread_time()). */
void vb_time_share_charge(VbTimeShare *share, gint64 used);

/* How long it has to wait at `now` (monotonic); 0: not at all. */
gint64 vb_time_share_wait(VbTimeShare *share, gint64 now);
