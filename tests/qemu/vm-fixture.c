/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See vm-fixture.h. */
#include "vm-fixture.h"

#include "parse-domain.h"
#include "vm.h"

#include <string.h>

/* ---- the log ----------------------------------------------------------------------------------
 */

static void on_changed(VbDomain *domain, VbDomainProps props, gpointer user_data)
{
    VmFixture *fixture = user_data;
    g_autofree char *state = vm_state(domain);

    if (props & VB_DOMAIN_PROP_STATE)
        g_string_append_printf(fixture->log, "state %s\n", state);
    if ((props & VB_DOMAIN_PROP_RESPONSIVE) && !vb_domain_info(domain)->responsive)
        g_string_append(fixture->log, "unresponsive\n");
}

static void on_lifecycle(VbDomain *domain, const char *event, const char *reason,
                         gpointer user_data)
{
    VmFixture *fixture = user_data;

    g_string_append_printf(fixture->log, "lifecycle %s/%s\n", event, reason);
}

static const VbDriverEvents events = {
    .domain_changed = on_changed,
    .domain_lifecycle = on_lifecycle,
};

/* ---- the host ---------------------------------------------------------------------------------
 */

static void take_result(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

VmFixture *vm_fixture_new(void)
{
    return vm_fixture_new_with_network(NULL, NULL);
}

VmFixture *vm_fixture_new_with_network(const VbNetworkDriver *driver, gpointer self)
{
    VmFixture *fixture = g_new0(VmFixture, 1);

    fixture->log = g_string_new(NULL);
    fixture->qemu.network = driver;
    fixture->qemu.network_self = self;
    qemu_host_init(&fixture->qemu, &events, fixture);
    return fixture;
}

void vm_fixture_free(VmFixture *fixture)
{
    g_autoptr(GPtrArray) domains = vb_host_domains(fixture->qemu.host);

    for (guint i = 0; i < domains->len; i++)
        if (vb_domain_is_active(domains->pdata[i]))
            vm_do(domains->pdata[i], VB_DOMAIN_OP_DESTROY);
    qemu_host_clear(&fixture->qemu);
    g_string_free(fixture->log, TRUE);
    g_free(fixture);
}

/* ---- files ------------------------------------------------------------------------------------
 */

char *vm_path(VmFixture *fixture, const char *name)
{
    return g_build_filename(fixture->qemu.dir, name, NULL);
}

char *vm_make_emulator(VmFixture *fixture, const char *body)
{
    char *path = vm_path(fixture, "emulator");
    g_autofree char *script = g_strdup_printf("#!/bin/sh\n%s\n", body);
    g_autoptr(GError) error = NULL;

    g_file_set_contents_full(path, script, -1, G_FILE_SET_CONTENTS_NONE, 0755, &error);
    g_assert_no_error(error);
    return path;
}

void vm_make_image(VmFixture *fixture, const char *name, gboolean qcow2)
{
    g_autofree char *path = vm_path(fixture, name);
    const char *argv[] = {"qemu-img", "create", "-q", "-f", qcow2 ? "qcow2" : "raw",
                          path,       "1M",     NULL};
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                 &error);
    g_assert_no_error(error);
    g_spawn_check_wait_status(status, &error);
    g_assert_no_error(error);
}

char *vm_xml(const char *name, const char *emulator, const char *extra, const char *devices)
{
    g_autofree char *element =
        emulator ? g_strdup_printf("<emulator>%s</emulator>", emulator) : g_strdup("");

    return g_strdup_printf("<domain type='qemu'><name>%s</name><memory unit='MiB'>32</memory>"
                           "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
                           "<features><acpi/></features>%s<devices>%s%s"
                           "<controller type='usb' model='none'/><memballoon model='none'/>"
                           "</devices></domain>",
                           name, extra ? extra : "", element, devices ? devices : "");
}

/* ---- domains ----------------------------------------------------------------------------------
 */

VbDomain *vm_try_define(VmFixture *fixture, const char *xml, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    vb_host_define_async(fixture->qemu.host, parse_domain(xml), 0, take_result, &result);
    VB_WAIT_FOR(result);
    g_autoptr(VbDomain) domain = vb_host_define_finish(fixture->qemu.host, result, error);
    return domain; /* the host has a reference, too */
}

VbDomain *vm_define(VmFixture *fixture, const char *xml)
{
    g_autoptr(GError) error = NULL;
    VbDomain *domain = vm_try_define(fixture, xml, &error);

    g_assert_no_error(error);
    return domain;
}

GError *vm_define_error(VmFixture *fixture, const char *xml)
{
    GError *error = NULL;

    g_assert_null(vm_try_define(fixture, xml, &error));
    g_assert_nonnull(error);
    return error;
}

typedef struct {
    VbDomain *domain;
    VmReply *reply;
} Waiter;

static void on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Waiter *waiter = data;

    vb_domain_operate_finish(waiter->domain, result, &waiter->reply->error);
    waiter->reply->result = g_object_ref(result);
    vb_domain_unref(waiter->domain);
}

static VmReply *begin(VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags)
{
    Waiter *waiter = g_new(Waiter, 1);
    VmReply *reply = g_new0(VmReply, 1);

    *waiter = (Waiter){vb_domain_ref(domain), reply};
    vb_domain_operate_async(domain, op, flags, on_answer, waiter);
    return reply;
}

VmReply *vm_begin(VbDomain *domain, VbDomainOp op)
{
    return begin(domain, op, VB_DOMAIN_OP_FLAG_NONE);
}

void vm_reply_free(VmReply *reply)
{
    g_clear_object(&reply->result);
    g_clear_error(&reply->error);
    g_free(reply);
}

GError *vm_operate(VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags)
{
    g_autoptr(VmReply) reply = begin(domain, op, flags);

    VB_WAIT_FOR(reply->result);
    return g_steal_pointer(&reply->error);
}

void vm_do(VbDomain *domain, VbDomainOp op)
{
    g_autoptr(GError) error = vm_operate(domain, op, VB_DOMAIN_OP_FLAG_NONE);

    g_assert_no_error(error);
}

VbDomain *vm_running(VmFixture *fixture, const char *xml)
{
    VbDomain *domain = vm_define(fixture, xml);

    vm_do(domain, VB_DOMAIN_OP_START);
    return domain;
}

VbDomain *vm_running_plain(VmFixture *fixture, const char *name)
{
    g_autofree char *xml = vm_xml(name, NULL, NULL, NULL);

    return vm_running(fixture, xml);
}

pid_t vm_pid(VbDomain *domain)
{
    return vb_qemu_vm_of(domain)->process->pid;
}

JsonNode *vm_monitor(VbDomain *domain, const char *command, JsonObject *arguments)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    vb_qemu_vm_call_async(vb_qemu_vm_of(domain), command, arguments, NULL, take_result, &result);
    VB_WAIT_FOR(result);
    JsonNode *value = vb_qmp_call_finish(result, &error);
    g_assert_no_error(error);
    return value;
}

char *vm_state(VbDomain *domain)
{
    const VbDomainInfo *info = vb_domain_info(domain);

    return g_strdup_printf("%s/%s", vb_domain_state_to_string(info->state), info->reason);
}

gboolean vm_has_state(VbDomain *domain, const char *expected)
{
    g_autofree char *state = vm_state(domain);

    return g_str_equal(state, expected);
}
