/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A daemon that is killed and begins again, at each point of a block job's life: over both lives
 * one terminal signal, the right outcome, and nothing before the new one has announced. And records
 * that are not what they should be. Each test is two lives: see core-fixture.h. */
#include "core-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#include "error.h"

#define JOB(attributes, children) "<test:block-job " attributes ">" children "</test:block-job>"
#define SILENT "cancel-mode='silent'"

typedef struct {
    const char *path;
    void (*first)(CoreFixture *fixture, gconstpointer data);
    void (*second)(CoreFixture *fixture, gconstpointer data);
    gconstpointer data;
} Lives;

static void test_first_life(gconstpointer data)
{
    const Lives *lives = data;
    CoreFixture *fixture = core_fixture_new_first_life();

    lives->first(fixture, lives->data);
    core_fixture_exit(fixture);
}

static void test_lives(gconstpointer data)
{
    const Lives *lives = data;
    g_autoptr(CoreFixture) fixture = core_fixture_new_dead();
    g_autofree char *path = g_strconcat("/restart/", lives->path, "/subprocess", NULL);

    core_fixture_run_first_life(fixture, path);
    lives->second(fixture, lives->data);
}

static void assert_one_end(CoreFixture *fixture, const char *expected)
{
    if (core_fixture_count(fixture, expected) != 1 || core_fixture_count_ends(fixture) != 1) {
        core_fixture_dump(fixture);
        g_error("not once: %s", expected);
    }
}

static VbDomain *domain_of(CoreFixture *fixture, const char *name)
{
    VbDomain *domain = vb_host_domain_by_name(core_fixture_host(fixture), name);

    g_assert_nonnull(domain);
    return domain;
}

static const VbDiskDef *disk_of(const VbDomainDef *def)
{
    return def->disks->pdata[0];
}

/* Loads, waits, and announces; nobody is told anything before. */
static void begin_again(CoreFixture *fixture, guint away, guint hold)
{
    guint before = core_fixture_count_ends(fixture);

    core_fixture_run_for(away);
    core_fixture_load(fixture);
    core_fixture_run_for(hold);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, before);
    core_fixture_announce(fixture);
}

/* ---- every phase of a job ---- */

typedef enum {
    DO_NOTHING, /* the job was just started */
    DO_CANCEL,  /* asked for, whatever comes of it */
    DO_READY_CANCEL,
    DO_READY_PIVOT,
    DO_READY_FINALIZE, /* until the switch can no longer be stopped */
} Do;

typedef struct {
    const char *path;
    const char *faults;
    VbJobType type;
    Do what;
    guint away; /* ms that nobody is there */
    guint hold; /* ms between the load and the announcement */
    const char *expected;
} Phase;

/* Longer than it takes to begin again; and longer than that. */
#define LATER "600"
#define STILL_LATER 800
/* Over by the time that somebody is there again. */
#define SOON "60"
#define AFTERWARDS 120

static const Phase phases[] = {
    {"running/completes-later", JOB("duration='" LATER "'", ""), VB_JOB_PULL, DO_NOTHING, 0, 0,
     "job 1 COMPLETED done*"},
    {"running/completes-while-away", JOB("duration='" SOON "'", ""), VB_JOB_PULL, DO_NOTHING,
     AFTERWARDS, 0, "job 1 COMPLETED done synthesized"},
    {"running/completes-before-announced", JOB("duration='" LATER "'", ""), VB_JOB_PULL, DO_NOTHING,
     0, STILL_LATER, "job 1 COMPLETED done*"},
    {"running/fails-while-away",
     JOB("duration='" SOON "'", "<test:end result='failed' message='Input/output error'/>"),
     VB_JOB_PULL, DO_NOTHING, AFTERWARDS, 0, "job 1 FAILED io-error synthesized"},
    {"running/canceled-while-away", JOB("duration='" SOON "'", "<test:end result='canceled'/>"),
     VB_JOB_BACKUP, DO_NOTHING, AFTERWARDS, 0, "job 1 CANCELED external synthesized"},
    {"running/vanishes-while-away", JOB("duration='" SOON "'", "<test:end reports='0'/>"),
     VB_JOB_PULL, DO_NOTHING, AFTERWARDS, 0, "job 1 FAILED vanished synthesized"},
    {"running/crashes-while-away", JOB("duration='" SOON "'", "<test:end result='crash'/>"),
     VB_JOB_PULL, DO_NOTHING, AFTERWARDS, 0, "job 1 FAILED domain-crashed synthesized"},
    {"running/crashes-before-announced", JOB("duration='" LATER "'", "<test:end result='crash'/>"),
     VB_JOB_PULL, DO_NOTHING, 0, STILL_LATER, "job 1 FAILED domain-crashed synthesized"},

    {"canceling/ends-later", JOB("", "<test:cancel delay='" LATER "'/>"), VB_JOB_PULL, DO_CANCEL, 0,
     0, "job 1 CANCELED requested*"},
    {"canceling/ends-while-away", JOB("", "<test:cancel delay='" SOON "'/>"), VB_JOB_PULL,
     DO_CANCEL, AFTERWARDS, 0, "job 1 CANCELED requested synthesized"},
    {"canceling/ends-before-announced", JOB("", "<test:cancel delay='" LATER "'/>"), VB_JOB_PULL,
     DO_CANCEL, 0, STILL_LATER, "job 1 CANCELED requested*"},
    {"canceling/fails-while-away",
     JOB("", "<test:cancel result='failed' message='Input/output error' delay='" SOON "'/>"),
     VB_JOB_PULL, DO_CANCEL, AFTERWARDS, 0, "job 1 CANCELED requested synthesized"},
    {"canceling/lost-while-away", JOB("", "<test:cancel delay='" SOON "' reports='0'/>"),
     VB_JOB_PULL, DO_CANCEL, AFTERWARDS, 0, "job 1 CANCELED vanished synthesized"},
    {"canceling/crashes-while-away", JOB("", "<test:cancel result='crash' delay='" SOON "'/>"),
     VB_JOB_PULL, DO_CANCEL, AFTERWARDS, 0, "job 1 CANCELED domain-crashed synthesized"},
    {"canceling/completes-while-away",
     JOB("", "<test:cancel result='completed' reply='after-report' delay='" SOON "'/>"),
     VB_JOB_PULL, DO_CANCEL, AFTERWARDS, 0, "job 1 COMPLETED done synthesized"},
    {"canceling/silent-later", JOB(SILENT, "<test:cancel delay='" LATER "'/>"), VB_JOB_PULL,
     DO_CANCEL, 0, 0, "job 1 CANCELED * synthesized"},
    {"canceling/silent-while-away", JOB(SILENT, "<test:cancel delay='" SOON "'/>"), VB_JOB_PULL,
     DO_CANCEL, AFTERWARDS, 0, "job 1 CANCELED vanished synthesized"},
    {"canceling/silent-before-announced", JOB(SILENT, "<test:cancel delay='" LATER "'/>"),
     VB_JOB_PULL, DO_CANCEL, 0, STILL_LATER, "job 1 CANCELED * synthesized"},

    {"ready-canceling/ends-later", JOB("duration='0'", "<test:cancel delay='" LATER "'/>"),
     VB_JOB_COPY, DO_READY_CANCEL, 0, 0, "job 1 CANCELED requested* consistent"},
    {"ready-canceling/ends-while-away", JOB("duration='0'", "<test:cancel delay='" SOON "'/>"),
     VB_JOB_COPY, DO_READY_CANCEL, AFTERWARDS, 0,
     "job 1 CANCELED requested synthesized consistent"},
    {"ready-canceling/pivots-while-away",
     JOB("duration='0'", "<test:cancel result='pivoted' delay='" SOON "'/>"), VB_JOB_COPY,
     DO_READY_CANCEL, AFTERWARDS, 0, "job 1 COMPLETED done synthesized pivoted*"},

    {"switching/pending-later", JOB("duration='0'", "<test:pivot delay='" LATER "'/>"), VB_JOB_COPY,
     DO_READY_PIVOT, 0, 0, "job 1 COMPLETED done* pivoted consistent"},
    {"switching/pending-while-away", JOB("duration='0'", "<test:pivot delay='" SOON "'/>"),
     VB_JOB_COPY, DO_READY_PIVOT, AFTERWARDS, 0, "job 1 COMPLETED done* pivoted consistent"},
    {"switching/pending-before-announced", JOB("duration='0'", "<test:pivot delay='" LATER "'/>"),
     VB_JOB_ACTIVE_COMMIT, DO_READY_PIVOT, 0, STILL_LATER,
     "job 1 COMPLETED done* pivoted consistent"},
    {"switching/fails-while-away",
     JOB("duration='0'", "<test:pivot result='failed' message='No space left' delay='" SOON "'/>"),
     VB_JOB_COPY, DO_READY_PIVOT, AFTERWARDS, 0, "job 1 FAILED io-error synthesized"},
    {"finalizing/ends-later", JOB("duration='0'", "<test:pivot finalize-delay='" LATER "'/>"),
     VB_JOB_COPY, DO_READY_FINALIZE, 0, 0, "job 1 COMPLETED done* pivoted consistent"},
    {"finalizing/ends-while-away", JOB("duration='0'", "<test:pivot finalize-delay='" SOON "'/>"),
     VB_JOB_COPY, DO_READY_FINALIZE, AFTERWARDS, 0, "job 1 COMPLETED done* pivoted consistent"},
};

static void first_phase(CoreFixture *fixture, gconstpointer data)
{
    const Phase *phase = data;
    VbDomain *domain = core_running(fixture, "a", phase->faults);
    VbJob *job = core_job(fixture, domain, phase->type, "vda");

    if (phase->what >= DO_READY_CANCEL)
        VB_WAIT_FOR(vb_job_info(job)->ready);
    /* The intent is on record when these have returned; the answers die with the process. */
    if (phase->what == DO_CANCEL || phase->what == DO_READY_CANCEL)
        core_cancel(fixture, job, VB_JOB_ASYNC);
    else if (phase->what != DO_NOTHING)
        core_pivot(fixture, job, VB_JOB_ASYNC);
    if (phase->what == DO_READY_FINALIZE)
        VB_WAIT_FOR(!vb_job_is_cancelable(job));
    g_assert_true(vb_job_is_live(job));
}

static void second_phase(CoreFixture *fixture, gconstpointer data)
{
    const Phase *phase = data;
    VbDomain *domain;
    VbJob *job;

    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
    begin_again(fixture, phase->away, phase->hold);
    VB_WAIT_FOR(core_fixture_count_ends(fixture) > 0);
    core_fixture_run_for(30);
    assert_one_end(fixture, phase->expected);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 READY"), <=, 1);

    /* The concluded job stays readable. */
    domain = domain_of(fixture, "a");
    g_assert_cmpuint(vb_domain_jobs(domain)->len, ==, 1);
    job = vb_domain_jobs(domain)->pdata[0];
    g_assert_cmpuint(vb_job_info(job)->number, ==, 1);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_CONCLUDED);
    if (strstr(phase->expected, "crashed")) {
        core_fixture_assert_order(fixture, phase->expected, "domain a state crashed/crashed", NULL);
        return;
    }
    /* The domain runs on as what it was, the disk is free, and no number comes twice. */
    g_assert_cmpuint(vb_domain_info(domain)->id, ==, 1);
    if (strstr(phase->expected, "pivoted")) {
        const char *now =
            phase->type == VB_JOB_COPY ? "/images/vda-target.qcow2" : "/images/base.qcow2";

        g_assert_cmpstr(disk_of(vb_domain_def(domain))->source->path, ==, now);
        g_assert_cmpstr(disk_of(vb_domain_stored_def(domain))->source->path, ==, now);
        g_assert_false(vb_domain_info(domain)->config_pending);
    } else {
        g_assert_cmpstr(disk_of(vb_domain_def(domain))->source->path, ==, "/images/a-vda.qcow2");
        g_assert_cmpstr(disk_of(vb_domain_stored_def(domain))->source->path, ==,
                        "/images/a-vda.qcow2");
    }
    core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_assert_cmpuint(core_fixture_count(fixture, "job 2 added"), ==, 1);
}

/* ---- a job that goes on ---- */

static void first_ready(CoreFixture *fixture, gconstpointer data)
{
    VbJob *job =
        core_job(fixture, core_running(fixture, "a", JOB("duration='0'", "")), VB_JOB_COPY, "vda");

    VB_WAIT_FOR(vb_job_info(job)->ready);
}

static void second_ready(CoreFixture *fixture, gconstpointer data)
{
    g_autoptr(CoreReply) pivot = NULL;
    VbJob *job;

    begin_again(fixture, 0, 0);
    job = vb_domain_live_job(domain_of(fixture, "a"), "vda");
    g_assert_nonnull(job);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_READY);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 READY"), ==, 1);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(pivot);
    assert_one_end(fixture, "job 1 COMPLETED done pivoted consistent");
}

static void first_paused(CoreFixture *fixture, gconstpointer faults)
{
    VbJob *job = core_job(fixture, core_running(fixture, "a", faults), VB_JOB_PULL, "vda");

    if (strstr(faults, "io-error") == NULL)
        core_reply_assert_ok(core_set_paused(fixture, job, TRUE));
    VB_WAIT_FOR(vb_job_info(job)->state == VB_JOB_PAUSED);
}

static void second_paused(CoreFixture *fixture, gconstpointer data)
{
    g_autoptr(CoreReply) resume = NULL;
    VbJob *job;

    begin_again(fixture, 0, 0);
    core_fixture_run_for(50);
    job = vb_domain_live_job(domain_of(fixture, "a"), "vda");
    g_assert_nonnull(job);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_PAUSED);
    resume = core_set_paused(fixture, job, FALSE);
    core_reply_assert_ok(resume);
    VB_WAIT_FOR(!vb_job_is_live(job));
    assert_one_end(fixture, "job 1 COMPLETED done");
}

/* A hung cancel stays pending; Destroy ends it. */
static void first_hung(CoreFixture *fixture, gconstpointer faults)
{
    VbJob *job = core_job(fixture, core_running(fixture, "a", faults), VB_JOB_PULL, "vda");

    core_cancel(fixture, job, VB_JOB_WAIT);
    core_fixture_run_for(10);
}

static void second_hung(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain;
    VbJob *job;

    begin_again(fixture, 0, 50);
    domain = domain_of(fixture, "a");
    job = vb_domain_live_job(domain, "vda");
    g_assert_nonnull(job);
    g_assert_true(vb_job_info(job)->cancel_requested);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_FINISHING);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    core_fixture_assert_order(fixture, "job 1 CANCELED domain-stopped synthesized",
                              "domain a state shut-off/destroyed", NULL);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

/* ---- what is on record ---- */

static char *run_file(CoreFixture *fixture, const char *name)
{
    g_autofree char *domains =
        g_build_filename(core_fixture_paths(fixture)->run_dir, "domains", NULL);
    g_autoptr(GDir) dir = g_dir_open(domains, 0, NULL);
    const char *uuid;

    /* Of the first life's one domain that has such a file. */
    while (dir && (uuid = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(domains, uuid, name, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&path);
    }
    return NULL;
}

static void set_in_file(const char *path, const char *group, const char *key, const char *value)
{
    g_autoptr(GKeyFile) record = g_key_file_new();

    g_assert_true(g_key_file_load_from_file(record, path, G_KEY_FILE_NONE, NULL));
    g_assert_true(g_key_file_has_key(record, group, key, NULL));
    g_key_file_set_value(record, group, key, value);
    g_assert_true(g_key_file_save_to_file(record, path, NULL));
}

static void first_announced(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain = core_running(
        fixture, "a", JOB("duration='0'", "<test:end result='failed' message='disk on fire'/>"));
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");

    VB_WAIT_FOR(!vb_job_is_live(job));
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 1);
}

static void check_failed(CoreFixture *fixture)
{
    VbDomain *domain = domain_of(fixture, "a");
    VbJob *job;

    g_assert_cmpuint(vb_domain_jobs(domain)->len, ==, 1);
    job = vb_domain_jobs(domain)->pdata[0];
    g_assert_cmpint(vb_job_info(job)->result, ==, VB_JOB_RESULT_FAILED);
    g_assert_cmpstr(vb_job_info(job)->error_message, ==, "disk on fire");
    g_assert_cmpint(vb_job_info(job)->error_code, ==, VB_ERROR_BLOCK_JOB_FAILED);
    g_assert_cmpint(vb_job_info(job)->end_time, >, 0);
    g_assert_true(vb_job_dismiss(job, NULL));
    core_job(fixture, domain, VB_JOB_PULL, "vda");
}

static void second_announced(CoreFixture *fixture, gconstpointer data)
{
    begin_again(fixture, 0, 0);
    assert_one_end(fixture, "job 1 FAILED io-error");
    check_failed(fixture);
}

/* The daemon died between the record of the outcome and that of the signal: it is told again. */
static void second_not_announced(CoreFixture *fixture, gconstpointer data)
{
    g_autofree char *path = run_file(fixture, "job-1.record");

    set_in_file(path, "job", "announced", "false");
    begin_again(fixture, 0, 0);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 2);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 FAILED io-error"), ==, 2);
    check_failed(fixture);
}

/* The hypervisor had not accepted it yet: it never existed. */
static void first_starting(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain = core_running(fixture, "a", JOB("", "<test:start delay='3600000'/>"));

    core_start_job(fixture, domain, VB_JOB_PULL, "vda");
    core_fixture_run_for(10);
}

static void second_starting(CoreFixture *fixture, gconstpointer data)
{
    g_autofree char *before = run_file(fixture, "job-1.record");
    g_autofree char *after = NULL;

    g_assert_nonnull(before);
    begin_again(fixture, 0, 0);
    core_fixture_run_for(20);
    g_assert_cmpuint(core_fixture_count(fixture, "job * added"), ==, 0);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 0);
    g_assert_cmpuint(vb_domain_jobs(domain_of(fixture, "a"))->len, ==, 0);
    after = run_file(fixture, "job-1.record");
    g_assert_null(after);
}

/* It was accepted, and nobody had got the answer. */
static void first_held(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain = core_running(fixture, "a", JOB("duration='100'", ""));

    core_reply_wait(core_start_held(fixture, domain, VB_JOB_PULL, "vda"));
}

static void second_held(CoreFixture *fixture, gconstpointer data)
{
    begin_again(fixture, 0, 0);
    VB_WAIT_FOR(core_fixture_count_ends(fixture) == 1);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 COMPLETED done*"), ==, 1);
}

/* ---- garbage ---- */

typedef struct {
    const char *path;
    const char *contents;
} Garbage;

static const Garbage garbage[] = {
    {"empty", ""},
    {"binary", "\001\377\200[job\n"},
    {"no-version", "[job]\nnumber=1\n"},
    {"other-version", "[job]\nversion=99\nnumber=1\ntype=pull\ndisk=vda\n"},
    {"nothing-else", "[job]\nversion=1\n"},
    {"wrong-type", "[job]\nversion=1\nnumber=1\ntype=vanish\ndisk=vda\n"},
    {"wrong-number", "[job]\nversion=1\nnumber=-5\ntype=pull\ndisk=vda\n"},
};

static void write_file(const char *path, const char *contents)
{
    g_assert_true(g_file_set_contents(path, contents, -1, NULL));
}

static void assert_set_aside(const char *path)
{
    g_autofree char *broken = g_strconcat(path, ".broken", NULL);

    g_assert_true(g_file_test(broken, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void first_two_jobs(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain = core_running(fixture, "a", JOB("duration='500'", ""));

    core_job(fixture, domain, VB_JOB_PULL, "vda");
    core_job(fixture, domain, VB_JOB_PULL, "vdb");
}

/* A job's record that cannot be read is set aside; the domain and its other job go on. The
 * hypervisor's job is shown as one that is not ours. */
static void second_job_garbage(CoreFixture *fixture, gconstpointer contents)
{
    g_autofree char *path = run_file(fixture, "job-1.record");
    VbJob *external;

    write_file(path, contents);
    begin_again(fixture, 0, 0);
    assert_set_aside(path);
    g_assert_cmpint(vb_domain_info(domain_of(fixture, "a"))->state, ==, VB_DOMAIN_RUNNING);
    external = vb_domain_live_job(domain_of(fixture, "a"), "vda");
    g_assert_nonnull(external);
    g_assert_true(vb_job_info(external)->external);
    g_assert_cmpuint(vb_job_info(external)->number, ==, 3);
    VB_WAIT_FOR(core_fixture_count(fixture, "job 2 COMPLETED done*") == 1);
    VB_WAIT_FOR(core_fixture_count(fixture, "job 3 COMPLETED done*") == 1);
    g_assert_cmpuint(core_fixture_count_ends(fixture), ==, 2);
    core_job(fixture, domain_of(fixture, "a"), VB_JOB_PULL, "vdb");
    g_assert_cmpuint(core_fixture_count(fixture, "job 4 added"), ==, 1);
}

/* Numbers that are in use are not given again, even when the counters are lost. */
static void second_counters_garbage(CoreFixture *fixture, gconstpointer contents)
{
    g_autofree char *path =
        g_build_filename(core_fixture_paths(fixture)->run_dir, "counters", NULL);

    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    write_file(path, contents);
    begin_again(fixture, 0, 0);
    VB_WAIT_FOR(core_fixture_count_ends(fixture) == 2);
    core_job(fixture, domain_of(fixture, "a"), VB_JOB_PULL, "vdb");
    g_assert_cmpuint(core_fixture_count(fixture, "job 3 added"), ==, 1);
    core_running(fixture, "b", NULL);
    g_assert_cmpuint(vb_domain_info(domain_of(fixture, "b"))->id, ==, 2);
}

static void first_two_domains(CoreFixture *fixture, gconstpointer data)
{
    core_job(fixture, core_running(fixture, "a", NULL), VB_JOB_PULL, "vda");
    core_defined(fixture, "b", NULL);
}

static void second_domain_garbage(CoreFixture *fixture, gconstpointer name)
{
    g_autofree char *path = run_file(fixture, name);
    VbDomain *domain;

    write_file(path, "<garbage");
    begin_again(fixture, 0, 0);
    assert_set_aside(path);
    domain_of(fixture, "b");
    assert_one_end(fixture, "job 1 FAILED domain-crashed synthesized");
    /* It is still defined, and can be started. */
    domain = domain_of(fixture, "a");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    core_do(fixture, domain, VB_DOMAIN_OP_START);
}

/* The hypervisor's part of the record makes no sense: the domain is gone, and says so. */
static void second_driver_garbage(CoreFixture *fixture, gconstpointer key)
{
    g_autofree char *path = run_file(fixture, "domain.record");

    set_in_file(path, "test", key, "4711");
    begin_again(fixture, 0, 0);
    VB_WAIT_FOR(core_fixture_count_ends(fixture) > 0);
    assert_one_end(fixture, "job 1 FAILED domain-crashed synthesized");
    g_assert_cmpint(vb_domain_info(domain_of(fixture, "a"))->state, ==, VB_DOMAIN_CRASHED);
}

static void first_two_definitions(CoreFixture *fixture, gconstpointer data)
{
    g_autofree char *xml = core_domain_xml("a", "5b1f0a52-0f6c-4d0a-8d5e-0a2f6f6d1c11", NULL, 1);

    core_reply_wait(core_define(fixture, xml));
    core_defined(fixture, "b", NULL);
}

static void second_definition_garbage(CoreFixture *fixture, gconstpointer contents)
{
    g_autofree char *path =
        vb_paths_definition(core_fixture_paths(fixture), "5b1f0a52-0f6c-4d0a-8d5e-0a2f6f6d1c11");

    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    write_file(path, contents);
    begin_again(fixture, 0, 0);
    assert_set_aside(path);
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "a"));
    domain_of(fixture, "b");
    /* The name is free. */
    core_defined(fixture, "a", NULL);
}

/* ---- domains ---- */

static void first_states(CoreFixture *fixture, gconstpointer data)
{
    g_autofree char *xml = core_domain_xml("t", NULL, NULL, 1);

    core_do(fixture, core_running(fixture, "a", NULL), VB_DOMAIN_OP_SUSPEND);
    core_reply_wait(core_create(fixture, xml));
    core_defined(fixture, "off", NULL);
    g_assert_cmpuint(vb_domain_info(domain_of(fixture, "a"))->id, ==, 1);
    g_assert_cmpuint(vb_domain_info(domain_of(fixture, "t"))->id, ==, 2);
}

static void second_states(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain;

    begin_again(fixture, 0, 0);
    domain = domain_of(fixture, "a");
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_PAUSED);
    g_assert_cmpstr(vb_domain_info(domain)->reason, ==, "user");
    g_assert_cmpuint(vb_domain_info(domain)->id, ==, 1);
    g_assert_true(vb_domain_info(domain)->responsive);
    g_assert_true(vb_domain_info(domain)->persistent);
    core_do(fixture, domain, VB_DOMAIN_OP_RESUME);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    g_assert_cmpuint(vb_domain_info(domain)->id, ==, 3);

    domain = domain_of(fixture, "t");
    g_assert_false(vb_domain_info(domain)->persistent);
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_RUNNING);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "t"));
    g_assert_cmpint(vb_domain_info(domain_of(fixture, "off"))->state, ==, VB_DOMAIN_SHUT_OFF);
}

/* A transient domain that ended while nobody was there: it is gone, and its job has its end. */
static void first_transient(CoreFixture *fixture, gconstpointer data)
{
    g_autofree char *xml = core_domain_xml("t", NULL, "<test:crash after='100'/>", 1);
    CoreReply *create = core_create(fixture, xml);

    core_reply_assert_ok(create);
    core_job(fixture, create->domain, VB_JOB_PULL, "vda");
}

static void second_transient(CoreFixture *fixture, gconstpointer data)
{
    begin_again(fixture, 200, 0);
    VB_WAIT_FOR(core_fixture_count_ends(fixture) > 0);
    assert_one_end(fixture, "job 1 FAILED domain-crashed synthesized");
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "t"));
}

static void first_guest(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain =
        core_running(fixture, "a", "<test:operation name='shutdown' guest-delay='" LATER "'/>");

    core_do(fixture, domain, VB_DOMAIN_OP_SHUTDOWN);
}

static void second_guest(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain;

    begin_again(fixture, 0, 0);
    domain = domain_of(fixture, "a");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    g_assert_cmpstr(vb_domain_info(domain)->reason, ==, "shutdown");
}

static void first_hanging(CoreFixture *fixture, gconstpointer faults)
{
    core_job(fixture, core_running(fixture, "a", faults), VB_JOB_PULL, "vda");
    core_running(fixture, "b", NULL);
}

static void second_not_responsive(CoreFixture *fixture, gconstpointer data)
{
    g_autoptr(CoreReply) suspend = NULL;
    g_autoptr(CoreReply) cancel = NULL;
    g_autoptr(CoreReply) start = NULL;
    VbDomain *domain;

    begin_again(fixture, 0, 0);
    g_assert_true(vb_domain_info(domain_of(fixture, "b"))->responsive);
    domain = domain_of(fixture, "a");
    g_assert_false(vb_domain_info(domain)->responsive);
    suspend = core_operate(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    core_reply_assert_error(suspend, VB_ERROR_TIMEOUT, NULL);
    start = core_start_job(fixture, domain, VB_JOB_PULL, "vdb");
    core_reply_assert_error(start, VB_ERROR_TIMEOUT, NULL);
    g_assert_nonnull(vb_domain_live_job(domain, "vda"));
    cancel = core_cancel(fixture, vb_domain_live_job(domain, "vda"), VB_JOB_WAIT);
    core_reply_assert_error(cancel, VB_ERROR_TIMEOUT, NULL);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    assert_one_end(fixture, "job 1 CANCELED domain-stopped synthesized");
    g_assert_true(vb_domain_info(domain)->responsive);
}

static void second_late(CoreFixture *fixture, gconstpointer data)
{
    VbDomain *domain;

    begin_again(fixture, 0, 0);
    domain = domain_of(fixture, "a");
    g_assert_false(vb_domain_info(domain)->responsive);
    VB_WAIT_FOR(vb_domain_info(domain)->responsive);
    VB_WAIT_FOR(core_fixture_count_ends(fixture) > 0);
    assert_one_end(fixture, "job 1 COMPLETED done*");
    core_do(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    core_job(fixture, domain, VB_JOB_PULL, "vda");
}

static void first_autostart(CoreFixture *fixture, gconstpointer data)
{
    core_reply_wait(core_autostart(fixture, core_defined(fixture, "a", NULL), TRUE));
    core_reply_wait(core_autostart(fixture, core_defined(fixture, "b", NULL), TRUE));
    core_reply_wait(core_autostart(fixture, domain_of(fixture, "b"), FALSE));
}

/* A restart of the daemon is no boot. */
static void second_same_boot(CoreFixture *fixture, gconstpointer data)
{
    begin_again(fixture, 0, 0);
    core_fixture_run_for(30);
    g_assert_true(vb_domain_info(domain_of(fixture, "a"))->autostart);
    g_assert_false(vb_domain_info(domain_of(fixture, "b"))->autostart);
    g_assert_false(vb_domain_is_active(domain_of(fixture, "a")));
}

static void second_next_boot(CoreFixture *fixture, gconstpointer data)
{
    g_autofree char *mark =
        g_build_filename(core_fixture_paths(fixture)->run_dir, "autostarted", NULL);

    g_assert_cmpint(g_unlink(mark), ==, 0);
    begin_again(fixture, 0, 0);
    VB_WAIT_FOR(vb_domain_info(domain_of(fixture, "a"))->state == VB_DOMAIN_RUNNING);
    g_assert_false(vb_domain_is_active(domain_of(fixture, "b")));
}

/* ---- */

static const Lives lives[] = {
    {"ready", first_ready, second_ready, NULL},
    {"paused", first_paused, second_paused, JOB("duration='20'", "")},
    {"io-error", first_paused, second_paused, JOB("duration='20'", "<test:io-error at='9'/>")},
    {"hung-cancel", first_hung, second_hung, JOB("", "<test:cancel result='never'/>")},
    {"hung-cancel-silent", first_hung, second_hung, JOB(SILENT, "<test:cancel result='never'/>")},
    {"announced", first_announced, second_announced, NULL},
    {"not-announced", first_announced, second_not_announced, NULL},
    {"starting", first_starting, second_starting, NULL},
    {"held", first_held, second_held, NULL},
    {"garbage/counters", first_two_jobs, second_counters_garbage,
     "[counters]\nversion=1\njob=-7\nid=x\n"},
    {"garbage/counters-version", first_two_jobs, second_counters_garbage,
     "[counters]\nversion=2\njob=99\nid=99\n"},
    {"garbage/record", first_two_domains, second_domain_garbage, "domain.record"},
    {"garbage/live", first_two_domains, second_domain_garbage, "live.xml"},
    {"garbage/driver-jobs", first_two_domains, second_driver_garbage, "jobs"},
    {"garbage/driver-phase", first_two_domains, second_driver_garbage, "job0-phase"},
    {"garbage/driver-rule", first_two_domains, second_driver_garbage, "job0-rule"},
    {"garbage/definition", first_two_definitions, second_definition_garbage,
     "<domain type='test'>"},
    {"garbage/definition-empty", first_two_definitions, second_definition_garbage, ""},
    {"states", first_states, second_states, NULL},
    {"transient-gone", first_transient, second_transient, NULL},
    {"guest-goes-on", first_guest, second_guest, NULL},
    {"not-responsive", first_hanging, second_not_responsive,
     "<test:operation name='reconnect' result='hang'/>"},
    {"responsive-late", first_hanging, second_late,
     "<test:operation name='reconnect' delay='1300'/>" JOB("duration='200'", "")},
    {"autostart/same-boot", first_autostart, second_same_boot, NULL},
    {"autostart/next-boot", first_autostart, second_next_boot, NULL},
};

static void add(const Lives *two)
{
    g_autofree char *path = g_strconcat("/restart/", two->path, NULL);
    g_autofree char *first = g_strconcat(path, "/subprocess", NULL);

    g_test_add_data_func(path, two, test_lives);
    g_test_add_data_func(first, two, test_first_life);
}

int main(int argc, char **argv)
{
    static Lives of_phases[G_N_ELEMENTS(phases)], of_garbage[G_N_ELEMENTS(garbage)];

    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(phases); i++) {
        of_phases[i] = (Lives){phases[i].path, first_phase, second_phase, &phases[i]};
        add(&of_phases[i]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(lives); i++)
        add(&lives[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(garbage); i++) {
        of_garbage[i] = (Lives){g_strconcat("garbage/job/", garbage[i].path, NULL), first_two_jobs,
                                second_job_garbage, garbage[i].contents};
        add(&of_garbage[i]);
    }
    return g_test_run();
}
