/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfStack: one of the two things that are compared: a private bus, the daemons on it, and what
 * its API is like (PerfDialect: client-virtbus.c, client-peer.c). The cases call both through this.
 * A call that fails ends the benchmark, with its error: what does not work has no time. */
#pragma once

#include <systemd/sd-bus.h>

#include "definitions.h"
#include "process.h"

typedef struct PerfStack PerfStack;

/* One call. */
typedef enum {
    PERF_PING,    /* Peer.Ping of the daemon that answers */
    PERF_LIST,    /* what a frontend asks first */
    PERF_STATE,   /* of a domain, where it is a call of its own */
    PERF_GET_ALL, /* its properties */
    PERF_GET_XML, /* as it is stored */
    PERF_BY_NAME, /* its object */
    PERF_BY_UUID,
    PERF_DEFINE,
    PERF_UNDEFINE,
    PERF_STATS_ALL, /* of all domains, each group that both have */
    PERF_STATS_ONE, /* the same of a domain: its hypervisor is asked */
    PERF_START,
    PERF_START_PAUSED,
    PERF_DESTROY,
    PERF_SUSPEND,
    PERF_RESUME,
    PERF_COPY,        /* starts one of disk vda, to <image a>.copy */
    PERF_CANCEL,      /* that, without waiting for its end */
    PERF_CANCEL_WAIT, /* the same, answered when it has ended */
    PERF_N_VERBS,
} PerfVerb;

/* What a signal says, of those that the cases wait for. */
typedef enum {
    PERF_SIGNAL_OTHER,
    PERF_SIGNAL_SUSPENDED,
    PERF_SIGNAL_RESUMED,
    PERF_SIGNAL_JOB_READY,
    PERF_SIGNAL_JOB_END,
} PerfSignal;

typedef struct {
    const char *name, *bus_name;
    guint most_domains;               /* more it cannot; 0: no such limit */
    const PerfVerb *list_each;        /* after PERF_LIST, these of each domain; NULL: none. They end
                                       * with PERF_N_VERBS */
    const char *cache;                /* below the stack's directory: what a start can do without */
    void (*launch)(PerfStack *stack); /* the daemons, by perf_stack_spawn() */
    /* The call; NULL: there is none such. */
    sd_bus_message *(*message)(PerfStack *stack, sd_bus *bus, PerfVerb verb,
                               const PerfDomain *domain);
    /* How many domains a reply to PERF_LIST shows; all of it is read. */
    guint (*count)(sd_bus_message *reply);
    /* Where a list goes on that does not fit into one message; NULL: it does not. `reply`: the last
     * page, or NULL in the beginning; returns NULL after the last. */
    sd_bus_message *(*page)(PerfStack *stack, sd_bus *bus, sd_bus_message *reply);
    PerfSignal (*signal)(sd_bus_message *message, const PerfDomain *domain);
} PerfDialect;

extern const PerfDialect perf_virtbus, perf_peer;

struct PerfStack {
    const PerfDialect *dialect;
    PerfSite site;
    char *dir;     /* of its files */
    char *address; /* of its bus */
    char *daemon;  /* virtbusd */
    pid_t bus_daemon;
    GArray *daemons; /* of pid_t; empty: it is not running */
    sd_bus *bus;     /* the caller that measures; NULL while it is not running */
};

/* `dir` exists, and what the daemons need below it. The bus runs, the daemons do not. */
PerfStack *perf_stack_new(const PerfDialect *dialect, const char *dir, const char *daemon);
void perf_stack_free(PerfStack *stack); /* ends all; accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PerfStack, perf_stack_free)

/* Launches the daemons and waits until the first list is answered. The µs from the launch to there;
 * the number of domains that it shows. */
double perf_stack_start(PerfStack *stack, guint *ret_domains);
void perf_stack_stop(PerfStack *stack, int number);
/* For launch(). */
void perf_stack_spawn(PerfStack *stack, const char *const *argv, const char *const *env);

/* Another caller, connected to its bus. */
sd_bus *perf_stack_connect(PerfStack *stack);
/* Sums over its daemons, without the bus. */
double perf_stack_cpu(PerfStack *stack);
PerfMemory perf_stack_memory(PerfStack *stack);

/* ---- calls ---- */

gboolean perf_has(PerfStack *stack, PerfVerb verb);
/* The reply, and what it took, µs. */
sd_bus_message *perf_call_reply(PerfStack *stack, PerfVerb verb, const PerfDomain *domain,
                                double *ret_took);
/* What it took, µs. */
double perf_call(PerfStack *stack, PerfVerb verb, guint number);

/* The same, without an end of the benchmark when it fails or has no answer after `seconds`: then
 * *ret_answered is FALSE. */
double perf_try(PerfStack *stack, PerfVerb verb, guint number, guint seconds,
                gboolean *ret_answered);

/* The same call on domains first … first+n-1, all at once. µs until the last is answered. */
double perf_call_many(PerfStack *stack, PerfVerb verb, guint first, guint n);

/* The full list for a frontend, of the first `each` domains where each has to be asked for, with
 * that many calls in flight. µs; of domains that PERF_LIST shows. */
double perf_list(PerfStack *stack, guint each, guint window, guint *ret_domains);

/* `clients` connections, each calls again when it is answered, for that long, over domains
 * 0 … domains-1. */
typedef struct {
    double calls_a_second;
    double cpu_a_call; /* s of all daemons, without the bus */
} PerfLoad;
PerfLoad perf_load(PerfStack *stack, PerfVerb verb, guint clients, double seconds, guint domains);

#define PERF_CHECK(stack, what, r)                                                                 \
    G_STMT_START                                                                                   \
    {                                                                                              \
        int r_ = (r);                                                                              \
        if (r_ < 0)                                                                                \
            perf_fail("%s: %s: %s", (stack)->dialect->name, what, g_strerror(-r_));                \
    }                                                                                              \
    G_STMT_END
