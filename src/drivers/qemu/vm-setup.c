/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The questions and orders for a QEMU that has just been started and whose guest does not run yet.
 * They are sent without waiting for each other's replies, which come in the same order; with one
 * refusal the whole is refused. */
#include "qemu-command.h"
#include "error.h"
#include "json-get.h"
#include "qmp-args.h"
#include "vm-private.h"

/* Reads a reply into the live definition. FALSE with an error when it is not what QEMU would say.
 */
typedef gboolean (*Reader)(VbQemuVm *vm, JsonNode *value, GError **error);

typedef struct {
    VbQemuVm *vm;
    guint pending; /* replies; and one while orders are being sent */
    GError *error; /* the first */
} Setup;

typedef struct {
    GTask *task;   /* of a Setup */
    Reader reader; /* or NULL */
} Order;

static void setup_free(gpointer data)
{
    Setup *setup = data;

    g_clear_error(&setup->error);
    vb_qemu_vm_unref(setup->vm);
    g_free(setup);
}

/* One reply less is waited for. */
static void settle(GTask *task)
{
    Setup *setup = g_task_get_task_data(task);

    if (--setup->pending > 0)
        return;
    if (setup->error)
        g_task_return_error(task, g_steal_pointer(&setup->error));
    else
        g_task_return_boolean(task, TRUE);
}

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Order *order = data;
    g_autoptr(GTask) task = order->task;
    Setup *setup = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, &error);

    if (value && vb_qemu_vm_is_over(setup->vm))
        vb_fail(&error, VB_ERROR_DOMAIN_NOT_RUNNING, "QEMU has ended");
    else if (value && order->reader && !setup->error)
        order->reader(setup->vm, value, &error);
    if (error && !setup->error)
        setup->error = g_steal_pointer(&error);
    g_clear_error(&error);
    settle(task);
}

static void add(GTask *task, const char *command, JsonObject *arguments, Reader reader)
{
    Setup *setup = g_task_get_task_data(task);
    Order *order = g_new(Order, 1);

    *order = (Order){g_object_ref(task), reader};
    setup->pending++;
    vb_qemu_vm_call_async(setup->vm, command, arguments, g_task_get_cancellable(task), on_reply,
                          order);
}

/* ---- character devices ------------------------------------------------------------------------
 */

static gboolean has_pty(const GPtrArray *devices)
{
    for (guint i = 0; i < devices->len; i++)
        if (((VbCharDef *)devices->pdata[i])->source == VB_CHAR_SOURCE_PTY)
            return TRUE;
    return FALSE;
}

/* The pty of that chardev, NULL when QEMU did not name one. What clients will open is not any file
 * that it likes to name. */
static const char *find_pty(JsonArray *chardevs, const char *id)
{
    for (guint i = 0; i < json_array_get_length(chardevs); i++) {
        JsonObject *chardev = vb_json_array_object(chardevs, i);
        const char *file = vb_json_get_string(chardev, "filename");
        if (g_strcmp0(vb_json_get_string(chardev, "label"), id) == 0 && file &&
            g_str_has_prefix(file, "pty:/dev/pts/") &&
            g_ascii_isdigit(file[strlen("pty:/dev/pts/")]) &&
            !strchr(file + strlen("pty:/dev/pts/"), '/'))
            return file + strlen("pty:");
    }
    return NULL;
}

static gboolean read_ptys(const GPtrArray *devices, JsonArray *chardevs, GError **error)
{
    for (guint i = 0; i < devices->len; i++) {
        VbCharDef *device = devices->pdata[i];
        if (device->source != VB_CHAR_SOURCE_PTY || device->target == VB_CHAR_TARGET_SERIAL)
            continue;
        g_autofree char *id = vb_qemu_command_chardev(&device->info);
        const char *path = find_pty(chardevs, id);
        if (!path) {
            g_set_error(error, VB_ERROR, VB_ERROR_HYPERVISOR, "QEMU names no pty for %s", id);
            return FALSE;
        }
        g_free(device->path);
        device->path = g_strdup(path);
    }
    return TRUE;
}

static gboolean read_chardevs(VbQemuVm *vm, JsonNode *value, GError **error)
{
    VbDomainDef *def = vb_domain_live_def(vm->domain);
    g_autoptr(JsonArray) nothing = json_array_new();
    JsonArray *chardevs = vb_json_node_array(value);

    if (!chardevs)
        chardevs = nothing;
    if (!read_ptys(def->serials, chardevs, error) || !read_ptys(def->parallels, chardevs, error) ||
        !read_ptys(def->consoles, chardevs, error) || !read_ptys(def->channels, chardevs, error))
        return FALSE;

    /* A console that is the first serial by another name shows its path, too. */
    for (guint i = 0; def->serials->len > 0 && i < def->consoles->len; i++) {
        VbCharDef *console = def->consoles->pdata[i];
        const VbCharDef *serial = def->serials->pdata[0];
        if (console->target == VB_CHAR_TARGET_SERIAL) {
            g_free(console->path);
            console->path = g_strdup(serial->path);
        }
    }
    return TRUE;
}

/* A socket that we named: readers and clients have to find it. */
static void name_channel_sockets(VbQemuVm *vm)
{
    VbDomainDef *def = vb_domain_live_def(vm->domain);

    for (guint i = 0; i < def->channels->len; i++) {
        VbCharDef *channel = def->channels->pdata[i];
        if (channel->source == VB_CHAR_SOURCE_UNIX && !channel->path)
            channel->path = vb_qemu_command_socket(vm->run_dir, &channel->info, "channel");
    }
}

/* ---- graphics ---------------------------------------------------------------------------------
 */

static gboolean read_vnc(VbQemuVm *vm, JsonNode *value, GError **error)
{
    const GPtrArray *all = vb_domain_live_def(vm->domain)->graphics;
    const char *service = vb_json_get_string(vb_json_node_object(value), "service");
    guint64 port;

    if (!service || !g_ascii_string_to_unsigned(service, 10, 1, G_MAXUINT16, &port, NULL)) {
        g_set_error(error, VB_ERROR, VB_ERROR_HYPERVISOR, "QEMU names no port for VNC");
        return FALSE;
    }
    for (guint i = 0; i < all->len; i++) {
        VbGraphicsDef *graphics = all->pdata[i];
        if (graphics->type == VB_GRAPHICS_VNC)
            graphics->port = (int)port;
    }
    return TRUE;
}

static void add_graphics(GTask *task, const VbQemuVm *vm, VbGraphicsDef *graphics)
{
    gboolean vnc = graphics->type == VB_GRAPHICS_VNC;

    if (vnc && graphics->listen == VB_GRAPHICS_LISTEN_ADDRESS && graphics->autoport)
        add(task, "query-vnc", NULL, read_vnc);
    if (graphics->listen == VB_GRAPHICS_LISTEN_SOCKET && !graphics->socket)
        graphics->socket =
            vb_qemu_command_socket(vm->run_dir, &graphics->info, vnc ? "vnc" : "spice");
    if (graphics->passwd)
        add(task, "set_password",
            vb_qmp_args(VB_ARG_STRING("protocol", vnc ? "vnc" : "spice"),
                        VB_ARG_STRING("password", graphics->passwd)),
            NULL);
}

/* ---- limits, links, memory --------------------------------------------------------------------
 */

static void add_burst(JsonObject *arguments, const char *name, guint64 burst, guint64 seconds)
{
    g_autofree char *max = g_strconcat(name, "_max", NULL);
    g_autofree char *length = g_strconcat(name, "_max_length", NULL);

    vb_qmp_args_add(arguments, VB_ARG_IF(burst > 0, VB_ARG_INT(max, (gint64)burst)),
                    VB_ARG_IF(seconds > 0, VB_ARG_INT(length, (gint64)seconds)));
}

static void add_throttle(GTask *task, const VbDiskDef *disk)
{
    const VbDiskIotune *t = &disk->iotune;
    /* Of a virtio disk the block backend is a child of the device. */
    g_autofree char *path =
        g_strconcat("/machine/peripheral/", disk->info.alias,
                    disk->bus == VB_DISK_BUS_VIRTIO ? "/virtio-backend" : NULL, NULL);
    JsonObject *arguments = vb_qmp_args(
        VB_ARG_STRING("id", path), VB_ARG_INT("bps", (gint64)t->total_bytes_sec),
        VB_ARG_INT("bps_rd", (gint64)t->read_bytes_sec),
        VB_ARG_INT("bps_wr", (gint64)t->write_bytes_sec),
        VB_ARG_INT("iops", (gint64)t->total_iops_sec),
        VB_ARG_INT("iops_rd", (gint64)t->read_iops_sec),
        VB_ARG_INT("iops_wr", (gint64)t->write_iops_sec), VB_ARG_STRING("group", t->group_name),
        VB_ARG_IF(t->size_iops_sec > 0, VB_ARG_INT("iops_size", (gint64)t->size_iops_sec)));

    add_burst(arguments, "bps", t->total_bytes_sec_max, t->total_bytes_sec_max_length);
    add_burst(arguments, "bps_rd", t->read_bytes_sec_max, t->read_bytes_sec_max_length);
    add_burst(arguments, "bps_wr", t->write_bytes_sec_max, t->write_bytes_sec_max_length);
    add_burst(arguments, "iops", t->total_iops_sec_max, t->total_iops_sec_max_length);
    add_burst(arguments, "iops_rd", t->read_iops_sec_max, t->read_iops_sec_max_length);
    add_burst(arguments, "iops_wr", t->write_iops_sec_max, t->write_iops_sec_max_length);
    add(task, "block_set_io_throttle", arguments, NULL);
}

static void add_memballoon(GTask *task, const VbDomainDef *def)
{
    const VbMemballoonDef *balloon = def->memballoon;

    if (!balloon || balloon->model != VB_MEMBALLOON_VIRTIO)
        return;
    if (def->current_memory < def->memory)
        add(task, "balloon", vb_qmp_args(VB_ARG_INT("value", (gint64)def->current_memory)), NULL);
    if (balloon->stats_period > 0) {
        g_autofree char *path = g_strconcat("/machine/peripheral/", balloon->info.alias, NULL);
        add(task, "qom-set",
            vb_qmp_args(VB_ARG_STRING("path", path),
                        VB_ARG_STRING("property", "guest-stats-polling-interval"),
                        VB_ARG_INT("value", balloon->stats_period)),
            NULL);
    }
}

static void send_all(GTask *task, const VbQemuVm *vm)
{
    const VbDomainDef *def = vb_domain_def(vm->domain);

    if (has_pty(def->serials) || has_pty(def->parallels) || has_pty(def->consoles) ||
        has_pty(def->channels))
        add(task, "query-chardev", NULL, read_chardevs);
    for (guint i = 0; i < def->graphics->len; i++)
        add_graphics(task, vm, def->graphics->pdata[i]);
    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *disk = def->disks->pdata[i];
        if (vb_disk_iotune_is_set(&disk->iotune) && disk->source)
            add_throttle(task, disk);
    }
    for (guint i = 0; i < def->interfaces->len; i++) {
        const VbInterfaceDef *interface = def->interfaces->pdata[i];
        if (interface->link_state == VB_LINK_STATE_DOWN)
            add(task, "set_link",
                vb_qmp_args(VB_ARG_STRING("name", interface->info.alias), VB_ARG_BOOL("up", FALSE)),
                NULL);
    }
    add_memballoon(task, def);
}

void vb_qemu_vm_setup_async(VbQemuVm *vm, GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    Setup *setup = g_new0(Setup, 1);

    setup->vm = vb_qemu_vm_ref(vm);
    setup->pending = 1;
    g_task_set_task_data(task, setup, setup_free);
    name_channel_sockets(vm);
    send_all(task, vm);
    settle(task);
}

gboolean vb_qemu_vm_setup_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
