/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Processes of the stacks, and their /proc. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void perf_fail(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_printerr("bench: %s\n", text);
    exit(1);
}

pid_t perf_process_spawn(const char *const *argv, const char *const *env, const char *log)
{
    g_auto(GStrv) environment = g_get_environ();
    pid_t pid;

    for (guint i = 0; env != NULL && env[i] != NULL; i++) {
        g_auto(GStrv) pair = g_strsplit(env[i], "=", 2);
        environment = g_environ_setenv(environment, pair[0], pair[1], TRUE);
    }
    pid = fork();
    if (pid < 0)
        perf_fail("fork: %s", g_strerror(errno));
    if (pid == 0) {
        int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setsid();
        if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
            _exit(126);
        close_range(3, ~0u, 0);
        execvpe(argv[0], (char *const *)argv, environment);
        _exit(127);
    }
    return pid;
}

gboolean perf_process_pause(pid_t pid, guint milliseconds)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int n;

    if (fd < 0)
        return TRUE;
    n = poll(&wait, 1, (int)milliseconds);
    close(fd);
    return n > 0;
}

void perf_process_end(pid_t pid, int number)
{
    kill(pid, number);
    if (!perf_process_pause(pid, 30000)) {
        g_printerr("process %d does not end by signal %d: it is killed\n", pid, number);
        kill(pid, SIGKILL);
    }
    waitpid(pid, NULL, 0);
}

static char *read_proc(pid_t pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
    g_autoptr(GError) error = NULL;
    char *text;

    if (!g_file_get_contents(path, &text, NULL, &error))
        perf_fail("%s", error->message);
    return text;
}

double perf_process_cpu(pid_t pid)
{
    g_autofree char *text = read_proc(pid, "stat");
    const char *after = strrchr(text, ')');
    unsigned long long user, sys, child_user, child_sys;

    /* Fields 14 to 17; the second one, in parentheses, may hold anything. */
    if (after == NULL ||
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu", &user,
               &sys, &child_user, &child_sys) != 4)
        perf_fail("/proc/%d/stat: not understood", pid);
    return (double)(user + sys + child_user + child_sys) / (double)sysconf(_SC_CLK_TCK);
}

static guint64 rollup_field(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    if (at == NULL)
        perf_fail("smaps_rollup has no %s", name);
    return g_ascii_strtoull(at + strlen(name), NULL, 10);
}

PerfMemory perf_process_memory(pid_t pid)
{
    g_autofree char *text = read_proc(pid, "smaps_rollup");

    return (PerfMemory){
        .pss = rollup_field(text, "\nPss:"),
        .private_dirty = rollup_field(text, "\nPrivate_Dirty:"),
        .rss = rollup_field(text, "\nRss:"),
    };
}

guint perf_process_fds(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint n = 0;

    while (dir != NULL && g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

GArray *perf_process_find(const char *command)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(pid_t));
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_strdup_printf("/proc/%s/comm", name), *comm = NULL;
        pid_t pid = (pid_t)g_ascii_strtoll(name, NULL, 10);

        if (pid <= 0 || !g_file_get_contents(path, &comm, NULL, NULL))
            continue;
        if (g_str_equal(g_strchomp(comm), command))
            g_array_append_val(found, pid);
    }
    return found;
}

static double now(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

double perf_now(void)
{
    return now(CLOCK_MONOTONIC);
}

double perf_real_now(void)
{
    return now(CLOCK_REALTIME);
}
