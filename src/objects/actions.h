/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The actions that an administrator allows or denies: grained by what a prompt says and by how
 * dangerous they are, not one for each method. Each is in data/polkit/org.virtbus1.policy and in
 * the table of docs/authorization.md; a test compares all three. */
#pragma once

#include <glib.h>

#define VB_ACTION_DOMAIN_OPERATE "org.virtbus1.domain.operate"
#define VB_ACTION_DOMAIN_MANAGE "org.virtbus1.domain.manage"
#define VB_ACTION_DOMAIN_HOST_ACCESS "org.virtbus1.domain.host-access"
#define VB_ACTION_DOMAIN_READ_XML "org.virtbus1.domain.read-xml"
#define VB_ACTION_DOMAIN_READ_SECRETS "org.virtbus1.domain.read-secrets"
#define VB_ACTION_DOMAIN_BLOCK_JOB "org.virtbus1.domain.block-job"
#define VB_ACTION_JOB_CONTROL "org.virtbus1.job.control"
#define VB_ACTION_NETWORK_OPERATE "org.virtbus1.network.operate"
#define VB_ACTION_NETWORK_MANAGE "org.virtbus1.network.manage"
#define VB_ACTION_NETWORK_HOST_ACCESS "org.virtbus1.network.host-access"
#define VB_ACTION_NETWORK_READ_XML "org.virtbus1.network.read-xml"

/* Is it one of these? */
gboolean vb_is_action(const char *id);
/* All of them, NULL-terminated. */
const char *const *vb_actions(void);
