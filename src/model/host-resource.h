/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbHostResource: what of the host a document names: each path, executable, device, socket and
 * address, and how it would be used. The one place that knows: the objects ask for the actions
 * domain.host-access and network.host-access by it, the qemu driver makes accessible by it. A new
 * element of the format that names something of the host is added here, or
 * tests/unit/model-host-resource.c fails. */
#pragma once

#include "domain-def.h"
#include "network-def.h"

typedef enum {
    VB_HOST_DISK,          /* the image or block device of a disk */
    VB_HOST_BACKING_IMAGE, /* an image behind it */
    VB_HOST_NBD_SOCKET,    /* unix socket of an NBD server */
    VB_HOST_NBD_SERVER,    /* "nbd://host:port/export": an address, no path */
    VB_HOST_EMULATOR,      /* executed */
    VB_HOST_LOADER,        /* firmware */
    VB_HOST_NVRAM,         /* the guest's variable store */
    VB_HOST_NVRAM_TEMPLATE,
    VB_HOST_KERNEL,
    VB_HOST_INITRD,
    VB_HOST_CHAR_FILE,       /* written by a serial, parallel, console or channel device */
    VB_HOST_CHAR_SOCKET,     /* connected to, or made */
    VB_HOST_GRAPHICS_SOCKET, /* made */
    VB_HOST_RNG_DEVICE,
    VB_HOST_BRIDGE,    /* the name of a bridge that an interface is plugged into */
    VB_HOST_TAP,       /* the name of a tap of an interface of type ethernet */
    VB_HOST_TFTP_ROOT, /* of a network: guests read what lies there */
    VB_N_HOST_USES,
} VbHostUse;

/* For messages: "disk image", "emulator" … */
const char *vb_host_use_to_string(VbHostUse use);

typedef struct {
    VbHostUse use;
    char *path;      /* absolute, but for VB_HOST_NBD_SERVER, VB_HOST_BRIDGE, VB_HOST_TAP */
    gboolean write;  /* the guest, or QEMU for it, writes there; sockets: always, as connect() asks
                        for the right to write */
    gboolean create; /* it may not exist yet: whoever runs the domain makes it */
} VbHostResource;

void vb_host_resource_free(VbHostResource *resource);

/* All that the definition names, in the order of the document; elements VbHostResource. What is
 * named twice is there twice. Left out is what the driver alone chooses and no definition keeps:
 * the pty of a character device, the socket of a channel or of graphics that has no path; a virtual
 * network with its ports, which whoever defined it lends to guests; and the ports that are
 * forwarded to a guest, as the port of a VNC display is. */
GPtrArray *vb_domain_def_host_resources(const VbDomainDef *def);
/* Of a chain of images on its own (the target of a copy or a backup). write: of the top image;
 * those behind it are read. */
GPtrArray *vb_disk_source_host_resources(const VbDiskSource *source, gboolean write);

/* Of a network: as of a domain. */
GPtrArray *vb_network_def_host_resources(const VbNetworkDef *def);

/* Is it at or below one of the directories (absolute, NULL-terminated)? Lexical: double slashes
 * and "." mean nothing, "/a/b" is not below "/a/bc", links are not resolved. So a path with ".." is
 * below nothing: where it leads depends on links. Nor is an address. */
gboolean vb_host_resource_is_below(const VbHostResource *resource, const char *const *directories);

/* Does its use need the right to reach into the host (domain.host-access)? Not when it is below one
 * of the image directories, nor when it is harmless wherever they are:
 *  - an emulator of the distribution: a file of /usr/bin named qemu-system-…. Any other emulator
 *    needs the right, below the image directories too: what lies there may be a guest's own bytes;
 *  - firmware that is only read, and NVRAM templates, in a directory of /usr/share where firmware
 *    is installed: OVMF, qemu, seabios …;
 *  - /dev/urandom, /dev/random and /dev/hwrng as the source of a random number generator.
 * A bridge and a tap always need it.
 * NULL image_directories: there is no restriction (a session instance), nothing needs the right. */
gboolean vb_host_resource_needs_access(const VbHostResource *resource,
                                       const char *const *image_directories);
