/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the reading of virtbusd.conf, line by line: GKeyFile decodes a value, but it names no lines
 * and takes what it does not know for granted. See daemon-config.h. */
#include "daemon-config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "error.h"
#include "fd.h"

#define DEFAULT_QEMU_USER "virtbus-qemu"
#define DEFAULT_NETWORK_USER "virtbus-dnsmasq"
#define DEFAULT_TIMEOUT 120u
#define USER_NAME_MAX 31

typedef struct {
    const char *group, *name;
    /* Of one line; FALSE with an error that says what is wrong with the value. */
    gboolean (*set)(VbDaemonConfig *config, const char *value, GError **error);
    gboolean system_only; /* a session instance has the rights of its user, and no others */
} Key;

static gboolean set_image_directories(VbDaemonConfig *config, const char *value, GError **error);
static gboolean set_qemu_user(VbDaemonConfig *config, const char *value, GError **error);
static gboolean set_network_user(VbDaemonConfig *config, const char *value, GError **error);
static gboolean set_shutdown_guests(VbDaemonConfig *config, const char *value, GError **error);
static gboolean set_shutdown_timeout(VbDaemonConfig *config, const char *value, GError **error);

static const Key keys[] = {
    {"storage", "image-directories", set_image_directories, TRUE},
    {"qemu", "user", set_qemu_user, TRUE},
    {"network", "user", set_network_user, TRUE},
    {"host-shutdown", "guests", set_shutdown_guests, FALSE},
    {"host-shutdown", "timeout", set_shutdown_timeout, FALSE},
};

typedef struct {
    VbDaemonConfig *config;
    const char *path;
    gboolean session;
    guint line;                     /* from 1 */
    char *group;                    /* the one that the line is in, or NULL */
    GHashTable *groups;             /* those that were there */
    guint seen[G_N_ELEMENTS(keys)]; /* the line of each key; 0: not there */
} Reader;

static gboolean fail(const Reader *reader, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
static gboolean fail(const Reader *reader, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    return vb_fail(error, VB_ERROR_INVALID_ARGS, "%s, line %u: %s", reader->path, reader->line,
                   what);
}

/* ---- values -----------------------------------------------------------------------------------
 */

/* Strict, since a directory that was meant otherwise is a restriction that is not there. */
static gboolean is_directory_name(const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);

    if (path[0] != '/' || path[1] == '\0')
        return FALSE;
    for (const char *p = path; *p; p++)
        if (g_ascii_iscntrl(*p))
            return FALSE;
    for (char **name = names + 1; *name; name++)
        if (!(*name)[0] || g_str_equal(*name, ".") || g_str_equal(*name, ".."))
            return FALSE;
    return TRUE;
}

/* Undoes the escapes. One that the line's end cuts is refused here: with another mistake before it,
 * GLib would report both in one GError. */
static char **decode_list(const char *value, gsize *ret_length, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    for (const char *p = value; *p; p++)
        if (*p == '\\' && *++p == '\0') {
            vb_fail(error, VB_ERROR_INVALID_ARGS, "'%s' ends within an escape", value);
            return NULL;
        }
    g_key_file_set_value(file, "group", "key", value);
    return g_key_file_get_string_list(file, "group", "key", ret_length, error);
}

static gboolean set_image_directories(VbDaemonConfig *config, const char *value, GError **error)
{
    gsize length;
    g_auto(GStrv) directories = decode_list(value, &length, error);

    if (!directories)
        return FALSE;
    if (length > VB_DAEMON_CONFIG_MAX_DIRECTORIES)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "more than %u directories",
                       VB_DAEMON_CONFIG_MAX_DIRECTORIES);
    for (gsize i = 0; i < length; i++)
        if (!is_directory_name(directories[i]))
            return vb_fail(error, VB_ERROR_INVALID_ARGS,
                           "not each of '%s' is the absolute path of a directory below the root, "
                           "without '.', '..', empty names and control characters",
                           value);
    g_strfreev(config->image_directories);
    config->image_directories = g_steal_pointer(&directories);
    return TRUE;
}

static gboolean set_user(char **user, const char *value, GError **error)
{
    gsize length = strlen(value);
    gboolean well_formed =
        length > 0 && length <= USER_NAME_MAX && (g_ascii_isalpha(value[0]) || value[0] == '_');

    for (gsize i = 0; i < length; i++)
        well_formed &= g_ascii_isalnum(value[i]) || value[i] == '_' || value[i] == '-';
    if (!well_formed)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "'%s' is not the name of a user", value);
    g_free(*user);
    *user = g_strdup(value);
    return TRUE;
}

static gboolean set_qemu_user(VbDaemonConfig *config, const char *value, GError **error)
{
    return set_user(&config->qemu_user, value, error);
}

static gboolean set_network_user(VbDaemonConfig *config, const char *value, GError **error)
{
    return set_user(&config->network_user, value, error);
}

static gboolean set_shutdown_guests(VbDaemonConfig *config, const char *value, GError **error)
{
    if (g_str_equal(value, "save"))
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "guests cannot be saved yet");
    if (!g_str_equal(value, "shutdown") && !g_str_equal(value, "stop"))
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "'%s' is neither 'shutdown' nor 'stop'",
                       value);
    config->host_shutdown =
        g_str_equal(value, "stop") ? VB_HOST_SHUTDOWN_STOP : VB_HOST_SHUTDOWN_SHUTDOWN;
    return TRUE;
}

static gboolean set_shutdown_timeout(VbDaemonConfig *config, const char *value, GError **error)
{
    guint64 seconds;

    if (!g_ascii_string_to_unsigned(value, 10, 1, VB_DAEMON_CONFIG_MAX_TIMEOUT, &seconds, NULL))
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "'%s' is not a number of seconds from 1 to %u",
                       value, VB_DAEMON_CONFIG_MAX_TIMEOUT);
    config->host_shutdown_timeout = (guint)seconds;
    return TRUE;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static gboolean read_group(Reader *reader, char *line, GError **error)
{
    gsize length = strlen(line);
    gboolean known = FALSE;

    if (line[length - 1] != ']')
        return fail(reader, error, "'%s' does not end with a ']'", line);
    g_free(reader->group);
    reader->group = g_strndup(line + 1, length - 2);
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        known |= g_str_equal(keys[i].group, reader->group);
    if (!known)
        return fail(reader, error, "there is no group [%s]", reader->group);
    if (!g_hash_table_add(reader->groups, g_strdup(reader->group)))
        return fail(reader, error, "[%s] is there twice", reader->group);
    return TRUE;
}

static gboolean read_value(Reader *reader, gsize key, const char *value, GError **error)
{
    g_autoptr(GError) wrong = NULL;

    if (reader->seen[key])
        return fail(reader, error, "key '%s' was given in line %u already", keys[key].name,
                    reader->seen[key]);
    if (reader->session && keys[key].system_only)
        return fail(reader, error, "key '%s' has no meaning in a session instance", keys[key].name);
    if (!keys[key].set(reader->config, value, &wrong))
        return fail(reader, error, "key '%s': %s", keys[key].name, wrong->message);
    reader->seen[key] = reader->line;
    return TRUE;
}

static gboolean read_key(Reader *reader, char *line, GError **error)
{
    char *equals = strchr(line, '=');

    if (!equals)
        return fail(reader, error, "'%s' is neither [group] nor key=value", line);
    if (!reader->group)
        return fail(reader, error, "'%s' stands in no group", line);
    *equals = '\0';
    g_strchomp(line);
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(keys[i].group, reader->group) && g_str_equal(keys[i].name, line))
            return read_value(reader, i, g_strchug(equals + 1), error);
    return fail(reader, error, "[%s] has no key '%s'", reader->group, line);
}

static gboolean read_line(Reader *reader, char *line, GError **error)
{
    for (const char *p = line; *p; p++)
        if (g_ascii_iscntrl(*p) && *p != '\t')
            return fail(reader, error, "there is a control character");
    if (!g_utf8_validate(line, -1, NULL))
        return fail(reader, error, "this is not UTF-8");
    g_strstrip(line);
    if (line[0] == '\0' || line[0] == '#')
        return TRUE;
    return line[0] == '[' ? read_group(reader, line, error) : read_key(reader, line, error);
}

static gboolean read_text(Reader *reader, const char *text, gsize length, GError **error)
{
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        gsize size = end ? (gsize)(end - text) : length;
        g_autofree char *line = g_strndup(text, size);

        reader->line++;
        if (memchr(text, '\0', size))
            return fail(reader, error, "there is a NUL character");
        if (!end)
            return fail(reader, error, "the last line does not end: the file may be cut off");
        if (!read_line(reader, line, error))
            return FALSE;
        text += size + 1;
        length -= size + 1;
    }
    return TRUE;
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static VbDaemonConfig *new_defaults(const char *state_dir, gboolean session)
{
    VbDaemonConfig *config = g_new0(VbDaemonConfig, 1);

    config->host_shutdown_timeout = DEFAULT_TIMEOUT;
    if (session)
        return config;
    config->image_directories = g_new0(char *, 2);
    config->image_directories[0] = g_build_filename(state_dir, "images", NULL);
    config->qemu_user = g_strdup(DEFAULT_QEMU_USER);
    config->network_user = g_strdup(DEFAULT_NETWORK_USER);
    return config;
}

VbDaemonConfig *vb_daemon_config_parse(const char *text, gsize length, const char *path,
                                       const char *state_dir, gboolean session, GError **error)
{
    g_autoptr(VbDaemonConfig) config = new_defaults(state_dir, session);
    Reader reader = {.config = config, .path = path, .session = session};
    gboolean understood;

    if (length > VB_DAEMON_CONFIG_MAX_SIZE) {
        vb_fail(error, VB_ERROR_LIMITS_EXCEEDED, "%s is larger than %u bytes", path,
                VB_DAEMON_CONFIG_MAX_SIZE);
        return NULL;
    }
    reader.groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    understood = read_text(&reader, text, length, error);
    g_hash_table_unref(reader.groups);
    g_free(reader.group);
    if (!understood)
        return NULL;
    return g_steal_pointer(&config);
}

VbDaemonConfig *vb_daemon_config_load(const char *path, const char *state_dir, gboolean session,
                                      GError **error)
{
    /* One byte more than a file may have, so that a larger one is seen as that. */
    g_autofree char *text = g_malloc(VB_DAEMON_CONFIG_MAX_SIZE + 1);
    vb_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    ssize_t length = -1;

    /* A link that leads nowhere was meant to be a file: that is no "there is none". */
    if (fd < 0 && errno == ENOENT && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
        return vb_daemon_config_parse("", 0, path, state_dir, session, error);
    if (fd >= 0 && fstat(fd, &st) == 0) {
        if (!S_ISREG(st.st_mode)) {
            vb_fail(error, VB_ERROR_FAILED, "%s is not a regular file", path);
            return NULL;
        }
        length = read(fd, text, VB_DAEMON_CONFIG_MAX_SIZE + 1);
    }
    if (length < 0) {
        vb_fail(error, VB_ERROR_FAILED, "cannot read %s: %s", path, g_strerror(errno));
        return NULL;
    }
    return vb_daemon_config_parse(text, (gsize)length, path, state_dir, session, error);
}

void vb_daemon_config_free(VbDaemonConfig *config)
{
    if (!config)
        return;
    g_strfreev(config->image_directories);
    g_free(config->qemu_user);
    g_free(config->network_user);
    g_free(config);
}
