/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading documents from files and from stdin. */
#include "input.h"

#include <errno.h>
#include <unistd.h>

#include "error.h"

/* Beyond what the bus takes in one message, so that a wrong file does not fill the memory first. */
#define MAX_LENGTH (32u << 20)

static gboolean read_stdin(GString *text, GError **error)
{
    char buffer[65536];
    gssize length;

    do {
        length = read(STDIN_FILENO, buffer, sizeof(buffer));
        if (length > 0)
            g_string_append_len(text, buffer, length);
        if (length < 0 && errno != EINTR) {
            g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "cannot read standard input: %s",
                        g_strerror(errno));
            return FALSE;
        }
    } while (length != 0 && text->len <= MAX_LENGTH);
    return TRUE;
}

char *vb_input_read(const char *file, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    gboolean is_stdin = g_str_equal(file, "-");

    if (is_stdin) {
        if (!read_stdin(text, error))
            return NULL;
    } else {
        g_autoptr(GError) local_error = NULL;
        g_autofree char *contents = NULL;
        gsize length;

        if (!g_file_get_contents(file, &contents, &length, &local_error)) {
            g_set_error_literal(error, VB_ERROR, VB_ERROR_FAILED, local_error->message);
            return NULL;
        }
        g_string_append_len(text, contents, (gssize)length);
    }

    if (text->len > MAX_LENGTH || !g_utf8_validate(text->str, (gssize)text->len, NULL)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "%s is %s",
                    is_stdin ? "standard input" : file,
                    text->len > MAX_LENGTH ? "too large" : "not UTF-8 text");
        return NULL;
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
