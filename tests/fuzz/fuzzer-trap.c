/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Linked into a libFuzzer target: GLib ends a program that made a mistake with SIGTRAP, which
 * libFuzzer does not know; as an abort it keeps the input. */
#include <signal.h>
#include <stdlib.h>

static void on_trap(int signal_number)
{
    abort();
}

__attribute__((constructor)) static void turn_traps_into_aborts(void)
{
    signal(SIGTRAP, on_trap);
}
