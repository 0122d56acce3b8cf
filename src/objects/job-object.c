/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vtable, handlers and getters of org.virtbus1.Job. */
#include "job-object.h"

#include "actions.h"
#include "answer.h"
#include "domain-object.h"
#include "errors.h"
#include "message.h"
#include "object-path.h"

#define CONTROL VB_ACTION(VB_ACTION_JOB_CONTROL)

gpointer vb_job_object_answer_data(VbCall *call, VbJob *job)
{
    return vb_answer_data(call, vb_job_ref(job), (GDestroyNotify)vb_job_unref,
                          (VbAnswerFinish)vb_job_finish);
}

/* ---- methods ----------------------------------------------------------------------------------
 */

static void handle_cancel(VbCall *call, gpointer data)
{
    GError *error = NULL;
    g_autoptr(VbOptions) options = vb_call_read_options(call, &error);
    gboolean async = FALSE, force = FALSE;

    if (options != NULL) {
        vb_options_take_bool(options, "async", &async);
        vb_options_take_bool(options, "force", &force);
    }
    if (options == NULL || !vb_options_finish(options, &error))
        vb_call_fail(call, error);
    else
        vb_job_cancel_async(data, (async ? VB_JOB_ASYNC : 0) | (force ? VB_JOB_FORCE : 0),
                            vb_answer, vb_job_object_answer_data(call, data));
}

static void handle_dismiss(VbCall *call, gpointer data)
{
    const VbJobInfo *info = vb_job_info(data);
    uid_t uid = vb_call_uid(call);
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else if (uid != 0 && uid != info->started_by_uid)
        vb_call_failf(call, VB_ERROR_ACCESS_DENIED,
                      "only who started job %u may dismiss it, and root", info->number);
    else if (!vb_job_dismiss(data, &error))
        vb_call_fail(call, error);
    else
        vb_call_reply(call, "");
}

static void set_paused(VbCall *call, VbJob *job, gboolean paused)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_job_set_paused_async(job, paused, vb_answer, vb_job_object_answer_data(call, job));
}

static void handle_pause(VbCall *call, gpointer data)
{
    set_paused(call, data, TRUE);
}

static void handle_resume(VbCall *call, gpointer data)
{
    set_paused(call, data, FALSE);
}

static void handle_set_bandwidth(VbCall *call, gpointer data)
{
    guint64 bandwidth;
    GError *error = NULL;

    if (!vb_call_read(call, &error, "t", &bandwidth) || !vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else if (bandwidth > G_MAXINT64)
        vb_call_failf(call, VB_ERROR_INVALID_ARGS,
                      "a bandwidth of %" G_GUINT64_FORMAT " bytes/s is too large", bandwidth);
    else
        vb_job_set_bandwidth_async(data, bandwidth, vb_answer,
                                   vb_job_object_answer_data(call, data));
}

static const VbMethod methods[] = {
    VB_METHOD("Cancel", "a{sv}", "options", "", "", CONTROL, handle_cancel),
    VB_METHOD("Dismiss", "a{sv}", "options", "", "", CONTROL, handle_dismiss),
    VB_METHOD("Pause", "a{sv}", "options", "", "", CONTROL, handle_pause),
    VB_METHOD("Resume", "a{sv}", "options", "", "", CONTROL, handle_resume),
    VB_METHOD("SetBandwidth", "ta{sv}", "bandwidth options", "", "", CONTROL, handle_set_bandwidth),
    {}};

/* ---- properties -------------------------------------------------------------------------------
 */

static void get_operation(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_job_operation(data));
}

static void get_objects(sd_bus_message *reply, gpointer data)
{
    g_autofree char *path = vb_domain_path(vb_job_info(data)->domain);

    sd_bus_message_append(reply, "ao", 1, path);
}

static void get_state(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_job_state_to_string(vb_job_info(data)->state));
}

static void get_result(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_job_result_to_string(vb_job_info(data)->result));
}

/* The bus name of a failed job's error, else "". */
static const char *error_name(const VbJobInfo *info)
{
    return info->result == VB_JOB_RESULT_FAILED ? vb_error_info(info->error_code)->bus_name : "";
}

static void get_error_name(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, error_name(vb_job_info(data)));
}

static void get_error_message(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_job_info(data)->error_message);
}

static void get_current(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "t", vb_job_info(data)->current);
}

static void get_total(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "t", vb_job_info(data)->total);
}

static void get_bandwidth(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "t", vb_job_info(data)->bandwidth);
}

static void get_start_time(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "t", (guint64)vb_job_info(data)->start_time);
}

static void get_end_time(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "t", (guint64)vb_job_info(data)->end_time);
}

static void get_started_by_uid(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "u", vb_job_info(data)->started_by_uid);
}

static void get_cancelable(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "b", vb_job_is_cancelable(data));
}

static const VbProperty properties[] = {
    VB_PROPERTY("Operation", "s", VB_CONST, get_operation),
    VB_PROPERTY("Objects", "ao", VB_CONST, get_objects),
    VB_PROPERTY("State", "s", VB_EMITS_CHANGE, get_state),
    VB_PROPERTY("Result", "s", VB_EMITS_CHANGE, get_result),
    VB_PROPERTY("ErrorName", "s", VB_EMITS_CHANGE, get_error_name),
    VB_PROPERTY("ErrorMessage", "s", VB_EMITS_CHANGE, get_error_message),
    VB_PROPERTY("Current", "t", VB_EMITS_CHANGE, get_current),
    VB_PROPERTY("Total", "t", VB_EMITS_CHANGE, get_total),
    VB_PROPERTY("Bandwidth", "t", VB_EMITS_CHANGE, get_bandwidth),
    VB_PROPERTY("StartTime", "t", VB_CONST, get_start_time),
    VB_PROPERTY("EndTime", "t", VB_EMITS_CHANGE, get_end_time),
    VB_PROPERTY("StartedByUid", "u", VB_CONST, get_started_by_uid),
    VB_PROPERTY("Cancelable", "b", VB_EMITS_CHANGE, get_cancelable),
    {}};

static const VbSignal signals[] = {VB_SIGNAL("Finished", "sss", "result error_name error_message"),
                                   {}};

static void describe(gpointer data, VbDetails *details)
{
    vb_domain_object_describe(vb_job_info(data)->domain, details);
    vb_details_set(details, "job_operation", vb_job_operation(data));
    vb_details_set(details, "disk", vb_job_info(data)->disk);
}

const VbInterface vb_job_interface = {"org.virtbus1.Job", methods, properties, signals, describe};

void vb_job_object_finished(VbRegistry *registry, VbObject *object)
{
    const VbJobInfo *info = vb_job_info(vb_object_data(object));
    sd_bus_message *signal =
        vb_registry_new_signal(registry, object, &vb_job_interface, "Finished");

    vb_message_append_string(signal, vb_job_result_to_string(info->result));
    vb_message_append_string(signal, error_name(info));
    vb_message_append_string(signal, info->error_message);
    vb_registry_emit_message(registry, signal);
}
