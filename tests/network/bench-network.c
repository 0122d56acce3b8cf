/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Measures how long a network takes from the call to the reply, with and without a dnsmasq that has
 * to start, and what a hundred of them leave. By hand, as root; no test, for it asserts no times:
 *
 *     bench-network [ROUNDS]
 *
 * Build it without sanitizers. */
#include "many.h"

#include <stdlib.h>
#include <unistd.h>

#define HUNDRED 100

static const struct {
    const char *name;
    gboolean dhcp;
    const char *parts;
} kinds[] = {
    {"isolated, no dnsmasq", FALSE, "<dns enable='no'/>"},
    {"NAT, no dnsmasq", FALSE, "<forward mode='nat'/><dns enable='no'/>"},
    {"NAT, dnsmasq for DNS", FALSE, "<forward mode='nat'/>"},
    {"NAT, dnsmasq for DNS and DHCP", TRUE, "<forward mode='nat'/>"},
};

static int compare(gconstpointer a, gconstpointer b)
{
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

    return (x > y) - (x < y);
}

/* µs */
static gint64 time_call(NetHost *host, const char *network, const char *method)
{
    gint64 begin = g_get_monotonic_time();

    vb_bus_client_do(net_host_client(host), network, VB_IFACE_NETWORK, method);
    return g_get_monotonic_time() - begin;
}

static void print_times(const char *what, gint64 *times, guint n)
{
    qsort(times, n, sizeof *times, compare);
    g_print("%8.1f %8.1f   %s\n", times[n / 2] / 1000.0, times[n - 1] / 1000.0, what);
}

static void bench_one(NetHost *host, guint rounds)
{
    g_autofree gint64 *starts = g_new(gint64, rounds), *stops = g_new(gint64, rounds);

    g_print("  median  slowest   ms, of %u rounds\n", rounds);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *xml = many_xml("one", i, kinds[i].dhcp, kinds[i].parts);
        g_autofree char *network = net_host_define(host, xml);
        g_autofree char *start = g_strdup_printf("Start: %s", kinds[i].name);
        g_autofree char *stop = g_strdup_printf("Destroy: %s", kinds[i].name);

        for (guint round = 0; round < rounds; round++) {
            starts[round] = time_call(host, network, "Start");
            stops[round] = time_call(host, network, "Destroy");
        }
        print_times(start, starts, rounds);
        print_times(stop, stops, rounds);
        time_call(host, network, "Undefine");
    }
}

static void print_count(const char *when, const ManyCount *count)
{
    g_print("%8u %8u %10u %6u   %s\n", count->links, count->rules, count->processes, count->fds,
            when);
}

static void bench_hundred(NetHost *host)
{
    g_autoptr(GPtrArray) networks = many_define(host, HUNDRED);
    ManyCount before = many_count(host);
    gint64 begin = g_get_monotonic_time();

    many_do(host, networks, "Start");
    gint64 started = g_get_monotonic_time();
    ManyCount active = many_count(host);
    gint64 stopping = g_get_monotonic_time();
    many_do(host, networks, "Destroy");
    gint64 stopped = g_get_monotonic_time();
    ManyCount after = many_count(host);
    many_do(host, networks, "Undefine");

    g_print("\n%8s %8s %10s %6s\n", "links", "rules", "processes", "fds");
    print_count("before", &before);
    print_count("with a hundred networks", &active);
    print_count("after", &after);
    g_print("\na hundred at once: started in %.0f ms, stopped in %.0f ms\n",
            (started - begin) / 1000.0, (stopped - stopping) / 1000.0);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20;

    if (geteuid() != 0 || rounds < 1) {
        g_printerr("usage, as root: bench-network [ROUNDS]\n");
        return 2;
    }
    g_autoptr(NetHost) host = net_host_new();
    bench_one(host, rounds);
    bench_hundred(host);
    return 0;
}
