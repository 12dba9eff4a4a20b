/* SPDX-License-Identifier: BSD-3-Clause */
/* context: opens what a command needs when it needs it. See cli.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"

const struct sysfs *cli_sysfs(struct cli *cli)
{
	if (cli->fs.root < 0) {
		int err = sysfs_open(&cli->fs, cli->sysfs);
		if (err) {
			log_error(cli->sysfs, "not opened: %s", strerror(-err));
			return NULL;
		}
	}
	return &cli->fs;
}

struct sriov *cli_sriov(struct cli *cli)
{
	const struct sriov_config config = {
		.sysfs = cli->sysfs,
		.state_dir = cli->state_dir,
		.run_dir = cli->run_dir,
		.root = cli->root,
	};

	if (!cli->sriov && sriov_open(&config, &cli->sriov))
		return NULL;
	const struct gpu_config gpu = {
		.sriov = cli->sriov,
		.sysfs = cli->sysfs,
		.root = cli->root,
		.nvml = getenv("SLUICE_NVML"),
		.smi = getenv("SLUICE_NVIDIA_SMI"),
	};
	if (!cli->gpu && gpu_open(&gpu, &cli->gpu)) {
		cli_sriov_close(cli);
		return NULL;
	}
	return cli->sriov;
}

struct gpu *cli_gpu(struct cli *cli)
{
	return cli_sriov(cli) ? cli->gpu : NULL;
}

void cli_sriov_close(struct cli *cli)
{
	gpu_close(cli->gpu);
	cli->gpu = NULL;
	sriov_close(cli->sriov);
	cli->sriov = NULL;
}

int cli_run_path(const struct cli *cli, char path[CLI_PATH], const char *fmt, ...)
{
	int used = snprintf(path, CLI_PATH, "%s/", cli->run_dir);
	va_list args;

	if (used < 0 || used >= CLI_PATH)
		return -ENAMETOOLONG;
	va_start(args, fmt);
	int n = vsnprintf(path + used, (size_t)(CLI_PATH - used), fmt, args);
	va_end(args);
	return n < 0 || n >= CLI_PATH - used ? -ENAMETOOLONG : 0;
}
