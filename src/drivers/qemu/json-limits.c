/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The scanner: a lexer for strict JSON that keeps only its state, the open brackets and the bytes
 * of the value that it is inside of. Every byte is looked at once, and once more for UTF-8 when its
 * value is complete. */
#include "json-limits.h"

#include <string.h>

#include "error.h"

typedef enum {
    LEX_PLAIN,   /* between tokens or in a number or literal */
    LEX_STRING,  /* between quotes */
    LEX_ESCAPE,  /* after a backslash */
    LEX_UNICODE, /* in the four digits after \u */
    LEX_LOW,     /* after a high surrogate: only the backslash of the low one may follow */
    LEX_LOW_U,   /* ... and then its u */
} LexState;

struct VbJsonScanner {
    LexState state;
    guint digits;    /* of a \u escape, read so far */
    guint32 unit;    /* the UTF-16 unit that they make */
    gboolean paired; /* a high surrogate came before this \u escape */
    guint depth;
    char open[VB_JSON_MAX_DEPTH]; /* the closing bracket that each open one waits for */
    gsize items;                  /* brackets and commas of the value that has begun */
    gsize token;                  /* bytes of the string, number or literal that has begun */
    GString *text;                /* of the value that has begun; NULL between values */
    GQueue complete;              /* GString, oldest first */
    GError *error;                /* final */
};

VbJsonScanner *vb_json_scanner_new(void)
{
    VbJsonScanner *scanner = g_new0(VbJsonScanner, 1);

    g_queue_init(&scanner->complete);
    return scanner;
}

static void free_text(gpointer text)
{
    g_string_free(text, TRUE);
}

void vb_json_scanner_free(VbJsonScanner *scanner)
{
    if (!scanner)
        return;
    g_clear_pointer(&scanner->text, free_text);
    g_queue_clear_full(&scanner->complete, free_text);
    g_clear_error(&scanner->error);
    g_free(scanner);
}

/* A digit of a \u escape. NULL, or what is wrong with it. */
static const char *scan_unicode(VbJsonScanner *scanner, char c)
{
    if (!g_ascii_isxdigit(c))
        return "a \\u escape without four hexadecimal digits";
    scanner->unit = scanner->unit << 4 | (guint32)g_ascii_xdigit_value(c);
    if (++scanner->digits < 4)
        return NULL;

    gboolean high = scanner->unit >= 0xd800 && scanner->unit <= 0xdbff;
    gboolean low = scanner->unit >= 0xdc00 && scanner->unit <= 0xdfff;
    if (low != scanner->paired)
        return "an unpaired surrogate";
    if (scanner->unit == 0)
        return "an escaped NUL";
    scanner->paired = high;
    scanner->state = high ? LEX_LOW : LEX_STRING;
    return NULL;
}

static void begin_unicode(VbJsonScanner *scanner)
{
    scanner->digits = 0;
    scanner->unit = 0;
    scanner->state = LEX_UNICODE;
}

static const char *scan_in_string(VbJsonScanner *scanner, char c)
{
    switch (scanner->state) {
    case LEX_STRING:
        if ((guchar)c < 0x20)
            return "a control character in a string";
        if (c == '\\')
            scanner->state = LEX_ESCAPE;
        else if (c == '"') {
            scanner->token = 0;
            scanner->state = LEX_PLAIN;
        }
        return NULL;
    case LEX_ESCAPE:
        if (c == 'u')
            begin_unicode(scanner);
        else if (c != '\0' && strchr("\"\\/bfnrt", c))
            scanner->state = LEX_STRING;
        else
            return "an unknown escape";
        return NULL;
    case LEX_UNICODE:
        return scan_unicode(scanner, c);
    case LEX_LOW:
        scanner->state = LEX_LOW_U;
        return c == '\\' ? NULL : "an unpaired surrogate";
    case LEX_LOW_U:
        begin_unicode(scanner);
        return c == 'u' ? NULL : "an unpaired surrogate";
    case LEX_PLAIN:
        break;
    }
    g_assert_not_reached();
}

static const char *scan_bracket(VbJsonScanner *scanner, char c)
{
    if (c == '{' || c == '[') {
        if (scanner->depth == VB_JSON_MAX_DEPTH)
            return "it is nested too deeply";
        scanner->open[scanner->depth++] = c == '{' ? '}' : ']';
        return NULL;
    }
    if (scanner->depth == 0 || scanner->open[scanner->depth - 1] != c)
        return "unbalanced brackets";
    scanner->depth--;
    return NULL;
}

/* Outside of strings. What is no token character of JSON (comments, single quotes) is refused, so
 * that no later parser can see other strings, and thus other brackets, than this one. */
static const char *scan_plain(VbJsonScanner *scanner, char c)
{
    switch (c) {
    case '{':
    case '[':
    case '}':
    case ']':
        scanner->items++;
        scanner->token = 0;
        return scan_bracket(scanner, c);
    case '"':
        scanner->token = 0;
        scanner->state = LEX_STRING;
        break;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        scanner->token = 0;
        return NULL;
    case ',':
        scanner->items++;
        scanner->token = 0;
        break;
    case ':':
        scanner->token = 0;
        break;
    case '+':
    case '-':
    case '.':
        break;
    default:
        if (!g_ascii_isalnum(c))
            return "a character that is not JSON";
    }
    return scanner->depth > 0 ? NULL : "neither an object nor an array";
}

/* One byte. NULL, or what is wrong; *ret_ended when it completes the value. */
static const char *scan(VbJsonScanner *scanner, char c, gboolean *ret_ended)
{
    const char *wrong =
        scanner->state == LEX_PLAIN ? scan_plain(scanner, c) : scan_in_string(scanner, c);

    *ret_ended = (c == '}' || c == ']') && scanner->state == LEX_PLAIN && scanner->depth == 0;
    if (!wrong && ++scanner->token > VB_JSON_MAX_STRING + 1) /* the quote or bracket before it */
        return "it has a string or number of more than 64 KiB";
    return wrong;
}

static gboolean fail(VbJsonScanner *scanner, const char *wrong)
{
    g_clear_pointer(&scanner->text, free_text);
    g_clear_error(&scanner->error);
    scanner->error =
        g_error_new(VB_ERROR, VB_ERROR_HYPERVISOR, "Not acceptable as JSON: %s", wrong);
    return FALSE;
}

/* Appends the bytes to the value; ends it when told to. */
static gboolean take(VbJsonScanner *scanner, const char *data, gsize size, gboolean ended)
{
    if (!scanner->text)
        scanner->text = g_string_sized_new(MAX(size, 256));
    if (scanner->text->len + size + scanner->items * VB_JSON_ITEM_SIZE > VB_JSON_MAX_SIZE)
        return fail(scanner, "it is larger than 16 MiB (a bracket or comma counts as 64 bytes)");
    g_string_append_len(scanner->text, data, (gssize)size);
    if (!ended)
        return TRUE;
    if (!g_utf8_validate_len(scanner->text->str, scanner->text->len, NULL))
        return fail(scanner, "invalid UTF-8");
    g_queue_push_tail(&scanner->complete, g_steal_pointer(&scanner->text));
    scanner->items = 0;
    return TRUE;
}

static gboolean scan_all(VbJsonScanner *scanner, const char *data, gsize size)
{
    gsize begin = 0;

    for (gsize i = 0; i < size; i++) {
        gboolean outside = !vb_json_scanner_is_inside(scanner);
        gboolean ended;
        const char *wrong = scan(scanner, data[i], &ended);

        if (wrong)
            return fail(scanner, wrong);
        if (outside)
            begin = scanner->depth > 0 ? i : i + 1;
        if (ended) {
            if (!take(scanner, data + begin, i + 1 - begin, TRUE))
                return FALSE;
            begin = i + 1;
        }
    }
    return begin == size || take(scanner, data + begin, size - begin, FALSE);
}

gboolean vb_json_scanner_push(VbJsonScanner *scanner, const char *data, gsize size, GError **error)
{
    if (!scanner->error && scan_all(scanner, data, size))
        return TRUE;
    g_propagate_error(error, g_error_copy(scanner->error));
    return FALSE;
}

JsonNode *vb_json_scanner_pop(VbJsonScanner *scanner, GError **error)
{
    GString *text = g_queue_pop_head(&scanner->complete);
    JsonNode *node = NULL;

    if (text) {
        g_autoptr(JsonParser) parser = json_parser_new();
        g_autoptr(GError) local_error = NULL;

        if (json_parser_load_from_data(parser, text->str, (gssize)text->len, &local_error))
            node = json_parser_steal_root(parser);
        else {
            /* It quotes the text, and cuts it anywhere. */
            g_autofree char *wrong = g_utf8_make_valid(local_error->message, -1);
            g_queue_clear_full(&scanner->complete, free_text);
            fail(scanner, wrong);
        }
        free_text(text);
    }
    if (!node && scanner->error)
        g_propagate_error(error, g_error_copy(scanner->error));
    return node;
}

gboolean vb_json_scanner_is_inside(const VbJsonScanner *scanner)
{
    return scanner->depth > 0;
}

JsonNode *vb_json_parse(const char *data, gsize size, GError **error)
{
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();

    if (!vb_json_scanner_push(scanner, data, size, error))
        return NULL;
    if (g_queue_get_length(&scanner->complete) != 1 || vb_json_scanner_is_inside(scanner)) {
        g_set_error_literal(error, VB_ERROR, VB_ERROR_HYPERVISOR,
                            "Not acceptable as JSON: not exactly one object or array");
        return NULL;
    }
    return vb_json_scanner_pop(scanner, error);
}
