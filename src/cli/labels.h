/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The words that virsh's users know for what the bus says: states, reasons, kinds of block jobs,
 * and how far a job is. The commands print with them; nothing here talks to the bus. */
#pragma once

#include <glib.h>

/* Domain.State: "shut-off" → "shut off". A state of a newer daemon is returned as it is. */
const char *vb_label_state(const char *state);

/* Domain.StateReason: "from-snapshot" → "from snapshot". To be freed with g_free(). */
char *vb_label_reason(const char *reason);

/* A verdict of Manager.CheckActions: "challenge" → "when authenticated". */
const char *vb_label_verdict(const char *verdict);

/* BlockJob.Type: "pull" → "Block Pull". */
const char *vb_label_block_job(const char *type);

/* Whole percent, 100 only when the job is through: a job whose current is at its total may still be
 * copying what the guest writes meanwhile. */
guint vb_label_percent(guint64 current, guint64 total, gboolean through);
