/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vtable, handler and getters of org.virtbus1.BlockJob. */
#include "block-job.h"

#include "actions.h"
#include "answer.h"
#include "job-object.h"
#include "message.h"
#include "object-path.h"

static void handle_pivot(VbCall *call, gpointer data)
{
    GError *error = NULL;
    g_autoptr(VbOptions) options = vb_call_read_options(call, &error);
    gboolean async = FALSE;

    if (options != NULL)
        vb_options_take_bool(options, "async", &async);
    if (options == NULL || !vb_options_finish(options, &error))
        vb_call_fail(call, error);
    else
        vb_job_pivot_async(data, async ? VB_JOB_ASYNC : VB_JOB_WAIT, vb_answer,
                           vb_job_object_answer_data(call, data));
}

static const VbMethod methods[] = {
    VB_METHOD("Pivot", "a{sv}", "options", "", "", VB_ACTION(VB_ACTION_JOB_CONTROL), handle_pivot),
    {}};

static void get_domain(sd_bus_message *reply, gpointer data)
{
    g_autofree char *path = vb_domain_path(vb_job_info(data)->domain);

    sd_bus_message_append(reply, "o", path);
}

static void get_disk(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_job_info(data)->disk);
}

static void get_type(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_job_type_to_string(vb_job_info(data)->type));
}

static void get_ready(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "b", vb_job_info(data)->ready);
}

static void get_cancel_requested(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "b", vb_job_info(data)->cancel_requested);
}

static void get_pivot_requested(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "b", vb_job_info(data)->pivot_requested);
}

static void get_io_status(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_io_status_to_string(vb_job_info(data)->io_status));
}

static const VbProperty properties[] = {
    VB_PROPERTY("Domain", "o", VB_CONST, get_domain),
    VB_PROPERTY("Disk", "s", VB_CONST, get_disk),
    VB_PROPERTY("Type", "s", VB_CONST, get_type),
    VB_PROPERTY("Ready", "b", VB_EMITS_CHANGE, get_ready),
    VB_PROPERTY("CancelRequested", "b", VB_EMITS_CHANGE, get_cancel_requested),
    VB_PROPERTY("PivotRequested", "b", VB_EMITS_CHANGE, get_pivot_requested),
    VB_PROPERTY("IoStatus", "s", VB_EMITS_CHANGE, get_io_status),
    {}};

const VbInterface vb_block_job_interface = {"org.virtbus1.BlockJob", methods, properties, NULL,
                                            NULL};
