/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A call's way: dispatch → authority → the object again → handler → one reply. It is on the
 * registry's list until it is answered, so that the daemon's end answers it, too. */
#include "call.h"

#include "errors.h"
#include "registry-private.h"

struct VbCall {
    sd_bus_message *message;
    const VbMethod *method;
    VbRegistry *registry; /* NULL once it is gone */
    guint64 generation;   /* of the object that was called */
    uid_t uid;
    gboolean replied;
    GList link; /* in the registry's calls, as long as there is no reply */
};

static void call_answered(VbCall *call)
{
    call->replied = TRUE;
    if (call->registry != NULL)
        g_queue_unlink(vb_registry_calls(call->registry), &call->link);
}

/* The one place that sends. FALSE: the message is not fit to be sent. That the connection is gone
 * is no failure: there is nobody to tell. */
static gboolean call_send(VbCall *call, sd_bus_message *reply)
{
    sd_bus *bus = sd_bus_message_get_bus(call->message);

    if (call->registry != NULL)
        vb_registry_flush(call->registry);
    if (sd_bus_send(bus, reply, NULL) < 0 && sd_bus_is_open(bus) > 0)
        return FALSE;
    call_answered(call);
    return TRUE;
}

static void call_send_error(VbCall *call, const GError *error)
{
    sd_bus_error bus_error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;

    vb_error_to_bus(error, &bus_error);
    if (sd_bus_message_new_method_error(call->message, &reply, &bus_error) < 0 ||
        !call_send(call, reply))
        call_answered(call);
    sd_bus_message_unref(reply);
    sd_bus_error_free(&bus_error);
}

/* FALSE, with a critical, if there was a reply already. */
static gboolean call_may_reply(VbCall *call)
{
    if (call->replied)
        g_critical("second reply to %s of %s", call->method->member, vb_call_path(call));
    return !call->replied;
}

static VbCall *call_new(VbRegistry *registry, const VbObject *object, const VbMethod *method,
                        sd_bus_message *message)
{
    VbCall *call = g_rc_box_new0(VbCall);

    call->message = sd_bus_message_ref(message);
    call->method = method;
    call->registry = registry;
    call->generation = vb_object_generation(object);
    call->uid = (uid_t)-1;
    call->link.data = call;
    g_queue_push_tail_link(vb_registry_calls(registry), &call->link);
    return call;
}

static void call_clear(VbCall *call)
{
    if (!call->replied) {
        g_autoptr(GError) error = g_error_new(VB_ERROR, VB_ERROR_FAILED,
                                              "%s ended without an answer", call->method->member);
        g_critical("no reply to %s of %s", call->method->member, vb_call_path(call));
        call_send_error(call, error);
    }
    sd_bus_message_unref(call->message);
}

VbCall *vb_call_ref(VbCall *call)
{
    return g_rc_box_acquire(call);
}

void vb_call_unref(VbCall *call)
{
    if (call != NULL)
        g_rc_box_release_full(call, (GDestroyNotify)call_clear);
}

static void call_handle(VbCall *call)
{
    VbObject *object = vb_call_object(call);

    if (object == NULL)
        vb_call_failf(call, VB_ERROR_UNKNOWN_OBJECT, "object %s is gone", vb_call_path(call));
    else
        call->method->handler(call, vb_object_data(object));
}

static void on_authorized(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbCall) call = data;
    GError *error = NULL;
    gboolean allowed = vb_authority_check_finish(result, &call->uid, &error);

    if (call->replied) /* abandoned meanwhile */
        g_clear_error(&error);
    else if (!allowed)
        vb_call_fail(call, error);
    else
        call_handle(call);
}

void vb_call_dispatch(VbRegistry *registry, const VbObject *object, const VbMethod *method,
                      sd_bus_message *message)
{
    g_autoptr(VbCall) call = call_new(registry, object, method, message);

    if (vb_registry_calls(registry)->length > VB_REGISTRY_CALLS_MAX)
        vb_call_failf(call, VB_ERROR_LIMITS_EXCEEDED, "more than %d calls wait for their answer",
                      VB_REGISTRY_CALLS_MAX);
    else if (method->access.kind == VB_ACCESS_PUBLIC)
        call_handle(call);
    else /* no cancellable: the decision is bounded by the bus's own timeout */
        vb_authority_check_async(vb_registry_authority(registry), vb_call_sender(call),
                                 method->access.action, NULL, on_authorized, vb_call_ref(call));
}

void vb_call_abandon(VbCall *call)
{
    g_autoptr(GError) error = g_error_new(VB_ERROR, VB_ERROR_FAILED,
                                          "the daemon ended before %s did", call->method->member);

    call_send_error(call, error);
    call->registry = NULL;
}

const char *vb_call_sender(VbCall *call)
{
    return sd_bus_message_get_sender(call->message);
}

const char *vb_call_path(VbCall *call)
{
    return sd_bus_message_get_path(call->message);
}

const VbMethod *vb_call_method(VbCall *call)
{
    return call->method;
}

const char *vb_call_action(VbCall *call)
{
    return call->method->access.action;
}

uid_t vb_call_uid(VbCall *call)
{
    return call->uid;
}

VbRegistry *vb_call_registry(VbCall *call)
{
    return call->registry;
}

VbObject *vb_call_object(VbCall *call)
{
    VbObject *object;

    if (call->registry == NULL)
        return NULL;
    object = vb_registry_lookup(call->registry, vb_call_path(call));
    return object != NULL && vb_object_generation(object) == call->generation ? object : NULL;
}

gpointer vb_call_data(VbCall *call)
{
    VbObject *object = vb_call_object(call);

    return object != NULL ? vb_object_data(object) : NULL;
}

gboolean vb_call_read(VbCall *call, GError **error, const char *types, ...)
{
    va_list args;
    int r;

    va_start(args, types);
    r = sd_bus_message_readv(call->message, types, args);
    va_end(args);
    if (r > 0)
        return TRUE;
    g_set_error(error, VB_ERROR, VB_ERROR_INVALID_ARGS, "the arguments of %s cannot be read",
                call->method->member);
    return FALSE;
}

VbOptions *vb_call_read_options(VbCall *call, GError **error)
{
    return vb_options_parse(call->message, error);
}

gboolean vb_call_read_no_options(VbCall *call, GError **error)
{
    g_autoptr(VbOptions) options = vb_options_parse(call->message, error);

    return options != NULL && vb_options_finish(options, error);
}

/* Our mistake, told to both sides. */
static void reply_unfit(VbCall *call)
{
    g_autoptr(GError) error =
        g_error_new(VB_ERROR, VB_ERROR_FAILED, "%s could not make its reply", call->method->member);

    g_critical("reply to %s of %s is not of type '%s'", call->method->member, vb_call_path(call),
               call->method->out);
    call_send_error(call, error);
}

sd_bus_message *vb_call_new_reply(VbCall *call)
{
    sd_bus_message *reply = NULL;

    sd_bus_message_new_method_return(call->message, &reply);
    return reply;
}

void vb_call_reply_message(VbCall *call, sd_bus_message *reply)
{
    if (call_may_reply(call)) {
        if (reply == NULL ||
            g_strcmp0(sd_bus_message_get_signature(reply, TRUE), call->method->out) != 0 ||
            !call_send(call, reply))
            reply_unfit(call);
    }
    sd_bus_message_unref(reply);
}

void vb_call_reply(VbCall *call, const char *types, ...)
{
    sd_bus_message *reply = vb_call_new_reply(call);
    va_list args;

    if (reply != NULL && *types != '\0') {
        int r;

        va_start(args, types);
        r = sd_bus_message_appendv(reply, types, args);
        va_end(args);
        if (r < 0)
            reply = sd_bus_message_unref(reply);
    }
    vb_call_reply_message(call, reply);
}

void vb_call_fail(VbCall *call, GError *error)
{
    if (call_may_reply(call))
        call_send_error(call, error);
    g_error_free(error);
}

void vb_call_failf(VbCall *call, VbError code, const char *format, ...)
{
    GError *error;
    va_list args;

    va_start(args, format);
    error = g_error_new_valist(VB_ERROR, code, format, args);
    va_end(args);
    vb_call_fail(call, error);
}

gboolean vb_call_replied(VbCall *call)
{
    return call->replied;
}
