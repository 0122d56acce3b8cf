/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Leases in words. */
#include "lease-text.h"

#include <string.h>

static void lease_text_free(gpointer data)
{
    VbLeaseText *lease = data;

    g_free(lease->expiry);
    g_free(lease->mac);
    g_free(lease->address);
    g_free(lease->hostname);
    g_free(lease->client_id);
    g_variant_unref(lease->value);
    g_free(lease);
}

static char *or_dash(const char *text)
{
    return g_strdup(text[0] != '\0' ? text : "-");
}

static char *format_expiry(guint64 expiry)
{
    g_autoptr(GDateTime) time =
        expiry != 0 ? g_date_time_new_from_unix_local(expiry / G_USEC_PER_SEC) : NULL;

    return time != NULL ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("never");
}

/* Takes the value over. */
static VbLeaseText *lease_text_new(GVariant *value)
{
    VbLeaseText *lease = g_new0(VbLeaseText, 1);
    g_autoptr(GVariant) more = g_variant_get_child_value(value, 4);
    const char *mac, *address, *hostname, *client_id = "";
    guint64 expiry;

    g_variant_get(value, "(&s&s&st@a{sv})", &mac, &address, &hostname, &expiry, NULL);
    g_variant_lookup(more, "client-id", "&s", &client_id);
    lease->expiry = format_expiry(expiry);
    lease->mac = or_dash(mac);
    lease->protocol = strchr(address, ':') != NULL ? "ipv6" : "ipv4";
    lease->address = g_strdup(address);
    lease->hostname = or_dash(hostname);
    lease->client_id = or_dash(client_id);
    lease->value = value;
    return lease;
}

GPtrArray *vb_lease_texts_of(const VbObjectRef *network, const char *mac)
{
    GPtrArray *leases = g_ptr_array_new_with_free_func(lease_text_free);
    g_autoptr(GVariantIter) iter = NULL;
    GVariant *value;

    g_variant_lookup(network->properties, "Leases", "a(sssta{sv})", &iter);
    while (iter != NULL && (value = g_variant_iter_next_value(iter)) != NULL) {
        VbLeaseText *lease = lease_text_new(value);

        if (mac == NULL || g_ascii_strcasecmp(lease->mac, mac) == 0)
            g_ptr_array_add(leases, lease);
        else
            lease_text_free(lease);
    }
    return leases;
}

void vb_lease_texts_print_json(const GPtrArray *leases)
{
    static const char *const members[] = {"mac", "address", "hostname", "expiry"};
    g_auto(GVariantBuilder) array = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (guint i = 0; i < leases->len; i++)
        g_variant_builder_add_value(
            &array, vb_object_ref_struct_to_json(((VbLeaseText *)leases->pdata[i])->value, members,
                                                 G_N_ELEMENTS(members)));
    vb_cli_print_json(g_variant_builder_end(&array));
}
