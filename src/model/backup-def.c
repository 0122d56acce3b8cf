/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Owns VbBackupDef and reads it from `<domainbackup>`. */
#include "backup-def.h"

#include "xml-reader.h"

/* Elements of libvirt's backup format that virtbus does not do. */
static const char *const unsupported[] = {"incremental", "server",   "scratch",
                                          "encryption",  "seclabel", NULL};

static void disk_free(gpointer data)
{
    VbBackupDiskDef *disk = data;

    g_free(disk->name);
    vb_disk_source_free(disk->target);
    g_free(disk);
}

void vb_backup_def_free(VbBackupDef *backup)
{
    if (!backup)
        return;
    g_ptr_array_unref(backup->disks);
    g_free(backup);
}

static void parse_target(VbXmlReader *reader, VbXmlElement *element, VbBackupDiskDef *disk)
{
    VbDiskSourceType type = VB_DISK_SOURCE_FILE;
    VbDiskFormat format = VB_DISK_FORMAT_QCOW2;
    VbXmlElement *target = vb_xml_child(reader, element, "target");
    VbXmlElement *driver = vb_xml_child(reader, element, "driver");

    VB_XML_ENUM_ATTR(reader, element, "type", vb_disk_source_type, &type);
    if (type == VB_DISK_SOURCE_NETWORK)
        vb_xml_fail_value(reader, element, "type", "network");
    if (driver)
        VB_XML_ENUM_ATTR(reader, driver, "type", vb_disk_format, &format);
    if (!target) {
        if (type == VB_DISK_SOURCE_BLOCK)
            vb_xml_fail(reader, element, VB_ERROR_INVALID_XML, "element <target> is missing");
        disk->format = format;
        return;
    }
    disk->target = vb_disk_source_new(type, format);
    disk->format = format;
    disk->target->path =
        vb_xml_path_attr(reader, target, type == VB_DISK_SOURCE_FILE ? "file" : "dev");
    if (!disk->target->path)
        vb_xml_fail(reader, target, VB_ERROR_INVALID_XML, "attribute '%s' is missing",
                    type == VB_DISK_SOURCE_FILE ? "file" : "dev");
}

static void parse_disk(VbXmlReader *reader, VbXmlElement *element, VbBackupDef *backup)
{
    VbBackupDiskDef *disk = g_new0(VbBackupDiskDef, 1);
    VbTristate wanted = VB_TRISTATE_YES;

    g_ptr_array_add(backup->disks, disk);
    disk->line = vb_xml_line(element);
    disk->name = vb_xml_required_attr(reader, element, "name");
    g_autofree char *mode = vb_xml_attr(reader, element, "backupmode");
    if (mode && !g_str_equal(mode, "full"))
        vb_xml_fail(reader, element, VB_ERROR_NOT_SUPPORTED,
                    "backup mode '%s' is not supported, only 'full'", mode);
    vb_xml_yes_no_attr(reader, element, "backup", &wanted);
    disk->backup = wanted == VB_TRISTATE_YES;
    if (disk->backup)
        parse_target(reader, element, disk);
}

static void check_twins(VbXmlReader *reader, const VbBackupDef *backup)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < backup->disks->len; i++) {
        const VbBackupDiskDef *disk = backup->disks->pdata[i];

        if (disk->name && !g_hash_table_add(names, disk->name))
            vb_xml_fail(reader, vb_xml_reader_root(reader), VB_ERROR_INVALID_XML,
                        "disk '%s' is given twice", disk->name);
        if (disk->target && disk->target->path && !g_hash_table_add(paths, disk->target->path))
            vb_xml_fail(reader, vb_xml_reader_root(reader), VB_ERROR_INVALID_XML,
                        "two disks have the target '%s'", disk->target->path);
    }
}

VbBackupDef *vb_backup_def_parse(const char *xml, gssize len, GError **error)
{
    g_autoptr(VbXmlReader) reader =
        vb_xml_reader_new(xml, len, VB_XML_MAX_SIZE, "domainbackup", error);
    if (!reader)
        return NULL;

    VbXmlElement *root = vb_xml_reader_root(reader);
    g_autoptr(VbBackupDef) backup = g_new0(VbBackupDef, 1);
    backup->disks = g_ptr_array_new_with_free_func(disk_free);
    g_autofree char *mode = vb_xml_attr(reader, root, "mode");
    if (mode && !g_str_equal(mode, "push"))
        vb_xml_fail(reader, root, VB_ERROR_NOT_SUPPORTED,
                    "backup mode '%s' is not supported, only 'push'", mode);
    VbXmlElement *disks = vb_xml_child(reader, root, "disks");
    VbXmlElement *element = NULL;
    while (disks && (element = vb_xml_next(reader, disks, element, "disk")))
        parse_disk(reader, element, backup);
    check_twins(reader, backup);
    if (!vb_xml_reader_finish(reader, unsupported, error))
        return NULL;
    return g_steal_pointer(&backup);
}
