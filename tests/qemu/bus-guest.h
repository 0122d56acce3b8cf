/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests of a real QEMU (TCG) behind the real daemon on a private bus: what the tests bus-*.c have
 * beyond tests/lib/bus-fixture.h. Images and everything else lie in the fixture's directory. Each
 * guest has a second monitor (its emulator is a script that adds one), through which a test sees
 * and does things behind the daemon's back, also while there is no daemon. */
#pragma once

#include "bus-fixture.h"

/* ---- files ---- */

char *guest_path(VbBusFixture *fixture, const char *name);
/* Runs a command line in the fixture's directory; it must succeed. Its output. (transfer full) */
char *guest_run(VbBusFixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* base ← mid ← top (qcow2, 16 MiB), each with data of its own, 14 MiB in all, and "expected" (raw):
 * what a guest sees at the top of it. */
void guest_make_chain(VbBusFixture *fixture);
/* A chain of two tiny images, <name>-base ← <name>: 64 KiB of data in 1 MiB. */
void guest_make_tiny(VbBusFixture *fixture, const char *name);
/* Waits until there is such a file or socket. */
void guest_await_file(const char *path);
/* The image has, for a guest, the contents of "expected". No QEMU may be writing to it. */
void guest_assert_content(VbBusFixture *fixture, const char *name);

/* ---- domains ---- */

/* <disk> elements. */
char *guest_file_disk(VbBusFixture *fixture, const char *image, const char *target);
/* A domain of that name; its emulator is a script <name>.emulator: `body`, in which "$@" is the
 * command line, and then the exec of QEMU. NULL: no body. `devices`: disks and more. */
char *guest_xml(VbBusFixture *fixture, const char *name, const char *devices, const char *body);
/* Below image `index` of a disk there is a blkdebug node, and it has the name of the file's. */
#define GUEST_BLKDEBUG(index)                                                                      \
    "for arg; do\n"                                                                                \
    "    shift\n"                                                                                  \
    "    case $arg in\n"                                                                           \
    "    '{\"driver\":\"file\",\"node-name\":\"vb-vda-" index "-file\",'*)\n"                      \
    "        arg='{\"driver\":\"blkdebug\",\"node-name\":\"vb-vda-" index "-file\","               \
    "\"image\":{\"driver\":\"file\",'${arg#*-file\\\",}'}' ;;\n"                                   \
    "    esac\n"                                                                                   \
    "    set -- \"$@\" \"$arg\"\n"                                                                 \
    "done\n"

/* Defines it and starts it with its virtual CPUs stopped (or running). The object path. */
char *guest_start(VbBusClient *client, const char *xml, gboolean paused);
/* guest_make_chain(), and a started domain "guest" on it, with blkdebug below the base image. */
char *guest_start_on_chain(VbBusFixture *fixture, gboolean paused);
#define GUEST_BASE_NODE "vb-vda-3-file"

/* nbdkit with an option and a plugin, on nbd.sock in the fixture's directory. */
GSubprocess *guest_start_nbd(VbBusFixture *fixture, const char *option, const char *const *plugin);
/* Also when it is stopped. */
void guest_stop_nbd(VbBusFixture *fixture, GSubprocess *server);
/* A started domain "guest", its virtual CPUs stopped, with an empty overlay on that export. */
char *guest_start_on_nbd(VbBusFixture *fixture);

/* QEMU's process, from the daemon's record. */
GPid guest_pid(VbBusFixture *fixture, const char *domain);
/* Waits until there is one. */
GPid guest_await_pid(VbBusFixture *fixture, const char *domain);
gboolean guest_is_alive(GPid pid);
/* A QMP command on the second monitor, as JSON; the reply's line, which may be an error. */
char *guest_monitor(VbBusFixture *fixture, const char *name, const char *command);
/* Asks until the reply has, or has no longer, that text in it. */
void guest_await_monitor(VbBusFixture *fixture, const char *name, const char *command,
                         const char *text, gboolean has);
/* Waits until a job of it has a request under way: QEMU calls it busy then, and no longer between
 * two requests. */
void guest_await_io(VbBusFixture *fixture, const char *name);
/* HMP "qemu-io NODE \"command\"" there. */
void guest_debug(VbBusFixture *fixture, const char *name, const char *command);

/* "vda: <source of the active image's basename>" of the live definition, as Disks has it. */
char *guest_disk_source(VbBusClient *client, const char *domain);
/* GetXml. */
char *guest_get_xml(VbBusClient *client, const char *domain, gboolean inactive);

/* ---- jobs ---- */

/* A call of Domain.Block: `params` in GVariant text, e.g. "('vda', {'async': <true>})". */
guint32 guest_send(VbBusClient *client, const char *domain, const char *method, const char *params,
                   ...) G_GNUC_PRINTF(4, 5);
/* The job that a reply names; the only one that a reply to Backup names. */
char *guest_job_of(const VbBusMessage *reply);
char *guest_jobs_of(const VbBusMessage *reply);
/* A job that must start. */
char *guest_start_job(VbBusClient *client, const char *domain, const char *method,
                      const char *params, ...) G_GNUC_PRINTF(4, 5);
char *guest_start_copy(VbBusFixture *fixture, VbBusClient *client, const char *domain,
                       const char *target);
void guest_wait_ready(VbBusClient *client, const char *job);

/* A terminal signal of Domain.Block. */
typedef struct {
    const VbBusMessage *message; /* its member says which */
    const char *job, *disk, *type, *text, *reason;
    gboolean synthesized, pivoted, consistent;
    guint serial;
} GuestEnd;

/* Is it one? */
gboolean guest_is_end(const VbBusMessage *message);
/* The nth terminal signal (0 is the first) of the job (NULL: any) at or after `from`; FALSE: there
 * is none yet. */
gboolean guest_find_end(VbBusClient *client, guint from, const char *job, guint nth,
                        GuestEnd *ret_end);
/* Waits for the first; what it says must be "BlockJobCanceled requested" and the like. */
GuestEnd guest_await_end(VbBusClient *client, guint from, const char *job, const char *expected);
guint guest_count_ends(VbBusClient *client, guint from, const char *job);
/* State is concluded, Result that. */
void guest_assert_result(VbBusClient *client, const char *job, const char *result);
