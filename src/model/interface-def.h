/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A network interface of a domain, and what of the host is behind it: plain structs as those of
 * device-def.h, which includes this. interface-xml.c reads and writes them. */
#pragma once

#include "device-address.h"
#include "ip-address.h"
#include "traffic-def.h"

/* VB_ERROR_LIMITS_EXCEEDED above these. */
#define VB_MAX_FORWARD_RANGES 1024 /* of all interfaces of a domain */
#define VB_MAX_USER_PREFIX 29      /* IPv4, with QEMU's own backend */
#define VB_MAX_USER_FORWARDS 256   /* ports of an interface with QEMU's own backend */

typedef enum {
    VB_INTERFACE_USER,     /* user-mode networking: QEMU's own (slirp), or passt */
    VB_INTERFACE_NETWORK,  /* a virtual network */
    VB_INTERFACE_BRIDGE,   /* a bridge of the host */
    VB_INTERFACE_ETHERNET, /* a tap of its own, which somebody else takes care of */
} VbInterfaceType;
VB_ENUM_DECLARE(VbInterfaceType, vb_interface_type)

typedef enum {
    VB_INTERFACE_MODEL_DEFAULT, /* only before the defaults are filled in */
    VB_INTERFACE_MODEL_VIRTIO,
    VB_INTERFACE_MODEL_E1000,
    VB_INTERFACE_MODEL_E1000E,
    VB_INTERFACE_MODEL_RTL8139,
} VbInterfaceModel;
VB_ENUM_DECLARE(VbInterfaceModel, vb_interface_model)

typedef enum {
    VB_LINK_STATE_DEFAULT, /* up */
    VB_LINK_STATE_UP,
    VB_LINK_STATE_DOWN,
} VbLinkState;
VB_ENUM_DECLARE(VbLinkState, vb_link_state)

typedef enum {
    VB_USER_BACKEND_DEFAULT, /* QEMU's own */
    VB_USER_BACKEND_PASST,
} VbUserBackend;
VB_ENUM_DECLARE(VbUserBackend, vb_user_backend)

typedef enum {
    VB_FORWARD_TCP,
    VB_FORWARD_UDP,
} VbForwardProtocol;
VB_ENUM_DECLARE(VbForwardProtocol, vb_forward_protocol)

/* <range> of a <portForward>; the ports are the host's. */
typedef struct {
    guint16 start, end; /* both belong to it */
    guint16 to;         /* the guest's port for `start`, the rest follow */
    gboolean exclude;   /* passt: these are not forwarded */
} VbForwardRange;

/* <portForward>: ports of the host that lead to the guest; user-mode networking only. */
typedef struct {
    VbForwardProtocol protocol;
    VbIpAddress address; /* of the host; VB_IP_NONE: all of its addresses */
    char *device;        /* of the host: passt only; or NULL */
    GArray *ranges;      /* of VbForwardRange; empty (passt only): all ports */
    guint line;
} VbPortForwardDef;

VbPortForwardDef *vb_port_forward_def_new(void);
VbPortForwardDef *vb_port_forward_def_copy(const VbPortForwardDef *forward);
void vb_port_forward_def_free(VbPortForwardDef *forward);

/* An <ip> of user-mode networking: the address that the guest gets. With QEMU's own backend it may
 * be that of the subnet: the guest gets any. */
typedef struct {
    VbIpAddress address; /* VB_IP_NONE: not given */
    guint prefix;        /* 0: not given */
} VbInterfaceIp;

/* Its subnet: without a prefix of 24 bits, IPv6 64. There must be an address. */
VbIpSubnet vb_interface_ip_subnet(const VbInterfaceIp *ip);

typedef struct {
    VbDeviceInfo info;
    VbInterfaceType type;
    char *mac; /* "52:54:00:xx:xx:xx", lower case; never NULL after a parse */
    VbInterfaceModel model;
    VbLinkState link_state;

    char *network;   /* network: its name */
    char *portgroup; /* network: or NULL */
    char *bridge;    /* bridge: the host's. network: the one it is plugged into; live only */
    char *target;    /* the tap's name; live always there, else one that is wished for, or NULL */
    VbTristate managed; /* ethernet: "no": the tap exists and is not ours */
    guint mtu;          /* 0: not given */
    VbBandwidthDef bandwidth;
    VbVlanDef *vlan;     /* or NULL */
    VbTristate isolated; /* <port isolated=…> */

    VbUserBackend backend; /* of user, as the next */
    VbInterfaceIp ipv4, ipv6;
    GPtrArray *port_forwards; /* of VbPortForwardDef; never NULL */
    guint line;
} VbInterfaceDef;

VbInterfaceDef *vb_interface_def_new(void);
VbInterfaceDef *vb_interface_def_copy(const VbInterfaceDef *interface);
void vb_interface_def_free(VbInterfaceDef *interface); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbInterfaceDef, vb_interface_def_free)

/* Does a tap device of the host belong to it? All types but VB_INTERFACE_USER. */
gboolean vb_interface_def_has_tap(const VbInterfaceDef *interface);
/* Is its tap made for it by somebody else? */
gboolean vb_interface_def_is_unmanaged(const VbInterfaceDef *interface);
/* Can `target` be the name of one start only ("vnet…")? Such a name is a run-time fact. */
gboolean vb_interface_def_has_live_target(const VbInterfaceDef *interface);
