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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/logger/format", test_format);
    g_test_add_func("/service/logger/stderr", test_stderr);
    g_test_add_func("/service/logger/stderr/subprocess/plain", test_plain_child);
    g_test_add_func("/service/logger/stderr/subprocess/debug", test_debug_child);
    return g_test_run();
}
