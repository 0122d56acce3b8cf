/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a virtual network is: the whole definition as plain structs, refcounted at the top. XML in
 * and out is libvirt's network format; no function here does I/O.
 *
 * Strings that reach the configuration of the DHCP and name server are such that a line can hold
 * them as they are: host and domain names (dns-name.h), identifiers in hexadecimal, and three free
 * texts (`tftp_root`, `bootp_file`, the value of a TXT record), which have no control characters,
 * no quotes and no backslashes and at most VB_NETWORK_MAX_TEXT bytes, so that no line passes the
 * 1,024 bytes behind which dnsmasq begins a new one. The texts of paths have no ',' and no '#'
 * either; a TXT value has to be quoted: each of its strings, which commas separate. */
#pragma once

#include "domain-def.h"
#include "ip-address.h"
#include "traffic-def.h"

/* VB_ERROR_LIMITS_EXCEEDED above these. */
#define VB_NETWORK_MAX_IPS 64
#define VB_NETWORK_MAX_RANGES 64    /* of one <ip> */
#define VB_NETWORK_MAX_HOSTS 1024   /* static hosts of one <ip> */
#define VB_NETWORK_MAX_RECORDS 1024 /* of each kind of DNS record */
#define VB_NETWORK_MAX_HOSTNAMES 64 /* of one address */
#define VB_NETWORK_MAX_ROUTES 256
#define VB_NETWORK_MAX_PORTGROUPS 256
#define VB_NETWORK_MAX_FORWARD_DEVS 64
#define VB_NETWORK_MAX_TEXT 512 /* bytes */

/* --- <forward> --- */

typedef enum {
    VB_FORWARD_NONE, /* no <forward>: guests and host only */
    VB_FORWARD_NAT,
    VB_FORWARD_ROUTE,
    VB_FORWARD_OPEN,   /* routed, and no firewall rules of ours */
    VB_FORWARD_BRIDGE, /* an existing bridge, which is not ours */
} VbForwardMode;
VB_ENUM_DECLARE(VbForwardMode, vb_forward_mode)

typedef struct {
    VbForwardMode mode;
    GPtrArray *devs;         /* of char *: forwarded through these only; empty: through any.
                              * nat and route */
    VbTristate nat_ipv6;     /* nat: IPv6 too, which is routed otherwise */
    VbIpRange nat_addresses; /* nat, IPv4: the source addresses; none: those of the devices */
    guint nat_port_start;    /* nat: the source ports; 0: any */
    guint nat_port_end;
    guint line;
} VbForwardDef;

/* --- <ip> --- */

#define VB_LEASE_DEFAULT 0u           /* not given */
#define VB_LEASE_INFINITE G_MAXUINT32 /* expiry='0' */

typedef struct {
    VbIpRange range;
    guint lease; /* seconds, at least 120; or one of the above */
    guint line;  /* in the document that was parsed, for messages, as in all structs here; 0: not
                  * from a document. Copies have none. */
} VbDhcpRangeDef;

/* IPv4: has a mac or a name; IPv6: an id or a name. */
typedef struct {
    char *mac;  /* lower case */
    char *id;   /* a DUID: bytes in hexadecimal with colons, lower case */
    char *name; /* as vb_is_dhcp_name() has it */
    VbIpAddress ip;
    guint lease;
    guint line;
} VbDhcpHostDef;

typedef struct {
    VbIpAddress address; /* of the bridge */
    guint prefix;
    VbTristate local_ptr; /* reverse requests for the subnet go no further */
    char *tftp_root;      /* IPv4: absolute */
    gboolean dhcp;        /* there is a <dhcp>, maybe an empty one */
    GPtrArray *ranges;    /* of VbDhcpRangeDef */
    GPtrArray *hosts;     /* of VbDhcpHostDef */
    char *bootp_file;     /* IPv4 */
    char *bootp_server;   /* IPv4: a name or an address; NULL: the bridge's address */
    guint line;
} VbNetworkIpDef;

typedef struct {
    VbIpSubnet destination;
    VbIpAddress gateway; /* in the subnet of an <ip> */
    guint metric;        /* 0: not given */
    guint line;
} VbRouteDef;

/* --- <dns> --- */

typedef struct {
    VbIpAddress address; /* VB_IP_NONE: the usual servers */
    char *domain;        /* NULL: all domains. One of both is given. */
    guint line;
} VbDnsForwarderDef;

typedef struct {
    char *name;
    char *value; /* strings with commas between them */
    guint line;
} VbDnsTxtDef;

typedef struct {
    char *service;  /* without the underscore, as the next */
    char *protocol; /* tcp, udp */
    char *domain;   /* NULL: the network's */
    char *target;   /* a name; "." or NULL: there is no such service here */
    guint port;     /* 0: not given, as the next two; all three need a target */
    guint priority;
    guint weight;
    guint line;
} VbDnsSrvDef;

typedef struct {
    VbIpAddress ip;
    GPtrArray *hostnames; /* of char *: at least one */
    guint line;
} VbDnsHostDef;

typedef struct {
    VbTristate enable;
    VbTristate forward_plain_names;
    GPtrArray *forwarders; /* of VbDnsForwarderDef */
    GPtrArray *txts;       /* of VbDnsTxtDef */
    GPtrArray *srvs;       /* of VbDnsSrvDef */
    GPtrArray *hosts;      /* of VbDnsHostDef */
    guint line;
} VbNetworkDnsDef;

/* --- the network --- */

typedef struct {
    char *name;
    gboolean is_default;      /* for interfaces that name no group */
    VbBandwidthDef bandwidth; /* of each guest */
    VbVlanDef *vlan;          /* or NULL */
    guint line;
} VbPortgroupDef;

typedef struct {
    char *name; /* as vb_definition_is_name() has it */
    char *uuid; /* 36 characters, lower case */
    char *title;
    char *description;
    char *metadata_xml; /* the <metadata> element in canonical XML; or NULL */
    guint connections;  /* interfaces that are plugged in: a run-time fact */
    VbTristate ipv6;    /* guests may speak IPv6 to each other though no <ip> is of IPv6 */

    VbForwardDef forward;
    char *bridge; /* at most 15 bytes; NULL: the driver chooses one when it defines the network */
    gboolean stp; /* as the next two: not for mode bridge */
    guint delay;  /* seconds, 0..30 */
    char *mac;    /* of the bridge, lower case; not NULL after a parse (but for mode bridge) */
    guint mtu;    /* 0: the usual one */
    char *domain; /* DNS */
    VbTristate domain_local_only;
    VbNetworkDnsDef dns;
    VbVlanDef *vlan;          /* or NULL: of each guest whose portgroup has none */
    VbBandwidthDef bandwidth; /* of all guests together; no floor */
    VbTristate port_isolated;
    GPtrArray *ips;        /* of VbNetworkIpDef; their subnets do not overlap */
    GPtrArray *routes;     /* of VbRouteDef */
    GPtrArray *portgroups; /* of VbPortgroupDef */
} VbNetworkDef;

/* An empty definition with its arrays made; one reference. */
VbNetworkDef *vb_network_def_new(void);
VbNetworkDef *vb_network_def_ref(VbNetworkDef *def);
void vb_network_def_unref(VbNetworkDef *def); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbNetworkDef, vb_network_def_unref)
/* A deep copy, run-time facts included, lines not; one reference. */
VbNetworkDef *vb_network_def_copy(const VbNetworkDef *def);

/* Parses a `<network>` document of `len` bytes (-1: NUL-terminated), fills in the defaults (a
 * random UUID, the bridge's MAC address) and validates it. Errors: VB_ERROR_INVALID_XML (names
 * element and line), VB_ERROR_NOT_SUPPORTED (an element, an attribute or a value of libvirt's
 * format that virtbus does not do), VB_ERROR_LIMITS_EXCEEDED. */
VbNetworkDef *vb_network_def_parse(const char *xml, gssize len, VbXmlFlags flags, GError **error);

/* The document, ending in a newline. What it says, vb_network_def_parse() reads back.
 * VB_FORMAT_LIVE: with the number of connections. */
char *vb_network_def_format(const VbNetworkDef *def, VbFormatFlags flags);

/* The rules between the parts. Parsing calls it; call it again after editing a definition.
 * Errors: as vb_network_def_parse(). */
gboolean vb_network_def_validate(const VbNetworkDef *def, GError **error);

/* Is the bridge made and unmade by us? All modes but VB_FORWARD_BRIDGE. */
gboolean vb_network_def_owns_bridge(const VbNetworkDef *def);
/* At most 15 bytes that can be the name of a network device: letters, digits, '_', '.' and '-'. */
gboolean vb_is_device_name(const char *name);

/* Of that name; or with NULL the default one. NULL when there is none. Owned by `def`. */
const VbPortgroupDef *vb_network_def_find_portgroup(const VbNetworkDef *def, const char *name);

VbIpSubnet vb_network_ip_def_subnet(const VbNetworkIpDef *ip);
/* The subnets of all <ip>: an array of VbIpSubnet. (transfer full) */
GArray *vb_network_def_subnets(const VbNetworkDef *def);
/* The first <ip> whose subnet overlaps this one (a host's route, say), or NULL. Owned by `def`.
 * A default route overlaps everything: leave those with a prefix of 0 out. */
const VbNetworkIpDef *vb_network_def_find_overlap(const VbNetworkDef *def,
                                                  const VbIpSubnet *subnet);
/* Do subnets of the two overlap? FALSE, or TRUE with the two (may be NULL). */
gboolean vb_network_def_overlaps(const VbNetworkDef *a, const VbNetworkDef *b, VbIpSubnet *ret_of_a,
                                 VbIpSubnet *ret_of_b);

typedef gboolean (*VbSubnetFunc)(const VbIpSubnet *subnet, gpointer data);

/* The network that is offered to who has none: "default", bridge virtbus0, NAT, DHCP, in the first
 * of 192.168.130.0/24 … 192.168.254.0/24 and 10.130.0.0/24 … 10.254.0.0/24 that is free.
 * Errors: VB_ERROR_FAILED: none is. */
VbNetworkDef *vb_network_def_new_default(VbSubnetFunc is_free, gpointer data, GError **error);

/* --- changes of parts --- */

typedef enum {
    VB_NETWORK_SECTION_IP_DHCP_HOST,
    VB_NETWORK_SECTION_IP_DHCP_RANGE,
    VB_NETWORK_SECTION_FORWARD_INTERFACE,
    VB_NETWORK_SECTION_PORTGROUP,
    VB_NETWORK_SECTION_DNS_HOST,
    VB_NETWORK_SECTION_DNS_TXT,
    VB_NETWORK_SECTION_DNS_SRV,
    VB_N_NETWORK_SECTIONS,
} VbNetworkSection;
VB_ENUM_DECLARE(VbNetworkSection, vb_network_section) /* "ip-dhcp-host" and so on */

typedef enum {
    VB_NETWORK_UPDATE_ADD_FIRST,
    VB_NETWORK_UPDATE_ADD_LAST,
    VB_NETWORK_UPDATE_MODIFY,
    VB_NETWORK_UPDATE_DELETE,
    VB_N_NETWORK_UPDATES,
} VbNetworkUpdate;
VB_ENUM_DECLARE(VbNetworkUpdate, vb_network_update) /* "add-first", "add-last", … */

/* The definition with one element added, replaced or taken away; `def` stays as it is.
 *
 * `xml` is the element (<host>, <range>, <interface>, <portgroup>, <txt>, <srv>). `parent` says
 * which <ip> a section of DHCP means, counted from 0; -1: the one that has a <dhcp>, or the one of
 * the element's family when there is only one. Modify replaces the element that has the same key: a
 * static host its mac or id (or else its name), a range both ends, a portgroup and a TXT record the
 * name, a SRV record service, protocol and domain, a DNS host the address. Delete takes the one
 * element away that agrees with all that `xml` says (of a portgroup the name, of a DNS host the
 * address, and names that it has). Errors: VB_ERROR_INVALID_XML, VB_ERROR_LIMITS_EXCEEDED as a
 * parse; VB_ERROR_INVALID_ARGS: no such <ip>, no such element or several; VB_ERROR_NOT_SUPPORTED:
 * modify of a forward interface. */
VbNetworkDef *vb_network_def_update(const VbNetworkDef *def, VbNetworkSection section,
                                    VbNetworkUpdate command, int parent, const char *xml,
                                    GError **error);

/* --- structs --- */

VbDhcpRangeDef *vb_dhcp_range_def_copy(const VbDhcpRangeDef *range);
void vb_dhcp_range_def_free(VbDhcpRangeDef *range);
VbDhcpHostDef *vb_dhcp_host_def_copy(const VbDhcpHostDef *host);
void vb_dhcp_host_def_free(VbDhcpHostDef *host);
VbNetworkIpDef *vb_network_ip_def_new(void);
VbNetworkIpDef *vb_network_ip_def_copy(const VbNetworkIpDef *ip);
void vb_network_ip_def_free(VbNetworkIpDef *ip);
VbRouteDef *vb_route_def_copy(const VbRouteDef *route);
void vb_route_def_free(VbRouteDef *route);
VbDnsForwarderDef *vb_dns_forwarder_def_copy(const VbDnsForwarderDef *forwarder);
void vb_dns_forwarder_def_free(VbDnsForwarderDef *forwarder);
VbDnsTxtDef *vb_dns_txt_def_copy(const VbDnsTxtDef *txt);
void vb_dns_txt_def_free(VbDnsTxtDef *txt);
VbDnsSrvDef *vb_dns_srv_def_copy(const VbDnsSrvDef *srv);
void vb_dns_srv_def_free(VbDnsSrvDef *srv);
VbDnsHostDef *vb_dns_host_def_new(void);
VbDnsHostDef *vb_dns_host_def_copy(const VbDnsHostDef *host);
void vb_dns_host_def_free(VbDnsHostDef *host);
VbPortgroupDef *vb_portgroup_def_copy(const VbPortgroupDef *portgroup);
void vb_portgroup_def_free(VbPortgroupDef *portgroup);
