/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * kvm-probe.c with helpers that say yes, no, nothing and never; and the real one on this host. */
#include "kvm-probe.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"
#include "wait.h"

typedef struct {
    char *directory;
    char *helper;
    char *pids; /* of the helpers, one a line */
} Fixture;

typedef struct {
    gboolean done;
    gboolean works;
    GError *error;
} Verdict;

static void fixture_set_up(Fixture *f, gconstpointer data)
{
    f->directory = g_dir_make_tmp("vb-kvm-XXXXXX", NULL);
    f->helper = g_build_filename(f->directory, "helper", NULL);
    f->pids = g_build_filename(f->directory, "pids", NULL);
}

static void fixture_tear_down(Fixture *f, gconstpointer data)
{
    g_remove(f->helper);
    g_remove(f->pids);
    g_assert_cmpint(g_rmdir(f->directory), ==, 0);
    g_free(f->directory);
    g_free(f->helper);
    g_free(f->pids);
}

/* The helper is a script that notes its pid and then does this. */
static void write_helper(Fixture *f, const char *body)
{
    g_autofree char *text = g_strdup_printf("#!/bin/sh\necho $$ >>'%s'\n%s\n", f->pids, body);

    g_assert_true(g_file_set_contents(f->helper, text, -1, NULL));
    g_assert_cmpint(chmod(f->helper, 0755), ==, 0);
}

static GStrv helper_pids(Fixture *f)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(f->pids, &text, NULL, NULL));
    return g_strsplit(g_strchomp(text), "\n", -1);
}

static void on_verdict(GObject *source, GAsyncResult *result, gpointer data)
{
    Verdict *verdict = data;

    g_assert_false(verdict->done);
    verdict->done = TRUE;
    verdict->works = vb_kvm_probe_ask_finish(result, &verdict->error);
    g_assert_true(verdict->works == (verdict->error == NULL));
}

/* Asks; the reason of a refusal must have these words, NULL stands for "it works". */
static void assert_verdict(VbKvmProbe *probe, const char *words)
{
    Verdict verdict = {FALSE, FALSE, NULL};

    vb_kvm_probe_ask_async(probe, on_verdict, &verdict);
    g_assert_false(verdict.done);
    VB_WAIT_FOR(verdict.done);
    if (!words) {
        g_assert_no_error(verdict.error);
        return;
    }
    g_assert_error(verdict.error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    if (!strstr(verdict.error->message, words))
        g_error("'%s' does not say '%s'", verdict.error->message, words);
    g_error_free(verdict.error);
}

/* The verdict, twice, from one run of the helper. */
static void assert_verdict_once(Fixture *f, const char *words)
{
    g_autoptr(VbKvmProbe) probe = vb_kvm_probe_new(f->helper, NULL);
    g_auto(GStrv) pids = NULL;

    assert_verdict(probe, words);
    assert_verdict(probe, words);
    pids = helper_pids(f);
    g_assert_cmpuint(g_strv_length(pids), ==, 1);
    vb_wait_for_death((pid_t)g_ascii_strtoll(pids[0], NULL, 10));
}

static void test_yes(Fixture *f, gconstpointer data)
{
    write_helper(f, "echo ok");
    assert_verdict_once(f, NULL);
}

static void test_no(Fixture *f, gconstpointer data)
{
    write_helper(f, "echo 'no such luck'; exit 1");
    assert_verdict_once(f, "KVM does not work on this host: no such luck");
}

static void test_silent(Fixture *f, gconstpointer data)
{
    write_helper(f, "exit 1");
    assert_verdict_once(f, "failed: exit status 1");
}

static void test_killed(Fixture *f, gconstpointer data)
{
    write_helper(f, "kill -9 $$");
    assert_verdict_once(f, "failed: killed by signal 9");
}

static void test_never(Fixture *f, gconstpointer data)
{
    gint64 start = g_get_monotonic_time();

    write_helper(f, "trap '' TERM\nexec tail -f /dev/null");
    assert_verdict_once(f, "did not run within 1 s");
    g_assert_cmpint(g_get_monotonic_time() - start, >=, VB_KVM_PROBE_TIMEOUT_MS * 1000);
}

static void test_missing(Fixture *f, gconstpointer data)
{
    g_autoptr(VbKvmProbe) probe = vb_kvm_probe_new(f->helper, NULL);

    assert_verdict(probe, f->helper);
    assert_verdict(probe, f->helper);
}

static void test_shared(Fixture *f, gconstpointer data)
{
    g_autoptr(VbKvmProbe) probe = vb_kvm_probe_new(f->helper, NULL);
    Verdict verdicts[3] = {{FALSE, FALSE, NULL}};
    g_auto(GStrv) pids = NULL;

    write_helper(f, "echo ok");
    for (guint i = 0; i < G_N_ELEMENTS(verdicts); i++)
        vb_kvm_probe_ask_async(probe, on_verdict, &verdicts[i]);
    for (guint i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        VB_WAIT_FOR(verdicts[i].done);
        g_assert_true(verdicts[i].works);
    }
    pids = helper_pids(f);
    g_assert_cmpuint(g_strv_length(pids), ==, 1);
}

static void test_freed_meanwhile(Fixture *f, gconstpointer data)
{
    VbKvmProbe *probe = vb_kvm_probe_new(f->helper, NULL);
    Verdict verdict = {FALSE, FALSE, NULL};

    write_helper(f, "exec tail -f /dev/null");
    vb_kvm_probe_ask_async(probe, on_verdict, &verdict);
    vb_kvm_probe_free(probe);
    VB_WAIT_FOR(verdict.done);
    g_assert_error(verdict.error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    g_error_free(verdict.error);
}

/* Whatever KVM is like here, there is a verdict in time. Where it is missing, that is the verdict.
 */
static void test_this_host(Fixture *f, gconstpointer data)
{
    g_autoptr(VbKvmProbe) probe = vb_kvm_probe_new(VB_TEST_KVM_PROBE, NULL);
    gint64 start = g_get_monotonic_time();
    gint64 first;
    Verdict verdict = {FALSE, FALSE, NULL};

    vb_kvm_probe_ask_async(probe, on_verdict, &verdict);
    VB_WAIT_FOR(verdict.done);
    first = g_get_monotonic_time() - start;
    g_test_message("%s", verdict.error ? verdict.error->message : "KVM works");
    g_assert_cmpint(first, <, 10 * VB_KVM_PROBE_TIMEOUT_MS * 1000); /* generous: a loaded machine */
    if (!g_file_test("/dev/kvm", G_FILE_TEST_EXISTS)) {
        g_assert_false(verdict.works);
        g_assert_nonnull(strstr(verdict.error->message, "/dev/kvm"));
    }
    if (verdict.error)
        g_assert_error(verdict.error, VB_ERROR, VB_ERROR_NOT_SUPPORTED);
    assert_verdict(probe, verdict.error ? verdict.error->message : NULL);
    g_clear_error(&verdict.error);
}

#define ADD(path, test) g_test_add(path, Fixture, NULL, fixture_set_up, test, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/kvm/yes", test_yes);
    ADD("/kvm/no", test_no);
    ADD("/kvm/silent", test_silent);
    ADD("/kvm/killed", test_killed);
    ADD("/kvm/never", test_never);
    ADD("/kvm/missing", test_missing);
    ADD("/kvm/shared", test_shared);
    ADD("/kvm/freed-meanwhile", test_freed_meanwhile);
    ADD("/kvm/this-host", test_this_host);
    return g_test_run();
}
