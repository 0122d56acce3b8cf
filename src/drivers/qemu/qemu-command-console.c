/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a user sees and types at: serial, parallel, console and channel devices, graphics, video.
 * Chardevs, VNC and SPICE have only the old option syntax: each string in them is escaped. */
#include <string.h>

#include "qemu-command-private.h"

/* ---- character devices ------------------------------------------------------------------------
 */

static void append_path(GString *value, const char *name, const char *path)
{
    g_autofree char *escaped = vb_command_escape(path);

    g_string_append_printf(value, ",%s=%s", name, escaped);
}

static void add_chardev(VbCommand *command, const VbCharDef *device)
{
    g_autofree char *id = vb_qemu_command_chardev(&device->info);
    g_autofree char *own_path = NULL;
    g_autoptr(GString) value = g_string_new(NULL);

    switch (device->source) {
    case VB_CHAR_SOURCE_PTY:
        g_string_printf(value, "pty,id=%s", id);
        break;
    case VB_CHAR_SOURCE_NULL:
        g_string_printf(value, "null,id=%s", id);
        break;
    case VB_CHAR_SOURCE_FILE:
        g_string_printf(value, "file,id=%s", id);
        append_path(value, "path", device->path);
        if (device->append != VB_TRISTATE_ABSENT)
            g_string_append_printf(value, ",append=%s", vb_command_on_off(device->append));
        break;
    case VB_CHAR_SOURCE_UNIX:
        g_string_printf(value, "socket,id=%s", id);
        if (!device->path)
            own_path = vb_qemu_command_socket(command->input->run_dir, &device->info, "channel");
        append_path(value, "path", device->path ? device->path : own_path);
        if (device->listen)
            g_string_append(value, ",server=on,wait=off");
        break;
    case VB_CHAR_SOURCE_SPICEVMC:
        g_string_printf(value, "spicevmc,id=%s,name=vdagent", id);
        break;
    }
    const char *backend = device->source == VB_CHAR_SOURCE_UNIX
                              ? "socket"
                              : vb_char_source_type_to_string(device->source);
    g_ptr_array_add(command->types, g_strconcat("chardev-", backend, NULL));
    vb_command_add(command, "-chardev", value->str);
}

static JsonObject *char_properties(const VbCharDef *device, const char *chardev)
{
    switch (device->target) {
    case VB_CHAR_TARGET_ISA_SERIAL:
        return vb_qmp_args(VB_ARG_STRING("driver", "isa-serial"), VB_ARG_STRING("chardev", chardev),
                           VB_ARG_INT("index", device->port));
    case VB_CHAR_TARGET_PCI_SERIAL:
        return vb_qmp_args(VB_ARG_STRING("driver", "pci-serial"),
                           VB_ARG_STRING("chardev", chardev));
    case VB_CHAR_TARGET_USB_SERIAL:
        return vb_qmp_args(VB_ARG_STRING("driver", "usb-serial"),
                           VB_ARG_STRING("chardev", chardev));
    case VB_CHAR_TARGET_VIRTIO:
        if (device->kind == VB_CHAR_CONSOLE)
            return vb_qmp_args(VB_ARG_STRING("driver", "virtconsole"),
                               VB_ARG_STRING("chardev", chardev));
        return vb_qmp_args(VB_ARG_STRING("driver", "virtserialport"),
                           VB_ARG_STRING("chardev", chardev),
                           VB_ARG_STRING("name", device->target_name));
    case VB_CHAR_TARGET_NONE:
        return vb_qmp_args(VB_ARG_STRING("driver", "isa-parallel"),
                           VB_ARG_STRING("chardev", chardev), VB_ARG_INT("index", device->port));
    case VB_CHAR_TARGET_SERIAL:
        break;
    }
    g_return_val_if_reached(NULL);
}

static void add_chars(VbCommand *command, const GPtrArray *devices)
{
    for (guint i = 0; i < devices->len; i++) {
        const VbCharDef *device = devices->pdata[i];
        if (device->target == VB_CHAR_TARGET_SERIAL)
            continue; /* a console that is the first serial by another name */
        g_autofree char *chardev = vb_qemu_command_chardev(&device->info);
        add_chardev(command, device);
        vb_command_device(command, &device->info, 0, char_properties(device, chardev));
    }
}

void vb_command_chars(VbCommand *command)
{
    add_chars(command, command->def->serials);
    add_chars(command, command->def->parallels);
    add_chars(command, command->def->consoles);
    add_chars(command, command->def->channels);
}

/* ---- graphics ---------------------------------------------------------------------------------
 */

static const char *listen_address(const VbGraphicsDef *graphics)
{
    return graphics->address ? graphics->address : "127.0.0.1";
}

static void add_vnc(VbCommand *command, const VbGraphicsDef *graphics)
{
    g_autoptr(GString) value = g_string_new(NULL);
    g_autofree char *own_path = NULL;
    g_autofree char *escaped = NULL;

    switch (graphics->listen) {
    case VB_GRAPHICS_LISTEN_ADDRESS:
        /* QEMU counts displays, of which number 0 has port 5900; an IPv6 address wants brackets. */
        escaped = vb_command_escape(listen_address(graphics));
        g_string_printf(value, strchr(escaped, ':') ? "[%s]:%d" : "%s:%d", escaped,
                        graphics->autoport ? 0 : graphics->port - 5900);
        if (graphics->autoport)
            g_string_append(value, ",to=99");
        break;
    case VB_GRAPHICS_LISTEN_SOCKET:
        own_path = vb_qemu_command_socket(command->input->run_dir, &graphics->info, "vnc");
        escaped = vb_command_escape(graphics->socket ? graphics->socket : own_path);
        /* With the implied name: else a '=' in the path would make one of what is before it. */
        g_string_printf(value, "vnc=unix:%s", escaped);
        break;
    case VB_GRAPHICS_LISTEN_NONE:
        g_string_assign(value, "none");
        break;
    }
    if (graphics->passwd)
        g_string_append(value, ",password=on");
    vb_command_add(command, "-vnc", value->str);
}

static void add_spice(VbCommand *command, const VbGraphicsDef *graphics)
{
    g_autoptr(GString) value = g_string_new(NULL);
    g_autofree char *own_path = NULL;

    switch (graphics->listen) {
    case VB_GRAPHICS_LISTEN_ADDRESS:
        g_string_printf(value, "port=%d", MAX(graphics->port, 0));
        append_path(value, "addr", listen_address(graphics));
        break;
    case VB_GRAPHICS_LISTEN_SOCKET:
        own_path = vb_qemu_command_socket(command->input->run_dir, &graphics->info, "spice");
        g_string_assign(value, "unix=on");
        append_path(value, "addr", graphics->socket ? graphics->socket : own_path);
        break;
    case VB_GRAPHICS_LISTEN_NONE:
        g_string_assign(value, "port=0");
        break;
    }
    if (!graphics->passwd)
        g_string_append(value, ",disable-ticketing=on");
    if (graphics->image_compression != VB_SPICE_COMPRESSION_DEFAULT)
        g_string_append_printf(value, ",image-compression=%s",
                               vb_spice_compression_to_string(graphics->image_compression));
    vb_command_add(command, "-spice", value->str);
}

void vb_command_graphics(VbCommand *command)
{
    const GPtrArray *all = command->def->graphics;
    const char *keymap = NULL;

    for (guint i = 0; i < all->len; i++) {
        const VbGraphicsDef *graphics = all->pdata[i];
        if (graphics->type == VB_GRAPHICS_VNC)
            add_vnc(command, graphics);
        else
            add_spice(command, graphics);
        if (graphics->keymap)
            keymap = graphics->keymap;
    }
    if (keymap)
        vb_command_add(command, "-k", keymap);
}

/* ---- video ------------------------------------------------------------------------------------
 */

static gint64 mebibytes(guint kib)
{
    return (kib + 1023) / 1024;
}

static JsonObject *video_properties(const VbVideoDef *video)
{
    switch (video->type) {
    case VB_VIDEO_VGA:
        return vb_qmp_args(
            VB_ARG_STRING("driver", video->primary ? "VGA" : "secondary-vga"),
            VB_ARG_IF(video->vram_kib > 0, VB_ARG_INT("vgamem_mb", mebibytes(video->vram_kib))));
    case VB_VIDEO_CIRRUS:
        return vb_qmp_args(
            VB_ARG_STRING("driver", "cirrus-vga"),
            VB_ARG_IF(video->vram_kib > 0, VB_ARG_INT("vgamem_mb", mebibytes(video->vram_kib))));
    case VB_VIDEO_QXL:
        return vb_qmp_args(
            VB_ARG_STRING("driver", video->primary ? "qxl-vga" : "qxl"),
            VB_ARG_IF(video->ram_kib > 0, VB_ARG_INT("ram_size", (gint64)video->ram_kib * 1024)),
            VB_ARG_IF(video->vram_kib > 0, VB_ARG_INT("vram_size", (gint64)video->vram_kib * 1024)),
            VB_ARG_IF(video->vgamem_kib > 0, VB_ARG_INT("vgamem_mb", mebibytes(video->vgamem_kib))),
            VB_ARG_IF(video->heads > 0, VB_ARG_INT("max_outputs", video->heads)));
    case VB_VIDEO_VIRTIO:
        return vb_qmp_args(
            VB_ARG_STRING("driver", video->primary ? "virtio-vga" : "virtio-gpu-pci"),
            VB_ARG_IF(video->heads > 0, VB_ARG_INT("max_outputs", video->heads)));
    case VB_VIDEO_BOCHS:
        return vb_qmp_args(
            VB_ARG_STRING("driver", "bochs-display"),
            VB_ARG_IF(video->vram_kib > 0, VB_ARG_INT("vgamem", (gint64)video->vram_kib * 1024)));
    case VB_VIDEO_NONE:
        break;
    }
    g_return_val_if_reached(NULL);
}

void vb_command_videos(VbCommand *command)
{
    for (guint i = 0; i < command->def->videos->len; i++) {
        const VbVideoDef *video = command->def->videos->pdata[i];
        if (video->type != VB_VIDEO_NONE)
            vb_command_device(command, &video->info, 0, video_properties(video));
    }
}
