/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusd.conf. What is understood holds what its contract promises; what is not has an error of
 * one line that names the file. */
#include "daemon-config.h"

#include <string.h>

#include "error.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

static void check_directory(const char *path)
{
    g_autofree char *canonical = g_canonicalize_filename(path, "/");

    g_assert(path[0] == '/' && path[1] != '\0');
    g_assert_cmpstr(path, ==, canonical);
    g_assert(g_utf8_validate(path, -1, NULL));
}

static void check_user(const char *name)
{
    g_assert(strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-") == strlen(name));
}

static void check(const char *text, gsize size, gboolean session)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDaemonConfig) config =
        vb_daemon_config_parse(text, size, "/file", "/state", session, &error);

    g_assert((config == NULL) == (error != NULL));
    if (!config) {
        g_assert(g_str_has_prefix(error->message, "/file"));
        g_assert(g_utf8_validate(error->message, -1, NULL));
        for (const char *p = error->message; *p; p++)
            g_assert(!g_ascii_iscntrl(*p) || *p == '\t');
        return;
    }
    g_assert((config->image_directories == NULL) == session);
    g_assert((config->qemu_user == NULL) == session);
    g_assert((config->network_user == NULL) == session);
    if (session)
        return;
    guint length = g_strv_length(config->image_directories);
    g_assert(length <= VB_DAEMON_CONFIG_MAX_DIRECTORIES);
    for (guint i = 0; i < length; i++)
        check_directory(config->image_directories[i]);
    check_user(config->qemu_user);
    check_user(config->network_user);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    check((const char *)data, size, FALSE);
    check((const char *)data, size, TRUE);
    return 0;
}
