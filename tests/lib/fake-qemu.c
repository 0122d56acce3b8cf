/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An emulator that plays a transcript: for driving the whole daemon through what no installed QEMU
 * does. To be called from a wrapper script that sets its environment:
 *
 *   FAKE_QEMU_SCRIPT   the transcript (tests/data/qemu-7.2/…)
 *   FAKE_QEMU_ANSWERS  a file with a JSON object: command → what "return" is to be
 *   FAKE_QEMU_HOLD     when set, wait for SIGUSR1 at each pause of the recording
 *   FAKE_QEMU_REAL     the emulator that answers capability probes (qemu-system-x86_64)
 *
 * Without any it is a QEMU that does nothing; for a domain "hostile-…" it is a hostile one
 * (hostile-qemu.h).
 *
 * It takes QEMU's command line, of which it reads the monitor: -chardev socket,id=monitor,… with a
 * listening socket as fd= or one to make at path=. At the script's end of the connection it dies by
 * SIGKILL; after `quit` it ends with status 0.
 */
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hostile-qemu.h"
#include "json-get.h"
#include "json-limits.h"
#include "qmp-peer.h"

/* The value of an option like fd=7 in "socket,id=monitor,fd=7,server=on"; NULL when absent. */
static char *suboption(const char *text, const char *name)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    for (guint i = 0; parts[i]; i++) {
        if (g_str_has_prefix(parts[i], name) && parts[i][strlen(name)] == '=')
            return g_strdup(parts[i] + strlen(name) + 1);
    }
    return NULL;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0)
        g_error("%s: %s", path, g_strerror(errno));
    return fd;
}

static int monitor_socket(char **argv)
{
    for (guint i = 1; argv[i] && argv[i + 1]; i++) {
        g_autofree char *id = NULL;
        g_autofree char *fd = NULL;
        g_autofree char *path = NULL;

        if (strcmp(argv[i], "-chardev") != 0)
            continue;
        id = suboption(argv[i + 1], "id");
        fd = suboption(argv[i + 1], "fd");
        path = suboption(argv[i + 1], "path");
        if (g_strcmp0(id, "monitor") == 0 && (fd || path))
            return fd ? atoi(fd) : listen_at(path);
    }
    g_error("no -chardev socket,id=monitor,fd=… or path=… on the command line");
}

/* NULL unless the domain's name asks for one. */
static VbHostileQemu *hostile_new(char **argv)
{
    for (guint i = 1; argv[i] && argv[i + 1]; i++) {
        g_autofree char *domain =
            strcmp(argv[i], "-name") == 0 ? suboption(argv[i + 1], "guest") : NULL;
        if (domain)
            return vb_hostile_qemu_new(domain);
    }
    return NULL;
}

static gboolean is_capability_probe(char **argv)
{
    for (guint i = 1; argv[i] && argv[i + 1]; i++) {
        if (strcmp(argv[i], "-machine") == 0 && g_str_has_prefix(argv[i + 1], "none"))
            return TRUE;
    }
    return FALSE;
}

static void set_answers(VbQmpPeer *peer, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_autoptr(JsonNode) node = NULL;
    g_autoptr(GList) commands = NULL;
    gsize size;

    if (!g_file_get_contents(path, &text, &size, &error) ||
        !(node = vb_json_parse(text, size, &error)))
        g_error("%s: %s", path, error->message);
    commands = json_object_get_members(json_node_get_object(node));
    for (GList *l = commands; l; l = l->next) {
        g_autofree char *answer =
            json_to_string(json_object_get_member(json_node_get_object(node), l->data), FALSE);
        vb_qmp_peer_set_answer(peer, l->data, answer);
    }
}

typedef struct {
    GMainLoop *loop;
    VbHostileQemu *hostile; /* or NULL */
} FakeQemu;

static void on_ended(VbQmpPeer *peer, VbQmpPeerEnd end, gpointer data)
{
    const FakeQemu *fake = data;

    /* A hostile one hangs up and lives. */
    if (end == VB_PEER_SCRIPT_ENDED && !fake->hostile)
        raise(SIGKILL);
    if (end == VB_PEER_QUIT)
        g_main_loop_quit(fake->loop);
}

static gboolean on_command(VbQmpPeer *peer, const char *command, JsonObject *message, gpointer data)
{
    const FakeQemu *fake = data;

    return fake->hostile && vb_hostile_qemu_command(fake->hostile, peer, command, message);
}

static void on_drained(VbQmpPeer *peer, gpointer data)
{
    const FakeQemu *fake = data;

    if (fake->hostile)
        vb_hostile_qemu_drained(fake->hostile, peer);
}

static gboolean on_continue(gpointer data)
{
    vb_qmp_peer_continue(data);
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    static const VbQmpPeerCallbacks callbacks = {
        .ended = on_ended, .command = on_command, .drained = on_drained};
    FakeQemu fake = {.hostile = hostile_new(argv)};
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    const char *script = g_getenv("FAKE_QEMU_SCRIPT");
    const char *answers = g_getenv("FAKE_QEMU_ANSWERS");
    const char *real = g_getenv("FAKE_QEMU_REAL");
    g_autoptr(GError) error = NULL;
    g_autoptr(VbQmpPeer) peer = NULL;
    VbTranscript *transcript = NULL;

    fake.loop = loop;
    if (is_capability_probe(argv)) {
        execvp(real ? real : "qemu-system-x86_64", argv);
        g_error("%s: %s", real ? real : "qemu-system-x86_64", g_strerror(errno));
    }
    if (script && !(transcript = vb_transcript_load(script, &error)))
        g_error("%s", error->message);
    peer = vb_qmp_peer_new(transcript, &callbacks, &fake);
    if (answers)
        set_answers(peer, answers);
    vb_qmp_peer_set_holding(peer, g_getenv("FAKE_QEMU_HOLD") != NULL);
    g_unix_signal_add(SIGUSR1, on_continue, peer);
    vb_qmp_peer_listen(peer, monitor_socket(argv));
    g_main_loop_run(loop);
    vb_hostile_qemu_free(fake.hostile);
    return EXIT_SUCCESS;
}
