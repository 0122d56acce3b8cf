/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The block jobs of a running QEMU after their start: what is asked of them, and what the monitor
 * tells of them. It keeps no state: a job's id names it in QEMU and in the core alike. */
#include "block-jobs.h"

#include "block-jobs-private.h"
#include "blockdev.h"
#include "error.h"
#include "image-chain-create.h"
#include "json-get.h"
#include "qmp-args.h"

#include <errno.h>
#include <string.h>

/* ---- commands about one job -------------------------------------------------------------------
 */

static void command_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);

    if (reply)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void send_command(VbJob *job, const char *command, JsonObject *arguments, GTask *task)
{
    vb_block_call_async(vb_job_info(job)->domain, command, arguments, g_task_get_cancellable(task),
                        command_answered, task);
}

static void send_job_command(VbJob *job, const char *command, GTask *task)
{
    send_command(job, command, vb_qmp_args(VB_ARG_STRING("id", vb_job_info(job)->id)), task);
}

void vb_qemu_job_cancel(gpointer self, VbJob *job, VbCancelFlavour flavour, GTask *task)
{
    /* Only block-job-cancel knows the soft flavour: it lets a ready copy come to its end. */
    if (flavour == VB_CANCEL_SOFT)
        send_command(job, "block-job-cancel",
                     vb_qmp_args(VB_ARG_STRING("device", vb_job_info(job)->id)), task);
    else
        send_job_command(job, "job-cancel", task);
}

void vb_qemu_job_complete(gpointer self, VbJob *job, GTask *task)
{
    send_job_command(job, "job-complete", task);
}

void vb_qemu_job_finalize(gpointer self, VbJob *job, GTask *task)
{
    send_job_command(job, "job-finalize", task);
}

void vb_qemu_job_set_speed(gpointer self, VbJob *job, guint64 speed, GTask *task)
{
    send_command(job, "block-job-set-speed",
                 vb_qmp_args(VB_ARG_STRING("device", vb_job_info(job)->id),
                             VB_ARG_INT("speed", (gint64)speed)),
                 task);
}

void vb_qemu_job_set_paused(gpointer self, VbJob *job, gboolean paused, GTask *task)
{
    send_job_command(job, paused ? "job-pause" : "job-resume", task);
}

/* ---- the root ---------------------------------------------------------------------------------
 */

static void drive_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);

    if (!reply)
        g_task_return_error(task, error);
    else if (!JSON_NODE_HOLDS_VALUE(reply) || json_node_get_value_type(reply) != G_TYPE_STRING)
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_HYPERVISOR,
                                "QEMU's answer to the question for a disk's drive is no name");
    else
        g_task_return_boolean(
            task, g_strcmp0(json_node_get_string(reply), g_task_get_task_data(task)) == 0);
}

void vb_qemu_job_root(gpointer self, VbJob *job, GTask *task)
{
    const VbJobInfo *info = vb_job_info(job);
    const VbJobSpec *spec = vb_job_spec(job);
    GError *error = NULL;
    const VbDiskDef *disk =
        vb_domain_def_find_disk(vb_domain_def(info->domain), info->disk, &error);
    guint index =
        info->type == VB_JOB_COPY && spec->target ? spec->target->index : spec->base_index;

    if (!disk) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    /* The device is asked, not query-block, whose nested answer grows with the depth of the chain.
     */
    g_autofree char *path = g_strconcat("/machine/peripheral/", disk->info.alias, NULL);
    g_task_set_task_data(task, vb_blockdev_format_node(info->disk, index), g_free);
    vb_block_call_async(
        info->domain, "qom-get",
        vb_qmp_args(VB_ARG_STRING("path", path), VB_ARG_STRING("property", "drive")),
        g_task_get_cancellable(task), drive_told, task);
}

/* ---- all jobs ---------------------------------------------------------------------------------
 */

static const char *const status_names[] = {
    [VB_JOB_STATUS_CREATED] = "created",     [VB_JOB_STATUS_RUNNING] = "running",
    [VB_JOB_STATUS_PAUSED] = "paused",       [VB_JOB_STATUS_READY] = "ready",
    [VB_JOB_STATUS_STANDBY] = "standby",     [VB_JOB_STATUS_WAITING] = "waiting",
    [VB_JOB_STATUS_PENDING] = "pending",     [VB_JOB_STATUS_ABORTING] = "aborting",
    [VB_JOB_STATUS_CONCLUDED] = "concluded",
};

static gboolean parse_status(const char *name, VbJobStatusKind *ret_status)
{
    for (guint i = 0; i < G_N_ELEMENTS(status_names); i++)
        if (g_strcmp0(name, status_names[i]) == 0) {
            *ret_status = (VbJobStatusKind)i;
            return TRUE;
        }
    return FALSE;
}

/* Our word for the type; NULL for what is no block job of ours (a snapshot's, an image's creation).
 */
static const char *type_word(const VbJob *job, const char *type, gboolean ready)
{
    if (job)
        return vb_job_type_to_string(vb_job_info(job)->type);
    if (g_strcmp0(type, "stream") == 0)
        return vb_job_type_to_string(VB_JOB_PULL);
    if (g_strcmp0(type, "mirror") == 0)
        return vb_job_type_to_string(VB_JOB_COPY);
    if (g_strcmp0(type, "backup") == 0)
        return vb_job_type_to_string(VB_JOB_BACKUP);
    /* QEMU's word is the same for both; only one of the active layer is ever ready. */
    if (g_strcmp0(type, "commit") == 0)
        return vb_job_type_to_string(ready ? VB_JOB_ACTIVE_COMMIT : VB_JOB_COMMIT);
    return NULL;
}

static VbIoStatus parse_io_status(const char *name)
{
    if (g_strcmp0(name, "failed") == 0)
        return VB_IO_STATUS_FAILED;
    return g_strcmp0(name, "nospace") == 0 ? VB_IO_STATUS_NOSPACE : VB_IO_STATUS_OK;
}

static JsonObject *find_block_job(JsonArray *block_jobs, const char *id)
{
    for (guint i = 0; block_jobs && i < json_array_get_length(block_jobs); i++) {
        JsonObject *block_job = vb_json_array_object(block_jobs, i);
        if (g_strcmp0(vb_json_get_string(block_job, "device"), id) == 0)
            return block_job;
    }
    return NULL;
}

/* One job from both lists: query-jobs says which there are and how they ended, query-block-jobs has
 * speed and I/O status. */
static VbJobStatus *merge_status(VbDomain *domain, JsonObject *job_info, JsonArray *block_jobs)
{
    const char *id = vb_json_get_string(job_info, "id");
    JsonObject *block_job = id ? find_block_job(block_jobs, id) : NULL;
    const VbJob *job = id ? vb_domain_job_by_id(domain, id) : NULL;
    VbJobStatusKind kind;

    if (!id || !parse_status(vb_json_get_string(job_info, "status"), &kind))
        return NULL;
    gboolean ready = kind == VB_JOB_STATUS_READY || kind == VB_JOB_STATUS_STANDBY ||
                     vb_json_get_bool(block_job, "ready", FALSE);
    const char *type = type_word(job, vb_json_get_string(job_info, "type"), ready);
    if (!type)
        return NULL;

    VbJobStatus *status = g_new0(VbJobStatus, 1);
    status->id = g_strdup(id);
    status->type = g_strdup(type);
    status->disk = job ? g_strdup(vb_job_info(job)->disk) : NULL;
    status->status = kind;
    status->io_status = parse_io_status(vb_json_get_string(block_job, "io-status"));
    vb_json_get_size(job_info, "current-progress", &status->current);
    vb_json_get_size(job_info, "total-progress", &status->total);
    vb_json_get_size(block_job, "speed", &status->speed);
    if (kind == VB_JOB_STATUS_CONCLUDED) {
        status->error = g_strdup(vb_json_get_string(job_info, "error"));
        /* QEMU has no flag for it: a cancelled job's result is -ECANCELED, and the text is made of
         * that number by the C library, untranslated, in QEMU as here. An I/O error in flight may
         * have taken its place; then only our own intent tells. */
        status->canceled = g_strcmp0(status->error, strerrordesc_np(ECANCELED)) == 0;
    }
    return status;
}

typedef struct {
    VbDomain *domain;
    JsonNode *jobs;
} Query;

static void query_free(Query *query)
{
    vb_domain_unref(query->domain);
    g_clear_pointer(&query->jobs, json_node_unref);
    g_free(query);
}

static void block_jobs_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Query *query = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);
    JsonArray *jobs = vb_json_node_array(query->jobs);

    if (!reply) {
        g_task_return_error(task, error);
        return;
    }
    GPtrArray *statuses = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_status_free);
    for (guint i = 0; jobs && i < json_array_get_length(jobs); i++) {
        VbJobStatus *status =
            merge_status(query->domain, vb_json_array_object(jobs, i), vb_json_node_array(reply));
        if (status)
            g_ptr_array_add(statuses, status);
    }
    g_task_return_pointer(task, statuses, (GDestroyNotify)g_ptr_array_unref);
}

static void jobs_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Query *query = g_task_get_task_data(task);
    GError *error = NULL;

    query->jobs = vb_qmp_call_finish(result, &error);
    if (!query->jobs) {
        g_task_return_error(task, error);
        return;
    }
    vb_block_call_async(query->domain, "query-block-jobs", NULL, g_task_get_cancellable(task),
                        block_jobs_told, g_object_ref(task));
}

void vb_qemu_jobs_query(gpointer self, VbDomain *domain, GTask *task)
{
    Query *query = g_new0(Query, 1);

    query->domain = vb_domain_ref(domain);
    g_task_set_task_data(task, query, (GDestroyNotify)query_free);
    vb_block_call_async(domain, "query-jobs", NULL, g_task_get_cancellable(task), jobs_told, task);
}

/* ---- afterwards -------------------------------------------------------------------------------
 */

/* A QEMU that ends takes its jobs and nodes along: when it has hung up there is nothing left to be
 * cleaned. Takes the error. */
static void clean_failed(GTask *task, VbDomain *domain, GError *error)
{
    const VbQemuVm *vm = vb_qemu_vm_of(domain);

    if (vm && (!vm->qmp || vb_qmp_state(vm->qmp) == VB_QMP_DISCONNECTED)) {
        g_error_free(error);
        g_task_return_boolean(task, TRUE);
    } else {
        g_task_return_error(task, error);
    }
}

static void files_removed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;

    if (vb_image_unlink_finish(result, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* Were files to be deleted, and did the job make them superfluous? */
static gboolean leaves_files_to_delete(const VbJob *job)
{
    const VbJobInfo *info = vb_job_info(job);

    return vb_job_spec(job)->delete_files && info->result == VB_JOB_RESULT_COMPLETED &&
           (info->type == VB_JOB_COMMIT || (info->type == VB_JOB_ACTIVE_COMMIT && info->pivoted));
}

static void job_swept(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    const VbJob *job = g_task_get_task_data(task);
    GError *error = NULL;
    g_auto(GStrv) files = vb_block_nodes_sweep_finish(result, &error);

    /* The disk was swept before the job began: these are the images that it committed. */
    if (!files)
        clean_failed(task, vb_job_info(job)->domain, error);
    else if (leaves_files_to_delete(job))
        vb_image_unlink_async((const char *const *)files, files_removed, g_object_ref(task));
    else
        g_task_return_boolean(task, TRUE);
}

static void job_dismissed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    const VbJobInfo *info = vb_job_info(g_task_get_task_data(task));
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);

    /* A refusal means that QEMU does not have the job any more. */
    if (!reply && vb_qmp_call_error_class(result) == VB_QMP_ERROR_NONE) {
        clean_failed(task, info->domain, error);
        return;
    }
    g_clear_error(&error);
    vb_block_nodes_sweep_async(info->domain, info->disk, g_task_get_cancellable(task), job_swept,
                               g_object_ref(task));
}

void vb_qemu_job_clean(gpointer self, VbJob *job, GTask *task)
{
    const VbJobInfo *info = vb_job_info(job);

    if (info->external) {
        /* Not ours to dismiss: whoever started it may still want to see how it ended. */
        g_task_return_boolean(task, TRUE);
        g_object_unref(task);
        return;
    }
    g_task_set_task_data(task, vb_job_ref(job), (GDestroyNotify)vb_job_unref);
    vb_block_call_async(info->domain, "job-dismiss", vb_qmp_args(VB_ARG_STRING("id", info->id)),
                        g_task_get_cancellable(task), job_dismissed, task);
}

/* ---- events -----------------------------------------------------------------------------------
 */

/* JOB_STATUS_CHANGE is not among these: what it says of importance the BLOCK_JOB_… events say
 * better
 * ("pending" is passed through by every job, BLOCK_JOB_PENDING sent by those that wait; "aborting"
 * comes before a failure, too), and the rest is the paused/running flicker of a drain. */
void vb_qemu_block_jobs_event(VbQemuVm *vm, const char *event, JsonObject *data)
{
    gboolean pending = g_str_equal(event, "BLOCK_JOB_PENDING");
    const char *id = vb_json_get_string(data, pending ? "id" : "device");

    if (!g_str_has_prefix(event, "BLOCK_JOB_") || !id)
        return;
    VbJob *job = vb_domain_job_by_id(vm->domain, id);
    if (!job)
        return;

    guint64 current = vb_job_info(job)->current, total = vb_job_info(job)->total;
    vb_json_get_size(data, "offset", &current);
    vb_json_get_size(data, "len", &total);

    if (pending) {
        vb_job_report_status(job, VB_JOB_STATUS_PENDING, current, total);
    } else if (g_str_equal(event, "BLOCK_JOB_READY")) {
        vb_job_report_status(job, VB_JOB_STATUS_READY, current, total);
    } else if (g_str_equal(event, "BLOCK_JOB_CANCELLED")) {
        vb_job_report_canceled(job, current, total);
    } else if (g_str_equal(event, "BLOCK_JOB_COMPLETED")) {
        vb_job_report_completed(job, vb_json_get_string(data, "error"), current, total);
    } else if (g_str_equal(event, "BLOCK_JOB_ERROR")) {
        if (g_strcmp0(vb_json_get_string(data, "action"), "ignore") != 0)
            vb_job_report_io_error(job, VB_IO_STATUS_FAILED);
    }
}
