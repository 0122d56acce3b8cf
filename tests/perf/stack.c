/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PerfStack: its bus, its daemons, its life. */
#include "stack.h"

#include <signal.h>
#include <unistd.h>

/* How long a start may take, s. */
#define START_SECONDS 120
/* s; 10,000 domains at once under a loaded machine. */
#define CALL_SECONDS 600

static void write_bus_config(const char *path, const char *socket)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("<busconfig>\n"
                                            "  <type>custom</type>\n"
                                            "  <listen>unix:path=%s</listen>\n"
                                            "  <auth>EXTERNAL</auth>\n"
                                            "  <policy context='default'>\n"
                                            "    <allow send_destination='*' eavesdrop='true'/>\n"
                                            "    <allow receive_sender='*' eavesdrop='true'/>\n"
                                            "    <allow eavesdrop='true'/>\n"
                                            "    <allow own='*'/>\n"
                                            "  </policy>\n"
                                            "</busconfig>\n",
                                            socket);

    if (!g_file_set_contents(path, text, -1, &error))
        perf_fail("%s", error->message);
}

static pid_t start_bus(PerfStack *stack)
{
    g_autofree char *config = g_build_filename(stack->dir, "bus.conf", NULL);
    g_autofree char *argument = g_strconcat("--config-file=", config, NULL);
    g_autofree char *socket = g_build_filename(stack->dir, "bus", NULL);
    g_autofree char *log = g_build_filename(stack->dir, "bus.log", NULL);
    const char *argv[] = {"dbus-daemon", argument, "--nofork", "--nopidfile", NULL};
    pid_t pid;

    write_bus_config(config, socket);
    stack->address = g_strconcat("unix:path=", socket, NULL);
    pid = perf_process_spawn(argv, NULL, log);
    while (access(socket, F_OK) < 0) {
        if (perf_process_pause(pid, 2))
            perf_fail("the bus does not start; see %s", log);
    }
    return pid;
}

PerfStack *perf_stack_new(const PerfDialect *dialect, const char *dir, const char *daemon)
{
    PerfStack *stack = g_new0(PerfStack, 1);

    stack->dialect = dialect;
    stack->dir = g_strdup(dir);
    stack->daemon = g_strdup(daemon);
    stack->site.images = g_build_filename(dir, "images", NULL);
    stack->site.emulator = "/usr/bin/qemu-system-x86_64";
    stack->site.memory_mib = 64;
    stack->daemons = g_array_new(FALSE, FALSE, sizeof(pid_t));
    stack->bus_daemon = start_bus(stack);
    return stack;
}

void perf_stack_free(PerfStack *stack)
{
    if (stack == NULL)
        return;
    perf_stack_stop(stack, SIGTERM);
    perf_process_end(stack->bus_daemon, SIGTERM);
    g_array_unref(stack->daemons);
    g_free((char *)stack->site.images);
    g_free(stack->dir);
    g_free(stack->address);
    g_free(stack->daemon);
    g_free(stack);
}

sd_bus *perf_stack_connect(PerfStack *stack)
{
    sd_bus *bus = NULL;

    PERF_CHECK(stack, "a connection", sd_bus_new(&bus));
    PERF_CHECK(stack, "its address", sd_bus_set_address(bus, stack->address));
    PERF_CHECK(stack, "a client of the bus", sd_bus_set_bus_client(bus, 1));
    PERF_CHECK(stack, "connect", sd_bus_start(bus));
    sd_bus_set_method_call_timeout(bus, CALL_SECONDS * (guint64)G_USEC_PER_SEC);
    return bus;
}

void perf_stack_spawn(PerfStack *stack, const char *const *argv, const char *const *env)
{
    g_autofree char *base = g_path_get_basename(argv[0]);
    g_autofree char *name = g_strconcat(base, ".log", NULL);
    g_autofree char *log = g_build_filename(stack->dir, name, NULL);
    pid_t pid = perf_process_spawn(argv, env, log);

    g_array_append_val(stack->daemons, pid);
}

/* Asks until there is an answer: before, the name has no owner, or the service no connection. */
static guint first_answer(PerfStack *stack)
{
    double deadline = perf_now() + START_SECONDS * 1e6;
    pid_t last = g_array_index(stack->daemons, pid_t, stack->daemons->len - 1);

    while (TRUE) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *call, *reply = NULL;
        guint domains;
        int r;

        call = stack->dialect->message(stack, stack->bus, PERF_LIST, NULL);
        r = sd_bus_call(stack->bus, call, 0, &error, &reply);
        sd_bus_message_unref(call);
        if (r >= 0) {
            domains = stack->dialect->count(reply);
            sd_bus_message_unref(reply);
            return domains;
        }
        if (stack->dialect->page != NULL &&
            sd_bus_error_has_name(&error, SD_BUS_ERROR_LIMITS_EXCEEDED)) {
            sd_bus_error_free(&error);
            perf_list(stack, 0, 1, &domains);
            return domains;
        }
        if (perf_now() > deadline || perf_process_pause(last, 1))
            perf_fail("%s does not start: %s: %s; see the logs in %s", stack->dialect->name,
                      error.name, error.message, stack->dir);
        sd_bus_error_free(&error);
    }
}

double perf_stack_start(PerfStack *stack, guint *ret_domains)
{
    double begin;

    g_assert(stack->daemons->len == 0);
    stack->bus = perf_stack_connect(stack);
    begin = perf_now();
    stack->dialect->launch(stack);
    *ret_domains = first_answer(stack);
    return perf_now() - begin;
}

void perf_stack_stop(PerfStack *stack, int number)
{
    /* Clients before servers. */
    for (guint i = stack->daemons->len; i > 0; i--)
        perf_process_end(g_array_index(stack->daemons, pid_t, i - 1), number);
    g_array_set_size(stack->daemons, 0);
    stack->bus = sd_bus_flush_close_unref(stack->bus);
}

double perf_stack_cpu(PerfStack *stack)
{
    double sum = 0;

    for (guint i = 0; i < stack->daemons->len; i++)
        sum += perf_process_cpu(g_array_index(stack->daemons, pid_t, i));
    return sum;
}

PerfMemory perf_stack_memory(PerfStack *stack)
{
    PerfMemory sum = {0};

    for (guint i = 0; i < stack->daemons->len; i++) {
        PerfMemory one = perf_process_memory(g_array_index(stack->daemons, pid_t, i));
        sum.pss += one.pss;
        sum.private_dirty += one.private_dirty;
        sum.rss += one.rss;
    }
    return sum;
}
