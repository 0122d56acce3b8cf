/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * MAC addresses as the kernel has them, in bytes; mac-address.h has their text. */
#pragma once

#include <glib.h>
#include <string.h>

#define VB_LINK_MAC_SIZE 6

/* Of the text of a definition ("52:54:00:12:34:56"). FALSE for NULL and for anything else. */
static inline gboolean vb_link_mac_parse(const char *text, guint8 *ret_mac)
{
    guint8 mac[VB_LINK_MAC_SIZE];

    if (!text || strlen(text) != 3 * VB_LINK_MAC_SIZE - 1)
        return FALSE;
    for (guint i = 0; i < VB_LINK_MAC_SIZE; i++) {
        int high = g_ascii_xdigit_value(text[3 * i]), low = g_ascii_xdigit_value(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i + 1 < VB_LINK_MAC_SIZE && text[3 * i + 2] != ':'))
            return FALSE;
        mac[i] = (guint8)(high << 4 | low);
    }
    memcpy(ret_mac, mac, sizeof mac);
    return TRUE;
}
