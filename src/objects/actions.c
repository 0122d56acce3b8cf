/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of actions. */
#include "actions.h"

static const char *const actions[] = {
    VB_ACTION_DOMAIN_OPERATE,      VB_ACTION_DOMAIN_MANAGE,       VB_ACTION_DOMAIN_HOST_ACCESS,
    VB_ACTION_DOMAIN_READ_XML,     VB_ACTION_DOMAIN_READ_SECRETS, VB_ACTION_DOMAIN_BLOCK_JOB,
    VB_ACTION_JOB_CONTROL,         VB_ACTION_NETWORK_OPERATE,     VB_ACTION_NETWORK_MANAGE,
    VB_ACTION_NETWORK_HOST_ACCESS, VB_ACTION_NETWORK_READ_XML,    NULL};

gboolean vb_is_action(const char *id)
{
    return g_strv_contains(actions, id);
}

const char *const *vb_actions(void)
{
    return actions;
}
