/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A bus of its own with something on it that looks like virtbusd to virtbusctl, for what a real
 * daemon cannot be made to do when a test wants it. GDBus holds it to data/dbus-interfaces: a call
 * with the wrong signature is refused. Each test says what a method does; all of it runs in the
 * test's main loop, and so does virtbusctl's life. */
#pragma once

#include <gio/gio.h>

#define VB_MOCK_MANAGER "/org/virtbus1/manager"
#define VB_MOCK_JOB "/org/virtbus1/job/7"

typedef struct VbMock VbMock;

/* Must answer the invocation. The data is the one of vb_mock_on(). */
typedef void (*VbMockMethod)(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data);

/* A manager, no domain, no network, and a job. */
VbMock *vb_mock_new(void);
void vb_mock_free(VbMock *mock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbMock, vb_mock_free)

/* A domain that the manager finds by name and UUID and lists. The path; id 0: it does not run. */
const char *vb_mock_add_domain(VbMock *mock, guint32 id, const char *name, const char *state);

/* The same for a network; state "active" or "inactive". */
const char *vb_mock_add_network(VbMock *mock, const char *name, const char *state);

/* Sinks value. What was not set is empty, 0 or FALSE. */
void vb_mock_set(VbMock *mock, const char *path, const char *property, GVariant *value);

/* What "Pull" and the like do; without that they answer with nothing. */
void vb_mock_on(VbMock *mock, const char *method, VbMockMethod handler, gpointer data);

/* Answers with the path of the job. */
void vb_mock_return_job(GDBusMethodInvocation *invocation);

/* BlockJobReady, …Completed, …Failed or …Canceled of the job. */
void vb_mock_emit_block_job(VbMock *mock, const char *domain, const char *signal,
                            const char *message, gboolean pivoted, gboolean consistent);
/* Any signal. Sinks parameters. */
void vb_mock_emit(VbMock *mock, const char *path, const char *interface, const char *signal,
                  GVariant *parameters);

/* Leaves the bus as a daemon that dies, and comes back. Returns when the bus knows. */
void vb_mock_leave(VbMock *mock);
void vb_mock_return(VbMock *mock);

/* The bus goes, and everybody on it with it. Nothing can be run after that. */
void vb_mock_kill_bus(VbMock *mock);

/* The calls so far, one a line: "Pull ('vda', @a{sv} {})". The lookups are not among them. */
const char *vb_mock_get_calls(VbMock *mock);

/* A virtbusctl on this bus. Every wait for it is under a deadline; vb_mock_wait() is for its end.
 */
typedef struct {
    int status;
    char *output;
    char *errors;
} VbMockRun;

void vb_mock_run_free(VbMockRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbMockRun, vb_mock_run_free)

/* The first argument of the test program is the path of virtbusctl. */
void vb_mock_set_program(const char *path);

/* The words are split at blanks; input NULL: none. */
void vb_mock_spawn(VbMock *mock, const char *words, const char *input);
void vb_mock_signal(VbMock *mock, int signal_number);
/* Returns when what it has printed so far, on either stream, has the text. */
void vb_mock_wait_for_text(VbMock *mock, const char *text);
/* Returns when it has read the list of domains: then event is subscribed. */
void vb_mock_wait_for_listing(VbMock *mock);
VbMockRun *vb_mock_wait(VbMock *mock);

/* Both together. */
VbMockRun *vb_mock_run(VbMock *mock, const char *words);
/* The same on a terminal of its own, with that PATH; all of its text is output. */
VbMockRun *vb_mock_run_at_terminal(VbMock *mock, const char *words, const char *path);

const char *vb_mock_address(VbMock *mock);
