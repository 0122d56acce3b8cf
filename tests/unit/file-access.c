/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files for another user, tried with a real one ("nobody"): the kernel says what it may do. Needs
 * root, since nobody else can become that user. */
#include "file-access.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"
#include "file-acl.h"
#include "kernel-access.h"
#include "remove-tree.h"

#define ACL_XATTR "system.posix_acl_access"

typedef struct {
    char *dir, *images;
    const char *bounds[2];
    VbIdentity *identity;
} Fixture;

static char *path_of(Fixture *f, const char *name)
{
    return g_build_filename(f->images, name, NULL);
}

static void setup(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    f->dir = g_dir_make_tmp("vb-access-XXXXXX", &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(f->dir, 0711), ==, 0);
    f->images = g_build_filename(f->dir, "images", NULL);
    g_assert_cmpint(g_mkdir(f->images, 0755), ==, 0);
    f->bounds[0] = f->images;
    vb_identity_resolve("nobody", &f->identity, &error);
    g_assert_no_error(error);
}

static void teardown(Fixture *f, gconstpointer data)
{
    vb_remove_tree(f->dir);
    vb_identity_unref(f->identity);
    g_free(f->images);
    g_free(f->dir);
}

static char *make_file(Fixture *f, const char *name, mode_t mode)
{
    char *path = path_of(f, name);

    g_assert_true(g_file_set_contents(path, "contents", -1, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
    return path;
}

static int may(Fixture *f, const char *path, int mode)
{
    return vb_kernel_access(f->identity, AT_FDCWD, path, mode);
}

/* The list as it is stored; empty: there is none. */
static GBytes *stored_acl(const char *path)
{
    char bytes[4096];
    ssize_t size = getxattr(path, ACL_XATTR, bytes, sizeof bytes);

    return g_bytes_new(bytes, (gsize)MAX(size, 0));
}

static gboolean look(Fixture *f, const char *path, VbFileKinds kinds, gboolean write,
                     gboolean create, VbFileLook *ret_look, GError **error)
{
    VbFileWish wish = {(char *)path, kinds, write, create};

    return vb_file_look(&wish, f->bounds, f->identity, ret_look, error);
}

static void assert_refused(Fixture *f, const char *path, const char *word)
{
    g_autoptr(GError) error = NULL;
    VbFileLook found;

    g_assert_false(look(f, path, VB_FILE_REGULAR | VB_FILE_BLOCK, FALSE, FALSE, &found, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, word));
    g_assert_nonnull(strstr(error->message, path));
}

static VbFileGrant make_grant(Fixture *f, const VbFileLook *found)
{
    return (VbFileGrant){found->path, found->device, found->inode, f->identity->uid, found->before};
}

static void apply(Fixture *f, const VbFileGrant *grant, int permissions)
{
    g_autoptr(GError) error = NULL;
    gboolean missing;

    vb_file_grant_apply(grant, permissions, f->bounds, &missing, &error);
    g_assert_no_error(error);
}

/* ---- what a user may do -----------------------------------------------------------------------
 */

typedef struct {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[16];
    gsize n;
} List;

static void add_entry(List *list, guint16 tag, guint32 id)
{
    list->entries[list->n++] = (struct posix_acl_xattr_entry){
        GUINT16_TO_LE(tag), GUINT16_TO_LE((guint16)g_random_int_range(0, 8)), GUINT32_TO_LE(id)};
}

/* Any of these, or none of them; in the order that the kernel wants. */
static void add_named(List *list, guint16 tag, const guint32 *ids, gsize n_ids)
{
    for (gsize i = 0; i < n_ids; i++)
        if (g_random_boolean())
            add_entry(list, tag, ids[i]);
}

static void store_random_list(const char *path, const guint32 *ids, gsize n_ids)
{
    List list = {.header = {GUINT32_TO_LE(POSIX_ACL_XATTR_VERSION)}};
    const guint32 none = (guint32)ACL_UNDEFINED_ID;

    add_entry(&list, ACL_USER_OBJ, none);
    add_named(&list, ACL_USER, ids, n_ids);
    add_entry(&list, ACL_GROUP_OBJ, none);
    add_named(&list, ACL_GROUP, ids, n_ids);
    add_entry(&list, ACL_MASK, none);
    add_entry(&list, ACL_OTHER, none);
    g_assert_cmpint(
        setxattr(path, ACL_XATTR, &list, sizeof list.header + list.n * sizeof list.entries[0], 0),
        ==, 0);
}

/* Owners, modes and lists at random: what is made of them is what the kernel makes of them. */
static void test_as_the_kernel(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_file(f, "drawn", 0600);
    const guint32 ids[] = {0, 1, 2, f->identity->uid};
    const gsize n_ids = G_N_ELEMENTS(ids);
    const gid_t second = 1;
    guint n_allowed = 0, n_denied = 0;

    g_array_append_val(f->identity->groups, second);
    for (guint i = 0; i < 3000; i++) {
        g_autoptr(GError) error = NULL;
        guint wanted = (guint)g_random_int_range(1, 8);

        removexattr(path, ACL_XATTR);
        g_assert_cmpint(
            chown(path, ids[g_random_int_range(0, n_ids)], ids[g_random_int_range(0, n_ids)]), ==,
            0);
        g_assert_cmpint(chmod(path, (mode_t)g_random_int_range(0, 01000)), ==, 0);
        if (g_random_boolean())
            store_random_list(path, ids, n_ids);
        gboolean allowed = vb_file_acl_allows(path, path, f->identity, wanted, &error);
        g_assert_no_error(error);
        g_assert_cmpint(allowed, ==, may(f, path, (int)wanted) == 0);
        *(allowed ? &n_allowed : &n_denied) += 1;
    }
    g_assert_cmpuint(n_allowed, >, 300);
    g_assert_cmpuint(n_denied, >, 300);
}

/* ---- granting ---------------------------------------------------------------------------------
 */

static void test_grant(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_file(f, "disk", 0600);
    g_autoptr(GError) error = NULL;
    struct stat before, after;
    VbFileLook found;

    g_assert_cmpint(stat(path, &before), ==, 0);
    look(f, path, VB_FILE_REGULAR, TRUE, FALSE, &found, &error);
    g_assert_no_error(error);
    g_assert_false(found.accessible);
    g_assert_cmpint(may(f, path, R_OK), ==, EACCES);
    VbFileGrant grant = make_grant(f, &found);

    apply(f, &grant, 4);
    g_assert_cmpint(may(f, path, R_OK), ==, 0);
    g_assert_cmpint(may(f, path, W_OK), ==, EACCES);
    apply(f, &grant, 6);
    g_assert_cmpint(may(f, path, R_OK | W_OK), ==, 0);
    apply(f, &grant, 4);
    g_assert_cmpint(may(f, path, W_OK), ==, EACCES);

    apply(f, &grant, 0);
    g_assert_cmpint(may(f, path, R_OK), ==, EACCES);
    g_autoptr(GBytes) left = stored_acl(path);
    g_assert_cmpuint(g_bytes_get_size(left), ==, 0);
    g_assert_cmpint(stat(path, &after), ==, 0);
    g_assert_cmpuint(after.st_mode, ==, before.st_mode);
    g_assert_cmpuint(after.st_uid, ==, before.st_uid);
    /* Twice is as good as once. */
    apply(f, &grant, 0);
    vb_file_look_clear(&found);
}

static void test_accessible(Fixture *f, gconstpointer data)
{
    g_autofree char *readable = make_file(f, "readable", 0644);
    g_autofree char *own = make_file(f, "own", 0600);
    g_autoptr(GError) error = NULL;
    VbFileLook found;

    g_assert_cmpint(chown(own, f->identity->uid, 0), ==, 0);
    g_assert_true(look(f, readable, VB_FILE_REGULAR, FALSE, FALSE, &found, &error));
    g_assert_true(found.accessible);
    vb_file_look_clear(&found);
    g_assert_true(look(f, readable, VB_FILE_REGULAR, TRUE, FALSE, &found, &error));
    g_assert_false(found.accessible);
    vb_file_look_clear(&found);
    g_assert_true(look(f, own, VB_FILE_REGULAR, TRUE, FALSE, &found, &error));
    g_assert_true(found.accessible);
    vb_file_look_clear(&found);
}

/* What an administrator has put there, the user's own entry included, is there again afterwards. */
static void test_entries_of_others(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_file(f, "shared", 0640);
    g_autoptr(GError) error = NULL;
    VbFileLook found;

    g_assert_true(vb_file_acl_set(path, path, 1, 4, &error));
    g_assert_true(vb_file_acl_set(path, path, f->identity->uid, 4, &error));
    g_autoptr(GBytes) before = stored_acl(path);
    g_assert_cmpuint(g_bytes_get_size(before), >, 0);

    g_assert_true(look(f, path, VB_FILE_REGULAR, TRUE, FALSE, &found, &error));
    g_assert_false(found.accessible);
    g_assert_cmpint(found.before.entry, ==, 4);
    VbFileGrant grant = make_grant(f, &found);
    apply(f, &grant, 6);
    g_assert_cmpint(may(f, path, R_OK | W_OK), ==, 0);
    apply(f, &grant, 0);
    g_autoptr(GBytes) after = stored_acl(path);
    g_assert_true(g_bytes_equal(before, after));
    vb_file_look_clear(&found);
}

/* Somebody is named and kept out by the mask: to let us in would let him in. */
static void test_mask(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_file(f, "masked", 0600);
    g_autoptr(GError) error = NULL;
    VbFileLook found;
    gboolean missing;

    g_assert_true(vb_file_acl_set(path, path, 1, 6, &error));
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    g_autoptr(GBytes) before = stored_acl(path);
    g_assert_true(look(f, path, VB_FILE_REGULAR, TRUE, FALSE, &found, &error));
    VbFileGrant grant = make_grant(f, &found);
    g_assert_false(vb_file_grant_apply(&grant, 6, f->bounds, &missing, &error));
    g_assert_nonnull(strstr(error->message, "mask"));
    g_autoptr(GBytes) after = stored_acl(path);
    g_assert_true(g_bytes_equal(before, after));
    vb_file_look_clear(&found);
}

/* An entry that was added meanwhile by somebody else stays, with its effect. */
static void test_changed_meanwhile(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_file(f, "changed", 0600);
    g_autoptr(GError) error = NULL;
    VbFileLook found;
    VbFileEntry other;

    g_assert_true(look(f, path, VB_FILE_REGULAR, TRUE, FALSE, &found, &error));
    VbFileGrant grant = make_grant(f, &found);
    apply(f, &grant, 6);
    g_assert_true(vb_file_acl_set(path, path, 1, 4, &error));
    apply(f, &grant, 0);
    g_assert_cmpint(may(f, path, R_OK), ==, EACCES);
    g_assert_true(vb_file_acl_read(path, path, 1, &other, &error));
    g_assert_cmpint(other.entry, ==, 4);
    g_assert_cmpint(other.mask & 4, ==, 4);
    vb_file_look_clear(&found);
}

/* Another file in its place is not touched. */
static void test_replaced(Fixture *f, gconstpointer data)
{
    g_autofree char *path = make_file(f, "replaced", 0600);
    g_autofree char *aside = path_of(f, "aside");
    g_autoptr(GError) error = NULL;
    VbFileLook found;
    gboolean missing;

    g_assert_true(look(f, path, VB_FILE_REGULAR, FALSE, FALSE, &found, &error));
    VbFileGrant grant = make_grant(f, &found);
    g_assert_cmpint(rename(path, aside), ==, 0);
    g_free(make_file(f, "replaced", 0600));
    g_assert_false(vb_file_grant_apply(&grant, 4, f->bounds, &missing, &error));
    g_assert_true(missing);
    g_assert_cmpint(may(f, path, R_OK), ==, EACCES);
    vb_file_look_clear(&found);
}

/* ---- where a path leads -----------------------------------------------------------------------
 */

static void link_to(Fixture *f, const char *name, const char *target)
{
    g_autofree char *path = path_of(f, name);

    g_assert_cmpint(symlink(target, path), ==, 0);
}

static void test_links(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *link, *target, *path;
    } cases[] = {
        {"evil", "/etc/shadow", "evil"},
        {"root", "/", "root/etc/shadow"},
        {"up", "../../../../etc/passwd", "up"},
        {"dir", "..", "dir/outside"},
        {"proc", "/proc/self/root", "proc/etc/passwd"},
        {"chain", "evil", "chain"},
    };
    g_autofree char *outside = g_build_filename(f->dir, "outside", NULL);
    g_autofree char *dots = path_of(f, "../outside");
    g_autofree char *slashes = g_strconcat(f->dir, "//images/.//evil", NULL);
    g_autofree char *inner = path_of(f, "inner");
    g_autoptr(GError) error = NULL;
    VbFileLook found;

    g_assert_true(g_file_set_contents(outside, "secret", -1, NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = path_of(f, cases[i].path);
        link_to(f, cases[i].link, cases[i].target);
        assert_refused(f, path, "leads out of the image directory");
    }
    assert_refused(f, dots, "leads out");
    assert_refused(f, slashes, "leads out");

    /* Links that stay are as good as files. */
    g_free(make_file(f, "disk", 0600));
    link_to(f, "inner", "disk");
    g_assert_true(look(f, inner, VB_FILE_REGULAR, FALSE, FALSE, &found, &error));
    g_assert_true(g_str_has_suffix(found.path, "/images/disk"));
    vb_file_look_clear(&found);
}

/* A directory on the way becomes a link between two steps: each step finds out by itself. */
static void test_swapped(Fixture *f, gconstpointer data)
{
    g_autofree char *dir = path_of(f, "dir"), *disk = path_of(f, "dir/passwd");
    g_autofree char *aside = path_of(f, "aside");
    g_autoptr(GError) error = NULL;
    gboolean missing, exists;
    VbFileLook found;
    guint64 size;

    g_assert_cmpint(g_mkdir(dir, 0755), ==, 0);
    g_free(make_file(f, "dir/passwd", 0600));
    g_assert_true(look(f, disk, VB_FILE_REGULAR, FALSE, FALSE, &found, &error));
    VbFileGrant grant = make_grant(f, &found);
    g_assert_cmpint(rename(dir, aside), ==, 0);
    link_to(f, "dir", "/etc");

    g_assert_false(vb_file_grant_apply(&grant, 4, f->bounds, &missing, &error));
    g_assert_nonnull(strstr(error->message, "leads out"));
    g_clear_error(&error);
    g_assert_cmpint(vb_file_open(disk, f->bounds, &error), ==, -1);
    g_clear_error(&error);
    g_assert_false(vb_file_size(disk, f->bounds, &size, &error));
    g_clear_error(&error);
    g_assert_false(vb_file_unlink(disk, f->bounds, &error));
    g_clear_error(&error);
    g_assert_true(g_file_test("/etc/passwd", G_FILE_TEST_EXISTS));
    g_autofree char *fresh = path_of(f, "dir/virtbus-was-here");
    g_assert_cmpint(vb_file_create(fresh, f->bounds, &exists, &error), ==, -1);
    g_clear_error(&error);
    g_assert_false(vb_file_write_new(fresh, f->bounds, "x", 1, &error));
    g_assert_false(g_file_test("/etc/virtbus-was-here", G_FILE_TEST_EXISTS));
    vb_file_look_clear(&found);
}

static void test_kinds(Fixture *f, gconstpointer data)
{
    g_autofree char *fifo = path_of(f, "fifo"), *device = path_of(f, "null");
    g_autofree char *socket_path = path_of(f, "socket"), *file = make_file(f, "file", 0600);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    vb_autofd int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_autoptr(GError) error = NULL;
    VbFileLook found;

    g_assert_cmpint(mkfifo(fifo, 0666), ==, 0);
    assert_refused(f, fifo, "not a regular file");
    if (mknod(device, S_IFCHR | 0666, (1 << 8) | 3) == 0)
        assert_refused(f, device, "not a regular file");
    assert_refused(f, f->images, "not a regular file");

    g_strlcpy(address.sun_path, socket_path, sizeof address.sun_path);
    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(g_chmod(socket_path, 0600), ==, 0);
    assert_refused(f, socket_path, "not a regular file");
    g_assert_false(look(f, file, VB_FILE_SOCKET, TRUE, FALSE, &found, &error));
    g_clear_error(&error);
    g_assert_true(look(f, socket_path, VB_FILE_SOCKET, TRUE, FALSE, &found, &error));
    VbFileGrant grant = make_grant(f, &found);
    apply(f, &grant, 6);
    g_assert_cmpint(may(f, socket_path, W_OK), ==, 0);
    vb_file_look_clear(&found);
}

/* ---- what is missing --------------------------------------------------------------------------
 */

static void test_create(Fixture *f, gconstpointer data)
{
    g_autofree char *serial = path_of(f, "serial"), *nowhere = path_of(f, "no/where");
    g_autofree char *socket_path = path_of(f, "new.sock");
    g_autofree char *dangling = path_of(f, "dangling");
    g_autoptr(GError) error = NULL;
    struct stat info;
    VbFileLook found;

    assert_refused(f, serial, "does not exist");
    g_assert_true(look(f, serial, VB_FILE_REGULAR, TRUE, TRUE, &found, &error));
    g_assert_cmpint(stat(serial, &info), ==, 0);
    g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
    g_assert_cmpuint(info.st_uid, ==, 0);
    vb_file_look_clear(&found);

    g_assert_false(look(f, nowhere, VB_FILE_REGULAR, TRUE, TRUE, &found, &error));
    g_assert_nonnull(strstr(error->message, "images/no does not exist"));
    g_clear_error(&error);
    /* A link to nothing is not followed to make something. */
    link_to(f, "dangling", "made");
    g_assert_false(look(f, dangling, VB_FILE_REGULAR, TRUE, TRUE, &found, &error));
    g_clear_error(&error);

    /* A socket is made by the user, where that is possible. */
    g_assert_false(look(f, socket_path, VB_FILE_SOCKET, TRUE, TRUE, &found, &error));
    g_assert_nonnull(strstr(error->message, "may not write"));
    g_clear_error(&error);
    g_assert_cmpint(g_chmod(f->images, 0777), ==, 0);
    g_assert_true(look(f, socket_path, VB_FILE_SOCKET, TRUE, TRUE, &found, &error));
    g_assert_true(found.absent);
}

static void test_way(Fixture *f, gconstpointer data)
{
    g_autofree char *closed = path_of(f, "closed"), *disk = path_of(f, "closed/disk");

    g_assert_cmpint(g_mkdir(closed, 0700), ==, 0);
    g_free(make_file(f, "closed/disk", 0644));
    assert_refused(f, disk, "images/closed is closed to it");
}

static void test_write_new(Fixture *f, gconstpointer data)
{
    g_autofree char *path = path_of(f, "nvram");
    g_autofree char *contents = NULL;
    g_autoptr(GError) error = NULL;

    vb_file_write_new(path, f->bounds, "first", 5, &error);
    g_assert_no_error(error);
    vb_file_write_new(path, f->bounds, "second", 6, &error);
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &contents, NULL, NULL));
    g_assert_cmpstr(contents, ==, "first");
    g_assert_true(vb_file_unlink(path, f->bounds, &error));
    g_assert_true(vb_file_unlink(path, f->bounds, &error));
    /* Nothing else was left. */
    g_autoptr(GDir) dir = g_dir_open(f->images, 0, NULL);
    g_assert_null(g_dir_read_name(dir));
}

/* A file system that has no lists: proc, whose files are regular ones. */
static void test_no_acl(Fixture *f, gconstpointer data)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/environ", (int)getpid());
    g_autoptr(GError) error = NULL;
    VbFileLook found;
    gboolean missing;

    look(f, path, VB_FILE_REGULAR, FALSE, FALSE, &found, &error);
    g_assert_no_error(error);
    g_assert_false(found.accessible);
    VbFileGrant grant = make_grant(f, &found);
    g_assert_false(vb_file_grant_apply(&grant, 4, f->bounds, &missing, &error));
    g_assert_false(missing);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, "has no access control lists"));
    vb_file_look_clear(&found);
}

/* ---- who ----------------------------------------------------------------------------------- */

static void test_identity(Fixture *f, gconstpointer data)
{
    const char *const argv[] = {"/bin/true", "--all", NULL};
    g_autoptr(GError) error = NULL;
    VbIdentity *identity = f->identity;

    vb_identity_resolve("no-such-user-here", &identity, &error);
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "'no-such-user-here'"));
    g_assert_nonnull(strstr(error->message, "sysusers"));
    g_assert_true(vb_identity_resolve("root", &identity, NULL));
    g_assert_null(identity);
    g_assert_true(vb_identity_resolve(NULL, &identity, NULL));
    g_assert_null(identity);

    g_auto(GStrv) plain = vb_identity_command(NULL, argv);
    g_assert_cmpstrv(plain, argv);
    g_auto(GStrv) switched = vb_identity_command(f->identity, argv);
    g_assert_true(g_str_has_suffix(switched[0], "/setpriv"));
    g_assert_cmpstr(switched[g_strv_length(switched) - 1], ==, "--all");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (geteuid() != 0) {
        g_print("1..0 # SKIP only root can become another user\n");
        return 0;
    }
#define ADD(name, func) g_test_add("/file-access/" name, Fixture, NULL, setup, func, teardown)
    ADD("as-the-kernel", test_as_the_kernel);
    ADD("grant", test_grant);
    ADD("accessible", test_accessible);
    ADD("entries-of-others", test_entries_of_others);
    ADD("mask", test_mask);
    ADD("changed-meanwhile", test_changed_meanwhile);
    ADD("replaced", test_replaced);
    ADD("links", test_links);
    ADD("swapped", test_swapped);
    ADD("kinds", test_kinds);
    ADD("create", test_create);
    ADD("way", test_way);
    ADD("write-new", test_write_new);
    ADD("no-acl", test_no_acl);
    ADD("identity", test_identity);
    return g_test_run();
}
