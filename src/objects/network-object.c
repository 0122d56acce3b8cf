/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vtable, handlers and getters of org.virtbus1.Network. The getters read what the network holds in
 * memory; the handlers hand the call to the core and answer when it has. */
#include "network-object.h"

#include "actions.h"
#include "answer.h"
#include "call.h"
#include "changes.h"
#include "host-access.h"
#include "message.h"

#define OPERATE VB_ACTION(VB_ACTION_NETWORK_OPERATE)
#define MANAGE VB_ACTION(VB_ACTION_NETWORK_MANAGE)

/* The data of vb_answer. */
static gpointer answer_data(VbCall *call, VbNetwork *network,
                            gboolean (*finish)(VbNetwork *, GAsyncResult *, GError **))
{
    return vb_answer_data(call, vb_network_ref(network), (GDestroyNotify)vb_network_unref,
                          (VbAnswerFinish)finish);
}

/* ---- operations -------------------------------------------------------------------------------
 */

static void handle_operation(VbCall *call, VbNetwork *network, VbNetworkOp op)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_network_operate_async(network, op, vb_answer,
                                 answer_data(call, network, vb_network_operate_finish));
}

static void handle_start(VbCall *call, gpointer data)
{
    handle_operation(call, data, VB_NETWORK_OP_START);
}

static void handle_destroy(VbCall *call, gpointer data)
{
    handle_operation(call, data, VB_NETWORK_OP_DESTROY);
}

/* ---- the definition ---------------------------------------------------------------------------
 */

static void handle_undefine(VbCall *call, gpointer data)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_network_undefine_async(data, vb_answer,
                                  answer_data(call, data, vb_network_undefine_finish));
}

static void handle_set_autostart(VbCall *call, gpointer data)
{
    GError *error = NULL;
    gboolean autostart;

    if (!vb_call_read(call, &error, "b", &autostart) || !vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_network_set_autostart_async(data, autostart, vb_answer,
                                       answer_data(call, data, vb_network_set_autostart_finish));
}

static gboolean prepare_redefine(VbCall *call, gpointer data, GError **error)
{
    VbNetworkDef *def = vb_host_access_read_network(call, vb_network_host(data), error);

    vb_call_set_argument(call, def, (GDestroyNotify)vb_network_def_unref);
    return def != NULL;
}

static void handle_redefine(VbCall *call, gpointer data)
{
    GError *error = NULL;

    if (!vb_call_read_no_options(call, &error))
        vb_call_fail(call, error);
    else
        vb_network_redefine_async(data, vb_call_steal_argument(call), vb_answer,
                                  answer_data(call, data, vb_network_redefine_finish));
}

static void handle_get_xml(VbCall *call, gpointer data)
{
    GError *error = NULL;
    g_autoptr(VbOptions) options = vb_call_read_options(call, &error);
    g_autofree char *xml = NULL;
    gboolean inactive = FALSE;

    if (options != NULL)
        vb_options_take_bool(options, "inactive", &inactive);
    if (options == NULL || !vb_options_finish(options, &error)) {
        vb_call_fail(call, error);
        return;
    }
    if (inactive && !vb_network_info(data)->persistent)
        xml = vb_network_def_format(vb_network_def(data), VB_FORMAT_NONE);
    else
        xml = vb_network_format(data, inactive);
    vb_call_reply(call, "s", xml);
}

/* ---- parts of the definition ------------------------------------------------------------------
 */

static void on_updated(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(VbCall) call = data;
    g_autoptr(GError) error = NULL;
    gboolean live, stored;
    gboolean done = vb_network_update_finish(result, &live, &stored, &error);

    if (vb_call_replied(call)) /* the daemon's end was faster */
        return;
    if (!done) {
        vb_call_fail(call, g_steal_pointer(&error));
        return;
    }
    sd_bus_message *reply = vb_call_new_reply(call);
    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}");
    vb_message_append_entry(reply, "live", "b", live);
    vb_message_append_entry(reply, "stored", "b", stored);
    sd_bus_message_close_container(reply);
    vb_call_reply_message(call, reply);
}

static gboolean parse_change(const char *section, const char *command, VbNetworkChange *change,
                             GError **error)
{
    if (!vb_network_section_from_string(section, &change->section))
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "there is no section '%s'", section);
    if (!vb_network_update_from_string(command, &change->command))
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "there is no command '%s'", command);
    return TRUE;
}

static void handle_update(VbCall *call, gpointer data)
{
    VbNetworkChange change = {};
    g_autoptr(VbOptions) options = NULL;
    const char *section, *command;
    GError *error = NULL;

    if (!vb_call_read(call, &error, "ssis", &section, &command, &change.parent, &change.xml) ||
        (options = vb_call_read_options(call, &error)) == NULL) {
        vb_call_fail(call, error);
        return;
    }
    vb_options_take_bool(options, "live", &change.live);
    vb_options_take_bool(options, "stored", &change.stored);
    if (!vb_options_finish(options, &error) || !parse_change(section, command, &change, &error))
        vb_call_fail(call, error);
    else
        vb_network_update_async(data, &change, on_updated, vb_call_ref(call));
}

static const VbMethod methods[] = {
    VB_METHOD("Start", "a{sv}", "options", "", "", OPERATE, handle_start),
    VB_METHOD("Destroy", "a{sv}", "options", "", "", OPERATE, handle_destroy),
    VB_METHOD("Undefine", "a{sv}", "options", "", "", MANAGE, handle_undefine),
    VB_METHOD("SetAutostart", "ba{sv}", "autostart options", "", "", MANAGE, handle_set_autostart),
    VB_METHOD("GetXml", "a{sv}", "options", "s", "xml", VB_ACTION(VB_ACTION_NETWORK_READ_XML),
              handle_get_xml),
    VB_METHOD_PREPARED("Redefine", "sa{sv}", "xml options", "", "", MANAGE, prepare_redefine,
                       handle_redefine),
    VB_METHOD("Update", "ssisa{sv}", "section command parent_index xml options", "a{sv}", "changed",
              MANAGE, handle_update),
    {}};

/* ---- properties -------------------------------------------------------------------------------
 */

static void append_bool(sd_bus_message *reply, gboolean value)
{
    sd_bus_message_append(reply, "b", value);
}

static void get_name(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_network_info(data)->name);
}

static void get_uuid(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_network_info(data)->uuid);
}

static void get_state(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_network_info(data)->active ? "active" : "inactive");
}

static void get_persistent(sd_bus_message *reply, gpointer data)
{
    append_bool(reply, vb_network_info(data)->persistent);
}

static void get_autostart(sd_bus_message *reply, gpointer data)
{
    append_bool(reply, vb_network_info(data)->autostart);
}

static void get_config_pending(sd_bus_message *reply, gpointer data)
{
    append_bool(reply, vb_network_info(data)->config_pending);
}

static void get_title(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_network_def(data)->title);
}

static void get_description(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_network_def(data)->description);
}

static void get_bridge(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_network_def(data)->bridge);
}

static void get_forward_mode(sd_bus_message *reply, gpointer data)
{
    VbForwardMode mode = vb_network_def(data)->forward.mode;

    vb_message_append_string(
        reply, mode == VB_FORWARD_NONE ? "isolated" : vb_forward_mode_to_string(mode));
}

static void get_forward_devices(sd_bus_message *reply, gpointer data)
{
    const GPtrArray *devs = vb_network_def(data)->forward.devs;

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "s");
    for (guint i = 0; i < devs->len; i++)
        vb_message_append_string(reply, devs->pdata[i]);
    sd_bus_message_close_container(reply);
}

static void get_domain(sd_bus_message *reply, gpointer data)
{
    vb_message_append_string(reply, vb_network_def(data)->domain);
}

static void get_addresses(sd_bus_message *reply, gpointer data)
{
    const GPtrArray *ips = vb_network_def(data)->ips;

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "s");
    for (guint i = 0; i < ips->len; i++) {
        const VbNetworkIpDef *ip = ips->pdata[i];
        g_autofree char *address = vb_ip_to_string(&ip->address);
        g_autofree char *with_prefix = g_strdup_printf("%s/%u", address, ip->prefix);

        vb_message_append_string(reply, with_prefix);
    }
    sd_bus_message_close_container(reply);
}

static void append_lease(sd_bus_message *reply, const VbLease *lease)
{
    g_autofree char *address = vb_ip_to_string(&lease->ip);

    sd_bus_message_open_container(reply, SD_BUS_TYPE_STRUCT, "sssta{sv}");
    vb_message_append_string(reply, lease->mac);
    vb_message_append_string(reply, address);
    vb_message_append_string(reply, lease->hostname);
    sd_bus_message_append(reply, "t", lease->expiry);
    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}");
    if (lease->client_id[0] != '\0')
        vb_message_append_entry_string(reply, "client-id", lease->client_id);
    if (lease->ip.family == VB_IPV6)
        vb_message_append_entry(reply, "iaid", "u", lease->iaid);
    sd_bus_message_close_container(reply);
    sd_bus_message_close_container(reply);
}

static void get_leases(sd_bus_message *reply, gpointer data)
{
    const GPtrArray *leases = vb_network_leases(data);

    sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(sssta{sv})");
    for (guint i = 0; i < leases->len; i++)
        append_lease(reply, leases->pdata[i]);
    sd_bus_message_close_container(reply);
}

static const VbProperty properties[] = {
    VB_PROPERTY("Name", "s", VB_EMITS_CHANGE, get_name),
    VB_PROPERTY("Uuid", "s", VB_CONST, get_uuid),
    VB_PROPERTY("State", "s", VB_EMITS_CHANGE, get_state),
    VB_PROPERTY("Persistent", "b", VB_EMITS_CHANGE, get_persistent),
    VB_PROPERTY("Autostart", "b", VB_EMITS_CHANGE, get_autostart),
    VB_PROPERTY("ConfigPending", "b", VB_EMITS_CHANGE, get_config_pending),
    VB_PROPERTY("Title", "s", VB_EMITS_CHANGE, get_title),
    VB_PROPERTY("Description", "s", VB_EMITS_CHANGE, get_description),
    VB_PROPERTY("Bridge", "s", VB_EMITS_CHANGE, get_bridge),
    VB_PROPERTY("ForwardMode", "s", VB_EMITS_CHANGE, get_forward_mode),
    VB_PROPERTY("ForwardDevices", "as", VB_EMITS_CHANGE, get_forward_devices),
    VB_PROPERTY("Domain", "s", VB_EMITS_CHANGE, get_domain),
    VB_PROPERTY("Addresses", "as", VB_EMITS_CHANGE, get_addresses),
    VB_PROPERTY("Leases", "a(sssta{sv})", VB_EMITS_CHANGE, get_leases),
    {}};

static const VbSignal signals[] = {VB_SIGNAL("Lifecycle", "ssa{sv}", "event reason details"), {}};

static void describe(gpointer data, VbDetails *details)
{
    const VbNetworkInfo *info = vb_network_info(data);

    vb_details_set(details, "network_name", info->name);
    vb_details_set(details, "network_uuid", info->uuid);
}

const VbInterface vb_network_interface = {"org.virtbus1.Network", methods, properties, signals,
                                          describe};

/* ---- changes ----------------------------------------------------------------------------------
 */

static const VbChange changes[] = {
    {VB_NETWORK_PROP_PERSISTENT, "Persistent", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_AUTOSTART, "Autostart", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_CONFIG_PENDING, "ConfigPending", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_DEFINITION, "Title", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_DEFINITION, "Description", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_DEFINITION, "Bridge", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_DEFINITION, "ForwardMode", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_DEFINITION, "ForwardDevices", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_DEFINITION, "Domain", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_DEFINITION, "Addresses", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_LEASES, "Leases", VB_DIRTY_MERGE},
    {VB_NETWORK_PROP_STATE, "State", VB_DIRTY_NO_MERGE},
    {}};

void vb_network_object_changed(VbRegistry *registry, VbObject *object, VbNetworkProps props)
{
    vb_changes_mark(changes, props, registry, object, &vb_network_interface);
}

void vb_network_object_lifecycle(VbRegistry *registry, VbObject *object, const char *event,
                                 const char *reason)
{
    vb_registry_emit(registry, object, &vb_network_interface, "Lifecycle", "ssa{sv}", event, reason,
                     0);
}
