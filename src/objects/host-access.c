/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See host-access.h. What needs it is said by src/model/host-resource.c. */
#include "host-access.h"

#include "actions.h"

void vb_host_access_require(VbCall *call, VbHost *host, const char *action,
                            const GPtrArray *resources)
{
    const char *const *directories = vb_host_image_directories(host);

    for (guint i = 0; i < resources->len; i++) {
        const VbHostResource *resource = resources->pdata[i];

        if (vb_host_resource_needs_access(resource, directories)) {
            VbDetails *details = vb_details_new();

            vb_details_set(details, "path", resource->path);
            vb_details_set(details, "use", vb_host_use_to_string(resource->use));
            vb_call_require(call, action, details);
        }
    }
}

/* The variable store that the driver made for this very domain, which its XML has to name again. */
static void remove_own_store(GPtrArray *resources, VbHost *host, const VbDomainDef *def)
{
    g_autofree char *store = vb_paths_nvram(vb_host_paths(host), def->uuid);

    for (guint i = resources->len; i > 0; i--) {
        const VbHostResource *resource = resources->pdata[i - 1];

        if (resource->use == VB_HOST_NVRAM && g_str_equal(resource->path, store))
            g_ptr_array_remove_index(resources, i - 1);
    }
}

VbDomainDef *vb_host_access_read_domain(VbCall *call, VbHost *host, GError **error)
{
    g_autoptr(VbDomainDef) def = NULL;
    g_autoptr(GPtrArray) resources = NULL;
    const char *xml;

    if (!vb_call_read(call, error, "s", &xml) ||
        (def = vb_domain_def_parse(xml, -1, VB_XML_NONE, error)) == NULL)
        return NULL;
    resources = vb_domain_def_host_resources(def);
    remove_own_store(resources, host, def);
    vb_host_access_require(call, host, VB_ACTION_DOMAIN_HOST_ACCESS, resources);
    return g_steal_pointer(&def);
}

VbNetworkDef *vb_host_access_read_network(VbCall *call, VbHost *host, GError **error)
{
    g_autoptr(VbNetworkDef) def = NULL;
    g_autoptr(GPtrArray) resources = NULL;
    const char *xml;

    if (!vb_call_read(call, error, "s", &xml) ||
        (def = vb_network_def_parse(xml, -1, VB_XML_NONE, error)) == NULL)
        return NULL;
    resources = vb_network_def_host_resources(def);
    vb_host_access_require(call, host, VB_ACTION_NETWORK_HOST_ACCESS, resources);
    return g_steal_pointer(&def);
}
