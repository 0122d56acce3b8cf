/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbPortSpec and VbPort: what is asked of a network driver for one interface of a domain, and
 * what it answers. See network-driver.h. */
#include "network-driver.h"

#include <unistd.h>

VbPortSpec *vb_port_spec_new(void)
{
    return g_new0(VbPortSpec, 1);
}

VbPortSpec *vb_port_spec_copy(const VbPortSpec *spec)
{
    VbPortSpec *copy = g_memdup2(spec, sizeof *spec);

    copy->name = g_strdup(spec->name);
    copy->bridge = g_strdup(spec->bridge);
    copy->mac = g_strdup(spec->mac);
    copy->vlan = vb_vlan_def_copy(spec->vlan);
    return copy;
}

void vb_port_spec_free(VbPortSpec *spec)
{
    if (!spec)
        return;
    g_free(spec->name);
    g_free(spec->bridge);
    g_free(spec->mac);
    vb_vlan_def_free(spec->vlan);
    g_free(spec);
}

void vb_port_free(VbPort *port)
{
    if (!port)
        return;
    if (port->fd >= 0)
        close(port->fd);
    g_free(port->name);
    g_free(port);
}
