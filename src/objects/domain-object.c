/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vtable, handlers and getters of org.virtbus1.Domain. The getters read what the domain holds in
 * memory; the handlers hand the call to the core and answer when it has. */
#include "domain-object.h"

#include <string.h>

#include "actions.h"
#include "answer.h"
#include "call.h"
#include "changes.h"
#include "host-access.h"
#include "host.h"
#include "message.h"
#include "network.h"
#include "object-path.h"

#define OPERATE VB_ACTION(VB_ACTION_DOMAIN_OPERATE)
#define MANAGE VB_ACTION(VB_ACTION_DOMAIN_MANAGE)

/* The data of vb_answer. */
static gpointer answer_data(VbCall *call, VbDomain *domain,
                            gboolean (*finish)(VbDomain *, GAsyncResult *, GError **))
{
    return vb_answer_data(call, vb_domain_ref(domain), (GDestroyNotify)vb_domain_unref,
                          (VbAnswerFinish)finish);
}

/* ---- operations -------------------------------------------------------------------------------
 */

static void operate(VbCall *call, VbDomain *domain, VbDomainOp op, VbDomainOpFlags flags)
{
    vb_domain_operate_async(domain, op, flags, vb_answer,
                            answer_data(call, domain, vb_domain_operate_finish));
}

static void handle_start(VbCall *call, gpointer data)
{
    GError *error = NULL;
    g_autoptr(VbOptions) options = vb_call_read_options(call, &error);
    gboolean paused = FALSE;

    if (options != NULL)
        vb_options_take_bool(options, "paused", &paused);
    if (options == NULL || !vb_options_finish(options, &error))
        vb_call_fail(call, error);
    else
        operate(call, data, VB_DOMAIN_OP_START,
                paused ? VB_DOMAIN_OP_FLAG_PAUSED : VB_DOMAIN_OP_FLAG_NONE);
}

/* An operation without options. */
static void handle_operation(VbCall *call, VbDomain *domain, VbDomainOp op)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        operate(call, domain, op, VB_DOMAIN_OP_FLAG_NONE);
}

static void handle_shutdown(VbCall *call, gpointer data)
{
    handle_operation(call, data, VB_DOMAIN_OP_SHUTDOWN);
}

static void handle_reboot(VbCall *call, gpointer data)
{
    handle_operation(call, data, VB_DOMAIN_OP_REBOOT);
}

static void handle_reset(VbCall *call, gpointer data)
{
    handle_operation(call, data, VB_DOMAIN_OP_RESET);
}

static void handle_destroy(VbCall *call, gpointer data)
{
    handle_operation(call, data, VB_DOMAIN_OP_DESTROY);
}

static void handle_suspend(VbCall *call, gpointer data)
{
    handle_operation(call, data, VB_DOMAIN_OP_SUSPEND);
}

static void handle_resume(VbCall *call, gpointer data)
{
    handle_operation(call, data, VB_DOMAIN_OP_RESUME);
}

/* ---- the definition ---------------------------------------------------------------------------
 */

static void handle_undefine(VbCall *call, gpointer data)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_domain_undefine_async(data, vb_answer,
                                 answer_data(call, data, vb_domain_undefine_finish));
}

static void handle_set_autostart(VbCall *call, gpointer data)
{
    GError *error = NULL;
    gboolean autostart;

    if (!vb_call_read(call, &error, "b", &autostart) || !vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_domain_set_autostart_async(data, autostart, vb_answer,
                                      answer_data(call, data, vb_domain_set_autostart_finish));
}

static gboolean prepare_redefine(VbCall *call, gpointer data, GError **error)
{
    VbDomainDef *def = vb_host_access_read_domain(call, vb_domain_host(data), error);

    vb_call_set_argument(call, def, (GDestroyNotify)vb_domain_def_unref);
    return def != NULL;
}

static void handle_redefine(VbCall *call, gpointer data)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_domain_redefine_async(data, vb_call_steal_argument(call), vb_answer,
                                 answer_data(call, data, vb_domain_redefine_finish));
}

/* The options of GetXml. */
typedef struct {
    gboolean inactive, secure;
} XmlOptions;

static gboolean prepare_get_xml(VbCall *call, gpointer data, GError **error)
{
    g_autoptr(VbOptions) options = vb_call_read_options(call, error);
    XmlOptions *wanted = g_new0(XmlOptions, 1);

    vb_call_set_argument(call, wanted, g_free);
    if (options == NULL)
        return FALSE;
    vb_options_take_bool(options, "inactive", &wanted->inactive);
    vb_options_take_bool(options, "secure", &wanted->secure);
    if (wanted->secure)
        vb_call_require(call, VB_ACTION_DOMAIN_READ_SECRETS, NULL);
    return vb_options_finish(options, error);
}

static void handle_get_xml(VbCall *call, gpointer data)
{
    const XmlOptions *wanted = vb_call_argument(call);
    VbDomainXmlFlags flags =
        (wanted->inactive ? VB_DOMAIN_XML_STORED : 0) | (wanted->secure ? VB_DOMAIN_XML_SECURE : 0);
    GError *error = NULL;
    g_autofree char *xml = vb_domain_read_xml(data, flags, &error);

    if (xml != NULL)
        vb_call_reply(call, "s", xml);
    else
        vb_call_fail(call, error);
}

static const VbMethod methods[] = {
    VB_METHOD("Start", "a{sv}", "options", "", "", OPERATE, handle_start),
    VB_METHOD("Shutdown", "a{sv}", "options", "", "", OPERATE, handle_shutdown),
    VB_METHOD("Reboot", "a{sv}", "options", "", "", OPERATE, handle_reboot),
    VB_METHOD("Reset", "a{sv}", "options", "", "", OPERATE, handle_reset),
    VB_METHOD("Destroy", "a{sv}", "options", "", "", OPERATE, handle_destroy),
    VB_METHOD("Suspend", "a{sv}", "options", "", "", OPERATE, handle_suspend),
    VB_METHOD("Resume", "a{sv}", "options", "", "", OPERATE, handle_resume),
    VB_METHOD("Undefine", "a{sv}", "options", "", "", MANAGE, handle_undefine),
    VB_METHOD("SetAutostart", "ba{sv}", "autostart options", "", "", MANAGE, handle_set_autostart),
    VB_METHOD_PREPARED("GetXml", "a{sv}", "options", "s", "xml",
                       VB_ACTION(VB_ACTION_DOMAIN_READ_XML), prepare_get_xml, handle_get_xml),
    VB_METHOD_PREPARED("Redefine", "sa{sv}", "xml options", "", "", MANAGE, prepare_redefine,
                       handle_redefine),
    {}};

/* ---- properties -------------------------------------------------------------------------------
 */

static void append_bool(sd_bus_message *reply, gboolean value)
{
    sd_bus_message_append(reply, "b", value);
}

static void get_name(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_info(data)->name);
}

static void get_uuid(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_info(data)->uuid);
}

static void get_driver(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_info(data)->driver->name);
}

static void get_state(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_state_to_string(vb_domain_info(data)->state));
}

static void get_state_reason(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_info(data)->reason);
}

static void get_persistent(sd_bus_message *reply, gpointer data)
{
    append_bool(reply, vb_domain_info(data)->persistent);
}

static void get_autostart(sd_bus_message *reply, gpointer data)
{
    append_bool(reply, vb_domain_info(data)->autostart);
}

static void get_config_pending(sd_bus_message *reply, gpointer data)
{
    append_bool(reply, vb_domain_info(data)->config_pending);
}

static void get_responsive(sd_bus_message *reply, gpointer data)
{
    append_bool(reply, vb_domain_info(data)->responsive);
}

static void get_id(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "u", vb_domain_info(data)->id);
}

static void get_title(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_summary(data).title);
}

static void get_description(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_summary(data).description);
}

static void get_memory_max(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "t", vb_domain_summary(data).memory);
}

static void get_memory_current(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "t", vb_domain_summary(data).current_memory);
}

static void get_vcpus(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "u", vb_domain_summary(data).vcpus);
}

static void get_vcpus_max(sd_bus_message *reply, gpointer data)
{
    sd_bus_message_append(reply, "u", vb_domain_summary(data).vcpus_max);
}

static void get_os_type(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, "hvm"); /* the only <os><type> that the model has */
}

static void get_architecture(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_summary(data).arch);
}

static void get_machine(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_domain_summary(data).machine);
}

static void get_block_jobs(sd_bus_message *reply, gpointer data)
{
    const VbDomainSummary summary = vb_domain_summary(data);

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{so}");
    for (guint i = 0; i < summary.n_disks; i++) {
        const char *target = vb_domain_summary_disk(&summary, i).target;
        const VbJob *job = vb_domain_live_job(data, target);

        if (job != NULL) {
            g_autofree char *path = vb_job_path(job);

            sd_bus_message_append(reply, "{so}", target, path);
        }
    }
    sd_bus_message_close_container(reply);
}

static void append_disk(sd_bus_message *reply, const VbDiskSummary *disk)
{
    sd_bus_message_open_container(reply, SD_BUS_TYPE_STRUCT, "ssssa{sv}");
    vb_message_append_string(reply, disk->target);
    vb_message_append_string(reply, disk->device);
    vb_message_append_string(reply, disk->bus);
    vb_message_append_string(reply, disk->source);
    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}");
    if (disk->source != NULL) {
        vb_message_append_entry_string(reply, "type", disk->type);
        vb_message_append_entry_string(reply, "format", disk->format);
    }
    if (disk->readonly)
        vb_message_append_entry(reply, "readonly", "b", TRUE);
    if (disk->serial != NULL)
        vb_message_append_entry_string(reply, "serial", disk->serial);
    sd_bus_message_close_container(reply);
    sd_bus_message_close_container(reply);
}

static void get_disks(sd_bus_message *reply, gpointer data)
{
    const VbDomainSummary summary = vb_domain_summary(data);

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(ssssa{sv})");
    for (guint i = 0; i < summary.n_disks; i++) {
        const VbDiskSummary disk = vb_domain_summary_disk(&summary, i);

        append_disk(reply, &disk);
    }
    sd_bus_message_close_container(reply);
}

static void append_interface(sd_bus_message *reply, const VbInterfaceSummary *interface)
{
    sd_bus_message_open_container(reply, SD_BUS_TYPE_STRUCT, "ssssa{sv}");
    vb_message_append_string(reply, interface->mac);
    vb_message_append_string(reply, interface->type);
    vb_message_append_string(reply, interface->source);
    vb_message_append_string(reply, interface->model);
    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}");
    if (interface->target != NULL)
        vb_message_append_entry_string(reply, "target", interface->target);
    if (interface->bridge != NULL)
        vb_message_append_entry_string(reply, "bridge", interface->bridge);
    if (interface->portgroup != NULL)
        vb_message_append_entry_string(reply, "portgroup", interface->portgroup);
    if (interface->mtu > 0)
        vb_message_append_entry(reply, "mtu", "u", (guint32)interface->mtu);
    if (interface->link_state != NULL)
        vb_message_append_entry_string(reply, "link-state", interface->link_state);
    sd_bus_message_close_container(reply);
    sd_bus_message_close_container(reply);
}

static void get_interfaces(sd_bus_message *reply, gpointer data)
{
    const VbDomainSummary summary = vb_domain_summary(data);

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(ssssa{sv})");
    for (guint i = 0; i < summary.n_interfaces; i++) {
        const VbInterfaceSummary interface = vb_domain_summary_interface(&summary, i);

        append_interface(reply, &interface);
    }
    sd_bus_message_close_container(reply);
}

static void get_addresses(sd_bus_message *reply, gpointer data)
{
    g_autoptr(GPtrArray) addresses = vb_domain_addresses(data);

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "s");
    for (guint i = 0; i < addresses->len; i++)
        vb_message_append_string(reply, addresses->pdata[i]);
    sd_bus_message_close_container(reply);
}

static void append_port(sd_bus_message *reply, const char *key, guint port)
{
    if (port > 0)
        vb_message_append_entry(reply, key, "u", (guint32)port);
}

static void append_graphics(sd_bus_message *reply, const VbGraphicsSummary *graphics)
{
    sd_bus_message_open_container(reply, SD_BUS_TYPE_STRUCT, "ssa{sv}");
    vb_message_append_string(reply, graphics->type);
    vb_message_append_string(reply, graphics->address);
    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}");
    append_port(reply, "port", graphics->port);
    append_port(reply, "tls-port", graphics->tls_port);
    sd_bus_message_close_container(reply);
    sd_bus_message_close_container(reply);
}

static void get_graphics(sd_bus_message *reply, gpointer data)
{
    const VbDomainSummary summary = vb_domain_summary(data);

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(ssa{sv})");
    for (guint i = 0; i < summary.n_graphics; i++) {
        const VbGraphicsSummary graphics = vb_domain_summary_graphics(&summary, i);

        append_graphics(reply, &graphics);
    }
    sd_bus_message_close_container(reply);
}

static const VbProperty properties[] = {
    VB_PROPERTY("Name", "s", VB_EMITS_CHANGE, get_name),
    VB_PROPERTY("Uuid", "s", VB_CONST, get_uuid),
    VB_PROPERTY("Driver", "s", VB_CONST, get_driver),
    VB_PROPERTY("State", "s", VB_EMITS_CHANGE, get_state),
    VB_PROPERTY("StateReason", "s", VB_EMITS_CHANGE, get_state_reason),
    VB_PROPERTY("Persistent", "b", VB_EMITS_CHANGE, get_persistent),
    VB_PROPERTY("Autostart", "b", VB_EMITS_CHANGE, get_autostart),
    VB_PROPERTY("ConfigPending", "b", VB_EMITS_CHANGE, get_config_pending),
    VB_PROPERTY("Title", "s", VB_EMITS_CHANGE, get_title),
    VB_PROPERTY("Description", "s", VB_EMITS_CHANGE, get_description),
    VB_PROPERTY("Id", "u", VB_EMITS_CHANGE, get_id),
    VB_PROPERTY("MemoryMax", "t", VB_EMITS_CHANGE, get_memory_max),
    VB_PROPERTY("MemoryCurrent", "t", VB_EMITS_CHANGE, get_memory_current),
    VB_PROPERTY("Vcpus", "u", VB_EMITS_CHANGE, get_vcpus),
    VB_PROPERTY("VcpusMax", "u", VB_EMITS_CHANGE, get_vcpus_max),
    VB_PROPERTY("OsType", "s", VB_CONST, get_os_type),
    VB_PROPERTY("Architecture", "s", VB_EMITS_CHANGE, get_architecture),
    VB_PROPERTY("Machine", "s", VB_EMITS_CHANGE, get_machine),
    VB_PROPERTY("BlockJobs", "a{so}", VB_EMITS_CHANGE, get_block_jobs),
    VB_PROPERTY("Responsive", "b", VB_EMITS_CHANGE, get_responsive),
    VB_PROPERTY("Disks", "a(ssssa{sv})", VB_EMITS_CHANGE, get_disks),
    VB_PROPERTY("Interfaces", "a(ssssa{sv})", VB_EMITS_CHANGE, get_interfaces),
    VB_PROPERTY("Addresses", "as", VB_EMITS_CHANGE, get_addresses),
    VB_PROPERTY("Graphics", "a(ssa{sv})", VB_EMITS_CHANGE, get_graphics),
    {}};

static const VbSignal signals[] = {VB_SIGNAL("Lifecycle", "ssa{sv}", "event reason details"), {}};

void vb_domain_object_describe(gpointer data, VbDetails *details)
{
    const VbDomainInfo *info = vb_domain_info(data);

    vb_details_set(details, "driver", info->driver->name);
    vb_details_set(details, "domain_name", info->name);
    vb_details_set(details, "domain_uuid", info->uuid);
}

/* Each text of the definition is told once, and while it is active a disk's target once more, with
 * its job. The rest are the keys of the dictionaries, and what is no text of the definition. */
static gsize bound(gpointer data)
{
    enum { OTHERS = 256, DISK = 144, JOB = 96, INTERFACE = 160, GRAPHICS = 64, ADDRESS = 8 };
    const VbDomainSummary summary = vb_domain_summary(data);
    g_autoptr(GPtrArray) addresses = vb_domain_addresses(data);
    gsize size = OTHERS + vb_domain_summary_size(&summary) + summary.n_disks * DISK +
                 summary.n_interfaces * INTERFACE + summary.n_graphics * GRAPHICS;

    for (guint i = 0; i < addresses->len; i++)
        size += strlen(addresses->pdata[i]) + ADDRESS;
    for (guint i = 0; i < summary.n_disks && vb_domain_is_active(data); i++)
        size += strlen(vb_domain_summary_disk(&summary, i).target) + JOB;
    return size;
}

const VbInterface vb_domain_interface = {
    .name = "org.virtbus1.Domain",
    .methods = methods,
    .properties = properties,
    .signals = signals,
    .describe = vb_domain_object_describe,
    .bound = bound,
};

/* ---- changes ----------------------------------------------------------------------------------
 */

static const VbChange changes[] = {{VB_DOMAIN_PROP_NAME, "Name", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_PERSISTENT, "Persistent", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_AUTOSTART, "Autostart", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_CONFIG_PENDING, "ConfigPending", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_ID, "Id", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_BLOCK_JOBS, "BlockJobs", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_RESPONSIVE, "Responsive", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "Title", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "Description", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "MemoryMax", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "MemoryCurrent", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "Vcpus", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "VcpusMax", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "Architecture", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "Machine", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "Disks", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "Interfaces", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_DEFINITION, "Graphics", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_ADDRESSES, "Addresses", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_STATE, "StateReason", VB_DIRTY_MERGE},
                                   {VB_DOMAIN_PROP_STATE, "State", VB_DIRTY_NO_MERGE},
                                   {}};

void vb_domain_object_changed(VbRegistry *registry, VbObject *object, VbDomainProps props)
{
    vb_changes_mark(changes, props, registry, object, &vb_domain_interface);
}

void vb_domain_object_lifecycle(VbRegistry *registry, VbObject *object, const char *event,
                                const char *reason)
{
    vb_registry_emit(registry, object, &vb_domain_interface, "Lifecycle", "ssa{sv}", event, reason,
                     0);
}
