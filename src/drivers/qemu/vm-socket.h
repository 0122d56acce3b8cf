/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The monitor's socket in a domain's run-time directory. The daemon makes it and QEMU inherits it
 * listening: so a connection can be made at once, before QEMU is ready, without asking again and
 * again; and a restarted daemon finds it by its name. */
#pragma once

#include <glib.h>

/* Makes the listening socket, in the place of one that is there. -1 on an error. */
int vb_qemu_socket_listen(const char *run_dir, GError **error);
/* Connects to it, never waiting: VB_ERROR_TIMEOUT when there is nobody or its queue is full. */
int vb_qemu_socket_connect(const char *run_dir, GError **error);
