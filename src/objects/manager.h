/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Manager: domains and networks are defined and found here. The object's data is the
 * VbHost. */
#pragma once

#include "interface.h"

extern const VbInterface vb_manager_interface;
