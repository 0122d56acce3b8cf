/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading recorded exchanges, strictly: a line that is not understood is an error. */
#include "transcript.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json-get.h"
#include "json-limits.h"

static void line_free(gpointer data)
{
    VbLine *line = data;

    g_free(line->connection);
    g_clear_pointer(&line->message, json_object_unref);
    g_free(line);
}

void vb_transcript_free(VbTranscript *transcript)
{
    if (!transcript)
        return;
    g_free(transcript->name);
    g_ptr_array_unref(transcript->lines);
    g_free(transcript);
}

/* Skips blanks and then `word`; FALSE when something else stands there. */
static gboolean skip(const char **at, const char *word)
{
    const char *next = *at + strspn(*at, " ");

    if (!g_str_has_prefix(next, word))
        return FALSE;
    *at = next + strlen(word);
    return TRUE;
}

/* A line other than a comment; NULL when it is not understood. */
static VbLine *parse_line(const char *at, double seconds, GError **error)
{
    g_autofree char *connection = g_strdup("");
    g_autoptr(JsonNode) node = NULL;
    VbLine *line;
    VbLineKind kind;

    if (skip(&at, "[")) {
        gsize length = strcspn(at, "]");
        g_free(connection);
        connection = g_strndup(at, length);
        at += length;
        skip(&at, "]");
    }
    if (skip(&at, "->"))
        kind = VB_LINE_COMMAND;
    else if (skip(&at, "<- (EOF"))
        kind = VB_LINE_EOF;
    else if (skip(&at, "<-"))
        kind = VB_LINE_MESSAGE;
    else
        return NULL;
    if (kind != VB_LINE_EOF && !(node = vb_json_parse(at, strlen(at), error)))
        return NULL;
    if (node && !vb_json_node_object(node))
        return NULL;

    line = g_new0(VbLine, 1);
    line->kind = kind;
    line->seconds = seconds;
    line->connection = g_steal_pointer(&connection);
    line->message = node ? json_node_dup_object(node) : NULL;
    return line;
}

VbTranscript *vb_transcript_parse(const char *name, const char *text, GError **error)
{
    g_autoptr(VbTranscript) transcript = g_new0(VbTranscript, 1);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    transcript->name = g_strdup(name);
    transcript->lines = g_ptr_array_new_with_free_func(line_free);
    for (guint i = 0; lines[i]; i++) {
        g_autoptr(GError) local_error = NULL;
        const char *at = lines[i] + strspn(lines[i], " ");
        char *end;
        double seconds = g_ascii_strtod(at, &end);
        gboolean timed = end != at;
        VbLine *line;

        at = timed ? end : at;
        if (*at == '\0' || g_str_has_prefix(at + strspn(at, " "), "##"))
            continue;
        line = timed ? parse_line(at, seconds, &local_error) : NULL;
        if (!line) {
            g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "%s: line %u: %s", name, i + 1,
                        local_error ? local_error->message : "not a line of a transcript");
            return NULL;
        }
        g_ptr_array_add(transcript->lines, line);
    }
    return g_steal_pointer(&transcript);
}

VbTranscript *vb_transcript_load(const char *path, GError **error)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    if (g_str_has_suffix(name, ".txt"))
        name[strlen(name) - strlen(".txt")] = '\0';
    return vb_transcript_parse(name, text, error);
}
