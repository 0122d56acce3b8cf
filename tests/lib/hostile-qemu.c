/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The behaviours. Each says something once, perhaps something for ever after it, and then may hang
 * up or be silent. @JOB@ and @ID@ in what is said are the id of the last job and of the command. */
#include "hostile-qemu.h"

#include <string.h>

#include "json-get.h"

#define CHUNK ((gsize)256 * 1024) /* what is said for ever is repeated up to that size */

typedef enum {
    ANSWER = 1 << 0,   /* the command is answered, after that */
    HANG_UP = 1 << 1,  /* after what is said once */
    SILENT = 1 << 2,   /* nothing else is answered */
    DEAF = 1 << 3,     /* nothing else is read */
    BYTEWISE = 1 << 4, /* everything from now on, one byte at a time */
    MANGLED = 1 << 5,  /* every event that virtbus knows, with every wrong content */
    RANDOM = 1 << 6,   /* random bytes for ever */
} Flags;

typedef struct {
    const char *name;
    const char *once;  /* or NULL */
    const char *again; /* repeated for ever, or NULL */
    Flags flags;
    char filler; /* `n_filler` of these come after `once` */
    gsize n_filler;
} Behaviour;

#define REPLY "{\"return\": {}, \"id\": @ID@}\r\n"
#define EVENT(name, data) "{\"event\": \"" name "\", \"data\": {" data "}}\r\n"
#define BLOCK_JOB(name, data) EVENT(name, "\"device\": \"@JOB@\", \"type\": \"stream\", " data)

static const Behaviour behaviours[] = {
    /* what is no JSON, or too much of it */
    {"random", NULL, NULL, RANDOM},
    {"nul", NULL, NULL, SILENT, '\0', 100000},
    {"utf8", "{\"event\": \"\xff\xfe\"}\r\n", NULL, ANSWER},
    {"line", "{\"event\": \"", "xxxxxxxxxxxxxxxx", 0},
    {"spaces", "{\"event\":", "                ", 0},
    {"items", "{\"return\": [0", ",0", 0},
    {"deep", NULL, NULL, SILENT, '[', 1000000},
    {"digits", "{\"event\": \"STOP\", \"data\": {\"x\": 1", NULL, SILENT, '0', 100000},
    {"fat", "", "{\"event\": \"FAT\", \"data\": {\"x\": [@FAT@]}}\r\n", ANSWER},
    /* replies */
    {"twice", REPLY REPLY, NULL, 0},
    {"unasked", "{\"return\": {}, \"id\": 471147114711}\r\n", NULL, ANSWER},
    {"noid", "{\"return\": {}}\r\n", NULL, ANSWER},
    {"wrong", "{\"return\": [[], 5, {\"id\": 7}, null], \"id\": @ID@}\r\n", NULL, 0},
    {"refusal", "{\"error\": {\"class\": 5, \"desc\": [\"\\n\"]}, \"return\": 5, \"id\": @ID@}\r\n",
     NULL, 0},
    {"half", "{\"return\": {}, \"i", NULL, HANG_UP},
    {"close", "", NULL, HANG_UP},
    {"after", REPLY, NULL, HANG_UP},
    {"silent", NULL, NULL, SILENT},
    {"deaf", NULL, NULL, DEAF},
    {"bytes", NULL, NULL, BYTEWISE | ANSWER},
    /* events */
    {"mangled", NULL, NULL, MANGLED | ANSWER},
    {"stop", NULL, EVENT("STOP", "") EVENT("RESUME", ""), ANSWER},
    {"reset", NULL, EVENT("RESET", "\"guest\": true, \"reason\": \"guest-reset\""), ANSWER},
    {"suspend", NULL, EVENT("SUSPEND", "") EVENT("WAKEUP", ""), ANSWER},
    {"shutdown", NULL, EVENT("SHUTDOWN", "\"reason\": \"guest-shutdown\"") EVENT("RESUME", ""),
     ANSWER},
    {"panic", NULL, EVENT("GUEST_PANICKED", "\"action\": \"pause\"") EVENT("RESUME", ""), ANSWER},
    {"ioerror", NULL,
     EVENT("BLOCK_IO_ERROR",
           "\"node-name\": \"n\", \"reason\": \"no space left\", \"action\": \"report\""),
     ANSWER},
    {"watchdog", NULL, EVENT("WATCHDOG", "\"action\": \"pause\""), ANSWER},
    {"balloon", NULL,
     EVENT("BALLOON_CHANGE", "\"actual\": 16777216") EVENT("BALLOON_CHANGE", "\"actual\": 8388608"),
     ANSWER},
    {"channel", NULL,
     EVENT("VSERPORT_CHANGE", "\"id\": \"channel0\", \"open\": true")
         EVENT("VSERPORT_CHANGE", "\"id\": \"channel0\", \"open\": false"),
     ANSWER},
    {"unknown", NULL, EVENT("VIRTBUS_HAS_NEVER_HEARD", "\"of\": [\"this\"]"), ANSWER},
    {"flicker", NULL,
     EVENT("JOB_STATUS_CHANGE", "\"id\": \"@JOB@\", \"status\": \"paused\"")
         EVENT("JOB_STATUS_CHANGE", "\"id\": \"@JOB@\", \"status\": \"running\""),
     ANSWER},
    {"jobs", NULL,
     BLOCK_JOB("BLOCK_JOB_READY", "\"offset\": 1, \"len\": 2")
         BLOCK_JOB("BLOCK_JOB_ERROR", "\"action\": \"stop\"")
             EVENT("BLOCK_JOB_PENDING", "\"id\": \"@JOB@\", \"type\": \"stream\""),
     ANSWER},
    {"ends", NULL,
     BLOCK_JOB("BLOCK_JOB_COMPLETED", "\"offset\": 2, \"len\": 2")
         BLOCK_JOB("BLOCK_JOB_CANCELLED", "\"offset\": 9, \"len\": 2")
             BLOCK_JOB("BLOCK_JOB_COMPLETED", "\"error\": \"no\", \"offset\": 2, \"len\": 2"),
     ANSWER},
};

struct VbHostileQemu {
    const Behaviour *behaviour;
    char *command; /* from which on */
    gboolean turned;
    char *job;   /* the last one's id; NULL: there was none */
    char *chunk; /* what is said for ever */
    gsize size;
};

const char *vb_hostile_qemu_behaviour(guint n)
{
    return n < G_N_ELEMENTS(behaviours) ? behaviours[n].name : NULL;
}

VbHostileQemu *vb_hostile_qemu_new(const char *domain)
{
    const char *at = domain ? strstr(domain, "-at-") : NULL;

    if (!at || !g_str_has_prefix(domain, "hostile-"))
        return NULL;
    g_autofree char *name =
        g_strndup(domain + strlen("hostile-"), (gsize)(at - domain) - strlen("hostile-"));
    for (guint i = 0; i < G_N_ELEMENTS(behaviours); i++) {
        if (strcmp(behaviours[i].name, name) != 0)
            continue;
        VbHostileQemu *hostile = g_new0(VbHostileQemu, 1);
        hostile->behaviour = &behaviours[i];
        hostile->command = g_strdup(at + strlen("-at-"));
        return hostile;
    }
    g_error("no behaviour is called %s", name);
}

void vb_hostile_qemu_free(VbHostileQemu *hostile)
{
    if (!hostile)
        return;
    g_free(hostile->command);
    g_free(hostile->job);
    g_free(hostile->chunk);
    g_free(hostile);
}

/* ---- what is said --- */

static char *fill_in(VbHostileQemu *hostile, const char *template, JsonObject *message)
{
    g_autoptr(GString) text = g_string_new(template);
    g_autofree char *id =
        g_strdup_printf("%" G_GINT64_FORMAT,
                        message ? json_object_get_int_member_with_default(message, "id", 0) : 0);

    g_string_replace(text, "@JOB@", hostile->job ? hostile->job : "nothing", 0);
    g_string_replace(text, "@ID@", id, 0);
    if (strstr(text->str, "@FAT@")) {
        g_autoptr(GString) fat = g_string_new("{}");
        for (guint i = 0; i < 80000; i++)
            g_string_append(fat, ",{}");
        g_string_replace(text, "@FAT@", fat->str, 0);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Each event that virtbus reads, with data of each wrong kind, and its members so. Those that tell
 * of an end are left out, unless nothing in them can be meant. */
static void send_mangled(VbHostileQemu *hostile, VbQmpPeer *peer)
{
    static const char *const events[] = {
        "SHUTDOWN",
        "STOP",
        "RESUME",
        "RESET",
        "SUSPEND",
        "WAKEUP",
        "WATCHDOG",
        "BLOCK_IO_ERROR",
        "VSERPORT_CHANGE",
        "BALLOON_CHANGE",
        "BLOCK_JOB_READY",
        "BLOCK_JOB_ERROR",
        "BLOCK_JOB_COMPLETED",
        "BLOCK_JOB_CANCELLED",
        "BLOCK_JOB_PENDING",
        "JOB_STATUS_CHANGE",
        "",
        "\\u00e9",
        "BLOCK_JOB_",
        "BLOCK_JOB_UNHEARD",
    };
    static const char *const members[] = {"id",     "device", "offset", "len",    "error",
                                          "action", "reason", "guest",  "status", "node-name",
                                          "open",   "actual", "type"};
    static const char *const values[] = {"null",
                                         "true",
                                         "-1",
                                         "1e999",
                                         "18446744073709551616",
                                         "-9223372036854775808",
                                         "\"\"",
                                         "\"\\n\\u0001\"",
                                         "[]",
                                         "{}",
                                         "[[{\"a\": []}]]",
                                         "\"vd\\u202ea\"",
                                         "\"../../x\""};
    static const char *const data[] = {"null", "5", "\"x\"", "[]", "true"};

    for (guint i = 0; i < G_N_ELEMENTS(events); i++) {
        gboolean ends = strcmp(events[i], "SHUTDOWN") == 0;
        for (guint j = 0; j < G_N_ELEMENTS(data) && !ends; j++) {
            g_autofree char *line =
                g_strdup_printf("{\"event\": \"%s\", \"data\": %s}\r\n", events[i], data[j]);
            vb_qmp_peer_send(peer, line, -1);
        }
        for (guint j = 0; j < G_N_ELEMENTS(members) && !ends; j++) {
            for (guint k = 0; k < G_N_ELEMENTS(values); k++) {
                g_autofree char *line = g_strdup_printf(
                    "{\"timestamp\": {\"seconds\": %s, \"microseconds\": %s}, \"event\": \"%s\", "
                    "\"data\": {\"%s\": %s, \"x\": %s}}\r\n",
                    values[k], values[(k + 1) % G_N_ELEMENTS(values)], events[i], members[j],
                    values[k], values[(k + 2) % G_N_ELEMENTS(values)]);
                vb_qmp_peer_send(peer, line, -1);
            }
        }
    }
}

/* Makes what is repeated: whole messages, so that answers fit between two chunks. */
static void make_chunk(VbHostileQemu *hostile, JsonObject *message)
{
    const Behaviour *behaviour = hostile->behaviour;
    g_autoptr(GString) chunk = g_string_new(NULL);

    if (behaviour->flags & RANDOM) {
        g_autoptr(GRand) random = g_rand_new_with_seed(4711);
        while (chunk->len < CHUNK)
            g_string_append_c(chunk, (char)g_rand_int_range(random, 0, 256));
    } else if (behaviour->again) {
        g_autofree char *again = fill_in(hostile, behaviour->again, message);
        while (chunk->len < CHUNK)
            g_string_append(chunk, again);
    }
    hostile->size = chunk->len;
    hostile->chunk = g_string_free(g_steal_pointer(&chunk), FALSE);
}

static void turn(VbHostileQemu *hostile, VbQmpPeer *peer, JsonObject *message)
{
    const Behaviour *behaviour = hostile->behaviour;

    hostile->turned = TRUE;
    g_printerr("now hostile: %s\n", behaviour->name);
    if (behaviour->flags & DEAF)
        vb_qmp_peer_set_deaf(peer);
    if (behaviour->flags & BYTEWISE)
        vb_qmp_peer_set_bytewise(peer);
    if (behaviour->once) {
        g_autofree char *once = fill_in(hostile, behaviour->once, message);
        vb_qmp_peer_send(peer, once, -1);
    }
    if (behaviour->n_filler > 0) {
        g_autofree char *filler = g_malloc(behaviour->n_filler);
        memset(filler, behaviour->filler, behaviour->n_filler);
        vb_qmp_peer_send(peer, filler, (gssize)behaviour->n_filler);
    }
    if (behaviour->flags & MANGLED)
        send_mangled(hostile, peer);
    make_chunk(hostile, message);
    if (behaviour->flags & HANG_UP)
        vb_qmp_peer_hang_up(peer);
    else
        vb_qmp_peer_send(peer, "", 0); /* has it drained */
}

gboolean vb_hostile_qemu_command(VbHostileQemu *hostile, VbQmpPeer *peer, const char *command,
                                 JsonObject *message)
{
    const char *job =
        message ? vb_json_get_string(vb_json_get_object(message, "arguments"), "job-id") : NULL;

    if (job) {
        g_free(hostile->job);
        hostile->job = g_strdup(job);
    }
    if (hostile->turned)
        return (hostile->behaviour->flags & SILENT) != 0;
    if (strcmp(command, hostile->command) != 0)
        return FALSE;
    turn(hostile, peer, message);
    return !(hostile->behaviour->flags & ANSWER);
}

void vb_hostile_qemu_drained(VbHostileQemu *hostile, VbQmpPeer *peer)
{
    if (hostile->turned && hostile->size > 0)
        vb_qmp_peer_send(peer, hostile->chunk, (gssize)hostile->size);
}
