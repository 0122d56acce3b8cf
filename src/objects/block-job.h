/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.BlockJob: what a job has beside org.virtbus1.Job when it works on a disk. The
 * object's data is the VbJob. */
#pragma once

#include "interface.h"

extern const VbInterface vb_block_job_interface;
