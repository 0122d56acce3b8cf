/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All devices of a domain in one list, for what concerns each of them: addresses, aliases, boot
 * order. Used by domain-address.c, device-alias.c and domain-validate.c. */
#pragma once

#include "domain-def.h"

typedef struct {
    VbDeviceInfo *info; /* of the device itself, which the domain owns */
    char *name;         /* "disk vda", for messages */
    gpointer device;    /* VbDiskDef, VbControllerDef … */
    const char
        *alias; /* what its alias starts with: "net"; NULL: it has an alias of its own kind */
    VbAddressType wants;
    gboolean conventional; /* PCI: not PCI Express */
} VbDeviceRef;

/* Of VbDeviceRef, controllers first; valid until a device is removed. A console that is another
 * name of a serial is not in it, nor is what says "none", nor graphics, which are no devices of the
 * guest. */
GArray *vb_domain_def_list_devices(const VbDomainDef *def);
