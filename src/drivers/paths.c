/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the layout of directories; see paths.h. */
#include "paths.h"

#include <errno.h>

#include "error.h"

VbPaths *vb_paths_new(const char *root, gboolean session)
{
    VbPaths *paths = g_new0(VbPaths, 1);
    const char *below = root ? root : "";

    if (session && !root) {
        paths->state_dir = g_build_filename(g_get_user_data_dir(), "virtbus", NULL);
        paths->run_dir = g_build_filename(g_get_user_runtime_dir(), "virtbus", NULL);
        paths->cache_dir = g_build_filename(g_get_user_cache_dir(), "virtbus", NULL);
        paths->conf_dir = g_build_filename(g_get_user_config_dir(), "virtbus", NULL);
        return paths;
    }
    paths->state_dir = g_build_filename(below, "/var/lib/virtbus", NULL);
    paths->run_dir = g_build_filename(below, "/run/virtbus", NULL);
    paths->cache_dir = g_build_filename(below, "/var/cache/virtbus", NULL);
    paths->conf_dir = g_build_filename(below, "/etc/virtbus", NULL);
    return paths;
}

void vb_paths_free(VbPaths *paths)
{
    if (!paths)
        return;
    g_free(paths->state_dir);
    g_free(paths->run_dir);
    g_free(paths->cache_dir);
    g_free(paths->conf_dir);
    g_free(paths);
}

gboolean vb_paths_make(const VbPaths *paths, GError **error)
{
    g_autofree char *autostart = g_build_filename(paths->state_dir, "domain", "autostart", NULL);
    g_autofree char *domains = g_build_filename(paths->run_dir, "domains", NULL);
    const char *directories[] = {autostart, domains, paths->cache_dir};

    for (gsize i = 0; i < G_N_ELEMENTS(directories); i++) {
        if (g_mkdir_with_parents(directories[i], 0700) < 0) {
            int saved = errno;
            g_set_error(error, VB_ERROR, VB_ERROR_FAILED, "cannot make the directory %s: %s",
                        directories[i], g_strerror(saved));
            return FALSE;
        }
    }
    return TRUE;
}

char *vb_paths_definition(const VbPaths *paths, const char *uuid)
{
    g_autofree char *name = g_strconcat(uuid, ".xml", NULL);
    return g_build_filename(paths->state_dir, "domain", name, NULL);
}

char *vb_paths_autostart(const VbPaths *paths, const char *uuid)
{
    return g_build_filename(paths->state_dir, "domain", "autostart", uuid, NULL);
}

char *vb_paths_domain_run(const VbPaths *paths, const char *uuid)
{
    return g_build_filename(paths->run_dir, "domains", uuid, NULL);
}
