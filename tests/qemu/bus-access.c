/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * QEMU as another user behind the real daemon: what it may use, for how long, and what it is kept
 * from. All images lie in an image directory, where somebody less than root may have put things.
 * The kernel is asked what the user may do with each file. */
#include "bus-guest.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel-access.h"

#define USER "nobody"
#define SLOW "'bandwidth': <uint64 65536>"

static VbIdentity *identity;

/* ---- the daemon -------------------------------------------------------------------------------
 */

static void write_config(VbBusFixture *fixture, const char *user)
{
    g_autofree char *dir = g_build_filename(vb_bus_fixture_root(fixture), "etc", "virtbus", NULL);
    g_autofree char *path = g_build_filename(dir, "virtbusd.conf", NULL);
    g_autofree char *text =
        g_strdup_printf("[qemu]\nuser=%s\n[storage]\nimage-directories=%s/images\n", user,
                        vb_bus_fixture_dir(fixture));

    g_assert_cmpint(g_mkdir_with_parents(dir, 0711), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* images/base ← images/mid ← images/top, 0600, root's. */
static VbBusFixture *fixture_new(const char *user)
{
    VbBusFixture *fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NO_DAEMON);
    const char *const names[] = {"images/base", "images/mid", "images/top"};
    g_autofree char *images = guest_path(fixture, "images");

    g_assert_cmpint(g_mkdir(images, 0711), ==, 0);
    g_assert_cmpint(g_chmod(images, 0711), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *on = i > 0 ? guest_path(fixture, names[i - 1]) : NULL;
        if (on)
            g_free(
                guest_run(fixture, "qemu-img create -q -f qcow2 -b %s -F qcow2 %s", on, names[i]));
        else
            g_free(guest_run(fixture, "qemu-img create -q -f qcow2 %s 16M", names[i]));
        g_free(guest_run(fixture, "qemu-io -f qcow2 -c 'write -q -P %u %uM 4M' %s", (guint)i + 1,
                         (guint)i * 4, names[i]));
        g_autofree char *path = guest_path(fixture, names[i]);
        g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    }
    write_config(fixture, user);
    vb_bus_fixture_start_daemon(fixture);
    return fixture;
}

static void restart(VbBusFixture *fixture)
{
    vb_bus_fixture_start_daemon(fixture);
}

/* A started domain, its virtual CPUs stopped. */
static char *start(VbBusFixture *fixture, const char *name, const char *image)
{
    g_autofree char *disk = guest_file_disk(fixture, image, "vda");
    g_autofree char *xml = guest_xml(fixture, name, disk, NULL);

    return guest_start(vb_bus_fixture_client(fixture), xml, TRUE);
}

static void destroy(VbBusFixture *fixture, const char *domain)
{
    vb_bus_client_do(vb_bus_fixture_client(fixture), domain, VB_IFACE_DOMAIN, "Destroy");
}

/* Its start is refused; the message. */
static char *start_error(VbBusFixture *fixture, const char *name, const char *devices,
                         const char *error)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = guest_xml(fixture, name, devices, NULL);
    g_autofree char *domain = vb_bus_client_define(client, xml);

    return vb_bus_client_call_error(client, domain, VB_IFACE_DOMAIN, "Start",
                                    g_variant_new_parsed("(@a{sv} {},)"), error);
}

static void assert_has(const char *message, const char *word)
{
    if (strstr(message, word) == NULL)
        g_error("'%s' is not in: %s", word, message);
}

/* ---- what the user may do ---------------------------------------------------------------------
 */

/* "rw", "r", "" */
static const char *rights(VbBusFixture *fixture, const char *name)
{
    g_autofree char *path = guest_path(fixture, name);

    if (vb_kernel_access(identity, AT_FDCWD, path, R_OK) != 0)
        return "";
    return vb_kernel_access(identity, AT_FDCWD, path, W_OK) == 0 ? "rw" : "r";
}

static void await_rights(VbBusFixture *fixture, const char *name, const char *expected)
{
    guint tick = g_timeout_add(5, vb_wait_tick, NULL);

    VB_WAIT_FOR(g_str_equal(rights(fixture, name), expected));
    g_source_remove(tick);
}

static void assert_rights(VbBusFixture *fixture, const char *top, const char *mid, const char *base)
{
    g_assert_cmpstr(rights(fixture, "images/top"), ==, top);
    g_assert_cmpstr(rights(fixture, "images/mid"), ==, mid);
    g_assert_cmpstr(rights(fixture, "images/base"), ==, base);
}

static guint count_entries(VbBusFixture *fixture, const char *name)
{
    g_autofree char *path =
        g_build_filename(vb_bus_fixture_root(fixture), "run", "virtbus", name, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint n = 0;

    g_assert_nonnull(dir);
    while (g_dir_read_name(dir))
        n++;
    return n;
}

/* As it was before: no entry anywhere, the mode 0600, nothing on record. */
static void await_nothing_left(VbBusFixture *fixture)
{
    const char *const names[] = {"images/top", "images/mid", "images/base"};
    guint tick = g_timeout_add(5, vb_wait_tick, NULL);
    struct stat info;

    VB_WAIT_FOR(count_entries(fixture, "access") == 0);
    g_source_remove(tick);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = guest_path(fixture, names[i]);
        if (stat(path, &info) != 0)
            continue; /* its job deleted it */
        g_assert_cmpuint(info.st_mode & 07777, ==, 0600);
        g_assert_cmpuint(info.st_uid, ==, 0);
        g_assert_cmpint(getxattr(path, "system.posix_acl_access", NULL, 0), ==, -1);
    }
    g_assert_cmpuint(count_entries(fixture, "qemu"), ==, 0);
}

static void assert_status(GPid pid, const char *line)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", pid);
    g_autofree char *status = NULL;

    g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
    assert_has(status, line);
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void test_process(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    g_autofree char *domain = start(fixture, "guest", "images/top");
    g_autofree char *uids = g_strdup_printf("\nUid:\t%u\t%u\t%u\t%u\n", identity->uid,
                                            identity->uid, identity->uid, identity->uid);
    g_autofree char *gids = g_strdup_printf("\nGid:\t%u\t%u\t%u\t%u\n", identity->gid,
                                            identity->gid, identity->gid, identity->gid);
    g_autofree char *groups =
        g_strdup_printf("\nGroups:\t%u", (guint)g_array_index(identity->groups, gid_t, 0));
    GPid pid = guest_pid(fixture, domain);

    assert_status(pid, uids);
    assert_status(pid, gids);
    assert_status(pid, groups);
    assert_status(pid, "\nCapInh:\t0000000000000000\n");
    assert_status(pid, "\nCapPrm:\t0000000000000000\n");
    assert_status(pid, "\nCapEff:\t0000000000000000\n");
    assert_status(pid, "\nCapAmb:\t0000000000000000\n");
    assert_status(pid, "\nNoNewPrivs:\t1\n");
    destroy(fixture, domain);
    await_nothing_left(fixture);
}

static void test_life(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);

    assert_rights(fixture, "", "", "");
    g_autofree char *domain = start(fixture, "guest", "images/top");
    assert_rights(fixture, "rw", "r", "r");
    destroy(fixture, domain);
    await_nothing_left(fixture);
    assert_rights(fixture, "", "", "");
    /* And again. */
    vb_bus_client_do(vb_bus_fixture_client(fixture), domain, VB_IFACE_DOMAIN, "Start");
    assert_rights(fixture, "rw", "r", "r");
    /* It ends by itself. */
    kill(guest_pid(fixture, domain), SIGTERM);
    await_nothing_left(fixture);
}

/* Neither a daemon that was killed nor one that ended forgets what it has lent. */
static void test_restart(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    g_autofree char *first = start(fixture, "first", "images/top");
    g_autofree char *overlay = guest_path(fixture, "images/overlay");
    g_autofree char *base = guest_path(fixture, "images/base");

    g_free(guest_run(fixture, "qemu-img create -q -f qcow2 -b %s -F qcow2 %s", base, overlay));
    g_free(guest_run(fixture, "chmod 0600 %s", overlay));
    g_autofree char *second = start(fixture, "second", "images/overlay");
    vb_bus_fixture_kill_daemon(fixture);
    kill(guest_pid(fixture, first), SIGKILL);
    restart(fixture);
    /* The base is the second one's, too. */
    await_rights(fixture, "images/top", "");
    await_rights(fixture, "images/mid", "");
    g_assert_cmpstr(rights(fixture, "images/base"), ==, "r");
    g_assert_cmpstr(rights(fixture, "images/overlay"), ==, "rw");
    vb_bus_fixture_stop_daemon(fixture);
    g_assert_cmpstr(rights(fixture, "images/overlay"), ==, "rw");
    restart(fixture);
    destroy(fixture, second);
    await_nothing_left(fixture);
    g_assert_cmpstr(rights(fixture, "images/overlay"), ==, "");
}

static void test_shared(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    g_autofree char *base = guest_path(fixture, "images/base");

    g_free(guest_run(fixture, "qemu-img create -q -f qcow2 -b %s -F qcow2 images/other", base));
    g_autofree char *first = start(fixture, "first", "images/top");
    g_autofree char *second = start(fixture, "second", "images/other");
    destroy(fixture, first);
    await_rights(fixture, "images/mid", "");
    g_assert_cmpstr(rights(fixture, "images/base"), ==, "r");
    destroy(fixture, second);
    await_nothing_left(fixture);
}

/* ---- jobs -------------------------------------------------------------------------------------
 */

static void test_pull(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = start(fixture, "guest", "images/top");
    guint from = vb_bus_client_position(client);
    g_autofree char *job = guest_start_job(client, domain, "Pull", "('vda', {})");

    guest_await_end(client, from, job, "BlockJobCompleted done");
    await_rights(fixture, "images/mid", "");
    await_rights(fixture, "images/base", "");
    g_assert_cmpstr(rights(fixture, "images/top"), ==, "rw");
    destroy(fixture, domain);
    await_nothing_left(fixture);
}

/* mid into base: both mid's overlay, top, and base are written, and only as long as it takes. */
static void test_commit(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = start(fixture, "guest", "images/top");
    g_autofree char *mid = guest_path(fixture, "images/mid");
    guint from = vb_bus_client_position(client);

    g_autofree char *canceled =
        guest_start_job(client, domain, "Commit", "('vda', {'top': <'%s'>, " SLOW "})", mid);
    assert_rights(fixture, "rw", "r", "rw");
    vb_bus_client_do(client, canceled, VB_IFACE_JOB, "Cancel");
    await_rights(fixture, "images/base", "r");
    assert_rights(fixture, "rw", "r", "r");

    g_autofree char *job = guest_start_job(client, domain, "Commit",
                                           "('vda', {'top': <'%s'>, 'delete': <true>})", mid);
    guest_await_end(client, from, job, "BlockJobCompleted done");
    await_rights(fixture, "images/base", "r");
    guint tick = g_timeout_add(5, vb_wait_tick, NULL);
    VB_WAIT_FOR(!g_file_test(mid, G_FILE_TEST_EXISTS));
    g_source_remove(tick);
    destroy(fixture, domain);
    await_nothing_left(fixture);
}

/* The base becomes the disk: it stays writable, what was above it goes. Over a daemon's death. */
static void test_active_commit(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = start(fixture, "guest", "images/top");
    g_autofree char *job = guest_start_job(client, domain, "Commit", "('vda', {'active': <true>})");

    guest_wait_ready(client, job);
    assert_rights(fixture, "rw", "r", "rw");
    vb_bus_fixture_kill_daemon(fixture);
    restart(fixture);
    vb_bus_client_wait_string(client, job, VB_IFACE_JOB, "State", "ready");
    assert_rights(fixture, "rw", "r", "rw");
    guint from = vb_bus_client_position(client);
    vb_bus_client_do(client, job, VB_IFACE_BLOCK_JOB, "Pivot");
    guest_await_end(client, from, job, "BlockJobCompleted done");
    await_rights(fixture, "images/top", "");
    await_rights(fixture, "images/mid", "");
    g_assert_cmpstr(rights(fixture, "images/base"), ==, "rw");
    destroy(fixture, domain);
    await_nothing_left(fixture);
}

static void test_copy(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = start(fixture, "guest", "images/top");
    struct stat info;

    /* One that is canceled leaves its copy to root alone. */
    g_autofree char *canceled = guest_start_copy(fixture, client, domain, "images/dropped");
    guest_wait_ready(client, canceled);
    g_assert_cmpstr(rights(fixture, "images/dropped"), ==, "rw");
    vb_bus_client_do(client, canceled, VB_IFACE_JOB, "Cancel");
    await_rights(fixture, "images/dropped", "");
    assert_rights(fixture, "rw", "r", "r");

    g_autofree char *job = guest_start_copy(fixture, client, domain, "images/copy");
    guest_wait_ready(client, job);
    vb_bus_client_do(client, job, VB_IFACE_BLOCK_JOB, "Pivot");
    await_rights(fixture, "images/top", "");
    await_rights(fixture, "images/mid", "");
    await_rights(fixture, "images/base", "");
    g_assert_cmpstr(rights(fixture, "images/copy"), ==, "rw");
    destroy(fixture, domain);
    await_nothing_left(fixture);
    g_autofree char *copy = guest_path(fixture, "images/copy");
    g_assert_cmpint(stat(copy, &info), ==, 0);
    g_assert_cmpuint(info.st_uid, ==, 0);
    g_assert_cmpuint(info.st_mode & 07777, ==, 0600);
}

/* The nightly backup's file is nobody's afterwards, also when the daemon was away at its end. */
static void test_backup(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = start(fixture, "guest", "images/top");
    const char *dir = vb_bus_fixture_dir(fixture);
    guint from = vb_bus_client_position(client);

    for (guint i = 0; i < 2; i++) {
        g_autofree char *name = g_strdup_printf("images/backup-%u", i);
        guint32 serial = guest_send(
            client, domain, "Backup",
            "(\"<domainbackup><disks><disk name='vda' type='file'><target file='%s/%s'/>"
            "<driver type='qcow2'/></disk></disks></domainbackup>\", {'bandwidth': <uint64 "
            "4194304>})",
            dir, name);
        VB_WAIT_FOR(vb_bus_client_reply(client, serial) != NULL);
        g_autofree char *job = guest_jobs_of(vb_bus_client_reply(client, serial));
        g_assert_cmpstr(rights(fixture, name), ==, "rw");
        if (i == 1) {
            vb_bus_fixture_kill_daemon(fixture);
            guest_await_monitor(fixture, "guest", "{\"execute\": \"query-jobs\"}", "concluded",
                                TRUE);
            g_assert_cmpstr(rights(fixture, name), ==, "rw");
            restart(fixture);
        }
        guest_await_end(client, from, job, "BlockJobCompleted done");
        await_rights(fixture, name, "");
        assert_rights(fixture, "rw", "r", "r");
    }
    destroy(fixture, domain);
    await_nothing_left(fixture);
}

/* A job that does not begin leaves nothing open. */
static void test_refused_job(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = start(fixture, "guest", "images/top");
    const char *dir = vb_bus_fixture_dir(fixture);

    /* It has to be readable for that to be found out. */
    g_free(guest_run(fixture, "qemu-img create -q -f raw images/garbage 1M"));
    g_free(guest_run(fixture, "chmod 0600 images/garbage"));
    g_free(guest_run(fixture, "ln -s /etc images/dir"));
    guint32 serial = guest_send(client, domain, "Copy",
                                "('vda', \"<disk type='file'><driver type='qcow2'/>"
                                "<source file='%s/images/garbage'/></disk>\", {'reuse-external': "
                                "<true>})",
                                dir);
    g_autofree char *garbage = vb_bus_client_finish_error(client, serial, "Failed");
    assert_has(garbage, "not in qcow2 format");
    await_rights(fixture, "images/garbage", "");
    serial = guest_send(client, domain, "Copy",
                        "('vda', \"<disk type='file'><driver type='qcow2'/>"
                        "<source file='%s/images/dir/virtbus-was-here'/></disk>\", {})",
                        dir);
    g_autofree char *message = vb_bus_client_finish_error(client, serial, "Failed");
    assert_has(message, "leads out of the image directory");
    g_assert_false(g_file_test("/etc/virtbus-was-here", G_FILE_TEST_EXISTS));
    /* A target that leads out by its header. */
    g_free(
        guest_run(fixture, "qemu-img create -q -f qcow2 -u -b /etc/shadow -F raw images/evil 16M"));
    g_free(guest_run(fixture, "chmod 0600 images/evil"));
    serial = guest_send(client, domain, "Copy",
                        "('vda', \"<disk type='file'><driver type='qcow2'/>"
                        "<source file='%s/images/evil'/></disk>\", {'reuse-external': <true>})",
                        dir);
    g_autofree char *evil = vb_bus_client_finish_error(client, serial, "Failed");
    assert_has(evil, "/etc/shadow");
    await_rights(fixture, "images/evil", "");
    destroy(fixture, domain);
    await_nothing_left(fixture);
}

/* ---- what is refused --------------------------------------------------------------------------
 */

static void assert_chain_refused(VbBusFixture *fixture, const char *name, const char *word)
{
    g_autofree char *image = g_strconcat("images/", name, NULL);
    g_autofree char *disk = guest_file_disk(fixture, image, "vda");
    g_autofree char *domain = g_strdelimit(g_strdup(name), "/", '-');
    g_autofree char *message = start_error(fixture, domain, disk, "Failed");
    g_autofree char *path = guest_path(fixture, image);

    assert_has(message, path);
    assert_has(message, word);
    await_nothing_left(fixture);
    g_assert_cmpint(vb_kernel_access(identity, AT_FDCWD, "/etc/shadow", R_OK), !=, 0);
}

static void test_hostile_images(gconstpointer user)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(user);
    g_autofree char *outside = guest_path(fixture, "outside");

    g_free(guest_run(fixture,
                     "qemu-img create -q -f qcow2 -u -b /etc/shadow -F raw images/header 1M"));
    assert_chain_refused(fixture, "header", "/etc/shadow");
    g_free(guest_run(fixture,
                     "qemu-img create -q -f qcow2 -u -b ../outside -F raw images/relative 1M"));
    g_free(guest_run(fixture, "qemu-img create -q -f raw outside 1M"));
    assert_chain_refused(fixture, "relative", "leads out");
    g_free(guest_run(fixture, "qemu-img create -q -f qcow2 -u -b nbd://localhost/x -F raw "
                              "images/network 1M"));
    assert_chain_refused(fixture, "network", "nbd://localhost");
    g_free(guest_run(fixture, "ln -s /etc/shadow images/link"));
    assert_chain_refused(fixture, "link", "leads out");
    g_free(guest_run(fixture, "ln -s / images/root"));
    assert_chain_refused(fixture, "root/etc/shadow", "leads out");
    g_free(guest_run(fixture, "mkfifo images/fifo"));
    assert_chain_refused(fixture, "fifo", "not a regular file");
}

/* An image may have its data elsewhere, which QEMU opens by itself. */
static void test_data_file(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    g_autofree char *path = guest_path(fixture, "images/split");
    g_autofree char *known = g_strdup_printf(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
        "<backingStore/><target dev='vda' bus='virtio'/></disk>",
        path);
    g_autofree char *disk = guest_file_disk(fixture, "images/split", "vda");

    g_free(
        guest_run(fixture, "qemu-img create -q -f qcow2 -o data_file=%s-data %s 1M", path, path));
    g_free(guest_run(fixture, "chmod 0666 %s %s-data", path, path));
    g_autofree char *message =
        start_error(fixture, "split", disk, "org.freedesktop.DBus.Error.NotSupported");
    assert_has(message, "external data file");
    g_free(message);
    message = start_error(fixture, "known", known, "org.freedesktop.DBus.Error.NotSupported");
    assert_has(message, "external data file");
}

/* The template of a variable store is read as root, and what it says goes to the guest. */
static void test_template(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    const char *dir = vb_bus_fixture_dir(fixture);
    g_autofree char *plain = guest_xml(fixture, "guest", "", NULL);
    g_autofree char *os =
        g_strdup_printf("<loader type='pflash' readonly='yes'>%s/images/code</loader>"
                        "<nvram template='%s/images/template'>%s/images/vars</nvram></os>",
                        dir, dir, dir);
    g_auto(GStrv) parts = g_strsplit(plain, "</os>", 2);
    g_autofree char *xml = g_strjoinv(os, parts);
    g_autofree char *vars = guest_path(fixture, "images/vars");
    struct stat info;

    g_free(guest_run(fixture, "ln -s /etc/shadow images/template"));
    g_free(guest_run(fixture, "qemu-img create -q -f raw images/code 64k"));
    g_autofree char *domain = vb_bus_client_define(client, xml);
    g_autofree char *message = vb_bus_client_call_error(
        client, domain, VB_IFACE_DOMAIN, "Start", g_variant_new_parsed("(@a{sv} {},)"), "Failed");
    assert_has(message, "leads out");
    g_assert_false(g_file_test(vars, G_FILE_TEST_EXISTS));

    g_free(guest_run(fixture, "rm images/template"));
    g_free(guest_run(fixture, "qemu-img create -q -f raw images/template 64k"));
    vb_bus_client_do(client, domain, VB_IFACE_DOMAIN, "Start");
    g_assert_cmpint(stat(vars, &info), ==, 0);
    g_assert_cmpuint(info.st_uid, ==, 0);
    g_assert_cmpint(info.st_size, ==, 65536);
    g_assert_cmpstr(rights(fixture, "images/vars"), ==, "rw");
    destroy(fixture, domain);
    await_rights(fixture, "images/vars", "");
}

/* What is named in the definition was allowed to whoever defined it. */
static void test_named_chain(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    g_autofree char *base = guest_path(fixture, "outside"), *top = guest_path(fixture, "images/on");
    g_autofree char *disk = g_strdup_printf(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
        "<backingStore type='file'><format type='raw'/><source file='%s'/></backingStore>"
        "<target dev='vda' bus='virtio'/></disk>",
        top, base);

    g_free(guest_run(fixture, "qemu-img create -q -f raw outside 1M"));
    g_free(guest_run(fixture, "qemu-img create -q -f qcow2 -b %s -F raw %s", base, top));
    g_free(guest_run(fixture, "chmod 0600 %s %s", base, top));
    g_autofree char *xml = guest_xml(fixture, "named", disk, NULL);
    g_autofree char *domain = guest_start(vb_bus_fixture_client(fixture), xml, TRUE);
    g_assert_cmpstr(rights(fixture, "outside"), ==, "r");
    destroy(fixture, domain);
    await_nothing_left(fixture);
    g_assert_cmpstr(rights(fixture, "outside"), ==, "");
}

/* ---- directories ------------------------------------------------------------------------------
 */

static mode_t mode_of(VbBusFixture *fixture, const char *name, uid_t *ret_owner)
{
    g_autofree char *path = g_build_filename(vb_bus_fixture_root(fixture), name, NULL);
    struct stat info;

    g_assert_cmpint(stat(path, &info), ==, 0);
    *ret_owner = info.st_uid;
    return info.st_mode & 07777;
}

static void test_directories(void)
{
    static const struct {
        const char *name;
        mode_t mode;
    } cases[] = {
        {"var/lib/virtbus", 0711},       {"var/lib/virtbus/domain", 0700},
        {"var/lib/virtbus/nvram", 0711}, {"var/lib/virtbus/images", 0711},
        {"run/virtbus", 0711},           {"run/virtbus/domains", 0700},
        {"run/virtbus/access", 0700},    {"run/virtbus/qemu", 0711},
        {"var/cache/virtbus", 0700},
    };
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    g_autofree char *serial = guest_path(fixture, "images/serial");
    g_autofree char *devices = g_strdup_printf(
        "<serial type='file'><source path='%s'/></serial>"
        "<controller type='virtio-serial'/>"
        "<channel type='unix'><target type='virtio' name='org.virtbus.test'/></channel>"
        "<graphics type='vnc'><listen type='socket'/></graphics>",
        serial);
    g_autofree char *xml = guest_xml(fixture, "guest", devices, NULL);
    g_autofree char *domain = guest_start(vb_bus_fixture_client(fixture), xml, TRUE);
    g_autofree char *uuid = g_strdelimit(g_path_get_basename(domain), "_", '-');
    g_autofree char *own = g_build_filename("run/virtbus/qemu", uuid, NULL);
    g_autofree char *ours = g_build_filename("run/virtbus/domains", uuid, NULL);
    uid_t owner;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].name);
        g_assert_cmpuint(mode_of(fixture, cases[i].name, &owner), ==, cases[i].mode);
        g_assert_cmpuint(owner, ==, 0);
    }
    g_assert_cmpuint(mode_of(fixture, ours, &owner), ==, 0700);
    g_assert_cmpuint(owner, ==, 0);
    g_assert_cmpuint(mode_of(fixture, own, &owner), ==, 0700);
    g_assert_cmpuint(owner, ==, identity->uid);
    g_assert_cmpstr(rights(fixture, "images/serial"), ==, "rw");

    /* A hostile QEMU leaves what it likes in there. */
    g_autofree char *dir = g_build_filename(vb_bus_fixture_root(fixture), own, NULL);
    g_autofree char *kept = guest_path(fixture, "kept");
    g_free(guest_run(fixture, "mkdir -p kept %s/empty %s/deep/tree", dir, dir));
    g_free(guest_run(fixture, "touch kept/file %s/deep/tree/file", dir));
    g_free(guest_run(fixture, "ln -s %s %s/link", kept, dir));
    destroy(fixture, domain);
    g_assert_false(g_file_test(dir, G_FILE_TEST_EXISTS));
    g_assert_cmpuint(count_entries(fixture, "qemu"), ==, 1); /* the tree, put aside */
    g_free(guest_run(fixture, "ls kept/file"));
    await_rights(fixture, "images/serial", "");

    /* And it is not in the way of the next life. */
    vb_bus_client_do(vb_bus_fixture_client(fixture), domain, VB_IFACE_DOMAIN, "Start");
    g_assert_cmpuint(mode_of(fixture, own, &owner), ==, 0700);
    destroy(fixture, domain);
    g_assert_false(g_file_test(dir, G_FILE_TEST_EXISTS));
}

/* ---- who --------------------------------------------------------------------------------------
 */

/* Never as root because there is nobody else. */
static void test_no_user(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new("no-such-user");
    g_autofree char *disk = guest_file_disk(fixture, "images/top", "vda");
    g_autofree char *xml = guest_xml(fixture, "guest", disk, NULL);
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *message = vb_bus_client_call_error(
        client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "DefineDomain",
        g_variant_new("(s@a{sv})", xml, g_variant_new("a{sv}", NULL)), "Failed");

    assert_has(message, "'no-such-user'");
    assert_has(message, "[qemu] user=");
    assert_has(message, "sysusers");
    /* One that was defined before does not start either. */
    vb_bus_fixture_stop_daemon(fixture);
    write_config(fixture, USER);
    restart(fixture);
    g_autofree char *domain = vb_bus_client_define(client, xml);
    vb_bus_fixture_stop_daemon(fixture);
    write_config(fixture, "no-such-user");
    restart(fixture);
    g_autofree char *refused = vb_bus_client_call_error(
        client, domain, VB_IFACE_DOMAIN, "Start", g_variant_new_parsed("(@a{sv} {},)"), "Failed");
    assert_has(refused, "'no-such-user'");
}

/* An administrator may want root: nothing is granted then, and what an earlier user was granted is
 * given back. */
static void test_root(void)
{
    g_autoptr(VbBusFixture) fixture = fixture_new(USER);
    g_autofree char *first = start(fixture, "first", "images/top");

    vb_bus_fixture_kill_daemon(fixture);
    write_config(fixture, "root");
    restart(fixture);
    assert_rights(fixture, "rw", "r", "r");
    destroy(fixture, first);
    await_nothing_left(fixture);
    vb_bus_client_do(vb_bus_fixture_client(fixture), first, VB_IFACE_DOMAIN, "Start");
    assert_status(guest_pid(fixture, first), "\nUid:\t0\t");
    assert_rights(fixture, "", "", "");
    destroy(fixture, first);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    g_test_init(&argc, &argv, NULL);
    if (geteuid() != 0) {
        g_print("1..0 # SKIP only root can run QEMU as another user\n");
        return 0;
    }
    vb_identity_resolve(USER, &identity, &error);
    g_assert_no_error(error);
    g_test_add_func("/qemu/access/process", test_process);
    g_test_add_func("/qemu/access/life", test_life);
    g_test_add_func("/qemu/access/restart", test_restart);
    g_test_add_func("/qemu/access/shared", test_shared);
    g_test_add_func("/qemu/access/pull", test_pull);
    g_test_add_func("/qemu/access/commit", test_commit);
    g_test_add_func("/qemu/access/active-commit", test_active_commit);
    g_test_add_func("/qemu/access/copy", test_copy);
    g_test_add_func("/qemu/access/backup", test_backup);
    g_test_add_func("/qemu/access/refused-job", test_refused_job);
    g_test_add_data_func("/qemu/access/hostile-images", USER, test_hostile_images);
    g_test_add_data_func("/qemu/access/hostile-images-root", "root", test_hostile_images);
    g_test_add_func("/qemu/access/data-file", test_data_file);
    g_test_add_func("/qemu/access/template", test_template);
    g_test_add_func("/qemu/access/named-chain", test_named_chain);
    g_test_add_func("/qemu/access/directories", test_directories);
    g_test_add_func("/qemu/access/no-user", test_no_user);
    g_test_add_func("/qemu/access/root", test_root);
    int status = g_test_run();
    vb_identity_unref(identity);
    return status;
}
