/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the layout of directories; see paths.h. */
#include "paths.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"

VbPaths *vb_paths_new(const char *root, gboolean session)
{
    VbPaths *paths = g_new0(VbPaths, 1);
    const char *below = root ? root : "";

    paths->session = session;
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

static gboolean fail(GError **error, const char *path)
{
    int saved = errno;

    return vb_fail(error, VB_ERROR_FAILED, "cannot make the directory %s: %s", path,
                   g_strerror(saved));
}

/* With its parents, where they are missing. The mode is what it says, whatever the umask is; one
 * that was there keeps its own. */
static gboolean make(const char *path, mode_t mode, GError **error)
{
    if (g_mkdir(path, mode) == 0)
        return g_chmod(path, mode) == 0 ? TRUE : fail(error, path);
    if (errno == ENOENT) {
        g_autofree char *parent = g_path_get_dirname(path);
        return make(parent, mode, error) && make(path, mode, error);
    }
    return errno == EEXIST ? TRUE : fail(error, path);
}

/* One of ours: its mode is what it says, also when it was made by an older version. */
static gboolean make_own(const VbPaths *paths, const char *path, mode_t mode, GError **error)
{
    mode = paths->session ? 0700 : mode;
    if (!make(path, mode, error))
        return FALSE;
    return g_chmod(path, mode) == 0 ? TRUE : fail(error, path);
}

gboolean vb_paths_make_run_dir(const VbPaths *paths, GError **error)
{
    return make(paths->run_dir, paths->session ? 0700 : 0711, error);
}

gboolean vb_paths_make(const VbPaths *paths, GError **error)
{
    const struct {
        const char *parent, *name;
        mode_t mode;
    } directories[] = {
        {paths->state_dir, NULL, 0711},
        {paths->state_dir, "domain", 0700},
        {paths->state_dir, "domain/autostart", 0700},
        {paths->state_dir, "network", 0700},
        {paths->state_dir, "network/autostart", 0700},
        {paths->state_dir, "nvram", 0711},
        {paths->run_dir, NULL, 0711},
        {paths->run_dir, "domains", 0700},
        {paths->run_dir, "networks", 0711},
        {paths->run_dir, "access", 0700},
        {paths->run_dir, "qemu", 0711},
        {paths->cache_dir, NULL, 0700},
    };
    g_autofree char *images = g_build_filename(paths->state_dir, "images", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(directories); i++) {
        g_autofree char *path = g_build_filename(directories[i].parent, directories[i].name, NULL);
        if (!make_own(paths, path, directories[i].mode, error))
            return FALSE;
    }
    /* The administrator's, once it is there: a group may have been let in. */
    return paths->session || make(images, 0711, error);
}

static char *definition(const VbPaths *paths, const char *kind, const char *uuid)
{
    g_autofree char *name = g_strconcat(uuid, ".xml", NULL);
    return g_build_filename(paths->state_dir, kind, name, NULL);
}

static char *autostart(const VbPaths *paths, const char *kind, const char *uuid)
{
    return g_build_filename(paths->state_dir, kind, "autostart", uuid, NULL);
}

char *vb_paths_definition(const VbPaths *paths, const char *uuid)
{
    return definition(paths, "domain", uuid);
}

char *vb_paths_autostart(const VbPaths *paths, const char *uuid)
{
    return autostart(paths, "domain", uuid);
}

char *vb_paths_network_definition(const VbPaths *paths, const char *uuid)
{
    return definition(paths, "network", uuid);
}

char *vb_paths_network_autostart(const VbPaths *paths, const char *uuid)
{
    return autostart(paths, "network", uuid);
}

char *vb_paths_network_run(const VbPaths *paths, const char *uuid)
{
    return g_build_filename(paths->run_dir, "networks", uuid, NULL);
}

char *vb_paths_nvram(const VbPaths *paths, const char *uuid)
{
    g_autofree char *name = g_strconcat(uuid, "_VARS.fd", NULL);
    return g_build_filename(paths->state_dir, "nvram", name, NULL);
}

char *vb_paths_domain_run(const VbPaths *paths, const char *uuid)
{
    return g_build_filename(paths->run_dir, "domains", uuid, NULL);
}

char *vb_paths_qemu_run(const VbPaths *paths, const char *uuid)
{
    return g_build_filename(paths->run_dir, "qemu", uuid, NULL);
}
