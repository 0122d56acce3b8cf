/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Between registry.c and call.c: how a call comes to life, and the list of those unanswered. */
#pragma once

#include "call.h"
#include "registry.h"

/* A method of the object was called: authorize, look up again, handle. Takes its own reference on
 * the message. */
void vb_call_dispatch(VbRegistry *registry, const VbObject *object, const VbMethod *method,
                      sd_bus_message *message);

/* The registry goes: answers Failed and forgets it. */
void vb_call_abandon(VbCall *call);

/* The calls that have no reply yet; the links lie in the calls. */
GQueue *vb_registry_calls(VbRegistry *registry);
