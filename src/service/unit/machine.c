/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See machine.h. */
#include "machine.h"

#include <string.h>

#include "log.h"

#define MACHINED_NAME "org.freedesktop.machine1"
#define MACHINED_PATH "/org/freedesktop/machine1"
#define MACHINED_MANAGER "org.freedesktop.machine1.Manager"

#define NAME_MAX_LENGTH 64 /* a host's name: letters, digits and '-', in labels */
#define UUID_SIZE 16

typedef struct {
    sd_bus *bus;
    char *name, *uuid;
    pid_t leader;
} Registration;

static void registration_free(void *data)
{
    Registration *registration = data;

    sd_bus_unref(registration->bus);
    g_free(registration->name);
    g_free(registration->uuid);
    g_free(registration);
}

static gboolean is_machine_name(const char *name)
{
    gboolean fits = strlen(name) <= NAME_MAX_LENGTH;
    char before = '.';

    for (const char *c = name; fits && *c != '\0'; c++) {
        fits = g_ascii_isalnum(*c) ||
               ((*c == '-' || *c == '.') && before != '.' && !(before == '-' && *c == '.'));
        before = *c;
    }
    return fits && before != '.' && before != '-';
}

static gboolean parse_uuid(const char *text, guint8 bytes[UUID_SIZE])
{
    gsize n = 0;

    for (; *text != '\0' && n < UUID_SIZE; text += 2) {
        if (*text == '-')
            text++;
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]))
            return FALSE;
        bytes[n++] = (guint8)(g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]));
    }
    return n == UUID_SIZE && *text == '\0';
}

static void send_registration(Registration *registration);

static int on_registered(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
    Registration *registration = data;
    const sd_bus_error *refusal = sd_bus_message_get_error(reply);

    if (refusal == NULL)
        return 0;
    vb_log_debug(registration->uuid, NULL, "machined does not list it as '%s': %s",
                 registration->name, refusal->message);
    if (sd_bus_error_has_name(refusal, MACHINED_NAME ".MachineExists") &&
        strcmp(registration->name, registration->uuid) != 0) {
        Registration *again = g_new0(Registration, 1);

        *again = (Registration){sd_bus_ref(registration->bus), g_strdup(registration->uuid),
                                g_strdup(registration->uuid), registration->leader};
        send_registration(again);
    }
    return 0;
}

/* The registration is the reply's. */
static void send_registration(Registration *registration)
{
    sd_bus_message *call = NULL;
    sd_bus_slot *slot = NULL;
    guint8 id[UUID_SIZE];
    int r = parse_uuid(registration->uuid, id) ? 0 : -EINVAL;

    if (r >= 0)
        r = sd_bus_message_new_method_call(registration->bus, &call, MACHINED_NAME, MACHINED_PATH,
                                           MACHINED_MANAGER, "RegisterMachine");
    if (r >= 0)
        r = sd_bus_message_append(call, "s", registration->name);
    if (r >= 0)
        r = sd_bus_message_append_array(call, 'y', id, sizeof id);
    if (r >= 0)
        r = sd_bus_message_append(call, "ssus", "virtbus", "vm", (guint32)registration->leader, "");
    if (r >= 0)
        r = sd_bus_call_async(registration->bus, &slot, call, on_registered, registration, 0);
    sd_bus_message_unref(call);
    if (r < 0) {
        vb_log_debug(registration->uuid, NULL, "machined: %s", g_strerror(-r));
        registration_free(registration);
        return;
    }
    sd_bus_slot_set_destroy_callback(slot, registration_free);
    sd_bus_slot_set_floating(slot, 1);
    sd_bus_slot_unref(slot);
}

void vb_machine_register(sd_bus *bus, const char *name, const char *uuid, pid_t leader)
{
    Registration *registration = g_new0(Registration, 1);

    *registration = (Registration){sd_bus_ref(bus), g_strdup(is_machine_name(name) ? name : uuid),
                                   g_strdup(uuid), leader};
    send_registration(registration);
}
