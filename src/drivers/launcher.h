/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbLauncher: how a hypervisor's process comes to be. Drivers are given one by daemon.c and do not
 * know which it is: a detached child (launcher-detached.c), or a unit of the service manager
 * (service/launcher-unit.c).
 * Whatever starts it, the process outlives the daemon and inherits nothing from it but what is
 * asked for. */
#pragma once

#include <gio/gio.h>

#include "identity.h"
#include "process.h"

/* Of a process and all that it starts; 0: none. Those of control groups. */
typedef struct {
    guint64 memory_max, memory_high; /* bytes */
    guint cpu_weight, io_weight;     /* 1..10000 */
    guint cpu_quota, cpu_period;     /* µs of processor time in each period, µs */
} VbLaunchLimits;

typedef enum {
    VB_LAUNCH_STAYS, /* it runs until it is ended */
    VB_LAUNCH_FORKS, /* it goes to the background when it is ready, with status 0 */
    VB_LAUNCH_ENDS,  /* it does its work and ends, with status 0 when that is done */
} VbLaunchKind;

typedef struct {
    VbLaunchKind kind;
    const char *name;        /* of the thing that is started: letters, digits, '-', '_', '.' */
    const char *const *argv; /* argv[0] is the absolute path of the program */
    const char *const *env;  /* its whole environment, "NAME=value" */
    const int *fds;          /* the process gets them as 3, 4, …; they stay the caller's, who may
                              * close them once launch() has returned */
    gsize n_fds;
    const char *log_path; /* its standard output and error are appended there, 0600 and ours,
                           * by a launcher that has no log of its own for them */
    int output;           /* … unless they are to go here, both: a descriptor as above; 0: no */
    int messages;         /* with it, standard error goes here; 0: no */
    const VbIdentity *identity; /* who it runs as; NULL: as who we are */
    const char *title;          /* for whoever looks at it: "Virtual machine 'web'"; or NULL */
    const char *domain;         /* UUID of the domain that it is; NULL: of none */
    const char *machine;        /* what the host shall list it as; NULL: as nothing */
    gboolean namespaces;        /* it makes some of its own */
    guint64 capabilities;  /* without an identity, the only ones that it can have, 1 << CAP_…;
                            * 0: ours */
    VbLaunchLimits limits; /* a launcher that has none: VB_ERROR_NOT_SUPPORTED */
} VbLaunchSpec;

typedef struct {
    /* Starts it. With an identity, that the program cannot be executed may show in the log, and in
     * the process's early end. One that ends at once is a process that has ended, or an error with
     * its last words. One that forks is nobody's afterwards: the task returns NULL when it is
     * ready, and its failure with its last words. So it does of one that ends. Else returns a
     * VbProcess (transfer full) on the task, which is the launcher's, never before launch() has
     * returned; `spec` is read before. A program that cannot be executed is an error that says why.
     * Not cancellable, a launch that has begun is finished; but one that ends is killed by the
     * task's cancellable, and not waited for.
     */
    void (*launch)(gpointer self, const VbLaunchSpec *spec, GTask *task);

    /* The last that a process launched as `name`, with that log_path, wrote to its standard output
     * and error: in one line of plain text, a string (transfer full) on the task, which is the
     * launcher's; "" when there is nothing. Does not fail. */
    void (*last_words)(gpointer self, const VbProcess *process, const char *name,
                       const char *log_path, GTask *task);
} VbLauncher;

/* Who launches, and as whom: what all that runs programs needs to know of that. */
typedef struct {
    const VbLauncher *launcher;
    gpointer self;
    const VbIdentity *identity; /* NULL: as who we are */
} VbLaunchBy;

/* The last lines of a text of `size` bytes in one line, whatever is in it. (transfer full) */
char *vb_last_words_format(const char *bytes, gsize size);
/* The same of a file. */
char *vb_last_words_read(const char *path);
/* The same of what is in a pipe now. */
char *vb_last_words_take(int pipe);

/* A child in a session of its own: umask 0077, working directory "/", default signals, standard
 * input from /dev/null. `self` is not used. Its parent may end before it. */
extern const VbLauncher vb_launcher_detached;
/* That one, and who we are. */
extern const VbLaunchBy vb_launch_by_us;
