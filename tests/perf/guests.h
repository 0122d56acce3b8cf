/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfGuests: domains that really run, with images of their own and an emulator that gives each a
 * second monitor; and the bare cost: the same command lines without a daemon. */
#pragma once

#include "qmp.h"
#include "stack.h"

/* Images and definitions of guests PERF_FIRST_GUEST … on a stack that runs, and what they leave. */
void perf_guests_define(PerfStack *stack, guint n, guint memory_mib, gboolean with_monitor);
void perf_guests_undefine(PerfStack *stack, guint n);

/* Number of the nth. */
#define PERF_GUEST(n) (PERF_FIRST_GUEST + (n))

/* QEMU's process; of a guest that runs. */
pid_t perf_guest_pid(guint n);
/* How many of the first n guests run. */
guint perf_guests_running(guint n);
PerfQmp *perf_guest_monitor(PerfStack *stack, guint n);
/* Makes all its memory resident. */
void perf_guest_touch(PerfQmp *monitor);

/* The command lines of guests 0 … n-1 that run now under virtbus. */
typedef struct PerfBare PerfBare;
PerfBare *perf_bare_new(PerfStack *stack, guint n);
void perf_bare_free(PerfBare *bare);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PerfBare, perf_bare_free)
/* Starts the first n of them at once; µs until the last has answered qmp_capabilities. */
double perf_bare_start(PerfBare *bare, guint n);
/* The same without waiting for the answer. */
void perf_bare_spawn(PerfBare *bare, guint n);
/* Kills them; µs until the last is gone. */
double perf_bare_kill(PerfBare *bare);
