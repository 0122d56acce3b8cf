/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options in the order of the message. They are few (at most VB_OPTIONS_MAX), so a linear
 * search is enough. */
#include "options.h"

#include <string.h>

#include "error.h"

typedef struct {
    char *key;
    char *signature; /* of the value */
    guint64 fixed;   /* the value of a fixed type (b, i, u, x, t), from the first byte on */
    char *string;
    char **strv;
    gboolean taken;
    char *fault; /* why finish refuses it, or NULL */
} Option;

struct VbOptions {
    GPtrArray *options; /* of Option, owned */
};

static void option_free(Option *option)
{
    g_free(option->key);
    g_free(option->signature);
    g_free(option->string);
    g_strfreev(option->strv);
    g_free(option->fault);
    g_free(option);
}

static Option *options_find(VbOptions *options, const char *key)
{
    for (guint i = 0; i < options->options->len; i++) {
        Option *option = options->options->pdata[i];
        if (strcmp(option->key, key) == 0)
            return option;
    }
    return NULL;
}

static gboolean read_strv(sd_bus_message *message, Option *option, GError **error)
{
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    const char *string;
    gsize bytes = 0;
    int r;

    if (sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "s") < 0)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' cannot be read", option->key);
    while ((r = sd_bus_message_read_basic(message, SD_BUS_TYPE_STRING, &string)) > 0) {
        bytes += strlen(string);
        if (strings->len == VB_OPTIONS_STRV_MAX || bytes > VB_OPTIONS_STRING_MAX)
            return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' is too long", option->key);
        g_ptr_array_add(strings, g_strdup(string));
    }
    if (r < 0 || sd_bus_message_exit_container(message) < 0)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' cannot be read", option->key);
    g_ptr_array_add(strings, NULL);
    option->strv = (char **)g_ptr_array_free(g_steal_pointer(&strings), FALSE);
    return TRUE;
}

/* The value inside the variant; one of a type that no option has is passed over. */
static gboolean read_value(sd_bus_message *message, Option *option, GError **error)
{
    const char *string;
    int r;

    if (strcmp(option->signature, "as") == 0)
        return read_strv(message, option, error);
    if (strcmp(option->signature, "s") == 0) {
        r = sd_bus_message_read_basic(message, SD_BUS_TYPE_STRING, &string);
        if (r > 0 && strlen(string) > VB_OPTIONS_STRING_MAX)
            return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' is too long", option->key);
        if (r > 0)
            option->string = g_strdup(string);
    } else if (strlen(option->signature) == 1 && strchr("biuxt", option->signature[0]) != NULL) {
        r = sd_bus_message_read_basic(message, option->signature[0], &option->fixed);
    } else {
        r = sd_bus_message_skip(message, option->signature);
    }
    if (r <= 0)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' cannot be read", option->key);
    return TRUE;
}

static gboolean read_option(sd_bus_message *message, VbOptions *options, GError **error)
{
    const char *key, *signature;
    Option *option;

    if (options->options->len == VB_OPTIONS_MAX)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "more than %d options", VB_OPTIONS_MAX);
    if (sd_bus_message_read_basic(message, SD_BUS_TYPE_STRING, &key) <= 0)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "the options cannot be read");
    if (strlen(key) > VB_OPTIONS_KEY_MAX) {
        g_autofree char *start = g_utf8_substring(key, 0, VB_OPTIONS_KEY_MAX / 4);
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "unknown option '%s…'", start);
    }
    if (options_find(options, key) != NULL)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' is given twice", key);
    if (sd_bus_message_peek_type(message, NULL, &signature) <= 0)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' cannot be read", key);

    option = g_new0(Option, 1);
    option->key = g_strdup(key);
    option->signature = g_strdup(signature);
    g_ptr_array_add(options->options, option);
    if (sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, option->signature) <= 0)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' cannot be read", option->key);
    if (!read_value(message, option, error))
        return FALSE;
    if (sd_bus_message_exit_container(message) < 0)
        return vb_fail(error, VB_ERROR_INVALID_ARGS, "option '%s' cannot be read", option->key);
    return TRUE;
}

VbOptions *vb_options_parse(sd_bus_message *message, GError **error)
{
    g_autoptr(VbOptions) options = g_new0(VbOptions, 1);
    int r;

    options->options = g_ptr_array_new_with_free_func((GDestroyNotify)option_free);
    if (sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}") <= 0) {
        vb_fail(error, VB_ERROR_INVALID_ARGS, "the options are missing or not of type a{sv}");
        return NULL;
    }
    while ((r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
        if (!read_option(message, options, error))
            return NULL;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
            break;
    }
    if (r < 0 || sd_bus_message_exit_container(message) < 0) {
        vb_fail(error, VB_ERROR_INVALID_ARGS, "the options cannot be read");
        return NULL;
    }
    return g_steal_pointer(&options);
}

void vb_options_free(VbOptions *options)
{
    if (options == NULL)
        return;
    g_ptr_array_unref(options->options);
    g_free(options);
}

/* The option, marked as taken; NULL if it is not there or of another type. */
static Option *take(VbOptions *options, const char *key, const char *signature)
{
    Option *option = options_find(options, key);

    if (option == NULL || option->taken)
        return NULL;
    option->taken = TRUE;
    if (strcmp(option->signature, signature) != 0) {
        option->fault = g_strdup_printf("option '%s' must be of type '%s', not '%s'", key,
                                        signature, option->signature);
        return NULL;
    }
    return option;
}

static gboolean take_fixed(VbOptions *options, const char *key, const char *signature,
                           gpointer ret_value, gsize size)
{
    const Option *option = take(options, key, signature);

    if (option == NULL)
        return FALSE;
    memcpy(ret_value, &option->fixed, size);
    return TRUE;
}

gboolean vb_options_take_bool(VbOptions *options, const char *key, gboolean *ret_value)
{
    return take_fixed(options, key, "b", ret_value, sizeof *ret_value);
}

gboolean vb_options_take_int32(VbOptions *options, const char *key, gint32 *ret_value)
{
    return take_fixed(options, key, "i", ret_value, sizeof *ret_value);
}

gboolean vb_options_take_uint32(VbOptions *options, const char *key, guint32 *ret_value)
{
    return take_fixed(options, key, "u", ret_value, sizeof *ret_value);
}

gboolean vb_options_take_int64(VbOptions *options, const char *key, gint64 *ret_value)
{
    return take_fixed(options, key, "x", ret_value, sizeof *ret_value);
}

gboolean vb_options_take_uint64(VbOptions *options, const char *key, guint64 *ret_value)
{
    return take_fixed(options, key, "t", ret_value, sizeof *ret_value);
}

gboolean vb_options_take_string(VbOptions *options, const char *key, char **ret_value)
{
    Option *option = take(options, key, "s");

    if (option == NULL)
        return FALSE;
    *ret_value = g_steal_pointer(&option->string);
    return TRUE;
}

gboolean vb_options_take_strv(VbOptions *options, const char *key, char ***ret_value)
{
    Option *option = take(options, key, "as");

    if (option == NULL)
        return FALSE;
    *ret_value = g_steal_pointer(&option->strv);
    return TRUE;
}

void vb_options_reject(VbOptions *options, const char *key, const char *format, ...)
{
    Option *option = options_find(options, key);
    g_autofree char *reason = NULL;
    va_list args;

    g_return_if_fail(option != NULL);
    if (option->fault != NULL)
        return;
    va_start(args, format);
    reason = g_strdup_vprintf(format, args);
    va_end(args);
    option->taken = TRUE;
    option->fault = g_strdup_printf("option '%s': %s", key, reason);
}

gboolean vb_options_finish(VbOptions *options, GError **error)
{
    for (guint i = 0; i < options->options->len; i++) {
        const Option *option = options->options->pdata[i];

        if (option->fault != NULL)
            return vb_fail(error, VB_ERROR_INVALID_ARGS, "%s", option->fault);
        if (!option->taken)
            return vb_fail(error, VB_ERROR_INVALID_ARGS, "unknown option '%s'", option->key);
    }
    return TRUE;
}
