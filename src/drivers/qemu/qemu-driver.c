/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver as the host sees it: its table of operations, and how a definition is prepared: what
 * only this host and its QEMU know is filled in (emulator, versioned machine, firmware files), and
 * what they cannot do is refused. */
#include "qemu-driver.h"

#include <string.h>

#include "block-jobs.h"
#include "error.h"
#include "log.h"
#include "qemu-command.h"
#include "vm-private.h"

static const VbDomainType types[] = {VB_DOMAIN_TYPE_QEMU, VB_DOMAIN_TYPE_KVM};

static gboolean is_running(guint id, gpointer data)
{
    const VbQemuDriver *driver = data;
    const VbDomain *domain = vb_host_domain_by_id(driver->host, id);

    return domain && vb_qemu_vm_of(domain);
}

/* The host knows by now what runs on. */
static gboolean on_begin(gpointer data)
{
    VbQemuDriver *driver = data;

    driver->begin_source = 0;
    vb_access_drop_strangers(driver->access, is_running, driver);
    return G_SOURCE_REMOVE;
}

gpointer vb_qemu_driver_new(VbHost *host, const VbQemuDriverOptions *options)
{
    VbQemuDriver *driver = g_new0(VbQemuDriver, 1);
    const VbPaths *paths = vb_host_paths(host);
    g_autofree char *cache = g_build_filename(paths->cache_dir, "qemu-capabilities", NULL);
    g_autofree char *access = g_build_filename(paths->run_dir, "access", NULL);

    driver->host = host;
    driver->launcher = options->launcher;
    driver->launcher_self = options->launcher_self;
    if (!vb_identity_resolve(options->user, &driver->identity, &driver->no_identity))
        vb_log_warning(NULL, NULL, "%s", driver->no_identity->message);
    driver->access = vb_access_new(access, driver->identity, vb_host_image_directories(host));
    driver->by = (VbLaunchBy){driver->launcher, driver->launcher_self, driver->identity};
    driver->caps = vb_caps_cache_new(cache, &driver->by);
    driver->images = vb_image_known_new();
    driver->kvm = vb_kvm_probe_new(options->kvm_probe_path, &driver->by);
    driver->vms = g_ptr_array_new();
    driver->spice_port = 5900;
    driver->begin_source = g_idle_add(on_begin, driver);
    return driver;
}

void vb_qemu_driver_free(gpointer self)
{
    VbQemuDriver *driver = self;

    if (!driver)
        return;
    g_clear_handle_id(&driver->begin_source, g_source_remove);
    while (driver->vms->len > 0)
        vb_qemu_vm_close(driver->vms->pdata[0]);
    g_ptr_array_unref(driver->vms);
    vb_caps_cache_free(driver->caps);
    vb_image_known_unref(driver->images);
    vb_kvm_probe_free(driver->kvm);
    vb_access_close(driver->access);
    vb_access_unref(driver->access);
    vb_identity_unref(driver->identity);
    g_clear_error(&driver->no_identity);
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
        os->nvram = vb_paths_nvram(vb_host_paths(driver->host), def->uuid);
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
    if (data->driver->no_identity)
        g_task_return_error(task, g_error_copy(data->driver->no_identity));
    else if (!resolve_emulator(def, &error))
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
    .set_link = vb_qemu_vm_set_link,
    .stats = vb_qemu_vm_stats,
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
