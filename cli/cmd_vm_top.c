/* SPDX-License-Identifier: BSD-3-Clause */
/* vm top: all VMs that run, and what they use right now, again and again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/vm_costs.h"
#include "cli/vm_dir.h"
#include "cli/vm_sample.h"

#define VMS_MAX 1024
#define HOME	"\033[H" /* ECMA-48: cursor to the first place */
#define BELOW	"\033[J" /* and everything after it away */

static const struct cli_column columns[] = {
	{"NAME", "name", CLI_SHOW_PLAIN},
	{"PID", "pid", CLI_SHOW_PLAIN},
	{"CPU %", "cpu", CLI_SHOW_PLAIN},
	{"EXITS/s", "exits", CLI_SHOW_PLAIN},
	{"KERNEL/s", "kernel", CLI_SHOW_PLAIN},
	{"MEMORY", "memory", CLI_SHOW_SIZE},
	{0},
};

static FILE *open_proc(int pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return fopen(path, "re");
}

/* Of one that does not answer there is nothing to say: it may just be ending. */
static int sample(const struct cli *cli, const char *name, struct vm_sample *out)
{
	char error[RPC_ERROR_TEXT];
	unsigned long pages = 0;
	json_t *stat = NULL;
	int err = vm_try(cli, name, "stat", &stat, error);

	if (err)
		return err;
	json_t *numbers = vm_costs_numbers(stat);
	*out = (struct vm_sample){
		.pid = (int)json_integer_value(json_object_get(stat, "pid")),
		.ours = (uint64_t)json_integer_value(json_object_get(stat, "total")),
		.all = (uint64_t)json_integer_value(json_object_get(numbers, "exits")),
	};
	snprintf(out->name, sizeof(out->name), "%s", name);
	json_decref(numbers);
	json_decref(stat);
	FILE *in = open_proc(out->pid, "stat");
	err = in ? vm_sample_ticks(in, &out->ticks) : -errno;
	if (in)
		fclose(in);
	in = open_proc(out->pid, "statm");
	if (in && fscanf(in, "%*u %lu", &pages) == 1)
		out->memory = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	if (in)
		fclose(in);
	return err;
}

static size_t sample_all(const struct cli *cli, struct vm_sample *out)
{
	json_t *names = vm_names(cli);
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(names) && count < VMS_MAX; i++)
		count += sample(cli, json_string_value(json_array_get(names, i)), &out[count]) == 0;
	json_decref(names);
	return count;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void show(const struct cli *cli, const json_t *rows, bool live)
{
	if (live)
		fputs(HOME BELOW, stdout);
	if (cli->json)
		cli_print_json(stdout, rows);
	else
		cli_print_table(stdout, columns, rows);
	fflush(stdout);
}

int cmd_vm_top(struct cli *cli, const struct cli_args *args)
{
	const struct cli_given *sort = cli_given(args, "--sort");
	const struct timespec interval = {.tv_sec = (time_t)cli_number(args, "--interval", 2)};
	bool once = cli_has(args, "--once") || cli->json;
	bool live = !once && isatty(STDOUT_FILENO);
	struct vm_sample *two = calloc((size_t)2 * VMS_MAX, sizeof(*two));
	struct vm_sample *before = two, *after = two ? two + VMS_MAX : NULL, *swap;

	if (!two)
		return log_fail(CLI_FAILED, "vm top", "no memory");
	size_t count, before_count = sample_all(cli, before);
	double start = now();
	do {
		nanosleep(&interval, NULL);
		count = sample_all(cli, after);
		double end = now();
		json_t *rows = vm_sample_rates(
			before, before_count, after, count, end - start, sysconf(_SC_CLK_TCK),
			sort ? (enum vm_sample_sort)sort->number : VM_SORT_CPU);
		show(cli, rows, live);
		json_decref(rows);
		swap = before, before = after, after = swap;
		before_count = count;
		start = end;
	} while (!once && !ferror(stdout));
	free(two);
	return CLI_OK;
}
