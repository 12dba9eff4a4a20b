/* SPDX-License-Identifier: BSD-3-Clause */
/* help: the tables of args.h as help texts and as the manual page sluice(1). */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/args.h"

/* Of a command; else of a noun; else of everything. */
void cli_help(FILE *out, const struct cli_command *command, const struct cli_noun *noun);
/* mdoc(7) */
void cli_manual(FILE *out);
/* sluice-NOUN-VERB(1) of each command, into that folder. A negative errno, logged. */
int cli_manual_pages(const char *folder);

#endif
