/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbTranscript: a recorded exchange with a QEMU monitor, as in tests/data/qemu-7.2. A line is
 *
 *     0.165 [re] -> {"execute": …}
 *
 * seconds since the start; in brackets another connection than the first one; "->" for what was
 * sent to QEMU and "<-" for what came from it. "<- (EOF…" is the end of the connection, "##" begins
 * a comment. A file holds one exchange. Read by the scripted peer.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

typedef enum {
    VB_LINE_COMMAND, /* "->" */
    VB_LINE_MESSAGE, /* "<-", a reply or an event */
    VB_LINE_EOF,
} VbLineKind;

typedef struct {
    VbLineKind kind;
    double seconds;
    char *connection;    /* "", "re", "mon2" */
    JsonObject *message; /* NULL for VB_LINE_EOF */
} VbLine;

typedef struct {
    char *name;       /* the file's, without its suffix */
    GPtrArray *lines; /* VbLine */
} VbTranscript;

/* NULL with an error that names the file and the line when it cannot be read. */
VbTranscript *vb_transcript_load(const char *path, GError **error);
VbTranscript *vb_transcript_parse(const char *name, const char *text, GError **error);
void vb_transcript_free(VbTranscript *transcript);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbTranscript, vb_transcript_free)
