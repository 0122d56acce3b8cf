/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What block job options mean, and what the end of a job means: src/cli/block-args.c and
 * src/cli/block-end.c. */
#include "block-args.h"
#include "block-end.h"

static VbArgs *parse(const char *line)
{
    g_autoptr(VbArgs) args = vb_args_new();
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_auto(GStrv) rest = g_strdupv(words + 1);
    g_autoptr(GError) error = NULL;

    vb_args_parse(args, vb_command_find(words[0]), &rest, &error);
    g_assert_no_error(error);
    return g_steal_pointer(&args);
}

static void test_sizes(void)
{
    static const struct {
        const char *text;
        guint64 scale, bytes;
    } good[] = {
        {"0", 1 << 20, 0},
        {"1", 1 << 20, 1 << 20},
        {"1", 1, 1},
        {"300K", 1 << 20, 307200},
        {"300k", 1, 307200},
        {"300KiB", 1, 307200},
        {"300KB", 1, 300000},
        {"5b", 1 << 20, 5},
        {"5bytes", 1 << 20, 5},
        {"2M", 1, 2 << 20},
        {"1G", 1, 1 << 30},
        {"1T", 1, G_GUINT64_CONSTANT(1) << 40},
        {"1P", 1, G_GUINT64_CONSTANT(1) << 50},
        {"15E", 1, G_GUINT64_CONSTANT(15) << 60},
        {"18446744073709551615", 1, G_MAXUINT64},
    };
    static const char *const bad[] = {
        "",
        "K",
        "-1",
        "+1",
        " 1",
        "1 K",
        "1.5M",
        "0x10",
        "1X",
        "1KiBs",
        "1k1",
        "nan",
        "18446744073709551616",
        "16E",
        "99999999999999999999999999K",
        "17592186044416M",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        guint64 bytes = 1;

        vb_size_parse("bandwidth", good[i].text, good[i].scale, &bytes, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(bytes, ==, good[i].bytes);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        guint64 bytes = 42;

        g_assert_false(vb_size_parse("bandwidth", bad[i], 1, &bytes, &error));
        g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
        g_assert_cmpuint(bytes, ==, 42);
    }
}

/* 2^44 MiB/s is one more than fits: with the scale of a plain number, not before it. */
static void test_plain_overflow(void)
{
    g_autoptr(VbArgs) args = parse("blockpull vm vda 17592186044416");
    g_autoptr(GError) error = NULL;
    guint64 bandwidth;

    g_assert_false(vb_bandwidth_parse(args, &bandwidth, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
}

static void test_bandwidth_unit(void)
{
    static const struct {
        const char *line;
        guint64 bandwidth;
    } cases[] = {
        {"blockpull vm vda", 0},
        {"blockpull vm vda 3", 3 << 20},
        {"blockpull vm vda 3 --bytes", 3},
        {"blockpull vm vda 3K --bytes", 3072},
        {"blockpull vm vda --bandwidth=300K", 307200},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(VbArgs) args = parse(cases[i].line);
        guint64 bandwidth = 1;

        g_assert_true(vb_bandwidth_parse(args, &bandwidth, NULL));
        g_assert_cmpuint(bandwidth, ==, cases[i].bandwidth);
    }
}

static void test_blockjob_modes(void)
{
    static const struct {
        const char *options;
        VbBlockjobMode mode;
        guint64 bandwidth;
    } cases[] = {
        {"", VB_BLOCKJOB_INFO, 0},
        {" --info", VB_BLOCKJOB_INFO, 0},
        {" --raw", VB_BLOCKJOB_INFO, 0},
        {" --bytes", VB_BLOCKJOB_INFO, 0},
        {" --info --raw --bytes", VB_BLOCKJOB_INFO, 0},
        {" --abort", VB_BLOCKJOB_ABORT, 0},
        {" --async", VB_BLOCKJOB_ABORT, 0},
        {" --pivot", VB_BLOCKJOB_ABORT, 0},
        {" --force", VB_BLOCKJOB_ABORT, 0},
        {" --abort --async --force", VB_BLOCKJOB_ABORT, 0},
        {" --pivot --async", VB_BLOCKJOB_ABORT, 0},
        {" --bandwidth 300K", VB_BLOCKJOB_BANDWIDTH, 307200},
        {" 2", VB_BLOCKJOB_BANDWIDTH, 2 << 20},
        {" --bandwidth 0", VB_BLOCKJOB_BANDWIDTH, 0},
        {" --bandwidth 7 --bytes", VB_BLOCKJOB_BANDWIDTH, 7},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *line = g_strconcat("blockjob vm vda", cases[i].options, NULL);
        g_autoptr(VbArgs) args = parse(line);
        g_autoptr(GError) error = NULL;
        VbBlockjobArgs parsed;

        g_assert_true(vb_blockjob_args_parse(args, &parsed, &error));
        g_assert_no_error(error);
        g_assert_cmpint(parsed.mode, ==, cases[i].mode);
        g_assert_cmpuint(parsed.bandwidth, ==, cases[i].bandwidth);
    }
}

static void test_blockjob_conflicts(void)
{
    static const char *const conflicts[][2] = {
        {"--abort --bandwidth 1", "--abort and --bandwidth exclude each other"},
        {"--abort --info", "--abort and --info exclude each other"},
        {"--async --raw", "--async and --raw exclude each other"},
        {"--pivot --bytes", "--pivot and --bytes exclude each other"},
        {"--pivot --force", "--pivot and --force exclude each other"},
        {"--info --bandwidth 1", "--info and --bandwidth exclude each other"},
        {"--raw --bytes --bandwidth 1", "--raw and --bandwidth exclude each other"},
        {"--force --bytes --bandwidth 1", "--force and --bandwidth exclude each other"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(conflicts); i++) {
        g_autofree char *line = g_strconcat("blockjob vm vda ", conflicts[i][0], NULL);
        g_autoptr(VbArgs) args = parse(line);
        g_autoptr(GError) error = NULL;
        VbBlockjobArgs parsed;

        g_assert_false(vb_blockjob_args_parse(args, &parsed, &error));
        g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
        g_assert_cmpstr(error->message, ==, conflicts[i][1]);
    }
}

static void test_wait_implied(void)
{
    static const struct {
        const char *line;
        VbBlockWaitArgs expected;
    } cases[] = {
        {"blockcopy vm vda /x", {.goal = VB_BLOCK_GOAL_READY}},
        {"blockcopy vm vda /x --wait", {.wait = TRUE, .goal = VB_BLOCK_GOAL_READY}},
        {"blockcopy vm vda /x --verbose",
         {.wait = TRUE, .verbose = TRUE, .goal = VB_BLOCK_GOAL_READY}},
        {"blockcopy vm vda /x --timeout 9",
         {.wait = TRUE, .timeout = 9, .goal = VB_BLOCK_GOAL_READY}},
        {"blockcopy vm vda /x --async", {.wait = TRUE, .async = TRUE, .goal = VB_BLOCK_GOAL_READY}},
        {"blockcopy vm vda /x --pivot", {.wait = TRUE, .goal = VB_BLOCK_GOAL_PIVOT}},
        {"blockcopy vm vda /x --finish", {.wait = TRUE, .goal = VB_BLOCK_GOAL_FINISH}},
        {"blockcommit vm vda --keep-overlay", {.wait = TRUE, .goal = VB_BLOCK_GOAL_FINISH}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(VbArgs) args = parse(cases[i].line);
        const VbBlockWaitArgs *expected = &cases[i].expected;
        g_autoptr(GError) error = NULL;
        VbBlockWaitArgs parsed;

        g_assert_true(vb_block_wait_args_parse(args, VB_BLOCK_GOAL_READY, &parsed, &error));
        g_assert_no_error(error);
        g_assert_cmpint(parsed.wait, ==, expected->wait);
        g_assert_cmpint(parsed.verbose, ==, expected->verbose);
        g_assert_cmpint(parsed.async, ==, expected->async);
        g_assert_cmpuint(parsed.timeout, ==, expected->timeout);
        g_assert_cmpint(parsed.goal, ==, expected->goal);
    }
}

static void test_wait_errors(void)
{
    static const char *const lines[] = {
        "blockcopy vm vda /x --pivot --finish", "blockcommit vm vda --pivot --keep-overlay",
        "blockpull vm vda --timeout 0",         "blockpull vm vda --timeout 1m",
        "blockpull vm vda --timeout 2147484",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(VbArgs) args = parse(lines[i]);
        g_autoptr(GError) error = NULL;
        VbBlockWaitArgs parsed;

        g_assert_false(vb_block_wait_args_parse(args, VB_BLOCK_GOAL_READY, &parsed, &error));
        g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
    }
}

static void test_judgement(void)
{
    static const struct {
        VbBlockEnd end;
        VbBlockGoal goal;
        const char *noun;
        gboolean reached;
        const char *message;
    } cases[] = {
        {{.state = VB_BLOCK_END_COMPLETED}, VB_BLOCK_GOAL_COMPLETE, "Pull", TRUE, "Pull complete"},
        {{.state = VB_BLOCK_END_COMPLETED},
         VB_BLOCK_GOAL_PIVOT,
         "Copy",
         FALSE,
         "Copy complete, but not pivoted"},
        {{.state = VB_BLOCK_END_COMPLETED, .pivoted = TRUE},
         VB_BLOCK_GOAL_PIVOT,
         "Copy",
         TRUE,
         "Successfully pivoted"},
        {{.state = VB_BLOCK_END_COMPLETED, .pivoted = TRUE},
         VB_BLOCK_GOAL_FINISH,
         "Copy",
         FALSE,
         "Copy was pivoted, not finished"},
        {{.state = VB_BLOCK_END_READY},
         VB_BLOCK_GOAL_READY,
         "Copy",
         TRUE,
         "Now in mirroring phase"},
        {{.state = VB_BLOCK_END_READY},
         VB_BLOCK_GOAL_READY,
         "Commit",
         TRUE,
         "Now in synchronized phase"},
        {{.state = VB_BLOCK_END_FAILED, .message = (char *)"disk full"},
         VB_BLOCK_GOAL_COMPLETE,
         "Pull",
         FALSE,
         "Pull failed: disk full"},
        {{.state = VB_BLOCK_END_FAILED, .reason = (char *)"vanished"},
         VB_BLOCK_GOAL_COMPLETE,
         "Pull",
         FALSE,
         "Pull failed: vanished"},
        {{.state = VB_BLOCK_END_CANCELED, .consistent = TRUE},
         VB_BLOCK_GOAL_FINISH,
         "Copy",
         TRUE,
         "Successfully copied"},
        {{.state = VB_BLOCK_END_CANCELED, .consistent = TRUE},
         VB_BLOCK_GOAL_FINISH,
         "Commit",
         TRUE,
         "Commit complete, overlay image kept"},
        {{.state = VB_BLOCK_END_CANCELED, .reason = (char *)"domain-stopped"},
         VB_BLOCK_GOAL_FINISH,
         "Copy",
         FALSE,
         "Copy canceled: domain-stopped"},
        {{.state = VB_BLOCK_END_CANCELED, .interrupt = VB_BLOCK_INTERRUPT_SIGNAL},
         VB_BLOCK_GOAL_COMPLETE,
         "Pull",
         FALSE,
         "Pull canceled (interrupted)"},
        {{.state = VB_BLOCK_END_CANCEL_REQUESTED, .interrupt = VB_BLOCK_INTERRUPT_TIMEOUT},
         VB_BLOCK_GOAL_COMPLETE,
         "Pull",
         FALSE,
         "Pull: cancel requested (timed out), its end was not waited for"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        VbBlockEnd end = cases[i].end;
        g_autofree char *message = NULL;

        if (end.message == NULL)
            end.message = (char *)"";
        if (end.reason == NULL)
            end.reason = (char *)"";
        g_assert_cmpint(vb_block_end_judge(&end, cases[i].goal, cases[i].noun, &message), ==,
                        cases[i].reached);
        g_assert_cmpstr(message, ==, cases[i].message);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/block/sizes", test_sizes);
    g_test_add_func("/cli/block/plain-overflow", test_plain_overflow);
    g_test_add_func("/cli/block/bandwidth-unit", test_bandwidth_unit);
    g_test_add_func("/cli/block/blockjob-modes", test_blockjob_modes);
    g_test_add_func("/cli/block/blockjob-conflicts", test_blockjob_conflicts);
    g_test_add_func("/cli/block/wait-implied", test_wait_implied);
    g_test_add_func("/cli/block/wait-errors", test_wait_errors);
    g_test_add_func("/cli/block/judgement", test_judgement);
    return g_test_run();
}
