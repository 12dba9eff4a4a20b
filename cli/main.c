/* SPDX-License-Identifier: BSD-3-Clause */
/* sluice: reads the command line, runs one command, and turns its result into an exit code. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/help.h"

static const char *environment(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value && *value ? value : fallback;
}

static int run(const struct cli_args *args)
{
	struct cli cli = {
		.state_dir = environment("SLUICE_STATE_DIR", "/var/lib/sluice"),
		.run_dir = environment("SLUICE_RUN_DIR", "/run/sluice"),
		.sysfs = environment("SLUICE_SYSFS", "/sys"),
		.root = environment("SLUICE_ROOT", "/"),
		.json = cli_has(args, "--json"),
		.dry_run = args->command->changes && cli_has(args, "--dry-run"),
		.fs.root = -1,
	};
	int status = args->command->run(&cli, args);

	cli_sriov_close(&cli);
	sysfs_close(&cli.fs);
	/* What could not be written (a full disk, a closed pipe) was not shown: that is a failure.
	 */
	if (fflush(stdout) && status == CLI_OK) {
		log_error("output", "not written: %s", strerror(errno));
		status = CLI_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	const struct cli_noun *noun;
	struct cli_args args;

	switch (cli_parse(argc - 1, argv + 1, &args, &noun, stderr)) {
	case CLI_PARSED_RUN:
		return run(&args);
	case CLI_PARSED_HELP:
		cli_help(stdout, args.command, noun);
		return CLI_OK;
	case CLI_PARSED_VERSION:
		puts("sluice " SLUICE_VERSION);
		return CLI_OK;
	case CLI_PARSED_MAN:
		if (args.operand)
			return cli_manual_pages(args.operand) ? CLI_FAILED : CLI_OK;
		cli_manual(stdout);
		return CLI_OK;
	case CLI_PARSED_ERROR:
		break;
	}
	return CLI_USAGE;
}
