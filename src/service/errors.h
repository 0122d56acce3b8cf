/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Errors at the border to the bus. Here stands the one table of error codes and bus names, from
 * which the documentation's table is made; call.c turns GErrors into replies with it. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

#include "error.h"

typedef struct {
    VbError code;
    const char *bus_name;
    const char *meaning; /* one line */
    const char *advice;  /* what a client can do about it */
} VbErrorInfo;

/* For every code below VB_N_ERRORS. */
const VbErrorInfo *vb_error_info(VbError code);

/* The bus name of any error; domains other than VB_ERROR are Failed. */
const char *vb_error_bus_name(const GError *error);

/* Fills an sd_bus_error (free it with sd_bus_error_free()). The message is vb_error_line()'s. */
void vb_error_to_bus(const GError *error, sd_bus_error *ret_error);

/* From libsystemd: "<text>: <strerror>", VB_ERROR_FAILED. Returns FALSE, so that it can be
 * returned. negative_errno is what the call returned. */
gboolean vb_error_set_errno(GError **error, int negative_errno, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
