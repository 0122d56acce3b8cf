/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hostile QEMU: the input is what it sends. The first byte says how: bits 0–3 the size of the
 * chunks (0: all at once), bit 4 a proper handshake first, bit 5 holding the events, bit 6 a limit
 * that runs out, bit 7 hanging up in the first event.
 *
 * Held to: no crash; the scanner cuts alike whatever the chunks are; each call ends once; one
 * `disconnected`, after everything else.
 */
#include <gio/gio.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json-limits.h"
#include "qmp-client.h"

#define CALLS 3u
#define MAX_SIZE 65536u /* what the socket takes at once */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    VbQmp *qmp;
    gboolean close_in_event;
    guint ended; /* calls */
    guint disconnected;
} Run;

static void on_event(VbQmp *qmp, const char *name, JsonObject *data, gint64 timestamp_us,
                     gpointer user_data)
{
    Run *run = user_data;

    g_assert(name && data && timestamp_us >= 0 && run->disconnected == 0);
    if (run->close_in_event)
        vb_qmp_close(qmp);
}

static void on_disconnected(VbQmp *qmp, const GError *reason, gpointer user_data)
{
    Run *run = user_data;

    g_assert(reason);
    run->disconnected++;
}

static void on_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    Run *run = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) value = vb_qmp_call_finish(result, &error);

    g_assert((value == NULL) == (error != NULL));
    run->ended++;
}

/* Everything that the scanner lets through, as one text. */
static char *scan(const char *text, gsize size, gsize chunk)
{
    g_autoptr(VbJsonScanner) scanner = vb_json_scanner_new();
    GString *seen = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    JsonNode *node;

    for (gsize at = 0; at < size; at += chunk) {
        if (!vb_json_scanner_push(scanner, text + at, MIN(chunk, size - at), NULL))
            break;
    }
    while ((node = vb_json_scanner_pop(scanner, &error))) {
        g_autofree char *value = json_to_string(node, FALSE);
        g_string_append_printf(seen, "%s\n", value);
        json_node_unref(node);
    }
    g_string_append(seen, error ? error->message : vb_json_scanner_is_inside(scanner) ? "…" : "");
    return g_string_free(seen, FALSE);
}

static void iterate(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static void send_all(int fd, const char *text, gsize size)
{
    g_assert(send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size || size == 0 || errno == EPIPE);
    iterate();
}

static void run_client(const char *text, gsize size, gsize chunk, uint8_t flags)
{
    static const VbQmpCallbacks callbacks = {on_event, on_disconnected};
    static const char handshake[] =
        "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 0}}}}";
    Run run = {.close_in_event = flags & 0x80};
    guint calls = 1;
    int pair[2];

    g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    run.qmp = vb_qmp_new(pair[1], &callbacks, &run);
    vb_qmp_start_async(run.qmp, 10000, NULL, on_ended, &run);
    if (flags & 0x10) {
        send_all(pair[0], handshake, sizeof handshake - 1);
        send_all(pair[0], "{\"return\": {}, \"id\": 1}", 23);
    }
    if (flags & 0x20)
        vb_qmp_hold_events(run.qmp);
    for (; calls <= CALLS; calls++) /* ids 2 to 4 */
        vb_qmp_call_async(run.qmp, "query-status", NULL, flags & 0x40 ? 1 : 10000, NULL, on_ended,
                          &run);
    for (gsize at = 0; at < size; at += chunk)
        send_all(pair[0], text + at, MIN(chunk, size - at));
    vb_qmp_release_events(run.qmp);
    close(pair[0]);
    while (run.disconnected == 0 || run.ended < calls)
        g_main_context_iteration(NULL, TRUE);
    vb_qmp_free(run.qmp);
    iterate();
    g_assert(run.disconnected == 1 && run.ended == calls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    g_autofree char *whole = NULL;
    g_autofree char *pieces = NULL;
    gsize chunk;

    if (size < 2 || size > MAX_SIZE)
        return 0;
    size--;
    chunk = data[0] & 0x0f ? data[0] & 0x0f : size;
    /* A chunk for each byte of a long input says no more and takes long. */
    chunk = MAX(chunk, size / 64 + 1);
    whole = scan(text, size, size);
    pieces = scan(text, size, chunk);
    g_assert_cmpstr(whole, ==, pieces);
    run_client(text, size, chunk, data[0]);
    return 0;
}
