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

/* ---- commands about one job ----------------------------------------------------------------- */

static void command_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);

    if (reply) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    if (vb_qmp_call_error_class(result) == VB_QMP_ERROR_DEVICE_NOT_ACTIVE)
        error->code = VB_ERROR_NO_BLOCK_JOB;
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

/* ---- the root ------------------------------------------------------------------------------- */

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
    /* The device is asked: query-block's nested answer grows with the depth of the chain. */
    g_autofree char *path = g_strconcat("/machine/peripheral/", disk->info.alias, NULL);
    g_task_set_task_data(task, vb_blockdev_format_node(info->disk, index), g_free);
    vb_block_call_async(
        info->domain, "qom-get",
        vb_qmp_args(VB_ARG_STRING("path", path), VB_ARG_STRING("property", "drive")),
        g_task_get_cancellable(task), drive_told, task);
}

/* ---- afterwards ----------------------------------------------------------------------------- */

/* What only the job needed is given back. */
static void sync_access(VbDomain *domain)
{
    const VbQemuVm *vm = vb_qemu_vm_of(domain);

    if (vm)
        vb_vm_access_sync(vm->access);
}

/* A QEMU that ends takes its jobs and nodes along: when it has hung up there is nothing left to be
 * cleaned. Takes the error. */
static void clean_failed(GTask *task, VbDomain *domain, GError *error)
{
    const VbQemuVm *vm = vb_qemu_vm_of(domain);

    sync_access(domain);
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

/* The files that were to be deleted, if the job made them superfluous; else none. */
static GStrv files_to_delete(const VbJob *job)
{
    const VbJobInfo *info = vb_job_info(job);
    const VbDiskSource *committed = vb_job_committed(job);
    g_autoptr(GStrvBuilder) files = g_strv_builder_new();

    if (vb_job_spec(job)->delete_files && info->result == VB_JOB_RESULT_COMPLETED &&
        (info->type == VB_JOB_COMMIT || (info->type == VB_JOB_ACTIVE_COMMIT && info->pivoted)))
        for (; committed; committed = committed->backing)
            if (committed->type == VB_DISK_SOURCE_FILE)
                g_strv_builder_add(files, committed->path);
    return g_strv_builder_end(files);
}

static void job_swept(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    const VbJob *job = g_task_get_task_data(task);
    g_auto(GStrv) files = files_to_delete(job);
    VbDomain *domain = vb_job_info(job)->domain;
    const VbQemuVm *vm = vb_qemu_vm_of(domain);
    GError *error = NULL;

    /* They are no longer open. */
    if (!vb_block_nodes_sweep_finish(result, &error) || !vm) {
        if (!error)
            error = g_error_new(VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "domain '%s' is not running",
                                vb_domain_info(domain)->name);
        clean_failed(task, domain, error);
        return;
    }
    sync_access(domain);
    if (*files)
        vb_image_unlink_async((const char *const *)files, vb_vm_access_bounds(vm->access),
                              files_removed, g_object_ref(task));
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

    if (info->external && info->reason != VB_JOB_REASON_REQUESTED) {
        /* Not ours to dismiss: whoever started it may still want to see how it ended. (One that we
         * were asked to cancel is: undismissed it would keep the disk busy.) */
        g_task_return_boolean(task, TRUE);
        g_object_unref(task);
        return;
    }
    g_task_set_task_data(task, vb_job_ref(job), (GDestroyNotify)vb_job_unref);
    vb_block_call_async(info->domain, "job-dismiss", vb_qmp_args(VB_ARG_STRING("id", info->id)),
                        g_task_get_cancellable(task), job_dismissed, task);
}

/* ---- events --------------------------------------------------------------------------------- */

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

    g_autoptr(VbJob) keep = vb_job_ref(job);
    gboolean was_live = vb_job_is_live(job);

    if (pending) {
        vb_job_report_status(job, VB_JOB_STATUS_PENDING, current, total);
    } else if (g_str_equal(event, "BLOCK_JOB_READY")) {
        vb_job_report_status(job, VB_JOB_STATUS_READY, current, total);
    } else if (g_str_equal(event, "BLOCK_JOB_CANCELLED")) {
        vb_job_report_canceled(job, current, total);
    } else if (g_str_equal(event, "BLOCK_JOB_COMPLETED")) {
        vb_job_report_completed(job, vb_json_get_string(data, "error"), current, total);
    } else if (g_str_equal(event, "BLOCK_JOB_ERROR")) {
        /* With any other action it goes on, or its end says all. */
        if (g_strcmp0(vb_json_get_string(data, "action"), "stop") == 0)
            vb_job_report_io_error(job, VB_IO_STATUS_FAILED);
    }
    if (was_live && !vb_job_is_live(job) && vm->qmp)
        vb_qmp_was_asked(vm->qmp);
}
