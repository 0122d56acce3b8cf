/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns how jobs begin: what was asked for is checked against the live chain, recorded, handed to
 * the driver, announced, and held until the caller has its answer. Also the list of a domain's
 * jobs. See job.h. */
#include "job.h"

#include <glib/gstdio.h>

#include "core-private.h"

typedef struct {
    VbDomain *domain;
    GPtrArray *specs; /* of VbJobSpec, until the jobs are made of them */
    GPtrArray *jobs;  /* of VbJob */
    guint uid;
} Start;

static void start_free(Start *start)
{
    vb_domain_unref(start->domain);
    g_clear_pointer(&start->specs, g_ptr_array_unref);
    g_clear_pointer(&start->jobs, g_ptr_array_unref);
    g_free(start);
}

/* ---- the list ---------------------------------------------------------------------------------
 */

GPtrArray *vb_domain_jobs(const VbDomain *domain)
{
    return domain->jobs;
}

GPtrArray *vb_domain_take_jobs(VbDomain *domain)
{
    GPtrArray *jobs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_unref);

    for (guint i = 0; i < domain->jobs->len; i++)
        g_ptr_array_add(jobs, vb_job_ref(g_ptr_array_index(domain->jobs, i)));
    return jobs;
}

static VbJob *find_live(GPtrArray *jobs, const char *disk)
{
    for (guint i = 0; i < jobs->len; i++) {
        VbJob *job = g_ptr_array_index(jobs, i);
        if (vb_job_is_live(job) && g_str_equal(job->info.disk, disk))
            return job;
    }
    return NULL;
}

VbJob *vb_domain_live_job(const VbDomain *domain, const char *disk)
{
    return find_live(domain->jobs, disk);
}

static VbJob *find_id(GPtrArray *jobs, const char *id)
{
    for (guint i = 0; i < jobs->len; i++) {
        VbJob *job = g_ptr_array_index(jobs, i);
        if (g_str_equal(job->info.id, id))
            return job;
    }
    return NULL;
}

VbJob *vb_domain_job_by_id(const VbDomain *domain, const char *id)
{
    VbJob *job = find_id(domain->jobs, id);

    return job ? job : find_id(domain->starting, id);
}

void vb_domain_remove_job(VbDomain *domain, VbJob *job)
{
    g_autoptr(VbJob) keep = vb_job_ref(job);
    g_autoptr(VbDomain) keep_domain = vb_domain_ref(domain);

    if (job->removed)
        return;
    job->removed = TRUE;
    /* What a job left in the hypervisor is found by its record: that goes when all is cleaned. */
    if (!g_ptr_array_find(domain->cleaning, job, NULL))
        vb_job_record_remove(job);
    if (!domain->live)
        g_rmdir(domain->run_dir);
    vb_host_forget_concluded(domain->host, job);
    VB_EMIT(domain->host, job_removed, job);
    g_ptr_array_remove(domain->jobs, job);
    if (vb_job_is_live(job))
        VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_BLOCK_JOBS);
}

/* ---- what is asked for ------------------------------------------------------------------------
 */

static VbDiskSource *find_image(VbDiskSource *chain, const char *name)
{
    for (VbDiskSource *image = chain; image; image = image->backing) {
        g_autofree char *string = vb_disk_source_to_string(image);
        if (g_strcmp0(image->path, name) == 0 || g_str_equal(string, name))
            return image;
    }
    return NULL;
}

/* One image of a chain, without what is behind it. */
static VbDiskSource *single_image(VbDiskSource *image)
{
    VbDiskSource *backing = g_steal_pointer(&image->backing);
    VbDiskSource *single = vb_disk_source_copy(image);

    image->backing = backing;
    single->backing_known = FALSE;
    return single;
}

/* The images from `top` down to, and without, `base`. */
static VbDiskSource *images_above(const VbDiskSource *top, const VbDiskSource *base)
{
    VbDiskSource *images = vb_disk_source_copy(top), *last = images;

    while (last->backing && !vb_disk_source_same_storage(last->backing, base))
        last = last->backing;
    g_clear_pointer(&last->backing, vb_disk_source_free);
    return images;
}

static gboolean resolve_base(const VbDiskDef *disk, VbDiskSource *top, const char *name,
                             VbDiskSource **ret_base, GError **error)
{
    VbDiskSource *base = find_image(top->backing, name);

    if (!base)
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "'%s' is not below the top image in the chain of disk '%s'", name,
                       disk->target);
    *ret_base = base;
    return TRUE;
}

static gboolean resolve_commit(VbJobSpec *spec, const VbDiskDef *disk, VbDiskSource **ret_top,
                               VbDiskSource **ret_base, GError **error)
{
    VbDiskSource *top = spec->top ? find_image(disk->source, spec->top) : disk->source;

    if (!top)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "'%s' is not in the chain of disk '%s'",
                       spec->top, disk->target);
    if (!top->backing)
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "disk '%s': there is no image below the top one to commit into",
                       disk->target);
    if (top == disk->source && !spec->active)
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "disk '%s': the active image is committed only with the option 'active'",
                       disk->target);
    if (spec->shallow && spec->base)
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "the options 'base' and 'shallow' exclude each other");
    spec->type = top == disk->source ? VB_JOB_ACTIVE_COMMIT : VB_JOB_COMMIT;
    *ret_top = top;
    *ret_base = top->backing;
    if (spec->base)
        return resolve_base(disk, top, spec->base, ret_base, error);
    while (!spec->shallow && (*ret_base)->backing)
        *ret_base = (*ret_base)->backing;
    return TRUE;
}

static gboolean is_used(const VbDomain *domain, const VbDiskSource *image)
{
    for (guint i = 0; i < domain->live->disks->len; i++) {
        const VbDiskDef *disk = g_ptr_array_index(domain->live->disks, i);
        for (VbDiskSource *at = disk->source; at; at = at->backing)
            if (vb_disk_source_same_storage(at, image))
                return TRUE;
    }
    return FALSE;
}

/* Of these jobs, the live one that writes to `image`; or NULL. */
static const VbJob *find_writer(const GPtrArray *jobs, const VbDiskSource *image)
{
    for (guint i = 0; i < jobs->len; i++) {
        const VbJob *job = g_ptr_array_index(jobs, i);

        if (vb_job_is_live(job) && job->spec && job->spec->target &&
            vb_disk_source_same_storage(job->spec->target, image))
            return job;
    }
    return NULL;
}

static gboolean resolve_target(VbDomain *domain, VbJobSpec *spec, const VbDiskDef *disk,
                               GError **error)
{
    if (spec->beside && g_strcmp0(spec->beside, disk->source->path) != 0)
        return vb_fail(error, VB_ERROR_INVALID_STATE,
                       "disk '%s' of domain '%s' has another image than %s by now", disk->target,
                       domain->info.name, spec->beside);
    if (!spec->target && spec->type == VB_JOB_BACKUP && disk->source->path) {
        /* As libvirt does it: beside the image, with the time in its name. */
        spec->target = vb_disk_source_new(VB_DISK_SOURCE_FILE, spec->target_format);
        spec->target->path = g_strdup_printf("%s.%" G_GINT64_FORMAT, disk->source->path,
                                             g_get_real_time() / G_USEC_PER_SEC);
    }
    if (!spec->target)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "disk '%s': the job needs a target",
                       disk->target);
    if (is_used(domain, spec->target)) {
        g_autofree char *name = vb_disk_source_to_string(spec->target);
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "disk '%s': the target %s is in use by domain '%s' itself", disk->target,
                       name, domain->info.name);
    }
    const VbJob *writer = find_writer(domain->jobs, spec->target);
    if (!writer)
        writer = find_writer(domain->starting, spec->target);
    if (writer) {
        g_autofree char *name = vb_disk_source_to_string(spec->target);
        return vb_fail(error, VB_ERROR_INVALID_ARGS,
                       "disk '%s': the target %s is that of the job of disk '%s' already",
                       disk->target, name, writer->info.disk);
    }
    if (spec->target->format == VB_DISK_FORMAT_DEFAULT)
        spec->target->format = disk->source->format;
    return TRUE;
}

/* A job as asked for, or NULL. */
static VbJob *make_job(VbDomain *domain, VbJobSpec *spec, GError **error)
{
    VbDiskDef *disk = vb_domain_def_find_disk(domain->live, spec->disk, error);
    VbDiskSource *top = NULL, *base = NULL;

    if (!disk)
        return NULL;
    VbJob *other = find_live(domain->jobs, disk->target);
    if (!other)
        other = find_live(domain->starting, disk->target);
    if (other) {
        g_set_error(error, VB_ERROR, VB_ERROR_BUSY,
                    "disk '%s' of domain '%s' has a live job already: job %u (%s)", disk->target,
                    domain->info.name, other->info.number, vb_job_type_to_string(other->info.type));
        return NULL;
    }
    if (!disk->source) {
        vb_fail(error, VB_ERROR_INVALID_ARGS, "disk '%s' of domain '%s' has no medium",
                disk->target, domain->info.name);
        return NULL;
    }
    if (disk->readonly && spec->type != VB_JOB_BACKUP) {
        vb_fail(error, VB_ERROR_INVALID_ARGS, "disk '%s' of domain '%s' is read-only", disk->target,
                domain->info.name);
        return NULL;
    }
    switch (spec->type) {
    case VB_JOB_PULL:
        if (spec->base && !resolve_base(disk, disk->source, spec->base, &base, error))
            return NULL;
        break;
    case VB_JOB_COMMIT:
    case VB_JOB_ACTIVE_COMMIT:
        if (!resolve_commit(spec, disk, &top, &base, error))
            return NULL;
        break;
    case VB_JOB_COPY:
    case VB_JOB_BACKUP:
        if (!resolve_target(domain, spec, disk, error))
            return NULL;
        break;
    }
    spec->top_index = top ? top->index : 0;
    spec->base_index = base ? base->index : 0;
    VbJob *job =
        vb_job_new(domain, vb_host_take_job_number(domain->host), spec->type, disk->target, spec);
    job->source = single_image(disk->source);
    job->top = top ? single_image(top) : NULL;
    job->base = base ? single_image(base) : NULL;
    job->committed = top && base && spec->delete_files ? images_above(top, base) : NULL;
    return job;
}

/* Is there room for so many more? */
static gboolean check_room(const VbHost *host, guint n, GError **error)
{
    GHashTableIter iter;
    VbDomain *domain;

    g_hash_table_iter_init(&iter, host->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&domain)) {
        n += domain->starting->len;
        for (guint i = 0; i < domain->jobs->len; i++)
            n += vb_job_is_live(g_ptr_array_index(domain->jobs, i));
    }
    if (n > VB_HOST_JOBS_MAX)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED, "%d jobs are running already",
                       VB_HOST_JOBS_MAX);
    return TRUE;
}

static gboolean check_domain(const VbDomain *domain, GError **error)
{
    VbDomainState state = domain->info.state;
    VbDomainOp op = domain->operation ? domain->operation->op : VB_DOMAIN_OP_NONE;

    if (!domain->info.driver->block_jobs) {
        g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED, "the driver '%s' has no block jobs",
                    domain->info.driver->name);
        return FALSE;
    }
    if (!domain->live || op == VB_DOMAIN_OP_DESTROY || domain->stopping ||
        (state != VB_DOMAIN_RUNNING && state != VB_DOMAIN_PAUSED &&
         state != VB_DOMAIN_PM_SUSPENDED)) {
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "domain '%s' is not running",
                    domain->info.name);
        return FALSE;
    }
    if (op == VB_DOMAIN_OP_START) {
        g_set_error(error, VB_ERROR, VB_ERROR_BUSY,
                    "domain '%s' is busy: its operation 'start' has not ended", domain->info.name);
        return FALSE;
    }
    if (!domain->info.responsive || domain->unreconciled) {
        g_set_error(error, VB_ERROR, VB_ERROR_TIMEOUT,
                    "the monitor of domain '%s' does not answer; only destroy works on it",
                    domain->info.name);
        return FALSE;
    }
    return TRUE;
}

/* ---- the start --------------------------------------------------------------------------------
 */

static void drop_starting(Start *start)
{
    for (guint i = 0; i < start->jobs->len; i++) {
        VbJob *job = g_ptr_array_index(start->jobs, i);
        job->removed = TRUE;
        vb_job_record_remove(job);
        g_ptr_array_remove(start->domain->starting, job);
    }
}

static void started(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Start *start = g_task_get_task_data(task);
    VbDomain *domain = start->domain;
    GError *error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error) || !domain->live) {
        if (!domain->live) {
            g_clear_error(&error);
            check_domain(domain, &error);
        }
        drop_starting(start);
        g_task_return_error(task, error);
        return;
    }
    for (guint i = 0; i < start->jobs->len; i++) {
        VbJob *job = g_ptr_array_index(start->jobs, i);
        job->started = TRUE;
        vb_job_update(job, 0);
        vb_job_save(job);
        g_ptr_array_add(domain->jobs, vb_job_ref(job));
        g_ptr_array_remove(domain->starting, job);
        VB_EMIT(domain->host, job_added, job);
    }
    VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_BLOCK_JOBS);
    vb_domain_arm_poll(domain);
    g_task_return_pointer(task, g_ptr_array_ref(start->jobs), (GDestroyNotify)g_ptr_array_unref);
}

static gboolean must_wait(Start *start)
{
    for (guint i = 0; i < start->jobs->len; i++) {
        VbJob *job = g_ptr_array_index(start->jobs, i);
        for (guint c = 0; c < start->domain->cleaning->len; c++) {
            VbJob *cleaning = g_ptr_array_index(start->domain->cleaning, c);
            if (g_str_equal(cleaning->info.disk, job->info.disk))
                return TRUE;
        }
    }
    return FALSE;
}

/* The jobs are on record, the disks are free of what was before. */
static void launch(GTask *task)
{
    Start *start = g_task_get_task_data(task);
    VbDomain *domain = start->domain;
    GError *error = NULL;

    if (!check_domain(domain, &error)) {
        drop_starting(start);
        g_task_return_error(task, error);
        return;
    }
    for (guint i = 0; i < start->jobs->len; i++)
        vb_job_save(g_ptr_array_index(start->jobs, i));
    domain->info.driver->jobs_start(domain->driver_self, domain, start->jobs,
                                    g_task_new(NULL, NULL, started, g_object_ref(task)));
}

void vb_domain_run_start_queue(VbDomain *domain)
{
    g_autoptr(GPtrArray) queue = g_steal_pointer(&domain->start_queue);

    domain->start_queue = g_ptr_array_new_with_free_func(g_object_unref);
    for (guint i = 0; i < queue->len; i++) {
        GTask *task = g_ptr_array_index(queue, i);
        if (domain->live && must_wait(g_task_get_task_data(task)))
            g_ptr_array_add(domain->start_queue, g_object_ref(task));
        else
            launch(task);
    }
}

/* A clean-up that failed is tried once more: the new job could trip over what is left. */
static void clean_again(Start *start)
{
    g_autoptr(GPtrArray) jobs = vb_domain_take_jobs(start->domain);

    for (guint i = 0; i < start->jobs->len; i++) {
        const VbJob *job = g_ptr_array_index(start->jobs, i);
        for (guint before = 0; before < jobs->len; before++) {
            VbJob *other = g_ptr_array_index(jobs, before);
            if (!vb_job_is_live(other) && g_str_equal(other->info.disk, job->info.disk))
                vb_job_clean(other);
        }
    }
}

static gboolean make_jobs(Start *start, GError **error)
{
    if (!check_domain(start->domain, error) ||
        !check_room(start->domain->host, start->specs->len, error))
        return FALSE;
    while (start->specs->len > 0) {
        VbJobSpec *spec = g_ptr_array_steal_index(start->specs, 0);
        VbJob *job = make_job(start->domain, spec, error);
        if (!job) {
            vb_job_spec_free(spec);
            return FALSE;
        }
        job->info.started_by_uid = start->uid;
        job->held = TRUE;
        g_ptr_array_add(start->jobs, job);
        g_ptr_array_add(start->domain->starting, vb_job_ref(job));
    }
    return TRUE;
}

void vb_jobs_start_async(VbDomain *domain, GPtrArray *specs, guint uid,
                         GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: a start that was sent to the hypervisor is followed to its end. */
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);
    Start *start = g_new0(Start, 1);
    GError *error = NULL;

    start->domain = vb_domain_ref(domain);
    start->specs = specs;
    start->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_unref);
    start->uid = uid;
    g_ptr_array_set_free_func(specs, (GDestroyNotify)vb_job_spec_free);
    g_task_set_task_data(task, start, (GDestroyNotify)start_free);

    if (!make_jobs(start, &error)) {
        drop_starting(start);
        g_task_return_error(task, error);
        return;
    }
    clean_again(start);
    if (must_wait(start))
        g_ptr_array_add(domain->start_queue, g_steal_pointer(&task));
    else
        launch(task);
}

GPtrArray *vb_jobs_start_finish(VbDomain *domain, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

void vb_job_release(VbJob *job)
{
    g_autoptr(VbJob) keep = vb_job_ref(job);

    if (!job->held)
        return;
    job->held = FALSE;
    vb_job_play_reports(job);
    vb_domain_check_gone(job->info.domain);
}
