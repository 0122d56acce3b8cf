/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See manager-call.h. */
#include "manager-call.h"

/* ---- finding ----------------------------------------------------------------------------------
 */

static void reply_path(VbCall *call, const VbManagerKind *kind, gconstpointer object)
{
    g_autofree char *path = kind->path(object);

    vb_call_reply(call, "o", path);
}

void vb_manager_get_by_name(VbCall *call, VbHost *host, const VbManagerKind *kind)
{
    const char *name;
    GError *error = NULL;
    gconstpointer object;

    if (!vb_call_read(call, &error, "s", &name) || !vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else if ((object = kind->by_name(host, name)) == NULL)
        vb_call_failf(call, kind->none, "no %s has the name '%s'", kind->noun, name);
    else
        reply_path(call, kind, object);
}

void vb_manager_get_by_uuid(VbCall *call, VbHost *host, const VbManagerKind *kind)
{
    g_autofree char *lower = NULL;
    const char *uuid;
    GError *error = NULL;
    gconstpointer object;

    if (!vb_call_read(call, &error, "s", &uuid) || !vb_call_read_no_options(call, &error)) {
        vb_call_fail(call, error);
        return;
    }
    lower = g_ascii_strdown(uuid, -1);
    if (!g_uuid_string_is_valid(lower))
        vb_call_failf(call, VB_ERROR_INVALID_ARGS, "'%s' is not a UUID", uuid);
    else if ((object = kind->by_uuid(host, lower)) == NULL)
        vb_call_failf(call, kind->none, "no %s has the UUID %s", kind->noun, lower);
    else
        reply_path(call, kind, object);
}

/* ---- listing ----------------------------------------------------------------------------------
 */

/* An option that narrows a list: absent, or the value that is asked for. */
typedef struct {
    gboolean given, value;
} Filter;

static Filter take_filter(VbOptions *options, const char *key)
{
    Filter filter = {FALSE, FALSE};

    filter.given = vb_options_take_bool(options, key, &filter.value);
    return filter;
}

static gboolean filter_allows(Filter filter, gboolean value)
{
    return !filter.given || !filter.value == !value;
}

void vb_manager_list(VbCall *call, VbHost *host, const VbManagerKind *kind)
{
    GError *error = NULL;
    g_autoptr(VbOptions) options = vb_call_read_options(call, &error);
    g_autoptr(GPtrArray) objects = NULL;
    Filter active, persistent;
    sd_bus_message *reply;

    if (options == NULL) {
        vb_call_fail(call, error);
        return;
    }
    active = take_filter(options, "active");
    persistent = take_filter(options, "persistent");
    if (!vb_options_finish(options, &error)) {
        vb_call_fail(call, error);
        return;
    }
    objects = kind->list(host);
    reply = vb_call_new_reply(call);
    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "o");
    for (guint i = 0; i < objects->len; i++) {
        gconstpointer object = objects->pdata[i];

        if (filter_allows(active, kind->is_active(object)) &&
            filter_allows(persistent, kind->is_persistent(object))) {
            g_autofree char *path = kind->path(object);

            sd_bus_message_append_basic(reply, SD_BUS_TYPE_OBJECT_PATH, path);
        }
    }
    sd_bus_message_close_container(reply);
    vb_call_reply_message(call, reply);
}

/* ---- waiting ----------------------------------------------------------------------------------
 */

typedef struct {
    VbCall *call;
    VbHost *host;
    VbManagerFinish finish;
} Wait;

gpointer vb_manager_wait(VbCall *call, VbHost *host, VbManagerFinish finish)
{
    Wait *wait = g_new(Wait, 1);

    *wait = (Wait){vb_call_ref(call), host, finish};
    return wait;
}

void vb_manager_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Wait *wait = data;
    g_autoptr(VbCall) call = wait->call;
    g_autoptr(GError) error = NULL;
    g_autofree char *value = wait->finish(wait->host, result, &error);

    if (vb_call_replied(call)) /* the daemon's end was faster */
        return;
    if (value == NULL)
        vb_call_fail(call, g_steal_pointer(&error));
    else
        vb_call_reply(call, vb_call_method(call)->out, value);
}
