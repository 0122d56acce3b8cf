/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns Acl, a file's access control list in memory. A list that names somebody has a mask, which
 * bounds what everybody but the owner and "others" may do, and which stat() shows in the place of
 * the group's permissions; a list without such entries is the file's mode, and is not stored. */
#include "file-acl.h"

#include <errno.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "error.h"

#define XATTR "system.posix_acl_access"

/* Tags, in the order in which a list has them. */
enum {
    USER_OBJ = 0x01,
    USER = 0x02,
    GROUP_OBJ = 0x04,
    GROUP = 0x08,
    MASK = 0x10,
    OTHER = 0x20,
};

typedef struct {
    guint16 tag, permissions;
    guint32 id;
} Entry;

typedef GArray Acl; /* of Entry */

static Acl *acl_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(Entry));
}

static void add(Acl *acl, guint16 tag, guint permissions, guint32 id)
{
    Entry entry = {tag, (guint16)permissions, id};

    g_array_append_val(acl, entry);
}

static Entry *at(Acl *acl, guint i)
{
    return &g_array_index(acl, Entry, i);
}

/* The first entry of that tag; of a USER, the one with that id. */
static Entry *find(Acl *acl, guint16 tag, guint32 id)
{
    for (guint i = 0; i < acl->len; i++)
        if (at(acl, i)->tag == tag && (tag != USER || at(acl, i)->id == id))
            return at(acl, i);
    return NULL;
}

static gboolean names_anybody(Acl *acl)
{
    for (guint i = 0; i < acl->len; i++)
        if (at(acl, i)->tag == USER || at(acl, i)->tag == GROUP)
            return TRUE;
    return FALSE;
}

/* Does the mask bound this entry? */
static gboolean is_masked(const Entry *entry)
{
    return entry->tag == USER || entry->tag == GROUP_OBJ || entry->tag == GROUP;
}

/* ---- files ------------------------------------------------------------------------------------
 */

static gboolean fail(GError **error, const char *path, const char *what, int code)
{
    return vb_fail(error, VB_ERROR_FAILED, "the access control list of %s cannot be %s: %s", path,
                   what, g_strerror(code));
}

static Acl *acl_from_mode(mode_t mode)
{
    Acl *acl = acl_new();

    add(acl, USER_OBJ, (mode >> 6) & 7, (guint32)ACL_UNDEFINED_ID);
    add(acl, GROUP_OBJ, (mode >> 3) & 7, (guint32)ACL_UNDEFINED_ID);
    add(acl, OTHER, mode & 7, (guint32)ACL_UNDEFINED_ID);
    return acl;
}

static Acl *acl_load(const char *file, const char *path, GError **error)
{
    guint8 bytes[64 * 1024]; /* more than that, no attribute holds */
    ssize_t size = getxattr(file, XATTR, bytes, sizeof bytes);
    struct posix_acl_xattr_header header;
    struct stat info;

    if (size < 0 && (errno == ENODATA || errno == EOPNOTSUPP) && stat(file, &info) == 0)
        return acl_from_mode(info.st_mode);
    if (size < 0) {
        fail(error, path, "read", errno);
        return NULL;
    }
    memcpy(&header, bytes, MIN(sizeof header, (gsize)size));
    if ((gsize)size < sizeof header ||
        GUINT32_FROM_LE(header.a_version) != POSIX_ACL_XATTR_VERSION) {
        fail(error, path, "read", EINVAL);
        return NULL;
    }

    Acl *acl = acl_new();
    for (gsize offset = sizeof header; offset + sizeof(struct posix_acl_xattr_entry) <= (gsize)size;
         offset += sizeof(struct posix_acl_xattr_entry)) {
        struct posix_acl_xattr_entry entry;
        memcpy(&entry, bytes + offset, sizeof entry);
        add(acl, GUINT16_FROM_LE(entry.e_tag), GUINT16_FROM_LE(entry.e_perm),
            GUINT32_FROM_LE(entry.e_id));
    }
    if (!find(acl, USER_OBJ, 0) || !find(acl, GROUP_OBJ, 0) || !find(acl, OTHER, 0)) {
        g_array_unref(acl);
        fail(error, path, "read", EINVAL);
        return NULL;
    }
    return acl;
}

static int compare_entries(gconstpointer a, gconstpointer b)
{
    const Entry *first = a, *second = b;

    if (first->tag != second->tag)
        return first->tag < second->tag ? -1 : 1;
    return first->id < second->id ? -1 : first->id > second->id;
}

static gboolean acl_store(Acl *acl, const char *file, const char *path, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct posix_acl_xattr_header header = {GUINT32_TO_LE(POSIX_ACL_XATTR_VERSION)};

    g_array_sort(acl, compare_entries);
    g_byte_array_append(bytes, (const guint8 *)&header, sizeof header);
    for (guint i = 0; i < acl->len; i++) {
        struct posix_acl_xattr_entry entry = {
            .e_tag = GUINT16_TO_LE(at(acl, i)->tag),
            .e_perm = GUINT16_TO_LE(at(acl, i)->permissions),
            .e_id = GUINT32_TO_LE(at(acl, i)->id),
        };
        g_byte_array_append(bytes, (const guint8 *)&entry, sizeof entry);
    }
    if (setxattr(file, XATTR, bytes->data, bytes->len, 0) == 0)
        return TRUE;
    if (errno == EOPNOTSUPP)
        return vb_fail(
            error, VB_ERROR_FAILED,
            "the file system of %s has no access control lists, by which it would be opened "
            "to the user that QEMU runs as: let that user's group use the file, or move it "
            "to a file system that has them",
            path);
    return fail(error, path, "changed", errno);
}

/* ---- what a user may do -----------------------------------------------------------------------
 */

static gboolean is_of_group(const VbIdentity *identity, gid_t gid)
{
    for (guint i = 0; i < identity->groups->len; i++)
        if (g_array_index(identity->groups, gid_t, i) == gid)
            return TRUE;
    return identity->gid == gid;
}

/* The owner, a user who is named, a member of any of the groups, others: the first that the user is
 * decides, and of the groups any that grants all. But a list whose mask grants nothing is not
 * looked at, the mode is. */
static gboolean allows(Acl *acl, const struct stat *info, const VbIdentity *identity, guint wanted)
{
    const Entry *mask = find(acl, MASK, 0), *own = find(acl, USER, identity->uid);
    guint unmasked = mask ? mask->permissions : 7;
    gboolean is_member = FALSE;

    if (info->st_uid == identity->uid)
        return (find(acl, USER_OBJ, 0)->permissions & wanted) == wanted;
    if (own)
        return (own->permissions & unmasked & wanted) == wanted;
    for (guint i = 0; i < acl->len; i++) {
        const Entry *entry = at(acl, i);
        if ((entry->tag != GROUP_OBJ || !is_of_group(identity, info->st_gid)) &&
            (entry->tag != GROUP || !is_of_group(identity, entry->id)))
            continue;
        if ((entry->permissions & unmasked & wanted) == wanted)
            return TRUE;
        is_member = TRUE;
    }
    return !is_member && (find(acl, OTHER, 0)->permissions & wanted) == wanted;
}

gboolean vb_file_acl_allows(const char *file, const char *path, const VbIdentity *identity,
                            guint wanted, GError **error)
{
    struct stat info;

    if (stat(file, &info) != 0)
        return fail(error, path, "read", errno);
    g_autoptr(GArray) acl =
        info.st_mode & S_IRWXG ? acl_load(file, path, error) : acl_from_mode(info.st_mode);
    return acl && allows(acl, &info, identity, wanted);
}

/* ---- one user's entry -------------------------------------------------------------------------
 */

gboolean vb_file_acl_read(const char *file, const char *path, uid_t uid, VbFileEntry *ret_entry,
                          GError **error)
{
    g_autoptr(GArray) acl = acl_load(file, path, error);

    if (!acl)
        return FALSE;
    const Entry *entry = find(acl, USER, uid), *mask = find(acl, MASK, 0);
    *ret_entry =
        (VbFileEntry){entry ? entry->permissions & 7 : -1, mask ? mask->permissions & 7 : -1};
    return TRUE;
}

/* TRUE: a mask with these permissions lets nobody do more than before. */
static gboolean is_harmless(Acl *acl, guint mask, guint new_mask, guint32 uid)
{
    for (guint i = 0; i < acl->len; i++) {
        const Entry *entry = at(acl, i);
        if (is_masked(entry) && !(entry->tag == USER && entry->id == uid) &&
            (entry->permissions & new_mask) != (entry->permissions & mask))
            return FALSE;
    }
    return TRUE;
}

gboolean vb_file_acl_set(const char *file, const char *path, uid_t uid, int permissions,
                         GError **error)
{
    g_autoptr(GArray) acl = acl_load(file, path, error);

    if (!acl)
        return FALSE;
    if (find(acl, USER, uid))
        find(acl, USER, uid)->permissions = (guint16)permissions;
    else
        add(acl, USER, (guint)permissions, uid);
    if (!find(acl, MASK, 0)) {
        add(acl, MASK, find(acl, GROUP_OBJ, 0)->permissions | (guint)permissions,
            (guint32)ACL_UNDEFINED_ID);
    } else {
        guint old = find(acl, MASK, 0)->permissions, new = old | (guint)permissions;
        if (!is_harmless(acl, old, new, uid))
            return vb_fail(
                error, VB_ERROR_FAILED,
                "%s cannot be opened to the user that QEMU runs as: the mask of its access "
                "control list would have to be widened, and that would open it to others who "
                "are named there, too",
                path);
        find(acl, MASK, 0)->permissions = (guint16) new;
    }
    return acl_store(acl, file, path, error);
}

static void remove_tag(Acl *acl, guint16 tag, guint32 id)
{
    for (guint i = acl->len; i > 0; i--)
        if (at(acl, i - 1)->tag == tag && (tag == MASK || at(acl, i - 1)->id == id))
            g_array_remove_index(acl, i - 1);
}

gboolean vb_file_acl_restore(const char *file, const char *path, uid_t uid,
                             const VbFileEntry *before, GError **error)
{
    g_autoptr(GArray) acl = acl_load(file, path, error);
    guint granted = 0;

    if (!acl)
        return FALSE;
    if (!find(acl, USER, uid))
        return TRUE; /* somebody was here before us */
    granted = find(acl, USER, uid)->permissions;
    if (before->entry >= 0)
        find(acl, USER, uid)->permissions = (guint16)before->entry;
    else
        remove_tag(acl, USER, uid);
    Entry *mask = find(acl, MASK, 0);
    if (mask && before->mask < 0 && !names_anybody(acl))
        remove_tag(acl, MASK, 0);
    else if (mask && before->mask >= 0 && mask->permissions == ((guint)before->mask | granted))
        mask->permissions = (guint16)before->mask;
    return acl_store(acl, file, path, error);
}
