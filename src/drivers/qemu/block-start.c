/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbBlockStart, the start of one or more jobs, all or none: the sweep of what an earlier job
 * left, the targets (their files, chains and nodes), then one command. Whatever was made for a
 * start that fails is undone before the failure is told. Called through VbDriver.jobs_start. */
#include "block-jobs-private.h"

#include "blockdev.h"
#include "error.h"
#include "image-chain-create.h"
#include "image-chain.h"
#include "qmp-args.h"

typedef struct {
    VbDomain *domain;
    VbQemuVm *vm;              /* may be over */
    GPtrArray *jobs;           /* of VbJob */
    guint current;             /* the job whose disk is swept, then whose target is made */
    GHashTable *names;         /* keep-relative: index of an image → its backing image's name */
    guint asked;               /* … the one that is being asked */
    GPtrArray *options;        /* of JsonObject: nodes of the current target, the next one first */
    GPtrArray *added;          /* names of the nodes that we added */
    GPtrArray *created;        /* paths of the files that we made */
    GError *error;             /* why it fails, while it is being undone */
    GCancellable *cancellable; /* the VM's: cancelled when the VM is over */
} VbBlockStart;

static void start_free(VbBlockStart *start)
{
    vb_vm_access_release(start->vm->access);
    vb_qemu_vm_unref(start->vm);
    vb_domain_unref(start->domain);
    g_ptr_array_unref(start->jobs);
    g_hash_table_unref(start->names);
    g_clear_pointer(&start->options, g_ptr_array_unref);
    g_ptr_array_unref(start->added);
    g_ptr_array_unref(start->created);
    g_clear_error(&start->error);
    g_object_unref(start->cancellable);
    g_free(start);
}

/* ---- failing -------------------------------------------------------------------------------- */

/* Tells why it failed: when QEMU went away in the midst of it, just that. */
static void start_return_error(GTask *task)
{
    VbBlockStart *start = g_task_get_task_data(task);
    const VbQemuVm *vm = vb_qemu_vm_of(start->domain);

    vb_vm_access_sync(start->vm->access);
    if (vm && vm->qmp && vb_qmp_state(vm->qmp) == VB_QMP_RUNNING)
        g_task_return_error(task, g_steal_pointer(&start->error));
    else
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                "domain '%s' stopped while the job was being started",
                                vb_domain_info(start->domain)->name);
}

static void start_unlinked(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    VbBlockStart *start = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;

    if (!vb_image_unlink_finish(result, &error)) {
        g_autofree char *message = g_steal_pointer(&start->error->message);
        start->error->message = g_strdup_printf("%s (and %s)", message, error->message);
    }
    start_return_error(task);
}

static void start_nodes_dropped(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GTask *task = user_data;
    VbBlockStart *start = g_task_get_task_data(task);

    /* What could not be dropped is found by the sweep before the disk's next job. */
    vb_block_nodes_drop_finish(result, NULL);
    g_ptr_array_add(start->created, NULL);
    vb_image_unlink_async((const char *const *)start->created->pdata,
                          vb_vm_access_bounds(start->vm->access), start_unlinked, task);
}

/* Takes the error. */
static void start_fail(GTask *task, GError *error)
{
    VbBlockStart *start = g_task_get_task_data(task);
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    start->error = error;
    for (guint i = start->added->len; i > 0; i--)
        g_ptr_array_add(names, start->added->pdata[i - 1]);
    g_ptr_array_add(names, NULL);
    /* When the VM is over its nodes are, too, and this fails at once. */
    vb_block_nodes_drop_async(start->domain, (const char *const *)names->pdata, start->cancellable,
                              start_nodes_dropped, g_object_ref(task));
}

/* ---- the command ---------------------------------------------------------------------------- */

static const VbDiskDef *job_disk(const VbJob *job, GError **error)
{
    const VbJobInfo *info = vb_job_info(job);

    return vb_domain_def_find_disk(vb_domain_def(info->domain), info->disk, error);
}

/* The image behind which the one with this index stands, or NULL with an error. */
static const VbDiskSource *image_above(const VbDiskDef *disk, guint index, GError **error)
{
    for (const VbDiskSource *image = disk->source; image; image = image->backing)
        if (image->backing && image->backing->index == index)
            return image;
    g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "disk '%s' has no image %s[%u] any more",
                disk->target, disk->target, index);
    return NULL;
}

/* The name of image `base_index` as seen from `overlay`, put together from the relative names that
 * the headers in between have; NULL with an error when one of them has an absolute name. */
static char *relative_name(GHashTable *names, const VbDiskDef *disk, const VbDiskSource *overlay,
                           guint base_index, GError **error)
{
    g_autofree char *name = NULL;

    for (const VbDiskSource *image = overlay; image->index != base_index; image = image->backing) {
        const char *recorded = g_hash_table_lookup(names, GUINT_TO_POINTER(image->index));

        if (!recorded || g_path_is_absolute(recorded) || image->type != VB_DISK_SOURCE_FILE ||
            image->backing->type != VB_DISK_SOURCE_FILE) {
            g_autofree char *path = vb_disk_source_to_string(image);
            g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                        "image %s does not name its backing image by a relative path: there is "
                        "none to keep",
                        path);
            return NULL;
        }
        g_autofree char *directory = name ? g_path_get_dirname(name) : g_strdup(".");
        g_free(name);
        name = g_str_equal(directory, ".") ? g_strdup(recorded)
                                           : g_build_filename(directory, recorded, NULL);
    }
    return g_steal_pointer(&name);
}

/* What `overlay` is to call its new backing image, the job's base; NULL with an error. It is always
 * said: by itself QEMU may write a description of the node ("json:…"), which only QEMU can read. */
static char *backing_file(const VbBlockStart *start, const VbJobSpec *spec, const VbDiskDef *disk,
                          const VbDiskSource *overlay, GError **error)
{
    const VbDiskSource *above = image_above(disk, spec->base_index, error);

    if (!overlay || !above)
        return NULL;
    if (spec->keep_relative)
        return relative_name(start->names, disk, overlay, spec->base_index, error);
    return vb_disk_source_to_string(above->backing);
}

static JsonObject *pull_arguments(const VbBlockStart *start, const VbJobSpec *spec,
                                  const VbDiskDef *disk, GError **error)
{
    g_autofree char *base_node = NULL;
    g_autofree char *name = NULL;

    if (spec->base_index > 0) {
        base_node = vb_blockdev_format_node(disk->target, spec->base_index);
        name = backing_file(start, spec, disk, disk->source, error);
        if (!name)
            return NULL;
    }
    return vb_qmp_args(VB_ARG_STRING("base-node", base_node), VB_ARG_STRING("backing-file", name),
                       VB_ARG_BOOL("auto-finalize", TRUE));
}

static JsonObject *commit_arguments(const VbBlockStart *start, const VbJobSpec *spec,
                                    const VbDiskDef *disk, gboolean active, GError **error)
{
    g_autofree char *base_node = vb_blockdev_format_node(disk->target, spec->base_index);
    g_autofree char *top_node = NULL;
    g_autofree char *name = NULL;

    if (!active) {
        top_node = vb_blockdev_format_node(disk->target, spec->top_index);
        name = backing_file(start, spec, disk, image_above(disk, spec->top_index, error), error);
        if (!name)
            return NULL;
    }
    return vb_qmp_args(VB_ARG_STRING("top-node", top_node), VB_ARG_STRING("base-node", base_node),
                       VB_ARG_STRING("backing-file", name), VB_ARG_BOOL("auto-finalize", !active));
}

static JsonObject *copy_arguments(const VbJobSpec *spec, const VbDiskDef *disk)
{
    g_autofree char *target = vb_blockdev_format_node(disk->target, spec->target->index);

    return vb_qmp_args(
        VB_ARG_STRING("target", target), VB_ARG_STRING("sync", spec->shallow ? "top" : "full"),
        VB_ARG_IF(spec->granularity > 0, VB_ARG_INT("granularity", (gint64)spec->granularity)),
        VB_ARG_IF(spec->buffer_size > 0, VB_ARG_INT("buf-size", (gint64)spec->buffer_size)),
        VB_ARG_IF(spec->synchronous_writes, VB_ARG_STRING("copy-mode", "write-blocking")),
        VB_ARG_BOOL("auto-finalize", FALSE));
}

static JsonObject *backup_arguments(const VbJobSpec *spec, const VbDiskDef *disk)
{
    g_autofree char *target = vb_blockdev_format_node(disk->target, spec->target->index);

    return vb_qmp_args(VB_ARG_STRING("target", target), VB_ARG_STRING("sync", "full"),
                       VB_ARG_BOOL("auto-finalize", TRUE));
}

static const char *const commands[] = {
    [VB_JOB_PULL] = "block-stream",      [VB_JOB_COPY] = "blockdev-mirror",
    [VB_JOB_COMMIT] = "block-commit",    [VB_JOB_ACTIVE_COMMIT] = "block-commit",
    [VB_JOB_BACKUP] = "blockdev-backup",
};

/* Jobs never dismiss themselves, so that a daemon that was away finds how they ended; and what
 * changes the disk's root waits in "pending" until its new definition is stored. An I/O error ends
 * the job (QEMU's default, "report"). */
static JsonObject *job_arguments(const VbBlockStart *start, const VbJob *job, GError **error)
{
    const VbJobInfo *info = vb_job_info(job);
    const VbJobSpec *spec = vb_job_spec(job);
    const VbDiskDef *disk = job_disk(job, error);
    JsonObject *arguments = NULL;

    if (!disk)
        return NULL;
    switch (info->type) {
    case VB_JOB_PULL:
        arguments = pull_arguments(start, spec, disk, error);
        break;
    case VB_JOB_COMMIT:
    case VB_JOB_ACTIVE_COMMIT:
        arguments = commit_arguments(start, spec, disk, info->type == VB_JOB_ACTIVE_COMMIT, error);
        break;
    case VB_JOB_COPY:
        arguments = copy_arguments(spec, disk);
        break;
    case VB_JOB_BACKUP:
        arguments = backup_arguments(spec, disk);
        break;
    }
    if (!arguments)
        return NULL;

    g_autofree char *root = vb_blockdev_format_node(disk->target, disk->source->index);
    vb_qmp_args_add(arguments, VB_ARG_STRING("job-id", info->id), VB_ARG_STRING("device", root),
                    VB_ARG_BOOL("auto-dismiss", FALSE),
                    VB_ARG_IF(spec->bandwidth > 0, VB_ARG_INT("speed", (gint64)spec->bandwidth)));
    return arguments;
}

static void start_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);

    if (reply)
        g_task_return_boolean(task, TRUE);
    else
        start_fail(task, error);
}

static void start_send(GTask *task)
{
    VbBlockStart *start = g_task_get_task_data(task);
    VbQemuVm *vm = vb_qemu_vm_of(start->domain);
    g_autoptr(JsonArray) actions = json_array_new();
    g_autoptr(JsonObject) only = NULL;
    const char *command = NULL;
    GError *error = NULL;

    for (guint i = 0; i < start->jobs->len; i++) {
        VbJob *job = g_ptr_array_index(start->jobs, i);
        JsonObject *arguments = job_arguments(start, job, &error);

        if (!arguments) {
            start_fail(task, error);
            return;
        }
        command = commands[vb_job_info(job)->type];
        if (start->jobs->len == 1)
            only = arguments;
        else
            json_array_add_object_element(actions, vb_qmp_args(VB_ARG_STRING("type", command),
                                                               VB_ARG_OBJECT("data", arguments)));
    }
    if (!vm || !vm->qmp) {
        start_fail(task, g_error_new(VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                     "the monitor of domain '%s' is gone",
                                     vb_domain_info(start->domain)->name));
        return;
    }
    if (!only) {
        command = "transaction";
        only =
            vb_qmp_args(VB_ARG_ARRAY("actions", g_steal_pointer(&actions)),
                        VB_ARG_OBJECT("properties",
                                      vb_qmp_args(VB_ARG_STRING("completion-mode", "individual"))));
    }
    /* Whoever finds the job after a crash has to know the nodes of its target. */
    for (guint i = 0; i < start->jobs->len; i++)
        if (vb_job_spec(g_ptr_array_index(start->jobs, i))->target)
            vb_job_save(g_ptr_array_index(start->jobs, i));
    /* No deadline, unlike everything else: a job that begins after we gave it up would be nobody's.
     * QEMU answers, or ends. */
    vb_qmp_call_async(vm->qmp, command, g_steal_pointer(&only), VB_QMP_NO_TIMEOUT,
                      start->cancellable, start_answered, g_object_ref(task));
}

/* ---- the targets ---------------------------------------------------------------------------- */

static void start_next_target(GTask *task);
static void start_add_node(GTask *task);

static void start_node_added(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    VbBlockStart *start = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);

    if (!reply) {
        const VbJob *job = g_ptr_array_index(start->jobs, start->current);
        g_autofree char *target = vb_disk_source_to_string(vb_job_spec(job)->target);
        /* After a timeout it may have been done all the same: only a refusal is certain. */
        if (vb_qmp_call_error_class(result) != VB_QMP_ERROR_NONE)
            g_ptr_array_remove_index(start->added, start->added->len - 1);
        g_prefix_error(&error, "target %s: ", target);
        start_fail(task, error);
        return;
    }
    start_add_node(task);
}

static void start_add_node(GTask *task)
{
    VbBlockStart *start = g_task_get_task_data(task);

    if (start->options->len == 0) {
        start->current++;
        start_next_target(task);
        return;
    }
    JsonObject *options = g_ptr_array_steal_index(start->options, 0);
    g_ptr_array_add(start->added, g_strdup(json_object_get_string_member(options, "node-name")));
    vb_block_call_async(start->domain, "blockdev-add", options, start->cancellable,
                        start_node_added, g_object_ref(task));
}

/* The target's images are there: now their nodes. `backing` is the node that they stand on. */
static void start_add_target(GTask *task, const char *backing)
{
    VbBlockStart *start = g_task_get_task_data(task);
    const VbJob *job = g_ptr_array_index(start->jobs, start->current);
    const VbJobSpec *spec = vb_job_spec(job);
    VbQemuVm *vm = vb_qemu_vm_of(start->domain);
    GError *error = NULL;
    const VbDiskDef *disk = job_disk(job, &error);

    if (!disk || !vm) {
        if (!error)
            error = g_error_new(VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "domain '%s' is not running",
                                vb_domain_info(start->domain)->name);
        start_fail(task, error);
        return;
    }
    for (VbDiskSource *image = spec->target; image; image = image->backing)
        image->index = vb_qemu_vm_next_index(vm);
    g_clear_pointer(&start->options, g_ptr_array_unref);
    start->options = vb_blockdev_chain(disk, spec->target, TRUE, backing);
    start_add_node(task);
}

static void start_target_granted(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;

    if (vb_vm_access_grant_finish(result, &error))
        start_add_target(task, NULL);
    else
        start_fail(task, error);
}

/* The images behind a target that exists already. */
static void start_chain_detected(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    VbBlockStart *start = g_task_get_task_data(task);
    const VbJob *job = g_ptr_array_index(start->jobs, start->current);
    VbDiskSource *target = vb_job_spec(job)->target;
    GError *error = NULL;
    g_autoptr(VbDiskSource) chain = vb_image_chain_detect_finish(result, &error);

    if (!chain) {
        start_fail(task, error);
        return;
    }
    vb_disk_source_free(target->backing);
    target->backing = g_steal_pointer(&chain->backing);
    target->backing_known = TRUE;
    vb_vm_access_grant_async(start->vm->access, vb_disk_source_host_resources(target, TRUE),
                             start->cancellable, start_target_granted, g_object_ref(task));
}

static void start_file_created(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    VbBlockStart *start = g_task_get_task_data(task);
    const VbJob *job = g_ptr_array_index(start->jobs, start->current);
    const VbJobSpec *spec = vb_job_spec(job);
    g_autofree char *backing = NULL;
    GError *error = NULL;
    gboolean created;

    if (!vb_image_create_finish(result, &created, &error)) {
        start_fail(task, error);
        return;
    }
    if (created)
        g_ptr_array_add(start->created, g_strdup(spec->target->path));
    const VbDiskDef *disk = job_disk(job, &error);
    if (!disk) {
        start_fail(task, error);
        return;
    }
    /* A shallow copy shares the images behind the source, with the nodes that they have already. */
    if (spec->shallow && disk->source->backing)
        backing = vb_blockdev_format_node(disk->target, disk->source->backing->index);
    start_add_target(task, backing);
}

/* The core has seen to it that the target is none of the domain's own images. */
static gboolean check_target(const VbBlockStart *start, const VbJobSpec *spec,
                             const VbDiskDef *disk, GError **error)
{
    g_autofree char *name = vb_disk_source_to_string(spec->target);

    for (guint i = 0; i < start->current; i++) {
        const VbJob *job = g_ptr_array_index(start->jobs, i);

        if (vb_disk_source_same_storage(vb_job_spec(job)->target, spec->target)) {
            g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                        "target %s is given for disk '%s' already", name, vb_job_info(job)->disk);
            return FALSE;
        }
    }
    if (spec->target->backing && !spec->reuse_external) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "target %s is to be made: what is behind it follows from the option 'shallow'",
                    name);
        return FALSE;
    }
    if (spec->shallow && disk->source->backing && spec->target->format == VB_DISK_FORMAT_RAW &&
        !spec->reuse_external) {
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS,
                    "target %s is raw: a shallow copy needs a format that can have a backing image",
                    name);
        return FALSE;
    }
    return TRUE;
}

/* The target is to be as large as the disk. */
static void start_size_known(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    VbBlockStart *start = g_task_get_task_data(task);
    const VbJobSpec *spec = vb_job_spec(g_ptr_array_index(start->jobs, start->current));
    GError *error = NULL;
    g_autoptr(VbImageInfo) info = vb_image_info_finish(result, &error);
    const VbDiskDef *disk =
        info ? job_disk(g_ptr_array_index(start->jobs, start->current), &error) : NULL;

    if (!disk) {
        start_fail(task, error);
        return;
    }
    spec->target->backing_known = TRUE;
    vb_image_create_async(spec->target, info->size, spec->shallow ? disk->source->backing : NULL,
                          vb_vm_access_gate(start->vm->access), start->cancellable,
                          start_file_created, g_object_ref(task));
}

static void start_commits_granted(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;

    if (vb_vm_access_grant_finish(result, &error))
        start_send(task);
    else
        start_fail(task, error);
}

/* A commit writes where QEMU only reads otherwise. */
static void start_grant_commits(GTask *task)
{
    const VbBlockStart *start = g_task_get_task_data(task);
    GPtrArray *resources = g_ptr_array_new_with_free_func((GDestroyNotify)vb_host_resource_free);

    for (guint i = 0; i < start->jobs->len; i++) {
        const VbJob *job = g_ptr_array_index(start->jobs, i);
        const VbJobInfo *info = vb_job_info(job);
        const VbJobSpec *spec = vb_job_spec(job);

        if (info->type == VB_JOB_COMMIT || info->type == VB_JOB_ACTIVE_COMMIT)
            g_ptr_array_extend_and_steal(
                resources, vb_vm_access_commit_resources(vb_domain_def(start->domain), info->disk,
                                                         spec->top_index, spec->base_index));
    }
    vb_vm_access_grant_async(start->vm->access, resources, start->cancellable,
                             start_commits_granted, g_object_ref(task));
}

static void start_next_target(GTask *task)
{
    VbBlockStart *start = g_task_get_task_data(task);
    GError *error = NULL;

    if (start->current == start->jobs->len) {
        start_grant_commits(task);
        return;
    }
    const VbJob *job = g_ptr_array_index(start->jobs, start->current);
    const VbJobSpec *spec = vb_job_spec(job);
    const VbDiskDef *disk = job_disk(job, &error);

    if (!disk) {
        start_fail(task, error);
        return;
    }
    if (!spec->target) {
        start->current++;
        start_next_target(task);
        return;
    }
    if (!check_target(start, spec, disk, &error)) {
        start_fail(task, error);
        return;
    }
    /* Only files are made; a block device and an NBD export are used as they are. */
    if (spec->reuse_external || spec->target->type != VB_DISK_SOURCE_FILE) {
        vb_image_chain_detect_async(spec->target, vb_vm_access_gate(start->vm->access), NULL,
                                    start->cancellable, start_chain_detected, g_object_ref(task));
        return;
    }

    vb_image_info_async(disk->source, vb_vm_access_gate(start->vm->access), start->cancellable,
                        start_size_known, g_object_ref(task));
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void start_ask_next_name(GTask *task);

static void start_name_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    VbBlockStart *start = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(VbImageInfo) info = vb_image_info_finish(result, &error);

    if (!info) {
        start_fail(task, error);
        return;
    }
    g_hash_table_insert(start->names, GUINT_TO_POINTER(start->asked),
                        g_steal_pointer(&info->backing_name));
    start_ask_next_name(task);
}

/* The names in the headers that a job with keep-relative goes by: of each image above its base. */
static void start_ask_next_name(GTask *task)
{
    VbBlockStart *start = g_task_get_task_data(task);
    const VbJobSpec *spec = vb_job_spec(g_ptr_array_index(start->jobs, 0));
    GError *error = NULL;
    const VbDiskDef *disk = job_disk(g_ptr_array_index(start->jobs, 0), &error);

    if (!disk) {
        start_fail(task, error);
        return;
    }
    for (const VbDiskSource *image = disk->source;
         spec->keep_relative && image && image->index != spec->base_index; image = image->backing) {
        if (g_hash_table_contains(start->names, GUINT_TO_POINTER(image->index)))
            continue;
        start->asked = image->index;
        vb_image_info_async(image, vb_vm_access_gate(start->vm->access), start->cancellable,
                            start_name_told, g_object_ref(task));
        return;
    }
    start->current = 0;
    start_next_target(task);
}

static void start_sweep(GTask *task);

static void start_swept(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    VbBlockStart *start = g_task_get_task_data(task);
    GError *error = NULL;

    if (!vb_block_nodes_sweep_finish(result, &error)) {
        start_fail(task, error);
        return;
    }
    start->current++;
    start_sweep(task);
}

/* A disk's nodes that are not in its chain are left from a job whose clean-up failed. */
static void start_sweep(GTask *task)
{
    VbBlockStart *start = g_task_get_task_data(task);

    if (start->current == start->jobs->len) {
        start_ask_next_name(task);
        return;
    }
    const VbJob *job = g_ptr_array_index(start->jobs, start->current);
    vb_block_nodes_sweep_async(start->domain, vb_job_info(job)->disk, start->cancellable,
                               start_swept, g_object_ref(task));
}

static void cancel_and_unref(gpointer cancellable)
{
    g_cancellable_cancel(cancellable);
    g_object_unref(cancellable);
}

/* Ends what is being started in the VM when the VM is over: qemu-img may be at it, and is slow. */
static GCancellable *vm_cancellable(VbQemuVm *vm)
{
    if (!vm->block_jobs) {
        vm->block_jobs = g_cancellable_new();
        vm->block_jobs_free = cancel_and_unref;
    }
    return g_object_ref(vm->block_jobs);
}

void vb_qemu_jobs_start(gpointer self, VbDomain *domain, GPtrArray *jobs, GTask *task)
{
    g_autoptr(GTask) owned = task;
    VbQemuVm *vm = vb_qemu_vm_of(domain);
    VbBlockStart *start;

    if (!vm) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                "domain '%s' is not running", vb_domain_info(domain)->name);
        return;
    }

    /* QEMU starts several at once only as a transaction, and only backups in one. */
    for (guint i = 0; i < jobs->len && jobs->len > 1; i++)
        if (vb_job_info(g_ptr_array_index(jobs, i))->type != VB_JOB_BACKUP) {
            g_task_return_new_error(task, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                                    "the driver 'qemu' starts several jobs at once only for "
                                    "backups");
            return;
        }

    start = g_new0(VbBlockStart, 1);
    start->domain = vb_domain_ref(domain);
    start->vm = vb_qemu_vm_ref(vm);
    vb_vm_access_hold(vm->access);
    start->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_unref);
    start->names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    for (guint i = 0; i < jobs->len; i++)
        g_ptr_array_add(start->jobs, vb_job_ref(g_ptr_array_index(jobs, i)));
    start->cancellable = vm_cancellable(vm);
    start->added = g_ptr_array_new_with_free_func(g_free);
    start->created = g_ptr_array_new_with_free_func(g_free);
    g_task_set_task_data(task, start, (GDestroyNotify)start_free);
    start_sweep(task);
}
