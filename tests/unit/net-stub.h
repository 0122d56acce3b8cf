/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A network driver that the test plays, beside the hypervisor of core-stub.h and with its log: each
 * call is a line there ("net start n"). */
#pragma once

#include "core-stub.h"
#include "network.h"

typedef enum {
    NET_PREPARE,
    NET_DEFAULT,
    NET_START,
    NET_STOP,
    NET_UPDATE,
    NET_RECONNECT,
    NET_CLEAN,
    NET_RELOAD,
    NET_OPEN,
    NET_PLUG,
    NET_N_CALLS,
} NetCall;

typedef struct {
    Stub *stub;
    gboolean keep[NET_N_CALLS];      /* calls wait for net_answer(); else they succeed at once */
    const char *fail[NET_N_CALLS];   /* the error that such a call gets */
    VbError code;                    /* … and its code; FAILED in the beginning */
    guint count[NET_N_CALLS];        /* calls so far */
    GPtrArray *waiting[NET_N_CALLS]; /* of GTask */
    gboolean ends_well; /* what waits when the host is freed succeeds at the last moment */
    guint next_port;
    guint open; /* ports */
} Net;

/* On an empty directory, or on what stub_snapshot() made; nothing is loaded yet. */
Net *net_new_dead(const char *root);
/* Loaded and announced. */
Net *net_new(void);
void net_begin(Net *net);
void net_free(Net *net);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Net, net_free)

/* Answers the oldest waiting call of that kind: NULL: it succeeded. */
void net_answer(Net *net, NetCall call, const char *error);

#define NET_UUID "0c0ffee0-0000-4000-8000-00000000000a"
#define NET_UUID_2 "0c0ffee0-0000-4000-8000-00000000000b"
#define NET_MAC "52:54:00:00:00:01"
#define NET_MAC_2 "52:54:00:00:00:02"

/* A network with `parts` (elements) in it; NAT, on 192.168.<subnet>.0/24. */
char *net_xml(const char *name, const char *uuid, guint subnet, const char *parts);
/* The calls: each begins, and logs its reply as those of core-stub.h. */
void net_define(Net *net, const char *xml, const char *name);
void net_create(Net *net, const char *xml, const char *name);
void net_redefine(Net *net, VbNetwork *network, const char *xml, const char *name);
void net_operate(Net *net, VbNetwork *network, VbNetworkOp op, const char *name);
void net_undefine(Net *net, VbNetwork *network, const char *name);
void net_autostart(Net *net, VbNetwork *network, gboolean autostart, const char *name);
/* … adds a DNS host; its reply also says "live", "stored" or both. */
void net_update(Net *net, VbNetwork *network, const char *ip, gboolean live, gboolean stored,
                const char *name);
/* Waits for the reply to the call of that name, which matches the glob. */
void net_wait(Net *net, const char *name, const char *pattern);

/* Networks "n" (NET_UUID) and "n2": defined; started. Borrowed. */
VbNetwork *net_defined(Net *net);
VbNetwork *net_active(Net *net);
VbNetwork *net_find(Net *net, const char *name);
/* Domain "a" (STUB_UUID) that has these interfaces is started, or is asked to. Borrowed. */
VbDomain *net_start_domain(Net *net, const char *interfaces);
VbDomain *net_running(Net *net, const char *interfaces);
#define NET_INTERFACE(mac, network, parts)                                                         \
    "<interface type='network'><mac address='" mac "'/><source network='" network "'/>" parts      \
    "</interface>"

/* One more lease in `leases`. */
void net_add_lease(GPtrArray *leases, const char *mac, const char *ip, guint64 expiry);
GPtrArray *net_no_leases(void);
