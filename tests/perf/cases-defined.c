/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cases of defined domains: lists, calls, load, memory, starts of the daemons. No guest runs. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "remove-tree.h"

/* Of the peer's list, each domain costs the same, whether there are a hundred or ten thousand: of
 * more than this only so many are asked for, and the time is scaled. */
#define SEQUENTIAL_MOST 500
#define IN_FLIGHT 64
#define IN_FLIGHT_MOST 2000
#define CLIENTS 8
/* Calls to one stack before the other has its turn. */
#define TURN 20

/* ---- define ---- */

void perf_case_grow(PerfRun *run, guint domains)
{
    g_auto(PerfPair) pair;
    guint from = run->domains;

    perf_pair_init(&pair);
    run->domains = domains;
    for (guint begin = from; begin < domains; begin += 20) {
        for (guint i = 0; i < run->n_stacks; i++) {
            if (!perf_run_serves(run, run->stacks[i]))
                continue;
            for (guint number = begin; number < MIN(begin + 20, domains); number++)
                perf_samples_add(pair.of[i], perf_call(run->stacks[i], PERF_DEFINE, number));
        }
    }
    perf_run_report(run, "define", "µs", &pair, NULL);
}

/* ---- the full list ---- */

static double measure_list(PerfRun *run, PerfStack *stack, guint window, guint most,
                           guint *ret_asked)
{
    guint shown, asked = stack->dialect->list_each == NULL ? run->domains : MIN(run->domains, most);
    double began, took;

    /* The one call that shows all of them is not scaled. */
    began = perf_now();
    perf_list(stack, 0, 1, &shown);
    began = perf_now() - began;
    took = perf_list(stack, asked, window, &shown);
    if (shown != run->domains)
        perf_fail("%s: the list shows %u domains of %u", stack->dialect->name, shown, run->domains);
    *ret_asked = asked;
    if (asked < run->domains && took > began)
        took = began + (took - began) * run->domains / asked;
    return took;
}

static void list_in(PerfRun *run, const char *name, guint window, guint most, guint rounds)
{
    g_auto(PerfPair) pair;
    g_autofree char *note = NULL;

    perf_pair_init(&pair);
    for (guint round = 0; round < perf_run_rounds(run, rounds); round++) {
        for (guint i = 0; i < run->n_stacks; i++) {
            /* A list of one call is over at once; it is asked for more often. */
            guint times = run->stacks[i]->dialect->list_each == NULL ? perf_run_rounds(run, 5) : 1;
            guint asked;

            for (guint j = 0; j < times && perf_run_serves(run, run->stacks[i]); j++) {
                perf_samples_add(pair.of[i],
                                 measure_list(run, run->stacks[i], window, most, &asked));
                if (asked < run->domains && note == NULL)
                    note = g_strdup_printf("of %u domains, scaled", asked);
            }
        }
    }
    perf_run_report(run, name, "µs", &pair, note);
}

/* GDBus tells how long the message is, which sd-bus does not. */
static void list_bytes(PerfRun *run, PerfStack *stack)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) bus =
        g_dbus_connection_new_for_address_sync(stack->address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);
    g_autoptr(GDBusMessage) call = NULL, reply = NULL;
    g_autofree guchar *bytes = NULL;
    gsize size;

    if (bus == NULL)
        perf_fail("%s", error->message);
    call = g_dbus_message_new_method_call(
        "org.virtbus1", "/org/virtbus1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
    reply = g_dbus_connection_send_message_with_reply_sync(
        bus, call, G_DBUS_SEND_MESSAGE_FLAGS_NONE, -1, NULL, NULL, &error);
    if (reply == NULL)
        perf_fail("%s", error->message);
    bytes = g_dbus_message_to_blob(reply, &size, G_DBUS_CAPABILITY_FLAGS_NONE, &error);
    if (bytes == NULL)
        perf_fail("%s", error->message);
    perf_report_value(run->report, "list-bytes", run->domains, stack->dialect->name, "KiB",
                      (double)size / 1024,
                      g_dbus_message_get_message_type(reply) == G_DBUS_MESSAGE_TYPE_ERROR
                          ? g_dbus_message_get_error_name(reply)
                          : NULL);
    g_dbus_connection_close_sync(bus, NULL, NULL);
}

void perf_case_list(PerfRun *run)
{
    list_in(run, "list-sequential", 1, SEQUENTIAL_MOST, 5);
    list_in(run, "list-64-in-flight", IN_FLIGHT, IN_FLIGHT_MOST, 5);
    list_bytes(run, run->stacks[0]);
}

/* ---- single calls ---- */

/* Another domain each time, all over the list. */
static guint spread(const PerfRun *run, guint round)
{
    return (guint)((guint64)round * 7919 % run->domains);
}

static double measure_call(PerfRun *run, PerfStack *stack, guint round, gpointer data)
{
    return perf_call(stack, *(const PerfVerb *)data, spread(run, round));
}

static double measure_undefine(PerfRun *run, PerfStack *stack, guint round, gpointer data)
{
    guint number = spread(run, round);
    double took = perf_call(stack, PERF_UNDEFINE, number);

    perf_call(stack, PERF_DEFINE, number);
    return took;
}

/* GetAll against a ping of the same daemon, one after the other: how fast a call is depends on what
 * the processor did before. */
static void measure_get_all(PerfRun *run)
{
    g_auto(PerfPair) pings, alls;

    perf_pair_init(&pings);
    perf_pair_init(&alls);
    for (guint round = 0; round < perf_run_rounds(run, 2000); round++) {
        PerfStack *stack = run->stacks[round / TURN % run->n_stacks];

        if (!perf_run_serves(run, stack))
            continue;
        perf_samples_add(pings.of[round / TURN % run->n_stacks], perf_call(stack, PERF_PING, 0));
        perf_samples_add(alls.of[round / TURN % run->n_stacks],
                         perf_call(stack, PERF_GET_ALL, spread(run, round)));
    }
    perf_run_report(run, "ping", "µs", &pings, NULL);
    perf_run_report(run, "get-all", "µs", &alls, NULL);
    for (guint i = 0; i < run->n_stacks; i++) {
        g_autofree char *of = g_strdup_printf("%s: get-all / ping", run->stacks[i]->dialect->name);
        perf_report_ratio(run->report, "get-all-over-ping", run->domains, of, alls.of[i],
                          pings.of[i]);
    }
}

void perf_case_calls(PerfRun *run)
{
    static const struct {
        const char *name;
        PerfVerb verb;
        guint rounds;
    } calls[] = {
        {"get-xml", PERF_GET_XML, 400},
        {"lookup-by-name", PERF_BY_NAME, 400},
        {"lookup-by-uuid", PERF_BY_UUID, 400},
        {"define-again", PERF_DEFINE, 200},
        {"statistics-of-all", PERF_STATS_ALL, 10},
    };

    measure_get_all(run);
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++)
        perf_run_measure(run, calls[i].name, calls[i].verb, calls[i].rounds, measure_call,
                         (gpointer)&calls[i].verb, NULL);
    perf_run_measure(run, "undefine", PERF_UNDEFINE, 200, measure_undefine, NULL, NULL);
}

/* ---- load ---- */

void perf_case_load(PerfRun *run)
{
    g_auto(PerfPair) rates, cpu;

    perf_pair_init(&rates);
    perf_pair_init(&cpu);
    for (guint round = 0; round < perf_run_rounds(run, 3); round++) {
        for (guint i = 0; i < run->n_stacks; i++) {
            PerfLoad load;

            if (!perf_run_serves(run, run->stacks[i]))
                continue;
            load = perf_load(run->stacks[i], PERF_GET_ALL, CLIENTS, run->brief ? 0.05 : 2,
                             run->domains);
            perf_samples_add(rates.of[i], load.calls_a_second);
            perf_samples_add(cpu.of[i], load.cpu_a_call * 1e6);
        }
    }
    perf_run_report(run, "get-all-8-clients", "/s", &rates, NULL);
    perf_run_report(run, "get-all-8-clients-cpu", "µs", &cpu, NULL);
}

/* ---- memory ---- */

void perf_case_memory(PerfRun *run, const char *when)
{
    g_auto(PerfPair) pss, private_dirty;
    g_autofree char *pss_name = g_strdup_printf("memory-pss-%s", when);
    g_autofree char *dirty_name = g_strdup_printf("memory-private-dirty-%s", when);

    perf_pair_init(&pss);
    perf_pair_init(&private_dirty);
    for (guint i = 0; i < run->n_stacks; i++) {
        PerfMemory memory;

        if (!perf_run_serves(run, run->stacks[i]))
            continue;
        memory = perf_stack_memory(run->stacks[i]);
        perf_samples_add(pss.of[i], (double)memory.pss);
        perf_samples_add(private_dirty.of[i], (double)memory.private_dirty);
    }
    perf_run_report(run, pss_name, "KiB", &pss, NULL);
    perf_run_report(run, dirty_name, "KiB", &private_dirty, NULL);
}

/* ---- starts of the daemons ---- */

static gboolean drop_page_cache(void)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
    gboolean dropped;

    sync();
    dropped = fd >= 0 && write(fd, "3\n", 2) == 2;
    if (fd >= 0)
        close(fd);
    return dropped;
}

static gboolean remove_cache(PerfStack *stack)
{
    g_autofree char *path = NULL;

    if (stack->dialect->cache == NULL)
        return FALSE;
    path = g_build_filename(stack->dir, stack->dialect->cache, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        vb_remove_tree(path);
    return TRUE;
}

typedef enum { START_WARM, START_NO_INDEX, START_COLD } Start;

static void measure_starts(PerfRun *run, const char *name, Start start, guint rounds)
{
    g_auto(PerfPair) pair;

    perf_pair_init(&pair);
    for (guint round = 0; round < perf_run_rounds(run, rounds); round++) {
        for (guint i = 0; i < run->n_stacks; i++) {
            guint shown;
            double took;

            if (!perf_run_serves(run, run->stacks[i]))
                continue;
            if (start == START_NO_INDEX && run->stacks[i]->dialect->cache == NULL)
                continue;
            perf_stack_stop(run->stacks[i], SIGTERM);
            if (start == START_NO_INDEX)
                remove_cache(run->stacks[i]);
            if (start == START_COLD && !drop_page_cache()) {
                printf("the page cache cannot be dropped here\n");
                perf_stack_start(run->stacks[i], &shown);
                return;
            }
            took = perf_stack_start(run->stacks[i], &shown);
            if (shown != run->domains)
                perf_fail("%s: %u domains after a start, not %u", run->stacks[i]->dialect->name,
                          shown, run->domains);
            perf_samples_add(pair.of[i], took);
        }
    }
    perf_run_report(run, name, "µs", &pair, NULL);
}

void perf_case_cold(PerfRun *run)
{
    measure_starts(run, "daemon-start", START_WARM, 5);
    perf_case_memory(run, "started");
    measure_starts(run, "daemon-start-no-index", START_NO_INDEX, 3);
    if (run->brief)
        return;
    measure_starts(run, "daemon-start-cold-cache", START_COLD, 3);
    for (guint i = 0; i < run->n_stacks; i++) { /* what comes after finds all in the cache again */
        perf_call(run->stacks[i], PERF_DEFINE, PERF_FIRST_GUEST - 1);
        perf_call(run->stacks[i], PERF_UNDEFINE, PERF_FIRST_GUEST - 1);
    }
}

/* ---- who is held by somebody else's list ---- */

static int on_listed(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
    if (sd_bus_message_is_method_error(reply, NULL))
        perf_fail("a list beside pings: %s", sd_bus_message_get_error(reply)->message);
    *(gboolean *)userdata = TRUE;
    return 1;
}

/* The longest ping of somebody while another one's full list is answered. */
void perf_case_hold(PerfRun *run)
{
    PerfStack *stack = run->stacks[0];
    sd_bus *lister = perf_stack_connect(stack);
    g_autoptr(PerfSamples) longest = perf_samples_new();

    for (guint round = 0; round < perf_run_rounds(run, 10); round++) {
        sd_bus_message *call = stack->dialect->message(stack, lister, PERF_LIST, NULL);
        gboolean listed = FALSE;
        double most = 0;

        PERF_CHECK(stack, "send", sd_bus_call_async(lister, NULL, call, on_listed, &listed, 0));
        PERF_CHECK(stack, "send", sd_bus_flush(lister));
        sd_bus_message_unref(call);
        while (!listed) {
            double took = perf_call(stack, PERF_PING, 0);
            most = MAX(most, took);
            PERF_CHECK(stack, "process", sd_bus_process(lister, NULL));
        }
        perf_samples_add(longest, most);
    }
    perf_report_samples(run->report, "longest-ping-beside-list", run->domains, stack->dialect->name,
                        "µs", longest, NULL);
    sd_bus_flush_close_unref(lister);
}
