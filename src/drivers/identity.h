/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbIdentity: the unprivileged user that a hypervisor and its tools run as when the daemon is root.
 * Resolved by name once, when a driver is made; NULL stands for "as who we are". Programs get it by
 * an argument vector that begins with setpriv(1), so that the switch is made after the execution:
 * in a forked child, which the daemon waits for, it would open a moment in which that user's other
 * processes can stop the child, and us with it. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
    char *name;
    uid_t uid;
    gid_t gid;
    GArray *groups; /* of gid_t: the supplementary ones */
    char *setpriv;  /* path of the program */
} VbIdentity;

/* *ret_identity is NULL when nothing is to be switched: `user` is NULL or a name of uid 0, or we
 * are not root. VB_ERROR_FAILED: there is no such user, or no setpriv. */
gboolean vb_identity_resolve(const char *user, VbIdentity **ret_identity, GError **error);
VbIdentity *vb_identity_ref(VbIdentity *identity);
/* Accepts NULL. */
void vb_identity_unref(VbIdentity *identity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbIdentity, vb_identity_unref)

/* `argv` to be executed as that user: with its groups and no others, no capabilities, and no way to
 * new privileges. A plain copy for NULL. (transfer full) */
GStrv vb_identity_command(const VbIdentity *identity, const char *const *argv);
