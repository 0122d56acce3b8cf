/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The writer. GLib calls it from any thread; each message is one write to stderr, or one datagram
 * to the journal. */
#include "logger.h"

#include <string.h>
#include <unistd.h>

#include "log.h"

static gboolean logger_debug;
static gboolean logger_journal;

static const char *level_name(GLogLevelFlags level)
{
    switch (level & G_LOG_LEVEL_MASK) {
    case G_LOG_LEVEL_ERROR:
        return "error";
    case G_LOG_LEVEL_CRITICAL:
        return "critical";
    case G_LOG_LEVEL_WARNING:
    case VB_LOG_LEVEL_WARNING:
        return "warning";
    case G_LOG_LEVEL_INFO:
        return "info";
    default:
        return "debug";
    }
}

static const char *field_value(const GLogField *field)
{
    return field->length < 0 ? field->value : NULL; /* ours are strings; binary ones are skipped */
}

static const char *find_field(const GLogField *fields, gsize n_fields, const char *key)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (strcmp(fields[i].key, key) == 0)
            return field_value(&fields[i]);
    }
    return NULL;
}

static void append_escaped(GString *line, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    for (const char *c = valid; *c != '\0'; c++) {
        if ((guchar)*c < 0x20 || *c == 0x7f)
            g_string_append_printf(line, "\\x%02x", (guchar)*c);
        else
            g_string_append_c(line, *c);
    }
}

static void append_field(GString *line, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    g_string_append_printf(line, " %s=", name);
    append_escaped(line, value);
}

char *vb_logger_format(GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    const char *message = find_field(fields, n_fields, "MESSAGE");
    GString *line = g_string_new("virtbusd: ");

    g_string_append_printf(line, "%s: ", level_name(level));
    append_escaped(line, message != NULL ? message : "");
    append_field(line, "domain", find_field(fields, n_fields, VB_LOG_FIELD_DOMAIN));
    append_field(line, "job", find_field(fields, n_fields, VB_LOG_FIELD_JOB));
    g_string_append_c(line, '\n');
    return g_string_free(line, FALSE);
}

/* Our warnings come at GLib's level "message": the journal shall know them as warnings. Empty
 * fields stay out of it. */
static GLogWriterOutput write_journal(GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    g_autofree GLogField *kept = g_new(GLogField, n_fields);
    gsize n_kept = 0;

    for (gsize i = 0; i < n_fields; i++) {
        const char *value = field_value(&fields[i]);

        if (value != NULL && *value == '\0')
            continue;
        kept[n_kept] = fields[i];
        if (level & VB_LOG_LEVEL_WARNING && strcmp(fields[i].key, "PRIORITY") == 0)
            kept[n_kept].value = "4";
        n_kept++;
    }
    return g_log_writer_journald(level, kept, n_kept, NULL);
}

static void write_stderr(const char *line)
{
    gsize length = strlen(line);

    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);

        if (written < 0)
            return; /* there is nobody to tell */
        line += written;
        length -= written;
    }
}

static GLogWriterOutput logger_write(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                     gpointer data)
{
    g_autofree char *line = NULL;

    if ((level & G_LOG_LEVEL_DEBUG) && !logger_debug)
        return G_LOG_WRITER_HANDLED;
    if (logger_journal && write_journal(level, fields, n_fields) == G_LOG_WRITER_HANDLED)
        return G_LOG_WRITER_HANDLED;
    line = vb_logger_format(level, fields, n_fields);
    write_stderr(line);
    return G_LOG_WRITER_HANDLED;
}

void vb_logger_init(gboolean debug)
{
    logger_debug = debug;
    logger_journal = g_log_writer_is_journald(STDERR_FILENO);
    g_log_set_writer_func(logger_write, NULL, NULL);
}
