/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A bucket that leaks at the peer's part of the time that passes. */
#include "time-share.h"

void vb_time_share_charge(VbTimeShare *share, gint64 used)
{
    share->spent += used;
}

gint64 vb_time_share_wait(VbTimeShare *share, gint64 now)
{
    gint64 earned = (now - share->since) / VB_TIME_SHARE_PART;

    /* What is earned counts in whole µs: the rest of the time stays for the next question. */
    share->since += earned * VB_TIME_SHARE_PART;
    share->spent = MAX(share->spent - earned, 0);
    return MAX(share->spent - VB_TIME_SHARE_CREDIT, 0) * VB_TIME_SHARE_PART;
}
