/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a domain is: the whole definition as plain structs, refcounted at the top. Drivers read it
 * to build a machine, and write run-time facts into it (id, aliases, pty paths, ports, chains).
 * XML in and out is libvirt's domain format; no function here does I/O. Numbers are what they say:
 * memory in bytes, rates in bytes or operations a second. */
#pragma once

#include "device-def.h"
#include "disk-def.h"
#include "tune-def.h"

typedef enum {
    VB_DOMAIN_TYPE_TEST,
    VB_DOMAIN_TYPE_QEMU,
    VB_DOMAIN_TYPE_KVM,
} VbDomainType;
VB_ENUM_DECLARE(VbDomainType, vb_domain_type)

/* --- <os> --- */

typedef enum {
    VB_BOOT_DEVICE_HD,
    VB_BOOT_DEVICE_CDROM,
    VB_BOOT_DEVICE_NETWORK,
    VB_BOOT_DEVICE_FD,
} VbBootDevice;
VB_ENUM_DECLARE(VbBootDevice, vb_boot_device)

#define VB_MAX_BOOT_DEVICES 4

typedef enum {
    VB_FIRMWARE_DEFAULT, /* not said: BIOS, or what `loader` names */
    VB_FIRMWARE_BIOS,
    VB_FIRMWARE_EFI, /* the driver chooses loader and nvram, or fails with NotSupported */
} VbFirmware;
VB_ENUM_DECLARE(VbFirmware, vb_firmware)

typedef enum {
    VB_LOADER_TYPE_DEFAULT,
    VB_LOADER_TYPE_ROM,
    VB_LOADER_TYPE_PFLASH,
} VbLoaderType;
VB_ENUM_DECLARE(VbLoaderType, vb_loader_type)

typedef struct {
    char *arch;    /* "x86_64"; never NULL after a parse */
    char *machine; /* "pc", "q35" or a versioned name; a driver may replace it with the versioned
                      one */
    VbBootDevice boot[VB_MAX_BOOT_DEVICES];
    guint n_boot;
    VbTristate boot_menu;
    guint boot_menu_timeout; /* ms; 0: not given */
    VbFirmware firmware;
    char *loader; /* absolute */
    VbLoaderType loader_type;
    VbTristate loader_readonly;
    VbTristate loader_secure;
    char *nvram; /* absolute */
    char *nvram_template;
    char *kernel, *initrd, *cmdline;
    VbTristate bios_useserial;
    int bios_reboot_timeout; /* ms, -1: do not reboot; VB_REBOOT_TIMEOUT_ABSENT: not given */
} VbOsDef;

#define VB_REBOOT_TIMEOUT_ABSENT (-2)

/* --- <features> --- */

typedef enum {
    VB_HYPERV_RELAXED,
    VB_HYPERV_VAPIC,
    VB_HYPERV_SPINLOCKS,
    VB_HYPERV_VPINDEX,
    VB_HYPERV_RUNTIME,
    VB_HYPERV_SYNIC,
    VB_HYPERV_STIMER,
    VB_HYPERV_RESET,
    VB_HYPERV_FREQUENCIES,
    VB_HYPERV_REENLIGHTENMENT,
    VB_HYPERV_TLBFLUSH,
    VB_HYPERV_IPI,
    VB_HYPERV_EVMCS,
    VB_N_HYPERV,
} VbHyperv;
VB_ENUM_DECLARE(VbHyperv, vb_hyperv)

typedef struct {
    gboolean acpi, apic, pae;
    VbTristate hyperv[VB_N_HYPERV];
    guint hyperv_spinlock_retries; /* 0: not given */
    VbTristate kvm_hidden;
    VbTristate pmu;
    VbTristate vmport;
    VbTristate smm;
} VbFeaturesDef;

/* --- <cpu> --- */

typedef enum {
    VB_CPU_MODE_DEFAULT, /* no <cpu>, or one with a topology only: QEMU's default model */
    VB_CPU_MODE_CUSTOM,
    VB_CPU_MODE_HOST_MODEL,
    VB_CPU_MODE_HOST_PASSTHROUGH,
    VB_CPU_MODE_MAXIMUM,
} VbCpuMode;
VB_ENUM_DECLARE(VbCpuMode, vb_cpu_mode)

typedef enum {
    VB_CPU_MATCH_DEFAULT,
    VB_CPU_MATCH_MINIMUM,
    VB_CPU_MATCH_EXACT,
    VB_CPU_MATCH_STRICT,
} VbCpuMatch;
VB_ENUM_DECLARE(VbCpuMatch, vb_cpu_match)

typedef enum {
    VB_CPU_CHECK_DEFAULT,
    VB_CPU_CHECK_NONE,
    VB_CPU_CHECK_PARTIAL,
    VB_CPU_CHECK_FULL,
} VbCpuCheck;
VB_ENUM_DECLARE(VbCpuCheck, vb_cpu_check)

typedef enum {
    VB_CPU_FALLBACK_DEFAULT,
    VB_CPU_FALLBACK_ALLOW,
    VB_CPU_FALLBACK_FORBID,
} VbCpuFallback;
VB_ENUM_DECLARE(VbCpuFallback, vb_cpu_fallback)

typedef enum {
    VB_CPU_FEATURE_REQUIRE,
    VB_CPU_FEATURE_FORCE,
    VB_CPU_FEATURE_OPTIONAL,
    VB_CPU_FEATURE_DISABLE,
    VB_CPU_FEATURE_FORBID,
} VbCpuFeaturePolicy;
VB_ENUM_DECLARE(VbCpuFeaturePolicy, vb_cpu_feature_policy)

typedef struct {
    char *name;
    VbCpuFeaturePolicy policy;
} VbCpuFeature;

typedef struct {
    VbCpuMode mode;
    VbCpuMatch match;
    VbCpuCheck check;
    VbTristate migratable; /* host-passthrough, maximum */
    char *model;           /* custom only */
    VbCpuFallback fallback;
    guint sockets, dies, cores, threads; /* sockets 0: no <topology> */
    GPtrArray *features;                 /* of VbCpuFeature */
} VbCpuDef;

/* --- <clock> --- */

typedef enum {
    VB_CLOCK_UTC,
    VB_CLOCK_LOCALTIME,
    VB_CLOCK_VARIABLE,
    VB_CLOCK_TIMEZONE,
} VbClockOffset;
VB_ENUM_DECLARE(VbClockOffset, vb_clock_offset)

typedef enum {
    VB_CLOCK_BASIS_UTC,
    VB_CLOCK_BASIS_LOCALTIME,
} VbClockBasis;
VB_ENUM_DECLARE(VbClockBasis, vb_clock_basis)

typedef enum {
    VB_TIMER_PLATFORM,
    VB_TIMER_PIT,
    VB_TIMER_RTC,
    VB_TIMER_HPET,
    VB_TIMER_TSC,
    VB_TIMER_KVMCLOCK,
    VB_TIMER_HYPERVCLOCK,
} VbTimerName;
VB_ENUM_DECLARE(VbTimerName, vb_timer_name)

typedef enum {
    VB_TICKPOLICY_DEFAULT,
    VB_TICKPOLICY_DELAY,
    VB_TICKPOLICY_CATCHUP,
    VB_TICKPOLICY_MERGE,
    VB_TICKPOLICY_DISCARD,
} VbTickpolicy;
VB_ENUM_DECLARE(VbTickpolicy, vb_tickpolicy)

typedef enum {
    VB_TIMER_TRACK_DEFAULT,
    VB_TIMER_TRACK_BOOT,
    VB_TIMER_TRACK_GUEST,
    VB_TIMER_TRACK_WALL,
    VB_TIMER_TRACK_REALTIME,
} VbTimerTrack;
VB_ENUM_DECLARE(VbTimerTrack, vb_timer_track)

typedef struct {
    VbTimerName name;
    VbTristate present;
    VbTickpolicy tickpolicy;
    VbTimerTrack track;
} VbTimerDef;

typedef struct {
    VbClockOffset offset;
    gint64 adjustment;  /* variable: seconds from `basis` */
    VbClockBasis basis; /* variable */
    char *timezone;     /* timezone */
    GPtrArray *timers;  /* of VbTimerDef */
} VbClockDef;

/* --- what happens when --- */

typedef enum {
    VB_ON_EVENT_DESTROY,
    VB_ON_EVENT_RESTART,
    VB_ON_EVENT_PRESERVE,
    VB_ON_EVENT_RENAME_RESTART,
    VB_ON_EVENT_COREDUMP_DESTROY, /* on_crash only */
    VB_ON_EVENT_COREDUMP_RESTART, /* on_crash only */
} VbOnEvent;
VB_ENUM_DECLARE(VbOnEvent, vb_on_event)

/* --- the domain --- */

typedef struct {
    VbDomainType type;
    guint id;   /* 0: not running */
    char *name; /* 1..255 bytes; no '/', no control character */
    char *uuid; /* 36 characters, lower case */
    char *title;
    char *description;
    char *metadata_xml; /* the <metadata> element in canonical XML, namespaces declared; or NULL */

    guint64 memory;         /* bytes, a multiple of 1 KiB: what the guest boots with */
    guint64 current_memory; /* bytes: the balloon's target; ≤ memory */
    guint vcpus_max;
    guint vcpus; /* ≤ vcpus_max */
    VbTuneDef tune;

    VbOsDef os;
    VbFeaturesDef features;
    VbCpuDef cpu;
    VbClockDef clock;
    VbOnEvent on_poweroff, on_reboot, on_crash;
    VbTristate suspend_to_mem, suspend_to_disk;

    char *emulator; /* absolute; NULL: the driver's default */

    GPtrArray *disks;       /* of VbDiskDef */
    GPtrArray *controllers; /* of VbControllerDef */
    GPtrArray *interfaces;  /* of VbInterfaceDef */
    GPtrArray *serials;     /* of VbCharDef, as the next three */
    GPtrArray *parallels;
    GPtrArray *consoles;
    GPtrArray *channels;
    GPtrArray *inputs;           /* of VbInputDef */
    GPtrArray *graphics;         /* of VbGraphicsDef */
    GPtrArray *videos;           /* of VbVideoDef */
    GPtrArray *rngs;             /* of VbRngDef */
    VbMemballoonDef *memballoon; /* NULL: not said (type test); qemu and kvm get the default */
    VbWatchdogDef *watchdog;     /* or NULL */
    guint no_audio;              /* the id of an <audio type='none'>; 0: there is none */
} VbDomainDef;

/* An empty definition with its arrays made; one reference. */
VbDomainDef *vb_domain_def_new(void);
VbDomainDef *vb_domain_def_ref(VbDomainDef *def);
void vb_domain_def_unref(VbDomainDef *def); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDomainDef, vb_domain_def_unref)
/* A deep copy, run-time facts included; one reference. */
VbDomainDef *vb_domain_def_copy(const VbDomainDef *def);

void vb_cpu_feature_free(VbCpuFeature *feature);
void vb_timer_def_free(VbTimerDef *timer);

/* Run-time facts: id, aliases that are not the user's, pty paths, automatic ports, channel states
 * and source indexes. A backing chain is no such fact: what a struct has is read and written always
 * (so a driver keeps the chain that it probed in the running copy of a definition only). */
typedef enum {
    VB_XML_NONE = 0,
    VB_XML_LIVE = 1 << 0,   /* keep the run-time facts; without it they are accepted and dropped */
    VB_XML_STORED = 1 << 1, /* virtbus has written it: VB_XML_STORED_MAX_SIZE holds */
} VbXmlFlags;

/* What virtbus adds to a document must not make it unreadable. */
#define VB_XML_STORED_MAX_SIZE ((gsize)16 * 1024 * 1024)

typedef enum {
    VB_FORMAT_NONE = 0,
    VB_FORMAT_LIVE = 1 << 0,   /* with the run-time facts */
    VB_FORMAT_SECURE = 1 << 1, /* with passwords */
} VbFormatFlags;

/* Parses a `<domain>` document of `len` bytes (-1: NUL-terminated), fills in the defaults (a random
 * UUID, MAC addresses, the machine, the buses of disks, the default devices of qemu and kvm) and
 * validates it. Addresses are not assigned: see vb_domain_def_assign_addresses().
 * Errors: VB_ERROR_INVALID_XML (names element and line), VB_ERROR_NOT_SUPPORTED (an element or
 * value of libvirt's format that virtbus does not do), VB_ERROR_LIMITS_EXCEEDED (size, depth,
 * devices). */
VbDomainDef *vb_domain_def_parse(const char *xml, gssize len, VbXmlFlags flags, GError **error);

/* The document, ending in a newline. What it says, vb_domain_def_parse() reads back. */
char *vb_domain_def_format(const VbDomainDef *def, VbFormatFlags flags);

/* Gives each device that needs one a PCI, drive, USB or virtio-serial address, and an alias, and
 * adds the controllers that these need. What has an address keeps it; calling it again changes
 * nothing. Call it after os.machine is final and before the definition is stored.
 * Errors: VB_ERROR_INVALID_XML: two devices on one address (both are named), an address that the
 * machine does not have, or no room left. On error `def` may be partly assigned: throw it away. */
gboolean vb_domain_def_assign_addresses(VbDomainDef *def, GError **error);

/* The rules between the parts (unique targets and indexes, sizes, what goes with what). Parsing
 * calls it; call it again after editing a definition. Errors: VB_ERROR_INVALID_XML,
 * VB_ERROR_NOT_SUPPORTED. */
gboolean vb_domain_def_validate(const VbDomainDef *def, GError **error);

/* Is the machine of the q35 (PCI Express) family? Otherwise it is of the pc family. */
gboolean vb_domain_def_is_q35(const VbDomainDef *def);

/* The disk of that target ("vda") or, if no target matches, of that source: the path of a file or
 * block source, or vb_disk_source_to_string(); only the top images are searched. Owned by `def`.
 * Errors: VB_ERROR_INVALID_ARGS: none has it, or more than one. */
VbDiskDef *vb_domain_def_find_disk(const VbDomainDef *def, const char *name, GError **error);

/* NULL when there is none. Owned by `def`. With several usb controllers of one index (EHCI and its
 * companions) the first is given. */
VbControllerDef *vb_domain_def_find_controller(const VbDomainDef *def, VbControllerType type,
                                               guint index);
