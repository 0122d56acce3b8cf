/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbDaemonConfig: what the administrator says in virtbusd.conf (docs/man/virtbusd.conf.5.rst).
 * daemon.c reads it once, before anything is touched. The format is GKeyFile's, read strictly: a
 * file that is not understood in all its parts is an error that names file, line and key, since a
 * restriction that was misspelled must not be a restriction less. */
#pragma once

#include <glib.h>

#define VB_DAEMON_CONFIG_MAX_SIZE (64 * 1024)
#define VB_DAEMON_CONFIG_MAX_DIRECTORIES 64

typedef enum {
    VB_HOST_SHUTDOWN_SHUTDOWN, /* they are asked to shut down, and waited for */
    VB_HOST_SHUTDOWN_STOP,     /* they are left to the stop of their units */
} VbHostShutdownPolicy;

typedef struct {
    /* Absolute, without ".", ".." or double slashes. Below these a document may name files without
     * the right to reach into the host. [storage] image-directories, default <state_dir>/images.
     * NULL on a session instance: no restriction. */
    char **image_directories;
    /* The user that QEMU runs as: a well-formed name; whether it exists was not asked. [qemu] user,
     * default "virtbus-qemu". NULL on a session instance: the daemon's own user. */
    char *qemu_user;
    /* The user that dnsmasq runs as once it has its sockets: as above. [network] user, default
     * "virtbus-dnsmasq". NULL on a session instance, which has no networks. */
    char *network_user;
    /* What becomes of guests when the host shuts down. [host-shutdown] guests, default "shutdown";
     * and how long they may take, in seconds: timeout, default 120. */
    VbHostShutdownPolicy host_shutdown;
    guint host_shutdown_timeout;
} VbDaemonConfig;

#define VB_DAEMON_CONFIG_MAX_TIMEOUT 3600

/* Reads the file; where there is none, the defaults. Errors: VB_ERROR_INVALID_ARGS: not understood,
 * or with keys that a session instance does not have; VB_ERROR_LIMITS_EXCEEDED: larger than it may
 * be; VB_ERROR_FAILED: cannot be read. */
VbDaemonConfig *vb_daemon_config_load(const char *path, const char *state_dir, gboolean session,
                                      GError **error);
/* The same for the file's text; `path` is for messages only. */
VbDaemonConfig *vb_daemon_config_parse(const char *text, gsize length, const char *path,
                                       const char *state_dir, gboolean session, GError **error);
void vb_daemon_config_free(VbDaemonConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDaemonConfig, vb_daemon_config_free)
