/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the daemon's log looks like on stderr: levels, fields, and that nothing can forge a line. */
#include "logger.h"

#include "log.h"

static void log_all(void)
{
    vb_logger_init(g_test_subprocess() && g_strcmp0(g_get_prgname(), "debug") == 0);
    vb_log_debug(NULL, NULL, "a detail");
    vb_log_info("u-u-i-d", NULL, "started by %s", "root");
    vb_log_warning("u-u-i-d", "7", "the job\nvirtbusd: info: forged \x1b[1m\xff");
    g_message("from a library");
}

static void test_plain_child(void)
{
    log_all();
}

static void test_debug_child(void)
{
    g_set_prgname("debug");
    log_all();
}

static const char expected[] =
    "virtbusd: info: started by root domain=u-u-i-d\n"
    "virtbusd: warning: the job\\x0avirtbusd: info: forged \\x1b[1m\xef\xbf\xbd domain=u-u-i-d "
    "job=7\n"
    "virtbusd: warning: from a library\n";

static void test_stderr(void)
{
    g_autofree char *with_debug = g_strconcat("virtbusd: debug: a detail\n", expected, NULL);

    g_test_trap_subprocess("/service/logger/stderr/subprocess/plain", 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(expected);
    g_test_trap_subprocess("/service/logger/stderr/subprocess/debug", 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(with_debug);
}

static void test_format(void)
{
    const GLogField empty[] = {{"MESSAGE", "text", -1}, {VB_LOG_FIELD_DOMAIN, "", -1}};
    const GLogField binary[] = {{"MESSAGE", "abc", 2}};
    g_autofree char *line = vb_logger_format(G_LOG_LEVEL_CRITICAL, empty, G_N_ELEMENTS(empty));
    g_autofree char *none = vb_logger_format(G_LOG_LEVEL_ERROR, binary, G_N_ELEMENTS(binary));

    g_assert_cmpstr(line, ==, "virtbusd: critical: text\n");
    g_assert_cmpstr(none, ==, "virtbusd: error: \n");
}

/* One domain logs without end; nothing else does. */
static void flood_child(void)
{
    vb_logger_init(FALSE);
    for (guint i = 0; i < 10000; i++)
        vb_log_warning("hostile", NULL, "again");
    vb_log_warning("other", NULL, "seen");
    vb_log_warning(NULL, NULL, "seen");
}

static void test_flood(void)
{
    gint64 now = 1000 * G_USEC_PER_SEC;
    guint dropped = 7, n = 0;

    g_test_trap_subprocess("/service/logger/flood/subprocess/child", 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*again*again*seen domain=other\nvirtbusd: warning: seen\n");

    while (vb_logger_admit("u-1", now, &dropped))
        n++;
    g_assert_cmpuint(n, ==, 200);
    g_assert_cmpuint(dropped, ==, 0);
    g_assert_true(vb_logger_admit("u-2", now, &dropped));
    for (guint i = 0; i < 99; i++)
        g_assert_false(vb_logger_admit("u-1", now + G_USEC_PER_SEC / 2, &dropped));
    /* one a second, and that again after a quiet time */
    g_assert_true(vb_logger_admit("u-1", now + G_USEC_PER_SEC, &dropped));
    g_assert_cmpuint(dropped, ==, 100);
    g_assert_false(vb_logger_admit("u-1", now + G_USEC_PER_SEC, &dropped));
    g_assert_true(vb_logger_admit("u-1", now + 2 * G_USEC_PER_SEC, &dropped));
    g_assert_cmpuint(dropped, ==, 1);
    for (n = 0; vb_logger_admit("u-1", now + 600 * G_USEC_PER_SEC, &dropped); n++)
        continue;
    g_assert_cmpuint(n, ==, 200);
    /* so many domains that the quiet ones are forgotten: the loud one is not */
    for (guint i = 0; i < 3000; i++) {
        g_autofree char *uuid = g_strdup_printf("many-%u", i);
        g_assert_true(vb_logger_admit(uuid, now + 600 * G_USEC_PER_SEC, &dropped));
    }
    g_assert_false(vb_logger_admit("u-1", now + 600 * G_USEC_PER_SEC, &dropped));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/logger/format", test_format);
    g_test_add_func("/service/logger/stderr", test_stderr);
    g_test_add_func("/service/logger/stderr/subprocess/plain", test_plain_child);
    g_test_add_func("/service/logger/stderr/subprocess/debug", test_debug_child);
    g_test_add_func("/service/logger/flood", test_flood);
    g_test_add_func("/service/logger/flood/subprocess/child", flood_child);
    return g_test_run();
}
