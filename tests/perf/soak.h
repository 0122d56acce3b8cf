/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The soak: random work on virtbus for a while, and then what it has left behind. */
#pragma once

#include "stack.h"

/* On a stack that runs without domains; it runs afterwards, without any. The same seed gives the
 * same order of work. An error where none belongs, a job without exactly one end, and whatever has
 * leaked end the program. */
void perf_soak(PerfStack *stack, double minutes, guint32 seed);
