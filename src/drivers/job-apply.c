/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns what a job does to the chain of its disk in a definition. Images are told by their storage,
 * so that the same code serves the live definition (whole chains) and the stored one (often only
 * the top image). Pure; see job.h. */
#include "job.h"

#include "core-private.h"

static VbDiskDef *find_disk(const VbDomainDef *def, const char *target)
{
    for (guint i = 0; i < def->disks->len; i++) {
        VbDiskDef *disk = g_ptr_array_index(def->disks, i);
        if (g_strcmp0(disk->target, target) == 0)
            return disk;
    }
    return NULL;
}

static VbDiskSource *find_image(VbDiskSource *chain, const VbDiskSource *image)
{
    for (VbDiskSource *at = chain; at && image; at = at->backing)
        if (vb_disk_source_same_storage(at, image))
            return at;
    return NULL;
}

/* Cuts the images below `overlay` down to `base` (NULL: all of them). */
static gboolean cut(VbDiskSource *overlay, const VbDiskSource *base)
{
    VbDiskSource *kept = find_image(overlay->backing, base);

    if (!overlay->backing || overlay->backing == kept || (base && !kept))
        return FALSE;
    VbDiskSource *last = overlay->backing;
    while (last->backing != kept)
        last = last->backing;
    last->backing = NULL;
    vb_disk_source_free(overlay->backing);
    overlay->backing = kept;
    overlay->backing_known = TRUE;
    return TRUE;
}

static void replace_source(VbDiskDef *disk, VbDiskSource *source)
{
    vb_disk_source_free(disk->source);
    disk->source = source;
}

static gboolean switch_to_base(const VbJob *job, VbDiskDef *disk)
{
    VbDiskSource *base = find_image(disk->source, job->base);

    if (base == disk->source)
        return FALSE;
    if (!base) {
        /* The definition does not tell the chain: it goes on not telling. */
        replace_source(disk, vb_disk_source_copy(job->base));
        return TRUE;
    }
    VbDiskSource *above = disk->source;
    while (above->backing != base)
        above = above->backing;
    above->backing = NULL;
    replace_source(disk, base);
    return TRUE;
}

static gboolean switch_to_copy(const VbJob *job, VbDiskDef *disk)
{
    VbDiskSource *target = vb_disk_source_copy(job->spec->target);

    if (!disk->source->backing_known) {
        /* The definition does not tell the chain: it goes on not telling. */
        g_clear_pointer(&target->backing, vb_disk_source_free);
        target->backing_known = FALSE;
    } else {
        if (job->spec->shallow && !target->backing)
            target->backing = g_steal_pointer(&disk->source->backing);
        target->backing_known = TRUE;
    }
    replace_source(disk, target);
    return TRUE;
}

gboolean vb_job_apply(const VbJob *job, VbDomainDef *def)
{
    VbDiskDef *disk = find_disk(def, job->info.disk);

    if (!disk || !disk->source || !job->source ||
        !vb_disk_source_same_storage(disk->source, job->source))
        return FALSE;
    switch (job->info.type) {
    case VB_JOB_PULL:
        return cut(disk->source, job->base);
    case VB_JOB_COMMIT:
        for (VbDiskSource *overlay = disk->source; overlay; overlay = overlay->backing)
            if (overlay->backing && vb_disk_source_same_storage(overlay->backing, job->top))
                return cut(overlay, job->base);
        return FALSE;
    case VB_JOB_ACTIVE_COMMIT:
        return switch_to_base(job, disk);
    case VB_JOB_COPY:
        return switch_to_copy(job, disk);
    case VB_JOB_BACKUP:
        return FALSE;
    }
    return FALSE;
}

static const VbDiskSource *switch_target(const VbJob *job)
{
    return job->info.type == VB_JOB_COPY ? job->spec->target : job->base;
}

gboolean vb_job_is_applied(const VbJob *job, const VbDomainDef *def)
{
    VbDiskDef *disk = find_disk(def, job->info.disk);
    const VbDiskSource *target = switch_target(job);

    return vb_job_can_pivot(job) && target && disk && disk->source &&
           vb_disk_source_same_storage(disk->source, target);
}

gboolean vb_job_unapply(const VbJob *job, VbDomainDef *def)
{
    VbDiskDef *disk = find_disk(def, job->info.disk);

    if (!vb_job_is_applied(job, def))
        return FALSE;
    /* The image itself knows what is behind it. */
    replace_source(disk, vb_disk_source_copy(job->source));
    return TRUE;
}
