/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbTestJob: a block job that moves no data: a place that advances with time, and the orders for
 * its start, its cancel, its pivot and its end. It tells the core what a hypervisor would. Owned by
 * its machine, made by jobs_start, gone with job_clean or when it ends unreported. Private to this
 * folder. */
#pragma once

#include "test-machine.h"

/* `fault` is borrowed from the machine's orders. speed: bytes/s, 0 = unlimited. */
VbTestJob *vb_test_job_new(VbTestMachine *machine, VbTestJobFault *fault, const char *id,
                           const char *type, const char *disk, guint64 speed);
void vb_test_job_free(gpointer job);

const char *vb_test_job_id(const VbTestJob *job);
gboolean vb_test_job_has_ended(const VbTestJob *job);
/* What a query answers. (transfer full) */
VbJobStatus *vb_test_job_status(const VbTestJob *job);

/* Time begins to pass for it. */
void vb_test_job_run(VbTestJob *job);
/* Time stops. */
void vb_test_job_halt(VbTestJob *job);
/* Goes through what would have happened by now, telling nobody. May free the job. */
void vb_test_job_catch_up(VbTestJob *job);

/* Each answers `call`, now or when its orders say so. */
void vb_test_job_cancel(VbTestJob *job, VbCancelFlavour flavour, VbTestCall *call);
void vb_test_job_complete(VbTestJob *job, VbTestCall *call);
void vb_test_job_finalize(VbTestJob *job, VbTestCall *call);
void vb_test_job_set_speed(VbTestJob *job, guint64 speed, VbTestCall *call);
void vb_test_job_set_paused(VbTestJob *job, gboolean paused, VbTestCall *call);
/* Runs `func` when the job has ended and that was reported. */
void vb_test_job_await_end(VbTestJob *job, VbTestCall *call, VbTestCallFunc func,
                           gpointer user_data, GDestroyNotify destroy);
void vb_test_job_clear_calls(VbTestJob *job);

/* In the record's group: keys "job<index>-…". */
void vb_test_job_save(const VbTestJob *job, GKeyFile *record, const char *group, guint index);
/* Errors: G_KEY_FILE_ERROR, VB_ERROR_FAILED. */
VbTestJob *vb_test_job_load(VbTestMachine *machine, GKeyFile *record, const char *group,
                            guint index, GError **error);
