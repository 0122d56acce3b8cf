/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The scripted peer: one connection, a cursor in the transcript, and the names that differ. */
#include "qmp-peer.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>

#include "fake-machine.h"
#include "fd.h"
#include "json-get.h"
#include "json-limits.h"
#include "qmp-args.h"

#define PAUSE_SECONDS 0.1

struct VbQmpPeer {
    VbTranscript *transcript;
    const VbQmpPeerCallbacks *callbacks;
    gpointer user_data;
    VbFakeMachine *machine;
    int listener;
    guint listener_source;
    int fd; /* -1 between connections */
    guint read_source;
    guint write_source;
    VbJsonScanner *scanner;
    GString *outgoing;
    gboolean hanging_up; /* when `outgoing` is empty */
    gboolean quitting;
    gboolean bytewise;
    guint connections;
    guint cursor;     /* the next line of the transcript */
    gboolean playing; /* the command before the cursor has come */
    gboolean stopped; /* at a pause */
    gboolean holding;
    guint continued;   /* how often it was told to go on before it had come to a pause */
    GHashTable *names; /* recorded → the client's */
    GHashTable *ids;   /* recorded id → JsonNode, the client's */
};

static const char greeting[] =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "
    "\"package\": \"fake\"}, \"capabilities\": [\"oob\"]}}\r\n";

static void clear_source(guint *id)
{
    if (*id)
        g_source_remove(*id);
    *id = 0;
}

static void drop_connection(VbQmpPeer *peer, VbQmpPeerEnd end)
{
    if (peer->fd < 0)
        return;
    clear_source(&peer->read_source);
    clear_source(&peer->write_source);
    vb_clear_fd(&peer->fd);
    g_clear_pointer(&peer->scanner, vb_json_scanner_free);
    g_string_truncate(peer->outgoing, 0);
    peer->hanging_up = FALSE;
    if (peer->callbacks && peer->callbacks->ended)
        peer->callbacks->ended(peer, end, peer->user_data);
}

static gboolean on_writable(int fd, GIOCondition condition, gpointer data)
{
    VbQmpPeer *peer = data;
    gsize size = peer->bytewise ? MIN(peer->outgoing->len, 1) : peer->outgoing->len;
    ssize_t n = send(fd, peer->outgoing->str, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        peer->write_source = 0;
        drop_connection(peer, VB_PEER_CLIENT_LEFT);
        return G_SOURCE_REMOVE;
    }
    if (n > 0)
        g_string_erase(peer->outgoing, 0, n);
    if (peer->outgoing->len == 0 && !peer->hanging_up && peer->callbacks &&
        peer->callbacks->drained)
        peer->callbacks->drained(peer, peer->user_data);
    if (peer->outgoing->len > 0)
        return G_SOURCE_CONTINUE;
    peer->write_source = 0;
    if (peer->hanging_up)
        drop_connection(peer, peer->quitting ? VB_PEER_QUIT : VB_PEER_SCRIPT_ENDED);
    return G_SOURCE_REMOVE;
}

void vb_qmp_peer_send(VbQmpPeer *peer, const char *data, gssize size)
{
    if (peer->fd < 0)
        return;
    g_string_append_len(peer->outgoing, data, size);
    if (!peer->write_source)
        peer->write_source = g_unix_fd_add(peer->fd, G_IO_OUT, on_writable, peer);
}

void vb_qmp_peer_set_deaf(VbQmpPeer *peer)
{
    clear_source(&peer->read_source);
}

void vb_qmp_peer_set_bytewise(VbQmpPeer *peer)
{
    peer->bytewise = TRUE;
}

void vb_qmp_peer_hang_up(VbQmpPeer *peer)
{
    peer->hanging_up = TRUE;
    vb_qmp_peer_send(peer, "", 0);
}

/* Takes the message. */
static void send_message(JsonObject *message, gpointer data)
{
    VbQmpPeer *peer = data;
    g_autofree char *text = vb_qmp_args_to_string(message);

    vb_qmp_peer_send(peer, text, -1);
    vb_qmp_peer_send(peer, "\r\n", -1);
}

/* -- the transcript */

static gboolean is_of_this_connection(VbQmpPeer *peer, const VbLine *line)
{
    return strcmp(line->connection, peer->connections > 1 ? "re" : "") == 0;
}

/* The line at the cursor of this connection, or NULL. */
static VbLine *current_line(VbQmpPeer *peer)
{
    while (peer->transcript && peer->cursor < peer->transcript->lines->len) {
        VbLine *line = peer->transcript->lines->pdata[peer->cursor];
        if (is_of_this_connection(peer, line))
            return line;
        peer->cursor++;
    }
    return NULL;
}

/* A copy of recorded JSON with the client's names. */
static JsonNode *renamed(VbQmpPeer *peer, JsonNode *node)
{
    JsonNode *copy;

    if (JSON_NODE_HOLDS_OBJECT(node)) {
        JsonObject *object = json_object_new();
        g_autoptr(GList) members = json_object_get_members(json_node_get_object(node));
        for (GList *l = members; l; l = l->next)
            json_object_set_member(
                object, l->data,
                renamed(peer, json_object_get_member(json_node_get_object(node), l->data)));
        copy = json_node_new(JSON_NODE_OBJECT);
        json_node_take_object(copy, object);
        return copy;
    }
    if (JSON_NODE_HOLDS_ARRAY(node)) {
        JsonArray *array = json_array_new();
        for (guint i = 0; i < json_array_get_length(json_node_get_array(node)); i++)
            json_array_add_element(
                array, renamed(peer, json_array_get_element(json_node_get_array(node), i)));
        copy = json_node_new(JSON_NODE_ARRAY);
        json_node_take_array(copy, array);
        return copy;
    }
    copy = json_node_copy(node);
    if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING) {
        const char *name = g_hash_table_lookup(peer->names, json_node_get_string(node));
        if (name)
            json_node_set_string(copy, name);
    }
    return copy;
}

static void learn_names(VbQmpPeer *peer, JsonObject *recorded, JsonObject *actual)
{
    g_autoptr(GList) members = recorded ? json_object_get_members(recorded) : NULL;

    for (GList *l = members; l; l = l->next) {
        const char *old = vb_json_get_string(recorded, l->data);
        const char *new = vb_json_get_string(actual, l->data);
        if (old && new &&strcmp(old, new) != 0 && !g_hash_table_contains(peer->names, old))
            g_hash_table_insert(peer->names, g_strdup(old), g_strdup(new));
    }
}

/* Sends a recorded message; a reply only when its command has come. */
static void send_recorded(VbQmpPeer *peer, JsonObject *recorded)
{
    g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), recorded);
    const char *recorded_id = vb_json_get_string(recorded, "id");
    JsonNode *id = recorded_id ? g_hash_table_lookup(peer->ids, recorded_id) : NULL;
    g_autoptr(JsonNode) copy = NULL;
    JsonObject *message;

    if (recorded_id && !id)
        return;
    copy = renamed(peer, node);
    message = json_node_get_object(copy);
    if (id)
        json_object_set_member(message, "id", json_node_copy(id));
    vb_fake_machine_observe(peer->machine, message);
    send_message(json_object_ref(message), peer);
}

/* Sends everything up to the next command, or to a pause. */
static void play(VbQmpPeer *peer)
{
    VbLine *line;
    double last = -1;

    while (peer->playing && !peer->stopped && !peer->hanging_up && (line = current_line(peer))) {
        if (line->kind == VB_LINE_COMMAND) {
            peer->playing = FALSE;
            return;
        }
        if (peer->holding && last >= 0 && line->seconds - last >= PAUSE_SECONDS) {
            peer->stopped = peer->continued == 0;
            if (peer->stopped)
                return;
            peer->continued--;
        }
        last = line->seconds;
        peer->cursor++;
        if (line->kind == VB_LINE_EOF)
            vb_qmp_peer_hang_up(peer);
        else
            send_recorded(peer, line->message);
    }
}

static gboolean is_same_verb(const char *recorded, const char *actual)
{
    if (g_str_has_prefix(recorded, "block-job-"))
        recorded += strlen("block-");
    if (g_str_has_prefix(actual, "block-job-"))
        actual += strlen("block-");
    return strcmp(recorded, actual) == 0;
}

static gboolean may_be_left_out(const char *recorded)
{
    return g_str_has_prefix(recorded, "query-") || strcmp(recorded, "human-monitor-command") == 0;
}

/* Where the transcript has this command next, or -1. */
static gint find_command(VbQmpPeer *peer, const char *command)
{
    if (!peer->transcript || peer->stopped)
        return -1;
    for (guint i = peer->cursor; i < peer->transcript->lines->len; i++) {
        VbLine *line = peer->transcript->lines->pdata[i];
        const char *recorded;
        if (line->kind != VB_LINE_COMMAND || !is_of_this_connection(peer, line))
            continue;
        recorded = vb_json_get_string(line->message, "execute");
        if (is_same_verb(recorded, command))
            return (gint)i;
        if (!may_be_left_out(recorded))
            return -1;
    }
    return -1;
}

static void play_command(VbQmpPeer *peer, guint index, JsonObject *message)
{
    VbLine *line = peer->transcript->lines->pdata[index];
    JsonNode *id = json_object_get_member(message, "id");
    const char *recorded_id = vb_json_get_string(line->message, "id");

    /* Events between commands that the client left out still happen. */
    for (; peer->cursor < index; peer->cursor++) {
        VbLine *skipped = peer->transcript->lines->pdata[peer->cursor];
        if (skipped->kind == VB_LINE_MESSAGE && is_of_this_connection(peer, skipped))
            send_recorded(peer, skipped->message);
    }
    learn_names(peer, vb_json_get_object(line->message, "arguments"),
                vb_json_get_object(message, "arguments"));
    if (recorded_id && id)
        g_hash_table_replace(peer->ids, g_strdup(recorded_id), json_node_copy(id));
    peer->cursor = index + 1;
    peer->playing = TRUE;
    play(peer);
}

/* -- commands of the client */

static gboolean is_dealt_with(VbQmpPeer *peer, const char *command, JsonObject *message)
{
    return peer->callbacks && peer->callbacks->command &&
           peer->callbacks->command(peer, command, message, peer->user_data);
}

static void answer_unscripted(VbQmpPeer *peer, const char *command, JsonObject *message)
{
    JsonNode *id = json_object_get_member(message, "id");
    JsonObject *reply;
    gboolean gone = vb_fake_machine_answer(peer->machine, command,
                                           vb_json_get_object(message, "arguments"), &reply);

    if (id)
        json_object_set_member(reply, "id", json_node_copy(id));
    send_message(reply, peer);
    if (gone)
        vb_qmp_peer_hang_up(peer);
}

static void handle_command(VbQmpPeer *peer, JsonObject *message)
{
    const char *command = vb_json_get_string(message, "execute");
    gint index;

    g_assert_nonnull(command);
    if (is_dealt_with(peer, command, message))
        return;
    peer->quitting |= strcmp(command, "quit") == 0;
    index = find_command(peer, command);
    if (index >= 0)
        play_command(peer, (guint)index, message);
    else
        answer_unscripted(peer, command, message);
}

static gboolean on_readable(int fd, GIOCondition condition, gpointer data)
{
    VbQmpPeer *peer = data;
    char chunk[4096];
    ssize_t n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return G_SOURCE_CONTINUE;
    if (n <= 0) {
        peer->read_source = 0;
        drop_connection(peer, VB_PEER_CLIENT_LEFT);
        return G_SOURCE_REMOVE;
    }
    g_assert_true(vb_json_scanner_push(peer->scanner, chunk, (gsize)n, NULL));
    for (;;) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = vb_json_scanner_pop(peer->scanner, &error);
        g_assert_no_error(error);
        if (!node || peer->read_source == 0)
            return peer->read_source != 0;
        handle_command(peer, vb_json_node_object(node));
    }
}

/* -- connections */

static void serve(VbQmpPeer *peer, int fd)
{
    drop_connection(peer, VB_PEER_CLIENT_LEFT);
    peer->fd = fd;
    if (++peer->connections == 2)
        peer->cursor = 0; /* to the lines of the second one */
    peer->playing = FALSE;
    peer->stopped = FALSE;
    peer->scanner = vb_json_scanner_new();
    g_hash_table_remove_all(peer->ids);
    peer->read_source = g_unix_fd_add(fd, G_IO_IN, on_readable, peer);
    if (!is_dealt_with(peer, "greeting", NULL))
        vb_qmp_peer_send(peer, greeting, -1);
}

int vb_qmp_peer_connect(VbQmpPeer *peer)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    serve(peer, pair[0]);
    return pair[1];
}

static gboolean on_connection(int fd, GIOCondition condition, gpointer data)
{
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    if (client >= 0)
        serve(data, client);
    return G_SOURCE_CONTINUE;
}

void vb_qmp_peer_listen(VbQmpPeer *peer, int fd)
{
    peer->listener = fd;
    peer->listener_source = g_unix_fd_add(fd, G_IO_IN, on_connection, peer);
}

void vb_qmp_peer_set_holding(VbQmpPeer *peer, gboolean holding)
{
    peer->holding = holding;
}

void vb_qmp_peer_continue(VbQmpPeer *peer)
{
    if (!peer->stopped)
        peer->continued++;
    peer->stopped = FALSE;
    play(peer);
}

void vb_qmp_peer_set_answer(VbQmpPeer *peer, const char *command, const char *json)
{
    vb_fake_machine_set_answer(peer->machine, command, json);
}

gboolean vb_qmp_peer_is_done(VbQmpPeer *peer)
{
    for (guint i = peer->cursor; peer->transcript && i < peer->transcript->lines->len; i++) {
        VbLine *line = peer->transcript->lines->pdata[i];
        if (is_of_this_connection(peer, line))
            return FALSE;
    }
    return TRUE;
}

VbQmpPeer *vb_qmp_peer_new(VbTranscript *transcript, const VbQmpPeerCallbacks *callbacks,
                           gpointer user_data)
{
    VbQmpPeer *peer = g_new0(VbQmpPeer, 1);

    peer->transcript = transcript;
    peer->callbacks = callbacks;
    peer->user_data = user_data;
    peer->machine = vb_fake_machine_new(send_message, peer);
    vb_fake_machine_set_answer(peer->machine, "qmp_capabilities", "{}");
    peer->listener = -1;
    peer->fd = -1;
    peer->outgoing = g_string_new(NULL);
    peer->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    peer->ids =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)json_node_unref);
    return peer;
}

void vb_qmp_peer_free(VbQmpPeer *peer)
{
    if (!peer)
        return;
    peer->callbacks = NULL;
    drop_connection(peer, VB_PEER_CLIENT_LEFT);
    clear_source(&peer->listener_source);
    vb_clear_fd(&peer->listener);
    g_string_free(peer->outgoing, TRUE);
    g_hash_table_unref(peer->names);
    g_hash_table_unref(peer->ids);
    vb_fake_machine_free(peer->machine);
    vb_transcript_free(peer->transcript);
    g_free(peer);
}
