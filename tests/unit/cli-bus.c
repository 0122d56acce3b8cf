/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusctl as it is run: what it calls, prints and exits with, against the mock of virtbusd on a
 * private bus. What it is told by a real daemon is the business of tests/bus. */
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>

#include "cli-mock.h"
#include "remove-tree.h"

static void assert_run(const VbMockRun *run, int status, const char *output, const char *errors)
{
    g_assert_cmpstr(run->errors, ==, errors);
    g_assert_cmpstr(run->output, ==, output);
    g_assert_cmpint(run->status, ==, status);
}

static void run_and_assert(VbMock *mock, const char *words, int status, const char *output,
                           const char *errors)
{
    g_autoptr(VbMockRun) run = vb_mock_run(mock, words);

    assert_run(run, status, output, errors);
}

/* Three domains, listed in another order than they are to be printed in. */
static void add_domains(VbMock *mock)
{
    const char *path;

    vb_mock_add_domain(mock, 0, "zoo", "shut-off");
    path = vb_mock_add_domain(mock, 12, "db", "running");
    vb_mock_set(mock, path, "Title", g_variant_new_string("the data"));
    vb_mock_add_domain(mock, 3, "web", "shutting-down");
    vb_mock_add_domain(mock, 0, "3", "crashed");
}

static void test_list(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    add_domains(mock);
    run_and_assert(mock, "list", 0,
                   " Id   Name   State\n"
                   "--------------------------\n"
                   " 3    web    in shutdown\n"
                   " 12   db     running\n",
                   "");
    run_and_assert(mock, "list --all", 0,
                   " Id   Name   State\n"
                   "--------------------------\n"
                   " 3    web    in shutdown\n"
                   " 12   db     running\n"
                   " -    3      crashed\n"
                   " -    zoo    shut off\n",
                   "");
    run_and_assert(mock, "list --inactive", 0,
                   " Id   Name   State\n"
                   "-----------------------\n"
                   " -    3      crashed\n"
                   " -    zoo    shut off\n",
                   "");
    run_and_assert(mock, "list --title", 0,
                   " Id   Name   State         Title\n"
                   "-------------------------------------\n"
                   " 3    web    in shutdown   \n"
                   " 12   db     running       the data\n",
                   "");
    run_and_assert(mock, "list --all --name", 0, "web\ndb\n3\nzoo\n", "");
    run_and_assert(mock, "list --uuid --name", 0,
                   "00000000-0000-4000-8000-000000000002 web\n"
                   "00000000-0000-4000-8000-000000000001 db\n",
                   "");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==, "");
}

static void test_list_json(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autoptr(VbMockRun) run = NULL;
    g_autoptr(JsonNode) node = NULL;
    g_autoptr(GError) error = NULL;
    JsonArray *array;
    JsonObject *object;

    add_domains(mock);
    run = vb_mock_run(mock, "--json list");
    g_assert_cmpint(run->status, ==, 0);
    node = json_from_string(run->output, &error);
    g_assert_no_error(error);
    array = json_node_get_array(node);
    g_assert_cmpuint(json_array_get_length(array), ==, 2);
    object = json_array_get_object_element(array, 1);
    g_assert_cmpstr(json_object_get_string_member(object, "Name"), ==, "db");
    g_assert_cmpint(json_object_get_int_member(object, "Id"), ==, 12);
    g_assert_false(json_object_get_boolean_member(object, "Persistent"));
    g_assert_cmpstr(json_object_get_string_member(object, "Path"), ==,
                    "/org/virtbus1/domain/00000000_0000_4000_8000_000000000001");
}

/* The domain whose name is "3" is not found by it while another has the id 3. */
static void test_lookup(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    add_domains(mock);
    run_and_assert(mock, "domname 3", 0, "web\n", "");
    run_and_assert(mock, "domname 12", 0, "db\n", "");
    run_and_assert(mock, "domname 00000000-0000-4000-8000-000000000000", 0, "zoo\n", "");
    run_and_assert(mock, "domuuid zoo", 0, "00000000-0000-4000-8000-000000000000\n", "");
    run_and_assert(mock, "domid zoo", 0, "-\n", "");
    run_and_assert(mock, "domid db", 0, "12\n", "");
    run_and_assert(mock, "domid --json db", 0, "12\n", "");
    run_and_assert(mock, "domid 4", 1, "", "error: no domain is called that\n");
    run_and_assert(mock, "domid 00000000-0000-4000-8000-00000000000f", 1, "",
                   "error: no domain is called that\n");
}

static void test_no_daemon(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_leave(mock);
    run = vb_mock_run(mock, "list");
    g_assert_cmpint(run->status, ==, 1);
    g_assert_true(g_str_has_prefix(run->errors, "error: virtbusd is not running on this bus: "));
}

/* There is no daemon: what made a call would exit with 1. */
static void test_usage_errors_call_nobody(void)
{
    static const char *const lines[] = {
        "blockjob vm vda --abort --bandwidth 1",
        "blockjob vm vda --info --async",
        "blockjob vm vda --bandwidth 18446744073709551616",
        "blockpull vm vda 3x",
        "blockpull vm vda --timeout 0",
        "blockcopy vm vda",
        "blockcopy vm vda /x --xml /y",
        "blockcopy vm vda /x --granularity many",
        "blockcommit vm vda --pivot --keep-overlay",
        "event --event everything",
        "list --title --name",
        "lits",
    };
    g_autoptr(VbMock) mock = vb_mock_new();

    vb_mock_leave(mock);
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(VbMockRun) run = vb_mock_run(mock, lines[i]);

        g_assert_cmpint(run->status, ==, 2);
        g_assert_cmpstr(run->output, ==, "");
        g_assert_true(g_str_has_prefix(run->errors, "error: "));
    }
}

static void return_domain(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", data));
}

static void test_define(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 0, "vm", "shut-off");
    g_autoptr(VbMockRun) from_stdin = NULL;
    g_autoptr(VbMockRun) binary = NULL;

    vb_mock_on(mock, "DefineDomain", return_domain, (gpointer)path);
    vb_mock_on(mock, "CreateDomain", return_domain, (gpointer)path);
    vb_mock_spawn(mock, "define -", "<domain/>");
    from_stdin = vb_mock_wait(mock);
    assert_run(from_stdin, 0, "Domain 'vm' defined from -\n", "");
    run_and_assert(mock, "create --paused /dev/null", 0, "Domain 'vm' created from /dev/null\n",
                   "");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==,
                    "DefineDomain ('<domain/>', {})\n"
                    "CreateDomain ('', {'paused': <true>})\n");

    vb_mock_spawn(mock, "define -", "\xff\xfe");
    binary = vb_mock_wait(mock);
    assert_run(binary, 1, "", "error: standard input is not UTF-8 text\n");
}

static void test_actions(void)
{
    static const char *const actions[][3] = {
        {"start vm", "Domain 'vm' started\n", "Start ({},)\n"},
        {"start vm --paused", "Domain 'vm' started\n", "Start ({'paused': <true>},)\n"},
        {"shutdown vm", "Domain 'vm' is being shutdown\n", "Shutdown ({},)\n"},
        {"destroy vm", "Domain 'vm' destroyed\n", "Destroy ({},)\n"},
        {"reboot vm", "Domain 'vm' is being rebooted\n", "Reboot ({},)\n"},
        {"reset vm", "Domain 'vm' was reset\n", "Reset ({},)\n"},
        {"suspend vm", "Domain 'vm' suspended\n", "Suspend ({},)\n"},
        {"resume vm", "Domain 'vm' resumed\n", "Resume ({},)\n"},
        {"undefine vm", "Domain 'vm' has been undefined\n", "Undefine ({},)\n"},
        {"autostart vm", "Domain 'vm' marked as autostarted\n", "SetAutostart (true, {})\n"},
        {"autostart --disable vm", "Domain 'vm' unmarked as autostarted\n",
         "SetAutostart (false, {})\n"},
    };
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autoptr(GString) calls = g_string_new(NULL);
    g_autoptr(VbMockRun) json = NULL;

    vb_mock_add_domain(mock, 0, "vm", "shut-off");
    for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
        run_and_assert(mock, actions[i][0], 0, actions[i][1], "");
        g_string_append(calls, actions[i][2]);
    }
    g_assert_cmpstr(vb_mock_get_calls(mock), ==, calls->str);
    json = vb_mock_run(mock, "--json start vm");
    g_assert_nonnull(strstr(json->output, "\"Name\":\"vm\""));
    g_assert_nonnull(strstr(json->output, "\"Path\":\"/org/virtbus1/domain/00000000_0000_4"));
}

static void refuse(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    g_dbus_method_invocation_return_dbus_error(invocation, data, "the daemon's own words");
}

/* A person has to agree, and does. */
static void ask_person(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    GDBusMessage *message = g_dbus_method_invocation_get_message(invocation);

    if (g_dbus_message_get_flags(message) & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION)
        g_dbus_method_invocation_return_value(invocation, NULL);
    else
        refuse(mock, invocation,
               (gpointer) "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired");
}

static void test_person(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    vb_mock_add_domain(mock, 0, "vm", "shut-off");
    vb_mock_on(mock, "Start", ask_person, NULL);
    run_and_assert(mock, "start vm", 0, "Domain 'vm' started\n", "");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==, "Start ({},)\nStart ({},)\n");
}

static char *read_log(const char *dir)
{
    g_autofree char *path = g_build_filename(dir, "log", NULL);
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

/* As ask_person(); the agent must be there before we are asked on a person's behalf. */
static void ask_at_terminal(VbMock *mock, GDBusMethodInvocation *invocation, gpointer dir)
{
    g_autofree char *log = read_log(dir);
    GDBusMessage *message = g_dbus_method_invocation_get_message(invocation);

    if (g_dbus_message_get_flags(message) & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION)
        g_assert_nonnull(log);
    else
        g_assert_null(log);
    ask_person(mock, invocation, NULL);
}

/* An agent that says how it was called, that it is there, and when it is told to end. */
static const char fake_agent[] = "#!/bin/sh\n"
                                 "dir=$(dirname \"$0\")\n"
                                 "trap 'kill $!; echo ended >>\"$dir/log\"; exit' TERM\n"
                                 "tail -f /dev/null 3>&- &\n"
                                 "echo \"$* on $DBUS_SYSTEM_BUS_ADDRESS\" >\"$dir/log\"\n"
                                 "exec 3>&-\n"
                                 "wait\n";

/* On a terminal polkit's text agent is started, on the right bus, and ends with us. */
static void test_person_at_terminal(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autofree char *dir = g_dir_make_tmp("virtbus-cli-XXXXXX", NULL);
    g_autofree char *agent = g_build_filename(dir, "pkttyagent", NULL);
    g_autofree char *path = g_strconcat(dir, ":", g_getenv("PATH"), NULL);
    g_autofree char *expected =
        g_strdup_printf("--notify-fd 3 --fallback on %s\nended\n", vb_mock_address(mock));
    g_autofree char *log = NULL;
    g_autoptr(VbMockRun) run = NULL;

    g_assert_true(
        g_file_set_contents_full(agent, fake_agent, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    vb_mock_add_domain(mock, 0, "vm", "shut-off");
    vb_mock_on(mock, "Start", ask_at_terminal, dir);
    run = vb_mock_run_at_terminal(mock, "start vm", path);
    assert_run(run, 0, "Domain 'vm' started\r\n", "");
    log = read_log(dir);
    g_assert_cmpstr(log, ==, expected);
    vb_remove_tree(dir);
}

static void test_daemon_refuses(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    vb_mock_add_domain(mock, 0, "vm", "shut-off");
    vb_mock_on(mock, "Start", refuse, (gpointer) "org.virtbus1.Error.Busy");
    run_and_assert(mock, "start vm", 1, "", "error: the daemon's own words\n");
    /* Wrong for the daemon, but the command line was understood. */
    vb_mock_on(mock, "Start", refuse, (gpointer) "org.freedesktop.DBus.Error.InvalidArgs");
    run_and_assert(mock, "start vm", 1, "", "error: the daemon's own words\n");
}

static void test_info(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 2, "vm", "paused");

    vb_mock_set(mock, path, "StateReason", g_variant_new_string("io-error"));
    vb_mock_set(mock, path, "OsType", g_variant_new_string("hvm"));
    vb_mock_set(mock, path, "Vcpus", g_variant_new_uint32(4));
    vb_mock_set(mock, path, "MemoryMax", g_variant_new_uint64(G_GUINT64_CONSTANT(8) << 30));
    vb_mock_set(mock, path, "MemoryCurrent", g_variant_new_uint64(2 << 20));
    vb_mock_set(mock, path, "Persistent", g_variant_new_boolean(TRUE));
    vb_mock_set(mock, path, "Disks",
                g_variant_new_parsed("[('vda', 'disk', 'virtio', '/d/a.qcow2',"
                                     "  {'type': <'file'>, 'format': <'qcow2'>}),"
                                     " ('sda', 'cdrom', 'sata', '', @a{sv} {})]"));
    run_and_assert(mock, "dominfo vm", 0,
                   "Id:             2\n"
                   "Name:           vm\n"
                   "UUID:           00000000-0000-4000-8000-000000000000\n"
                   "OS Type:        hvm\n"
                   "State:          paused\n"
                   "CPU(s):         4\n"
                   "Max memory:     8388608 KiB\n"
                   "Used memory:    2048 KiB\n"
                   "Persistent:     yes\n"
                   "Autostart:      disable\n",
                   "");
    run_and_assert(mock, "domstate vm", 0, "paused\n", "");
    run_and_assert(mock, "domstate vm --reason", 0, "paused (I/O error)\n", "");
    run_and_assert(mock, "domblklist vm", 0,
                   " Target   Source\n"
                   "----------------------\n"
                   " vda      /d/a.qcow2\n"
                   " sda      -\n",
                   "");
    run_and_assert(mock, "domblklist vm --details", 0,
                   " Type   Device   Target   Source\n"
                   "--------------------------------------\n"
                   " file   disk     vda      /d/a.qcow2\n"
                   " -      cdrom    sda      -\n",
                   "");
}

static void return_verdicts(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    g_dbus_method_invocation_return_value(
        invocation, g_variant_new_parsed("({'org.virtbus1.domain.operate': 'yes', "
                                         "'org.virtbus1.domain.manage': 'challenge', "
                                         "'org.virtbus1.domain.host-access': 'no'},)"));
}

static void test_verdicts(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autofree char *calls = NULL;
    const char *path = vb_mock_add_domain(mock, 0, "vm", "shut-off");

    vb_mock_on(mock, "CheckActions", return_verdicts, NULL);
    run_and_assert(mock, "actions vm", 0,
                   " Action                            Allowed\n"
                   "-------------------------------------------------------\n"
                   " org.virtbus1.domain.operate       yes\n"
                   " org.virtbus1.domain.manage        when authenticated\n"
                   " org.virtbus1.domain.host-access   no\n",
                   "");
    run_and_assert(mock, "--json actions", 0,
                   "{\"org.virtbus1.domain.operate\":\"yes\","
                   "\"org.virtbus1.domain.manage\":\"challenge\","
                   "\"org.virtbus1.domain.host-access\":\"no\"}\n",
                   "");
    calls = g_strdup_printf("CheckActions ('%s', [], {})\n"
                            "CheckActions ('" VB_MOCK_MANAGER "', [], {})\n",
                            path);
    g_assert_cmpstr(vb_mock_get_calls(mock), ==, calls);
}

static void return_stats(VbMock *mock, GDBusMethodInvocation *invocation, gpointer path)
{
    g_dbus_method_invocation_return_value(
        invocation,
        g_variant_new_parsed("({%o: {'state.state': <'running'>, 'cpu.time': <uint64 5>}, "
                             "objectpath '/new': @a{sv} {}},)",
                             path));
}

static void test_domstats(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 2, "vm", "running");
    g_autofree char *calls = NULL;

    vb_mock_add_domain(mock, 0, "gone", "shut-off");
    vb_mock_on(mock, "GetStats", return_stats, (gpointer)path);
    run_and_assert(mock, "domstats", 0, "Domain: 'vm'\n  state.state=running\n  cpu.time=5\n\n",
                   "");
    run_and_assert(mock, "--json domstats vm --cpu-total --state", 0,
                   "[{\"state.state\":\"running\",\"cpu.time\":5,\"Name\":\"vm\"}]\n", "");
    calls = g_strdup_printf("GetStats ([], [], {})\n"
                            "GetStats (['%s'], ['state', 'cpu-total'], {})\n",
                            path);
    g_assert_cmpstr(vb_mock_get_calls(mock), ==, calls);
}

static void return_xml(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(s)", data));
}

static void test_dumpxml(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    vb_mock_add_domain(mock, 0, "vm", "shut-off");
    vb_mock_on(mock, "GetXml", return_xml, (gpointer) "<domain>ä</domain>\n");
    run_and_assert(mock, "dumpxml vm", 0, "<domain>ä</domain>\n", "");
    run_and_assert(mock, "dumpxml vm --inactive", 0, "<domain>ä</domain>\n", "");
    run_and_assert(mock, "dumpxml vm --security-info", 0, "<domain>ä</domain>\n", "");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==,
                    "GetXml ({},)\n"
                    "GetXml ({'inactive': <true>},)\n"
                    "GetXml ({'secure': <true>},)\n");
}

/* ---- blockjob ---- */

/* A domain with a job on vda, 45 % done, limited to 300 KiB/s. */
static const char *add_domain_with_job(VbMock *mock)
{
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");

    vb_mock_set(mock, path, "Disks",
                g_variant_new_parsed("[('vda', 'disk', 'virtio', '/a', @a{sv} {}),"
                                     " ('vdb', 'disk', 'virtio', '/b', @a{sv} {})]"));
    vb_mock_set(mock, path, "BlockJobs", g_variant_new_parsed("{'vda': %o}", VB_MOCK_JOB));
    vb_mock_set(mock, VB_MOCK_JOB, "Type", g_variant_new_string("pull"));
    vb_mock_set(mock, VB_MOCK_JOB, "Current", g_variant_new_uint64(45));
    vb_mock_set(mock, VB_MOCK_JOB, "Total", g_variant_new_uint64(100));
    vb_mock_set(mock, VB_MOCK_JOB, "Bandwidth", g_variant_new_uint64(307200));
    return path;
}

static void test_blockjob_info(void)
{
    static const char summary[] =
        "Block Pull: [ 45 %]    Bandwidth limit: 307200 bytes/s (0.293 MiB/s)\n";
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autoptr(VbMockRun) json = NULL;

    add_domain_with_job(mock);
    run_and_assert(mock, "blockjob vm vda", 0, summary, "");
    run_and_assert(mock, "blockjob vm /a --info", 0, summary, "");
    run_and_assert(mock, "blockjob vm vda --raw", 0,
                   " type=Block Pull\n bandwidth=1\n cur=45\n end=100\n", "");
    run_and_assert(mock, "blockjob vm vda --raw --bytes", 0,
                   " type=Block Pull\n bandwidth=307200\n cur=45\n end=100\n", "");
    run_and_assert(mock, "blockjob vm vdb", 0, "No current block job for vdb\n", "");
    run_and_assert(mock, "blockjob vm vdb --json", 0, "null\n", "");
    run_and_assert(mock, "blockjob vm vdc", 1, "", "error: domain 'vm' has no disk 'vdc'\n");
    json = vb_mock_run(mock, "blockjob vm vda --json");
    g_assert_nonnull(strstr(json->output, "\"Type\":\"pull\""));
    g_assert_nonnull(strstr(json->output, "\"Bandwidth\":307200"));
    g_assert_cmpstr(vb_mock_get_calls(mock), ==, "");
}

static void test_blockjob_bandwidth(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    add_domain_with_job(mock);
    run_and_assert(mock, "blockjob vm vda --bandwidth 300K", 0, "", "");
    run_and_assert(mock, "blockjob vm vda 2", 0, "", "");
    run_and_assert(mock, "blockjob vm vda 0", 0, "", "");
    run_and_assert(mock, "blockjob vm vdb 2", 1, "", "error: no current block job for vdb\n");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==,
                    "SetBandwidth (307200, {})\n"
                    "SetBandwidth (2097152, {})\n"
                    "SetBandwidth (0, {})\n");
}

static void test_blockjob_abort(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    add_domain_with_job(mock);
    run_and_assert(mock, "blockjob vm vda --abort", 0, "Block job canceled\n", "");
    run_and_assert(mock, "blockjob vm vda --async", 0, "Block job cancel requested\n", "");
    run_and_assert(mock, "blockjob vm vda --pivot", 0, "Successfully pivoted\n", "");
    run_and_assert(mock, "blockjob vm vda --force", 0, "Block job canceled\n", "");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==,
                    "AbortJob ('vda', {})\n"
                    "AbortJob ('vda', {'async': <true>})\n"
                    "AbortJob ('vda', {'pivot': <true>})\n"
                    "AbortJob ('vda', {'force': <true>})\n");
    vb_mock_on(mock, "AbortJob", refuse, (gpointer) "org.virtbus1.Error.NoBlockJob");
    run_and_assert(mock, "blockjob vm vdb --abort", 1, "", "error: the daemon's own words\n");
}

/* ---- starting and waiting ---- */

static void return_job(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_return_job(invocation);
}

/* The end comes right behind the reply: who subscribed only then would never hear of it. */
static void complete_at_once(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_return_job(invocation);
    vb_mock_emit_block_job(mock, data, "BlockJobCompleted", "", FALSE, FALSE);
}

static void fail_at_once(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_return_job(invocation);
    vb_mock_emit_block_job(mock, data, "BlockJobFailed", "No space left on device", FALSE, FALSE);
}

static void ready_at_once(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_return_job(invocation);
    vb_mock_emit_block_job(mock, data, "BlockJobReady", "", FALSE, FALSE);
}

static void return_nothing(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static void cancel(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_emit_block_job(mock, data, "BlockJobCanceled", "", FALSE, FALSE);
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static void cancel_consistently(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_emit_block_job(mock, data, "BlockJobCanceled", "", FALSE, TRUE);
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static void pivot(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_emit_block_job(mock, data, "BlockJobCompleted", "", TRUE, FALSE);
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static void test_start_only(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autoptr(VbMockRun) json = NULL;

    vb_mock_add_domain(mock, 1, "vm", "running");
    vb_mock_on(mock, "Pull", return_job, NULL);
    vb_mock_on(mock, "Copy", return_job, NULL);
    vb_mock_on(mock, "Commit", return_job, NULL);
    run_and_assert(mock, "blockpull vm vda 300K --base /b", 0, "Block Pull started\n", "");
    run_and_assert(mock, "blockcopy vm vda --dest /x'y --format qcow2 --shallow --buf-size 1M", 0,
                   "Block Copy started\n", "");
    run_and_assert(mock, "blockcommit vm vda --top /t --delete", 0, "Block Commit started\n", "");
    json = vb_mock_run(mock, "blockcommit vm vda --active --json");
    g_assert_nonnull(strstr(json->output, "\"Job\":\"" VB_MOCK_JOB "\""));
    g_assert_nonnull(strstr(json->output, "\"State\":\"started\""));
    g_assert_cmpstr(vb_mock_get_calls(mock), ==,
                    "Pull ('vda', {'bandwidth': <uint64 307200>, 'base': <'/b'>})\n"
                    "Copy ('vda', \"<disk type='file'><driver type='qcow2'/>"
                    "<source file='/x&apos;y'/></disk>\", "
                    "{'buffer-size': <uint64 1048576>, 'shallow': <true>})\n"
                    "Commit ('vda', {'delete': <true>, 'top': <'/t'>})\n"
                    "Commit ('vda', {'active': <true>})\n");
}

static void test_wait_completed(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");

    vb_mock_on(mock, "Pull", complete_at_once, (gpointer)path);
    run_and_assert(mock, "blockpull vm vda --wait", 0, "Pull complete\n", "");
    run_and_assert(mock, "blockpull vm vda --verbose", 0, "Pull complete\n",
                   "\rBlock Pull: [100 %]\n");
}

static void test_wait_failed(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autoptr(VbMockRun) json = NULL;

    vb_mock_on(mock, "Pull", fail_at_once, (gpointer)path);
    run_and_assert(mock, "blockpull vm vda --wait", 1, "",
                   "error: Pull failed: No space left on device\n");
    json = vb_mock_run(mock, "blockpull vm vda --wait --json");
    g_assert_cmpint(json->status, ==, 1);
    g_assert_nonnull(strstr(json->output, "\"State\":\"failed\""));
    vb_mock_on(mock, "Pull", refuse, (gpointer) "org.virtbus1.Error.Busy");
    run_and_assert(mock, "blockpull vm vda --wait", 1, "", "error: the daemon's own words\n");
}

static void test_wait_progress(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_set(mock, VB_MOCK_JOB, "Current", g_variant_new_uint64(10));
    vb_mock_set(mock, VB_MOCK_JOB, "Total", g_variant_new_uint64(100));
    vb_mock_on(mock, "Pull", return_job, NULL);
    vb_mock_spawn(mock, "blockpull vm vda --verbose", NULL);
    vb_mock_wait_for_text(mock, "Block Pull: [ 10 %]");
    /* Only what changed is in the signal. */
    vb_mock_emit(mock, VB_MOCK_JOB, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                 g_variant_new_parsed("('org.virtbus1.Job', {'Current': <uint64 60>}, @as [])"));
    vb_mock_wait_for_text(mock, "Block Pull: [ 60 %]");
    vb_mock_emit_block_job(mock, path, "BlockJobCompleted", "", FALSE, FALSE);
    run = vb_mock_wait(mock);
    assert_run(run, 0, "Pull complete\n",
               "\rBlock Pull: [ 10 %]\rBlock Pull: [ 60 %]\rBlock Pull: [100 %]\n");
}

static void test_wait_ready(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");

    vb_mock_on(mock, "Copy", ready_at_once, (gpointer)path);
    vb_mock_on(mock, "Commit", ready_at_once, (gpointer)path);
    run_and_assert(mock, "blockcopy vm vda /x --wait", 0, "Now in mirroring phase\n", "");
    run_and_assert(mock, "blockcommit vm vda --active --wait", 0, "Now in synchronized phase\n",
                   "");
}

static void test_wait_pivot(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");

    vb_mock_on(mock, "Copy", ready_at_once, (gpointer)path);
    vb_mock_on(mock, "Pivot", pivot, (gpointer)path);
    run_and_assert(mock, "blockcopy vm vda /x --pivot", 0, "Successfully pivoted\n", "");
    g_assert_true(g_str_has_suffix(vb_mock_get_calls(mock), "\nPivot ({},)\n"));
    vb_mock_on(mock, "Pivot", refuse, (gpointer) "org.virtbus1.Error.Hypervisor");
    run_and_assert(mock, "blockcopy vm vda /x --pivot", 1, "",
                   "error: cannot pivot the job, which goes on: the daemon's own words\n");
}

static void test_wait_finish(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");

    vb_mock_on(mock, "Copy", ready_at_once, (gpointer)path);
    vb_mock_on(mock, "Commit", ready_at_once, (gpointer)path);
    vb_mock_on(mock, "Cancel", cancel_consistently, (gpointer)path);
    run_and_assert(mock, "blockcopy vm vda /x --finish", 0, "Successfully copied\n", "");
    run_and_assert(mock, "blockcommit vm vda --keep-overlay", 0,
                   "Commit complete, overlay image kept\n", "");
    vb_mock_on(mock, "Cancel", cancel, (gpointer)path);
    run_and_assert(mock, "blockcopy vm vda /x --finish", 1, "",
                   "error: Copy canceled: requested\n");
}

/* ---- giving up ---- */

static const char canceling[] = "Canceling the job; interrupt again to leave it alone\n";

static void interrupt_start(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_return_job(invocation);
    vb_mock_signal(mock, SIGINT);
}

static void test_interrupt(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autofree char *errors = g_strconcat(canceling, "error: Pull canceled (interrupted)\n", NULL);

    vb_mock_on(mock, "Pull", interrupt_start, NULL);
    vb_mock_on(mock, "Cancel", cancel, (gpointer)path);
    run_and_assert(mock, "blockpull vm vda --wait", 1, "", errors);
    g_assert_cmpstr(vb_mock_get_calls(mock), ==, "Pull ('vda', {})\nCancel ({},)\n");
}

static void complete_instead(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_emit_block_job(mock, data, "BlockJobCompleted", "", FALSE, FALSE);
    g_dbus_method_invocation_return_dbus_error(invocation, "org.virtbus1.Error.NoBlockJob",
                                               "finished before it could be canceled");
}

static void test_interrupt_too_late(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");

    vb_mock_on(mock, "Pull", interrupt_start, NULL);
    vb_mock_on(mock, "Cancel", complete_instead, (gpointer)path);
    run_and_assert(mock, "blockpull vm vda --wait", 0, "Pull complete\n", canceling);
}

static void test_interrupt_refused(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autofree char *errors = g_strconcat(
        canceling, "error: cannot cancel the job, which goes on: the daemon's own words\n", NULL);

    vb_mock_add_domain(mock, 1, "vm", "running");
    vb_mock_on(mock, "Pull", interrupt_start, NULL);
    vb_mock_on(mock, "Cancel", refuse, (gpointer) "org.freedesktop.DBus.Error.AccessDenied");
    run_and_assert(mock, "blockpull vm vda --wait", 1, "", errors);
}

/* Somebody's pivot is pending: what comes of that is what really happened. */
static void test_interrupt_while_ending(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_on(mock, "Copy", interrupt_start, NULL);
    vb_mock_on(mock, "Cancel", refuse, (gpointer) "org.virtbus1.Error.BlockJobEnding");
    vb_mock_spawn(mock, "blockcopy vm vda /x --pivot", NULL);
    vb_mock_wait_for_text(mock, "waiting for its end");
    vb_mock_emit_block_job(mock, path, "BlockJobCompleted", "", TRUE, FALSE);
    run = vb_mock_wait(mock);
    g_assert_cmpstr(run->output, ==, "Successfully pivoted\n");
    g_assert_cmpint(run->status, ==, 0);
}

/* The cancel hangs; a second Ctrl-C ends the command as if it caught no signals. */
static void keep_waiting(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_signal(mock, SIGINT);
    g_object_unref(invocation);
}

static void test_interrupt_twice(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    vb_mock_add_domain(mock, 1, "vm", "running");
    vb_mock_on(mock, "Pull", interrupt_start, NULL);
    vb_mock_on(mock, "Cancel", keep_waiting, NULL);
    run_and_assert(mock, "blockpull vm vda --wait", -SIGINT, "", canceling);
}

static void test_timeout(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");

    vb_mock_on(mock, "Pull", return_job, NULL);
    vb_mock_on(mock, "Cancel", cancel, (gpointer)path);
    run_and_assert(mock, "blockpull vm vda --timeout 1", 1, "",
                   "error: Pull canceled (timed out)\n");
    vb_mock_on(mock, "Cancel", return_nothing, NULL);
    run_and_assert(mock, "blockpull vm vda --timeout 1 --async", 1, "",
                   "error: Pull: cancel requested (timed out), its end was not waited for\n");
    g_assert_cmpstr(vb_mock_get_calls(mock), ==,
                    "Pull ('vda', {})\nCancel ({},)\n"
                    "Pull ('vda', {})\nCancel ({'async': <true>},)\n");
}

/* ---- a daemon that goes away ---- */

static const char left[] = "virtbusd left the bus; waiting for it to come back\n";

static void test_restart_signal(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_set(mock, VB_MOCK_JOB, "Total", g_variant_new_uint64(100));
    vb_mock_on(mock, "Pull", return_job, NULL);
    vb_mock_spawn(mock, "blockpull vm vda --verbose", NULL);
    vb_mock_wait_for_text(mock, "[  0 %]");
    vb_mock_leave(mock);
    vb_mock_wait_for_text(mock, left);
    vb_mock_return(mock);
    vb_mock_emit_block_job(mock, path, "BlockJobFailed", "the disk is gone", FALSE, FALSE);
    run = vb_mock_wait(mock);
    g_assert_cmpint(run->status, ==, 1);
    g_assert_true(g_str_has_suffix(run->errors, "error: Pull failed: the disk is gone\n"));
}

/* The job ended while nobody was listening to the old daemon, and the new one has said so already.
 */
static void test_restart_result(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_add_domain(mock, 1, "vm", "running");
    vb_mock_set(mock, VB_MOCK_JOB, "Total", g_variant_new_uint64(100));
    vb_mock_on(mock, "Pull", return_job, NULL);
    vb_mock_spawn(mock, "blockpull vm vda --verbose", NULL);
    vb_mock_wait_for_text(mock, "[  0 %]");
    vb_mock_leave(mock);
    vb_mock_wait_for_text(mock, left);
    vb_mock_set(mock, VB_MOCK_JOB, "State", g_variant_new_string("concluded"));
    vb_mock_set(mock, VB_MOCK_JOB, "Result", g_variant_new_string("completed"));
    vb_mock_return(mock);
    run = vb_mock_wait(mock);
    g_assert_cmpstr(run->output, ==, "Pull complete\n");
    g_assert_cmpint(run->status, ==, 0);
}

/* The pivot died with the daemon: the new one finds the job ready and is asked again. */
static void leave_at_pivot(VbMock *mock, GDBusMethodInvocation *invocation, gpointer data)
{
    vb_mock_on(mock, "Pivot", pivot, data);
    g_object_unref(invocation);
    vb_mock_leave(mock);
}

static void test_restart_pivot(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_on(mock, "Copy", ready_at_once, (gpointer)path);
    vb_mock_on(mock, "Pivot", leave_at_pivot, (gpointer)path);
    vb_mock_spawn(mock, "blockcopy vm vda /x --pivot", NULL);
    vb_mock_wait_for_text(mock, left);
    vb_mock_set(mock, VB_MOCK_JOB, "State", g_variant_new_string("ready"));
    vb_mock_return(mock);
    run = vb_mock_wait(mock);
    assert_run(run, 0, "Successfully pivoted\n", left);
    g_assert_true(g_str_has_suffix(vb_mock_get_calls(mock), "\nPivot ({},)\nPivot ({},)\n"));
}

/* First the daemon, then the bus: nobody can come back. */
static void test_bus_gone(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_add_domain(mock, 1, "vm", "running");
    vb_mock_set(mock, VB_MOCK_JOB, "Total", g_variant_new_uint64(100));
    vb_mock_on(mock, "Pull", return_job, NULL);
    vb_mock_spawn(mock, "blockpull vm vda --verbose", NULL);
    vb_mock_wait_for_text(mock, "[  0 %]");
    vb_mock_leave(mock);
    vb_mock_wait_for_text(mock, left);
    vb_mock_kill_bus(mock);
    run = vb_mock_wait(mock);
    g_assert_cmpint(run->status, ==, 1);
    g_assert_true(
        g_str_has_suffix(run->errors, "error: the bus is gone, and with it the job's outcome\n"));
}

/* ---- event ---- */

static void emit_lifecycle(VbMock *mock, const char *path, const char *event, const char *reason)
{
    vb_mock_emit(mock, path, "org.virtbus1.Domain", "Lifecycle",
                 g_variant_new("(ssa{sv})", event, reason, NULL));
}

static void test_event_once(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_spawn(mock, "event --event lifecycle", NULL);
    vb_mock_wait_for_listing(mock);
    emit_lifecycle(mock, path, "started", "booted");
    run = vb_mock_wait(mock);
    assert_run(run, 0, "event 'lifecycle' for domain 'vm': started booted\nevents received: 1\n",
               "");
}

static void test_event_loop(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *other = vb_mock_add_domain(mock, 2, "other", "running");
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autoptr(VbMockRun) run = NULL;

    vb_mock_spawn(mock, "event --loop --domain vm", NULL);
    vb_mock_wait_for_listing(mock);
    emit_lifecycle(mock, other, "crashed", "");
    vb_mock_emit_block_job(mock, path, "BlockJobFailed", "No space", FALSE, FALSE);
    vb_mock_emit_block_job(mock, path, "BlockJobCanceled", "", FALSE, FALSE);
    emit_lifecycle(mock, path, "undefined", "");
    vb_mock_wait_for_text(mock, "undefined");
    vb_mock_signal(mock, SIGTERM);
    run = vb_mock_wait(mock);
    g_assert_cmpint(run->status, ==, 0);
    g_assert_cmpstr(run->output, ==,
                    "event 'block-job' for domain 'vm': Block Pull for vda failed: No space\n"
                    "event 'block-job' for domain 'vm': Block Pull for vda canceled\n"
                    "event 'lifecycle' for domain 'vm': undefined\n"
                    "event loop interrupted\n"
                    "events received: 3\n");
}

static void test_event_json(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();
    const char *path = vb_mock_add_domain(mock, 1, "vm", "running");
    g_autoptr(VbMockRun) run = NULL;
    g_autoptr(JsonNode) node = NULL;
    g_autoptr(GError) error = NULL;
    JsonObject *object;

    vb_mock_spawn(mock, "event --loop --json", NULL);
    vb_mock_wait_for_listing(mock);
    vb_mock_emit_block_job(mock, path, "BlockJobCanceled", "", FALSE, TRUE);
    vb_mock_wait_for_text(mock, "BlockJobCanceled");
    vb_mock_signal(mock, SIGINT);
    run = vb_mock_wait(mock);
    g_assert_cmpint(run->status, ==, 0);
    g_assert_true(strchr(run->output, '\n') == run->output + strlen(run->output) - 1);
    node = json_from_string(run->output, &error);
    g_assert_no_error(error);
    object = json_node_get_object(node);
    g_assert_cmpstr(json_object_get_string_member(object, "Event"), ==, "block-job");
    g_assert_cmpstr(json_object_get_string_member(object, "Signal"), ==, "BlockJobCanceled");
    g_assert_cmpstr(json_object_get_string_member(object, "Domain"), ==, "vm");
    object = json_object_get_object_member(object, "Details");
    g_assert_true(json_object_get_boolean_member(object, "consistent"));
}

static void test_event_none(void)
{
    g_autoptr(VbMock) mock = vb_mock_new();

    run_and_assert(mock, "event --timeout 1", 1, "",
                   "error: event loop timed out before an event came\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    vb_mock_set_program(argv[1]);
    g_test_add_func("/cli/bus/person", test_person);
    g_test_add_func("/cli/bus/person-at-terminal", test_person_at_terminal);
    g_test_add_func("/cli/bus/verdicts", test_verdicts);
    g_test_add_func("/cli/bus/list", test_list);
    g_test_add_func("/cli/bus/list-json", test_list_json);
    g_test_add_func("/cli/bus/domstats", test_domstats);
    g_test_add_func("/cli/bus/lookup", test_lookup);
    g_test_add_func("/cli/bus/no-daemon", test_no_daemon);
    g_test_add_func("/cli/bus/usage-errors-call-nobody", test_usage_errors_call_nobody);
    g_test_add_func("/cli/bus/define", test_define);
    g_test_add_func("/cli/bus/actions", test_actions);
    g_test_add_func("/cli/bus/daemon-refuses", test_daemon_refuses);
    g_test_add_func("/cli/bus/info", test_info);
    g_test_add_func("/cli/bus/dumpxml", test_dumpxml);
    g_test_add_func("/cli/bus/blockjob/info", test_blockjob_info);
    g_test_add_func("/cli/bus/blockjob/bandwidth", test_blockjob_bandwidth);
    g_test_add_func("/cli/bus/blockjob/abort", test_blockjob_abort);
    g_test_add_func("/cli/bus/start-only", test_start_only);
    g_test_add_func("/cli/bus/wait/completed", test_wait_completed);
    g_test_add_func("/cli/bus/wait/failed", test_wait_failed);
    g_test_add_func("/cli/bus/wait/progress", test_wait_progress);
    g_test_add_func("/cli/bus/wait/ready", test_wait_ready);
    g_test_add_func("/cli/bus/wait/pivot", test_wait_pivot);
    g_test_add_func("/cli/bus/wait/finish", test_wait_finish);
    g_test_add_func("/cli/bus/interrupt/canceled", test_interrupt);
    g_test_add_func("/cli/bus/interrupt/too-late", test_interrupt_too_late);
    g_test_add_func("/cli/bus/interrupt/refused", test_interrupt_refused);
    g_test_add_func("/cli/bus/interrupt/while-ending", test_interrupt_while_ending);
    g_test_add_func("/cli/bus/interrupt/twice", test_interrupt_twice);
    g_test_add_func("/cli/bus/timeout", test_timeout);
    g_test_add_func("/cli/bus/restart/signal", test_restart_signal);
    g_test_add_func("/cli/bus/restart/result", test_restart_result);
    g_test_add_func("/cli/bus/restart/pivot", test_restart_pivot);
    g_test_add_func("/cli/bus/bus-gone", test_bus_gone);
    g_test_add_func("/cli/bus/event/once", test_event_once);
    g_test_add_func("/cli/bus/event/loop", test_event_loop);
    g_test_add_func("/cli/bus/event/json", test_event_json);
    g_test_add_func("/cli/bus/event/none", test_event_none);
    return g_test_run();
}
