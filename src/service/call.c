/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A call's way: dispatch → prepare → authority, once for each action → the object again → handler →
 * one reply. It is on the registry's list until it is answered, so that the daemon's end answers
 * it, too. */
#include "call.h"

#include "errors.h"
#include "message.h"
#include "object.h"
#include "registry-private.h"

/* What the caller must be allowed. */
typedef struct {
    const char *action; /* interned */
    VbDetails *more;    /* of this question alone, or NULL */
} Question;

struct VbCall {
    sd_bus_message *message;
    const VbMethod *method;
    VbRegistry *registry; /* NULL once it is gone */
    guint64 generation;   /* of the object that was called */
    GPtrArray *questions; /* of Question, in the order in which they are asked */
    GHashTable *asked;    /* the same, borrowed: a document may name thousands of files */
    guint n_allowed;      /* so many of them are answered with yes */
    gboolean prepared;    /* the method's VbPrepare has run, if it has one */
    VbDetails *details;   /* of all questions */
    gpointer argument;    /* of the method's VbPrepare, for its handler */
    GDestroyNotify argument_free;
    VbSender *sender; /* among whose waiting calls it is counted; NULL: it is not */
    gsize bytes;      /* of its message */
    uid_t uid;
    gboolean replied;
    GList link; /* in the registry's calls, as long as there is no reply */
};

static void call_answered(VbCall *call)
{
    call->replied = TRUE;
    if (call->registry != NULL)
        g_queue_unlink(vb_registry_calls(call->registry), &call->link);
    if (call->sender != NULL) {
        vb_sender_leave(call->sender, call->bytes);
        g_clear_pointer(&call->sender, vb_sender_unref);
    }
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

/* What the rules are told of every call, besides what prepare adds. */
static VbDetails *describe(const VbFacet *facet, const VbMethod *method)
{
    g_autofree char *name = g_strconcat(facet->interface->name, ".", method->member, NULL);
    VbDetails *details = vb_details_new();

    vb_details_set(details, "method", name);
    vb_object_describe(facet->object, details);
    return details;
}

static void question_free(gpointer data)
{
    Question *question = data;

    vb_details_free(question->more);
    g_free(question);
}

static guint question_hash(gconstpointer data)
{
    const Question *question = data;

    return g_str_hash(question->action) ^ vb_details_hash(question->more);
}

static gboolean question_equal(gconstpointer a, gconstpointer b)
{
    const Question *one = a, *other = b;

    return one->action == other->action && vb_details_equal(one->more, other->more);
}

static VbCall *call_new(const VbFacet *facet, const VbMethod *method, sd_bus_message *message)
{
    VbCall *call = g_rc_box_new0(VbCall);
    VbRegistry *registry = facet->object->registry;

    call->message = sd_bus_message_ref(message);
    call->method = method;
    call->registry = registry;
    call->generation = vb_object_generation(facet->object);
    call->questions = g_ptr_array_new_with_free_func(question_free);
    call->asked = g_hash_table_new(question_hash, question_equal);
    if (method->access.kind == VB_ACCESS_ACTION)
        vb_call_require(call, method->access.action, NULL);
    if (method->access.kind == VB_ACCESS_ACTION || method->prepare != NULL)
        call->details = describe(facet, method);
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
    vb_call_set_argument(call, NULL, NULL);
    vb_details_free(call->details);
    g_hash_table_unref(call->asked);
    g_ptr_array_unref(call->questions);
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

static void call_gone(VbCall *call)
{
    vb_call_failf(call, VB_ERROR_UNKNOWN_OBJECT, "object %s is gone", vb_call_path(call));
}

static void call_handle(VbCall *call)
{
    VbObject *object = vb_call_object(call);

    if (object == NULL)
        call_gone(call);
    else
        call->method->handler(call, vb_object_data(object));
}

static void call_authorize(VbCall *call);

static void on_authorized(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbCall) call = data;
    GError *error = NULL;
    gboolean allowed = vb_authority_check_finish(result, &call->uid, &error);

    if (call->replied) { /* abandoned meanwhile */
        g_clear_error(&error);
    } else if (!allowed) {
        vb_call_fail(call, error);
    } else {
        call->n_allowed++;
        call_authorize(call);
    }
}

static void add_detail(const char *key, const char *value, gpointer details)
{
    vb_details_set(details, key, value);
}

/* No cancellable: the authority gives up by itself when the caller leaves. */
static void call_ask(VbCall *call, const Question *question)
{
    g_autoptr(VbDetails) details = vb_details_copy(call->details);

    if (question->more != NULL)
        vb_details_each(question->more, add_detail, details);
    vb_authority_check_async(vb_registry_authority(call->registry), vb_call_sender(call),
                             question->action, details, vb_call_is_interactive(call), NULL,
                             on_authorized, vb_call_ref(call));
}

/* The method's VbPrepare, and then all questions. */
static void call_prepare(VbCall *call)
{
    VbObject *object = vb_call_object(call);
    GError *error = NULL;

    call->prepared = TRUE;
    call->n_allowed = 0;
    if (object == NULL)
        call_gone(call);
    else if (call->method->prepare != NULL &&
             !call->method->prepare(call, vb_object_data(object), &error))
        vb_call_fail(call, error);
    else
        call_authorize(call);
}

/* Asks the next question; with none left, the call is served. */
static void call_authorize(VbCall *call)
{
    if (call->n_allowed < call->questions->len)
        call_ask(call, call->questions->pdata[call->n_allowed]);
    else if (!call->prepared)
        call_prepare(call);
    else
        call_handle(call);
}

/* One more call that may have to wait: is it too large, or are there too many already? */
static gboolean call_enter(VbCall *call, GError **error)
{
    const char *name = vb_call_sender(call);
    VbSender *sender;

    if (vb_registry_calls(call->registry)->length > VB_REGISTRY_CALLS_MAX)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED, "%d calls wait for their answer already",
                       VB_REGISTRY_CALLS_MAX);
    call->bytes = vb_message_body_size(call->message, VB_CALL_MESSAGE_MAX);
    if (call->bytes > VB_CALL_MESSAGE_MAX)
        return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED, "the message of %s is larger than %d bytes",
                       call->method->member, VB_CALL_MESSAGE_MAX);
    if (name == NULL)
        return TRUE;
    sender = vb_senders_get(vb_bus_senders(vb_registry_bus(call->registry)), name);
    if (!vb_sender_enter(sender, call->bytes, error))
        return FALSE;
    call->sender = vb_sender_ref(sender);
    return TRUE;
}

void vb_call_dispatch(const VbFacet *facet, const VbMethod *method, sd_bus_message *message)
{
    g_autoptr(VbCall) call = call_new(facet, method, message);
    GError *error = NULL;

    if (!call_enter(call, &error))
        vb_call_fail(call, error);
    else if (call->bytes <= VB_CALL_PREPARED_MAX)
        call_prepare(call);
    else /* who may not do it at all does not make us read so much */
        call_authorize(call);
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

gboolean vb_call_is_interactive(VbCall *call)
{
    return sd_bus_message_get_allow_interactive_authorization(call->message) > 0;
}

VbDetails *vb_call_details(VbCall *call)
{
    return call->details;
}

void vb_call_require(VbCall *call, const char *action, VbDetails *more)
{
    Question *question = g_new(Question, 1);

    *question = (Question){g_intern_string(action), more};
    if (g_hash_table_contains(call->asked, question)) {
        question_free(question);
    } else {
        g_hash_table_add(call->asked, question);
        g_ptr_array_add(call->questions, question);
    }
}

void vb_call_set_argument(VbCall *call, gpointer argument, GDestroyNotify destroy)
{
    if (call->argument != NULL && call->argument_free != NULL)
        call->argument_free(call->argument);
    call->argument = argument;
    call->argument_free = destroy;
}

gpointer vb_call_argument(VbCall *call)
{
    return call->argument;
}

gpointer vb_call_steal_argument(VbCall *call)
{
    return g_steal_pointer(&call->argument);
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

static gboolean unreadable(VbCall *call, GError **error)
{
    return vb_fail(error, VB_ERROR_INVALID_ARGS, "the arguments of %s cannot be read",
                   call->method->member);
}

gboolean vb_call_read(VbCall *call, GError **error, const char *types, ...)
{
    va_list args;
    int r;

    va_start(args, types);
    r = sd_bus_message_readv(call->message, types, args);
    va_end(args);
    return r > 0 || unreadable(call, error);
}

gboolean vb_call_read_strv(VbCall *call, GStrv *ret_strings, GError **error)
{
    g_autoptr(GStrvBuilder) strings = g_strv_builder_new();
    const char *string, *contents = "s";
    guint n = 0;
    int r = sd_bus_message_peek_type(call->message, NULL, &contents);

    if (r > 0)
        r = sd_bus_message_enter_container(call->message, SD_BUS_TYPE_ARRAY, contents);
    while (r > 0 && (r = sd_bus_message_read_basic(call->message, *contents, &string)) > 0) {
        if (++n > VB_CALL_STRV_MAX)
            return vb_fail(error, VB_ERROR_LIMITS_EXCEEDED, "a list of %s has more than %d strings",
                           call->method->member, VB_CALL_STRV_MAX);
        g_strv_builder_add(strings, string);
    }
    if (r < 0 || sd_bus_message_exit_container(call->message) < 0)
        return unreadable(call, error);
    *ret_strings = g_strv_builder_end(strings);
    return TRUE;
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
