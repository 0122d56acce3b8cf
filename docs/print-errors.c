/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Prints the table of errors for gen-api-reference, so that the documentation cannot differ from
 * what the daemon answers. Run by the build. */
#include <stdio.h>

#include "errors.h"

int main(void)
{
    for (VbError code = 0; code < VB_N_ERRORS; code++) {
        const VbErrorInfo *info = vb_error_info(code);

        printf("%s\t%s\t%s\n", info->bus_name, info->meaning, info->advice);
    }
    return 0;
}
