/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbDnsmasq: its files, the operations on it, and its supervision. There is at most one
 * process (dnsmasq-process.h) and one operation; a process that ends is followed by another one
 * unless it was to be the last. Below the network's run-time directory, all root's:
 *
 *     dnsmasq.conf    the configuration; dnsmasq.conf.new: one that is being tested
 *     dnsmasq.hosts   static hosts and names: read by dnsmasq's user, again upon SIGHUP, and
 *     dnsmasq.names   therefore that user's, 0600
 *     dnsmasq.leases  the lease file: made by us, as dnsmasq would make it readable for all; opened
 *                     by dnsmasq while it is root, and never again, so that its user needs no
 *                     directory to write in
 *     dnsmasq.pid     dnsmasq-process.h; dnsmasq.log: what it said on standard error, which is why
 *                     it did not start, where its launcher has no log. The rest it says to the
 *                     system's log.
 *     leases.sock     lease-watch.h; 0600, the user's
 *
 * Called by the network driver. See dnsmasq.h. */
#include "dnsmasq.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <signal.h>
#include <string.h>

#include "dnsmasq-config.h"
#include "dnsmasq-process.h"
#include "error.h"
#include "fd.h"
#include "lease-watch.h"
#include "log.h"
#include "store.h"

/* The pause before a restart: none for the first, then from 1 s on twice as long each time, unless
 * it has served for so long meanwhile. */
#define MAX_PAUSE_SECONDS 60
#define GOOD_LIFE_US (MAX_PAUSE_SECONDS * G_USEC_PER_SEC)

#define CONFIG_MAX (8 * 1024 * 1024)
#define KEY_PID "dnsmasq-pid"
#define KEY_START_TIME "dnsmasq-start-time"

typedef enum { OP_NONE, OP_START, OP_ATTACH, OP_UPDATE, OP_STOP } Op;

struct VbDnsmasq {
    VbLaunchBy by; /* dnsmasq becomes its user by itself */
    char *lease_helper, *user;
    VbDnsmasqEvents events;
    gpointer user_data;

    VbDnsmasqPlace place;
    char *new_config, *hosts, *names, *lease_file, *socket; /* paths */
    char *program;
    VbIdentity *identity; /* NULL: as who we are */
    char *network;        /* its name, for the log */

    VbDnsmasqConfig *config;   /* what its files say */
    VbDnsmasqConfig *previous; /* an update: what they said before */
    GError *refused;           /* an update: why it went back to that */
    VbLeaseWatch *leases;
    VbDnsmasqProcess *process; /* from its launch to its end */
    gboolean replacing;        /* that one is ending, the next one follows at once */
    GSource *pause_timer;      /* until the next launch */
    guint pause;               /* seconds, of the next pause */
    gint64 ready_at;           /* monotonic */
    Op op;
    GTask *task;
    gboolean closed;
};

static void launch(VbDnsmasq *self);
static void on_process_ready(gpointer data);
static void on_process_ended(const GError *error, gpointer data);

static const VbDnsmasqProcessEvents process_events = {
    .ready = on_process_ready,
    .ended = on_process_ended,
};

gboolean vb_dnsmasq_is_needed(const VbNetworkDef *def)
{
    return vb_dnsmasq_config_is_needed(def);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static char *in_dir(const char *run_dir, const char *name)
{
    return g_build_filename(run_dir, name, NULL);
}

static void place_init(VbDnsmasqPlace *place, const char *run_dir)
{
    g_autofree char *id = g_path_get_basename(run_dir);

    place->name = g_strconcat("dnsmasq-", id, NULL);
    place->config = in_dir(run_dir, "dnsmasq.conf");
    place->pid = in_dir(run_dir, "dnsmasq.pid");
    place->log = in_dir(run_dir, "dnsmasq.log");
}

static void place_clear(VbDnsmasqPlace *place)
{
    g_free(place->name);
    g_free(place->config);
    g_free(place->pid);
    g_free(place->log);
}

static void remove_files(VbDnsmasq *self)
{
    const char *const paths[] = {
        self->place.config, self->place.pid, self->place.log,  self->new_config,
        self->hosts,        self->names,     self->lease_file, self->socket,
    };

    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++)
        g_unlink(paths[i]);
}

static gboolean write_root_file(const char *path, const char *text, GError **error)
{
    return vb_store_write_record(path, text, strlen(text), error);
}

/* One that dnsmasq reads once it is somebody else. */
static gboolean write_user_file(VbDnsmasq *self, const char *path, const char *text, GError **error)
{
    if (!write_root_file(path, text, error))
        return FALSE;
    return !self->identity || lchown(path, self->identity->uid, self->identity->gid) == 0 ||
           vb_fail(error, VB_ERROR_FAILED, "cannot give %s to user '%s': %s", path,
                   self->identity->name, g_strerror(errno));
}

static gboolean write_reread_files(VbDnsmasq *self, const VbDnsmasqConfig *config, GError **error)
{
    return write_user_file(self, self->hosts, config->hosts, error) &&
           write_user_file(self, self->names, config->names, error);
}

static gboolean write_files(VbDnsmasq *self, const VbDnsmasqConfig *config, GError **error)
{
    vb_autofd int leases =
        open(self->lease_file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (leases < 0)
        return vb_fail(error, VB_ERROR_FAILED, "cannot make %s: %s", self->lease_file,
                       g_strerror(errno));
    return write_root_file(self->place.config, config->config, error) &&
           write_reread_files(self, config, error);
}

/* What is in force according to the files of an earlier life; one that is missing is empty. */
static VbDnsmasqConfig *read_files(VbDnsmasq *self)
{
    VbDnsmasqConfig *config = g_new0(VbDnsmasqConfig, 1);
    const struct {
        const char *path;
        char **text;
    } files[] = {
        {self->place.config, &config->config},
        {self->hosts, &config->hosts},
        {self->names, &config->names},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        *files[i].text = vb_store_read(files[i].path, CONFIG_MAX, NULL, NULL);
        if (!*files[i].text)
            *files[i].text = g_strdup("");
    }
    return config;
}

/* ---- the operation ----------------------------------------------------------------------------
 */

static void begin(VbDnsmasq *self, Op op, gpointer tag, GAsyncReadyCallback callback,
                  gpointer user_data)
{
    g_assert(self->op == OP_NONE);
    self->op = op;
    self->task = g_task_new(NULL, NULL, callback, user_data);
    g_task_set_source_tag(self->task, tag);
}

/* Ends the operation, if there is one. Who waits for it may free us then. */
static void conclude(VbDnsmasq *self, const GError *error)
{
    g_autoptr(GTask) task = g_steal_pointer(&self->task);

    self->op = OP_NONE;
    if (task && error)
        g_task_return_error(task, g_error_copy(error));
    else if (task)
        g_task_return_boolean(task, TRUE);
}

gboolean vb_dnsmasq_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- the command line -------------------------------------------------------------------------
 */

static char *group_name(gid_t gid)
{
    char buffer[16384];
    struct group entry, *found = NULL;

    if (getgrgid_r(gid, &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return NULL;
    return g_strdup(found->gr_name);
}

static void add_option(GStrvBuilder *argv, const char *option, const char *value)
{
    g_autofree char *word = g_strconcat(option, "=", value, NULL);

    g_strv_builder_add(argv, word);
}

/* Started as root and without a word, dnsmasq would choose a user by itself. */
static void add_users(VbDnsmasq *self, GStrvBuilder *argv)
{
    g_autofree char *group = group_name(self->identity ? self->identity->gid : 0);

    if (geteuid() != 0)
        return;
    add_option(argv, "--user", self->identity ? self->identity->name : "root");
    if (group)
        add_option(argv, "--group", group);
    if (self->identity)
        add_option(argv, "--dhcp-scriptuser", self->identity->name);
}

static GStrv make_argv(VbDnsmasq *self)
{
    g_autoptr(GStrvBuilder) argv = g_strv_builder_new();

    g_strv_builder_add(argv, self->program);
    add_option(argv, "--conf-file", self->place.config);
    g_strv_builder_add(argv, "--keep-in-foreground");
    add_option(argv, "--pid-file", self->place.pid);
    add_option(argv, "--dhcp-leasefile", self->lease_file);
    add_option(argv, "--dhcp-hostsfile", self->hosts);
    add_option(argv, "--addn-hosts", self->names);
    add_option(argv, "--dhcp-script", self->lease_helper);
    add_users(self, argv);
    return g_strv_builder_end(argv);
}

/* ---- supervision ------------------------------------------------------------------------------
 */

static void stop_pause(VbDnsmasq *self)
{
    if (self->pause_timer) {
        g_source_destroy(self->pause_timer);
        g_clear_pointer(&self->pause_timer, g_source_unref);
    }
}

static gboolean on_pause_over(gpointer data)
{
    stop_pause(data);
    launch(data);
    return G_SOURCE_REMOVE;
}

static void launch(VbDnsmasq *self)
{
    g_auto(GStrv) argv = make_argv(self);
    g_autofree char *socket = g_strconcat("VIRTBUS_LEASE_SOCKET=", self->socket, NULL);
    const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", socket, NULL};

    g_assert(!self->process && !self->pause_timer);
    self->process = vb_dnsmasq_process_launch(&self->by, &self->place, (const char *const *)argv,
                                              env, &process_events, self);
}

static void launch_after_pause(VbDnsmasq *self)
{
    stop_pause(self);
    self->pause_timer = g_timeout_source_new_seconds(self->pause);
    g_source_set_callback(self->pause_timer, on_pause_over, self, NULL);
    g_source_attach(self->pause_timer, g_main_context_get_thread_default());
    self->pause = CLAMP(self->pause * 2, 1, MAX_PAUSE_SECONDS);
}

/* The process of the moment makes room for one with the new configuration. */
static void replace(VbDnsmasq *self)
{
    stop_pause(self);
    if (self->process) {
        self->replacing = TRUE;
        vb_dnsmasq_process_end(self->process);
    } else {
        launch(self);
    }
}

static void on_process_ready(gpointer data)
{
    VbDnsmasq *self = data;
    g_autoptr(GError) refused = g_steal_pointer(&self->refused);

    self->ready_at = g_get_monotonic_time();
    g_clear_pointer(&self->previous, vb_dnsmasq_config_free);
    if (self->op != OP_START) { /* which is recorded by who started it */
        vb_log_info(NULL, NULL, "Network %s: dnsmasq serves again", self->network);
        self->events.changed(self->user_data);
    }
    conclude(self, refused);
}

/* The new configuration is refused by who has to serve it: back to the old one. */
static void go_back(VbDnsmasq *self, const GError *error)
{
    g_autoptr(GError) local_error = NULL;

    self->refused = g_error_copy(error);
    vb_dnsmasq_config_free(self->config);
    self->config = g_steal_pointer(&self->previous);
    if (!write_files(self, self->config, &local_error))
        vb_log_warning(NULL, NULL, "Network %s: %s", self->network, local_error->message);
    launch(self);
}

static void clean_up(VbDnsmasq *self)
{
    stop_pause(self);
    g_clear_pointer(&self->leases, vb_lease_watch_free);
    remove_files(self);
    g_clear_pointer(&self->config, vb_dnsmasq_config_free);
}

static void on_process_ended(const GError *error, gpointer data)
{
    VbDnsmasq *self = data;
    gboolean served = vb_dnsmasq_process_was_ready(self->process);
    gboolean replacing = self->replacing;

    g_clear_pointer(&self->process, vb_dnsmasq_process_free);
    self->replacing = FALSE;
    if (self->op == OP_STOP) {
        clean_up(self);
        conclude(self, NULL);
    } else if (replacing) {
        launch(self);
    } else if (self->op == OP_START) {
        clean_up(self);
        conclude(self, error);
    } else if (self->op == OP_UPDATE && !served && self->previous) {
        go_back(self, error);
    } else {
        g_autoptr(GError) refused = g_steal_pointer(&self->refused);

        if (served && g_get_monotonic_time() - self->ready_at >= GOOD_LIFE_US)
            self->pause = 0;
        vb_log_warning(NULL, NULL, "Network %s: %s; it is started again in %u s", self->network,
                       error->message, self->pause);
        launch_after_pause(self);
        /* An update that is being tested goes on, and finds what there is then. */
        if (self->op == OP_ATTACH || refused)
            conclude(self, refused ? refused : error);
    }
}

/* ---- start and attach -------------------------------------------------------------------------
 */

static void on_leases(GPtrArray *leases, gpointer data)
{
    VbDnsmasq *self = data;

    self->events.leases(leases, self->user_data);
}

/* All that a process needs but its files. */
static gboolean prepare(VbDnsmasq *self, const VbNetworkDef *def, GError **error)
{
    g_autofree char *path = g_find_program_in_path("dnsmasq");

    g_free(self->network);
    self->network = g_strdup(def->name);
    g_free(self->program);
    self->program = g_strdup(path ? path : "/usr/sbin/dnsmasq");
    if (!g_file_test(self->program, G_FILE_TEST_IS_EXECUTABLE))
        return vb_fail(error, VB_ERROR_NOT_SUPPORTED,
                       "Network %s needs dnsmasq (package dnsmasq-base), which is not installed",
                       def->name);
    g_clear_pointer(&self->identity, vb_identity_unref);
    if (!vb_identity_resolve(self->user, &self->identity, NULL))
        return vb_fail(error, VB_ERROR_FAILED,
                       "dnsmasq cannot run as user '%s': there is no such user, or no setpriv(1); "
                       "another one can be named in virtbusd.conf",
                       self->user);
    g_clear_pointer(&self->leases, vb_lease_watch_free);
    self->leases = vb_lease_watch_new(self->socket, self->lease_file,
                                      self->identity ? self->identity->uid : geteuid(), on_leases,
                                      self, error);
    return self->leases != NULL;
}

static gboolean start(VbDnsmasq *self, const VbNetworkDef *def, GError **error)
{
    if (!prepare(self, def, error))
        return FALSE;
    self->config = vb_dnsmasq_config_new(def, error);
    if (!self->config || !write_files(self, self->config, error))
        return FALSE;
    launch(self);
    return TRUE;
}

void vb_dnsmasq_start_async(VbDnsmasq *self, const VbNetworkDef *def, GAsyncReadyCallback callback,
                            gpointer user_data)
{
    g_autoptr(GError) error = NULL;

    begin(self, OP_START, vb_dnsmasq_start_async, callback, user_data);
    if (!start(self, def, &error)) {
        clean_up(self);
        conclude(self, error);
    }
}

static gboolean has_dhcp6(const VbNetworkDef *def)
{
    for (guint i = 0; i < def->ips->len; i++) {
        const VbNetworkIpDef *ip = def->ips->pdata[i];

        if (ip->dhcp && ip->address.family == VB_IPV6)
            return TRUE;
    }
    return FALSE;
}

/* Process id and start time as recorded; 0 where there are none. */
static pid_t recorded(GKeyFile *record, const char *group, guint64 *ret_start_time)
{
    *ret_start_time = g_key_file_get_uint64(record, group, KEY_START_TIME, NULL);
    return g_key_file_get_integer(record, group, KEY_PID, NULL);
}

static gboolean attach(VbDnsmasq *self, const VbNetworkDef *def, GKeyFile *record,
                       const char *group, GError **error)
{
    guint64 start_time;
    pid_t pid = recorded(record, group, &start_time);

    /* The socket first, then the file: no lease comes between. */
    if (!prepare(self, def, error))
        return FALSE;
    vb_lease_watch_read(self->leases);
    self->config = read_files(self);
    self->process =
        vb_dnsmasq_process_find(&self->by, &self->place, pid, start_time, &process_events, self);
    if (!self->process) {
        vb_log_info(NULL, NULL, "Network %s: dnsmasq has ended meanwhile", def->name);
        g_clear_pointer(&self->config, vb_dnsmasq_config_free);
        self->config = vb_dnsmasq_config_new(def, error);
        if (!self->config || !write_files(self, self->config, error))
            return FALSE;
        launch(self);
        return TRUE;
    }
    self->ready_at = g_get_monotonic_time();
    /* The lease file has no MAC addresses of DHCPv6 clients: it shall tell of all leases again. */
    if (has_dhcp6(def))
        vb_process_kill(vb_dnsmasq_process_get(self->process), SIGHUP);
    if (vb_dnsmasq_process_get(self->process)->pid != pid)
        self->events.changed(self->user_data);
    conclude(self, NULL);
    return TRUE;
}

void vb_dnsmasq_attach_async(VbDnsmasq *self, const VbNetworkDef *def, GKeyFile *record,
                             const char *group, GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GError) error = NULL;

    begin(self, OP_ATTACH, vb_dnsmasq_attach_async, callback, user_data);
    if (!attach(self, def, record, group, &error)) {
        g_clear_pointer(&self->leases, vb_lease_watch_free);
        g_clear_pointer(&self->config, vb_dnsmasq_config_free);
        conclude(self, error);
    }
}

/* ---- update -----------------------------------------------------------------------------------
 */

/* Puts in force what only has to be read again. */
static gboolean reread(VbDnsmasq *self, VbDnsmasqConfig *config, GError **error)
{
    if (!write_reread_files(self, config, error)) {
        write_reread_files(self, self->config, NULL);
        return FALSE;
    }
    if (self->process && vb_dnsmasq_process_get(self->process))
        vb_process_kill(vb_dnsmasq_process_get(self->process), SIGHUP);
    vb_dnsmasq_config_free(self->config);
    self->config = config;
    return TRUE;
}

typedef struct {
    VbDnsmasq *self;
    VbDnsmasqConfig *config;
} Test;

static gboolean put_in_force(VbDnsmasq *self, VbDnsmasqConfig *config, GError **error)
{
    if (!write_files(self, config, error)) {
        write_files(self, self->config, NULL);
        return FALSE;
    }
    self->previous = self->config;
    self->config = config;
    replace(self);
    return TRUE;
}

static gboolean test_passed(GSubprocess *process, GAsyncResult *result, GError **error)
{
    g_autofree char *words = NULL;

    if (!g_subprocess_communicate_utf8_finish(process, result, &words, NULL, error))
        return FALSE;
    if (g_subprocess_get_successful(process))
        return TRUE;
    g_autofree char *line = vb_error_line(g_strstrip(words ? words : ""));
    return vb_fail(error, VB_ERROR_FAILED, "dnsmasq refuses the configuration: %s", line);
}

static void self_unref(VbDnsmasq *self);

static void on_tested(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Test *test = data;
    VbDnsmasq *self = test->self;
    g_autoptr(GError) error = NULL;
    gboolean passed = test_passed(G_SUBPROCESS(source), result, &error);

    g_unlink(self->new_config);
    if (self->closed || !passed || !put_in_force(self, test->config, &error)) {
        vb_dnsmasq_config_free(test->config);
        if (!self->closed)
            conclude(self, error);
    }
    self_unref(self);
}

/* The old one serves on until dnsmasq has said that it understands the new one. */
static gboolean test_config(VbDnsmasq *self, VbDnsmasqConfig *config, GError **error)
{
    g_autofree char *option = g_strconcat("--conf-file=", self->new_config, NULL);
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);

    if (!write_root_file(self->new_config, config->config, error))
        return FALSE;
    g_subprocess_launcher_setenv(launcher, "LC_ALL", "C", TRUE);
    g_autoptr(GSubprocess) process =
        g_subprocess_launcher_spawn(launcher, error, self->program, "--test", option, NULL);
    if (!process) {
        g_unlink(self->new_config);
        return FALSE;
    }
    Test *test = g_new(Test, 1);
    *test = (Test){g_rc_box_acquire(self), config};
    g_subprocess_communicate_utf8_async(process, NULL, NULL, on_tested, test);
    return TRUE;
}

void vb_dnsmasq_update_async(VbDnsmasq *self, const VbNetworkDef *def, GAsyncReadyCallback callback,
                             gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbDnsmasqConfig) config = vb_dnsmasq_config_new(def, &error);

    begin(self, OP_UPDATE, vb_dnsmasq_update_async, callback, user_data);
    if (!config) {
        conclude(self, error);
    } else if (!self->config) {
        g_set_error(&error, VB_ERROR, VB_ERROR_FAILED, "Network %s has no dnsmasq", def->name);
        conclude(self, error);
    } else if (g_str_equal(config->config, self->config->config)) {
        if (reread(self, config, &error))
            g_steal_pointer(&config);
        conclude(self, error);
    } else if (test_config(self, config, &error)) {
        g_steal_pointer(&config);
    } else {
        conclude(self, error);
    }
}

/* ---- the rest ---------------------------------------------------------------------------------
 */

void vb_dnsmasq_stop_async(VbDnsmasq *self, GAsyncReadyCallback callback, gpointer user_data)
{
    begin(self, OP_STOP, vb_dnsmasq_stop_async, callback, user_data);
    if (self->process) {
        vb_dnsmasq_process_end(self->process);
    } else {
        clean_up(self);
        conclude(self, NULL);
    }
}

void vb_dnsmasq_clean(const char *run_dir, GKeyFile *record, const char *group)
{
    static const VbDnsmasqProcessEvents no_events = {NULL};
    VbDnsmasqPlace place;
    guint64 start_time;
    pid_t pid = recorded(record, group, &start_time);

    place_init(&place, run_dir);
    VbDnsmasqProcess *process =
        vb_dnsmasq_process_find(&vb_launch_by_us, &place, pid, start_time, &no_events, NULL);
    if (process)
        vb_process_kill(vb_dnsmasq_process_get(process), SIGKILL);
    vb_dnsmasq_process_free(process);
    place_clear(&place);
}

void vb_dnsmasq_revive(VbDnsmasq *self)
{
    if (!self->pause_timer)
        return;
    stop_pause(self);
    self->pause = 0;
    launch(self);
}

void vb_dnsmasq_save(const VbDnsmasq *self, GKeyFile *record, const char *group)
{
    const VbProcess *process = self->process ? vb_dnsmasq_process_get(self->process) : NULL;

    if (!process)
        return;
    g_key_file_set_integer(record, group, KEY_PID, process->pid);
    g_key_file_set_uint64(record, group, KEY_START_TIME, process->start_time);
}

VbDnsmasq *vb_dnsmasq_new(const VbDnsmasqOptions *options, const char *run_dir,
                          const VbDnsmasqEvents *events, gpointer user_data)
{
    VbDnsmasq *self = g_rc_box_new0(VbDnsmasq);

    self->by = (VbLaunchBy){options->launcher, options->launcher_self, NULL};
    self->lease_helper = g_strdup(options->lease_helper);
    self->user = g_strdup(options->user);
    self->events = *events;
    self->user_data = user_data;
    place_init(&self->place, run_dir);
    self->new_config = in_dir(run_dir, "dnsmasq.conf.new");
    self->hosts = in_dir(run_dir, "dnsmasq.hosts");
    self->names = in_dir(run_dir, "dnsmasq.names");
    self->lease_file = in_dir(run_dir, "dnsmasq.leases");
    self->socket = in_dir(run_dir, "leases.sock");
    return self;
}

static void self_clear(gpointer data)
{
    VbDnsmasq *self = data;
    char *const strings[] = {
        self->lease_helper, self->user,   self->new_config, self->hosts,   self->names,
        self->lease_file,   self->socket, self->program,    self->network,
    };

    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
        g_free(strings[i]);
    place_clear(&self->place);
    vb_identity_unref(self->identity);
}

static void self_unref(VbDnsmasq *self)
{
    g_rc_box_release_full(self, self_clear);
}

void vb_dnsmasq_free(VbDnsmasq *self)
{
    g_autoptr(GError) error = NULL;

    if (!self)
        return;
    self->closed = TRUE;
    stop_pause(self);
    g_clear_pointer(&self->process, vb_dnsmasq_process_free);
    g_clear_pointer(&self->leases, vb_lease_watch_free);
    g_clear_pointer(&self->config, vb_dnsmasq_config_free);
    g_clear_pointer(&self->previous, vb_dnsmasq_config_free);
    g_clear_error(&self->refused);
    g_set_error(&error, VB_ERROR, VB_ERROR_FAILED, "the daemon is ending");
    conclude(self, error);
    self_unref(self);
}
