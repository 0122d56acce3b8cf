/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfRun: the stacks in turns. */
#include "run.h"

#define TURN 20

void perf_pair_init(PerfPair *pair)
{
    for (guint i = 0; i < PERF_MAX_STACKS; i++)
        pair->of[i] = perf_samples_new();
}

void perf_pair_clear(PerfPair *pair)
{
    for (guint i = 0; i < PERF_MAX_STACKS; i++)
        g_clear_pointer(&pair->of[i], perf_samples_free);
}

void perf_run_report(PerfRun *run, const char *name, const char *unit, const PerfPair *pair,
                     const char *note)
{
    for (guint i = 0; i < run->n_stacks; i++) {
        if (perf_samples_count(pair->of[i]) > 0)
            perf_report_samples(run->report, name, run->domains, run->stacks[i]->dialect->name,
                                unit, pair->of[i], i == 0 ? NULL : note);
    }
    for (guint i = 1; i < run->n_stacks; i++)
        perf_report_ratio(run->report, name, run->domains, "peer / virtbus", pair->of[i],
                          pair->of[0]);
}

guint perf_run_rounds(const PerfRun *run, guint rounds)
{
    return run->brief ? 1 : rounds;
}

gboolean perf_run_serves(const PerfRun *run, const PerfStack *stack)
{
    guint most = stack->dialect->most_domains;

    return stack->daemons->len > 0 && (most == 0 || run->domains <= most);
}

void perf_run_measure(PerfRun *run, const char *name, PerfVerb verb, guint rounds,
                      PerfMeasure measure, gpointer data, PerfPair *ret_pair)
{
    g_auto(PerfPair) pair;

    perf_pair_init(&pair);
    rounds = perf_run_rounds(run, rounds);
    for (guint begin = 0; begin < rounds; begin += TURN) {
        for (guint i = 0; i < run->n_stacks; i++) {
            if (!perf_run_serves(run, run->stacks[i]) || !perf_has(run->stacks[i], verb))
                continue;
            for (guint round = begin; round < MIN(begin + TURN, rounds); round++)
                perf_samples_add(pair.of[i], measure(run, run->stacks[i], round, data));
        }
    }
    perf_run_report(run, name, "µs", &pair, NULL);
    if (ret_pair != NULL) {
        *ret_pair = pair;
        pair = (PerfPair){0};
    }
}
