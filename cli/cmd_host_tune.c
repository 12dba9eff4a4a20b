/* SPDX-License-Identifier: BSD-3-Clause */
/* host tune: what of the host's settings VMs would feel, and changing it. */
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpuset.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/tune.h"

#define GRUB "/etc/default/grub.d/"

static const char *get(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

/* A file is shown by its lines, a switch by its values. */
static void print_step(const json_t *step)
{
	bool file = strchr(get(step, "want"), '\n') != NULL;

	printf("%s (%s)\n", get(step, "path"), get(step, "when"));
	if (file)
		printf("%s", get(step, "want"));
	else
		printf("%s -> %s\n", get(step, "now"), get(step, "want"));
	printf("    why: %s\n\n", get(step, "why"));
}

/* Makes the boot loader read the drop-in; 0 when that was done. */
static int update_grub(void)
{
	char *const argv[] = {"update-grub", NULL};
	int status = -1;
	pid_t pid;

	fflush(stdout);
	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static void tell_boot(const struct cli *cli)
{
	if (strcmp(cli->root, "/") == 0 && access("/boot/grub/grub.cfg", F_OK) == 0 &&
	    update_grub() == 0)
		puts("kernel arguments: they hold from the next boot on");
	else
		puts("kernel arguments: run update-grub (or tell your boot loader), then boot");
}

static int undo(struct cli *cli)
{
	if (cli->dry_run) {
		puts("would put back what `sluice host tune --apply` has changed");
		return CLI_OK;
	}
	int done = tune_undo(cli);
	if (done < 0)
		return CLI_FAILED;
	printf("%d settings are as they were", done);
	puts(done ? "; run update-grub if kernel arguments were among them" : "");
	return CLI_OK;
}

static int apply(struct cli *cli, const json_t *plan)
{
	bool boots = false;
	json_t *step;
	size_t i;

	json_array_foreach (plan, i, step)
		boots |= !strncmp(get(step, "path"), GRUB, strlen(GRUB));
	int done = tune_apply(cli, plan);
	if (done < 0)
		return CLI_FAILED;
	printf("%d settings changed; `sluice host tune --undo` puts them back\n", done);
	if (boots)
		tell_boot(cli);
	return CLI_OK;
}

static int read_wish(const struct cli_args *args, struct tune_wish *wish)
{
	const char *cpus = cli_text(args, "--isolate", NULL);

	*wish = (struct tune_wish){.hugepages = cli_number(args, "--hugepages", 0)};
	if (cpus && (cpuset_parse(cpus, ',', &wish->isolate) || CPU_ISSET(0, &wish->isolate)))
		return log_fail(-1, "host tune",
				"--isolate '%s': CPUs as in 2-5,8, without 0, which the host needs",
				cpus);
	return 0;
}

int cmd_host_tune(struct cli *cli, const struct cli_args *args)
{
	struct tune_wish wish;
	json_t *step;
	size_t i;

	if (read_wish(args, &wish))
		return CLI_USAGE;
	if (cli_has(args, "--undo"))
		return undo(cli);
	json_t *plan = tune_plan(cli, &wish);
	if (!plan)
		return CLI_FAILED;
	int status = CLI_OK;
	if (cli->json)
		cli_print_json(stdout, plan);
	json_array_foreach (plan, i, step)
		if (!cli->json)
			print_step(step);
	if (!json_array_size(plan) && !cli->json)
		puts("nothing to do");
	else if (cli_has(args, "--apply") && !cli->dry_run)
		status = apply(cli, plan);
	else if (!cli->json)
		puts("nothing was changed; --apply does all of this");
	json_decref(plan);
	return status;
}
