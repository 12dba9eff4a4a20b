/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gpu_file: GPUs in a host file (host_file.h):
 *
 *     "gpus": [{"gpu": "0000:03:00.0",
 *               "slices": [{"slice": 2, "mode": "vf", "profile": "default", "memory":
 * "4294967296"}]}], "gpu_pools": [{"name": "vdi", "gpus": "0000:03:00.0", "policy": "spread"}]
 *
 * A GPU that the file names has the slices of the file and no others; GPUs and pools that it does
 * not name stay as they are.
 */
#ifndef CLI_GPU_FILE_H
#define CLI_GPU_FILE_H

#include "cli/cli.h"

/* Adds both keys to `root`, where there is something to say. */
int gpu_file_export(struct cli *cli, json_t *root);
/* The steps that the file calls for, added to `rows`; nothing is changed. What takes a slice away
 * or makes it anew is disruptive. Logs. */
int gpu_file_plan(struct cli *cli, const json_t *root, json_t *rows);
/* Does them. */
int gpu_file_apply(struct cli *cli, const json_t *root);

#endif
