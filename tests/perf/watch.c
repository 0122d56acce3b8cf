/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfWatch. */
#include "watch.h"

#define SECONDS 30

struct PerfWatch {
    PerfStack *stack;
    PerfDomain domain;
    sd_bus *bus;
    GArray *heard; /* of Heard, not asked for */
};

typedef struct {
    PerfSignal what;
    double when;
} Heard;

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
    PerfWatch *watch = userdata;
    Heard heard = {.when = perf_real_now()};

    heard.what = watch->stack->dialect->signal(m, &watch->domain);
    if (heard.what != PERF_SIGNAL_OTHER)
        g_array_append_val(watch->heard, heard);
    return 0;
}

PerfWatch *perf_watch_new(PerfStack *stack, guint number)
{
    PerfWatch *watch = g_new0(PerfWatch, 1);
    g_autofree char *match = g_strdup_printf("type='signal',sender='%s'", stack->dialect->bus_name);

    watch->stack = stack;
    watch->domain = perf_domain(number);
    watch->heard = g_array_new(FALSE, FALSE, sizeof(Heard));
    watch->bus = perf_stack_connect(stack);
    PERF_CHECK(stack, "a match", sd_bus_add_match(watch->bus, NULL, match, on_signal, watch));
    return watch;
}

void perf_watch_free(PerfWatch *watch)
{
    if (watch == NULL)
        return;
    sd_bus_flush_close_unref(watch->bus);
    g_array_unref(watch->heard);
    g_free(watch);
}

double perf_watch_next(PerfWatch *watch, PerfSignal what)
{
    double deadline = perf_now() + SECONDS * 1e6;

    while (TRUE) {
        int r;

        for (guint i = 0; i < watch->heard->len; i++) {
            Heard heard = g_array_index(watch->heard, Heard, i);
            if (heard.what == what) {
                g_array_remove_range(watch->heard, 0, i + 1);
                return heard.when;
            }
        }
        r = sd_bus_process(watch->bus, NULL);
        PERF_CHECK(watch->stack, "process", r);
        if (r == 0)
            PERF_CHECK(watch->stack, "wait", sd_bus_wait(watch->bus, 100000));
        if (perf_now() > deadline)
            perf_fail("%s: signal %u of %s does not come", watch->stack->dialect->name, what,
                      watch->domain.name);
    }
}

guint perf_watch_drop(PerfWatch *watch, PerfSignal what)
{
    sd_bus_message *ping =
        watch->stack->dialect->message(watch->stack, watch->bus, PERF_PING, NULL);
    guint n = 0;
    int r;

    /* What was sent before the answer comes before it. */
    PERF_CHECK(watch->stack, "ping", sd_bus_call(watch->bus, ping, 0, NULL, NULL));
    sd_bus_message_unref(ping);
    do {
        r = sd_bus_process(watch->bus, NULL);
        PERF_CHECK(watch->stack, "process", r);
    } while (r > 0);
    for (guint i = 0; i < watch->heard->len; i++)
        n += g_array_index(watch->heard, Heard, i).what == what;
    g_array_set_size(watch->heard, 0);
    return n;
}
