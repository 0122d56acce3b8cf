/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain as a command sees it: its object path and the properties that it had when it was looked
 * up. The lookup takes what virsh takes: an id, a UUID or a name, tried in that order. */
#pragma once

#include "connection.h"

typedef struct {
    char *path;
    GVariant *properties; /* a{sv} of org.virtbus1.Domain */
} VbDomainRef;

void vb_domain_ref_free(VbDomainRef *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDomainRef, vb_domain_ref_free)

/* What the parameter or option DOMAIN of args names. */
VbDomainRef *vb_domain_ref_lookup(VbCli *cli, const VbArgs *args, GError **error);

/* All domains: the running ones by id, then the others by name. Of VbDomainRef. */
GPtrArray *vb_domain_ref_list(VbCli *cli, GError **error);

/* A string property, "" when the daemon has none of that name. Belongs to domain. */
const char *vb_domain_ref_get_string(const VbDomainRef *domain, const char *property);

/* 0 when the domain is not running. */
guint32 vb_domain_ref_get_id(const VbDomainRef *domain);

/* {sv} pairs for a JSON document: "Path" and all the properties. Floating. */
GVariant *vb_domain_ref_to_json(const VbDomainRef *domain);
