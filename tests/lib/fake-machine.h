/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbFakeMachine: the little of a QEMU that a scripted peer needs around its script: it answers the
 * commands that no transcript has (run state, quit, the jobs as the events told them, fixed answers
 * given by the test, and plain success for the rest). Owned by the peer.
 */
#pragma once

#include <json-glib/json-glib.h>

typedef struct VbFakeMachine VbFakeMachine;

/* How the machine speaks: each message is handed over. */
typedef void (*VbFakeMachineSend)(JsonObject *message, gpointer user_data);

VbFakeMachine *vb_fake_machine_new(VbFakeMachineSend send, gpointer user_data);
void vb_fake_machine_free(VbFakeMachine *machine);

/* `json` is what "return" is to be whenever `command` is not scripted. */
void vb_fake_machine_set_answer(VbFakeMachine *machine, const char *command, const char *json);

/* Answers a command: sends a reply without an id as the last message, events before it. Returns
 * TRUE when the machine has to be gone now. */
gboolean vb_fake_machine_answer(VbFakeMachine *machine, const char *command, JsonObject *arguments,
                                JsonObject **ret_reply);

/* Looks at a message of the script on its way out, to know the jobs. */
void vb_fake_machine_observe(VbFakeMachine *machine, JsonObject *message);
