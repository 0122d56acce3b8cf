/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The waiting itself: one main loop, and one function, drive(), that compares what is known of the
 * job with what is wanted and does the next step. Every source (the reply to the start, signals of
 * the domain, the job's properties, Ctrl-C, the timeout, a daemon that came back) only records what
 * it learned and calls drive(). The first end that is known counts; what comes later changes
 * nothing.
 */
#include "block-wait.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>

#include "labels.h"

typedef struct {
    VbCli *cli;
    const VbBlockWaitArgs *args;
    const char *label;
    GMainLoop *loop;
    GCancellable *cancellable; /* of all calls; cancelled when the wait is over */
    VbBlockEnd end;
    GError *error;
    GError *refusal;    /* of a pivot or a cancel, until the job's state says what it means */
    gboolean done;      /* end or error is final */
    gboolean ready;     /* source and target are in step */
    gboolean canceling; /* the cancel for the interrupt was sent to this daemon */
    const char *asked;  /* "pivot" or "cancel" was sent to this daemon; NULL: nothing */
    guint pending;      /* calls whose callback has not come */
    gboolean absent;    /* the daemon is not on the bus */
    gboolean line_open; /* the progress line has no newline yet */
    guint64 current;    /* bytes, as last told */
    guint64 total;
    guint percent;     /* what the progress line shows */
    guint job_signals; /* subscription to the domain's BlockJob signals */
    guint job_changes; /* subscription to the job's properties */
    guint name_watch;
    gulong closed; /* signal handler of the connection */
    guint interrupt_sources[3];
} Wait;

static void refresh(Wait *wait);

static void close_line(Wait *wait)
{
    if (wait->line_open)
        fputc('\n', stderr);
    wait->line_open = FALSE;
}

static void G_GNUC_PRINTF(2, 3) note(Wait *wait, const char *format, ...)
{
    va_list arguments;

    close_line(wait);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void show_progress(Wait *wait, guint percent)
{
    if (!wait->args->verbose || (wait->line_open && percent == wait->percent))
        return;
    wait->percent = percent;
    wait->line_open = TRUE;
    fprintf(stderr, "\r%s: [%3u %%]", wait->label, percent);
    fflush(stderr);
}

/* A call whose callback decrements wait->pending. */
static void call(Wait *wait, const char *path, const char *interface, const char *method,
                 GVariant *parameters, const char *reply_type, GAsyncReadyCallback callback)
{
    wait->pending++;
    vb_cli_call_async(wait->cli, path, interface, method, parameters, reply_type, wait->cancellable,
                      callback, wait);
}

/* ---- the two ways to be over ---- */

static void stop(Wait *wait)
{
    wait->done = TRUE;
    g_main_loop_quit(wait->loop);
}

static void end_with(Wait *wait, VbBlockEndState state, const char *message, const char *reason)
{
    if (wait->done)
        return;
    wait->end.state = state;
    wait->end.message = g_strdup(message);
    wait->end.reason = g_strdup(reason);
    if (state == VB_BLOCK_END_READY || state == VB_BLOCK_END_COMPLETED)
        show_progress(wait, 100);
    stop(wait);
}

/* Takes error over. */
static void fail_with(Wait *wait, GError *error)
{
    if (wait->done) {
        g_error_free(error);
        return;
    }
    wait->error = error;
    stop(wait);
}

/* ---- asking the job to end ---- */

static void on_asked(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = vb_cli_call_finish(source, result, &error);
    Wait *wait = data;

    wait->pending--;
    /* A daemon that died over it is asked again when it is back. */
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ||
        (error != NULL && vb_cli_error_is_absence(error)))
        return;
    if (error == NULL && wait->canceling && wait->args->async) {
        end_with(wait, VB_BLOCK_END_CANCEL_REQUESTED, "", "");
        return;
    }
    /* The end's signal came before this reply; what is read now is for a refusal. */
    g_clear_error(&wait->refusal);
    wait->refusal = g_steal_pointer(&error);
    if (!wait->done)
        refresh(wait);
}

static void ask_pivot(Wait *wait)
{
    wait->asked = "pivot";
    call(wait, wait->end.job, VB_BLOCK_JOB_INTERFACE, "Pivot", g_variant_new("(a{sv})", NULL), "()",
         on_asked);
}

static void ask_cancel(Wait *wait, gboolean async)
{
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);

    if (async)
        g_variant_dict_insert(&options, "async", "b", TRUE);
    wait->asked = "cancel";
    call(wait, wait->end.job, VB_JOB_INTERFACE, "Cancel",
         g_variant_new("(@a{sv})", g_variant_dict_end(&options)), "()", on_asked);
}

/* The next step from what is known. */
static void drive(Wait *wait)
{
    if (wait->done || wait->absent || wait->end.job == NULL)
        return;
    if (wait->end.interrupt != VB_BLOCK_INTERRUPT_NONE) {
        if (!wait->canceling) {
            wait->canceling = TRUE;
            ask_cancel(wait, wait->args->async);
        }
        return;
    }
    if (!wait->ready || wait->asked != NULL)
        return;
    switch (wait->args->goal) {
    case VB_BLOCK_GOAL_COMPLETE: /* not expected, but this job would not end by itself */
    case VB_BLOCK_GOAL_READY:
        end_with(wait, VB_BLOCK_END_READY, "", "");
        break;
    case VB_BLOCK_GOAL_PIVOT:
        ask_pivot(wait);
        break;
    case VB_BLOCK_GOAL_FINISH:
        ask_cancel(wait, FALSE);
        break;
    }
}

/* ---- what is learned of the job ---- */

/* Either may come without the other: PropertiesChanged has only what changed. */
static void take_progress(Wait *wait, GVariant *properties)
{
    gboolean has_current = g_variant_lookup(properties, "Current", "t", &wait->current);
    gboolean has_total = g_variant_lookup(properties, "Total", "t", &wait->total);

    if (has_current || has_total)
        show_progress(wait, vb_label_percent(wait->current, wait->total, FALSE));
}

/* The outcome of a job whose signal we did not see, because the daemon was away or the job ended
 * before it was started for us. The properties tell less than the signal. */
static void take_result(Wait *wait, GVariant *properties)
{
    const char *result = "", *message = "";

    g_variant_lookup(properties, "Result", "&s", &result);
    g_variant_lookup(properties, "ErrorMessage", "&s", &message);
    if (g_str_equal(result, "completed")) {
        wait->end.pivoted = wait->args->goal != VB_BLOCK_GOAL_COMPLETE;
        end_with(wait, VB_BLOCK_END_COMPLETED, message, "done");
    } else if (g_str_equal(result, "canceled")) {
        wait->end.consistent = wait->ready && message[0] == '\0';
        end_with(wait, VB_BLOCK_END_CANCELED, message, "requested");
    } else {
        end_with(wait, VB_BLOCK_END_FAILED, message, "unknown");
    }
}

/* A pivot or a cancel was refused and the job lives. */
static void take_refusal(Wait *wait)
{
    g_autoptr(GError) refusal = g_steal_pointer(&wait->refusal);

    /* Somebody asked before, or we did, of the daemon that is gone: its end is what we wait for. */
    if (g_error_matches(refusal, VB_ERROR, VB_ERROR_BLOCK_JOB_ENDING) &&
        !(wait->canceling && wait->args->async)) {
        note(wait, "%s; waiting for its end", refusal->message);
        return;
    }
    g_prefix_error(&refusal, "cannot %s the job, which goes on: ", wait->asked);
    fail_with(wait, g_steal_pointer(&refusal));
}

static void on_properties(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = vb_cli_call_finish(source, result, &error);
    g_autoptr(GVariant) properties = NULL;
    const char *state = "";
    Wait *wait = data;

    wait->pending--;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || wait->done)
        return;
    if (error != NULL) {
        /* While it is away there is a watch on its name. */
        if (!vb_cli_error_is_absence(error)) {
            g_prefix_error(&error, "cannot tell what became of the job: ");
            fail_with(wait, g_steal_pointer(&error));
        }
        return;
    }
    properties = g_variant_get_child_value(reply, 0);
    g_variant_lookup(properties, "State", "&s", &state);
    if (g_str_equal(state, "concluded")) {
        take_result(wait, properties);
        return;
    }
    take_progress(wait, properties);
    if (wait->refusal != NULL)
        take_refusal(wait);
    wait->ready = wait->ready || g_str_equal(state, "ready");
    drive(wait);
}

static void refresh(Wait *wait)
{
    call(wait, wait->end.job, VB_PROPERTIES_INTERFACE, "GetAll",
         g_variant_new("(s)", VB_JOB_INTERFACE), "(a{sv})", on_properties);
}

static void on_job_signal(GDBusConnection *connection, const char *sender, const char *path,
                          const char *interface, const char *name, GVariant *parameters,
                          gpointer data)
{
    g_autoptr(GVariant) details = NULL;
    const char *job, *message, *reason = "";
    Wait *wait = data;

    if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(osssa{sv})")))
        return;
    g_variant_get(parameters, "(&o&s&s&s@a{sv})", &job, NULL, NULL, &message, &details);
    /* Before the start is answered there is no job of ours to compare with; its state is read then.
     */
    if (wait->done || g_strcmp0(job, wait->end.job) != 0)
        return;
    g_variant_lookup(details, "reason", "&s", &reason);
    g_variant_lookup(details, "pivoted", "b", &wait->end.pivoted);
    g_variant_lookup(details, "consistent", "b", &wait->end.consistent);

    if (g_str_equal(name, "BlockJobReady")) {
        wait->ready = TRUE;
        drive(wait);
    } else if (g_str_equal(name, "BlockJobCompleted")) {
        end_with(wait, VB_BLOCK_END_COMPLETED, message, reason);
    } else if (g_str_equal(name, "BlockJobFailed")) {
        end_with(wait, VB_BLOCK_END_FAILED, message, reason);
    } else if (g_str_equal(name, "BlockJobCanceled")) {
        end_with(wait, VB_BLOCK_END_CANCELED, message, reason);
    }
}

static void on_job_changed(GDBusConnection *connection, const char *sender, const char *path,
                           const char *interface, const char *name, GVariant *parameters,
                           gpointer data)
{
    g_autoptr(GVariant) changed = NULL;
    g_autofree const char **invalidated = NULL;
    Wait *wait = data;

    if (wait->done || !g_variant_is_of_type(parameters, G_VARIANT_TYPE("(sa{sv}as)")))
        return;
    g_variant_get(parameters, "(&s@a{sv}^a&s)", NULL, &changed, &invalidated);
    take_progress(wait, changed);
}

/* ---- the start, and the world around it ---- */

static void on_started(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = vb_cli_call_finish(source, result, &error);
    Wait *wait = data;

    wait->pending--;
    if (reply == NULL) {
        fail_with(wait, g_steal_pointer(&error));
        return;
    }
    g_variant_get(reply, "(o)", &wait->end.job);
    if (wait->args->verbose)
        wait->job_changes = g_dbus_connection_signal_subscribe(
            wait->cli->connection, VB_BUS_NAME, VB_PROPERTIES_INTERFACE, "PropertiesChanged",
            wait->end.job, VB_JOB_INTERFACE, G_DBUS_SIGNAL_FLAGS_NONE, on_job_changed, wait, NULL);
    refresh(wait);
}

static void interrupt(Wait *wait, VbBlockInterrupt interrupt)
{
    if (wait->end.interrupt == VB_BLOCK_INTERRUPT_NONE)
        wait->end.interrupt = interrupt;
    drive(wait);
}

static gboolean on_unix_signal(gpointer data)
{
    Wait *wait = data;

    /* The second one kills: so it must before anybody hears of the first. GLib gives the default
     * action back only when this source has returned. */
    for (gsize i = 0; i < 2; i++)
        g_clear_handle_id(&wait->interrupt_sources[i], g_source_remove);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    note(wait, "Canceling the job; interrupt again to leave it alone");
    interrupt(wait, VB_BLOCK_INTERRUPT_SIGNAL);
    return G_SOURCE_REMOVE;
}

static gboolean on_timeout(gpointer data)
{
    Wait *wait = data;

    wait->interrupt_sources[2] = 0;
    interrupt(wait, VB_BLOCK_INTERRUPT_TIMEOUT);
    return G_SOURCE_REMOVE;
}

static void on_closed(GDBusConnection *connection, gboolean remote_peer_vanished, GError *error,
                      gpointer data)
{
    fail_with(data, g_error_new_literal(VB_ERROR, VB_ERROR_FAILED,
                                        "the bus is gone, and with it the job's outcome"));
}

static void on_name_vanished(GDBusConnection *connection, const char *name, gpointer data)
{
    Wait *wait = data;

    if (wait->done)
        return;
    wait->absent = TRUE;
    if (wait->end.job != NULL)
        note(wait, "virtbusd left the bus; waiting for it to come back");
}

static void on_name_appeared(GDBusConnection *connection, const char *name, const char *owner,
                             gpointer data)
{
    Wait *wait = data;

    if (!wait->absent)
        return;
    /* The job stays readable over a restart. A pivot or cancel that was on its way may have died
     * with the old daemon: the new one refuses a second, and that is noted, not taken for an end.
     */
    wait->absent = FALSE;
    wait->asked = NULL;
    wait->canceling = FALSE;
    if (wait->end.job != NULL)
        refresh(wait);
}

static void watch_world(Wait *wait, const VbBlockStart *start)
{
    GDBusConnection *connection = wait->cli->connection;

    wait->job_signals = g_dbus_connection_signal_subscribe(
        connection, VB_BUS_NAME, VB_DOMAIN_BLOCK_INTERFACE, NULL, start->domain, NULL,
        G_DBUS_SIGNAL_FLAGS_NONE, on_job_signal, wait, NULL);
    /* Before the watch, to which a closed connection is a name that vanished. */
    wait->closed = g_signal_connect(connection, "closed", G_CALLBACK(on_closed), wait);
    wait->name_watch =
        g_bus_watch_name_on_connection(connection, VB_BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                       on_name_appeared, on_name_vanished, wait, NULL);
    wait->interrupt_sources[0] = g_unix_signal_add(SIGINT, on_unix_signal, wait);
    wait->interrupt_sources[1] = g_unix_signal_add(SIGTERM, on_unix_signal, wait);
    if (wait->args->timeout > 0)
        wait->interrupt_sources[2] = g_timeout_add_seconds(wait->args->timeout, on_timeout, wait);
}

static void unwatch_world(Wait *wait)
{
    GDBusConnection *connection = wait->cli->connection;

    g_dbus_connection_signal_unsubscribe(connection, wait->job_signals);
    if (wait->job_changes != 0)
        g_dbus_connection_signal_unsubscribe(connection, wait->job_changes);
    g_bus_unwatch_name(wait->name_watch);
    g_signal_handler_disconnect(connection, wait->closed);
    for (gsize i = 0; i < G_N_ELEMENTS(wait->interrupt_sources); i++)
        g_clear_handle_id(&wait->interrupt_sources[i], g_source_remove);
}

gboolean vb_block_wait_run(VbCli *cli, const VbBlockStart *start, const VbBlockWaitArgs *args,
                           VbBlockEnd *ret_end, GError **error)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Wait wait = {
        .cli = cli,
        .args = args,
        .label = start->label,
        .loop = loop,
        .cancellable = cancellable,
    };

    watch_world(&wait, start);
    call(&wait, start->domain, VB_DOMAIN_BLOCK_INTERFACE, start->method, start->parameters, "(o)",
         on_started);
    g_main_loop_run(loop);

    unwatch_world(&wait);
    g_cancellable_cancel(cancellable);
    while (wait.pending > 0)
        g_main_context_iteration(NULL, TRUE);
    close_line(&wait);
    g_clear_error(&wait.refusal);
    if (wait.error != NULL) {
        vb_block_end_clear(&wait.end);
        g_propagate_error(error, wait.error);
        return FALSE;
    }
    *ret_end = wait.end;
    return TRUE;
}
