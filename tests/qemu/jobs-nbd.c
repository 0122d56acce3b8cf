/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Jobs over NBD, where the other end may be slow, may stop, may die: nbdkit plays it. */
#include "jobs-fixture.h"

#include "error.h"

#include <signal.h>
#include <string.h>

#define SLOW (256 * 1024)

/* An nbdkit on the socket "nbd" of the directory; dies with the test, whatever ends it. */
static GSubprocess *serve(JobsFixture *fixture, const char *what)
{
    g_autofree char *socket = jobs_path(fixture, "nbd");
    g_autofree char *pid_file = jobs_path(fixture, "nbd.pid");
    g_autofree char *command = g_strdup_printf("nbdkit --foreground --exit-with-parent --unix '%s' "
                                               "--pidfile '%s' %s",
                                               socket, pid_file, what);
    g_auto(GStrv) argv = NULL;
    g_autoptr(GError) error = NULL;

    g_shell_parse_argv(command, NULL, &argv, &error);
    g_assert_no_error(error);
    GSubprocess *server =
        g_subprocess_newv((const char *const *)argv, G_SUBPROCESS_FLAGS_NONE, &error);
    g_assert_no_error(error);
    /* The file is written once the socket is listened on: each turn is at most 10 ms. */
    guint tick = g_timeout_add(10, G_SOURCE_FUNC(gtk_tick), NULL);
    VB_WAIT_FOR(jobs_exists(fixture, "nbd.pid"));
    g_source_remove(tick);
    return server;
}

static void serve_end(GSubprocess *server)
{
    g_subprocess_send_signal(server, SIGKILL);
    g_subprocess_wait(server, NULL, NULL);
    g_object_unref(server);
}
