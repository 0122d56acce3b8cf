/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing files. Definitions are durable (write, fsync, rename, fsync of the directory) and
 * therefore written by one writer thread, in the order they were given. Run-time records lie on
 * tmpfs, are written with rename and without fsync, and are small: that is done on the spot, so
 * that "persist, then emit" needs no round trip. */
#pragma once

#include <gio/gio.h>

typedef struct VbStore VbStore;

VbStore *vb_store_new(void);
/* Waits for what was given to the writer thread; its callbacks no longer come. */
void vb_store_free(VbStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbStore, vb_store_free)

/* Durably writes `contents` to `path` (0600), or removes `path` when contents is NULL. Not
 * cancellable: a write that has begun is finished. */
void vb_store_write_async(VbStore *store, const char *path, GBytes *contents,
                          GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_store_write_finish(VbStore *store, GAsyncResult *result, GError **error);

/* Run-time record, at once. */
gboolean vb_store_write_record(const char *path, const char *contents, gsize length,
                               GError **error);

/* Reads a file of at most `limit` bytes; a larger one is VB_ERROR_LIMITS_EXCEEDED. */
char *vb_store_read(const char *path, gsize limit, gsize *ret_length, GError **error);

/* What tells one state of a file from another without reading it; times in ns, CLOCK_REALTIME. */
typedef struct {
    guint64 inode, size;
    gint64 mtime, ctime;
    gint64 seen;    /* when it looked like that */
    guint64 digest; /* vb_store_digest() of its contents; 0: they were not read */
} VbFileStamp;

/* As vb_store_read(), with the stamp of what was read. */
char *vb_store_read_stamped(const char *path, gsize limit, gsize *ret_length,
                            VbFileStamp *ret_stamp, GError **error);
/* Without reading: the digest is 0. `directory` is a descriptor or AT_FDCWD. FALSE when it is no
 * regular file. */
gboolean vb_store_stat(int directory, const char *path, VbFileStamp *ret_stamp);
/* Had the file settled when it was seen? One that was changed a moment before may change again
 * within the same tick of its file system's clock, which no later stamp could tell. */
gboolean vb_file_stamp_is_settled(const VbFileStamp *stamp);
/* Is the file as it was then? Of the digest nothing is asked. */
gboolean vb_file_stamp_is_same(const VbFileStamp *then, const VbFileStamp *now);
/* Tells contents from others that came about by edits or accidents, not by malice. Never 0. */
guint64 vb_store_digest(gconstpointer data, gsize length);

/* Renames a file that cannot be read to <path>.broken and says so in the log. */
void vb_store_set_aside(const char *path, const GError *why);

/* Removes a run-time directory with all that is in it; follows no links, whoever made them. */
void vb_store_remove_tree(const char *path);
