/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfRun: one run of the benchmark: the stacks, the report, how many domains there are now. Cases
 * measure the stacks in turns within the run, so that what disturbs the machine disturbs both. */
#pragma once

#include "report.h"
#include "stack.h"

#define PERF_MAX_STACKS 2

typedef struct {
    PerfStack *stacks[PERF_MAX_STACKS]; /* virtbus first */
    guint n_stacks;
    PerfReport *report;
    guint domains;  /* defined now, numbers 0 … domains-1 */
    gboolean brief; /* one round of everything: does the benchmark itself work? */
} PerfRun;

/* Samples of each stack. */
typedef struct {
    PerfSamples *of[PERF_MAX_STACKS];
} PerfPair;

void perf_pair_init(PerfPair *pair);
void perf_pair_clear(PerfPair *pair);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PerfPair, perf_pair_clear)
/* Lines of both and their ratio; of a stack without samples, none. */
void perf_run_report(PerfRun *run, const char *name, const char *unit, const PerfPair *pair,
                     const char *note);

guint perf_run_rounds(const PerfRun *run, guint rounds);
/* A stack that serves that many domains. */
gboolean perf_run_serves(const PerfRun *run, const PerfStack *stack);

/* Calls `measure` so often for each stack that has `verb`, in turns of up to 20 rounds, and reports
 * what it returns, µs. `round` counts on. */
typedef double (*PerfMeasure)(PerfRun *run, PerfStack *stack, guint round, gpointer data);
void perf_run_measure(PerfRun *run, const char *name, PerfVerb verb, guint rounds,
                      PerfMeasure measure, gpointer data, PerfPair *ret_pair);

/* The cases. */
void perf_case_grow(PerfRun *run, guint domains); /* define, until there are so many */
void perf_case_list(PerfRun *run);
void perf_case_calls(PerfRun *run);
void perf_case_load(PerfRun *run);
void perf_case_memory(PerfRun *run, const char *when);
void perf_case_cold(PerfRun *run);
void perf_case_hold(PerfRun *run);
void perf_case_guests(
    PerfRun *run);                 /* real guests: start, destroy, many at once, events, cancels */
void perf_case_hang(PerfRun *run); /* others, while one guest hangs */
