/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A daemon that ends and begins again at each point of a block job's life: over both lives one terminal
 * signal, the right outcome, and nothing before the new one has announced. And records that are not
 * what they should be. */
#include "core-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#include "error.h"

#define JOB(attributes, children) "<test:block-job " attributes ">" children "</test:block-job>"

static guint count_ends(CoreFixture *fixture)
{
    return core_fixture_count(fixture, "job * COMPLETED *") +
           core_fixture_count(fixture, "job * FAILED *") +
           core_fixture_count(fixture, "job * CANCELED *");
}

static VbDomain *domain_of(CoreFixture *fixture, const char *name)
{
    VbDomain *domain = vb_host_domain_by_name(core_fixture_host(fixture), name);

    g_assert_nonnull(domain);
    return domain;
}

/* ---- every phase ---- */

typedef enum {
    BEFORE_NOTHING, /* the job was just started */
    BEFORE_READY,
    BEFORE_CANCEL, /* asked for, whatever came of it */
    BEFORE_READY_CANCEL,
    BEFORE_READY_PIVOT,
    BEFORE_FINALIZING,
} Before;

typedef struct {
    const char *path;
    const char *faults;
    VbJobType type;
    Before before;
    guint away; /* ms that nobody is there */
    guint hold; /* ms between the load and the announcement */
    const char *expected;
} Phase;

static void do_before(CoreFixture *fixture, VbJob *job, Before before)
{
    CoreReply *reply;

    if (before == BEFORE_NOTHING)
        return;
    if (before != BEFORE_CANCEL)
        CORE_WAIT(vb_job_info(job)->ready);
    if (before == BEFORE_READY)
        return;
    /* The intent is on record when the call has returned; its answer is lost with the daemon. */
    reply = before == BEFORE_READY_PIVOT || before == BEFORE_FINALIZING
                ? core_pivot(fixture, job, VB_JOB_ASYNC)
                : core_cancel(fixture, job, VB_JOB_ASYNC);
    core_reply_assert_ok(reply);
    if (before == BEFORE_FINALIZING)
        CORE_WAIT(!vb_job_is_cancelable(job));
    core_reply_free(reply);
}

static void test_phase(gconstpointer data)
{
    const Phase *phase = data;
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", phase->faults);
    guint id = vb_domain_info(domain)->id;
    g_autofree char *uuid = g_strdup(vb_domain_info(domain)->uuid);
    VbJob *job = core_job(fixture, domain, phase->type, "vda");

    do_before(fixture, job, phase->before);
    g_assert_true(vb_job_is_live(job));
    core_fixture_stop(fixture);
    g_assert_cmpuint(count_ends(fixture), ==, 0);
    core_fixture_run_for(phase->away);
    core_fixture_load(fixture);
    core_fixture_run_for(phase->hold);
    /* Nobody is told before everything is on the bus. */
    g_assert_cmpuint(count_ends(fixture), ==, 0);

    domain = domain_of(fixture, "a");
    g_assert_cmpstr(vb_domain_info(domain)->uuid, ==, uuid);
    g_assert_cmpuint(vb_domain_jobs(domain)->len, ==, 1);
    job = vb_domain_jobs(domain)->pdata[0];
    g_assert_cmpuint(vb_job_info(job)->number, ==, 1);
    vb_host_announce(core_fixture_host(fixture));
    CORE_WAIT(count_ends(fixture) > 0);
    core_fixture_run_for(30);
    if (core_fixture_count(fixture, phase->expected) != 1 || count_ends(fixture) != 1) {
        core_fixture_dump(fixture);
        g_error("not once: %s", phase->expected);
    }
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 READY"), <=, 1);

    /* It stays readable, the domain runs on, the disk is free, and no number comes twice. */
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_CONCLUDED);
    if (strstr(phase->expected, "crashed") == NULL) {
        g_assert_cmpuint(vb_domain_info(domain)->id, ==, id);
        core_job(fixture, domain, phase->type, "vda");
        g_assert_cmpuint(core_fixture_count(fixture, "job 2 added"), ==, 1);
    } else {
        core_fixture_assert_order(fixture, phase->expected, "domain a state crashed/crashed", NULL);
    }
}

static const Phase phases[] = {
    {"running/completes-later", JOB("duration='150'", ""), VB_JOB_PULL, BEFORE_NOTHING, 0, 0,
     "job 1 COMPLETED done"},
    {"running/completes-while-away", JOB("duration='40'", ""), VB_JOB_PULL, BEFORE_NOTHING, 80, 0,
     "job 1 COMPLETED done synthesized"},
    {"running/completes-before-announced", JOB("duration='150'", ""), VB_JOB_PULL, BEFORE_NOTHING,
     0, 250, "job 1 COMPLETED done*"},
    {"running/fails-while-away",
     JOB("duration='40'", "<test:end result='failed' message='Input/output error'/>"), VB_JOB_PULL,
     BEFORE_NOTHING, 80, 0, "job 1 FAILED io-error synthesized"},
    {"running/canceled-while-away", JOB("duration='40'", "<test:end result='canceled'/>"),
     VB_JOB_BACKUP, BEFORE_NOTHING, 80, 0, "job 1 CANCELED external synthesized"},
    {"running/vanishes-while-away", JOB("duration='40'", "<test:end reports='0'/>"), VB_JOB_PULL,
     BEFORE_NOTHING, 80, 0, "job 1 FAILED vanished synthesized"},
    {"running/crashes-while-away", JOB("duration='40'", "<test:end result='crash'/>"), VB_JOB_PULL,
     BEFORE_NOTHING, 80, 0, "job 1 FAILED domain-crashed synthesized"},
    {"running/crashes-before-announced", JOB("duration='150'", "<test:end result='crash'/>"),
     VB_JOB_PULL, BEFORE_NOTHING, 0, 250, "job 1 FAILED domain-crashed synthesized"},

    {"canceling/ends-later", JOB("", "<test:cancel delay='150'/>"), VB_JOB_PULL, BEFORE_CANCEL, 0,
     0, "job 1 CANCELED requested"},
    {"canceling/ends-while-away", JOB("", "<test:cancel delay='80'/>"), VB_JOB_PULL, BEFORE_CANCEL,
     120, 0, "job 1 CANCELED requested synthesized"},
    {"canceling/ends-before-announced", JOB("", "<test:cancel delay='150'/>"), VB_JOB_PULL,
     BEFORE_CANCEL, 0, 250, "job 1 CANCELED requested*"},
    {"canceling/fails-while-away",
     JOB("", "<test:cancel result='failed' message='Input/output error' delay='80'/>"),
     VB_JOB_PULL, BEFORE_CANCEL, 120, 0, "job 1 CANCELED requested synthesized"},
    {"canceling/lost-while-away", JOB("", "<test:cancel delay='80' reports='0'/>"), VB_JOB_PULL,
     BEFORE_CANCEL, 120, 0, "job 1 CANCELED vanished synthesized"},
    {"canceling/crashes-while-away", JOB("", "<test:cancel result='crash' delay='80'/>"),
     VB_JOB_PULL, BEFORE_CANCEL, 120, 0, "job 1 CANCELED domain-crashed synthesized"},

    {"ready-canceling/ends-later", JOB("duration='0'", "<test:cancel delay='150'/>"), VB_JOB_COPY,
     BEFORE_READY_CANCEL, 0, 0, "job 1 CANCELED requested consistent"},
    {"ready-canceling/ends-while-away", JOB("duration='0'", "<test:cancel delay='80'/>"),
     VB_JOB_COPY, BEFORE_READY_CANCEL, 120, 0, "job 1 CANCELED requested synthesized consistent"},
    {"ready-canceling/pivots-while-away",
     JOB("duration='0'", "<test:cancel result='pivoted' delay='80'/>"), VB_JOB_COPY,
     BEFORE_READY_CANCEL, 120, 0, "job 1 COMPLETED done synthesized pivoted*"},

    {"switching/pending-later", JOB("duration='0'", "<test:pivot delay='150'/>"), VB_JOB_COPY,
     BEFORE_READY_PIVOT, 0, 0, "job 1 COMPLETED done pivoted consistent"},
    {"switching/pending-while-away", JOB("duration='0'", "<test:pivot delay='80'/>"), VB_JOB_COPY,
     BEFORE_READY_PIVOT, 120, 0, "job 1 COMPLETED done pivoted consistent"},
    {"switching/pending-before-announced", JOB("duration='0'", "<test:pivot delay='150'/>"),
     VB_JOB_ACTIVE_COMMIT, BEFORE_READY_PIVOT, 0, 250, "job 1 COMPLETED done* pivoted consistent"},
    {"switching/fails-while-away",
     JOB("duration='0'", "<test:pivot result='failed' message='No space left' delay='80'/>"),
     VB_JOB_COPY, BEFORE_READY_PIVOT, 120, 0, "job 1 FAILED io-error synthesized"},
    {"finalizing/ends-later", JOB("duration='0'", "<test:pivot finalize-delay='200'/>"),
     VB_JOB_COPY, BEFORE_FINALIZING, 0, 0, "job 1 COMPLETED done pivoted consistent"},
    {"finalizing/ends-while-away", JOB("duration='0'", "<test:pivot finalize-delay='80'/>"),
     VB_JOB_COPY, BEFORE_FINALIZING, 120, 0, "job 1 COMPLETED done synthesized pivoted consistent"},
};

static void test_ready(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", JOB("duration='0'", ""));
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) pivot = NULL;
    const VbDiskDef *disk;

    CORE_WAIT(vb_job_info(job)->ready);
    core_fixture_restart(fixture);
    domain = domain_of(fixture, "a");
    job = vb_domain_live_job(domain, "vda");
    g_assert_nonnull(job);
    g_assert_true(vb_job_info(job)->ready);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_READY);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 READY"), ==, 1);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_assert_ok(pivot);
    disk = vb_domain_stored_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/images/vda-target.qcow2");
    g_assert_cmpuint(count_ends(fixture), ==, 1);
}

/* What a pivot changed is there after one more restart. */
static void test_pivot_is_stored(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", JOB("duration='0'", "<test:pivot finalize-delay='60'/>"));
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    const VbDiskDef *disk;

    do_before(fixture, job, BEFORE_FINALIZING);
    core_fixture_stop(fixture);
    core_fixture_run_for(100);
    core_fixture_load(fixture);
    vb_host_announce(core_fixture_host(fixture));
    CORE_WAIT(count_ends(fixture) == 1);
    core_fixture_restart(fixture);
    domain = domain_of(fixture, "a");
    disk = vb_domain_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/images/vda-target.qcow2");
    disk = vb_domain_stored_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/images/vda-target.qcow2");
    g_assert_cmpuint(count_ends(fixture), ==, 1);
}

/* A hung cancel stays pending; Destroy ends it. */
static void test_hung_cancel(gconstpointer faults)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", faults);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    CoreReply *cancel = core_cancel(fixture, job, VB_JOB_WAIT);

    core_fixture_run_for(10);
    g_assert_false(cancel->done);
    /* Whoever waited is gone with the old daemon. */
    cancel->done = TRUE;
    core_reply_free(g_steal_pointer(&cancel));
    core_fixture_restart(fixture);
    domain = domain_of(fixture, "a");
    job = vb_domain_live_job(domain, "vda");
    g_assert_nonnull(job);
    g_assert_true(vb_job_info(job)->cancel_requested);
    g_assert_cmpint(vb_job_info(job)->state, ==, VB_JOB_FINISHING);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    core_fixture_assert_order(fixture, "job 1 CANCELED domain-stopped synthesized",
                              "domain a state shut-off/destroyed", NULL);
    g_assert_cmpuint(count_ends(fixture), ==, 1);
}

/* A silent cancel that is over when the new daemon asks again: not before the announcement. */
static void test_silent_cancel(gconstpointer hold)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", JOB("cancel-mode='silent'", "<test:cancel delay='150'/>"));
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    CoreReply *cancel = core_cancel(fixture, job, VB_JOB_WAIT);

    cancel->done = TRUE;
    core_reply_free(g_steal_pointer(&cancel));
    core_fixture_stop(fixture);
    core_fixture_load(fixture);
    core_fixture_run_for(GPOINTER_TO_UINT(hold));
    g_assert_cmpuint(count_ends(fixture), ==, 0);
    vb_host_announce(core_fixture_host(fixture));
    CORE_WAIT(count_ends(fixture) > 0);
    core_fixture_run_for(30);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED * synthesized"), ==, 1);
    g_assert_cmpuint(count_ends(fixture), ==, 1);
}

/* ---- what is on record ---- */

static char *job_record(CoreFixture *fixture, VbDomain *domain, guint number)
{
    g_autofree char *directory =
        vb_paths_domain_run(core_fixture_paths(fixture), vb_domain_info(domain)->uuid);
    g_autofree char *name = g_strdup_printf("job-%u.record", number);

    return g_build_filename(directory, name, NULL);
}

static void set_in_file(const char *path, const char *group, const char *key, const char *value)
{
    g_autoptr(GKeyFile) record = g_key_file_new();

    g_assert_true(g_key_file_load_from_file(record, path, G_KEY_FILE_NONE, NULL));
    g_assert_true(g_key_file_has_key(record, group, key, NULL));
    g_key_file_set_value(record, group, key, value);
    g_assert_true(g_key_file_save_to_file(record, path, NULL));
}

static void test_announced(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a", JOB("duration='0'", "<test:end result='failed' message='disk on fire'/>"));
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    gint64 end_time;

    CORE_WAIT(!vb_job_is_live(job));
    end_time = vb_job_info(job)->end_time;
    core_fixture_restart(fixture);
    g_assert_cmpuint(count_ends(fixture), ==, 1);
    domain = domain_of(fixture, "a");
    g_assert_cmpuint(vb_domain_jobs(domain)->len, ==, 1);
    job = vb_domain_jobs(domain)->pdata[0];
    g_assert_cmpint(vb_job_info(job)->result, ==, VB_JOB_RESULT_FAILED);
    g_assert_cmpstr(vb_job_info(job)->error_message, ==, "disk on fire");
    g_assert_cmpint(vb_job_info(job)->end_time, ==, end_time);
    g_assert_cmpint(vb_job_info(job)->error_code, ==, VB_ERROR_BLOCK_JOB_FAILED);
}

/* The old daemon ended between the record of the outcome and the signal. */
static void test_not_announced(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autofree char *path = job_record(fixture, domain, 1);
    g_autoptr(CoreReply) cancel = core_cancel(fixture, job, VB_JOB_WAIT);

    core_reply_assert_ok(cancel);
    g_clear_pointer(&cancel, core_reply_free);
    core_fixture_stop(fixture);
    set_in_file(path, "job", "announced", "false");
    core_fixture_clear_log(fixture);
    core_fixture_load(fixture);
    g_assert_cmpuint(count_ends(fixture), ==, 0);
    vb_host_announce(core_fixture_host(fixture));
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED requested"), ==, 1);
    core_fixture_restart(fixture);
    g_assert_cmpuint(count_ends(fixture), ==, 1);
}

/* The hypervisor had not accepted it yet: it never existed. */
static void test_starting(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", JOB("", "<test:start delay='3600000'/>"));
    CoreReply *start = core_start_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autofree char *path = job_record(fixture, domain, 1);

    core_fixture_run_for(10);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    start->done = TRUE;
    core_reply_free(g_steal_pointer(&start));
    core_fixture_restart(fixture);
    core_fixture_run_for(20);
    g_assert_cmpuint(core_fixture_count(fixture, "job *"), ==, 0);
    g_assert_cmpuint(vb_domain_jobs(domain_of(fixture, "a"))->len, ==, 0);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

/* It was accepted, and nobody had got the answer. */
static void test_held(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", JOB("duration='100'", ""));
    g_autoptr(CoreReply) start = core_start_held(fixture, domain, VB_JOB_PULL, "vda");

    core_reply_assert_ok(start);
    g_clear_pointer(&start, core_reply_free);
    core_fixture_restart(fixture);
    g_assert_nonnull(vb_domain_live_job(domain_of(fixture, "a"), "vda"));
    CORE_WAIT(count_ends(fixture) == 1);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 COMPLETED done*"), ==, 1);
}

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

/* A job's record that cannot be read is set aside; the domain and its other job go on. */
static void test_job_garbage(gconstpointer data)
{
    const Garbage *bad = data;
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", JOB("duration='100'", ""));
    g_autofree char *path = job_record(fixture, domain, 1);
    g_autoptr(CoreReply) other = NULL;

    core_job(fixture, domain, VB_JOB_PULL, "vda");
    core_job(fixture, domain, VB_JOB_PULL, "vdb");
    core_fixture_stop(fixture);
    write_file(path, bad->contents);
    core_fixture_load(fixture);
    assert_set_aside(path);
    vb_host_announce(core_fixture_host(fixture));
    domain = domain_of(fixture, "a");
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_RUNNING);
    CORE_WAIT(core_fixture_count(fixture, "job 2 COMPLETED done*") == 1);
}

static void test_domain_garbage(gconstpointer name)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    g_autofree char *directory =
        vb_paths_domain_run(core_fixture_paths(fixture), vb_domain_info(domain)->uuid);
    g_autofree char *path = g_build_filename(directory, name, NULL);

    core_running(fixture, "b", NULL);
    core_fixture_stop(fixture);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    write_file(path, "<garbage");
    core_fixture_load(fixture);
    vb_host_announce(core_fixture_host(fixture));
    g_assert_cmpint(vb_domain_info(domain_of(fixture, "b"))->state, ==, VB_DOMAIN_RUNNING);
    /* It is still defined, and can be started. */
    domain = domain_of(fixture, "a");
    g_assert_false(vb_domain_is_active(domain));
    core_do(fixture, domain, VB_DOMAIN_OP_START);
}

/* The hypervisor's part of the record makes no sense: the domain is gone, and says so. */
static void test_driver_garbage(gconstpointer key)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    g_autofree char *directory =
        vb_paths_domain_run(core_fixture_paths(fixture), vb_domain_info(domain)->uuid);
    g_autofree char *path = g_build_filename(directory, "domain.record", NULL);

    core_job(fixture, domain, VB_JOB_PULL, "vda");
    core_fixture_stop(fixture);
    set_in_file(path, "test", key, "4711");
    core_fixture_load(fixture);
    vb_host_announce(core_fixture_host(fixture));
    CORE_WAIT(count_ends(fixture) == 1);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 FAILED domain-crashed synthesized"), ==, 1);
    g_assert_cmpint(vb_domain_info(domain_of(fixture, "a"))->state, ==, VB_DOMAIN_CRASHED);
}

static void test_counters_garbage(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    g_autofree char *path =
        g_build_filename(core_fixture_paths(fixture)->run_dir, "counters", NULL);

    core_job(fixture, domain, VB_JOB_PULL, "vda");
    core_fixture_stop(fixture);
    write_file(path, "[counters]\nversion=1\njob=-7\nid=x\n");
    core_fixture_load(fixture);
    vb_host_announce(core_fixture_host(fixture));
    domain = domain_of(fixture, "a");
    /* Numbers that are in use are not given again. */
    core_job(fixture, domain, VB_JOB_PULL, "vdb");
    g_assert_cmpuint(core_fixture_count(fixture, "job 2 added"), ==, 1);
}

static void test_definition_garbage(gconstpointer contents)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_defined(fixture, "a", NULL);
    g_autofree char *path =
        vb_paths_definition(core_fixture_paths(fixture), vb_domain_info(domain)->uuid);

    core_defined(fixture, "b", NULL);
    core_fixture_stop(fixture);
    write_file(path, contents);
    core_fixture_load(fixture);
    assert_set_aside(path);
    vb_host_announce(core_fixture_host(fixture));
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "a"));
    domain_of(fixture, "b");
    /* The name is free. */
    core_defined(fixture, "a", NULL);
}

/* ---- domains ---- */

static void test_states(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    g_autofree char *transient = core_domain_xml("t", NULL, NULL, 1);
    g_autoptr(CoreReply) create = core_create(fixture, transient);
    guint id;

    core_reply_assert_ok(create);
    g_clear_pointer(&create, core_reply_free);
    core_defined(fixture, "off", NULL);
    core_do(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    id = vb_domain_info(domain)->id;
    core_fixture_restart(fixture);

    domain = domain_of(fixture, "a");
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_PAUSED);
    g_assert_cmpstr(vb_domain_info(domain)->reason, ==, "user");
    g_assert_cmpuint(vb_domain_info(domain)->id, ==, id);
    g_assert_true(vb_domain_info(domain)->responsive);
    core_do(fixture, domain, VB_DOMAIN_OP_RESUME);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);

    domain = domain_of(fixture, "t");
    g_assert_false(vb_domain_info(domain)->persistent);
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_RUNNING);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "t"));

    g_assert_cmpint(vb_domain_info(domain_of(fixture, "off"))->state, ==, VB_DOMAIN_SHUT_OFF);
    core_fixture_restart(fixture);
    g_assert_false(vb_domain_is_active(domain_of(fixture, "a")));
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "t"));
}

/* A transient domain that ended while nobody was there: it is gone, and its job has its end. */
static void test_transient_gone(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *xml = core_domain_xml("t", NULL, "<test:crash after='60'/>", 1);
    g_autoptr(CoreReply) create = core_create(fixture, xml);

    core_reply_assert_ok(create);
    core_job(fixture, create->domain, VB_JOB_PULL, "vda");
    g_clear_pointer(&create, core_reply_free);
    core_fixture_stop(fixture);
    core_fixture_run_for(100);
    core_fixture_load(fixture);
    g_assert_cmpuint(count_ends(fixture), ==, 0);
    vb_host_announce(core_fixture_host(fixture));
    CORE_WAIT(count_ends(fixture) == 1);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 FAILED domain-crashed synthesized"), ==, 1);
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "t"));
    core_fixture_restart(fixture);
    g_assert_cmpuint(count_ends(fixture), ==, 1);
}

static void test_guest_goes_on(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", "<test:operation name='shutdown' guest-delay='150'/>");

    core_do(fixture, domain, VB_DOMAIN_OP_SHUTDOWN);
    core_fixture_restart(fixture);
    domain = domain_of(fixture, "a");
    g_assert_true(vb_domain_is_active(domain));
    CORE_WAIT(!vb_domain_is_active(domain));
    g_assert_cmpstr(vb_domain_info(domain)->reason, ==, "shutdown");
}

static void test_not_responsive(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", "<test:operation name='reconnect' result='hang'/>");
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) suspend = NULL;
    g_autoptr(CoreReply) cancel = NULL;
    g_autoptr(CoreReply) start = NULL;

    core_running(fixture, "b", NULL);
    core_fixture_restart(fixture);
    g_assert_true(vb_domain_info(domain_of(fixture, "b"))->responsive);
    domain = domain_of(fixture, "a");
    g_assert_false(vb_domain_info(domain)->responsive);
    suspend = core_operate(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    core_reply_assert_error(suspend, VB_ERROR_TIMEOUT, NULL);
    start = core_start_job(fixture, domain, VB_JOB_PULL, "vdb");
    core_reply_assert_error(start, VB_ERROR_TIMEOUT, NULL);
    job = vb_domain_live_job(domain, "vda");
    g_assert_nonnull(job);
    cancel = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_assert_error(cancel, VB_ERROR_TIMEOUT, NULL);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED domain-stopped synthesized"), ==,
                     1);
    g_assert_cmpuint(count_ends(fixture), ==, 1);
    g_assert_true(vb_domain_info(domain)->responsive);
}

static void test_responsive_late(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a",
                                    "<test:operation name='reconnect' delay='1300'/>"
                                    "<test:block-job duration='200'/>");

    core_job(fixture, domain, VB_JOB_PULL, "vda");
    core_fixture_restart(fixture);
    domain = domain_of(fixture, "a");
    g_assert_false(vb_domain_info(domain)->responsive);
    CORE_WAIT(vb_domain_info(domain)->responsive);
    CORE_WAIT(count_ends(fixture) == 1);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 COMPLETED done*"), ==, 1);
    core_do(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    core_job(fixture, domain, VB_JOB_PULL, "vda");
}

static void test_autostart(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_defined(fixture, "a", NULL);
    g_autoptr(CoreReply) autostart = core_autostart(fixture, domain, TRUE);
    g_autofree char *mark =
        g_build_filename(core_fixture_paths(fixture)->run_dir, "autostarted", NULL);

    core_reply_assert_ok(autostart);
    g_assert_true(vb_domain_info(domain)->autostart);
    g_clear_pointer(&autostart, core_reply_free);
    /* Not again in the same boot. */
    core_fixture_restart(fixture);
    core_fixture_run_for(30);
    domain = domain_of(fixture, "a");
    g_assert_true(vb_domain_info(domain)->autostart);
    g_assert_false(vb_domain_is_active(domain));
    /* The next boot: /run is empty. */
    core_fixture_stop(fixture);
    g_assert_cmpint(g_unlink(mark), ==, 0);
    core_fixture_load(fixture);
    g_assert_false(vb_domain_is_active(domain_of(fixture, "a")));
    vb_host_announce(core_fixture_host(fixture));
    CORE_WAIT(vb_domain_info(domain_of(fixture, "a"))->state == VB_DOMAIN_RUNNING);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(phases); i++) {
        g_autofree char *path = g_strconcat("/restart/phase/", phases[i].path, NULL);

        g_test_add_data_func(path, &phases[i], test_phase);
    }
    g_test_add_func("/restart/ready", test_ready);
    g_test_add_func("/restart/pivot-is-stored", test_pivot_is_stored);
    g_test_add_data_func("/restart/hung-cancel", JOB("", "<test:cancel result='never'/>"),
                         test_hung_cancel);
    g_test_add_data_func("/restart/hung-cancel-silent",
                         JOB("cancel-mode='silent'", "<test:cancel result='never'/>"),
                         test_hung_cancel);
    g_test_add_data_func("/restart/silent-cancel", GUINT_TO_POINTER(0), test_silent_cancel);
    g_test_add_data_func("/restart/silent-cancel-before-announced", GUINT_TO_POINTER(250),
                         test_silent_cancel);
    g_test_add_func("/restart/announced", test_announced);
    g_test_add_func("/restart/not-announced", test_not_announced);
    g_test_add_func("/restart/starting", test_starting);
    g_test_add_func("/restart/held", test_held);

    for (gsize i = 0; i < G_N_ELEMENTS(garbage); i++) {
        g_autofree char *path = g_strconcat("/restart/garbage/job/", garbage[i].path, NULL);

        g_test_add_data_func(path, &garbage[i], test_job_garbage);
    }
    g_test_add_data_func("/restart/garbage/record", "domain.record", test_domain_garbage);
    g_test_add_data_func("/restart/garbage/live", "live.xml", test_domain_garbage);
    g_test_add_data_func("/restart/garbage/driver-jobs", "jobs", test_driver_garbage);
    g_test_add_data_func("/restart/garbage/driver-phase", "job0-phase", test_driver_garbage);
    g_test_add_data_func("/restart/garbage/driver-rule", "job0-rule", test_driver_garbage);
    g_test_add_func("/restart/garbage/counters", test_counters_garbage);
    g_test_add_data_func("/restart/garbage/definition", "<domain type='test'>",
                         test_definition_garbage);
    g_test_add_data_func("/restart/garbage/definition-empty", "", test_definition_garbage);

    g_test_add_func("/restart/states", test_states);
    g_test_add_func("/restart/transient-gone", test_transient_gone);
    g_test_add_func("/restart/guest-goes-on", test_guest_goes_on);
    g_test_add_func("/restart/not-responsive", test_not_responsive);
    g_test_add_func("/restart/responsive-late", test_responsive_late);
    g_test_add_func("/restart/autostart", test_autostart);

    return g_test_run();
}
