/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The processor time of the calling thread: what a peer costs us. What other processes do meanwhile
 * is not on its account. */
#pragma once

#include <glib.h>
#include <time.h>

/* µs. */
static inline gint64 vb_thread_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}
