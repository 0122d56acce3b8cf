/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every device of a domain that is neither a disk nor a network interface: plain structs. Each has
 * `info` (address, alias, boot order) first, and new/copy/free functions; free accepts NULL.
 * device-xml.h reads and writes them. */
#pragma once

#include "interface-def.h"

/* --- controllers --- */

typedef enum {
    VB_CONTROLLER_PCI,
    VB_CONTROLLER_SCSI,
    VB_CONTROLLER_SATA,
    VB_CONTROLLER_IDE,
    VB_CONTROLLER_USB,
    VB_CONTROLLER_VIRTIO_SERIAL,
} VbControllerType;
VB_ENUM_DECLARE(VbControllerType, vb_controller_type)

typedef enum {
    VB_CONTROLLER_MODEL_DEFAULT,            /* sata, ide, virtio-serial have no model */
    VB_CONTROLLER_MODEL_PCI_ROOT,           /* built into pc */
    VB_CONTROLLER_MODEL_PCIE_ROOT,          /* built into q35 */
    VB_CONTROLLER_MODEL_PCIE_ROOT_PORT,     /* one slot, 0 */
    VB_CONTROLLER_MODEL_PCI_BRIDGE,         /* slots 1..31 */
    VB_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE, /* slots 1..31 */
    VB_CONTROLLER_MODEL_VIRTIO_SCSI,
    VB_CONTROLLER_MODEL_PIIX3_UHCI,
    VB_CONTROLLER_MODEL_ICH9_EHCI1,
    VB_CONTROLLER_MODEL_ICH9_UHCI1,
    VB_CONTROLLER_MODEL_ICH9_UHCI2,
    VB_CONTROLLER_MODEL_ICH9_UHCI3,
    VB_CONTROLLER_MODEL_NEC_XHCI,
    VB_CONTROLLER_MODEL_QEMU_XHCI,
    VB_CONTROLLER_MODEL_NONE, /* usb: the domain has no USB at all */
} VbControllerModel;
VB_ENUM_DECLARE(VbControllerModel, vb_controller_model)

typedef struct {
    VbDeviceInfo info;
    VbControllerType type;
    guint index;
    VbControllerModel model;
    int chassis;          /* pcie-root-port, pci-bridge (XML: chassisNr): -1 not assigned */
    int port;             /* pcie-root-port: -1 not assigned */
    int master_startport; /* companion UHCI of an EHCI: first port; -1: none */
    int ports;            /* usb (xhci), virtio-serial: -1 not given */
    int vectors;          /* virtio-serial: -1 not given */
    guint queues;         /* virtio-scsi; 0 not given */
} VbControllerDef;

/* --- character devices --- */

typedef enum {
    VB_CHAR_SERIAL,
    VB_CHAR_PARALLEL,
    VB_CHAR_CONSOLE,
    VB_CHAR_CHANNEL,
} VbCharKind;
VB_ENUM_DECLARE(VbCharKind, vb_char_kind) /* the element's name */

typedef enum {
    VB_CHAR_SOURCE_PTY,
    VB_CHAR_SOURCE_UNIX,
    VB_CHAR_SOURCE_FILE,
    VB_CHAR_SOURCE_NULL,
    VB_CHAR_SOURCE_SPICEVMC, /* channels of a domain with spice graphics only */
} VbCharSourceType;
VB_ENUM_DECLARE(VbCharSourceType, vb_char_source_type)

typedef enum {
    VB_CHAR_TARGET_NONE,       /* parallel */
    VB_CHAR_TARGET_ISA_SERIAL, /* serial */
    VB_CHAR_TARGET_PCI_SERIAL, /* serial */
    VB_CHAR_TARGET_USB_SERIAL, /* serial */
    VB_CHAR_TARGET_SERIAL,     /* console: another name of the first serial, no device of its own */
    VB_CHAR_TARGET_VIRTIO,     /* console (virtconsole), channel (virtserialport) */
} VbCharTarget;
VB_ENUM_DECLARE(VbCharTarget, vb_char_target)

typedef enum {
    VB_CHANNEL_STATE_DEFAULT, /* not known */
    VB_CHANNEL_STATE_CONNECTED,
    VB_CHANNEL_STATE_DISCONNECTED,
} VbChannelState;
VB_ENUM_DECLARE(VbChannelState, vb_channel_state)

/* A console with target `serial` carries a copy of the first serial's source; use the serial. */
typedef struct {
    VbDeviceInfo info;
    VbCharKind kind;
    VbCharSourceType source;
    char *path;        /* file, unix: absolute (unix channel: NULL, the driver chooses one);
                        * pty: the slave's path while the domain runs, else NULL */
    gboolean listen;   /* unix: mode='bind' (QEMU listens); FALSE: mode='connect' */
    VbTristate append; /* file */
    VbCharTarget target;
    guint port;           /* serial, parallel, console: 0… */
    char *target_name;    /* channel: the port's name in the guest */
    VbChannelState state; /* channel, live only */
} VbCharDef;

/* --- graphics and video --- */

typedef enum {
    VB_GRAPHICS_VNC,
    VB_GRAPHICS_SPICE,
} VbGraphicsType;
VB_ENUM_DECLARE(VbGraphicsType, vb_graphics_type)

typedef enum {
    VB_GRAPHICS_LISTEN_ADDRESS,
    VB_GRAPHICS_LISTEN_SOCKET,
    VB_GRAPHICS_LISTEN_NONE, /* no listener: clients come through the daemon */
} VbGraphicsListen;
VB_ENUM_DECLARE(VbGraphicsListen, vb_graphics_listen)

typedef enum {
    VB_SPICE_COMPRESSION_DEFAULT,
    VB_SPICE_COMPRESSION_AUTO_GLZ,
    VB_SPICE_COMPRESSION_AUTO_LZ,
    VB_SPICE_COMPRESSION_QUIC,
    VB_SPICE_COMPRESSION_GLZ,
    VB_SPICE_COMPRESSION_LZ,
    VB_SPICE_COMPRESSION_OFF,
} VbSpiceCompression;
VB_ENUM_DECLARE(VbSpiceCompression, vb_spice_compression)

typedef struct {
    VbDeviceInfo info;
    VbGraphicsType type;
    VbGraphicsListen listen;
    char *address;     /* listen address; NULL: the driver's default (127.0.0.1) */
    char *socket;      /* listen socket; absolute. NULL: the driver chooses one */
    gboolean autoport; /* the driver chooses the ports */
    int port;          /* -1: none or automatic; with autoport set only while the domain runs */
    int tls_port;      /* spice; as port */
    char *passwd;      /* a secret: in dumps only with VB_FORMAT_SECURE */
    char *keymap;
    VbSpiceCompression image_compression; /* spice */
} VbGraphicsDef;

typedef enum {
    VB_VIDEO_VGA,
    VB_VIDEO_CIRRUS,
    VB_VIDEO_QXL,
    VB_VIDEO_VIRTIO,
    VB_VIDEO_BOCHS,
    VB_VIDEO_NONE, /* the domain has no video device */
} VbVideoType;
VB_ENUM_DECLARE(VbVideoType, vb_video_type)

typedef struct {
    VbDeviceInfo info;
    VbVideoType type;
    guint ram_kib;    /* qxl; 0: not given */
    guint vram_kib;   /* 0: not given */
    guint vgamem_kib; /* qxl; 0: not given */
    guint heads;      /* 0: not given */
    gboolean primary; /* the first one */
} VbVideoDef;

/* --- the small ones --- */

typedef enum {
    VB_INPUT_MOUSE,
    VB_INPUT_KEYBOARD,
    VB_INPUT_TABLET,
} VbInputType;
VB_ENUM_DECLARE(VbInputType, vb_input_type)

typedef enum {
    VB_INPUT_BUS_NONE, /* only before the defaults are filled in */
    VB_INPUT_BUS_PS2,  /* part of the machine: mouse and keyboard, always there, no -device */
    VB_INPUT_BUS_USB,
    VB_INPUT_BUS_VIRTIO,
} VbInputBus;
VB_ENUM_DECLARE(VbInputBus, vb_input_bus)

typedef struct {
    VbDeviceInfo info;
    VbInputType type;
    VbInputBus bus;
} VbInputDef;

typedef enum {
    VB_RNG_RANDOM,  /* a device node of the host */
    VB_RNG_BUILTIN, /* QEMU's own generator */
} VbRngBackend;
VB_ENUM_DECLARE(VbRngBackend, vb_rng_backend)

/* model virtio, the only one */
typedef struct {
    VbDeviceInfo info;
    VbRngBackend backend;
    char *path;        /* random: absolute; never NULL after a parse ("/dev/urandom") */
    guint rate_bytes;  /* 0: unlimited */
    guint rate_period; /* ms; 0: not given (1000) */
} VbRngDef;

typedef enum {
    VB_MEMBALLOON_VIRTIO,
    VB_MEMBALLOON_NONE,
} VbMemballoonModel;
VB_ENUM_DECLARE(VbMemballoonModel, vb_memballoon_model)

typedef struct {
    VbDeviceInfo info;
    VbMemballoonModel model;
    VbTristate autodeflate;
    VbTristate free_page_reporting;
    guint stats_period; /* seconds; 0: no polling */
} VbMemballoonDef;

typedef enum {
    VB_WATCHDOG_ACTION_RESET,
    VB_WATCHDOG_ACTION_SHUTDOWN,
    VB_WATCHDOG_ACTION_POWEROFF,
    VB_WATCHDOG_ACTION_PAUSE,
    VB_WATCHDOG_ACTION_NONE,
    VB_WATCHDOG_ACTION_INJECT_NMI,
} VbWatchdogAction;
VB_ENUM_DECLARE(VbWatchdogAction, vb_watchdog_action)

/* model i6300esb, the only one */
typedef struct {
    VbDeviceInfo info;
    VbWatchdogAction action;
} VbWatchdogDef;

#define VB_DEVICE_DECLARE(Type, prefix)                                                            \
    Type *prefix##_new(void);                                                                      \
    Type *prefix##_copy(const Type *device);                                                       \
    void prefix##_free(Type *device);                                                              \
    G_DEFINE_AUTOPTR_CLEANUP_FUNC(Type, prefix##_free)

VB_DEVICE_DECLARE(VbControllerDef, vb_controller_def)
VB_DEVICE_DECLARE(VbCharDef, vb_char_def)
VB_DEVICE_DECLARE(VbGraphicsDef, vb_graphics_def)
VB_DEVICE_DECLARE(VbVideoDef, vb_video_def)
VB_DEVICE_DECLARE(VbInputDef, vb_input_def)
VB_DEVICE_DECLARE(VbRngDef, vb_rng_def)
VB_DEVICE_DECLARE(VbMemballoonDef, vb_memballoon_def)
VB_DEVICE_DECLARE(VbWatchdogDef, vb_watchdog_def)
