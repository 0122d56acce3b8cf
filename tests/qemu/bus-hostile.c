/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Emulators that turn hostile at each step of a domain's life (tests/lib/hostile-qemu.c has what
 * they do), behind the real daemon: each harms its own domain only. A neighbour is used all the
 * time, the daemon's memory is looked at, every call is answered, every job has its one end, and
 * Destroy always works. Times and sizes are printed; what is asserted of them is generous. */
#include "bus-guest.h"
#include "hostile-qemu.h"

#include <stdlib.h>
#include <string.h>

/* The sanitizer keeps what was freed, and each object takes more. */
#ifdef __SANITIZE_ADDRESS__
#define MAX_GROWTH_KIB (768 * 1024)
#else
#define MAX_GROWTH_KIB (64 * 1024)
#endif

static const char no_options[] = "(@a{sv} {},)";

static guint32 send(VbBusClient *client, const char *domain, const char *method)
{
    return vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, method,
                              g_variant_new_parsed(no_options));
}

/* ---- the daemon, from outside -----------------------------------------------------------------
 */

/* A line of /proc/PID/status, in KiB. */
static guint64 memory_kib(VbBusFixture *fixture, const char *field)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", vb_bus_fixture_daemon_pid(fixture));
    g_autofree char *text = NULL;
    const char *line;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    line = strstr(text, field);
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen(field), NULL, 10);
}

/* From now on the peak is counted anew. */
static void reset_peak(VbBusFixture *fixture)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/clear_refs", vb_bus_fixture_daemon_pid(fixture));

    if (!g_file_set_contents_full(path, "5", 1, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
        g_test_message("the peak cannot be set back");
}

/* ---- the neighbour ----------------------------------------------------------------------------
 */

typedef struct {
    gint64 get, cycle, job; /* medians, µs: a Get; Suspend and Resume; a Pull and its cancel */
} Times;

static int compare_times(const void *a, const void *b)
{
    gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

    return (first > second) - (first < second);
}

static gint64 median(gint64 *times, guint n)
{
    qsort(times, n, sizeof *times, compare_times);
    return times[n / 2];
}

/* One caller, one call after another, `n` of each. */
static Times use_neighbour(VbBusClient *client, const char *domain, guint n)
{
    g_autofree gint64 *get = g_new(gint64, n), *cycle = g_new(gint64, n), *job = g_new(gint64, n);

    for (guint i = 0; i < n; i++) {
        gint64 begin = g_get_monotonic_time();
        g_free(vb_bus_client_get_string(client, domain, VB_IFACE_DOMAIN, "State"));
        get[i] = g_get_monotonic_time() - begin;

        begin = g_get_monotonic_time();
        vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Suspend");
        vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Resume");
        cycle[i] = g_get_monotonic_time() - begin;

        begin = g_get_monotonic_time();
        g_free(guest_start_job(client, domain, "Pull", "('vda', {})"));
        guint32 abort = guest_send(client, domain, "AbortJob", "('vda', {})");
        g_variant_unref(vb_bus_client_finish(client, abort));
        job[i] = g_get_monotonic_time() - begin;
    }
    return (Times){median(get, n), median(cycle, n), median(job, n)};
}

static void check_neighbour(const char *what, Times before, Times now)
{
    g_test_message("%s: Get %.2f ms (%.2f before), Suspend and Resume %.2f (%.2f), "
                   "Pull and AbortJob %.2f (%.2f)",
                   what, now.get / 1000.0, before.get / 1000.0, now.cycle / 1000.0,
                   before.cycle / 1000.0, now.job / 1000.0, before.job / 1000.0);
    g_assert_cmpint(now.get, <, MAX(20 * before.get, G_USEC_PER_SEC));
    g_assert_cmpint(now.cycle, <, MAX(20 * before.cycle, G_USEC_PER_SEC));
    g_assert_cmpint(now.job, <, MAX(20 * before.job, G_USEC_PER_SEC));
}

/* ---- hostile domains --------------------------------------------------------------------------
 */

typedef struct {
    char *name, *domain, *job; /* job: NULL when none was started */
    guint32 calls[3];          /* that have yet to be answered, or were */
    guint n_calls;
} Hostile;

static void hostile_clear(gpointer data)
{
    Hostile *hostile = data;

    g_free(hostile->name);
    g_free(hostile->domain);
    g_free(hostile->job);
}

static Hostile define(VbBusFixture *fixture, const char *behaviour, const char *phase)
{
    g_autofree char *name = g_strdup_printf("hostile-%s-at-%s", behaviour, phase);
    g_autofree char *tiny = guest_path(fixture, "tiny"), *own = guest_path(fixture, name);
    g_autoptr(GFile) from = g_file_new_for_path(tiny), to = g_file_new_for_path(own);
    g_autoptr(GError) error = NULL;

    g_file_copy(from, to, G_FILE_COPY_NONE, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autofree char *disk = guest_file_disk(fixture, name, "vda");
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu'><name>%s</name><memory unit='MiB'>32</memory>"
        "<currentMemory unit='MiB'>16</currentMemory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>"
        "<on_poweroff>restart</on_poweroff><on_crash>restart</on_crash>"
        "<devices><emulator>" VB_TEST_FAKE_QEMU "</emulator>%s"
        "<channel type='unix'><target type='virtio' name='org.example.0'/></channel>"
        "<controller type='usb' model='none'/><memballoon model='virtio'/>"
        "</devices></domain>",
        name, disk);
    return (Hostile){.name = g_strdup(name),
                     .domain = vb_bus_client_define(vb_bus_fixture_client(fixture), xml)};
}

static void note_call(Hostile *hostile, guint32 serial)
{
    g_assert_cmpuint(hostile->n_calls, <, G_N_ELEMENTS(hostile->calls));
    hostile->calls[hostile->n_calls++] = serial;
}

/* The newest call; the message that answered it, NULL: none yet. */
static const VbBusMessage *answer(VbBusClient *client, const Hostile *hostile)
{
    return vb_bus_client_reply(client, hostile->calls[hostile->n_calls - 1]);
}

/* Has its emulator said that it is hostile now, or ended already, and its log is gone? */
static gboolean has_turned(VbBusFixture *fixture, const Hostile *hostile)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *uuid = g_strdelimit(g_path_get_basename(hostile->domain), "_", '-');
    g_autofree char *log = g_build_filename(vb_bus_fixture_root(fixture), "run", "virtbus",
                                            "domains", uuid, "qemu.log", NULL);
    g_autofree char *text = NULL;

    if (!g_file_get_contents(log, &text, NULL, NULL))
        return answer(client, hostile) != NULL;
    return strstr(text, "now hostile") != NULL;
}

static gboolean tick(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

/* Nothing tells of it, so this looks now and then. */
static void await_turn(VbBusFixture *fixture, const Hostile *hostile)
{
    guint ticking = g_timeout_add(5, tick, NULL);

    VB_WAIT_FOR(has_turned(fixture, hostile));
    g_source_remove(ticking);
}

/* The step at which it turns; everything before it works. */
static void lead_to(VbBusFixture *fixture, Hostile *hostile, const char *phase)
{
    static const char *const in_start[] = {"greeting", "qmp_capabilities", "balloon", "cont", NULL};
    VbBusClient *client = vb_bus_fixture_client(fixture);

    note_call(hostile, send(client, hostile->domain, "Start"));
    if (g_strv_contains(in_start, phase))
        return;
    g_variant_unref(vb_bus_client_finish(client, hostile->calls[0]));
    if (g_str_equal(phase, "stop") || g_str_equal(phase, "quit")) {
        note_call(hostile, send(client, hostile->domain,
                                g_str_equal(phase, "stop") ? "Suspend" : "Destroy"));
        return;
    }
    note_call(hostile, guest_send(client, hostile->domain, "Pull", "('vda', {})"));
    if (g_str_equal(phase, "block-stream"))
        return;
    g_variant_unref(vb_bus_client_finish(client, hostile->calls[1]));
    hostile->job = guest_job_of(answer(client, hostile));
    if (g_str_equal(phase, "job-cancel"))
        note_call(hostile, guest_send(client, hostile->domain, "AbortJob", "('vda', {})"));
    else
        g_assert_cmpstr(phase, ==, "query-jobs"); /* that comes by itself, once a second */
}

/* One that only talks in single bytes is none: what it was asked has to work. */
static void check_harmless(VbBusClient *client, const Hostile *hostile, const char *phase)
{
    if (!g_str_has_prefix(hostile->name, "hostile-bytes-") || g_str_equal(phase, "job-cancel"))
        return;
    VB_WAIT_FOR(answer(client, hostile));
    if (answer(client, hostile)->error)
        g_error("%s: %s", hostile->name, answer(client, hostile)->error);
}

static gboolean is_off(VbBusClient *client, const Hostile *hostile)
{
    g_autofree char *state =
        vb_bus_client_get_string(client, hostile->domain, VB_IFACE_DOMAIN, "State");

    return g_str_equal(state, "shut-off") || g_str_equal(state, "crashed");
}

/* Whatever it does: Destroy ends it, every call has been answered then, and the job has one end. */
static void end_all(VbBusFixture *fixture, GArray *all)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree guint32 *destroys = g_new(guint32, all->len);

    for (guint i = 0; i < all->len; i++)
        destroys[i] = send(client, g_array_index(all, Hostile, i).domain, "Destroy");
    for (guint i = 0; i < all->len; i++) {
        Hostile *hostile = &g_array_index(all, Hostile, i);
        VB_WAIT_FOR(vb_bus_client_reply(client, destroys[i]));
        const VbBusMessage *reply = vb_bus_client_reply(client, destroys[i]);
        if (reply->error)
            g_assert_cmpstr(reply->error, ==, "org.virtbus1.Error.DomainNotRunning");
        if (!is_off(client, hostile))
            g_error("%s is not off", hostile->name);
        for (guint j = 0; j < hostile->n_calls; j++)
            VB_WAIT_FOR(vb_bus_client_reply(client, hostile->calls[j]));
        /* A start whose job came to be while its caller was refused, has its end, too. */
        if (hostile->job && guest_count_ends(client, 0, hostile->job) != 1)
            g_error("%s: its job has %u ends", hostile->name,
                    guest_count_ends(client, 0, hostile->job));
    }
}

/* ---- every behaviour at one step --------------------------------------------------------------
 */

static void test_phase(gconstpointer data)
{
    const char *phase = data;
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) neighbours = vb_bus_client_new(fixture);
    g_autofree char *neighbour = vb_bus_client_start_domain(neighbours, "neighbour", NULL);
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Hostile));
    const char *behaviour;

    g_array_set_clear_func(all, hostile_clear);
    guest_make_tiny(fixture, "tiny");
    Times before = use_neighbour(neighbours, neighbour, 11);
    guint64 rss = memory_kib(fixture, "VmRSS:");
    reset_peak(fixture);

    for (guint i = 0; (behaviour = vb_hostile_qemu_behaviour(i)); i++) {
        Hostile hostile = define(fixture, behaviour, phase);
        lead_to(fixture, &hostile, phase);
        g_array_append_val(all, hostile);
    }
    for (guint i = 0; i < all->len; i++)
        await_turn(fixture, &g_array_index(all, Hostile, i));
    check_neighbour(phase, before, use_neighbour(neighbours, neighbour, 11));
    for (guint i = 0; i < all->len; i++)
        check_harmless(client, &g_array_index(all, Hostile, i), phase);
    end_all(fixture, all);

    gint64 growth = (gint64)memory_kib(fixture, "VmHWM:") - (gint64)rss;
    g_test_message("%s: %u domains at once: memory grew by %.1f MiB at most", phase, all->len,
                   growth / 1024.0);
    g_assert_cmpint(growth, <, MAX_GROWTH_KIB);
    g_autofree char *state = vb_bus_client_get_string(client, neighbour, VB_IFACE_DOMAIN, "State");
    g_assert_cmpstr(state, ==, "running");
}

/* ---- one flood --------------------------------------------------------------------------------
 */

static void test_flood(gconstpointer data)
{
    const char *behaviour = data;
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) neighbours = vb_bus_client_new(fixture);
    g_autofree char *neighbour = vb_bus_client_start_domain(neighbours, "neighbour", NULL);
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Hostile));

    g_array_set_clear_func(all, hostile_clear);
    guest_make_tiny(fixture, "tiny");
    Times before = use_neighbour(neighbours, neighbour, 101);
    guint64 rss = memory_kib(fixture, "VmRSS:");
    reset_peak(fixture);

    Hostile hostile = define(fixture, behaviour, "query-jobs");
    lead_to(fixture, &hostile, "query-jobs");
    g_array_append_val(all, hostile);
    await_turn(fixture, &g_array_index(all, Hostile, 0));
    gint64 begin = g_get_monotonic_time();
    guint from = vb_bus_client_position(client);
    check_neighbour(behaviour, before, use_neighbour(neighbours, neighbour, 151));
    guint said = vb_bus_client_count(client, from, hostile.domain, NULL, NULL);
    gint64 took = g_get_monotonic_time() - begin;
    end_all(fixture, all);

    gint64 growth = (gint64)memory_kib(fixture, "VmHWM:") - (gint64)rss;
    g_test_message("%s: the bus heard %.0f signals a second of the hostile domain; memory grew by "
                   "%.1f MiB at most",
                   behaviour, said * (double)G_USEC_PER_SEC / took, growth / 1024.0);
    g_assert_cmpint(growth, <, MAX_GROWTH_KIB);
}

int main(int argc, char **argv)
{
    static const char *const phases[] = {"greeting",     "qmp_capabilities", "balloon",    "cont",
                                         "block-stream", "query-jobs",       "job-cancel", "stop",
                                         "quit"};
    static const char *const floods[] = {"stop", "reset", "ioerror", "unknown", "jobs", "fat"};

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(phases); i++) {
        g_autofree char *path = g_strconcat("/hostile/at/", phases[i], NULL);
        g_test_add_data_func(path, phases[i], test_phase);
    }
    for (guint i = 0; i < G_N_ELEMENTS(floods); i++) {
        g_autofree char *path = g_strconcat("/hostile/flood/", floods[i], NULL);
        g_test_add_data_func(path, floods[i], test_flood);
    }
    return g_test_run();
}
