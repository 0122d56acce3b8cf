/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbQemuVm: its process, its monitor, and its one end. The end comes when the process has
 * ended and the monitor has said its last word (events of the last moment tell how jobs ended);
 * each way to lose one of the two leads there, by SIGKILL if need be. */
#include "vm.h"

#include <signal.h>

#include "block-jobs.h"
#include "qemu-command.h"
#include "error.h"
#include "log.h"
#include "vm-private.h"
#include "vm-socket.h"

#define QUIT_MS 5000u      /* from quit to SIGKILL */
#define LOST_MS 2000u      /* from the loss of the monitor to SIGKILL */
#define LAST_WORDS_MS 500u /* from the end of the process to that of the monitor */

static void vm_clear(gpointer data)
{
    VbQemuVm *vm = data;

    vb_qemu_caps_unref(vm->caps);
    vb_process_free(vm->process);
    vb_qmp_free(vm->qmp);
    vb_vm_access_free(vm->access);
    g_free(vm->run_dir);
    g_ptr_array_unref(vm->priv->destroys);
    g_free(vm->priv->how);
    g_free(vm->priv->words);
    g_free(vm->priv->run_state);
    g_free(vm->priv);
}

VbQemuVm *vb_qemu_vm_ref(VbQemuVm *vm)
{
    return g_rc_box_acquire(vm);
}

void vb_qemu_vm_unref(VbQemuVm *vm)
{
    if (vm)
        g_rc_box_release_full(vm, vm_clear);
}

static void driver_data_destroy(gpointer data)
{
    VbQemuVm *vm = data;

    vb_qemu_vm_close(vm);
    vb_qemu_vm_unref(vm);
}

VbQemuVm *vb_qemu_vm_new(VbQemuDriver *driver, VbDomain *domain)
{
    VbQemuVm *vm = g_rc_box_new0(VbQemuVm);

    vm->driver = driver;
    vm->domain = domain;
    vm->access = vb_vm_access_new(driver->access, domain, &driver->by);
    vm->run_dir = vb_paths_qemu_run(vb_host_paths(driver->host), vb_domain_info(domain)->uuid);
    vm->priv = g_new0(VbQemuVmPrivate, 1);
    vm->priv->destroys = g_ptr_array_new_with_free_func(g_object_unref);
    g_ptr_array_add(driver->vms, vm);
    vb_domain_set_driver_data(domain, vm, driver_data_destroy);
    return vm;
}

gboolean vb_qemu_vm_is_over(const VbQemuVm *vm)
{
    return vm->priv->over;
}

VbQemuVm *vb_qemu_vm_of(const VbDomain *domain)
{
    VbQemuVm *vm = vb_domain_driver_data(domain);

    return vm && !vm->priv->over ? vm : NULL;
}

guint vb_qemu_vm_next_index(VbQemuVm *vm)
{
    vm->last_index++;
    vb_domain_save(vm->domain);
    return vm->last_index;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

char *vb_qemu_launch_name(const VbDomain *domain)
{
    return g_strconcat("qemu-", vb_domain_info(domain)->uuid, NULL);
}

char *vb_qemu_log_path(const VbDomain *domain)
{
    return g_build_filename(vb_domain_run_dir(domain), "qemu.log", NULL);
}

/* Nothing comes from the process or the monitor any more. */
static void let_go(VbQemuVm *vm)
{
    VbQemuVmPrivate *priv = vm->priv;

    priv->over = TRUE;
    vb_vm_access_stop(vm->access);
    g_ptr_array_remove_fast(vm->driver->vms, vm);
    g_clear_handle_id(&priv->timer, g_source_remove);
    g_clear_handle_id(&priv->reset_timer, g_source_remove);
    g_clear_pointer(&vm->qmp, vb_qmp_free);
    g_clear_pointer(&vm->process, vb_process_free);
    if (vm->block_jobs && vm->block_jobs_free)
        vm->block_jobs_free(g_steal_pointer(&vm->block_jobs));
}

void vb_qemu_vm_close(VbQemuVm *vm)
{
    VbQemuVmPrivate *priv = vm->priv;
    g_autoptr(GError) error = NULL;

    if (priv->over)
        return;
    if (priv->start && vm->process)
        vb_process_kill(vm->process, SIGKILL);
    let_go(vm);
    GTask *start = vb_qemu_start_end(vm, &error);
    GTask *reconnect = vb_qemu_reconnect_end(vm);
    if (start)
        g_ptr_array_add(priv->destroys, start);
    if (reconnect)
        g_ptr_array_add(priv->destroys, reconnect);
    for (guint i = 0; i < priv->destroys->len; i++)
        g_task_return_new_error(priv->destroys->pdata[i], G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                "The driver was closed");
    g_ptr_array_set_size(priv->destroys, 0);
}

/* Why a start did not come to its end, when QEMU itself is the reason. */
static GError *ended_early(VbQemuVm *vm)
{
    const char *how = vm->priv->how, *words = vm->priv->words;

    return g_error_new(VB_ERROR, VB_ERROR_HYPERVISOR,
                       "domain '%s' did not start: QEMU ended%s%s%s%s%s",
                       vb_domain_info(vm->domain)->name, *how ? " with " : "", how,
                       *words ? " (" : "", words, *words ? ")" : "");
}

static void log_crash(VbQemuVm *vm)
{
    const VbDomainInfo *info = vb_domain_info(vm->domain);
    const char *how = vm->priv->how, *words = vm->priv->words;

    vb_log_event(VB_MESSAGE_DOMAIN_CRASHED, VB_LOG_LEVEL_WARNING, info->uuid, NULL,
                 "QEMU of domain '%s' ended unexpectedly%s%s%s%s", info->name,
                 how && *how ? ": " : "", how ? how : "",
                 words && *words ? "; its last words: " : "", words ? words : "");
}

void vb_qemu_vm_over(VbQemuVm *vm)
{
    VbQemuVmPrivate *priv = vm->priv;

    if (priv->over || priv->asking)
        return;
    g_autoptr(VbQemuVm) keep = vb_qemu_vm_ref(vm);
    g_autoptr(VbDomain) domain = vb_domain_ref(vm->domain);
    gboolean own_end = priv->ended && !priv->killed;
    let_go(vm);

    GError *error = NULL;
    g_autoptr(GTask) reconnect = vb_qemu_reconnect_end(vm);
    g_autoptr(GTask) start = vb_qemu_start_end(vm, &error);
    g_autoptr(GPtrArray) destroys = g_steal_pointer(&priv->destroys);
    priv->destroys = g_ptr_array_new_with_free_func(g_object_unref);

    VbDomainState state = VB_DOMAIN_SHUT_OFF;
    const char *reason = priv->end_reason;
    if (start) {
        if (own_end && !reason) {
            g_clear_error(&error);
            error = ended_early(vm);
        }
        reason = reason ? reason : "failed";
    } else if (!reason && vb_domain_is_stopping(domain)) {
        reason = "shutdown";
    } else if (!reason) {
        state = VB_DOMAIN_CRASHED;
        reason = "crashed";
        log_crash(vm);
    } else if (g_str_equal(reason, "panicked")) {
        state = VB_DOMAIN_CRASHED;
    }
    vb_qemu_run_dir_remove(vb_host_paths(vm->driver->host), vb_domain_info(domain)->uuid);
    vb_vm_access_give_back(vm->access);
    vb_domain_gone(domain, state, reason);

    if (start)
        g_task_return_error(start, error);
    if (reconnect)
        g_task_return_new_error(reconnect, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING, "QEMU has ended");
    for (guint i = 0; i < destroys->len; i++)
        g_task_return_boolean(destroys->pdata[i], TRUE);
}

static gboolean on_last_words_over(gpointer data)
{
    VbQemuVm *vm = data;

    vm->priv->timer = 0;
    vb_qemu_vm_over(vm);
    return G_SOURCE_REMOVE;
}

static void on_words(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuVm) vm = data;

    vm->priv->words = g_task_propagate_pointer(G_TASK(result), NULL);
    vm->priv->asking = FALSE;
    if (vm->priv->timer == 0) /* else the monitor is still waited for */
        vb_qemu_vm_over(vm);
}

/* Of an end that nobody expected, what QEMU wrote is the only explanation. */
static void ask_for_words(VbQemuVm *vm)
{
    const VbQemuDriver *driver = vm->driver;
    g_autofree char *name = vb_qemu_launch_name(vm->domain);
    g_autofree char *log_path = vb_qemu_log_path(vm->domain);

    vm->priv->asking = TRUE;
    driver->launcher->last_words(driver->launcher_self, vm->process, name, log_path,
                                 g_task_new(NULL, NULL, on_words, vb_qemu_vm_ref(vm)));
}

static void on_process_ended(VbProcess *process, const char *how, gpointer data)
{
    VbQemuVm *vm = data;
    VbQemuVmPrivate *priv = vm->priv;

    priv->ended = TRUE;
    priv->how = g_strdup(how);
    g_clear_handle_id(&priv->timer, g_source_remove);
    if (!priv->killed && !priv->end_reason)
        ask_for_words(vm);
    if (vm->qmp)
        priv->timer = g_timeout_add(LAST_WORDS_MS, on_last_words_over, vm);
    else
        vb_qemu_vm_over(vm);
}

void vb_qemu_vm_set_process(VbQemuVm *vm, VbProcess *process)
{
    vm->process = process;
    vb_process_watch(process, on_process_ended, vm);
}

void vb_qemu_vm_kill(VbQemuVm *vm)
{
    if (vm->process && !vm->priv->ended) {
        vm->priv->killed = TRUE;
        vb_process_kill(vm->process, SIGKILL);
    }
}

static gboolean on_grace_over(gpointer data)
{
    VbQemuVm *vm = data;

    vm->priv->timer = 0;
    vb_qemu_vm_kill(vm);
    return G_SOURCE_REMOVE;
}

/* Kills the process in that time, unless it ends before or an earlier deadline is set. */
static void kill_within(VbQemuVm *vm, guint milliseconds)
{
    if (vm->priv->timer == 0 && !vm->priv->ended)
        vm->priv->timer = g_timeout_add(milliseconds, on_grace_over, vm);
}

void vb_qemu_vm_kill_soon(VbQemuVm *vm)
{
    kill_within(vm, LOST_MS);
}

void vb_qemu_vm_expect_end(VbQemuVm *vm, const char *reason)
{
    vm->priv->end_reason = reason;
    vb_domain_save(vm->domain);
}

void vb_qemu_ignore_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    JsonNode *value = vb_qmp_call_finish(result, NULL);

    if (value)
        json_node_unref(value);
}

/* Whatever the answer is: only the end of the process counts, and that has a deadline. */
void vb_qemu_vm_quit(VbQemuVm *vm)
{
    if (vm->qmp && vb_qmp_state(vm->qmp) == VB_QMP_RUNNING)
        vb_qmp_call_async(vm->qmp, "quit", NULL, VB_QMP_NO_TIMEOUT, NULL, vb_qemu_ignore_reply,
                          NULL);
    else if (vm->process)
        vb_process_kill(vm->process, SIGTERM);
    kill_within(vm, QUIT_MS);
}

/* ---- the monitor ------------------------------------------------------------------------------
 */

static void on_event(VbQmp *qmp, const char *name, JsonObject *data, gint64 timestamp_us,
                     gpointer user_data)
{
    VbQemuVm *vm = user_data;
    g_autoptr(VbQemuVm) keep = vb_qemu_vm_ref(vm);

    vb_domain_set_responsive(vm->domain, TRUE);
    vb_qemu_vm_event(vm, name, data);
    if (!vm->priv->over)
        vb_qemu_block_jobs_event(vm, name, data);
}

static void on_disconnected(VbQmp *qmp, const GError *reason, gpointer user_data)
{
    VbQemuVm *vm = user_data;

    g_clear_pointer(&vm->qmp, vb_qmp_free);
    if (vm->priv->ended) {
        vb_qemu_vm_over(vm);
        return;
    }
    vb_log_debug(vb_domain_info(vm->domain)->uuid, NULL, "%s", reason->message);
    if (vm->priv->reconnect)
        vb_qemu_reconnect_lost(vm);
    else
        vb_qemu_vm_kill_soon(vm);
}

static void on_flooding(VbQmp *qmp, gpointer user_data)
{
    VbQemuVm *vm = user_data;
    const VbDomainInfo *info = vb_domain_info(vm->domain);

    vb_log_warning(info->uuid, NULL,
                   "QEMU of domain '%s' says more on its monitor than it is given time for: "
                   "what it says takes effect late",
                   info->name);
}

gboolean vb_qemu_vm_connect(VbQemuVm *vm, GError **error)
{
    static const VbQmpCallbacks callbacks = {on_event, on_disconnected, on_flooding};
    int fd = vb_qemu_socket_connect(vb_domain_run_dir(vm->domain), error);

    if (fd < 0)
        return FALSE;
    vm->qmp = vb_qmp_new(fd, &callbacks, vm);
    return TRUE;
}

/* ---- calls, and what they say about the monitor -----------------------------------------------
 */

typedef struct {
    VbQemuVm *vm;
    GAsyncReadyCallback callback;
    gpointer user_data;
} Call;

static void call(VbQemuVm *vm, const char *command, JsonObject *arguments, guint timeout_ms,
                 GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);

/* A reply, a refusal included, tells that the monitor answers, a deadline that passed that it does
 * not; then one question without a deadline waits for it to come back. */
static void on_called(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Call *made = data;
    g_autoptr(VbQemuVm) vm = made->vm;
    gboolean failed = g_task_had_error(G_TASK(result));
    GCancellable *cancellable = g_task_get_cancellable(G_TASK(result));

    if (vm->priv->over || vm->priv->reconnect || vm->priv->run_state || !vm->qmp ||
        vb_qmp_state(vm->qmp) != VB_QMP_RUNNING) {
        /* nothing to be learnt, or the core is not yet ready for it */
    } else if (!failed || vb_qmp_call_error_class(result) != VB_QMP_ERROR_NONE) {
        vb_domain_set_responsive(vm->domain, TRUE);
    } else if (!g_cancellable_is_cancelled(cancellable) && vb_domain_info(vm->domain)->responsive) {
        vb_domain_set_responsive(vm->domain, FALSE);
        call(vm, "query-status", NULL, VB_QMP_NO_TIMEOUT, NULL, vb_qemu_ignore_reply, NULL);
    }
    made->callback(source, result, made->user_data);
}

static void call(VbQemuVm *vm, const char *command, JsonObject *arguments, guint timeout_ms,
                 GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    Call *made = g_new(Call, 1);

    *made = (Call){vb_qemu_vm_ref(vm), callback, user_data};
    vb_qmp_call_async(vm->qmp, command, arguments, timeout_ms, cancellable, on_called, made);
}

void vb_qemu_vm_call_async(VbQemuVm *vm, const char *command, JsonObject *arguments,
                           GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data)
{
    if (vm->qmp) {
        call(vm, command, arguments, VB_QMP_DEFAULT_TIMEOUT_MS, cancellable, callback, user_data);
        return;
    }
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    if (arguments)
        json_object_unref(arguments);
    g_task_return_new_error(task, VB_ERROR, VB_ERROR_TIMEOUT,
                            "The monitor of this QEMU does not answer (%s)", command);
}
