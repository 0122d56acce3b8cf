/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbTestFaults: what a test domain's <metadata> orders: operations that are slow, fail or hang, and
 * how its block jobs behave. docs/test-driver.md describes the format for its users. Plain structs,
 * read by the machine and its jobs; private to this folder. Times are milliseconds, sizes bytes. */
#pragma once

#include "driver.h"

#define VB_TEST_NAMESPACE "https://virtbus.org/xmlns/test/1"

#define VB_TEST_DEFAULT_LENGTH (G_GUINT64_CONSTANT(1) << 30)
#define VB_TEST_DEFAULT_DURATION 10000

typedef enum {
    VB_TEST_OP_PREPARE,
    VB_TEST_OP_START,
    VB_TEST_OP_SHUTDOWN,
    VB_TEST_OP_REBOOT,
    VB_TEST_OP_RESET,
    VB_TEST_OP_SUSPEND,
    VB_TEST_OP_RESUME,
    VB_TEST_OP_DESTROY,
    VB_TEST_OP_RECONNECT,
    VB_TEST_OP_QUERY, /* of the block jobs */
    VB_TEST_OP_CLEAN, /* after a block job */
    VB_TEST_OP_STATS,
} VbTestOp;
VB_ENUM_DECLARE(VbTestOp, vb_test_op)

typedef enum {
    VB_TEST_RESULT_OK,
    VB_TEST_RESULT_FAIL,
    VB_TEST_RESULT_HANG,  /* no answer until Destroy pre-empts */
    VB_TEST_RESULT_CRASH, /* the hypervisor dies of it */
} VbTestResult;
VB_ENUM_DECLARE(VbTestResult, vb_test_result)

typedef enum {
    VB_TEST_CANCEL_CANCELED,
    VB_TEST_CANCEL_REFUSED,   /* an error; the job goes on */
    VB_TEST_CANCEL_NEVER,     /* accepted, and then nothing happens */
    VB_TEST_CANCEL_COMPLETED, /* the job completes first: an error, and its completion */
    VB_TEST_CANCEL_FAILED,    /* accepted, and the job ends in an error */
    VB_TEST_CANCEL_PIVOTED,   /* accepted, and the job switches to its target all the same */
    VB_TEST_CANCEL_NOT_FOUND, /* an error; the job is gone */
    VB_TEST_CANCEL_CRASH,     /* the hypervisor dies of it */
} VbTestCancelResult;
VB_ENUM_DECLARE(VbTestCancelResult, vb_test_cancel_result)

typedef enum {
    VB_TEST_FLAVOUR_ANY,
    VB_TEST_FLAVOUR_SOFT,
    VB_TEST_FLAVOUR_FORCED,
} VbTestFlavour;
VB_ENUM_DECLARE(VbTestFlavour, vb_test_flavour)

typedef enum {
    VB_TEST_END_COMPLETED,
    VB_TEST_END_FAILED,
    VB_TEST_END_CANCELED, /* by nobody we know */
    VB_TEST_END_CRASH,
    VB_TEST_END_NEVER,
} VbTestEndResult;
VB_ENUM_DECLARE(VbTestEndResult, vb_test_end_result)

typedef enum {
    VB_TEST_PIVOT_OK,
    VB_TEST_PIVOT_REFUSED,
    VB_TEST_PIVOT_FAILED, /* accepted, and the job ends in an error */
    VB_TEST_PIVOT_NEVER,  /* accepted, and then nothing happens */
    VB_TEST_PIVOT_CRASH,
} VbTestPivotResult;
VB_ENUM_DECLARE(VbTestPivotResult, vb_test_pivot_result)

typedef enum {
    VB_TEST_REPLY_AT_ONCE,
    VB_TEST_REPLY_AFTER_REPORT, /* the job's end is reported first */
} VbTestReply;
VB_ENUM_DECLARE(VbTestReply, vb_test_reply)

/* A rule holds for the first `times` times that it matches; 0: always. */
typedef struct {
    guint times;
    guint used;
} VbTestRule;

typedef struct {
    VbTestRule rule;
    VbTestOp op;
    VbTestResult result;
    guint delay;
    char *message;
    gboolean guest_ignores; /* shutdown, reboot */
    guint guest_delay;      /* shutdown, reboot: from the answer until the guest has obeyed */
} VbTestOpFault;

typedef struct {
    VbTestRule rule;
    VbTestFlavour flavour;
    VbTestCancelResult result;
    guint delay; /* from the request to what `result` says */
    VbTestReply reply;
    guint reports; /* how often the end is reported */
    char *message;
} VbTestCancelFault;

typedef struct {
    VbTestRule rule;
    char *disk; /* target; NULL: any */
    char *type; /* as in VbJobStatus; NULL: any */
    guint64 length;
    guint duration; /* of the whole length, without a bandwidth limit */
    VbCancelMode cancel_mode;

    guint start_delay;
    gboolean start_fails;
    VbTestReply start_reply;
    char *start_message;

    gboolean io_error; /* the job pauses with an I/O error at … */
    guint64 io_error_at;
    VbIoStatus io_error_status;

    VbTestEndResult end;
    guint end_reports;
    char *end_message;

    VbTestPivotResult pivot;
    guint pivot_delay;    /* from the request until the switch can be finalized */
    guint finalize_delay; /* from then until it is done */
    guint pivot_reports;
    char *pivot_message;

    GPtrArray *cancels; /* of VbTestCancelFault, the first that matches holds */
} VbTestJobFault;

typedef struct {
    GPtrArray *ops;             /* of VbTestOpFault */
    GPtrArray *jobs;            /* of VbTestJobFault */
    VbTestJobFault *other_jobs; /* for a job that no rule is for */
    gboolean crash;             /* the hypervisor dies … */
    guint crash_after;          /* … this long after the start */
} VbTestFaults;

/* `metadata` is VbDomainDef.metadata_xml, NULL for none. What stands in other namespaces is not
 * looked at. Errors: VB_ERROR_INVALID_XML, naming the element and what is wrong. */
VbTestFaults *vb_test_faults_parse(const char *metadata, GError **error);
void vb_test_faults_free(VbTestFaults *faults);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbTestFaults, vb_test_faults_free)

/* The rule that holds for this, counted as used; NULL when there is none. Borrowed. */
const VbTestOpFault *vb_test_faults_take_op(VbTestFaults *faults, VbTestOp op);
/* Never NULL. */
VbTestJobFault *vb_test_faults_take_job(VbTestFaults *faults, const char *disk, const char *type);
const VbTestCancelFault *vb_test_job_fault_take_cancel(VbTestJobFault *fault,
                                                       VbCancelFlavour flavour);

/* How often the end is reported when nobody says it otherwise. */
guint vb_test_cancel_reports(VbCancelMode mode, VbTestCancelResult result);

/* How often each rule was used, in the order of the document, so that counting survives a restart.
 * Restoring takes what fits. */
GArray *vb_test_faults_get_used(const VbTestFaults *faults); /* of int */
void vb_test_faults_set_used(VbTestFaults *faults, const int *used, gsize n_used);

/* The place of a rule for jobs, kept in a record; -1 is other_jobs. NULL: there is no such place.
 */
int vb_test_faults_job_index(const VbTestFaults *faults, const VbTestJobFault *fault);
VbTestJobFault *vb_test_faults_job_at(const VbTestFaults *faults, int index);
