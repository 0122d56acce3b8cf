/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns the devices that are neither disks nor interfaces: their words and their life. */
#include "device-def.h"

static const char *const controller_types[] = {
    [VB_CONTROLLER_PCI] = "pci",   [VB_CONTROLLER_SCSI] = "scsi",
    [VB_CONTROLLER_SATA] = "sata", [VB_CONTROLLER_IDE] = "ide",
    [VB_CONTROLLER_USB] = "usb",   [VB_CONTROLLER_VIRTIO_SERIAL] = "virtio-serial",
};
VB_ENUM_DEFINE(VbControllerType, vb_controller_type, controller_types)

static const char *const controller_models[] = {
    [VB_CONTROLLER_MODEL_PCI_ROOT] = "pci-root",
    [VB_CONTROLLER_MODEL_PCIE_ROOT] = "pcie-root",
    [VB_CONTROLLER_MODEL_PCIE_ROOT_PORT] = "pcie-root-port",
    [VB_CONTROLLER_MODEL_PCI_BRIDGE] = "pci-bridge",
    [VB_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE] = "pcie-to-pci-bridge",
    [VB_CONTROLLER_MODEL_VIRTIO_SCSI] = "virtio-scsi",
    [VB_CONTROLLER_MODEL_PIIX3_UHCI] = "piix3-uhci",
    [VB_CONTROLLER_MODEL_ICH9_EHCI1] = "ich9-ehci1",
    [VB_CONTROLLER_MODEL_ICH9_UHCI1] = "ich9-uhci1",
    [VB_CONTROLLER_MODEL_ICH9_UHCI2] = "ich9-uhci2",
    [VB_CONTROLLER_MODEL_ICH9_UHCI3] = "ich9-uhci3",
    [VB_CONTROLLER_MODEL_NEC_XHCI] = "nec-xhci",
    [VB_CONTROLLER_MODEL_QEMU_XHCI] = "qemu-xhci",
    [VB_CONTROLLER_MODEL_NONE] = "none",
};
VB_ENUM_DEFINE(VbControllerModel, vb_controller_model, controller_models)

static const char *const char_kinds[] = {
    [VB_CHAR_SERIAL] = "serial",
    [VB_CHAR_PARALLEL] = "parallel",
    [VB_CHAR_CONSOLE] = "console",
    [VB_CHAR_CHANNEL] = "channel",
};
VB_ENUM_DEFINE(VbCharKind, vb_char_kind, char_kinds)

static const char *const char_source_types[] = {
    [VB_CHAR_SOURCE_PTY] = "pty",           [VB_CHAR_SOURCE_UNIX] = "unix",
    [VB_CHAR_SOURCE_FILE] = "file",         [VB_CHAR_SOURCE_NULL] = "null",
    [VB_CHAR_SOURCE_SPICEVMC] = "spicevmc",
};
VB_ENUM_DEFINE(VbCharSourceType, vb_char_source_type, char_source_types)

static const char *const char_targets[] = {
    [VB_CHAR_TARGET_ISA_SERIAL] = "isa-serial", [VB_CHAR_TARGET_PCI_SERIAL] = "pci-serial",
    [VB_CHAR_TARGET_USB_SERIAL] = "usb-serial", [VB_CHAR_TARGET_SERIAL] = "serial",
    [VB_CHAR_TARGET_VIRTIO] = "virtio",
};
VB_ENUM_DEFINE(VbCharTarget, vb_char_target, char_targets)

static const char *const channel_states[] = {
    [VB_CHANNEL_STATE_CONNECTED] = "connected",
    [VB_CHANNEL_STATE_DISCONNECTED] = "disconnected",
};
VB_ENUM_DEFINE(VbChannelState, vb_channel_state, channel_states)

static const char *const graphics_types[] = {
    [VB_GRAPHICS_VNC] = "vnc",
    [VB_GRAPHICS_SPICE] = "spice",
};
VB_ENUM_DEFINE(VbGraphicsType, vb_graphics_type, graphics_types)

static const char *const graphics_listens[] = {
    [VB_GRAPHICS_LISTEN_ADDRESS] = "address",
    [VB_GRAPHICS_LISTEN_SOCKET] = "socket",
    [VB_GRAPHICS_LISTEN_NONE] = "none",
};
VB_ENUM_DEFINE(VbGraphicsListen, vb_graphics_listen, graphics_listens)

static const char *const spice_compressions[] = {
    [VB_SPICE_COMPRESSION_AUTO_GLZ] = "auto_glz",
    [VB_SPICE_COMPRESSION_AUTO_LZ] = "auto_lz",
    [VB_SPICE_COMPRESSION_QUIC] = "quic",
    [VB_SPICE_COMPRESSION_GLZ] = "glz",
    [VB_SPICE_COMPRESSION_LZ] = "lz",
    [VB_SPICE_COMPRESSION_OFF] = "off",
};
VB_ENUM_DEFINE(VbSpiceCompression, vb_spice_compression, spice_compressions)

static const char *const video_types[] = {
    [VB_VIDEO_VGA] = "vga",       [VB_VIDEO_CIRRUS] = "cirrus", [VB_VIDEO_QXL] = "qxl",
    [VB_VIDEO_VIRTIO] = "virtio", [VB_VIDEO_BOCHS] = "bochs",   [VB_VIDEO_NONE] = "none",
};
VB_ENUM_DEFINE(VbVideoType, vb_video_type, video_types)

static const char *const input_types[] = {
    [VB_INPUT_MOUSE] = "mouse",
    [VB_INPUT_KEYBOARD] = "keyboard",
    [VB_INPUT_TABLET] = "tablet",
};
VB_ENUM_DEFINE(VbInputType, vb_input_type, input_types)

static const char *const input_buses[] = {
    [VB_INPUT_BUS_PS2] = "ps2",
    [VB_INPUT_BUS_USB] = "usb",
    [VB_INPUT_BUS_VIRTIO] = "virtio",
};
VB_ENUM_DEFINE(VbInputBus, vb_input_bus, input_buses)

static const char *const rng_backends[] = {
    [VB_RNG_RANDOM] = "random",
    [VB_RNG_BUILTIN] = "builtin",
};
VB_ENUM_DEFINE(VbRngBackend, vb_rng_backend, rng_backends)

static const char *const memballoon_models[] = {
    [VB_MEMBALLOON_VIRTIO] = "virtio",
    [VB_MEMBALLOON_NONE] = "none",
};
VB_ENUM_DEFINE(VbMemballoonModel, vb_memballoon_model, memballoon_models)

static const char *const watchdog_actions[] = {
    [VB_WATCHDOG_ACTION_RESET] = "reset",       [VB_WATCHDOG_ACTION_SHUTDOWN] = "shutdown",
    [VB_WATCHDOG_ACTION_POWEROFF] = "poweroff", [VB_WATCHDOG_ACTION_PAUSE] = "pause",
    [VB_WATCHDOG_ACTION_NONE] = "none",         [VB_WATCHDOG_ACTION_INJECT_NMI] = "inject-nmi",
};
VB_ENUM_DEFINE(VbWatchdogAction, vb_watchdog_action, watchdog_actions)

/* The strings of each kind of device, for its copy and its end. */
#define COPY_STRING(field) copy->field = g_strdup(device->field);
#define FREE_STRING(field) g_free(device->field);
#define NO_STRINGS(X)
#define CHAR_STRINGS(X) X(path) X(target_name)
#define GRAPHICS_STRINGS(X) X(address) X(socket) X(passwd) X(keymap)
#define RNG_STRINGS(X) X(path)

#define DEFINE_DEVICE(Type, prefix, STRINGS, ...)                                                  \
    Type *prefix##_new(void)                                                                       \
    {                                                                                              \
        Type *device = g_new(Type, 1);                                                             \
        *device = (Type){__VA_ARGS__};                                                             \
        return device;                                                                             \
    }                                                                                              \
    Type *prefix##_copy(const Type *device)                                                        \
    {                                                                                              \
        Type *copy = g_memdup2(device, sizeof *device);                                            \
        vb_device_info_copy(&copy->info, &device->info);                                           \
        STRINGS(COPY_STRING)                                                                       \
        return copy;                                                                               \
    }                                                                                              \
    void prefix##_free(Type *device)                                                               \
    {                                                                                              \
        if (!device)                                                                               \
            return;                                                                                \
        vb_device_info_clear(&device->info);                                                       \
        STRINGS(FREE_STRING)                                                                       \
        g_free(device);                                                                            \
    }

DEFINE_DEVICE(VbControllerDef, vb_controller_def, NO_STRINGS, .chassis = -1, .port = -1,
              .master_startport = -1, .ports = -1, .vectors = -1)
DEFINE_DEVICE(VbCharDef, vb_char_def, CHAR_STRINGS, )
DEFINE_DEVICE(VbGraphicsDef, vb_graphics_def, GRAPHICS_STRINGS, .port = -1, .tls_port = -1)
DEFINE_DEVICE(VbVideoDef, vb_video_def, NO_STRINGS, )
DEFINE_DEVICE(VbInputDef, vb_input_def, NO_STRINGS, )
DEFINE_DEVICE(VbRngDef, vb_rng_def, RNG_STRINGS, )
DEFINE_DEVICE(VbMemballoonDef, vb_memballoon_def, NO_STRINGS, )
DEFINE_DEVICE(VbWatchdogDef, vb_watchdog_def, NO_STRINGS, )
