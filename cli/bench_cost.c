/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_cost: see bench_cost.h.
 *
 * Two counts of exits are compared: what KVM counts itself (its statistics, exits), and what of
 * that came out to the VMM (vm stat, by reason). The threads' time is what /proc says of them.
 */
#include "cli/bench_cost.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/vm_dir.h"

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* Of one counter of the engine's, over all CPUs. */
static double engine(const json_t *stat, const char *key)
{
	const json_t *cpu;
	double sum = 0;
	size_t i;

	json_array_foreach (json_object_get(stat, "cpus"), i, cpu)
		sum += number(json_object_get(cpu, "engine"), key);
	return sum;
}

/* /proc/PID/task/TID/stat: fields 14 and 15, behind the name in parentheses (proc(5)). */
static void add_thread(json_t *threads, const char *pid, const char *tid)
{
	char path[96], line[1024] = "";
	unsigned long user = 0, system = 0;

	snprintf(path, sizeof(path), "/proc/%.16s/task/%.16s/stat", pid, tid);
	FILE *in = fopen(path, "re");
	if (in && !fgets(line, sizeof(line), in))
		line[0] = '\0';
	if (in)
		fclose(in);
	char *open = strchr(line, '('), *close = strrchr(line, ')');
	if (!open || !close ||
	    sscanf(close + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		   &system) != 2)
		return;
	*close = '\0';
	double us = (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
	json_object_set_new(threads, open + 1, json_real(us + number(threads, open + 1)));
}

static json_t *threads_of(json_int_t process)
{
	json_t *threads = json_object();
	char path[64], pid[24];

	snprintf(pid, sizeof(pid), "%lld", (long long)process);
	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			add_thread(threads, pid, entry->d_name);
	if (dir)
		closedir(dir);
	return threads;
}

json_t *bench_cost_look(struct cli *cli, const char *vm)
{
	json_t *stat = vm_call(cli, vm, "stat");

	if (stat)
		json_object_set_new(stat, "threads",
				    threads_of(json_integer_value(json_object_get(stat, "pid"))));
	return stat;
}

static json_t *difference(const json_t *before, const json_t *after, double packets)
{
	json_t *result = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)after, key, value) {
		double more = json_number_value(value) - number(before, key);

		if (more > 0)
			json_object_set_new(result, key, json_real(more / packets));
	}
	return result;
}

json_t *bench_cost_of(const json_t *before, const json_t *after, double packets)
{
	if (!before || !after || packets < 1)
		return NULL;
	return json_pack(
		"{s:f,s:f,s:f,s:o,s:f,s:o}", "packets", packets, "exits",
		(engine(after, "exits") - engine(before, "exits")) / packets, "exits_to_vmm",
		(number(after, "total") - number(before, "total")) / packets, "by_reason",
		difference(json_object_get(before, "exits"), json_object_get(after, "exits"),
			   packets),
		"interrupts",
		(engine(after, "irq_injections") - engine(before, "irq_injections")) / packets,
		"cpu_us",
		difference(json_object_get(before, "threads"), json_object_get(after, "threads"),
			   packets));
}

/* The key with the greatest value; "" when there is none. */
static const char *greatest(const json_t *object, double *value)
{
	const char *key, *best = "";
	json_t *at;

	*value = 0;
	json_object_foreach ((json_t *)(uintptr_t)object, key, at)
		if (json_number_value(at) > *value) {
			*value = json_number_value(at);
			best = key;
		}
	return best;
}

char *bench_cost_why(const json_t *cost)
{
	double exits = number(cost, "exits"), out = number(cost, "exits_to_vmm"), most, busy;
	const char *reason = greatest(json_object_get(cost, "by_reason"), &most);
	const char *thread = greatest(json_object_get(cost, "cpu_us"), &busy);
	char *text = NULL;
	size_t len;
	FILE *out_text = cost ? open_memstream(&text, &len) : NULL;

	if (!out_text)
		return NULL;
	if (out < 0.01)
		fprintf(out_text, "No exit of a packet reaches the VMM; ");
	else
		fprintf(out_text, "%.2f exits per packet reach the VMM, most of them %s (%.2f); ",
			out, reason, most);
	fprintf(out_text, "KVM counts %.2f exits and %.2f interrupts per packet", exits,
		number(cost, "interrupts"));
	if (thread[0])
		fprintf(out_text, "; of the VM's threads %s works longest, %.0f us per packet",
			thread, busy);
	fprintf(out_text, ".");
	fclose(out_text);
	return text;
}
