/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a unit's program is given besides its arguments: see launch-fds.h. */
#pragma once

#include "launcher.h"

/* The socket that becomes the helper's standard input; all that it is to receive waits in it. -1:
 * VB_ERROR_FAILED, with the reason. */
int vb_unit_input_new(const VbLaunchSpec *spec, GError **error);
