/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The last lines that a unit's processes wrote to the journal, through journalctl(1). */
#pragma once

#include <gio/gio.h>

/* Of that unit, of a user's own manager or of the system's, since then (µs since the epoch). A
 * string (transfer full) on the callback's GTask, one line of plain text, "" when there is nothing
 * to be had: does not fail. */
void vb_journal_tail_async(const char *unit, gint64 since, gboolean session,
                           GAsyncReadyCallback callback, gpointer data);
