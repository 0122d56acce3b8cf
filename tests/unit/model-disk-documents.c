/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The documents of block jobs: a copy's destination, a backup. And images as values. */
#include "backup-def.h"
#include "disk-xml.h"
#include "model-fixture.h"

static VbDiskSource *destination(const char *xml)
{
    g_autoptr(GError) error = NULL;
    VbDiskSource *source = vb_disk_source_parse(xml, -1, &error);

    g_assert_no_error(error);
    return source;
}

static void test_destination(void)
{
    g_autoptr(VbDiskSource) file =
        destination("<disk type='file'><source file='/b.qcow2'/><driver type='qcow2'/></disk>");
    g_autoptr(VbDiskSource) block =
        destination("<disk type='block'><source dev='/dev/vg/copy'/></disk>");
    g_autoptr(VbDiskSource) network =
        destination("<disk type='network'><driver name='qemu' type='raw'/>"
                    "<source protocol='nbd' name='copy'><host name='host' port='1'/></source>"
                    "</disk>");
    g_autoptr(VbDiskSource) chain =
        destination("<disk type='file'><source file='/b.qcow2'/><driver type='qcow2'/>"
                    "<backingStore type='file'><format type='raw'/><source file='/base'/>"
                    "</backingStore></disk>");

    g_assert_cmpint(file->type, ==, VB_DISK_SOURCE_FILE);
    g_assert_cmpint(file->format, ==, VB_DISK_FORMAT_QCOW2);
    g_assert_cmpstr(file->path, ==, "/b.qcow2");
    g_assert_false(file->backing_known);
    g_assert_cmpint(block->type, ==, VB_DISK_SOURCE_BLOCK);
    g_assert_cmpint(block->format, ==, VB_DISK_FORMAT_DEFAULT);
    g_assert_cmpstr(network->host, ==, "host");
    g_assert_cmpuint(network->port, ==, 1);
    g_assert_cmpint(network->format, ==, VB_DISK_FORMAT_RAW);
    g_assert_true(chain->backing_known);
    g_assert_cmpstr(chain->backing->path, ==, "/base");
    g_assert_false(chain->backing->backing_known);
}

static void test_bad_destination(void)
{
    static const struct {
        const char *xml, *text, *where;
    } cases[] = {
        {"<disk type='file'/>", "no <source>", "line 1: disk"},
        {"<disk type='file'>\n<source file='rel'/></disk>", "absolute", "line 2: disk/source"},
        {"<disk type='file'><source file='/aa'/><driver type='vdi'/></disk>", "'vdi'", "driver"},
        {"<disk type='file'><source file='/aa'/><target dev='vda'/></disk>", "understood",
         "target"},
        {"<disk type='file'><source file='/aa'/><driver cache='none'/></disk>", "'cache'",
         "driver"},
        {"<disk type='block'><source file='/aa'/></disk>", "no <source>", "disk"},
        {"<domain/>", "<domain>", "line 1"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(vb_disk_source_parse(cases[i].xml, -1, &error));
        model_assert_error(&error, VB_ERROR_INVALID_XML, cases[i].text, cases[i].where, NULL);
    }
}

static void test_sources(void)
{
    g_autoptr(VbDiskSource) chain = destination(
        "<disk><source file='/top'/><driver type='qcow2'/><backingStore type='network'>"
        "<format type='raw'/><source protocol='nbd' name='x'><host transport='unix' socket='/ss'/>"
        "</source><backingStore/></backingStore></disk>");
    g_autoptr(VbDiskSource) copy = vb_disk_source_copy(chain);
    g_autofree char *text = vb_disk_source_to_string(chain->backing);

    g_assert_cmpstr(text, ==, "nbd+unix:///x?socket=/ss");
    g_assert_true(vb_disk_source_equal(chain, copy));
    g_assert_true(vb_disk_source_equal(NULL, NULL));
    g_assert_false(vb_disk_source_equal(chain, NULL));
    copy->index = 7;
    g_assert_true(vb_disk_source_equal(chain, copy));
    copy->backing->backing_known = FALSE;
    g_assert_false(vb_disk_source_equal(chain, copy));
    copy->backing->backing_known = TRUE;
    copy->format = VB_DISK_FORMAT_RAW;
    g_assert_false(vb_disk_source_equal(chain, copy));
    g_assert_true(vb_disk_source_same_storage(chain, copy));
    g_free(copy->path);
    copy->path = g_strdup("/other");
    g_assert_false(vb_disk_source_same_storage(chain, copy));
    g_clear_pointer(&copy->backing, vb_disk_source_free);
    g_assert_false(vb_disk_source_equal(chain, copy));
    g_assert_null(vb_disk_source_copy(NULL));
}

/* A chain as long as a document can hold is freed and copied without recursion. */
static void test_long_chain(void)
{
    g_autoptr(VbDiskSource) top = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);
    VbDiskSource *last = top;

    top->path = g_strdup("/top");
    for (int i = 0; i < 100000; i++) {
        last->backing = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);
        last->backing_known = TRUE;
        last = last->backing;
        last->path = g_strdup("/x");
    }
    g_autoptr(VbDiskSource) copy = vb_disk_source_copy(top);
    g_assert_true(vb_disk_source_equal(top, copy));
}

static void test_backup(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VbBackupDef) backup = vb_backup_def_parse(
        "<domainbackup mode='push'><disks>"
        "<disk name='vda' backup='yes' type='file' backupmode='full'><target file='/out/a'/>"
        "<driver type='raw'/></disk>"
        "<disk name='vdb' backup='no'/>"
        "<disk name='vdc' type='block'><target dev='/dev/out'/></disk>"
        "<disk name='/images/d.qcow2' type='file'><driver type='raw'/></disk>"
        "</disks></domainbackup>",
        -1, &error);
    g_assert_no_error(error);
    const VbBackupDiskDef *const *disks = (const VbBackupDiskDef *const *)backup->disks->pdata;

    g_assert_cmpuint(backup->disks->len, ==, 4);
    g_assert_cmpstr(disks[0]->name, ==, "vda");
    g_assert_true(disks[0]->backup);
    g_assert_cmpint(disks[0]->target->format, ==, VB_DISK_FORMAT_RAW);
    g_assert_cmpstr(disks[0]->target->path, ==, "/out/a");
    g_assert_false(disks[1]->backup);
    g_assert_null(disks[1]->target);
    g_assert_cmpint(disks[2]->target->type, ==, VB_DISK_SOURCE_BLOCK);
    g_assert_cmpint(disks[2]->format, ==, VB_DISK_FORMAT_QCOW2);
    g_assert_null(disks[3]->target);
    g_assert_cmpint(disks[3]->format, ==, VB_DISK_FORMAT_RAW);

    g_autoptr(VbBackupDef) all = vb_backup_def_parse("<domainbackup/>", -1, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(all->disks->len, ==, 0);
}

static void test_bad_backup(void)
{
#define BACKUP(inside) "<domainbackup>\n<disks>" inside "</disks></domainbackup>"
    static const struct {
        const char *xml, *text, *where;
        VbError code;
    } cases[] = {
        {"<domainbackup mode='pull'/>", "'pull'", "line 1: domainbackup", VB_ERROR_NOT_SUPPORTED},
        {"<domainbackup>\n<incremental>a</incremental></domainbackup>", "not supported",
         "line 2: domainbackup/incremental", VB_ERROR_NOT_SUPPORTED},
        {BACKUP("<disk name='vda' type='file' backupmode='incremental'/>"), "'incremental'",
         "line 2: domainbackup/disks/disk", VB_ERROR_NOT_SUPPORTED},
        {BACKUP("<disk type='file'/>"), "'name' is missing", "line 2", VB_ERROR_INVALID_XML},
        {BACKUP("<disk name='vda' type='block'/>"), "<target>", "line 2", VB_ERROR_INVALID_XML},
        {BACKUP("<disk name='vda' type='network'/>"), "'network'", "line 2", VB_ERROR_INVALID_XML},
        {BACKUP("<disk name='vda'><target file='out'/></disk>"), "absolute",
         "line 2: domainbackup/disks/disk/target", VB_ERROR_INVALID_XML},
        {BACKUP("<disk name='vda'/><disk name='vda'/>"), "'vda'", "line 1", VB_ERROR_INVALID_XML},
        {BACKUP("<disk name='vda'><target file='/aa'/></disk>"
                "<disk name='vdb'><target file='/aa'/></disk>"),
         "'/aa'", "line 1", VB_ERROR_INVALID_XML},
        {BACKUP("<disk name='vda' x='y'/>"), "'x'", "line 2", VB_ERROR_INVALID_XML},
        {"<domainbackup>\n<odd/></domainbackup>", "understood", "line 2", VB_ERROR_INVALID_XML},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(vb_backup_def_parse(cases[i].xml, -1, &error));
        model_assert_error(&error, cases[i].code, cases[i].text, cases[i].where, NULL);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk-documents/destination", test_destination);
    g_test_add_func("/disk-documents/bad-destination", test_bad_destination);
    g_test_add_func("/disk-documents/sources", test_sources);
    g_test_add_func("/disk-documents/long-chain", test_long_chain);
    g_test_add_func("/disk-documents/backup", test_backup);
    g_test_add_func("/disk-documents/bad-backup", test_bad_backup);
    return g_test_run();
}
