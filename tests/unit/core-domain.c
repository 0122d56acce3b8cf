/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domains in the core, with the test driver: define, start … destroy, the one slot for operations,
 * what pre-empts what, and what is stored. */
#include "core-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>

#include "error.h"
#include "network.h"

#define UUID_A "5b1f0a52-0f6c-4d0a-8d5e-0a2f6f6d1c11"
#define UUID_B "0f0e0d0c-0b0a-4908-8706-050403020100"
#define OPERATION(attributes) "<test:operation " attributes "/>"

static CoreReply *define(CoreFixture *fixture, const char *name, const char *uuid,
                         const char *faults)
{
    g_autofree char *xml = core_domain_xml(name, uuid, faults, 1);

    return core_define(fixture, xml);
}

static char *definition_path(CoreFixture *fixture, const char *uuid)
{
    return vb_paths_definition(core_fixture_paths(fixture), uuid);
}

static gboolean run_dir_exists(CoreFixture *fixture, VbDomain *domain)
{
    g_autofree char *path =
        vb_paths_domain_run(core_fixture_paths(fixture), vb_domain_info(domain)->uuid);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* ---- definitions ---- */

static void test_define(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(CoreReply) reply = define(fixture, "a", UUID_A, NULL);
    g_autofree char *path = definition_path(fixture, UUID_A);
    g_autofree char *text = NULL;
    g_autoptr(VbDomainDef) stored = NULL;
    GStatBuf st;

    core_reply_assert_ok(reply);
    core_fixture_assert_order(fixture, "domain a added", "lifecycle a defined/added",
                              "reply define: ok", NULL);
    g_assert_true(vb_host_domain_by_name(core_fixture_host(fixture), "a") == reply->domain);
    g_assert_true(vb_host_domain_by_uuid(core_fixture_host(fixture), UUID_A) == reply->domain);
    g_assert_null(vb_host_domain_by_id(core_fixture_host(fixture), 0));
    g_assert_cmpint(vb_domain_info(reply->domain)->state, ==, VB_DOMAIN_SHUT_OFF);
    g_assert_true(vb_domain_info(reply->domain)->persistent);
    g_assert_cmpstr(vb_domain_info(reply->domain)->driver->name, ==, "test");
    /* On the disk when the reply comes, for its owner only, and readable. */
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    stored = vb_domain_def_parse(text, -1, VB_XML_NONE, NULL);
    g_assert_nonnull(stored);
    g_assert_cmpstr(stored->name, ==, "a");
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
}

static void test_define_errors(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(CoreReply) first = define(fixture, "a", UUID_A, NULL);
    g_autoptr(CoreReply) other_uuid = NULL;
    g_autoptr(CoreReply) other_name = NULL;
    g_autoptr(CoreReply) again = NULL;
    g_autoptr(CoreReply) faults = NULL;
    g_autoptr(CoreReply) refused = NULL;
    g_autoptr(CoreReply) no_driver = NULL;
    g_autoptr(CoreReply) events = NULL;

    core_reply_assert_ok(first);
    other_uuid = define(fixture, "a", UUID_B, NULL);
    core_reply_assert_error(other_uuid, VB_ERROR_DOMAIN_EXISTS, UUID_A);
    other_name = define(fixture, "b", UUID_A, NULL);
    core_reply_assert_error(other_name, VB_ERROR_DOMAIN_EXISTS, "'a'");
    again = define(fixture, "a", UUID_A, NULL);
    core_reply_assert_ok(again);
    g_assert_cmpuint(core_fixture_count(fixture, "domain a added"), ==, 1);
    g_assert_cmpuint(core_fixture_count(fixture, "lifecycle a defined/updated"), ==, 1);

    faults = define(fixture, "c", NULL, OPERATION("name='suspend' result='explode'"));
    core_reply_assert_error(faults, VB_ERROR_INVALID_XML, "explode");
    refused = define(fixture, "c", NULL, OPERATION("name='prepare' result='fail' message='no'"));
    core_reply_assert_error(refused, VB_ERROR_HYPERVISOR, "no");
    no_driver = core_define(fixture, "<domain type='kvm'><name>c</name><memory>1024</memory>"
                                     "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
                                     "</domain>");
    core_reply_assert_error(no_driver, VB_ERROR_NOT_SUPPORTED, "kvm");
    events = core_define(fixture, "<domain type='test'><name>c</name><memory>1024</memory>"
                                  "<os><type arch='x86_64'>hvm</type></os>"
                                  "<on_poweroff>preserve</on_poweroff></domain>");
    core_reply_assert_error(events, VB_ERROR_NOT_SUPPORTED, "on_poweroff");
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "c"));
}

/* Two at once: the name is taken while the first is being written. */
static void test_define_race(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(CoreReply) first =
        define(fixture, "a", UUID_A, OPERATION("name='prepare' delay='20'"));
    g_autoptr(CoreReply) second =
        define(fixture, "a", UUID_B, OPERATION("name='prepare' delay='20'"));

    core_reply_wait(first);
    core_reply_wait(second);
    core_reply_assert_ok(first);
    g_assert_nonnull(second->error);
    g_assert_true(g_error_matches(second->error, VB_ERROR, VB_ERROR_BUSY) ||
                  g_error_matches(second->error, VB_ERROR, VB_ERROR_DOMAIN_EXISTS));
    g_assert_cmpuint(core_fixture_count(fixture, "domain a added"), ==, 1);
}

static void test_redefine(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(CoreReply) defined = define(fixture, "a", UUID_A, NULL);
    g_autofree char *same = core_domain_xml("a", UUID_A, NULL, 1);
    g_autofree char *more = core_domain_xml("a", UUID_A, NULL, 2);
    g_autofree char *renamed = core_domain_xml("b", UUID_A, NULL, 1);
    g_autofree char *other = core_domain_xml("a", UUID_B, NULL, 1);
    g_autoptr(CoreReply) ok = NULL;
    g_autoptr(CoreReply) by_name = NULL;
    g_autoptr(CoreReply) by_uuid = NULL;
    g_autoptr(CoreReply) live = NULL;
    g_autoptr(CoreReply) back = NULL;
    VbDomain *domain;

    core_reply_assert_ok(defined);
    domain = defined->domain;
    ok = core_redefine(fixture, domain, same);
    core_reply_assert_ok(ok);
    by_name = core_redefine(fixture, domain, renamed);
    core_reply_assert_error(by_name, VB_ERROR_INVALID_ARGS, "'b'");
    by_uuid = core_redefine(fixture, domain, other);
    core_reply_assert_error(by_uuid, VB_ERROR_INVALID_ARGS, UUID_B);

    /* A running domain goes on as it is, and the difference shows. */
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    g_assert_false(vb_domain_info(domain)->config_pending);
    live = core_redefine(fixture, domain, more);
    core_reply_assert_ok(live);
    g_assert_true(vb_domain_info(domain)->config_pending);
    g_assert_cmpuint(vb_domain_def(domain)->disks->len, ==, 1);
    g_assert_cmpuint(vb_domain_stored_def(domain)->disks->len, ==, 2);
    core_fixture_assert_order(fixture, "domain a pending 1", "reply redefine: ok", NULL);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    g_assert_false(vb_domain_info(domain)->config_pending);
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    g_assert_cmpuint(vb_domain_def(domain)->disks->len, ==, 2);
    back = core_redefine(fixture, domain, more);
    core_reply_assert_ok(back);
    g_assert_false(vb_domain_info(domain)->config_pending);
}

static void test_undefine(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(CoreReply) defined = define(fixture, "a", UUID_A, NULL);
    g_autofree char *path = definition_path(fixture, UUID_A);
    g_autofree char *mark = vb_paths_autostart(core_fixture_paths(fixture), UUID_A);
    g_autoptr(CoreReply) autostart = NULL;
    g_autoptr(CoreReply) undefine = NULL;

    core_reply_assert_ok(defined);
    autostart = core_autostart(fixture, defined->domain, TRUE);
    core_reply_assert_ok(autostart);
    core_fixture_assert_order(fixture, "domain a autostart 1", "reply autostart: ok", NULL);
    g_assert_true(g_file_test(mark, G_FILE_TEST_EXISTS));
    undefine = core_undefine(fixture, defined->domain);
    core_reply_assert_ok(undefine);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(mark, G_FILE_TEST_EXISTS));
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "a"));
    core_fixture_assert_order(fixture, "lifecycle a undefined/removed", "domain a removed",
                              "reply undefine: ok", NULL);
    /* The name and the UUID are free. */
    g_clear_pointer(&defined, core_reply_free);
    defined = define(fixture, "a", UUID_A, NULL);
    core_reply_assert_ok(defined);
    g_assert_false(vb_domain_info(defined->domain)->autostart);
}

/* A mark that is asked for beside the undefine does not outlive it, whichever comes first. */
static void test_undefine_and_autostart(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *first = core_defined(fixture, "a", NULL);
    VbDomain *second = core_defined(fixture, "b", NULL);
    g_autofree char *first_mark =
        vb_paths_autostart(core_fixture_paths(fixture), vb_domain_info(first)->uuid);
    g_autofree char *second_mark =
        vb_paths_autostart(core_fixture_paths(fixture), vb_domain_info(second)->uuid);
    g_autoptr(CoreReply) marked = core_autostart(fixture, first, TRUE);
    g_autoptr(CoreReply) undefined = core_undefine(fixture, first);
    g_autoptr(CoreReply) undefined_first = core_undefine(fixture, second);
    g_autoptr(CoreReply) refused = core_autostart(fixture, second, TRUE);

    core_reply_assert_ok(marked);
    core_reply_assert_ok(undefined);
    core_reply_assert_ok(undefined_first);
    core_reply_assert_error(refused, VB_ERROR_INVALID_STATE, "no stored definition");
    g_assert_false(g_file_test(first_mark, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(second_mark, G_FILE_TEST_EXISTS));
}

/* A running domain that loses its definition becomes transient. */
static void test_undefine_running(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    g_autofree char *again = core_domain_xml("a", vb_domain_info(domain)->uuid, NULL, 1);
    g_autoptr(CoreReply) undefine = core_undefine(fixture, domain);
    g_autoptr(CoreReply) twice = NULL;
    g_autoptr(CoreReply) autostart = NULL;
    g_autoptr(CoreReply) defined = NULL;
    g_autoptr(CoreReply) last = NULL;

    core_reply_assert_ok(undefine);
    g_assert_false(vb_domain_info(domain)->persistent);
    g_assert_null(vb_domain_stored_def(domain));
    g_assert_nonnull(vb_domain_def(domain));
    twice = core_undefine(fixture, domain);
    core_reply_assert_error(twice, VB_ERROR_INVALID_STATE, "transient");
    autostart = core_autostart(fixture, domain, TRUE);
    core_reply_assert_error(autostart, VB_ERROR_INVALID_STATE, "transient");
    /* And the other way round. */
    defined = core_define(fixture, again);
    core_reply_assert_ok(defined);
    g_assert_true(vb_domain_info(domain)->persistent);
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_RUNNING);
    last = core_undefine(fixture, domain);
    core_reply_assert_ok(last);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    core_fixture_assert_order(fixture, "domain a state shut-off/destroyed", "domain a removed",
                              "reply destroy: ok", NULL);
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "a"));
}

static void test_create(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *xml = core_domain_xml("t", UUID_A, NULL, 1);
    g_autofree char *fails =
        core_domain_xml("u", NULL, OPERATION("name='start' result='fail' message='no room'"), 1);
    g_autofree char *path = definition_path(fixture, UUID_A);
    g_autoptr(CoreReply) create = core_create(fixture, xml);
    g_autoptr(CoreReply) twice = NULL;
    g_autoptr(CoreReply) failed = NULL;

    core_reply_assert_ok(create);
    g_assert_cmpint(vb_domain_info(create->domain)->state, ==, VB_DOMAIN_RUNNING);
    g_assert_false(vb_domain_info(create->domain)->persistent);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    core_fixture_assert_order(fixture, "domain t added", "domain t state running/booted",
                              "lifecycle t started/booted", "reply create: ok", NULL);
    twice = core_create(fixture, xml);
    core_reply_assert_error(twice, VB_ERROR_DOMAIN_EXISTS, NULL);

    /* A start that fails leaves nothing. */
    failed = core_create(fixture, fails);
    core_reply_assert_error(failed, VB_ERROR_HYPERVISOR, "no room");
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "u"));
    core_fixture_assert_order(fixture, "domain u added", "domain u removed", "reply create: err*",
                              NULL);
    g_assert_cmpuint(core_fixture_count(fixture, "lifecycle u started*"), ==, 0);
    core_do(fixture, create->domain, VB_DOMAIN_OP_DESTROY);
    g_assert_false(run_dir_exists(fixture, create->domain));
}

/* ---- a life ---- */

static void test_life(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);

    g_assert_true(run_dir_exists(fixture, domain));
    g_assert_cmpuint(vb_domain_info(domain)->id, ==, 1);
    g_assert_true(vb_host_domain_by_id(core_fixture_host(fixture), 1) == domain);
    core_do(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_PAUSED);
    core_do(fixture, domain, VB_DOMAIN_OP_RESUME);
    core_do(fixture, domain, VB_DOMAIN_OP_RESET);
    core_do(fixture, domain, VB_DOMAIN_OP_REBOOT);
    VB_WAIT_FOR(core_fixture_count(fixture, "lifecycle a rebooted/*") == 2);
    core_do(fixture, domain, VB_DOMAIN_OP_SHUTDOWN);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    g_assert_cmpuint(vb_domain_info(domain)->id, ==, 0);
    g_assert_false(run_dir_exists(fixture, domain));
    core_fixture_assert_order(
        fixture, "domain a state running/booted", "lifecycle a started/booted", "reply start: ok",
        "domain a state paused/user", "lifecycle a suspended/user", "reply suspend: ok",
        "domain a state running/unpaused", "lifecycle a resumed/unpaused", "reply resume: ok",
        "lifecycle a rebooted/*", "reply reset: ok", "reply reboot: ok", "lifecycle a rebooted/*",
        "reply shutdown: ok", "domain a state shut-off/shutdown", "lifecycle a stopped/shutdown",
        NULL);
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    g_assert_cmpuint(vb_domain_info(domain)->id, ==, 2);
}

static void test_wrong_state(void)
{
    static const VbDomainOp ops[] = {VB_DOMAIN_OP_SHUTDOWN, VB_DOMAIN_OP_REBOOT,
                                     VB_DOMAIN_OP_RESET,    VB_DOMAIN_OP_SUSPEND,
                                     VB_DOMAIN_OP_RESUME,   VB_DOMAIN_OP_DESTROY};
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_defined(fixture, "a", NULL);
    g_autoptr(CoreReply) start = NULL;
    g_autoptr(CoreReply) resume = NULL;
    g_autoptr(CoreReply) suspend = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_autoptr(CoreReply) reply = core_operate(fixture, domain, ops[i]);

        core_reply_assert_error(reply, VB_ERROR_DOMAIN_NOT_RUNNING, "'a'");
    }
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    start = core_operate(fixture, domain, VB_DOMAIN_OP_START);
    core_reply_assert_error(start, VB_ERROR_DOMAIN_RUNNING, "'a'");
    resume = core_operate(fixture, domain, VB_DOMAIN_OP_RESUME);
    core_reply_assert_error(resume, VB_ERROR_INVALID_STATE, "running");
    core_do(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    suspend = core_operate(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    core_reply_assert_error(suspend, VB_ERROR_INVALID_STATE, "paused");
}

static void test_start_fails(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_defined(
        fixture, "a", OPERATION("name='start' result='fail' delay='5' message='no room'"));
    g_autoptr(CoreReply) reply = core_operate(fixture, domain, VB_DOMAIN_OP_START);

    core_reply_assert_error(reply, VB_ERROR_HYPERVISOR, "no room");
    g_assert_false(vb_domain_is_active(domain));
    g_assert_false(run_dir_exists(fixture, domain));
    g_assert_cmpuint(core_fixture_count(fixture, "lifecycle a started*"), ==, 0);
    g_assert_cmpuint(core_fixture_count(fixture, "lifecycle a stopped*"), ==, 0);
}

static void test_operation_fails_once(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a", OPERATION("name='suspend' result='fail' times='1' message='not now'"));
    g_autoptr(CoreReply) reply = core_operate(fixture, domain, VB_DOMAIN_OP_SUSPEND);

    core_reply_assert_error(reply, VB_ERROR_HYPERVISOR, "not now");
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_RUNNING);
    core_do(fixture, domain, VB_DOMAIN_OP_SUSPEND);
}

static void test_guest(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *deaf = core_running(fixture, "deaf", OPERATION("name='shutdown' guest='ignores'"));
    VbDomain *paused = core_running(fixture, "paused", NULL);
    VbDomain *again;
    g_autoptr(CoreReply) restarts = core_define(
        fixture, "<domain type='test'><name>again</name><memory>1024</memory>"
                 "<os><type arch='x86_64'>hvm</type></os><on_poweroff>restart</on_poweroff>"
                 "<on_reboot>destroy</on_reboot></domain>");

    core_do(fixture, deaf, VB_DOMAIN_OP_SHUTDOWN);
    core_do(fixture, paused, VB_DOMAIN_OP_SUSPEND);
    core_do(fixture, paused, VB_DOMAIN_OP_SHUTDOWN);
    core_fixture_run_for(30);
    g_assert_cmpint(vb_domain_info(deaf)->state, ==, VB_DOMAIN_RUNNING);
    g_assert_cmpint(vb_domain_info(paused)->state, ==, VB_DOMAIN_PAUSED);
    core_do(fixture, paused, VB_DOMAIN_OP_RESUME);
    VB_WAIT_FOR(!vb_domain_is_active(paused));

    core_reply_assert_ok(restarts);
    again = restarts->domain;
    core_do(fixture, again, VB_DOMAIN_OP_START);
    core_do(fixture, again, VB_DOMAIN_OP_SHUTDOWN);
    VB_WAIT_FOR(core_fixture_count(fixture, "lifecycle again rebooted/*") == 1);
    g_assert_true(vb_domain_is_active(again));
    core_do(fixture, again, VB_DOMAIN_OP_REBOOT);
    VB_WAIT_FOR(!vb_domain_is_active(again));
}

static void test_crash(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain =
        core_running(fixture, "a", OPERATION("name='suspend' result='crash' delay='5'"));
    g_autoptr(CoreReply) reply = core_operate(fixture, domain, VB_DOMAIN_OP_SUSPEND);

    core_reply_assert_error(reply, VB_ERROR_DOMAIN_NOT_RUNNING, NULL);
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_CRASHED);
    core_fixture_assert_order(fixture, "domain a state crashed/crashed",
                              "lifecycle a crashed/crashed", "reply suspend: error*", NULL);
    core_do(fixture, domain, VB_DOMAIN_OP_START);
}

/* ---- the one slot ---- */

static void test_busy(void)
{
    static const VbDomainOp ops[] = {VB_DOMAIN_OP_START,   VB_DOMAIN_OP_SHUTDOWN,
                                     VB_DOMAIN_OP_REBOOT,  VB_DOMAIN_OP_RESET,
                                     VB_DOMAIN_OP_SUSPEND, VB_DOMAIN_OP_RESUME};
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", OPERATION("name='suspend' delay='60'"));
    VbDomain *other = core_defined(fixture, "b", NULL);
    g_autofree char *xml = core_domain_xml("a", vb_domain_info(domain)->uuid, NULL, 1);
    g_autoptr(CoreReply) suspend = core_operate(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    g_autoptr(CoreReply) undefine = core_undefine(fixture, domain);
    g_autoptr(CoreReply) redefine = core_redefine(fixture, domain, xml);

    for (gsize i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_autoptr(CoreReply) reply = core_operate(fixture, domain, ops[i]);

        core_reply_assert_error(reply, VB_ERROR_BUSY, "'suspend'");
    }
    core_reply_assert_error(undefine, VB_ERROR_BUSY, "'suspend'");
    core_reply_assert_error(redefine, VB_ERROR_BUSY, "'suspend'");
    g_assert_false(suspend->done);
    /* Another domain is not concerned, nor are reads. */
    core_do(fixture, other, VB_DOMAIN_OP_START);
    g_assert_cmpint(vb_domain_info(domain)->state, ==, VB_DOMAIN_RUNNING);
    core_reply_assert_ok(suspend);
    core_do(fixture, domain, VB_DOMAIN_OP_RESUME);
}

typedef struct {
    const char *faults;
    VbDomainOp op;
    gboolean running; /* before */
} Hung;

static void test_destroy_preempts(gconstpointer data)
{
    const Hung *hung = data;
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = hung->running ? core_running(fixture, "a", hung->faults)
                                     : core_defined(fixture, "a", hung->faults);
    g_autoptr(CoreReply) first = core_operate(fixture, domain, hung->op);
    g_autoptr(CoreReply) destroy = NULL;
    g_autoptr(CoreReply) second = NULL;

    core_fixture_run_for(5);
    g_assert_false(first->done);
    destroy = core_operate(fixture, domain, VB_DOMAIN_OP_DESTROY);
    second = core_operate(fixture, domain, VB_DOMAIN_OP_DESTROY);
    core_reply_assert_ok(destroy);
    core_reply_assert_ok(second);
    core_reply_assert_error(first, VB_ERROR_DOMAIN_NOT_RUNNING, "destroyed");
    core_fixture_run_for(20);
    g_assert_false(vb_domain_is_active(domain));
    g_assert_false(run_dir_exists(fixture, domain));
    g_assert_cmpuint(core_fixture_count(fixture, "lifecycle a stopped/destroyed"), ==,
                     hung->running ? 1 : 0);
    /* It is whole. */
    if (hung->running)
        core_do(fixture, domain, VB_DOMAIN_OP_START);
}

static const Hung hung_start = {OPERATION("name='start' result='hang'"), VB_DOMAIN_OP_START, FALSE};
static const Hung slow_start = {OPERATION("name='start' delay='3600000'"), VB_DOMAIN_OP_START,
                                FALSE};
static const Hung hung_suspend = {OPERATION("name='suspend' result='hang'"), VB_DOMAIN_OP_SUSPEND,
                                  TRUE};
static const Hung hung_shutdown = {OPERATION("name='shutdown' result='hang'")
                                       OPERATION("name='destroy' delay='20'"),
                                   VB_DOMAIN_OP_SHUTDOWN, TRUE};

static void test_destroy_fails(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a",
        OPERATION("name='suspend' result='hang'")
            OPERATION("name='destroy' result='fail' delay='10' times='1' message='it lives'"));
    g_autoptr(CoreReply) suspend = core_operate(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    g_autoptr(CoreReply) destroy = core_operate(fixture, domain, VB_DOMAIN_OP_DESTROY);

    core_reply_assert_error(destroy, VB_ERROR_HYPERVISOR, "it lives");
    core_reply_wait(suspend);
    g_assert_nonnull(suspend->error);
    g_assert_true(vb_domain_is_active(domain));
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
}

/* ---- the host shuts down ---- */

static void on_shut_down(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

static guint shut_down(CoreFixture *fixture, guint seconds)
{
    g_autoptr(GAsyncResult) result = NULL;

    vb_host_shutdown_guests_async(core_fixture_host(fixture), seconds, on_shut_down, &result);
    VB_WAIT_FOR(result != NULL);
    return vb_host_shutdown_guests_finish(core_fixture_host(fixture), result);
}

static void test_host_shutdown(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *first = core_running(fixture, "a", OPERATION("name='shutdown' delay='10'"));
    VbDomain *second = core_running(fixture, "b", NULL);

    core_defined(fixture, "c", NULL);
    g_assert_cmpuint(shut_down(fixture, 3600), ==, 0);
    g_assert_false(vb_domain_is_active(first) || vb_domain_is_active(second));
    g_assert_cmpuint(core_fixture_count(fixture, "lifecycle * stopped/shutdown"), ==, 2);
    /* Nobody is left to wait for. */
    g_assert_cmpuint(shut_down(fixture, 3600), ==, 0);
}

/* One that does not listen, and one that is asked for something else just now. */
static void test_host_shutdown_deadline(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *deaf = core_running(fixture, "a", OPERATION("name='shutdown' result='hang'"));
    VbDomain *busy = core_running(fixture, "b", OPERATION("name='suspend' result='hang'"));
    g_autoptr(CoreReply) suspend = core_operate(fixture, busy, VB_DOMAIN_OP_SUSPEND);

    core_running(fixture, "c", NULL);
    g_assert_cmpuint(shut_down(fixture, 1), ==, 2);
    g_assert_true(vb_domain_is_active(deaf) && vb_domain_is_active(busy));
    core_do(fixture, busy, VB_DOMAIN_OP_DESTROY);
    core_reply_wait(suspend);
}

/* The guest goes while an operation is on its way. */
static void test_gone_meanwhile(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(
        fixture, "a", "<test:crash after='30'/>" OPERATION("name='suspend' delay='3600000'"));
    g_autoptr(CoreReply) suspend = core_operate(fixture, domain, VB_DOMAIN_OP_SUSPEND);

    core_reply_assert_error(suspend, VB_ERROR_DOMAIN_NOT_RUNNING, "'a'");
    g_assert_false(vb_domain_is_active(domain));
    core_do(fixture, domain, VB_DOMAIN_OP_START);
}

static void test_random_operations(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_defined(fixture, "a",
                                    OPERATION("name='start' delay='2'")
                                        OPERATION("name='suspend' delay='1' times='3'")
                                            OPERATION("name='suspend' result='hang' times='1'")
                                                OPERATION("name='reset' result='crash' times='1'")
                                                    OPERATION("name='destroy' delay='1'"));
    g_autoptr(GPtrArray) replies = g_ptr_array_new_with_free_func((GDestroyNotify)core_reply_free);

    for (guint i = 0; i < 400; i++) {
        VbDomainOp op = g_test_rand_int_range(VB_DOMAIN_OP_START, VB_DOMAIN_OP_DESTROY + 1);

        g_ptr_array_add(replies, core_operate(fixture, domain, op));
        if (g_test_rand_int_range(0, 3) == 0)
            core_fixture_run_for(g_test_rand_int_range(0, 4));
    }
    /* Whatever hangs, a Destroy ends. */
    g_ptr_array_add(replies, core_operate(fixture, domain, VB_DOMAIN_OP_DESTROY));
    for (guint i = 0; i < replies->len; i++)
        core_reply_wait(replies->pdata[i]);
    g_assert_false(vb_domain_is_active(domain));
    /* Each life that began has ended. */
    g_assert_cmpuint(core_fixture_count(fixture, "lifecycle a started/*"), >, 0);
    g_assert_cmpuint(core_fixture_count(fixture, "lifecycle a started/*"), ==,
                     core_fixture_count(fixture, "lifecycle a stopped/*") +
                         core_fixture_count(fixture, "lifecycle a crashed/*"));
    g_assert_false(run_dir_exists(fixture, domain));
}

/* ---- a state directory that takes no file ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    limit.rlim_cur = bytes;
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

/* No file can grow beyond 10 bytes: a write fails as on a full disk. */
static void test_no_space(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(CoreReply) defined = define(fixture, "a", UUID_A, NULL);
    g_autofree char *more = core_domain_xml("a", UUID_A, NULL, 2);
    g_autofree char *path = definition_path(fixture, UUID_A);
    g_autofree char *path_b = definition_path(fixture, UUID_B);
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    g_autoptr(CoreReply) redefine = NULL;
    g_autoptr(CoreReply) other = NULL;

    core_reply_assert_ok(defined);
    g_assert_true(g_file_get_contents(path, &before, NULL, NULL));
    limit_files(10);
    redefine = core_redefine(fixture, defined->domain, more);
    core_reply_wait(redefine);
    other = define(fixture, "b", UUID_B, NULL);
    core_reply_wait(other);
    limit_files(RLIM_INFINITY);

    core_reply_assert_error(redefine, VB_ERROR_FAILED, path);
    core_reply_assert_error(other, VB_ERROR_FAILED, NULL);
    /* What was there is there, in the file and in memory; what was not, is not. */
    g_assert_true(g_file_get_contents(path, &after, NULL, NULL));
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpuint(vb_domain_def(defined->domain)->disks->len, ==, 1);
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "b"));
    g_assert_false(g_file_test(path_b, G_FILE_TEST_EXISTS));
    /* The name is free again. */
    g_clear_pointer(&other, core_reply_free);
    other = define(fixture, "b", UUID_B, NULL);
    core_reply_assert_ok(other);
}

/* A record that cannot be written keeps no signal back. */
static void test_no_space_for_records(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) cancel = NULL;

    limit_files(10);
    cancel = core_cancel(fixture, job, VB_JOB_WAIT);
    core_reply_wait(cancel);
    core_do(fixture, domain, VB_DOMAIN_OP_SUSPEND);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    limit_files(RLIM_INFINITY);
    core_reply_assert_ok(cancel);
    g_assert_cmpuint(core_fixture_count(fixture, "job 1 CANCELED requested"), ==, 1);
}

/* A pivot whose definition cannot be stored is given up: the disk stays what it was. */
static void test_no_space_for_pivot(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", "<test:block-job duration='0'/>");
    VbJob *job = core_job(fixture, domain, VB_JOB_COPY, "vda");
    g_autoptr(CoreReply) pivot = NULL;
    const VbDiskDef *disk;

    VB_WAIT_FOR(vb_job_info(job)->ready);
    limit_files(10);
    pivot = core_pivot(fixture, job, VB_JOB_WAIT);
    core_reply_wait(pivot);
    limit_files(RLIM_INFINITY);
    core_reply_assert_error(pivot, VB_ERROR_BLOCK_JOB_CANCELED, NULL);
    disk = vb_domain_stored_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/images/a-vda.qcow2");
    disk = vb_domain_def(domain)->disks->pdata[0];
    g_assert_cmpstr(disk->source->path, ==, "/images/a-vda.qcow2");
}

/* Interfaces of a domain that is nothing but memory lead nowhere: no network is asked. */
static void test_interfaces(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(CoreReply) defined = core_define(
        fixture, "<domain type='test'><name>a</name><memory unit='MiB'>64</memory>"
                 "<os><type>hvm</type></os><devices>"
                 "<interface type='network'><source network='nowhere'/></interface>"
                 "<interface type='bridge'><source bridge='br0'/></interface>"
                 "<interface type='ethernet'/><interface type='user'/></devices></domain>");
    core_reply_assert_ok(defined);
    VbDomain *domain = defined->domain;
    g_autoptr(CoreReply) start = core_operate(fixture, domain, VB_DOMAIN_OP_START);

    core_reply_assert_ok(start);
    g_assert_cmpuint(vb_domain_def(domain)->interfaces->len, ==, 4);
    g_autoptr(GPtrArray) addresses = vb_domain_addresses(domain);
    g_assert_cmpuint(addresses->len, ==, 0);
    g_autoptr(CoreReply) destroy = core_operate(fixture, domain, VB_DOMAIN_OP_DESTROY);
    core_reply_assert_ok(destroy);
}

int main(int argc, char **argv)
{
    /* A write over the limit is an error, not a signal. */
    signal(SIGXFSZ, SIG_IGN);
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/domain/host-shutdown", test_host_shutdown);
    g_test_add_func("/domain/host-shutdown-deadline", test_host_shutdown_deadline);
    g_test_add_func("/domain/define", test_define);
    g_test_add_func("/domain/define-errors", test_define_errors);
    g_test_add_func("/domain/define-race", test_define_race);
    g_test_add_func("/domain/redefine", test_redefine);
    g_test_add_func("/domain/undefine", test_undefine);
    g_test_add_func("/domain/undefine-and-autostart", test_undefine_and_autostart);
    g_test_add_func("/domain/undefine-running", test_undefine_running);
    g_test_add_func("/domain/create", test_create);
    g_test_add_func("/domain/life", test_life);
    g_test_add_func("/domain/wrong-state", test_wrong_state);
    g_test_add_func("/domain/start-fails", test_start_fails);
    g_test_add_func("/domain/operation-fails-once", test_operation_fails_once);
    g_test_add_func("/domain/guest", test_guest);
    g_test_add_func("/domain/crash", test_crash);
    g_test_add_func("/domain/busy", test_busy);
    g_test_add_data_func("/domain/destroy/hung-start", &hung_start, test_destroy_preempts);
    g_test_add_data_func("/domain/destroy/slow-start", &slow_start, test_destroy_preempts);
    g_test_add_data_func("/domain/destroy/hung-suspend", &hung_suspend, test_destroy_preempts);
    g_test_add_data_func("/domain/destroy/hung-shutdown", &hung_shutdown, test_destroy_preempts);
    g_test_add_func("/domain/destroy/fails", test_destroy_fails);
    g_test_add_func("/domain/gone-meanwhile", test_gone_meanwhile);
    g_test_add_func("/domain/interfaces", test_interfaces);
    g_test_add_func("/domain/random-operations", test_random_operations);
    g_test_add_func("/domain/no-space/definition", test_no_space);
    g_test_add_func("/domain/no-space/records", test_no_space_for_records);
    g_test_add_func("/domain/no-space/pivot", test_no_space_for_pivot);

    return g_test_run();
}
