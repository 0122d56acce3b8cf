/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The object paths of domains, networks and jobs. Free them with g_free(). */
#pragma once

#include "job.h"
#include "network.h"

#define VB_MANAGER_PATH "/org/virtbus1/manager"
#define VB_DOMAIN_PATH_PREFIX "/org/virtbus1/domain"
#define VB_JOB_PATH_PREFIX "/org/virtbus1/job"
#define VB_NETWORK_PATH_PREFIX "/org/virtbus1/network"

char *vb_domain_path(const VbDomain *domain);
char *vb_job_path(const VbJob *job);
char *vb_network_path(const VbNetwork *network);
