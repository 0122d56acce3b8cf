/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A disk and the chain of images behind it: plain structs. disk-xml.h reads and writes them. */
#pragma once

#include "device-address.h"

typedef enum {
    VB_DISK_SOURCE_FILE,
    VB_DISK_SOURCE_BLOCK,
    VB_DISK_SOURCE_NETWORK, /* protocol nbd, the only one */
} VbDiskSourceType;
VB_ENUM_DECLARE(VbDiskSourceType, vb_disk_source_type)

typedef enum {
    VB_DISK_FORMAT_DEFAULT, /* only in a destination document: "as the source has it" */
    VB_DISK_FORMAT_RAW,
    VB_DISK_FORMAT_QCOW2,
} VbDiskFormat;
VB_ENUM_DECLARE(VbDiskFormat, vb_disk_format)

typedef enum {
    VB_NBD_TRANSPORT_TCP,
    VB_NBD_TRANSPORT_UNIX,
} VbNbdTransport;
VB_ENUM_DECLARE(VbNbdTransport, vb_nbd_transport)

#define VB_NBD_DEFAULT_PORT 10809

/* One image of a chain. Whether it is opened read-only follows from its place: each backing image
 * is, and the top one is when its disk is. */
typedef struct VbDiskSource VbDiskSource;
struct VbDiskSource {
    VbDiskSourceType type;
    VbDiskFormat format;

    char *path; /* file, block: absolute */

    VbNbdTransport transport; /* network */
    char *host;               /* tcp */
    guint16 port;             /* tcp; VB_NBD_DEFAULT_PORT when the document gave none */
    char *socket;             /* unix: absolute */
    char *export_name;        /* NULL: the default export */

    guint index; /* <source index=…>: names the node of a running domain ("vda[3]"); 0: not given */

    VbDiskSource *backing;  /* next image, or NULL */
    gboolean backing_known; /* `backing` is the truth: an empty <backingStore/> ends the chain here.
                             * FALSE: nobody said; the image itself must be asked. Always TRUE when
                             * `backing` is set. */
};

VbDiskSource *vb_disk_source_new(VbDiskSourceType type, VbDiskFormat format);
/* Deep, the backing chain included. NULL gives NULL. */
VbDiskSource *vb_disk_source_copy(const VbDiskSource *source);
void vb_disk_source_free(VbDiskSource *source); /* frees the chain */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDiskSource, vb_disk_source_free)

/* Do both name the same storage? Compares type and location; not format, index or chain. */
gboolean vb_disk_source_same_storage(const VbDiskSource *a, const VbDiskSource *b);
/* Equal in all, the chains included (`index` aside). NULLs are equal to each other. */
gboolean vb_disk_source_equal(const VbDiskSource *a, const VbDiskSource *b);
/* For messages, and what a `source` string of the API says: "/path",
 * "nbd://host:port/export" or "nbd+unix:///export?socket=/path". */
char *vb_disk_source_to_string(const VbDiskSource *source);

typedef enum {
    VB_DISK_DEVICE_DISK,
    VB_DISK_DEVICE_CDROM,
} VbDiskDevice;
VB_ENUM_DECLARE(VbDiskDevice, vb_disk_device)

typedef enum {
    VB_DISK_BUS_NONE, /* only before the defaults are filled in */
    VB_DISK_BUS_VIRTIO,
    VB_DISK_BUS_SCSI,
    VB_DISK_BUS_SATA,
    VB_DISK_BUS_IDE,
} VbDiskBus;
VB_ENUM_DECLARE(VbDiskBus, vb_disk_bus)

typedef enum {
    VB_DISK_CACHE_DEFAULT,
    VB_DISK_CACHE_NONE,         /* direct, write back */
    VB_DISK_CACHE_WRITETHROUGH, /* write cache off */
    VB_DISK_CACHE_WRITEBACK,
    VB_DISK_CACHE_DIRECTSYNC, /* direct, write cache off */
    VB_DISK_CACHE_UNSAFE,     /* write back, flushes ignored */
} VbDiskCache;
VB_ENUM_DECLARE(VbDiskCache, vb_disk_cache)

typedef enum {
    VB_DISK_DISCARD_DEFAULT,
    VB_DISK_DISCARD_UNMAP,
    VB_DISK_DISCARD_IGNORE,
} VbDiskDiscard;
VB_ENUM_DECLARE(VbDiskDiscard, vb_disk_discard)

typedef enum {
    VB_DISK_IO_DEFAULT,
    VB_DISK_IO_THREADS,
    VB_DISK_IO_NATIVE,
    VB_DISK_IO_URING,
} VbDiskIo;
VB_ENUM_DECLARE(VbDiskIo, vb_disk_io) /* words: threads, native, io_uring (QEMU's `aio`) */

typedef enum {
    VB_DISK_DETECT_ZEROES_DEFAULT,
    VB_DISK_DETECT_ZEROES_OFF,
    VB_DISK_DETECT_ZEROES_ON,
    VB_DISK_DETECT_ZEROES_UNMAP,
} VbDiskDetectZeroes;
VB_ENUM_DECLARE(VbDiskDetectZeroes, vb_disk_detect_zeroes)

typedef enum {
    VB_DISK_ERROR_POLICY_DEFAULT,
    VB_DISK_ERROR_POLICY_STOP,
    VB_DISK_ERROR_POLICY_REPORT,
    VB_DISK_ERROR_POLICY_IGNORE,
    VB_DISK_ERROR_POLICY_ENOSPACE, /* only for writes */
} VbDiskErrorPolicy;
VB_ENUM_DECLARE(VbDiskErrorPolicy, vb_disk_error_policy)

/* Bytes and I/O operations a second; 0: unlimited. */
typedef struct {
    guint64 total_bytes_sec, read_bytes_sec, write_bytes_sec;
    guint64 total_iops_sec, read_iops_sec, write_iops_sec;
    guint64 total_bytes_sec_max, read_bytes_sec_max, write_bytes_sec_max;
    guint64 total_iops_sec_max, read_iops_sec_max, write_iops_sec_max;
    /* How long a burst may last, in seconds. */
    guint64 total_bytes_sec_max_length, read_bytes_sec_max_length, write_bytes_sec_max_length;
    guint64 total_iops_sec_max_length, read_iops_sec_max_length, write_iops_sec_max_length;
    guint64 size_iops_sec; /* bytes that count as one operation */
    char *group_name;      /* disks of one group share the limits */
} VbDiskIotune;

gboolean vb_disk_iotune_is_set(const VbDiskIotune *iotune);

typedef struct {
    VbDeviceInfo info;
    VbDiskDevice device;
    VbDiskSource *source; /* NULL: no medium (cdrom only) */
    char *target;         /* "vda": unique in its domain, and the disk's name on the bus */
    VbDiskBus bus;
    gboolean readonly; /* always TRUE for a cdrom */
    char *serial;
    VbDiskCache cache;
    VbDiskDiscard discard;
    VbDiskIo io;
    VbDiskDetectZeroes detect_zeroes;
    VbDiskErrorPolicy error_policy;  /* writes, and reads unless rerror_policy says otherwise */
    VbDiskErrorPolicy rerror_policy; /* reads */
    VbDiskIotune iotune;
} VbDiskDef;

VbDiskDef *vb_disk_def_new(void);
VbDiskDef *vb_disk_def_copy(const VbDiskDef *disk);
void vb_disk_def_free(VbDiskDef *disk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VbDiskDef, vb_disk_def_free)
