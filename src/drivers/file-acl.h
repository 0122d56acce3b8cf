/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * POSIX access control lists, as Linux keeps them ("system.posix_acl_access", linux/
 * posix_acl_xattr.h): one user's entry in one file's list. For file-access.c only. `file` is what
 * is opened, `path` what messages call it. */
#pragma once

#include "file-access.h"

/* May that user do `wanted` (4: read, 2: write, 1: execute or search) with the file, as far as its
 * mode and its list say? What else may be against it, a file system that is read-only, shows when
 * it is tried. FALSE with an error: that cannot be read. */
gboolean vb_file_acl_allows(const char *file, const char *path, const VbIdentity *identity,
                            guint wanted, GError **error);
/* What the list says of the user now. */
gboolean vb_file_acl_read(const char *file, const char *path, uid_t uid, VbFileEntry *ret_entry,
                          GError **error);
/* Sets the user's entry (4: read, 6: read and write). VB_ERROR_FAILED also where that would take
 * effect for others: where the list's mask keeps them from what they are named for. */
gboolean vb_file_acl_set(const char *file, const char *path, uid_t uid, int permissions,
                         GError **error);
/* Back to `before`; whatever else was changed in the list since stays as it is. */
gboolean vb_file_acl_restore(const char *file, const char *path, uid_t uid,
                             const VbFileEntry *before, GError **error);
