/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thousand jobs of a real QEMU, canceled at random moments at and around their completion, on
 * several disks at once: each ends in exactly one terminal signal, and the reply to the cancel fits
 * it. The seed is printed ("random seed"), and --seed repeats it. */
#include "bus-guest.h"

#include <string.h>

#define N_JOBS 1000
#define N_DISKS 6
/* When it is canceled at the latest: most are over within 5 ms of their start; a backup is
 * throttled so that it ends after some 200 ms. */
#define LATEST_US 8000
#define LATEST_BACKUP_US 400000

typedef struct Run Run;

typedef enum { PULL, BACKUP, COPY, COMMIT, N_KINDS } Kind; /* the last two end only by the cancel */

typedef struct {
    Run *run;
    char target[8];
    char *job; /* NULL: its start is not answered */
    Kind kind;
    gboolean waits;
    guint32 start, cancel; /* serials; 0: not sent */
    guint timer;
    const VbBusMessage *end, *reply; /* of the cancel */
} Slot;

struct Run {
    VbBusFixture *fixture;
    VbBusClient *client;
    char *domain;
    Slot slots[N_DISKS];
    GHashTable *signals; /* job → number of terminal signals */
    guint started, ended, position;
    guint n_canceled, n_completed, n_late, n_backups[2]; /* what it came to */
};

static const char *const modes[] = {"", "'async': <true>", "'force': <true>",
                                    "'async': <true>, 'force': <true>"};

static gboolean cancel(gpointer data)
{
    Slot *slot = data;
    VbBusClient *client = slot->run->client;
    guint mode = g_test_rand_int_range(0, G_N_ELEMENTS(modes));

    slot->timer = 0;
    slot->waits = strstr(modes[mode], "async") == NULL;
    if (g_test_rand_int_range(0, 2) == 0) {
        slot->cancel = guest_send(client, slot->run->domain, "AbortJob", "('%s', {%s})",
                                  slot->target, modes[mode]);
    } else {
        g_autofree char *text = g_strdup_printf("({%s},)", modes[mode]);
        slot->cancel =
            vb_bus_client_send(client, slot->job, VB_IFACE_JOB, "Cancel",
                               g_variant_new_parsed(*modes[mode] != '\0' ? text : "(@a{sv} {},)"));
    }
    return G_SOURCE_REMOVE;
}

/* In µs, where a timeout has ms only. */
static void cancel_in(Slot *slot, gint64 delay)
{
    GSource *source = g_timeout_source_new(0);

    g_source_set_ready_time(source, g_get_monotonic_time() + delay);
    g_source_set_callback(source, cancel, slot, NULL);
    slot->timer = g_source_attach(source, NULL);
    g_source_unref(source);
}

static void start(Slot *slot)
{
    Run *run = slot->run;
    const char *dir = vb_bus_fixture_dir(run->fixture), *target = slot->target;

    g_clear_pointer(&slot->job, g_free);
    slot->end = slot->reply = NULL;
    slot->cancel = slot->start = 0;
    if (run->started == N_JOBS)
        return;
    run->started++;
    slot->kind = g_test_rand_int_range(0, N_KINDS);
    switch (slot->kind) {
    case PULL: /* after the first there is nothing to be pulled: over at once */
        slot->start = guest_send(run->client, run->domain, "Pull",
                                 "('%s', {'base': <'%s/%s-base'>})", target, dir, target);
        break;
    case BACKUP:
        slot->start = guest_send(
            run->client, run->domain, "Backup",
            "(\"<domainbackup><disks><disk name='%s' type='file'>"
            "<driver type='qcow2'/><target file='%s/%s-backup'/></disk></disks>"
            "</domainbackup>\", {'reuse-external': <true>, 'bandwidth': <uint64 16777216>})",
            target, dir, target);
        break;
    case COPY:
        slot->start = guest_send(
            run->client, run->domain, "Copy",
            "('%s', \"<disk type='file'><driver type='qcow2'/><source file='%s/%s-copy'/>"
            "</disk>\", {'reuse-external': <true>})",
            target, dir, target);
        break;
    default:
        slot->start =
            guest_send(run->client, run->domain, "Commit", "('%s', {'active': <true>})", target);
        break;
    }
}

/* The end is known, and the cancel is answered: do they fit? */
static void judge(Slot *slot)
{
    Run *run = slot->run;
    gboolean canceled = g_str_equal(slot->end->member, "BlockJobCanceled");
    gboolean completed = g_str_equal(slot->end->member, "BlockJobCompleted");
    const char *error = slot->reply->error;

    g_assert_true(canceled || (completed && slot->kind <= BACKUP));
    if (error != NULL)
        g_assert_cmpstr(error, ==, "org.virtbus1.Error.NoBlockJob");
    /* Who waits hears success if and only if it was canceled; who does not may be told that it is
     * accepted, and the job be completed all the same. */
    if (slot->waits)
        g_assert_true(canceled == (error == NULL));
    else
        g_assert_true(error == NULL || completed);
    run->n_canceled += canceled;
    run->n_completed += completed;
    run->n_late += completed && error == NULL;
    run->n_backups[completed] += slot->kind == BACKUP;
    run->ended++;
    start(slot);
}

static void note_end(Run *run, const VbBusMessage *message)
{
    GuestEnd end;

    guest_find_end(run->client, message->index, NULL, 0, &end);
    gpointer seen = g_hash_table_lookup(run->signals, end.job);
    g_hash_table_insert(run->signals, g_strdup(end.job),
                        GUINT_TO_POINTER(GPOINTER_TO_UINT(seen) + 1));
    for (guint i = 0; i < N_DISKS; i++) {
        Slot *slot = &run->slots[i];
        if (slot->job != NULL && g_str_equal(slot->job, end.job)) {
            g_assert_null(slot->end);
            slot->end = message;
            /* A waiting cancel's reply comes after the signal. */
            g_assert_true(!slot->waits || slot->cancel == 0 || slot->reply == NULL ||
                          slot->reply->error != NULL);
        }
    }
}

static void note_reply(Run *run, const VbBusMessage *message)
{
    for (guint i = 0; i < N_DISKS; i++) {
        Slot *slot = &run->slots[i];
        if (slot->start == message->reply_serial && slot->job == NULL) {
            slot->job = slot->kind == BACKUP ? guest_jobs_of(message) : guest_job_of(message);
            cancel_in(slot, g_test_rand_int_range(
                                0, slot->kind == BACKUP ? LATEST_BACKUP_US : LATEST_US));
        } else if (slot->cancel != 0 && slot->cancel == message->reply_serial) {
            slot->reply = message;
        }
    }
}

static void look(Run *run)
{
    const VbBusMessage *message;

    while ((message = vb_bus_client_message(run->client, run->position)) != NULL) {
        run->position++;
        if (message->type != G_DBUS_MESSAGE_TYPE_SIGNAL)
            note_reply(run, message);
        else if (guest_is_end(message))
            note_end(run, message);
        for (guint i = 0; i < N_DISKS; i++)
            if (run->slots[i].end != NULL && run->slots[i].reply != NULL)
                judge(&run->slots[i]);
    }
}

static char *make_disks(VbBusFixture *fixture)
{
    g_autoptr(GString) disks = g_string_new(NULL);

    for (guint i = 0; i < N_DISKS; i++) {
        g_autofree char *target = g_strdup_printf("vd%c", 'a' + i);

        guest_make_tiny(fixture, target);
        g_free(guest_run(fixture, "qemu-img resize -q %s 4M", target));
        g_free(guest_run(fixture, "qemu-io -f qcow2 -c 'write -q -P 6 0 1M' %s", target));
        g_free(guest_run(fixture, "qemu-img create -q -f qcow2 %s-backup 4M", target));
        g_free(guest_run(fixture, "qemu-img create -q -f qcow2 %s-copy 4M", target));
        g_autofree char *disk = guest_file_disk(fixture, target, target);
        g_string_append(disks, disk);
    }
    return g_string_free(g_steal_pointer(&disks), FALSE);
}

static void test_thousand(void)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    Run run = {.fixture = fixture, .client = vb_bus_fixture_client(fixture)};
    g_autofree char *disks = make_disks(fixture);
    g_autofree char *xml = guest_xml(fixture, "guest", disks, NULL);
    GHashTableIter iter;
    gpointer job, n;

    run.signals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    run.domain = guest_start(run.client, xml, TRUE);
    run.position = vb_bus_client_position(run.client);
    gint64 begin = g_get_monotonic_time();
    for (guint i = 0; i < N_DISKS; i++) {
        run.slots[i].run = &run;
        g_snprintf(run.slots[i].target, sizeof run.slots[i].target, "vd%c", 'a' + i);
        start(&run.slots[i]);
    }
    while (run.ended < N_JOBS) {
        gint64 deadline = vb_wait_deadline();
        guint before = run.ended;
        while (run.ended == before) {
            if (!vb_wait_turn(deadline))
                g_error("no job has ended for %d s", VB_WAIT_SECONDS);
            look(&run);
        }
    }
    gint64 took = g_get_monotonic_time() - begin;
    vb_bus_client_do(run.client, run.domain, VB_IFACE_DOMAIN, "Destroy");
    look(&run);

    g_assert_cmpuint(g_hash_table_size(run.signals), ==, N_JOBS);
    g_hash_table_iter_init(&iter, run.signals);
    while (g_hash_table_iter_next(&iter, &job, &n))
        if (GPOINTER_TO_UINT(n) != 1)
            g_error("%s had %u terminal signals", (char *)job, GPOINTER_TO_UINT(n));
    g_assert_cmpuint(vb_bus_client_count(run.client, 0, NULL, VB_IFACE_JOB, "Finished"), ==,
                     N_JOBS);
    g_test_message("%d jobs in %.1f s: %u canceled, %u completed (%u of them after an accepted "
                   "async cancel); of the backups %u canceled, %u completed",
                   N_JOBS, took / 1e6, run.n_canceled, run.n_completed, run.n_late,
                   run.n_backups[FALSE], run.n_backups[TRUE]);
    /* The race was lost and won. */
    g_assert_cmpuint(run.n_backups[FALSE], >, 0);
    g_assert_cmpuint(run.n_backups[TRUE], >, 0);
    g_hash_table_unref(run.signals);
    g_free(run.domain);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/thousand", test_thousand);
    return g_test_run();
}
