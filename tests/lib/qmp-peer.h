/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VbQmpPeer: the other end of a QMP connection, playing a transcript. Used in-process by unit tests
 * and by tests/lib/fake-qemu, which is driven by the whole daemon.
 *
 * It greets, answers qmp_capabilities, and then waits for the transcript's next command. When that
 * comes, everything up to the command after it is sent at once, replies with the id that the client
 * gave. Recorded names are exchanged for the client's: where an argument that is a string differs
 * from the recorded one, the recorded value means the client's from then on. A job-… verb matches
 * its block-job-… twin. The client may leave out queries, and may send commands that are not
 * recorded: a VbFakeMachine answers those.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "transcript.h"

typedef struct VbQmpPeer VbQmpPeer;

typedef enum {
    VB_PEER_CLIENT_LEFT,
    VB_PEER_SCRIPT_ENDED, /* the recorded end of the connection: QEMU dies here */
    VB_PEER_QUIT,         /* as the client wished */
} VbQmpPeerEnd;

typedef struct {
    /* A connection has ended. The peer must not be freed in here. */
    void (*ended)(VbQmpPeer *peer, VbQmpPeerEnd end, gpointer user_data);
    /* A command has come; or "greeting", with NULL, when it is time for that. TRUE: it is dealt
     * with already. */
    gboolean (*command)(VbQmpPeer *peer, const char *command, JsonObject *message,
                        gpointer user_data);
    /* Everything that was sent has been written. */
    void (*drained)(VbQmpPeer *peer, gpointer user_data);
} VbQmpPeerCallbacks;

/* On the default main context. `transcript` is taken over; NULL for none, as `callbacks` and each
 * of them. */
VbQmpPeer *vb_qmp_peer_new(VbTranscript *transcript, const VbQmpPeerCallbacks *callbacks,
                           gpointer user_data);
void vb_qmp_peer_free(VbQmpPeer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbQmpPeer, vb_qmp_peer_free)

/* Serves a new client and returns its end of a socket pair. The second connection of a peer is the
 * transcript's "[re]". */
int vb_qmp_peer_connect(VbQmpPeer *peer);
/* Serves whoever connects to this listening socket (taken over), one at a time. */
void vb_qmp_peer_listen(VbQmpPeer *peer, int fd);

/* With holding on, the peer stops where the recording has a pause of at least 0.1 s after a
 * message, until it is told to continue, or goes on there when it was told so before. */
void vb_qmp_peer_set_holding(VbQmpPeer *peer, gboolean holding);
void vb_qmp_peer_continue(VbQmpPeer *peer);

/* See vb_fake_machine_set_answer(). */
void vb_qmp_peer_set_answer(VbQmpPeer *peer, const char *command, const char *json);

/* Sends these bytes as they are. */
void vb_qmp_peer_send(VbQmpPeer *peer, const char *data, gssize size);
/* From now on it reads nothing of this connection, or writes it one byte at a time. */
void vb_qmp_peer_set_deaf(VbQmpPeer *peer);
void vb_qmp_peer_set_bytewise(VbQmpPeer *peer);
/* Closes the connection once what was sent before is written. */
void vb_qmp_peer_hang_up(VbQmpPeer *peer);

/* Whether every recorded command of this connection has come. */
gboolean vb_qmp_peer_is_done(VbQmpPeer *peer);
