/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbTestMachine: the hypervisor that a running test domain has: its orders, its block jobs, and
 * what will happen to it by itself. It is the driver data of an active domain, made by a start or a
 * reconnect. It behaves like a process of its own: each change is in the domain's record before
 * anybody hears of it, so a restarted daemon finds it as it would be by now. Private to this
 * folder: test-driver.c operates it, test-job.c is its jobs. */
#pragma once

#include "domain.h"
#include "test-call.h"
#include "test-faults.h"

typedef struct VbTestJob VbTestJob;

/* What the guest was asked for and has not done yet. */
typedef enum {
    VB_TEST_GUEST_NOTHING,
    VB_TEST_GUEST_POWEROFF,
    VB_TEST_GUEST_REBOOT,
} VbTestGuest;

/* What is told of a job. */
typedef enum {
    VB_TEST_EVENT_STATUS,
    VB_TEST_EVENT_IO_ERROR,
    VB_TEST_EVENT_CANCELED,
    VB_TEST_EVENT_COMPLETED,
} VbTestEventKind;

typedef struct {
    VbTestEventKind kind;
    char *id;   /* of the job */
    VbJob *job; /* when the core knew it as this happened; else it is looked up when it is told */
    VbJobStatusKind status;
    VbIoStatus io_status;
    char *error;
    guint64 current, total;
    guint times; /* how often it is told */
} VbTestEvent;

typedef struct {
    VbDomain *domain; /* borrowed: the domain owns the machine */
    VbTestFaults *faults;
    VbTestCalls calls;
    GPtrArray *jobs;      /* of VbTestJob, owned; an ended one stays until it is cleaned */
    GHashTable *switched; /* ids of the jobs whose target has become the root of the disk */
    gboolean loading;     /* it is being brought up to now, and nobody hears of it */
    gboolean running;     /* time passes */
    gboolean dead;
    gboolean held; /* after a reconnect: what happens is told later */
    GQueue events; /* of VbTestEvent, while held */
    struct {
        gboolean known; /* while held: how it ended */
        VbDomainState state;
        const char *reason;
    } end;
    gint64 crash_at; /* monotonic µs, 0: never, as guest_at */
    gint64 guest_at;
    VbTestGuest guest;
    guint crash_timer, guest_timer, reconnect_timer;
} VbTestMachine;

/* Takes `faults`. */
VbTestMachine *vb_test_machine_new(VbDomain *domain, VbTestFaults *faults);
/* Of an active domain, as vb_test_machine_save() wrote it, brought up to now and held. Takes
 * `faults`, on failure too. Errors: VB_ERROR_DOMAIN_NOT_RUNNING: it ended meanwhile, or the record
 * makes no sense. */
VbTestMachine *vb_test_machine_load(VbDomain *domain, VbTestFaults *faults, GKeyFile *record,
                                    GError **error);
void vb_test_machine_save(const VbTestMachine *machine, GKeyFile *record);

VbTestMachine *vb_test_machine_ref(VbTestMachine *machine);
void vb_test_machine_unref(VbTestMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbTestMachine, vb_test_machine_unref)
/* Nothing happens to it any more, its calls are answered; drops a reference. The domain does this.
 */
void vb_test_machine_close(VbTestMachine *machine);

/* NULL when the domain has none, or a dead one. Borrowed. */
VbTestMachine *vb_test_machine_of(const VbDomain *domain);

/* From now on time passes. */
void vb_test_machine_run(VbTestMachine *machine);
/* From now on what happens is told at once. */
void vb_test_machine_release(VbTestMachine *machine);
/* The guest will do it in `delay` ms; a paused one not before it is resumed. */
void vb_test_machine_ask_guest(VbTestMachine *machine, VbTestGuest what, guint delay);
/* The guest begins anew and has forgotten what it was asked. */
void vb_test_machine_reset(VbTestMachine *machine, const char *reason);
/* A paused guest was resumed. */
void vb_test_machine_resumed(VbTestMachine *machine);
/* It ends, unexpectedly or because it was told to. */
void vb_test_machine_crash(VbTestMachine *machine);
void vb_test_machine_destroy(VbTestMachine *machine);

/* NULL when there is none. Borrowed. */
VbTestJob *vb_test_machine_job(const VbTestMachine *machine, const char *id);
/* Writes the domain's record, unless the machine is still being loaded. */
void vb_test_machine_record(VbTestMachine *machine);

VbTestEvent *vb_test_event_new(VbTestMachine *machine, VbTestEventKind kind, const char *id);
/* Takes the event. */
void vb_test_machine_tell(VbTestMachine *machine, VbTestEvent *event);

/* In a record stands the time of the wall, in memory the monotonic one; 0 stays 0. */
gint64 vb_test_time_to_record(gint64 monotonic);
gint64 vb_test_time_from_record(gint64 real);
