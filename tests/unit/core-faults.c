/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parser of a test domain's orders: what docs/test-driver.md promises is understood, everything
 * else is an error that names it, and rules are used up in their order. */
#include "test-faults.h"

#include <string.h>

#include "error.h"

#define METADATA(children)                                                                         \
    "<metadata xmlns:other='urn:other'><other:thing/><test:faults "                                \
    "xmlns:test='https://virtbus.org/xmlns/test/1'>" children "</test:faults></metadata>"

static VbTestFaults *parse(const char *metadata)
{
    g_autoptr(GError) error = NULL;
    VbTestFaults *faults = vb_test_faults_parse(metadata, &error);

    g_assert_no_error(error);
    g_assert_nonnull(faults);
    return faults;
}

static void test_nothing(void)
{
    static const char *const metadata[] = {
        NULL,
        "<metadata/>",
        "<metadata><a:b xmlns:a='urn:a' c='d'>text<faults/></a:b></metadata>",
        METADATA(""),
        METADATA("<!-- nothing -->"),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(metadata); i++) {
        g_autoptr(VbTestFaults) faults = parse(metadata[i]);
        const VbTestJobFault *job = vb_test_faults_take_job(faults, "vda", "pull");

        g_assert_null(vb_test_faults_take_op(faults, VB_TEST_OP_START));
        g_assert_false(faults->crash);
        g_assert_cmpuint(job->length, ==, VB_TEST_DEFAULT_LENGTH);
        g_assert_cmpuint(job->duration, ==, VB_TEST_DEFAULT_DURATION);
        g_assert_cmpint(job->cancel_mode, ==, VB_CANCEL_REPORTED);
        g_assert_cmpuint(job->end_reports, ==, 1);
    }
}

static void test_everything(void)
{
    g_autoptr(VbTestFaults) faults = parse(METADATA(
        "<test:crash after='77'/>"
        "<test:operation name='shutdown' delay='5' result='crash' message='m' times='2' "
        "guest='ignores' guest-delay='9'/>"
        "<test:block-job disk='vdb' type='active-commit' times='3' length='4096' duration='8' "
        "cancel-mode='silent'>"
        "<test:start delay='1' result='fail' message='s' reply='after-report'/>"
        "<test:io-error at='17' status='nospace'/>"
        "<test:end result='canceled' reports='2' message='e'/>"
        "<test:pivot result='failed' delay='2' finalize-delay='3' reports='0' message='p'/>"
        "<test:cancel flavour='soft' times='4' result='pivoted' delay='6' reply='after-report' "
        "reports='2' message='c'/>"
        "<test:cancel flavour='forced' result='not-found'/>"
        "</test:block-job>"));
    const VbTestOpFault *op = vb_test_faults_take_op(faults, VB_TEST_OP_SHUTDOWN);
    VbTestJobFault *job = vb_test_faults_take_job(faults, "vdb", "active-commit");
    const VbTestCancelFault *cancel;

    g_assert_true(faults->crash);
    g_assert_cmpuint(faults->crash_after, ==, 77);
    g_assert_cmpuint(op->delay, ==, 5);
    g_assert_cmpint(op->result, ==, VB_TEST_RESULT_CRASH);
    g_assert_cmpstr(op->message, ==, "m");
    g_assert_true(op->guest_ignores);
    g_assert_cmpuint(op->guest_delay, ==, 9);
    g_assert_true(job != faults->other_jobs);
    g_assert_cmpuint(job->length, ==, 4096);
    g_assert_cmpuint(job->duration, ==, 8);
    g_assert_cmpint(job->cancel_mode, ==, VB_CANCEL_SILENT);
    g_assert_cmpuint(job->start_delay, ==, 1);
    g_assert_true(job->start_fails);
    g_assert_cmpstr(job->start_message, ==, "s");
    g_assert_cmpint(job->start_reply, ==, VB_TEST_REPLY_AFTER_REPORT);
    g_assert_true(job->io_error);
    g_assert_cmpuint(job->io_error_at, ==, 17);
    g_assert_cmpint(job->io_error_status, ==, VB_IO_STATUS_NOSPACE);
    g_assert_cmpint(job->end, ==, VB_TEST_END_CANCELED);
    g_assert_cmpuint(job->end_reports, ==, 2);
    g_assert_cmpstr(job->end_message, ==, "e");
    g_assert_cmpint(job->pivot, ==, VB_TEST_PIVOT_FAILED);
    g_assert_cmpuint(job->pivot_delay, ==, 2);
    g_assert_cmpuint(job->finalize_delay, ==, 3);
    g_assert_cmpuint(job->pivot_reports, ==, 0);
    g_assert_cmpstr(job->pivot_message, ==, "p");
    cancel = vb_test_job_fault_take_cancel(job, VB_CANCEL_SOFT);
    g_assert_cmpint(cancel->result, ==, VB_TEST_CANCEL_PIVOTED);
    g_assert_cmpuint(cancel->delay, ==, 6);
    g_assert_cmpint(cancel->reply, ==, VB_TEST_REPLY_AFTER_REPORT);
    g_assert_cmpuint(cancel->reports, ==, 2);
    g_assert_cmpstr(cancel->message, ==, "c");
    cancel = vb_test_job_fault_take_cancel(job, VB_CANCEL_FORCED);
    g_assert_cmpint(cancel->result, ==, VB_TEST_CANCEL_NOT_FOUND);
    g_assert_cmpuint(cancel->reports, ==, 0);
    g_assert_true(vb_test_faults_take_job(faults, "vda", "active-commit") == faults->other_jobs);
    g_assert_true(vb_test_faults_take_job(faults, "vdb", "pull") == faults->other_jobs);
}

/* The first rule that is not used up holds. */
static void test_times(void)
{
    static const char metadata[] =
        METADATA("<test:operation name='suspend' times='2' result='fail' message='first'/>"
                 "<test:operation name='suspend' times='1' result='fail' message='second'/>"
                 "<test:block-job disk='vda' times='1' length='1'/>"
                 "<test:block-job length='2'><test:cancel times='1' result='refused'/>"
                 "</test:block-job>");
    g_autoptr(VbTestFaults) faults = parse(metadata);
    g_autoptr(VbTestFaults) restored = parse(metadata);
    g_autoptr(GArray) used = NULL;
    VbTestJobFault *job;

    g_assert_cmpstr(vb_test_faults_take_op(faults, VB_TEST_OP_SUSPEND)->message, ==, "first");
    g_assert_cmpstr(vb_test_faults_take_op(faults, VB_TEST_OP_SUSPEND)->message, ==, "first");
    g_assert_cmpuint(vb_test_faults_take_job(faults, "vdb", "pull")->length, ==, 2);
    g_assert_cmpuint(vb_test_faults_take_job(faults, "vda", "pull")->length, ==, 1);
    job = vb_test_faults_take_job(faults, "vda", "pull");
    g_assert_cmpuint(job->length, ==, 2);
    g_assert_nonnull(vb_test_job_fault_take_cancel(job, VB_CANCEL_FORCED));
    g_assert_null(vb_test_job_fault_take_cancel(job, VB_CANCEL_FORCED));

    /* Others go on counting where these have come to. */
    used = vb_test_faults_get_used(faults);
    vb_test_faults_set_used(restored, (int *)used->data, used->len);
    g_assert_cmpstr(vb_test_faults_take_op(restored, VB_TEST_OP_SUSPEND)->message, ==, "second");
    g_assert_null(vb_test_faults_take_op(restored, VB_TEST_OP_SUSPEND));
    job = vb_test_faults_job_at(restored, vb_test_faults_job_index(faults, job));
    g_assert_cmpuint(job->length, ==, 2);
    g_assert_null(vb_test_job_fault_take_cancel(job, VB_CANCEL_SOFT));
    /* What does not fit is left. */
    vb_test_faults_set_used(restored, (int[]){-5}, 1);
    g_assert_cmpstr(vb_test_faults_take_op(restored, VB_TEST_OP_SUSPEND)->message, ==, "first");
    g_assert_null(vb_test_faults_job_at(restored, 2));
    g_assert_null(vb_test_faults_job_at(restored, -2));
    g_assert_true(vb_test_faults_job_at(restored, -1) == restored->other_jobs);
}

/* How often an end is reported when nobody says. */
static void test_reports(void)
{
    g_autoptr(VbTestFaults) faults =
        parse(METADATA("<test:block-job disk='vda' cancel-mode='silent'><test:cancel times='1'/>"
                       "<test:cancel times='1' result='completed'/>"
                       "<test:cancel reports='1'/></test:block-job>"
                       "<test:block-job disk='vdb'><test:cancel/></test:block-job>"));
    VbTestJobFault *silent = vb_test_faults_take_job(faults, "vda", "pull");
    VbTestJobFault *reported = vb_test_faults_take_job(faults, "vdb", "pull");

    g_assert_cmpuint(vb_test_job_fault_take_cancel(silent, VB_CANCEL_SOFT)->reports, ==, 0);
    g_assert_cmpuint(vb_test_job_fault_take_cancel(silent, VB_CANCEL_SOFT)->reports, ==, 1);
    g_assert_cmpuint(vb_test_job_fault_take_cancel(silent, VB_CANCEL_SOFT)->reports, ==, 1);
    g_assert_cmpuint(vb_test_job_fault_take_cancel(reported, VB_CANCEL_SOFT)->reports, ==, 1);
}

typedef struct {
    const char *metadata;
    const char *names; /* what the message must name */
} Wrong;

static const Wrong wrong[] = {
    {"<metadata", "well-formed"},
    {"", "well-formed"},
    {"<!DOCTYPE m [<!ENTITY e 'x'>]><metadata/>", "well-formed"},
    {METADATA("<test:explode/>"), "<explode>"},
    {METADATA("<operation name='start'/>"), "<operation>"},
    {METADATA("text"), "text"},
    {METADATA("<test:operation/>"), "name"},
    {METADATA("<test:operation name='fly'/>"), "name='fly'"},
    {METADATA("<test:operation name='start' result='maybe'/>"), "result='maybe'"},
    {METADATA("<test:operation name='start' result='crash'/>"), "start cannot crash"},
    {METADATA("<test:operation name='prepare' result='hang'/>"), "prepare cannot hang"},
    {METADATA("<test:operation name='destroy' result='hang'/>"), "destroy cannot hang"},
    {METADATA("<test:operation name='reconnect' result='fail'/>"), "reconnect cannot fail"},
    {METADATA("<test:operation name='start' times='1'/>"), "'times'"},
    {METADATA("<test:operation name='start' guest='obeys'/>"), "'guest'"},
    {METADATA("<test:operation name='start' delay='-1'/>"), "delay='-1'"},
    {METADATA("<test:operation name='start' delay=''/>"), "delay=''"},
    {METADATA("<test:operation name='start' delay='1s'/>"), "delay='1s'"},
    {METADATA("<test:operation name='start' delay='99999999999999999999'/>"), "delay="},
    {METADATA("<test:operation name='start' message='two&#10;lines'/>"), "message"},
    {METADATA("<test:operation name='start' speed='1'/>"), "'speed'"},
    {METADATA("<test:operation name='start'>text</test:operation>"), "text"},
    {METADATA("<test:operation name='start'><test:end/></test:operation>"), "<end>"},
    {METADATA("<test:crash after='soon'/>"), "after='soon'"},
    {METADATA("<test:crash/><test:crash/>"), "more than one"},
    {METADATA("<test:block-job type='stream'/>"), "type='stream'"},
    {METADATA("<test:block-job cancel-mode='loud'/>"), "cancel-mode='loud'"},
    {METADATA("<test:block-job length='9223372036854775808'/>"), "length="},
    {METADATA("<test:block-job><test:stop/></test:block-job>"), "<stop>"},
    {METADATA("<test:block-job><end/></test:block-job>"), "<end>"},
    {METADATA("<test:block-job><test:end/><test:end/></test:block-job>"), "more than one"},
    {METADATA("<test:block-job><test:end reports='3'/></test:block-job>"), "reports='3'"},
    {METADATA("<test:block-job><test:end result='pivoted'/></test:block-job>"), "'pivoted'"},
    {METADATA("<test:block-job><test:start result='hang'/></test:block-job>"), "'hang'"},
    {METADATA("<test:block-job><test:cancel flavour='mild'/></test:block-job>"), "'mild'"},
    {METADATA("<test:block-job><test:cancel reply='never'/></test:block-job>"), "'never'"},
    {METADATA("<test:block-job><test:pivot times='1'/></test:block-job>"), "'times'"},
    {METADATA("<test:block-job><test:io-error status='ok'/></test:block-job>"), "status='ok'"},
    {METADATA("<test:block-job length='5'><test:io-error at='6'/></test:block-job>"), "io-error"},
    {"<metadata xmlns:t='https://virtbus.org/xmlns/test/1'><t:other/></metadata>", "test:other"},
    {"<metadata xmlns:t='https://virtbus.org/xmlns/test/1'><t:faults/><t:faults/></metadata>",
     "more than one"},
};

static void test_wrong(gconstpointer data)
{
    const Wrong *bad = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(VbTestFaults) faults = vb_test_faults_parse(bad->metadata, &error);

    g_assert_null(faults);
    g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_XML);
    if (!strstr(error->message, bad->names))
        g_error("'%s' is not in '%s'", bad->names, error->message);
    g_assert_null(strchr(error->message, '\n'));
}

static void test_too_many(void)
{
    g_autoptr(GString) children = g_string_new(NULL);
    g_autofree char *metadata = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(VbTestFaults) faults = NULL;

    for (guint i = 0; i < 1000; i++)
        g_string_append(children, "<test:block-job/>");
    metadata = g_strdup_printf(METADATA("%s"), children->str);
    faults = vb_test_faults_parse(metadata, &error);
    g_assert_null(faults);
    g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_XML);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_func("/faults/nothing", test_nothing);
    g_test_add_func("/faults/everything", test_everything);
    g_test_add_func("/faults/times", test_times);
    g_test_add_func("/faults/reports", test_reports);
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *path = g_strdup_printf("/faults/wrong/%zu", i);

        g_test_add_data_func(path, &wrong[i], test_wrong);
    }
    g_test_add_func("/faults/too-many", test_too_many);

    return g_test_run();
}
