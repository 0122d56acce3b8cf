/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads and writes the kernel's settings. See link-sysctl.h. */
#include "link-sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "error.h"
#include "fd.h"

static char *path_of(const char *key)
{
    return g_strconcat("/proc/sys/net/", key, NULL);
}

int vb_sysctl_get(const char *key)
{
    g_autofree char *path = path_of(key);
    vb_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = "", *end;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    long value = strtol(text, &end, 10);

    return n > 0 && end != text && value >= 0 && value <= G_MAXINT ? (int)value : -1;
}

gboolean vb_sysctl_set(const char *key, int value, GError **error)
{
    g_autofree char *path = path_of(key);
    g_autofree char *text = g_strdup_printf("%d\n", value);

    if (vb_sysctl_get(key) == value)
        return TRUE;
    vb_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return vb_fail(error, VB_ERROR_NOT_SUPPORTED, "this kernel has no %s", path);
    return (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)) ||
           vb_fail(error, VB_ERROR_FAILED, "cannot set %s to %d: %s", path, value,
                   g_strerror(errno));
}

char *vb_sysctl_ipv6_key(const char *device, const char *setting)
{
    return g_strconcat("ipv6/conf/", device, "/", setting, NULL);
}

gboolean vb_sysctl_disable_ipv6(const char *device, GError **error)
{
    g_autofree char *key = vb_sysctl_ipv6_key(device, "disable_ipv6");

    /* A kernel without IPv6 has no such setting. */
    return vb_sysctl_get(key) < 0 || vb_sysctl_set(key, 1, error);
}
