/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The <domainbackup> document. What is understood can be done: each disk has a name, and a place of
 * its own where it is to go. */
#include <gio/gio.h>

#include "backup-def.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void check_disk(const VbBackupDiskDef *disk)
{
    g_assert(disk->name && disk->name[0] && disk->line > 0);
    if (!disk->target)
        return;
    g_assert(disk->backup && disk->target->format == disk->format);
    g_assert(disk->format == VB_DISK_FORMAT_RAW || disk->format == VB_DISK_FORMAT_QCOW2);
    g_assert(disk->target->type != VB_DISK_SOURCE_NETWORK && !disk->target->backing);
    g_assert(g_path_is_absolute(disk->target->path));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbBackupDef) backup = vb_backup_def_parse((const char *)data, (gssize)size, &error);

    g_assert((backup == NULL) == (error != NULL));
    for (guint i = 0; backup && i < backup->disks->len; i++) {
        const VbBackupDiskDef *disk = backup->disks->pdata[i];

        check_disk(disk);
        for (guint j = 0; j < i; j++) {
            const VbBackupDiskDef *other = backup->disks->pdata[j];

            g_assert(!g_str_equal(disk->name, other->name));
            g_assert(!disk->target || !other->target ||
                     !vb_disk_source_same_storage(disk->target, other->target));
        }
    }
    return 0;
}
