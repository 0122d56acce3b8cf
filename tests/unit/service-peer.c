/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test's end of the socketpair. */
#include "service-peer.h"

#include <string.h>
#include <sys/socket.h>

#include "bus-source.h"
#include "wait.h"

#define POLKIT "org.freedesktop.PolicyKit1.Authority"

static void unref_message(gpointer message)
{
    sd_bus_message_unref(message);
}

void peer_wait(const gboolean *flag)
{
    VB_WAIT_FOR(*flag);
}

static gboolean is_standard(const char *interface)
{
    return g_str_has_prefix(interface, "org.freedesktop.DBus.");
}

static void hear_added(GString *line, sd_bus_message *m)
{
    const char *path, *interface;
    const char *separator = " ";

    g_assert_cmpint(sd_bus_message_read(m, "o", &path), >, 0);
    g_string_append_printf(line, "added %s", path);
    g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{sa{sv}}"), >, 0);
    while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
        g_assert_cmpint(sd_bus_message_read(m, "s", &interface), >, 0);
        g_assert_cmpint(sd_bus_message_skip(m, "a{sv}"), >, 0);
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
        if (!is_standard(interface)) {
            g_string_append_printf(line, "%s%s", separator, interface);
            separator = ",";
        }
    }
}

static void hear_removed(GString *line, sd_bus_message *m)
{
    const char *path, *interface;
    const char *separator = " ";

    g_assert_cmpint(sd_bus_message_read(m, "o", &path), >, 0);
    g_string_append_printf(line, "removed %s", path);
    g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "s"), >, 0);
    while (sd_bus_message_read(m, "s", &interface) > 0) {
        if (!is_standard(interface)) {
            g_string_append_printf(line, "%s%s", separator, interface);
            separator = ",";
        }
    }
}

static void hear_changed(GString *line, sd_bus_message *m)
{
    const char *interface, *name, *contents;
    const char *separator = " ";

    g_assert_cmpint(sd_bus_message_read(m, "s", &interface), >, 0);
    g_string_append_printf(line, "changed %s %s", sd_bus_message_get_path(m), interface);
    g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{sv}"), >, 0);
    while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
        g_assert_cmpint(sd_bus_message_read(m, "s", &name), >, 0);
        g_string_append_printf(line, "%s%s", separator, name);
        g_assert_cmpint(sd_bus_message_peek_type(m, NULL, &contents), >, 0);
        if (strcmp(contents, "s") == 0) {
            const char *value;
            g_assert_cmpint(sd_bus_message_read(m, "v", "s", &value), >, 0);
            g_string_append_printf(line, "=%s", value);
        } else {
            g_assert_cmpint(sd_bus_message_skip(m, "v"), >, 0);
        }
        separator = ",";
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
    }
    g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
    g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "s"), >, 0);
    while (sd_bus_message_read(m, "s", &name) > 0) {
        g_string_append_printf(line, "%s!%s", separator, name);
        separator = ",";
    }
}

static void hear_signal(Peer *peer, sd_bus_message *m)
{
    GString *line = g_string_new(NULL);
    const char *member = sd_bus_message_get_member(m);

    if (strcmp(member, "InterfacesAdded") == 0)
        hear_added(line, m);
    else if (strcmp(member, "InterfacesRemoved") == 0)
        hear_removed(line, m);
    else if (strcmp(member, "PropertiesChanged") == 0)
        hear_changed(line, m);
    else
        g_string_append_printf(line, "signal %s %s", member, sd_bus_message_get_path(m));
    sd_bus_message_rewind(m, TRUE);
    g_ptr_array_add(peer->heard, g_string_free(line, FALSE));
}

static void answer_uid(Peer *peer, sd_bus_message *question)
{
    uid_t uid = peer->uid;

    if (peer->uid_of != NULL) {
        const char *name;
        g_assert_cmpint(sd_bus_message_read(question, "s", &name), >, 0);
        uid = peer->uid_of(name);
    }
    if (peer->uid_unknown)
        g_assert_cmpint(
            sd_bus_reply_method_errorf(question, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "no such name"),
            >=, 0);
    else
        g_assert_cmpint(sd_bus_reply_method_return(question, "u", (uint32_t)uid), >=, 0);
}

void peer_release_uid(Peer *peer)
{
    for (guint i = 0; i < peer->uid_questions->len; i++)
        answer_uid(peer, peer->uid_questions->pdata[i]);
    g_ptr_array_set_size(peer->uid_questions, 0);
}

static void question_free(gpointer data)
{
    Question *question = data;

    sd_bus_message_unref(question->message);
    g_free(question->details);
    g_free(question);
}

void peer_polkit_answer(Question *question, const char *answer)
{
    int authorized = strcmp(answer, "yes") == 0, challenge = strcmp(answer, "challenge") == 0;
    int r;

    g_assert_false(question->answered);
    question->answered = TRUE;
    if (strcmp(answer, "dismissed") == 0)
        r = sd_bus_reply_method_return(question->message, "(bba{ss})", 0, 0, 1, "polkit.dismissed",
                                       "true");
    else
        r = sd_bus_reply_method_return(question->message, "(bba{ss})", authorized, challenge, 0);
    g_assert_cmpint(r, >=, 0);
}

static void hear_question(Peer *peer, sd_bus_message *m)
{
    Question *question = g_new0(Question, 1);
    GString *details = g_string_new(NULL);
    const char *kind, *key, *value;
    uint32_t flags;

    question->message = sd_bus_message_ref(m);
    g_assert_cmpstr(sd_bus_message_get_destination(m), ==, "org.freedesktop.PolicyKit1");
    g_assert_cmpstr(sd_bus_message_get_signature(m, TRUE), ==, "(sa{sv})sa{ss}us");
    g_assert_cmpint(sd_bus_message_read(m, "(sa{sv})s", &kind, 1, &key, "s", &question->sender,
                                        &question->action),
                    >, 0);
    g_assert_cmpstr(kind, ==, "system-bus-name");
    g_assert_cmpstr(key, ==, "name");
    g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{ss}"), >=, 0);
    while (sd_bus_message_read(m, "{ss}", &key, &value) > 0)
        g_string_append_printf(details, "%s%s=%s", details->len > 0 ? " " : "", key, value);
    g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
    g_assert_cmpint(sd_bus_message_read(m, "us", &flags, &question->id), >, 0);
    question->details = g_string_free(details, FALSE);
    question->interactive = flags == 1;
    g_assert_true(flags <= 1);
    g_ptr_array_add(peer->questions, question);
    if (peer->polkit != NULL)
        peer_polkit_answer(question, peer->polkit);
}

static void hear_cancel(Peer *peer, sd_bus_message *m)
{
    const char *id;

    g_assert_cmpint(sd_bus_message_read(m, "s", &id), >, 0);
    g_assert_cmpint(sd_bus_message_get_expect_reply(m), ==, 0);
    g_ptr_array_add(peer->cancelled, g_strdup(id));
}

Question *peer_wait_question(Peer *peer, guint n)
{
    VB_WAIT_FOR(peer->questions->len >= n);
    return peer->questions->pdata[n - 1];
}

void peer_leave(Peer *peer, const char *name)
{
    sd_bus_message *m = NULL;

    g_assert_cmpint(sd_bus_message_new_signal(peer->client, &m, "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "NameOwnerChanged"),
                    >=, 0);
    g_assert_cmpint(sd_bus_message_set_sender(m, "org.freedesktop.DBus"), >=, 0);
    g_assert_cmpint(sd_bus_message_append(m, "sss", name, name, ""), >=, 0);
    g_assert_cmpint(sd_bus_send(peer->client, m, NULL), >=, 0);
    sd_bus_message_unref(m);
}

static int on_client_message(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
    Peer *peer = data;

    if (sd_bus_message_is_signal(m, NULL, NULL) > 0) {
        hear_signal(peer, m);
        return 0;
    }
    if (sd_bus_message_is_method_call(m, POLKIT, "CheckAuthorization") > 0) {
        hear_question(peer, m);
        return 1;
    }
    if (sd_bus_message_is_method_call(m, POLKIT, "CancelCheckAuthorization") > 0) {
        hear_cancel(peer, m);
        return 1;
    }
    if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "GetConnectionUnixUser") <= 0)
        return 0;
    peer->n_uid_questions++;
    g_ptr_array_add(peer->uid_questions, sd_bus_message_ref(m));
    if (!peer->uid_held)
        peer_release_uid(peer);
    return 1;
}

static sd_bus *bus_on_fd(int fd, gboolean server)
{
    sd_bus *bus = NULL;
    sd_id128_t id;

    g_assert_cmpint(sd_bus_new(&bus), >=, 0);
    g_assert_cmpint(sd_bus_set_fd(bus, fd, fd), >=, 0);
    if (server) {
        g_assert_cmpint(sd_id128_randomize(&id), >=, 0);
        g_assert_cmpint(sd_bus_set_server(bus, TRUE, id), >=, 0);
    } else {
        g_assert_cmpint(sd_bus_set_sender(bus, ":1.7"), >=, 0);
    }
    g_assert_cmpint(sd_bus_start(bus), >=, 0);
    return bus;
}

Peer *peer_new(gboolean session)
{
    g_autoptr(GError) error = NULL;
    Peer *peer = g_new0(Peer, 1);
    sd_bus *server;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
    server = bus_on_fd(fds[0], TRUE);
    peer->bus = vb_bus_new(server);
    sd_bus_unref(server);
    peer->authority = vb_authority_new(peer->bus, session);
    peer->registry = vb_registry_new(peer->bus, peer->authority, &error);
    g_assert_no_error(error);

    peer->heard = g_ptr_array_new_with_free_func(g_free);
    peer->uid_questions = g_ptr_array_new_with_free_func(unref_message);
    peer->polkit = "no";
    peer->questions = g_ptr_array_new_with_free_func(question_free);
    peer->cancelled = g_ptr_array_new_with_free_func(g_free);
    peer->client = bus_on_fd(fds[1], FALSE);
    g_assert_cmpint(sd_bus_add_filter(peer->client, &peer->client_filter, on_client_message, peer),
                    >=, 0);
    peer->client_source = vb_bus_source_new(peer->client, NULL, NULL, NULL);
    g_source_attach(peer->client_source, NULL);
    return peer;
}

void peer_free(Peer *peer)
{
    vb_registry_free(peer->registry);
    vb_authority_free(peer->authority);
    vb_bus_free(peer->bus);
    g_source_destroy(peer->client_source);
    g_source_unref(peer->client_source);
    sd_bus_slot_unref(peer->client_filter);
    g_ptr_array_unref(peer->uid_questions);
    g_ptr_array_unref(peer->questions);
    g_ptr_array_unref(peer->cancelled);
    sd_bus_close_unref(peer->client);
    g_ptr_array_unref(peer->heard);
    g_free(peer);
    /* what is still to be returned by idle sources */
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static int on_reply(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
    Reply *reply = data;
    const sd_bus_error *error = sd_bus_message_get_error(m);

    reply->n++;
    g_assert_cmpuint(reply->n, ==, 1);
    reply->message = sd_bus_message_ref(m);
    reply->done = TRUE;
    if (strcmp(reply->label, "Ping") != 0)
        g_ptr_array_add(reply->peer->heard,
                        error != NULL ? g_strdup_printf("error %s %s", reply->label, error->name)
                                      : g_strdup_printf("reply %s", reply->label));
    return 1;
}

sd_bus_message *peer_new_call(Peer *peer, const char *path, const char *interface,
                              const char *member)
{
    sd_bus_message *call = NULL;

    g_assert_cmpint(
        sd_bus_message_new_method_call(peer->client, &call, NULL, path, interface, member), >=, 0);
    return call;
}

void peer_send_message(Peer *peer, Reply *reply, sd_bus_message *message)
{
    reply->peer = peer;
    reply->label = g_strdup(sd_bus_message_get_member(message));
    g_assert_cmpint(
        sd_bus_call_async(peer->client, &reply->slot, message, on_reply, reply, UINT64_MAX), >=, 0);
    sd_bus_message_unref(message);
}

void peer_send(Peer *peer, Reply *reply, const char *path, const char *interface,
               const char *member, const char *types, ...)
{
    sd_bus_message *message = peer_new_call(peer, path, interface, member);
    va_list args;

    va_start(args, types);
    if (*types != '\0')
        g_assert_cmpint(sd_bus_message_appendv(message, types, args), >=, 0);
    va_end(args);
    peer_send_message(peer, reply, message);
}

void reply_clear(Reply *reply)
{
    sd_bus_slot_unref(reply->slot);
    sd_bus_message_unref(reply->message);
    g_free(reply->label);
}

void reply_wait(Reply *reply)
{
    peer_wait(&reply->done);
}

void reply_assert_ok(Reply *reply)
{
    const sd_bus_error *error;

    reply_wait(reply);
    error = sd_bus_message_get_error(reply->message);
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, NULL);
}

void reply_assert_error(Reply *reply, const char *name, const char *text)
{
    const sd_bus_error *error;

    reply_wait(reply);
    error = sd_bus_message_get_error(reply->message);
    g_assert_nonnull(error);
    g_assert_cmpstr(error->name, ==, name);
    if (strstr(error->message, text) == NULL)
        g_error("'%s' is not in '%s'", text, error->message);
}

void peer_settle(Peer *peer)
{
    g_auto(Reply) reply = {0};

    /* sources of lower priority than the bus get their turn, then one round trip */
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    peer_send(peer, &reply, "/", "org.freedesktop.DBus.Peer", "Ping", "");
    reply_wait(&reply);
}

char *peer_heard(Peer *peer)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < peer->heard->len; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? "\n" : "", (char *)peer->heard->pdata[i]);
    g_ptr_array_set_size(peer->heard, 0);
    return g_string_free(text, FALSE);
}
