/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What may be said about the traffic of a network, or of one guest on it: <bandwidth> and <vlan>,
 * and their XML. */
#pragma once

#include "enum-table.h"
#include "xml-reader.h"
#include "xml-writer.h"

/* 0: not given. */
typedef struct {
    guint average; /* KiB/s */
    guint peak;    /* KiB/s, at least `average` */
    guint burst;   /* KiB at `peak` */
    guint floor;   /* KiB/s that are kept free for it; inbound only */
} VbTrafficRate;

/* Seen from the guest: inbound is what it receives. */
typedef struct {
    VbTrafficRate inbound, outbound;
} VbBandwidthDef;

typedef enum {
    VB_VLAN_NATIVE_NONE,
    VB_VLAN_NATIVE_TAGGED,
    VB_VLAN_NATIVE_UNTAGGED,
} VbVlanNative;
VB_ENUM_DECLARE(VbVlanNative, vb_vlan_native)

typedef struct {
    gboolean trunk; /* the guest sees the tags; always so with several */
    GArray *tags;   /* of guint: 1..4094, each once, at least one */
    VbVlanNative native_mode;
    guint native_tag; /* one of `tags`; 0: none */
} VbVlanDef;

VbVlanDef *vb_vlan_def_copy(const VbVlanDef *vlan); /* NULL gives NULL */
void vb_vlan_def_free(VbVlanDef *vlan);             /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbVlanDef, vb_vlan_def_free)

/* The element of that name in `parent`, which need not be there. */
void vb_bandwidth_def_parse(VbXmlReader *reader, VbXmlElement *parent, VbBandwidthDef *bandwidth);
VbVlanDef *vb_vlan_def_parse(VbXmlReader *reader, VbXmlElement *parent);
/* Nothing when nothing is said. */
void vb_bandwidth_def_format(VbXmlWriter *writer, const VbBandwidthDef *bandwidth);
void vb_vlan_def_format(VbXmlWriter *writer, const VbVlanDef *vlan);

gboolean vb_bandwidth_def_is_set(const VbBandwidthDef *bandwidth);
