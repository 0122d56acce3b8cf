/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The core with a driver that does nothing by itself: the test answers its calls, in the order that
 * it likes, and reports what it likes. A copy of the directories at any moment is what a daemon
 * that was killed right then leaves: another host can be loaded from it while the first one still
 * lives.
 */
#pragma once

#include "host.h"
#include "wait.h"

typedef enum {
    STUB_OPERATE,
    STUB_RECONNECT,
    STUB_START,
    STUB_QUERY,
    STUB_CANCEL,
    STUB_COMPLETE,
    STUB_FINALIZE,
    STUB_ROOT,
    STUB_SET,
    STUB_CLEAN,
    STUB_LINK,
    STUB_N_CALLS,
} StubCall;

typedef struct Stub Stub;

struct Stub {
    VbHost *host;
    VbPaths *paths;
    VbStore *store;
    char *root;
    GPtrArray *log;                   /* of strings: what the core told, and the answers */
    gboolean keep[STUB_N_CALLS];      /* calls wait for stub_answer(); else they succeed at once */
    const char *fail[STUB_N_CALLS];   /* the error that such a call gets */
    guint count[STUB_N_CALLS];        /* calls so far */
    GPtrArray *waiting[STUB_N_CALLS]; /* of GTask */
    GPtrArray *statuses;              /* of VbJobStatus: what a query answers */
    gboolean root_is_target;          /* what job_root answers */
    gboolean open_ports;              /* a start opens the ports of its domain first */
    GPtrArray *fds;                   /* of GArray: what it got */
    void (*on_line)(Stub *stub, const char *line); /* called with each line of the log */
    char *snapshot;                                /* for on_line's use; freed with the stub */
};

/* On an empty directory. */
Stub *stub_new(void);
/* … and nothing is loaded yet. */
Stub *stub_new_dead(void);
/* On what stub_snapshot() made, which is removed at the end. */
Stub *stub_load(const char *root);
/* Loads, but does not announce. */
void stub_begin(Stub *stub);
void stub_free(Stub *stub);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stub, stub_free)

/* What a daemon leaves that is killed now: a copy of the directories. (transfer full) */
char *stub_snapshot(Stub *stub);

/* Whatever is ready in the main loop is done. */
void stub_settle(void);

/* Answers the oldest waiting call of that kind: NULL: it succeeded. */
void stub_answer(Stub *stub, StubCall call, const char *error);

void stub_note(Stub *stub, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* How many lines match the glob; asserts that they come in this order. */
guint stub_lines(Stub *stub, const char *pattern);
void stub_assert_order(Stub *stub, const char *first, ...) G_GNUC_NULL_TERMINATED;

char *stub_xml(const char *name, const char *uuid, const char *source);
#define STUB_UUID "0c0ffee0-0000-4000-8000-000000000001"
/* Defines and starts a domain "a" (STUB_UUID) with a disk vda: /a.qcow2 on /base.qcow2. */
VbDomain *stub_running(Stub *stub);
/* The calls: each begins, and logs "reply NAME ok" or "reply NAME: MESSAGE" when it is answered. */
void stub_define(Stub *stub, const char *xml, const char *name);
/* For calls that end in a boolean: logs the reply. */
void stub_on_boolean(GObject *source, GAsyncResult *result, gpointer reply);
gpointer stub_reply(Stub *stub, const char *name);
void stub_log_reply(gpointer reply, const GError *error); /* frees `reply` */
void stub_create(Stub *stub, const char *xml, const char *name);
void stub_undefine(Stub *stub, VbDomain *domain, const char *name);
void stub_operate(Stub *stub, VbDomain *domain, VbDomainOp op, const char *name);
void stub_start_job(Stub *stub, VbDomain *domain, VbJobType type, const char *name);
void stub_cancel(Stub *stub, VbJob *job, VbJobFlags flags, const char *name);
void stub_pivot(Stub *stub, VbJob *job, VbJobFlags flags, const char *name);

/* A job on vda, started, answered and released. Borrowed from the domain. */
VbJob *stub_job(Stub *stub, VbDomain *domain, VbJobType type);
/* … and a copy that is ready. */
VbJob *stub_ready_copy(Stub *stub, VbDomain *domain);
/* What the hypervisor says of `job` from now on when it is asked. */
void stub_set_status(Stub *stub, VbJob *job, VbJobStatusKind status, const char *error);

char *stub_job_record(Stub *stub, guint number); /* its path */
char *stub_read(const char *path);               /* "" when there is no such file */
/* The writer thread stops at the next definition of domain `uuid`, until stub_unblock(). */
void stub_block_definition(Stub *stub, const char *uuid);
void stub_unblock_definition(Stub *stub, const char *uuid);
