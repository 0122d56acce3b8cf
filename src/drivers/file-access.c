/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns how a path becomes a file: below an image directory by openat2() with RESOLVE_BENEATH,
 * elsewhere as usual; always first as an O_PATH descriptor, by which all else is done. The access
 * control list itself is file-acl.c's. See file-access.h. */
#include "file-access.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"
#include "file-acl.h"

enum { READ = 4, WRITE = 2, SEARCH = 1 };

/* ---- where a path begins ----------------------------------------------------------------------
 */

/* One slash where there are more, no "."; ".." is left to the kernel, which knows the links. */
static char *normalize(const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    g_autoptr(GString) normal = g_string_new(NULL);

    for (char **name = names; *name; name++)
        if ((*name)[0] && !g_str_equal(*name, "."))
            g_string_append_printf(normal, "/%s", *name);
    return g_strdup(normal->str);
}

/* The directory that `path` is inside of, or NULL; *ret_rest is what follows it. */
static const char *find_bound(const char *path, VbFileBounds bounds, char **ret_rest)
{
    g_autofree char *normal = normalize(path);

    for (; bounds && *bounds; bounds++) {
        g_autofree char *directory = normalize(*bounds);
        gsize length = strlen(directory);
        if (strncmp(normal, directory, length) == 0 &&
            (normal[length] == '/' || normal[length] == '\0')) {
            *ret_rest = g_strdup(normal[length] ? normal + length + 1 : ".");
            return *bounds;
        }
    }
    return NULL;
}

gboolean vb_file_is_inside(const char *path, VbFileBounds bounds)
{
    g_autofree char *rest = NULL;

    return find_bound(path, bounds, &rest) != NULL;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static gboolean fail_errno(GError **error, const char *path, const char *directory, int code)
{
    if (code == ENOENT)
        return vb_fail(error, VB_ERROR_FAILED, "%s does not exist", path);
    if (directory && (code == EXDEV || code == ELOOP))
        return vb_fail(
            error, VB_ERROR_FAILED,
            "%s leads out of the image directory %s: below it, '..' and links are followed "
            "only to what is below it, too, and links only when they are relative",
            path, directory);
    return vb_fail(error, VB_ERROR_FAILED, "%s: %s", path, g_strerror(code));
}

/* As open(), within the bounds. -1 with errno; *ret_directory is the bound, or NULL. */
static int open_within(const char *path, VbFileBounds bounds, int flags, const char **ret_directory)
{
    g_autofree char *rest = NULL;
    struct open_how how = {.flags = (guint64)(flags | O_CLOEXEC)};
    vb_autofd int root = -1;
    int fd = -1;

    if (flags & O_CREAT)
        how.mode = 0600;
    *ret_directory = find_bound(path, bounds, &rest);
    if (*ret_directory) {
        root = open(*ret_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
            return -1;
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    }
    /* EAGAIN: something was renamed on the way, and the kernel is not sure. */
    for (guint i = 0; i < 128 && fd < 0 && (i == 0 || errno == EAGAIN); i++)
        fd = (int)syscall(SYS_openat2, root >= 0 ? root : AT_FDCWD, root >= 0 ? rest : path, &how,
                          sizeof how);
    return fd;
}

int vb_file_create(const char *path, VbFileBounds bounds, gboolean *ret_exists, GError **error)
{
    const char *directory;
    int fd = open_within(path, bounds, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, &directory);

    *ret_exists = fd < 0 && errno == EEXIST;
    if (fd < 0) {
        int code = errno;
        g_autofree char *parent = g_path_get_dirname(path);
        fail_errno(error, code == ENOENT ? parent : path, directory, code);
    }
    return fd;
}

static gboolean write_all(int fd, const char *bytes, gsize size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno != EINTR)
            return FALSE;
        bytes += MAX(n, 0);
        size -= (gsize)MAX(n, 0);
    }
    return TRUE;
}

/* Under another name first, in the same directory. */
gboolean vb_file_write_new(const char *path, VbFileBounds bounds, const char *contents, gsize size,
                           GError **error)
{
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *draft = g_strconcat(".", name, ".new", NULL);
    const char *directory;
    vb_autofd int dir = open_within(parent, bounds, O_PATH | O_DIRECTORY, &directory);

    if (dir < 0)
        return fail_errno(error, parent, directory, errno);
    unlinkat(dir, draft, 0);
    vb_autofd int fd =
        openat(dir, draft, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    gboolean written = fd >= 0 && write_all(fd, contents, size) && fsync(fd) == 0 &&
                       (linkat(dir, draft, dir, name, 0) == 0 || errno == EEXIST);
    int code = errno;
    unlinkat(dir, draft, 0);
    return written ||
           vb_fail(error, VB_ERROR_FAILED, "%s cannot be written: %s", path, g_strerror(code));
}

/* An O_PATH descriptor, or -1. */
static int find(const char *path, VbFileBounds bounds, struct stat *ret_info, GError **error)
{
    const char *directory;
    vb_autofd int fd = open_within(path, bounds, O_PATH, &directory);

    if (fd < 0 || fstat(fd, ret_info) != 0) {
        fail_errno(error, path, directory, errno);
        return -1;
    }
    return vb_steal_fd(&fd);
}

/* By which the file of an O_PATH descriptor can be opened, and its list be read and written. */
static char *descriptor_path(int fd)
{
    return g_strdup_printf("/proc/self/fd/%d", fd);
}

int vb_file_open(const char *path, VbFileBounds bounds, GError **error)
{
    struct stat info;
    vb_autofd int found = find(path, bounds, &info, error);

    if (found < 0)
        return -1;
    if (!S_ISREG(info.st_mode)) {
        vb_fail(error, VB_ERROR_FAILED, "%s is no regular file", path);
        return -1;
    }
    g_autofree char *name = descriptor_path(found);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_errno(error, path, NULL, errno);
    return fd;
}

gboolean vb_file_size(const char *path, VbFileBounds bounds, guint64 *ret_size, GError **error)
{
    struct stat info;
    vb_autofd int fd = find(path, bounds, &info, error);

    if (fd < 0)
        return FALSE;
    if (!S_ISREG(info.st_mode))
        return vb_fail(error, VB_ERROR_FAILED, "%s is no regular file", path);
    *ret_size = (guint64)info.st_size;
    return TRUE;
}

gboolean vb_file_unlink(const char *path, VbFileBounds bounds, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    const char *directory;
    vb_autofd int fd = open_within(parent, bounds, O_PATH | O_DIRECTORY, &directory);

    if ((fd < 0 || unlinkat(fd, name, 0) != 0) && errno != ENOENT) {
        int code = errno;
        return vb_fail(error, VB_ERROR_FAILED, "%s cannot be removed: %s", path, g_strerror(code));
    }
    return TRUE;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

void vb_file_look_clear(VbFileLook *look)
{
    g_clear_pointer(&look->path, g_free);
}

static gboolean check_kind(const VbFileWish *wish, mode_t mode, GError **error)
{
    VbFileKinds kind = S_ISREG(mode)    ? VB_FILE_REGULAR
                       : S_ISBLK(mode)  ? VB_FILE_BLOCK
                       : S_ISCHR(mode)  ? VB_FILE_CHARACTER
                       : S_ISSOCK(mode) ? VB_FILE_SOCKET
                                        : 0;

    if (kind & wish->kinds)
        return TRUE;
    return vb_fail(error, VB_ERROR_FAILED, "%s is not %s", wish->path,
                   wish->kinds & VB_FILE_SOCKET      ? "a socket"
                   : wish->kinds & VB_FILE_BLOCK     ? "a regular file or a block device"
                   : wish->kinds & VB_FILE_CHARACTER ? "a regular file or a device"
                                                     : "a regular file");
}

/* The first directory on the way that the user cannot search, as an error; TRUE: there is none. */
static gboolean check_way(const char *path, const VbIdentity *identity, GError **error)
{
    for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
        g_autofree char *prefix =
            slash == path ? g_strdup("/") : g_strndup(path, (gsize)(slash - path));
        g_autoptr(GError) unreadable = NULL;
        if (!vb_file_acl_allows(prefix, prefix, identity, SEARCH, &unreadable) && !unreadable)
            return vb_fail(
                error, VB_ERROR_FAILED,
                "%s cannot be reached by user '%s', as which QEMU runs: the directory %s is "
                "closed to it (setfacl -m u:%s:x would open it)",
                path, identity->name, prefix, identity->name);
    }
    return TRUE;
}

static gboolean look_absent_socket(const VbFileWish *wish, const VbIdentity *identity,
                                   VbFileLook *ret_look, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(wish->path);

    if (identity && (!vb_file_acl_allows(parent, parent, identity, WRITE | SEARCH, NULL) ||
                     !check_way(wish->path, identity, NULL)))
        return vb_fail(
            error, VB_ERROR_FAILED,
            "the socket %s cannot be made by user '%s', as which QEMU runs: it may not write "
            "to %s. Without a path, virtbus makes the socket where that is possible",
            wish->path, identity->name, parent);
    *ret_look = (VbFileLook){.absent = TRUE};
    return TRUE;
}

/* Makes what is missing and is a file to be made. A race that is lost is no loss. */
static gboolean make(const VbFileWish *wish, VbFileBounds bounds, GError **error)
{
    g_autoptr(GError) local = NULL;
    gboolean exists;
    vb_autofd int fd = vb_file_create(wish->path, bounds, &exists, &local);

    if (fd >= 0 || exists)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}

gboolean vb_file_look(const VbFileWish *wish, VbFileBounds bounds, const VbIdentity *identity,
                      VbFileLook *ret_look, GError **error)
{
    const char *directory;
    struct stat info;
    vb_autofd int fd = open_within(wish->path, bounds, O_PATH, &directory);

    if (fd < 0 && errno == ENOENT && wish->create) {
        if (wish->kinds & VB_FILE_SOCKET)
            return look_absent_socket(wish, identity, ret_look, error);
        if (!make(wish, bounds, error))
            return FALSE;
        fd = open_within(wish->path, bounds, O_PATH, &directory);
    }
    if (fd < 0 || fstat(fd, &info) != 0)
        return fail_errno(error, wish->path, directory, errno);
    if (!check_kind(wish, info.st_mode, error))
        return FALSE;

    g_autofree char *name = descriptor_path(fd);
    g_autofree char *real = g_file_read_link(name, NULL);
    VbFileLook look = {.device = info.st_dev, .inode = info.st_ino, .accessible = TRUE};
    if (identity) {
        if (!check_way(wish->path, identity, error) || (real && !check_way(real, identity, error)))
            return FALSE;
        look.accessible =
            vb_file_acl_allows(name, wish->path, identity, wish->write ? READ | WRITE : READ, NULL);
        if (!look.accessible &&
            !vb_file_acl_read(name, wish->path, identity->uid, &look.before, error))
            return FALSE;
    }
    look.path = real ? g_steal_pointer(&real) : g_strdup(wish->path);
    *ret_look = look;
    return TRUE;
}

gboolean vb_file_grant_apply(const VbFileGrant *grant, int permissions, VbFileBounds bounds,
                             gboolean *ret_missing, GError **error)
{
    struct stat info;
    vb_autofd int fd = find(grant->path, bounds, &info, error);

    *ret_missing = fd < 0 || info.st_dev != grant->device || info.st_ino != grant->inode;
    if (fd < 0)
        return FALSE;
    if (*ret_missing)
        return vb_fail(error, VB_ERROR_FAILED, "%s is another file than before", grant->path);
    g_autofree char *name = descriptor_path(fd);
    return permissions ? vb_file_acl_set(name, grant->path, grant->uid, permissions, error)
                       : vb_file_acl_restore(name, grant->path, grant->uid, &grant->before, error);
}
