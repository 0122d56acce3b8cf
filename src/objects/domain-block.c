/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vtable, handlers and signals of org.virtbus1.Domain.Block. A method that starts jobs makes specs
 * of its arguments; the jobs it gets are held by the core until the reply is out, so that whatever
 * they do comes after it. */
#include "domain-block.h"

#include "backup-def.h"
#include "call.h"
#include "disk-xml.h"
#include "job-object.h"
#include "message.h"
#include "object-path.h"

#define BLOCK_JOB VB_ACTION("org.virtbus1.domain.block-job")

/* QEMU's limits for what one bit of the dirty bitmap stands for. */
#define GRANULARITY_MIN 512
#define GRANULARITY_MAX (64 * 1024 * 1024)

/* ---- starting ---------------------------------------------------------------------------------
 */

/* A call that waits for its jobs to begin. */
typedef struct {
    VbCall *call;
    VbDomain *domain;
} Wait;

static void reply_jobs(VbCall *call, GPtrArray *jobs)
{
    gboolean many = g_str_equal(vb_call_method(call)->out, "ao");
    sd_bus_message *reply = vb_call_new_reply(call);

    if (many)
        sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "o");
    for (guint i = 0; i < jobs->len; i++) {
        g_autofree char *path = vb_job_path(jobs->pdata[i]);

        sd_bus_message_append_basic(reply, SD_BUS_TYPE_OBJECT_PATH, path);
    }
    if (many)
        sd_bus_message_close_container(reply);
    vb_call_reply_message(call, reply);
}

static void on_jobs_started(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Wait *wait = data;
    g_autoptr(VbCall) call = wait->call;
    g_autoptr(VbDomain) domain = wait->domain;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) jobs = vb_jobs_start_finish(domain, result, &error);

    if (!vb_call_replied(call)) { /* unless the daemon's end was faster */
        if (jobs != NULL)
            reply_jobs(call, jobs);
        else
            vb_call_fail(call, g_steal_pointer(&error));
    }
    for (guint i = 0; jobs != NULL && i < jobs->len; i++)
        vb_job_release(jobs->pdata[i]);
}

static GPtrArray *specs_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_spec_free);
}

/* Takes the specs. */
static void start(VbCall *call, VbDomain *domain, GPtrArray *specs)
{
    Wait *wait = g_new(Wait, 1);

    *wait = (Wait){vb_call_ref(call), vb_domain_ref(domain)};
    vb_jobs_start_async(domain, specs, vb_call_uid(call), on_jobs_started, wait);
}

/* The common end of the handlers: takes the spec; the options must be read to the end by now. */
static void start_one(VbCall *call, VbDomain *domain, VbOptions *options, VbJobSpec *spec)
{
    GPtrArray *specs = specs_new();
    GError *error = NULL;

    g_ptr_array_add(specs, spec);
    if (vb_options_finish(options, &error)) {
        start(call, domain, specs);
    } else {
        g_ptr_array_unref(specs);
        vb_call_fail(call, error);
    }
}

/* The arguments of most methods: a disk or a document, and options. NULL: the call has failed. */
static VbOptions *read_text_and_options(VbCall *call, const char **ret_text)
{
    VbOptions *options = NULL;
    GError *error = NULL;

    if (vb_call_read(call, &error, "s", ret_text))
        options = vb_call_read_options(call, &error);
    if (options == NULL)
        vb_call_fail(call, error);
    return options;
}

/* Hypervisors count in signed 64 bits. */
static void take_size(VbOptions *options, const char *key, guint64 *ret_value)
{
    if (vb_options_take_uint64(options, key, ret_value) && *ret_value > G_MAXINT64)
        vb_options_reject(options, key, "%" G_GUINT64_FORMAT " is too large", *ret_value);
}

static void take_granularity(VbOptions *options, guint64 *ret_value)
{
    if (!vb_options_take_uint64(options, "granularity", ret_value) || *ret_value == 0)
        return;
    if (*ret_value < GRANULARITY_MIN || *ret_value > GRANULARITY_MAX ||
        (*ret_value & (*ret_value - 1)) != 0)
        vb_options_reject(options, "granularity",
                          "%" G_GUINT64_FORMAT " is not a power of two from %d to %d", *ret_value,
                          GRANULARITY_MIN, GRANULARITY_MAX);
}

static void handle_pull(VbCall *call, gpointer data)
{
    const char *disk;
    g_autoptr(VbOptions) options = read_text_and_options(call, &disk);
    VbJobSpec *spec;

    if (options == NULL)
        return;
    spec = vb_job_spec_new(VB_JOB_PULL, disk);
    vb_options_take_string(options, "base", &spec->base);
    vb_options_take_bool(options, "keep-relative", &spec->keep_relative);
    take_size(options, "bandwidth", &spec->bandwidth);
    start_one(call, data, options, spec);
}

static void handle_commit(VbCall *call, gpointer data)
{
    const char *disk;
    g_autoptr(VbOptions) options = read_text_and_options(call, &disk);
    VbJobSpec *spec;

    if (options == NULL)
        return;
    spec = vb_job_spec_new(VB_JOB_COMMIT, disk);
    vb_options_take_string(options, "base", &spec->base);
    vb_options_take_string(options, "top", &spec->top);
    vb_options_take_bool(options, "shallow", &spec->shallow);
    vb_options_take_bool(options, "active", &spec->active);
    vb_options_take_bool(options, "delete", &spec->delete_files);
    vb_options_take_bool(options, "keep-relative", &spec->keep_relative);
    take_size(options, "bandwidth", &spec->bandwidth);
    if (spec->shallow && spec->base != NULL)
        vb_options_reject(options, "shallow", "not with 'base'");
    start_one(call, data, options, spec);
}

static void handle_copy(VbCall *call, gpointer data)
{
    g_autoptr(VbOptions) options = NULL;
    g_autoptr(VbDiskSource) target = NULL;
    const char *disk, *xml;
    GError *error = NULL;
    VbJobSpec *spec;

    if (!vb_call_read(call, &error, "ss", &disk, &xml) ||
        (options = vb_call_read_options(call, &error)) == NULL ||
        (target = vb_disk_source_parse(xml, -1, &error)) == NULL) {
        vb_call_fail(call, error);
        return;
    }
    spec = vb_job_spec_new(VB_JOB_COPY, disk);
    spec->target = g_steal_pointer(&target);
    vb_options_take_bool(options, "shallow", &spec->shallow);
    vb_options_take_bool(options, "reuse-external", &spec->reuse_external);
    vb_options_take_bool(options, "transient-job", &spec->transient_job);
    vb_options_take_bool(options, "synchronous-writes", &spec->synchronous_writes);
    take_granularity(options, &spec->granularity);
    take_size(options, "buffer-size", &spec->buffer_size);
    take_size(options, "bandwidth", &spec->bandwidth);
    start_one(call, data, options, spec);
}

/* `format` is of the file that the core makes up when there is no target. */
static void add_backup(GPtrArray *specs, const char *disk, const VbDiskSource *target,
                       VbDiskFormat format, const VbJobSpec *common)
{
    VbJobSpec *spec = vb_job_spec_new(VB_JOB_BACKUP, disk);

    spec->target = vb_disk_source_copy(target);
    spec->target_format = format;
    spec->bandwidth = common->bandwidth;
    spec->reuse_external = common->reuse_external;
    g_ptr_array_add(specs, spec);
}

static GPtrArray *backup_specs(const VbDomain *domain, const VbBackupDef *backup,
                               const VbJobSpec *common, GError **error)
{
    const GPtrArray *disks = vb_domain_def(domain)->disks;
    g_autoptr(GPtrArray) specs = specs_new();

    for (guint i = 0; i < backup->disks->len; i++) {
        const VbBackupDiskDef *disk = backup->disks->pdata[i];

        if (!disk->backup)
            continue;
        add_backup(specs, disk->name, disk->target, disk->format, common);
    }
    for (guint i = 0; backup->disks->len == 0 && i < disks->len; i++) {
        const VbDiskDef *disk = disks->pdata[i];

        if (disk->source != NULL && !disk->readonly)
            add_backup(specs, disk->target, NULL, VB_DISK_FORMAT_QCOW2, common);
    }
    if (specs->len > 0)
        return g_steal_pointer(&specs);
    g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "domain '%s' has no disk to back up",
                vb_domain_info(domain)->name);
    return NULL;
}

static void handle_backup(VbCall *call, gpointer data)
{
    const char *xml;
    g_autoptr(VbOptions) options = read_text_and_options(call, &xml);
    g_autoptr(VbBackupDef) backup = NULL;
    GPtrArray *specs;
    VbJobSpec common = {0};
    GError *error = NULL;

    if (options == NULL)
        return;
    vb_options_take_bool(options, "reuse-external", &common.reuse_external);
    take_size(options, "bandwidth", &common.bandwidth);
    if (!vb_options_finish(options, &error) ||
        (backup = vb_backup_def_parse(xml, -1, &error)) == NULL ||
        (specs = backup_specs(data, backup, &common, &error)) == NULL)
        vb_call_fail(call, error);
    else
        start(call, data, specs);
}

/* ---- ending -----------------------------------------------------------------------------------
 */

/* The live job of the disk, borrowed. */
static VbJob *find_job(const VbDomain *domain, const char *name, GError **error)
{
    const VbDiskDef *disk = vb_domain_def_find_disk(vb_domain_def(domain), name, error);
    VbJob *job;

    if (disk == NULL)
        return NULL;
    if (!vb_domain_is_active(domain)) {
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "domain '%s' is not running",
                    vb_domain_info(domain)->name);
        return NULL;
    }
    job = vb_domain_live_job(domain, disk->target);
    if (job == NULL)
        g_set_error(error, VB_ERROR, VB_ERROR_NO_BLOCK_JOB,
                    "disk '%s' of domain '%s' has no block job", disk->target,
                    vb_domain_info(domain)->name);
    return job;
}

static void handle_abort_job(VbCall *call, gpointer data)
{
    const char *disk;
    g_autoptr(VbOptions) options = read_text_and_options(call, &disk);
    gboolean async = FALSE, pivot = FALSE, force = FALSE;
    GError *error = NULL;
    VbJobFlags flags;
    VbJob *job;

    if (options == NULL)
        return;
    vb_options_take_bool(options, "async", &async);
    vb_options_take_bool(options, "pivot", &pivot);
    vb_options_take_bool(options, "force", &force);
    if (!vb_options_finish(options, &error) || (job = find_job(data, disk, &error)) == NULL) {
        vb_call_fail(call, error);
        return;
    }
    flags = (async ? VB_JOB_ASYNC : 0) | (force ? VB_JOB_FORCE : 0);
    if (pivot)
        vb_job_pivot_async(job, flags, vb_job_object_answer, vb_job_object_wait(call, job));
    else
        vb_job_cancel_async(job, flags, vb_job_object_answer, vb_job_object_wait(call, job));
}

static const VbMethod methods[] = {
    VB_METHOD("Pull", "sa{sv}", "disk options", "o", "job", BLOCK_JOB, handle_pull),
    VB_METHOD("Commit", "sa{sv}", "disk options", "o", "job", BLOCK_JOB, handle_commit),
    VB_METHOD("Copy", "ssa{sv}", "disk destination_xml options", "o", "job", BLOCK_JOB,
              handle_copy),
    VB_METHOD("Backup", "sa{sv}", "backup_xml options", "ao", "jobs", BLOCK_JOB, handle_backup),
    VB_METHOD("AbortJob", "sa{sv}", "disk options", "", "", BLOCK_JOB, handle_abort_job),
    {}};

/* ---- signals ----------------------------------------------------------------------------------
 */

#define JOB_SIGNAL(name) VB_SIGNAL(name, "osssa{sv}", "job disk type message details")

static const VbSignal signals[] = {JOB_SIGNAL("BlockJobReady"),
                                   JOB_SIGNAL("BlockJobCompleted"),
                                   JOB_SIGNAL("BlockJobFailed"),
                                   JOB_SIGNAL("BlockJobCanceled"),
                                   {}};

const VbInterface vb_domain_block_interface = {"org.virtbus1.Domain.Block", methods, NULL, signals};

static void append_details(sd_bus_message *signal, const VbJobInfo *info)
{
    sd_bus_message_open_container(signal, SD_BUS_TYPE_ARRAY, "{sv}");
    vb_message_append_entry_string(signal, "reason", vb_job_reason_to_string(info->reason));
    vb_message_append_entry(signal, "synthesized", "b", info->synthesized);
    vb_message_append_entry(signal, "offset", "t", info->current);
    vb_message_append_entry(signal, "length", "t", info->total);
    vb_message_append_entry(signal, "serial", "u", info->number);
    if (info->type == VB_JOB_COPY || info->type == VB_JOB_ACTIVE_COMMIT) {
        vb_message_append_entry(signal, "pivoted", "b", info->pivoted);
        vb_message_append_entry(signal, "consistent", "b", info->consistent);
    }
    sd_bus_message_close_container(signal);
}

static void emit(VbRegistry *registry, VbObject *domain, const char *name, const VbJob *job)
{
    const VbJobInfo *info = vb_job_info(job);
    g_autofree char *path = vb_job_path(job);
    sd_bus_message *signal =
        vb_registry_new_signal(registry, domain, &vb_domain_block_interface, name);

    sd_bus_message_append_basic(signal, SD_BUS_TYPE_OBJECT_PATH, path);
    vb_message_append_string(signal, info->disk);
    vb_message_append_string(signal, vb_job_type_to_string(info->type));
    vb_message_append_string(signal, info->error_message);
    append_details(signal, info);
    vb_registry_emit_message(registry, signal);
}

void vb_domain_block_ready(VbRegistry *registry, VbObject *domain, const VbJob *job)
{
    emit(registry, domain, "BlockJobReady", job);
}

void vb_domain_block_concluded(VbRegistry *registry, VbObject *domain, const VbJob *job)
{
    switch (vb_job_info(job)->result) {
    case VB_JOB_RESULT_COMPLETED:
        emit(registry, domain, "BlockJobCompleted", job);
        break;
    case VB_JOB_RESULT_FAILED:
        emit(registry, domain, "BlockJobFailed", job);
        break;
    case VB_JOB_RESULT_CANCELED:
        emit(registry, domain, "BlockJobCanceled", job);
        break;
    case VB_JOB_RESULT_NONE:
        g_critical("job %u has concluded without a result", vb_job_info(job)->number);
        break;
    }
}
