/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the run-time record of a job, <run>/domains/<uuid>/job-<n>.record: a key file with
 * everything that another virtbusd needs to bring the job to its one end. Written before each step
 * that it tells of. See docs/block-jobs.md, "Persistence". */
#include "job.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "core-private.h"
#include "error.h"
#include "log.h"

#define GROUP "job"

static const char *const intent_names[] = {
    [VB_INTENT_NONE] = "none",
    [VB_INTENT_CANCEL_SOFT] = "cancel-soft",
    [VB_INTENT_CANCEL_FORCED] = "cancel-forced",
    [VB_INTENT_PIVOT] = "pivot",
};

/* One row a field: where it is in VbJob, and what it is. */
typedef enum { FIELD_BOOLEAN, FIELD_UINT, FIELD_UINT64, FIELD_STRING } FieldType;

typedef struct {
    const char *key;
    FieldType type;
    gsize offset;
} Field;

#define FIELD(key, type, member)                                                                   \
    {                                                                                              \
        key, type, G_STRUCT_OFFSET(VbJob, member)                                                  \
    }

static const Field fields[] = {
    FIELD("id", FIELD_STRING, info.id),
    FIELD("external", FIELD_BOOLEAN, info.external),
    FIELD("started", FIELD_BOOLEAN, started),
    FIELD("ready", FIELD_BOOLEAN, info.ready),
    FIELD("user-paused", FIELD_BOOLEAN, user_paused),
    FIELD("finalizing", FIELD_BOOLEAN, finalizing),
    FIELD("announced", FIELD_BOOLEAN, announced),
    FIELD("cleaned", FIELD_BOOLEAN, cleaned),
    FIELD("uid", FIELD_UINT, info.started_by_uid),
    FIELD("bandwidth", FIELD_UINT64, info.bandwidth),
    FIELD("start-time", FIELD_UINT64, info.start_time),
    FIELD("end-time", FIELD_UINT64, info.end_time),
    FIELD("current", FIELD_UINT64, info.current),
    FIELD("total", FIELD_UINT64, info.total),
    FIELD("synthesized", FIELD_BOOLEAN, info.synthesized),
    FIELD("pivoted", FIELD_BOOLEAN, info.pivoted),
    FIELD("consistent", FIELD_BOOLEAN, info.consistent),
    FIELD("error-message", FIELD_STRING, info.error_message),
};

static char *record_path(const VbJob *job)
{
    g_autofree char *name = g_strdup_printf("job-%u.record", job->info.number);
    return g_build_filename(vb_domain_run_dir(job->info.domain), name, NULL);
}

/* ---- images -----------------------------------------------------------------------------------
 */

static void save_image(GKeyFile *record, const char *group, const VbDiskSource *image)
{
    if (!image)
        return;
    g_key_file_set_string(record, group, "type", vb_disk_source_type_to_string(image->type));
    g_key_file_set_integer(record, group, "format", image->format);
    g_key_file_set_integer(record, group, "index", image->index);
    g_key_file_set_integer(record, group, "transport", image->transport);
    g_key_file_set_integer(record, group, "port", image->port);
    if (image->path)
        g_key_file_set_string(record, group, "path", image->path);
    if (image->host)
        g_key_file_set_string(record, group, "host", image->host);
    if (image->socket)
        g_key_file_set_string(record, group, "socket", image->socket);
    if (image->export_name)
        g_key_file_set_string(record, group, "export", image->export_name);
}

static VbDiskSource *load_image(GKeyFile *record, const char *group)
{
    g_autofree char *type_name = g_key_file_get_string(record, group, "type", NULL);
    int format = g_key_file_get_integer(record, group, "format", NULL);
    int transport = g_key_file_get_integer(record, group, "transport", NULL);
    VbDiskSourceType type;

    if (!type_name || !vb_disk_source_type_from_string(type_name, &type) ||
        format < VB_DISK_FORMAT_DEFAULT || format > VB_DISK_FORMAT_QCOW2 ||
        transport < VB_NBD_TRANSPORT_TCP || transport > VB_NBD_TRANSPORT_UNIX)
        return NULL;
    VbDiskSource *image = vb_disk_source_new(type, format);
    image->index = MAX(0, g_key_file_get_integer(record, group, "index", NULL));
    image->transport = transport;
    image->port = g_key_file_get_integer(record, group, "port", NULL);
    image->path = g_key_file_get_string(record, group, "path", NULL);
    image->host = g_key_file_get_string(record, group, "host", NULL);
    image->socket = g_key_file_get_string(record, group, "socket", NULL);
    image->export_name = g_key_file_get_string(record, group, "export", NULL);
    return image;
}

/* The target of a copy may have a chain of its own, which becomes the disk's. */
static char *chain_group(const char *group, guint depth)
{
    return depth == 0 ? g_strdup(group) : g_strdup_printf("%s-%u", group, depth);
}

static void save_chain(GKeyFile *record, const char *first, const VbDiskSource *chain)
{
    guint depth = 0;

    for (const VbDiskSource *image = chain; image; image = image->backing) {
        g_autofree char *group = chain_group(first, depth++);
        save_image(record, group, image);
        g_key_file_set_boolean(record, group, "backing-known", image->backing_known);
    }
}

static VbDiskSource *load_chain(GKeyFile *record, const char *first)
{
    VbDiskSource *chain = NULL, **end = &chain;

    for (guint depth = 0;; depth++) {
        g_autofree char *group = chain_group(first, depth);
        *end = load_image(record, group);
        if (!*end)
            return chain;
        (*end)->backing_known = g_key_file_get_boolean(record, group, "backing-known", NULL);
        end = &(*end)->backing;
    }
}

/* ---- save -------------------------------------------------------------------------------------
 */

void vb_job_save(VbJob *job)
{
    g_autoptr(GKeyFile) record = g_key_file_new();
    g_autofree char *path = record_path(job);
    const VbDomainInfo *domain = vb_domain_info(job->info.domain);
    const VbJobSpec *spec = job->spec;

    if (job->removed)
        return;
    g_key_file_set_integer(record, GROUP, "version", VB_RECORD_VERSION);
    g_key_file_set_uint64(record, GROUP, "number", job->info.number);
    g_key_file_set_string(record, GROUP, "type", vb_job_type_to_string(job->info.type));
    g_key_file_set_string(record, GROUP, "disk", job->info.disk);
    g_key_file_set_string(record, GROUP, "domain", domain->name);
    g_key_file_set_string(record, GROUP, "driver", domain->driver->name);
    g_key_file_set_string(record, GROUP, "intent", intent_names[job->intent]);
    g_key_file_set_string(record, GROUP, "result", vb_job_result_to_string(job->info.result));
    g_key_file_set_string(record, GROUP, "reason", vb_job_reason_to_string(job->info.reason));
    g_key_file_set_boolean(record, GROUP, "silent", job->cancel_mode == VB_CANCEL_SILENT);
    g_key_file_set_boolean(record, GROUP, "shallow", spec->shallow);
    g_key_file_set_boolean(record, GROUP, "delete", spec->delete_files);
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
        gconstpointer at = (const char *)job + fields[i].offset;
        switch (fields[i].type) {
        case FIELD_BOOLEAN:
            g_key_file_set_boolean(record, GROUP, fields[i].key, *(const gboolean *)at);
            break;
        case FIELD_UINT:
            g_key_file_set_uint64(record, GROUP, fields[i].key, *(const guint *)at);
            break;
        case FIELD_UINT64:
            g_key_file_set_uint64(record, GROUP, fields[i].key, *(const guint64 *)at);
            break;
        case FIELD_STRING:
            g_key_file_set_string(record, GROUP, fields[i].key, *(const char *const *)at);
            break;
        }
    }
    save_image(record, "source", job->source);
    save_image(record, "top", job->top);
    save_image(record, "base", job->base);
    save_chain(record, "committed", job->committed);
    save_chain(record, "target", spec->target);
    vb_record_write(path, record, domain->uuid, job->info.id);
}

void vb_job_record_remove(VbJob *job)
{
    g_autofree char *path = record_path(job);

    if (g_unlink(path) < 0 && errno != ENOENT)
        vb_log_warning(vb_domain_info(job->info.domain)->uuid, job->info.id, "cannot remove %s: %s",
                       path, g_strerror(errno));
}

/* ---- load -------------------------------------------------------------------------------------
 */

static gboolean load_field(VbJob *job, GKeyFile *record, const Field *field, GError **error)
{
    gpointer at = (char *)job + field->offset;
    GError *local = NULL;

    switch (field->type) {
    case FIELD_BOOLEAN:
        *(gboolean *)at = g_key_file_get_boolean(record, GROUP, field->key, &local);
        break;
    case FIELD_UINT:
        *(guint *)at = g_key_file_get_uint64(record, GROUP, field->key, &local);
        break;
    case FIELD_UINT64:
        *(guint64 *)at = g_key_file_get_uint64(record, GROUP, field->key, &local);
        break;
    case FIELD_STRING: {
        char *value = g_key_file_get_string(record, GROUP, field->key, &local);
        if (value) {
            g_free(*(char **)at);
            *(char **)at = value;
        }
        break;
    }
    }
    if (local)
        g_propagate_error(error, local);
    return !local;
}

static gboolean load_intent(VbJob *job, GKeyFile *record)
{
    g_autofree char *name = g_key_file_get_string(record, GROUP, "intent", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(intent_names); i++) {
        if (g_strcmp0(name, intent_names[i]) == 0) {
            job->intent = i;
            job->info.cancel_requested = i == VB_INTENT_CANCEL_SOFT || i == VB_INTENT_CANCEL_FORCED;
            job->info.pivot_requested = i == VB_INTENT_PIVOT;
            return TRUE;
        }
    }
    return FALSE;
}

/* Are the images there that every job of its type has? */
static gboolean has_images(const VbJob *job)
{
    switch (job->info.type) {
    case VB_JOB_PULL:
        return job->source != NULL;
    case VB_JOB_COPY:
    case VB_JOB_BACKUP:
        return job->source && job->spec->target;
    case VB_JOB_COMMIT:
    case VB_JOB_ACTIVE_COMMIT:
        return job->source && job->top && job->base;
    }
    return FALSE;
}

VbJob *vb_job_record_load(VbDomain *domain, const char *path, GError **error)
{
    g_autoptr(GKeyFile) record = vb_record_read(path, GROUP, error);
    if (!record)
        return NULL;

    g_autofree char *type_name = g_key_file_get_string(record, GROUP, "type", NULL);
    g_autofree char *disk = g_key_file_get_string(record, GROUP, "disk", NULL);
    g_autofree char *result = g_key_file_get_string(record, GROUP, "result", NULL);
    g_autofree char *reason = g_key_file_get_string(record, GROUP, "reason", NULL);
    guint64 number = g_key_file_get_uint64(record, GROUP, "number", NULL);
    VbJobType type;

    if (!type_name || !vb_job_type_from_string(type_name, &type) || !disk || number == 0 ||
        number > G_MAXINT) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "type, disk or number is missing or wrong");
        return NULL;
    }
    VbJobSpec *spec = vb_job_spec_new(type, disk);
    spec->shallow = g_key_file_get_boolean(record, GROUP, "shallow", NULL);
    spec->delete_files = g_key_file_get_boolean(record, GROUP, "delete", NULL);
    spec->target = load_chain(record, "target");
    g_autoptr(VbJob) job = vb_job_new(domain, number, type, disk, spec);
    job->source = load_image(record, "source");
    job->top = load_image(record, "top");
    job->base = load_image(record, "base");
    job->committed = load_chain(record, "committed");
    spec->top_index = job->top ? job->top->index : 0;
    spec->base_index = job->base ? job->base->index : 0;
    if (g_key_file_get_boolean(record, GROUP, "silent", NULL))
        job->cancel_mode = VB_CANCEL_SILENT;

    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        if (!load_field(job, record, &fields[i], error))
            return NULL;
    if (!result || !vb_job_result_from_string(result, &job->info.result) || !reason ||
        !vb_job_reason_from_string(reason, &job->info.reason) || !load_intent(job, record)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "result, reason or intent is not known");
        return NULL;
    }
    if (!job->info.external && !has_images(job)) {
        g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "an image that the job works on is missing");
        return NULL;
    }
    if (job->info.result != VB_JOB_RESULT_NONE)
        job->info.state = VB_JOB_CONCLUDED;
    if (job->info.result == VB_JOB_RESULT_FAILED)
        job->info.error_code = VB_ERROR_BLOCK_JOB_FAILED;
    return g_steal_pointer(&job);
}
