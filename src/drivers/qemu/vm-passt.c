/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starts passt: a program that forks, for its launcher, when it is ready, its ports bound. */
#include "vm-passt.h"

#include <errno.h>
#include <sys/socket.h>

#include "error.h"
#include "fd.h"
#include "passt-command.h"
#include "vm-private.h"

/* Of the task: all interfaces of the VM. */
typedef struct {
    GArray *sockets;  /* of int */
    guint n_starting; /* the task waits for so many */
    GError *error;    /* the first one */
} Round;

/* One passt, until it is in the background. */
typedef struct {
    GTask *task;
    char *what; /* "domain 'x': interface net0: passt" */
} Passt;

static void clear_socket(gpointer element)
{
    vb_clear_fd(element);
}

static void round_free(gpointer data)
{
    Round *round = data;

    g_clear_pointer(&round->sockets, g_array_unref);
    g_clear_error(&round->error);
    g_free(round);
}

static void passt_free(Passt *passt)
{
    g_object_unref(passt->task);
    g_free(passt->what);
    g_free(passt);
}

static void return_if_done(GTask *task)
{
    Round *round = g_task_get_task_data(task);

    if (round->n_starting > 0)
        return;
    if (round->error)
        g_task_return_error(task, g_steal_pointer(&round->error));
    else
        g_task_return_pointer(task, g_steal_pointer(&round->sockets),
                              (GDestroyNotify)g_array_unref);
}

/* `error` is taken, NULL when it runs. */
static void settle(Passt *passt, GError *error)
{
    g_autoptr(GTask) task = g_object_ref(passt->task);
    Round *round = g_task_get_task_data(task);

    if (error && !round->error)
        round->error = error;
    else
        g_clear_error(&error);
    passt_free(passt);
    round->n_starting--;
    return_if_done(task);
}

static void on_launched(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Passt *passt = user_data;
    GError *error = NULL;

    g_task_propagate_pointer(G_TASK(result), &error);
    if (error)
        g_prefix_error(&error, "%s did not start: ", passt->what);
    settle(passt, error);
}

/* `fd` is the caller's. */
static void launch(GTask *task, const VbQemuVm *vm, const VbInterfaceDef *interface,
                   const char *program, int fd)
{
    const VbQemuDriver *driver = vm->driver;
    const char *const env[] = {"LC_ALL=C", NULL};
    const VbDomainInfo *info = vb_domain_info(vm->domain);
    g_auto(GStrv) argv = vb_passt_command(program, interface);
    g_autofree char *name = g_strdup_printf("passt-%s-%s", info->uuid, interface->info.alias);
    g_autofree char *log_name = g_strdup_printf("passt-%s.log", interface->info.alias);
    Passt *passt = g_new0(Passt, 1);
    Round *round = g_task_get_task_data(task);

    passt->task = g_object_ref(task);
    passt->what =
        g_strdup_printf("domain '%s': interface %s: passt", info->name, interface->info.alias);
    g_autofree char *log_path = g_build_filename(vb_domain_run_dir(vm->domain), log_name, NULL);
    VbLaunchSpec spec = {
        .kind = VB_LAUNCH_FORKS,
        .name = name,
        .argv = (const char *const *)argv,
        .env = env,
        .fds = &fd,
        .n_fds = 1,
        .log_path = log_path,
        .identity = driver->identity,
        .domain = info->uuid,
        .namespaces = TRUE,
    };
    round->n_starting++;
    driver->launcher->launch(driver->launcher_self, &spec,
                             g_task_new(NULL, NULL, on_launched, passt));
}

static gboolean start_one(GTask *task, const VbQemuVm *vm, const VbInterfaceDef *interface,
                          int *ret_socket, GError **error)
{
    g_autofree char *program = g_find_program_in_path("passt");
    int ends[2];

    if (!program)
        return vb_fail(error, VB_ERROR_NOT_SUPPORTED,
                       "domain '%s': interface %s: the program passt is not installed",
                       vb_domain_info(vm->domain)->name, interface->info.alias);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return vb_fail(error, VB_ERROR_FAILED, "Cannot make a socket: %s", g_strerror(errno));
    vb_autofd int passt_end = ends[1];
    *ret_socket = ends[0];
    launch(task, vm, interface, program, passt_end);
    return TRUE;
}

void vb_qemu_passt_start_async(VbQemuVm *vm, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    const GPtrArray *interfaces = vb_domain_live_def(vm->domain)->interfaces;
    Round *round = g_new0(Round, 1);
    int none = -1;

    g_task_set_source_tag(task, vb_qemu_passt_start_async);
    g_task_set_task_data(task, round, round_free);
    round->sockets = g_array_new(FALSE, FALSE, sizeof(int));
    g_array_set_clear_func(round->sockets, clear_socket);
    for (guint i = 0; i < interfaces->len; i++)
        g_array_append_val(round->sockets, none);
    for (guint i = 0; i < interfaces->len && !round->error; i++) {
        const VbInterfaceDef *interface = interfaces->pdata[i];
        if (interface->type == VB_INTERFACE_USER && interface->backend == VB_USER_BACKEND_PASST)
            start_one(task, vm, interface, &g_array_index(round->sockets, int, i), &round->error);
    }
    return_if_done(task);
}

GArray *vb_qemu_passt_start_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
