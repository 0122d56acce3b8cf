/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cases of guests that really run, beside the bare cost of the same QEMUs. */
#include "guests.h"
#include "run.h"
#include "watch.h"

#include <unistd.h>

#define AT_ONCE 20
#define LARGE_MIB 1024

typedef struct {
    PerfPair pair;
    PerfSamples *bare;
} Beside;

static void beside_init(Beside *beside)
{
    perf_pair_init(&beside->pair);
    beside->bare = perf_samples_new();
}

/* The stacks, the bare cost, and how many times that each takes. */
static void beside_report(PerfRun *run, const char *name, Beside *beside)
{
    perf_run_report(run, name, "µs", &beside->pair, NULL);
    perf_report_samples(run->report, name, run->domains, "bare", "µs", beside->bare, NULL);
    for (guint i = 0; i < run->n_stacks; i++) {
        g_autofree char *of = g_strdup_printf("%s / bare", run->stacks[i]->dialect->name);
        perf_report_ratio(run->report, name, run->domains, of, beside->pair.of[i], beside->bare);
    }
    perf_pair_clear(&beside->pair);
    perf_samples_free(beside->bare);
}

/* ---- start and destroy ---- */

static PerfBare *learn_bare(PerfRun *run, guint n)
{
    PerfBare *bare;

    perf_call_many(run->stacks[0], PERF_START_PAUSED, PERF_GUEST(0), n);
    bare = perf_bare_new(run->stacks[0], n);
    perf_call_many(run->stacks[0], PERF_DESTROY, PERF_GUEST(0), n);
    return bare;
}

static void measure_life(PerfRun *run)
{
    Beside starts, ends;
    g_autoptr(PerfBare) bare = NULL;

    beside_init(&starts);
    beside_init(&ends);
    bare = learn_bare(run, 1);
    for (guint i = 1; i < run->n_stacks; i++) { /* its first start is not like the others either */
        perf_call(run->stacks[i], PERF_START, PERF_GUEST(0));
        perf_call(run->stacks[i], PERF_DESTROY, PERF_GUEST(0));
    }
    for (guint round = 0; round < perf_run_rounds(run, 20); round++) {
        for (guint i = 0; i < run->n_stacks; i++) {
            perf_samples_add(starts.pair.of[i],
                             perf_call(run->stacks[i], PERF_START, PERF_GUEST(0)));
            perf_samples_add(ends.pair.of[i],
                             perf_call(run->stacks[i], PERF_DESTROY, PERF_GUEST(0)));
        }
        perf_samples_add(starts.bare, perf_bare_start(bare, 1));
        perf_samples_add(ends.bare, perf_bare_kill(bare));
    }
    beside_report(run, "guest-start", &starts);
    beside_report(run, "guest-destroy", &ends);
}

static void measure_many(PerfRun *run)
{
    Beside starts, ends;
    guint n = run->brief ? 2 : AT_ONCE;
    g_autoptr(PerfBare) bare = NULL;

    for (guint i = 0; i < run->n_stacks; i++)
        perf_guests_define(run->stacks[i], n, 64, FALSE);
    beside_init(&starts);
    beside_init(&ends);
    bare = learn_bare(run, n);
    for (guint round = 0; round < perf_run_rounds(run, 5); round++) {
        for (guint i = 0; i < run->n_stacks; i++) {
            perf_samples_add(starts.pair.of[i],
                             perf_call_many(run->stacks[i], PERF_START_PAUSED, PERF_GUEST(0), n));
            perf_samples_add(ends.pair.of[i],
                             perf_call_many(run->stacks[i], PERF_DESTROY, PERF_GUEST(0), n));
        }
        perf_samples_add(starts.bare, perf_bare_start(bare, n));
        perf_samples_add(ends.bare, perf_bare_kill(bare));
    }
    beside_report(run, "20-guests-at-once", &starts);
    beside_report(run, "20-destroys-at-once", &ends);
    for (guint i = 0; i < run->n_stacks; i++)
        perf_guests_undefine(run->stacks[i], n);
}

/* All of its memory is resident: the kernel has to give it back before the process is gone. */
static void measure_large(PerfRun *run)
{
    g_auto(PerfPair) pair;

    perf_pair_init(&pair);
    for (guint i = 0; i < run->n_stacks; i++)
        perf_guests_define(run->stacks[i], 1, LARGE_MIB, TRUE);
    for (guint round = 0; round < perf_run_rounds(run, 5); round++) {
        for (guint i = 0; i < run->n_stacks; i++) {
            PerfQmp *monitor;

            perf_call(run->stacks[i], PERF_START_PAUSED, PERF_GUEST(0));
            monitor = perf_guest_monitor(run->stacks[i], 0);
            perf_guest_touch(monitor);
            if (perf_process_memory(perf_guest_pid(0)).rss < LARGE_MIB * 1024)
                perf_fail("the guest's memory is not resident");
            perf_samples_add(pair.of[i], perf_call(run->stacks[i], PERF_DESTROY, PERF_GUEST(0)));
            perf_qmp_free(monitor);
        }
    }
    perf_run_report(run, "guest-destroy-1-gib", "µs", &pair, NULL);
    for (guint i = 0; i < run->n_stacks; i++)
        perf_guests_undefine(run->stacks[i], 1);
}

/* ---- events ---- */

static void measure_events(PerfRun *run, PerfStack *stack, PerfWatch *watch, PerfQmp *monitor,
                           PerfSamples *latencies)
{
    static const char *const stop[] = {"STOP", NULL}, *const resume[] = {"RESUME", NULL};

    for (guint round = 0; round < perf_run_rounds(run, 100); round++) {
        perf_qmp_command(monitor, "{\"execute\": \"stop\"}");
        perf_samples_add(latencies, perf_watch_next(watch, PERF_SIGNAL_SUSPENDED) -
                                        perf_qmp_event(monitor, stop));
        perf_qmp_command(monitor, "{\"execute\": \"cont\"}");
        perf_samples_add(latencies, perf_watch_next(watch, PERF_SIGNAL_RESUMED) -
                                        perf_qmp_event(monitor, resume));
    }
}

typedef struct {
    PerfPair asked, waited, signal, whole;
} Cancels;

/* Copies that have caught up, canceled: by a caller who does not wait, then by one who does. */
static void measure_cancels(PerfRun *run, guint index, PerfWatch *watch, PerfQmp *monitor,
                            Cancels *cancels)
{
    static const char *const ends[] = {"BLOCK_JOB_CANCELLED", "BLOCK_JOB_COMPLETED", NULL};
    PerfStack *stack = run->stacks[index];
    PerfDomain domain = perf_domain(PERF_GUEST(0));
    g_autofree char *image = perf_domain_image(&domain, &stack->site, 'a');
    g_autofree char *copy = g_strconcat(image, ".copy", NULL);

    for (guint round = 0; round < 2 * perf_run_rounds(run, 20); round++) {
        gboolean wait = round % 2 == 1;
        double begin, took, signal;

        perf_call(stack, PERF_COPY, PERF_GUEST(0));
        perf_watch_next(watch, PERF_SIGNAL_JOB_READY);
        begin = perf_real_now();
        took = perf_call(stack, wait ? PERF_CANCEL_WAIT : PERF_CANCEL, PERF_GUEST(0));
        signal = perf_watch_next(watch, PERF_SIGNAL_JOB_END);
        perf_samples_add(wait ? cancels->waited.of[index] : cancels->asked.of[index], took);
        perf_samples_add(cancels->signal.of[index], signal - perf_qmp_event(monitor, ends));
        if (!wait)
            perf_samples_add(cancels->whole.of[index], signal - begin);
        unlink(copy);
    }
}

static void measure_signals(PerfRun *run)
{
    g_auto(PerfPair) events;
    Cancels cancels;

    perf_pair_init(&events);
    perf_pair_init(&cancels.asked);
    perf_pair_init(&cancels.waited);
    perf_pair_init(&cancels.signal);
    perf_pair_init(&cancels.whole);
    for (guint i = 0; i < run->n_stacks; i++) {
        PerfStack *stack = run->stacks[i];
        PerfWatch *watch;
        PerfQmp *monitor;

        perf_guests_define(stack, 1, 64, TRUE);
        perf_call(stack, PERF_START, PERF_GUEST(0));
        watch = perf_watch_new(stack, PERF_GUEST(0));
        monitor = perf_guest_monitor(stack, 0);
        measure_events(run, stack, watch, monitor, events.of[i]);
        measure_cancels(run, i, watch, monitor, &cancels);
        perf_qmp_free(monitor);
        perf_watch_free(watch);
        perf_call(stack, PERF_DESTROY, PERF_GUEST(0));
        perf_guests_undefine(stack, 1);
    }
    perf_run_report(run, "event-to-signal", "µs", &events, NULL);
    perf_run_report(run, "cancel-asked", "µs", &cancels.asked, NULL);
    perf_run_report(run, "cancel-waited", "µs", &cancels.waited, NULL);
    perf_run_report(run, "cancel-event-to-signal", "µs", &cancels.signal, NULL);
    perf_run_report(run, "cancel-call-to-signal", "µs", &cancels.whole, NULL);
    perf_pair_clear(&cancels.asked);
    perf_pair_clear(&cancels.waited);
    perf_pair_clear(&cancels.signal);
    perf_pair_clear(&cancels.whole);
}

void perf_case_guests(PerfRun *run)
{
    for (guint i = 0; i < run->n_stacks; i++)
        perf_guests_define(run->stacks[i], 1, 64, FALSE);
    measure_life(run);
    for (guint i = 0; i < run->n_stacks; i++)
        perf_guests_undefine(run->stacks[i], 1);
    measure_large(run);
    measure_signals(run);
    measure_many(run);
}
