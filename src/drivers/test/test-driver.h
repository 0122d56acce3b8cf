/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test driver: <domain type='test'>. Nothing is virtualized: states change and block jobs
 * advance in memory, as the domain's <metadata> orders (docs/test-driver.md). Its domains survive a
 * restart of the daemon. main.c makes one and gives it to the host; all else goes through driver.h.
 */
#pragma once

#include "driver.h"

extern const VbDriver vb_test_driver;

/* `self` of the driver's operations. */
gpointer vb_test_driver_new(VbHost *host);
void vb_test_driver_free(gpointer self);
