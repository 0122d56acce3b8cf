/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What qemu-img says of an image, true and hostile. */
#include "image-chain.h"

#include "error.h"

#include <string.h>

static VbDiskSource *image_new(void)
{
    VbDiskSource *image = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);

    image->path = g_strdup("/images/sub/top.qcow2");
    return image;
}

/* `name` as JSON text; format NULL: not recorded. */
static char *output(const char *name, const char *format)
{
    g_autofree char *recorded =
        format ? g_strdup_printf(",\"backing-filename-format\":\"%s\"", format) : g_strdup("");

    return g_strdup_printf(
        "{\"virtual-size\":1,\"filename\":\"x\",\"format\":\"qcow2\","
        "\"full-backing-filename\":\"/elsewhere\",\"backing-filename\":\"%s\"%s}",
        name, recorded);
}

static void test_backing(void)
{
    static const struct {
        const char *name, *said;
        VbDiskSourceType type;
    } names[] = {
        {"/abs/base.img", "/abs/base.img", VB_DISK_SOURCE_FILE},
        {"base.img", "/images/sub/base.img", VB_DISK_SOURCE_FILE},
        {"././base.img", "/images/sub/base.img", VB_DISK_SOURCE_FILE},
        {"../base.img", "/images/sub/../base.img", VB_DISK_SOURCE_FILE},
        {"a/b:c", "/images/sub/a/b:c", VB_DISK_SOURCE_FILE},
        {"file:/abs/base.img", "/abs/base.img", VB_DISK_SOURCE_FILE},
        {"file:base.img", "/images/sub/base.img", VB_DISK_SOURCE_FILE},
        {"nbd://h/e", "nbd://h:10809/e", VB_DISK_SOURCE_NETWORK},
        {"nbd+tcp://h:7", "nbd://h:7/", VB_DISK_SOURCE_NETWORK},
        {"nbd://[::1]:7/a/b", "nbd://[::1]:7/a/b", VB_DISK_SOURCE_NETWORK},
        {"nbd+unix:///e?socket=/run/s", "nbd+unix:///e?socket=/run/s", VB_DISK_SOURCE_NETWORK},
        {"nbd+unix://?socket=%2Frun%2Fs", "nbd+unix:///?socket=/run/s", VB_DISK_SOURCE_NETWORK},
    };
    g_autoptr(VbDiskSource) image = image_new();

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = output(names[i].name, "raw");
        g_autoptr(VbDiskSource) backing = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", names[i].name);
        vb_image_chain_parse(image, text, strlen(text), &backing, &error);
        g_assert_no_error(error);
        g_autofree char *said = vb_disk_source_to_string(backing);
        g_assert_cmpstr(said, ==, names[i].said);
        g_assert_cmpint(backing->type, ==, names[i].type);
        g_assert_cmpint(backing->format, ==, VB_DISK_FORMAT_RAW);
        g_assert_false(backing->backing_known);
    }
}

static void test_end(void)
{
    static const char text[] = "{\"format\":\"qcow2\",\"filename\":\"x\"}";
    g_autoptr(VbDiskSource) image = image_new();
    VbDiskSource *backing = image;
    g_autoptr(GError) error = NULL;

    g_assert_true(vb_image_chain_parse(image, text, strlen(text), &backing, &error));
    g_assert_no_error(error);
    g_assert_null(backing);
}

static void assert_refused(const VbDiskSource *image, const char *text, gsize size, VbError code)
{
    g_autoptr(VbDiskSource) backing = NULL;
    g_autoptr(GError) error = NULL;

    g_autofree char *shown = g_strescape(text, NULL);
    g_test_message("%.200s", shown);
    g_assert_false(vb_image_chain_parse(image, text, size, &backing, &error));
    g_assert_error(error, VB_ERROR, (int)code);
    g_assert_null(backing);
    g_autofree char *name = vb_disk_source_to_string(image);
    g_assert_nonnull(strstr(error->message, name));
    g_assert_null(strchr(error->message, '\n'));
}

static void test_unsupported(void)
{
    static const char *const names[] = {
        "json:{\\\"driver\\\":\\\"file\\\"}",
        "nbd:h:10809",
        "ssh://h/x",
        "fat:/etc",
        "nbd://",
        "nbd+unix:///e",
        "nbd+unix:///e?socket=relative",
        "nbd://h:99999/e",
        "",
        "file:",
        "new\\nline",
        "\\u0007bell",
        "/next\\u0085line",
        "/no\\uffffcharacter",
        "/",
        "nbd://h/%01",
        "nbd://a%20b/e",
        "nbd+unix:///e?socket=/",
        "nbd+unix:///e?socket=/%0a",
    };
    g_autoptr(VbDiskSource) image = image_new();

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = output(names[i], "qcow2");
        assert_refused(image, text, strlen(text), VB_ERROR_NOT_SUPPORTED);
    }

    /* A format is never guessed. */
    g_autofree char *no_format = output("/base.img", NULL);
    assert_refused(image, no_format, strlen(no_format), VB_ERROR_NOT_SUPPORTED);
    g_autofree char *vmdk = output("/base.img", "vmdk");
    assert_refused(image, vmdk, strlen(vmdk), VB_ERROR_NOT_SUPPORTED);

    g_autoptr(VbDiskSource) nbd = vb_disk_source_new(VB_DISK_SOURCE_NETWORK, VB_DISK_FORMAT_QCOW2);
    nbd->host = g_strdup("h");
    nbd->port = 1;
    g_autofree char *relative = output("base.img", "raw");
    assert_refused(nbd, relative, strlen(relative), VB_ERROR_NOT_SUPPORTED);
}

static void test_hostile(void)
{
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "{",
        "{} {}",
        "qemu-img: what?",
        "{\"format\":1}",
        "{\"format\":\"raw\"}",
        "{\"format\":[\"qcow2\"],\"backing-filename\":\"/x\"}",
        "{\"format\":\"qcow2\",\"backing-filename\":17}",
    };
    g_autoptr(VbDiskSource) image = image_new();

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_refused(image, texts[i], strlen(texts[i]), VB_ERROR_HYPERVISOR);

    g_autofree char *deep = g_strnfill(100000, '[');
    assert_refused(image, deep, strlen(deep), VB_ERROR_HYPERVISOR);
    static const char with_nul[] = "{\"format\":\"qcow2\0\"}";
    assert_refused(image, with_nul, sizeof with_nul - 1, VB_ERROR_HYPERVISOR);
    static const char not_utf8[] = "{\"format\":\"qcow2\",\"backing-filename\":\"\xff\"}";
    assert_refused(image, not_utf8, sizeof not_utf8 - 1, VB_ERROR_HYPERVISOR);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/image-chain/backing", test_backing);
    g_test_add_func("/image-chain/end", test_end);
    g_test_add_func("/image-chain/unsupported", test_unsupported);
    g_test_add_func("/image-chain/hostile", test_hostile);
    return g_test_run();
}
