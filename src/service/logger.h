/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where log messages go: to the journal, fields included, when stderr is the journal; else as one
 * line each to stderr. main.c installs it; everybody logs through src/base/log.h.
 *
 * Of one domain no more than 200 messages are written at once, and 10 a second after that: a guest
 * or its QEMU can have us log something as often as it likes. How many were dropped is said with
 * the next one that is written. Debug messages are not counted. */
#pragma once

#include <glib.h>

/* Once, before any thread. debug: show debug messages too. */
void vb_logger_init(gboolean debug);

/* May one more message about that domain be written at `now` (monotonic, µs)? *ret_dropped: how
 * many could not be, since the last one that could. From any thread. */
gboolean vb_logger_admit(const char *domain, gint64 now, guint *ret_dropped);

/* The line for stderr, newline included: "virtbusd: warning: text [domain=… job=…]\n". Control
 * characters are escaped, so that a guest's text cannot forge a line. */
char *vb_logger_format(GLogLevelFlags level, const GLogField *fields, gsize n_fields);
