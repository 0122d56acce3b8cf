/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * image-chain-tool.c and image-chain.c with a qemu-img that misbehaves: it hangs, floods, or says
 * what no qemu-img says. What it does is named by the image. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "image-chain.h"
#include "image-chain-tool.h"
#include "remove-tree.h"
#include "wait.h"

/* The last argument is the image. `exec`: what is killed is the process itself. */
static const char script[] =
    "#!/bin/sh\n"
    "for image; do :; done\n"
    "case $image in\n"
    "*/hang) exec tail -f /dev/null ;;\n"
    "*/mute) exec >&- 2>&-; kill -STOP $$ ;;\n"
    "*/flood) exec yes ;;\n"
    "*/complaints) yes | head -c 100000 >&2; exit 1 ;;\n"
    "*/garbage) head -c 1000 /dev/urandom ;;\n"
    "*/deep) yes '[' | head -c 500000 ;;\n"
    "*/wide) echo '['; yes '{},' | head -c 900000; echo '{}]' ;;\n"
    "*/wrong) echo '[{\"format\": 5, \"backing-filename\": []}]' ;;\n"
    "*/number) echo '[1'; yes 0 | tr -d '\\n' | head -c 100000; echo ']' ;;\n"
    "*/empty) ;;\n"
    "*/killed) kill -KILL $$ ;;\n"
    "esac\n";

typedef struct {
    const char *name;
    const char *message; /* a pattern */
    GAsyncResult *result;
} Case;

static void answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Case *c = user_data;

    g_assert_null(c->result);
    c->result = g_object_ref(result);
}

static char *directory; /* with the script */

static void test_all(void)
{
    Case cases[] = {
        {"hang", "*did not answer within 10 s*"},
        {"mute", "*did not answer within 10 s*"},
        {"flood", "*more than 1 MiB*"},
        {"complaints", "*y y y*"},
        {"garbage", "*"},
        {"deep", "*nested too deeply*"},
        {"wide", "*16 MiB*"},
        {"wrong", "*"},
        {"number", "*64 KiB*"},
        {"empty", "*"},
        {"killed", "*qemu-img failed: killed by signal 9*"},
    };

    /* At once, for the sake of those that take their ten seconds. */
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        VbDiskSource *image = vb_disk_source_new(VB_DISK_SOURCE_FILE, VB_DISK_FORMAT_QCOW2);
        image->path = g_build_filename(directory, cases[i].name, NULL);
        g_assert_true(g_file_set_contents(image->path, "", 0, NULL));
        vb_image_chain_detect_async(image, NULL, NULL, NULL, answered, &cases[i]);
        vb_disk_source_free(image);
    }
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        VB_WAIT_FOR(cases[i].result);
        g_autoptr(GAsyncResult) result = cases[i].result;
        g_assert_null(vb_image_chain_detect_finish(result, &error));
        g_assert_nonnull(error);
        g_test_message("%s: %.120s", cases[i].name, error->message);
        if (!g_pattern_match_simple(cases[i].message, error->message))
            g_error("%s: '%s' is not '%s'", cases[i].name, error->message, cases[i].message);
        g_assert_cmpuint(strlen(error->message), <, 8192);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int result;

    g_test_init(&argc, &argv, NULL);
    directory = g_dir_make_tmp("vb-tool-XXXXXX", &error);
    g_assert_no_error(error);
    g_autofree char *tool = g_build_filename(directory, "qemu-img", NULL);
    g_autofree char *path = g_strconcat(directory, ":", g_getenv("PATH"), NULL);
    g_file_set_contents_full(tool, script, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0755, &error);
    g_assert_no_error(error);
    g_setenv("PATH", path, TRUE);
    g_test_add_func("/image-tool/misbehaves", test_all);
    result = g_test_run();
    vb_remove_tree(directory);
    g_free(directory);
    return result;
}
