/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Between registry.c and call.c: how a call comes to life, and the list of those unanswered. */
#pragma once

#include "call.h"
#include "object.h"
#include "registry.h"

/* A method of the object was called: prepare, authorize, look up again, handle. Takes its own
 * reference on the message. */
void vb_call_dispatch(const VbFacet *facet, const VbMethod *method, sd_bus_message *message);

/* The registry goes: answers Failed and forgets it. */
void vb_call_abandon(VbCall *call);

VbBus *vb_registry_bus(VbRegistry *registry);

/* The calls that have no reply yet; the links lie in the calls. */
GQueue *vb_registry_calls(VbRegistry *registry);
