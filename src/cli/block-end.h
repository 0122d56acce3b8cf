/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a wait for a block job ended, and what that means for who waited: a job that completed may
 * still not be what was asked for. Pure; block-wait.c fills it in, cmd-block.c reports it. */
#pragma once

#include "block-args.h"

typedef enum {
    VB_BLOCK_END_READY,            /* goes on, source and target in step */
    VB_BLOCK_END_COMPLETED,        /* BlockJobCompleted */
    VB_BLOCK_END_FAILED,           /* BlockJobFailed */
    VB_BLOCK_END_CANCELED,         /* BlockJobCanceled */
    VB_BLOCK_END_CANCEL_REQUESTED, /* by us, with --async; its end was not awaited */
} VbBlockEndState;

typedef enum {
    VB_BLOCK_INTERRUPT_NONE,
    VB_BLOCK_INTERRUPT_SIGNAL,
    VB_BLOCK_INTERRUPT_TIMEOUT,
} VbBlockInterrupt;

typedef struct {
    VbBlockEndState state;
    VbBlockInterrupt interrupt; /* what made us ask for a cancel */
    char *job;                  /* object path */
    char *message;              /* the daemon's, "" when it has none */
    char *reason;               /* details.reason */
    gboolean pivoted;
    gboolean consistent;
} VbBlockEnd;

void vb_block_end_clear(VbBlockEnd *end);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VbBlockEnd, vb_block_end_clear)

/* The state as the bus and --json spell it. */
const char *vb_block_end_state_name(VbBlockEndState state);

/* TRUE when the goal was reached. *ret_message is the line to print in either case, without
 * newline; to be freed with g_free(). The noun is "Pull", "Copy" or "Commit". */
gboolean vb_block_end_judge(const VbBlockEnd *end, VbBlockGoal goal, const char *noun,
                            char **ret_message);
