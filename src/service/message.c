/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Appending helpers, and the size of a message, which sd-bus does not tell: it is found by walking
 * the values as the D-Bus specification lays them out. */
#include "message.h"

#include <string.h>

/* Which nearly all is; eight bytes at a time. */
static gboolean is_ascii(const char *text, gsize length)
{
    guint64 bits = 0, word;

    for (; length >= sizeof word; text += sizeof word, length -= sizeof word) {
        memcpy(&word, text, sizeof word);
        bits |= word;
    }
    for (; length > 0; text++, length--)
        bits |= (guchar)*text;
    return (bits & G_GUINT64_CONSTANT(0x8080808080808080)) == 0;
}

void vb_message_append_string(sd_bus_message *message, const char *value)
{
    g_autofree char *valid = NULL;
    gsize length;

    if (value == NULL)
        value = "";
    length = strlen(value);
    if (!is_ascii(value, length) && !g_utf8_validate_len(value, length, NULL))
        value = valid = g_utf8_make_valid(value, (gssize)length);
    sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, value);
}

void vb_message_append_strv(sd_bus_message *message, const char *const *values)
{
    sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "s");
    for (; values != NULL && *values != NULL; values++)
        vb_message_append_string(message, *values);
    sd_bus_message_close_container(message);
}

void vb_message_append_entry(sd_bus_message *message, const char *key, const char *types, ...)
{
    va_list args;

    sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
    sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, key);
    sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, types);
    va_start(args, types);
    sd_bus_message_appendv(message, types, args);
    va_end(args);
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
}

void vb_message_append_entry_string(sd_bus_message *message, const char *key, const char *value)
{
    sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
    sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, key);
    sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, "s");
    vb_message_append_string(message, value);
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
}

static gsize aligned(gsize offset, gsize alignment)
{
    return (offset + alignment - 1) & ~(alignment - 1);
}

static gsize alignment_of(char type)
{
    switch (type) {
    case 'n':
    case 'q':
        return 2;
    case 'b':
    case 'i':
    case 'u':
    case 'h':
    case 's':
    case 'o':
    case 'a':
        return 4;
    case 'x':
    case 't':
    case 'd':
    case '(':
    case '{':
    case 'r':
    case 'e':
        return 8;
    default: /* y, g, v */
        return 1;
    }
}

/* Arrays of these are one piece of memory. */
static gboolean is_plain(const char *type)
{
    return strchr("ynqiuxtd", type[0]) != NULL && type[1] == '\0';
}

/* The offset behind all values up to the end of the container that the message stands in, or one
 * beyond max. */
static gsize walk(sd_bus_message *message, gsize offset, gsize max)
{
    const char *contents;
    char type;

    while (offset <= max && sd_bus_message_peek_type(message, &type, &contents) > 0) {
        offset = aligned(offset, alignment_of(type));
        if (type == SD_BUS_TYPE_ARRAY && is_plain(contents)) {
            const void *memory;
            size_t size;

            if (sd_bus_message_read_array(message, contents[0], &memory, &size) < 0)
                break;
            offset = aligned(offset + 4, alignment_of(contents[0])) + size;
        } else if (strchr("avre", type) != NULL) {
            if (sd_bus_message_enter_container(message, type, contents) < 0)
                break;
            if (type == SD_BUS_TYPE_ARRAY) /* the padding counts even when it is empty */
                offset = aligned(offset + 4, alignment_of(contents[0]));
            else if (type == SD_BUS_TYPE_VARIANT)
                offset += strlen(contents) + 2;
            offset = walk(message, offset, max);
            if (offset <= max)
                sd_bus_message_exit_container(message);
        } else {
            union {
                const char *string;
                uint64_t number;
            } value;

            if (sd_bus_message_read_basic(message, type, &value) < 0)
                break;
            if (type == 's' || type == 'o')
                offset += 4 + strlen(value.string) + 1;
            else if (type == 'g')
                offset += 1 + strlen(value.string) + 1;
            else
                offset += alignment_of(type);
        }
    }
    return offset;
}

gsize vb_message_body_size(sd_bus_message *message, gsize max)
{
    gsize size;

    sd_bus_message_rewind(message, TRUE);
    size = walk(message, 0, max);
    sd_bus_message_rewind(message, TRUE);
    return size;
}
