/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The orders in a test domain's <metadata>, and how often each was used. */
#include <string.h>

#include "test-faults.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void check_job(VbTestFaults *faults, VbTestJobFault *job)
{
    g_assert(vb_test_faults_job_at(faults, vb_test_faults_job_index(faults, job)) == job);
    g_assert(job->start_message && job->end_message && job->pivot_message);
    g_assert(!job->io_error || job->io_error_at <= job->length);
    vb_test_job_fault_take_cancel(job, VB_CANCEL_SOFT);
    vb_test_job_fault_take_cancel(job, VB_CANCEL_FORCED);
}

/* Uses what there is, and counts it over a restart. */
static void check_use(VbTestFaults *faults, VbTestFaults *next)
{
    for (int op = 0; vb_test_op_to_string(op); op++) {
        const VbTestOpFault *fault = vb_test_faults_take_op(faults, op);
        g_assert(!fault || (fault->message && (int)fault->op == op));
    }
    check_job(faults, vb_test_faults_take_job(faults, "vda", "copy"));
    check_job(faults, vb_test_faults_take_job(faults, "vdb", "pull"));

    g_autoptr(GArray) used = vb_test_faults_get_used(faults);
    vb_test_faults_set_used(next, (const int *)(gconstpointer)used->data, used->len);
    g_autoptr(GArray) again = vb_test_faults_get_used(next);
    g_assert_cmpmem(used->data, used->len * sizeof(int), again->data, again->len * sizeof(int));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autofree char *metadata = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(VbTestFaults) faults = vb_test_faults_parse(metadata, &error);

    g_assert((faults == NULL) == (error != NULL));
    if (!faults)
        return 0;
    g_autoptr(VbTestFaults) next = vb_test_faults_parse(metadata, &error);
    g_assert_no_error(error);
    check_use(faults, next);
    return 0;
}
