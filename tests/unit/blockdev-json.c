/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The node options of images: names, protocols, formats, cache, chains. */
#include "blockdev.h"

#include "qmp-args.h"

#include <string.h>

static VbDiskSource *file_image(VbDiskFormat format, const char *path, guint index)
{
    VbDiskSource *source = vb_disk_source_new(VB_DISK_SOURCE_FILE, format);

    source->path = g_strdup(path);
    source->index = index;
    source->backing_known = TRUE;
    return source;
}

static void assert_json(JsonObject *options, const char *expected)
{
    g_autofree char *text = vb_qmp_args_to_string(options);

    g_assert_cmpstr(text, ==, expected);
}

static void test_names(void)
{
    static const struct {
        const char *node, *target;
        gboolean ours, is_file;
        guint index;
    } names[] = {
        {"vb-vda-1", "vda", TRUE, FALSE, 1},
        {"vb-vda-4294967295-file", "vda", TRUE, TRUE, G_MAXUINT},
        {"vb-vda-4294967296", "vda", FALSE, FALSE, 0},
        {"vb-vda-0", "vda", FALSE, FALSE, 0},
        {"vb-vda-", "vda", FALSE, FALSE, 0},
        {"vb-vda--file", "vda", FALSE, FALSE, 0},
        {"vb-vda-1-fil", "vda", FALSE, FALSE, 0},
        {"vb-vda-1x", "vda", FALSE, FALSE, 0},
        {"vb-vda--1", "vda", FALSE, FALSE, 0},
        {"vb-vda-+1", "vda", FALSE, FALSE, 0},
        {"vb-vda- 1", "vda", FALSE, FALSE, 0},
        {"vb-vda-1", "vd", FALSE, FALSE, 0},
        {"vb-vd-1", "vda", FALSE, FALSE, 0},
        {"vb-vdaa-1", "vda", FALSE, FALSE, 0},
        {"#block123", "vda", FALSE, FALSE, 0},
        {"", "vda", FALSE, FALSE, 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        guint index = 0;
        gboolean is_file = FALSE;

        g_test_message("%s", names[i].node);
        g_assert_cmpint(vb_blockdev_parse_node(names[i].node, names[i].target, &index, &is_file),
                        ==, names[i].ours);
        g_assert_cmpuint(index, ==, names[i].index);
        g_assert_cmpint(is_file, ==, names[i].is_file);
    }

    /* The longest that QEMU takes is 31 bytes. */
    g_autofree char *longest = vb_blockdev_file_node("twelve-bytes", 999999999);
    g_assert_cmpuint(strlen(longest), <=, 31);
}

static void test_file(void)
{
    g_autoptr(VbDiskSource) source = file_image(VB_DISK_FORMAT_QCOW2, "/i/\"a,b\".qcow2", 7);
    VbDiskDef disk = {.target = (char *)"vda"};

    assert_json(vb_blockdev_file(&disk, source),
                "{\"driver\":\"file\",\"node-name\":\"vb-vda-7-file\","
                "\"filename\":\"/i/\\\"a,b\\\".qcow2\",\"auto-read-only\":true,"
                "\"discard\":\"unmap\"}");
    disk.io = VB_DISK_IO_NATIVE;
    disk.cache = VB_DISK_CACHE_NONE;
    source->type = VB_DISK_SOURCE_BLOCK;
    assert_json(vb_blockdev_file(&disk, source),
                "{\"driver\":\"host_device\",\"node-name\":\"vb-vda-7-file\","
                "\"filename\":\"/i/\\\"a,b\\\".qcow2\",\"aio\":\"native\",\"auto-read-only\":true,"
                "\"discard\":\"unmap\",\"cache\":{\"direct\":true,\"no-flush\":false}}");
}

static void test_nbd(void)
{
    g_autoptr(VbDiskSource) source = vb_disk_source_new(VB_DISK_SOURCE_NETWORK, VB_DISK_FORMAT_RAW);
    const VbDiskDef disk = {.target = (char *)"sda", .io = VB_DISK_IO_NATIVE};

    source->index = 1;
    source->host = g_strdup("::1");
    source->port = 10809;
    assert_json(vb_blockdev_file(&disk, source),
                "{\"driver\":\"nbd\",\"node-name\":\"vb-sda-1-file\",\"server\":{\"type\":"
                "\"inet\",\"host\":\"::1\",\"port\":\"10809\"},\"auto-read-only\":true,"
                "\"discard\":\"unmap\"}");
    source->transport = VB_NBD_TRANSPORT_UNIX;
    source->socket = g_strdup("/run/nbd");
    source->export_name = g_strdup("e");
    assert_json(vb_blockdev_file(&disk, source),
                "{\"driver\":\"nbd\",\"node-name\":\"vb-sda-1-file\",\"server\":{\"type\":"
                "\"unix\",\"path\":\"/run/nbd\"},\"export\":\"e\",\"auto-read-only\":true,"
                "\"discard\":\"unmap\"}");
}

static void test_format(void)
{
    g_autoptr(VbDiskSource) source = file_image(VB_DISK_FORMAT_QCOW2, "/a", 2);
    VbDiskDef disk = {.target = (char *)"vda"};

    assert_json(vb_blockdev_format(&disk, source, TRUE, "vb-vda-3"),
                "{\"driver\":\"qcow2\",\"node-name\":\"vb-vda-2\",\"read-only\":false,"
                "\"file\":\"vb-vda-2-file\",\"backing\":\"vb-vda-3\"}");
    /* That there is no backing image is said, too. */
    assert_json(vb_blockdev_format(&disk, source, FALSE, NULL),
                "{\"driver\":\"qcow2\",\"node-name\":\"vb-vda-2\",\"read-only\":true,"
                "\"file\":\"vb-vda-2-file\",\"backing\":null}");

    source->format = VB_DISK_FORMAT_RAW;
    disk.cache = VB_DISK_CACHE_UNSAFE;
    disk.discard = VB_DISK_DISCARD_UNMAP;
    disk.detect_zeroes = VB_DISK_DETECT_ZEROES_UNMAP;
    assert_json(vb_blockdev_format(&disk, source, TRUE, NULL),
                "{\"driver\":\"raw\",\"node-name\":\"vb-vda-2\",\"read-only\":false,"
                "\"discard\":\"unmap\",\"detect-zeroes\":\"unmap\",\"cache\":{\"direct\":false,"
                "\"no-flush\":true},\"file\":\"vb-vda-2-file\"}");
    disk.discard = VB_DISK_DISCARD_IGNORE;
    g_autoptr(JsonObject) options = vb_blockdev_format(&disk, source, TRUE, NULL);
    g_assert_cmpstr(json_object_get_string_member(options, "detect-zeroes"), ==, "on");
    g_assert_cmpstr(json_object_get_string_member(options, "discard"), ==, "ignore");
}

static void test_cache(void)
{
    static const struct {
        VbDiskCache cache;
        gboolean said, direct, no_flush, write_cache;
    } modes[] = {
        {VB_DISK_CACHE_DEFAULT, FALSE, FALSE, FALSE, TRUE},
        {VB_DISK_CACHE_NONE, TRUE, TRUE, FALSE, TRUE},
        {VB_DISK_CACHE_WRITETHROUGH, TRUE, FALSE, FALSE, FALSE},
        {VB_DISK_CACHE_WRITEBACK, TRUE, FALSE, FALSE, TRUE},
        {VB_DISK_CACHE_DIRECTSYNC, TRUE, TRUE, FALSE, FALSE},
        {VB_DISK_CACHE_UNSAFE, TRUE, FALSE, TRUE, TRUE},
    };
    g_autoptr(VbDiskSource) source = file_image(VB_DISK_FORMAT_RAW, "/a", 1);

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        const VbDiskDef disk = {.target = (char *)"vda", .cache = modes[i].cache};
        g_autoptr(JsonObject) file = vb_blockdev_file(&disk, source);
        g_autoptr(JsonObject) format = vb_blockdev_format(&disk, source, TRUE, NULL);

        g_assert_cmpint(vb_blockdev_write_cache(&disk), ==, modes[i].write_cache);
        g_assert_cmpint(json_object_has_member(file, "cache"), ==, modes[i].said);
        g_assert_cmpint(json_object_has_member(format, "cache"), ==, modes[i].said);
        if (!modes[i].said)
            continue;
        JsonObject *cache = json_object_get_object_member(format, "cache");
        g_assert_cmpint(json_object_get_boolean_member(cache, "direct"), ==, modes[i].direct);
        g_assert_cmpint(json_object_get_boolean_member(cache, "no-flush"), ==, modes[i].no_flush);
    }
}

static void test_chain(void)
{
    static const char *const names[] = {"vb-vda-3-file", "vb-vda-3",      "vb-vda-2-file",
                                        "vb-vda-2",      "vb-vda-1-file", "vb-vda-1"};
    static const char *const backing[] = {"vb-vda-9", "vb-vda-3", "vb-vda-2"};
    g_autoptr(VbDiskSource) top = file_image(VB_DISK_FORMAT_QCOW2, "/top", 77);
    const VbDiskDef disk = {.target = (char *)"vda"};
    guint last_index = 0;

    top->backing = file_image(VB_DISK_FORMAT_QCOW2, "/mid", 0);
    top->backing->backing = file_image(VB_DISK_FORMAT_QCOW2, "/base", 0);
    vb_blockdev_assign_indexes(top, &last_index);
    g_assert_cmpuint(last_index, ==, 3);
    g_assert_cmpuint(top->index, ==, 1);

    g_autoptr(GPtrArray) nodes = vb_blockdev_chain(&disk, top, TRUE, "vb-vda-9");
    g_assert_cmpuint(nodes->len, ==, G_N_ELEMENTS(names));
    for (guint i = 0; i < nodes->len; i++) {
        JsonObject *node = g_ptr_array_index(nodes, i);

        g_assert_cmpstr(json_object_get_string_member(node, "node-name"), ==, names[i]);
        if (i % 2 == 0)
            continue;
        g_assert_cmpstr(json_object_get_string_member(node, "backing"), ==, backing[i / 2]);
        g_assert_cmpint(json_object_get_boolean_member(node, "read-only"), ==, i != 5);
    }

    g_autoptr(GPtrArray) readonly = vb_blockdev_chain(&disk, top->backing->backing, FALSE, NULL);
    g_assert_cmpuint(readonly->len, ==, 2);
    JsonObject *only = g_ptr_array_index(readonly, 1);
    g_assert_true(json_object_get_boolean_member(only, "read-only"));
    g_assert_true(json_object_get_null_member(only, "backing"));

    g_autoptr(GPtrArray) none = vb_blockdev_chain(&disk, NULL, TRUE, NULL);
    g_assert_cmpuint(none->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blockdev/names", test_names);
    g_test_add_func("/blockdev/file", test_file);
    g_test_add_func("/blockdev/nbd", test_nbd);
    g_test_add_func("/blockdev/format", test_format);
    g_test_add_func("/blockdev/cache", test_cache);
    g_test_add_func("/blockdev/chain", test_chain);
    return g_test_run();
}
