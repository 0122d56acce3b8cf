/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the kernel says that another user may do with a file: what file-acl.c is held against. Needs
 * root. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "identity.h"

/* The C library would change all threads; these change the calling one. */
static inline void vb_kernel_set_user(uid_t uid, gid_t gid, gsize n, const gid_t *groups)
{
    g_assert_cmpint(syscall(SYS_setgroups, n, groups), ==, 0);
    setfsgid(gid);
    setfsuid(uid); /* and with uid 0 the capabilities go that override permissions */
    g_assert_cmpint(setfsuid((uid_t)-1), ==, (int)uid);
}

/* May that user do `mode` (R_OK, W_OK, X_OK) with the file that `path` names from `dir`, the way
 * there included? Empty path: the file that `dir` is. 0, or an errno. */
static inline int vb_kernel_access(const VbIdentity *identity, int dir, const char *path, int mode)
{
    int dumpable = prctl(PR_GET_DUMPABLE); /* which a change of these ids takes away */
    int n = getgroups(0, NULL);
    g_autofree gid_t *own_groups = g_new0(gid_t, (gsize)MAX(n, 0) + 1);
    gid_t own_gid = getegid();
    uid_t own_uid = geteuid();

    n = getgroups(n, own_groups);
    g_assert_cmpint(n, >=, 0);
    vb_kernel_set_user(identity->uid, identity->gid, identity->groups->len,
                       (const gid_t *)(gpointer)identity->groups->data);
    int result =
        syscall(SYS_faccessat2, dir, path, mode, AT_EACCESS | AT_EMPTY_PATH) != 0 ? errno : 0;
    vb_kernel_set_user(own_uid, own_gid, (gsize)n, own_groups);
    prctl(PR_SET_DUMPABLE, dumpable);
    return result;
}
