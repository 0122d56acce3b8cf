/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The methods of org.virtbus1.Manager that are about virtual networks; manager.c has the table. The
 * data is the VbHost. */
#pragma once

#include "interface.h"

/* Of DefineNetwork and CreateNetwork. */
gboolean vb_manager_prepare_network(VbCall *call, gpointer data, GError **error);

void vb_manager_define_network(VbCall *call, gpointer data);
void vb_manager_create_network(VbCall *call, gpointer data);
void vb_manager_get_network_by_name(VbCall *call, gpointer data);
void vb_manager_get_network_by_uuid(VbCall *call, gpointer data);
void vb_manager_list_networks(VbCall *call, gpointer data);
void vb_manager_get_default_network_xml(VbCall *call, gpointer data);
void vb_manager_reload(VbCall *call, gpointer data);
