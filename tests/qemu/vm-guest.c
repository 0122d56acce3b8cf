/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a guest does by itself, and what the definition wants done about it. The guest is a boot
 * sector: it says 'R' on its serial port when it runs, waits for the power button and then does one
 * thing. */
#include <string.h>

#include "json-get.h"
#include "qmp-args.h"
#include "vm-fixture.h"

/* Real mode. ACPI's registers are where SeaBIOS puts them: status 0x600, enable 0x602, control
 * 0x604. */
static const guint8 waits_for_button[] = {
    0xfa,             /* cli */
    0xba, 0x02, 0x06, /* mov dx, 0x602 */
    0xb8, 0x00, 0x01, /* mov ax, 0x100: enable the power button */
    0xef,             /* out dx, ax */
    0xba, 0xf8, 0x03, /* mov dx, 0x3f8 */
    0xb0, 'R',        /* mov al, 'R' */
    0xee,             /* out dx, al */
    0xba, 0x00, 0x06, /* mov dx, 0x600 */
    0xed,             /* in ax, dx */
    0xf6, 0xc4, 0x01, /* test ah, 1 */
    0x74, 0xf7,       /* jz back to the mov */
};

#define POWER_OFF 0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef /* mov dx, 0x604; mov ax, S5; out */
#define SLEEP 0xba, 0x04, 0x06, 0xb8, 0x00, 0x24, 0xef     /* … S3 */
#define RESET 0xb0, 0xfe, 0xe6, 0x64                       /* mov al, 0xfe; out 0x64, al */
#define PANIC 0xb0, 0x01, 0xba, 0x05, 0x05, 0xee /* mov al, 1; mov dx, 0x505; out dx, al */
#define HALT 0xf4, 0xeb, 0xfd                    /* hlt; jmp to it */

#define DISK_SIZE (1024 * 1024) /* a smaller one has no geometry, and SeaBIOS does not read it */

static const guint8 power_off[] = {POWER_OFF, HALT};
static const guint8 sleep_s3[] = {SLEEP, HALT};
static const guint8 reset[] = {RESET, HALT};
static const guint8 panic[] = {PANIC, HALT};

/* The guest's disk and its serial port. */
static char *make_guest(VmFixture *fixture, const guint8 *action, gsize size)
{
    g_autofree char *disk = vm_path(fixture, "boot.raw");
    g_autofree char *serial = vm_path(fixture, "serial");
    g_autofree guint8 *image = g_malloc0(DISK_SIZE);
    g_autoptr(GError) error = NULL;

    memcpy(image, waits_for_button, sizeof waits_for_button);
    memcpy(image + sizeof waits_for_button, action, size);
    image[510] = 0x55;
    image[511] = 0xaa;
    g_file_set_contents(disk, (const char *)image, DISK_SIZE, &error);
    g_assert_no_error(error);
    g_file_set_contents(serial, "", 0, &error);
    g_assert_no_error(error);
    return g_strdup_printf("<disk type='file'><driver name='qemu' type='raw'/>"
                           "<source file='%s'/><target dev='vda'/></disk>"
                           "<serial type='file'><source path='%s' append='on'/></serial>",
                           disk, serial);
}

static gboolean has_booted(VmFixture *fixture, guint times)
{
    g_autofree char *path = vm_path(fixture, "serial");
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && strlen(text) >= times;
}

/* Wakes the main loop when the guest says something. */
static GFileMonitor *watch_serial(VmFixture *fixture)
{
    g_autofree char *path = vm_path(fixture, "serial");
    g_autoptr(GFile) file = g_file_new_for_path(path);

    return g_file_monitor_file(file, G_FILE_MONITOR_NONE, NULL, NULL);
}

/* Waits until the guest runs, the nth time. */
static void wait_booted(VmFixture *fixture, guint times)
{
    g_autoptr(GFileMonitor) monitor = watch_serial(fixture);

    VB_WAIT_FOR(has_booted(fixture, times));
}

#define START_GUEST(fixture, emulator, policy, action)                                             \
    start_guest(fixture, emulator, policy, action, sizeof action)

static VbDomain *start_guest(VmFixture *fixture, const char *emulator, const char *policy,
                             const guint8 *action, gsize size)
{
    g_autofree char *devices = make_guest(fixture, action, size);
    g_autofree char *xml = vm_xml("guest", emulator, policy, devices);
    VbDomain *domain = vm_running(fixture, xml);

    wait_booted(fixture, 1);
    g_string_truncate(fixture->log, 0);
    return domain;
}

static void assert_log(VmFixture *fixture, const char *expected)
{
    g_assert_cmpstr(fixture->log->str, ==, expected);
    g_string_truncate(fixture->log, 0);
}

/* SeaBIOS resets the machine once more when it is not its first run. */
static void assert_rebooted(VmFixture *fixture, const char *by)
{
    g_autofree char *event = g_strdup_printf("lifecycle rebooted/%s\n", by);

    g_assert_true(g_str_has_prefix(fixture->log->str, event));
    g_assert_null(strstr(fixture->log->str, "state"));
    g_string_truncate(fixture->log, 0);
}

/* ---- shutdown and reboot ----------------------------------------------------------------------
 */

static void test_shutdown(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = START_GUEST(fixture, NULL, NULL, power_off);

    vm_do(domain, VB_DOMAIN_OP_SHUTDOWN);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    assert_log(fixture, "state shutting-down/user\nlifecycle shutdown/user\n"
                        "state shut-off/shutdown\nlifecycle stopped/shutdown\n");
}

static void test_reboot(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = START_GUEST(fixture, NULL, NULL, power_off);
    pid_t pid = vm_pid(domain);

    vm_do(domain, VB_DOMAIN_OP_REBOOT);
    wait_booted(fixture, 2);
    g_assert_cmpint(vm_pid(domain), ==, pid);
    assert_rebooted(fixture, "user");
    vm_assert_state(domain, "running/booted");

    /* The wish is used up: the next power-off is one. */
    vm_do(domain, VB_DOMAIN_OP_SHUTDOWN);
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "shut-off/shutdown");
}

static void test_on_poweroff_restart(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = START_GUEST(fixture, NULL, "<on_poweroff>restart</on_poweroff>", power_off);

    vm_do(domain, VB_DOMAIN_OP_SHUTDOWN);
    wait_booted(fixture, 2);
    vm_assert_state(domain, "running/booted");
}

static void test_guest_reset(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = START_GUEST(fixture, NULL, NULL, reset);

    vm_do(domain, VB_DOMAIN_OP_SHUTDOWN);
    wait_booted(fixture, 2);
    assert_rebooted(fixture, "guest");
}

static void test_on_reboot_destroy(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = START_GUEST(fixture, NULL, "<on_reboot>destroy</on_reboot>", reset);

    /* The administrator's reset is not the guest's reboot … */
    vm_do(domain, VB_DOMAIN_OP_RESET);
    wait_booted(fixture, 2);
    vm_assert_state(domain, "running/booted");

    g_autoptr(GFileMonitor) monitor = watch_serial(fixture);
    /* … and a few seconds later the guest's is taken for what it is again. */
    for (guint boots = 3; vb_domain_is_active(domain); boots++) {
        vm_do(domain, VB_DOMAIN_OP_SHUTDOWN);
        VB_WAIT_FOR(!vb_domain_is_active(domain) || has_booted(fixture, boots));
        g_assert_cmpuint(boots, <, 1000);
    }
    vm_assert_state(domain, "shut-off/shutdown");
}

/* What the guest does while no daemon looks waits for one. */
static void test_shutdown_unwatched(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = START_GUEST(fixture, NULL, NULL, power_off);

    g_autoptr(VmReply) shutdown = vm_begin(domain, VB_DOMAIN_OP_SHUTDOWN);
    VB_WAIT_FOR(shutdown->result);
    qemu_host_stop(&fixture->qemu);
    qemu_host_start(&fixture->qemu);
    domain = vb_host_domain_by_name(fixture->qemu.host, "guest");
    VB_WAIT_FOR(!vb_domain_is_active(domain));
    vm_assert_state(domain, "shut-off/shutdown");
}

/* ---- sleep ------------------------------------------------------------------------------------
 */

static void test_sleep(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = START_GUEST(fixture, NULL, NULL, sleep_s3);

    vm_do(domain, VB_DOMAIN_OP_SHUTDOWN);
    VB_WAIT_FOR(vm_has_state(domain, "pm-suspended/unknown"));
    vm_do(domain, VB_DOMAIN_OP_RESUME);
    vm_assert_state(domain, "running/wakeup");
    assert_log(fixture, "state pm-suspended/unknown\nlifecycle suspended/unknown\n"
                        "state running/wakeup\nlifecycle resumed/wakeup\n");
}

/* ---- panic ------------------------------------------------------------------------------------
 */

static VbDomain *panicking(VmFixture *fixture, const char *policy)
{
    g_autofree char *emulator =
        vm_make_emulator(fixture, "case \"$*\" in *guest=*) set -- \"$@\" -device pvpanic;; esac\n"
                                  "exec qemu-system-x86_64 \"$@\"");
    VbDomain *domain = START_GUEST(fixture, emulator, policy, panic);

    vm_do(domain, VB_DOMAIN_OP_SHUTDOWN);
    return domain;
}

static void test_panic_destroy(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = panicking(fixture, "<on_crash>destroy</on_crash>");

    VB_WAIT_FOR(!vb_domain_is_active(domain));
    assert_log(fixture, "state crashed/panicked\nlifecycle crashed/panicked\n");
}

static void test_panic_restart(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = panicking(fixture, "<on_crash>restart</on_crash>");

    wait_booted(fixture, 2);
    vm_assert_state(domain, "running/crashed");
    g_assert_nonnull(strstr(fixture->log->str, "lifecycle crashed/panicked\n"));
}

static void test_panic_preserve(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    VbDomain *domain = panicking(fixture, "<on_crash>preserve</on_crash>");

    VB_WAIT_FOR(vm_has_state(domain, "paused/crashed"));
    g_autoptr(JsonNode) value = vm_monitor(domain, "query-status", NULL);
    g_assert_cmpstr(vb_json_get_string(vb_json_node_object(value), "status"), ==, "guest-panicked");
}

/* ---- I/O errors -------------------------------------------------------------------------------
 */

/* The firmware reads a disk of which every read fails; its policy is to stop. */
static void test_io_error(void)
{
    g_autoptr(VmFixture) fixture = vm_fixture_new();
    g_autofree char *socket = vm_path(fixture, "nbd.sock");
    const char *argv[] = {
        "nbdkit", "-f", "-U", socket, "--filter=error", "null", "size=1M", "error-pread-rate=100%",
        NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) server =
        g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);
    g_assert_no_error(error);
    g_autoptr(GFile) file = g_file_new_for_path(socket);
    g_autoptr(GFileMonitor) monitor = g_file_monitor_file(file, G_FILE_MONITOR_NONE, NULL, NULL);
    VB_WAIT_FOR(g_file_test(socket, G_FILE_TEST_EXISTS));

    g_autofree char *devices =
        g_strdup_printf("<disk type='network'><driver name='qemu' type='raw' error_policy='stop'/>"
                        "<source protocol='nbd'><host transport='unix' socket='%s'/></source>"
                        "<target dev='vda'/></disk>",
                        socket);
    g_autofree char *xml = vm_xml("io", NULL, NULL, devices);
    VbDomain *domain = vm_running(fixture, xml);
    VB_WAIT_FOR(vm_has_state(domain, "paused/io-error"));
    vm_do(domain, VB_DOMAIN_OP_DESTROY);
    g_subprocess_force_exit(server);
    g_subprocess_wait(server, NULL, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qemu/guest/shutdown", test_shutdown);
    g_test_add_func("/qemu/guest/reboot", test_reboot);
    g_test_add_func("/qemu/guest/on-poweroff-restart", test_on_poweroff_restart);
    g_test_add_func("/qemu/guest/reset", test_guest_reset);
    g_test_add_func("/qemu/guest/on-reboot-destroy", test_on_reboot_destroy);
    g_test_add_func("/qemu/guest/shutdown-unwatched", test_shutdown_unwatched);
    g_test_add_func("/qemu/guest/sleep", test_sleep);
    g_test_add_func("/qemu/guest/panic/destroy", test_panic_destroy);
    g_test_add_func("/qemu/guest/panic/restart", test_panic_restart);
    g_test_add_func("/qemu/guest/panic/preserve", test_panic_preserve);
    g_test_add_func("/qemu/guest/io-error", test_io_error);
    return g_test_run();
}
