/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What dnsmasq is told of a network, as the texts of three files: pure. Paths, users and whatever
 * else belongs to this host is on its command line (dnsmasq.c). */
#pragma once

#include "network-def.h"

typedef struct {
    char *config; /* --conf-file: read at its start */
    char *hosts;  /* --dhcp-hostsfile: static hosts; read again upon SIGHUP, as the next */
    char *names;  /* --addn-hosts: addresses and their names */
} VbDnsmasqConfig;

/* Of a definition that is valid and has a bridge. VB_ERROR_LIMITS_EXCEEDED: a line is longer than
 * dnsmasq can read; it is named. */
VbDnsmasqConfig *vb_dnsmasq_config_new(const VbNetworkDef *def, GError **error);
void vb_dnsmasq_config_free(VbDnsmasqConfig *config); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDnsmasqConfig, vb_dnsmasq_config_free)

/* Has the network anything that dnsmasq serves? Addresses, and DNS, DHCP, TFTP or router
 * advertisements on them. */
gboolean vb_dnsmasq_config_is_needed(const VbNetworkDef *def);
