/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu guard: stays with a program that drives an IOMMU unit, and cleans up behind it.
 *
 * A program that is killed cannot switch its unit off. Its parent can, as soon as it is told of the
 * death: the unit's journal says whether it was left on.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "iommu/iommu.h"

#define NOT_STARTED 127 /* as shells have it */

static void run_program(const struct cli_args *args, const sigset_t *mask)
{
	char *argv[CLI_MORE_MAX + 1] = {0};

	memcpy(argv, args->more, args->more_count * sizeof(argv[0]));
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(args->more[0], argv);
	log_error(args->more[0], "not started: %m");
	_exit(NOT_STARTED);
}

/* Until the program has ended; wishes to end are passed on. A terminal's Ctrl-C reaches it without
 * us. Its wait status. */
static int stay(pid_t pid, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (sigwaitinfo(signals, &info) < 0)
			continue;
		if (info.si_signo != SIGCHLD && info.si_code != SI_KERNEL)
			kill(pid, info.si_signo);
	}
	return status;
}

/* The status of the program, by itself or in a word. */
static int verdict(const char *program, int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error(program, "ended by signal %d (%s)", WTERMSIG(status),
		  strsignal(WTERMSIG(status)));
	return CLI_FAILED;
}

static int guard(struct cli *cli, const struct cli_args *args, struct bdf bdf)
{
	sigset_t signals, before;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &before);
	pid_t pid = fork();
	if (pid == 0)
		run_program(args, &before);
	if (pid < 0) {
		log_error(args->more[0], "not started: %m");
		return CLI_FAILED;
	}
	int code = verdict(args->more[0], stay(pid, &signals));
	int err = iommu_unit_release(cli_sysfs(cli), cli->run_dir, bdf, false);
	return err < 0 ? CLI_FAILED : code;
}

int cmd_iommu_guard(struct cli *cli, const struct cli_args *args)
{
	const struct sysfs *fs = cli_sysfs(cli);
	struct bdf bdf;

	if (!fs)
		return CLI_FAILED;
	if (bdf_parse(args->operand, &bdf)) {
		log_error(args->operand, "not a PCI address such as 0000:01:10.0");
		return CLI_FAILED;
	}
	/* What an earlier program left on is cleaned up before the next one needs the unit. */
	int left = iommu_unit_release(fs, cli->run_dir, bdf, cli->dry_run);
	if (left < 0)
		return CLI_FAILED;
	if (!cli->dry_run)
		return guard(cli, args, bdf);
	json_t *row = json_pack("{s:s,s:s,s:s}", "device", args->operand, "unit",
				left ? "left on" : "off", "program", args->more[0]);
	if (cli->json)
		cli_print_json(stdout, row);
	else
		printf("%s: its IOMMU unit is %s; %s would run\n", args->operand,
		       left ? "left on, and would be switched off" : "off", args->more[0]);
	json_decref(row);
	return CLI_OK;
}
