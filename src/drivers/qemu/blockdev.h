/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Images as QEMU's block layer is told of them: two nodes for each image of a chain, a protocol
 * node
 * ("vb-vda-1-file": file, host_device or nbd) and on it a format node ("vb-vda-1": qcow2 or raw)
 * whose "backing" names the next image's format node. The number is VbDiskSource.index, unique
 * while the VM lives, so a node's name says which image of which disk it is, after a restart of the
 * daemon, too. Pure functions: the command line is built with them, and the nodes that a block job
 * adds. */
#pragma once

#include "disk-def.h"

#include <json-glib/json-glib.h>

/* Node names: at most 31 bytes, as QEMU wants them, for targets of up to 12. (transfer full) */
char *vb_blockdev_format_node(const char *target, guint index);
char *vb_blockdev_file_node(const char *target, guint index);

/* Reads such a name back: TRUE when `node` is one of disk `target`. */
gboolean vb_blockdev_parse_node(const char *node, const char *target, guint *ret_index,
                                gboolean *ret_is_file);

/* Numbers the images of a chain when its VM starts, counting *last_index up. Numbers that are there
 * already are of an earlier life, and overwritten. */
void vb_blockdev_assign_indexes(VbDiskSource *source, guint *last_index);

/* The protocol node of one image; its chain is not looked at. It is opened for writing when
 * somebody needs that (auto-read-only), so that a commit can make a backing image writable.
 * (transfer full) */
JsonObject *vb_blockdev_file(const VbDiskDef *disk, const VbDiskSource *source);

/* The format node on it. `backing` is the node name of the backing image; NULL is told to QEMU,
 * too: it never opens by itself what an image's header names. Cache, discard and detect-zeroes are
 * the disk's for each image, since a commit makes a backing image the disk's own. */
JsonObject *vb_blockdev_format(const VbDiskDef *disk, const VbDiskSource *source, gboolean writable,
                               const char *backing);

/* The chain from `source` to its end, bottom-up, each node after the one that it refers to: what
 * -blockdev and blockdev-add want one by one. Only the first image is `writable` (for a running
 * disk: !disk->readonly). Every image has an index. `backing` is what the last image stands on, a
 * node that exists; NULL for nothing. Array of JsonObject, empty for NULL (no medium). (transfer
 * full) */
GPtrArray *vb_blockdev_chain(const VbDiskDef *disk, const VbDiskSource *source, gboolean writable,
                             const char *backing);

/* The device's half of the cache mode: its "write-cache" property. */
gboolean vb_blockdev_write_cache(const VbDiskDef *disk);
