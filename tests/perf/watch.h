/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfWatch: a caller that hears the signals of a stack about one domain, and when they came. */
#pragma once

#include "stack.h"

typedef struct PerfWatch PerfWatch;

PerfWatch *perf_watch_new(PerfStack *stack, guint number);
void perf_watch_free(PerfWatch *watch); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PerfWatch, perf_watch_free)

/* Waits for the next such signal, of those that nobody asked for yet: when it was read, µs of the
 * real-time clock. None in 30 s ends the benchmark. */
double perf_watch_next(PerfWatch *watch, PerfSignal what);

/* Forgets what came so far; how many such signals that nobody asked for were among it. */
guint perf_watch_drop(PerfWatch *watch, PerfSignal what);
