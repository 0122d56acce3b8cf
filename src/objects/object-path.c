/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A path element may not contain '-': a UUID's become '_'. */
#include "object-path.h"

char *vb_domain_path(const VbDomain *domain)
{
    char *path = g_strconcat(VB_DOMAIN_PATH_PREFIX "/", vb_domain_info(domain)->uuid, NULL);

    return g_strdelimit(path, "-", '_');
}

char *vb_job_path(const VbJob *job)
{
    return g_strdup_printf(VB_JOB_PATH_PREFIX "/%u", vb_job_info(job)->number);
}
