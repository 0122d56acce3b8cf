/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What QEMU says by itself, as the domain's state and reason (in libvirt's terms), and what the
 * definition wants done about it (on_poweroff, on_reboot, on_crash). Block job events are
 * block-jobs.c's. */
#include "error.h"
#include "json-get.h"
#include "log.h"
#include "qmp-args.h"
#include "vm-private.h"

#include <string.h>

/* ---- a reset in the place of an end -----------------------------------------------------------
 */

static void on_reset_step(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuVm) vm = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, &error);

    if (value || vm->priv->over || !vm->priv->resetting)
        return;
    vb_log_warning(vb_domain_info(vm->domain)->uuid, NULL, "the guest cannot be started anew: %s",
                   error->message);
    vm->priv->resetting = FALSE;
    vb_qemu_vm_expect_end(vm, "failed");
    vb_qemu_vm_quit(vm);
}

/* The machine stands still in "shutdown" or "guest-panicked": it is reset and runs again. */
static void reset_and_run(VbQemuVm *vm, const char *reason)
{
    vm->priv->resetting = TRUE;
    vm->priv->run_reason = reason;
    vm->priv->reboot_at_shutdown = FALSE;
    vb_domain_save(vm->domain);
    vb_qemu_vm_call_async(vm, "system_reset", NULL, NULL, on_reset_step, vb_qemu_vm_ref(vm));
    vb_qemu_vm_call_async(vm, "cont", NULL, NULL, on_reset_step, vb_qemu_vm_ref(vm));
}

/* ---- the guest's own ends ---------------------------------------------------------------------
 */

void vb_qemu_vm_guest_shutdown(VbQemuVm *vm, gboolean is_reset)
{
    const VbDomainDef *def = vb_domain_def(vm->domain);
    gboolean again = vm->priv->reboot_at_shutdown ? def->on_reboot == VB_ON_EVENT_RESTART
                                                  : def->on_poweroff == VB_ON_EVENT_RESTART;

    if (vm->priv->end_reason || vm->priv->resetting)
        return;
    if (again && !is_reset) {
        reset_and_run(vm, "booted");
        return;
    }
    vb_domain_set_stopping(vm->domain);
    vb_qemu_vm_expect_end(vm, "shutdown");
    vb_domain_set_state(vm->domain, VB_DOMAIN_SHUTTING_DOWN, "user");
    vb_qemu_vm_quit(vm);
}

void vb_qemu_vm_guest_panicked(VbQemuVm *vm)
{
    if (vm->priv->end_reason || vm->priv->resetting)
        return;
    switch (vb_domain_def(vm->domain)->on_crash) {
    case VB_ON_EVENT_RESTART:
        vb_domain_lifecycle(vm->domain, "crashed", "panicked");
        reset_and_run(vm, "crashed");
        break;
    case VB_ON_EVENT_PRESERVE:
        break; /* it stays as it stands there */
    default:
        vb_qemu_vm_expect_end(vm, "panicked");
        vb_qemu_vm_quit(vm);
        break;
    }
}

/* ---- events -----------------------------------------------------------------------------------
 */

static void on_shutdown(VbQemuVm *vm, JsonObject *data)
{
    const char *reason = vb_json_get_string(data, "reason");

    if (g_strcmp0(reason, "host-qmp-quit") == 0 || g_strcmp0(reason, "host-signal") == 0) {
        /* QEMU ends by itself: it was told so, by us or by somebody's SIGTERM. */
        if (!vm->priv->end_reason && !vm->priv->start) {
            vb_domain_set_stopping(vm->domain);
            vb_qemu_vm_expect_end(vm, "shutdown");
        }
        return;
    }
    /* With on_reboot 'destroy' a reset, too, comes as a shutdown. */
    vb_qemu_vm_guest_shutdown(vm, g_strcmp0(reason, "guest-reset") == 0 ||
                                      g_strcmp0(reason, "host-qmp-system-reset") == 0);
}

static void on_stop(VbQemuVm *vm, JsonObject *data)
{
    VbQemuVmPrivate *priv = vm->priv;
    const char *reason = priv->pause_reason ? priv->pause_reason : "unknown";

    priv->pause_reason = NULL;
    if (!priv->end_reason && !priv->resetting && !priv->start)
        vb_domain_set_state(vm->domain, VB_DOMAIN_PAUSED, reason);
}

static void on_resume(VbQemuVm *vm, JsonObject *data)
{
    VbQemuVmPrivate *priv = vm->priv;
    const char *reason = priv->run_reason ? priv->run_reason : "unpaused";

    priv->run_reason = NULL;
    priv->resetting = FALSE;
    if (!priv->end_reason)
        vb_domain_set_state(vm->domain, VB_DOMAIN_RUNNING, reason);
}

static void on_reset(VbQemuVm *vm, JsonObject *data)
{
    gboolean guest = vb_json_get_bool(data, "guest", FALSE);

    if (!vm->priv->start)
        vb_domain_lifecycle(vm->domain, "rebooted", guest ? "guest" : "user");
}

static void on_suspend(VbQemuVm *vm, JsonObject *data)
{
    vb_domain_set_state(vm->domain, VB_DOMAIN_PM_SUSPENDED, "unknown");
}

static void on_wakeup(VbQemuVm *vm, JsonObject *data)
{
    if (vb_domain_info(vm->domain)->state == VB_DOMAIN_PM_SUSPENDED)
        vb_domain_set_state(vm->domain, VB_DOMAIN_RUNNING, "wakeup");
}

/* The next three tell why the STOP comes that follows. */
static void on_watchdog(VbQemuVm *vm, JsonObject *data)
{
    const char *action = vb_json_get_string(data, "action");

    vb_log_info(vb_domain_info(vm->domain)->uuid, NULL, "the watchdog fired: %s",
                action ? action : "unknown");
    if (g_strcmp0(action, "pause") == 0)
        vm->priv->pause_reason = "watchdog";
}

static void on_io_error(VbQemuVm *vm, JsonObject *data)
{
    const char *node = vb_json_get_string(data, "node-name");
    const char *text = vb_json_get_string(data, "reason");

    vb_log_warning(vb_domain_info(vm->domain)->uuid, NULL, "I/O error on %s: %s",
                   node ? node : "a disk", text ? text : "unknown");
    if (g_strcmp0(vb_json_get_string(data, "action"), "stop") == 0)
        vm->priv->pause_reason = "io-error";
}

static void on_panicked(VbQemuVm *vm, JsonObject *data)
{
    vb_log_warning(vb_domain_info(vm->domain)->uuid, NULL, "the guest panicked");
    vm->priv->pause_reason = "crashed";
    vb_qemu_vm_guest_panicked(vm);
}

/* The guest opened or closed the port of a channel. */
static void on_port_change(VbQemuVm *vm, JsonObject *data)
{
    const GPtrArray *channels = vb_domain_live_def(vm->domain)->channels;
    const char *id = vb_json_get_string(data, "id");
    gboolean open = vb_json_get_bool(data, "open", FALSE);
    VbChannelState state = open ? VB_CHANNEL_STATE_CONNECTED : VB_CHANNEL_STATE_DISCONNECTED;

    for (guint i = 0; i < channels->len; i++) {
        VbCharDef *channel = channels->pdata[i];
        if (g_strcmp0(channel->info.alias, id) == 0 && channel->state != state) {
            channel->state = state;
            vb_domain_live_def_changed(vm->domain);
        }
    }
}

/* What the guest made of its balloon. */
static void on_balloon(VbQemuVm *vm, JsonObject *data)
{
    VbDomainDef *def = vb_domain_live_def(vm->domain);
    guint64 actual;

    if (vb_json_get_size(data, "actual", &actual) && actual <= def->memory &&
        actual / 1024 * 1024 != def->current_memory) {
        def->current_memory = actual / 1024 * 1024;
        vb_domain_live_def_changed(vm->domain);
    }
}

/* What a signal costs the bus and all who listen, in µs: a QEMU can have 500 of these handled at
 * once, and 250 a second after that. */
#define SIGNAL_US 200

static const struct {
    const char *name;
    void (*handle)(VbQemuVm *vm, JsonObject *data);
} handlers[] = {
    {"SHUTDOWN", on_shutdown},       {"STOP", on_stop},
    {"RESUME", on_resume},           {"RESET", on_reset},
    {"SUSPEND", on_suspend},         {"WAKEUP", on_wakeup},
    {"WATCHDOG", on_watchdog},       {"BLOCK_IO_ERROR", on_io_error},
    {"GUEST_PANICKED", on_panicked}, {"VSERPORT_CHANGE", on_port_change},
    {"BALLOON_CHANGE", on_balloon},
};

void vb_qemu_vm_event(VbQemuVm *vm, const char *name, JsonObject *data)
{
    for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++)
        if (g_str_equal(handlers[i].name, name)) {
            handlers[i].handle(vm, data);
            /* A failing disk can have thousands of errors a second, and they are only logged. */
            if (vm->qmp && handlers[i].handle != on_io_error)
                vb_qmp_charge(vm->qmp, SIGNAL_US);
            return;
        }
}

/* ---- query-status -----------------------------------------------------------------------------
 */

void vb_qemu_vm_set_run_state(VbQemuVm *vm, const char *run_state)
{
    static const struct {
        const char *name;
        VbDomainState state;
        const char *reason;
    } states[] = {
        {"running", VB_DOMAIN_RUNNING, "unpaused"},
        {"paused", VB_DOMAIN_PAUSED, "user"},
        {"prelaunch", VB_DOMAIN_PAUSED, "user"},
        {"io-error", VB_DOMAIN_PAUSED, "io-error"},
        {"watchdog", VB_DOMAIN_PAUSED, "watchdog"},
        {"guest-panicked", VB_DOMAIN_PAUSED, "crashed"},
        {"suspended", VB_DOMAIN_PM_SUSPENDED, "unknown"},
        {"shutdown", VB_DOMAIN_SHUTTING_DOWN, "user"},
    };
    const VbDomainInfo *info = vb_domain_info(vm->domain);
    VbDomainState state = VB_DOMAIN_PAUSED;
    const char *reason = "unknown";

    for (gsize i = 0; i < G_N_ELEMENTS(states); i++)
        if (g_str_equal(states[i].name, run_state)) {
            state = states[i].state;
            reason = states[i].reason;
        }
    /* The recorded reason says more than ours. */
    if (info->state != state)
        vb_domain_set_state(vm->domain, state, reason);
}
