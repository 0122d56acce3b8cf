/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns Walk, one detection: from image to image, each opened only once it is known that its place
 * and its format are such as we serve. (One qemu-img with --backing-chain would be quicker, but it
 * opens, and guesses the format of, whatever the headers name, before anybody can say no.) */
#include "image-chain.h"

#include "blockdev.h"
#include "error.h"
#include "image-chain-tool.h"
#include "json-get.h"
#include "json-limits.h"
#include "qmp-args.h"
#include "words.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- parsing -------------------------------------------------------------------------------- */

/* "scheme:…": what QEMU takes for a protocol, too. */
static gboolean has_scheme(const char *name)
{
    return name[strcspn(name, ":/")] == ':';
}

static VbDiskSource *parse_nbd(const char *name)
{
    g_autoptr(GUri) uri = g_uri_parse(name, G_URI_FLAGS_NONE, NULL);
    g_autoptr(VbDiskSource) source = vb_disk_source_new(VB_DISK_SOURCE_NETWORK, 0);

    if (!uri)
        return NULL;
    const char *export_name = g_uri_get_path(uri) + (g_uri_get_path(uri)[0] == '/');

    /* What was escaped in the URI stands in the definition as it is. */
    if (!vb_is_printable(export_name))
        return NULL;
    source->export_name = export_name[0] != '\0' ? g_strdup(export_name) : NULL;
    if (g_str_equal(g_uri_get_scheme(uri), "nbd+unix")) {
        g_autoptr(GHashTable) query = NULL;

        if (g_uri_get_query(uri))
            query = g_uri_parse_params(g_uri_get_query(uri), -1, "&", G_URI_PARAMS_NONE, NULL);
        const char *socket = query ? g_hash_table_lookup(query, "socket") : NULL;

        if (!socket || !vb_is_file_path(socket) || !vb_is_printable(socket))
            return NULL;
        source->transport = VB_NBD_TRANSPORT_UNIX;
        source->socket = g_strdup(socket);
    } else {
        if (!g_uri_get_host(uri) || !vb_is_host_name(g_uri_get_host(uri)))
            return NULL;
        source->transport = VB_NBD_TRANSPORT_TCP;
        source->host = g_strdup(g_uri_get_host(uri));
        source->port = g_uri_get_port(uri) > 0 ? (guint16)g_uri_get_port(uri) : VB_NBD_DEFAULT_PORT;
    }
    return g_steal_pointer(&source);
}

/* What a header's backing file name means; NULL when it is nothing that we serve. */
static VbDiskSource *parse_backing_name(const VbDiskSource *image, const char *name)
{
    if (!vb_is_printable(name))
        return NULL;
    if (g_str_has_prefix(name, "nbd://") || g_str_has_prefix(name, "nbd+tcp://") ||
        g_str_has_prefix(name, "nbd+unix://"))
        return parse_nbd(name);
    if (g_str_has_prefix(name, "file:"))
        name += strlen("file:");
    else if (has_scheme(name))
        return NULL;
    if (name[0] == '\0' || g_str_equal(name, "/"))
        return NULL;

    g_autoptr(VbDiskSource) source = vb_disk_source_new(VB_DISK_SOURCE_FILE, 0);
    if (g_path_is_absolute(name)) {
        source->path = g_strdup(name);
    } else {
        /* Relative to the image that says so; ".." is left to the kernel, which knows the links. */
        if (image->type == VB_DISK_SOURCE_NETWORK)
            return NULL;
        g_autofree char *directory = g_path_get_dirname(image->path);
        while (g_str_has_prefix(name, "./"))
            name += strlen("./");
        source->path = g_build_filename(directory, name, NULL);
    }
    return g_steal_pointer(&source);
}

gboolean vb_image_chain_parse(const VbDiskSource *image, const char *output, gsize size,
                              VbDiskSource **ret_backing, GError **error)
{
    g_autofree char *image_name = vb_disk_source_to_string(image);
    g_autoptr(JsonNode) root = vb_json_parse(output, size, error);
    g_autoptr(VbDiskSource) backing = NULL;

    if (!root) {
        g_prefix_error(error, "what qemu-img says of image %s: ", image_name);
        return FALSE;
    }
    JsonObject *info = vb_json_node_object(root);
    const char *format = vb_json_get_string(info, "format");
    const char *name = vb_json_get_string(info, "backing-filename");

    if (g_strcmp0(format, vb_disk_format_to_string(image->format)) != 0 ||
        (!name && json_object_has_member(info, "backing-filename"))) {
        g_set_error(error, VB_ERROR, VB_ERROR_HYPERVISOR,
                    "what qemu-img says of image %s makes no sense", image_name);
        return FALSE;
    }
    /* QEMU would open by itself what the header names there. */
    JsonObject *specific = vb_json_get_object(vb_json_get_object(info, "format-specific"), "data");
    if (specific && json_object_has_member(specific, "data-file")) {
        g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                    "image %s has an external data file, which is not supported", image_name);
        return FALSE;
    }
    if (!name) {
        *ret_backing = NULL;
        return TRUE;
    }

    backing = parse_backing_name(image, name);
    if (!backing) {
        g_autofree char *shown = g_strescape(name, NULL);
        g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                    "image %s has a backing image of a kind that is not supported: %s", image_name,
                    shown);
        return FALSE;
    }
    format = vb_json_get_string(info, "backing-filename-format");
    if (!format) {
        g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                    "image %s does not say the format of its backing image %s (qemu-img rebase -u "
                    "-b %s -F FORMAT records it)",
                    image_name, name, name);
        return FALSE;
    }
    if (!vb_disk_format_from_string(format, &backing->format)) {
        g_autofree char *shown = g_strescape(format, NULL);
        g_set_error(error, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                    "image %s has a backing image of a format that is not supported: %s (%s)",
                    image_name, name, shown);
        return FALSE;
    }
    *ret_backing = g_steal_pointer(&backing);
    return TRUE;
}

/* ---- asking --------------------------------------------------------------------------------- */

/* Finish with vb_image_tool_finish(). */
static void ask(const VbDiskSource *image, const VbImageGate *gate, GCancellable *cancellable,
                GAsyncReadyCallback callback, gpointer user_data)
{
    const char *format = vb_disk_format_to_string(image->format);
    g_autofree char *text = NULL;

    if (image->type == VB_DISK_SOURCE_NETWORK) {
        /* The same options as the VM's own node, so that each name means the same to both. */
        const VbDiskDef disk = {.target = (char *)"image"};
        JsonObject *file = vb_blockdev_file(&disk, image);
        json_object_remove_member(file, "node-name");
        g_autofree char *json = vb_qmp_args_to_string(
            vb_qmp_args(VB_ARG_STRING("driver", format), VB_ARG_OBJECT("file", file)));
        text = g_strconcat("json:", json, NULL);
        format = NULL;
    } else {
        text = g_strdup(image->path);
    }

    const char *with_format[] = {"info", "-U", "--output=json", "-f", format, text, NULL};
    const char *without[] = {"info", "-U", "--output=json", text, NULL};
    vb_image_tool_async(format ? with_format : without, gate ? &gate->by : NULL, cancellable,
                        callback, user_data);
}

void vb_image_info_free(VbImageInfo *info)
{
    if (!info)
        return;
    g_free(info->backing_name);
    g_free(info);
}

static void info_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    const char *name = g_task_get_task_data(task);
    g_autoptr(VbImageInfo) info = g_new0(VbImageInfo, 1);
    g_autoptr(JsonNode) root = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) output = vb_image_tool_finish(result, &error);

    if (output) {
        gsize size;
        const char *text = g_bytes_get_data(output, &size);
        root = vb_json_parse(text ? text : "", size, &error);
    }
    JsonObject *told = vb_json_node_object(root);
    if (error || !vb_json_get_size(told, "virtual-size", &info->size)) {
        if (!error)
            g_set_error(&error, VB_ERROR, VB_ERROR_HYPERVISOR, "qemu-img does not say its size");
        g_prefix_error(&error, "image %s: ", name);
        g_task_return_error(task, g_steal_pointer(&error));
        return;
    }
    info->backing_name = g_strdup(vb_json_get_string(told, "backing-filename"));
    g_task_return_pointer(task, g_steal_pointer(&info), (GDestroyNotify)vb_image_info_free);
}

void vb_image_info_async(const VbDiskSource *image, const VbImageGate *gate,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);

    g_task_set_source_tag(task, vb_image_info_async);
    g_task_set_task_data(task, vb_disk_source_to_string(image), g_free);
    ask(image, gate, cancellable, info_told, task);
}

VbImageInfo *vb_image_info_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- walking -------------------------------------------------------------------------------- */

typedef struct {
    const VbImageGate *gate;
    VbImageKnown *known; /* or NULL */
    VbDiskSource *chain; /* the result */
    VbDiskSource *image; /* where we are in it */
    char *key;           /* of its header when it was looked at, or NULL */
    GBytes *answer;      /* what was said of it, until the header has been looked at again */
    guint depth;         /* images from the top to `image` */
    gboolean found;      /* `image` was found, not given */
    gboolean done;       /* with `image` */
} Walk;

static void walk_free(Walk *walk)
{
    vb_image_known_unref(walk->known);
    vb_disk_source_free(walk->chain);
    g_clear_pointer(&walk->answer, g_bytes_unref);
    g_free(walk->key);
    g_free(walk);
}

static void walk_go_on(GTask *task);

static VbFileBounds walk_bounds(const Walk *walk)
{
    return walk->gate ? walk->gate->bounds : NULL;
}

/* What is behind it, or at least whether it is fit to be used. */
static gboolean walk_needs_answer(const Walk *walk)
{
    return walk->image->format != VB_DISK_FORMAT_RAW &&
           (!walk->image->backing_known || walk_bounds(walk));
}

static gboolean is_inside(const VbDiskSource *image, VbFileBounds bounds)
{
    return image->type != VB_DISK_SOURCE_NETWORK && vb_file_is_inside(image->path, bounds);
}

/* An image was found behind the current one. */
static gboolean walk_append(Walk *walk, VbDiskSource *backing, GError **error)
{
    g_autofree char *name = vb_disk_source_to_string(backing);

    walk->image->backing = backing;
    walk->image->backing_known = TRUE;
    walk->found = TRUE;
    for (const VbDiskSource *above = walk->chain; above != backing; above = above->backing)
        if (vb_disk_source_same_storage(above, backing)) {
            g_set_error(error, VB_ERROR, VB_ERROR_FAILED,
                        "image %s stands behind itself: its backing chain is a loop", name);
            return FALSE;
        }
    if (is_inside(walk->image, walk_bounds(walk)) && !is_inside(backing, walk_bounds(walk))) {
        g_set_error(
            error, VB_ERROR, VB_ERROR_FAILED,
            "image %s has the backing image %s, which is not in an image directory: name the "
            "chain in the definition (<backingStore>), or add the directory to "
            "image-directories in virtbusd.conf",
            walk->image->path, name);
        return FALSE;
    }
    return TRUE;
}

/* Takes what qemu-img says of the current image. */
static void walk_take_answer(GTask *task, GBytes *answer)
{
    Walk *walk = g_task_get_task_data(task);
    g_autoptr(VbDiskSource) backing = NULL;
    GError *error = NULL;
    gsize size;
    const char *text = g_bytes_get_data(answer, &size);

    walk->done = TRUE;
    /* Who said what is behind it is right. */
    if (!vb_image_chain_parse(walk->image, text ? text : "", size, &backing, &error) ||
        (backing && !walk->image->backing_known &&
         !walk_append(walk, g_steal_pointer(&backing), &error))) {
        g_task_return_error(task, error);
        return;
    }
    walk->image->backing_known = TRUE;
    walk_go_on(task);
}

static void walk_was_told(GObject *source, GAsyncResult *result, gpointer user_data);

/* Asks the current image what is behind it; when that is known, only whether it is fit to be used.
 */
static void walk_ask(GTask *task)
{
    Walk *walk = g_task_get_task_data(task);
    GBytes *answer = walk->key ? vb_image_known_find(walk->known, walk->key) : NULL;

    if (walk_needs_answer(walk) && answer) {
        walk_take_answer(task, answer);
    } else if (walk_needs_answer(walk)) {
        ask(walk->image, walk->gate, g_task_get_cancellable(task), walk_was_told,
            g_object_ref(task));
    } else {
        walk->image->backing_known = TRUE;
        walk->done = TRUE;
        walk_go_on(task);
    }
}

/* ---- looking, in a thread ---------------------------------------------------------------------
 */

/* What one look at the current image is about; the rest is the walk's, which waits for it. */
typedef struct {
    const VbDiskSource *image;
    VbFileBounds bounds;
    gboolean wants_key;
    mode_t mode; /* 0: `code` says why it could not be looked at */
    int code;
    char *key;
} Look;

static void look_free(Look *look)
{
    g_free(look->key);
    g_free(look);
}

static void look_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    Look *look = task_data;
    struct stat info;

    if (stat(look->image->path, &info) == 0)
        look->mode = info.st_mode;
    else
        look->code = errno;
    if (look->wants_key && S_ISREG(look->mode))
        look->key = vb_image_known_key(look->image->path, look->image->format, look->bounds);
    g_task_return_boolean(task, TRUE);
}

static void start_look(GTask *task, GAsyncReadyCallback callback)
{
    const Walk *walk = g_task_get_task_data(task);
    g_autoptr(GTask) thread = g_task_new(NULL, NULL, callback, g_object_ref(task));
    Look *look = g_new0(Look, 1);

    look->image = walk->image;
    look->bounds = walk_bounds(walk);
    look->wants_key = walk->known && walk_needs_answer(walk);
    g_task_set_task_data(thread, look, (GDestroyNotify)look_free);
    g_task_run_in_thread(thread, look_thread);
}

/* What was said is of that header if it is still the same one. */
static void walk_was_looked_up_again(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Walk *walk = g_task_get_task_data(task);
    const Look *look = g_task_get_task_data(G_TASK(result));
    g_autoptr(GBytes) answer = g_steal_pointer(&walk->answer);

    if (g_strcmp0(look->key, walk->key) == 0)
        vb_image_known_add(walk->known, walk->key, answer);
    if (!g_task_return_error_if_cancelled(task))
        walk_take_answer(task, answer);
}

static void walk_was_told(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Walk *walk = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(GBytes) answer = vb_image_tool_finish(result, &error);

    if (!answer) {
        g_autofree char *name = vb_disk_source_to_string(walk->image);
        g_prefix_error(&error, "image %s: ", name);
        g_task_return_error(task, error);
    } else if (walk->key) {
        walk->answer = g_steal_pointer(&answer);
        start_look(task, walk_was_looked_up_again);
    } else {
        walk_take_answer(task, answer);
    }
}

/* Is it there, and, when a header named it, what is it? */
static void walk_was_looked_up(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Walk *walk = g_task_get_task_data(task);
    Look *look = g_task_get_task_data(G_TASK(result));

    if (g_task_return_error_if_cancelled(task))
        return;
    if (look->mode == 0) {
        if (look->code == ENOENT)
            g_task_return_new_error(task, VB_ERROR, VB_ERROR_FAILED, "%simage %s does not exist",
                                    walk->found ? "backing " : "", walk->image->path);
        else
            g_task_return_new_error(task, VB_ERROR, VB_ERROR_FAILED, "image %s: %s",
                                    walk->image->path, g_strerror(look->code));
        return;
    }
    if (walk->found && S_ISBLK(look->mode))
        walk->image->type = VB_DISK_SOURCE_BLOCK;
    g_free(walk->key);
    walk->key = g_steal_pointer(&look->key);
    walk_ask(task);
}

static void walk_look_up(GTask *task)
{
    Walk *walk = g_task_get_task_data(task);

    g_clear_pointer(&walk->key, g_free);
    if (walk->image->type == VB_DISK_SOURCE_NETWORK)
        walk_ask(task);
    else
        start_look(task, walk_was_looked_up);
}

static void walk_was_admitted(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    const Walk *walk = g_task_get_task_data(task);
    GError *error = NULL;

    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        walk_look_up(task);
        return;
    }
    /* A cancellation has no image. */
    if (error->domain == VB_ERROR && walk->found) {
        const VbDiskSource *above = walk->chain;
        while (above->backing != walk->image)
            above = above->backing;
        g_autofree char *name = vb_disk_source_to_string(above);
        g_task_return_new_error(task, VB_ERROR, error->code, "backing image %s (of image %s)",
                                error->message, name);
        g_error_free(error);
        return;
    }
    if (error->domain == VB_ERROR)
        g_prefix_error(&error, "image ");
    g_task_return_error(task, error);
}

static void walk_go_on(GTask *task)
{
    Walk *walk = g_task_get_task_data(task);

    /* Without a gate there is nothing to be done with one of which all was said. */
    while (walk->image->backing && (walk->done || (walk->image->backing_known && !walk->gate))) {
        walk->image = walk->image->backing;
        walk->done = FALSE;
        if (++walk->depth > VB_IMAGE_CHAIN_MAX_DEPTH) {
            g_autofree char *name = vb_disk_source_to_string(walk->chain);
            g_task_return_new_error(task, VB_ERROR, VB_ERROR_LIMITS_EXCEEDED,
                                    "image %s has a backing chain of more than %u images", name,
                                    VB_IMAGE_CHAIN_MAX_DEPTH);
            return;
        }
    }
    if (walk->done || (walk->image->backing_known && !walk->gate))
        g_task_return_pointer(task, g_steal_pointer(&walk->chain),
                              (GDestroyNotify)vb_disk_source_free);
    else if (walk->gate)
        walk->gate->admit(
            walk->gate->self, walk->image, FALSE,
            g_task_new(NULL, g_task_get_cancellable(task), walk_was_admitted, g_object_ref(task)));
    else
        walk_look_up(task);
}

void vb_image_chain_detect_async(const VbDiskSource *source, const VbImageGate *gate,
                                 VbImageKnown *known, GCancellable *cancellable,
                                 GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    Walk *walk = g_new0(Walk, 1);

    g_task_set_source_tag(task, vb_image_chain_detect_async);
    walk->gate = gate;
    walk->known = known ? vb_image_known_ref(known) : NULL;
    walk->chain = vb_disk_source_copy(source);
    walk->image = walk->chain;
    walk->depth = 1;
    g_task_set_task_data(task, walk, (GDestroyNotify)walk_free);
    walk_go_on(task);
}

VbDiskSource *vb_image_chain_detect_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
