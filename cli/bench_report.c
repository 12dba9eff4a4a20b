/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_report: the report's numbers, and its form for a terminal; the page is bench_html.c. */
#include "cli/bench_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/io.h"
#include "bench/bench.h"
#include "cli/bench_cost.h"
#include "cli/proc.h"

#define ROUNDS_MAX 1000u

/* ---- the machine ---- */

static void add_file(json_t *env, const char *key, const char *path)
{
	char line[256] = "";
	FILE *in = fopen(path, "re");

	if (in && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		json_object_set_new(env, key, json_string(line));
	}
	if (in)
		fclose(in);
}

static bool cpu_flag(const char *flag)
{
	char line[8192], wanted[40];
	FILE *in = fopen("/proc/cpuinfo", "re");
	bool found = false;

	snprintf(wanted, sizeof(wanted), " %s", flag);
	while (in && !found && fgets(line, sizeof(line), in))
		found = !strncmp(line, "flags", 5) && strstr(line, wanted);
	if (in)
		fclose(in);
	return found;
}

json_t *bench_environment(void)
{
	json_t *env = json_object();
	struct proc_cpu cpu = {0};
	struct utsname host;
	FILE *in = fopen("/proc/cpuinfo", "re");
	uint64_t pages = 0;

	if (in) {
		proc_cpuinfo(in, &cpu);
		fclose(in);
	}
	uname(&host);
	json_object_set_new(env, "cpu", json_string(cpu.model));
	json_object_set_new(env, "cpus", json_integer((json_int_t)cpu.count));
	json_object_set_new(env, "kernel", json_string(host.release));
	json_object_set_new(env, "emulated", json_boolean(cpu_flag("hypervisor")));
	json_object_set_new(env, "iommu",
			    json_string(!access("/sys/class/iommu/dmar0", F_OK)	  ? "VT-d"
					: !access("/sys/class/iommu/ivhd0", F_OK) ? "AMD-Vi"
										  : "none"));
	add_file(env, "avic", "/sys/module/kvm_amd/parameters/avic");
	add_file(env, "apicv", "/sys/module/kvm_intel/parameters/enable_apicv");
	in = fopen("/proc/meminfo", "re");
	if (in && !proc_meminfo(in, "HugePages_Total", &pages))
		json_object_set_new(env, "hugepages", json_integer((json_int_t)(pages / 1024)));
	if (in)
		fclose(in);
	add_file(env, "transparent_hugepages", "/sys/kernel/mm/transparent_hugepage/enabled");
	add_file(env, "spectre_v2", "/sys/devices/system/cpu/vulnerabilities/spectre_v2");
	add_file(env, "cmdline", "/proc/cmdline");
	return env;
}

/* ---- numbers ---- */

static size_t values_of(const json_t *work, double out[ROUNDS_MAX])
{
	const json_t *value;
	size_t i, count = 0;

	json_array_foreach (json_object_get(work, "values"), i, value)
		if (count < ROUNDS_MAX)
			out[count++] = json_number_value(value);
	return count;
}

static void summarize(json_t *path)
{
	double values[ROUNDS_MAX];
	json_t *work;
	size_t i;

	json_array_foreach (json_object_get(path, "works"), i, work) {
		size_t count = values_of(work, values);

		if (!count)
			continue;
		json_object_set_new(work, "median", json_real(bench_median(values, count)));
		json_object_set_new(work, "spread", json_real(bench_spread(values, count)));
	}
	char *why = bench_cost_why(json_object_get(path, "cost"));
	if (why)
		json_object_set_new(path, "why", json_string(why));
	free(why);
}

static void check(json_t *checks, const char *name, bool ok, const char *detail)
{
	json_array_append_new(checks,
			      json_pack("{s:s,s:b,s:s}", "name", name, "ok", ok, "detail", detail));
}

/* Shares and times both grow. */
static void check_latency(json_t *checks, const json_t *path)
{
	const json_t *latency = json_object_get(path, "latency"), *point;
	const char *name = json_string_value(json_object_get(path, "name"));
	double before = 0;
	bool ok = true;
	char text[96];
	size_t i;

	if (!latency)
		return;
	json_array_foreach (json_object_get(latency, "cdf"), i, point) {
		double ns = json_number_value(json_array_get(point, 1));

		ok = ok && ns >= before;
		before = ns;
	}
	ok = ok && json_number_value(json_object_get(latency, "max")) >= before;
	snprintf(text, sizeof(text), "%s: percentiles grow", name);
	check(checks, text, ok,
	      "each share of the requests takes at least as long as a lesser one");
}

/* What is counted by reason is all that is counted. */
static void check_sums(json_t *checks, const json_t *path)
{
	const json_t *cost = json_object_get(path, "cost"), *value;
	const char *key, *name = json_string_value(json_object_get(path, "name"));
	double sum = 0, total = json_number_value(json_object_get(cost, "exits_to_vmm"));
	char text[96], detail[96];

	if (!cost)
		return;
	json_object_foreach ((json_t *)(uintptr_t)json_object_get(cost, "by_reason"), key, value)
		sum += json_number_value(value);
	snprintf(text, sizeof(text), "%s: exits by reason sum up", name);
	snprintf(detail, sizeof(detail), "%.4f by reason, %.4f in all, per packet", sum, total);
	check(checks, text, sum < total * 1.000001 + 1e-9 && sum > total * 0.999999 - 1e-9, detail);
}

static const json_t *find_path(const json_t *report, const char *name)
{
	const json_t *path;
	size_t i;

	json_array_foreach (json_object_get(report, "paths"), i, path)
		if (!strcmp(json_string_value(json_object_get(path, "name")), name))
			return path;
	return NULL;
}

/* What takes a packet through fewer hands makes fewer exits. */
static void check_order(json_t *checks, const json_t *report)
{
	static const char *const order[][2] = {{"vf", "emulated"},  {"switch", "emulated"},
					       {"tap", "emulated"}, {"vhost", "emulated"},
					       {"vf", "tap"},	    {"switch", "tap"}};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const json_t *a = json_object_get(find_path(report, order[i][0]), "cost");
		const json_t *b = json_object_get(find_path(report, order[i][1]), "cost");
		double x = json_number_value(json_object_get(a, "exits"));
		double y = json_number_value(json_object_get(b, "exits"));
		char name[96], detail[96];

		if (!a || !b)
			continue;
		snprintf(name, sizeof(name), "%s makes fewer exits than %s", order[i][0],
			 order[i][1]);
		snprintf(detail, sizeof(detail), "%.3f and %.3f per packet", x, y);
		check(checks, name, x < y, detail);
	}
}

void bench_report_finish(json_t *report)
{
	json_t *checks = json_array(), *path;
	size_t i;

	json_array_foreach (json_object_get(report, "paths"), i, path) {
		summarize(path);
		check_latency(checks, path);
		check_sums(checks, path);
	}
	check_order(checks, report);
	json_object_set_new(report, "checks", checks);
}

/* ---- for a terminal ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static void print_path(FILE *out, const json_t *path)
{
	const json_t *latency = json_object_get(path, "latency"), *work;
	size_t i;

	fprintf(out, "\n%s: %s\n", text_of(path, "name"), text_of(path, "label"));
	if (!json_is_true(json_object_get(path, "available"))) {
		fprintf(out, "  skipped: %s\n", text_of(path, "why_not"));
		return;
	}
	json_array_foreach (json_object_get(path, "works"), i, work) {
		size_t count = json_array_size(json_object_get(work, "values"));

		if (count)
			fprintf(out, "  %-12s %14.1f %-16s +- %.1f (%zu)\n", text_of(work, "name"),
				json_number_value(json_object_get(work, "median")),
				text_of(work, "unit"),
				json_number_value(json_object_get(work, "spread")), count);
		else
			fprintf(out, "  %-12s %14s\n", text_of(work, "name"), "no valid trial");
	}
	if (latency)
		fprintf(out,
			"  latency      p50 %.1f us   p99 %.1f us   p99.9 %.1f us   max %.1f us\n",
			json_number_value(json_object_get(latency, "p50")) / 1000,
			json_number_value(json_object_get(latency, "p99")) / 1000,
			json_number_value(json_object_get(latency, "p999")) / 1000,
			json_number_value(json_object_get(latency, "max")) / 1000);
	if (json_object_get(path, "why"))
		fprintf(out, "  %s\n", text_of(path, "why"));
}

void bench_report_print(FILE *out, const json_t *report)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(report, "paths"), i, item)
		print_path(out, item);
	fprintf(out, "\n");
	json_array_foreach (json_object_get(report, "checks"), i, item)
		fprintf(out, "%s %s (%s)\n",
			json_is_true(json_object_get(item, "ok")) ? "ok    " : "NOT OK",
			text_of(item, "name"), text_of(item, "detail"));
	if (json_is_true(json_object_get(json_object_get(report, "environment"), "emulated")))
		fprintf(out, "\nThis machine is an emulated one: its times compare with nothing "
			     "outside this run; exits and interrupts do.\n");
}

/* ---- what is taken for one ---- */

int bench_report_check(const json_t *report, const char **what)
{
	static const char *const arrays[] = {"paths", "checks"};
	const json_t *path, *work;
	size_t i, j;

	*what = "its schema is another version's";
	if (json_integer_value(json_object_get(report, "schema")) != BENCH_SCHEMA)
		return -EINVAL;
	*what = "it lacks kind, started, environment, paths or checks";
	for (i = 0; i < 2; i++)
		if (!json_is_array(json_object_get(report, arrays[i])))
			return -EINVAL;
	if (!json_is_string(json_object_get(report, "kind")) ||
	    !json_is_string(json_object_get(report, "started")) ||
	    !json_is_boolean(json_object_get(report, "complete")) ||
	    !json_is_object(json_object_get(report, "environment")))
		return -EINVAL;
	*what = "a path lacks name, label, available or works";
	json_array_foreach (json_object_get(report, "paths"), i, path) {
		if (!json_is_string(json_object_get(path, "name")) ||
		    !json_is_string(json_object_get(path, "label")) ||
		    !json_is_boolean(json_object_get(path, "available")) ||
		    !json_is_array(json_object_get(path, "works")))
			return -EINVAL;
		json_array_foreach (json_object_get(path, "works"), j, work)
			if (!json_is_string(json_object_get(work, "name")) ||
			    !json_is_string(json_object_get(work, "unit")) ||
			    !json_is_array(json_object_get(work, "values")))
				return -EINVAL;
	}
	return 0;
}
