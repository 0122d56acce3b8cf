/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbInterfaceDef: its words and its life. */
#include "interface-def.h"

static const char *const interface_types[] = {
    [VB_INTERFACE_USER] = "user",
    [VB_INTERFACE_NETWORK] = "network",
    [VB_INTERFACE_BRIDGE] = "bridge",
    [VB_INTERFACE_ETHERNET] = "ethernet",
};
VB_ENUM_DEFINE(VbInterfaceType, vb_interface_type, interface_types)

static const char *const user_backends[] = {
    [VB_USER_BACKEND_DEFAULT] = "default",
    [VB_USER_BACKEND_PASST] = "passt",
};
VB_ENUM_DEFINE(VbUserBackend, vb_user_backend, user_backends)

static const char *const forward_protocols[] = {
    [VB_FORWARD_TCP] = "tcp",
    [VB_FORWARD_UDP] = "udp",
};
VB_ENUM_DEFINE(VbForwardProtocol, vb_forward_protocol, forward_protocols)

static const char *const interface_models[] = {
    [VB_INTERFACE_MODEL_VIRTIO] = "virtio",
    [VB_INTERFACE_MODEL_E1000] = "e1000",
    [VB_INTERFACE_MODEL_E1000E] = "e1000e",
    [VB_INTERFACE_MODEL_RTL8139] = "rtl8139",
};
VB_ENUM_DEFINE(VbInterfaceModel, vb_interface_model, interface_models)

static const char *const link_states[] = {
    [VB_LINK_STATE_UP] = "up",
    [VB_LINK_STATE_DOWN] = "down",
};
VB_ENUM_DEFINE(VbLinkState, vb_link_state, link_states)

VbPortForwardDef *vb_port_forward_def_new(void)
{
    VbPortForwardDef *forward = g_new0(VbPortForwardDef, 1);

    forward->ranges = g_array_new(FALSE, FALSE, sizeof(VbForwardRange));
    return forward;
}

VbPortForwardDef *vb_port_forward_def_copy(const VbPortForwardDef *forward)
{
    VbPortForwardDef *copy = g_new(VbPortForwardDef, 1);

    *copy = *forward;
    copy->device = g_strdup(forward->device);
    copy->ranges = g_array_copy(forward->ranges);
    copy->line = 0;
    return copy;
}

void vb_port_forward_def_free(VbPortForwardDef *forward)
{
    g_free(forward->device);
    g_array_unref(forward->ranges);
    g_free(forward);
}

VbInterfaceDef *vb_interface_def_new(void)
{
    VbInterfaceDef *interface = g_new0(VbInterfaceDef, 1);

    interface->port_forwards =
        g_ptr_array_new_with_free_func((GDestroyNotify)vb_port_forward_def_free);
    return interface;
}

VbInterfaceDef *vb_interface_def_copy(const VbInterfaceDef *interface)
{
    VbInterfaceDef *copy = g_memdup2(interface, sizeof *interface);

    vb_device_info_copy(&copy->info, &interface->info);
    copy->mac = g_strdup(interface->mac);
    copy->network = g_strdup(interface->network);
    copy->portgroup = g_strdup(interface->portgroup);
    copy->bridge = g_strdup(interface->bridge);
    copy->target = g_strdup(interface->target);
    copy->vlan = vb_vlan_def_copy(interface->vlan);
    copy->port_forwards = g_ptr_array_new_with_free_func((GDestroyNotify)vb_port_forward_def_free);
    for (guint i = 0; i < interface->port_forwards->len; i++)
        g_ptr_array_add(copy->port_forwards,
                        vb_port_forward_def_copy(interface->port_forwards->pdata[i]));
    copy->line = 0;
    return copy;
}

void vb_interface_def_free(VbInterfaceDef *interface)
{
    if (!interface)
        return;
    vb_device_info_clear(&interface->info);
    g_free(interface->mac);
    g_free(interface->network);
    g_free(interface->portgroup);
    g_free(interface->bridge);
    g_free(interface->target);
    vb_vlan_def_free(interface->vlan);
    g_ptr_array_unref(interface->port_forwards);
    g_free(interface);
}

VbIpSubnet vb_interface_ip_subnet(const VbInterfaceIp *ip)
{
    guint usual = ip->address.family == VB_IPV4 ? 24 : 64;

    return vb_ip_subnet(&ip->address, ip->prefix ? ip->prefix : usual);
}

gboolean vb_interface_def_has_tap(const VbInterfaceDef *interface)
{
    return interface->type != VB_INTERFACE_USER;
}

gboolean vb_interface_def_is_unmanaged(const VbInterfaceDef *interface)
{
    return interface->type == VB_INTERFACE_ETHERNET && interface->managed == VB_TRISTATE_NO;
}

gboolean vb_interface_def_has_live_target(const VbInterfaceDef *interface)
{
    return interface->target && g_str_has_prefix(interface->target, "vnet") &&
           !vb_interface_def_is_unmanaged(interface);
}
