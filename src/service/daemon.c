/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wires all layers. The order of a start is fixed (docs/architecture.md): read the configuration →
 * lock the runtime directory → connect to the bus and find its service manager, which launches what
 * a load may need → load and reconnect → export → take the name → tell what was recovered. */
#include "daemon.h"

#include <systemd/sd-daemon.h>

#include "authority.h"
#include "bridge-driver.h"
#include "bus.h"
#include "config.h"
#include "daemon-config.h"
#include "error.h"
#include "exporter.h"
#include "fd.h"
#include "host.h"
#include "launcher-unit.h"
#include "log.h"
#include "qemu-driver.h"
#include "registry.h"
#include "run-lock.h"
#include "test-driver.h"

#define BUS_NAME "org.virtbus1"
#define SHUTDOWN_SLACK_SECONDS 15 /* for what comes after the guests */

struct VbDaemon {
    const VbDaemonOptions *options;
    VbDaemonEnded ended; /* NULL once it was called */
    gpointer data;
    gboolean load_begun, loading, stop_requested, stopping;
    GError *lost; /* the bus, while loading */

    VbPaths *paths;
    VbDaemonConfig *config;
    int lock;
    VbStore *store;
    VbExporter *exporter;
    VbUnitLauncher *launcher; /* of guests, and what serves them */
    VbHost *host;
    VbBus *bus;
    VbAuthority *authority;
    VbRegistry *registry;
};

static void end(VbDaemon *daemon, const GError *error)
{
    VbDaemonEnded ended = g_steal_pointer(&daemon->ended);

    if (ended != NULL)
        ended(error, daemon->data);
}

static void on_bus_closed(VbBus *bus, gpointer data)
{
    VbDaemon *daemon = data;
    g_autoptr(GError) error =
        g_error_new(VB_ERROR, VB_ERROR_FAILED, "the connection to the bus was lost");

    if (daemon->loading && daemon->lost == NULL)
        daemon->lost = g_steal_pointer(&error); /* a load is not left alone */
    else if (!daemon->loading)
        end(daemon, error);
}

/* The path of a program of ours, which is built in `folder`: a daemon that runs from the
 * directory it was built in uses the one that was built with it. */
static char *find_helper(const char *folder, const char *name)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = g_path_get_dirname(self != NULL ? self : "/");
    g_autofree char *built = g_build_filename(dir, folder, name, NULL);

    if (g_file_test(built, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer(&built);
    return g_build_filename(VB_LIBEXECDIR, name, NULL);
}

static void add_network_driver(VbHost *host, VbUnitLauncher *launcher, const VbDaemonConfig *config)
{
    g_autofree char *lease_helper = find_helper("drivers/network", "virtbus-lease-helper");
    const VbBridgeDriverOptions options = {
        .launcher = &vb_launcher_unit,
        .launcher_self = launcher,
        .lease_helper = lease_helper,
        .dnsmasq_user = config->network_user,
    };

    vb_host_set_network_driver(host, &vb_bridge_driver, vb_bridge_driver_new(host, &options),
                               vb_bridge_driver_free);
}

static VbUnitLauncher *make_launcher(gboolean session)
{
    g_autofree char *helper = find_helper("service/unit", "virtbus-launch-helper");

    return vb_unit_launcher_new(helper, session);
}

static void add_drivers(VbHost *host, VbUnitLauncher *launcher, const VbDaemonConfig *config)
{
    g_autofree char *kvm_probe = find_helper("drivers/qemu", "virtbus-kvm-probe");
    const VbQemuDriverOptions qemu = {
        .launcher = &vb_launcher_unit,
        .launcher_self = launcher,
        .kvm_probe_path = kvm_probe,
        .user = config->qemu_user,
    };

    vb_host_add_driver(host, &vb_qemu_driver, vb_qemu_driver_new(host, &qemu), vb_qemu_driver_free);
    vb_host_add_driver(host, &vb_test_driver, vb_test_driver_new(host), vb_test_driver_free);
}

static void on_named(GObject *source, GAsyncResult *result, gpointer data)
{
    VbDaemon *daemon = data;
    g_autoptr(GError) error = NULL;

    if (!vb_bus_own_name_finish(daemon->bus, result, &error)) {
        end(daemon, error);
        return;
    }
    vb_host_announce(daemon->host);
    vb_log_event(VB_MESSAGE_DAEMON_READY, G_LOG_LEVEL_INFO, NULL, NULL, "virtbusd %s serves %s",
                 VB_VERSION, BUS_NAME);
    sd_notify(FALSE, "READY=1");
}

static gboolean export_objects(VbDaemon *daemon, GError **error)
{
    daemon->authority = vb_authority_new(daemon->bus, daemon->options->session);
    daemon->registry = vb_registry_new(daemon->bus, daemon->authority, error);
    return daemon->registry != NULL &&
           vb_exporter_start(daemon->exporter, daemon->registry, daemon->host, error);
}

static void on_loaded(GObject *source, GAsyncResult *result, gpointer data)
{
    VbDaemon *daemon = data;
    g_autoptr(GError) error = NULL;

    daemon->loading = FALSE;
    if (!vb_host_load_finish(daemon->host, result, &error) || daemon->stop_requested ||
        daemon->lost != NULL || !export_objects(daemon, &error))
        end(daemon, error != NULL ? error : daemon->lost);
    else
        vb_bus_own_name_async(daemon->bus, BUS_NAME, NULL, on_named, daemon);
}

/* Signals of the service manager, by which it tells of its units; the first time it is known who
 * launches what a load may need. */
static void on_manager(const char *name, gpointer data)
{
    VbDaemon *daemon = data;

    vb_bus_set_trusted(daemon->bus, name);
    if (daemon->load_begun || daemon->stop_requested)
        return;
    daemon->load_begun = daemon->loading = TRUE;
    add_drivers(daemon->host, daemon->launcher, daemon->config);
    /* A user's own instance may not touch what this is made of. */
    if (!daemon->options->session)
        add_network_driver(daemon->host, daemon->launcher, daemon->config);
    vb_host_load_async(daemon->host, on_loaded, daemon);
}

static gboolean connect_to_bus(VbDaemon *daemon, GError **error)
{
    gboolean session = daemon->options->session;

    daemon->bus =
        vb_bus_open(session ? VB_BUS_SESSION : VB_BUS_SYSTEM, daemon->options->address, error);
    if (daemon->bus == NULL)
        return FALSE;
    vb_bus_set_closed_func(daemon->bus, on_bus_closed, daemon);
    vb_unit_launcher_attach(daemon->launcher, vb_bus_connection(daemon->bus), on_manager, daemon);
    return TRUE;
}

static gboolean load_config(VbDaemon *daemon, GError **error)
{
    g_autofree char *path = g_build_filename(daemon->paths->conf_dir, "virtbusd.conf", NULL);

    daemon->config =
        vb_daemon_config_load(path, daemon->paths->state_dir, daemon->options->session, error);
    return daemon->config != NULL;
}

VbDaemon *vb_daemon_start(const VbDaemonOptions *options, VbDaemonEnded ended, gpointer data,
                          GError **error)
{
    VbDaemon *daemon = g_new0(VbDaemon, 1);

    daemon->options = options;
    daemon->ended = ended;
    daemon->data = data;
    daemon->paths = vb_paths_new(options->root, options->session);
    daemon->lock = -1;
    if (load_config(daemon, error) && vb_paths_make_run_dir(daemon->paths, error))
        daemon->lock = vb_run_lock_take(daemon->paths->run_dir, error);
    if (daemon->lock < 0 || !vb_paths_make(daemon->paths, error)) {
        vb_daemon_free(daemon);
        return NULL;
    }
    daemon->store = vb_store_new();
    daemon->exporter = vb_exporter_new();
    daemon->host = vb_host_new(daemon->paths, daemon->store, &vb_exporter_events, daemon->exporter);
    vb_host_set_image_directories(daemon->host,
                                  (const char *const *)daemon->config->image_directories);
    daemon->launcher = make_launcher(options->session);
    if (!connect_to_bus(daemon, error)) {
        vb_daemon_free(daemon);
        return NULL;
    }
    return daemon;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static void on_guests_shut_down(GObject *source, GAsyncResult *result, gpointer data)
{
    VbDaemon *daemon = data;
    guint left = vb_host_shutdown_guests_finish(daemon->host, result);

    if (left > 0)
        vb_log_warning(NULL, NULL, "%u guests are left to the stop of their units", left);
    end(daemon, NULL);
}

static void on_stopping(gboolean stopping, gpointer data)
{
    VbDaemon *daemon = data;
    guint seconds = daemon->config->host_shutdown_timeout;

    if (!stopping || daemon->config->host_shutdown == VB_HOST_SHUTDOWN_STOP) {
        end(daemon, NULL);
        return;
    }
    vb_log_info(NULL, NULL, "the host shuts down: so do guests, within %u s", seconds);
    sd_notifyf(FALSE, "EXTEND_TIMEOUT_USEC=%" G_GUINT64_FORMAT,
               (seconds + SHUTDOWN_SLACK_SECONDS) * (guint64)G_USEC_PER_SEC);
    vb_host_shutdown_guests_async(daemon->host, seconds, on_guests_shut_down, daemon);
}

/* Who asks twice does not want to wait. */
void vb_daemon_stop(VbDaemon *daemon)
{
    daemon->stop_requested = TRUE;
    if (daemon->loading)
        return;
    if (daemon->stopping || daemon->bus == NULL) {
        end(daemon, NULL);
        return;
    }
    daemon->stopping = TRUE;
    vb_unit_launcher_ask_stopping(daemon->launcher, on_stopping, daemon);
}

static void on_reloaded(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (!vb_host_reload_networks_finish(data, result, &error))
        vb_log_warning(NULL, NULL, "networks are not all as they should be: %s", error->message);
}

void vb_daemon_reload(VbDaemon *daemon)
{
    if (daemon->registry != NULL && !daemon->options->session)
        vb_host_reload_networks_async(daemon->host, on_reloaded, daemon->host);
}

/* From the bus inwards, so that nobody is left who could call what is gone. */
void vb_daemon_free(VbDaemon *daemon)
{
    if (daemon == NULL)
        return;
    daemon->ended = NULL;
    if (daemon->exporter != NULL)
        vb_exporter_stop(daemon->exporter);
    vb_registry_free(daemon->registry);
    vb_authority_free(daemon->authority);
    vb_unit_launcher_detach(daemon->launcher);
    if (daemon->bus != NULL)
        vb_bus_close(daemon->bus);
    vb_bus_free(daemon->bus);
    vb_host_free(daemon->host);
    vb_unit_launcher_free(daemon->launcher);
    vb_exporter_free(daemon->exporter);
    vb_store_free(daemon->store);
    vb_daemon_config_free(daemon->config);
    vb_paths_free(daemon->paths);
    vb_clear_fd(&daemon->lock);
    g_clear_error(&daemon->lost);
    g_free(daemon);
}
