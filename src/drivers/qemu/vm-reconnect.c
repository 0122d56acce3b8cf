/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbQemuReconnect: how a restarted daemon finds a QEMU again. The record names the process; the
 * monitor's socket lies beside it. Events are held from the first moment, the state is asked for,
 * and what happened while no daemon looked is acted upon once the core is ready. A QEMU that does
 * not answer is asked on and on: the core's deadline ends its task, not the search. Owns what the
 * record says, too. */
#include "error.h"
#include "json-get.h"
#include "log.h"
#include "vm-private.h"
#include "vm-socket.h"

#include <signal.h>
#include <string.h>

#define RETRY_MS 200u

struct VbQemuReconnect {
    VbQemuVm *vm;
    GTask *task; /* NULL once it has been answered */
    GSource *deadline;
    guint retry;
};

/* ---- the record -------------------------------------------------------------------------------
 */

#define GROUP "qemu"

void vb_qemu_vm_save(VbQemuVm *vm, GKeyFile *record)
{
    const VbQemuVmPrivate *priv = vm->priv;

    if (vm->process) {
        g_key_file_set_int64(record, GROUP, "pid", vm->process->pid);
        g_key_file_set_uint64(record, GROUP, "start-time", vm->process->start_time);
    }
    g_key_file_set_uint64(record, GROUP, "last-index", vm->last_index);
    g_key_file_set_boolean(record, GROUP, "starting",
                           priv->start && vb_domain_info(vm->domain)->state != VB_DOMAIN_RUNNING);
    g_key_file_set_boolean(record, GROUP, "reboot-at-shutdown", priv->reboot_at_shutdown);
    if (priv->end_reason)
        g_key_file_set_string(record, GROUP, "end-reason", priv->end_reason);
}

static VbProcess *load(VbQemuVm *vm, GKeyFile *record, gboolean *ret_starting, GError **error)
{
    VbQemuVmPrivate *priv = vm->priv;
    g_autofree char *end_reason = g_key_file_get_string(record, GROUP, "end-reason", NULL);

    *ret_starting = g_key_file_get_boolean(record, GROUP, "starting", NULL);
    priv->reboot_at_shutdown = g_key_file_get_boolean(record, GROUP, "reboot-at-shutdown", NULL);
    priv->end_reason = *ret_starting ? "failed" : g_intern_string(end_reason);
    vm->last_index = (guint)g_key_file_get_uint64(record, GROUP, "last-index", NULL);
    return vb_process_find((pid_t)g_key_file_get_int64(record, GROUP, "pid", NULL),
                           g_key_file_get_uint64(record, GROUP, "start-time", NULL), error);
}

/* ---- the search -------------------------------------------------------------------------------
 */

static void reconnect_clear(gpointer data)
{
    VbQemuReconnect *reconnect = data;

    vb_qemu_vm_unref(reconnect->vm);
    g_clear_object(&reconnect->task);
}

static void reconnect_unref(VbQemuReconnect *reconnect)
{
    g_rc_box_release_full(reconnect, reconnect_clear);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbQemuReconnect, reconnect_unref)

static gboolean is_over(VbQemuReconnect *reconnect)
{
    return reconnect->vm->priv->reconnect != reconnect;
}

GTask *vb_qemu_reconnect_end(VbQemuVm *vm)
{
    g_autoptr(VbQemuReconnect) reconnect = g_steal_pointer(&vm->priv->reconnect);

    if (!reconnect)
        return NULL;
    g_clear_handle_id(&reconnect->retry, g_source_remove);
    if (reconnect->deadline) {
        g_source_destroy(reconnect->deadline);
        g_clear_pointer(&reconnect->deadline, g_source_unref);
    }
    return g_steal_pointer(&reconnect->task);
}

static void attempt(VbQemuReconnect *reconnect);

static gboolean on_retry(gpointer data)
{
    VbQemuReconnect *reconnect = data;

    reconnect->retry = 0;
    attempt(reconnect);
    return G_SOURCE_REMOVE;
}

static void try_later(VbQemuReconnect *reconnect)
{
    if (reconnect->retry == 0)
        reconnect->retry = g_timeout_add(RETRY_MS, on_retry, reconnect);
}

void vb_qemu_reconnect_lost(VbQemuVm *vm)
{
    try_later(vm->priv->reconnect);
}

static void found(VbQemuReconnect *reconnect)
{
    VbQemuVm *vm = reconnect->vm;
    g_autoptr(GTask) task = vb_qemu_reconnect_end(vm);

    if (task)
        g_task_return_boolean(task, TRUE);
    else
        vb_domain_reconnected(vm->domain);
}

static void on_status(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuReconnect) reconnect = data;
    VbQemuVm *vm = reconnect->vm;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, NULL);
    const char *status = vb_json_get_string(vb_json_node_object(value), "status");

    if (is_over(reconnect))
        return;
    if (!status) {
        /* An answer that is none: as if the monitor had been lost. */
        if (vm->qmp)
            vb_qmp_close(vm->qmp);
        return;
    }
    g_free(vm->priv->run_state);
    vm->priv->run_state = g_strdup(status);
    vb_qemu_vm_set_run_state(vm, status);
    found(reconnect);
}

static void on_caps(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuReconnect) reconnect = data;
    VbQemuVm *vm = reconnect->vm;
    g_autoptr(GError) error = NULL;
    g_autoptr(VbQemuCaps) caps = vb_caps_cache_get_finish(result, &error);

    if (is_over(reconnect))
        return;
    /* The binary may be gone while its process runs on: no reason to give that up. */
    if (!caps)
        vb_log_debug(vb_domain_info(vm->domain)->uuid, NULL, "%s", error->message);
    g_clear_pointer(&vm->caps, vb_qemu_caps_unref);
    vm->caps = g_steal_pointer(&caps);
    vb_qemu_vm_call_async(vm, "query-status", NULL, NULL, on_status, g_rc_box_acquire(reconnect));
}

static void on_monitor(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuReconnect) reconnect = data;
    VbQemuVm *vm = reconnect->vm;

    /* A failure ended the connection, and vb_qemu_reconnect_lost() is told of that. */
    if (vb_qmp_start_finish(result, NULL) && !is_over(reconnect))
        vb_caps_cache_get_async(vm->driver->caps, vb_domain_def(vm->domain)->emulator, NULL,
                                on_caps, g_rc_box_acquire(reconnect));
}

static void attempt(VbQemuReconnect *reconnect)
{
    VbQemuVm *vm = reconnect->vm;

    if (!vb_qemu_vm_connect(vm, NULL)) {
        try_later(reconnect);
        return;
    }
    vb_qmp_hold_events(vm->qmp);
    vb_qmp_start_async(vm->qmp, VB_QMP_NO_TIMEOUT, NULL, on_monitor, g_rc_box_acquire(reconnect));
}

/* The core waits no longer; the search goes on. */
static gboolean on_deadline(GCancellable *cancellable, gpointer data)
{
    VbQemuReconnect *reconnect = data;
    g_autoptr(GTask) task = g_steal_pointer(&reconnect->task);

    g_clear_pointer(&reconnect->deadline, g_source_unref);
    g_task_return_new_error(task, VB_ERROR, VB_ERROR_TIMEOUT, "its monitor did not answer in time");
    return G_SOURCE_REMOVE;
}

/* ---- a QEMU of which only the socket is known -------------------------------------------------
 */

static void on_stray_quit(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, NULL);

    vb_qmp_free(data);
}

static void on_stray_started(GObject *source, GAsyncResult *result, gpointer data)
{
    if (vb_qmp_start_finish(result, NULL))
        vb_qmp_call_async(data, "quit", NULL, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, on_stray_quit, data);
    else
        vb_qmp_free(data);
}

/* The daemon was killed after it launched QEMU and before it had noted which process that is. If it
 * runs, it has the other end of the socket, and has never run a guest. */
static void quit_stray(VbQemuVm *vm)
{
    static const VbQmpCallbacks nobody = {NULL, NULL};
    int fd = vb_qemu_socket_connect(vb_domain_run_dir(vm->domain), NULL);

    if (fd < 0)
        return;
    VbQmp *qmp = vb_qmp_new(fd, &nobody, NULL);
    vb_qmp_start_async(qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, on_stray_started, qmp);
}

void vb_qemu_vm_reconnect(VbQemuDriver *driver, VbDomain *domain, GKeyFile *record, GTask *task)
{
    VbQemuVm *vm = vb_qemu_vm_new(driver, domain);
    VbQemuReconnect *reconnect = g_rc_box_new0(VbQemuReconnect);
    g_autoptr(GError) error = NULL;
    gboolean starting;

    reconnect->vm = vb_qemu_vm_ref(vm);
    reconnect->task = task;
    vm->priv->reconnect = reconnect;
    VbProcess *process = load(vm, record, &starting, &error);
    if (!process) {
        if (!g_key_file_has_key(record, GROUP, "pid", NULL))
            quit_stray(vm);
        vb_qemu_vm_over(vm);
        return;
    }
    if (g_task_get_cancellable(task)) {
        reconnect->deadline = g_cancellable_source_new(g_task_get_cancellable(task));
        g_source_set_callback(reconnect->deadline, G_SOURCE_FUNC(on_deadline), reconnect, NULL);
        g_source_attach(reconnect->deadline, g_main_context_get_thread_default());
    }
    vb_qemu_vm_set_process(vm, process);
    if (starting)
        vb_qemu_vm_kill(vm); /* nobody will ever finish that start */
    else if (vm->priv->end_reason)
        vb_qemu_vm_quit(vm); /* what was begun is ended */
    else
        attempt(reconnect);
}

void vb_qemu_vm_resume_events(gpointer self, VbDomain *domain)
{
    VbQemuVm *vm = vb_qemu_vm_of(domain);
    g_autofree char *run_state = vm ? g_steal_pointer(&vm->priv->run_state) : NULL;

    if (!vm || !vm->qmp)
        return;
    if (g_strcmp0(run_state, "shutdown") == 0)
        vb_qemu_vm_guest_shutdown(vm, FALSE);
    else if (g_strcmp0(run_state, "guest-panicked") == 0)
        vb_qemu_vm_guest_panicked(vm);
    vb_qemu_vm_rearm_reboot_action(vm);
    vb_vm_access_sync(vm->access);
    vb_qmp_release_events(vm->qmp);
}
