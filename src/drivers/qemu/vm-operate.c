/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The operations on a running VM. States follow QEMU's events, which come before the reply that
 * ends the operation. A reboot is a power-down that ends in a reset: QEMU stands still when the
 * guest has shut down, and vm-events.c has it run again; so the guest is asked, as the
 * administrator meant it, with ACPI alone. */
#include "error.h"
#include "qmp-args.h"
#include "vm-private.h"

#define FIRMWARE_RESET_MS 5000u

/* Of the operation's own command: its reply ends the operation. */
static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    GError *error = NULL;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, &error);

    if (value)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* Takes the task. */
static void call(VbQemuVm *vm, const char *command, JsonObject *arguments,
                 GAsyncReadyCallback callback, GTask *task)
{
    g_task_set_task_data(task, vb_qemu_vm_ref(vm), (GDestroyNotify)vb_qemu_vm_unref);
    vb_qemu_vm_call_async(vm, command, arguments, g_task_get_cancellable(task), callback, task);
}

static void power_down(VbQemuVm *vm, gboolean reboot, GTask *task)
{
    vm->priv->reboot_at_shutdown = reboot;
    vb_domain_save(vm->domain);
    call(vm, "system_powerdown", NULL, on_reply, task);
}

/* ---- reset ------------------------------------------------------------------------------------
 */

static void set_reboot_action(VbQemuVm *vm, const char *action)
{
    vb_qemu_vm_call_async(vm, "set-action", vb_qmp_args(VB_ARG_STRING("reboot", action)), NULL,
                          vb_qemu_ignore_reply, NULL);
}

void vb_qemu_vm_rearm_reboot_action(VbQemuVm *vm)
{
    g_clear_handle_id(&vm->priv->reset_timer, g_source_remove);
    if (vb_domain_def(vm->domain)->on_reboot == VB_ON_EVENT_DESTROY)
        set_reboot_action(vm, "shutdown");
}

static gboolean on_reset_over(gpointer data)
{
    VbQemuVm *vm = data;

    vm->priv->reset_timer = 0;
    vb_qemu_vm_rearm_reboot_action(vm);
    return G_SOURCE_REMOVE;
}

/* With on_reboot 'destroy' QEMU would take our reset for the guest's reboot and end. So for a while
 * a reset is only that: long enough for those, too, with which SeaBIOS begins when it finds that it
 * has run before. */
static void reset(VbQemuVm *vm, GTask *task)
{
    if (vb_domain_def(vm->domain)->on_reboot == VB_ON_EVENT_DESTROY) {
        set_reboot_action(vm, "reset");
        g_clear_handle_id(&vm->priv->reset_timer, g_source_remove);
        vm->priv->reset_timer = g_timeout_add(FIRMWARE_RESET_MS, on_reset_over, vm);
    }
    call(vm, "system_reset", NULL, on_reply, task);
}

/* ---- suspend, resume, destroy -----------------------------------------------------------------
 */

static void on_stopped(GObject *source, GAsyncResult *result, gpointer data)
{
    VbQemuVm *vm = g_task_get_task_data(data);

    /* A guest that had stopped already gave no STOP: the next one is not ours. */
    if (!g_task_had_error(G_TASK(result)))
        vm->priv->pause_reason = NULL;
    on_reply(source, result, data);
}

static void suspend(VbQemuVm *vm, GTask *task)
{
    vm->priv->pause_reason = "user";
    call(vm, "stop", NULL, on_stopped, task);
}

static void on_woken(GObject *source, GAsyncResult *result, gpointer data)
{
    VbQemuVm *vm = g_task_get_task_data(data);

    /* WAKEUP comes after the reply. */
    if (!g_task_had_error(G_TASK(result)) && !vm->priv->over)
        vb_domain_set_state(vm->domain, VB_DOMAIN_RUNNING, "wakeup");
    on_reply(source, result, data);
}

static void resume(VbQemuVm *vm, GTask *task)
{
    if (vb_domain_info(vm->domain)->state == VB_DOMAIN_PM_SUSPENDED)
        call(vm, "system_wakeup", NULL, on_woken, task);
    else
        call(vm, "cont", NULL, on_reply, task);
}

static void destroy(VbQemuVm *vm, GTask *task)
{
    g_ptr_array_add(vm->priv->destroys, task);
    vb_domain_set_stopping(vm->domain);
    vb_qemu_vm_expect_end(vm, "destroyed");
    if (!vm->priv->start)
        vb_qemu_vm_quit(vm);
    else if (vm->process)
        vb_qemu_vm_kill(vm);
    /* else: nothing has been launched, and the start's own cancellable ends it */
}

void vb_qemu_vm_operate(gpointer self, VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags,
                        GTask *task)
{
    VbQemuVm *vm = vb_qemu_vm_of(domain);

    if (op == VB_DOMAIN_OP_START) {
        vb_qemu_vm_start(self, domain, flags, task);
        return;
    }
    if (!vm) {
        /* The VM has ended already; its domain only waits for a job's start to be answered. */
        if (op == VB_DOMAIN_OP_DESTROY)
            g_task_return_boolean(task, TRUE);
        else
            g_task_return_new_error(task, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                    "domain '%s' is not running", vb_domain_info(domain)->name);
        g_object_unref(task);
        return;
    }
    switch (op) {
    case VB_DOMAIN_OP_SHUTDOWN:
        power_down(vm, FALSE, task);
        break;
    case VB_DOMAIN_OP_REBOOT:
        power_down(vm, TRUE, task);
        break;
    case VB_DOMAIN_OP_RESET:
        reset(vm, task);
        break;
    case VB_DOMAIN_OP_SUSPEND:
        suspend(vm, task);
        break;
    case VB_DOMAIN_OP_RESUME:
        resume(vm, task);
        break;
    case VB_DOMAIN_OP_DESTROY:
        destroy(vm, task);
        break;
    default:
        g_return_if_reached();
    }
}

/* ---- links ------------------------------------------------------------------------------------
 */

void vb_qemu_vm_set_link(gpointer self, VbDomain *domain, guint interface, gboolean up, GTask *task)
{
    const VbDomainInfo *info = vb_domain_info(domain);
    const GPtrArray *interfaces = vb_domain_def(domain)->interfaces;
    VbQemuVm *vm = vb_qemu_vm_of(domain);

    if (vm && interface < interfaces->len) {
        const VbInterfaceDef *def = interfaces->pdata[interface];
        vb_qemu_vm_call_async(
            vm, "set_link",
            vb_qmp_args(VB_ARG_STRING("name", def->info.alias), VB_ARG_BOOL("up", up)),
            g_task_get_cancellable(task), on_reply, task);
        return;
    }
    if (!vm)
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING,
                                "domain '%s' is not running", info->name);
    else
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_INVALID_ARGS,
                                "domain '%s' has no interface %u", info->name, interface);
    g_object_unref(task);
}
