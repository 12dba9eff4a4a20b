/* SPDX-License-Identifier: BSD-3-Clause */
/* program: where the other programs of Sluice are, which sluice starts. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include <limits.h>

/* What environment variable `variable` says; else `name` beside this program, or where it is
 * installed; else from PATH. */
void cli_program(const char *variable, const char *name, char path[PATH_MAX]);

#endif
