/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtbusctl against the real daemon and its test driver: that both mean the same by what
 * data/dbus-interfaces says, and that waiting for a block job tells what really became of it. */
#include <signal.h>
#include <string.h>

#include "bus-fixture.h"

/* What stands in for %s are the orders to the test driver. */
static const char definition[] =
    "<domain type='test'><name>vm</name><uuid>5f6f2e40-0000-4000-8000-000000000001</uuid>"
    "<metadata><t:faults xmlns:t='https://virtbus.org/xmlns/test/1'>%s</t:faults></metadata>"
    "<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>hvm</type></os><devices>"
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
    "<source file='/a.qcow2'/><backingStore type='file'><format type='qcow2'/>"
    "<source file='/base.qcow2'/><backingStore/></backingStore>"
    "<target dev='vda' bus='virtio'/></disk></devices></domain>";

static const char domain_path[] = "/org/virtbus1/domain/5f6f2e40_0000_4000_8000_000000000001";

static const char *program;

static GSubprocess *spawn(VbBusFixture *fixture, const char *words)
{
    g_autofree char *line =
        g_strdup_printf("%s --address=%s %s", program, vb_bus_fixture_address(fixture), words);
    g_auto(GStrv) argv = g_strsplit(line, " ", -1);

    return vb_bus_fixture_spawn(fixture, (const char *const *)argv,
                                G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
}

static char *read_to_end(GInputStream *stream)
{
    g_autoptr(GOutputStream) memory = g_memory_output_stream_new_resizable();
    g_autoptr(GError) error = NULL;

    g_output_stream_splice(memory, stream, G_OUTPUT_STREAM_SPLICE_NONE, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(g_output_stream_write_all(memory, "", 1, NULL, NULL, NULL));
    g_assert_true(g_output_stream_close(memory, NULL, NULL));
    return g_memory_output_stream_steal_data(G_MEMORY_OUTPUT_STREAM(memory));
}

/* What it printed. It has few lines to say, which fit the pipe. */
static char *finish(VbBusFixture *fixture, GSubprocess *process, int status)
{
    int ended = vb_bus_fixture_wait_exit(fixture, process);
    g_autofree char *text = read_to_end(g_subprocess_get_stdout_pipe(process));

    if (ended != status)
        g_test_message("it printed: %s", text);
    g_assert_cmpint(ended, ==, status);
    return g_steal_pointer(&text);
}

static void run(VbBusFixture *fixture, const char *words, int status, const char *output)
{
    g_autoptr(GSubprocess) process = spawn(fixture, words);
    g_autofree char *text = finish(fixture, process, status);

    g_assert_cmpstr(text, ==, output);
}

static VbBusFixture *start_domain(const char *orders)
{
    VbBusFixture *fixture = vb_bus_fixture_new(VB_BUS_FIXTURE_NONE);
    g_autofree char *file = g_build_filename(vb_bus_fixture_dir(fixture), "vm.xml", NULL);
    g_autoptr(GString) xml = g_string_new(definition);
    g_autofree char *define = g_strconcat("define ", file, NULL);
    g_autofree char *defined = g_strdup_printf("Domain 'vm' defined from %s\n", file);
    g_autoptr(GError) error = NULL;

    g_string_replace(xml, "%s", orders, 1);
    g_file_set_contents(file, xml->str, -1, &error);
    g_assert_no_error(error);
    run(fixture, define, 0, defined);
    run(fixture, "start vm", 0, "Domain 'vm' started\n");
    return fixture;
}

static void wait_for(VbBusFixture *fixture, guint *position, const char *signal_name)
{
    vb_bus_client_next_signal(vb_bus_fixture_client(fixture), position, domain_path, VB_IFACE_BLOCK,
                              signal_name);
}

/* The job is on the bus, and who started it was told so: the reply follows the change, and ours to
 * a call that was made later follows that. */
static void wait_for_job(VbBusFixture *fixture, guint *position)
{
    VbBusClient *client = vb_bus_fixture_client(fixture);
    g_autoptr(GVariant) jobs =
        vb_bus_client_next_change(client, position, domain_path, VB_IFACE_DOMAIN, "BlockJobs");
    g_autoptr(GVariant) reply =
        vb_bus_client_call(client, domain_path, VB_IFACE_PEER, "Ping", NULL);

    g_assert_nonnull(jobs);
}

static void test_life(void)
{
    g_autoptr(VbBusFixture) fixture = start_domain("");

    run(fixture, "list --all", 0,
        " Id   Name   State\n----------------------\n 1    vm     running\n");
    run(fixture, "domname 1", 0, "vm\n");
    run(fixture, "domuuid 1", 0, "5f6f2e40-0000-4000-8000-000000000001\n");
    run(fixture, "suspend vm", 0, "Domain 'vm' suspended\n");
    run(fixture, "domstate vm --reason", 0, "paused (user)\n");
    run(fixture, "resume vm", 0, "Domain 'vm' resumed\n");
    run(fixture, "reset vm", 0, "Domain 'vm' was reset\n");
    run(fixture, "reboot vm", 0, "Domain 'vm' is being rebooted\n");
    run(fixture, "autostart vm", 0, "Domain 'vm' marked as autostarted\n");
    run(fixture, "domblklist vm --details", 0,
        " Type   Device   Target   Source\n"
        "------------------------------------\n"
        " file   disk     vda      /a.qcow2\n");
    run(fixture, "blockjob vm vda", 0, "No current block job for vda\n");
    run(fixture, "undefine vm", 0, "Domain 'vm' has been undefined\n");
    run(fixture, "destroy vm", 0, "Domain 'vm' destroyed\n");
    run(fixture, "list --all --name", 0, "");
}

static void test_pace(void)
{
    g_autoptr(VbBusFixture) fixture = start_domain("<t:block-job duration='60000'/>");
    g_autoptr(GSubprocess) raw = NULL;
    g_autofree char *text = NULL;

    run(fixture, "blockpull vm vda 300K", 0, "Block Pull started\n");
    raw = spawn(fixture, "blockjob vm vda --raw --bytes");
    text = finish(fixture, raw, 0);
    g_assert_true(g_str_has_prefix(text, " type=Block Pull\n bandwidth=307200\n cur="));
    run(fixture, "blockjob vm vda 0", 0, "");
    run(fixture, "blockjob vm /a.qcow2 --abort", 0, "Block job canceled\n");
}

static void test_wait(void)
{
    g_autoptr(VbBusFixture) fixture = start_domain("<t:block-job duration='1' type='pull'>"
                                                   "<t:end result='failed' message='it broke'/>"
                                                   "</t:block-job><t:block-job duration='1'/>");

    run(fixture, "blockpull vm vda --wait", 1, "error: Pull failed: it broke\n");
    run(fixture, "blockcommit vm vda --active --wait", 0, "Now in synchronized phase\n");
    run(fixture, "blockjob vm vda --abort", 0, "Block job canceled\n");
    run(fixture, "blockcommit vm vda --keep-overlay", 0, "Commit complete, overlay image kept\n");
    run(fixture, "blockcopy vm vda /c.qcow2 --format qcow2 --finish", 0, "Successfully copied\n");
    run(fixture, "blockcopy vm vda /c.qcow2 --format qcow2 --pivot", 0, "Successfully pivoted\n");
    run(fixture, "domblklist vm", 0,
        " Target   Source\n--------------------\n vda      /c.qcow2\n");
}

/* The hypervisor takes a while to cancel, and says nothing: the end is reported all the same. */
static void test_interrupt(void)
{
    g_autoptr(VbBusFixture) fixture =
        start_domain("<t:block-job duration='60000' cancel-mode='silent'>"
                     "<t:cancel delay='200'/></t:block-job>");
    g_autofree char *text = NULL;
    guint position = vb_bus_client_position(vb_bus_fixture_client(fixture));
    g_autoptr(GSubprocess) process = spawn(fixture, "blockpull vm vda --wait");

    wait_for_job(fixture, &position);
    g_subprocess_send_signal(process, SIGINT);
    wait_for(fixture, &position, "BlockJobCanceled");
    text = finish(fixture, process, 1);
    g_assert_cmpstr(text, ==,
                    "Canceling the job; interrupt again to leave it alone\n"
                    "error: Pull canceled (interrupted)\n");
}

/* The job goes on without the daemon, and becomes ready under the next. */
static void test_restart(void)
{
    g_autoptr(VbBusFixture) fixture = start_domain("<t:block-job duration='1500'/>");
    g_autofree char *text = NULL;
    guint position = vb_bus_client_position(vb_bus_fixture_client(fixture));
    g_autoptr(GSubprocess) process =
        spawn(fixture, "blockcopy vm vda /c.qcow2 --format qcow2 --pivot");

    wait_for_job(fixture, &position);
    vb_bus_fixture_kill_daemon(fixture);
    vb_bus_fixture_start_daemon(fixture);
    wait_for(fixture, &position, "BlockJobCompleted");
    text = finish(fixture, process, 0);
    g_assert_true(g_str_has_suffix(text, "Successfully pivoted\n"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    program = argv[1];
    g_test_add_func("/cli/jobs/life", test_life);
    g_test_add_func("/cli/jobs/pace", test_pace);
    g_test_add_func("/cli/jobs/wait", test_wait);
    g_test_add_func("/cli/jobs/interrupt", test_interrupt);
    g_test_add_func("/cli/jobs/restart", test_restart);
    return g_test_run();
}
