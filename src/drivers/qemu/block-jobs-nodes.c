/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The named nodes of a VM: asks for them, and drops those that nobody needs any more. What a node
 * is for is read from its name (blockdev.h), and whether it is needed from the live definition: so
 * nothing has to be remembered from a job's start to its end, or over a restart of the daemon. */
#include "block-jobs-private.h"

#include "blockdev.h"
#include "error.h"
#include "json-get.h"
#include "qmp-args.h"

void vb_block_call_async(VbDomain *domain, const char *command, JsonObject *arguments,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data)
{
    VbQemuVm *vm = vb_qemu_vm_of(domain);

    if (vm) {
        vb_qemu_vm_call_async(vm, command, arguments, cancellable, callback, user_data);
        return;
    }
    g_clear_pointer(&arguments, json_object_unref);
    g_task_report_new_error(NULL, callback, user_data, vb_block_call_async, VB_ERROR,
                            VB_ERROR_DOMAIN_NOT_RUNNING, "domain '%s' is not running",
                            vb_domain_info(domain)->name);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void nodes_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);
    JsonArray *list = vb_json_node_array(reply);
    GPtrArray *names;

    if (!reply) {
        g_task_return_error(task, error);
        return;
    }
    names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; list && i < json_array_get_length(list); i++) {
        const char *name = vb_json_get_string(vb_json_array_object(list, i), "node-name");
        if (name)
            g_ptr_array_add(names, g_strdup(name));
    }
    g_task_return_pointer(task, names, (GDestroyNotify)g_ptr_array_unref);
}

/* The names of all nodes. query-named-block-nodes, which says more, must never be sent: up to 7.2
 * at least, QEMU crashes over it while a concluded block-stream is not dismissed, on whatever disk
 * (the job's filter has lost the node below it by then, and its file name is looked for there). */
static void query_names_async(VbDomain *domain, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);

    g_task_set_source_tag(task, query_names_async);
    vb_block_call_async(domain, "query-blockstats", vb_qmp_args(VB_ARG_BOOL("query-nodes", TRUE)),
                        cancellable, nodes_told, task);
}

/* Finish: GPtrArray of strings. (transfer full) */
static GPtrArray *query_names_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- dropping ------------------------------------------------------------------------------- */

typedef struct {
    VbDomain *domain;
    GPtrArray *left; /* names that are still there */
    guint index;     /* the one that is being dropped */
    guint dropped;   /* in this pass */
    GError *refused; /* the first refusal of this pass */
} Drop;

static void drop_free(Drop *drop)
{
    vb_domain_unref(drop->domain);
    g_ptr_array_unref(drop->left);
    g_clear_error(&drop->refused);
    g_free(drop);
}

static void drop_next(GTask *task);

static void node_dropped(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Drop *drop = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) reply = vb_qmp_call_finish(result, &error);

    if (reply) {
        g_ptr_array_remove_index(drop->left, drop->index);
        drop->dropped++;
    } else if (vb_qmp_call_error_class(result) != VB_QMP_ERROR_NONE) {
        drop->index++;
        if (!drop->refused)
            drop->refused = g_steal_pointer(&error);
    } else {
        g_task_return_error(task, g_steal_pointer(&error));
        return;
    }
    drop_next(task);
}

static void left_listed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Drop *drop = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(GPtrArray) names = query_names_finish(result, &error);
    g_autoptr(GHashTable) there = g_hash_table_new(g_str_hash, g_str_equal);

    if (!names) {
        g_task_return_error(task, error);
        return;
    }
    for (guint i = 0; i < names->len; i++)
        g_hash_table_add(there, g_ptr_array_index(names, i));
    for (guint i = 0; i < drop->left->len; i++)
        if (g_hash_table_contains(there, g_ptr_array_index(drop->left, i))) {
            g_task_return_error(task, g_steal_pointer(&drop->refused));
            return;
        }
    g_task_return_boolean(task, TRUE);
}

static void drop_next(GTask *task)
{
    Drop *drop = g_task_get_task_data(task);
    GCancellable *cancellable = g_task_get_cancellable(task);

    if (drop->index < drop->left->len) {
        vb_block_call_async(
            drop->domain, "blockdev-del",
            vb_qmp_args(VB_ARG_STRING("node-name", g_ptr_array_index(drop->left, drop->index))),
            cancellable, node_dropped, g_object_ref(task));
    } else if (drop->left->len == 0) {
        g_task_return_boolean(task, TRUE);
    } else if (drop->dropped > 0) {
        drop->index = drop->dropped = 0;
        g_clear_error(&drop->refused);
        drop_next(task);
    } else {
        /* Refused: in use, or not there? */
        query_names_async(drop->domain, cancellable, left_listed, g_object_ref(task));
    }
}

void vb_block_nodes_drop_async(VbDomain *domain, const char *const *names,
                               GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    Drop *drop = g_new0(Drop, 1);

    g_task_set_source_tag(task, vb_block_nodes_drop_async);
    drop->domain = vb_domain_ref(domain);
    drop->left = g_ptr_array_new_with_free_func(g_free);
    for (; *names; names++)
        g_ptr_array_add(drop->left, g_strdup(*names));
    g_task_set_task_data(task, drop, (GDestroyNotify)drop_free);
    drop_next(task);
}

gboolean vb_block_nodes_drop_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- sweeping ------------------------------------------------------------------------------- */

typedef struct {
    VbDomain *domain;
    char *disk;
} Sweep;

static void sweep_free(Sweep *sweep)
{
    vb_domain_unref(sweep->domain);
    g_free(sweep->disk);
    g_free(sweep);
}

static gboolean chain_has(const VbDiskSource *image, guint index)
{
    for (; image; image = image->backing)
        if (image->index == index)
            return TRUE;
    return FALSE;
}

static void sweep_dropped(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;

    if (vb_block_nodes_drop_finish(result, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void sweep_listed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Sweep *sweep = g_task_get_task_data(task);
    const VbDiskDef *disk =
        vb_domain_def_find_disk(vb_domain_def(sweep->domain), sweep->disk, NULL);
    GError *error = NULL;
    g_autoptr(GPtrArray) names = query_names_finish(result, &error);
    g_autoptr(GPtrArray) formats = g_ptr_array_new(), protocols = g_ptr_array_new();

    if (!names) {
        g_task_return_error(task, error);
        return;
    }
    for (guint i = 0; i < names->len; i++) {
        char *name = g_ptr_array_index(names, i);
        gboolean is_file;
        guint index;

        if (vb_blockdev_parse_node(name, sweep->disk, &index, &is_file) &&
            !(disk && chain_has(disk->source, index)))
            g_ptr_array_add(is_file ? protocols : formats, name);
    }
    g_ptr_array_extend(formats, protocols, NULL, NULL);
    g_ptr_array_add(formats, NULL);
    vb_block_nodes_drop_async(sweep->domain, (const char *const *)formats->pdata,
                              g_task_get_cancellable(task), sweep_dropped, g_object_ref(task));
}

void vb_block_nodes_sweep_async(VbDomain *domain, const char *disk, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);
    Sweep *sweep = g_new0(Sweep, 1);

    g_task_set_source_tag(task, vb_block_nodes_sweep_async);
    sweep->domain = vb_domain_ref(domain);
    sweep->disk = g_strdup(disk);
    g_task_set_task_data(task, sweep, (GDestroyNotify)sweep_free);
    query_names_async(domain, cancellable, sweep_listed, task);
}

gboolean vb_block_nodes_sweep_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
