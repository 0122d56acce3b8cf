/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A network namespace for a whole test program: the daemons that it starts make their bridges and
 * rules there, and all of it goes with the program. */
#pragma once

#include <glib.h>
#include <sched.h>

/* To be called first in main(): it is the thread's, and who is started later inherits it. FALSE:
 * this needs root. */
static inline gboolean vb_enter_net_namespace(void)
{
    return unshare(CLONE_NEWNET) == 0;
}
