/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the error domain's quark. */
#include "error.h"

G_DEFINE_QUARK(vb-error-quark, vb_error)
