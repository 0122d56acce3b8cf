/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Judging the end of a block job against its goal. */
#include "block-end.h"

void vb_block_end_clear(VbBlockEnd *end)
{
    g_clear_pointer(&end->job, g_free);
    g_clear_pointer(&end->message, g_free);
    g_clear_pointer(&end->reason, g_free);
}

const char *vb_block_end_state_name(VbBlockEndState state)
{
    static const char *const names[] = {
        [VB_BLOCK_END_READY] = "ready",
        [VB_BLOCK_END_COMPLETED] = "completed",
        [VB_BLOCK_END_FAILED] = "failed",
        [VB_BLOCK_END_CANCELED] = "canceled",
        [VB_BLOCK_END_CANCEL_REQUESTED] = "cancel-requested",
    };

    return names[state];
}

static const char *interrupt_text(VbBlockInterrupt interrupt)
{
    static const char *const texts[] = {
        [VB_BLOCK_INTERRUPT_NONE] = "",
        [VB_BLOCK_INTERRUPT_SIGNAL] = " (interrupted)",
        [VB_BLOCK_INTERRUPT_TIMEOUT] = " (timed out)",
    };

    return texts[interrupt];
}

static gboolean judge_completed(const VbBlockEnd *end, VbBlockGoal goal, const char *noun,
                                char **ret_message)
{
    if (goal == VB_BLOCK_GOAL_COMPLETE)
        *ret_message = g_strdup_printf("%s complete", noun);
    else if (!end->pivoted)
        *ret_message = g_strdup_printf("%s complete, but not pivoted", noun);
    else if (goal == VB_BLOCK_GOAL_FINISH)
        *ret_message = g_strdup_printf("%s was pivoted, not finished", noun);
    else
        *ret_message = g_strdup("Successfully pivoted");
    return goal == VB_BLOCK_GOAL_COMPLETE || (end->pivoted && goal != VB_BLOCK_GOAL_FINISH);
}

static gboolean judge_canceled(const VbBlockEnd *end, VbBlockGoal goal, const char *noun,
                               char **ret_message)
{
    /* Asked for by a cancel, a stop of the domain may end it just as well: consistent counts. */
    if (goal == VB_BLOCK_GOAL_FINISH && end->consistent) {
        *ret_message = g_strdup(g_str_equal(noun, "Commit") ? "Commit complete, overlay image kept"
                                                            : "Successfully copied");
        return TRUE;
    }
    if (end->interrupt != VB_BLOCK_INTERRUPT_NONE)
        *ret_message = g_strdup_printf("%s canceled%s", noun, interrupt_text(end->interrupt));
    else if (end->message[0] != '\0')
        *ret_message = g_strdup_printf("%s canceled: %s", noun, end->message);
    else
        *ret_message = g_strdup_printf("%s canceled: %s", noun, end->reason);
    return FALSE;
}

gboolean vb_block_end_judge(const VbBlockEnd *end, VbBlockGoal goal, const char *noun,
                            char **ret_message)
{
    switch (end->state) {
    case VB_BLOCK_END_READY:
        *ret_message = g_strdup(g_str_equal(noun, "Commit") ? "Now in synchronized phase"
                                                            : "Now in mirroring phase");
        return TRUE;
    case VB_BLOCK_END_COMPLETED:
        return judge_completed(end, goal, noun, ret_message);
    case VB_BLOCK_END_CANCELED:
        return judge_canceled(end, goal, noun, ret_message);
    case VB_BLOCK_END_FAILED:
        *ret_message = g_strdup_printf("%s failed: %s", noun,
                                       end->message[0] != '\0' ? end->message : end->reason);
        return FALSE;
    case VB_BLOCK_END_CANCEL_REQUESTED:
        *ret_message = g_strdup_printf("%s: cancel requested%s, its end was not waited for", noun,
                                       interrupt_text(end->interrupt));
        return FALSE;
    }
    g_return_val_if_reached(FALSE);
}
