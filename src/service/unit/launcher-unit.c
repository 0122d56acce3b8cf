/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The launcher that asks systemd, without waiting: StartTransientUnit, the end of its job, the main
 * process of the unit. A unit of that name that is still there is none that we know of: what is
 * left of an earlier launch, which is ended first. See launcher-unit.h. */
#include "launcher-unit.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "fd.h"
#include "journal-tail.h"
#include "log.h"
#include "machine.h"
#include "unit-input.h"
#include "unit-properties.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"
#define UNIT_PATH_PREFIX SYSTEMD_PATH "/unit"
#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

#define OWNER_MATCH                                                                                \
    "type='signal',sender='" BUS_NAME "',interface='" BUS_NAME                                     \
    "',member='NameOwnerChanged',arg0='" SYSTEMD_NAME "'"

#define LEFTOVER_SECONDS 20 /* for the end of a unit that is still there */

struct VbUnitLauncher {
    char *helper;
    gboolean session;
    sd_bus *bus;          /* NULL: not attached */
    gboolean managed;     /* there is a manager on it */
    gboolean was_managed; /* there has been one, which left us no right to be another user */
    gboolean subscribed;  /* it tells us of units that are removed */
    sd_bus_slot *removed; /* JobRemoved, for all launches */
    sd_bus_slot *owner;   /* NameOwnerChanged of the manager */
    sd_bus_slot *asked;   /* StartServiceByName, then GetNameOwner */
    VbUnitManager manager;
    gpointer data;
    sd_bus_slot *stopping_slot; /* SystemState */
    GSource *stopping_source;   /* where there is nobody to ask */
    VbUnitStopping stopping;
    gpointer stopping_data;
    GPtrArray *launches; /* those under way, borrowed */
};

/* One launch, from launch() to its result. What it waits for is one slot or one job. */
typedef struct {
    VbUnitLauncher *launcher;
    GTask *task;
    char *unit, *what;
    char *domain, *machine;
    VbLaunchKind kind;
    gboolean silent;      /* its words are somebody else's */
    GSource *cancelled;   /* or NULL */
    gint64 begun;         /* real time */
    sd_bus_message *call; /* StartTransientUnit */
    sd_bus_slot *slot;    /* the reply that it waits for */
    char *job;            /* … or the job, by its path */
    sd_bus_slot *watch;   /* … or the end of a leftover */
    GSource *timer;       /* … for so long */
} Launch;

static void clear_source(GSource **source)
{
    if (*source != NULL)
        g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static void launch_free(Launch *launch)
{
    g_ptr_array_remove_fast(launch->launcher->launches, launch);
    clear_source(&launch->timer);
    clear_source(&launch->cancelled);
    sd_bus_slot_unref(launch->slot);
    sd_bus_slot_unref(launch->watch);
    sd_bus_message_unref(launch->call);
    g_object_unref(launch->task);
    g_free(launch->unit);
    g_free(launch->what);
    g_free(launch->domain);
    g_free(launch->machine);
    g_free(launch->job);
    g_free(launch);
}

static void fail(Launch *launch, const char *why)
{
    g_task_return_new_error(launch->task, VB_ERROR, VB_ERROR_FAILED,
                            "The service manager did not start %s: %s", launch->unit, why);
    launch_free(launch);
}

static void fail_errno(Launch *launch, int r)
{
    fail(launch, g_strerror(-r));
}

/* ---- the main process -------------------------------------------------------------------------
 */

/* Of a launch that is over by then: all that it still needs is its task. */
typedef struct {
    GTask *task;
    char *what;
    const char *how;
} Ended;

static void on_ended_words(GObject *source, GAsyncResult *result, gpointer data)
{
    Ended *ended = data;
    g_autofree char *words = g_task_propagate_pointer(G_TASK(result), NULL);

    g_task_return_new_error(ended->task, VB_ERROR, VB_ERROR_FAILED, "%s %s%s%s", ended->what,
                            ended->how, *words ? ": " : "", words);
    g_object_unref(ended->task);
    g_free(ended->what);
    g_free(ended);
}

static void fail_ended(Launch *launch)
{
    const char *how = launch->kind == VB_LAUNCH_STAYS ? "ended at once" : "failed";

    if (launch->silent) {
        g_task_return_new_error(launch->task, VB_ERROR, VB_ERROR_FAILED, "%s %s", launch->what,
                                how);
        launch_free(launch);
        return;
    }
    Ended *ended = g_new0(Ended, 1);
    ended->task = g_object_ref(launch->task);
    ended->what = g_strdup(launch->what);
    ended->how = how;
    vb_journal_tail_async(launch->unit, launch->begun, launch->launcher->session, on_ended_words,
                          ended);
    launch_free(launch);
}

/* Is that process in a control group of the unit, and not another one with its pid? */
static gboolean is_of_unit(pid_t pid, const char *unit)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", (int)pid);
    g_autofree char *element = g_strdup_printf("/%s", unit);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, element) != NULL;
}

static void unref_unit(Launch *launch)
{
    int r = sd_bus_call_method_async(launch->launcher->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                     SYSTEMD_MANAGER, "UnrefUnit", NULL, NULL, "s", launch->unit);

    if (r < 0)
        vb_log_debug(launch->domain, NULL, "UnrefUnit: %s", g_strerror(-r));
}

static int on_main_pid(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    Launch *launch = data;
    VbUnitLauncher *launcher = launch->launcher;
    const sd_bus_error *refusal = sd_bus_message_get_error(reply);
    guint32 pid = 0;
    int r = refusal != NULL ? 0 : sd_bus_message_read(reply, "v", "u", &pid);

    if (refusal != NULL || r < 0) {
        fail(launch, refusal != NULL ? refusal->message : g_strerror(-r));
        return 0;
    }
    unref_unit(launch);
    VbProcess *process = vb_process_new((pid_t)pid, NULL);
    if (process != NULL && is_of_unit(process->pid, launch->unit)) {
        if (launch->machine != NULL && !launcher->session)
            vb_machine_register(launcher->bus, launch->machine, launch->domain, process->pid);
        g_task_return_pointer(launch->task, process, (GDestroyNotify)vb_process_free);
        launch_free(launch);
        return 0;
    }
    vb_process_free(process);
    fail_ended(launch);
    return 0;
}

/* It is in the background, and nobody's; or it has done its work. */
static void succeed(Launch *launch)
{
    unref_unit(launch);
    g_task_return_pointer(launch->task, NULL, NULL);
    launch_free(launch);
}

static void ask_main_pid(Launch *launch)
{
    g_autofree char *path = NULL;
    int r = sd_bus_path_encode(UNIT_PATH_PREFIX, launch->unit, &path);

    launch->slot = sd_bus_slot_unref(launch->slot);
    if (r >= 0)
        r = sd_bus_call_method_async(launch->launcher->bus, &launch->slot, SYSTEMD_NAME, path,
                                     "org.freedesktop.DBus.Properties", "Get", on_main_pid, launch,
                                     "ss", SYSTEMD_SERVICE, "ExecMainPID");
    if (r < 0)
        fail_errno(launch, r);
}

/* ---- the job of the start ---------------------------------------------------------------------
 */

static int on_job_removed(sd_bus_message *signal, void *data, sd_bus_error *ret_error)
{
    const VbUnitLauncher *launcher = data;
    const char *job, *unit, *result;
    guint32 id;

    if (sd_bus_message_read(signal, "uoss", &id, &job, &unit, &result) < 0)
        return 0;
    for (guint i = 0; i < launcher->launches->len; i++) {
        Launch *launch = launcher->launches->pdata[i];
        if (g_strcmp0(launch->job, job) != 0)
            continue;
        g_clear_pointer(&launch->job, g_free);
        if (!g_str_equal(result, "done")) {
            unref_unit(launch);
            fail_ended(launch);
        } else if (launch->kind != VB_LAUNCH_STAYS) {
            succeed(launch);
        } else {
            ask_main_pid(launch);
        }
        return 0;
    }
    return 0;
}

static void end_leftover(Launch *launch);

/* Its job ends after this. */
static int on_started(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    Launch *launch = data;
    const sd_bus_error *refusal = sd_bus_message_get_error(reply);
    const char *job;

    if (refusal != NULL) {
        if (sd_bus_error_has_name(refusal, SYSTEMD_NAME ".UnitExists"))
            end_leftover(launch);
        else
            fail(launch, refusal->message);
        return 0;
    }
    int r = sd_bus_message_read(reply, "o", &job);
    if (r < 0)
        fail_errno(launch, r);
    else
        launch->job = g_strdup(job);
    return 0;
}

static void start_unit(Launch *launch)
{
    launch->slot = sd_bus_slot_unref(launch->slot);
    int r = sd_bus_call_async(launch->launcher->bus, &launch->slot, launch->call, on_started,
                              launch, UINT64_MAX);

    if (r < 0)
        fail_errno(launch, r);
}

/* ---- what is left of an earlier launch --------------------------------------------------------
 */

static gboolean on_late(gpointer data)
{
    fail(data, "a unit of that name does not end");
    return G_SOURCE_REMOVE;
}

/* A call can be sent only once. */
static void start_again(Launch *launch)
{
    sd_bus_message *again = NULL;

    launch->watch = sd_bus_slot_unref(launch->watch);
    int r = sd_bus_message_new_method_call(launch->launcher->bus, &again, SYSTEMD_NAME,
                                           SYSTEMD_PATH, SYSTEMD_MANAGER, "StartTransientUnit");

    if (r >= 0)
        r = sd_bus_message_rewind(launch->call, 1);
    if (r >= 0)
        r = sd_bus_message_copy(again, launch->call, 1);
    sd_bus_message_unref(launch->call);
    launch->call = again;
    if (r < 0)
        fail_errno(launch, r);
    else
        start_unit(launch);
}

static int on_unit_removed(sd_bus_message *signal, void *data, sd_bus_error *ret_error)
{
    start_again(data);
    return 0;
}

/* From now on its removal is a signal; unless it is gone already. */
static int on_stopped(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    Launch *launch = data;
    const sd_bus_error *refusal = sd_bus_message_get_error(reply);

    if (refusal == NULL)
        return 0;
    if (sd_bus_error_has_name(refusal, SYSTEMD_NAME ".NoSuchUnit"))
        start_again(launch);
    else
        fail(launch, refusal->message);
    return 0;
}

static void end_leftover(Launch *launch)
{
    VbUnitLauncher *launcher = launch->launcher;
    g_autofree char *match =
        g_strdup_printf("type='signal',sender='" SYSTEMD_NAME "',interface='" SYSTEMD_MANAGER
                        "',member='UnitRemoved',arg0='%s'",
                        launch->unit);
    int r = 0;

    if (launch->timer == NULL) {
        launch->timer = g_timeout_source_new_seconds(LEFTOVER_SECONDS);
        g_source_set_callback(launch->timer, on_late, launch, NULL);
        g_source_attach(launch->timer, g_main_context_get_thread_default());
    }
    if (!launcher->subscribed)
        r = sd_bus_call_method_async(launcher->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                     SYSTEMD_MANAGER, "Subscribe", NULL, NULL, NULL);
    launcher->subscribed = r >= 0;
    if (r >= 0)
        r = sd_bus_add_match_async(launcher->bus, &launch->watch, match, on_unit_removed, NULL,
                                   launch);
    launch->slot = sd_bus_slot_unref(launch->slot);
    if (r >= 0)
        r = sd_bus_call_method_async(launcher->bus, &launch->slot, SYSTEMD_NAME, SYSTEMD_PATH,
                                     SYSTEMD_MANAGER, "StopUnit", on_stopped, launch, "ss",
                                     launch->unit, "replace");
    if (r < 0)
        fail_errno(launch, r);
}

/* ---- the contract -----------------------------------------------------------------------------
 */

static sd_bus_message *make_call(VbUnitLauncher *launcher, const char *unit,
                                 const VbLaunchSpec *spec, int input, GError **error)
{
    const VbUnitSurroundings surroundings = {launcher->helper, launcher->session, input};
    sd_bus_message *call = NULL;
    int r = sd_bus_message_new_method_call(launcher->bus, &call, SYSTEMD_NAME, SYSTEMD_PATH,
                                           SYSTEMD_MANAGER, "StartTransientUnit");

    if (r >= 0)
        r = sd_bus_message_append(call, "ss", unit, "fail");
    if (r >= 0)
        r = vb_unit_append_properties(call, spec, &surroundings);
    if (r >= 0)
        r = sd_bus_message_append(call, "a(sa(sv))", 0); /* no other units with it */
    if (r < 0) {
        sd_bus_message_unref(call);
        vb_fail(error, VB_ERROR_FAILED, "Cannot describe unit %s: %s", unit, g_strerror(-r));
        return NULL;
    }
    return call;
}

static char *unit_name(const char *name)
{
    return g_strdup_printf("virtbus-%s.service", name);
}

/* In its unit the program could only say so in the journal. */
static gboolean can_execute(const char *program, GError **error)
{
    int reason = access(program, X_OK) != 0 ? errno : 0;

    if (reason == 0 && g_file_test(program, G_FILE_TEST_IS_DIR))
        reason = EACCES;
    return reason == 0 ||
           vb_fail(error, VB_ERROR_FAILED, "Cannot execute %s: %s", program, g_strerror(reason));
}

/* Its stop is a kill (unit-properties.c), and comes to the manager after its start. */
static gboolean on_cancelled(GCancellable *cancellable, gpointer data)
{
    Launch *launch = data;
    int r = sd_bus_call_method_async(launch->launcher->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                     SYSTEMD_MANAGER, "StopUnit", NULL, NULL, "ss", launch->unit,
                                     "replace");

    if (r < 0)
        vb_log_debug(NULL, NULL, "StopUnit: %s", g_strerror(-r));
    unref_unit(launch);
    g_task_return_error_if_cancelled(launch->task);
    launch_free(launch);
    return G_SOURCE_REMOVE;
}

static void watch_cancellable(Launch *launch)
{
    GCancellable *cancellable = g_task_get_cancellable(launch->task);

    if (launch->kind != VB_LAUNCH_ENDS || cancellable == NULL)
        return;
    launch->cancelled = g_cancellable_source_new(cancellable);
    g_source_set_callback(launch->cancelled, G_SOURCE_FUNC(on_cancelled), launch, NULL);
    g_source_attach(launch->cancelled, g_main_context_get_thread_default());
}

static void launch_unit(gpointer self, const VbLaunchSpec *spec, GTask *task)
{
    VbUnitLauncher *launcher = self;
    g_autofree char *unit = unit_name(spec->name);
    g_autoptr(GTask) owned = task;
    GError *error = NULL;
    sd_bus_message *call = NULL;
    vb_autofd int input = -1;

    if (!launcher->managed && launcher->was_managed) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_FAILED,
                                "The service manager, which starts %s, is not on the bus now",
                                unit);
        return;
    }
    if (!launcher->managed) {
        vb_launcher_detached.launch(NULL, spec, g_steal_pointer(&owned));
        return;
    }
    if (can_execute(spec->argv[0], &error))
        input = vb_unit_input_new(spec, &error);
    if (input >= 0)
        call = make_call(launcher, unit, spec, input, &error);
    if (call == NULL) {
        g_task_return_error(task, error);
        return;
    }
    Launch *launch = g_new0(Launch, 1);
    launch->launcher = launcher;
    launch->task = g_steal_pointer(&owned);
    launch->unit = g_steal_pointer(&unit);
    launch->what = g_path_get_basename(spec->argv[0]);
    launch->domain = g_strdup(spec->domain);
    launch->machine = g_strdup(spec->machine);
    launch->kind = spec->kind;
    launch->silent = spec->output != 0;
    launch->begun = g_get_real_time();
    launch->call = call;
    g_ptr_array_add(launcher->launches, launch);
    watch_cancellable(launch);
    start_unit(launch);
}

typedef struct {
    char *log_path;
    GTask *task;
} Words;

static void on_last_words(GObject *source, GAsyncResult *result, gpointer data)
{
    Words *words = data;
    char *text = g_task_propagate_pointer(G_TASK(result), NULL);

    /* It may have been launched before there was a manager, or by a daemon on a bus without. */
    if (*text == '\0') {
        g_free(text);
        text = vb_last_words_read(words->log_path);
    }
    g_task_return_pointer(words->task, text, g_free);
    g_object_unref(words->task);
    g_free(words->log_path);
    g_free(words);
}

/* In real time: the process's first clock tick of the boot, and what there has been since. */
static gint64 process_began(const VbProcess *process)
{
    struct timespec now;
    gint64 ticks = sysconf(_SC_CLK_TCK);

    clock_gettime(CLOCK_BOOTTIME, &now);
    gint64 up = (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
    return g_get_real_time() - up + (gint64)process->start_time * (G_USEC_PER_SEC / ticks);
}

static void last_words(gpointer self, const VbProcess *process, const char *name,
                       const char *log_path, GTask *task)
{
    VbUnitLauncher *launcher = self;

    if (!launcher->managed) {
        vb_launcher_detached.last_words(NULL, process, name, log_path, task);
        return;
    }
    g_autofree char *unit = unit_name(name);
    Words *words = g_new0(Words, 1);
    words->log_path = g_strdup(log_path);
    words->task = task;
    vb_journal_tail_async(unit, process_began(process), launcher->session, on_last_words, words);
}

const VbLauncher vb_launcher_unit = {.launch = launch_unit, .last_words = last_words};

/* ---- its life ---------------------------------------------------------------------------------
 */

VbUnitLauncher *vb_unit_launcher_new(const char *helper, gboolean session)
{
    VbUnitLauncher *launcher = g_new0(VbUnitLauncher, 1);

    launcher->helper = g_strdup(helper);
    launcher->session = session;
    launcher->launches = g_ptr_array_new();
    return launcher;
}

static void set_manager(VbUnitLauncher *launcher, const char *name)
{
    launcher->managed = name != NULL;
    launcher->was_managed |= launcher->managed;
    launcher->subscribed = FALSE;
    if (launcher->manager != NULL)
        launcher->manager(name, launcher->data);
    vb_log_debug(NULL, NULL, "guests are %s",
                 name != NULL ? "units of the service manager" : "detached processes");
}

static int on_owner_changed(sd_bus_message *signal, void *data, sd_bus_error *ret_error)
{
    const char *name, *before, *after;

    if (sd_bus_message_read(signal, "sss", &name, &before, &after) >= 0)
        set_manager(data, *after != '\0' ? after : NULL);
    return 0;
}

static int on_owner(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    const char *name;

    set_manager(
        data, sd_bus_message_get_error(reply) == NULL && sd_bus_message_read(reply, "s", &name) >= 0
                  ? name
                  : NULL);
    return 0;
}

/* It is there, or there is none. */
static int on_activated(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    VbUnitLauncher *launcher = data;
    int r = -ENOENT;

    launcher->asked = sd_bus_slot_unref(launcher->asked);
    if (sd_bus_message_get_error(reply) == NULL)
        r = sd_bus_call_method_async(launcher->bus, &launcher->asked, BUS_NAME, BUS_PATH, BUS_NAME,
                                     "GetNameOwner", on_owner, launcher, "s", SYSTEMD_NAME);
    if (r < 0)
        set_manager(launcher, NULL);
    return 0;
}

void vb_unit_launcher_attach(VbUnitLauncher *launcher, sd_bus *bus, VbUnitManager manager,
                             gpointer data)
{
    int r;

    launcher->manager = manager;
    launcher->data = data;
    launcher->bus = sd_bus_ref(bus);
    r = sd_bus_add_match_async(bus, &launcher->owner, OWNER_MATCH, on_owner_changed, NULL,
                               launcher);
    if (r >= 0)
        r = sd_bus_match_signal_async(bus, &launcher->removed, SYSTEMD_NAME, SYSTEMD_PATH,
                                      SYSTEMD_MANAGER, "JobRemoved", on_job_removed, NULL,
                                      launcher);
    if (r >= 0)
        r = sd_bus_call_method_async(bus, &launcher->asked, BUS_NAME, BUS_PATH, BUS_NAME,
                                     "StartServiceByName", on_activated, launcher, "su",
                                     SYSTEMD_NAME, 0);
    if (r < 0) {
        vb_log_warning(NULL, NULL, "guests cannot be units: %s", g_strerror(-r));
        set_manager(launcher, NULL);
    }
}

static int on_system_state(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    const VbUnitLauncher *launcher = data;
    const char *state = "";

    if (sd_bus_message_get_error(reply) != NULL || sd_bus_message_read(reply, "v", "s", &state) < 0)
        state = "";
    launcher->stopping(strcmp(state, "stopping") == 0, launcher->stopping_data);
    return 0;
}

static gboolean on_nobody_to_ask(gpointer data)
{
    VbUnitLauncher *launcher = data;

    g_clear_pointer(&launcher->stopping_source, g_source_unref);
    launcher->stopping(FALSE, launcher->stopping_data);
    return G_SOURCE_REMOVE;
}

void vb_unit_launcher_ask_stopping(VbUnitLauncher *launcher, VbUnitStopping answer, gpointer data)
{
    int r = -ENOTCONN;

    launcher->stopping = answer;
    launcher->stopping_data = data;
    if (launcher->managed)
        r = sd_bus_call_method_async(launcher->bus, &launcher->stopping_slot, SYSTEMD_NAME,
                                     SYSTEMD_PATH, "org.freedesktop.DBus.Properties", "Get",
                                     on_system_state, launcher, "ss", SYSTEMD_MANAGER,
                                     "SystemState");
    if (r < 0) {
        launcher->stopping_source = g_idle_source_new();
        g_source_set_callback(launcher->stopping_source, on_nobody_to_ask, launcher, NULL);
        g_source_attach(launcher->stopping_source, g_main_context_get_thread_default());
    }
}

void vb_unit_launcher_detach(VbUnitLauncher *launcher)
{
    if (launcher == NULL)
        return;
    launcher->stopping_slot = sd_bus_slot_unref(launcher->stopping_slot);
    if (launcher->stopping_source != NULL) {
        g_source_destroy(launcher->stopping_source);
        g_clear_pointer(&launcher->stopping_source, g_source_unref);
    }
    if (launcher->bus == NULL)
        return;
    launcher->managed = FALSE;
    while (launcher->launches->len > 0) {
        Launch *launch = launcher->launches->pdata[0];
        g_task_return_new_error(launch->task, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                "The service manager was left");
        launch_free(launch);
    }
    launcher->asked = sd_bus_slot_unref(launcher->asked);
    launcher->owner = sd_bus_slot_unref(launcher->owner);
    launcher->removed = sd_bus_slot_unref(launcher->removed);
    launcher->bus = sd_bus_unref(launcher->bus);
}

void vb_unit_launcher_free(VbUnitLauncher *launcher)
{
    if (launcher == NULL)
        return;
    vb_unit_launcher_detach(launcher);
    g_ptr_array_unref(launcher->launches);
    g_free(launcher->helper);
    g_free(launcher);
}
