/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns VbImageTool, one run of qemu-img: two pipes that are read side by side, a process that is
 * waited for by its launcher, and one cancellable that ends all three at once, so that one which
 * hangs in the kernel (a dead NFS server) keeps nobody waiting. */
#include "image-chain-tool.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <string.h>

#include "error.h"
#include "fd.h"

#define DEADLINE_SECONDS 10
#define OUTPUT_LIMIT ((gsize)1024 * 1024)
#define MESSAGE_LIMIT ((gsize)4096)
#define READ_SIZE ((gsize)16 * 1024)
#define MESSAGE_PREFIX "qemu-img: "

typedef struct VbImageTool VbImageTool;

typedef struct {
    VbImageTool *tool;
    GInputStream *stream;
    GByteArray *bytes;
    gsize limit;
} Pipe;

struct VbImageTool {
    GTask *task;
    GCancellable *stop; /* ends the reads, and the process */
    GError *failure;    /* of the process */
    gulong cancelled_id;
    GSource *deadline;
    Pipe output, messages;
    guint pending; /* of those three */
    GError *error; /* why it was stopped */
};

static void tool_free(VbImageTool *tool)
{
    g_source_destroy(tool->deadline);
    g_source_unref(tool->deadline);
    g_cancellable_disconnect(g_task_get_cancellable(tool->task), tool->cancelled_id);
    g_object_unref(tool->stop);
    g_object_unref(tool->output.stream);
    g_object_unref(tool->messages.stream);
    g_byte_array_unref(tool->output.bytes);
    g_byte_array_unref(tool->messages.bytes);
    g_clear_error(&tool->error);
    g_clear_error(&tool->failure);
    g_object_unref(tool->task);
    g_free(tool);
}

/* Takes the error. The first reason counts. */
static void tool_stop(VbImageTool *tool, GError *error)
{
    if (tool->error)
        g_error_free(error);
    else
        tool->error = error;
    g_cancellable_cancel(tool->stop);
}

/* What it complained of, as one line without its own name; else what its launcher did. */
static char *tool_message(VbImageTool *tool)
{
    /* Of an array that has never had a byte, `data` is NULL. */
    const char *bytes = tool->messages.bytes->data ? (const char *)tool->messages.bytes->data : "";
    g_autofree char *text = g_strndup(bytes, tool->messages.bytes->len);
    g_autofree char *valid = g_utf8_make_valid(g_strstrip(text), -1);

    if (valid[0] == '\0')
        return g_strdup(tool->failure->message);
    return g_strdelimit(
        g_strdup(g_str_has_prefix(valid, MESSAGE_PREFIX) ? valid + strlen(MESSAGE_PREFIX) : valid),
        "\n\r", ' ');
}

static void tool_part_done(VbImageTool *tool)
{
    if (--tool->pending > 0)
        return;
    if (tool->error) {
        g_task_return_error(tool->task, g_steal_pointer(&tool->error));
    } else if (!tool->failure) {
        g_task_return_pointer(tool->task,
                              g_byte_array_free_to_bytes(g_byte_array_ref(tool->output.bytes)),
                              (GDestroyNotify)g_bytes_unref);
    } else {
        g_autofree char *message = tool_message(tool);
        g_task_return_new_error(tool->task, VB_ERROR, VB_ERROR_FAILED, "%s", message);
    }
    tool_free(tool);
}

static void pipe_read(Pipe *part);

static void pipe_was_read(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Pipe *part = user_data;
    VbImageTool *tool = part->tool;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes =
        g_input_stream_read_bytes_finish(G_INPUT_STREAM(source), result, &error);

    if (!bytes) {
        if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            tool_stop(tool, g_steal_pointer(&error));
        tool_part_done(tool);
        return;
    }

    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);

    if (size == 0) {
        tool_part_done(tool);
        return;
    }
    if (size > part->limit - part->bytes->len) {
        size = part->limit - part->bytes->len;
        if (part == &tool->output)
            tool_stop(tool, g_error_new_literal(VB_ERROR, VB_ERROR_HYPERVISOR,
                                                "qemu-img printed more than 1 MiB"));
    }
    g_byte_array_append(part->bytes, data, (guint)size);
    pipe_read(part);
}

static void pipe_read(Pipe *part)
{
    g_input_stream_read_bytes_async(part->stream, READ_SIZE, G_PRIORITY_DEFAULT, part->tool->stop,
                                    pipe_was_read, part);
}

/* Takes `fd`. */
static void pipe_init(Pipe *part, VbImageTool *tool, int fd, gsize limit)
{
    *part = (Pipe){tool, g_unix_input_stream_new(fd, TRUE), g_byte_array_new(), limit};
    tool->pending++;
    pipe_read(part);
}

static void process_ended(GObject *source, GAsyncResult *result, gpointer user_data)
{
    VbImageTool *tool = user_data;

    g_task_propagate_pointer(G_TASK(result), &tool->failure);
    tool_part_done(tool);
}

static gboolean deadline_passed(gpointer user_data)
{
    tool_stop(user_data, g_error_new(VB_ERROR, VB_ERROR_TIMEOUT,
                                     "qemu-img did not answer within %d s", DEADLINE_SECONDS));
    return G_SOURCE_REMOVE;
}

static void caller_cancelled(GCancellable *cancellable, gpointer user_data)
{
    tool_stop(user_data,
              g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled"));
}

static gboolean open_pipe(int *ret_ours, int *ret_theirs, GError **error)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0 || !g_unix_set_fd_nonblocking(ends[0], TRUE, NULL))
        return vb_fail(error, VB_ERROR_FAILED, "No pipe for qemu-img: %s", g_strerror(errno));
    *ret_ours = ends[0];
    *ret_theirs = ends[1];
    return TRUE;
}

static void launch(VbImageTool *tool, const char *const *argv, const VbLaunchBy *by, int output,
                   int messages)
{
    static const char *const env[] = {"LC_ALL=C", NULL};
    static guint n_launched;
    g_autofree char *name = g_strdup_printf("qemu-img-%u", n_launched++);

    if (!by)
        by = &vb_launch_by_us;
    const VbLaunchSpec spec = {
        .kind = VB_LAUNCH_ENDS,
        .name = name,
        .argv = argv,
        .env = env,
        .output = output,
        .messages = messages,
        .identity = by->identity,
        .title = "Look at a disk image, or make one",
    };
    by->launcher->launch(by->self, &spec, g_task_new(NULL, tool->stop, process_ended, tool));
}

void vb_image_tool_async(const char *const *arguments, const VbLaunchBy *by,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, user_data);
    g_autofree char *program = g_find_program_in_path("qemu-img");
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    GError *error = NULL;
    vb_autofd int output = -1, output_end = -1, messages = -1, messages_end = -1;

    g_task_set_source_tag(task, vb_image_tool_async);
    if (g_task_return_error_if_cancelled(task))
        return;
    if (!program) {
        g_task_return_new_error(task, VB_ERROR, VB_ERROR_NOT_SUPPORTED,
                                "qemu-img (package qemu-utils) is not installed");
        return;
    }
    if (!open_pipe(&output, &output_end, &error) || !open_pipe(&messages, &messages_end, &error)) {
        g_task_return_error(task, error);
        return;
    }
    g_ptr_array_add(argv, program);
    for (; *arguments; arguments++)
        g_ptr_array_add(argv, (gpointer)*arguments);
    g_ptr_array_add(argv, NULL);

    VbImageTool *tool = g_new0(VbImageTool, 1);
    tool->task = g_steal_pointer(&task);
    tool->stop = g_cancellable_new();
    tool->deadline = g_timeout_source_new_seconds(DEADLINE_SECONDS);
    g_source_set_callback(tool->deadline, deadline_passed, tool, NULL);
    g_source_attach(tool->deadline, g_task_get_context(tool->task));
    pipe_init(&tool->output, tool, vb_steal_fd(&output), OUTPUT_LIMIT);
    pipe_init(&tool->messages, tool, vb_steal_fd(&messages), MESSAGE_LIMIT);
    tool->pending++;
    launch(tool, (const char *const *)argv->pdata, by, output_end, messages_end);
    if (cancellable)
        tool->cancelled_id =
            g_cancellable_connect(cancellable, G_CALLBACK(caller_cancelled), tool, NULL);
}

GBytes *vb_image_tool_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
