/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thousand jobs of the real daemon with the test driver, cancelled over the bus at random moments
 * at and around their completion: each ends in exactly one terminal signal, and the reply fits it.
 * The seed is the test program's: --seed. */
#include "bus-fixture.h"

#define BATCHES 50
#define DISKS 20
#define DURATION_MIN 30 /* ms, of each job */

#define JOB(attributes, children) "<test:block-job " attributes ">" children "</test:block-job>"
#define SILENT "cancel-mode='silent'"

/* An '@' in the orders stands for the duration, in ms. */
static char *batch_xml(guint batch, const char *orders, guint duration)
{
    g_autofree char *number = g_strdup_printf("%u", duration);
    g_auto(GStrv) pieces = g_strsplit(orders, "@", -1);
    g_autofree char *faults = g_strjoinv(number, pieces);
    GString *xml = g_string_new(NULL);

    g_string_append_printf(xml,
                           "<domain type='test'><name>d%u</name><metadata><test:faults "
                           "xmlns:test='https://virtbus.org/xmlns/test/1'>%s</test:faults>"
                           "</metadata><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
                           "<os><type arch='x86_64'>hvm</type></os><devices>",
                           batch, faults);
    for (guint i = 0; i < DISKS; i++)
        g_string_append_printf(xml,
                               "<disk type='file'><driver name='qemu' type='qcow2'/>"
                               "<source file='/images/%u-%u.qcow2'/><backingStore type='file'>"
                               "<format type='qcow2'/><source file='/images/base.qcow2'/>"
                               "<backingStore/></backingStore>"
                               "<target dev='vd%c' bus='virtio'/></disk>",
                               batch, i, 'a' + i);
    g_string_append(xml, "</devices></domain>");
    return g_string_free(xml, FALSE);
}

typedef struct {
    VbBusClient *client;
    const char *domain;
    char disk[4];
    char *job;
    gboolean async;
    guint32 start;
    guint32 abort; /* 0: not sent yet */
} Shot;

static gboolean on_shot(gpointer user_data)
{
    Shot *shot = user_data;
    GVariantDict options;

    g_variant_dict_init(&options, NULL);
    if (shot->async)
        g_variant_dict_insert(&options, "async", "b", TRUE);
    shot->abort =
        vb_bus_client_send(shot->client, shot->domain, VB_IFACE_BLOCK, "AbortJob",
                           g_variant_new("(s@a{sv})", shot->disk, g_variant_dict_end(&options)));
    return G_SOURCE_REMOVE;
}

/* What came after `from`: which terminal signal the job had; it must be one. */
static const char *terminal_signal(VbBusClient *client, guint from, const char *job)
{
    const char *found = NULL;
    guint finished = 0;

    for (guint i = from; i < vb_bus_client_position(client); i++) {
        const VbBusMessage *message = vb_bus_client_message(client, i);
        const char *path;

        if (message->member == NULL)
            continue;
        if (g_str_equal(message->member, "Finished") && g_str_equal(message->path, job))
            finished++;
        if (!g_str_equal(message->interface, VB_IFACE_BLOCK))
            continue;
        g_variant_get_child(message->body, 0, "&o", &path);
        if (!g_str_equal(path, job))
            continue;
        g_assert_null(found);
        found = message->member;
    }
    g_assert_cmpuint(finished, ==, 1);
    g_assert_nonnull(found);
    return found;
}

/* The reply fits the signal. */
static gboolean check_shot(Shot *shot, guint from)
{
    const char *end = terminal_signal(shot->client, from, shot->job);
    const VbBusMessage *reply = vb_bus_client_reply(shot->client, shot->abort);
    gboolean canceled = g_str_equal(end, "BlockJobCanceled");

    if (canceled) {
        g_assert_cmpstr(reply->error, ==, NULL);
    } else {
        g_assert_cmpstr(end, ==, "BlockJobCompleted");
        g_assert_cmpstr(reply->error, ==, "org.virtbus1.Error.NoBlockJob");
    }
    g_free(shot->job);
    return canceled;
}

/* `duration`, in ms: of the jobs, and then of those of the next batch: at least what the daemon
 * took to start them all, so that on a busy machine, too, it reads some cancels before they end. */
static guint run_batch(VbBusFixture *fixture, guint batch, const char *orders, gboolean async,
                       guint *duration)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = batch_xml(batch, orders, *duration);
    g_autoptr(GVariant) created =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CreateDomain",
                           g_variant_new_parsed("(%s, @a{sv} {})", xml));
    guint from = vb_bus_client_position(client), n_canceled = 0;
    Shot shots[DISKS];
    const char *domain;
    gint64 begin = g_get_monotonic_time(), started = begin;

    g_variant_get(created, "(&o)", &domain);
    for (guint i = 0; i < DISKS; i++) {
        shots[i] = (Shot){.client = client,
                          .domain = domain,
                          .disk = {'v', 'd', 'a' + i, '\0'},
                          .async = async && g_test_rand_bit()};
        shots[i].start = vb_bus_client_send(client, domain, VB_IFACE_BLOCK, "Pull",
                                            g_variant_new_parsed("(%s, @a{sv} {})", shots[i].disk));
        g_timeout_add(g_test_rand_int_range(0, *duration * 2), on_shot, &shots[i]);
    }
    for (guint i = 0; i < DISKS; i++) {
        g_autoptr(GVariant) reply = vb_bus_client_finish(client, shots[i].start);

        g_variant_get(reply, "(o)", &shots[i].job);
        started = g_get_monotonic_time();
    }
    *duration = MAX(DURATION_MIN, (guint)((started - begin) / 1000));
    for (guint i = 0; i < DISKS; i++)
        VB_WAIT_FOR(shots[i].abort && vb_bus_client_reply(client, shots[i].abort));
    for (guint i = 0; i < DISKS; i++)
        VB_WAIT_FOR(vb_bus_client_count(client, from, shots[i].job, VB_IFACE_JOB, "Finished") > 0);
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Destroy");
    for (guint i = 0; i < DISKS; i++)
        n_canceled += check_shot(&shots[i], from);
    return n_canceled;
}

typedef struct {
    const char *orders;
    gboolean async; /* some do not wait: who is told "accepted" may still lose the race */
} Thousand;

static const Thousand reported = {JOB("duration='@'", ""), TRUE};
static const Thousand mixed = {
    JOB("disk='vda' duration='@' " SILENT, "<test:cancel delay='5'/>")
        JOB("disk='vdb' duration='@' " SILENT, "<test:cancel reports='2'/>")
            JOB("disk='vdc' duration='@'", "<test:cancel delay='5' reports='2'/>")
                JOB("disk='vdd' duration='@'", "<test:cancel result='completed'/>")
                    JOB("disk='vde' duration='@'",
                        "<test:cancel result='completed' delay='5' reply='after-report'/>")
                        JOB("disk='vdf' duration='@'", "<test:cancel reply='after-report'/>")
                            JOB("duration='@'", "<test:cancel delay='3'/>"),
    FALSE};

static void test_thousand(gconstpointer data)
{
    const Thousand *thousand = data;
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    guint n_canceled = 0, duration = DURATION_MIN;

    for (guint batch = 0; batch < BATCHES; batch++)
        n_canceled += run_batch(fixture, batch, thousand->orders, thousand->async, &duration);
    /* Both ends of the race were seen. */
    g_test_message("%u of %u were canceled", n_canceled, BATCHES * DISKS);
    g_assert_cmpuint(n_canceled, >, BATCHES);
    g_assert_cmpuint(n_canceled, <, BATCHES * DISKS - BATCHES);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    g_test_add_data_func("/jobs/thousand/reported", &reported, test_thousand);
    g_test_add_data_func("/jobs/thousand/mixed", &mixed, test_thousand);

    return g_test_run();
}
