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
} VbPaths;

/* `root` may be NULL. Makes nothing. */
VbPaths *vb_paths_new(const char *root, gboolean session);
void vb_paths_free(VbPaths *paths);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbPaths, vb_paths_free)

/* Makes the state, run and cache directories, 0700: definitions may hold secrets. */
gboolean vb_paths_make(const VbPaths *paths, GError **error);

char *vb_paths_definition(const VbPaths *paths, const char *uuid); /* state_dir/domain/<uuid>.xml */
char *vb_paths_autostart(const VbPaths *paths,
                         const char *uuid); /* state_dir/domain/autostart/<uuid> */
char *vb_paths_domain_run(const VbPaths *paths, const char *uuid); /* run_dir/domains/<uuid> */
