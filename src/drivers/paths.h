/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where everything lies (docs/architecture.md, "What lies where"): the system's directories, or the
 * user's XDG directories for a session instance; below --root when that is given. */
#pragma once

#include <glib.h>

typedef struct {
    char *state_dir; /* …/lib/virtbus: definitions, survives boots */
    char *run_dir;   /* …/run/virtbus: what runs, gone with the boot */
    char *cache_dir; /* …/cache/virtbus: disposable */
    char *conf_dir;  /* …/etc/virtbus */
    gboolean session;
} VbPaths;

/* `root` may be NULL. Makes nothing. */
VbPaths *vb_paths_new(const char *root, gboolean session);
void vb_paths_free(VbPaths *paths);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbPaths, vb_paths_free)

/* Makes the run-time directory alone, which the lock lies in. */
gboolean vb_paths_make_run_dir(const VbPaths *paths, GError **error);
/* Makes all of them. What holds secrets is 0700; what the user that QEMU runs as has to go through
 * (docs/security.md) is 0711, but not for a session instance, where that user is ours. */
gboolean vb_paths_make(const VbPaths *paths, GError **error);

char *vb_paths_definition(const VbPaths *paths, const char *uuid); /* state_dir/domain/<uuid>.xml */
char *vb_paths_autostart(const VbPaths *paths,
                         const char *uuid); /* state_dir/domain/autostart/<uuid> */
/* state_dir/nvram/<uuid>_VARS.fd: where a domain's variable store is when nobody said otherwise. */
char *vb_paths_nvram(const VbPaths *paths, const char *uuid);
/* state_dir/network/<uuid>.xml and state_dir/network/autostart/<uuid> */
char *vb_paths_network_definition(const VbPaths *paths, const char *uuid);
char *vb_paths_network_autostart(const VbPaths *paths, const char *uuid);
char *vb_paths_network_run(const VbPaths *paths, const char *uuid); /* run_dir/networks/<uuid> */
char *vb_paths_domain_run(const VbPaths *paths, const char *uuid);  /* run_dir/domains/<uuid> */
/* What QEMU itself makes and removes: run_dir/qemu/<uuid> */
char *vb_paths_qemu_run(const VbPaths *paths, const char *uuid);
