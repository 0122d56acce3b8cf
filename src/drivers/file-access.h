/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files that a document names, as an unprivileged user is to use them: found without being led
 * astray, made where they are missing, and opened to that user by an entry in their access control
 * list. Owner and mode are never changed. Plain functions without state; they may hang with the
 * file system, and so are for worker threads. access.c keeps the books; image-chain-create.c and
 * vm-nvram.c make files with them.
 *
 * Whoever may name a path below an image directory need not be trusted with the host: such a path
 * is resolved by the kernel without leaving that directory, whatever the links say, now and when
 * the links are changed meanwhile. */
#pragma once

#include "identity.h"

typedef enum {
    VB_FILE_REGULAR = 1 << 0,
    VB_FILE_BLOCK = 1 << 1,
    VB_FILE_CHARACTER = 1 << 2,
    VB_FILE_SOCKET = 1 << 3,
} VbFileKinds;

typedef struct {
    char *path;        /* absolute */
    VbFileKinds kinds; /* anything else is an error */
    gboolean write;    /* else it is only read */
    gboolean create; /* a regular file that is missing is made, 0600; a socket that is missing will
                      * be made by the user, in a directory where that is possible */
} VbFileWish;

/* The image directories, NULL-terminated; NULL: there is no such restriction. */
typedef const char *const *VbFileBounds;

/* Textually: is it at or below one of them? (Whether it really is, the kernel finds out.) */
gboolean vb_file_is_inside(const char *path, VbFileBounds bounds);

/* What an access control list says of one user. */
typedef struct {
    int entry; /* 4: read, 2: write; -1: there is no entry */
    int mask;  /* -1: the list has none: nobody is named in it */
} VbFileEntry;

typedef struct {
    guint64 device, inode;
    char *path;          /* without links */
    gboolean absent;     /* a socket that is still to be made; nothing else is set */
    gboolean accessible; /* to the user, as wished */
    VbFileEntry before;
} VbFileLook;

void vb_file_look_clear(VbFileLook *look);

/* Finds the file (or makes it), and asks what `identity` may do with it; NULL: only whether it is
 * what was wished. Errors: VB_ERROR_FAILED, naming the path: missing, of another kind, out of its
 * image directory, or below a directory that the user cannot search, which is named. */
gboolean vb_file_look(const VbFileWish *wish, VbFileBounds bounds, const VbIdentity *identity,
                      VbFileLook *ret_look, GError **error);

/* Gives the user `permissions` (4, 6) on the file that was looked at, or, with 0, what was there
 * before. Fails when another file is there by now; *ret_missing is set then. */
typedef struct {
    char *path;
    guint64 device, inode;
    uid_t uid;
    VbFileEntry before;
} VbFileGrant;
gboolean vb_file_grant_apply(const VbFileGrant *grant, int permissions, VbFileBounds bounds,
                             gboolean *ret_missing, GError **error);

/* A descriptor for reading a regular file, or -1. */
int vb_file_open(const char *path, VbFileBounds bounds, GError **error);
/* A new, empty regular file, 0600, for writing; -1 with *ret_exists when there is something. */
int vb_file_create(const char *path, VbFileBounds bounds, gboolean *ret_exists, GError **error);
/* The same with contents, whole or not at all; one that is there stays as it is. */
gboolean vb_file_write_new(const char *path, VbFileBounds bounds, const char *contents, gsize size,
                           GError **error);
/* How many bytes a regular file has; FALSE with an error for anything else. */
gboolean vb_file_size(const char *path, VbFileBounds bounds, guint64 *ret_size, GError **error);
/* Removes what the path names, itself when it is a link. One that is not there is no error. */
gboolean vb_file_unlink(const char *path, VbFileBounds bounds, GError **error);
