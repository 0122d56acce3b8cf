/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusd is killed at one point of a block job's life, and another one takes over: each row of
 * the tables is such a point, made by tests/lib/kill-at.c. Over both lives the job ends in exactly
 * one terminal signal, the outcome is the right one, and the guest runs on in the same process. The
 * one exception is a death between the signal and the note that it was given: then it is repeated,
 * with the same serial. */
#include "bus-guest.h"

#include <glib/gstdio.h>
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
    SENT,   /* QEMU was told to start the job, and closes a monitor with or without reading what is
               left: LIVE or NEVER, as QEMU itself says */
} Second;

typedef struct {
    const char *name;
    Story story;
    const char *kill_at;
    Second second;
    const char *kill_again; /* the second life ends here, and it is the third that counts */
} Point;

static const Point points[] = {
    /* The records of a canceled pull: created, started, intent, outcome, announced, cleaned. */
    {"pull/created-before", PULL_CANCEL, "rename job- 1 before", NEVER},
    {"pull/created", PULL_CANCEL, "rename job- 1 after", NEVER},
    {"pull/sent", PULL_CANCEL, "send block-stream 1 after", SENT},
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

    /* Of a pivot: created, target, started, ready, intent, finalizing, (definition,) outcome,
     * announced, cleaned. */
    {"copy/created", COPY_PIVOT, "rename job- 1 after", NEVER},
    {"copy/target", COPY_PIVOT, "rename job- 2 after", NEVER},
    {"copy/sent", COPY_PIVOT, "send blockdev-mirror 1 after", SENT},
    {"copy/started", COPY_PIVOT, "rename job- 3 after", LIVE},
    {"copy/ready-before", COPY_PIVOT, "rename job- 4 before", LIVE},
    {"copy/ready", COPY_PIVOT, "rename job- 4 after", LIVE},
    {"copy/ready-signal", COPY_PIVOT, "send BlockJobReady 1 after", LIVE},
    {"copy/intent", COPY_PIVOT, "rename job- 5 after", ENDS},
    {"copy/complete-sent", COPY_PIVOT, "send job-complete 1 after", ENDS},
    {"copy/finalizing-before", COPY_PIVOT, "rename job- 6 before", ENDS},
    {"copy/finalizing", COPY_PIVOT, "rename job- 6 after", ENDS},
    {"copy/definition-before", COPY_PIVOT, "rename virtbus/domain/ 2 before", ENDS},
    {"copy/definition", COPY_PIVOT, "rename virtbus/domain/ 2 after", ENDS},
    {"copy/finalize-before", COPY_PIVOT, "send job-finalize 1 before", ENDS},
    {"copy/finalize-sent", COPY_PIVOT, "send job-finalize 1 after", ENDS},
    {"copy/outcome-before", COPY_PIVOT, "rename job- 7 before", ENDS},
    {"copy/outcome", COPY_PIVOT, "rename job- 7 after", ENDS},
    {"copy/live-definition", COPY_PIVOT, "send BlockJobCompleted 1 before", ENDS},
    {"copy/signal", COPY_PIVOT, "send BlockJobCompleted 1 after", REPEAT},
    {"copy/announced", COPY_PIVOT, "rename job- 8 after", DONE},
    {"copy/cleaned", COPY_PIVOT, "rename job- 9 after", DONE},

    /* The same up to the intent; QEMU waits to be told to finalize this end, too. */
    {"copy-cancel/intent", COPY_CANCEL, "rename job- 5 after", ENDS},
    {"copy-cancel/cancel-sent", COPY_CANCEL, "send block-job-cancel 1 after", ENDS},
    {"copy-cancel/finalizing", COPY_CANCEL, "rename job- 6 after", ENDS},
    {"copy-cancel/finalize-sent", COPY_CANCEL, "send job-finalize 1 after", ENDS},
    {"copy-cancel/outcome-before", COPY_CANCEL, "rename job- 7 before", ENDS},
    {"copy-cancel/outcome", COPY_CANCEL, "rename job- 7 after", ENDS},
    {"copy-cancel/signal", COPY_CANCEL, "send BlockJobCanceled 1 after", REPEAT},
    {"copy-cancel/announced", COPY_CANCEL, "rename job- 8 after", DONE},

    {"commit/started", COMMIT_PIVOT, "rename job- 2 after", LIVE},
    {"commit/intent", COMMIT_PIVOT, "rename job- 4 after", ENDS},
    {"commit/complete-sent", COMMIT_PIVOT, "send job-complete 1 after", ENDS},
    {"commit/finalizing", COMMIT_PIVOT, "rename job- 5 after", ENDS},
    {"commit/definition", COMMIT_PIVOT, "rename virtbus/domain/ 2 after", ENDS},
    {"commit/finalize-sent", COMMIT_PIVOT, "send job-finalize 1 after", ENDS},
    {"commit/outcome-before", COMMIT_PIVOT, "rename job- 6 before", ENDS},
    {"commit/outcome", COMMIT_PIVOT, "rename job- 6 after", ENDS},
    {"commit/announced", COMMIT_PIVOT, "rename job- 7 after", DONE},

    {"twice/cancel", PULL_CANCEL, "rename job- 3 after", ENDS, "send job-cancel 1 after"},
    {"twice/signal", PULL_CANCEL, "rename job- 3 after", REPEAT, "send BlockJobCanceled 1 after"},
    {"twice/signal-before", PULL_CANCEL, "rename job- 4 after", ENDS,
     "send BlockJobCanceled 1 before"},
    {"twice/complete", COPY_PIVOT, "rename job- 5 after", ENDS, "send job-complete 1 after"},
    {"twice/finalize", COPY_PIVOT, "rename job- 6 after", ENDS, "send job-finalize 1 after"},
    {"twice/outcome", COPY_PIVOT, "send job-finalize 1 after", ENDS, "rename job- 1 after"},
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

    VB_WAIT_FOR(vb_bus_client_reply(scene->client, serial) != NULL);
    if (story != PULL_COMPLETE && vb_bus_client_reply(scene->client, serial)->error == NULL) {
        if (story != PULL_CANCEL)
            VB_WAIT_FOR(is_ready(scene) || daemon_is_dead(scene));
        if (!daemon_is_dead(scene))
            send_end(scene, story);
    }
    VB_WAIT_FOR(daemon_is_dead(scene));
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

static void assert_one_end(const Scene *scene, Story story, Second life)
{
    GuestEnd first = guest_await_end(scene->client, scene->begin, JOB, outcomes[story].end);
    GuestEnd second;

    g_assert_cmpuint(first.serial, ==, 1);
    g_assert_cmpint(first.pivoted, ==, outcomes[story].pivoted);
    g_assert_cmpint(first.consistent, ==, outcomes[story].consistent);
    if (life == REPEAT) {
        VB_WAIT_FOR(guest_find_end(scene->client, scene->begin, JOB, 1, &second));
        g_assert_cmpuint(second.serial, ==, first.serial);
        g_assert_true(g_variant_equal(second.message->body, first.message->body));
    }
    guest_assert_result(scene->client, JOB, outcomes[story].result);
    g_assert_cmpuint(guest_count_ends(scene->client, scene->begin, NULL), ==,
                     life == REPEAT ? 2 : 1);
    g_assert_cmpuint(
        vb_bus_client_count(scene->client, scene->begin, NULL, VB_IFACE_BLOCK, "BlockJobReady"), <=,
        1);
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

/* The disk is free, and the job's number was not used before. */
static void assert_next_job(const Scene *scene)
{
    guint from = vb_bus_client_position(scene->client);
    g_autofree char *job =
        guest_start_job(scene->client, scene->domain, "Copy",
                        "('vda', \"<disk type='file'><driver type='qcow2'/>"
                        "<source file='%s/again'/></disk>\", {'bandwidth': <uint64 262144>})",
                        vb_bus_fixture_dir(scene->fixture));

    g_assert_cmpstr(job, !=, JOB);
    vb_bus_client_do(scene->client, job, VB_IFACE_JOB, "Cancel");
    guest_await_end(scene->client, from, job, "BlockJobCanceled requested");
    g_assert_cmpuint(guest_count_ends(scene->client, from, NULL), ==, 1);
}

static Second ask_qemu(VbBusFixture *fixture)
{
    g_autofree char *jobs = guest_monitor(fixture, "guest", "{\"execute\": \"query-jobs\"}");

    return strstr(jobs, "\"status\"") != NULL ? LIVE : NEVER;
}

static void start_doomed_daemon(VbBusFixture *fixture, const char *kill_at)
{
    const char *options = g_getenv("ASAN_OPTIONS");
    g_autofree char *order = g_strconcat("VB_KILL_AT=", kill_at, NULL);
    g_autofree char *sanitizer =
        g_strdup_printf("ASAN_OPTIONS=%s:verify_asan_link_order=0", options != NULL ? options : "");
    const char *const environment[] = {"LD_PRELOAD=" VB_TEST_KILL_AT, order, sanitizer, NULL};

    vb_bus_fixture_start_doomed_daemon(fixture, environment);
}

static void run_point(gconstpointer data)
{
    const Point *point = data;
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NO_DAEMON);
    Scene scene = {.fixture = fixture, .client = vb_bus_fixture_client(fixture)};

    start_doomed_daemon(fixture, point->kill_at);
    scene.domain = guest_start_on_chain(fixture, TRUE);
    scene.pid = guest_pid(fixture, scene.domain);
    scene.begin = vb_bus_client_position(scene.client);
    live_until_death(&scene, point->story);
    if (point->kill_again != NULL) {
        g_assert_cmpuint(guest_count_ends(scene.client, scene.begin, NULL), ==, 0);
        start_doomed_daemon(fixture, point->kill_again);
        g_assert_cmpint(vb_bus_fixture_await_daemon_exit(fixture), ==, -1);
    }
    g_assert_true(guest_is_alive(scene.pid));
    g_assert_cmpuint(guest_count_ends(scene.client, scene.begin, NULL), ==,
                     point->second == REPEAT || point->second == DONE);

    Second life = point->second == SENT ? ask_qemu(fixture) : point->second;
    vb_bus_fixture_start_daemon(fixture);
    if (life == LIVE)
        go_on(&scene, point->story);
    if (life == NEVER) {
        g_assert_false(vb_bus_client_has_object(scene.client, JOB));
        g_assert_cmpuint(guest_count_ends(scene.client, scene.begin, NULL), ==, 0);
        assert_guest(&scene, "top");
    } else {
        assert_one_end(&scene, point->story, life);
        assert_guest(&scene, outcomes[point->story].image);
    }
    assert_next_job(&scene);
    vb_bus_client_do(scene.client, scene.domain, VB_IFACE_DOMAIN, "Destroy");
    g_assert_false(guest_is_alive(scene.pid));
    if (life != NEVER && outcomes[point->story].copy != NULL)
        guest_assert_content(fixture, outcomes[point->story].copy);
    g_free(scene.domain);
}

/* ---- a guest that writes ----------------------------------------------------------------------
 */

/* A boot sector. For ever: counts up, writes the count to sector 64 of the disk (int 13h, AH 43h),
 * and, when that is done, a dot to the serial port. */
static const guint8 writer[512] = {
    0x31,           0xc0,                                           /* xor ax, ax */
    0x8e,           0xd8,                                           /* mov ds, ax */
    0x66,           0xc7, 0x06, 0x00, 0x7e, 0x00, 0x00, 0x00, 0x00, /* mov dword [7e00h], 0 */
    0x66,           0xff, 0x06, 0x00, 0x7e,                         /* 0dh: inc dword [7e00h] */
    0xbe,           0x30, 0x7c,                                     /* mov si, 7c30h */
    0xb8,           0x00, 0x43,                                     /* mov ax, 4300h */
    0xb2,           0x80,                                           /* mov dl, 80h */
    0xcd,           0x13,                                           /* int 13h */
    0x72,           0xfe,                                           /* jc $ */
    0xba,           0xf8, 0x03,                                     /* mov dx, 3f8h */
    0xb0,           0x2e,                                           /* mov al, '.' */
    0xee,                                                           /* out dx, al */
    0xeb,           0xe7,                                           /* jmp 0dh */
    [0x30] = 0x10,  0x00, 0x01, 0x00, 0x00, 0x7e, 0x00, 0x00, /* one sector from 0:7e00h … */
    [0x38] = 0x40,                                            /* … to 64 */
    [0x1fe] = 0x55, 0xaa,
};

/* The count on an image that no QEMU writes to. */
static guint32 read_count(VbBusFixture *fixture, const char *image)
{
    g_autofree char *raw = guest_path(fixture, "raw");
    g_autoptr(GMappedFile) file = NULL;
    guint32 count;

    g_free(guest_run(fixture, "qemu-img convert -f qcow2 -O raw %s raw", image));
    file = g_mapped_file_new(raw, FALSE, NULL);
    g_assert_nonnull(file);
    memcpy(&count, g_mapped_file_get_contents(file) + 64 * 512, sizeof count);
    return GUINT32_FROM_LE(count);
}

static guint32 count_dots(VbBusFixture *fixture)
{
    g_autofree char *path = guest_path(fixture, "dots");
    GStatBuf st;

    return g_stat(path, &st) == 0 ? (guint32)st.st_size : 0;
}

static gboolean tick(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

static void wait_for_dots(VbBusFixture *fixture, guint32 n)
{
    guint ticking = g_timeout_add(5, tick, NULL);

    VB_WAIT_FOR(count_dots(fixture) >= n);
    g_source_remove(ticking);
}

static char *start_writer(VbBusFixture *fixture)
{
    g_autofree char *disk = guest_file_disk(fixture, "top", "vda");
    g_autofree char *dots = guest_path(fixture, "dots");
    g_autofree char *devices =
        g_strdup_printf("%s<serial type='file'><source path='%s'/></serial>", disk, dots);
    g_autofree char *xml = guest_xml(fixture, "guest", devices, NULL);
    g_autofree char *boot = guest_path(fixture, "boot");
    g_autoptr(GError) error = NULL;

    g_file_set_contents(boot, (const char *)writer, sizeof writer, &error);
    g_assert_no_error(error);
    g_free(guest_run(fixture, "qemu-img create -q -f qcow2 -F raw -b %s top 8M", boot));
    return guest_start(vb_bus_fixture_client(fixture), xml, FALSE);
}

/* The daemon dies while the switch is pending: the guest's writes wait for the next one, and go on
 * with it; each that was acknowledged is on the copy. */
static void test_writes(gconstpointer data)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NO_DAEMON);
    Scene scene = {.fixture = fixture, .client = vb_bus_fixture_client(fixture)};

    start_doomed_daemon(fixture, data);
    scene.domain = start_writer(fixture);
    scene.pid = guest_pid(fixture, scene.domain);
    scene.begin = vb_bus_client_position(scene.client);
    wait_for_dots(fixture, 1);
    live_until_death(&scene, COPY_PIVOT);

    g_autofree char *jobs = guest_monitor(fixture, "guest", "{\"execute\": \"query-jobs\"}");
    if (strstr(jobs, "\"pending\"") == NULL)
        g_error("the copy is not pending: %s", jobs);
    guint32 held = count_dots(fixture);
    gint64 restart = g_get_monotonic_time();
    vb_bus_fixture_start_daemon(fixture);
    wait_for_dots(fixture, held + 2); /* one may have been on its way */
    g_test_message("%u writes before, the next one %" G_GINT64_FORMAT " ms after the restart", held,
                   (g_get_monotonic_time() - restart) / 1000);
    guest_await_end(scene.client, scene.begin, JOB, outcomes[COPY_PIVOT].end);
    g_assert_true(guest_is_alive(scene.pid));
    g_assert_cmpint(guest_pid(fixture, scene.domain), ==, scene.pid);

    vb_bus_client_do(scene.client, scene.domain, VB_IFACE_DOMAIN, "Destroy");
    guint32 written = read_count(fixture, "copy");
    g_assert_cmpuint(written, >=, count_dots(fixture));
    g_assert_cmpuint(read_count(fixture, "top"), <, written);
    g_free(scene.domain);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/kill9/writes/finalizing", "rename job- 6 after", test_writes);
    g_test_add_data_func("/kill9/writes/definition", "rename virtbus/domain/ 2 after", test_writes);
    g_test_add_data_func("/kill9/writes/finalize", "send job-finalize 1 before", test_writes);
    for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
        g_autofree char *path = g_strconcat("/kill9/", points[i].name, NULL);
        g_test_add_data_func(path, &points[i], run_point);
    }
    return g_test_run();
}
