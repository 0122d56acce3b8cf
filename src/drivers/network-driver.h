/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The contract between what a virtual network is on the bus and what makes it: bridges, addresses,
 * firewall, DHCP and DNS, and the ports that domains get on it. As in driver.h, each operation that
 * can wait is given a GTask that the driver owns from then on: it returns exactly one result on it,
 * never before the operation returned. Operations on one network come one at a time; what is given
 * to an operation is the caller's and has to be copied, but for the VbNetwork, which stays until
 * the task has returned. */
#pragma once

#include <gio/gio.h>

#include "network-def.h"

typedef struct VbNetwork VbNetwork;

/* What a domain's interface is to be plugged into, and how. */
typedef struct {
    char *name;        /* of the tap; NULL: the driver chooses one ("vnet%d") */
    gboolean existing; /* the device is somebody else's: it is opened, and never removed */
    char *bridge;      /* NULL: none */
    char *mac;         /* the guest's */
    guint mtu;         /* 0: the bridge's */
    VbBandwidthDef bandwidth;
    VbVlanDef *vlan; /* or NULL */
    gboolean isolated;
} VbPortSpec;

VbPortSpec *vb_port_spec_new(void);
VbPortSpec *vb_port_spec_copy(const VbPortSpec *spec);
void vb_port_spec_free(VbPortSpec *spec); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbPortSpec, vb_port_spec_free)

/* An open tap. It goes with the last descriptor of it. */
typedef struct {
    char *name;
    int fd; /* close-on-exec, with IFF_VNET_HDR; to be taken (and set to -1), or closed with it */
} VbPort;

void vb_port_free(VbPort *port); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbPort, vb_port_free)

typedef struct {
    const char *name; /* for messages: "bridge" */

    /* Chooses what the definition leaves open (the bridge's name, which no other definition has;
     * `others` are those, of const VbNetworkDef *) and refuses what cannot be done on this host.
     * May edit `def`, which is the driver's until it returns. Returns a boolean. */
    void (*prepare)(gpointer self, VbNetworkDef *def, const GPtrArray *others, GTask *task);

    /* A definition that is free now, for who has none: no route of the host and none of `others` in
     * its way. Returns a VbNetworkDef (transfer full). */
    void (*find_default)(gpointer self, const GPtrArray *others, GTask *task);

    /* Makes the network of vb_network_def(), all or nothing. Collisions with the host are errors
     * that name what is in the way. Returns a boolean. */
    void (*start)(gpointer self, VbNetwork *network, GTask *task);
    /* Unmakes it. What is not there any more is no error. Returns a boolean; after an error, too,
     * the network is not active. */
    void (*stop)(gpointer self, VbNetwork *network, GTask *task);
    /* The live definition is about to become `def`, which differs by one vb_network_def_update():
     * makes it so, or returns an error and leaves all as it is. Returns a boolean. One that was
     * made may be taken back the same way: vb_network_def() is what is live, `def` what was before.
     */
    void (*update)(gpointer self, VbNetwork *network, const VbNetworkDef *def, GTask *task);

    /* Adds what reconnect needs to the active network's record, in the group of the driver's name.
     */
    void (*save)(gpointer self, VbNetwork *network, GKeyFile *record);
    /* The cancellables of the next two are cancelled when the daemon goes on without an answer; the
     * network keeps its slot until there is one.
     *
     * After a restart of the daemon: finds the active network again, and mends what is missing of
     * it (its name server, firewall). Returns a boolean; VB_ERROR_NETWORK_NOT_RUNNING: it is gone,
     * and what was left of it is removed. */
    void (*reconnect)(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task);
    /* After a restart of the daemon that interrupted a start or a stop: removes all that there is
     * of it. The network is not active. Returns a boolean. */
    void (*clean)(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task);

    /* Makes again what others may have removed: the firewall, forwarding, a name server that is
     * missing. Returns a boolean. */
    void (*reload)(gpointer self, GTask *task);

    /* Ports. port_open returns a VbPort (transfer full); port_plug, for a tap that QEMU has already
     * (spec->name is set), puts it into the bridge as the spec says, again, and returns a boolean;
     * port_close removes what is left once QEMU has closed its descriptor, and need not be waited
     * for. */
    void (*port_open)(gpointer self, const VbPortSpec *spec, GTask *task);
    void (*port_plug)(gpointer self, const VbPortSpec *spec, GTask *task);
    void (*port_close)(gpointer self, const VbPortSpec *spec);
} VbNetworkDriver;
