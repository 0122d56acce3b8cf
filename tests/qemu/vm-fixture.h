/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of the QEMU driver's life of a VM stand on: a host below a temporary directory,
 * and a log of all that the objects would be told. No bus; QEMU is real, and boots nothing. */
#pragma once

#include "qemu-host.h"

#include <json-glib/json-glib.h>

typedef struct {
    QemuHost qemu;
    GString *log; /* "state running/booted\nlifecycle started/booted\n" … of all domains */
} VmFixture;

VmFixture *vm_fixture_new(void);
/* The same with a network driver; `self` is borrowed. */
VmFixture *vm_fixture_new_with_network(const VbNetworkDriver *driver, gpointer self);
/* Destroys what runs, frees the host, removes the directory. */
void vm_fixture_free(VmFixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmFixture, vm_fixture_free)

/* A path in the fixture's directory. */
char *vm_path(VmFixture *fixture, const char *name);
/* An executable script in the directory: a shell's `body`, in which "$@" is QEMU's command line.
 * (transfer full) its path. */
char *vm_make_emulator(VmFixture *fixture, const char *body);
/* An empty image of 1 MiB. */
void vm_make_image(VmFixture *fixture, const char *name, gboolean qcow2);

/* A definition: `extra` stands before <devices>, `devices` within; either may be NULL. The emulator
 * NULL: QEMU's own. (transfer full) */
char *vm_xml(const char *name, const char *emulator, const char *extra, const char *devices);

/* Borrowed from the host. */
VbDomain *vm_try_define(VmFixture *fixture, const char *xml, GError **error);
VbDomain *vm_define(VmFixture *fixture, const char *xml);
/* The error of a definition that is refused. */
GError *vm_define_error(VmFixture *fixture, const char *xml);
/* Operates and waits for the answer: NULL or its error. */
GError *vm_operate(VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags);
/* The same, and it must succeed. */
void vm_do(VbDomain *domain, VbDomainOp op);
/* Defined and started. */
VbDomain *vm_running(VmFixture *fixture, const char *xml);
/* The same with nothing but a name. */
VbDomain *vm_running_plain(VmFixture *fixture, const char *name);

/* An operation that is only begun. */
typedef struct {
    GAsyncResult *result; /* NULL until it is answered */
    GError *error;
} VmReply;
VmReply *vm_begin(VbDomain *domain, VbDomainOp op);
void vm_reply_free(VmReply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmReply, vm_reply_free)

pid_t vm_pid(VbDomain *domain);
/* A command on the domain's own monitor connection; must succeed. (transfer full) */
JsonNode *vm_monitor(VbDomain *domain, const char *command, JsonObject *arguments);

/* "running/booted" */
char *vm_state(VbDomain *domain);
#define vm_assert_state(domain, expected)                                                          \
    G_STMT_START                                                                                   \
    {                                                                                              \
        g_autofree char *state_ = vm_state(domain);                                                \
        g_assert_cmpstr(state_, ==, expected);                                                     \
    }                                                                                              \
    G_STMT_END
gboolean vm_has_state(VbDomain *domain, const char *expected);
