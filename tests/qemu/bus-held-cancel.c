/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cancels that take long, because a request of the job hangs: at a breakpoint of blkdebug for as
 * long as the test wants, at an NBD server that takes 3 s for a read, at one that is stopped. What
 * is promised (docs/block-jobs.md) is measured from a client's side of the bus. */
#include "bus-guest.h"

#include <signal.h>

#define PROMISE_US 50000 /* an async cancel, and any read while one is pending */
#define HOLD_US (3 * G_USEC_PER_SEC)

/* ---- figures ----------------------------------------------------------------------------------
 */

static int compare_times(gconstpointer a, gconstpointer b)
{
    gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

    return (first > second) - (first < second);
}

/* The median has to keep the promise; the slowest also tells of the machine. */
static void assert_fast(GArray *times, const char *what)
{
    g_array_sort(times, compare_times);
    gint64 median = g_array_index(times, gint64, times->len / 2);
    gint64 slowest = g_array_index(times, gint64, times->len - 1);

    g_test_message("%s: %u times, median %.1f ms, slowest %.1f ms", what, times->len,
                   median / 1000.0, slowest / 1000.0);
    g_assert_cmpint(median, <, PROMISE_US);
}

static void time_call(VbBusClient *client, GArray *times, const char *path, const char *interface,
                      const char *method, GVariant *params)
{
    gint64 begin = g_get_monotonic_time();
    g_autoptr(GVariant) reply = vb_bus_client_call(client, path, interface, method, params);
    gint64 took = g_get_monotonic_time() - begin;

    g_array_append_val(times, took);
}

/* Reads all that there is to be read of the domain and its job, again and again for 3 s. */
static void read_for_a_while(VbBusClient *client, const char *domain, const char *job)
{
    static const char *const names[] = {"Get",
                                        "GetAll of the domain",
                                        "GetAll of the job",
                                        "GetManagedObjects",
                                        "Introspect of the domain",
                                        "Introspect of the job"};
    GArray *times[G_N_ELEMENTS(names)];
    gint64 end = g_get_monotonic_time() + HOLD_US;

    for (guint i = 0; i < G_N_ELEMENTS(times); i++)
        times[i] = g_array_new(FALSE, FALSE, sizeof(gint64));
    while (g_get_monotonic_time() < end) {
        time_call(client, times[0], domain, VB_IFACE_PROPERTIES, "Get",
                  g_variant_new("(ss)", VB_IFACE_DOMAIN, "State"));
        time_call(client, times[1], domain, VB_IFACE_PROPERTIES, "GetAll",
                  g_variant_new("(s)", VB_IFACE_DOMAIN));
        time_call(client, times[2], job, VB_IFACE_PROPERTIES, "GetAll",
                  g_variant_new("(s)", VB_IFACE_JOB));
        time_call(client, times[3], VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER, "GetManagedObjects",
                  NULL);
        time_call(client, times[4], domain, VB_IFACE_INTROSPECTABLE, "Introspect", NULL);
        time_call(client, times[5], job, VB_IFACE_INTROSPECTABLE, "Introspect", NULL);
    }
    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        assert_fast(times[i], names[i]);
        g_array_unref(times[i]);
    }
}

/* ---- at a breakpoint --------------------------------------------------------------------------
 */

/* A job that hangs at its first read of the base image: a pull, or a copy to that file. */
static char *start_hanging(VbBusFixture *fixture, const char *domain, const char *copy)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);

    guest_debug(fixture, "guest", "break read_aio A");
    char *job = copy != NULL ? guest_start_copy(fixture, client, domain, copy)
                             : guest_start_job(client, domain, "Pull", "('vda', {})");
    guest_await_io(fixture, "guest");
    return job;
}

/* The caller's view: the change, the domain's signal, the job's, the reply. */
static void assert_order(VbBusClient *client, guint from, const char *domain, const char *job,
                         guint32 serial)
{
    guint position = from;
    g_autoptr(GVariant) result =
        vb_bus_client_next_change(client, &position, job, VB_IFACE_JOB, "Result");

    g_assert_cmpstr(g_variant_get_string(result, NULL), ==, "canceled");
    vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
    vb_bus_client_next_signal(client, &position, job, VB_IFACE_JOB, "Finished");
    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
}

typedef struct {
    VbBusClient *client;
    const char *domain;
    guint32 serial; /* of the start in the handler; 0: not yet */
} Restarter;

/* A client that starts the next job from within its handler of the signal. */
static void on_canceled(GDBusConnection *connection, const char *sender, const char *path,
                        const char *interface, const char *member, GVariant *body, gpointer data)
{
    Restarter *restarter = data;

    if (restarter->serial == 0)
        restarter->serial = guest_send(restarter->client, restarter->domain, "Pull", "('vda', {})");
}

static void test_waiting(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    g_autoptr(VbBusClient) reader = vb_bus_client_new(fixture);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    g_autofree char *job = start_hanging(fixture, domain, NULL);
    Restarter restarter = {reader, domain, 0};
    guint from = vb_bus_client_position(client);
    guint32 serial = guest_send(client, domain, "AbortJob", "('vda', {})");

    vb_bus_client_wait_string(reader, job, VB_IFACE_JOB, "State", "finishing");
    read_for_a_while(reader, domain, job);
    g_assert_null(vb_bus_client_reply(client, serial));
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 0);

    guint subscription = g_dbus_connection_signal_subscribe(
        vb_bus_client_connection(reader), NULL, VB_IFACE_BLOCK, "BlockJobCanceled", NULL, NULL,
        G_DBUS_SIGNAL_FLAGS_NONE, on_canceled, &restarter, NULL);
    guest_debug(fixture, "guest", "resume A");
    assert_order(client, from, domain, job, serial);
    GuestEnd end = guest_await_end(client, from, job, "BlockJobCanceled requested");
    g_assert_false(end.synthesized);
    g_assert_cmpstr(end.type, ==, "pull");

    /* The disk was free for whoever heard of it, and the pull does its work now. */
    VB_WAIT_FOR(restarter.serial != 0);
    VB_WAIT_FOR(vb_bus_client_reply(reader, restarter.serial) != NULL);
    g_autofree char *next = guest_job_of(vb_bus_client_reply(reader, restarter.serial));
    guest_await_end(client, from, next, "BlockJobCompleted done");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 2);
    g_dbus_connection_signal_unsubscribe(vb_bus_client_connection(reader), subscription);
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    guest_assert_content(fixture, "top");
}

static void test_async(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(gint64));

    for (guint i = 0; i < 25; i++) {
        /* no pulls: each would leave less to be pulled */
        g_autofree char *copy = g_strdup_printf("copy-%u", i);
        g_autofree char *job = start_hanging(fixture, domain, copy);
        guint from = vb_bus_client_position(client);

        time_call(client, times, domain, VB_IFACE_BLOCK, "AbortJob",
                  g_variant_new_parsed("('vda', {'async': <true>})"));
        g_autoptr(GVariant) requested =
            vb_bus_client_get(client, job, VB_IFACE_BLOCK_JOB, "CancelRequested");
        g_assert_true(g_variant_get_boolean(requested));
        g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 0);
        guest_debug(fixture, "guest", "resume A");
        guest_await_end(client, from, job, "BlockJobCanceled requested");
        g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
    }
    assert_fast(times, "AbortJob async");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
}

/* Second callers are told; a first caller that leaves takes nothing along. */
static void test_callers(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *leaver = vb_bus_client_new(fixture);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) listener = vb_bus_client_new(fixture);
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    g_autofree char *job = start_hanging(fixture, domain, NULL);
    guint from = vb_bus_client_position(client), listened = vb_bus_client_position(listener);

    guest_send(leaver, domain, "AbortJob", "('vda', {})");
    vb_bus_client_wait_string(client, job, VB_IFACE_JOB, "State", "finishing");
    vb_bus_client_free(leaver);

    static const char *const again[] = {"('vda', {})", "('vda', {'async': <true>})",
                                        "('vda', {'force': <true>})"};
    for (guint i = 0; i < G_N_ELEMENTS(again); i++) {
        guint32 serial = guest_send(client, domain, "AbortJob", "%s", again[i]);
        g_free(vb_bus_client_finish_error(client, serial, "BlockJobEnding"));
    }
    g_free(vb_bus_client_call_error(client, job, VB_IFACE_JOB, "Cancel",
                                    g_variant_new_parsed("(@a{sv} {},)"), "BlockJobEnding"));
    g_free(vb_bus_client_call_error(client, domain, VB_IFACE_BLOCK, "Pull",
                                    g_variant_new_parsed("('vda', @a{sv} {})"), "Busy"));

    guest_debug(fixture, "guest", "resume A");
    guest_await_end(client, from, job, "BlockJobCanceled requested");
    guest_await_end(listener, listened, job, "BlockJobCanceled requested");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    vb_bus_client_sync(listener);
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
    g_assert_cmpuint(guest_count_ends(listener, listened, NULL), ==, 1);
}

/* ---- an NBD server ----------------------------------------------------------------------------
 */

static void test_slow_server(void)
{
    static const char *const plugin[] = {"--filter=delay", "pattern", "16M", "rdelay=3", NULL};
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(GSubprocess) server = guest_start_nbd(fixture, "-r", plugin);
    g_autofree char *domain = guest_start_on_nbd(fixture);
    g_autofree char *job = guest_start_job(client, domain, "Pull", "('vda', {})");
    guest_await_io(fixture, "guest");
    guint from = vb_bus_client_position(client);
    gint64 begin = g_get_monotonic_time();
    guint32 serial = guest_send(client, domain, "AbortJob", "('vda', {})");

    assert_order(client, from, domain, job, serial);
    g_test_message("the cancel took %" G_GINT64_FORMAT " ms",
                   (g_get_monotonic_time() - begin) / 1000);
    guest_await_end(client, from, job, "BlockJobCanceled requested");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    guest_stop_nbd(fixture, server);
}

/* Nothing but SIGKILL ends a QEMU whose I/O hangs: within 8 s, and the job's end comes first. */
static void test_destroy(gconstpointer data)
{
    const char *options = data;
    static const char *const plugin[] = {"pattern", "16M", NULL};
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) destroyer = vb_bus_client_new(fixture);
    g_autoptr(GSubprocess) server = guest_start_nbd(fixture, "-r", plugin);
    g_autofree char *domain = guest_start_on_nbd(fixture);
    GPid pid = guest_pid(fixture, domain);

    g_subprocess_send_signal(server, SIGSTOP);
    g_autofree char *job = guest_start_job(client, domain, "Pull", "('vda', {})");
    guest_await_io(fixture, "guest"); /* QEMU itself ends a job that has nothing under way */
    guint from = vb_bus_client_position(client), position = from;
    guint32 abort = 0;
    if (options != NULL) {
        abort = guest_send(client, domain, "AbortJob", "%s", options);
        vb_bus_client_wait_string(client, job, VB_IFACE_JOB, "State", "finishing");
    }
    gint64 begin = g_get_monotonic_time();
    vb_bus_client_do(destroyer, domain, VB_IFACE_DOMAIN, "Destroy");
    gint64 took = g_get_monotonic_time() - begin;

    g_test_message("Destroy took %" G_GINT64_FORMAT " ms", took / 1000);
    g_assert_cmpint(took, <, 8 * G_USEC_PER_SEC);
    g_assert_false(guest_is_alive(pid));
    GuestEnd end = guest_await_end(client, from, job, "BlockJobCanceled domain-stopped");
    g_assert_true(end.synthesized);
    vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
    g_autoptr(GVariant) state =
        vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "State");
    g_assert_cmpstr(g_variant_get_string(state, NULL), ==, "shut-off");
    if (options != NULL)
        g_variant_unref(vb_bus_client_finish(client, abort));
    vb_bus_client_sync(client);
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
    guest_assert_result(client, job, "canceled");
    guest_stop_nbd(fixture, server);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/held-cancel/waiting", test_waiting);
    g_test_add_func("/held-cancel/async", test_async);
    g_test_add_func("/held-cancel/callers", test_callers);
    g_test_add_func("/held-cancel/slow-server", test_slow_server);
    g_test_add_data_func("/held-cancel/destroy", NULL, test_destroy);
    g_test_add_data_func("/held-cancel/destroy-canceling", "('vda', {})", test_destroy);
    g_test_add_data_func("/held-cancel/destroy-async", "('vda', {'async': <true>})", test_destroy);
    return g_test_run();
}
