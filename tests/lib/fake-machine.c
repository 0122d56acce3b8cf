/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A machine that runs or does not, and jobs that are what the events said of them. */
#include "fake-machine.h"

#include <string.h>

#include "json-get.h"
#include "json-limits.h"
#include "qmp-args.h"

struct VbFakeMachine {
    VbFakeMachineSend send;
    gpointer user_data;
    gboolean running;
    gboolean started;    /* ran at least once */
    GHashTable *jobs;    /* id → status */
    GHashTable *types;   /* id → type, from the BLOCK_JOB_… events and the commands */
    GHashTable *answers; /* command → JsonNode */
};

VbFakeMachine *vb_fake_machine_new(VbFakeMachineSend send, gpointer user_data)
{
    VbFakeMachine *machine = g_new0(VbFakeMachine, 1);

    machine->send = send;
    machine->user_data = user_data;
    machine->jobs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    machine->types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    machine->answers =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)json_node_unref);
    return machine;
}

void vb_fake_machine_free(VbFakeMachine *machine)
{
    g_hash_table_unref(machine->jobs);
    g_hash_table_unref(machine->types);
    g_hash_table_unref(machine->answers);
    g_free(machine);
}

void vb_fake_machine_set_answer(VbFakeMachine *machine, const char *command, const char *json)
{
    g_autoptr(GError) error = NULL;
    JsonNode *node = json_from_string(json, &error);

    g_assert_no_error(error);
    g_hash_table_replace(machine->answers, g_strdup(command), node);
}

static void emit(VbFakeMachine *machine, const char *name, JsonObject *data)
{
    machine->send(vb_qmp_args(VB_ARG_STRING("event", name), VB_ARG_OBJECT("data", data)),
                  machine->user_data);
}

static void emit_job_status(VbFakeMachine *machine, const char *id, const char *status)
{
    emit(machine, "JOB_STATUS_CHANGE",
         vb_qmp_args(VB_ARG_STRING("id", id), VB_ARG_STRING("status", status)));
}

/* A pull that nobody has scripted: it runs, and that is all it does. */
static void start_job(VbFakeMachine *machine, const char *id)
{
    if (!id)
        return;
    emit_job_status(machine, id, "running");
    g_hash_table_replace(machine->jobs, g_strdup(id), g_strdup("running"));
}

void vb_fake_machine_observe(VbFakeMachine *machine, JsonObject *message)
{
    const char *event = vb_json_get_string(message, "event");
    JsonObject *data = vb_json_get_object(message, "data");
    const char *id = vb_json_get_string(data, "id");
    const char *device = vb_json_get_string(data, "device");
    const char *status = vb_json_get_string(data, "status");
    const char *type = vb_json_get_string(data, "type");

    if (device && type)
        g_hash_table_replace(machine->types, g_strdup(device), g_strdup(type));
    if (g_strcmp0(event, "JOB_STATUS_CHANGE") != 0 || !id || !status)
        return;
    if (strcmp(status, "null") == 0)
        g_hash_table_remove(machine->jobs, id);
    else
        g_hash_table_replace(machine->jobs, g_strdup(id), g_strdup(status));
}

static JsonNode *query_jobs(VbFakeMachine *machine)
{
    JsonArray *array = json_array_new();
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);
    GHashTableIter iter;
    gpointer id, status;

    g_hash_table_iter_init(&iter, machine->jobs);
    while (g_hash_table_iter_next(&iter, &id, &status)) {
        const char *type = g_hash_table_lookup(machine->types, id);
        json_array_add_object_element(
            array,
            vb_qmp_args(VB_ARG_STRING("id", id), VB_ARG_STRING("status", status),
                        VB_ARG_STRING("type", type ? type : "stream"),
                        VB_ARG_INT("current-progress", 0), VB_ARG_INT("total-progress", 100)));
    }
    json_node_take_array(node, array);
    return node;
}

static JsonNode *empty_object(void)
{
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(node, json_object_new());
    return node;
}

static JsonNode *query_status(VbFakeMachine *machine)
{
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    const char *status = machine->running ? "running" : machine->started ? "paused" : "prelaunch";

    json_node_take_object(
        node, vb_qmp_args(VB_ARG_STRING("status", status), VB_ARG_BOOL("running", machine->running),
                          VB_ARG_BOOL("singlestep", FALSE)));
    return node;
}

static void set_running(VbFakeMachine *machine, gboolean running)
{
    if (machine->running == running)
        return;
    machine->running = running;
    machine->started = TRUE;
    emit(machine, running ? "RESUME" : "STOP", NULL);
}

/* job-dismiss and the like on a job that the script has not mentioned, or has concluded. */
static JsonNode *job_verb(VbFakeMachine *machine, const char *command, const char *id)
{
    if (!id || !g_hash_table_contains(machine->jobs, id))
        return NULL;
    if (strcmp(command, "job-dismiss") == 0) {
        emit_job_status(machine, id, "null");
        g_hash_table_remove(machine->jobs, id);
    }
    return empty_object();
}

/* What "return" is; NULL for an error. */
static JsonNode *value_for(VbFakeMachine *machine, const char *command, JsonObject *arguments)
{
    JsonNode *fixed = g_hash_table_lookup(machine->answers, command);

    if (fixed)
        return json_node_copy(fixed);
    if (strcmp(command, "query-jobs") == 0)
        return query_jobs(machine);
    if (strcmp(command, "query-status") == 0)
        return query_status(machine);
    if (g_str_has_prefix(command, "query-"))
        return json_from_string("[]", NULL);
    if (g_str_has_prefix(command, "job-") || strcmp(command, "block-job-cancel") == 0) {
        const char *id = vb_json_get_string(arguments, "id");
        return job_verb(machine, command, id ? id : vb_json_get_string(arguments, "device"));
    }
    if (strcmp(command, "block-stream") == 0)
        start_job(machine, vb_json_get_string(arguments, "job-id"));
    else if (strcmp(command, "cont") == 0 || strcmp(command, "stop") == 0)
        set_running(machine, strcmp(command, "cont") == 0);
    else if (strcmp(command, "system_reset") == 0)
        emit(machine, "RESET",
             vb_qmp_args(VB_ARG_BOOL("guest", FALSE),
                         VB_ARG_STRING("reason", "host-qmp-system-reset")));
    else if (strcmp(command, "quit") == 0)
        emit(machine, "SHUTDOWN",
             vb_qmp_args(VB_ARG_BOOL("guest", FALSE), VB_ARG_STRING("reason", "host-qmp-quit")));
    return empty_object();
}

gboolean vb_fake_machine_answer(VbFakeMachine *machine, const char *command, JsonObject *arguments,
                                JsonObject **ret_reply)
{
    JsonNode *value = value_for(machine, command, arguments);

    *ret_reply = json_object_new();
    if (value)
        json_object_set_member(*ret_reply, "return", value);
    else
        json_object_set_object_member(*ret_reply, "error",
                                      vb_qmp_args(VB_ARG_STRING("class", "GenericError"),
                                                  VB_ARG_STRING("desc", "Job not found")));
    return strcmp(command, "quit") == 0;
}
