/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusd.conf: what it may say, and that everything else is an error with file, line and key. */
#include "daemon-config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define STATE "/state"

static VbDaemonConfig *parse(const char *text, gboolean session, GError **error)
{
    return vb_daemon_config_parse(text, strlen(text), "/x.conf", STATE, session, error);
}

static void assert_directories(const VbDaemonConfig *config, const char *const *wanted)
{
    g_assert_cmpstrv(config->image_directories, wanted);
}

static void test_defaults(void)
{
    static const char *const directories[] = {STATE "/images", NULL};
    static const char *const texts[] = {"", "\n", "# nothing\n\n  # at all\n",
                                        "[storage]\n[qemu]\n[network]\n"};

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VbDaemonConfig) config = parse(texts[i], FALSE, &error);
        g_autoptr(VbDaemonConfig) session = parse(texts[i], TRUE, &error);

        g_assert_no_error(error);
        assert_directories(config, directories);
        g_assert_cmpstr(config->qemu_user, ==, "virtbus-qemu");
        g_assert_null(session->image_directories);
        g_assert_null(session->qemu_user);
        g_assert_cmpstr(config->network_user, ==, "virtbus-dnsmasq");
        g_assert_null(session->network_user);
        g_assert_cmpint(config->host_shutdown, ==, VB_HOST_SHUTDOWN_SHUTDOWN);
        g_assert_cmpuint(config->host_shutdown_timeout, ==, 120);
    }
}

static void test_values(void)
{
    static const struct {
        const char *text;
        const char *directories[4];
    } cases[] = {
        {"image-directories=/a\n", {"/a"}},
        {"image-directories = /a;/b/c d;\n", {"/a", "/b/c d"}},
        {" \timage-directories\t=\t/a \t\n", {"/a"}},
        {"image-directories=/a\\;b;/c\\sd\n", {"/a;b", "/c d"}},
        {"image-directories=/\xc3\xa4\n", {"/\xc3\xa4"}},
        {"image-directories=/...;/a..\n", {"/...", "/a.."}},
        {"image-directories=\n", {NULL}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strconcat(
            "[qemu]\nuser=some_user-1\n[network]\nuser=other\n[storage]\n", cases[i].text, NULL);
        g_autoptr(VbDaemonConfig) config = parse(text, FALSE, &error);

        g_assert_no_error(error);
        assert_directories(config, cases[i].directories);
        g_assert_cmpstr(config->qemu_user, ==, "some_user-1");
        g_assert_cmpstr(config->network_user, ==, "other");
    }
}

/* Either instance has guests that the host's end concerns. */
static void test_host_shutdown(void)
{
    for (int session = 0; session < 2; session++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VbDaemonConfig) config =
            parse("[host-shutdown]\nguests=stop\ntimeout=3600\n", session, &error);

        g_assert_no_error(error);
        g_assert_cmpint(config->host_shutdown, ==, VB_HOST_SHUTDOWN_STOP);
        g_assert_cmpuint(config->host_shutdown_timeout, ==, 3600);
    }
}

static void assert_wrong(const char *text, gsize length, gboolean session, const char *line,
                         const char *word)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDaemonConfig) config =
        vb_daemon_config_parse(text, length, "/x.conf", STATE, session, &error);
    g_autofree char *where = g_strconcat("/x.conf, ", line, ": ", NULL);

    g_assert_null(config);
    g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
    if (!g_str_has_prefix(error->message, where) || !strstr(error->message, word))
        g_error("'%s' is not '%s' with '%s'", error->message, where, word);
    g_assert_null(strchr(error->message, '\n'));
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
}

static void test_wrong(void)
{
    static const struct {
        const char *text, *line, *word;
    } cases[] = {
        {"[storage]\nimage-directories=/a", "line 2", "cut off"},
        {"#", "line 1", "cut off"},
        {"[Storage]\n", "line 1", "[Storage]"},
        {"[]\n", "line 1", "[]"},
        {"[\n", "line 1", "']'"},
        {"[qemu]\n[qemu\n", "line 2", "']'"},
        {"[qemu] x\n", "line 1", "']'"},
        {"[qemu]\n\n[qemu]\n", "line 3", "twice"},
        {"[storage]\nimage-directories=/\\q\\\n", "line 2", "within an escape"},
        {"user=x\n", "line 1", "in no group"},
        {"[qemu]\nuser\n", "line 2", "'user'"},
        {"[qemu]\n=x\n", "line 2", "''"},
        {"[qemu]\nUser=x\n", "line 2", "'User'"},
        {"[qemu]\nuser[de]=x\n", "line 2", "'user[de]'"},
        {"[qemu]\nimage-directories=/a\n", "line 2", "image-directories"},
        {"[storage]\nuser=x\n", "line 2", "'user'"},
        {"[qemu]\nuser=x\n# x\nuser=x\n", "line 4", "line 2"},
        {"[qemu]\nuser=\n", "line 2", "'user': ''"},
        {"[network]\nuser=\n", "line 2", "'user': ''"},
        {"[network]\nuser=a/b\n", "line 2", "'a/b'"},
        {"[qemu]\nuser=x\n[network]\nuser=x\nuser=y\n", "line 5", "line 4"},
        {"[qemu]\nuser=1000\n", "line 2", "'1000'"},
        {"[qemu]\nuser=a b\n", "line 2", "'a b'"},
        {"[qemu]\nuser=-x\n", "line 2", "'-x'"},
        {"[qemu]\nuser=../x\n", "line 2", "'../x'"},
        {"[qemu]\nuser=abcdefghijklmnopqrstuvwxyzabcdef\n", "line 2", "name of a user"},
        {"[storage]\nimage-directories=images\n", "line 2", "'images'"},
        {"[storage]\nimage-directories=/\n", "line 2", "'/'"},
        {"[storage]\nimage-directories=/a/\n", "line 2", "'/a/'"},
        {"[storage]\nimage-directories=//a\n", "line 2", "'//a'"},
        {"[storage]\nimage-directories=/a/../b\n", "line 2", "'/a/../b'"},
        {"[storage]\nimage-directories=/a/.\n", "line 2", "'/a/.'"},
        {"[storage]\nimage-directories=/a;;/b\n", "line 2", "'/a;;/b'"},
        {"[storage]\nimage-directories=/a:/b; /c\n", "line 2", "; /c'"},
        {"[storage]\nimage-directories=/a\\x\n", "line 2", "image-directories"},
        {"[storage]\r\n", "line 1", "control character"},
        {"[storage]\n# a \x1b[2J\n", "line 2", "control character"},
        {"[storage]\n# \xff\n", "line 2", "UTF-8"},
        {"[storage]\nimage-directories=/a\\n\n", "line 2", "image-directories"},
        {"[host-shutdown]\nguests=save\n", "line 2", "cannot be saved yet"},
        {"[host-shutdown]\nguests=\n", "line 2", "neither 'shutdown' nor 'stop'"},
        {"[host-shutdown]\ntimeout=0\n", "line 2", "'0'"},
        {"[host-shutdown]\ntimeout=3601\n", "line 2", "'3601'"},
        {"[host-shutdown]\ntimeout=1m\n", "line 2", "'1m'"},
        {"[host-shutdown]\ntimeout=-1\n", "line 2", "'-1'"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_wrong(cases[i].text, strlen(cases[i].text), FALSE, cases[i].line, cases[i].word);
    assert_wrong("[qemu]\nus\0er=x\n", 15, FALSE, "line 2", "NUL");
    assert_wrong("[qemu]\nuser=x\n", 14, TRUE, "line 2", "session");
    assert_wrong("[network]\nuser=x\n", 17, TRUE, "line 2", "session");
    assert_wrong("[storage]\nimage-directories=/a\n", 31, TRUE, "line 2", "session");
}

static void test_limits(void)
{
    g_autoptr(GString) many = g_string_new("[storage]\nimage-directories=");
    g_autoptr(GString) large = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < VB_DAEMON_CONFIG_MAX_DIRECTORIES; i++)
        g_string_append_printf(many, "/d%u;", i);
    {
        g_autofree char *text = g_strconcat(many->str, "\n", NULL);
        g_autoptr(VbDaemonConfig) config = parse(text, FALSE, &error);

        g_assert_no_error(error);
        g_assert_cmpuint(g_strv_length(config->image_directories), ==,
                         VB_DAEMON_CONFIG_MAX_DIRECTORIES);
    }
    g_string_append(many, "/more\n");
    assert_wrong(many->str, many->len, FALSE, "line 2", "more than 64");

    while (large->len < VB_DAEMON_CONFIG_MAX_SIZE)
        g_string_append_c(large, '\n');
    g_autoptr(VbDaemonConfig) fits = parse(large->str, FALSE, &error);
    g_assert_no_error(error);
    g_assert_nonnull(fits);
    g_string_append_c(large, '\n');
    g_assert_null(parse(large->str, FALSE, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED);
    g_assert_nonnull(strstr(error->message, "/x.conf"));
}

/* Loads it as the system instance; the error's message, or NULL. */
static char *load_error(const char *path, int code)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDaemonConfig) config = vb_daemon_config_load(path, STATE, FALSE, &error);

    g_assert_true((config == NULL) == (error != NULL));
    if (!error)
        return NULL;
    g_assert_error(error, VB_ERROR, code);
    g_assert_nonnull(strstr(error->message, path));
    return g_strdup(error->message);
}

static void test_file(void)
{
    g_autofree char *dir = g_dir_make_tmp("service-config-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "virtbusd.conf", NULL);
    g_autofree char *large = g_strnfill(VB_DAEMON_CONFIG_MAX_SIZE + 1, '\n');
    g_autofree char *none = load_error(path, -1);
    g_autofree char *under_a_file = NULL, *not_there = NULL;

    g_assert_null(none);
    g_assert_cmpint(symlink("nowhere", path), ==, 0);
    g_autofree char *dangling = load_error(path, VB_ERROR_FAILED);
    g_assert_nonnull(dangling);
    g_assert_cmpint(g_unlink(path), ==, 0);

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_autofree char *fifo = load_error(path, VB_ERROR_FAILED);
    g_assert_nonnull(fifo);
    g_assert_cmpint(g_unlink(path), ==, 0);

    g_assert_true(g_file_set_contents(path, large, -1, NULL));
    g_autofree char *too_large = load_error(path, VB_ERROR_LIMITS_EXCEEDED);
    g_assert_nonnull(too_large);

    under_a_file = g_build_filename(path, "virtbusd.conf", NULL);
    not_there = load_error(under_a_file, VB_ERROR_FAILED);
    g_assert_nonnull(not_there);

    g_assert_true(g_file_set_contents(path, "[qemu]\nuser=other\n", -1, NULL));
    g_autoptr(VbDaemonConfig) config = vb_daemon_config_load(path, STATE, FALSE, NULL);
    g_assert_cmpstr(config->qemu_user, ==, "other");
    g_assert_true(g_file_set_contents(path, "[qemu]\nuser=a b\n", -1, NULL));
    g_autofree char *wrong = load_error(path, VB_ERROR_INVALID_ARGS);
    g_assert_nonnull(strstr(wrong, ", line 2: key 'user': 'a b'"));

    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/host-shutdown", test_host_shutdown);
    g_test_add_func("/config/defaults", test_defaults);
    g_test_add_func("/config/values", test_values);
    g_test_add_func("/config/wrong", test_wrong);
    g_test_add_func("/config/limits", test_limits);
    g_test_add_func("/config/file", test_file);
    return g_test_run();
}
