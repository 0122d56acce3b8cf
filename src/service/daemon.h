/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbDaemon: everything that one running virtbusd consists of, wired. main.c makes one. */
#pragma once

#include <glib.h>

typedef struct {
    gboolean session;    /* the per-user instance: its rules, its directories, the session bus */
    const char *address; /* of the bus; NULL: the usual one */
    const char *root;    /* absolute; NULL: the system's directories, or the user's */
} VbDaemonOptions;

typedef struct VbDaemon VbDaemon;

/* It has ended by itself, with an error, or because it was asked to, without. From the main loop,
 * once; the daemon can be freed when the callback has returned. */
typedef void (*VbDaemonEnded)(const GError *error, gpointer data);

/* Reads the configuration, locks the runtime directory and begins to start; the rest happens in the
 * main loop. options must live as long. VB_ERROR_BUSY: another one has these directories; nothing
 * was touched, nor when the configuration is wrong (see daemon-config.h). */
VbDaemon *vb_daemon_start(const VbDaemonOptions *options, VbDaemonEnded ended, gpointer data,
                          GError **error);
/* Asks for the end: ended comes soon, or as soon as the start has got so far; when the host shuts
 * down, after its guests have, as the configuration says. Asked again, at once. */
void vb_daemon_stop(VbDaemon *daemon);
/* Makes again what others may have removed of the active networks. While it starts, it does so
 * anyway: then this is nothing. */
void vb_daemon_reload(VbDaemon *daemon);
/* Answers the calls that wait, leaves the bus, writes what is to be written. Guests run on. Accepts
 * NULL. */
void vb_daemon_free(VbDaemon *daemon);
