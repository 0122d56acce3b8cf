/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Processes of the stacks: starting and ending them, and what /proc tells of their processor time,
 * memory and descriptors. What cannot be had ends the benchmark, with the reason. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Says why, and ends the benchmark: what it has started dies with it. */
void perf_fail(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

/* KiB. */
typedef struct {
    guint64 pss, private_dirty, rss;
} PerfMemory;

/* In a session of its own, output appended to `log`; it dies with us. argv ends with NULL; so does
 * env ("NAME=value"), which is added to ours; NULL: nothing. */
pid_t perf_process_spawn(const char *const *argv, const char *const *env, const char *log);
/* Sends the signal and waits for the end. */
void perf_process_end(pid_t pid, int number);
/* Waits for its end at most that long; TRUE when it has ended. A pause that a death cuts short. */
gboolean perf_process_pause(pid_t pid, guint milliseconds);

/* s; user and system, with that of the children that it has waited for. */
double perf_process_cpu(pid_t pid);
PerfMemory perf_process_memory(pid_t pid);
guint perf_process_fds(pid_t pid);

/* Processes of that command (the kernel's 15 characters), wherever they come from. (element-type
 * pid_t) */
GArray *perf_process_find(const char *command);

/* µs, monotonic; real. */
double perf_now(void);
double perf_real_now(void);
