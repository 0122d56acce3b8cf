/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The index of stored definitions: what a list needs of each, with the stamp of the file that it
 * was taken from, in one file of the cache directory. A start looks at that and at the files'
 * stamps, and parses only what has changed. It is disposable: one that is torn, of another version
 * or not understood is as good as none. */
#pragma once

#include "store.h"

typedef struct VbDefinitionIndex VbDefinitionIndex; /* immutable */

typedef struct {
    GBytes *summary; /* vb_domain_summary_pack() */
    VbFileStamp stamp;
} VbIndexEntry;

/* The file that vb_definition_index_format() made; it is mapped, and may be replaced (not written
 * to) meanwhile. Errors: FAILED, also when there is none. */
VbDefinitionIndex *vb_definition_index_open(const char *path, GError **error);
VbDefinitionIndex *vb_definition_index_new(GBytes *contents, GError **error);
void vb_definition_index_free(VbDefinitionIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDefinitionIndex, vb_definition_index_free)

guint vb_definition_index_size(const VbDefinitionIndex *index);
/* The summary in it (transfer full), which outlives the index, if it was taken from the file as it
 * is now, of which `now` needs no digest. NULL: the file is to be parsed. */
GBytes *vb_definition_index_find(const VbDefinitionIndex *index, const char *uuid,
                                 const VbFileStamp *now, VbFileStamp *ret_stamp);

/* Sorts the entries (of VbIndexEntry). */
GByteArray *vb_definition_index_format(GArray *entries);
