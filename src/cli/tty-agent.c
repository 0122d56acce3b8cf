/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The agent is a child; it says that it is there by closing a pipe, and ends when told to. */
#include "tty-agent.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <unistd.h>

#include "fd.h"

#define AGENT "pkttyagent"
#define NOTIFY_FD 3

struct VbTtyAgent {
    GSubprocess *process;
};

/* Until every copy of the other end is closed. */
static void wait_for_close(int fd)
{
    char byte;
    ssize_t n;

    do
        n = read(fd, &byte, 1);
    while (n > 0 || (n < 0 && errno == EINTR));
}

VbTtyAgent *vb_tty_agent_start(const char *address)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDIN_INHERIT);
    VbTtyAgent *agent;
    GSubprocess *process;
    int pipe[2];

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) ||
        !g_unix_open_pipe(pipe, FD_CLOEXEC, NULL))
        return NULL;
    vb_autofd int ready = pipe[0];
    g_subprocess_launcher_take_fd(launcher, pipe[1], NOTIFY_FD);
    if (address != NULL)
        g_subprocess_launcher_setenv(launcher, "DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);
    process = g_subprocess_launcher_spawn(launcher, NULL, AGENT, "--notify-fd",
                                          G_STRINGIFY(NOTIFY_FD), "--fallback", NULL);
    g_subprocess_launcher_close(launcher);
    if (process == NULL)
        return NULL;
    wait_for_close(ready);
    agent = g_new(VbTtyAgent, 1);
    agent->process = process;
    return agent;
}

void vb_tty_agent_stop(VbTtyAgent *agent)
{
    if (agent == NULL)
        return;
    g_subprocess_send_signal(agent->process, SIGTERM);
    g_subprocess_wait(agent->process, NULL, NULL);
    g_object_unref(agent->process);
    g_free(agent);
}
