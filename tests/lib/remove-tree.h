/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of a test's temporary directory. */
#pragma once

#include <ftw.h>
#include <glib.h>
#include <stdio.h>

static inline int vb_remove_entry(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
    return remove(path);
}

/* Removes it with all that is below it; follows no links. */
static inline void vb_remove_tree(const char *path)
{
    g_assert_cmpint(nftw(path, vb_remove_entry, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
}
