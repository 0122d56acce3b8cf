/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the name of a disk says: "vda" is number 0, "sdb" number 1, "hdaa" number 26. */
#pragma once

#include <glib.h>

/* FALSE for a name that is not two letters of prefix and letters that count. */
gboolean vb_disk_target_number(const char *target, guint *ret_number);
