/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starting a block job and waiting for it: subscribed before the job can end, pivoting or finishing
 * it when it is ready, canceling it on Ctrl-C or after --timeout, and staying through a restart of
 * the daemon. blockpull, blockcopy and blockcommit run it once each. */
#pragma once

#include "block-end.h"
#include "connection.h"

typedef struct {
    const char *domain;   /* object path */
    const char *method;   /* of org.virtbus1.Domain.Block */
    GVariant *parameters; /* not floating */
    const char *label;    /* for the progress: "Block Pull" */
} VbBlockStart;

/* Returns when the job came to its goal or to its end, whichever it was; judging is the caller's.
 * FALSE: the job was not started, or what became of it cannot be known. cli must be connected. */
gboolean vb_block_wait_run(VbCli *cli, const VbBlockStart *start, const VbBlockWaitArgs *args,
                           VbBlockEnd *ret_end, GError **error);
