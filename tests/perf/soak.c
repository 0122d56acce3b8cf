/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The soak. In rounds: each begins and ends without a domain, so that at its end everything that is
 * there is too much. In its first half the daemon is killed and restarted now and then, in whatever
 * state its guests and jobs are; in its second it lives, and its memory has to be flat once the
 * jobs that are shown for a minute after their end are as many as they will be. */
#include "soak.h"

#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guests.h"
#include "watch.h"

#define GUESTS 5
#define STEPS 60 /* of a round */
#define RESTART_ONE_IN 100
/* Longer than ended jobs are kept, s. */
#define WARM_UP 65
/* KiB; what malloc keeps differs by as much from round to round. */
#define MEMORY_SLACK 384
#define MEMORY_SAMPLES 6

typedef struct {
    gboolean defined, running, paused, has_job;
    gboolean ending; /* an end of its job is due */
    PerfWatch *watch;
} Guest;

typedef struct {
    PerfStack *stack;
    GRand *random;
    Guest guests[GUESTS];
    guint64 calls, jobs, restarts, rounds;
} Soak;

static void call(Soak *soak, PerfVerb verb, guint n)
{
    perf_call(soak->stack, verb, PERF_GUEST(n));
    soak->calls++;
}

static gboolean one_in(Soak *soak, gint32 n)
{
    return g_rand_int_range(soak->random, 0, n) == 0;
}

/* ---- work ---- */

static void start(Soak *soak, guint n)
{
    Guest *guest = &soak->guests[n];

    guest->paused = one_in(soak, 2);
    call(soak, guest->paused ? PERF_START_PAUSED : PERF_START, n);
    guest->running = TRUE;
}

static void start_job(Soak *soak, guint n)
{
    PerfDomain domain = perf_domain(PERF_GUEST(n));
    g_autofree char *image = perf_domain_image(&domain, &soak->stack->site, 'a');
    g_autofree char *copy = g_strconcat(image, ".copy", NULL);

    unlink(copy);
    call(soak, PERF_COPY, n);
    soak->jobs++;
    soak->guests[n].has_job = TRUE;
}

static void end_job(Soak *soak, guint n, PerfVerb verb)
{
    call(soak, verb, n);
    soak->guests[n].has_job = FALSE;
    soak->guests[n].ending = TRUE;
}

static void destroy(Soak *soak, guint n)
{
    Guest *guest = &soak->guests[n];

    call(soak, PERF_DESTROY, n);
    guest->ending |= guest->has_job;
    guest->running = guest->has_job = FALSE;
}

static void define(Soak *soak, guint n)
{
    call(soak, PERF_DEFINE, n);
    soak->guests[n].defined = TRUE;
}

static void undefine(Soak *soak, guint n)
{
    call(soak, PERF_UNDEFINE, n);
    soak->guests[n].defined = FALSE;
}

static void pause_or_resume(Soak *soak, guint n)
{
    Guest *guest = &soak->guests[n];

    call(soak, guest->paused ? PERF_RESUME : PERF_SUSPEND, n);
    guest->paused = !guest->paused;
}

static void settle(Guest *guest)
{
    if (guest->ending)
        perf_watch_next(guest->watch, PERF_SIGNAL_JOB_END);
    guest->ending = FALSE;
}

static void step_running(Soak *soak, guint n)
{
    switch (g_rand_int_range(soak->random, 0, 5)) {
    case 0:
        destroy(soak, n);
        break;
    case 1:
        pause_or_resume(soak, n);
        break;
    case 2:
        call(soak, PERF_STATS_ONE, n);
        break;
    default:
        if (soak->guests[n].has_job)
            end_job(soak, n, one_in(soak, 2) ? PERF_CANCEL : PERF_CANCEL_WAIT);
        else
            start_job(soak, n);
    }
}

static void step(Soak *soak)
{
    guint n = (guint)g_rand_int_range(soak->random, 0, GUESTS);
    Guest *guest = &soak->guests[n];

    settle(guest);
    if (!guest->defined)
        define(soak, n);
    else if (guest->running)
        step_running(soak, n);
    else if (one_in(soak, 5))
        undefine(soak, n);
    else if (one_in(soak, 5))
        define(soak, n); /* again */
    else
        start(soak, n);
}

static guint defined(const Soak *soak)
{
    guint n = 0;

    for (guint i = 0; i < GUESTS; i++)
        n += soak->guests[i].defined;
    return n;
}

static void restart(Soak *soak)
{
    guint shown;

    perf_stack_stop(soak->stack, one_in(soak, 3) ? SIGTERM : SIGKILL);
    perf_stack_start(soak->stack, &shown);
    if (shown != defined(soak))
        perf_fail("%u domains after a restart, not %u", shown, defined(soak));
    soak->restarts++;
}

static void end_round(Soak *soak)
{
    for (guint n = 0; n < GUESTS; n++) {
        Guest *guest = &soak->guests[n];
        guint more;

        settle(guest);
        if (guest->running)
            destroy(soak, n);
        settle(guest);
        if (guest->defined)
            undefine(soak, n);
        if ((more = perf_watch_drop(guest->watch, PERF_SIGNAL_JOB_END)) > 0)
            perf_fail("guest %u: %u ends of jobs too many", n, more);
    }
    soak->rounds++;
}

static void run_round(Soak *soak, gboolean with_restarts)
{
    for (guint i = 0; i < STEPS; i++) {
        step(soak);
        if (with_restarts && one_in(soak, RESTART_ONE_IN))
            restart(soak);
    }
    end_round(soak);
}

/* ---- what is left ---- */

static pid_t daemon_pid(const Soak *soak)
{
    return g_array_index(soak->stack->daemons, pid_t, 0);
}

/* Entries of the dictionary that PERF_LIST answers with. */
static guint count_objects(Soak *soak)
{
    sd_bus_message *reply = perf_call_reply(soak->stack, PERF_LIST, NULL, NULL);
    guint n = 0;

    PERF_CHECK(soak->stack, "objects", sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"));
    while (sd_bus_message_at_end(reply, FALSE) == 0) {
        PERF_CHECK(soak->stack, "objects", sd_bus_message_skip(reply, "{oa{sa{sv}}}"));
        n++;
    }
    sd_bus_message_unref(reply);
    return n;
}

/* What stays: a cache, and the numbers that were given out. */
static gboolean is_kept(const char *name)
{
    return g_str_equal(name, "cache") || g_str_equal(name, "counters");
}

static void collect_files(const char *dir, GHashTable *files)
{
    g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
    const char *name;

    while (entries != NULL && (name = g_dir_read_name(entries)) != NULL) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        if (is_kept(name))
            continue;
        if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
            collect_files(path, files);
        else
            g_hash_table_add(files, g_steal_pointer(&path));
    }
}

/* What is there when no domain is. */
typedef struct {
    guint objects, fds;
    GHashTable *files; /* below the daemon's root (element-type filename) */
} Rest;

static Rest rest_take(Soak *soak)
{
    g_autofree char *root = g_build_filename(soak->stack->dir, "root", NULL);
    Rest rest = {count_objects(soak), perf_process_fds(daemon_pid(soak)),
                 g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};

    collect_files(root, rest.files);
    return rest;
}

static void rest_clear(Rest *rest)
{
    g_hash_table_unref(rest->files);
}

static guint rest_report_leaks(const Rest *before, const Rest *after)
{
    GHashTableIter iter;
    const char *path;
    guint leaks = 0;

    if (after->objects > before->objects)
        leaks += (guint)printf("leaked: %u objects\n", after->objects - before->objects) > 0;
    if (after->fds > before->fds)
        leaks += (guint)printf("leaked: %u descriptors\n", after->fds - before->fds) > 0;
    g_hash_table_iter_init(&iter, after->files);
    while (g_hash_table_iter_next(&iter, (gpointer *)&path, NULL))
        if (!g_hash_table_contains(before->files, path))
            leaks += (guint)printf("leaked: file %s\n", path) > 0;
    return leaks;
}

static guint report_processes(Soak *soak)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/task/%d/children", (int)daemon_pid(soak), (int)daemon_pid(soak));
    g_autofree char *children = NULL;
    guint leaks = perf_guests_running(GUESTS);

    if (leaks > 0)
        printf("leaked: %u guests\n", leaks);
    if (g_file_get_contents(path, &children, NULL, NULL) && *g_strstrip(children) != '\0')
        leaks += (guint)printf("leaked: processes %s\n", children) > 0;
    return leaks;
}

static double mean(const GArray *samples, guint from, guint to)
{
    double sum = 0;

    for (guint i = from; i < to; i++)
        sum += g_array_index(samples, double, i);
    return sum / (to - from);
}

/* KiB of private dirty memory at the ends of rounds. */
static guint report_memory(const GArray *samples)
{
    double first, last;

    if (samples->len < MEMORY_SAMPLES) {
        printf("memory: too short a soak to tell\n");
        return 0;
    }
    first = mean(samples, 0, samples->len / 2);
    last = mean(samples, samples->len / 2, samples->len);
    printf("memory: %.0f KiB, later %.0f KiB (%u samples)\n", first, last, samples->len);
    return last > first + MEMORY_SLACK ? (guint)printf("leaked: %.0f KiB\n", last - first) > 0 : 0;
}

/* Ended jobs are objects for a minute. */
static Rest wait_for_rest(Soak *soak, guint objects)
{
    double deadline = perf_now() + (WARM_UP + 30) * 1e6;
    Rest rest = rest_take(soak);

    while (rest.objects > objects && perf_now() < deadline &&
           !perf_process_pause(daemon_pid(soak), 500)) {
        rest_clear(&rest);
        rest = rest_take(soak);
    }
    return rest;
}

/* ---- the soak ---- */

/* `before`: all that was there before the first round. */
static guint run_second_half(Soak *soak, Rest *before, double end)
{
    g_autoptr(GArray) samples = g_array_new(FALSE, FALSE, sizeof(double));
    double warm = perf_now() + WARM_UP * 1e6;
    Rest after;
    guint leaks;

    run_round(soak, FALSE);
    /* Some are opened when they are needed first. */
    before->fds = perf_process_fds(daemon_pid(soak));
    do {
        run_round(soak, FALSE);
        if (perf_now() > warm) {
            double memory = (double)perf_stack_memory(soak->stack).private_dirty;

            g_array_append_val(samples, memory);
        }
    } while (perf_now() < end);
    after = wait_for_rest(soak, before->objects);
    leaks = rest_report_leaks(before, &after) + report_processes(soak) + report_memory(samples);
    rest_clear(&after);
    return leaks;
}

void perf_soak(PerfStack *stack, double minutes, guint32 seed)
{
    Soak soak = {.stack = stack, .random = g_rand_new_with_seed(seed)};
    double begin = perf_now(), half = begin + minutes * 30e6;
    Rest before = rest_take(&soak);
    guint leaks;

    printf("seed %u\n", seed);
    perf_guests_define(stack, GUESTS, 64, FALSE);
    for (guint i = 0; i < GUESTS; i++) {
        soak.guests[i].defined = TRUE;
        soak.guests[i].watch = perf_watch_new(stack, PERF_GUEST(i));
    }
    do
        run_round(&soak, TRUE);
    while (perf_now() < half);
    restart(&soak);
    leaks = run_second_half(&soak, &before, begin + minutes * 60e6);
    printf("%" G_GUINT64_FORMAT " rounds, %" G_GUINT64_FORMAT " calls, %" G_GUINT64_FORMAT
           " jobs, each with one end, %" G_GUINT64_FORMAT " restarts\n",
           soak.rounds, soak.calls, soak.jobs, soak.restarts);
    for (guint i = 0; i < GUESTS; i++) {
        perf_watch_free(soak.guests[i].watch);
        perf_call(stack, PERF_DEFINE, PERF_GUEST(i));
    }
    perf_guests_undefine(stack, GUESTS);
    rest_clear(&before);
    g_rand_free(soak.random);
    if (leaks > 0)
        perf_fail("the soak with seed %u left %u things", seed, leaks);
}
