/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfReport: what was measured, a line on the terminal as it comes, and JSON at the end, of which
 * tests/perf/render makes the table and the plots. */
#pragma once

#include "stats.h"

typedef struct PerfReport PerfReport;

PerfReport *perf_report_new(void);
void perf_report_free(PerfReport *report); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PerfReport, perf_report_free)

/* Facts of the run: versions, the machine. */
void perf_report_fact(PerfReport *report, const char *name, const char *value);
/* What `stack` took for a case, with that many domains. `unit`: "µs", "KiB" …; `note`: NULL or what
 * one has to know to read it. */
void perf_report_samples(PerfReport *report, const char *name, guint domains, const char *stack,
                         const char *unit, const PerfSamples *samples, const char *note);
void perf_report_value(PerfReport *report, const char *name, guint domains, const char *stack,
                       const char *unit, double value, const char *note);
/* median(above) / median(below), e.g. "peer / virtbus". */
void perf_report_ratio(PerfReport *report, const char *name, guint domains, const char *of,
                       const PerfSamples *above, const PerfSamples *below);
void perf_report_write(PerfReport *report, const char *path);
