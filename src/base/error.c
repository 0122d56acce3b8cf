/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the error domain's quark. */
#include "error.h"

GQuark vb_error_quark(void)
{
    return g_quark_from_static_string("vb-error-quark");
}
