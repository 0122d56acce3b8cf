/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See tap-driver.h. */
#include "tap-driver.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"

/* ---- networks ---- */

static void succeed(GTask *task)
{
    g_task_return_boolean(task, TRUE);
    g_object_unref(task);
}

static void prepare(gpointer self, VbNetworkDef *def, const GPtrArray *others, GTask *task)
{
    succeed(task);
}

static void operate(gpointer self, VbNetwork *network, GTask *task)
{
    succeed(task);
}

static void reconnect(gpointer self, VbNetwork *network, GKeyFile *record, GTask *task)
{
    succeed(task);
}

/* ---- ports ---- */

/* A device is told "up" through any socket. */
static void set_up(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_UP};
    vb_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
}

static VbPort *open_tap(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    vb_autofd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    VbPort *port = g_new0(VbPort, 1);

    g_strlcpy(request.ifr_name, name ? name : "vnet%d", sizeof request.ifr_name);
    g_assert_cmpint(ioctl(fd, TUNSETIFF, &request), ==, 0);
    set_up(request.ifr_name);
    port->name = g_strdup(request.ifr_name);
    port->fd = vb_steal_fd(&fd);
    return port;
}

static void return_tap(const char *name, GTask *task)
{
    g_task_return_pointer(task, open_tap(name), (GDestroyNotify)vb_port_free);
    g_object_unref(task);
}

static void open_port(gpointer self, const VbPortSpec *spec, GTask *task)
{
    TapDriver *driver = self;

    if (++driver->opened == driver->fail_at) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_FAILED, "There are no taps left");
        g_object_unref(task);
    } else if (driver->hold) {
        driver->hold = FALSE;
        driver->held = task;
        driver->held_name = g_strdup(spec->name);
    } else {
        return_tap(spec->name, task);
    }
}

void tap_driver_release(TapDriver *driver)
{
    g_autofree char *name = g_steal_pointer(&driver->held_name);

    return_tap(name, g_steal_pointer(&driver->held));
}

static void plug_port(gpointer self, const VbPortSpec *spec, GTask *task)
{
    TapDriver *driver = self;

    g_assert_cmpuint(if_nametoindex(spec->name), !=, 0);
    driver->plugged++;
    succeed(task);
}

static void close_port(gpointer self, const VbPortSpec *spec)
{
    TapDriver *driver = self;

    g_assert_nonnull(spec->name);
    driver->closed++;
}

const VbNetworkDriver tap_driver = {
    .name = "tap",
    .prepare = prepare,
    .start = operate,
    .stop = operate,
    .reconnect = reconnect,
    .clean = reconnect,
    .port_open = open_port,
    .port_plug = plug_port,
    .port_close = close_port,
};
