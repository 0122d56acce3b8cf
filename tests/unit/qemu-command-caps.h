/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The capabilities of a made-up QEMU 7.2 that has every device that we can ask for. */
#pragma once

#include "caps.h"

VbQemuCaps *test_caps_new(void);
/* The same without this device, machine or CPU model; `version` 0 for 7.2. */
VbQemuCaps *test_caps_new_without(const char *what, guint version);
