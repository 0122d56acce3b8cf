/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The structs of the driver and of a running VM that qemu-driver.c and vm*.c share. */
#pragma once

#include "access.h"
#include "caps-cache.h"
#include "host.h"
#include "image-known.h"
#include "kvm-probe.h"
#include "qemu-driver.h"
#include "vm.h"

struct VbQemuDriver {
    VbHost *host;
    const VbLauncher *launcher;
    gpointer launcher_self;
    VbIdentity *identity; /* who QEMU runs as; NULL: as who we are */
    VbLaunchBy by;        /* all three */
    GError *no_identity;  /* … or why that cannot be */
    VbAccess *access;
    guint begin_source; /* see vb_qemu_driver_new() */
    VbCapsCache *caps;
    VbImageKnown *images;
    VbKvmProbe *kvm;
    GPtrArray *vms;     /* borrowed: those that are not over */
    guint16 spice_port; /* the next one that is tried */
};

typedef struct VbQemuStart VbQemuStart;         /* vm-start.c */
typedef struct VbQemuReconnect VbQemuReconnect; /* vm-reconnect.c */

typedef struct VbQemuVmPrivate {
    gboolean over;
    VbQemuStart *start;         /* the start in progress, or NULL */
    VbQemuReconnect *reconnect; /* the search for the monitor, or NULL */
    GPtrArray *destroys;        /* of GTask: they return when the VM is over */

    gboolean ended;  /* the process has ended; the monitor may still have something to say */
    gboolean killed; /* … and it was we who killed it */
    char *how;       /* VbProcessEnded's */
    gboolean asking; /* the launcher is asked for … */
    char *words;     /* … the last that it wrote; NULL: nobody wants to know */
    guint timer;     /* the next escalation: SIGKILL, or no more waiting for the monitor's end */
    char *run_state; /* what QEMU said of itself at a reconnect, until the events go on */

    /* The end that is expected, NULL when none is: "destroyed", "shutdown", "panicked". Recorded.
     */
    const char *end_reason;
    gboolean
        reboot_at_shutdown;   /* the next guest shutdown is the first half of a reboot. Recorded */
    guint reset_timer;        /* until then a reset is no reboot; see vm-operate.c */
    gboolean resetting;       /* a reset in its place is on its way: STOP says nothing */
    const char *pause_reason; /* of the STOP that comes next; NULL: not announced */
    const char *run_reason;   /* of the RESUME that comes next; NULL: "unpaused" */
} VbQemuVmPrivate;

/* ---- vm.c ---- */

/* Makes the VM of a domain and puts it there as its driver data. Borrowed. */
VbQemuVm *vb_qemu_vm_new(VbQemuDriver *driver, VbDomain *domain);
/* The driver lets go of it: monitor and watches are closed, the process runs on, except one whose
 * start nobody will ever finish. */
void vb_qemu_vm_close(VbQemuVm *vm);
/* Takes over the process and watches it. */
void vb_qemu_vm_set_process(VbQemuVm *vm, VbProcess *process);
/* Connects to the monitor's socket: vm->qmp is there then, not yet started. VB_ERROR_TIMEOUT when
 * nobody takes the connection. */
gboolean vb_qemu_vm_connect(VbQemuVm *vm, GError **error);
/* Remembers, durably for this boot, that the VM is about to end and why. */
void vb_qemu_vm_expect_end(VbQemuVm *vm, const char *reason);
/* A GAsyncReadyCallback for commands whose outcome shows elsewhere. */
void vb_qemu_ignore_reply(GObject *source, GAsyncResult *result, gpointer data);
/* Ends QEMU: by quit (SIGTERM where no monitor answers), after 5 s by SIGKILL. */
void vb_qemu_vm_quit(VbQemuVm *vm);
void vb_qemu_vm_kill(VbQemuVm *vm);
/* The same for one whose monitor is lost: it most likely ends by itself just now. */
void vb_qemu_vm_kill_soon(VbQemuVm *vm);
/* The one end: what waits is answered, and the domain is gone. */
void vb_qemu_vm_over(VbQemuVm *vm);
/* What QEMU is launched as. (transfer full) */
char *vb_qemu_launch_name(const VbDomain *domain);
/* QEMU's log in the domain's run-time directory, where the launcher has none. (transfer full) */
char *vb_qemu_log_path(const VbDomain *domain);

/* ---- vm-start.c ---- */

void vb_qemu_vm_start(VbQemuDriver *driver, VbDomain *domain, VbDomainOpFlags flags, GTask *task);
/* The VM is over: takes the task of its start and the error to return on it. */
GTask *vb_qemu_start_end(VbQemuVm *vm, GError **ret_error);

/* ---- vm-reconnect.c ---- */

void vb_qemu_vm_reconnect(VbQemuDriver *driver, VbDomain *domain, GKeyFile *record, GTask *task);
void vb_qemu_vm_save(VbQemuVm *vm, GKeyFile *record);
/* The monitor was lost before it answered. */
void vb_qemu_reconnect_lost(VbQemuVm *vm);
/* The VM is over, or the driver lets go of it: takes the task that waits for the answer, if any. */
GTask *vb_qemu_reconnect_end(VbQemuVm *vm);
void vb_qemu_vm_resume_events(gpointer self, VbDomain *domain);

/* ---- vm-operate.c ---- */

void vb_qemu_vm_operate(gpointer self, VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags,
                        GTask *task);
void vb_qemu_vm_set_link(gpointer self, VbDomain *domain, guint interface, gboolean up,
                         GTask *task);

/* From now on a reboot is what the definition wants it to be. */
void vb_qemu_vm_rearm_reboot_action(VbQemuVm *vm);

/* ---- vm-stats.c ---- */

void vb_qemu_vm_stats(gpointer self, VbDomain *domain, VbStatsGroups groups, GTask *task);

/* ---- vm-events.c ---- */

void vb_qemu_vm_event(VbQemuVm *vm, const char *name, JsonObject *data);
/* The guest has shut itself down, or panicked, and QEMU waits for what comes next. */
void vb_qemu_vm_guest_shutdown(VbQemuVm *vm, gboolean is_reset);
void vb_qemu_vm_guest_panicked(VbQemuVm *vm);
/* The state that query-status gave, as the domain's. */
void vb_qemu_vm_set_run_state(VbQemuVm *vm, const char *run_state);

/* ---- vm-setup.c ---- */

/* Asks and tells the new QEMU what only the monitor can: pty paths and ports into the live
 * definition; passwords, limits, links and the balloon into QEMU. Returns a boolean. */
void vb_qemu_vm_setup_async(VbQemuVm *vm, GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data);
gboolean vb_qemu_vm_setup_finish(GAsyncResult *result, GError **error);

/* ---- vm-nvram.c ---- */

/* The first variable store of a domain, from its template; one that is there is the guest's own.
 * Returns a boolean. */
void vb_qemu_nvram_make_async(const VbOsDef *os, VbFileBounds bounds, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_qemu_nvram_make_finish(GAsyncResult *result, GError **error);

/* ---- vm-run-dir.c ---- */

/* Makes the directory in which QEMU itself makes its sockets (VbQemuVm.run_dir), empty, for
 * `identity` alone; NULL: for us. */
gboolean vb_qemu_run_dir_make(const VbPaths *paths, const char *uuid, const VbIdentity *identity,
                              GError **error);
/* Removes it; nothing that QEMU may have put there leads anywhere else or takes long. */
void vb_qemu_run_dir_remove(const VbPaths *paths, const char *uuid);
