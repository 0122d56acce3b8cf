/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfQmp: the benchmark's own monitor of a QEMU, with which it does things behind the daemons'
 * backs and hears when QEMU says that they happened. Blocking; what fails ends the benchmark. */
#pragma once

#include <glib.h>

typedef struct PerfQmp PerfQmp;

/* Connects to the socket and shakes hands, as soon as there is somebody. */
PerfQmp *perf_qmp_new(const char *path);
void perf_qmp_free(PerfQmp *qmp); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PerfQmp, perf_qmp_free)

/* {"execute": …}; returns when it was answered, without an error. */
void perf_qmp_command(PerfQmp *qmp, const char *command);
/* The next event of one of those names (NULL at the end), of those that nobody asked for yet: when
 * QEMU emitted it, µs of the real-time clock. */
double perf_qmp_event(PerfQmp *qmp, const char *const *names);
