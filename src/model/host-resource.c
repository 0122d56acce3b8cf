/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns what of the host a document names, and which of it is harmless. See host-resource.h. */
#include "host-resource.h"

#include <string.h>

static const char *const uses[VB_N_HOST_USES] = {
    [VB_HOST_DISK] = "disk image",
    [VB_HOST_BACKING_IMAGE] = "backing image",
    [VB_HOST_NBD_SOCKET] = "NBD socket",
    [VB_HOST_NBD_SERVER] = "NBD server",
    [VB_HOST_EMULATOR] = "emulator",
    [VB_HOST_LOADER] = "firmware",
    [VB_HOST_NVRAM] = "NVRAM",
    [VB_HOST_NVRAM_TEMPLATE] = "NVRAM template",
    [VB_HOST_KERNEL] = "kernel",
    [VB_HOST_INITRD] = "initrd",
    [VB_HOST_CHAR_FILE] = "file of a character device",
    [VB_HOST_CHAR_SOCKET] = "socket of a character device",
    [VB_HOST_GRAPHICS_SOCKET] = "graphics socket",
    [VB_HOST_RNG_DEVICE] = "source of random numbers",
    [VB_HOST_BRIDGE] = "bridge",
    [VB_HOST_TAP] = "tap device",
    [VB_HOST_TFTP_ROOT] = "TFTP root",
};

const char *vb_host_use_to_string(VbHostUse use)
{
    g_return_val_if_fail(use < VB_N_HOST_USES, NULL);
    return uses[use];
}

void vb_host_resource_free(VbHostResource *resource)
{
    if (!resource)
        return;
    g_free(resource->path);
    g_free(resource);
}

/* ---- what is named ----------------------------------------------------------------------------
 */

typedef enum {
    READ = 0,
    WRITE = 1 << 0,
    CREATE = 1 << 1,
} Flags;

static GPtrArray *new_resources(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)vb_host_resource_free);
}

/* Takes `path`; nothing is added without one. */
static void take(GPtrArray *resources, VbHostUse use, char *path, Flags flags)
{
    if (!path)
        return;
    VbHostResource *resource = g_new0(VbHostResource, 1);
    resource->use = use;
    resource->path = path;
    resource->write = (flags & WRITE) != 0;
    resource->create = (flags & CREATE) != 0;
    g_ptr_array_add(resources, resource);
}

static void add(GPtrArray *resources, VbHostUse use, const char *path, Flags flags)
{
    take(resources, use, g_strdup(path), flags);
}

static void add_image(GPtrArray *resources, const VbDiskSource *source, VbHostUse use, Flags flags)
{
    if (source->type != VB_DISK_SOURCE_NETWORK)
        add(resources, use, source->path, flags);
    else if (source->transport == VB_NBD_TRANSPORT_UNIX)
        add(resources, VB_HOST_NBD_SOCKET, source->socket, WRITE);
    else
        take(resources, VB_HOST_NBD_SERVER, vb_disk_source_to_string(source), flags);
}

static void add_chain(GPtrArray *resources, const VbDiskSource *source, Flags flags)
{
    add_image(resources, source, VB_HOST_DISK, flags);
    while ((source = source->backing))
        add_image(resources, source, VB_HOST_BACKING_IMAGE, READ);
}

static void add_os(GPtrArray *resources, const VbOsDef *os)
{
    gboolean flash_is_written =
        os->loader_type == VB_LOADER_TYPE_PFLASH && os->loader_readonly == VB_TRISTATE_NO;

    add(resources, VB_HOST_LOADER, os->loader, flash_is_written ? WRITE : READ);
    add(resources, VB_HOST_NVRAM_TEMPLATE, os->nvram_template, READ);
    add(resources, VB_HOST_NVRAM, os->nvram, WRITE | CREATE);
    add(resources, VB_HOST_KERNEL, os->kernel, READ);
    add(resources, VB_HOST_INITRD, os->initrd, READ);
}

static void add_char(GPtrArray *resources, const VbCharDef *device)
{
    switch (device->source) {
    case VB_CHAR_SOURCE_FILE:
        add(resources, VB_HOST_CHAR_FILE, device->path, WRITE | CREATE);
        break;
    case VB_CHAR_SOURCE_UNIX:
        add(resources, VB_HOST_CHAR_SOCKET, device->path, device->listen ? WRITE | CREATE : WRITE);
        break;
    case VB_CHAR_SOURCE_PTY: /* QEMU's choice */
    case VB_CHAR_SOURCE_NULL:
    case VB_CHAR_SOURCE_SPICEVMC:
        break;
    }
}

static void add_interface(GPtrArray *resources, const VbInterfaceDef *interface)
{
    switch (interface->type) {
    case VB_INTERFACE_BRIDGE:
        add(resources, VB_HOST_BRIDGE, interface->bridge, WRITE);
        break;
    case VB_INTERFACE_ETHERNET: /* without a name: one that is made for it */
        add(resources, VB_HOST_TAP, interface->target ? interface->target : "vnet",
            vb_interface_def_is_unmanaged(interface) ? WRITE : WRITE | CREATE);
        break;
    case VB_INTERFACE_NETWORK:
    case VB_INTERFACE_USER:
        break;
    }
}

/* The console of a domain that is another name of its serial names nothing more. */
static gboolean repeats_serial(const VbDomainDef *def, const VbCharDef *console)
{
    const VbCharDef *serial = def->serials->len > 0 ? def->serials->pdata[0] : NULL;

    return console->target == VB_CHAR_TARGET_SERIAL && serial &&
           serial->source == console->source && g_strcmp0(serial->path, console->path) == 0;
}

GPtrArray *vb_domain_def_host_resources(const VbDomainDef *def)
{
    const GPtrArray *const chars[] = {def->serials, def->parallels, def->consoles, def->channels};
    GPtrArray *resources = new_resources();

    add_os(resources, &def->os);
    add(resources, VB_HOST_EMULATOR, def->emulator, READ);
    for (guint i = 0; i < def->disks->len; i++) {
        const VbDiskDef *disk = def->disks->pdata[i];

        if (disk->source)
            add_chain(resources, disk->source, disk->readonly ? READ : WRITE);
    }
    for (guint i = 0; i < def->interfaces->len; i++)
        add_interface(resources, def->interfaces->pdata[i]);
    for (gsize kind = 0; kind < G_N_ELEMENTS(chars); kind++)
        for (guint i = 0; i < chars[kind]->len; i++)
            if (chars[kind] != def->consoles || !repeats_serial(def, chars[kind]->pdata[i]))
                add_char(resources, chars[kind]->pdata[i]);
    for (guint i = 0; i < def->graphics->len; i++)
        add(resources, VB_HOST_GRAPHICS_SOCKET,
            ((const VbGraphicsDef *)def->graphics->pdata[i])->socket, WRITE | CREATE);
    for (guint i = 0; i < def->rngs->len; i++)
        add(resources, VB_HOST_RNG_DEVICE, ((const VbRngDef *)def->rngs->pdata[i])->path, READ);
    return resources;
}

GPtrArray *vb_disk_source_host_resources(const VbDiskSource *source, gboolean write)
{
    GPtrArray *resources = new_resources();

    add_chain(resources, source, write ? WRITE : READ);
    return resources;
}

GPtrArray *vb_network_def_host_resources(const VbNetworkDef *def)
{
    GPtrArray *resources = new_resources();

    if (!vb_network_def_owns_bridge(def))
        add(resources, VB_HOST_BRIDGE, def->bridge, WRITE);
    for (guint i = 0; i < def->ips->len; i++)
        add(resources, VB_HOST_TFTP_ROOT, ((const VbNetworkIpDef *)def->ips->pdata[i])->tftp_root,
            READ);
    return resources;
}

/* ---- what it may be used for ------------------------------------------------------------------
 */

/* One slash where there are more, no "."; NULL for what is no path, and for a path with "..". */
static char *normalize(const char *path)
{
    g_autoptr(GString) normal = g_string_new(NULL);
    g_auto(GStrv) names = NULL;

    if (path[0] != '/')
        return NULL;
    names = g_strsplit(path, "/", -1);
    for (char **name = names; *name; name++) {
        if (g_str_equal(*name, ".."))
            return NULL;
        if ((*name)[0] && !g_str_equal(*name, "."))
            g_string_append_printf(normal, "/%s", *name);
    }
    return g_strdup(normal->str); /* the root itself is "" */
}

static gboolean is_below_any(const char *path, const char *const *directories)
{
    g_autofree char *normal = normalize(path);

    for (; normal && *directories; directories++) {
        g_autofree char *directory = normalize(*directories);
        gsize len = directory ? strlen(directory) : 0;

        if (directory && strncmp(normal, directory, len) == 0 &&
            (normal[len] == '/' || normal[len] == '\0'))
            return TRUE;
    }
    return FALSE;
}

gboolean vb_host_resource_is_below(const VbHostResource *resource, const char *const *directories)
{
    return is_below_any(resource->path, directories);
}

/* Only root installs there, for everybody to run. */
static gboolean is_stock_emulator(const char *path)
{
    static const char prefix[] = "/usr/bin/qemu-system-";
    g_autofree char *normal = normalize(path);

    return normal && g_str_has_prefix(normal, prefix) && normal[strlen(prefix)] &&
           !strchr(normal + strlen(prefix), '/');
}

/* Where distributions install firmware for everybody to read. Not all of /usr/share: the daemon
 * reads a template as root. */
static gboolean is_stock_firmware(const char *path)
{
    static const char *const directories[] = {"/usr/share/AAVMF",
                                              "/usr/share/OVMF",
                                              "/usr/share/edk2",
                                              "/usr/share/edk2-ovmf",
                                              "/usr/share/ovmf",
                                              "/usr/share/qemu",
                                              "/usr/share/qemu-efi-aarch64",
                                              "/usr/share/seabios",
                                              NULL};

    return is_below_any(path, directories);
}

static gboolean is_random_device(const char *path)
{
    static const char *const devices[] = {"/dev/urandom", "/dev/random", "/dev/hwrng", NULL};
    g_autofree char *normal = normalize(path);

    return normal && g_strv_contains(devices, normal);
}

gboolean vb_host_resource_needs_access(const VbHostResource *resource,
                                       const char *const *image_directories)
{
    if (!image_directories)
        return FALSE;
    switch (resource->use) {
    case VB_HOST_BRIDGE:
    case VB_HOST_TAP:
        return TRUE;
    case VB_HOST_EMULATOR:
        return !is_stock_emulator(resource->path);
    case VB_HOST_LOADER:
    case VB_HOST_NVRAM_TEMPLATE:
        if (!resource->write && is_stock_firmware(resource->path))
            return FALSE;
        break;
    case VB_HOST_RNG_DEVICE:
        if (is_random_device(resource->path))
            return FALSE;
        break;
    default:
        break;
    }
    return !is_below_any(resource->path, image_directories);
}
