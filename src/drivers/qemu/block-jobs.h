/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The block jobs of a QEMU: the job half of VbDriver, and the monitor's events about jobs. It asks
 * QEMU, and reports what QEMU says; what that means is decided by the core (job.h). Every end is
 * reported by QEMU itself (VB_CANCEL_REPORTED). */
#pragma once

#include "job.h"
#include "vm.h"

/* Operations of VbDriver (driver.h has the contract of each). Errors without a reply of QEMU are
 * the monitor's (vb_qemu_vm_call_async); a refusal is VB_ERROR_HYPERVISOR with QEMU's text, or
 * VB_ERROR_NO_BLOCK_JOB where its class says that (many a command has no class for it: query). */
void vb_qemu_jobs_start(gpointer self, VbDomain *domain, GPtrArray *jobs, GTask *task);
void vb_qemu_jobs_query(gpointer self, VbDomain *domain, GTask *task);
void vb_qemu_job_cancel(gpointer self, VbJob *job, VbCancelFlavour flavour, GTask *task);
void vb_qemu_job_complete(gpointer self, VbJob *job, GTask *task);
void vb_qemu_job_finalize(gpointer self, VbJob *job, GTask *task);
void vb_qemu_job_root(gpointer self, VbJob *job, GTask *task);
void vb_qemu_job_set_speed(gpointer self, VbJob *job, guint64 speed, GTask *task);
void vb_qemu_job_set_paused(gpointer self, VbJob *job, gboolean paused, GTask *task);
void vb_qemu_job_clean(gpointer self, VbJob *job, GTask *task);

/* An event of the monitor: those about block jobs are reported, all others ignored. */
void vb_qemu_block_jobs_event(VbQemuVm *vm, const char *event, JsonObject *data);
