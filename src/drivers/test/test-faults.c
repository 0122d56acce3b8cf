/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parser of a test domain's orders, and which of them holds when. Strict: each reader takes the
 * attributes and the children that it knows out of the tree, and what is left is an error. */
#include "test-faults.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "error.h"

#define MAX_TIME (24 * 60 * 60 * 1000) /* ms */
#define MAX_RULES 256

static const char *const op_words[] = {
    [VB_TEST_OP_PREPARE] = "prepare",     [VB_TEST_OP_START] = "start",
    [VB_TEST_OP_SHUTDOWN] = "shutdown",   [VB_TEST_OP_REBOOT] = "reboot",
    [VB_TEST_OP_RESET] = "reset",         [VB_TEST_OP_SUSPEND] = "suspend",
    [VB_TEST_OP_RESUME] = "resume",       [VB_TEST_OP_DESTROY] = "destroy",
    [VB_TEST_OP_RECONNECT] = "reconnect", [VB_TEST_OP_QUERY] = "query",
    [VB_TEST_OP_CLEAN] = "clean",         [VB_TEST_OP_STATS] = "stats",
};
VB_ENUM_DEFINE(VbTestOp, vb_test_op, op_words)

static const char *const result_words[] = {
    [VB_TEST_RESULT_OK] = "ok",
    [VB_TEST_RESULT_FAIL] = "fail",
    [VB_TEST_RESULT_HANG] = "hang",
    [VB_TEST_RESULT_CRASH] = "crash",
};
VB_ENUM_DEFINE(VbTestResult, vb_test_result, result_words)

static const char *const cancel_words[] = {
    [VB_TEST_CANCEL_CANCELED] = "canceled",   [VB_TEST_CANCEL_REFUSED] = "refused",
    [VB_TEST_CANCEL_NEVER] = "never",         [VB_TEST_CANCEL_COMPLETED] = "completed",
    [VB_TEST_CANCEL_FAILED] = "failed",       [VB_TEST_CANCEL_PIVOTED] = "pivoted",
    [VB_TEST_CANCEL_NOT_FOUND] = "not-found", [VB_TEST_CANCEL_CRASH] = "crash",
};
VB_ENUM_DEFINE(VbTestCancelResult, vb_test_cancel_result, cancel_words)

static const char *const flavour_words[] = {
    [VB_TEST_FLAVOUR_ANY] = "any",
    [VB_TEST_FLAVOUR_SOFT] = "soft",
    [VB_TEST_FLAVOUR_FORCED] = "forced",
};
VB_ENUM_DEFINE(VbTestFlavour, vb_test_flavour, flavour_words)

static const char *const end_words[] = {
    [VB_TEST_END_COMPLETED] = "completed", [VB_TEST_END_FAILED] = "failed",
    [VB_TEST_END_CANCELED] = "canceled",   [VB_TEST_END_CRASH] = "crash",
    [VB_TEST_END_NEVER] = "never",
};
VB_ENUM_DEFINE(VbTestEndResult, vb_test_end_result, end_words)

static const char *const pivot_words[] = {
    [VB_TEST_PIVOT_OK] = "ok",         [VB_TEST_PIVOT_REFUSED] = "refused",
    [VB_TEST_PIVOT_FAILED] = "failed", [VB_TEST_PIVOT_NEVER] = "never",
    [VB_TEST_PIVOT_CRASH] = "crash",
};
VB_ENUM_DEFINE(VbTestPivotResult, vb_test_pivot_result, pivot_words)

static const char *const reply_words[] = {
    [VB_TEST_REPLY_AT_ONCE] = "at-once",
    [VB_TEST_REPLY_AFTER_REPORT] = "after-report",
};
VB_ENUM_DEFINE(VbTestReply, vb_test_reply, reply_words)

static const char *const start_words[] = {"ok", "fail"};
static const char *const guest_words[] = {"obeys", "ignores"};
static const char *const mode_words[] = {
    [VB_CANCEL_REPORTED] = "reported",
    [VB_CANCEL_SILENT] = "silent",
};
static const char *const io_words[] = {
    [VB_IO_STATUS_FAILED] = "failed",
    [VB_IO_STATUS_NOSPACE] = "nospace",
};
static const char *const type_words[] = {"pull", "copy", "commit", "active-commit", "backup"};

/* ---- reading ---- */

static gboolean invalid(GError **error, const xmlNode *node, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean invalid(GError **error, const xmlNode *node, const char *format, ...)
{
    va_list args;
    g_autofree char *what = NULL;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML, "line %ld of <metadata>: <test:%s>: %s",
                xmlGetLineNo(node), (const char *)node->name, what);
    return FALSE;
}

/* Takes an attribute out of the tree; NULL when it is not there. */
static char *take(xmlNode *node, const char *name)
{
    xmlAttr *attribute = xmlHasNsProp(node, BAD_CAST name, NULL);
    xmlChar *value;
    char *copy;

    if (attribute == NULL)
        return NULL;
    value = xmlGetNoNsProp(node, BAD_CAST name);
    copy = g_strdup(value ? (const char *)value : "");
    xmlFree(value);
    xmlRemoveProp(attribute);
    return copy;
}

static gboolean take_u64(xmlNode *node, const char *name, guint64 max, guint64 *ret_value,
                         GError **error)
{
    g_autofree char *value = take(node, name);

    if (value == NULL)
        return TRUE;
    if (!g_ascii_string_to_unsigned(value, 10, 0, max, ret_value, NULL))
        return invalid(error, node, "%s='%s' is not a number up to %" G_GUINT64_FORMAT, name, value,
                       max);
    return TRUE;
}

static gboolean take_uint(xmlNode *node, const char *name, guint max, guint *ret_value,
                          GError **error)
{
    guint64 value = *ret_value;

    if (!take_u64(node, name, max, &value, error))
        return FALSE;
    *ret_value = value;
    return TRUE;
}

static gboolean take_words(xmlNode *node, const char *name, const char *const *words, gsize n_words,
                           int *ret_value, GError **error)
{
    g_autofree char *value = take(node, name);

    if (value == NULL)
        return TRUE;
    for (gsize i = 0; i < n_words; i++)
        if (words[i] && g_str_equal(words[i], value)) {
            *ret_value = i;
            return TRUE;
        }
    return invalid(error, node, "%s='%s' is unknown", name, value);
}

/* For a member of any enumeration type. */
#define TAKE_WORD(node, name, words, member, error)                                                \
    ({                                                                                             \
        int value_ = *(member);                                                                    \
        gboolean ok_ = take_words((node), (name), (words), G_N_ELEMENTS(words), &value_, (error)); \
        *(member) = value_;                                                                        \
        ok_;                                                                                       \
    })

static gboolean take_message(xmlNode *node, char **ret_message, GError **error)
{
    g_autofree char *value = take(node, "message");

    if (value == NULL)
        return TRUE;
    if (value[0] == '\0' || strpbrk(value, "\r\n"))
        return invalid(error, node, "message must be one line of text");
    g_free(*ret_message);
    *ret_message = g_steal_pointer(&value);
    return TRUE;
}

/* Everything was taken but the children that a caller walks. */
static gboolean check_left(xmlNode *node, GError **error)
{
    if (node->properties)
        return invalid(error, node, "unknown attribute '%s'", (const char *)node->properties->name);
    for (xmlNode *child = node->children; child; child = child->next)
        if (child->type != XML_ELEMENT_NODE && child->type != XML_COMMENT_NODE &&
            !xmlIsBlankNode(child))
            return invalid(error, node, "unexpected text");
    return TRUE;
}

static gboolean check_empty(xmlNode *node, GError **error)
{
    xmlNode *child = xmlFirstElementChild(node);

    if (child)
        return invalid(error, node, "unexpected element <%s>", (const char *)child->name);
    return check_left(node, error);
}

static gboolean is_element(const xmlNode *node, const char *name)
{
    return node->ns && xmlStrEqual(node->ns->href, BAD_CAST VB_TEST_NAMESPACE) &&
           xmlStrEqual(node->name, BAD_CAST name);
}

/* ---- the elements ---- */

static void op_fault_free(gpointer data)
{
    VbTestOpFault *fault = data;

    g_free(fault->message);
    g_free(fault);
}

static void cancel_fault_free(gpointer data)
{
    VbTestCancelFault *fault = data;

    g_free(fault->message);
    g_free(fault);
}

static void job_fault_free(gpointer data)
{
    VbTestJobFault *fault = data;

    if (fault == NULL)
        return;
    g_free(fault->disk);
    g_free(fault->type);
    g_free(fault->start_message);
    g_free(fault->end_message);
    g_free(fault->pivot_message);
    g_ptr_array_unref(fault->cancels);
    g_free(fault);
}

static VbTestJobFault *job_fault_new(void)
{
    VbTestJobFault *fault = g_new0(VbTestJobFault, 1);

    fault->length = VB_TEST_DEFAULT_LENGTH;
    fault->duration = VB_TEST_DEFAULT_DURATION;
    fault->cancel_mode = VB_CANCEL_REPORTED;
    fault->end_reports = 1;
    fault->pivot_reports = 1;
    fault->start_message = g_strdup("the metadata orders that this job does not start");
    fault->end_message = g_strdup("Input/output error");
    fault->pivot_message = g_strdup("the metadata orders that this pivot fails");
    fault->cancels = g_ptr_array_new_with_free_func(cancel_fault_free);
    return fault;
}

/* Which results an operation can have: HANG needs somebody who can pre-empt it, CRASH something
 * that runs. */
static gboolean op_may(VbTestOp op, VbTestResult result)
{
    switch (op) {
    case VB_TEST_OP_PREPARE:
        return result == VB_TEST_RESULT_OK || result == VB_TEST_RESULT_FAIL;
    case VB_TEST_OP_START:
        return result != VB_TEST_RESULT_CRASH;
    case VB_TEST_OP_DESTROY:
        return result == VB_TEST_RESULT_OK || result == VB_TEST_RESULT_FAIL;
    case VB_TEST_OP_RECONNECT:
        return result != VB_TEST_RESULT_FAIL;
    default:
        return TRUE;
    }
}

static gboolean read_operation(xmlNode *node, VbTestFaults *faults, GError **error)
{
    VbTestOpFault *fault = g_new0(VbTestOpFault, 1);
    int op = -1;
    gboolean guest;

    g_ptr_array_add(faults->ops, fault);
    fault->message = g_strdup("the metadata orders that this operation fails");
    if (!take_words(node, "name", op_words, G_N_ELEMENTS(op_words), &op, error))
        return FALSE;
    if (op < 0)
        return invalid(error, node, "name is missing");
    fault->op = op;
    if (!take_uint(node, "delay", MAX_TIME, &fault->delay, error) ||
        !TAKE_WORD(node, "result", result_words, &fault->result, error) ||
        !take_message(node, &fault->message, error))
        return FALSE;
    if (!op_may(fault->op, fault->result))
        return invalid(error, node, "%s cannot %s", op_words[op], result_words[fault->result]);
    /* These are counted while the domain runs. */
    if (fault->op != VB_TEST_OP_PREPARE && fault->op != VB_TEST_OP_START &&
        !take_uint(node, "times", G_MAXINT, &fault->rule.times, error))
        return FALSE;
    guest = fault->op == VB_TEST_OP_SHUTDOWN || fault->op == VB_TEST_OP_REBOOT;
    if (guest && (!TAKE_WORD(node, "guest", guest_words, &fault->guest_ignores, error) ||
                  !take_uint(node, "guest-delay", MAX_TIME, &fault->guest_delay, error)))
        return FALSE;
    return check_empty(node, error);
}

static gboolean read_crash(xmlNode *node, VbTestFaults *faults, GError **error)
{
    if (faults->crash)
        return invalid(error, node, "there is more than one");
    faults->crash = TRUE;
    return take_uint(node, "after", MAX_TIME, &faults->crash_after, error) &&
           check_empty(node, error);
}

static gboolean read_start(xmlNode *node, VbTestJobFault *job, GError **error)
{
    return take_uint(node, "delay", MAX_TIME, &job->start_delay, error) &&
           TAKE_WORD(node, "result", start_words, &job->start_fails, error) &&
           TAKE_WORD(node, "reply", reply_words, &job->start_reply, error) &&
           take_message(node, &job->start_message, error) && check_empty(node, error);
}

static gboolean read_io_error(xmlNode *node, VbTestJobFault *job, GError **error)
{
    job->io_error = TRUE;
    job->io_error_status = VB_IO_STATUS_FAILED;
    return take_u64(node, "at", G_MAXINT64, &job->io_error_at, error) &&
           TAKE_WORD(node, "status", io_words, &job->io_error_status, error) &&
           check_empty(node, error);
}

static gboolean read_end(xmlNode *node, VbTestJobFault *job, GError **error)
{
    return TAKE_WORD(node, "result", end_words, &job->end, error) &&
           take_uint(node, "reports", 2, &job->end_reports, error) &&
           take_message(node, &job->end_message, error) && check_empty(node, error);
}

static gboolean read_pivot(xmlNode *node, VbTestJobFault *job, GError **error)
{
    return TAKE_WORD(node, "result", pivot_words, &job->pivot, error) &&
           take_uint(node, "delay", MAX_TIME, &job->pivot_delay, error) &&
           take_uint(node, "finalize-delay", MAX_TIME, &job->finalize_delay, error) &&
           take_uint(node, "reports", 2, &job->pivot_reports, error) &&
           take_message(node, &job->pivot_message, error) && check_empty(node, error);
}

static gboolean read_cancel(xmlNode *node, VbTestJobFault *job, GError **error)
{
    VbTestCancelFault *fault = g_new0(VbTestCancelFault, 1);

    g_ptr_array_add(job->cancels, fault);
    fault->message = g_strdup("the metadata orders that this cancel is refused");
    if (!take_uint(node, "times", G_MAXINT, &fault->rule.times, error) ||
        !TAKE_WORD(node, "flavour", flavour_words, &fault->flavour, error) ||
        !TAKE_WORD(node, "result", cancel_words, &fault->result, error))
        return FALSE;
    fault->reports = vb_test_cancel_reports(job->cancel_mode, fault->result);
    return take_uint(node, "delay", MAX_TIME, &fault->delay, error) &&
           TAKE_WORD(node, "reply", reply_words, &fault->reply, error) &&
           take_uint(node, "reports", 2, &fault->reports, error) &&
           take_message(node, &fault->message, error) && check_empty(node, error);
}

static gboolean read_block_job(xmlNode *node, VbTestFaults *faults, GError **error)
{
    static const struct {
        const char *name;
        gboolean (*read)(xmlNode *node, VbTestJobFault *job, GError **error);
        gboolean many;
    } children[] = {
        {"start", read_start}, {"io-error", read_io_error},   {"end", read_end},
        {"pivot", read_pivot}, {"cancel", read_cancel, TRUE},
    };
    gboolean seen[G_N_ELEMENTS(children)] = {FALSE};
    VbTestJobFault *job = job_fault_new();
    int type = -1;

    g_ptr_array_add(faults->jobs, job);
    job->disk = take(node, "disk");
    if (!take_words(node, "type", type_words, G_N_ELEMENTS(type_words), &type, error) ||
        !take_uint(node, "times", G_MAXINT, &job->rule.times, error) ||
        !take_u64(node, "length", G_MAXINT64, &job->length, error) ||
        !take_uint(node, "duration", MAX_TIME, &job->duration, error) ||
        !TAKE_WORD(node, "cancel-mode", mode_words, &job->cancel_mode, error))
        return FALSE;
    if (type >= 0)
        job->type = g_strdup(type_words[type]);

    for (xmlNode *child = xmlFirstElementChild(node); child; child = xmlNextElementSibling(child)) {
        gsize i = 0;

        while (i < G_N_ELEMENTS(children) && !is_element(child, children[i].name))
            i++;
        if (i == G_N_ELEMENTS(children))
            return invalid(error, node, "unknown element <%s>", (const char *)child->name);
        if (seen[i] && !children[i].many)
            return invalid(error, child, "there is more than one");
        seen[i] = TRUE;
        if (!children[i].read(child, job, error))
            return FALSE;
    }
    if (job->io_error && job->io_error_at > job->length)
        return invalid(error, node, "the <test:io-error> is behind the job's length");
    return check_left(node, error);
}

static gboolean read_faults(xmlNode *node, VbTestFaults *faults, GError **error)
{
    for (xmlNode *child = xmlFirstElementChild(node); child; child = xmlNextElementSibling(child)) {
        gboolean ok;

        if (is_element(child, "operation"))
            ok = read_operation(child, faults, error);
        else if (is_element(child, "block-job"))
            ok = read_block_job(child, faults, error);
        else if (is_element(child, "crash"))
            ok = read_crash(child, faults, error);
        else
            ok = invalid(error, node, "unknown element <%s>", (const char *)child->name);
        if (!ok)
            return FALSE;
        if (faults->ops->len + faults->jobs->len > MAX_RULES)
            return invalid(error, node, "there are more than %d rules", MAX_RULES);
    }
    return check_left(node, error);
}

static gboolean read_metadata(xmlNode *root, VbTestFaults *faults, GError **error)
{
    gboolean seen = FALSE;

    for (xmlNode *child = xmlFirstElementChild(root); child; child = xmlNextElementSibling(child)) {
        if (child->ns == NULL || !xmlStrEqual(child->ns->href, BAD_CAST VB_TEST_NAMESPACE))
            continue;
        if (!is_element(child, "faults"))
            return invalid(error, child, "unknown element");
        if (seen)
            return invalid(error, child, "there is more than one");
        seen = TRUE;
        if (!read_faults(child, faults, error))
            return FALSE;
    }
    return TRUE;
}

VbTestFaults *vb_test_faults_parse(const char *metadata, GError **error)
{
    g_autoptr(VbTestFaults) faults = g_new0(VbTestFaults, 1);
    gsize length = metadata ? strlen(metadata) : 0;
    xmlDoc *document;
    gboolean ok;

    faults->ops = g_ptr_array_new_with_free_func(op_fault_free);
    faults->jobs = g_ptr_array_new_with_free_func(job_fault_free);
    faults->other_jobs = job_fault_new();
    if (metadata == NULL)
        return g_steal_pointer(&faults);

    document = length > G_MAXINT
                   ? NULL
                   : xmlReadMemory(metadata, length, NULL, NULL,
                                   XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (document == NULL || document->intSubset) {
        g_clear_pointer(&document, xmlFreeDoc);
        g_set_error(error, VB_ERROR, VB_ERROR_INVALID_XML,
                    "<metadata> is not a well-formed document");
        return NULL;
    }
    ok = read_metadata(xmlDocGetRootElement(document), faults, error);
    xmlFreeDoc(document);
    return ok ? g_steal_pointer(&faults) : NULL;
}

void vb_test_faults_free(VbTestFaults *faults)
{
    if (faults == NULL)
        return;
    g_clear_pointer(&faults->ops, g_ptr_array_unref);
    g_clear_pointer(&faults->jobs, g_ptr_array_unref);
    job_fault_free(faults->other_jobs);
    g_free(faults);
}

/* ---- asking ---- */

static gboolean take_rule(VbTestRule *rule)
{
    if (rule->times > 0 && rule->used >= rule->times)
        return FALSE;
    if (rule->used < G_MAXINT)
        rule->used++;
    return TRUE;
}

const VbTestOpFault *vb_test_faults_take_op(VbTestFaults *faults, VbTestOp op)
{
    for (guint i = 0; i < faults->ops->len; i++) {
        VbTestOpFault *fault = faults->ops->pdata[i];

        if (fault->op == op && take_rule(&fault->rule))
            return fault;
    }
    return NULL;
}

VbTestJobFault *vb_test_faults_take_job(VbTestFaults *faults, const char *disk, const char *type)
{
    for (guint i = 0; i < faults->jobs->len; i++) {
        VbTestJobFault *fault = faults->jobs->pdata[i];

        if ((fault->disk == NULL || g_str_equal(fault->disk, disk)) &&
            (fault->type == NULL || g_str_equal(fault->type, type)) && take_rule(&fault->rule))
            return fault;
    }
    return faults->other_jobs;
}

guint vb_test_cancel_reports(VbCancelMode mode, VbTestCancelResult result)
{
    if (result == VB_TEST_CANCEL_NOT_FOUND)
        return 0;
    return mode == VB_CANCEL_SILENT && result == VB_TEST_CANCEL_CANCELED ? 0 : 1;
}

const VbTestCancelFault *vb_test_job_fault_take_cancel(VbTestJobFault *fault,
                                                       VbCancelFlavour flavour)
{
    VbTestFlavour wanted =
        flavour == VB_CANCEL_SOFT ? VB_TEST_FLAVOUR_SOFT : VB_TEST_FLAVOUR_FORCED;

    for (guint i = 0; i < fault->cancels->len; i++) {
        VbTestCancelFault *cancel = fault->cancels->pdata[i];

        if ((cancel->flavour == VB_TEST_FLAVOUR_ANY || cancel->flavour == wanted) &&
            take_rule(&cancel->rule))
            return cancel;
    }
    return NULL;
}

/* Calls `visit` for each rule, in a fixed order. */
static void each_rule(const VbTestFaults *faults, void (*visit)(VbTestRule *rule, gpointer data),
                      gpointer data)
{
    for (guint i = 0; i < faults->ops->len; i++)
        visit(&((VbTestOpFault *)faults->ops->pdata[i])->rule, data);
    for (guint i = 0; i < faults->jobs->len; i++) {
        VbTestJobFault *job = faults->jobs->pdata[i];

        visit(&job->rule, data);
        for (guint j = 0; j < job->cancels->len; j++)
            visit(&((VbTestCancelFault *)job->cancels->pdata[j])->rule, data);
    }
}

static void add_used(VbTestRule *rule, gpointer data)
{
    int used = rule->used;

    g_array_append_val((GArray *)data, used);
}

GArray *vb_test_faults_get_used(const VbTestFaults *faults)
{
    GArray *used = g_array_new(FALSE, FALSE, sizeof(int));

    each_rule(faults, add_used, used);
    return used;
}

typedef struct {
    const int *next;
    gsize left;
} UsedReader;

static void set_used(VbTestRule *rule, gpointer data)
{
    UsedReader *reader = data;

    if (reader->left == 0)
        return;
    rule->used = MAX(*reader->next, 0);
    reader->next++;
    reader->left--;
}

void vb_test_faults_set_used(VbTestFaults *faults, const int *used, gsize n_used)
{
    each_rule(faults, set_used, &(UsedReader){used, n_used});
}

int vb_test_faults_job_index(const VbTestFaults *faults, const VbTestJobFault *fault)
{
    guint index;

    return g_ptr_array_find(faults->jobs, fault, &index) ? (int)index : -1;
}

VbTestJobFault *vb_test_faults_job_at(const VbTestFaults *faults, int index)
{
    if (index == -1)
        return faults->other_jobs;
    return index >= 0 && (guint)index < faults->jobs->len ? faults->jobs->pdata[index] : NULL;
}
