/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of networks share: documents, and the questions that are asked of each. */
#pragma once

#include "network-def.h"

/* A document of tests/unit/data/network-xml. */
char *network_read_document(const char *name);
/* Adds a test for each *.xml of that folder. The data of the test is the file's path. */
void network_add_document_tests(const char *prefix, const char *dir, GTestDataFunc test);
char *network_documents_dir(void);

/* Parses what must parse. */
VbNetworkDef *network_define(const char *xml, VbXmlFlags flags);

/* What is written must be read again and say the same, be valid, and be what a copy writes. */
void network_check_round_trip(const char *xml, VbXmlFlags flags, VbFormatFlags format);
