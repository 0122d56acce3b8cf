/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Job: work that takes long, as the bus sees it. The object's data is the VbJob. */
#pragma once

#include "call.h"
#include "job.h"

extern const VbInterface vb_job_interface;

/* Emits Finished. */
void vb_job_object_finished(VbRegistry *registry, VbObject *object);

/* The data of vb_answer for the functions of job.h that end with vb_job_finish(). */
gpointer vb_job_object_answer_data(VbCall *call, VbJob *job);
