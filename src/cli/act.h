/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the commands about an object have in common: a call on it, or one that makes it of a
 * document, and the line (with --json the document) that tells that it is done; and its XML. */
#pragma once

#include "object-ref.h"

/* The two kinds of objects, as the lines call them, and where they are. */
typedef struct {
    const char *noun; /* "Domain" */
    const char *interface;
    VbObjectRef *(*lookup)(VbCli *cli, const VbArgs *args, GError **error);
} VbActKind;

extern const VbActKind vb_act_domain, vb_act_network;

/* Options that a method is called with: none. Floating. */
GVariant *vb_act_no_options(void);

/* Calls a method of the object that args name; `parameters` are sunk. Prints "NOUN 'NAME' DONE". */
gboolean vb_act(VbCli *cli, const VbArgs *args, const VbActKind *kind, const char *method,
                GVariant *parameters, const char *done, GError **error);

/* Calls a method of the manager that makes an object of a document and gives its path; `options`
 * are sunk. Prints "NOUN 'NAME' DONE". */
gboolean vb_act_make(VbCli *cli, const VbActKind *kind, const char *method, const char *xml,
                     GVariant *options, const char *done, GError **error);

/* Prints what the object's GetXml says; `options` are sunk. */
gboolean vb_act_print_xml(VbCli *cli, const VbObjectRef *ref, const char *interface,
                          GVariant *options, GError **error);
