/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Reads and writes controllers and the small devices. */
#include "device-xml.h"

#include "device-info-xml.h"

/* Fails unless the only model that there is was named. */
static void parse_only_model(VbXmlReader *reader, VbXmlElement *element, const char *model)
{
    g_autofree char *word = vb_xml_required_attr(reader, element, "model");

    if (word && !g_str_equal(word, model))
        vb_xml_fail_value(reader, element, "model", word);
}

/* --- controllers --- */

/* The device of QEMU that stands for a model of pci controller, where a document may name it. */
static const char *pci_device(VbControllerModel model)
{
    switch (model) {
    case VB_CONTROLLER_MODEL_PCIE_ROOT_PORT:
        return "pcie-root-port";
    case VB_CONTROLLER_MODEL_PCI_BRIDGE:
        return "pci-bridge";
    case VB_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE:
        return "pcie-pci-bridge";
    default:
        return NULL;
    }
}

static void parse_pci_controller(VbXmlReader *reader, VbXmlElement *element,
                                 VbControllerDef *controller)
{
    VbXmlElement *model = vb_xml_child(reader, element, "model");
    VbXmlElement *target = vb_xml_child(reader, element, "target");

    if (model) {
        g_autofree char *name = vb_xml_required_attr(reader, model, "name");

        if (name && g_strcmp0(name, pci_device(controller->model)) != 0)
            vb_xml_fail_value(reader, model, "name", name);
    }
    if (!target)
        return;
    guint number;
    if (controller->model == VB_CONTROLLER_MODEL_PCI_BRIDGE &&
        vb_xml_hex_attr(reader, target, "chassisNr", 255, &number))
        controller->chassis = (int)number;
    if (controller->model == VB_CONTROLLER_MODEL_PCIE_ROOT_PORT) {
        if (vb_xml_hex_attr(reader, target, "chassis", 255, &number))
            controller->chassis = (int)number;
        if (vb_xml_hex_attr(reader, target, "port", 255, &number))
            controller->port = (int)number;
    }
}

VbControllerDef *vb_controller_def_parse(VbXmlReader *reader, VbXmlElement *element,
                                         VbXmlFlags flags)
{
    g_autoptr(VbControllerDef) controller = vb_controller_def_new();
    VbXmlElement *child;

    controller->index = VB_CONTROLLER_INDEX_ABSENT;
    if (!VB_XML_ENUM_ATTR(reader, element, "type", vb_controller_type, &controller->type))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
    vb_xml_uint_attr(reader, element, "index", 0, 255, &controller->index);
    if (controller->type == VB_CONTROLLER_VIRTIO_SERIAL) {
        g_autofree char *model = vb_xml_attr(reader, element, "model");

        if (model && !g_str_equal(model, "virtio"))
            vb_xml_fail_value(reader, element, "model", model);
        vb_xml_int_attr(reader, element, "ports", 1, 31, &controller->ports);
        vb_xml_int_attr(reader, element, "vectors", 0, 255, &controller->vectors);
    } else {
        VB_XML_ENUM_ATTR(reader, element, "model", vb_controller_model, &controller->model);
    }
    if (controller->type == VB_CONTROLLER_PCI) {
        if (controller->model == VB_CONTROLLER_MODEL_DEFAULT)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'model' is missing");
        parse_pci_controller(reader, element, controller);
    }
    if (controller->type == VB_CONTROLLER_USB) {
        vb_xml_int_attr(reader, element, "ports", 1, 15, &controller->ports);
        if ((child = vb_xml_child(reader, element, "master")) &&
            !vb_xml_int_attr(reader, child, "startport", 0, 15, &controller->master_startport))
            vb_xml_fail(reader, child, VB_ERROR_INVALID_XML, "attribute 'startport' is missing");
    }
    if (controller->type == VB_CONTROLLER_SCSI && (child = vb_xml_child(reader, element, "driver")))
        vb_xml_uint_attr(reader, child, "queues", 1, 1024, &controller->queues);
    vb_device_info_parse(reader, element, flags, &controller->info);
    return g_steal_pointer(&controller);
}

static void format_pci_target(VbXmlWriter *writer, const VbControllerDef *controller)
{
    if (controller->chassis < 0 && controller->port < 0)
        return;
    vb_xml_write_start(writer, "target");
    if (controller->chassis >= 0)
        vb_xml_write_attr_printf(
            writer, controller->model == VB_CONTROLLER_MODEL_PCI_BRIDGE ? "chassisNr" : "chassis",
            "%d", controller->chassis);
    if (controller->port >= 0)
        vb_xml_write_attr_printf(writer, "port", "0x%x", (guint)controller->port);
    vb_xml_write_end(writer);
}

void vb_controller_def_format(VbXmlWriter *writer, const VbControllerDef *controller,
                              VbFormatFlags flags)
{
    vb_xml_write_start(writer, "controller");
    vb_xml_write_attr(writer, "type", vb_controller_type_to_string(controller->type));
    vb_xml_write_attr_printf(writer, "index", "%u", controller->index);
    vb_xml_write_attr(writer, "model", vb_controller_model_to_string(controller->model));
    if (controller->ports >= 0)
        vb_xml_write_attr_printf(writer, "ports", "%d", controller->ports);
    if (controller->vectors >= 0)
        vb_xml_write_attr_printf(writer, "vectors", "%d", controller->vectors);
    if (pci_device(controller->model)) {
        vb_xml_write_start(writer, "model");
        vb_xml_write_attr(writer, "name", pci_device(controller->model));
        vb_xml_write_end(writer);
        format_pci_target(writer, controller);
    }
    if (controller->master_startport >= 0) {
        vb_xml_write_start(writer, "master");
        vb_xml_write_attr_printf(writer, "startport", "%d", controller->master_startport);
        vb_xml_write_end(writer);
    }
    if (controller->queues) {
        vb_xml_write_start(writer, "driver");
        vb_xml_write_attr_printf(writer, "queues", "%u", controller->queues);
        vb_xml_write_end(writer);
    }
    vb_device_info_format(writer, &controller->info, flags);
    vb_xml_write_end(writer);
}

/* --- input --- */

VbInputDef *vb_input_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags)
{
    g_autoptr(VbInputDef) input = vb_input_def_new();

    if (!VB_XML_ENUM_ATTR(reader, element, "type", vb_input_type, &input->type))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'type' is missing");
    VB_XML_ENUM_ATTR(reader, element, "bus", vb_input_bus, &input->bus);
    vb_device_info_parse(reader, element, flags, &input->info);
    return g_steal_pointer(&input);
}

void vb_input_def_format(VbXmlWriter *writer, const VbInputDef *input, VbFormatFlags flags)
{
    vb_xml_write_start(writer, "input");
    vb_xml_write_attr(writer, "type", vb_input_type_to_string(input->type));
    vb_xml_write_attr(writer, "bus", vb_input_bus_to_string(input->bus));
    vb_device_info_format(writer, &input->info, flags);
    vb_xml_write_end(writer);
}

/* --- random numbers --- */

VbRngDef *vb_rng_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags)
{
    g_autoptr(VbRngDef) rng = vb_rng_def_new();
    VbXmlElement *backend = vb_xml_required_child(reader, element, "backend");
    VbXmlElement *rate = vb_xml_child(reader, element, "rate");

    parse_only_model(reader, element, "virtio");
    if (backend) {
        if (!VB_XML_ENUM_ATTR(reader, backend, "model", vb_rng_backend, &rng->backend))
            vb_xml_fail(reader, backend, VB_ERROR_INVALID_XML, "attribute 'model' is missing");
        if (rng->backend == VB_RNG_RANDOM)
            rng->path = vb_xml_path_text(reader, backend);
    }
    if (rate) {
        if (!vb_xml_uint_attr(reader, rate, "bytes", 1, G_MAXINT, &rng->rate_bytes))
            vb_xml_fail(reader, rate, VB_ERROR_INVALID_XML, "attribute 'bytes' is missing");
        vb_xml_uint_attr(reader, rate, "period", 1, G_MAXINT, &rng->rate_period);
    }
    vb_device_info_parse(reader, element, flags, &rng->info);
    return g_steal_pointer(&rng);
}

void vb_rng_def_format(VbXmlWriter *writer, const VbRngDef *rng, VbFormatFlags flags)
{
    vb_xml_write_start(writer, "rng");
    vb_xml_write_attr(writer, "model", "virtio");
    if (rng->rate_bytes) {
        vb_xml_write_start(writer, "rate");
        vb_xml_write_attr_printf(writer, "bytes", "%u", rng->rate_bytes);
        if (rng->rate_period)
            vb_xml_write_attr_printf(writer, "period", "%u", rng->rate_period);
        vb_xml_write_end(writer);
    }
    vb_xml_write_start(writer, "backend");
    vb_xml_write_attr(writer, "model", vb_rng_backend_to_string(rng->backend));
    vb_xml_write_text(writer, rng->path);
    vb_xml_write_end(writer);
    vb_device_info_format(writer, &rng->info, flags);
    vb_xml_write_end(writer);
}

/* --- memory balloon --- */

VbMemballoonDef *vb_memballoon_def_parse(VbXmlReader *reader, VbXmlElement *element,
                                         VbXmlFlags flags)
{
    g_autoptr(VbMemballoonDef) balloon = vb_memballoon_def_new();
    VbXmlElement *stats = vb_xml_child(reader, element, "stats");

    if (!VB_XML_ENUM_ATTR(reader, element, "model", vb_memballoon_model, &balloon->model))
        vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "attribute 'model' is missing");
    if (balloon->model == VB_MEMBALLOON_NONE)
        return g_steal_pointer(&balloon);
    vb_xml_on_off_attr(reader, element, "autodeflate", &balloon->autodeflate);
    vb_xml_on_off_attr(reader, element, "freePageReporting", &balloon->free_page_reporting);
    if (stats)
        vb_xml_uint_attr(reader, stats, "period", 0, G_MAXINT, &balloon->stats_period);
    vb_device_info_parse(reader, element, flags, &balloon->info);
    return g_steal_pointer(&balloon);
}

void vb_memballoon_def_format(VbXmlWriter *writer, const VbMemballoonDef *balloon,
                              VbFormatFlags flags)
{
    vb_xml_write_start(writer, "memballoon");
    vb_xml_write_attr(writer, "model", vb_memballoon_model_to_string(balloon->model));
    vb_xml_write_on_off(writer, "autodeflate", balloon->autodeflate);
    vb_xml_write_on_off(writer, "freePageReporting", balloon->free_page_reporting);
    if (balloon->stats_period) {
        vb_xml_write_start(writer, "stats");
        vb_xml_write_attr_printf(writer, "period", "%u", balloon->stats_period);
        vb_xml_write_end(writer);
    }
    vb_device_info_format(writer, &balloon->info, flags);
    vb_xml_write_end(writer);
}

/* --- watchdog --- */

VbWatchdogDef *vb_watchdog_def_parse(VbXmlReader *reader, VbXmlElement *element, VbXmlFlags flags)
{
    g_autoptr(VbWatchdogDef) watchdog = vb_watchdog_def_new();

    parse_only_model(reader, element, "i6300esb");
    VB_XML_ENUM_ATTR(reader, element, "action", vb_watchdog_action, &watchdog->action);
    vb_device_info_parse(reader, element, flags, &watchdog->info);
    return g_steal_pointer(&watchdog);
}

void vb_watchdog_def_format(VbXmlWriter *writer, const VbWatchdogDef *watchdog, VbFormatFlags flags)
{
    vb_xml_write_start(writer, "watchdog");
    vb_xml_write_attr(writer, "model", "i6300esb");
    vb_xml_write_attr(writer, "action", vb_watchdog_action_to_string(watchdog->action));
    vb_device_info_format(writer, &watchdog->info, flags);
    vb_xml_write_end(writer);
}
