/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbDnsmasqProcess. It is referenced by its owner and, until it is answered, by the launch,
 * which cannot be taken back. See dnsmasq-process.h. */
#include "dnsmasq-process.h"

#include <linux/capability.h>
#include <signal.h>
#include <string.h>

#include "error.h"
#include "file-watch.h"
#include "store.h"

#define READY_SECONDS 20

/* CHOWN, SETUID, SETGID, SETPCAP and DAC_OVERRIDE until it becomes its user, in a directory that is
 * ours; then it keeps NET_ADMIN, NET_RAW and NET_BIND_SERVICE, to serve ports 53, 67 and 547 and to
 * look whether an address is in use before it is handed out. */
#define CAPABILITIES                                                                               \
    (1u << CAP_CHOWN | 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_SETPCAP |                   \
     1u << CAP_DAC_OVERRIDE | 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW |                            \
     1u << CAP_NET_BIND_SERVICE)

struct VbDnsmasqProcess {
    VbLaunchBy by;
    char *name, *pid_path, *log_path;
    char *how; /* it ended; then its last words are asked for */
    VbProcess *process;
    VbFileWatch *watch; /* of its pid file, until it is ready */
    GSource *timer;     /* until it must be ready, or must have ended */
    gboolean ready;
    gboolean ending;
    gboolean late; /* it was not ready in time */
    gboolean closed;
    VbDnsmasqProcessEvents events;
    gpointer user_data;
};

static void process_clear(gpointer data)
{
    VbDnsmasqProcess *self = data;

    g_free(self->name);
    g_free(self->how);
    g_free(self->pid_path);
    g_free(self->log_path);
}

static void process_unref(VbDnsmasqProcess *self)
{
    g_rc_box_release_full(self, process_clear);
}

static VbDnsmasqProcess *process_new(const VbLaunchBy *by, const VbDnsmasqPlace *place,
                                     const VbDnsmasqProcessEvents *events, gpointer user_data)
{
    VbDnsmasqProcess *self = g_rc_box_new0(VbDnsmasqProcess);

    self->by = *by;
    self->name = g_strdup(place->name);
    self->pid_path = g_strdup(place->pid);
    self->log_path = g_strdup(place->log);
    self->events = *events;
    self->user_data = user_data;
    return self;
}

static void stop_timer(VbDnsmasqProcess *self)
{
    if (self->timer) {
        g_source_destroy(self->timer);
        g_clear_pointer(&self->timer, g_source_unref);
    }
}

static gboolean on_time_over(gpointer data)
{
    VbDnsmasqProcess *self = data;

    self->late = !self->ready && !self->ending;
    if (self->process)
        vb_process_kill(self->process, SIGKILL);
    stop_timer(self);
    return G_SOURCE_REMOVE;
}

static void start_timer(VbDnsmasqProcess *self, guint seconds)
{
    stop_timer(self);
    self->timer = g_timeout_source_new_seconds(seconds);
    g_source_set_callback(self->timer, on_time_over, self, NULL);
    g_source_attach(self->timer, g_main_context_get_thread_default());
}

static void tell_end(VbDnsmasqProcess *self, const GError *error)
{
    stop_timer(self);
    g_clear_pointer(&self->watch, vb_file_watch_free);
    self->events.ended(error, self->user_data);
}

static void on_last_words(GObject *source, GAsyncResult *result, gpointer data)
{
    VbDnsmasqProcess *self = data;
    g_autofree char *words = g_task_propagate_pointer(G_TASK(result), NULL);
    g_autofree char *line = vb_error_line(words);
    g_autoptr(GError) error = NULL;

    if (self->late)
        g_set_error(&error, VB_ERROR, VB_ERROR_TIMEOUT, "dnsmasq did not serve within %d s",
                    READY_SECONDS);
    else if (*line)
        g_set_error(&error, VB_ERROR, VB_ERROR_FAILED, "dnsmasq ended: %s", line);
    else
        g_set_error(&error, VB_ERROR, VB_ERROR_FAILED, "dnsmasq ended%s%s", *self->how ? ": " : "",
                    self->how);
    g_clear_pointer(&self->process, vb_process_free);
    if (!self->closed)
        tell_end(self, error);
    process_unref(self);
}

static void on_ended(VbProcess *process, const char *how, gpointer data)
{
    VbDnsmasqProcess *self = data;

    stop_timer(self);
    self->how = g_strdup(how);
    self->by.launcher->last_words(self->by.self, process, self->name, self->log_path,
                                  g_task_new(NULL, NULL, on_last_words, g_rc_box_acquire(self)));
}

static gboolean read_pid(const char *path, pid_t *ret_pid)
{
    g_autofree char *text = vb_store_read(path, 32, NULL, NULL);
    guint64 pid;

    /* Without its newline it is not all there yet. */
    if (!text || !g_str_has_suffix(text, "\n") ||
        !g_ascii_string_to_unsigned(g_strchomp(text), 10, 1, G_MAXINT32, &pid, NULL))
        return FALSE;
    *ret_pid = (pid_t)pid;
    return TRUE;
}

static void check_ready(VbDnsmasqProcess *self)
{
    pid_t pid;

    if (self->ready || self->ending || !self->process || !read_pid(self->pid_path, &pid) ||
        pid != self->process->pid)
        return;
    self->ready = TRUE;
    stop_timer(self);
    g_clear_pointer(&self->watch, vb_file_watch_free);
    self->events.ready(self->user_data);
}

static void on_pid_file(gpointer data)
{
    check_ready(data);
}

static void on_launched(GObject *source, GAsyncResult *result, gpointer data)
{
    VbDnsmasqProcess *self = data;
    g_autoptr(GError) error = NULL;

    self->process = g_task_propagate_pointer(G_TASK(result), &error);
    if (self->closed) {
        if (self->process)
            vb_process_kill(self->process, SIGKILL);
        g_clear_pointer(&self->process, vb_process_free);
    } else if (!self->process) {
        tell_end(self, error);
    } else {
        vb_process_watch(self->process, on_ended, self);
        if (self->ending)
            vb_dnsmasq_process_end(self);
        else
            check_ready(self);
    }
    process_unref(self);
}

VbDnsmasqProcess *vb_dnsmasq_process_launch(const VbLaunchBy *by, const VbDnsmasqPlace *place,
                                            const char *const *argv, const char *const *env,
                                            const VbDnsmasqProcessEvents *events,
                                            gpointer user_data)
{
    VbDnsmasqProcess *self = process_new(by, place, events, user_data);
    GTask *task = g_task_new(NULL, NULL, on_launched, g_rc_box_acquire(self));
    const VbLaunchSpec spec = {
        .name = place->name,
        .argv = argv,
        .env = env,
        .log_path = place->log,
        .title = "DHCP and DNS of a virtual network",
        .capabilities = CAPABILITIES,
    };
    GError *error = NULL;

    g_task_set_source_tag(task, vb_dnsmasq_process_launch);
    unlink(place->pid);
    unlink(place->log);
    self->watch = vb_file_watch_new(place->pid, on_pid_file, self, &error);
    if (!self->watch) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return self;
    }
    start_timer(self, READY_SECONDS);
    by->launcher->launch(by->self, &spec, task);
    return self;
}

/* Does the process run with this configuration? Its arguments are there to be read whoever it
 * runs as. */
static gboolean has_config(pid_t pid, const char *config)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
    g_autofree char *wanted = g_strconcat("--conf-file=", config, NULL);
    g_autofree char *text = NULL;
    gsize length;

    if (!g_file_get_contents(path, &text, &length, NULL))
        return FALSE;
    for (const char *word = text; word < text + length; word += strlen(word) + 1)
        if (g_str_equal(word, wanted))
            return TRUE;
    return FALSE;
}

static VbProcess *find(const VbDnsmasqPlace *place, pid_t pid, guint64 start_time)
{
    g_autoptr(VbProcess) process = vb_process_find(pid, start_time, NULL);

    /* The record may be older than the last restart. First the hold, then the look. */
    if (!process && read_pid(place->pid, &pid))
        process = vb_process_new(pid, NULL);
    return process && has_config(process->pid, place->config) ? g_steal_pointer(&process) : NULL;
}

VbDnsmasqProcess *vb_dnsmasq_process_find(const VbLaunchBy *by, const VbDnsmasqPlace *place,
                                          pid_t pid, guint64 start_time,
                                          const VbDnsmasqProcessEvents *events, gpointer user_data)
{
    VbProcess *process = find(place, pid, start_time);

    if (!process)
        return NULL;
    VbDnsmasqProcess *self = process_new(by, place, events, user_data);
    self->process = process;
    self->ready = TRUE;
    vb_process_watch(process, on_ended, self);
    return self;
}

void vb_dnsmasq_process_free(VbDnsmasqProcess *self)
{
    if (!self)
        return;
    self->closed = TRUE;
    stop_timer(self);
    g_clear_pointer(&self->watch, vb_file_watch_free);
    if (self->process && !self->ready)
        vb_process_kill(self->process, SIGKILL);
    if (!self->how) /* who looks for its last words needs it */
        g_clear_pointer(&self->process, vb_process_free);
    process_unref(self);
}

VbProcess *vb_dnsmasq_process_get(const VbDnsmasqProcess *self)
{
    return self->ready ? self->process : NULL;
}

gboolean vb_dnsmasq_process_was_ready(const VbDnsmasqProcess *self)
{
    return self->ready;
}

void vb_dnsmasq_process_end(VbDnsmasqProcess *self)
{
    self->ending = TRUE;
    if (!self->process)
        return;
    vb_process_kill(self->process, SIGTERM);
    start_timer(self, VB_DNSMASQ_END_SECONDS);
}
