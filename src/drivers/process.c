/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Processes by pidfd. A pidfd becomes readable when all threads of its process have ended; if the
 * process is our child it is reaped then, without waiting. */
#include "process.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "error.h"
#include "fd.h"

typedef struct {
    VbProcess *process;
    VbProcessEnded ended;
    gpointer user_data;
} Watch;

/* Field 3 (state) and field 22 (start time) of /proc/<pid>/stat. The second field is the program's
 * name in parentheses and may itself hold anything, so what follows its last ')' is counted. */
static gboolean read_stat(pid_t pid, char *ret_state, guint64 *ret_start_time)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return FALSE;

    const char *rest = strrchr(text, ')');
    if (!rest || rest[1] != ' ')
        return FALSE;
    g_auto(GStrv) fields = g_strsplit(rest + 2, " ", 21);
    if (g_strv_length(fields) < 21)
        return FALSE;
    *ret_state = fields[0][0];
    return g_ascii_string_to_unsigned(fields[19], 10, 0, G_MAXUINT64, ret_start_time, NULL);
}

static VbProcess *process_new(pid_t pid, int pidfd, guint64 start_time)
{
    VbProcess *process = g_new0(VbProcess, 1);
    process->pid = pid;
    process->pidfd = pidfd;
    process->start_time = start_time;
    return process;
}

VbProcess *vb_process_new(pid_t pid, GError **error)
{
    vb_autofd int pidfd = pidfd_open(pid, 0);
    char state;
    guint64 start_time;
    if (pidfd < 0 || !read_stat(pid, &state, &start_time)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "Cannot take hold of process %d: %s",
                    (int)pid, g_strerror(errno));
        return NULL;
    }
    return process_new(pid, vb_steal_fd(&pidfd), start_time);
}

/* Reaps the process if it is our child and has ended, and says how it ended. */
static char *reap(int pidfd)
{
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
        return g_strdup("");
    if (info.si_code == CLD_EXITED)
        return g_strdup_printf("exit status %d", info.si_status);
    return g_strdup_printf("killed by signal %d (%s)", info.si_status, g_strsignal(info.si_status));
}

VbProcess *vb_process_find(pid_t pid, guint64 start_time, GError **error)
{
    /* First the descriptor, then the look: what is found is what is held. */
    vb_autofd int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    char state;
    guint64 found;
    if (pidfd < 0 || !read_stat(pid, &state, &found) || found != start_time) {
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "Process %d has ended", (int)pid);
        return NULL;
    }
    if (state == 'Z' || state == 'X') {
        g_autofree char *how = reap(pidfd);
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "Process %d has ended%s%s",
                    (int)pid, *how ? ": " : "", how);
        return NULL;
    }
    return process_new(pid, vb_steal_fd(&pidfd), start_time);
}

void vb_process_free(VbProcess *process)
{
    if (!process)
        return;
    if (process->watch) {
        g_source_destroy(process->watch);
        g_source_unref(process->watch);
    }
    vb_clear_fd(&process->pidfd);
    g_free(process);
}

static gboolean on_pidfd(int fd, GIOCondition condition, gpointer data)
{
    Watch *watch = data;
    g_autofree char *how = reap(fd);
    watch->ended(watch->process, how, watch->user_data);
    return G_SOURCE_REMOVE;
}

void vb_process_watch(VbProcess *process, VbProcessEnded ended, gpointer user_data)
{
    Watch *watch = g_new(Watch, 1);
    *watch = (Watch){process, ended, user_data};

    g_assert(!process->watch);
    process->watch = g_unix_fd_source_new(process->pidfd, G_IO_IN);
    g_source_set_callback(process->watch, G_SOURCE_FUNC(on_pidfd), watch, g_free);
    g_source_attach(process->watch, g_main_context_get_thread_default());
}

void vb_process_kill(VbProcess *process, int signal_number)
{
    pidfd_send_signal(process->pidfd, signal_number, NULL, 0);
}
