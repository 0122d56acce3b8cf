/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Structured logging for every layer: one line of text, and as fields which domain and which job it
 * is about (UUID and number, or NULL). Log once, where the decision is made; below the objects at
 * debug only. src/service/logger.c decides where it goes.
 *
 *   vb_log_warning(domain->uuid, NULL, "QEMU ended unexpectedly: %s", reason);
 *
 * A warning is an event that an administrator should look at. It is logged at GLib's level
 * "message": GLib's own warnings and criticals are mistakes of ours, and fatal in the tests. */
#pragma once

#include <glib.h>

#define VB_LOG_FIELD_DOMAIN "VIRTBUS_DOMAIN"
#define VB_LOG_FIELD_JOB "VIRTBUS_JOB"
#define VB_LOG_FIELD_MESSAGE_ID "MESSAGE_ID"

/* What an administrator looks for in the journal: docs/administration.md lists them. */
#define VB_MESSAGE_DOMAIN_LIFECYCLE "6324e9d9a94e4eb3bf98ce5e8eb8f3f9"
#define VB_MESSAGE_DOMAIN_CRASHED "39cf25e0daf74476a2993d9cafdb1da0"
#define VB_MESSAGE_JOB_ENDED "42436c92875d42b7acd570a66fd4e594"
#define VB_MESSAGE_DAEMON_READY "aaaee54a18de4711b61883ce122dbcf5"

#define VB_LOG_LEVEL_WARNING G_LOG_LEVEL_MESSAGE

/* level is a GLogLevelFlags; domain and job are strings or NULL; then a format and its arguments.
 */
#define VB_LOG(level, domain, job, ...)                                                            \
    g_log_structured("virtbus", (level), VB_LOG_FIELD_DOMAIN, vb_log_or_empty(domain),             \
                     VB_LOG_FIELD_JOB, vb_log_or_empty(job), "MESSAGE", __VA_ARGS__)

#define vb_log_debug(domain, job, ...) VB_LOG(G_LOG_LEVEL_DEBUG, domain, job, __VA_ARGS__)
#define vb_log_info(domain, job, ...) VB_LOG(G_LOG_LEVEL_INFO, domain, job, __VA_ARGS__)
#define vb_log_warning(domain, job, ...) VB_LOG(VB_LOG_LEVEL_WARNING, domain, job, __VA_ARGS__)

/* With one of VB_MESSAGE_*. */
#define vb_log_event(id, level, domain, job, ...)                                                  \
    g_log_structured("virtbus", (level), VB_LOG_FIELD_MESSAGE_ID, (id), VB_LOG_FIELD_DOMAIN,       \
                     vb_log_or_empty(domain), VB_LOG_FIELD_JOB, vb_log_or_empty(job), "MESSAGE",   \
                     __VA_ARGS__)

static inline const char *vb_log_or_empty(const char *value)
{
    return value != NULL ? value : "";
}
