/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain or a network as a command sees it: its object path and the properties that it had when
 * it was looked up. The lookup takes what virsh takes: of a domain an id, a UUID or a name, tried
 * in that order; of a network a UUID or a name. */
#pragma once

#include "connection.h"

typedef struct {
    char *path;
    GVariant *properties; /* a{sv} of org.virtbus1.Domain or org.virtbus1.Network */
} VbObjectRef;

void vb_object_ref_free(VbObjectRef *ref);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbObjectRef, vb_object_ref_free)

/* What the parameter or option DOMAIN or NETWORK of args names. */
VbObjectRef *vb_domain_ref_lookup(VbCli *cli, const VbArgs *args, GError **error);
VbObjectRef *vb_network_ref_lookup(VbCli *cli, const VbArgs *args, GError **error);

/* All domains: the running ones by id, then the others by name. Of VbObjectRef. */
GPtrArray *vb_domain_ref_list(VbCli *cli, GError **error);
/* All networks by name. */
GPtrArray *vb_network_ref_list(VbCli *cli, GError **error);

/* A property; "" or FALSE when the daemon has none of that name. Belongs to the ref. */
const char *vb_object_ref_get_string(const VbObjectRef *ref, const char *property);
gboolean vb_object_ref_get_boolean(const VbObjectRef *ref, const char *property);

/* 0 when the domain is not running. */
guint32 vb_domain_ref_get_id(const VbObjectRef *domain);
gboolean vb_network_ref_is_active(const VbObjectRef *network);

/* {sv} pairs for a JSON document: "Path" and all the properties. Floating. */
GVariant *vb_object_ref_to_json(const VbObjectRef *ref);
/* One document: an array of them (of VbObjectRef). */
void vb_object_ref_print_json(const GPtrArray *refs);

/* A struct whose last member is a{sv}, as Disks, Interfaces and Leases have them: {sv} pairs of the
 * named members and of what its dictionary has. Floating. */
GVariant *vb_object_ref_struct_to_json(GVariant *value, const char *const *members,
                                       gsize n_members);
