/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is stored, over a restart with and without a valid index, and what a daemon holds of it in
 * memory. That no document is opened is told by inotify. A file settles two seconds after its last
 * change: that is waited for. */
#include "core-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core-private.h"
#include "error.h"
#include "fd.h"

#define UUID "5b1f0a52-0f6c-4d0a-8d5e-0a2f6f6d1c%02x"
#define SETTLE_MS 2100

/* ---- what the tests look at -------------------------------------------------------------------
 */

static char *uuid_of(guint i)
{
    return g_strdup_printf(UUID, i);
}

static char *file_of(CoreFixture *fixture, const char *uuid)
{
    return vb_paths_definition(core_fixture_paths(fixture), uuid);
}

static char *index_file(CoreFixture *fixture)
{
    return g_build_filename(core_fixture_paths(fixture)->cache_dir, "domain.index", NULL);
}

static VbDomain *named(CoreFixture *fixture, const char *name)
{
    VbDomain *domain = vb_host_domain_by_name(core_fixture_host(fixture), name);

    g_assert_nonnull(domain);
    g_assert_true(domain == vb_host_domain_by_uuid(core_fixture_host(fixture), domain->info.uuid));
    return domain;
}

static char *read_text(const char *path)
{
    char *text;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

/* As an editor that writes in place. */
static void write_text(const char *path, const char *text)
{
    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void replace_text(const char *path, const char *from, const char *to)
{
    g_autofree char *before = read_text(path);
    GString *text = g_string_new(before);

    g_assert_cmpuint(g_string_replace(text, from, to, 0), >, 0);
    write_text(path, text->str);
    g_string_free(text, TRUE);
}

static void define(CoreFixture *fixture, const char *xml)
{
    g_autoptr(CoreReply) reply = core_define(fixture, xml);

    core_reply_assert_ok(reply);
}

/* "guest-0", "guest-1" … with UUIDs of their own. */
static void define_some(CoreFixture *fixture, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i), *uuid = uuid_of(i);
        g_autofree char *xml = core_domain_xml(name, uuid, NULL, 2);

        define(fixture, xml);
    }
}

/* How many documents a new life opens. */
static guint restart_counting(CoreFixture *fixture)
{
    g_autofree char *directory =
        g_build_filename(core_fixture_paths(fixture)->state_dir, "domain", NULL);
    vb_autofd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    union {
        struct inotify_event event;
        char bytes[64 * 1024];
    } buffer;
    guint n = 0;
    ssize_t got;

    /* The old life may look at them at its end. */
    core_fixture_end(fixture);
    g_assert_cmpint(inotify_add_watch(fd, directory, IN_OPEN), >=, 0);
    core_fixture_load(fixture);
    core_fixture_announce(fixture);
    while ((got = read(fd, &buffer, sizeof buffer)) > 0)
        for (char *at = buffer.bytes; at < buffer.bytes + got;) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            g_assert_false(event->mask & IN_Q_OVERFLOW);
            n += !(event->mask & IN_ISDIR);
            at += sizeof *event + event->len;
        }
    return n;
}

/* Two domains and a valid index of them; the host has begun anew with it. */
static void set_up_indexed(CoreFixture *fixture)
{
    define_some(fixture, 2);
    core_fixture_run_for(SETTLE_MS);
    g_assert_cmpuint(restart_counting(fixture), ==, 0);
}

/* ---- the start --------------------------------------------------------------------------------
 */

static void test_valid(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autoptr(CoreReply) marked = NULL;

    define_some(fixture, 3);
    marked = core_autostart(fixture, named(fixture, "guest-1"), TRUE);
    core_reply_assert_ok(marked);
    core_fixture_run_for(SETTLE_MS);
    g_assert_cmpuint(restart_counting(fixture), ==, 0);
    for (guint i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i), *uuid = uuid_of(i);
        g_autofree char *source = g_strdup_printf("/images/%s-vdb.qcow2", name);
        VbDomain *domain = named(fixture, name);
        VbDomainSummary summary = vb_domain_summary(domain);

        g_assert_true(domain->info.persistent);
        g_assert_cmpint(domain->info.autostart, ==, i == 1);
        g_assert_cmpint(domain->info.state, ==, VB_DOMAIN_SHUT_OFF);
        g_assert_cmpstr(domain->info.uuid, ==, uuid);
        g_assert_cmpstr(summary.uuid, ==, uuid);
        g_assert_cmpuint(summary.memory, ==, 64 * 1024 * 1024);
        g_assert_cmpuint(summary.n_disks, ==, 2);
        g_assert_cmpstr(vb_domain_summary_disk(&summary, 1).source, ==, source);
        /* Nothing else of it is in memory. */
        g_assert_null(domain->stored);
    }
}

/* A change, a file that went and one that came: these alone are looked at. */
static void test_changed(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *kept = uuid_of(0), *edited = uuid_of(1), *gone = uuid_of(2), *new = uuid_of(3);
    g_autofree char *kept_file = file_of(fixture, kept), *edited_file = file_of(fixture, edited),
                    *gone_file = file_of(fixture, gone), *new_file = file_of(fixture, new);

    define_some(fixture, 3);
    core_fixture_run_for(SETTLE_MS);
    core_fixture_end(fixture);
    g_autofree char *text = read_text(kept_file);
    write_text(new_file, text);
    replace_text(new_file, "guest-0", "guest-3");
    replace_text(new_file, kept, new);
    replace_text(edited_file, "<vcpu>1</vcpu>", "<vcpu>2</vcpu>");
    g_assert_cmpint(g_remove(gone_file), ==, 0);
    core_fixture_load(fixture);
    core_fixture_announce(fixture);

    g_assert_null(named(fixture, "guest-0")->stored);
    g_assert_cmpuint(vb_domain_summary(named(fixture, "guest-1")).vcpus, ==, 2);
    g_assert_nonnull(named(fixture, "guest-1")->stored);
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "guest-2"));
    g_assert_cmpuint(vb_domain_summary(named(fixture, "guest-3")).n_disks, ==, 2);
    /* The next index tells all that. */
    core_fixture_run_for(SETTLE_MS);
    g_assert_cmpuint(restart_counting(fixture), ==, 0);
    g_assert_cmpuint(vb_domain_summary(named(fixture, "guest-1")).vcpus, ==, 2);
}

/* What was written a moment before the end is parsed by the next life. */
static void test_young(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();

    define_some(fixture, 2);
    g_assert_cmpuint(restart_counting(fixture), ==, 2);
    core_fixture_run_for(SETTLE_MS);
    g_assert_cmpuint(restart_counting(fixture), ==, 0);
}

/* The index is written while the daemon runs: a killed one leaves it, too. */
static void test_written_meanwhile(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *path = index_file(fixture);

    define_some(fixture, 1);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    VB_WAIT_FOR(g_file_test(path, G_FILE_TEST_EXISTS));
    g_autoptr(VbDefinitionIndex) index = vb_host_open_index(core_fixture_host(fixture));
    g_assert_nonnull(index);
    g_assert_cmpuint(vb_definition_index_size(index), ==, 1);
}

static void test_garbage(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *path = index_file(fixture);

    set_up_indexed(fixture);
    core_fixture_end(fixture);
    write_text(path, "virtbus definition index 1, and nothing else");
    core_fixture_load(fixture);
    core_fixture_announce(fixture);
    g_assert_cmpuint(vb_domain_summary(named(fixture, "guest-1")).n_disks, ==, 2);
    /* A good one takes its place. */
    g_assert_cmpuint(restart_counting(fixture), ==, 0);

    /* A directory in its place is no reason to stop, either. */
    core_fixture_end(fixture);
    g_assert_cmpint(g_remove(path), ==, 0);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    core_fixture_load(fixture);
    core_fixture_announce(fixture);
    named(fixture, "guest-0");
}

/* A document in somebody's own hand: what it leaves open is the same for a whole life. */
static void test_by_hand(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *uuid = uuid_of(200);
    g_autofree char *path = file_of(fixture, uuid);
    g_autofree char *xml = g_strdup_printf(
        "<domain type='test'><name>hand</name><uuid>%s</uuid><memory>65536</memory>"
        "<os><type>hvm</type></os><devices><interface type='user'/></devices></domain>",
        uuid);

    core_fixture_end(fixture);
    write_text(path, xml);
    core_fixture_load(fixture);
    core_fixture_announce(fixture);
    VbDomainSummary summary = vb_domain_summary(named(fixture, "hand"));
    g_autofree char *mac = g_strdup(vb_domain_summary_interface(&summary, 0).mac);
    define_some(fixture, 40);
    g_autofree char *read = vb_domain_read_xml(named(fixture, "hand"), VB_DOMAIN_XML_NONE, NULL);
    g_assert_nonnull(strstr(read, mac));
    core_do(fixture, named(fixture, "hand"), VB_DOMAIN_OP_START);
    summary = vb_domain_summary(named(fixture, "hand"));
    g_assert_cmpstr(vb_domain_summary_interface(&summary, 0).mac, ==, mac);
    core_do(fixture, named(fixture, "hand"), VB_DOMAIN_OP_DESTROY);
    core_fixture_run_for(SETTLE_MS);
    g_assert_cmpuint(restart_counting(fixture), ==, 1);
}

/* ---- when it is needed ------------------------------------------------------------------------
 */

static void test_lazy(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *uuid = uuid_of(0);
    g_autofree char *path = file_of(fixture, uuid);
    g_autoptr(GError) error = NULL;

    set_up_indexed(fixture);
    VbDomain *domain = named(fixture, "guest-0");
    g_autofree char *text = read_text(path);
    g_autofree char *xml = vb_domain_read_xml(domain, VB_DOMAIN_XML_NONE, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(xml, ==, text);
    /* For that nothing is parsed. */
    g_assert_null(domain->stored);
    g_autoptr(VbDomainDef) def = vb_domain_read_def(domain, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(def->disks->len, ==, 2);

    core_do(fixture, domain, VB_DOMAIN_OP_START);
    g_assert_nonnull(domain->stored);
    g_assert_cmpuint(vb_domain_summary(domain).n_disks, ==, 2);
    g_autofree char *live = vb_domain_read_xml(domain, VB_DOMAIN_XML_NONE, NULL);
    g_assert_nonnull(strstr(live, " id='"));
    g_autofree char *stored = vb_domain_read_xml(domain, VB_DOMAIN_XML_STORED, NULL);
    g_assert_cmpstr(stored, ==, text);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    g_autofree char *after = vb_domain_read_xml(domain, VB_DOMAIN_XML_NONE, NULL);
    g_assert_cmpstr(after, ==, text);
}

/* However many are defined or have run, a few are in memory. */
static void test_few_in_memory(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    guint n = 0;

    define_some(fixture, 60);
    for (guint i = 0; i < 60; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i);
        n += named(fixture, name)->stored != NULL;
        if (i < 20)
            core_do(fixture, named(fixture, name), VB_DOMAIN_OP_START);
    }
    g_assert_cmpuint(n, >, 0);
    g_assert_cmpuint(n, <=, 16);
    for (guint i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i);
        /* A running one has both. */
        g_assert_nonnull(vb_domain_stored_def(named(fixture, name)));
        core_do(fixture, named(fixture, name), VB_DOMAIN_OP_DESTROY);
    }
    n = 0;
    for (guint i = 0; i < 60; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i);
        n += named(fixture, name)->stored != NULL;
        g_assert_cmpuint(vb_domain_summary(named(fixture, name)).n_disks, ==, 2);
    }
    g_assert_cmpuint(n, <=, 16);
}

static void test_secrets(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *uuid = uuid_of(200);
    g_autofree char *path = file_of(fixture, uuid);
    g_autofree char *xml = g_strdup_printf(
        "<domain type='test'><name>s</name><uuid>%s</uuid><memory>65536</memory>"
        "<os><type>hvm</type></os><devices><graphics type='vnc' passwd='geheim'/></devices>"
        "</domain>",
        uuid);

    define(fixture, xml);
    core_fixture_run_for(SETTLE_MS);
    for (guint i = 0; i < 2; i++) {
        VbDomain *domain = named(fixture, "s");
        g_autofree char *plain = vb_domain_read_xml(domain, VB_DOMAIN_XML_NONE, NULL);
        g_autofree char *secure = vb_domain_read_xml(domain, VB_DOMAIN_XML_SECURE, NULL);
        g_autofree char *text = read_text(path);

        g_assert_null(strstr(plain, "geheim"));
        g_assert_nonnull(strstr(plain, "vnc"));
        g_assert_cmpstr(secure, ==, text);
        g_assert_nonnull(strstr(secure, "geheim"));
        g_assert_cmpuint(restart_counting(fixture), ==, 0);
    }
}

/* Somebody writes it while we run: what he wrote is what starts, and is told. */
static void test_edited_beside(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *uuid = uuid_of(0);
    g_autofree char *path = file_of(fixture, uuid);

    set_up_indexed(fixture);
    VbDomain *domain = named(fixture, "guest-0");
    replace_text(path, "<vcpu>1</vcpu>", "<vcpu>3</vcpu>");
    g_assert_cmpuint(vb_domain_summary(domain).vcpus, ==, 1);
    g_autofree char *text = read_text(path);
    g_autofree char *xml = vb_domain_read_xml(domain, VB_DOMAIN_XML_NONE, NULL);
    g_assert_cmpstr(xml, ==, text);
    g_assert_cmpuint(vb_domain_summary(domain).vcpus, ==, 3);
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    g_assert_cmpuint(vb_domain_def(domain)->vcpus, ==, 3);
    g_assert_false(domain->info.config_pending);
}

static void assert_refused(CoreFixture *fixture, VbDomain *domain, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CoreReply) start = core_operate(fixture, domain, VB_DOMAIN_OP_START);

    core_reply_assert_error(start, VB_ERROR_FAILED, path);
    g_assert_false(vb_domain_is_active(domain));
    g_assert_cmpint(domain->info.state, ==, VB_DOMAIN_SHUT_OFF);
    g_assert_cmpuint(vb_domain_summary(domain).vcpus, ==, 1);
    g_assert_null(vb_domain_read_xml(domain, VB_DOMAIN_XML_NONE, &error));
    g_assert_error(error, VB_ERROR, VB_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, path));
    g_clear_error(&error);
    g_assert_null(vb_domain_read_def(domain, &error));
    g_assert_nonnull(strstr(error->message, path));
}

static void test_lost(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *uuid = uuid_of(0), *other = uuid_of(1);
    g_autofree char *path = file_of(fixture, uuid), *other_path = file_of(fixture, other);

    set_up_indexed(fixture);
    VbDomain *domain = named(fixture, "guest-0");
    g_autofree char *text = read_text(path), *other_text = read_text(other_path);
    write_text(path, "<domain type='test'><name>guest-0</name>");
    assert_refused(fixture, domain, path);
    write_text(path, other_text);
    assert_refused(fixture, domain, path);
    g_assert_cmpint(g_remove(path), ==, 0);
    assert_refused(fixture, domain, path);
    /* Nothing has come of it. */
    write_text(path, text);
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);

    /* What is lost can be defined again, and undefined. */
    domain = named(fixture, "guest-1");
    g_assert_cmpint(g_remove(other_path), ==, 0);
    g_autoptr(CoreReply) again = core_define(fixture, other_text);
    core_reply_assert_ok(again);
    core_do(fixture, domain, VB_DOMAIN_OP_START);
    core_do(fixture, domain, VB_DOMAIN_OP_DESTROY);
    g_assert_cmpint(g_remove(other_path), ==, 0);
    g_autoptr(CoreReply) undefined = core_undefine(fixture, domain);
    core_reply_assert_ok(undefined);
    g_assert_null(vb_host_domain_by_name(core_fixture_host(fixture), "guest-1"));
}

/* ---- many -------------------------------------------------------------------------------------
 */

#define MANY 10000

static void test_many(void)
{
    g_autoptr(CoreFixture) fixture = core_fixture_new();
    g_autofree char *first = uuid_of(0);
    g_autofree char *first_path = file_of(fixture, first);

    define_some(fixture, 1);
    core_fixture_end(fixture);
    g_autofree char *text = read_text(first_path);
    for (guint i = 1; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i);
        g_autofree char *uuid = g_strdup_printf("%08x-1111-4222-8333-444444444444", i);
        g_autofree char *path = file_of(fixture, uuid);
        GString *xml = g_string_new(text);

        g_string_replace(xml, "guest-0", name, 0);
        g_string_replace(xml, first, uuid, 0);
        write_text(path, xml->str);
        g_string_free(xml, TRUE);
    }
    core_fixture_load(fixture);
    core_fixture_announce(fixture);
    core_fixture_run_for(SETTLE_MS);
    for (guint life = 0; life < 2; life++) {
        g_autoptr(GPtrArray) all = vb_host_domains(core_fixture_host(fixture));
        guint in_memory = 0;

        g_assert_cmpuint(all->len, ==, MANY);
        for (guint i = 0; i < MANY; i++) {
            g_autofree char *name = g_strdup_printf("guest-%u", i);
            VbDomain *domain = named(fixture, name);

            g_assert_cmpstr(vb_domain_summary(domain).name, ==, name);
            in_memory += domain->stored != NULL;
        }
        g_assert_cmpuint(in_memory, <=, life == 0 ? 16 : 0);
        if (life == 0)
            g_assert_cmpuint(restart_counting(fixture), ==, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/index/valid", test_valid);
    g_test_add_func("/index/changed", test_changed);
    g_test_add_func("/index/young", test_young);
    g_test_add_func("/index/written-meanwhile", test_written_meanwhile);
    g_test_add_func("/index/garbage", test_garbage);
    g_test_add_func("/index/by-hand", test_by_hand);
    g_test_add_func("/index/lazy", test_lazy);
    g_test_add_func("/index/few-in-memory", test_few_in_memory);
    g_test_add_func("/index/secrets", test_secrets);
    g_test_add_func("/index/edited-beside", test_edited_beside);
    g_test_add_func("/index/lost", test_lost);
    g_test_add_func("/index/many", test_many);
    return g_test_run();
}
