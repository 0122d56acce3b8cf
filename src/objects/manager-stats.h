/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Manager.GetStats; manager.c has the table. The data is the VbHost. */
#pragma once

#include "interface.h"

void vb_manager_get_stats(VbCall *call, gpointer data);
