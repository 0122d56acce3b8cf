/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbProcess: a hypervisor's process, whoever started it. It is held by a pidfd, so that no signal
 * ever hits another process that was given the same pid; pid and start time together name it over a
 * restart of the daemon. Made by a launcher or by vb_process_find(); owned by a running domain. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;
    int pidfd;
    guint64 start_time; /* clock ticks since the boot, as in /proc/<pid>/stat */
    GSource *watch;     /* private: see vb_process_watch() */
} VbProcess;

/* Takes hold of a process that is known to be there: one that this process has just started and not
 * reaped. VB_ERROR_FAILED when that cannot be done. */
VbProcess *vb_process_new(pid_t pid, GError **error);
/* Finds a process again by what was recorded of it. VB_ERROR_DOMAIN_NOT_RUNNING when it has ended,
 * also when another one has its pid now. */
VbProcess *vb_process_find(pid_t pid, guint64 start_time, GError **error);
/* Lets go of it: the process runs on, no callback comes any more. Accepts NULL. */
void vb_process_free(VbProcess *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbProcess, vb_process_free)

/* How it ended: "exit status 1", "killed by signal 9 (Killed)"; an empty string when that is not to
 * be known (it was not our child). */
typedef void (*VbProcessEnded)(VbProcess *process, const char *how, gpointer user_data);

/* Has `ended` called from the current main context, once, when the process has really ended (and,
 * being our child, has been reaped). It may free the process. To be called once. */
void vb_process_watch(VbProcess *process, VbProcessEnded ended, gpointer user_data);

/* Sends a signal; harmless when the process has ended. */
void vb_process_kill(VbProcess *process, int signal_number);
