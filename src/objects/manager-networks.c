/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See manager-networks.h. */
#include "manager-networks.h"

#include "host-access.h"
#include "manager-call.h"
#include "network.h"
#include "object-path.h"

/* ---- defining ---------------------------------------------------------------------------------
 */

gboolean vb_manager_prepare_network(VbCall *call, gpointer data, GError **error)
{
    VbDetails *details = vb_call_details(call);
    VbNetworkDef *def = vb_host_access_read_network(call, data, error);

    if (def == NULL)
        return FALSE;
    vb_call_set_argument(call, def, (GDestroyNotify)vb_network_def_unref);
    vb_details_set(details, "network_name", def->name);
    vb_details_set(details, "network_uuid", def->uuid);
    return TRUE;
}

static char *finish_define(VbHost *host, GAsyncResult *result, GError **error)
{
    g_autoptr(VbNetwork) network = vb_host_define_network_finish(host, result, error);

    return network != NULL ? vb_network_path(network) : NULL;
}

void vb_manager_define_network(VbCall *call, gpointer data)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_host_define_network_async(data, vb_call_steal_argument(call), vb_manager_answer,
                                     vb_manager_wait(call, data, finish_define));
}

static char *finish_create(VbHost *host, GAsyncResult *result, GError **error)
{
    g_autoptr(VbNetwork) network = vb_host_create_network_finish(host, result, error);

    return network != NULL ? vb_network_path(network) : NULL;
}

void vb_manager_create_network(VbCall *call, gpointer data)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_host_create_network_async(data, vb_call_steal_argument(call), vb_manager_answer,
                                     vb_manager_wait(call, data, finish_create));
}

static char *finish_default(VbHost *host, GAsyncResult *result, GError **error)
{
    g_autoptr(VbNetworkDef) def = vb_host_default_network_finish(host, result, error);

    return def != NULL ? vb_network_def_format(def, VB_FORMAT_NONE) : NULL;
}

void vb_manager_get_default_network_xml(VbCall *call, gpointer data)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_host_default_network_async(data, vb_manager_answer,
                                      vb_manager_wait(call, data, finish_default));
}

/* ---- finding ----------------------------------------------------------------------------------
 */

static gpointer network_by_name(VbHost *host, const char *name)
{
    return vb_host_network_by_name(host, name);
}

static gpointer network_by_uuid(VbHost *host, const char *uuid)
{
    return vb_host_network_by_uuid(host, uuid);
}

static gboolean network_is_active(gconstpointer network)
{
    return vb_network_info(network)->active;
}

static gboolean network_is_persistent(gconstpointer network)
{
    return vb_network_info(network)->persistent;
}

static char *network_path(gconstpointer network)
{
    return vb_network_path(network);
}

static const VbManagerKind networks = {
    "network",        VB_ERROR_NO_NETWORK, network_by_name,       network_by_uuid,
    vb_host_networks, network_is_active,   network_is_persistent, network_path};

void vb_manager_get_network_by_name(VbCall *call, gpointer data)
{
    vb_manager_get_by_name(call, data, &networks);
}

void vb_manager_get_network_by_uuid(VbCall *call, gpointer data)
{
    vb_manager_get_by_uuid(call, data, &networks);
}

void vb_manager_list_networks(VbCall *call, gpointer data)
{
    vb_manager_list(call, data, &networks);
}

/* ---- mending ----------------------------------------------------------------------------------
 */

static char *finish_reload(VbHost *host, GAsyncResult *result, GError **error)
{
    return vb_host_reload_networks_finish(host, result, error) ? g_strdup("") : NULL;
}

void vb_manager_reload(VbCall *call, gpointer data)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_host_reload_networks_async(data, vb_manager_answer,
                                      vb_manager_wait(call, data, finish_reload));
}
