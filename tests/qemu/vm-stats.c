/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Statistics of a real QEMU, running and stopped. */
#include "domain-stats.h"

#include <signal.h>

#include "error.h"
#include "vm-fixture.h"

typedef struct {
    gboolean done;
    GVariant *stats;
    GError *error;
} Answer;

static void on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    Answer *answer = data;

    answer->stats = vb_domain_stats_finish(NULL, result, &answer->error);
    answer->done = TRUE;
}

/* A floating one is never given; NULL and the error. */
static GVariant *ask(VbDomain *domain, VbStatsGroups groups, GError **error)
{
    Answer answer = {0};

    vb_domain_stats_async(domain, groups, on_answer, &answer);
    g_assert_false(answer.done);
    VB_WAIT_FOR(answer.done);
    if (answer.error != NULL)
        g_propagate_error(error, answer.error);
    return answer.stats;
}

static guint64 get(GVariant *stats, const char *key)
{
    guint64 value = G_MAXUINT64;

    if (!g_variant_lookup(stats, key, "t", &value))
        g_error("no %s", key);
    return value;
}

static char *make_xml(VmFixture *fixture)
{
    g_autofree char *path = vm_path(fixture, "a.qcow2");
    g_autofree char *devices = NULL;

    vm_make_image(fixture, "a.qcow2", TRUE);
    devices = g_strdup_printf("<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/>"
                              "<readonly/></disk><disk type='file' device='disk'>"
                              "<driver name='qemu' type='qcow2'/><source file='%s'/>"
                              "<target dev='vda' bus='virtio'/></disk>",
                              path);
    return vm_xml("stats", NULL, NULL, devices);
}

static void test_groups(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *xml = make_xml(fixture);
    VbDomain *domain = vm_running(fixture, xml);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) all = ask(domain, VB_STATS_ALL, &error);
    g_autoptr(GVariant) cpu = NULL, block = NULL;

    g_assert_no_error(error);
    g_assert_cmpuint(get(all, "cpu.time"), ==, get(all, "cpu.user") + get(all, "cpu.system"));
    g_assert_cmpuint(get(all, "balloon.rss"), >, 1024);
    g_assert_cmpuint(get(all, "vcpu.0.time"), >, 0);
    g_assert_cmpuint(get(all, "block.1.capacity"), ==, 1024 * 1024);
    get(all, "vcpu.0.delay");
    get(all, "block.0.rd.reqs"); /* it has no medium */
    g_assert_false(g_variant_lookup(all, "block.0.capacity", "t", NULL));

    cpu = ask(domain, VB_STATS_CPU_TOTAL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_variant_n_children(cpu), ==, 3);
    block = ask(domain, VB_STATS_BLOCK, &error);
    g_assert_no_error(error);
    g_assert_false(g_variant_lookup(block, "cpu.time", "t", NULL));
    for (guint i = 0; i < 2; i++) {
        static const char *const keys[] = {"rd.reqs", "rd.bytes", "rd.times",
                                           "wr.reqs", "wr.bytes", "wr.times",
                                           "fl.reqs", "fl.times", "allocation"};

        for (gsize j = 0; j < G_N_ELEMENTS(keys); j++) {
            g_autofree char *key = g_strdup_printf("block.%u.%s", i, keys[j]);
            get(block, key);
        }
    }
}

/* It does not answer: that is told in time, and again as often as it is asked; then it does. */
static void test_hangs(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "hangs");
    g_autoptr(GVariant) answered = NULL;

    kill(vm_pid(domain), SIGSTOP);
    for (guint i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(ask(domain, VB_STATS_VCPU, &error));
        g_assert_error(error, VB_ERROR, VB_ERROR_TIMEOUT);
    }
    kill(vm_pid(domain), SIGCONT);
    while (answered == NULL) {
        g_autoptr(GError) error = NULL;

        answered = ask(domain, VB_STATS_VCPU, &error);
        if (answered == NULL)
            g_assert_error(error, VB_ERROR, VB_ERROR_TIMEOUT);
    }
    get(answered, "vcpu.0.time");
}

static void test_inactive(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = vm_running_plain(fixture, "off");
    g_autoptr(GError) error = NULL;

    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    g_assert_null(ask(domain, VB_STATS_ALL, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_DOMAIN_NOT_RUNNING);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vm-stats/groups", test_groups);
    g_test_add_func("/vm-stats/hangs", test_hangs);
    g_test_add_func("/vm-stats/inactive", test_inactive);
    return g_test_run();
}
