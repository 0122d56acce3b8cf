/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the cases do with a PerfStack: a call, many in flight, many callers. */
#include "stack.h"

#include <systemd/sd-event.h>

gboolean perf_has(PerfStack *stack, PerfVerb verb)
{
    PerfDomain domain = perf_domain(0);
    sd_bus_message *call = stack->dialect->message(stack, stack->bus, verb, &domain);
    gboolean has = call != NULL;

    sd_bus_message_unref(call);
    return has;
}

sd_bus_message *perf_call_reply(PerfStack *stack, PerfVerb verb, const PerfDomain *domain,
                                double *ret_took)
{
    sd_bus_message *call = stack->dialect->message(stack, stack->bus, verb, domain), *reply = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    double begin = perf_now();

    if (sd_bus_call(stack->bus, call, 0, &error, &reply) < 0)
        perf_fail("%s: %s of %s: %s: %s", stack->dialect->name, sd_bus_message_get_member(call),
                  domain == NULL ? "all" : domain->name, error.name, error.message);
    if (ret_took != NULL)
        *ret_took = perf_now() - begin;
    sd_bus_message_unref(call);
    return reply;
}

double perf_call(PerfStack *stack, PerfVerb verb, guint number)
{
    PerfDomain domain = perf_domain(number);
    double took;

    sd_bus_message_unref(perf_call_reply(stack, verb, &domain, &took));
    return took;
}

double perf_try(PerfStack *stack, PerfVerb verb, guint number, guint seconds,
                gboolean *ret_answered)
{
    PerfDomain domain = perf_domain(number);
    sd_bus_message *call = stack->dialect->message(stack, stack->bus, verb, &domain), *reply = NULL;
    double begin = perf_now(), took;

    *ret_answered =
        sd_bus_call(stack->bus, call, seconds * (guint64)G_USEC_PER_SEC, NULL, &reply) >= 0;
    took = perf_now() - begin;
    sd_bus_message_unref(call);
    sd_bus_message_unref(reply);
    return took;
}

/* ---- many in flight ---- */

typedef struct {
    PerfStack *stack;
    sd_bus *bus;
    const PerfVerb *verbs; /* up to PERF_N_VERBS, for each domain in turn */
    guint end_domain;      /* up to this one */
    guint next_domain, next_verb;
    guint flying;
} Flight;

static int on_flight_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error);

/* The next call; FALSE: there is none. */
static gboolean fly(Flight *flight)
{
    PerfDomain domain;
    sd_bus_message *call;

    if (flight->next_domain == flight->end_domain)
        return FALSE;
    domain = perf_domain(flight->next_domain);
    call = flight->stack->dialect->message(flight->stack, flight->bus,
                                           flight->verbs[flight->next_verb], &domain);
    PERF_CHECK(flight->stack, "send",
               sd_bus_call_async(flight->bus, NULL, call, on_flight_reply, flight, 0));
    sd_bus_message_unref(call);
    flight->flying++;
    flight->next_verb++;
    if (flight->verbs[flight->next_verb] == PERF_N_VERBS) {
        flight->next_verb = 0;
        flight->next_domain++;
    }
    return TRUE;
}

static int on_flight_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
    Flight *flight = userdata;

    if (sd_bus_message_is_method_error(reply, NULL))
        perf_fail("%s: %s: %s", flight->stack->dialect->name, sd_bus_message_get_error(reply)->name,
                  sd_bus_message_get_error(reply)->message);
    flight->flying--;
    fly(flight);
    return 1;
}

static void fly_all(Flight *flight, guint window)
{
    while (flight->flying < window && fly(flight))
        ;
    while (flight->flying > 0) {
        int r = sd_bus_process(flight->bus, NULL);
        PERF_CHECK(flight->stack, "process", r);
        if (r == 0)
            PERF_CHECK(flight->stack, "wait", sd_bus_wait(flight->bus, UINT64_MAX));
    }
}

double perf_call_many(PerfStack *stack, PerfVerb verb, guint first, guint n)
{
    const PerfVerb verbs[] = {verb, PERF_N_VERBS};
    Flight flight = {.stack = stack,
                     .bus = stack->bus,
                     .verbs = verbs,
                     .next_domain = first,
                     .end_domain = first + n};
    double begin = perf_now();

    fly_all(&flight, n);
    return perf_now() - begin;
}

/* ---- the full list ---- */

static guint list_pages(PerfStack *stack)
{
    sd_bus_message *last = NULL;
    guint domains = 0;

    while (TRUE) {
        sd_bus_message *call = stack->dialect->page(stack, stack->bus, last), *reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;

        sd_bus_message_unref(last);
        if (call == NULL)
            return domains;
        if (sd_bus_call(stack->bus, call, 0, &error, &reply) < 0)
            perf_fail("%s: a page: %s: %s", stack->dialect->name, error.name, error.message);
        sd_bus_message_unref(call);
        domains += stack->dialect->count(reply);
        last = reply;
    }
}

double perf_list(PerfStack *stack, guint each, guint window, guint *ret_domains)
{
    sd_bus_message *call = stack->dialect->message(stack, stack->bus, PERF_LIST, NULL);
    sd_bus_message *reply = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    Flight flight = {
        .stack = stack, .bus = stack->bus, .verbs = stack->dialect->list_each, .end_domain = each};
    double begin = perf_now();
    int r = sd_bus_call(stack->bus, call, 0, &error, &reply);

    if (r >= 0)
        *ret_domains = stack->dialect->count(reply);
    else if (stack->dialect->page != NULL &&
             sd_bus_error_has_name(&error, SD_BUS_ERROR_LIMITS_EXCEEDED))
        *ret_domains = list_pages(stack);
    else
        perf_fail("%s: the list: %s: %s", stack->dialect->name, error.name, error.message);
    if (flight.verbs != NULL)
        fly_all(&flight, window);
    sd_bus_message_unref(call);
    sd_bus_message_unref(reply);
    sd_bus_error_free(&error);
    return perf_now() - begin;
}

/* ---- many callers ---- */

typedef struct {
    PerfStack *stack;
    PerfVerb verb;
    guint domains, next;
    guint64 answered;
    gboolean over;
    guint flying;
    sd_event *event;
} Load;

typedef struct {
    Load *load;
    sd_bus *bus;
} Caller;

static int on_load_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error);

static void load_call(Caller *caller)
{
    Load *load = caller->load;
    PerfDomain domain = perf_domain(load->next++ % load->domains);
    sd_bus_message *call =
        load->stack->dialect->message(load->stack, caller->bus, load->verb, &domain);

    PERF_CHECK(load->stack, "send",
               sd_bus_call_async(caller->bus, NULL, call, on_load_reply, caller, 0));
    sd_bus_message_unref(call);
    load->flying++;
}

static int on_load_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
    Caller *caller = userdata;
    Load *load = caller->load;

    if (sd_bus_message_is_method_error(reply, NULL))
        perf_fail("%s: under load: %s: %s", load->stack->dialect->name,
                  sd_bus_message_get_error(reply)->name, sd_bus_message_get_error(reply)->message);
    load->flying--;
    load->answered += !load->over;
    if (!load->over)
        load_call(caller);
    else if (load->flying == 0)
        sd_event_exit(load->event, 0);
    return 1;
}

static int on_load_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    ((Load *)userdata)->over = TRUE;
    return 0;
}

PerfLoad perf_load(PerfStack *stack, PerfVerb verb, guint clients, double seconds, guint domains)
{
    Load load = {.stack = stack, .verb = verb, .domains = domains};
    g_autofree Caller *callers = g_new0(Caller, clients);
    double begin, took, cpu;

    PERF_CHECK(stack, "an event loop", sd_event_new(&load.event));
    for (guint i = 0; i < clients; i++) {
        callers[i] = (Caller){.load = &load, .bus = perf_stack_connect(stack)};
        PERF_CHECK(stack, "attach", sd_bus_attach_event(callers[i].bus, load.event, 0));
    }
    PERF_CHECK(stack, "a timer",
               sd_event_add_time_relative(load.event, NULL, CLOCK_MONOTONIC,
                                          (guint64)(seconds * 1e6), 1000, on_load_over, &load));
    cpu = perf_stack_cpu(stack);
    begin = perf_now();
    for (guint i = 0; i < clients; i++)
        load_call(&callers[i]);
    PERF_CHECK(stack, "the load", sd_event_loop(load.event));
    took = perf_now() - begin;
    cpu = perf_stack_cpu(stack) - cpu;
    for (guint i = 0; i < clients; i++) {
        sd_bus_detach_event(callers[i].bus);
        sd_bus_flush_close_unref(callers[i].bus);
    }
    sd_event_unref(load.event);
    return (PerfLoad){
        .calls_a_second = (double)load.answered / took * 1e6,
        .cpu_a_call = cpu / (double)MAX(load.answered, 1),
    };
}
