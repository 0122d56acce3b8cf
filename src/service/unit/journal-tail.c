/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * First the journal is asked to read what is on its way to it, which only root may; then it is
 * asked for the lines. See journal-tail.h. */
#include "journal-tail.h"

#include <string.h>

#include "launcher.h"
#include "log.h"

#define LINES "--lines=3"

/* The newest line comes first: with --since, --lines=3 would else be the first three. */
static char *turn_round(const char *bytes, gsize size)
{
    g_autofree char *text = g_utf8_make_valid(bytes != NULL ? bytes : "", (gssize)size);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    GString *turned = g_string_new(NULL);

    for (guint i = g_strv_length(lines); i > 0; i--)
        g_string_append_printf(turned, "%s\n", lines[i - 1]);
    return g_string_free(turned, FALSE);
}

static void on_lines(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    g_autoptr(GBytes) output = NULL;
    g_autoptr(GError) error = NULL;
    gsize size = 0;

    if (!g_subprocess_communicate_finish(G_SUBPROCESS(source), result, &output, NULL, &error))
        vb_log_debug(NULL, NULL, "journalctl: %s", error->message);
    const char *bytes = output != NULL ? g_bytes_get_data(output, &size) : NULL;
    g_autofree char *text = turn_round(bytes, size);
    g_task_return_pointer(task, vb_last_words_format(text, strlen(text)), g_free);
}

static void read_lines(GTask *task)
{
    const char *const *argv = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) journalctl = g_subprocess_newv(
        argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);

    if (journalctl == NULL) {
        vb_log_debug(NULL, NULL, "journalctl: %s", error->message);
        g_task_return_pointer(task, g_strdup(""), g_free);
        g_object_unref(task);
        return;
    }
    g_subprocess_communicate_async(journalctl, NULL, NULL, on_lines, task);
}

static void on_synchronized(GObject *source, GAsyncResult *result, gpointer data)
{
    g_subprocess_wait_finish(G_SUBPROCESS(source), result, NULL);
    read_lines(data);
}

static GStrv make_command(const char *unit, gint64 since, gboolean session)
{
    g_autoptr(GStrvBuilder) argv = g_strv_builder_new();
    g_autofree char *unit_match =
        g_strdup_printf("%s=%s", session ? "_SYSTEMD_USER_UNIT" : "_SYSTEMD_UNIT", unit);
    g_autofree char *since_option =
        g_strdup_printf("--since=@%" G_GINT64_FORMAT ".%06" G_GINT64_FORMAT, since / G_USEC_PER_SEC,
                        since % G_USEC_PER_SEC);

    g_strv_builder_add_many(argv, "journalctl", "--quiet", "--no-pager", "--output=cat",
                            "--reverse", LINES, since_option, "_TRANSPORT=stdout", unit_match,
                            NULL);
    return g_strv_builder_end(argv);
}

void vb_journal_tail_async(const char *unit, gint64 since, gboolean session,
                           GAsyncReadyCallback callback, gpointer data)
{
    GTask *task = g_task_new(NULL, NULL, callback, data);

    g_task_set_task_data(task, make_command(unit, since, session), (GDestroyNotify)g_strfreev);
    g_autoptr(GSubprocess) synchronize =
        session ? NULL
                : g_subprocess_new(
                      G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL,
                      "journalctl", "--sync", NULL);

    if (synchronize != NULL)
        g_subprocess_wait_async(synchronize, NULL, on_synchronized, task);
    else
        read_lines(task);
}
