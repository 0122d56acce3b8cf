/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbDnsmasqProcess: one dnsmasq process, from its launch to its end. Owned by VbDnsmasq, which
 * launches the next one.
 *
 * dnsmasq stays in the foreground, a process of the launcher like any other, and tells that it
 * serves by its pid file: that is written once all sockets are bound and all files are read that
 * can be wrong; what fails before ends the process. Nothing is polled: the file's directory and the
 * pidfd are watched. */
#pragma once

#include "launcher.h"

typedef struct VbDnsmasqProcess VbDnsmasqProcess;

typedef struct {
    /* It serves. Not for a process that was found. */
    void (*ready)(gpointer user_data);
    /* It has ended, or could not be launched. `error` says why, with its last words; when
     * it was asked to end, too. May free the VbDnsmasqProcess. */
    void (*ended)(const GError *error, gpointer user_data);
} VbDnsmasqProcessEvents;

/* Where a process of a network is found again, all in a directory that is ours. */
typedef struct {
    char *name;               /* that it is launched as */
    char *config, *pid, *log; /* paths */
} VbDnsmasqPlace;

/* Launches `argv` (which has to name the place's files) with the environment `env`. Events come
 * from the main context of the caller, never before this returned. */
VbDnsmasqProcess *vb_dnsmasq_process_launch(const VbLaunchBy *by, const VbDnsmasqPlace *place,
                                            const char *const *argv, const char *const *env,
                                            const VbDnsmasqProcessEvents *events,
                                            gpointer user_data);
/* Takes hold of the process on record, or else of that of the pid file, when it runs with the
 * place's configuration: NULL when there is none. */
VbDnsmasqProcess *vb_dnsmasq_process_find(const VbLaunchBy *by, const VbDnsmasqPlace *place,
                                          pid_t pid, guint64 start_time,
                                          const VbDnsmasqProcessEvents *events, gpointer user_data);
/* Lets go of it: it runs on, if it was ready. No event comes any more. Accepts NULL. */
void vb_dnsmasq_process_free(VbDnsmasqProcess *process);

/* The process, once it is ready, else NULL. Borrowed. */
VbProcess *vb_dnsmasq_process_get(const VbDnsmasqProcess *process);
/* Has it ever served? */
gboolean vb_dnsmasq_process_was_ready(const VbDnsmasqProcess *process);
/* Ends it: SIGTERM, after VB_DNSMASQ_END_SECONDS SIGKILL. `ended` comes. */
void vb_dnsmasq_process_end(VbDnsmasqProcess *process);

#define VB_DNSMASQ_END_SECONDS 5
