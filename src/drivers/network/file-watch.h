/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbFileWatch: tells when a file has been written and closed. All watches share one inotify
 * instance, of which a user has only 128, and which GLib's own monitors read with a delay that is
 * longer than dnsmasq takes to start. For the main thread. Used by dnsmasq-process.c. */
#pragma once

#include <glib.h>

typedef struct VbFileWatch VbFileWatch;

typedef void (*VbFileWritten)(gpointer user_data);

/* Watches `path`, which need not be there; its directory must. One watch of a path at a time.
 * `written` comes from the main context of the caller and may free the watch. VB_ERROR_FAILED. */
VbFileWatch *vb_file_watch_new(const char *path, VbFileWritten written, gpointer user_data,
                               GError **error);
void vb_file_watch_free(VbFileWatch *watch); /* accepts NULL */
