/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbQmp: one connection to a QEMU machine protocol monitor, asynchronous, on the main context that
 * was the thread's default when it was made. Owned by a running domain's process object or by a
 * capability probe.
 *
 * Order: events and replies reach their callbacks strictly in the order in which QEMU sent them.
 * No callback runs from within a function of this header: all come from the main context, one at
 * a time, and each may call anything here, vb_qmp_close() and vb_qmp_free() included.
 */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

typedef struct VbQmp VbQmp;

typedef enum {
    VB_QMP_GREETING,     /* connected; QEMU's greeting has not come yet */
    VB_QMP_NEGOTIATING,  /* qmp_capabilities was sent */
    VB_QMP_RUNNING,      /* commands are taken */
    VB_QMP_DISCONNECTED, /* for ever */
} VbQmpState;

/* QEMU's error classes, all there are. Decide by these, never by the text. */
typedef enum {
    VB_QMP_ERROR_NONE,    /* no error, or not one that QEMU sent: timeout, cancelled, closed */
    VB_QMP_ERROR_GENERIC, /* GenericError, and any class that is not listed here */
    VB_QMP_ERROR_COMMAND_NOT_FOUND,
    VB_QMP_ERROR_DEVICE_NOT_ACTIVE,
    VB_QMP_ERROR_DEVICE_NOT_FOUND,
    VB_QMP_ERROR_KVM_MISSING_CAP,
} VbQmpErrorClass;

typedef struct {
    /* An event. `data` is borrowed and never NULL (empty when QEMU sent none); read it with
     * json-get.h. `timestamp_us` is QEMU's wall clock in µs since the epoch, 0 when not given. */
    void (*event)(VbQmp *qmp, const char *name, JsonObject *data, gint64 timestamp_us,
                  gpointer user_data);
    /* The connection has ended, whoever ended it: exactly once, after all events and after every
     * pending call has failed. */
    void (*disconnected)(VbQmp *qmp, const GError *reason, gpointer user_data);
    /* QEMU says more than there is time for, and from now on may have to wait until it is heard. At
     * most once. */
    void (*flooding)(VbQmp *qmp, gpointer user_data);
} VbQmpCallbacks;

#define VB_QMP_DEFAULT_TIMEOUT_MS 30000u
#define VB_QMP_NO_TIMEOUT 0u

/* Takes over `fd`, a connected stream socket. `callbacks` (each member may be NULL) must outlive
 * the client. Nothing is read before vb_qmp_start_async(). */
VbQmp *vb_qmp_new(int fd, const VbQmpCallbacks *callbacks, gpointer user_data);

/* The owner's farewell, safe everywhere and on NULL: no event and no `disconnected` follows.
 * Calls still pending fail from the main context; the memory goes when the last one has. */
void vb_qmp_free(VbQmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbQmp, vb_qmp_free)

/* Ends the connection: events not yet delivered are dropped, pending calls fail in the order in
 * which they were made, then `disconnected` comes. Does nothing when disconnected already. */
void vb_qmp_close(VbQmp *qmp);

VbQmpState vb_qmp_state(const VbQmp *qmp);

/* QEMU's version from its greeting, major * 1000000 + minor * 1000 + micro; 0 before that. */
guint vb_qmp_version(const VbQmp *qmp);

/* Reads the greeting and leaves negotiation mode, within `timeout_ms`. To be called once. Any
 * failure ends the connection, too. */
void vb_qmp_start_async(VbQmp *qmp, guint timeout_ms, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer user_data);
gboolean vb_qmp_start_finish(GAsyncResult *result, GError **error);

/* Sends a command. `arguments` is consumed, NULL for none (build them with qmp-args.h).
 * Commands are sent and answered in the order of these calls.
 *
 * Errors:
 *   VB_ERROR_HYPERVISOR     QEMU refused (its text at the end; the class tells which way), or the
 *                           monitor was closed (class VB_QMP_ERROR_NONE)
 *   VB_ERROR_TIMEOUT        no reply within `timeout_ms`; a late one is dropped. QEMU may or may
 *                           not have done it, unless the command had not been sent yet: then it
 *                           never will be
 *   G_IO_ERROR_CANCELLED    the same, by the cancellable
 *   VB_ERROR_LIMITS_EXCEEDED  a thousand commands wait for QEMU's answer already
 *   VB_ERROR_INVALID_STATE  the client is not running (yet)
 */
void vb_qmp_call_async(VbQmp *qmp, const char *command, JsonObject *arguments, guint timeout_ms,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);

/* The same with a file descriptor for getfd or add-fd; `fd` is taken over, -1 for none. */
void vb_qmp_call_with_fd_async(VbQmp *qmp, const char *command, JsonObject *arguments, int fd,
                               guint timeout_ms, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer user_data);

/* The value of "return" (json_node_unref). */
JsonNode *vb_qmp_call_finish(GAsyncResult *result, GError **error);

/* The class of the error that vb_qmp_call_finish() gives for this result; before or after it. */
VbQmpErrorClass vb_qmp_call_error_class(GAsyncResult *result);

/* What an event made others do (other processes, or this one later) is on QEMU's account, too: as
 * much as so many µs of the thread's time. See time-share.h. */
void vb_qmp_charge(VbQmp *qmp, gint64 us);

/* In an event: it tells how something ended that we began, once, so it is not on QEMU's account. */
void vb_qmp_was_asked(VbQmp *qmp);

/* From now on events are kept back, replies are not: for the queries of a reconnect.
 * vb_qmp_release_events() has the kept ones delivered, in order, before anything that QEMU sent
 * later. The end of the connection releases them, too. */
void vb_qmp_hold_events(VbQmp *qmp);
void vb_qmp_release_events(VbQmp *qmp);
