/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the options of the block job commands mean: which one implies which, which exclude each
 * other, and what a bandwidth is in bytes. Pure: all of it is decided before the bus is opened, so
 * that a wrong command line calls nobody. Every error is VB_ERROR_INVALID_ARGS. */
#pragma once

#include <glib.h>

#include "command.h"

typedef enum {
    VB_BLOCKJOB_INFO,
    VB_BLOCKJOB_ABORT,
    VB_BLOCKJOB_BANDWIDTH,
} VbBlockjobMode;

typedef struct {
    VbBlockjobMode mode;
    guint64 bandwidth; /* bytes/s, 0: unlimited; with VB_BLOCKJOB_BANDWIDTH */
} VbBlockjobArgs;

gboolean vb_blockjob_args_parse(const VbArgs *args, VbBlockjobArgs *ret_parsed, GError **error);

/* What a waiting command wants the job to come to. */
typedef enum {
    VB_BLOCK_GOAL_COMPLETE, /* pull, commit: the end */
    VB_BLOCK_GOAL_READY,    /* copy, active commit: source and target are in step */
    VB_BLOCK_GOAL_PIVOT,    /* in step, then the disk is switched to the target */
    VB_BLOCK_GOAL_FINISH,   /* in step, then canceled: the target is a consistent copy */
} VbBlockGoal;

typedef struct {
    gboolean wait;
    gboolean verbose;
    gboolean async; /* when the wait is given up: do not wait for the cancel's end */
    guint timeout;  /* s, 0: none */
    VbBlockGoal goal;
} VbBlockWaitArgs;

/* For blockpull, blockcopy and blockcommit, each with the options that it has. The goal without
 * --pivot, --finish and --keep-overlay is given. */
gboolean vb_block_wait_args_parse(const VbArgs *args, VbBlockGoal goal, VbBlockWaitArgs *ret_parsed,
                                  GError **error);

/* A number with an optional suffix: K, M, G, T, P, E and KiB … are powers of 1024, KB … of 1000, b
 * and bytes are 1. Without a suffix it counts in units of scale. Never rounds. The name is the
 * option's, for the message. */
gboolean vb_size_parse(const char *name, const char *text, guint64 scale, guint64 *ret_bytes,
                       GError **error);

/* --bandwidth in bytes/s: a plain number is MiB/s, or bytes/s with --bytes. Sets 0 when not given.
 */
gboolean vb_bandwidth_parse(const VbArgs *args, guint64 *ret_bandwidth, GError **error);
