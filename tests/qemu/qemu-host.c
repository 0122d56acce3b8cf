/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See qemu-host.h. */
#include "qemu-host.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "launcher.h"
#include "qemu-driver.h"
#include "remove-tree.h"

static void take_result(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

void qemu_host_start(QemuHost *qemu)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    qemu->store = vb_store_new();
    qemu->host = vb_host_new(qemu->paths, qemu->store, qemu->events, qemu->user_data);
    vb_host_set_image_directories(qemu->host, qemu->image_directories);
    const VbQemuDriverOptions options = {
        .launcher = &vb_launcher_detached,
        .kvm_probe_path = VB_TEST_KVM_PROBE,
        .user = qemu->user,
    };
    vb_host_add_driver(qemu->host, &vb_qemu_driver, vb_qemu_driver_new(qemu->host, &options),
                       vb_qemu_driver_free);
    if (qemu->network)
        vb_host_set_network_driver(qemu->host, qemu->network, qemu->network_self, NULL);
    vb_host_load_async(qemu->host, take_result, &result);
    VB_WAIT_FOR(result);
    vb_host_load_finish(qemu->host, result, &error);
    g_assert_no_error(error);
    vb_host_announce(qemu->host);
}

void qemu_host_stop(QemuHost *qemu)
{
    g_clear_pointer(&qemu->host, vb_host_free);
    g_clear_pointer(&qemu->store, vb_store_free);
}

void qemu_host_init(QemuHost *qemu, const VbDriverEvents *events, gpointer user_data)
{
    g_autoptr(GError) error = NULL;

    /* As the daemon does it; every system has that user. */
    qemu->user = geteuid() == 0 ? "nobody" : NULL;
    qemu->events = events;
    qemu->user_data = user_data;
    qemu->dir = g_dir_make_tmp("vb-qemu-XXXXXX", &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(qemu->dir, 0711), ==, 0);
    g_autofree char *root = g_build_filename(qemu->dir, "root", NULL);
    qemu->paths = vb_paths_new(root, FALSE);
    vb_paths_make(qemu->paths, &error);
    g_assert_no_error(error);
    qemu_host_start(qemu);
}

void qemu_host_clear(QemuHost *qemu)
{
    qemu_host_stop(qemu);
    vb_paths_free(qemu->paths);
    vb_remove_tree(qemu->dir);
    g_free(qemu->dir);
}
