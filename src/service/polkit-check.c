/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CheckAuthorization out, its reply in; CancelCheckAuthorization without a reply. */
#include "polkit-check.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

enum { ALLOW_USER_INTERACTION = 1 << 0 };

struct VbPolkitCheck {
    sd_bus *bus;
    sd_bus_slot *slot;
    GSource *unsent; /* tells of a question that could not be sent */
    char *unsent_text;
    char *id;
    VbPolkitAnswered answered;
    gpointer data;
};

/* Those names are what dbus-daemon and systemd answer when nobody owns the name of polkit, and it
 * cannot be started. */
static VbPolkitAnswer judge_error(const char *name)
{
    if (g_str_equal(name, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
        g_str_equal(name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
        g_str_has_prefix(name, "org.freedesktop.DBus.Error.Spawn.") ||
        g_str_has_prefix(name, "org.freedesktop.systemd1."))
        return VB_POLKIT_ABSENT;
    if (g_str_equal(name, SD_BUS_ERROR_LIMITS_EXCEEDED))
        return VB_POLKIT_REFUSED;
    return VB_POLKIT_FAILED;
}

/* The details of a result; < 0: they cannot be read. */
static int read_dismissed(sd_bus_message *reply, gboolean *ret_dismissed)
{
    const char *key, *value;
    gboolean dismissed = FALSE;
    int r = sd_bus_message_enter_container(reply, 'a', "{ss}");

    while (r >= 0 && (r = sd_bus_message_read(reply, "{ss}", &key, &value)) > 0)
        dismissed |= g_str_equal(key, "polkit.dismissed");
    if (r >= 0)
        *ret_dismissed = dismissed;
    return r;
}

static VbPolkitAnswer read_result(sd_bus_message *reply, const char **ret_text)
{
    int authorized, challenge;
    gboolean dismissed;

    if (sd_bus_message_has_signature(reply, "(bba{ss})") <= 0 ||
        sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
        sd_bus_message_read(reply, "bb", &authorized, &challenge) < 0 ||
        read_dismissed(reply, &dismissed) < 0) {
        *ret_text = "its reply is not understood";
        return VB_POLKIT_FAILED;
    }
    if (authorized)
        return VB_POLKIT_AUTHORIZED;
    if (dismissed)
        return VB_POLKIT_DISMISSED;
    return challenge ? VB_POLKIT_CHALLENGE : VB_POLKIT_DENIED;
}

static int on_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    VbPolkitCheck *check = data;
    const sd_bus_error *error = sd_bus_message_get_error(reply);
    const char *text = NULL;
    VbPolkitAnswer answer;

    if (error != NULL) {
        answer = judge_error(error->name);
        text = error->message != NULL ? error->message : error->name;
    } else {
        answer = read_result(reply, &text);
    }
    check->answered(answer, text, check->data);
    return 1;
}

static gboolean on_unsent(gpointer data)
{
    VbPolkitCheck *check = data;
    g_autofree char *text = g_steal_pointer(&check->unsent_text);

    check->answered(VB_POLKIT_FAILED, text, check->data);
    return G_SOURCE_REMOVE;
}

typedef struct {
    sd_bus_message *message;
    int r; /* negative: it is spoilt */
} Writing;

static void append_detail(const char *key, const char *value, gpointer data)
{
    Writing *writing = data;

    if (writing->r >= 0)
        writing->r = sd_bus_message_append(writing->message, "{ss}", key, value);
}

/* (sa{sv}) subject, action_id, a{ss} details, flags, cancellation_id. */
static int write_question(sd_bus_message *message, const VbPolkitQuestion *question, const char *id)
{
    Writing writing = {.message = message};

    writing.r = sd_bus_message_append(message, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                      question->sender, question->action);
    if (writing.r >= 0)
        writing.r = sd_bus_message_open_container(message, 'a', "{ss}");
    if (question->details != NULL)
        vb_details_each(question->details, append_detail, &writing);
    if (writing.r >= 0)
        writing.r = sd_bus_message_close_container(message);
    if (writing.r >= 0)
        writing.r = sd_bus_message_append(
            message, "us", question->interactive ? ALLOW_USER_INTERACTION : (uint32_t)0, id);
    return writing.r;
}

static int send_question(VbPolkitCheck *check, const VbPolkitQuestion *question)
{
    sd_bus_message *message = NULL;
    int r = sd_bus_message_new_method_call(check->bus, &message, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CheckAuthorization");

    if (r >= 0)
        r = write_question(message, question, check->id);
    if (r >= 0)
        r = sd_bus_call_async(check->bus, &check->slot, message, on_reply, check, UINT64_MAX);
    sd_bus_message_unref(message);
    return r;
}

VbPolkitCheck *vb_polkit_check_new(sd_bus *bus, const VbPolkitQuestion *question,
                                   VbPolkitAnswered answered, gpointer data)
{
    VbPolkitCheck *check = g_new0(VbPolkitCheck, 1);
    int r;

    check->bus = sd_bus_ref(bus);
    check->id = g_strdup_printf("%" G_GUINT64_FORMAT, question->id);
    check->answered = answered;
    check->data = data;
    r = send_question(check, question);
    if (r < 0) {
        check->unsent_text = g_strdup_printf("it cannot be asked: %s", g_strerror(-r));
        check->unsent = g_idle_source_new();
        g_source_set_callback(check->unsent, on_unsent, check, NULL);
        g_source_attach(check->unsent, g_main_context_get_thread_default());
    }
    return check;
}

void vb_polkit_check_cancel(VbPolkitCheck *check)
{
    sd_bus_message *message = NULL;

    /* Should it not get there, polkit answers all the same, to nobody. */
    if (check->slot != NULL &&
        sd_bus_message_new_method_call(check->bus, &message, POLKIT_NAME, POLKIT_PATH,
                                       POLKIT_INTERFACE, "CancelCheckAuthorization") >= 0 &&
        sd_bus_message_append(message, "s", check->id) >= 0 &&
        sd_bus_message_set_auto_start(message, FALSE) >= 0)
        sd_bus_send(check->bus, message, NULL); /* no cookie: no reply wanted */
    sd_bus_message_unref(message);
}

void vb_polkit_check_free(VbPolkitCheck *check)
{
    if (check == NULL)
        return;
    sd_bus_slot_unref(check->slot);
    if (check->unsent != NULL) {
        g_source_destroy(check->unsent);
        g_source_unref(check->unsent);
    }
    sd_bus_unref(check->bus);
    g_free(check->unsent_text);
    g_free(check->id);
    g_free(check);
}
