/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests that run, and bare QEMUs. */
#include "guests.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU "/usr/bin/qemu-system-x86_64"
#define QEMU_COMM "qemu-system-x86"

/* ---- definitions ---- */

static void make_image(const char *path)
{
    const char *argv[] = {"qemu-img", "create", "-q", "-f", "qcow2", path, "64M", NULL};
    g_autoptr(GError) error = NULL;

    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                      &error))
        perf_fail("%s", error->message);
}

static char *monitor_path(PerfStack *stack, const PerfDomain *domain)
{
    return g_strdup_printf("%s/monitors/%s", stack->dir, domain->name);
}

/* QEMU with a second monitor; without one when it is asked for its capabilities. */
static char *make_emulator(PerfStack *stack)
{
    g_autofree char *monitors = g_build_filename(stack->dir, "monitors", NULL);
    char *path = g_build_filename(stack->dir, "emulator", NULL);
    g_autofree char *script =
        g_strdup_printf("#!/bin/sh\n"
                        "for arg; do\n"
                        "    case $arg in\n"
                        "    guest=perf-*)\n"
                        "        name=${arg#guest=}\n"
                        "        exec %s \"$@\" -qmp unix:%s/${name%%%%,*},server=on,wait=off ;;\n"
                        "    esac\n"
                        "done\n"
                        "exec %s \"$@\"\n",
                        QEMU, monitors, QEMU);
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents_full(path, script, -1, G_FILE_SET_CONTENTS_NONE, 0755, &error))
        perf_fail("%s", error->message);
    g_mkdir_with_parents(monitors, 0777);
    chmod(monitors, 0777); /* QEMU is not who we are */
    return path;
}

void perf_guests_define(PerfStack *stack, guint n, guint memory_mib, gboolean with_monitor)
{
    PerfSite site = stack->site;
    g_autofree char *emulator = with_monitor ? make_emulator(stack) : NULL;

    if (emulator != NULL)
        stack->site.emulator = emulator;
    stack->site.memory_mib = memory_mib;
    for (guint i = 0; i < n; i++) {
        PerfDomain domain = perf_domain(PERF_GUEST(i));

        for (const char *disk = "ab"; *disk != '\0'; disk++) {
            g_autofree char *image = perf_domain_image(&domain, &stack->site, *disk);
            make_image(image);
        }
        perf_call(stack, PERF_DEFINE, PERF_GUEST(i));
    }
    stack->site = site;
}

void perf_guests_undefine(PerfStack *stack, guint n)
{
    for (guint i = 0; i < n; i++) {
        PerfDomain domain = perf_domain(PERF_GUEST(i));
        g_autofree char *monitor = monitor_path(stack, &domain);

        perf_call(stack, PERF_UNDEFINE, PERF_GUEST(i));
        for (const char *disk = "ab"; *disk != '\0'; disk++) {
            g_autofree char *image = perf_domain_image(&domain, &stack->site, *disk);
            unlink(image);
        }
        unlink(monitor);
    }
}

static char *read_command(pid_t pid, gsize *ret_size)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
    char *text = NULL;

    if (!g_file_get_contents(path, &text, ret_size, NULL))
        return NULL;
    return text;
}

/* 0: it does not run. */
static pid_t find_guest(const PerfDomain *domain)
{
    g_autoptr(GArray) pids = perf_process_find(QEMU_COMM);

    for (guint i = 0; i < pids->len; i++) {
        pid_t pid = g_array_index(pids, pid_t, i);
        gsize size;
        g_autofree char *command = read_command(pid, &size);

        if (command != NULL && memmem(command, size, domain->name, strlen(domain->name)) != NULL)
            return pid;
    }
    return 0;
}

pid_t perf_guest_pid(guint n)
{
    PerfDomain domain = perf_domain(PERF_GUEST(n));
    pid_t pid = find_guest(&domain);

    if (pid == 0)
        perf_fail("guest %s does not run", domain.name);
    return pid;
}

guint perf_guests_running(guint n)
{
    guint running = 0;

    for (guint i = 0; i < n; i++) {
        PerfDomain domain = perf_domain(PERF_GUEST(i));
        running += find_guest(&domain) != 0;
    }
    return running;
}

PerfQmp *perf_guest_monitor(PerfStack *stack, guint n)
{
    PerfDomain domain = perf_domain(PERF_GUEST(n));
    g_autofree char *path = monitor_path(stack, &domain);

    return perf_qmp_new(path);
}

void perf_guest_touch(PerfQmp *monitor)
{
    perf_qmp_command(monitor, "{\"execute\": \"qom-set\", \"arguments\": {\"path\": "
                              "\"/objects/pc.ram\", \"property\": \"prealloc\", \"value\": true}}");
}

/* ---- bare QEMUs ---- */

struct PerfBare {
    GPtrArray *commands; /* of GStrv */
    GPtrArray *sockets;  /* paths, of their monitors */
    GArray *pids;        /* that run */
};

PerfBare *perf_bare_new(PerfStack *stack, guint n)
{
    PerfBare *bare = g_new0(PerfBare, 1);

    bare->commands = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    bare->sockets = g_ptr_array_new_with_free_func(g_free);
    bare->pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
    for (guint i = 0; i < n; i++) {
        gsize size = 0;
        g_autofree char *command = read_command(perf_guest_pid(i), &size);
        g_autoptr(GStrvBuilder) argv = g_strv_builder_new();

        for (const char *arg = command; arg < command + size; arg += strlen(arg) + 1)
            g_strv_builder_add(argv, arg);
        g_ptr_array_add(bare->commands, g_strv_builder_end(argv));
        g_ptr_array_add(bare->sockets, g_strdup_printf("%s/bare-%u", stack->dir, i));
    }
    return bare;
}

void perf_bare_free(PerfBare *bare)
{
    perf_bare_kill(bare);
    g_ptr_array_unref(bare->commands);
    g_ptr_array_unref(bare->sockets);
    g_array_unref(bare->pids);
    g_free(bare);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unlink(path);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0)
        perf_fail("%s: %s", path, g_strerror(errno));
    return fd;
}

/* Its monitor is descriptor 3, as the daemon's launcher has it. */
static pid_t spawn_bare(const char *const *argv, int monitor)
{
    pid_t pid = fork();

    if (pid < 0)
        perf_fail("fork: %s", g_strerror(errno));
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setsid();
        if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(monitor, 3) < 0)
            _exit(126);
        if (monitor == 3)
            fcntl(3, F_SETFD, 0);
        close_range(4, ~0u, 0);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    return pid;
}

void perf_bare_spawn(PerfBare *bare, guint n)
{
    for (guint i = 0; i < n; i++) {
        int monitor = listen_at(bare->sockets->pdata[i]);
        pid_t pid = spawn_bare(bare->commands->pdata[i], monitor);

        g_array_append_val(bare->pids, pid);
        close(monitor);
    }
}

double perf_bare_start(PerfBare *bare, guint n)
{
    g_autoptr(GPtrArray) monitors = g_ptr_array_new_with_free_func((GDestroyNotify)perf_qmp_free);
    double begin = perf_now();

    perf_bare_spawn(bare, n);
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(monitors, perf_qmp_new(bare->sockets->pdata[i]));
    return perf_now() - begin;
}

double perf_bare_kill(PerfBare *bare)
{
    double begin = perf_now();

    for (guint i = 0; i < bare->pids->len; i++)
        kill(g_array_index(bare->pids, pid_t, i), SIGKILL);
    for (guint i = 0; i < bare->pids->len; i++)
        waitpid(g_array_index(bare->pids, pid_t, i), NULL, 0);
    g_array_set_size(bare->pids, 0);
    return perf_now() - begin;
}
