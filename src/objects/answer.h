/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A call that is answered when an operation of the core has ended: with nothing, or with the
 * operation's error. */
#pragma once

#include "call.h"

typedef gboolean (*VbAnswerFinish)(gpointer object, GAsyncResult *result, GError **error);

/* The callback for the operation, and its data. `object`, what the operation is on, is given a
 * reference that `unref` takes back: it may leave the bus meanwhile. */
void vb_answer(GObject *source, GAsyncResult *result, gpointer data);
gpointer vb_answer_data(VbCall *call, gpointer object, GDestroyNotify unref, VbAnswerFinish finish);
