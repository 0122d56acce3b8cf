/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbVmAccess: which files a VM needs, and for what. See vm-access.h. */
#include "vm-access.h"

#include "job.h"

struct VbVmAccess {
    VbAccess *access;
    VbDomain *domain; /* NULL once stopped */
    guint owner;      /* the domain's id in this life */
    VbImageGate gate;
    guint holds;
    gboolean sync_wanted; /* when there is no hold any more */
    guint sync_source;
};

/* ---- one file ---------------------------------------------------------------------------------
 */

/* FALSE: it is nothing that QEMU opens. */
static gboolean make_wish(const VbHostResource *resource, VbFileWish *ret_wish)
{
    VbFileKinds kinds = VB_FILE_REGULAR;

    switch (resource->use) {
    case VB_HOST_DISK:
    case VB_HOST_BACKING_IMAGE:
        kinds = VB_FILE_REGULAR | VB_FILE_BLOCK;
        break;
    case VB_HOST_NBD_SOCKET:
    case VB_HOST_CHAR_SOCKET:
    case VB_HOST_GRAPHICS_SOCKET:
        kinds = VB_FILE_SOCKET;
        break;
    case VB_HOST_RNG_DEVICE:
        kinds = VB_FILE_REGULAR | VB_FILE_CHARACTER;
        break;
    case VB_HOST_LOADER:
    case VB_HOST_NVRAM:
    case VB_HOST_KERNEL:
    case VB_HOST_INITRD:
    case VB_HOST_CHAR_FILE:
        break;
    case VB_HOST_NBD_SERVER:     /* an address */
    case VB_HOST_EMULATOR:       /* executed, by whoever can */
    case VB_HOST_NVRAM_TEMPLATE: /* read by us */
    case VB_HOST_BRIDGE:         /* names: QEMU gets a tap that is open */
    case VB_HOST_TAP:
    case VB_HOST_TFTP_ROOT: /* a network's */
    case VB_N_HOST_USES:
        return FALSE;
    }
    /* A variable store is made from its template, before. */
    *ret_wish = (VbFileWish){resource->path, kinds, resource->write,
                             resource->create && resource->use != VB_HOST_NVRAM};
    return TRUE;
}

static void on_admitted(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    GError *error = NULL;

    if (vb_access_grant_finish(result, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void admit(gpointer self, const VbDiskSource *image, gboolean write, GTask *task)
{
    VbVmAccess *access = self;
    gboolean network = image->type == VB_DISK_SOURCE_NETWORK;
    VbFileWish wish = {
        .path = network ? image->socket : image->path,
        .kinds = network ? VB_FILE_SOCKET : VB_FILE_REGULAR | VB_FILE_BLOCK,
        .write = write || network,
    };

    if (!wish.path) {
        g_task_return_boolean(task, TRUE); /* a server elsewhere */
        g_object_unref(task);
        return;
    }
    vb_access_grant_async(access->access, access->owner, &wish, g_task_get_cancellable(task),
                          on_admitted, task);
}

VbVmAccess *vb_vm_access_new(VbAccess *access, VbDomain *domain, const VbLaunchBy *by)
{
    VbVmAccess *own = g_new0(VbVmAccess, 1);

    own->access = vb_access_ref(access);
    own->domain = domain;
    own->owner = vb_domain_info(domain)->id;
    own->gate = (VbImageGate){
        .by = *by,
        .bounds = vb_access_bounds(access),
        .admit = admit,
        .self = own,
    };
    return own;
}

void vb_vm_access_free(VbVmAccess *access)
{
    if (!access)
        return;
    g_clear_handle_id(&access->sync_source, g_source_remove);
    vb_access_unref(access->access);
    g_free(access);
}

const VbImageGate *vb_vm_access_gate(const VbVmAccess *access)
{
    return access->gate.by.identity || access->gate.bounds ? &access->gate : NULL;
}

VbFileBounds vb_vm_access_bounds(const VbVmAccess *access)
{
    return access->gate.bounds;
}

const VbIdentity *vb_vm_access_identity(const VbVmAccess *access)
{
    return access->gate.by.identity;
}

/* ---- several ----------------------------------------------------------------------------------
 */

typedef struct {
    VbVmAccess *access; /* borrowed: the caller keeps the VM */
    GPtrArray *resources;
    guint next;
} Round;

static void round_free(gpointer data)
{
    Round *round = data;

    g_ptr_array_unref(round->resources);
    g_free(round);
}

static void grant_next(GTask *task);

static void on_granted(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    const Round *round = g_task_get_task_data(task);
    const VbHostResource *resource = round->resources->pdata[round->next - 1];
    GError *error = NULL;

    if (vb_access_grant_finish(result, &error)) {
        grant_next(task);
        return;
    }
    g_prefix_error(&error, "%s: ", vb_host_use_to_string(resource->use));
    g_task_return_error(task, error);
}

static void grant_next(GTask *task)
{
    Round *round = g_task_get_task_data(task);

    while (round->next < round->resources->len) {
        VbFileWish wish;
        if (make_wish(round->resources->pdata[round->next++], &wish)) {
            vb_access_grant_async(round->access->access, round->access->owner, &wish,
                                  g_task_get_cancellable(task), on_granted, g_object_ref(task));
            return;
        }
    }
    g_task_return_boolean(task, TRUE);
}

void vb_vm_access_grant_async(VbVmAccess *access, GPtrArray *resources, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    Round *round = g_new0(Round, 1);

    g_task_set_source_tag(task, vb_vm_access_grant_async);
    *round = (Round){access, resources, 0};
    g_task_set_task_data(task, round, round_free);
    grant_next(task);
}

gboolean vb_vm_access_grant_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- giving back ------------------------------------------------------------------------------
 */

static void add_written(GPtrArray *resources, const VbDiskSource *image)
{
    g_autoptr(VbDiskSource) alone = vb_disk_source_copy(image);

    g_clear_pointer(&alone->backing, vb_disk_source_free);
    g_ptr_array_extend_and_steal(resources, vb_disk_source_host_resources(alone, TRUE));
}

GPtrArray *vb_vm_access_commit_resources(const VbDomainDef *def, const char *disk, guint top_index,
                                         guint base_index)
{
    GPtrArray *resources = g_ptr_array_new_with_free_func((GDestroyNotify)vb_host_resource_free);
    const VbDiskDef *on = vb_domain_def_find_disk(def, disk, NULL);

    for (const VbDiskSource *image = on ? on->source : NULL; image; image = image->backing)
        if (image->index == base_index || (image->backing && image->backing->index == top_index))
            add_written(resources, image);
    return resources;
}

static void add_needs(GHashTable *needs, GPtrArray *resources)
{
    g_autoptr(GPtrArray) owned = resources;

    for (guint i = 0; i < owned->len; i++) {
        const VbHostResource *resource = owned->pdata[i];
        gboolean write = GPOINTER_TO_INT(g_hash_table_lookup(needs, resource->path));
        g_hash_table_insert(needs, g_strdup(resource->path),
                            GINT_TO_POINTER(write || resource->write));
    }
}

static void add_job_needs(GHashTable *needs, const VbDomainDef *def, const VbJob *job)
{
    const VbJobInfo *info = vb_job_info(job);
    const VbJobSpec *spec = vb_job_spec(job);

    if (!spec)
        return;
    if (spec->target)
        add_needs(needs, vb_disk_source_host_resources(spec->target, TRUE));
    if (info->type == VB_JOB_COMMIT || info->type == VB_JOB_ACTIVE_COMMIT)
        add_needs(needs, vb_vm_access_commit_resources(def, info->disk, spec->top_index,
                                                       spec->base_index));
}

static gboolean on_sync(gpointer data)
{
    VbVmAccess *access = data;
    g_autoptr(GHashTable) needs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const VbDomainDef *def = vb_domain_def(access->domain);
    const GPtrArray *jobs = vb_domain_jobs(access->domain);

    access->sync_source = 0;
    if (access->holds > 0)
        return G_SOURCE_REMOVE;
    access->sync_wanted = FALSE;
    add_needs(needs, vb_domain_def_host_resources(def));
    for (guint i = 0; i < jobs->len; i++)
        if (vb_job_is_live(jobs->pdata[i]))
            add_job_needs(needs, def, jobs->pdata[i]);
    vb_access_keep_only(access->access, access->owner, needs);
    return G_SOURCE_REMOVE;
}

/* Not at once: the core first takes note of what has just been answered to it. */
void vb_vm_access_sync(VbVmAccess *access)
{
    access->sync_wanted = TRUE;
    if (access->domain && access->sync_source == 0 && access->holds == 0)
        access->sync_source = g_idle_add_full(G_PRIORITY_LOW, on_sync, access, NULL);
}

void vb_vm_access_hold(VbVmAccess *access)
{
    access->holds++;
}

void vb_vm_access_release(VbVmAccess *access)
{
    access->holds--;
    if (access->sync_wanted)
        vb_vm_access_sync(access);
}

void vb_vm_access_stop(VbVmAccess *access)
{
    g_clear_handle_id(&access->sync_source, g_source_remove);
    access->domain = NULL;
}

void vb_vm_access_give_back(VbVmAccess *access)
{
    vb_access_keep_only(access->access, access->owner, NULL);
}
