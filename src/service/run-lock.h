/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lock on the runtime directory: one virtbusd each. Taken by daemon.c before anything else. */
#pragma once

#include <glib.h>

/* Makes the directory if need be, and locks it until the descriptor is closed: at the latest when
 * the process ends, however it does. VB_ERROR_BUSY names the process that has it. -1 on failure. */
int vb_run_lock_take(const char *run_dir, GError **error);
