/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vtable, handlers and signals of org.virtbus1.Domain.Block. A method that starts jobs makes specs
 * of its arguments; the jobs it gets are held by the core until the reply is out, so that whatever
 * they do comes after it. */
#include "domain-block.h"

#include "actions.h"
#include "answer.h"
#include "backup-def.h"
#include "call.h"
#include "disk-xml.h"
#include "host-access.h"
#include "job-object.h"
#include "message.h"
#include "object-path.h"

#define BLOCK_JOB VB_ACTION(VB_ACTION_DOMAIN_BLOCK_JOB)

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

/* ---- what is asked for, read before the caller is authorized ----------------------------------
 */

/* What a VbPrepare leaves for its handler. */
typedef struct {
    char *disk;                /* its target: what the rules were told, however it was named */
    VbDiskSource *destination; /* Copy */
    VbJob *job; /* AbortJob: the live one, which the rules were told of; NULL: there was none */
} DiskArgs;

static void disk_args_free(gpointer data)
{
    DiskArgs *args = data;

    g_free(args->disk);
    vb_disk_source_free(args->destination);
    vb_job_unref(args->job);
    g_free(args);
}

static gboolean read_disk(VbCall *call, VbDomain *domain, DiskArgs *args, GError **error)
{
    g_autoptr(VbDomainDef) def = NULL;
    const VbDiskDef *disk;
    const char *name;

    if (!vb_call_read(call, error, "s", &name) ||
        (def = vb_domain_read_def(domain, error)) == NULL ||
        (disk = vb_domain_def_find_disk(def, name, error)) == NULL)
        return FALSE;
    args->disk = g_strdup(disk->target);
    vb_details_set(vb_call_details(call), "disk", disk->target);
    return TRUE;
}

static DiskArgs *disk_args_new(VbCall *call)
{
    DiskArgs *args = g_new0(DiskArgs, 1);

    vb_call_set_argument(call, args, disk_args_free);
    return args;
}

static void describe_operation(VbCall *call, VbJobType type)
{
    vb_details_set(vb_call_details(call), "job_operation", vb_job_type_to_operation(type));
}

static gboolean prepare_pull(VbCall *call, gpointer data, GError **error)
{
    describe_operation(call, VB_JOB_PULL);
    return read_disk(call, data, disk_args_new(call), error);
}

static gboolean prepare_commit(VbCall *call, gpointer data, GError **error)
{
    describe_operation(call, VB_JOB_COMMIT);
    return read_disk(call, data, disk_args_new(call), error);
}

static gboolean prepare_abort_job(VbCall *call, gpointer data, GError **error)
{
    DiskArgs *args = disk_args_new(call);
    VbJob *job;

    if (!read_disk(call, data, args, error))
        return FALSE;
    job = vb_domain_live_job(data, args->disk);
    if (job != NULL) {
        args->job = vb_job_ref(job);
        describe_operation(call, vb_job_info(job)->type);
    }
    return TRUE;
}

static void require_host_access(VbCall *call, VbDomain *domain, const VbDiskSource *target)
{
    g_autoptr(GPtrArray) resources = vb_disk_source_host_resources(target, TRUE);

    vb_host_access_require(call, vb_domain_host(domain), VB_ACTION_DOMAIN_HOST_ACCESS, resources);
}

static gboolean prepare_copy(VbCall *call, gpointer data, GError **error)
{
    DiskArgs *args = disk_args_new(call);
    const char *xml;

    describe_operation(call, VB_JOB_COPY);
    if (!read_disk(call, data, args, error) || !vb_call_read(call, error, "s", &xml) ||
        (args->destination = vb_disk_source_parse(xml, -1, error)) == NULL)
        return FALSE;
    require_host_access(call, data, args->destination);
    return TRUE;
}

/* `target` NULL: the core makes up a file in this format, beside the image that the disk has now.
 */
static void add_backup(VbCall *call, VbDomain *domain, GPtrArray *specs, const VbDiskDef *disk,
                       const VbDiskSource *target, VbDiskFormat format)
{
    VbJobSpec *spec = vb_job_spec_new(VB_JOB_BACKUP, disk->target);

    spec->target = vb_disk_source_copy(target);
    spec->target_format = format;
    if (target == NULL && disk->source != NULL)
        spec->beside = g_strdup(disk->source->path);
    g_ptr_array_add(specs, spec);
    if (target != NULL || disk->source != NULL)
        require_host_access(call, domain, target != NULL ? target : disk->source);
}

static gboolean add_backups(VbCall *call, VbDomain *domain, const VbBackupDef *backup,
                            GPtrArray *specs, GError **error)
{
    g_autoptr(VbDomainDef) def = vb_domain_read_def(domain, error);

    if (def == NULL)
        return FALSE;
    for (guint i = 0; i < backup->disks->len; i++) {
        const VbBackupDiskDef *wanted = backup->disks->pdata[i];
        const VbDiskDef *disk;

        if (!wanted->backup)
            continue;
        disk = vb_domain_def_find_disk(def, wanted->name, error);
        if (disk == NULL)
            return FALSE;
        add_backup(call, domain, specs, disk, wanted->target, wanted->format);
    }
    for (guint i = 0; backup->disks->len == 0 && i < def->disks->len; i++) {
        const VbDiskDef *disk = def->disks->pdata[i];

        if (disk->source != NULL && !disk->readonly)
            add_backup(call, domain, specs, disk, NULL, VB_DISK_FORMAT_QCOW2);
    }
    return specs->len > 0 ||
           vb_fail(error, VB_ERROR_INVALID_ARGS, "domain '%s' has no disk to back up", def->name);
}

/* Several disks are told as "vda,vdb". */
static void describe_disks(VbCall *call, const GPtrArray *specs)
{
    g_autoptr(GString) disks = g_string_new(NULL);

    for (guint i = 0; i < specs->len; i++) {
        const VbJobSpec *spec = specs->pdata[i];

        g_string_append_printf(disks, "%s%s", i > 0 ? "," : "", spec->disk);
    }
    vb_details_set(vb_call_details(call), "disk", disks->str);
}

static gboolean prepare_backup(VbCall *call, gpointer data, GError **error)
{
    GPtrArray *specs = specs_new();
    g_autoptr(VbBackupDef) backup = NULL;
    const char *xml;

    vb_call_set_argument(call, specs, (GDestroyNotify)g_ptr_array_unref);
    describe_operation(call, VB_JOB_BACKUP);
    if (!vb_call_read(call, error, "s", &xml) ||
        (backup = vb_backup_def_parse(xml, -1, error)) == NULL ||
        !add_backups(call, data, backup, specs, error))
        return FALSE;
    describe_disks(call, specs);
    return TRUE;
}

/* ---- starting, once the caller is authorized --------------------------------------------------
 */

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

/* The options, and a spec for the disk of the call. NULL: the call has failed. */
static VbOptions *read_options(VbCall *call, VbJobType type, VbJobSpec **ret_spec)
{
    const DiskArgs *args = vb_call_argument(call);
    GError *error = NULL;
    VbOptions *options = vb_call_read_options(call, &error);

    if (options == NULL)
        vb_call_fail(call, error);
    else
        *ret_spec = vb_job_spec_new(type, args->disk);
    return options;
}

static void handle_pull(VbCall *call, gpointer data)
{
    VbJobSpec *spec = NULL;
    g_autoptr(VbOptions) options = read_options(call, VB_JOB_PULL, &spec);

    if (options == NULL)
        return;
    vb_options_take_string(options, "base", &spec->base);
    vb_options_take_bool(options, "keep-relative", &spec->keep_relative);
    take_size(options, "bandwidth", &spec->bandwidth);
    start_one(call, data, options, spec);
}

static void handle_commit(VbCall *call, gpointer data)
{
    VbJobSpec *spec = NULL;
    g_autoptr(VbOptions) options = read_options(call, VB_JOB_COMMIT, &spec);

    if (options == NULL)
        return;
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
    DiskArgs *args = vb_call_argument(call);
    VbJobSpec *spec = NULL;
    g_autoptr(VbOptions) options = read_options(call, VB_JOB_COPY, &spec);

    if (options == NULL)
        return;
    spec->target = g_steal_pointer(&args->destination);
    vb_options_take_bool(options, "shallow", &spec->shallow);
    vb_options_take_bool(options, "reuse-external", &spec->reuse_external);
    vb_options_take_bool(options, "transient-job", &spec->transient_job);
    vb_options_take_bool(options, "synchronous-writes", &spec->synchronous_writes);
    take_granularity(options, &spec->granularity);
    take_size(options, "buffer-size", &spec->buffer_size);
    take_size(options, "bandwidth", &spec->bandwidth);
    start_one(call, data, options, spec);
}

static void handle_backup(VbCall *call, gpointer data)
{
    GError *error = NULL;
    g_autoptr(VbOptions) options = vb_call_read_options(call, &error);
    gboolean reuse_external = FALSE;
    guint64 bandwidth = 0;
    GPtrArray *specs;

    if (options != NULL) {
        vb_options_take_bool(options, "reuse-external", &reuse_external);
        take_size(options, "bandwidth", &bandwidth);
    }
    if (options == NULL || !vb_options_finish(options, &error)) {
        vb_call_fail(call, error);
        return;
    }
    specs = vb_call_steal_argument(call);
    for (guint i = 0; i < specs->len; i++) {
        VbJobSpec *spec = specs->pdata[i];

        spec->bandwidth = bandwidth;
        spec->reuse_external = reuse_external;
    }
    start(call, data, specs);
}

/* ---- ending -----------------------------------------------------------------------------------
 */

/* The job that the call means, borrowed. One that has ended meanwhile answers for itself. */
static VbJob *find_job(const VbDomain *domain, const DiskArgs *args, GError **error)
{
    const char *name = vb_domain_info(domain)->name;

    if (!vb_domain_is_active(domain)) {
        vb_fail(error, VB_ERROR_DOMAIN_NOT_RUNNING, "domain '%s' is not running", name);
        return NULL;
    }
    if (args->job == NULL)
        vb_fail(error, VB_ERROR_NO_BLOCK_JOB, "disk '%s' of domain '%s' has no block job",
                args->disk, name);
    return args->job;
}

static void handle_abort_job(VbCall *call, gpointer data)
{
    const DiskArgs *args = vb_call_argument(call);
    GError *error = NULL;
    g_autoptr(VbOptions) options = vb_call_read_options(call, &error);
    gboolean async = FALSE, pivot = FALSE, force = FALSE;
    VbJobFlags flags;
    VbJob *job;

    if (options != NULL) {
        vb_options_take_bool(options, "async", &async);
        vb_options_take_bool(options, "pivot", &pivot);
        vb_options_take_bool(options, "force", &force);
    }
    if (options == NULL || !vb_options_finish(options, &error) ||
        (job = find_job(data, args, &error)) == NULL) {
        vb_call_fail(call, error);
        return;
    }
    flags = (async ? VB_JOB_ASYNC : 0) | (force ? VB_JOB_FORCE : 0);
    if (pivot)
        vb_job_pivot_async(job, flags, vb_answer, vb_job_object_answer_data(call, job));
    else
        vb_job_cancel_async(job, flags, vb_answer, vb_job_object_answer_data(call, job));
}

static const VbMethod methods[] = {
    VB_METHOD_PREPARED("Pull", "sa{sv}", "disk options", "o", "job", BLOCK_JOB, prepare_pull,
                       handle_pull),
    VB_METHOD_PREPARED("Commit", "sa{sv}", "disk options", "o", "job", BLOCK_JOB, prepare_commit,
                       handle_commit),
    VB_METHOD_PREPARED("Copy", "ssa{sv}", "disk destination_xml options", "o", "job", BLOCK_JOB,
                       prepare_copy, handle_copy),
    VB_METHOD_PREPARED("Backup", "sa{sv}", "backup_xml options", "ao", "jobs", BLOCK_JOB,
                       prepare_backup, handle_backup),
    VB_METHOD_PREPARED("AbortJob", "sa{sv}", "disk options", "", "", BLOCK_JOB, prepare_abort_job,
                       handle_abort_job),
    {}};

/* ---- signals ----------------------------------------------------------------------------------
 */

#define JOB_SIGNAL(name) VB_SIGNAL(name, "osssa{sv}", "job disk type message details")

static const VbSignal signals[] = {JOB_SIGNAL("BlockJobReady"),
                                   JOB_SIGNAL("BlockJobCompleted"),
                                   JOB_SIGNAL("BlockJobFailed"),
                                   JOB_SIGNAL("BlockJobCanceled"),
                                   {}};

const VbInterface vb_domain_block_interface = {"org.virtbus1.Domain.Block", methods, NULL, signals,
                                               NULL};

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
