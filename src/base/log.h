/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Structured logging for every layer: one line of text, and as fields which domain and which job it
 * is about (UUID and number, or NULL). Log once, where the decision is made; below the objects at
 * debug only. src/service/log.c decides where it goes.
 *
 *   vb_log_warning(domain->uuid, NULL, "QEMU ended unexpectedly: %s", reason);
 *
 * A warning is an event that an administrator should look at. It is logged at GLib's level
 * "message": GLib's own warnings and criticals are mistakes of ours, and fatal in the tests. */
#pragma once

#include <glib.h>

#define VB_LOG_FIELD_DOMAIN "VIRTBUS_DOMAIN"
#define VB_LOG_FIELD_JOB "VIRTBUS_JOB"
#define VB_LOG_LEVEL_WARNING G_LOG_LEVEL_MESSAGE

/* level is a GLogLevelFlags; domain and job are strings or NULL; then a format and its arguments.
 */
#define VB_LOG(level, domain, job, ...)                                                            \
    g_log_structured("virtbus", (level), VB_LOG_FIELD_DOMAIN, vb_log_or_empty(domain),             \
                     VB_LOG_FIELD_JOB, vb_log_or_empty(job), "MESSAGE", __VA_ARGS__)

#define vb_log_debug(domain, job, ...) VB_LOG(G_LOG_LEVEL_DEBUG, domain, job, __VA_ARGS__)
#define vb_log_info(domain, job, ...) VB_LOG(G_LOG_LEVEL_INFO, domain, job, __VA_ARGS__)
#define vb_log_warning(domain, job, ...) VB_LOG(VB_LOG_LEVEL_WARNING, domain, job, __VA_ARGS__)

static inline const char *vb_log_or_empty(const char *value)
{
    return value != NULL ? value : "";
}
