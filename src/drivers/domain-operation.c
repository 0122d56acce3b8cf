/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the one slot of a domain for state-changing operations: who has it, who waits for it, and
 * how a Destroy takes it away. Start … Destroy, undefine and autostart come in here; define and
 * redefine (host.c) borrow the slot. See domain.h. */
#include "domain.h"

#include "core-private.h"
#include "error.h"
#include "log.h"

static const char *const op_names[] = {
    [VB_DOMAIN_OP_NONE] = "none",         [VB_DOMAIN_OP_START] = "start",
    [VB_DOMAIN_OP_SHUTDOWN] = "shutdown", [VB_DOMAIN_OP_REBOOT] = "reboot",
    [VB_DOMAIN_OP_RESET] = "reset",       [VB_DOMAIN_OP_SUSPEND] = "suspend",
    [VB_DOMAIN_OP_RESUME] = "resume",     [VB_DOMAIN_OP_DESTROY] = "destroy",
    [VB_DOMAIN_OP_UNDEFINE] = "undefine", [VB_DOMAIN_OP_REDEFINE] = "redefine",
};
G_STATIC_ASSERT(G_N_ELEMENTS(op_names) == VB_N_DOMAIN_OPS);

const char *vb_domain_op_to_string(VbDomainOp op)
{
    return op_names[op];
}

static GError *not_running(const VbDomain *domain)
{
    return g_error_new(VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "domain '%s' is not running",
                       domain->info.name);
}

/* ---- the slot ---------------------------------------------------------------------------------
 */

static VbOperation *operation_new(VbDomain *domain, VbDomainOp op)
{
    VbOperation *operation = g_new0(VbOperation, 1);

    operation->domain = vb_domain_ref(domain);
    operation->op = op;
    operation->clients = g_ptr_array_new_with_free_func(g_object_unref);
    operation->displaced = g_ptr_array_new_with_free_func(g_object_unref);
    operation->cancellable = g_cancellable_new();
    return operation;
}

static void operation_free(VbOperation *operation)
{
    g_ptr_array_unref(operation->clients);
    g_ptr_array_unref(operation->displaced);
    g_object_unref(operation->cancellable);
    vb_domain_unref(operation->domain);
    g_free(operation);
}

VbOperation *vb_domain_take_slot(VbDomain *domain, VbDomainOp op, GError **error)
{
    if (domain->operation) {
        g_set_error(error, VB_ERROR, VB_ERROR_BUSY,
                    "domain '%s' is busy: its operation '%s' has not ended", domain->info.name,
                    vb_domain_op_to_string(domain->operation->op));
        return NULL;
    }
    domain->operation = operation_new(domain, op);
    return domain->operation;
}

void vb_domain_release_slot(VbOperation *operation)
{
    VbDomain *domain = operation->domain;

    if (domain->operation == operation)
        domain->operation = NULL;
    operation_free(operation);
}

/* ---- start … destroy --------------------------------------------------------------------------
 */

static void answer(GPtrArray *clients, const GError *error)
{
    for (guint i = 0; i < clients->len; i++) {
        GTask *client = g_ptr_array_index(clients, i);
        if (error)
            g_task_return_error(client, g_error_copy(error));
        else
            g_task_return_boolean(client, TRUE);
    }
}

/* The clients whose operation a Destroy displaced, after that has ended. */
static void answer_displaced(VbOperation *destroy, const GError *destroy_error)
{
    for (guint i = 0; i < destroy->displaced->len; i++) {
        GTask *client = g_ptr_array_index(destroy->displaced, i);
        const char *name = destroy->domain->info.name;
        if (destroy_error)
            g_task_return_new_error(client, VB_ERROR, VB_ERROR_FAILED,
                                    "domain '%s': the operation '%s' was displaced by a destroy, "
                                    "which failed: %s",
                                    name, g_task_get_name(client), destroy_error->message);
        else
            g_task_return_new_error(client, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                    "domain '%s' was destroyed before its operation '%s' ended",
                                    name, g_task_get_name(client));
    }
}

static void operation_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    VbOperation *operation = user_data;
    g_autoptr(VbDomain) domain = vb_domain_ref(operation->domain);
    g_autoptr(GError) error = NULL;
    gboolean displaced = domain->operation != operation;

    g_task_propagate_boolean(G_TASK(result), &error);
    /* A start that failed leaves nothing, whatever its driver left; one that a Destroy displaced is
     * that one's to clear up. */
    if (operation->op == VB_DOMAIN_OP_START && error && !displaced)
        vb_domain_gone(domain, VB_DOMAIN_SHUT_OFF, "failed");
    if (operation->op == VB_DOMAIN_OP_START && !error && !displaced)
        vb_domain_number_images(domain);
    if (error && operation->op != VB_DOMAIN_OP_START && !vb_domain_is_active(domain)) {
        g_clear_error(&error);
        error = not_running(domain);
    }

    /* The slot is free before anybody is answered: the answer may bring the next call. */
    g_autoptr(GPtrArray) clients = g_ptr_array_ref(operation->clients);
    if (!displaced)
        domain->operation = NULL;
    if (domain->replug && !domain->operation)
        vb_domain_replug(domain);
    answer_displaced(operation, error);
    answer(clients, error);
    operation_free(operation);
}

static void run(VbOperation *operation, VbDomainOpFlags flags)
{
    VbDomain *domain = operation->domain;
    GTask *task = g_task_new(NULL, operation->cancellable, operation_done, operation);

    /* The driver ends the task itself when it is cancelled, once it has cleared up. */
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_name(task, vb_domain_op_to_string(operation->op));
    domain->info.driver->operate(domain->driver_self, domain, operation->op, flags, task);
}

static void destroy(VbDomain *domain, GTask *client)
{
    VbOperation *current = domain->operation;

    if (current && current->op == VB_DOMAIN_OP_DESTROY) {
        g_ptr_array_add(current->clients, client);
        return;
    }
    domain->operation = operation_new(domain, VB_DOMAIN_OP_DESTROY);
    g_ptr_array_add(domain->operation->clients, client);
    /* The core's own operations write a file and end by themselves, beside the Destroy. */
    if (current && current->op < VB_DOMAIN_OP_DESTROY) {
        g_ptr_array_extend_and_steal(domain->operation->displaced,
                                     g_steal_pointer(&current->clients));
        current->clients = g_ptr_array_new_with_free_func(g_object_unref);
        g_cancellable_cancel(current->cancellable);
    }
    run(domain->operation, VB_DOMAIN_OP_FLAG_NONE);
}

/* Does the domain's state allow the operation? */
static gboolean check_state(const VbDomain *domain, VbDomainOp op, GError **error)
{
    VbDomainState state = domain->info.state;
    gboolean allowed = TRUE;

    if (op == VB_DOMAIN_OP_START) {
        if (!domain->live)
            return TRUE;
        g_set_error(error, VB_ERROR, VB_ERROR_DOMAIN_RUNNING, "domain '%s' is already running",
                    domain->info.name);
        return FALSE;
    }
    if (!domain->live) {
        g_propagate_error(error, not_running(domain));
        return FALSE;
    }
    if (op == VB_DOMAIN_OP_DESTROY)
        return TRUE;
    if (!domain->info.responsive) {
        g_set_error(error, VB_ERROR, VB_ERROR_TIMEOUT,
                    "the monitor of domain '%s' does not answer; only destroy works on it",
                    domain->info.name);
        return FALSE;
    }
    if (op == VB_DOMAIN_OP_RESUME)
        allowed = state == VB_DOMAIN_PAUSED || state == VB_DOMAIN_PM_SUSPENDED;
    else if (op == VB_DOMAIN_OP_SUSPEND)
        allowed = state == VB_DOMAIN_RUNNING;
    else
        allowed = state == VB_DOMAIN_RUNNING || state == VB_DOMAIN_PAUSED;
    if (!allowed)
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_STATE,
                    "domain '%s' is %s: it cannot do '%s' now", domain->info.name,
                    vb_domain_state_to_string(state), vb_domain_op_to_string(op));
    return allowed;
}

void vb_domain_operate_async(VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags,
                             GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: what was begun goes on when the caller leaves; Destroy is what stops it. */
    g_autoptr(GTask) client = g_task_new(NULL, NULL, callback, user_data);
    GError *error = NULL;

    g_return_if_fail(op >= VB_DOMAIN_OP_START && op <= VB_DOMAIN_OP_DESTROY);
    g_task_set_source_tag(client, vb_domain_operate_async);
    g_task_set_name(client, vb_domain_op_to_string(op));
    if (op == VB_DOMAIN_OP_DESTROY && domain->live) {
        destroy(domain, g_steal_pointer(&client));
        return;
    }
    /* What is in progress says more than the state that it is about to change. */
    VbOperation *operation = vb_domain_take_slot(domain, op, &error);
    if (!operation) {
        g_task_return_error(client, error);
        return;
    }
    if (!check_state(domain, op, &error) ||
        (op == VB_DOMAIN_OP_START && !vb_domain_load_stored(domain, &error))) {
        vb_domain_release_slot(operation);
        g_task_return_error(client, error);
        return;
    }
    g_ptr_array_add(operation->clients, g_steal_pointer(&client));
    if (op == VB_DOMAIN_OP_START)
        vb_domain_begin_life(domain, vb_domain_def_copy(domain->stored));
    run(operation, flags);
}

gboolean vb_domain_operate_finish(VbDomain *domain, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- undefine, autostart ----------------------------------------------------------------------
 */

static gboolean check_persistent(const VbDomain *domain, const char *what, GError **error)
{
    if (domain->info.persistent)
        return TRUE;
    g_set_error(error, VB_ERROR, VB_ERROR_INVALID_STATE,
                "domain '%s' is transient: it has no stored definition to %s", domain->info.name,
                what);
    return FALSE;
}

static void set_autostart(VbDomain *domain, gboolean autostart)
{
    if (domain->info.autostart == autostart)
        return;
    domain->info.autostart = autostart;
    VB_EMIT(domain->host, domain_changed, domain, VB_DOMAIN_PROP_AUTOSTART);
}

static void undefined(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    VbOperation *operation = g_task_get_task_data(client);
    g_autoptr(VbDomain) domain = vb_domain_ref(operation->domain);
    GError *error = NULL;
    gboolean gone = vb_store_write_finish(domain->host->store, result, &error);

    vb_domain_release_slot(operation);
    if (gone) {
        vb_host_index_changed(domain->host);
        vb_domain_lifecycle(domain, "undefined", "removed");
        set_autostart(domain, FALSE);
        if (domain->live) {
            vb_domain_set_stored(domain, NULL, NULL);
        } else {
            domain->info.persistent = FALSE;
            vb_host_remove(domain->host, domain);
        }
    }
    vb_domain_unlock_definition(domain);
    if (gone)
        g_task_return_boolean(client, TRUE);
    else
        g_task_return_error(client, error);
}

static void remove_definition(gpointer user_data)
{
    GTask *client = user_data;
    const VbDomain *domain = ((VbOperation *)g_task_get_task_data(client))->domain;
    g_autofree char *autostart = vb_paths_autostart(domain->host->paths, domain->info.uuid);
    g_autofree char *definition = vb_paths_definition(domain->host->paths, domain->info.uuid);

    /* The writer keeps the order: the definition goes last, so that its end is the end of both. */
    if (domain->info.autostart)
        vb_store_write_async(domain->host->store, autostart, NULL, NULL, NULL);
    vb_store_write_async(domain->host->store, definition, NULL, undefined, client);
}

void vb_domain_undefine_async(VbDomain *domain, GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) client = g_task_new(NULL, NULL, callback, user_data);
    GError *error = NULL;

    VbOperation *operation = vb_domain_take_slot(domain, VB_DOMAIN_OP_UNDEFINE, &error);
    if (!operation) {
        g_task_return_error(client, error);
        return;
    }
    if (!check_persistent(domain, "forget", &error)) {
        vb_domain_release_slot(operation);
        g_task_return_error(client, error);
        return;
    }
    g_task_set_task_data(client, operation, NULL);
    vb_domain_lock_definition(domain, remove_definition, g_steal_pointer(&client));
}

gboolean vb_domain_undefine_finish(VbDomain *domain, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

typedef struct {
    VbDomain *domain;
    gboolean autostart;
} Autostart;

static void autostart_free(Autostart *data)
{
    vb_domain_unref(data->domain);
    g_free(data);
}

static void autostart_written(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    Autostart *data = g_task_get_task_data(client);
    GError *error = NULL;
    gboolean written = vb_store_write_finish(data->domain->host->store, result, &error);

    if (written)
        set_autostart(data->domain, data->autostart);
    vb_domain_unlock_definition(data->domain);
    if (written)
        g_task_return_boolean(client, TRUE);
    else
        g_task_return_error(client, error);
}

/* The mark goes with the definition: it is written in that one's turn. */
static void write_autostart(gpointer user_data)
{
    g_autoptr(GTask) client = user_data;
    Autostart *data = g_task_get_task_data(client);
    VbDomain *domain = data->domain;
    g_autofree char *path = vb_paths_autostart(domain->host->paths, domain->info.uuid);
    g_autoptr(GBytes) mark = data->autostart ? g_bytes_new_static("1\n", 2) : NULL;
    GError *error = NULL;

    if (!check_persistent(domain, "start by itself", &error)) {
        vb_domain_unlock_definition(domain);
        g_task_return_error(client, error);
        return;
    }
    vb_store_write_async(domain->host->store, path, mark, autostart_written,
                         g_steal_pointer(&client));
}

void vb_domain_set_autostart_async(VbDomain *domain, gboolean autostart,
                                   GAsyncReadyCallback callback, gpointer user_data)
{
    /* No cancellable: a mark that is being written is finished. */
    GTask *client = g_task_new(NULL, NULL, callback, user_data);
    Autostart *data = g_new0(Autostart, 1);

    data->domain = vb_domain_ref(domain);
    data->autostart = autostart;
    g_task_set_task_data(client, data, (GDestroyNotify)autostart_free);
    vb_domain_lock_definition(domain, write_autostart, client);
}

gboolean vb_domain_set_autostart_finish(VbDomain *domain, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
