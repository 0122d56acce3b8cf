/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * As many domains and jobs as there may be. The tables are filled with the same domain and the same
 * job many times over: only their number is looked at. */
#include "core-fixture.h"

#include "core-private.h"
#include "error.h"

static void test_domains(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbHost *host = core_fixture_host(fixture);
    VbDomain *domain = core_defined(fixture, "a", NULL);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *b = core_domain_xml("b", NULL, NULL, 1);
    g_autofree char *again = vb_domain_def_format(domain->stored, VB_FORMAT_NONE);
    g_autoptr(CoreReply) full = NULL, transient = NULL, redefined = NULL, room = NULL;

    while (g_hash_table_size(host->by_uuid) < VB_HOST_DOMAINS_MAX) {
        g_ptr_array_add(keys, g_strdup_printf("%u", keys->len));
        g_hash_table_insert(host->by_uuid, keys->pdata[keys->len - 1], vb_domain_ref(domain));
    }
    full = core_define(fixture, b);
    core_reply_assert_error(full, VB_ERROR_LIMITS_EXCEEDED, "100000");
    transient = core_create(fixture, b);
    core_reply_assert_error(transient, VB_ERROR_LIMITS_EXCEEDED, "100000");
    redefined = core_define(fixture, again);
    core_reply_assert_ok(redefined);
    g_hash_table_remove(host->by_uuid, keys->pdata[0]);
    room = core_define(fixture, b);
    core_reply_assert_ok(room);
    for (guint i = 1; i < keys->len; i++)
        g_hash_table_remove(host->by_uuid, keys->pdata[i]);
}

static void test_jobs(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    VbDomain *domain = core_running(fixture, "a", NULL);
    VbDomain *other = core_running(fixture, "b", NULL);
    VbJob *job = core_job(fixture, domain, VB_JOB_PULL, "vda");
    g_autoptr(CoreReply) full = NULL, room = NULL;

    while (domain->jobs->len < VB_HOST_JOBS_MAX)
        g_ptr_array_add(domain->jobs, vb_job_ref(job));
    full = core_start_job(fixture, other, VB_JOB_PULL, "vda");
    core_reply_assert_error(full, VB_ERROR_LIMITS_EXCEEDED, "4096");
    g_ptr_array_set_size(domain->jobs, VB_HOST_JOBS_MAX - 1);
    room = core_start_job(fixture, other, VB_JOB_PULL, "vda");
    core_reply_assert_ok(room);
    g_ptr_array_set_size(domain->jobs, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/core/limits/domains", test_domains);
    g_test_add_func("/core/limits/jobs", test_jobs);
    return g_test_run();
}
