/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of block jobs stand on: a host below a temporary directory, the QEMU driver, one
 * domain with a real QEMU (its vCPUs stopped: a guest's I/O is done for it through the monitor), a
 * chain of images, and a log of all that the objects would be told. No bus. */
#pragma once

#include "host.h"
#include "wait.h"

#include <json-glib/json-glib.h>

typedef struct JobsFixture JobsFixture;

JobsFixture *jobs_fixture_new(void);
/* With the images of jobs_make_chain(), and the domain running on them. */
JobsFixture *jobs_fixture_running(void);
/* Destroys the domain, frees the host, removes the directory. */
void jobs_fixture_free(JobsFixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JobsFixture, jobs_fixture_free)

VbHost *jobs_host(JobsFixture *fixture);
VbDomain *jobs_domain(JobsFixture *fixture);

/* ---- images --------------------------------------------------------------------------------- */

char *jobs_path(JobsFixture *fixture, const char *name);
/* Runs a command line in the fixture's directory; it must succeed. */
void jobs_run(JobsFixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* base ← mid ← top (qcow2, 16 MiB), each with data of its own, and expected (raw): what a guest
 * sees at the top of it. */
void jobs_make_chain(JobsFixture *fixture);
/* The guest's view of the image is that of "expected". The domain must not run. */
void jobs_assert_content(JobsFixture *fixture, const char *name);
gboolean jobs_exists(JobsFixture *fixture, const char *name);
/* "top mid base": the live chain of a disk; of the stored definition, what that tells of it. */
char *jobs_live_chain(JobsFixture *fixture, const char *disk);
char *jobs_stored_chain(JobsFixture *fixture, const char *disk);
/* The names of the disk's nodes in QEMU, sorted, "vb-vda-1 vb-vda-1-file". */
char *jobs_nodes(JobsFixture *fixture, const char *disk);

/* ---- the domain ----------------------------------------------------------------------------- */

/* Defines and starts it, on these images (qcow2) as vda, vdb …; NULL-terminated. */
void jobs_start_domain(JobsFixture *fixture, const char *image, ...) G_GNUC_NULL_TERMINATED;
/* The emulator to be used: instead of the default's, a script in the fixture's directory that says
 * `body`, in which "$@" is QEMU's command line. To be called before jobs_start_domain(). */
void jobs_set_emulator(JobsFixture *fixture, const char *body);
/* Such a body: below vda's third image ("base") there is a blkdebug node with these options, and it
 * has the name of the image's file node. */
#define JOBS_EMULATOR_BLKDEBUG(options)                                                            \
    "for arg; do\n"                                                                                \
    "    shift\n"                                                                                  \
    "    case $arg in\n"                                                                           \
    "    '{\"driver\":\"file\",\"node-name\":\"vb-vda-3-file\",'*)\n"                              \
    "        arg='{\"driver\":\"blkdebug\",\"node-name\":\"vb-vda-3-file\"," options               \
    "\"image\":{\"driver\":\"file\",'${arg#*-file\\\",}'}' ;;\n"                                   \
    "    esac\n"                                                                                   \
    "    set -- \"$@\" \"$arg\"\n"                                                                 \
    "done\n"                                                                                       \
    "exec qemu-system-x86_64 \"$@\"\n"
#define JOBS_EMULATOR_DEBUG_BASE JOBS_EMULATOR_BLKDEBUG("")
/* "virtio" unless said otherwise; "sata" and "scsi" disks are named sda, sdb … */
void jobs_set_bus(JobsFixture *fixture, const char *bus);
void jobs_destroy_domain(JobsFixture *fixture);
/* As the guest: a qemu-io command ("write -P 9 0 64k") on the disk, and on "expected". */
void jobs_guest_write(JobsFixture *fixture, const char *disk, const char *command);
/* A command on the monitor that must succeed; the value of "return". (transfer full) */
JsonNode *jobs_monitor(JobsFixture *fixture, const char *command, JsonObject *arguments);
void jobs_hmp(JobsFixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The daemon's death and its next life. In between, jobs_monitor() talks to QEMU by itself. */
void jobs_stop_host(JobsFixture *fixture);
void jobs_start_host(JobsFixture *fixture);
/* While there is no host: waits until QEMU says this of its only job. */
void jobs_await_status(JobsFixture *fixture, const char *status);
/* Until the only job has a request under way (QEMU's "busy"), and not just the intent. */
void jobs_await_io(JobsFixture *fixture);
gboolean jobs_has_status(JobsFixture *fixture, const char *status);
/* QEMU's process; only while there is a host. */
GPid jobs_qemu_pid(JobsFixture *fixture);

/* ---- jobs ----------------------------------------------------------------------------------- */

/* Starts it and releases it; `spec` is taken. (transfer full) */
VbJob *jobs_start(JobsFixture *fixture, VbJobSpec *spec);
GPtrArray *jobs_start_all(JobsFixture *fixture, GPtrArray *specs);
/* A start that must fail with this code; its message must contain `word`. */
void jobs_start_refused(JobsFixture *fixture, VbJobSpec *spec, VbError code, const char *word);
VbJobSpec *jobs_spec_target(JobsFixture *fixture, VbJobType type, const char *disk,
                            const char *target, VbDiskFormat format);
/* Asks and waits for the answer. */
void jobs_cancel(JobsFixture *fixture, VbJob *job, VbJobFlags flags);
void jobs_pivot(JobsFixture *fixture, VbJob *job);
void jobs_set_paused(JobsFixture *fixture, VbJob *job, gboolean paused);
void jobs_set_bandwidth(JobsFixture *fixture, VbJob *job, guint64 bandwidth);
void jobs_wait_ready(JobsFixture *fixture, VbJob *job);
/* Waits for the end of the job: "canceled requested", "failed io-error" … must be the outcome, and
 * there must have been exactly one signal. */
void jobs_assert_outcome(JobsFixture *fixture, VbJob *job, const char *outcome);
/* And for its clean-up, when there is no other job: QEMU knows no job any more, and of the disk's
 * nodes just those of the live chain. */
void jobs_assert_end(JobsFixture *fixture, VbJob *job, const char *outcome);
/* Pivots when it is ready; it must end as completed. */
void jobs_assert_pivots(JobsFixture *fixture, VbJob *job);
/* The only job of the domain, in this life of the host. (transfer full) */
VbJob *jobs_find(JobsFixture *fixture);
/* What the objects were told about jobs so far: "added ready concluded", each word once. */
char *jobs_log(JobsFixture *fixture, const VbJob *job);
