/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For the service tests: a VbBus with authority and registry at one end of a socketpair, and at the
 * other a plain sd-bus client that also plays the bus: it has a unique name of the test's choice,
 * answers GetConnectionUnixUser, plays polkit, and keeps every message that reaches it, in order.
 */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

#include "registry.h"

typedef struct {
    VbBus *bus;
    VbAuthority *authority;
    VbRegistry *registry;

    sd_bus *client;
    GSource *client_source;
    sd_bus_slot *client_filter;
    GPtrArray *heard; /* of char*: see peer_heard() */

    uid_t uid;                         /* what GetConnectionUnixUser answers */
    gboolean uid_unknown;              /* it answers an error instead */
    gboolean uid_held;                 /* it does not answer until peer_release_uid() */
    GPtrArray *uid_questions;          /* those not answered */
    uid_t (*uid_of)(const char *name); /* what it answers for each name; NULL: uid, for all */
    guint n_uid_questions;

    const char *polkit;   /* what polkit answers at once: "yes", "no" (as it begins), "challenge",
                             "dismissed"; NULL: nothing until peer_polkit_answer() */
    GPtrArray *questions; /* of Question: all CheckAuthorizations, oldest first */
    GPtrArray *cancelled; /* of char*: the ids of all CancelCheckAuthorizations */
} Peer;

/* A CheckAuthorization. */
typedef struct {
    sd_bus_message *message;
    const char *sender, *action, *id;
    char *details; /* "key=value key=value", in the order in which they came */
    gboolean interactive;
    gboolean answered;
} Question;

Peer *peer_new(gboolean session);
void peer_free(Peer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Peer, peer_free)

/* Iterates the main loop until *flag; fails the test at the deadline. */
void peer_wait(const gboolean *flag);
/* Until nothing has been heard or said for a round trip. */
void peer_settle(Peer *peer);
void peer_release_uid(Peer *peer);
/* Iterates until there are as many questions to polkit; the last of them. */
Question *peer_wait_question(Peer *peer, guint n);
void peer_polkit_answer(Question *question, const char *answer);
/* The bus says that a connection has left it. */
void peer_leave(Peer *peer, const char *name);

/* A reply that is waited for. */
typedef struct {
    sd_bus_message *message; /* NULL until it is there */
    gboolean done;
    guint n; /* replies that came: must be one */
    Peer *peer;
    sd_bus_slot *slot;
    char *label;
} Reply;

void reply_clear(Reply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reply, reply_clear)

/* Sends a call; its reply is also put into heard as "reply <member>" or "error <member> <name>". */
void peer_send(Peer *peer, Reply *reply, const char *path, const char *interface,
               const char *member, const char *types, ...);
void peer_send_message(Peer *peer, Reply *reply, sd_bus_message *message);
sd_bus_message *peer_new_call(Peer *peer, const char *path, const char *interface,
                              const char *member);
void reply_wait(Reply *reply);
void reply_assert_ok(Reply *reply);
void reply_assert_error(Reply *reply, const char *name, const char *text);

/* What was heard so far, one a line, and forgets it:
 *   added /path Iface,Iface          (without the standard interfaces)
 *   removed /path Iface,Iface
 *   changed /path Iface A,B          (values) or ... !C (invalidated)
 *   signal Member /path
 *   reply Member, error Member name */
char *peer_heard(Peer *peer);
#define peer_assert_heard(peer, expected)                                                          \
    G_STMT_START                                                                                   \
    {                                                                                              \
        g_autofree char *heard_ = peer_heard(peer);                                                \
        g_assert_cmpstr(heard_, ==, expected);                                                     \
    }                                                                                              \
    G_STMT_END
