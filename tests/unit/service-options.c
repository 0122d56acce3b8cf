/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each rule of the strict options, on sealed messages that nobody sends. */
#include "options.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"

typedef struct {
    sd_bus *bus; /* a message belongs to a bus that was started, be it one without a peer */
    int peer;
    sd_bus_message *message;
} Fixture;

static void fixture_set_up(Fixture *f, gconstpointer data)
{
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    f->peer = fds[1];
    g_assert_cmpint(sd_bus_new(&f->bus), >=, 0);
    g_assert_cmpint(sd_bus_set_fd(f->bus, fds[0], fds[0]), >=, 0);
    g_assert_cmpint(sd_bus_start(f->bus), >=, 0);
    g_assert_cmpint(sd_bus_message_new_method_call(f->bus, &f->message, NULL, "/a", "a.b", "C"), >=,
                    0);
}

static void fixture_tear_down(Fixture *f, gconstpointer data)
{
    sd_bus_message_unref(f->message);
    sd_bus_close_unref(f->bus);
    close(f->peer);
}

static VbOptions *parse(Fixture *f, GError **error)
{
    g_assert_cmpint(sd_bus_message_seal(f->message, 1, 0), >=, 0);
    return vb_options_parse(f->message, error);
}

static void assert_refused(GError *error, const char *text)
{
    g_assert_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS);
    if (strstr(error->message, text) == NULL)
        g_error("'%s' is not in '%s'", text, error->message);
}

static void test_take(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbOptions) options = NULL;
    gboolean async = FALSE, absent = 42;
    gint32 int32 = 0;
    guint32 uint32 = 0;
    gint64 int64 = 0;
    guint64 uint64 = 0;
    g_autofree char *string = NULL;
    g_auto(GStrv) strv = NULL;

    g_assert_cmpint(
        sd_bus_message_append(f->message, "a{sv}", 7, "async", "b", 1, "i", "i", G_MININT32, "u",
                              "u", G_MAXUINT32, "x", "x", G_MININT64, "bandwidth", "t", G_MAXUINT64,
                              "base", "s", "vda[1]", "list", "as", 2, "a", "b"),
        >=, 0);
    options = parse(f, &error);
    g_assert_no_error(error);
    /* the message may go */
    f->message = sd_bus_message_unref(f->message);
    g_assert_true(vb_options_take_strv(options, "list", &strv));
    g_assert_true(vb_options_take_string(options, "base", &string));
    g_assert_true(vb_options_take_uint64(options, "bandwidth", &uint64));
    g_assert_true(vb_options_take_int64(options, "x", &int64));
    g_assert_true(vb_options_take_uint32(options, "u", &uint32));
    g_assert_true(vb_options_take_int32(options, "i", &int32));
    g_assert_true(vb_options_take_bool(options, "async", &async));
    g_assert_false(vb_options_take_bool(options, "pivot", &absent));
    /* once only */
    g_assert_false(vb_options_take_bool(options, "async", &absent));
    g_assert_cmpint(absent, ==, 42);
    g_assert_true(vb_options_finish(options, &error));
    g_assert_no_error(error);

    g_assert_true(async);
    g_assert_cmpint(int32, ==, G_MININT32);
    g_assert_cmpuint(uint32, ==, G_MAXUINT32);
    g_assert_cmpint(int64, ==, G_MININT64);
    g_assert_cmpuint(uint64, ==, G_MAXUINT64);
    g_assert_cmpstr(string, ==, "vda[1]");
    g_assert_cmpstr(strv[0], ==, "a");
    g_assert_cmpstr(strv[1], ==, "b");
    g_assert_null(strv[2]);
}

static void test_empty(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbOptions) options = NULL;

    g_assert_cmpint(sd_bus_message_append(f->message, "a{sv}", 0), >=, 0);
    options = parse(f, &error);
    g_assert_no_error(error);
    g_assert_true(vb_options_finish(options, &error));
}

static void test_missing(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(sd_bus_message_append(f->message, "s", "x"), >=, 0);
    g_assert_null(parse(f, &error));
    assert_refused(error, "a{sv}");
}

/* The first in the order of the message is told, known or not, and values of any type are read. */
static void test_unknown(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbOptions) options = NULL;
    gboolean async = FALSE;

    g_assert_cmpint(
        sd_bus_message_append(f->message, "a{sv}", 4, "async", "b", 1, "strange", "a(ya{sv})", 1, 7,
                              1, "k", "as", 0, "other", "d", 1.5, "fd", "h", 0),
        >=, 0);
    options = parse(f, &error);
    g_assert_no_error(error);
    g_assert_true(vb_options_take_bool(options, "async", &async));
    g_assert_false(vb_options_finish(options, &error));
    assert_refused(error, "unknown option 'strange'");
}

static void test_wrong_type(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbOptions) options = NULL;
    guint64 bandwidth = 5;
    gboolean async = FALSE;

    g_assert_cmpint(
        sd_bus_message_append(f->message, "a{sv}", 2, "bandwidth", "u", 7, "async", "s", "yes"), >=,
        0);
    options = parse(f, &error);
    g_assert_no_error(error);
    g_assert_false(vb_options_take_bool(options, "async", &async));
    g_assert_false(vb_options_take_uint64(options, "bandwidth", &bandwidth));
    g_assert_cmpuint(bandwidth, ==, 5);
    g_assert_false(vb_options_finish(options, &error));
    assert_refused(error, "option 'bandwidth' must be of type 't', not 'u'");
}

static void test_reject(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbOptions) options = NULL;
    g_autofree char *mode = NULL;

    g_assert_cmpint(sd_bus_message_append(f->message, "a{sv}", 1, "mode", "s", "fast"), >=, 0);
    options = parse(f, &error);
    g_assert_true(vb_options_take_string(options, "mode", &mode));
    vb_options_reject(options, "mode", "'%s' is no mode", mode);
    vb_options_reject(options, "mode", "not told");
    g_assert_false(vb_options_finish(options, &error));
    assert_refused(error, "option 'mode': 'fast' is no mode");
}

static void test_twice(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(sd_bus_message_append(f->message, "a{sv}", 2, "async", "b", 1, "async", "b", 0),
                    >=, 0);
    g_assert_null(parse(f, &error));
    assert_refused(error, "'async' is given twice");
}

/* n options named k0, k1, … */
static void append_many(Fixture *f, guint n)
{
    g_assert_cmpint(sd_bus_message_open_container(f->message, 'a', "{sv}"), >=, 0);
    for (guint i = 0; i < n; i++) {
        g_autofree char *key = g_strdup_printf("k%u", i);
        g_assert_cmpint(sd_bus_message_append(f->message, "{sv}", key, "b", 1), >=, 0);
    }
    g_assert_cmpint(sd_bus_message_close_container(f->message), >=, 0);
}

static void test_count_max(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbOptions) options = NULL;

    append_many(f, VB_OPTIONS_MAX);
    options = parse(f, &error);
    g_assert_no_error(error);
}

static void test_too_many(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    append_many(f, VB_OPTIONS_MAX + 1);
    g_assert_null(parse(f, &error));
    assert_refused(error, "more than 64 options");
}

static void test_key_length(Fixture *f, gconstpointer data)
{
    g_autofree char *longest = g_strnfill(VB_OPTIONS_KEY_MAX, 'k');
    g_autofree char *longer = g_strnfill(VB_OPTIONS_KEY_MAX + 1, 'k');
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(sd_bus_message_append(f->message, "a{sv}", 2, longest, "b", 1, longer, "b", 1),
                    >=, 0);
    g_assert_null(parse(f, &error));
    assert_refused(error, "unknown option 'kkkkkkkkkkkkkkkk…'");
}

static void test_string_length(Fixture *f, gconstpointer data)
{
    g_autofree char *longest = g_strnfill(VB_OPTIONS_STRING_MAX, 'x');
    g_autofree char *longer = g_strnfill(VB_OPTIONS_STRING_MAX + 1, 'x');
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(
        sd_bus_message_append(f->message, "a{sv}", 2, "fits", "s", longest, "long", "s", longer),
        >=, 0);
    g_assert_null(parse(f, &error));
    assert_refused(error, "option 'long' is too long");
}

static void test_strv_length(Fixture *f, gconstpointer data)
{
    g_autofree char *half = g_strnfill(VB_OPTIONS_STRING_MAX / 2, 'x');
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(sd_bus_message_append(f->message, "a{sv}", 2, "fits", "as", 2, half, half,
                                          "long", "as", 3, half, half, "x"),
                    >=, 0);
    g_assert_null(parse(f, &error));
    assert_refused(error, "option 'long' is too long");
}

static void test_strv_count(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(sd_bus_message_open_container(f->message, 'a', "{sv}"), >=, 0);
    g_assert_cmpint(sd_bus_message_open_container(f->message, 'e', "sv"), >=, 0);
    g_assert_cmpint(sd_bus_message_append(f->message, "s", "list"), >=, 0);
    g_assert_cmpint(sd_bus_message_open_container(f->message, 'v', "as"), >=, 0);
    g_assert_cmpint(sd_bus_message_open_container(f->message, 'a', "s"), >=, 0);
    for (guint i = 0; i <= VB_OPTIONS_STRV_MAX; i++)
        g_assert_cmpint(sd_bus_message_append(f->message, "s", ""), >=, 0);
    for (guint i = 0; i < 4; i++)
        g_assert_cmpint(sd_bus_message_close_container(f->message), >=, 0);
    g_assert_null(parse(f, &error));
    assert_refused(error, "option 'list' is too long");
}

#define ADD(name, func)                                                                            \
    g_test_add("/service/options/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("take", test_take);
    ADD("empty", test_empty);
    ADD("missing", test_missing);
    ADD("unknown", test_unknown);
    ADD("wrong-type", test_wrong_type);
    ADD("reject", test_reject);
    ADD("twice", test_twice);
    ADD("count-max", test_count_max);
    ADD("too-many", test_too_many);
    ADD("key-length", test_key_length);
    ADD("string-length", test_string_length);
    ADD("strv-length", test_strv_length);
    ADD("strv-count", test_strv_count);
    return g_test_run();
}
