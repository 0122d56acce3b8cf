/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A host for the tests of links: the test program's own network namespace, what `ip`, `bridge` and
 * `tc` say about it, and VbLinks' calls as calls that return. */
#pragma once

#include "links.h"
#include "wait.h"

/* In main(), before anything else. FALSE: not allowed to; the plan of tests is printed. */
gboolean links_host_enter(void);

/* Runs it in a shell; it must succeed. What it printed. (transfer full) */
char *links_host_run(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Every link, address, route and traffic rule that there is. (transfer full) */
char *links_host_snapshot(void);
/* Two snapshots, line by line. */
void links_host_assert_same(const char *before, const char *after);
/* The index of a device that there is. */
guint links_host_index(const char *device);

#define links_host_assert_contains(text, part)                                                     \
    G_STMT_START                                                                                   \
    {                                                                                              \
        if (!strstr((text), (part)))                                                               \
            g_error("%s:%d: no '%s' in:\n%s", __FILE__, __LINE__, (part), (text));                 \
    }                                                                                              \
    G_STMT_END
#define links_host_assert_lacks(text, part)                                                        \
    G_STMT_START                                                                                   \
    {                                                                                              \
        if (strstr((text), (part)))                                                                \
            g_error("%s:%d: there is '%s' in:\n%s", __FILE__, __LINE__, (part), (text));           \
    }                                                                                              \
    G_STMT_END
/* Runs a command and looks for `part` in what it prints. */
#define links_host_assert_prints(part, ...)                                                        \
    G_STMT_START                                                                                   \
    {                                                                                              \
        g_autofree char *printed_ = links_host_run(__VA_ARGS__);                                   \
        links_host_assert_contains(printed_, part);                                                \
    }                                                                                              \
    G_STMT_END

/* Network "lan" on bridge virtbus0, MAC 52:54:00:00:00:01; `inside` is more of its XML. */
VbNetworkDef *links_host_network(const char *inside);
/* A port for the guest 52:54:00:aa:bb:cc; bridge may be NULL. */
VbPortSpec *links_host_port_spec(const char *bridge);

/* A GAsyncReadyCallback that keeps the result (transfer full) in the GAsyncResult *. */
void links_host_keep(GObject *source, GAsyncResult *result, gpointer kept);

gboolean links_host_make(VbLinks *links, const VbNetworkDef *def, GError **error);
gboolean links_host_remove(VbLinks *links, const VbNetworkDef *def, GError **error);
gboolean links_host_check(VbLinks *links, const VbNetworkDef *def, GError **error);
VbPort *links_host_open(VbLinks *links, const VbPortSpec *spec, GError **error);
gboolean links_host_plug(VbLinks *links, const VbPortSpec *spec, GError **error);
gboolean links_host_close(VbLinks *links, const VbPortSpec *spec, GError **error);

/* Descriptors that this process has open. */
guint links_host_count_fds(void);
