/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbIdentity: the look-up of the user, and the prefix of a command line. See identity.h. */
#include "identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "error.h"

#define MAX_GROUPS 65536

static struct passwd *look_up(const char *user, struct passwd *entry, char **ret_buffer)
{
    struct passwd *found = NULL;
    gsize size = 1024;
    int result;

    do {
        size *= 2;
        g_free(*ret_buffer);
        *ret_buffer = g_malloc(size);
        result = getpwnam_r(user, entry, *ret_buffer, size, &found);
    } while (result == ERANGE && size < 1024 * 1024);
    errno = result;
    return found;
}

static GArray *look_up_groups(const char *user, gid_t gid)
{
    GArray *groups = g_array_new(FALSE, FALSE, sizeof(gid_t));
    int n = 32;

    g_array_set_size(groups, (guint)n);
    while (getgrouplist(user, gid, (gid_t *)(gpointer)groups->data, &n) < 0 && n <= MAX_GROUPS) {
        n = MAX(n, 2 * (int)groups->len);
        g_array_set_size(groups, (guint)n);
    }
    g_array_set_size(groups, (guint)MIN(n, (int)groups->len));
    return groups;
}

gboolean vb_identity_resolve(const char *user, VbIdentity **ret_identity, GError **error)
{
    g_autofree char *buffer = NULL;
    g_autofree char *setpriv = NULL;
    struct passwd entry;

    if (!user || geteuid() != 0) {
        *ret_identity = NULL;
        return TRUE;
    }
    if (!look_up(user, &entry, &buffer))
        return vb_fail(
            error, VB_ERROR_FAILED,
            "QEMU is to run as user '%s', and there is no such user%s%s: systemd-sysusers "
            "makes 'virtbus-qemu'; another one can be named in virtbusd.conf, [qemu] user=",
            user, errno ? ": " : "", errno ? g_strerror(errno) : "");
    if (entry.pw_uid == 0) {
        *ret_identity = NULL;
        return TRUE;
    }
    setpriv = g_find_program_in_path("setpriv");
    if (!setpriv)
        return vb_fail(
            error, VB_ERROR_FAILED,
            "QEMU is to run as user '%s', and setpriv (of util-linux), which switches to "
            "that user, is not installed",
            user);

    VbIdentity *identity = g_rc_box_new0(VbIdentity);
    identity->name = g_strdup(user);
    identity->uid = entry.pw_uid;
    identity->gid = entry.pw_gid;
    identity->groups = look_up_groups(user, entry.pw_gid);
    identity->setpriv = g_steal_pointer(&setpriv);
    *ret_identity = identity;
    return TRUE;
}

static void identity_clear(gpointer data)
{
    VbIdentity *identity = data;

    g_free(identity->name);
    g_array_unref(identity->groups);
    g_free(identity->setpriv);
}

VbIdentity *vb_identity_ref(VbIdentity *identity)
{
    return g_rc_box_acquire(identity);
}

void vb_identity_unref(VbIdentity *identity)
{
    if (identity)
        g_rc_box_release_full(identity, identity_clear);
}

GStrv vb_identity_command(const VbIdentity *identity, const char *const *argv)
{
    g_autoptr(GStrvBuilder) command = g_strv_builder_new();

    if (identity) {
        g_autofree char *uid = g_strdup_printf("--reuid=%u", (guint)identity->uid);
        g_autofree char *gid = g_strdup_printf("--regid=%u", (guint)identity->gid);
        g_autoptr(GString) groups = g_string_new("--groups=");
        for (guint i = 0; i < identity->groups->len; i++)
            g_string_append_printf(groups, "%s%u", i ? "," : "",
                                   (guint)g_array_index(identity->groups, gid_t, i));
        g_strv_builder_add_many(command, identity->setpriv, uid, gid, groups->str,
                                "--inh-caps=-all", "--no-new-privs", "--", NULL);
    }
    g_strv_builder_addv(command, (const char **)argv);
    return g_strv_builder_end(command);
}
