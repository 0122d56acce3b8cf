/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What one domain's trouble is to all others: how long a read of them takes while its QEMU is
 * stopped and eight callers wait for it, and while it starts and is destroyed; and one of itself.
 * With and without the trouble in turns, so that the ratio is the trouble's alone. */
#include "guests.h"
#include "run.h"
#include "watch.h"

#include <signal.h>
#include <unistd.h>

#define WAITING 8
/* Reads in a turn; a stack that does not answer at all gets its turn cut short. */
#define READS 100
#define GIVE_UP_SECONDS 1
#define MOST_FAILURES 2

typedef struct {
    PerfSamples *calm, *trouble;
    guint unanswered;
} Contrast;

static void contrast_init(Contrast *contrast)
{
    *contrast = (Contrast){.calm = perf_samples_new(), .trouble = perf_samples_new()};
}

static void contrast_report(PerfRun *run, PerfStack *stack, const char *name, Contrast *contrast)
{
    g_autofree char *calm = g_strdup_printf("%s-without", name);
    g_autofree char *unanswered = g_strdup_printf("%s-unanswered", name);
    g_autofree char *of = g_strdup_printf("%s: with / without", stack->dialect->name);
    const char *as = stack->dialect->name;

    perf_report_samples(run->report, calm, run->domains, as, "µs", contrast->calm, NULL);
    perf_report_samples(run->report, name, run->domains, as, "µs", contrast->trouble, NULL);
    perf_report_value(run->report, unanswered, run->domains, as, "", contrast->unanswered,
                      "of the reads, in a second each");
    perf_report_ratio(run->report, name, run->domains, of, contrast->trouble, contrast->calm);
    perf_samples_free(contrast->calm);
    perf_samples_free(contrast->trouble);
}

/* A turn of reads, of others or of the one. */
static void read_many(PerfRun *run, PerfStack *stack, gboolean itself, PerfSamples *samples,
                      guint *unanswered)
{
    guint failures = 0;

    for (guint i = 0; i < (run->brief ? 2 : READS) && failures < MOST_FAILURES; i++) {
        guint number = itself ? PERF_GUEST(0) : i * 7919 % run->domains;
        gboolean answered;

        perf_samples_add(samples,
                         perf_try(stack, PERF_GET_ALL, number, GIVE_UP_SECONDS, &answered));
        failures += !answered;
    }
    *unanswered += failures;
}

/* ---- stopped ---- */

typedef struct {
    PerfStack *stack;
    sd_bus *buses[WAITING];
    guint flying;
} Waiting;

static int on_waited(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
    ((Waiting *)userdata)->flying--; /* an error is an answer, too */
    return 1;
}

/* Eight callers ask the domain for what only its QEMU can do. */
static void wait_for_it(Waiting *waiting)
{
    static const PerfVerb verbs[WAITING] = {PERF_CANCEL_WAIT, PERF_RESUME,    PERF_STATS_ONE,
                                            PERF_STATS_ONE,   PERF_STATS_ONE, PERF_STATS_ONE,
                                            PERF_STATS_ONE,   PERF_STATS_ONE};
    PerfDomain domain = perf_domain(PERF_GUEST(0));

    for (guint i = 0; i < WAITING; i++) {
        sd_bus_message *call =
            waiting->stack->dialect->message(waiting->stack, waiting->buses[i], verbs[i], &domain);
        PERF_CHECK(waiting->stack, "send",
                   sd_bus_call_async(waiting->buses[i], NULL, call, on_waited, waiting, 0));
        PERF_CHECK(waiting->stack, "send", sd_bus_flush(waiting->buses[i]));
        sd_bus_message_unref(call);
        waiting->flying++;
    }
}

static void drain(Waiting *waiting)
{
    while (waiting->flying > 0) {
        for (guint i = 0; i < WAITING; i++) {
            while (sd_bus_process(waiting->buses[i], NULL) > 0)
                ;
            sd_bus_wait(waiting->buses[i], 200);
        }
    }
}

static void start_copy(PerfStack *stack, PerfWatch *watch)
{
    PerfDomain domain = perf_domain(PERF_GUEST(0));
    g_autofree char *image = perf_domain_image(&domain, &stack->site, 'a');
    g_autofree char *copy = g_strconcat(image, ".copy", NULL);

    unlink(copy);
    perf_call(stack, PERF_COPY, PERF_GUEST(0));
    perf_watch_next(watch, PERF_SIGNAL_JOB_READY);
}

/* A guest that is paused: one that runs keeps a processor awake, which makes everything else
 * faster, until it is stopped. */
static void measure_stopped(PerfRun *run, PerfStack *stack)
{
    Contrast others, itself;
    Waiting waiting = {.stack = stack};
    gboolean answered;
    PerfWatch *watch;
    pid_t pid;

    contrast_init(&others);
    contrast_init(&itself);
    perf_guests_define(stack, 1, 64, FALSE);
    perf_call(stack, PERF_START_PAUSED, PERF_GUEST(0));
    watch = perf_watch_new(stack, PERF_GUEST(0));
    pid = perf_guest_pid(0);
    for (guint i = 0; i < WAITING; i++)
        waiting.buses[i] = perf_stack_connect(stack);
    for (guint round = 0; round < perf_run_rounds(run, 10); round++) {
        start_copy(stack, watch);
        read_many(run, stack, FALSE, others.calm, &others.unanswered);
        read_many(run, stack, TRUE, itself.calm, &itself.unanswered);
        kill(pid, SIGSTOP);
        wait_for_it(&waiting);
        read_many(run, stack, FALSE, others.trouble, &others.unanswered);
        read_many(run, stack, TRUE, itself.trouble, &itself.unanswered);
        kill(pid, SIGCONT);
        drain(&waiting);
        perf_watch_next(watch, PERF_SIGNAL_JOB_END);
        /* Whether it was resumed when it was stopped no more is its own affair. */
        perf_try(stack, PERF_SUSPEND, PERF_GUEST(0), 30, &answered);
    }
    for (guint i = 0; i < WAITING; i++)
        sd_bus_flush_close_unref(waiting.buses[i]);
    perf_watch_free(watch);
    perf_call(stack, PERF_DESTROY, PERF_GUEST(0));
    perf_guests_undefine(stack, 1);
    contrast_report(run, stack, "others-of-stopped", &others);
    contrast_report(run, stack, "stopped-itself", &itself);
}

/* ---- start and destroy in flight ---- */

static int on_done(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
    if (sd_bus_message_is_method_error(reply, NULL))
        perf_fail("in flight: %s", sd_bus_message_get_error(reply)->message);
    *(gboolean *)userdata = TRUE;
    return 1;
}

/* Reads others until the call is answered. */
static void read_beside(PerfRun *run, PerfStack *stack, sd_bus *bus, PerfVerb verb,
                        Contrast *contrast)
{
    PerfDomain domain = perf_domain(PERF_GUEST(0));
    sd_bus_message *call = stack->dialect->message(stack, bus, verb, &domain);
    gboolean done = FALSE, answered;

    PERF_CHECK(stack, "send", sd_bus_call_async(bus, NULL, call, on_done, &done, 0));
    PERF_CHECK(stack, "send", sd_bus_flush(bus));
    sd_bus_message_unref(call);
    for (guint i = 0; !done; i++) {
        perf_samples_add(contrast->trouble, perf_try(stack, PERF_GET_ALL, i * 7919 % run->domains,
                                                     GIVE_UP_SECONDS, &answered));
        contrast->unanswered += !answered;
        PERF_CHECK(stack, "process", sd_bus_process(bus, NULL));
    }
}

/* Beside a start, what QEMU takes of the processors is no hang: calm is a bare QEMU's start. */
static void measure_in_flight(PerfRun *run, PerfStack *stack, PerfBare *bare)
{
    Contrast others;
    sd_bus *bus = perf_stack_connect(stack);

    contrast_init(&others);
    for (guint round = 0; round < perf_run_rounds(run, 20); round++) {
        perf_bare_spawn(bare, 1);
        read_many(run, stack, FALSE, others.calm, &others.unanswered);
        perf_bare_kill(bare);
        read_beside(run, stack, bus, PERF_START_PAUSED, &others);
        read_beside(run, stack, bus, PERF_DESTROY, &others);
    }
    sd_bus_flush_close_unref(bus);
    contrast_report(run, stack, "others-of-start-destroy", &others);
}

void perf_case_hang(PerfRun *run)
{
    PerfBare *bare;

    for (guint i = 0; i < run->n_stacks; i++) {
        if (perf_run_serves(run, run->stacks[i]))
            measure_stopped(run, run->stacks[i]);
    }
    for (guint i = 0; i < run->n_stacks; i++)
        perf_guests_define(run->stacks[i], 1, 64, FALSE);
    perf_call(run->stacks[0], PERF_START_PAUSED, PERF_GUEST(0));
    bare = perf_bare_new(run->stacks[0], 1);
    perf_call(run->stacks[0], PERF_DESTROY, PERF_GUEST(0));
    for (guint i = 0; i < run->n_stacks; i++)
        measure_in_flight(run, run->stacks[i], bare);
    perf_bare_free(bare);
    for (guint i = 0; i < run->n_stacks; i++)
        perf_guests_undefine(run->stacks[i], 1);
}
