/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls and ends in hostile order, on a real QEMU: what is said on the bus, and in which order,
 * when operations hang, pre-empt each other, or are over before they were answered. */
#include "bus-guest.h"

#include <signal.h>
#include <stdlib.h>

#define DESTROY_US (8 * G_USEC_PER_SEC)

static const char options[] = "(@a{sv} {},)";

static gboolean has_reply(VbBusClient *client, guint32 serial)
{
    return vb_bus_client_reply(client, serial) != NULL;
}

static int compare_times(const void *a, const void *b)
{
    gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

    return (first > second) - (first < second);
}

/* Destroys it and returns how long that took, in µs. */
static gint64 destroy(VbBusFixture *fixture, VbBusClient *client, const char *domain)
{
    gint64 begin = g_get_monotonic_time();

    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    return g_get_monotonic_time() - begin;
}

static char *start_slow_pull(VbBusClient *client, const char *domain)
{
    return guest_start_job(client, domain, "Pull", "('vda', {'bandwidth': <uint64 262144>})");
}

/* The job's end, then the domain's. */
static void assert_job_before_domain(VbBusClient *client, guint from, const char *domain,
                                     const char *signal, const char *state)
{
    guint position = from;

    vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, signal);
    vb_bus_client_next_signal(client, &position, NULL, VB_IFACE_JOB, "Finished");
    g_autoptr(GVariant) changed =
        vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "State");
    while (!g_str_equal(g_variant_get_string(changed, NULL), state)) {
        g_variant_unref(changed);
        changed = vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "State");
    }
    vb_bus_client_next_signal(client, &position, domain, VB_IFACE_DOMAIN, "Lifecycle");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
}

/* ---- Destroy, while something hangs -----------------------------------------------------------
 */

/* A QEMU that never says hello. */
static void test_destroy_start(void)
{
    static const char body[] = "case \" $* \" in *' -name '*)\n"
                               "    kill -STOP $$ ;;\n"
                               "esac\n";
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) destroyer = vb_bus_client_new(fixture);
    g_autofree char *disk = guest_file_disk(fixture, "tiny", "vda");
    g_autofree char *xml = guest_xml(fixture, "guest", disk, body);

    guest_make_tiny(fixture, "tiny");
    g_autofree char *domain = vb_bus_client_define(client, xml);
    guint from = vb_bus_client_position(client);
    guint32 start =
        vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Start", g_variant_new_parsed(options));
    GPid pid = guest_await_pid(fixture, domain);
    g_free(vb_bus_client_call_error(destroyer, domain, VB_IFACE_DOMAIN, "Start",
                                    g_variant_new_parsed(options), "Busy"));
    g_free(vb_bus_client_call_error(destroyer, domain, VB_IFACE_DOMAIN, "Suspend",
                                    g_variant_new_parsed(options), "Busy"));
    g_autofree char *state = vb_bus_client_get_string(client, domain, VB_IFACE_DOMAIN, "State");
    g_assert_cmpstr(state, ==, "shut-off");
    g_assert_false(has_reply(client, start));

    gint64 took = destroy(fixture, destroyer, domain);
    g_test_message("Destroy of a hanging start: %.1f ms", took / 1000.0);
    g_assert_cmpint(took, <, DESTROY_US);
    g_free(vb_bus_client_finish_error(client, start, "DomainNotRunning"));
    g_assert_false(guest_is_alive(pid));
    /* It never ran, as far as anybody was told. */
    vb_bus_client_sync(client);
    g_assert_cmpuint(vb_bus_client_count(client, from, domain, VB_IFACE_DOMAIN, "Lifecycle"), ==,
                     0);
}

/* "stop" waits for I/O that hangs, and the whole monitor with it. */
static void test_destroy_suspend(void)
{
    static const char *const plugin[] = {"pattern", "16M", NULL};
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) other = vb_bus_client_new(fixture);
    g_autoptr(VbBusClient) second = vb_bus_client_new(fixture);
    g_autoptr(GSubprocess) server = guest_start_nbd(fixture, "-r", plugin);
    g_autofree char *domain = guest_start_on_nbd(fixture);
    GPid pid = guest_pid(fixture, domain);

    g_subprocess_send_signal(server, SIGSTOP);
    g_autofree char *job = guest_start_job(client, domain, "Pull", "('vda', {})");
    guest_await_io(fixture, "guest");
    /* Only now: a read of the guest's own would hold the monitor before it is asked to stop. */
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Resume");
    guint from = vb_bus_client_position(client);
    guint32 suspend = vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Suspend",
                                         g_variant_new_parsed(options));
    g_free(vb_bus_client_call_error(other, domain, VB_IFACE_DOMAIN, "Resume",
                                    g_variant_new_parsed(options), "Busy"));
    g_assert_false(has_reply(client, suspend));

    /* A second Destroy joins the first. */
    guint32 also = vb_bus_client_send(second, domain, VB_IFACE_DOMAIN, "Destroy",
                                      g_variant_new_parsed(options));
    gint64 took = destroy(fixture, other, domain);
    g_test_message("Destroy of a hanging suspend: %.1f ms", took / 1000.0);
    g_assert_cmpint(took, <, DESTROY_US);
    g_variant_unref(vb_bus_client_finish(second, also));
    g_free(vb_bus_client_finish_error(client, suspend, "DomainNotRunning"));
    g_assert_false(guest_is_alive(pid));
    guest_await_end(client, from, job, "BlockJobCanceled domain-stopped");
    assert_job_before_domain(client, from, domain, "BlockJobCanceled", "shut-off");
    guest_stop_nbd(fixture, server);
}

/* A QEMU that is stopped answers nothing at all. */
static void test_destroy_silent(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(GString) disks = g_string_new(NULL);
    gint64 took[5];

    for (guint i = 0; i < G_N_ELEMENTS(took); i++) {
        g_autofree char *image = g_strdup_printf("tiny-%u", i);
        g_autofree char *target = g_strdup_printf("vd%c", 'a' + i);
        guest_make_tiny(fixture, image);
        g_autofree char *disk = guest_file_disk(fixture, image, target);
        g_string_append(disks, disk);
    }
    g_autofree char *xml = guest_xml(fixture, "guest", disks->str, NULL);
    g_autofree char *domain = guest_start(client, xml, TRUE);
    GPid pid = guest_pid(fixture, domain);
    for (guint i = 0; i < G_N_ELEMENTS(took); i++)
        g_free(guest_start_job(client, domain, "Pull", "('vd%c', {'bandwidth': <uint64 1>})",
                               'a' + i));
    guint from = vb_bus_client_position(client), position = from;

    g_assert_no_errno(kill(pid, SIGSTOP));
    for (guint i = 0; i < G_N_ELEMENTS(took); i++) {
        gint64 begin = g_get_monotonic_time();
        guint32 serial =
            guest_send(client, domain, "AbortJob", "('vd%c', {'async': <true>})", 'a' + i);
        g_variant_unref(vb_bus_client_finish(client, serial));
        took[i] = g_get_monotonic_time() - begin;
    }
    qsort(took, G_N_ELEMENTS(took), sizeof took[0], compare_times);
    g_test_message("AbortJob async on a silent QEMU: median %.1f ms", took[2] / 1000.0);
    g_assert_cmpint(took[2], <, 50000);

    guint32 resume = vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Resume",
                                        g_variant_new_parsed(options));
    guint32 reset =
        vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Reset", g_variant_new_parsed(options));
    g_free(vb_bus_client_finish_error(client, reset, "Busy"));
    gint64 destroyed = destroy(fixture, client, domain);
    g_test_message("Destroy of a silent QEMU: %.1f ms", destroyed / 1000.0);
    g_assert_cmpint(destroyed, <, DESTROY_US);
    g_free(vb_bus_client_finish_error(client, resume, "DomainNotRunning"));
    g_assert_false(guest_is_alive(pid));
    for (guint i = 0; i < G_N_ELEMENTS(took); i++)
        vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
    g_autoptr(GVariant) state =
        vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "State");
    g_assert_cmpstr(g_variant_get_string(state, NULL), ==, "shut-off");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, G_N_ELEMENTS(took));
}

/* ---- cancel against pivot ---------------------------------------------------------------------
 */

/* A ready copy to an NBD export whose server then stops: neither end comes by itself. */
static char *start_stuck_copy(VbBusFixture *fixture, const char *domain, GSubprocess *server)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    char *job = guest_start_job(client, domain, "Copy",
                                "('vda', \"<disk type='network'><driver type='raw'/>"
                                "<source protocol='nbd'><host transport='unix' "
                                "socket='%s/nbd.sock'/></source></disk>\", {})",
                                vb_bus_fixture_dir(fixture));

    guest_wait_ready(client, job);
    g_subprocess_send_signal(server, SIGSTOP);
    return job;
}

static void refuse(VbBusClient *client, const char *domain, const char *params, const char *error)
{
    g_free(vb_bus_client_finish_error(client, guest_send(client, domain, "AbortJob", "%s", params),
                                      error));
}

static void test_cancel_meets_pivot(gconstpointer data)
{
    gboolean forced = GPOINTER_TO_INT(data);
    static const char *const plugin[] = {"memory", "16M", NULL};
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) other = vb_bus_client_new(fixture);
    g_autoptr(GSubprocess) server = guest_start_nbd(fixture, "-f", plugin);
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    g_autofree char *job = start_stuck_copy(fixture, domain, server);
    guint from = vb_bus_client_position(client);
    guint32 cancel = 0;

    guint32 pivot = guest_send(client, domain, "AbortJob", "('vda', {'pivot': <true>})");
    vb_bus_client_wait_string(other, job, VB_IFACE_JOB, "State", "finishing");
    refuse(other, domain, "('vda', {})", "BlockJobEnding");
    refuse(other, domain, "('vda', {'async': <true>})", "BlockJobEnding");
    refuse(other, domain, "('vda', {'pivot': <true>})", "BlockJobEnding");
    g_assert_false(has_reply(client, pivot));
    if (forced) {
        cancel = guest_send(other, domain, "AbortJob", "('vda', {'force': <true>})");
        vb_bus_client_sync(other);
    }
    g_subprocess_send_signal(server, SIGCONT);
    if (forced) {
        guest_await_end(client, from, job, "BlockJobCanceled requested");
        g_variant_unref(vb_bus_client_finish(other, cancel));
        g_free(vb_bus_client_finish_error(client, pivot, "BlockJobCanceled"));
    } else {
        GuestEnd end = guest_await_end(client, from, job, "BlockJobCompleted done");
        g_assert_true(end.pivoted);
        g_variant_unref(vb_bus_client_finish(client, pivot));
    }
    g_autofree char *source = guest_disk_source(client, domain);
    g_assert_true(g_str_equal(source, "top") == forced);
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
    guest_stop_nbd(fixture, server);
}

static void test_pivot_meets_cancel(gconstpointer data)
{
    gboolean escalated = GPOINTER_TO_INT(data);
    static const char *const plugin[] = {"memory", "16M", NULL};
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) other = vb_bus_client_new(fixture);
    g_autoptr(GSubprocess) server = guest_start_nbd(fixture, "-f", plugin);
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    g_autofree char *job = start_stuck_copy(fixture, domain, server);
    guint from = vb_bus_client_position(client);
    guint32 force = 0;

    guint32 cancel = guest_send(client, domain, "AbortJob", "('vda', {})");
    vb_bus_client_wait_string(other, job, VB_IFACE_JOB, "State", "finishing");
    refuse(other, domain, "('vda', {'pivot': <true>})", "BlockJobEnding");
    refuse(other, domain, "('vda', {'pivot': <true>, 'async': <true>})", "BlockJobEnding");
    refuse(other, domain, "('vda', {})", "BlockJobEnding");
    g_assert_false(has_reply(client, cancel));
    if (escalated) {
        force = guest_send(other, domain, "AbortJob", "('vda', {'force': <true>})");
        vb_bus_client_sync(other);
    }
    g_subprocess_send_signal(server, SIGCONT);
    GuestEnd end = guest_await_end(client, from, job, "BlockJobCanceled requested");
    g_assert_false(end.pivoted);
    g_assert_true(escalated || end.consistent);
    g_variant_unref(vb_bus_client_finish(client, cancel));
    if (escalated)
        g_variant_unref(vb_bus_client_finish(other, force));
    g_autofree char *source = guest_disk_source(client, domain);
    g_assert_cmpstr(source, ==, "top");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
    guest_stop_nbd(fixture, server);
}

/* ---- over before it was answered --------------------------------------------------------------
 */

static void test_quick_job(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *disk = guest_file_disk(fixture, "tiny", "vda");
    g_autofree char *xml = guest_xml(fixture, "guest", disk, NULL);

    guest_make_tiny(fixture, "tiny");
    g_autofree char *domain = guest_start(client, xml, TRUE);
    /* From the second on there is nothing to be pulled: those are over at once. */
    for (guint i = 0; i < 20; i++) {
        guint from = vb_bus_client_position(client), position = from;
        guint32 serial = guest_send(client, domain, "Pull", "('vda', {})");

        vb_bus_client_next_signal(client, &position, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                                  "InterfacesAdded");
        g_autoptr(GVariant) jobs =
            vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "BlockJobs");
        const VbBusMessage *reply = vb_bus_client_next_reply(client, &position, serial);
        g_autofree char *job = guest_job_of(reply);
        const char *shown;
        g_assert_true(g_variant_lookup(jobs, "vda", "&o", &shown));
        g_assert_cmpstr(shown, ==, job);

        g_autoptr(GVariant) result =
            vb_bus_client_next_change(client, &position, job, VB_IFACE_JOB, "Result");
        vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCompleted");
        vb_bus_client_next_signal(client, &position, job, VB_IFACE_JOB, "Finished");
        /* Nothing of it came before the reply. */
        g_assert_cmpuint(guest_count_ends(client, from, NULL), ==, 1);
        g_assert_cmpuint(guest_count_ends(client, reply->index, job), ==, 1);
        guest_assert_result(client, job, "completed");
    }
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
}

/* ---- the domain ends under its job ------------------------------------------------------------
 */

static void test_killed(gconstpointer data)
{
    gboolean canceling = GPOINTER_TO_INT(data);
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    guint32 cancel = 0;

    guest_debug(fixture, "guest", "break read_aio A");
    g_autofree char *job = guest_start_job(client, domain, "Pull", "('vda', {})");
    guest_await_io(fixture, "guest");
    guint from = vb_bus_client_position(client);
    if (canceling) {
        cancel = guest_send(client, domain, "AbortJob", "('vda', {})");
        vb_bus_client_wait_string(client, job, VB_IFACE_JOB, "State", "finishing");
    }
    g_assert_no_errno(kill(guest_pid(fixture, domain), SIGKILL));
    GuestEnd end = guest_await_end(
        client, from, job,
        canceling ? "BlockJobCanceled domain-crashed" : "BlockJobFailed domain-crashed");
    g_assert_true(end.synthesized);
    if (canceling)
        g_variant_unref(vb_bus_client_finish(client, cancel));
    assert_job_before_domain(client, from, domain, end.message->member, "crashed");
    guest_assert_result(client, job, canceling ? "canceled" : "failed");
    /* It can be started again. */
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Start");
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
}

/* QEMU is told to end, by somebody else. */
static void test_ended_by_others(gconstpointer data)
{
    gboolean by_signal = GPOINTER_TO_INT(data);
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = guest_start_on_chain(fixture, TRUE);
    g_autofree char *job = start_slow_pull(client, domain);
    guint from = vb_bus_client_position(client);

    if (by_signal)
        g_assert_no_errno(kill(guest_pid(fixture, domain), SIGTERM));
    else
        g_free(guest_monitor(fixture, "guest", "{\"execute\": \"quit\"}"));
    guest_await_end(client, from, job, "BlockJobCanceled domain-stopped");
    assert_job_before_domain(client, from, domain, "BlockJobCanceled", "shut-off");
    guest_assert_result(client, job, "canceled");
}

/* A boot sector that powers the machine off (ACPI's PM1a control register, S5). */
static const guint8 power_off[512] = {
    0xba,           0x04, 0x06, /* mov dx, 604h */
    0xb8,           0x00, 0x20, /* mov ax, 2000h */
    0xef,                       /* out dx, ax */
    0xeb,           0xfe,       /* jmp $ */
    [0x1fe] = 0x55, 0xaa,
};

static void test_guest_shuts_down(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *boot = guest_path(fixture, "boot");
    g_autofree char *disk = guest_file_disk(fixture, "top", "vda");
    g_autofree char *xml = guest_xml(fixture, "guest", disk, NULL);
    g_autoptr(GError) error = NULL;

    guest_make_chain(fixture);
    g_file_set_contents(boot, (const char *)power_off, sizeof power_off, &error);
    g_assert_no_error(error);
    g_free(guest_run(fixture, "qemu-io -f qcow2 -c 'write -q -s %s 0 512' top", boot));
    g_autofree char *domain = guest_start(client, xml, TRUE);
    g_autofree char *job = start_slow_pull(client, domain);
    guint from = vb_bus_client_position(client);
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Resume");
    guest_await_end(client, from, job, "BlockJobCanceled domain-stopped");
    assert_job_before_domain(client, from, domain, "BlockJobCanceled", "shut-off");
    g_autofree char *reason =
        vb_bus_client_get_string(client, domain, VB_IFACE_DOMAIN, "StateReason");
    g_assert_cmpstr(reason, ==, "shutdown");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/order/destroy/start", test_destroy_start);
    g_test_add_func("/order/destroy/suspend", test_destroy_suspend);
    g_test_add_func("/order/destroy/silent", test_destroy_silent);
    g_test_add_data_func("/order/cancel-meets-pivot/refused", GINT_TO_POINTER(FALSE),
                         test_cancel_meets_pivot);
    g_test_add_data_func("/order/cancel-meets-pivot/forced", GINT_TO_POINTER(TRUE),
                         test_cancel_meets_pivot);
    g_test_add_data_func("/order/pivot-meets-cancel/refused", GINT_TO_POINTER(FALSE),
                         test_pivot_meets_cancel);
    g_test_add_data_func("/order/pivot-meets-cancel/escalated", GINT_TO_POINTER(TRUE),
                         test_pivot_meets_cancel);
    g_test_add_func("/order/quick-job", test_quick_job);
    g_test_add_data_func("/order/killed/job", GINT_TO_POINTER(FALSE), test_killed);
    g_test_add_data_func("/order/killed/canceling", GINT_TO_POINTER(TRUE), test_killed);
    g_test_add_data_func("/order/ended-by-others/quit", GINT_TO_POINTER(FALSE),
                         test_ended_by_others);
    g_test_add_data_func("/order/ended-by-others/signal", GINT_TO_POINTER(TRUE),
                         test_ended_by_others);
    g_test_add_func("/order/guest-shuts-down", test_guest_shuts_down);
    return g_test_run();
}
