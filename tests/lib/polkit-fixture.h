/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The real polkitd on a fixture's bus, and an authentication agent that does what the test says.
 *
 * polkitd's directories are fixed, so it runs in a mount namespace of its own, where they are the
 * test's: the shipped policy, the rules of this test and no others, and a list of users: uid 65534
 * is "alice", in the group "lab"; uid 1 is "backup"; uid 2 is "bob". It sees no login sessions:
 * what counts are the policy's defaults for "any".
 *
 *   static void test_start(const VbPolkitWorld *world) { … world->alice … }
 *   vb_polkit_add_test("/access/start", rules, VB_BUS_FIXTURE_NONE, test_start); */
#pragma once

#include "bus-fixture.h"

#define VB_POLKIT_ALICE 65534
#define VB_POLKIT_BACKUP 1
#define VB_POLKIT_BOB 2

/* ---- polkitd ----------------------------------------------------------------------------------
 */

typedef struct VbPolkit VbPolkit;

/* polkitd runs and owns its name. rules: what a .rules file says, NULL: none. */
VbPolkit *vb_polkit_new(VbBusFixture *fixture, const char *rules);
void vb_polkit_free(VbPolkit *polkit); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbPolkit, vb_polkit_free)

/* SIGKILL; returns when the bus has seen it go. */
void vb_polkit_kill(VbPolkit *polkit);
/* Again, after a kill. */
void vb_polkit_start(VbPolkit *polkit);

/* data/polkit/examples/<name>. */
char *vb_polkit_read_example(const char *name);

/* polkit's own answer about a client, asked by root, without a prompt: "yes", "challenge", "no".
 * details: a{ss}; floating is taken. */
const char *vb_polkit_check(VbPolkit *polkit, VbBusClient *client, const char *action,
                            GVariant *details);
/* All actions that polkitd knows: a(ssssssuuua{ss}). (transfer full) */
GVariant *vb_polkit_actions(VbPolkit *polkit);

/* ---- tests -----------------------------------------------------------------------------------
 */

typedef struct {
    VbBusFixture *fixture; /* a system bus and virtbusd */
    VbPolkit *polkit;
    VbBusClient *root, *alice;
} VbPolkitWorld;

/* A test in a world of its own, which is skipped where there can be none. path and rules (NULL:
 * none) are kept; flags beside VB_BUS_FIXTURE_SYSTEM_POLICY. */
void vb_polkit_add_test(const char *path, const char *rules, VbBusFixtureFlags flags,
                        void (*run)(const VbPolkitWorld *world));

/* ---- an agent ---------------------------------------------------------------------------------
 */

typedef struct VbPolkitAgent VbPolkitAgent;

/* A question on somebody's screen. */
typedef struct {
    const char *action, *message;
    GVariant *details; /* a{ss} */
    gboolean cancelled;
} VbPolkitPrompt;

/* For every client in this process. */
VbPolkitAgent *vb_polkit_agent_new(VbPolkit *polkit);
/* Refuses what is open. Accepts NULL. */
void vb_polkit_agent_free(VbPolkitAgent *agent);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbPolkitAgent, vb_polkit_agent_free)

/* How many there were. */
guint vb_polkit_agent_n_prompts(VbPolkitAgent *agent);
/* Waits for it. Counted from 0; borrowed. */
const VbPolkitPrompt *vb_polkit_agent_prompt(VbPolkitAgent *agent, guint n);
/* The person's answer. granted: root's password; else a cancelled dialog. */
void vb_polkit_agent_answer(VbPolkitAgent *agent, guint n, gboolean granted);
