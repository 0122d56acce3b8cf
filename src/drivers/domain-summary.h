/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What lists and properties need of a domain's definition, in one immutable run of bytes: it costs
 * a tenth of the parsed definition, and a page of the definition index holds it as well as the heap
 * does. Enumerations are the bus's words, so that nothing depends on their numbers. */
#pragma once

#include "domain-def.h"

/* Unpacked: it points into the packed bytes, and is valid as long as these. */
typedef struct {
    const char *type; /* "qemu" */
    const char *uuid; /* lower case, with '-' */
    const char *name;
    const char *arch, *machine;
    const char *title, *description; /* NULL: not given */
    guint64 memory, current_memory;  /* bytes */
    guint vcpus, vcpus_max;
    gboolean has_secrets; /* as it is stored it says more than everybody may read */
    guint n_disks, n_interfaces, n_graphics;
    gconstpointer packed;
} VbDomainSummary;

typedef struct {
    const char *target, *device, *bus;
    const char *source; /* vb_disk_source_to_string(); NULL: no medium, and no type and format */
    const char *type, *format;
    const char *serial; /* or NULL */
    gboolean readonly;
} VbDiskSummary;

typedef struct {
    const char *mac, *type, *model;
    const char *source; /* the network or the bridge; NULL: it has none */
    const char *target, *bridge, *portgroup, *link_state; /* or NULL; bridge: of a network */
    guint mtu;                                            /* 0: not given */
} VbInterfaceSummary;

typedef struct {
    const char *type;
    const char *address;  /* or the socket; NULL: not given */
    guint port, tls_port; /* 0: none */
} VbGraphicsSummary;

GBytes *vb_domain_summary_pack(const VbDomainDef *def, gboolean has_secrets);
/* May that be unpacked? `data` is aligned as malloc() does; nothing else is asked of it. */
gboolean vb_domain_summary_check(gconstpointer data, gsize size);
VbDomainSummary vb_domain_summary_unpack(gconstpointer packed);

/* Bytes of the packed form, all texts included. */
gsize vb_domain_summary_size(const VbDomainSummary *summary);
VbDiskSummary vb_domain_summary_disk(const VbDomainSummary *summary, guint index);
VbInterfaceSummary vb_domain_summary_interface(const VbDomainSummary *summary, guint index);
VbGraphicsSummary vb_domain_summary_graphics(const VbDomainSummary *summary, guint index);
