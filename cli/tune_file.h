/* SPDX-License-Identifier: BSD-3-Clause */
/* tune_file: the files that tune.h reads and writes, below the roots that tests make up. */
#ifndef CLI_TUNE_FILE_H
#define CLI_TUNE_FILE_H

#include "cli/cli.h"

/* "/sys/…" below cli->sysfs, everything else below cli->root; NULL when it is too long. */
char *tune_path(const struct cli *cli, const char *path, char full[CLI_PATH]);
/* All of it, for the caller to free; NULL when it is not there or cannot be read. */
char *tune_read(const struct cli *cli, const char *path);
/* A file below /etc gets its name when it is whole, and its folder is made; a switch is written in
 * place. NULL: the file goes. A negative errno. */
int tune_write(const struct cli *cli, const char *path, const char *text);

#endif
