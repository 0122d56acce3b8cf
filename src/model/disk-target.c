/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the counting of disk names. */
#include "disk-target.h"

#include <string.h>

gboolean vb_disk_target_number(const char *target, guint *ret_number)
{
    gsize len = strlen(target);
    guint number = 0;

    /* Four letters are more disks than a domain may have. */
    if (len < 3 || len > 6)
        return FALSE;
    for (const char *p = target + 2; *p; p++) {
        if (!g_ascii_islower(*p))
            return FALSE;
        number = number * 26 + (guint)(*p - 'a') + 1;
    }
    *ret_number = number - 1;
    return TRUE;
}
