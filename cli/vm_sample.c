/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_sample: see vm_sample.h. */
#include "cli/vm_sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* proc(5): the second field is a name in parentheses, which may hold anything; 14 and 15 are times.
 */
int vm_sample_ticks(FILE *in, uint64_t *ticks)
{
	char line[1024];
	uint64_t user, system;
	size_t len = fread(line, 1, sizeof(line) - 1, in);
	const char *rest;

	line[len] = '\0';
	rest = strrchr(line, ')');
	if (!rest ||
	    sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
		   &user, &system) != 2)
		return -EINVAL;
	*ticks = user + system;
	return 0;
}

struct rate {
	const struct vm_sample *vm;
	double cpu, exits, kernel;
};

static double per_second(uint64_t now, uint64_t before, double seconds)
{
	return (double)(now >= before ? now - before : now) / seconds;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct rate *)a)->vm->name, ((const struct rate *)b)->vm->name);
}

static int downwards(double x, double y, const void *a, const void *b)
{
	return x < y ? 1 : x > y ? -1 : by_name(a, b);
}

static int by_cpu(const void *a, const void *b)
{
	return downwards(((const struct rate *)a)->cpu, ((const struct rate *)b)->cpu, a, b);
}

static int by_exits(const void *a, const void *b)
{
	return downwards(((const struct rate *)a)->exits, ((const struct rate *)b)->exits, a, b);
}

static int by_memory(const void *a, const void *b)
{
	return downwards((double)((const struct rate *)a)->vm->memory,
			 (double)((const struct rate *)b)->vm->memory, a, b);
}

static void fill(const struct vm_sample *before, size_t before_count, const struct vm_sample *now,
		 double seconds, long hz, struct rate *out)
{
	struct vm_sample zero = {0};
	const struct vm_sample *was = &zero;

	for (size_t i = 0; i < before_count; i++)
		if (before[i].pid == now->pid && !strcmp(before[i].name, now->name))
			was = &before[i];
	*out = (struct rate){.vm = now};
	if (was == &zero) /* since when is not known */
		return;
	out->cpu = per_second(now->ticks, was->ticks, seconds) * 100.0 / (double)hz;
	out->exits = per_second(now->ours, was->ours, seconds);
	out->kernel = per_second(now->all, was->all, seconds) - out->exits;
	out->kernel = MAX(out->kernel, 0.0);
}

json_t *vm_sample_rates(const struct vm_sample *before, size_t before_count, struct vm_sample *now,
			size_t count, double seconds, long hz, enum vm_sample_sort sort)
{
	int (*const order[])(const void *, const void *) = {
		[VM_SORT_CPU] = by_cpu,
		[VM_SORT_EXITS] = by_exits,
		[VM_SORT_MEMORY] = by_memory,
		[VM_SORT_NAME] = by_name,
	};
	struct rate *rates = calloc(MAX(count, (size_t)1), sizeof(*rates));
	json_t *rows = json_array();

	for (size_t i = 0; rates && i < count; i++)
		fill(before, before_count, &now[i], seconds, hz, &rates[i]);
	if (rates && count)
		qsort(rates, count, sizeof(*rates), order[sort]);
	for (size_t i = 0; rates && i < count; i++)
		json_array_append_new(rows, json_pack("{s:s,s:i,s:I,s:I,s:I,s:I}", "name",
						      rates[i].vm->name, "pid", rates[i].vm->pid,
						      "cpu", (json_int_t)(rates[i].cpu + 0.5),
						      "exits", (json_int_t)(rates[i].exits + 0.5),
						      "kernel", (json_int_t)(rates[i].kernel + 0.5),
						      "memory", (json_int_t)rates[i].vm->memory));
	free(rates);
	return rows;
}
