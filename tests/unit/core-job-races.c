/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thousand jobs, cancelled at random moments at and around their completion, on the core with the
 * test driver. The seed is the test program's: --seed. */
#include "core-fixture.h"

#include "error.h"

#define SILENT "cancel-mode='silent'"
#define JOB(attributes, children) "<test:block-job " attributes ">" children "</test:block-job>"

static guint number(VbJob *job)
{
    return vb_job_info(job)->number;
}

/* ---- many ---- */

#define BATCHES 50
#define DISKS 20
#define DURATION 20 /* ms, of each job, as the orders below have it */

typedef struct {
    CoreFixture *fixture;
    VbJob *job;
    VbJobFlags flags;
    CoreReply *reply; /* NULL: the shot has not been fired yet */
} Shot;

static gboolean on_shot(gpointer user_data)
{
    Shot *shot = user_data;

    shot->reply = core_cancel(shot->fixture, shot->job, shot->flags);
    return G_SOURCE_REMOVE;
}

/* Counts the ends of each job. */
static void count_end(VbJob *job, gpointer user_data)
{
    GHashTable *ends = user_data;
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(ends, GUINT_TO_POINTER(number(job))));

    g_hash_table_insert(ends, GUINT_TO_POINTER(number(job)), GUINT_TO_POINTER(n + 1));
}

static CoreReply *start_batch(CoreFixture *fixture, guint batch, const char *faults)
{
    g_autofree char *name = g_strdup_printf("d%u", batch);
    g_autofree char *xml = core_domain_xml(name, NULL, faults, DISKS);
    /* What completes changes the stored definition, which takes its time; most have none. */
    g_autoptr(CoreReply) define =
        batch % 5 == 0 ? core_define(fixture, xml) : core_create(fixture, xml);
    GPtrArray *specs = g_ptr_array_new();
    CoreReply *start;

    core_reply_assert_ok(define);
    if (batch % 5 == 0)
        core_do(fixture, define->domain, VB_DOMAIN_OP_START);
    for (guint i = 0; i < DISKS; i++) {
        g_autofree char *disk = g_strdup_printf("vd%c", 'a' + i);

        g_ptr_array_add(specs, core_spec(VB_JOB_PULL, disk));
    }
    start = core_start_specs(fixture, define->domain, specs);
    core_reply_assert_ok(start);
    return start;
}

/* The answer says what happened. */
static gboolean check_shot(Shot *shot, GHashTable *ends)
{
    gboolean canceled = vb_job_info(shot->job)->result == VB_JOB_RESULT_CANCELED;

    g_assert_cmpuint(
        GPOINTER_TO_UINT(g_hash_table_lookup(ends, GUINT_TO_POINTER(number(shot->job)))), ==, 1);
    if (canceled) {
        core_reply_assert_ok(shot->reply);
    } else {
        core_reply_assert_error(shot->reply, VB_ERROR_NO_BLOCK_JOB, "completed");
        g_assert_cmpint(vb_job_info(shot->job)->result, ==, VB_JOB_RESULT_COMPLETED);
    }
    core_reply_free(shot->reply);
    return canceled;
}

typedef struct {
    const char *faults;
    gboolean async; /* some do not wait: who is told "accepted" may still lose the race */
} Thousand;

/* A thousand jobs, cancelled at random moments around their completion: each ends once. */
static void test_thousand(gconstpointer data)
{
    const Thousand *thousand = data;
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(GHashTable) ends = g_hash_table_new(NULL, NULL);
    guint n_canceled = 0;

    core_fixture_set_concluded(fixture, count_end, ends);
    for (guint batch = 0; batch < BATCHES; batch++) {
        g_autoptr(CoreReply) start = start_batch(fixture, batch, thousand->faults);
        Shot shots[DISKS];

        for (guint i = 0; i < DISKS; i++) {
            shots[i] =
                (Shot){.fixture = fixture,
                       .job = start->jobs->pdata[i],
                       .flags = thousand->async && g_test_rand_bit() ? VB_JOB_ASYNC : VB_JOB_WAIT};
            g_timeout_add(g_test_rand_int_range(0, DURATION * 3 / 2), on_shot, &shots[i]);
        }
        for (guint i = 0; i < DISKS; i++) {
            VB_WAIT_FOR(shots[i].reply && shots[i].reply->done && !vb_job_is_live(shots[i].job));
            n_canceled += check_shot(&shots[i], ends);
        }
        core_do(fixture, start->domain, VB_DOMAIN_OP_DESTROY);
    }
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, BATCHES * DISKS);
    /* Both ends of the race were seen. */
    g_test_message("%u of %u were canceled", n_canceled, BATCHES * DISKS);
    g_assert_cmpuint(n_canceled, >, BATCHES);
    g_assert_cmpuint(n_canceled, <, BATCHES * DISKS - BATCHES);
}

static const Thousand thousand_reported = {JOB("duration='20'", ""), TRUE};
static const Thousand thousand_event_first = {
    JOB("duration='20'", "<test:cancel reply='after-report'/>"), TRUE};
static const Thousand thousand_silent = {JOB("duration='20' " SILENT, ""), TRUE};
static const Thousand thousand_mixed = {
    JOB("disk='vda' duration='20' " SILENT, "<test:cancel delay='3'/>")
        JOB("disk='vdb' duration='20' " SILENT, "<test:cancel reports='2'/>")
            JOB("disk='vdc' duration='20'", "<test:cancel delay='3' reports='2'/>")
                JOB("disk='vdd' duration='20'", "<test:cancel result='completed'/>")
                    JOB("disk='vde' duration='20'",
                        "<test:cancel result='completed' delay='3' reply='after-report'/>")
                        JOB("duration='20'", "<test:cancel delay='2'/>"),
    FALSE};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_data_func("/job/thousand/reported", &thousand_reported, test_thousand);
    g_test_add_data_func("/job/thousand/event-first", &thousand_event_first, test_thousand);
    g_test_add_data_func("/job/thousand/silent", &thousand_silent, test_thousand);
    g_test_add_data_func("/job/thousand/mixed", &thousand_mixed, test_thousand);

    return g_test_run();
}
