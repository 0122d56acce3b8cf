/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns Query, the question which jobs a VM has and what became of them: query-jobs and
 * query-block-jobs put together, and for jobs that somebody else started, the disk that they work
 * on. Called through VbDriver.jobs_query: once a second while there are jobs, and after a
 * reconnect. */
#include "block-jobs-private.h"

#include "blockdev.h"
#include "json-get.h"

#include <errno.h>
#include <string.h>

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

/* Our word for the type; NULL for what is none of our kinds (a snapshot, an image's creation). */
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

/* id → JsonObject, both borrowed from the reply. A table, as all that is looked up in here: the
 * lists are QEMU's and may be long. */
static GHashTable *index_block_jobs(JsonArray *block_jobs)
{
    GHashTable *index = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; block_jobs && i < json_array_get_length(block_jobs); i++) {
        JsonObject *block_job = vb_json_array_object(block_jobs, i);
        const char *id = vb_json_get_string(block_job, "device");
        if (id)
            g_hash_table_insert(index, (gpointer)id, block_job);
    }
    return index;
}

/* One job from both lists: query-jobs says which there are and how they ended, query-block-jobs has
 * speed and I/O status. */
static VbJobStatus *merge_status(VbDomain *domain, JsonObject *job_info, GHashTable *block_jobs)
{
    const char *id = vb_json_get_string(job_info, "id");
    JsonObject *block_job = id ? g_hash_table_lookup(block_jobs, id) : NULL;
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
    GPtrArray *statuses;
} Query;

static void query_free(Query *query)
{
    vb_domain_unref(query->domain);
    g_clear_pointer(&query->jobs, json_node_unref);
    g_clear_pointer(&query->statuses, g_ptr_array_unref);
    g_free(query);
}

static void query_return(GTask *task)
{
    Query *query = g_task_get_task_data(task);

    g_task_return_pointer(task, g_steal_pointer(&query->statuses),
                          (GDestroyNotify)g_ptr_array_unref);
}

/* ---- whose job is it? ----------------------------------------------------------------------- */

/* The target of the domain's disk that has this node, or NULL. */
static const char *node_disk(const VbDomainDef *def, const char *node)
{
    guint index;
    gboolean is_file;

    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *disk = g_ptr_array_index(def->disks, i);
        if (vb_blockdev_parse_node(node, disk->target, &index, &is_file))
            return disk->target;
    }
    return NULL;
}

/* The names of the jobs in the graph → the targets of their disks, all borrowed. A job holds all
 * nodes that it works on: any one of them that is ours tells the disk. */
static GHashTable *graph_disks(const VbDomainDef *def, JsonObject *graph)
{
    JsonArray *nodes = vb_json_get_array(graph, "nodes");
    JsonArray *edges = vb_json_get_array(graph, "edges");
    g_autoptr(GHashTable) by_id = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    GHashTable *disks = g_hash_table_new(g_str_hash, g_str_equal);
    gint64 parent_id, child_id;

    for (guint i = 0; nodes && i < json_array_get_length(nodes); i++) {
        JsonObject *node = vb_json_array_object(nodes, i);
        gint64 id;
        if (vb_json_get_int(node, "id", &id))
            g_hash_table_insert(by_id, g_memdup2(&id, sizeof id), node);
    }
    for (guint i = 0; edges && i < json_array_get_length(edges); i++) {
        JsonObject *edge = vb_json_array_object(edges, i);
        if (!vb_json_get_int(edge, "parent", &parent_id) ||
            !vb_json_get_int(edge, "child", &child_id))
            continue;
        JsonObject *parent = g_hash_table_lookup(by_id, &parent_id);
        const char *job = vb_json_get_string(parent, "name");
        const char *child = vb_json_get_string(g_hash_table_lookup(by_id, &child_id), "name");
        if (!job || !child || g_strcmp0(vb_json_get_string(parent, "type"), "block-job") != 0 ||
            g_hash_table_contains(disks, job))
            continue;
        const char *disk = node_disk(def, child);
        if (disk)
            g_hash_table_insert(disks, (gpointer)job, (gpointer)disk);
    }
    return disks;
}

static void graph_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Query *query = g_task_get_task_data(task);
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, NULL);
    g_autoptr(GHashTable) disks =
        graph_disks(vb_domain_def(query->domain), vb_json_node_object(reply));

    /* The command is not promised to be there for ever; without it a stranger's disk is not known.
     */
    for (guint i = 0; i < query->statuses->len; i++) {
        VbJobStatus *status = g_ptr_array_index(query->statuses, i);
        if (!status->disk)
            status->disk = g_strdup(g_hash_table_lookup(disks, status->id));
    }
    query_return(task);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void block_jobs_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Query *query = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);
    JsonArray *jobs = vb_json_node_array(query->jobs);
    g_autoptr(GHashTable) block_jobs = index_block_jobs(vb_json_node_array(reply));
    gboolean strangers = FALSE;

    if (!reply) {
        g_task_return_error(task, error);
        return;
    }
    query->statuses = g_ptr_array_new_with_free_func((GDestroyNotify)vb_job_status_free);
    for (guint i = 0; jobs && i < json_array_get_length(jobs); i++) {
        VbJobStatus *status =
            merge_status(query->domain, vb_json_array_object(jobs, i), block_jobs);
        if (!status)
            continue;
        g_ptr_array_add(query->statuses, status);
        strangers |= !status->disk;
    }
    if (strangers)
        vb_block_call_async(query->domain, "x-debug-query-block-graph", NULL,
                            g_task_get_cancellable(task), graph_told, g_object_ref(task));
    else
        query_return(task);
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
