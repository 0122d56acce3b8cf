/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusd: the command line, the signals, the exit code. daemon.c wires what it runs. */
#include <glib-unix.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "config.h"
#include "daemon.h"
#include "logger.h"

#define EXIT_USAGE 2

typedef struct {
    gboolean system, session, debug, version;
    char *address;
    char *root; /* made absolute */
} CommandLine;

static gboolean usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean usage_error(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *error = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_FAILED, format, args);
    va_end(args);
    return FALSE;
}

static gboolean parse(int *argc, char ***argv, CommandLine *line, GError **error)
{
    const GOptionEntry entries[] = {
        {"system", 0, 0, G_OPTION_ARG_NONE, &line->system,
         "Serve the system bus by the system's rules (the default)", NULL},
        {"session", 0, 0, G_OPTION_ARG_NONE, &line->session, "Serve a user's session bus", NULL},
        {"address", 0, 0, G_OPTION_ARG_STRING, &line->address,
         "Connect to the bus at this address; changes nothing else", "ADDRESS"},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &line->root,
         "Keep all state, runtime files and configuration below this directory", "DIR"},
        {"debug", 0, 0, G_OPTION_ARG_NONE, &line->debug, "Log debug messages too", NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &line->version, "Print the version and exit", NULL},
        {NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new("- manage virtual machines on D-Bus");
    g_autofree char *root = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1)
        return usage_error(error, "unexpected argument '%s'", (*argv)[1]);
    if (line->system && line->session)
        return usage_error(error, "--system and --session exclude each other");
    if (line->address != NULL && *line->address == '\0')
        return usage_error(error, "--address is empty");
    if (line->root != NULL && *line->root == '\0')
        return usage_error(error, "--root is empty");
    root = g_steal_pointer(&line->root);
    line->root = root != NULL ? g_canonicalize_filename(root, NULL) : NULL;
    return TRUE;
}

typedef struct {
    VbDaemon *daemon;
    GMainLoop *loop;
    int exit_code;
} Run;

static gboolean on_stop_signal(gpointer data)
{
    Run *run = data;

    vb_daemon_stop(run->daemon);
    return G_SOURCE_CONTINUE;
}

/* What asks for it at an unfit moment is lost: not to be ended by it is what matters then. */
static gboolean on_reload_signal(gpointer data)
{
    Run *run = data;

    vb_daemon_reload(run->daemon);
    return G_SOURCE_CONTINUE;
}

static void on_ended(const GError *error, gpointer data)
{
    Run *run = data;

    if (error != NULL) {
        g_printerr("virtbusd: %s\n", error->message);
        run->exit_code = EXIT_FAILURE;
    }
    g_main_loop_quit(run->loop);
}

/* A daemon that lives for months gives back what a moment took: all threads share one heap (only
 * the main one allocates much), and what is large, as a reply about everything, is mapped, however
 * often it is made. */
static void tune_malloc(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

static gboolean on_watchdog(gpointer data)
{
    sd_notify(FALSE, "WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

/* From the main loop, so that it says what matters: that the loop turns. 0: nobody wants it. */
static guint feed_watchdog(void)
{
    guint64 usec;

    return sd_watchdog_enabled(FALSE, &usec) > 0
               ? g_timeout_add((guint)MIN(usec / 3000, G_MAXUINT), on_watchdog, NULL)
               : 0;
}

static int run_daemon(const CommandLine *line)
{
    const VbDaemonOptions options = {line->session, line->address, line->root};
    Run run = {.exit_code = EXIT_SUCCESS};
    g_autoptr(GError) error = NULL;
    guint term, interrupt, hangup, watchdog;

    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    vb_logger_init(line->debug);
    run.loop = g_main_loop_new(NULL, FALSE);
    term = g_unix_signal_add(SIGTERM, on_stop_signal, &run);
    interrupt = g_unix_signal_add(SIGINT, on_stop_signal, &run);
    hangup = g_unix_signal_add(SIGHUP, on_reload_signal, &run);
    watchdog = feed_watchdog();
    run.daemon = vb_daemon_start(&options, on_ended, &run, &error);
    if (run.daemon != NULL)
        g_main_loop_run(run.loop);
    else
        on_ended(error, &run);
    sd_notify(FALSE, "STOPPING=1");
    vb_daemon_free(run.daemon);
    g_source_remove(term);
    g_source_remove(interrupt);
    g_source_remove(hangup);
    g_clear_handle_id(&watchdog, g_source_remove);
    g_main_loop_unref(run.loop);
    return run.exit_code;
}

int main(int argc, char **argv)
{
    CommandLine line = {0};
    g_autoptr(GError) error = NULL;
    int exit_code = EXIT_SUCCESS;

    tune_malloc();
    if (!parse(&argc, &argv, &line, &error)) {
        g_printerr("virtbusd: %s\nTry 'virtbusd --help'.\n", error->message);
        exit_code = EXIT_USAGE;
    } else if (line.version) {
        g_print("virtbusd %s\n", VB_VERSION);
    } else {
        exit_code = run_daemon(&line);
    }
    g_free(line.address);
    g_free(line.root);
    return exit_code;
}
