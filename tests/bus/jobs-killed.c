/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The real daemon with the test driver is killed at a point of a block job's life and started
 * again: a client that stays on the bus sees one terminal signal in all, with the right outcome,
 * and finds the domain and the job where they were. */
#include "bus-fixture.h"

#define FAULTS(orders)                                                                             \
    "<test:faults xmlns:test='https://virtbus.org/xmlns/test/1'>" orders "</test:faults>"
#define JOB(attributes, children) "<test:block-job " attributes ">" children "</test:block-job>"
#define COPY_TO "<disk type='file'><source file='/images/copy.qcow2'/></disk>"

typedef struct {
    const char *path;
    const char *faults;
    gboolean copy;      /* or a pull; killed when it is ready at the earliest */
    const char *abort;  /* options of AbortJob before the kill, NULL: none */
    const char *signal; /* the one terminal signal */
    const char *reason;
    const char *state; /* of the domain at the end */
} Killed;

static const Killed killed[] = {
    {"running", FAULTS(JOB("duration='1000'", "")), FALSE, NULL, "BlockJobCompleted", "done",
     "running"},
    {"running-ends-meanwhile", FAULTS(JOB("duration='150'", "")), FALSE, NULL, "BlockJobCompleted",
     "done", "running"},
    {"running-crashes-meanwhile", FAULTS(JOB("duration='150'", "<test:end result='crash'/>")),
     FALSE, NULL, "BlockJobFailed", "domain-crashed", "crashed"},
    {"canceling", FAULTS(JOB("", "<test:cancel delay='1000'/>")), FALSE, "{'async': <true>}",
     "BlockJobCanceled", "requested", "running"},
    {"canceling-ends-meanwhile", FAULTS(JOB("", "<test:cancel delay='150'/>")), FALSE,
     "{'async': <true>}", "BlockJobCanceled", "requested", "running"},
    {"canceling-crashes-meanwhile", FAULTS(JOB("", "<test:cancel result='crash' delay='150'/>")),
     FALSE, "{'async': <true>}", "BlockJobCanceled", "domain-crashed", "crashed"},
    {"canceling-ready", FAULTS(JOB("duration='0'", "<test:cancel delay='150'/>")), TRUE,
     "{'async': <true>}", "BlockJobCanceled", "requested", "running"},
    {"pivoting", FAULTS(JOB("duration='0'", "<test:pivot delay='1000'/>")), TRUE,
     "{'async': <true>, 'pivot': <true>}", "BlockJobCompleted", "done", "running"},
    {"pivoting-pending-meanwhile", FAULTS(JOB("duration='0'", "<test:pivot delay='150'/>")), TRUE,
     "{'async': <true>, 'pivot': <true>}", "BlockJobCompleted", "done", "running"},
};

static char *start_job(VbBusClient *client, const char *domain, gboolean copy)
{
    g_autoptr(GVariant) reply =
        copy ? vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Copy",
                                  g_variant_new_parsed("('vda', %s, @a{sv} {})", COPY_TO))
             : vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Pull",
                                  g_variant_new_parsed("('vda', @a{sv} {})"));
    char *job;

    g_variant_get(reply, "(o)", &job);
    return job;
}

static guint count_ends(VbBusClient *client, const char *domain)
{
    return vb_bus_client_count(client, 0, domain, VB_IFACE_BLOCK, "BlockJobCompleted") +
           vb_bus_client_count(client, 0, domain, VB_IFACE_BLOCK, "BlockJobFailed") +
           vb_bus_client_count(client, 0, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
}

static gboolean on_pause(gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
    return G_SOURCE_REMOVE;
}

static void check_end(VbBusClient *client, const char *domain, const char *job,
                      const Killed *expected)
{
    guint position = 0;
    const VbBusMessage *signal =
        vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, expected->signal);
    g_autoptr(GVariant) details = g_variant_get_child_value(signal->body, 4);
    g_autofree char *result = NULL;
    const char *path, *reason, *said;

    g_variant_get_child(signal->body, 0, "&o", &path);
    g_assert_cmpstr(path, ==, job);
    g_assert_true(g_variant_lookup(details, "reason", "&s", &reason));
    g_assert_cmpstr(reason, ==, expected->reason);
    signal = vb_bus_client_next_signal(client, &position, job, VB_IFACE_JOB, "Finished");
    g_variant_get_child(signal->body, 0, "&s", &said);
    /* The concluded job is there, and says the same to whoever comes late. */
    result = vb_bus_client_get_string(client, job, VB_IFACE_JOB, "Result");
    g_assert_cmpstr(result, ==, said);
    g_assert_cmpuint(count_ends(client, domain), ==, 1);
    g_assert_cmpuint(vb_bus_client_count(client, 0, job, VB_IFACE_JOB, "Finished"), ==, 1);
    g_assert_cmpuint(vb_bus_client_count(client, 0, domain, VB_IFACE_BLOCK, "BlockJobReady"), <=,
                     1);
}

static void test_killed(gconstpointer data)
{
    const Killed *row = data;
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", row->faults);
    g_autofree char *job = start_job(client, domain, row->copy);
    gboolean paused = FALSE;

    if (row->copy)
        vb_bus_client_wait_string(client, job, VB_IFACE_JOB, "State", "ready");
    if (row->abort) {
        g_autoptr(GVariant) options = g_variant_ref_sink(g_variant_new_parsed(row->abort));

        g_variant_unref(vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "AbortJob",
                                           g_variant_new("(s@a{sv})", "vda", options)));
    }
    vb_bus_fixture_kill_daemon(fixture);
    g_assert_cmpuint(count_ends(client, domain), ==, 0);
    /* What can end meanwhile does so. */
    g_timeout_add(200, on_pause, &paused);
    VB_WAIT_FOR(paused);
    vb_bus_fixture_start_daemon(fixture);

    check_end(client, domain, job, row);
    vb_bus_client_wait_string(client, domain, VB_IFACE_DOMAIN, "State", row->state);
    /* Nothing of it comes again. */
    vb_bus_fixture_kill_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
    vb_bus_client_sync(client);
    check_end(client, domain, job, row);
    if (g_str_equal(row->state, "running")) {
        g_autofree char *next = start_job(client, domain, FALSE);

        g_assert_cmpstr(next, !=, job);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(killed); i++) {
        g_autofree char *path = g_strconcat("/jobs/killed/", killed[i].path, NULL);

        g_test_add_data_func(path, &killed[i], test_killed);
    }
    return g_test_run();
}
