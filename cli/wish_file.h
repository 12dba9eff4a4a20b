/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wish_file: what is wished of functions, as sections of a host file (host_file.h):
 *
 *     {"pfs": [{"pf": "ens1f0", "address": "0000:01:00.0", "count": "4", "probe": "off",
 *               "vfs": [{"vf": 2, "mac": "02:00:00:00:00:02", "vlan": "100,qos=3"}]}],
 *      "pools": [{"name": "fast", "speed": 10000}]}
 *
 * Values are texts as on the command line. A PF that the file names has the wishes of the file and
 * no others; PFs that it does not name stay as they are.
 */
#ifndef CLI_WISH_FILE_H
#define CLI_WISH_FILE_H

#include "cli/cli.h"

/* With `found`: as the machine is, instead of as it is wished. */
int wish_file_export(struct cli *cli, bool found, json_t **out);
/* The steps that the wishes of a file (host_file.h) call for, added to `rows`; nothing is changed.
 * What cannot be planned was logged; the number of such entries, or a negative errno. */
int wish_file_plan(struct cli *cli, const json_t *file, json_t *rows);
/* Wishes what the file says and fulfils it, PF by PF; one that fails does not keep the others. The
 * number of entries that failed, logged, or a negative errno. */
int wish_file_apply(struct cli *cli, const json_t *file);

#endif
