/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbTestCall: an operation of the test driver that has not been answered yet. It holds the GTask,
 * may run a step after some milliseconds or when a job ends, and is answered exactly once: by that
 * step, because its cancellable was cancelled, or because its owner (a machine, a job, the driver)
 * went away. Private to this folder. */
#pragma once

#include <gio/gio.h>

typedef struct VbTestCall VbTestCall;
/* The calls of one owner; G_QUEUE_INIT or zeroes make an empty one. */
typedef GQueue VbTestCalls;

/* A step answers the call, or gives it another step. */
typedef void (*VbTestCallFunc)(VbTestCall *call, gpointer user_data);

/* Takes `task`. The call belongs to `owner` until it is answered. */
VbTestCall *vb_test_call_new(VbTestCalls *owner, GTask *task);

/* Runs `func` once, `delay` ms from now, from the main loop. */
void vb_test_call_after(VbTestCall *call, guint delay, VbTestCallFunc func, gpointer user_data,
                        GDestroyNotify destroy);
/* Gives the call to `owner`; vb_test_calls_run() on it runs `func`. */
void vb_test_call_wait(VbTestCall *call, VbTestCalls *owner, VbTestCallFunc func,
                       gpointer user_data, GDestroyNotify destroy);

/* Answer and free the call. The task's callback may run from within. */
void vb_test_call_return(VbTestCall *call, gboolean value);
void vb_test_call_return_pointer(VbTestCall *call, gpointer pointer, GDestroyNotify destroy);
void vb_test_call_return_error(VbTestCall *call, GError *error); /* takes `error` */

/* Runs the step of each call that waits in `calls`. */
void vb_test_calls_run(VbTestCalls *calls);
/* Answers all of them with VB_ERROR_DOMAIN_NOT_RUNNING. */
void vb_test_calls_clear(VbTestCalls *calls);
