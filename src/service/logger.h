/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where log messages go: to the journal, fields included, when stderr is the journal; else as one
 * line each to stderr. main.c installs it; everybody logs through src/base/log.h. */
#pragma once

#include <glib.h>

/* Once, before any thread. debug: show debug messages too. */
void vb_logger_init(gboolean debug);

/* The line for stderr, newline included: "virtbusd: warning: text [domain=… job=…]\n". Control
 * characters are escaped, so that a guest's text cannot forge a line. */
char *vb_logger_format(GLogLevelFlags level, const GLogField *fields, gsize n_fields);
