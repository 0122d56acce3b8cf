/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver as the host sees it: its table of operations, and how a definition is prepared: what
 * only this host and its QEMU know is filled in (emulator, versioned machine, firmware files), and
 * what they cannot do is refused. */
#include "qemu-driver.h"

#include <string.h>

#include "block-jobs.h"
#include "error.h"
#include "qemu-command.h"
#include "vm-private.h"

static const VbDomainType types[] = {VB_DOMAIN_TYPE_QEMU, VB_DOMAIN_TYPE_KVM};

gpointer vb_qemu_driver_new(VbHost *host, const VbLauncher *launcher, gpointer launcher_self,
                            const char *kvm_probe_path)
{
    VbQemuDriver *driver = g_new0(VbQemuDriver, 1);
    g_autofree char *cache =
        g_build_filename(vb_host_paths(host)->cache_dir, "qemu-capabilities", NULL);

    driver->host = host;
    driver->launcher = launcher;
    driver->launcher_self = launcher_self;
    driver->caps = vb_caps_cache_new(cache);
    driver->kvm = vb_kvm_probe_new(kvm_probe_path);
    driver->vms = g_ptr_array_new();
    driver->spice_port = 5900;
    return driver;
}

void vb_qemu_driver_free(gpointer self)
{
    VbQemuDriver *driver = self;

    if (!driver)
        return;
    while (driver->vms->len > 0)
        vb_qemu_vm_close(driver->vms->pdata[0]);
    g_ptr_array_unref(driver->vms);
    vb_caps_cache_free(driver->caps);
    vb_kvm_probe_free(driver->kvm);
    g_free(driver);
}

/* ---- preparing a definition -------------------------------------------------------------------
 */

typedef struct {
    VbQemuDriver *driver;
    VbDomainDef *def;
} Prepare;

/* An absolute path, also when the definition names none. */
static gboolean resolve_emulator(VbDomainDef *def, GError **error)
{
    if (def->emulator)
        return TRUE;
    if (!strchr(def->os.arch, '/')) {
        g_autofree char *name = g_strconcat("qemu-system-", def->os.arch, NULL);
        def->emulator = g_find_program_in_path(name);
    }
    if (def->emulator)
        return TRUE;
    g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                "domain '%s': there is no emulator qemu-system-%s on this host", def->name,
                def->os.arch);
    return FALSE;
}

/* Where distributions install UEFI for x86: code, and the variable store that belongs to it. */
static const char *const firmwares[][2] = {
    {"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
    {"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
    {"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
    {"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
};

/* <os firmware='efi'>: finds what it is on this host. Each domain has a variable store of its own,
 * which its first start makes from the template. */
static gboolean resolve_firmware(VbQemuDriver *driver, VbDomainDef *def, GError **error)
{
    VbOsDef *os = &def->os;

    for (gsize i = 0; i < G_N_ELEMENTS(firmwares) && os->firmware == VB_FIRMWARE_EFI; i++)
        if (!os->loader && g_file_test(firmwares[i][0], G_FILE_TEST_EXISTS) &&
            g_file_test(firmwares[i][1], G_FILE_TEST_EXISTS)) {
            os->loader = g_strdup(firmwares[i][0]);
            os->loader_type = VB_LOADER_TYPE_PFLASH;
            os->loader_readonly = VB_TRISTATE_YES;
        }
    if (os->firmware == VB_FIRMWARE_EFI && !os->loader) {
        g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                    "domain '%s': there is no UEFI firmware on this host", def->name);
        return FALSE;
    }
    if (!os->loader || os->loader_type != VB_LOADER_TYPE_PFLASH)
        return TRUE;

    for (gsize i = 0; i < G_N_ELEMENTS(firmwares) && !os->nvram_template; i++)
        if (g_str_equal(firmwares[i][0], os->loader))
            os->nvram_template = g_strdup(firmwares[i][1]);
    if (os->nvram_template && !os->nvram)
        os->nvram = g_strdup_printf("%s/nvram/%s_VARS.fd", vb_host_paths(driver->host)->state_dir,
                                    def->uuid);
    return TRUE;
}

static void on_caps(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    Prepare *prepare = g_task_get_task_data(task);
    VbDomainDef *def = prepare->def;
    GError *error = NULL;
    g_autoptr(VbQemuCaps) caps = vb_caps_cache_get_finish(result, &error);

    if (!caps || !vb_qemu_command_check(def, caps, &error) ||
        !resolve_firmware(prepare->driver, def, &error)) {
        g_task_return_error(task, error);
        return;
    }
    const char *machine = vb_qemu_caps_canonical_machine(caps, def->os.machine);
    if (g_strcmp0(machine, def->os.machine) != 0) {
        g_free(def->os.machine);
        def->os.machine = g_strdup(machine);
    }
    g_task_return_boolean(task, TRUE);
}

/* Takes the task. */
static void get_caps(GTask *task)
{
    Prepare *prepare = g_task_get_task_data(task);

    vb_caps_cache_get_async(prepare->driver->caps, prepare->def->emulator,
                            g_task_get_cancellable(task), on_caps, task);
}

static void on_kvm(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    Prepare *prepare = g_task_get_task_data(task);
    GError *error = NULL;

    if (vb_kvm_probe_ask_finish(result, &error)) {
        get_caps(g_steal_pointer(&task));
    } else {
        g_prefix_error(&error, "domain '%s': ", prepare->def->name);
        g_task_return_error(task, error);
    }
}

static void prepare(gpointer self, VbDomainDef *def, GTask *task)
{
    g_autoptr(GTask) owned = task;
    Prepare *data = g_new(Prepare, 1);
    GError *error = NULL;

    *data = (Prepare){self, def};
    g_task_set_task_data(task, data, g_free);
    if (!resolve_emulator(def, &error))
        g_task_return_error(task, error);
    else if (def->type == VB_DOMAIN_TYPE_KVM)
        vb_kvm_probe_ask_async(data->driver->kvm, on_kvm, g_steal_pointer(&owned));
    else
        get_caps(g_steal_pointer(&owned));
}

static void save(gpointer self, VbDomain *domain, GKeyFile *record)
{
    VbQemuVm *vm = vb_qemu_vm_of(domain);

    if (vm)
        vb_qemu_vm_save(vm, record);
}

static void reconnect(gpointer self, VbDomain *domain, GKeyFile *record, GTask *task)
{
    vb_qemu_vm_reconnect(self, domain, record, task);
}

const VbDriver vb_qemu_driver = {
    .name = "qemu",
    .types = types,
    .n_types = G_N_ELEMENTS(types),
    .block_jobs = TRUE,
    .prepare = prepare,
    .operate = vb_qemu_vm_operate,
    .save = save,
    .reconnect = reconnect,
    .resume_events = vb_qemu_vm_resume_events,
    .jobs_start = vb_qemu_jobs_start,
    .jobs_query = vb_qemu_jobs_query,
    .job_cancel = vb_qemu_job_cancel,
    .job_complete = vb_qemu_job_complete,
    .job_finalize = vb_qemu_job_finalize,
    .job_root = vb_qemu_job_root,
    .job_set_speed = vb_qemu_job_set_speed,
    .job_set_paused = vb_qemu_job_set_paused,
    .job_clean = vb_qemu_job_clean,
};
