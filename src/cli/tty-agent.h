/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbTtyAgent: polkit's own text agent (pkttyagent) on our terminal, for the time of one command, so
 * that a person can be asked for a password where no desktop would ask. Started by connection.c
 * when a call was refused for want of a person. */
#pragma once

#include <gio/gio.h>

typedef struct VbTtyAgent VbTtyAgent;

/* Returns when the agent is registered for this process, which a desktop's agent comes before.
 * address: of the bus that polkit is on; NULL: the system bus. NULL where there is no terminal or
 * no pkttyagent: then only a desktop's agent can ask. */
VbTtyAgent *vb_tty_agent_start(const char *address);
/* Accepts NULL. */
void vb_tty_agent_stop(VbTtyAgent *agent);
