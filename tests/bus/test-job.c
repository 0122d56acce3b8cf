/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * org.virtbus1.Domain.Block, .Job and .BlockJob on the real daemon: how a job is shown, started and
 * ended, and the order in which all of that is told. */
#include "bus-fixture.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define FAULTS(orders)                                                                             \
    "<test:faults xmlns:test='https://virtbus.org/xmlns/test/1'>" orders "</test:faults>"
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define COPY_TO "<disk type='file'><source file='/images/copy.qcow2'/></disk>"

/* Starts a job by a method of Domain.Block that takes the disk and options. */
static char *start_job(VbBusClient *client, const char *domain, const char *method,
                       const char *options)
{
    g_autoptr(GVariant) dict = g_variant_ref_sink(g_variant_new_parsed(options));
    g_autoptr(GVariant) reply = vb_bus_client_call(client, domain, VB_IFACE_BLOCK, method,
                                                   g_variant_new("(s@a{sv})", "vda", dict));
    char *job;

    g_variant_get(reply, "(o)", &job);
    return job;
}

static char *start_copy(VbBusClient *client, const char *domain)
{
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Copy",
                           g_variant_new_parsed("('vda', %s, @a{sv} {})", COPY_TO));
    char *job;

    g_variant_get(reply, "(o)", &job);
    return job;
}

static guint32 send_abort(VbBusClient *client, const char *domain, const char *options)
{
    g_autoptr(GVariant) dict = g_variant_ref_sink(g_variant_new_parsed(options));

    return vb_bus_client_send(client, domain, VB_IFACE_BLOCK, "AbortJob",
                              g_variant_new("(s@a{sv})", "vda", dict));
}

static char *block_error(VbBusClient *client, const char *domain, const char *method,
                         const char *disk, const char *options, const char *error)
{
    g_autoptr(GVariant) dict = g_variant_ref_sink(g_variant_new_parsed(options));

    return vb_bus_client_call_error(client, domain, VB_IFACE_BLOCK, method,
                                    g_variant_new("(s@a{sv})", disk, dict), error);
}

static void assert_property(VbBusClient *client, const char *path, const char *interface,
                            const char *property, const char *expected)
{
    g_autoptr(GVariant) value = vb_bus_client_get(client, path, interface, property);
    g_autofree char *text = g_variant_print(value, FALSE);

    g_assert_cmpstr(text, ==, expected);
}

/* The arguments that all four signals have; the details, of which `serial` must fit the job. */
static GVariant *check_signal(const VbBusMessage *signal, const char *job, const char *type,
                              const char *message)
{
    const char *path, *disk, *signal_type, *signal_message;
    g_autofree char *end = NULL;
    GVariant *details;
    guint32 serial;

    g_variant_get(signal->body, "(&o&s&s&s@a{sv})", &path, &disk, &signal_type, &signal_message,
                  &details);
    g_assert_cmpstr(path, ==, job);
    g_assert_cmpstr(disk, ==, "vda");
    g_assert_cmpstr(signal_type, ==, type);
    g_assert_cmpstr(signal_message, ==, message);
    g_assert_true(g_variant_lookup(details, "serial", "u", &serial));
    end = g_strdup_printf("/%u", serial);
    g_assert_true(g_str_has_suffix(job, end));
    return details;
}

static void assert_detail(GVariant *details, const char *key, const char *expected)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(details, key, NULL);
    g_autofree char *text = NULL;

    g_assert_nonnull(value);
    text = g_variant_print(value, FALSE);
    g_assert_cmpstr(text, ==, expected);
}

/* ---- start ------------------------------------------------------------------------------------
 */

/* InterfacesAdded, the domain's BlockJobs, the reply; then all the rest, however fast it came. */
static void test_start_order(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha",
        FAULTS("<test:block-job duration='0'><test:start reply='after-report'/></test:block-job>"));
    guint start = vb_bus_client_position(client), position = start;
    guint32 serial = vb_bus_client_send(client, domain, VB_IFACE_BLOCK, "Pull",
                                        g_variant_new_parsed("('vda', @a{sv} {})"));
    const VbBusMessage *reply, *added;
    g_autoptr(GVariant) jobs = NULL;
    const char *job, *path, *in_dict;

    added = vb_bus_client_next_signal(client, &position, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                                      "InterfacesAdded");
    jobs = vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "BlockJobs");
    reply = vb_bus_client_next_reply(client, &position, serial);
    g_assert_null(reply->error);
    g_variant_get(reply->body, "(&o)", &job);
    g_variant_get_child(added->body, 0, "&o", &path);
    g_assert_cmpstr(path, ==, job);
    g_assert_true(g_variant_lookup(jobs, "vda", "&o", &in_dict));
    g_assert_cmpstr(in_dict, ==, job);

    vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCompleted");
    g_assert_cmpuint(
        vb_bus_client_count(client, start, domain, VB_IFACE_BLOCK, "BlockJobCompleted"), ==, 1);
}

static void test_shown(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    g_autofree char *job = start_job(client, domain, "Pull", "{'bandwidth': <uint64 1048576>}");
    g_autofree char *domain_path = g_strdup_printf("'%s'", domain);
    g_autofree char *objects = g_strdup_printf("['%s']", domain);
    g_autofree char *uid = g_strdup_printf("%u", (guint)getuid());

    assert_property(client, job, VB_IFACE_JOB, "Operation", "'block-pull'");
    assert_property(client, job, VB_IFACE_JOB, "Objects", objects);
    assert_property(client, job, VB_IFACE_JOB, "State", "'running'");
    assert_property(client, job, VB_IFACE_JOB, "Result", "''");
    assert_property(client, job, VB_IFACE_JOB, "ErrorName", "''");
    assert_property(client, job, VB_IFACE_JOB, "Bandwidth", "1048576");
    assert_property(client, job, VB_IFACE_JOB, "EndTime", "0");
    assert_property(client, job, VB_IFACE_JOB, "StartedByUid", uid);
    assert_property(client, job, VB_IFACE_JOB, "Cancelable", "true");
    assert_property(client, job, VB_IFACE_BLOCK_JOB, "Domain", domain_path);
    assert_property(client, job, VB_IFACE_BLOCK_JOB, "Disk", "'vda'");
    assert_property(client, job, VB_IFACE_BLOCK_JOB, "Type", "'pull'");
    assert_property(client, job, VB_IFACE_BLOCK_JOB, "Ready", "false");
    assert_property(client, job, VB_IFACE_BLOCK_JOB, "CancelRequested", "false");
    assert_property(client, job, VB_IFACE_BLOCK_JOB, "PivotRequested", "false");
    assert_property(client, job, VB_IFACE_BLOCK_JOB, "IoStatus", "'ok'");
}

static void test_backup(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    g_autoptr(GVariant) reply = vb_bus_client_call(
        client, domain, VB_IFACE_BLOCK, "Backup",
        g_variant_new_parsed("('<domainbackup><disks><disk name=\"vda\" type=\"file\">"
                             "<target file=\"/images/backup.qcow2\"/></disk></disks>"
                             "</domainbackup>', {'bandwidth': <uint64 4096>})"));
    g_autofree const char **jobs = NULL;
    g_autofree char *nothing = NULL;

    g_variant_get(reply, "(^a&o)", &jobs);
    g_assert_cmpuint(g_strv_length((char **)jobs), ==, 1);
    assert_property(client, jobs[0], VB_IFACE_BLOCK_JOB, "Type", "'backup'");
    assert_property(client, jobs[0], VB_IFACE_JOB, "Operation", "'backup'");
    assert_property(client, jobs[0], VB_IFACE_JOB, "Bandwidth", "4096");
    nothing = vb_bus_client_call_error(
        client, domain, VB_IFACE_BLOCK, "Backup",
        g_variant_new_parsed("('<domainbackup><disks><disk name=\"vda\" backup=\"no\"/></disks>"
                             "</domainbackup>', @a{sv} {})"),
        INVALID_ARGS);
    /* Without a target the file is beside the image, in the format that was asked for. */
    g_autoptr(GVariant) aborted = vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "AbortJob",
                                                     g_variant_new_parsed("('vda', @a{sv} {})"));
    g_autoptr(GVariant) raw =
        vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "Backup",
                           g_variant_new_parsed("('<domainbackup><disks><disk name=\"vda\" "
                                                "type=\"file\"><driver type=\"raw\"/></disk>"
                                                "</disks></domainbackup>', @a{sv} {})"));
    g_assert_cmpuint(g_variant_n_children(raw), ==, 1);
}

static void test_start_refused(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *off_xml = vb_bus_test_domain_xml("off", NULL);
    g_autofree char *off = vb_bus_client_define(client, off_xml);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    guint position = vb_bus_client_position(client);
    g_autofree char *not_running =
        block_error(client, off, "Pull", "vda", "@a{sv} {}", "DomainNotRunning");
    g_autofree char *disk = block_error(client, domain, "Pull", "vdb", "@a{sv} {}", INVALID_ARGS);
    g_autofree char *base =
        block_error(client, domain, "Pull", "vda", "{'base': <'/images/none'>}", INVALID_ARGS);
    g_autofree char *option =
        block_error(client, domain, "Pull", "vda", "{'top': <'/images/base.qcow2'>}", INVALID_ARGS);
    g_autofree char *type =
        block_error(client, domain, "Pull", "vda", "{'bandwidth': <5>}", INVALID_ARGS);
    g_autofree char *size =
        block_error(client, domain, "Pull", "vda", "{'bandwidth': <uint64 18446744073709551615>}",
                    INVALID_ARGS);
    g_autofree char *active =
        block_error(client, domain, "Commit", "vda", "@a{sv} {}", INVALID_ARGS);
    g_autofree char *granularity = vb_bus_client_call_error(
        client, domain, VB_IFACE_BLOCK, "Copy",
        g_variant_new_parsed("('vda', %s, {'granularity': <uint64 1000>})", COPY_TO), INVALID_ARGS);
    g_autofree char *xml = vb_bus_client_call_error(
        client, domain, VB_IFACE_BLOCK, "Copy",
        g_variant_new_parsed("('vda', '<disk>', @a{sv} {})"), "InvalidXml");
    g_autofree char *job = NULL, *busy = NULL;

    g_assert_nonnull(strstr(option, "top"));
    g_assert_nonnull(strstr(type, "bandwidth"));
    g_assert_nonnull(strstr(size, "bandwidth"));
    g_assert_nonnull(strstr(granularity, "granularity"));
    g_assert_cmpuint(vb_bus_client_count(client, position, NULL, NULL, NULL), ==, 0);

    job = start_job(client, domain, "Pull", "@a{sv} {}");
    busy = block_error(client, domain, "Pull", "vda", "@a{sv} {}", "Busy");
    g_assert_nonnull(strstr(busy, strrchr(job, '/') + 1)); /* it names the job */
}

/* ---- end --------------------------------------------------------------------------------------
 */

/* O2: State and Result, the signal, Finished, the reply; and the disk is free. */
static void test_cancel_order(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");
    guint position = vb_bus_client_position(client);
    guint32 serial = send_abort(client, domain, "@a{sv} {}");
    g_autoptr(GVariant) requested =
        vb_bus_client_next_change(client, &position, job, VB_IFACE_BLOCK_JOB, "CancelRequested");
    g_autoptr(GVariant) result =
        vb_bus_client_next_change(client, &position, job, VB_IFACE_JOB, "Result");
    const VbBusMessage *canceled =
        vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
    g_autoptr(GVariant) details = check_signal(canceled, job, "pull", "");
    const VbBusMessage *finished =
        vb_bus_client_next_signal(client, &position, job, VB_IFACE_JOB, "Finished");
    g_autofree char *arguments = g_variant_print(finished->body, FALSE);
    g_autofree char *next = NULL;

    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
    g_assert_true(g_variant_get_boolean(requested));
    g_assert_cmpstr(g_variant_get_string(result, NULL), ==, "canceled");
    g_assert_cmpstr(arguments, ==, "('canceled', '', '')");
    assert_detail(details, "reason", "'requested'");
    assert_detail(details, "synthesized", "false");
    g_assert_true(g_variant_lookup(details, "offset", "t", NULL));
    g_assert_true(g_variant_lookup(details, "length", "t", NULL));
    g_assert_false(g_variant_lookup(details, "pivoted", "b", NULL)); /* not of a pull */
    next = start_job(client, domain, "Pull", "@a{sv} {}");
    g_assert_cmpstr(next, !=, job);
}

/* A hypervisor that says nothing: the signal is made, before the reply, with and without async. */
static void test_cancel_silent(VbBusFixture *fixture)
{
    static const char *const options[] = {"@a{sv} {}", "{'async': <true>}"};
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS("<test:block-job cancel-mode='silent'/>"));

    for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");
        guint start = vb_bus_client_position(client), position = start;
        guint32 serial = send_abort(client, domain, options[i]);
        const VbBusMessage *canceled = vb_bus_client_next_signal(
            client, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
        g_autoptr(GVariant) details = check_signal(canceled, job, "pull", "");

        g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
        assert_detail(details, "synthesized", "true");
        vb_bus_client_sync(client);
        g_assert_cmpuint(
            vb_bus_client_count(client, start, domain, VB_IFACE_BLOCK, "BlockJobCanceled"), ==, 1);
    }
}

/* async does not wait; the other caller does; everybody hears it. */
static void test_cancel_async(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(VbBusClient) bystander = vb_bus_client_new(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS("<test:block-job><test:cancel delay='300'/></test:block-job>"));
    g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");
    guint position = vb_bus_client_position(client);
    guint bystander_position = vb_bus_client_position(bystander);
    guint32 serial = send_abort(client, domain, "{'async': <true>}");
    g_autofree char *ending = NULL, *paused = NULL;

    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
    assert_property(client, job, VB_IFACE_BLOCK_JOB, "CancelRequested", "true");
    assert_property(client, job, VB_IFACE_JOB, "State", "'finishing'");
    ending = block_error(client, domain, "AbortJob", "vda", "@a{sv} {}", "BlockJobEnding");
    paused = vb_bus_client_call_error(client, job, VB_IFACE_JOB, "Pause",
                                      g_variant_new_parsed("(@a{sv} {},)"), "BlockJobEnding");
    vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
    vb_bus_client_next_signal(bystander, &bystander_position, domain, VB_IFACE_BLOCK,
                              "BlockJobCanceled");
    assert_property(client, job, VB_IFACE_JOB, "State", "'concluded'");
    assert_property(client, job, VB_IFACE_JOB, "Cancelable", "false");
}

static void test_canceler_leaves(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    VbBusClient *other = vb_bus_client_new(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS("<test:block-job><test:cancel delay='100'/></test:block-job>"));
    g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");
    guint position = vb_bus_client_position(client);

    send_abort(other, domain, "@a{sv} {}");
    g_variant_unref(
        vb_bus_client_next_change(client, &position, job, VB_IFACE_BLOCK_JOB, "CancelRequested"));
    vb_bus_client_free(other);
    vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
}

static void test_abort_refused(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml = vb_bus_test_domain_xml("off", NULL);
    g_autofree char *off = vb_bus_client_define(client, xml);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    guint position = vb_bus_client_position(client);
    g_autofree char *none =
        block_error(client, domain, "AbortJob", "vda", "@a{sv} {}", "NoBlockJob");
    g_autofree char *disk =
        block_error(client, domain, "AbortJob", "vdz", "@a{sv} {}", INVALID_ARGS);
    g_autofree char *option =
        block_error(client, domain, "AbortJob", "vda", "{'wait': <true>}", INVALID_ARGS);
    g_autofree char *not_running =
        block_error(client, off, "AbortJob", "vda", "@a{sv} {}", "DomainNotRunning");
    g_autofree char *job = NULL, *cannot = NULL;

    g_assert_cmpuint(vb_bus_client_count(client, position, NULL, NULL, NULL), ==, 0);
    job = start_job(client, domain, "Pull", "@a{sv} {}");
    cannot = block_error(client, domain, "AbortJob", "vda", "{'pivot': <true>}",
                         "org.freedesktop.DBus.Error.NotSupported");
    /* by its source path, too */
    g_variant_unref(vb_bus_client_call(client, domain, VB_IFACE_BLOCK, "AbortJob",
                                       g_variant_new_parsed("('/images/alpha.qcow2', @a{sv} {})")));
}

/* Ready, then a pivot; and what copies have in their details. */
static void test_pivot(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS("<test:block-job type='copy' duration='100'/>"));
    g_autofree char *job = start_copy(client, domain);
    guint position = vb_bus_client_position(client);
    g_autofree char *early =
        vb_bus_client_call_error(client, job, VB_IFACE_BLOCK_JOB, "Pivot",
                                 g_variant_new_parsed("(@a{sv} {},)"), "BlockJobNotReady");
    g_autoptr(GVariant) ready =
        vb_bus_client_next_change(client, &position, job, VB_IFACE_BLOCK_JOB, "Ready");
    const VbBusMessage *signal =
        vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobReady");
    g_autoptr(GVariant) ready_details = check_signal(signal, job, "copy", "");
    g_autoptr(GVariant) details = NULL, disks = NULL;
    g_autofree char *now = NULL;
    guint32 serial;

    g_assert_true(g_variant_get_boolean(ready));
    assert_detail(ready_details, "reason", "''");
    assert_detail(ready_details, "pivoted", "false");
    assert_property(client, job, VB_IFACE_JOB, "State", "'ready'");
    serial = vb_bus_client_send(client, job, VB_IFACE_BLOCK_JOB, "Pivot",
                                g_variant_new_parsed("(@a{sv} {},)"));
    disks = vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "Disks");
    signal =
        vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCompleted");
    g_assert_null(vb_bus_client_next_reply(client, &position, serial)->error);
    details = check_signal(signal, job, "copy", "");
    assert_detail(details, "reason", "'done'");
    assert_detail(details, "pivoted", "true");
    now = g_variant_print(disks, FALSE);
    g_assert_nonnull(strstr(now, "/images/copy.qcow2"));
}

static void test_failed(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha",
        FAULTS("<test:block-job duration='20'><test:end result='failed' message='bad sector'/>"
               "</test:block-job>"));
    guint position = vb_bus_client_position(client);
    g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");
    const VbBusMessage *failed =
        vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobFailed");
    g_autoptr(GVariant) details = check_signal(failed, job, "pull", "bad sector");
    const VbBusMessage *finished =
        vb_bus_client_next_signal(client, &position, job, VB_IFACE_JOB, "Finished");
    const char *result, *name, *message;

    g_variant_get(finished->body, "(&s&s&s)", &result, &name, &message);
    g_assert_cmpstr(result, ==, "failed");
    g_assert_true(g_str_has_prefix(name, "org.virtbus1.Error."));
    g_assert_cmpstr(message, ==, "bad sector");
    assert_property(client, job, VB_IFACE_JOB, "ErrorMessage", "'bad sector'");
}

/* ---- the job object ---------------------------------------------------------------------------
 */

static void test_control(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");
    guint position = vb_bus_client_position(client);
    g_autoptr(GVariant) set = vb_bus_client_call(client, job, VB_IFACE_JOB, "SetBandwidth",
                                                 g_variant_new_parsed("(@t 65536, @a{sv} {})"));
    g_autofree char *too_large = NULL, *twice = NULL;

    g_variant_unref(vb_bus_client_next_change(client, &position, job, VB_IFACE_JOB, "Bandwidth"));
    assert_property(client, job, VB_IFACE_JOB, "Bandwidth", "65536");
    too_large = vb_bus_client_call_error(
        client, job, VB_IFACE_JOB, "SetBandwidth",
        g_variant_new_parsed("(@t 9223372036854775808, @a{sv} {})"), INVALID_ARGS);
    vb_bus_client_do(client, job, VB_IFACE_JOB, "Pause");
    assert_property(client, job, VB_IFACE_JOB, "State", "'paused'");
    twice = vb_bus_client_call_error(client, job, VB_IFACE_JOB, "Pause",
                                     g_variant_new_parsed("(@a{sv} {},)"), "InvalidState");
    vb_bus_client_do(client, job, VB_IFACE_JOB, "Resume");
    assert_property(client, job, VB_IFACE_JOB, "State", "'running'");
}

static void test_dismiss(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(client, "alpha", NULL);
    g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");
    g_autofree char *live = vb_bus_client_call_error(
        client, job, VB_IFACE_JOB, "Dismiss", g_variant_new_parsed("(@a{sv} {},)"), "InvalidState");
    g_autofree char *over = NULL;
    guint position;

    vb_bus_client_do(client, job, VB_IFACE_JOB, "Cancel");
    /* It stays, and says how it ended. */
    assert_property(client, job, VB_IFACE_JOB, "Result", "'canceled'");
    assert_property(client, domain, VB_IFACE_DOMAIN, "BlockJobs", "{}");
    over = vb_bus_client_call_error(client, job, VB_IFACE_JOB, "Cancel",
                                    g_variant_new_parsed("(@a{sv} {},)"), "NoBlockJob");
    g_assert_nonnull(strstr(over, "canceled"));
    position = vb_bus_client_position(client);
    vb_bus_client_do(client, job, VB_IFACE_JOB, "Dismiss");
    vb_bus_client_next_signal(client, &position, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER,
                              "InterfacesRemoved");
    g_assert_false(vb_bus_client_has_object(client, job));
}

/* The jobs end before the domain's own change; who waited hears success. */
static void test_destroy(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *domain = vb_bus_client_start_domain(
        client, "alpha", FAULTS("<test:block-job><test:cancel result='never'/></test:block-job>"));
    g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");
    guint position = vb_bus_client_position(client);
    guint32 cancel = send_abort(client, domain, "@a{sv} {}");
    guint32 destroy = vb_bus_client_send(client, domain, VB_IFACE_DOMAIN, "Destroy",
                                         g_variant_new_parsed("(@a{sv} {},)"));
    const VbBusMessage *canceled =
        vb_bus_client_next_signal(client, &position, domain, VB_IFACE_BLOCK, "BlockJobCanceled");
    g_autoptr(GVariant) details = check_signal(canceled, job, "pull", "");
    g_autoptr(GVariant) state =
        vb_bus_client_next_change(client, &position, domain, VB_IFACE_DOMAIN, "State");
    g_autoptr(GVariant) cancel_reply = vb_bus_client_finish(client, cancel);
    g_autoptr(GVariant) destroy_reply = vb_bus_client_finish(client, destroy);

    assert_detail(details, "reason", "'domain-stopped'");
    assert_detail(details, "synthesized", "true");
    g_assert_cmpstr(g_variant_get_string(state, NULL), ==, "shut-off");
}

/* The daemon was killed before it could tell how a job ended, and the domain, which was transient,
 * is gone: the job is shown and finished all the same. */
static void test_orphan(VbBusFixture *fixture)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autofree char *xml =
        vb_bus_test_domain_xml("alpha", FAULTS("<test:block-job duration='0'/>"));
    g_autoptr(GVariant) created =
        vb_bus_client_call(client, VB_PATH_MANAGER, VB_IFACE_MANAGER, "CreateDomain",
                           g_variant_new_parsed("(%s, @a{sv} {})", xml));
    const char *domain, *path;
    guint position = vb_bus_client_position(client);
    g_variant_get(created, "(&o)", &domain);
    g_autofree char *job = start_job(client, domain, "Pull", "@a{sv} {}");

    vb_bus_client_next_signal(client, &position, job, VB_IFACE_JOB, "Finished");
    vb_bus_fixture_kill_daemon(fixture);
    /* As that daemon would have left it some steps before and some after. */
    g_autofree char *uuid = g_strdelimit(g_path_get_basename(domain), "_", '-');
    g_autofree char *directory =
        g_build_filename(vb_bus_fixture_root(fixture), "run/virtbus/domains", uuid, NULL);
    g_autofree char *domain_record = g_build_filename(directory, "domain.record", NULL);
    g_autofree char *live = g_build_filename(directory, "live.xml", NULL);
    g_autofree char *job_record = g_build_filename(directory, "job-1.record", NULL);
    g_autoptr(GKeyFile) record = g_key_file_new();
    g_assert_cmpint(g_unlink(domain_record), ==, 0);
    g_assert_cmpint(g_unlink(live), ==, 0);
    g_assert_true(g_key_file_load_from_file(record, job_record, G_KEY_FILE_NONE, NULL));
    g_key_file_set_boolean(record, "job", "announced", FALSE);
    g_assert_true(g_key_file_save_to_file(record, job_record, NULL));

    position = vb_bus_client_position(client);
    vb_bus_fixture_start_daemon(fixture);
    const VbBusMessage *added = vb_bus_client_next_signal(
        client, &position, VB_PATH_ROOT, VB_IFACE_OBJECT_MANAGER, "InterfacesAdded");
    g_variant_get_child(added->body, 0, "&o", &path);
    g_assert_cmpstr(path, ==, job);
    const VbBusMessage *finished =
        vb_bus_client_next_signal(client, &position, job, VB_IFACE_JOB, "Finished");
    g_autofree char *arguments = g_variant_print(finished->body, FALSE);
    g_assert_cmpstr(arguments, ==, "('completed', '', '')");
    assert_property(client, job, VB_IFACE_JOB, "Result", "'completed'");
    g_assert_false(vb_bus_client_has_object(client, domain));
}

static void run(gconstpointer test)
{
    g_autoptr(VbBusFixture) fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);

    ((void (*)(VbBusFixture *))test)(fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/job/start-order", test_start_order, run);
    g_test_add_data_func("/job/shown", test_shown, run);
    g_test_add_data_func("/job/backup", test_backup, run);
    g_test_add_data_func("/job/start-refused", test_start_refused, run);
    g_test_add_data_func("/job/cancel-order", test_cancel_order, run);
    g_test_add_data_func("/job/cancel-silent", test_cancel_silent, run);
    g_test_add_data_func("/job/cancel-async", test_cancel_async, run);
    g_test_add_data_func("/job/canceler-leaves", test_canceler_leaves, run);
    g_test_add_data_func("/job/abort-refused", test_abort_refused, run);
    g_test_add_data_func("/job/pivot", test_pivot, run);
    g_test_add_data_func("/job/failed", test_failed, run);
    g_test_add_data_func("/job/control", test_control, run);
    g_test_add_data_func("/job/dismiss", test_dismiss, run);
    g_test_add_data_func("/job/destroy", test_destroy, run);
    g_test_add_data_func("/job/orphan", test_orphan, run);
    return g_test_run();
}
