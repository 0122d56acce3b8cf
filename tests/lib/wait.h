/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Waiting in the default main context under a deadline: what every test waits with.
 *
 *     VB_WAIT_FOR(replies->len == 2);
 */
#pragma once

#include <errno.h>
#include <glib.h>
#include <signal.h>

/* How long any wait may take. */
#define VB_WAIT_SECONDS 20

/* Monotonic µs, VB_WAIT_SECONDS from now. */
static inline gint64 vb_wait_deadline(void)
{
    return g_get_monotonic_time() + VB_WAIT_SECONDS * G_USEC_PER_SEC;
}

static inline gboolean vb_wait_over(gpointer over)
{
    *(gboolean *)over = TRUE;
    return G_SOURCE_REMOVE;
}

/* One turn of the main loop; FALSE when `deadline` (monotonic, µs) has passed. */
static inline gboolean vb_wait_turn(gint64 deadline)
{
    g_autoptr(GSource) timer = g_timeout_source_new(0);
    gboolean over = FALSE;

    g_source_set_callback(timer, vb_wait_over, &over, NULL);
    g_source_set_ready_time(timer, deadline);
    g_main_context_acquire(NULL); /* attaching to a context without an owner would wake it */
    g_source_attach(timer, NULL);
    g_main_context_iteration(NULL, TRUE);
    g_source_destroy(timer);
    g_main_context_release(NULL);
    return !over;
}

#define VB_WAIT_FOR(condition)                                                                     \
    G_STMT_START                                                                                   \
    {                                                                                              \
        gint64 deadline_ = vb_wait_deadline();                                                     \
        while (!(condition)) {                                                                     \
            if (!vb_wait_turn(deadline_))                                                          \
                g_error("%s:%d: still not: %s", __FILE__, __LINE__, #condition);                   \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END

static inline gboolean vb_wait_tick(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

/* Until that process, no child that the caller waits for itself, is dead and reaped. Nothing tells
 * of a reaping, so this looks every other millisecond. */
static inline void vb_wait_for_death(pid_t pid)
{
    guint tick = g_timeout_add(2, vb_wait_tick, NULL);

    VB_WAIT_FOR(kill(pid, 0) < 0 && errno == ESRCH);
    g_source_remove(tick);
}
