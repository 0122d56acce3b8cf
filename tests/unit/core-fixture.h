/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The core on its own, with the test driver, below a temporary directory: what the core-*.c tests
 * stand on. Everything that the core tells the objects, and every answer that a test waits for,
 * goes into one log, one line each, so that a test can say which lines come in which order. */
#pragma once

#include "host.h"
#include "wait.h"

typedef struct CoreFixture CoreFixture;

CoreFixture *core_fixture_new(void);
/* Everything is freed, and the directory removed. */
void core_fixture_free(CoreFixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CoreFixture, core_fixture_free)

VbHost *core_fixture_host(CoreFixture *fixture);
const VbPaths *core_fixture_paths(CoreFixture *fixture);
/* ---- two lives ----
 *
 * A daemon that is killed can only be had as a process: the first life is run by this program
 * again, in a test of its own (g_test_trap_subprocess()), below the directory of the second one. */

/* A directory, and no host yet. */
CoreFixture *core_fixture_new_dead(void);
/* Runs the test `path`, which ends with core_fixture_exit(); the log begins with its log. */
void core_fixture_run_first_life(CoreFixture *fixture, const char *path);
/* In that test. */
CoreFixture *core_fixture_new_first_life(void);
void core_fixture_exit(CoreFixture *fixture) G_GNUC_NORETURN;
/* A new host: loads, but does not announce. */
void core_fixture_load(CoreFixture *fixture);
void core_fixture_announce(CoreFixture *fixture);

/* The host ends as it should; core_fixture_load() makes the next one. */
void core_fixture_end(CoreFixture *fixture);

/* Lets that much time pass with the main loop running. */
void core_fixture_run_for(guint ms);

/* Called from within job_concluded, after it was logged. */
typedef void (*CoreConcluded)(VbJob *job, gpointer user_data);
void core_fixture_set_concluded(CoreFixture *fixture, CoreConcluded func, gpointer user_data);

/* ---- the log ----
 *
 *   domain NAME added | removed | state STATE/REASON | persistent B | autostart B | pending B |
 *       responsive B | jobs N                        lifecycle NAME EVENT/REASON
 *   job N added | state STATE | result RESULT | ready B | cancel-requested B | pivot-requested B |
 *       io-status S | bandwidth N | READY | COMPLETED REASON | FAILED REASON | CANCELED REASON |
 * removed reply NAME: ok | ERROR-WORD */

GPtrArray *core_fixture_log(CoreFixture *fixture);
void core_fixture_clear_log(CoreFixture *fixture);
/* How many lines match the glob. */
guint core_fixture_count(CoreFixture *fixture, const char *pattern);
/* Terminal signals, of all jobs. */
guint core_fixture_count_ends(CoreFixture *fixture);
/* Lines that match these globs come in this order, each after the one before. NULL-terminated. */
void core_fixture_assert_order(CoreFixture *fixture, const char *first, ...) G_GNUC_NULL_TERMINATED;
void core_fixture_dump(CoreFixture *fixture);

/* ---- answers ---- */

typedef struct {
    CoreFixture *fixture;
    char *name;
    gboolean done;
    GError *error;
    VbDomain *domain; /* of define, create (owned) */
    GPtrArray *jobs;  /* of a start (owned) */
} CoreReply;

CoreReply *core_reply_new(CoreFixture *fixture, const char *name);
void core_reply_free(CoreReply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CoreReply, core_reply_free)
void core_reply_wait(CoreReply *reply);
void core_reply_assert_ok(CoreReply *reply); /* waits */
/* Waits; `text` is part of the message, or NULL. */
void core_reply_assert_error(CoreReply *reply, VbError code, const char *text);

/* ---- calls: each begins and returns; the reply is the caller's ---- */

/* `metadata` is what stands in <test:faults>; NULL: no <metadata>. Disks vda, vdb … with a chain of
 * NAME-vda.qcow2, mid.qcow2 and base.qcow2. */
char *core_domain_xml(const char *name, const char *uuid, const char *faults, guint n_disks);
CoreReply *core_define(CoreFixture *fixture, const char *xml);
CoreReply *core_create(CoreFixture *fixture, const char *xml);
CoreReply *core_redefine(CoreFixture *fixture, VbDomain *domain, const char *xml);
CoreReply *core_undefine(CoreFixture *fixture, VbDomain *domain);
CoreReply *core_autostart(CoreFixture *fixture, VbDomain *domain, gboolean autostart);
CoreReply *core_operate(CoreFixture *fixture, VbDomain *domain, VbDomainOp op);
/* The jobs are released in the callback, as an object does once its reply is out. */
CoreReply *core_start_job(CoreFixture *fixture, VbDomain *domain, VbJobType type, const char *disk);
CoreReply *core_start_specs(CoreFixture *fixture, VbDomain *domain, GPtrArray *specs);
/* As core_start_specs(), and the jobs stay held. */
CoreReply *core_start_held(CoreFixture *fixture, VbDomain *domain, VbJobType type,
                           const char *disk);
CoreReply *core_cancel(CoreFixture *fixture, VbJob *job, VbJobFlags flags);
CoreReply *core_pivot(CoreFixture *fixture, VbJob *job, VbJobFlags flags);
CoreReply *core_set_paused(CoreFixture *fixture, VbJob *job, gboolean paused);
CoreReply *core_set_bandwidth(CoreFixture *fixture, VbJob *job, guint64 bandwidth);
VbJobSpec *core_spec(VbJobType type, const char *disk);

/* ---- and the same, done and checked ---- */

/* Borrowed from the host. */
VbDomain *core_defined(CoreFixture *fixture, const char *name, const char *faults);
VbDomain *core_running(CoreFixture *fixture, const char *name, const char *faults);
/* Borrowed from its domain. */
VbJob *core_job(CoreFixture *fixture, VbDomain *domain, VbJobType type, const char *disk);
void core_do(CoreFixture *fixture, VbDomain *domain, VbDomainOp op);
