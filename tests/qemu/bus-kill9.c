/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusd is killed at one point of a block job's life, and another one takes over: each row of
 * the tables is such a point, made by tests/lib/kill-at.c. Over both lives the job ends in exactly
 * one terminal signal, the outcome is the right one, and the guest runs on in the same process. The
 * one exception is a death between the signal and the note that it was given: then it is repeated,
 * with the same serial. */
#include "bus-guest.h"

#include <string.h>

#define JOB "/org/virtbus1/job/1" /* the first one of a fixture */

typedef enum {
    PULL_CANCEL,   /* a slow pull is canceled */
    PULL_COMPLETE, /* a pull runs to its end */
    COPY_PIVOT,
    COPY_CANCEL, /* of a ready copy: the soft flavour */
    COMMIT_PIVOT,
} Story;

typedef enum {
    NEVER,  /* there never was a job: no object, no signal */
    LIVE,   /* the second life has the job, and the client goes on with its story */
    ENDS,   /* the second life ends it by itself */
    DONE,   /* the first life gave the signal, and noted it */
    REPEAT, /* it gave the signal and could not note it: twice, with one serial */
} Second;

typedef struct {
    const char *name;
    Story story;
    const char *kill_at;
    Second second;
} Point;

static const Point points[] = {
    /* The records of a canceled pull: created, started, intent, outcome, announced, cleaned. */
    {"pull/created-before", PULL_CANCEL, "rename job- 1 before", NEVER},
    {"pull/created", PULL_CANCEL, "rename job- 1 after", NEVER},
    {"pull/sent", PULL_CANCEL, "send block-stream 1 after", LIVE},
    {"pull/started-before", PULL_CANCEL, "rename job- 2 before", LIVE},
    {"pull/started", PULL_CANCEL, "rename job- 2 after", LIVE},
    {"pull/intent-before", PULL_CANCEL, "rename job- 3 before", LIVE},
    {"pull/intent", PULL_CANCEL, "rename job- 3 after", ENDS},
    {"pull/cancel-sent", PULL_CANCEL, "send job-cancel 1 after", ENDS},
    {"pull/outcome-before", PULL_CANCEL, "rename job- 4 before", ENDS},
    {"pull/outcome", PULL_CANCEL, "rename job- 4 after", ENDS},
    {"pull/signal-before", PULL_CANCEL, "send BlockJobCanceled 1 before", ENDS},
    {"pull/signal", PULL_CANCEL, "send BlockJobCanceled 1 after", REPEAT},
    {"pull/announced-before", PULL_CANCEL, "rename job- 5 before", REPEAT},
    {"pull/announced", PULL_CANCEL, "rename job- 5 after", DONE},
    {"pull/dismissed", PULL_CANCEL, "send job-dismiss 1 after", DONE},
    {"pull/cleaned-before", PULL_CANCEL, "rename job- 6 before", DONE},
    {"pull/cleaned", PULL_CANCEL, "rename job- 6 after", DONE},

    {"pull-complete/outcome-before", PULL_COMPLETE, "rename job- 3 before", ENDS},
    {"pull-complete/outcome", PULL_COMPLETE, "rename job- 3 after", ENDS},
    {"pull-complete/announced", PULL_COMPLETE, "rename job- 4 after", DONE},

    /* Of a pivot: created, started, ready, intent, finalizing, (definition,) outcome, announced,
     * cleaned. */
    {"copy/created", COPY_PIVOT, "rename job- 1 after", NEVER},
    {"copy/sent", COPY_PIVOT, "send blockdev-mirror 1 after", LIVE},
    {"copy/started", COPY_PIVOT, "rename job- 2 after", LIVE},
    {"copy/ready-before", COPY_PIVOT, "rename job- 3 before", LIVE},
    {"copy/ready", COPY_PIVOT, "rename job- 3 after", LIVE},
    {"copy/ready-signal", COPY_PIVOT, "send BlockJobReady 1 after", LIVE},
    {"copy/intent", COPY_PIVOT, "rename job- 4 after", ENDS},
    {"copy/complete-sent", COPY_PIVOT, "send job-complete 1 after", ENDS},
    {"copy/finalizing-before", COPY_PIVOT, "rename job- 5 before", ENDS},
    {"copy/finalizing", COPY_PIVOT, "rename job- 5 after", ENDS},
    {"copy/definition-before", COPY_PIVOT, "rename virtbus/domain/ 2 before", ENDS},
    {"copy/definition", COPY_PIVOT, "rename virtbus/domain/ 2 after", ENDS},
    {"copy/finalize-before", COPY_PIVOT, "send job-finalize 1 before", ENDS},
    {"copy/finalize-sent", COPY_PIVOT, "send job-finalize 1 after", ENDS},
    {"copy/outcome-before", COPY_PIVOT, "rename job- 6 before", ENDS},
    {"copy/outcome", COPY_PIVOT, "rename job- 6 after", ENDS},
    {"copy/live-definition", COPY_PIVOT, "send BlockJobCompleted 1 before", ENDS},
    {"copy/signal", COPY_PIVOT, "send BlockJobCompleted 1 after", REPEAT},
    {"copy/announced", COPY_PIVOT, "rename job- 7 after", DONE},
    {"copy/cleaned", COPY_PIVOT, "rename job- 8 after", DONE},

    {"copy-cancel/intent", COPY_CANCEL, "rename job- 4 after", ENDS},
    {"copy-cancel/cancel-sent", COPY_CANCEL, "send block-job-cancel 1 after", ENDS},
    {"copy-cancel/outcome-before", COPY_CANCEL, "rename job- 5 before", ENDS},
    {"copy-cancel/outcome", COPY_CANCEL, "rename job- 5 after", ENDS},
    {"copy-cancel/announced", COPY_CANCEL, "rename job- 6 after", DONE},

    {"commit/started", COMMIT_PIVOT, "rename job- 2 after", LIVE},
    {"commit/intent", COMMIT_PIVOT, "rename job- 4 after", ENDS},
    {"commit/complete-sent", COMMIT_PIVOT, "send job-complete 1 after", ENDS},
    {"commit/definition", COMMIT_PIVOT, "rename virtbus/domain/ 2 after", ENDS},
    {"commit/finalize-sent", COMMIT_PIVOT, "send job-finalize 1 after", ENDS},
    {"commit/outcome-before", COMMIT_PIVOT, "rename job- 6 before", ENDS},
    {"commit/outcome", COMMIT_PIVOT, "rename job- 6 after", ENDS},
    {"commit/announced", COMMIT_PIVOT, "rename job- 7 after", DONE},
};

/* What the job of a story comes to: signal and reason, Result, the disk's image, whether a file is
 * a copy of what the guest sees, and which. */
static const struct {
    const char *end, *result, *image, *copy;
    gboolean pivoted, consistent;
} outcomes[] = {
    [PULL_CANCEL] = {"BlockJobCanceled requested", "canceled", "top", NULL, FALSE, FALSE},
    [PULL_COMPLETE] = {"BlockJobCompleted done", "completed", "top", "top", FALSE, FALSE},
    [COPY_PIVOT] = {"BlockJobCompleted done", "completed", "copy", "copy", TRUE, TRUE},
    [COPY_CANCEL] = {"BlockJobCanceled requested", "canceled", "top", "copy", FALSE, TRUE},
    [COMMIT_PIVOT] = {"BlockJobCompleted done", "completed", "base", "base", TRUE, TRUE},
};

/* ---- the story --------------------------------------------------------------------------------
 */

typedef struct {
    VbBusFixture *fixture;
    VbBusClient *client;
    char *domain;
    guint begin; /* position in the client's log */
    GPid pid;
} Scene;

static gboolean daemon_is_dead(const Scene *scene)
{
    return vb_bus_fixture_daemon_pid(scene->fixture) == 0;
}

static gboolean is_ready(const Scene *scene)
{
    return vb_bus_client_count(scene->client, scene->begin, scene->domain, VB_IFACE_BLOCK,
                               "BlockJobReady") > 0;
}

static guint32 send_start(const Scene *scene, Story story)
{
    switch (story) {
    case PULL_CANCEL:
        return guest_send(scene->client, scene->domain, "Pull",
                          "('vda', {'bandwidth': <uint64 262144>})");
    case PULL_COMPLETE:
        return guest_send(scene->client, scene->domain, "Pull", "('vda', {})");
    case COMMIT_PIVOT:
        return guest_send(scene->client, scene->domain, "Commit", "('vda', {'active': <true>})");
    case COPY_PIVOT:
    case COPY_CANCEL:
        break;
    }
    return guest_send(scene->client, scene->domain, "Copy",
                      "('vda', \"<disk type='file'><driver type='qcow2'/>"
                      "<source file='%s/copy'/></disk>\", {})",
                      vb_bus_fixture_dir(scene->fixture));
}

static guint32 send_end(const Scene *scene, Story story)
{
    return guest_send(scene->client, scene->domain, "AbortJob", "('vda', {%s})",
                      story == PULL_CANCEL || story == COPY_CANCEL ? "" : "'pivot': <true>");
}

/* Does what the client does, until the daemon dies of it. */
static void live_until_death(const Scene *scene, Story story)
{
    guint32 serial = send_start(scene, story);

    VB_BUS_WAIT_UNTIL(vb_bus_client_reply(scene->client, serial) != NULL);
    if (story != PULL_COMPLETE && vb_bus_client_reply(scene->client, serial)->error == NULL) {
        if (story != PULL_CANCEL)
            VB_BUS_WAIT_UNTIL(is_ready(scene) || daemon_is_dead(scene));
        if (!daemon_is_dead(scene))
            send_end(scene, story);
    }
    VB_BUS_WAIT_UNTIL(daemon_is_dead(scene));
    g_assert_cmpint(vb_bus_fixture_await_daemon_exit(scene->fixture), ==, -1);
}

/* What was begun in the first life, the client brings to its end in the second. */
static void go_on(const Scene *scene, Story story)
{
    guint position = scene->begin;

    g_assert_cmpuint(guest_count_ends(scene->client, scene->begin, NULL), ==, 0);
    if (story != PULL_CANCEL)
        guest_wait_ready(scene->client, JOB);
    guint32 serial = send_end(scene, story);
    guest_await_end(scene->client, scene->begin, JOB, outcomes[story].end);
    vb_bus_client_next_signal(scene->client, &position, JOB, VB_IFACE_JOB, "Finished");
    g_assert_null(vb_bus_client_next_reply(scene->client, &position, serial)->error);
}

/* ---- afterwards -------------------------------------------------------------------------------
 */

static void assert_one_end(const Scene *scene, const Point *point)
{
    GuestEnd first = guest_await_end(scene->client, scene->begin, JOB, outcomes[point->story].end);
    GuestEnd second;

    g_assert_cmpuint(first.serial, ==, 1);
    g_assert_cmpint(first.pivoted, ==, outcomes[point->story].pivoted);
    g_assert_cmpint(first.consistent, ==, outcomes[point->story].consistent);
    if (point->second == REPEAT) {
        VB_BUS_WAIT_UNTIL(guest_find_end(scene->client, scene->begin, JOB, 1, &second));
        g_assert_cmpuint(second.serial, ==, first.serial);
        g_assert_true(g_variant_equal(second.message->body, first.message->body));
    }
    guest_assert_result(scene->client, JOB, outcomes[point->story].result);
    g_assert_cmpuint(guest_count_ends(scene->client, scene->begin, NULL), ==,
                     point->second == REPEAT ? 2 : 1);
    g_assert_cmpuint(vb_bus_client_count(scene->client, scene->begin, NULL, VB_IFACE_BLOCK,
                                         "BlockJobReady"),
                     <=, 1);
}

static void assert_guest(const Scene *scene, const char *image)
{
    g_autofree char *state =
        vb_bus_client_get_string(scene->client, scene->domain, VB_IFACE_DOMAIN, "State");
    g_autoptr(GVariant) responsive =
        vb_bus_client_get(scene->client, scene->domain, VB_IFACE_DOMAIN, "Responsive");
    g_autoptr(GVariant) pending =
        vb_bus_client_get(scene->client, scene->domain, VB_IFACE_DOMAIN, "ConfigPending");
    g_autofree char *live_image = guest_disk_source(scene->client, scene->domain);
    g_autofree char *stored = guest_get_xml(scene->client, scene->domain, TRUE);
    g_autofree char *stored_image =
        g_strdup_printf("<source file='%s/%s'", vb_bus_fixture_dir(scene->fixture), image);

    g_assert_cmpstr(state, ==, "paused");
    g_assert_true(g_variant_get_boolean(responsive));
    g_assert_false(g_variant_get_boolean(pending));
    g_assert_cmpint(guest_pid(scene->fixture, scene->domain), ==, scene->pid);
    g_assert_true(guest_is_alive(scene->pid));
    g_assert_cmpstr(live_image, ==, image);
    if (strstr(stored, stored_image) == NULL)
        g_error("not in the stored definition: %s\n%s", stored_image, stored);
}

/* The disk is free, and its number was never used before. */
static void assert_next_job(const Scene *scene, const char *expected)
{
    guint from = vb_bus_client_position(scene->client);
    g_autofree char *job =
        guest_start_job(scene->client, scene->domain, "Copy",
                        "('vda', \"<disk type='file'><driver type='qcow2'/>"
                        "<source file='%s/again'/></disk>\", {'bandwidth': <uint64 262144>})",
                        vb_bus_fixture_dir(scene->fixture));

    if (expected != NULL)
        g_assert_cmpstr(job, ==, expected);
    else
        g_assert_cmpstr(job, !=, JOB);
    vb_bus_client_do(scene->client, job, VB_IFACE_JOB, "Cancel");
    guest_await_end(scene->client, from, job, "BlockJobCanceled requested");
    g_assert_cmpuint(guest_count_ends(scene->client, from, NULL), ==, 1);
}

static void run_point(gconstpointer data)
{
    const Point *point = data;
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NO_DAEMON);
    g_autofree char *order = g_strconcat("VB_KILL_AT=", point->kill_at, NULL);
    g_autofree char *sanitizer =
        g_strdup_printf("ASAN_OPTIONS=%s:verify_asan_link_order=0", g_getenv("ASAN_OPTIONS"));
    const char *const environment[] = {"LD_PRELOAD=" VB_TEST_KILL_AT, order, sanitizer, NULL};
    Scene scene = {.fixture = fixture, .client = vb_bus_fixture_client(fixture)};

    vb_bus_fixture_start_doomed_daemon(fixture, environment);
    scene.domain = guest_start_on_chain(fixture, TRUE);
    scene.pid = guest_pid(fixture, scene.domain);
    scene.begin = vb_bus_client_position(scene.client);
    live_until_death(&scene, point->story);
    g_assert_true(guest_is_alive(scene.pid));
    g_assert_cmpuint(guest_count_ends(scene.client, scene.begin, NULL), ==,
                     point->second == REPEAT || point->second == DONE);

    vb_bus_fixture_start_daemon(fixture);
    if (point->second == LIVE)
        go_on(&scene, point->story);
    if (point->second == NEVER) {
        g_assert_false(vb_bus_client_has_object(scene.client, JOB));
        g_assert_cmpuint(guest_count_ends(scene.client, scene.begin, NULL), ==, 0);
        assert_guest(&scene, "top");
    } else {
        assert_one_end(&scene, point);
        assert_guest(&scene, outcomes[point->story].image);
    }
    assert_next_job(&scene, NULL);
    vb_bus_client_do(scene.client, scene.domain, VB_IFACE_DOMAIN, "Destroy");
    g_assert_false(guest_is_alive(scene.pid));
    if (point->second != NEVER && outcomes[point->story].copy != NULL)
        guest_assert_content(fixture, outcomes[point->story].copy);
    g_free(scene.domain);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
        g_autofree char *path = g_strconcat("/kill9/", points[i].name, NULL);
        g_test_add_data_func(path, &points[i], run_point);
    }
    return g_test_run();
}
