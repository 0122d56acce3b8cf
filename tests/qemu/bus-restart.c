/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A virtbusd that goes and comes back finds its guests, their jobs and their numbers again,
 * whatever became of them meanwhile. (What a kill in the midst of a job's life does: bus-kill9.c.)
 */
#include "bus-guest.h"

#include <signal.h>
#include <string.h>

/* Also: the name is owned, and all domains are exported, within a second and a bit. */
#define RESPONSIVE_US (5 * G_USEC_PER_SEC)

static const char options[] = "(@a{sv} {},)";

static char *start_tiny(VbBusFixture *fixture, const char *name, gboolean paused)
{
    g_autofree char *disk = guest_file_disk(fixture, name, "vda");
    g_autofree char *xml = guest_xml(fixture, name, disk, NULL);

    guest_make_tiny(fixture, name);
    return guest_start(vb_bus_fixture_client(fixture), xml, paused);
}

static void assert_state(VbBusClient *client, const char *domain, const char *expected)
{
    g_autofree char *state = vb_bus_client_get_string(client, domain, VB_IFACE_DOMAIN, "State");

    g_assert_cmpstr(state, ==, expected);
}

static void assert_job_state(VbBusClient *client, const char *job, const char *expected)
{
    g_autofree char *state = vb_bus_client_get_string(client, job, VB_IFACE_JOB, "State");

    g_assert_cmpstr(state, ==, expected);
}

static gboolean is_responsive(VbBusClient *client, const char *domain)
{
    g_autoptr(GVariant) value = vb_bus_client_get(client, domain, VB_IFACE_DOMAIN, "Responsive");

    return g_variant_get_boolean(value);
}

static guint32 get_id(VbBusClient *client, const char *domain)
{
    g_autoptr(GVariant) value = vb_bus_client_get(client, domain, VB_IFACE_DOMAIN, "Id");

    return g_variant_get_uint32(value);
}

static void restart(VbBusFixture *fixture)
{
    vb_bus_fixture_stop_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
}

/* ---- nothing is lost --------------------------------------------------------------------------
 */

static void test_guests(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *runs = start_tiny(fixture, "runs", FALSE);
    g_autofree char *paused = start_tiny(fixture, "paused", TRUE);
    g_autofree char *pulls = guest_start_on_chain(fixture, FALSE);
    g_autofree char *copies = start_tiny(fixture, "copies", FALSE);
    const char *const domains[] = {runs, paused, pulls, copies};
    GPid pids[G_N_ELEMENTS(domains)];
    guint32 ids[G_N_ELEMENTS(domains)];

    g_autofree char *pull =
        guest_start_job(client, pulls, "Pull", "('vda', {'bandwidth': <uint64 262144>})");
    g_autofree char *copy = guest_start_copy(fixture, client, copies, "copy");
    guest_wait_ready(client, copy);
    for (guint i = 0; i < G_N_ELEMENTS(domains); i++) {
        pids[i] = guest_pid(fixture, domains[i]);
        ids[i] = get_id(client, domains[i]);
    }
    guint from = vb_bus_client_position(client);
    restart(fixture);
    vb_bus_client_sync(client);

    for (guint i = 0; i < G_N_ELEMENTS(domains); i++) {
        assert_state(client, domains[i], i == 1 ? "paused" : "running");
        g_assert_true(is_responsive(client, domains[i]));
        g_assert_cmpint(guest_pid(fixture, domains[i]), ==, pids[i]);
        g_assert_true(guest_is_alive(pids[i]));
        g_assert_cmpuint(get_id(client, domains[i]), ==, ids[i]);
    }
    assert_job_state(client, pull, "running");
    assert_job_state(client, copy, "ready");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 0);
    g_assert_cmpuint(vb_bus_client_count(client, from, NULL, VB_IFACE_BLOCK, "BlockJobReady"), ==,
                     0);

    /* And everything can be done with them: the jobs end, the next has the next number. */
    g_variant_unref(vb_bus_client_finish(
        client, guest_send(client, copies, "AbortJob", "('vda', {'pivot': <true>})")));
    guest_await_end(client, from, copy, "BlockJobCompleted done");
    vb_bus_client_do(client, pull, VB_IFACE_JOB, "Cancel");
    guest_await_end(client, from, pull, "BlockJobCanceled requested");
    g_autofree char *next = guest_start_job(client, pulls, "Pull", "('vda', {})");
    g_assert_cmpstr(next, ==, "/org/virtbus1/job/3");
    guest_await_end(client, from, next, "BlockJobCompleted done");
    vb_bus_client_do(client, paused, VB_IFACE_DOMAIN, "Resume");
    assert_state(client, paused, "running");
    vb_bus_client_do(client, runs, VB_IFACE_DOMAIN, "Suspend");
    assert_state(client, runs, "paused");
    for (guint i = 0; i < G_N_ELEMENTS(domains); i++) {
        vb_bus_client_do(client, domains[i], VB_IFACE_DOMAIN, "Destroy");
        g_assert_false(guest_is_alive(pids[i]));
    }
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 3);
}

/* Several pulls ended while nobody looked: QEMU keeps them all until they are dismissed. */
static void test_ended_meanwhile(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(GString) disks = g_string_new(NULL);
    char *jobs[3];

    for (guint i = 0; i < G_N_ELEMENTS(jobs); i++) {
        g_autofree char *target = g_strdup_printf("vd%c", 'a' + i);
        guest_make_tiny(fixture, target);
        g_autofree char *disk = guest_file_disk(fixture, target, target);
        g_string_append(disks, disk);
    }
    g_autofree char *xml = guest_xml(fixture, "guest", disks->str, NULL);
    g_autofree char *domain = guest_start(client, xml, TRUE);
    GPid pid = guest_pid(fixture, domain);
    for (guint i = 0; i < G_N_ELEMENTS(jobs); i++)
        jobs[i] =
            guest_start_job(client, domain, "Pull", "('vd%c', {'bandwidth': <uint64 1>})", 'a' + i);
    guint from = vb_bus_client_position(client);
    vb_bus_fixture_stop_daemon(fixture);
    for (guint i = 0; i < G_N_ELEMENTS(jobs); i++) {
        g_autofree char *command =
            g_strdup_printf("{\"execute\": \"block-job-set-speed\", \"arguments\": {\"device\": "
                            "\"pull-vd%c-%u\", \"speed\": 0}}",
                            'a' + i, i + 1);
        g_free(guest_monitor(fixture, "guest", command));
    }
    guest_await_monitor(fixture, "guest", "{\"execute\": \"query-block-jobs\"}",
                        "\"status\": \"running\"", FALSE);
    vb_bus_fixture_start_daemon(fixture);
    for (guint i = 0; i < G_N_ELEMENTS(jobs); i++) {
        GuestEnd end = guest_await_end(client, from, jobs[i], "BlockJobCompleted done");
        g_assert_true(end.synthesized);
        guest_assert_result(client, jobs[i], "completed");
        g_free(jobs[i]);
    }
    g_assert_cmpint(guest_pid(fixture, domain), ==, pid);
    g_assert_true(guest_is_alive(pid));
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, G_N_ELEMENTS(jobs));
}

static void test_transient(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *disk = guest_file_disk(fixture, "tiny", "vda");
    g_autofree char *xml = guest_xml(fixture, "tiny", disk, NULL);
    const char *domain;

    guest_make_tiny(fixture, "tiny");
    g_autoptr(GVariant) created =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CreateDomain",
                           g_variant_new_parsed("(%s, @a{sv} {})", xml));
    g_variant_get(created, "(&o)", &domain);
    GPid pid = guest_pid(fixture, domain);
    restart(fixture);
    assert_state(client, domain, "running");
    g_autoptr(GVariant) persistent =
        vb_bus_client_get(client, domain, VB_IFACE_DOMAIN, "Persistent");
    g_assert_false(g_variant_get_boolean(persistent));
    g_assert_cmpint(guest_pid(fixture, domain), ==, pid);
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    g_assert_false(vb_bus_client_has_object(client, domain));
    g_assert_false(guest_is_alive(pid));
}

/* ---- guests that are gone, or silent ----------------------------------------------------------
 */

static void test_killed_meanwhile(gconstpointer data)
{
    gboolean canceling = GPOINTER_TO_INT(data);
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *other = start_tiny(fixture, "other", FALSE);
    /* a guest that ran would come to the breakpoint itself */
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    GPid pid = guest_pid(fixture, domain);

    guest_debug(fixture, "guest", "break read_aio A");
    g_autofree char *job = guest_start_job(client, domain, "Pull", "('vda', {})");
    guest_await_io(fixture, "guest");
    if (canceling)
        g_variant_unref(vb_bus_client_finish(
            client, guest_send(client, domain, "AbortJob", "('vda', {'async': <true>})")));
    guint from = vb_bus_client_position(client);
    vb_bus_fixture_stop_daemon(fixture);
    g_assert_no_errno(kill(pid, SIGKILL));
    vb_bus_fixture_start_daemon(fixture);

    GuestEnd end = guest_await_end(
        client, from, job,
        canceling ? "BlockJobCanceled domain-crashed" : "BlockJobFailed domain-crashed");
    g_assert_true(end.synthesized);
    guest_assert_result(client, job, canceling ? "canceled" : "failed");
    assert_state(client, domain, "crashed");
    assert_state(client, other, "running");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Start");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    vb_bus_client_do(client, other, VB_IFACE_DOMAIN, "Destroy");
}

/* One QEMU is stopped: the others are not kept waiting for it. */
static void test_silent(gconstpointer data)
{
    gboolean comes_back = GPOINTER_TO_INT(data);
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *other = start_tiny(fixture, "other", FALSE);
    g_autofree char *domain = guest_start_on_chain(fixture, FALSE);
    g_autofree char *job =
        guest_start_job(client, domain, "Pull", "('vda', {'bandwidth': <uint64 262144>})");
    GPid pid = guest_pid(fixture, domain);
    guint from = vb_bus_client_position(client), position = from;

    vb_bus_fixture_stop_daemon(fixture);
    g_assert_no_errno(kill(pid, SIGSTOP));
    gint64 begin = g_get_monotonic_time();
    vb_bus_fixture_start_daemon(fixture);
    gint64 took = g_get_monotonic_time() - begin;
    g_test_message("started beside a silent QEMU in %.1f ms", took / 1000.0);
    g_assert_cmpint(took, <, RESPONSIVE_US);

    g_assert_false(is_responsive(client, domain));
    assert_state(client, domain, "running");
    assert_job_state(client, job, "running");
    g_assert_true(is_responsive(client, other));
    vb_bus_client_do(client, other, VB_IFACE_DOMAIN, "Suspend");
    vb_bus_client_do(client, other, VB_IFACE_DOMAIN, "Destroy");
    static const char *const refused[] = {"Suspend", "Shutdown", "Reset"};
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++)
        g_free(vb_bus_client_call_error(client, domain, VB_IFACE_DOMAIN, refused[i],
                                        g_variant_new_parsed(options), "Timeout"));
    g_free(vb_bus_client_finish_error(client, guest_send(client, domain, "AbortJob", "('vda', {})"),
                                      "Timeout"));

    if (comes_back) {
        g_assert_no_errno(kill(pid, SIGCONT));
        g_autoptr(GVariant) responsive =
            vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "Responsive");
        g_assert_true(g_variant_get_boolean(responsive));
        g_assert_cmpint(guest_pid(fixture, domain), ==, pid);
        g_variant_unref(
            vb_bus_client_finish(client, guest_send(client, domain, "AbortJob", "('vda', {})")));
        guest_await_end(client, from, job, "BlockJobCanceled requested");
    }
    begin = g_get_monotonic_time();
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    g_test_message("Destroy took %.1f ms", (g_get_monotonic_time() - begin) / 1000.0);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
    g_assert_false(guest_is_alive(pid));
    if (!comes_back)
        guest_await_end(client, from, job, "BlockJobCanceled domain-stopped");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/restart/guests", test_guests);
    g_test_add_func("/restart/ended-meanwhile", test_ended_meanwhile);
    g_test_add_func("/restart/transient", test_transient);
    g_test_add_data_func("/restart/killed-meanwhile/job", GINT_TO_POINTER(FALSE),
                         test_killed_meanwhile);
    g_test_add_data_func("/restart/killed-meanwhile/canceling", GINT_TO_POINTER(TRUE),
                         test_killed_meanwhile);
    g_test_add_data_func("/restart/silent/destroyed", GINT_TO_POINTER(FALSE), test_silent);
    g_test_add_data_func("/restart/silent/comes-back", GINT_TO_POINTER(TRUE), test_silent);
    return g_test_run();
}
