/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * caps*.c: a real QEMU's capabilities; what is kept, shared, probed again; emulators that are none.
 */
#include "caps-cache.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "caps-probe.h"
#include "error.h"
#include "log.h"
#include "remove-tree.h"
#include "wait.h"

typedef struct {
    char *directory;
    char *store;    /* where the cache keeps its files */
    char *emulator; /* a wrapper of the real one that counts its calls */
    char *counter;
    VbCapsCache *cache;
} Fixture;

typedef struct {
    gboolean done;
    VbQemuCaps *caps;
    GError *error;
} Answer;

/* Warnings that were logged, in place of being printed. */
static guint warnings;

static GLogWriterOutput count_warnings(GLogLevelFlags level, const GLogField *fields,
                                       gsize n_fields, gpointer data)
{
    if (level == VB_LOG_LEVEL_WARNING)
        warnings++;
    return level <= G_LOG_LEVEL_WARNING ? g_log_writer_default(level, fields, n_fields, data)
                                        : G_LOG_WRITER_HANDLED;
}

static void on_got(GObject *source, GAsyncResult *result, gpointer data)
{
    Answer *answer = data;

    g_assert_false(answer->done);
    answer->done = TRUE;
    answer->caps = vb_caps_cache_get_finish(result, &answer->error);
    g_assert_true((answer->caps == NULL) == (answer->error != NULL));
}

static VbQemuCaps *get(VbCapsCache *cache, const char *emulator, GError **error)
{
    Answer answer = {FALSE, NULL, NULL};

    vb_caps_cache_get_async(cache, emulator, NULL, on_got, &answer);
    g_assert_false(answer.done);
    VB_WAIT_FOR(answer.done);
    if (answer.error)
        g_propagate_error(error, answer.error);
    return answer.caps;
}

static VbQemuCaps *get_ok(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    VbQemuCaps *caps = get(f->cache, f->emulator, &error);

    g_assert_no_error(error);
    g_assert_true(vb_caps_cache_peek(f->cache, f->emulator) == caps);
    return caps;
}

static char *write_script(Fixture *f, const char *name, const char *body)
{
    char *path = g_build_filename(f->directory, name, NULL);
    g_autofree char *text = g_strdup_printf("#!/bin/sh\n%s\n", body);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(chmod(path, 0755), ==, 0);
    return path;
}

/* How often the emulator was run. */
static gsize probes(Fixture *f)
{
    g_autofree char *text = NULL;
    gsize size = 0;

    g_file_get_contents(f->counter, &text, &size, NULL);
    return size;
}

static void fixture_set_up(Fixture *f, gconstpointer data)
{
    g_autofree char *real = g_find_program_in_path("qemu-system-x86_64");
    g_autofree char *body = NULL;

    f->directory = g_dir_make_tmp("vb-caps-XXXXXX", NULL);
    f->store = g_build_filename(f->directory, "var", "capabilities", NULL);
    f->counter = g_build_filename(f->directory, "count", NULL);
    body = g_strdup_printf("printf x >>'%s'\nexec '%s' \"$@\"", f->counter, real ? real : "");
    f->emulator = write_script(f, "qemu", body);
    f->cache = vb_caps_cache_new(f->store, NULL);
}

static void fixture_tear_down(Fixture *f, gconstpointer data)
{
    vb_caps_cache_free(f->cache);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    vb_remove_tree(f->directory);
    g_free(f->directory);
    g_free(f->store);
    g_free(f->counter);
    g_free(f->emulator);
}

static void restart(Fixture *f)
{
    vb_caps_cache_free(f->cache);
    f->cache = vb_caps_cache_new(f->store, NULL);
}

/* The one file of the store. */
static char *stored_file(Fixture *f)
{
    g_autoptr(GDir) dir = g_dir_open(f->store, 0, NULL);
    const char *name;
    char *path;

    g_assert_nonnull(dir);
    name = g_dir_read_name(dir);
    g_assert_nonnull(name);
    path = g_build_filename(f->store, name, NULL);
    g_assert_null(g_dir_read_name(dir));
    return path;
}

/* -- what a real QEMU says */

static void test_real(Fixture *f, gconstpointer data)
{
    g_autoptr(VbQemuCaps) caps = get_ok(f);
    const VbQemuMachine *q35 = vb_qemu_caps_machine(caps, "q35");

    g_assert_cmpuint(vb_qemu_caps_version(caps), >=, 7000000);
    g_assert_nonnull(vb_qemu_caps_package(caps));
    g_assert_cmpstr(vb_qemu_caps_arch(caps), ==, "x86_64");

    g_assert_nonnull(q35);
    g_assert_true(g_str_has_prefix(q35->name, "pc-q35-"));
    g_assert_cmpstr(q35->alias, ==, "q35");
    g_assert_cmpuint(q35->max_cpus, >, 1);
    g_assert_true(q35->has_hotpluggable_cpus);
    g_assert_cmpstr(q35->default_ram_id, ==, "pc.ram");
    g_assert_true(vb_qemu_caps_machine(caps, q35->name) == q35);
    g_assert_cmpstr(vb_qemu_caps_canonical_machine(caps, "q35"), ==, q35->name);
    g_assert_true(vb_qemu_caps_machine(caps, NULL)->is_default);
    g_assert_null(vb_qemu_caps_canonical_machine(caps, "commodore-64"));

    g_assert_true(vb_qemu_caps_has_device(caps, "virtio-blk-pci"));
    g_assert_true(vb_qemu_caps_has_device(caps, "ide-hd"));
    g_assert_true(vb_qemu_caps_has_device(caps, "i6300esb"));
    g_assert_true(vb_qemu_caps_has_device(caps, "throttle-group"));
    g_assert_false(vb_qemu_caps_has_device(caps, "virtio-sundial"));
    g_assert_true(vb_qemu_caps_has_command(caps, "blockdev-mirror"));
    g_assert_false(vb_qemu_caps_has_command(caps, "make-coffee"));
    g_assert_true(vb_qemu_caps_has_cpu(caps, "qemu64"));
    g_assert_false(vb_qemu_caps_has_cpu(caps, "z80"));
    g_assert_true(vb_qemu_caps_has_spice(caps) ==
                  vb_qemu_caps_has_device(caps, "chardev-spicevmc"));
    g_assert_cmpuint(probes(f), ==, 1);
}

/* The emulator of the scripted tests hands the probe on to the real one. */
static void test_fake_qemu(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbQemuCaps) caps = get(f->cache, VB_TEST_FAKE_QEMU, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(vb_qemu_caps_arch(caps), ==, "x86_64");
}

/* -- what is kept */

static void test_hits(Fixture *f, gconstpointer data)
{
    g_autoptr(VbQemuCaps) first = get_ok(f);
    g_autoptr(VbQemuCaps) second = get_ok(f);
    g_autoptr(VbQemuCaps) third = NULL;

    g_assert_true(first == second);
    restart(f);
    g_assert_null(vb_caps_cache_peek(f->cache, f->emulator));
    third = get_ok(f);
    g_assert_cmpuint(vb_qemu_caps_version(third), ==, vb_qemu_caps_version(first));
    g_assert_cmpuint(probes(f), ==, 1);
}

static void test_binary_changed(Fixture *f, gconstpointer data)
{
    g_autoptr(VbQemuCaps) first = get_ok(f);
    g_autoptr(VbQemuCaps) second = NULL;
    g_autoptr(VbQemuCaps) third = NULL;
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 1}};

    g_assert_cmpint(utimensat(AT_FDCWD, f->emulator, times, 0), ==, 0);
    second = get_ok(f); /* stale in memory */
    g_assert_cmpuint(probes(f), ==, 2);
    times[1].tv_nsec = 2;
    g_assert_cmpint(utimensat(AT_FDCWD, f->emulator, times, 0), ==, 0);
    restart(f);
    third = get_ok(f); /* stale on disk */
    g_assert_cmpuint(probes(f), ==, 3);
}

/* The file is not used, probed again and stored anew; a damaged one is warned of. */
static void spoil_and_probe_again(Fixture *f, const char *text, gssize size, gboolean is_damaged)
{
    g_autofree char *file = stored_file(f);
    g_autoptr(VbQemuCaps) caps = NULL;
    gsize before = probes(f);

    g_assert_true(g_file_set_contents(file, text, size, NULL));
    restart(f);
    warnings = 0;
    caps = get_ok(f);
    g_assert_cmpuint(warnings, ==, is_damaged ? 1 : 0);
    g_assert_cmpuint(probes(f), ==, before + 1);
    restart(f);
    vb_qemu_caps_unref(caps);
    caps = get_ok(f);
    g_assert_cmpuint(probes(f), ==, before + 1);
}

static char *replaced(const char *text, const char *old, const char *new)
{
    g_auto(GStrv) parts = g_strsplit(text, old, 2);

    g_assert_nonnull(parts[1]);
    return g_strjoinv(new, parts);
}

static void test_damaged(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *old, *new;
        gboolean is_stale; /* well-formed, but of another time */
    } damages[] = {
        {"\"format\":1", "\"format\":2", TRUE},
        {"\"format\":1", "\"format\":\"1\""},
        {"\"stamp\":\"", "\"stamp\":\"x", TRUE},
        {"\"emulator\":\"", "\"emulator\":\"/other"},
        {"\"replies\":{", "\"replies\":[],\"r\":{"},
        {"\"query-machines\":[", "\"query-machines\":[1,"},
        {"\"query-machines\":[", "\"query-machines\":[],\"m\":["},
        {"\"query-commands\":[", "\"query-commands\":[{\"name\":\"\"},"},
        {"\"major\":", "\"major\":-"},
        {"\"arch\":", "\"arch\":5,\"a\":"},
    };
    g_autoptr(VbQemuCaps) caps = get_ok(f);
    g_autofree char *file = stored_file(f);
    g_autofree char *text = NULL;
    gsize size;

    g_assert_true(g_file_get_contents(file, &text, &size, NULL));
    spoil_and_probe_again(f, "", 0, TRUE);
    spoil_and_probe_again(f, text, (gssize)size / 2, TRUE);
    spoil_and_probe_again(f, "\0\0\0\0", 4, TRUE);
    for (guint i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_autofree char *damaged = replaced(text, damages[i].old, damages[i].new);
        spoil_and_probe_again(f, damaged, -1, !damages[i].is_stale);
    }
}

static void test_hostile_file(Fixture *f, gconstpointer data)
{
    g_autoptr(VbQemuCaps) caps = get_ok(f);
    g_autofree char *file = stored_file(f);
    g_autofree char *deep = g_strnfill(100000, '[');

    spoil_and_probe_again(f, deep, -1, TRUE);
    g_clear_pointer(&caps, vb_qemu_caps_unref);
    g_assert_cmpint(truncate(file, 1 << 30), ==, 0); /* sparse */
    restart(f);
    caps = get_ok(f);
    g_clear_pointer(&caps, vb_qemu_caps_unref);
    g_assert_cmpint(g_remove(file), ==, 0);
    g_assert_cmpint(symlink("/dev/zero", file), ==, 0);
    restart(f);
    caps = get_ok(f);
    g_clear_pointer(&caps, vb_qemu_caps_unref);
}

/* No place to store it in is no failure. */
static void test_unwritable(Fixture *f, gconstpointer data)
{
    g_autofree char *blocker = g_build_filename(f->directory, "var", NULL);
    g_autoptr(VbQemuCaps) caps = NULL;

    g_assert_true(g_file_set_contents(blocker, "", 0, NULL));
    warnings = 0;
    caps = get_ok(f);
    g_assert_cmpuint(warnings, ==, 2); /* neither read nor stored */
}

/* -- what is shared */

static void test_shared(Fixture *f, gconstpointer data)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Answer answers[5] = {{FALSE, NULL, NULL}};

    for (guint i = 0; i < G_N_ELEMENTS(answers); i++)
        vb_caps_cache_get_async(f->cache, f->emulator, i == 0 ? cancellable : NULL, on_got,
                                &answers[i]);
    g_cancellable_cancel(cancellable);
    for (guint i = 0; i < G_N_ELEMENTS(answers); i++)
        VB_WAIT_FOR(answers[i].done);
    g_assert_error(answers[0].error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_error_free(answers[0].error);
    for (guint i = 1; i < G_N_ELEMENTS(answers); i++) {
        g_assert_no_error(answers[i].error);
        g_assert_true(answers[i].caps == answers[1].caps);
        vb_qemu_caps_unref(answers[i].caps);
    }
    g_assert_cmpuint(probes(f), ==, 1);
}

static void test_freed_meanwhile(Fixture *f, gconstpointer data)
{
    Answer answer = {FALSE, NULL, NULL};

    vb_caps_cache_get_async(f->cache, f->emulator, NULL, on_got, &answer);
    g_clear_pointer(&f->cache, vb_caps_cache_free);
    VB_WAIT_FOR(answer.done);
    g_assert_error(answer.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_error_free(answer.error);
}

/* -- emulators that are none */

static void assert_unusable(Fixture *f, const char *path, VbError code, const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(get(f->cache, path, &error));
    g_assert_error(error, VB_ERROR, (int)code);
    g_assert_nonnull(strstr(error->message, path));
    if (!strstr(error->message, words))
        g_error("'%s' does not say '%s'", error->message, words);
    g_assert_null(vb_caps_cache_peek(f->cache, path));
}

static void test_unusable(Fixture *f, gconstpointer data)
{
    g_autofree char *missing = g_build_filename(f->directory, "missing", NULL);
    g_autofree char *silent = write_script(f, "silent", "exit 0");
    g_autofree char *loud = write_script(f, "loud", "echo 'no such library' >&2; exit 1");
    g_autofree char *chatty = write_script(f, "chatty", "echo '{\"hello\": 1}' >&3; exit 0");
    g_autofree char *plain = write_script(f, "plain", "exit 0");

    g_assert_cmpint(chmod(plain, 0644), ==, 0);
    assert_unusable(f, missing, VB_ERROR_HYPERVISOR, "No such file");
    assert_unusable(f, f->directory, VB_ERROR_HYPERVISOR, "not an executable file");
    assert_unusable(f, plain, VB_ERROR_HYPERVISOR, "not an executable file");
    assert_unusable(f, "qemu-system-x86_64", VB_ERROR_HYPERVISOR, "not an absolute path");
    assert_unusable(f, silent, VB_ERROR_HYPERVISOR, "QEMU hung up");
    assert_unusable(f, loud, VB_ERROR_HYPERVISOR, "no such library");
    assert_unusable(f, chatty, VB_ERROR_HYPERVISOR, "greeting");
}

static void on_probed(GObject *source, GAsyncResult *result, gpointer data)
{
    Answer *answer = data;
    g_autoptr(JsonObject) replies = vb_caps_probe_finish(result, &answer->error);

    g_assert_null(replies);
    answer->done = TRUE;
}

/* It neither answers nor ends, and SIGTERM does not impress it. */
static void test_hanging(Fixture *f, gconstpointer data)
{
    g_autofree char *pid_file = g_build_filename(f->directory, "pid", NULL);
    g_autofree char *body =
        g_strdup_printf("trap '' TERM\necho $$ >'%s'\nexec tail -f /dev/null", pid_file);
    g_autofree char *hanging = write_script(f, "hanging", body);
    Answer answer = {FALSE, NULL, NULL};
    g_autofree char *text = NULL;
    pid_t pid;

    vb_caps_probe_async(hanging, NULL, 1000, NULL, on_probed, &answer);
    VB_WAIT_FOR(answer.done);
    g_assert_error(answer.error, VB_ERROR, VB_ERROR_TIMEOUT);
    g_assert_nonnull(strstr(answer.error->message, hanging));
    g_error_free(answer.error);
    g_assert_true(g_file_get_contents(pid_file, &text, NULL, NULL));
    pid = (pid_t)g_ascii_strtoll(text, NULL, 10);
    g_assert_cmpint(pid, >, 1);
    vb_wait_for_death(pid);
}

static void test_no_qemu(Fixture *f, gconstpointer data)
{
    g_test_skip("qemu-system-x86_64 is not installed");
}

#define ADD(path, test) g_test_add(path, Fixture, NULL, fixture_set_up, test, fixture_tear_down)
#define ADD_REAL(path, test) ADD(path, real ? test : test_no_qemu)

int main(int argc, char **argv)
{
    g_autofree char *real = g_find_program_in_path("qemu-system-x86_64");

    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(count_warnings, NULL, NULL);
    ADD_REAL("/caps/real", test_real);
    ADD_REAL("/caps/fake-qemu", test_fake_qemu);
    ADD_REAL("/caps/hits", test_hits);
    ADD_REAL("/caps/binary-changed", test_binary_changed);
    ADD_REAL("/caps/damaged", test_damaged);
    ADD_REAL("/caps/hostile-file", test_hostile_file);
    ADD_REAL("/caps/unwritable", test_unwritable);
    ADD_REAL("/caps/shared", test_shared);
    ADD("/caps/freed-meanwhile", test_freed_meanwhile);
    ADD("/caps/unusable", test_unusable);
    ADD("/caps/hanging", test_hanging);
    return g_test_run();
}
