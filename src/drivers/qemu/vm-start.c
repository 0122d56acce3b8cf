/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbQemuStart: a domain's way from a definition to a running QEMU, as a list of steps, each of
 * which ends by calling next() or fail(). Until the last one nothing is announced; a start that
 * fails or is pre-empted kills what it has launched, and its task returns when that has really
 * ended (vb_qemu_vm_over()). */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blockdev.h"
#include "qemu-command.h"
#include "error.h"
#include "fd.h"
#include "image-chain.h"
#include "network.h"
#include "vm-passt.h"
#include "vm-private.h"
#include "vm-socket.h"

#define GREETING_MS 60000u /* a QEMU that allocates much memory takes its time */
#define FIRST_PORT 5900
#define N_PORTS 1000

struct VbQemuStart {
    VbQemuVm *vm;
    GTask *task;
    VbDomainOpFlags flags;
    GCancellable *cancellable; /* the task's */
    GSource *cancelled;
    GError *error;    /* the first failure: no further step is taken */
    guint step;       /* the next one */
    guint disk;       /* of the chains: the next one */
    GArray *passt;    /* of int, for each interface, the sockets; until they are among the taps */
    GArray *taps;     /* of int, for each interface; until QEMU has them */
    gboolean waiting; /* for what is not given up half-way: the ports, the launch */
};

static void start_clear(gpointer data)
{
    VbQemuStart *start = data;

    vb_qemu_vm_unref(start->vm);
    g_clear_object(&start->task);
    g_clear_object(&start->cancellable);
    g_clear_error(&start->error);
    g_clear_pointer(&start->passt, g_array_unref);
    g_clear_pointer(&start->taps, g_array_unref);
}

static void start_unref(VbQemuStart *start)
{
    g_rc_box_release_full(start, start_clear);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbQemuStart, start_unref)

/* A reference for a callback. */
static gpointer hold(VbQemuStart *start)
{
    return g_rc_box_acquire(start);
}

static gboolean is_over(VbQemuStart *start)
{
    return start->vm->priv->start != start;
}

/* `error` is taken. */
static void fail(VbQemuStart *start, GError *error)
{
    VbQemuVm *vm = start->vm;

    if (is_over(start) || start->error) {
        g_error_free(error);
        return;
    }
    start->error = error;
    g_clear_pointer(&start->passt, g_array_unref);
    g_clear_pointer(&start->taps, g_array_unref);
    /* A monitor that was closed in our face: QEMU is about to end and says why in its log. */
    gboolean ending = (!vm->qmp || vb_qmp_state(vm->qmp) == VB_QMP_DISCONNECTED) &&
                      !g_cancellable_is_cancelled(start->cancellable);
    if (vm->process && ending)
        vb_qemu_vm_kill_soon(vm);
    else if (vm->process)
        vb_qemu_vm_kill(vm);
    else if (!vm->process && !start->waiting)
        vb_qemu_vm_over(vm);
}

static void next(VbQemuStart *start);

GTask *vb_qemu_start_end(VbQemuVm *vm, GError **ret_error)
{
    g_autoptr(VbQemuStart) start = g_steal_pointer(&vm->priv->start);

    if (!start)
        return NULL;
    if (start->cancelled) {
        g_source_destroy(start->cancelled);
        g_clear_pointer(&start->cancelled, g_source_unref);
    }
    *ret_error = start->error
                     ? g_steal_pointer(&start->error)
                     : g_error_new(G_IO_ERROR, G_IO_ERROR_CANCELLED, "The start was given up");
    return g_steal_pointer(&start->task);
}

/* ---- the steps --------------------------------------------------------------------------------
 */

static void step_identity(VbQemuStart *start)
{
    const VbQemuDriver *driver = start->vm->driver;

    if (driver->no_identity)
        fail(start, g_error_copy(driver->no_identity));
    else
        next(start);
}

static void on_kvm(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;

    if (vb_kvm_probe_ask_finish(result, &error))
        next(start);
    else
        fail(start, error);
}

static void step_kvm(VbQemuStart *start)
{
    if (vb_domain_def(start->vm->domain)->type == VB_DOMAIN_TYPE_KVM)
        vb_kvm_probe_ask_async(start->vm->driver->kvm, on_kvm, hold(start));
    else
        next(start);
}

static void on_caps(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;
    VbQemuCaps *caps = vb_caps_cache_get_finish(result, &error);

    if (is_over(start)) {
        vb_qemu_caps_unref(caps);
        g_clear_error(&error);
        return;
    }
    start->vm->caps = caps;
    /* The binary may have changed since the domain was defined. */
    if (caps && vb_qemu_command_check(vb_domain_def(start->vm->domain), caps, &error))
        next(start);
    else
        fail(start, error);
}

static void step_caps(VbQemuStart *start)
{
    vb_caps_cache_get_async(start->vm->driver->caps, vb_domain_def(start->vm->domain)->emulator,
                            start->cancellable, on_caps, hold(start));
}

static void step_addresses(VbQemuStart *start)
{
    GError *error = NULL;

    if (vb_domain_def_assign_addresses(vb_domain_live_def(start->vm->domain), &error))
        next(start);
    else
        fail(start, error);
}

static void detect_next_chain(VbQemuStart *start);

static void on_chain(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;
    g_autoptr(VbDiskSource) chain = vb_image_chain_detect_finish(result, &error);

    if (!chain) {
        fail(start, error);
        return;
    }
    if (is_over(start) || start->error)
        return;
    VbDiskDef *disk = vb_domain_live_def(start->vm->domain)->disks->pdata[start->disk++];
    vb_disk_source_free(disk->source);
    disk->source = g_steal_pointer(&chain);
    vb_blockdev_assign_indexes(disk->source, &start->vm->last_index);
    detect_next_chain(start);
}

static void detect_next_chain(VbQemuStart *start)
{
    const VbDomainDef *def = vb_domain_def(start->vm->domain);

    while (start->disk < def->disks->len && !((VbDiskDef *)def->disks->pdata[start->disk])->source)
        start->disk++;
    if (start->disk == def->disks->len)
        next(start);
    else
        vb_image_chain_detect_async(((VbDiskDef *)def->disks->pdata[start->disk])->source,
                                    vb_vm_access_gate(start->vm->access), start->vm->driver->images,
                                    start->cancellable, on_chain, hold(start));
}

static void step_chains(VbQemuStart *start)
{
    detect_next_chain(start);
}

static void on_nvram(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;

    if (vb_qemu_nvram_make_finish(result, &error))
        next(start);
    else
        fail(start, error);
}

static void step_nvram(VbQemuStart *start)
{
    vb_qemu_nvram_make_async(&vb_domain_def(start->vm->domain)->os,
                             vb_vm_access_bounds(start->vm->access), start->cancellable, on_nvram,
                             hold(start));
}

static void on_access(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;

    if (vb_vm_access_grant_finish(result, &error)) {
        next(start);
    } else {
        if (!is_over(start))
            g_prefix_error(&error, "domain '%s': ", vb_domain_info(start->vm->domain)->name);
        fail(start, error);
    }
}

static void step_access(VbQemuStart *start)
{
    const VbDomainDef *def = vb_domain_def(start->vm->domain);

    vb_vm_access_grant_async(start->vm->access, vb_domain_def_host_resources(def),
                             start->cancellable, on_access, hold(start));
}

/* Does somebody listen on the port, on any address, as far as this table of the kernel's says?
 * Each line is "index: address:port address:port state …", in hexadecimal. */
static gboolean is_listened_on(const char *table, guint16 port)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(table, &text, NULL, NULL))
        return FALSE; /* no such protocol */
    for (const char *line = strchr(text, '\n'); line; line = strchr(line + 1, '\n')) {
        guint local, state;
        if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) == 2 &&
            local == port && state == TCP_LISTEN)
            return TRUE;
    }
    return FALSE;
}

/* QEMU itself binds it a moment later; a race that is lost makes the start fail with its message.
 * Asked in this way because the daemon has no Internet sockets of its own. */
static gboolean is_port_free(guint16 port)
{
    return !is_listened_on("/proc/self/net/tcp", port) &&
           !is_listened_on("/proc/self/net/tcp6", port);
}

/* VNC looks for a port by itself, SPICE does not. */
static gboolean choose_spice_port(VbQemuDriver *driver, VbGraphicsDef *graphics, GError **error)
{
    for (guint i = 0; i < N_PORTS; i++) {
        guint16 port = driver->spice_port;
        driver->spice_port = port + 1 < FIRST_PORT + N_PORTS ? port + 1 : FIRST_PORT;
        if (is_port_free(port)) {
            graphics->port = port;
            return TRUE;
        }
    }
    g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "No port from %u to %u is free for SPICE",
                FIRST_PORT, FIRST_PORT + N_PORTS - 1);
    return FALSE;
}

static void step_spice_ports(VbQemuStart *start)
{
    VbDomainDef *def = vb_domain_live_def(start->vm->domain);
    GError *error = NULL;

    for (guint i = 0; i < def->graphics->len; i++) {
        VbGraphicsDef *graphics = def->graphics->pdata[i];
        if (graphics->type == VB_GRAPHICS_SPICE && graphics->autoport &&
            graphics->listen == VB_GRAPHICS_LISTEN_ADDRESS &&
            !choose_spice_port(start->vm->driver, graphics, &error)) {
            fail(start, error);
            return;
        }
    }
    next(start);
}

static void on_passt(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;
    g_autoptr(GArray) sockets = vb_qemu_passt_start_finish(result, &error);

    if (!sockets) {
        fail(start, error);
    } else if (!is_over(start) && !start->error) {
        start->passt = g_steal_pointer(&sockets);
        next(start);
    }
}

static void step_passt(VbQemuStart *start)
{
    vb_qemu_passt_start_async(start->vm, start->cancellable, on_passt, hold(start));
}

/* An interface has either; from now on both are in `taps`. */
static void merge_passt(VbQemuStart *start)
{
    for (guint i = 0; i < start->passt->len; i++) {
        int *fd = &g_array_index(start->passt, int, i);
        if (*fd >= 0)
            g_array_index(start->taps, int, i) = vb_steal_fd(fd);
    }
}

static void on_taps(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    VbQemuVm *vm = start->vm;
    GError *error = NULL;
    g_autoptr(GArray) taps = vb_domain_open_ports_finish(vm->domain, result, &error);

    start->waiting = FALSE;
    if (is_over(start) || start->error) {
        g_clear_error(&error);
        g_clear_pointer(&taps, g_array_unref);
        vb_qemu_vm_over(vm);
        return;
    }
    start->taps = g_steal_pointer(&taps);
    if (!start->taps) {
        fail(start, error);
        return;
    }
    merge_passt(start);
    next(start);
}

/* The last step before the launch: a start that fails earlier has no port to give back. */
static void step_taps(VbQemuStart *start)
{
    start->waiting = TRUE;
    vb_domain_open_ports_async(start->vm->domain, start->cancellable, on_taps, hold(start));
}

static void on_launched(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    VbQemuVm *vm = start->vm;
    GError *error = NULL;
    g_autoptr(VbProcess) process = g_task_propagate_pointer(G_TASK(result), &error);

    start->waiting = FALSE;
    if (!process && start->error) {
        g_clear_error(&error);
        vb_qemu_vm_over(vm);
        return;
    }
    if (!process) {
        fail(start, error);
        return;
    }
    if (is_over(start)) {
        vb_process_kill(process, SIGKILL);
        return;
    }
    vb_qemu_vm_set_process(vm, g_steal_pointer(&process));
    if (start->error) {
        vb_qemu_vm_kill(vm);
        return;
    }
    vb_domain_save(vm->domain);
    next(start);
}

static GStrv make_environment(const VbDomainDef *def)
{
    g_auto(GStrv) own = vb_qemu_command_env(def);
    g_autoptr(GStrvBuilder) env = g_strv_builder_new();
    const char *path = g_getenv("PATH");
    g_autofree char *path_entry = g_strconcat("PATH=", path ? path : "/usr/bin:/bin", NULL);

    g_strv_builder_add(env, "LC_ALL=C");
    g_strv_builder_add(env, path_entry);
    g_strv_builder_addv(env, (const char **)own);
    return g_strv_builder_end(env);
}

/* What QEMU gets, from VB_QEMU_MONITOR_FD on; of int. `ret_taps`, for each interface, is what its
 * tap is there. */
static GArray *make_fds(int monitor, const GArray *taps, GArray **ret_taps)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
    int next_fd = VB_QEMU_FIRST_TAP_FD;

    *ret_taps = g_array_new(FALSE, FALSE, sizeof(int));
    g_array_append_val(fds, monitor);
    for (guint i = 0; i < taps->len; i++) {
        int tap = g_array_index(taps, int, i);
        int in_qemu = tap >= 0 ? next_fd++ : -1;
        g_array_append_val(*ret_taps, in_qemu);
        if (tap >= 0)
            g_array_append_val(fds, tap);
    }
    return fds;
}

#define DEFAULT_PERIOD 100000u /* µs */

static VbLaunchLimits limits_of(const VbTuneDef *tune)
{
    return (VbLaunchLimits){
        .memory_max = tune->memory_hard_limit,
        .memory_high = tune->memory_soft_limit,
        .cpu_weight = tune->cpu_shares,
        .io_weight = tune->blkio_weight,
        .cpu_quota = tune->cpu_global_quota,
        .cpu_period = tune->cpu_global_quota == 0    ? 0
                      : tune->cpu_global_period != 0 ? tune->cpu_global_period
                                                     : DEFAULT_PERIOD,
    };
}

static void step_launch(VbQemuStart *start)
{
    VbQemuVm *vm = start->vm;
    const char *run_dir = vb_domain_run_dir(vm->domain);
    VbQemuCommandInput input = {
        .def = vb_domain_def(vm->domain),
        .caps = vm->caps,
        .run_dir = vm->run_dir,
        .now = g_get_real_time() / G_USEC_PER_SEC,
    };
    GError *error = NULL;
    const VbPaths *paths = vb_host_paths(vm->driver->host);
    vb_autofd int monitor = -1;

    if (vb_qemu_run_dir_make(paths, input.def->uuid, vm->driver->identity, &error))
        monitor = vb_qemu_socket_listen(run_dir, &error);
    if (monitor < 0) {
        fail(start, error);
        return;
    }
    g_autoptr(GArray) taps_in_qemu = NULL;
    g_autoptr(GArray) fds = make_fds(monitor, start->taps, &taps_in_qemu);
    input.taps = &g_array_index(taps_in_qemu, int, 0);
    g_auto(GStrv) argv = vb_qemu_command_build(&input);
    g_auto(GStrv) env = make_environment(input.def);
    g_autofree char *name = vb_qemu_launch_name(vm->domain);
    g_autofree char *title = g_strdup_printf("Virtual machine '%s'", input.def->name);
    g_autofree char *log_path = vb_qemu_log_path(vm->domain);
    VbLaunchSpec spec = {
        .name = name,
        .argv = (const char *const *)argv,
        .env = (const char *const *)env,
        .fds = &g_array_index(fds, int, 0),
        .n_fds = fds->len,
        .log_path = log_path,
        .identity = vm->driver->identity,
        .title = title,
        .domain = input.def->uuid,
        .machine = input.def->name,
        .limits = limits_of(&input.def->tune),
    };
    start->waiting = TRUE;
    vm->driver->launcher->launch(vm->driver->launcher_self, &spec,
                                 g_task_new(NULL, NULL, on_launched, hold(start)));
    g_clear_pointer(&start->taps, g_array_unref);
}

static void on_monitor(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;

    if (vb_qmp_start_finish(result, &error))
        next(start);
    else
        fail(start, error);
}

static void step_monitor(VbQemuStart *start)
{
    GError *error = NULL;

    if (vb_qemu_vm_connect(start->vm, &error))
        vb_qmp_start_async(start->vm->qmp, GREETING_MS, start->cancellable, on_monitor,
                           hold(start));
    else
        fail(start, error);
}

static void on_setup(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;

    if (vb_qemu_vm_setup_finish(result, &error))
        next(start);
    else
        fail(start, error);
}

static void step_setup(VbQemuStart *start)
{
    vb_qemu_vm_setup_async(start->vm, start->cancellable, on_setup, hold(start));
}

static void on_cont(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbQemuStart) start = data;
    GError *error = NULL;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, &error);

    if (value)
        next(start);
    else
        fail(start, error);
}

/* The definition is complete now. The state is announced by the RESUME event or by the last step,
 * and what is read then has to be right. */
static void step_run(VbQemuStart *start)
{
    VbQemuVm *vm = start->vm;

    vb_domain_live_def_changed(vm->domain);
    if (start->flags & VB_DOMAIN_OP_FLAG_PAUSED) {
        next(start);
        return;
    }
    vm->priv->run_reason = "booted";
    vb_qemu_vm_call_async(vm, "cont", NULL, start->cancellable, on_cont, hold(start));
}

static void step_done(VbQemuStart *start)
{
    VbQemuVm *vm = start->vm;
    GError *error = NULL;
    gboolean paused = (start->flags & VB_DOMAIN_OP_FLAG_PAUSED) != 0;
    g_autoptr(GTask) task = vb_qemu_start_end(vm, &error);

    g_clear_error(&error);
    if (paused)
        vb_domain_set_state(vm->domain, VB_DOMAIN_PAUSED, "user");
    else
        vb_domain_save(vm->domain);
    g_task_return_boolean(task, TRUE);
}

static void (*const steps[])(VbQemuStart *start) = {
    step_identity, step_kvm,     step_caps,        step_addresses, step_chains,
    step_nvram,    step_access,  step_spice_ports, step_passt,     step_taps,
    step_launch,   step_monitor, step_setup,       step_run,       step_done,
};

static void next(VbQemuStart *start)
{
    if (!is_over(start) && !start->error)
        steps[start->step++](start);
}

static gboolean on_cancelled(GCancellable *cancellable, gpointer data)
{
    fail(data, g_error_new(G_IO_ERROR, G_IO_ERROR_CANCELLED, "The start was given up"));
    return G_SOURCE_REMOVE;
}

void vb_qemu_vm_start(VbQemuDriver *driver, VbDomain *domain, VbDomainOpFlags flags, GTask *task)
{
    VbQemuVm *vm = vb_qemu_vm_new(driver, domain);
    VbQemuStart *start = g_rc_box_new0(VbQemuStart);

    start->vm = vb_qemu_vm_ref(vm);
    start->task = task;
    start->flags = flags;
    if (g_task_get_cancellable(task)) {
        start->cancellable = g_object_ref(g_task_get_cancellable(task));
        start->cancelled = g_cancellable_source_new(start->cancellable);
        g_source_set_callback(start->cancelled, G_SOURCE_FUNC(on_cancelled), start, NULL);
        g_source_attach(start->cancelled, g_main_context_get_thread_default());
    }
    vm->priv->start = start;
    next(start);
}
