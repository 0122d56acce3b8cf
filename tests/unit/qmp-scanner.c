/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * json-limits.c: framing at every split point, the limits, and what is refused. */
#include "json-limits.h"

#include <string.h>

#include "error.h"

/* Three messages as QEMU would send them, with what confuses a careless scanner. */
static const char stream[] = "{\"QMP\": {}}\r\n"
                             "{\"s\": \"}]\\\"{[\\\\\", \"u\": \"\\ud83d\\ude00 \xc3\xa9\"}"
                             "  [1, -2.5e3, true, [null, {\"a\": []}]]\n\n";
static const char *const stream_values[] = {
    "{\"QMP\":{}}",
    "{\"s\":\"}]\\\"{[\\\\\",\"u\":\"\xf0\x9f\x98\x80 \xc3\xa9\"}",
    "[1,-2500.0,true,[null,{\"a\":[]}]]",
};

static void assert_next(VbJsonScanner *scanner, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = vb_json_scanner_pop(scanner, &error);
    g_autofree char *text = NULL;

    g_assert_no_error(error);
    if (!expected) {
        g_assert_null(node);
        return;
    }
    g_assert_nonnull(node);
    text = json_to_string(node, FALSE);
    g_assert_cmpstr(text, ==, expected);
}

static void push_ok(VbJsonScanner *scanner, const char *data, gsize size)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(vb_json_scanner_push(scanner, data, size, &error));
    g_assert_no_error(error);
}

static void assert_stream_values(VbJsonScanner *scanner)
{
    for (guint i = 0; i < G_N_ELEMENTS(stream_values); i++)
        assert_next(scanner, stream_values[i]);
    assert_next(scanner, NULL);
    g_assert_false(vb_json_scanner_is_inside(scanner));
}

static void test_every_split(void)
{
    gsize size = strlen(stream);

    for (gsize first = 0; first <= size; first++) {
        for (gsize second = first; second <= size; second++) {
            g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();
            push_ok(scanner, stream, first);
            push_ok(scanner, stream + first, second - first);
            push_ok(scanner, stream + second, size - second);
            assert_stream_values(scanner);
        }
    }
}

static void test_byte_by_byte(void)
{
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();

    for (gsize i = 0; i < strlen(stream); i++)
        push_ok(scanner, stream + i, 1);
    assert_stream_values(scanner);
}

static void test_inside(void)
{
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();

    g_assert_false(vb_json_scanner_is_inside(scanner));
    push_ok(scanner, "\r\n {\"a", 6);
    g_assert_true(vb_json_scanner_is_inside(scanner));
    assert_next(scanner, NULL);
    push_ok(scanner, "\": 1}", 5);
    g_assert_false(vb_json_scanner_is_inside(scanner));
    assert_next(scanner, "{\"a\":1}");
}

/* The stream is refused with that reason, for good, but what came whole before it counts. */
static void assert_refused_bytes(const char *bytes, gsize size, const char *reason)
{
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();
    g_autoptr(GString) data = g_string_new("{\"first\": 1}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) again = NULL;
    g_autoptr(GError) popped = NULL;
    g_autofree char *pattern = g_strdup_printf("*%s*", reason);

    g_string_append_len(data, bytes, (gssize)size);
    g_assert_false(vb_json_scanner_push(scanner, data->str, data->len, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
    if (!g_pattern_match_simple(pattern, error->message))
        g_error("'%s' is refused as '%s', not as '%s'", bytes, error->message, reason);
    g_assert_false(vb_json_scanner_push(scanner, "{}", 2, &again));
    g_assert_cmpstr(again->message, ==, error->message);
    assert_next(scanner, "{\"first\":1}");
    g_assert_null(vb_json_scanner_pop(scanner, &popped));
    g_assert_cmpstr(popped->message, ==, error->message);
}

static void assert_refused(const char *text, const char *reason)
{
    assert_refused_bytes(text, strlen(text), reason);
}

static void test_refused(void)
{
    assert_refused("hello", "neither an object nor an array");
    assert_refused("\"text\"", "neither an object nor an array");
    assert_refused("]", "unbalanced");
    assert_refused("[}", "unbalanced");
    assert_refused("{\"a\": 'b'}", "not JSON");
    assert_refused("[/* */]", "not JSON");
    assert_refused("[1 # x\n]", "not JSON");
    assert_refused("[\x01]", "not JSON");
    assert_refused("[\"\n\"]", "control character");
    assert_refused("[\"\\x41\"]", "unknown escape");
    assert_refused("[\"\\u12g4\"]", "four hexadecimal digits");
    assert_refused("[\"\\u0000\"]", "escaped NUL");
    assert_refused("[\"\\ud800\"]", "unpaired surrogate");
    assert_refused("[\"\\ud800x\"]", "unpaired surrogate");
    assert_refused("[\"\\ud800\\n\"]", "unpaired surrogate");
    assert_refused("[\"\\ud800\\u0041\"]", "unpaired surrogate");
    assert_refused("[\"\\ud800\\ud800\"]", "unpaired surrogate");
    assert_refused("[\"\\udc00\"]", "unpaired surrogate");
    assert_refused_bytes("[\0]", 3, "not JSON");
    assert_refused_bytes("[\"\0\"]", 5, "control character");
    assert_refused_bytes("[\"\\\0\"]", 6, "unknown escape");
}

static void test_invalid_utf8(void)
{
    assert_refused("[\"\xff\"]", "UTF-8");
    assert_refused("[\"\xc3\"]", "UTF-8");         /* cut off */
    assert_refused("[\"\xc0\xaf\"]", "UTF-8");     /* overlong */
    assert_refused("[\"\xed\xa0\x80\"]", "UTF-8"); /* a surrogate */
    assert_refused("[\xc3\xa9]", "not JSON");      /* outside of a string */
}

/* Lexically fine; json-glib refuses the grammar when it is popped. */
static void test_grammar(void)
{
    static const char *const texts[] = {"{\"a\" 1}", "[1 2]", "{1: 2}", "[nul]", "[1,,2]", "{:}"};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();
        g_autoptr(GError) error = NULL;
        push_ok(scanner, texts[i], strlen(texts[i]));
        push_ok(scanner, "{}", 2);
        g_assert_null(vb_json_scanner_pop(scanner, &error));
        g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
        g_clear_error(&error);
        g_assert_null(vb_json_scanner_pop(scanner, &error)); /* for good */
        g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
    }
}

static char *nested(guint depth)
{
    char *text = g_malloc(2 * depth + 1);

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    return text;
}

static void test_depth(void)
{
    g_autofree char *deepest = nested(VB_JSON_MAX_DEPTH);
    g_autofree char *too_deep = nested(VB_JSON_MAX_DEPTH + 1);
    g_autofree char *hostile = g_strnfill(100000, '[');
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();

    push_ok(scanner, deepest, strlen(deepest));
    assert_next(scanner, deepest);
    assert_refused(too_deep, "nested too deeply");
    assert_refused(hostile, "nested too deeply");
}

/* Pushes it in chunks; FALSE when it is refused. */
static gboolean push_text(VbJsonScanner *scanner, const char *text, gsize size, GError **error)
{
    for (gsize at = 0; at < size; at += 65536) {
        if (!vb_json_scanner_push(scanner, text + at, MIN(65536, size - at), error))
            return FALSE;
    }
    return TRUE;
}

/* What `open`, n times `item` with commas between, and `close` come to, is let through or not. */
static void check_limit(const char *open, const char *item, gsize n, const char *close,
                        gboolean accepted)
{
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();
    g_autoptr(GString) text = g_string_new(open);
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < n; i++) {
        g_string_append(text, i > 0 ? "," : "");
        g_string_append(text, item);
    }
    g_string_append(text, close);
    for (guint i = 0; i < 2; i++) { /* the limit is for each message */
        g_assert_true(push_text(scanner, text->str, text->len, &error) == accepted);
        if (!accepted)
            break;
        g_autoptr(JsonNode) node = vb_json_scanner_pop(scanner, &error);
        g_assert_no_error(error);
        g_assert_nonnull(node);
    }
    if (!accepted) {
        g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
        g_assert_nonnull(strstr(error->message, "16 MiB"));
    }
}

static void test_size(void)
{
    g_autofree char *line = g_strnfill(60000, 'x');
    g_autofree char *item = g_strconcat("\"", line, "\"", NULL);

    /* by its bytes */
    check_limit("[", item, VB_JSON_MAX_SIZE / (strlen(item) + 1 + VB_JSON_ITEM_SIZE), "]", TRUE);
    check_limit("[", item, VB_JSON_MAX_SIZE / strlen(item) + 1, "]", FALSE);
    /* by what is in it: 65 bytes for "0", 195 for "{}" and the comma */
    check_limit("[", "0", 250000, "]", TRUE);
    check_limit("[", "0", 260000, "]", FALSE);
    check_limit("[", "{}", 85000, "]", TRUE);
    check_limit("[", "{}", 88000, "]", FALSE);
    check_limit("{\"a\":[", "[]", 88000, "]}", FALSE);
}

static void test_string(void)
{
    g_autofree char *longest = g_strnfill(VB_JSON_MAX_STRING, '7');
    g_autofree char *string = g_strdup_printf("[\"%s\",\"%s\"]", longest, longest);
    g_autofree char *string_too_long = g_strdup_printf("[\"%s7\"]", longest);
    g_autofree char *number = g_strdup_printf("[%s, %s]", longest, longest);
    g_autofree char *number_too_long = g_strdup_printf("[%s7]", longest);
    g_autofree char *endless = g_strdup_printf("{\"%s%s", longest, longest);
    g_autofree char *escapes = g_strdup_printf("[\"%s\\n\"]", longest);
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();
    g_autoptr(JsonNode) strings = NULL;
    g_autoptr(JsonNode) numbers = NULL;

    push_ok(scanner, string, strlen(string));
    push_ok(scanner, number, strlen(number));
    strings = vb_json_scanner_pop(scanner, NULL);
    numbers = vb_json_scanner_pop(scanner, NULL);
    g_assert_nonnull(strings);
    g_assert_nonnull(numbers);
    assert_refused(string_too_long, "64 KiB");
    assert_refused(number_too_long, "64 KiB");
    assert_refused(endless, "64 KiB");
    assert_refused(escapes, "64 KiB");
}

static void test_whole_document(void)
{
    static const char good[] = " {\"a\": [1]}\n";
    static const char *const bad[] = {"", " ", "{", "{} {}", "{}x", "1", "{} [", "{]"};
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = vb_json_parse(good, strlen(good), &error);

    g_assert_no_error(error);
    g_assert_true(JSON_NODE_HOLDS_OBJECT(node));
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(vb_json_parse(bad[i], strlen(bad[i]), &error));
        g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
        g_clear_error(&error);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scanner/every-split", test_every_split);
    g_test_add_func("/scanner/byte-by-byte", test_byte_by_byte);
    g_test_add_func("/scanner/inside", test_inside);
    g_test_add_func("/scanner/refused", test_refused);
    g_test_add_func("/scanner/invalid-utf8", test_invalid_utf8);
    g_test_add_func("/scanner/grammar", test_grammar);
    g_test_add_func("/scanner/depth", test_depth);
    g_test_add_func("/scanner/size", test_size);
    g_test_add_func("/scanner/string", test_string);
    g_test_add_func("/scanner/whole-document", test_whole_document);
    return g_test_run();
}
