/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A path element may not contain '-': a UUID's become '_'. */
#include "object-path.h"

static char *path_of_uuid(const char *prefix, const char *uuid)
{
    return g_strdelimit(g_strconcat(prefix, "/", uuid, NULL), "-", '_');
}

char *vb_domain_path(const VbDomain *domain)
{
    return path_of_uuid(VB_DOMAIN_PATH_PREFIX, vb_domain_info(domain)->uuid);
}

char *vb_job_path(const VbJob *job)
{
    return g_strdup_printf(VB_JOB_PATH_PREFIX "/%u", vb_job_info(job)->number);
}

char *vb_network_path(const VbNetwork *network)
{
    return path_of_uuid(VB_NETWORK_PATH_PREFIX, vb_network_info(network)->uuid);
}
