/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For the targets whose images become a running domain's: by a pivot, or as its backing chain. */
#pragma once

#include "disk-def.h"

/* Aborts unless the live definition of a domain that has `source` as its disk reads back the same:
 * the next virtbusd could not find the domain again. */
void as_disk_check(const VbDiskSource *source);
