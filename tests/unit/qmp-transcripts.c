/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The client against recorded exchanges with QEMU 7.2: everything recorded is delivered, in the
 * recorded order. And the parts that do it: the transcript reader, the scripted peer, fake-qemu. */
#include "qmp-peer.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "error.h"
#include "fd.h"
#include "json-get.h"
#include "qmp-args.h"
#include "qmp-client.h"
#include "wait.h"

typedef struct {
    VbTranscript *transcript; /* what is to come */
    VbQmpPeer *peer;
    VbQmp *qmp;
    guint line; /* of the transcript */
    const char *connection;
    gboolean disconnected;
    GString *events; /* names, for the tests that look at them */
} Replay;

static char *data_path(const char *name)
{
    return g_test_build_filename(G_TEST_DIST, "data", "qemu-7.2", name, NULL);
}

static VbTranscript *load(const char *name)
{
    g_autofree char *path = data_path(name);
    g_autoptr(GError) error = NULL;
    VbTranscript *transcript = vb_transcript_load(path, &error);

    g_assert_no_error(error);
    return transcript;
}

/* -- the replay: walk the transcript, send its commands, expect its messages */

static VbLine *next_line(Replay *r)
{
    for (; r->line < r->transcript->lines->len; r->line++) {
        VbLine *line = r->transcript->lines->pdata[r->line];
        if (strcmp(line->connection, r->connection) == 0)
            return line;
    }
    return NULL;
}

static void replay_next(Replay *r);

/* What was delivered is the recorded message at the cursor. */
static void assert_recorded(Replay *r, const char *member, JsonNode *value)
{
    VbLine *line = next_line(r);

    g_assert_nonnull(line);
    g_assert_cmpint(line->kind, ==, VB_LINE_MESSAGE);
    g_assert_true(json_object_has_member(line->message, member));
    if (value)
        g_assert_true(json_node_equal(value, json_object_get_member(line->message, member)));
    r->line++;
    replay_next(r);
}

static void on_event(VbQmp *qmp, const char *name, JsonObject *data, gint64 timestamp_us,
                     gpointer user_data)
{
    Replay *r = user_data;
    g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), data);
    VbLine *line = next_line(r);

    g_string_append_printf(r->events, "%s ", name);
    g_assert_nonnull(line);
    g_assert_cmpstr(vb_json_get_string(line->message, "event"), ==, name);
    assert_recorded(r, "data", node);
}

static void on_disconnected(VbQmp *qmp, const GError *reason, gpointer user_data)
{
    Replay *r = user_data;

    r->disconnected = TRUE;
}

static const VbQmpCallbacks callbacks = {on_event, on_disconnected};

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    Replay *r = data;
    VbLine *line = next_line(r);
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, &error);

    g_assert_nonnull(line);
    if (line->kind == VB_LINE_EOF) {
        g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
        g_assert_cmpint(vb_qmp_call_error_class(result), ==, VB_QMP_ERROR_NONE);
    } else if (value) {
        assert_recorded(r, "return", value);
    } else {
        JsonObject *refusal = vb_json_get_object(line->message, "error");
        g_assert_error(error, VB_ERROR, VB_ERROR_HYPERVISOR);
        g_assert_true(g_str_has_suffix(error->message, vb_json_get_string(refusal, "desc")));
        g_assert_cmpint(vb_qmp_call_error_class(result), !=, VB_QMP_ERROR_NONE);
        assert_recorded(r, "error", NULL);
    }
}

/* Sends the recorded commands that stand at the cursor: all up to the next message. */
static void replay_next(Replay *r)
{
    VbLine *line;

    while ((line = next_line(r)) && line->kind == VB_LINE_COMMAND) {
        JsonObject *arguments = vb_json_get_object(line->message, "arguments");
        r->line++;
        vb_qmp_call_async(r->qmp, vb_json_get_string(line->message, "execute"),
                          arguments ? json_object_ref(arguments) : NULL, VB_QMP_DEFAULT_TIMEOUT_MS,
                          NULL, on_reply, r);
    }
}

static void on_started(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    vb_qmp_start_finish(result, &error);
    g_assert_no_error(error);
    replay_next(data);
}

static void replay_connection(Replay *r, const char *connection)
{
    VbLine *line;

    r->connection = connection;
    r->line = 0;
    r->disconnected = FALSE;
    if (!next_line(r))
        return;
    r->qmp = vb_qmp_new(vb_qmp_peer_connect(r->peer), &callbacks, r);
    vb_qmp_start_async(r->qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, on_started, r);
    VB_WAIT_FOR(!(line = next_line(r)) || (line->kind == VB_LINE_EOF && r->disconnected));
    g_assert_true(vb_qmp_peer_is_done(r->peer));
    g_assert_true(r->disconnected == (line != NULL));
    g_clear_pointer(&r->qmp, vb_qmp_free);
}

static void test_replay(gconstpointer data)
{
    g_autoptr(GString) events = g_string_new(NULL);
    Replay r = {.transcript = load(data), .events = events};

    r.peer = vb_qmp_peer_new(load(data), NULL, NULL);
    replay_connection(&r, "");
    replay_connection(&r, "re");
    g_clear_pointer(&r.peer, vb_qmp_peer_free);
    vb_transcript_free(r.transcript);
}

/* -- the peer on its own */

typedef struct {
    GString *log;
} Client;

static void log_event(VbQmp *qmp, const char *name, JsonObject *data, gint64 timestamp_us,
                      gpointer user_data)
{
    Client *client = user_data;
    const char *id = vb_json_get_string(data, "id");
    const char *status = vb_json_get_string(data, "status");

    g_string_append_printf(client->log, "%s:%s ", status ? status : name,
                           id ? id : vb_json_get_string(data, "device"));
}

static void log_disconnected(VbQmp *qmp, const GError *reason, gpointer user_data)
{
    g_string_append(((Client *)user_data)->log, "EOF ");
}

static const VbQmpCallbacks log_callbacks = {log_event, log_disconnected};

static void log_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    Client *client = data;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, NULL);
    g_autofree char *text = value ? json_to_string(value, FALSE) : g_strdup("error");

    g_string_append_printf(client->log, "%s ", text);
}

/* Sends a command and waits until this has been logged, the reply included. */
static void exchange(Client *client, VbQmp *qmp, const char *command, JsonObject *arguments,
                     const char *expected)
{
    vb_qmp_call_async(qmp, command, arguments, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, log_reply, client);
    VB_WAIT_FOR(client->log->len >= strlen(expected));
    g_assert_cmpstr(client->log->str, ==, expected);
    g_string_truncate(client->log, 0);
}

static void mark_started(GObject *source, GAsyncResult *result, gpointer data)
{
    *(gboolean *)data = vb_qmp_start_finish(result, NULL);
}

static VbQmp *connect_client(Client *client, int fd)
{
    VbQmp *qmp = vb_qmp_new(fd, &log_callbacks, client);
    gboolean started = FALSE;

    vb_qmp_start_async(qmp, VB_QMP_DEFAULT_TIMEOUT_MS, NULL, mark_started, &started);
    VB_WAIT_FOR(started);
    return qmp;
}

static JsonObject *stream_arguments(void)
{
    return vb_qmp_args(VB_ARG_STRING("job-id", "pull-vda-1"), VB_ARG_STRING("device", "node-7"),
                       VB_ARG_BOOL("auto-finalize", FALSE));
}

static JsonObject *job_arguments(const char *id)
{
    return vb_qmp_args(VB_ARG_STRING("id", id));
}

/* Other names, another verb, other commands in between, pauses on demand. */
static void test_peer(void)
{
    g_autoptr(GString) log = g_string_new(NULL);
    Client client = {log};
    g_autoptr(VbQmpPeer) peer = vb_qmp_peer_new(load("fake-async.txt"), NULL, NULL);
    g_autoptr(VbQmp) qmp = NULL;

    vb_qmp_peer_set_holding(peer, TRUE);
    vb_qmp_peer_set_answer(peer, "query-block", "[{\"device\": \"x\"}]");
    qmp = connect_client(&client, vb_qmp_peer_connect(peer));
    exchange(&client, qmp, "query-block", NULL, "[{\"device\":\"x\"}] ");
    exchange(&client, qmp, "query-status", NULL,
             "{\"status\":\"prelaunch\",\"running\":false,\"singlestep\":false} ");
    exchange(&client, qmp, "cont", NULL, "RESUME:(null) {} ");
    exchange(&client, qmp, "job-cancel", job_arguments("pull-vda-1"), "error ");
    exchange(&client, qmp, "block-stream", stream_arguments(),
             "created:pull-vda-1 running:pull-vda-1 {} ");
    exchange(&client, qmp, "blockdev-add", NULL, "{} ");
    exchange(&client, qmp, "job-cancel", job_arguments("pull-vda-1"), "{} ");
    exchange(&client, qmp, "query-jobs", NULL,
             "[{\"id\":\"pull-vda-1\",\"status\":\"running\",\"type\":\"stream\","
             "\"current-progress\":0,\"total-progress\":100}] ");
    vb_qmp_peer_continue(peer);
    VB_WAIT_FOR(strstr(log->str, "concluded"));
    g_assert_cmpstr(log->str, ==,
                    "aborting:pull-vda-1 BLOCK_JOB_CANCELLED:pull-vda-1 concluded:pull-vda-1 ");
    g_string_truncate(log, 0);
    exchange(&client, qmp, "query-jobs", NULL,
             "[{\"id\":\"pull-vda-1\",\"type\":\"stream\",\"status\":\"concluded\","
             "\"current-progress\":40,\"total-progress\":100,"
             "\"error\":\"Operation canceled\"}] ");
    g_assert_true(vb_qmp_peer_is_done(peer));
    exchange(&client, qmp, "job-dismiss", job_arguments("pull-vda-1"), "null:pull-vda-1 {} ");
    exchange(&client, qmp, "query-jobs", NULL, "[] ");
    exchange(&client, qmp, "quit", NULL, "SHUTDOWN:(null) {} EOF ");
}

static void assert_transcript_error(const char *text, const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(vb_transcript_parse("name", text, &error));
    g_assert_nonnull(strstr(error->message, words));
}

static void test_transcript(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbTranscript) transcript = vb_transcript_parse(
        "name",
        "## c\n  0.5 -> {\"execute\": \"a\"}\n0.7 [re] <- {\"return\": {}}\n 1 ## c\n"
        "   2.000 <- (EOF: monitor socket closed)\n\n",
        &error);
    VbLine *line;

    g_assert_no_error(error);
    g_assert_cmpuint(transcript->lines->len, ==, 3);
    line = transcript->lines->pdata[0];
    g_assert_cmpint(line->kind, ==, VB_LINE_COMMAND);
    g_assert_cmpfloat(line->seconds, ==, 0.5);
    g_assert_cmpstr(line->connection, ==, "");
    line = transcript->lines->pdata[1];
    g_assert_cmpint(line->kind, ==, VB_LINE_MESSAGE);
    g_assert_cmpstr(line->connection, ==, "re");
    line = transcript->lines->pdata[2];
    g_assert_cmpint(line->kind, ==, VB_LINE_EOF);
    assert_transcript_error("-> {}", "line 1");
    assert_transcript_error("0.1 -> {}\n0.2 <> {}", "line 2");
    assert_transcript_error("0.1 -> {", "line 1");
    assert_transcript_error("0.1 -> []", "line 1");
}

/* -- fake-qemu, as the daemon would run it */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    return fd;
}

static void on_exited(GObject *source, GAsyncResult *result, gpointer data)
{
    *(gboolean *)data = g_subprocess_wait_finish(G_SUBPROCESS(source), result, NULL);
}

typedef struct {
    char *directory;
    char *path; /* of the monitor's socket */
    GSubprocess *process;
    gboolean exited;
    Client client;
} Fake;

static void fake_set_up(Fake *fake, gconstpointer data)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
    g_autofree char *script = data_path("fake-die-after-reply.txt");
    g_autoptr(GError) error = NULL;

    fake->directory = g_dir_make_tmp("vb-fake-XXXXXX", NULL);
    fake->path = g_build_filename(fake->directory, "monitor.sock", NULL);
    fake->client.log = g_string_new(NULL);
    g_subprocess_launcher_setenv(launcher, "FAKE_QEMU_SCRIPT", script, TRUE);
    g_subprocess_launcher_take_fd(launcher, listen_at(fake->path), 7);
    fake->process = g_subprocess_launcher_spawn(
        launcher, &error, VB_TEST_FAKE_QEMU, "-S", "-nodefaults", "-chardev",
        "socket,id=monitor,fd=7,server=on,wait=off", "-mon", "chardev=monitor,mode=control", NULL);
    g_assert_no_error(error);
    g_subprocess_wait_async(fake->process, NULL, on_exited, &fake->exited);
}

static void fake_tear_down(Fake *fake, gconstpointer data)
{
    VB_WAIT_FOR(fake->exited);
    g_object_unref(fake->process);
    g_assert_cmpint(unlink(fake->path), ==, 0);
    g_assert_cmpint(rmdir(fake->directory), ==, 0);
    g_free(fake->path);
    g_free(fake->directory);
    g_string_free(fake->client.log, TRUE);
}

static void test_fake_qemu(Fake *fake, gconstpointer data)
{
    g_autoptr(VbQmp) first = connect_client(&fake->client, connect_to(fake->path));
    g_autoptr(VbQmp) second = NULL;

    g_clear_pointer(&first, vb_qmp_free);
    second = connect_client(&fake->client, connect_to(fake->path)); /* a restarted daemon */
    exchange(&fake->client, second, "query-status", NULL,
             "{\"status\":\"prelaunch\",\"running\":false,\"singlestep\":false} ");
    exchange(&fake->client, second, "quit", NULL, "SHUTDOWN:(null) {} EOF ");
    VB_WAIT_FOR(fake->exited);
    g_assert_true(g_subprocess_get_successful(fake->process));
}

static void test_fake_qemu_dies(Fake *fake, gconstpointer data)
{
    g_autoptr(VbQmp) qmp = connect_client(&fake->client, connect_to(fake->path));

    exchange(&fake->client, qmp, "block-stream", stream_arguments(),
             "created:pull-vda-1 running:pull-vda-1 {} ");
    exchange(&fake->client, qmp, "job-cancel", job_arguments("pull-vda-1"), "{} EOF ");
    VB_WAIT_FOR(fake->exited);
    g_assert_true(g_subprocess_get_if_signaled(fake->process));
}

static void add_replays(void)
{
    g_autofree char *directory = data_path("");
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_strconcat("/transcripts/", name, NULL);
        path[strlen(path) - strlen(".txt")] = '\0';
        g_test_add_data_func_full(path, g_strdup(name), test_replay, g_free);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/transcript", test_transcript);
    g_test_add_func("/peer", test_peer);
    g_test_add("/fake-qemu/quit", Fake, NULL, fake_set_up, test_fake_qemu, fake_tear_down);
    g_test_add("/fake-qemu/dies", Fake, NULL, fake_set_up, test_fake_qemu_dies, fake_tear_down);
    add_replays();
    return g_test_run();
}
