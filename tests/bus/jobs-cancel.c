/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The promises of docs/block-jobs.md as a bus client sees them, from the real daemon with the test
 * driver: whichever way the hypervisor cancels, everybody hears of it once, and in order. */
#include "bus-fixture.h"

#include <stdlib.h>
#include <string.h>

#define FAULTS(orders)                                                                             \
    "<test:faults xmlns:test='https://virtbus.org/xmlns/test/1'>" orders "</test:faults>"
#define JOB(attributes, children) "<test:block-job " attributes ">" children "</test:block-job>"
#define SILENT "cancel-mode='silent'"

static char *start_pull(VbBusClient *client, const char *domain)
{
    g_autoptr(GVariant) reply = vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Pull",
                                                   g_variant_new_parsed("('vda', @a{sv} {})"));
    char *job;

    g_variant_get(reply, "(o)", &job);
    return job;
}

static guint32 send_abort(VbBusClient *client, const char *domain, const char *options)
{
    g_autoptr(GVariant) dict = g_variant_ref_sink(g_variant_new_parsed(options));

    return vb_bus_client_send(client, domain, VB_IFACE_BLOCK, "AbortJob",
                              g_variant_new("(s@a{sv})", "vda", dict));
}

static guint count_ends(VbBusClient *client, const char *domain)
{
    return vb_bus_client_count(client, 0, domain, VB_IFACE_BLOCK, "BlockJobCompleted") +
           vb_bus_client_count(client, 0, domain, VB_IFACE_BLOCK, "BlockJobFailed") +
           vb_bus_client_count(client, 0, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
}

/* What every client must have heard, in this order; leaves *position behind it. */
static void expect_canceled(VbBusClient *client, guint *position, const char *domain,
                            const char *job, const char *reason, gboolean synthesized)
{
    const VbBusMessage *signal;
    g_autoptr(GVariant) state = NULL;
    g_autoptr(GVariant) details = NULL;
    const char *path, *disk, *type, *message, *result, *signal_reason;
    gboolean signal_synthesized;

    do {
        g_clear_pointer(&state, g_variant_unref);
        state = vb_bus_client_next_change(client, position, job, VB_IFACE_JOB, "State");
    } while (g_strcmp0(g_variant_get_string(state, NULL), "concluded") != 0);
    signal =
        vb_bus_client_next_signal(client, position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
    g_variant_get(signal->body, "(&o&s&s&s@a{sv})", &path, &disk, &type, &message, &details);
    g_assert_cmpstr(path, ==, job);
    g_assert_cmpstr(disk, ==, "vda");
    g_assert_cmpstr(type, ==, "pull");
    g_assert_true(g_variant_lookup(details, "reason", "&s", &signal_reason));
    g_assert_cmpstr(signal_reason, ==, reason);
    g_assert_true(g_variant_lookup(details, "synthesized", "b", &signal_synthesized));
    g_assert_cmpint(signal_synthesized, ==, synthesized);
    signal = vb_bus_client_next_signal(client, position, job, VB_IFACE_JOB, "Finished");
    g_variant_get_child(signal->body, 0, "&s", &result);
    g_assert_cmpstr(result, ==, "canceled");
}

/* ---- every way to cancel ----------------------------------------------------------------------
 */

typedef struct {
    const char *path;
    const char *faults;
    const char *options;
    gboolean wait; /* the signal must come before the reply */
    gboolean synthesized;
    const char *reason;
} Cancel;

static const Cancel cancels[] = {
    {"E1/reported", NULL, "@a{sv} {}", TRUE, FALSE, "requested"},
    {"E1/reported-async", NULL, "{'async': <true>}", FALSE, FALSE, "requested"},
    {"E1/reported-force", NULL, "{'force': <true>}", TRUE, FALSE, "requested"},
    {"E1/slow", FAULTS(JOB("", "<test:cancel delay='50'/>")), "@a{sv} {}", TRUE, FALSE,
     "requested"},
    {"E1/slow-async", FAULTS(JOB("", "<test:cancel delay='50'/>")), "{'async': <true>}", FALSE,
     FALSE, "requested"},
    {"E1/event-before-reply", FAULTS(JOB("", "<test:cancel delay='20' reply='after-report'/>")),
     "@a{sv} {}", TRUE, FALSE, "requested"},
    {"E2/silent", FAULTS(JOB(SILENT, "")), "@a{sv} {}", TRUE, TRUE, "requested"},
    /* A synthesizing driver signals before the reply with async, too. */
    {"E2/silent-async", FAULTS(JOB(SILENT, "")), "{'async': <true>}", TRUE, TRUE, "requested"},
    {"E2/silent-slow", FAULTS(JOB(SILENT, "<test:cancel delay='50'/>")), "@a{sv} {}", TRUE, TRUE,
     "requested"},
    {"E3/twice", FAULTS(JOB("", "<test:cancel reports='2'/>")), "@a{sv} {}", TRUE, FALSE,
     "requested"},
    {"E3/silent-then-reported", FAULTS(JOB(SILENT, "<test:cancel reports='2'/>")), "@a{sv} {}",
     TRUE, TRUE, "requested"},
    {"E3/lost", FAULTS(JOB("", "<test:cancel reports='0'/>")), "@a{sv} {}", TRUE, TRUE, "vanished"},
    {"E3/crash", FAULTS(JOB("", "<test:cancel result='crash' delay='10'/>")), "@a{sv} {}", TRUE,
     TRUE, "domain-crashed"},
};

static void test_cancel(gconstpointer data)
{
    const Cancel *cancel = data;
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) other = vb_bus_client_new(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", cancel->faults);
    g_autofree char *job = start_pull(client, domain);
    guint position = vb_bus_client_position(client), seen = 0;
    guint32 serial = send_abort(client, domain, cancel->options);
    const VbBusMessage *reply;

    expect_canceled(client, &position, domain, job, cancel->reason, cancel->synthesized);
    if (!cancel->wait)
        position = 0;
    reply = vb_bus_client_next_reply(client, &position, serial);
    g_assert_null(reply->error);
    /* Whoever subscribed has heard the same. */
    expect_canceled(other, &seen, domain, job, cancel->reason, cancel->synthesized);
    vb_bus_client_sync(client);
    vb_bus_client_sync(other);
    g_assert_cmpuint(count_ends(client, domain), ==, 1);
    g_assert_cmpuint(count_ends(other, domain), ==, 1);
    g_assert_cmpuint(vb_bus_client_count(other, 0, job, VB_IFACE_JOB, "Finished"), ==, 1);
}

/* The domain's own change comes after the end of its jobs. */
static void test_destroyed(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS(JOB("", "<test:cancel result='never'/>")));
    g_autofree char *job = start_pull(client, domain);
    guint position = vb_bus_client_position(client);
    guint32 abort = send_abort(client, domain, "@a{sv} {}"), destroy;
    g_autoptr(GVariant) state = NULL;
    guint after;

    vb_bus_client_sync(client);
    destroy = vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Destroy",
                                 g_variant_new_parsed("(@a{sv} {},)"));
    expect_canceled(client, &position, domain, job, "domain-stopped", TRUE);
    after = position;
    g_assert_null(vb_bus_client_next_reply(client, &after, abort)->error);
    state = vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "State");
    g_assert_cmpstr(g_variant_get_string(state, NULL), ==, "shut-off");
    g_assert_null(vb_bus_client_next_reply(client, &position, destroy)->error);
    g_assert_cmpuint(count_ends(client, domain), ==, 1);
}

static void test_refused(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha",
        FAULTS(JOB("", "<test:cancel times='1' result='refused' message='not now'/>")));
    g_autofree char *job = start_pull(client, domain);
    guint32 serial = send_abort(client, domain, "@a{sv} {}");
    g_autofree char *message = vb_bus_client_finish_error(client, serial, "Hypervisor");
    g_autoptr(GVariant) requested = NULL;
    guint position = vb_bus_client_position(client);

    g_assert_nonnull(strstr(message, "not now"));
    requested = vb_bus_client_get(client, job, VB_IFACE_BLOCK_JOB, "CancelRequested");
    g_assert_false(g_variant_get_boolean(requested));
    vb_bus_client_wait_string(client, job, VB_IFACE_JOB, "State", "running");
    g_assert_cmpuint(count_ends(client, domain), ==, 0);
    serial = send_abort(client, domain, "@a{sv} {}");
    expect_canceled(client, &position, domain, job, "requested", FALSE);
    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
}

static void test_completed_first(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS(JOB("", "<test:cancel result='completed'/>")));
    g_autofree char *job = start_pull(client, domain);
    guint position = vb_bus_client_position(client);
    guint32 serial = send_abort(client, domain, "@a{sv} {}");
    g_autofree char *message = NULL;

    vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCompleted");
    vb_bus_client_next_signal(client, &position, job, VB_IFACE_JOB, "Finished");
    vb_bus_client_next_reply(client, &position, serial);
    message = vb_bus_client_finish_error(client, serial, "NoBlockJob");
    g_assert_nonnull(strstr(message, "finished before it could be canceled: completed"));
    g_assert_cmpuint(count_ends(client, domain), ==, 1);
}

/* ---- order and time ---------------------------------------------------------------------------
 */

/* A client that starts the next job as soon as it hears the signal. */
static void test_start_from_handler(gconstpointer faults)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) other = vb_bus_client_new(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", faults);
    g_autofree char *first = start_pull(client, domain);
    g_autofree char *second = NULL;
    guint position = vb_bus_client_position(other);
    guint32 serial = send_abort(client, domain, "@a{sv} {}");

    vb_bus_client_next_signal(other, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
    second = start_pull(other, domain);
    g_assert_cmpstr(first, !=, second);
    g_variant_unref(vb_bus_client_finish(client, serial));
    g_assert_cmpuint(count_ends(client, domain), ==, 1);
    vb_bus_client_wait_string(client, second, VB_IFACE_JOB, "State", "running");
}

static int compare_times(gconstpointer a, gconstpointer b)
{
    gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

    return (first > second) - (first < second);
}

#define READS 21

/* While a cancel hangs, and its monitor with it, everything can be read at once. */
static void test_reads(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain =
        vb_bus_client_start_domain(client, "alpha",
                                   FAULTS("<test:operation name='query' result='hang'/>" JOB(
                                       "", "<test:cancel delay='3600000' reply='after-report'/>")));
    g_autofree char *job = start_pull(client, domain);
    guint32 serial = send_abort(client, domain, "@a{sv} {}");
    gint64 times[READS];
    const char *interfaces[] = {VB_IFACE_JOB, VB_IFACE_BLOCK_JOB, VB_IFACE_DOMAIN};

    for (guint i = 0; i < READS; i++) {
        const char *interface = interfaces[i % G_N_ELEMENTS(interfaces)];
        gint64 before = g_get_monotonic_time();

        g_variant_unref(
            vb_bus_client_call(client, g_str_equal(interface, VB_IFACE_DOMAIN) ? domain : job,
                               VB_IFACE_PROPERTIES, "GetAll", g_variant_new("(s)", interface)));
        times[i] = g_get_monotonic_time() - before;
    }
    qsort(times, READS, sizeof times[0], compare_times);
    g_test_message("median of %d reads: %" G_GINT64_FORMAT " µs", READS, times[READS / 2]);
    g_assert_cmpint(times[READS / 2], <, 50000);
    g_assert_null(vb_bus_client_reply(client, serial));
    /* Nor is anything of the domain locked. */
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Suspend");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Resume");
    g_assert_null(vb_bus_client_reply(client, serial));
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    g_variant_unref(vb_bus_client_finish(client, serial));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(cancels); i++) {
        g_autofree char *path = g_strconcat("/jobs/", cancels[i].path, NULL);

        g_test_add_data_func(path, &cancels[i], test_cancel);
    }
    g_test_add_func("/jobs/E4/refused", test_refused);
    g_test_add_func("/jobs/E5/completed-first", test_completed_first);
    g_test_add_func("/jobs/E5/destroyed", test_destroyed);
    g_test_add_data_func("/jobs/T2/start-from-handler", NULL, test_start_from_handler);
    g_test_add_data_func("/jobs/T2/start-from-handler-silent", FAULTS(JOB(SILENT, "")),
                         test_start_from_handler);
    g_test_add_data_func("/jobs/T2/start-from-handler-slow-clean",
                         FAULTS("<test:operation name='clean' delay='50'/>"),
                         test_start_from_handler);
    g_test_add_func("/jobs/T3/reads", test_reads);

    return g_test_run();
}
