/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What Domain.Block.Backup is given: libvirt's `<domainbackup>` document, push mode. */
#pragma once

#include "disk-def.h"

typedef struct {
    char *name;           /* the disk's target, or its source path: vb_domain_def_find_disk() */
    gboolean backup;      /* FALSE: backup='no', the disk is left out */
    VbDiskSource *target; /* where to; NULL: not given, then the driver makes a file's name from the
                           * disk's source */
    VbDiskFormat format;  /* of the target, also when that is NULL; qcow2 unless said otherwise */
    guint line;           /* for messages */
} VbBackupDiskDef;

typedef struct {
    GPtrArray *disks; /* of VbBackupDiskDef; empty: every disk that has a medium and is writable */
} VbBackupDef;

/* Errors: as vb_domain_def_parse(); mode='pull', <incremental> and checkpoints are NOT_SUPPORTED.
 */
VbBackupDef *vb_backup_def_parse(const char *xml, gssize len, GError **error);
void vb_backup_def_free(VbBackupDef *backup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbBackupDef, vb_backup_def_free)
