/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Job: work that takes long, as the bus sees it. The object's data is the VbJob. */
#pragma once

#include "call.h"
#include "job.h"

extern const VbInterface vb_job_interface;

/* Emits Finished. */
void vb_job_object_finished(VbRegistry *registry, VbObject *object);

/* What a VbJob function of job.h is given as callback and data so that its end answers the call. */
void vb_job_object_answer(GObject *source, GAsyncResult *result, gpointer data);
gpointer vb_job_object_wait(VbCall *call, VbJob *job);
